//! Where a checkout begins.
//!
//! A repository is found by a marker (`.git`, a file that editors or agents read) in one of the folders above. In a folder
//! that is made for everybody, as `/tmp` is, anybody can put such a marker, and what paths are relative to would be theirs to
//! decide: the same way in which a planted `.git` once led git itself (CVE-2022-24765). So nothing in such a folder marks.
//! It is known by its sticky bit: where a file system shows everything as writable by everybody, checkouts stay checkouts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// `S_ISVTX` and `S_IWOTH` of `sys/stat.h`: everybody may write, and take away only what is theirs.
const SHARED: u32 = 0o1002;

/// Whether `folder` holds `marker` (a path below it, of whatever kind of file), and the folder is not one that is
/// shared with everybody. A folder that cannot be looked at holds none.
pub fn is_marked(folder: &Path, marker: &str) -> bool {
    folder.join(marker).exists() && !is_shared(folder)
}

/// Whether `folder` is one that is shared with everybody, or cannot be looked at. The root of everything is not: in a system that
/// lives in memory it has the mode that file systems in memory have, and who can write there needs no marker.
pub fn is_shared(folder: &Path) -> bool {
    folder.parent().is_some()
        && folder.metadata().map_or(true, |metadata| metadata.permissions().mode() & SHARED == SHARED)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn what_anybody_can_put_somewhere_marks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert!(!is_marked(at, ".git"), "there is none");
        fs::create_dir(at.join(".git")).unwrap();
        for (mode, marked) in [(0o755, true), (0o775, true), (0o777, true), (0o1775, true), (0o1777, false)] {
            fs::set_permissions(at, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_marked(at, ".git"), marked, "{mode:o}");
        }
        assert!(!is_marked(&at.join("absent"), ".git"));
        assert!(!is_shared(Path::new("/")) && is_shared(&at.join("absent")));
    }
}
