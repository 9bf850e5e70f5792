//! From a questions file to the documents of a plan.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::{self, QuestionFile, QuestionSection, QuestionedEnforcer};
use super::question::AskQuestion;
use super::{Asker, QuestionError};
use crate::base::json_out;
use crate::base::shared_bytes::SharedBytes;
use crate::plan::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, has_errors};
use crate::plan::error::LoadError;
use crate::plan::file::{HOME_WORLD, INDEX_SCHEMA, PLAN_SCHEMA, PROBES_SCHEMA, PROFILES_SCHEMA};
use crate::plan::paths::{OWN_INDEX_PATH, OWN_PROBES_PATH, OWN_PROFILES_PATH, PLAN_FILE, clean_path};
use crate::plan::text::folders_as_parts;
use crate::plan::written_probe::shorten;
use crate::policy::PolicyMode;
use crate::policy::launcher::LauncherDocument;
use crate::record::platform::Platform;
use crate::record::sources::InputRole;

/// The world that stands for whatever Linux this is.
pub const HOST_WORLD: &str = "linux-host";
/// The world of a file that asks launchers alone on macOS: whatever Mac that is.
const MAC_WORLD: &str = "macos-host";
/// Where the documents of launchers stand that a questions file gives as a command.
const LAUNCHERS: &str = "registry/launchers";
/// The folder of the documents that a questions file stands for.
const OWN_FOLDER: &str = "registry/";

/// The documents that a questions file stands for.
#[derive(Debug, Clone)]
pub struct ExpandedQuestions {
    /// The file's name in its folder.
    name: String,
    /// The file, as it was read.
    bytes: SharedBytes,
    /// The documents, by the paths that they have relative to the folder.
    documents: BTreeMap<String, SharedBytes>,
    /// The line of each profile and of each probe.
    lines: QuestionLines,
}

/// Where in a questions file something stands: the line of each profile, and of each probe, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuestionLines {
    profiles: BTreeMap<String, usize>,
    probes: BTreeMap<String, usize>,
}

impl QuestionLines {
    /// The lines of a questions file. What cannot be read of it is left out.
    pub fn of(text: &str) -> Self {
        let mut notes = Vec::new();
        Self::of_file(&document::parse(text, &mut Diagnostics { list: &mut notes, file: "", subject: "" }))
    }

    fn of_file(file: &QuestionFile) -> Self {
        let mut lines = Self::default();
        for section in &file.sections {
            lines.profiles.entry(section.id.clone()).or_insert(section.line);
            for question in &section.questions {
                lines.probes.entry(question.id.clone()).or_insert(question.line);
            }
        }
        lines
    }

    /// The line of a probe.
    pub fn probe(&self, id: &str) -> Option<usize> {
        self.probes.get(id).copied()
    }
}

/// Whether a file is one of questions: it does not begin as a JSON object does.
pub fn is_questions(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() != Some(&b'{')
}

impl ExpandedQuestions {
    /// Expands the file `name`. Everything that is wrong with it is said at once.
    ///
    /// # Errors
    /// [`LoadError::Refused`], with places as `LINE:COLUMN`.
    pub fn read(name: &str, bytes: SharedBytes, asker: &Asker) -> Result<Self, LoadError> {
        let mut notes = Vec::new();
        let mut at = Diagnostics { list: &mut notes, file: name, subject: "" };
        let Some(text) = text_of(&bytes, &mut at) else { return Err(LoadError::Refused { notes }) };
        let file = document::parse(text, &mut at);
        let documents = documents(&file, name, asker, &mut at);
        if has_errors(&notes) {
            return Err(LoadError::Refused { notes: in_order(notes) }.located_within(name, &bytes));
        }
        Ok(Self { name: name.to_owned(), bytes, documents, lines: QuestionLines::of_file(&file) })
    }

    /// The file's name in its folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, as it was read.
    pub fn bytes(&self) -> &SharedBytes {
        &self.bytes
    }

    /// The document at a path, if the file stands for one there.
    pub fn document(&self, path: &str) -> Option<&SharedBytes> {
        self.documents.get(path)
    }

