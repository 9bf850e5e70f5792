//! `sandproof ask`: questions in plain words to a command that sandboxes, or to a policy.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::exit::{Exit, Failure, OrFail};
use super::progress::ProgressBars;
use super::run::{environment, home, own_executable, run_failure};
use super::run_report::shown;
use super::scratch::ScratchFolder;
use super::ui::Ui;
use super::{signals, table};
use crate::base::fsx;
use crate::base::grouping;
use crate::base::ids::RunId;
use crate::base::json_out;
use crate::base::limits::{MAX_BUNDLE_DOCUMENT_BYTES, MAX_POLICY_BYTES};
use crate::base::placeholder::without_own_folder;
use crate::base::printable::{Lines, path_text};
use crate::bundle::lock::LockMode;
use crate::evidence::launcher as rule;
use crate::evidence::remedies;
use crate::lane::fixture::usual_places;
use crate::plan::policy_lookup::policy_in_file;
use crate::plan::questions::{self, AskQuestion, Asker, HOST_WORLD, VERBS_HELP, read_questions};
use crate::plan::{self, Selection};
use crate::policy::PolicyMode;
use crate::policy::launcher::LauncherDocument;
use crate::record::layout;
use crate::record::manifest::ChannelKind;
use crate::record::outcome::{Decision, Lane};
use crate::record::row::ProbeRow;
use crate::run::{self, DeclaredRun, Executable, LauncherConsent, RunControl, RunPlaces, RunReport, RunRequest};

/// The world that stands for whatever host this is.
const WORLD: &str = if cfg!(target_os = "macos") { "macos-host" } else { HOST_WORLD };
/// Format of `ask --json`. 1: first release.
pub const ASK_REPORT_SCHEMA: &str = "sandproof.ask_report.v1";

/// Ask a command that sandboxes, or a policy, what it lets through.
///
/// Everything after the first `--` is the command; the probe is appended to it, or stands where it says `${probe}`. A question
/// is `[allow|deny] VERB WHAT`; without `allow` or `deny` it is only answered.
#[derive(Debug, Args)]
#[command(after_long_help = VERBS_HELP)]
pub(super) struct AskArgs {
    /// `[allow|deny] VERB WHAT`, each as one argument: `'deny read ~/.ssh/id_ed25519'`. `--help` lists the verbs.
    #[arg(value_name = "QUESTION", required_unless_present = "questions_file")]
    questions: Vec<String>,
    /// Ask what stands in this file, one question a line; `-` is standard input.
    #[arg(long = "questions", value_name = "FILE")]
    questions_file: Option<PathBuf>,
    /// The command, after `--`. Placeholders: `${workspace}`, `${outside}`, `${home}`, `${state}`, `${probe}`.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Ask this Landlock policy or Seatbelt profile instead of a command.
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    policy: Option<PathBuf>,
    /// What the command calls a path inside, where it renames it: `${workspace}=/inside`. May be given several times.
    #[arg(long, value_name = "PATH=INSIDE", value_parser = pair)]
    path: Vec<(String, String)>,
    /// How long the command may take until its program says that it lives, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    start_timeout_ms: u64,
    /// Start the command also where this is root. What it lets through then reaches the host as root.
    #[arg(long)]
    as_root: bool,
    /// The output root; the bundle becomes a folder in it. Default: `out` in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The attempt's id, which is also the bundle's folder name. Default: a fresh UUID.
    #[arg(long, value_name = "ID")]
    run_id: Option<RunId>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("write PATH=INSIDE")?;
    Ok((from.to_owned(), to.to_owned()))
}

/// `ask --json`
#[derive(Debug, Serialize)]
struct AskDocument<'r> {
    schema_version: &'static str,
    run_id: &'r RunId,
    bundle: String,
    answers: &'r [AskResult<'r>],
    as_expected: u64,
    mismatched: u64,
    undecided: u64,
    unasserted: u64,
    exit_code: u8,
}

