//! The decision rule a second time, as a table, and both compared over every combination that the table knows.
//!
//! The rule proper follows a row through its stages. The table here has one line per finding, in order of precedence;
//! each line says when it holds by looking at the whole row, and the first that holds decides.

mod rows;

use proptest::prelude::*;

use rows::{any_change, any_row};

use crate::evidence::decide::{Attempt, ControlsSay, Verdict, attempt, verdict};
use crate::evidence::testing::{Bench, allowed, call, landlock_applied, plan, tiny_plan};
use crate::evidence::testing_schemas::{self as schemas, accept, check};
use crate::plan::LaneSet;
use crate::record::detail_name::DetailName;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::fixture::{ListenerKind, PROGRAM_EXIT};
use crate::record::outcome::{Decision, FailureKind as Kind, FailureStage, Lane};
use crate::record::report::{ApplyRecord, CallRole, SelfCheck, SetupFailure};
use crate::record::row::{ListenerRecord, NotRun, ProbeRow};

type Line = (fn(&ProbeRow) -> bool, fn(&ProbeRow) -> Outcome);

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Outcome {
    Allow,
    Deny,
    Nothing(Kind),
}

fn policy(row: &ProbeRow) -> bool {
    matches!(row.lane, Lane::Scenario | Lane::Control)
}

fn confined(check: Option<&SelfCheck>) -> Option<bool> {
    check.and_then(|check| check.confined)
}

fn applied(row: &ProbeRow) -> Option<&ApplyRecord> {
    row.prologue.as_ref().and_then(|prologue| prologue.apply.as_ref())
}

fn last_errno(row: &ProbeRow) -> i32 {
    row.operation.as_ref().and_then(|operation| operation.calls.last()).map_or(0, |call| call.errno)
}

fn damaged(row: &ProbeRow) -> bool {
    let calls = &row.operation.as_ref().unwrap().calls;
    let contradictory = calls.iter().any(|call| (call.ret >= 0) != (call.errno == 0) || call.errno < 0);
    let failed_before_the_end = calls.iter().rev().skip(1).any(|call| call.errno != 0);
    calls.is_empty() || contradictory || failed_before_the_end
}

const REACHES_OUT: [Driver; 10] = [
    Driver::TcpConnect,
    Driver::UdpSend,
    Driver::UnixConnect,
    Driver::AbstractConnect,
    Driver::AbstractSend,
    Driver::UnixSend,
    Driver::MptcpConnect,
    Driver::TcpFastOpen,
    Driver::UdpConnect,
    Driver::IoUringConnect,
];

const SIGNALS: [Driver; 4] =
    [Driver::SignalOutside, Driver::SignalInside, Driver::SignalSelf, Driver::SignalSameSandbox];

/// What those say who saw the effect, or looked for it in vain.
fn effect(row: &ProbeRow) -> Vec<bool> {
    let signals = SIGNALS.contains(&row.action.driver);
    let said = row.operation.iter().flat_map(|operation| &operation.details);
    let words = said.filter(|(name, _)| name.as_str() == "confirmed" || (signals && name.as_str() == "received"));
    let asked = REACHES_OUT.contains(&row.action.driver);
    let heard = row.listener.iter().filter(|_| asked).map(|listener| listener.accept_count != 0);
    words.map(|(_, value)| *value != 0).chain(heard).collect()
}

/// Whether the last call failed with what is a denial in its lane.
fn refused(row: &ProbeRow) -> bool {
    let info = row.action.driver.info();
    let denials = match applied(row).map(|apply| apply.api.as_str()) {
        None => info.platform_denials,
        Some("landlock_restrict_self") => info.landlock_denials,
        Some(_) => info.seatbelt.errnos,
    };
    denials.contains(&last_errno(row))
}

