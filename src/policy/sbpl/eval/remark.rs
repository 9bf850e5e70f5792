//! What is doubtful about a profile, though it can be read.

use std::fmt;

use super::super::rules::LineColumn;

/// A remark and the first place that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Line and column in the text.
    pub place: LineColumn,
    /// What is doubtful.
    pub kind: RemarkKind,
}

/// What is doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemarkKind {
    /// A parameter is asked for that has no value.
    MissingParameter(String),
    /// A name that nobody here knows.
    UnknownName {
        /// The name, as written.
        name: String,
        /// Known names that are close to it.
        close: Vec<String>,
    },
    /// A name that macOS is known not to have.
    Unbound(String),
    /// A name that is not among the operations of macOS 14.4.1, in a rule.
    Operation(String),
    /// A value that this filter is not known to have.
    Constant {
        /// The filter, or `with`.
        filter: String,
        /// The value that it has here.
        value: String,
    },
    /// A path in a rule that is empty or relative.
    Path(String),
    /// A backslash before these characters, in a string that is not raw, where its meaning is not documented.
    Escape(String),
    /// No unfiltered rule on `default`.
    NoDefault,
}

impl fmt::Display for RemarkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingParameter(name) => {
                write!(f, "the parameter `{name}` has no value, so `(param \"{name}\")` is `#f`")
            }
            Self::UnknownName { name, .. } => {
                write!(f, "`{name}` is not known here; what depends on it cannot be predicted")
            }
            Self::Unbound(name) => write!(f, "macOS has no `{name}`, and refuses a profile with an unbound name"),
            Self::Operation(name) => {
                write!(f, "`{name}` is not among the operations of macOS 14.4.1; what a rule on it covers is not known")
            }
            Self::Constant { filter, value } => {
                write!(f, "`{value}` is no value that `{filter}` is known to have; what it stands for is not known")
            }
            Self::Path(text) if text.is_empty() => {
                f.write_str("a rule has an empty path; what it matches is not known")
            }
            Self::Path(text) => write!(f, "a rule has the relative path `{text}`; what it matches is not known"),
            Self::Escape(text) => {
                write!(f, "`\\{}` is no documented escape; the backslash is taken to be dropped", text.escape_default())
            }
            Self::NoDefault => f.write_str("no rule decides about `default`, and what happens then was never verified"),
        }
    }
}

impl RemarkKind {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::MissingParameter(_) => "give it a value in the profile's `parameters`".into(),
            Self::UnknownName { close, .. } if close.is_empty() => {
                "check the name: it may be one of another release".into()
            }
            Self::Unbound(_) => "remove it".into(),
            Self::Operation(_) => "check the name: it may be one of another release".into(),
            Self::Constant { .. } => "check the value".into(),
            Self::Path(_) => "write an absolute path, or check the parameter that it comes from".into(),
            Self::UnknownName { close, .. } => {
                let close: Vec<String> = close.iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", close.join(" or "))
            }
            Self::Escape(_) => "write the backslash twice, or use a raw string `#\"…\"`".into(),
            Self::NoDefault => "begin with `(deny default)` or `(allow default)`".into(),
        }
    }
}
