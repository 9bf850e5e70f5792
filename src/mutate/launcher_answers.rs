//! A launcher's mutants, decided by starting it without the flag.

use super::answer::{MutantAnswer, PolicyMutants, Prover, provers};
use super::launcher;
use super::trial::TrialPlace;
use crate::evidence::decide::{Attempt, attempt};
use crate::lane::cancel::Cancel;
use crate::lane::executor::LaneError;
use crate::lane::task::{PlanTasks, Task, Tasks};
use crate::launcher::lane::{LauncherLane, ONE_WORKER, Turns};
use crate::launcher::strays::Adoption;
use crate::plan::ResolvedPlan;
use crate::policy::launcher::LauncherDocument;
use crate::record::mutation::{DecidedBy, MutantOutcome, MutationEffect};
use crate::record::outcome::{Decision, Lane};
use crate::record::row::ProbeRow;

use super::error::MutationError;

/// Asks the questions of one profile, which `plan` has alone, of the launcher as it is, and then without each of its flags.
pub(super) fn decide(
    place: usize,
    plan: &ResolvedPlan,
    document: &LauncherDocument,
    at: &TrialPlace<'_>,
    cancel: &Cancel,
) -> Result<PolicyMutants, MutationError> {
    let all = PlanTasks::new(plan, Lane::Scenario);
    let tasks: Vec<Task<'_>> = (0..all.len()).map(|n| all.get(n)).collect();
    let turns = Turns::new(at.jobs as usize);
    let ask = |document: &LauncherDocument| -> Result<Vec<ProbeRow>, MutationError> {
        let _adoption = Adoption::begin();
        let lane = LauncherLane {
            document,
            exe: at.exe,
            base: at.base,
            unique: at.unique,
            deadline_ms: at.deadline_ms,
            host_programs: at.host_programs,
            capabilities: at.capabilities,
            cancel,
            turns: &turns,
            one_worker: ONE_WORKER,
        };
        let rows = lane.run(&tasks);
        match cancel.requested() {
            Some(signal) => Err(MutationError::Lane(LaneError::Cancelled { signal })),
            None => Ok(rows),
        }
    };
    let unchanged = ask(document)?;
    let profile = &plan.profiles[0];
    let (provers, useless) = provers(profile, |place| match unchanged.get(place).map(attempt) {
        Some(Attempt::Undecided(cause)) => Err(format!("it is undecided: {}", cause.note)),
        Some(shown) => shown.decision().ok_or_else(|| "it is undecided".to_owned()),
        None => Err("it was not asked".to_owned()),
    });
    let mut mutants = Vec::new();
    for mutant in launcher::mutants(document) {
        let Some(changed) = mutant.policy else {
            mutants.push(MutantAnswer::refused(mutant.change));
            continue;
        };
        let rows = ask(&changed)?;
        let shown: Vec<_> = provers.iter().map(|prover| (prover, rows.get(prover.place).map(attempt))).collect();
        let decided = |shown: &Option<Attempt>| shown.as_ref().and_then(|shown| shown.decision());
        let by: Vec<String> = shown
            .iter()
            .filter(|(prover, shown)| decided(shown).is_some_and(|decision| decision != prover.expected))
            .map(|(prover, _)| prover.probe.expectation_id.to_string())
            .collect();
        let mut change = mutant.change;
        let differs = |(prover, shown): &(&Prover<'_>, Option<Attempt>), from| {
            prover.expected == from && decided(shown).is_some_and(|decision| decision != from)
        };
        // What it lets through without the flag counts more than what it then refuses.
        if !shown.iter().any(|one| differs(one, Decision::Deny))
            && shown.iter().any(|one| differs(one, Decision::Allow))
        {
            change.effect = MutationEffect::Narrowed;
        }
        let open = shown.iter().filter(|(_, shown)| decided(shown).is_none()).count();
        mutants.push(match () {
            () if !by.is_empty() => MutantAnswer::noticed(change, by),
            // Without this flag it starts nothing, so nobody could use it like that.
            () if open == shown.len() => MutantAnswer::refused(change),
            () => MutantAnswer {
                change,
                outcome: if open > 0 { MutantOutcome::Undecided } else { MutantOutcome::NotNoticed },
                noticed_by: by,
                probe_to_add: None,
            },
        });
    }
    Ok(PolicyMutants {
        profile: place,
        by: DecidedBy::Launcher,
        useless,
        mutants,
        equivalent_run: 0,
        faults: Vec::new(),
    })
}
