//! What stands in a bundle for a file or folder that the subject's declaration names and that is not carried: its digest.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;

/// Format of such a document. 1: first release.
pub const SUBJECT_DIGEST_SCHEMA: &str = "sandproof.subject_digest.v1";

/// What a declaration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedThing {
    /// A file: its bytes count.
    File,
    /// A folder: everything in it counts.
    Folder,
}

impl NamedThing {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Folder => "folder",
        }
    }
}

/// The digest of a file or folder, in the place of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NamedDigest {
    /// The document's format: always [`SUBJECT_DIGEST_SCHEMA`].
    pub schema_version: &'static str,
    /// What it is of.
    pub kind: NamedThing,
    /// How many bytes the file has, or the files in the folder together.
    pub size: u64,
    /// SHA-256 of the file's bytes; of a folder the digest that SPEC 8.6 describes.
    pub sha256: Digest,
}

/// The same as it is read, by somebody who has yet to look at its format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenNamedDigest {
    /// The document's format.
    pub schema_version: String,
    /// What it is of.
    pub kind: NamedThing,
    /// How many bytes that has.
    pub size: u64,
    /// SHA-256 of the file's bytes; of a folder the digest that SPEC 8.6 describes.
    pub sha256: Digest,
}

impl NamedDigest {
    /// The digest of a thing.
    pub fn new(kind: NamedThing, size: u64, sha256: Digest) -> Self {
        Self { schema_version: SUBJECT_DIGEST_SCHEMA, kind, size, sha256 }
    }
}
