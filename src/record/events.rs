//! `runtime_events.normalized.json`: one flat event per scenario row. Derived.
//!
//! Readers build a fixed record from each event, so no key may be added; keys are sorted and nulls left out, which is
//! why fields stand in alphabetical order here.

use serde::{Deserialize, Serialize};

use super::callout::{Callout, CalloutDecision};
use super::outcome::{Decision, Expectation, FailureKind, FailureStage};
use super::results::{ApplyReport, PathSource, ProbeDetails, ResourceHygiene, RunnerInfo, RuntimeStatus};
use super::scan::StaticScan;

/// One event.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    /// What the policy did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Decision>,
    /// How applying the policy went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_report: Option<ApplyReport<'a>>,
    /// What ran; empty if nothing did.
    pub command: &'static [&'static str],
    /// The error number that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Symbolic name of `errno`, such as `EPERM`; absent if there is no error or it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno_name: Option<&'static str>,
    /// Id of the expectation.
    pub expectation_id: &'a str,
    /// What the author expects.
    pub expected: Expectation,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<FailureKind>,
    /// The stage at which it stopped; `None` if it came to a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_stage: Option<FailureStage>,
    /// What else may explain a file error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_confounder: Option<FileConfounder>,
    /// Whether the operation was witnessed: something was decided; absent if the row was blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intended_op_witnessed: Option<bool>,
    /// Whether expectation and observation agree.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matched: Option<bool>,
    /// The path under its canonical spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_path: Option<&'a str>,
    /// Where that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_path_source: Option<NormalizedSource>,
    /// Why nothing was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<&'a str>,
    /// What the kernel says the opened descriptor is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path: Option<&'a str>,
    /// Where that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_path_source: Option<PathSource>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The layers that had a part in the decision.
    pub policy_layers: PolicyLayers,
    /// The static scan of a Seatbelt profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight: Option<&'a StaticScan<'a>>,
    /// The deciding system call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_details: Option<ProbeDetails<'a>>,
    /// The probe's short name.
    pub probe_name: &'a str,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// The path that was really asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_path: Option<&'a str>,
    /// What the process inherited.
    pub resource_hygiene: ResourceHygiene,
    /// Id of the run.
    pub run_id: &'a str,
    /// What ran the probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_info: Option<RunnerInfo<'a>>,
    /// In the contract's words.
    pub runtime_status: RuntimeStatus,
    /// What `sandbox_check` said beforehand about this operation on this target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_check_prepass: Option<Prepass<'a>>,
    /// Id of the scenario, which is that of the expectation.
    pub scenario_id: &'a str,
    /// Every question that was put to `sandbox_check`, with its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seatbelt_callouts: Option<Vec<Callout<'a>>>,
    /// That the service is absent with and without the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_confounder: Option<ServiceConfounder>,
    /// The target as declared.
    pub target: &'a str,
    /// What privacy protection (TCC) may have to do with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcc_confounder: Option<TccConfounder>,
    /// What of a denial that was expected is not as the expectation demands; absent if nothing is. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmet_demand: Option<&'static str>,
    /// `EPERM` if that was the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation_summary: Option<&'static str>,
    /// Id of the world that the plan declares.
    pub world_id: &'a str,
}

/// What is read of an event, of this program or another one that writes such events: kinds are texts, and most may be
/// absent. `T` is a kind of text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventView<T> {
    /// As in [`Event`], and the fields below.
    pub scenario_id: T,
    /// Absent in events of the reference's first programs.
    pub expectation_id: Option<T>,
    /// The profile's id.
    pub profile_id: T,
    /// The sandbox operation's name.
    pub operation: T,
    /// The target as declared.
    pub target: Option<T>,
    /// What the author expects; absent if nothing was said.
    pub expected: Option<Expectation>,
    /// What the policy did; absent if nothing was decided.
    pub actual: Option<Decision>,
    /// Whether the two agree; absent if nothing was decided.
    #[serde(rename = "match")]
    pub matched: Option<bool>,
    /// Where it stopped; absent for an allowed operation.
    pub failure_stage: Option<FailureStage>,
    /// Why it did not succeed: one of [`FailureKind`]'s words, or another program's own.
    pub failure_kind: Option<T>,
    /// The name of the error number that was seen.
    pub errno_name: Option<T>,
    /// Why nothing was decided.
    pub notes: Option<T>,
    /// The mismatch of a denial that was expected, and not like this; absent: none.
    pub unmet_demand: Option<T>,
    /// Whether the operation was witnessed; absent if the row was blocked.
    pub intended_op_witnessed: Option<bool>,
    /// What was put to `sandbox_check`, in whatever form; absent if nothing was.
    pub seatbelt_callouts: Option<serde_json::Value>,
}

