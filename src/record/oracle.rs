//! `oracle_results.json`: decisions that were asked for, not witnessed. Derived.

use serde::{Deserialize, Serialize};

use super::callout::CalloutDecision;

/// Format of the file.
pub const ORACLE_RESULTS_SCHEMA: &str = "runtime-tools.oracle_results.v0.1";

/// The oracle's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OracleDecision {
    /// It would be let through.
    Allow,
    /// It would be refused.
    Deny,
    /// The oracle cannot know.
    Error,
}

impl From<CalloutDecision> for OracleDecision {
    fn from(decision: CalloutDecision) -> Self {
        match decision {
            CalloutDecision::Allow => Self::Allow,
            CalloutDecision::Deny => Self::Deny,
            CalloutDecision::Error => Self::Error,
        }
    }
}

/// How `sandbox_check` was asked, and what it returned; the words are those of [`super::callout::CalloutRecord`].
#[derive(Debug, Serialize)]
pub struct OracleCallout<'a> {
    /// Filter and flags.
    pub check_type: i64,
    /// `raw` or `canonical`.
    pub canonicalization: Option<&'a str>,
    /// Whether the flag was passed.
    pub canonical_flag_used: bool,
    /// Why the flag was not set; null if it was.
    pub canonical_flag_reason: Option<&'a str>,
    /// Whether the question was kept out of the log.
    pub no_report: bool,
    /// Why the flag was not set; null if it was.
    pub no_report_reason: Option<&'a str>,
    /// By what the process was named.
    pub token_status: &'a str,
    /// The Mach code of asking for the token.
    pub token_mach_kr: Option<i32>,
    /// What the call returned.
    pub rc: i32,
    /// The error number.
    pub errno: i32,
}

/// One answer.
#[derive(Debug, Serialize)]
pub struct OracleResult<'a> {
    /// Id of the world that the plan declares.
    pub world_id: &'a str,
    /// Id of the run.
    pub run_id: &'a str,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// The profile. Ours: expectation ids alone are no key (the contract's weakness W-60).
    pub profile_id: &'a str,
    /// The probe's short name. Ours.
    pub probe_name: &'a str,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// `model`: the policy was evaluated, no process was asked. Else when `sandbox_check` was asked.
    pub stage: &'a str,
    /// What the oracle answered.
    pub decision: OracleDecision,
    /// The filter's number; null of the model, which has no filters.
    pub filter_type: Option<i32>,
    /// Name of the filter's number; null if the question has no filter.
    pub filter_type_name: Option<&'static str>,
    /// What was asked about: of the model, the target as declared.
    pub argument: Option<&'a str>,
    /// The source of the answer: `landlock_model`, `seatbelt_model`, `sandbox_check`, …
    pub api: &'a str,
    /// How `sandbox_check` was asked; nothing for the model.
    #[serde(flatten)]
    pub check: Option<OracleCallout<'a>>,
    /// What decides: a JSON pointer into a Landlock policy, `LINE:COLUMN` in a Seatbelt profile. Ours.
    pub rule: Option<&'a str>,
    /// Why, in words. Ours.
    pub reason: &'a str,
    /// What the answer takes for granted. Ours.
    pub assumes: &'a [String],
    /// What is missing for an answer; null if there is one.
    pub error: Option<&'a str>,
}

/// What is read of an answer. `T` is a kind of text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OracleView<T> {
    /// The expectation's id.
    pub expectation_id: T,
    /// The profile's id.
    pub profile_id: T,
    /// What the oracle answered.
    pub decision: OracleDecision,
    /// The source of the answer.
    pub api: T,
    /// Why, in words; may be empty.
    pub reason: Option<T>,
}
