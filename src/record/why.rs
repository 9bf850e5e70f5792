//! What `why --json` prints: what the model says about one operation, and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Format of the answer. 1: first release.
pub const WHY_SCHEMA: &str = "sandproof.why.v1";
/// Format of the answers to a file of questions. 1: first release.
pub const WHY_ANSWERS_SCHEMA: &str = "sandproof.why_answers.v1";
/// Format of what is said of a log. 1: first release.
pub const WHY_LOG_SCHEMA: &str = "sandproof.why_log.v1";

/// An answer.
#[derive(Debug, Serialize)]
pub struct WhyAnswer {
    /// The document's format: always [`WHY_SCHEMA`].
    pub schema_version: &'static str,
    /// The policy that was asked about, and its document.
    pub policy: WhyPolicy,
    /// The operation that was asked about.
    pub operation: String,
    /// What it would be attempted on.
    pub target: String,
    /// What the model decides, or that it cannot know.
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
    /// Path of the policy document, as it was named.
    pub file: String,
    /// `sbpl` or `landlock`.
    pub mode: &'static str,
    /// The imported files that were read, with their SHA-256.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<String, String>,
    /// The profile that it belongs to, if a profile was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_id: Option<String>,
    /// That profile's registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_id: Option<String>,
}

/// An answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// The word that documents have for it.
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
    /// Text of the rule, shortened if long.
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

/// The answers to a file of questions.
#[derive(Debug, Serialize)]
pub struct WhyAnswers {
    /// The document's format: always [`WHY_ANSWERS_SCHEMA`].
    pub schema_version: &'static str,
    /// The policy that all questions are about; null where each brings its own.
    pub policy: Option<WhyPolicy>,
    /// How many questions there are.
    pub questions: usize,
    /// How many were answered as expected.
    pub as_expected: usize,
    /// How many were answered otherwise.
    pub otherwise: usize,
    /// How many have an expectation that the model cannot decide about.
    pub undecided: usize,
    /// How many expect nothing.
    pub unasserted: usize,
    /// Each, in the order of the file.
    pub answers: Vec<WhyAsked>,
}

/// One question of a file with its answer.
#[derive(Debug, Serialize)]
pub struct WhyAsked {
    /// The line that it stands on, from 1.
    pub line: usize,
    /// Id that the question brought along; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: String,
    /// What the operation is on, as it was asked.
    pub target: String,
    /// What is expected; null if nothing is.
    pub expected: Option<WhyExpected>,
    /// What the model decides, or that it cannot know.
    pub decision: WhyExpected,
    /// Whether that is as expected; null where nothing is, or where an allow or deny is expected and the model cannot
    /// know.
    pub as_expected: Option<bool>,
    /// The rule that decides.
    pub rule: Option<WhyRule>,
    /// The reason, as text for people.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
}

/// What may be expected of a question: an answer, or that the policy which it brings is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyExpected {
    /// It is let through.
    Allow,
    /// It is refused.
    Deny,
    /// The model cannot know.
    Undecidable,
    /// The policy cannot be read.
    Refused,
}

impl WhyExpected {
    /// Of an answer.
    pub fn of(decision: WhyDecision) -> Self {
        match decision {
            WhyDecision::Allow => Self::Allow,
            WhyDecision::Deny => Self::Deny,
            WhyDecision::Undecidable => Self::Undecidable,
        }
    }

    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undecidable => "undecidable",
            Self::Refused => "refused",
        }
    }
}

/// What a policy says of logged denials.
#[derive(Debug, Serialize)]
pub struct WhyLog {
    /// The document's format: always [`WHY_LOG_SCHEMA`].
    pub schema_version: &'static str,
    /// The policy that was asked about, and its document.
    pub policy: WhyPolicy,
    /// How many lines were read.
    pub lines: u64,
    /// How many of them are about no denial.
    pub other_lines: u64,
    /// The denials, each once, in the order of their first lines.
    pub denials: Vec<WhyDenial>,
}

/// A logged denial, and what the policy says of it.
#[derive(Debug, Serialize)]
pub struct WhyDenial {
    /// The first line that says so, from 1.
    pub line: u64,
    /// How many times it was logged.
    pub count: u64,
    /// The processes that are named, at most ten.
    pub processes: Vec<String>,
    /// The operation, or the right that was missing.
    pub operation: String,
    /// What it was on.
    pub target: String,
    /// What the model says.
    pub decision: WhyDecision,
    /// The rule that decides.
    pub rule: Option<WhyRule>,
    /// The reason, as text for people.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
    /// What that comes to.
    pub conclusion: DenialConclusion,
    /// The smallest rules that would let it through, as they would stand in the policy; empty where none is known.
    pub allow_with: Vec<String>,
    /// What these rules let through besides.
    pub opens: Vec<AccessChange>,
}

/// What a logged denial says of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialConclusion {
    /// The policy denies it.
    DeniedByPolicy,
    /// The model calls it allowed: the model is wrong, the policy in force is another one, or something else denied it.
    AgainstTheModel,
    /// The model cannot know.
    Undecidable,
}

/// An answer that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessChange {
    /// The operations or rights, groups where all that they cover changes alike.
    pub operations: Vec<String>,
    /// A target that shows it.
    pub target: String,
    /// Further facts of the question, by filter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// The first policy's answer.
    pub a: WhyDecision,
    /// The rule that gives it.
    pub a_rule: Option<String>,
    /// The second policy's answer.
    pub b: WhyDecision,
    /// The rule that gives it.
    pub b_rule: Option<String>,
}
