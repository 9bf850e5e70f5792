//! What `attempts --json` prints: bundles and sealed commands grouped by identity, and the rows, or outputs, in which attempts of one
//! declaration disagree.

use serde::Serialize;
use serde_json::Value;

use super::outcome::Lane;
use super::run_diff::RowVerdict;
use crate::base::digest::Digest;

/// Format of the report. 1: first release.
pub const ATTEMPTS_SCHEMA: &str = "sandproof.attempts.v1";

/// What `attempts --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempts {
    /// The document's format: always `sandproof.attempts.v1`.
    pub schema_version: &'static str,
    /// Whether no two attempts of one declaration disagree, in a row or in an output.
    pub agree: bool,
    /// The declarations, by identity.
    pub groups: Vec<Group>,
    /// The declarations of sealed commands, by identity.
    pub sealed: Vec<SealedGroup>,
    /// Bundles and sealed commands that could not be used, by path.
    pub left_out: Vec<LeftOut>,
}

/// The sealed commands of one declaration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SealedGroup {
    /// The identity that all of them have.
    pub identity: Digest,
    /// What is declared: `ai_run` or `deployment`.
    pub kind: String,
    /// The sealed commands, by path.
    pub attempts: Vec<SealedAttempt>,
    /// How many outputs they have, each counted once.
    pub outputs: u64,
    /// How many of these are not the same in all attempts.
    pub disagreements: u64,
    /// These outputs, by name; of very many only the first.
    pub outputs_in_question: Vec<OutputInQuestion>,
    /// How many more there are than the list has.
    pub unlisted: u64,
    /// What reached the commands and is neither fixed nor declared.
    pub not_held: Vec<String>,
}

/// One sealed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealedAttempt {
    /// Path of its folder.
    pub path: String,
    /// Whether something that it read may have changed while it ran.
    pub drifted: bool,
    /// Whether its identity says less than one whose every byte is held.
    pub partial: bool,
}

/// An output in which sealed commands disagree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputInQuestion {
    /// Its name: `exit`, `stdout`, `stderr`, `out/PATH`.
    pub output: String,
    /// What it is of each command, in their order; null if it is not there.
    pub answers: Vec<Option<Value>>,
}

/// The attempts of one declaration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The identity. Null: bundles that declare none; they are not compared.
    pub identity: Option<Digest>,
    /// The plan of the first attempt.
    pub plan_id: String,
    /// The attempts, by start and then by run id.
    pub attempts: Vec<AttemptedRun>,
    /// How many rows of the first attempt were compared, in all lanes.
    pub rows: u64,
    /// How many rows are not the same in all attempts.
    pub disagreements: u64,
    /// These rows, by lane, id and aspect; of very many only the first.
    pub rows_in_question: Vec<RowInQuestion>,
    /// How many more there are than the list has.
    pub unlisted: u64,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptedRun {
    /// Id of the run.
    pub run_id: String,
    /// Path of the run's bundle.
    pub path: String,
    /// Id of the world that the run declares.
    pub world_id: String,
}

/// A row in which attempts disagree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowInQuestion {
    /// The lane that the row belongs to.
    pub lane: Lane,
    /// The expectation; for a control its profile.
    pub id: String,
    /// What tells rows of one id apart; else empty.
    pub aspect: String,
    /// What each attempt found, in the order of the attempts; null if it does not have the row.
    pub answers: Vec<Option<RowVerdict>>,
}

/// A bundle that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Where it lies.
    pub path: String,
    /// The reason, as text for people.
    pub why: String,
    /// Whether it is merely not finished: a run in progress, killed or failed.
    pub unfinished: bool,
}
