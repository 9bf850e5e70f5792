//! Reading into memory.

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// pread(2).
pub fn pread(fd: i32, buffer: &mut [u8], offset: u64) -> Ret {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to the buffer.
    outcome(unsafe { libc::pread(fd, buffer.as_mut_ptr().cast(), buffer.len(), offset as libc::off_t) } as i64)
}
