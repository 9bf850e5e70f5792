//! `oracle_results.json`: decisions that were asked for, not witnessed. Derived.

use serde::Serialize;

/// Format of the file.
pub const ORACLE_RESULTS_SCHEMA: &str = "runtime-tools.oracle_results.v0.1";

/// The oracle's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OracleDecision {
    /// It would be let through.
    Allow,
    /// It would be refused.
    Deny,
    /// The oracle cannot know.
    Error,
}

/// One answer.
#[derive(Debug, Serialize)]
pub struct OracleResult<'a> {
    /// The world.
    pub world_id: &'a str,
    /// The attempt.
    pub run_id: &'a str,
    /// Which expectation.
    pub expectation_id: &'a str,
    /// The profile. Ours: expectation ids alone are no key (the contract's weakness W-60).
    pub profile_id: &'a str,
    /// The probe's short name. Ours.
    pub probe_name: &'a str,
    /// The sandbox operation.
    pub operation: &'a str,
    /// `model`: the policy was evaluated, no process was asked.
    pub stage: &'static str,
    /// The answer.
    pub decision: OracleDecision,
    /// Always null: the model has no filters.
    pub filter_type: Option<()>,
    /// Always null.
    pub filter_type_name: Option<()>,
    /// The target as declared.
    pub argument: &'a str,
    /// Who was asked: `landlock_model` or `seatbelt_model`.
    pub api: &'a str,
    /// What decides: a JSON pointer into a Landlock policy, `LINE:COLUMN` in a Seatbelt profile. Ours.
    pub rule: Option<&'a str>,
    /// Why, in words. Ours.
    pub reason: &'a str,
    /// What the answer takes for granted. Ours.
    pub assumes: &'a [String],
    /// What is missing for an answer; null if there is one.
    pub error: Option<&'a str>,
}
