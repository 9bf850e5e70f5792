//! What the artifacts say.

mod undecided;

use serde_json::Value;

use crate::evidence::DECISION_RULE;
use crate::evidence::decide::{Attempt, attempt};
use crate::evidence::outcome::{MAX_FINDINGS, RowFinding};
use crate::evidence::testing::{ALL_LANES, Bench, call, plan, refused, tiny_plan};
use crate::evidence::testing_schemas::check;
use crate::plan::LaneSet;
use crate::record::detail_name::DetailName;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::layout;
use crate::record::mismatch::MismatchType;
use crate::record::outcome::{Decision, FailureKind};
use crate::record::report::{CallRole, SetupFailure};
use crate::record::results::EntryStatus;
use crate::record::row::{NotRun, ProbeRow};
use crate::record::summary::SummaryStatus;

/// Two denials that count, one operation that goes through, controls that hold.
fn good() -> Bench {
    let mut bench = Bench::new(tiny_plan()).with_controls(0).with_controls(1);
    for n in [1, 2] {
        bench.scenario[n] = refused(bench.scenario[n].clone(), libc::EACCES);
    }
    bench
}

fn names(bench: &Bench) -> Vec<String> {
    bench.derive().0.0.keys().cloned().collect()
}

#[test]
fn a_run_as_expected() {
    let (memory, outcome) = good().derive();
    assert_eq!(outcome.status, SummaryStatus::Ok);
    assert_eq!((outcome.total.rows.planned, outcome.total.rows.matched), (3, 3));
    assert!(outcome.profiles.iter().all(|profile| profile.status == Some(EntryStatus::Ok)));
    assert_eq!(memory.text(layout::MISMATCH_PACKETS), "", "no line, where nothing differs");
    assert_eq!(memory.0[layout::EXPECTED_MATRIX], memory.0[layout::EXPECTED_MATRIX_GENERATED]);
    let summary = memory.json(layout::SUMMARY);
    assert_eq!(summary["status"], "ok");
    assert_eq!(summary["decision_rule"], DECISION_RULE);
    let events = memory.json(layout::RUNTIME_EVENTS);
    assert_eq!(events[1]["actual"], "deny");
    assert_eq!(events[1]["policy_layers"]["attribution"], "process_policy");
    assert_eq!(events[1]["file_confounder"]["attribution"], "app_sandbox");
    assert_eq!(events[1]["errno_name"], "EACCES");
}

#[test]
fn golden_documents() {
    let mut bench = good();
    // One mismatch and one undecided row, so that every document has something to show.
    bench.scenario[0] = refused(bench.scenario[0].clone(), libc::EACCES);
    bench.scenario[2].ending = Some(Ending::Expired { deadline_ms: 10_000, sent: Vec::new(), signal: Some(9) });
    bench.scenario[2].operation = None;
    let (memory, _) = bench.derive();
    check(&memory);
    for (name, bytes) in &memory.0 {
        insta::assert_snapshot!(name.as_str(), String::from_utf8_lossy(bytes));
    }
}

#[test]
fn documents_are_there_exactly_when_their_lane_is() {
    let always = [
        layout::EXPECTED_MATRIX_GENERATED,
        layout::EXPECTED_MATRIX,
        layout::MISMATCH_PACKETS,
        layout::MISMATCH_SUMMARY,
        layout::SUMMARY,
        layout::SUMMARY_TEXT,
        layout::VERDICTS,
    ];
    for bits in 0..8 {
        let lanes = LaneSet { baseline: bits & 1 != 0, scenario: bits & 2 != 0, oracle: bits & 4 != 0 };
        let mut bench = Bench::new(tiny_plan());
        bench.plan.lanes = lanes;
        let mut expected: Vec<&str> = always.to_vec();
        if lanes.baseline {
            expected.push(layout::BASELINE_RESULTS);
        }
        if lanes.scenario {
            expected.extend([layout::RUNTIME_RESULTS, layout::RUNTIME_EVENTS, layout::CONTROLS]);
        }
        if lanes.baseline || lanes.scenario {
            expected.extend([layout::PATH_WITNESSES, layout::FIXTURES]);
        }
        if lanes.oracle {
            expected.push(layout::ORACLE_RESULTS);
        }
        expected.sort_unstable();
        assert_eq!(names(&bench), expected, "{lanes:?}");
    }
    let mut dry = Bench::new(tiny_plan());
    dry.manifest.dry_run = true;
    let (memory, outcome) = dry.derive();
    assert_eq!(memory.0.len(), always.len());
    assert_eq!(memory.0[layout::MISMATCH_PACKETS], b"");
    assert_eq!(memory.0[layout::VERDICTS], b"");
    assert_eq!(outcome.status, SummaryStatus::Dry);
    assert_eq!(memory.json(layout::SUMMARY)["lanes"]["scenario"], false);
}

