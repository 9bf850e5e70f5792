//! `merge.json`: which shares a bundle was put together from. Ours.

use serde::{Deserialize, Serialize};

use super::shard::ShardKind;
use crate::base::digest::Digest;
use crate::base::ids::{ExpectationId, ProfileId, RunId};

/// Format of the document. 1: first release.
pub const MERGE_SCHEMA: &str = "sandproof.merge.v1";
/// The most bundles that are merged.
pub const MAX_PARTS: usize = 1000;

/// `merge.json`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeDocument {
    /// The document's format: always [`MERGE_SCHEMA`].
    pub schema_version: String,
    /// Id of the merge; also the name of the bundle's folder.
    pub run_id: RunId,
    /// How rows were dealt out.
    pub kind: ShardKind,
    /// How many shares the plan is divided into.
    pub count: u32,
    /// The shares that no part has, sorted.
    pub gaps: Vec<u32>,
    /// The bundles, in the order of their folders.
    pub parts: Vec<MergePart>,
    /// Whose controls stand for a profile, in the order of the profiles.
    pub controls: Vec<ControlsTaken>,
    /// The rows that several attempts at a share did not answer alike, in order.
    pub disagreements: Vec<MergeDisagreement>,
}

/// One bundle of a merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergePart {
    /// Number of its folder, `parts/NNNN`, from 1.
    pub part: u32,
    /// Id of its run.
    pub run_id: RunId,
    /// The share that it is, from 1.
    pub index: u32,
    /// The identity that it declares.
    pub identity: Digest,
    /// SHA-256 of its `artifact_index.json`, which stands for all of it.
    pub index_sha256: Digest,
    /// How many rows of the plan it has in each lane.
    pub rows: u64,
    /// What became of its rows.
    pub standing: PartStanding,
}

/// What became of a part's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartStanding {
    /// They are the rows of this bundle.
    Taken,
    /// Another attempt at the same share is taken, and this one came to the same.
    Agrees,
    /// Another attempt at the same share is taken, and this one came to something else: such rows are undecided.
    Disagrees,
}

/// Whose controls stand for a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlsTaken {
    /// The profile.
    pub profile_id: ProfileId,
    /// The part, by number: of those with rows of the profile the first whose controls showed least.
    pub part: u32,
}

/// A row that several attempts did not answer alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeDisagreement {
    /// Its place in this bundle.
    pub seq: u64,
    /// The profile.
    pub profile_id: ProfileId,
    /// Id of the expectation.
    pub expectation_id: ExpectationId,
    /// The parts that have it, by number.
    pub parts: Vec<u32>,
}

/// The folder of a part, without `/`.
pub fn part_folder(part: u32) -> String {
    format!("parts/{part:04}")
}
