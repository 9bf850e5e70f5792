//! Plan, registry index, probe registry and profile registry, as written.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::base::digest::Digest;
use crate::base::ids::{ExpectationId, PlanId, ProbeId, ProfileId, RegistryId, WorldId};
use crate::base::json::present;
use crate::policy::PolicyMode;
use crate::record::action::BindMount;
use crate::record::fixture::{FixtureEntry, ListenerSpec};
use crate::record::launcher::{Mechanism, Names};
use crate::record::outcome::{Expectation, Lane};
use crate::record::run_identity::Waiver;

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
    #[serde(deserialize_with = "probes_by_id")]
    pub probes: BTreeMap<ProbeId, ProbeEntry>,
}

/// One probe. Keys after `filter_type` are ours; the reference's documents do without them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeEntry {
    /// Equals its key, which it is where it is absent.
    #[serde(default = "ProbeId::of_its_key")]
    pub probe_id: ProbeId,
    /// Short name, unique inside a profile. Absent: the probe id.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Sandbox operation, under Seatbelt's name.
    pub operation: String,
    /// What the operation is attempted on. Placeholders: `${root}`, `${port.NAME}`, `${name.NAME}`.
    pub target: String,
    /// What the author expects.
    pub expected: Expectation,
    /// `baseline`, `scenario`, `oracle`: whether the probe is made for the lane. It is not run in one that it is not.
    /// What is absent counts as true.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub supports_lanes: BTreeMap<String, bool>,
    /// The operations that the probe is expected to exercise. Absent: its own.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expected_primary_ops: Option<Vec<String>>,
    /// The targets that the policy is expected to look at. Absent: its own.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub expected_predicates: Option<Vec<String>>,
    /// What host or user must have; see `plan::capability`. Absent: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities_required: Vec<String>,
    /// `baseline`, `allow_default`, `deny_default`. Absent: all of them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub controls_supported: Option<Vec<String>>,
    /// Overrides the probe id as expectation id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expectation_id: Option<ExpectationId>,
    /// `blob` forces blob mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The driver. On Linux one of `record::driver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The system call, where a driver has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syscall: Option<String>,
    /// Attribute payload of the metadata calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attr_payload: Option<String>,
    /// Anchor context, copied to rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_ctx_id: Option<String>,
    /// Filter of the policy query, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_name: Option<String>,
    /// Filter of the policy query, by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_type: Option<i64>,
    /// The second path of a rename, an exchange or a link; the text of a symbolic link; the folder a bind mount shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The name of an extended attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// What an executed program is given, its name for itself first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// The exit code with which an executed program has to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Made under `${root}` after the profile's own fixtures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<FixtureEntry>,
    /// Bind mounts in a mount namespace of the probe's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<BindMount>,
    /// What the harness listens on while the probe runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<ListenerSpec>,
    /// How a denial under a launcher has to come about. Empty: in whatever way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mechanism: Vec<Mechanism>,
    /// The error numbers, by name, with one of which a denial has to come. Empty: with whichever.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errno: Vec<String>,
    /// Whether the expectation is about the target's name as it is spelled, whatever other names its object has inside of a
    /// launcher.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub name_alone: bool,
    /// Why the expectation holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The controls that a probe supports which names none.
pub const EVERY_CONTROL: [&str; 3] = ["baseline", "allow_default", "deny_default"];

/// Probes by id; one that does not repeat its id has that of its key.
fn probes_by_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<ProbeId, ProbeEntry>, D::Error> {
    let mut probes = BTreeMap::<ProbeId, ProbeEntry>::deserialize(deserializer)?;
    for (id, probe) in probes.iter_mut().filter(|(_, probe)| !probe.probe_id.is_known()) {
        probe.probe_id.clone_from(id);
    }
    Ok(probes)
}

/// Takes away what equals its default from the probe that stands under the key `id`.
pub(super) fn shorten(id: &str, probe: &mut Map<String, Value>) {
    let own = |probe: &Map<String, Value>, key: &str| probe.get(key).map(|value| json!([value]));
    let (operation, target) = (own(probe, "operation"), own(probe, "target"));
    if let Some(lanes) = probe.get_mut("supports_lanes").and_then(Value::as_object_mut) {
        lanes.retain(|_, on| *on != Value::Bool(true));
    }
    probe.retain(|key, value| {
        let default = match key.as_str() {
            "probe_id" | "name" => Some(json!(id)),
            "supports_lanes" => Some(json!({})),
            "expected_primary_ops" => operation.clone(),
            "expected_predicates" => target.clone(),
            "capabilities_required" => Some(json!([])),
            "controls_supported" => Some(json!(EVERY_CONTROL)),
            _ => None,
        };
        default.as_ref() != Some(value)
    });
}

impl ProbeEntry {
    /// Its short name, which is its id where it has no other.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.probe_id.as_str())
    }

    /// The operations that it is expected to exercise.
    pub fn expected_primary_ops(&self) -> &[String] {
        self.expected_primary_ops.as_deref().unwrap_or(std::slice::from_ref(&self.operation))
    }

    /// The same probe with every default written out: of two documents that differ in nothing else, the same.
    pub fn written_out(&self) -> Self {
        let mut whole = self.clone();
        whole.name = Some(self.name().to_owned());
        for lane in [Lane::Baseline, Lane::Scenario, Lane::Oracle] {
            whole.supports_lanes.entry(lane.as_str().to_owned()).or_insert(true);
        }
        whole.expected_primary_ops = Some(self.expected_primary_ops().to_vec());
        whole.expected_predicates.get_or_insert_with(|| vec![self.target.clone()]);
        whole.controls_supported.get_or_insert_with(|| EVERY_CONTROL.map(str::to_owned).to_vec());
        whole
    }

    /// What the expectation asks for, in a line of words: `deny`, `deny hidden or refused, with EROFS, by this name alone`.
    pub fn expectation(&self) -> String {
        let how: Vec<&str> = self.mechanism.iter().map(|mechanism| mechanism.as_str()).collect();
        let mut text = self.expected.as_str().to_owned();
        if !how.is_empty() {
            text.push_str(&format!(" {}", how.join(" or ")));
        }
        if !self.errno.is_empty() {
            text.push_str(if how.is_empty() { " with " } else { ", with " });
            text.push_str(&self.errno.join(" or "));
        }
        if self.name_alone {
            text.push_str(", by this name alone");
        }
        text
    }

    /// The names of its object that the expectation is about.
    pub fn names(&self) -> Names {
        if self.name_alone { Names::Spelled } else { Names::All }
    }

    /// Whether the probe is made for a lane. Controls are not its own.
    pub fn supports(&self, lane: Lane) -> bool {
        self.supports_lanes.get(lane.as_str()) != Some(&false)
    }
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