impl EventView<String> {
    /// What `sandbox_check` answered to each question, in its own word.
    fn answers(&self) -> impl Iterator<Item = &str> {
        let asked = self.seatbelt_callouts.as_ref().and_then(serde_json::Value::as_array);
        asked.into_iter().flatten().map(|answer| answer["decision"].as_str().unwrap_or_default())
    }

    /// Whether `sandbox_check` gave this answer to any question.
    pub fn sandbox_check_said(&self, decision: Decision) -> bool {
        self.answers().any(|answer| answer == decision.as_str())
    }

    /// Whether nothing was attempted, as is the driver's nature, and every answer of the policy is the expected one.
    pub fn is_asked_as_expected(&self) -> bool {
        let Some(expected) = self.claim() else { return false };
        self.matched.is_none()
            && self.failure_kind.as_deref() == Some(FailureKind::OracleOnly.as_str())
            && self.answers().next().is_some()
            && self.answers().all(|answer| answer == expected.as_str())
    }
}

impl<T> EventView<T> {
    /// The decision that is expected; nothing where none is.
    pub fn claim(&self) -> Option<Decision> {
        self.expected.and_then(Expectation::decision)
    }

    /// Whether something was decided of which nothing was expected.
    pub fn is_unasserted(&self) -> bool {
        self.expected == Some(Expectation::Any) && self.actual.is_some()
    }

    /// Whether it stopped before the operation.
    pub fn is_blocked(&self) -> bool {
        matches!(self.failure_stage, Some(FailureStage::Preflight | FailureStage::Apply | FailureStage::Bootstrap))
    }
}

/// Where a normalised path comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NormalizedSource {
    /// The kernel's answer about the opened descriptor.
    ObservedPath,
    /// The platform's own aliases (`/tmp` on macOS).
    AliasMap,
    /// The path as asked for.
    RequestedPath,
    /// There is none.
    Missing,
}

/// Who decided. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PolicyLayers {
    /// Whose decision `effective_decision` is.
    pub attribution: Attribution,
    /// What came out of both layers.
    pub effective_decision: LayerDecision,
    /// What happens without the profile.
    pub platform_policy: PlatformPolicy,
    /// What happens under it.
    pub process_policy: ProcessPolicy,
}

/// The baseline's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlatformPolicy {
    /// What the platform alone decided, as the baseline shows it.
    pub decision: LayerDecision,
    /// Why the baseline did not decide, as a failure kind.
    pub error: Option<FailureKind>,
    /// Exit code of the baseline process.
    pub exit_code: Option<i32>,
    /// `baseline`, or `baseline_missing`.
    pub source: &'static str,
    /// The baseline row's status.
    pub status: Option<BaselineStatus>,
}

/// The profile's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProcessPolicy {
    /// What the process's policy decided.
    pub decision: LayerDecision,
    /// Why it did not succeed.
    pub failure_kind: Option<FailureKind>,
    /// The stage at which it stopped; `None` if it came to a decision.
    pub failure_stage: Option<FailureStage>,
    /// In the contract's words.
    pub status: Option<RuntimeStatus>,
}

/// A layer's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerDecision {
    /// Let through.
    Allow,
    /// Refused.
    Deny,
    /// Not known.
    Unknown,
}

impl From<Option<Decision>> for LayerDecision {
    fn from(decision: Option<Decision>) -> Self {
        match decision {
            Some(Decision::Allow) => Self::Allow,
            Some(Decision::Deny) => Self::Deny,
            None => Self::Unknown,
        }
    }
}

