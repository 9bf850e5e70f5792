//! Where findings stand in the texts of their documents.

use super::diagnostic::{Diagnostic, DiagnosticKind};
use super::error::LoadError;
use super::source::DocumentSource;
use super::text_place::TextPlace;
use crate::base::json;
use crate::base::json_span::{find_in_good, line_and_column};
use crate::base::shared_bytes::SharedBytes;

/// Says of each finding that has none yet where it stands. `text` gives the documents' texts, as far as they can still be read.
pub(super) fn locate(notes: &mut [Diagnostic], mut text: impl FnMut(&str) -> Option<SharedBytes>) {
    /// How many bytes are searched for places altogether: the list of findings may be as long as the documents.
    const MOST_SEARCHED_BYTES: usize = 256 << 20;
    let mut searched = 0;
    let mut known: Option<(String, Option<Searchable>)> = None;
    for note in notes.iter_mut().filter(|note| note.place.is_none() && !note.pointer.is_empty()) {
        // Sorted lists have the findings on one document together.
        if known.as_ref().is_none_or(|(file, _)| *file != note.file) {
            known = Some((note.file.clone(), text(&note.file).and_then(|bytes| Searchable::of(&bytes))));
        }
        let Some((_, Some(document))) = &known else { continue };
        searched += document.text.len();
        if searched > MOST_SEARCHED_BYTES {
            return;
        }
        note.place = document.place(&note.pointer, note.kind);
    }
}

/// A text that places are looked for in.
struct Searchable {
    text: String,
    is_json: bool,
}

impl Searchable {
    fn of(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?.to_owned();
        let is_json = json::parse(bytes).is_ok();
        Some(Self { text, is_json })
    }

    fn place(&self, pointer: &str, kind: DiagnosticKind) -> Option<TextPlace> {
        if !pointer.starts_with('/') {
            // `LINE:COLUMN`
            let (line, column) = pointer.split_once(':')?;
            return TextPlace::of(&self.text, line.parse().ok()?, column.parse().ok()?, 1);
        }
        if !self.is_json {
            return None;
        }
        let span = find_in_good(&self.text, pointer)?;
        // Of a member that should not be there it is the name that is wrong.
        let (start, rest) = match span.key {
            Some(key) if kind == DiagnosticKind::UnknownKey => (key, self.text[key..span.start].trim_end()),
            _ => (span.start, &self.text[span.start..span.end]),
        };
        let (line, column) = line_and_column(&self.text, start);
        let marked = match rest.as_bytes().first() {
            Some(b'{' | b'[') => 1,
            _ => rest.trim_end_matches([' ', '\t', ':']).chars().take_while(|c| *c != '\n').count(),
        };
        TextPlace::of(&self.text, line, column, marked)
    }
}

impl LoadError {
    /// The same with the places of its findings, in documents of `source`.
    #[must_use]
    pub(super) fn located(self, source: &dyn DocumentSource) -> Self {
        self.located_in(|file| source.text(file))
    }

    /// The same with the places of its findings, in the document `file` whose bytes these are.
    #[must_use]
    pub(super) fn located_within(self, file: &str, bytes: &SharedBytes) -> Self {
        self.located_in(|named| (named == file).then(|| bytes.clone()))
    }

    fn located_in(self, text: impl FnMut(&str) -> Option<SharedBytes>) -> Self {
        match self {
            Self::Refused { mut notes } => {
                locate(&mut notes, text);
                Self::Refused { notes }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::diagnostic::Diagnostics;

    fn marked(text: &str, kind: DiagnosticKind, pointer: &str) -> Option<(u32, u32, String)> {
        let mut notes = Vec::new();
        Diagnostics { list: &mut notes, file: "f", subject: "" }.error(kind, pointer, "m", "r");
        locate(&mut notes, |file| (file == "f").then(|| text.as_bytes().to_vec().into()));
        let place = notes.remove(0).place?;
        let [line, mark] = place.excerpt.lines();
        let under: String =
            line.chars().zip(mark.chars()).filter(|(_, mark)| *mark == '^').map(|(shown, _)| shown).collect();
        Some((place.line, place.column, under))
    }

    #[test]
    fn a_finding_points_to_its_member_or_to_the_key_that_should_not_be_there() {
        let text = "{\n  \"é\": 1, \"profils\" : [\n    \"a b\", {\"x\": 17}\n  ]\n}\n";
        let at = |kind, pointer| marked(text, kind, pointer);
        assert_eq!(at(DiagnosticKind::UnknownKey, "/profils"), Some((2, 11, "\"profils\"".into())));
        assert_eq!(at(DiagnosticKind::WrongType, "/profils"), Some((2, 23, "[".into())));
        assert_eq!(at(DiagnosticKind::Dangling, "/profils/0"), Some((3, 5, "\"a b\"".into())));
        assert_eq!(at(DiagnosticKind::BadValue, "/profils/1/x"), Some((3, 18, "17".into())));
        assert_eq!(at(DiagnosticKind::MissingKey, "/profils/1"), Some((3, 12, "{".into())));
        for nowhere in ["", "/nothing", "/profils/7"] {
            assert_eq!(at(DiagnosticKind::BadValue, nowhere), None, "{nowhere}");
        }
        assert_eq!(marked("landlock a\nflie /x\n", DiagnosticKind::Question, "2:1"), Some((2, 1, "f".into())));
        assert_eq!(marked("{\n", DiagnosticKind::BadValue, "/a"), None);
    }
}
