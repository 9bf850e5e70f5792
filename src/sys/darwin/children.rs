//! Children of a probe. Frameworks of this process may have started threads, so a child makes nothing but system calls; what
//! it does is written down here as a whole.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::calls::{Arguments, execute, exit_now, is_pending, read, write};
use crate::sys::Ret;
use crate::sys::ret::outcome;

/// fork(2): the child's process id. The child ends with the exit code that `body` gives.
///
/// # Safety
/// `body` makes nothing but system calls: it neither allocates nor takes a lock.
unsafe fn fork(body: impl FnOnce() -> i32) -> Ret {
    // SAFETY: the caller vouches for what the child does until it ends.
    match outcome(unsafe { libc::fork() })? {
        0 => exit_now(body()),
        pid => Ok(pid),
    }
}

/// A child that exits at once.
pub fn start_and_end() -> Ret {
    // SAFETY: it does nothing.
    unsafe { fork(|| 0) }
}

/// A child that becomes a program. Where it cannot, it writes the error number to `telling`.
pub fn start_program(path: &CStr, argv: &[CString], telling: BorrowedFd<'_>) -> Ret {
    let argv = Arguments::of(argv);
    // SAFETY: two system calls; the list of arguments is there already.
    unsafe {
        fork(|| {
            let errno = execute(path, &argv);
            let _ = write(telling.as_raw_fd(), &errno.to_ne_bytes());
            127
        })
    }
}

/// A child that closes those descriptors and waits until `until` is closed at its other end. Its exit code is 0 if the signal,
/// which has to be blocked, came meanwhile.
pub fn wait_for_signal(until: BorrowedFd<'_>, closing: [i32; 2], signal: i32) -> Ret {
    // SAFETY: system calls alone; the child's descriptors are its own.
    unsafe {
        fork(|| {
            for fd in closing {
                libc::close(fd);
            }
            let _ = read(until.as_raw_fd(), &mut [0]);
            i32::from(!is_pending(signal))
        })
    }
}
