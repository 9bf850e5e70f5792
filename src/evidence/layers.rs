//! Who decided: the platform, the profile, or nobody that can be named.

use super::decide::{Attempt, Verdict};
use super::row_facts::{self, Baseline};
use crate::record::events::{Attribution, BaselineStatus, LayerDecision, PlatformPolicy, PolicyLayers, ProcessPolicy};
use crate::record::outcome::{FailureKind, FailureStage};
use crate::record::results::RuntimeStatus;
use crate::record::row::ProbeRow;

/// What a baseline row shows, in the documents' words.
pub(super) fn baseline_status(attempt: Attempt) -> BaselineStatus {
    match attempt {
        Attempt::Allowed => BaselineStatus::Allow,
        Attempt::Denied { .. } => BaselineStatus::Deny,
        Attempt::Undecided(_) => BaselineStatus::Undecided,
    }
}

/// How a scenario row ended, in the contract's words. A row that was never started is blocked, at whatever stage. A row
/// that succeeded but does not count is `errno` (without a number), so that nothing undecided passes for a success.
pub(super) fn runtime_status(row: &ProbeRow, verdict: Verdict) -> RuntimeStatus {
    match verdict {
        Verdict::Allow => RuntimeStatus::Success,
        Verdict::Undecided(_) if row.not_run.is_some() => RuntimeStatus::Blocked,
        Verdict::Undecided(cause) if cause.kind.stage() == FailureStage::Preflight => RuntimeStatus::Blocked,
        _ => RuntimeStatus::Errno,
    }
}

/// Both layers, by the contract's table; with one exception: where the baseline was refused and the scenario allowed,
/// the table would say that the platform refused an operation that went through. Nothing is said there.
pub(super) fn policy_layers(verdict: Verdict, status: RuntimeStatus, baseline: Option<&Baseline<'_>>) -> PolicyLayers {
    let platform_policy = match baseline {
        None => PlatformPolicy {
            decision: LayerDecision::Unknown,
            error: None,
            exit_code: None,
            source: "baseline_missing",
            status: None,
        },
        Some(baseline) => PlatformPolicy {
            decision: baseline.attempt.decision().into(),
            error: match baseline.attempt {
                Attempt::Undecided(cause) => Some(cause.kind),
                _ => None,
            },
            exit_code: row_facts::exit_code(baseline.row),
            source: "baseline",
            status: Some(baseline_status(baseline.attempt)),
        },
    };
    let process_policy = ProcessPolicy {
        decision: verdict.actual().into(),
        failure_kind: verdict.kind(),
        failure_stage: verdict.stage(),
        status: Some(status),
    };
    let contradicted = verdict.kind() == Some(FailureKind::BaselineContradiction);
    let (effective_decision, attribution) = match (platform_policy.decision, process_policy.decision) {
        _ if contradicted => (LayerDecision::Unknown, Attribution::Unknown),
        (LayerDecision::Deny, _) => (LayerDecision::Deny, Attribution::PlatformPolicy),
        (LayerDecision::Allow, LayerDecision::Deny) => (LayerDecision::Deny, Attribution::ProcessPolicy),
        (LayerDecision::Allow, LayerDecision::Allow) => (LayerDecision::Allow, Attribution::Allow),
        (_, process) => (process, Attribution::Unknown),
    };
    PolicyLayers { attribution, effective_decision, platform_policy, process_policy }
}
