//! `derive`: what a bundle's evidence should be, and in what it is not.

use std::fs;

use serde_json::{Value, json};

use crate::support::{copy_folder, expect_code, files, finished_run, output, sandproof, stderr, stdout};

fn derive(bundle: &std::path::Path, more: &[&str]) -> std::process::Output {
    output(sandproof().args(["derive", "--bundle"]).arg(bundle).args(more))
}

#[test]
fn a_sound_bundle_gives_itself() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let checked = derive(&run.out, &["--check"]);
    expect_code(&checked, 0);
    assert!(stdout(&checked).contains("all as the inputs and rows yield them"), "{}", stdout(&checked));

    let copy = run.dir.path().join("derived");
    let written = derive(&run.out, &["--json", "--check", "--out", copy.to_str().unwrap()]);
    expect_code(&written, 0);
    let report: Value = serde_json::from_slice(&written.stdout).unwrap();
    assert_eq!((&report["ok"], &report["differences"]), (&json!(true), &json!([])));
    let names: Vec<&str> =
        report["artifacts"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), files(&copy).len());
    for name in names {
        assert_eq!(fs::read(copy.join(name)).unwrap(), fs::read(run.bundle.join(name)).unwrap(), "{name}");
    }
    expect_code(&crate::support::validate(&run.bundle), 0);
}

#[test]
fn every_difference_is_listed_with_its_place() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let edit = |name: &str, from: &str, to: &str| {
        let path = run.bundle.join(name);
        let good = fs::read_to_string(&path).unwrap();
        assert!(good.contains(from), "{name} holds no {from}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
    };
    edit("summary.json", "\"status\": \"ok\"", "\"status\": \"no\"");
    edit("summary.md", "Status", "State");
    fs::remove_file(run.bundle.join("fixtures.json")).unwrap();
    let checked = derive(&run.bundle, &["--check", "--json"]);
    expect_code(&checked, 1);
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let found: Vec<(&str, &str)> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("fixtures.json", "absent"), ("summary.json", "content"), ("summary.md", "content")]);
    let said = stdout(&derive(&run.bundle, &["--check"]));
    assert!(
        said.contains("summary.md: it is not what the bundle's own inputs and rows yield: it differs at byte"),
        "{said}"
    );
    assert!(said.contains("line 3"), "{said}");
}

#[test]
fn a_consistent_lie_differs_too() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let path = run.bundle.join("runtime_events.normalized.json");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replacen("\"actual\": \"deny\"", "\"actual\": \"allow\"", 1)).unwrap();
    expect_code(&output(sandproof().args(["reindex-bundle", "--repair", "--bundle"]).arg(&run.bundle)), 0);
    // The repaired index makes the bundle partial, so there is nothing to be had of it.
    expect_code(&derive(&run.bundle, &["--check"]), 4);
}

#[test]
fn what_is_wrong_with_the_sources_is_refused() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    for (name, from, to) in [
        ("rows/scenario.jsonl", "\"errno\":13", "\"errno\":11"),
        ("inputs/sources.json", "plan", "plam"),
        ("run_manifest.json", "\"dry_run\": false", "\"dry_run\": true"),
        ("run_status.json", "complete", "failed"),
    ] {
        let copy = run.dir.path().join("copy");
        copy_folder(&run.bundle, &copy);
        let path = copy.join(name);
        let good = fs::read_to_string(&path).unwrap();
        assert!(good.contains(from), "{name} holds no {from}");
        fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let out = run.dir.path().join("derived");
        let refused = derive(&copy, &["--check", "--out", out.to_str().unwrap()]);
        expect_code(&refused, 4);
        assert!(stdout(&refused).contains(name), "{name}: {}", stdout(&refused));
        assert!(!out.exists() || files(&out).is_empty(), "{name}: something was left behind");
        fs::remove_dir_all(&copy).unwrap();
    }
}

#[test]
fn nothing_is_written_into_a_bundle_or_over_anything() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let before = files(&run.bundle);
    let inside = run.bundle.join("derived/again");
    let refused = derive(&run.bundle, &["--out", inside.to_str().unwrap()]);
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("inside the bundle"), "{}", stderr(&refused));
    assert_eq!(files(&run.bundle), before);
    assert!(!run.bundle.join("derived").exists());

    let taken = run.dir.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("mine"), "x").unwrap();
    expect_code(&derive(&run.bundle, &["--out", taken.to_str().unwrap()]), 2);
    assert_eq!(fs::read_to_string(taken.join("mine")).unwrap(), "x");
}
