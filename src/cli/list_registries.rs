//! `sandproof list-registries`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::{RootArg, load_failure};
use super::table;
use super::ui::Ui;
use crate::plan::catalogue::list_registries;

/// List the registries of a workspace.
#[derive(Debug, Args)]
pub(super) struct ListRegistriesArgs {
    #[command(flatten)]
    root: RootArg,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists the registry index.
pub(super) fn run(args: &ListRegistriesArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let index = list_registries(&args.root.workspace()?).map_err(load_failure)?;
    if args.json {
        ui.json(&index.registries);
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = index
        .registries
        .iter()
        .map(|entry| vec![entry.id.to_string(), entry.description.clone().unwrap_or_default()])
        .collect();
    ui.out(&table::render(&["REGISTRY", "DESCRIPTION"], &rows));
    Ok(Exit::Done)
}
