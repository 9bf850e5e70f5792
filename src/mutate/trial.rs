//! The kernel's part: every probe under the policy as it is, and then under each mutant of it.
//!
//! One process a probe, as in a run; but no bundle, no baseline of its own and no control for a mutant. What a mutant lets
//! through or refuses is compared with what the unchanged policy does, whose verdict has a baseline and controls behind it.

use std::path::Path;
use std::sync::Arc;

use super::error::MutationError;
use crate::evidence::decide::{Attempt, ControlsSay, Verdict, attempt, verdict};
use crate::lane::cancel::Cancel;
use crate::lane::capability::HostCapabilities;
use crate::lane::control_tasks::ControlTasks;
use crate::lane::executor;
use crate::lane::fixture::FixtureBase;
use crate::lane::order::TaskOrder;
use crate::lane::ports::PortPool;
use crate::lane::task::{PlanTasks, Task, Tasks};
use crate::lane::worker::{RunShared, Worker};
use crate::plan::ResolvedPlan;
use crate::policy::PolicyValue;
use crate::record::outcome::{Decision, FailureStage, Lane};
use crate::record::row::ProbeRow;

/// The workers that execute probes under changed policies.
pub(super) struct Trials<'r> {
    workers: Vec<Worker<'r>>,
    shared: RunShared<'r>,
    cancel: &'r Cancel,
}

/// Where and with what a plan's probes are performed.
pub(super) struct TrialPlace<'r> {
    /// The executable that zygotes are made of.
    pub(super) exe: &'r Path,
    /// Where fixtures are made.
    pub(super) base: &'r FixtureBase,
    /// What host and user have.
    pub(super) capabilities: &'r HostCapabilities,
    /// Ports of the probes.
    pub(super) ports: &'r PortPool,
    /// What makes names of sockets the run's own.
    pub(super) unique: &'r str,
    /// How many workers there are.
    pub(super) jobs: u32,
    /// How long one probe may run, in milliseconds.
    pub(super) deadline_ms: u64,
    /// Whether probes may execute programs of the host.
    pub(super) host_programs: bool,
}

/// What a probe shows under a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeUnderMutant {
    /// The kernel decided.
    Decided(Decision),
    /// It did not.
    Open,
    /// The policy could not be put in force.
    NotApplied,
}

/// One probe under one mutant.
pub(super) struct MutantTask<'p> {
    /// The profile, by its place in the plan.
    pub(super) profile: usize,
    /// The probe, by its place in the profile.
    pub(super) probe: usize,
    /// Under which number workers keep the policy.
    pub(super) key: u32,
    /// The changed policy.
    pub(super) policy: &'p Arc<PolicyValue>,
}

struct MutantTasks<'p> {
    plan: &'p ResolvedPlan,
    list: Vec<MutantTask<'p>>,
}

impl Tasks for MutantTasks<'_> {
    fn len(&self) -> usize {
        self.list.len()
    }

    fn get(&self, place: usize) -> Task<'_> {
        let MutantTask { profile, probe, key, policy } = &self.list[place];
        let profile = &self.plan.profiles[*profile];
        let probe = &profile.probes[*probe];
        Task {
            seq: place as u64,
            lane: Lane::Scenario,
            profile_id: &profile.id,
            probe_id: probe.entry.probe_id.clone(),
            expectation_id: probe.expectation_id.clone(),
            control_expects: None,
            action: probe.action.as_ref().expect("only probes with an action have a verdict"),
            fixtures: &probe.fixtures,
            listener: probe.entry.listener.as_ref(),
            supported: true,
            capabilities: &probe.entry.capabilities_required,
            asks: None,
            policy: Some((*key, policy)),
        }
    }
}

impl<'r> Trials<'r> {
    /// Starts the workers.
    pub(super) fn start(place: &TrialPlace<'r>, cancel: &'r Cancel) -> Result<Self, MutationError> {
        let mut workers = Vec::new();
        for _ in 0..place.jobs.max(1) {
            match Worker::start(place.exe, cancel) {
                Ok(worker) => workers.push(worker),
                Err(error) if workers.is_empty() => return Err(MutationError::Worker(error)),
                // A limit on processes or files leaves fewer.
                Err(_) => break,
            }
        }
        let shared = RunShared {
            exe: place.exe,
            base: place.base,
            deadline_ms: place.deadline_ms,
            capabilities: place.capabilities,
            ports: place.ports,
            unique: place.unique,
            host_programs: place.host_programs,
            audit: None,
        };
        Ok(Self { workers, shared, cancel })
    }

    fn run(&mut self, tasks: &dyn Tasks, take: &mut (dyn FnMut(ProbeRow) + Send)) -> Result<(), MutationError> {
        let ran = executor::run(&mut self.workers, &self.shared, tasks, TaskOrder::Planned, self.cancel, &mut |line| {
            take(serde_json::from_slice(line)?);
            Ok(())
        });
        ran.map_err(MutationError::Lane)
    }

    fn rows(&mut self, tasks: &dyn Tasks) -> Result<Vec<ProbeRow>, MutationError> {
        let mut rows = Vec::with_capacity(tasks.len());
        self.run(tasks, &mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// The verdict of every probe under the policy as it is, in plan order.
    pub(super) fn unchanged(&mut self, plan: &ResolvedPlan) -> Result<Vec<Verdict>, MutationError> {
        let baseline = self.rows(&PlanTasks::new(plan, Lane::Baseline))?;
        let controls = self.rows(&ControlTasks::new(plan))?;
        let scenario = self.rows(&PlanTasks::new(plan, Lane::Scenario))?;
        let wrong = |row: &&ProbeRow| attempt(row).decision() != row.control_expects;
        let wrong: Vec<_> = controls.iter().filter(wrong).map(|row| &row.profile_id).collect();
        let rows = baseline.iter().zip(&scenario);
        Ok(rows
            .map(|(baseline, scenario)| {
                let says =
                    if wrong.contains(&&scenario.profile_id) { ControlsSay::Wrong } else { ControlsSay::NothingWrong };
                verdict(scenario, attempt(scenario), Some((baseline, attempt(baseline))), says)
            })
            .collect())
    }

    /// What each of these shows, in their order.
    pub(super) fn under_mutants<'p>(
        &mut self,
        plan: &'p ResolvedPlan,
        list: Vec<MutantTask<'p>>,
    ) -> Result<Vec<ProbeUnderMutant>, MutationError> {
        let mut shown = Vec::with_capacity(list.len());
        self.run(&MutantTasks { plan, list }, &mut |row| {
            shown.push(match attempt(&row) {
                Attempt::Allowed => ProbeUnderMutant::Decided(Decision::Allow),
                Attempt::Denied { .. } => ProbeUnderMutant::Decided(Decision::Deny),
                Attempt::Undecided(cause) if cause.kind.stage() == FailureStage::Apply => ProbeUnderMutant::NotApplied,
                Attempt::Undecided(_) => ProbeUnderMutant::Open,
            });
        })?;
        Ok(shown)
    }
}
