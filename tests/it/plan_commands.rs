//! The commands that read plans and registries and execute nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::schemas::published;
use crate::support::{expect_code, output, root, sandproof, stderr, stdout};

fn json_of(arguments: &[&str]) -> Value {
    let output = output(sandproof().args(arguments).arg("--json"));
    expect_code(&output, 0);
    serde_json::from_slice(&output.stdout).expect("--json prints JSON")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// A copy of the quickstart, to be spoiled.
fn quickstart() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in ["plans/quickstart", "registries/quickstart"] {
        copy(&root().join(part), &folder.path().join(part));
    }
    let index = json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "quickstart", "probes": "registries/quickstart/probes.json", "profiles": "registries/quickstart/profiles.json"}
    ]});
    fs::write(folder.path().join("registries/index.json"), index.to_string()).unwrap();
    folder
}

fn spoil(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

#[test]
fn every_published_schema_is_the_file_in_the_repository() {
    let names = json_of(&["schema"])["schemas"].take();
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"plan") && names.contains(&"landlock_policy"), "{names:?}");
    for name in names {
        let output = output(sandproof().args(["schema", name]));
        expect_code(&output, 0);
        let file = fs::read_to_string(root().join(format!("schemas/{name}.schema.json"))).unwrap();
        assert_eq!(stdout(&output), file);
    }
    let unknown = output(sandproof().args(["schema", "plna"]));
    expect_code(&unknown, 3);
    assert!(stderr(&unknown).contains("did you mean `plan`?"), "{}", stderr(&unknown));
}

#[test]
fn lists_and_descriptions_say_what_the_documents_say() {
    let plans = json_of(&["list-plans"])["plans"].take();
    let quickstart = plans.as_array().unwrap().iter().find(|plan| plan["plan_id"] == "quickstart").unwrap();
    assert_eq!(quickstart["path"], "plans/quickstart/plan.json");
    assert_eq!(quickstart["registry_id"], "quickstart");
    assert!(quickstart["profiles"].as_u64().unwrap() > 0);

    let registries = json_of(&["list-registries"])["registries"].take();
    let entry = registries.as_array().unwrap().iter().find(|entry| entry["id"] == "quickstart").unwrap();
    assert_eq!(entry["probes"], "registries/quickstart/probes.json");
    assert_eq!(entry["profiles"], "registries/quickstart/profiles.json");

    let probes = json_of(&["list-probes", "--registry", "quickstart"])["probes"].take();
    let first = &probes[0];
    let id = first["probe_id"].as_str().unwrap();
    assert_eq!(&json_of(&["describe-probe", "--registry", "quickstart", "--probe", id])["probe"], first);

    let profiles = json_of(&["list-profiles", "--registry", "quickstart"])["profiles"].take();
    let first = &profiles[0];
    let id = first["profile_id"].as_str().unwrap();
    assert_eq!(&json_of(&["describe-profile", "--registry", "quickstart", "--profile", id])["profile"], first);

    let plan = json_of(&["describe-plan", "--plan", "plans/quickstart/plan.json"]);
    assert_eq!(plan["plan"]["plan_id"], "quickstart");
    assert_eq!(plan["path"], "plans/quickstart/plan.json");
    assert_eq!(plan["plan_digest"].as_str().unwrap().len(), 64);
}

#[test]
fn the_workspace_is_found_from_a_folder_inside_it_or_named() {
    let inside = output(sandproof().current_dir(root().join("plans/quickstart")).arg("list-plans"));
    expect_code(&inside, 0);
    assert!(stdout(&inside).contains("plans/quickstart/plan.json"));
    let empty = tempfile::tempdir().unwrap();
    let outside = output(sandproof().current_dir(empty.path()).arg("list-plans"));
    expect_code(&outside, 3);
    assert!(stderr(&outside).contains("--root"), "{}", stderr(&outside));
    let named = output(sandproof().current_dir(empty.path()).args(["list-plans", "--root"]).arg(root()));
    assert_eq!(stdout(&named), stdout(&inside));
    // A folder inside a workspace is not its root.
    expect_code(&output(sandproof().args(["list-plans", "--root"]).arg(root().join("plans"))), 3);
}

