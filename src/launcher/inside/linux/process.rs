//! What is done to a process outside, if its number is the same process here.

use std::os::fd::AsRawFd;

use crate::launcher::said::{OutsideProcess, WorkerReport};
use crate::probe::{self, Preparation, Prepared, SyscallTexts, Trace};
use crate::record::action::{Action, ActionScope};
use crate::record::detail_name::DetailName;
use crate::record::driver::Driver;
use crate::sys::linux::path;
use crate::sys::linux::process::{pidfd_open, signal_with};

/// Performs an operation on it.
pub(in crate::launcher::inside) fn on_outsider(action: &Action, victim: OutsideProcess) -> WorkerReport {
    let mut trace = Trace::new();
    let mut report = WorkerReport::default();
    match pidfd_open(victim.pid) {
        Err(errno) => {
            trace.operate("pidfd_open", Err(errno));
        }
        Ok(handle) => {
            report.process = path::fstat(handle.as_raw_fd()).ok().map(|found| found.ino);
            // Whoever else has the number here is no business of anybody.
            if report.process == Some(victim.inode) {
                on_it(action, victim, &mut trace);
            } else {
                trace.operate("pidfd_open", Err(libc::ESRCH));
            }
        }
    }
    let operation = trace.finish();
    let confirmed = operation.detail(DetailName::Confirmed).map(|value| value == 1);
    report.consequence = match action.driver {
        // Whoever comes through the link is in its root folder.
        Driver::ProcessRootOutside | Driver::ProcessInspectOutside => {
            Some(operation.calls.iter().all(|call| call.ret >= 0))
        }
        _ => confirmed,
    };
    report.operation = Some(operation);
    report
}

fn on_it(action: &Action, victim: OutsideProcess, trace: &mut Trace) {
    match action.driver {
        Driver::SignalOutside => {
            trace.operate("kill", signal_with(victim.pid, libc::SIGUSR1, victim.nonce));
        }
        Driver::ProcessInspectOutside => {
            let link = std::ffi::CString::new(format!("/proc/{}/exe", victim.pid)).unwrap_or_default();
            trace.operate("readlinkat", path::readlink(&link, &mut [0; 1024]));
        }
        _ => {
            let given =
                Preparation { pid: victim.pid, fd: victim.fd, address: victim.address, ..Preparation::default() };
            let Ok(texts) = SyscallTexts::of(action, &ActionScope::default()) else { return };
            let mut prepared = Prepared::given(&texts, given, 0);
            probe::operate(action, &mut prepared, trace, None);
        }
    }
}
