//! Linux system calls, each as a safe function that says exactly what the kernel answered.
//!
//! Nothing here retries or interprets: a probe's evidence is the bare return value.

pub mod empty_syscall;
pub mod ipc;
pub mod keys;
pub mod landlock;
pub mod memory;
pub mod path;
pub mod process;
pub mod quiet;
pub mod sealing;
pub mod shared_child;
pub mod socket;
pub mod sole;
pub mod surface;
pub mod trace;
pub mod tty;
pub mod watch;