/// What came of one question.
#[derive(Debug, Serialize)]
struct AskResult<'r> {
    /// The question as it was asked.
    question: String,
    /// What was expected; null for a question that is only answered.
    expected: Option<Decision>,
    /// How a denial has to come about to be as expected. Empty: in whatever way.
    demanded: Vec<&'static str>,
    /// The error numbers, by name, with one of which a denial has to come to be as expected. Empty: with whichever.
    demanded_errno: &'r [String],
    /// Whether the name as spelled is meant alone, whatever other names its object has inside.
    name_alone: bool,
    /// What happened; null if nobody can say.
    answer: Option<Decision>,
    /// The word of what is undecided; null if it is decided.
    undecided: Option<String>,
    /// How it was denied; null for anything else, and under a policy.
    mechanism: Option<&'static str>,
    /// Why, in words.
    cause: String,
    /// The error number that was seen, by name.
    errno: Option<String>,
    /// Every name that was tried.
    tried: Vec<String>,
    /// How the worker inside was reached; null if it was not, and under a policy.
    start: Option<&'static str>,
    /// What the launcher left in the workspace.
    launcher_residue: Vec<String>,
}

/// Asks.
pub(super) fn run(args: &AskArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.command.is_empty() && args.policy.is_none() {
        return Err(Failure::new(Exit::Usage, BadQuestion("neither a launcher nor a policy is named".into()))
            .hint("name a command after `--`: `sandproof ask 'deny read /etc/shadow' -- bwrap --ro-bind / / --`")
            .hint("or a policy: `sandproof ask 'allow read /etc/passwd' --policy FILE`"));
    }
    let questions = questions(args)?;
    let folder = ScratchFolder::new("ask")?;
    write_plan(args, &folder, &questions)?;
    let cancel = signals::install().or_fail(Exit::Fault)?;
    let exe = Executable::from(own_executable()?);
    let (plan, root) = plan::load(&folder.path().join("plan.json"), None, &Selection::default())
        .map_err(|error| refused_policy(args).unwrap_or_else(|| super::failures::load_failure(error)))?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("out"));
    let request = RunRequest {
        declared: DeclaredRun {
            plan,
            run_id: args.run_id.clone().unwrap_or_else(RunId::fresh),
            channel: ChannelKind::Direct,
            channel_limit: Duration::from_secs(3600),
            lock_mode: LockMode::Wait(Duration::from_secs(30)),
            dry: false,
            jobs: 1,
            repeat: 1,
            shuffle: None,
            // Whoever asks about a program names it.
            host_programs: questions.iter().any(AskQuestion::executes),
            launchers: LauncherConsent { given: true, as_root: args.as_root },
            environment: environment(),
        },
        places: RunPlaces {
            out: std::path::absolute(&out).unwrap_or(out),
            root,
            fixture_candidates: usual_places(),
            exe,
        },
        control: RunControl { cancel, worker: None, attribute: false },
    };
    let mut progress = ProgressBars::new(ui.draws_progress());
    let outcome = run::run(&request, &mut progress);
    progress.finish();
    let report = outcome.map_err(run_failure)?;
    let answers = answers(&report, &questions)?;
    let exit = exit_of(&answers);
    if args.json {
        ui.json(&document(&report, &answers, exit));
    } else {
        ui.within_width(&text(&report, &answers, ui.width()));
    }
    std::mem::forget(request);
    Ok(exit)
}

/// What is wrong with the policy by itself, under the name that it was given by: the plan that asks it has a copy.
fn refused_policy(args: &AskArgs) -> Option<Failure> {
    let error = policy_in_file(args.policy.as_deref()?, &BTreeMap::new(), None).err()?;
    Some(super::failures::load_failure(error))
}

