//! What is wrong, or doubtful, in an input document.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text_place::TextPlace;

use crate::base::printable::excerpt;
use crate::base::suggest::hint_for;

/// One finding: where, about what, what was found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// Whether the document can be used nevertheless.
    pub severity: Severity,
    /// The document, as it is referred to.
    pub file: String,
    /// JSON pointer of the place, or `LINE:COLUMN` in a policy text or a questions file; empty for the document as a whole.
    pub pointer: String,
    /// The id of the plan, profile, probe or registry that is concerned; empty if there is none.
    pub subject: String,
    /// The rule of lint that it breaks.
    pub kind: DiagnosticKind,
    /// What was found, as text for people.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether a run goes ahead in spite of it: it says what would come of the run, not that there can be none.
    #[serde(skip)]
    pub runs_anyway: bool,
    /// Where that is in the document's text; `None` where it is the document as a whole, or where its text cannot be read.
    #[serde(flatten)]
    pub place: Option<TextPlace>,
}

/// How bad a finding is. Errors come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is wrong: it cannot be run, or its expectations cannot all be met ([`Diagnostic::runs_anyway`]).
    Error,
    /// It can be run; the result may say less than its author thinks.
    Warning,
}

impl Severity {
    /// The severity's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! diagnostic_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The rules, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum DiagnosticKind { $($(#[$doc])* #[serde(rename = $text)] $name,)* }

