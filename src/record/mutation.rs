//! What `mutate --json` prints: which change of a policy which probe notices.

use serde::Serialize;

use super::fixture::{FixtureEntry, ListenerSpec};
use super::outcome::Decision;

/// Format of the report.
pub const MUTATION_SCHEMA: &str = "sandproof.mutation_report.v1";

/// How a policy was changed. One mutant is one such change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// A rule is gone.
    DroppedRule,
    /// A rule grants, or names, one right or operation less.
    DroppedRight,
    /// A rule is there that was not.
    AddedRule,
    /// A rule grants one right more that the policy handles.
    AddedRight,
    /// A rule covers more: the folder above, or what one of its filters left out.
    WidenedTarget,
    /// A rule covers less: one thing below its folder.
    NarrowedTarget,
    /// A rule is about another port.
    OtherPort,
    /// The policy handles another scope in the place of one.
    OtherScope,
    /// The policy no longer handles a right, or a scope.
    Unhandled,
    /// The policy handles a right, or a scope, more.
    Handled,
    /// One ruleset of several is gone.
    DroppedLayer,
    /// Threads that were there before are no longer bound.
    LooseThreads,
    /// `allow` became `deny`, or the other way.
    Flipped,
    /// A word of a launcher's command line is gone, with what belongs to it.
    DroppedFlag,
}

/// What a change does to what the policy lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MutationEffect {
    /// Something is let through that was refused. What nobody notices here is a hole that nobody would see.
    Weakened,
    /// Something is refused that the policy granted.
    Narrowed,
    /// Something is refused that the policy did not speak of.
    Stricter,
}

/// Who decided what each mutant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The kernel: the mutant was applied, and every probe was performed under it.
    Kernel,
    /// The model of the policy. Nothing was executed.
    Model,
    /// The launcher, which was started with the changed command line.
    Launcher,
}

/// What came of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MutantOutcome {
    /// At least one probe has another verdict than it expects.
    Noticed,
    /// Every probe that decides is as expected.
    NotNoticed,
    /// Nothing was decided: no probe has another verdict, and some have none.
    Undecided,
    /// By the model it makes a difference only to what no driver asks for, or what is refused without a policy too: no probe
    /// could notice it.
    NotAskable,
    /// By the model it lets through what the policy does, so nothing could notice it.
    Equivalent,
    /// It is no policy: the document, or the kernel, does not take it.
    Refused,
}

/// A report of mutation.
#[derive(Debug, Clone, Serialize)]
pub struct MutationReport {
    /// The document's format: always [`MUTATION_SCHEMA`].
    pub schema_version: &'static str,
    /// Id of the plan.
    pub plan_id: String,
    /// The report in one sentence.
    pub sentence: String,
    /// The score that was asked for, from 0 to 1; null if none was.
    pub fail_under: Option<f64>,
    /// Mutants that let through what the policy refuses.
    pub weakened: MutationScore,
    /// Mutants that refuse what the policy grants.
    pub narrowed: MutationScore,
    /// Mutants that refuse what the policy does not speak of. Few plans ask for all that they leave alone.
    pub stricter: MutationScore,
    /// Mutants that count nowhere: what nothing could notice.
    pub equivalent: EquivalentMutants,
    /// How many changes make a difference only to what no probe could be decided by. They count nowhere either.
    pub not_askable: u64,
    /// How many changes made no policy.
    pub refused: u64,
    /// The policies, in the plan's order.
    pub policies: Vec<PolicyMutation>,
    /// Where the model and the kernel part: each is a fault of the model, or a finding about the kernel.
    pub oracle_disagrees: Vec<ModelFault>,
}

/// How many mutants were noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct MutationScore {
    /// How many there are.
    pub mutants: u64,
    /// How many of them a probe notices.
    pub noticed: u64,
    /// How many were not decided. They count as not noticed.
    pub undecided: u64,
    /// `noticed` as a share of `mutants`; null without any.
    pub score: Option<f64>,
}

/// Mutants that the model calls equivalent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EquivalentMutants {
    /// How many there are.
    pub mutants: u64,
    /// How many of them were run against the kernel all the same.
    pub run: u64,
}

/// A policy, and what became of its mutants.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyMutation {
    /// The profile that applies it.
    pub profile_id: String,
    /// Path of its document.
    pub policy: String,
    /// Who decided: the kernel or the model.
    pub by: DecidedBy,
    /// As in the report.
    pub weakened: MutationScore,
    /// As in the report.
    pub narrowed: MutationScore,
    /// As in the report.
    pub stricter: MutationScore,
    /// Probes that can prove nothing, because without any change they are not as expected.
    pub useless: Vec<UselessProbe>,
    /// What in the policy was changed, in the document's order.
    pub rules: Vec<RuleProof>,
}

/// A probe that can prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UselessProbe {
    /// Id of its expectation, as in a run.
    pub expectation_id: String,
    /// Why, in words.
    pub why: String,
}

/// A part of a policy with the changes that were made to it.
#[derive(Debug, Clone, Serialize)]
pub struct RuleProof {
    /// Where it stands: a JSON pointer, or LINE:COLUMN.
    pub at: String,
    /// Line and column in the document, both from 1; null where it is no text.
    pub line: Option<u32>,
    /// See [`Self::line`].
    pub column: Option<u32>,
    /// What it says, in short.
    pub says: String,
    /// The probes that notice a change of it, each once.
    pub proved_by: Vec<String>,
    /// The single changes of this rule that were tried, in the order in which they were made.
    pub mutants: Vec<MutantRecord>,
}

/// One mutant.
#[derive(Debug, Clone, Serialize)]
pub struct MutantRecord {
    /// The kind of change.
    pub operator: Operator,
    /// What was changed, in words.
    pub change: String,
    /// What that does.
    pub effect: MutationEffect,
    /// What came of it.
    pub outcome: MutantOutcome,
    /// The probes that notice it, by expectation.
    pub noticed_by: Vec<String>,
    /// A probe that would notice it; null for what is noticed, and where the model finds none.
    pub probe_to_add: Option<ProbeToAdd>,
}

/// A probe that would notice a change, by the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeToAdd {
    /// The operation, under Seatbelt's name.
    pub operation: String,
    /// The driver that performs it; null where the model names an operation alone.
    pub driver: Option<&'static str>,
    /// What it is attempted on.
    pub target: String,
    /// The second path, if it takes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What the policy answers, which is what to expect.
    pub expected: Decision,
    /// What has to be made for it that the profile has not got yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<FixtureEntry>,
    /// What to listen on meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<ListenerSpec>,
}

/// A place where the model and the kernel part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelFault {
    /// Id of the profile whose policy was changed, as in the registry.
    pub profile_id: String,
    /// Where the policy was changed.
    pub at: String,
    /// How it was changed.
    pub change: String,
    /// The expectation of the probe.
    pub expectation_id: String,
    /// What the model says of it.
    pub model: Decision,
    /// What the kernel did.
    pub kernel: Decision,
}
