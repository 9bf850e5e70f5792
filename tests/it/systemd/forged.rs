//! Nobody talks this program into calling a run clean that was not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::host::{executable, expect_closed_shape, folder, json};
use crate::support::{copy_folder, expect_code, finished_run, output, sandproof, stderr, validate};
use crate::{skip, systemd_host};

/// Every variable that this program, its ancestors or a manager could be moved by.
const TEMPTING: [(&str, &str); 10] = [
    ("SANDBOX_LORE_LAUNCHD_CLEAN", "1"),
    ("SANDBOX_LORE_CLEAN", "1"),
    ("SANDBOX_LORE_STAGE_USED", "1"),
    ("SANDBOX_LORE_CHANNEL", "launchd_clean"),
    ("SANDPROOF_CHANNEL", "systemd_clean"),
    ("SANDPROOF_JOB_NONCE", "0123456789abcdef0123456789abcdef"),
    ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
    ("SYSTEMD_EXEC_PID", "1"),
    ("MANAGERPID", "1"),
    ("XPC_SERVICE_NAME", "sandproof.job"),
];

/// Expects that the gate refuses a bundle for (at least) this reason.
#[track_caller]
fn expect_refused(bundle: &Path, reason: &str) {
    let to = tempfile::tempdir().unwrap();
    let emit = |more: &[&str]| {
        let packet = to.path().join("packet.json");
        output(sandproof().args(["emit-promotion", "--bundle"]).arg(bundle).arg("--out").arg(packet).args(more))
    };
    expect_code(&emit(&["--require-promotable"]), 5);
    expect_code(&emit(&[]), 0);
    let reasons = json(&to.path().join("packet.json"))["promotability"]["reasons"].clone();
    assert!(reasons.as_array().unwrap().contains(&reason.into()), "{reasons}");
}

/// Puts programs into a folder that say that all is well, and leave a mark when they are called.
fn tempting_programs(folder: &Path) -> std::path::PathBuf {
    let mark = folder.join("called");
    for name in ["systemctl", "systemd-run"] {
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n: > '{}'\necho MainPID=$$\nexit 0\n", mark.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    mark
}

#[test]
fn no_variable_makes_a_direct_run_clean() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let run =
        output(sandproof().args(["run", "--plan", "plans/quickstart/plan.json", "--out"]).arg(&out).envs(TEMPTING));
    expect_code(&run, 0);
    let bundle = out.join(fs::read_to_string(out.join("LATEST")).unwrap().trim());
    assert_eq!(json(&bundle.join("run_manifest.json"))["channel"], "direct");
    expect_refused(&bundle, "not_clean_channel");
}

#[test]
fn without_a_manager_there_is_no_clean_channel_whatever_is_in_the_path() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mark = tempting_programs(dir.path());
    let run = |inside: bool| {
        let sandproof = env!("CARGO_BIN_EXE_sandproof");
        let mut command = if inside {
            let mut command = Command::new("/usr/bin/unshare");
            // A fresh /run, with and without the sign that systemd has booted this host.
            command.args(["--mount", "/bin/sh", "-c"]);
            command
                .arg("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/$SIGN && exec \"$@\"")
                .arg("sh")
                .arg(sandproof);
            command
        } else {
            Command::new(sandproof)
        };
        command
            .args(["run", "--channel", "systemd_clean", "--plan", "plans/quickstart/plan.json", "--out"])
            .arg(dir.path().join("out"))
            .current_dir(crate::support::root())
            .env_clear()
            .envs(TEMPTING)
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", dir.path().display()));
        command
    };
    let booted = Path::new("/run/systemd/system").exists();
    let root = nix::unistd::geteuid().is_root();
    if booted && !root {
        skip!("this host was booted by systemd, and only root can hide that");
    }
    for sign in if root { &["", "system"][..] } else { &[""] } {
        let ended = output(run(root).env("SIGN", sign));
        expect_code(&ended, 7);
        let said = stderr(&ended);
        for word in ["systemd_clean", "--channel direct", "scripts/with-systemd"] {
            assert!(said.contains(word), "`{word}` is not in:\n{said}");
        }
        assert!(said.contains(if sign.is_empty() { "not booted by systemd" } else { "does not answer" }), "{said}");
        assert!(!mark.exists(), "a program of the caller's PATH was run");
        assert!(!dir.path().join("out").exists(), "something was written");
    }
}

