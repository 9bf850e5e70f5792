//! `sandproof describe-profile`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::{RegistryArg, load_failure};
use super::sheet::Sheet;
use super::ui::Ui;

/// Show one profile of a registry.
#[derive(Debug, Args)]
pub(super) struct DescribeProfileArgs {
    #[command(flatten)]
    registry: RegistryArg,
    /// The profile.
    #[arg(long, value_name = "ID")]
    profile: String,
    /// Print the profile as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a profile.
pub(super) fn run(args: &DescribeProfileArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    let profile = content.profile(&args.profile).map_err(load_failure)?;
    if args.json {
        ui.json(profile);
        return Ok(Exit::Done);
    }
    let mut sheet = Sheet::default();
    sheet.line("profile", profile.profile_id.as_str());
    sheet.line("mode", profile.mode.as_str());
    sheet.line("policy", &profile.profile_path);
    sheet.maybe("family", profile.family.as_deref());
    sheet.maybe("group", profile.semantic_group.as_deref());
    sheet.maybe("notes", profile.notes.as_deref());
    sheet.list("rules", profile.key_specific_rules.iter().map(String::as_str));
    let parameters: Vec<String> = profile.parameters.iter().map(|(key, text)| format!("{key} = {text}")).collect();
    sheet.list("parameters", parameters.iter().map(String::as_str));
    sheet.list("fixtures", profile.fixtures.iter().map(|fixture| fixture.path.as_str()));
    sheet.list("probes", profile.probe_refs.iter().map(|id| id.as_str()));
    ui.out(&sheet.render());
    Ok(Exit::Done)
}