/// The questions of the command line, and then those of the file.
fn questions(args: &AskArgs) -> Result<Vec<AskQuestion>, Failure> {
    let folder = std::env::current_dir().or_fail(Exit::Fault)?;
    let asker = Asker { home: home(), folder };
    let mut questions = Vec::new();
    for text in &args.questions {
        let question = AskQuestion::read(questions.len(), text, &asker).map_err(|error| {
            Failure::new(Exit::Usage, BadQuestion(format!("`{text}`: {}; {}", error.message, error.remedy)))
        })?;
        questions.push(question);
    }
    let Some(file) = &args.questions_file else { return Ok(questions) };
    let is_stdin = file.as_os_str() == "-";
    let bytes = if is_stdin {
        let mut bytes = Vec::new();
        std::io::stdin().take(MAX_POLICY_BYTES + 1).read_to_end(&mut bytes).or_fail(Exit::InputRefused)?;
        bytes
    } else {
        fsx::read_input(file, MAX_POLICY_BYTES).or_fail(Exit::InputRefused)?.to_vec()
    };
    let folder = std::path::absolute(fsx::folder_of(file)).or_fail(Exit::InputRefused)?;
    let asker = if is_stdin { asker } else { Asker { folder, ..asker } };
    let name = if is_stdin { "standard input".to_owned() } else { path_text(file) };
    questions.extend(read_questions(&name, &bytes, questions.len(), &asker).map_err(super::failures::load_failure)?);
    Ok(questions)
}

/// A question that cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadQuestion(String);

/// Writes the plan that asks the questions.
fn write_plan(args: &AskArgs, folder: &ScratchFolder, questions: &[AskQuestion]) -> Result<(), Failure> {
    let (mode, name, policy) = match &args.policy {
        Some(file) => {
            let bytes = fsx::read_input(file, crate::base::limits::MAX_POLICY_BYTES).or_fail(Exit::InputRefused)?;
            let begin = bytes.iter().find(|b| !b.is_ascii_whitespace());
            let mode = if begin == Some(&b'{') { PolicyMode::Landlock } else { PolicyMode::Sbpl };
            (mode, "registry/policy", bytes.to_vec())
        }
        None => {
            let name = args.command.first().map_or("command", |program| program.rsplit('/').next().unwrap_or(program));
            let name = if name.is_empty() { "command" } else { name };
            let mut document = LauncherDocument::of_command(name, args.command.clone());
            document.start_timeout_ms = args.start_timeout_ms;
            document.paths = args.path.iter().cloned().collect();
            (PolicyMode::Launcher, "registry/launcher.json", json_out::to_pretty(&document))
        }
    };
    let probes: BTreeMap<String, Value> = questions.iter().map(|question| (question.id(), question.probe())).collect();
    let has_home =
        questions.iter().map(|question| &question.text).chain(&args.command).any(|text| text.contains("${home}"));
    let refs: Vec<String> = questions.iter().map(AskQuestion::id).collect();
    let files = [
        (
            "plan.json",
            json!({
                "schema_version": "runtime-tools.plan.v0.1", "plan_id": "ask", "registry_id": "ask",
                "world_id": WORLD, "profiles": ["ask"],
                "lanes": { "baseline": true, "scenario": true, "oracle": args.policy.is_some() },
                "notes": questions.iter().map(|question| question.text.as_str()).collect::<Vec<_>>().join("; "),
            }),
        ),
        (
            "registry/index.json",
            json!({
                "schema_version": "runtime-tools.registry_index.v0.1",
                "registries": [{
                    "id": "ask", "probes": "registry/probes.json", "profiles": "registry/profiles.json",
                }],
            }),
        ),
        (
            "registry/probes.json",
            json!({
                "schema_version": "runtime-tools.probe_registry.v0.2", "registry_id": "ask",
                "world_id": WORLD, "probes": probes,
            }),
        ),
        (
            "registry/profiles.json",
            json!({
                "schema_version": "runtime-tools.profile_registry.v0.2", "registry_id": "ask",
                "world_id": WORLD,
                "profiles": { "ask": questions::profile("ask", name, mode, refs, has_home) },
            }),
        ),
    ];
    for (path, value) in files {
        folder.write(path, &json_out::to_pretty(&value))?;
    }
    folder.write(name, &policy)
}

