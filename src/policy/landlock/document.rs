//! The policy document as written: JSON, with placeholders in paths and ports.

use serde::{Deserialize, Serialize};

use super::rights::{FsRight, NetRight, RightSet, Scope};
use crate::base::json::present;

/// Most layers that a process can be in: `LANDLOCK_MAX_NUM_LAYERS` in security/landlock/limits.h. One more gives E2BIG, see
/// landlock_restrict_self(2). Layers that it was in before count as well.
pub const MAX_LAYERS: usize = 16;

/// A Landlock policy document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "DocumentMembers", into = "DocumentMembers")]
pub struct PolicyDocument {
    /// The document's format: always `sandproof.landlock_policy.v1`.
    pub schema_version: String,
    /// What the policy is for.
    pub description: Option<String>,
    /// The Landlock ABI that the policy requires at least.
    pub abi: i32,
    /// Whether every thread of the process is restricted with the one that applies the policy
    /// (`LANDLOCK_RESTRICT_SELF_TSYNC`).
    pub tsync: bool,
    /// The rulesets in the order in which they are applied; at least one. A single one stands in the document itself, several
    /// are listed as its `layers`.
    pub layers: Vec<LayerDocument>,
}

impl PolicyDocument {
    /// Where a ruleset stands in the document, as the beginning of a JSON pointer.
    pub fn layer_pointer(&self, layer: usize) -> String {
        layer_pointer(self.layers.len(), layer)
    }
}

/// Where a layer stands in a document that has so many, as the beginning of a JSON pointer.
pub(super) fn layer_pointer(layers: usize, layer: usize) -> String {
    if layers == 1 { String::new() } else { format!("/layers/{layer}") }
}

/// One ruleset.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerDocument {
    /// The rights that are refused unless a rule grants them.
    pub handled: Handled,
    /// Rights granted on file hierarchies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_beneath: Vec<PathBeneath>,
    /// Rights granted on ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub net_port: Vec<NetPort>,
}

/// The document's members.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentMembers {
    schema_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    abi: i32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tsync: bool,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    handled: Option<Handled>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    path_beneath: Option<Vec<PathBeneath>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    net_port: Option<Vec<NetPort>>,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<LayerDocument>>,
}

impl TryFrom<DocumentMembers> for PolicyDocument {
    type Error = &'static str;

    fn try_from(written: DocumentMembers) -> Result<Self, Self::Error> {
        let DocumentMembers { schema_version, description, abi, tsync, handled, path_beneath, net_port, layers } =
            written;
        let layers = match (handled, layers) {
            (Some(handled), None) => vec![LayerDocument {
                handled,
                path_beneath: path_beneath.unwrap_or_default(),
                net_port: net_port.unwrap_or_default(),
            }],
            (None, Some(layers)) if path_beneath.is_none() && net_port.is_none() => {
                if !(2..=MAX_LAYERS).contains(&layers.len()) {
                    return Err("`layers` lists 2 to 16 rulesets; a single one stands in the document itself");
                }
                layers
            }
            (None, None) => return Err("missing field `handled`, or `layers`"),
            _ => return Err("a document with `layers` has no ruleset of its own beside them; make it one of them"),
        };
        Ok(Self { schema_version, description, abi, tsync, layers })
    }
}

impl From<PolicyDocument> for DocumentMembers {
    fn from(document: PolicyDocument) -> Self {
        let PolicyDocument { schema_version, description, abi, tsync, mut layers } = document;
        let whole = Self {
            schema_version,
            description,
            abi,
            tsync,
            handled: None,
            path_beneath: None,
            net_port: None,
            layers: None,
        };
        if layers.len() != 1 {
            return Self { layers: Some(layers), ..whole };
        }
        let LayerDocument { handled, path_beneath, net_port } = layers.remove(0);
        Self {
            handled: Some(handled),
            path_beneath: (!path_beneath.is_empty()).then_some(path_beneath),
            net_port: (!net_port.is_empty()).then_some(net_port),
            ..whole
        }
    }
}

/// The handled rights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handled {
    /// `handled_access_fs`
    #[serde(default, skip_serializing_if = "RightSet::is_empty_ref")]
    pub fs: RightSet<FsRight>,
    /// `handled_access_net`
    #[serde(default, skip_serializing_if = "RightSet::is_empty_ref")]
    pub net: RightSet<NetRight>,
    /// `scoped`
    #[serde(default, skip_serializing_if = "RightSet::is_empty_ref")]
    pub scope: RightSet<Scope>,
}

/// `LANDLOCK_RULE_PATH_BENEATH`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathBeneath {
    /// The file or folder; `${root}` is the probe's fixture root.
    pub path: String,
    /// What is granted on it and below it.
    pub allow: RightSet<FsRight>,
}

/// `LANDLOCK_RULE_NET_PORT`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetPort {
    /// A port number, or `${port.NAME}` for a free port of the run.
    pub port: String,
    /// What is granted on it.
    pub allow: RightSet<NetRight>,
}
