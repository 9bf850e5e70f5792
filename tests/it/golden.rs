//! Bundles that earlier versions made are read by this one. `tests/golden/README.md` says what they are.

use std::fs;
use std::path::{Path, PathBuf};

use sandproof::test_support::base::digest::Digest;
use serde_json::{Value, json};

use crate::consumers::{accepted, python};
use crate::skip;
use crate::support::{copy_folder, expect_code, output, root, sandproof, stdout, validate};

const NAMES: [&str; 3] = ["dry", "mixed", "sound"];

fn golden() -> PathBuf {
    root().join("tests/golden")
}

fn bundle(name: &str) -> PathBuf {
    golden().join("out").join(name)
}

fn read(bundle: &Path, name: &str) -> Value {
    serde_json::from_slice(&fs::read(bundle.join(name)).unwrap()).unwrap()
}

#[test]
fn they_are_the_ones_that_were_made() {
    let digests = fs::read_to_string(golden().join("digests")).unwrap();
    let wanted: Vec<String> = NAMES
        .iter()
        .map(|name| {
            let index = fs::read(bundle(name).join("artifact_index.json")).unwrap();
            format!("{}  out/{name}/artifact_index.json", Digest::of(&index))
        })
        .collect();
    assert_eq!(digests.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn they_verify_and_their_evidence_is_still_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for name in NAMES {
        // A copy elsewhere: nothing may depend on where a bundle lies.
        let copy = dir.path().join(name);
        copy_folder(&bundle(name), &copy);
        expect_code(&validate(&copy), 0);
        let derived = output(sandproof().args(["derive", "--check", "--bundle"]).arg(&copy));
        expect_code(&derived, 0);
        expect_code(&output(sandproof().args(["reindex-bundle", "--strict", "--bundle"]).arg(&copy)), 0);
        assert!(stdout(&derived).contains("all as the inputs and rows yield them"), "{name}");
    }
}

#[test]
fn they_say_what_they_said() {
    let summary = read(&bundle("sound"), "summary.json");
    assert_eq!((&summary["status"], &summary["counts"]["matched"]), (&json!("ok"), &json!(6)));
    let summary = read(&bundle("dry"), "summary.json");
    assert_eq!((&summary["status"], &summary["dry_run"]), (&json!("dry"), &json!(true)));
    let summary = read(&bundle("mixed"), "summary.json");
    assert_eq!(summary["counts"], json!({"planned": 10, "matched": 6, "mismatched": 2, "undecided": 2}));
    let counts = json!({"op_not_witnessed": 1, "preflight_blocked": 1, "unexpected_allow": 1, "unexpected_deny": 1});
    assert_eq!(summary["mismatch_counts"], counts);
}

#[test]
fn their_packets_say_why_they_may_not_be_promoted() {
    let dir = tempfile::tempdir().unwrap();
    for (name, reason) in [("sound", "not_clean_channel"), ("mixed", "not_clean_channel"), ("dry", "dry_run")] {
        let packet = dir.path().join(name);
        let emitted =
            output(sandproof().args(["emit-promotion", "--bundle"]).arg(bundle(name)).arg("--out").arg(&packet));
        expect_code(&emitted, 0);
        let packet: Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
        let reasons = packet["promotability"]["reasons"].as_array().unwrap();
        assert!(reasons.contains(&json!(reason)), "{name}: {reasons:?}");
    }
}

#[test]
fn consumers_accept_them() {
    if !python() {
        skip!("there is no python3");
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["sound", "mixed"] {
        let packet = dir.path().join(name);
        let emitted =
            output(sandproof().args(["emit-promotion", "--bundle"]).arg(bundle(name)).arg("--out").arg(&packet));
        expect_code(&emitted, 0);
        accepted(&packet, &golden());
    }
}
