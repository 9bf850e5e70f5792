//! What a profile is asked.

use std::collections::BTreeMap;

use super::path::DeclaredTree;

/// What is asked.
#[derive(Debug, Clone)]
pub struct SbplQuestion {
    /// The operation: one of the vocabulary, or a group that version 1 lets one write without its star.
    pub operation: String,
    /// What it is attempted on: a path, a name, an address, a class, or how a process is related to the caller.
    pub target: String,
    /// Which filter the target is, where the usual one is not meant; see [`usual_filter`](super::usual_filter).
    pub filter: Option<String>,
    /// The system call, where the usual one of the operation is not meant.
    pub syscall: Option<String>,
    /// The second path of a link, a clone or a rename.
    pub to: Option<String>,
    /// Further facts about the target, by the name of the filter that asks for them; and about the process: `extension`
    /// and `entitlement` (those that it holds, by commas, or `none`), `home` (its user's home folder).
    pub facts: BTreeMap<String, String>,
    /// What is declared to stand in the file system.
    pub tree: DeclaredTree,
}

impl SbplQuestion {
    /// A question with nothing but an operation and a target.
    pub fn new(operation: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            target: target.into(),
            filter: None,
            syscall: None,
            to: None,
            facts: BTreeMap::new(),
            tree: DeclaredTree::default(),
        }
    }
}
