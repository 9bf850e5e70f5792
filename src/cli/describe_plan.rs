//! `sandproof describe-plan`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::load_failure;
use super::sheet::Sheet;
use super::ui::Ui;
use crate::plan::catalogue::describe_plan;

/// Show a plan with its digest.
#[derive(Debug, Args)]
pub(super) struct DescribePlanArgs {
    /// The plan, or the folder that its `plan.json` lies in.
    #[arg(long, value_name = "FILE|DIR")]
    plan: PathBuf,
    /// Print the plan, its path and its digest as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a plan.
pub(super) fn run(args: &DescribePlanArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let (described, root) = describe_plan(&args.plan).map_err(load_failure)?;
    if args.json {
        ui.json(&described);
        return Ok(Exit::Done);
    }
    let plan = &described.plan;
    let mut sheet = Sheet::default();
    sheet.line("plan", plan.plan_id.as_str());
    sheet.line("digest", &described.plan_digest.to_string());
    sheet.line("file", &described.path);
    sheet.line("root", &root.display().to_string());
    sheet.line("registry", plan.registry_id.as_str());
    sheet.maybe("world", plan.world_id.as_ref().map(|world| world.as_str()));
    sheet.maybe("preflight", plan.apply_preflight_profile.as_deref());
    sheet.maybe("notes", plan.notes.as_deref());
    sheet.list("profiles", plan.profiles.iter().map(|id| id.as_str()));
    ui.out(&sheet.render());
    Ok(Exit::Done)
}
