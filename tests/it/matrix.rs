//! Launchers beside each other: from one run or several to a matrix for people and for programs.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::json_answers::Schemas;
use crate::support::{expect_code, output, sandproof, stderr, stdout, validate};

const QUESTIONS: [&str; 3] = ["allow read ${workspace}/f", "deny create ${outside}/n", "deny env SANDPROOF_SECRET"];

fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("matrix-").tempdir_in("/var/tmp").unwrap()
}

/// As whoever runs the tests.
fn as_root() -> &'static [&'static str] {
    if nix::unistd::geteuid().is_root() { &["--as-root"] } else { &[] }
}

/// Asks a command and gives the bundle.
fn asked(folder: &Path, run_id: &str, questions: &[&str], command: &[&str], code: i32) -> PathBuf {
    let mut asking = sandproof();
    asking.current_dir(folder).args(["ask", "--run-id", run_id]).args(questions).args(as_root());
    expect_code(&output(asking.arg("--").args(command)), code);
    folder.join("out").join(run_id)
}

/// The plan that was asked, as a bundle keeps it, with a claim of the launcher's documentation if one is given.
fn plan_of(bundle: &Path, to: &Path, claims: Option<Value>) -> PathBuf {
    let read = |file: &str| -> Value { serde_json::from_slice(&std::fs::read(bundle.join(file)).unwrap()).unwrap() };
    for source in read("inputs/sources.json")["documents"].as_array().unwrap() {
        let path = to.join(source["path"].as_str().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut document = read(source["file"].as_str().unwrap());
        if let Some(claims) = claims.clone().filter(|_| source["role"] == "policy") {
            document["claims"] = claims;
        }
        std::fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
    }
    to.join("plan.json")
}

fn matrix(bundles: &[&Path], format: &str, code: i32) -> String {
    let mut reporting = sandproof();
    reporting.args(["report", "--format", format]);
    for bundle in bundles {
        reporting.arg("--bundle").arg(bundle);
    }
    let reported = output(&mut reporting);
    expect_code(&reported, code);
    stdout(&reported)
}

fn document_of(bundles: &[&Path], code: i32) -> Value {
    let document = serde_json::from_str(&matrix(bundles, "matrix-json", code)).unwrap();
    Schemas::load().satisfied("matrix", &document);
    document
}

#[test]
fn bundles_of_several_launchers_stand_side_by_side() {
    let folder = folder();
    let free = asked(folder.path(), "free", &QUESTIONS, &["env"], 1);
    let dead = asked(folder.path(), "dead", &QUESTIONS[..2], &["false"], 8);
    let clean = asked(folder.path(), "clean", &QUESTIONS, &["env", "-u", "SANDPROOF_SECRET"], 1);
    let document = document_of(&[&free, &dead, &clean], 1);
    let labels: Vec<&str> =
        document["columns"].as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["env [1]", "false", "env [3]"], "two of one name are told apart by their bundles");
    let questions = document["questions"].as_array().unwrap();
    assert_eq!(questions.len(), 3);
    let answers = |n: usize| &questions[n]["answers"];
    assert_eq!(answers(0)["env [1]"]["actual"], "allow");
    assert_eq!(answers(1)["env [1]"]["match"], false);
    assert_eq!(answers(1)["false"]["undecided"], "launcher_not_started");
    assert_eq!(answers(1)["false"]["actual"], Value::Null);
    assert!(answers(2).get("false").is_none(), "it was not asked that");
    assert_eq!(answers(2)["env [3]"]["mechanism"], "hidden");
    assert_eq!(document["columns"][1]["counts"]["undecided"], 2);
    assert_eq!(document["columns"][1]["starts"], Value::from(Vec::<Value>::new()));

    let text = matrix(&[&free, &dead, &clean], "matrix", 1);
    assert!(text.starts_with("QUESTION") && text.contains("hidden") && text.contains("never reached"), "{text}");
    for format in ["matrix-markdown", "matrix-html"] {
        let text = matrix(&[&free, &dead, &clean], format, 1);
        assert!(text.contains("undecided") && text.contains("hidden"), "{text}");
    }
    // Other formats are of one bundle.
    let mut reporting = sandproof();
    reporting.args(["report", "--format", "tap", "--bundle"]).arg(&free).arg("--bundle").arg(&dead);
    let refused = output(&mut reporting);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("matrix-json"), "{}", stderr(&refused));
    // Whatever does not verify is in none.
    std::fs::write(dead.join("rows/scenario.jsonl"), "").unwrap();
    matrix(&[&free, &dead], "matrix", 4);
}

#[test]
fn questions_are_the_same_where_they_ask_the_same_and_nowhere_else() {
    let folder = folder();
    let one = asked(folder.path(), "one", &["read ${workspace}/f"], &["env"], 0);
    // It has the same id there, and asks about something else.
    let two = asked(folder.path(), "two", &["read ${outside}/f"], &["env"], 0);
    // Nothing was expected of either, so nothing is otherwise.
    let document = document_of(&[&one, &two], 0);
    assert_eq!(document["columns"][0]["counts"]["unasserted"], 1);
    assert_eq!(document["questions"].as_array().unwrap().len(), 2);
}