/// What came of each question, read from the bundle.
fn answers<'q>(report: &RunReport, questions: &'q [AskQuestion]) -> Result<Vec<AskResult<'q>>, Failure> {
    let folder = &report.committed.folder;
    let bytes =
        fsx::read_regular(&folder.join(layout::RUNTIME_EVENTS), MAX_BUNDLE_DOCUMENT_BYTES).or_fail(Exit::Fault)?;
    let events: Vec<Value> = serde_json::from_slice(&bytes).or_fail(Exit::Fault)?;
    let rows = std::fs::File::open(folder.join(layout::rows_of(Lane::Scenario))).or_fail(Exit::Fault)?;
    let rows: Vec<ProbeRow> = BufReader::new(rows)
        .lines()
        .map(|line| serde_json::from_str(&line.or_fail(Exit::Fault)?).or_fail(Exit::Fault))
        .collect::<Result<_, Failure>>()?;
    Ok(questions.iter().zip(&events).zip(&rows).map(|((question, event), row)| answer(question, event, row)).collect())
}

fn answer<'q>(question: &'q AskQuestion, event: &Value, row: &ProbeRow) -> AskResult<'q> {
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let decided = match text("actual").as_deref() {
        Some("allow") => Some(Decision::Allow),
        Some("deny") => Some(Decision::Deny),
        _ => None,
    };
    let record = row.launcher.as_deref();
    let verdict = record.map(|record| rule::verdict(row.action.driver, record, question.names()));
    let mut causes: Vec<String> = Vec::new();
    if let Some(verdict) = verdict.as_ref().filter(|_| decided.is_some()) {
        causes.extend(
            verdict
                .covered_by
                .as_ref()
                .filter(|_| decided == Some(Decision::Deny))
                .map(|by| format!("covered by {by}")),
        );
        causes.extend(verdict.via.as_ref().map(|via| format!("via {via}")));
        if let Some((name, by)) = verdict.name.zip(verdict.by_name) {
            causes.push(format!("under the name {name}; by its own name {}", by.as_str()));
        }
        causes.extend(verdict.object.filter(|object| *object == "other").map(|_| "on a copy of it".to_owned()));
    }
    if decided.is_none() {
        causes.extend(text("notes").map(|notes| without_own_folder(&notes).into_owned()));
    }
    AskResult {
        question: question.text.clone(),
        expected: question.expected,
        demanded: question.mechanism.iter().map(|mechanism| mechanism.as_str()).collect(),
        demanded_errno: &question.errno,
        name_alone: question.name_alone,
        answer: decided,
        undecided: text("failure_kind").filter(|_| decided.is_none()),
        mechanism: verdict
            .as_ref()
            .filter(|_| decided == Some(Decision::Deny))
            .and_then(|verdict| verdict.mechanism)
            .map(|mechanism| mechanism.as_str()),
        cause: causes.join("; "),
        errno: text("errno_name"),
        tried: verdict.as_ref().map(|it| it.tried.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default(),
        start: verdict.as_ref().and_then(|verdict| verdict.start).map(|mode| mode.as_str()),
        launcher_residue: verdict.map(|verdict| verdict.residue.to_vec()).unwrap_or_default(),
    }
}

fn is_mismatch(answer: &AskResult<'_>) -> bool {
    let otherwise = |how: &str| !answer.demanded.is_empty() && !answer.demanded.contains(&how);
    let number = answer.errno.as_deref().unwrap_or_default();
    let other_number = !answer.demanded_errno.is_empty() && !answer.demanded_errno.iter().any(|name| name == number);
    answer.expected.zip(answer.answer).is_some_and(|(expected, found)| expected != found)
        || answer.answer == Some(Decision::Deny) && (otherwise(answer.mechanism.unwrap_or_default()) || other_number)
}

fn is_open(answer: &AskResult<'_>) -> bool {
    answer.answer.is_none()
}

