//! Where commands cannot be watched.

use super::error::DraftError;
use super::request::{WatchRequest, WatchedDraft};

/// Refuses: there is no such way to follow a process here.
///
/// # Errors
/// Always.
pub fn watch(_request: &WatchRequest) -> Result<WatchedDraft, DraftError> {
    Err(DraftError::OtherSystem)
}
