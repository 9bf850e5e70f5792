//! The stage: a private folder that holds exactly what a worker is given.
//!
//! Everything in it was put there by digest, and is checked by digest before it is used. Its name is not to be guessed,
//! nobody else may enter it, and one that exists is never taken over.
//!
//! Whoever made a stage holds a lock in it for as long as it lives. The kernel lets go of the lock when that process ends,
//! however it ends, so a worker can see that nobody waits for it any more.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::base::bundle_path::BundlePath;
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx::{self, FileError, IoContext};
use crate::record::worker_job::StagedFile;

/// The executable's name in the stage.
pub const EXECUTABLE: &str = "sandproof";
/// The job's name in the stage.
pub const JOB: &str = "job.json";
/// The file that lets the worker go on, once its manager was asked about it.
pub const GO: &str = "go";
/// The worker's output root in the stage.
pub const OUT: &str = "out";
/// The file that whoever made the stage holds a lock on (flock(2)) for as long as it lives.
pub const ALIVE: &str = "alive";
/// Where the worker says, before it makes the first one, in which folder its fixtures are.
pub const FIXTURES: &str = "fixtures.txt";
/// What the worker prints.
pub const STDOUT: &str = "stdout.txt";
/// What the worker complains of.
pub const STDERR: &str = "stderr.txt";

/// How the names of stages begin.
const PREFIX: &str = "sandproof-stage-";
/// How many random letters and digits follow.
const RANDOM: usize = 16;
/// After so long a stage without its lock is not one that was just made.
const UNLOCKED_LIMIT: Duration = Duration::from_secs(600);

/// A stage. It is removed when this is dropped.
#[derive(Debug)]
pub struct Stage {
    folder: tempfile::TempDir,
    /// Let go after the folder is removed: fields are dropped in this order.
    _alive: Flock<File>,
}

impl Stage {
    /// Makes one in `base`, which has to be visible to the manager's jobs.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(base: &Path) -> Result<Self, FileError> {
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(base)
            .at("make a stage in", base)?;
        let path = folder.path().join(ALIVE);
        let file = File::create_new(&path).at("create", &path)?;
        let alive = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| io::Error::from(errno))
            .at("lock", &path)?;
        Ok(Self { folder, _alive: alive })
    }

    /// The folder that files are staged in, as an absolute path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Puts these bytes there.
    ///
    /// # Errors
    /// If they cannot be written, or something stands there already.
    pub fn put(&self, path: &BundlePath, bytes: &[u8]) -> Result<StagedFile, FileError> {
        let target = path.under(self.path());
        if let Some(parent) = target.parent() {
            fsx::create_dir_all(parent)?;
        }
        let mut file = File::create_new(&target).at("create", &target)?;
        file.write_all(bytes).at("write", &target)?;
        Ok(StagedFile { path: path.clone(), size_bytes: bytes.len() as u64, sha256: Digest::of(bytes) })
    }

    /// Puts a copy of the executable there.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn put_executable(&self, source: &Path) -> Result<StagedFile, FileError> {
        let target = self.path().join(EXECUTABLE);
        let mut from = File::open(source).at("open", source)?;
        let mut to = File::create_new(&target).at("create", &target)?;
        let mut both = HashedFile { file: &mut to, hasher: Hasher::default() };
        io::copy(&mut from, &mut both).at("copy to", &target)?;
        let (sha256, size_bytes) = both.hasher.finish();
        fs::set_permissions(&target, Permissions::from_mode(0o755)).at("make executable", &target)?;
        let path = BundlePath::new(EXECUTABLE).expect("a fixed name is a valid path");
        Ok(StagedFile { path, size_bytes, sha256 })
    }

    /// Lets the worker go on.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn let_go(&self) -> Result<(), FileError> {
        let path = self.path().join(GO);
        File::create_new(&path).at("create", &path).map(|_| ())
    }
}

/// Whether the process that made this stage is gone: its lock is free, or the stage is not there any more.
pub fn is_abandoned(stage: &Path) -> bool {
    match fsx::open_regular(&stage.join(ALIVE)) {
        Ok(file) => !matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK))),
        // Any other error says nothing about who lives.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Removes a stage whose maker is gone. A folder that does not look like a stage is left alone.
pub fn remove_abandoned(stage: &Path) {
    let named = stage.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
    if named && stage.parent() == Some(&usual_base()) && is_abandoned(stage) {
        let _ = fs::remove_dir_all(stage);
    }
}

/// The caller's stages in `base` that nobody uses any more, oldest name first.
pub fn left(base: &Path) -> Vec<PathBuf> {
    let own = nix::unistd::geteuid().as_raw();
    let mut found = Vec::new();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let random = name.strip_prefix(PREFIX).unwrap_or_default();
        if random.len() != RANDOM || !random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        // Not through links: of the entry itself.
        let Ok(metadata) = entry.metadata() else { continue };
        let private = metadata.is_dir() && metadata.uid() == own && metadata.mode() & 0o077 == 0;
        // Without its lock it is one that is being made, or being removed, or whose maker was killed meanwhile.
        let is_old = || metadata.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= UNLOCKED_LIMIT));
        let path = entry.path();
        if private && is_abandoned(&path) && (path.join(ALIVE).symlink_metadata().is_ok() || is_old()) {
            found.push(path);
        }
    }
    found.sort();
    found
}

