//! The lines of `verdicts.jsonl`, each a function of the rows of one place (SPEC.md, section 3.3).

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use super::ArtifactSink;
use super::artifact_writer::ArtifactWriter;
use super::decide::Attempt;
use super::error::DeriveError;
use super::row_facts::RowInPlan;
use super::scenario::Judged;
use crate::base::digest::Digest;
use crate::base::ids::ProbeId;
use crate::plan::probe_digest::probe_digest;
use crate::record::layout;
use crate::record::outcome::Decision;
use crate::record::row::OracleRow;
use crate::record::verdict_line::{LaneOutcome, OutcomeWord, VERDICT_SCHEMA, VerdictLine};

/// The document while it is written.
pub(super) struct VerdictLines<O> {
    artifact: ArtifactWriter<O>,
    /// Of every probe that came up so far and that several profiles share.
    probes: HashMap<ProbeId, Digest>,
}

/// What the lanes show of one place.
pub(super) struct ShownByLanes<'a, 'r> {
    /// What the baseline row shows by itself, if that lane is on.
    pub baseline: Option<Attempt>,
    /// The scenario row, judged, if that lane is on.
    pub scenario: Option<&'a Judged<'r>>,
    /// The oracle row, if that lane is on.
    pub oracle: Option<&'a OracleRow>,
}

impl<O: Write> VerdictLines<O> {
    pub(super) fn create<S: ArtifactSink<Out = O>>(sink: &mut S) -> Result<Self, DeriveError> {
        Ok(Self { artifact: ArtifactWriter::create(sink, layout::VERDICTS)?, probes: HashMap::new() })
    }

    pub(super) fn push(
        &mut self,
        seq: u64,
        placed: RowInPlan<'_>,
        lanes: &ShownByLanes<'_, '_>,
    ) -> Result<(), DeriveError> {
        let entry = &placed.probe.entry;
        let probe_sha256 = if Arc::strong_count(entry) == 1 {
            // Nobody else will ask for it.
            probe_digest(entry)
        } else if let Some(known) = self.probes.get(&entry.probe_id) {
            *known
        } else {
            *self.probes.entry(entry.probe_id.clone()).or_insert_with(|| probe_digest(entry))
        };
        let line = line(seq, placed, lanes, probe_sha256);
        self.artifact.put(|out| {
            serde_json::to_writer(&mut *out, &line)?;
            out.push(b'\n');
            Ok(())
        })
    }

    pub(super) fn finish<S: ArtifactSink<Out = O>>(self, sink: &mut S) -> Result<(), DeriveError> {
        self.artifact.finish(sink)
    }
}

fn line<'a>(seq: u64, placed: RowInPlan<'a>, lanes: &ShownByLanes<'_, '_>, probe_sha256: Digest) -> VerdictLine<'a> {
    let verdict = lanes.scenario.map(|judged| judged.verdict);
    let actual = verdict.and_then(|verdict| verdict.actual());
    let denied = lanes.scenario.filter(|_| actual == Some(Decision::Deny));
    VerdictLine {
        actual,
        baseline: lanes.baseline.map(LaneOutcome::from),
        errno: verdict.and_then(|verdict| verdict.errno()),
        expectation_id: placed.expectation_id(),
        expected: placed.probe.entry.expected,
        failure_kind: verdict.and_then(|verdict| verdict.kind()),
        failure_stage: verdict.and_then(|verdict| verdict.stage()),
        matched: lanes.scenario.and_then(Judged::matched),
        mechanism: denied.and_then(Judged::mechanism),
        oracle: lanes.oracle.map(|row| LaneOutcome { errno: None, kind: None, word: OutcomeWord::from(row.decision) }),
        probe_sha256,
        profile_id: placed.profile_id(),
        scenario: lanes.scenario.map(|judged| judged.by_itself.into()),
        schema_version: VERDICT_SCHEMA,
        seq,
    }
}

impl From<Attempt> for LaneOutcome {
    fn from(attempt: Attempt) -> Self {
        let kind = match attempt {
            Attempt::Undecided(cause) => Some(cause.kind),
            Attempt::Allowed | Attempt::Denied { .. } => None,
        };
        Self { errno: attempt.errno(), kind, word: attempt.decision().into() }
    }
}
