//! `why --log`: logged denials, explained by a policy.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::super::color;
use super::super::exit::{Exit, Failure};
use super::super::policy_source::{NamedPolicy, bad};
use super::super::ui::Ui;
use super::args::WhyArgs;
use super::query::Query;
use super::seatbelt;
use crate::base::printable::{Lines, path_text};
use crate::policy::PolicyValue;
use crate::policy::landlock::LandlockPolicy;
use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
use crate::policy::operations::{canonical, covers};
use crate::policy::sbpl::SbplPolicy;
use crate::policy::sbpl::model::evaluate;
use crate::record::outcome::Decision;
use crate::record::policy_review::AccessChange;
use crate::record::why::{DenialConclusion, WHY_LOG_SCHEMA, WhyDecision, WhyDenial, WhyLog, WhyRule};
use crate::review::policy::denial::{Denial, read_all};
use crate::review::policy::landlock_access::{Grant, layer_on_path, layer_on_port, of_scope, on_path, on_port};
use crate::review::policy::seatbelt_diff::compare_from;
use crate::review::policy::suggest::smallest_rule;

/// A longer line is no denial.
const LONGEST_LINE_BYTES: u64 = 1 << 20;
/// Processes named of one denial.
const MOST_PROCESSES: usize = 10;
/// Different denials in one log.
const MOST_DENIALS: usize = 100_000;
/// Of as many denials it is worked out what a rule for them would open.
const MOST_OPENED: usize = 200;
/// Rules that are put together to let one operation through: one for each check that it leads to.
const MOST_RULES: usize = 4;

/// The log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log `{file}` cannot be read")]
struct NoLog {
    file: String,
    #[source]
    source: std::io::Error,
}

/// There is nothing to explain.
#[derive(Debug, thiserror::Error)]
#[error(
    "none of the {lines} lines of `{file}` says that something was denied; a denial reads `Sandbox: NAME(PID) deny(1) …`, or is \
     an audit record with `blockers=`"
)]
struct NoDenial {
    file: String,
    lines: u64,
}

/// A denial with how often it was logged.
struct LoggedDenial {
    line: u64,
    count: u64,
    processes: Vec<String>,
}

/// Reads the log and explains.
pub(super) fn run(args: &WhyArgs, name: &Path, file: &Path, ui: &mut Ui) -> Result<Exit, Failure> {
    if name == Path::new("-") && name == file {
        return Err(bad("standard input cannot be both the policy and the log", "name one of them by its file"));
    }
    let source = args.policy.find(name)?;
    let unreadable = |source| Failure::new(Exit::InputRefused, NoLog { file: path_text(file), source });
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(unreadable)?))
    };
    let (lines, about, denials) = gather(reader).map_err(unreadable)?;
    if denials.is_empty() {
        return Err(Failure::new(Exit::NothingRan, NoDenial { file: path_text(file), lines }));
    }
    let mut explained = Vec::new();
    for (denial, logged) in denials {
        let opens = explained.len() < MOST_OPENED;
        explained.extend(explain(&source, args, &denial, logged, opens)?);
    }
    explained.sort_by_key(|one| one.line);
    let report = WhyLog {
        schema_version: WHY_LOG_SCHEMA,
        policy: source.described(),
        lines,
        other_lines: lines - about,
        denials: explained,
    };
    if args.json {
        ui.json(&report);
    } else {
        ui.out(&render(&report));
    }
    let any = |conclusion| report.denials.iter().any(|one| one.conclusion == conclusion);
    Ok(match () {
        () if any(DenialConclusion::AgainstTheModel) => Exit::Mismatch,
        () if any(DenialConclusion::Undecidable) => Exit::Undecided,
        () => Exit::Done,
    })
}

/// How many lines a log has and how many of them are about denials, and these, each once. Nothing but them is kept.
fn gather(mut reader: impl BufRead) -> std::io::Result<(u64, u64, BTreeMap<Denial, LoggedDenial>)> {
    let mut found: BTreeMap<Denial, LoggedDenial> = BTreeMap::new();
    let (mut number, mut about, mut bytes) = (0, 0, Vec::new());
    let mut last: Option<Denial> = None;
    loop {
        bytes.clear();
        if reader.by_ref().take(LONGEST_LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
            return Ok((number, about, found));
        }
        if bytes.last() != Some(&b'\n') && bytes.len() as u64 == LONGEST_LINE_BYTES {
            reader.skip_until(b'\n')?;
        }
        number += 1;
        let said = read_all(&String::from_utf8_lossy(&bytes));
        about += u64::from(!said.is_empty());
        for line in said {
            if line.repeats && last.as_ref() == Some(&line.denial) {
                continue;
            }
            last = Some(line.denial.clone());
            if found.len() >= MOST_DENIALS && !found.contains_key(&line.denial) {
                continue;
            }
            let logged = found.entry(line.denial).or_insert_with(|| LoggedDenial {
                line: number,
                count: 0,
                processes: Vec::new(),
            });
            logged.count = logged.count.saturating_add(line.count);
            if let Some(process) = line.process
                && !logged.processes.contains(&process)
                && logged.processes.len() < MOST_PROCESSES
            {
                logged.processes.push(process);
            }
        }
    }
}

