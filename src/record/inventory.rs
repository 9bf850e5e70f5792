//! What a workspace holds: `inventory --json`.

use serde::Serialize;

use crate::base::ids::WorldId;

/// Format of the document.
pub const INVENTORY_SCHEMA: &str = "hardened-runtime.other-runtime-inventory.v0.1";

/// `inventory --json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inventory {
    /// The document's format: always `hardened-runtime.other-runtime-inventory.v0.1`.
    pub schema_version: String,
    /// The world that plans are for which name none.
    pub world_id: WorldId,
    /// The program, with its version.
    pub generated_by: String,
    /// The words that files were searched for, without regard to case.
    pub keywords: Vec<String>,
    /// The parts of the workspace that the program knows, by id.
    pub in_repo: Vec<Component>,
    /// Files that have a keyword and belong to none of them.
    pub unclassified_hits: Vec<KeywordHit>,
    /// Always empty: nothing outside of the workspace is looked at.
    pub external: Vec<String>,
    /// Files that were not searched: larger than a mebibyte, or unreadable. Ours.
    pub not_searched: Vec<String>,
}

/// A part of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Category and id within it, joined by a colon: `plan:quickstart`.
    pub id: String,
    /// Paths of the component's files, relative to the root.
    pub paths: Vec<String>,
    /// What it is.
    pub category: Category,
    /// What its author says of it.
    pub description: String,
    /// What running it needs, as capabilities; empty for nothing.
    pub privileges: Vec<String>,
    /// Always `declared`: inputs say what is expected, not what is so.
    pub evidence_tier: String,
    /// Whether it reads.
    pub status: ComponentStatus,
    /// Those of its files that have a keyword.
    pub files: Vec<KeywordHit>,
}

/// What a part of a workspace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// A folder with a `plan.json`.
    Plan,
    /// A registry with its policies.
    Registry,
    /// A document that says which host facts make a world.
    World,
}

impl Category {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Registry => "registry",
            Self::World => "world",
        }
    }
}

/// Whether a part of a workspace reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentStatus {
    /// It does.
    Ok,
    /// It does not; the description says why.
    Broken,
}

/// A file with the keywords that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeywordHit {
    /// The file, relative to the root.
    pub path: String,
    /// The keywords found in the file, in the order of the search.
    pub keywords: Vec<String>,
}
