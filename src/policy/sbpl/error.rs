//! Why a profile's text is refused: what was found, where, and what to do.

use std::fmt;

use super::rules::LineColumn;
use crate::base::line_excerpt::LineExcerpt;
use crate::base::printable::excerpt;

/// A refusal. As text it is the place, the fault, the remedy, and the line with a caret below the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SbplError {
    /// Line and column in the text.
    pub place: LineColumn,
    /// What is wrong there.
    pub fault: Fault,
    /// The line, shortened around the place if long, without control characters.
    pub line: String,
    /// How many characters of [`Self::line`] stand before the place.
    pub caret: usize,
}

impl std::error::Error for SbplError {}

impl fmt::Display for SbplError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)?;
        let remedy = self.fault.remedy();
        if !remedy.is_empty() {
            write!(f, "; {remedy}")?;
        }
        if !self.line.is_empty() {
            write!(f, "\n  {}\n  {:>width$}", self.line, "^", width = self.caret + 1)?;
        }
        Ok(())
    }
}

/// A fault and its place, before the text that it is about is known.
#[derive(Debug)]
pub(super) struct LocatedFault {
    pub(super) place: LineColumn,
    pub(super) fault: Box<Fault>,
}

impl LocatedFault {
    pub(super) fn new(place: LineColumn, fault: Fault) -> Self {
        Self { place, fault: Box::new(fault) }
    }

    /// The refusal, with its line out of `text`.
    pub(super) fn in_text(self, text: &str) -> SbplError {
        let excerpt = LineExcerpt::of(text, self.place.line, self.place.column, 1);
        let (line, caret) = excerpt.map_or_else(Default::default, |excerpt| (excerpt.shown, excerpt.before));
        SbplError { place: self.place, fault: *self.fault, line, caret }
    }
}

/// What is wrong with a profile's text. Untrusted text in it is short and holds no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text is too large.
    #[error("the text has {bytes} bytes, {most} are the most")]
    TooLarge {
        /// Size of the text in bytes.
        bytes: usize,
        /// The largest size allowed, in bytes.
        most: u64,
    },
    /// Lists stand in lists too often.
    #[error("lists are nested deeper than {most} levels")]
    TooDeep {
        /// The deepest nesting allowed.
        most: usize,
    },
    /// Too many lists and atoms.
    #[error("the text holds more than {most} lists and atoms")]
    TooMany {
        /// The largest number allowed.
        most: usize,
    },
    /// The program does too much.
    #[error("the profile's program takes more than {most} steps")]
    TooMuchWork {
        /// The most work allowed, in steps.
        most: u64,
    },
    /// Calls stand in calls too often.
    #[error("the profile's program calls itself deeper than {most} levels")]
    TooManyCalls {
        /// The most nested calls allowed.
        most: usize,
    },
    /// A NUL character.
    #[error("a NUL character stands here")]
    Nul,
    /// An invisible sign at the beginning.
    #[error("an invisible byte order mark (U+FEFF) stands here")]
    ByteOrderMark,
    /// A bracket where a parenthesis has to be.
    #[error("`{found}` is no parenthesis of the profile language")]
    Bracket {
        /// The bracket that has no counterpart.
        found: char,
    },
    /// A constant that a filter does not know.
    #[error("`{filter}` has no value `{found}`")]
    UnknownConstant {
        /// The filter, or `with`.
        filter: &'static str,
        /// As written.
        found: String,
        /// Values that are close to it.
        close: Vec<String>,
    },
    /// A regular expression that macOS does not compile.
    #[error("macOS does not compile the regular expression `{pattern}`: a `^` stands in its middle")]
    Regex {
        /// The regular expression, as written.
        pattern: String,
    },
    /// A list without end.
    #[error("this `(` is never closed")]
    Unclosed,
    /// A string without end.
    #[error("this string never ends")]
    UnclosedText,
    /// An end without a beginning.
    #[error("this `)` closes nothing")]
    StrayClose,
    /// A mark before nothing.
    #[error("nothing follows this `{mark}`")]
    StrayMark {
        /// The mark, as written.
        mark: &'static str,
    },
    /// `#` and something unknown.
    #[error("`{found}` means nothing")]
    UnknownHash {
        /// As written.
        found: String,
    },
    /// Digits that are no number.
    #[error("`{found}` is no number of 64 bits")]
    BadNumber {
        /// As written.
        found: String,
    },
    /// No version form at the beginning.
    #[error("the profile does not begin with its version{}", found_first(.found))]
    NoVersion {
        /// What it begins with; empty for an empty profile.
        found: String,
    },
    /// A version that does not exist.
    #[error("`{found}` is no version of the profile language")]
    BadVersion {
        /// As written.
        found: String,
    },
    /// A second version form says something else.
    #[error("the profile says that its version is {first}, and here {second}")]
    TwoVersions {
        /// Before.
        first: u32,
        /// Here.
        second: u32,
    },
    /// No operation has that name.
    #[error("there is no operation `{found}`")]
    UnknownOperation {
        /// As written.
        found: String,
        /// Names that are close to it.
        close: Vec<String>,
    },
    /// A name that this version of the language does not have.
    #[error("version {version} of the profile language has no `{name}`")]
    NotInVersion {
        /// The name, as written.
        name: String,
        /// The version that the profile declares.
        version: u32,
        /// What to write instead; empty if there is nothing.
        instead: String,
    },
    /// A rule about nothing.
    #[error("this `{action}` names no operation")]
    NoOperation {
        /// `allow` or `deny`.
        action: &'static str,
    },
    /// Something else where a filter has to be.
    #[error("`{filter}` is {found}, where an operation, a filter or a modifier is needed")]
    NoFilter {
        /// As written.
        filter: String,
        /// What it is.
        found: String,
    },
    /// A filter with the wrong arguments.
    #[error("`{filter}` needs {wanted}, and {found} stands here")]
    FilterArgument {
        /// Name of the filter.
        filter: String,
        /// What it takes.
        wanted: &'static str,
        /// What it was given.
        found: String,
    },
    /// A form of the language that is not formed as it has to be.
    #[error("this `{form}` is malformed: {wanted}")]
    Malformed {
        /// Name of the form.
        form: String,
        /// How it is written.
        wanted: &'static str,
    },
    /// A procedure of the profile is called with too few or too many arguments.
    #[error("`{name}` takes {takes}, and is called with {given}")]
    Arity {
        /// Name of the procedure.
        name: String,
        /// How many it takes.
        takes: String,
        /// How many it gets.
        given: usize,
    },
    /// The profile refuses itself: `(error "…")`.
    #[error("the profile itself refuses: {message}")]
    Raised {
        /// The message that the profile gave to `error`.
        message: String,
    },
}

