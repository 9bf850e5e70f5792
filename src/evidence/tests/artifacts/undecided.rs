//! Rows that show nothing, and what documents say of each.

use super::*;

/// A change of one row, and the (kind, mismatch type) that must come of it.
type Case = (&'static str, fn(&mut Bench), FailureKind, MismatchType);

#[test]
fn every_kind_of_failure_stays_undecided() {
    use FailureKind as Kind;
    use MismatchType as Type;
    fn not_run(bench: &mut Bench, kind: FailureKind) {
        let row = &mut bench.scenario[1];
        row.ending = None;
        row.pid = None;
        row.prologue = None;
        row.operation = None;
        row.not_run = Some(NotRun { kind, reason: "a reason".into(), errno: 0 });
    }
    fn applied(bench: &mut Bench, kind: Option<FailureKind>, errno: i32) {
        let row = &mut bench.scenario[1];
        row.operation = None;
        let prologue = row.prologue.as_mut().unwrap();
        prologue.self_check_after = None;
        let apply = prologue.apply.as_mut().unwrap();
        (apply.rc, apply.errno, apply.failure) = (-1, errno, kind);
        apply.message = Some("the kernel said no".into());
    }
    fn row(bench: &mut Bench) -> &mut ProbeRow {
        &mut bench.scenario[1]
    }
    let cases: &[Case] = &[
        ("capability", |b| not_run(b, Kind::CapabilityMissing), Kind::CapabilityMissing, Type::PreflightBlocked),
        ("fixture", |b| not_run(b, Kind::FixtureFailed), Kind::FixtureFailed, Type::PreflightBlocked),
        ("worker", |b| not_run(b, Kind::WorkerLost), Kind::WorkerLost, Type::PreflightBlocked),
        ("enforcer", |b| not_run(b, Kind::EnforcerUnavailable), Kind::EnforcerUnavailable, Type::ApplyGate),
        (
            "lost",
            |b| row(b).ending = Some(Ending::Lost { reason: "gone".into() }),
            Kind::WorkerLost,
            Type::PreflightBlocked,
        ),
        ("fork", |b| row(b).ending = Some(Ending::NotStarted { errno: 11 }), Kind::SetupFailed, Type::PreflightBlocked),
        (
            "setup",
            |b| {
                row(b).prologue.as_mut().unwrap().setup_failure =
                    Some(SetupFailure { step: "mount".into(), errno: 1, missing: None, leads_to: None })
            },
            Kind::SetupFailed,
            Type::PreflightBlocked,
        ),
        (
            "no landlock",
            |b| applied(b, Some(Kind::LandlockUnavailable), 38),
            Kind::LandlockUnavailable,
            Type::ApplyGate,
        ),
        (
            "right",
            |b| applied(b, Some(Kind::LandlockRightUnsupported), 22),
            Kind::LandlockRightUnsupported,
            Type::ApplyGate,
        ),
        ("rule", |b| applied(b, Some(Kind::LandlockRuleTarget), 2), Kind::LandlockRuleTarget, Type::ApplyGate),
        ("apply", |b| applied(b, None, 1), Kind::LandlockApplyFailed, Type::ApplyGate),
        ("nonsense kind", |b| applied(b, Some(Kind::ProbeErrno), 1), Kind::LandlockApplyFailed, Type::ApplyGate),
        ("no apply", |b| row(b).prologue.as_mut().unwrap().apply = None, Kind::ApplySelfCheckFailed, Type::ApplyGate),
        (
            "another enforcer",
            |b| row(b).prologue.as_mut().unwrap().apply.as_mut().unwrap().api = "chroot".into(),
            Kind::ApplySelfCheckFailed,
            Type::ApplyGate,
        ),
        (
            "in force with an error",
            |b| row(b).prologue.as_mut().unwrap().apply.as_mut().unwrap().errno = 1,
            Kind::LandlockApplyFailed,
            Type::ApplyGate,
        ),
        (
            "no check after",
            |b| row(b).prologue.as_mut().unwrap().self_check_after = None,
            Kind::ApplySelfCheckFailed,
            Type::ApplyGate,
        ),
        (
            "a signal after the report",
            |b| row(b).ending = Some(Ending::Signaled { signal: 9, core_dumped: false }),
            Kind::ProbeCrashed,
            Type::OpNotWitnessed,
        ),
        (
            "another exit code after the report",
            |b| row(b).ending = Some(Ending::Exited { code: 1 }),
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        (
            "a denial, and a signal after it",
            |b| {
                b.scenario[1] = refused(row(b).clone(), libc::EACCES);
                row(b).ending = Some(Ending::Signaled { signal: 9, core_dumped: false });
            },
            Kind::ProbeCrashed,
            Type::OpNotWitnessed,
        ),
        (
            "the deadline after the report",
            |b| row(b).ending = Some(Ending::Expired { deadline_ms: 1, sent: vec![], signal: Some(9) }),
            Kind::ProbeTimeout,
            Type::OpNotWitnessed,
        ),
        (
            "unreadable beside a whole report",
            |b| row(b).report_error = Some("a third line".into()),
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        (
            "a call after one that failed",
            |b| {
                let calls = &mut row(b).operation.as_mut().unwrap().calls;
                calls.insert(0, call("openat", CallRole::Operation, libc::EACCES));
            },
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        ("no call", |b| row(b).operation.as_mut().unwrap().calls.clear(), Kind::ProbeNoReport, Type::OpNotWitnessed),
        (
            "only preparing calls",
            |b| row(b).operation.as_mut().unwrap().calls[0].role = CallRole::Prepare,
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        (
            "failed without an error number",
            |b| row(b).operation.as_mut().unwrap().calls[0].ret = -1,
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        (
            "unsupported but in force",
            |b| row(b).prologue.as_mut().unwrap().apply.as_mut().unwrap().unsupported = vec!["truncate".into()],
            Kind::LandlockRightUnsupported,
            Type::ApplyGate,
        ),
        (
            "not confined after",
            |b| row(b).prologue.as_mut().unwrap().self_check_after.as_mut().unwrap().confined = Some(false),
            Kind::ApplySelfCheckFailed,
            Type::ApplyGate,
        ),
        (
            "after not asked",
            |b| row(b).prologue.as_mut().unwrap().self_check_after.as_mut().unwrap().confined = None,
            Kind::ApplySelfCheckFailed,
            Type::ApplyGate,
        ),
        (
            "confined before",
            |b| row(b).prologue.as_mut().unwrap().self_check_before.confined = Some(true),
            Kind::ApplySelfCheckFailed,
            Type::ApplyGate,
        ),
        (
            "bootstrap",
            |b| {
                row(b).prologue = None;
                row(b).operation = None;
                row(b).ending = Some(Ending::Signaled { signal: 11, core_dumped: false });
            },
            Kind::BootstrapEnded,
            Type::BootstrapFailed,
        ),
        (
            "timeout",
            |b| {
                row(b).operation = None;
                row(b).ending = Some(Ending::Expired { deadline_ms: 1, sent: vec![], signal: Some(9) });
            },
            Kind::ProbeTimeout,
            Type::OpNotWitnessed,
        ),
        (
            "crash",
            |b| {
                row(b).operation = None;
                row(b).ending = Some(Ending::Signaled { signal: 31, core_dumped: false });
            },
            Kind::ProbeCrashed,
            Type::OpNotWitnessed,
        ),
        ("no report", |b| row(b).operation = None, Kind::ProbeNoReport, Type::OpNotWitnessed),
        (
            "unreadable",
            |b| {
                row(b).operation = None;
                row(b).report_error = Some("not JSON".into());
            },
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        (
            "prepare",
            |b| {
                let calls = &mut row(b).operation.as_mut().unwrap().calls;
                calls[0].role = CallRole::Prepare;
                (calls[0].ret, calls[0].errno) = (-1, libc::EACCES);
            },
            Kind::ProbePrepareFailed,
            Type::OpNotWitnessed,
        ),
        (
            "contradictory return value",
            |b| row(b).operation.as_mut().unwrap().calls[0].errno = libc::EACCES,
            Kind::ProbeNoReport,
            Type::OpNotWitnessed,
        ),
        (
            "missing file",
            |b| b.scenario[1] = refused(row(b).clone(), libc::ENOENT),
            Kind::ProbeErrno,
            Type::OpNotWitnessed,
        ),
        (
            "refused anyway",
            |b| {
                b.scenario[1] = refused(row(b).clone(), libc::EACCES);
                b.baseline[1] = refused(b.baseline[1].clone(), libc::EPERM);
            },
            Kind::BaselineDenied,
            Type::OpNotWitnessed,
        ),
        (
            "baseline unknown",
            |b| {
                b.scenario[1] = refused(row(b).clone(), libc::EACCES);
                b.baseline[1] = refused(b.baseline[1].clone(), libc::ENOENT);
            },
            Kind::BaselineUndecided,
            Type::OpNotWitnessed,
        ),
        (
            "another target",
            |b| {
                b.scenario[1] = refused(row(b).clone(), libc::EACCES);
                b.baseline[1].prologue.as_mut().unwrap().target.as_mut().unwrap().mode = Some(0o100_600);
            },
            Kind::BaselineUndecided,
            Type::OpNotWitnessed,
        ),
        (
            "another call",
            |b| {
                b.scenario[1] = refused(row(b).clone(), libc::EACCES);
                b.baseline[1].operation.as_mut().unwrap().calls[0].syscall = "openat2".into();
            },
            Kind::BaselineUndecided,
            Type::OpNotWitnessed,
        ),
        (
            "baseline contradicts",
            |b| b.baseline[1] = refused(b.baseline[1].clone(), libc::EACCES),
            Kind::BaselineContradiction,
            Type::OpNotWitnessed,
        ),
        (
            "no baseline",
            |b| {
                b.scenario[1] = refused(row(b).clone(), libc::EACCES);
                b.plan.lanes.baseline = false;
            },
            Kind::BaselineMissing,
            Type::OpNotWitnessed,
        ),
    ];
    for (name, change, kind, mismatch_type) in cases {
        let mut bench = good();
        bench.scenario[1] = Bench::new(tiny_plan()).scenario[1].clone();
        change(&mut bench);
        let (memory, outcome) = bench.derive();
        let finding = outcome.undecided.iter().find(|finding| finding.probe_name == "read_secret").unwrap();
        assert_eq!((finding.kind, finding.mismatch_type), (Some(*kind), Some(*mismatch_type)), "{name}");
        assert!(!finding.reason.is_empty(), "{name}");
        assert!(outcome.mismatched.is_empty(), "{name}");
        assert_ne!(outcome.profiles[0].status, Some(EntryStatus::Ok), "{name}");
        let results = memory.json(layout::RUNTIME_RESULTS);
        let row = &results["files"]["probes"][1];
        assert_eq!((&row["actual"], &row["match"]), (&Value::Null, &Value::Null), "{name}");
        let result = &row["runtime_result"];
        assert_eq!(result["failure_kind"], kind.as_str(), "{name}");
        assert_eq!(result["failure_stage"], kind.stage().as_str(), "{name}");
        // Nothing that was not tried is reported, and nothing that was not started has ended with an error.
        let row = &bench.scenario[1];
        let applied = row.prologue.as_ref().is_some_and(|prologue| prologue.apply.is_some());
        // The contract's guardrails.
        match result["failure_stage"].as_str().unwrap() {
            "preflight" => assert!(result["status"] == "blocked" && result["apply_report"].is_null(), "{name}"),
            "apply" if applied => {
                assert!(result["status"] == "errno" && result["apply_report"]["rc"] == -1, "{name}");
            }
            "apply" => {
                let status = if row.not_run.is_some() { "blocked" } else { "errno" };
                assert!(result["status"] == status && result["apply_report"].is_null(), "{name}: {result}");
            }
            _ => assert_eq!(result["status"], "errno", "{name}"),
        }
        // What decided nothing is witnessed in no document.
        let witnessed = if kind.stage().is_blocked() { Value::Null } else { Value::Bool(false) };
        assert_eq!(result["intended_op_witnessed"], witnessed, "{name}");
        let event = &memory.json(layout::RUNTIME_EVENTS)[1];
        assert_eq!(event.get("intended_op_witnessed"), Some(&witnessed).filter(|said| !said.is_null()), "{name}");
        assert!(event.get("actual").is_none() && event.get("match").is_none(), "{name}");
        let packet = memory.text(layout::MISMATCH_PACKETS).lines().next().unwrap();
        let packet: Value = serde_json::from_str(packet).unwrap();
        assert_eq!(packet["expectation_id"], "files:read_secret", "{name}");
        let reason = if kind.stage().is_blocked() { "decision_undetermined" } else { "op_not_witnessed" };
        assert_eq!(packet["mismatch_reason"], reason, "{name}");
        assert_eq!(packet["decision_event"]["intended_op_witnessed"], witnessed, "{name}");
        let summary = memory.json(layout::SUMMARY);
        let listed = summary["undecided_rows"]["rows"].as_array().unwrap();
        let listed = listed.iter().find(|row| row["expectation_id"] == "files:read_secret").unwrap();
        assert_eq!(listed["failure_kind"], kind.as_str(), "{name}");
        assert_eq!(summary["by_design_rows"]["count"], 0, "{name}");
        check(&memory);
    }
}

#[test]
fn denials_in_the_baseline_are_the_platforms() {
    let mut bench = good();
    bench.baseline[1] = refused(bench.baseline[1].clone(), libc::EACCES);
    let (memory, _) = bench.derive();
    let event = &memory.json(layout::RUNTIME_EVENTS)[1];
    assert_eq!(event["policy_layers"]["attribution"], "platform_policy");
    assert_eq!(event["policy_layers"]["effective_decision"], "deny");
    assert_eq!(event["file_confounder"]["classification"], "unix_permissions");
    let packet: Value = serde_json::from_str(memory.text(layout::MISMATCH_PACKETS)).unwrap();
    assert_eq!(packet["mismatch_reason"], "op_not_witnessed");
}

#[test]
fn a_contradiction_of_the_baseline_has_no_error_number_of_its_own() {
    let mut bench = good();
    bench.scenario[1] = Bench::new(tiny_plan()).scenario[1].clone();
    bench.baseline[1] = refused(bench.baseline[1].clone(), libc::EACCES);
    let event = &bench.derive().0.json(layout::RUNTIME_EVENTS)[1];
    assert_eq!(event["failure_kind"], "baseline_contradiction");
    assert!(event.get("errno").is_none(), "this row's own call had none: {event}");
}

#[test]
fn rows_that_could_not_be_decided_are_listed_apart_from_those_that_were_not() {
    let ask = ("ask", "mach-lookup", Driver::PolicyQuery, "com.example.a", Decision::Deny);
    let post = ("post", "darwin-notification-post", Driver::DarwinNotificationPost, "com.example.b", Decision::Deny);
    let read = ("read", "file-read-data", Driver::FileRead, "${root}/x", Decision::Allow);
    let crashed = ("crashed", "mach-lookup", Driver::PolicyQuery, "com.example.c", Decision::Deny);
    let mut bench = Bench::new(plan(ALL_LANES, &[("p", &[ask, post, read, crashed])]));
    bench.scenario[2] = refused(bench.scenario[2].clone(), libc::ENOENT);
    bench.scenario[3].ending = Some(Ending::Signaled { signal: 9, core_dumped: false });
    let (memory, outcome) = bench.derive();
    check(&memory);
    let summary = memory.json(layout::SUMMARY);
    let kinds = |list: &str| summary[list]["kinds"].clone();
    assert_eq!(kinds("by_design_rows"), serde_json::json!({"probe_inconclusive": 1, "oracle_only": 1}));
    assert_eq!(kinds("undecided_rows"), serde_json::json!({"probe_errno": 1, "probe_crashed": 1}));
    // A row that could not be decided is still no pass; and one that was not even answered leaves something open.
    assert_eq!(outcome.total.rows.undecided, 4);
    assert_eq!(outcome.asked, 0);
    assert_eq!((outcome.total.rows.matched, outcome.status), (0, SummaryStatus::Partial));
}

#[test]
fn only_so_many_undecided_rows_are_listed_and_all_are_counted() {
    use crate::record::summary::MAX_LISTED_ROWS;
    let names: Vec<String> = (0..MAX_LISTED_ROWS + 3).map(|n| format!("p{n}")).collect();
    let specs: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), "file-read-data", Driver::FileRead, "${root}/x", Decision::Deny))
        .collect();
    let mut bench = Bench::new(plan(ALL_LANES, &[("p", &specs)]));
    for row in &mut bench.scenario {
        row.operation = None;
    }
    let summary = bench.derive().0.json(layout::SUMMARY);
    let list = &summary["undecided_rows"];
    assert_eq!((&list["count"], &list["left_out"]), (&Value::from(names.len()), &Value::from(3)));
    assert_eq!(list["rows"].as_array().unwrap().len(), MAX_LISTED_ROWS);
    assert_eq!(list["kinds"]["probe_no_report"], names.len());
}

#[test]
fn a_refusal_whose_effect_was_seen_is_no_refusal() {
    let mut bench = good();
    bench.scenario[2].listener.as_mut().unwrap().accept_count = 1;
    assert_eq!(bench.derive().1.total.undecided_by_kind[&FailureKind::ProbeNoReport], 1);
}

#[test]
fn programs_that_were_reached_are_allowed_unless_another_exit_code_is_asked_for() {
    let spec = ("run", "process-exec*", Driver::Exec, "${root}/program", Decision::Allow);
    let mut bench = Bench::new(plan(ALL_LANES, &[("p", &[spec])]));
    for rows in [&mut bench.baseline, &mut bench.scenario] {
        rows[0].operation = None;
        rows[0].ending = Some(Ending::Exited { code: 42 });
    }
    assert_eq!(bench.derive().1.total.rows.matched, 1);
    bench.scenario[0].ending = Some(Ending::Exited { code: 0 });
    assert_eq!(bench.derive().1.total.rows.matched, 1);
    bench.scenario[0].ending = Some(Ending::Signaled { signal: 11, core_dumped: false });
    assert_eq!(bench.derive().1.total.undecided_by_kind[&FailureKind::ProbeCrashed], 1);
    let mut row = bench.baseline[0].clone();
    row.action.exit_code = Some(0);
    assert!(matches!(attempt(&row), Attempt::Undecided(cause) if cause.kind == FailureKind::ProbeEffectUnseen));
    row.action.exit_code = Some(42);
    assert_eq!(attempt(&row), Attempt::Allowed);
    bench.scenario[0].ending = Some(Ending::Exited { code: 0 });
    // A refused execution is compared with a baseline that left no list of calls.
    bench.scenario[0] = refused(Bench::new(plan(ALL_LANES, &[("p", &[spec])])).scenario[0].clone(), libc::EACCES);
    assert_eq!(bench.derive().1.total.rows.mismatched, 1);
}

#[test]
fn a_connection_that_reaches_nobody_is_not_allowed() {
    let mut bench = good();
    bench.scenario[2] = Bench::new(tiny_plan()).scenario[2].clone();
    bench.scenario[2].listener.as_mut().unwrap().accept_count = 0;
    assert_eq!(bench.derive().1.total.undecided_by_kind[&FailureKind::ProbeEffectUnseen], 1);
}

#[test]
fn a_signal_that_does_not_arrive_is_not_allowed() {
    let spec = ("signal", "signal", Driver::SignalOutside, "child", Decision::Allow);
    let mut bench = Bench::new(plan(ALL_LANES, &[("p", &[spec])]));
    bench.scenario[0].operation.as_mut().unwrap().details = vec![(DetailName::Received, 1)];
    assert_eq!(bench.derive().1.total.rows.matched, 1);
    bench.scenario[0].operation.as_mut().unwrap().details = vec![(DetailName::Received, 0)];
    assert_eq!(bench.derive().1.total.undecided_by_kind[&FailureKind::ProbeEffectUnseen], 1);
}
