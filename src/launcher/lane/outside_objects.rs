//! What is made outside for a question, for the processes that are started afterwards: a descriptor that they inherit, shared
//! memory and keys that they may find, a terminal that controls them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::launcher::inside::TOKENS;
use crate::probe::{self, Preparation};
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::sys::linux::{path, tty};

/// Numbers from here on are rarely closed by programs that start others.
const HIGH: i32 = 40;
/// The size that a terminal's window has before anybody asks.
const ROWS_AND_COLUMNS: (u16, u16) = (4097, 4099);

/// One object.
#[derive(Debug)]
pub(super) enum OutsideObject {
    /// A pipe full of tokens.
    Pipe { reading: OwnedFd, token: u64 },
    /// Shared memory or a key.
    Kernel(Preparation),
    /// A terminal. It is asked about through the process's own session.
    Terminal { ours: Terminal, injects: bool },
}

/// Both ends of a pseudo terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
    pub(super) peer: OwnedFd,
}

impl Terminal {
    /// Makes one.
    pub(super) fn make() -> Result<Self, i32> {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let master = owned(path::open(c"/dev/ptmx", flags, 0)? as i32);
        tty::unlock(master.as_raw_fd())?;
        let peer = owned(tty::peer(master.as_raw_fd())? as i32);
        close_on_exec(&peer)?;
        tty::set_size(peer.as_raw_fd(), ROWS_AND_COLUMNS.0, ROWS_AND_COLUMNS.1)?;
        Ok(Self { master, peer })
    }
}

fn owned(fd: i32) -> OwnedFd {
    crate::sys::linux::path::own(fd)
}

fn close_on_exec(fd: &OwnedFd) -> Result<(), i32> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(|_| ()).map_err(|errno| errno as i32)
}

impl OutsideObject {
    /// Makes what an operation needs; `None` for one that needs nothing of the kind.
    pub(super) fn make(action: &Action) -> io::Result<Option<Self>> {
        let made = match action.driver {
            Driver::DescriptorRead => Self::pipe(),
            Driver::TtyIoctl | Driver::TtyInject => {
                let injects = action.driver == Driver::TtyInject;
                Terminal::make().map(|ours| Some(Self::Terminal { ours, injects }))
            }
            _ => probe::prepare_outside(action).map(|made| made.map(Self::Kernel)).map_err(|failure| failure.errno),
        };
        made.map_err(io::Error::from_raw_os_error)
    }

    fn pipe() -> Result<Option<Self>, i32> {
        use nix::fcntl::{FcntlArg, fcntl};
        let token = uuid::Uuid::new_v4().as_u128() as u64;
        let (reading, writing) = crate::sys::linux::process::pipe()?;
        let (low, writing) = (owned(reading), owned(writing));
        path::write(writing.as_raw_fd(), &token.to_ne_bytes().repeat(TOKENS))?;
        // Not closed when a program is executed: that is the question.
        let high = fcntl(&low, FcntlArg::F_DUPFD(HIGH)).map_err(|errno| errno as i32)?;
        Ok(Some(Self::Pipe { reading: owned(high), token }))
    }

    /// Device and inode of what is handed down.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::Pipe { reading, .. } => path::fstat(reading.as_raw_fd()).ok().map(|found| (found.dev, found.ino)),
            _ => None,
        }
    }

    /// The identifier of a System V segment or a key; `None` for what has none, or where the kernel refused it.
    pub(super) fn ipc_id(&self) -> Option<i32> {
        match self {
            Self::Kernel(made) if made.id >= 0 => Some(made.id),
            _ => None,
        }
    }

    /// What it holds.
    pub(super) fn token(&self) -> Option<u64> {
        match self {
            Self::Pipe { token, .. } => Some(*token),
            Self::Kernel(made) => made.token,
            Self::Terminal { .. } => None,
        }
    }

    /// The terminal.
    pub(super) fn terminal(&self) -> Option<&OwnedFd> {
        match self {
            Self::Terminal { ours, .. } => Some(&ours.peer),
            _ => None,
        }
    }

    /// Whether the host sees what is done to it.
    pub(super) fn shows_effects(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// Whether something was done to it.
    pub(super) fn was_changed(&mut self) -> bool {
        match self {
            // What is typed into a terminal, it echoes.
            Self::Terminal { ours, injects: true } => {
                let mut watched = [crate::sys::linux::process::Watched::new(ours.master.as_raw_fd(), libc::POLLIN)];
                crate::sys::linux::process::poll(&mut watched, 0) == Ok(1) && watched[0].came & libc::POLLIN != 0
            }
            Self::Terminal { ours, injects: false } => {
                tty::size(ours.master.as_raw_fd()).is_ok_and(|size| size != ROWS_AND_COLUMNS)
            }
            _ => false,
        }
    }
}
