//! One HTML page that a reviewer can print: no scripts, no images, nothing loaded from anywhere, which its own policy forbids
//! as well.
//!
//! What is not as it should be stands first, with its cause and the line of the policy; then each policy with what it lets
//! through. Foreign texts reach the page through [`foreign`], [`words`] and [`prose`] alone.

use std::io::{self, Write};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::render::{ProfileHead, RESIDUE, Render, ReportHead};
use super::row::{Agreement, ReportRow};
use crate::base::grouping::CountedGroups;
use crate::base::placeholder::without_own_folder;
use crate::base::printable::printable;
use crate::record::opinions::Conclusion;
use crate::record::run_diff::ComparisonShown;

pub(super) const STYLE: &str = include_str!("report.css");

/// How many rows that are not as expected, or undecided, the page has. It says how many more there are.
const MOST_FINDINGS: u64 = 500;
/// The same of the rows of all policies.
const MOST_ROWS: u64 = 5_000;

/// How long a code may be that is never broken, in characters.
const SHORT_CODE: usize = 24;

#[derive(Default)]
pub(super) struct Html {
    /// What changed since another run.
    against: Option<ComparisonShown>,
    mismatched: String,
    known: String,
    surprises: String,
    /// Undecided rows by why they are.
    undecided: CountedGroups<UndecidedWhy, Markup>,
    policies: String,
    findings: u64,
    findings_left_out: u64,
    rows: u64,
    rows_left_out: u64,
    /// How many profiles have begun.
    profiles: usize,
}