fn explain(
    source: &NamedPolicy,
    args: &WhyArgs,
    denial: &Denial,
    logged: LoggedDenial,
    opens: bool,
) -> Result<Vec<WhyDenial>, Failure> {
    match (denial, source.asked.policy.value.as_ref()) {
        (Denial::Seatbelt { operation, target }, PolicyValue::Sbpl(policy)) => {
            Ok(vec![seatbelt_denial(source, args, policy, (operation, target), logged, opens)?])
        }
        (Denial::Landlock { blockers, path, port }, PolicyValue::Landlock(policy)) => Ok(blockers
            .iter()
            .map(|blocker| landlock_denial(source, policy, blocker, (path.as_deref(), port.as_deref()), &logged))
            .collect()),
        (Denial::Seatbelt { .. } | Denial::Landlock { .. }, policy) => {
            debug_assert_ne!(denial.enforcer(), policy.enforcer());
            let (operation, target) = match denial {
                Denial::Seatbelt { operation, target } => (operation.clone(), target.clone()),
                Denial::Landlock { blockers, path, .. } => (blockers.join(","), path.clone().unwrap_or_default()),
            };
            let whose = denial.enforcer().info().title;
            Ok(vec![WhyDenial {
                line: logged.line,
                count: logged.count,
                processes: logged.processes,
                operation,
                target,
                decision: WhyDecision::Undecidable,
                rule: None,
                reason: format!("this was denied by {whose}, which the policy is not for"),
                assumes: Vec::new(),
                conclusion: DenialConclusion::Undecidable,
                allow_with: Vec::new(),
                opens: Vec::new(),
            }])
        }
    }
}

fn conclusion(decision: WhyDecision) -> DenialConclusion {
    match decision {
        WhyDecision::Deny => DenialConclusion::DeniedByPolicy,
        WhyDecision::Allow => DenialConclusion::AgainstTheModel,
        WhyDecision::Undecidable => DenialConclusion::Undecidable,
    }
}

fn seatbelt_denial(
    source: &NamedPolicy,
    args: &WhyArgs,
    policy: &SbplPolicy,
    (operation, target): (&str, &str),
    logged: LoggedDenial,
    opens: bool,
) -> Result<WhyDenial, Failure> {
    let mut denial = WhyDenial {
        line: logged.line,
        count: logged.count,
        processes: logged.processes,
        operation: operation.to_owned(),
        target: target.to_owned(),
        decision: WhyDecision::Undecidable,
        rule: None,
        reason: String::new(),
        assumes: Vec::new(),
        conclusion: DenialConclusion::Undecidable,
        allow_with: Vec::new(),
        opens: Vec::new(),
    };
    if canonical(operation).is_none() {
        denial.reason = format!("`{operation}` is not among the operations of macOS 14.4.1, so nothing is known of it");
        return Ok(denial);
    }
    let logged_target = target;
    let (target, fact) = asked_target(operation, target);
    let query = Query {
        target,
        links: args.links.clone(),
        facts: args.facts.iter().cloned().chain(fact).collect(),
        ..Query::about(Some(operation), None)?
    };
    let question = seatbelt::question_of(source, &query)?;
    // What is logged is one check, of the object as the kernel resolved it: nothing on the way to it is asked again.
    let answer = evaluate(policy.rules(), &question);
    denial.decision = WhyDecision::of(answer.decision);
    denial.conclusion = conclusion(denial.decision);
    let unsaid = logged_target.is_empty() || logged_target.contains("*:");
    if unsaid && answer.decision == Some(Decision::Allow) && denied_somewhere(policy, operation) {
        denial.decision = WhyDecision::Undecidable;
        denial.conclusion = DenialConclusion::Undecidable;
        denial.reason = "the line does not say on what, and the policy denies the operation on some things".into();
        return Ok(denial);
    }
    denial.rule = answer.rule.map(|index| source.seatbelt_rule(policy, policy.rules().rules[index].place));
    denial.reason = match denial.conclusion {
        DenialConclusion::AgainstTheModel => format!(
            "the model calls it allowed ({}), and it was denied: the model is wrong, the process ran under another policy, or \
             something else denied it (a parent's sandbox, privacy settings, file permissions)",
            answer.reason
        ),
        _ => answer.reason,
    };
    denial.assumes = answer.assumes;
    if answer.decision != Some(Decision::Deny) {
        return Ok(denial);
    }
    // One rule after the other, for each check that is in the way, until the whole is let through.
    let mut rules: Vec<String> = Vec::new();
    let mut asked = (operation.to_owned(), query.target.clone());
    while rules.len() < MOST_RULES {
        let rule = smallest_rule(&asked.0, &asked.1);
        if rules.contains(&rule) {
            break;
        }
        rules.push(rule);
        let Ok(wider) = policy.with_rules(&rules) else { break };
        let answer = evaluate(wider.rules(), &question);
        if answer.decision == Some(Decision::Allow) {
            if opens && !wider.gates().iter().any(|gate| gate.place.line > 0 && wider.is_appended(gate.place)) {
                let compared = compare_from(policy, &wider, policy.rules().rules.len());
                let itself = |change: &AccessChange| {
                    change.target == query.target && change.operations.iter().all(|name| name == operation)
                };
                denial.opens = compared.changes.into_iter().filter(|change| !itself(change)).collect();
            }
            denial.allow_with = rules;
            return Ok(denial);
        }
        let Some(step) = answer.chain.into_iter().find(|step| step.decision == Some(Decision::Deny)) else { break };
        asked = (step.operation.to_owned(), step.on);
    }
    Ok(denial)
}

