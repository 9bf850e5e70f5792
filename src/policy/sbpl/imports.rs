//! The files that a profile imports, where somebody hands them over: their text belongs to a build of the system.

use std::collections::{BTreeMap, BTreeSet};

use super::error::SbplError;
pub use super::import_name::ImportName;
use super::parse::parse_from;
use super::rules::LineColumn;
use super::syntax::{Datum, Node, SbplText};
use crate::base::digest::Digest;

/// So many files are read for one profile; an installed system has some hundred.
const MOST_FILES: usize = 256;
/// Where the system looks for a name that is not absolute. A name below one of these stands for the file's own.
const SYSTEM_FOLDERS: [&str; 3] =
    ["/System/Library/Sandbox/Profiles/", "/usr/share/sandbox/", "/Library/Sandbox/Profiles/"];

/// What is read for an import. `None`: there is no such file.
pub type ReadImport<'r> = dyn FnMut(&str) -> Result<Option<String>, String> + 'r;

/// Imported files, read and parsed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imports {
    files: BTreeMap<String, Import>,
}

/// One file.
#[derive(Debug, Clone, PartialEq)]
struct Import {
    name: ImportName,
    text: String,
    program: SbplText,
}

/// An imported file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("the imported file `{name}` cannot be read: {why}")]
    Unreadable {
        /// Name of the file, as the profile imports it.
        name: String,
        /// The reason, as text for people.
        why: String,
    },
    /// It is no profile.
    #[error("in an imported file, at {0}")]
    Refused(SbplError),
    /// There are too many.
    #[error("the profile imports more than {MOST_FILES} files")]
    TooMany,
}

impl Imports {
    /// Reads what `program` imports by name, and what that imports in turn. A file that is not there stays unknown, as does
    /// one whose name is only known when the program runs.
    ///
    /// # Errors
    /// The first file that cannot be read or is no profile.
    pub fn gather(program: &SbplText, read: &mut ReadImport<'_>) -> Result<Self, ImportError> {
        let mut imports = Self::default();
        let mut wanted: Vec<String> = named(program);
        let mut asked: BTreeSet<String> = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if !asked.insert(name.clone()) {
                continue;
            }
            if asked.len() > MOST_FILES {
                return Err(ImportError::TooMany);
            }
            let text = match read(&name) {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(why) => return Err(ImportError::Unreadable { name, why }),
            };
            let kept = ImportName::new(&name).ok_or(ImportError::TooMany)?;
            let start = LineColumn { file: Some(kept), ..LineColumn::at(1, 1) };
            let program = parse_from(&text, start).map_err(ImportError::Refused)?;
            wanted.extend(self::named(&program));
            imports.files.insert(name, Import { name: kept, text, program });
        }
        Ok(imports)
    }

    /// These files and those of `more`.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.files.extend(more.files);
        self
    }

    /// The program of an imported file, by the name that the profile gives.
    pub(super) fn program(&self, written: &str) -> Option<(ImportName, &SbplText)> {
        let file = self.files.get(plain(written)?)?;
        Some((file.name, &file.program))
    }

    /// The name of a file, if it is one of these.
    pub fn name(&self, name: &str) -> Option<ImportName> {
        self.files.get(name).map(|file| file.name)
    }

    /// The text of a file.
    pub fn text(&self, name: ImportName) -> &str {
        self.files.get(name.as_str()).map_or("", |file| file.text.as_str())
    }

    /// The files with their digests, by name.
    pub fn digests(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.files.iter().map(|(name, file)| (name.as_str(), Digest::of(file.text.as_bytes())))
    }

    /// Whether a file has this word in it.
    pub(super) fn mention(&self, word: &str) -> bool {
        self.files.values().any(|file| file.text.contains(word))
    }

    /// How long all of them are together, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.files.values().map(|file| file.text.len()).sum()
    }
}

/// The name of the file that an import means, relative to the folder of the system's profiles. `None` for one that would
/// lead elsewhere.
fn plain(written: &str) -> Option<&str> {
    let name = SYSTEM_FOLDERS.iter().find_map(|folder| written.strip_prefix(folder)).unwrap_or(written);
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    (name.split('/').all(is_plain) && !name.chars().any(char::is_control)).then_some(name)
}

/// The names in every `(import "NAME")` of a program, wherever it stands.
fn named(program: &SbplText) -> Vec<String> {
    fn walk(node: &Node, found: &mut Vec<String>) {
        match &node.datum {
            Datum::List(items) => {
                if node.head() == Some("import") {
                    let text = items.get(1).and_then(|name| match &name.datum {
                        Datum::Text(text) => Some(text.as_str()),
                        Datum::Raw(text) => Some(text.as_str()),
                        _ => None,
                    });
                    found.extend(text.and_then(plain).map(str::to_owned));
                }
                items.iter().for_each(|item| walk(item, found));
            }
            Datum::Marked(_, inner) => walk(inner, found),
            _ => {}
        }
    }
    let mut found = Vec::new();
    program.forms.iter().for_each(|form| walk(form, &mut found));
    found
}

