//! `controls.json`: the controls of each profile and what they showed. Derived; ours.

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::outcome::{Decision, FailureKind};

/// Format of the file. 1: first release.
pub const CONTROLS_SCHEMA: &str = "sandproof.controls.v1";

/// The controls of one profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ControlsEntry<'a> {
    /// Id of the profile, as in the registry.
    pub profile_id: &'a str,
    /// What the two controls come to together.
    pub status: ControlsStatus,
    /// The control that the model is certain must be refused.
    pub must_deny: ControlEntry<'a>,
    /// The control that the model is certain must be let through.
    pub must_allow: ControlEntry<'a>,
}

/// Both controls together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlsStatus {
    /// Both showed what they must.
    Ok,
    /// One showed what it must; the other could not be derived from the policy, or shown here.
    Partial,
    /// One did not show what it must, so nothing observed under the profile counts.
    Wrong,
    /// The policy could not be applied in one of them, so nothing can be observed under the profile.
    NotApplied,
    /// Neither could be derived from the policy, or shown here.
    NotDerivable,
}

/// One control.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ControlEntry<'a> {
    /// How it went.
    pub status: ControlStatus,
    /// The operation, with placeholders; absent if none could be derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'a Action>,
    /// What it showed; absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Decision>,
    /// Why it showed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<FailureKind>,
    /// The error number that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Why none could be derived, or why it showed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// How one control went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlStatus {
    /// It showed what it must.
    Ok,
    /// It did not.
    Wrong,
    /// The policy could not be applied, so it shows nothing about what the policy does.
    NotApplied,
    /// What confines the run from outside answers as the policy must, so it shows nothing of the policy.
    NotShown,
    /// The model is certain of no such operation under this policy.
    NotDerivable,
}

impl ControlStatus {
    /// For people, in a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Wrong => "WRONG",
            Self::NotApplied => "not applied",
            Self::NotShown => "not shown",
            Self::NotDerivable => "none",
        }
    }
}

/// What is read of the controls of one profile. `T` is a kind of text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ControlsView<T> {
    /// The profile's id.
    pub profile_id: T,
    /// The control that must be refused.
    pub must_deny: ControlView<T>,
    /// The control that must be let through.
    pub must_allow: ControlView<T>,
}

/// What is read of one control.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ControlView<T> {
    /// What it showed; absent if nothing.
    pub actual: Option<Decision>,
    /// Why it showed nothing.
    pub failure_kind: Option<T>,
    /// The error number that was seen; absent or 0 if none was.
    pub errno: Option<i32>,
    /// Why none could be derived, or why it showed nothing.
    pub reason: Option<T>,
}
