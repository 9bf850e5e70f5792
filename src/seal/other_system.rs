//! Where commands cannot be sealed.

use std::path::Path;

use super::error::SealError;
use super::options::SealOptions;
use super::request::SealRequest;
use crate::base::fsx::FileError;
use crate::record::system_ending::SystemEnding;

/// Refuses: there are neither namespaces nor leases here.
///
/// # Errors
/// Always.
pub fn seal(
    _request: &SealRequest,
    _options: &SealOptions,
    _write_sources: &dyn Fn(&Path) -> Result<(), FileError>,
) -> Result<SystemEnding, SealError> {
    Err(SealError::OtherSystem)
}
