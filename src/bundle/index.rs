//! What the index says; shared by writer, reader and repair.

use crate::base::bundle_path::{BundlePath, BundlePathError};
use crate::base::printable::is_hidden;
use crate::record::layout::{self, ARTIFACTS, ExpectedWhen, index_order};

/// How much of a file is looked at for its `schema_version`, in bytes.
pub const SCHEMA_HEAD_BYTES: usize = 64 * 1024;

/// What decides which files a bundle must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpectedArtifacts {
    /// Baseline lane on (never in a dry run).
    pub baseline: bool,
    /// Scenario lane on (never in a dry run).
    pub scenario: bool,
    /// Oracle lane on (never in a dry run).
    pub oracle: bool,
    /// The plan names a preflight policy, and the run is not dry.
    pub preflight: bool,
    /// The worker was started by a manager, and the run is not dry.
    pub channel_witness: bool,
    /// The run was declared.
    pub identity: bool,
}

impl ExpectedArtifacts {
    /// The files that a bundle must have beside its index, in index order.
    pub fn paths(self) -> Vec<BundlePath> {
        let must =
            ARTIFACTS.iter().filter(|artifact| artifact.name != layout::ARTIFACT_INDEX && self.has(artifact.when));
        let mut paths: Vec<BundlePath> = must.map(|artifact| path_of(artifact.name)).collect();
        paths.sort_by(|a, b| index_order(a.as_str()).cmp(&index_order(b.as_str())));
        paths
    }

    fn has(self, when: ExpectedWhen) -> bool {
        match when {
            // What is written is of the newest format.
            ExpectedWhen::Always | ExpectedWhen::Formatted => true,
            ExpectedWhen::Baseline => self.baseline,
            ExpectedWhen::Scenario => self.scenario,
            ExpectedWhen::Probes => self.scenario || self.baseline,
            ExpectedWhen::Oracle => self.oracle,
            ExpectedWhen::Preflight => self.preflight,
            ExpectedWhen::Managed => self.channel_witness,
            ExpectedWhen::Declared => self.identity,
            ExpectedWhen::Optional => false,
        }
    }
}

/// A name of `record::layout` as a path.
pub fn path_of(name: &'static str) -> BundlePath {
    BundlePath::new(name).expect("the layout's names are valid bundle paths")
}

/// Why an indexed path is not one of this bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexedPathError {
    /// It does not start with the bundle's own folder.
    #[error("it does not start with the bundle's own folder `{bundle_root}/`")]
    Elsewhere {
        /// The `bundle_root` of the index.
        bundle_root: String,
    },
    /// What follows is not a path inside a bundle.
    #[error(transparent)]
    Invalid(#[from] BundlePathError),
}

/// The path inside the bundle of an indexed path: exactly the prefix is taken off, and the rest must stay inside.
pub fn strip(bundle_root: &str, indexed: &str) -> Result<BundlePath, IndexedPathError> {
    let rest = indexed.strip_prefix(bundle_root).and_then(|rest| rest.strip_prefix('/'));
    let rest = rest.ok_or_else(|| IndexedPathError::Elsewhere { bundle_root: clip(bundle_root) })?;
    Ok(BundlePath::new(rest)?)
}

/// Untrusted text, shortened for a message, with what is not shown ([`is_hidden`]) escaped.
pub(super) fn clip(text: &str) -> String {
    clip_to(text, 200)
}

