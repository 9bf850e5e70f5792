//! `op_runtime_summary.json`: the events of one bundle, counted by operation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::{Decision, Expectation};
use crate::base::digest::Digest;
use crate::base::ids::WorldId;

/// Format of a mapping document.
pub const MAPPING_SCHEMA: &str = "runtime-mapping.v0.1";
/// Format of the events that a mapping is made from, in the contract's words.
pub const RUNTIME_LOG_SCHEMA: &str = "runtime_log_schema.v0.1.json";

/// `op_runtime_summary.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpSummary {
    /// Where it comes from.
    pub meta: OpSummaryMeta,
    /// The operations, by name.
    pub ops: BTreeMap<String, OpEntry>,
}

/// Where a summary comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpSummaryMeta {
    /// Id of the world that the plan declares.
    pub world_id: WorldId,
    /// The document's format: always [`MAPPING_SCHEMA`].
    pub schema_version: String,
    /// [`RUNTIME_LOG_SCHEMA`].
    pub runtime_log_schema: String,
    /// The worst of the operations.
    pub status: Coverage,
    /// Always `mapped`.
    pub tier: String,
    /// `runtime_bundle` or `promotion_packet`.
    pub source_jobs: Vec<String>,
    /// Remarks for people.
    pub notes: String,
    /// The files that it was made from.
    pub inputs: Vec<String>,
    /// SHA-256 of each input document, by its path.
    pub input_hashes: BTreeMap<String, Digest>,
    /// Whether the bundle was verified. Ours.
    pub integrity: Integrity,
}

/// Whether the bundle behind a document was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Every byte, and the derivation.
    Verified,
    /// Nothing vouches for the events.
    Unverified,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What was seen of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpEntry {
    /// Name of the operation, as the policy language has it.
    pub op_name: String,
    /// Its number in the vocabulary that was given; null if it has none there, or none was given.
    pub op_id: Option<i64>,
    /// Id of the world that the plan declares.
    pub world_id: WorldId,
    /// Events that decided something: neither blocked, nor unobserved, nor undecided.
    pub probes: u64,
    /// Of these, as expected.
    pub matches: u64,
    /// Of these, not as expected.
    pub mismatches: u64,
    /// Every event of the operation.
    pub probes_including_blocked: u64,
    /// Events that stopped before the operation.
    pub blocked: BlockedCounts,
    /// Events that say a decision and that the operation was not witnessed: none of this program's.
    pub unobserved: u64,
    /// Events that were not blocked and decided nothing. Ours; the reference counts them as unobserved.
    pub undecided: u64,
    /// Events that decided something of which nothing was expected; absent: none. Ours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unasserted: u64,
    /// The first events, at most five.
    pub examples: Vec<OpExample>,
    /// Every scenario id, sorted.
    pub scenarios: Vec<String>,
    /// Every event that was not as expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mismatch_details: Vec<OpMismatch>,
    /// What the numbers come to.
    pub coverage_status: Coverage,
}

/// Events that stopped before the operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockedCounts {
    /// How many there are in all.
    pub total: u64,
    /// How many of them, by failure stage.
    pub by_stage: BTreeMap<String, u64>,
    /// How many of them, by failure kind.
    pub by_kind: BTreeMap<String, u64>,
}

/// An event, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpExample {
    /// Id of the scenario, which is that of the expectation.
    pub scenario_id: String,
    /// Id of the expectation; null if it is not known.
    pub expectation_id: Option<String>,
    /// What the author expects.
    pub expected: Option<Expectation>,
    /// What was decided; null if nothing was.
    pub actual: Option<Decision>,
    /// Whether expectation and decision agree; null if nothing was decided.
    #[serde(rename = "match")]
    pub matched: Option<bool>,
}

/// An event that was not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpMismatch {
    /// Id of the scenario, which is that of the expectation.
    pub scenario_id: String,
    /// Id of the expectation; null if it is not known.
    pub expectation_id: Option<String>,
    /// What the author expects.
    pub expected: Option<Expectation>,
    /// What was decided; null if nothing was.
    pub actual: Option<Decision>,
    /// The target as declared.
    pub target: Option<String>,
}

/// How well an operation is covered. The order is from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// No event decided anything.
    Brittle,
    /// Something was not as expected, or stayed open.
    Partial,
    /// Every event decided, and as expected.
    Ok,
}

impl Coverage {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Brittle => "brittle",
            Self::Partial => "partial",
            Self::Ok => "ok",
        }
    }
}
