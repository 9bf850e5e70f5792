//! What `diff-runs --json` prints: what two runs declared differently, which verdicts differ, and which of the differences
//! could explain each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::BaselineStatus;
use super::identity::DeclarationPart;
use super::launcher::Mechanism;
use super::opinions::Opinions;
use super::oracle::OracleDecision;
use super::outcome::{Decision, Expectation, Lane};
use crate::base::digest::Digest;

/// Format of the report. 1: first release.
pub const RUN_DIFF_SCHEMA: &str = "sandproof.run_diff.v1";

/// What `diff-runs --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunDiff {
    /// The document's format: always `sandproof.run_diff.v1`.
    pub schema_version: &'static str,
    /// Whether both declarations are materially equal, nothing in them is stated by neither side (unless that was
    /// accepted), and no verdict differs.
    pub same: bool,
    /// The first side.
    pub a: Side,
    /// The second side.
    pub b: Side,
    /// What differs in the declarations.
    pub declarations: Declarations,
    /// The material differences, gathered into changes; explanations refer to them by `id`.
    pub changes: Vec<Change>,
    /// What differs in the verdicts.
    pub verdicts: VerdictComparison,
    /// What differs in what two sealed commands came to. Absent: not both sides are sealed commands that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outputs: Option<OutputComparison>,
}

/// The comparison of what two sealed commands came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputComparison {
    /// How many outputs both have alike.
    pub same: u64,
    /// How many differ.
    pub differing: u64,
    /// Those that differ, by name; of very many only the first.
    pub outputs: Vec<DifferingOutput>,
    /// How many more there are than are listed.
    pub unlisted: u64,
    /// Whether something that either command read may have changed meanwhile; then no explanation is given.
    pub drifted: bool,
    /// What reached both commands and is neither fixed nor declared.
    pub not_held: Vec<String>,
}

/// An output that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingOutput {
    /// Its name: `exit`, `stdout`, `stderr`, `out/PATH`.
    pub output: String,
    /// What it is on the first side; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Value>,
    /// What it is on the second side; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Value>,
    /// Where the two differ within, as far as that can be told.
    #[serde(flatten)]
    pub within: InnerDifferences,
    /// Which of the declared differences could explain it.
    pub explanation: Explanation,
}

/// Where two files, or two folders, of which both sides hold the bytes differ within.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct InnerDifferences {
    /// The places: members of JSON files, lines of texts, files of folders; of very many only the first. Empty: it could not be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<InnerDifference>,
    /// How many more there are than are listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub within_unlisted: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A place within a file or a folder in which two sides differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InnerDifference {
    /// Path of the file below the folder. Absent: within a single file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// JSON pointer into the file. Absent: the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// JSON pointer into the file of the second side, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b_pointer: Option<String>,
    /// What it is on the first side; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<ShownValue>,
    /// What it is on the second side; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<ShownValue>,
    /// The first lines in which two texts differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ChangedLine>,
}

/// One of the two things that are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// As it was given.
    pub given: String,
    /// What it is.
    pub source: SourceKind,
    /// The attempt; null for a declaration.
    pub run_id: Option<String>,
    /// The world; null for a declaration.
    pub world_id: Option<String>,
    /// What is declared: `run`, or the kind of another system. Null if there is no declaration.
    pub kind: Option<String>,
    /// The identity; null if there is no declaration.
    pub identity: Option<Digest>,
    /// What could not be verified, in words; empty if all was.
    pub not_verified: Vec<String>,
}

/// What a side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A folder that holds a committed bundle.
    Bundle,
    /// A promotion packet.
    Packet,
    /// A declaration.
    Declaration,
    /// What `identity seal` left: a declaration with the outputs of its command.
    Sealed,
}

impl SourceKind {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Packet => "packet",
            Self::Declaration => "declaration",
            Self::Sealed => "sealed",
        }
    }
}

/// The comparison of the declarations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Declarations {
    /// How far they could be compared.
    pub compared: Comparability,
    /// Whether both have the same identity. Null: not known of one side.
    pub identical: Option<bool>,
    /// Whether no material item differs. Null: cannot be said.
    pub materially_equal: Option<bool>,
    /// The four parts, in their order; empty if there is nothing to compare.
    pub parts: Vec<PartDiff>,
    /// What both sides state to be absent, for the same reason: as far as that goes nothing was compared. Always empty for
    /// runs, whose absent items are what this program observed or knows to have no value.
    pub stated_by_neither: Vec<Unstated>,
    /// What a run of a system states where its deployment does not, and why that does not. Empty for two of one kind.
    pub stated_by_run_only: Vec<Unstated>,
    /// What both sides say is unknown, or what neither the run of a system nor its deployment knows: nothing was compared there.
    /// Empty in the first format of declarations, which does not tell what is unknown from what there is not.
    pub unknown_on_both: Vec<Unstated>,
    /// What the deployment leaves to each run, and the run states: no difference, and nothing is open. Empty for two of one kind.
    pub left_to_run: Vec<Unstated>,
    /// Whether the run of a system names this very deployment by its identity. Null: it names none, or these are not a run and a
    /// deployment.
    pub run_names_deployment: Option<bool>,
    /// What both declarations of other systems say is immaterial, and why the first says so. Differences there are items that
    /// are not `material`.
    pub immaterial: Vec<Unstated>,
    /// Whether what is open was accepted as equal.
    pub absent_accepted: bool,
}

