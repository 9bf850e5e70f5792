//! A plan whose every reference has been followed, read and checked.

use std::sync::Arc;

pub use super::read::InputDocument;
pub use crate::record::sources::InputRole;

use super::file::{PlanFile, ProbeEntry, ProfileEntry};
use super::subject::ResolvedSubject;
use crate::base::digest::Digest;
use crate::base::ids::{ExpectationId, ProfileId};
use crate::policy::PolicyValue;
use crate::record::action::Action;
use crate::record::fixture::FixtureEntry;
use crate::record::manifest::SelectionRecord;
use crate::record::platform::Platform;
use crate::record::shard::ShardRecord;
use crate::record::world::WorldFile;

/// What a run works from. It leaves execution no choices.
#[derive(Debug, Clone)]
pub struct ResolvedPlan {
    /// The plan as written.
    pub plan: PlanFile,
    /// Digest over the plan's seven material keys; see `plan::digest`.
    pub plan_digest: Digest,
    /// The lanes that are on.
    pub lanes: LaneSet,
    /// How long one probe may run, in milliseconds.
    pub deadline_ms: u64,
    /// The profiles in run order, after selection. Of a share of the plan: those that have a row in it, with these rows.
    pub profiles: Vec<ResolvedProfile>,
    /// The profiles with all rows that the selection leaves, if `profiles` has the rows of a share alone.
    pub undivided: Option<Arc<[ResolvedProfile]>>,
    /// The document of the declared world. `None`: there is none, so nothing is known of that world.
    pub world: Option<ResolvedWorld>,
    /// The declaration of the system whose sandbox is probed, if the plan names one.
    pub subject: Option<ResolvedSubject>,
    /// The policy of the apply preflight.
    pub preflight: Option<ResolvedPolicy>,
    /// Every document that was read, once each, in the order of reading. Policies refer to them by path.
    pub documents: Vec<InputDocument>,
    /// What narrowed the plan.
    pub selection: Selection,
}

impl ResolvedPlan {
    /// Lets go of the registries' texts, which are the most of what was read, and which nobody reads again: what they say of the
    /// plan's rows is in the profiles. Their digests stay.
    pub(crate) fn release_registries(&self) {
        let registries = [InputRole::Probes, InputRole::Profiles];
        let read = self.documents.iter().filter(|document| registries.contains(&document.role));
        read.for_each(|document| document.bytes.release());
    }

    /// How many rows each lane has.
    pub fn row_count(&self) -> usize {
        self.profiles.iter().map(|profile| profile.probes.len()).sum()
    }

    /// The profiles that the run declares: a share declares all of them, so that it differs from the others in its share alone.
    pub fn declared_profiles(&self) -> &[ResolvedProfile] {
        self.undivided.as_deref().unwrap_or(&self.profiles)
    }

    /// Every (profile, probe) pair that the run declares, in plan order.
    pub fn declared_rows(&self) -> impl Iterator<Item = (&ResolvedProfile, &ResolvedProbe)> {
        self.declared_profiles().iter().flat_map(|profile| profile.probes.iter().map(move |probe| (profile, probe)))
    }

    /// Every (profile, probe) pair in plan order. A row's `seq` is its place here.
    pub fn rows(&self) -> impl Iterator<Item = (&ResolvedProfile, &ResolvedProbe)> {
        self.profiles.iter().flat_map(|profile| profile.probes.iter().map(move |probe| (profile, probe)))
    }
}

/// Which lanes are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneSet {
    /// Without a policy.
    pub baseline: bool,
    /// Under the policy.
    pub scenario: bool,
    /// Asked, not witnessed.
    pub oracle: bool,
}

/// `--only-profile`, `--only-scenario` and `--shard`. Empty lists select everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Ids of the selected profiles; empty selects all.
    pub only_profiles: Vec<String>,
    /// Ids of the selected expectations; empty selects all.
    pub only_scenarios: Vec<String>,
    /// Which share of what these leave; absent: all of it.
    pub shard: Option<ShardRecord>,
}

impl From<&SelectionRecord> for Selection {
    fn from(record: &SelectionRecord) -> Self {
        Self {
            only_profiles: record.only_profiles.clone(),
            only_scenarios: record.only_scenarios.clone(),
            shard: record.shard.clone(),
        }
    }
}

impl From<&Selection> for SelectionRecord {
    fn from(selection: &Selection) -> Self {
        Self {
            only_profiles: selection.only_profiles.clone(),
            only_scenarios: selection.only_scenarios.clone(),
            shard: selection.shard.clone(),
        }
    }
}

/// A policy document and its meaning.
#[derive(Debug, Clone)]
pub struct ResolvedPolicy {
    /// Path of the policy document, spelled like `InputDocument::path`.
    pub path: String,
    /// Digest of the document.
    pub digest: Digest,
    /// The policy that the document states, parsed and checked.
    pub value: Arc<PolicyValue>,
}

/// The document of a world and its meaning.
#[derive(Debug, Clone)]
pub struct ResolvedWorld {
    /// Digest of the document.
    pub digest: Digest,
    /// The world that the document describes, parsed and checked.
    pub value: WorldFile,
}

/// A profile with its policy and probes.
#[derive(Debug, Clone)]
pub struct ResolvedProfile {
    /// Id of the profile, as in the registry.
    pub id: ProfileId,
    /// The entry as written.
    pub entry: ProfileEntry,
    /// The policy that the profile applies.
    pub policy: ResolvedPolicy,
    /// The profile's probes in the order of `probe_refs`, after selection; never empty.
    pub probes: Vec<ResolvedProbe>,
}

impl ResolvedProfile {
    /// The system that it is for.
    pub fn platform(&self) -> Platform {
        match (self.entry.mode.enforcer().platform(), self.policy.value.as_ref()) {
            (Some(platform), _) => platform,
            (None, PolicyValue::Launcher(document)) => document.os,
            (None, PolicyValue::Landlock(_) | PolicyValue::Sbpl(_) | PolicyValue::Blob(_)) => Platform::Linux,
        }
    }
}

/// A probe under one profile.
#[derive(Debug, Clone)]
pub struct ResolvedProbe {
    /// The entry as written.
    pub entry: Arc<ProbeEntry>,
    /// Which expectation this row answers; unique over the plan, and the same under every selection. It is the probe's
    /// own id for it; where several profiles of the plan share that, every one of them has it as `PROFILE::ID`.
    pub expectation_id: ExpectationId,
    /// The operation, with placeholders; shared by the profiles that run the probe. `None` if it could not be
    /// worked out, which only a lint lives with.
    pub action: Option<Arc<Action>>,
    /// The profile's fixtures and then the probe's own.
    pub fixtures: Arc<[FixtureEntry]>,
}
