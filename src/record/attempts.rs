//! What `attempts --json` prints: bundles grouped by identity, and the rows in which attempts of one declaration disagree.

use serde::Serialize;

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
    /// Whether no two attempts of one declaration disagree.
    pub agree: bool,
    /// The declarations, by identity.
    pub groups: Vec<Group>,
    /// Bundles that could not be used, by path.
    pub left_out: Vec<LeftOut>,
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
