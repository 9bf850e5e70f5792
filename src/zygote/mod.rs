//! The process that probes are started from: this executable, re-run, small, single-threaded, holding nothing of the run.
//!
//! - [`protocol`]: what is said to it and by it
//! - `server`: its loop, over one of two ways to start a probe process:
//!   - `forker` forks, and `child` is what the fork does (Linux)
//!   - [`spawner`] starts this executable afresh, and `fresh` is what that does: frameworks and `sandbox_init` of macOS do
//!     not survive a fork

pub mod protocol;

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod forker;
#[cfg(not(target_os = "linux"))]
#[path = "unavailable.rs"]
mod forker;
#[cfg(target_os = "linux")]
#[path = "fresh_linux.rs"]
mod fresh;
#[cfg(target_os = "macos")]
#[path = "fresh_macos.rs"]
mod fresh;
#[cfg(target_os = "linux")]
mod place;
mod server;
pub mod spawner;
#[cfg(any(test, target_os = "macos"))]
pub mod stages;
#[cfg(target_os = "linux")]
mod watch;

pub use forker::serve;

/// The whole life of a process that [`spawner`] starts: reads its job from standard input, does it, and ends.
///
/// # Errors
/// Only before anything was done: the job could not be read, or the process could not become what it has to be.
pub fn probe_process() -> std::io::Result<std::convert::Infallible> {
    let mut scratch = Vec::new();
    let job: Option<protocol::Job<crate::policy::Enforceable>> =
        protocol::read_frame(&mut std::io::stdin().lock(), &mut scratch)?;
    fresh::run(&job.ok_or(std::io::ErrorKind::UnexpectedEof)?)
}
