//! Terminals. Only pseudo terminals of the probe's own are touched.

use std::os::fd::IntoRawFd;

use super::made::Preparation;
use super::trace::Trace;
use crate::sys::linux::memory::random;
use crate::sys::linux::process::{Watched, ids, poll, set_process_group};
use crate::sys::linux::{path, tty};

const PTMX: &std::ffi::CStr = c"/dev/ptmx";
const FLAGS: i32 = libc::O_RDWR | libc::O_NOCTTY;

/// Makes a pseudo terminal, and lets a word come through it.
pub fn pair(trace: &mut Trace) -> Option<()> {
    let master = trace.operate("openat", path::open(PTMX, FLAGS, 0))? as i32;
    trace.operate("ioctl", tty::unlock(master))?;
    let peer = trace.operate("ioctl", tty::peer(master).map(|fd| fd.into_raw_fd().into()))? as i32;
    let word = drawn_word(random().ok()?);
    let sent = path::write(peer, &word);
    let mut found = [0; 8];
    let came = sent.is_ok() && poll(&mut [Watched::new(master, libc::POLLIN)], 1000) == Ok(1);
    trace.confirm(came && path::read(master, &mut found) == Ok(8) && found == word)
}

/// A pseudo terminal that is there before the policy.
pub fn make(made: &mut Preparation) -> Result<(), i32> {
    made.other = path::open(PTMX, FLAGS, 0)? as i32;
    tty::unlock(made.other)?;
    made.fd = tty::peer(made.other)?.into_raw_fd();
    Ok(())
}

/// The same, as the terminal that controls a session of this process. A process that leads its group makes no session, so it
/// goes into its parent's group first.
pub fn make_controlling(made: &mut Preparation) -> Result<(), i32> {
    make(made)?;
    set_process_group(0, tty::group_of(ids().1)? as i32)?;
    tty::new_session()?;
    tty::control(made.fd).map(|_| ())
}

/// The size that a drawn number stands for.
pub fn drawn_size(drawn: u64) -> (u16, u16) {
    (1 + (drawn & 0xfff) as u16, 1 + (drawn >> 16 & 0xfff) as u16)
}

/// The word that a drawn number stands for: letters, so that a terminal makes nothing of them.
pub fn drawn_word(drawn: u64) -> [u8; 8] {
    drawn.to_ne_bytes().map(|byte| b'a' + byte % 26)
}

/// Changes the size of a terminal's window, and asks for it.
pub fn resize(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let (rows, columns) = drawn_size(made.token.map_or_else(random, Ok).ok()?);
    trace.operate("ioctl", tty::set_size(made.fd, rows, columns))?;
    trace.confirm(tty::size(made.fd) == Ok((rows, columns)))
}

/// Types a word and the end of a line into the terminal, and reads them from it.
pub fn inject(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let word = drawn_word(made.token.map_or_else(random, Ok).ok()?);
    let [first, rest @ ..] = word;
    trace.operate("ioctl", tty::inject(made.fd, first))?;
    // The first one was the question.
    let typed = rest.iter().chain(b"\n").all(|byte| tty::inject(made.fd, *byte).is_ok());
    let mut found = [0; 9];
    let came = typed && poll(&mut [Watched::new(made.fd, libc::POLLIN)], 1000) == Ok(1);
    trace.confirm(came && path::read(made.fd, &mut found) == Ok(9) && found[..8] == word && found[8] == b'\n')
}
