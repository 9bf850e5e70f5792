//! A policy by itself, for the people who write it: what in it does not do what it seems to say ([`seatbelt_lint`],
//! [`landlock_lint`]), what it comes to ([`show`]), how the access of two differs ([`seatbelt_diff`],
//! [`landlock_access`]), and what a logged denial says of it ([`denial`]).
//!
//! Nothing here knows more than the models of [`crate::policy`]: where they cannot know, nothing is claimed.

pub mod denial;
pub mod filters;
pub mod landlock_access;
pub mod landlock_lint;
pub mod operations;
pub mod question;
pub mod seatbelt_diff;
pub mod seatbelt_lint;
pub mod show;
pub mod suggest;
pub mod witness;

use crate::record::policy_review::{PolicyFindingKind, Weight};

/// A finding, before its rule is looked up in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is about.
    pub kind: PolicyFindingKind,
    /// Where: LINE:COLUMN or a JSON pointer; empty for the policy as a whole.
    pub at: String,
    /// What is found.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl Found {
    fn new(
        weight: Weight,
        kind: PolicyFindingKind,
        at: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { weight, kind, at: at.into(), message: message.into(), remedy: remedy.into() }
    }
}
