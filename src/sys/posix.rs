//! Calls of POSIX that mean the same on both systems, each as a safe function that says what the kernel answered.

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// waitpid(2) for `pid` (-1: any child). `None`: with `WNOHANG`, nothing to report yet.
pub fn wait(pid: i32, flags: i32) -> Result<Option<(i32, i32)>, i32> {
    let mut status = 0;
    loop {
        // SAFETY: the kernel writes one `int` to `status`.
        match outcome(unsafe { libc::waitpid(pid, &raw mut status, flags) }) {
            Ok(0) => return Ok(None),
            Ok(found) => return Ok(Some((found as i32, status))),
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// kill(2).
pub fn kill(pid: i32, signal: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::kill(pid, signal) })
}

/// setpgid(2).
pub fn set_process_group(pid: i32, group: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::setpgid(pid, group) })
}

/// The process ids of this process and its parent, from the kernel.
pub fn ids() -> (i32, i32) {
    // SAFETY: neither call takes memory, neither can fail.
    unsafe { (libc::getpid(), libc::getppid()) }
}

/// The effective user and group ids.
pub fn effective_ids() -> (u32, u32) {
    // SAFETY: neither call takes memory, neither can fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

/// Whether the number is that of an open descriptor, of whatever kind; see `F_GETFD` in fcntl(2).
pub fn is_open(fd: i32) -> bool {
    // SAFETY: no memory is involved; the command takes no argument.
    outcome(unsafe { libc::fcntl(fd, libc::F_GETFD) }).is_ok()
}

/// One entry of [`poll`]: the descriptor, the events waited for, and those that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// The descriptor; a negative one is skipped.
    pub fd: i32,
    /// The events that are waited for. Hang-ups and errors are always reported.
    pub events: i16,
    /// The events that came.
    pub came: i16,
}

impl Watched {
    /// Waits for `events` on `fd`.
    pub fn new(fd: i32, events: i16) -> Self {
        Self { fd, events, came: 0 }
    }
}

/// poll(2) with a timeout in milliseconds (-1: none). An interruption counts as no event.
pub fn poll<const N: usize>(watched: &mut [Watched; N], timeout_ms: i32) -> Ret {
    polled(watched, |entries| {
        // SAFETY: the kernel reads and writes `N` entries of the array.
        outcome(unsafe { libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, timeout_ms) })
    })
}

/// What came, by a call that asks the kernel. It allocates nothing, and sets no error number but what `ask` does.
pub(in crate::sys) fn polled<const N: usize>(
    watched: &mut [Watched; N],
    ask: impl FnOnce(&mut [libc::pollfd; N]) -> Ret,
) -> Ret {
    let mut entries = watched.map(|one| libc::pollfd { fd: one.fd, events: one.events, revents: 0 });
    let ret = ask(&mut entries);
    for (one, entry) in watched.iter_mut().zip(entries) {
        one.came = entry.revents;
    }
    match ret {
        Err(libc::EINTR) => {
            watched.iter_mut().for_each(|one| one.came = 0);
            Ok(0)
        }
        other => other,
    }
}

/// Leaves a signal unheeded.
pub fn ignore_signal(signal: i32) {
    // SAFETY: no code of ours runs for a signal that is ignored.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Goes to an open folder.
pub fn fchdir(fd: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::fchdir(fd) })
}
