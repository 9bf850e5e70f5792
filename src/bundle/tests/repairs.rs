//! Repair: it says what it did, and makes nothing better.

use std::fs;

use super::fixture::{Counting, RUN, build, lock, raw};
use crate::bundle::repair::{RepairError, repair};
use crate::bundle::verify::check_strictly;
use crate::bundle::{LockError, RunEnd, verify};
use crate::record::index::{ArtifactIndex, IndexStatus};
use crate::record::layout;
use crate::record::repair::RepairLog;

fn index(folder: &std::path::Path) -> ArtifactIndex {
    serde_json::from_slice(&fs::read(folder.join(layout::ARTIFACT_INDEX)).unwrap()).unwrap()
}

fn log(folder: &std::path::Path) -> RepairLog {
    serde_json::from_slice(&fs::read(folder.join(layout::REPAIR_LOG)).unwrap()).unwrap()
}

#[test]
fn strict_explains_every_difference() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    check_strictly(&folder).unwrap();
    fs::write(folder.join("summary.md"), "all is well\n").unwrap();
    fs::write(folder.join("extra"), "x").unwrap();
    let found = check_strictly(&folder).unwrap_err().findings;
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn an_edited_bundle_does_not_become_a_good_one() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    let old = index(&folder).artifacts[5].sha256;
    fs::write(folder.join("summary.md"), "all is well\n").unwrap();
    let repaired = repair(&folder).unwrap();
    assert_eq!(repaired.index_status, IndexStatus::Partial);
    assert_eq!(repaired.changes.len(), 1);
    let change = &repaired.changes[0];
    assert_eq!((change.path.as_str(), change.before.unwrap().sha256), ("summary.md", old));
    assert!(index(&folder).repaired);
    // The index fits now, and says that it is not to be relied on.
    let found = check_strictly(&folder).unwrap_err().findings;
    assert_eq!(found.iter().map(|f| f.problem.code()).collect::<Vec<_>>(), ["index_status"]);
    verify(&folder, &Counting).unwrap_err();
    // A second repair appends, and does not forget.
    fs::remove_file(folder.join("summary.md")).unwrap();
    let again = repair(&folder).unwrap();
    assert_eq!(again.index_status, IndexStatus::Partial);
    assert_eq!(index(&folder).missing, ["out/run-1/summary.md"]);
    let log = log(&folder);
    assert_eq!(log.repairs.len(), 2);
    assert_eq!(log.repairs[0].changes[0].before.unwrap().sha256, old);
    assert_eq!(log.before.missing, ["summary.md"]);
    // What was missing stays listed, even if something of that name turns up.
    fs::write(folder.join("summary.md"), "all is well\n").unwrap();
    repair(&folder).unwrap();
    assert_eq!(index(&folder).missing, ["out/run-1/summary.md"]);
    assert_eq!(index(&folder).status, IndexStatus::Partial);
}

#[test]
fn failed_stays_failed_and_missing_stays_missing() {
    let out = tempfile::tempdir().unwrap();
    let folder = {
        let lock = lock(out.path(), RUN);
        let end = RunEnd::Failed { error: "e".into(), stage: "lane".into() };
        raw(&lock, RUN).commit(end).unwrap().folder
    };
    let missing = index(&folder).missing;
    assert!(!missing.is_empty());
    assert_eq!(repair(&folder).unwrap().index_status, IndexStatus::Failed);
    assert_eq!(index(&folder).missing, missing);
}

#[test]
fn without_an_index_it_is_partial_at_best() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    fs::remove_file(folder.join(layout::ARTIFACT_INDEX)).unwrap();
    assert_eq!(repair(&folder).unwrap().index_status, IndexStatus::Partial);
    assert_eq!(index(&folder).bundle_root, "out/run-1");
    verify(&folder, &Counting).unwrap_err();
}

#[test]
fn a_killed_run_becomes_a_failed_bundle_once_its_lock_is_free() {
    let out = tempfile::tempdir().unwrap();
    let held = lock(out.path(), RUN);
    let writer = raw(&held, RUN);
    let folder = writer.folder().to_owned();
    assert!(matches!(repair(&folder), Err(RepairError::Lock(LockError::Held { .. }))));
    std::mem::forget(writer);
    drop(held);
    let repaired = repair(&folder).unwrap();
    assert_eq!(repaired.index_status, IndexStatus::Failed);
    let index = index(&folder);
    assert!(index.artifacts.iter().any(|entry| entry.path.contains("/rows/.scenario.jsonl.")), "{index:?}");
    let found = check_strictly(&folder).unwrap_err().findings;
    assert!(found.iter().any(|f| f.problem.code() == "run_state"), "{found:?}");
}

#[test]
fn an_untouched_bundle_stays_ok_but_marked() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    assert_eq!(repair(&folder).unwrap().index_status, IndexStatus::Ok);
    let bundle = verify(&folder, &Counting).unwrap();
    assert!(bundle.index().repaired);
    assert!(bundle.entry(layout::REPAIR_LOG).is_some());
}

#[test]
fn what_has_no_content_of_its_own_is_refused_and_a_foreign_log_is_kept() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    std::os::unix::fs::symlink("summary.md", folder.join("alias")).unwrap();
    assert!(matches!(repair(&folder), Err(RepairError::Refused(_))));
    fs::remove_file(folder.join("alias")).unwrap();
    fs::write(folder.join(layout::REPAIR_LOG), "not a log").unwrap();
    assert!(matches!(repair(&folder), Err(RepairError::Log { .. })));
    assert_eq!(fs::read_to_string(folder.join(layout::REPAIR_LOG)).unwrap(), "not a log");
    assert!(!index(&folder).repaired);
}
