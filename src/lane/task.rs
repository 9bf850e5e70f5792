//! What there is to do in a lane.

use std::sync::Arc;

use crate::base::clock;
use crate::base::ids::{ExpectationId, ProbeId, ProfileId};
use crate::plan::file::ProbeEntry;
use crate::plan::{ResolvedPlan, ResolvedProbe, ResolvedProfile};
use crate::policy::PolicyValue;
use crate::record::action::Action;
use crate::record::fixture::{FixtureEntry, ListenerSpec};
use crate::record::outcome::{Decision, Lane};
use crate::record::row::ProbeRow;

/// One probe execution to come. Texts still hold placeholders.
#[derive(Debug, Clone)]
pub struct Task<'p> {
    /// Place in the lane.
    pub seq: u64,
    /// The lane that its row is written to.
    pub lane: Lane,
    /// The profile under which it is done; in the baseline lane, the one that it is compared with.
    pub profile_id: &'p ProfileId,
    /// The probe's id; `control:…` for a control.
    pub probe_id: ProbeId,
    /// The expectation's id, which joins the rows of all lanes.
    pub expectation_id: ExpectationId,
    /// For a control: what the model is certain of.
    pub control_expects: Option<Decision>,
    /// The operation and its target, with placeholders.
    pub action: &'p Action,
    /// What to make first.
    pub fixtures: &'p [FixtureEntry],
    /// What to listen on meanwhile.
    pub listener: Option<&'p ListenerSpec>,
    /// Whether the probe is made for the lane.
    pub supported: bool,
    /// What host and user must have.
    pub capabilities: &'p [String],
    /// The probe as written, if a policy query belongs to it.
    pub asks: Option<&'p ProbeEntry>,
    /// The policy to apply, with the key under which workers keep it.
    pub policy: Option<(u32, &'p Arc<PolicyValue>)>,
}

impl Task<'_> {
    /// The task's row before anything has been done for it, with the folder that `${root}` stands for. It is started now.
    pub fn row(&self, root: String) -> ProbeRow {
        let ids = (self.profile_id.clone(), self.probe_id.clone(), self.expectation_id.clone());
        ProbeRow {
            control_expects: self.control_expects,
            ..ProbeRow::new(self.lane, self.seq, ids, self.action.clone(), root, clock::unix_seconds())
        }
    }
}

/// A lane's tasks, by place. Nothing is built before it is asked for, so a million rows cost nothing here.
#[allow(clippy::len_without_is_empty, reason = "a lane without tasks is not run; seen only where tests see the trait")]
pub trait Tasks: Sync {
    /// How many tasks the lane has.
    fn len(&self) -> usize;

    /// The task at `place`, which is less than [`Tasks::len`].
    fn get(&self, place: usize) -> Task<'_>;
}

/// The plan's own probes, for the baseline and scenario lanes.
#[derive(Debug)]
pub struct PlanTasks<'p> {
    plan: &'p ResolvedPlan,
    lane: Lane,
    /// `starts[n]` is the place of the first probe of profile n.
    starts: Vec<usize>,
    len: usize,
}

impl<'p> PlanTasks<'p> {
    /// The probes of `plan` in `lane`.
    pub fn new(plan: &'p ResolvedPlan, lane: Lane) -> Self {
        let mut starts = Vec::with_capacity(plan.profiles.len());
        let mut len = 0;
        for profile in &plan.profiles {
            starts.push(len);
            len += profile.probes.len();
        }
        Self { plan, lane, starts, len }
    }

    fn row(&self, place: usize) -> (usize, &'p ResolvedProfile, &'p ResolvedProbe) {
        let index = self.starts.partition_point(|start| *start <= place) - 1;
        let profile = &self.plan.profiles[index];
        (index, profile, &profile.probes[place - self.starts[index]])
    }
}

impl Tasks for PlanTasks<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, place: usize) -> Task<'_> {
        let (index, profile, probe) = self.row(place);
        Task {
            seq: place as u64,
            lane: self.lane,
            profile_id: &profile.id,
            probe_id: probe.entry.probe_id.clone(),
            expectation_id: probe.expectation_id.clone(),
            control_expects: None,
            action: probe.action.as_ref().expect("a run on this system has resolved every action"),
            fixtures: &probe.fixtures,
            listener: probe.entry.listener.as_ref(),
            supported: probe.entry.supports(self.lane),
            capabilities: &probe.entry.capabilities_required,
            asks: Some(probe.entry.as_ref())
                .filter(|_| self.lane != Lane::Baseline && profile.policy.value.enforcer().info().query.is_some()),
            policy: (self.lane != Lane::Baseline).then_some((index as u32, &profile.policy.value)),
        }
    }
}
