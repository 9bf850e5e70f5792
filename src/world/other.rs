//! Facts of systems that are not Linux.

/// Only Linux lists its security modules.
pub(super) fn security_modules() -> Option<Vec<String>> {
    None
}

/// Told by others, if at all.
pub(super) fn virtual_machine() -> Option<bool> {
    None
}
