//! `sandproof policy diff`

use std::path::{Path, PathBuf};

use clap::Args;

use super::super::color;
use super::super::exit::{Exit, Failure};
use super::super::policy_source::{PolicyOptions, bad};
use super::super::ui::Ui;
use crate::base::printable::Lines;
use crate::record::policy_review::{AccessChange, POLICY_DIFF_SCHEMA, PolicyDiff, UnwitnessedRule};
use crate::record::why::WhyDecision;
use crate::review::policy::{PolicyComparison, compare};

/// Compare what two policies let through: not their text, but the answers of the model.
///
/// Each difference is shown by a target that witnesses it. Targets are made from the rules of both: what a filter names, what
/// lies below and beside it. Exit codes: 0 if no answer differs, 1 if one does, 8 if only answers differ that cannot be
/// known or if the targets cannot stand for all that a rule matches (two regular expressions), 3 if a policy cannot be read.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The policy before: a document, `-` for standard input, or the id of a profile of a registry.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The policy after.
    #[arg(value_name = "B")]
    b: PathBuf,
    #[command(flatten)]
    options: PolicyOptions,
    /// Print the differences as JSON.
    #[arg(long)]
    json: bool,
}

/// Compares.
pub(super) fn run(args: &DiffArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.a == Path::new("-") && args.b == Path::new("-") {
        return Err(bad("standard input cannot be both policies", "name one of them by its file"));
    }
    let (a, b) = (args.options.find(&args.a)?, args.options.find(&args.b)?);
    let compared = compare(&a.asked.policy.value, &b.asked.policy.value);
    let Some(PolicyComparison { questions, complete, changes, unwitnessed: places }) = compared else {
        let remedy = "compare two Seatbelt texts, or two Landlock documents";
        return Err(bad("the two policies are for different sandboxes", remedy));
    };
    let mut unwitnessed = Vec::new();
    for (side, places) in ["a", "b"].into_iter().zip(places) {
        unwitnessed.extend(places.into_iter().map(|rule| UnwitnessedRule { side, rule }));
    }
    let of = |from, to| -> Vec<AccessChange> {
        changes.iter().filter(|change| change.a == from && change.b == to).cloned().collect()
    };
    let report = PolicyDiff {
        schema_version: POLICY_DIFF_SCHEMA,
        a: a.described(),
        b: b.described(),
        same: changes.is_empty(),
        questions,
        complete,
        unwitnessed,
        widened: of(WhyDecision::Deny, WhyDecision::Allow),
        narrowed: of(WhyDecision::Allow, WhyDecision::Deny),
        undecidable: changes
            .iter()
            .filter(|change| [change.a, change.b].contains(&WhyDecision::Undecidable))
            .cloned()
            .collect(),
    };
    if args.json {
        ui.json(&report);
    } else {
        ui.out(&render(&report));
    }
    Ok(match () {
        () if !report.widened.is_empty() || !report.narrowed.is_empty() => Exit::Mismatch,
        () if !report.undecidable.is_empty() || !report.complete => Exit::Undecided,
        () => Exit::Done,
    })
}

fn render(report: &PolicyDiff) -> Lines {
    let mut lines = Lines::default();
    let lists = [
        ("widened: denied before, allowed after", &report.widened, color::BAD),
        ("narrowed: allowed before, denied after", &report.narrowed, color::HELPFUL),
        ("cannot be known on one side", &report.undecidable, color::DOUBTFUL),
    ];
    for (title, changes, style) in lists {
        if changes.is_empty() {
            continue;
        }
        lines.marked(&color::on_stdout(style, title), "");
        for change in changes {
            let facts: String = change.facts.iter().map(|(name, value)| format!(" ({name} {value})")).collect();
            lines.line(format!("  {} on {}{facts}", change.operations.join(", "), change.target));
            let side = |decision: WhyDecision, rule: &Option<String>| match rule {
                Some(rule) => format!("{} by {rule}", decision.as_str()),
                None => decision.as_str().to_owned(),
            };
            lines.line(format!(
                "      {}: {}   {}: {}",
                report.a.file,
                side(change.a, &change.a_rule),
                report.b.file,
                side(change.b, &change.b_rule)
            ));
        }
    }
    if !report.unwitnessed.is_empty() {
        let title = "cannot be known: rules of one side alone that no target showed to differ";
        lines.marked(&color::on_stdout(color::DOUBTFUL, title), "");
        for UnwitnessedRule { side, rule } in &report.unwitnessed {
            let file = if *side == "a" { &report.a.file } else { &report.b.file };
            lines.line(format!("  the rule at {rule} of {file}"));
        }
    }
    match (report.same, report.complete) {
        (true, true) => lines.line("no answer differs"),
        (true, false) => lines.line("no answer differs of those that were compared"),
        (false, _) => {}
    }
    let rest = if report.complete || !report.unwitnessed.is_empty() {
        ""
    } else {
        "; there are more targets that the rules suggest, which were left out"
    };
    lines.line(format!("{} questions asked of both{rest}", report.questions));
    lines
}
