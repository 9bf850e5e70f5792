//! What is doubtful about a profile, though it can be read.

use std::fmt;

use super::super::rules::Place;

/// A remark and the first place that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: RemarkKind,
}

/// What is doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemarkKind {
    /// A parameter is asked for that has no value.
    MissingParameter(String),
    /// A name that nobody here knows.
    Stranger {
        /// The name.
        name: String,
        /// Known names that are close to it.
        close: Vec<String>,
    },
    /// A backslash before this character, in a string that is not raw.
    Escape(char),
    /// No unfiltered rule on `default`.
    NoDefault,
}

impl fmt::Display for RemarkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingParameter(name) => {
                write!(f, "the parameter `{name}` has no value, so `(param \"{name}\")` is `#f`")
            }
            Self::Stranger { name, .. } => {
                write!(f, "`{name}` is not known here; what depends on it cannot be predicted")
            }
            Self::Escape(c) => {
                write!(f, "`\\{}` is no documented escape; the backslash is taken to be dropped", c.escape_default())
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
            Self::Stranger { close, .. } if close.is_empty() => {
                "check the name; macOS refuses a profile with an unbound name".into()
            }
            Self::Stranger { close, .. } => {
                let close: Vec<String> = close.iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", close.join(" or "))
            }
            Self::Escape(_) => "write the backslash twice, or use a raw string `#\"…\"`".into(),
            Self::NoDefault => "begin with `(deny default)` or `(allow default)`".into(),
        }
    }
}