/// Whether a rule denies the operation on some things only.
fn denied_somewhere(policy: &SbplPolicy, operation: &str) -> bool {
    policy.rules().rules.iter().any(|rule| {
        rule.action == Decision::Deny
            && !rule.filters.is_empty()
            && rule.operations.iter().any(|name| covers(name, operation))
    })
}

/// What a logged target is in a question: processes are logged as `others [name(pid)]`, or by name alone.
fn asked_target(operation: &str, logged: &str) -> (String, Option<(String, String)>) {
    let on_process = ["signal", "process-info", "mach-task"].iter().any(|begin| operation.starts_with(begin))
        || operation == "mach-priv-task-port";
    if on_process {
        let word = logged.split([' ', '[']).next().unwrap_or_default();
        let class = match word {
            "self" | "same-sandbox" | "children" | "pgrp" => word,
            _ => "others",
        };
        return (class.to_owned(), None);
    }
    // `network-outbound /path`, `host:port`, or `*:port`, with or without the end that it is.
    let logged = match operation.starts_with("network-") {
        true => logged.strip_prefix("local:").or_else(|| logged.strip_prefix("remote:")).unwrap_or(logged),
        false => logged,
    };
    if operation.starts_with("network-") && logged.starts_with("*:") {
        return (logged.replacen('*', crate::review::policy::witness::NOWHERE, 1), None);
    }
    (logged.to_owned(), None)
}

/// A rule for each layer that would have to have it.
fn rules_to_add(
    policy: &LandlockPolicy,
    list: &str,
    rule: &serde_json::Value,
    refuses: impl Fn(usize) -> bool,
) -> Vec<String> {
    // What is granted already is shown by the rule that would grant it.
    let every = 0..policy.layers.len();
    let refusing: Vec<usize> = every.filter(|layer| policy.layers.len() == 1 || refuses(*layer)).collect();
    let place = |layer: usize| format!("{}/{list}", policy.layer_pointer(layer)).trim_start_matches('/').to_owned();
    refusing.into_iter().map(|layer| format!("{}: {rule}", place(layer))).collect()
}

/// The list of the first layer that handles a file right.
fn handles_files(policy: &LandlockPolicy) -> String {
    let layer = policy.layers.iter().position(|layer| !layer.handled_fs.is_empty()).unwrap_or(0);
    policy.refusal_pointer(layer)
}

