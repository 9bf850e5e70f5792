//! The oracle lane: the model's answer for every row, asked and not witnessed.

use crate::plan::{ResolvedProbe, ResolvedProfile};
use crate::policy::PolicyValue;
use crate::policy::landlock::model;
use crate::record::row::{ORACLE_ROW_SCHEMA, OracleRow};

/// The model's answer for one probe.
pub fn ask(seq: u64, profile: &ResolvedProfile, probe: &ResolvedProbe) -> OracleRow {
    let mut row = OracleRow {
        schema_version: ORACLE_ROW_SCHEMA.to_string(),
        seq,
        profile_id: profile.id.clone(),
        probe_id: probe.entry.probe_id.clone(),
        expectation_id: probe.expectation_id.clone(),
        source: "landlock_model".to_string(),
        decision: None,
        rule: None,
        reason: String::new(),
        assumes: Vec::new(),
    };
    match (profile.policy.value.as_ref(), &probe.action) {
        (PolicyValue::Landlock(policy), Some(action)) => {
            let answer = model::evaluate(policy, action, &probe.fixtures);
            row.decision = answer.decision;
            row.rule = answer.rule;
            row.reason = answer.reason;
            row.assumes = answer.assumes;
        }
        _ => row.reason = "there is no model for this kind of policy yet".to_string(),
    }
    row
}
