//! `sandproof describe-plan`, `describe-probe` and `describe-profile`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::failures::load_failure;
use super::key_values::KeyValues;
use super::ui::Ui;
use super::workspace_args::RegistryArg;
use crate::plan::catalogue::describe_plan;

/// Which plan.
#[derive(Debug, Args)]
pub(super) struct DescribePlanArgs {
    /// The plan, or the folder that its `plan.json` lies in.
    #[arg(long, value_name = "FILE|DIR")]
    plan: PathBuf,
    /// Print the plan, its path and its digest as JSON.
    #[arg(long)]
    json: bool,
}

/// Which probe.
#[derive(Debug, Args)]
pub(super) struct DescribeProbeArgs {
    #[command(flatten)]
    registry: RegistryArg,
    /// Id of the probe.
    #[arg(long, value_name = "ID")]
    probe: String,
    /// Print the probe as JSON.
    #[arg(long)]
    json: bool,
}

/// Which profile.
#[derive(Debug, Args)]
pub(super) struct DescribeProfileArgs {
    #[command(flatten)]
    registry: RegistryArg,
    /// Id of the profile.
    #[arg(long, value_name = "ID")]
    profile: String,
    /// Print the profile as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows a plan with its digest.
pub(super) fn plan(args: &DescribePlanArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let (described, root) = describe_plan(&args.plan).map_err(load_failure)?;
    print(&described, args.json, ui, |lines| {
        let plan = &described.plan;
        lines.line("plan", plan.plan_id.as_str());
        lines.line("digest", &described.plan_digest.to_string());
        lines.line("file", &described.path);
        lines.line("root", &root.display().to_string());
        lines.line("registry", plan.registry_id.as_str());
        lines.maybe("world", plan.world_id.as_ref().map(|world| world.as_str()));
        lines.maybe("preflight", plan.apply_preflight_profile.as_deref());
        lines.maybe("notes", plan.notes.as_deref());
        lines.list("profiles", plan.profiles.iter().map(|id| id.as_str()));
    })
}

/// Shows one probe of a registry.
pub(super) fn probe(args: &DescribeProbeArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    let probe = content.probe(&args.probe).map_err(load_failure)?;
    print(probe, args.json, ui, |lines| {
        lines.line("probe", probe.probe_id.as_str());
        lines.line("operation", &probe.operation);
        lines.maybe("driver", probe.driver.as_deref());
        lines.line("target", &probe.target);
        lines.maybe("to", probe.to.as_deref());
        lines.maybe("attribute", probe.attribute.as_deref());
        lines.maybe("argv", (!probe.argv.is_empty()).then(|| probe.argv.join(" ")).as_deref());
        lines.maybe("exit code", probe.exit_code.map(|code| code.to_string()).as_deref());
        lines.line("expected", probe.expected.as_str());
        lines.maybe("why", probe.why.as_deref());
        lines.list("needs", probe.capabilities_required.iter().map(String::as_str));
        lines.list("fixtures", probe.fixtures.iter().map(|fixture| fixture.path.as_str()));
        lines.maybe("listener", probe.listener.as_ref().map(|listener| listener.address.as_str()));
        let users = content.profiles.iter().filter(|profile| profile.probe_refs.contains(&probe.probe_id));
        lines.list("profiles", users.map(|profile| profile.profile_id.as_str()));
    })
}

/// Shows one profile of a registry.
pub(super) fn profile(args: &DescribeProfileArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    let profile = content.profile(&args.profile).map_err(load_failure)?;
    print(profile, args.json, ui, |lines| {
        lines.line("profile", profile.profile_id.as_str());
        lines.line("mode", profile.mode.as_str());
        lines.line("policy", &profile.profile_path);
        lines.maybe("family", profile.family.as_deref());
        lines.maybe("group", profile.semantic_group.as_deref());
        lines.maybe("notes", profile.notes.as_deref());
        lines.list("rules", profile.key_specific_rules.iter().map(String::as_str));
        let parameters: Vec<String> = profile.parameters.iter().map(|(key, text)| format!("{key} = {text}")).collect();
        lines.list("parameters", parameters.iter().map(String::as_str));
        lines.list("fixtures", profile.fixtures.iter().map(|fixture| fixture.path.as_str()));
        lines.list("probes", profile.probe_refs.iter().map(|id| id.as_str()));
    })
}

/// Prints one thing: as it is for programs, its names and values for people.
fn print<T: Serialize>(
    thing: &T,
    json: bool,
    ui: &mut Ui,
    describe: impl FnOnce(&mut KeyValues),
) -> Result<Exit, Failure> {
    if json {
        ui.json(thing);
    } else {
        let mut lines = KeyValues::default();
        describe(&mut lines);
        ui.out(&lines.render());
    }
    Ok(Exit::Done)
}
