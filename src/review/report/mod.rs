//! A finished run in the formats that other tools read.
//!
//! Reports are made of verified bundles only. A row that decided nothing is an error in every format, and no row is left
//! out: what a tool of a pipeline counts as passed is exactly what was decided as expected.

mod html;
mod junit;
mod lane_rows;
mod markdown;
mod places;
mod sarif;
mod tap;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use serde::Deserialize;

use super::ReviewError;
use super::events;
use crate::base::json_out;
use crate::base::printable::{json_for_streams, printable};
use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::promote;
use crate::record::events::EventView;
use crate::record::layout;
use crate::record::outcome::{Decision, Lane};
use lane_rows::{LaneRowFacts, LaneRows, OracleFacts, with_lane};
use places::PlaceFinder;

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JUnit's XML: a suite for each profile, a case for each row.
    Junit,
    /// Test Anything Protocol, version 13.
    Tap,
    /// SARIF 2.1.0: a result for each row that is not as expected.
    Sarif,
    /// Markdown, short enough for a pull request.
    Markdown,
    /// One HTML page without scripts, images or links to elsewhere.
    Html,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportCounts {
    /// How many rows the scenario lane has.
    pub rows: u64,
    /// Rows whose observation is what was expected.
    pub matched: u64,
    /// Rows whose observation is not what was expected.
    pub mismatched: u64,
    /// Rows that decided nothing; never counted as passed.
    pub undecided: u64,
    /// Nothing was attempted, as is the driver's nature, and the policy answered as expected.
    pub asked: u64,
}

impl ReportCounts {
    fn add(&mut self, agreement: Agreement) {
        self.rows += 1;
        *match agreement {
            Agreement::Matched => &mut self.matched,
            Agreement::Mismatched => &mut self.mismatched,
            Agreement::Undecided => &mut self.undecided,
            Agreement::Asked => &mut self.asked,
        } += 1;
    }
}

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    Matched,
    Mismatched,
    Undecided,
    /// Nothing was attempted, as is the driver's nature, and the policy answered as expected: no pass, and no fault.
    Asked,
}

/// One row, as reports show it.
#[derive(Debug)]
pub(in crate::review) struct ReportRow {
    pub(super) agreement: Agreement,
    pub(in crate::review) event: EventView<String>,
    /// The probe, which is what the registry files the expectation under.
    pub(super) probe_id: Option<String>,
    /// How long its process ran; 0 for one that was not started.
    pub(super) duration_us: u64,
    pub(super) started_at_unix_s: Option<f64>,
    /// What decides in the policy, as the model says.
    pub(super) rule: Option<String>,
    /// What the model says: nothing where its lane was off, nothing within where it cannot know.
    pub(in crate::review) model: Option<Option<Decision>>,
}

impl ReportRow {
    fn new(event: EventView<String>) -> Self {
        let agreement = match event.matched {
            Some(true) => Agreement::Matched,
            Some(false) => Agreement::Mismatched,
            None if event.is_asked_as_expected() => Agreement::Asked,
            None => Agreement::Undecided,
        };
        Self { agreement, event, probe_id: None, duration_us: 0, started_at_unix_s: None, rule: None, model: None }
    }

    /// With what the lanes say of it.
    fn with(self, raw: Option<LaneRowFacts>, asked: Option<OracleFacts>) -> Self {
        let model = asked.as_ref().map(|asked| asked.decision);
        let rule = asked.and_then(|asked| asked.rule);
        match raw {
            None => Self { rule, model, ..self },
            Some(raw) => Self {
                probe_id: Some(raw.probe_id),
                duration_us: raw.duration_us,
                started_at_unix_s: Some(raw.started_at_unix_s),
                rule,
                model,
                ..self
            },
        }
    }

    pub(in crate::review) fn id(&self) -> &str {
        self.event.expectation_id.as_deref().unwrap_or(&self.event.scenario_id)
    }

