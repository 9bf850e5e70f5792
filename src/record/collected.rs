//! `collected.json`: what `collect` did to make its archive, which it lies in.

use serde::{Deserialize, Serialize};

/// Format of the document. 1: first release.
pub const COLLECTED_SCHEMA: &str = "sandproof.collected.v1";
/// Name of the document in the archive.
pub const COLLECTED: &str = "collected.json";
/// The name of the selftest's report in the archive.
pub const COLLECTED_SELFTEST: &str = "selftest.json";

/// `collected.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collected {
    /// The document's format: always [`COLLECTED_SCHEMA`].
    pub schema_version: String,
    /// The program's version.
    pub version: String,
    /// The system: `linux`, `macos`.
    pub os: String,
    /// Each command that was run, in order.
    pub steps: Vec<CollectedStep>,
}

/// One command of this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectedStep {
    /// What it was for: `status`, `selftest`, `plan`, `direct`, `clean`.
    pub step: String,
    /// Its arguments, with the names that files have in the archive.
    pub arguments: Vec<String>,
    /// Exit code of the command; null if a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it; null if it exited.
    pub signal: Option<i32>,
    /// What it printed, in the archive.
    pub stdout: String,
    /// What it remarked, in the archive.
    pub stderr: String,
}

impl CollectedStep {
    /// Whether it ended as one that did its work does: 0, 1 and 8 are answers, everything else is none.
    pub fn is_answer(&self) -> bool {
        matches!(self.exit_code, Some(0 | 1 | 8))
    }
}
