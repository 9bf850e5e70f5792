//! `summary.json`: the run in numbers. Derived.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attribution::AttributionSummary;
use super::manifest::ChannelKind;
use super::outcome::FailureKind;
use crate::base::digest::Digest;
use crate::base::ids::{ExpectationId, PlanId, ProfileId, RunId, WorldId};

/// Format of the file.
pub const SUMMARY_SCHEMA: &str = "runtime-tools.summary.v0.1";

/// `summary.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The document's format: always [`SUMMARY_SCHEMA`].
    pub schema_version: String,
    /// Id of the world that the plan declares.
    pub world_id: WorldId,
    /// Id of the run.
    pub run_id: RunId,
    /// The run's identity. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Digest>,
    /// Id of the plan.
    pub plan_id: PlanId,
    /// SHA-256 over the plan's material keys.
    pub plan_digest: Digest,
    /// How the worker is started: `direct`, `launchd_clean` or `systemd_clean`.
    pub channel: ChannelKind,
    /// How the run went.
    pub status: SummaryStatus,
    /// The plan's own `lanes`; a dry run sets all three false.
    pub lanes: Map<String, Value>,
    /// How many profiles were planned.
    pub profile_count: u64,
    /// How many rows were planned.
    pub scenario_count: u64,
    /// Ids of the profiles that the plan lists, after selection.
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
    /// Those of them that should have been decided: they block promotion. Ours.
    pub undecided_rows: RowList,
    /// Those whose driver by design only asks, or by design learns nothing from a success. Ours.
    pub by_design_rows: RowList,
    /// Profiles under which nothing was refused: no operation could be derived that the policy must refuse, and no row was
    /// denied. They block promotion. Ours.
    pub profiles_without_refusal: ProfileList,
    /// What the kernel itself said of the denials; absent: the run did not listen, or the scenario lane was off. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<AttributionSummary>,
}

/// How many rows a [`RowList`] names. It counts all of them.
pub const MAX_LISTED_ROWS: usize = 1000;

/// Rows without a decision: how many, of which kinds, and which.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowList {
    /// How many there are in all.
    pub count: u64,
    /// All of them by kind.
    pub kinds: BTreeMap<FailureKind, u64>,
    /// The first [`MAX_LISTED_ROWS`] of them, in plan order.
    pub rows: Vec<ListedRow>,
    /// How many are not listed.
    pub left_out: u64,
}

/// How many profiles a [`ProfileList`] names. It counts all of them.
pub const MAX_LISTED_PROFILES: usize = 200;

/// Profiles: how many, and which.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileList {
    /// How many there are in all.
    pub count: u64,
    /// The first [`MAX_LISTED_PROFILES`] of them, in plan order.
    pub profiles: Vec<ProfileId>,
    /// How many are not listed.
    pub left_out: u64,
}

impl ProfileList {
    /// Counts a profile, and names it if there is room.
    pub fn add(&mut self, profile: &ProfileId) {
        self.count += 1;
        if self.profiles.len() < MAX_LISTED_PROFILES {
            self.profiles.push(profile.clone());
        } else {
            self.left_out += 1;
        }
    }
}

/// A row without a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedRow {
    /// Id of the profile, as in the registry.
    pub profile_id: ProfileId,
    /// Id of the expectation.
    pub expectation_id: ExpectationId,
    /// Why nothing was decided.
    pub failure_kind: FailureKind,
}

impl RowList {
    /// Counts a row, and names it if there is room.
    pub fn add(&mut self, profile_id: &ProfileId, expectation_id: &ExpectationId, failure_kind: FailureKind) {
        self.count += 1;
        *self.kinds.entry(failure_kind).or_default() += 1;
        if self.rows.len() == MAX_LISTED_ROWS {
            self.left_out += 1;
            return;
        }
        let (profile_id, expectation_id) = (profile_id.clone(), expectation_id.clone());
        self.rows.push(ListedRow { profile_id, expectation_id, failure_kind });
    }
}

/// What became of planned rows. The others add up to the first if the scenario lane ran.
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
    /// Something was decided, and nothing was expected; absent: no such row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unasserted: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How the run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryStatus {
    /// Everything as expected.
    Ok,
    /// Some row is in the mismatch summary, or nothing was expected of it, or the scenario lane was off, so that nothing was held against an expectation.
    Partial,
    /// The run failed.
    Failed,
    /// Nothing was executed.
    Dry,
}

impl SummaryStatus {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Dry => "dry",
        }
    }
}
