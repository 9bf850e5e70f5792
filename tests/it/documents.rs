//! Every document of every kind of run has its published shape: in this process by one validator, in
//! `scripts/validate-documents` by another.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::consumers::python;
use crate::json_answers::Schemas;
use crate::support::{expect_code, files, output, root, sandproof, stderr, stdout};
use crate::workspace::{Workspace, probe, read_policy};

/// The schema of a document or of a line, by its name in the bundle; nothing for texts and for what others wrote.
fn schema_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "rows/baseline.jsonl" | "rows/control.jsonl" | "rows/scenario.jsonl" => "probe_row",
        "rows/oracle.jsonl" => "oracle_row",
        "mismatch_packets.jsonl" => "mismatch_packet",
        "verdicts.jsonl" => "verdict",
        "inputs/sources.json" => "input_sources",
        "expected_matrix.json" | "expected_matrix.generated.json" => "expected_matrix",
        "runtime_events.normalized.json" => "runtime_events",
        "run_status.json" => "run_status",
        "run_identity.json" => "run_identity",
        "run_manifest.json" => "run_manifest",
        "apply_preflight.json" => "apply_preflight",
        "channel_witness.json" => "channel_witness",
        "runtime_results.json" => "runtime_results",
        "baseline_results.json" => "baseline_results",
        "oracle_results.json" => "oracle_results",
        "controls.json" => "controls",
        "mismatch_summary.json" => "mismatch_summary",
        "path_witnesses.json" => "path_witnesses",
        "fixtures.json" => "fixtures",
        "summary.json" => "summary",
        "repair_log.json" => "repair_log",
        "artifact_index.json" => "artifact_index",
        _ => {
            assert!(name == "summary.md" || name.starts_with("inputs/"), "nobody says what `{name}` is");
            return None;
        }
    })
}

/// Fails unless every document of the bundle has its shape; the number of documents and lines.
#[track_caller]
fn shaped(schemas: &Schemas, bundle: &Path) -> usize {
    let mut documents = 0;
    for file in files(bundle) {
        let name = file.to_str().unwrap();
        let Some(schema) = schema_of(name) else { continue };
        let text = fs::read_to_string(bundle.join(&file)).unwrap();
        let parts: Vec<&str> = if name.ends_with(".jsonl") { text.lines().collect() } else { vec![&text] };
        for part in parts {
            let value = serde_json::from_str(part).unwrap_or_else(|error| panic!("{name}: {error}: {part:?}"));
            schemas.satisfied(schema, &value);
            documents += 1;
        }
    }
    documents
}

