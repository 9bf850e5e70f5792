//! `mismatch_summary.json` and `mismatch_packets.jsonl`: where expectation and observation part. Derived.

use serde::Serialize;

use super::baseline::BaselineRow;
use super::events::{NormalizedSource, PolicyLayers};
use super::manifest::ChannelKind;
use super::oracle::OracleDecision;
use super::outcome::{Decision, Expectation, FailureKind, FailureStage, Lane};
use super::results::{PathSource, RuntimeStatus};

/// Format of one line of the packets.
pub const MISMATCH_PACKET_SCHEMA: &str = "runtime-tools.mismatch_packet.v0.1";

/// How expectation and observation part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MismatchType {
    /// The probe got as far as the operation, and nothing was decided.
    OpNotWitnessed,
    /// Nothing ran.
    PreflightBlocked,
    /// The policy is not in force.
    ApplyGate,
    /// The process was not let run.
    BootstrapDenyProcessExec,
    /// The process ended before the operation.
    BootstrapFailed,
    /// The path is not spelled canonically, and that may be why.
    CanonicalizationBoundary,
    /// Refused, though it should not be.
    UnexpectedDeny,
    /// Let through, though it should not be.
    UnexpectedAllow,
    /// Refused as it should be, but in another way than the expectation demands. Ours.
    UnexpectedMechanism,
    /// Refused as it should be, with another error number than the expectation demands. Ours.
    UnexpectedErrno,
    /// The rest in the reference; no row here is one, because a row that decided nothing is not witnessed.
    FilterDiff,
}

impl MismatchType {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpNotWitnessed => "op_not_witnessed",
            Self::PreflightBlocked => "preflight_blocked",
            Self::ApplyGate => "apply_gate",
            Self::BootstrapDenyProcessExec => "bootstrap_deny_process_exec",
            Self::BootstrapFailed => "bootstrap_failed",
            Self::CanonicalizationBoundary => "canonicalization_boundary",
            Self::UnexpectedDeny => "unexpected_deny",
            Self::UnexpectedAllow => "unexpected_allow",
            Self::UnexpectedMechanism => "unexpected_mechanism",
            Self::UnexpectedErrno => "unexpected_errno",
            Self::FilterDiff => "filter_diff",
        }
    }
}

/// What a mismatch is put down to.
///
/// `decision_undetermined` is ours: the reference puts blocked rows down to a too strict expectation.
/// `path_normalization_sensitivity` was declared and never produced there (weakness W-81). Two values of the reference
/// stand in no row here: `anchor_alias_gap`, which was never produced there either, and `ambient_platform_restriction`,
/// because what is refused without the policy as well decides nothing, and so is not witnessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MismatchReason {
    /// The probe got as far as the operation, and nothing was decided.
    OpNotWitnessed,
    /// The path was reached under one of the platform's alias spellings.
    CanonicalizationBoundary,
    /// The path that was reached is spelled otherwise than the one that was asked for.
    PathNormalizationSensitivity,
    /// The oracle decides otherwise than the kernel did.
    CapturePipelineDisagreement,
    /// Nothing was decided, because the probe never came to its operation.
    DecisionUndetermined,
    /// Everything fits but the expectation.
    ExpectationTooStrong,
}

/// One row of the summary.
#[derive(Debug, Serialize)]
pub struct MismatchRow<'a> {
    /// Id of the world that the plan declares.
    pub world_id: &'a str,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The target as declared.
    pub path: &'a str,
    /// What the author expects.
    pub expected: Expectation,
    /// What the policy did; null if undecided.
    pub actual: Option<Decision>,
    /// How they part.
    pub mismatch_type: MismatchType,
    /// `EPERM` if that was the error.
    pub violation_summary: Option<&'static str>,
    /// Why nothing was decided, or empty.
    pub notes: &'a str,
}

/// One line of the packets. Keys in alphabetical order, here and below.
#[derive(Debug, Serialize)]
pub struct MismatchPacket<'a> {
    /// The baseline row.
    pub baseline: Option<&'a BaselineRow<'a>>,
    /// What the kernel says of the path.
    pub canonicalization: Option<PacketWitness<'a>>,
    /// The event of the scenario row.
    pub decision_event: DecisionEvent<'a>,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// What was expected.
    pub expected: Expected<'a>,
    /// What it is put down to.
    pub mismatch_reason: MismatchReason,
    /// What the oracle says.
    pub oracle_check: Option<OracleCheck<'a>>,
    /// Where and how it ran.
    pub run_context: RunContext<'a>,
    /// The document's format: always [`MISMATCH_PACKET_SCHEMA`].
    pub schema_version: &'static str,
}

