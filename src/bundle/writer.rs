//! Writing a bundle: everything under temporary names, then one commit.
//!
//! # The commit, step by step, and what a crash leaves
//!
//! 1. [`BundleWriter::create`] makes `<out>/<run_id>/` and writes `run_status.json` (`in_progress`), which is for those
//!    who look on and is not synced. A crash leaves a folder that holds nothing, or that: not committed.
//!    The run's declaration follows under its final name and is synced, and both folders with it: it is durable before
//!    anything is executed.
//! 2. Artifacts are streamed to temporary names (`.NAME.RANDOM.tmp`) beside their final ones, digested on the way. A
//!    crash leaves temporaries and a status `in_progress`, and no index: not committed.
//! 3. The commit writes `artifact_index.json` to a temporary name and gives every artifact its final one,
//!    `run_status.json` last. A crash leaves some files with final names, perhaps a status `complete`, and nothing that
//!    is called an index: not committed.
//! 4. Everything so far is made durable, data and names, and the index under its temporary name with it. Only now may
//!    the index speak.
//! 5. The index gets its final name, and its folder is synced. A rename is all or nothing: before it, not committed;
//!    after it, committed and every byte that it names is durable, and its own.
//! 6. For a complete run that was not dry, `LATEST` is renamed into place and its folder synced. A crash before that
//!    leaves a committed bundle and a `LATEST` that still leads to the one before; perhaps a `.LATEST.RANDOM.tmp`.
//!
//! Nothing is rewritten after step 5. A crash within a step is a crash before or after one of its renames, because
//! temporaries are never looked at: the reader counts one beside an index as a finding.
//!
//! `LATEST` names only complete runs with an index of status `ok`: a reader that follows it wants the latest result,
//! and a failed or dry run is none. Such a bundle is reached by its run id.
//!
//! # Few sync calls
//!
//! Where the file system is known to support it, step 4 is one syncfs(2) for any number of files. Its drawback: it also
//! waits for what other programs have written to that file system, and has no bound of its own; it may even report
//! their write errors (then the commit fails, which is the safe side). Writeback of each artifact is started as it
//! grows and when it is finished, so little of our own is left to wait for. Elsewhere each file is synced when it is
//! finished, and each folder in step 4. With syncfs a bundle needs 3 sync calls from start to end, however many files it
//! has, and 6 with a declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::index::{self, ExpectedArtifacts};
use super::lock::OutputLock;
use super::observed::{FileObserver, ObservedFile};
use super::verified::Bundle;
use super::writer_thread::{QueuedWriter, WriterThread};
use crate::base::bundle_path::{BundlePath, BundlePathError};
use crate::base::clock;
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError, IoContext, Pending, Staged};
use crate::base::ids::WorldId;
use crate::base::json_out;
use crate::base::limits::MAX_BUNDLE_FILES;
use crate::evidence::{ArtifactSink, RowSource};
use crate::record::index::{ARTIFACT_INDEX_SCHEMA, ArtifactEntry, ArtifactIndex, IndexStatus};
use crate::record::layout::{self, Origin};
use crate::record::manifest::{RunState, RunStatus};
use crate::record::merge;
use crate::record::outcome::Lane;
use crate::sys::durability;

/// How much of a staged file is read at a time.
const BLOCK_BYTES: usize = 64 * 1024;
/// After how many bytes of an artifact the kernel is asked to write them to the disk.
const WRITEBACK_BYTES: u64 = 1 << 20;

/// The names that the writer and the repair keep for themselves.
fn reserved() -> impl Iterator<Item = &'static str> {
    let own = |artifact: &&layout::Artifact| matches!(artifact.origin, Origin::Commit | Origin::Repair);
    layout::ARTIFACTS.iter().filter(own).map(|artifact| artifact.name)
}

