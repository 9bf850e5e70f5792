//! What a store is asked, and what it is given.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

use super::fault::StoreError;
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx::{self, IoContext};
use crate::record::transfer::TransferCounts;

/// Files up to this size are transferred several at a time; a larger one by itself, since a request may hold it in memory.
const SMALL_BYTES: u64 = 8 * 1024 * 1024;
/// How many small files are transferred at a time: what takes long is the way to a bucket.
const AT_A_TIME: usize = 8;

/// Where objects are kept, each under a name with `/` between its parts.
pub trait Store: Sync {
    /// The names of all objects below a name, without it, with their sizes in bytes.
    fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, StoreError>;

    /// Writes an object that is not there yet, whole or not at all, with the very bytes that were verified.
    fn put_new(&self, name: &str, content: &SourceFile) -> Result<PutAnswer, StoreError>;

    /// Writes an object's bytes to `sink`. False: there is none.
    fn read(&self, name: &str, sink: &mut dyn Write) -> Result<bool, StoreError>;

    /// Takes away what uploads left that died before an object had its name.
    fn sweep(&self, below: &str) -> Result<(), StoreError>;

    /// How people name an object.
    fn shown(&self, name: &str) -> String;
}

/// What came of an object that was to be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutAnswer {
    /// It is there now.
    Stored,
    /// There was one of that name, which is as it was.
    WasThere,
}

/// A file of a verified bundle.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: Digest,
}

impl SourceFile {
    /// Copies its bytes. Only if this is no error were they, to the last one, those that were verified.
    pub(super) fn copy(&self, to: &mut dyn Write) -> Result<(), StoreError> {
        let file = fsx::open_regular(&self.path).at("open", &self.path)?;
        let mut tap = DigestingWriter { sink: to, hasher: Hasher::default() };
        // One byte more than expected is enough to see that there is more.
        std::io::copy(&mut file.take(self.size.saturating_add(1)), &mut tap).at("copy", &self.path)?;
        if tap.hasher.finish() == (self.sha256, self.size) {
            Ok(())
        } else {
            Err(StoreError::ChangedHere { path: self.path.clone() })
        }
    }
}

/// Digests what passes through it to somewhere else.
struct DigestingWriter<'s> {
    sink: &'s mut dyn Write,
    hasher: Hasher,
}

impl Write for DigestingWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.sink.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.sink.flush()
    }
}

/// Does the same for every file: small ones several at a time, then large ones one after the other. After a failure nothing new is
/// begun; the first of the failures is given.
pub(super) fn for_all<F: Sync>(
    files: &[F],
    size: impl Fn(&F) -> u64,
    transfer: impl Fn(&F) -> Result<TransferCounts, StoreError> + Sync,
) -> Result<TransferCounts, StoreError> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let (small, large): (Vec<&F>, Vec<&F>) = files.iter().partition(|file| size(file) <= SMALL_BYTES);
    let failed = AtomicBool::new(false);
    let done = crate::base::threads::each_by(AT_A_TIME, small.len(), |place| {
        if failed.load(Ordering::Relaxed) {
            return Ok(TransferCounts::default());
        }
        let done = transfer(small[place]);
        failed.fetch_or(done.is_err(), Ordering::Relaxed);
        done
    });
    let mut counts = TransferCounts::default();
    for one in done {
        counts.add(one?);
    }
    for one in large {
        counts.add(transfer(one)?);
    }
    Ok(counts)
}
