//! Questions files: a plan in plain lines.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{expect_code, output, sandproof, stderr, stdout};

const POLICY: &str = r#"{
  "schema_version": "sandproof.landlock_policy.v1", "abi": 1,
  "handled": {"fs": ["read_file", "read_dir", "write_file", "make_reg"]},
  "path_beneath": [
    {"path": "/usr", "allow": ["read_file", "read_dir"]},
    {"path": "${root}/workspace", "allow": ["read_file", "read_dir", "write_file", "make_reg"]}
  ]
}"#;

const QUESTIONS: &str = "\
# what is asked
landlock policy.json
allow list  /usr
deny  list  /etc            # a real folder of the host
deny  read  /etc/passwd
deny  list  ~               # as is this
allow read  ${workspace}/notes
allow write ${workspace}/notes
allow write ${workspace}
deny  write ${outside}/notes
deny  write /tmp
deny  write /var/tmp
";

fn folder(questions: &str) -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("questions-").tempdir_in("/var/tmp").unwrap();
    fs::write(folder.path().join("policy.json"), POLICY).unwrap();
    fs::write(folder.path().join("mine.questions"), questions).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> std::process::Output {
    output(sandproof().args(arguments).current_dir(folder).env("HOME", folder))
}

#[cfg(target_os = "linux")]
#[test]
fn real_folders_are_asked_about_and_the_bundle_holds_the_file_and_what_it_stands_for() {
    let folder = folder(QUESTIONS);
    let ran = run(folder.path(), &["run", "--plan", "mine.questions", "--run-id", "one", "--report", "sarif:r.sarif"]);
    expect_code(&ran, 0);
    assert!(stdout(&ran).contains("10 probes, 10 as expected."), "{}", stdout(&ran));
    let bundle = folder.path().join("out/one");
    assert_eq!(fs::read_to_string(bundle.join("inputs/questions.txt")).unwrap(), QUESTIONS);
    let probes: Value = serde_json::from_slice(&fs::read(bundle.join("inputs/probes.json")).unwrap()).unwrap();
    assert_eq!(probes["probes"]["list /etc"]["why"], "a real folder of the host");
    assert_eq!(probes["probes"]["list ~"]["target"], folder.path().to_str().unwrap());
    expect_code(&run(folder.path(), &["validate-bundle", "--bundle", "out/one"]), 0);

    // The same from the documents that it stands for, and asked of a policy by hand.
    expect_code(&run(folder.path(), &["plan-build", "--questions", "mine.questions", "--out", "built"]), 0);
    expect_code(&run(folder.path(), &["run", "--plan", "built", "--out", "out2"]), 0);
    let loose: String =
        QUESTIONS.lines().filter(|line| !line.starts_with("landlock")).map(|l| format!("{l}\n")).collect();
    fs::write(folder.path().join("loose"), loose).unwrap();
    expect_code(&run(folder.path(), &["ask", "--questions", "loose", "--policy", "policy.json"]), 0);
    let both = run(folder.path(), &["ask", "--questions", "mine.questions", "--policy", "policy.json"]);
    expect_code(&both, 3);
    assert!(stderr(&both).contains("`2:1`: the file says itself who is asked"), "{}", stderr(&both));
}

#[cfg(target_os = "linux")]
#[test]
fn a_mistake_is_told_with_the_line_of_its_question() {
    let folder = folder("landlock policy.json\n\nallow read /etc/passwd  # a mistake\nallow list /usr\n");
    let ran = run(folder.path(), &["run", "--plan", "mine.questions", "--report", "sarif:r.sarif"]);
    expect_code(&ran, 1);
    let sarif: Value = serde_json::from_slice(&fs::read(folder.path().join("r.sarif")).unwrap()).unwrap();
    let text = sarif.to_string();
    assert!(text.contains("mine.questions"), "{text}");
    let linted = run(folder.path(), &["plan-lint", "--plan", "mine.questions"]);
    assert!(stdout(&linted).contains("`mine.questions` at `3:1`"), "{}", stdout(&linted));
}

