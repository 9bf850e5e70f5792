//! Deriving the evidence of a bundle again, from its own inputs and rows.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Mutex;

use super::compare::{Compared, FirstDifference};
use super::index;
use super::writer_thread::{QueuedWriter, WriterThread};
use crate::base::bundle_path::BundlePath;
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx;
use crate::base::shared_bytes::SharedBytes;
use crate::evidence::contradiction::Times;
use crate::evidence::{ArtifactSink, RowSource};
use crate::record::channel_witness::ChannelWitness;
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::manifest::{RunManifest, RunStatus};
use crate::record::outcome::Lane;

/// How much is read or collected at a time, in bytes.
const BLOCK_BYTES: usize = 256 * 1024;

/// What a derivation may use beside the rows.
#[derive(Debug)]
pub struct Given<'a> {
    /// What was run.
    pub manifest: &'a RunManifest,
    /// How the run stands.
    pub status: Option<&'a RunStatus>,
    /// What the run declared, if it did.
    pub identity: Option<&'a Declaration>,
    /// What witnesses the channel, if the bundle has it.
    pub witness: Option<&'a ChannelWitness>,
    /// The files under `inputs/`, as the very bytes that were digested.
    pub inputs: &'a BTreeMap<BundlePath, SharedBytes>,
}

/// The derivation: resolves the plan from the inputs and writes every derived artifact to the sink.
pub trait Recompute {
    /// Derives everything, and says when rows were executed. An error says why it cannot be done; the bundle is invalid then.
    fn recompute(
        &self,
        given: &Given<'_>,
        rows: &HashedRows,
        sink: &mut DigestSink,
    ) -> Result<Times, Box<dyn Error + Send + Sync>>;
}

/// A sink that keeps each artifact's digest and size. It can also compare what comes with the files of a folder, and
/// write it to another. All that happens on a thread of its own, beside the derivation.
#[derive(Debug, Default)]
pub struct DigestSink {
    pub(super) artifacts: BTreeMap<String, (Digest, u64)>,
    /// The folder whose files are compared, and what came of it: artifacts that are there and differ.
    pub(super) compare: Option<PathBuf>,
    pub(super) differ: BTreeMap<String, FirstDifference>,
    /// Of the artifacts that were compared and do not differ: how they begin.
    pub(super) equal: BTreeMap<String, Vec<u8>>,
    /// The folder that gets a copy.
    pub(super) copy: Option<PathBuf>,
    pub(super) writer_thread: Option<WriterThread<Through>>,
}

impl DigestSink {
    /// What the file of an artifact is, if it was compared and holds what was derived: then the digest of the one is the
    /// digest of the other.
    pub(super) fn observed(&self, path: &BundlePath) -> Option<Observed> {
        let head = self.equal.get(path.as_str())?;
        let (digest, size) = *self.artifacts.get(path.as_str())?;
        Some(Observed { digest, size, schema_version: index::schema_version_of(path, head), lines: 0 })
    }
}

/// What an artifact is digested through.
#[derive(Debug)]
pub struct DigestOut(QueuedWriter<Through>);

#[derive(Debug, Default)]
pub(super) struct Through {
    hasher: Hasher,
    head: Vec<u8>,
    compared: Option<Compared>,
    copy: Option<File>,
}