fn exit_of(answers: &[AskResult<'_>]) -> Exit {
    if answers.iter().any(is_mismatch) {
        Exit::Mismatch
    } else if answers.iter().any(is_open) {
        Exit::Undecided
    } else {
        Exit::Done
    }
}

fn document<'r>(report: &'r RunReport, answers: &'r [AskResult], exit: Exit) -> AskDocument<'r> {
    let count = |of: &dyn Fn(&AskResult<'_>) -> bool| answers.iter().filter(|answer| of(answer)).count() as u64;
    AskDocument {
        schema_version: ASK_REPORT_SCHEMA,
        run_id: &report.manifest.run_id,
        bundle: path_text(&report.committed.folder),
        as_expected: count(&|answer| answer.expected.is_some() && !is_open(answer) && !is_mismatch(answer)),
        mismatched: count(&is_mismatch),
        undecided: count(&is_open),
        unasserted: count(&|answer| answer.expected.is_none() && !is_open(answer)),
        answers,
        exit_code: exit.code(),
    }
}

/// How many came to what, as `run` counts its probes.
fn count_text(answers: &[AskResult<'_>]) -> String {
    let count = |of: &dyn Fn(&AskResult<'_>) -> bool| answers.iter().filter(|answer| of(answer)).count();
    let asserted = |answer: &AskResult<'_>| answer.expected.is_some() && !is_open(answer);
    let parts = [
        (count(&|answer| asserted(answer) && !is_mismatch(answer)), "as expected"),
        (count(&is_mismatch), "not as expected"),
        (count(&|answer| answer.expected.is_none() && !is_open(answer)), "only answered"),
        (count(&is_open), "undecided"),
    ];
    let told: Vec<String> = parts.iter().filter(|part| part.0 > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{} questions, {}.", answers.len(), told.join(", "))
}

fn text(report: &RunReport, answers: &[AskResult<'_>], width: Option<usize>) -> Lines {
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|answer| {
            let found = match (answer.answer, &answer.undecided) {
                (Some(decision), _) => decision.as_str().to_owned(),
                (None, Some(word)) => format!("undecided: {word}"),
                (None, None) => "undecided".to_owned(),
            };
            let held = match answer.expected {
                None if is_open(answer) => "?",
                None => "",
                Some(_) if is_mismatch(answer) => "NO",
                Some(_) if answer.answer.is_none() => "?",
                Some(_) => "yes",
            };
            let how = [
                answer.mechanism.map(str::to_owned),
                answer.errno.clone().filter(|_| answer.answer != Some(Decision::Allow)),
            ];
            let how: Vec<String> = how.into_iter().flatten().collect();
            // Why nothing is decided takes a paragraph, and is often the same for all: it stands below, once.
            let cause = if answer.answer.is_some() { answer.cause.clone() } else { String::new() };
            vec![answer.question.clone(), found, held.to_owned(), how.join(" "), cause]
        })
        .collect();
    // What no answer has needs no column.
    let head = ["QUESTION", "ANSWER", "AS EXPECTED", "HOW", "CAUSE"];
    let columns = (0..head.len()).rev().find(|n| *n < 3 || rows.iter().any(|row| !row[*n].is_empty())).unwrap_or(0) + 1;
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().take(columns).collect()).collect();
    let mut out = table::fitted(&head[..columns], &rows, width);
    out.blank();
    let open = answers.iter().filter(|answer| answer.answer.is_none() && !answer.cause.is_empty());
    let causes = grouping::by_key(open, |answer| (answer.undecided.as_deref().unwrap_or("undecided"), &*answer.cause));
    let several = causes.len() > 1;
    for ((word, cause), answers) in causes {
        out.line(format!("{word}: {cause}"));
        let errno = answers.first().and_then(|answer| answer.errno.as_deref());
        remedies::advice(word, errno).into_iter().for_each(|advice| out.line(format!("do: {advice}")));
        if several {
            answers.iter().for_each(|answer| out.line(format!("  {}", answer.question)));
        }
        out.blank();
    }
    let residue = answers.iter().flat_map(|answer| &answer.launcher_residue).collect::<std::collections::BTreeSet<_>>();
    if !residue.is_empty() {
        let listed: Vec<&str> = residue.into_iter().map(String::as_str).collect();
        out.line(format!("launcher_residue: the launcher left in the workspace: {}", listed.join(", ")));
    }
    if answers.len() > 1 {
        out.line(count_text(answers));
    }
    out.line(format!("bundle      {}", shown(&report.committed.folder)));
    out
}
