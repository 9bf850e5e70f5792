//! The words for what was decided, and for how far a probe got.

use serde::{Deserialize, Serialize};

/// What a policy or a platform decided about one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The operation was let through.
    Allow,
    /// The operation was refused, with an error that its driver names as a denial.
    Deny,
}

impl Decision {
    /// `allow` or `deny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What an author expects of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It is let through.
    Allow,
    /// It is refused.
    Deny,
    /// Nothing: it is only answered, and whatever the answer is, it is neither a pass nor a mismatch.
    Any,
}

impl Expectation {
    /// `allow`, `deny` or `any`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Any => "any",
        }
    }

    /// The decision that is expected, if one is.
    pub fn decision(self) -> Option<Decision> {
        match self {
            Self::Allow => Some(Decision::Allow),
            Self::Deny => Some(Decision::Deny),
            Self::Any => None,
        }
    }
}

impl From<Decision> for Expectation {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow => Self::Allow,
            Decision::Deny => Self::Deny,
        }
    }
}

/// One kind of evidence. Lanes are never mixed: each has its own rows file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// No policy applied.
    Baseline,
    /// The policy's own controls: operations whose outcome the model is certain of.
    Control,
    /// Policy applied, operation attempted.
    Scenario,
    /// A decision that was asked for, not witnessed by a system call.
    Oracle,
}

impl Lane {
    /// The lane's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Control => "control",
            Self::Scenario => "scenario",
            Self::Oracle => "oracle",
        }
    }
}

/// Where a probe stopped. Only a probe that reached the operation carries a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureStage {
    /// Before a policy was applied: a capability, a fixture or a preparing call was missing.
    Preflight,
    /// The policy could not be applied, or applying it did not confine the process.
    Apply,
    /// The policy was applied, but the process did not get as far as the operation.
    Bootstrap,
    /// The operation itself.
    Probe,
}

impl FailureStage {
    /// The stage's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Apply => "apply",
            Self::Bootstrap => "bootstrap",
            Self::Probe => "probe",
        }
    }

    /// Whether the operation was never reached.
    pub fn is_blocked(self) -> bool {
        self != Self::Probe
    }
}

macro_rules! failure_kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal at $stage:ident,)*) => {
        /// Why a probe did not succeed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FailureKind {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)*
        }

        impl FailureKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The kind's name in documents.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What it means, in a sentence or two.
            pub fn explain(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+)),* }.trim_start()
            }

            /// The stage at which it arises.
            pub fn stage(self) -> FailureStage {
                match self { $(Self::$name => FailureStage::$stage),* }
            }
        }
    };
}

