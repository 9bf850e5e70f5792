//! What `report --format matrix-json` prints: questions by launchers (or other policies), over one bundle or several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::enforcer::PolicyMode;
use super::launcher::{LauncherProgram, Mechanism, NameKind, StartMode};
use super::outcome::{Decision, Expectation};
use crate::base::digest::Digest;

/// Format of the matrix. 1: first release.
pub const MATRIX_SCHEMA: &str = "sandproof.matrix.v1";

/// One launcher, or another policy, of one bundle: a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MatrixColumn {
    /// What stands over the column; no two have the same.
    pub label: String,
    /// Which bundle, counted from 1 in the order in which they were named.
    pub bundle: usize,
    /// The bundle's run.
    pub run_id: String,
    /// The identity that the run declared; null if its bundle has no declaration.
    pub identity: Option<Digest>,
    /// The digest of the bundle's index.
    pub index_sha256: Digest,
    /// Id of the plan that the bundle is of.
    pub plan_id: String,
    /// Id of the world that the run was in.
    pub world_id: String,
    /// How the policy document is written.
    pub mode: PolicyMode,
    /// The path of the policy document.
    pub policy: String,
    /// Its digest; null if the bundle does not list it.
    pub policy_sha256: Option<Digest>,
    /// What the launcher is called; null for another policy.
    pub launcher_id: Option<String>,
    /// What the launcher said of its version; null if it was not asked, or did not say.
    pub version: Option<String>,
    /// The launcher's own programs.
    pub programs: Vec<LauncherProgram>,
    /// The profiles whose questions stand in the column, in plan order.
    pub profiles: Vec<String>,
    /// How the worker inside was reached: every way that was used.
    pub starts: Vec<StartMode>,
    /// What the launcher left in the workspace.
    pub residue: Vec<String>,
    /// What became of the questions.
    pub counts: MatrixCounts,
    /// What became of the launcher's documented claims.
    pub claims: ClaimCounts,
}

/// What became of a column's questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct MatrixCounts {
    /// How many were asked.
    pub questions: u64,
    /// Answered as expected.
    pub as_expected: u64,
    /// Answered otherwise.
    pub mismatched: u64,
    /// Not decided.
    pub undecided: u64,
    /// Only asked of the policy, as is the driver's nature, and answered as expected.
    pub asked: u64,
    /// Answered, and nothing was expected.
    pub unasserted: u64,
}

/// What became of documented claims: how many questions a claim speaks of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClaimCounts {
    /// Observed as documented.
    pub borne_out: u64,
    /// Observed otherwise.
    pub contradicted: u64,
    /// Not decided.
    pub open: u64,
}

/// One question: a row of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixQuestion {
    /// Id of the probe, as in the registry.
    pub probe_id: String,
    /// Seatbelt's name of what is asked.
    pub operation: String,
    /// The target as declared.
    pub target: String,
    /// Name of the driver that tries it.
    pub driver: String,
}

/// The answer of one column to one question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// The profile that asked.
    pub profile_id: String,
    /// The expectation's id in its bundle.
    pub expectation_id: String,
    /// What was expected; null if nothing was said.
    pub expected: Option<Expectation>,
    /// What was observed; null if nothing was decided.
    pub actual: Option<Decision>,
    /// Whether the two agree; null if nothing was decided.
    #[serde(rename = "match")]
    pub matched: Option<bool>,
    /// The word of what is undecided; null for anything that was decided.
    pub undecided: Option<String>,
    /// Why nothing was decided, in words; null if there is nothing to say.
    pub notes: Option<String>,
    /// The error number that was seen, by name; null if there is none.
    pub errno: Option<String>,
    /// How a launcher denied; null for anything else.
    pub mechanism: Option<Mechanism>,
    /// What made the refusal; null if nobody knows.
    pub via: Option<String>,
    /// What covers the object; null if nothing is known to.
    pub covered_by: Option<String>,
    /// What the operation was on: `same`, `other` or `absent`; null if nobody knows.
    pub object: Option<String>,
    /// How the spelled name by itself was denied, where another name was allowed; null for anything else.
    pub by_name: Option<Mechanism>,
    /// The kind of the name under which it was allowed, where that is not the spelled one; null for anything else.
    pub name: Option<NameKind>,
    /// How the worker was reached; null if it was not, and for other policies.
    pub start: Option<StartMode>,
    /// What the launcher's documentation says of it; null if it says nothing.
    pub claim: Option<MatrixClaim>,
}

/// What a launcher's documentation says of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixClaim {
    /// What it says happens.
    pub is: Decision,
    /// Where it says so.
    pub source: String,
    /// Whether that was observed; null if nothing was decided.
    pub borne_out: Option<bool>,
}

/// One row, as it is printed.
#[derive(Debug, Serialize)]
pub struct MatrixRow<'a> {
    /// As in [`MatrixQuestion`], and the fields below.
    pub probe_id: &'a str,
    /// Seatbelt's name of what is asked.
    pub operation: &'a str,
    /// The target as declared.
    pub target: &'a str,
    /// Name of the driver that tries it.
    pub driver: &'a str,
    /// The answers, by the column's label. A column that did not ask is not among them.
    pub answers: BTreeMap<&'a str, &'a MatrixCell>,
}
