//! `sandproof learn`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::exit::{Exit, Failure};
use super::failures::review_failure;
use super::scratch::ScratchFolder;
use super::ui::{Ui, json_text};
use crate::base::archive;
use crate::base::fsx;
use crate::base::json;
use crate::base::limits::MAX_BUNDLE_DOCUMENT_BYTES;
use crate::base::printable::Lines;
use crate::record::collected::{COLLECTED, COLLECTED_SCHEMA, COLLECTED_SELFTEST, Collected};
use crate::record::layout::RUN_STATUS;
use crate::record::learned::{FactSource, LEARNED_SCHEMA, Learned, LearnedFact, LearnedRun};
use crate::record::selftest::{SELFTEST_SCHEMA, SelftestConclusion};
use crate::review::learn;

/// Read an archive that `collect` made on some host, and list what is to be learnt from it.
///
/// What the host answered is held against what this program says: the questions of the selftest, the expectations of the
/// probes, the model of each policy, `sandbox_check`, the questions of the clean channel. Bundles are verified first, and
/// nothing is believed of one that does not verify. Nothing is executed; nothing vouches for who made the archive.
///
/// Exit 0 if all is as was said, 1 if there are facts to learn, 8 if there are none and something has no answer, 4 if the
/// archive is refused.
#[derive(Debug, Args)]
pub(super) struct LearnArgs {
    /// The archive, or a folder that it was extracted to.
    archive: PathBuf,
    /// Also compare with this other archive or folder: of another host, or of an emulated one.
    #[arg(long, value_name = "ARCHIVE")]
    against: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// What this program expects of a question of the selftest, by its id, and whether an answer is it; nothing of a question that
/// it does not know.
pub(super) type SelftestExpectation = fn(&str, &str) -> Option<(&'static str, bool)>;

/// The archive is refused.
#[derive(Debug, thiserror::Error)]
#[error("the archive `{}` is refused", path.display())]
struct ArchiveRefused {
    path: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Something in the archive is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ArchiveMismatch(String);

/// Reads, compares, says.
pub(super) fn run(args: &LearnArgs, expects: SelftestExpectation, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut told = read(&args.archive, expects)?;
    if let Some(other) = &args.against {
        let other = read(other, expects)?;
        told.compare(&other);
    }
    let learned = told.learned;
    ui.bytes(&answer(&learned, args.json));
    Ok(match (learned.facts.is_empty(), learned.open.is_empty()) {
        (false, _) => Exit::Mismatch,
        (true, false) => Exit::Undecided,
        (true, true) => Exit::Done,
    })
}

/// What an archive tells.
struct ArchiveContent {
    learned: Learned,
    /// Every answer, by where it was given and to what.
    answers: BTreeMap<(String, String), String>,
}

/// The part of a selftest's report that is read.
#[derive(Deserialize)]
struct SelftestReport {
    schema_version: String,
    host: ReportedHost,
    items: Vec<ReportItem>,
}

#[derive(Deserialize)]
struct ReportedHost {
    os: String,
    product_version: Option<String>,
    product_build: Option<String>,
    kernel_release: Option<String>,
}

#[derive(Deserialize)]
struct ReportItem {
    id: String,
    question: String,
    expected: String,
    observed: Option<String>,
    reason: Option<String>,
    verdict: SelftestConclusion,
}

fn read(path: &Path, expects: SelftestExpectation) -> Result<ArchiveContent, Failure> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(Exit::BundleInvalid, ArchiveRefused { path: path.to_owned(), source })
    };
    if path.is_dir() {
        return of_folder(path, expects, &refused);
    }
    if !path.exists() {
        return Err(Failure::new(Exit::Usage, ArchiveMismatch(format!("there is no `{}`", path.display()))));
    }
    let folder = ScratchFolder::new("learn")?;
    archive::unpack(path, folder.path()).map_err(|error| refused(error.into()))?;
    of_folder(folder.path(), expects, &refused)
}

fn of_folder(
    folder: &Path,
    expects: SelftestExpectation,
    refused: &dyn Fn(Box<dyn std::error::Error + Send + Sync>) -> Failure,
) -> Result<ArchiveContent, Failure> {
    let mut told = ArchiveContent {
        learned: Learned {
            schema_version: LEARNED_SCHEMA,
            version: None,
            host: None,
            questions: 0,
            runs: Vec::new(),
            facts: Vec::new(),
            open: Vec::new(),
        },
        answers: BTreeMap::new(),
    };
    let collected: Option<Collected> =
        document(folder, COLLECTED, |document: &Collected| document.schema_version == COLLECTED_SCHEMA)
            .map_err(|error| refused(error.into()))?;
    if let Some(collected) = &collected {
        told.steps(collected);
    }
    let report: Option<SelftestReport> =
        document(folder, COLLECTED_SELFTEST, |report: &SelftestReport| report.schema_version == SELFTEST_SCHEMA)
            .map_err(|error| refused(error.into()))?;
    let anything = collected.is_some() || report.is_some();
    if let Some(report) = report {
        told.selftest(report, expects);
    }
    let runs = runs_in(folder).map_err(|error| refused(error.into()))?;
    if !anything && runs.is_empty() {
        let words = format!("it has neither `{COLLECTED}`, nor `{COLLECTED_SELFTEST}`, nor a run");
        return Err(refused(ArchiveMismatch(words).into()));
    }
    for place in runs {
        let facts = learn::of_run(&folder.join(&place), &place).map_err(review_failure)?;
        // Runs have ids of their own; what can be compared is what was run there.
        let root = place.split('/').next().unwrap_or_default().to_owned();
        for ((profile, expectation), answer) in facts.answers {
            told.answers.insert((format!("{root} {profile}"), expectation), answer);
        }
        told.learned.runs.push(facts.run);
        told.learned.facts.extend(facts.facts);
        told.learned.open.extend(facts.open);
    }
    Ok(told)
}

/// A document of the archive; nothing if it is not there.
fn document<T: for<'de> Deserialize<'de>>(
    folder: &Path,
    name: &str,
    is_it: impl Fn(&T) -> bool,
) -> Result<Option<T>, ArchiveMismatch> {
    let path = folder.join(name);
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let no = |why: String| ArchiveMismatch(format!("`{name}` in it is not a valid document: {why}"));
    let bytes = fsx::read_regular(&path, MAX_BUNDLE_DOCUMENT_BYTES).map_err(|error| no(error.to_string()))?;
    // Depth, repeated keys and the like first.
    json::parse(&bytes).map_err(|error| no(error.to_string()))?;
    let document: T = json::typed(&bytes).map_err(|error| no(error.to_string()))?;
    if !is_it(&document) {
        return Err(no("it is of another format".to_owned()));
    }
    Ok(Some(document))
}

/// The folders of runs, two levels deep, in order.
fn runs_in(folder: &Path) -> Result<Vec<String>, ArchiveMismatch> {
    let names = |folder: &Path| -> Result<Vec<String>, ArchiveMismatch> {
        let failed = |error: std::io::Error| ArchiveMismatch(format!("it cannot be listed: {error}"));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        names.sort();
        Ok(names)
    };
    let mut found = Vec::new();
    for root in names(folder)? {
        for run in names(&folder.join(&root))? {
            let place = format!("{root}/{run}");
            if folder.join(&place).join(RUN_STATUS).symlink_metadata().is_ok() {
                found.push(place);
            }
        }
    }
    Ok(found)
}

impl ArchiveContent {
    fn steps(&mut self, collected: &Collected) {
        self.learned.version = Some(collected.version.clone());
        for step in collected.steps.iter().filter(|step| !step.is_answer()) {
            let observed = match (step.exit_code, step.signal) {
                (Some(code), _) => format!("exit {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            };
            self.learned.open.push(LearnedFact {
                source: FactSource::Step,
                place: COLLECTED.to_owned(),
                about: step.step.clone(),
                subject: step.arguments.join(" "),
                said: "exit 0, 1 or 8".to_owned(),
                observed: format!("{observed}; see {}", step.stderr),
            });
        }
    }

    /// The questions. What is expected is what this program expects; of a question that it does not know, what the report
    /// says.
    fn selftest(&mut self, report: SelftestReport, expects: SelftestExpectation) {
        let ReportedHost { os, product_version, product_build, kernel_release } = report.host;
        let parts = [Some(os), product_version, product_build, kernel_release];
        self.learned.host = Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
        for item in report.items {
            let fact = |said: String, observed: String| LearnedFact {
                source: FactSource::Selftest,
                place: COLLECTED_SELFTEST.to_owned(),
                about: item.id.clone(),
                subject: item.question.clone(),
                said,
                observed,
            };
            match &item.observed {
                Some(observed) => {
                    self.learned.questions += 1;
                    self.answers.insert((COLLECTED_SELFTEST.to_owned(), item.id.clone()), observed.clone());
                    let (said, as_expected) = expects(&item.id, observed)
                        .unwrap_or((&item.expected, item.verdict == SelftestConclusion::Settled));
                    if !as_expected {
                        self.learned.facts.push(fact(said.to_owned(), observed.clone()));
                    }
                }
                None if item.verdict == SelftestConclusion::Skipped => {}
                None => {
                    let reason = item.reason.clone().unwrap_or_else(|| "no reason is given".to_owned());
                    self.learned.open.push(fact(item.expected.clone(), reason));
                }
            }
        }
    }

    /// Where another archive has another answer to the same question.
    fn compare(&mut self, other: &Self) {
        for ((place, about), observed) in &self.answers {
            match other.answers.get(&(place.clone(), about.clone())) {
                Some(said) if said != observed => self.learned.facts.push(LearnedFact {
                    source: FactSource::Other,
                    place: place.clone(),
                    about: about.clone(),
                    subject: "what the other archive has".to_owned(),
                    said: said.clone(),
                    observed: observed.clone(),
                }),
                _ => {}
            }
        }
    }
}

/// What is written to standard output.
fn answer(learned: &Learned, json: bool) -> Vec<u8> {
    if json { json_text(learned) } else { text(learned).as_str().into() }
}

fn text(learned: &Learned) -> Lines {
    let mut lines = Lines::default();
    let host = learned.host.as_deref().unwrap_or("not told");
    lines.line(format!("host      {host} (as it says of itself)"));
    lines.line(format!("questions {} answered", learned.questions));
    for LearnedRun { folder, plan_id, channel, verified, promotable, decided, undecided } in &learned.runs {
        let (plan, channel) = (plan_id.as_deref().unwrap_or("?"), channel.as_deref().unwrap_or("?"));
        let state = match (verified, promotable) {
            (false, _) => "does not verify",
            (true, false) => "verified",
            (true, true) => "verified, promotable",
        };
        lines.line(format!("run       {folder}: {plan}, {channel}, {decided} decided, {undecided} undecided, {state}"));
    }
    for (title, facts) in [("to learn", &learned.facts), ("without an answer", &learned.open)] {
        if facts.is_empty() {
            continue;
        }
        lines.blank();
        lines.line(format!("{title}:"));
        for fact in facts {
            lines.line(format!("  {} {} ({})", fact.source.as_str(), fact.about, fact.place));
            lines.line(format!("    {}", fact.subject));
            lines.line(format!("    said {}; observed {}", fact.said, fact.observed));
        }
    }
    lines.blank();
    lines.line(match (learned.facts.len(), learned.open.len()) {
        (0, 0) => "everything is as documented".to_owned(),
        (facts, open) => format!("{facts} to learn, {open} without an answer"),
    });
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::collected::CollectedStep;

    /// Knows one question, whose answer is to be `yes`.
    fn expects(id: &str, observed: &str) -> Option<(&'static str, bool)> {
        (id == "known").then_some(("yes", observed == "yes"))
    }

    fn folder(files: &[(&str, Value)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, document) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, document.to_string()).unwrap();
        }
        dir
    }

