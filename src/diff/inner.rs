//! Where two files or two folders differ within: which file, which member of a JSON file, which element of a list, which lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::base::digest::Digest;
use crate::base::folder::DigestedEntry;
use crate::base::json;
use crate::base::printable::excerpt;
use crate::identity::differences;
use crate::record::run_diff::{ChangedLine, InnerDifference, InnerDifferences, LineSide, ShownValue};
use crate::record::sealed_folders::spelled;

/// How many places a report lists of one file or folder. All are counted.
const MAX_LISTED: usize = 200;
/// Longest value that a report repeats, in bytes of its JSON text.
const MAX_SHOWN_BYTES: usize = 1024;
/// Largest file of which it is said in what it differs, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Largest text whose lines are looked at, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Most lines that are shown of one text.
const MOST_LINES: usize = 20;
/// How much of a line is shown, in characters.
const LINE_CHARS: usize = 160;

/// The rows of a folder, by path.
pub(super) type FolderRows = BTreeMap<Vec<u8>, DigestedEntry>;

/// Gives the bytes with a digest, where they are at hand.
pub(super) type ContentByDigest<'c> = dyn Fn(&Digest) -> Option<Vec<u8>> + 'c;

/// Where two files differ of which these are the bytes: members if both are JSON, else lines if both are text; nothing if neither.
pub(super) fn of_files(a: &[u8], b: &[u8]) -> InnerDifferences {
    let mut found = InnerDifferences::default();
    match members(a, b) {
        Some(members) => members.into_iter().for_each(|one| put(&mut found, one)),
        None => {
            let lines = changed_lines(a, b);
            if !lines.is_empty() {
                put(&mut found, InnerDifference { lines, ..nothing() });
            }
        }
    }
    found
}

/// Where two folders differ. `content` gives the bytes of a file by digest, of the first side and of the second, where they are at hand.
pub(super) fn of_folders(a: &FolderRows, b: &FolderRows, content: [&ContentByDigest<'_>; 2]) -> InnerDifferences {
    let mut found = InnerDifferences::default();
    for path in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
        let (of_a, of_b) = (a.get(path), b.get(path));
        if of_a == of_b {
            continue;
        }
        let file = Some(spelled(path));
        let [shown_a, shown_b] = [of_a, of_b].map(|entry| entry.map(|entry| ShownValue::Value(shown_entry(entry))));
        let whole = InnerDifference { file: file.clone(), a: shown_a, b: shown_b, ..nothing() };
        let bytes = match (of_a, of_b) {
            (Some(DigestedEntry::File { digest: a, .. }), Some(DigestedEntry::File { digest: b, .. })) if a != b => {
                content[0](a).zip(content[1](b))
            }
            _ => None,
        };
        let Some((bytes_a, bytes_b)) = bytes else {
            put(&mut found, whole);
            continue;
        };
        match members(&bytes_a, &bytes_b) {
            Some(members) => {
                members.into_iter().for_each(|one| put(&mut found, InnerDifference { file: file.clone(), ..one }));
            }
            None => put(&mut found, InnerDifference { lines: changed_lines(&bytes_a, &bytes_b), ..whole }),
        }
    }
    found
}

/// The members in which two JSON files differ. `None`: one is none, or they differ in spelling alone.
fn members(a: &[u8], b: &[u8]) -> Option<Vec<InnerDifference>> {
    let [a, b] = [json::parse(a).ok()?, json::parse(b).ok()?];
    let has_members = |value: &Value| value.is_object() || value.is_array();
    if !has_members(&a) || !has_members(&b) {
        return None;
    }
    let found: Vec<InnerDifference> = differences("", &a, &b)
        .into_iter()
        .map(|one| InnerDifference {
            pointer: Some(one.pointer),
            b_pointer: one.found_at,
            a: one.declared.map(shown),
            b: one.found.map(shown),
            ..nothing()
        })
        .collect();
    (!found.is_empty()).then_some(found)
}

