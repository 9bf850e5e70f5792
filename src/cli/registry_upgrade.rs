//! `sandproof registry-upgrade`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::failures::load_failure;
use super::out::output_failure;
use super::ui::Ui;
use super::workspace_args::RootArg;
use crate::base::ids::RegistryId;
use crate::base::printable::path_text;
use crate::plan::upgrade::{UpgradeError, upgrade_registry};

/// Bring a registry's documents from version 0.1 to version 0.2.
///
/// What version 0.2 demands and a document lacks is filled in. A document that would be refused for any other reason
/// refuses the whole upgrade, and nothing is written.
#[derive(Debug, Args)]
pub(super) struct RegistryUpgradeArgs {
    /// Id of the registry to upgrade.
    #[arg(long, value_name = "ID")]
    registry: String,
    /// Where both documents go, under the names that they have. Default: the folder of the probe registry.
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Leave out of the probes what equals its default, instead of filling it in. Every plan resolves to what it did.
    #[arg(long)]
    shorten: bool,
    /// Replace documents that exist.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    root: RootArg,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Upgrades.
pub(super) fn run(args: &RegistryUpgradeArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let workspace = args.root.workspace()?;
    let id = RegistryId::new(&args.registry).or_fail(Exit::InputRefused)?;
    let upgraded = upgrade_registry(&workspace, &id).map_err(load_failure)?;
    let upgraded = if args.shorten { upgraded.shortened().map_err(load_failure)? } else { upgraded };
    let folder = args.out_dir.clone().unwrap_or_else(|| upgraded.own_folder(&workspace));
    let written = upgraded.write(&folder, args.overwrite).map_err(|error| match error {
        UpgradeError::Exists { .. } => Failure::new(Exit::Usage, error)
            .hint("replace it with --overwrite, or choose another folder with --out-dir"),
        UpgradeError::SameName { .. } => Failure::new(Exit::InputRefused, error),
        UpgradeError::File(error) => output_failure(error),
    })?;
    if args.json {
        ui.answer_with("written_files", "wrote", &written.iter().map(|file| path_text(file)).collect::<Vec<_>>());
    } else {
        for file in &written {
            ui.line(format!("wrote {}", file.display()));
        }
    }
    Ok(Exit::Done)
}
