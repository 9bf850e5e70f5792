//! `sandproof list-profiles`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::RegistryArg;
use super::table;
use super::ui::Ui;

/// List the profiles of a registry.
#[derive(Debug, Args)]
pub(super) struct ListProfilesArgs {
    #[command(flatten)]
    registry: RegistryArg,
    /// Print the profiles as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists profiles by id.
pub(super) fn run(args: &ListProfilesArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    if args.json {
        ui.json(&content.profiles);
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = content
        .profiles
        .iter()
        .map(|profile| {
            vec![
                profile.profile_id.to_string(),
                profile.mode.as_str().to_owned(),
                profile.probe_refs.len().to_string(),
                profile.profile_path.clone(),
            ]
        })
        .collect();
    ui.out(&table::render(&["PROFILE", "MODE", "PROBES", "POLICY"], &rows));
    Ok(Exit::Done)
}