impl Declarations {
    /// Whether something is open that might differ.
    pub fn leave_open(&self) -> bool {
        !(self.stated_by_neither.is_empty() && self.stated_by_run_only.is_empty() && self.unknown_on_both.is_empty())
    }
}

/// An item that was not compared, or not like the others, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unstated {
    /// JSON pointer into the declarations.
    pub pointer: String,
    /// Why, in words.
    pub reason: String,
}

/// How far declarations could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparability {
    /// Item by item.
    Items,
    /// By the digests of the four parts.
    Parts,
    /// Not at all.
    Not,
}

/// One part of both declarations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartDiff {
    /// The part of the declaration.
    pub part: DeclarationPart,
    /// SHA-256 of the part in canonical form, on the first side.
    pub a: Digest,
    /// SHA-256 of the part in canonical form, on the second side.
    pub b: Digest,
    /// Whether no material item differs.
    pub materially_equal: bool,
    /// The items that differ, in the order in which they stand.
    pub items: Vec<DifferingItem>,
}

/// One item that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingItem {
    /// JSON pointer into the first declaration, or into the second if it stands only there.
    pub pointer: String,
    /// JSON pointer into the second declaration, if that is another one: elements of a list before it were put in or
    /// taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b_pointer: Option<String>,
    /// What it is, for people.
    pub name: String,
    /// What it is on the first side; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<ShownValue>,
    /// What it is on the second side; absent if it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<ShownValue>,
    /// The first lines in which two texts differ whose digests these are, where both sides hold the texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<ChangedLine>,
    /// Where the JSON files, or the folders, differ within whose digests these are, where both sides hold them.
    #[serde(flatten)]
    pub within: InnerDifferences,
    /// Whether it can affect a verdict, by the published rule; of another system, whether not both call it immaterial.
    pub material: bool,
}

/// A line that one side's text has and the other's has not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedLine {
    /// Whose line it is.
    pub side: LineSide,
    /// Its text, of a long line the beginning.
    pub text: String,
}

/// A side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineSide {
    /// The first.
    A,
    /// The second.
    B,
}

impl LineSide {
    /// How such lines are marked: as what was taken out, and what was put in.
    pub fn sign(self) -> &'static str {
        match self {
            Self::A => "-",
            Self::B => "+",
        }
    }
}

/// A value of a declaration, or what stands for one that is too long to repeat.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShownValue {
    /// The value itself.
    Value(Value),
    /// The digest of its canonical form.
    Digest(Digest),
}

/// Material differences that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Id of the change within this report, to which explanations refer.
    pub id: String,
    /// What changed, for people.
    pub what: String,
    /// Which rows it can reach.
    pub reach: RowReach,
    /// The items, by pointer.
    pub pointers: Vec<String>,
}

/// Which rows a change can reach, by what the declarations say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowReach {
    /// Every row.
    AllRows,
    /// The rows for which what was resolved from it differs; each listed row was compared.
    ResolvedRows,
    /// Rows that only one side has.
    Presence,
    /// No row: it bears on promotion only, or on nothing that a probe could meet.
    NoRow,
}

/// The comparison of the verdicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerdictComparison {
    /// Why they were not compared; null if they were.
    pub not_compared: Option<String>,
    /// The lanes that either side has.
    pub lanes: Vec<LaneDiff>,
    /// How many rows differ, in all lanes.
    pub differing: u64,
    /// The rows that differ, by lane, id and aspect; of very many only the first.
    pub flips: Vec<Flip>,
    /// How many more there are than `flips` lists.
    pub unlisted: u64,
}

/// One lane of both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneDiff {
    /// The lane that is compared.
    pub lane: Lane,
    /// Rows on the first side; null if it does not have the lane.
    pub a_rows: Option<u64>,
    /// Rows on the second side; null if it does not have the lane.
    pub b_rows: Option<u64>,
    /// Rows whose verdict and expectation are the same.
    pub same: u64,
    /// Rows that differ, by kind.
    pub kinds: BTreeMap<FlipKind, u64>,
    /// Rows whose verdict differs, by `FROM -> TO`.
    pub transitions: BTreeMap<String, u64>,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlipKind {
    /// Another verdict.
    Flipped,
    /// The same verdict, but another was expected.
    ExpectedOtherwise,
    /// Only the second side has the row.
    Appeared,
    /// Only the first side has the row.
    Vanished,
}

