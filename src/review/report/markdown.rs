//! Markdown: a table of profiles, and the rows that are not as expected.

use std::io::{self, Write};

use super::render::{ProfileHead, RESIDUE, Render, ReportHead};
use super::row::{Agreement, ReportRow};
use crate::base::grouping::CountedGroups;
use crate::base::placeholder::without_own_folder;
use crate::base::printable::printable;
use crate::record::opinions::Conclusion;
use crate::record::run_diff::ComparisonShown;

/// How many rows are spelled out. More would not fit a pull request; the number of the rest is said.
const SHOWN: u64 = 100;

#[derive(Default)]
pub(super) struct Markdown {
    shown: u64,
    left_out: u64,
    /// What changed since another run.
    against: Option<ComparisonShown>,
    /// Undecided rows by why they are. Many share one cause, which is told once, below.
    undecided: CountedGroups<String, String>,
}

impl Markdown {
    pub(super) fn new(against: Option<&ComparisonShown>) -> Self {
        Self { against: against.cloned(), ..Self::default() }
    }
}

/// An id, a target, a name: as code, in which nothing is markup, no address becomes a link and no name a mention. What would end
/// the code, or the cell of a table, is escaped instead.
pub(in crate::review) fn code(text: &str) -> String {
    let text = printable(text);
    if text.trim() != text || text.is_empty() || text.contains(['`', '|', '<']) {
        return plain(&text);
    }
    format!("`{text}`")
}

/// A sentence, in which what stands between backticks is code.
pub(super) fn sentence(text: &str) -> String {
    if text.matches('`').count() % 2 == 1 {
        return plain(text);
    }
    let parts = text.split('`').enumerate();
    parts.map(|(n, part)| if n % 2 == 1 { code(part) } else { plain(part) }).collect()
}

/// A text of a document: nothing in it is markup, and it stays on its line.
pub(in crate::review) fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c if "\\`*_{}[]#+!|>~@".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Why a row is undecided, and what to do about it.
fn cause(row: &ReportRow) -> String {
    let why = [Some(row.kind()), row.event.errno_name.as_deref()].into_iter().flatten().map(code);
    let why = why.collect::<Vec<_>>().join(", ");
    let notes = row.event.notes.as_deref().map(|notes| format!(": {}", sentence(&without_own_folder(notes))));
    let advice = row.advice().map(|text| format!(". To do: {}", sentence(text)));
    why + &notes.unwrap_or_default() + &advice.unwrap_or_default()
}

impl Render for Markdown {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        let total = &head.total;
        let known = if total.known > 0 { format!(", {} not and known", total.known) } else { String::new() };
        let mut agreement = match (total.unknown() + total.unneeded, total.undecided) {
            (0, 0) if total.known > 0 => format!("nothing new{known}"),
            (0, 0) if total.unasserted > 0 => format!("{} as expected", total.matched),
            (0, 0) if total.asked > 0 => format!("all as expected, {} only asked", total.asked),
            (0, 0) => "all as expected".to_owned(),
            (mismatched, undecided) => format!("{mismatched} not as expected, {undecided} undecided{known}"),
        };
        if total.unasserted > 0 {
            agreement.push_str(&format!(", {} answered with nothing expected", total.unasserted));
        }
        writeln!(out, "# {}: {agreement}\n", code(&head.plan_id))?;
        writeln!(out, "| profile | rows | matched | mismatched | undecided |\n|---|--:|--:|--:|--:|")?;
        for profile in &head.profiles {
            let counts = &profile.counts;
            let numbers = [counts.rows, counts.matched, counts.mismatched, counts.undecided].map(|n| n.to_string());
            writeln!(out, "| {} | {} |", code(&profile.id), numbers.join(" | "))?;
        }
        writeln!(out)
    }

    fn begin_profile(&mut self, _: &ProfileHead, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &ReportRow, _: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let surprise = row.opinions.conclusion == Conclusion::KernelSurprisesModel;
        if row.agreement == Agreement::Matched && !surprise && !row.is_unneeded() {
            return Ok(());
        }
        if self.shown == SHOWN {
            let told = row.agreement == Agreement::Undecided && self.undecided.count(&cause(row));
            self.left_out += u64::from(!told);
            return Ok(());
        }
        self.shown += 1;
        let (operation, target) = (code(&row.event.operation), code(row.target()));
        let named = format!("{}: {operation} on {target}", code(row.id()));
        match row.agreement {
            Agreement::Undecided => {
                self.undecided.keep(cause(row), format!("{named}, expected {}", row.expected()));
                Ok(())
            }
            Agreement::Asked => {
                writeln!(out, "- only asked, and answered as expected: {named}: {}", sentence(&row.sentence()))
            }
            Agreement::Unasserted => writeln!(out, "- nothing expected: {named}: {}", row.actual()),
            Agreement::Mismatched | Agreement::Matched => {
                let word = match row.agreement {
                    _ if row.is_known() => "known deviation",
                    _ if row.is_unneeded() => "waived, and as expected",
                    Agreement::Mismatched => "mismatch",
                    _ => "as expected, and a surprise",
                };
                writeln!(out, "- **{word}** {named}")?;
                for (name, text) in row.opinion_lines() {
                    writeln!(out, "  - {name}: {}", sentence(&text))?;
                }
                Ok(())
            }
        }
    }

    fn end_profile(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        for group in self.undecided.take() {
            match group.all() {
                1 => writeln!(out, "- **undecided**: {}", group.key)?,
                all => writeln!(out, "- **undecided**, {all} rows, one cause: {}", group.key)?,
            }
            for row in &group.kept {
                writeln!(out, "  - {row}")?;
            }
            if group.more > 0 {
                writeln!(out, "  - … and {} more of them", group.more)?;
            }
        }
        if self.left_out > 0 {
            writeln!(out, "- … and {} more", self.left_out)?;
        }
        let residue: Vec<String> = head.profiles.iter().filter_map(ProfileHead::residue_sentence).collect();
        for found in &residue {
            writeln!(out, "- finding {}: {}", code(RESIDUE), sentence(found))?;
        }
        if self.shown > 0 || !residue.is_empty() {
            writeln!(out)?;
        }
        if let Some(against) = self.against.take() {
            writeln!(out, "What changed since {}: {}\n", code(&against.against), sentence(&against.headline))?;
            for change in &against.changes {
                writeln!(out, "- {}", sentence(change))?;
            }
            let (shown, rest) = against.rows.split_at(against.rows.len().min(SHOWN as usize));
            for row in shown {
                let (before, now) = (sentence(&row.before), sentence(&row.now));
                writeln!(
                    out,
                    "- {} ({} lane): {before} → {now}; {}",
                    code(&row.name),
                    row.lane,
                    sentence(&row.explanation)
                )?;
            }
            let more = against.more + rest.len() as u64;
            if more > 0 {
                writeln!(out, "- … and {more} more")?;
            }
            writeln!(out)?;
        }
        if head.reasons.is_empty() {
            writeln!(out, "May be promoted.\n")?;
        } else {
            writeln!(out, "May not be promoted:\n")?;
            for (name, meaning) in &head.reasons {
                writeln!(out, "- {}: {}", code(name), sentence(meaning))?;
            }
            writeln!(out)?;
        }
        writeln!(
            out,
            "Run {}, world {}, channel {}, bundle index SHA-256 `{}`.",
            code(&head.run_id),
            code(&head.world_id),
            code(head.channel),
            head.index_sha256
        )
    }
}
