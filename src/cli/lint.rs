//! `sandproof plan-lint` and `registry-lint`

use clap::Args;
use serde::Serialize;

use super::color;
use super::exit::{Exit, Failure, OrFail, show_place};
use super::failures::{load_failure, names_seen_from};
use super::named_args::PlanArg;
use super::run::home;
use super::ui::Ui;
use super::workspace_args::RootArg;
use crate::base::ids::RegistryId;
use crate::base::printable::Lines;
use crate::plan::catalogue::require_registry;
use crate::plan::lint::{lint_plan_file, lint_registries};
use crate::plan::{Diagnostic, Severity};

/// The arguments of `plan-lint`.
#[derive(Debug, Args)]
pub(super) struct PlanLintArgs {
    #[command(flatten)]
    plan: PlanArg,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// The arguments of `registry-lint`.
#[derive(Debug, Args)]
pub(super) struct RegistryLintArgs {
    /// This registry only. Default: every registry in the index.
    #[arg(long, value_name = "ID")]
    registry: Option<String>,
    #[command(flatten)]
    root: RootArg,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// Checks a plan.
pub(super) fn plan(args: &PlanLintArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let notes = lint_plan_file(args.plan.path(), home().as_deref()).map_err(load_failure)?;
    let exit = report("plan", &notes, args.json, ui)?;
    if !args.json && !notes.is_empty() {
        names_seen_from(args.plan.path(), home().as_deref()).into_iter().for_each(|names| ui.remark(names));
    }
    Ok(exit)
}

/// Checks one registry, or all.
pub(super) fn registry(args: &RegistryLintArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let workspace = args.root.workspace()?;
    let only = args.registry.as_deref().map(RegistryId::new).transpose().or_fail(Exit::InputRefused)?;
    if let Some(id) = &only {
        require_registry(&workspace, id).map_err(load_failure)?;
    }
    report("registry", &lint_registries(&workspace, only.as_ref()), args.json, ui)
}

/// A lint's answer, as JSON.
#[derive(Debug, Serialize)]
struct LintAnswer<'a> {
    ok: bool,
    errors: usize,
    warnings: usize,
    notes: &'a [Diagnostic],
}

/// Prints the findings on `what`. Errors are findings (exit 1); warnings alone are not.
fn report(what: &str, notes: &[Diagnostic], json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    let errors = notes.iter().filter(|note| note.severity == Severity::Error).count();
    let warnings = notes.len() - errors;
    if json {
        ui.answer("lint_report", &LintAnswer { ok: errors == 0, errors, warnings, notes });
    } else {
        let mut lines = Lines::default();
        for note in notes {
            let style = if note.severity == Severity::Error { color::BAD } else { color::DOUBTFUL };
            let word = color::on_stdout(style, note.severity.as_str());
            lines.marked(&word, format!("[{}] {note}", note.kind.as_str()));
            show_place(&mut lines, note.place.as_ref().map(|place| &place.excerpt));
        }
        lines.line(match (errors, warnings) {
            (0, 0) => format!("{what} ok"),
            (0, _) => format!("{what} ok, {}", counted(warnings, "warning")),
            _ => {
                // What only contradicts a policy is a finding: the plan runs, and the run says who was right.
                let runs = notes.iter().all(|note| note.severity != Severity::Error || note.runs_anyway);
                let word = if runs { "can be run, but has" } else { "refused:" };
                let warnings = if warnings > 0 { format!(", {}", counted(warnings, "warning")) } else { String::new() };
                format!("{what} {word} {}{warnings}", counted(errors, "error"))
            }
        });
        ui.messages(&lines);
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Mismatch })
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
