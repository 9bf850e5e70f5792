//! What a lint of a policy finds.

use crate::record::policy_review::{PolicyFindingKind, Weight};

/// A finding, before its rule is looked up in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnplacedFinding {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is about.
    pub kind: PolicyFindingKind,
    /// Where: LINE:COLUMN or a JSON pointer; empty for the policy as a whole.
    pub at: String,
    /// What is found, in a sentence.
    pub message: String,
    /// What to do about it; empty if nothing can be advised.
    pub remedy: String,
}

impl UnplacedFinding {
    pub(super) fn new(
        weight: Weight,
        kind: PolicyFindingKind,
        at: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { weight, kind, at: at.into(), message: message.into(), remedy: remedy.into() }
    }
}
