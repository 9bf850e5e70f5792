//! What a Seatbelt profile answers.

use super::super::exit::Failure;
use super::super::policy_source::{NamedPolicy, bad};
use super::query::{PolicyAnswer, Query};
use crate::plan::ResolvedProbe;
use crate::policy::operations::canonical;
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::eval::RemarkKind;
use crate::policy::sbpl::model::{DeclaredTree, NodeKind, SbplAnswer, SbplQuestion, evaluate, question};
use crate::record::action::Action;
use crate::record::why::{WhyDecision, WhyStep};

/// Asks the model.
pub(super) fn answer(source: &NamedPolicy, query: &Query, policy: &SbplPolicy) -> Result<PolicyAnswer, Failure> {
    let question = question_of(source, query)?;
    let rules = policy.rules();
    let SbplAnswer { decision, rule, chain, reason, assumes, unasked } = evaluate(rules, &question);
    let rule_at = |index: usize| source.seatbelt_rule(policy, rules.rules[index].place);
    let chain = chain
        .into_iter()
        .map(|step| WhyStep {
            operation: step.operation.to_owned(),
            on: step.on,
            decision: Some(WhyDecision::of(step.decision)),
            rule: step.rule.map(rule_at),
        })
        .collect();
    let mut remarks = remarks(&question.operation);
    for fact in unasked {
        remarks.push(format!("the fact `{fact}` changed nothing: no rule that was evaluated uses it"));
    }
    for doubt in policy.remarks() {
        let remedy = match &doubt.kind {
            RemarkKind::MissingParameter(name) if source.asked.profile.is_none() => {
                format!("give it one with -D {name}=VALUE")
            }
            kind => kind.remedy(),
        };
        remarks.push(format!("at {}, {}; {remedy}", doubt.place, doubt.kind));
    }
    for gate in policy.gates() {
        remarks.push(format!("the system refuses to apply this profile ({}): {}", gate.place, gate.kind));
    }
    Ok(PolicyAnswer { decision: WhyDecision::of(decision), rule: rule.map(rule_at), chain, reason, assumes, remarks })
}

/// The question in the model's terms.
pub(super) fn question_of(source: &NamedPolicy, query: &Query) -> Result<SbplQuestion, Failure> {
    // A probe of the profile that asks just this knows more: its driver, its own fixtures.
    let probe = source.asked.profile.as_ref().and_then(|found| {
        let same = |probe: &&ResolvedProbe| {
            canonical(&probe.entry.operation) == canonical(&query.operation) && *probe.entry.target == *query.target
        };
        found.profile.probes.iter().find(same)
    });
    let fixtures = match (&source.asked.profile, probe) {
        (_, Some(probe)) => probe.fixtures.to_vec(),
        (Some(found), None) => found.profile.entry.fixtures.clone(),
        (None, None) => Vec::new(),
    };
    let of_action = |action: &Action| {
        question(action, &query.operation, query.filter.as_deref(), &fixtures)
            .map_err(|why| bad(why, "leave out --driver, or name another one"))
    };
    let plain = query.syscall.is_none() && query.filter.is_none() && query.to.is_none();
    let mut question = match (query.driver, probe.and_then(|probe| probe.action.as_deref())) {
        (Some(driver), _) => of_action(&Action { to: query.to.clone(), ..Action::new(driver, query.target.clone()) })?,
        (None, Some(action)) if plain => of_action(action)?,
        _ => {
            let mut question = SbplQuestion::new(query.operation.clone(), query.target.clone());
            question.filter.clone_from(&query.filter);
            question.syscall.clone_from(&query.syscall);
            question.to.clone_from(&query.to);
            if source.asked.profile.is_some() {
                question.tree = DeclaredTree::of_fixtures(&fixtures);
            }
            question
        }
    };
    for (path, text) in &query.links {
        question
            .tree
            .declare(path, NodeKind::Symlink(text.clone()))
            .map_err(|why| bad(format!("--link {path}={text}: {why}"), "write PATH=TEXT with an absolute PATH"))?;
    }
    for (key, value) in &query.facts {
        // A process may hold several of these.
        match question.facts.get_mut(key).filter(|_| ["extension", "entitlement"].contains(&key.as_str())) {
            Some(held) => *held = format!("{held},{value}"),
            None => drop(question.facts.insert(key.clone(), value.clone())),
        }
    }
    Ok(question)
}

/// What else is worth knowing about an operation.
fn remarks(operation: &str) -> Vec<String> {
    let text = match operation {
        "darwin-notification-post" => {
            "the system does not enforce this for ordinary clients of notify_post(3): its receiver asks the policy about \
             filtered clients only"
        }
        "distributed-notification-post" | "authorization-right-obtain" | "appleevent-send" => {
            "another process decides this when it is asked, so an attempt proves nothing about the policy"
        }
        "mach-lookup" => "a service that does not exist is not found (1102), whatever the policy decides",
        _ => return Vec::new(),
    };
    vec![text.to_owned()]
}