#[test]
fn several_launchers_are_asked_everything_in_one_run() {
    let folder = folder();
    let first = asked(folder.path(), "first", &QUESTIONS, &["env"], 1);
    let plan = plan_of(&first, &folder.path().join("plan"), None);
    let mut running = sandproof();
    running.current_dir(folder.path()).args(["run", "--run-id", "all"]).args(as_root()).arg("--plan").arg(&plan);
    running.args(["--launcher", "free=env", "--launcher", "clean=env -u SANDPROOF_SECRET", "--launcher", "dead=false"]);
    let ran = output(&mut running);
    expect_code(&ran, 1);
    assert!(stdout(&ran).starts_with("QUESTION"), "{}", stdout(&ran));
    let bundle = folder.path().join("plan/out/all");
    expect_code(&validate(&bundle), 0);
    let document = document_of(&[&bundle], 1);
    let labels: Vec<&str> =
        document["columns"].as_array().unwrap().iter().map(|it| it["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["free", "clean", "dead"]);
    let questions = document["questions"].as_array().unwrap();
    assert_eq!(questions.len(), 3);
    assert!(questions.iter().all(|question| question["answers"].as_object().unwrap().len() == 3));
    assert_eq!(questions[2]["answers"]["free"]["actual"], "allow");
    assert_eq!(questions[2]["answers"]["clean"]["actual"], "deny");
    // A name stands for one command.
    let mut running = sandproof();
    running.current_dir(folder.path()).arg("run").args(as_root()).arg("--plan").arg(&plan);
    let twice = output(running.args(["--launcher", "free=env", "--launcher", "free=cat"]));
    expect_code(&twice, 2);
    assert!(stderr(&twice).contains("two launchers are called `free`"), "{}", stderr(&twice));
}

#[test]
fn what_is_documented_stands_beside_what_was_observed() {
    let folder = folder();
    let first = asked(folder.path(), "first", &QUESTIONS, &["env"], 1);
    let claims = serde_json::json!([
        { "operation": "file-write*", "is": "deny", "except": ["${workspace}"], "source": "https://example.org/README" },
        { "operation": "file-read*", "is": "allow", "source": "https://example.org/README" },
    ]);
    let plan = plan_of(&first, &folder.path().join("plan"), Some(claims));
    let mut running = sandproof();
    running.current_dir(folder.path()).args(["run", "--allow-host-programs", "--run-id", "claimed"]);
    expect_code(&output(running.args(as_root()).arg("--plan").arg(&plan)), 1);
    let bundle = folder.path().join("plan/out/claimed");
    let document = document_of(&[&bundle], 1);
    let claim = |n: usize| &document["questions"][n]["answers"]["env"]["claim"];
    assert_eq!(claim(0)["borne_out"], true);
    assert_eq!(claim(1)["borne_out"], false);
    assert_eq!(claim(1)["source"], "https://example.org/README");
    assert_eq!(*claim(2), Value::Null, "it says nothing of variables");
    assert_eq!(document["columns"][0]["claims"]["contradicted"], 1);
    let text = matrix(&[&bundle], "matrix", 1);
    assert!(text.contains("allow !*") && text.contains("not as documented: deny"), "{text}");
}

#[test]
fn two_versions_of_a_launcher_differ_by_the_verdicts_that_flipped() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let first = asked(folder.path(), "first", &QUESTIONS, &["env"], 1);
    let plan = plan_of(&first, &folder.path().join("plan"), None);
    let mock = folder.path().join("mock");
    let word = mock.to_str().unwrap();
    let document = serde_json::json!({
        "schema_version": "sandproof.launcher.v1", "launcher_id": "mock", "argv": [word],
        "version": { "argv": [word, "--version"] },
    });
    let path = folder.path().join("mock.json");
    std::fs::write(&path, document.to_string()).unwrap();
    let run = |version: &str, starts: &str| {
        let script =
            format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'mock {version}' && exit\nexec {starts} \"$@\"\n");
        std::fs::write(&mock, script).unwrap();
        std::fs::set_permissions(&mock, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut running = sandproof();
        running.current_dir(folder.path()).args(["run", "--out", "out", "--run-id", version]).args(as_root());
        expect_code(&output(running.arg("--plan").arg(&plan).arg("--launcher").arg(&path)), 1);
        folder.path().join("out").join(version)
    };
    let [old, new] = [run("1.0", "env"), run("1.1", "env -u SANDPROOF_SECRET")];
    let diff = output(sandproof().args(["diff-runs", "--json"]).args([&old, &new]));
    expect_code(&diff, 1);
    let diff: Value = serde_json::from_slice(&diff.stdout).unwrap();
    let flips = diff["verdicts"]["flips"].as_array().unwrap();
    let flipped: Vec<&Value> = flips.iter().filter(|flip| flip["lane"] == "scenario").collect();
    assert_eq!(flipped.len(), 1, "{diff:#}");
    let actual = |side: &str| flipped[0][side]["actual"].as_str();
    assert_eq!((actual("a"), actual("b")), (Some("allow"), Some("deny")), "{diff:#}");
    assert_eq!(flipped[0]["explanation"]["finding"], "only_difference", "{diff:#}");
    let pointers = diff["declarations"]["parts"].to_string();
    assert!(pointers.contains("mock 1.0") && pointers.contains("mock 1.1"), "{diff:#}");
    // The matrix tells them apart by what they say of themselves.
    let document = document_of(&[&old, &new], 1);
    let columns = document["columns"].as_array().unwrap();
    let labels: Vec<&str> = columns.iter().map(|column| column["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["mock 1.0", "mock 1.1"]);
    assert_ne!(columns[0]["programs"], columns[1]["programs"]);
}
