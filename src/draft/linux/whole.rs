//! Whether a folder can be declared as a whole.

use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::base::canon;

/// Up to how much a folder is declared as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct WholeBounds {
    /// Files, folders and links in it, at whatever depth.
    pub entries: usize,
    /// What its files have, together.
    pub bytes: u64,
    /// Whether a link that leads out keeps it from that.
    pub links_stay_within: bool,
}

impl WholeBounds {
    /// Of a folder of inputs.
    pub(super) const INPUTS: Self = Self { entries: 10_000, bytes: 1 << 30, links_stay_within: true };
    /// Of a folder of the runtime: of those that are large, a run reads little.
    pub(super) const RUNTIME: Self = Self { entries: 2_000, bytes: 16 << 20, links_stay_within: false };
}

/// Whether a file or folder was made at that time or later.
pub(super) fn made_since(facts: &Metadata, began: (i64, i64)) -> bool {
    facts.created().is_ok_and(|made| made >= time(began))
}

/// Whether its bytes were changed at that time or later.
pub(super) fn changed_since(facts: &Metadata, began: (i64, i64)) -> bool {
    facts.modified().is_ok_and(|changed| changed >= time(began))
}

fn time((seconds, nanoseconds): (i64, i64)) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), nanoseconds as u32)
}

/// Whether everything in the folder can be declared with it: it was there before `began`, can be read, is no special file, and is not
/// too much.
pub(super) fn is_declarable(folder: &Path, bounds: WholeBounds, began: (i64, i64)) -> bool {
    let Ok(root) = folder.canonicalize() else { return false };
    let mut left = bounds;
    let mut folders = vec![root.clone()];
    while let Some(at) = folders.pop() {
        let Ok(entries) = fs::read_dir(&at) else { return false };
        for entry in entries {
            let Some((entry, facts)) = entry.ok().and_then(|entry| entry.metadata().ok().map(|facts| (entry, facts)))
            else {
                return false;
            };
            let path = entry.path();
            let is_within = || match path.canonicalize() {
                Ok(leads) => leads.starts_with(&root),
                Err(_) => false,
            };
            let size = if facts.is_file() { facts.len() } else { 0 };
            if left.entries == 0
                || left.bytes < size
                || made_since(&facts, began)
                || !(facts.is_file() || facts.is_dir() || facts.is_symlink())
                || facts.is_symlink() && bounds.links_stay_within && !is_within()
                || facts.is_file() && File::open(&path).is_err()
            {
                return false;
            }
            left.entries -= 1;
            left.bytes -= size;
            if facts.is_dir() {
                folders.push(path);
            }
        }
    }
    true
}

/// A path as a document can name it.
pub(super) fn text(path: &Path) -> Option<String> {
    let text = path.to_str().filter(|text| canon::is_normal(text) && !text.chars().any(char::is_control))?;
    (path.as_os_str().as_bytes().len() <= 1024).then(|| text.to_owned())
}
