//! `sandproof list-probes`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::{RootArg, load_failure};
use super::table;
use super::ui::Ui;
use crate::plan::catalogue::RegistryContent;

/// List the probes of a registry.
#[derive(Debug, Args)]
pub(super) struct ListProbesArgs {
    /// The registry.
    #[arg(long, value_name = "ID")]
    registry: String,
    #[command(flatten)]
    root: RootArg,
    /// Print the probes as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists probes by id.
pub(super) fn run(args: &ListProbesArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = RegistryContent::read(&args.root.workspace()?, &args.registry).map_err(load_failure)?;
    if args.json {
        ui.json(&content.probes)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = content
        .probes
        .iter()
        .map(|probe| {
            vec![
                probe.probe_id.to_string(),
                probe.expected.as_str().to_owned(),
                probe.operation.clone(),
                probe.driver.clone().unwrap_or_else(|| "-".into()),
                probe.target.clone(),
            ]
        })
        .collect();
    ui.out(&table::render(&["PROBE", "EXPECTED", "OPERATION", "DRIVER", "TARGET"], &rows))?;
    Ok(Exit::Done)
}
