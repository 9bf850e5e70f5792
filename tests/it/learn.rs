//! `collect` on this host, and `learn` from what it made, from what was changed on the way, and from what strangers send.

use std::fs;

#[cfg(target_os = "linux")]
use on_linux::*;

use crate::support::{expect_code, output, sandproof, stderr};

/// What a Mac answers is not known beforehand, so what is expected of it here is of Linux.
#[cfg(target_os = "linux")]
mod on_linux {
    pub use std::path::{Path, PathBuf};

    pub use serde_json::{Value, json};

    pub use crate::json_answers::Schemas;
    pub use crate::support::{root, stdout};
}

#[cfg(target_os = "linux")]
/// An archive of this host with a small plan, taken apart.
fn collected(dir: &Path) -> (PathBuf, PathBuf) {
    let archive = dir.join("sent.tar");
    let plan = root().join("plans/quickstart/plan.json");
    let made = output(sandproof().current_dir(dir).args(["collect", "--out", "sent.tar", "--plan"]).arg(&plan));
    assert!(matches!(made.status.code(), Some(0 | 8)), "{}{}", stdout(&made), stderr(&made));
    let folder = dir.join("apart");
    fs::create_dir(&folder).unwrap();
    let mut files = tar::Archive::new(fs::File::open(&archive).unwrap());
    files.unpack(&folder).unwrap();
    (archive, folder)
}

#[cfg(target_os = "linux")]
fn learn(what: &Path) -> (i32, Value) {
    let answer = output(sandproof().arg("learn").arg(what).arg("--json"));
    let value: Value = serde_json::from_slice(&answer.stdout).unwrap_or_else(|_| panic!("{}", stderr(&answer)));
    Schemas::load().satisfied("learned", &value);
    (answer.status.code().unwrap(), value)
}

#[cfg(target_os = "linux")]
fn change(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(&mut value);
    fs::write(path, serde_json::to_vec(&value).unwrap()).unwrap();
}

