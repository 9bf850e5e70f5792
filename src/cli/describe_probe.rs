//! `sandproof describe-probe`

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::{RegistryArg, load_failure};
use super::sheet::Sheet;
use super::ui::Ui;

/// Show one probe of a registry.
#[derive(Debug, Args)]
pub(super) struct DescribeProbeArgs {
    #[command(flatten)]
    registry: RegistryArg,
    /// The probe.
    #[arg(long, value_name = "ID")]
    probe: String,
    /// Print the probe as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a probe.
pub(super) fn run(args: &DescribeProbeArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    let probe = content.probe(&args.probe).map_err(load_failure)?;
    if args.json {
        ui.json(probe);
        return Ok(Exit::Done);
    }
    let users: Vec<&str> = content
        .profiles
        .iter()
        .filter(|profile| profile.probe_refs.contains(&probe.probe_id))
        .map(|profile| profile.profile_id.as_str())
        .collect();
    let mut sheet = Sheet::default();
    sheet.line("probe", probe.probe_id.as_str());
    sheet.line("operation", &probe.operation);
    sheet.maybe("driver", probe.driver.as_deref());
    sheet.line("target", &probe.target);
    sheet.maybe("to", probe.to.as_deref());
    sheet.maybe("attribute", probe.attribute.as_deref());
    sheet.maybe("argv", (!probe.argv.is_empty()).then(|| probe.argv.join(" ")).as_deref());
    sheet.maybe("exit code", probe.exit_code.map(|code| code.to_string()).as_deref());
    sheet.line("expected", probe.expected.as_str());
    sheet.maybe("why", probe.why.as_deref());
    sheet.list("needs", probe.capabilities_required.iter().map(String::as_str));
    sheet.list("fixtures", probe.fixtures.iter().map(|fixture| fixture.path.as_str()));
    sheet.maybe("listener", probe.listener.as_ref().map(|listener| listener.address.as_str()));
    sheet.list("profiles", users.into_iter());
    ui.out(&sheet.render());
    Ok(Exit::Done)
}
