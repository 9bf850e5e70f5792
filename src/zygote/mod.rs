//! The process that probes are forked from: this executable, re-run, small, single-threaded, holding nothing of the
//! run. `protocol` is what is said to it and by it.

pub mod protocol;

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(not(target_os = "linux"))]
#[path = "unavailable.rs"]
mod serve;
#[cfg(target_os = "linux")]
mod watch;

pub use serve::{ServeError, serve};
