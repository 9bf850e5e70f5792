//! `sandproof registry-lint`

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::findings;
use super::refusal::RootArg;
use super::ui::Ui;
use crate::base::ids::RegistryId;
use crate::plan::lint::lint_registries;

/// Check registries with the policies that they name.
#[derive(Debug, Args)]
pub(super) struct RegistryLintArgs {
    /// This registry only. Default: every registry in the index.
    #[arg(long, value_name = "ID")]
    registry: Option<String>,
    #[command(flatten)]
    root: RootArg,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// Lints one registry, or all.
pub(super) fn run(args: &RegistryLintArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let workspace = args.root.workspace()?;
    let only = args.registry.as_deref().map(RegistryId::new).transpose().or_fail(Exit::InputRefused)?;
    if let Some(id) = &only {
        crate::plan::catalogue::require_registry(&workspace, id).map_err(super::refusal::load_failure)?;
    }
    findings::report("registry", &lint_registries(&workspace, only.as_ref()), args.json, ui)
}
