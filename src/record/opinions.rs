//! What three parties say of one row: its author, the kernel and the model of its policy. Derived by `evidence::opinions`.

use serde::{Deserialize, Serialize};

use super::outcome::Decision;

/// What follows from the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The kernel did what was expected, and no model says otherwise.
    AsExpected,
    /// The kernel does what the policy says, which is not what is expected: one of the two is wrong.
    PolicyOrExpectation,
    /// The kernel does not do what the policy says, as the model reads it.
    KernelSurprisesModel,
    /// Not what is expected, and the model cannot tell what the policy says.
    ModelCannotTell,
    /// Not what is expected, and the model was not asked: the oracle lane was off.
    ModelNotAsked,
    /// Nothing was expected, and no model says otherwise.
    Unasserted,
    /// Nothing was decided, whatever the others say.
    Undecided,
}

impl Conclusion {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 7] = [
        Self::AsExpected,
        Self::PolicyOrExpectation,
        Self::KernelSurprisesModel,
        Self::ModelCannotTell,
        Self::ModelNotAsked,
        Self::Unasserted,
        Self::Undecided,
    ];

    /// Its name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AsExpected => "as_expected",
            Self::PolicyOrExpectation => "policy_or_expectation",
            Self::KernelSurprisesModel => "kernel_surprises_model",
            Self::ModelCannotTell => "model_cannot_tell",
            Self::ModelNotAsked => "model_not_asked",
            Self::Unasserted => "unasserted",
            Self::Undecided => "undecided",
        }
    }
}

/// A place in a document of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourcePlace {
    /// The document's path, as the plan refers to it.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

impl std::fmt::Display for SourcePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.path, self.line)
    }
}

/// What the model says of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOpinion {
    /// Who was asked, as in the oracle's rows.
    pub source: String,
    /// The answer; null if the model cannot know.
    pub decision: Option<Decision>,
    /// What decides: a JSON pointer into the policy, or `LINE:COLUMN`; null if no rule does.
    pub rule: Option<String>,
    /// Where that stands; null if it is in no document of the plan.
    pub rule_place: Option<SourcePlace>,
    /// Why, in words; without an answer, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
}

impl ModelOpinion {
    /// With the place where its rule stands, as `find` finds it.
    pub fn placed(self, find: impl FnOnce(&str) -> Option<SourcePlace>) -> Self {
        Self { rule_place: self.rule.as_deref().and_then(find), ..self }
    }
}

/// The three opinions of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinions {
    /// What the author expects; null where nothing is.
    pub expected: Option<Decision>,
    /// Why, in the author's words; null if none are written.
    pub why: Option<String>,
    /// What the kernel did; null if nothing was decided.
    pub kernel: Option<Decision>,
    /// What the model says; null if it was not asked.
    pub model: Option<ModelOpinion>,
    /// What the three come to together.
    pub conclusion: Conclusion,
    /// The conclusion as a sentence.
    pub sentence: String,
}
