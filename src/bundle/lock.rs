//! The lock on an output root: one writer at a time.
//!
//! It is flock(2) on `<out>/.runtime.lock`. The kernel ties it to the open descriptor, so it ends with its holder however
//! that ends (the descriptor is closed on exec, so no child keeps it), and a second descriptor cannot get it, not even
//! in the same process. The file is changed only by the holder and never unlinked: a waiter can therefore not end up
//! holding a deleted file while a third process locks a new one. Should somebody remove it from outside, the holder
//! notices by comparing what it locked with what the name leads to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::base::fsx::{FileError, IoContext};
use crate::base::ids::RunId;
use crate::record::layout;

/// How often a waiter tries again.
const RETRY: Duration = Duration::from_millis(50);
/// The longest content of a lock file that is read.
const MAX_HOLDER_BYTES: u64 = 1024;

/// What to do when another run holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Give up at once.
    Fail,
    /// Try again for so long.
    Wait(Duration),
}

/// Who holds a lock, as far as it has said so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// Process id of the holder; `None` if the lock file does not name one yet.
    pub pid: Option<u32>,
    /// What it is writing.
    pub run_id: Option<RunId>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.pid, &self.run_id) {
            (Some(pid), Some(run)) => write!(f, "process {pid}, run {run}"),
            (Some(pid), None) => write!(f, "process {pid}"),
            _ => f.write_str("an unidentified process"),
        }
    }
}

/// The lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another writer has it.
    #[error(
        "the output root `{}` is locked by {holder}{}; try again when it has ended, wait with `--lock-mode wait`, or choose another output root",
        root.display(), waited(*waited_s)
    )]
    Held {
        /// Path of the output root.
        root: PathBuf,
        /// Who has it.
        holder: Holder,
        /// How long was waited, in seconds; absent if not at all.
        waited_s: Option<u64>,
    },
    /// Waiting was cancelled.
    #[error("waiting for the lock on the output root `{}` was cancelled", root.display())]
    Cancelled {
        /// Path of the output root.
        root: PathBuf,
    },
    /// The lock file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

fn waited(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |s| format!(" (still, after {s} s of waiting)"))
}

/// A held lock; it is released when this is dropped.
#[derive(Debug)]
pub struct OutputLock {
    root: PathBuf,
    file: Flock<File>,
}

impl OutputLock {
    /// Takes the lock on `root`, which must exist, for `run_id`. While waiting, `cancelled` is asked at every try.
    pub fn acquire(
        root: &Path,
        mode: LockMode,
        run_id: &RunId,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, LockError> {
        Self::acquire_watched(root, mode, run_id, cancelled, &|| ())
    }

    /// The same; `opened` is called between each opening of the file and the attempt to lock it. Only tests watch that.
    pub(super) fn acquire_watched(
        root: &Path,
        mode: LockMode,
        run_id: &RunId,
        cancelled: &dyn Fn() -> bool,
        opened: &dyn Fn(),
    ) -> Result<Self, LockError> {
        let path = root.join(layout::LOCK);
        let started = Instant::now();
        loop {
            let file = open(&path).at("open the lock file", &path)?;
            opened();
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => {
                    if is_still_at(&locked, &path) {
                        let mut lock = Self { root: root.to_owned(), file: locked };
                        lock.sign(run_id).at("write", &path)?;
                        return Ok(lock);
                    }
                    // Somebody removed the file between our open and our lock: the name leads elsewhere now.
                    continue;
                }
                Err((mut file, Errno::EWOULDBLOCK)) => {
                    let holder = read_holder(&mut file);
                    let LockMode::Wait(limit) = mode else {
                        return Err(LockError::Held { root: root.to_owned(), holder, waited_s: None });
                    };
                    if started.elapsed() >= limit {
                        return Err(LockError::Held {
                            root: root.to_owned(),
                            holder,
                            waited_s: Some(started.elapsed().as_secs()),
                        });
                    }
                    if cancelled() {
                        return Err(LockError::Cancelled { root: root.to_owned() });
                    }
                    std::thread::sleep(RETRY.min(limit.saturating_sub(started.elapsed())));
                }
                Err((_, Errno::EINTR)) => {}
                Err((_, errno)) => {
                    return Err(io::Error::from(errno)).at("lock", &path).map_err(LockError::from);
                }
            }
        }
    }

    /// The output root that is locked.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Says who holds it. Only now, with the lock held, may the file be emptied.
    fn sign(&mut self, run_id: &RunId) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        write!(*self.file, "pid={}\nrun_id={run_id}\n", std::process::id())
    }
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        // Nobody is named as the holder of a lock that is free. The descriptor's closing releases it.
        let _ = self.file.set_len(0);
    }
}

/// Who holds the lock on `root`; `None` if nobody does.
///
/// The lock itself is asked only where somebody has signed for it: that takes it for an instant, shared, and a run that
/// starts just then would find it taken. A holder that ended well has taken its signature away.
pub fn holder(root: &Path) -> Option<Holder> {
    let path = root.join(layout::LOCK);
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path).ok()?;
    if file.metadata().ok().is_none_or(|found| !found.is_file() || found.len() == 0) {
        return None;
    }
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => None,
        Err((taken, Errno::EWOULDBLOCK)) => {
            file = taken;
            Some(read_holder(&mut file))
        }
        Err(_) => None,
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    let _ = file.take(MAX_HOLDER_BYTES).read_to_string(&mut text);
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    Holder {
        pid: field("pid=").and_then(|value| value.parse().ok()),
        run_id: field("run_id=").and_then(|value| value.parse().ok()),
    }
}
