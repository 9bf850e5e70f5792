//! Programs, processes and signals.

use std::ffi::{CStr, CString};

use super::helper::{SIGNAL, SignalHelper};
use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::path::{readlink, stat};
use crate::sys::linux::process::{block_signal, execve, ids, is_pending, kill, wait};
use crate::sys::linux::sole::Sole;

/// Executes a program. On success there is nobody left to note it, and the report, which closes on exec, ends without the
/// operation: that is the witness.
pub fn exec(trace: &mut Trace, target: &CStr, argv: &[CString]) -> Option<()> {
    trace.operate("execve", execve(target, argv)).map(|_| ())
}

/// Makes a child that exits at once, and waits for it.
pub fn fork_and_wait(trace: &mut Trace, sole: &Sole) -> Option<()> {
    let pid = trace.operate("clone", sole.fork(|_| 0).map(i64::from))?;
    if let Ok(Some((_, status))) = wait(pid as i32, 0)
        && libc::WIFEXITED(status)
    {
        trace.detail(DetailName::ChildExitCode, i64::from(libc::WEXITSTATUS(status)));
    }
    Some(())
}

fn signal_helper(trace: &mut Trace, helper: SignalHelper) -> Option<()> {
    let sent = trace.operate("kill", kill(helper.pid(), SIGNAL));
    // Asked in either case: a signal that was refused must not have arrived.
    if let Some(received) = helper.end() {
        trace.detail(DetailName::Received, i64::from(received));
    }
    sent.map(|_| ())
}

/// Signals the helper that was started before the policy was applied.
pub fn signal_outside(trace: &mut Trace, helper: Option<SignalHelper>) -> Option<()> {
    let Some(helper) = helper else {
        trace.prepare("helper", Err(libc::ESRCH));
        return None;
    };
    signal_helper(trace, helper)
}

/// Starts a helper under the policy and signals it.
pub fn signal_inside(trace: &mut Trace, sole: &Sole) -> Option<()> {
    let helper = SignalHelper::start(sole);
    trace.prepare("clone", helper.as_ref().map(|helper| i64::from(helper.pid())).map_err(|errno| *errno))?;
    signal_helper(trace, helper.ok()?)
}

/// Signals this very process.
pub fn signal_self(trace: &mut Trace) -> Option<()> {
    trace.prepare("rt_sigprocmask", block_signal(SIGNAL))?;
    let sent = trace.operate("kill", kill(ids().0, SIGNAL));
    trace.detail(DetailName::Received, i64::from(is_pending(SIGNAL)));
    sent.map(|_| ())
}

/// Reads the executable link of another process, which is this one's parent or child.
pub fn inspect(trace: &mut Trace, pid: i32) -> Option<()> {
    let path = std::ffi::CString::new(format!("/proc/{pid}/exe")).ok()?;
    let read = readlink(&path, &mut [0; 1024]);
    if read.is_err_and(|errno| errno == libc::ENOENT) && !is_hidden(pid) {
        // It has ended: nobody refused anything.
        return trace.prepare("readlinkat", read).map(|_| ());
    }
    trace.operate("readlinkat", read).map(|_| ())
}

/// Whether `/proc` hides a process that is there for certain, because it is this one's parent or child: one that has
/// ended still has its folder until it is waited for.
pub fn is_hidden(pid: i32) -> bool {
    let folder = std::ffi::CString::new(format!("/proc/{pid}")).unwrap_or_default();
    stat(&folder, 0).is_err_and(|errno| errno == libc::ENOENT)
}
