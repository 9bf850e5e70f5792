//! Which exit an error of the library gets, and what to do next.

use super::exit::{Exit, Failure};
use super::faults;
use crate::plan::LoadError;
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
