//! Writes a set of files into a folder: all of them, or none that anybody would take for the set.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::base::fsx::{self, FileError, IoContext};

/// Why the set was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanFolderError {
    /// Files of the set are there already.
    #[error("these files are there already: {}", .files.join(", "))]
    Exists {
        /// Paths of the files that are there, as shown.
        files: Vec<String>,
    },
    /// Something on the way is no folder.
    #[error("`{path}` is not a folder")]
    NotAFolder {
        /// The path, as shown.
        path: String,
    },
    /// At the place of a file stands something that is none.
    #[error("`{path}` is neither a file nor a link, and is not replaced")]
    NotAFile {
        /// The path, as shown.
        path: String,
    },
    /// Something on the way leads elsewhere.
    #[error("`{path}` is a symbolic link, so what is written below it would land outside the folder")]
    Link {
        /// The path, as shown.
        path: String,
    },
    /// Replacing stopped half-way.
    #[error("replacing the files of `{folder}` stopped half-way")]
    Torn {
        /// The folder with old and new files in it, as shown.
        folder: String,
        /// What stopped it.
        #[source]
        source: FileError,
    },
    /// A file operation failed; nothing of the set was written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes `files` (path relative to `folder`, content) into `folder`. `last` is the file without which the others are
/// nothing.
///
/// A new folder is prepared under another name and renamed. In a folder that exists, everything is prepared first; then
/// `last` is taken away, the others are put in place, and `last` is put in place at the end.
pub(super) fn write(
    folder: &Path,
    files: &[(String, Vec<u8>)],
    last: &str,
    overwrite: bool,
) -> Result<(), PlanFolderError> {
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => into_existing(folder, files, last, overwrite),
        Ok(_) => Err(PlanFolderError::NotAFolder { path: folder.display().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => as_new(folder, files),
        Err(error) => Err(error).at("look at", folder).map_err(PlanFolderError::File),
    }
}

/// Removes what was prepared, unless it was put in place.
struct PreparedFolder(Option<PathBuf>);

impl Drop for PreparedFolder {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn prepare(
    parent: &Path,
    name: &str,
    files: &[(String, Vec<u8>)],
) -> Result<(PathBuf, PreparedFolder), PlanFolderError> {
    let place = parent.join(format!(".{name}.{}.tmp", uuid::Uuid::new_v4().simple()));
    fs::create_dir(&place).at("create the folder", &place)?;
    let prepared = PreparedFolder(Some(place.clone()));
    for (path, content) in files {
        let file = place.join(path);
        let within = file.parent().unwrap_or(&place);
        fsx::create_dir_all(within)?;
        let mut out =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&file).at("create", &file)?;
        out.write_all(content).and_then(|()| out.sync_all()).at("write", &file)?;
        fsx::sync_dir(within)?;
    }
    fsx::sync_dir(&place)?;
    Ok((place, prepared))
}

fn as_new(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), PlanFolderError> {
    let name = folder.file_name().ok_or_else(|| PlanFolderError::NotAFolder { path: folder.display().to_string() })?;
    let parent = fsx::folder_of(folder);
    fsx::create_dir_all(parent)?;
    let (place, mut prepared) = prepare(parent, &name.to_string_lossy(), files)?;
    fs::rename(&place, folder).at("rename into place", folder)?;
    prepared.0 = None;
    Ok(fsx::sync_dir(parent)?)
}

fn into_existing(
    folder: &Path,
    files: &[(String, Vec<u8>)],
    last: &str,
    overwrite: bool,
) -> Result<(), PlanFolderError> {
    let mut present = Vec::new();
    for (path, _) in files {
        if look(folder, path)? {
            present.push(path.clone());
        }
    }
    if !present.is_empty() && !overwrite {
        return Err(PlanFolderError::Exists { files: present });
    }
    let (place, _prepared) = prepare(folder, "plan-build", files)?;
    let torn = |source| PlanFolderError::Torn { folder: folder.display().to_string(), source };
    if present.iter().any(|path| path == last) {
        let old = folder.join(last);
        fs::remove_file(&old).at("remove", &old)?;
        fsx::sync_dir(folder).map_err(torn)?;
    }
    let ordered = files.iter().filter(|(path, _)| path != last).chain(files.iter().filter(|(path, _)| path == last));
    for (path, _) in ordered {
        let target = folder.join(path);
        let within = target.parent().unwrap_or(folder);
        fsx::create_dir_all(within).map_err(torn)?;
        fs::rename(place.join(path), &target).at("rename into place", &target).map_err(torn)?;
        fsx::sync_dir(within).map_err(torn)?;
    }
    fsx::sync_dir(folder).map_err(torn)
}

/// Whether `path` is a file of `folder` already. What lies on the way to it must be a folder or nothing.
fn look(folder: &Path, path: &str) -> Result<bool, PlanFolderError> {
    let mut at = folder.to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    for (n, part) in parts.iter().enumerate() {
        at.push(part);
        let shown = || at.display().to_string();
        match fs::symlink_metadata(&at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).at("look at", &at).map_err(PlanFolderError::File),
            Ok(found) if n + 1 == parts.len() => {
                // A link at the very place of a file is replaced, not followed.
                if found.is_dir() {
                    return Err(PlanFolderError::Exists { files: vec![format!("{path} (a folder)")] });
                }
                // A device, a FIFO or a socket is nobody's plan.
                if !found.is_file() && !found.is_symlink() {
                    return Err(PlanFolderError::NotAFile { path: shown() });
                }
                return Ok(true);
            }
            Ok(found) if found.is_symlink() => return Err(PlanFolderError::Link { path: shown() }),
            Ok(found) if !found.is_dir() => return Err(PlanFolderError::NotAFolder { path: shown() }),
            Ok(_) => {}
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Vec<(String, Vec<u8>)> {
        ["plan.json", "registry/probes.json"].map(|path| (path.to_owned(), text.as_bytes().to_vec())).into()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_folder_appears_whole_and_an_old_one_only_gives_up_what_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        write(&folder, &set("one"), "plan.json", false).unwrap();
        assert_eq!(names(&folder), ["plan.json", "registry"]);
        assert_eq!(names(&dir.path().join("a")), ["b"], "nothing is left of the preparation");
        fs::write(folder.join("mine.txt"), "mine").unwrap();
        let error = write(&folder, &set("two"), "plan.json", false).unwrap_err();
        assert!(error.to_string().ends_with("plan.json, registry/probes.json"), "{error}");
        assert_eq!(fs::read_to_string(folder.join("plan.json")).unwrap(), "one");
        write(&folder, &set("two"), "plan.json", true).unwrap();
        for (path, wanted) in [("plan.json", "two"), ("registry/probes.json", "two"), ("mine.txt", "mine")] {
            assert_eq!(fs::read_to_string(folder.join(path)).unwrap(), wanted);
        }
        assert_eq!(names(&folder), ["mine.txt", "plan.json", "registry"]);
    }

    #[test]
    fn nothing_is_written_through_a_link_or_over_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, outside) = (dir.path().join("f"), dir.path().join("outside"));
        fs::create_dir(&folder).unwrap();
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, folder.join("registry")).unwrap();
        let error = write(&folder, &set("x"), "plan.json", true).unwrap_err();
        assert!(matches!(error, PlanFolderError::Link { .. }), "{error}");
        assert_eq!((names(&outside), names(&folder)), (vec![], vec!["registry".to_owned()]));
        fs::remove_file(folder.join("registry")).unwrap();
        fs::create_dir(folder.join("plan.json")).unwrap();
        assert!(matches!(write(&folder, &set("x"), "plan.json", true), Err(PlanFolderError::Exists { .. })));
        fs::write(dir.path().join("file"), "x").unwrap();
        let error = write(&dir.path().join("file"), &set("x"), "plan.json", true).unwrap_err();
        assert!(matches!(error, PlanFolderError::NotAFolder { .. }), "{error}");
        // A link at the place of a file is replaced; what it led to is not touched.
        fs::remove_dir(folder.join("plan.json")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("file"), folder.join("plan.json")).unwrap();
        write(&folder, &set("y"), "plan.json", true).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "x");
        assert_eq!(fs::read_to_string(folder.join("plan.json")).unwrap(), "y");
    }

    #[test]
    fn a_set_that_cannot_be_prepared_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("f");
        write(&folder, &set("one"), "plan.json", false).unwrap();
        let mut bad = set("two");
        bad.push(("plan.json/below".to_owned(), b"x".to_vec()));
        assert!(write(&folder, &bad, "plan.json", true).is_err());
        assert_eq!(fs::read_to_string(folder.join("plan.json")).unwrap(), "one");
        assert_eq!(names(&folder), ["plan.json", "registry"]);
    }
}