    fn read_it(path: &Path) -> Result<ArchiveContent, String> {
        read(path, expects).map_err(|failure| failure.told())
    }

    fn collected(steps: &[(&str, Option<i32>)]) -> Collected {
        let steps = steps.iter().map(|(name, exit_code)| CollectedStep {
            step: (*name).into(),
            arguments: vec!["run".into(), "plan.json".into()],
            exit_code: *exit_code,
            signal: exit_code.is_none().then_some(9),
            stdout: format!("{name}.out"),
            stderr: format!("{name}.err"),
        });
        let (schema_version, version, os) = (COLLECTED_SCHEMA.into(), "1.2".into(), "linux".into());
        Collected { schema_version, version, os, steps: steps.collect() }
    }

    fn item(id: &str, observed: Option<&str>, verdict: &str, reason: Option<&str>) -> Value {
        json!({"id": id, "question": format!("{id}?"), "expected": "as ever", "observed": observed, "verdict": verdict,
            "reason": reason})
    }

    fn report(items: &[Value]) -> Value {
        json!({"schema_version": SELFTEST_SCHEMA, "host": {"os": "linux", "kernel_release": "6.1"}, "items": items})
    }

    fn words(facts: &[LearnedFact]) -> Vec<String> {
        facts.iter().map(|fact| format!("{}: said {}, observed {}", fact.about, fact.said, fact.observed)).collect()
    }

