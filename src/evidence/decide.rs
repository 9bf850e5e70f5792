//! The decision rule: from one row to an attempt, from attempts to a verdict.
//!
//! Everything here is a pure function of rows. `Deny` is the hardest word to earn: the operation was issued, it failed
//! with an error that its driver names as a denial, and without the policy the identical call on the identical target
//! went through. Whatever falls short of that is undecided, with its stage, kind and error number kept.

use super::identical::difference;
use super::launcher::{self, QuestionOutcome};
use crate::record::callout::CalloutDecision;
use crate::record::detail_name::DetailName;
use crate::record::driver::{Denials, Driver};
use crate::record::ending::Ending;
use crate::record::enforcer::PolicyMode;
use crate::record::launcher::{LauncherRecord, Names};
use crate::record::outcome::{Decision, Expectation, FailureKind, FailureStage, Lane};
use crate::record::report::{ApplyRecord, Call, CallRole, GUARD_STEPS, OperationReport, Prologue};
use crate::record::row::ProbeRow;

/// Which version of the rule this program applies. A change of any outcome below changes it.
pub const DECISION_RULE: &str = "sandproof.decision_rule.v2";

/// What one row alone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The operation was issued and went through.
    Allowed,
    /// The operation was issued and failed with an error that its driver names as a denial in this lane.
    Denied {
        /// That error number; nothing if it was a Mach code.
        errno: Option<i32>,
    },
    /// Neither can be said.
    Undecided(Undecided),
}

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecided {
    /// The kind; it carries the stage.
    pub kind: FailureKind,
    /// The error number that was seen, if one was.
    pub errno: Option<i32>,
    /// What exactly was missing or contradictory, in words.
    pub note: &'static str,
}

impl Undecided {
    fn new(kind: FailureKind, errno: i32, note: &'static str) -> Self {
        Self { kind, errno: (errno != 0).then_some(errno), note }
    }

    fn quiet(kind: FailureKind, note: &'static str) -> Self {
        Self::new(kind, 0, note)
    }
}

impl Attempt {
    /// The decision, if there is one.
    pub fn decision(self) -> Option<Decision> {
        match self {
            Self::Allowed => Some(Decision::Allow),
            Self::Denied { .. } => Some(Decision::Deny),
            Self::Undecided(_) => None,
        }
    }

    /// The error number that was seen.
    pub fn errno(self) -> Option<i32> {
        match self {
            Self::Allowed => None,
            Self::Denied { errno } => errno,
            Self::Undecided(undecided) => undecided.errno,
        }
    }

    pub(super) fn undecided(kind: FailureKind, errno: i32, note: &'static str) -> Self {
        Self::Undecided(Undecided::new(kind, errno, note))
    }
}

/// What a scenario row shows about the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The policy let the operation through.
    Allow,
    /// The policy refused the operation.
    Deny {
        /// With this error number; nothing if it was a Mach code.
        errno: Option<i32>,
    },
    /// Neither can be said.
    Undecided(Undecided),
}

impl Verdict {
    /// The contract's `actual`.
    pub fn actual(self) -> Option<Decision> {
        match self {
            Self::Allow => Some(Decision::Allow),
            Self::Deny { .. } => Some(Decision::Deny),
            Self::Undecided(_) => None,
        }
    }

    /// The contract's `match`: nothing if there is no `actual`, or nothing is expected.
    pub fn matches(self, expected: Expectation) -> Option<bool> {
        Some(self.actual()? == expected.decision()?)
    }

    /// The contract's `intended_op_witnessed`: nothing for a row that was blocked, and else whether something was decided. A
    /// call that was issued and decided nothing is not the operation witnessed.
    pub fn witnessed(self) -> Option<bool> {
        let blocked = self.stage().is_some_and(FailureStage::is_blocked);
        (!blocked).then_some(self.actual().is_some())
    }

    /// The contract's `failure_kind`: nothing for an allowed operation.
    pub fn kind(self) -> Option<FailureKind> {
        match self {
            Self::Allow => None,
            Self::Deny { .. } => Some(FailureKind::ProbeSyscallErrno),
            Self::Undecided(undecided) => Some(undecided.kind),
        }
    }

    /// The contract's `failure_stage`.
    pub fn stage(self) -> Option<FailureStage> {
        self.kind().map(FailureKind::stage)
    }