/// A bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The run's folder exists already.
    #[error("the bundle folder `{}` exists already; a bundle is never overwritten", path.display())]
    Exists {
        /// Path of the bundle's folder.
        path: PathBuf,
    },
    /// The bundle's path in documents does not end in its run id.
    #[error("the bundle's path in documents, `{bundle_root}`, does not end in its run id `{run_id}`")]
    Root {
        /// Path of the bundle as documents name it.
        bundle_root: String,
        /// Id of the run.
        run_id: String,
    },
    /// That name cannot be one of a bundle.
    #[error("an artifact has an impossible name")]
    Name(#[from] BundlePathError),
    /// That artifact is the writer's own, or there is one of that name, or of one that differs in case alone.
    #[error("the artifact `{path}` exists already, at least in another spelling of upper and lower case")]
    Twice {
        /// Name of the artifact: its path inside the bundle.
        path: BundlePath,
    },
    /// More files than a bundle may have.
    #[error("a bundle may hold at most {MAX_BUNDLE_FILES} files; `{path}` would be one more")]
    TooMany {
        /// Name of the artifact: its path inside the bundle.
        path: BundlePath,
    },
    /// The bundle is committed, but `LATEST` could not be moved to it.
    #[error("the bundle `{}` is committed, but `LATEST` does not lead to it", folder.display())]
    Latest {
        /// Path of the bundle's folder.
        folder: PathBuf,
        /// The underlying error.
        #[source]
        source: FileError,
    },
    /// A file of a part is not the one that was verified.
    #[error("`{}` changed since it was verified", path.display())]
    Changed {
        /// Where it lies.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        Self::other(error)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// To its end. `dry`: without executing anything; `LATEST` stays.
    Complete {
        /// Whether nothing was executed.
        dry: bool,
    },
    /// Before its end.
    Failed {
        /// The reason, as text for people.
        error: String,
        /// Where: `interrupted`, `lane`, `derive`, `write`.
        stage: String,
    },
}

/// A committed bundle.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The bundle's folder, `OUT/RUN_ID`.
    pub folder: PathBuf,
    /// The index as it was written, which makes the bundle a committed one.
    pub index: ArtifactIndex,
    /// The digest of the index file.
    pub index_sha256: Digest,
    /// Whether `LATEST` leads to it now.
    pub latest: bool,
}

/// A bundle in the making. Dropping it without a commit removes what was staged and leaves the status `in_progress`.
#[derive(Debug)]
pub struct BundleWriter {
    out_root: PathBuf,
    folder: PathBuf,
    /// Open since before the first artifact was written, so that the sync reports every write error since.
    handle: File,
    whole_sync: bool,
    bundle_root: String,
    status: RunStatus,
    expected: ExpectedArtifacts,
    folders: BTreeSet<PathBuf>,
    /// Every name in use, in lower case: two files that differ in case alone are one file on some file systems.
    taken: BTreeSet<String>,
    finished: BTreeMap<BundlePath, FinishedFile>,
    /// The thread that writes streamed artifacts, once there is one.
    writer_thread: Option<WriterThread<UnsealedFile>>,
}

#[derive(Debug)]
struct FinishedFile {
    /// `None`: it has its final name already.
    file: Option<Pending>,
    observed: ObservedFile,
}

/// An artifact being written, by a thread that digests it and hands it to the kernel.
#[derive(Debug)]
pub struct ArtifactOut {
    path: BundlePath,
    out: QueuedWriter<UnsealedFile>,
}

impl Write for ArtifactOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A temporary file, and what the index will say of it.
#[derive(Debug)]
struct UnsealedFile {
    staged: Staged,
    observer: FileObserver,
    /// Whether the kernel is asked early to write to the disk, which pays only before a sync of everything.
    early: bool,
    /// Up to which byte it was asked.
    begun: u64,
}

impl UnsealedFile {
    fn new(staged: Staged, early: bool) -> Self {
        Self { staged, observer: FileObserver::default(), early, begun: 0 }
    }

    fn start_writeback(&mut self) {
        durability::start_writeback(self.staged.file(), self.begun);
        self.begun = self.observer.length_bytes();
    }
}

impl Write for UnsealedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.observer.take(bytes);
        self.staged.write_all(bytes)?;
        if self.early && self.observer.length_bytes() - self.begun >= WRITEBACK_BYTES {
            self.start_writeback();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(&mut self.staged)
    }
}

