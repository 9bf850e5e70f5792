//! A child process that shares its parent's memory.
//!
//! fork(2) copies the page tables, and each page that either side writes to afterwards. clone(2) with `CLONE_VM` copies
//! neither: the child has a process id, descriptors, credentials, a working folder, signal actions and a stack of its own, and
//! the same memory. That costs less than half of a fork, and asks for care:
//!
//! - The C library's error number is the same for both, so the parent calls without it ([`super::quiet`]).
//! - The allocator is the same, and takes no lock in a process of one thread, so the parent allocates nothing meanwhile.
//! - A child that a signal ended may have left anything half done, so its parent starts no other one
//!   ([`WatchedEnd::is_clean`]).
//! - Before Linux 5.16 a child that dumps core takes everybody with it who shares its memory (commit 0258b5fd7c71), so there
//!   is none then ([`SharedChildren::here`]).
//! - The dumpable flag belongs to the memory, and decides whether others may inspect a process ([`is_dumpable`]).
//!
//! So the time between the clone and the child's end is spent here, in [`Sole::share`], by code that keeps to this.

use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr;

use super::process::exit_now;
use super::sole::{AbortOnUnwind, Sole};
use super::watch::{self, Unended, WatchedEnd, Watching};
use crate::sys::ret::outcome;

/// How much stack a shared child has. That of a main thread is 8 MiB, of which a probe uses some 20 KiB.
const STACK_BYTES: usize = 256 * 1024;
/// What lies below it and may not be touched: more than the largest page there is on the processors that are admitted.
const GUARD_BYTES: usize = 64 * 1024;

/// The first release on which a child's core dump is its own: commit 0258b5fd7c71, "coredump: Limit coredumps to a single
/// thread group".
const FIRST_RELEASE: (u32, u32) = (5, 16);

/// What children that share memory need: a stack that is used again for each of them, with a page below that ends whoever
/// goes beyond it.
#[derive(Debug)]
pub struct SharedChildren {
    stack: *mut u8,
}

impl SharedChildren {
    /// Memory for a stack. `None` on a kernel where a child could take its parent with it, and where there is no memory.
    pub fn here() -> Option<Self> {
        if release()? < FIRST_RELEASE {
            return None;
        }
        let length = GUARD_BYTES + STACK_BYTES;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: the kernel picks a place where nothing is mapped.
        let at = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if at == libc::MAP_FAILED || at.is_null() {
            return None;
        }
        // SAFETY: the pages were mapped just now, and nothing is in them.
        outcome(unsafe { libc::mprotect(at, GUARD_BYTES, libc::PROT_NONE) }).ok()?;
        Some(Self { stack: at.cast() })
    }

    /// The end of the stack, where it begins. A multiple of 16, as both calling conventions want it.
    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping.
        unsafe { self.stack.add(GUARD_BYTES + STACK_BYTES).cast() }
    }
}

impl Drop for SharedChildren {
    fn drop(&mut self) {
        // SAFETY: the memory was mapped by this value. What ran on it has ended, or this process is about to.
        unsafe { libc::munmap(self.stack.cast(), GUARD_BYTES + STACK_BYTES) };
    }
}

/// The kernel's release: major and minor.
fn release() -> Option<(u32, u32)> {
    release_of(nix::sys::utsname::uname().ok()?.release().to_str()?)
}

fn release_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|other: char| !other.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether those of the same user may inspect this process: `PR_GET_DUMPABLE` of prctl(2), which is 1. A child that shares
/// memory and changes its ids changes that for its parent too.
pub fn is_dumpable() -> bool {
    // SAFETY: the operation takes plain numbers.
    outcome(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_DUMPABLE, 0_u64, 0_u64, 0_u64, 0_u64) }) == Ok(1)
}

impl Sole {
    /// Starts a child that shares this process's memory, and watches it to its end. The child does its work and ends with the
    /// exit code that this gives; nothing of what the parent has on its stack is dropped or run in it.
    ///
    /// `Ok(Err(_))`: the child was left running, or hangs. It was sent SIGKILL, so it executes nothing of this program any
    /// more, and this process has to end.
    ///
    /// # Errors
    /// The error number, if there is no child. `EINVAL` and `EPERM`: not here (an emulator, a filter of system calls).
    pub fn share<C: FnOnce(Self) -> i32 + Send>(
        &self,
        children: &mut SharedChildren,
        child: C,
        watching: Watching<'_>,
    ) -> Result<(i32, Result<WatchedEnd, Unended>), i32> {
        let mut child = ManuallyDrop::new(child);
        let flags = libc::CLONE_VM | libc::SIGCHLD;
        let argument = (&raw mut child).cast::<c_void>();
        // SAFETY: the stack is as large as said and nobody else's, since children run one after the other. The child has
        // `child`, and all that it borrows, to itself: until its end this function alone runs here, which takes nothing of it
        // and neither allocates nor sets the error number; afterwards it is not used again. There is no other thread that
        // could hold a lock.
        let pid = outcome(unsafe { libc::clone(enter::<C>, children.top(), flags, argument) })? as i32;
        Ok((pid, watch::until_end(pid, watching)))
    }
}

