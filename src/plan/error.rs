//! Why a plan could not be loaded.

use std::path::PathBuf;

use super::diagnostic::{Diagnostic, DiagnosticKind, Severity};
use super::text_place::TextPlace;
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
         `registry/probes.json`{}",
        shared.as_ref().map_or_else(String::new, |folder| format!(
            " (`{}` has registries, but anybody could have put them there: it is shared with everybody)", folder.display()
        ))
    )]
    NoRoot {
        /// The plan's file.
        plan: PathBuf,
        /// A folder above it that has an index and is shared with everybody.
        shared: Option<PathBuf>,
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
    /// That is no share of a plan.
    #[error("the share of the plan is none: {flaw}")]
    Shard {
        /// What is wrong with it.
        flaw: &'static str,
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
        match self {
            Self::Refused { notes } => notes,
            other => other.as_notes(),
        }
    }

    /// What is wrong with the documents, if that is why: a list of findings, or a text that is no acceptable JSON.
    pub fn findings(&self) -> Option<Vec<Diagnostic>> {
        matches!(self, Self::Refused { .. } | Self::Json { .. }).then(|| self.as_notes())
    }

    /// The same of a document whose name in messages is to be another one: the path by which a person gave it.
    pub(super) fn of_file(mut self, name: &str, given: &str) -> Self {
        match &mut self {
            Self::Read { file, .. } | Self::Json { file, .. } if file == name => given.clone_into(file),
            Self::Refused { notes } => {
                notes.iter_mut().filter(|note| note.file == name).for_each(|note| given.clone_into(&mut note.file));
            }
            Self::Read { .. }
            | Self::Json { .. }
            | Self::NoPlan { .. }
            | Self::NoRoot { .. }
            | Self::UnknownId { .. }
            | Self::Ambiguous { .. }
            | Self::Shard { .. }
            | Self::NothingSelected { .. } => {}
        }
        self
    }

    fn as_notes(&self) -> Vec<Diagnostic> {
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
                place: None,
            }]
        };
        match self {
            Self::Refused { notes } => notes.clone(),
            Self::Read { file, source, what } => note(
                DiagnosticKind::Unreadable,
                file,
                format!("the {what} cannot be read: {}", source.source),
                match source.source.kind() {
                    std::io::ErrorKind::NotFound => "create it, or correct the path that names it",
                    _ => "make it one that you may read, or correct the path that names it",
                },
            ),
            Self::Json { file, source, what } => {
                let message = format!("the {what} is not acceptable JSON: {source}");
                let mut notes = note(DiagnosticKind::Json, file, message, "correct the text");
                notes[0].place = TextPlace::of_json(source);
                notes
            }
            Self::NoRoot { plan, .. } => {
                let file = plan.display().to_string();
                note(DiagnosticKind::Registry, &file, self.to_string(), "move it under a workspace")
            }
            Self::NoPlan { plan, problem, remedy } => {
                note(DiagnosticKind::Unreadable, plan, format!("the plan cannot be read: {problem}"), remedy)
            }
            Self::UnknownId { .. } | Self::Ambiguous { .. } | Self::Shard { .. } | Self::NothingSelected { .. } => {
                note(DiagnosticKind::Dangling, "", self.to_string(), "")
            }
        }
    }
}

/// How many findings a message spells out.
const SPELLED_OUT: usize = 20;

/// The lines of a message that spells findings out, each with its place if it has one.
pub fn spelled_out(notes: &[Diagnostic]) -> Vec<(String, Option<&TextPlace>)> {
    let errors: Vec<&Diagnostic> = notes.iter().filter(|note| note.severity == Severity::Error).collect();
    if let [only] = errors[..] {
        return vec![(only.to_string(), only.place.as_ref())];
    }
    let mut lines = vec![(format!("the input is refused for {} reasons:", errors.len()), None)];
    lines.extend(errors.iter().take(SPELLED_OUT).map(|note| (format!("  {note}"), note.place.as_ref())));
    if errors.len() > SPELLED_OUT {
        lines.push((format!("  … and {} more", errors.len() - SPELLED_OUT), None));
    }
    lines
}

fn render(notes: &[Diagnostic]) -> String {
    spelled_out(notes).into_iter().map(|(line, _)| line).collect::<Vec<_>>().join("\n")
}
