//! The probe process: from the fork to its exit.

use std::ffi::{CStr, CString};

use crate::base::report_line::ReportLine;
use crate::enforce;
use crate::probe::{self, REPORT, SyscallTexts, Trace};
use crate::record::action::{Action, ActionScope};
use crate::record::enforcer::SelfCheckKind;
use crate::record::report::{ApplyRecord, SelfCheck, SetupFailure};
#[cfg(doc)]
use crate::record::report::{OperationReport, Prologue};
use crate::record::row::ProbeProcess;
use crate::sys::linux::path;
use crate::sys::linux::process::{
    die_with_parent, effective_ids, exit_now, ids, is_open, kill, no_new_privs, set_process_group,
};
use crate::sys::linux::sole::Sole;
use crate::sys::linux::watch::WatchedEnd;

/// `/dev/null`, which probe processes get as their standard streams.
pub const NULL: i32 = 1;

/// The exit code of a probe process that could not become what it has to be. Its report is empty.
const UNFIT: i32 = 71;
/// The exit code of one that shares memory and whose operation needs memory of its own. Its report is empty.
const NOT_FOR_SHARED: i32 = 72;

/// What a probe process does, worked out before the fork as far as that says the same.
///
/// A fork copies no page tables for program text and shares all memory until it is written to. So a probe process pays
/// for every page of code that it runs and of memory that it writes, some microseconds each, and its parent, which did
/// the same a moment ago, does not. One that shares its parent's memory pays for none of it, and may change nothing of it that
/// outlives the job but the report's buffer.
pub struct Work<'a> {
    /// The operation, with every placeholder replaced.
    pub action: &'a Action,
    /// What it may change and execute.
    pub scope: &'a ActionScope,
    /// NUL-terminated texts for system calls, or why they could not be made.
    pub texts: Result<SyscallTexts, SetupFailure>,
    /// The policy; `None` in the baseline lane.
    pub policy: Option<enforce::ReadyPolicy>,
    /// Process id of the zygote, which is this process's parent.
    pub zygote: i32,
    /// The link that tells whether the zygote may be inspected.
    pub zygote_link: &'a CStr,
    /// What kind of process this is.
    pub process: ProbeProcess,
}

/// Whether a process that shares memory ended before it did anything, because its target lies on proc: what is asked there
/// about a process or written to it would be asked of its parent's memory and written to it (`mem`, `maps`, `oom_score_adj`).
pub fn asked_for_a_fork(end: &WatchedEnd) -> bool {
    let said_so = |status| libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == NOT_FOR_SHARED;
    end.status.is_ok_and(said_so) && end.report_length == 0
}

/// Everything a probe process does. `buffer` is memory for its report, and empty.
pub fn run(work: &mut Work<'_>, report: i32, buffer: &mut Vec<u8>, sole: Sole) -> ! {
    let Ok(pid) = isolate(&sole, report, work.zygote) else { exit_now(UNFIT) };
    if work.process == ProbeProcess::Shared && work.texts.as_ref().is_ok_and(|texts| texts.is_on_proc(work.action)) {
        exit_now(NOT_FOR_SHARED);
    }
    let mut line = ReportLine::begin(buffer);
    line.signed("pid", pid.into());
    line.unsigned("uid", effective_ids().0.into());
    let before = self_check(work.zygote_link);
    let mut sole = Some(sole);
    let prepared = work
        .texts
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|texts| probe::prepare(work.action, texts, work.scope, work.zygote, &mut sole));
    open_descriptors(&mut line);
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            write_check(&mut line, "self_check_before", &before);
            line.object("setup_failure", |line| {
                line.text("step", &failure.step);
                line.signed("errno", failure.errno.into());
                if let Some(leads_to) = &failure.leads_to {
                    line.text("leads_to", leads_to);
                }
            });
            line.end();
            send(buffer);
            exit_now(0);
        }
    };
    // From inside a new user namespace the zygote cannot be inspected, policy or not.
    let reference = prepared.reference();
    let helper_link = (reference != work.zygote).then(|| executable_link(reference));
    let link = helper_link.as_deref().unwrap_or(work.zygote_link);
    let before = if helper_link.is_some() { self_check(link) } else { before };
    write_check(&mut line, "self_check_before", &before);
    if let Some(target) = prepared.target_path(work.action) {
        line.object("target", |line| write_identity(line, target));
    }
    let mut reached = true;
    if let Some(policy) = &mut work.policy {
        let kind = policy.enforcer().map(|enforcer| enforcer.info().self_check);
        let applied = enforce::apply(policy);
        reached = applied.rc == 0;
        line.object("apply", |line| write_apply(line, applied));
        if reached {
            let after = match kind {
                Some(SelfCheckKind::InspectOutside) => check_again(link, reference, &before),
                // Nothing of this system answers, so nothing shows that the policy is in force.
                Some(SelfCheckKind::SandboxCheck | SelfCheckKind::None) | None => {
                    SelfCheck { confined: None, errno: libc::ENOSYS, no_new_privs: no_new_privs() }
                }
            };
            write_check(&mut line, "self_check_after", &after);
            // A policy that was accepted and does not confine is no policy.
            reached = after.confined == Some(true);
        }
    }
    line.end();
    send(buffer);
    if reached {
        let mut trace = Trace::new();
        probe::operate(work.action, &mut prepared, &mut trace, sole.as_ref());
        buffer.clear();
        trace.write(buffer);
        if !send(buffer) {
            // An end without an operation would say that this process became another program.
            let _ = kill(pid, libc::SIGKILL);
        }
    }
    prepared.finish();
    exit_now(0)
}

