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
    Beforehand, Preparation, Prepared, SyscallTexts, Trace, check_entry, drawn_size, drawn_word, is_hidden,
    link_of_descriptor, may_share_memory, operate, prepare, prepare_inside, prepare_outside, private_namespace,
};
#[cfg(target_os = "macos")]
pub use macos::{OperationSteps, OperationSteps as Trace, Prepared, check_entry, operate, prepare, prepare_inside};
pub use program::program_image;
