//! Which exit an error of the library gets, and what to do next.

use std::path::Path;

use super::exit::{Exit, Failure};
use super::faults;
use crate::attest::statement::NoStatement;
use crate::attest::{ContentError, KeyError};
use crate::plan::LoadError;
use crate::plan::Workspace;
use crate::review::ReviewError;

/// The class of a plan or registry that could not be loaded.
pub(super) fn load_failure(error: LoadError) -> Failure {
    if let Some(limit) = faults::limit_of(&error) {
        return Failure::new(Exit::Unavailable, error).hint(limit);
    }
    let exit = match error {
        LoadError::NothingSelected { .. } => Exit::NothingRan,
        _ => Exit::InputRefused,
    };
    let alone = matches!(error, LoadError::NoRoot { .. });
    let failure = Failure::new(exit, error);
    match alone {
        true => failure.hint("`sandproof init` begins a plan of your own, with all that belongs to it"),
        false => failure,
    }
}

/// The same of the plan in a file or folder: where what is wrong stands in documents that are named by their place in another
/// folder than this one, it says so.
pub(super) fn plan_failure(error: LoadError, plan: &Path, home: Option<&Path>) -> Failure {
    let names = error.findings().is_some().then(|| names_seen_from(plan, home)).flatten();
    let failure = load_failure(error);
    match names {
        Some(names) => failure.hint(names),
        None => failure,
    }
}

/// Where the names of a plan's documents lead from, unless that is here. `home` is what `~` means in a questions file.
pub(super) fn names_seen_from(plan: &Path, home: Option<&Path>) -> Option<String> {
    let (workspace, _) = Workspace::of_plan(plan, home).ok()?;
    let root = workspace.root().canonicalize().ok()?;
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok()?;
    let shown = root.strip_prefix(&here).unwrap_or(&root);
    (root != here).then(|| format!("names of files are relative to `{}`", shown.display()))
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
        | ReviewError::TooManyColumns { .. }
        | ReviewError::UnknownId { .. } => Exit::InputRefused,
    };
    let hint = match &error {
        ReviewError::NotPromotable { .. } => {
            Some("`sandproof explain REASON` says what a reason means; --allow-nonpromotable continues regardless")
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

/// The class of a statement that there is none of.
pub(super) fn no_statement(error: NoStatement) -> Failure {
    match error {
        NoStatement::NoPacket(_) => Failure::new(Exit::Usage, error)
            .hint("`sandproof emit-promotion --bundle DIR --out FILE` makes the packet of a bundle"),
        NoStatement::NotPromotable(_) => Failure::new(Exit::GateRefused, error),
    }
}

/// The class of a key that cannot be used.
pub(super) fn key_failure(error: KeyError) -> Failure {
    let remedy = error.remedy();
    let failure = Failure::new(Exit::InputRefused, error);
    match remedy {
        Some(remedy) => failure.hint(remedy),
        None => failure,
    }
}

/// The class of content that cannot be vouched for.
pub(super) fn content_failure(error: ContentError) -> Failure {
    let hint = match &error {
        ContentError::Packet(_) | ContentError::File(_) | ContentError::Json { .. } => None,
        ContentError::Other { .. } => Some("`sandproof inspect FILE` says what a file is"),
        ContentError::Bundle(_) => {
            Some("`sandproof validate-bundle --bundle DIR` says everything that is wrong with it")
        }
        ContentError::Shape { .. } | ContentError::Declaration { .. } => None,
        ContentError::NotSealed { .. } => {
            Some("`sandproof identity declare --from FILE --json` seals it; keep what that prints")
        }
    };
    let failure = match error {
        ContentError::Packet(error) => return review_failure(error),
        error @ (ContentError::File(_) | ContentError::Json { .. } | ContentError::Other { .. }) => {
            Failure::new(Exit::InputRefused, error)
        }
        error @ (ContentError::Bundle(_)
        | ContentError::Shape { .. }
        | ContentError::NotSealed { .. }
        | ContentError::Declaration { .. }) => Failure::new(Exit::BundleInvalid, error),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
