//! What whoever seals may choose.

use std::path::PathBuf;

/// Where results go, and how much is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealOptions {
    /// The folder for the declaration, the ending and the outputs. It does not exist yet, or is empty.
    pub out: PathBuf,
    /// How many bytes are copied into memory at most; files beyond are held in another way.
    pub copy_bytes: u64,
    /// What the command is kept from.
    pub bounds: SealBounds,
}

/// What a command is kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealBounds {
    /// All that is not declared: a root of its own, a filter of system calls, and Landlock.
    Full,
    /// Where namespaces are refused: a copy of the inputs, the filter and Landlock. Names, metadata and `/proc` stay open, and the identity is
    /// partial.
    Weaker,
    /// Nothing. The identity is partial.
    Observed,
}

impl SealBounds {
    /// Why an identity under these bounds says less. `None`: it does not.
    pub fn shortfall(self) -> Option<&'static str> {
        match self {
            Self::Full => None,
            Self::Weaker => Some(
                "the command had no root of its own: names and metadata of files, /proc and the host were open to it",
            ),
            Self::Observed => Some("the command was not confined: it could read whatever its user can"),
        }
    }
}

/// How many bytes are copied unless something else is said.
pub const DEFAULT_COPY_BYTES: u64 = 1024 * 1024 * 1024;
