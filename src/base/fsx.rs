//! Files: bounded reads that follow no link, and the pieces of a crash-safe write.
//!
//! The rest of the crate writes result files through [`Staged`] only, so that no reader ever sees half a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;

/// A file operation that failed, and where.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} `{path}`")]
pub struct FileError {
    /// What was tried: "read", "create", …
    pub action: &'static str,
    /// The file or folder, as it was named.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// Pins an action and a path onto an I/O error as it happens.
pub trait IoContext<T> {
    /// Adds the action and the path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError { action, path: path.to_owned(), source })
    }
}

/// Opens a regular file for reading. A final symbolic link, a folder, a FIFO, a socket or a device is refused, and
/// opening never blocks.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link"),
            _ => error,
        })?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Reads a whole input file that a person named: links are followed, but it must be a regular file of at most
/// `cap_bytes`.
pub fn read_input(path: &Path, cap_bytes: u64) -> Result<Vec<u8>, FileError> {
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path).at("open", path)?;
    read_capped(file, cap_bytes).at("read", path)
}

/// The digest of an input file that a person named, of which no more than a block is held. As [`read_input`] otherwise.
pub fn digest_input(path: &Path, cap_bytes: u64) -> Result<Digest, FileError> {
    let file =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path).at("open", path)?;
    digest_capped(file, cap_bytes).at("read", path)
}

/// Reads a whole regular file of at most `cap_bytes`, following no final link.
pub fn read_regular(path: &Path, cap_bytes: u64) -> Result<Vec<u8>, FileError> {
    open_regular(path).and_then(|file| read_capped(file, cap_bytes)).at("read", path)
}

/// Reads a whole regular file of at most `cap_bytes` below `folder`. No part of `relative` may be a link, so that it cannot
/// lead out; `..` and absolute paths are the caller's to refuse, and are refused here too.
pub fn read_beneath(folder: &Path, relative: &str, cap_bytes: u64) -> Result<Vec<u8>, FileError> {
    let path = folder.join(relative);
    open_beneath(folder, relative).and_then(|file| read_capped(file, cap_bytes)).at("read", &path)
}

fn open_beneath(folder: &Path, relative: &str) -> io::Result<File> {
    use nix::fcntl::{OFlag, openat};
    use nix::sys::stat::Mode;
    let mut parts = relative.split('/').peekable();
    // The folder itself was named by a person and may be reached through links.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut at = File::open(folder)?;
    while let Some(part) = parts.next() {
        if matches!(part, "" | "." | "..") {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not plain"));
        }
        let kind = if parts.peek().is_some() { OFlag::O_DIRECTORY } else { OFlag::O_NONBLOCK };
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | kind;
        at = openat(&at, part, flags, Mode::empty()).map_err(link_or)?.into();
    }
    Ok(at)
}

/// Where `relative` below `folder` leads once links are followed: that folder without links, and the path below it. What lies
/// outside is refused, so that nobody's link can show a file that he was not given.
///
/// # Errors
/// If it leads nowhere or out of the folder.
pub fn resolve_within(folder: &Path, relative: &str) -> io::Result<(PathBuf, String)> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let root = folder.canonicalize()?;
    let found = root.join(relative).canonicalize()?;
    let outside = || {
        let text = format!("a link on the path leads out of the folder, to `{}`", found.display());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let below = found.strip_prefix(&root).map_err(|_| outside())?;
    let below =
        below.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a part of it is no UTF-8 text"))?;
    Ok((root.clone(), below.to_owned()))
}

/// Opens what [`resolve_within`] found; a link that was put there meanwhile is refused. What is no regular file is, too.
///
/// # Errors
/// What the operating system says.
pub fn open_resolved(root: &Path, below: &str) -> io::Result<File> {
    let file = open_beneath(root, below)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Reads the whole of an open regular file of at most `cap_bytes`.
///
/// # Errors
/// If it is larger, or cannot be read.
pub fn read_open(file: File, cap_bytes: u64) -> io::Result<Vec<u8>> {
    read_capped(file, cap_bytes)
}

/// Linux and macOS say ELOOP of a link that must not be followed, and ENOTDIR where a folder was asked for.
fn link_or(error: nix::errno::Errno) -> io::Error {
    match error {
        nix::errno::Errno::ELOOP | nix::errno::Errno::ENOTDIR => {
            io::Error::new(io::ErrorKind::InvalidInput, "a part of the path is a symbolic link, or no folder")
        }
        other => other.into(),
    }
}

fn read_capped(file: File, cap_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(regular_length(&file, cap_bytes)? as usize + 1);
    file.take(cap_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap_bytes { Err(too_large(cap_bytes)) } else { Ok(bytes) }
}

fn digest_capped(file: File, cap_bytes: u64) -> io::Result<Digest> {
    regular_length(&file, cap_bytes)?;
    let (digest, length) = Digest::of_reader(file.take(cap_bytes + 1))?;
    if length > cap_bytes { Err(too_large(cap_bytes)) } else { Ok(digest) }
}

/// How long a regular file is that may be no longer than that.
fn regular_length(file: &File, cap_bytes: u64) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if metadata.len() > cap_bytes { Err(too_large(cap_bytes)) } else { Ok(metadata.len()) }
}

fn too_large(cap_bytes: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {cap_bytes} bytes"))
}

/// Makes a folder and those above it, as far as they are missing.
pub fn create_dir_all(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).at("create the folder", path)
}

