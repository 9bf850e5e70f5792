//! Declarations that cannot be read or compared, as this command says it.

use super::super::exit::{Exit, Failure};
use super::super::failures::load_failure;
use crate::bundle::verify_identity::VerifyIdentityError;

/// How a command ends that could not read a declaration, or not compare it.
pub(super) fn failure(error: VerifyIdentityError) -> Failure {
    match error {
        VerifyIdentityError::Sources(_) | VerifyIdentityError::Canon(_) => Failure::new(Exit::InputRefused, error),
        VerifyIdentityError::Document(error) => load_failure(*error),
        VerifyIdentityError::NeedsDocument { .. }
        | VerifyIdentityError::NoSuchDocument { .. }
        | VerifyIdentityError::OfRun { .. }
        | VerifyIdentityError::Folder(_) => Failure::new(Exit::Usage, error),
        VerifyIdentityError::NotSealed { .. } | VerifyIdentityError::Format { .. } => {
            Failure::new(Exit::BundleInvalid, error)
        }
        _ => Failure::new(Exit::BundleInvalid, error)
            .hint("`sandproof validate-bundle --bundle DIR` says what is wrong with a bundle"),
    }
}
