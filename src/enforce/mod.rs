//! Putting a policy in force in the calling process: one interface, one file per system, chosen here.
//!
//! A policy is enforced as it stands or not at all. What the kernel (or this build) cannot enforce is an apply failure
//! with its cause, never a weaker policy.

#[cfg(target_os = "linux")]
#[path = "landlock.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "seatbelt.rs"]
mod system;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
#[path = "unavailable.rs"]
mod system;

pub mod apply_class;

/// Whether this system has Seatbelt.
pub fn has_seatbelt() -> bool {
    cfg!(target_os = "macos")
}

pub use system::{
    Ready, already_confined_layers, apply, landlock_abi, landlock_errata, landlock_needs, ready, refer_refused_around,
};