impl Write for Through {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        index::take_head(&mut self.head, bytes);
        if let Some(compared) = &mut self.compared {
            compared.take(bytes)?;
        }
        if let Some(copy) = &mut self.copy {
            copy.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for DigestOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl ArtifactSink for DigestSink {
    type Out = DigestOut;

    fn create(&mut self, name: &str) -> io::Result<DigestOut> {
        let compared = match &self.compare {
            Some(folder) => Compared::open(&folder.join(name))?,
            None => None,
        };
        let copy = match &self.copy {
            Some(folder) => Some(OpenOptions::new().write(true).create_new(true).open(folder.join(name))?),
            None => None,
        };
        let through = Through { compared, copy, ..Through::default() };
        let thread = match &mut self.writer_thread {
            Some(started) => started,
            none => none.insert(WriterThread::start()),
        };
        thread.open(through).map(DigestOut)
    }

    fn finish(&mut self, name: &str, out: DigestOut) -> io::Result<()> {
        let through = out.0.close()?;
        if let Some(compared) = through.compared {
            match compared.finish()? {
                Some(first) => _ = self.differ.insert(name.to_owned(), first),
                None => _ = self.equal.insert(name.to_owned(), through.head),
            }
        }
        self.artifacts.insert(name.to_owned(), through.hasher.finish());
        Ok(())
    }
}

/// What a file turned out to be when it was read from beginning to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) schema_version: Option<String>,
    /// How many lines it has, for rows.
    pub(super) lines: u64,
}

/// The rows of a bundle, digested as they are read: what is derived and what is digested are the same bytes.
#[derive(Debug)]
pub struct HashedRows {
    folder: PathBuf,
    lanes: Vec<Lane>,
    /// Each complete reading of a lane.
    seen: Mutex<Vec<(Lane, Observed)>>,
}

impl HashedRows {
    pub(super) fn new(folder: PathBuf, lanes: Vec<Lane>) -> Self {
        Self { folder, lanes, seen: Mutex::default() }
    }

    pub(super) fn into_seen(self) -> Vec<(Lane, Observed)> {
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
        let tap = Tap { file, rows: self, lane, path, hasher: Some(Hasher::default()), head: Vec::new(), lines: 0 };
        Ok(Some(Box::new(BufReader::with_capacity(BLOCK_BYTES, tap))))
    }
}

/// Digests what passes through it.
struct Tap<'a> {
    file: File,
    rows: &'a HashedRows,
    lane: Lane,
    path: BundlePath,
    /// Absent once the end was seen.
    hasher: Option<Hasher>,
    head: Vec<u8>,
    lines: u64,
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(hasher) = &mut self.hasher else { return Ok(0) };
        let n = self.file.read(buffer)?;
        if n > 0 {
            hasher.update(&buffer[..n]);
            self.lines += count_lines(&buffer[..n]);
            index::take_head(&mut self.head, &buffer[..n]);
        } else if !buffer.is_empty() {
            let (digest, size) = self.hasher.take().unwrap_or_default().finish();
            let schema_version = index::schema_version_of(&self.path, &self.head);
            if let Ok(mut seen) = self.rows.seen.lock() {
                seen.push((self.lane, Observed { digest, size, schema_version, lines: self.lines }));
            }
        }
        Ok(n)
    }
}

/// Reads a file from beginning to end, at most one byte past `size`. With `keep`, its bytes are kept.
pub(super) fn observe(
    mut file: impl Read,
    path: &BundlePath,
    size: u64,
    block: &mut Vec<u8>,
    mut keep: Option<&mut Vec<u8>>,
) -> io::Result<Observed> {
    block.resize(BLOCK_BYTES, 0);
    let mut hasher = Hasher::default();
    let mut head = Vec::new();
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
        hasher.update(&block[..n]);
        lines += count_lines(&block[..n]);
        index::take_head(&mut head, &block[..n]);
        if let Some(kept) = &mut keep {
            kept.extend_from_slice(&block[..n]);
        }
    }
    let (digest, size) = hasher.finish();
    Ok(Observed { digest, size, schema_version: index::schema_version_of(path, &head), lines })
}

pub(super) fn count_lines(bytes: &[u8]) -> u64 {
    // In pieces whose count fits a byte, so that many bytes are compared and added at a time.
    let in_piece = |piece: &[u8]| piece.iter().fold(0_u8, |count, byte| count + u8::from(*byte == b'\n'));
    bytes.chunks(255).map(|piece| u64::from(in_piece(piece))).sum()
}
