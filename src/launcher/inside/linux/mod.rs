//! What a worker does on Linux alone.

mod held;
mod objects;
mod process;

pub(in crate::launcher::inside) use held::be_signalled;
pub(in crate::launcher::inside) use process::on_outsider;

use nix::sys::resource::Resource;

use crate::launcher::inside::really_made;
use crate::launcher::inside::view::SystemView;
use crate::launcher::said::{PerformRequest, WorkerReport};
use crate::probe::{self, SyscallTexts, Trace};
use crate::record::action::ActionScope;
use crate::record::report::{OperationReport, SetupFailure};
use crate::sys::linux::empty_syscall::EmptySyscall;
use crate::sys::linux::process::{has_seccomp_filter, no_new_privs};
use crate::sys::linux::socket;
use crate::sys::linux::sole::Sole;

/// Limits that other systems have not got, or their library does not name.
pub(in crate::launcher::inside) const MORE_LIMITS: [(&str, Resource); 2] =
    [("NPROC", Resource::RLIMIT_NPROC), ("MEMLOCK", Resource::RLIMIT_MEMLOCK)];

/// Makes the operation ready, calls `ready`, and performs it. The other report says how it ended before.
pub(in crate::launcher::inside) fn attempt(
    order: &PerformRequest,
    inherited: &[i32],
    sole: Option<&Sole>,
    ready: impl FnOnce(),
) -> Result<OperationReport, Box<WorkerReport>> {
    let failed = |failure: SetupFailure| {
        Box::new(WorkerReport { setup: Some((failure.step.into(), failure.errno)), ..WorkerReport::default() })
    };
    let action = &order.action;
    let texts = SyscallTexts::of(action, &ActionScope::default()).map_err(failed)?;
    let given = objects::given(order, inherited, sole)?;
    let Some(mut prepared) = probe::prepare_inside(action, &texts, given).map_err(failed)? else {
        return Err(Box::new(WorkerReport { cannot: true, ..WorkerReport::default() }));
    };
    ready();
    let mut trace = Trace::new();
    probe::operate(action, &mut prepared, &mut trace, sole);
    objects::take_away(&prepared);
    prepared.finish();
    Ok(trace.finish())
}

/// A call with arguments that name nothing, which gives its error number; 0: it went through. `None`: it is not known.
pub(in crate::launcher::inside) fn empty_call(call: &str, family: i32) -> Option<impl Fn() -> i32> {
    let call = EmptySyscall::of(call, family)?;
    Some(move || call.make().err().unwrap_or(0))
}

/// What the kernel says of this process.
pub(in crate::launcher::inside) fn look() -> SystemView {
    let datagrams = |family| socket::socket_owned(family, libc::SOCK_DGRAM).ok().and_then(really_made);
    let socket = datagrams(libc::AF_INET).or_else(|| datagrams(libc::AF_UNIX));
    SystemView {
        no_new_privs: no_new_privs(),
        seccomp_mode: Some(if has_seccomp_filter() { 2 } else { 0 }),
        makes_sockets: socket.is_some(),
        net_cookie: socket.and_then(|socket| socket::net_cookie(std::os::fd::AsFd::as_fd(&socket)).ok()),
        seatbelt: None,
    }
}
