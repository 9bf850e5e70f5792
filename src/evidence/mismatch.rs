//! Where expectation and observation part, and what that is put down to.
//!
//! Deviations from the reference, each for a named weakness: paths are not compared with any experiment's folders
//! (W-82), aliases are compared by whole components (W-80), a firmlink difference alone is no boundary (W-81), and an
//! oracle that cannot know does not disagree (W-112). Rows are joined by their place in the plan, not by expectation
//! id alone (W-60).

use super::host_os::HostOs;
use super::row_facts::{Context, Paths};
use super::scenario::Judged;
use crate::record::baseline::BaselineRow;
use crate::record::callout::Callout;
use crate::record::layout::PATH_WITNESSES;
use crate::record::mismatch::{
    DecisionEvent, Expected, MISMATCH_PACKET_SCHEMA, MismatchPacket, MismatchReason, MismatchRow, MismatchType,
    OracleCheck, PacketWitness, RunContext, WitnessExcerpt,
};
use crate::record::oracle::OracleDecision;
use crate::record::outcome::{Decision, FailureStage, Lane};
use crate::record::row::OracleRow;

use super::outcome::RowAgreement;
use super::row_facts;

/// How a row parts from its expectation; nothing if it does not.
pub(super) fn mismatch_type(judged: &Judged<'_>) -> Option<MismatchType> {
    if matches!(judged.agreement(), RowAgreement::Matched | RowAgreement::Unasserted) {
        return None;
    }
    Some(match judged.verdict.stage() {
        _ if judged.witnessed == Some(false) => MismatchType::OpNotWitnessed,
        Some(FailureStage::Preflight) => MismatchType::PreflightBlocked,
        Some(FailureStage::Apply) => MismatchType::ApplyGate,
        Some(FailureStage::Bootstrap) => MismatchType::BootstrapFailed,
        _ => {
            let boundary =
                row_facts::is_file_operation(judged.placed.operation()) && has_parent_part(judged.placed.target());
            match (judged.placed.probe.entry.expected, judged.verdict.actual()) {
                // The contract's last resort. A row of stage `probe` without a decision is not witnessed, so it comes here
                // from no row.
                (_, None) => MismatchType::FilterDiff,
                _ if let Some(how) = judged.came_about_otherwise() => how,
                _ if boundary => MismatchType::CanonicalizationBoundary,
                (_, Some(Decision::Deny)) => MismatchType::UnexpectedDeny,
                (_, Some(Decision::Allow)) => MismatchType::UnexpectedAllow,
            }
        }
    })
}

/// Whether a path has a `..` component.
fn has_parent_part(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// The row of `mismatch_summary.json`.
pub(super) fn row<'a>(context: &Context<'a>, judged: &'a Judged<'_>, mismatch_type: MismatchType) -> MismatchRow<'a> {
    MismatchRow {
        world_id: context.world_id,
        profile_id: judged.placed.profile_id(),
        expectation_id: judged.placed.expectation_id(),
        operation: judged.placed.operation(),
        path: judged.placed.target(),
        expected: judged.placed.probe.entry.expected,
        actual: judged.verdict.actual(),
        mismatch_type,
        violation_summary: row_facts::violation_summary(judged.verdict.errno()),
        notes: judged.reason.as_deref().unwrap_or(""),
    }
}

/// The other lanes' part of a packet.
pub(super) struct OtherLanes<'a> {
    pub baseline: Option<(&'a BaselineRow<'a>, &'a Paths<'a>)>,
    pub oracle: Option<&'a OracleRow>,
}

