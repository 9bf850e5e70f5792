//! For a terminal.

use super::{by, gap, place, probe_words, proved_by, rules, share};
use crate::base::printable::Lines;
use crate::record::mutation::MutationReport;

/// The report as lines.
pub fn text(report: &MutationReport) -> Lines {
    let mut lines = Lines::default();
    lines.line(&report.sentence);
    for policy in &report.policies {
        lines.blank();
        lines.line(format!("{}  ({})", policy.profile_id, by(policy.by)));
        lines.line(format!(
            "  let more through: {} noticed; refuse more: {} noticed",
            share(&policy.weakened),
            share(&policy.narrowed)
        ));
        for (rule, open) in rules(policy) {
            lines.line(format!("  {}  {}", place(policy, rule), rule.says));
            if !rule.proved_by.is_empty() {
                lines.line(format!("      proved by {}", proved_by(policy, rule)));
            }
            for mutant in open {
                lines.line(format!("      {}: {}", gap(mutant), mutant.change));
                if let Some(probe) = &mutant.probe_to_add {
                    lines.line(format!("          add a probe: {}", probe_words(probe)));
                }
            }
        }
        for useless in &policy.useless {
            lines.line(format!("  proves nothing: {} ({})", useless.expectation_id, useless.why));
        }
    }
    lines.blank();
    let score = |score: Option<f64>| score.map_or("none".to_owned(), |score| format!("{score:.2}"));
    lines.line(format!(
        "score {} (let more through: {}; refuse more: {}; handle more: {})",
        score(report.weakened.score),
        share(&report.weakened),
        share(&report.narrowed),
        share(&report.stricter)
    ));
    lines.line(format!(
        "left out: {} changes that make no difference ({} of them run all the same), {} that no driver \
         asks for, {} that make no policy",
        report.equivalent.mutants, report.equivalent.run, report.not_askable, report.refused
    ));
    for fault in &report.oracle_disagrees {
        lines.line(format!(
            "oracle_disagrees: {} {}: {}: `{}` is {} by the model and {} by the kernel",
            fault.profile_id,
            fault.at,
            fault.change,
            fault.expectation_id,
            fault.model.as_str(),
            fault.kernel.as_str()
        ));
    }
    if let (Some(least), Some(score)) = (report.fail_under, report.weakened.score)
        && score < least
    {
        lines.line(format!("below --fail-under {least}"));
    }
    lines
}
