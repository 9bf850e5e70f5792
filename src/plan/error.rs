//! Why a plan could not be loaded.

use std::path::PathBuf;

use super::diagnostic::{Diagnostic, DiagnosticKind, Severity};
use crate::base::fsx::FileError;
use crate::base::json::JsonError;

/// Why a plan, or a document that it needs, could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A document cannot be read.
    #[error("the {what} `{file}` cannot be read")]
    Read {
        /// What the document is: "plan", "registry index", …
        what: &'static str,
        /// The document, as it is referred to.
        file: String,
        /// The underlying error.
        #[source]
        source: FileError,
    },
    /// The file that was named as a plan is not there.
    #[error("the plan `{plan}` cannot be read: {problem}; {remedy}")]
    NoPlan {
        /// As it was named.
        plan: String,
        /// What is there instead.
        problem: &'static str,
        /// Close names, or where to look.
        remedy: String,
    },
    /// A document is no acceptable JSON.
    #[error("the {what} `{file}` is not acceptable JSON")]
    Json {
        /// What the document is.
        what: &'static str,
        /// The document, as it is referred to.
        file: String,
        /// The underlying error.
        #[source]
        source: JsonError,
    },
    /// The documents say something that cannot be.
    #[error("{}", render(.notes))]
    Refused {
        /// Every finding, sorted; at least one is an error.
        notes: Vec<Diagnostic>,
    },
    /// The plan lies under no root.
    #[error(
        "`{plan}` belongs to no workspace: neither a folder above it has `registries/index.json`, nor its own folder \
         `registry/probes.json`"
    )]
    NoRoot {
        /// The plan's file.
        plan: PathBuf,
    },
    /// An id on the command line names nothing.
    #[error("there is no {kind} `{id}` in {place}; {remedy}")]
    UnknownId {
        /// What kind of id.
        kind: &'static str,
        /// The id, as it was asked for.
        id: String,
        /// Where it was looked for.
        place: String,
        /// Close names, or where to look.
        remedy: String,
    },
    /// An id on the command line names several things.
    #[error("several registries have a {kind} `{id}`: {places}; name one with --registry")]
    Ambiguous {
        /// What kind of id.
        kind: &'static str,
        /// The id, as it was asked for.
        id: String,
        /// Where it was found.
        places: String,
    },
    /// Every id of the selection exists, and still nothing is left.
    #[error("the selection leaves nothing of plan `{plan_id}` to run; no selected profile has a selected scenario")]
    NothingSelected {
        /// Id of the plan.
        plan_id: String,
    },
}

impl LoadError {
    /// The findings, for a lint that goes on where a run stops.
    pub fn into_notes(self) -> Vec<Diagnostic> {
        let note = |kind, file: &str, message: String, remedy: &str| {
            vec![Diagnostic {
                severity: Severity::Error,
                file: file.to_owned(),
                pointer: String::new(),
                subject: String::new(),
                kind,
                message,
                remedy: remedy.to_owned(),
                runs_anyway: false,
            }]
        };
        match self {
            Self::Refused { notes } => notes,
            Self::Read { ref file, ref source, what } => note(
                DiagnosticKind::Unreadable,
                file,
                format!("the {what} cannot be read: {}", source.source),
                "create it, or correct the path that names it",
            ),
            Self::Json { ref file, ref source, what } => note(
                DiagnosticKind::Json,
                file,
                format!("the {what} is not acceptable JSON: {source}"),
                "correct the text",
            ),
            Self::NoRoot { ref plan } => {
                let file = plan.display().to_string();
                note(DiagnosticKind::Registry, &file, self.to_string(), "move it under a workspace")
            }
            Self::NoPlan { ref plan, problem, ref remedy } => {
                note(DiagnosticKind::Unreadable, plan, format!("the plan cannot be read: {problem}"), remedy)
            }
            Self::UnknownId { .. } | Self::Ambiguous { .. } | Self::NothingSelected { .. } => {
                note(DiagnosticKind::Dangling, "", self.to_string(), "")
            }
        }
    }
}

/// How many findings a message spells out.
const SPELLED_OUT: usize = 20;

fn render(notes: &[Diagnostic]) -> String {
    let errors: Vec<&Diagnostic> = notes.iter().filter(|note| note.severity == Severity::Error).collect();
    if let [only] = errors[..] {
        return only.to_string();
    }
    let mut text = format!("the input is refused for {} reasons:", errors.len());
    for note in errors.iter().take(SPELLED_OUT) {
        text.push_str(&format!("\n  {note}"));
    }
    if errors.len() > SPELLED_OUT {
        text.push_str(&format!("\n  … and {} more", errors.len() - SPELLED_OUT));
    }
    text
}
