//! `artifact_index.json`: every file of a bundle with its size and digest. A bundle is committed when it exists.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::base::ids::{RunId, WorldId};

/// Format of the index.
pub const ARTIFACT_INDEX_SCHEMA: &str = "runtime-tools.artifact_index.v0.1";

/// `artifact_index.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactIndex {
    /// The document's format: always [`ARTIFACT_INDEX_SCHEMA`].
    pub schema_version: String,
    /// Id of the run.
    pub run_id: RunId,
    /// The run's identity. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// The world, resolved.
    pub world_id: WorldId,
    /// What every path here starts with: the bundle's own folder when it was written, relative to the root where it lay
    /// under it; ends in the run id. Readers strip exactly this and stay inside the folder that they were given. Ours.
    pub bundle_root: String,
    /// Every file but this one.
    pub artifacts: Vec<ArtifactEntry>,
    /// Files that should be there and are not, as paths like those of the artifacts.
    pub missing: Vec<String>,
    /// What the bundle is worth.
    pub status: IndexStatus,
    /// Whether a repair wrote this index. Absent means false; such a bundle is never promotable. Ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repaired: bool,
}

/// One file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactEntry {
    /// Path of the artifact, beginning with `bundle_root`.
    pub path: String,
    /// Size of the artifact in bytes.
    pub file_size: u64,
    /// SHA-256 of the artifact's bytes.
    pub sha256: Digest,
    /// Its `schema_version`: the top-level string of a `.json` object or of the first line of a `.jsonl` file, as far as
    /// it stands within the first 64 KiB; else null.
    pub schema_version: Option<String>,
    /// The identity of the run that it belongs to: the stamp of every artifact, also of those that cannot carry one. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
}

/// What a bundle is worth. The order is from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexStatus {
    /// The run failed.
    Failed,
    /// Something is missing.
    Partial,
    /// Complete.
    Ok,
}

impl IndexStatus {
    /// `failed`, `partial` or `ok`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Partial => "partial",
            Self::Ok => "ok",
        }
    }
}
