//! Plan, registry index, probe registry and profile registry, as written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::probe_entry;
use crate::base::digest::Digest;
use crate::base::ids::{PlanId, ProbeId, ProfileId, RegistryId, WorldId};
use crate::policy::PolicyMode;
use crate::record::fixture::FixtureEntry;
use crate::record::run_identity::Waiver;

pub use super::probe_entry::{ProbeEntry, ProbeManner};
pub use super::written_probe::EVERY_CONTROL;
pub use crate::record::world::HOME_WORLD;

/// Format of a plan.
pub const PLAN_SCHEMA: &str = "runtime-tools.plan.v0.1";
/// Format of the registry index.
pub const INDEX_SCHEMA: &str = "runtime-tools.registry_index.v0.1";
/// Format of a probe registry.
pub const PROBES_SCHEMA: &str = "runtime-tools.probe_registry.v0.2";
/// Format of a profile registry.
pub const PROFILES_SCHEMA: &str = "runtime-tools.profile_registry.v0.2";

/// `plan.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The document's format: always `runtime-tools.plan.v0.1`.
    pub schema_version: String,
    /// The plan's id.
    pub plan_id: PlanId,
    /// The registry that holds its profiles and probes.
    pub registry_id: RegistryId,
    /// The declared world. Absent: the home baseline. `linux-host`: derived from the host when the run starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world_id: Option<WorldId>,
    /// Profile ids, in run order.
    pub profiles: Vec<ProfileId>,
    /// `baseline`, `scenario`, `oracle`: booleans; a missing key counts as true.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub lanes: Map<String, Value>,
    /// Free object; only enters the plan digest.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub controls: Map<String, Value>,
    /// A policy document that the apply preflight applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_preflight_profile: Option<String>,
    /// How long one probe may run, in milliseconds. Default 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The declaration of the system whose sandbox is probed, relative to the root; ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the run builds on; ours. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<PlanHistory>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// What a run builds on. It enters the run's identity and changes no verdict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanHistory {
    /// Identities of earlier runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Digest>,
    /// Approved deviations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
}

/// The deadline of a plan that names none, in milliseconds.
pub const DEFAULT_DEADLINE_MS: u64 = 10_000;

/// `registries/index.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexFile {
    /// The document's format: always `runtime-tools.registry_index.v0.1`.
    pub schema_version: String,
    /// The registries; ids are unique.
    pub registries: Vec<IndexEntry>,
}

/// One registry in the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexEntry {
    /// The registry's id.
    pub id: RegistryId,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Path of its probe registry, relative to the root.
    pub probes: String,
    /// Path of its profile registry, relative to the root.
    pub profiles: String,
}

/// `probes.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbesFile {
    /// The document's format: always `runtime-tools.probe_registry.v0.2`.
    pub schema_version: String,
    /// The registry's id.
    pub registry_id: RegistryId,
    /// The world that the probes are written for.
    pub world_id: WorldId,
    /// The probes, by probe id.
    #[serde(serialize_with = "probe_entry::as_written", deserialize_with = "probe_entry::by_id")]
    pub probes: BTreeMap<ProbeId, Arc<ProbeEntry>>,
}

/// `profiles.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfilesFile {
    /// The document's format: always `runtime-tools.profile_registry.v0.2`.
    pub schema_version: String,
    /// The registry's id.
    pub registry_id: RegistryId,
    /// The world that the profiles are written for.
    pub world_id: WorldId,
    /// The profiles, by profile id.
    pub profiles: BTreeMap<ProfileId, ProfileEntry>,
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileEntry {
    /// Equals its key.
    pub profile_id: ProfileId,
    /// The policy document, relative to the root or absolute.
    pub profile_path: String,
    /// How the document is written.
    pub mode: PolicyMode,
    /// Probe ids, in run order.
    pub probe_refs: Vec<ProbeId>,
    /// Tag; the key has to be there, its value may be null.
    #[serde(deserialize_with = "required")]
    pub family: Option<String>,
    /// Tag; the key has to be there, its value may be null.
    #[serde(deserialize_with = "required")]
    pub semantic_group: Option<String>,
    /// SBPL rules appended for this profile only.
    pub key_specific_rules: Vec<String>,
    /// What `(param "KEY")` gives in the SBPL text; ours. Placeholders: `${root}`, `${port.NAME}`, `${name.NAME}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The folder that the SBPL text's imports are looked for in, relative to the root or absolute; ours. Absent: what an
    /// import brings is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_dir: Option<String>,
    /// Free text; the key has to be there, its value may be null.
    #[serde(deserialize_with = "required")]
    pub notes: Option<String>,
    /// Made under every probe's `${root}`; ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<FixtureEntry>,
}

/// A key that has to be there although its value may be null. (Serde takes an absent `Option` for `None` otherwise.)
fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}
