//! One HTML page: no scripts, no images, nothing loaded from anywhere, which its own policy forbids as well.

use std::io::{self, Write};

use super::escape::markup;
use super::render::{ProfileHead, RESIDUE, Render, ReportHead};
use super::row::{Agreement, ReportRow};

pub(super) struct Html;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%;margin:1rem 0}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem;border-bottom:1px solid #ccc;overflow-wrap:anywhere}\
.mismatched{background:#fde0dc}.undecided{background:#fff3cd}code{font-family:ui-monospace,monospace}\
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}th,td{border-color:#444}\
.mismatched{background:#5c1f1a}.undecided{background:#54450f}}";

impl Render for Html {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        let (plan, total) = (markup(&head.plan_id), &head.total);
        writeln!(
            out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{plan}</title>\n<style>{STYLE}</style>\n\
             </head>\n<body>\n<h1>{plan}</h1>\n\
             <p>{} rows: {} as expected, {} not as expected, {} undecided, {} only asked.</p>",
            total.rows, total.matched, total.mismatched, total.undecided, total.asked
        )?;
        if head.reasons.is_empty() {
            writeln!(out, "<p>May be promoted.</p>")?;
        } else {
            writeln!(out, "<p>May not be promoted:</p>\n<ul>")?;
            for (name, meaning) in &head.reasons {
                writeln!(out, "<li><code>{}</code>: {}</li>", markup(name), markup(meaning))?;
            }
            writeln!(out, "</ul>")?;
        }
        writeln!(
            out,
            "<p>Run <code>{}</code>, world <code>{}</code>, channel <code>{}</code>, bundle index SHA-256 <code>{}</code>.\
             </p>",
            markup(&head.run_id),
            markup(&head.world_id),
            markup(head.channel),
            head.index_sha256
        )
    }

    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let residue = profile.residue_sentence().map(|found| format!("<p>{RESIDUE}: {}</p>\n", markup(&found)));
        let residue = residue.unwrap_or_default();
        writeln!(
            out,
            "<h2>{}</h2>\n<p>Policy <code>{}</code></p>\n{residue}<table>\n<thead><tr><th>Expectation</th><th>Operation</th>\
             <th>Target</th><th>Result</th></tr></thead>\n<tbody>",
            markup(&profile.id),
            markup(&profile.policy)
        )
    }

    fn row(&mut self, row: &ReportRow, _: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let class = match row.agreement {
            Agreement::Matched => "matched",
            Agreement::Mismatched => "mismatched",
            Agreement::Undecided => "undecided",
            Agreement::Asked => "asked",
        };
        writeln!(
            out,
            "<tr class=\"{class}\"><td>{}</td><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>",
            markup(row.id()),
            markup(&row.event.operation),
            markup(row.target()),
            markup(&row.sentence())
        )
    }

    fn end_profile(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "</tbody>\n</table>")
    }

    fn end(&mut self, _: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "</body>\n</html>")
    }
}
