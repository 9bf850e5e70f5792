//! What came of each mutant, whoever decided it.

use super::mutant::PolicyChange;
use crate::plan::{ResolvedProbe, ResolvedProfile};
use crate::record::mutation::{DecidedBy, ModelFault, MutantOutcome, ProbeToAdd, UselessProbe};
use crate::record::outcome::Decision;

/// A policy's mutants.
#[derive(Debug)]
pub(super) struct PolicyMutants {
    /// The profile, by its place in the plan.
    pub(super) profile: usize,
    pub(super) by: DecidedBy,
    pub(super) useless: Vec<UselessProbe>,
    pub(super) mutants: Vec<MutantAnswer>,
    /// How many of the equivalent ones were run.
    pub(super) equivalent_run: u64,
    pub(super) faults: Vec<ModelFault>,
}

/// One mutant.
#[derive(Debug)]
pub(super) struct MutantAnswer {
    pub(super) change: PolicyChange,
    pub(super) outcome: MutantOutcome,
    pub(super) noticed_by: Vec<String>,
    pub(super) probe_to_add: Option<ProbeToAdd>,
}

/// A probe that is as expected without any change, so that it can prove something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prover<'p> {
    /// Its place in the profile.
    pub(super) place: usize,
    pub(super) probe: &'p ResolvedProbe,
    /// What it expects, and shows.
    pub(super) expected: Decision,
}

/// Tells the probes of a profile that can prove something from the others. `shown`: what a probe shows without any change,
/// or why nothing.
pub(super) fn provers<'p>(
    profile: &'p ResolvedProfile,
    mut shown: impl FnMut(usize) -> Result<Decision, String>,
) -> (Vec<Prover<'p>>, Vec<UselessProbe>) {
    let (mut provers, mut useless) = (Vec::new(), Vec::new());
    for (place, probe) in profile.probes.iter().enumerate() {
        // What expects nothing, and what only asks, proves nothing and is not meant to.
        let Some(expected) = probe.entry.expected.decision() else { continue };
        let why = match shown(place) {
            Ok(decision) if decision == expected => {
                provers.push(Prover { place, probe, expected });
                continue;
            }
            Ok(decision) => format!("it is {} and expects {}", decision.as_str(), expected.as_str()),
            Err(why) => why,
        };
        useless.push(UselessProbe { expectation_id: probe.expectation_id.to_string(), why });
    }
    (provers, useless)
}

impl MutantAnswer {
    /// A change that made no policy.
    pub(super) fn refused(change: PolicyChange) -> Self {
        Self { change, outcome: MutantOutcome::Refused, noticed_by: Vec::new(), probe_to_add: None }
    }

    /// A change that lets through what the policy does.
    pub(super) fn equivalent(change: PolicyChange) -> Self {
        Self { change, outcome: MutantOutcome::Equivalent, noticed_by: Vec::new(), probe_to_add: None }
    }

    /// A change that these probes notice.
    pub(super) fn noticed(change: PolicyChange, by: Vec<String>) -> Self {
        Self { change, outcome: MutantOutcome::Noticed, noticed_by: by, probe_to_add: None }
    }
}
