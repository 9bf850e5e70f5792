//! Making, moving and removing names.

use std::ffi::CStr;

use super::trace::Trace;
use crate::sys::linux::path;

/// Removes a file, or with `AT_REMOVEDIR` an empty folder.
pub fn unlink(trace: &mut Trace, target: &CStr, flags: i32) -> Option<()> {
    trace.operate("unlinkat", path::unlink(target, flags)).map(|_| ())
}

/// Renames, or with `RENAME_EXCHANGE` exchanges.
pub fn rename(trace: &mut Trace, target: &CStr, to: &CStr, flags: u32) -> Option<()> {
    trace.operate("renameat2", path::rename(target, to, flags)).map(|_| ())
}

/// Makes `to` a hard link to `target`.
pub fn link(trace: &mut Trace, target: &CStr, to: &CStr) -> Option<()> {
    trace.operate("linkat", path::link(target, to)).map(|_| ())
}

/// Makes `target` a symbolic link that holds `text`.
pub fn symlink(trace: &mut Trace, text: &CStr, target: &CStr) -> Option<()> {
    trace.operate("symlinkat", path::symlink(text, target)).map(|_| ())
}

/// Makes a folder.
pub fn mkdir(trace: &mut Trace, target: &CStr) -> Option<()> {
    trace.operate("mkdirat", path::mkdir(target, 0o755)).map(|_| ())
}

/// Makes a node of that type. A device gets the number 0:0, which no driver answers to.
pub fn mknod(trace: &mut Trace, target: &CStr, kind: u32) -> Option<()> {
    trace.operate("mknodat", path::mknod(target, kind | 0o644)).map(|_| ())
}
