//! `sandproof why`

mod answer;
mod args;
mod ask;
mod landlock;
mod log;
mod query;
mod seatbelt;

use std::path::Path;

use super::exit::{Exit, Failure};
use super::key_values::KeyValues;
use super::ui::Ui;
use crate::base::printable::Lines;
use crate::record::why::{WHY_SCHEMA, WhyAnswer, WhyDecision, WhyRule};
use query::Query;

pub(super) use args::WhyArgs;

/// Answers.
pub(super) fn run(args: &WhyArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if let Some(file) = &args.ask {
        return ask::run(args, file, ui);
    }
    let name = args.profile.as_deref().unwrap_or(Path::new(""));
    if let Some(file) = &args.log {
        return log::run(args, name, file, ui);
    }
    let query = Query {
        target: args.target.clone().unwrap_or_default(),
        filter: args.filter.clone(),
        syscall: args.syscall.clone(),
        to: args.to.clone(),
        links: args.links.clone(),
        facts: args.facts.clone(),
        ..Query::about(args.operation.as_deref(), args.driver.as_deref())?
    };
    let source = args.policy.find(name)?;
    let told = answer::answer(&source, &query)?;
    let exit = if told.decision == WhyDecision::Undecidable { Exit::Undecided } else { Exit::Done };
    let answer = WhyAnswer {
        schema_version: WHY_SCHEMA,
        policy: source.described(),
        operation: query.operation,
        target: query.target,
        decision: told.decision,
        rule: told.rule,
        chain: told.chain,
        reason: told.reason,
        assumes: told.assumes,
        remarks: told.remarks,
    };
    if args.json {
        ui.json(&answer);
    } else {
        ui.out(&render(&answer));
    }
    Ok(exit)
}

/// The answer for people.
fn render(answer: &WhyAnswer) -> Lines {
    let place = |rule: &WhyRule| format!("{}:{}:{}", rule.file, rule.line, rule.column);
    let mut sheet = KeyValues::default();
    sheet.line("decision", answer.decision.as_str());
    sheet.maybe("rule", answer.rule.as_ref().map(|rule| format!("{}  {}", place(rule), rule.text)).as_deref());
    sheet.line("why", &answer.reason);
    let steps: Vec<String> = answer
        .chain
        .iter()
        .map(|step| {
            let mut line = format!("{} on {}", step.operation, step.on);
            if let Some(decision) = step.decision {
                line.push_str(&format!(": {}", decision.as_str()));
            }
            if let Some(rule) = &step.rule {
                line.push_str(&format!(", by {}", place(rule)));
            }
            line
        })
        .collect();
    sheet.list("checks", steps.iter().map(String::as_str));
    sheet.list("assumes", answer.assumes.iter().map(String::as_str));
    sheet.list("remarks", answer.remarks.iter().map(String::as_str));
    sheet.render()
}
