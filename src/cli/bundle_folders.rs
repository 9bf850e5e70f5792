//! Bundles below a folder, for commands that take many.

use std::path::{Path, PathBuf};

use crate::record::layout;

/// How deep bundles are looked for below a folder that is none.
const DEEPEST: usize = 4;

/// The bundles at or below a folder, by name. Links are not followed, and bundles are not looked into.
pub(super) fn at_or_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    find(folder, 0, &mut found);
    found
}

fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let has = |name: &str| folder.join(name).symlink_metadata().is_ok();
    if has(layout::ARTIFACT_INDEX) || has(layout::RUN_STATUS) {
        found.push(folder.to_owned());
        return;
    }
    if depth == DEEPEST {
        return;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut below: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    below.sort();
    below.iter().for_each(|path| find(path, depth + 1, found));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn bundles_are_found_below_a_folder_and_not_looked_into() {
        let dir = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        make("b/out/run/artifact_index.json");
        make("b/out/run/parts/0001/artifact_index.json");
        make("b/out/LATEST");
        make("a/run_status.json");
        make("1/2/3/4/5/artifact_index.json");
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("c")).unwrap();
        let found: Vec<String> = at_or_below(dir.path())
            .into_iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(found, ["a", "b/out/run"]);
        assert_eq!(at_or_below(&dir.path().join("none")), Vec::<PathBuf>::new());
    }
}
