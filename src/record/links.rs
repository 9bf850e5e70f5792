//! `runtime_links.json`: which profile and which expectation is evidenced by which packet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outcome::Expectation;
use crate::base::digest::Digest;
use crate::base::ids::{RunId, WorldId};

/// Format of the links.
pub const RUNTIME_LINKS_SCHEMA: &str = "runtime-links.v0.1";

/// The other mapping documents that links may name.
pub const LINK_KEYS: [&str; 7] = [
    "op_runtime_summary",
    "ops_coverage",
    "ops_vocab",
    "runtime_callout_oracle",
    "runtime_signatures",
    "system_profile_digests",
    "tag_layouts",
];

/// `runtime_links.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeLinks {
    /// Where they come from.
    pub meta: LinksMeta,
    /// Other mapping documents, by [`LINK_KEYS`].
    pub links: BTreeMap<String, String>,
    /// The packets, by path.
    pub packets: BTreeMap<String, LinkedPacket>,
    /// The profiles, by id.
    pub profiles: BTreeMap<String, LinkedProfile>,
    /// The expectations, by id.
    pub expectations: BTreeMap<String, LinkedExpectation>,
}

/// Where links come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksMeta {
    /// The one world of all packets.
    pub world_id: WorldId,
    /// The document's format: always [`RUNTIME_LINKS_SCHEMA`].
    pub schema_version: String,
    /// Always `ok`: links are made of verified bundles or not at all.
    pub status: String,
    /// Remarks for people.
    pub notes: String,
    /// The files that they were made from.
    pub inputs: Vec<String>,
    /// SHA-256 of each input document, by its path.
    pub input_hashes: BTreeMap<String, Digest>,
}

/// One packet with the bundle behind it. Paths are those of the packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedPacket {
    /// Id of the run.
    pub run_id: RunId,
    /// Path of the run manifest.
    pub run_manifest: String,
    /// Path of the expected matrix.
    pub expected_matrix: String,
    /// Path of the normalised events.
    pub runtime_events: String,
    /// Path of the results of the scenario lane.
    pub runtime_results: String,
    /// Path of the results of the baseline lane; absent if it was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_results: Option<String>,
    /// Path of the results of the oracle lane; absent if it was off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle_results: Option<String>,
    /// The bundle's folder, run id included.
    pub output_root: String,
    /// Where it keeps compiled policies, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sb_build_dir: Option<String>,
    /// Where it keeps policies as they were applied, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_profiles_dir: Option<String>,
    /// Digest of the bundle's index, which stands for the whole bundle. Ours.
    pub index_sha256: Digest,
}

/// One profile, over all packets that ran it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedProfile {
    /// Id of the profile, as in the registry.
    pub profile_id: String,
    /// Path of the profile's policy document.
    pub profile_path: String,
    /// How that is written.
    pub profile_mode: String,
    /// Tag of the profile, as the registry has it; null if it has none.
    pub family: Option<String>,
    /// Tag of the profile, as the registry has it; null if it has none.
    pub semantic_group: Option<String>,
    /// Operations that were expected, sorted.
    pub expected_ops: Vec<String>,
    /// Operations that events were seen of, sorted.
    pub observed_ops: Vec<String>,
    /// Numbers of the operations that were expected, by name, as far as the vocabulary has them.
    pub op_ids: BTreeMap<String, i64>,
    /// The profile's expectations in the order of the plan.
    pub expectation_ids: Vec<String>,
    /// Scenarios of the profile for which there are events, sorted.
    pub scenario_ids: Vec<String>,
    /// Expectations of the profile for which there are events, sorted.
    pub observed_expectation_ids: Vec<String>,
    /// How many events there are, by what they show.
    pub observation_counts: ObservationCounts,
    /// The packets, sorted.
    pub source_packets: Vec<String>,
    /// Their matrices, sorted.
    pub expected_matrix_sources: Vec<String>,
    /// The policy document as it was read.
    pub profile_source: ProfileSource,
    /// The compiled policy that was applied, if one was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compiled_blob: Option<String>,
    /// The policy text that was applied, if one was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_profile: Option<String>,
}

/// How many events there are of a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationCounts {
    /// How many there are in all.
    pub total: u64,
    /// Those that stopped before the operation.
    pub blocked: u64,
    /// How many of these, by failure stage.
    pub blocked_by_stage: BTreeMap<String, u64>,
}

/// A policy document as the run read it: the copy in the bundle, not what may lie at its path today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSource {
    /// Path of the policy document.
    pub path: String,
    /// Whether the bundle holds it.
    pub exists: bool,
    /// SHA-256 of the document; absent if the bundle does not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Size of the document in bytes; absent if the bundle does not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// One expectation, over all packets that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedExpectation {
    /// Id of the expectation.
    pub expectation_id: String,
    /// Id of the profile that the expectation belongs to.
    pub profile_id: String,
    /// Name of the operation that is expected to be allowed or denied.
    pub operation: String,
    /// The operation's number, if the vocabulary has it.
    pub op_id: Option<i64>,
    /// What the author expects.
    pub expected: Expectation,
    /// The target as declared.
    pub target: String,
    /// Name of the driver; null if the probe names none.
    pub driver: Option<String>,
    /// The first of `source_packets`.
    pub source_packet: String,
    /// That packet's matrix.
    pub expected_matrix: String,
    /// Every packet that has it, sorted. Ours.
    pub source_packets: Vec<String>,
}
