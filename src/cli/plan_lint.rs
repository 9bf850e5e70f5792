//! `sandproof plan-lint`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::findings;
use super::refusal::load_failure;
use super::ui::Ui;
use crate::plan::lint::lint_plan_file;

/// Check a plan with everything that it refers to; nothing is executed.
#[derive(Debug, Args)]
pub(super) struct PlanLintArgs {
    /// The plan, or the folder that its `plan.json` lies in.
    #[arg(long, value_name = "FILE|DIR")]
    plan: PathBuf,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// Lints a plan.
pub(super) fn run(args: &PlanLintArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let notes = lint_plan_file(&args.plan).map_err(load_failure)?;
    findings::report("plan", &notes, args.json, ui)
}
