//! Where in the documents of a run a row comes from: the rule of its policy, and the expectation in its registry.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::base::checkout;
use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::evidence::places::RuleLines;
use crate::plan;
use crate::plan::questions::QuestionLines;
use crate::record::layout;
use crate::record::opinions::SourcePlace;
use crate::record::sources::{InputRole, InputSource, InputSources};

/// By probe.
type ProbeLines = HashMap<String, ExpectationText>;

/// What a registry says of an expectation, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ExpectationText {
    line: u32,
    column: u32,
    why: Option<String>,
}

/// Gives the text of an input document. `None` for one that is no text.
type ReadText<'a> = Box<dyn FnMut(&InputSource) -> Option<String> + 'a>;

/// Finds places.
pub(super) struct PlaceFinder<'a> {
    documents: Vec<InputSource>,
    read: ReadText<'a>,
    /// Of each probe registry, by probe: where its expectation stands.
    expectations: Option<Vec<(String, ProbeLines)>>,
    /// The lines of the questions file that the registry was made of, if it was.
    question_lines: Option<QuestionLines>,
    rules: RuleLines,
    /// Where the top of the repository is, seen from the plan: what stands before a path of the plan.
    pub(super) base: SourceBase,
}

/// The part of a probe registry that is looked at; every value is a part of the text.
#[derive(Deserialize)]
struct RegistryText<'t> {
    #[serde(borrow)]
    probes: BTreeMap<Cow<'t, str>, &'t RawValue>,
}

#[derive(Deserialize)]
struct ProbeText<'t> {
    #[serde(borrow)]
    expected: Option<&'t RawValue>,
    why: Option<String>,
}

impl<'a> PlaceFinder<'a> {
    /// Of a bundle, which holds every document that its plan was resolved from.
    pub(super) fn of(bundle: &'a Verified<Bundle>) -> Result<Self, ArtifactError> {
        let sources: InputSources =
            bundle.read_artifact(layout::INPUT_SOURCES, |reader| serde_json::from_reader(reader))?;
        let base = SourceBase::find(bundle, &sources.documents);
        let read = Box::new(|source: &InputSource| {
            let text = bundle.read_artifact(source.file.as_str(), |reader| {
                let mut text = String::new();
                reader.read_to_string(&mut text).map(|_| text)
            });
            text.ok()
        });
        Ok(Self::new(sources.documents, read, base))
    }

    pub(super) fn new(documents: Vec<InputSource>, read: ReadText<'a>, base: SourceBase) -> Self {
        Self { documents, read, expectations: None, question_lines: None, rules: RuleLines::default(), base }
    }

    fn text(&mut self, role: InputRole, path: &str) -> Option<String> {
        let source = self.documents.iter().find(|one| one.role == role && one.path == path)?;
        (self.read)(source)
    }

    /// The text of a policy; nothing for one that is no text.
    pub(super) fn policy_text(&mut self, path: &str) -> Option<String> {
        self.text(InputRole::Policy, path)
    }

    /// What the registry says of its profiles, by profile.
    pub(super) fn profile_notes(&mut self) -> HashMap<String, String> {
        #[derive(Deserialize)]
        struct ProfileRegistryText {
            profiles: HashMap<String, ProfileText>,
        }
        #[derive(Deserialize)]
        struct ProfileText {
            notes: Option<String>,
        }
        let registries = self.documents.iter().filter(|one| one.role == InputRole::Profiles);
        let paths: Vec<String> = registries.map(|one| one.path.clone()).collect();
        let texts: Vec<String> = paths.iter().filter_map(|path| self.text(InputRole::Profiles, path)).collect();
        let registries = texts.iter().filter_map(|text| serde_json::from_str::<ProfileRegistryText>(text).ok());
        registries.flat_map(|one| one.profiles).filter_map(|(id, profile)| Some((id, profile.notes?))).collect()
    }

    /// The place of a rule in the policy document at `path`. The rule is a JSON pointer or `LINE:COLUMN`; one of an imported
    /// file is nowhere in the document.
    pub(super) fn rule(&mut self, path: &str, rule: &str) -> Option<SourcePlace> {
        let Self { documents, read, rules, .. } = self;
        let text = || {
            let source = documents.iter().find(|one| one.role == InputRole::Policy && one.path == path)?;
            read(source)
        };
        let (line, column) = rules.find(path, rule, text)?;
        Some(SourcePlace { path: path.to_owned(), line, column })
    }

