//! A finished run in the formats that other tools read.
//!
//! Reports are made of verified bundles only. A row that decided nothing is an error in every format, and no row is left
//! out: what a tool of a pipeline counts as passed is exactly what was decided as expected.

mod escape;
mod head;
mod html;
mod junit;
mod lane_rows;
mod markdown;
pub mod matrix;
pub mod mutation;
mod places;
mod render;
mod row;
mod rows;
mod sarif;
mod tap;
mod verdict_opinions;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::ReviewError;
use crate::bundle::{Bundle, Verified};
use crate::record::opinions::Conclusion;
use crate::record::run_diff::ComparisonShown;
use places::PlaceFinder;
use render::{Render, ReportHead};

pub(in crate::review) use escape::markup;
pub(in crate::review) use markdown::{code, plain};
use row::Agreement;
pub use row::ReportCounts;
pub(in crate::review) use row::ReportRow;
pub(in crate::review) use rows::for_each_row;
pub use verdict_opinions::{mechanisms, verdict_opinions};

/// The formats that a report can be written in.
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

/// Writes the report of a bundle to `out`, and says what became of its rows.
///
/// The events are read twice, for the counts and for the rows; an error means that what was written is not to be used.
/// A bundle of a run that executed nothing has no events, which is an error ([`crate::bundle::ArtifactError::Absent`]).
pub fn write(bundle: &Verified<Bundle>, format: Format, out: &mut dyn Write) -> Result<ReportCounts, ReviewError> {
    write_against(bundle, format, None, out)
}

/// The same with what changed since another run, which HTML and Markdown show.
pub(crate) fn write_against(
    bundle: &Verified<Bundle>,
    format: Format,
    against: Option<&ComparisonShown>,
    out: &mut dyn Write,
) -> Result<ReportCounts, ReviewError> {
    let mut places = PlaceFinder::of(bundle)?;
    let head = head::of(bundle, &mut places)?;
    let mut render: Box<dyn Render> = match format {
        Format::Junit => Box::new(junit::Junit::default()),
        Format::Tap => Box::new(tap::Tap::default()),
        Format::Sarif => Box::new(sarif::Sarif::new(places.base.clone())),
        Format::Markdown => Box::new(markdown::Markdown::new(against)),
        Format::Html => Box::new(html::Html::new(against)),
    };
    let mut written = ReportInProgress { head: &head, places, render: render.as_mut(), out, place: None, failed: None };
    written.step(|render, head, out| render.begin(head, out));
    for_each_row(bundle, &mut |row| written.row(row))?;
    written.finish().map_err(ReviewError::Output)?;
    Ok(head.total)
}

/// A report in the making.
struct ReportInProgress<'a> {
    head: &'a ReportHead,
    places: PlaceFinder<'a>,
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

    fn row(&mut self, row: ReportRow) {
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
        let policy = self.head.profiles.get(place).map_or("", |profile| profile.policy.as_str());
        // What is as expected is shown without its places; there may be a million of those.
        let plain = row.agreement == Agreement::Matched
            && row.waiver.is_none()
            && row.opinions.conclusion == Conclusion::AsExpected;
        let row = if plain { row } else { row.placed(&mut self.places, policy) };
        self.step(|render, head, out| match head.profiles.get(place) {
            Some(profile) => render.row(&row, profile, out),
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
