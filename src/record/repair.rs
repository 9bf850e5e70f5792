//! `repair_log.json`: what every repair of a bundle found and did.

use serde::{Deserialize, Serialize};

use super::index::IndexStatus;
use crate::base::digest::Digest;

/// Format of the log.
pub const REPAIR_LOG_SCHEMA: &str = "runtime-tools.repair_log.v0.1";

/// `repair_log.json`. The members up to `after` speak of the last repair; `repairs` holds all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairLog {
    /// The document's format: always [`REPAIR_LOG_SCHEMA`].
    pub schema_version: String,
    /// The bundle, as its index spells it.
    pub bundle_dir: String,
    /// When, in seconds since 1970.
    pub repaired_at_unix: f64,
    /// What the bundle was like.
    pub before: RepairView,
    /// What its new index says.
    pub after: RepairView,
    /// Every repair, the first one first. Never shortened. Ours.
    pub repairs: Vec<RepairRecord>,
}

/// A bundle against its index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairView {
    /// Files that should be there and are not.
    pub missing: Vec<String>,
    /// Files that are not what the index says.
    pub digest_mismatches: Vec<String>,
}

/// One repair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairRecord {
    /// When, in seconds since 1970.
    pub repaired_at_unix: f64,
    /// The version of the program that did it.
    pub tool_version: String,
    /// Digest of the index before; null if there was none that could be read.
    pub index_sha256_before: Option<Digest>,
    /// The index's status before; null if there was none that could be read.
    pub status_before: Option<IndexStatus>,
    /// The index's status after; never better.
    pub status_after: IndexStatus,
    /// Every problem that was found, in words.
    pub findings: Vec<String>,
    /// Every file whose entry changed.
    pub changes: Vec<RepairChange>,
}

/// One file whose entry changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairChange {
    /// Path of the file, relative to the bundle's folder.
    pub path: String,
    /// What the index said; null if it did not list the file.
    pub before: Option<FileFacts>,
    /// What the file is; null if it is not there.
    pub after: Option<FileFacts>,
}

/// A file's size and digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// Size of the file in bytes.
    pub file_size: u64,
    /// SHA-256 of the file's bytes.
    pub sha256: Digest,
}
