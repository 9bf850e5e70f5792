//! What the kernel itself says of denials: its audit, listened to while a run goes on.
//!
//! It is a part of the host, so it is changed only on request, and put back by a process of its own ([`keeper`]) whatever ends
//! the run. What is heard of other processes is forgotten ([`collector`]). Everything but the sockets is the same on any system,
//! so that it is tested there.

#[cfg(any(target_os = "linux", test))]
mod collector;
#[cfg(target_os = "linux")]
pub mod keeper;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(not(target_os = "linux"))]
#[path = "listener_absent.rs"]
mod listener;
#[cfg(any(target_os = "linux", test))]
mod message;
mod refusal;
#[cfg(target_os = "linux")]
mod wire;

pub use listener::AuditListener;
pub use refusal::AuditRefusal;

/// The hidden subcommand that holds the audit's state for a run.
#[cfg(target_os = "linux")]
pub const KEEPER: &str = "__audit_keeper";

/// A probe process that has ended, of which the kernel may have told.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "there is nobody to ask"))]
pub struct EndedProbe {
    /// The process id that it had in the namespace of this process.
    pub pid: i32,
    /// When it was started, in seconds since 1970.
    pub started_at_unix_s: f64,
    /// Whether its operation is to look at another process.
    pub looks_at_process: bool,
    /// What [`AuditListener::losses`] said before it was started.
    pub losses_before: u64,
}