fn landlock_denial(
    source: &NamedPolicy,
    policy: &LandlockPolicy,
    blocker: &str,
    (path, port): (Option<&str>, Option<&str>),
    logged: &LoggedDenial,
) -> WhyDenial {
    let (kind, name) = blocker.split_once('.').unwrap_or(("", blocker));
    let unknown = |reason: String| (Grant { decision: WhyDecision::Undecidable, by: None }, reason, Vec::new());
    let (grant, reason, allow_with) = match (kind, path, port) {
        ("fs", Some(path), _) => match FsRight::ALL.iter().find(|right| right.name() == name) {
            Some(right) => {
                let grant = on_path(policy, *right, path);
                let rule = serde_json::json!({"path": path, "allow": [name]});
                let refuses = |layer| layer_on_path(policy, layer, *right, path).decision != WhyDecision::Allow;
                (grant, format!("`{name}` on `{path}`"), rules_to_add(policy, "path_beneath", &rule, refuses))
            }
            None if name == "change_topology" && policy.handles_files() => (
                Grant { decision: WhyDecision::Deny, by: Some(handles_files(policy)) },
                "a policy that handles a file right keeps the process from mounting and pivoting".into(),
                Vec::new(),
            ),
            None => unknown(format!("`{blocker}` is not a known right")),
        },
        ("net", _, Some(port)) => match NetRight::ALL.iter().find(|right| right.name() == name) {
            Some(right) => {
                let grant = on_port(policy, *right, port);
                let rule = serde_json::json!({"port": port, "allow": [name]});
                let refuses = |layer| layer_on_port(policy, layer, *right, port).decision != WhyDecision::Allow;
                let added = rules_to_add(policy, "net_port", &rule, refuses);
                (grant, format!("`{name}` on port {port}, of any host"), added)
            }
            None => unknown(format!("`{blocker}` is not a known right")),
        },
        ("scope", ..) => match Scope::ALL.iter().find(|scope| scope.name() == name) {
            Some(scope) => (
                of_scope(policy, *scope),
                format!("`{name}` keeps what is outside the domain out of reach"),
                Vec::new(),
            ),
            None => unknown(format!("`{blocker}` is not a known scope")),
        },
        ("", ..) if name == "ptrace" => (
            Grant { decision: WhyDecision::Deny, by: None },
            "every Landlock domain keeps its processes from tracing what is outside of it".into(),
            Vec::new(),
        ),
        _ => unknown(format!("`{blocker}` names no object that the record identifies")),
    };
    let conclusion = conclusion(grant.decision);
    let reason = match (conclusion, &grant.by) {
        (DenialConclusion::DeniedByPolicy, Some(by)) if by.contains("/handled") => {
            format!("{reason}: it is handled ({by}), and no rule grants it")
        }
        (DenialConclusion::AgainstTheModel, Some(by)) => {
            format!(
                "{reason}: {by} grants it, and it was denied: by another layer or another policy, or the rule tables differ"
            )
        }
        (DenialConclusion::AgainstTheModel, None) => {
            format!("{reason}: the policy does not handle it, so another layer or another policy denied it")
        }
        _ => reason,
    };
    WhyDenial {
        line: logged.line,
        count: logged.count,
        processes: logged.processes.clone(),
        operation: blocker.to_owned(),
        target: path.map(str::to_owned).or_else(|| port.map(|port| format!("port {port}"))).unwrap_or_default(),
        decision: grant.decision,
        rule: grant.by.as_deref().map(|by| source.member(by)),
        reason,
        assumes: path
            .map(|_| "rules are compared by their spelling, as if no symbolic link led to them".into())
            .into_iter()
            .collect(),
        conclusion,
        allow_with: if conclusion == DenialConclusion::DeniedByPolicy { allow_with } else { Vec::new() },
        opens: Vec::new(),
    }
}

fn render(report: &WhyLog) -> Lines {
    let mut lines = Lines::default();
    for one in &report.denials {
        let times = if one.count == 1 { String::new() } else { format!(", {} times", one.count) };
        let by = if one.processes.is_empty() { String::new() } else { format!(" by {}", one.processes.join(", ")) };
        let head = format!("{} {}", one.operation, one.target);
        lines.line(format!("line {}: {}{by}{times}", one.line, head.trim_end()));
        let style = match one.conclusion {
            DenialConclusion::DeniedByPolicy => color::HELPFUL,
            DenialConclusion::AgainstTheModel => color::BAD,
            DenialConclusion::Undecidable => color::DOUBTFUL,
        };
        let word = match one.conclusion {
            DenialConclusion::DeniedByPolicy => "denied by the policy",
            DenialConclusion::AgainstTheModel => "evidence against the model",
            DenialConclusion::Undecidable => "the model cannot know",
        };
        lines.marked(&format!("  {}", color::on_stdout(style, word)), format!(": {}", one.reason));
        if let Some(WhyRule { file, line, column, text: rule, .. }) = &one.rule {
            lines.line(format!("  rule    {file}:{line}:{column}  {rule}"));
        }
        one.assumes.iter().for_each(|assumed| lines.line(format!("  assumes {assumed}")));
        for rule in &one.allow_with {
            lines.line(format!("  to let it through: {rule}"));
        }
        for change in one.opens.iter().take(5) {
            lines.line(format!("  which also opens {} on {}", change.operations.join(", "), change.target));
        }
        if one.opens.len() > 5 {
            lines.line(format!("  and {} more", one.opens.len() - 5));
        }
        if !one.allow_with.is_empty() && one.opens.is_empty() && one.operation.starts_with("file") {
            lines.line("  which opens nothing else");
        }
    }
    let count = |conclusion| report.denials.iter().filter(|one| one.conclusion == conclusion).count();
    lines.blank();
    lines.line(format!(
        "{} lines, {} different denials: {} by the policy, {} against the model, {} that the model cannot know.",
        report.lines,
        report.denials.len(),
        count(DenialConclusion::DeniedByPolicy),
        count(DenialConclusion::AgainstTheModel),
        count(DenialConclusion::Undecidable)
    ));
    lines
}
