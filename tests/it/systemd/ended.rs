//! The worker, the parent or the manager ends before its time: nothing validates, and the message says what happened.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::host::{Host, expect_closed_shape, folder, json, wait_for};
use crate::support::{expect_code, output, stderr, stdout, validate};
use crate::systemd_host;
use crate::workspace::Workspace;

/// A run that takes many seconds, in the middle of its lanes.
pub struct Running {
    dir: tempfile::TempDir,
    child: Child,
    run_id: String,
    unit: String,
    /// The worker's stage.
    pub stage: PathBuf,
    /// Where the worker's fixtures are.
    pub fixtures: PathBuf,
    worker: String,
}

impl Running {
    /// Starts it, and waits for its worker's lanes.
    pub fn start(host: &Host, run_id: &str, more: &[&str]) -> Self {
        let dir = folder();
        let plan = Workspace::new(dir.path()).long_run("slow").plan_path("slow");
        let mut command = host.clean_run(plan.to_str().unwrap(), run_id, &dir.path().join("out"));
        command.args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let unit = format!("sandproof-{run_id}.service");
        let (stage, worker) = wait_for("the worker's lanes", || {
            if child.try_wait().unwrap().is_some() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("the run ended at once: {said}");
            }
            let stage = PathBuf::from(host.property(&unit, "WorkingDirectory"));
            let lanes = stage.is_absolute() && stage.join("out").join(run_id).join("rows").exists();
            lanes.then(|| (stage, host.property(&unit, "MainPID")))
        });
        assert!(worker.parse::<i32>().is_ok_and(|pid| pid > 1), "{worker}");
        let fixtures = PathBuf::from(std::fs::read_to_string(stage.join("fixtures.txt")).unwrap());
        assert!(fixtures.is_dir(), "{}", fixtures.display());
        Self { dir, child, run_id: run_id.to_string(), unit, stage, fixtures, worker }
    }

    fn bundle(&self) -> PathBuf {
        self.dir.path().join("out").join(&self.run_id)
    }

    /// The parent itself: `nsenter` stays beside it.
    fn parent(&self) -> Pid {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        Pid::from_raw(std::fs::read_to_string(children).unwrap().trim().parse().unwrap())
    }

    /// Waits for its end.
    pub fn end(self) -> (Output, PathBuf, tempfile::TempDir) {
        let bundle = self.bundle();
        (self.child.wait_with_output().unwrap(), bundle, self.dir)
    }
}

/// A bundle that says that it failed, and passes no check.
#[track_caller]
pub fn expect_failed(bundle: &Path, stage: &str) {
    let status = json(&bundle.join("run_status.json"));
    assert_eq!(status["state"], "failed", "{status:#}");
    assert_eq!(status["failure_stage"], stage, "{status:#}");
    let checked = validate(bundle);
    expect_code(&checked, 4);
    assert!(stdout(&checked).contains("failed"), "{}", stdout(&checked));
    assert!(!bundle.parent().unwrap().join("LATEST").exists(), "LATEST leads to a failed run");
    // What is known of the channel is kept, and is not clean.
    let witness = json(&bundle.join("channel_witness.json"));
    expect_closed_shape("channel_witness", &witness);
    assert_eq!(witness["clean"], false);
    assert_eq!(witness["manager"]["manager"], "systemd");
}

