//! What a descriptor or a thread from before the policy was applied is still good for.

use std::ffi::{CStr, CString};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::descriptor_link::descriptor_path;
use super::objects::is_same;
use super::trace::Trace;
use crate::base::threads;
use crate::record::detail_name::DetailName;
use crate::record::report::SetupFailure;
use crate::sys::Ret;
use crate::sys::linux::memory::Mapped;
use crate::sys::linux::path;
use crate::sys::linux::sole::Sole;

/// Opens a bare handle again, for reading, through `/proc/self/fd`.
pub fn read_again(trace: &mut Trace, handle: i32) -> Option<()> {
    let place = &mut [0; 32];
    let flags = libc::O_RDONLY | libc::O_NOCTTY;
    let fd = trace.operate("openat", path::open(descriptor_path(handle, place), flags, 0))? as i32;
    trace.opened(fd);
    let count = trace.operate("read", path::read(fd, &mut [0]))?;
    trace.detail(DetailName::BytesRead, count);
    trace.confirm(is_same(path::fstat(fd), path::fstat(handle)))
}

/// Opens a descriptor for reading again, for writing, through `/proc/self/fd`, and writes one byte at the end.
pub fn write_again(trace: &mut Trace, reading: i32) -> Option<()> {
    let before = path::fstat(reading);
    let place = &mut [0; 32];
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_NOCTTY;
    let fd = trace.operate("openat", path::open(descriptor_path(reading, place), flags, 0))? as i32;
    trace.opened(fd);
    let count = trace.operate("write", path::write(fd, b"x"))?;
    trace.detail(DetailName::BytesWritten, count);
    let after = path::fstat(reading);
    let grown = matches!((before, after), (Ok(before), Ok(after)) if after.size == before.size + 1);
    trace.confirm(grown && is_same(path::fstat(fd), before))
}

/// Maps the file, which was opened before, for execution, and asks the kernel whether anything lies there.
pub fn map_executable(trace: &mut Trace, fd: i32) -> Option<()> {
    trace.opened(fd);
    let mapped = Mapped::executable(fd, 1);
    trace.operate("mmap", mapped.as_ref().map(|_| 0).map_err(|errno| *errno))?;
    trace.confirm(mapped.ok()?.is_there())
}

/// The folder of a path, and the name in it.
pub(super) fn split(target: &CStr) -> Result<(CString, CString), SetupFailure> {
    let bytes = target.to_bytes();
    let (folder, name) = match bytes.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&b"/"[..], &bytes[1..]),
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&b"."[..], bytes),
    };
    let text = |bytes| CString::new(bytes).map_err(|_| SetupFailure::at("target", libc::EINVAL));
    Ok((text(folder)?, text(name)?))
}

/// Opens the file of that name in a folder that was opened before, and reads one byte.
pub fn read_beneath(trace: &mut Trace, folder: i32, target: &CStr) -> Option<()> {
    let (_, name) = split(target).ok()?;
    let fd = trace.operate("openat", path::openat(folder, &name, libc::O_RDONLY | libc::O_NOCTTY, 0))? as i32;
    trace.opened(fd);
    let count = trace.operate("read", path::read(fd, &mut [0]))?;
    trace.detail(DetailName::BytesRead, count);
    trace.confirm(is_same(path::fstat(fd), path::stat(target, 0)))
}

/// What the older thread did: what opening gave, and then what reading gave.
type ThreadResult = (Ret, Option<Ret>);

/// A thread that was started before the policy was applied. It opens and reads what it is told.
#[derive(Debug)]
pub struct OlderThread {
    ask: Sender<CString>,
    told: Receiver<ThreadResult>,
}

impl OlderThread {
    /// Starts it. It ends with the process, which is no longer one of a single thread.
    pub fn start(sole: Sole) -> Result<Self, SetupFailure> {
        let (ask, asked) = channel::<CString>();
        let (tell, told) = channel();
        let body = move || {
            for target in asked {
                let opened = path::open(&target, libc::O_RDONLY | libc::O_NOCTTY, 0);
                let read = opened.ok().map(|fd| path::read(fd as i32, &mut [0]));
                if tell.send((opened, read)).is_err() {
                    break;
                }
            }
        };
        sole.give_up();
        let started = threads::builder().and_then(|new| new.stack_size(64 * 1024).spawn(body));
        started.map_err(|error| SetupFailure::at("thread", error.raw_os_error().unwrap_or(libc::EAGAIN)))?;
        Ok(Self { ask, told })
    }

    fn read(&self, target: &CStr) -> Option<ThreadResult> {
        self.ask.send(target.to_owned()).ok()?;
        self.told.recv_timeout(Duration::from_secs(5)).ok()
    }
}

/// Lets the older thread open the target and read one byte. Descriptors are common to all threads.
pub fn read_by_older_thread(trace: &mut Trace, thread: Option<&OlderThread>, target: &CStr) -> Option<()> {
    let Some((opened, read)) = thread.and_then(|thread| thread.read(target)) else {
        trace.prepare("thread", Err(libc::ESRCH));
        return None;
    };
    let fd = trace.operate("openat", opened)? as i32;
    trace.opened(fd);
    let count = trace.operate("read", read.unwrap_or(Err(libc::EIO)))?;
    trace.detail(DetailName::BytesRead, count);
    trace.confirm(is_same(path::fstat(fd), path::stat(target, 0)))
}
