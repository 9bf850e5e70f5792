//! `verdicts.jsonl`: what every row of the plan came to, wholly specified (SPEC.md, section 3.3). Derived. Ours.

use serde::Serialize;

use super::launcher::Mechanism;
use super::outcome::{Decision, Expectation, FailureKind, FailureStage};
use super::results::RuntimeStatus;
use crate::base::digest::Digest;

/// Format of a line.
pub const VERDICT_SCHEMA: &str = "sandproof.verdict.v1";

/// A line of `verdicts.jsonl`. Every member always stands there.
///
/// Members are sorted by name, here and in [`LaneOutcome`]: so, written compactly and without escapes beyond JSON's own, a line
/// is its own canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictLine<'a> {
    /// What the row shows; null if it is undecided, or the scenario lane is off.
    pub actual: Option<Decision>,
    /// What the baseline row shows by itself; null if that lane is off.
    pub baseline: Option<LaneOutcome>,
    /// The error number that goes with the outcome; null if there is none.
    pub errno: Option<i32>,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// What the author expects.
    pub expected: Expectation,
    /// Why it is not allowed; null if it is, or the scenario lane is off.
    pub failure_kind: Option<FailureKind>,
    /// Where it stopped; null likewise.
    pub failure_stage: Option<FailureStage>,
    /// Whether it is as expected; null if nothing was decided, or nothing expected.
    #[serde(rename = "match")]
    pub matched: Option<bool>,
    /// How a denial under a launcher came about; null for anything else.
    pub mechanism: Option<Mechanism>,
    /// What the oracle row says; null if that lane is off.
    pub oracle: Option<LaneOutcome>,
    /// Digest of what is asked; see `plan::probe_digest`.
    pub probe_sha256: Digest,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// What the scenario row shows by itself; null if that lane is off.
    pub scenario: Option<LaneOutcome>,
    /// Always [`VERDICT_SCHEMA`].
    pub schema_version: &'static str,
    /// Place in plan order, from 0.
    pub seq: u64,
}

/// What the row of one lane shows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LaneOutcome {
    /// The error number that was seen; null if none was.
    pub errno: Option<i32>,
    /// Why it is undecided; null if it is not, and of an oracle.
    pub kind: Option<FailureKind>,
    /// What it shows.
    pub word: OutcomeWord,
}

/// What one row shows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// It went through, or would.
    Allow,
    /// It was refused, or would be.
    Deny,
    /// Neither can be said.
    Undecided,
}

impl From<Option<Decision>> for OutcomeWord {
    fn from(decision: Option<Decision>) -> Self {
        match decision {
            Some(Decision::Allow) => Self::Allow,
            Some(Decision::Deny) => Self::Deny,
            None => Self::Undecided,
        }
    }
}

/// What the decision rule makes of a scenario row beside its baseline, as the test vectors have it (SPEC.md, section 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowOutcome {
    /// What the row shows; null if it is undecided.
    pub actual: Option<Decision>,
    /// Where it stopped; null if it is allowed.
    pub failure_stage: Option<FailureStage>,
    /// Why it is not allowed; null if it is.
    pub failure_kind: Option<FailureKind>,
    /// The error number that goes with it; null if there is none.
    pub errno: Option<i32>,
    /// How a denial under a launcher came about; null for anything else.
    pub mechanism: Option<Mechanism>,
    /// As in `runtime_results.json`.
    pub status: RuntimeStatus,
    /// Whether something was decided; null if the row was blocked.
    pub intended_op_witnessed: Option<bool>,
}