struct HashedFile<'f> {
    file: &'f mut File,
    hasher: Hasher,
}

impl Write for HashedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A staged file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is another.
    #[error("`{path}` arrived as another file: {size_bytes} bytes with digest {wanted} were staged, {found} is there")]
    Differs {
        /// The file's path in the bundle.
        path: BundlePath,
        /// Size in bytes when it was staged.
        size_bytes: u64,
        /// SHA-256 when it was staged.
        wanted: Digest,
        /// The digest of what is there.
        found: Digest,
    },
}

/// Reads a staged file and checks that it is the one that was staged.
///
/// # Errors
/// See [`ArrivalError`].
pub fn read_arrived(stage: &Path, file: &StagedFile) -> Result<Vec<u8>, ArrivalError> {
    let bytes = fsx::read_regular(&file.path.under(stage), file.size_bytes)?;
    compare(file, Digest::of(&bytes))?;
    Ok(bytes)
}

/// Checks that the staged executable is the one that was staged, and is the one that runs.
///
/// # Errors
/// See [`ArrivalError`].
pub fn check_executable(stage: &Path, file: &StagedFile, running: &Path) -> Result<(), ArrivalError> {
    for path in [&file.path.under(stage), running] {
        let digest = File::open(path).and_then(Digest::of_reader).at("read", path)?;
        compare(file, digest.0)?;
    }
    Ok(())
}

fn compare(file: &StagedFile, found: Digest) -> Result<(), ArrivalError> {
    if found == file.sha256 {
        return Ok(());
    }
    Err(ArrivalError::Differs { path: file.path.clone(), size_bytes: file.size_bytes, wanted: file.sha256, found })
}

/// The usual place for stages: visible to a manager's jobs, and kept apart from what they get fresh.
pub fn usual_base() -> PathBuf {
    PathBuf::from(if cfg!(target_os = "macos") { "/private/tmp" } else { "/var/tmp" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_what_was_staged() {
        let base = tempfile::tempdir().unwrap();
        let stage = Stage::create(base.path()).unwrap();
        assert_eq!(fs::metadata(stage.path()).unwrap().permissions().mode() & 0o777, 0o700);
        let name = BundlePath::new("inputs/plan.json").unwrap();
        let staged = stage.put(&name, b"{}").unwrap();
        assert_eq!(read_arrived(stage.path(), &staged).unwrap(), b"{}");
        assert!(stage.put(&name, b"again").is_err());
        fs::write(name.under(stage.path()), b"[]").unwrap();
        assert!(matches!(read_arrived(stage.path(), &staged), Err(ArrivalError::Differs { .. })));
        let path = stage.path().to_owned();
        drop(stage);
        assert!(!path.exists());
    }

    #[test]
    fn a_stage_is_abandoned_exactly_when_its_maker_has_gone() {
        let base = tempfile::tempdir().unwrap();
        let stage = Stage::create(base.path()).unwrap();
        let path = stage.path().to_owned();
        assert!(!is_abandoned(&path));
        // What is not in the usual place is not removed, whoever made it.
        remove_abandoned(&path);
        assert!(path.exists());
        let Stage { folder, _alive } = stage;
        drop(_alive);
        assert!(is_abandoned(&path));
        remove_abandoned(&path);
        assert!(path.exists());
        drop(folder);
        assert!(is_abandoned(&path));
    }

    #[test]
    fn only_stages_of_this_user_whose_makers_have_gone_are_left() {
        let base = tempfile::tempdir().unwrap();
        let alive = Stage::create(base.path()).unwrap();
        let Stage { folder, _alive } = Stage::create(base.path()).unwrap();
        let killed = folder.keep();
        assert_eq!(left(base.path()), Vec::<PathBuf>::new());
        drop(_alive);
        assert_eq!(left(base.path()), std::slice::from_ref(&killed));
        // Half removed: the lock is gone already.
        fs::remove_file(killed.join(ALIVE)).unwrap();
        assert_eq!(left(base.path()), Vec::<PathBuf>::new());
        let old = std::time::SystemTime::now() - UNLOCKED_LIMIT - Duration::from_secs(5);
        File::open(&killed).unwrap().set_modified(old).unwrap();
        assert_eq!(left(base.path()), std::slice::from_ref(&killed));
        fs::set_permissions(&killed, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(left(base.path()), Vec::<PathBuf>::new(), "stages are closed to others");
        fs::set_permissions(&killed, Permissions::from_mode(0o700)).unwrap();
        let other = base.path().join("sandproof-stage-mine");
        fs::rename(&killed, &other).unwrap();
        std::os::unix::fs::symlink(&other, &killed).unwrap();
        assert_eq!(left(base.path()), Vec::<PathBuf>::new(), "neither other names nor links");
        drop(alive);
    }

    #[test]
    fn another_executable_is_noticed() {
        let base = tempfile::tempdir().unwrap();
        let stage = Stage::create(base.path()).unwrap();
        let source = base.path().join("tool");
        fs::write(&source, b"program").unwrap();
        let staged = stage.put_executable(&source).unwrap();
        let copy = stage.path().join(EXECUTABLE);
        check_executable(stage.path(), &staged, &copy).unwrap();
        let other = base.path().join("other");
        fs::write(&other, b"progrAm").unwrap();
        assert!(matches!(check_executable(stage.path(), &staged, &other), Err(ArrivalError::Differs { .. })));
    }
}
