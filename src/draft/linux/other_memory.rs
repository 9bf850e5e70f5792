//! What a followed process has in its memory, and what its numbers stand for.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The longest path that the kernel takes.
const MOST_PATH_BYTES: usize = 4096;

/// Bytes at a place of its memory. `None`: it cannot be read.
pub(super) fn bytes<const N: usize>(pid: i32, at: u64) -> Option<[u8; N]> {
    let mut found = [0; N];
    memory(pid)?.read_exact_at(&mut found, at).ok()?;
    Some(found)
}

/// A text at a place of its memory.
pub(super) fn text(pid: i32, at: u64) -> Option<Vec<u8>> {
    const PAGE: u64 = 4096;
    let memory = memory(pid)?;
    let mut found = Vec::new();
    while found.len() < MOST_PATH_BYTES {
        let from = at.checked_add(found.len() as u64)?;
        // What follows the page may be nobody's.
        let mut piece = vec![0; (PAGE - from % PAGE).min(256) as usize];
        let count = memory.read_at(&mut piece, from).ok().filter(|count| *count > 0)?;
        match piece[..count].iter().position(|byte| *byte == 0) {
            Some(end) => {
                found.extend_from_slice(&piece[..end]);
                return Some(found);
            }
            None => found.extend_from_slice(&piece[..count]),
        }
    }
    None
}

fn memory(pid: i32) -> Option<File> {
    File::open(format!("/proc/{pid}/mem")).ok()
}

/// What one of its descriptors is open at.
pub(super) fn opened(pid: i32, fd: i64) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok().filter(|path| path.is_absolute())
}

/// A path that it names, from the root. `dir` is an argument of a system call: a descriptor, or `AT_FDCWD`.
pub(super) fn named(pid: i32, dir: u64, name: &[u8]) -> Option<PathBuf> {
    let name = Path::new(OsStr::from_bytes(name));
    if name.is_absolute() {
        return Some(name.components().collect());
    }
    let base = match dir as i32 {
        libc::AT_FDCWD => fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
        fd => opened(pid, i64::from(fd))?,
    };
    Some(base.join(name).components().collect())
}

/// The files that are in its memory: just after an execution the program, and what loads it.
pub(super) fn mapped(pid: i32) -> Vec<PathBuf> {
    let table = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let path = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b'/')?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(line[at..].to_vec())))
    };
    table.split(|byte| *byte == b'\n').filter_map(path).collect()
}

/// An address as people write it. `None`: it leads nowhere outside, or is of another family.
pub(super) fn address(pid: i32, at: u64, length: u64) -> Option<String> {
    let family = u16::from_ne_bytes(bytes(pid, at)?);
    match i32::from(family) {
        libc::AF_INET => {
            let [_, _, high, low, a, b, c, d] = bytes(pid, at)?;
            let port = u16::from_be_bytes([high, low]);
            (port != 0).then(|| format!("{}:{port}", Ipv4Addr::new(a, b, c, d)))
        }
        libc::AF_INET6 => {
            let found: [u8; 24] = bytes(pid, at)?;
            let port = u16::from_be_bytes([found[2], found[3]]);
            let address: [u8; 16] = found[8..].try_into().ok()?;
            (port != 0).then(|| format!("[{}]:{port}", Ipv6Addr::from(address)))
        }
        libc::AF_UNIX if length > 2 => {
            let from = at + 2;
            let [first] = bytes(pid, from)?;
            let name = if first == 0 {
                text(pid, from + 1).map(|name| [b"@".to_vec(), name].concat())
            } else {
                text(pid, from)
            };
            Some(format!("unix:{}", String::from_utf8_lossy(&name?)))
        }
        _ => None,
    }
}
