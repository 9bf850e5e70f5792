//! System V IPC and POSIX message queues. What the host has of them is never touched: objects are made for the probe, under
//! keys and names that nobody has, and are gone when it ends.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use super::helper::keep_only;
use super::made::Preparation;
use super::trace::Trace;
use crate::sys::linux::ipc::{self, Attached, IpcKind};
use crate::sys::linux::memory::{Mapped, random};
use crate::sys::linux::path;
use crate::sys::linux::process::{pipe, set_process_group, wait};
use crate::sys::linux::sole::Sole;

/// A key that nobody has; `IPC_PRIVATE` is 0.
fn fresh_key() -> Result<i32, i32> {
    Ok(((random()? >> 33) as i32).max(1))
}

/// What cannot be told apart from other people's and removed again is not made: to ask about nothing, and to remove it, has
/// to fail for that very reason.
fn can_be_removed(kind: IpcKind) -> Result<(), i32> {
    for refused in [ipc::key_of(kind, -1).map(|_| ()), ipc::remove(kind, -1).map(|_| ())] {
        match refused {
            Err(libc::EINVAL) => {}
            other => return Err(other.err().unwrap_or(libc::EIO)),
        }
    }
    Ok(())
}

/// Makes shared memory that holds the token. It is removed at once, and stays for as long as it is attached here; others may
/// still attach it by its number (shmctl(2), `IPC_RMID`).
pub fn make_segment(made: &mut Preparation) -> Result<(), i32> {
    can_be_removed(IpcKind::Memory)?;
    let (token, key) = (made.draw()?, fresh_key()?);
    let id = ipc::create(IpcKind::Memory, key)? as i32;
    // A filter that answers for the kernel could have given the number of somebody else's.
    if ipc::key_of(IpcKind::Memory, id) != Ok(key) {
        return Err(libc::EIDRM);
    }
    let segment = Attached::to(id, false);
    ipc::remove(IpcKind::Memory, id)?;
    let segment = segment?;
    segment.put(token);
    (made.id, made.segment) = (id, Some(segment));
    Ok(())
}

/// Attaches shared memory that somebody made, and reads what it holds.
pub fn attach(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let attached = Attached::to(made.id, true);
    trace.operate("shmat", attached.as_ref().map(|_| 0).map_err(|errno| *errno))?;
    made.compare(trace, attached.ok()?.number())
}

/// Makes a semaphore, and lets it keep a number.
pub fn semaphore(trace: &mut Trace) -> Option<()> {
    if let Err(errno) = can_be_removed(IpcKind::Semaphores) {
        return trace.prepare("semctl", Err(errno)).map(|_| ());
    }
    let (key, value) = (fresh_key().ok()?, (random().ok()? & 0x7fff) as i32);
    let id = trace.operate("semget", ipc::create(IpcKind::Semaphores, key))? as i32;
    if ipc::key_of(IpcKind::Semaphores, id) != Ok(key) {
        return trace.confirm(false);
    }
    let set = ipc::set_semaphore(id, value);
    let found = ipc::semaphore(id);
    let _ = ipc::remove(IpcKind::Semaphores, id);
    trace.confirm(set.is_ok() && found == Ok(i64::from(value)))
}

/// Makes a queue, and lets it carry a message.
pub fn queue(trace: &mut Trace) -> Option<()> {
    if let Err(errno) = can_be_removed(IpcKind::Queue) {
        return trace.prepare("msgctl", Err(errno)).map(|_| ());
    }
    let (key, text) = (fresh_key().ok()?, random().ok()?.to_ne_bytes());
    let id = trace.operate("msgget", ipc::create(IpcKind::Queue, key))? as i32;
    if ipc::key_of(IpcKind::Queue, id) != Ok(key) {
        return trace.confirm(false);
    }
    let sent = ipc::send(id, text);
    let found = ipc::receive(id);
    let _ = ipc::remove(IpcKind::Queue, id);
    trace.confirm(sent.is_ok() && found == Ok(Some(text)))
}

/// A process outside the coming domain that removes what the probe makes, also where the probe may not, and however it ends.
#[derive(Debug)]
pub struct Remover {
    pid: i32,
    /// It acts when this end of its pipe is closed.
    control: OwnedFd,
}

impl Remover {
    /// Draws the name of a shared memory object, and starts the process.
    pub fn start(made: &mut Preparation, sole: &Sole) -> Result<Self, i32> {
        made.name = CString::new(format!("/dev/shm/sandproof-{:016x}", random()?)).map_err(|_| libc::EINVAL)?;
        let (until, control) = pipe()?;
        let pid = sole.fork(|child| {
            let until = until.as_raw_fd();
            // A group of its own: the probe's is killed as a whole when it overruns its deadline.
            let alone = set_process_group(0, 0).and_then(|_| keep_only(&child, [until, until]));
            while path::read(until, &mut [0]) == Err(libc::EINTR) {}
            let _ = path::unlink(&made.name, 0);
            i32::from(alone.is_err())
        })?;
        Ok(Self { pid, control })
    }

    /// Lets it act, and waits for it.
    pub fn end(self) {
        drop(self.control);
        let _ = wait(self.pid, 0);
    }
}

/// Makes a shared memory object (shm_open(3)), and finds in memory what was written to it.
pub fn shared_memory(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let text = random().ok()?.to_ne_bytes();
    let fd = trace.operate("openat", path::open(&made.name, flags, 0o600))? as i32;
    let written = path::write(fd, &text);
    let found = Mapped::shared(fd, text.len(), 0).map(|memory| memory.get::<8>(0));
    trace.confirm(written == Ok(8) && found == Ok(text))
}

/// Makes a POSIX message queue, removes its name, and lets it carry a message.
pub fn posix_queue(trace: &mut Trace) -> Option<()> {
    let name = CString::new(format!("sandproof-{:016x}", random().ok()?)).ok()?;
    match ipc::remove_posix_queue(&name) {
        Err(libc::ENOENT) => {}
        other => return trace.prepare("mq_unlink", Err(other.err().unwrap_or(libc::EIO))).map(|_| ()),
    }
    let text = random().ok()?.to_ne_bytes();
    let fd = trace.operate("mq_open", ipc::new_posix_queue(&name))? as i32;
    let _ = ipc::remove_posix_queue(&name);
    trace.confirm(ipc::send_posix(fd, text).is_ok() && ipc::receive_posix(fd) == Ok(Some(text)))
}
