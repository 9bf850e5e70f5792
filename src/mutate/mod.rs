//! Mutation of policies: which probe of a plan proves which rule of its policies.
//!
//! Each policy is changed in one place at a time, and each time the plan's probes are looked at once more. A change that no
//! probe notices is one that somebody could make, or forget, and the run would still be as expected. Landlock's mutants are
//! decided by the kernel ([`trial`]), Seatbelt's by the model, a launcher's by starting it.

mod answer;
mod error;
mod landlock;
mod landlock_answers;
mod launcher;
mod launcher_answers;
mod mutant;
mod question;
mod score;
mod seatbelt;
mod seatbelt_answers;
mod trial;

use answer::PolicyMutants;
pub use error::MutationError;
use landlock_answers::LandlockMutants;
use trial::{TrialPlace, Trials};

use crate::base::threads;
use crate::enforce;
use crate::lane::capability::HostCapabilities;
use crate::lane::fixture::{RulePlaces, choose_base};
use crate::lane::ports::PortPool;
use crate::plan::{ResolvedPlan, ResolvedProfile};
use crate::policy::PolicyValue;
use crate::record::mutation::MutationReport;
use crate::run::{self, RunError, RunRequest};

/// Changes every policy of a plan in every way, and tells what its probes notice of that. `fail_under` is only noted.
///
/// # Errors
/// See [`MutationError`].
pub fn mutate(mut request: RunRequest, fail_under: Option<f64>) -> Result<MutationReport, MutationError> {
    let plan = request.declared.plan.clone();
    let performed = |profile: &ResolvedProfile| {
        matches!(profile.policy.value.as_ref(), PolicyValue::Landlock(_) | PolicyValue::Launcher(_))
    };
    let mut answers = by_model(&plan);
    if plan.profiles.iter().any(performed) {
        // What the model answers for needs nothing of this host.
        request.declared.plan = only(&plan, &performed).0;
        run::check(&request).map_err(MutationError::NotBegun)?;
        answers.extend(by_performing(&request, &plan)?);
    }
    if answers.iter().all(|answer| answer.mutants.is_empty()) {
        return Err(MutationError::Nothing { plan: plan.plan.plan_id.to_string() });
    }
    answers.sort_by_key(|answer| answer.profile);
    Ok(score::report(&plan, answers, fail_under))
}

/// The policies of a system that need not be this one.
fn by_model(plan: &ResolvedPlan) -> Vec<PolicyMutants> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((place, profile)) = {
            let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            plan.profiles.get(place).map(|profile| (place, profile))
        } {
            if let PolicyValue::Sbpl(policy) = profile.policy.value.as_ref() {
                done.push(seatbelt_answers::decide(place, profile, policy));
            }
        }
        done
    };
    threads::together(threads::usual_workers() as usize, work).into_iter().flatten().collect()
}

/// The plan with some of its profiles, and their places in it.
fn only(plan: &ResolvedPlan, wanted: &dyn Fn(&ResolvedProfile) -> bool) -> (ResolvedPlan, Vec<usize>) {
    let places: Vec<usize> = (0..plan.profiles.len()).filter(|place| wanted(&plan.profiles[*place])).collect();
    let profiles = places.iter().map(|place| plan.profiles[*place].clone()).collect();
    (ResolvedPlan { profiles, ..plan.clone() }, places)
}

/// The policies that are put in force here.
fn by_performing(request: &RunRequest, plan: &ResolvedPlan) -> Result<Vec<PolicyMutants>, MutationError> {
    let is_landlock = |profile: &ResolvedProfile| matches!(profile.policy.value.as_ref(), PolicyValue::Landlock(_));
    let (landlock, places) = only(plan, &is_landlock);
    let landlock = LandlockMutants::of(landlock);
    let base = choose_base(
        &run::fixture_places(request),
        &request.declared.run_id,
        &RulePlaces::of(&landlock.with_moved_rules()),
    )
    .map_err(|error| MutationError::NotBegun(RunError::Fixtures(error)))?;
    let capabilities = HostCapabilities::measure(base.path(), enforce::landlock_abi());
    let ports = PortPool::new();
    let place = TrialPlace {
        exe: request.places.exe.path(),
        base: &base,
        capabilities: &capabilities,
        ports: &ports,
        unique: request.declared.run_id.as_str(),
        jobs: request.declared.jobs,
        deadline_ms: plan.deadline_ms,
        host_programs: request.declared.host_programs,
    };
    let cancel = &request.control.cancel;
    let mut answers = Vec::new();
    if !places.is_empty() {
        let mut trials = Trials::start(&place, cancel)?;
        answers = landlock.decide(&mut trials, &|profile| base.reaching().contains_key(&profile.id))?;
        for answer in &mut answers {
            answer.profile = places[answer.profile];
        }
    }
    for (n, profile) in plan.profiles.iter().enumerate() {
        let PolicyValue::Launcher(document) = profile.policy.value.as_ref() else { continue };
        let alone = ResolvedPlan { profiles: vec![profile.clone()], ..plan.clone() };
        answers.push(launcher_answers::decide(n, &alone, document, &place, cancel)?);
    }
    Ok(answers)
}
