//! Launchers at work: a worker inside somebody's sandbox, and the run that asks it.
//!
//! The engine is the same on every system. What one system alone has is in a file for it, and where it is missing the answer is
//! that it is not known.
//!
//! - [`frame`]: what passes between them, through whatever the launcher does to streams
//! - [`said`]: requests and answers
//! - [`inside`]: the worker, a hidden subcommand of this executable
//! - [`session`]: one start of a launcher, and the ladder of ways to reach the worker
//! - [`mounts`]: what a mount table shows a path as, and under which other names
//! - [`effects`]: what the host sees of an operation
//! - [`strays`]: processes that a launcher has left behind
//! - [`lane`]: the questions of one profile, from their fixtures to their rows

pub mod effects;
pub mod frame;
pub mod inside;
pub mod lane;
mod listeners;
pub mod mounts;
pub mod said;
pub mod session;
#[cfg_attr(target_os = "macos", path = "strays_macos.rs")]
pub mod strays;
