//! System calls without a safe wrapper elsewhere. The only folder with `unsafe`.
//!
//! A function here is safe if no caller can make it unsound, whatever it passes. What a caller would have to see to is seen to
//! by a value that he can only have where it is so, or by a whole function that does all that belongs together:
//!
//! - *One thread.* To fork and go on, to change the environment and to replace program text takes a
//!   [`Sole`](linux::sole::Sole). A child of a process that may have threads makes nothing but system calls, and what it does is
//!   written here from its fork to its end (`linux::landlock`, `darwin::children`).
//! - *Descriptors.* What the program opens for itself and closes again is an `OwnedFd`, and `close` takes one. Probes work with
//!   numbers, because a number may be the question: one that was handed down, one that is closed, one that has to stay open to the
//!   end. To read, write or ask through a wrong number is a wrong answer, and no more than that. To close or replace a number
//!   can take it from somebody who owns it, so that is left to whoever holds the `Sole`.
//! - *Memory.* Whatever the kernel writes to is in a value of this folder, as large as the call takes for granted. Where that
//!   depends on what a number stands for, the number is in a type of its own (`linux::surface::BpfArray`). There are no calls
//!   with a free command, request or call number: each use has its function, or there is an enum of them.
//!
//! What is left is an `unsafe fn` with `# Safety`, and private to this folder.
#![allow(unsafe_code, reason = "each block states why it is sound")]

mod admitted;
#[cfg(target_os = "macos")]
pub mod darwin;
pub mod durability;
pub mod ending;
pub mod files;
#[cfg(target_os = "linux")]
pub mod linux;
mod posix;
#[cfg(target_os = "macos")]
pub mod product;
mod ret;

// What the worker inside a launcher, and whoever asks it, need of either system, under the same names.
#[cfg(target_os = "macos")]
pub use darwin::native;
#[cfg(target_os = "linux")]
pub use linux as native;

pub use ret::Ret;

/// Freed memory is kept for what is allocated next, where the allocator would give it back at once. For commands that read many
/// bundles one after the other.
pub fn keep_freed_memory() {
    #[cfg(target_os = "linux")]
    linux::memory::keep_freed();
}

/// Whether Seatbelt confines this process. `None` where there is no Seatbelt, or it cannot be asked.
pub fn seatbelt_confined() -> Option<bool> {
    #[cfg(target_os = "macos")]
    return darwin::seatbelt_confined();
    #[cfg(not(target_os = "macos"))]
    None
}
