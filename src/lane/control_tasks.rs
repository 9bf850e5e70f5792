//! The controls of every profile as tasks.

use crate::base::ids::{ExpectationId, ProbeId};
use crate::lane::task::{Task, Tasks};
use crate::plan::ResolvedPlan;
use crate::policy::controls::{self, Control};
use crate::record::outcome::{Decision, Lane};

/// Every control of a plan, in plan order, the one that must be refused first.
#[derive(Debug)]
pub struct ControlTasks<'p> {
    plan: &'p ResolvedPlan,
    controls: Vec<(usize, Decision, Control)>,
}

impl<'p> ControlTasks<'p> {
    /// Derives the controls of every profile.
    pub fn new(plan: &'p ResolvedPlan) -> Self {
        let mut found = Vec::new();
        for (index, profile) in plan.profiles.iter().enumerate() {
            let derived = controls::derive(&profile.policy.value);
            found.extend(derived.must_deny.ok().map(|control| (index, Decision::Deny, control)));
            found.extend(derived.must_allow.ok().map(|control| (index, Decision::Allow, control)));
        }
        Self { plan, controls: found }
    }
}

impl Tasks for ControlTasks<'_> {
    fn len(&self) -> usize {
        self.controls.len()
    }

    fn get(&self, place: usize) -> Task<'_> {
        let (index, expects, control) = &self.controls[place];
        let profile = &self.plan.profiles[*index];
        let name = format!("control:must_{}", expects.as_str());
        Task {
            seq: place as u64,
            lane: Lane::Control,
            profile_id: &profile.id,
            expectation_id: ExpectationId::new(format!("{}::{name}", profile.id))
                .unwrap_or_else(|_| ExpectationId::new(name.clone()).expect("a fixed name is an id")),
            probe_id: ProbeId::new(name).expect("a fixed name is an id"),
            control_expects: Some(*expects),
            action: &control.action,
            fixtures: &control.fixtures,
            listener: control.listener.as_ref(),
            supported: true,
            capabilities: &[],
            asks: None,
            policy: Some((*index as u32, &profile.policy.value)),
        }
    }
}