/// Why a row is undecided: the words for it, what was seen, what to do about it.
type UndecidedWhy = (String, String, Option<&'static str>);

fn why(row: &ReportRow) -> UndecidedWhy {
    let words = [row.event.failure_stage.map(|stage| stage.as_str()), Some(row.kind())];
    let words = words.into_iter().flatten().chain(row.event.errno_name.as_deref()).collect::<Vec<_>>().join(", ");
    let notes = row.event.notes.as_deref().unwrap_or_default();
    (words, without_own_folder(notes).into_owned(), row.advice())
}

impl Html {
    pub(super) fn new(against: Option<&ComparisonShown>) -> Self {
        Self { against: against.cloned(), ..Self::default() }
    }

    fn take_finding(&mut self) -> bool {
        let room = self.findings < MOST_FINDINGS;
        self.findings += u64::from(room);
        self.findings_left_out += u64::from(!room);
        room
    }

    fn take_undecided(&mut self, row: &ReportRow) {
        if self.findings == MOST_FINDINGS && self.undecided.count(&why(row)) {
            return;
        }
        if self.take_finding() {
            let item = html! {
                li {
                    b { (words(row.id())) } ": " (code(&row.event.operation)) " on "
                    (code(row.target())) ", expected " (row.expected())
                }
            };
            self.undecided.keep(why(row), item);
        }
    }
}

/// A text of somebody else: on one line, and with nothing in it that is not shown.
fn foreign(text: &str) -> String {
    printable(&text.replace(['\n', '\t'], " ")).into_owned()
}

/// An id or a path, which may be broken where its parts end and nowhere else.
pub(super) fn words(text: &str) -> Markup {
    let text = foreign(text);
    html! {
        @for part in text.split_inclusive(['/', ':', '_', '.']) { (part) wbr; }
    }
}

/// Code, which is broken where its parts end; one that fits on the line of a phone stays in one piece, as `--channel NAME` has to.
pub(super) fn code(text: &str) -> Markup {
    let short = text.chars().count() <= SHORT_CODE;
    html! { code.k[short] { @if short { (foreign(text)) } @else { (words(text)) } } }
}

/// A sentence, in which what stands between backticks is code.
pub(super) fn prose(text: &str) -> Markup {
    let text = foreign(text);
    let paired = text.matches('`').count().is_multiple_of(2);
    html! {
        @if paired {
            @for (n, part) in text.split('`').enumerate() {
                @if n % 2 == 1 { (code(part)) } @else {
                    // A path in a sentence may be broken where its parts end.
                    @for piece in part.split_inclusive('/') { (piece) wbr; }
                }
            }
        } @else { (text) }
    }
}

fn count(number: u64, of: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {of}{s}")
}

/// Where a row's rule stands: a link, if the page shows that policy.
fn rule_place(row: &ReportRow, profile: &ProfileHead, number: usize) -> Markup {
    let place = row.opinions.model.as_ref().and_then(|model| model.rule_place.as_ref());
    html! {
        @if let Some(place) = place {
            dt { "policy" }
            dd {
                @if profile.policy_text.is_some() && place.path == profile.policy {
                    a href=(format!("#p{number}-{}", place.line)) { (code(&place.to_string())) }
                } @else { (code(&place.to_string())) }
            }
        }
    }
}

fn finding(row: &ReportRow, profile: &ProfileHead, number: usize, class: &str) -> Markup {
    html! {
        div class=(class) {
            p { b { (words(row.id())) } " " span.sub { "in " (words(&profile.id)) } }
            p { (code(&row.event.operation)) " on " (code(row.target())) }
            dl {
                @for (name, text) in row.opinion_lines() { dt { (name) } dd { (prose(&text)) } }
                (rule_place(row, profile, number))
            }
        }
    }
}

fn result(row: &ReportRow) -> Markup {
    let (class, sign) = match (row.agreement, row.actual()) {
        (Agreement::Mismatched, _) if row.is_known() => ("v", "✗"),
        (Agreement::Mismatched, _) => ("v x", "✗"),
        (Agreement::Undecided, _) => ("v u", "?"),
        (Agreement::Asked, _) => ("v", "?"),
        (Agreement::Matched | Agreement::Unasserted, "allow") => ("v", "✓"),
        (Agreement::Matched | Agreement::Unasserted, _) => ("v", "⊘"),
    };
    html! {
        span class=(class) { (sign) " " (row.actual()) }
        @match row.agreement {
            Agreement::Mismatched if row.is_known() => { " (expected " (row.expected()) ", known)" }
            Agreement::Mismatched => { " " span.x { "(expected " (row.expected()) ")" } }
            Agreement::Undecided => { " " span.u { "(" (words(row.kind())) ")" } }
            Agreement::Asked => { " (only asked, and answered as expected)" }
            Agreement::Unasserted => { " (nothing expected)" }
            Agreement::Matched => {}
        }
        @if let Some(said) = &row.attribution { p.sub { (prose(&said.sentence())) } }
    }
}

/// The policy's own text, with numbers that findings lead to.
fn policy_text(text: &str, number: usize) -> Markup {
    html! {
        details {
            summary { "The policy (" (count(text.lines().count() as u64, "line")) ")" }
            pre {
                @for (n, line) in text.lines().enumerate() {
                    span id=(format!("p{number}-{}", n + 1)) { i { (n + 1) } (printable(&line.replace('\t', "    "))) }
                    "\n"
                }
            }
        }
    }
}

fn tiles(head: &ReportHead) -> Markup {
    let total = &head.total;
    let class = |bad: bool, class: &'static str| if bad { class } else { "" };
    let (held, controls) = head.controls();
    html! {
        ul.tiles aria-label="The verdict" {
            li { b class=(class(total.matched > 0, "o")) { (total.matched) } "as expected" }
            li { b class=(class(total.unknown() > 0, "x")) { (total.unknown()) } "not as expected" }
            @if total.known > 0 { li { b { (total.known) } "not, and known" } }
            @if total.unneeded > 0 { li { b.x { (total.unneeded) } "waived for nothing" } }
            li { b class=(class(total.undecided > 0, "u")) { (total.undecided) } "undecided" }
            @if total.asked > 0 { li { b { (total.asked) } "only asked, as expected" } }
            @if total.unasserted > 0 { li { b { (total.unasserted) } "answered, nothing expected" } }
            @if controls > 0 {
                li { b class=(if held == controls { "o" } else { "x" }) { (held) " of " (controls) } "controls held" }
            }
            li {
                b class=(if head.reasons.is_empty() { "o" } else { "x" }) {
                    @if head.reasons.is_empty() { "yes" } @else { "no" }
                }
                "may be promoted"
            }
        }
    }
}

fn promotion(head: &ReportHead) -> Markup {
    html! {
        @if head.reasons.is_empty() {
            p.note.ok { b { "May be promoted:" } " no gate blocks it." }
        } @else {
            div.note {
                p { b { "Why it may not be promoted, and what to do:" } }
                ul {
                    @for (name, meaning) in &head.reasons { li { (code(name)) ": " (prose(meaning)) } }
                }
            }
        }
    }
}

fn changes(against: &ComparisonShown) -> Markup {
    html! {
        h2 id="changes" { "What changed since " (code(&against.against)) }
        p { (prose(&against.headline)) }
        @if !against.changes.is_empty() {
            ul { @for change in &against.changes { li { (prose(change)) } } }
        }
        @for row in &against.rows {
            div.find.open {
                p { b { (words(&row.name)) } " " span.sub { "in the " (row.lane) " lane" } }
                dl {
                    dt { "before" } dd { (prose(&row.before)) }
                    dt { "now" } dd { (prose(&row.now)) }
                    dt { "why" } dd { (prose(&row.explanation)) }
                }
            }
        }
        @if against.more > 0 { p { "… and " (count(against.more, "more row")) "; " code { "sandproof diff-runs" } " has all." } }
    }
}

fn evidence(head: &ReportHead) -> Markup {
    html! {
        h2 id="evidence" { "Evidence" }
        dl {
            @for (name, value) in head.evidence() {
                dt { (name) } dd { (code(&value)) }
            }
            dt { "check it" } dd { code { "sandproof validate-bundle --bundle " (words(&head.folder)) } }
        }
    }
}

impl Render for Html {
    fn begin(&mut self, _: &ReportHead, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn begin_profile(&mut self, profile: &ProfileHead, _: &mut dyn Write) -> io::Result<()> {
        let counts = &profile.counts;
        let head = html! {
            h3 { (words(&profile.id)) }
            p.sub {
                (count(counts.rows, "probe"))
                @if counts.unknown() > 0 { " · " span.x { (counts.unknown()) " not as expected" } }
                @if counts.known > 0 { " · " (counts.known) " not, and known" }
                @if counts.undecided > 0 { " · " span.u { (counts.undecided) " undecided" } }
                @if counts.asked > 0 { " · " (counts.asked) " only asked" }
                @if counts.unasserted > 0 { " · " (counts.unasserted) " with nothing expected" }
                @if let Some((deny, allow)) = profile.controls {
                    " · controls: deny " (deny.words()) ", allow " (allow.words())
                }
            }
            @if let Some(notes) = &profile.notes { p { (prose(notes)) } }
            @if let Some(found) = profile.residue_sentence() { p { code { (RESIDUE) } ": " (prose(&found)) } }
            p { "Policy " (code(&profile.policy)) }
            @if let Some(text) = &profile.policy_text { (policy_text(text, self.profiles)) }
            (PreEscaped("<table><thead><tr><th>Probe</th><th>Operation</th><th>Target</th><th>Result</th></tr></thead><tbody>"))
        };
        self.policies.push_str(&head.into_string());
        self.profiles += 1;
        Ok(())
    }

    fn row(&mut self, row: &ReportRow, profile: &ProfileHead, _: &mut dyn Write) -> io::Result<()> {
        let number = self.profiles.saturating_sub(1);
        let surprise = row.opinions.conclusion == Conclusion::KernelSurprisesModel;
        match row.agreement {
            Agreement::Mismatched if row.is_known() && self.take_finding() => {
                self.known.push_str(&finding(row, profile, number, "find open").into_string());
            }
            Agreement::Matched if row.is_unneeded() && self.take_finding() => {
                self.mismatched.push_str(&finding(row, profile, number, "find").into_string());
            }
            Agreement::Mismatched if self.take_finding() => {
                self.mismatched.push_str(&finding(row, profile, number, "find").into_string());
            }
            Agreement::Undecided => self.take_undecided(row),
            Agreement::Matched if surprise && self.take_finding() => {
                self.surprises.push_str(&finding(row, profile, number, "find open").into_string());
            }
            _ => {}
        }
        if self.rows == MOST_ROWS {
            self.rows_left_out += 1;
            return Ok(());
        }
        self.rows += 1;
        let line = html! {
            tr {
                td { (words(row.id())) }
                td data-label="operation" { (code(&row.event.operation)) }
                td data-label="target" { @if row.target().is_empty() { "–" } @else { (code(row.target())) } }
                td data-label="result" { (result(row)) }
            }
        };
        self.policies.push_str(&line.into_string());
        Ok(())
    }

    fn end_profile(&mut self, _: &mut dyn Write) -> io::Result<()> {
        self.policies.push_str("</tbody></table>");
        Ok(())
    }

    fn end(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        let causes = self.undecided.take();
        let total = &head.total;
        let title = format!(
            "{}: {} not as expected, {} undecided · sandproof",
            foreign(&head.plan_id),
            total.unknown() + total.unneeded,
            total.undecided
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#policies" { "To the policies" }
                    main {
                        h1 { (words(&head.plan_id)) }
                        p.sub {
                            "What " @if head.profiles.len() == 1 { "one policy lets" } @else { (head.profiles.len()) " policies let" }
                            " through on " (foreign(&head.host)) ". " (foreign(&head.made))
                        }
                        (tiles(head))
                        (promotion(head))
                        @if !self.mismatched.is_empty() {
                            h2 id="mismatched" { "Not as expected" }
                            (PreEscaped(&self.mismatched))
                        }
                        @if !self.known.is_empty() {
                            h2 id="known" { "Known deviations" }
                            (PreEscaped(&self.known))
                        }
                        @if !causes.is_empty() {
                            h2 id="undecided" { "Undecided: never counted as a pass" }
                            @for group in &causes {
                                @let (word, cause, advice) = &group.key;
                                div.find.open {
                                    p {
                                        @if group.all() > 1 { b { (group.all()) " rows, one cause: " } }
                                        (code(word)) @if !cause.is_empty() { ": " (prose(cause)) }
                                    }
                                    ul {
                                        @for row in &group.kept { (row) }
                                        @if group.more > 0 { li { "… and " (group.more) " more of them" } }
                                    }
                                    @if let Some(advice) = advice { p.sub { "To do: " (prose(advice)) } }
                                }
                            }
                        }
                        @if !self.surprises.is_empty() {
                            h2 id="surprises" { "As expected, though the model says otherwise" }
                            (PreEscaped(&self.surprises))
                        }
                        @if self.findings_left_out > 0 {
                            p { "… and " (count(self.findings_left_out, "more row")) ", which the bundle has." }
                        }
                        @if let Some(against) = &self.against { (changes(against)) }
                        h2 id="policies" { "What each policy lets through" }
                        (PreEscaped(&self.policies))
                        @if self.rows_left_out > 0 {
                            p { "… and " (count(self.rows_left_out, "more row")) ", which the bundle has." }
                        }
                        (evidence(head))
                    }
                }
            }
        };
        writeln!(out, "{}", page.into_string())
    }
}
