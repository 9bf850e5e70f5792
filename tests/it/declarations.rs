//! Declarations of other systems: `identity declare --from`, `diff-runs` over them, and the subject of a plan.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::diff_runs::shaped;
use crate::support::{copy_folder, expect_code, output, root, sandproof, stderr, stdout, validate};
use crate::workspace::Workspace;

const EXAMPLES: &str = "docs/examples/support-agent";

/// A copy of the example that can be edited.
fn example() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&root().join(EXAMPLES), dir.path());
    dir
}

#[track_caller]
fn declare(from: &Path) -> Value {
    let output = output(sandproof().args(["identity", "declare", "--json", "--from"]).arg(from));
    expect_code(&output, 0);
    shaped("system_identity", &output.stdout)
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    change(&mut document);
    fs::write(path, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
}

#[test]
fn the_shipped_examples_are_complete_and_the_same_wherever_they_lie() {
    let elsewhere = example();
    for (name, kind) in [("run.json", "ai_run"), ("deployment.json", "deployment")] {
        let here = declare(&Path::new(EXAMPLES).join(name));
        assert_eq!(here["kind"], kind);
        assert_eq!(declare(&elsewhere.path().join(name)), here);
        let people = output(sandproof().args(["identity", "declare", "--from"]).arg(Path::new(EXAMPLES).join(name)));
        expect_code(&people, 0);
        assert!(stdout(&people).contains(here["identity"].as_str().unwrap()), "{}", stdout(&people));
        assert!(stdout(&people).contains("/artifact/model/weights: the provider publishes"), "{}", stdout(&people));
    }
}

#[test]
fn one_changed_byte_changes_that_part_and_the_identity() {
    let dir = example();
    let run = dir.path().join("run.json");
    let before = declare(&run);
    fs::write(dir.path().join("system.txt"), "You answer questions.").unwrap();
    let after = declare(&run);
    assert_ne!(before["identity"], after["identity"]);
    for part in ["artifact", "runtime", "policy", "history"] {
        assert_eq!(before["digests"][part] == after["digests"][part], part != "artifact", "{part}");
    }
}

#[test]
fn an_incomplete_declaration_is_refused_with_everything_that_is_missing() {
    let dir = example();
    let run = dir.path().join("run.json");
    edit(&run, |document| {
        document["artifact"]["model"].as_object_mut().unwrap().remove("version");
        document["artifact"]["parameters"]["temperature"] = json!(0.2);
        document["artifact"]["tools"]["lookup_order"] = json!({"file": "../outside.json"});
        document.as_object_mut().unwrap().remove("history");
    });
    let refused = output(sandproof().args(["identity", "declare", "--from"]).arg(&run));
    expect_code(&refused, 3);
    let said = stderr(&refused);
    for pointer in [
        "/artifact/model/version",
        "/artifact/parameters/temperature",
        "/artifact/tools/lookup_order/file",
        "/history/cached_context",
        "/history/interventions",
        "/history/earlier_runs",
    ] {
        assert!(said.contains(&format!("`{pointer}`")), "{pointer} is not in\n{said}");
    }
    assert!(said.contains("like \"0.7\"") && said.contains("leaves the folder"), "{said}");
    expect_code(&output(sandproof().args(["identity", "declare", "--from", "none.json"])), 3);
}

#[test]
fn declarations_of_systems_are_compared_item_by_item() {
    let (one, two) = (example(), example());
    edit(&two.path().join("run.json"), |document| document["artifact"]["parameters"]["temperature"] = json!("0.9"));
    let sealed = one.path().join("sealed.json");
    fs::write(&sealed, declare(&one.path().join("run.json")).to_string()).unwrap();
    // A document and its sealed form are the same declaration.
    let same = output(sandproof().args(["diff-runs", "--json"]).arg(&sealed).arg(one.path().join("run.json")));
    expect_code(&same, 0);
    let differs = output(sandproof().args(["diff-runs", "--json"]).arg(&sealed).arg(two.path().join("run.json")));
    expect_code(&differs, 1);
    let diff = shaped("run_diff", &differs.stdout);
    assert_eq!(diff["changes"][0]["pointers"], json!(["/artifact/parameters/temperature"]));
    assert_eq!(diff["declarations"]["parts"][0]["items"][0]["b"], json!({"value": "0.9"}));
    // Different kinds have nothing in common.
    let kinds = output(sandproof().arg("diff-runs").arg(&sealed).arg(one.path().join("deployment.json")));
    expect_code(&kinds, 2);
    assert!(stderr(&kinds).contains("`ai_run`"), "{}", stderr(&kinds));
}

/// A workspace whose plan names the example as its subject.
fn with_subject(dir: &Path) -> PathBuf {
    Workspace::new(dir).many_reads("r", 2);
    copy_folder(&root().join(EXAMPLES), &dir.join("subjects/agent"));
    let plan = dir.join("plans/r/plan.json");
    edit(&plan, |plan| plan["subject"] = "subjects/agent/run.json".into());
    plan
}

#[test]
fn a_subject_is_part_of_the_identity_and_travels_with_the_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let plan = with_subject(dir.path());
    let run = |id: &str| {
        let out = dir.path().join("out");
        let mut command = sandproof();
        command.args(["run", "--run-id", id, "--plan"]).arg(&plan).arg("--out").arg(&out);
        // The two runs are compared: the file system of their fixtures must not depend on the room in /dev/shm.
        fs::create_dir_all(dir.path().join("fixtures")).unwrap();
        let done = output(command.arg("--fixtures").arg(dir.path().join("fixtures")));
        expect_code(&done, 0);
        out.join(id)
    };
    let a = run("a");
    let identity: Value = serde_json::from_slice(&fs::read(a.join("run_identity.json")).unwrap()).unwrap();
    let subject = &identity["artifact"]["subject"];
    assert_eq!(subject["kind"], "ai_run");
    assert_eq!(subject["identity"], declare(&dir.path().join("subjects/agent/run.json"))["identity"]);
    assert_eq!(identity["artifact"]["documents"]["subject_file"].as_object().unwrap().len(), 4);

    // Another instruction is another run, and reaches no row.
    fs::write(dir.path().join("subjects/agent/system.txt"), "Do as you please.").unwrap();
    let b = run("b");
    let diff = output(sandproof().args(["diff-runs", "--json"]).args([&a, &b]));
    expect_code(&diff, 1);
    let diff = shaped("run_diff", &diff.stdout);
    assert_eq!((&diff["changes"][0]["id"], &diff["changes"][0]["reach"]), (&json!("subject"), &json!("no_row")));
    assert_eq!((diff["changes"].as_array().unwrap().len(), &diff["verdicts"]["differing"]), (1, &json!(0)));

    // It verifies where its sources never were, and not if its copy of them was touched.
    let moved = tempfile::tempdir().unwrap();
    let there = moved.path().join("a");
    copy_folder(&a, &there);
    drop(dir);
    expect_code(&validate(&there), 0);
    let copies: Vec<PathBuf> =
        fs::read_dir(there.join("inputs/subject")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(copies.len(), 4);
    fs::write(&copies[0], "forged").unwrap();
    expect_code(&validate(&there), 4);
}

#[test]
fn a_plan_whose_subject_is_incomplete_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let plan = with_subject(dir.path());
    edit(&dir.path().join("subjects/agent/run.json"), |document| {
        document["policy"].as_object_mut().unwrap().remove("escalation");
    });
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(&plan));
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("`subjects/agent/run.json` at `/policy/escalation`"), "{}", stdout(&lint));
    let out = dir.path().join("out");
    let run = output(sandproof().args(["run", "--plan"]).arg(&plan).arg("--out").arg(&out));
    expect_code(&run, 3);
    edit(&plan, |plan| plan["subject"] = "../elsewhere.json".into());
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(&plan));
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("`/subject`"), "{}", stdout(&lint));
}

