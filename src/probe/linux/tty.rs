//! Terminals. Only pseudo terminals of the probe's own are touched.

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
    let peer = trace.operate("ioctl", tty::peer(master))? as i32;
    // Letters, so that nothing is made of them on the way.
    let word = random().ok()?.to_ne_bytes().map(|byte| b'a' + byte % 26);
    let sent = path::write(peer, &word);
    let mut found = [0; 8];
    let came = sent.is_ok() && poll(&mut [Watched::new(master, libc::POLLIN)], 1000) == Ok(1);
    trace.confirm(came && path::read(master, &mut found) == Ok(8) && found == word)
}

/// A pseudo terminal that is there before the policy.
pub fn make(made: &mut Preparation) -> Result<(), i32> {
    made.other = path::open(PTMX, FLAGS, 0)? as i32;
    tty::unlock(made.other)?;
    made.fd = tty::peer(made.other)? as i32;
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

/// Changes the size of a terminal's window, and asks for it.
pub fn resize(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let drawn = random().ok()?;
    let (rows, columns) = (1 + (drawn & 0xfff) as u16, 1 + (drawn >> 16 & 0xfff) as u16);
    trace.operate("ioctl", tty::set_size(made.fd, rows, columns))?;
    trace.confirm(tty::size(made.fd) == Ok((rows, columns)))
}

/// Types a letter and the end of a line into the terminal, and reads them from it.
pub fn inject(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let letter = b'a' + (random().ok()? % 26) as u8;
    trace.operate("ioctl", tty::inject(made.fd, letter))?;
    trace.operate("ioctl", tty::inject(made.fd, b'\n'))?;
    let mut found = [0; 2];
    let came = poll(&mut [Watched::new(made.fd, libc::POLLIN)], 1000) == Ok(1);
    trace.confirm(came && path::read(made.fd, &mut found) == Ok(2) && found == [letter, b'\n'])
}
