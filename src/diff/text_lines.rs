//! In which lines two texts differ of which both sides hold the bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::base::digest::Digest;
use crate::base::printable::excerpt;
use crate::bundle::sealed_folder::SealedFolder;
use crate::identity::differences;
use crate::plan::subject::ResolvedSubject;
use crate::record::run_diff::{ChangedLine, DifferingItem, LineSide, PartDiff, ShownValue};

/// Largest text whose lines are looked at, in bytes.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Most lines that are shown of one text.
const MOST_LINES: usize = 20;
/// How much of a line is shown, in characters.
const LINE_CHARS: usize = 160;

/// Where the bytes are to be had whose digests a declaration gives.
#[derive(Debug, Default)]
pub(super) enum TextSource {
    /// Nowhere.
    #[default]
    Nowhere,
    /// In the folder of a sealed declaration.
    Folder(PathBuf),
    /// They were read with the document.
    Read(BTreeMap<Digest, String>),
}

impl TextSource {
    /// What was read with a document, as far as it is text and small.
    pub(super) fn of(subject: &ResolvedSubject) -> Self {
        let small = subject.documents.iter().filter(|document| document.bytes.len() <= MAX_TEXT_BYTES);
        let files = small
            .filter_map(|document| Some((document.bytes.digest(), String::from_utf8(document.bytes.to_vec()).ok()?)));
        let texts = subject.texts.iter().map(|(digest, text)| (*digest, text.clone()));
        Self::Read(files.chain(texts).collect())
    }

    fn text(&self, digest: &Digest) -> Option<String> {
        match self {
            Self::Nowhere => None,
            Self::Folder(folder) => {
                String::from_utf8(SealedFolder::content(folder, digest, MAX_TEXT_BYTES as u64)?).ok()
            }
            Self::Read(texts) => texts.get(digest).cloned(),
        }
    }
}

/// Adds to items that are digests of texts the lines in which those differ.
pub(super) fn add(parts: &mut [PartDiff], a: &TextSource, b: &TextSource) {
    for item in parts.iter_mut().flat_map(|part| &mut part.items) {
        if let Some(lines) = changed(item, a, b) {
            item.lines = lines;
        }
    }
}

fn changed(item: &DifferingItem, a: &TextSource, b: &TextSource) -> Option<Vec<ChangedLine>> {
    let text = |shown: &Option<ShownValue>, source: &TextSource| {
        let Some(ShownValue::Value(Value::String(text))) = shown else { return None };
        source.text(&text.strip_prefix("sha256:")?.parse().ok()?)
    };
    let [a, b] = [text(&item.a, a)?, text(&item.b, b)?].map(|text| lines_of(&text));
    let mut found = Vec::new();
    for difference in differences("", &a, &b) {
        for (side, value) in [(LineSide::A, difference.declared), (LineSide::B, difference.found)] {
            let Some(Value::String(line)) = value else { continue };
            if found.len() == MOST_LINES {
                return Some(found);
            }
            found.push(ChangedLine { side, text: excerpt(&line, LINE_CHARS) });
        }
    }
    Some(found)
}

fn lines_of(text: &str) -> Value {
    text.lines().map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_differ_are_shown() {
        let source = |text: &str| TextSource::Read(BTreeMap::from([(Digest::of(text.as_bytes()), text.to_owned())]));
        let (before, after) = ("one\ntwo\nthree\n", "one\n2\nthree\nfour\n");
        let shown = |text: &str| Some(ShownValue::Value(format!("sha256:{}", Digest::of(text.as_bytes())).into()));
        let item = DifferingItem {
            pointer: "/artifact/prompt/digest".into(),
            b_pointer: None,
            name: String::new(),
            a: shown(before),
            b: shown(after),
            lines: Vec::new(),
            material: true,
        };
        let lines = changed(&item, &source(before), &source(after)).unwrap();
        let lines: Vec<(&str, &str)> = lines.iter().map(|line| (line.side.sign(), line.text.as_str())).collect();
        assert_eq!(lines, [("-", "two"), ("+", "2"), ("+", "four")]);
        assert_eq!(changed(&item, &source(before), &TextSource::Nowhere), None);
    }
}
