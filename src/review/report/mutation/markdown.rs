//! Markdown, for a pull request.

use super::super::markdown::{code, plain, sentence};
use super::{by, gap, place, probe_words, proved_by, rules, share};
use crate::record::mutation::MutationReport;

/// How many changes that nothing notices are spelled out.
const SHOWN: usize = 200;

/// The report as Markdown.
pub fn markdown(report: &MutationReport) -> String {
    let mut out = format!("## Mutation of {}\n\n{}.\n\n", code(&report.plan_id), sentence(&report.sentence));
    out.push_str("| profile | decided by | let more through: noticed | refuse more: noticed |\n|---|---|--:|--:|\n");
    for policy in &report.policies {
        let cells =
            [code(&policy.profile_id), by(policy.by).to_owned(), share(&policy.weakened), share(&policy.narrowed)];
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    let mut shown = 0;
    let mut left_out = 0;
    for policy in &report.policies {
        let open: Vec<_> =
            rules(policy).flat_map(|(rule, open)| open.into_iter().map(move |one| (rule, one))).collect();
        if open.is_empty() {
            continue;
        }
        out.push_str(&format!("\n### {}\n\n", code(&policy.profile_id)));
        for (rule, mutant) in open {
            if shown == SHOWN {
                left_out += 1;
                continue;
            }
            shown += 1;
            let place = code(&place(policy, rule));
            out.push_str(&format!(
                "- {}: {} ({place}, {})",
                gap(mutant),
                sentence(&mutant.change),
                sentence(&rule.says)
            ));
            if let Some(probe) = &mutant.probe_to_add {
                out.push_str(&format!("; add a probe: {}", sentence(&probe_words(probe))));
            }
            out.push('\n');
        }
    }
    if left_out > 0 {
        out.push_str(&format!("\n{left_out} more are left out here.\n"));
    }
    out.push_str("\n<details><summary>What proves what</summary>\n\n| rule | proved by |\n|---|---|\n");
    for policy in &report.policies {
        for (rule, _) in rules(policy).filter(|(rule, _)| !rule.proved_by.is_empty()) {
            out.push_str(&format!(
                "| {} {} | {} |\n",
                code(&place(policy, rule)),
                cell(&sentence(&rule.says)),
                plain(&proved_by(policy, rule))
            ));
        }
    }
    out.push_str("\n</details>\n");
    for fault in &report.oracle_disagrees {
        out.push_str(&format!(
            "\n**oracle_disagrees**: {} at {}, {}: {} is {} by the model and {} by the kernel\n",
            code(&fault.profile_id),
            code(&fault.at),
            sentence(&fault.change),
            code(&fault.expectation_id),
            fault.model.as_str(),
            fault.kernel.as_str()
        ));
    }
    out
}

/// A text in a table: a bar would end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
