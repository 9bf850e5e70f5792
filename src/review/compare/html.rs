//! A comparison of worlds as one HTML page: no scripts, no images, nothing loaded from anywhere.

use std::fmt::Write as _;

use super::{headline, named, values, world};
use crate::record::compare::{DifferingQuestion, WorldComparison};
use crate::review::report::markup;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}table{border-collapse:collapse;margin:1rem 0}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere}\
code{font-family:ui-monospace,monospace}small{display:block;opacity:.75}\
.wide{overflow-x:auto}.allow{color:#1a7f37}.deny{color:#57606a}.undecided{background:#fff3cd}\
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}th,td{border-color:#444}\
.allow{color:#57d173}.deny{color:#a8b1ba}.undecided{background:#54450f}}\
@media print{.wide{overflow:visible}tr{break-inside:avoid}}";

/// How many worlds of a group are named.
const SHOWN: usize = 20;
/// How many questions are shown.
const SHOWN_QUESTIONS: usize = 2_000;
/// How many groups have a column of their own.
const COLUMNS: usize = 40;

/// As a page.
pub fn html(comparison: &WorldComparison) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Worlds compared</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Worlds compared</h1>\n<p>{}.</p>\n",
        markup(&headline(comparison))
    );
    out.push_str("<div class=\"wide\"><table>\n<thead><tr><th>Group</th><th>Worlds</th><th>Allow</th><th>Deny</th>");
    out.push_str("<th>Undecided</th><th>What differs</th></tr></thead>\n<tbody>\n");
    for group in &comparison.groups {
        let mut worlds: String = group
            .worlds
            .iter()
            .take(SHOWN)
            .map(|one| format!("<small><code>{}</code></small>", markup(&world(one))))
            .collect();
        if group.count > SHOWN {
            let _ = write!(worlds, "<small>and {} more</small>", group.count - SHOWN);
        }
        let facts: String = group
            .facts
            .iter()
            .map(|fact| format!("<small><code>{}</code> = {}</small>", markup(&fact.fact), markup(&values(fact))))
            .collect();
        let counts = &group.counts;
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}{worlds}</td><td>{}</td><td>{}</td><td>{}</td><td>{facts}</td></tr>",
            markup(&group.label),
            group.count,
            counts.allow,
            counts.deny,
            counts.undecided
        );
    }
    out.push_str("</tbody>\n</table></div>\n");
    if !comparison.differing.is_empty() {
        questions(comparison, &mut out);
    }
    let rest = comparison.differing.len().saturating_sub(SHOWN_QUESTIONS) + comparison.unlisted;
    if rest > 0 {
        let _ = writeln!(out, "<p>{rest} more questions are answered differently.</p>");
    }
    if !comparison.left_out.is_empty() {
        out.push_str("<h2>Left out</h2>\n<ul>\n");
        for left in &comparison.left_out {
            let kind = if left.unfinished { "not finished" } else { "invalid" };
            let (path, why) = (markup(&left.path), markup(&left.why));
            let _ = writeln!(out, "<li><code>{path}</code> ({kind}: {why})</li>");
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn questions(comparison: &WorldComparison, out: &mut String) {
    let shown: Vec<&str> = comparison.groups.iter().take(COLUMNS).map(|group| group.label.as_str()).collect();
    out.push_str("<h2>Answered differently</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>Question</th>");
    for label in &shown {
        let _ = write!(out, "<th>{}</th>", markup(label));
    }
    let more = comparison.groups.len() > COLUMNS;
    out.push_str(if more { "<th>Others</th>" } else { "" });
    out.push_str("<th>Goes with</th></tr></thead>\n<tbody>\n");
    for question in comparison.differing.iter().take(SHOWN_QUESTIONS) {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}<small><code>{} {}</code></small></th>",
            markup(&named(question)),
            markup(&question.operation),
            markup(&question.target)
        );
        for label in &shown {
            let answer = of(question, label);
            let class = answer.split(' ').next().unwrap_or_default();
            let _ = write!(out, "<td class=\"{}\">{}</td>", markup(class), markup(answer));
        }
        if more {
            let others: String = question
                .answers
                .iter()
                .filter_map(|answer| {
                    let count = answer.groups.iter().filter(|group| !shown.contains(&group.as_str())).count();
                    (count > 0).then(|| format!("<small>{} ×{count}</small>", markup(&answer.answer)))
                })
                .collect();
            let _ = write!(out, "<td>{others}</td>");
        }
        let facts: String =
            question.goes_with.iter().map(|fact| format!("<small><code>{}</code></small>", markup(fact))).collect();
        let _ = writeln!(out, "<td>{facts}</td></tr>");
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn of<'q>(question: &'q DifferingQuestion, label: &str) -> &'q str {
    let found = question.answers.iter().find(|answer| answer.groups.iter().any(|group| group == label));
    found.map_or("", |answer| answer.answer.as_str())
}
