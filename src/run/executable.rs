//! The executable that probe processes are forked from.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::thread::JoinHandle;

use crate::base::digest::Digest;
use crate::base::threads;

/// An executable's file. To digest it takes as long as a small plan takes to resolve, so that begins on a thread of its own
/// as soon as the file is named.
#[derive(Debug)]
pub struct Executable {
    path: PathBuf,
    begun: Mutex<Option<JoinHandle<io::Result<Digest>>>>,
    digest: OnceLock<Digest>,
}

impl Executable {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its digest, as it was when it was first asked for or sooner.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn digest(&self) -> io::Result<Digest> {
        if let Some(known) = self.digest.get() {
            return Ok(*known);
        }
        let begun = self.begun.lock().ok().and_then(|mut begun| begun.take());
        let found = match begun.and_then(|thread| thread.join().ok()) {
            Some(Ok(found)) => found,
            // An error is told to each that asks, and may have passed.
            _ => digest_of(&self.path)?,
        };
        Ok(*self.digest.get_or_init(|| found))
    }
}

impl<P: Into<PathBuf>> From<P> for Executable {
    fn from(path: P) -> Self {
        let path = path.into();
        let file = path.clone();
        // Where there can be no further thread, it is digested by whoever asks.
        let begun = threads::builder().and_then(|new| new.name("digest".into()).spawn(move || digest_of(&file))).ok();
        Self { path, begun: Mutex::new(begun), digest: OnceLock::new() }
    }
}

/// The digest of a file as it is now.
pub(super) fn digest_of(path: &Path) -> io::Result<Digest> {
    File::open(path).and_then(Digest::of_reader).map(|(digest, _)| digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_stays_and_an_absent_file_is_an_error_until_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool");
        let executable = Executable::from(&path);
        assert_eq!(executable.digest().unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::write(&path, b"tool").unwrap();
        assert_eq!(executable.digest().unwrap(), Digest::of(b"tool"));
        std::fs::write(&path, b"other").unwrap();
        assert_eq!(executable.digest().unwrap(), Digest::of(b"tool"));
        assert_eq!(Executable::from(&path).digest().unwrap(), Digest::of(b"other"));
        assert_eq!(executable.path(), path);
    }
}
