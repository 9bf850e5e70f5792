//! What a command left in `/out`, taken to the folder for results when nothing of the command runs any more.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::symlinkat;

use crate::base::error_chain::error_chain;
use crate::base::folder::{FolderError, FolderSink, LeavingLinks, digest_opened, folder_digest};
use crate::record::system_ending::OutputFolder;

/// The folder inside.
const INSIDE: &str = "/out";
/// Its copy in the folder for results.
const COPY: &str = "outputs";

struct Copying<'a> {
    results: &'a OwnedFd,
}

impl FolderSink for Copying<'_> {
    fn folder(&mut self, path: &Path) -> io::Result<()> {
        mkdirat(self.results, &Path::new(COPY).join(path), Mode::S_IRWXU | Mode::S_IRGRP | Mode::S_IROTH)
            .map_err(Errno::into)
    }

    fn file(&mut self, path: &Path, executable: bool, _opened: &File) -> io::Result<Option<File>> {
        let mode = Mode::from_bits_truncate(if executable { 0o755 } else { 0o644 });
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Some(openat(self.results, &Path::new(COPY).join(path), flags, mode)?.into()))
    }

    fn link(&mut self, path: &Path, text: &OsStr) -> io::Result<()> {
        // Whoever reads the results later is not led out of them.
        if !Path::new(text).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a link that may lead out of the folder is not taken",
            ));
        }
        symlinkat(text, self.results, &Path::new(COPY).join(path)).map_err(Errno::into)
    }
}

/// Digests what was written to the folder for results itself.
pub(super) fn in_place(folder: &Path) -> Option<OutputFolder> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => None,
        Ok(false) | Err(_) => Some(match folder_digest(folder) {
            Ok(found) => OutputFolder { folder: Some(found.digest), files: found.files, refused: None },
            Err(error) => OutputFolder { folder: None, files: 0, refused: Some(error_chain(&error)) },
        }),
    }
}

/// Copies and digests it. `None`: there is nothing.
pub(super) fn take(results: &OwnedFd) -> Option<OutputFolder> {
    let refused = |why: String| Some(OutputFolder { folder: None, files: 0, refused: Some(why) });
    match fs::read_dir(INSIDE).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return None,
        Ok(false) => {}
        Err(error) => return refused(error.to_string()),
    }
    let taken = || -> Result<_, FolderError> {
        let at = |source| crate::base::fsx::FileError { action: "take", path: INSIDE.into(), source };
        mkdirat(results, COPY, Mode::S_IRWXU | Mode::S_IRGRP | Mode::S_IXGRP | Mode::S_IROTH | Mode::S_IXOTH)
            .map_err(|error| at(error.into()))?;
        let opened: OwnedFd = File::open(INSIDE).map_err(at)?.into();
        digest_opened(&opened, Path::new(INSIDE), LeavingLinks::Refused, &mut Copying { results })
    };
    match taken() {
        Ok(found) => Some(OutputFolder { folder: Some(found.digest), files: found.files, refused: None }),
        Err(error) => refused(error_chain(&error)),
    }
}