    /// The place of a probe's expectation in its registry, and why its author expects that.
    pub(super) fn expectation(&mut self, probe_id: &str) -> Option<(SourcePlace, Option<String>)> {
        let Self { documents, read, expectations, question_lines, .. } = self;
        let question = documents.iter().find(|one| one.role == InputRole::Questions).and_then(|one| {
            let lines = question_lines.get_or_insert_with(|| QuestionLines::of(&read(one).unwrap_or_default()));
            let line = u32::try_from(lines.probe(probe_id)?).ok()?;
            Some(SourcePlace { path: one.path.clone(), line, column: 1 })
        });
        let all = expectations.get_or_insert_with(|| {
            let registries = documents.iter().filter(|one| one.role == InputRole::Probes);
            registries
                .map(|one| (one.path.clone(), read(one).map(|text| expectations_in(&text)).unwrap_or_default()))
                .collect()
        });
        let found = all.iter().find_map(|(path, places)| {
            let ExpectationText { line, column, why } = places.get(probe_id)?;
            Some((SourcePlace { path: path.clone(), line: *line, column: *column }, why.clone()))
        });
        // Nobody has the registry that a questions file stands for.
        match question {
            Some(place) => Some((place, found.and_then(|(_, why)| why))),
            None => found,
        }
    }
}

/// By probe: where its `expected` stands, or the probe if it has none.
fn expectations_in(text: &str) -> ProbeLines {
    let Ok(registry) = serde_json::from_str::<RegistryText<'_>>(text) else { return ProbeLines::new() };
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1)).collect();
    let place = |part: &RawValue| {
        // Borrowed, so it lies within the text.
        let at = part.get().as_ptr() as usize - text.as_ptr() as usize;
        let line = starts.partition_point(|start| *start <= at);
        let column = text[starts[line - 1]..at].chars().count() + 1;
        (line as u32, column as u32)
    };
    let probes = registry.probes.iter().map(|(id, probe)| {
        let entry = serde_json::from_str::<ProbeText<'_>>(probe.get()).ok();
        let (line, column) = place(entry.as_ref().and_then(|entry| entry.expected).unwrap_or(probe));
        (id.to_string(), ExpectationText { line, column, why: entry.and_then(|entry| entry.why) })
    });
    probes.collect()
}

/// What the paths of a report are relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SourceBase {
    /// The top of the repository that holds the plan: a path of the plan has this before it.
    Repository(PathBuf),
    /// The plan's own root: the bundle lies where no plan is, or there is no repository.
    Plan,
}

impl SourceBase {
    /// Looks for the plan at or above a bundle, and for the repository around it.
    fn find(bundle: &Bundle, documents: &[InputSource]) -> Self {
        let own: &[InputRole] = match documents.iter().any(|one| one.role == InputRole::Questions) {
            true => &[InputRole::Questions],
            false => &[InputRole::Plan, InputRole::Index, InputRole::Probes, InputRole::Profiles],
        };
        let own: Vec<&str> =
            documents.iter().filter(|one| own.contains(&one.role)).map(|one| one.path.as_str()).collect();
        let found = || {
            let folder = bundle.folder().canonicalize().ok()?;
            let holds = |root: &&Path| !own.is_empty() && own.iter().all(|path| root.join(path).is_file());
            folder.ancestors().find(holds).map(Path::to_path_buf)
        };
        found().map_or(Self::Plan, |root| Self::of_root(&root))
    }

    /// Looks for the repository around the folder that paths of a plan are relative to.
    pub(super) fn of_root(root: &Path) -> Self {
        let found = || {
            let root = if root.as_os_str().is_empty() { Path::new(".") } else { root }.canonicalize().ok()?;
            let top = root.ancestors().find(|at| checkout::is_marked(at, ".git"))?;
            root.strip_prefix(top).ok().map(Path::to_path_buf)
        };
        found().map_or(Self::Plan, Self::Repository)
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> &'static str {
        match self {
            Self::Repository(_) => "the top of the repository that holds the plan",
            Self::Plan => "the folder that the paths of the plan are relative to",
        }
    }

    /// A relative path of the plan, from here.
    pub(super) fn path(&self, path: &str) -> String {
        match self {
            Self::Repository(prefix) => plan::spelled_below(prefix, path),
            Self::Plan => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_have_their_lines() {
        let registry = "{\"é\": 1, \"probes\": {\n \"a\\u0062\": {\n  \"n\": \"é\", \"expected\": \"deny\", \"why\": \"so\"}, \"c\":\n   {}\n}}";
        let found = expectations_in(registry);
        assert_eq!(found["ab"], ExpectationText { line: 3, column: 25, why: Some("so".into()) });
        assert_eq!(found["c"], ExpectationText { line: 4, column: 4, why: None });
        assert!(expectations_in("[").is_empty());
    }

    #[test]
    fn a_path_is_seen_from_the_top_of_its_repository() {
        assert_eq!(SourceBase::Repository("x/y".into()).path("policies/a.json"), "x/y/policies/a.json");
        assert_eq!(SourceBase::Repository("".into()).path("a.json"), "a.json");
        assert_eq!(SourceBase::Repository("x/y".into()).path("../a.json"), "x/a.json");
        assert_eq!(SourceBase::Plan.path("a.json"), "a.json");
    }
}