failure_kinds! {
    /// The host or the user lacks something that the probe says it needs.
    CapabilityMissing = "capability_missing" at Preflight,
    /// The probe's targets could not be made.
    FixtureFailed = "fixture_failed" at Preflight,
    /// The operation would have reached what the run did not make: it was not attempted.
    ForeignTarget = "foreign_target" at Preflight,
    /// A preparing step in the probe process failed (a mount, a helper process).
    SetupFailed = "setup_failed" at Preflight,
    /// The process that runs probes ended or could not be reached before this probe reported.
    WorkerLost = "worker_lost" at Preflight,
    /// A function or library that the driver needs is not on this system.
    SymbolUnavailable = "symbol_unavailable" at Preflight,
    /// The process of the baseline lane was under some policy, so it is no baseline.
    BaselineConfined = "baseline_confined" at Preflight,
    /// The probe says itself that it is not made for this lane.
    LaneUnsupported = "lane_unsupported" at Preflight,
    /// The profile holds what Seatbelt refuses to apply for a process without a private entitlement; found by reading it.
    PreflightApplyGate = "preflight_apply_gate_signature" at Preflight,
    /// This kernel has no Landlock, or it is switched off.
    LandlockUnavailable = "landlock_unavailable" at Apply,
    /// The policy handles a right that this kernel (or this build) does not know.
    LandlockRightUnsupported = "landlock_right_unsupported" at Apply,
    /// The object that a rule names could not be opened.
    LandlockRuleTarget = "landlock_rule_target" at Apply,
    /// Landlock refused the ruleset for another reason.
    LandlockApplyFailed = "landlock_apply_failed" at Apply,
    /// The process was in a sandbox already, so Seatbelt refused another one.
    ApplyAlreadySandboxed = "apply_already_sandboxed" at Apply,
    /// Seatbelt refused the profile text.
    SandboxInitFailed = "sandbox_init_failed" at Apply,
    /// Seatbelt refused the compiled profile.
    SandboxApplyFailed = "sandbox_apply_failed" at Apply,
    /// Nothing shows that the policy is in force: no record of its application, one by an enforcer that nobody knows, or a
    /// process that did not find itself unconfined before and confined afterwards.
    ApplySelfCheckFailed = "apply_self_check_failed" at Apply,
    /// The enforcer that the profile needs does not exist on this host.
    EnforcerUnavailable = "enforcer_unavailable" at Apply,
    /// No worker inside the launcher said that it lives, by any way of reaching it.
    LauncherNotStarted = "launcher_not_started" at Apply,
    /// Several workers answered at the same time, so nobody knows what is inside of what.
    LauncherMany = "launcher_many" at Apply,
    /// Another worker went on in the place of the first, perhaps outside of the sandbox.
    LauncherRestarted = "launcher_restarted" at Apply,
    /// Nothing shows that the worker inside the launcher works on this machine's objects.
    LauncherElsewhere = "launcher_elsewhere" at Apply,
    /// The launcher ends whatever it started after some time, which the operation did not outlast.
    LauncherTimeLimit = "launcher_time_limit" at Bootstrap,
    /// The worker inside the launcher has no way of performing this operation in this start.
    LauncherCannotAsk = "launcher_cannot_ask" at Preflight,
    /// The process ended after the policy was applied and before the operation.
    BootstrapEnded = "bootstrap_ended" at Bootstrap,
    /// A preparing system call that is not the operation in question failed.
    ProbePrepareFailed = "probe_prepare_failed" at Probe,
    /// The operation was refused with an error that its driver names as a denial.
    ProbeSyscallErrno = "probe_syscall_errno" at Probe,
    /// The operation failed with an error that is no denial (a missing file, a refused connection, …).
    ProbeErrno = "probe_errno" at Probe,
    /// The operation was issued and went through, but what it should have caused was not seen.
    ProbeEffectUnseen = "probe_effect_unseen" at Probe,
    /// The operation failed as if its object were not there, and nothing shows that the launcher is why.
    AbsentUnattributed = "absent_unattributed" at Probe,
    /// The operation went through inside the launcher, the host did not see its effect, and nothing shows why not.
    EffectNotSeen = "effect_not_seen" at Probe,
    /// What was seen on the object in question was seen as well where nobody had asked.
    Noise = "noise" at Probe,
    /// A resource ran out, and no limit of the launcher shows.
    ResourceLimit = "resource_limit" at Probe,
    /// The operation went through inside the launcher, and nothing shows on which object.
    ObjectUnproved = "object_unproved" at Probe,
    /// The operation was issued, but whoever decides does not answer, so its success proves nothing.
    ProbeInconclusive = "probe_inconclusive" at Probe,
    /// Nothing was attempted: the policy was only asked.
    OracleOnly = "oracle_only" at Probe,
    /// The deadline passed.
    ProbeTimeout = "probe_timeout" at Probe,
    /// The probe was performed several times (`--repeat`), and did not come to the same decision each time.
    RepetitionsDisagree = "repetitions_disagree" at Probe,
    /// A signal ended the process during the operation, or after it had reported.
    ProbeCrashed = "probe_crashed" at Probe,
    /// The process left no report that can be believed: none, one that cannot be read, or one that contradicts itself, the
    /// process's end, or what else was seen.
    ProbeNoReport = "probe_no_report" at Probe,
    /// The operation was refused, but without a policy it is refused as well.
    BaselineDenied = "baseline_denied" at Probe,
    /// The operation was refused, and whether it works without a policy is not known.
    BaselineUndecided = "baseline_undecided" at Probe,
    /// The operation was refused, and the plan has no baseline lane to compare with.
    BaselineMissing = "baseline_missing" at Probe,
    /// Allowed under the policy but refused without it: the host changed in between.
    BaselineContradiction = "baseline_contradiction" at Probe,
    /// The operation was refused, and something that confined the process before the policy refuses it too, once any
    /// policy is in force.
    OuterConfinement = "outer_confinement" at Probe,
    /// A rule of the policy reaches something of the run's own place, and the answer may be its doing.
    RuleReachesRun = "rule_reaches_run" at Probe,
    /// A control of this profile went wrong, so nothing observed under it counts.
    ControlFailed = "control_failed" at Probe,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_but_the_last_keeps_the_operation_from_being_reached() {
        for stage in [FailureStage::Preflight, FailureStage::Apply, FailureStage::Bootstrap] {
            assert!(stage.is_blocked(), "{}", stage.as_str());
        }
        assert!(!FailureStage::Probe.is_blocked());
    }

    #[test]
    fn names_agree_with_the_wire() {
        for kind in FailureKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for lane in [Lane::Baseline, Lane::Control, Lane::Scenario, Lane::Oracle] {
            assert_eq!(serde_json::to_value(lane).unwrap(), lane.as_str());
        }
        for decision in [Decision::Allow, Decision::Deny] {
            assert_eq!(serde_json::to_value(decision).unwrap(), decision.as_str());
        }
    }
}