    /// The error number that was seen.
    pub fn errno(self) -> Option<i32> {
        match self {
            Self::Allow => None,
            Self::Deny { errno } => errno,
            Self::Undecided(undecided) => undecided.errno,
        }
    }
}

/// What the controls of a profile say about it, as far as the verdict needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlsSay {
    /// No control went wrong. (Perhaps because none could be derived; `controls.json` tells.)
    NothingWrong,
    /// A control did not show what the model is certain of.
    Wrong,
}

/// What one row shows by itself: the numbered rule of SPEC.md, section 2, branch by branch.
///
/// In order: a probe that was not started; a preparing step that failed; a policy that is not in force; a deadline; a
/// report that is missing or contradicts itself; the calls. An apply failure wins over everything that came after it.
pub fn attempt(row: &ProbeRow) -> Attempt {
    attempt_by(row, Names::All)
}

/// The same, by what came of these names of the operation's object. Without a launcher there is one.
///
/// A row that was repeated shows what all of its executions show, or nothing.
pub fn attempt_by(row: &ProbeRow, names: Names) -> Attempt {
    let first = single(row, names);
    match row.repeated().find(|again| single(again, names).decision() != first.decision()) {
        None => first,
        Some(_) => Attempt::undecided(
            FailureKind::RepetitionsDisagree,
            first.errno().unwrap_or(0),
            "the same was performed several times, and did not come to the same each time",
        ),
    }
}

/// What one execution shows.
fn single(row: &ProbeRow, names: Names) -> Attempt {
    use FailureKind as Kind;
    if let Some(not_run) = &row.not_run {
        // Readers refuse other kinds; here they must not pass for something that was observed.
        let kind = if not_run.can_be() { not_run.kind } else { Kind::WorkerLost };
        return Attempt::undecided(kind, not_run.errno, "no process was started");
    }
    if let Some(record) = &row.launcher {
        return under_launcher(row.action.driver, record, names);
    }
    let policy_lane = row.lane != Lane::Baseline;
    let ending = match &row.ending {
        None => {
            return Attempt::undecided(Kind::WorkerLost, 0, "the row says neither how it ended nor why it did not run");
        }
        Some(Ending::NotStarted { errno }) => {
            return Attempt::undecided(Kind::SetupFailed, *errno, "the process could not be started");
        }
        Some(Ending::Lost { .. }) => {
            return Attempt::undecided(Kind::WorkerLost, 0, "the process that runs probes was gone");
        }
        Some(ending) => ending,
    };
    if let Some(prologue) = &row.prologue
        && let Some(undecided) = prologue_fault(prologue, policy_lane)
    {
        return Attempt::Undecided(undecided);
    }
    if matches!(ending, Ending::Expired { .. }) {
        return Attempt::undecided(Kind::ProbeTimeout, 0, "the deadline passed");
    }
    if row.report_error.is_some() {
        return Attempt::undecided(Kind::ProbeNoReport, 0, "the report cannot be read");
    }
    if row.prologue.is_none() {
        return if row.operation.is_some() {
            Attempt::undecided(Kind::ProbeNoReport, 0, "the report has an operation without what came before it")
        } else if policy_lane {
            Attempt::undecided(Kind::BootstrapEnded, 0, "the process ended before it reached the operation")
        } else {
            Attempt::undecided(Kind::ProbeNoReport, 0, "the process ended without a report")
        };
    }
    match (&row.operation, ending) {
        // The process became the program: had execve(2) returned, it would have said so, or died.
        (None, Ending::Exited { code }) if row.action.driver == Driver::Exec => judge_program(row, *code),
        (None, Ending::Signaled { .. }) => {
            Attempt::undecided(Kind::ProbeCrashed, 0, "a signal ended the process during the operation")
        }
        (None, _) => Attempt::undecided(Kind::ProbeNoReport, 0, "the process ended without reporting the operation"),
        (Some(_), Ending::Signaled { .. }) => {
            Attempt::undecided(Kind::ProbeCrashed, 0, "a signal ended the process after it had reported the operation")
        }
        // Whoever has reported ends with code 0; with another one something else happened as well.
        (Some(_), Ending::Exited { code }) if *code != 0 => Attempt::undecided(
            Kind::ProbeNoReport,
            0,
            "the process reported the operation and then ended with an exit code other than 0",
        ),
        (Some(_), _) if row.action.driver == Driver::PolicyQuery => {
            Attempt::undecided(Kind::OracleOnly, 0, "nothing was attempted; the policy was only asked")
        }
        (Some(operation), _) => judge_calls(row, operation),
    }
}

