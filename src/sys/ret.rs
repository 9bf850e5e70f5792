//! What system calls return.

#[cfg(target_os = "linux")]
use std::os::fd::{FromRawFd, OwnedFd};

/// What a system call returned: its value, or its error number.
pub type Ret = Result<i64, i32>;

/// Splits a return value in the C manner, where -1 means that the thread's error number says why.
pub(super) fn outcome(value: impl Into<i64>) -> Ret {
    match value.into() {
        -1 => Err(nix::errno::Errno::last_raw()),
        value => Ok(value),
    }
}

/// The descriptor that a call has just made, with its end in its owner's hands.
///
/// # Safety
/// The value, where there is one, is a descriptor that nothing else holds.
#[cfg(target_os = "linux")]
pub(super) unsafe fn made(ret: Ret) -> Result<OwnedFd, i32> {
    // SAFETY: the caller vouches for it, and `outcome` has taken -1 away.
    ret.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
