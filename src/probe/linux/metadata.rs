//! Metadata and extended attributes.

use std::ffi::CStr;

use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::path;

/// The time that `utimes` sets: 2001-09-09T01:46:40Z, easily told from a fresh file's.
const SOME_TIME: i64 = 1_000_000_000;

/// Asks for metadata, following links.
pub fn stat(trace: &mut Trace, target: &CStr) -> Option<()> {
    let found = path::stat(target, 0);
    trace.operate("newfstatat", found.map(|_| 0))?;
    trace.detail(DetailName::Mode, i64::from(found.ok()?.mode));
    Some(())
}

/// Asks whether a file exists.
pub fn access(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("faccessat", path::access(target)).map(|_| ())
}

/// Reads the text of a symbolic link.
#[inline(never)]
pub fn readlink(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("readlinkat", path::readlink(target, &mut [0; 256])).map(|_| ())
}

/// Takes all permissions but the owner's reading and writing.
pub fn chmod(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("fchmodat", path::chmod(target, 0o600)).map(|_| ())
}

/// Sets both times.
pub fn utimes(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("utimensat", path::utimes(target, SOME_TIME)).map(|_| ())
}

/// Reads an extended attribute.
#[inline(never)]
pub fn getxattr(trace: &mut Trace, target: &CStr, name: &CStr) -> Option<()> {
    trace.operate("getxattr", path::getxattr(target, name, &mut [0; 1024])).map(|_| ())
}

/// Sets an extended attribute to `1`.
pub fn setxattr(trace: &mut Trace, target: &CStr, name: &CStr) -> Option<()> {
    trace.operate("setxattr", path::setxattr(target, name, b"1")).map(|_| ())
}

/// Lists the extended attributes.
#[inline(never)]
pub fn listxattr(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("listxattr", path::listxattr(target, &mut [0; 1024])).map(|_| ())
}
