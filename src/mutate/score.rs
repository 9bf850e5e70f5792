//! The report: what was noticed of what, rule by rule.

use super::answer::{MutantAnswer, PolicyMutants};
use crate::evidence::places::RuleLines;
use crate::plan::ResolvedPlan;
use crate::record::mutation::{
    EquivalentMutants, MUTATION_SCHEMA, MutantOutcome, MutantRecord, MutationEffect, MutationReport, MutationScore,
    Operator, PolicyMutation, RuleProof,
};

/// Makes the report of a plan's policies.
pub(super) fn report(plan: &ResolvedPlan, answers: Vec<PolicyMutants>, fail_under: Option<f64>) -> MutationReport {
    let mut report = MutationReport {
        schema_version: MUTATION_SCHEMA,
        plan_id: plan.plan.plan_id.to_string(),
        sentence: String::new(),
        fail_under,
        weakened: MutationScore::default(),
        narrowed: MutationScore::default(),
        stricter: MutationScore::default(),
        equivalent: EquivalentMutants::default(),
        not_askable: 0,
        refused: 0,
        policies: Vec::new(),
        oracle_disagrees: Vec::new(),
    };
    let mut lines = RuleLines::default();
    for answer in answers {
        let PolicyMutants { profile, by, useless, mutants, equivalent_run, faults } = answer;
        let profile = &plan.profiles[profile];
        let path = profile.policy.path.as_str();
        report.equivalent.run += equivalent_run;
        report.oracle_disagrees.extend(faults);
        let mut policy = PolicyMutation {
            profile_id: profile.id.to_string(),
            policy: path.to_owned(),
            by,
            weakened: MutationScore::default(),
            narrowed: MutationScore::default(),
            stricter: MutationScore::default(),
            useless,
            rules: Vec::new(),
        };
        for MutantAnswer { change, outcome, noticed_by, probe_to_add } in mutants {
            match outcome {
                MutantOutcome::Equivalent => report.equivalent.mutants += 1,
                MutantOutcome::NotAskable => report.not_askable += 1,
                MutantOutcome::Refused => report.refused += 1,
                MutantOutcome::Noticed | MutantOutcome::NotNoticed | MutantOutcome::Undecided => {
                    let (all, own) = match change.effect {
                        MutationEffect::Weakened => (&mut report.weakened, &mut policy.weakened),
                        MutationEffect::Narrowed => (&mut report.narrowed, &mut policy.narrowed),
                        MutationEffect::Stricter => (&mut report.stricter, &mut policy.stricter),
                    };
                    count(all, outcome);
                    count(own, outcome);
                }
            }
            let rule = match policy.rules.iter_mut().position(|rule| rule.at == change.at) {
                Some(known) => &mut policy.rules[known],
                None => {
                    let text = || {
                        let document = plan.documents.iter().find(|document| document.path == path)?;
                        String::from_utf8(document.bytes.held()?.to_vec()).ok()
                    };
                    let place = lines.find(path, &change.at, text);
                    policy.rules.push(RuleProof {
                        at: change.at.clone(),
                        line: place.map(|(line, _)| line),
                        column: place.map(|(_, column)| column),
                        says: change.says.clone(),
                        proved_by: Vec::new(),
                        mutants: Vec::new(),
                    });
                    policy.rules.last_mut().expect("it was put there just now")
                }
            };
            for id in &noticed_by {
                if !rule.proved_by.contains(id) {
                    rule.proved_by.push(id.clone());
                }
            }
            rule.mutants.push(MutantRecord {
                operator: change.operator,
                change: change.words,
                effect: change.effect,
                outcome,
                noticed_by,
                probe_to_add,
            });
        }
        report.policies.push(policy);
    }
    report.sentence = sentence(&report);
    report
}

fn count(score: &mut MutationScore, outcome: MutantOutcome) {
    score.mutants += 1;
    score.noticed += u64::from(outcome == MutantOutcome::Noticed);
    score.undecided += u64::from(outcome == MutantOutcome::Undecided);
    score.score = Some(score.noticed as f64 / score.mutants as f64);
}

/// The whole in one sentence: the share first, then the worst that nobody notices.
fn sentence(report: &MutationReport) -> String {
    let plan = &report.plan_id;
    let mut text = match (report.weakened.mutants, report.narrowed.mutants) {
        (0, 0) => return format!("`{plan}` has no policy of which anything could be changed"),
        (0, of) => format!("`{plan}` notices {} of {of} changes that refuse more", report.narrowed.noticed),
        (of, _) => format!("`{plan}` notices {} of {of} changes that let more through", report.weakened.noticed),
    };
    let unnoticed = |wanted: &dyn Fn(&MutantRecord) -> bool| {
        let rules = report.policies.iter().flat_map(|policy| &policy.rules);
        rules.flat_map(|rule| &rule.mutants).filter(|one| is_open(one) && wanted(one)).count()
    };
    let unhandled = unnoticed(&|one| one.operator == Operator::Unhandled);
    let removable = unnoticed(&|one| one.operator == Operator::DroppedRule);
    let mut more = Vec::new();
    if unhandled > 0 {
        let (s, is) = if unhandled == 1 { ("", "is") } else { ("s", "are") };
        more.push(format!("{unhandled} right{s} that a policy handles {is} proved by no probe"));
    }
    if removable > 0 {
        let s = if removable == 1 { "" } else { "s" };
        more.push(format!("{removable} rule{s} could be dropped and no probe would notice"));
    }
    if more.is_empty() && report.weakened.noticed == report.weakened.mutants {
        more.push("every right and rule is proved by a probe".to_owned());
    }
    if !more.is_empty() {
        text.push_str(": ");
        text.push_str(&more.join(", and "));
    }
    text
}

/// Whether nothing noticed a change that counts.
fn is_open(mutant: &MutantRecord) -> bool {
    matches!(mutant.outcome, MutantOutcome::NotNoticed | MutantOutcome::Undecided)
}
