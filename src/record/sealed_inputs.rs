//! `inputs.json` in the folder of a sealed declaration: what its document names, and what is kept of it.

use serde::{Deserialize, Serialize};

use super::sources::InputRole;
use crate::base::digest::Digest;

/// Format of the list. 1: first release.
pub const SEALED_INPUTS_SCHEMA: &str = "sandproof.sealed_inputs.v1";

/// `inputs.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedInputs {
    /// The document's format: always [`SEALED_INPUTS_SCHEMA`].
    pub schema_version: String,
    /// What the document names, in the order in which it was read.
    pub documents: Vec<SealedInput>,
}

/// One thing that the document names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedInput {
    /// `subject_file`: its bytes are kept. `subject_digest`: a document with its digest is kept instead.
    pub role: InputRole,
    /// Its path as the document names it.
    pub path: String,
    /// How many bytes are kept.
    pub size: u64,
    /// Their SHA-256, which is also the name of the file in `content` that holds them.
    pub sha256: Digest,
}
