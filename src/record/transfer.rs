//! What `upload --json` and `download --json` print.

use serde::Serialize;

use crate::base::digest::Digest;

/// Format of the answer. 1: first release.
pub const TRANSFER_SCHEMA: &str = "sandproof.transfer.v1";

/// What became of a bundle that was to be brought somewhere.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TransferReport {
    /// The document's format: always [`TRANSFER_SCHEMA`].
    pub schema_version: &'static str,
    /// Whether the whole bundle is where it was to be brought.
    pub ok: bool,
    /// `upload` or `download`.
    pub direction: &'static str,
    /// The bundle in the store.
    pub address: String,
    /// The bundle's folder here; null if it did not come.
    pub bundle_dir: Option<String>,
    /// The id of its run.
    pub run_id: String,
    /// The digest of its index, which stands for all of it; null if it did not come.
    pub index_sha256: Option<Digest>,
    /// How many files it has and what was done with them.
    #[serde(flatten)]
    pub counts: TransferCounts,
    /// What is in the way, by object; empty if `ok`.
    pub problems: Vec<TransferProblem>,
}

/// What was done with the files of a bundle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TransferCounts {
    /// How many were copied.
    pub copied: u64,
    /// How many were there already, with the same bytes.
    pub already_there: u64,
    /// How many bytes were copied.
    pub bytes: u64,
}

impl TransferCounts {
    /// A file that was copied.
    pub fn copied(bytes: u64) -> Self {
        Self { copied: 1, already_there: 0, bytes }
    }

    /// A file that was there.
    pub fn already_there() -> Self {
        Self { copied: 0, already_there: 1, bytes: 0 }
    }

    /// Counts others too.
    pub fn add(&mut self, other: Self) {
        self.copied += other.copied;
        self.already_there += other.already_there;
        self.bytes += other.bytes;
    }

    /// How many files that are.
    pub fn files(self) -> u64 {
        self.copied + self.already_there
    }
}

/// An object of a store that is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransferProblem {
    /// Its place inside the bundle.
    pub path: String,
    /// What is wrong, in words.
    pub what: &'static str,
}