        impl DiagnosticKind {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The rule's name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

diagnostic_kinds! {
    /// The document cannot be read.
    Unreadable = "unreadable",
    /// The document is no acceptable JSON.
    Json = "json",
    /// The document's format is another one.
    Format = "format",
    /// A key that the format does not have.
    UnknownKey = "unknown_key",
    /// A key that the format needs is absent.
    MissingKey = "missing_key",
    /// A value of the wrong JSON type.
    WrongType = "wrong_type",
    /// A value that the format does not allow.
    BadValue = "bad_value",
    /// More findings than are listed.
    TooMany = "too_many",
    /// The registry is not in the index, or stands in it twice.
    Registry = "registry",
    /// An id inside a document differs from the place that names it.
    IdMismatch = "id_mismatch",
    /// Two documents name different worlds.
    WorldMismatch = "world_mismatch",
    /// A world that nothing is known of.
    WorldUnknown = "world_unknown",
    /// A world that this program carries, described otherwise.
    WorldRedefined = "world_redefined",
    /// Nothing is listed where something has to be.
    Empty = "empty",
    /// Something is listed twice.
    Duplicate = "duplicate",
    /// A reference to something that does not exist.
    Dangling = "dangling",
    /// A line of a questions file that asks nothing that can be asked.
    Question = "question",
    /// A path that leaves the root, or cannot be a path.
    BadPath = "bad_path",
    /// A policy document that is not there.
    PolicyMissing = "policy_missing",
    /// A policy document that cannot be a policy of its mode.
    PolicyRefused = "policy_refused",
    /// Something in a policy that cannot be predicted, or may not mean what its author thinks.
    PolicyDoubt = "policy_doubt",
    /// Something in a policy that keeps the system from applying it.
    ApplyGate = "apply_gate",
    /// An operation outside the vocabulary.
    Operation = "operation",
    /// A driver that does not exist, or does not fit the probe.
    Driver = "driver",
    /// A driver's parameter that is missing, or one that it does not take.
    Parameter = "parameter",
    /// A target that the driver cannot act on.
    Target = "target",
    /// A target that is to be changed but is not the run's own.
    ForeignTarget = "foreign_target",
    /// A program that the run did not make, which is only executed if `run` is told so.
    HostProgram = "host_program",
    /// A waiver whose last day is past.
    Expired = "expired",
    /// A placeholder that does not exist.
    Placeholder = "placeholder",
    /// A fixture that cannot be made.
    Fixture = "fixture",
    /// A listener that is missing or does not fit the driver.
    Listener = "listener",
    /// A capability that is unknown or undeclared.
    Capability = "capability",
    /// A lane that is missing, unknown or not supported.
    Lane = "lane",
    /// A probe's expectation id that is not unique in the plan.
    ExpectationId = "expectation_id",
    /// A probe's name that is not unique in its profile.
    ProbeName = "probe_name",
    /// The expected operations or predicates disagree with the probe.
    ExpectedOps = "expected_ops",
    /// A deadline that cannot be met.
    Deadline = "deadline",
    /// An expectation that contradicts its own policy.
    Contradiction = "contradiction",
    /// More rows than a plan may have.
    TooManyRows = "too_many_rows",
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("`{}`", self.file);
        if !self.pointer.is_empty() {
            text.push_str(&format!(" at `{}`", self.pointer));
        }
        text.push_str(&format!(": {}", self.message));
        if !self.remedy.is_empty() {
            text.push_str(&format!("; {}", self.remedy));
        }
        // Untrusted text must not steer the terminal. The fields themselves stay exact.
        f.write_str(&excerpt(&text, 4000))
    }
}

/// Sorts notes and drops repetitions.
pub fn tidy(notes: &mut Vec<Diagnostic>) {
    notes.sort();
    notes.dedup();
}

/// Whether one of them is an error.
pub fn has_errors(notes: &[Diagnostic]) -> bool {
    notes.iter().any(|note| note.severity == Severity::Error)
}

/// Escapes one part of a JSON pointer (RFC 6901, section 3).
pub fn pointer_part(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

/// Collects notes on one document.
#[derive(Debug)]
pub(super) struct Diagnostics<'a> {
    pub(super) list: &'a mut Vec<Diagnostic>,
    pub(super) file: &'a str,
    pub(super) subject: &'a str,
}

impl Diagnostics<'_> {
    /// Adds an error.
    pub(super) fn error(
        &mut self,
        kind: DiagnosticKind,
        pointer: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Severity::Error, kind, pointer.into(), message.into(), remedy.into());
    }

    /// Adds a warning.
    pub(super) fn warning(
        &mut self,
        kind: DiagnosticKind,
        pointer: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.push(Severity::Warning, kind, pointer.into(), message.into(), remedy.into());
    }

    /// [`hint_for`], as long as findings are few: comparing names costs more than most checks, and past the first
    /// screen nobody reads a suggestion.
    pub(super) fn hint<'n>(&self, found: &str, known: impl IntoIterator<Item = &'n str>, otherwise: &str) -> String {
        if self.list.len() < 50 { hint_for(found, known, otherwise) } else { otherwise.to_owned() }
    }

    /// Adds a note.
    pub(super) fn push(
        &mut self,
        severity: Severity,
        kind: DiagnosticKind,
        pointer: String,
        message: String,
        remedy: String,
    ) {
        /// Past this many, warnings are dropped; of errors, some are kept, so that a refusal stays one.
        const MOST: usize = 10_000;
        let full = self.list.len() >= MOST;
        if full && (severity == Severity::Warning || self.list.len() >= MOST + 100) {
            return;
        }
        // A text of a document may be a megabyte long.
        const LONGEST_CHARS: usize = 1000;
        let message = match message.char_indices().nth(LONGEST_CHARS) {
            Some((end, _)) => format!("{}…", &message[..end]),
            None => message,
        };
        self.list.push(Diagnostic {
            severity,
            file: self.file.to_owned(),
            pointer,
            subject: self.subject.to_owned(),
            kind,
            message,
            remedy,
            runs_anyway: false,
            place: None,
        });
    }

    /// Lets a run go ahead in spite of what was added since there were `before` notes.
    pub(super) fn runs_anyway(&mut self, before: usize) {
        self.list.iter_mut().skip(before).for_each(|note| note.runs_anyway = true);
    }
}

/// Untrusted text, shortened for a message, without control characters.
pub(super) fn shown(text: &str) -> String {
    excerpt(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_the_wire() {
        for kind in DiagnosticKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for severity in [Severity::Error, Severity::Warning] {
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
    }

    #[test]
    fn errors_sort_first_and_repetitions_go() {
        let note = |severity, pointer: &str| Diagnostic {
            severity,
            file: "f".into(),
            pointer: pointer.into(),
            subject: String::new(),
            kind: DiagnosticKind::Lane,
            message: "m".into(),
            remedy: "r".into(),
            runs_anyway: false,
            place: None,
        };
        let mut notes = vec![
            note(Severity::Warning, "/a"),
            note(Severity::Error, "/b"),
            note(Severity::Error, "/b"),
            note(Severity::Error, "/a"),
        ];
        tidy(&mut notes);
        assert_eq!(notes.iter().map(|n| n.pointer.as_str()).collect::<Vec<_>>(), ["/a", "/b", "/a"]);
        assert_eq!(notes[0].to_string(), "`f` at `/a`: m; r");
    }
}
