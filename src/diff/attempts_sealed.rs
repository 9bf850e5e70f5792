//! Sealed commands of one declaration: that their outputs differ is evidence of what no declaration holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::base::digest::Digest;
use crate::base::printable::Lines;
use crate::bundle::sealed_run::{SealedRun, SealedRunError};
use crate::record::attempts::{LeftOut, OutputInQuestion, SealedAttempt, SealedGroup};

use super::phrases::{MAX_PRINTED, counted, output, printable};

/// How many outputs in question a group lists. All are counted.
const MAX_LISTED: usize = 1000;

/// What is kept of a sealed command until all are grouped.
#[derive(Debug)]
pub(super) struct SealedRead {
    given: String,
    run: SealedRun,
}

/// Reads one.
pub(super) fn read(path: &Path) -> Result<SealedRead, LeftOut> {
    let given = path.display().to_string();
    match SealedRun::open(path) {
        Ok(run) => Ok(SealedRead { given, run }),
        Err(why) => Err(LeftOut {
            path: given,
            unfinished: matches!(why, SealedRunError::Unfinished),
            why: crate::base::error_chain::error_chain(&why),
        }),
    }
}

/// Groups them by identity, and compares the outputs of each group.
pub(super) fn groups(read: Vec<SealedRead>) -> Vec<SealedGroup> {
    let mut found: BTreeMap<Digest, Vec<SealedRead>> = BTreeMap::new();
    read.into_iter().for_each(|one| found.entry(one.run.declaration.identity).or_default().push(one));
    found.into_iter().map(|(identity, runs)| group(identity, runs)).collect()
}

fn group(identity: Digest, mut runs: Vec<SealedRead>) -> SealedGroup {
    runs.sort_by(|a, b| a.given.cmp(&b.given));
    let names: BTreeSet<&String> = runs.iter().flat_map(|one| one.run.outputs.keys()).collect();
    let outputs = names.len() as u64;
    let mut in_question = Vec::new();
    let mut disagreements = 0;
    for name in names {
        let answers: Vec<_> = runs.iter().map(|one| one.run.outputs.get(name).cloned()).collect();
        if answers.windows(2).all(|two| two[0] == two[1]) {
            continue;
        }
        disagreements += 1;
        if in_question.len() < MAX_LISTED {
            in_question.push(OutputInQuestion { output: name.clone(), answers });
        }
    }
    let mut not_held: Vec<String> = Vec::new();
    for one in runs.iter().flat_map(|one| &one.run.ending.not_held) {
        if !not_held.contains(one) {
            not_held.push(one.clone());
        }
    }
    let attempt = |one: &SealedRead| SealedAttempt {
        path: one.given.clone(),
        drifted: !one.run.ending.drift.is_empty(),
        partial: !one.run.ending.partial.is_empty(),
    };
    SealedGroup {
        identity,
        kind: runs.first().map(|one| one.run.declaration.kind.clone()).unwrap_or_default(),
        attempts: runs.iter().map(attempt).collect(),
        outputs,
        disagreements,
        unlisted: disagreements - in_question.len() as u64,
        outputs_in_question: in_question,
        not_held,
    }
}

/// One group for people.
pub(super) fn render(out: &mut Lines, group: &SealedGroup) {
    let said = match group.attempts.len() {
        1 => "nothing to compare with".to_owned(),
        _ if group.disagreements == 0 => format!("all agree in {}", counted(group.outputs, "output")),
        _ => format!("they disagree in {} of {}", group.disagreements, counted(group.outputs, "output")),
    };
    let attempts = counted(group.attempts.len() as u64, "sealed command");
    out.line(format!("identity {}  {}: {attempts}, {said}", group.identity, printable(&group.kind)));
    for attempt in &group.attempts {
        let drifted = if attempt.drifted { "  (what it read may have changed meanwhile)" } else { "" };
        let partial = if attempt.partial { "  (partial)" } else { "" };
        out.line(format!("  {}{drifted}{partial}", printable(&attempt.path)));
    }
    for one in group.outputs_in_question.iter().take(MAX_PRINTED) {
        out.line(format!("  {}", printable(&one.output)));
        for (attempt, answer) in group.attempts.iter().zip(&one.answers) {
            out.line(format!("    {}: {}", printable(&attempt.path), output(answer.as_ref())));
        }
    }
    let printed = group.outputs_in_question.len().min(MAX_PRINTED) as u64;
    if group.disagreements > printed {
        out.line(format!("  and {}", counted(group.disagreements - printed, "more output")));
    }
    if group.disagreements > 0 {
        let held = group.not_held.join(", ");
        out.line(format!(
            "  same declaration, different outputs: evidence of what it does not hold: {}",
            printable(&held)
        ));
        out.line("  `diff-runs` on two of them says where the outputs differ");
    }
}