/// What a question under a launcher shows; its rule is a table of its own.
fn under_launcher(driver: Driver, record: &LauncherRecord, names: Names) -> Attempt {
    match launcher::judge(driver, record, names).shown {
        QuestionOutcome::Allow => Attempt::Allowed,
        QuestionOutcome::Deny { errno, .. } => Attempt::Denied { errno },
        QuestionOutcome::Undecided { kind, errno, note } => Attempt::Undecided(Undecided { kind, errno, note }),
    }
}

/// A program was reached, and ended with `code`.
fn judge_program(row: &ProbeRow, code: i32) -> Attempt {
    if row.action.exit_code.is_none_or(|wanted| wanted == code) {
        Attempt::Allowed
    } else {
        Attempt::undecided(
            FailureKind::ProbeEffectUnseen,
            0,
            "the program was reached, and ended with another exit code",
        )
    }
}

/// What in the prologue rules out a decision.
fn prologue_fault(prologue: &Prologue, policy_lane: bool) -> Option<Undecided> {
    use FailureKind as Kind;
    if let Some(failure) = &prologue.setup_failure {
        if failure.missing.is_some() {
            return Some(Undecided::quiet(Kind::SymbolUnavailable, "this system has not got what the driver calls"));
        }
        if failure.leads_to.is_some() {
            let known = GUARD_STEPS.iter().find(|(step, _)| failure.step == *step);
            let note = known.map_or("the operation would reach what the run did not make", |(_, note)| note);
            return Some(Undecided::quiet(Kind::ForeignTarget, note));
        }
        return Some(Undecided::new(Kind::SetupFailed, failure.errno, "a preparing step failed"));
    }
    if !policy_lane {
        // A baseline under some policy is no baseline. An unanswered self-check is no sign of one.
        let after = prologue.self_check_after.as_ref().and_then(|check| check.confined);
        return if prologue.apply.is_some() {
            Some(Undecided::quiet(Kind::BaselineConfined, "a policy was applied in the baseline lane"))
        } else if [prologue.self_check_before.confined, after].contains(&Some(true)) {
            Some(Undecided::quiet(Kind::BaselineConfined, "the process was confined already, so it shows no baseline"))
        } else {
            None
        };
    }
    let unproved = |note| Some(Undecided::quiet(Kind::ApplySelfCheckFailed, note));
    let Some(apply) = &prologue.apply else {
        return unproved("the report does not say that a policy was applied");
    };
    if let Some(kind) = apply_failure(apply) {
        return Some(Undecided::new(kind, apply.errno, "the policy is not in force"));
    }
    if PolicyMode::by_api(&apply.api).is_none() {
        return unproved("the report names a call that applies no policy known here");
    }
    // The check after proves confinement only if the same question had the other answer before.
    let failed = |errno, words| Some(Undecided::new(Kind::ApplySelfCheckFailed, errno, words));
    let before = &prologue.self_check_before;
    match before.confined {
        Some(false) => {}
        Some(true) => return failed(0, "the process found itself confined before the policy was applied"),
        None => {
            return failed(
                before.errno,
                "the process could not find out whether it was confined before the policy was applied",
            );
        }
    }
    match prologue.self_check_after.as_ref().map(|after| (after.confined, after.errno)) {
        Some((Some(true), _)) => None,
        Some((Some(false), _)) => failed(0, "the process did not find itself confined after the policy was applied"),
        Some((None, errno)) => {
            failed(errno, "the process could not find out whether it was confined after the policy was applied")
        }
        None => failed(0, "the process was not asked whether it was confined after the policy was applied"),
    }
}

/// The kind of an apply failure; `None` if the record says that the policy is in force.
fn apply_failure(apply: &ApplyRecord) -> Option<FailureKind> {
    let in_force = apply.rc == 0 && apply.errno == 0 && apply.failure.is_none() && apply.unsupported.is_empty();
    if in_force {
        return None;
    }
    match apply.failure {
        Some(kind) if kind.stage() == FailureStage::Apply => Some(kind),
        _ if !apply.unsupported.is_empty() => Some(FailureKind::LandlockRightUnsupported),
        // A call that applies no policy known here has no kind of its own.
        _ => Some(
            PolicyMode::by_api(&apply.api).map_or(FailureKind::LandlockApplyFailed, |mode| mode.info().apply_failure),
        ),
    }
}

