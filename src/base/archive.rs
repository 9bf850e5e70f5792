//! Archives of plain files: tar in its oldest form that everybody reads (ustar), with nothing in it but regular files.
//!
//! What is taken out of one is untrusted: names, sizes and kinds are held to limits before anything is written, and
//! what an archive of this program never holds (links, devices, folders of its own, extended headers) is refused.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::bundle_path::{BundlePath, BundlePathError};
use super::fsx::{self, FileError, IoContext};
use super::limits::{MAX_ARCHIVE_BYTES, MAX_ARCHIVE_FILES};

/// An archive that is refused, or that could not be made or extracted.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was read is no archive.
    #[error("it is not a tar archive, or it is damaged")]
    Damaged(#[source] io::Error),
    /// It holds something that is no plain file.
    #[error("`{name}` in it is {kind}; an archive of `collect` contains only plain files")]
    NoFile {
        /// Name of the entry in the archive, as far as it can be shown.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// A name in it could lead elsewhere, or stands there twice.
    #[error("it contains a file name that is not allowed")]
    Name(#[source] BundlePathError),
    /// A name stands there twice, or a file where another has a folder.
    #[error("`{name}` occurs in it twice, or below a file")]
    Twice {
        /// The name, as written.
        name: String,
    },
    /// It is past a limit.
    #[error("it holds more than {limit} {what}")]
    TooMuch {
        /// The most that is allowed.
        limit: u64,
        /// What there is too much of.
        what: &'static str,
    },
}

/// Writes every regular file below `folder` as an archive, by name, without what is particular to this machine: owners,
/// modes and times. Anything else that lies there is left out.
///
/// # Errors
/// If a file cannot be read, has a name that no archive takes, or the archive cannot be written.
pub fn pack(folder: &Path, archive: &Path) -> Result<u64, ArchiveError> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let file = File::create_new(archive).at("create", archive)?;
    let mut builder = tar::Builder::new(io::BufWriter::new(file));
    for path in &files {
        let relative = path.strip_prefix(folder).unwrap_or(path);
        let name = BundlePath::new(relative.to_string_lossy()).map_err(ArchiveError::Name)?;
        let source = fsx::open_regular(path).at("read", path)?;
        let size = source.metadata().at("read", path)?.len();
        let mut header = tar::Header::new_ustar();
        header.set_path(name.as_str()).at("name in an archive", path)?;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        // Not a byte more than was said, should the file grow meanwhile; one that has shrunk is an error.
        let mut exact = ExactReader { source: source.take(size), left: size };
        builder.append(&header, &mut exact).at("add to the archive", path)?;
    }
    let written = builder.into_inner().and_then(|mut buffer| {
        buffer.flush()?;
        buffer.get_ref().sync_all()
    });
    written.at("write", archive)?;
    Ok(files.len() as u64)
}

/// A source that ends early is an error, and not a file filled up with nothing.
struct ExactReader<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for ExactReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.left -= count as u64;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        Ok(count)
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    for entry in fs::read_dir(folder).at("list", folder)? {
        let entry = entry.at("list", folder)?;
        let kind = entry.file_type().at("look at", &entry.path())?;
        if kind.is_dir() {
            list(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Takes an archive apart into `folder`, which is empty. What was written before a refusal stays there.
///
/// # Errors
/// See [`ArchiveError`]: nothing outside of `folder` is ever written, no file is written over, and no more than the limits
/// allow.
pub fn unpack(archive: &Path, folder: &Path) -> Result<u64, ArchiveError> {
    let file = fsx::open_regular(archive).at("read", archive)?;
    // Headers and padding come on top of what files hold.
    let most = MAX_ARCHIVE_BYTES + MAX_ARCHIVE_FILES * 1024 + 1024 * 1024;
    let mut archive = tar::Archive::new(io::BufReader::new(file.take(most)));
    let (mut count, mut bytes) = (0_u64, 0_u64);
    // Raw: extended headers are seen as such, and not obeyed.
    for entry in archive.entries().map_err(ArchiveError::Damaged)?.raw(true) {
        let mut entry = entry.map_err(ArchiveError::Damaged)?;
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if let Some(kind) = refused_kind(kind) {
            return Err(ArchiveError::NoFile { name: shown, kind });
        }
        count += 1;
        bytes = bytes.saturating_add(entry.size());
        if count > MAX_ARCHIVE_FILES {
            return Err(ArchiveError::TooMuch { limit: MAX_ARCHIVE_FILES, what: "files" });
        }
        if bytes > MAX_ARCHIVE_BYTES {
            return Err(ArchiveError::TooMuch { limit: MAX_ARCHIVE_BYTES, what: "bytes" });
        }
        let name = BundlePath::new(shown).map_err(ArchiveError::Name)?;
        let path = name.under(folder);
        let twice = || ArchiveError::Twice { name: name.to_string() };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|_| twice())?;
        }
        let mut out = File::create_new(&path).map_err(|_| twice())?;
        let size = entry.size();
        let copied = io::copy(&mut entry, &mut out).map_err(ArchiveError::Damaged)?;
        if copied != size {
            return Err(ArchiveError::Damaged(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    if count == 0 {
        return Err(ArchiveError::Damaged(io::Error::new(io::ErrorKind::InvalidData, "there is no file in it")));
    }
    Ok(count)
}

fn refused_kind(kind: tar::EntryType) -> Option<&'static str> {
    use tar::EntryType as Kind;
    match kind {
        Kind::Regular => None,
        Kind::Link => Some("a hard link"),
        Kind::Symlink => Some("a symbolic link"),
        Kind::Char | Kind::Block => Some("a device"),
        Kind::Directory => Some("a folder"),
        Kind::Fifo => Some("a FIFO"),
        Kind::GNULongName | Kind::GNULongLink | Kind::XGlobalHeader | Kind::XHeader => Some("an extended header"),
        _ => Some("of an unusual kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with one entry that is made by hand.
    fn archive_of(kind: tar::EntryType, name: &str, size: u64, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn taken_apart(bytes: &[u8]) -> Result<u64, ArchiveError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("a.tar"), bytes).unwrap();
        let answer = unpack(&dir.path().join("a.tar"), &dir.path().join("in"));
        let mut beside: Vec<String> =
            fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
        beside.sort();
        assert_eq!(beside, ["a.tar", "in"], "nothing is written beside the folder");
        answer
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("a/b/c.json"), "{}\n").unwrap();
        fs::write(from.join("d.txt"), vec![7; 70_000]).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", from.join("link")).unwrap();
        let archive = dir.path().join("one.tar");
        assert_eq!(pack(&from, &archive).unwrap(), 2, "a link is left out");
        assert!(matches!(pack(&from, &archive), Err(ArchiveError::File(_))), "never over a file that is there");
        assert_eq!(unpack(&archive, &to).unwrap(), 2);
        assert_eq!(fs::read(to.join("a/b/c.json")).unwrap(), b"{}\n");
        assert_eq!(fs::read(to.join("d.txt")).unwrap(), vec![7; 70_000]);
        // The same files make the same archive, whoever owns them.
        let again = dir.path().join("two.tar");
        pack(&to, &again).unwrap();
        assert_eq!(fs::read(&archive).unwrap(), fs::read(&again).unwrap());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../out", "/tmp/out", "a/../../out", "a//b", "./a", "a\u{1b}", "a\\b", "a/b/..", " "] {
            let refused = taken_apart(&archive_of(tar::EntryType::Regular, name, 1, b"x")).unwrap_err();
            assert!(matches!(refused, ArchiveError::Name(_)), "{name}: {refused}");
        }
        taken_apart(&archive_of(tar::EntryType::Regular, "a/b.json", 1, b"x")).unwrap();
    }

    #[test]
    fn what_is_no_plain_file_is_refused() {
        use tar::EntryType as Kind;
        for kind in [
            Kind::Symlink,
            Kind::Link,
            Kind::Directory,
            Kind::Fifo,
            Kind::Char,
            Kind::Block,
            Kind::XHeader,
            Kind::XGlobalHeader,
            Kind::GNULongName,
            Kind::GNUSparse,
        ] {
            let refused = taken_apart(&archive_of(kind, "a", 0, b"")).unwrap_err();
            assert!(matches!(refused, ArchiveError::NoFile { .. }), "{kind:?}: {refused}");
        }
    }

    #[test]
    fn names_twice_sizes_that_lie_and_other_files_are_refused() {
        let one = |name: &str| archive_of(tar::EntryType::Regular, name, 1, b"x");
        let refused = taken_apart(&[one("a"), one("a")].concat()).unwrap_err();
        assert!(matches!(refused, ArchiveError::Twice { .. }), "{refused}");
        let refused = taken_apart(&[one("a"), one("a/b")].concat()).unwrap_err();
        assert!(matches!(refused, ArchiveError::Twice { .. }), "{refused}");
        let refused = taken_apart(&archive_of(tar::EntryType::Regular, "a", 4096, b"x")).unwrap_err();
        assert!(matches!(refused, ArchiveError::Damaged(_)), "{refused}");
        let refused = taken_apart(&archive_of(tar::EntryType::Regular, "a", MAX_ARCHIVE_BYTES + 1, b"x")).unwrap_err();
        assert!(matches!(refused, ArchiveError::TooMuch { .. }), "{refused}");
        for other in [&b""[..], b"PK\x03\x04 something else", &[0; 1024], &[b'x'; 4096]] {
            let refused = taken_apart(other).unwrap_err();
            assert!(matches!(refused, ArchiveError::Damaged(_)), "{refused}");
        }
        let many: Vec<u8> = (0..=MAX_ARCHIVE_FILES)
            .flat_map(|n| archive_of(tar::EntryType::Regular, &format!("f{n}"), 0, b""))
            .collect();
        let refused = taken_apart(&many).unwrap_err();
        assert!(matches!(refused, ArchiveError::TooMuch { what: "files", .. }), "{refused}");
    }
}
