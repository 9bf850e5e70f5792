//! What can be done to a process that is outside the coming domain. It is a child of the probe that holds the token at an
//! address, behind a descriptor and in its environment, none of which the probe has any more: what was read can only be its.

use std::ffi::CString;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use super::helper::keep_only;
use super::made::Preparation;
use super::objects::is_same;
use super::process::is_hidden;
use super::trace::Trace;
use crate::record::report::ENVIRONMENT_ROOM;
use crate::sys::Ret;
use crate::sys::linux::memory::{Mapped, attach, detach, peek, pread, process_vm_readv};
use crate::sys::linux::path;
use crate::sys::linux::process::{die_with_parent, nice, pause_ms, pidfd_getfd, pidfd_open, pipe, set_nice, wait};
use crate::sys::linux::sole::Sole;

/// What stands before the sixteen digits of the token in its environment.
const MARK: &str = "sandproof-";

/// A process outside that waits, to be acted upon.
#[derive(Debug)]
pub struct ForeignProcess {
    pid: i32,
    /// It lives as long as this end of its pipe is open.
    control: OwnedFd,
}

impl ForeignProcess {
    /// Starts it, and notes in `made` who and where it is.
    pub fn start(made: &mut Preparation, sole: &Sole) -> Result<Self, i32> {
        let token = made.draw()?;
        let page = Mapped::page(token)?;
        let (held, filling) = pipe()?;
        path::write(filling.as_raw_fd(), &token.to_ne_bytes())?;
        let (until, control) = pipe()?;
        let (ready, telling) = pipe()?;
        let pid = sole.fork(|child| {
            // Without room in the environment only one driver has nothing to find.
            let _ = child.overwrite_environment(ENVIRONMENT_ROOM.0, format!("{MARK}{token:016x}").as_bytes());
            let _ = path::write(telling.as_raw_fd(), b"r");
            live(&child, until.as_raw_fd(), held.as_raw_fd())
        })?;
        (made.pid, made.fd, made.address) = (pid, held.as_raw_fd(), page.address());
        drop([held, filling, until, telling]);
        let told = path::read(ready.as_raw_fd(), &mut [0]);
        if told == Ok(1) { Ok(Self { pid, control }) } else { Err(libc::ECHILD) }
    }

    /// Ends it. One that does not notice, because somebody holds it, goes with this process.
    pub fn end(self) {
        drop(self.control);
        for _ in 0..200 {
            match wait(self.pid, libc::WNOHANG) {
                Ok(None) => pause_ms(1),
                Ok(Some((_, status))) if libc::WIFSTOPPED(status) => {}
                _ => return,
            }
        }
    }
}

/// The body of the process.
fn live(sole: &Sole, until: i32, held: i32) -> i32 {
    if die_with_parent().and_then(|_| keep_only(sole, [until, held])).is_err() {
        return 2;
    }
    while path::read(until, &mut [0]) == Err(libc::EINTR) {}
    0
}

/// Attaches as a debugger would, and reads the token.
pub fn debug(trace: &mut Trace, made: &Preparation) -> Option<()> {
    trace.operate("ptrace", attach(made.pid))?;
    for _ in 0..500 {
        match wait(made.pid, libc::WNOHANG) {
            Ok(None) => pause_ms(1),
            _ => break,
        }
    }
    let found = peek(made.pid, made.address);
    let _ = detach(made.pid);
    made.compare(trace, found.ok())
}

/// Takes its descriptor, and reads the token from it.
pub fn take_descriptor(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let process = pidfd_open(made.pid).map(IntoRawFd::into_raw_fd);
    let process = trace.prepare("pidfd_open", process.map(i64::from))? as i32;
    let fd = trace.operate("pidfd_getfd", pidfd_getfd(process, made.fd))? as i32;
    let mut bytes = [0; 8];
    let count = path::read(fd, &mut bytes);
    made.compare(trace, (count == Ok(8)).then(|| u64::from_ne_bytes(bytes)))
}

/// Reads the token from its memory.
pub fn read_memory(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let read = process_vm_readv(made.pid, made.address);
    trace.operate("process_vm_readv", read.map(|(count, _)| count))?;
    let (count, found) = read.ok()?;
    made.compare(trace, (count == 8).then_some(found))
}

fn file_of(pid: i32, name: &str) -> CString {
    CString::new(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

/// Opens one of its files. That it is not there is a refusal only where `/proc` hides it.
fn open(trace: &mut Trace, pid: i32, name: &str, flags: i32) -> Option<i32> {
    let opened: Ret = path::open(&file_of(pid, name), flags, 0);
    if opened == Err(libc::ENOENT) && !is_hidden(pid) {
        return trace.prepare("openat", opened).map(|fd| fd as i32);
    }
    trace.operate("openat", opened).map(|fd| fd as i32)
}

/// Reads its environment.
#[inline(never)]
pub fn environment(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let fd = open(trace, made.pid, "environ", libc::O_RDONLY)?;
    let mut bytes = [0; 4096];
    let count = trace.operate("read", path::read(fd, &mut bytes))? as usize;
    let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or(&[])).into_owned();
    let digits = text.split_once(MARK).and_then(|(_, rest)| rest.get(..16));
    made.compare(trace, digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()))
}

/// Reads which memory it has mapped, and looks for the page with the token.
#[inline(never)]
pub fn maps(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let fd = open(trace, made.pid, "maps", libc::O_RDONLY)?;
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    let count = trace.operate("read", path::read(fd, &mut bytes))? as usize;
    text.extend_from_slice(bytes.get(..count).unwrap_or(&[]));
    while let Ok(count @ 1..) = path::read(fd, &mut bytes) {
        text.extend_from_slice(bytes.get(..count as usize).unwrap_or(&[]));
    }
    let holds = |line: &str| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some((number(from)?..number(to)?).contains(&made.address))
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    trace.confirm(text.lines().any(|line| holds(line) == Some(true)))
}

/// Reads the token through its memory file.
pub fn memory_file(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let fd = open(trace, made.pid, "mem", libc::O_RDONLY)?;
    let mut bytes = [0; 8];
    let count = trace.operate("pread64", pread(fd, &mut bytes, made.address))?;
    made.compare(trace, (count == 8).then(|| u64::from_ne_bytes(bytes)))
}

/// Goes through the link to its root folder.
pub fn root(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let fd = open(trace, made.pid, "root", libc::O_PATH | libc::O_DIRECTORY)?;
    trace.opened(fd);
    // Where somebody else made the process, only he knows its root.
    made.token.map_or(Some(()), |_| trace.confirm(is_same(path::fstat(fd), path::stat(c"/", 0))))
}

/// Lowers its priority by one.
pub fn lower_priority(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let before = nice(made.pid);
    trace.prepare("getpriority", before.map(i64::from))?;
    // From the lowest there is nowhere to go.
    let lower = before.ok().map(|nice| nice + 1).filter(|nice| *nice <= 19);
    let Some(lower) = lower else { return trace.prepare("getpriority", Err(libc::ERANGE)).map(|_| ()) };
    trace.operate("setpriority", set_nice(made.pid, lower))?;
    trace.confirm(nice(made.pid) == Ok(lower))
}
