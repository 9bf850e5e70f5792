//! What the commands that execute nothing share: finding the workspace, and classing what is refused.

use std::path::Path;

use super::exit::{Exit, Failure};
use super::faults;
use crate::plan::catalogue::RegistryContent;
use crate::plan::{LoadError, Workspace};
use crate::review::ReviewError;

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

/// Which registry a command is about.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RegistryArg {
    /// The registry.
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
#[error("`{start}` is no workspace: it has neither `registries/index.json` nor `registry/index.json`")]
struct NoWorkspace {
    start: String,
}

/// The class of a plan or registry that could not be loaded.
pub(super) fn load_failure(error: LoadError) -> Failure {
    if let Some(limit) = faults::limit_of(&error) {
        return Failure::new(Exit::Unavailable, error).hint(limit);
    }
    let exit = match error {
        LoadError::NothingSelected { .. } => Exit::NothingRan,
        _ => Exit::InputRefused,
    };
    Failure::new(exit, error)
}

/// The class of a review that could not be made.
pub(super) fn review_failure(error: ReviewError) -> Failure {
    let exit = match &error {
        ReviewError::NotPromotable { .. } => Exit::GateRefused,
        ReviewError::Output(_) => Exit::Fault,
        ReviewError::NoBundle { .. }
        | ReviewError::ReferencePacket { .. }
        | ReviewError::Refused(_)
        | ReviewError::Unreadable(_)
        | ReviewError::NotItsPacket { .. }
        | ReviewError::Artifact(_)
        | ReviewError::Shape { what: "promotion packet", .. } => Exit::BundleInvalid,
        ReviewError::File(_)
        | ReviewError::Json { .. }
        | ReviewError::Shape { .. }
        | ReviewError::Contradiction { .. }
        | ReviewError::UnknownId { .. } => Exit::InputRefused,
    };
    let hint = match &error {
        ReviewError::NotPromotable { .. } => {
            Some("`sandproof explain REASON` says what a reason means; --allow-nonpromotable goes on regardless")
        }
        ReviewError::NoBundle { .. } => {
            Some("name the folder that its pointers are relative to with --root, or put the bundle beside the packet")
        }
        ReviewError::NotItsPacket { .. } => Some("write the packet again with `sandproof emit-promotion`"),
        _ => None,
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
