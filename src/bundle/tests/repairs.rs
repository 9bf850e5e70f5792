//! Repair: it says what it did, and makes nothing better.

use std::fs;

use super::fixture::{RUN, build, lock, raw, verify};
use crate::bundle::LockError;
use crate::bundle::repair::{Repair, RepairError, Repaired, repair};
use crate::bundle::verify::check_strictly;
use crate::bundle::writer::RunEnd;
use crate::record::index::{ArtifactIndex, IndexStatus};
use crate::record::layout;
use crate::record::repair::RepairLog;

fn index(folder: &std::path::Path) -> ArtifactIndex {
    serde_json::from_slice(&fs::read(folder.join(layout::ARTIFACT_INDEX)).unwrap()).unwrap()
}

fn log(folder: &std::path::Path) -> RepairLog {
    serde_json::from_slice(&fs::read(folder.join(layout::REPAIR_LOG)).unwrap()).unwrap()
}

/// What a repair of a bundle did that needed one.
fn repaired(folder: &std::path::Path) -> Repaired {
    match repair(folder).unwrap() {
        Repair::Done(repaired) => repaired,
        unchanged => panic!("{unchanged:?}"),
    }
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
    let done = repaired(&folder);
    assert_eq!(done.index_status, IndexStatus::Partial);
    assert_eq!(done.changes.len(), 1);
    let change = &done.changes[0];
    assert_eq!((change.path.as_str(), change.before.unwrap().sha256), ("summary.md", old));
    assert!(index(&folder).repaired);
    // The index fits now, and says that it is not to be relied on.
    let found = check_strictly(&folder).unwrap_err().findings;
    assert_eq!(found.iter().map(|f| f.problem.code()).collect::<Vec<_>>(), ["index_status"]);
    verify(&folder).unwrap_err();
    // A second repair appends, and does not forget.
    fs::remove_file(folder.join("summary.md")).unwrap();
    let again = repaired(&folder);
    assert_eq!(again.index_status, IndexStatus::Partial);
    assert_eq!(index(&folder).missing, ["out/run-1/summary.md"]);
    let log = log(&folder);
    assert_eq!(log.repairs.len(), 2);
    assert_eq!(log.repairs[0].changes[0].before.unwrap().sha256, old);
    assert_eq!(log.before.missing, ["summary.md"]);
    // What was missing stays listed, even if something of that name turns up.
    fs::write(folder.join("summary.md"), "all is well\n").unwrap();
    repaired(&folder);
    assert_eq!(index(&folder).missing, ["out/run-1/summary.md"]);
    assert_eq!(index(&folder).status, IndexStatus::Partial);
    // Nor is it listed twice, where that is lost as well.
    fs::remove_file(folder.join("summary.md")).unwrap();
    repaired(&folder);
    assert_eq!(index(&folder).missing, ["out/run-1/summary.md"]);
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
    fs::write(folder.join("extra"), "x").unwrap();
    assert_eq!(repaired(&folder).index_status, IndexStatus::Failed);
    assert_eq!(index(&folder).missing, missing);
}

#[test]
fn without_an_index_it_is_partial_at_best() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    fs::remove_file(folder.join(layout::ARTIFACT_INDEX)).unwrap();
    assert_eq!(repaired(&folder).index_status, IndexStatus::Partial);
    assert_eq!(index(&folder).bundle_root, "out/run-1");
    verify(&folder).unwrap_err();
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
    assert_eq!(repaired(&folder).index_status, IndexStatus::Failed);
    let index = index(&folder);
    assert!(index.artifacts.iter().any(|entry| entry.path.contains("/rows/.scenario.jsonl.")), "{index:?}");
    let found = check_strictly(&folder).unwrap_err().findings;
    assert!(found.iter().any(|f| f.problem.code() == "run_state"), "{found:?}");
}

#[test]
fn nothing_is_written_where_the_index_fits() {
    let fingerprint = |root: &std::path::Path| {
        let mut all = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => all.push((
                        entry.path(),
                        fs::read(entry.path()).unwrap(),
                        entry.metadata().unwrap().modified().unwrap(),
                    )),
                }
            }
        }
        all.sort();
        all
    };
    let unchanged = |folder: &std::path::Path, wanted: IndexStatus| {
        // Moved, so that no lock lies beside it either.
        let elsewhere = tempfile::tempdir().unwrap();
        let moved = elsewhere.path().join(RUN);
        fs::rename(folder, &moved).unwrap();
        let before = fingerprint(elsewhere.path());
        match repair(&moved).unwrap() {
            Repair::Unchanged { index_status, .. } => assert_eq!(index_status, wanted),
            done => panic!("{done:?}"),
        }
        assert_eq!(fingerprint(elsewhere.path()), before);
        fs::rename(&moved, folder).unwrap();
    };
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    unchanged(&folder, IndexStatus::Ok);
    verify(&folder).unwrap();
    // Repaired once, it is what it is.
    fs::write(folder.join("summary.md"), "all is well\n").unwrap();
    repaired(&folder);
    unchanged(&folder, IndexStatus::Partial);
    let failed = {
        let lock = lock(out.path(), "run-2");
        raw(&lock, "run-2").commit(RunEnd::Failed { error: "e".into(), stage: "lane".into() }).unwrap().folder
    };
    let named = out.path().join(RUN);
    fs::remove_dir_all(&named).unwrap();
    let before = fingerprint(&failed);
    assert!(matches!(repair(&failed), Ok(Repair::Unchanged { index_status: IndexStatus::Failed, .. })));
    assert_eq!(fingerprint(&failed), before);
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
