//! Programs, processes and signals.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use super::OperationSteps;
use crate::record::detail_name::DetailName;
use crate::record::report::SetupFailure;
use crate::sys::darwin::native::process::{ids, kill, wait};
use crate::sys::darwin::native::sole::Sole;
use crate::sys::darwin::{calls, children};

/// The signal that probes send.
const SIGNAL: i32 = libc::SIGUSR1;

/// A child that waits until its pipe is closed. Its exit code says whether the signal came.
#[derive(Debug)]
pub(super) struct WaitingChild {
    pid: i32,
    pipe: OwnedFd,
}

impl WaitingChild {
    /// Starts one, with the signal blocked from its first instant.
    pub(super) fn start() -> Result<Self, i32> {
        let (until, pipe) = calls::pipe()?;
        calls::block_signal(SIGNAL)?;
        // The other end is closed by the probe, or with it. The report's pipe has to end with the probe, not with its helper.
        let closing = [pipe.as_raw_fd(), crate::probe::REPORT.load(Relaxed)];
        let pid = children::wait_for_signal(until.as_fd(), closing, SIGNAL)? as i32;
        Ok(Self { pid, pipe })
    }

    /// Ends it. `Some(true)`: it had received the signal.
    pub(super) fn end(self) -> Option<bool> {
        // The pipe, because a signal may be refused.
        drop(self.pipe);
        let (_, status) = wait(self.pid, 0).ok()??;
        (libc::WIFEXITED(status)).then(|| libc::WEXITSTATUS(status) == 0)
    }
}

fn signal_helper(steps: &mut OperationSteps, helper: WaitingChild) -> Option<()> {
    let sent = steps.operate("kill", kill(helper.pid, SIGNAL));
    // Asked in either case: a signal that was refused must not have arrived.
    if let Some(received) = helper.end() {
        steps.detail(DetailName::Received, i64::from(received));
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
    let sent = steps.operate("kill", kill(ids().0, SIGNAL));
    steps.detail(DetailName::Received, i64::from(calls::is_pending(SIGNAL)));
    sent.map(|_| ())
}

/// Makes a child that exits at once, and waits for it.
pub(super) fn fork_and_wait(steps: &mut OperationSteps) -> Option<()> {
    let pid = steps.operate("fork", children::start_and_end())?;
    if let Ok(Some((_, status))) = wait(pid as i32, 0)
        && libc::WIFEXITED(status)
    {
        steps.detail(DetailName::ChildExitCode, i64::from(libc::WEXITSTATUS(status)));
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
    let pid = steps.prepare("fork", children::start_program(target, argv, writing.as_fd()))? as i32;
    drop(writing);
    let mut errno = [0; 4];
    let told = calls::read(reading.as_raw_fd(), &mut errno);
    let status = wait(pid, 0).ok().flatten().map(|(_, status)| status);
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
        Some(status) if libc::WIFEXITED(status) => {
            steps.detail(DetailName::ProgramExitCode, i64::from(libc::WEXITSTATUS(status)));
        }
        Some(status) if libc::WIFSIGNALED(status) => {
            steps.detail(DetailName::ProgramSignal, i64::from(libc::WTERMSIG(status)))
        }
        _ => {}
    }
    Some(())
}

/// What stands before the digits of a variable's token.
const MARK: &str = "sandproof-";

/// Puts a variable with a token into the environment of this process. The token.
pub(super) fn make_variable(name: &str) -> Result<u64, SetupFailure> {
    let token = uuid::Uuid::new_v4().as_u128() as u64;
    let failed = |errno| SetupFailure::at("variable", errno);
    let sole = Sole::claim().map_err(|_| failed(libc::EBUSY))?;
    sole.set_environment(name, &format!("{MARK}{token:016x}")).map_err(failed)?;
    sole.give_up();
    Ok(token)
}

/// Reads a variable. Of a `token` of this process's own it is told whether it was found; of another one, the token itself.
#[expect(clippy::disallowed_methods, reason = "what reaches this process is the question")]
pub(super) fn variable(steps: &mut OperationSteps, name: &str, token: Option<u64>) -> Option<()> {
    let can_be_one = !name.is_empty() && !name.contains(['=', '\0']);
    let value = if can_be_one { std::env::var_os(name) } else { None };
    let length = value.as_ref().map(|value| value.len() as i64).ok_or(libc::ENOENT);
    steps.operate("getenv", length)?;
    let digits =
        value.as_ref().and_then(|value| value.to_str()?.strip_prefix(MARK)).filter(|digits| digits.len() == 16);
    let found = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match (token, found) {
        (Some(_), _) => steps.detail(DetailName::Confirmed, i64::from(found == token)),
        (None, Some(found)) => steps.detail(DetailName::Content, found.cast_signed()),
        (None, None) => {}
    }
    Some(())
}

/// Asks for the facts of a process.
pub(super) fn facts(steps: &mut OperationSteps, target: &str, helper: Option<WaitingChild>) -> Option<()> {
    let pid = match (target, &helper) {
        ("self", _) => ids().0,
        ("outside", Some(helper)) => helper.pid,
        (text, _) => text.parse().unwrap_or(-1),
    };
    let asked = steps.operate("proc_pidinfo", calls::process_facts(pid));
    if let Some(helper) = helper {
        helper.end();
    }
    asked.map(|_| ())
}