#[cfg(test)]
mod tests {
    use super::super::model::{SbplQuestion, evaluate};
    use super::super::parse::parse;
    use super::super::policy::SbplPolicy;
    use super::super::rules::GapKind;
    use super::*;
    use crate::record::outcome::Decision;

    fn read(text: &str, files: &[(&str, &str)]) -> Result<SbplPolicy, String> {
        let program = parse(text).map_err(|error| error.to_string())?;
        let find = |name: &str| files.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
        let imports = Imports::gather(&program, &mut |name| Ok(find(name))).map_err(|error| error.to_string())?;
        SbplPolicy::with_imports(text, BTreeMap::new(), imports).map_err(|error| error.to_string())
    }

    fn asked(policy: &SbplPolicy, operation: &str, target: &str) -> (Option<Decision>, Option<String>) {
        let answer = evaluate(policy.rules(), &SbplQuestion::new(operation, target));
        (answer.decision, answer.rule.map(|index| policy.rules().rules[index].place.to_string()))
    }

    #[test]
    fn an_imported_file_runs_in_its_place() {
        let text = "(version 1)\n(deny default)\n(import \"a.sb\")\n(system-helper)\n";
        let a = "(version 1)\n(import \"/System/Library/Sandbox/Profiles/b.sb\")\n(define (system-helper) (allow \
                 process-fork))";
        let b = "(allow file-read-data\n  (literal \"/private/etc/hosts\"))";
        let policy = read(text, &[("a.sb", a), ("b.sb", b)]).unwrap();
        assert_eq!(policy.rules().gaps, []);
        let allow = Some(Decision::Allow);
        assert_eq!(asked(&policy, "file-read-data", "/private/etc/hosts"), (allow, Some("b.sb:1:1".into())));
        assert_eq!(asked(&policy, "process-fork", "x"), (allow, Some("a.sb:3:25".into())));
        assert_eq!(asked(&policy, "file-read-data", "/x").0, Some(Decision::Deny));
        assert_eq!(policy.imports().digests().count(), 2);
        // What is appended to the profile knows the files as well.
        let more = policy.with_rules(&["(deny process-fork)"]).unwrap();
        assert_eq!(more.rules().gaps, []);
    }

    #[test]
    fn what_is_not_handed_over_stays_unknown() {
        for text in [
            "(version 1)(deny default)(import \"a.sb\")",
            "(version 1)(deny default)(import \"../b.sb\")",
            "(version 1)(deny default)(import \"/etc/b.sb\")",
            "(version 1)(deny default)(import (string-append \"b\" \".sb\"))",
            "(version 1)(deny default)(import \"three.sb\")",
        ] {
            let policy =
                read(text, &[("b.sb", ""), ("../b.sb", ""), ("/etc/b.sb", ""), ("three.sb", "(version 3)")]).unwrap();
            let kinds: Vec<GapKind> = policy.rules().gaps.iter().map(|gap| gap.kind).collect();
            assert_eq!(kinds, [GapKind::Import], "{text}");
        }
    }

    #[test]
    fn files_of_two_origins_are_one_set() {
        let gather = |name: &str| {
            let program = parse(&format!("(version 1)(import \"{name}\")")).unwrap();
            Imports::gather(&program, &mut |name| Ok(Some(format!("(allow signal) ; {name}")))).unwrap()
        };
        let both = gather("a.sb").and(gather("b.sb"));
        assert_eq!(both.digests().map(|(name, _)| name).collect::<Vec<_>>(), ["a.sb", "b.sb"]);
    }

    #[test]
    fn files_that_import_each_other_end() {
        let policy = read(
            "(version 1)(deny default)(import \"a.sb\")",
            &[("a.sb", "(import \"b.sb\")(allow signal)"), ("b.sb", "(import \"a.sb\")(allow process-fork)")],
        );
        let policy = policy.unwrap();
        assert_eq!(policy.rules().gaps, []);
        assert_eq!(policy.rules().rules.len(), 3);
    }

    #[test]
    fn a_file_that_failed_on_one_way_is_imported_behind_it() {
        let text = "(version 1)(deny default)(define place 7)\n(if (unknown-thing?) (import \"a.sb\"))\n(set! place \"/a\")\n\
                    (import \"a.sb\")";
        let policy = read(text, &[("a.sb", "(allow file-read-data (literal place))")]).unwrap();
        assert_eq!(policy.rules().rules.len(), 2, "{:?}", policy.rules().rules);
        assert_eq!(asked(&policy, "file-read-data", "/a"), (Some(Decision::Allow), Some("a.sb:1:1".into())));
    }

    #[test]
    fn a_fault_in_an_imported_file_names_it() {
        let text = "(version 1)(deny default)(import \"a.sb\")";
        for (file, line) in [("(allow file-read*", "(allow file-read*"), ("\n(allow file-raed*)", "(allow file-raed*)")]
        {
            let error = read(text, &[("a.sb", file)]).unwrap_err();
            assert!(error.contains("a.sb:") && error.contains(line), "{error}");
        }
    }
}