#[test]
fn unknown_ids_are_refused_with_close_names() {
    for (arguments, wanted) in [
        (
            &["list-probes", "--registry", "quickstrat"][..],
            "there is no registry `quickstrat` in `registries/index.json`",
        ),
        (&["registry-lint", "--registry", "quickstrat"], "did you mean `quickstart`?"),
        (&["describe-probe", "--registry", "quickstart", "--probe", "no-such"], "there is no probe `no-such`"),
        (&["describe-profile", "--registry", "quickstart", "--profile", "no-such"], "there is no profile `no-such`"),
        (&["describe-plan", "--plan", "plans/none/plan.json"], "cannot be read"),
        (&["plan-lint", "--plan", "plans/none/plan.json"], "cannot be read"),
    ] {
        let output = output(sandproof().args(arguments));
        expect_code(&output, 3);
        assert!(stderr(&output).contains(wanted), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn lint_tells_errors_from_warnings_by_its_exit_code() {
    let folder = quickstart();
    let lint = |more: &[&str]| {
        output(
            sandproof()
                .current_dir(folder.path())
                .args(["plan-lint", "--plan", "plans/quickstart/plan.json"])
                .args(more),
        )
    };
    let sound = lint(&[]);
    expect_code(&sound, 0);
    assert_eq!(stdout(&sound), "plan ok\n");

    spoil(folder.path(), "plans/quickstart/plan.json", |plan| plan["lanes"] = json!({"baseline": false}));
    let doubtful = lint(&[]);
    expect_code(&doubtful, 0);
    let text = stdout(&doubtful);
    assert!(text.starts_with("warning[lane] `plans/quickstart/plan.json` at `/lanes/baseline`: "), "{text}");
    assert!(text.ends_with("plan ok, 1 warning\n"), "{text}");

    spoil(folder.path(), "plans/quickstart/plan.json", |plan| plan["profiles"][0] = json!("nobody"));
    let wrong = lint(&["--json"]);
    expect_code(&wrong, 1);
    let answer: Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!((&answer["ok"], &answer["errors"], &answer["warnings"]), (&json!(false), &json!(1), &json!(1)));
    assert_eq!(answer["notes"][0]["kind"], "dangling");
    assert_eq!(answer["notes"][0]["pointer"], "/profiles/0");
    let run = output(sandproof().current_dir(folder.path()).args(["run", "--plan", "plans/quickstart/plan.json"]));
    expect_code(&run, 3);
    assert!(stderr(&run).contains("there is no profile `nobody`"), "{}", stderr(&run));

    fs::write(folder.path().join("registries/quickstart/probes.json"), "{").unwrap();
    let broken = output(sandproof().current_dir(folder.path()).arg("registry-lint"));
    expect_code(&broken, 1);
    assert!(stdout(&broken).contains("error[json] `registries/quickstart/probes.json`"), "{}", stdout(&broken));
}

#[test]
fn texts_of_documents_cannot_steer_a_terminal() {
    let folder = quickstart();
    spoil(folder.path(), "registries/index.json", |index| {
        index["registries"][0]["description"] = json!("\u{1b}[31mred")
    });
    let output = output(sandproof().current_dir(folder.path()).arg("list-registries"));
    expect_code(&output, 0);
    assert!(!stdout(&output).contains('\u{1b}'), "{:?}", stdout(&output));
}

#[test]
fn every_published_schema_is_printed() {
    let listed = output(sandproof().args(["schema", "--json"]));
    expect_code(&listed, 0);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let mut listed: Vec<String> = serde_json::from_value(listed["schemas"].clone()).unwrap();
    listed.sort();
    let files: Vec<String> = published().map(|(name, _)| name).collect();
    assert_eq!(listed, files);
    for name in &listed {
        let printed = output(sandproof().args(["schema", name]));
        expect_code(&printed, 0);
        assert_eq!(
            stdout(&printed),
            std::fs::read_to_string(root().join(format!("schemas/{name}.schema.json"))).unwrap()
        );
    }
}

#[test]
fn a_plan_is_named_by_its_folder_too_and_a_slip_in_its_path_is_answered_once() {
    let folder = quickstart();
    let ask = |arguments: &[&str]| output(sandproof().current_dir(folder.path()).args(arguments));
    for command in ["plan-lint", "describe-plan"] {
        let by_folder = ask(&[command, "--plan", "plans/quickstart"]);
        expect_code(&by_folder, 0);
        assert_eq!(stdout(&by_folder), stdout(&ask(&[command, "--plan", "plans/quickstart/plan.json"])));
    }
    expect_code(&ask(&["run", "--plan", "plans/quickstart/", "--dry"]), 0);
    expect_code(&ask(&["identity", "declare", "--plan", "plans/quickstart"]), 0);
    let inside =
        output(sandproof().current_dir(folder.path().join("plans/quickstart")).args(["plan-lint", "--plan", "."]));
    expect_code(&inside, 0);
    for (plan, meant) in [
        ("plans/quickstrt", "`plans/quickstart`"),
        ("plans/quickstrt/plan.json", "`plans/quickstart/plan.json`"),
        ("plans/quickstart/plan.jsn", "`plans/quickstart/plan.json`"),
        ("plan/quickstart", "`plans/quickstart`"),
        ("quickstart", "`plans/quickstart`"),
        ("registries", "list-plans"),
        ("nothing-like-it", "list-plans"),
    ] {
        let refused = ask(&["run", "--plan", plan]);
        expect_code(&refused, 3);
        let said = stderr(&refused);
        assert!(said.contains(meant) && said.lines().count() == 1, "{plan}: {said}");
    }
}

#[test]
fn a_plan_that_only_contradicts_its_policy_is_not_called_refused_because_it_runs() {
    let folder = quickstart();
    spoil(folder.path(), "registries/quickstart/probes.json", |probes| {
        probes["probes"]["quickstart:read_only:read_inside"]["expected"] = json!("deny");
    });
    let ask =
        |command: &str| output(sandproof().current_dir(folder.path()).args([command, "--plan", "plans/quickstart"]));
    let lint = ask("plan-lint");
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("plan can be run, but has 1 error"), "{}", stdout(&lint));
    expect_code(&ask("run"), 1);
    spoil(folder.path(), "registries/quickstart/probes.json", |probes| {
        probes["probes"]["quickstart:read_only:read_inside"]["driver"] = json!("no_such_driver");
    });
    let lint = ask("plan-lint");
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("plan refused: "), "{}", stdout(&lint));
    expect_code(&ask("run"), 3);
}