/// What a command has to have complained of.
#[track_caller]
pub fn expect_said(output: &Output, words: &[&str]) {
    let said = stderr(output);
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[test]
fn a_unit_that_cannot_be_started() {
    let host = systemd_host!();
    let dir = folder();
    // The stage lies in /var/tmp, which this unit gets fresh.
    host.drop_in("sandproof-no-stage.service", "[Service]\nPrivateTmp=yes\n");
    let ended = output(&mut host.clean_run("plans/quickstart/plan.json", "no-stage", &dir.path().join("out")));
    expect_code(&ended, 70);
    expect_said(
        &ended,
        &["the worker was not started", "systemd says: state failed", "the manager refused the job: Job"],
    );
    expect_failed(&dir.path().join("out/no-stage"), "channel");
    assert_eq!(host.property("sandproof-no-stage.service", "LoadState"), "not-found", "the failed unit is left behind");
}

#[test]
fn a_killed_worker() {
    let host = systemd_host!();
    let running = Running::start(host, "killed-worker", &[]);
    host.must(&["/bin/sh", "-c", &format!("kill -KILL {}", running.worker)]);
    let (unit, stage, fixtures) = (running.unit.clone(), running.stage.clone(), running.fixtures.clone());
    let (ended, bundle, _dir) = running.end();
    expect_code(&ended, 70);
    expect_said(&ended, &["signal 9 ended it", "systemd says: state failed, result signal", bundle.to_str().unwrap()]);
    expect_failed(&bundle, "channel");
    assert_eq!(json(&bundle.join("channel_witness.json"))["manager"]["signal"], 9);
    host.expect_nothing_left(&unit, &[&stage, &fixtures]);
}

#[test]
fn a_worker_that_hangs() {
    let host = systemd_host!();
    let running = Running::start(host, "hanging-worker", &["--channel-timeout-seconds", "6"]);
    host.must(&["/bin/sh", "-c", &format!("kill -STOP {}", running.worker)]);
    let (unit, stage, fixtures) = (running.unit.clone(), running.stage.clone(), running.fixtures.clone());
    let (ended, bundle, _dir) = running.end();
    expect_code(&ended, 70);
    expect_said(&ended, &["did not end within 6 s and was stopped", "state running", "--channel-timeout-seconds"]);
    expect_failed(&bundle, "channel");
    host.expect_nothing_left(&unit, &[&stage, &fixtures]);
}

#[test]
fn a_unit_that_somebody_stops() {
    let host = systemd_host!();
    let running = Running::start(host, "stopped-unit", &[]);
    host.must(&["systemctl", "stop", &running.unit]);
    let (unit, stage, fixtures) = (running.unit.clone(), running.stage.clone(), running.fixtures.clone());
    let (ended, bundle, _dir) = running.end();
    expect_code(&ended, 70);
    expect_said(&ended, &["the worker ended without a result", "systemd says: state"]);
    expect_failed(&bundle, "channel");
    host.expect_nothing_left(&unit, &[&stage, &fixtures]);
}

#[test]
fn a_killed_parent_leaves_nothing_that_validates_and_nothing_that_runs_on() {
    let host = systemd_host!();
    let running = Running::start(host, "killed-parent", &[]);
    kill(running.parent(), Signal::SIGKILL).unwrap();
    let (unit, stage, fixtures) = (running.unit.clone(), running.stage.clone(), running.fixtures.clone());
    let (ended, bundle, dir) = running.end();
    assert!(!ended.status.success());
    expect_code(&validate(&bundle), 4);
    assert_eq!(json(&bundle.join("run_status.json"))["state"], "in_progress");
    // Nobody waits for the worker any more: it notices, and takes everything with it.
    wait_for("the orphaned unit's end", || (host.property(&unit, "LoadState") == "not-found").then_some(()));
    wait_for("the orphaned stage's end", || (!stage.exists()).then_some(()));
    wait_for("the orphaned fixtures' end", || (!fixtures.exists()).then_some(()));
    // Nothing stands in the way of the next run.
    let out = dir.path().join("out");
    expect_code(&output(&mut host.clean_run("plans/quickstart/plan.json", "next", &out)), 0);
    expect_code(&validate(&out), 0);
}

#[test]
fn an_interrupted_parent_stops_its_unit() {
    let host = systemd_host!();
    for (signal, code, name) in [(Signal::SIGINT, 130, "int"), (Signal::SIGTERM, 143, "term")] {
        let running = Running::start(host, &format!("interrupted-{name}"), &[]);
        kill(running.parent(), signal).unwrap();
        let (unit, stage, fixtures) = (running.unit.clone(), running.stage.clone(), running.fixtures.clone());
        let (ended, bundle, _dir) = running.end();
        expect_code(&ended, code);
        expect_said(&ended, &[bundle.to_str().unwrap(), "marked failed"]);
        expect_failed(&bundle, "interrupted");
        host.expect_nothing_left(&unit, &[&stage, &fixtures]);
    }
}

#[test]
fn a_manager_that_is_replaced_while_the_worker_runs_is_the_same_manager() {
    let host = systemd_host!(Host::start());
    let dir = folder();
    let plan = Workspace::new(dir.path()).many_reads("some", 1_500).plan_path("some");
    let mut command = host.clean_run(plan.to_str().unwrap(), "replaced", &dir.path().join("out"));
    let running = {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    wait_for("the unit", || (host.property("sandproof-replaced.service", "SubState") == "running").then_some(()));
    for _ in 0..3 {
        // It answers nobody while it replaces itself, not even the one who asked for it.
        let _ = host.run(&["systemctl", "daemon-reexec"]);
        std::thread::sleep(Duration::from_millis(300));
    }
    let ended = running.wait_with_output().unwrap();
    expect_code(&ended, 0);
    expect_code(&validate(&dir.path().join("out")), 0);
    assert!(super::host::failed_checks(&dir.path().join("out/replaced")).is_empty());
}

#[test]
fn a_unit_of_the_same_name_that_this_run_did_not_start_is_left_running() {
    let host = systemd_host!();
    let dir = folder();
    let unit = "sandproof-somebody-elses.service";
    host.must(&["systemd-run", "--unit", unit, "--property=WorkingDirectory=/var/tmp", "sleep", "600"]);
    let invocation = host.property(unit, "InvocationID");
    let run = output(&mut host.clean_run("plans/quickstart/plan.json", "somebody-elses", &dir.path().join("out")));
    expect_code(&run, 2);
    assert!(stderr(&run).contains(unit) && stderr(&run).contains("--run-id"), "{}", stderr(&run));
    assert_eq!(host.property(unit, "SubState"), "running");
    assert_eq!(host.property(unit, "InvocationID"), invocation);
    let witness = json(&dir.path().join("out/somebody-elses/channel_witness.json"));
    assert_eq!(witness["manager"], Value::Null, "what the manager says of another's unit is no account of this one");
    host.must(&["systemctl", "stop", unit]);
}
