//! What whoever seals may choose.

use std::path::PathBuf;

/// Where results go, and how much is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealOptions {
    /// The folder for the declaration, the ending and the outputs. It does not exist yet, or is empty.
    pub out: PathBuf,
    /// How many bytes are copied into memory at most; files beyond are held in another way.
    pub copy_bytes: u64,
}

/// How many bytes are copied unless something else is said.
pub const DEFAULT_COPY_BYTES: u64 = 1024 * 1024 * 1024;