impl FlipKind {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flipped => "flipped",
            Self::ExpectedOtherwise => "expected_otherwise",
            Self::Appeared => "appeared",
            Self::Vanished => "vanished",
        }
    }
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flip {
    /// The lane that the row belongs to.
    pub lane: Lane,
    /// The expectation; for a control its profile.
    pub id: String,
    /// What tells rows of one id apart: the source (oracle), which control; else empty.
    pub aspect: String,
    /// How it differs.
    pub kind: FlipKind,
    /// The first side; null if it does not have the row.
    pub a: Option<RowVerdict>,
    /// The second side; null if it does not have the row.
    pub b: Option<RowVerdict>,
    /// Whether the row's baseline verdict differs too: then the policy is not all that the rows may be put down to.
    pub baseline_differs: bool,
    /// What was resolved differently for this row.
    pub resolved_differently: Vec<RowInput>,
    /// What could explain it.
    pub explanation: Explanation,
    /// What its author, the kernel and the model say on either side. Of rows of the scenario lane, where the bundle is there;
    /// filled in by whoever shows the comparison.
    pub opinions: FlipOpinions,
}

/// The three opinions of one row, on either side; null where they are not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FlipOpinions {
    /// On the first side.
    pub a: Option<Opinions>,
    /// On the second side.
    pub b: Option<Opinions>,
}

/// A thing that a row is resolved from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowInput {
    /// The profile that the row belongs to.
    Profile,
    /// What the profile's policy means.
    Policy,
    /// The probe: what is attempted, and what it needs.
    Probe,
    /// What the harness makes for it.
    Fixtures,
    /// What is expected.
    Expected,
}

impl RowInput {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Policy => "policy",
            Self::Probe => "probe",
            Self::Fixtures => "fixtures",
            Self::Expected => "expected",
        }
    }
}

/// One verdict.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowVerdict {
    /// Id of the profile, as in the registry.
    pub profile_id: Box<str>,
    /// What was expected; null where nothing is.
    pub expected: Option<Expectation>,
    /// What was found.
    pub actual: RowAnswer,
    /// How a denial under a launcher came about, of a row that is listed. Absent for anything else, and of a side without a
    /// bundle that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<Mechanism>,
    /// Why, as far as the bundle says: the kind of failure, the error, the oracle's reason.
    pub because: Option<Box<str>>,
}

/// What a row says of its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowAnswer {
    /// Let through.
    Allow,
    /// Refused.
    Deny,
    /// Neither can be said.
    Undecided,
    /// The source had no answer (oracle).
    Error,
}

impl RowAnswer {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undecided => "undecided",
            Self::Error => "error",
        }
    }

    /// What was decided; nothing where nothing was.
    pub fn decision(self) -> Option<Decision> {
        match self {
            Self::Allow => Some(Decision::Allow),
            Self::Deny => Some(Decision::Deny),
            Self::Undecided | Self::Error => None,
        }
    }
}

impl From<Option<Decision>> for RowAnswer {
    fn from(decision: Option<Decision>) -> Self {
        match decision {
            Some(Decision::Allow) => Self::Allow,
            Some(Decision::Deny) => Self::Deny,
            None => Self::Undecided,
        }
    }
}

impl From<BaselineStatus> for RowAnswer {
    fn from(status: BaselineStatus) -> Self {
        match status {
            BaselineStatus::Allow => Self::Allow,
            BaselineStatus::Deny => Self::Deny,
            BaselineStatus::Undecided => Self::Undecided,
        }
    }
}

impl From<OracleDecision> for RowAnswer {
    fn from(decision: OracleDecision) -> Self {
        match decision {
            OracleDecision::Allow => Self::Allow,
            OracleDecision::Deny => Self::Deny,
            OracleDecision::Error => Self::Error,
        }
    }
}

/// What could explain a row that differs; never more than the declarations support.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// How much can be said.
    pub finding: ExplanationGrade,
    /// The changes that could, by `id`.
    pub candidates: Vec<String>,
}

/// How much can be said of a row that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExplanationGrade {
    /// One thing was declared differently, and it reaches this row.
    OnlyDifference,
    /// What is listed reaches this row; more was declared differently, or the list has several.
    Candidates,
    /// Things were declared differently, but none of them reaches this row.
    NoneReaches,
    /// Nothing was declared differently: evidence of nondeterminism, or of an influence that is not declared.
    NothingDeclared,
    /// The declarations could not be compared item by item.
    Unknown,
}

/// A comparison with another run, in words, for a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonShown {
    /// What the other run was given as.
    pub against: String,
    /// The answer in one line.
    pub headline: String,
    /// What was declared differently.
    pub changes: Vec<String>,
    /// The first rows that differ.
    pub rows: Vec<ChangedRow>,
    /// How many more do.
    pub more: u64,
}

/// A row that differs, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// The row's id, with what tells it apart from others of the same id.
    pub name: String,
    /// The lane that it is a row of.
    pub lane: &'static str,
    /// What the other run showed.
    pub before: String,
    /// What this run shows.
    pub now: String,
    /// What could explain it.
    pub explanation: String,
}
