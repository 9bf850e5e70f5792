//! A questions file as it is written: what its lines say, before anything is looked for on this host.

use std::collections::{BTreeMap, HashMap};

use super::QuestionError;
use super::words;
use crate::base::ids::{ExpectationId, PlanId, WorldId};
use crate::base::printable::excerpt;
use crate::base::suggest::hint_for;
use crate::base::words as shell_words;
use crate::plan::diagnostic::{DiagnosticKind, Diagnostics};
use crate::record::outcome::{Decision, Expectation};

/// The longest line, in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// What a line may begin with that is no question.
const HEADS: [&str; 5] = ["landlock", "seatbelt", "launcher", "plan", "world"];
/// The byte order mark, which some editors write at a file's beginning.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QuestionedEnforcer {
    /// A Landlock policy document.
    Landlock(String),
    /// A Seatbelt profile.
    Seatbelt(String),
    /// The document of a launcher.
    LauncherDocument(String),
    /// A launcher's command.
    Command(Vec<String>),
}

impl QuestionedEnforcer {
    /// What a profile is called by it: the last part of its path without the ending, or the command's name.
    fn name(&self) -> &str {
        let (path, is_file) = match self {
            Self::Landlock(path) | Self::Seatbelt(path) | Self::LauncherDocument(path) => (path.as_str(), true),
            Self::Command(argv) => (argv.first().map_or("", String::as_str), false),
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let stem = if is_file { name.rsplit_once('.').map_or(name, |(stem, _)| stem) } else { name };
        if stem.is_empty() { "profile" } else { stem }
    }
}

/// An enforcer and the questions that it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuestionSection {
    /// Id of its profile.
    pub(super) id: String,
    /// The enforcer's line, counted from 1.
    pub(super) line: usize,
    /// Who is asked, as the line says it.
    pub(super) enforcer: QuestionedEnforcer,
    /// Its questions, in the order of their lines.
    pub(super) questions: Vec<QuestionLine>,
    /// Whether a line of it could not be read.
    has_faults: bool,
}

/// A line that asks something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuestionLine {
    /// Id of its probe.
    pub(super) id: String,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// The whole line.
    pub(super) text: String,
    /// What it expects; `None`: nothing.
    expected: Option<Decision>,
    /// Its words behind the expectation.
    subject: String,
}

impl QuestionLine {
    /// Whether it expects `decision`.
    pub(super) fn expects(&self, decision: &str) -> bool {
        self.expected.map_or(Expectation::Any, Expectation::from).as_str() == decision
    }
}

/// A questions file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct QuestionFile {
    /// The plan's id, if a line gives it.
    pub(super) plan_id: Option<PlanId>,
    /// The world, if a line gives it.
    pub(super) world_id: Option<WorldId>,
    /// The enforcers with their questions.
    pub(super) sections: Vec<QuestionSection>,
    /// Questions before any enforcer.
    pub(super) loose: Vec<QuestionLine>,
}

/// The lines of a text, from 1, without their ends; a byte order mark is left out.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    (1..).zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)))
}

/// Reads a file, and notes everything that is wrong with it. The place of a note is `LINE:COLUMN`.
pub(super) fn parse(text: &str, notes: &mut Diagnostics<'_>) -> QuestionFile {
    let mut file = QuestionFile::default();
    for (number, line) in lines(text) {
        if let Err(error) = read_line(&mut file, number, line) {
            let place = format!("{number}:{}", error.column);
            notes.error(DiagnosticKind::Question, place, error.message, error.remedy);
            if let Some(section) = file.sections.last_mut() {
                section.has_faults = true;
            }
        }
    }
    name_questions(&mut file, notes);
    file
}

fn read_line(file: &mut QuestionFile, number: usize, line: &str) -> Result<(), QuestionError> {
    if line.len() > MAX_LINE_BYTES {
        let message = format!("the line has {} bytes, {MAX_LINE_BYTES} are the most", line.len());
        return Err(QuestionError::new(1, message, "one line asks one thing"));
    }
    let parts = words::split(line)?;
    let Some(head) = parts.words.first() else { return Ok(()) };
    let values = &parts.words[1..];
    let column = values.first().map_or(head.column, |word| word.column);
    let one = |what: &str| match values {
        [value] if !value.text.is_empty() => Ok(value.text.clone()),
        [] => {
            Err(QuestionError::new(column, format!("`{}` needs {what}", head.text), format!("write {what} behind it")))
        }
        _ => {
            let message = format!("`{}` takes {what} and nothing else", head.text);
            Err(QuestionError::new(column, message, "put a name with spaces into quotes"))
        }
    };
    let enforcer = match head.text.as_str() {
        "landlock" => QuestionedEnforcer::Landlock(one("the path of a policy document")?),
        "seatbelt" => QuestionedEnforcer::Seatbelt(one("the path of a profile")?),
        "launcher" => match values {
            [document] if document.text.ends_with(".json") => {
                QuestionedEnforcer::LauncherDocument(document.text.clone())
            }
            [] => return Err(one("a command, or the path of a launcher's document").expect_err("there is none")),
            [first, ..] => {
                let begin: usize = line.chars().take(first.column - 1).map(char::len_utf8).sum();
                QuestionedEnforcer::Command(command(&parts.written[begin..], first.column)?)
            }
        },
        "plan" => {
            let id = PlanId::new(one("an id")?);
            let id = id.map_err(|error| QuestionError::new(column, error.to_string(), "write another id"))?;
            return once(&mut file.plan_id, id, "plan");
        }
        "world" => {
            let id = WorldId::new(one("an id")?);
            let id = id.map_err(|error| QuestionError::new(column, error.to_string(), "write another id"))?;
            return once(&mut file.world_id, id, "world");
        }
        _ => {
            let question = question(number, line, &parts.words)?;
            match file.sections.last_mut() {
                Some(section) => section.questions.push(question),
                None => file.loose.push(question),
            }
            return Ok(());
        }
    };
    file.sections.push(QuestionSection {
        id: String::new(),
        line: number,
        enforcer,
        questions: Vec::new(),
        has_faults: false,
    });
    Ok(())
}

