//! A comparison of worlds in Markdown: a table of the groups, and one of the questions.

use std::fmt::Write as _;

use super::{headline, named, values, world};
use crate::record::compare::WorldComparison;
use crate::review::report::{code, plain};

/// How many worlds of a group are named.
const SHOWN: usize = 5;
/// How many questions are shown: more would not fit a pull request.
const SHOWN_QUESTIONS: usize = 200;
/// How many groups have a column of their own.
const COLUMNS: usize = 12;

/// As Markdown.
pub fn markdown(comparison: &WorldComparison) -> String {
    let mut out = String::new();
    let line = |out: &mut String, text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(&mut out, format!("# Worlds compared\n\n{}.\n", headline(comparison)));
    line(&mut out, "| | worlds | allow | deny | undecided | what differs |\n|---|---|---|---|---|---|".to_owned());
    for group in &comparison.groups {
        let mut worlds: Vec<String> = group.worlds.iter().take(SHOWN).map(|one| code(&world(one))).collect();
        if group.count > SHOWN {
            worlds.push(format!("and {} more", group.count - SHOWN));
        }
        let facts: Vec<String> =
            group.facts.iter().map(|fact| format!("{} = {}", code(&fact.fact), plain(&values(fact)))).collect();
        let counts = &group.counts;
        line(
            &mut out,
            format!(
                "| **{}** | {} | {} | {} | {} | {} |",
                group.label,
                worlds.join("<br>"),
                counts.allow,
                counts.deny,
                counts.undecided,
                facts.join("<br>")
            ),
        );
    }
    if !comparison.differing.is_empty() {
        let shown: Vec<&str> = comparison.groups.iter().take(COLUMNS).map(|group| group.label.as_str()).collect();
        let more = comparison.groups.len() > COLUMNS;
        let _ = write!(out, "\n| question |");
        shown.iter().for_each(|label| {
            let _ = write!(out, " {label} |");
        });
        line(&mut out, format!("{} goes with |", if more { " others |" } else { "" }));
        line(&mut out, format!("|---|{}---|", "---|".repeat(shown.len() + usize::from(more))));
        for question in comparison.differing.iter().take(SHOWN_QUESTIONS) {
            let _ = write!(
                out,
                "| {}<br>{} |",
                code(&named(question)),
                code(&format!("{} {}", question.operation, question.target))
            );
            let of = |label: &str| {
                let found = question.answers.iter().find(|answer| answer.groups.iter().any(|group| group == label));
                found.map_or_else(String::new, |answer| plain(&answer.answer))
            };
            for label in &shown {
                let _ = write!(out, " {} |", of(label));
            }
            if more {
                let others: Vec<String> = question
                    .answers
                    .iter()
                    .filter_map(|answer| {
                        let count = answer.groups.iter().filter(|group| !shown.contains(&group.as_str())).count();
                        (count > 0).then(|| format!("{} ×{count}", plain(&answer.answer)))
                    })
                    .collect();
                let _ = write!(out, " {} |", others.join("<br>"));
            }
            let facts: Vec<String> = question.goes_with.iter().map(|fact| code(fact)).collect();
            line(&mut out, format!(" {} |", facts.join("<br>")));
        }
    }
    let rest = comparison.differing.len().saturating_sub(SHOWN_QUESTIONS) + comparison.unlisted;
    if rest > 0 {
        line(&mut out, format!("\n{rest} more questions are answered differently."));
    }
    if !comparison.left_out.is_empty() {
        line(&mut out, "\nLeft out:\n".to_owned());
        for left in &comparison.left_out {
            let kind = if left.unfinished { "not finished" } else { "invalid" };
            line(&mut out, format!("- {} ({kind}: {})", code(&left.path), plain(&left.why)));
        }
    }
    out
}