/// Whether a row's call failed with what means "refused" in its lane: an error number that its driver names as a denial,
/// or a Mach code that means one.
fn is_denial(row: &ProbeRow, call: &Call) -> bool {
    let info = row.action.driver.info();
    let apply = row.prologue.as_ref().and_then(|prologue| prologue.apply.as_ref());
    let by = match apply.map(|apply| PolicyMode::by_api(&apply.api)) {
        None => None,
        Some(Some(mode)) => Some(mode.enforcer()),
        // Nobody knows what a refusal by something unknown looks like.
        Some(None) => return false,
    };
    let Denials { errnos, codes } = info.denials(by);
    call.code.map_or_else(|| errnos.contains(&call.errno), |code| codes.contains(&code))
}

/// Whether a call went through; `None` if its return value, error number and Mach code contradict each other.
fn call_succeeded(call: &Call) -> Option<bool> {
    match (call.ret >= 0, call.errno, call.code) {
        (true, 0, None | Some(0)) => Some(true),
        (false, errno, None) if errno > 0 => Some(false),
        (false, 0, Some(code)) if code != 0 => Some(false),
        _ => None,
    }
}

fn judge_calls(row: &ProbeRow, operation: &OperationReport) -> Attempt {
    use FailureKind as Kind;
    let Some((last, before)) = operation.calls.split_last() else {
        return Attempt::undecided(Kind::ProbeNoReport, 0, "the report names no system call");
    };
    if before.iter().any(|call| call_succeeded(call) != Some(true)) {
        return Attempt::undecided(Kind::ProbeNoReport, 0, "the report goes on after a call that failed");
    }
    match (call_succeeded(last), last.role) {
        (None, _) => {
            Attempt::undecided(Kind::ProbeNoReport, 0, "a return value and its error number contradict each other")
        }
        (Some(false), CallRole::Prepare) => {
            Attempt::undecided(Kind::ProbePrepareFailed, last.errno, "a call that prepares the operation failed")
        }
        (Some(false), CallRole::Operation) => {
            if is_denial(row, last) && EffectWitness::of(row, operation).seen {
                Attempt::undecided(
                    Kind::ProbeNoReport,
                    last.errno,
                    "the operation was refused, and its effect was seen",
                )
            } else if is_denial(row, last) {
                Attempt::Denied { errno: (last.errno != 0).then_some(last.errno) }
            } else if row.action.driver.info().seatbelt.reached.contains(&last.errno) {
                // Whoever gives this error stands behind the policy.
                Attempt::Allowed
            } else {
                Attempt::undecided(Kind::ProbeErrno, last.errno, "the operation failed with an error that is no denial")
            }
        }
        (Some(true), _) => judge_success(row, operation),
    }
}

/// Every call went through; whether that means that the operation did.
fn judge_success(row: &ProbeRow, operation: &OperationReport) -> Attempt {
    use FailureKind as Kind;
    let driver = row.action.driver;
    if !operation.calls.iter().any(|call| call.role == CallRole::Operation) {
        return Attempt::undecided(Kind::ProbeNoReport, 0, "the report names no call that is the operation");
    }
    if row.lane != Lane::Baseline && driver.info().seatbelt.silent {
        return Attempt::undecided(
            Kind::ProbeInconclusive,
            0,
            "the call went through, but whoever decides does not answer",
        );
    }
    if driver == Driver::Exec {
        if !executed_in_a_child(operation) {
            // execve(2) does not return on success.
            return Attempt::undecided(Kind::ProbeNoReport, 0, "the report says that a successful execution returned");
        }
        let code = operation.detail(DetailName::ProgramExitCode);
        return match (code.and_then(|code| i32::try_from(code).ok()), row.action.exit_code) {
            (Some(code), _) => judge_program(row, code),
            (None, None) => Attempt::Allowed,
            (None, Some(_)) => {
                Attempt::undecided(Kind::ProbeEffectUnseen, 0, "the program was reached, and did not end by itself")
            }
        };
    }
    if EffectWitness::of(row, operation).missed {
        return Attempt::undecided(
            Kind::ProbeEffectUnseen,
            0,
            "the call went through, but what it should have caused was not seen",
        );
    }
    Attempt::Allowed
}

/// What somebody else than the probe's own call saw of an operation's effect. Neither is said where nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EffectWitness {
    seen: bool,
    missed: bool,
}

