//! `summary.json`: the run in numbers. Derived.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::manifest::ChannelKind;
use super::outcome::FailureKind;
use crate::base::digest::Digest;
use crate::base::ids::{PlanId, ProfileId, RunId, WorldId};

/// Format of the file.
pub const SUMMARY_SCHEMA: &str = "runtime-tools.summary.v0.1";

/// `summary.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// [`SUMMARY_SCHEMA`].
    pub schema_version: String,
    /// The world.
    pub world_id: WorldId,
    /// The attempt.
    pub run_id: RunId,
    /// The run's identity. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// The plan.
    pub plan_id: PlanId,
    /// Its digest.
    pub plan_digest: Digest,
    /// The channel.
    pub channel: ChannelKind,
    /// How the run went.
    pub status: SummaryStatus,
    /// The plan's own `lanes`; a dry run sets all three false.
    pub lanes: Map<String, Value>,
    /// How many profiles were planned.
    pub profile_count: u64,
    /// How many rows were planned.
    pub scenario_count: u64,
    /// The profiles.
    pub expected_profiles: Vec<ProfileId>,
    /// Rows of the mismatch summary, by type.
    pub mismatch_counts: BTreeMap<String, u64>,
    /// Whether nothing was executed.
    pub dry_run: bool,
    /// Which decision rule was applied. Ours.
    pub decision_rule: String,
    /// What became of the planned rows. Ours.
    pub counts: RowCounts,
    /// Undecided rows by kind. Ours.
    pub undecided_kinds: BTreeMap<FailureKind, u64>,
}

/// What became of planned rows. The last three add up to the first if the scenario lane ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowCounts {
    /// Rows of the plan.
    pub planned: u64,
    /// Expectation and observation agree.
    pub matched: u64,
    /// They do not.
    pub mismatched: u64,
    /// Nothing was decided.
    pub undecided: u64,
}

/// How the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryStatus {
    /// Everything as expected.
    Ok,
    /// Some row is in the mismatch summary.
    Partial,
    /// The run failed.
    Failed,
    /// Nothing was executed.
    Dry,
}

impl SummaryStatus {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Dry => "dry",
        }
    }
}
