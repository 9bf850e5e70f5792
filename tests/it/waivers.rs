//! Waivers: a known deviation shows, expires, and fails when it is gone.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{expect_code, output, sandproof, stdout};
use crate::workspace::{Workspace, probe, read_policy};

fn read(id: &str, path: &str, expected: &str) -> Value {
    let mut probe = probe(id, "file-read-data", &format!("${{root}}/{path}"), expected);
    probe["driver"] = "file_read".into();
    probe["fixtures"] = json!([
        {"path": "open", "kind": "dir"}, {"path": "open/file", "kind": "file"}, {"path": "shut/file", "kind": "file"},
    ]);
    probe
}

/// A plan of two rows as expected and two that are not, with these waivers.
fn workspace(dir: &Path, waivers: &Value) -> Workspace {
    let probes = vec![
        read("w:fine", "open/file", "allow"),
        read("w:shut", "shut/file", "deny"),
        read("w:wrong", "open/file", "deny"),
        read("w:other", "shut/file", "allow"),
    ];
    let workspace = Workspace::new(dir).add("w", &read_policy(), probes);
    let path = workspace.plan_path("w");
    let mut plan: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    plan["history"] = json!({ "waivers": waivers });
    std::fs::write(path, plan.to_string()).unwrap();
    workspace
}

fn waiver(id: &str, expires: Option<&str>) -> Value {
    let mut one = json!({"expectation_id": id, "reason": "ticket 7", "approved_by": "Ada"});
    if let Some(day) = expires {
        one["expires"] = day.into();
    }
    one
}

fn run(workspace: &Workspace, out: &Path, exit: i32, json: bool) -> String {
    let mut command = sandproof();
    command.args(["run", "--plan"]).arg(workspace.plan_path("w")).arg("--out").arg(out);
    if json {
        command.arg("--json");
    }
    let ended = output(&mut command);
    expect_code(&ended, exit);
    stdout(&ended)
}

fn report(out: &Path, format: &str, exit: i32) -> String {
    let made = output(sandproof().args(["report", "--format", format, "--bundle"]).arg(out));
    expect_code(&made, exit);
    stdout(&made)
}

#[test]
fn a_known_deviation_is_no_pass_and_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let both = json!([waiver("w:wrong", Some("9999-12-31")), waiver("w:other", None)]);
    let workspace = workspace(dir.path(), &both);
    let said = run(&workspace, &out, 0, false);
    assert!(
        said.contains("known deviations:\n  w:wrong  known, approved by Ada, until 9999-12-31: ticket 7"),
        "{said}"
    );
    assert!(said.contains("4 probes, 2 as expected, 2 not and known, 0 undecided."), "{said}");

    let answer: Value = serde_json::from_str(&run(&workspace, &out, 0, true)).unwrap();
    assert_eq!((&answer["mismatched"], &answer["known"]), (&json!(2), &json!(2)), "they stay what they are");
    assert_eq!(answer["waivers"][1]["standing"], "holds");

    let junit = report(&out, "junit", 0);
    assert!(junit.contains(r#"failures="0" errors="0" skipped="2""#) && junit.contains("approved by Ada"), "{junit}");
    let tap = report(&out, "tap", 0);
    assert!(tap.contains("not ok 3 - w:wrong # TODO known, approved by Ada, until 9999-12-31: ticket 7"), "{tap}");
    let sarif: Value = serde_json::from_str(&report(&out, "sarif", 0)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|one| one["suppressions"][0]["status"] == "accepted"), "{results:#?}");
    assert!(report(&out, "markdown", 0).contains("# `w.v1`: nothing new, 2 not and known"));
    let page = report(&out, "html", 0);
    assert!(page.contains("Known deviations") && !page.contains("<h2 id=\"mismatched\">"));
}

#[test]
fn a_waiver_that_is_not_needed_or_has_expired_fails() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let unneeded = workspace(
        &dir.path().join("a"),
        &json!([waiver("w:fine", None), waiver("w:wrong", None), waiver("w:other", None)]),
    );
    let said = run(&unneeded, &out, 1, false);
    assert!(
        said.contains("waived, and as expected:\n  w:fine  as expected, so the waiver of Ada is not needed any more"),
        "{said}"
    );
    let tap = report(&out, "tap", 1);
    assert!(tap.contains("not ok 1 - w:fine\n") && tap.contains("kind: \"waiver_unneeded\""), "{tap}");
    assert!(report(&out, "junit", 1).contains(r#"<failure type="waiver_unneeded""#));
    let sarif: Value = serde_json::from_str(&report(&out, "sarif", 1)).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "waiver_unneeded");
    assert!(report(&out, "markdown", 1).contains("**waived, and as expected** `w:fine`"));
    assert!(report(&out, "html", 1).contains("waived for nothing"));

    let expired =
        workspace(&dir.path().join("b"), &json!([waiver("w:wrong", Some("2020-01-01")), waiver("w:other", None)]));
    let said = run(&expired, &out, 1, false);
    assert!(said.contains("w:wrong  the waiver of Ada expired on 2020-01-01: ticket 7"), "{said}");
    assert!(said.contains("4 probes, 2 as expected, 1 not, 1 not and known, 0 undecided."), "{said}");
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(expired.plan_path("w")));
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("error[expired]") && stdout(&lint).contains("can be run"), "{}", stdout(&lint));
    // The bundle is read on any later day: nothing about it depends on today.
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(&out)), 0);
}