    pub(in crate::review) fn expected(&self) -> &'static str {
        self.event.expected.map_or("nothing", |decision| decision.as_str())
    }

    fn actual(&self) -> &'static str {
        self.event.actual.map_or("undecided", |decision| decision.as_str())
    }

    pub(in crate::review) fn target(&self) -> &str {
        self.event.target.as_deref().unwrap_or_default()
    }

    /// Why it stands as it does: the kind of failure, or what happened instead.
    pub(in crate::review) fn kind(&self) -> &str {
        match self.agreement {
            Agreement::Matched => "as_expected",
            Agreement::Mismatched => match self.event.actual {
                Some(Decision::Allow) => "unexpected_allow",
                _ => "unexpected_deny",
            },
            Agreement::Undecided | Agreement::Asked => self.event.failure_kind.as_deref().unwrap_or("undecided"),
        }
    }

    /// The row in one sentence.
    fn sentence(&self) -> String {
        let mut text = format!("expected {}, got {}", self.expected(), self.actual());
        if matches!(self.agreement, Agreement::Undecided | Agreement::Asked) {
            text.push_str(&format!(" ({})", self.kind()));
        }
        if let Some(name) = &self.event.errno_name {
            text.push_str(&format!(", {name}"));
        }
        if let Some(notes) = &self.event.notes {
            text.push_str(&format!(": {notes}"));
        }
        text
    }
}

/// What stands at the head of a report.
#[derive(Debug)]
pub(super) struct ReportHead {
    pub(super) run_id: String,
    pub(super) world_id: String,
    pub(super) plan_id: String,
    pub(super) channel: &'static str,
    pub(super) index_sha256: String,
    pub(super) tool_version: String,
    pub(super) total: ReportCounts,
    /// The profiles that have rows, in plan order.
    pub(super) profiles: Vec<ProfileHead>,
    /// Names and meanings of the reasons against promotion.
    pub(super) reasons: Vec<(&'static str, &'static str)>,
}

/// One profile at the head of a report.
#[derive(Debug)]
pub(super) struct ProfileHead {
    pub(super) id: String,
    pub(super) policy: String,
    pub(super) counts: ReportCounts,
    /// Of all its rows together.
    pub(super) duration_us: u64,
    /// When the first of them was started.
    pub(super) started_at_unix_s: Option<f64>,
}

