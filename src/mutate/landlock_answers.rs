//! Landlock's mutants, decided by the kernel and compared with the model.

use std::sync::Arc;

use super::answer::{MutantAnswer, PolicyMutants, Prover, provers};
use super::error::MutationError;
use super::landlock::{self, ProfileScenery};
use super::mutant::PolicyChange;
use super::question::{MutantDifference, QuestionGround};
use super::trial::{MutantTask, ProbeUnderMutant, Trials};
use crate::evidence::decide::Verdict;
use crate::plan::{ResolvedPlan, ResolvedProfile};
use crate::policy::PolicyValue;
use crate::policy::answer::{Answerer, PolicyQuestion};
use crate::policy::landlock::LandlockPolicy;
use crate::policy::landlock::model::port_right;
use crate::record::fixture::{FixtureEntry, FixtureKind};
use crate::record::mutation::{DecidedBy, ModelFault, MutantOutcome, MutationEffect, UselessProbe};
use crate::record::outcome::Decision;
use crate::review::policy::landlock_access;

/// How many of a policy's equivalent mutants are run all the same, at most.
const SAMPLE: usize = 16;

/// The Landlock policies of a plan with their mutants.
pub(super) struct LandlockMutants {
    /// A plan of those profiles alone.
    pub(super) plan: ResolvedPlan,
    /// Of each profile.
    mutants: Vec<Vec<PreparedMutant>>,
}

struct PreparedMutant {
    change: PolicyChange,
    policy: Option<Arc<PolicyValue>>,
    /// The model sees no difference.
    same: bool,
}

impl LandlockMutants {
    /// Makes them. `plan` holds profiles with Landlock policies only.
    pub(super) fn of(plan: ResolvedPlan) -> Self {
        let mutants = plan.profiles.iter().map(prepared).collect();
        Self { plan, mutants }
    }

    /// The plan with a profile more for each mutant whose rule is somewhere else: where fixtures lie must be reached by none.
    pub(super) fn with_moved_rules(&self) -> ResolvedPlan {
        let mut all = self.plan.clone();
        for (profile, mutants) in self.plan.profiles.iter().zip(&self.mutants) {
            let PolicyValue::Landlock(policy) = profile.policy.value.as_ref() else { continue };
            for mutant in mutants.iter().filter_map(|mutant| mutant.policy.as_ref()) {
                let PolicyValue::Landlock(changed) = mutant.as_ref() else { continue };
                let known = |path: &str| policy.path_rules().any(|placed| placed.rule.path == path);
                if changed.path_rules().any(|placed| !known(&placed.rule.path)) {
                    let mut moved = profile.clone();
                    moved.policy.value = Arc::clone(mutant);
                    all.profiles.push(moved);
                }
            }
        }
        all
    }

