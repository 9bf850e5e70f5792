//! Worlds: named host baselines as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::ChannelKind;
use crate::base::ids::WorldId;

/// The world of a plan that declares none (the home baseline).
pub const HOME_WORLD: &str = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5";

/// `registries/worlds/*.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldFile {
    /// The document's format: always `sandproof.world.v1`.
    pub schema_version: String,
    /// The id that plans declare. An opaque label, unless `derive_id` says how a real one is made from facts.
    pub world_id: WorldId,
    /// What the world is, as text for people.
    pub description: String,
    /// Facts that have to have these values, by name (see `world::fact`); lists are joined by commas.
    #[serde(rename = "match")]
    pub match_facts: BTreeMap<String, String>,
    /// Facts that make the id of the actual host, in order (see `world::id`). Empty: the id is the label itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derive_id: Vec<String>,
    /// Channels that count as clean here.
    pub clean_channels: Vec<ChannelKind>,
}
