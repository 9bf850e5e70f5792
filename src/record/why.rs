//! What `why --json` prints: what the model says about one operation, and why.

use serde::Serialize;

/// Format of the answer. 1: first release.
pub const WHY_SCHEMA: &str = "sandproof.why.v1";

/// An answer.
#[derive(Debug, Serialize)]
pub struct WhyAnswer {
    /// [`WHY_SCHEMA`].
    pub schema_version: &'static str,
    /// Which policy.
    pub policy: WhyPolicy,
    /// The operation that was asked about.
    pub operation: String,
    /// What it would be attempted on.
    pub target: String,
    /// The answer.
    pub decision: WhyDecision,
    /// The rule that decides. Null: none does (no rule matches, or there is no decision).
    pub rule: Option<WhyRule>,
    /// The checks that the operation leads to, in order; under Landlock, the rights that it needs.
    pub chain: Vec<WhyStep>,
    /// Why, in words; without a decision, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
    /// What else is worth knowing; changes nothing about the decision.
    pub remarks: Vec<String>,
}

/// The policy that was asked about.
#[derive(Debug, Serialize)]
pub struct WhyPolicy {
    /// Its document.
    pub file: String,
    /// `sbpl` or `landlock`.
    pub mode: &'static str,
    /// The profile that it belongs to, if a profile was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<String>,
    /// That profile's registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_id: Option<String>,
}

/// An answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyDecision {
    /// It is let through.
    Allow,
    /// It is refused.
    Deny,
    /// The model cannot know.
    Undecidable,
}

impl WhyDecision {
    /// Of a model's decision.
    pub fn of(decision: Option<super::outcome::Decision>) -> Self {
        match decision {
            Some(super::outcome::Decision::Allow) => Self::Allow,
            Some(super::outcome::Decision::Deny) => Self::Deny,
            None => Self::Undecidable,
        }
    }

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undecidable => "undecidable",
        }
    }
}

/// A rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyRule {
    /// The document that it stands in.
    pub file: String,
    /// The line that it begins at, from 1.
    pub line: u32,
    /// The column, in characters, from 1.
    pub column: u32,
    /// Its text, shortened if long.
    pub text: String,
    /// Where it stands in a JSON document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// One check of an operation.
#[derive(Debug, Serialize)]
pub struct WhyStep {
    /// The operation that is checked; under Landlock, the right that is needed.
    pub operation: String,
    /// What it is checked on: the resolved path, the name, the address.
    pub on: String,
    /// Its decision; under Landlock null, since there only the whole is decided.
    pub decision: Option<WhyDecision>,
    /// The rule that decides it.
    pub rule: Option<WhyRule>,
}
