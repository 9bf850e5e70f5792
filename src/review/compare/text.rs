//! A comparison of worlds as text.

use super::{headline, named, values, world};
use crate::base::printable::Lines;
use crate::record::compare::WorldComparison;

/// How many worlds of a group are named.
const SHOWN: usize = 10;
/// How many questions are shown.
const SHOWN_QUESTIONS: usize = 200;

/// As text for people.
pub fn text(comparison: &WorldComparison) -> Lines {
    let mut out = Lines::default();
    out.line(format!("{}.", headline(comparison)));
    for group in &comparison.groups {
        out.blank();
        let counts = &group.counts;
        let mut answers = format!("allow {}, deny {}, undecided {}", counts.allow, counts.deny, counts.undecided);
        if counts.not_asked > 0 {
            answers.push_str(&format!(", not asked {}", counts.not_asked));
        }
        let noun = if group.count == 1 { "world" } else { "worlds" };
        out.line(format!("{}  {} {noun}: {answers}", group.label, group.count));
        for one in group.worlds.iter().take(SHOWN) {
            out.line(format!("   {}", world(one)));
        }
        if group.count > SHOWN {
            out.line(format!("   … and {} more", group.count - SHOWN));
        }
        for fact in &group.facts {
            out.line(format!("   {} = {}", fact.fact, values(fact)));
        }
    }
    for question in comparison.differing.iter().take(SHOWN_QUESTIONS) {
        out.blank();
        out.line(format!("{}  {} {}", named(question), question.operation, question.target));
        for answer in &question.answers {
            out.line(format!("   {:<24} {}", answer.answer, answer.groups.join(" ")));
        }
        match &question.goes_with[..] {
            [] => out.line("   no declared fact differs in the same way"),
            facts => out.line(format!("   goes with {}", facts.join(", "))),
        }
    }
    let rest = comparison.differing.len().saturating_sub(SHOWN_QUESTIONS) + comparison.unlisted;
    if rest > 0 {
        out.blank();
        out.line(format!("… and {rest} more"));
    }
    if !comparison.left_out.is_empty() {
        out.blank();
        for left in &comparison.left_out {
            let kind = if left.unfinished { "not finished" } else { "invalid" };
            out.line(format!("left out, {kind}: {} ({})", left.path, left.why));
        }
    }
    out
}
