//! The process that probes are forked from: this executable, re-run, small, single-threaded, holding nothing of the
//! run. `protocol` is what is said to it and by it.

pub mod protocol;

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
#[path = "fresh_linux.rs"]
mod fresh;
#[cfg(target_os = "macos")]
#[path = "fresh_macos.rs"]
mod fresh;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(not(target_os = "linux"))]
#[path = "unavailable.rs"]
mod serve;
pub mod spawner;
pub mod stages;
#[cfg(target_os = "linux")]
mod watch;

pub use serve::{ServeError, serve};

/// The hidden subcommand of a probe process that was started afresh.
pub const PROBE_SUBCOMMAND: &str = "__fresh";

/// The whole life of such a process: reads its work from standard input, does it, and ends.
///
/// # Errors
/// Only before anything was done: the work could not be read, or the process could not become what it has to be.
pub fn probe_process() -> std::io::Result<std::convert::Infallible> {
    let mut scratch = Vec::new();
    let work: Option<protocol::Fresh> = protocol::read_frame(&mut std::io::stdin().lock(), &mut scratch)?;
    let work = work.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    fresh::run(&work)
}
