//! What is made outside for a question, for the processes that are started afterwards: a descriptor that they inherit, shared
//! memory and keys that they may find, a terminal that controls them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::launcher::said::TOKENS;
use crate::probe::{self, Beforehand, Preparation};
use crate::record::action::Action;
use crate::sys::linux::process::{duplicate_for_others, pipe};
use crate::sys::linux::{path, tty};

/// Numbers from here on are rarely closed by programs that start others.
const HIGH: i32 = 40;
/// The size that a terminal's window has before anybody asks.
const ROWS_AND_COLUMNS: (u16, u16) = (4097, 4099);

/// How long a terminal may take to echo.
const ECHO: std::time::Duration = std::time::Duration::from_millis(500);
/// The most bytes of what came out of a terminal that are kept.
const MOST_ECHO: usize = 64 * 1024;

/// One object.
#[derive(Debug)]
pub(super) enum OutsideObject {
    /// A pipe full of tokens.
    Pipe { reading: OwnedFd, token: u64 },
    /// A folder that is open.
    Folder { open: OwnedFd },
    /// Shared memory or a key.
    Kernel(Preparation),
    /// A terminal. It is asked about through the process's own session.
    Terminal { ours: Terminal, injects: bool, drawn: u64, echoed: Vec<u8> },
}

/// Both ends of a pseudo terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    master: OwnedFd,
    peer: OwnedFd,
}

impl Terminal {
    /// Makes one.
    pub(super) fn make() -> Result<Self, i32> {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let master = path::open_owned(c"/dev/ptmx", flags, 0)?;
        tty::unlock(master.as_raw_fd())?;
        let peer = tty::peer(master.as_raw_fd())?;
        close_on_exec(&peer)?;
        tty::set_size(peer.as_raw_fd(), ROWS_AND_COLUMNS.0, ROWS_AND_COLUMNS.1)?;
        Ok(Self { master, peer })
    }
}

impl Terminal {
    /// The end that a session gets.
    pub(super) fn of_session(&self) -> tty::SessionTerminal {
        tty::SessionTerminal(self.peer.as_raw_fd())
    }

    /// Takes what came out of it, for as long as something comes within `wait_ms`.
    fn read_echo(&self, echoed: &mut Vec<u8>, wait_ms: i32) {
        use crate::sys::linux::process::{Watched, poll};
        let mut buffer = [0; 4096];
        loop {
            let mut watched = [Watched::new(self.master.as_raw_fd(), libc::POLLIN)];
            if poll(&mut watched, wait_ms) != Ok(1) || watched[0].came & libc::POLLIN == 0 {
                return;
            }
            match path::read(self.master.as_raw_fd(), &mut buffer) {
                Ok(count) if count > 0 => echoed.extend_from_slice(&buffer[..count as usize]),
                _ => return,
            }
            // Of a launcher that writes without end, the newest is enough.
            let surplus = echoed.len().saturating_sub(MOST_ECHO);
            echoed.drain(..surplus);
        }
    }
}

fn holds(echoed: &[u8], word: &[u8]) -> bool {
    echoed.windows(word.len()).any(|window| window == word)
}

fn close_on_exec(fd: &OwnedFd) -> Result<(), i32> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(|_| ()).map_err(|errno| errno as i32)
}

impl OutsideObject {
    /// Makes what an operation needs; `None` for one that needs nothing of the kind.
    pub(super) fn make(action: &Action) -> io::Result<Option<Self>> {
        let made = match Beforehand::of(action.driver) {
            Beforehand::Pipe => Self::pipe(),
            Beforehand::Folder => Self::folder(&action.target),
            beforehand @ (Beforehand::Terminal | Beforehand::ControllingTerminal) => {
                let injects = beforehand == Beforehand::ControllingTerminal;
                let drawn = uuid::Uuid::new_v4().as_u128() as u64;
                Terminal::make().map(|ours| Some(Self::Terminal { ours, injects, drawn, echoed: Vec::new() }))
            }
            other => probe::prepare_outside(other).map(|made| made.map(Self::Kernel)).map_err(|failure| failure.errno),
        };
        made.map_err(io::Error::from_raw_os_error)
    }

    /// The folder of a path.
    fn folder(path: &str) -> Result<Option<Self>, i32> {
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        let folder = std::ffi::CString::new(folder).map_err(|_| libc::EINVAL)?;
        let low = path::open_owned(&folder, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC, 0)?;
        Ok(Some(Self::Folder { open: duplicate_for_others(low.as_fd(), HIGH)? }))
    }

    fn pipe() -> Result<Option<Self>, i32> {
        let token = uuid::Uuid::new_v4().as_u128() as u64;
        let (low, writing) = pipe()?;
        path::write(writing.as_raw_fd(), &token.to_ne_bytes().repeat(TOKENS))?;
        // Not closed when a program is executed: that is the question.
        let reading = duplicate_for_others(low.as_fd(), HIGH)?;
        Ok(Some(Self::Pipe { reading, token }))
    }

    /// Device and inode of what is handed down.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            Self::Pipe { reading: open, .. } | Self::Folder { open } => {
                path::fstat(open.as_raw_fd()).ok().map(|found| (found.dev, found.ino))
            }
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
            Self::Terminal { .. } | Self::Folder { .. } => None,
        }
    }

    /// What stands for the size that the terminal is to be given, or for the word that is to be typed into it.
    pub(super) fn drawn(&self) -> Option<u64> {
        match self {
            Self::Terminal { drawn, .. } => Some(*drawn),
            _ => None,
        }
    }

    /// Types a word itself, and waits until the terminal echoes it. `None`: nothing is typed into it.
    pub(super) fn barrier(&mut self) -> Option<bool> {
        let Self::Terminal { ours, injects: true, echoed, .. } = self else { return None };
        let word = probe::drawn_word(uuid::Uuid::new_v4().as_u128() as u64);
        if path::write(ours.master.as_raw_fd(), &word).is_err() {
            return Some(false);
        }
        let until = std::time::Instant::now() + ECHO;
        while !holds(echoed, &word) && std::time::Instant::now() < until {
            ours.read_echo(echoed, 20);
        }
        Some(holds(echoed, &word))
    }

    /// The terminal.
    pub(super) fn terminal(&self) -> Option<tty::SessionTerminal> {
        match self {
            Self::Terminal { ours, .. } => Some(ours.of_session()),
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
            // What is typed into a terminal, it echoes. A launcher may write to it as well.
            Self::Terminal { ours, injects: true, drawn, echoed } => {
                ours.read_echo(echoed, 0);
                holds(echoed, &probe::drawn_word(*drawn))
            }
            Self::Terminal { ours, injects: false, drawn, .. } => {
                tty::size(ours.master.as_raw_fd()).is_ok_and(|size| size == probe::drawn_size(*drawn))
            }
            _ => false,
        }
    }
}
