//! The drivers in action: each makes the system calls of one operation, and writes down what each returned.
//!
//! [`prepare`] does what has to happen before a policy is applied, [`operate`] the operation itself. Both run in the
//! probe process.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
mod program;

/// The descriptor of a probe process that its report goes to.
#[cfg(target_os = "linux")]
pub const REPORT: i32 = 3;
/// The same, whatever number is free once the process has begun: one that is taken may be the system's own, and guarded.
#[cfg(target_os = "macos")]
pub static REPORT: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(-1);

#[cfg(target_os = "linux")]
pub use linux::{
    Preparation, Prepared, SyscallTexts, Trace, check_entry, is_hidden, link_of_descriptor, operate, prepare,
    prepare_inside, prepare_outside, private_namespace,
};
#[cfg(target_os = "macos")]
pub use macos::{OperationSteps, Prepared, check_entry, operate, prepare};
pub use program::program_image;