#[test]
fn programs_in_the_path_are_not_asked_where_there_is_a_manager() {
    let host = systemd_host!();
    let dir = folder();
    let mark = tempting_programs(dir.path());
    let out = dir.path().join("out");
    let run = output(
        host.enter()
            .envs(TEMPTING)
            .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
            .arg(executable())
            .args(["run", "--channel", "systemd_clean", "--run-id", "tempted", "--plan", "plans/quickstart/plan.json"])
            .arg("--out")
            .arg(&out),
    );
    expect_code(&run, 0);
    assert!(!mark.exists());
    assert!(super::host::failed_checks(&out.join("tempted")).is_empty());
}

#[test]
fn a_worker_that_was_started_by_hand_gives_nothing_that_may_be_promoted() {
    let host = systemd_host!();
    let dir = folder();
    let out = dir.path().join("out");
    let stage = dir.path().join("sandproof-stage-by-hand");
    // A real stage, as a real worker gets it.
    host.drop_in("sandproof-copied.service", &format!("[Service]\nExecStartPre=/bin/cp -a . {}\n", stage.display()));
    expect_code(&output(&mut host.clean_run("plans/quickstart/plan.json", "copied", &out)), 0);
    expect_closed_shape("worker_job", &json(&stage.join("job.json")));
    fs::write(stage.join("go"), "").unwrap();

    // Without an owner it does nothing at all, and takes nothing away that is no stage.
    let job = stage.join("job.json");
    let by_hand = |words: &[&str]| {
        output(host.enter().envs(TEMPTING).args(words).arg(stage.join("sandproof")).arg("__worker").arg(&job))
    };
    let lonely = by_hand(&[]);
    expect_code(&lonely, 70);
    assert!(stderr(&lonely).contains("has ended"), "{}", stderr(&lonely));
    assert!(job.exists());
    assert!(!stage.join("out").exists());

    // With one, it works; its result names the channel and lacks the witness that only a parent can write.
    let alive = stage.join("alive");
    let ended = by_hand(&["/usr/bin/flock", alive.to_str().unwrap()]);
    expect_code(&ended, 0);
    let forged = stage.join("out/copied");
    assert_eq!(json(&forged.join("run_manifest.json"))["channel"], "systemd_clean");
    expect_refused(&forged, "channel_unwitnessed");

    // Somebody else's witness does not help: the bundle is closed, and a repair says that it was one.
    fs::copy(out.join("copied/channel_witness.json"), forged.join("channel_witness.json")).unwrap();
    expect_code(&validate(&forged), 4);
    expect_code(&output(sandproof().args(["reindex-bundle", "--repair", "--bundle"]).arg(&forged)), 0);
    expect_code(&validate(&forged), 4);
    let packet = dir.path().join("packet.json");
    let emitted = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&forged).arg("--out").arg(&packet));
    expect_code(&emitted, 4);
    let packet = json(&packet);
    assert_eq!(packet["promotability"]["promotable_decision_stage"], false);
    let reasons = packet["promotability"]["reasons"].as_array().unwrap();
    for reason in ["bundle_integrity_unverified", "bundle_repaired"] {
        assert!(reasons.iter().any(|found| found == reason), "{reason}: {reasons:?}");
    }

    // Nor does calling a direct run by another name.
    let direct = finished_run("plans/quickstart/plan.json", 0);
    let copy = direct.dir.path().join("copy").join(direct.bundle.file_name().unwrap());
    copy_folder(&direct.bundle, &copy);
    let manifest = fs::read_to_string(copy.join("run_manifest.json")).unwrap();
    fs::write(copy.join("run_manifest.json"), manifest.replace("\"direct\"", "\"systemd_clean\"")).unwrap();
    expect_code(&validate(&copy), 4);
}
