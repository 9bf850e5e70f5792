//! The commit: what it leaves, and what a crash at any step leaves.

use std::fs;
use std::io::Write;

use super::fixture::{RUN, build, copy_tree, derived, lock, path, raw, status, verify};
use crate::base::digest::Digest;
use crate::bundle::index::{self, ExpectedArtifacts};
use crate::bundle::writer::{BundleWriter, RunEnd, WriteError};
use crate::bundle::{Problem, open_unverified};
use crate::record::index::IndexStatus;
use crate::record::layout;
use crate::record::manifest::{RunState, RunStatus};

#[test]
fn a_complete_bundle_verifies_where_it_lies_and_elsewhere() {
    let out = tempfile::tempdir().unwrap();
    let committed = build(out.path(), RUN);
    assert!(committed.latest);
    assert_eq!(fs::read_to_string(out.path().join(layout::LATEST)).unwrap(), format!("{RUN}\n"));
    let bundle = verify(&committed.folder).unwrap();
    assert_eq!(bundle.derived_count(), 14);
    assert_eq!(bundle.index_sha256(), committed.index_sha256);
    assert_eq!(bundle.status().state, RunState::Complete);
    // By its output root, copied, renamed and moved.
    assert_eq!(verify(out.path()).unwrap().folder(), committed.folder);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = copy_tree(&committed.folder, &elsewhere.path().join("another name"));
    verify(&copy).unwrap();
    fs::rename(&committed.folder, elsewhere.path().join("moved")).unwrap();
    verify(&elsewhere.path().join("moved")).unwrap();
}

#[test]
fn the_index_has_the_order_and_the_versions_of_the_contract() {
    let out = tempfile::tempdir().unwrap();
    let index = build(out.path(), RUN).index;
    let names: Vec<&str> = index.artifacts.iter().map(|entry| entry.path.strip_prefix("out/run-1/").unwrap()).collect();
    assert_eq!(
        names,
        [
            "run_status.json",
            "run_manifest.json",
            "mismatch_summary.json",
            "mismatch_packets.jsonl",
            "summary.json",
            "summary.md",
            "expected_matrix.generated.json",
            "expected_matrix.json",
            "runtime_results.json",
            "runtime_events.normalized.json",
            "baseline_results.json",
            "path_witnesses.json",
            "fixtures.json",
            "oracle_results.json",
            "controls.json",
            "inputs/policies/p.json",
            "inputs/sources.json",
            "rows/baseline.jsonl",
            "rows/control.jsonl",
            "rows/oracle.jsonl",
            "rows/scenario.jsonl",
            "run_identity.json",
            "verdicts.jsonl",
        ]
    );
    let version = |name: &str| {
        let entry = index.artifacts.iter().find(|entry| entry.path.ends_with(name)).unwrap();
        entry.schema_version.as_deref()
    };
    assert_eq!(version("run_status.json"), Some("runtime-tools.run_status.v0.1"));
    assert_eq!(version("rows/baseline.jsonl"), Some("row.v1"));
    assert_eq!(version("summary.md"), None);
    assert_eq!(index.status, IndexStatus::Ok);
    assert!(index.missing.is_empty());
}

#[test]
fn sizes_and_digests_are_those_of_the_files() {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let mut writer = derived(raw(&lock, RUN));
    // Around the block size, in pieces of every kind.
    for (name, pieces) in
        [("inputs/a", vec![65_535, 1, 1]), ("inputs/b", vec![200_000, 3, 65_536]), ("inputs/c", vec![])]
    {
        let mut out = writer.stage(&path(name)).unwrap();
        for piece in pieces {
            out.write_all(&vec![b'x'; piece]).unwrap();
        }
        out.flush().unwrap();
        writer.finish_artifact(out).unwrap();
    }
    let committed = writer.commit(RunEnd::Complete { dry: false }).unwrap();
    for entry in &committed.index.artifacts {
        let name = index::strip("out/run-1", &entry.path).unwrap();
        let bytes = fs::read(name.under(&committed.folder)).unwrap();
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (entry.sha256, entry.file_size), "{name}");
    }
}