/// The line of `mismatch_packets.jsonl`.
pub(super) fn packet<'a>(
    context: &'a Context<'a>,
    judged: &'a Judged<'_>,
    beside: &OtherLanes<'a>,
) -> MismatchPacket<'a> {
    let placed = &judged.placed;
    let file = row_facts::is_file_operation(placed.operation());
    let witness = if !file {
        None
    } else {
        Some(excerpt(context.host_os, &judged.paths, Lane::Scenario, placed.expectation_id()))
    };
    let oracle_check = oracle_check(judged, beside);
    MismatchPacket {
        baseline: beside.baseline.map(|(row, _)| row),
        canonicalization: witness.map(|witness| PacketWitness { witness, witness_source: PATH_WITNESSES }),
        decision_event: DecisionEvent {
            decision: judged.verdict.actual(),
            errno: judged.verdict.errno(),
            failure_kind: judged.verdict.kind(),
            failure_stage: judged.verdict.stage(),
            filter_type: oracle_check.as_ref().and_then(|check| check.filter_type),
            filter_type_name: oracle_check.as_ref().and_then(|check| check.filter_type_name),
            intended_op_witnessed: judged.witnessed,
            normalized_path: judged.paths.normalized.as_deref().filter(|_| file),
            observed_path: judged.paths.observed.filter(|_| file),
            operation: placed.operation(),
            policy_layers: judged.layers,
            probe_name: placed.name(),
            profile_id: placed.profile_id(),
            requested_path: judged.paths.requested.filter(|_| file),
            runtime_status: judged.status,
            scenario_id: placed.expectation_id(),
            source: "syscall",
            target: placed.target(),
        },
        expectation_id: placed.expectation_id(),
        expected: Expected {
            expectation_id: placed.expectation_id(),
            expected_decision: placed.probe.entry.expected,
            target: placed.target(),
        },
        mismatch_reason: mismatch_reason(judged, beside),
        oracle_check,
        run_context: RunContext {
            channel: context.manifest.channel,
            repo_root_context: &context.manifest.repo_root_context,
            run_id: context.run_id,
            run_manifest: &context.manifest_path,
            world_id: context.world_id,
        },
        schema_version: MISMATCH_PACKET_SCHEMA,
    }
}

fn excerpt<'a>(host_os: HostOs, paths: &'a Paths<'_>, lane: Lane, scenario_id: &'a str) -> WitnessExcerpt<'a> {
    let (normalized_path, normalized_path_source) = paths.witnessed();
    WitnessExcerpt {
        alias_pair: paths.alias_pair,
        lane,
        nofirmlink_differs: paths.nofirmlink_differs,
        normalized_path,
        normalized_path_source,
        observed_path: paths.observed,
        observed_path_source: host_os.witness_source(lane, paths.observed_source),
        requested_path: paths.requested,
        scenario_id,
    }
}

/// What the oracle says beside the event: the first callout about the event's operation, else the first callout, else
/// the model.
fn oracle_check<'a>(judged: &'a Judged<'_>, beside: &OtherLanes<'a>) -> Option<OracleCheck<'a>> {
    let asked = judged.row.prologue.as_ref().map_or(&[][..], |said| &said.callouts);
    let operation = judged.placed.operation();
    if let Some(record) = asked.iter().find(|record| record.operation == operation).or(asked.first()) {
        let callout = Callout::from(record);
        return Some(OracleCheck {
            argument: callout.argument,
            decision: callout.decision.into(),
            filter_type: Some(callout.filter_type),
            filter_type_name: Some(callout.filter_type_name),
            stage: callout.stage,
        });
    }
    beside.oracle.map(|row| OracleCheck {
        argument: Some(judged.placed.target()),
        decision: oracle_decision(row),
        filter_type: None,
        filter_type_name: None,
        stage: "model",
    })
}

/// The oracle's answer in the documents' words.
pub(super) fn oracle_decision(row: &OracleRow) -> OracleDecision {
    match row.decision {
        Some(Decision::Allow) => OracleDecision::Allow,
        Some(Decision::Deny) => OracleDecision::Deny,
        None => OracleDecision::Error,
    }
}

fn mismatch_reason(judged: &Judged<'_>, beside: &OtherLanes<'_>) -> MismatchReason {
    if judged.witnessed == Some(false) {
        return MismatchReason::OpNotWitnessed;
    }
    // A row that never came to its operation is put down to nothing that lies behind it.
    let Some(actual) = judged.verdict.actual() else { return MismatchReason::DecisionUndetermined };
    if row_facts::is_file_operation(judged.placed.operation()) {
        // A refused operation opens nothing; then the baseline's witness tells where the path leads.
        let seen = [Some(&judged.paths), beside.baseline.map(|(_, paths)| paths)];
        if let Some(paths) = seen.into_iter().flatten().find(|paths| paths.observed.is_some()) {
            if paths.alias_pair {
                return MismatchReason::CanonicalizationBoundary;
            }
            if paths.observed != paths.requested {
                return MismatchReason::PathNormalizationSensitivity;
            }
        }
    }
    match (oracle_check(judged, beside).map(|check| check.decision), actual) {
        (Some(OracleDecision::Allow), Decision::Deny) | (Some(OracleDecision::Deny), Decision::Allow) => {
            MismatchReason::CapturePipelineDisagreement
        }
        _ => MismatchReason::ExpectationTooStrong,
    }
}