fn once<T>(known: &mut Option<T>, value: T, key: &str) -> Result<(), QuestionError> {
    match known.replace(value) {
        None => Ok(()),
        Some(_) => Err(QuestionError::new(1, format!("there are two `{key}` lines"), "remove one")),
    }
}

/// The words of a launcher's command, which a shell would not read otherwise.
fn command(text: &str, column: usize) -> Result<Vec<String>, QuestionError> {
    shell_words::split(text).map_err(|error| {
        let remedy = "write the command as a shell would take it, without anything that a shell does";
        QuestionError::new(column, error.to_string(), remedy)
    })
}

fn question(number: usize, line: &str, all: &[words::LineWord]) -> Result<QuestionLine, QuestionError> {
    let (expected, _, taken) = super::question::expectation(all).map_err(|message| {
        QuestionError::new(all[0].column, message, "write `allow`, `deny`, or one of them with demands: `deny(hidden)`")
    })?;
    let subject = &all[taken..];
    let Some(verb) = subject.first() else {
        let remedy = "write what is done and on what, such as `deny read /etc/shadow`";
        return Err(QuestionError::new(all[0].column, "there is no verb", remedy));
    };
    if !super::verbs::is_verb(&verb.text) {
        let message = format!("`{}` is neither a verb nor what a line may begin with", excerpt(&verb.text, 80));
        let known = super::verbs::VERBS.iter().chain(&HEADS).chain(&["allow", "deny"]).copied();
        let remedy = hint_for(&verb.text, known, "`sandproof ask --help` lists the verbs");
        return Err(QuestionError::new(verb.column, message, remedy));
    }
    Ok(QuestionLine {
        id: String::new(),
        line: number,
        text: line.to_owned(),
        expected,
        subject: words::joined(subject.iter().map(|word| word.text.as_str())),
    })
}