    /// Runs the plan as it is, and then every mutant. `reached`: the profiles whose rules reach the place of the fixtures.
    pub(super) fn decide(
        &self,
        trials: &mut Trials<'_>,
        reached: &dyn Fn(&ResolvedProfile) -> bool,
    ) -> Result<Vec<PolicyMutants>, MutationError> {
        let verdicts = trials.unchanged(&self.plan)?;
        let mut from = 0;
        let mut proving: Vec<(Vec<Prover<'_>>, Vec<UselessProbe>)> = Vec::new();
        for profile in &self.plan.profiles {
            let of_profile = &verdicts[from..from + profile.probes.len()];
            from += profile.probes.len();
            proving.push(provers(profile, |place| match of_profile[place] {
                _ if reached(profile) => Err("a rule of the policy reaches the folder that fixtures lie in".to_owned()),
                Verdict::Undecided(cause) => Err(format!("it is undecided: {}", cause.note)),
                Verdict::Allow => Ok(Decision::Allow),
                Verdict::Deny { .. } => Ok(Decision::Deny),
            }));
        }
        let mut list = Vec::new();
        // Workers know the policies of the unchanged plan by the numbers before.
        let mut key = self.plan.profiles.len() as u32;
        // Which of a profile's mutants run.
        let mut runs: Vec<Vec<bool>> = Vec::new();
        for (profile, mutants) in self.mutants.iter().enumerate() {
            let mut same = 0;
            runs.push(Vec::with_capacity(mutants.len()));
            for mutant in mutants {
                same += usize::from(mutant.same);
                let policy = mutant.policy.as_ref().filter(|_| !mutant.same || same <= SAMPLE);
                runs[profile].push(policy.is_some());
                let Some(policy) = policy else { continue };
                list.extend(proving[profile].0.iter().map(|prover| MutantTask {
                    profile,
                    probe: prover.place,
                    key,
                    policy,
                }));
                key += 1;
            }
        }
        let shown = trials.under_mutants(&self.plan, list)?;
        let mut shown = shown.as_slice();
        let mut answers = Vec::new();
        for (profile, (provers, useless)) in proving.into_iter().enumerate() {
            let mut of_policy = PolicyAnswers::new(&self.plan.profiles[profile], &provers);
            for (mutant, runs) in self.mutants[profile].iter().zip(&runs[profile]) {
                let of_mutant;
                (of_mutant, shown) = shown.split_at(if *runs { provers.len() } else { 0 });
                of_policy.put(mutant, runs.then_some(of_mutant));
            }
            let PolicyAnswers { mutants, equivalent_run, faults, .. } = of_policy;
            answers.push(PolicyMutants { profile, by: DecidedBy::Kernel, useless, mutants, equivalent_run, faults });
        }
        Ok(answers)
    }
}

fn prepared(profile: &ResolvedProfile) -> Vec<PreparedMutant> {
    let PolicyValue::Landlock(policy) = profile.policy.value.as_ref() else { return Vec::new() };
    let ports = ports_of(profile);
    let below = |path: &str| something_below(&profile.entry.fixtures, path);
    let made = landlock::mutants(policy, &ProfileScenery { below: &below, ports: &ports });
    let is_same = |changed: &LandlockPolicy| {
        changed.tsync == policy.tsync && landlock_access::compare(policy, changed).1.is_empty()
    };
    made.into_iter()
        .map(|mutant| PreparedMutant {
            change: mutant.change,
            same: mutant.policy.as_ref().is_some_and(is_same),
            policy: mutant.policy.map(|policy| Arc::new(PolicyValue::Landlock(policy))),
        })
        .collect()
}

/// The ports that the probes of a profile name, each once.
fn ports_of(profile: &ResolvedProfile) -> Vec<String> {
    let mut ports: Vec<String> = Vec::new();
    for action in profile.probes.iter().filter_map(|probe| probe.action.as_deref()) {
        if port_right(action.driver).is_some()
            && let Some((_, port)) = action.target.rsplit_once(':')
            && !ports.iter().any(|known| known == port)
        {
            ports.push(port.to_owned());
        }
    }
    ports
}

/// A folder that every probe of the profile finds below `path`.
fn something_below(fixtures: &[FixtureEntry], path: &str) -> Option<String> {
    let folder = path.strip_prefix("${root}")?.trim_matches('/');
    let inner = fixtures.iter().filter_map(|entry| {
        let rest = match folder {
            "" => entry.path.as_str(),
            folder => entry.path.strip_prefix(folder)?.strip_prefix('/')?,
        };
        match (rest.split_once('/'), entry.kind) {
            (Some((inner, _)), _) => Some(inner),
            (None, FixtureKind::Dir) => Some(rest),
            (None, _) => None,
        }
    });
    let first = inner.filter(|inner| !inner.is_empty() && !inner.starts_with('/')).min()?;
    Some(format!("{}/{first}", path.trim_end_matches('/')))
}

/// The answers of one policy in the making.
struct PolicyAnswers<'p> {
    profile: &'p ResolvedProfile,
    provers: &'p [Prover<'p>],
    ground: Option<QuestionGround>,
    mutants: Vec<MutantAnswer>,
    equivalent_run: u64,
    faults: Vec<ModelFault>,
}

