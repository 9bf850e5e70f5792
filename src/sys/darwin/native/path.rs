//! Calls that take a path or an open file.

use std::ffi::CStr;
use std::os::fd::{FromRawFd, OwnedFd};

use crate::sys::Ret;
use crate::sys::darwin::calls;
#[cfg(test)]
pub use crate::sys::darwin::calls::setxattr;
pub use crate::sys::darwin::calls::{getxattr, read, readlink, write};

/// open(2), closed on exec. Nobody owns the number.
pub fn open(path: &CStr, flags: i32, mode: u16) -> Ret {
    calls::open(path, flags, mode)
}

/// [`open`], closed when it is dropped.
pub fn open_owned(path: &CStr, flags: i32, mode: u16) -> Result<OwnedFd, i32> {
    // SAFETY: the descriptor was opened just now, and nobody else has its number.
    open(path, flags, mode).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A descriptor of what `path` names. There is none that could do nothing.
pub fn open_handle(path: &CStr) -> Result<OwnedFd, i32> {
    open_owned(path, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY, 0)
}

/// What stat(2) tells, as far as the worker needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Device number, as the standard library has it.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
}

/// fstat(2).
pub fn fstat(fd: i32) -> Result<Stat, i32> {
    let found = calls::fstat(fd)?;
    Ok(Stat { dev: found.st_dev as u64, ino: found.st_ino, mode: u32::from(found.st_mode) })
}