/// Whose decision it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// Refused without the profile as well.
    PlatformPolicy,
    /// Refused by the profile.
    ProcessPolicy,
    /// Refused by nobody.
    Allow,
    /// Not known.
    Unknown,
}

/// What a baseline row shows. The contract has the first two; anything else counted as `deny` there (its weaknesses
/// W-68 and W-71), and is said to be what it is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineStatus {
    /// The operation went through.
    Allow,
    /// It was refused with an error that means denial.
    Deny,
    /// Neither can be said.
    Undecided,
}

/// What else may explain a file error. Keys in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileConfounder {
    /// Who it is put down to.
    pub attribution: ConfounderAttribution,
    /// What kind of error it is.
    pub classification: ConfounderClass,
    /// The error number.
    pub errno: i32,
    /// Symbolic name of `errno`; null if it has none.
    pub errno_name: Option<&'static str>,
}

/// What kind of file error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfounderClass {
    /// Ordinary permissions.
    UnixPermissions,
    /// A sandbox or another mandatory control.
    SandboxOrMac,
    /// Anything else, or not known.
    OtherErrno,
}

/// Who a file error is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfounderAttribution {
    /// Ordinary permissions.
    UnixAcl,
    /// The process's own policy.
    AppSandbox,
    /// A mandatory control of the platform.
    Mac,
    /// Not known.
    Unknown,
}

/// What privacy protection (TCC) may have to do with an outcome. Keys in alphabetical order, here and below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TccConfounder {
    /// Who it is put down to.
    pub attribution: TccAttribution,
    /// What happened without the policy.
    pub baseline_status: TccStatus,
    /// What happened under it.
    pub scenario_status: TccStatus,
    /// Always true.
    pub sensitive: bool,
}

/// How one lane went, as far as a prompt may have been in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TccStatus {
    /// Let through.
    Allow,
    /// Refused.
    Deny,
    /// The deadline passed; perhaps somebody was asked.
    PromptOrTimeout,
    /// Not known.
    Unknown,
}

/// Who such an outcome is put down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TccAttribution {
    /// It does not work without the policy either.
    TccOrPlatform,
    /// It works without the policy alone.
    SandboxOrOther,
    /// It works.
    Allow,
    /// Not known.
    Unknown,
}

/// That a service is absent with and without the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ServiceConfounder {
    /// Always `missing`.
    pub baseline_state: &'static str,
    /// Always `missing`.
    pub scenario_state: &'static str,
    /// Always `probe_details`.
    pub source: &'static str,
    /// Always `missing_service`.
    pub status: &'static str,
}

/// What `sandbox_check` said beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Prepass<'a> {
    /// It was asked once.
    One(PrepassCheck<'a>),
    /// It was asked in several ways.
    Several {
        /// The answer to the path as it was spelled.
        primary: PrepassCheck<'a>,
        /// Every answer.
        variants: Vec<PrepassCheck<'a>>,
    },
}

/// One answer of it; the words are those of [`Callout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PrepassCheck<'a> {
    /// Name of the function that was called.
    pub api: &'a str,
    /// The first argument.
    pub argument: Option<&'a str>,
    /// Why the flag was not passed.
    pub canonical_flag_reason: Option<&'a str>,
    /// Whether the question was asked with the canonical flag.
    pub canonical_flag_used: bool,
    /// `raw` or `canonical`.
    pub canonicalization: Option<&'a str>,
    /// What `sandbox_check` answered.
    pub decision: CalloutDecision,
    /// The error number.
    pub errno: i32,
    /// The filter's number.
    pub filter_type: i32,
    /// Name of the filter's number; `unknown` for another number.
    pub filter_type_name: &'static str,
    /// Whether it was kept out of the log.
    pub no_report: bool,
    /// Why the flag was not set; null if it was.
    pub no_report_reason: Option<&'a str>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// What the call returned.
    pub rc: i32,
    /// At which stage the question was asked.
    pub stage: &'a str,
    /// The Mach code of asking for the token.
    pub token_mach_kr: Option<i32>,
    /// By what the process was named.
    pub token_status: &'a str,
}

