//! `run_manifest.json`: what was run, where and how; and `run_status.json`, the run's state.

use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;
use crate::base::ids::{PlanId, RunId, WorldId};
use crate::record::attribution::AttributionSetup;
use crate::record::confinement::ConfinementFacts;
use crate::record::shard::ShardRecord;
use crate::record::sources::InputRole;

/// Format of the manifest.
pub const RUN_MANIFEST_SCHEMA: &str = "runtime-tools.run_manifest.v0.1";
/// Format of the run status.
pub const RUN_STATUS_SCHEMA: &str = "runtime-tools.run_status.v0.1";

/// How the worker was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// By this process itself, in whatever context it has. Never clean.
    Direct,
    /// By launchd, as a fresh job.
    LaunchdClean,
    /// By systemd, as a fresh transient unit.
    SystemdClean,
}

impl ChannelKind {
    /// The channel's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::LaunchdClean => "launchd_clean",
            Self::SystemdClean => "systemd_clean",
        }
    }
}

/// The format of a bundle, which says what files it has and by which rules these are made. A manifest without one is of the
/// first format, which has no `verdicts.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BundleFormat {
    /// With `verdicts.jsonl`.
    #[serde(rename = "sandproof.bundle.v2")]
    V2,
}

/// `run_manifest.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunManifest {
    /// The document's format: always [`RUN_MANIFEST_SCHEMA`].
    pub schema_version: String,
    /// Format of the bundle; absent: the first. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_format: Option<BundleFormat>,
    /// Id of the run.
    pub run_id: RunId,
    /// The identity that `run_identity.json` declares. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// The world, resolved.
    pub world_id: WorldId,
    /// How the worker was started.
    pub channel: ChannelKind,
    /// Id of the plan.
    pub plan_id: PlanId,
    /// SHA-256 over the plan's material keys.
    pub plan_digest: Digest,
    /// Whether nothing was executed.
    pub dry_run: bool,
    /// Whether the worker ran on a staged copy.
    pub stage_used: bool,
    /// Where that copy was.
    pub stage_root: Option<String>,
    /// `.`, or the staged root: what relative paths in documents are relative to.
    pub repo_root_context: String,
    /// Where the staged worker wrote.
    pub staged_output_root: Option<String>,
    /// The bundle's own folder, relative to the root where it lies under it; ends in the run id.
    pub output_root: String,
    /// The apply preflight: its file and its record.
    pub apply_preflight: Option<PreflightRef>,
    /// The program that ran.
    pub tool: ToolFacts,
    /// The host as observed.
    pub host: HostFacts,
    /// The declared world against that host.
    pub world: WorldCheck,
    /// Every input document, as it was before the first process started; the executable is in `tool`.
    pub declared_inputs: Vec<DeclaredInput>,
    /// What narrowed the plan.
    pub selection: SelectionRecord,
    /// How long one probe may run, in milliseconds.
    pub deadline_ms: u64,
    /// How many workers ran probes.
    pub jobs: u32,
    /// How often each probe was performed (`--repeat`); absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// The seed of the order in which probes were taken up (`--shuffle`); absent: as the plan has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<u32>,
    /// Whether probes were allowed to execute programs that are not this program's own; absent: they were not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_programs: bool,
    /// That the run listened to the kernel's audit (`--attribute`), and how it found that; absent: it did not. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<AttributionSetup>,
    /// The folder under which `${root}` folders were made.
    pub fixture_base: String,
    /// What the process that started probes was confined by before that. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<ConfinementFacts>,
    /// When the run started, in seconds since 1970.
    pub started_at_unix_s: f64,
}

/// The apply preflight within the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreflightRef {
    /// `apply_preflight.json`
    pub path: String,
    /// That file's content.
    pub record: serde_json::Value,
}

/// The program that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolFacts {
    /// `sandproof`
    pub name: String,
    /// Version of the tool, as `sandproof version` prints it.
    pub version: String,
    /// Digest of the executable file.
    pub sha256: Digest,
}

/// The host as observed. A fact that could not be read is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFacts {
    /// `linux`, `macos`.
    pub os: String,
    /// `uname -r`
    pub kernel_release: Option<String>,
    /// `uname -v`
    pub kernel_version: Option<String>,
    /// `uname -m`
    pub arch: Option<String>,
    /// Product version: `kern.osproductversion` (macOS).
    pub product_version: Option<String>,
    /// Product build: `kern.osversion` (macOS).
    pub product_build: Option<String>,
    /// UUID of the dyld shared cache of this process, in lower case (macOS).
    pub shared_cache_uuid: Option<String>,
    /// What System Integrity Protection has relaxed, as bits; 0 is fully enabled (macOS).
    pub sip_config: Option<u32>,
    /// Whether this is a virtual machine. On Linux only a processor that says so is believed: its silence is null.
    pub virtual_machine: Option<bool>,
    /// The Landlock ABI that the kernel reports.
    pub landlock_abi: Option<i32>,
    /// The Landlock errata that the kernel reports as fixed, by number; null before Linux 6.15.
    pub landlock_errata: Option<Vec<u32>>,
    /// Active Linux security modules, in order.
    pub lsms: Option<Vec<String>>,
    /// `root` or `user`: the effective user's class, never its name.
    pub uid_class: String,
    /// File system type of the fixture base.
    pub fixture_fs: Option<String>,
}

