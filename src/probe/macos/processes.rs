//! Programs, processes and signals.

use std::ffi::{CStr, CString};
use std::sync::atomic::Ordering::Relaxed;

use super::OperationSteps;
use crate::sys::darwin::calls;

/// The signal that probes send.
const SIGNAL: i32 = libc::SIGUSR1;

/// A child that waits until its pipe is closed. Its exit code says whether the signal came.
#[derive(Debug)]
pub(super) struct WaitingChild {
    pid: i32,
    pipe: i32,
}

impl WaitingChild {
    /// Starts one, with the signal blocked from its first instant.
    pub(super) fn start() -> Result<Self, i32> {
        let (reading, writing) = calls::pipe()?;
        calls::block_signal(SIGNAL)?;
        match calls::fork()? {
            0 => {
                let _ = calls::close(writing);
                // The report's pipe has to end with the probe, not with its helper.
                let _ = calls::close(crate::probe::REPORT.load(Relaxed));
                // Ends when the other end is closed: by the probe, or with it.
                let _ = calls::read(reading, &mut [0]);
                calls::exit_now(i32::from(!calls::is_pending(SIGNAL)))
            }
            pid => {
                calls::close(reading)?;
                Ok(Self { pid: pid as i32, pipe: writing })
            }
        }
    }

    /// Ends it. `Some(true)`: it had received the signal.
    pub(super) fn end(self) -> Option<bool> {
        // The pipe, because a signal may be refused.
        let _ = calls::close(self.pipe);
        let status = calls::wait(self.pid).ok()?;
        (libc::WIFEXITED(status)).then(|| libc::WEXITSTATUS(status) == 0)
    }
}

fn signal_helper(steps: &mut OperationSteps, helper: WaitingChild) -> Option<()> {
    let sent = steps.operate("kill", calls::kill(helper.pid, SIGNAL));
    // Asked in either case: a signal that was refused must not have arrived.
    if let Some(received) = helper.end() {
        steps.detail("received", i64::from(received));
    }
    sent.map(|_| ())
}

/// Signals the helper that was started before the policy was applied.
pub(super) fn signal_outside(steps: &mut OperationSteps, helper: Option<WaitingChild>) -> Option<()> {
    let Some(helper) = helper else {
        steps.prepare("helper", Err(libc::ESRCH));
        return None;
    };
    signal_helper(steps, helper)
}

/// Starts a helper under the policy, which is in the same sandbox, and signals it.
pub(super) fn signal_child(steps: &mut OperationSteps) -> Option<()> {
    let helper = WaitingChild::start();
    steps.prepare("fork", helper.as_ref().map(|helper| i64::from(helper.pid)).map_err(|errno| *errno))?;
    signal_helper(steps, helper.ok()?)
}

/// Signals this very process.
pub(super) fn signal_self(steps: &mut OperationSteps) -> Option<()> {
    steps.prepare("sigprocmask", calls::block_signal(SIGNAL))?;
    let sent = steps.operate("kill", calls::kill(calls::ids().0, SIGNAL));
    steps.detail("received", i64::from(calls::is_pending(SIGNAL)));
    sent.map(|_| ())
}

/// Makes a child that exits at once, and waits for it.
pub(super) fn fork_and_wait(steps: &mut OperationSteps) -> Option<()> {
    let forked = calls::fork();
    if forked == Ok(0) {
        calls::exit_now(0);
    }
    let pid = steps.operate("fork", forked)?;
    if let Ok(status) = calls::wait(pid as i32)
        && libc::WIFEXITED(status)
    {
        steps.detail("child_exit_code", i64::from(libc::WEXITSTATUS(status)));
    }
    Some(())
}

/// Makes a child, which only prepares, and lets it become a program. The child tells the error number of a refusal; the
/// end of its pipe without one says that it became the program. How that ends is another matter: a program may well abort
/// before its own first line, because the policy keeps its loader from what it needs.
pub(super) fn execute(steps: &mut OperationSteps, target: &CStr, argv: &[CString]) -> Option<()> {
    let (reading, writing) = match calls::pipe() {
        Ok(ends) => ends,
        Err(errno) => return steps.prepare("pipe", Err(errno)).map(|_| ()),
    };
    let forked = calls::fork();
    if forked == Ok(0) {
        let errno = calls::execute(target, argv);
        let _ = calls::write(writing, &errno.to_ne_bytes());
        calls::exit_now(127);
    }
    let pid = steps.prepare("fork", forked)? as i32;
    let _ = calls::close(writing);
    let mut errno = [0; 4];
    let told = calls::read(reading, &mut errno);
    let status = calls::wait(pid);
    steps.operate(
        "execve",
        match told {
            Ok(0) => Ok(0),
            Ok(4) => Err(i32::from_ne_bytes(errno)),
            Ok(_) => Err(libc::EIO),
            Err(errno) => Err(errno),
        },
    )?;
    match status {
        Ok(status) if libc::WIFEXITED(status) => {
            steps.detail("program_exit_code", i64::from(libc::WEXITSTATUS(status)));
        }
        Ok(status) if libc::WIFSIGNALED(status) => steps.detail("program_signal", i64::from(libc::WTERMSIG(status))),
        _ => {}
    }
    Some(())
}

/// Asks for the facts of a process.
pub(super) fn facts(steps: &mut OperationSteps, target: &str, helper: Option<WaitingChild>) -> Option<()> {
    let pid = match (target, &helper) {
        ("self", _) => calls::ids().0,
        ("outside", Some(helper)) => helper.pid,
        (text, _) => text.parse().unwrap_or(-1),
    };
    let asked = steps.operate("proc_pidinfo", calls::process_facts(pid));
    if let Some(helper) = helper {
        helper.end();
    }
    asked.map(|_| ())
}
