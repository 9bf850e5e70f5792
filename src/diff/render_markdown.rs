//! A comparison for a pull request, as Markdown.

use super::phrases::{self, MAX_PRINTED, SaidOfBoth};
use crate::record::identity::RUN_KIND;
use crate::record::run_diff::{ExplanationGrade, InnerDifferences, RunDiff, Side};

/// The comparison as Markdown (CommonMark with tables).
pub fn render(diff: &RunDiff) -> String {
    let mut out = String::new();
    let mark = if diff.same { "Same" } else { "Different" };
    out.push_str(&format!("### {mark}: {}\n\n", escape(&phrases::headline(diff))));
    out.push_str("| | what | run | identity |\n|---|---|---|---|\n");
    side(&mut out, "A", &diff.a);
    side(&mut out, "B", &diff.b);
    for (name, side) in [("A", &diff.a), ("B", &diff.b)] {
        for what in &side.not_verified {
            out.push_str(&format!("\n> **{name} is not verified:** {}\n", escape(what)));
        }
    }
    declarations(&mut out, diff);
    verdicts(&mut out, diff);
    outputs(&mut out, diff);
    out
}

fn side(out: &mut String, name: &str, side: &Side) {
    let what = format!("{} {}", side.source.as_str(), code(&side.given));
    let run = side.run_id.as_deref().map(code).unwrap_or_default();
    let identity = side.identity.map(|digest| code(&digest.to_string())).unwrap_or_else(|| "none".into());
    out.push_str(&format!("| {name} | {what} | {run} | {identity} |\n"));
}

fn declarations(out: &mut String, diff: &RunDiff) {
    for (title, unstated) in [
        ("Stated by the run only", &diff.declarations.stated_by_run_only),
        ("Stated by neither", &diff.declarations.stated_by_neither),
        ("Unknown on both sides", &diff.declarations.unknown_on_both),
        ("Left to the run", &diff.declarations.left_to_run),
        ("Immaterial, as both declare", &diff.declarations.immaterial),
    ] {
        if !unstated.is_empty() {
            out.push_str(&format!("\n#### {title}\n\n| item | why |\n|---|---|\n"));
        }
        for one in unstated {
            out.push_str(&format!("| {} | {} |\n", code(&one.pointer), escape(&one.reason)));
        }
    }
    let items: Vec<_> = diff.declarations.parts.iter().flat_map(|part| &part.items).collect();
    if items.is_empty() {
        return;
    }
    let of_run = diff.a.kind.as_deref() == Some(RUN_KIND);
    out.push_str("\n#### Declared differently\n\n| item | A | B | |\n|---|---|---|---|\n");
    for item in items {
        let mark = match (item.material, of_run) {
            (true, _) => "",
            (false, true) => "no bearing on verdicts",
            (false, false) => "immaterial",
        };
        let there = item.b_pointer.as_ref().map(|there| format!(" (in B {})", code(there))).unwrap_or_default();
        out.push_str(&format!(
            "| {}<br>{}{there}{} | {} | {} | {mark} |\n",
            escape(&item.name),
            code(&item.pointer),
            Some(within(&item.within))
                .filter(|places| !places.is_empty())
                .map(|places| format!("<br>{places}"))
                .unwrap_or_default(),
            code(&phrases::value(item.a.as_ref())),
            code(&phrases::value(item.b.as_ref())),
        ));
    }
}

fn verdicts(out: &mut String, diff: &RunDiff) {
    if diff.verdicts.not_compared.is_some() {
        return;
    }
    out.push_str("\n#### Verdicts\n\n| lane | |\n|---|---|\n");
    for lane in &diff.verdicts.lanes {
        out.push_str(&format!("| {} | {} |\n", lane.lane.as_str(), escape(&phrases::lane(lane))));
    }
    if diff.verdicts.flips.is_empty() {
        return;
    }
    out.push_str("\n| lane | row | A | B | what could explain it |\n|---|---|---|---|---|\n");
    for flip in diff.verdicts.flips.iter().take(MAX_PRINTED) {
        let explanation = escape(&phrases::explanation(flip, &diff.changes));
        let strong =
            matches!(flip.explanation.finding, ExplanationGrade::NoneReaches | ExplanationGrade::NothingDeclared);
        let explanation = if strong { format!("**{explanation}**") } else { explanation };
        let SaidOfBoth { both, each: [of_a, of_b] } = SaidOfBoth::of(&flip.opinions);
        out.push_str(&format!(
            "| {} | {} | {} | {} | {explanation} |\n",
            flip.lane.as_str(),
            code(&phrases::row(flip)) + &said_of(&both),
            escape(&phrases::verdict(flip.a.as_ref())) + &said_of(&of_a),
            escape(&phrases::verdict(flip.b.as_ref())) + &said_of(&of_b),
        ));
    }
    let printed = diff.verdicts.flips.len().min(MAX_PRINTED) as u64;
    if diff.verdicts.differing > printed {
        let more = phrases::counted(diff.verdicts.differing - printed, "more row");
        out.push_str(&format!("\nand {more}\n"));
    }
}

fn outputs(out: &mut String, diff: &RunDiff) {
    let Some(outputs) = &diff.outputs else { return };
    out.push_str(&format!("\n#### Outputs\n\n{} alike, {} different\n", outputs.same, outputs.differing));
    let Some(first) = outputs.outputs.first() else { return };
    let said = phrases::output_explanation(outputs, &first.explanation, &diff.changes);
    out.push_str(&format!("\n**{}**\n\n| output | A | B | where |\n|---|---|---|---|\n", escape(&said)));
    for one in outputs.outputs.iter().take(MAX_PRINTED) {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            code(&one.output),
            escape(&phrases::output(one.a.as_ref())),
            escape(&phrases::output(one.b.as_ref())),
            within(&one.within),
        ));
    }
    let printed = outputs.outputs.len().min(MAX_PRINTED) as u64;
    if outputs.differing > printed {
        out.push_str(&format!("\nand {}\n", phrases::counted(outputs.differing - printed, "more output")));
    }
}

/// The places within a file or folder, in lines of a cell.
fn within(found: &InnerDifferences) -> String {
    let mut lines: Vec<String> = Vec::new();
    for one in found.within.iter().take(MAX_PRINTED) {
        lines.extend(Some(escape(&phrases::inner(one))).filter(|place| !place.is_empty()));
        lines.extend(one.lines.iter().map(|line| code(&format!("{} {}", line.side.sign(), line.text))));
    }
    if let Some(more) = phrases::more_places(found) {
        lines.push(more);
    }
    lines.join("<br>")
}

/// What is said of a row, in lines of a cell.
fn said_of(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(who, text)| format!("<br>{who}: {}", escape(text))).collect()
}

/// Text that Markdown shows as it is, in a table too. Code spans that our own sentences have stay code.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for (n, span) in phrases::printable(text).split('`').enumerate() {
        if n % 2 == 1 {
            out.push_str(&code(span));
            continue;
        }
        for c in span.chars() {
            if matches!(c, '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '!') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Text as code, in a table too: a fence longer than any run of backticks within.
fn code(text: &str) -> String {
    let text = phrases::printable(text).replace('|', "\\|");
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    if longest == 0 {
        return format!("`{text}`");
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_cell() {
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(code("a\nb"), "`a\u{fffd}b`");
        assert_eq!(escape("a|b <i> *x* `c_d` [l](u)"), "a\\|b \\<i\\> \\*x\\* `c_d` \\[l\\](u)");
    }
}