/// The declared world against the host as observed. Derived from the world's document and [`HostFacts`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldCheck {
    /// The world that the plan declares; the home baseline if it declares none.
    pub declared: WorldId,
    /// Digest of that world's document. Null: there is none, so nothing is known of that world.
    pub document_sha256: Option<Digest>,
    /// Whether the host is that world: there is a document, and every fact that it names is as it says.
    pub matches: bool,
    /// The facts that the document names, by name.
    pub facts: Vec<FactCheck>,
    /// The channels that count as clean in that world.
    pub clean_channels: Vec<ChannelKind>,
}

/// One fact against what a world's document says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactCheck {
    /// Name of the host fact that the world states.
    pub name: String,
    /// What the document says.
    pub expected: String,
    /// What was observed; null if it could not be.
    pub observed: Option<String>,
    /// Whether both are the same. What was not observed is not.
    pub ok: bool,
}

/// An input document as it was declared before the first process started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredInput {
    /// What it is for.
    pub role: InputRole,
    /// Path of the document, spelled as it is referred to.
    pub path: String,
    /// SHA-256 of the document's bytes.
    pub sha256: Digest,
}

/// What narrowed the plan. Empty lists: nothing did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionRecord {
    /// Profile ids given with `--only-profile`; empty selects all.
    pub only_profiles: Vec<String>,
    /// Expectation ids given with `--only-scenario`; empty selects all.
    pub only_scenarios: Vec<String>,
    /// Which share of what these leave; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRecord>,
}

/// `run_status.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStatus {
    /// The document's format: always [`RUN_STATUS_SCHEMA`].
    pub schema_version: String,
    /// Id of the run.
    pub run_id: RunId,
    /// The identity that `run_identity.json` declares, once it is sealed. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// The world, resolved.
    pub world_id: WorldId,
    /// How the worker was started.
    pub channel: ChannelKind,
    /// Id of the plan.
    pub plan_id: PlanId,
    /// SHA-256 over the plan's material keys.
    pub plan_digest: Digest,
    /// Where the run is.
    pub state: RunState,
    /// The process that writes the bundle.
    pub writer_pid: u32,
    /// When this file was written, in seconds since 1970.
    pub updated_at_unix: f64,
    /// Why it failed.
    pub error: Option<String>,
    /// Where it failed: `interrupted`, `lane`, `derive`, `write`, `identity_drift`.
    pub failure_stage: Option<String>,
    /// What the run had declared and found otherwise when it was digested again after the last lane; empty if all was
    /// as declared. Null: not compared, because nothing was executed or the run did not get that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Vec<String>>,
    /// Where the channel's diagnostics lie, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launchctl_diagnostics: Option<String>,
}

impl RunStatus {
    /// That of a run which the process `writer_pid` has begun, at that time in seconds since 1970.
    pub fn begun(
        run_id: RunId,
        world_id: WorldId,
        channel: ChannelKind,
        (plan_id, plan_digest): (PlanId, Digest),
        (writer_pid, updated_at_unix): (u32, f64),
    ) -> Self {
        Self {
            schema_version: RUN_STATUS_SCHEMA.to_owned(),
            run_id,
            identity: None,
            world_id,
            channel,
            plan_id,
            plan_digest,
            state: RunState::InProgress,
            writer_pid,
            updated_at_unix,
            error: None,
            failure_stage: None,
            drift: None,
            launchctl_diagnostics: None,
        }
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Started, not sealed.
    InProgress,
    /// Sealed.
    Complete,
    /// Ended without a complete result.
    Failed,
}

/// What tests of other rooms begin with.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The manifest of a run of Linux that has this status, and of which nothing else is said.
    pub(crate) fn manifest(status: RunStatus) -> RunManifest {
        RunManifest {
            schema_version: RUN_MANIFEST_SCHEMA.to_owned(),
            bundle_format: Some(BundleFormat::V2),
            output_root: format!("out/{}", status.run_id),
            run_id: status.run_id,
            identity: None,
            channel: status.channel,
            plan_id: status.plan_id,
            plan_digest: status.plan_digest,
            dry_run: false,
            stage_used: false,
            stage_root: None,
            repo_root_context: ".".to_owned(),
            staged_output_root: None,
            apply_preflight: None,
            tool: ToolFacts { name: "sandproof".to_owned(), version: "0.0.0".to_owned(), sha256: Digest::of(b"tool") },
            host: HostFacts {
                os: "linux".to_owned(),
                landlock_abi: Some(7),
                uid_class: "user".to_owned(),
                ..HostFacts::default()
            },
            world: WorldCheck {
                declared: status.world_id.clone(),
                document_sha256: None,
                matches: false,
                facts: Vec::new(),
                clean_channels: vec![ChannelKind::SystemdClean],
            },
            world_id: status.world_id,
            declared_inputs: vec![DeclaredInput {
                role: InputRole::Plan,
                path: "plan.json".to_owned(),
                sha256: Digest::of(b"plan"),
            }],
            selection: SelectionRecord::default(),
            deadline_ms: 10_000,
            jobs: 1,
            repeat: None,
            shuffle: None,
            host_programs: false,
            attribution: None,
            fixture_base: "/dev/shm/sandproof-test".to_owned(),
            confinement: None,
            started_at_unix_s: 1_700_000_000.0,
        }
    }
}
