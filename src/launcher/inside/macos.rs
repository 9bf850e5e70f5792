//! What a worker does on macOS alone.
//!
//! Processes have the same numbers for everybody here, and nothing renames a path: what a sandbox does is to refuse.

use nix::sys::resource::Resource;
use nix::sys::socket::{AddressFamily, SockFlag, SockType};

use crate::launcher::inside::view::SystemView;
use crate::launcher::said::{OutsideProcess, PerformRequest, UNFIT, WorkerReport};
use crate::probe::{self, Trace};
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::report::OperationReport;
use crate::sys::darwin::calls::{block_signal, is_pending};
use crate::sys::native::path;
use crate::sys::native::process::{Watched, kill, poll, take_signal};
use crate::sys::native::sole::Sole;

/// Limits that are Linux's.
pub(in crate::launcher::inside) const MORE_LIMITS: [(&str, Resource); 0] = [];
/// How often a process outside looks whether it was signalled, in milliseconds.
const LOOK_MS: i32 = 5;

/// Makes the operation ready, calls `ready`, and performs it. The other report says how it ended before.
pub(in crate::launcher::inside) fn attempt(
    order: &PerformRequest,
    _inherited: &[i32],
    _sole: Option<&Sole>,
    ready: impl FnOnce(),
) -> Result<OperationReport, Box<WorkerReport>> {
    let action = &order.action;
    match probe::prepare_inside(action) {
        Err(failure) => {
            Err(Box::new(WorkerReport { setup: Some((failure.step.into(), failure.errno)), ..WorkerReport::default() }))
        }
        Ok(None) => Err(Box::new(WorkerReport { cannot: true, ..WorkerReport::default() })),
        Ok(Some(mut prepared)) => {
            ready();
            let mut trace = Trace::new();
            probe::operate(action, &mut prepared, &mut trace);
            prepared.finish();
            Ok(trace.finish())
        }
    }
}

/// Signals a process outside.
pub(in crate::launcher::inside) fn on_outsider(action: &Action, victim: OutsideProcess) -> WorkerReport {
    if action.driver != Driver::SignalOutside {
        return WorkerReport { cannot: true, ..WorkerReport::default() };
    }
    let mut trace = Trace::new();
    trace.operate("kill", kill(victim.pid, libc::SIGUSR1));
    WorkerReport { process: Some(victim.inode), operation: Some(trace.finish()), ..WorkerReport::default() }
}

/// A call with arguments that name nothing: filters of system calls, which it would tell, are Linux's.
pub(in crate::launcher::inside) fn empty_call(_call: &str, _family: i32) -> Option<fn() -> i32> {
    None
}

/// What the system says of this process.
pub(in crate::launcher::inside) fn look() -> SystemView {
    let datagrams = |family| nix::sys::socket::socket(family, SockType::Datagram, SockFlag::empty(), None);
    let makes_sockets = datagrams(AddressFamily::Inet).or_else(|_| datagrams(AddressFamily::Unix)).is_ok();
    SystemView {
        no_new_privs: false,
        seccomp_mode: None,
        makes_sockets,
        net_cookie: None,
        seatbelt: crate::sys::seatbelt_confined(),
    }
}

/// Waits for signals, outside of any launcher, and says that one came; until its input ends. Here a signal carries no number.
pub(in crate::launcher::inside) fn be_signalled() -> u8 {
    if block_signal(libc::SIGUSR1).is_err() {
        return UNFIT;
    }
    let _ = path::write(1, b"ready -1 0\n");
    loop {
        let mut watched = [Watched::new(0, libc::POLLIN)];
        if poll(&mut watched, LOOK_MS).is_err() {
            return UNFIT;
        }
        if is_pending(libc::SIGUSR1) {
            if take_signal(libc::SIGUSR1).is_err() {
                return UNFIT;
            }
            let _ = path::write(1, b"got 0\n");
        } else if watched[0].came != 0 {
            return 0;
        }
    }
}
