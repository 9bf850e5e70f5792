//! Where a rule of a policy stands in its document.

use std::collections::HashMap;

use crate::base::json_span;

/// Finds rules, and keeps what it found: rows of a profile stand together, and many are decided by one rule.
#[derive(Debug, Default)]
pub struct RuleLines {
    /// The policy that was looked at last.
    policy: Option<PolicyText>,
}

#[derive(Debug)]
struct PolicyText {
    path: String,
    /// Nothing for a document that is no text.
    text: Option<String>,
    found: HashMap<String, Option<(u32, u32)>>,
}

impl RuleLines {
    /// Line and column of a rule in the policy document at `path`, both from 1. `text` gives the document. The rule is a JSON
    /// pointer or `LINE:COLUMN`; one of an imported file is nowhere in the document.
    pub fn find(&mut self, path: &str, rule: &str, text: impl FnOnce() -> Option<String>) -> Option<(u32, u32)> {
        if self.policy.as_ref().is_none_or(|policy| policy.path != path) {
            self.policy = Some(PolicyText { path: path.to_owned(), text: text(), found: HashMap::new() });
        }
        let policy = self.policy.as_mut()?;
        let text = policy.text.as_deref()?;
        *policy.found.entry(rule.to_owned()).or_insert_with(|| place_of_rule(text, rule))
    }
}

fn place_of_rule(text: &str, rule: &str) -> Option<(u32, u32)> {
    if rule.starts_with('/') {
        return json_span::find(text, rule).map(|place| (place.line, place.column));
    }
    let (line, column) = rule.split_once(':')?;
    let (line, column) = (line.parse().ok()?, column.parse().ok()?);
    (line >= 1 && column >= 1).then_some((line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_their_lines() {
        let policy = "{\n  \"handled\": {\"fs\": [\"read_file\"]},\n  \"path_beneath\": [\n    {\"path\": \"/a\"},\n    {\"path\": \"/b\"}\n  ]\n}\n";
        assert_eq!(place_of_rule(policy, "/path_beneath/1"), Some((5, 5)));
        assert_eq!(place_of_rule(policy, "/handled/fs"), Some((2, 21)));
        assert_eq!(place_of_rule(policy, "/path_beneath/2"), None);
        assert_eq!(place_of_rule("(version 1)", "3:2"), Some((3, 2)));
        // What an imported file holds is no line of this one.
        for elsewhere in ["system.sb:3:2", "3", "0:1", "x:y", ""] {
            assert_eq!(place_of_rule("(version 1)", elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn each_policy_is_read_once_while_its_rows_last() {
        let mut places = RuleLines::default();
        assert_eq!(places.find("a", "/x", || Some("{\"x\": 1}".into())), Some((1, 7)));
        assert_eq!(places.find("a", "/x", || panic!("it is known")), Some((1, 7)));
        assert_eq!(places.find("b", "/x", || None), None);
        assert_eq!(places.find("b", "/x", || panic!("it is known to be no text")), None);
    }
}
