//! `sandproof why`

mod landlock;
mod place;
mod seatbelt;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{Exit, Failure};
use super::refusal::{RootArg, load_failure};
use super::sheet::Sheet;
use super::ui::Ui;
use crate::base::ids::RegistryId;
use crate::plan::asked::{AskedPolicy, policy_in_file, policy_of_profile};
use crate::plan::hint_for;
use crate::policy::PolicyValue;
use crate::policy::operations::{OPERATIONS, canonical};
use crate::record::driver::Driver;
use crate::record::why::{WHY_SCHEMA, WhyAnswer, WhyDecision, WhyPolicy, WhyRule, WhyStep};

/// Ask what a policy decides about one operation, and which rule does; nothing is executed.
///
/// The answer comes from the model, on any host: it is worked out from the policy's text and is never more than that.
/// Exit codes: 0 for a decision, 8 if the model cannot know, 3 if the policy is refused.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// A policy document (Seatbelt text or Landlock JSON), or the id of a profile of a registry.
    #[arg(long, value_name = "ID|FILE")]
    profile: String,
    /// The registry to look for the profile in. Default: any.
    #[arg(long, value_name = "ID")]
    registry: Option<String>,
    /// The operation, under Seatbelt's name, such as `file-read-data`.
    #[arg(long, value_name = "OP")]
    operation: String,
    /// What it would be attempted on: a path, a name, HOST:PORT, a class, or self, same-sandbox, others.
    #[arg(long, value_name = "T")]
    target: String,
    /// Which filter the target is, where the operation's usual one is not meant, such as `local-name`.
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// The system call, where the operation's usual one is not meant: open, openat, openat_rootrel, stat, lstat, …
    #[arg(long, value_name = "NAME")]
    syscall: Option<String>,
    /// The driver that would attempt it; stands for operation and system call.
    #[arg(long, value_name = "NAME", conflicts_with = "syscall")]
    driver: Option<String>,
    /// The second path of a link, a clone or a rename.
    #[arg(long, value_name = "PATH")]
    to: Option<String>,
    /// A symbolic link that is there, beside those of an installed system.
    #[arg(long = "link", value_name = "PATH=TEXT", value_parser = pair)]
    links: Vec<(String, String)>,
    /// A further fact about the target, by filter: `file-mode=0600`, `vnode-type=DIRECTORY`.
    #[arg(long = "fact", value_name = "FILTER=VALUE", value_parser = pair)]
    facts: Vec<(String, String)>,
    /// A parameter of the Seatbelt text.
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    #[command(flatten)]
    root: RootArg,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".into()),
    }
}

/// What was typed cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}; {remedy}")]
struct BadQuestion {
    message: String,
    remedy: String,
}

fn bad(message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, BadQuestion { message: message.into(), remedy: remedy.into() })
}

/// What a kind of policy answers.
struct Told {
    decision: WhyDecision,
    rule: Option<WhyRule>,
    chain: Vec<WhyStep>,
    reason: String,
    assumes: Vec<String>,
    remarks: Vec<String>,
}

/// Answers.
pub(super) fn run(args: &WhyArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if canonical(&args.operation).is_none() {
        let remedy = hint_for(&args.operation, OPERATIONS, "use one of Seatbelt's names, such as `file-read-data`");
        return Err(bad(format!("`{}` is no operation of the vocabulary", shown(&args.operation)), remedy));
    }
    let driver = match args.driver.as_deref() {
        None => None,
        Some(name) => Some(Driver::by_name(name).ok_or_else(|| {
            let names = Driver::ALL.iter().map(|driver| driver.info().name);
            bad(format!("there is no driver `{}`", shown(name)), hint_for(name, names, "see SPEC.md for the drivers"))
        })?),
    };
    let asked = find(args)?;
    let told = match asked.policy.value.as_ref() {
        PolicyValue::Sbpl(policy) => seatbelt::answer(args, driver, &asked, policy)?,
        PolicyValue::Landlock(policy) => landlock::answer(args, driver, &asked, policy)?,
        PolicyValue::Blob(_) => {
            return Err(Failure::new(Exit::InputRefused, Compiled { file: asked.policy.path.clone() }));
        }
    };
    let exit = if told.decision == WhyDecision::Undecidable { Exit::Undecided } else { Exit::Done };
    let answer = WhyAnswer {
        schema_version: WHY_SCHEMA,
        policy: WhyPolicy {
            file: file_of(args, &asked),
            mode: asked.policy.value.mode().as_str(),
            profile_id: asked.profile.as_ref().map(|found| found.profile.id.to_string()),
            registry_id: asked.profile.as_ref().map(|found| found.registry_id.to_string()),
        },
        operation: args.operation.clone(),
        target: args.target.clone(),
        decision: told.decision,
        rule: told.rule,
        chain: told.chain,
        reason: told.reason,
        assumes: told.assumes,
        remarks: told.remarks,
    };
    if args.json {
        ui.json(&answer)?;
    } else {
        ui.out(&render(&answer))?;
    }
    Ok(exit)
}

/// The policy is compiled.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` is a compiled profile, and holds no text to evaluate; ask about the text that it was compiled from")]
struct Compiled {
    file: String,
}

/// Finds the policy: a file of that name, else a profile of that id.
fn find(args: &WhyArgs) -> Result<AskedPolicy, Failure> {
    let path = Path::new(&args.profile);
    let parameters: BTreeMap<String, String> = args.parameters.iter().cloned().collect();
    let looks_like_a_file =
        args.profile.contains('/') || [".sb", ".json"].iter().any(|end| args.profile.ends_with(end));
    if args.registry.is_none() && (path.is_file() || looks_like_a_file) {
        let asked = policy_in_file(&PathBuf::from(path), &parameters).map_err(load_failure)?;
        if !parameters.is_empty() && !matches!(asked.policy.value.as_ref(), PolicyValue::Sbpl(_)) {
            return Err(bad("only a Seatbelt text takes parameters", "leave out --param"));
        }
        return Ok(asked);
    }
    if !parameters.is_empty() {
        return Err(bad("a profile of a registry has its own parameters", "name its policy document to give others"));
    }
    let registry = match args.registry.as_deref().map(RegistryId::new).transpose() {
        Ok(registry) => registry,
        Err(error) => return Err(Failure::new(Exit::Usage, error)),
    };
    let workspace = args.root.workspace().map_err(|failure| {
        failure.hint("`--profile` names no file, so it was taken for the id of a profile of a registry")
    })?;
    policy_of_profile(&workspace, registry.as_ref(), &args.profile).map_err(load_failure)
}

/// The policy document, as it was asked about.
fn file_of(args: &WhyArgs, asked: &AskedPolicy) -> String {
    if asked.profile.is_some() { asked.policy.path.clone() } else { args.profile.clone() }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The answer for people.
fn render(answer: &WhyAnswer) -> String {
    let place = |rule: &WhyRule| format!("{}:{}:{}", rule.file, rule.line, rule.column);
    let mut sheet = Sheet::default();
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
