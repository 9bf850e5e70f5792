//! The drivers in action: each makes the system calls of one operation, and writes down what each returned.
//!
//! [`prepare`] does what has to happen before a policy is applied, [`operate`] the operation itself. Both run in the
//! probe process.

#[cfg(target_os = "macos")]
mod macos;
mod program;
#[cfg(target_os = "linux")]
mod trace;

/// The descriptor of a probe process that its report goes to.
pub const REPORT: i32 = 3;

#[cfg(target_os = "macos")]
pub use macos::{Prepared, Steps, check_entry, operate, prepare};
pub use program::program_image;
#[cfg(target_os = "linux")]
pub use trace::Trace;

#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod file;
#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod helper;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod metadata;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod net;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod unix;

#[cfg(target_os = "linux")]
pub use guard::check_entry;
#[cfg(target_os = "linux")]
pub use linux::{Prepared, Texts, link_of_descriptor, operate, prepare};
#[cfg(target_os = "linux")]
pub use process::is_hidden;
