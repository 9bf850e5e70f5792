//! A second process beside the probe: the receiver of a signal, or the one that self-checks ask about.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::Ret;
use crate::sys::linux::process::{Watched, block_signal, die_with_parent, pipe, poll, signal_fd, wait};
use crate::sys::linux::sole::Sole;

/// The signal that probes send.
pub const SIGNAL: i32 = libc::SIGUSR1;

/// A child of the probe process. It waits until the signal comes or its pipe is closed, and its exit code says which.
#[derive(Debug)]
pub struct SignalHelper {
    pid: i32,
    pipe: OwnedFd,
}

impl SignalHelper {
    /// Starts one, with the signal blocked from its first instant.
    pub fn start(sole: &Sole) -> Result<Self, i32> {
        let (reading, pipe) = pipe()?;
        block_signal(SIGNAL)?;
        let pid = sole.fork(|child| wait_for_signal(&child, reading.as_raw_fd()))?;
        Ok(Self { pid, pipe })
    }

    /// The process id, in the namespace of whoever started it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends it. `Some(true)`: it had received the signal.
    pub fn end(self) -> Option<bool> {
        // The pipe, because a signal from inside a domain may be refused.
        drop(self.pipe);
        match wait(self.pid, 0) {
            Ok(Some((_, status))) if libc::WIFEXITED(status) => match libc::WEXITSTATUS(status) {
                0 => Some(true),
                1 => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Closes every descriptor but these two, which are above 0. Above all the report descriptor goes: the parent of the probe
/// waits for its end.
pub(super) fn keep_only(sole: &Sole, two: [i32; 2]) -> Ret {
    let (low, high) = (two[0].min(two[1]), two[0].max(two[1]));
    sole.close_range(0, (low - 1) as u32)?;
    // Both may be one.
    if high > low + 1 {
        sole.close_range((low + 1) as u32, (high - 1) as u32)?;
    }
    sole.close_range((high + 1) as u32, u32::MAX)
}

/// The body of the helper: 0 if the signal came, 1 if not, 2 if it could not wait.
fn wait_for_signal(sole: &Sole, pipe: i32) -> i32 {
    let Ok(signals) = signal_fd(SIGNAL) else { return 2 };
    let number = signals.as_raw_fd();
    if die_with_parent().and_then(|_| keep_only(sole, [pipe, number])).is_err() {
        return 2;
    }
    let mut watched = [Watched::new(number, libc::POLLIN), Watched::new(pipe, libc::POLLIN)];
    loop {
        match poll(&mut watched, -1) {
            Ok(0) => {}
            // The signal first: it was sent before the pipe was closed.
            Ok(_) => return i32::from(watched[0].came & libc::POLLIN == 0),
            Err(_) => return 2,
        }
    }
}