    /// The documents, by path.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &SharedBytes)> {
        self.documents.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// Notes on the documents as notes on the lines that they come from.
    pub fn retold(&self, notes: Vec<Diagnostic>) -> Vec<Diagnostic> {
        let retold = notes
            .into_iter()
            .map(|mut note| {
                if self.documents.contains_key(&note.file) {
                    let line = self.lines.probes.get(&note.subject).or_else(|| self.lines.profiles.get(&note.subject));
                    note.pointer = line.map(|line| format!("{line}:1")).unwrap_or_default();
                    note.file.clone_from(&self.name);
                    if let Some(remedy) = remedy(note.kind) {
                        note.remedy = remedy.to_owned();
                    }
                }
                note
            })
            .collect();
        in_order(retold)
    }
}

/// What somebody who writes questions can do, where it is another thing than who writes a registry can.
fn remedy(kind: DiagnosticKind) -> Option<&'static str> {
    match kind {
        DiagnosticKind::Listener => Some(
            "see to it that something listens there, or ask about `127.0.0.1:${port}` or `abstract ${name}`, where the run does",
        ),
        DiagnosticKind::HostProgram => Some(
            "read what it does, and give `run` the option `--allow-host-programs`; or ask about `${workspace}/NAME`, which is a \
             small program of the run's own",
        ),
        _ => None,
    }
}

/// Whether a questions file stands for the document of that role and path, wherever there is one.
pub fn stand_for(role: InputRole, path: &str) -> bool {
    match role {
        InputRole::Plan | InputRole::Index | InputRole::Probes | InputRole::Profiles => true,
        InputRole::Policy => path.starts_with(OWN_FOLDER),
        _ => false,
    }
}

/// Notes in the order of their lines.
fn in_order(mut notes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |note: &Diagnostic| -> Option<(usize, usize)> {
        let (line, column) = note.pointer.split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    };
    notes.sort_by_key(|note| (note.severity, place(note)));
    notes.dedup();
    notes
}

/// Whether the documents in a bundle are what the questions file in it asks: the same probes in the same profiles, with the
/// same expectations. What a path stood for on the host that asked is not known here.
pub(in crate::plan) fn agrees<'p>(
    text: &str,
    profiles: impl Iterator<Item = (&'p str, Vec<(&'p str, &'p str)>)>,
) -> bool {
    let mut notes = Vec::new();
    let file = document::parse(text, &mut Diagnostics { list: &mut notes, file: "", subject: "" });
    let mut sections = file.sections.iter();
    let same = profiles.into_iter().all(|(id, probes)| {
        sections.next().is_some_and(|section| {
            section.id == id
                && section.questions.len() == probes.len()
                && section
                    .questions
                    .iter()
                    .zip(probes)
                    .all(|(question, (id, expected))| question.id == id && question.expects(expected))
        })
    });
    notes.is_empty() && same && sections.next().is_none()
}

fn documents(
    file: &QuestionFile,
    name: &str,
    asker: &Asker,
    notes: &mut Diagnostics<'_>,
) -> BTreeMap<String, SharedBytes> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let plan_id = file.plan_id.as_ref().map_or(if stem.is_empty() { name } else { stem }, |id| id.as_str());
    let platform = platform(file, notes);
    let has_policy = file
        .sections
        .iter()
        .any(|section| matches!(section.enforcer, QuestionedEnforcer::Landlock(_) | QuestionedEnforcer::Seatbelt(_)));
    let default_world = match platform {
        Platform::Linux => HOST_WORLD,
        Platform::Macos if has_policy => HOME_WORLD,
        // A launcher is asked where it is.
        Platform::Macos => MAC_WORLD,
    };
    let world_id = file.world_id.as_ref().map_or(default_world, |id| id.as_str());
    let mut parts = DocumentParts::default();
    for section in &file.sections {
        parts.add(section, platform, asker, notes);
    }
    for question in &file.loose {
        if let Err(error) = AskQuestion::read(0, &question.text, asker) {
            note(error, question.line, notes);
        }
    }
    let mut plan = json!({
        "schema_version": PLAN_SCHEMA, "plan_id": plan_id, "registry_id": plan_id, "world_id": world_id,
        "profiles": file.sections.iter().map(|section| &section.id).collect::<Vec<_>>(),
        "lanes": { "baseline": true, "scenario": true, "oracle": has_policy },
        "notes": format!("Made of the questions in `{name}`."),
    });
    if has_policy {
        let (path, policy) = least_policy(platform);
        plan["apply_preflight_profile"] = json!(path);
        parts.policies.push((path.to_owned(), policy));
    }
    let index = json!({
        "schema_version": INDEX_SCHEMA,
        "registries": [{ "id": plan_id, "probes": OWN_PROBES_PATH, "profiles": OWN_PROFILES_PATH }],
    });
    let registry = |schema: &str, key: &str, entries: Map<String, Value>| json!({ "schema_version": schema, "registry_id": plan_id, "world_id": world_id, key: entries });
    let probes = registry(PROBES_SCHEMA, "probes", parts.probes);
    let profiles = registry(PROFILES_SCHEMA, "profiles", parts.profiles);
    let own = [
        (PLAN_FILE.to_owned(), plan),
        (OWN_INDEX_PATH.to_owned(), index),
        (OWN_PROBES_PATH.to_owned(), probes),
        (OWN_PROFILES_PATH.to_owned(), profiles),
    ];
    let own = own.into_iter().map(|(path, value)| (path, pretty(&value)));
    own.chain(parts.policies).map(|(path, bytes)| (path, bytes.into())).collect()
}