fn found_first(found: &str) -> String {
    if found.is_empty() { String::new() } else { format!(", but with `{found}`") }
}

impl Fault {
    /// Whether it says only that this program went no further.
    pub(super) fn is_limit(&self) -> bool {
        matches!(self, Self::TooDeep { .. } | Self::TooMuchWork { .. } | Self::TooManyCalls { .. })
    }

    /// What to do about it; empty if the message says it all.
    pub fn remedy(&self) -> String {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => "split the profile, or write it shorter".into(),
            Self::TooDeep { .. } => "write it flatter".into(),
            Self::TooMuchWork { .. } | Self::TooManyCalls { .. } => "write the rules out instead".into(),
            Self::Nul => "remove it: the system takes a profile as a C string".into(),
            Self::ByteOrderMark => "save the text without it".into(),
            Self::Bracket { .. } => "write `(` and `)`".into(),
            Self::UnknownConstant { close, .. } => {
                let close: Vec<String> = close.iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", close.join(" or "))
            }
            Self::Regex { .. } => "put the `^` at the beginning; `(?i)` and the like are not of the dialect".into(),
            Self::Unclosed => "add the missing `)`".into(),
            Self::UnclosedText => "add the missing `\"`".into(),
            Self::StrayClose => "remove it, or add the `(`".into(),
            Self::StrayMark { .. } => "remove it".into(),
            Self::UnknownHash { .. } => "known are `#t`, `#f`, `#\"…\"`, `#o…`, `#x…`, `#b…` and `#d…`".into(),
            Self::BadNumber { .. } => "correct the digits".into(),
            Self::NoVersion { .. } => "begin with `(version 1)`".into(),
            Self::BadVersion { .. } => "write 1, 2 or 3".into(),
            Self::TwoVersions { .. } => "keep one of the two".into(),
            Self::UnknownOperation { close, .. } if close.is_empty() => {
                "use an operation of macOS 14.4.1, such as `file-read*`".into()
            }
            Self::UnknownOperation { close, .. } => {
                let close: Vec<String> = close.iter().map(|name| format!("`{name}`")).collect();
                format!("did you mean {}?", close.join(" or "))
            }
            Self::NotInVersion { instead, .. } if instead.is_empty() => "remove it, or use version 1".into(),
            Self::NotInVersion { instead, .. } => format!("write `{instead}`, or use version 1"),
            Self::NoOperation { .. } => "name one, such as `default` or `file-read*`".into(),
            Self::NoFilter { .. } | Self::FilterArgument { .. } | Self::Malformed { .. } => "correct the form".into(),
            Self::Arity { .. } => "correct the call".into(),
            Self::Raised { .. } => "give the profile the parameters that it asks for".into(),
        }
    }
}

/// Untrusted text for a message: short, without control characters.
pub(super) fn shown(text: &str) -> String {
    excerpt(text, 80)
}
