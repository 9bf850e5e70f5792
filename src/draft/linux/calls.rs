//! What a system call is about, by its number and arguments, where it begins.

use std::path::PathBuf;

use super::other_memory::{address, bytes, named, opened, text};

/// A call that has begun. What it came to is known when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BegunCall {
    /// A file is opened, with these flags.
    Opens { path: UsedPlace, flags: i32 },
    /// A file is opened by a handle: only what it came to says which.
    OpensByHandle { flags: i32 },
    /// A path is looked at.
    Looks(UsedPlace),
    /// A program is executed.
    Executes(UsedPlace),
    /// Something is connected to, or sent somewhere.
    Connects(String),
}

/// A path, and how it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsedPlace {
    /// From the root.
    pub path: PathBuf,
    /// Whether it was named so.
    pub from_root: bool,
}

/// What is to be done about a call that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallNotice {
    /// Its end is awaited.
    Await(BegunCall),
    /// A folder is listed.
    Lists(PathBuf),
    /// It concerns no file and nobody outside.
    Nothing,
    /// It could not be looked at.
    Unseen,
}

/// What a call is about.
pub(super) fn notice(pid: i32, number: i64, arguments: [u64; 6]) -> CallNotice {
    let [first, second, third, fourth, ..] = arguments;
    let here = libc::AT_FDCWD as u64;
    match number {
        libc::SYS_openat => opens(pid, first, second, third as i32),
        libc::SYS_openat2 => match bytes(pid, third) {
            Some(how) => opens(pid, first, second, u64::from_ne_bytes(how) as i32),
            None => CallNotice::Unseen,
        },
        libc::SYS_open_by_handle_at => CallNotice::Await(BegunCall::OpensByHandle { flags: third as i32 }),
        libc::SYS_execve => place(pid, here, first, BegunCall::Executes),
        libc::SYS_execveat => place(pid, first, second, BegunCall::Executes),
        libc::SYS_newfstatat | libc::SYS_statx | libc::SYS_faccessat | libc::SYS_faccessat2 | libc::SYS_readlinkat => {
            place(pid, first, second, BegunCall::Looks)
        }
        libc::SYS_getdents64 => lists(pid, first),
        libc::SYS_connect => match address(pid, second, third) {
            Some(address) => CallNotice::Await(BegunCall::Connects(address)),
            None => CallNotice::Nothing,
        },
        libc::SYS_sendto => match address(pid, arguments[4], arguments[5]) {
            Some(address) => CallNotice::Await(BegunCall::Connects(address)),
            None => CallNotice::Nothing,
        },
        _ => older(pid, number, [first, second, third, fourth]),
    }
}

#[cfg(target_arch = "x86_64")]
fn older(pid: i32, number: i64, [first, second, ..]: [u64; 4]) -> CallNotice {
    let here = libc::AT_FDCWD as u64;
    match number {
        libc::SYS_open => opens(pid, here, first, second as i32),
        libc::SYS_creat => opens(pid, here, first, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC),
        libc::SYS_stat | libc::SYS_lstat | libc::SYS_access | libc::SYS_readlink => {
            place(pid, here, first, BegunCall::Looks)
        }
        libc::SYS_getdents => lists(pid, first),
        _ => CallNotice::Nothing,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn older(_pid: i32, _number: i64, _arguments: [u64; 4]) -> CallNotice {
    CallNotice::Nothing
}

fn lists(pid: i32, fd: u64) -> CallNotice {
    opened(pid, i64::from(fd as i32)).map_or(CallNotice::Unseen, CallNotice::Lists)
}

fn opens(pid: i32, dir: u64, name: u64, flags: i32) -> CallNotice {
    place(pid, dir, name, |path| BegunCall::Opens { path, flags })
}

fn place(pid: i32, dir: u64, name: u64, what: impl FnOnce(UsedPlace) -> BegunCall) -> CallNotice {
    let Some(name) = text(pid, name) else {
        // A null pointer stands for the descriptor itself, as an empty name does.
        return if name == 0 { CallNotice::Nothing } else { CallNotice::Unseen };
    };
    if name.is_empty() {
        return CallNotice::Nothing;
    }
    match named(pid, dir, &name) {
        Some(path) => CallNotice::Await(what(UsedPlace { path, from_root: name.starts_with(b"/") })),
        None => CallNotice::Unseen,
    }
}
