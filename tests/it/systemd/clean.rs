//! The good path, also from shells that are themselves confined.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::confine::confined;
use super::host::{Host, executable, failed_checks, folder, json};
use crate::support::{copy_folder, expect_code, output, sandproof, stderr, stdout, validate};
use crate::systemd_host;

/// The packet of a bundle that has to be promotable.
#[track_caller]
fn packet(bundle: &Path) -> Value {
    let to = bundle.parent().unwrap().join("packet.json");
    let emitted = output(
        sandproof().args(["emit-promotion", "--require-promotable", "--bundle"]).arg(bundle).arg("--out").arg(&to),
    );
    expect_code(&emitted, 0);
    json(&to)
}

/// Expects a bundle that is clean in every respect.
#[track_caller]
fn expect_clean(bundle: &Path) {
    assert_eq!(failed_checks(bundle), Vec::<String>::new());
    assert!(!bundle.join("worker_witness.json").exists(), "the worker's own copy is not for the bundle");
    let witness = json(&bundle.join("channel_witness.json"));
    assert_eq!(witness["manager"]["exit_code"], 0, "{witness:#}");
    assert_eq!(witness["worker"]["ppid"], 1);
    assert_eq!(witness["worker"]["landlock_layers"], 0);
    expect_code(&validate(bundle), 0);
    let packet = packet(bundle);
    assert_eq!(packet["promotability"]["promotable_decision_stage"], true, "{packet:#}");
    assert_eq!(packet["promotability"]["reasons"], serde_json::json!([]));
}

#[test]
fn shipped_plans_give_bundles_that_may_be_promoted_and_verify_anywhere() {
    let host = systemd_host!();
    for plan in ["quickstart", "linux-files"] {
        let dir = folder();
        let out = dir.path().join("out");
        let run_id = format!("good-{plan}");
        let run = output(host.clean_run(&format!("plans/{plan}/plan.json"), &run_id, &out).arg("--json"));
        expect_code(&run, 0);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(report["promotability"]["promotable_decision_stage"], true, "{report:#}");
        let bundle = out.join(&run_id);
        expect_clean(&bundle);
        let manifest = json(&bundle.join("run_manifest.json"));
        assert_eq!(manifest["channel"], "systemd_clean");
        assert_eq!(manifest["stage_used"], true);
        let stage = PathBuf::from(manifest["stage_root"].as_str().unwrap());
        let fixtures = PathBuf::from(manifest["fixture_base"].as_str().unwrap());
        host.expect_nothing_left(&format!("sandproof-{run_id}.service"), &[&stage, &fixtures]);
        // Elsewhere, and without the original.
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = elsewhere.path().join(&run_id);
        copy_folder(&bundle, &copy);
        drop(dir);
        expect_code(&validate(&copy), 0);
        packet(&copy);
    }
}

#[test]
fn what_the_stage_carries_decides_and_not_the_folder_of_the_caller() {
    let host = systemd_host!();
    let dir = folder();
    let out = dir.path().join("out");
    std::fs::create_dir(dir.path().join("here")).unwrap();
    // Every path is relative to where the caller stands; the worker stands elsewhere.
    let run = output(
        Command::new("/usr/bin/nsenter")
            .args(["-t", &host.pid.to_string(), "-p", "-m", "-u", "-i", "-C", "--", "/usr/bin/env", "-C"])
            .arg(dir.path())
            .arg(executable())
            .args(["run", "--channel", "systemd_clean", "--run-id", "relative", "--out", "out", "--fixtures", "here"])
            .args(["--plan", "/run/sandproof-tests/root/plans/quickstart/plan.json"]),
    );
    expect_code(&run, 0);
    let manifest = json(&out.join("relative/run_manifest.json"));
    let base = manifest["fixture_base"].as_str().unwrap();
    assert!(Path::new(base).starts_with(dir.path().join("here")), "{base}");
    expect_clean(&out.join("relative"));
}

/// A run of `quickstart` from a shell that `prefix` has confined; before it, a look at that shell.
#[track_caller]
fn from_confined_shell(host: &Host, kind: &str, wrap: impl Fn(&[String]) -> Vec<String>) {
    let dir = folder();
    let out = dir.path().join("out");
    let run = |channel: &str, run_id: &str| {
        let words = ["run", "--channel", channel, "--run-id", run_id, "--plan", "plans/quickstart/plan.json", "--out"];
        let mut command = vec![executable().display().to_string()];
        command.extend(words.map(str::to_string));
        command.push(out.display().to_string());
        output(host.enter().args(wrap(&command)))
    };
    // The shell is what the test says it is.
    // A file of its own: with one that another shell has just made, touch(1) needs no right to make it.
    let file = format!("/root/sandproof-test-{kind}");
    let look = format!("grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; touch {file} 2>&1; rm -f {file}");
    let seen = stdout(&output(host.enter().args(wrap(&["/bin/sh", "-c", &look].map(str::to_string)))));
    let sign = match kind {
        "landlock" => "Permission denied",
        "no_new_privs" => "NoNewPrivs:\t1",
        _ => "Seccomp:\t2",
    };
    assert!(seen.contains(sign), "{seen}");

    let run_id = format!("from-{}", kind.replace('_', "-"));
    let ran = run("systemd_clean", &run_id);
    assert_eq!(ran.status.code(), Some(0), "{}{}", stdout(&ran), stderr(&ran));
    expect_clean(&out.join(&run_id));

    if kind == "landlock" {
        // The same shell without the manager: the run itself says that it was confined.
        let direct = run("direct", "by-hand");
        assert!(direct.status.code().is_some_and(|code| matches!(code, 0 | 1 | 8)), "{}", stderr(&direct));
        let preflight = json(&out.join("by-hand/apply_preflight.json"));
        assert_eq!(preflight["sandbox_check_self"]["sandboxed"], true, "{preflight:#}");
    }
}

#[test]
fn a_shell_confined_by_landlock_still_gets_a_clean_worker() {
    let host = systemd_host!();
    from_confined_shell(host, "landlock", |command| confined("landlock-writes", command));
}

#[test]
fn a_shell_with_no_new_privs_still_gets_a_clean_worker() {
    let host = systemd_host!();
    from_confined_shell(host, "no_new_privs", |command| {
        let mut words = vec!["/usr/bin/setpriv".to_string(), "--no-new-privs".to_string()];
        words.extend_from_slice(command);
        words
    });
}

#[test]
fn a_shell_under_seccomp_still_gets_a_clean_worker() {
    let host = systemd_host!();
    from_confined_shell(host, "seccomp", |command| confined("seccomp", command));
}
