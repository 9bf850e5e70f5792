//! What the commands that read plans and registries share: finding the workspace, and classing what is refused.

use std::path::Path;

use super::exit::{Exit, Failure};
use crate::plan::{LoadError, Workspace};

/// Where a command looks for plans and registries.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RootArg {
    /// The folder that holds `registries/index.json` or, made by `plan-build`, `registry/index.json`. Default: the
    /// nearest one at or above the current folder.
    #[arg(long, value_name = "DIR")]
    root: Option<std::path::PathBuf>,
}

impl RootArg {
    /// The workspace.
    pub(super) fn workspace(&self) -> Result<Workspace, Failure> {
        let start = self.root.as_deref().unwrap_or(Path::new("."));
        match Workspace::around(start) {
            Some(workspace) if self.root.is_none() => Ok(workspace),
            // A root that was named is meant, not one above it.
            Some(workspace) if start.canonicalize().is_ok_and(|named| named == workspace.root()) => Ok(workspace),
            _ => Err(Failure::new(Exit::InputRefused, NoWorkspace { start: start.display().to_string() })
                .hint("name the folder that holds `registries/` with --root")),
        }
    }
}

/// There are no registries.
#[derive(Debug, thiserror::Error)]
#[error("`{start}` is no workspace: it has neither `registries/index.json` nor `registry/index.json`")]
struct NoWorkspace {
    start: String,
}

/// The class of a plan or registry that could not be loaded.
pub(super) fn load_failure(error: LoadError) -> Failure {
    let exit = match error {
        LoadError::NothingSelected { .. } => Exit::NothingRan,
        _ => Exit::InputRefused,
    };
    Failure::new(exit, error)
}
