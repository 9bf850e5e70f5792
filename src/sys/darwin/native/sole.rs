//! A process of one thread, and what only such a process may do: the part of it that the worker inside a launcher needs.

use std::marker::PhantomData;

use crate::base::threads;
use crate::sys::Ret;
use crate::sys::darwin::calls::exit_now;
use crate::sys::ret::outcome;

/// Stands for two facts: this process has one thread, which is the one that holds this, and its descriptors are that
/// thread's to arrange.
#[derive(Debug)]
pub struct Sole {
    /// It cannot be sent to another thread, which would make two.
    _here: PhantomData<*const ()>,
}

/// Why a process is not taken for one of a single thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSole {
    /// This program has started threads, or was called on another one than its first.
    #[error("this process may have several threads")]
    Unknown,
    /// Somebody relies on it already.
    #[error("it was claimed before that this process has one thread")]
    Claimed,
}

impl Sole {
    /// It is so by construction: the system starts a program with one thread, and this program starts all others by
    /// `base::threads`, which notes it. Frameworks start some of their own; whoever claims this has called none.
    ///
    /// # Errors
    /// If there may be others.
    pub fn claim() -> Result<Self, NotSole> {
        // SAFETY: the call has no conditions.
        let is_first = unsafe { libc::pthread_main_np() } == 1;
        if !is_first || !threads::none_was_started() {
            return Err(NotSole::Unknown);
        }
        if threads::forbid() { Ok(Self { _here: PhantomData }) } else { Err(NotSole::Claimed) }
    }

    /// From here on there may be threads.
    pub fn give_up(self) {
        threads::allow();
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

    /// fork(2). The child does its work and ends with the exit code that this gives, without anything of what the parent has
    /// on its stack.
    ///
    /// # Errors
    /// The error number. There is no child then.
    pub fn fork(&self, child: impl FnOnce(Self) -> i32) -> Result<i32, i32> {
        // SAFETY: there is no other thread that could hold a lock, or be in the midst of an allocation.
        match outcome(unsafe { libc::fork() })? {
            0 => {
                let never = AbortOnUnwind;
                let code = child(Self { _here: PhantomData });
                std::mem::forget(never);
                exit_now(code)
            }
            pid => Ok(pid as i32),
        }
    }

    /// dup2(2); with `cloexec`, closed on exec. `from` and `to` differ; what `to` was is closed.
    pub fn duplicate(&self, from: i32, to: i32, cloexec: bool) -> Ret {
        // SAFETY: no memory is involved, and the numbers are this thread's to arrange.
        let made = outcome(unsafe { libc::dup2(from, to) })?;
        if cloexec {
            // SAFETY: to set a flag involves no memory.
            outcome(unsafe { libc::fcntl(to, libc::F_SETFD, libc::FD_CLOEXEC) })?;
        }
        Ok(made)
    }

    /// close(2) of a number.
    pub fn close(&self, fd: i32) -> Ret {
        // SAFETY: as above.
        outcome(unsafe { libc::close(fd) })
    }

    /// Closes standard input and standard output.
    pub fn close_input_and_output(&self) -> Ret {
        let input = self.close(libc::STDIN_FILENO);
        self.close(libc::STDOUT_FILENO).and(input)
    }
}

/// A panic in a child must not reach the frames of its parent, whose work they would go on with.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}
