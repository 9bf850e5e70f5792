//! `sandproof why`

mod ask;
mod landlock;
mod log;
pub(super) mod rule_excerpt;
mod seatbelt;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};

use super::exit::{Exit, Failure};
use super::key_values::KeyValues;
use super::policy_source::{NamedPolicy, PolicyOptions, bad, pair, short};
use super::ui::Ui;
use crate::base::printable::Lines;
use crate::base::suggest::hint_for;
use crate::policy::PolicyValue;
use crate::policy::operations::{OPERATIONS, canonical};
use crate::record::driver::Driver;
use crate::record::why::{WHY_SCHEMA, WhyAnswer, WhyDecision, WhyRule, WhyStep};

/// Ask what a policy decides about one operation, and which rule does; nothing is executed.
///
/// The answer comes from the model, on any host: it is worked out from the policy's text and is never more than that.
/// With --ask many questions are put at once, each with what it expects; with --log the lines of a log are explained.
/// Exit codes: 0 for a decision, 1 if an answer is not the expected one or speaks against the model, 8 if the model cannot
/// know, 9 if there was nothing to ask, 3 if the policy is refused.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["operation", "driver", "ask", "log"]))]
pub(super) struct WhyArgs {
    /// A policy document (Seatbelt text or Landlock JSON), `-` for standard input, or the id of a profile of a registry.
    #[arg(long, value_name = "ID|FILE", required_unless_present = "ask")]
    profile: Option<PathBuf>,
    /// The operation, under Seatbelt's name, such as `file-read-data`.
    #[arg(long, value_name = "OP", requires = "target")]
    operation: Option<String>,
    /// What it would be attempted on: a path, a name, HOST:PORT, a class, or self, same-sandbox, others.
    #[arg(long, value_name = "T", conflicts_with_all = ["ask", "log"])]
    target: Option<String>,
    /// Which filter the target is, where the operation's usual one is not meant, such as `local-name`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ask", "log"])]
    filter: Option<String>,
    /// The system call, where the operation's usual one is not meant: open, openat, openat_rootrel, stat, lstat, …
    #[arg(long, value_name = "NAME", conflicts_with_all = ["ask", "log"])]
    syscall: Option<String>,
    /// The driver that would attempt it; stands for operation and system call.
    #[arg(long, value_name = "NAME", conflicts_with = "syscall", requires = "target")]
    driver: Option<String>,
    /// The second path of a link, a clone or a rename.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["ask", "log"])]
    to: Option<String>,
    /// A symbolic link that is there, beside those of an installed system.
    #[arg(long = "link", value_name = "PATH=TEXT", value_parser = pair)]
    links: Vec<(String, String)>,
    /// A further fact about the target, by filter: `file-mode=0600`, `vnode-type=DIRECTORY`; or about the process:
    /// `extension=CLASS`, `entitlement=NAME` (each several times, or `none`), `home=PATH`.
    #[arg(long = "fact", value_name = "FILTER=VALUE", value_parser = pair)]
    facts: Vec<(String, String)>,
    /// Put the questions of a file, one JSON object a line: `operation` or `driver`, `target`, and what is `expected`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["operation", "driver", "log"])]
    ask: Option<PathBuf>,
    /// Explain the denials in a log, of the kernel, of the sandbox daemon, or of audit; without FILE or with `-`, standard
    /// input.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-",
        conflicts_with_all = ["operation", "driver"])]
    log: Option<PathBuf>,
    #[command(flatten)]
    policy: PolicyOptions,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// One question, however it was put.
#[derive(Debug, Clone, Default)]
struct Query {
    operation: String,
    target: String,
    filter: Option<String>,
    syscall: Option<String>,
    driver: Option<Driver>,
    to: Option<String>,
    links: Vec<(String, String)>,
    facts: Vec<(String, String)>,
}

/// What a kind of policy answers.
struct PolicyAnswer {
    decision: WhyDecision,
    rule: Option<WhyRule>,
    chain: Vec<WhyStep>,
    reason: String,
    assumes: Vec<String>,
    remarks: Vec<String>,
}

