//! What two sealed commands came to, output by output, and which of the declared differences could explain each.

use std::collections::BTreeSet;

use serde_json::Value;

use super::changes::ReachingChange;
use super::inner::{self, MAX_FILE_BYTES};
use crate::bundle::sealed_run::SealedRun;
use crate::record::run_diff::{DifferingOutput, Explanation, ExplanationGrade, InnerDifferences, OutputComparison};

/// How many outputs that differ a report lists. All are counted.
const MAX_LISTED: usize = 1000;

/// Compares the outputs. `changes`: what was declared differently and is material.
pub(super) fn compare(a: &SealedRun, b: &SealedRun, changes: &[ReachingChange]) -> OutputComparison {
    let drifted = [a, b].into_iter().any(|run| !run.ending.drift.is_empty());
    let explanation = explain(changes, drifted);
    let names: BTreeSet<&String> = a.outputs.keys().chain(b.outputs.keys()).collect();
    let all = names.len() as u64;
    let mut outputs = Vec::new();
    let mut differing = 0;
    for name in names {
        let (of_a, of_b) = (a.outputs.get(name), b.outputs.get(name));
        if of_a == of_b {
            continue;
        }
        differing += 1;
        if outputs.len() == MAX_LISTED {
            continue;
        }
        outputs.push(DifferingOutput {
            output: name.clone(),
            a: of_a.cloned(),
            b: of_b.cloned(),
            within: within(name, [a, b]),
            explanation: explanation.clone(),
        });
    }
    let mut not_held = a.ending.not_held.clone();
    not_held.extend(b.ending.not_held.iter().filter(|one| !a.ending.not_held.contains(one)).cloned());
    OutputComparison {
        same: all - differing,
        differing,
        unlisted: differing - outputs.len() as u64,
        outputs,
        drifted,
        not_held,
    }
}

/// Every declared difference can reach every output: what a command does with what it reads is not known.
fn explain(changes: &[ReachingChange], drifted: bool) -> Explanation {
    let candidates: Vec<String> = changes.iter().map(|change| change.change.id.clone()).collect();
    let finding = match candidates.len() {
        // What was read may not be what was declared.
        _ if drifted => ExplanationGrade::Unknown,
        0 => ExplanationGrade::NothingDeclared,
        1 => ExplanationGrade::OnlyDifference,
        _ => ExplanationGrade::Candidates,
    };
    Explanation { finding, candidates }
}

fn within(name: &str, runs: [&SealedRun; 2]) -> InnerDifferences {
    let is_file =
        |run: &SealedRun| run.outputs.get(name).and_then(|value| value.get("digest")).is_some_and(Value::is_string);
    if !runs.iter().all(|run| is_file(run)) {
        return InnerDifferences::default();
    }
    let [Some(a), Some(b)] = runs.map(|run| run.content(name, MAX_FILE_BYTES as u64)) else {
        return InnerDifferences::default();
    };
    inner::of_files(&a, &b)
}
