//! `channel_witness.json`: what the worker says of the context it was started in, what the manager says of the same
//! process, and what follows. Clean is witnessed, not declared.

use serde::{Deserialize, Serialize};

use super::manifest::ChannelKind;
use super::report::OpenFd;
use crate::base::digest::Digest;
use crate::base::ids::RunId;

/// Format of the witness. 1: first release.
pub const CHANNEL_WITNESS_SCHEMA: &str = "sandproof.channel_witness.v1";
/// Format of the worker's own part. 1: first release.
pub const WORKER_WITNESS_SCHEMA: &str = "sandproof.worker_witness.v1";

/// The blocks in which `launchctl print` tells of a job's environment: what launchd itself and the job's definition set,
/// what launchd falls back on, and what the domain passes on, `launchctl setenv` included. In [`ManagerAccount::raw`] each
/// is one entry, whose value has the block's lines.
pub const LAUNCHD_ENVIRONMENT: &str = "environment";
/// See [`LAUNCHD_ENVIRONMENT`].
pub const LAUNCHD_DEFAULT_ENVIRONMENT: &str = "default environment";
/// See [`LAUNCHD_ENVIRONMENT`].
pub const LAUNCHD_INHERITED_ENVIRONMENT: &str = "inherited environment";

/// The name of a run's unit or label; nothing for a channel without a manager.
pub fn unit_name(channel: ChannelKind, run_id: &RunId) -> Option<String> {
    match channel {
        ChannelKind::Direct => None,
        ChannelKind::SystemdClean => Some(format!("sandproof-{run_id}.service")),
        ChannelKind::LaunchdClean => Some(format!("sandproof.runtime.{run_id}")),
    }
}

/// `channel_witness.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelWitness {
    /// The document's format: always [`CHANNEL_WITNESS_SCHEMA`].
    pub schema_version: String,
    /// Id of the run.
    pub run_id: RunId,
    /// The channel that was asked for.
    pub channel: ChannelKind,
    /// What the worker says. Null if no worker came up.
    pub worker: Option<WorkerWitness>,
    /// What the manager says. Null without a manager.
    pub manager: Option<ManagerAccount>,
    /// What the job definition carried, for comparison.
    pub job: Option<JobFacts>,
    /// Every question and its answer. Derived from the parts above.
    pub checks: Vec<WitnessCheck>,
    /// Whether every question was asked and answered well. Derived from `checks`.
    pub clean: bool,
}

/// What the parent put into the job definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobFacts {
    /// The unit or label.
    pub unit: String,
    /// Digest of the nonce that only the job definition carried.
    pub nonce_sha256: Digest,
    /// The environment that the job definition lists, by name.
    pub environment: Vec<String>,
    /// Names that the manager adds of its own accord.
    pub manager_environment: Vec<String>,
}

/// One question about the worker's context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessCheck {
    /// Id of the question.
    pub check: String,
    /// The answer; null if it could not be had, which is not clean.
    pub ok: Option<bool>,
    /// What was found, and against what.
    pub found: String,
}

