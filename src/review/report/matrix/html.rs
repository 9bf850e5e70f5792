//! The matrix as one HTML page: no scripts, no images, nothing loaded from anywhere.

use std::io::{self, Write};

use super::super::escape::markup;
use super::table::Matrix;
use super::words;
use crate::record::launcher_matrix::{MatrixCell, MatrixColumn};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%;margin:1rem 0}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem;border-bottom:1px solid #ccc;overflow-wrap:break-word}\
.mismatched{background:#fde0dc}.undecided{background:#fff3cd}code{font-family:ui-monospace,monospace}\
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}th,td{border-color:#444}\
.mismatched{background:#5c1f1a}.undecided{background:#54450f}}\
.wide{overflow-x:auto}thead th{position:sticky;top:0;background:inherit}\
small{display:block;opacity:.75}.allow{color:#1a7f37}.deny{color:#57606a}.against{outline:2px dashed #b42318}\
@media(prefers-color-scheme:dark){.allow{color:#57d173}.deny{color:#a8b1ba}}\
@media print{.wide{overflow:visible}tr{break-inside:avoid}}";

pub(super) fn write(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Questions by launchers</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>Questions by launchers</h1>"
    )?;
    writeln!(out, "<p>A coloured cell is not as expected, or undecided; a dashed one is not as documented.</p>")?;
    columns(matrix, out)?;
    writeln!(out, "<div class=\"wide\"><table>\n<thead><tr><th>Question</th>")?;
    for column in &matrix.columns {
        writeln!(out, "<th>{}</th>", markup(&column.label))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    matrix.for_each(&mut |asked, cells| {
        let target = markup(&asked.target);
        let operation = markup(&asked.operation);
        writeln!(
            out,
            "<tr><th scope=\"row\">{}<small><code>{operation} {target}</code></small></th>",
            markup(&asked.probe_id)
        )?;
        let mut cells = cells.iter().peekable();
        for n in 0..matrix.columns.len() {
            match cells.next_if(|(column, _)| *column == n) {
                None => writeln!(out, "<td>–</td>")?,
                Some((_, answer)) => one(answer, out)?,
            }
        }
        writeln!(out, "</tr>")
    })?;
    writeln!(out, "</tbody>\n</table></div>\n</body>\n</html>")
}

fn one(answer: &MatrixCell, out: &mut dyn Write) -> io::Result<()> {
    let agreement = match (words::is_wrong(answer), words::is_open(answer)) {
        (true, _) => "mismatched",
        (false, true) => "undecided",
        (false, false) => "matched",
    };
    let against = if words::is_against_claim(answer) { " against" } else { "" };
    let (word, kind) = match answer.actual {
        None => ("undecided", "open"),
        Some(decision) => (words::word(answer), decision.as_str()),
    };
    write!(out, "<td class=\"{agreement}{against}\"><b class=\"{kind}\">{word}</b>")?;
    if words::is_wrong(answer)
        && let Some(expected) = answer.expected
    {
        write!(out, " <span>(expected {})</span>", expected.as_str())?;
    }
    let cause = words::cause(answer);
    if !cause.is_empty() {
        write!(out, "<small>{}</small>", markup(&cause))?;
    }
    if let Some(claim) = &answer.claim {
        let held = match claim.borne_out {
            Some(true) => "as documented",
            Some(false) => "documented otherwise",
            None => "documented",
        };
        write!(out, "<small>{held}: {} ({})</small>", claim.is.as_str(), markup(&claim.source))?;
    }
    writeln!(out, "</td>")
}

/// What the columns are.
fn columns(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<div class=\"wide\"><table>\n<thead><tr><th>Column</th><th>As expected</th><th>Not</th><th>Undecided</th><th>As documented</th>\
         <th>What it is</th></tr></thead>\n<tbody>"
    )?;
    for column in &matrix.columns {
        let counts = column.counts;
        writeln!(
            out,
            "<tr><td>{}</td><td>{} of {}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            markup(&column.label),
            counts.as_expected + counts.asked,
            counts.questions,
            counts.mismatched,
            counts.undecided,
            claims(column),
            markup(&words::described(column).join("; "))
        )?;
    }
    writeln!(out, "</tbody>\n</table></div>")
}

fn claims(column: &MatrixColumn) -> String {
    let claims = column.claims;
    match claims.borne_out + claims.contradicted + claims.open {
        0 => "–".to_owned(),
        all => format!("{} of {all}", claims.borne_out),
    }
}