#[test]
fn a_wrong_control_takes_the_whole_profile_and_no_other() {
    let mut bench = good();
    bench.control[0].operation.as_mut().unwrap().calls[0].errno = 0;
    bench.control[0].operation.as_mut().unwrap().calls[0].ret = 0;
    let (memory, outcome) = bench.derive();
    assert_eq!(outcome.profiles[0].counts.undecided_by_kind[&FailureKind::ControlFailed], 2);
    assert_eq!(outcome.profiles[1].counts.rows.matched, 1);
    let controls = memory.json(layout::CONTROLS);
    assert_eq!(controls["profiles"][0]["status"], "wrong");
    assert_eq!(controls["profiles"][0]["must_deny"]["actual"], "allow");
    assert_eq!(controls["profiles"][1]["status"], "ok");
    // The allowed operation of that profile is no success either.
    let results = memory.json(layout::RUNTIME_RESULTS);
    let row = &results["files"]["probes"][0];
    assert_eq!((&row["actual"], &row["match"]), (&Value::Null, &Value::Null));
    assert_eq!(row["runtime_result"]["status"], "errno");
    assert_eq!(row["runtime_result"]["failure_kind"], "control_failed");
}

#[test]
fn a_policy_that_refuses_what_it_must_let_through_decides_nothing() {
    let mut bench = good();
    bench.control[1] = refused(bench.control[1].clone(), libc::EACCES);
    let (memory, outcome) = bench.derive();
    assert_eq!(outcome.profiles[0].counts.undecided_by_kind[&FailureKind::ControlFailed], 2);
    assert_eq!(outcome.profiles[1].counts.rows.matched, 1);
    let controls = memory.json(layout::CONTROLS);
    assert_eq!(controls["profiles"][0]["status"], "wrong");
    assert_eq!(controls["profiles"][0]["must_deny"]["status"], "ok");
    assert_eq!(controls["profiles"][0]["must_allow"]["status"], "wrong");
    assert_eq!(controls["profiles"][0]["must_allow"]["actual"], "deny");
    assert_eq!(controls["profiles"][1]["status"], "ok");
}

#[test]
fn a_policy_without_controls_says_why() {
    let (memory, _) = Bench::new(tiny_plan()).derive();
    let controls = memory.json(layout::CONTROLS);
    assert_eq!(controls["profiles"][0]["status"], "not_derivable");
    assert_eq!(controls["profiles"][0]["must_allow"]["reason"], "this test has none");
}

#[test]
fn mismatches_are_told_apart() {
    let target = "${root}/a/../b";
    let cases = [
        (Decision::Allow, "${root}/b", MismatchType::UnexpectedDeny),
        (Decision::Deny, "${root}/b", MismatchType::UnexpectedAllow),
        (Decision::Allow, target, MismatchType::CanonicalizationBoundary),
        (Decision::Deny, target, MismatchType::CanonicalizationBoundary),
        (Decision::Deny, "${root}/a..b", MismatchType::UnexpectedAllow),
    ];
    for (expected, target, mismatch_type) in cases {
        let spec = ("read", "file-read-data", Driver::FileRead, target, expected);
        let mut bench = Bench::new(plan(ALL_LANES, &[("p", &[spec])]));
        if expected == Decision::Allow {
            bench.scenario[0] = refused(bench.scenario[0].clone(), libc::EACCES);
        }
        let (memory, outcome) = bench.derive();
        assert_eq!(outcome.mismatch_counts.keys().collect::<Vec<_>>(), [&mismatch_type], "{target} {expected:?}");
        assert_eq!(memory.json(layout::SUMMARY)["mismatch_counts"][mismatch_type.as_str()], 1);
        assert_eq!(outcome.status, SummaryStatus::Partial);
    }
}

