//! The document `sandproof.launcher.v1`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LAUNCHER_SCHEMA;
use crate::record::outcome::Decision;
use crate::record::platform::Platform;

/// How long a launcher may take until its program says that it lives, in milliseconds, unless its document says otherwise.
pub const DEFAULT_START_TIMEOUT_MS: u64 = 10_000;

/// A launcher: the command that sandboxes, and what has to be known to ask it (`sandproof.launcher.v1`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LauncherDocument {
    /// The document's format: always [`LAUNCHER_SCHEMA`].
    pub schema_version: String,
    /// What it is called.
    pub launcher_id: String,
    /// The system that it is made for.
    #[serde(default = "Platform::linux")]
    pub os: Platform,
    /// The command. Placeholders: see [`super::PLACEHOLDERS`]. `${probe}` is appended where no word has it.
    pub argv: Vec<String>,
    /// How to ask which version it is. Absent: it is not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionQuestion>,
    /// The programs whose files are its identity, by name or absolute path. Empty: the command's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identity: Vec<String>,
    /// What host and user must have: `ordinary_user`, `user_namespaces`, `program:NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Files that it reads, made before its start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<WantedFile>,
    /// Variables that are set, or replaced, in its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Whether one start serves many questions.
    #[serde(default)]
    pub start: LauncherStartKind,
    /// How long it may take until its program says that it lives, in milliseconds.
    #[serde(default = "default_start_timeout_ms")]
    pub start_timeout_ms: u64,
    /// What it renames: a path outside, with placeholders, to the same inside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, String>,
    /// What its own documentation says that it denies or allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
}

fn default_start_timeout_ms() -> u64 {
    DEFAULT_START_TIMEOUT_MS
}

/// Whether one start serves many questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LauncherStartKind {
    /// One start for as many questions as it answers.
    #[default]
    Resident,
    /// A start for each question.
    Fresh,
}

/// How to ask a launcher which version it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionQuestion {
    /// The command. The first line that it prints is the answer.
    pub argv: Vec<String>,
}

/// A file that a launcher reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedFile {
    /// Where, below `${state}`, `${home}` or `${workspace}`.
    pub path: String,
    /// Its text, with placeholders. Exactly one of this and `json` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The same as a JSON value, whose texts may have placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
}

/// What a launcher's documentation says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The operation, under Seatbelt's name.
    pub operation: String,
    /// What it says happens.
    pub is: Decision,
    /// Paths that it is not said of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Where it says so: a URL, or the name of a manual page.
    pub source: String,
}

impl Claim {
    /// Whether it speaks of an operation: by its name, or by the start of one that ends in `*`.
    fn covers(&self, operation: &str, target: &str) -> bool {
        let named = match self.operation.strip_suffix('*') {
            Some(start) => operation.starts_with(start),
            None => self.operation == operation,
        };
        let below = |folder: &String| {
            let folder = ["workspace", "outside", "home"].iter().fold(folder.clone(), |folder, part| {
                folder.replace(&format!("${{{part}}}"), &format!("${{root}}/{part}"))
            });
            target
                .strip_prefix(folder.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        named && !self.except.iter().any(below)
    }
}

impl LauncherDocument {
    /// The place of the first claim that speaks of an operation, and the claim.
    pub fn claim(&self, operation: &str, target: &str) -> Option<(usize, &Claim)> {
        self.claims.iter().enumerate().find(|(_, claim)| claim.covers(operation, target))
    }

    /// The system that a document names, whatever else is wrong with it.
    pub fn system_of(bytes: &[u8]) -> Platform {
        #[derive(Deserialize)]
        struct NamedSystem {
            #[serde(default = "Platform::linux")]
            os: Platform,
        }
        serde_json::from_slice(bytes).map_or(Platform::Linux, |NamedSystem { os }| os)
    }

    /// A launcher that is a command line and nothing else.
    pub fn of_command(launcher_id: impl Into<String>, argv: Vec<String>) -> Self {
        Self {
            schema_version: LAUNCHER_SCHEMA.to_owned(),
            launcher_id: launcher_id.into(),
            os: Platform::here().unwrap_or(Platform::Linux),
            argv,
            version: None,
            identity: Vec::new(),
            needs: Vec::new(),
            files: Vec::new(),
            env: BTreeMap::new(),
            start: LauncherStartKind::Resident,
            start_timeout_ms: DEFAULT_START_TIMEOUT_MS,
            paths: BTreeMap::new(),
            claims: Vec::new(),
        }
    }
}
