//! `sandproof inventory`

use clap::Args;

use super::exit::{Exit, Failure};
use super::failures::load_failure;
use super::table;
use super::ui::Ui;
use super::workspace_args::RootArg;
use crate::record::inventory::ComponentStatus;
use crate::review::inventory;

/// List what a workspace holds, and where else in it sandboxes are spoken of.
#[derive(Debug, Args)]
pub(super) struct InventoryArgs {
    /// Look for this word instead of the usual ones, without regard to case. May be given several times.
    #[arg(long, value_name = "WORD")]
    keyword: Vec<String>,
    #[command(flatten)]
    root: RootArg,
    /// Print the inventory as JSON.
    #[arg(long)]
    json: bool,
}

/// Takes the inventory.
pub(super) fn run(args: &InventoryArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let inventory = inventory::build(&args.root.workspace()?, &args.keyword).map_err(load_failure)?;
    if args.json {
        ui.json(&inventory);
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = inventory
        .in_repo
        .iter()
        .map(|part| {
            let needs = if part.privileges.is_empty() { "-".into() } else { part.privileges.join(", ") };
            let status = if part.status == ComponentStatus::Ok { "ok" } else { "broken" };
            vec![part.id.clone(), status.into(), part.paths.len().to_string(), needs, part.description.clone()]
        })
        .collect();
    let mut text = table::fitted(&["PART", "STATUS", "FILES", "NEEDS", "DESCRIPTION"], &rows, ui.width());
    if !inventory.unclassified_hits.is_empty() {
        let hits: Vec<Vec<String>> =
            inventory.unclassified_hits.iter().map(|hit| vec![hit.path.clone(), hit.keywords.join(", ")]).collect();
        text.blank();
        text.append(&table::fitted(&["OTHER FILE", "WORDS"], &hits, ui.width()));
    }
    ui.out(&text);
    if !inventory.not_searched.is_empty() {
        ui.remark(format!(
            "{} files were too large or could not be read; --json names them",
            inventory.not_searched.len()
        ));
    }
    Ok(Exit::Done)
}
