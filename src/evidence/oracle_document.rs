//! The entries of `oracle_results.json`.

use super::mismatch;
use super::row_facts::{Context, RowInPlan};
use crate::record::callout::{Callout, CalloutRecord};
use crate::record::oracle::{OracleCallout, OracleDecision, OracleResult};
use crate::record::row::OracleRow;

/// What the model answered about a row, as the document has it.
pub(super) fn oracle_result<'a>(context: &Context<'a>, placed: RowInPlan<'a>, row: &'a OracleRow) -> OracleResult<'a> {
    let decision = mismatch::oracle_decision(row);
    OracleResult {
        rule: row.rule.as_deref(),
        assumes: &row.assumes,
        error: (decision == OracleDecision::Error).then_some(row.reason.as_str()),
        ..answer_about(context, placed, decision, &row.source, &row.reason)
    }
}

/// An answer about a row by `api`, with nothing in it that only one kind of oracle says.
fn answer_about<'a>(
    context: &Context<'a>,
    placed: RowInPlan<'a>,
    decision: OracleDecision,
    api: &'a str,
    reason: &'a str,
) -> OracleResult<'a> {
    OracleResult {
        world_id: context.world_id,
        run_id: context.run_id,
        expectation_id: placed.expectation_id(),
        profile_id: placed.profile_id(),
        probe_name: placed.name(),
        operation: placed.operation(),
        stage: "model",
        decision,
        filter_type: None,
        filter_type_name: None,
        argument: Some(placed.target()),
        api,
        check: None,
        rule: None,
        reason,
        assumes: &[],
        error: None,
    }
}

/// The reason that stands with what `sandbox_check` answered.
const ASKED_BY_PROCESS: &str = "the confined process asked, right before the operation";

/// What a confined process was answered about its own row, as the document has it.
pub(super) fn callout_result<'a>(
    context: &Context<'a>,
    placed: RowInPlan<'a>,
    record: &'a CalloutRecord,
) -> OracleResult<'a> {
    let callout = Callout::from(record);
    OracleResult {
        operation: callout.operation,
        stage: callout.stage,
        filter_type: Some(callout.filter_type),
        filter_type_name: Some(callout.filter_type_name),
        argument: callout.argument,
        check: Some(OracleCallout {
            check_type: callout.check_type,
            canonicalization: callout.canonicalization,
            canonical_flag_used: callout.canonical_flag_used,
            canonical_flag_reason: callout.canonical_flag_reason,
            no_report: callout.no_report,
            no_report_reason: callout.no_report_reason,
            token_status: callout.token_status,
            token_mach_kr: callout.token_mach_kr,
            rc: callout.rc,
            errno: callout.errno,
        }),
        error: callout.error,
        ..answer_about(context, placed, callout.decision.into(), callout.api, ASKED_BY_PROCESS)
    }
}
