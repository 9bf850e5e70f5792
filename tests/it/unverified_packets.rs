//! Of a bundle that does not verify, a packet says that it does not and why, carries nothing that only the bundle's word
//! stands for, and is no evidence to anybody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use crate::json_answers::Schemas;
use crate::support::{FinishedRun, copy_folder, expect_code, finished_run, output, sandproof, stderr, stdout};

fn emit(bundle: &Path, packet: &Path, more: &[&str]) -> Output {
    output(sandproof().args(["emit-promotion", "--bundle"]).arg(bundle).arg("--out").arg(packet).args(more))
}

fn json_file(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut document = json_file(file);
    change(&mut document);
    fs::write(file, serde_json::to_vec_pretty(&document).unwrap()).unwrap();
}

/// A copy of the run's bundle under a name of its own.
fn copy(run: &FinishedRun, name: &str) -> PathBuf {
    let folder = run.dir.path().join(name).join(run.bundle.file_name().unwrap());
    copy_folder(&run.bundle, &folder);
    folder
}

#[test]
fn each_way_of_not_verifying_has_a_packet_that_names_it() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let schemas = Schemas::load();
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, &[&str]); 9] = [
        (
            "killed",
            |b| {
                fs::remove_file(b.join("artifact_index.json")).unwrap();
                edit(&b.join("run_status.json"), |status| status["state"] = "in_progress".into());
            },
            &["bundle_in_progress"],
        ),
        (
            "failed",
            |b| {
                edit(&b.join("run_status.json"), |status| status["state"] = "failed".into());
                edit(&b.join("artifact_index.json"), |index| index["status"] = "failed".into());
            },
            &["bundle_failed"],
        ),
        ("incomplete", |b| fs::remove_file(b.join("fixtures.json")).unwrap(), &["bundle_incomplete"]),
        (
            "repaired",
            |b| {
                fs::remove_file(b.join("fixtures.json")).unwrap();
                expect_code(&output(sandproof().args(["reindex-bundle", "--repair", "--bundle"]).arg(b)), 0);
            },
            &["bundle_incomplete", "bundle_repaired"],
        ),
        (
            "tampered",
            |b| {
                let events = b.join("runtime_events.normalized.json");
                let text = fs::read_to_string(&events).unwrap();
                fs::write(&events, text.replacen("\"actual\": \"deny\"", "\"actual\": \"allow\"", 1)).unwrap();
            },
            &[],
        ),
        ("without manifest", |b| fs::remove_file(b.join("run_manifest.json")).unwrap(), &["manifest_missing"]),
        ("without status", |b| fs::remove_file(b.join("run_status.json")).unwrap(), &["run_status_missing"]),
        ("status torn", |b| fs::write(b.join("run_status.json"), "{").unwrap(), &["run_status_missing"]),
        ("extra file", |b| fs::write(b.join("extra"), "x").unwrap(), &[]),
    ];
    for (name, spoil, reasons) in cases {
        let bundle = copy(&run, name);
        spoil(&bundle);
        let packet = bundle.parent().unwrap().join("packet.json");
        // Where only what may be promoted is asked for, nothing is written.
        expect_code(&emit(&bundle, &packet, &["--require-promotable"]), 4);
        assert!(!packet.exists(), "{name}");

        let emitted = emit(&bundle, &packet, &["--json"]);
        expect_code(&emitted, 4);
        let answer: Value = serde_json::from_slice(&emitted.stdout).unwrap();
        schemas.satisfied("promotion_report", &answer);
        let said = json_file(&packet);
        schemas.satisfied("unverified_packet", &said);
        assert_eq!(said["promotability"], answer["promotability"], "{name}");
        assert_eq!(said["unverified"]["problems"], answer["errors"].as_array().unwrap().len(), "{name}");
        let found: Vec<&str> =
            said["promotability"]["reasons"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        for reason in reasons.iter().chain(&["bundle_integrity_unverified"]) {
            assert!(found.contains(reason), "{name}: no {reason} in {found:?}");
        }
        // The pointers lead to the files, whose digests are those of what was read.
        for (pointer, digest) in said["unverified"]["digests_as_read"].as_object().unwrap() {
            let read = sandproof::test_support::base::digest::Digest::of(&fs::read(pointer).unwrap()).to_string();
            assert_eq!(*digest, read, "{name}: {pointer}");
        }
        assert_eq!(Path::new(said["run_manifest"].as_str().unwrap()), bundle.join("run_manifest.json"), "{name}");
        let shown = emit(&bundle, &packet, &[]);
        expect_code(&shown, 4);
        assert!(stdout(&shown).contains("bundle_integrity_unverified: "), "{name}: {}", stdout(&shown));

        // It is no evidence, whatever is allowed.
        let packet = packet.to_str().unwrap();
        for arguments in [
            vec!["summarize-ops", "--allow-nonpromotable", "--packet", packet],
            vec!["links", "build", "--allow-nonpromotable", "--packet", packet],
            vec!["diff-runs", packet, packet],
        ] {
            let refused = output(sandproof().args(&arguments));
            expect_code(&refused, 4);
            assert!(stderr(&refused).contains("does not verify"), "{name}: {arguments:?}: {}", stderr(&refused));
        }
    }
}

