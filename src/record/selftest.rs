//! What `selftest --json` prints: questions about this host, and what it answered.

use serde::{Deserialize, Serialize};

use super::manifest::HostFacts;

/// Format of the document.
pub const SELFTEST_SCHEMA: &str = "sandproof.selftest.v1";

/// `selftest --json`
#[derive(Debug, Serialize)]
pub struct SelftestDocument {
    /// The document's format: always [`SELFTEST_SCHEMA`].
    pub schema_version: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// What was observed of the host.
    pub host: HostFacts,
    /// Whether this process is confined already, so that nothing below says much; null if that is not known.
    pub confined: Option<bool>,
    /// How many items came to each conclusion.
    pub counts: SelftestCounts,
    /// The items, in order.
    pub items: Vec<SelftestItem>,
}

/// How many items came to each conclusion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SelftestCounts {
    /// As expected.
    pub settled: u32,
    /// Not as expected.
    pub differs: u32,
    /// Could not be asked here although the item is for this system.
    pub unavailable: u32,
    /// Not asked, with a reason.
    pub skipped: u32,
}

/// One question.
#[derive(Debug, Serialize)]
pub struct SelftestItem {
    /// Id of the question, which `--only` takes.
    pub id: &'static str,
    /// The question in words.
    pub question: &'static str,
    /// What was done.
    pub done: String,
    /// What is expected.
    pub expected: &'static str,
    /// What was observed; null if nothing was.
    pub observed: Option<String>,
    /// Whether the answer is the expected one, and why there is none otherwise.
    pub verdict: SelftestConclusion,
    /// Why nothing was observed.
    pub reason: Option<String>,
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelftestConclusion {
    /// As expected.
    Settled,
    /// Not as expected: a fact about this host that a decision must not take the other way.
    Differs,
    /// Could not be asked here.
    Unavailable,
    /// Not asked, for the reason that stands beside.
    Skipped,
}

impl SelftestConclusion {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Differs => "differs",
            Self::Unavailable => "unavailable",
            Self::Skipped => "skipped",
        }
    }
}
