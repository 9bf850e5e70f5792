//! A comparison for people, as plain text.

use super::phrases::{self, MAX_PRINTED, SaidOfBoth};
use crate::base::printable::Lines;
use crate::record::identity::RUN_KIND;
use crate::record::run_diff::{DifferingItem, InnerDifferences, RunDiff, Side};

/// The comparison as plain text.
pub fn render(diff: &RunDiff) -> String {
    lines(diff).into_string()
}

/// The same, for a terminal that may be narrower.
pub(crate) fn lines(diff: &RunDiff) -> Lines {
    let mut out = IndentedLines::default();
    out.line(0, &phrases::headline(diff));
    out.blank();
    side(&mut out, "A", &diff.a);
    side(&mut out, "B", &diff.b);
    for part in &diff.declarations.parts {
        let material = part.items.iter().filter(|item| item.material).count() as u64;
        let immaterial = part.items.len() as u64 - material;
        let name = part.part.as_str();
        let text = match (part.a == part.b, material, immaterial) {
            (true, ..) => "equal".to_owned(),
            (false, 0, 0) if diff.a.kind != diff.b.kind => "equal in what both state".to_owned(),
            (false, 0, 0) => "different".to_owned(),
            (false, 0, n) => format!("materially equal; {} without bearing{}", phrases::counted(n, "item"), on(diff)),
            (false, n, 0) => differ(n),
            (false, n, m) => format!("{}, and {m} without bearing{}", differ(n), on(diff)),
        };
        out.line(0, &format!("{name:<9} {text}"));
        let apart = !diff.declarations.immaterial.is_empty();
        part.items.iter().filter(|one| one.material || !apart).for_each(|one| item(&mut out, one));
    }
    let declarations = &diff.declarations;
    match declarations.run_names_deployment {
        Some(true) => out.line(0, "the run names this deployment by its identity"),
        Some(false) => out.line(0, "the run names another deployment"),
        None => {}
    }
    if !declarations.immaterial.is_empty() {
        out.blank();
        out.line(0, "immaterial, as both declare");
        declarations.immaterial.iter().for_each(|one| out.line(1, &format!("{}: {}", one.pointer, one.reason)));
        let items = declarations.parts.iter().flat_map(|part| &part.items).filter(|one| !one.material);
        items.for_each(|one| item(&mut out, one));
    }
    for (title, items) in [
        ("stated by the run only", &declarations.stated_by_run_only),
        ("stated by neither", &declarations.stated_by_neither),
        ("unknown on both sides", &declarations.unknown_on_both),
        ("left to the run", &declarations.left_to_run),
    ] {
        if !items.is_empty() {
            out.blank();
            out.line(0, title);
            items.iter().for_each(|one| out.line(1, &format!("{}: {}", one.pointer, one.reason)));
        }
    }
    if !diff.changes.is_empty() {
        out.blank();
        out.line(0, "changes");
        for change in &diff.changes {
            out.line(1, &format!("{} ({})", &change.what, phrases::counted(change.pointers.len() as u64, "item")));
        }
    }
    verdicts(&mut out, diff);
    outputs(&mut out, diff);
    out.0
}

/// On what immaterial items have no bearing: of another system that is its author's word.
fn on(diff: &RunDiff) -> &'static str {
    if diff.a.kind.as_deref() == Some(RUN_KIND) { " on verdicts" } else { ", as both declare" }
}

fn differ(count: u64) -> String {
    if count == 1 { "1 item differs".to_owned() } else { format!("{count} items differ") }
}

fn side(out: &mut IndentedLines, name: &str, side: &Side) {
    let identity = side.identity.map_or_else(|| "no identity".to_owned(), |digest| format!("identity {digest}"));
    out.line(0, &format!("{name}         {} `{}`", side.source.as_str(), &side.given));
    if let Some(run_id) = &side.run_id {
        out.line(5, &format!("run {}", phrases::printable(run_id)));
    }
    out.line(5, &identity);
    for what in &side.not_verified {
        out.line(5, &format!("not verified: {what}"));
    }
}

