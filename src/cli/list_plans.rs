//! `sandproof list-plans`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::RootArg;
use super::table;
use super::ui::Ui;
use crate::plan::catalogue::{PlanListing, list_plans};

/// List the plans of a workspace.
#[derive(Debug, Args)]
pub(super) struct ListPlansArgs {
    #[command(flatten)]
    root: RootArg,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists `plans/*/plan.json`, and what a checkout of the reference runtime has.
pub(super) fn run(args: &ListPlansArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let plans = list_plans(&args.root.workspace()?);
    if args.json {
        ui.json(&plans);
        return Ok(Exit::Done);
    }
    let mut rows = Vec::new();
    for plan in &plans {
        match plan {
            PlanListing::Plan { plan_id, registry_id, profiles, path } => {
                rows.push(vec![plan_id.to_string(), registry_id.to_string(), profiles.to_string(), path.clone()]);
            }
            PlanListing::Broken { path, error } => ui.remark(format!("`{path}` cannot be listed: {error}")),
        }
    }
    ui.out(&table::render(&["PLAN", "REGISTRY", "PROFILES", "FILE"], &rows));
    Ok(Exit::Done)
}
