//! `sandproof describe-plan`, `describe-probe`, `describe-profile` and `describe-template`

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::failures::load_failure;
use super::key_values::KeyValues;
use super::named_args::{PlanArg, TemplateArg};
use super::run::home;
use super::ui::Ui;
use super::workspace_args::RegistryArg;
use crate::plan::catalogue::describe_plan;
use crate::plan::template::{self, Listing};

/// The arguments of `describe-plan`.
#[derive(Debug, Args)]
pub(super) struct DescribePlanArgs {
    #[command(flatten)]
    plan: PlanArg,
    /// Print the plan, its path and its digest as JSON.
    #[arg(long)]
    json: bool,
}

/// The arguments of `describe-probe`.
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

/// The arguments of `describe-profile`.
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

/// The arguments of `describe-template`.
#[derive(Debug, Args)]
pub(super) struct DescribeTemplateArgs {
    #[command(flatten)]
    template: TemplateArg,
    /// Print the template's own document: for a plan that ships, its plan.
    #[arg(long, conflicts_with = "json")]
    print: bool,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// `describe-template --json`
#[derive(Debug, Serialize)]
struct TemplateDescription {
    #[serde(flatten)]
    listing: Listing,
    /// The plan that is made of it.
    plan_id: String,
    /// How many rows each lane has.
    rows: usize,
    /// The files that `plan-build` makes, `built_from.json` aside.
    files: Vec<String>,
}

/// Shows a template, or prints its document.
pub(super) fn template(args: &DescribeTemplateArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let checkout = template::around(Path::new("."));
    let template = match checkout.by_id(args.template.id()) {
        Some((template, _)) => template.clone(),
        None => template::by_id(args.template.id()).map_err(load_failure)?,
    };
    if args.print {
        ui.bytes(template.document());
        return Ok(Exit::Done);
    }
    let set = template.build(&template::carried_policy).map_err(load_failure)?;
    let built = set.built_from();
    let described = TemplateDescription {
        listing: Listing::of(&template),
        plan_id: built.plan_id.clone(),
        rows: built.rows,
        files: built.files.iter().map(|file| file.path.clone()).collect(),
    };
    let id = &described.listing.template_id;
    print(
        args.json,
        ui,
        |ui| ui.answer("template_description", &described),
        |lines| {
            lines.line("template", id);
            lines.line("about", &described.listing.description);
            lines.line("builder", described.listing.builder.as_str());
            lines.line("document", &described.listing.path);
            lines.line("plan", &described.plan_id);
            lines.line("rows", &format!("{} in each lane", described.rows));
            lines.list("files", described.files.iter().map(String::as_str));
            lines.line("make it", &format!("sandproof plan-build --template {id} --out {id}"));
            lines.line("its text", &format!("sandproof describe-template {id} --print"));
        },
    )
}

/// Shows a plan with its digest.
pub(super) fn plan(args: &DescribePlanArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let (described, root) = describe_plan(args.plan.path(), home().as_deref()).map_err(load_failure)?;
    print(
        args.json,
        ui,
        |ui| ui.answer("plan_description", &described),
        |lines| {
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
        },
    )
}

/// Shows one probe of a registry.
pub(super) fn probe(args: &DescribeProbeArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    let probe = content.probe(&args.probe).map_err(load_failure)?;
    print(
        args.json,
        ui,
        |ui| ui.answer_with("probe", "probe", probe),
        |lines| {
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
        },
    )
}

/// Shows one profile of a registry.
pub(super) fn profile(args: &DescribeProfileArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let content = args.registry.content()?;
    let profile = content.profile(&args.profile).map_err(load_failure)?;
    print(
        args.json,
        ui,
        |ui| ui.answer_with("profile", "profile", profile),
        |lines| {
            lines.line("profile", profile.profile_id.as_str());
            lines.line("mode", profile.mode.as_str());
            lines.line("policy", &profile.profile_path);
            lines.maybe("family", profile.family.as_deref());
            lines.maybe("group", profile.semantic_group.as_deref());
            lines.maybe("notes", profile.notes.as_deref());
            lines.list("rules", profile.key_specific_rules.iter().map(String::as_str));
            let parameters: Vec<String> =
                profile.parameters.iter().map(|(key, text)| format!("{key} = {text}")).collect();
            lines.list("parameters", parameters.iter().map(String::as_str));
            lines.list("fixtures", profile.fixtures.iter().map(|fixture| fixture.path.as_str()));
            lines.list("probes", profile.probe_refs.iter().map(|id| id.as_str()));
        },
    )
}

/// Prints one thing: as an answer for programs, its names and values for people.
fn print(
    json: bool,
    ui: &mut Ui,
    answer: impl FnOnce(&mut Ui),
    describe: impl FnOnce(&mut KeyValues),
) -> Result<Exit, Failure> {
    if json {
        answer(ui);
    } else {
        let mut lines = KeyValues::default();
        describe(&mut lines);
        ui.out(&lines.render());
    }
    Ok(Exit::Done)
}