/// The executable link of a process, which only those may read who may inspect it.
pub fn executable_link(pid: i32) -> CString {
    CString::new(format!("/proc/{pid}/exe")).unwrap_or_default()
}

/// A process group of its own, no way to outlive the zygote, /dev/null as standard streams, nothing else open but the
/// report. The rest is inherited: the zygote gave itself the working directory, mask, limits and signal actions that its
/// children need. Gives this process's id.
fn isolate(sole: &Sole, report: i32, zygote: i32) -> Result<i32, i32> {
    set_process_group(0, 0)?;
    die_with_parent()?;
    let (pid, parent) = ids();
    if parent != zygote {
        return Err(libc::ESRCH);
    }
    if report != REPORT {
        sole.duplicate(report, REPORT, true)?;
    }
    sole.duplicate(NULL, 0, false)?;
    sole.duplicate(NULL, 2, false)?;
    // The zygote opened it to close on exec.
    sole.duplicate(0, NULL, false)?;
    sole.close_range(REPORT as u32 + 1, u32::MAX)?;
    Ok(pid)
}

fn self_check(link: &CStr) -> SelfCheck {
    let errno = path::readlink(link, &mut [0; 256]).err().unwrap_or(0);
    let confined = match errno {
        0 => Some(false),
        libc::EACCES | libc::EPERM => Some(true),
        _ => None,
    };
    SelfCheck { confined, errno, no_new_privs: no_new_privs() }
}

/// The same question after the policy was applied. Where `/proc` hides what its reader may not inspect (`hidepid=` of
/// proc(5)), the link of a process that was readable a moment ago is not there any more. That process is this one's parent
/// or child, and cannot have gone without a trace, so it is hidden from a confined process.
fn check_again(link: &CStr, reference: i32, before: &SelfCheck) -> SelfCheck {
    let mut after = self_check(link);
    if after.errno == libc::ENOENT && before.confined == Some(false) && probe::is_hidden(reference) {
        after.confined = Some(true);
    }
    after
}

// The members of the first line, as a `Prologue` is read.

fn write_check(line: &mut ReportLine<'_>, name: &'static str, check: &SelfCheck) {
    line.object(name, |line| {
        line.truth("confined", check.confined);
        line.signed("errno", check.errno.into());
        line.truth("no_new_privs", Some(check.no_new_privs));
    });
}

fn write_apply(line: &mut ReportLine<'_>, record: &ApplyRecord) {
    line.text("api", &record.api);
    line.signed("rc", record.rc.into());
    line.signed("errno", record.errno.into());
    if let Some(failure) = record.failure {
        line.text("failure", failure.as_str());
    }
    if let Some(message) = &record.message {
        line.text("message", message);
    }
    if let Some(abi) = record.abi {
        line.signed("abi", abi.into());
    }
    if !record.unsupported.is_empty() {
        line.texts("unsupported", record.unsupported.iter().map(String::as_str));
    }
}

fn write_identity(line: &mut ReportLine<'_>, target: &CStr) {
    match path::stat(target, libc::AT_SYMLINK_NOFOLLOW) {
        Ok(found) => {
            line.signed("errno", 0);
            line.unsigned("dev", found.dev);
            line.unsigned("ino", found.ino);
            line.unsigned("mode", found.mode.into());
            line.unsigned("uid", found.uid.into());
        }
        Err(errno) => line.signed("errno", errno.into()),
    }
}

/// Every open descriptor.
///
/// After `close_range` nothing above the report is open, and a preparation opens fewer than twelve more, at the lowest
/// free numbers. The null device and the report pipe are recognised by what they are: `/proc/self/fd`, which says the
/// same, costs a sixth of a whole probe when it is listed.
fn open_descriptors(line: &mut ReportLine<'_>) {
    const NULL_DEVICE: (u32, u32) = (1, 3);
    let in_use = (0..16).filter(|fd| *fd <= REPORT || is_open(*fd));
    let open = in_use.filter_map(|fd| path::fstat(fd).ok().map(|stat| (fd, stat)));
    line.list("open_fds", open, |line, (fd, stat)| {
        line.signed("fd", fd.into());
        match stat.mode & libc::S_IFMT {
            libc::S_IFCHR if stat.device == NULL_DEVICE => line.text("what", "/dev/null"),
            libc::S_IFIFO if fd == REPORT => line.text_of_number("what", "pipe:[", stat.ino, "]"),
            _ => match probe::link_of_descriptor(fd) {
                Ok(link) => line.bytes("what", link.as_bytes()),
                Err(errno) => line.text_of_number("what", "error ", errno.unsigned_abs().into(), ""),
            },
        }
    });
}

/// Writes what stands in the buffer to the report. A report that cannot be written leaves no trace but its absence, which
/// the harness sees.
fn send(buffer: &[u8]) -> bool {
    let mut rest = buffer;
    while !rest.is_empty() {
        match path::write(REPORT, rest) {
            Ok(count) => rest = &rest[count as usize..],
            Err(libc::EINTR) => {}
            Err(_) => return false,
        }
    }
    true
}
