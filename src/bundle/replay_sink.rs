//! Where a replay writes: to nowhere, but for digests, comparisons, and copies if they are wanted.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::file_comparison::{FileComparison, FirstDifference};
use super::observed::{FileObserver, ObservedFile};
use super::writer_thread::{QueuedWriter, WriterThread};
use crate::base::bundle_path::BundlePath;
use crate::evidence::ArtifactSink;

/// A sink that keeps of each artifact what it is. It can also compare what comes with the files of a folder, and write it
/// to another. All that happens on a thread of its own, beside the derivation.
#[derive(Debug, Default)]
pub(crate) struct ReplaySink {
    /// Every artifact that was derived, by name.
    pub(super) artifacts: BTreeMap<String, Replayed>,
    compare: Option<PathBuf>,
    copy: Option<PathBuf>,
    writer_thread: Option<WriterThread<ReplayStream>>,
}

/// An artifact as it was derived once more.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) observed: ObservedFile,
    pub(super) file: FileState,
}

/// How the file of an artifact stands to what was derived.
#[derive(Debug)]
pub(super) enum FileState {
    /// There is none, or none was looked for.
    NotCompared,
    Equal,
    Differs(FirstDifference),
}

impl ReplaySink {
    /// `compare`: the folder whose files are compared; `copy`: the folder that gets a copy.
    pub(super) fn new(compare: Option<PathBuf>, copy: Option<PathBuf>) -> Self {
        Self { compare, copy, ..Self::default() }
    }

    /// What the file of an artifact is, if it was compared and holds what was derived: then the digest of the one is the
    /// digest of the other.
    pub(super) fn observed(&self, path: &BundlePath) -> Option<ObservedFile> {
        let replayed = self.artifacts.get(path.as_str())?;
        matches!(replayed.file, FileState::Equal).then(|| replayed.observed.clone())
    }
}

/// What an artifact is observed through.
#[derive(Debug)]
pub(crate) struct ReplayOut(QueuedWriter<ReplayStream>);

#[derive(Debug)]
struct ReplayStream {
    observer: FileObserver,
    compared: Option<FileComparison>,
    copy: Option<File>,
}

impl Write for ReplayStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.observer.take(bytes);
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

impl Write for ReplayOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl ArtifactSink for ReplaySink {
    type Out = ReplayOut;

    fn create(&mut self, name: &str) -> io::Result<ReplayOut> {
        let compared = match &self.compare {
            Some(folder) => FileComparison::open(&folder.join(name))?,
            None => None,
        };
        let copy = match &self.copy {
            Some(folder) => Some(OpenOptions::new().write(true).create_new(true).open(folder.join(name))?),
            None => None,
        };
        let through = ReplayStream { observer: FileObserver::default(), compared, copy };
        self.writer_thread.get_or_insert_with(WriterThread::start).open(through).map(ReplayOut)
    }

    fn finish(&mut self, name: &str, out: ReplayOut) -> io::Result<()> {
        let through = out.0.close()?;
        let file = match through.compared.map(FileComparison::finish).transpose()? {
            None => FileState::NotCompared,
            Some(None) => FileState::Equal,
            Some(Some(first)) => FileState::Differs(first),
        };
        let path = BundlePath::new(name).map_err(io::Error::other)?;
        let observed = through.observer.finish(&path, 0);
        self.artifacts.insert(name.to_owned(), Replayed { observed, file });
        Ok(())
    }
}