    #[test]
    fn an_archive_is_a_folder_or_a_file_and_has_to_be_there() {
        let dir = folder(&[(COLLECTED, serde_json::to_value(collected(&[])).unwrap()), ("no-archive", json!(1))]);
        assert_eq!(read_it(dir.path()).unwrap().learned.version.as_deref(), Some("1.2"));
        let absent = read_it(&dir.path().join("none")).err().unwrap();
        assert!(absent.starts_with("there is no `"), "{absent}");
        let refused = read_it(&dir.path().join("no-archive")).err().unwrap();
        assert!(refused.starts_with("the archive `"), "{refused}");
    }

    #[test]
    fn a_folder_has_to_hold_something_that_is_read() {
        let refused = read_it(folder(&[("other.json", json!({}))]).path()).err().unwrap();
        assert!(refused.ends_with("it has neither `collected.json`, nor `selftest.json`, nor a run"), "{refused}");
        let only_report = read_it(folder(&[(COLLECTED_SELFTEST, report(&[]))]).path()).unwrap().learned;
        assert_eq!((only_report.host.as_deref(), only_report.version), (Some("linux 6.1"), None));
        // One that does not verify, which is a fact.
        let only_run = read_it(folder(&[("out/run-1/run_status.json", json!({}))]).path()).unwrap().learned;
        assert_eq!((only_run.runs.len(), only_run.facts.len(), &*only_run.runs[0].folder), (1, 1, "out/run-1"));
    }

