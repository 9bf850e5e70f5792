//! One change of a policy.

use crate::record::mutation::{MutationEffect, Operator};

/// What was changed, and what that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PolicyChange {
    /// Where in the document: a JSON pointer, or LINE:COLUMN.
    pub(super) at: String,
    /// What stands there, in short.
    pub(super) says: String,
    /// The kind of change.
    pub(super) operator: Operator,
    /// The change in words.
    pub(super) words: String,
    /// What it does to what the policy lets through.
    pub(super) effect: MutationEffect,
}

/// A changed policy.
#[derive(Debug, Clone)]
pub(super) struct Mutant<P> {
    /// How it differs from the policy that it was made of.
    pub(super) change: PolicyChange,
    /// The policy as it is then; `None`: such a document would be refused, because nothing is left that it restricts.
    pub(super) policy: Option<P>,
}
