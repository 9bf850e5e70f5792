//! What the index says, and in which order; shared by writer, reader and repair.

use crate::base::bundle_path::{BundlePath, BundlePathError};
use crate::base::printable::is_hidden;
use crate::record::layout;
use crate::record::outcome::Lane;

/// How much of a file is looked at for its `schema_version`, in bytes.
pub const SCHEMA_HEAD_BYTES: usize = 64 * 1024;

/// The core artifacts in the order in which the index lists them. Everything else follows, sorted by path.
pub const CORE_ORDER: [&str; 14] = [
    layout::RUN_STATUS,
    layout::RUN_MANIFEST,
    layout::MISMATCH_SUMMARY,
    layout::MISMATCH_PACKETS,
    layout::SUMMARY,
    layout::SUMMARY_TEXT,
    layout::EXPECTED_MATRIX_GENERATED,
    layout::EXPECTED_MATRIX,
    layout::RUNTIME_RESULTS,
    layout::RUNTIME_EVENTS,
    layout::APPLY_PREFLIGHT,
    layout::BASELINE_RESULTS,
    layout::PATH_WITNESSES,
    layout::FIXTURES,
];

/// What decides which files a bundle must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
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

impl Expected {
    /// The files that a bundle must have beside its index, in index order.
    pub fn paths(self) -> Vec<BundlePath> {
        let core = CORE_ORDER.into_iter().filter(|name| match *name {
            layout::RUNTIME_RESULTS | layout::RUNTIME_EVENTS => self.scenario,
            layout::APPLY_PREFLIGHT => self.preflight,
            layout::BASELINE_RESULTS => self.baseline,
            layout::PATH_WITNESSES | layout::FIXTURES => self.scenario || self.baseline,
            _ => true,
        });
        let ours = [
            (layout::ORACLE_RESULTS, self.oracle),
            (layout::CHANNEL_WITNESS, self.channel_witness),
            (layout::CONTROLS, self.scenario),
            (layout::RUN_IDENTITY, self.identity),
            (layout::INPUT_SOURCES, true),
            (layout::rows_of(Lane::Baseline), self.baseline),
            (layout::rows_of(Lane::Control), self.scenario),
            (layout::rows_of(Lane::Oracle), self.oracle),
            (layout::rows_of(Lane::Scenario), self.scenario),
        ];
        core.chain(ours.into_iter().filter(|(_, on)| *on).map(|(name, _)| name)).map(path_of).collect()
    }
}

/// A name of `record::layout` as a path.
pub fn path_of(name: &'static str) -> BundlePath {
    BundlePath::new(name).expect("the layout's names are valid bundle paths")
}

/// Where a path stands in the index: core artifacts by their place, then the rest by name.
pub fn order_key(path: &BundlePath) -> (usize, &BundlePath) {
    let core = CORE_ORDER.iter().chain([&layout::ORACLE_RESULTS]);
    let place = core.into_iter().position(|name| *name == path.as_str());
    (place.unwrap_or(usize::MAX), path)
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

/// A foreign text shortened for a message, with what is not shown ([`is_hidden`]) escaped.
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
    fn only_the_exact_prefix_is_stripped() {
        assert_eq!(strip("out/r", "out/r/a.json").unwrap().as_str(), "a.json");
        for bad in ["out/r", "out/rx/a", "out/r2/a", "a.json", "/out/r/a", "out/r//a", "out/r/../x", "out/r/", ""] {
            assert!(strip("out/r", bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn the_contract_orders_the_core_first() {
        let all = Expected {
            baseline: true,
            scenario: true,
            oracle: true,
            preflight: true,
            channel_witness: false,
            identity: false,
        }
        .paths();
        let mut sorted = all.clone();
        sorted.sort_by(|a, b| order_key(a).cmp(&order_key(b)));
        assert_eq!(all, sorted);
        assert_eq!(all[0].as_str(), layout::RUN_STATUS);
        assert_eq!(all[14].as_str(), layout::ORACLE_RESULTS);
        let none = Expected {
            baseline: false,
            scenario: false,
            oracle: false,
            preflight: false,
            channel_witness: false,
            identity: false,
        }
        .paths();
        assert_eq!(none.len(), 9);
    }
}
