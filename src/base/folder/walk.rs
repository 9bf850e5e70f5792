//! One pass over a folder: each file is opened once, digested, and copied from the same bytes if that is asked for.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstatat};

use super::answer::{FolderDigest, FolderError};
use super::links::{LeavingLinks, leaves};
use super::row::{DigestedEntry, digest_of_rows};
use crate::base::digest::{Digest, Hasher};
use crate::base::fsx::{FileError, IoContext};
use crate::base::limits::{MAX_FOLDER_DEPTH, MAX_FOLDER_ENTRIES};
use crate::base::printable::printable;

/// How much is read and copied at a time.
const BLOCK_BYTES: usize = 256 * 1024;

/// Takes a folder's content while it is digested. Paths are relative to the folder; a folder comes before what is in it, and
/// what is in it in the order of its names' bytes.
pub trait FolderSink {
    /// A folder.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn folder(&mut self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// A plain file, which `opened` is: the place for the very bytes that are digested, if they are to be kept.
    ///
    /// # Errors
    /// If there can be no such place.
    fn file(&mut self, _path: &Path, _executable: bool, _opened: &File) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// The digest of the file that came last.
    fn digested(&mut self, _digest: Digest) {}

    /// A link that holds `text`.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn link(&mut self, _path: &Path, _text: &OsStr) -> io::Result<()> {
        Ok(())
    }

    /// All that was found, by path, when the digest is known.
    fn rows(&mut self, _entries: BTreeMap<Vec<u8>, DigestedEntry>) {}
}

/// Keeps nothing.
#[derive(Debug)]
pub struct NoCopy;

impl FolderSink for NoCopy {}

/// The digest of everything in the folder at `root`. The folder itself may be reached through links; below it none is
/// followed.
///
/// # Errors
/// What cannot be read, holds no bytes, or leads out of the folder.
pub fn folder_digest(root: &Path) -> Result<FolderDigest, FolderError> {
    digest_opened(&open_root(root)?, root, LeavingLinks::Refused, &mut NoCopy)
}

/// The same, with everything that the folder holds by path.
///
/// # Errors
/// As [`folder_digest`].
pub fn folder_rows(root: &Path) -> Result<(FolderDigest, BTreeMap<Vec<u8>, DigestedEntry>), FolderError> {
    let mut kept = RowsAlone::default();
    let found = digest_opened(&open_root(root)?, root, LeavingLinks::Refused, &mut kept)?;
    Ok((found, kept.0))
}

/// Keeps the rows, and no bytes.
#[derive(Debug, Default)]
struct RowsAlone(BTreeMap<Vec<u8>, DigestedEntry>);

impl FolderSink for RowsAlone {
    fn rows(&mut self, entries: BTreeMap<Vec<u8>, DigestedEntry>) {
        self.0 = entries;
    }
}

/// Opens the folder that a person named.
pub(super) fn open_root(root: &Path) -> Result<OwnedFd, FileError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(root, flags, Mode::empty()).map_err(io::Error::from).at("open the folder", root)
}

/// The digest of the opened folder `root`, with its content given to `sink` on the way. `shown` is what messages call it.
///
/// # Errors
/// As [`folder_digest`](super::folder_digest), and what the sink cannot keep.
pub fn digest_opened(
    root: &OwnedFd,
    shown: &Path,
    leaving: LeavingLinks,
    sink: &mut dyn FolderSink,
) -> Result<FolderDigest, FolderError> {
    let mut walk = FolderWalk { shown, sink, entries: BTreeMap::new(), block: vec![0; BLOCK_BYTES] };
    let root = root.try_clone().at("open the folder", shown)?;
    walk.folder(root, &mut Vec::new(), 0)?;
    walk.finish(leaving)
}

/// The digest of an opened plain file, how many bytes it has, and whether anybody may execute it. What was read goes to
/// `copy`, too.
///
/// # Errors
/// What the operating system says; `InvalidInput` if it is no plain file.
pub fn digest_file(mut file: &File, copy: Option<&mut File>) -> io::Result<(Digest, u64, bool)> {
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let (digest, size) = copied(&mut file, copy, &mut vec![0; BLOCK_BYTES])?;
    Ok((digest, size, facts.mode() & 0o111 != 0))
}

fn copied(source: &mut impl Read, mut copy: Option<&mut File>, block: &mut [u8]) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::default();
    loop {
        let count = match source.read(block) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&block[..count]);
        if let Some(copy) = &mut copy {
            copy.write_all(&block[..count])?;
        }
    }
}

struct FolderWalk<'a> {
    shown: &'a Path,
    sink: &'a mut dyn FolderSink,
    entries: BTreeMap<Vec<u8>, DigestedEntry>,
    block: Vec<u8>,
}

