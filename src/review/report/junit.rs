//! JUnit's XML, in the dialect that the tools of pipelines agree on: `testsuites`, `testsuite`, `testcase`, `failure`,
//! `error`.

use std::io::{self, Write};

use super::{Head, ProfileHead, Render, Row, Verdict, markup};

pub(super) struct Junit;

impl Render for Junit {
    fn begin(&mut self, head: &Head, out: &mut dyn Write) -> io::Result<()> {
        let total = &head.total;
        writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        writeln!(
            out,
            r#"<testsuites name="{}" tests="{}" failures="{}" errors="{}">"#,
            markup(&head.plan_id),
            total.rows,
            total.mismatched,
            total.undecided
        )
    }

    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let counts = &profile.counts;
        writeln!(
            out,
            r#"  <testsuite name="{}" tests="{}" failures="{}" errors="{}" skipped="0">"#,
            markup(&profile.id),
            counts.rows,
            counts.mismatched,
            counts.undecided
        )
    }

    fn row(&mut self, row: &Row, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        write!(out, r#"    <testcase classname="{}" name="{}""#, markup(&profile.id), markup(row.id()))?;
        let element = match row.verdict {
            Verdict::Matched => return writeln!(out, "/>"),
            Verdict::Mismatched => "failure",
            Verdict::Undecided => "error",
        };
        writeln!(out, ">")?;
        writeln!(
            out,
            r#"      <{element} type="{}" message="{}">{} on {}</{element}>"#,
            markup(row.kind()),
            markup(&row.sentence()),
            markup(&row.event.operation),
            markup(row.target())
        )?;
        writeln!(out, "    </testcase>")
    }

    fn end_profile(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  </testsuite>")
    }

    fn end(&mut self, _: &Head, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "</testsuites>")
    }
}
