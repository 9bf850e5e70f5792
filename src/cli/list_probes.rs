//! `sandproof list-probes`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::RegistryArg;
use super::table;
use super::ui::Ui;

/// List the probes of a registry.
#[derive(Debug, Args)]
pub(super) struct ListProbesArgs {
    #[command(flatten)]
    registry: RegistryArg,
    /// Print the probes as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists probes by id.
pub(super) fn run(args: &ListProbesArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    if args.json {
        ui.json(&content.probes);
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
    ui.out(&table::render(&["PROBE", "EXPECTED", "OPERATION", "DRIVER", "TARGET"], &rows));
    Ok(Exit::Done)
}