/// What the kernel says of a mismatch's path.
#[derive(Debug, Serialize)]
pub struct PacketWitness<'a> {
    /// The path witness of the row.
    pub witness: WitnessExcerpt<'a>,
    /// `path_witnesses.json`
    pub witness_source: &'static str,
}

/// A path witness in short.
#[derive(Debug, Serialize)]
pub struct WitnessExcerpt<'a> {
    /// Whether only an alias of the platform tells the two paths apart.
    pub alias_pair: bool,
    /// Which lane's witness.
    pub lane: Lane,
    /// A firmlink tells the two observed spellings apart.
    pub nofirmlink_differs: bool,
    /// The path under its canonical spelling.
    pub normalized_path: Option<&'a str>,
    /// Where that comes from.
    pub normalized_path_source: NormalizedSource,
    /// What the kernel says was opened.
    pub observed_path: Option<&'a str>,
    /// Where that comes from.
    pub observed_path_source: PathSource,
    /// The path that was asked for.
    pub requested_path: Option<&'a str>,
    /// Expectation id, or name of the baseline row.
    pub scenario_id: &'a str,
}

/// What happened, in a packet.
#[derive(Debug, Serialize)]
pub struct DecisionEvent<'a> {
    /// What the policy did; null if undecided.
    pub decision: Option<Decision>,
    /// The error number that was seen.
    pub errno: Option<i32>,
    /// Why it did not succeed.
    pub failure_kind: Option<FailureKind>,
    /// The stage at which it stopped; `None` if it came to a decision.
    pub failure_stage: Option<FailureStage>,
    /// The filter of the chosen callout; null without one.
    pub filter_type: Option<i32>,
    /// Name of the filter's number; null if the decision has no filter.
    pub filter_type_name: Option<&'static str>,
    /// Whether the operation was witnessed: something was decided; null if the row was blocked.
    pub intended_op_witnessed: Option<bool>,
    /// The path under its canonical spelling.
    pub normalized_path: Option<&'a str>,
    /// What the kernel says was opened.
    pub observed_path: Option<&'a str>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The layers that had a part in the decision.
    pub policy_layers: PolicyLayers,
    /// The probe's short name.
    pub probe_name: &'a str,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// The path that was asked for.
    pub requested_path: Option<&'a str>,
    /// In the contract's words.
    pub runtime_status: RuntimeStatus,
    /// Id of the scenario, which is that of the expectation.
    pub scenario_id: &'a str,
    /// `syscall`: the decision was witnessed, not asked for.
    pub source: &'static str,
    /// The target as declared.
    pub target: &'a str,
}

/// What was expected, in a packet.
#[derive(Debug, Serialize)]
pub struct Expected<'a> {
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// What the author expects.
    pub expected_decision: Expectation,
    /// The target as declared.
    pub target: &'a str,
}

/// What the oracle says, in a packet.
#[derive(Debug, Serialize)]
pub struct OracleCheck<'a> {
    /// What was asked about: of the model, the target as declared.
    pub argument: Option<&'a str>,
    /// What the oracle answered.
    pub decision: OracleDecision,
    /// The filter's number; null of the model, which has no filters.
    pub filter_type: Option<i32>,
    /// Name of the filter's number; null if the question has no filter.
    pub filter_type_name: Option<&'static str>,
    /// `model`, or when `sandbox_check` was asked.
    pub stage: &'a str,
}

/// Where and how it ran, in a packet.
#[derive(Debug, Serialize)]
pub struct RunContext<'a> {
    /// How the worker is started: `direct`, `launchd_clean` or `systemd_clean`.
    pub channel: ChannelKind,
    /// What relative paths are relative to.
    pub repo_root_context: &'a str,
    /// Id of the run.
    pub run_id: &'a str,
    /// The manifest's path, spelled as in the index.
    pub run_manifest: &'a str,
    /// Id of the world that the plan declares.
    pub world_id: &'a str,
}
