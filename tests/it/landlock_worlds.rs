//! `docs/landlock-worlds.md`: every cell is what the model predicts of that ABI, or is listed with what was seen instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sandproof::test_support::plan::Selection;
use sandproof::test_support::policy::PolicyValue;
use sandproof::test_support::policy::landlock::evaluate;
use sandproof::test_support::record::outcome::Decision;

use crate::rust_text::root;

/// Plans whose profiles are all Landlock policies; `scripts/worlds` finds them by that.
const PLANS: [&str; 5] = ["quickstart", "linux-files", "linux-network", "linux-scopes", "linux-surface"];
const NOT_APPLIED: &str = "not applied";

/// A profile of a plan that ships: the ABI that its policy needs, and what the model says of each question.
struct PredictedProfile {
    abi: i64,
    answers: BTreeMap<String, &'static str>,
}

fn predicted() -> BTreeMap<String, PredictedProfile> {
    let mut found = BTreeMap::new();
    for name in PLANS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name).join("plan.json");
        let (plan, _) = sandproof::test_support::plan::load(&path, None, &Selection::default()).unwrap();
        for (profile, probe) in plan.rows() {
            let PolicyValue::Landlock(policy) = &*profile.policy.value else { panic!("{name}: no Landlock policy") };
            let answer = evaluate(policy, probe.action.as_ref().unwrap(), &probe.fixtures);
            let word = match answer.decision {
                Some(Decision::Allow) => "allow",
                Some(Decision::Deny) => "deny",
                None => "undecided",
            };
            let entry = found.entry(profile.entry.profile_id.to_string()).or_insert_with(|| {
                let text = std::fs::read(root().join(&profile.policy.path)).unwrap();
                let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
                PredictedProfile { abi: document["abi"].as_i64().unwrap(), answers: BTreeMap::new() }
            });
            entry.answers.insert(probe.expectation_id.to_string(), word);
        }
    }
    found
}

/// The cells of a line of a table.
fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// The lines of the table below the heading, without its head.
fn table<'p>(page: &'p str, heading: &str) -> (Vec<&'p str>, Vec<Vec<&'p str>>) {
    let part = page.split(heading).nth(1).unwrap_or_default();
    let part = part.split("\n## ").next().unwrap_or_default();
    let mut lines = part.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = lines.next().unwrap_or_default();
    (head, lines.filter(|cells| !cells[0].starts_with("---")).collect())
}

/// What the page says otherwise than the model.
fn faults(page: &str) -> Vec<String> {
    let predicted = predicted();
    let mut faults = Vec::new();
    let (_, worlds) = table(page, "## Worlds");
    let abi_of: BTreeMap<&str, i64> = worlds.iter().map(|line| (line[0], line[2].parse().unwrap())).collect();
    // What was seen instead: by world and question.
    let mut instead: BTreeMap<(&str, String), (&str, &str)> = BTreeMap::new();
    for line in table(page, "## Where the kernel said").1 {
        let [question, kernel, model, places, why] = line[..] else { panic!("{line:?}") };
        if why.is_empty() {
            faults.push(format!("{question}: no reason is given"));
        }
        if kernel == model || (["allow", "deny"].contains(&kernel) && ["allow", "deny"].contains(&model)) {
            faults.push(format!("{question}: the kernel says {kernel}, the model {model}"));
        }
        for world in places.split(", ") {
            instead.insert((world, question.trim_matches('`').to_owned()), (kernel, model));
        }
    }
    let (head, lines) = table(page, "## What was enforced");
    let mut seen = BTreeSet::new();
    for line in &lines {
        let name = line[0].trim_matches('`');
        let Some(profile) = predicted.get(name) else {
            faults.push(format!("no plan has `{name}`"));
            continue;
        };
        seen.insert(name);
        if line[1] != profile.abi.to_string() || line[2] != profile.answers.len().to_string() {
            faults.push(format!("`{name}` needs ABI {} and has {} questions", profile.abi, profile.answers.len()));
        }
        for (world, cell) in head.iter().zip(line).skip(3) {
            let expected = if profile.abi > abi_of[world] {
                NOT_APPLIED.to_owned()
            } else {
                let mut counts = BTreeMap::from([("allow", 0), ("deny", 0), ("undecided", 0)]);
                for (question, model) in &profile.answers {
                    let word = match instead.remove(&(*world, question.clone())) {
                        Some((_, said)) if said != *model => {
                            faults.push(format!("{question}: the model says {model}, not {said}"));
                            continue;
                        }
                        Some((kernel, _)) => kernel.split(' ').next().unwrap_or_default(),
                        None => model,
                    };
                    *counts.entry(word).or_default() += 1;
                }
                let shown = counts.into_iter().filter(|(_, count)| *count > 0);
                shown.map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
            };
            if *cell != expected {
                faults.push(format!("`{name}` in {world}: the page says `{cell}`, the model `{expected}`"));
            }
        }
    }
    faults.extend(
        predicted.keys().filter(|name| !seen.contains(name.as_str())).map(|name| format!("`{name}` is missing")),
    );
    faults.extend(instead.keys().map(|(world, question)| format!("{world} has no `{question}`")));
    if abi_of.values().collect::<BTreeSet<_>>().len() < 5 {
        faults.push("kernels of five ABIs at least are to be had".to_owned());
    }
    faults
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/landlock-worlds.md")).unwrap()
}

#[test]
fn every_cell_is_what_the_model_predicts_of_that_abi() {
    let found = faults(&page());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_cell_that_is_not_is_found() {
    let page = page();
    let (before, enforced) = page.split_once("## What was enforced").unwrap();
    let edited = |from: &str, to: &str| format!("{before}## What was enforced{}", enforced.replacen(from, to, 1));
    let row = enforced.lines().find(|line| line.starts_with("| `files:")).unwrap();
    let exception = page.split("## Where the kernel said").nth(1).unwrap().lines().find(|line| line.starts_with("| `"));
    let mut edits = vec![
        edited("| not applied |", "| 1 allow |"),
        edited(" allow", " deny"),
        edited(" allow,", "1 allow,"),
        edited(row, ""),
        page.replacen("| 2 | emulated", "| 6 | emulated", 1),
    ];
    if let Some(exception) = exception {
        edits.push(page.replacen(&format!("{exception}\n"), "", 1));
    }
    for (n, edit) in edits.iter().enumerate() {
        assert_ne!(*edit, page, "{n}");
        assert!(!faults(edit).is_empty(), "edit {n} is not noticed");
    }
}
