//! The identity of another system: what somebody declared of an AI run or a deployment, sealed by the same rule as a run.

use super::seal::{DeclarationParts, seal};
use crate::base::canon::CanonError;
use crate::plan::subject::ResolvedSubject;
use crate::record::absence::Absence;
use crate::record::identity::{Declaration, Stated};
use crate::record::run_identity::SubjectElement;

/// The member of the parts artifact and runtime that holds what sealing a command adds to its document: what was found when the
/// command was started, which no document says.
pub const ADDED_BY_SEALING: &str = "sealed";

/// Seals a declaration whose files were read.
///
/// # Errors
/// What in it has no canonical form, by JSON pointer.
pub fn declare(subject: &ResolvedSubject) -> Result<Declaration, CanonError> {
    let [artifact, runtime, policy, history] = subject.parts.clone();
    seal(subject.format.schema(), &subject.kind, DeclarationParts { artifact, runtime, policy, history })
}

/// What a run declares of its subject.
///
/// # Errors
/// As [`declare`].
pub fn element(subject: Option<&ResolvedSubject>) -> Result<Stated<SubjectElement>, CanonError> {
    let Some(subject) = subject else { return Ok(Stated::absent(Absence::NoSubject)) };
    let declaration = declare(subject)?;
    Ok(Stated::Is(SubjectElement {
        path: subject.path.clone(),
        sha256: subject.digest,
        kind: declaration.kind,
        identity: declaration.identity,
    }))
}
