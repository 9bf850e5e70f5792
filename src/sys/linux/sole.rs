//! A process of one thread, and what only such a process may do.

use std::ffi::{CStr, CString};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use super::path;
use super::process::exit_now;
use crate::base::threads;
use crate::sys::Ret;
use crate::sys::ret::outcome;

/// Stands for two facts: this process has one thread, which is the one that holds this, and its descriptors are that
/// thread's to arrange.
///
/// There is at most one in a process. As long as there is, `base::threads` starts no thread, and it starts all that this
/// program has. Where it is held (the zygote, its probes, the worker inside a launcher), numbers stand for descriptors: an
/// owned one is in use there only between two calls of these, never across one that could close or replace it.
#[derive(Debug)]
pub struct Sole {
    /// It cannot be sent to another thread, which would make two.
    _here: PhantomData<*const ()>,
}

/// Why a process is not taken for one of a single thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSole {
    /// So many threads does the kernel count.
    #[error("this process has {0} threads")]
    Threads(u32),
    /// The kernel does not say, and this program has started threads.
    #[error("the kernel does not tell how many threads this process has")]
    Unknown,
    /// Somebody relies on it already.
    #[error("it was claimed before that this process has one thread")]
    Claimed,
}

impl Sole {
    /// Asks the kernel how many threads there are; see `num_threads` in proc_pid_stat(5).
    ///
    /// Where there is no `/proc`, as inside some launchers, it is so by construction: the kernel starts a program with one
    /// thread, of which the process has its number; this program starts all others by `base::threads`, which notes it; and the
    /// C library starts none by itself.
    ///
    /// # Errors
    /// If there are others, or if it cannot be told.
    pub fn claim() -> Result<Self, NotSole> {
        match threads_by_kernel() {
            Some(1) => {}
            Some(count) => return Err(NotSole::Threads(count)),
            None if is_first_thread() && threads::none_was_started() => {}
            None => return Err(NotSole::Unknown),
        }
        if threads::forbid() { Ok(Self::new()) } else { Err(NotSole::Claimed) }
    }

    fn new() -> Self {
        Self { _here: PhantomData }
    }

    /// That of a process that was started by one of a single thread, and so has one.
    pub(super) fn of_child() -> Self {
        Self::new()
    }

    /// From here on there may be threads.
    pub fn give_up(self) {
        threads::allow();
    }

    /// fork(2) by the bare clone(2), without the C library's handlers. The child does its work and ends with the exit code that
    /// this gives, without anything of what the parent has on its stack: exit handlers do not run, and what is owned there is
    /// not dropped. The value is the child's process id.
    ///
    /// The handlers write to four pages of the library's own data, each of which the kernel then has to copy for the child.
    /// They are there for other threads and for the thread id that the library remembers. Nothing here asks the library for
    /// that id; only its `abort` does, which ends the process by another signal if the id is not its own.
    ///
    /// # Errors
    /// The error number. There is no child then.
    #[inline]
    pub fn fork(&self, child: impl FnOnce(Self) -> i32) -> Result<i32, i32> {
        // SAFETY: there is no other thread that could hold a lock which nobody in the child would release, or that could be
        // in the midst of an allocation. What is borrowed by the child, it has a copy of.
        match unsafe { bare_fork() }? {
            0 => {
                let never = AbortOnUnwind;
                let code = child(Self::of_child());
                std::mem::forget(never);
                exit_now(code)
            }
            pid => Ok(pid as i32),
        }
    }

    /// dup3(2) with `O_CLOEXEC`, or dup2(2) without. `from` and `to` differ; what `to` was is closed.
    pub fn duplicate(&self, from: i32, to: i32, cloexec: bool) -> Ret {
        // SAFETY: no memory is involved, and the numbers are this thread's to arrange.
        outcome(unsafe { libc::dup3(from, to, if cloexec { libc::O_CLOEXEC } else { 0 }) })
    }

    /// close(2) of a number.
    pub fn close(&self, fd: i32) -> Ret {
        // SAFETY: as above.
        outcome(unsafe { libc::close(fd) })
    }

