//! Launchers at work: a worker inside somebody's sandbox, and the run that asks it.
//!
//! - [`frame`]: what passes between them, through whatever the launcher does to streams
//! - [`said`]: requests and answers
//! - [`inside`]: the worker, a hidden subcommand of this executable (Linux)
//! - [`session`]: one start of a launcher, and the ladder of ways to reach the worker (Linux)
//! - [`mounts`]: what a mount table shows a path as, and under which other names
//! - [`effects`]: what the host sees of an operation
//! - [`strays`]: processes that a launcher has left behind (Linux)
//! - [`lane`]: the questions of one profile, from their fixtures to their rows (Linux)

#[cfg(target_os = "linux")]
pub mod frame;
#[cfg(target_os = "linux")]
pub mod said;

#[cfg(target_os = "linux")]
pub mod effects;
#[cfg(target_os = "linux")]
pub mod inside;
#[cfg(target_os = "linux")]
pub mod lane;
#[cfg(target_os = "linux")]
mod listeners;
#[cfg(target_os = "linux")]
pub mod mounts;
#[cfg(target_os = "linux")]
pub mod session;
#[cfg(target_os = "linux")]
pub mod strays;
