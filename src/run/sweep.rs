//! What runs that were killed have left: found, and taken away by the next run.
//!
//! Each kind carries a lock that its maker holds for as long as it lives (flock(2)), which the kernel lets go of however
//! that ends. Nothing is touched whose lock is held, that this program did not make, or that is another user's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::bundle::lock::{self, OutputLock};
use crate::channel::stage;
use crate::lane::fixture::{LeftFixtures, usual_places};
use crate::record::layout;
use crate::record::status_doc::{LeftKind, Leftover};

/// Removes what killed runs have left in these folders and in the usual ones, as far as that works.
pub(super) fn clear(fixture_places: &[PathBuf]) {
    for place in places(fixture_places) {
        LeftFixtures::in_place(&place).into_iter().for_each(LeftFixtures::remove);
    }
    for left in stage::left(&stage::usual_base()) {
        let _ = fs::remove_dir_all(left);
    }
}

/// Removes what killed writers have left in a locked output root beside the bundles. A bundle that was begun stays: it is
/// evidence, and says by itself that it is not committed.
pub(super) fn clear_output(lock: &OutputLock) {
    for left in temporaries(lock.root()) {
        let _ = fs::remove_file(left);
    }
}

/// All of it, for this output root.
pub(super) fn find(out: &Path) -> Vec<Leftover> {
    let of = |kind, path: &Path| Leftover { kind, path: path.display().to_string() };
    let mut found = Vec::new();
    for place in places(&[]) {
        found.extend(LeftFixtures::in_place(&place).iter().map(|left| of(LeftKind::Fixtures, left.path())));
    }
    found.extend(stage::left(&stage::usual_base()).iter().map(|left| of(LeftKind::Stage, left)));
    // While somebody writes there, one of them is his.
    if lock::holder(out).is_none() {
        found.extend(temporaries(out).iter().map(|left| of(LeftKind::Temporary, left)));
    }
    found
}

/// Each folder once, by its real path.
fn places(fixture_places: &[PathBuf]) -> Vec<PathBuf> {
    let mut real: Vec<PathBuf> =
        fixture_places.iter().cloned().chain(usual_places()).filter_map(|place| place.canonicalize().ok()).collect();
    real.sort();
    real.dedup();
    real
}

/// Files under which `LATEST` was written and never renamed.
fn temporaries(out: &Path) -> Vec<PathBuf> {
    let own = nix::unistd::geteuid().as_raw();
    let mut found = Vec::new();
    for entry in fs::read_dir(out).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let random = name.strip_prefix('.').and_then(|name| name.strip_prefix(layout::LATEST));
        let random = random.and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".tmp"));
        let is_ours = random.is_some_and(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_ours && entry.metadata().is_ok_and(|found| found.is_file() && found.uid() == own) {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::RunId;
    use crate::bundle::lock::LockMode;

    #[test]
    fn of_an_output_root_only_our_own_temporaries_go_and_only_with_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path();
        let ours = out.join(format!(".LATEST.{}.tmp", "0f".repeat(16)));
        let theirs = [".LATEST.tmp", ".LATEST.0f.tmp", ".notes.0123.tmp", "LATEST", "a.tmp"].map(|name| out.join(name));
        for path in theirs.iter().chain([&ours]) {
            fs::write(path, "x").unwrap();
        }
        let folder = out.join(format!(".LATEST.{}.tmp", "0e".repeat(16)));
        fs::create_dir(&folder).unwrap();
        let link = out.join(format!(".LATEST.{}.tmp", "0d".repeat(16)));
        std::os::unix::fs::symlink(&ours, &link).unwrap();
        assert_eq!(temporaries(out), std::slice::from_ref(&ours));
        let lock = OutputLock::acquire(out, LockMode::Fail, &RunId::fresh(), &|| false).unwrap();
        assert!(find(out).iter().all(|left| left.kind != LeftKind::Temporary), "somebody writes there");
        clear_output(&lock);
        assert!(!ours.exists() && folder.exists() && link.symlink_metadata().is_ok());
        assert!(theirs.iter().all(|path| path.exists()));
    }
}
