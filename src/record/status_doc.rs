//! `status --json`: what this host is, what can be done on it, and where the last run stands.

use serde::{Deserialize, Serialize};

use super::manifest::{ChannelKind, HostFacts, RunState};
use super::preflight::SelfCheckRecord;
use crate::base::ids::{RunId, WorldId};

/// Format of the document. The contract's keys are kept; `host` and what follows it are ours.
pub const STATUS_SCHEMA: &str = "runtime-tools.status.v0.1";

/// `status --json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusDocument {
    /// The document's format: always `runtime-tools.status.v0.1`.
    pub schema_version: String,
    /// The id of the first known world that this host is; null if it is none of them.
    pub world_id: Option<WorldId>,
    /// The workspace's root; null outside of one.
    pub repo_root: Option<String>,
    /// How this very command was started: always `direct`.
    pub channel: ChannelKind,
    /// Whether it was started through a clean channel: always false.
    pub clean_channel_active: bool,
    /// Whether it works on a staged copy: always false.
    pub stage_used: bool,
    /// Where that copy is.
    pub stage_root: Option<String>,
    /// Where a staged worker writes.
    pub stage_output_root: Option<String>,
    /// The run that `LATEST` leads to.
    pub run_id: Option<RunId>,
    /// Whether this very process is confined, as the apply preflight asks it.
    pub sandbox_check_self: SelfCheckRecord,
    /// What is needed and is there.
    pub tools: ToolsPresent,
    /// The host as observed.
    pub host: HostFacts,
    /// The known worlds, by the id that plans declare.
    pub worlds: Vec<KnownWorld>,
    /// What can put a policy in force here.
    pub enforcers: Vec<Availability>,
    /// What confines this very process.
    pub confined: Confinement,
    /// The channels, and whether each can be used here.
    pub channels: Vec<Availability>,
    /// The output root.
    pub output: OutputStatus,
    /// What runs that were killed have left, and the next run takes away.
    pub leftovers: Vec<Leftover>,
}

/// What is needed and is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolsPresent {
    /// `/bin/launchctl`
    pub launchctl: bool,
    /// Something that puts policies in force; here that is this program itself, where the kernel can.
    pub sandbox_runner: bool,
}

/// A known world, and whether this host is it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownWorld {
    /// The id that plans declare.
    pub declared: WorldId,
    /// The id that a run here would have.
    pub world_id: WorldId,
    /// Whether this host is it.
    pub matches: bool,
    /// The channels that count as clean in it.
    pub clean_channels: Vec<ChannelKind>,
}

/// Something that can be used here or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Availability {
    /// Name of what can be used or not, such as a channel.
    pub name: String,
    /// Whether it can be used.
    pub available: bool,
    /// Why not, or what there is of it.
    pub detail: String,
}

/// What confines a process. Null is not known, or no question on this system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confinement {
    /// How many Landlock domains it is in.
    pub landlock_layers: Option<u32>,
    /// Seccomp mode of the process: 0 off, 1 strict, 2 filter; null if it is not known.
    pub seccomp: Option<u32>,
    /// Whether it has given up gaining privileges.
    pub no_new_privs: Option<bool>,
    /// Whether a Seatbelt profile confines it.
    pub seatbelt: Option<bool>,
}

impl Confinement {
    /// What confines the process, in words; empty if nothing is known to.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        match self.landlock_layers {
            Some(1) => words.push("1 Landlock layer".to_string()),
            Some(layers) if layers > 1 => words.push(format!("{layers} Landlock layers")),
            _ => {}
        }
        match self.seccomp {
            Some(1) => words.push("strict seccomp".to_string()),
            Some(2) => words.push("a seccomp filter".to_string()),
            Some(mode) if mode > 2 => words.push(format!("seccomp mode {mode}")),
            _ => {}
        }
        if self.no_new_privs == Some(true) {
            words.push("no_new_privs".to_string());
        }
        if self.seatbelt == Some(true) {
            words.push("a Seatbelt profile".to_string());
        }
        words
    }
}

/// What an output root holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputStatus {
    /// Path of the output root.
    pub root: String,
    /// The run that `LATEST` leads to.
    pub latest: Option<RunId>,
    /// The run that wrote its status last, whatever became of it.
    pub last: Option<LastRun>,
    /// Who has the output root; null if nobody has.
    pub locked_by: Option<LockHolder>,
}

/// Something that a run left because it was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// What it is.
    pub kind: LeftKind,
    /// Where it lies.
    pub path: String,
}

/// What a killed run leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftKind {
    /// A folder of fixtures, often in memory.
    Fixtures,
    /// What a worker of a clean channel was given.
    Stage,
    /// A file of the output root that never got its name.
    Temporary,
}

impl LeftKind {
    /// As the document spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixtures => "fixtures",
            Self::Stage => "stage",
            Self::Temporary => "temporary",
        }
    }
}

/// The last run of an output root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastRun {
    /// Id of the run.
    pub run_id: RunId,
    /// Where it is, by its own account.
    pub state: RunState,
    /// Why it failed, if it says so.
    pub error: Option<String>,
    /// Whether its index is written.
    pub committed: bool,
    /// Whether it never ended: in progress by its own account, and nobody holds the lock for it.
    pub abandoned: bool,
    /// When it wrote its status, in seconds since 1970.
    pub updated_at_unix: f64,
    /// Whether its bundle is one of the reference runtime, of which nothing can be verified here.
    pub reference: bool,
}

/// Who holds the lock, as far as that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockHolder {
    /// Process id of the holder; null if the lock file does not name one.
    pub pid: Option<u32>,
    /// What it is writing.
    pub run_id: Option<RunId>,
}

#[cfg(test)]
mod tests {
    use super::Confinement;

    #[test]
    fn only_what_confines_is_named() {
        assert!(Confinement::default().words().is_empty());
        let free = Confinement {
            landlock_layers: Some(0),
            seccomp: Some(0),
            no_new_privs: Some(false),
            seatbelt: Some(false),
        };
        assert!(free.words().is_empty());
        let all =
            Confinement { landlock_layers: Some(2), seccomp: Some(2), no_new_privs: Some(true), seatbelt: Some(true) };
        assert_eq!(all.words(), ["2 Landlock layers", "a seccomp filter", "no_new_privs", "a Seatbelt profile"]);
        assert_eq!(Confinement { landlock_layers: Some(1), ..free }.words(), ["1 Landlock layer"]);
    }
}