/// One bundle of each kind of run that needs no service manager, each in an output root of its own.
fn bundles(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let read = |name: &str, path: &str, expected: &str| {
        let mut probe = probe(&format!("kinds:{name}"), "file-read-data", &format!("${{root}}/{path}"), expected);
        probe["driver"] = "file_read".into();
        probe["fixtures"] = json!([
            {"path": "open", "kind": "dir"},
            {"path": "open/a", "kind": "file", "text": "x"},
            {"path": "shut", "kind": "dir"},
            {"path": "shut/a", "kind": "file", "text": "x"},
        ]);
        probe
    };
    // As expected, two that are not, and one that decides nothing.
    let probes = vec![
        read("open", "open/a", "allow"),
        read("shut", "shut/a", "deny"),
        read("wrong", "shut/a", "allow"),
        read("absent", "open/absent", "allow"),
    ];
    let workspace = Workspace::new(dir).add("kinds", &read_policy(), probes);
    let plan = workspace.plan_path("kinds");
    let whole: Value = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
    let example = root().join("docs/examples/support-agent");
    let subject = dir.join("subject");
    crate::support::copy_folder(&example, &subject);
    let with = |name: &str, key: &str, value: Value| {
        let mut document = whole.clone();
        document[key] = value;
        let path = plan.with_file_name(format!("{name}.json"));
        fs::write(&path, document.to_string()).unwrap();
        path
    };
    let lanes = |lanes: &str, value: Value| with(lanes, "lanes", value);
    let runs: Vec<(&'static str, PathBuf, Vec<&str>)> = vec![
        ("direct", plan.clone(), vec![]),
        ("dry", plan.clone(), vec!["--dry"]),
        ("selection", plan.clone(), vec!["--only-scenario", "kinds:open"]),
        ("two workers", plan.clone(), vec!["--jobs", "2"]),
        ("no scenario", lanes("no_scenario", json!({"scenario": false})), vec![]),
        ("no baseline", lanes("no_baseline", json!({"baseline": false})), vec![]),
        ("no oracle", lanes("no_oracle", json!({"oracle": false})), vec![]),
        ("subject", with("subject", "subject", "subject/run.json".into()), vec![]),
    ];
    let mut made = Vec::new();
    for (name, plan, more) in runs {
        let out = dir.join("out").join(name.replace(' ', "_"));
        fs::create_dir_all(out.parent().unwrap()).unwrap();
        let run = output(sandproof().args(["run", "--json", "--plan"]).arg(&plan).arg("--out").arg(&out).args(more));
        let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{name}: {}", stderr(&run)));
        made.push((name, PathBuf::from(report["bundle"].as_str().unwrap())));
    }
    // A repair changes index and log; what is lost stays lost.
    let repaired = dir.join("out/repaired/run");
    crate::support::copy_folder(&made[0].1, &repaired);
    fs::remove_file(repaired.join("controls.json")).unwrap();
    let run = output(sandproof().args(["reindex-bundle", "--repair", "--bundle"]).arg(&repaired));
    assert!(repaired.join("repair_log.json").exists(), "{}{}", stdout(&run), stderr(&run));
    made.push(("repaired", repaired));
    made
}

#[test]
fn every_document_of_every_kind_of_run_has_its_published_shape() {
    let dir = tempfile::tempdir().unwrap();
    let schemas = Schemas::load();
    for (name, bundle) in bundles(dir.path()) {
        let documents = shaped(&schemas, &bundle);
        assert!(documents > 8, "{name}: {documents} documents");
        let packet = dir.path().join("packet.json");
        output(sandproof().args(["emit-promotion", "--bundle"]).arg(&bundle).arg("--out").arg(&packet));
        let packet: Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
        let schema = if packet.get("unverified").is_some() { "unverified_packet" } else { "promotion_packet" };
        schemas.satisfied(schema, &packet);
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a skip has to be seen")]
fn another_validator_accepts_them_too_and_does_complain() {
    let has = Command::new("python3").args(["-c", "import jsonschema, referencing"]).output();
    if !python() || !has.is_ok_and(|has| has.status.success()) {
        // The gate installs it for its own run of the script.
        eprintln!("SKIPPED: this python3 has no jsonschema");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bundles = bundles(dir.path());
    let check = |places: &[PathBuf]| {
        output(Command::new("python3").arg(root().join("scripts/validate-documents")).args(places))
    };
    let places: Vec<PathBuf> = bundles.iter().map(|(_, bundle)| bundle.clone()).collect();
    let checked = check(&places);
    assert!(checked.status.success(), "{}\n{}", stdout(&checked), stderr(&checked));
    let (_, bundle) = &bundles[0];
    for (file, from, to, complaint) in [
        ("run_manifest.json", "\"role\": \"plan\"", "\"role\": \"plot\"", "'plot'"),
        ("rows/scenario.jsonl", "\"seq\":0", "\"seq\":-1", "minimum"),
        ("summary.json", "\"dry_run\"", "\"wet_run\"", "wet_run"),
        ("inputs/sources.json", "\"documents\"", "\"more\": 1, \"documents\"", "more"),
    ] {
        let path = bundle.join(file);
        let good = fs::read_to_string(&path).unwrap();
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{file} holds no {from}");
        fs::write(&path, bad).unwrap();
        let checked = check(std::slice::from_ref(bundle));
        expect_code(&checked, 1);
        assert!(stdout(&checked).contains(file), "{file}, {complaint}: {}", stdout(&checked));
        fs::write(&path, good).unwrap();
    }
    fs::write(bundle.join("more.json"), "{}").unwrap();
    expect_code(&check(std::slice::from_ref(bundle)), 1);
}
