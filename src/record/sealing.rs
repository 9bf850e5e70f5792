//! What a sealed declaration says of itself, and what its own parts give.

use serde_json::{Map, Value, json};

use super::identity::{Declaration, DeclarationPart, PartDigests};
use super::open_item::completeness_of;
use super::open_word::Completeness;
use crate::base::canon::{self, CanonError};
use crate::base::digest::Digest;

/// The digest of a part.
///
/// # Errors
/// What in it has no canonical form.
pub fn part_digest(part: DeclarationPart, members: &Map<String, Value>) -> Result<Digest, CanonError> {
    canon::digest(&Value::Object(members.clone()))
        .map_err(|error| CanonError { pointer: format!("/{}{}", part.as_str(), error.pointer), problem: error.problem })
}

/// The identity over the digests of four parts.
///
/// # Errors
/// If `schema_version` or `kind` is not in normal form C.
pub fn identity_of(schema_version: &str, kind: &str, digests: &PartDigests) -> Result<Digest, CanonError> {
    canon::digest(&json!({"digests": digests, "kind": kind, "schema_version": schema_version}))
}

/// What a declaration says of itself that its own parts do not give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A part has no canonical form.
    #[error("it has no canonical form: {0}")]
    NotCanonical(CanonError),
    /// A digest is another one.
    #[error("it is {declared}; its part gives {computed}")]
    Digest {
        /// The part of the declaration.
        part: DeclarationPart,
        /// What the declaration says.
        declared: Digest,
        /// What the part gives.
        computed: Digest,
    },
    /// It says that it is complete, or partial, and its parts are not so.
    #[error("it is {}; its parts are {}", word(*.declared), word(*.computed))]
    Completeness {
        /// What the declaration says; `None` if nothing.
        declared: Option<Completeness>,
        /// What its parts give.
        computed: Option<Completeness>,
    },
    /// The identity is another one.
    #[error("it is {declared}; the digests of the parts give {computed}")]
    Identity {
        /// What the declaration says.
        declared: Digest,
        /// What its digests give.
        computed: Digest,
    },
}

impl Flaw {
    /// JSON pointer of what is wrong.
    pub fn pointer(&self) -> String {
        match self {
            Self::NotCanonical(error) => error.pointer.clone(),
            Self::Digest { part, .. } => format!("/digests/{}", part.as_str()),
            Self::Identity { .. } => "/identity".to_owned(),
            Self::Completeness { .. } => "/completeness".to_owned(),
        }
    }
}

/// Computes the digests of a declaration from its own parts, and gives every one that is not what it says.
pub fn check(declaration: &Declaration) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for part in DeclarationPart::ALL {
        let declared = declaration.digests.of(part);
        match part_digest(part, declaration.part(part)) {
            Ok(computed) if computed == declared => {}
            Ok(computed) => flaws.push(Flaw::Digest { part, declared, computed }),
            Err(error) => flaws.push(Flaw::NotCanonical(error)),
        }
    }
    let declared = declaration.identity;
    match identity_of(&declaration.schema_version, &declaration.kind, &declaration.digests) {
        Ok(computed) if computed == declared => {}
        Ok(computed) => flaws.push(Flaw::Identity { declared, computed }),
        Err(error) => flaws.push(Flaw::NotCanonical(error)),
    }
    let (said, computed) = (declaration.completeness, completeness_of(declaration));
    if said != computed {
        flaws.push(Flaw::Completeness { declared: said, computed });
    }
    flaws
}

fn word(completeness: Option<Completeness>) -> &'static str {
    completeness.map_or("not said to be complete or partial", Completeness::as_str)
}