fn item(out: &mut IndentedLines, item: &DifferingItem) {
    let mark = if item.material { "" } else { " (immaterial)" };
    out.line(5, &format!("{}{mark}: {}", &item.name, phrases::change_of(item)));
    match &item.b_pointer {
        Some(there) => out.line(6, &format!("{} (in B {there})", item.pointer)),
        None => out.line(6, &item.pointer),
    }
    item.lines.iter().for_each(|line| out.line(6, &format!("{} {}", line.side.sign(), line.text)));
    within(out, 6, &item.within);
}

fn within(out: &mut IndentedLines, level: usize, found: &InnerDifferences) {
    for one in found.within.iter().take(MAX_PRINTED) {
        let place = phrases::inner(one);
        if !place.is_empty() {
            out.line(level, &place);
        }
        one.lines.iter().for_each(|line| out.line(level, &format!("{} {}", line.side.sign(), line.text)));
    }
    if let Some(more) = phrases::more_places(found) {
        out.line(level, &more);
    }
}

fn outputs(out: &mut IndentedLines, diff: &RunDiff) {
    let Some(outputs) = &diff.outputs else { return };
    out.blank();
    out.line(0, &format!("outputs   {} alike, {} different", outputs.same, outputs.differing));
    let mut said = None;
    for one in outputs.outputs.iter().take(MAX_PRINTED) {
        out.line(
            1,
            &format!(
                "{}: {} -> {}",
                phrases::printable(&one.output),
                phrases::output(one.a.as_ref()),
                phrases::output(one.b.as_ref())
            ),
        );
        within(out, 2, &one.within);
        said = Some(phrases::output_explanation(outputs, &one.explanation, &diff.changes));
    }
    let printed = outputs.outputs.len().min(MAX_PRINTED) as u64;
    if outputs.differing > printed {
        out.line(
            1,
            &format!("and {}; --json lists them", phrases::counted(outputs.differing - printed, "more output")),
        );
    }
    // All outputs of one command have the same explanation.
    said.into_iter().for_each(|said| out.line(0, &said));
}

fn verdicts(out: &mut IndentedLines, diff: &RunDiff) {
    if diff.verdicts.not_compared.is_some() {
        return;
    }
    out.blank();
    for lane in &diff.verdicts.lanes {
        out.line(0, &format!("{:<9} {}", lane.lane.as_str(), phrases::lane(lane)));
    }
    for flip in diff.verdicts.flips.iter().take(MAX_PRINTED) {
        out.blank();
        out.line(0, &format!("{} {} {}", flip.kind.as_str().replace('_', " "), flip.lane.as_str(), phrases::row(flip)));
        let SaidOfBoth { both, each: [of_a, of_b] } = SaidOfBoth::of(&flip.opinions);
        both.iter().for_each(|(who, text)| out.line(1, &format!("{who:<8} {text}")));
        for (name, verdict, said) in [("A", &flip.a, of_a), ("B", &flip.b, of_b)] {
            out.line(1, &format!("{name}: {}", phrases::verdict(verdict.as_ref())));
            said.iter().for_each(|(who, text)| out.line(2, &format!(" {who:<8} {text}")));
        }
        out.line(1, &phrases::explanation(flip, &diff.changes));
    }
    let printed = diff.verdicts.flips.len().min(MAX_PRINTED) as u64;
    if diff.verdicts.differing > printed {
        out.blank();
        out.line(
            0,
            &format!("and {}; --json lists them", phrases::counted(diff.verdicts.differing - printed, "more row")),
        );
    }
}

/// Lines that are indented by levels.
#[derive(Default)]
struct IndentedLines(Lines);

impl IndentedLines {
    fn line(&mut self, level: usize, text: &str) {
        self.0.line(format!("{}{text}", "  ".repeat(level)));
    }

    fn blank(&mut self) {
        self.0.blank();
    }
}