impl EffectWitness {
    fn of(row: &ProbeRow, operation: &OperationReport) -> Self {
        let mut effect = Self { seen: false, missed: false };
        let mut witness = |seen: bool| if seen { effect.seen = true } else { effect.missed = true };
        operation.details.iter().filter(|(name, _)| *name == DetailName::Confirmed).for_each(|(_, n)| witness(*n != 0));
        if row.action.driver.sees_signal() {
            operation
                .details
                .iter()
                .filter(|(name, _)| *name == DetailName::Received)
                .for_each(|(_, n)| witness(*n != 0));
        }
        if row.action.driver.listener().is_some() {
            row.listener.iter().for_each(|listener| witness(listener.accept_count > 0));
        }
        effect
    }
}

/// Whether a child of the probe became the program, and the probe lived on to say so (macOS).
fn executed_in_a_child(operation: &OperationReport) -> bool {
    matches!(&operation.calls[..], [fork, _] if fork.role == CallRole::Prepare && fork.syscall == "fork")
}

/// Whether the operation's own system call was issued and answered, as far as the row can be believed: the contract's
/// `reached_primary_op` of a baseline row. It is no decision.
pub fn reached(attempt: Attempt) -> bool {
    match attempt {
        Attempt::Allowed | Attempt::Denied { .. } => true,
        Attempt::Undecided(cause) => matches!(
            cause.kind,
            FailureKind::ProbeErrno | FailureKind::ProbeInconclusive | FailureKind::ProbeEffectUnseen
        ),
    }
}

/// Whether a row without a decision could not have come to one: its driver only asks, or a success of it proves nothing.
/// Such rows are named in the packet and block nothing.
pub fn by_design(driver: Driver, kind: FailureKind) -> bool {
    match kind {
        FailureKind::OracleOnly => driver == Driver::PolicyQuery,
        FailureKind::ProbeInconclusive => driver.info().seatbelt.silent,
        _ => false,
    }
}

/// Whether a row whose driver only asks was answered as its author expects, by every answer there is. Nothing was
/// attempted, so that decides nothing; but nothing was left open that the row could have settled.
pub fn asked_as_expected(row: &ProbeRow, kind: FailureKind, expected: Expectation) -> bool {
    let wanted = match expected {
        Expectation::Allow => CalloutDecision::Allow,
        Expectation::Deny => CalloutDecision::Deny,
        Expectation::Any => return false,
    };
    let answers = row.prologue.as_ref().map_or(&[][..], |said| &said.callouts);
    kind == FailureKind::OracleOnly
        && row.action.driver == Driver::PolicyQuery
        && !answers.is_empty()
        && answers.iter().all(|answer| answer.decision() == wanted)
}

/// The verdict on a scenario row.
///
/// `baseline` is the row of the same place in the baseline lane with what it shows; `None` if that lane is off.
pub fn verdict(
    scenario: &ProbeRow,
    shown: Attempt,
    baseline: Option<(&ProbeRow, Attempt)>,
    controls: ControlsSay,
) -> Verdict {
    use FailureKind as Kind;
    let undecided = |kind, errno: Option<i32>, note| Verdict::Undecided(Undecided { kind, errno, note });
    // A row that shows nothing keeps its own reason: a policy that could not be applied fails its controls too.
    if let Attempt::Undecided(cause) = shown {
        return Verdict::Undecided(cause);
    }
    if controls == ControlsSay::Wrong {
        return undecided(Kind::ControlFailed, shown.errno(), "a control of this profile went wrong");
    }
    match shown {
        Attempt::Undecided(cause) => Verdict::Undecided(cause),
        Attempt::Allowed => match baseline {
            // The error number was the baseline's: this row's own call had none.
            Some((_, Attempt::Denied { .. })) => {
                undecided(Kind::BaselineContradiction, None, "allowed under the policy, refused without it")
            }
            _ => Verdict::Allow,
        },
        Attempt::Denied { errno } => match baseline {
            None => undecided(Kind::BaselineMissing, errno, "there is no baseline to compare with"),
            Some((_, Attempt::Denied { .. })) => {
                undecided(Kind::BaselineDenied, errno, "refused without the policy as well")
            }
            Some((_, Attempt::Undecided(_))) => {
                undecided(Kind::BaselineUndecided, errno, "whether it works without the policy is not known")
            }
            Some((row, Attempt::Allowed)) => match difference(scenario, row) {
                None => Verdict::Deny { errno },
                Some(note) => undecided(Kind::BaselineUndecided, errno, note),
            },
        },
    }
}