/// The same, to a length of one's own.
pub(super) fn clip_to(text: &str, most_chars: usize) -> String {
    let mut out = String::with_capacity(text.len().min(4 * most_chars));
    for c in text.chars().take(most_chars) {
        if is_hidden(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Adds to `head`, the beginning of a file, what of the `bytes` that follow still belongs to it.
pub fn take_head(head: &mut Vec<u8>, bytes: &[u8]) {
    let room = SCHEMA_HEAD_BYTES - head.len();
    head.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// The `schema_version` of a file, from its name and its first [`SCHEMA_HEAD_BYTES`] bytes.
pub fn schema_version_of(path: &BundlePath, head: &[u8]) -> Option<String> {
    let head = &head[..head.len().min(SCHEMA_HEAD_BYTES)];
    let document = if path.as_str().ends_with(".json") {
        head
    } else if path.as_str().ends_with(".jsonl") {
        head.split(|byte| *byte == b'\n').next().unwrap_or_default()
    } else {
        return None;
    };
    top_level_string(document, "schema_version")
}

/// Finds a string member of the outermost object in a document that may be cut off.
fn top_level_string(document: &[u8], key: &str) -> Option<String> {
    let mut at = 0;
    let mut depth = 0_usize;
    // The last string of the outermost object that stood where a key stands.
    let mut last_key: Option<String> = None;
    let mut value_next = false;
    while at < document.len() {
        match document[at] {
            b'{' | b'[' => {
                if depth == 0 && document[at] == b'[' {
                    return None;
                }
                depth += 1;
                value_next = false;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 1 => value_next = true,
            b',' if depth == 1 => {
                last_key = None;
                value_next = false;
            }
            b'"' => {
                let end = string_end(document, at)?;
                if depth == 1 {
                    let text: String = serde_json::from_slice(&document[at..end]).ok()?;
                    if !value_next {
                        last_key = Some(text);
                    } else if last_key.as_deref() == Some(key) {
                        return Some(text);
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place after the closing quote of the string that starts at `at`.
fn string_end(document: &[u8], at: usize) -> Option<usize> {
    let mut escaped = false;
    for (offset, byte) in document[at + 1..].iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + offset + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sniff(name: &str, text: &str) -> Option<String> {
        schema_version_of(&BundlePath::new(name).unwrap(), text.as_bytes())
    }

    #[test]
    fn schema_versions_are_those_of_the_top_level() {
        assert_eq!(sniff("a.json", r#"{"schema_version": "x.v1", "b": 1}"#).as_deref(), Some("x.v1"));
        assert_eq!(
            sniff("a.json", r#"{"b": {"schema_version": "no"}, "schema_version":"yes""#).as_deref(),
            Some("yes")
        );
        assert_eq!(sniff("a.json", r#"{"b": {"schema_version": "no"}}"#), None);
        assert_eq!(sniff("a.json", r#"[{"schema_version": "no"}]"#), None);
        assert_eq!(sniff("a.json", r#"{"k": "schema_version", "schema_version": 3, "z": "q"}"#), None);
        assert_eq!(sniff("a.json", r#"{"k\"{": "}", "schema_version": "y"}"#).as_deref(), Some("y"));
        assert_eq!(
            sniff("a.jsonl", "{\"schema_version\": \"row\"}\n{\"schema_version\": \"b\"}\n").as_deref(),
            Some("row")
        );
        assert_eq!(sniff("a.jsonl", "\n{\"schema_version\": \"b\"}\n"), None);
        assert_eq!(sniff("a.md", r#"{"schema_version": "x.v1"}"#), None);
        assert_eq!(sniff("a.json", r#"{"schema_version": "cut"#), None);
    }

    #[test]
    fn foreign_text_is_shortened_and_what_is_not_shown_is_escaped() {
        assert_eq!(clip_to("a\u{202e}b\nc \u{e9}", 200), "a\\u{202e}b\\nc \u{e9}");
        assert_eq!(clip_to("abc", 2), "ab");
    }

    #[test]
    fn only_the_exact_prefix_is_stripped() {
        assert_eq!(strip("out/r", "out/r/a.json").unwrap().as_str(), "a.json");
        for bad in ["out/r", "out/rx/a", "out/r2/a", "a.json", "/out/r/a", "out/r//a", "out/r/../x", "out/r/", ""] {
            assert!(strip("out/r", bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn what_a_bundle_must_have_follows_from_its_lanes() {
        let none = ExpectedArtifacts::default().paths();
        assert_eq!(none.len(), 10);
        assert_eq!(none[0].as_str(), layout::RUN_STATUS);
        let lanes = ExpectedArtifacts { baseline: true, scenario: true, oracle: true, ..ExpectedArtifacts::default() };
        assert_eq!(lanes.paths().len(), 21);
        let all = ExpectedArtifacts { preflight: true, channel_witness: true, identity: true, ..lanes }.paths();
        assert_eq!(all.len(), 24);
        assert_eq!(all[14].as_str(), layout::ORACLE_RESULTS);
    }
}