    #[test]
    fn a_document_of_another_format_is_refused() {
        let mut other = report(&[]);
        other["schema_version"] = json!("sandproof.selftest.v0");
        let refused = read_it(folder(&[(COLLECTED_SELFTEST, other)]).path()).err().unwrap();
        assert!(
            refused.ends_with("`selftest.json` in it is not a valid document: it is of another format"),
            "{refused}"
        );
    }

    #[test]
    fn runs_are_folders_two_levels_deep_that_have_a_status() {
        let files = ["b/run-2/run_status.json", "b/run-1/run_status.json", "a/run-3/run_status.json"];
        let others = ["a/no-run/other.json", "a/file", "run_status.json", "c/run_status.json", "c/d/e/run_status.json"];
        let all: Vec<(&str, Value)> = files.into_iter().chain(others).map(|name| (name, json!({}))).collect();
        assert_eq!(runs_in(folder(&all).path()).unwrap(), ["a/run-3", "b/run-1", "b/run-2"]);
    }

    fn content(steps: &[(&str, Option<i32>)], items: &[Value]) -> ArchiveContent {
        let steps = serde_json::to_value(collected(steps)).unwrap();
        read_it(folder(&[(COLLECTED, steps), (COLLECTED_SELFTEST, report(items))]).path()).unwrap()
    }

