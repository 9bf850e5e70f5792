//! A launcher, started by a worker that a service manager starts.

use serde_json::Value;

use super::host::{failed_checks, folder, json};
use crate::support::{expect_code, output, stderr, stdout, validate};
use crate::{skip, systemd_host};

/// A box that may write in the workspace, and nowhere else; its `/etc` is hidden.
const BOX: &str =
    "bwrap --unshare-net --ro-bind / / --dev /dev --proc /proc --tmpfs ${outside} --bind ${workspace} ${workspace} --";

/// The worker's surroundings are witnessed, and the launcher is what it starts: its questions are decided like those of a direct run,
/// and the surroundings of the launcher's own program are the launcher's.
#[test]
fn a_launcher_is_asked_by_a_worker_that_was_started_cleanly() {
    if !std::path::Path::new("/usr/bin/bwrap").exists() {
        skip!("there is no bubblewrap");
    }
    let host = systemd_host!();
    let dir = folder();
    let questions = dir.path().join("box.questions");
    // By its own name: another test of this host may have mounted all of it elsewhere, and then the file can be read there.
    let text = format!(
        "launcher {BOX}\nallow write ${{workspace}}/notes\nallow read ${{workspace}}/notes\ndeny(hidden,by-name) read ${{outside}}/secret\n\
         deny connect 127.0.0.1:${{port}}\n"
    );
    std::fs::write(&questions, text).unwrap();
    let run = output(host.clean_run(questions.to_str().unwrap(), "boxed", &dir.path().join("out")).args([
        "--allow-host-programs",
        "--as-root",
        "--json",
    ]));
    let rows = std::fs::read_to_string(dir.path().join("out/boxed/rows/scenario.jsonl")).unwrap_or_default();
    assert_eq!(run.status.code(), Some(0), "{}\n{}\n{rows}", stdout(&run), stderr(&run));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&report["planned"], &report["matched"]), (&4.into(), &4.into()), "{report:#}");
    let bundle = dir.path().join("out/boxed");
    assert_eq!(failed_checks(&bundle), Vec::<String>::new());
    let witness = json(&bundle.join("channel_witness.json"));
    assert_eq!((&witness["worker"]["ppid"], &witness["worker"]["landlock_layers"]), (&1.into(), &0.into()));
    expect_code(&validate(&bundle), 0);
    // The launcher's program is in the declaration, which was sealed before the worker existed.
    let identity = json(&bundle.join("run_identity.json"));
    let launchers = identity["artifact"]["launchers"].to_string();
    assert!(launchers.contains("/bwrap"), "{launchers}");
}

/// Without consent nothing of it is started, whatever the channel.
#[test]
fn a_launcher_of_a_plan_needs_consent_through_a_clean_channel_too() {
    let host = systemd_host!();
    let dir = folder();
    let questions = dir.path().join("box.questions");
    std::fs::write(&questions, "launcher env --\nallow read /etc/hosts\n").unwrap();
    let run = output(&mut host.clean_run(questions.to_str().unwrap(), "unasked", &dir.path().join("out")));
    expect_code(&run, 3);
    assert!(!dir.path().join("out/unasked").exists(), "nothing was begun");
}
