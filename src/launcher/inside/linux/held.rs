//! A process outside of any launcher that others are asked to read and to signal.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::launcher::said::{TOKEN_VARIABLE, TOKENS, UNFIT};
use crate::sys::linux::memory::Mapped;
use crate::sys::linux::path;
use crate::sys::linux::process::{Watched, block_signal, pipe, poll, signal_fd};

/// What a process holds that others are asked to read.
struct HeldToken {
    line: String,
    _pipe: OwnedFd,
    _memory: Mapped,
}

/// Puts the token of its environment behind a descriptor and into memory, and says where: `ready FD ADDRESS`.
#[expect(clippy::disallowed_methods, reason = "whoever started it has put the token there")]
fn hold_token() -> Result<HeldToken, i32> {
    let text = std::env::var(TOKEN_VARIABLE).unwrap_or_default();
    let token = text.strip_prefix("sandproof-").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let token = token.ok_or(libc::EINVAL)?;
    let memory = Mapped::page(token)?;
    let (held, filling) = pipe()?;
    // Each reading takes one of them.
    path::write(filling.as_raw_fd(), &token.to_ne_bytes().repeat(TOKENS))?;
    let line = format!("ready {} {}\n", held.as_raw_fd(), memory.address());
    Ok(HeldToken { line, _pipe: held, _memory: memory })
}

/// Waits for signals, outside of any launcher, and says which number came with each; until its input ends.
pub(in crate::launcher::inside) fn be_signalled() -> u8 {
    let Ok(handle) = block_signal(libc::SIGUSR1).and_then(|_| signal_fd(libc::SIGUSR1)) else { return UNFIT };
    let Ok(ready) = hold_token() else { return UNFIT };
    let _ = path::write(1, ready.line.as_bytes());
    let signals = handle.as_raw_fd();
    let mut record = [0; size_of::<libc::signalfd_siginfo>()];
    let number = std::mem::offset_of!(libc::signalfd_siginfo, ssi_int);
    loop {
        let mut watched = [Watched::new(signals, libc::POLLIN), Watched::new(0, libc::POLLIN)];
        if poll(&mut watched, -1).is_err() {
            return UNFIT;
        }
        if watched[0].came & libc::POLLIN != 0 {
            if path::read(signals, &mut record).is_err() {
                return UNFIT;
            }
            let bytes = [record[number], record[number + 1], record[number + 2], record[number + 3]];
            let line = format!("got {}\n", i32::from_ne_bytes(bytes));
            let _ = path::write(1, line.as_bytes());
        } else if watched[1].came != 0 {
            return 0;
        }
    }
}
