//! `ending.json`: how a sealed command ended. It is never part of an identity.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;

/// Format of the document. 1: first release.
pub const SYSTEM_ENDING_SCHEMA: &str = "sandproof.system_ending.v1";

/// How a sealed command ended, and by what it was held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemEnding {
    /// The document's format: always `sandproof.system_ending.v1`.
    pub schema_version: String,
    /// The identity of the declaration beside it, `identity.json`.
    pub identity: Digest,
    /// How the command ended.
    pub exit: CommandEnd,
    /// What was read through a file that changed, or may have, while the command ran.
    pub drift: Vec<DriftedItem>,
    /// Whether the identity says less than a sealed one does, and why. Empty: it does not.
    pub partial: Vec<String>,
    /// How the bytes of each declared item were held.
    pub held: Vec<HeldBy>,
    /// What confined the command: names as in SPEC.md 8.7.
    pub layers: Vec<String>,
    /// What reached the command and is neither fixed nor declared.
    pub not_held: Vec<String>,
    /// Pointers of declared items that the command never opened. Null: that was not observed.
    pub declared_never_read: Option<Vec<String>>,
    /// What the command wrote.
    pub outputs: SealedOutputs,
}

/// How a command ended. One of the two is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandEnd {
    /// Its exit code. Null: a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it. Null: it exited.
    pub signal: Option<i32>,
}

impl CommandEnd {
    /// Whether it exited with 0.
    pub fn is_success(self) -> bool {
        self.code == Some(0)
    }
}

/// An item whose bytes were not held to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftedItem {
    /// JSON pointer of where the document names it.
    pub pointer: String,
    /// The file, by its path inside.
    pub path: String,
    /// How it was noticed: `lease_broken` (somebody opened it for writing) or `other_bytes` (its digest is another one now).
    pub how: String,
}

/// By what the files of an item were held, as counts of files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldBy {
    /// JSON pointer of where the document names it.
    pub pointer: String,
    /// Files that were copied in one pass with their digest.
    pub copied: u64,
    /// Files that fs-verity holds.
    pub verity: u64,
    /// Files under a read lease.
    pub leased: u64,
    /// Files that only root can write, which the user who sealed is not.
    pub not_mine: u64,
    /// Files that were only digested again at the end.
    pub checked: u64,
}

/// What a sealed command wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedOutputs {
    /// Standard output, in `stdout`.
    pub stdout: OutputDigest,
    /// Standard error, in `stderr`.
    pub stderr: OutputDigest,
    /// What it left in `/out`, in `outputs`. Null: nothing.
    pub out: Option<OutputFolder>,
}

/// A file that the command wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputDigest {
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A folder that the command filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputFolder {
    /// The folder's digest, as SPEC.md 8.6 has it. Null: it has none.
    pub folder: Option<Digest>,
    /// How many plain files are in it.
    pub files: u64,
    /// Why it has no digest. Null: it has one.
    pub refused: Option<String>,
}