/// The first lines in which two texts differ; none if they are no texts, or long ones.
fn changed_lines(a: &[u8], b: &[u8]) -> Vec<ChangedLine> {
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_TEXT_BYTES)?;
        Some(text.lines().map(Value::from).collect::<Value>())
    };
    let Some((a, b)) = text(a).zip(text(b)) else { return Vec::new() };
    let sides = differences("", &a, &b).into_iter();
    let sides = sides.flat_map(|one| [(LineSide::A, one.declared), (LineSide::B, one.found)]);
    let lines = sides.filter_map(|(side, value)| match value {
        Some(Value::String(line)) => Some(ChangedLine { side, text: excerpt(&line, LINE_CHARS) }),
        _ => None,
    });
    lines.take(MOST_LINES).collect()
}

fn put(found: &mut InnerDifferences, one: InnerDifference) {
    if found.within.len() < MAX_LISTED {
        found.within.push(one);
    } else {
        found.within_unlisted += 1;
    }
}

fn nothing() -> InnerDifference {
    InnerDifference { file: None, pointer: None, b_pointer: None, a: None, b: None, lines: Vec::new() }
}

fn shown(value: Value) -> ShownValue {
    let text = value.to_string();
    if text.len() <= MAX_SHOWN_BYTES {
        ShownValue::Value(value)
    } else {
        ShownValue::Digest(Digest::of(text.as_bytes()))
    }
}

fn shown_entry(entry: &DigestedEntry) -> Value {
    match entry {
        DigestedEntry::Folder => json!("folder"),
        DigestedEntry::File { executable: false, digest, .. } => json!(format!("sha256:{digest}")),
        DigestedEntry::File { executable: true, digest, .. } => {
            json!({"digest": format!("sha256:{digest}"), "executable": true})
        }
        DigestedEntry::Link { text } => json!({"link": spelled(text)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(found: &InnerDifferences) -> Vec<(Option<&str>, Option<&str>)> {
        found.within.iter().map(|one| (one.file.as_deref(), one.pointer.as_deref())).collect()
    }

    #[test]
    fn json_differs_in_members_and_text_in_lines() {
        let found = of_files(br#"{"t": 0.5, "notes": ["a", "b"]}"#, br#"{"t": 0.7, "notes": ["c", "a", "b"]}"#);
        assert_eq!(places(&found), [(None, Some("/notes/0")), (None, Some("/t"))]);
        assert_eq!(found.within[1].a, Some(ShownValue::Value(json!(0.5))));
        assert_eq!((&found.within[0].a, &found.within[0].b), (&None, &Some(ShownValue::Value(json!("c")))));
        let lines = of_files(b"one\ntwo\n", b"one\nzwei\n");
        assert_eq!((places(&lines), lines.within[0].lines.len()), (vec![(None, None)], 2));
        assert!(of_files(b"\xff\x00", b"\xff\x01").within.is_empty());
    }

    #[test]
    fn a_folder_differs_in_files_and_their_members() {
        let file = |bytes: &[u8]| DigestedEntry::File { executable: false, size: 1, digest: Digest::of(bytes) };
        let [one, two] = [&b"{\"k\": [1, 2]}"[..], &b"{\"k\": [1, 3]}"[..]];
        let folder = |app: &[u8], more: Option<&str>| {
            let mut rows = FolderRows::from([(b"app.json".to_vec(), file(app)), (b"big".to_vec(), file(b"big"))]);
            rows.extend(more.map(|name| (name.as_bytes().to_vec(), DigestedEntry::Folder)));
            rows
        };
        let content =
            |digest: &Digest| [one, two].into_iter().find(|one| Digest::of(one) == *digest).map(<[u8]>::to_vec);
        let found = of_folders(&folder(one, None), &folder(two, Some("new")), [&content, &content]);
        assert_eq!(places(&found), [(Some("app.json"), Some("/k/1")), (Some("new"), None)]);
        assert_eq!(found.within[1].b, Some(ShownValue::Value(json!("folder"))));
        let without = of_folders(&folder(one, None), &folder(two, None), [&content, &|_| None]);
        assert_eq!(places(&without), [(Some("app.json"), None)]);
    }

    #[test]
    fn very_many_places_are_counted() {
        let list = |n: usize| serde_json::to_vec(&(0..500).map(|m| m + n * 1000).collect::<Vec<_>>()).unwrap();
        let found = of_files(&list(0), &list(1));
        assert_eq!((found.within.len(), found.within_unlisted), (200, 300));
    }
}
