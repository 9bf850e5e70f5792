//! What `drift` prints and keeps: random cases on which the model of Landlock and a kernel were compared.

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::fixture::FixtureEntry;
use super::outcome::Decision;

/// Format of the report.
pub const DRIFT_SCHEMA: &str = "sandproof.drift_report.v1";
/// Format of a case that is kept.
pub const DRIFT_CASE_SCHEMA: &str = "sandproof.drift_case.v1";

/// What the kernel made of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", deny_unknown_fields)]
pub enum KernelOutcome {
    /// It went through.
    Done,
    /// It failed.
    Failed {
        /// With this error number.
        errno: i32,
    },
    /// It was not reached, or its answer is lost (a FIFO waited for, a program that ran).
    NotReached,
    /// The policy was not taken.
    NotApplied,
}

/// What `drift` says: random policies and questions, put to the model and to the kernel.
#[derive(Debug, Clone, Serialize)]
pub struct DriftReport {
    /// The document's format: always [`DRIFT_SCHEMA`].
    pub schema_version: &'static str,
    /// What fixes the cases.
    pub seed: u64,
    /// How many cases were compared.
    pub cases: u64,
    /// In how many the model says `allow`.
    pub allowed: u64,
    /// In how many it says `deny`.
    pub denied: u64,
    /// In how many it says that it cannot know.
    pub unknown: u64,
    /// Whether bind mounts were among them, which take a privilege.
    pub mounts: bool,
    /// The kernel's release.
    pub kernel: String,
    /// The Landlock ABI of the kernel.
    pub landlock_abi: i32,
    /// In how many cases they part.
    pub disagreements: u64,
    /// Those cases, shrunk; the first hundred.
    pub kept: Vec<KeptCase>,
}

/// A case that is kept: all that another kernel needs to be asked the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptCase {
    /// The document's format: always [`DRIFT_CASE_SCHEMA`].
    pub schema_version: String,
    /// The seed of the comparison.
    pub seed: u64,
    /// The case's number in it, from 0.
    pub number: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The Landlock ABI of the kernel.
    pub landlock_abi: i32,
    /// The policy, as a document of its own.
    pub policy: serde_json::Value,
    /// What stands under `${root}`.
    pub fixtures: Vec<FixtureEntry>,
    /// What was asked, with `${root}` where the fixtures lie.
    pub action: Action,
    /// What the model says; null if it cannot know.
    pub model: Option<Decision>,
    /// Why the model says so.
    pub reason: String,
    /// What the kernel does without the policy.
    pub without: KernelOutcome,
    /// What it does under it.
    pub under: KernelOutcome,
}
