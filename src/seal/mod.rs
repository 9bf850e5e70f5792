//! Sealing a command: what is declared is written down before it starts, and what is not declared it cannot read.
//!
//! Four processes, none of which has a second thread. The *supervisor* opens everything that the document names, once; starts
//! a *keeper*, which enters namespaces of its own; that starts the *first* process of them, which builds a root out of nothing but
//! what is declared, digesting and copying in one pass; the supervisor writes the declaration and syncs it; only then the first
//! process starts the *command*, confined by that root, by a filter of system calls and by Landlock. When the command has ended, the first
//! process kills whatever is left, takes what was written to `/out`, and goes, and the namespaces with it.

mod connection;
mod error;
#[cfg(target_os = "linux")]
mod linux;
mod options;
#[cfg(not(target_os = "linux"))]
mod other_system;
mod request;

pub use error::SealError;
#[cfg(target_os = "linux")]
pub use linux::{find_command, followed, interpreter, is_secret, names_of, script_interpreter, seal};
pub use options::{DEFAULT_COPY_BYTES, SealBounds, SealOptions};
#[cfg(not(target_os = "linux"))]
pub use other_system::seal;
pub use request::SealRequest;
