//! Test Anything Protocol (testanything.org). Nothing past version 13 is used, and that is what it says: TAP::Harness, which is
//! what `prove` of Perl's distributions reads with, fails every report of version 14.

use std::io::{self, Write};

use serde_json::json;

use super::escape::ascii;
use super::render::{ProfileHead, RESIDUE, Render, ReportHead};
use super::row::{Agreement, ReportRow};
use crate::base::printable::printable;

#[derive(Default)]
pub(super) struct Tap {
    number: u64,
}

/// A description: one line, in which `#` and `\` mean themselves.
fn description(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '#' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

impl Render for Tap {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "TAP version 13\n1..{}", head.total.rows)?;
        let promotable = if head.reasons.is_empty() { "promotable" } else { "not promotable" };
        let facts = format!("run {}, world {}, channel {}, {promotable}", head.run_id, head.world_id, head.channel);
        writeln!(out, "# {}", description(&facts))
    }

    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "# {}", description(&profile.id))?;
        match profile.residue_sentence() {
            Some(found) => writeln!(out, "# {RESIDUE}: {}", description(&found)),
            None => Ok(()),
        }
    }

    fn row(&mut self, row: &ReportRow, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        self.number += 1;
        if row.agreement == Agreement::Asked {
            // What a reader of this format neither counts as a pass nor as a failure.
            return writeln!(
                out,
                "ok {} - {} # SKIP only asked, and answered as expected",
                self.number,
                description(row.id())
            );
        }
        if row.agreement == Agreement::Unasserted {
            let words = format!("{} # SKIP nothing expected: {}", description(row.id()), row.actual());
            return writeln!(out, "ok {} - {words}", self.number);
        }
        let passed = row.agreement == Agreement::Matched && !row.is_unneeded();
        let word = if passed { "ok" } else { "not ok" };
        // What is known to fail, and why, is this format's own word.
        let known = row.waiver_sentence().filter(|_| row.is_known());
        let known = known.map(|text| format!(" # TODO {}", printable(&text))).unwrap_or_default();
        writeln!(out, "{word} {} - {}{known}", self.number, description(row.id()))?;
        if passed {
            return Ok(());
        }
        // A text of JSON is a text of YAML.
        let severity = if row.agreement == Agreement::Undecided { "error" } else { "fail" };
        let model = row.opinions.model.as_ref();
        let facts = [
            ("severity", json!(severity)),
            ("kind", json!(row.kind())),
            ("message", json!(row.sentence())),
            ("profile", json!(profile.id)),
            ("operation", json!(row.event.operation)),
            ("target", json!(row.target())),
            ("expected", json!(row.expected())),
            ("why", json!(row.opinions.why)),
            ("kernel", json!(row.opinions.kernel)),
            ("model", json!(model.map(|model| model.decision.map_or("cannot_know", |decision| decision.as_str())))),
            ("rule", json!(model.and_then(|model| model.rule.as_deref()))),
            ("rule_place", json!(model.and_then(|model| model.rule_place.as_ref()).map(|place| place.to_string()))),
            ("conclusion", json!(row.opinions.sentence)),
            ("waiver", json!(row.waiver_sentence())),
        ];
        writeln!(out, "  ---")?;
        for (name, value) in facts {
            writeln!(out, "  {name}: {}", ascii(&value))?;
        }
        writeln!(out, "  ...")
    }

    fn end_profile(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &ReportHead, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}