#[test]
fn what_a_mismatch_is_put_down_to() {
    let reason = |bench: &Bench| {
        let packet: Value = serde_json::from_str(bench.derive().0.text(layout::MISMATCH_PACKETS)).unwrap();
        packet["mismatch_reason"].as_str().unwrap().to_owned()
    };
    let spec = ("read", "file-read-data", Driver::FileRead, "${root}/x", Decision::Deny);
    let mut bench = Bench::new(plan(ALL_LANES, &[("p", &[spec])]));
    assert_eq!(reason(&bench), "capture_pipeline_disagreement");
    bench.oracle[0].decision = None;
    assert_eq!(reason(&bench), "expectation_too_strong");
    bench.oracle[0].decision = Some(Decision::Allow);
    assert_eq!(reason(&bench), "expectation_too_strong");
    bench.scenario[0].operation.as_mut().unwrap().opened.as_mut().unwrap().path = Some("/elsewhere".into());
    assert_eq!(reason(&bench), "path_normalization_sensitivity");
    bench.manifest.host.os = "macos".into();
    bench.scenario[0].root = "/tmp/r".into();
    bench.scenario[0].action.target = "/tmp/r/x".into();
    bench.scenario[0].operation.as_mut().unwrap().opened.as_mut().unwrap().path = Some("/private/tmp/r/x".into());
    assert_eq!(reason(&bench), "canonicalization_boundary");
}

#[test]
fn findings_are_bounded_and_documents_are_not() {
    let names: Vec<String> = (0..MAX_FINDINGS + 50).map(|n| format!("p{n}")).collect();
    let specs: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "file-read-data", Driver::FileRead, "${root}/x", Decision::Deny))
        .collect();
    let (memory, outcome) = Bench::new(plan(ALL_LANES, &[("p", &specs)])).derive();
    assert_eq!(outcome.mismatched.len(), MAX_FINDINGS);
    assert_eq!(outcome.total.rows.mismatched, specs.len() as u64);
    let listed = memory.json(layout::MISMATCH_SUMMARY);
    assert_eq!(listed["mismatches"].as_array().unwrap().len(), specs.len());
    assert_eq!(memory.text(layout::MISMATCH_PACKETS).lines().count(), specs.len());
}

#[test]
fn rows_of_a_cause_are_counted_beyond_those_that_are_listed() {
    let names: Vec<String> = (0..MAX_FINDINGS + 50).map(|n| format!("p{n}")).collect();
    let specs: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "file-read-data", Driver::FileRead, "${root}/x", Decision::Deny))
        .collect();
    let mut bench = Bench::new(plan(ALL_LANES, &[("p", &specs)]));
    // All but one are missing, each in a folder of its own; the last is another matter, and none of its kind is listed.
    let last = bench.scenario.len() - 1;
    for row in &mut bench.scenario[..last] {
        *row = refused(row.clone(), libc::ENOENT);
    }
    bench.scenario[last] = refused(bench.scenario[last].clone(), libc::EIO);
    let (_, outcome) = bench.derive();
    assert_eq!((outcome.undecided.len(), outcome.total.rows.undecided), (MAX_FINDINGS, specs.len() as u64));
    let cause = |row: &RowFinding| row.cause().expect("it decided nothing");
    let first = cause(&outcome.undecided[0]);
    assert!(outcome.undecided.iter().all(|row| cause(row) == first));
    assert_eq!(outcome.causes.of(&first), specs.len() as u64 - 1);
}

#[test]
fn a_profile_under_which_nothing_was_refused_is_named() {
    let named = |bench: &Bench| {
        let (memory, _) = bench.derive();
        check(&memory);
        memory.json(layout::SUMMARY)["profiles_without_refusal"]["profiles"].clone()
    };
    let mut bench = Bench::new(tiny_plan());
    assert_eq!(named(&bench), serde_json::json!(["files", "network"]));
    // A row that was denied shows as much as a control does; a refusal without a verdict does not.
    bench.scenario[1] = refused(bench.scenario[1].clone(), libc::EACCES);
    assert_eq!(named(&bench), serde_json::json!(["network"]));
    bench.baseline[1] = refused(bench.baseline[1].clone(), libc::EACCES);
    assert_eq!(named(&bench), serde_json::json!(["files", "network"]));
    assert_eq!(named(&Bench::new(tiny_plan()).with_controls(0).with_controls(1)), serde_json::json!([]));
}
