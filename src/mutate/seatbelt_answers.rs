//! Seatbelt's mutants, decided by the model.

use super::answer::{MutantAnswer, PolicyMutants, provers};
use super::seatbelt::{self, Comparison};
use crate::plan::{ResolvedProbe, ResolvedProfile};
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::{Model, SbplQuestion, question};
use crate::record::mutation::{DecidedBy, MutantOutcome};

/// The mutants of one profile.
pub(super) fn decide(place: usize, profile: &ResolvedProfile, policy: &SbplPolicy) -> PolicyMutants {
    let asked = |probe: &ResolvedProbe| -> Result<SbplQuestion, String> {
        let action = probe.action.as_deref().ok_or("what its driver does is not known")?;
        question(action, &probe.entry.operation, probe.entry.filter_name.as_deref(), &probe.fixtures)
            .map_err(|reason| reason.to_string())
    };
    let unchanged = Model::new(policy.rules());
    let (provers, useless) = provers(profile, |place| {
        let answer = unchanged.ask(&asked(&profile.probes[place])?);
        answer.decision.ok_or_else(|| format!("the model cannot know: {}", answer.reason))
    });
    let questions: Vec<_> = provers.iter().filter_map(|prover| Some((prover, asked(prover.probe).ok()?))).collect();
    let mut mutants = Vec::new();
    for mutant in seatbelt::mutants(policy) {
        let mut change = mutant.change;
        let Some(changed) = mutant.policy else {
            mutants.push(MutantAnswer::refused(change));
            continue;
        };
        let model = Model::new(&changed);
        let mut open = false;
        let mut by = Vec::new();
        for (prover, question) in &questions {
            match model.ask(question).decision {
                Some(decision) if decision != prover.expected => by.push(prover.probe.expectation_id.to_string()),
                Some(_) => {}
                None => open = true,
            }
        }
        let (outcome, probe_to_add) = match seatbelt::compare(policy, &change.at, &changed) {
            Comparison::Same if by.is_empty() => (MutantOutcome::Equivalent, None),
            Comparison::Differs(effect, probe) if probe.driver.is_none() => {
                change.effect = effect;
                (MutantOutcome::NotAskable, Some(*probe))
            }
            Comparison::Differs(effect, probe) => {
                change.effect = effect;
                (if open { MutantOutcome::Undecided } else { MutantOutcome::NotNoticed }, Some(*probe))
            }
            Comparison::Same | Comparison::Unknown => {
                (if open { MutantOutcome::Undecided } else { MutantOutcome::NotNoticed }, None)
            }
        };
        mutants.push(if by.is_empty() {
            MutantAnswer { change, outcome, noticed_by: by, probe_to_add }
        } else {
            MutantAnswer::noticed(change, by)
        });
    }
    PolicyMutants { profile: place, by: DecidedBy::Model, useless, mutants, equivalent_run: 0, faults: Vec::new() }
}
