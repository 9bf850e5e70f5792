//! `sandproof list-plans`, `list-registries`, `list-templates`, `list-probes` and `list-profiles`

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::failures::load_failure;
use super::named_args::RegistryName;
use super::table;
use super::ui::Ui;
use super::workspace_args::RootArg;
use crate::base::error_chain::error_chain;
use crate::plan::catalogue::{self, PlanListing, RegistryContent};
use crate::plan::template;

/// What is listed of a workspace.
#[derive(Debug, Args)]
pub(super) struct WorkspaceListArgs {
    #[command(flatten)]
    root: RootArg,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// What is listed of a registry.
#[derive(Debug, Args)]
pub(super) struct RegistryListArgs {
    #[command(flatten)]
    registry: RegistryName,
    #[command(flatten)]
    root: RootArg,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

impl RegistryListArgs {
    fn content(&self) -> Result<RegistryContent, Failure> {
        RegistryContent::read(&self.root.workspace()?, self.registry.id()).map_err(load_failure)
    }
}

/// What is listed of the program itself.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// Lists `plans/*/plan.json`, and what a checkout of the reference runtime has.
pub(super) fn plans(args: &WorkspaceListArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let plans = catalogue::list_plans(&args.root.workspace()?);
    let mut rows = Vec::new();
    for plan in &plans {
        match plan {
            PlanListing::Plan { plan_id, registry_id, profiles, path } => {
                rows.push([plan_id.to_string(), registry_id.to_string(), profiles.to_string(), path.clone()]);
            }
            PlanListing::Broken { path, error } if !args.json => {
                ui.remark(format!("`{path}` cannot be listed: {error}"));
            }
            PlanListing::Broken { .. } => {}
        }
    }
    print(("plan_list", "plans"), &plans, args.json, ["PLAN", "REGISTRY", "PROFILES", "FILE"], rows, ui)
}

/// Lists the registry index.
pub(super) fn registries(args: &WorkspaceListArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let registries = catalogue::list_registries(&args.root.workspace()?).map_err(load_failure)?.registries;
    let rows = registries.iter().map(|entry| [entry.id.to_string(), entry.description.clone().unwrap_or_default()]);
    print(("registry_list", "registries"), &registries, args.json, ["REGISTRY", "DESCRIPTION"], rows, ui)
}

/// Lists templates; every shipped plan is one.
pub(super) fn templates(args: &ListArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let checkout = template::around(Path::new("."));
    for error in &checkout.refused {
        ui.remark(error_chain(error));
    }
    let templates = checkout.with_carried();
    let rows =
        templates.iter().map(|one| [one.template_id.clone(), one.builder.as_str().to_owned(), one.description.clone()]);
    print(("template_list", "templates"), &templates, args.json, ["TEMPLATE", "BUILDER", "DESCRIPTION"], rows, ui)
}

/// Lists probes by id.
pub(super) fn probes(args: &RegistryListArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let probes = args.content()?.probes;
    let rows = probes.iter().map(|probe| {
        [
            probe.probe_id.to_string(),
            probe.expected.as_str().to_owned(),
            probe.operation.clone(),
            probe.driver.clone().unwrap_or_else(|| "-".into()),
            probe.target.to_string(),
        ]
    });
    print(
        ("probe_list", "probes"),
        &probes,
        args.json,
        ["PROBE", "EXPECTED", "OPERATION", "DRIVER", "TARGET"],
        rows,
        ui,
    )
}

/// Lists profiles by id.
pub(super) fn profiles(args: &RegistryListArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let profiles = args.content()?.profiles;
    let rows = profiles.iter().map(|profile| {
        [
            profile.profile_id.to_string(),
            profile.mode.as_str().to_owned(),
            profile.probe_refs.len().to_string(),
            profile.profile_path.clone(),
        ]
    });
    print(("profile_list", "profiles"), &profiles, args.json, ["PROFILE", "MODE", "PROBES", "POLICY"], rows, ui)
}

/// Prints what was found: under `key` in an answer of the format `schema` for programs, a row each for people.
fn print<T: Serialize, const N: usize>(
    (schema, key): (&str, &'static str),
    found: &[T],
    json: bool,
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    ui: &mut Ui,
) -> Result<Exit, Failure> {
    if json {
        ui.answer_with(schema, key, found);
    } else {
        let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
        ui.out(&table::fitted(&head, &rows, ui.width()));
    }
    Ok(Exit::Done)
}
