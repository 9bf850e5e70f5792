//! The last steps of the process that becomes the command.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::unistd::setsid;
use seccompiler::BpfProgram;

use super::filter;
use super::second_layer::{self, LayerReach};
use crate::seal::connection::FIRST_DESCRIPTOR;
use crate::sys::linux::path::write;
use crate::sys::linux::process::{duplicate_for_others, set_no_new_privs, set_umask};
use crate::sys::linux::sealing;
use crate::sys::linux::sole::Sole;

/// The mask that every sealed command has.
pub(super) const UMASK: u32 = 0o022;

/// All that it takes.
pub(super) struct CommandStart<'a> {
    pub argv: &'a [CString],
    pub environment: &'a [CString],
    /// The command's file, opened.
    pub executable: BorrowedFd<'a>,
    /// Its path inside, if it is a script, whose interpreter has to find it by name. (The root is read-only, so that the name leads to
    /// the same file.)
    pub script: Option<&'a CString>,
    pub stdin: BorrowedFd<'a>,
    /// The declared connections, which it has from [`FIRST_DESCRIPTOR`] on.
    pub connections: &'a [OwnedFd],
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
    /// Where a failure is written to.
    pub failure: BorrowedFd<'a>,
    pub filters: &'a [BpfProgram],
    /// What Landlock leaves. `None`: it is not there, or not wanted.
    pub landlock: Option<&'a [(PathBuf, LayerReach)]>,
}

impl CommandStart<'_> {
    /// Where what is executed is open, behind the connections. It is closed by the execution.
    fn executable_number(&self) -> i32 {
        FIRST_DESCRIPTOR + self.connections.len() as i32
    }

    /// Where it is said why that failed. It is closed by the execution, too.
    fn failure_number(&self) -> i32 {
        self.executable_number() + 1
    }
}

/// Becomes the command. It comes back only if that failed, which was said then.
pub(super) fn become_command(sole: &Sole, start: &CommandStart<'_>) -> i32 {
    let failed = match arrange(sole, start) {
        Ok(()) => {
            let failed = confine(sole, start).err();
            failed.unwrap_or_else(|| {
                let executed = match start.script {
                    Some(path) => sole.execute_path(path, start.argv, start.environment),
                    None => sole.execute(start.executable_number(), start.argv, start.environment),
                };
                let errno = executed.err().unwrap_or_default();
                format!("execute\t{}", io::Error::from_raw_os_error(errno))
            })
        }
        Err(error) => format!("arrange descriptors\t{error}"),
    };
    let _ = write(start.failure_number(), failed.as_bytes());
    127
}

/// Standard input is the null device or a declared file, the other two are pipes to the supervisor, declared connections follow, and
/// nothing else is open in what is executed.
fn arrange(sole: &Sole, start: &CommandStart<'_>) -> io::Result<()> {
    /// Numbers from here on are in nobody's way.
    const FAR: i32 = 64;
    let errno = io::Error::from_raw_os_error;
    let far = |fd: BorrowedFd<'_>| duplicate_for_others(fd, FAR).map_err(errno);
    let streams = [start.stdin, start.stdout, start.stderr];
    let connections = start.connections.iter().map(OwnedFd::as_fd);
    let all = streams.into_iter().chain(connections).chain([start.executable, start.failure]);
    let moved = all.map(far).collect::<io::Result<Vec<OwnedFd>>>()?;
    for (number, from) in moved.iter().enumerate() {
        let number = number as i32;
        sole.duplicate(from.as_fd().as_raw_fd(), number, number >= start.executable_number()).map_err(errno)?;
    }
    // They are closed with all others, and never again.
    moved.into_iter().for_each(std::mem::forget);
    sole.close_range(start.failure_number() as u32 + 1, u32::MAX).map_err(errno)?;
    Ok(())
}

/// What a launcher leaves to its command is put back, rights are given up, and both filters are put in force.
fn confine(sole: &Sole, start: &CommandStart<'_>) -> Result<(), String> {
    let failed = |step: &str, error: io::Error| format!("{step}\t{error}");
    let errno = io::Error::from_raw_os_error;
    setsid().map_err(|error| failed("begin a session", error.into()))?;
    set_umask(UMASK);
    sole.reset_signals();
    sealing::plain_personality().map_err(|error| failed("reset the execution domain", errno(error)))?;
    set_no_new_privs().map_err(|error| failed("renounce privileges", errno(error)))?;
    sole.drop_capabilities().map_err(|error| failed("give up capabilities", errno(error)))?;
    if let Some(rules) = start.landlock {
        second_layer::confine(rules).map_err(|error| failed("apply Landlock", error))?;
    }
    filter::apply(start.filters).map_err(|error| failed("filter system calls", error))
}
