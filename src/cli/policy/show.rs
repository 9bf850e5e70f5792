//! `sandproof policy show`

use clap::Args;

use super::super::exit::{Exit, Failure};
use super::super::policy_source::OnePolicyArgs;
use super::super::table;
use super::super::ui::Ui;
use crate::base::printable::Lines;
use crate::record::policy_review::{POLICY_SHOW_SCHEMA, PolicyShow};
use crate::review::policy::show;

/// Operations of one line, where no rule names them.
const MOST_LISTED: usize = 12;

/// Print what a policy comes to: its rules with parameters worked out, and what decides about each operation or right.
///
/// Exit codes: 0, or 3 if the policy cannot be read.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    one: OnePolicyArgs,
}

/// Shows.
pub(super) fn run(args: &ShowArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let source = args.one.find()?;
    let shown = show(&source.asked.policy.value);
    let report = PolicyShow {
        schema_version: POLICY_SHOW_SCHEMA,
        policy: source.described(),
        parameters: source.asked.policy.value.parameters(),
        rules: shown.rules,
        gaps: shown.gaps,
        access: shown.access,
    };
    if args.one.json {
        ui.json(&report);
    } else {
        ui.out(&render(&report, ui.width()));
    }
    Ok(Exit::Done)
}

fn render(report: &PolicyShow, width: Option<usize>) -> Lines {
    let mut lines = Lines::from_iter([format!("{} ({})", report.policy.file, report.policy.mode)]);
    for (name, digest) in &report.policy.imports {
        lines.line(format!("imports {name}  sha256 {digest}"));
    }
    for (key, value) in &report.parameters {
        lines.line(format!("parameter {key} = {value}"));
    }
    let rules: Vec<Vec<String>> = report
        .rules
        .iter()
        .map(|rule| {
            let with: String = rule.modifiers.iter().map(|one| format!(" (with {one})")).collect();
            let on = if rule.on.is_empty() { "everything".to_owned() } else { rule.on.join(" ") };
            vec![rule.at.clone(), rule.action.as_str().to_owned(), rule.operations.join(" "), format!("{on}{with}")]
        })
        .collect();
    lines.blank();
    lines.append(&table::fitted(&["RULE", "", "WHAT", "ON"], &rules, width));
    for gap in &report.gaps {
        lines.line(format!("{}  not known here: {}", gap.at, gap.text));
    }
    let access: Vec<Vec<String>> = report
        .access
        .iter()
        .map(|one| {
            let otherwise = match &one.by {
                Some(by) => format!("{} ({by})", one.otherwise.as_str()),
                None => one.otherwise.as_str().to_owned(),
            };
            // The long rest has no rule of its own; the JSON form lists it.
            let what = if one.operations.len() > MOST_LISTED && one.allowed_by.is_empty() && one.denied_by.is_empty() {
                format!("{} others, such as {}", one.operations.len(), one.operations[..3].join(" "))
            } else {
                one.operations.join(" ")
            };
            vec![otherwise, one.allowed_by.join(" "), one.denied_by.join(" "), what]
        })
        .collect();
    lines.blank();
    lines.append(&table::fitted(&["UNLESS A FILTER MATCHES", "ALLOWED BY", "DENIED BY", "WHAT"], &access, width));
    lines
}