impl FolderWalk<'_> {
    /// Everything in an opened folder, whose path below the root is `at`.
    fn folder(&mut self, opened: OwnedFd, at: &mut Vec<u8>, depth: usize) -> Result<(), FolderError> {
        if depth > MAX_FOLDER_DEPTH {
            return Err(FolderError::TooDeep { path: self.path_of(at) });
        }
        // One descriptor is read to its end for the names, and another stays to open them by.
        let names = opened.try_clone().and_then(|listed| names(listed).map_err(io::Error::from));
        for name in names.at("list the folder", &self.path_of(at))? {
            if self.entries.len() as u64 == MAX_FOLDER_ENTRIES {
                return Err(FolderError::TooMany { path: self.shown.to_owned() });
            }
            let before = at.len();
            if before > 0 {
                at.push(b'/');
            }
            at.extend_from_slice(name.as_bytes());
            self.entry(&opened, &name, at, depth)?;
            at.truncate(before);
        }
        Ok(())
    }

    fn entry(&mut self, folder: &OwnedFd, name: &CString, at: &mut Vec<u8>, depth: usize) -> Result<(), FolderError> {
        let path = self.path_of(at);
        let facts = fstatat(folder, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW).map_err(io::Error::from);
        let kind = SFlag::from_bits_truncate(facts.at("look at", &path)?.st_mode & SFlag::S_IFMT.bits());
        let relative = Path::new(OsStr::from_bytes(at)).to_owned();
        if kind == SFlag::S_IFLNK {
            let text = readlinkat(folder, name.as_c_str()).map_err(io::Error::from).at("read the link", &path)?;
            self.sink.link(&relative, &text).at("copy the link", &path)?;
            self.entries.insert(at.clone(), DigestedEntry::Link { text: text.into_vec() });
            return Ok(());
        }
        if kind == SFlag::S_IFDIR {
            let opened = below(folder, name, OFlag::O_DIRECTORY).at("open the folder", &path)?;
            self.sink.folder(&relative).at("copy the folder", &path)?;
            self.entries.insert(at.clone(), DigestedEntry::Folder);
            return self.folder(opened, at, depth + 1);
        }
        if kind != SFlag::S_IFREG {
            return Err(FolderError::Special { path, kind: special(kind) });
        }
        let mut file = File::from(below(folder, name, OFlag::O_NONBLOCK).at("open", &path)?);
        // What was opened counts, should it be another than was looked at.
        let facts = file.metadata().at("look at", &path)?;
        if !facts.is_file() {
            return Err(FolderError::Special { path, kind: "no plain file any more" });
        }
        let executable = facts.mode() & 0o111 != 0;
        let mut place = self.sink.file(&relative, executable, &file).at("copy", &path)?;
        let (digest, size) = copied(&mut file, place.as_mut(), &mut self.block).at("read or copy", &path)?;
        self.sink.digested(digest);
        self.entries.insert(at.clone(), DigestedEntry::File { executable, size, digest });
        Ok(())
    }

    fn finish(self, leaving: LeavingLinks) -> Result<FolderDigest, FolderError> {
        let (mut files, mut folders, mut links, mut bytes) = (0, 0, 0, 0);
        for (path, entry) in &self.entries {
            match entry {
                DigestedEntry::Folder => folders += 1,
                DigestedEntry::File { size, .. } => {
                    files += 1;
                    bytes += size;
                }
                DigestedEntry::Link { text } => {
                    links += 1;
                    if leaving == LeavingLinks::Refused && leaves(&self.entries, path, text) {
                        let text = printable(&String::from_utf8_lossy(text)).into_owned();
                        return Err(FolderError::LinkLeaves { path: self.path_of(path), text });
                    }
                }
            }
        }
        let digest = digest_of_rows(&self.entries);
        self.sink.rows(self.entries);
        Ok(FolderDigest { digest, files, folders, links, bytes })
    }

    fn path_of(&self, at: &[u8]) -> PathBuf {
        if at.is_empty() { self.shown.to_owned() } else { self.shown.join(OsStr::from_bytes(at)) }
    }
}

/// The names in an opened folder, in the order of their bytes.
fn names(opened: OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::from_fd(opened)?.iter() {
        let name = entry?.file_name().to_owned();
        if !matches!(name.as_bytes(), b"." | b"..") {
            found.push(name);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Opens what the folder holds under that name, unless it is a link.
fn below(folder: impl AsFd, name: &CString, kind: OFlag) -> io::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | kind;
    nix::fcntl::openat(folder, name.as_c_str(), flags, Mode::empty()).map_err(io::Error::from)
}

fn special(kind: SFlag) -> &'static str {
    match kind {
        SFlag::S_IFIFO => "a FIFO",
        SFlag::S_IFSOCK => "a socket",
        SFlag::S_IFCHR | SFlag::S_IFBLK => "a device",
        _ => "neither file nor folder nor link",
    }
}