#[test]
fn every_fault_of_a_file_is_said_at_once() {
    let folder = folder("landlok x\nlandlock policy.json\ndeny flie /x\ndeny read \"/x\ncreate /etc/x\nread\n");
    let ran = run(folder.path(), &["run", "--plan", "mine.questions"]);
    expect_code(&ran, 3);
    let text = stderr(&ran);
    for wanted in ["`1:1`: `landlok`", "did you mean `landlock`?", "`3:6`", "`4:11`", "`5:8`", "`6:1`: it needs a path"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    fs::write(folder.path().join("mine.questions"), b"landlock policy.json\nread /\xff\n").unwrap();
    let ran = run(folder.path(), &["run", "--plan", "mine.questions"]);
    assert!(stderr(&ran).contains("`2:1`: line 2 is not UTF-8"), "{}", stderr(&ran));
}

#[cfg(target_os = "linux")]
#[test]
fn what_init_writes_runs_at_once_and_is_never_written_over() {
    let folder = tempfile::Builder::new().prefix("init-").tempdir_in("/var/tmp").unwrap();
    let made = run(folder.path(), &["init"]);
    expect_code(&made, 0);
    assert!(stdout(&made).ends_with("now: sandproof run --plan sandbox.questions\n"), "{}", stdout(&made));
    let ran = run(folder.path(), &["run", "--plan", "sandbox.questions", "--run-id", "one"]);
    expect_code(&ran, 0);
    expect_code(&run(folder.path(), &["plan-lint", "--plan", "sandbox.questions"]), 0);
    // Of each kind of question one is allowed and one denied.
    let text = fs::read_to_string(folder.path().join("sandbox.questions")).unwrap();
    for verb in ["read", "list", "write", "create"] {
        for expected in ["allow", "deny"] {
            let asks = |line: &str| line.split_whitespace().take(2).eq([expected, verb]);
            assert!(text.lines().any(asks), "{expected} {verb}");
        }
    }
    fs::write(folder.path().join("policy.json"), "mine").unwrap();
    let again = run(folder.path(), &["init"]);
    expect_code(&again, 3);
    assert!(stderr(&again).contains("policy.json, sandbox.questions"), "{}", stderr(&again));
    assert_eq!(fs::read_to_string(folder.path().join("policy.json")).unwrap(), "mine");

    expect_code(&run(folder.path(), &["init", "--agent", "agent"]), 0);
    let lines = fs::read_to_string(folder.path().join("agent/sandbox.questions")).unwrap();
    assert_eq!(lines.lines().filter(|line| line.starts_with("allow") || line.starts_with("deny")).count(), 20);
    expect_code(&run(folder.path(), &["run", "--plan", "agent"]), 0);

    // What is for macOS can be checked, and run dry, anywhere.
    expect_code(&run(folder.path(), &["new", "--seatbelt", "mac"]), 0);
    expect_code(&run(folder.path(), &["plan-lint", "--plan", "mac/sandbox.questions"]), 0);
    expect_code(&run(folder.path(), &["run", "--dry", "--plan", "mac/sandbox.questions"]), 0);

    expect_code(&run(folder.path(), &["init", "--launcher", "env A='b c' --", "boxed"]), 0);
    expect_code(&run(folder.path(), &["plan-lint", "--plan", "boxed/sandbox.questions"]), 0);
    expect_code(&run(folder.path(), &["init", "--launcher", "a | b", "piped"]), 2);
    assert!(!folder.path().join("piped").exists());
}

#[test]
fn a_policy_may_lie_above_the_questions() {
    let folder = folder("landlock ../policy.json\ndeny read /etc/hostname\n");
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    fs::rename(folder.path().join("mine.questions"), inner.join("a.questions")).unwrap();
    let ran = run(&inner, &["run", "--plan", "a.questions", "--out", "out", "--report", "sarif:a.sarif"]);
    expect_code(&ran, 0);
    expect_code(&run(&inner, &["validate-bundle", "--bundle", "out"]), 0);
    // A folder of documents has a copy of it, whatever else is called the same there.
    fs::create_dir(inner.join("policies")).unwrap();
    fs::copy(folder.path().join("policy.json"), inner.join("policies/policy.json")).unwrap();
    fs::write(
        inner.join("a.questions"),
        "landlock policies/policy.json\ndeny read /etc/hostname\nlandlock ./../policy.json\ndeny read /etc/hostname\n",
    )
    .unwrap();
    expect_code(&run(&inner, &["plan-build", "--questions", "a.questions", "--out", "plan"]), 0);
    let moved = folder.path().join("elsewhere");
    fs::rename(inner.join("plan"), &moved).unwrap();
    assert!(moved.join("policies/policy.json").is_file() && moved.join("policies/2-policy.json").is_file());
    let profiles = serde_json::from_slice::<Value>(&fs::read(moved.join("registry/profiles.json")).unwrap()).unwrap();
    let paths: Vec<&str> =
        profiles["profiles"].as_object().unwrap().values().map(|one| one["profile_path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["policies/policy.json", "policies/2-policy.json"]);
    expect_code(&run(&moved, &["run", "--plan", ".", "--out", "out"]), 0);
}
