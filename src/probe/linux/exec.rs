//! Other ways to execute. They happen in a child, so that the program's exit code shows that it was reached and the probe
//! lives on to say so.

use std::ffi::CStr;

use super::trace::Trace;
use crate::probe::program_image;
use crate::record::fixture::PROGRAM_EXIT;
use crate::sys::Ret;
use crate::sys::linux::path;
use crate::sys::linux::process::{Forked, execve, execveat, exit_now, fork, memfd, pipe, wait};

/// Executes in a child by `execute`, which comes back only if it fails: then the child says why. A program that was reached
/// closes the pipe without a word.
fn in_child(trace: &mut Trace, call: &'static str, execute: impl FnOnce() -> Ret) -> Option<()> {
    let ends = pipe();
    trace.prepare("pipe2", ends.map(|(reading, _)| i64::from(reading)))?;
    let (reading, writing) = ends.ok()?;
    let child = match fork() {
        Ok(Forked::Child) => {
            let errno = execute().err().unwrap_or(0);
            let _ = path::write(writing, &errno.to_ne_bytes());
            exit_now(1)
        }
        Ok(Forked::Parent(pid)) => Ok(pid),
        Err(errno) => Err(errno),
    };
    trace.prepare("clone", child.map(i64::from))?;
    let _ = path::close(writing);
    let mut said = [0; 4];
    let told = path::read(reading, &mut said);
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
        trace.detail("program_exit_code", i64::from(code));
    }
    trace.confirm(code == Some(PROGRAM_EXIT))
}

/// Executes this program's own small one from memory that has no path.
#[inline(never)]
pub fn from_memory(trace: &mut Trace) -> Option<()> {
    let Some(image) = program_image() else { return no_program(trace) };
    let fd = trace.prepare("memfd_create", memfd(c"sandproof"))? as i32;
    trace.prepare("write", path::write(fd, &image))?;
    in_child(trace, "execveat", || execveat(fd, c"", &[c"program".to_owned()], libc::AT_EMPTY_PATH))
}

/// Writes this program's own small one to a new file, and executes that.
#[inline(never)]
pub fn written(trace: &mut Trace, target: &CStr) -> Option<()> {
    let Some(image) = program_image() else { return no_program(trace) };
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
    let fd = trace.prepare("openat", path::open(target, flags, 0o700))? as i32;
    trace.opened(fd);
    trace.prepare("write", path::write(fd, &image))?;
    // A file that is open for writing is not executed.
    trace.prepare("close", path::close(fd))?;
    in_child(trace, "execve", || execve(target, &[target.to_owned()]))
}

/// For this processor the program's own small one is not known.
fn no_program(trace: &mut Trace) -> Option<()> {
    trace.prepare("program", Err(libc::ENOEXEC)).map(|_| ())
}