/// Answers.
pub(super) fn run(args: &WhyArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if let Some(file) = &args.ask {
        return ask::run(args, file, ui);
    }
    let name = args.profile.as_deref().unwrap_or(Path::new(""));
    if let Some(file) = &args.log {
        return log::run(args, name, file, ui);
    }
    let query = Query {
        target: args.target.clone().unwrap_or_default(),
        filter: args.filter.clone(),
        syscall: args.syscall.clone(),
        to: args.to.clone(),
        links: args.links.clone(),
        facts: args.facts.clone(),
        ..Query::about(args.operation.as_deref(), args.driver.as_deref())?
    };
    let source = args.policy.find(name)?;
    let told = answer(&source, &query)?;
    let exit = if told.decision == WhyDecision::Undecidable { Exit::Undecided } else { Exit::Done };
    let answer = WhyAnswer {
        schema_version: WHY_SCHEMA,
        policy: source.described(),
        operation: query.operation,
        target: query.target,
        decision: told.decision,
        rule: told.rule,
        chain: told.chain,
        reason: told.reason,
        assumes: told.assumes,
        remarks: told.remarks,
    };
    if args.json {
        ui.json(&answer);
    } else {
        ui.out(&render(&answer));
    }
    Ok(exit)
}

impl Query {
    /// A question about an operation, or about what a driver attempts.
    fn about(operation: Option<&str>, driver: Option<&str>) -> Result<Self, Failure> {
        let driver = match driver {
            None => None,
            Some(name) => Some(Driver::by_name(name).ok_or_else(|| {
                let names = Driver::ALL.iter().map(|driver| driver.info().name);
                bad(
                    format!("there is no driver `{}`", short(name)),
                    hint_for(name, names, "see SPEC.md for the drivers"),
                )
            })?),
        };
        let operation = match (operation, driver) {
            (Some(operation), _) => operation,
            (None, Some(driver)) => driver.info().operations.first().copied().unwrap_or("default"),
            (None, None) => return Err(bad("the question names no operation", "name one, or a driver")),
        };
        if canonical(operation).is_none() {
            let remedy = hint_for(operation, OPERATIONS, "use one of Seatbelt's names, such as `file-read-data`");
            return Err(bad(format!("`{}` is no operation of the vocabulary", short(operation)), remedy));
        }
        Ok(Self { operation: operation.to_owned(), driver, ..Self::default() })
    }
}

/// Puts a question to a policy.
fn answer(source: &NamedPolicy, query: &Query) -> Result<PolicyAnswer, Failure> {
    match source.asked.policy.value.as_ref() {
        PolicyValue::Sbpl(policy) => seatbelt::answer(source, query, policy),
        PolicyValue::Landlock(policy) => landlock::answer(source, query, policy),
        // `PolicyOptions::find` refuses what is compiled.
        PolicyValue::Launcher(_) => {
            Err(bad("a launcher holds no rules to evaluate", "`sandproof ask QUESTION -- COMMAND` starts it and asks"))
        }
        PolicyValue::Blob(_) => Err(bad("a compiled profile holds no text to evaluate", "ask about its text")),
    }
}

/// The answer for people.
fn render(answer: &WhyAnswer) -> Lines {
    let place = |rule: &WhyRule| format!("{}:{}:{}", rule.file, rule.line, rule.column);
    let mut sheet = KeyValues::default();
    sheet.line("decision", answer.decision.as_str());
    sheet.maybe("rule", answer.rule.as_ref().map(|rule| format!("{}  {}", place(rule), rule.text)).as_deref());
    sheet.line("why", &answer.reason);
    let steps: Vec<String> = answer
        .chain
        .iter()
        .map(|step| {
            let mut line = format!("{} on {}", step.operation, step.on);
            if let Some(decision) = step.decision {
                line.push_str(&format!(": {}", decision.as_str()));
            }
            if let Some(rule) = &step.rule {
                line.push_str(&format!(", by {}", place(rule)));
            }
            line
        })
        .collect();
    sheet.list("checks", steps.iter().map(String::as_str));
    sheet.list("assumes", answer.assumes.iter().map(String::as_str));
    sheet.list("remarks", answer.remarks.iter().map(String::as_str));
    sheet.render()
}
