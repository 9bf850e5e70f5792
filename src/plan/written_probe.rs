//! A probe as a registry has it.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::ids::{ExpectationId, ProbeId};
use crate::base::json::present;
use crate::record::action::BindMount;
use crate::record::fixture::{FixtureEntry, ListenerSpec};
use crate::record::launcher::Mechanism;
use crate::record::outcome::Expectation;

/// The controls that a probe supports which names none.
pub const EVERY_CONTROL: [&str; 3] = ["baseline", "allow_default", "deny_default"];

/// One probe. Keys after `filter_type` are ours; the reference's documents do without them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "struct ProbeEntry")]
pub struct WrittenProbe {
    /// Equals its key, which it is where it is absent.
    #[serde(default = "ProbeId::of_its_key")]
    pub probe_id: ProbeId,
    /// Short name, unique inside a profile. Absent: the probe id.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub name: Option<CompactString>,
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
    pub why: Option<Box<str>>,
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
