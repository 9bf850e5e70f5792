//! Many worlds side by side: who answers alike, and what differs with an answer.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{copy_folder, expect_code, json_answer, output, sandproof, shaped, stdout};
use crate::workspace::{Workspace, probe, read_policy};

/// A plan of two rows, of which one reads a file of the host.
fn plan(dir: &Path, place: &Path) -> PathBuf {
    let mut policy = read_policy();
    policy["handled"]["fs"] = json!(["make_dir"]);
    policy["path_beneath"] = json!([]);
    let mut of_host = probe("w:host", "file-read-data", place.to_str().unwrap(), "allow");
    let mut own = probe("w:own", "file-read-data", "${root}/own", "allow");
    own["fixtures"] = json!([{"path": "own", "kind": "file", "text": "x"}]);
    for row in [&mut of_host, &mut own] {
        row["driver"] = "file_read".into();
    }
    Workspace::new(dir).add("w", &policy, vec![of_host, own]).plan_path("w")
}

fn world(plan: &Path, out: &Path) -> PathBuf {
    let mut command = sandproof();
    command.args(["run", "--json", "--plan"]).arg(plan).arg("--out").arg(out);
    let said = shaped("run_report", &output(&mut command).stdout);
    PathBuf::from(said["bundle"].as_str().unwrap())
}

#[test]
fn worlds_that_answer_alike_are_one_group_however_many_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    fs::write(&place, "x").unwrap();
    let plan = plan(dir.path(), &place);
    for n in 0..3 {
        world(&plan, &dir.path().join(format!("worlds/{n}")));
    }
    let worlds = dir.path().join("worlds");
    let found = json_answer(sandproof().args(["compare", "--format", "json"]).arg(&worlds), "compare", 0);
    assert_eq!((&found["worlds"], &found["questions"], &found["alike"]), (&json!(3), &json!(2), &json!(2)));
    let group = &found["groups"][0];
    assert_eq!(
        (found["groups"].as_array().unwrap().len(), &group["count"], &group["facts"]),
        (1, &json!(3), &json!([]))
    );
    let text = output(sandproof().arg("compare").arg(&worlds));
    assert!(
        stdout(&text).starts_with("3 worlds in 1 group: of 2 questions, 0 answered differently."),
        "{}",
        stdout(&text)
    );
}

#[test]
fn what_a_share_was_not_asked_is_no_difference() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    fs::write(&place, "x").unwrap();
    let plan = plan(dir.path(), &place);
    let whole = world(&plan, &dir.path().join("whole"));
    let share = dir.path().join("share");
    let mut run = sandproof();
    run.args(["run", "--shard", "slice:1/2", "--plan"]).arg(&plan).arg("--out").arg(&share);
    expect_code(&output(&mut run), 0);
    let found = json_answer(sandproof().args(["compare", "--format", "json"]).arg(&whole).arg(&share), "compare", 0);
    assert_eq!((&found["alike"], &found["partly_asked"], &found["differing"]), (&json!(1), &json!(1), &json!([])));
    let text = stdout(&output(sandproof().arg("compare").arg(&whole).arg(&share)));
    assert!(text.contains("0 answered differently, 1 alike wherever they were asked"), "{text}");
}

#[test]
fn a_question_that_is_answered_differently_is_named_with_the_facts_that_differ_along() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    let plan = plan(dir.path(), &place);
    world(&plan, &dir.path().join("worlds/absent"));
    fs::write(&place, "x").unwrap();
    world(&plan, &dir.path().join("worlds/there"));
    let there = world(&plan, &dir.path().join("worlds/there too"));
    let worlds = dir.path().join("worlds");
    let compared = |format: &str, code: i32| {
        let ended = output(sandproof().args(["compare", "--format", format]).arg(&worlds));
        expect_code(&ended, code);
        stdout(&ended)
    };
    let found: Value = shaped("compare", compared("json", 1).as_bytes());
    assert_eq!(found["alike"], 1);
    let question = &found["differing"][0];
    assert_eq!((&question["profile_id"], &question["id"]), (&json!("w:only"), &json!("w:host")));
    assert_eq!(
        question["answers"],
        json!([
            {"answer": "allow", "groups": ["B"]},
            {"answer": "undecided (probe_errno)", "groups": ["A"]},
        ])
    );
    // What stands there is declared, and differs with the answer.
    let facts: Vec<&str> =
        question["goes_with"].as_array().unwrap().iter().map(|fact| fact.as_str().unwrap()).collect();
    assert!(facts.iter().any(|fact| fact.starts_with("history/fixtures/pre_existing/kinds/")), "{facts:?}");
    assert_eq!((&found["groups"][0]["count"], &found["groups"][1]["count"]), (&json!(1), &json!(2)));
    for (format, words) in
        [("text", "goes with history/"), ("markdown", "`w:only  w:host`"), ("html", "w:only  w:host")]
    {
        let shown = compared(format, 1);
        assert!(shown.contains(words), "{format}: {shown}");
    }
    // One that was killed is left out, and one that was touched is an error.
    let killed = dir.path().join("worlds/killed");
    copy_folder(&there, &killed);
    fs::remove_file(killed.join("artifact_index.json")).unwrap();
    let found: Value = shaped("compare", compared("json", 1).as_bytes());
    assert_eq!((&found["worlds"], &found["left_out"][0]["unfinished"]), (&json!(3), &json!(true)));
    let touched = dir.path().join("worlds/touched");
    copy_folder(&there, &touched);
    fs::write(touched.join("summary.md"), "x").unwrap();
    assert!(compared("text", 4).contains("left out, invalid"));
}

#[test]
fn nothing_to_compare_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("place");
    let only = world(&plan(dir.path(), &place), &dir.path().join("out"));
    fs::remove_file(only.join("artifact_index.json")).unwrap();
    expect_code(&output(sandproof().arg("compare").arg(&only)), 9);
    expect_code(&output(sandproof().arg("compare").arg(dir.path().join("nowhere"))), 4);
    expect_code(&output(sandproof().arg("compare")), 2);
}
