//! `path_witnesses.json`: what the kernel says of the paths that file operations used. Derived.

use serde::Serialize;

use super::events::NormalizedSource;
use super::outcome::{Decision, FailureKind, FailureStage, Lane};
use super::results::PathSource;

/// Format of the file.
pub const PATH_WITNESSES_SCHEMA: &str = "runtime-tools.path_witnesses.v0.1";
/// Format of one record.
pub const PATH_WITNESS_SCHEMA: &str = "runtime-tools.path_witness.v0.1";

/// One witness.
#[derive(Debug, Serialize)]
pub struct PathWitness<'a> {
    /// The document's format: always [`PATH_WITNESS_SCHEMA`].
    pub schema_version: &'static str,
    /// The lane: baseline or scenario.
    pub lane: Lane,
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// Expectation id, or name of the baseline row.
    pub scenario_id: &'a str,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: &'a str,
    /// The path that was asked for.
    pub requested_path: Option<&'a str>,
    /// What the kernel says was opened.
    pub observed_path: Option<&'a str>,
    /// Where that comes from.
    pub observed_path_source: PathSource,
    /// Error number of that question.
    pub observed_path_errno: Option<i32>,
    /// The same without firmlinks; null where the system has none.
    pub observed_path_nofirmlink: Option<&'a str>,
    /// Where that comes from.
    pub observed_path_nofirmlink_source: Option<PathSource>,
    /// Error number of that question.
    pub observed_path_nofirmlink_errno: Option<i32>,
    /// The observed path, else the requested one.
    pub normalized_path: Option<&'a str>,
    /// Where that comes from.
    pub normalized_path_source: NormalizedSource,
    /// How the two paths differ.
    pub canonicalization: Canonicalization,
    /// What was decided.
    pub decision: Option<Decision>,
    /// How the lanes tell the rest.
    #[serde(flatten)]
    pub ending: WitnessEnding,
    /// What ran; empty if nothing did.
    pub command: &'static [&'static str],
    /// Which object was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fd_identity: Option<FdIdentity>,
}

/// How requested and observed path differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Canonicalization {
    /// Only an alias of the platform tells them apart.
    pub alias_pair: bool,
    /// A firmlink tells the two observed spellings apart.
    pub nofirmlink_differs: bool,
}

/// How the row ended, in the lane's own keys.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum WitnessEnding {
    /// Baseline.
    Baseline {
        /// Exit code, negative for a signal.
        exit_code: Option<i32>,
    },
    /// Scenario.
    Scenario {
        /// The error number that was seen.
        errno: Option<i32>,
        /// The stage at which it stopped; `None` if it came to a decision.
        failure_stage: Option<FailureStage>,
        /// The kind of failure; `None` if it came to a decision.
        failure_kind: Option<FailureKind>,
    },
}

/// Which object was opened.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FdIdentity {
    /// Always true.
    pub enabled: bool,
    /// `probe`: every probe that opens something asks.
    pub enabled_source: &'static str,
    /// Device number.
    pub st_dev: u64,
    /// Inode number.
    pub st_ino: u64,
}
