//! Parts of the kernel that many sandboxes keep from programs altogether. Each is used, so that a call that was answered by
//! somebody else than the kernel is told apart.

use std::ffi::CStr;

use super::net::open_of;
use super::objects::is_same;
use super::trace::Trace;
use crate::record::detail_name::DetailName;
use crate::sys::linux::memory::random;
use crate::sys::linux::path;
use crate::sys::linux::surface::{
    BpfArray, Ring, perf_task_clock, ring, userfaultfd as make_userfaultfd, userfaultfd_requests,
};

/// Makes a map of bpf(2), and lets it keep a number.
pub fn bpf(trace: &mut Trace) -> Option<()> {
    let number = random().ok()?;
    let made = BpfArray::new();
    trace.operate("bpf", made.as_ref().map(|map| map.number().into()).map_err(|errno| *errno))?;
    let map = made.ok()?;
    trace.confirm(map.put(number).is_ok() && map.get(!number) == Ok(Some(number)))
}

/// Counts how long this process runs.
pub fn perf(trace: &mut Trace) -> Option<()> {
    let fd = trace.operate("perf_event_open", perf_task_clock())? as i32;
    let mut counted = 0;
    for _ in 0..1000 {
        let mut bytes = [0; 8];
        counted = match path::read(fd, &mut bytes) {
            Ok(8) => u64::from_ne_bytes(bytes),
            _ => 0,
        };
        if counted != 0 {
            break;
        }
    }
    trace.confirm(counted != 0)
}

/// Makes a descriptor for page faults, and asks which requests it knows.
pub fn userfaultfd(trace: &mut Trace) -> Option<()> {
    let fd = trace.operate("userfaultfd", make_userfaultfd())? as i32;
    trace.confirm(userfaultfd_requests(fd).is_ok_and(|requests| requests != 0))
}

/// Makes an io_uring, and lets it complete a request that does nothing.
pub fn uring(trace: &mut Trace) -> Option<()> {
    let (made, ring) = ring();
    trace.operate("io_uring_setup", made)?;
    let Some(ring) = ring else { return trace.confirm(false) };
    let (entered, completed) = ring.nothing(random().ok()?);
    trace.operate("io_uring_enter", entered)?;
    trace.confirm(matches!(completed, Some(Ok(_))))
}

/// A ring for an operation through it; that it is there only prepares.
fn prepared(trace: &mut Trace) -> Option<Ring> {
    let (made, ring) = ring();
    trace.prepare("io_uring_setup", made)?;
    if ring.is_none() {
        trace.prepare("mmap", Err(libc::ENOMEM));
    }
    ring
}

/// Opens the target for reading through an io_uring, and reads one byte by read(2).
pub fn uring_read(trace: &mut Trace, target: &CStr) -> Option<()> {
    let ring = prepared(trace)?;
    let (entered, opened) = ring.open(target, libc::O_RDONLY | libc::O_NOCTTY, random().ok()?);
    trace.prepare("io_uring_enter", entered)?;
    let fd = trace.operate("openat", opened.unwrap_or(Err(libc::EIO)))? as i32;
    trace.opened(fd);
    let count = trace.operate("read", path::read(fd, &mut [0]))?;
    trace.detail(DetailName::BytesRead, count);
    trace.confirm(is_same(path::fstat(fd), path::stat(target, 0)))
}

/// Connects a TCP socket through an io_uring.
pub fn uring_connect(trace: &mut Trace, target: &str) -> Option<()> {
    let (fd, address) = open_of(trace, target, libc::SOCK_STREAM, 0)?;
    let ring = prepared(trace)?;
    let (entered, connected) = ring.connect(fd, &address, random().ok()?);
    trace.prepare("io_uring_enter", entered)?;
    trace.operate("connect", connected.unwrap_or(Err(libc::EIO))).map(|_| ())
}