impl<'p> PolicyAnswers<'p> {
    fn new(profile: &'p ResolvedProfile, provers: &'p [Prover<'p>]) -> Self {
        Self { profile, provers, ground: None, mutants: Vec::new(), equivalent_run: 0, faults: Vec::new() }
    }

    /// Adds a mutant with what each prover shows under it; `None`: it was not run.
    fn put(&mut self, mutant: &PreparedMutant, shown: Option<&[ProbeUnderMutant]>) {
        let change = mutant.change.clone();
        let (Some(changed), Some(shown)) = (&mutant.policy, shown) else {
            let answer = if mutant.same { MutantAnswer::equivalent(change) } else { MutantAnswer::refused(change) };
            self.mutants.push(answer);
            return;
        };
        self.compare_with_model(mutant, changed, shown);
        self.equivalent_run += u64::from(mutant.same);
        let noticed = self.provers.iter().zip(shown);
        let noticed =
            noticed.filter(|(prover, shown)| matches!(shown, ProbeUnderMutant::Decided(d) if *d != prover.expected));
        let by: Vec<String> = noticed.map(|(prover, _)| prover.probe.expectation_id.to_string()).collect();
        let answer = match () {
            () if !by.is_empty() => MutantAnswer::noticed(change, by),
            () if mutant.same => MutantAnswer::equivalent(change),
            () if !shown.is_empty() && shown.iter().all(|one| *one == ProbeUnderMutant::NotApplied) => {
                MutantAnswer::refused(change)
            }
            // Few plans ask for all that their policies leave alone, and nobody is told which probe would.
            () if change.effect == MutationEffect::Stricter => {
                MutantAnswer { change, outcome: MutantOutcome::NotNoticed, noticed_by: Vec::new(), probe_to_add: None }
            }
            () => {
                let difference = self.difference(changed);
                self.equivalent_run += u64::from(difference == MutantDifference::Nothing);
                let open = shown.iter().any(|one| {
                    *one != ProbeUnderMutant::Decided(Decision::Allow)
                        && *one != ProbeUnderMutant::Decided(Decision::Deny)
                });
                let (outcome, probe_to_add) = match difference {
                    MutantDifference::Nothing => (MutantOutcome::Equivalent, None),
                    MutantDifference::Shown(probe) => (MutantOutcome::NotNoticed, Some(*probe)),
                    MutantDifference::NotShown => (MutantOutcome::NotNoticed, None),
                };
                let outcome =
                    if open && outcome == MutantOutcome::NotNoticed { MutantOutcome::Undecided } else { outcome };
                MutantAnswer { change, outcome, noticed_by: Vec::new(), probe_to_add }
            }
        };
        self.mutants.push(answer);
    }

    fn difference(&mut self, changed: &PolicyValue) -> MutantDifference {
        let (PolicyValue::Landlock(policy), PolicyValue::Landlock(changed)) =
            (self.profile.policy.value.as_ref(), changed)
        else {
            return MutantDifference::NotShown;
        };
        let profile = self.profile;
        let ground = self.ground.get_or_insert_with(|| {
            let of_probes = profile.probes.iter().flat_map(|probe| probe.fixtures.iter());
            QuestionGround::new(policy, profile.entry.fixtures.iter().chain(of_probes))
        });
        ground.difference(policy, changed)
    }

    /// Notes where the model is certain of something else than what the kernel did.
    fn compare_with_model(&mut self, mutant: &PreparedMutant, changed: &PolicyValue, shown: &[ProbeUnderMutant]) {
        let mut answerer = Answerer::default();
        for (prover, shown) in self.provers.iter().zip(shown) {
            let ProbeUnderMutant::Decided(kernel) = shown else { continue };
            let probe = prover.probe;
            let answer = answerer.answer(
                changed,
                PolicyQuestion {
                    action: probe.action.as_deref(),
                    operation: &probe.entry.operation,
                    filter: probe.entry.filter_name.as_deref(),
                    fixtures: &probe.fixtures,
                },
            );
            let model = match answer.decision.filter(|_| answer.is_certain()) {
                Some(model) => model,
                // It called both policies the same, and the unchanged one is as the probe expects.
                None if mutant.same => prover.expected,
                None => continue,
            };
            if model != *kernel {
                self.faults.push(ModelFault {
                    profile_id: self.profile.id.to_string(),
                    at: mutant.change.at.clone(),
                    change: mutant.change.words.clone(),
                    expectation_id: probe.expectation_id.to_string(),
                    model,
                    kernel: *kernel,
                });
            }
        }
    }
}
