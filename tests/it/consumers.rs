//! Bundles and packets read by `scripts/read-as-consumer`, which demands what the reference's own consumers demand and
//! shares no code with this project. That it can complain is tested as hard as that it does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::skip;
use crate::support::{expect_code, finished_run, output, root, sandproof, stderr, stdout};
use crate::workspace::{Workspace, probe, read_policy};

/// Whether there is a python3 to read with.
pub fn python() -> bool {
    Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Emits the packet of a bundle, beside its output root.
fn packet(out: &Path) -> PathBuf {
    let packet = out.with_extension("packet.json");
    expect_code(&output(sandproof().args(["emit-promotion", "--bundle"]).arg(out).arg("--out").arg(&packet)), 0);
    packet
}

/// Reads a packet whose pointers are relative to `base`.
fn consume(packet: &Path, base: &Path) -> Output {
    output(reader(packet).arg("--root").arg(base))
}

/// The reader of a packet.
fn reader(packet: &Path) -> Command {
    let vocabulary = packet.with_extension("vocabulary");
    fs::write(&vocabulary, serde_json::to_vec(&sandproof::test_support::policy::operations::OPERATIONS[..]).unwrap())
        .unwrap();
    let mut command = Command::new("python3");
    command.arg(root().join("scripts/read-as-consumer")).arg(packet).arg("--vocabulary").arg(&vocabulary);
    command
}

/// What the reader says of a packet that it has to accept.
#[track_caller]
pub fn accepted(packet: &Path, base: &Path) -> Value {
    accepted_by(consume(packet, base))
}

/// The same where the reader takes pointers as the reference does: relative to the repository that the packet lies in.
#[track_caller]
pub fn accepted_in_its_repository(packet: &Path) -> Value {
    accepted_by(output(&mut reader(packet)))
}

#[track_caller]
fn accepted_by(read: Output) -> Value {
    assert!(read.status.success(), "{}\n{}", stdout(&read), stderr(&read));
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn shipped_plans_give_what_consumers_accept() {
    if !python() {
        skip!("there is no python3");
    }
    for plan in ["quickstart", "linux-network", "linux-scopes"] {
        let run = finished_run(&format!("plans/{plan}/plan.json"), 0);
        let said = accepted(&packet(&run.out), root());
        assert!(said["events"].as_u64().unwrap() > 10, "{plan}: {said}");
        assert_eq!(said["mismatches"], json!({}), "{plan}");
    }
}

/// A bundle with a match, both kinds of mismatch, and rows that stayed undecided at three stages.
fn mixed(dir: &Path) -> PathBuf {
    let read = |name: &str, path: &str, expected: &str, made: bool| {
        let mut probe = probe(&format!("mixed:{name}"), "file-read-data", &format!("${{root}}/{path}"), expected);
        probe["driver"] = "file_read".into();
        let folder = path.split('/').next().unwrap();
        let mut fixtures = vec![json!({"path": "open", "kind": "dir"})];
        if folder != "open" {
            fixtures.push(json!({"path": folder, "kind": "dir"}));
        }
        if made {
            fixtures.push(json!({"path": path, "kind": "file", "text": "x"}));
        }
        probe["fixtures"] = fixtures.into();
        probe
    };
    let mut needy = read("needs_more", "open/a", "allow", true);
    needy["capabilities_required"] = json!(["landlock_abi:99"]);
    let mut fork = probe("mixed:fork", "process-fork", "", "allow");
    fork["driver"] = "process_fork".into();
    fork["fixtures"] = json!([{"path": "open", "kind": "dir"}]);
    let probes = vec![
        read("as_expected", "open/a", "allow", true),
        read("refused", "shut/a", "deny", true),
        read("unexpected_allow", "open/b", "deny", true),
        read("unexpected_deny", "shut/b", "allow", true),
        {
            let mut probe = read("through_parent", "open/../shut/c", "allow", false);
            probe["fixtures"] = json!([
                {"path": "open", "kind": "dir"},
                {"path": "shut", "kind": "dir"},
                {"path": "shut/c", "kind": "file", "text": "x"},
            ]);
            probe
        },
        read("missing", "open/missing", "allow", false),
        needy,
        fork,
    ];
    let workspace = Workspace::new(dir).add("mixed", &read_policy(), probes);
    let out = dir.join("out");
    let run = output(sandproof().args(["run", "--plan"]).arg(workspace.plan_path("mixed")).arg("--out").arg(&out));
    expect_code(&run, 1);
    out
}

#[test]
fn mismatches_and_undecided_rows_are_what_consumers_accept() {
    if !python() {
        skip!("there is no python3");
    }
    let dir = tempfile::tempdir().unwrap();
    let said = accepted(&packet(&mixed(dir.path())), dir.path());
    assert_eq!(said["mismatches"]["unexpected_allow"], 1, "{said}");
    assert_eq!(said["mismatches"]["unexpected_deny"], 1, "{said}");
    assert_eq!(said["mismatches"]["preflight_blocked"], 1, "{said}");
    assert_eq!(said["mismatches"]["canonicalization_boundary"], 1, "{said}");
    assert_eq!(said["mismatches"]["op_not_witnessed"], 1, "{said}");
    assert_eq!(said["unobserved"], 1, "what was not decided is not observed, for whoever counts: {said}");
}

#[test]
fn a_row_that_decided_nothing_stands_against_promotion_and_is_named_in_the_packet() {
    let dir = tempfile::tempdir().unwrap();
    let out = mixed(dir.path());
    let packet: Value = serde_json::from_slice(&fs::read(packet(&out)).unwrap()).unwrap();
    let rows = &packet["rows"];
    assert_eq!((&rows["planned"], &rows["decided"], &rows["by_design"]["count"]), (&json!(8), &json!(6), &json!(0)));
    assert_eq!(rows["undecided"]["kinds"], json!({"capability_missing": 1, "probe_errno": 1}));
    let named: Vec<&str> = rows["undecided"]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["expectation_id"].as_str().unwrap())
        .collect();
    assert_eq!(named, ["mixed:missing", "mixed:needs_more"]);
    let reasons = packet["promotability"]["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("rows_undecided")), "{reasons:?}");
    let mut strict = sandproof();
    strict.args(["emit-promotion", "--require-promotable", "--bundle"]).arg(&out);
    let strict = output(strict.arg("--out").arg(dir.path().join("strict.json")));
    expect_code(&strict, 5);
    let said = stdout(&strict) + &stderr(&strict);
    assert!(said.contains("rows_undecided"), "{said}");
    let explained = output(sandproof().args(["explain", "rows_undecided"]));
    expect_code(&explained, 0);

    // What is only counted says the same: no pass, no mismatch.
    let counted = output(sandproof().args(["summarize-ops", "--json", "--allow-nonpromotable", "--bundle"]).arg(&out));
    expect_code(&counted, 0);
    let counted: Value = serde_json::from_slice(&counted.stdout).unwrap();
    let read = &counted["ops"]["file-read-data"];
    assert_eq!((&read["undecided"], &read["unobserved"], &read["blocked"]["total"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!((&read["probes"], &read["coverage_status"]), (&json!(5), &json!("partial")));
}

#[test]
fn one_bundle_has_one_list_of_reasons_whoever_prints_it() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str, expected: &str| {
        let mut probe = probe(&format!("one:{name}"), "file-read-data", "${root}/open/a", expected);
        probe["driver"] = "file_read".into();
        probe["fixtures"] = json!([
            {"path": "open", "kind": "dir"},
            {"path": "open/a", "kind": "file", "text": "x"},
        ]);
        probe
    };
    let workspace = Workspace::new(dir.path()).add("one", &read_policy(), vec![read("a", "allow")]);
    let plan = workspace.plan_path("one");
    let text = fs::read_to_string(&plan).unwrap();
    let mut off: Value = serde_json::from_str(&text).unwrap();
    off["plan_id"] = "off".into();
    off["lanes"] = json!({"scenario": false});
    let without_scenario = plan.with_file_name("off.json");
    fs::write(&without_scenario, off.to_string()).unwrap();
    for (name, plan, more) in [
        ("whole", &plan, None),
        ("dry", &plan, Some("--dry")),
        ("off", &without_scenario, None),
        ("selected", &plan, Some("--only-scenario=one:a")),
    ] {
        let out = dir.path().join(format!("out-{name}"));
        let run = output(sandproof().args(["run", "--json", "--plan"]).arg(plan).arg("--out").arg(&out).args(more));
        let run: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{name}: {}", stderr(&run)));
        let bundle = run["bundle"].as_str().unwrap();
        let packet = dir.path().join(format!("{name}.packet.json"));
        let emitted = output(sandproof().args(["emit-promotion", "--bundle", bundle, "--out"]).arg(&packet));
        expect_code(&emitted, 0);
        let packet: Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
        assert_eq!(run["promotability"], packet["promotability"], "{name}");
        let failed = packet["promotability"]["reasons"].as_array().unwrap().contains(&json!("controls_failed"));
        assert!(!failed, "{name}: a control that did not run did not go wrong");
    }
}

#[test]
fn the_consumer_does_complain() {
    if !python() {
        skip!("there is no python3");
    }
    let dir = tempfile::tempdir().unwrap();
    let out = mixed(dir.path());
    let packet = packet(&out);
    let bundle = out.join(fs::read_to_string(out.join("LATEST")).unwrap().trim());
    let cases: &[(&str, &str, &str, &str)] = &[
        ("runtime_events.normalized.json", "\"runtime_status\"", "\"runtime_statuz\"", "unexpected keys"),
        ("runtime_events.normalized.json", "\"command\": [", "\"actual\": null, \"command\": [", "stands twice"),
        (
            "runtime_events.normalized.json",
            "\"attribution\": \"process_policy\"",
            "\"attribution\": \"allow\"",
            "is not deny",
        ),
        (
            "runtime_events.normalized.json",
            "\"intended_op_witnessed\": true",
            "\"intended_op_witnessed\": 1",
            "is no bool",
        ),
        (
            "runtime_results.json",
            "\"runtime_result_schema_version\": 1",
            "\"runtime_result_schema_version\": 2",
            "unsupported result",
        ),
        ("runtime_results.json", "\"failure_stage\": \"preflight\"", "\"failure_stage\": \"launch\"", "stage launch"),
        ("runtime_results.json", "\"match\": false", "\"match\": true", "match is not"),
        ("expected_matrix.json", "\"operation\": \"process-fork\"", "\"operation\": \"process-spork\"", "vocabulary"),
        ("expected_matrix.json", "\"world_id\": \"", "\"world_id\": \"x", "another world"),
        ("baseline_results.json", "\"name\": \"baseline:", "\"name\": \"base:", "another name"),
        ("baseline_results.json", "\"status\": \"allow\"", "\"status\": \"ok\"", "status ok"),
        (
            "mismatch_summary.json",
            "\"mismatch_type\": \"unexpected_deny\"",
            "\"mismatch_type\": \"filter_diff\"",
            "is not unexpected_deny",
        ),
        ("mismatch_packets.jsonl", "\"mismatch_reason\": \"", "\"mismatch_reason\": \"x", "reason x"),
        (
            "mismatch_packets.jsonl",
            "\"mismatch_reason\": \"op_not_witnessed\"",
            "\"mismatch_reason\": \"expectation_too_strong\"",
            "missing witness",
        ),
        (
            "runtime_results.json",
            "\"intended_op_witnessed\": false",
            "\"intended_op_witnessed\": true",
            "intended_op_witnessed is True, not False",
        ),
        ("summary.json", "\"left_out\": 0", "\"left_out\": 1", "not what summary.json says"),
        ("path_witnesses.json", "\"observed_path_source\": \"probe_", "\"observed_path_source\": \"x", "source x"),
        ("oracle_results.json", "\"stage\": \"model\"", "\"stage\": \"pre_syscall\"", "rows of 0 callouts"),
        ("summary.json", "\"scenario_count\": ", "\"scenario_count\": 1", "scenario_count"),
        ("run_manifest.json", "\"stage_used\"", "\"stage_uzed\"", "no `stage_used`"),
        ("summary.md", "Status", "State", "another digest"),
    ];
    for (file, from, to, complaint) in cases {
        let path = bundle.join(file);
        let good = fs::read_to_string(&path).unwrap();
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{file} holds no {from}");
        fs::write(&path, bad).unwrap();
        let read = consume(&packet, dir.path());
        let said = stdout(&read) + &stderr(&read);
        assert_eq!(read.status.code(), Some(1), "{file}, {to}: {said}");
        assert!(
            said.contains(complaint) || *complaint == "cannot be read",
            "{file}, {to}: no `{complaint}` in\n{said}"
        );
        fs::write(&path, good).unwrap();
    }
    accepted(&packet, dir.path());
}
