//! The verdicts of a verified bundle, lane by lane, as a stream.

use std::borrow::Cow;
use std::io::{self, BufRead};
use std::sync::mpsc::Receiver;

use serde::{Deserialize, Serialize};

use crate::base::json::Text;
use crate::base::json_array::ArrayReader;
use crate::base::limits::MAX_ROW_BYTES;
use crate::base::threads::ValueFeed;
use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::record::baseline::BaselineView;
use crate::record::controls::{ControlView, ControlsView};
use crate::record::events::EventView;
use crate::record::layout;
use crate::record::oracle::OracleView;
use crate::record::outcome::{Decision, Expectation, Lane};
use crate::record::run_diff::RowVerdict;

/// How many rows are handed over at a time.
const BATCH_ROWS: usize = 256;

/// Which row of a lane; the same in two bundles if the rows answer the same question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct RowKey {
    /// The expectation; for a control its profile.
    pub(super) id: Box<str>,
    /// What tells rows of one expectation apart: the source (oracle), which control.
    pub(super) aspect: Box<str>,
}

/// One row of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DiffRow {
    pub(super) key: RowKey,
    pub(super) verdict: RowVerdict,
}

/// Verdicts could not be read although the bundle was verified.
#[derive(Debug, thiserror::Error)]
#[error("could not read the {lane} lane of the bundle `{bundle}`", lane = lane.as_str())]
pub struct RowsError {
    lane: Lane,
    bundle: String,
    #[source]
    source: ArtifactError,
}

impl RowsError {
    pub(super) fn new(lane: Lane, bundle: &Verified<Bundle>, source: ArtifactError) -> Self {
        Self { lane, bundle: bundle.folder().display().to_string(), source }
    }
}

/// The derived artifact that holds a lane's verdicts.
fn artifact_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Baseline => layout::BASELINE_RESULTS,
        Lane::Control => layout::CONTROLS,
        Lane::Scenario => layout::RUNTIME_EVENTS,
        Lane::Oracle => layout::ORACLE_RESULTS,
    }
}

/// Whether the bundle has the lane.
pub(super) fn has(bundle: &Verified<Bundle>, lane: Lane) -> bool {
    bundle.entry(artifact_of(lane)).is_some()
}

/// A lane's rows, in batches; parsed on a thread of its own.
pub(super) struct Rows {
    batches: Receiver<Result<Vec<DiffRow>, RowsError>>,
    batch: std::vec::IntoIter<DiffRow>,
}

impl Rows {
    pub(super) fn from(batches: Receiver<Result<Vec<DiffRow>, RowsError>>) -> Self {
        Self { batches, batch: Vec::new().into_iter() }
    }

    pub(super) fn next(&mut self) -> Result<Option<DiffRow>, RowsError> {
        loop {
            if let Some(row) = self.batch.next() {
                return Ok(Some(row));
            }
            match self.batches.recv() {
                Ok(batch) => self.batch = batch?.into_iter(),
                Err(_) => return Ok(None),
            }
        }
    }
}

/// Sends every row of a lane. What was sent may be relied on only if no error follows.
pub(super) fn feed(bundle: &Verified<Bundle>, lane: Lane, to: &ValueFeed<Result<Vec<DiffRow>, RowsError>>) {
    if !has(bundle, lane) {
        return;
    }
    let mut batch = Vec::with_capacity(BATCH_ROWS);
    // A receiver that went away has seen enough.
    let outcome = each(bundle, lane, &mut |row| {
        batch.push(row);
        if batch.len() < BATCH_ROWS {
            return true;
        }
        to.send(Ok(std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ROWS))))
    });
    let _ = match outcome {
        Ok(()) => to.send(Ok(batch)),
        Err(source) => to.send(Err(RowsError::new(lane, bundle, source))),
    };
}

/// Calls `emit` for every row of a lane that the bundle has.
pub(super) fn all(
    bundle: &Verified<Bundle>,
    lane: Lane,
    emit: &mut dyn FnMut(DiffRow) -> bool,
) -> Result<(), RowsError> {
    if !has(bundle, lane) {
        return Ok(());
    }
    each(bundle, lane, emit).map_err(|source| RowsError::new(lane, bundle, source))
}

/// Calls `emit` for every row of a lane, until it says that it has enough.
fn each(bundle: &Verified<Bundle>, lane: Lane, emit: &mut dyn FnMut(DiffRow) -> bool) -> Result<(), ArtifactError> {
    let name = artifact_of(lane);
    match lane {
        // The derived rows do not repeat the expectation; the raw ones stand in the same order.
        Lane::Baseline => bundle.read_artifact(layout::rows_of(lane), |raw| {
            let mut ids = BaselineExpectationIds { rows: raw, line: Vec::new() };
            bundle
                .read_artifact(name, |derived| {
                    elements(derived, Some("results"), |bytes| Ok(emit(baseline(bytes, ids.next()?)?)))
                })
                .map_err(io::Error::other)
        }),
        Lane::Scenario => {
            bundle.read_artifact(name, |derived| elements(derived, None, |bytes| Ok(emit(scenario(bytes)?))))
        }
        Lane::Oracle => {
            bundle.read_artifact(name, |derived| elements(derived, Some("results"), |bytes| Ok(emit(oracle(bytes)?))))
        }
        Lane::Control => bundle.read_artifact(name, |derived| {
            elements(derived, Some("profiles"), |bytes| {
                let [deny, allow] = controls(bytes)?;
                Ok(emit(deny) && emit(allow))
            })
        }),
    }
}

