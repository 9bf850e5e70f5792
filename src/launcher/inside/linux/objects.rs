//! Objects of a question that somebody else made: what was handed down, what has a number, what may be mounted on.

use std::ffi::CString;

use crate::launcher::said::{PerformRequest, WorkerReport};
use crate::probe::{self, Beforehand, Preparation, Prepared, Trace};
use crate::record::driver::Driver;
use crate::sys::linux::empty_syscall::EmptySyscall;
use crate::sys::linux::path;
use crate::sys::linux::process::ignore_signal;
use crate::sys::linux::sole::Sole;

/// `CAP_SYS_ADMIN` of <linux/capability.h>.
const SYS_ADMIN: u32 = 21;

/// Finds them, or says how the operation ended without them.
pub(super) fn given(
    order: &PerformRequest,
    inherited: &[i32],
    sole: Option<&Sole>,
) -> Result<Preparation, Box<WorkerReport>> {
    let mut given = Preparation::default();
    let driver = order.action.driver;
    if driver.mounts() {
        enter_private(driver, sole)?;
    }
    match Beforehand::of(driver) {
        Beforehand::Pipe => match inherited.iter().find(|fd| is_it(**fd, order.handed_down)) {
            Some(fd) => given.fd = *fd,
            None => return Err(ended("read", Err(libc::EBADF))),
        },
        Beforehand::Folder => match inherited.iter().find(|fd| is_it(**fd, order.handed_down)) {
            Some(fd) => given.fd = *fd,
            None => return Err(ended("openat", Err(libc::EBADF))),
        },
        Beforehand::SharedMemory => given.id = order.ipc_id.unwrap_or(-1),
        Beforehand::Terminal | Beforehand::ControllingTerminal => {
            // A process in the background would be stopped.
            ignore_signal(libc::SIGTTIN);
            ignore_signal(libc::SIGTTOU);
            match path::open(c"/dev/tty", libc::O_RDWR | libc::O_NOCTTY, 0) {
                Ok(fd) => (given.fd, given.token) = (fd as i32, order.drawn),
                Err(errno) => return Err(ended("openat", Err(errno))),
            }
        }
        Beforehand::Remover => {
            let name = format!("/dev/shm/sandproof-{}", uuid::Uuid::new_v4().simple());
            given.name = CString::new(name).unwrap_or_default();
        }
        // Found by the operation itself, or opened or refused by `prepare_inside`.
        Beforehand::Nothing
        | Beforehand::Target(_)
        | Beforehand::OlderThread
        | Beforehand::Variable
        | Beforehand::OutsideProcess
        | Beforehand::SignalledProcess
        | Beforehand::Mount
        | Beforehand::Key => {}
    }
    Ok(given)
}

/// Removes what the operation itself has made beside the run's own folders.
pub(super) fn take_away(prepared: &Prepared<'_>) {
    if let Some(name) = prepared.new_name() {
        let _ = path::unlink(name, 0);
    }
}

fn is_it(fd: i32, wanted: Option<(u64, u64)>) -> bool {
    path::fstat(fd).is_ok_and(|found| Some((found.dev, found.ino)) == wanted)
}

fn ended(call: &'static str, how: crate::sys::Ret) -> Box<WorkerReport> {
    let mut trace = Trace::new();
    let consequence = trace.operate(call, how).map(|_| false);
    Box::new(WorkerReport { operation: Some(trace.finish()), consequence, ..WorkerReport::default() })
}

/// Goes into a mount namespace of its own, where nothing that is mounted can be seen by anybody else. Where there is none, the
/// operation is only tried if the kernel itself is sure to refuse it.
fn enter_private(driver: Driver, sole: Option<&Sole>) -> Result<(), Box<WorkerReport>> {
    let namespace = || std::fs::read_link("/proc/self/ns/mnt").ok();
    let before = namespace();
    let entered = sole.is_some_and(|sole| probe::private_namespace(sole).is_ok());
    let is_another = before.is_some() && namespace().is_some_and(|now| Some(now) != before);
    if (entered && is_another) || may_not_mount() {
        return Ok(());
    }
    let call = match driver {
        Driver::Chroot => "chroot",
        Driver::PivotRoot => "pivot_root",
        _ => "mount",
    };
    // The kernel cannot read these arguments: any other answer is somebody else's.
    match EmptySyscall::of(call, 0).map(EmptySyscall::make) {
        None | Some(Err(libc::EFAULT)) => Err(Box::new(WorkerReport { cannot: true, ..WorkerReport::default() })),
        Some(answer) => Err(ended(call, answer)),
    }
}

/// Whether this process is known to lack the capability that mounting needs.
fn may_not_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    capabilities.is_some_and(|all| all & (1 << SYS_ADMIN) == 0)
}
