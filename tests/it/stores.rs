//! `upload` and `download`: a folder as the store; `scripts/test-upload` puts the same to a bucket.

use std::fs;

use serde_json::Value;

use crate::support::{expect_code, finished_run, output, sandproof, stderr, stdout};

#[test]
fn a_bundle_goes_to_a_folder_and_comes_back() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let bundle = run.bundle.clone();
    let run_id = bundle.file_name().unwrap().to_str().unwrap();
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    let url = format!("file://{}", store.display());

    let sent = output(sandproof().args(["upload", "--to", &url]).arg(&run.out));
    expect_code(&sent, 0);
    assert!(stdout(&sent).starts_with("committed: "), "{}", stdout(&sent));
    // Where it lies it is a bundle as any other.
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(store.join(run_id))), 0);
    let again = output(sandproof().args(["upload", "--json", "--to", &url]).arg(&bundle));
    expect_code(&again, 0);
    let answer: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&answer["copied"], &answer["ok"]), (&0.into(), &true.into()), "{answer}");

    let fetch = |to: &str| {
        let from = format!("{url}/{run_id}");
        output(sandproof().args(["download", &from, "--out"]).arg(place.path().join(to)))
    };
    expect_code(&fetch("fetched"), 0);
    let same = |name: &str| fs::read(place.path().join("fetched").join(run_id).join(name)).unwrap();
    assert_eq!(same("artifact_index.json"), fs::read(bundle.join("artifact_index.json")).unwrap());
    let twice = fetch("fetched");
    expect_code(&twice, 2);
    assert!(stderr(&twice).contains("nothing is ever overwritten"), "{}", stderr(&twice));

    // A file that is not the bundle's is named, and the index that is gone is said to be missing.
    fs::write(store.join(run_id).join("summary.md"), "other").unwrap();
    let refused = fetch("spoilt");
    expect_code(&refused, 4);
    assert!(stdout(&refused).contains("summary.md"), "{}", stdout(&refused));
    let refused = output(sandproof().args(["upload", "--to", &url]).arg(&bundle));
    expect_code(&refused, 4);
    assert!(stdout(&refused).contains("summary.md"), "{}", stdout(&refused));
    assert_eq!(fs::read_to_string(store.join(run_id).join("summary.md")).unwrap(), "other");
    fs::remove_file(store.join(run_id).join("artifact_index.json")).unwrap();
    let refused = fetch("uncommitted");
    expect_code(&refused, 4);
    assert!(stderr(&refused).contains("not committed"), "{}", stderr(&refused));
    assert!(!place.path().join("uncommitted").join(run_id).exists());
}

#[test]
fn an_address_that_is_none_is_refused_and_a_bucket_where_it_cannot_be_reached() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let to = |address: &str| output(sandproof().args(["upload", "--to", address]).arg(&run.out));
    for address in ["http://example.invalid/x", "s3://", "file://host/x"] {
        let refused = to(address);
        expect_code(&refused, 2);
        assert!(stderr(&refused).contains(address), "{}", stderr(&refused));
    }
    let no_run = output(sandproof().args(["download", "s3://bucket", "--out"]).arg(&run.out));
    expect_code(&no_run, 2);
    assert!(stderr(&no_run).contains("STORE/RUN_ID"), "{}", stderr(&no_run));
    if cfg!(not(feature = "upload")) {
        let refused = to("s3://bucket/worlds");
        expect_code(&refused, 7);
        assert!(stderr(&refused).contains("--features upload"), "{}", stderr(&refused));
    }
    let invalid = output(sandproof().args(["upload", "--to", "x", "/nonexistent"]));
    expect_code(&invalid, 4);
}
