//! `why --ask`: a file of questions, each with what it expects.

use std::path::Path;

use super::super::color;
use super::super::exit::{Exit, Failure, OrFail};
use super::super::policy_source::{NamedPolicy, bad, short, standard_input};
use super::super::table;
use super::super::ui::Ui;
use super::answer::answer;
use super::args::WhyArgs;
use super::query::Query;
use crate::base::fsx;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::printable::{Lines, path_text};
use crate::plan::policy_lookup::policy_in_bytes;
use crate::record::why::{WHY_ANSWERS_SCHEMA, WhyAnswers, WhyAsked, WhyExpected};
use crate::review::policy::question::AskLine;

/// A line cannot be read as a question.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{file}`, line {line}: {why}; a question is one JSON object with `operation` or `driver`, `target`, and `expected`"
)]
struct BadLine {
    file: String,
    line: usize,
    why: String,
}

/// Puts every question.
pub(super) fn run(args: &WhyArgs, file: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    if file == Path::new("-") && args.profile.as_deref() == Some(file) {
        return Err(bad("standard input cannot be both the policy and the questions", "name one of them by its file"));
    }
    let source = args.profile.as_deref().map(|name| args.policy.find(name)).transpose()?;
    let bytes = if file == Path::new("-") {
        standard_input(MAX_INPUT_DOCUMENT_BYTES)?
    } else {
        fsx::read_input(file, MAX_INPUT_DOCUMENT_BYTES).or_fail(Exit::InputRefused)?
    };
    let mut answers = Vec::new();
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let refuse = |why: String| {
            let line = n + 1;
            Failure::new(Exit::InputRefused, BadLine { file: path_text(file), line, why })
        };
        let line = AskLine::read(line).map_err(refuse)?;
        answers.push(put(args, source.as_ref(), line, n + 1).map_err(refuse)?);
    }
    if answers.is_empty() {
        return Err(Failure::new(Exit::NothingRan, NoQuestion { file: path_text(file) }));
    }
    let count =
        |wanted: Option<bool>| answers.iter().filter(|one| one.expected.is_some() && one.as_expected == wanted).count();
    let report = WhyAnswers {
        schema_version: WHY_ANSWERS_SCHEMA,
        policy: source.as_ref().map(NamedPolicy::described),
        questions: answers.len(),
        as_expected: count(Some(true)),
        otherwise: count(Some(false)),
        undecided: count(None),
        unasserted: answers.iter().filter(|one| one.expected.is_none()).count(),
        answers,
    };
    if args.json {
        ui.json(&report);
    } else {
        ui.within_width(&render(&report, ui.width()));
    }
    let open = |one: &WhyAsked| one.expected.is_none() && one.decision == WhyExpected::Undecidable;
    Ok(match () {
        () if report.otherwise > 0 => Exit::Mismatch,
        () if report.undecided > 0 || report.answers.iter().any(open) => Exit::Undecided,
        () => Exit::Done,
    })
}

/// There is no question.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` holds no question")]
struct NoQuestion {
    file: String,
}

fn put(args: &WhyArgs, source: Option<&NamedPolicy>, line: AskLine, number: usize) -> Result<WhyAsked, String> {
    let mut query =
        Query::about(line.operation.as_deref(), line.driver.as_deref()).map_err(|failure| failure.told())?;
    query.target = line.target;
    (query.filter, query.syscall, query.to) = (line.filter, line.syscall, line.to);
    query.links = args.links.iter().cloned().chain(line.links).collect();
    query.facts = args.facts.iter().cloned().chain(line.facts).collect();
    let own;
    let source = match (source, line.profile) {
        (Some(source), None) if line.params.is_empty() => source,
        (Some(_), _) => return Err("the policy was named by --profile, and the line brings one of its own".into()),
        (None, None) => return Err("it brings no `profile`, and --profile names none".into()),
        (None, Some(text)) => {
            let mut parameters = args.policy.parameters();
            parameters.extend(line.params);
            match policy_in_bytes("<the question's policy>", text.into_bytes(), &parameters, args.policy.import_dir()) {
                Ok(asked) => own = NamedPolicy { asked, file: "<the question's policy>".into() },
                Err(error) => {
                    return Ok(WhyAsked {
                        line: number,
                        id: line.id,
                        operation: query.operation,
                        target: query.target,
                        expected: line.expected,
                        decision: WhyExpected::Refused,
                        as_expected: line.expected.map(|expected| expected == WhyExpected::Refused),
                        rule: None,
                        reason: error.to_string(),
                        assumes: Vec::new(),
                    });
                }
            }
            &own
        }
    };
    let told = answer(source, &query).map_err(|failure| failure.told())?;
    let decision = WhyExpected::of(told.decision);
    let as_expected = match (line.expected, decision) {
        (Some(WhyExpected::Allow | WhyExpected::Deny), WhyExpected::Undecidable) | (None, _) => None,
        (Some(expected), decision) => Some(expected == decision),
    };
    Ok(WhyAsked {
        line: number,
        id: line.id,
        operation: query.operation,
        target: query.target,
        expected: line.expected,
        decision,
        as_expected,
        rule: told.rule,
        reason: told.reason,
        assumes: told.assumes,
    })
}

fn render(report: &WhyAnswers, width: Option<usize>) -> Lines {
    let place =
        |one: &WhyAsked| one.rule.as_ref().map_or(String::new(), |rule| format!("{}:{}", rule.line, rule.column));
    let rows: Vec<Vec<String>> = report
        .answers
        .iter()
        .map(|one| {
            let verdict = match (one.expected, one.as_expected) {
                (None, _) => "",
                (Some(_), Some(true)) => "as expected",
                (Some(_), Some(false)) => "DIFFERS",
                (Some(_), None) => "undecided",
            };
            vec![
                one.id.clone().unwrap_or_else(|| one.line.to_string()),
                one.operation.clone(),
                one.target.clone(),
                one.expected.map_or("", WhyExpected::as_str).to_owned(),
                one.decision.as_str().to_owned(),
                place(one),
                verdict.to_owned(),
            ]
        })
        .collect();
    let mut lines = table::fitted(&["ID", "OPERATION", "TARGET", "EXPECTED", "ANSWER", "RULE", ""], &rows, width);
    for one in report.answers.iter().filter(|one| one.expected.is_some() && one.as_expected != Some(true)) {
        let id = one.id.clone().unwrap_or_else(|| format!("line {}", one.line));
        lines.blank();
        lines.marked(&color::on_stdout(color::DOUBTFUL, &short(&id)), format!(": {}", one.reason));
        one.assumes.iter().for_each(|assumed| lines.line(format!("  assumes {assumed}")));
    }
    let mut counts = format!("{} questions: {} as expected", report.questions, report.as_expected);
    for (count, what) in
        [(report.otherwise, "otherwise"), (report.undecided, "undecided"), (report.unasserted, "without expectation")]
    {
        if count > 0 {
            counts.push_str(&format!(", {count} {what}"));
        }
    }
    lines.blank();
    lines.line(format!("{counts}."));
    lines
}
