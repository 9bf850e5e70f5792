//! The policy document as written: JSON, with placeholders in paths and ports.

use serde::{Deserialize, Serialize};

use super::rights::{FsRight, NetRight, RightSet, Scope};

/// A Landlock policy document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// Always `sandproof.landlock_policy.v1`.
    pub schema_version: String,
    /// What the policy is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The Landlock ABI that the policy requires at least.
    pub abi: i32,
    /// The rights that are refused unless a rule grants them.
    pub handled: Handled,
    /// Rights granted on file hierarchies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_beneath: Vec<PathBeneath>,
    /// Rights granted on ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub net_port: Vec<NetPort>,
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