/// The folder that a file is in: of a bare name the current one.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a folder's entries durable. An empty path, which is what a bare name has for its folder, is the current one.
pub fn sync_dir(path: &Path) -> Result<(), FileError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|folder| folder.sync_all()).at("sync the folder", path)
}

/// A file being written under a temporary name beside its final one.
///
/// Dropping it without [`Staged::rename`] leaves the final name untouched and removes the temporary file.
#[derive(Debug)]
pub struct Staged {
    out: BufWriter<File>,
    pending: Pending,
}

/// A file that is written to its end, closed, and still under its temporary name.
///
/// Dropping it without [`Pending::rename`] removes it.
#[derive(Debug)]
pub struct Pending {
    temporary: PathBuf,
    target: PathBuf,
    renamed: bool,
}

impl Pending {
    /// Where the content lies until the rename.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The final name.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name, replacing what was there. The folder is not synced here.
    pub fn rename(mut self) -> Result<(), FileError> {
        fs::rename(&self.temporary, &self.target).at("rename into place", &self.target)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

impl Staged {
    /// Creates the temporary file, exclusively, under a name that no other writer uses.
    pub fn create(target: &Path) -> Result<Self, FileError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = target.with_file_name(format!(".{name}.{}.tmp", uuid::Uuid::new_v4().simple()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .custom_flags(libc::O_CLOEXEC)
            .open(&temporary)
            .at("create", &temporary)?;
        Ok(Self {
            // Only small pieces are gathered: documents and blocks of streamed artifacts go to the kernel as they are.
            out: BufWriter::with_capacity(8 * 1024, file),
            pending: Pending { temporary, target: target.to_owned(), renamed: false },
        })
    }

    /// The final name.
    pub fn target(&self) -> &Path {
        &self.pending.target
    }

    /// The file, for a sync that its owner starts. What is still buffered is not in it; see [`Staged::flush`].
    pub fn file(&self) -> &File {
        self.out.get_ref()
    }

    /// Hands everything buffered to the kernel; needed before a sync of the whole file system.
    pub fn flush(&mut self) -> Result<(), FileError> {
        self.out.flush().at("write", &self.pending.target)
    }

    /// Flushes and makes the content durable.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.flush()?;
        self.out.get_ref().sync_data().at("sync", &self.pending.target)
    }

    /// Ends the writing and closes the file, so that any number of files can wait for their rename.
    pub fn close(mut self) -> Result<Pending, FileError> {
        self.flush()?;
        Ok(self.pending)
    }

    /// Gives the file its final name, replacing what was there. The folder is not synced here.
    pub fn rename(self) -> Result<(), FileError> {
        self.close()?.rename()
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a file that is never written again: it must not be there, nobody may write to it afterwards, and its bytes are synced.
/// Its folder is not synced here.
///
/// # Errors
/// If it is there already, or what the operating system says.
pub fn write_once(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
        .open(path)
        .at("create", path)?;
    file.write_all(bytes).at("write", path)?;
    file.sync_all().at("sync", path)
}

/// Writes a file that nobody keeps, as in a folder that goes with the run: without a sync.
///
/// # Errors
/// What the operating system says.
#[expect(clippy::disallowed_methods, reason = "a file that is not kept need not survive a crash")]
pub fn write_scratch(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)
}

/// Replaces `path` by `bytes`, durably: temporary name, sync, rename, folder sync. What a person named goes through
/// [`super::output`] instead, which replaces regular files alone.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut staged = Staged::create(path)?;
    staged.write_all(bytes).at("write", path)?;
    staged.sync()?;
    staged.rename()?;
    sync_dir(folder_of(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_write_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.json");
        let mut staged = Staged::create(&target).unwrap();
        staged.write_all(b"half").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        write_durably(&target, b"whole").unwrap();
        write_durably(&target, b"again").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"again");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, b"12345").unwrap();
        assert_eq!(read_regular(&file, 5).unwrap(), b"12345");
        let error = read_regular(&file, 4).unwrap_err();
        assert!(error.source.to_string().contains("larger than 4 bytes"));
        let link = dir.path().join("l");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(read_regular(&link, 10).unwrap_err().source.to_string().contains("symbolic link"));
        assert_eq!(read_input(&link, 10).unwrap(), b"12345");
        assert!(read_regular(dir.path(), 10).is_err());
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/f"), b"67").unwrap();
        std::os::unix::fs::symlink("d", dir.path().join("dl")).unwrap();
        assert_eq!(read_beneath(dir.path(), "d/f", 5).unwrap(), b"67");
        let refused = |path: &str| read_beneath(dir.path(), path, 5).unwrap_err().source.to_string();
        assert!(refused("dl/f").contains("symbolic link") && refused("l").contains("symbolic link"));
        assert!(refused("../f").contains("not plain") && refused("d//f").contains("not plain"));
        assert!(refused("d").contains("regular file") && refused("f/f").contains("no folder"));
        assert!(refused("none").contains("No such file"));
        let fifo = dir.path().join("p");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read_regular(&fifo, 10).unwrap_err().source.to_string().contains("regular file"));
    }
}
