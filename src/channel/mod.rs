//! How a worker process is started.

use crate::record::manifest::ChannelKind;

/// Why a channel cannot be used, and what can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ChannelUnavailable {
    reason: String,
}

/// Whether a channel can be used here.
///
/// # Errors
/// The reason, if it cannot.
pub fn check(channel: ChannelKind) -> Result<(), ChannelUnavailable> {
    let reason = match channel {
        ChannelKind::Direct => return Ok(()),
        ChannelKind::LaunchdClean => "this version does not start runs through launchd yet; use `--channel direct`",
        ChannelKind::SystemdClean => "this version does not start runs through systemd yet; use `--channel direct`",
    };
    Err(ChannelUnavailable { reason: reason.to_string() })
}
