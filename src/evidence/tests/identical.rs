//! A denial counts only if the baseline allowed the identical call on the identical target by the identical caller.

use crate::evidence::decide::{Attempt, ControlsSay, Verdict, attempt, verdict};
use crate::evidence::testing::{action, allowed, call, refused};
use crate::record::action::BindMount;
use crate::record::driver::Driver;
use crate::record::launcher::LauncherRecord;
use crate::record::outcome::{FailureKind, Lane};
use crate::record::report::CallRole;
use crate::record::row::ProbeRow;

/// A refused read in the scenario lane, and the same read that went through without a policy. Both issued two calls.
fn pair() -> (ProbeRow, ProbeRow) {
    let declared = action(Driver::FileRead, "${root}/f");
    let row = |lane| {
        let mut row = allowed(lane, 0, "p", "read", &declared);
        row.operation.as_mut().unwrap().calls.push(call("read", CallRole::Operation, 0));
        row
    };
    (refused(row(Lane::Scenario), libc::EACCES), row(Lane::Baseline))
}

/// The verdict on that read after a change of the baseline, which goes on to show that the operation went through.
fn after(change: impl FnOnce(&mut ProbeRow)) -> Verdict {
    let (scenario, mut baseline) = pair();
    change(&mut baseline);
    let without_policy = attempt(&baseline);
    assert_eq!(without_policy, Attempt::Allowed, "the change is to leave an allowed baseline");
    verdict(&scenario, attempt(&scenario), Some((&baseline, without_policy)), ControlsSay::NothingWrong)
}

#[track_caller]
fn no_denial(what: &str, change: impl FnOnce(&mut ProbeRow)) {
    match after(change) {
        Verdict::Undecided(undecided) => {
            assert_eq!(
                (undecided.kind, undecided.errno),
                (FailureKind::BaselineUndecided, Some(libc::EACCES)),
                "{what}"
            );
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn the_identical_call_on_the_identical_target_makes_a_denial() {
    assert_eq!(after(|_| ()), Verdict::Deny { errno: Some(libc::EACCES) });
    // Fixtures are made afresh for each lane, so these are others in every honest run.
    assert_eq!(
        after(|baseline| {
            let prologue = baseline.prologue.as_mut().unwrap();
            prologue.target.as_mut().unwrap().ino = Some(7);
            (baseline.pid, prologue.pid) = (Some(7), 7);
            baseline.operation.as_mut().unwrap().opened.as_mut().unwrap().ino = 7;
        }),
        Verdict::Deny { errno: Some(libc::EACCES) }
    );
    // What the refused call would have been followed by is not compared.
    assert_eq!(
        after(|baseline| {
            let calls = &mut baseline.operation.as_mut().unwrap().calls;
            calls.push(call("close", CallRole::Operation, 0));
        }),
        Verdict::Deny { errno: Some(libc::EACCES) }
    );
}

#[test]
fn another_action_of_the_baseline_makes_no_denial() {
    no_denial("driver", |b| b.action.driver = Driver::FileReadAt);
    no_denial("target", |b| b.action.target = "/dev/shm/sandproof-test/r/g".into());
    no_denial("second path", |b| b.action.to = Some("/x".into()));
    no_denial("name", |b| b.action.name = Some("x".into()));
    no_denial("payload", |b| b.action.payload = Some("x".into()));
    no_denial("mounts", |b| b.action.mounts = vec![BindMount { from: "/a".into(), at: "/b".into() }]);
}

#[test]
fn other_calls_of_the_baseline_make_no_denial() {
    no_denial("a call fewer", |b| {
        b.operation.as_mut().unwrap().calls.pop();
    });
    no_denial("another call first", |b| b.operation.as_mut().unwrap().calls[0].syscall = "openat2".into());
    no_denial("another call last", |b| b.operation.as_mut().unwrap().calls[1].syscall = "pread64".into());
    no_denial("a call that only prepared", |b| b.operation.as_mut().unwrap().calls[0].role = CallRole::Prepare);
}

#[test]
fn another_target_of_the_baseline_makes_no_denial() {
    fn target(b: &mut ProbeRow) -> &mut crate::record::report::TargetIdentity {
        b.prologue.as_mut().unwrap().target.as_mut().unwrap()
    }
    no_denial("owner", |b| target(b).uid = Some(0));
    no_denial("an owner that is not known", |b| target(b).uid = None);
    no_denial("permission bits", |b| target(b).mode = Some(0o100_600));
    no_denial("type", |b| target(b).mode = Some(0o040_644));
    no_denial("it was not there", |b| target(b).errno = libc::ENOENT);
    no_denial("none", |b| b.prologue.as_mut().unwrap().target = None);
}

#[test]
fn another_caller_of_the_baseline_makes_no_denial() {
    no_denial("root instead of an ordinary user", |b| b.prologue.as_mut().unwrap().uid = 0);
}

/// A refused question under a launcher, and an operation that went through without it.
fn under_launcher(scenario: &str, baseline: &str) -> Verdict {
    let row = |lane, target: &str, root: &str| {
        let mut row = allowed(lane, 0, "p", "read", &action(Driver::FileRead, target));
        (row.action.target, row.root) = (target.replace("${root}", root), root.to_owned());
        row
    };
    let mut asked = row(Lane::Scenario, scenario, "/run/l000000");
    asked.launcher = Some(Box::new(LauncherRecord::empty(1)));
    let without = row(Lane::Baseline, baseline, "/run/r000000");
    let denied = Attempt::Denied { errno: Some(libc::EACCES) };
    verdict(&asked, denied, Some((&without, Attempt::Allowed)), ControlsSay::NothingWrong)
}

#[test]
fn a_question_under_a_launcher_is_compared_with_the_same_operation_in_another_folder() {
    let denied = Verdict::Deny { errno: Some(libc::EACCES) };
    for (scenario, baseline, same) in [
        ("${root}/f", "${root}/f", true),
        ("${root}/f", "${root}/g", false),
        ("/etc/passwd", "/etc/passwd", true),
        // Each lane picks its own port; those that a plan names are no such.
        ("127.0.0.1:40001", "127.0.0.1:40002", true),
        ("127.0.0.1:80", "127.0.0.1:81", false),
        ("10.0.0.1:40001", "10.0.0.1:40002", false),
    ] {
        assert_eq!(under_launcher(scenario, baseline) == denied, same, "{scenario} and {baseline}");
    }
}