const TABLE: &[Line] = &[
    (
        |row| row.not_run.is_some(),
        |row| {
            let kind = row.not_run.as_ref().unwrap().kind;
            let early = [FailureStage::Preflight, FailureStage::Apply].contains(&kind.stage());
            Outcome::Nothing(if early { kind } else { Kind::WorkerLost })
        },
    ),
    (|row| row.ending.is_none(), |_| Outcome::Nothing(Kind::WorkerLost)),
    (|row| matches!(row.ending, Some(Ending::NotStarted { .. })), |_| Outcome::Nothing(Kind::SetupFailed)),
    (|row| matches!(row.ending, Some(Ending::Lost { .. })), |_| Outcome::Nothing(Kind::WorkerLost)),
    (
        |row| row.prologue.as_ref().is_some_and(|prologue| prologue.setup_failure.is_some()),
        |row| {
            let setup = row.prologue.as_ref().unwrap().setup_failure.as_ref().unwrap();
            Outcome::Nothing(if setup.leads_to.is_some() { Kind::ForeignTarget } else { Kind::SetupFailed })
        },
    ),
    (|row| !policy(row) && applied(row).is_some(), |_| Outcome::Nothing(Kind::BaselineConfined)),
    (
        |row| {
            let said = |prologue: &crate::record::report::Prologue| {
                confined(Some(&prologue.self_check_before)) == Some(true)
                    || confined(prologue.self_check_after.as_ref()) == Some(true)
            };
            !policy(row) && row.prologue.as_ref().is_some_and(said)
        },
        |_| Outcome::Nothing(Kind::BaselineConfined),
    ),
    (
        |row| policy(row) && row.prologue.is_some() && applied(row).is_none(),
        |_| Outcome::Nothing(Kind::ApplySelfCheckFailed),
    ),
    (
        |row| {
            let not_in_force = |apply: &ApplyRecord| {
                (apply.rc, apply.errno) != (0, 0) || apply.failure.is_some() || !apply.unsupported.is_empty()
            };
            policy(row) && applied(row).is_some_and(not_in_force)
        },
        |row| {
            let apply = applied(row).unwrap();
            let named = apply.failure.filter(|kind| kind.stage() == FailureStage::Apply);
            let by_name = || match apply.api.as_str() {
                "sandbox_init" => Kind::SandboxInitFailed,
                "sandbox_apply" => Kind::SandboxApplyFailed,
                _ => Kind::LandlockApplyFailed,
            };
            let fallback = if apply.unsupported.is_empty() { by_name() } else { Kind::LandlockRightUnsupported };
            Outcome::Nothing(named.unwrap_or(fallback))
        },
    ),
    (
        |row| policy(row) && applied(row).is_some_and(|apply| apply.api == "chroot"),
        |_| Outcome::Nothing(Kind::ApplySelfCheckFailed),
    ),
    (
        |row| {
            policy(row)
                && row.prologue.as_ref().is_some_and(|prologue| {
                    let before = confined(Some(&prologue.self_check_before));
                    (before, confined(prologue.self_check_after.as_ref())) != (Some(false), Some(true))
                })
        },
        |_| Outcome::Nothing(Kind::ApplySelfCheckFailed),
    ),
    (|row| matches!(row.ending, Some(Ending::Expired { .. })), |_| Outcome::Nothing(Kind::ProbeTimeout)),
    (|row| row.report_error.is_some(), |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (|row| row.prologue.is_none() && row.operation.is_some(), |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (|row| row.prologue.is_none() && policy(row), |_| Outcome::Nothing(Kind::BootstrapEnded)),
    (|row| row.prologue.is_none(), |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (
        |row| {
            let ran = matches!(row.ending, Some(Ending::Exited { .. }));
            row.operation.is_none() && ran && row.action.driver == Driver::Exec
        },
        |row| {
            let wanted = row.action.exit_code.map(|code| Ending::Exited { code });
            if wanted.is_none() || wanted == row.ending {
                Outcome::Allow
            } else {
                Outcome::Nothing(Kind::ProbeEffectUnseen)
            }
        },
    ),
    (
        |row| row.operation.is_none() && matches!(row.ending, Some(Ending::Signaled { .. })),
        |_| Outcome::Nothing(Kind::ProbeCrashed),
    ),
    (|row| row.operation.is_none(), |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (|row| matches!(row.ending, Some(Ending::Signaled { .. })), |_| Outcome::Nothing(Kind::ProbeCrashed)),
    (|row| row.ending != Some(Ending::Exited { code: 0 }), |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (|row| row.action.driver == Driver::PolicyQuery, |_| Outcome::Nothing(Kind::OracleOnly)),
    (damaged, |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (
        |row| last_errno(row) != 0 && row.operation.as_ref().unwrap().calls.last().unwrap().role == CallRole::Prepare,
        |_| Outcome::Nothing(Kind::ProbePrepareFailed),
    ),
    (|row| refused(row) && effect(row).contains(&true), |_| Outcome::Nothing(Kind::ProbeNoReport)),
    (refused, |_| Outcome::Deny),
    (
        |row| {
            let errno = last_errno(row);
            errno != 0 && row.action.driver.info().seatbelt.reached.contains(&errno)
        },
        |_| Outcome::Allow,
    ),
    (|row| last_errno(row) != 0, |_| Outcome::Nothing(Kind::ProbeErrno)),
    (
        |row| {
            let calls = &row.operation.as_ref().unwrap().calls;
            calls.iter().all(|call| call.role == CallRole::Prepare) || row.action.driver == Driver::Exec
        },
        |_| Outcome::Nothing(Kind::ProbeNoReport),
    ),
    (|row| policy(row) && row.action.driver.info().seatbelt.silent, |_| Outcome::Nothing(Kind::ProbeInconclusive)),
    (|row| effect(row).contains(&false), |_| Outcome::Nothing(Kind::ProbeEffectUnseen)),
    (|_| true, |_| Outcome::Allow),
];

fn by_the_table(row: &ProbeRow) -> Outcome {
    let (_, outcome) = TABLE.iter().find(|(holds, _)| holds(row)).expect("the last line always holds");
    outcome(row)
}

fn by_the_rule(row: &ProbeRow) -> Outcome {
    match attempt(row) {
        Attempt::Allowed => Outcome::Allow,
        Attempt::Denied { errno } => {
            assert_eq!(errno, Some(last_errno(row)).filter(|errno| *errno != 0));
            Outcome::Deny
        }
        Attempt::Undecided(undecided) => {
            assert!(!undecided.note.is_empty());
            Outcome::Nothing(undecided.kind)
        }
    }
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    any_row(Just(Lane::Scenario)).prop_map(|row| attempt(&row))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn rule_and_table_agree(row in any_row(prop::sample::select(&[Lane::Baseline, Lane::Control, Lane::Scenario][..]))) {
        prop_assert_eq!(by_the_rule(&row), by_the_table(&row));
    }

    #[test]
    fn a_denial_is_earned(
        scenario in any_row(Just(Lane::Scenario)),
        baseline in prop::option::of(any_row(Just(Lane::Baseline))),
        wrong in any::<bool>(),
    ) {
        let mut baseline = baseline;
        if let Some(row) = &mut baseline {
            row.action = scenario.action.clone();
        }
        let shown = attempt(&scenario);
        let beside = baseline.as_ref().map(|row| (row, attempt(row)));
        let controls = if wrong { ControlsSay::Wrong } else { ControlsSay::NothingWrong };
        let found = verdict(&scenario, shown, beside, controls);
        match found {
            Verdict::Deny { .. } => {
                prop_assert!(!wrong);
                prop_assert_eq!(shown.decision(), Some(Decision::Deny));
                prop_assert_eq!(beside.unwrap().1, Attempt::Allowed);
            }
            Verdict::Allow => {
                prop_assert!(!wrong);
                prop_assert_eq!(shown, Attempt::Allowed);
                prop_assert_ne!(beside.and_then(|(_, attempt)| attempt.decision()), Some(Decision::Deny));
            }
            Verdict::Undecided(cause) => {
                prop_assert_eq!(found.matches(Decision::Allow.into()), None);
                prop_assert_eq!(found.matches(Decision::Deny.into()), None);
                prop_assert_ne!(cause.kind, Kind::ProbeSyscallErrno);
            }
        }
    }

    #[test]
    fn whatever_decides_is_whole(row in any_row(prop::sample::select(&[Lane::Baseline, Lane::Control, Lane::Scenario][..]))) {
        // What every decision needs, said without the rule's order: nothing that is damaged or unproved decides.
        if attempt(&row).decision().is_some() {
            prop_assert!(row.not_run.is_none() && row.report_error.is_none());
            let ran_program = row.action.driver == Driver::Exec && row.operation.is_none();
            let ended_well = match row.ending {
                Some(Ending::Exited { code }) => code == 0 || ran_program,
                _ => false,
            };
            prop_assert!(ended_well);
            let said = row.prologue.as_ref().unwrap();
            prop_assert!(said.setup_failure.is_none());
            if policy(&row) {
                let apply = said.apply.as_ref().unwrap();
                prop_assert!(apply.rc == 0 && apply.errno == 0 && apply.failure.is_none() && apply.unsupported.is_empty());
                prop_assert_eq!(said.self_check_before.confined, Some(false));
                prop_assert_eq!(said.self_check_after.as_ref().unwrap().confined, Some(true));
            } else {
                prop_assert!(said.apply.is_none() && said.self_check_before.confined != Some(true));
            }
            if !ran_program {
                let calls = &row.operation.as_ref().unwrap().calls;
                prop_assert!(calls.iter().any(|call| call.role == CallRole::Operation));
                prop_assert!(calls.iter().rev().skip(1).all(|call| call.ret >= 0 && call.errno == 0));
            }
        }
    }

    #[test]
    fn an_attempt_is_never_both(shown in any_attempt()) {
        prop_assert_eq!(shown.decision().is_none(), matches!(shown, Attempt::Undecided(_)));
    }
}

/// The verdict's table: (attempt, baseline, controls) to the outcome, over all of them.
#[test]
fn every_combination_of_attempt_baseline_and_control() {
    let bench = Bench::new(tiny_plan());
    let (scenario, baseline) = (&bench.scenario[1], &bench.baseline[1]);
    let unknown = Attempt::Undecided(
        match attempt(&{
            let mut row = scenario.clone();
            row.operation = None;
            row
        }) {
            Attempt::Undecided(undecided) => undecided,
            other => panic!("{other:?}"),
        },
    );
    let (yes, no) = (Attempt::Allowed, Attempt::Denied { errno: Some(libc::EACCES) });
    let nothing = Outcome::Nothing;
    // Columns: the baseline's attempt; rows: the scenario's. Without a wrong control.
    let table = [
        (yes, [Outcome::Allow, nothing(Kind::BaselineContradiction), Outcome::Allow, Outcome::Allow]),
        (
            no,
            [
                Outcome::Deny,
                nothing(Kind::BaselineDenied),
                nothing(Kind::BaselineUndecided),
                nothing(Kind::BaselineMissing),
            ],
        ),
        (unknown, [nothing(Kind::ProbeNoReport); 4]),
    ];
    let mut refused = scenario.clone();
    refused.operation.as_mut().unwrap().calls[0] = call("openat", CallRole::Operation, libc::EACCES);
    for (shown, expected) in table {
        let row = if shown == no { &refused } else { scenario };
        for (beside, expected) in [Some(yes), Some(no), Some(unknown), None].into_iter().zip(expected) {
            let beside = beside.map(|attempt| (baseline, attempt));
            let found = |controls| match verdict(row, shown, beside, controls) {
                Verdict::Allow => Outcome::Allow,
                Verdict::Deny { .. } => Outcome::Deny,
                Verdict::Undecided(cause) => Outcome::Nothing(cause.kind),
            };
            assert_eq!(found(ControlsSay::NothingWrong), expected);
            let with_wrong = if shown == unknown { expected } else { nothing(Kind::ControlFailed) };
            assert_eq!(found(ControlsSay::Wrong), with_wrong);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_the_rows_say_the_artifacts_are_valid_and_the_same_twice(
        changes in prop::collection::vec((any_change(), any_change()), 3),
        lanes in any::<(bool, bool, bool)>(),
        drivers in prop::collection::vec(prop::sample::select(Driver::ALL), 3),
    ) {
        let lanes = LaneSet { baseline: lanes.0, scenario: lanes.1, oracle: lanes.2 };
        let specs: Vec<_> = drivers
            .iter()
            .zip(["a", "b", "c"])
            .map(|(driver, name)| (name, driver.info().operations[0], *driver, "${root}/x", Decision::Deny))
            .collect();
        let mut bench = Bench::new(plan(lanes, &[("one", &specs[..2]), ("two", &specs[2..])])).with_controls(0);
        for (n, (first, second)) in changes.iter().enumerate() {
            first.make(&mut bench.baseline[n]);
            second.make(&mut bench.scenario[n]);
        }
        // What the readers refuse is tested elsewhere.
        for row in bench.baseline.iter_mut().chain(&mut bench.scenario) {
            match &mut row.not_run {
                Some(not_run) if !not_run.can_be() || not_run.kind == Kind::LaneUnsupported => {
                    not_run.kind = Kind::FixtureFailed;
                }
                None if row.ending.is_none() => row.ending = Some(Ending::Exited { code: 0 }),
                _ => {}
            }
            accept(&schemas::PROBE_ROW, "a probe row", &serde_json::to_value(&*row).unwrap());
        }
        for row in &bench.oracle {
            accept(&schemas::ORACLE_ROW, "an oracle row", &serde_json::to_value(row).unwrap());
        }
        let (memory, outcome) = bench.derive();
        check(&memory);
        prop_assert_eq!(&bench.derive().0, &memory);
        let rows = outcome.total.rows;
        prop_assert_eq!(rows.planned, 3);
        if lanes.scenario {
            prop_assert_eq!(rows.matched + rows.mismatched + rows.undecided, rows.planned);
            let by_kind: u64 = outcome.total.undecided_by_kind.values().sum();
            prop_assert_eq!(by_kind, rows.undecided);
            let listed: u64 = outcome.mismatch_counts.values().sum();
            prop_assert_eq!(listed, rows.mismatched + rows.undecided);
        }
    }
}
