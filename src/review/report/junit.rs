//! JUnit's XML, in the dialect that the tools of pipelines agree on: `testsuites`, `testsuite`, `properties`, `testcase`,
//! `failure`, `error`.

use std::io::{self, Write};

use chrono::DateTime;

use super::escape::markup;
use super::render::{ProfileHead, RESIDUE, Render, ReportHead};
use super::row::{Agreement, ReportRow};

/// The properties of every suite: what a report of test cases has no other place for.
#[derive(Default)]
pub(super) struct Junit {
    properties: Vec<(&'static str, String)>,
}

/// Seconds, as every reader takes them: no exponent, no separator of thousands, and no more than the three decimals that
/// Surefire's schema knows. The bundle's rows have them to the microsecond.
fn seconds(duration_us: u64) -> String {
    let milliseconds = duration_us / 1_000 + u64::from(duration_us % 1_000 >= 500);
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// A date of ISO 8601 without a time zone, which is what Ant's reporters began to write; it is in UTC. `None` for what is no
/// time of this era.
fn timestamp(unix_s: f64) -> Option<String> {
    let whole = DateTime::from_timestamp(unix_s.floor() as i64, 0)?;
    let text = whole.format("%Y-%m-%dT%H:%M:%S").to_string();
    (text.len() == "2026-01-01T00:00:00".len()).then_some(text)
}

impl Render for Junit {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        self.properties = vec![
            ("run_id", head.run_id.clone()),
            ("plan_id", head.plan_id.clone()),
            ("world_id", head.world_id.clone()),
            ("channel", head.channel.to_owned()),
            ("promotable", head.reasons.is_empty().to_string()),
            ("bundle_index_sha256", head.index_sha256.clone()),
            ("tool_version", head.tool_version.clone()),
        ];
        self.properties.extend(head.profiles.iter().filter_map(|it| Some((RESIDUE, it.residue_sentence()?))));
        let total = &head.total;
        let duration_us = head.profiles.iter().fold(0, |sum: u64, profile| sum.saturating_add(profile.duration_us));
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        writeln!(
            out,
            r#"<testsuites name="{}" tests="{}" failures="{}" errors="{}" time="{}">"#,
            markup(&head.plan_id),
            total.rows,
            total.unknown() + total.unneeded,
            total.undecided,
            seconds(duration_us)
        )
    }

    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let counts = &profile.counts;
        write!(
            out,
            r#"  <testsuite name="{}" tests="{}" failures="{}" errors="{}" skipped="{}" time="{}""#,
            markup(&profile.id),
            counts.rows,
            counts.unknown() + counts.unneeded,
            counts.undecided,
            counts.asked + counts.known + counts.unasserted,
            seconds(profile.duration_us)
        )?;
        if let Some(started) = profile.started_at_unix_s.and_then(timestamp) {
            write!(out, r#" timestamp="{started}""#)?;
        }
        writeln!(out, ">\n    <properties>")?;
        let policy = ("policy", profile.policy.clone());
        for (name, value) in self.properties.iter().chain([&policy]) {
            writeln!(out, r#"      <property name="{name}" value="{}"/>"#, markup(value))?;
        }
        writeln!(out, "    </properties>")
    }

    fn row(&mut self, row: &ReportRow, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        write!(
            out,
            r#"    <testcase classname="{}" name="{}" time="{}""#,
            markup(&profile.id),
            markup(row.id()),
            seconds(row.duration_us)
        )?;
        let element = match row.agreement {
            Agreement::Matched if row.is_unneeded() => "failure",
            Agreement::Matched => return writeln!(out, "/>"),
            Agreement::Mismatched if row.is_known() => {
                let text = row.waiver_sentence().unwrap_or_default();
                writeln!(out, ">")?;
                writeln!(out, r#"      <skipped message="{}"/>"#, markup(&format!("{}; {text}", row.sentence())))?;
                return writeln!(out, "    </testcase>");
            }
            Agreement::Mismatched => "failure",
            Agreement::Undecided => "error",
            Agreement::Asked | Agreement::Unasserted => {
                writeln!(out, ">")?;
                writeln!(out, r#"      <skipped message="{}"/>"#, markup(&row.sentence()))?;
                return writeln!(out, "    </testcase>");
            }
        };
        writeln!(out, ">")?;
        writeln!(
            out,
            r#"      <{element} type="{}" message="{}">{} on {}"#,
            markup(row.kind()),
            markup(&row.sentence()),
            markup(&row.event.operation),
            markup(row.target())
        )?;
        for (name, text) in row.opinion_lines() {
            writeln!(out, "{name}: {}", markup(&text))?;
        }
        writeln!(out, "</{element}>")?;
        writeln!(out, "    </testcase>")
    }

    fn end_profile(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  </testsuite>")
    }

    fn end(&mut self, _: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "</testsuites>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_and_dates_without_a_zone() {
        assert_eq!(seconds(1_389), "0.001");
        assert_eq!(seconds(999_500), "1.000");
        assert_eq!(seconds(3_600_000_001), "3600.000");
        assert_eq!(seconds(u64::MAX), "18446744073709.552");
        assert_eq!(timestamp(1_795_982_682.02).as_deref(), Some("2026-11-29T20:04:42"));
        for never in [f64::NAN, f64::INFINITY, -1e300, 1e300, 1e13] {
            let text = timestamp(never);
            assert!(text.as_deref().is_none_or(|text| text.len() == 19), "{never}: {text:?}");
        }
        assert_eq!(timestamp(1e300), None);
    }
}
