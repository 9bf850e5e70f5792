//! The rules of a profile by the names that they are about.

use std::collections::HashMap;

use crate::policy::operations::meaning;
use crate::policy::sbpl::rules::SbplRules;

/// Rules by name. A rule of a message filter decides about messages, and is not here.
#[derive(Debug)]
pub(super) struct Index {
    by_name: HashMap<&'static str, Vec<usize>>,
    /// Rules with a name whose meaning is not known, with that name's place in the rule.
    unknown_ops: Vec<(usize, usize)>,
}

impl Index {
    pub(super) fn new(rules: &SbplRules) -> Self {
        let (mut by_name, mut unknown_ops) = (HashMap::<_, Vec<usize>>::new(), Vec::new());
        for (at, rule) in rules.rules.iter().enumerate().filter(|(_, rule)| !rule.in_message_filter) {
            for (n, name) in rule.operations.iter().enumerate() {
                match meaning(name) {
                    Some(name) => {
                        let list = by_name.entry(name).or_default();
                        if list.last() != Some(&at) {
                            list.push(at);
                        }
                    }
                    None => unknown_ops.push((at, n)),
                }
            }
        }
        Self { by_name, unknown_ops }
    }

    /// The rules on this very name, in the order of the text.
    pub(super) fn on(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Rules and their names of unknown meaning, in the order of the text.
    pub(super) fn unknown_ops(&self) -> &[(usize, usize)] {
        &self.unknown_ops
    }
}