/// The policy that shows in the apply preflight whether policies can be applied: it refuses nothing that the preflight does.
fn least_policy(platform: Platform) -> (&'static str, Vec<u8>) {
    match platform {
        Platform::Linux => {
            let policy = json!({
                "schema_version": "sandproof.landlock_policy.v1", "abi": 1, "handled": { "fs": ["read_file"] },
                "description": "The least policy that can be applied: reading is handled, and granted everywhere.",
                "path_beneath": [{ "path": "/", "allow": ["read_file"] }],
            });
            ("registry/preflight.json", pretty(&policy))
        }
        Platform::Macos => ("registry/preflight.sb", b"(version 1)\n(allow default)\n".to_vec()),
    }
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = json_out::to_pretty(value);
    bytes.push(b'\n');
    bytes
}

/// The system that a file is for: that of its policies, or else the one that it is read on.
fn platform(file: &QuestionFile, notes: &mut Diagnostics<'_>) -> Platform {
    // A launcher may be of either.
    let of = |section: &QuestionSection| match section.enforcer {
        QuestionedEnforcer::Seatbelt(_) => Some(Platform::Macos),
        QuestionedEnforcer::Landlock(_) => Some(Platform::Linux),
        QuestionedEnforcer::Command(_) | QuestionedEnforcer::LauncherDocument(_) => None,
    };
    let first = file.sections.iter().find_map(of).or_else(Platform::here).unwrap_or(Platform::Linux);
    if let Some(other) = file.sections.iter().find(|section| of(section).is_some_and(|it| it != first)) {
        let message = "the file asks enforcers of two systems, and a run has one";
        notes.error(DiagnosticKind::Question, format!("{}:1", other.line), message, "make a file for each system");
    }
    first
}

/// What the registries and launchers are made of.
#[derive(Default)]
struct DocumentParts {
    probes: Map<String, Value>,
    profiles: Map<String, Value>,
    /// Documents of launchers, and the policy of the apply preflight.
    policies: Vec<(String, Vec<u8>)>,
}