#[test]
fn a_crash_after_any_step_leaves_nothing_that_validates_too_early() {
    let out = tempfile::tempdir().unwrap();
    let snapshots = tempfile::tempdir().unwrap();
    let mut steps = Vec::new();
    {
        let lock = lock(out.path(), RUN);
        let writer = raw(&lock, RUN);
        copy_tree(out.path(), &snapshots.path().join("0"));
        steps.push("raw".to_owned());
        let writer = derived(writer);
        writer
            .commit_watched(RunEnd::Complete { dry: false }, &mut |step| {
                copy_tree(out.path(), &snapshots.path().join(steps.len().to_string()));
                steps.push(step.to_owned());
            })
            .unwrap();
    }
    let committed_at = steps.iter().position(|step| step == "index renamed").unwrap();
    assert!(committed_at > 20 && steps.last().unwrap() == "latest", "{steps:?}");
    for (number, step) in steps.iter().enumerate() {
        let root = snapshots.path().join(number.to_string());
        let bundle = root.join(RUN);
        match verify(&bundle) {
            Ok(_) => {
                assert!(number >= committed_at, "verified after step {step}");
                for name in steps[1..committed_at].iter().filter(|step| step.contains('.')) {
                    assert!(bundle.join(name).exists(), "{name} is absent after {step}");
                }
            }
            Err(refused) => {
                assert!(number < committed_at, "refused after step {step}: {:?}", refused.findings);
                assert!(refused.findings.iter().any(|f| f.problem == Problem::NotCommitted), "{step}");
            }
        }
        // `LATEST` leads to a bundle that verifies, or is not there.
        if root.join(layout::LATEST).exists() {
            verify(&root).unwrap();
        }
        // The next run is not disturbed.
        build(&root, "run-2");
        verify(&root).unwrap();
    }
}

#[test]
fn a_failed_run_keeps_what_is_there_and_says_so() {
    let out = tempfile::tempdir().unwrap();
    build(out.path(), RUN);
    let lock = lock(out.path(), "run-2");
    let writer = raw(&lock, "run-2");
    let end = RunEnd::Failed { error: "the worker was lost".into(), stage: "lane".into() };
    let committed = writer.commit(end).unwrap();
    assert_eq!(committed.index.status, IndexStatus::Failed);
    assert!(committed.index.missing.contains(&"out/run-2/summary.json".to_owned()));
    assert!(!committed.latest);
    assert_eq!(fs::read_to_string(out.path().join(layout::LATEST)).unwrap(), format!("{RUN}\n"));
    assert!(committed.folder.join("rows/scenario.jsonl").exists());
    let refused = verify(&committed.folder).unwrap_err();
    let text = refused.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(
        text.contains("run_status.json: the run failed (state `failed`, stage `lane`): the worker was lost"),
        "{text}"
    );
    assert!(text.contains("out/run-2/summary.json: the index says that it is missing"), "{text}");
    // Nothing but what a failed run means: its files agree with its index.
    let seen = open_unverified(&committed.folder).unwrap();
    assert!(seen.digest_mismatches.is_empty() && seen.findings.is_empty(), "{:?}", seen.findings);
}

#[test]
fn latest_stays_for_dry_and_for_partial_runs() {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    assert!(!derived(raw(&lock, RUN)).commit(RunEnd::Complete { dry: true }).unwrap().latest);
    let partial = raw(&lock, "run-2").commit(RunEnd::Complete { dry: false }).unwrap();
    assert_eq!((partial.index.status, partial.latest), (IndexStatus::Partial, false));
    assert!(!out.path().join(layout::LATEST).exists());
}

#[test]
fn a_bundle_is_never_overwritten_and_names_are_taken_once() {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let mut writer = raw(&lock, RUN);
    for name in ["rows/baseline.jsonl", "ROWS/Baseline.jsonl", "run_status.json", "artifact_index.json"] {
        assert!(matches!(writer.stage(&path(name)), Err(WriteError::Twice { .. })), "{name}");
    }
    let expected = ExpectedArtifacts::default();
    let again = BundleWriter::create(&lock, "out/run-1", status(RUN), expected);
    assert!(matches!(again, Err(WriteError::Exists { .. })));
    let elsewhere = BundleWriter::create(&lock, "out/run-9", status("run-3"), expected);
    assert!(matches!(elsewhere, Err(WriteError::Root { .. })));
    assert!(!out.path().join("run-3").exists());
}

#[test]
fn a_bundle_begins_in_progress_whatever_status_it_is_given() {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let given = RunStatus {
        state: RunState::Failed,
        error: Some("x".into()),
        failure_stage: Some("lane".into()),
        drift: Some(Vec::new()),
        identity: Some(Digest::of(b"x")),
        ..status(RUN)
    };
    let writer = BundleWriter::create(&lock, "out/run-1", given, ExpectedArtifacts::default()).unwrap();
    let text = fs::read(out.path().join(RUN).join(layout::RUN_STATUS)).unwrap();
    let begun: RunStatus = serde_json::from_slice(&text).unwrap();
    assert!(begun.updated_at_unix > 0.0);
    assert_eq!(begun, RunStatus { updated_at_unix: begun.updated_at_unix, ..status(RUN) });
    drop(writer);
}

#[test]
fn an_artifact_that_was_given_up_leaves_no_trace() {
    let out = tempfile::tempdir().unwrap();
    let lock = lock(out.path(), RUN);
    let mut writer = derived(raw(&lock, RUN));
    let mut given_up = writer.stage(&path("inputs/deep/er/x.json")).unwrap();
    given_up.write_all(b"half").unwrap();
    drop(given_up);
    let committed = writer.commit(RunEnd::Complete { dry: false }).unwrap();
    assert!(!committed.folder.join("inputs/deep").exists());
    verify(&committed.folder).unwrap();
}
