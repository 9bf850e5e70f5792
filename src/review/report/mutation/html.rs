//! One HTML page.

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::super::html::{STYLE, code, prose, words};
use super::{by, gap, place, probe_words, proved_by, rules, share};
use crate::record::mutation::{MutationReport, MutationScore, PolicyMutation};

/// The report as a page that loads nothing.
pub fn html(report: &MutationReport) -> String {
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Mutation of " (report.plan_id) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Mutation of " (code(&report.plan_id)) }
                    p { (prose(&report.sentence)) "." }
                    ul.tiles aria-label="The score" {
                        (tile(&report.weakened, "changes that let more through are noticed"))
                        (tile(&report.narrowed, "changes that refuse more are noticed"))
                        li { b { (report.equivalent.mutants) } "make no difference" }
                        @if !report.oracle_disagrees.is_empty() {
                            li { b.x { (report.oracle_disagrees.len()) } "times the model is wrong" }
                        }
                    }
                    @for fault in &report.oracle_disagrees {
                        div.find {
                            p { b { "oracle_disagrees" } " " (code(&fault.profile_id)) " " (code(&fault.at)) }
                            p {
                                (prose(&fault.change)) ": " (code(&fault.expectation_id)) " is "
                                (fault.model.as_str()) " by the model and " (fault.kernel.as_str()) " by the kernel"
                            }
                        }
                    }
                    @for one in &report.policies { (policy(one)) }
                }
            }
        }
    };
    page.into_string()
}

fn tile(score: &MutationScore, what: &str) -> Markup {
    let class = if score.noticed == score.mutants { "o" } else { "x" };
    markup! { li { b class=(class) { (share(score)) } (what) } }
}

fn policy(policy: &PolicyMutation) -> Markup {
    let open: usize = rules(policy).map(|(_, open)| open.len()).sum();
    markup! {
        h2 { (words(&policy.profile_id)) }
        p.sub {
            (code(&policy.policy)) " · " (by(policy.by)) " · let more through: " (share(&policy.weakened))
            " noticed · refuse more: " (share(&policy.narrowed)) " noticed"
        }
        @if open > 0 {
            @for (rule, open) in rules(policy) {
                @for mutant in open {
                    div.find.open {
                        p { b { (gap(mutant)) } ": " (prose(&mutant.change)) }
                        dl {
                            dt { "policy" } dd { (code(&place(policy, rule))) " " (prose(&rule.says)) }
                            @if let Some(probe) = &mutant.probe_to_add {
                                dt { "add a probe" } dd { (prose(&probe_words(probe))) }
                            }
                        }
                    }
                }
            }
        }
        table {
            thead { tr { th { "Rule" } th { "Line" } th { "Proved by" } } }
            tbody {
                @for (rule, _) in rules(policy) {
                    tr {
                        td { (prose(&rule.says)) }
                        td { @if let Some(line) = rule.line { (line) } }
                        td { @if rule.proved_by.is_empty() { span.x { "no probe" } } @else { (words(&proved_by(policy, rule))) } }
                    }
                }
            }
        }
        @for useless in &policy.useless {
            p.sub { "Proves nothing: " (code(&useless.expectation_id)) ", " (prose(&useless.why)) }
        }
    }
}
