//! Following what processes ask of the kernel; see ptrace(2).
//!
//! A process is followed with everything that it starts. It stops where a filter of its own says so (`SECCOMP_RET_TRACE`), and once more
//! when the call has ended, if that is asked for.

use std::mem::size_of_val;

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// How a stopped process goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoOn {
    /// Until its filter stops it, or something else does; with this signal (0: none).
    Freely(i32),
    /// Until the system call that it is in has ended.
    ToEndOfCall,
    /// It stays stopped, as whoever stopped it wanted, until it is continued.
    Stopped,
}

/// A system call where it begins, or where it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStop {
    /// It begins.
    Begins {
        /// Which one it is.
        number: i64,
        /// Its six arguments, those included that it does not take.
        arguments: [u64; 6],
    },
    /// It has ended, with this value, or error number.
    Ended(Ret),
}

/// Why a followed process has stopped, or that it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceEvent {
    /// It exited with this code.
    Exited(i32),
    /// It was ended by this signal.
    Killed(i32),
    /// A system call that its filter names begins.
    Call,
    /// The system call has ended.
    CallEnd,
    /// Another program has taken its place.
    Executed,
    /// It has started another process or thread, or is one that was just started.
    Started,
    /// It was stopped by a signal, as a shell does it.
    Group,
    /// It is about to get this signal.
    Signal(i32),
}

/// `PTRACE_EVENT_STOP` of <linux/ptrace.h>.
const EVENT_STOP: i32 = 128;

/// What a status of wait(2) says of a followed process.
pub fn event_of(status: i32) -> TraceEvent {
    if libc::WIFEXITED(status) {
        return TraceEvent::Exited(libc::WEXITSTATUS(status));
    }
    if libc::WIFSIGNALED(status) {
        return TraceEvent::Killed(libc::WTERMSIG(status));
    }
    let signal = libc::WSTOPSIG(status);
    match status >> 16 {
        libc::PTRACE_EVENT_SECCOMP => TraceEvent::Call,
        libc::PTRACE_EVENT_EXEC => TraceEvent::Executed,
        EVENT_STOP if [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal) => {
            TraceEvent::Group
        }
        0 if signal == libc::SIGTRAP | 0x80 => TraceEvent::CallEnd,
        0 => TraceEvent::Signal(signal),
        _ => TraceEvent::Started,
    }
}

fn ptrace(request: i64, pid: i32, address: u64, data: u64) -> Ret {
    // SAFETY: of the requests that are made with plain numbers none reads or writes memory of this process.
    outcome(unsafe { libc::syscall(libc::SYS_ptrace, request, pid, address, data) })
}

/// Follows a process, without stopping it, with all that it starts; they are killed when the thread that asks for it ends. See
/// `PTRACE_SEIZE`.
pub fn follow(pid: i32) -> Ret {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SEIZE as i64, pid, 0, options as u64)
}

/// Lets a stopped process go on. `ESRCH`: it is gone.
pub fn go_on(pid: i32, how: GoOn) -> Ret {
    match how {
        GoOn::Freely(signal) => ptrace(libc::PTRACE_CONT as i64, pid, 0, signal as u64),
        GoOn::ToEndOfCall => ptrace(libc::PTRACE_SYSCALL as i64, pid, 0, 0),
        GoOn::Stopped => ptrace(libc::PTRACE_LISTEN as i64, pid, 0, 0),
    }
}

/// The system call that a followed process has stopped at. `None`: it has stopped at none. See `PTRACE_GET_SYSCALL_INFO` (Linux 5.3).
pub fn call(pid: i32) -> Result<Option<CallStop>, i32> {
    const GET_SYSCALL_INFO: i64 = 0x420e;
    // `struct ptrace_syscall_info`: what it is (a byte), architecture, two pointers; then number and arguments, or value and
    // whether it is an error.
    let mut found = [0_u64; 12];
    // SAFETY: the kernel writes at most as many bytes as it is told.
    outcome(unsafe {
        libc::syscall(libc::SYS_ptrace, GET_SYSCALL_INFO, pid, size_of_val(&found), (&raw mut found).cast::<u64>())
    })?;
    let first_byte = |word: u64| word.to_ne_bytes()[0];
    Ok(match first_byte(found[0]) {
        // PTRACE_SYSCALL_INFO_ENTRY and _SECCOMP
        1 | 3 => {
            let mut arguments = [0; 6];
            arguments.copy_from_slice(&found[4..10]);
            Some(CallStop::Begins { number: found[3] as i64, arguments })
        }
        // PTRACE_SYSCALL_INFO_EXIT
        2 => {
            let value = found[3] as i64;
            Some(CallStop::Ended(if first_byte(found[4]) == 0 { Ok(value) } else { Err(-value as i32) }))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_why_a_process_stopped() {
        let stop = |event: i32, signal: i32| event << 16 | signal << 8 | 0x7f;
        assert_eq!(event_of(3 << 8), TraceEvent::Exited(3));
        assert_eq!(event_of(libc::SIGKILL), TraceEvent::Killed(libc::SIGKILL));
        assert_eq!(event_of(stop(libc::PTRACE_EVENT_SECCOMP, libc::SIGTRAP)), TraceEvent::Call);
        assert_eq!(event_of(stop(0, libc::SIGTRAP | 0x80)), TraceEvent::CallEnd);
        assert_eq!(event_of(stop(libc::PTRACE_EVENT_EXEC, libc::SIGTRAP)), TraceEvent::Executed);
        assert_eq!(event_of(stop(libc::PTRACE_EVENT_CLONE, libc::SIGTRAP)), TraceEvent::Started);
        assert_eq!(event_of(stop(EVENT_STOP, libc::SIGTRAP)), TraceEvent::Started);
        assert_eq!(event_of(stop(EVENT_STOP, libc::SIGTSTP)), TraceEvent::Group);
        assert_eq!(event_of(stop(0, libc::SIGUSR1)), TraceEvent::Signal(libc::SIGUSR1));
    }

    #[test]
    fn who_is_not_followed_says_nothing() {
        assert_eq!(call(i32::MAX), Err(libc::ESRCH));
        assert_eq!(go_on(i32::MAX, GoOn::Freely(0)), Err(libc::ESRCH));
    }
}
