//! The arguments that say in which workspace, and in which registry of it.

use std::path::Path;

use super::exit::{Exit, Failure};
use super::failures::load_failure;
use crate::plan::Workspace;
use crate::plan::catalogue::RegistryContent;

/// Where a command looks for plans and registries.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RootArg {
    /// The folder that holds `registries/index.json` or, made by `plan-build`, `registry/index.json`. Default: the
    /// nearest one at or above the current folder.
    #[arg(long, value_name = "DIR")]
    root: Option<std::path::PathBuf>,
}

impl RootArg {
    /// Whether a folder was named.
    pub(super) fn is_named(&self) -> bool {
        self.root.is_some()
    }

    /// The workspace.
    pub(super) fn workspace(&self) -> Result<Workspace, Failure> {
        let start = self.root.as_deref().unwrap_or(Path::new("."));
        match Workspace::around(start) {
            Some(workspace) if self.root.is_none() => Ok(workspace),
            // A root that was named is meant, not one above it.
            Some(workspace) if start.canonicalize().is_ok_and(|named| named == workspace.root()) => Ok(workspace),
            _ => Err(Failure::new(Exit::InputRefused, NoWorkspace { start: start.display().to_string() })
                .hint("name the folder that holds `registries/` with --root")
                .hint("`sandproof list-templates` lists the plans that this program carries, for which no folder is needed")),
        }
    }
}

/// Which registry a command is about.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RegistryArg {
    /// Id of the registry.
    #[arg(long, value_name = "ID")]
    registry: String,
    #[command(flatten)]
    root: RootArg,
}

impl RegistryArg {
    /// What the registry holds.
    pub(super) fn content(&self) -> Result<RegistryContent, Failure> {
        RegistryContent::read(&self.root.workspace()?, &self.registry).map_err(load_failure)
    }
}

/// There are no registries.
#[derive(Debug, thiserror::Error)]
#[error("`{start}` is not a workspace: it has neither `registries/index.json` nor `registry/index.json`")]
struct NoWorkspace {
    start: String,
}
