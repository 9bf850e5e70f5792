//! In what two files or folders differ of which both sides hold the bytes, where a declaration gives their digests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::inner::{self, FolderRows, MAX_FILE_BYTES};
use crate::base::digest::Digest;
use crate::base::folder::digest_of_rows;
use crate::bundle::sealed_folder::SealedFolder;
use crate::bundle::sealed_run;
use crate::plan::subject::ResolvedSubject;
use crate::record::run_diff::{InnerDifference, PartDiff, ShownValue};

/// Where the bytes are to be had whose digests a declaration gives.
#[derive(Debug, Default)]
pub(super) enum TextSource {
    /// Nowhere.
    #[default]
    Nowhere,
    /// In the folder of a sealed declaration, with what is in folders by the pointer of their digests.
    Folder(PathBuf, BTreeMap<String, FolderRows>),
    /// They were read with the document.
    Read(BTreeMap<Digest, Vec<u8>>),
}

impl TextSource {
    /// What the folder of a sealed declaration keeps.
    pub(super) fn folder(folder: &Path) -> Self {
        Self::Folder(folder.to_owned(), sealed_run::listed_folders(folder))
    }

    /// What was read with a document, as far as it is small.
    pub(super) fn of(subject: &ResolvedSubject) -> Self {
        let small = subject.documents.iter().filter(|document| document.bytes.length() <= MAX_FILE_BYTES as u64);
        let files = small.filter_map(|document| Some((document.bytes.digest(), document.bytes.held()?.to_vec())));
        let texts = subject.texts.iter().map(|(digest, text)| (*digest, text.clone().into_bytes()));
        Self::Read(files.chain(texts).collect())
    }

    fn bytes(&self, digest: &Digest) -> Option<Vec<u8>> {
        match self {
            Self::Nowhere => None,
            Self::Folder(folder, _) => SealedFolder::content(folder, digest, MAX_FILE_BYTES as u64),
            Self::Read(texts) => texts.get(digest).cloned(),
        }
    }

    fn rows(&self, pointer: &str) -> Option<&FolderRows> {
        match self {
            Self::Folder(_, listed) => listed.get(pointer),
            Self::Nowhere | Self::Read(_) => None,
        }
    }
}

/// Adds to items that are digests of texts the lines in which those differ, to those of JSON files the members, and to those of
/// folders the files.
pub(super) fn add(parts: &mut [PartDiff], a: &TextSource, b: &TextSource) {
    for item in parts.iter_mut().flat_map(|part| &mut part.items) {
        let Some((digest_a, digest_b)) = digest(&item.a).zip(digest(&item.b)) else { continue };
        let at_b = item.b_pointer.as_ref().unwrap_or(&item.pointer);
        if let Some((rows_a, rows_b)) = a.rows(&item.pointer).zip(b.rows(at_b)) {
            // A list counts as far as it is one of the very folder that is declared.
            if digest_of_rows(rows_a) == digest_a && digest_of_rows(rows_b) == digest_b {
                item.within = inner::of_folders(rows_a, rows_b, [&|digest| a.bytes(digest), &|digest| b.bytes(digest)]);
            }
            continue;
        }
        let Some((bytes_a, bytes_b)) = a.bytes(&digest_a).zip(b.bytes(&digest_b)) else { continue };
        item.within = inner::of_files(&bytes_a, &bytes_b);
        // A text as a whole is the item itself.
        if let [InnerDifference { pointer: None, lines, .. }] = &mut *item.within.within {
            item.lines = std::mem::take(lines);
            item.within.within.clear();
        }
    }
}

fn digest(shown: &Option<ShownValue>) -> Option<Digest> {
    let Some(ShownValue::Value(Value::String(text))) = shown else { return None };
    text.strip_prefix("sha256:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::folder::DigestedEntry;
    use crate::record::run_diff::{DifferingItem, InnerDifferences};

    fn item(pointer: &str, [a, b]: [String; 2]) -> DifferingItem {
        DifferingItem {
            pointer: pointer.into(),
            b_pointer: None,
            name: String::new(),
            a: Some(ShownValue::Value(json!(a))),
            b: Some(ShownValue::Value(json!(b))),
            lines: Vec::new(),
            within: InnerDifferences::default(),
            material: true,
        }
    }

    fn part(item: DifferingItem) -> PartDiff {
        let part = crate::record::identity::DeclarationPart::Artifact;
        PartDiff { part, a: Digest::of(b""), b: Digest::of(b""), materially_equal: false, items: vec![item] }
    }

    fn looked_at(before: &str, after: &str, sources: [TextSource; 2]) -> DifferingItem {
        let digests = [before, after].map(|text| format!("sha256:{}", Digest::of(text.as_bytes())));
        let mut parts = [part(item("/artifact/prompt/digest", digests))];
        add(&mut parts, &sources[0], &sources[1]);
        parts[0].items.remove(0)
    }

    fn holding(text: &str) -> TextSource {
        TextSource::Read(BTreeMap::from([(Digest::of(text.as_bytes()), text.as_bytes().to_vec())]))
    }

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        let (before, after) = ("one\ntwo\nthree\n", "one\n2\nthree\nfour\n");
        let found = looked_at(before, after, [before, after].map(holding));
        let lines: Vec<(&str, &str)> = found.lines.iter().map(|line| (line.side.sign(), line.text.as_str())).collect();
        assert_eq!(lines, [("-", "two"), ("+", "2"), ("+", "four")]);
        assert!(found.within.within.is_empty());
        assert!(looked_at(before, after, [holding(before), TextSource::Nowhere]).lines.is_empty());
    }

    #[test]
    fn of_json_the_members_are_shown() {
        let (before, after) = (r#"{"a": [1, 2]}"#, r#"{"a": [1, 3]}"#);
        let found = looked_at(before, after, [before, after].map(holding));
        assert_eq!(found.within.within[0].pointer.as_deref(), Some("/a/1"));
        assert!(found.lines.is_empty());
    }

    #[test]
    fn a_list_of_another_folder_is_not_believed() {
        let rows = |name: &str| FolderRows::from([(name.as_bytes().to_vec(), DigestedEntry::Folder)]);
        let listing = |name: &str| {
            TextSource::Folder(PathBuf::new(), BTreeMap::from([("/artifact/in/folder".to_owned(), rows(name))]))
        };
        let seen = |declared: [&str; 2]| {
            let digests = declared.map(|name| format!("sha256:{}", digest_of_rows(&rows(name))));
            let mut parts = [part(item("/artifact/in/folder", digests))];
            add(&mut parts, &listing("a"), &listing("b"));
            parts[0].items[0].within.within.len()
        };
        assert_eq!((seen(["a", "b"]), seen(["a", "c"])), (2, 0));
    }
}
