//! Branches of the rule for one row that hardly any honest row takes.

use crate::evidence::controls::{ControlOutcomes, ControlResult};
use crate::evidence::decide::{Attempt, ControlsSay, Undecided, Verdict, attempt, by_design, reached};
use crate::evidence::layers::policy_layers;
use crate::evidence::row_facts::Baseline;
use crate::evidence::testing::{action, allowed, refused};
use crate::record::controls::ControlsStatus;
use crate::record::detail_name::DetailName;
use crate::record::driver::Driver;
use crate::record::events::{Attribution, LayerDecision};
use crate::record::outcome::{Decision, FailureKind, Lane};
use crate::record::report::SelfCheck;
use crate::record::results::RuntimeStatus;
use crate::record::row::{NotRun, ProbeRow, Repetition};

fn row(lane: Lane, driver: Driver) -> ProbeRow {
    allowed(lane, 0, "p", "a", &action(driver, "${root}/f"))
}

fn kind(row: &ProbeRow) -> FailureKind {
    match attempt(row) {
        Attempt::Undecided(cause) => cause.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_row_that_was_not_run_cannot_have_observed_anything() {
    let not_run = |kind| {
        let not_run = Some(NotRun { kind, errno: 0, reason: "r".into() });
        ProbeRow { not_run, ending: None, prologue: None, operation: None, ..row(Lane::Scenario, Driver::FileRead) }
    };
    assert_eq!(kind(&not_run(FailureKind::CapabilityMissing)), FailureKind::CapabilityMissing);
    for observed in [FailureKind::ProbeSyscallErrno, FailureKind::ProbeTimeout, FailureKind::OracleOnly] {
        assert_eq!(kind(&not_run(observed)), FailureKind::WorkerLost, "{observed:?}");
    }
}

#[test]
fn repetitions_that_disagree_decide_nothing() {
    let first = |lane| row(lane, Driver::FileRead);
    let repeated = |row: ProbeRow, others: Vec<ProbeRow>| {
        let repetitions = others.into_iter().map(Repetition::from).collect();
        attempt(&ProbeRow { repetitions, ..row })
    };
    let lost = ProbeRow { prologue: None, operation: None, ..first(Lane::Scenario) };
    let denied = |errno| refused(first(Lane::Scenario), errno);
    let allowed = || first(Lane::Scenario);
    assert_eq!(repeated(allowed(), vec![allowed(), allowed()]), Attempt::Allowed);
    // The first stands for all that come to the same.
    let both = repeated(denied(libc::EACCES), vec![denied(libc::EACCES)]);
    assert_eq!(both, Attempt::Denied { errno: Some(libc::EACCES) });
    for (one, others) in [
        (allowed(), vec![allowed(), denied(libc::EACCES)]),
        (denied(libc::EACCES), vec![allowed()]),
        (allowed(), vec![lost.clone()]),
        (lost.clone(), vec![denied(libc::EACCES), lost.clone()]),
    ] {
        let found = repeated(one, others);
        assert!(
            matches!(found, Attempt::Undecided(cause) if cause.kind == FailureKind::RepetitionsDisagree),
            "{found:?}"
        );
    }
    let all_lost = repeated(lost.clone(), vec![lost]);
    assert!(matches!(all_lost, Attempt::Undecided(cause) if cause.kind == FailureKind::BootstrapEnded), "{all_lost:?}");
}

#[test]
fn a_baseline_of_a_confined_process_is_none() {
    let with = |before: Option<bool>, after: Option<Option<bool>>| {
        let mut row = row(Lane::Baseline, Driver::FileRead);
        let prologue = row.prologue.as_mut().unwrap();
        prologue.self_check_before.confined = before;
        prologue.self_check_after = after.map(|confined| SelfCheck { confined, errno: 0, no_new_privs: false });
        attempt(&row)
    };
    for open in [with(Some(false), None), with(None, None), with(Some(false), Some(None))] {
        assert_eq!(open, Attempt::Allowed);
    }
    for confined in [with(Some(true), None), with(Some(false), Some(Some(true)))] {
        assert!(matches!(confined, Attempt::Undecided(cause) if cause.kind == FailureKind::BaselineConfined));
    }
}

#[test]
fn which_errors_are_denials_depends_on_what_was_applied() {
    // Between folders Landlock refuses with EXDEV; without a policy that is a border of file systems.
    let moved = |lane| refused(row(lane, Driver::FileRename), libc::EXDEV);
    assert_eq!(attempt(&moved(Lane::Scenario)), Attempt::Denied { errno: Some(libc::EXDEV) });
    assert_eq!(kind(&moved(Lane::Baseline)), FailureKind::ProbeErrno);
}

#[test]
fn an_effect_that_the_driver_looked_for_and_did_not_find_is_missing() {
    let confirmed = |value| {
        let mut row = row(Lane::Scenario, Driver::FileWrite);
        row.operation.as_mut().unwrap().details.push((DetailName::Confirmed, value));
        row
    };
    assert_eq!(attempt(&confirmed(1)), Attempt::Allowed);
    assert_eq!(kind(&confirmed(0)), FailureKind::ProbeEffectUnseen);
}

#[test]
fn an_operation_was_reached_if_it_was_answered_and_not_only_if_it_was_decided() {
    let read = row(Lane::Baseline, Driver::FileRead);
    assert!(reached(attempt(&read)) && reached(attempt(&refused(read.clone(), libc::EACCES))));
    assert!(reached(attempt(&refused(read.clone(), libc::ENOENT))), "the call was made, and found nothing");
    assert!(!reached(attempt(&ProbeRow { operation: None, ..read })));
}

#[test]
fn only_a_driver_that_asks_is_open_by_design() {
    assert!(by_design(Driver::PolicyQuery, FailureKind::OracleOnly));
    assert!(!by_design(Driver::FileRead, FailureKind::OracleOnly));
    assert!(!by_design(Driver::FileRead, FailureKind::ProbeInconclusive));
    assert!(!by_design(Driver::PolicyQuery, FailureKind::ProbeTimeout));
}

#[test]
fn nothing_vouches_for_rows_under_a_policy_that_its_controls_could_not_apply() {
    let control = |expected, attempt| ControlResult::Shown {
        action: action(Driver::FileRead, "${root}/f"),
        expected,
        attempt,
        reason: None,
    };
    let report = |deny, allow| ControlOutcomes {
        must_deny: control(Decision::Deny, deny),
        must_allow: control(Decision::Allow, allow),
    };
    let denied = Attempt::Denied { errno: Some(libc::EACCES) };
    let undecided = |kind| Attempt::Undecided(Undecided { kind, errno: None, note: "" });
    assert_eq!(report(denied, Attempt::Allowed).say(), ControlsSay::NothingWrong);
    let not_applied = report(undecided(FailureKind::LandlockApplyFailed), Attempt::Allowed);
    assert_eq!((not_applied.status(), not_applied.say()), (ControlsStatus::NotApplied, ControlsSay::Wrong));
    // What confines the run may have answered, and then nothing is shown; anything else went wrong.
    let outer = report(undecided(FailureKind::OuterConfinement), Attempt::Allowed);
    assert_eq!((outer.status(), outer.say()), (ControlsStatus::Partial, ControlsSay::NothingWrong));
    assert_eq!(report(undecided(FailureKind::ProbeTimeout), Attempt::Allowed).say(), ControlsSay::Wrong);
    assert_eq!(report(denied, denied).say(), ControlsSay::Wrong);
}

#[test]
fn a_baseline_that_was_refused_where_the_policy_allows_is_put_down_to_nobody() {
    let without = row(Lane::Baseline, Driver::FileRead);
    let baseline = Baseline { row: &without, attempt: Attempt::Denied { errno: Some(libc::EACCES) }, name: "n" };
    let undecided = |kind| Verdict::Undecided(Undecided { kind, errno: None, note: "" });
    let layers = |verdict| {
        let layers = policy_layers(verdict, RuntimeStatus::Errno, Some(&baseline));
        (layers.effective_decision, layers.attribution)
    };
    assert_eq!(layers(undecided(FailureKind::BaselineDenied)), (LayerDecision::Deny, Attribution::PlatformPolicy));
    let contradiction = undecided(FailureKind::BaselineContradiction);
    assert_eq!(layers(contradiction), (LayerDecision::Unknown, Attribution::Unknown));
}