    #[test]
    fn a_step_that_gave_no_answer_is_open() {
        let steps =
            [("status", Some(0)), ("plan", Some(3)), ("direct", Some(1)), ("clean", None), ("selftest", Some(8))];
        let told = content(&steps, &[]).learned;
        let wanted = [
            "plan: said exit 0, 1 or 8, observed exit 3; see plan.err",
            "clean: said exit 0, 1 or 8, observed signal 9; see clean.err",
        ];
        assert_eq!(words(&told.open), wanted);
        assert_eq!((told.facts.len(), &*told.open[0].subject), (0, "run plan.json"));
    }

    #[test]
    fn an_answer_is_held_to_what_this_program_expects_and_else_to_the_report() {
        let told = content(
            &[],
            &[
                // What the report makes of a question that is known here does not count.
                item("known", Some("yes"), "differs", None),
                item("foreign", Some("as ever"), "settled", None),
                item("other", Some("as never"), "differs", None),
                item("left", None, "skipped", Some("not wanted")),
                item("broken", None, "unavailable", Some("no such call")),
                item("silent", None, "unavailable", None),
            ],
        );
        assert_eq!(told.learned.questions, 3);
        assert_eq!(words(&told.learned.facts), ["other: said as ever, observed as never"]);
        let open = ["broken: said as ever, observed no such call", "silent: said as ever, observed no reason is given"];
        assert_eq!(words(&told.learned.open), open);
        let wrong = content(&[], &[item("known", Some("no"), "settled", None)]);
        assert_eq!(words(&wrong.learned.facts), ["known: said yes, observed no"]);
    }

    #[test]
    fn archives_are_compared_where_both_have_an_answer() {
        let answers = |list: &[(&str, &str)]| {
            let items: Vec<Value> = list.iter().map(|(id, answer)| item(id, Some(answer), "settled", None)).collect();
            content(&[], &items)
        };
        let mut own = answers(&[("same", "1"), ("other", "2"), ("only-here", "3")]);
        own.compare(&answers(&[("same", "1"), ("other", "4"), ("only-there", "5")]));
        assert_eq!(words(&own.learned.facts), ["other: said 4, observed 2"]);
        assert_eq!(own.learned.facts[0].source, FactSource::Other);
    }

    #[test]
    fn the_text_has_a_heading_for_what_there_is_alone() {
        let said = |items: &[Value]| text(&content(&[], items).learned).as_str().to_owned();
        let headings =
            |text: &str| ["to learn:", "without an answer:"].map(|heading| text.lines().any(|line| line == heading));
        let none = said(&[]);
        assert_eq!(headings(&none), [false, false], "{none}");
        assert!(none.ends_with("\neverything is as documented\n"), "{none}");
        let facts = said(&[item("known", Some("no"), "differs", None)]);
        assert_eq!(headings(&facts), [true, false], "{facts}");
        assert!(facts.contains("    said yes; observed no\n"), "{facts}");
        let open = said(&[item("broken", None, "unavailable", None)]);
        assert_eq!(headings(&open), [false, true], "{open}");
        assert!(open.ends_with("\n0 to learn, 1 without an answer\n"), "{open}");
    }

    #[test]
    fn the_answer_is_a_document_or_a_text() {
        let learned = content(&[], &[]).learned;
        let document: Value = serde_json::from_slice(&answer(&learned, true)).unwrap();
        assert_eq!((&document["schema_version"], &document["questions"]), (&json!(LEARNED_SCHEMA), &json!(0)));
        assert_eq!(answer(&learned, false), text(&learned).as_str().as_bytes());
    }
}
