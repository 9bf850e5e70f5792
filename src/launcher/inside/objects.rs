//! Objects of a question that somebody else made: what was handed down, what has a number, what may be mounted on.

use std::ffi::CString;

use crate::launcher::said::{PerformRequest, WorkerReport};
use crate::probe::{self, Preparation, Prepared, Trace};
use crate::record::driver::Driver;
use crate::sys::linux::path;
use crate::sys::linux::process::{empty_call, ignore_signal};

/// `CAP_SYS_ADMIN` of <linux/capability.h>.
const SYS_ADMIN: u32 = 21;

/// Finds them, or says how the operation ended without them.
pub(super) fn given(order: &PerformRequest, inherited: &[i32]) -> Result<Preparation, Box<WorkerReport>> {
    let mut given = Preparation::default();
    match order.action.driver {
        Driver::DescriptorRead => match inherited.iter().find(|fd| is_it(**fd, order.handed_down)) {
            Some(fd) => given.fd = *fd,
            None => return Err(ended("read", Err(libc::EBADF))),
        },
        Driver::SysvShm => given.id = order.ipc_id.unwrap_or(-1),
        Driver::TtyIoctl | Driver::TtyInject => {
            // A process in the background would be stopped.
            ignore_signal(libc::SIGTTIN);
            ignore_signal(libc::SIGTTOU);
            match path::open(c"/dev/tty", libc::O_RDWR | libc::O_NOCTTY, 0) {
                Ok(fd) => given.fd = fd as i32,
                Err(errno) => return Err(ended("openat", Err(errno))),
            }
        }
        Driver::PosixShm => {
            let name = format!("/dev/shm/sandproof-{}", uuid::Uuid::new_v4().simple());
            given.name = CString::new(name).unwrap_or_default();
        }
        driver if driver.mounts() => enter_private(driver)?,
        _ => {}
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
fn enter_private(driver: Driver) -> Result<(), Box<WorkerReport>> {
    let namespace = || std::fs::read_link("/proc/self/ns/mnt").ok();
    let before = namespace();
    let entered = probe::private_namespace();
    let is_another = before.is_some() && namespace().is_some_and(|now| Some(now) != before);
    if (entered.is_ok() && is_another) || may_not_mount() {
        return Ok(());
    }
    let (call, number) = match driver {
        Driver::Chroot => ("chroot", libc::SYS_chroot),
        Driver::PivotRoot => ("pivot_root", libc::SYS_pivot_root),
        _ => ("mount", libc::SYS_mount),
    };
    // The kernel cannot read these arguments: any other answer is somebody else's.
    match empty_call(number, 0, 0) {
        Err(libc::EFAULT) => Err(Box::new(WorkerReport { cannot: true, ..WorkerReport::default() })),
        answer => Err(ended(call, answer)),
    }
}

/// Whether this process is known to lack the capability that mounting needs.
fn may_not_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    capabilities.is_some_and(|all| all & (1 << SYS_ADMIN) == 0)
}
