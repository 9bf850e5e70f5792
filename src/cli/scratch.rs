//! A folder that one command uses by itself, and that goes when it ends.

use std::io;
use std::iter;
use std::path::Path;

use tempfile::TempDir;

use super::exit::{Exit, Failure, OrFail};
use crate::base::fsx;
use crate::lane::fixture;

/// There is no folder for what one command needs.
#[derive(Debug, thiserror::Error)]
#[error("no folder can be made for what this command needs while it runs")]
struct NoPlace(#[source] io::Error);

/// The folder; it is there as long as this value.
#[derive(Debug)]
pub(super) struct ScratchFolder(TempDir);

impl ScratchFolder {
    /// A new one in the usual place, `sandproof-PURPOSE-…`, that nobody else can look into; where that is not there, as in a
    /// container made from scratch, where fixtures may be made.
    pub(super) fn new(purpose: &str) -> Result<Self, Failure> {
        let prefix = format!("sandproof-{purpose}-");
        let mut refused = None;
        for place in iter::once(std::env::temp_dir()).chain(fixture::usual_places()) {
            match tempfile::Builder::new().prefix(&prefix).tempdir_in(place) {
                Ok(folder) => return Ok(Self(folder)),
                Err(error) => refused.get_or_insert(error),
            };
        }
        let error = refused.unwrap_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        Err(Failure::new(Exit::Unavailable, NoPlace(error)).hint("name one with the variable TMPDIR"))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, with the folders that it stands in. Nothing is synced: what the machine forgets, nobody misses.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path().join(path);
        path.parent().map_or(Ok(()), fsx::create_dir_all).or_fail(Exit::Fault)?;
        fsx::write_scratch(&path, bytes).or_fail(Exit::Fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_goes_with_the_folder() {
        let folder = ScratchFolder::new("test").unwrap();
        folder.write("registry/a.json", b"{}").unwrap();
        let path = folder.path().to_owned();
        assert_eq!(std::fs::read(path.join("registry/a.json")).unwrap(), b"{}");
        assert!(path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sandproof-test-")));
        drop(folder);
        assert!(!path.exists());
    }
}
