//! A report of mutation for people and other tools: what of each policy is proved by which probe, and what by none.

mod html;
mod markdown;
mod sarif;
mod text;

use crate::record::mutation::{
    DecidedBy, MutantOutcome, MutantRecord, MutationEffect, MutationScore, PolicyMutation, ProbeToAdd, RuleProof,
};

pub use html::html;
pub use markdown::markdown;
pub use sarif::sarif;
pub use text::text;

/// How a change that nothing notices is listed: what only refuses more than the policy speaks of is counted and not spelled out,
/// because few plans ask for all that they leave alone.
fn is_shown(mutant: &MutantRecord) -> bool {
    mutant.effect != MutationEffect::Stricter
        && matches!(mutant.outcome, MutantOutcome::NotNoticed | MutantOutcome::Undecided)
}

/// The rules of a policy of which something is to be said, with the changes that nothing notices.
fn rules(policy: &PolicyMutation) -> impl Iterator<Item = (&RuleProof, Vec<&MutantRecord>)> {
    policy.rules.iter().filter_map(|rule| {
        let open: Vec<&MutantRecord> = rule.mutants.iter().filter(|mutant| is_shown(mutant)).collect();
        (!open.is_empty() || !rule.proved_by.is_empty()).then_some((rule, open))
    })
}

/// Where a rule stands, for people.
fn place(policy: &PolicyMutation, rule: &RuleProof) -> String {
    match rule.line {
        Some(line) => format!("{}:{line}", policy.policy),
        None => policy.policy.clone(),
    }
}

/// A probe by what tells it from the others of its profile.
fn short<'p>(policy: &PolicyMutation, id: &'p str) -> &'p str {
    id.strip_prefix(&policy.profile_id).and_then(|rest| rest.strip_prefix(':')).unwrap_or(id)
}

fn proved_by(policy: &PolicyMutation, rule: &RuleProof) -> String {
    rule.proved_by.iter().map(|id| short(policy, id)).collect::<Vec<_>>().join(", ")
}

/// `8 of 9`, or `none` of nothing.
fn share(score: &MutationScore) -> String {
    match score.mutants {
        0 => "none".to_owned(),
        mutants => format!("{} of {mutants}", score.noticed),
    }
}

fn by(by: DecidedBy) -> &'static str {
    match by {
        DecidedBy::Kernel => "decided by the kernel",
        DecidedBy::Model => "decided by the model, not by a kernel",
        DecidedBy::Launcher => "decided by starting it",
    }
}

/// What kind of gap an unnoticed change is.
fn gap(mutant: &MutantRecord) -> &'static str {
    if mutant.outcome == MutantOutcome::Undecided { "undecided" } else { "not noticed" }
}

/// The probe to add, in words.
fn probe_words(probe: &ProbeToAdd) -> String {
    let ProbeToAdd { operation, driver, target, to, expected, fixtures, listener: _ } = probe;
    let mut text = format!("{} `{operation}`", expected.as_str());
    if !target.is_empty() {
        text.push_str(&format!(" on `{target}`"));
    }
    if let Some(to) = to {
        text.push_str(&format!(" to `{to}`"));
    }
    if let Some(driver) = driver {
        text.push_str(&format!(" by `{driver}`"));
    }
    if let Some(made) = fixtures.first() {
        text.push_str(&format!(", with the fixture `{}`", made.path));
    }
    text
}

#[cfg(test)]
mod tests;
