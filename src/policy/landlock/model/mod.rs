//! The model oracle: what Landlock decides about one operation, worked out from the rule table and the declared
//! fixtures alone, without a kernel.
//!
//! The semantics are those of one layer: a right that the policy handles has to be granted by a rule tied to the
//! object or to a folder on the way up to `/`; everything else is let through. Where the outcome would also depend on
//! something that is not declared, the model gives no decision and says what is missing.
//!
//! Sources: Documentation/userspace-api/landlock.rst; security/landlock/{fs,net,task}.c of the kernel.

mod moving;
mod needs;
mod rules;
#[cfg(test)]
mod tests;
mod tree;

use serde::Serialize;

use super::rights::{FsRight, Right, RightSet};
use super::table::LandlockPolicy;
use crate::record::action::Action;
use crate::record::fixture::FixtureEntry;
use crate::record::outcome::Decision;

pub use rules::NEVER_ABOVE_ROOT;

/// What the model says about one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelAnswer {
    /// The decision; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// What decides, as a JSON pointer into the policy document: the rule that grants, or the list of handled rights.
    /// `None` for what no policy restricts or every policy refuses, and without a decision.
    pub rule: Option<String>,
    /// The rights that the operation needs, and where they are looked up.
    pub needs: Vec<Need>,
    /// Why, in words; without a decision, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
}

/// A right that an operation needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its name in the policy document.
    pub right: &'static str,
    /// The object on which it is looked up.
    pub on: String,
}

impl ModelAnswer {
    /// Whether the answer is a decision that takes nothing for granted.
    pub fn is_certain(&self) -> bool {
        self.decision.is_some() && self.assumes.is_empty()
    }
}

/// Works out what `policy` decides about `action`, for a process that finds `fixtures` under `${root}`.
///
/// All three still hold their placeholders. The fixtures are the profile's and then the probe's, as they are made.
pub fn evaluate(policy: &LandlockPolicy, action: &Action, fixtures: &[FixtureEntry]) -> ModelAnswer {
    let mut draft = needs::Draft::default();
    match needs::decide(policy, action, fixtures, &mut draft) {
        Ok(ruling) => ModelAnswer {
            decision: Some(ruling.decision),
            rule: ruling.rule,
            needs: draft.needs,
            reason: ruling.reason,
            assumes: draft.assumes,
        },
        Err(needs::Unknown(reason)) => {
            ModelAnswer { decision: None, rule: None, needs: draft.needs, reason, assumes: draft.assumes }
        }
    }
}

fn names(rights: RightSet<FsRight>) -> String {
    rights.iter().map(Right::name).collect::<Vec<_>>().join(", ")
}
