//! `run`: what it answers, and how it ends.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{expect_code, finished_run, output, sandproof, stderr, stdout, validate};
use crate::workspace::{Workspace, probe, read_policy};

/// A read probe with its target.
fn read(id: &str, path: &str, expected: &str) -> Value {
    let mut probe = probe(id, "file-read-data", &format!("${{root}}/{path}"), expected);
    probe["driver"] = "file_read".into();
    probe["fixtures"] = json!([
        {"path": "open", "kind": "dir"},
        {"path": "open/file", "kind": "file"},
        {"path": "shut/file", "kind": "file"},
    ]);
    probe
}

/// `run --json` of a plan in a workspace of the test's own.
fn run(workspace: &Workspace, name: &str, dir: &Path, more: &[&str]) -> std::process::Output {
    output(
        sandproof()
            .args(["run", "--json", "--plan"])
            .arg(workspace.plan_path(name))
            .arg("--out")
            .arg(dir.join("out"))
            .args(more),
    )
}

fn report(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

#[test]
fn the_report_says_what_was_found_and_where_it_lies() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    assert_eq!(run.report["schema_version"], "sandproof.run_report.v1");
    assert_eq!(run.report["bundle"], run.bundle.to_str().unwrap());
    assert_eq!(run.report["planned"], run.report["matched"]);
    assert_eq!(run.report["undecided"], 0);
    assert_eq!(run.report["promotability"]["reasons"], json!(["not_clean_channel"]));
    assert!(run.report["profiles"].as_array().unwrap().iter().all(|profile| profile["control"] == "ok"));
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_plan_the_first_one_to_try_is_run_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let ended = output(sandproof().args(["run", "--json", "--out"]).arg(&out));
    expect_code(&ended, 0);
    assert_eq!(report(&ended)["plan_id"], "quickstart");
    let said = stderr(&ended);
    assert!(said.contains("no plan is named: running `plans/quickstart/plan.json`"), "{said}");

    // Where there is none, the program carries it. Its bundle lies here, and verifies without the documents that it was made of.
    let empty = tempfile::tempdir().unwrap();
    let elsewhere = output(sandproof().args(["run", "--json"]).current_dir(empty.path()));
    expect_code(&elsewhere, 0);
    assert_eq!(report(&elsewhere)["plan_id"], "quickstart");
    let said = stderr(&elsewhere);
    assert!(said.contains("running `quickstart`, which this program carries"), "{said}");
    let made: Vec<_> = fs::read_dir(empty.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["out"], "nothing else was made");
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle", "out"]).current_dir(empty.path())), 0);
}

#[test]
fn a_wrong_expectation_is_a_mismatch() {
    let dir = tempfile::tempdir().unwrap();
    let probes = vec![read("w:inside", "open/file", "deny"), read("w:outside", "shut/file", "deny")];
    let workspace = Workspace::new(dir.path()).add("w", &read_policy(), probes);
    let ended = run(&workspace, "w", dir.path(), &[]);
    expect_code(&ended, 1);
    let report = report(&ended);
    assert_eq!((&report["matched"], &report["mismatched"]), (&json!(1), &json!(1)));
    assert_eq!(report["mismatches"][0]["mismatch_type"], "unexpected_allow");
    expect_code(&validate(&dir.path().join("out")), 0);
    // Lint would have said so before.
    let lint = output(sandproof().args(["plan-lint", "--plan"]).arg(workspace.plan_path("w")));
    expect_code(&lint, 1);
    assert!(stdout(&lint).contains("contradiction"), "{}", stdout(&lint));
}

#[test]
fn a_missing_target_is_undecided_and_never_a_denial() {
    let dir = tempfile::tempdir().unwrap();
    let probes = vec![read("u:inside", "open/file", "allow"), read("u:gone", "shut/gone", "deny")];
    let workspace = Workspace::new(dir.path()).add("u", &read_policy(), probes);
    let ended = run(&workspace, "u", dir.path(), &[]);
    expect_code(&ended, 8);
    let row = &report(&ended)["undecided_rows"][0];
    assert_eq!(row["actual"], Value::Null);
    assert_eq!(row["failure_stage"], "probe");
}

