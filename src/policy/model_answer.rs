//! The answer of a model, whichever kind of policy it evaluates.

use serde::Serialize;

use crate::record::outcome::Decision;

/// What the model says about one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelAnswer {
    /// The decision; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// What decides. In a Landlock policy a JSON pointer into the document: the rule that grants, or the list of handled
    /// rights. In a Seatbelt profile where the rule begins, as `LINE:COLUMN`. `None` for what no policy restricts or
    /// every policy refuses, and without a decision.
    pub rule: Option<String>,
    /// What the operation needs and where that is looked up: rights under Landlock, checked operations under Seatbelt.
    pub needs: Vec<Need>,
    /// Why, in words; without a decision, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
}

/// Something that an operation needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The right's name in a Landlock policy, the operation's name in a Seatbelt profile.
    pub right: &'static str,
    /// What it is looked up on.
    pub on: String,
}

impl ModelAnswer {
    /// Whether the answer is a decision that takes nothing for granted.
    pub fn is_certain(&self) -> bool {
        self.decision.is_some() && self.assumes.is_empty()
    }

    /// An answer that is none.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { decision: None, rule: None, needs: Vec::new(), reason: reason.into(), assumes: Vec::new() }
    }
}
