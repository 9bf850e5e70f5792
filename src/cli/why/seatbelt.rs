//! What a Seatbelt profile answers.

use super::super::exit::Failure;
use super::place::form_at;
use super::{Told, WhyArgs, bad, file_of};
use crate::base::json_place;
use crate::plan::ResolvedProbe;
use crate::plan::asked::AskedPolicy;
use crate::policy::operations::canonical;
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::eval::RemarkKind;
use crate::policy::sbpl::model::{Answer, NodeKind, Question, Tree, evaluate, question};
use crate::policy::sbpl::rules::Rule;
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::why::{WhyDecision, WhyRule, WhyStep};

/// Asks the model.
pub(super) fn answer(
    args: &WhyArgs,
    driver: Option<Driver>,
    asked: &AskedPolicy,
    policy: &SbplPolicy,
) -> Result<Told, Failure> {
    let question = question_of(args, driver, asked)?;
    let rules = policy.rules();
    let Answer { decision, rule, chain, reason, assumes } = evaluate(rules, &question);
    let rule_at = |index: usize| rule_of(args, asked, policy, &rules.rules[index]);
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
    for doubt in policy.remarks() {
        let remedy = match &doubt.kind {
            RemarkKind::MissingParameter(name) if asked.profile.is_none() => {
                format!("give it one with --param {name}=VALUE")
            }
            kind => kind.remedy(),
        };
        remarks.push(format!("at {}, {}; {remedy}", doubt.place, doubt.kind));
    }
    for gate in policy.gates() {
        remarks.push(format!("the system refuses to apply this profile ({}): {}", gate.place, gate.kind));
    }
    Ok(Told { decision: WhyDecision::of(decision), rule: rule.map(rule_at), chain, reason, assumes, remarks })
}

fn question_of(args: &WhyArgs, driver: Option<Driver>, asked: &AskedPolicy) -> Result<Question, Failure> {
    // A probe of the profile that asks just this knows more: its driver, its own fixtures.
    let probe = asked.profile.as_ref().and_then(|found| {
        let same = |probe: &&ResolvedProbe| {
            canonical(&probe.entry.operation) == canonical(&args.operation) && probe.entry.target == args.target
        };
        found.profile.probes.iter().find(same)
    });
    let fixtures = match (&asked.profile, probe) {
        (_, Some(probe)) => probe.fixtures.to_vec(),
        (Some(found), None) => found.profile.entry.fixtures.clone(),
        (None, None) => Vec::new(),
    };
    let of_action = |action: &Action| {
        question(action, &args.operation, args.filter.as_deref(), &fixtures)
            .map_err(|why| bad(why, "leave out --driver, or name another one"))
    };
    let plain = args.syscall.is_none() && args.filter.is_none() && args.to.is_none();
    let mut question = match (driver, probe.and_then(|probe| probe.action.as_deref())) {
        (Some(driver), _) => of_action(&Action { to: args.to.clone(), ..Action::new(driver, args.target.clone()) })?,
        (None, Some(action)) if plain => of_action(action)?,
        _ => {
            let mut question = Question::new(args.operation.clone(), args.target.clone());
            question.filter = args.filter.clone();
            question.syscall = args.syscall.clone();
            question.to = args.to.clone();
            if asked.profile.is_some() {
                question.tree = Tree::of_fixtures(&fixtures);
            }
            question
        }
    };
    for (path, text) in &args.links {
        question
            .tree
            .declare(path, NodeKind::Symlink(text.clone()))
            .map_err(|why| bad(format!("--link {path}={text}: {why}"), "write PATH=TEXT with an absolute PATH"))?;
    }
    question.facts.extend(args.facts.iter().cloned());
    Ok(question)
}

/// Where a rule stands: in the policy document, or among the rules that the profile adds to it.
fn rule_of(args: &WhyArgs, asked: &AskedPolicy, policy: &SbplPolicy, rule: &Rule) -> WhyRule {
    let text = form_at(policy.text(), rule.place);
    let here =
        WhyRule { file: file_of(args, asked), line: rule.place.line, column: rule.place.column, text, pointer: None };
    let Some(found) = asked.profile.as_ref().filter(|_| policy.is_appended(rule.place)) else { return here };
    let id = found.profile.id.as_str().replace('~', "~0").replace('/', "~1");
    let rules = &found.profile.entry.key_specific_rules;
    let lines = |rule: &String| rule.matches('\n').count() as u32 + 1;
    // The rules stand on the last lines of the text, in their order.
    let mut line =
        policy.text().trim_end_matches('\n').matches('\n').count() as u32 + 2 - rules.iter().map(lines).sum::<u32>();
    let at = rules.iter().position(|one| {
        let begins = line;
        line += lines(one);
        (begins..line).contains(&rule.place.line)
    });
    let pointer = match at {
        Some(n) => format!("/profiles/{id}/key_specific_rules/{n}"),
        None => format!("/profiles/{id}/key_specific_rules"),
    };
    let place = std::str::from_utf8(&found.profiles_document).ok().and_then(|text| json_place::find(text, &pointer));
    WhyRule {
        file: found.profiles_path.clone(),
        line: place.map_or(0, |place| place.line),
        column: place.map_or(0, |place| place.column),
        pointer: Some(pointer),
        ..here
    }
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
