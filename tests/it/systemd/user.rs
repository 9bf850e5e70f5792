//! An ordinary user's own manager.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ended::{Running, expect_failed, expect_said};
use super::host::{Host, executable, failed_checks, folder, json, wait_for};
use crate::support::{expect_code, output, sandproof, validate};
use crate::systemd_host;
use crate::workspace::Workspace;

/// Starts a manager for a user of the system, as login would. Gives the host's unit that it is.
fn start_manager(host: &Host, uid: u32) -> String {
    let (id, runtime) = (uid.to_string(), format!("/run/user/{uid}"));
    let unit = format!("manager-of-{uid}.service");
    host.must(&["install", "-d", "-m", "700", "-o", &id, "-g", &id, &runtime]);
    let home = format!("--setenv=HOME={runtime}");
    let environment = format!("--setenv=XDG_RUNTIME_DIR={runtime}");
    host.must(&[
        "systemd-run",
        &format!("--unit={unit}"),
        &format!("--uid={id}"),
        &format!("--gid={id}"),
        "--property=Delegate=yes",
        &environment,
        &home,
        "/lib/systemd/systemd",
        "--user",
        "--unit=basic.target",
    ]);
    let socket = format!("/proc/{}/root{runtime}/systemd/private", host.pid);
    // The socket is there before anybody listens on it.
    wait_for("the user's manager", || UnixStream::connect(&socket).ok().map(drop));
    unit
}

/// `run` through the clean channel, as that user.
fn run_as(host: &Host, uid: u32, plan: &Path, run_id: &str, dir: &Path) -> Command {
    std::os::unix::fs::chown(dir, Some(uid), Some(uid)).unwrap();
    let id = uid.to_string();
    let mut command = host.enter();
    command
        .args(["/usr/bin/setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"])
        .arg(executable())
        .args(["run", "--channel", "systemd_clean", "--run-id", run_id, "--plan"])
        .arg(plan)
        .arg("--out")
        .arg(dir.join("out"));
    command
}

#[test]
fn an_ordinary_user_gets_a_clean_worker_from_their_own_manager() {
    let host = systemd_host!();
    start_manager(host, 65_534);
    let dir = folder();
    let run = output(&mut run_as(host, 65_534, Path::new("plans/quickstart/plan.json"), "by-user", dir.path()));
    expect_code(&run, 0);
    let bundle = dir.path().join("out/by-user");
    assert_eq!(failed_checks(&bundle), Vec::<String>::new());
    let witness = json(&bundle.join("channel_witness.json"));
    assert_eq!(witness["manager"]["domain"], "user");
    assert_eq!(witness["worker"]["ids"], serde_json::json!([65_534, 65_534, 65_534, 65_534]));
    expect_code(&validate(&bundle), 0);
    let packet = dir.path().join("packet.json");
    let emit = ["emit-promotion", "--require-promotable", "--bundle"];
    expect_code(&output(sandproof().args(emit).arg(&bundle).arg("--out").arg(&packet)), 0);
}

#[test]
fn a_user_without_a_manager_is_told_so() {
    let host = systemd_host!();
    let dir = folder();
    let run = output(&mut run_as(host, 2, Path::new("plans/quickstart/plan.json"), "nobody", dir.path()));
    expect_code(&run, 7);
    expect_said(&run, &["has no systemd manager", "loginctl enable-linger", "--channel direct"]);
    assert!(!dir.path().join("out").exists());
}

#[test]
fn a_killed_manager_takes_the_worker_with_it_and_the_parent_says_so() {
    let host = systemd_host!();
    let manager = start_manager(host, 1);
    let dir = folder();
    let plan = Workspace::new(dir.path()).long_run("slow").plan_path("slow");
    let mut command = run_as(host, 1, &plan, "killed-manager", dir.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stages = || {
        let entries = std::fs::read_dir("/var/tmp").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
        entries.into_iter().find(|path| path.join("out/killed-manager/rows").exists())
    };
    let stage = wait_for("the worker's lanes", stages);
    host.must(&["systemctl", "kill", "--signal=KILL", "--kill-whom=main", &manager]);
    let ended = child.wait_with_output().unwrap();
    expect_code(&ended, 70);
    expect_said(&ended, &["the manager does not answer", "Failed to connect to bus"]);
    expect_failed(&dir.path().join("out/killed-manager"), "channel");
    assert!(!stage.exists(), "{} is left behind", stage.display());
}

#[test]
fn the_end_of_the_whole_host_leaves_nothing_that_validates() {
    let host = systemd_host!(Host::start());
    let running = Running::start(&host, "ended-host", &[]);
    let (stage, fixtures) = (running.stage.clone(), running.fixtures.clone());
    drop(host);
    let (ended, bundle, _dir) = running.end();
    assert!(!ended.status.success());
    expect_code(&validate(&bundle), 4);
    assert_eq!(json(&bundle.join("run_status.json"))["state"], "in_progress");
    // Nobody is left who could have taken it away.
    std::fs::remove_dir_all(stage).unwrap();
    std::fs::remove_dir_all(fixtures).unwrap();
}