impl DocumentParts {
    fn add(&mut self, section: &QuestionSection, platform: Platform, asker: &Asker, notes: &mut Diagnostics<'_>) {
        let mut refs = Vec::new();
        let mut has_home = matches!(&section.enforcer, QuestionedEnforcer::Command(argv)
            if argv.iter().any(|word| word.contains("${home}")));
        for (n, line) in section.questions.iter().enumerate() {
            match AskQuestion::read(n, &line.text, asker).and_then(|question| probe(&question, platform)) {
                Ok(mut probe) => {
                    has_home |= line.text.contains("${home}");
                    probe["probe_id"] = json!(line.id);
                    probe["name"] = json!(line.id);
                    if let Some(probe) = probe.as_object_mut() {
                        shorten(&line.id, probe);
                    }
                    refs.push(line.id.clone());
                    self.probes.entry(line.id.clone()).or_insert(probe);
                }
                Err(error) => note(error, line.line, notes),
            }
        }
        let (path, mode) = match &section.enforcer {
            QuestionedEnforcer::Landlock(path) => (path.clone(), PolicyMode::Landlock),
            QuestionedEnforcer::Seatbelt(path) => (path.clone(), PolicyMode::Sbpl),
            QuestionedEnforcer::LauncherDocument(path) => (path.clone(), PolicyMode::Launcher),
            QuestionedEnforcer::Command(argv) => {
                let path = format!("{LAUNCHERS}/{}.json", section.id);
                let document = LauncherDocument {
                    os: platform,
                    ..LauncherDocument::of_command(section.id.as_str(), argv.clone())
                };
                for fault in document.faults() {
                    notes.error(DiagnosticKind::Question, format!("{}:1", section.line), fault.message, fault.remedy);
                }
                self.policies.push((path.clone(), pretty(&json!(document))));
                (path, PolicyMode::Launcher)
            }
        };
        let mut profile = profile(&section.id, &path, mode, refs, has_home);
        if mode == PolicyMode::Sbpl {
            profile["parameters"] = json!({ "WORKSPACE": "${root}/workspace", "OUTSIDE": "${root}/outside" });
        }
        if clean_path(&path).is_ok_and(|path| path.starts_with(OWN_FOLDER))
            && !matches!(section.enforcer, QuestionedEnforcer::Command(_))
        {
            let message = format!("`{OWN_FOLDER}` is the folder of the documents that the questions stand for");
            notes.error(DiagnosticKind::BadPath, format!("{}:1", section.line), message, "put policies elsewhere");
        }
        self.profiles.insert(section.id.clone(), profile);
    }
}

/// Reads a file of nothing but questions; `first` is the place of its first. Everything that is wrong with it is said at once.
///
/// # Errors
/// [`LoadError::Refused`], with places as `LINE:COLUMN`.
pub fn read_questions(name: &str, bytes: &[u8], first: usize, asker: &Asker) -> Result<Vec<AskQuestion>, LoadError> {
    let mut notes = Vec::new();
    let mut at = Diagnostics { list: &mut notes, file: name, subject: "" };
    let mut questions = Vec::new();
    if let Some(text) = text_of(bytes, &mut at) {
        let file = document::parse(text, &mut at);
        if let Some(section) = file.sections.first() {
            let message = "the file says itself who is asked";
            at.error(
                DiagnosticKind::Question,
                format!("{}:1", section.line),
                message,
                "remove the line, or `run --plan` it",
            );
        }
        for line in &file.loose {
            match AskQuestion::read(first + questions.len(), &line.text, asker) {
                Ok(question) => questions.push(question),
                Err(error) => note(error, line.line, &mut at),
            }
        }
    }
    // That nobody is asked is as it should be.
    notes.retain(|note| note.kind != DiagnosticKind::Empty || questions.is_empty());
    if has_errors(&notes) {
        return Err(LoadError::Refused { notes: in_order(notes) }.located_within(name, &bytes.to_vec().into()));
    }
    Ok(questions)
}

fn text_of<'b>(bytes: &'b [u8], notes: &mut Diagnostics<'_>) -> Option<&'b str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            // A program, a picture, an archive: no encoding makes a text of it.
            let (message, remedy) = if bytes.contains(&0) {
                ("this is no text".to_owned(), "name a plan: a JSON document, or a file of questions")
            } else {
                (format!("line {line} is not UTF-8"), "save the file as UTF-8")
            };
            notes.error(DiagnosticKind::Question, format!("{line}:1"), message, remedy);
            None
        }
    }
}

fn note(error: QuestionError, line: usize, notes: &mut Diagnostics<'_>) {
    let QuestionError { column, message, remedy } = error;
    notes.error(DiagnosticKind::Question, format!("{line}:{column}"), message, remedy);
}

/// A profile that asks these probes, with the folders that questions speak of; `has_home`: `${home}` as well.
pub fn profile(id: &str, path: &str, mode: PolicyMode, probe_refs: Vec<String>, has_home: bool) -> Value {
    let folders = ["workspace", "outside", "home"].into_iter().take(if has_home { 3 } else { 2 });
    let fixtures: Vec<Value> = folders.map(|folder| json!({ "path": folder, "kind": "dir" })).collect();
    json!({
        "profile_id": id, "profile_path": path, "mode": mode.as_str(), "probe_refs": probe_refs,
        "family": "questions", "semantic_group": null, "key_specific_rules": [], "notes": null,
        "fixtures": fixtures,
    })
}

