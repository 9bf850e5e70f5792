//! `run_identity.json`: everything that a run declared before its first process started, in four parts; and the same form
//! for what others declare. The digest over the parts is the identity.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::absence::Absence;
use super::open_word::Completeness;
use crate::base::digest::Digest;
use crate::base::json;

/// Format of a run's declaration. 1: first release.
pub const RUN_IDENTITY_SCHEMA: &str = "sandproof.run_identity.v1";
/// First format of the declaration of another system, in which what has no value is `absent`, whether there is none or nobody knows.
pub const SYSTEM_DECLARATION_SCHEMA: &str = "sandproof.system_declaration.v1";
/// Second format of the declaration of another system. 2: more items, types, `none` and `unknown`, immaterial items.
pub const SYSTEM_DECLARATION_SCHEMA_V2: &str = "sandproof.system_declaration.v2";
/// The member of the policy part that lists what a declaration of the second format says is immaterial.
pub const IMMATERIAL_MEMBER: &str = "immaterial";
/// The formats of declarations of other systems.
pub const SYSTEM_DECLARATION_SCHEMAS: [&str; 2] = [SYSTEM_DECLARATION_SCHEMA, SYSTEM_DECLARATION_SCHEMA_V2];
/// The `kind` of a run's declaration.
pub const RUN_KIND: &str = "run";

/// A part of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclarationPart {
    /// What runs: program, plan, registries, policies, fixtures.
    Artifact,
    /// What it runs on.
    Runtime,
    /// How it is run and judged.
    Policy,
    /// The state that it starts from.
    History,
}

impl DeclarationPart {
    /// The four, in their order.
    pub const ALL: [Self; 4] = [Self::Artifact, Self::Runtime, Self::Policy, Self::History];

    /// The part's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Artifact => "artifact",
            Self::Runtime => "runtime",
            Self::Policy => "policy",
            Self::History => "history",
        }
    }
}

/// A sealed declaration: of a run (`kind` is `run`), or of another system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// The format of the four parts: [`RUN_IDENTITY_SCHEMA`] for a run.
    pub schema_version: String,
    /// What is declared.
    pub kind: String,
    /// What runs: documents, policies and programs, by digest.
    pub artifact: Map<String, Value>,
    /// What it runs on.
    pub runtime: Map<String, Value>,
    /// How it is run and judged.
    pub policy: Map<String, Value>,
    /// The state that it starts from.
    pub history: Map<String, Value>,
    /// SHA-256 of each part's canonical form.
    pub digests: PartDigests,
    /// SHA-256 of the canonical form of `{"digests": …, "kind": …, "schema_version": …}`.
    pub identity: Digest,
    /// Whether anything in it is unknown: what its own parts give, for whoever only looks. Absent of runs, and in the first format
    /// of other systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<Completeness>,
}

impl Declaration {
    /// The elements of one part, by name.
    pub fn part(&self, part: DeclarationPart) -> &Map<String, Value> {
        match part {
            DeclarationPart::Artifact => &self.artifact,
            DeclarationPart::Runtime => &self.runtime,
            DeclarationPart::Policy => &self.policy,
            DeclarationPart::History => &self.history,
        }
    }
}

/// The digest of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartDigests {
    /// SHA-256 of the part `artifact` in canonical form.
    pub artifact: Digest,
    /// SHA-256 of the part `runtime` in canonical form.
    pub runtime: Digest,
    /// SHA-256 of the part `policy` in canonical form.
    pub policy: Digest,
    /// SHA-256 of the part `history` in canonical form.
    pub history: Digest,
}

impl PartDigests {
    /// The digest of a part.
    pub fn of(&self, part: DeclarationPart) -> Digest {
        match part {
            DeclarationPart::Artifact => self.artifact,
            DeclarationPart::Runtime => self.runtime,
            DeclarationPart::Policy => self.policy,
            DeclarationPart::History => self.history,
        }
    }
}

/// An element of a declaration that is never left out: where it has no value, it says why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Stated<T> {
    /// It is not there: `{"absent": CODE}`.
    Absent(AbsenceReason),
    /// It is this.
    Is(T),
}

/// Why an element has no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsenceReason {
    /// The reason: the code of an [`Absence`]; in declarations of the first format words. Never empty.
    pub absent: String,
    /// What more is to be said of it: a commit, an error. Absent where there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl<T> Stated<T> {
    /// The element is not there, for this reason.
    pub fn absent(reason: Absence) -> Self {
        Self::Absent(AbsenceReason { absent: reason.code().to_owned(), detail: None })
    }

    /// The same, with what more is to be said.
    pub fn absent_with(reason: Absence, detail: impl Into<String>) -> Self {
        Self::Absent(AbsenceReason { absent: reason.code().to_owned(), detail: Some(detail.into()) })
    }

    /// The value, or the reason why there is none.
    pub fn or_absent(value: Option<T>, reason: Absence) -> Self {
        value.map_or_else(|| Self::absent(reason), Self::Is)
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent(_) => None,
        }
    }
}

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Read as a value first, so that the message is that of the element's own shape.
        let value = Value::deserialize(deserializer)?;
        if value.get("absent").is_some() {
            let absent: AbsenceReason = json::from_value(value).map_err(serde::de::Error::custom)?;
            if absent.absent.trim().is_empty() {
                return Err(serde::de::Error::custom("an element is absent without a reason"));
            }
            return Ok(Self::Absent(absent));
        }
        json::from_value(value).map(Self::Is).map_err(serde::de::Error::custom)
    }
}
