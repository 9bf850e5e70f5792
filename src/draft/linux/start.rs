//! The process that becomes the watched command.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::unistd::{chdir, setsid};
use seccompiler::BpfProgram;

use crate::seal::find_command;
use crate::sys::linux::path::{read, write};
use crate::sys::linux::process::{duplicate_for_others, set_no_new_privs, set_umask};
use crate::sys::linux::sole::Sole;

/// Where a failure is written to in what is about to be executed, which closes it.
const FAILURE: i32 = 3;

/// All that it takes.
pub(super) struct WatchedStart<'a> {
    pub home: &'a Path,
    pub command: &'a [OsString],
    pub environment: &'a [CString],
    /// The value of `PATH`.
    pub search: Option<&'a OsString>,
    pub null: BorrowedFd<'a>,
    /// Where both its streams go.
    pub streams: BorrowedFd<'a>,
    pub failure: BorrowedFd<'a>,
    /// One byte comes when it is followed.
    pub go: BorrowedFd<'a>,
    pub filters: &'a [BpfProgram],
}

/// Waits until it is followed, and becomes the command. It comes back only if that failed, which was said then.
pub(super) fn become_watched(sole: &Sole, start: &WatchedStart<'_>) -> i32 {
    let mut leave = [0];
    if read(start.go.as_raw_fd(), &mut leave) != Ok(1) {
        return 127;
    }
    let why = match arrange(sole, start) {
        Ok(()) => execute(sole, start),
        Err(error) => error,
    };
    let _ = write(FAILURE, why.to_string().as_bytes());
    127
}

/// As a sealed command is started: no input, no session of anybody else's, nothing else open, signals and mask as usual.
fn arrange(sole: &Sole, start: &WatchedStart<'_>) -> io::Result<()> {
    /// Numbers from here on are in nobody's way.
    const FAR: i32 = 64;
    let errno = io::Error::from_raw_os_error;
    let far = |fd: BorrowedFd<'_>| duplicate_for_others(fd, FAR).map_err(errno);
    let moved = [far(start.null)?, far(start.streams)?, far(start.streams)?, far(start.failure)?];
    for (number, from) in moved.iter().enumerate() {
        let number = number as i32;
        sole.duplicate(from.as_fd().as_raw_fd(), number, number == FAILURE).map_err(errno)?;
    }
    // They are closed with all others, and never again.
    moved.into_iter().for_each(std::mem::forget);
    sole.close_range(FAILURE as u32 + 1, u32::MAX).map_err(errno)?;
    setsid()?;
    set_umask(0o022);
    sole.reset_signals();
    chdir(start.home)?;
    set_no_new_privs().map_err(errno)?;
    Ok(())
}

fn execute(sole: &Sole, start: &WatchedStart<'_>) -> io::Error {
    let Some(first) = start.command.first() else { return io::ErrorKind::InvalidInput.into() };
    let found = match find_command(first, start.search.map(OsString::as_os_str)) {
        Ok(found) => found,
        Err(error) => return error,
    };
    let text = |bytes: &[u8]| CString::new(bytes).unwrap_or_default();
    let path = text(found.as_os_str().as_bytes());
    let words: Vec<CString> = start.command.iter().map(|word| text(word.as_bytes())).collect();
    if let Err(error) = start.filters.iter().try_for_each(|filter| seccompiler::apply_filter(filter)) {
        return io::Error::other(error);
    }
    let executed = sole.execute_path(&path, &words, start.environment);
    io::Error::from_raw_os_error(executed.err().unwrap_or_default())
}