/// The probe that asks a question on a system.
fn probe(question: &AskQuestion, platform: Platform) -> Result<Value, QuestionError> {
    if question.driver().info().platforms.has(platform) {
        let mut probe = question.probe();
        if platform == Platform::Macos {
            // No policy is told of the folders by other names.
            for key in ["target", "to"] {
                if let Some(text) = probe.get(key).and_then(Value::as_str).map(folders_as_parts) {
                    probe[key] = json!(text);
                }
            }
            let arguments = probe.get("argv").and_then(Value::as_array).cloned().unwrap_or_default();
            if !arguments.is_empty() {
                probe["argv"] = arguments.iter().filter_map(Value::as_str).map(folders_as_parts).collect();
            }
            if let Some(address) = probe.pointer("/listener/address").and_then(Value::as_str).map(folders_as_parts) {
                probe["listener"]["address"] = json!(address);
            }
        }
        return Ok(probe);
    }
    let (system, other) = match platform {
        Platform::Linux => ("Linux", "a launcher or a Landlock policy"),
        Platform::Macos => ("macOS", "a launcher or a Seatbelt profile"),
    };
    let message = format!("`{}` cannot be asked of {other}: nothing performs it on {system}", question.verb());
    Err(QuestionError::new(1, message, "remove the line"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::source::{DocumentSource, Workspace};
    use crate::plan::{Selection, lint, load};

    fn asker() -> Asker {
        Asker { home: Some("/home/ada".into()), folder: "/".into() }
    }

    fn expanded(text: &str) -> ExpandedQuestions {
        ExpandedQuestions::read("mine.questions", text.as_bytes().to_vec().into(), &asker()).unwrap()
    }

    fn json_of(expanded: &ExpandedQuestions, path: &str) -> Value {
        serde_json::from_slice(expanded.document(path).unwrap()).unwrap()
    }

    #[test]
    fn a_launcher_is_of_the_system_of_the_policies_beside_it() {
        let launcher = |made: &ExpandedQuestions| json_of(made, "registry/launchers/env.json")["os"].clone();
        let beside_seatbelt = expanded("seatbelt a.sb\nread ${workspace}/a\nlauncher env --\nread ${workspace}/a\n");
        assert_eq!(launcher(&beside_seatbelt), "macos");
        assert_eq!(json_of(&beside_seatbelt, PLAN_FILE)["world_id"], HOME_WORLD);
        let beside_landlock = expanded("launcher env --\nread ${workspace}/a\nlandlock a.json\nread ${workspace}/a\n");
        assert_eq!(launcher(&beside_landlock), "linux");
        let alone = expanded("launcher env --\nread ${workspace}/a\n");
        let (system, world) = match Platform::here() {
            Some(Platform::Macos) => ("macos", MAC_WORLD),
            _ => ("linux", HOST_WORLD),
        };
        assert_eq!((&launcher(&alone), &json_of(&alone, PLAN_FILE)["world_id"]), (&json!(system), &json!(world)));
        let both = b"landlock a.json\nread /a\nlauncher env --\nread /a\nseatbelt a.sb\nread /a\n".to_vec();
        let refused = ExpandedQuestions::read("mine.questions", both.into(), &asker()).unwrap_err().to_string();
        assert!(refused.contains("two systems"), "{refused}");
    }

    fn folder_with(questions: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let policy = least_policy(Platform::Linux).1;
        std::fs::write(folder.path().join("policy.json"), policy).unwrap();
        std::fs::write(folder.path().join("mine.questions"), questions).unwrap();
        folder
    }

    #[test]
    fn a_file_becomes_the_documents_of_a_plan() {
        let made =
            expanded("landlock policy.json\nallow read ${workspace}/a # ours\nlauncher env --\ndeny read ${home}/x\n");
        let paths: Vec<&str> = made.documents().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "plan.json",
                "registry/index.json",
                "registry/launchers/env.json",
                "registry/preflight.json",
                "registry/probes.json",
                "registry/profiles.json"
            ]
        );
        let plan = json_of(&made, "plan.json");
        assert_eq!((&plan["plan_id"], &plan["world_id"]), (&json!("mine"), &json!("linux-host")));
        let probe = &json_of(&made, "registry/probes.json")["probes"]["read ${workspace}/a"];
        assert_eq!((&probe["why"], &probe["driver"]), (&json!("ours"), &json!("file_read")));
        let profiles = &json_of(&made, "registry/profiles.json")["profiles"];
        assert_eq!(profiles["env"]["fixtures"][2]["path"], "home");
        assert_eq!(profiles["policy"]["fixtures"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn what_a_system_cannot_perform_is_refused_with_the_reason() {
        let refused = |text: &str| {
            ExpandedQuestions::read("f", text.as_bytes().to_vec().into(), &asker()).unwrap_err().to_string()
        };
        let text = refused("seatbelt a.sb\nallow read /x\ndeny userns\n");
        assert!(
            text.contains("`3:1`") && text.contains("`userns` cannot be asked of a launcher or a Seatbelt profile"),
            "{text}"
        );
        assert!(refused("seatbelt a.sb\nread /x\nlandlock b\nread /x\n").contains("two systems"));
        assert!(refused("landlock registry/a.json\nread /x\n").contains("put policies elsewhere"));
        let seatbelt = expanded("seatbelt a.sb\nallow read ${workspace}/a\n");
        let profile = &json_of(&seatbelt, "registry/profiles.json")["profiles"]["a"];
        assert_eq!(
            (&profile["mode"], &profile["parameters"]["WORKSPACE"]),
            (&json!("sbpl"), &json!("${root}/workspace"))
        );
    }

    #[test]
    fn a_questions_file_is_taken_for_a_plan_and_its_faults_are_told_by_line() {
        let folder = folder_with("# mine\nlandlock policy.json\nallow read /usr\nallow write ${workspace}/a\n");
        let file = folder.path().join("mine.questions");
        let (plan, root) = load(&file, None, &Selection::default()).unwrap();
        assert_eq!(root, folder.path().canonicalize().unwrap());
        let roles: Vec<(&str, &str)> =
            plan.documents.iter().map(|document| (document.role.as_str(), document.path.as_str())).collect();
        assert!(roles.contains(&("questions", "mine.questions")), "{roles:?}");
        assert_eq!(lint::lint_plan_file(&file, None).unwrap(), []);
        std::fs::write(&file, "landlock gone.json\nallow read /usr\n").unwrap();
        let [note] = lint::lint_plan_file(&file, None).unwrap().try_into().unwrap();
        assert_eq!((note.file.as_str(), note.pointer.as_str()), ("mine.questions", "1:1"));
        assert!(note.message.contains("`gone.json` does not exist"), "{note}");
    }

    #[test]
    fn documents_have_to_ask_what_their_questions_file_asks() {
        let text = "landlock a\ndeny read /x\nread /y\n";
        let asked = |probes: &[(&'static str, &'static str)]| agrees(text, [("a", probes.to_vec())].into_iter());
        assert!(asked(&[("read /x", "deny"), ("read /y", "any")]));
        assert!(!asked(&[("read /x", "allow"), ("read /y", "any")]));
        assert!(!asked(&[("read /x", "deny"), ("read /y", "deny")]));
        assert!(!asked(&[("read /x", "deny")]));
        assert!(!asked(&[("read /z", "deny"), ("read /y", "any")]));
        assert!(!agrees(text, std::iter::empty()));
    }

    #[test]
    fn what_it_stands_for_is_found_before_what_lies_there() {
        let folder = folder_with("landlock policy.json\nallow read /usr\n");
        std::fs::write(folder.path().join("plan.json"), "{}").unwrap();
        let (workspace, path) = Workspace::of_plan(&folder.path().join("mine.questions"), None).unwrap();
        assert_ne!(workspace.read(InputRole::Plan, &path, 1 << 20).unwrap()[..], b"{}"[..]);
        assert!(!workspace.has(InputRole::Index, "registries/index.json"));
        for (role, path, wanted) in [
            (InputRole::Plan, "plan.json", true),
            (InputRole::Policy, "registry/preflight.json", true),
            (InputRole::Policy, "policy.json", false),
            (InputRole::Questions, "mine.questions", false),
        ] {
            assert_eq!(stand_for(role, path), wanted, "{path}");
        }
    }
}