#[test]
fn a_right_that_the_kernel_lacks_stops_at_apply() {
    let dir = tempfile::tempdir().unwrap();
    // ABI 10; neither this kernel nor, where it is newer, the library that installs rules knows it.
    let policy = json!({
        "schema_version": "sandproof.landlock_policy.v1",
        "abi": 10,
        "handled": {"fs": ["read_file"], "net": ["bind_udp"]},
        "path_beneath": [{"path": "${root}/open", "allow": ["read_file"]}],
    });
    let probes = vec![read("a:inside", "open/file", "allow"), read("a:outside", "shut/file", "deny")];
    let workspace = Workspace::new(dir.path()).add("a", &policy, probes);
    let ended = run(&workspace, "a", dir.path(), &[]);
    expect_code(&ended, 8);
    let report = report(&ended);
    assert_eq!(report["undecided"], 2);
    for row in report["undecided_rows"].as_array().unwrap() {
        assert_eq!(row["actual"], Value::Null);
        // The controls end there too, and they take the profile with them.
        assert!(
            matches!(row["failure_kind"].as_str().unwrap(), "landlock_right_unsupported" | "control_failed"),
            "{row}"
        );
    }
    expect_code(&validate(&dir.path().join("out")), 0);
}

#[test]
fn a_selection_narrows_the_run_and_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let probes = vec![read("s:inside", "open/file", "allow"), read("s:outside", "shut/file", "deny")];
    let workspace = Workspace::new(dir.path()).add("s", &read_policy(), probes);
    let ended = run(&workspace, "s", dir.path(), &["--only-scenario", "s:outside"]);
    expect_code(&ended, 0);
    let report = report(&ended);
    assert_eq!(report["planned"], 1);
    assert_eq!(
        report["promotability"]["reasons"],
        json!(["apply_preflight_missing", "not_clean_channel", "selection_filtered"])
    );
    expect_code(&validate(&dir.path().join("out")), 0);
    let unknown = run(&workspace, "s", dir.path(), &["--only-scenario", "s:outsid"]);
    expect_code(&unknown, 3);
    assert!(stderr(&unknown).contains("s:outside"), "{}", stderr(&unknown));
}

#[test]
fn a_dry_run_executes_nothing_and_leaves_latest_alone() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).many_reads("d", 4);
    expect_code(&run(&workspace, "d", dir.path(), &[]), 0);
    let latest = fs::read_to_string(dir.path().join("out/LATEST")).unwrap();
    let ended = run(&workspace, "d", dir.path(), &["--dry", "--run-id", "dry-1"]);
    expect_code(&ended, 0);
    assert_eq!(report(&ended)["status"], "dry");
    assert_eq!(fs::read_to_string(dir.path().join("out/LATEST")).unwrap(), latest);
    let bundle = dir.path().join("out/dry-1");
    assert!(!bundle.join("rows").exists());
    assert!(bundle.join("expected_matrix.json").exists());
    expect_code(&validate(&bundle), 0);
}

#[test]
fn what_cannot_be_done_here_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).many_reads("c", 2);
    let ended = run(&workspace, "c", dir.path(), &["--channel", "launchd_clean"]);
    expect_code(&ended, 7);
    assert!(stderr(&ended).contains("launchd"), "{}", stderr(&ended));
    let usage = run(&workspace, "c", dir.path(), &["--channel", "clean"]);
    expect_code(&usage, 2);
    let taken = run(&workspace, "c", dir.path(), &["--run-id", "../x"]);
    expect_code(&taken, 2);
}

#[test]
fn input_that_makes_no_sense_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).many_reads("r", 2);
    let plan = workspace.plan_path("r");
    let text = fs::read_to_string(&plan).unwrap();
    for (from, to, said) in [
        ("\"profiles\"", "\"profile\"", "profile"),
        ("\"r:only\"", "\"r:onyl\"", "r:onyl"),
        ("\"registry_id\": \"r\"", "\"registry_id\": \"q\"", "q"),
        ("{", "{\"plan_id\": \"twice\",", "plan_id"),
    ] {
        fs::write(&plan, text.replacen(from, to, 1)).unwrap();
        let ended = run(&workspace, "r", dir.path(), &[]);
        expect_code(&ended, 3);
        assert!(stderr(&ended).contains(said), "{}", stderr(&ended));
        assert_eq!(report(&ended)["schema_version"], "sandproof.refusal.v1");
    }
    assert!(!dir.path().join("out").exists(), "a refused plan left an output folder");
}

#[test]
fn an_output_root_is_one_runs_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).long_run("l");
    let out = dir.path().join("out");
    let mut first = sandproof()
        .args(["run", "--plan"])
        .arg(workspace.plan_path("l"))
        .arg("--out")
        .arg(&out)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    crate::interruption::wait_for_rows(&out);
    let second = run(&workspace, "l", dir.path(), &[]);
    let waited = run(&workspace, "l", dir.path(), &["--lock-mode", "wait", "--lock-timeout-seconds", "0.2"]);
    first.kill().unwrap();
    first.wait().unwrap();
    expect_code(&second, 6);
    expect_code(&waited, 6);
    assert!(stderr(&waited).contains(&first.id().to_string()), "the holder is not named: {}", stderr(&waited));
    // The lock went with its holder.
    let third = run(&workspace, "l", dir.path(), &["--run-id", "third", "--dry"]);
    expect_code(&third, 0);
}

