//! Opening, reading, writing, truncating and listing.

use std::ffi::{CStr, CString};

use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::path;

/// Opens for the operation, and notes what was opened.
fn open_for(trace: &mut Trace, target: &CStr, flags: i32, mode: u32) -> Option<i32> {
    let fd = trace.operate("openat", path::open(target, flags | libc::O_NOCTTY, mode))? as i32;
    trace.opened(fd);
    Some(fd)
}

/// Opens, and nothing more.
pub fn open(trace: &mut Trace, target: &CStr, flags: i32, mode: u32) -> Option<()> {
    open_for(trace, target, flags, mode).map(|_| ())
}

/// Reads one byte from a descriptor.
fn read_byte(trace: &mut Trace, fd: i32) -> Option<()> {
    let mut byte = [0];
    let count = trace.operate("read", path::read(fd, &mut byte))?;
    trace.detail(DetailName::BytesRead, count);
    Some(())
}

/// Opens for reading and reads one byte.
pub fn read(trace: &mut Trace, target: &CStr) -> Option<()> {
    let fd = open_for(trace, target, libc::O_RDONLY, 0)?;
    read_byte(trace, fd)
}

/// Reads one byte from a descriptor that was opened before.
pub fn read_from(trace: &mut Trace, fd: i32) -> Option<()> {
    trace.opened(fd);
    read_byte(trace, fd)
}

/// Opens the parent folder as a bare handle, then the file relative to it for reading, and reads one byte. The bare
/// handle needs no right, so that the answer is about the file.
pub fn read_at(trace: &mut Trace, target: &CStr) -> Option<()> {
    let bytes = target.to_bytes();
    let (parent, name) = match bytes.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&b"/"[..], &bytes[1..]),
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&b"."[..], bytes),
    };
    // Parts of a C string hold no NUL.
    let (parent, name) = (CString::new(parent).ok()?, CString::new(name).ok()?);
    let dir = trace.prepare("openat", path::open(&parent, libc::O_PATH | libc::O_DIRECTORY, 0))? as i32;
    let fd = trace.operate("openat", path::openat(dir, &name, libc::O_RDONLY | libc::O_NOCTTY, 0))? as i32;
    trace.opened(fd);
    read_byte(trace, fd)
}

/// Opens for writing at the end and writes one byte.
pub fn write(trace: &mut Trace, target: &CStr) -> Option<()> {
    let fd = open_for(trace, target, libc::O_WRONLY | libc::O_APPEND, 0)?;
    let count = trace.operate("write", path::write(fd, b"x"))?;
    trace.detail(DetailName::BytesWritten, count);
    Some(())
}

/// Truncates by path.
pub fn truncate(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("truncate", path::truncate(target)).map(|_| ())
}

/// Truncates through a descriptor that was opened before.
pub fn truncate_descriptor(trace: &mut Trace, fd: i32) -> Option<()> {
    trace.opened(fd);
    trace.operate("ftruncate", path::ftruncate(fd)).map(|_| ())
}

/// Opens for writing, which only prepares, and truncates through the descriptor.
pub fn open_and_truncate(trace: &mut Trace, target: &CStr) -> Option<()> {
    let fd = trace.prepare("openat", path::open(target, libc::O_WRONLY | libc::O_NOCTTY, 0))? as i32;
    truncate_descriptor(trace, fd)
}

/// Opens a folder and reads its first entries.
#[inline(never)]
pub fn list(trace: &mut Trace, target: &CStr) -> Option<()> {
    let fd = open_for(trace, target, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let mut entries = [0; 2048];
    let count = trace.operate("getdents64", path::getdents64(fd, &mut entries))?;
    trace.detail(DetailName::BytesListed, count);
    Some(())
}
