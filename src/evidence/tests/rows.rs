//! What the readers refuse.

use crate::evidence::DeriveError;
use crate::evidence::testing::{Bench, tiny_plan};
use crate::record::outcome::{FailureKind, Lane};
use crate::record::row::NotRun;

fn refusal(change: impl FnOnce(&mut Bench)) -> DeriveError {
    let mut bench = Bench::new(tiny_plan()).with_controls(0);
    change(&mut bench);
    bench.derive_from(&bench.files()).unwrap_err()
}

#[test]
fn every_planned_row_has_to_be_there_in_order() {
    let error = refusal(|bench| {
        bench.scenario.pop();
    });
    assert!(matches!(error, DeriveError::MissingRow { lane: Lane::Scenario, line: 3, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "`rows/scenario.jsonl` ends after 2 rows; the next one must be row 2 (profile `network`, probe `connect`)"
    );

    let error = refusal(|bench| bench.baseline.swap(0, 1));
    assert!(matches!(error, DeriveError::Unexpected { lane: Lane::Baseline, line: 1, field: "seq", .. }), "{error}");

    let error = refusal(|bench| bench.oracle.push(bench.oracle[0].clone()));
    assert!(matches!(error, DeriveError::ExtraRow { lane: Lane::Oracle, line: 4 }), "{error}");

    let error = refusal(|bench| {
        bench.control.pop();
    });
    assert!(matches!(error, DeriveError::MissingRow { lane: Lane::Control, line: 2, .. }), "{error}");
}

#[test]
fn rows_of_another_plan_are_refused() {
    let field = |change: fn(&mut Bench)| match refusal(change) {
        DeriveError::Unexpected { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(field(|bench| bench.scenario[0].lane = Lane::Baseline), "lane");
    assert_eq!(field(|bench| bench.scenario[0].profile_id = bench.scenario[2].profile_id.clone()), "profile_id");
    assert_eq!(field(|bench| bench.scenario[0].probe_id = bench.scenario[1].probe_id.clone()), "probe_id");
    assert_eq!(
        field(|bench| bench.scenario[0].expectation_id = bench.scenario[1].expectation_id.clone()),
        "expectation_id"
    );
    assert_eq!(field(|bench| bench.scenario[0].schema_version = "x".into()), "schema_version");
    assert_eq!(field(|bench| bench.scenario[1].action.target = "/etc/hostname".into()), "action.target");
    assert_eq!(field(|bench| bench.scenario[1].root = "/elsewhere".into()), "action.target");
    assert_eq!(field(|bench| bench.scenario[1].action.name = Some("x".into())), "action.name");
    assert_eq!(field(|bench| bench.control[0].control_expects = None), "control_expects");
    assert_eq!(
        field(|bench| bench.scenario[0].control_expects = Some(crate::record::outcome::Decision::Allow)),
        "control_expects"
    );
}

#[test]
fn rows_that_contradict_themselves_are_refused() {
    let not_run = |kind| NotRun { kind, reason: "no".into(), errno: 0 };
    type Case = fn(&mut Bench, fn(FailureKind) -> NotRun);
    let cases: [Case; 3] = [
        |bench, _| bench.scenario[0].ending = None,
        |bench, not_run| bench.scenario[0].not_run = Some(not_run(FailureKind::FixtureFailed)),
        |bench, not_run| {
            bench.scenario[0].ending = None;
            bench.scenario[0].not_run = Some(not_run(FailureKind::ProbeSyscallErrno));
        },
    ];
    for case in cases {
        let error = refusal(|bench| case(bench, not_run));
        assert!(matches!(error, DeriveError::Inconsistent { lane: Lane::Scenario, line: 1, .. }), "{error}");
    }
}

#[test]
fn damaged_files_are_refused_with_their_line() {
    let bench = Bench::new(tiny_plan());
    let damaged = |change: fn(&mut Vec<u8>)| {
        let mut files = bench.files();
        change(files.0.get_mut("scenario").unwrap());
        bench.derive_from(&files).unwrap_err()
    };
    assert!(matches!(damaged(|bytes| bytes.truncate(bytes.len() - 1)), DeriveError::CutOff { line: 3, .. }));
    assert!(matches!(damaged(|bytes| bytes.insert(1, b'x')), DeriveError::Decode { line: 1, .. }));
    assert!(matches!(damaged(|bytes| bytes.insert(0, b'\n')), DeriveError::Decode { line: 1, .. }));
    assert!(matches!(damaged(|bytes| bytes.push(b'\n')), DeriveError::ExtraRow { line: 4, .. }));
    assert!(matches!(damaged(Vec::clear), DeriveError::MissingRow { line: 1, .. }));
    let endless = damaged(|bytes| {
        bytes.splice(0..0, std::iter::repeat_n(b' ', crate::base::limits::MAX_ROW_BYTES + 1));
    });
    assert!(matches!(endless, DeriveError::TooLong { line: 1, .. }));
    let unknown = damaged(|bytes| {
        bytes.splice(1..1, *b"\"extra\":1,");
    });
    assert!(matches!(unknown, DeriveError::Decode { line: 1, .. }));
    let twice = damaged(|bytes| {
        bytes.splice(1..1, *b"\"seq\":0,");
    });
    assert!(matches!(twice, DeriveError::Decode { line: 1, .. }));
}

#[test]
fn lanes_hold_rows_exactly_when_they_are_on() {
    let bench = Bench::new(tiny_plan());
    let mut files = bench.files();
    files.0.remove("oracle");
    assert!(matches!(bench.derive_from(&files), Err(DeriveError::MissingLane { lane: Lane::Oracle })));

    let mut off = Bench::new(tiny_plan());
    off.plan.lanes.oracle = false;
    assert!(matches!(off.derive_from(&bench.files()), Err(DeriveError::UnplannedLane { lane: Lane::Oracle })));

    let mut dry = Bench::new(tiny_plan());
    dry.manifest.dry_run = true;
    assert!(matches!(dry.derive_from(&bench.files()), Err(DeriveError::UnplannedLane { .. })));

    let error = refusal(|bench| {
        bench.controls.pop();
    });
    assert!(matches!(error, DeriveError::Controls { profiles: 2, given: 1 }));
}