/// Where a shared child begins.
extern "C" fn enter<C: FnOnce(Sole) -> i32>(argument: *mut c_void) -> c_int {
    let never = AbortOnUnwind;
    // SAFETY: it is what `share` gave, whose frame stays as it is until this process has ended; and it is taken only here.
    let child = ManuallyDrop::into_inner(unsafe { argument.cast::<ManuallyDrop<C>>().read() });
    let code = child(Sole::of_child());
    std::mem::forget(never);
    exit_now(code)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, AsRawFd};

    use super::*;
    use crate::base::clock::Stopwatch;
    use crate::sys::linux::path;
    use crate::sys::linux::process::{report_pipe, wait};
    use crate::sys::linux::sole::bare_fork;

    /// What a child that shares memory with a process of one thread does, and whether that process is content with its end. A
    /// test's own process has threads, so a fork of it is taken, in which nothing allocates.
    fn shared(child: impl FnOnce(i32) -> i32 + Send, content: impl FnOnce(WatchedEnd) -> bool) -> Option<libc::c_int> {
        let mut children = SharedChildren::here()?;
        let (reading, writing) = report_pipe().unwrap();
        let mut buffer = vec![0; 1 << 20];
        // SAFETY: the child makes nothing but system calls, and ends by `exit_now`.
        let pid = unsafe { bare_fork() }.unwrap() as i32;
        if pid == 0 {
            let report = writing.as_raw_fd();
            let (deadline_ms, since) = (60_000, Stopwatch::start());
            let watching =
                Watching { report: reading.as_fd(), writing, socket: -1, deadline_ms, since, buffer: &mut buffer };
            let seen = Sole::of_child().share(&mut children, |_| child(report), watching);
            exit_now(match seen {
                Ok((_, Ok(end))) if content(end) => 0,
                Ok((_, Ok(_))) => 1,
                Ok((_, Err(_))) => 2,
                Err(_) => 3,
            })
        }
        wait(pid, 0).unwrap().map(|(_, status)| status)
    }

    #[test]
    fn what_the_parent_calls_leaves_the_childs_error_number_alone() {
        const TIMES: usize = 300_000;
        let child = |report: i32| {
            let mut wrong = 0;
            for _ in 0..TIMES {
                wrong += i32::from(path::open(c"/nowhere/at/all", libc::O_RDONLY, 0) != Err(libc::ENOENT));
                // Its parent wakes, and reads until there is nothing (`EAGAIN`).
                let _ = path::write(report, b"x");
            }
            i32::from(wrong > 0)
        };
        let content = |end: WatchedEnd| end.status == Ok(0) && end.report_length == TIMES && !end.overflow;
        let status = shared(child, content);
        assert!(matches!(status, Some(0) | None), "{status:?}");
    }

    #[test]
    fn the_dumpable_flag_is_that_of_the_memory() {
        let child = |_| {
            // SAFETY: the operation takes a plain number.
            unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 0_u64, 0_u64, 0_u64, 0_u64) as i32 }
        };
        let status = shared(child, |end| end.is_clean() && !is_dumpable());
        assert!(matches!(status, Some(0) | None), "{status:?}");
    }

    #[test]
    fn a_child_that_goes_beyond_its_stack_ends_alone() {
        fn deep(n: u64) -> u64 {
            let page = std::hint::black_box([n; 512]);
            if n == u64::MAX { n } else { deep(n + 1) + page[n as usize % 512] }
        }
        let status = shared(
            |_| deep(0) as i32,
            |end| !end.is_clean() && end.status.is_ok_and(|status| libc::WIFSIGNALED(status)),
        );
        assert!(matches!(status, Some(0) | None), "{status:?}");
    }

    #[test]
    fn a_release_is_its_first_two_numbers() {
        assert_eq!(release_of("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(release_of("5.15.153.1-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(release_of("7.3"), Some((7, 3)));
        assert_eq!(release_of("linux"), None);
        assert!(release().is_some());
        for (release, shares) in [((5, 4), false), ((5, 15), false), ((5, 16), true), ((6, 0), true)] {
            assert_eq!(release >= FIRST_RELEASE, shares, "{release:?}");
        }
    }
}
