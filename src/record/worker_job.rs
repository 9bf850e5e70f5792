//! `job.json`: what a worker is told, and what it must find.

use serde::{Deserialize, Serialize};

use super::manifest::ChannelKind;
use super::shard::ShardRecord;
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::ids::RunId;

/// Format of a worker's job. 1: first release.
pub const WORKER_JOB_SCHEMA: &str = "sandproof.worker_job.v1";

/// `job.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerJob {
    /// The document's format: always [`WORKER_JOB_SCHEMA`].
    pub schema_version: String,
    /// Id of the run.
    pub run_id: RunId,
    /// The channel that the worker is started through.
    pub channel: ChannelKind,
    /// The bundle's folder as documents spell it in the end.
    pub bundle_root: String,
    /// The staged executable.
    pub executable: StagedFile,
    /// The staged declaration: what the run is held to.
    pub identity: StagedFile,
    /// The staged `inputs/` of the bundle: the plan and everything that it refers to.
    pub inputs: Vec<StagedFile>,
    /// Profile ids given with `--only-profile`; empty selects all.
    pub only_profiles: Vec<String>,
    /// Expectation ids given with `--only-scenario`; empty selects all.
    pub only_scenarios: Vec<String>,
    /// Which share of what these leave; absent: all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardRecord>,
    /// How many workers run probes.
    pub jobs: u32,
    /// How often each probe is performed; absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// The seed of the order in which probes are taken up; absent: as the plan has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<u32>,
    /// Folders in which fixtures may be made, best first.
    pub fixture_candidates: Vec<String>,
    /// `--allow-host-programs`
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_programs: bool,
}

/// A file that was put into the stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagedFile {
    /// Where, relative to the stage.
    pub path: BundlePath,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the file's bytes.
    pub sha256: Digest,
}