/// Gives profiles and questions their ids, and notes what stands in the file twice.
///
/// A question's id is its words without the expectation, so that it stays the same while lines come and go. Where two
/// profiles expect or explain the same question differently, the profile's id stands before it.
fn name_questions(file: &mut QuestionFile, notes: &mut Diagnostics<'_>) {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut asked: HashMap<String, Option<String>> = HashMap::new();
    for section in &mut file.sections {
        let name = section.enforcer.name().to_owned();
        let times = taken.entry(name.clone()).and_modify(|times| *times += 1).or_insert(1);
        section.id = if *times == 1 { name } else { format!("{name}-{times}") };
        if section.questions.is_empty() && !section.has_faults {
            let message = "nothing is asked of it";
            let remedy = "write questions on the lines below, such as `deny read /etc/shadow`";
            notes.error(DiagnosticKind::Empty, format!("{}:1", section.line), message, remedy);
        }
        let mut here: HashMap<&str, usize> = HashMap::new();
        for question in &section.questions {
            if let Some(line) = here.insert(&question.subject, question.line) {
                let message = format!("`{}` is asked on line {line} already", excerpt(&question.subject, 80));
                notes.error(DiagnosticKind::Duplicate, format!("{}:1", question.line), message, "remove one of them");
            }
            let text = question.text.trim().to_owned();
            let one = asked.entry(question.subject.clone()).or_insert_with(|| Some(text.clone()));
            if one.as_ref() != Some(&text) {
                *one = None;
            }
        }
    }
    for section in &mut file.sections {
        for question in &mut section.questions {
            let id = match asked.get(&question.subject) {
                Some(None) => format!("{}: {}", section.id, question.subject),
                _ => question.subject.clone(),
            };
            // What is too long for an id is named by its place.
            question.id = if ExpectationId::new(id.as_str()).is_ok() { id } else { format!("line {}", question.line) };
        }
    }
    if file.sections.is_empty() && file.loose.is_empty() && !notes.list.is_empty() {
        // What it should have asked could not be read, which was said.
        return;
    }
    if file.sections.is_empty() {
        let message = if file.loose.is_empty() { "the file asks nothing" } else { "no line says who is asked" };
        let remedy =
            "begin it with `landlock FILE`, `seatbelt FILE` or `launcher COMMAND …`, and questions on the lines below";
        notes.error(DiagnosticKind::Empty, "1:1", message, remedy);
    } else if let Some(first) = file.loose.first() {
        let message = "this question stands before the line that says who is asked";
        notes.error(DiagnosticKind::Question, format!("{}:1", first.line), message, "move it below that line");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::diagnostic::Diagnostic;

    fn read(text: &str) -> (QuestionFile, Vec<Diagnostic>) {
        let mut notes = Vec::new();
        let file = parse(text, &mut Diagnostics { list: &mut notes, file: "f", subject: "" });
        (file, notes)
    }

    fn ids(text: &str) -> Vec<(String, Vec<String>)> {
        let (file, notes) = read(text);
        assert_eq!(notes, [], "{text}");
        let ids = |section: &QuestionSection| section.questions.iter().map(|question| question.id.clone()).collect();
        file.sections.iter().map(|section| (section.id.clone(), ids(section))).collect()
    }

    #[test]
    fn lines_are_enforcers_with_their_questions() {
        let text = "\u{feff}# a file\r\n\r\nplan mine\r\nworld here\r\nlandlock p/agent.json # ours\r\n\tdeny  read /x # so\r\n\
                    launcher env -- 'A=b c'\nread \"/a b\"\n";
        let (file, notes) = read(text);
        assert_eq!(notes, []);
        assert_eq!(file.plan_id.as_ref().map(PlanId::as_str), Some("mine"));
        assert_eq!(file.world_id.as_ref().map(WorldId::as_str), Some("here"));
        let argv = ["env", "--", "A=b c"].map(str::to_owned).to_vec();
        let [policy, command] = file.sections.as_slice() else { panic!("{file:?}") };
        assert_eq!(policy.enforcer, QuestionedEnforcer::Landlock("p/agent.json".into()));
        assert_eq!((policy.line, command.line, &command.enforcer), (5, 7, &QuestionedEnforcer::Command(argv)));
        assert_eq!(policy.questions[0].text, "\tdeny  read /x # so");
        assert_eq!(ids(text), [("agent".into(), vec!["read /x".into()]), ("env".into(), vec!["read \"/a b\"".into()])]);
    }

    #[test]
    fn ids_stay_while_lines_come_and_go_and_tell_profiles_apart_where_they_differ() {
        let both =
            "landlock a.json\ndeny read /x\nallow read /y\nlandlock b/a.json\n# more\nallow read /x\nallow read /y\n";
        assert_eq!(
            ids(both),
            [
                ("a".into(), vec!["a: read /x".into(), "read /y".into()]),
                ("a-2".into(), vec!["a-2: read /x".into(), "read /y".into()]),
            ]
        );
        let long = format!("landlock a.json\nread /{}\n", "x".repeat(600));
        assert_eq!(ids(&long)[0].1, ["line 2"]);
    }

    #[test]
    fn everything_wrong_is_said_with_its_place() {
        for (text, place, wanted) in [
            ("", "1:1", "asks nothing"),
            ("read /x", "1:1", "no line says who is asked"),
            ("landlock", "1:1", "`landlock` needs the path"),
            ("landlock a b\nread /x", "1:10", "nothing else"),
            ("launcher\nread /x", "1:1", "needs a command"),
            ("launcher a | b\nread /x", "1:10", "needs a shell"),
            ("landlock a", "1:1", "nothing is asked of it"),
            ("landlok a", "1:1", "neither a verb"),
            ("plan a\nplan b\nlandlock a\nread /x", "2:1", "two `plan` lines"),
            ("landlock a\ndeny\n", "2:1", "there is no verb"),
            ("landlock a\ndeny flie /x\n", "2:6", "`flie` is neither"),
            ("landlock a\ndeny(hidden read /x\n", "2:1", "bracket is not closed"),
            ("landlock a\nread /x\ndeny read  /x # again\n", "3:1", "is asked on line 2 already"),
            ("landlock a\nread '/x\n", "2:6", "quote is not closed"),
            ("landlock a\nread /x\0\n", "2:8", "control character (U+0000)"),
            ("read /y\nlandlock a\nread /x\n", "1:1", "stands before the line"),
        ] {
            let (_, notes) = read(text);
            let found = notes.iter().any(|note| note.pointer == place && note.message.contains(wanted));
            assert!(found, "{text}: {notes:?}");
        }
        // What could not be read is no second fault of its section.
        assert_eq!(read("landlock a\nfly /x\n").1.len(), 1);
        assert_eq!(read("[1]\n").1.len(), 1);
        let long = format!("landlock a\nread /{}\n", "x".repeat(1 << 20));
        assert!(read(&long).1.iter().any(|note| note.message.contains("65536 are the most")));
    }

    proptest! {
        #[test]
        fn no_file_panics(text in any::<String>()) {
            read(&text);
        }

        #[test]
        fn no_lines_panic(text in "((allow|deny|landlock|launcher|world|plan|read|list|#|\\(|\\)|'|\"|\\\\|/x|~|\\$\\{workspace\\}/a| |\t|\n){0,8}\n){0,6}") {
            read(&text);
        }
    }
}
