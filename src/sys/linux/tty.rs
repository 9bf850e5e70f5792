//! Terminals.

use std::os::fd::OwnedFd;

use crate::sys::Ret;
use crate::sys::ret::{made, outcome};

/// ioctl(2) `TIOCSPTLCK` with 0: the other end may be opened. See unlockpt(3).
pub fn unlock(master: i32) -> Ret {
    let off: libc::c_int = 0;
    // SAFETY: the kernel reads one `int`.
    outcome(unsafe { libc::ioctl(master, libc::TIOCSPTLCK, &raw const off) })
}

/// ioctl(2) `TIOCGPTPEER`: a descriptor of the other end, without a path.
pub fn peer(master: i32) -> Result<OwnedFd, i32> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the request takes a plain number, and the descriptor that it makes is nobody else's.
    unsafe { made(outcome(libc::ioctl(master, libc::TIOCGPTPEER, flags))) }
}

/// ioctl(2) `TIOCSWINSZ`: rows and columns.
pub fn set_size(fd: i32, rows: u16, columns: u16) -> Ret {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel reads one `struct winsize`.
    outcome(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) })
}

/// ioctl(2) `TIOCGWINSZ`: rows and columns.
pub fn size(fd: i32) -> Result<(u16, u16), i32> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one `struct winsize`.
    outcome(unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) })?;
    Ok((size.ws_row, size.ws_col))
}

/// ioctl(2) `TIOCSCTTY`: the terminal becomes that of this session.
pub fn control(fd: i32) -> Ret {
    // SAFETY: the request takes a plain number.
    outcome(unsafe { libc::ioctl(fd, libc::TIOCSCTTY, 0) })
}

/// ioctl(2) `TIOCSTI`: one byte as if it had been typed.
pub fn inject(fd: i32, byte: u8) -> Ret {
    // SAFETY: the kernel reads one byte.
    outcome(unsafe { libc::ioctl(fd, libc::TIOCSTI, &raw const byte) })
}

/// setsid(2).
pub fn new_session() -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::setsid() })
}

/// A terminal that a command's session gets, by the number of its descriptor.
#[derive(Debug, Clone, Copy)]
pub struct SessionTerminal(pub i32);

impl SessionTerminal {
    /// Lets a command begin as the leader of a session of its own, which this terminal controls.
    pub fn lead(self, command: &mut std::process::Command) {
        let Self(fd) = self;
        let begin =
            move || new_session().and_then(|_| control(fd)).map(|_| ()).map_err(std::io::Error::from_raw_os_error);
        // SAFETY: between fork and exec two system calls are made, and nothing is allocated.
        unsafe { std::os::unix::process::CommandExt::pre_exec(command, begin) };
    }
}

/// getpgid(2).
pub fn group_of(pid: i32) -> Ret {
    // SAFETY: no memory is involved.
    outcome(unsafe { libc::getpgid(pid) })
}
