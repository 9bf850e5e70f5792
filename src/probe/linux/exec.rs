//! Other ways to execute. They happen in a child, so that the program's exit code shows that it was reached and the probe
//! lives on to say so.

use std::ffi::CStr;
use std::os::fd::AsRawFd;

use super::trace::Trace;
use crate::probe::program_image;
use crate::record::detail_name::DetailName;
use crate::record::fixture::PROGRAM_EXIT;
use crate::sys::Ret;
use crate::sys::linux::path;
use crate::sys::linux::process::{execve, execveat, memfd, pipe, wait};
use crate::sys::linux::sole::Sole;

/// Executes in a child by `execute`, which comes back only if it fails: then the child says why. A program that was reached
/// closes the pipe without a word.
fn in_child(trace: &mut Trace, sole: &Sole, call: &'static str, execute: impl FnOnce() -> Ret) -> Option<()> {
    let ends = pipe();
    trace.prepare("pipe2", ends.as_ref().map(|(reading, _)| reading.as_raw_fd().into()).map_err(|errno| *errno))?;
    let (reading, writing) = ends.ok()?;
    let child = sole.fork(|_| {
        let errno = execute().err().unwrap_or(0);
        let _ = path::write(writing.as_raw_fd(), &errno.to_ne_bytes());
        1
    });
    trace.prepare("clone", child.map(i64::from))?;
    drop(writing);
    let mut said = [0; 4];
    let told = path::read(reading.as_raw_fd(), &mut said);
    let ended = wait(child.ok()?, 0);
    let answer = match told {
        // Not a word: it became the program. Or it was killed, which the exit code shows.
        Ok(0) => Ok(0),
        Ok(_) => match i32::from_ne_bytes(said) {
            0 => Ok(0),
            errno => Err(errno),
        },
        Err(errno) => return trace.prepare("read", Err(errno)).map(|_| ()),
    };
    trace.operate(call, answer)?;
    let code = match ended {
        Ok(Some((_, status))) if libc::WIFEXITED(status) => Some(libc::WEXITSTATUS(status)),
        _ => None,
    };
    if let Some(code) = code {
        trace.detail(DetailName::ProgramExitCode, i64::from(code));
    }
    trace.confirm(code == Some(PROGRAM_EXIT))
}

/// Executes this program's own small one from memory that has no path.
#[inline(never)]
pub fn from_memory(trace: &mut Trace, sole: &Sole) -> Option<()> {
    let image = program_image();
    let fd = trace.prepare("memfd_create", memfd(c"sandproof"))? as i32;
    trace.prepare("write", path::write(fd, &image))?;
    in_child(trace, sole, "execveat", || execveat(fd, c"", &[c"program".to_owned()], libc::AT_EMPTY_PATH))
}

/// Writes this program's own small one to a new file, and executes that.
#[inline(never)]
pub fn written(trace: &mut Trace, sole: &Sole, target: &CStr) -> Option<()> {
    let image = program_image();
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
    let made = path::open_owned(target, flags, 0o700);
    trace.prepare("openat", made.as_ref().map(|file| file.as_raw_fd().into()).map_err(|errno| *errno))?;
    let file = made.ok()?;
    trace.opened(file.as_raw_fd());
    trace.prepare("write", path::write(file.as_raw_fd(), &image))?;
    // A file that is open for writing is not executed.
    trace.prepare("close", path::close(file))?;
    in_child(trace, sole, "execve", || execve(target, &[target.to_owned()]))
}
