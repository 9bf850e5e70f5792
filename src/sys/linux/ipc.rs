//! System V IPC and POSIX message queues.

use std::ffi::CStr;
use std::ptr;

use crate::sys::Ret;
use crate::sys::ret::outcome;

/// Of what kind a System V object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcKind {
    /// Shared memory.
    Memory,
    /// A set of semaphores.
    Semaphores,
    /// A queue of messages.
    Queue,
}

/// shmget(2), semget(2) or msgget(2): a new object of that key, for this user alone. Memory has a page, a set one semaphore.
pub fn create(kind: IpcKind, key: i32) -> Ret {
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | 0o600;
    // SAFETY: no memory is involved.
    outcome(unsafe {
        match kind {
            IpcKind::Memory => libc::shmget(key, 4096, flags),
            IpcKind::Semaphores => libc::semget(key, 1, flags),
            IpcKind::Queue => libc::msgget(key, flags),
        }
    })
}

/// The key of the object of that number; see `IPC_STAT` in shmctl(2), semctl(2), msgctl(2).
pub fn key_of(kind: IpcKind, id: i32) -> Result<i32, i32> {
    // The largest of the three structures has 120 bytes (<asm-generic/shmbuf.h>, sembuf.h, msgbuf.h), and each begins with
    // `struct ipc64_perm`, which begins with the key.
    let mut found = [0_u64; 32];
    let place = found.as_mut_ptr();
    // SAFETY: the kernel writes less than the 256 bytes of the array.
    outcome(unsafe {
        match kind {
            IpcKind::Memory => libc::syscall(libc::SYS_shmctl, id, libc::IPC_STAT, place),
            IpcKind::Semaphores => libc::syscall(libc::SYS_semctl, id, 0, libc::IPC_STAT, place),
            IpcKind::Queue => libc::syscall(libc::SYS_msgctl, id, libc::IPC_STAT, place),
        }
    })?;
    let bytes = found[0].to_ne_bytes();
    Ok(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// The command `IPC_RMID` of shmctl(2), semctl(2) or msgctl(2). Memory goes when nobody has it attached any more.
pub fn remove(kind: IpcKind, id: i32) -> Ret {
    // SAFETY: the command takes no memory.
    outcome(unsafe {
        match kind {
            IpcKind::Memory => libc::shmctl(id, libc::IPC_RMID, ptr::null_mut()),
            IpcKind::Semaphores => libc::semctl(id, 0, libc::IPC_RMID, 0_u64),
            IpcKind::Queue => libc::msgctl(id, libc::IPC_RMID, ptr::null_mut()),
        }
    })
}

/// A segment that is attached, until this is dropped or the process ends.
#[derive(Debug)]
pub struct Attached {
    at: *mut libc::c_void,
    read_only: bool,
}

impl Attached {
    /// shmat(2), for reading and writing or for reading alone. Where it came to lie counts as the value of the call.
    pub fn to(id: i32, read_only: bool) -> Result<Self, i32> {
        let flags = if read_only { libc::SHM_RDONLY } else { 0 };
        // SAFETY: the kernel picks a place where nothing is mapped.
        let at = unsafe { libc::shmat(id, ptr::null(), flags) };
        // -1 in the manner of C; and a filter that answers for the kernel says 0, where nothing can lie.
        if at as isize == -1 { Err(nix::errno::Errno::last_raw()) } else { Ok(Self { at, read_only }) }
    }

    /// The number at its beginning; `None` if there is no memory.
    pub fn number(&self) -> Option<u64> {
        // SAFETY: a segment has at least a page, and lives as long as `self`. Others may write to it, so the read is
        // volatile.
        (!self.at.is_null()).then(|| unsafe { self.at.cast::<u64>().read_volatile() })
    }

    /// Writes the number at its beginning, unless it is attached for reading alone.
    pub fn put(&self, number: u64) {
        if !self.at.is_null() && !self.read_only {
            // SAFETY: as in `number`; the memory may be written to.
            unsafe { self.at.cast::<u64>().write_volatile(number) };
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if !self.at.is_null() {
            // SAFETY: the segment was attached by this value, and nobody has a reference into it.
            unsafe { libc::shmdt(self.at) };
        }
    }
}

/// The command `SETVAL` of semctl(2).
pub fn set_semaphore(id: i32, value: i32) -> Ret {
    // SAFETY: the command takes a number, which is passed as `union semun` is, in a register.
    outcome(unsafe { libc::semctl(id, 0, libc::SETVAL, libc::c_long::from(value)) })
}

/// The command `GETVAL` of semctl(2).
pub fn semaphore(id: i32) -> Ret {
    // SAFETY: the command takes nothing.
    outcome(unsafe { libc::semctl(id, 0, libc::GETVAL) })
}

/// A message as msgsnd(2) takes it.
#[repr(C)]
struct Message {
    kind: libc::c_long,
    text: [u8; 8],
}

/// msgsnd(2) of eight bytes, without waiting.
pub fn send(id: i32, text: [u8; 8]) -> Ret {
    let message = Message { kind: 1, text };
    // SAFETY: the kernel reads the kind and eight bytes.
    outcome(unsafe { libc::msgsnd(id, (&raw const message).cast(), 8, libc::IPC_NOWAIT) })
}

/// msgrcv(2) of eight bytes, without waiting. What it received, if it received that many.
pub fn receive(id: i32) -> Result<Option<[u8; 8]>, i32> {
    let mut message = Message { kind: 0, text: [0; 8] };
    // SAFETY: the kernel writes the kind and at most eight bytes.
    let count = outcome(unsafe { libc::msgrcv(id, (&raw mut message).cast(), 8, 0, libc::IPC_NOWAIT) } as i64)?;
    Ok((count == 8).then_some(message.text))
}

/// mq_open(3): a new queue of that name (the call takes it without the slash) for one message of eight bytes.
pub fn new_posix_queue(name: &CStr) -> Ret {
    // SAFETY: all zeros are a value of the structure.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    (attributes.mq_maxmsg, attributes.mq_msgsize) = (1, 8);
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: `name` is NUL-terminated, the kernel reads one `struct mq_attr`.
    outcome(unsafe { libc::syscall(libc::SYS_mq_open, name.as_ptr(), flags, 0o600, &raw const attributes) })
}

/// mq_unlink(3).
pub fn remove_posix_queue(name: &CStr) -> Ret {
    // SAFETY: `name` is NUL-terminated and only read during the call.
    outcome(unsafe { libc::syscall(libc::SYS_mq_unlink, name.as_ptr()) })
}

/// mq_send(3) of eight bytes.
pub fn send_posix(fd: i32, text: [u8; 8]) -> Ret {
    // SAFETY: the kernel reads eight bytes; without a time it waits for none in a queue that does not block.
    outcome(unsafe { libc::syscall(libc::SYS_mq_timedsend, fd, text.as_ptr(), 8_u64, 0_u32, 0_u64) })
}

/// mq_receive(3) of eight bytes. What it received, if it received that many.
pub fn receive_posix(fd: i32) -> Result<Option<[u8; 8]>, i32> {
    let mut text = [0; 8];
    // SAFETY: the kernel writes at most eight bytes; the place for the priority may be null.
    let count =
        outcome(unsafe { libc::syscall(libc::SYS_mq_timedreceive, fd, text.as_mut_ptr(), 8_u64, 0_u64, 0_u64) })?;
    Ok((count == 8).then_some(text))
}
