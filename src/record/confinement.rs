//! What a run finds itself in before it applies anything: the sandbox around it, and what of its own place the policies
//! under test reach.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::ids::ProfileId;

/// What confines the process that starts probes, asked of the kernel before the first probe. Null is not known, or no
/// question on this system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfinementFacts {
    /// In how many Landlock domains it is.
    pub landlock_layers: Option<u32>,
    /// Whether one of them refuses to move a file between folders of the fixtures as soon as any further layer handles a
    /// file right. A layer that handles no file right itself refuses nothing until then, so no baseline shows it.
    pub landlock_refuses_refer: Option<bool>,
    /// Seccomp mode of the process: 0 off, 1 strict, 2 filter; `None` if it is not known.
    pub seccomp: Option<u32>,
    /// How many seccomp filters it has.
    pub seccomp_filters: Option<u32>,
    /// Whether it has given up gaining privileges.
    pub no_new_privs: Option<bool>,
    /// The label that a security module gave it; empty if none keeps labels.
    pub lsm_label: Option<String>,
    /// Whether a Seatbelt profile confines it.
    pub seatbelt: Option<bool>,
    /// The rules that cover the folder in which the fixtures are made, by profile; a rule on `/` is not counted. They
    /// answer for every path below `${root}`, whatever the other rules say.
    #[serde(default)]
    pub rules_over_fixtures: BTreeMap<ProfileId, Vec<String>>,
}
