//! The model against decisions that were recorded on macOS 14.4.1, and the page that says how they compare.

use std::collections::BTreeMap;
use std::fmt::Write;

use sandproof::test_support::policy::sbpl::SbplPolicy;
use sandproof::test_support::policy::sbpl::model::{NodeKind, SbplAnswer, SbplQuestion, evaluate};
use sandproof::test_support::policy::sbpl::rules::{Filter, Rule};
use sandproof::test_support::record::outcome::Decision;
use serde::Deserialize;

use crate::support::root;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    host: String,
    source: String,
    /// The rules that the recording harness appends, unless a case says otherwise.
    shims: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    family: String,
    policy: String,
    shims: bool,
    /// How it was recorded: by a program that applies the profile to itself (`own`), by its metadata program
    /// (`metadata`), or by a query of the policy (`query`).
    driver: String,
    #[serde(default)]
    links: BTreeMap<String, String>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
    #[serde(default)]
    note: Option<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    operation: String,
    target: String,
    #[serde(default)]
    syscall: Option<String>,
    /// What was observed.
    recorded: String,
    /// What the recording's author had expected, where that is something else.
    #[serde(default)]
    expected: Option<String>,
}

fn recorded() -> Recorded {
    let bytes = std::fs::read(root().join("tests/recorded/sonoma.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn ask(shims: &[String], case: &Case, row: &Row) -> SbplAnswer {
    let policy = SbplPolicy::new(case.policy.as_str(), BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"));
    let policy = if case.shims { policy.with_rules(shims).unwrap() } else { policy };
    let mut question = SbplQuestion::new(row.operation.as_str(), row.target.as_str());
    question.syscall = row.syscall.clone();
    question.facts = case.facts.clone();
    for (path, text) in &case.links {
        question.tree.declare(path, NodeKind::Symlink(text.clone())).unwrap();
    }
    evaluate(policy.rules(), &question)
}

fn told(answer: &SbplAnswer) -> &'static str {
    answer.decision.map_or("undecidable", |decision| decision.as_str())
}

#[test]
fn the_model_gives_every_recorded_decision() {
    let recorded = recorded();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for case in &recorded.cases {
        for row in &case.rows {
            rows += 1;
            let answer = ask(&recorded.shims, case, row);
            if told(&answer) != row.recorded {
                wrong.push(format!(
                    "{} on {}: recorded {}, {answer:#?}\n{}",
                    row.operation, row.target, row.recorded, case.policy
                ));
            }
        }
    }
    assert!(rows > 90, "only {rows} rows");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What one check comes to if the last rule in the text that matches decides, whatever it names: each rule is asked
/// alone, in a profile that says nothing else.
fn by_position(policy: &SbplPolicy, question: &SbplQuestion, upto: usize) -> Option<Decision> {
    let rules = policy.rules();
    (0..upto).rev().find_map(|at| {
        let mut alone = rules.clone();
        // Asked for the other decision everywhere else, the rule shows whether it matches.
        let mut rule = alone.rules[at].clone();
        rule.filters = if rule.filters.is_empty() { Vec::new() } else { vec![Filter::Any(rule.filters)] };
        let wanted = rule.action;
        let other = if wanted == Decision::Allow { Decision::Deny } else { Decision::Allow };
        let base = Rule {
            action: other,
            operations: vec!["default".into()],
            filters: vec![],
            modifiers: vec![],
            in_message_filter: false,
            conditions: vec![],
            place: rule.place,
        };
        // Behind a rule on `default` of the other decision, one on `default` decides only without a filter.
        alone.rules = vec![base, rule];
        let mut question = question.clone();
        question.facts.insert("extension".into(), "none".into());
        (evaluate(&alone, &question).decision == Some(wanted)).then_some(wanted)
    })
}

#[test]
fn the_record_cannot_tell_the_order_of_precedence_from_the_last_rule_that_matches() {
    let recorded = recorded();
    let mut compared = 0;
    for case in &recorded.cases {
        for row in &case.rows {
            let answer = ask(&recorded.shims, case, row);
            assert!(
                answer.assumes.iter().all(|text| !text.contains("not recorded on 14.4.1")),
                "{} on {}: {answer:#?}",
                row.operation,
                row.target
            );
            // The check that decided, asked by itself, comes to the same by position alone.
            let Some(index) = answer.rule else { continue };
            let policy = SbplPolicy::new(case.policy.as_str(), BTreeMap::new()).unwrap();
            let policy = if case.shims { policy.with_rules(&recorded.shims).unwrap() } else { policy };
            let Some(step) = answer.chain.iter().find(|step| step.rule == Some(index)) else { continue };
            if !step.on.starts_with('/')
                || !["file-read-data", "file-read-metadata", "file-write-data"].contains(&step.operation)
            {
                continue;
            }
            let mut question = SbplQuestion::new(step.operation, step.on.as_str());
            question.syscall = (step.operation == "file-read-metadata").then(|| "lstat".to_owned());
            question.facts = case.facts.clone();
            for (path, text) in &case.links {
                question.tree.declare(path, NodeKind::Symlink(text.clone())).unwrap();
            }
            let all = policy.rules().rules.len();
            assert_eq!(by_position(&policy, &question, all), step.decision, "{step:?}");
            compared += 1;
        }
    }
    assert!(compared > 60, "only {compared} rows");
}

/// The page, as the recorded decisions and the model make it.
fn page() -> String {
    let recorded = recorded();
    let mut families: Vec<(&str, [usize; 4])> = Vec::new();
    let mut disagreements = String::new();
    let mut surprises = String::new();
    let mut assuming = 0;
    for case in &recorded.cases {
        let place = families.iter().position(|(name, _)| *name == case.family).unwrap_or_else(|| {
            families.push((&case.family, [0; 4]));
            families.len() - 1
        });
        let counts = &mut families[place].1;
        for row in &case.rows {
            let answer = ask(&recorded.shims, case, row);
            assuming += usize::from(answer.decision.is_some() && !answer.assumes.is_empty());
            counts[3] += 1;
            let at = match told(&answer) {
                "undecidable" => 2,
                same if same == row.recorded => 0,
                _ => 1,
            };
            counts[at] += 1;
            let call = row.syscall.as_deref().map_or(String::new(), |call| format!(" by `{call}`"));
            let what = format!("`{}` on `{}`{call}", row.operation, row.target);
            if at != 0 {
                writeln!(
                    disagreements,
                    "- {what} under\n  `{}`: recorded {}, the model says {}: {}",
                    case.policy.split_whitespace().collect::<Vec<_>>().join(" "),
                    row.recorded,
                    told(&answer),
                    answer.reason
                )
                .unwrap();
            }
            if let Some(expected) = &row.expected {
                writeln!(surprises, "| {what} | {expected} | {} | {} |", row.recorded, answer.reason).unwrap();
            }
        }
    }
    let mut text = format!(
        "# Agreement with Sonoma\n\n\
         How the Seatbelt model compares with decisions recorded on {}.\n\
         Source: {}.\n\n\
         The record is `tests/recorded/sonoma.json`; a test asks the model about each row and fails if this page is\n\
         stale. To make it anew: `UPDATE_DOCS=1 cargo test --test it sonoma_agreement`.\n\n\
         | family | rows | agree | disagree | undecidable |\n|---|---|---|---|---|\n",
        recorded.host, recorded.source
    );
    let mut total = [0; 4];
    for (family, [agree, disagree, open, all]) in &families {
        writeln!(text, "| {family} | {all} | {agree} | {disagree} | {open} |").unwrap();
        for (sum, count) in total.iter_mut().zip([agree, disagree, open, all]) {
            *sum += count;
        }
    }
    let [agree, disagree, open, all] = total;
    writeln!(text, "| all | {all} | {agree} | {disagree} | {open} |").unwrap();
    writeln!(
        text,
        "\n{assuming} of these answers take something for granted (that a file's own name is no symbolic link, say) and \
         say so.\nThe others are certain."
    )
    .unwrap();
    text.push_str("\n## Where they differ\n\n");
    text.push_str(if disagreements.is_empty() {
        "Nowhere. That is no proof of the model: its rules were written with this record at hand.\n\n\
         In particular, the record cannot tell the model's order of precedence (a rule on the operation before one on\n\
         its group before one on `default`; a rule with a filter before one without) from a plain \"the last rule that\n\
         matches decides\": a test works out every row both ways and finds the same decisions. The order is what is\n\
         reported of other releases; see `sbpl.md`. An answer that depends on it says so, and none above does.\n"
    } else {
        &disagreements
    });
    text.push_str(
        "\n## Where the recording's author was surprised\n\n\
         The model explains each of them.\n\n| asked | expected | recorded | the model's reason |\n|---|---|---|---|\n",
    );
    text.push_str(&surprises);
    text.push_str(
        "\n## What is left out\n\n\
         - Rows that never reached the operation: a system tool that was executed under `(deny default)` and aborted\n\
         \x20 before its call, a profile that could not be applied, a fixture that had vanished.\n\
         - Lookups of services and classes that do not exist: 1102 and \"not found\" come whatever the policy decides.\n\
         - Execution under `(version 2)` profiles, which failed (EPERM) unless `(allow default)` was added: no one knows\n\
         \x20 why, so the model has no rule for it.\n\
         - Queries of the policy that answered deny for everything.\n\n\
         ## What the model does not know\n\n\
         - What decides where no rule matches and a version 1 profile has no rule on `default`.\n\
         - Whether case, or the form in which Unicode writes a character, makes a difference to a rule on a path.\n\
         - Whether needless slashes in a rule's own path are tidied before it is compared.\n\
         - Imports, home folders, and facts of the target that nobody declares. That the process holds no extension\n\
         \x20 is taken for granted, and said.\n\
         - Whether `(deny default)` reaches what the published policies of browsers deny by name: `process-info*`,\n\
         \x20 `nvram*`, `iokit-get-properties`, `file-map-executable` and others; see `sbpl.md`.\n\
         - Whether a lookup needs `mach-bootstrap`: it takes for granted that it does not, and says so.\n\n\
         In each of these cases the answer is undecidable only where it would change.\n",
    );
    text
}

#[test]
fn the_page_is_up_to_date() {
    let path = root().join("docs/sonoma-agreement.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/sonoma-agreement.md is stale: UPDATE_DOCS=1 cargo test --test it sonoma_agreement");
}

#[test]
fn every_case_says_how_it_was_recorded() {
    for case in recorded().cases {
        assert!(["own", "metadata", "query"].contains(&case.driver.as_str()), "{}", case.driver);
        // The metadata program applies its profile bare.
        assert!(case.driver != "metadata" || !case.shims);
        assert!(case.note.is_none_or(|note| !note.is_empty()));
    }
}
