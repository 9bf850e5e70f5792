//! The oracle lane: the model's answer for every row, asked and not witnessed.
//!
//! It is a pure function of the inputs, so a verifier asks again and compares.

use crate::base::ids::ExpectationId;
use crate::plan::{ResolvedProbe, ResolvedProfile};
use crate::policy::answer::{self, Answerer, ModelAnswer, PolicyQuestion};
use crate::policy::{PolicyValue, landlock};
use crate::record::layout;
use crate::record::outcome::Lane;
use crate::record::row::{ORACLE_ROW_SCHEMA, OracleRow};

/// The model's answer for one probe. `answerer` is best the same for all rows of a lane.
pub fn ask<'p>(
    answerer: &mut Answerer<'p>,
    seq: u64,
    profile: &'p ResolvedProfile,
    probe: &'p ResolvedProbe,
) -> OracleRow {
    let entry = &probe.entry;
    let answer = if entry.supports(Lane::Oracle) {
        answerer.answer(
            &profile.policy.value,
            PolicyQuestion {
                action: probe.action.as_deref(),
                operation: &entry.operation,
                filter: entry.filter_name.as_deref(),
                fixtures: &probe.fixtures,
            },
        )
    } else {
        ModelAnswer::unknown("`supports_lanes` says that the probe is not made for the oracle lane")
    };
    OracleRow {
        schema_version: ORACLE_ROW_SCHEMA.into(),
        seq,
        profile_id: profile.id.clone(),
        probe_id: entry.probe_id.clone(),
        expectation_id: probe.expectation_id.clone(),
        source: answer::source_of(&profile.policy.value).into(),
        decision: answer.decision,
        rule: answer.rule,
        reason: answer.reason,
        assumes: answer.assumes,
    }
}

/// What the model says that the probe's operation lacks under a Landlock policy, in the kernel's words, where it is certain:
/// nothing for an operation that goes through. `None`: it cannot know, or takes something for granted.
pub fn blockers(profile: &ResolvedProfile, probe: &ResolvedProbe) -> Option<Vec<String>> {
    let PolicyValue::Landlock(policy) = &*profile.policy.value else { return None };
    landlock::model::blockers(policy, probe.action.as_deref()?, &probe.fixtures)
}

/// An oracle row that is not what the model answers.
#[derive(Debug, thiserror::Error)]
#[error("`{}`, line {line}: the model answers something else to `{expectation_id}`", layout::rows_of(Lane::Oracle))]
pub struct OtherAnswer {
    /// The line, from 1.
    pub line: u64,
    /// Id of the expectation.
    pub expectation_id: ExpectationId,
}
