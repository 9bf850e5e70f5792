//! A line of a file of questions about a policy, each with what it expects.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::base::json;
use crate::record::why::WhyExpected;

/// One question.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskLine {
    /// The operation's name, or
    #[serde(default)]
    pub operation: Option<String>,
    /// the driver that stands for one.
    #[serde(default)]
    pub driver: Option<String>,
    /// What it would be attempted on.
    pub target: String,
    /// The answer that is expected.
    #[serde(default, alias = "expect")]
    pub expected: Option<WhyExpected>,
    /// Which filter the target is.
    #[serde(default)]
    pub filter: Option<String>,
    /// The system call.
    #[serde(default)]
    pub syscall: Option<String>,
    /// The second path of a link, a clone or a rename.
    #[serde(default)]
    pub to: Option<String>,
    /// Symbolic links that are there.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// What else is assumed, by the filter that asks for it; may be empty.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
    /// The text of a policy, where the command line names none.
    #[serde(default)]
    pub profile: Option<String>,
    /// The profile's parameters, by name; may be empty.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// What the answer is called.
    #[serde(default)]
    pub id: Option<String>,
    // Words for whoever reads the file.
    #[serde(default, rename = "why", alias = "note", alias = "source")]
    _why: Option<serde_json::Value>,
    #[serde(default, rename = "kind")]
    _kind: Option<serde_json::Value>,
    #[serde(default, rename = "grade")]
    _grade: Option<serde_json::Value>,
}

impl AskLine {
    /// Reads a strict JSON object: no key twice, none that is not known.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let value = json::parse(line).map_err(|error| format!("not acceptable JSON: {error}"))?;
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_strict_object() {
        let line = br#"{"operation":"signal","target":"self","expect":"deny","note":"x"}"#;
        assert_eq!(AskLine::read(line).unwrap().expected, Some(WhyExpected::Deny));
        for line in [
            "",
            "[]",
            "{}",
            r#"{"target":1}"#,
            r#"{"target":"a","targets":"b"}"#,
            r#"{"target":"a","target":"b"}"#,
            r#"{"target":"a","expected":"maybe"}"#,
            r#"{"target":"a"} {}"#,
        ] {
            assert!(AskLine::read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
