//! What `compare --format json` prints: one plan in many worlds, or under many launchers.

use serde::Serialize;

use crate::base::digest::Digest;

/// Format of the comparison. 1: first release.
pub const COMPARE_SCHEMA: &str = "sandproof.compare.v1";

/// The comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorldComparison {
    /// The document's format: always [`COMPARE_SCHEMA`].
    pub schema_version: &'static str,
    /// How many worlds are compared.
    pub worlds: usize,
    /// Those that answer every question alike, together; in the order in which the first of each was named.
    pub groups: Vec<WorldGroup>,
    /// How many questions some world answers.
    pub questions: usize,
    /// How many of them all worlds answer alike.
    pub alike: usize,
    /// How many of them are answered alike wherever they were asked, and were not asked everywhere, as of a share of the plan.
    pub partly_asked: usize,
    /// The others, in the order of the plan; of very many the first.
    pub differing: Vec<DifferingQuestion>,
    /// How many more there are.
    pub unlisted: usize,
    /// Bundles that could not be used.
    pub left_out: Vec<LeftOutWorld>,
}

impl WorldComparison {
    /// How many questions are answered differently, listed or not.
    pub fn differ(&self) -> usize {
        self.differing.len() + self.unlisted
    }
}

/// Worlds that answer alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorldGroup {
    /// A letter, or several.
    pub label: String,
    /// How many worlds it has.
    pub count: usize,
    /// These; of very many the first.
    pub worlds: Vec<ComparedWorld>,
    /// How many of its answers are `allow`, `deny`, or neither.
    pub counts: AnswerCounts,
    /// What is declared of them, as far as it is not the same in all worlds.
    pub facts: Vec<GroupFact>,
}

/// How often a group of worlds gives each answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct AnswerCounts {
    /// Let through.
    pub allow: usize,
    /// Refused.
    pub deny: usize,
    /// Not decided.
    pub undecided: usize,
    /// Not asked there.
    pub not_asked: usize,
}

/// A world: a bundle, or one launcher of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparedWorld {
    /// Where the bundle lies.
    pub path: String,
    /// The id of its run.
    pub run_id: String,
    /// The world's id.
    pub world_id: String,
    /// The launcher's profile; null if no launcher was asked.
    pub launcher: Option<String>,
    /// The digest of the bundle's index.
    pub index_sha256: Digest,
}

/// A fact that is not the same in all worlds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupFact {
    /// What it is: `host/kernel_release`, a place in the declaration, or `launcher/version`.
    pub fact: String,
    /// Its values in this group, sorted; of many the first.
    pub values: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// A question that is not answered alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingQuestion {
    /// The profile; null where launchers are asked, whose profiles are the worlds.
    pub profile_id: Option<String>,
    /// The id of its expectation, without the profile.
    pub id: String,
    /// The operation, as the policy language names it.
    pub operation: String,
    /// The target as declared.
    pub target: String,
    /// What is answered, and where.
    pub answers: Vec<AnswerOfGroups>,
    /// The facts of which no value goes with two answers, those with the fewest values first: what may be behind it, no more.
    pub goes_with: Vec<String>,
}

/// An answer, and who gives it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerOfGroups {
    /// `allow`, `deny`, `deny (MECHANISM)`, `undecided (KIND)`, `not asked`.
    pub answer: String,
    /// The groups, by label.
    pub groups: Vec<String>,
}

/// A bundle that could not be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOutWorld {
    /// Where it lies.
    pub path: String,
    /// Why, in words.
    pub why: String,
    /// Whether it is merely not finished.
    pub unfinished: bool,
}