/// What the worker says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerWitness {
    /// The document's format: always [`WORKER_WITNESS_SCHEMA`].
    pub schema_version: String,
    /// Process id, in the worker's own namespace.
    pub pid: i32,
    /// Parent's process id.
    pub ppid: i32,
    /// The parent's command name, if it can be read.
    pub parent_name: Option<String>,
    /// Session id.
    pub session: Option<i32>,
    /// The unit or label that the environment names (`XPC_SERVICE_NAME`), or that the control group ends in.
    pub unit: Option<String>,
    /// `INVOCATION_ID`, as the manager sets it.
    pub invocation_id: Option<String>,
    /// Digest of the nonce that the job definition carried.
    pub nonce_sha256: Option<Digest>,
    /// The control group, as `/proc/self/cgroup` tells it for systemd's hierarchy.
    pub control_group: Option<String>,
    /// Every environment variable: name and digest of the value.
    pub environment: Vec<EnvironmentEntry>,
    /// Descriptors that were open when the worker started.
    pub open_fds: Option<Vec<OpenFd>>,
    /// Resource limits.
    pub rlimits: Vec<RlimitEntry>,
    /// The file mode creation mask.
    pub umask: u32,
    /// Real and effective user and group ids, in this order: ruid, euid, rgid, egid.
    pub ids: [u32; 4],
    /// Namespaces against those of the parent.
    pub namespaces: Vec<NamespaceEntry>,
    /// `NoNewPrivs` of `/proc/self/status`.
    pub no_new_privs: Option<bool>,
    /// `Seccomp` of `/proc/self/status`: 0 off, 1 strict, 2 filter.
    pub seccomp: Option<u32>,
    /// `CapBnd` of `/proc/self/status`, hexadecimal.
    pub capability_bounding_set: Option<String>,
    /// `CapBnd` of the parent.
    pub parent_capability_bounding_set: Option<String>,
    /// `CapEff` of `/proc/self/status`.
    #[serde(default)]
    pub effective_capabilities: Option<String>,
    /// `CapAmb` of `/proc/self/status`.
    #[serde(default)]
    pub ambient_capabilities: Option<String>,
    /// The root directory against that of the parent.
    #[serde(default)]
    pub root_directory: Option<RootEntry>,
    /// What a loader was told to load into every program.
    #[serde(default)]
    pub preload: Option<PreloadEntry>,
    /// The label that a security module gives this process; an empty text if none does.
    pub lsm_label: Option<String>,
    /// How many Landlock domains this process is in already, measured by stacking more in a throw-away child.
    pub landlock_layers: Option<u32>,
    /// `sandbox_check` of this process itself (macOS).
    pub seatbelt_confined: Option<bool>,
}

/// A root directory, as the mount that it lies on, its device and its inode: `mount 29, device 254:1, inode 2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootEntry {
    /// This process's.
    pub own: Option<String>,
    /// The parent's; null if it may not be read.
    pub parent: Option<String>,
}

/// What `/etc/ld.so.preload` names, and whether that can reach this process (ld.so(8)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreloadEntry {
    /// The libraries that the file names; none if there is no such file. Null if it may not be read.
    pub named: Option<Vec<String>>,
    /// The files, beside the executable, from which code is mapped into this process. A static program has none.
    pub libraries: Option<Vec<String>>,
}

/// One environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentEntry {
    /// Name of the variable.
    pub name: String,
    /// Digest of its value.
    pub value_sha256: Digest,
}

/// One resource limit; null is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlimitEntry {
    /// `RLIMIT_…`
    pub name: String,
    /// The soft limit.
    pub soft: Option<u64>,
    /// The hard limit.
    pub hard: Option<u64>,
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamespaceEntry {
    /// `mnt`, `pid`, `net`, …
    pub name: String,
    /// This process's, as the link of `/proc/self/ns` reads.
    pub own: Option<String>,
    /// The parent's; null if it may not be read.
    pub parent: Option<String>,
}

/// What the manager says of the job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagerAccount {
    /// `systemd` or `launchd`.
    pub manager: String,
    /// `system`, `user`, `gui/UID`, `user/UID`.
    pub domain: String,
    /// The unit or label.
    pub unit: String,
    /// The main process, as the manager knows it.
    pub main_pid: Option<i32>,
    /// The invocation id that the manager gave.
    pub invocation_id: Option<String>,
    /// The control group that the manager put it in.
    pub control_group: Option<String>,
    /// The state in which the job ended, in the manager's words: `exited`, `failed`, `not running`, …
    pub state: Option<String>,
    /// The result in the manager's words: `success`, `exit-code`, `signal`, `timeout`, …
    pub result: Option<String>,
    /// The exit code, if it exited.
    pub exit_code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// Every property or line that was asked for, as text. Of launchd also the blocks on the environment.
    pub raw: Vec<(String, String)>,
}
