//! What a worker does on this system alone.

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod system;

pub(super) use system::{MORE_LIMITS, attempt, be_signalled, empty_call, look, on_outsider};
