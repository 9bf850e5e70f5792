//! `promotion_packet.json`: the only thing that downstream consumers read of a bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::digest::Digest;
use crate::base::ids::{RunId, WorldId};
use crate::record::identity::PartDigests;
use crate::record::summary::{ProfileList, RowList};

/// Format of the packet.
pub const PROMOTION_PACKET_SCHEMA: &str = "runtime-tools.promotion_packet.v0.2";

/// `promotion_packet.json`
///
/// Pointers are spelled as in the bundle's index: relative to the checkout that the plan lay in, else to its workspace, the run's folder included. The four that
/// every reader demands are always present; where `artifact_digests` does not have one, the file does not exist, and the
/// packet is not promotable. The others stand only if the file exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromotionPacket {
    /// The document's format: always `runtime-tools.promotion_packet.v0.2`.
    pub schema_version: String,
    /// The attempt. Ours.
    pub run_id: RunId,
    /// The run's identity; absent if the bundle declares none. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// The digests of the four parts that the identity stands for. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_parts: Option<PartDigests>,
    /// The world, resolved. Ours.
    pub world_id: WorldId,
    /// Digest of the document that says what that world is; absent if there is none. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_document_sha256: Option<Digest>,
    /// Digest of the bundle's index, which stands for the whole bundle. Ours.
    pub index_sha256: Digest,
    /// Path of the run manifest.
    pub run_manifest: String,
    /// Path of the expected matrix.
    pub expected_matrix: String,
    /// Path of the results of the scenario lane.
    pub runtime_results: String,
    /// Path of the normalised events.
    pub runtime_events: String,
    /// Path of the results of the baseline lane; absent if it was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_results: Option<String>,
    /// Path of the results of the oracle lane; absent if it was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle_results: Option<String>,
    /// Mismatches with their context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch_packets: Option<String>,
    /// The run in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What every row came to, wholly specified. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<String>,
    /// What the kernel says of the paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_witnesses: Option<String>,
    /// Listeners and made targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixtures: Option<String>,
    /// What became of the rows of the scenario lane. Ours.
    pub rows: PacketRows,
    /// Which profiles have controls that show the policy in force. Ours.
    pub controls: PacketControls,
    /// Whether, and why not.
    pub promotability: Promotability,
    /// The digest of every file that a pointer names, by pointer. Ours.
    pub artifact_digests: BTreeMap<String, Digest>,
}

/// The packet of a bundle that does not verify: what it says is why nothing may be built on it.
///
/// It has what every reader of packets demands, and nothing that only the bundle's own word stands for: the pointers say
/// where the files lie, whatever the bundle says of that, and there is no world, no identity and no digest of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnverifiedPacket {
    /// The document's format: always `runtime-tools.promotion_packet.v0.2`.
    pub schema_version: String,
    /// The attempt, by the bundle's own account. Ours.
    pub run_id: RunId,
    /// Where the manifest is, or would be.
    pub run_manifest: String,
    /// Where the matrix is, or would be.
    pub expected_matrix: String,
    /// Where the results of the scenario lane are, or would be.
    pub runtime_results: String,
    /// Where the normalised events are, or would be.
    pub runtime_events: String,
    /// That it may not be promoted, and why not. What it was judged from is the bundle's own account.
    pub promotability: Promotability,
    /// What was found. Ours.
    pub unverified: Unverified,
}

/// What is known of a bundle that does not verify.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unverified {
    /// How many problems there are.
    pub problems: usize,
    /// Of which kinds, by name, sorted, each once.
    pub kinds: Vec<String>,
    /// What the files that the pointers name had for digests when the packet was written, by pointer. Nothing says that
    /// these are the files that the run wrote.
    pub digests_as_read: BTreeMap<String, Digest>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What became of the rows of the scenario lane.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketRows {
    /// Rows of the plan.
    pub planned: u64,
    /// Rows that came to a decision, as expected or not.
    pub decided: u64,
    /// Those of them of which nothing was expected: they bear no claim out; absent: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unasserted: u64,
    /// Rows that should have come to one and did not.
    pub undecided: RowList,
    /// Rows that could not: their driver by design only asks, or by design learns nothing from a success.
    pub by_design: RowList,
}

/// Which profiles have controls that show the policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketControls {
    /// Profiles whose controls were judged; 0 without a scenario lane.
    pub profiles: u64,
    /// Profiles for which no operation could be derived that the policy must refuse.
    pub without_must_deny: ProfileList,
    /// Profiles for which no operation could be derived that the policy must let through.
    pub without_must_allow: ProfileList,
    /// Those of the first list under which no row was refused either: nothing shows that their policy refuses anything.
    pub without_refusal: ProfileList,
}

/// Whether a bundle may be promoted, and why not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Promotability {
    /// Whether there is no reason against it.
    pub promotable_decision_stage: bool,
    /// The reasons against it by name, sorted, each once.
    pub reasons: Vec<String>,
    /// What the judgement was made from.
    pub gating_inputs: GatingInputs,
}

/// What the judgement was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatingInputs {
    /// The manifest's channel; null without a manifest.
    pub channel: Option<String>,
    /// Whether the manifest has a preflight record.
    pub apply_preflight_present: bool,
    /// Whether the preflight policy was in force; null if it is not known.
    pub apply_ok: Option<bool>,
    /// The harness's own check of itself, as recorded; null without one.
    pub sandbox_check_self: Option<Value>,
}
