//! A folder as a store: an object is a file, which has its name only when all of it is on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fault::StoreError;
use super::objects::{PutAnswer, SourceFile, Store};
use crate::base::fsx::{self, FileError, IoContext};
use crate::base::printable::path_text;

/// How the name of a file ends that is not whole yet.
const UNFINISHED: &str = ".sandproof-upload";

/// A folder.
#[derive(Debug)]
pub(super) struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Calls `each` for every file below. What is neither a file nor a folder is refused: no object is such a thing.
    fn walk(
        &self,
        below: &str,
        each: &mut dyn FnMut(String, &Path, u64) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let mut folders = vec![(self.root.join(below), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.at("list", &folder)?,
            };
            for entry in entries {
                let entry = entry.at("list", &folder)?;
                let path = entry.path();
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                let metadata = path.symlink_metadata().at("look at", &path)?;
                if metadata.is_dir() {
                    folders.push((path, format!("{name}/")));
                } else if metadata.is_file() {
                    each(name, &path, metadata.len())?;
                } else {
                    let error = io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a folder");
                    return Err(error).at("use", &path);
                }
            }
        }
        Ok(())
    }
}

impl Store for FolderStore {
    fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut found = BTreeMap::new();
        self.walk(below, &mut |name, _, size| {
            if !name.ends_with(UNFINISHED) {
                found.insert(name, size);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn put_new(&self, name: &str, content: &SourceFile) -> Result<PutAnswer, StoreError> {
        let target = self.root.join(name);
        if target.symlink_metadata().is_ok() {
            return Ok(PutAnswer::WasThere);
        }
        let folder = fsx::folder_of(&target);
        fsx::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .suffix(UNFINISHED)
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(folder)
            .at("make a file in", folder)?;
        content.copy(file.as_file_mut())?;
        file.as_file().sync_all().at("sync", &target)?;
        match file.persist_noclobber(&target) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(PutAnswer::WasThere),
            Err(error) => return Err(error.error).at("name", &target).map_err(StoreError::from),
        }
        // Its name, and those of folders that are new, have to be on the disk before the index is.
        for folder in target.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)) {
            fsx::sync_dir(folder)?;
        }
        Ok(PutAnswer::Stored)
    }

    fn read(&self, name: &str, sink: &mut dyn Write) -> Result<bool, StoreError> {
        let path = self.root.join(name);
        match fsx::open_regular(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            opened => {
                io::copy(&mut opened.at("open", &path)?, sink).at("read", &path)?;
                Ok(true)
            }
        }
    }

    fn sweep(&self, below: &str) -> Result<(), StoreError> {
        let mut left = Vec::new();
        self.walk(below, &mut |name, path, _| {
            if name.ends_with(UNFINISHED) {
                left.push(path.to_owned());
            }
            Ok(())
        })?;
        for path in left {
            match fs::remove_file(&path) {
                // Whoever else brings the same bundle now may have named or removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.at("remove", &path)?,
            }
        }
        Ok(())
    }

    fn shown(&self, name: &str) -> String {
        path_text(&self.root.join(name))
    }
}
