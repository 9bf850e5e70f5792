//! Reading an artifact of a verified bundle again: what is read must still be what was verified.

use std::fs::File;
use std::io::{self, Read};

use super::index::path_of;
use super::verify::{Bundle, Verified};
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx;

/// An artifact being read. What it gives may be relied on once [`ArtifactReader::finish`] said so.
#[derive(Debug)]
pub struct ArtifactReader {
    file: File,
    hasher: Hasher,
    indexed: (Digest, u64),
    left: u64,
}

impl Verified<Bundle> {
    /// Opens one of the artifacts that `record::layout` names. `None`: the bundle does not have it.
    pub fn open(&self, name: &'static str) -> io::Result<Option<ArtifactReader>> {
        let Some(entry) = self.entry(name) else { return Ok(None) };
        let file = fsx::open_regular(&path_of(name).under(self.folder()))?;
        let indexed = (entry.sha256, entry.file_size);
        // One byte more than there should be, so that a file that grew is seen to have grown.
        Ok(Some(ArtifactReader { file, hasher: Hasher::default(), indexed, left: entry.file_size.saturating_add(1) }))
    }

    /// One of those artifacts as a whole, at most `cap_bytes` of it.
    pub fn read(&self, name: &'static str, cap_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(mut reader) = self.open(name)? else { return Ok(None) };
        if reader.indexed.1 > cap_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {cap_bytes} bytes")));
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        reader.finish()?;
        Ok(Some(bytes))
    }
}

impl ArtifactReader {
    /// Reads what was left unread, and compares everything with what was verified.
    pub fn finish(mut self) -> io::Result<()> {
        io::copy(&mut self, &mut io::sink())?;
        if self.hasher.finish() != self.indexed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it changed after it was verified"));
        }
        Ok(())
    }
}

impl Read for ArtifactReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self.file.read(&mut buffer[..room])?;
        self.hasher.update(&buffer[..n]);
        self.left -= n as u64;
        Ok(n)
    }
}