impl<'a> From<Callout<'a>> for PrepassCheck<'a> {
    fn from(callout: Callout<'a>) -> Self {
        Self {
            api: callout.api,
            argument: callout.argument,
            canonical_flag_reason: callout.canonical_flag_reason,
            canonical_flag_used: callout.canonical_flag_used,
            canonicalization: callout.canonicalization,
            decision: callout.decision,
            errno: callout.errno,
            filter_type: callout.filter_type,
            filter_type_name: callout.filter_type_name,
            no_report: callout.no_report,
            no_report_reason: callout.no_report_reason,
            operation: callout.operation,
            rc: callout.rc,
            stage: callout.stage,
            token_mach_kr: callout.token_mach_kr,
            token_status: callout.token_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json::Text;
    use crate::base::json_out;

    #[test]
    fn a_view_reads_every_field_that_an_event_is_written_with() {
        let nothing = LayerDecision::Unknown;
        let event = Event {
            actual: Some(Decision::Deny),
            apply_report: None,
            command: &[],
            errno: Some(13),
            errno_name: Some("EACCES"),
            expectation_id: "e",
            expected: Expectation::Allow,
            failure_kind: Some(FailureKind::FixtureFailed),
            failure_stage: Some(FailureStage::Probe),
            file_confounder: None,
            intended_op_witnessed: Some(true),
            matched: Some(false),
            normalized_path: None,
            normalized_path_source: None,
            notes: Some("n\u{e9}\n"),
            observed_path: None,
            observed_path_source: None,
            operation: "file-read*",
            policy_layers: PolicyLayers {
                attribution: Attribution::Unknown,
                effective_decision: nothing,
                platform_policy: PlatformPolicy {
                    decision: nothing,
                    error: None,
                    exit_code: None,
                    source: "baseline",
                    status: None,
                },
                process_policy: ProcessPolicy {
                    decision: nothing,
                    failure_kind: None,
                    failure_stage: None,
                    status: None,
                },
            },
            preflight: None,
            probe_details: None,
            probe_name: "p",
            profile_id: "f",
            requested_path: None,
            resource_hygiene: ResourceHygiene {
                apply_model: "self_apply",
                apply_timing: "pre_syscall",
                close_fds: true,
                pass_fds: &[],
                preexisting_sandbox_suspected: false,
                preopen_detected: false,
                preopen_hints: &[],
            },
            run_id: "r",
            runner_info: None,
            runtime_status: RuntimeStatus::Errno,
            sandbox_check_prepass: None,
            scenario_id: "s",
            seatbelt_callouts: None,
            service_confounder: None,
            target: "/t",
            tcc_confounder: None,
            unmet_demand: None,
            violation_summary: None,
            world_id: "w",
        };
        let bytes = json_out::to_pretty(&event);
        let found: EventView<String> = serde_json::from_slice(&bytes).unwrap();
        let text = |text: &str| text.to_owned();
        let expected = EventView {
            scenario_id: text("s"),
            expectation_id: Some(text("e")),
            profile_id: text("f"),
            operation: text("file-read*"),
            target: Some(text("/t")),
            expected: Some(Expectation::Allow),
            actual: Some(Decision::Deny),
            matched: Some(false),
            failure_stage: Some(FailureStage::Probe),
            failure_kind: Some(text("fixture_failed")),
            errno_name: Some(text("EACCES")),
            notes: Some(text("n\u{e9}\n")),
            unmet_demand: None,
            intended_op_witnessed: Some(true),
            seatbelt_callouts: None,
        };
        assert_eq!(found, expected);
        // Read in place, but for the text with escapes.
        let found: EventView<Text<'_>> = serde_json::from_slice(&bytes).unwrap();
        let borrowed = |text: &Text<'_>| matches!(text.0, std::borrow::Cow::Borrowed(_));
        assert!(borrowed(&found.scenario_id) && found.expectation_id.as_ref().is_some_and(borrowed));
        assert_eq!(found.notes.as_ref().map(|text| &*text.0), Some("n\u{e9}\n"));
    }
}
