//! What files turn out to be when they are read from beginning to end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Mutex;

use super::finding::{Findings, Problem};
use super::index::{self, clip};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx;
use crate::evidence::RowSource;
use crate::record::index::ArtifactEntry;
use crate::record::layout;
use crate::record::outcome::Lane;

/// How much is read at a time, in bytes.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObservedFile {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) schema_version: Option<String>,
    /// How many lines it has, for rows.
    pub(super) lines: u64,
}

/// A file's content as it passes by.
#[derive(Debug, Default)]
pub(super) struct FileObserver {
    hasher: Hasher,
    head: Vec<u8>,
}

impl FileObserver {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        index::take_head(&mut self.head, bytes);
    }

    /// How many bytes passed by so far.
    pub(super) fn length_bytes(&self) -> u64 {
        self.hasher.length_bytes()
    }

    /// What the file is that has this path and, for rows, so many lines.
    pub(super) fn finish(self, path: &BundlePath, lines: u64) -> ObservedFile {
        let (digest, size) = self.hasher.finish();
        ObservedFile { digest, size, schema_version: index::schema_version_of(path, &self.head), lines }
    }
}

/// Reads a file from beginning to end, at most one byte past `size`. With `keep`, its bytes are kept.
pub(super) fn observe(
    mut file: impl Read,
    path: &BundlePath,
    size: u64,
    block: &mut Vec<u8>,
    mut keep: Option<&mut Vec<u8>>,
) -> io::Result<ObservedFile> {
    block.resize(BLOCK_BYTES, 0);
    let mut observer = FileObserver::default();
    let mut lines = 0;
    let mut left = size.saturating_add(1);
    while left > 0 {
        let room = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = match file.read(&mut block[..room]) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        left -= n as u64;
        observer.take(&block[..n]);
        lines += count_lines(&block[..n]);
        if let Some(kept) = &mut keep {
            kept.extend_from_slice(&block[..n]);
        }
    }
    Ok(observer.finish(path, lines))
}

pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    // In pieces whose count fits a byte, so that many bytes are compared and added at a time.
    let in_piece = |piece: &[u8]| piece.iter().fold(0_u8, |count, byte| count + u8::from(*byte == b'\n'));
    bytes.chunks(255).map(|piece| u64::from(in_piece(piece))).sum()
}

/// Whether a file is what the index says; adds what is not.
pub(super) fn compare(
    path: &BundlePath,
    entry: &ArtifactEntry,
    observed: &ObservedFile,
    findings: &mut Findings,
) -> bool {
    if !same_bytes(path, entry.file_size, entry.sha256, observed, findings) {
        return false;
    }
    if observed.schema_version != entry.schema_version {
        let clipped = |text: &Option<String>| text.as_deref().map(clip);
        let (indexed, found) = (clipped(&entry.schema_version), clipped(&observed.schema_version));
        findings.add(path, Problem::SchemaMismatch { indexed, found });
        return false;
    }
    true
}

/// Whether a file has the size and the digest that an index gives it.
pub(super) fn same_bytes(
    path: &BundlePath,
    size: u64,
    sha256: Digest,
    observed: &ObservedFile,
    findings: &mut Findings,
) -> bool {
    if observed.size != size {
        findings.add(path, Problem::SizeMismatch { indexed: size, found: observed.size });
        return false;
    }
    if observed.digest != sha256 {
        findings.add(path, Problem::DigestMismatch { indexed: sha256, found: observed.digest });
        return false;
    }
    true
}

/// The rows of a bundle, digested as they are read: what is derived from and what is digested are the same bytes.
#[derive(Debug)]
pub(crate) struct HashedRows {
    folder: PathBuf,
    lanes: Vec<Lane>,
    /// Each complete reading of a lane.
    seen: Mutex<Vec<(Lane, ObservedFile)>>,
}

impl HashedRows {
    pub(super) fn new(folder: PathBuf, lanes: Vec<Lane>) -> Self {
        Self { folder, lanes, seen: Mutex::default() }
    }

    pub(super) fn into_seen(self) -> Vec<(Lane, ObservedFile)> {
        self.seen.into_inner().unwrap_or_default()
    }
}

impl RowSource for HashedRows {
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        if !self.lanes.contains(&lane) {
            return Ok(None);
        }
        let path = index::path_of(layout::rows_of(lane));
        let file = fsx::open_regular(&path.under(&self.folder))?;
        let reader = HashingReader { file, rows: self, lane, path, observer: Some(FileObserver::default()), lines: 0 };
        Ok(Some(Box::new(BufReader::with_capacity(BLOCK_BYTES, reader))))
    }
}

/// One reading of a lane.
struct HashingReader<'a> {
    file: File,
    rows: &'a HashedRows,
    lane: Lane,
    path: BundlePath,
    /// Absent once the end was seen.
    observer: Option<FileObserver>,
    lines: u64,
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(observer) = &mut self.observer else { return Ok(0) };
        let n = self.file.read(buffer)?;
        if n > 0 {
            observer.take(&buffer[..n]);
            self.lines += count_lines(&buffer[..n]);
        } else if !buffer.is_empty() {
            let observed = self.observer.take().unwrap_or_default().finish(&self.path, self.lines);
            if let Ok(mut seen) = self.rows.seen.lock() {
                seen.push((self.lane, observed));
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is interrupted before each piece of what it holds.
    struct Interrupted(&'static [u8], bool);

    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 { Err(io::ErrorKind::Interrupted.into()) } else { self.0.read(buffer) }
        }
    }

    fn observed(file: impl Read, size: u64) -> io::Result<ObservedFile> {
        observe(file, &index::path_of(layout::rows_of(Lane::Baseline)), size, &mut Vec::new(), None)
    }

    #[test]
    fn a_file_is_read_to_one_byte_past_what_it_should_have_and_no_further() {
        let seen = |size| observed(&b"a\nb\nc\n"[..], size).map(|seen| (seen.size, seen.lines)).unwrap();
        assert_eq!(seen(6), (6, 3));
        assert_eq!(seen(9), (6, 3));
        assert_eq!(seen(2), (3, 1));
        assert_eq!(seen(0), (1, 0));
    }

    #[test]
    fn an_interrupted_read_is_done_again_and_another_failure_is_one() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        let seen = observed(Interrupted(b"a\n", false), 2).unwrap();
        assert_eq!((seen.size, seen.digest), (2, Digest::of(b"a\n")));
        assert_eq!(observed(Broken, 2).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