#[test]
fn nothing_of_a_hostile_bundle_gets_into_its_packet() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let bundle = copy(&run, "hostile");
    edit(&bundle.join("artifact_index.json"), |index| {
        index["bundle_root"] = json!(format!("../../EVIL/{}", index["run_id"].as_str().unwrap()));
        index["world_id"] = "EVIL-world".into();
    });
    edit(&bundle.join("run_manifest.json"), |manifest| {
        manifest["world_id"] = "EVIL-world".into();
        manifest["output_root"] = "EVIL".into();
        manifest["apply_preflight"]["record"]["sandbox_check_self"] = json!({"EVIL": ["\u{1b}[2J"]});
    });
    fs::write(bundle.join("EVIL"), "x").unwrap();
    let packet = run.dir.path().join("packet.json");
    expect_code(&emit(&bundle, &packet, &[]), 4);
    let said = fs::read_to_string(&packet).unwrap();
    assert!(!said.contains("EVIL") && !said.contains("u001b") && !said.contains('\u{1b}'), "{said}");
    let said = json_file(&packet);
    let keys: Vec<&String> = said.as_object().unwrap().keys().collect();
    assert!(
        !keys.iter().any(|key| ["identity", "index_sha256", "artifact_digests", "world_id"].contains(&key.as_str()))
    );
    // Nor does taking the mark away make it a packet of the bundle, or of one that verifies.
    edit(&packet, |packet| drop(packet.as_object_mut().unwrap().remove("unverified")));
    let refused = output(sandproof().args(["summarize-ops", "--allow-nonpromotable", "--packet"]).arg(&packet));
    expect_code(&refused, 4);
}

#[test]
fn without_a_run_id_there_is_no_packet() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let bundle = copy(&run, "nameless");
    let packet = run.dir.path().join("packet.json");
    for name in ["artifact_index.json", "run_manifest.json", "run_status.json"] {
        fs::write(bundle.join(name), "{}").unwrap();
    }
    let refused = emit(&bundle, &packet, &["--json"]);
    expect_code(&refused, 4);
    Schemas::load().satisfied("bundle_report", &serde_json::from_slice(&refused.stdout).unwrap());
    assert!(!packet.exists());
    expect_code(&emit(&run.dir.path().join("nowhere"), &packet, &[]), 4);
    assert!(!packet.exists());
    // Nor is anything written into the bundle.
    let broken = copy(&run, "broken");
    fs::write(broken.join("extra"), "x").unwrap();
    expect_code(&emit(&broken, &broken.join("packet.json"), &[]), 2);
    assert!(!broken.join("packet.json").exists());
}
