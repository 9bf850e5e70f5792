//! The oracle lane: the model's answer for every row, asked and not witnessed.
//!
//! It is a pure function of the inputs, so a verifier asks again and compares.

use std::error::Error;

use super::RowSource;
use crate::base::ids::ExpectationId;
use crate::base::json_out;
use crate::plan::{ResolvedPlan, ResolvedProbe, ResolvedProfile};
use crate::policy::answer::{self, Asked};
use crate::record::layout;
use crate::record::outcome::Lane;
use crate::record::row::{ORACLE_ROW_SCHEMA, OracleRow};

/// The model's answer for one probe.
pub fn ask(seq: u64, profile: &ResolvedProfile, probe: &ResolvedProbe) -> OracleRow {
    let entry = &probe.entry;
    let answer = answer::answer(
        &profile.policy.value,
        Asked {
            action: probe.action.as_deref(),
            operation: &entry.operation,
            filter: entry.filter_name.as_deref(),
            fixtures: &probe.fixtures,
        },
    );
    OracleRow {
        schema_version: ORACLE_ROW_SCHEMA.to_string(),
        seq,
        profile_id: profile.id.clone(),
        probe_id: entry.probe_id.clone(),
        expectation_id: probe.expectation_id.clone(),
        source: answer::source_of(&profile.policy.value).to_string(),
        decision: answer.decision,
        rule: answer.rule,
        reason: answer.reason,
        assumes: answer.assumes,
    }
}

/// An oracle row that is not what the model answers.
#[derive(Debug, thiserror::Error)]
#[error("`{}`, line {line}: the model answers something else to `{expectation_id}`", layout::rows_of(Lane::Oracle))]
pub struct OtherAnswer {
    /// The line, from 1.
    pub line: u64,
    /// Which expectation.
    pub expectation_id: ExpectationId,
}

/// Compares the oracle lane's rows, byte for byte, with what the model answers now.
///
/// # Errors
/// The first row that differs, as [`OtherAnswer`], or a failure to read. Rows that are missing or too many are the
/// derivation's to find.
pub fn check(plan: &ResolvedPlan, rows: &(impl RowSource + ?Sized)) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(mut source) = rows.open(Lane::Oracle)? else { return Ok(()) };
    let (mut found, mut wanted) = (Vec::new(), Vec::new());
    for (seq, (profile, probe)) in plan.rows().enumerate() {
        found.clear();
        source.read_until(b'\n', &mut found)?;
        if found.is_empty() {
            break;
        }
        wanted.clear();
        json_out::write_compact(&mut wanted, &ask(seq as u64, profile, probe))?;
        wanted.push(b'\n');
        if found != wanted {
            let expectation_id = probe.expectation_id.clone();
            return Err(OtherAnswer { line: seq as u64 + 1, expectation_id }.into());
        }
    }
    // To the end, so that what was compared is also what was digested.
    std::io::copy(&mut source, &mut std::io::sink())?;
    Ok(())
}
