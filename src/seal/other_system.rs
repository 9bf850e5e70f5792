//! Where commands cannot be sealed.

use super::error::SealError;
use super::options::SealOptions;
use super::request::SealRequest;
use crate::record::system_ending::SystemEnding;

/// Refuses: there are neither namespaces nor leases here.
///
/// # Errors
/// Always.
pub fn seal(_request: &SealRequest, _options: &SealOptions) -> Result<SystemEnding, SealError> {
    Err(SealError::OtherSystem)
}
