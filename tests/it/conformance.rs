//! `sandproof conformance`: implementations, right and wrong ones, put to vectors.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::json_answers::Schemas;
use crate::support::{copy_folder, expect_code, output, root, sandproof, stderr, stdout};

/// A few vectors whose base is a golden bundle.
fn few_vectors(folder: &Path) {
    copy_folder(&root().join("tests/golden/out/sound"), &folder.join("out/base"));
    let put = |name: &str, value: Value| fs::write(folder.join(name), value.to_string()).unwrap();
    put(
        "forgeries.json",
        json!({"forgeries": [
            {"name": "nothing", "edits": [], "reseal": [], "codes": []},
            {"name": "a file more", "edits": [{"file": "verdict.txt", "text": "allow"}], "codes": ["unlisted"]},
            {"name": "another seq, and an index that agrees", "reseal": ["index"], "codes": ["not_derivable"],
             "edits": [{"file": "rows/scenario.jsonl", "line": 0, "pointer": "/seq", "value": 7}]},
            {"name": "another deadline, sealed anew", "reseal": ["declaration", "index"], "codes": ["identity_differs"],
             "edits": [{"file": "run_identity.json", "pointer": "/policy/deadline_ms", "value": 1}]},
            {"name": "nothing, sealed anew", "reseal": ["sources", "declaration", "index"], "edits": [], "codes": []},
        ]}),
    );
    put(
        "packets.json",
        json!({"packets": [{"name": "as it is", "edits": [], "accepted": true},
        {"name": "without it", "edits": [{"pointer": "/a"}], "accepted": false}]}),
    );
    put("packet.json", json!({"a": 1}));
    put(
        "rows.json",
        json!({"rows": [{"name": "r", "mode": "landlock", "row": {"n": 1.0}, "baseline": null,
        "outcome": {"mode": "landlock", "baseline": null}}]}),
    );
    put("digests.json", json!({"plans": {}, "policies": {}}));
    put("controls.json", json!({"controls": [{"policy": {"p": 1}, "must_deny": {"driver": "d"}, "must_allow": null}]}));
    put("identities.json", json!({"identities": []}));
    put("seatbelt.json", json!({"seatbelt": []}));
    put("models.json", json!({"fixtures": [], "models": []}));
}

fn put_to(folder: &Path, arguments: &[&str]) -> Output {
    output(sandproof().arg("conformance").arg("--vectors").arg(folder).args(arguments))
}

/// This program as an implementation, by its path.
fn program(words: &str) -> String {
    format!("'{}' {words}", sandproof().get_program().to_str().unwrap())
}

#[test]
fn the_program_itself_agrees_with_the_vectors() {
    let dir = tempfile::tempdir().unwrap();
    few_vectors(dir.path());
    let itself = program("validate-bundle --json --bundle");
    let found = put_to(dir.path(), &["--claims", "reference", "--implementation", &itself]);
    expect_code(&found, 0);
    assert!(stdout(&found).ends_with("5 of kind forgery), 0 differ\n"), "{}", stdout(&found));
}

#[test]
fn whoever_answers_wrongly_is_told_where() {
    let dir = tempfile::tempdir().unwrap();
    few_vectors(dir.path());
    let trusting = r#"sh -c 'echo "{\"ok\": true, \"errors\": []}"'"#;
    let found = put_to(dir.path(), &["--json", "--implementation", trusting, "--packets", "true", "--rows", "cat"]);
    expect_code(&found, 1);
    let report: Value = serde_json::from_slice(&found.stdout).unwrap();
    Schemas::load().satisfied("conformance_report", &report);
    assert_eq!(
        report["groups"],
        json!([
            {"kind": "forgery", "vectors": 5, "differing": 3},
            {"kind": "packet", "vectors": 2, "differing": 1},
            {"kind": "row", "vectors": 1, "differing": 0},
        ])
    );
    assert_eq!(report["differing"][0]["name"], "a file more");
    assert_eq!(report["differing"][0]["expected"], "refused with unlisted");
    assert!(report["differing"][0]["found"].as_str().unwrap().starts_with("accepted"));
    assert_eq!(report["differing"][3]["name"], "without it");

    // All bundles at once, by one that says less than it has to.
    let short = put_to(dir.path(), &["--many", "--implementation", "echo oops", "--values", "cat"]);
    expect_code(&short, 1);
    let text = stdout(&short);
    assert!(text.contains("no answer (exit code 0)"), "{text}");
    assert!(text.contains("value `controls 0`: must_allow \"(absent)\""), "{text}");
    assert!(text.contains("    the vector says: must_allow null, must_deny {\"driver\":\"d\"}"), "{text}");
    assert!(text.ends_with("1 of kind value), 6 differ\n"), "{text}");
}

#[test]
fn what_cannot_be_put_to_vectors_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = output(sandproof().current_dir(dir.path()).args(["conformance", "--rows", "cat"]));
    expect_code(&nowhere, 3);
    assert!(stderr(&nowhere).contains("no folder `tests/vectors` here or above"), "{}", stderr(&nowhere));
    assert!(stderr(&nowhere).contains("--vectors DIR"), "{}", stderr(&nowhere));

    let empty = put_to(dir.path(), &["--rows", "cat"]);
    expect_code(&empty, 3);
    assert!(stderr(&empty).contains("rows.json"), "{}", stderr(&empty));

    few_vectors(dir.path());
    let absent = put_to(dir.path(), &["--implementation", "/nonexistent/verifier --json"]);
    expect_code(&absent, 3);
    assert!(stderr(&absent).contains("could not start `/nonexistent/verifier`"), "{}", stderr(&absent));

    let leaves = json!({"forgeries": [{"name": "out", "edits": [{"file": "../x", "text": ""}], "codes": []}]});
    fs::write(dir.path().join("forgeries.json"), leaves.to_string()).unwrap();
    let leaves = put_to(dir.path(), &["--implementation", "true"]);
    expect_code(&leaves, 3);
    assert!(stderr(&leaves).contains("the vector `out`"), "{}", stderr(&leaves));

    for usage in [&[][..], &["--many", "--rows", "cat"], &["--rows", ""], &["--rows", "a | b"]] {
        expect_code(&put_to(dir.path(), usage), 2);
    }
}

#[test]
fn the_vectors_of_the_checkout_are_found_from_below() {
    let below = root().join("src/conformance");
    let found = output(sandproof().current_dir(below).args(["conformance", "--values", "cat"]));
    expect_code(&found, 1);
    assert!(stdout(&found).contains("tests/vectors"), "{}", stdout(&found));
}
