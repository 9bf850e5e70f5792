//! What is left when a run is ended from outside.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{expect_code, output, sandproof, stderr, stdout, validate};

/// A plan with enough probes that a run of it takes a while.
const LONG_PLAN: &str = "plans/linux-files/plan.json";

/// The bundles under an output root.
fn bundles(out: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(out) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn a_killed_run_never_leaves_a_bundle_that_verifies_while_it_is_not_complete() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut complete = 0;
    for round in 0..20_u64 {
        let mut child = sandproof()
            .args(["run", "--plan", LONG_PLAN, "--out"])
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Spread over the length of a run; the instant itself is left to the scheduler.
        std::thread::sleep(Duration::from_micros(1_500 * round * round));
        let _ = child.kill();
        let status = child.wait().unwrap();
        if status.signal().is_none() {
            complete += 1;
        }
    }
    for bundle in bundles(&out) {
        let checked = validate(&bundle);
        let state = fs::read(bundle.join("run_status.json"))
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .map_or_else(|| "none".to_string(), |status| status["state"].to_string());
        if checked.status.success() {
            assert_eq!(state, "\"complete\"", "{}", bundle.display());
            assert!(bundle.join("artifact_index.json").exists());
        } else {
            expect_code(&checked, 4);
        }
    }
    assert!(complete < 20, "every run ended before it was killed, so nothing was tested");
    // Nothing that was left behind stands in the way of the next run.
    let next = output(sandproof().args(["run", "--plan", LONG_PLAN, "--out"]).arg(&out));
    assert!(matches!(next.status.code(), Some(0 | 8)), "{}", stderr(&next));
    expect_code(&validate(&out), 0);
}

#[test]
fn an_interrupted_run_leaves_a_readable_bundle_marked_failed() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let plan = slow_plan(dir.path());
        let child = sandproof()
            .args(["run", "--plan"])
            .arg(&plan)
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id() as i32);
        wait_for_rows(&out);
        kill(pid, signal).unwrap();
        let ended = child.wait_with_output().unwrap();
        expect_code(&ended, code);
        let bundle = bundles(&out).pop().unwrap();
        let name = bundle.file_name().unwrap().to_str().unwrap().to_string();
        assert!(stderr(&ended).contains(&name), "the bundle is not named: {}", stderr(&ended));
        let status: Value = serde_json::from_slice(&fs::read(bundle.join("run_status.json")).unwrap()).unwrap();
        assert_eq!(status["state"], "failed");
        assert_eq!(status["failure_stage"], "interrupted");
        let index: Value = serde_json::from_slice(&fs::read(bundle.join("artifact_index.json")).unwrap()).unwrap();
        assert_eq!(index["status"], "failed");
        let checked = validate(&bundle);
        expect_code(&checked, 4);
        let said = stdout(&checked);
        assert!(said.lines().next().unwrap().contains("stage `interrupted`"), "the reason comes first: {said}");
        assert!(said.lines().count() <= 4 && said.contains("more that follow from it"), "{said}");
        assert!(!out.join("LATEST").exists(), "LATEST points at a failed run");
    }
}

/// Waits until the run has started its lanes.
pub fn wait_for_rows(out: &Path) {
    for _ in 0..12_000 {
        if bundles(out).iter().any(|bundle| bundle.join("rows").exists()) {
            std::thread::sleep(Duration::from_millis(20));
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the run did not start");
}

/// A workspace of its own, with one plan that takes many seconds.
fn slow_plan(dir: &Path) -> std::path::PathBuf {
    crate::workspace::Workspace::new(dir).long_run("slow").plan_path("slow")
}