    /// close_range(2): closes every descriptor from `first` up to `last`.
    pub fn close_range(&self, first: u32, last: u32) -> Ret {
        // SAFETY: as above.
        outcome(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) })
    }

    /// Closes standard input and standard output.
    pub fn close_input_and_output(&self) -> Ret {
        self.close_range(libc::STDIN_FILENO as u32, libc::STDOUT_FILENO as u32)
    }

    /// Puts a variable into the environment of this process. A name that cannot be one is refused with `EINVAL`.
    pub fn set_environment(&self, name: &str, value: &str) -> Result<(), i32> {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(libc::EINVAL);
        }
        // SAFETY: no other thread reads or writes the environment meanwhile, because there is none.
        unsafe { std::env::set_var(name, value) };
        Ok(())
    }

    /// Writes over the value of a variable where it stands in memory, which is where `/proc/PID/environ` shows it. `ENOENT`:
    /// this process was started without it; `ERANGE`: the text has another length; `EINVAL`: a NUL is in it.
    pub fn overwrite_environment(&self, name: &str, text: &[u8]) -> Result<(), i32> {
        let name = CString::new(name).map_err(|_| libc::EINVAL)?;
        if text.contains(&0) {
            return Err(libc::EINVAL);
        }
        // SAFETY: `name` is NUL-terminated, and no other thread changes the environment meanwhile, because there is none.
        let place = unsafe { libc::getenv(name.as_ptr()) };
        if place.is_null() {
            return Err(libc::ENOENT);
        }
        // SAFETY: the value is NUL-terminated.
        let found = unsafe { CStr::from_ptr(place) }.to_bytes().len();
        if found != text.len() {
            return Err(libc::ERANGE);
        }
        for (n, byte) in text.iter().enumerate() {
            // SAFETY: the place has as many bytes before its end, and belongs to this process, which may write to it.
            unsafe { place.add(n).write(*byte as libc::c_char) };
        }
        Ok(())
    }

    /// Every signal back to its default action, and none blocked. (The mask is a thread's, the actions are the process's.)
    pub fn reset_signals(&self) {
        for signal in 1..=libc::SIGRTMAX() {
            // SAFETY: the default action runs no code of ours. The C library's own numbers, SIGKILL and SIGSTOP are
            // refused with EINVAL, which is as it should be.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` initialises the set; the kernel only reads it.
        unsafe {
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        }
    }

    /// unshare(2). It is the thread that enters the namespaces, and with it the process.
    pub fn enter(&self, new: NewNamespaces) -> Ret {
        let flags = match new {
            NewNamespaces::User => libc::CLONE_NEWUSER,
            NewNamespaces::Mounts => libc::CLONE_NEWNS,
            NewNamespaces::UserAndMounts => libc::CLONE_NEWUSER | libc::CLONE_NEWNS,
            NewNamespaces::Sealed => {
                libc::CLONE_NEWUSER
                    | libc::CLONE_NEWNS
                    | libc::CLONE_NEWPID
                    | libc::CLONE_NEWNET
                    | libc::CLONE_NEWIPC
                    | libc::CLONE_NEWUTS
                    | libc::CLONE_NEWCGROUP
            }
        };
        // SAFETY: no memory is involved, and namespaces change nothing that the C library keeps.
        outcome(unsafe { libc::unshare(flags) })
    }
}

/// Namespaces that are made and entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewNamespaces {
    /// A user namespace.
    User,
    /// A mount namespace.
    Mounts,
    /// A mount namespace that belongs to a new user namespace.
    UserAndMounts,
    /// All that a sealed command gets: user, mounts, processes (those that are started from then on), network, System V objects,
    /// host name and control groups.
    Sealed,
}

/// A panic in a child must not reach the frames of its parent, whose work they would go on with.
pub(super) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// fork(2) by the bare clone(2): 0 in the child.
///
/// # Safety
/// Either the process has one thread, or the child makes nothing but system calls and ends by [`exit_now`]: it has the memory
/// of all threads and none of them but the one that called, so whatever lock another held stays locked.
// Elsewhere the order of clone's arguments may be another one (s390x takes the stack first, so SIGCHLD would be one).
#[inline]
pub(super) unsafe fn bare_fork() -> Ret {
    // SAFETY: on the architectures that are admitted, the flags are the first argument and the stack is the second; the rest
    // are null here. See clone(2), "C library/kernel differences". The caller vouches for the child.
    outcome(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD as libc::c_ulong, 0_u64, 0_u64, 0_u64, 0_u64) })
}

/// How many threads the kernel counts. `None`: it does not say.
fn threads_by_kernel() -> Option<u32> {
    let file = path::open_owned(c"/proc/self/stat", libc::O_RDONLY, 0).ok()?;
    let mut text = [0; 1024];
    let length = path::read(std::os::fd::AsRawFd::as_raw_fd(&file), &mut text).ok()? as usize;
    threads_of(text.get(..length)?)
}

/// The number of threads in a line of `/proc/PID/stat`: the eighteenth after the name, which may hold anything.
fn threads_of(stat: &[u8]) -> Option<u32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    rest.split_ascii_whitespace().nth(17)?.parse().ok()
}

/// Whether this is the thread that the process began with.
fn is_first_thread() -> bool {
    // SAFETY: neither call takes memory, neither can fail.
    unsafe { libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_process_of_two_threads_is_not_claimed() {
        let (end, ended) = channel::<()>();
        let other = std::thread::spawn(move || ended.recv());
        let refused = Sole::claim().unwrap_err();
        assert!(matches!(refused, NotSole::Threads(2..)), "{refused:?}");
        assert!(threads::builder().is_ok(), "nobody relies on it");
        drop(end);
        other.join().unwrap().unwrap_err();
    }

    #[test]
    fn the_count_of_threads_is_found_behind_any_name() {
        let line = |name: &str, threads: &str| {
            format!("71 ({name}) S 1 71 71 0 -1 4194304 5 6 7 8 9 10 11 12 20 0 {threads} 0 123 456 7\n").into_bytes()
        };
        assert_eq!(threads_of(&line("sandproof", "1")), Some(1));
        assert_eq!(threads_of(&line(") R 2 2 2 (", "12")), Some(12));
        assert_eq!(threads_of(&line("sandproof", "x")), None);
        assert_eq!(threads_of(b"71 (sandproof"), None);
        assert_eq!(threads_of(b""), None);
        assert!(threads_by_kernel().is_some_and(|count| count > 0));
    }
}
