//! How a worker process is started.
//!
//! - `direct`: by this process itself, in whatever context it has. Never clean.
//! - [`systemd`]: as a transient unit of systemd.
//! - [`launchd`]: as a one-shot job of launchd.
//! - [`job`]: what either is told of a worker.
//! - [`manager`]: one interface for both.
//! - [`stage`]: what a worker is given, checked by digest on both sides.
//! - [`witness`]: what a worker says of the context that it was started in.

mod error;
pub mod job;
pub mod launchd;
pub mod manager;
pub mod stage;
pub mod systemd;
pub mod witness;

use launchd::Launchd;
use manager::Manager;
use systemd::Systemd;

use crate::record::manifest::ChannelKind;

pub use error::{ChannelError, ChannelUnavailable, words};

/// The manager of a clean channel on this host.
///
/// # Errors
/// Why there is none. `direct` has none.
pub fn manager_of(channel: ChannelKind) -> Result<Box<dyn Manager>, ChannelUnavailable> {
    match channel {
        ChannelKind::Direct => Err(ChannelUnavailable::new("a direct run is started by no manager")),
        ChannelKind::SystemdClean => Ok(Box::new(Systemd::find()?)),
        ChannelKind::LaunchdClean => Ok(Box::new(Launchd::find()?)),
    }
}

/// Whether a channel can be used here.
///
/// # Errors
/// The reason, if it cannot.
pub fn check(channel: ChannelKind) -> Result<(), ChannelUnavailable> {
    match channel {
        ChannelKind::Direct => Ok(()),
        clean => manager_of(clean).map(|_| ()),
    }
}