/// Calls `each` for the elements of an array, until it says that it has enough.
fn elements(
    input: &mut dyn BufRead,
    member: Option<&str>,
    mut each: impl FnMut(&[u8]) -> io::Result<bool>,
) -> io::Result<()> {
    let mut elements = ArrayReader::open(input, member)?;
    while let Some(bytes) = elements.next()? {
        if !each(bytes)? {
            break;
        }
    }
    Ok(())
}

/// The expectation ids of the baseline lane, from its raw rows.
struct BaselineExpectationIds<'r> {
    rows: &'r mut dyn BufRead,
    line: Vec<u8>,
}

impl BaselineExpectationIds<'_> {
    fn next(&mut self) -> io::Result<Box<str>> {
        #[derive(Deserialize)]
        struct RawRow<'a> {
            #[serde(borrow)]
            expectation_id: Cow<'a, str>,
        }
        self.line.clear();
        io::Read::take(&mut self.rows, MAX_ROW_BYTES as u64 + 1).read_until(b'\n', &mut self.line)?;
        let row: RawRow<'_> = serde_json::from_slice(&self.line)?;
        Ok(row.expectation_id.into())
    }
}

fn join(words: [Option<&str>; 2]) -> Option<Box<str>> {
    let text = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then(|| text.into())
}

fn shown<'t>(text: &'t Option<Text<'_>>) -> Option<&'t str> {
    text.as_ref().map(|text| &*text.0)
}

/// By number: the name depends on the system, and a bundle is read on any.
fn errno_text(errno: Option<i32>) -> Option<String> {
    errno.filter(|errno| *errno != 0).map(|errno| format!("errno {errno}"))
}

fn baseline(bytes: &[u8], id: Box<str>) -> io::Result<DiffRow> {
    let row: BaselineView<Text<'_>> = serde_json::from_slice(bytes)?;
    let because = join([shown(&row.failure_kind), errno_text(row.errno).as_deref()]);
    let verdict = RowVerdict {
        profile_id: row.profile_id.0.into(),
        expected: None,
        actual: row.status.into(),
        mechanism: None,
        because,
    };
    Ok(DiffRow { key: RowKey { id, aspect: "".into() }, verdict })
}

fn scenario(bytes: &[u8]) -> io::Result<DiffRow> {
    let row: EventView<Text<'_>> = serde_json::from_slice(bytes)?;
    let because = join([shown(&row.failure_kind), shown(&row.errno_name)]);
    let id =
        row.expectation_id.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "an event has no expectation"))?;
    let verdict = RowVerdict {
        profile_id: row.profile_id.0.into(),
        expected: row.expected,
        actual: row.actual.into(),
        mechanism: None,
        because,
    };
    Ok(DiffRow { key: RowKey { id: id.0.into(), aspect: "".into() }, verdict })
}

fn oracle(bytes: &[u8]) -> io::Result<DiffRow> {
    let row: OracleView<Text<'_>> = serde_json::from_slice(bytes)?;
    let verdict = RowVerdict {
        profile_id: row.profile_id.0.into(),
        expected: None,
        actual: row.decision.into(),
        mechanism: None,
        because: row.reason.filter(|reason| !reason.0.is_empty()).map(|reason| reason.0.into()),
    };
    Ok(DiffRow { key: RowKey { id: row.expectation_id.0.into(), aspect: row.api.0.into() }, verdict })
}

/// The two controls of a profile.
fn controls(bytes: &[u8]) -> io::Result<[DiffRow; 2]> {
    let ControlsView { profile_id: Text(profile_id), must_deny, must_allow } =
        serde_json::from_slice::<ControlsView<Text<'_>>>(bytes)?;
    let row = |aspect: &str, expected, control: ControlView<Text<'_>>| {
        let why = shown(&control.reason).or(shown(&control.failure_kind));
        let verdict = RowVerdict {
            profile_id: profile_id.as_ref().into(),
            expected: Some(Expectation::from(expected)),
            actual: control.actual.into(),
            mechanism: None,
            because: join([why, errno_text(control.errno).as_deref()]),
        };
        DiffRow { key: RowKey { id: profile_id.as_ref().into(), aspect: aspect.into() }, verdict }
    };
    Ok([row("must_deny", Decision::Deny, must_deny), row("must_allow", Decision::Allow, must_allow)])
}