/// Writes one format, a row at a time.
trait Render {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()>;
    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()>;
    fn row(&mut self, row: &ReportRow, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()>;
    fn end_profile(&mut self, out: &mut dyn Write) -> io::Result<()>;
    fn end(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()>;
}

/// The part of the expected matrix that is read.
#[derive(Deserialize)]
struct ReportMatrix {
    profiles: std::collections::BTreeMap<String, ReportMatrixEntry>,
}

#[derive(Deserialize)]
struct ReportMatrixEntry {
    blob: String,
}

/// Writes the report of a bundle to `out`, and says what became of its rows.
///
/// The events are read twice, for the counts and for the rows; an error means that what was written is not to be used.
/// A bundle of a run that executed nothing has no events, which is an error ([`crate::bundle::ArtifactError::Absent`]).
pub fn write(bundle: &Verified<Bundle>, format: Format, out: &mut dyn Write) -> Result<ReportCounts, ReviewError> {
    let head = head(bundle)?;
    let mut render: Box<dyn Render> = match format {
        Format::Junit => Box::new(junit::Junit::default()),
        Format::Tap => Box::new(tap::Tap::default()),
        Format::Sarif => Box::new(sarif::Sarif::new(PlaceFinder::of(bundle)?)),
        Format::Markdown => Box::new(markdown::Markdown::default()),
        Format::Html => Box::new(html::Html),
    };
    let mut written = ReportInProgress { head: &head, render: render.as_mut(), out, place: None, failed: None };
    written.step(|render, head, out| render.begin(head, out));
    for_each_row(bundle, &mut |row| written.row(&row))?;
    written.finish().map_err(ReviewError::Output)?;
    Ok(head.total)
}

/// Gives every scenario row to `take`, in plan order.
pub(in crate::review) fn for_each_row(
    bundle: &Verified<Bundle>,
    take: &mut dyn FnMut(ReportRow),
) -> Result<(), ArtifactError> {
    with_lane(bundle, Lane::Scenario, |raw| {
        with_lane(bundle, Lane::Oracle, |asked| {
            let (mut raw, mut asked) = (LaneRows::<LaneRowFacts>::new(raw), LaneRows::<OracleFacts>::new(asked));
            bundle.read_artifact(layout::RUNTIME_EVENTS, |reader| {
                events::for_each(reader, &mut |event: EventView<String>| {
                    let (raw, asked) = (raw.take(&event), asked.take(&event));
                    take(ReportRow::new(event).with(raw, asked));
                })
            })
        })
    })??
}

fn head(bundle: &Verified<Bundle>) -> Result<ReportHead, ReviewError> {
    let matrix: ReportMatrix =
        bundle.read_artifact(layout::EXPECTED_MATRIX, |reader| serde_json::from_reader(reader))?;
    let mut total = ReportCounts::default();
    let mut profiles: Vec<ProfileHead> = Vec::new();
    for_each_row(bundle, &mut |row| {
        total.add(row.agreement);
        let id = &row.event.profile_id;
        if profiles.last().is_none_or(|last| last.id != *id) {
            let policy = matrix.profiles.get(id).map(|entry| entry.blob.clone()).unwrap_or_default();
            let (id, counts) = (id.clone(), ReportCounts::default());
            profiles.push(ProfileHead { id, policy, counts, duration_us: 0, started_at_unix_s: None });
        }
        if let Some(last) = profiles.last_mut() {
            last.counts.add(row.agreement);
            last.duration_us = last.duration_us.saturating_add(row.duration_us);
            let first = |one: f64| last.started_at_unix_s.map_or(one, |other| other.min(one));
            last.started_at_unix_s = row.started_at_unix_s.map(first).or(last.started_at_unix_s);
        }
    })?;
    let manifest = bundle.manifest();
    let report = promote::evaluate(bundle);
    Ok(ReportHead {
        run_id: manifest.run_id.to_string(),
        world_id: manifest.world_id.to_string(),
        plan_id: manifest.plan_id.to_string(),
        channel: manifest.channel.as_str(),
        index_sha256: bundle.index_sha256().to_string(),
        tool_version: manifest.tool.version.clone(),
        total,
        profiles,
        reasons: report.reasons().iter().map(|reason| (reason.as_str(), reason.explain())).collect(),
    })
}

/// A report in the making.
struct ReportInProgress<'a> {
    head: &'a ReportHead,
    render: &'a mut dyn Render,
    out: &'a mut dyn Write,
    /// Which profile the last row was of.
    place: Option<usize>,
    failed: Option<io::Error>,
}

impl ReportInProgress<'_> {
    fn step(&mut self, step: impl FnOnce(&mut dyn Render, &ReportHead, &mut dyn Write) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = step(self.render, self.head, self.out).err();
        }
    }

    fn row(&mut self, row: &ReportRow) {
        let here = self.place.and_then(|place| self.head.profiles.get(place));
        if here.is_none_or(|profile| profile.id != row.event.profile_id) {
            if self.place.is_some() {
                self.step(|render, _, out| render.end_profile(out));
            }
            let next = self.place.map_or(0, |place| place + 1);
            self.place = Some(next);
            self.step(|render, head, out| match head.profiles.get(next) {
                Some(profile) => render.begin_profile(profile, out),
                None => Err(changed()),
            });
        }
        let place = self.place.unwrap_or_default();
        self.step(|render, head, out| match head.profiles.get(place) {
            Some(profile) => render.row(row, profile, out),
            None => Err(changed()),
        });
    }

    fn finish(mut self) -> io::Result<()> {
        if self.place.is_some() {
            self.step(|render, _, out| render.end_profile(out));
        }
        self.step(|render, head, out| render.end(head, out));
        self.step(|_, _, out| out.flush());
        self.failed.map_or(Ok(()), Err)
    }
}

/// The second reading shows other profiles than the first; its digest will not be the verified one either.
fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the events changed between two readings")
}

/// A value as JSON that holds nothing but ASCII, in one line.
fn ascii(value: &serde_json::Value) -> String {
    let mut text = Vec::new();
    // Memory takes all of it, and a value has no member that cannot be written.
    json_out::append_compact(&mut text, value).expect("a value can be written to memory");
    String::from_utf8(json_for_streams(text)).expect("JSON is text")
}

/// A text as the content of XML or HTML: characters that mean something there are escaped, and those that are not shown, which
/// are also those that may not stand in XML 1.0 at all, are replaced.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(&text.replace(['\n', '\t'], " ")).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