/// Rows without what differs between any two runs: ids, times, processes, inodes and addresses.
fn stable(bundle: &Path, name: &str) -> String {
    let text = fs::read_to_string(bundle.join(name)).unwrap();
    let run_id = bundle.file_name().unwrap().to_str().unwrap();
    // How many workers there are is declared, so the identity is another one.
    let declared: Value = serde_json::from_slice(&fs::read(bundle.join("run_identity.json")).unwrap()).unwrap();
    text.replace(run_id, "RUN").replace(declared["identity"].as_str().unwrap(), "IDENTITY")
}

#[test]
fn the_number_of_workers_changes_no_artifacts_order() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).many_reads("j", 300);
    for (id, jobs) in [("one", "1"), ("seven", "7")] {
        expect_code(&run(&workspace, "j", dir.path(), &["--run-id", id, "--jobs", jobs]), 0);
    }
    let (one, seven) = (dir.path().join("out/one"), dir.path().join("out/seven"));
    for name in
        ["expected_matrix.json", "oracle_results.json", "mismatch_summary.json", "controls.json", "summary.json"]
    {
        assert_eq!(stable(&one, name), stable(&seven, name), "{name}");
    }
    let order = |bundle: &Path| -> Vec<String> {
        let events: Value =
            serde_json::from_slice(&fs::read(bundle.join("runtime_events.normalized.json")).unwrap()).unwrap();
        let row = |event: &Value| format!("{}{}", event["expectation_id"], event["actual"]);
        events.as_array().unwrap().iter().map(row).collect()
    };
    assert_eq!(order(&one).len(), 300);
    assert_eq!(order(&one), order(&seven));
}

#[test]
fn a_variable_may_give_the_run_its_id_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let run = |id: &str, more: &[&str]| {
        let mut command = sandproof();
        command.args(["run", "--dry", "--json", "--plan", "plans/quickstart/plan.json", "--out"]).arg(dir.path());
        // The reference runtime believes this one; here no variable makes a run clean.
        command.args(more).env("SANDBOX_LORE_RUN_ID", id).env("SANDBOX_LORE_CHANNEL", "systemd_clean");
        output(&mut command)
    };
    let named = run("from-variable", &[]);
    expect_code(&named, 0);
    let report: serde_json::Value = serde_json::from_slice(&named.stdout).unwrap();
    assert_eq!(report["run_id"], "from-variable");
    assert_eq!(report["channel"], "direct");
    expect_code(&run("from-variable", &["--run-id", "from-argument"]), 0);
    expect_code(&run("", &[]), 0);
    let refused = run("../elsewhere", &[]);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("SANDBOX_LORE_RUN_ID"), "{}", stderr(&refused));
    // An id that is taken is not taken again.
    expect_code(&run("from-variable", &[]), 2);
}

/// None of these gets as far as to the kernel's audit, which is the host's and no matter of a test.
#[test]
fn denials_are_named_by_the_kernel_where_it_would_name_any_and_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let run = |plan: &str, more: &[&str]| {
        let mut command = sandproof();
        command
            .args(["run", "--json", "--attribute", "--plan", plan])
            .args(more)
            .arg("--out")
            .arg(dir.path().join("out"));
        output(&mut command)
    };
    let unused = run("plans/sonoma-runtime-checks/plan.json", &[]);
    expect_code(&unused, 2);
    assert!(stderr(&unused).contains("no row of the plan is performed under a Landlock policy"), "{}", stderr(&unused));
    let channel = run("plans/quickstart/plan.json", &["--channel", "systemd_clean"]);
    expect_code(&channel, 2);
    assert!(
        stderr(&channel).contains("a worker that a service manager starts does not listen"),
        "{}",
        stderr(&channel)
    );
    assert!(!dir.path().join("out").exists(), "nothing was begun");
    // Where nothing is executed, nothing is listened to.
    let dry = run("plans/quickstart/plan.json", &["--dry"]);
    expect_code(&dry, 0);
    let bundle = report(&dry)["bundle"].as_str().unwrap().to_owned();
    let manifest: Value =
        serde_json::from_slice(&fs::read(Path::new(&bundle).join("run_manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest.get("attribution"), None);
}