#[test]
fn two_systems_are_not_the_same_by_what_neither_states() {
    let dir = tempfile::tempdir().unwrap();
    let absent = json!({"absent": "not known to us"});
    let all = |names: &[&str]| -> Value { names.iter().map(|name| ((*name).to_owned(), absent.clone())).collect() };
    let mut artifact = all(&["system_instructions", "tools", "retrieval_context", "conversation", "memory_policy"]);
    artifact["model"] = all(&["name", "version", "weights"]);
    artifact["parameters"] = all(&["temperature", "top_p", "seed", "max_output_tokens"]);
    let whole = json!({
        "schema_version": "sandproof.system_declaration.v1", "kind": "deployment", "artifact": artifact,
        "runtime": all(&["infrastructure", "scheduler", "rollout"]),
        "policy": all(&["approval_rules", "escalation", "veto_thresholds"]),
        "history": all(&["cached_context", "interventions", "earlier_runs"]),
    });
    let file = dir.path().join("unknown.json");
    fs::write(&file, whole.to_string()).unwrap();
    let diff = |more: &[&str]| output(sandproof().arg("diff-runs").arg(&file).arg(&file).args(more));
    let doubted = diff(&[]);
    expect_code(&doubted, 1);
    let said = stdout(&doubted);
    assert!(said.starts_with("equal as far as declared; 21 items stated by neither"), "{said}");
    assert!(said.contains("/artifact/model/weights: not known to us"), "{said}");
    let report: Value = serde_json::from_slice(&diff(&["--json"]).stdout).unwrap();
    assert_eq!((&report["same"], &report["declarations"]["materially_equal"]), (&json!(false), &json!(true)));
    assert_eq!(report["declarations"]["stated_by_neither"].as_array().unwrap().len(), 21);
    let markdown = diff(&["--markdown"]);
    assert!(stdout(&markdown).starts_with("### Different: equal as far as declared"), "{}", stdout(&markdown));
    let accepted = diff(&["--accept-absent", "--json"]);
    expect_code(&accepted, 0);
    let report: Value = serde_json::from_slice(&accepted.stdout).unwrap();
    assert_eq!((&report["same"], &report["declarations"]["absent_accepted"]), (&json!(true), &json!(true)));
    // What one side states and the other does not is a difference, accepted or not.
    let mut stated = whole;
    stated["artifact"]["model"]["name"] = json!("m");
    let other = dir.path().join("known.json");
    fs::write(&other, stated.to_string()).unwrap();
    expect_code(&output(sandproof().args(["diff-runs", "--accept-absent"]).arg(&file).arg(&other)), 1);
}
