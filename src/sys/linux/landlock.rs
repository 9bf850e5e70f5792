//! The bare Landlock calls that the `landlock` crate does not expose.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use super::path::rename;
use super::process::{exit_now, set_no_new_privs, wait};
use super::sole::bare_fork;
use crate::sys::Ret;
use crate::sys::ret::{made, outcome};

/// `LANDLOCK_CREATE_RULESET_VERSION` of <linux/landlock.h>.
const CREATE_RULESET_VERSION: u32 = 1;
/// `LANDLOCK_CREATE_RULESET_ERRATA` of <linux/landlock.h>, since Linux 6.15.
const CREATE_RULESET_ERRATA: u32 = 1 << 1;
/// `LANDLOCK_RESTRICT_SELF_TSYNC` of <linux/landlock.h>, since ABI 8.
const RESTRICT_SELF_TSYNC: u32 = 1 << 3;
/// `LANDLOCK_ACCESS_FS_MAKE_BLOCK`, a right of the first ABI that hardly anything uses.
const MAKE_BLOCK: u64 = 1 << 11;

/// The Landlock ABI of the running kernel. `ENOSYS`: built without; `EOPNOTSUPP`: switched off at boot.
pub fn abi() -> Ret {
    // SAFETY: with the version flag the kernel takes a null attribute of size 0 and reads no memory.
    outcome(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u64>(), 0_usize, CREATE_RULESET_VERSION)
    })
}

/// The Landlock errata that the running kernel has fixed, as bits: erratum N is bit N - 1. `EINVAL`: a kernel that
/// cannot say.
pub fn errata() -> Ret {
    // SAFETY: as above; the errata flag is answered in the same way.
    outcome(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u64>(), 0_usize, CREATE_RULESET_ERRATA)
    })
}

/// landlock_add_rule(2) without a ruleset and without a rule, which the kernel always refuses.
pub fn add_no_rule() -> Ret {
    // SAFETY: the descriptor is none and the attribute is null, so the kernel refuses before it reads memory.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_add_rule, -1_i32, 1_i32, ptr::null::<u64>(), 0_u32) })
}

/// landlock_restrict_self(2) for every thread of the process, since ABI 8. `EINVAL`: an older kernel.
pub fn restrict_all_threads(ruleset: BorrowedFd<'_>) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), RESTRICT_SELF_TSYNC) })
}

/// landlock_restrict_self(2), for this thread alone.
fn restrict_self(ruleset: BorrowedFd<'_>) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) })
}

/// A ruleset that handles one unusual right and grants nothing.
fn minimal_ruleset() -> Result<OwnedFd, i32> {
    let handled_access_fs = MAKE_BLOCK;
    // SAFETY: the attribute is one 64-bit number, the form of the first ABI, which every later one takes; the kernel
    // copies it during the call. The descriptor that it makes is nobody else's.
    unsafe {
        made(outcome(libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const handled_access_fs,
            size_of::<u64>(),
            0_u32,
        )))
    }
}

/// Lets a child of this process, which may have other threads, do something that is lost with it: the status of its end.
///
/// # Safety
/// `body` makes nothing but system calls: it neither allocates nor takes a lock.
unsafe fn in_child(body: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: the caller vouches for the body, after which the child ends.
    match unsafe { bare_fork() }.ok()? {
        0 => exit_now(body()),
        pid => wait(pid as i32, 0).ok()?.map(|(_, status)| status),
    }
}

/// The exit code of a process that ended by itself.
fn exit_code(status: i32) -> Option<i32> {
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

/// Whether a child process that asks for Landlock is killed for it. `None`: there could be no child.
pub fn asking_kills_a_child() -> Option<bool> {
    // SAFETY: one system call.
    let status = unsafe {
        in_child(|| {
            let _ = abi();
            0
        })
    };
    status.map(|status| libc::WIFSIGNALED(status))
}

/// How many more domains a process fits into, counted in a child up to `most`. `None`: it cannot be told, because there could
/// be no child or another limit struck first.
pub fn domains_that_fit(most: u8) -> Option<u32> {
    /// Says that another error than E2BIG ended the count.
    const UNKNOWN: i32 = 255;
    // SAFETY: system calls alone; the ruleset is closed by one, too, if at all.
    let status = unsafe {
        in_child(|| {
            let mut more = 0;
            match (set_no_new_privs(), minimal_ruleset()) {
                (Ok(_), Ok(ruleset)) => loop {
                    match restrict_self(ruleset.as_fd()) {
                        Ok(_) if more < i32::from(most) => more += 1,
                        Err(libc::E2BIG) => break more,
                        _ => break UNKNOWN,
                    }
                },
                _ => UNKNOWN,
            }
        })
    };
    status.and_then(exit_code).filter(|count| *count != UNKNOWN).map(|count| count as u32)
}

/// Whether a child that the ruleset confines may move a file, which it tries. `None`: it cannot be told, because there could be
/// no child or it was refused for another reason than `EXDEV`.
pub fn may_move_under(ruleset: BorrowedFd<'_>, from: &CStr, to: &CStr) -> Option<bool> {
    /// Says that another error than EXDEV came of it.
    const UNKNOWN: i32 = 2;
    // SAFETY: three system calls.
    let status = unsafe {
        in_child(|| {
            let confined = set_no_new_privs().and_then(|_| restrict_self(ruleset));
            match confined.and_then(|_| rename(from, to, 0)) {
                Ok(_) => 0,
                Err(libc::EXDEV) => 1,
                Err(_) => UNKNOWN,
            }
        })
    };
    match status.and_then(exit_code) {
        Some(0) => Some(true),
        Some(1) => Some(false),
        _ => None,
    }
}
