//! A policy's own controls: one operation that it certainly refuses and one that it certainly lets through.
//!
//! A run executes both under the unmodified policy. If the first is not refused, the policy is not in force; if the
//! second fails, something else refuses. In either case nothing observed under the policy counts.

use super::answer::ModelAnswer;
use super::value::PolicyValue;
use super::{landlock, sbpl};
use crate::record::action::Action;
use crate::record::fixture::{FixtureEntry, ListenerSpec};

/// The controls of one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controls {
    /// What the policy certainly refuses.
    pub must_deny: Result<Control, WhyNone>,
    /// What the policy certainly lets through.
    pub must_allow: Result<Control, WhyNone>,
}

/// One control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The operation, with placeholders.
    pub action: Action,
    /// All that has to stand under the control's own `${root}`: its targets, and a folder for each path that a rule
    /// names there. The profile's fixtures are not needed beside them.
    pub fixtures: Vec<FixtureEntry>,
    /// What the harness has to listen on.
    pub listener: Option<ListenerSpec>,
    /// What the model says about it; always certain.
    pub answer: ModelAnswer,
}

/// Why a policy has no control of one kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WhyNone(pub(crate) String);

/// Finds the controls of a policy, whose texts still hold their placeholders.
pub fn derive(policy: &PolicyValue) -> Controls {
    match policy {
        PolicyValue::Landlock(policy) => landlock::derive_controls(policy),
        PolicyValue::Sbpl(policy) => sbpl::controls::derive(policy.rules()),
        PolicyValue::Launcher(_) => {
            let why = WhyNone("nothing about a launcher is certain before it is asked".into());
            Controls { must_deny: Err(why.clone()), must_allow: Err(why) }
        }
        PolicyValue::Blob(_) => {
            let why = WhyNone("a compiled profile holds no text to evaluate".into());
            Controls { must_deny: Err(why.clone()), must_allow: Err(why) }
        }
    }
}