impl BundleWriter {
    /// Makes `<root of the lock>/<run id>/` and says that a run is in progress there.
    ///
    /// `bundle_root` is the folder's path as documents spell it: relative to the workspace where it lies under it. The
    /// state, time, error, failure stage, drift and identity of `status` are the writer's to set. The lock has to be held until the
    /// commit; that it is borrowed here shows that it is held now.
    pub fn create(
        lock: &OutputLock,
        bundle_root: &str,
        mut status: RunStatus,
        expected: ExpectedArtifacts,
    ) -> Result<Self, WriteError> {
        let run_id = status.run_id.as_str();
        if bundle_root.rsplit('/').next() != Some(run_id) {
            return Err(WriteError::Root { bundle_root: bundle_root.to_owned(), run_id: run_id.to_owned() });
        }
        let folder = lock.root().join(run_id);
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(WriteError::Exists { path: folder });
            }
            made => made.at("create the folder", &folder)?,
        }
        let handle = File::open(&folder).at("open the folder", &folder)?;
        status.state = RunState::InProgress;
        status.error = None;
        status.failure_stage = None;
        status.drift = None;
        status.identity = None;
        status.updated_at_unix = clock::unix_seconds();
        let status_path = folder.join(layout::RUN_STATUS);
        let mut staged = Staged::create(&status_path)?;
        staged.write_all(&json_out::to_pretty(&status)).at("write", &status_path)?;
        staged.rename()?;
        Ok(Self {
            out_root: lock.root().to_owned(),
            whole_sync: durability::syncs_as_a_whole(&handle),
            handle,
            folder,
            bundle_root: bundle_root.to_owned(),
            status,
            expected,
            folders: BTreeSet::new(),
            taken: reserved().map(str::to_owned).collect(),
            finished: BTreeMap::new(),
            writer_thread: None,
        })
    }

    /// The bundle's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the run's declaration under its final name, durably: it is there before anything that it is about. Every
    /// artifact is stamped with `identity` from here on.
    pub fn seal_identity(&mut self, identity: Digest, bytes: &[u8]) -> Result<(), WriteError> {
        let path = index::path_of(layout::RUN_IDENTITY);
        if !self.taken.insert(path.as_str().to_owned()) {
            return Err(WriteError::Twice { path });
        }
        fsx::write_durably(&path.under(&self.folder), bytes)?;
        fsx::sync_dir(&self.out_root)?;
        self.status.identity = Some(identity);
        let mut observer = FileObserver::default();
        observer.take(bytes);
        let observed = observer.finish(&path, 0);
        self.finished.insert(path, FinishedFile { file: None, observed });
        Ok(())
    }

    /// Notes what the run had declared and found otherwise afterwards; an empty list says that it looked.
    pub fn note_drift(&mut self, drift: Vec<String>) {
        self.status.drift = Some(drift);
    }

    /// Notes the world that the manifest names, where that is known only after the run has begun.
    pub fn adopt_world(&mut self, world_id: &WorldId) {
        self.status.world_id = world_id.clone();
    }

    /// Starts an artifact.
    pub fn stage(&mut self, path: &BundlePath) -> Result<ArtifactOut, WriteError> {
        let sealing = self.begin(path)?;
        let out =
            self.writer_thread.get_or_insert_with(WriterThread::start).open(sealing).at("write to", &self.folder)?;
        Ok(ArtifactOut { path: path.clone(), out })
    }

    fn begin(&mut self, path: &BundlePath) -> Result<UnsealedFile, WriteError> {
        // Those taken so far include the writer's own, of which only the status is a file in the index.
        if self.taken.len() - reserved().count() + 1 >= MAX_BUNDLE_FILES {
            return Err(WriteError::TooMany { path: path.clone() });
        }
        if !self.taken.insert(path.as_str().to_ascii_lowercase()) {
            return Err(WriteError::Twice { path: path.clone() });
        }
        self.unsealed(path)
    }

    /// A temporary file beside `path`, in a folder that is there.
    fn unsealed(&mut self, path: &BundlePath) -> Result<UnsealedFile, WriteError> {
        let target = path.under(&self.folder);
        if let Some(parent) = target.parent()
            && parent != self.folder
            && !self.folders.contains(parent)
        {
            fsx::create_dir_all(parent)?;
            let added = parent.ancestors().take_while(|folder| *folder != self.folder).map(Path::to_owned);
            self.folders.extend(added);
        }
        Ok(UnsealedFile::new(Staged::create(&target)?, self.whole_sync))
    }

    /// Takes a finished artifact. Its content is in the kernel's hands after this, and can be read again.
    pub fn finish_artifact(&mut self, out: ArtifactOut) -> Result<(), WriteError> {
        let ArtifactOut { path, out } = out;
        let sealing = out.close().at("write", &path.under(&self.folder))?;
        self.seal(path, sealing)
    }

    fn seal(&mut self, path: BundlePath, mut sealing: UnsealedFile) -> Result<(), WriteError> {
        if self.whole_sync {
            sealing.staged.flush()?;
            sealing.start_writeback();
        } else {
            sealing.staged.sync()?;
        }
        let observed = sealing.observer.finish(&path, 0);
        let file = Some(sealing.staged.close()?);
        self.finished.insert(path, FinishedFile { file, observed });
        Ok(())
    }

    /// Takes a whole bundle over as a part of a merge. Its index is an artifact of this one; what that lists lies beside it.
    pub fn adopt(&mut self, number: u32, part: &Bundle) -> Result<(), WriteError> {
        let folder = merge::part_folder(number);
        let files = part.entries().map(|(path, entry)| (path.as_str(), entry.sha256));
        for (name, sha256) in files.chain([(layout::ARTIFACT_INDEX, part.index_sha256())]) {
            let path = BundlePath::new(format!("{folder}/{name}"))?;
            let mut copy = self.unsealed(&path)?;
            let source = part.folder().join(name);
            let mut file = fsx::open_regular(&source).at("open", &source)?;
            io::copy(&mut file, &mut copy).at("copy", &source)?;
            if name == layout::ARTIFACT_INDEX {
                if !self.taken.insert(path.as_str().to_owned()) {
                    return Err(WriteError::Twice { path });
                }
                self.seal(path.clone(), copy)?;
                if self.digest_of(&path) == Some(sha256) {
                    continue;
                } else {
                    return Err(WriteError::Changed { path: source });
                }
            }
            let UnsealedFile { mut staged, observer, .. } = copy;
            if observer.finish(&path, 0).digest != sha256 {
                return Err(WriteError::Changed { path: source });
            }
            if self.whole_sync {
                staged.flush()?
            } else {
                staged.sync()?
            }
            staged.rename()?;
        }
        Ok(())
    }

    /// The digest of a finished artifact.
    pub fn digest_of(&self, path: &BundlePath) -> Option<Digest> {
        self.finished.get(path).map(|finished| finished.observed.digest)
    }

    /// Writes a whole artifact.
    pub fn put(&mut self, path: &BundlePath, bytes: &[u8]) -> Result<(), WriteError> {
        let mut sealing = self.begin(path)?;
        sealing.write_all(bytes).at("write", sealing.staged.target())?;
        self.seal(path.clone(), sealing)
    }

    /// The rows that are finished so far, for the derivation before the commit.
    pub fn rows(&self) -> StagedRows {
        let lanes = [Lane::Baseline, Lane::Control, Lane::Scenario, Lane::Oracle];
        let found = lanes.into_iter().filter_map(|lane| {
            let finished = self.finished.get(&index::path_of(layout::rows_of(lane)))?;
            Some((lane, finished.file.as_ref()?.temporary().to_owned()))
        });
        StagedRows { files: found.collect() }
    }

    /// Seals the bundle; see the module's page for the order. An artifact that was started and not finished is not part
    /// of it.
    ///
    /// A failed run keeps what is there. A complete one that lacks an expected artifact gets an index of status
    /// `partial`, and `LATEST` stays.
    pub fn commit(self, end: RunEnd) -> Result<Committed, WriteError> {
        self.commit_watched(end, &mut |_| {})
    }

    /// Tells `after` each step that was taken, for tests that look at what a crash there would leave.
    pub(super) fn commit_watched(mut self, end: RunEnd, after: &mut dyn FnMut(&str)) -> Result<Committed, WriteError> {
        self.stage_status(&end)?;
        let index = self.index(&end);
        let moves_latest = index.status == IndexStatus::Ok && end == RunEnd::Complete { dry: false };
        let index_bytes = json_out::to_pretty(&index);
        let index_file = self.stage_last(&self.folder.join(layout::ARTIFACT_INDEX), &index_bytes)?;
        let latest = moves_latest.then(|| self.stage_latest()).transpose()?;
        after("staged");

        let status_path = index::path_of(layout::RUN_STATUS);
        let status_file = self.finished.remove(&status_path).expect("the status was staged just above");
        for (path, finished) in std::mem::take(&mut self.finished) {
            let Some(file) = finished.file else { continue };
            file.rename()?;
            after(path.as_str());
        }
        status_file.file.expect("the status was staged under a temporary name").rename()?;
        after("run_status renamed");

        // A folder whose artifacts were all given up is nothing that the index could list.
        // The deepest first, so that one that held nothing but empty ones goes too.
        let emptied: Vec<PathBuf> =
            self.folders.iter().rev().filter(|folder| fs::remove_dir(folder).is_ok()).cloned().collect();
        self.folders.retain(|folder| !emptied.contains(folder));
        if self.whole_sync {
            durability::sync_file_system(&self.handle).at("sync the file system of", &self.folder)?;
        } else {
            for folder in self.folders.iter().rev() {
                fsx::sync_dir(folder)?;
            }
            fsx::sync_dir(&self.folder)?;
            fsx::sync_dir(&self.out_root)?;
        }
        after("durable");

        index_file.rename()?;
        after("index renamed");
        self.handle.sync_all().at("sync the folder", &self.folder)?;
        after("committed");

        if let Some(pending) = latest {
            let moved = pending.rename().and_then(|()| fsx::sync_dir(&self.out_root));
            moved.map_err(|source| WriteError::Latest { folder: self.folder.clone(), source })?;
            after("latest");
        }
        let index_sha256 = Digest::of(&index_bytes);
        Ok(Committed { folder: self.folder, index, index_sha256, latest: moves_latest })
    }

    fn stage_status(&mut self, end: &RunEnd) -> Result<(), WriteError> {
        self.status.updated_at_unix = clock::unix_seconds();
        match end {
            RunEnd::Complete { .. } => self.status.state = RunState::Complete,
            RunEnd::Failed { error, stage } => {
                self.status.state = RunState::Failed;
                self.status.error = Some(error.clone());
                self.status.failure_stage = Some(stage.clone());
            }
        }
        let path = index::path_of(layout::RUN_STATUS);
        let mut sealing = UnsealedFile::new(Staged::create(&path.under(&self.folder))?, self.whole_sync);
        sealing.write_all(&json_out::to_pretty(&self.status)).at("write", sealing.staged.target())?;
        self.seal(path, sealing)
    }

    fn stage_latest(&self) -> Result<Pending, WriteError> {
        self.stage_last(&self.out_root.join(layout::LATEST), format!("{}\n", self.status.run_id).as_bytes())
    }

    /// Writes a file that gets its final name after the artifacts are durable. Its content is made durable together with
    /// theirs, which saves a sync.
    fn stage_last(&self, target: &Path, bytes: &[u8]) -> Result<Pending, WriteError> {
        let mut staged = Staged::create(target)?;
        staged.write_all(bytes).at("write", target)?;
        if !self.whole_sync {
            staged.sync()?;
        }
        Ok(staged.close()?)
    }

    fn index(&self, end: &RunEnd) -> ArtifactIndex {
        let mut paths: Vec<&BundlePath> = self.finished.keys().collect();
        paths.sort_by(|a, b| layout::index_order(a.as_str()).cmp(&layout::index_order(b.as_str())));
        let spelled = |path: &BundlePath| format!("{}/{path}", self.bundle_root);
        let artifacts = paths.into_iter().map(|path| {
            let observed = &self.finished[path].observed;
            ArtifactEntry {
                path: spelled(path),
                file_size: observed.size,
                sha256: observed.digest,
                schema_version: observed.schema_version.clone(),
                identity: self.status.identity,
            }
        });
        let missing: Vec<String> =
            self.expected.paths().iter().filter(|path| !self.finished.contains_key(path)).map(spelled).collect();
        ArtifactIndex {
            schema_version: ARTIFACT_INDEX_SCHEMA.into(),
            run_id: self.status.run_id.clone(),
            identity: self.status.identity,
            world_id: self.status.world_id.clone(),
            bundle_root: self.bundle_root.clone(),
            artifacts: artifacts.collect(),
            status: match end {
                RunEnd::Failed { .. } => IndexStatus::Failed,
                RunEnd::Complete { .. } if !missing.is_empty() => IndexStatus::Partial,
                RunEnd::Complete { .. } => IndexStatus::Ok,
            },
            missing,
            repaired: false,
        }
    }
}

impl ArtifactSink for BundleWriter {
    type Out = ArtifactOut;

    fn create(&mut self, name: &str) -> io::Result<ArtifactOut> {
        let path = BundlePath::new(name).map_err(WriteError::from)?;
        Ok(self.stage(&path)?)
    }

    fn finish(&mut self, _name: &str, out: ArtifactOut) -> io::Result<()> {
        Ok(self.finish_artifact(out)?)
    }
}

/// The finished rows of a bundle that is not committed yet.
#[derive(Debug, Clone)]
pub struct StagedRows {
    files: BTreeMap<Lane, PathBuf>,
}

impl RowSource for StagedRows {
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        let Some(path) = self.files.get(&lane) else { return Ok(None) };
        Ok(Some(Box::new(BufReader::with_capacity(BLOCK_BYTES, fsx::open_regular(path)?))))
    }
}
