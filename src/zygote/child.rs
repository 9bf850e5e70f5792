//! The probe process: from the fork to its exit.

use std::ffi::{CStr, CString};

use super::serve::NULL;
use crate::enforce;
use crate::policy::landlock::LandlockPolicy;
use crate::probe::{self, Trace};
use crate::record::action::Action;
use crate::record::report::{OpenFd, Operation, Prologue, SelfCheck, TargetIdentity};
use crate::sys::linux::path;
use crate::sys::linux::process::{
    close_range, die_with_parent, duplicate, effective_ids, exit_now, ids, no_new_privs, set_process_group,
};

/// The report descriptor.
const REPORT: i32 = 3;
/// The exit code of a probe process that could not become what it has to be. Its report is empty.
const UNFIT: i32 = 71;

/// Everything a probe process does. `buffer` is memory that the parent has touched already.
pub fn run(action: &Action, policy: Option<&LandlockPolicy>, report: i32, zygote: i32, buffer: &mut Vec<u8>) -> ! {
    if isolate(report, zygote).is_err() {
        exit_now(UNFIT);
    }
    let (pid, _) = ids();
    let mut prologue = Prologue {
        pid,
        uid: effective_ids().0,
        open_fds: Vec::new(),
        self_check_before: self_check(zygote),
        setup_failure: None,
        target: None,
        apply: None,
        self_check_after: None,
        callouts: Vec::new(),
    };
    let prepared = probe::prepare(action, zygote);
    prologue.open_fds = open_descriptors();
    let mut prepared = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            prologue.setup_failure = Some(failure);
            write_line(buffer, &prologue);
            exit_now(0);
        }
    };
    if prepared.reference() != zygote {
        // From inside the new user namespace the zygote cannot be inspected, policy or not.
        prologue.self_check_before = self_check(prepared.reference());
    }
    prologue.target = prepared.target_path(action).map(identity);
    let mut reached = true;
    if let Some(policy) = policy {
        let applied = enforce::apply(policy);
        reached = applied.rc == 0;
        prologue.apply = Some(applied);
        if reached {
            let after = self_check(prepared.reference());
            // A policy that was accepted and does not confine is no policy.
            reached = after.confined == Some(true);
            prologue.self_check_after = Some(after);
        }
    }
    write_line(buffer, &prologue);
    if reached {
        let mut trace = Trace::new();
        probe::operate(action, &mut prepared, &mut trace);
        write_line::<Operation>(buffer, &trace.finish());
    }
    prepared.finish();
    exit_now(0)
}

/// A process group of its own, no way to outlive the zygote, /dev/null as standard streams, nothing else open but the
/// report. The rest is inherited: the zygote gave itself the working directory, mask, limits and signal actions that its
/// children need.
fn isolate(report: i32, zygote: i32) -> Result<(), i32> {
    set_process_group(0, 0)?;
    die_with_parent()?;
    if ids().1 != zygote {
        return Err(libc::ESRCH);
    }
    if report != REPORT {
        duplicate(report, REPORT, true)?;
    }
    duplicate(NULL, 0, false)?;
    duplicate(NULL, 2, false)?;
    // The zygote opened it to close on exec.
    duplicate(0, NULL, false)?;
    close_range(REPORT as u32 + 1, u32::MAX)?;
    Ok(())
}

fn self_check(reference: i32) -> SelfCheck {
    let errno = CString::new(format!("/proc/{reference}/exe"))
        .map_or(libc::EINVAL, |link| path::readlink(&link, &mut [0; 256]).err().unwrap_or(0));
    let confined = match errno {
        0 => Some(false),
        libc::EACCES | libc::EPERM => Some(true),
        _ => None,
    };
    SelfCheck { confined, errno, no_new_privs: no_new_privs() }
}

fn identity(target: &CStr) -> TargetIdentity {
    match path::stat(target, libc::AT_SYMLINK_NOFOLLOW) {
        Ok(found) => TargetIdentity {
            errno: 0,
            dev: Some(found.dev),
            ino: Some(found.ino),
            mode: Some(found.mode),
            uid: Some(found.uid),
        },
        Err(errno) => TargetIdentity { errno, dev: None, ino: None, mode: None, uid: None },
    }
}

/// Every open descriptor.
///
/// After `close_range` nothing above the report is open, and a preparation opens fewer than twelve more, at the lowest
/// free numbers. The null device and the report pipe are recognised by what they are: `/proc/self/fd`, which says the
/// same, costs a sixth of a whole probe when it is listed.
fn open_descriptors() -> Vec<OpenFd> {
    const NULL_DEVICE: (u32, u32) = (1, 3);
    let mut found = Vec::with_capacity(4);
    for fd in 0..16 {
        let Ok(stat) = path::fstat(fd) else { continue };
        let what = match stat.mode & libc::S_IFMT {
            libc::S_IFCHR if stat.device == NULL_DEVICE => "/dev/null".to_owned(),
            libc::S_IFIFO if fd == REPORT => format!("pipe:[{}]", stat.ino),
            _ => probe::link_of_descriptor(fd).unwrap_or_else(|errno| format!("error {errno}")),
        };
        found.push(OpenFd { fd, what });
    }
    found
}

/// Writes one line of the report. A report that cannot be written leaves no trace but its absence, which the harness
/// sees.
fn write_line<T: serde::Serialize>(buffer: &mut Vec<u8>, line: &T) {
    buffer.clear();
    if serde_json::to_writer(&mut *buffer, line).is_err() {
        return;
    }
    buffer.push(b'\n');
    let mut rest = &buffer[..];
    while !rest.is_empty() {
        match path::write(REPORT, rest) {
            Ok(count) => rest = &rest[count as usize..],
            Err(libc::EINTR) => {}
            Err(_) => return,
        }
    }
}