#[cfg(target_os = "linux")]
/// The facts of a source, as what they are about, what was said, and what was observed.
fn facts<'v>(learned: &'v Value, list: &str, source: &str) -> Vec<(&'v str, &'v str, &'v str)> {
    let text = |fact: &'v Value, key: &str| fact[key].as_str().unwrap();
    let all = learned[list].as_array().unwrap().iter().filter(|fact| fact["source"] == source);
    all.map(|fact| (text(fact, "about"), text(fact, "said"), text(fact, "observed"))).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn one_command_collects_what_another_learns_from() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, folder) = collected(dir.path());
    let steps: Value = serde_json::from_slice(&fs::read(folder.join("collected.json")).unwrap()).unwrap();
    Schemas::load().satisfied("collected", &steps);
    let named: Vec<&str> =
        steps["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(named, ["status", "selftest", "direct", "clean"]);
    for step in steps["steps"].as_array().unwrap() {
        assert!(folder.join(step["stdout"].as_str().unwrap()).is_file(), "{step}");
    }
    // An archive that is there stays, and nothing is asked again.
    let before = fs::read(&archive).unwrap();
    let again = output(sandproof().current_dir(dir.path()).args(["collect", "--out", "sent.tar"]));
    expect_code(&again, 2);
    assert!(stderr(&again).contains("must be a new file"), "{}", stderr(&again));
    assert_eq!(fs::read(&archive).unwrap(), before);

    // The archive and the folder that it was taken apart in tell the same.
    let (code, learned) = learn(&archive);
    assert_eq!(learn(&folder), (code, learned.clone()));
    assert_eq!(learned["host"].as_str().unwrap().split(' ').next(), Some("linux"));
    let direct = learned["runs"].as_array().unwrap().iter().find(|run| run["channel"] == "direct");
    let direct = direct.expect("the direct run is there");
    assert_eq!((&direct["verified"], &direct["promotable"]), (&json!(true), &json!(false)));
    assert!(direct["decided"].as_u64().unwrap() > 0, "{direct}");
    // Without a service manager, the clean run has no answer; everything else is as this program says.
    let clean = steps["steps"].as_array().unwrap().iter().find(|step| step["step"] == "clean").unwrap();
    let answered = clean["exit_code"] == 0;
    assert_eq!(facts(&learned, "open", "step").is_empty(), answered, "{learned:#}");
    assert_eq!(learned["facts"], json!([]), "{learned:#}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_not_as_was_said_is_a_fact_to_learn_whatever_the_report_makes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (_, folder) = collected(dir.path());
    let (_, before) = learn(&folder);
    // A Mac whose deny-default allows, in a report that claims to have expected that.
    change(&folder.join("selftest.json"), |report| {
        let items = report["items"].as_array_mut().unwrap();
        let item = items.iter_mut().find(|item| item["id"] == "mac-03").unwrap();
        item["observed"] = json!("allowed");
        item["expected"] = json!("allowed");
        item["verdict"] = json!("settled");
        item["reason"] = Value::Null;
        let item = items.iter_mut().find(|item| item["id"] == "mac-05").unwrap();
        item["observed"] = json!("allowed");
        item["verdict"] = json!("settled");
        item["reason"] = Value::Null;
        let item = items.iter_mut().find(|item| item["id"] == "mac-07").unwrap();
        item["verdict"] = json!("unavailable");
        item["reason"] = json!("no such thing");
    });
    let (code, learned) = learn(&folder);
    assert_eq!(code, 1);
    assert_eq!(facts(&learned, "facts", "selftest"), [("mac-03", "denied, errno 1", "allowed")]);
    // Beside what this host itself cannot answer.
    let open = facts(&learned, "open", "selftest");
    assert_eq!(open.len(), facts(&before, "open", "selftest").len() + 1);
    assert!(open.contains(&("mac-07", "allowed", "no such thing")), "{open:?}");
    assert_eq!(learned["questions"].as_u64(), before["questions"].as_u64().map(|count| count + 2));

    // A bundle that was changed on the way is a fact of its own, and no row of it is read.
    let run = learned["runs"].as_array().unwrap().iter().find(|run| run["channel"] == "direct").unwrap();
    let place = run["folder"].as_str().unwrap();
    change(&folder.join(place).join("summary.json"), |summary| summary["counts"]["matched"] = json!(1));
    let (code, learned) = learn(&folder);
    assert_eq!(code, 1);
    let refused = facts(&learned, "facts", "run");
    assert_eq!(refused.len(), 1, "{learned:#}");
    assert!(refused[0].2.contains("summary.json"), "{refused:?}");
    let run = learned["runs"].as_array().unwrap().iter().find(|run| run["folder"] == place).unwrap();
    assert_eq!((&run["verified"], &run["decided"]), (&json!(false), &json!(0)));
}

#[cfg(target_os = "linux")]
#[test]
fn two_archives_are_compared_answer_by_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, folder) = collected(dir.path());
    let against = |other: &Path| {
        let answer = output(sandproof().arg("learn").arg(&folder).arg("--against").arg(other).arg("--json"));
        serde_json::from_slice::<Value>(&answer.stdout).unwrap()
    };
    assert_eq!(facts(&against(&archive), "facts", "other"), []);
    change(&folder.join("selftest.json"), |report| {
        let items = report["items"].as_array_mut().unwrap();
        let item = items.iter_mut().find(|item| item["id"] == "linux-02").unwrap();
        item["observed"] = json!("9 layers");
        item["reason"] = Value::Null;
    });
    let before = facts(&against(&archive), "facts", "other").len();
    assert_eq!(before, 1, "{:#}", against(&archive));
    assert_eq!(facts(&against(&archive), "facts", "other")[0].2, "9 layers");
}

#[test]
fn what_strangers_send_is_refused_before_it_does_anything() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |name: &str, bytes: &[u8], words: &str| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let answer = output(sandproof().arg("learn").arg(&path));
        expect_code(&answer, 4);
        assert!(stderr(&answer).contains(words), "{name}: {}", stderr(&answer));
    };
    let archive = |name: &str, content: &[u8], kind: tar::EntryType| {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512) + 1024, 0);
        bytes
    };
    let regular = tar::EntryType::Regular;
    refused("none.tar", b"no archive at all", "not a tar archive");
    refused("up.tar", &archive("../../up.json", b"{}", regular), "`..` part");
    refused("absolute.tar", &archive("/tmp/x.json", b"{}", regular), "absolute");
    refused("link.tar", &archive("direct", b"", tar::EntryType::Symlink), "symbolic link");
    refused("other.tar", &archive("hello.txt", b"hello", regular), "nor a run");
    refused("deep.tar", &archive("selftest.json", "[".repeat(5000).as_bytes(), regular), "not a valid document");
    refused("twice.tar", &archive("collected.json", br#"{"a":1,"a":2}"#, regular), "not a valid document");
    refused(
        "old.tar",
        &archive("collected.json", br#"{"schema_version":"x.v9","version":"1","os":"macos","steps":[]}"#, regular),
        "another format",
    );
    assert!(!dir.path().parent().unwrap().join("up.json").exists());
    let absent = output(sandproof().arg("learn").arg(dir.path().join("absent.tar")));
    expect_code(&absent, 2);
}
