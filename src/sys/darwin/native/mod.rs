//! What the worker inside a launcher, and whoever asks it, need of this system, under the names that `sys::linux` has for the
//! same.

pub mod memory;
pub mod path;
pub mod process;
pub mod sole;
pub mod tty;
