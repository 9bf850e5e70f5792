//! Reading a lane's rows in the plan's order.

use super::error::DeriveError;
use super::row_prefetch::{AfterBatch, RowBatches};
use super::template;
use crate::plan::file::ProbeEntry;
use crate::plan::{ResolvedProbe, ResolvedProfile};
use crate::record::action::Action;
use crate::record::outcome::{Decision, FailureKind, Lane};
use crate::record::row::{ORACLE_ROW_SCHEMA, OracleRow, ProbeRow, ROW_SCHEMA};

/// The rows of one lane, one after the other.
pub(super) struct LaneReader<T> {
    lane: Lane,
    batches: RowBatches<T>,
    /// The rows of the last batch, and how many of them were looked at.
    rows: Vec<T>,
    taken: usize,
    then: AfterBatch,
    number: u64,
}

/// Which row the plan has next.
pub(super) struct NextPlannedRow<'a> {
    pub seq: u64,
    pub profile_id: &'a str,
    pub probe_id: &'a str,
    /// `None`: any.
    pub expectation_id: Option<&'a str>,
    pub control_expects: Option<Decision>,
    /// With placeholders; `None`: not known on this system.
    pub action: Option<&'a Action>,
    /// The probe as written; `None`: a control.
    pub entry: Option<&'a ProbeEntry>,
}

impl<'a> NextPlannedRow<'a> {
    pub(super) fn probe(seq: u64, profile: &'a ResolvedProfile, probe: &'a ResolvedProbe) -> Self {
        Self {
            seq,
            profile_id: profile.id.as_str(),
            probe_id: probe.entry.probe_id.as_str(),
            expectation_id: Some(probe.expectation_id.as_str()),
            control_expects: None,
            action: probe.action.as_deref(),
            entry: Some(probe.entry.as_ref()),
        }
    }

    fn describe(&self) -> String {
        format!("row {} (profile `{}`, probe `{}`)", self.seq, self.profile_id, self.probe_id)
    }
}

impl<T> LaneReader<T> {
    fn begin(lane: Lane, batches: RowBatches<T>) -> Self {
        Self { lane, batches, rows: Vec::new(), taken: 0, then: AfterBatch::More, number: 0 }
    }

    /// The rows of a lane that must be there.
    pub(super) fn open(lane: Lane, batches: RowBatches<T>) -> Result<Self, DeriveError> {
        let mut reader = Self::begin(lane, batches);
        reader.fill();
        match reader.then {
            AfterBatch::Absent => Err(DeriveError::MissingLane { lane }),
            AfterBatch::Failed(error @ DeriveError::Open { .. }) => Err(error),
            _ => Ok(reader),
        }
    }

    /// Refuses rows of a lane in which nothing is planned.
    pub(super) fn expect_none(lane: Lane, batches: RowBatches<T>) -> Result<(), DeriveError> {
        let mut reader = Self::begin(lane, batches);
        reader.fill();
        match reader.then {
            AfterBatch::End | AfterBatch::Absent if reader.is_spent() => Ok(()),
            AfterBatch::Failed(error @ (DeriveError::Open { .. } | DeriveError::Read { .. })) => Err(error),
            _ => Err(DeriveError::UnplannedLane { lane }),
        }
    }

    /// Refuses a row past the last planned one.
    pub(super) fn finish(mut self) -> Result<(), DeriveError> {
        let line = self.number + 1;
        self.fill();
        match self.then {
            AfterBatch::End | AfterBatch::Absent if self.is_spent() => Ok(()),
            AfterBatch::Failed(error @ DeriveError::Read { .. }) if self.is_spent() => Err(error),
            _ => Err(DeriveError::ExtraRow { lane: self.lane, line }),
        }
    }

    /// Takes further batches until there is a row, or what comes instead.
    fn fill(&mut self) {
        while self.is_spent() && matches!(self.then, AfterBatch::More) {
            self.taken = 0;
            match self.batches.next(std::mem::take(&mut self.rows)) {
                Some(batch) => (self.rows, self.then) = (batch.rows, batch.then),
                // Only by a panic, which the scope of the thread passes on.
                None => self.then = AfterBatch::End,
            }
        }
    }

    /// Whether every row of the last batch was looked at.
    fn is_spent(&self) -> bool {
        self.taken == self.rows.len()
    }

    /// Goes to the next row.
    fn advance(&mut self, planned: &NextPlannedRow<'_>) -> Result<(), DeriveError> {
        self.fill();
        self.number += 1;
        let (lane, line) = (self.lane, self.number);
        if !self.is_spent() {
            self.taken += 1;
            return Ok(());
        }
        match std::mem::replace(&mut self.then, AfterBatch::End) {
            AfterBatch::Failed(error) => Err(error),
            _ => Err(DeriveError::MissingRow { lane, line, expected: planned.describe() }),
        }
    }

    /// The row that [`Self::advance`] went to.
    fn row(&self) -> &T {
        &self.rows[self.taken - 1]
    }

    fn check(&self, field: &'static str, expected: &str, found: &str) -> Result<(), DeriveError> {
        if expected == found { Ok(()) } else { Err(self.unexpected(field, expected, found)) }
    }

    fn check_seq(&self, expected: u64, found: u64) -> Result<(), DeriveError> {
        if expected == found {
            return Ok(());
        }
        Err(self.unexpected("seq", &expected.to_string(), &found.to_string()))
    }

    fn unexpected(&self, field: &'static str, expected: &str, found: &str) -> DeriveError {
        let short = |text: &str| text.chars().take(200).collect();
        DeriveError::Unexpected {
            lane: self.lane,
            line: self.number,
            field,
            expected: short(expected),
            found: short(found),
        }
    }

    fn inconsistent(&self, message: &'static str) -> DeriveError {
        DeriveError::Inconsistent { lane: self.lane, line: self.number, message }
    }
}

impl LaneReader<ProbeRow> {
    /// The next probe row, which must be the planned one.
    pub(super) fn probe_row(&mut self, planned: &NextPlannedRow<'_>) -> Result<&ProbeRow, DeriveError> {
        self.advance(planned)?;
        let row = self.row();
        self.check("schema_version", ROW_SCHEMA, &row.schema_version)?;
        self.check_seq(planned.seq, row.seq)?;
        self.check("lane", self.lane.as_str(), row.lane.as_str())?;
        self.check("profile_id", planned.profile_id, row.profile_id.as_str())?;
        self.check("probe_id", planned.probe_id, row.probe_id.as_str())?;
        if let Some(expectation_id) = planned.expectation_id {
            self.check("expectation_id", expectation_id, row.expectation_id.as_str())?;
        }
        if planned.control_expects != row.control_expects {
            let name = |decision: Option<Decision>| decision.map_or("absent", Decision::as_str);
            return Err(self.unexpected("control_expects", name(planned.control_expects), name(row.control_expects)));
        }
        if let Some(declared) = planned.action
            && let Some((field, declared, found)) =
                template::mismatch(declared, &row.action, &row.root, row.not_run.is_none())
        {
            return Err(self.unexpected(field, declared, found));
        }
        match (&row.ending, &row.not_run) {
            (None, None) if row.launcher.is_some() => {}
            _ if row.launcher.is_some() => {
                return Err(self.inconsistent("a question under a launcher has neither `ending` nor `not_run`"));
            }
            (Some(_), None) => {}
            (None, Some(not_run)) if not_run.can_be() => {}
            (None, Some(_)) => {
                return Err(self
                    .inconsistent("a probe that was not started stopped at stage `preflight` or `apply`, not later"));
            }
            _ => return Err(self.inconsistent("exactly one of `ending`, `not_run` and `launcher` must be there")),
        }
        let supported = planned.entry.is_none_or(|entry| entry.supports(self.lane));
        let left_out = row.not_run.as_ref().is_some_and(|not_run| not_run.kind == FailureKind::LaneUnsupported);
        if supported == left_out {
            return Err(self.inconsistent("a probe runs in exactly the lanes that its `supports_lanes` names"));
        }
        Ok(row)
    }
}

impl LaneReader<OracleRow> {
    /// The next oracle row, which must be the planned one.
    pub(super) fn oracle_row(&mut self, planned: &NextPlannedRow<'_>) -> Result<&OracleRow, DeriveError> {
        self.advance(planned)?;
        let row = self.row();
        self.check("schema_version", ORACLE_ROW_SCHEMA, &row.schema_version)?;
        self.check_seq(planned.seq, row.seq)?;
        self.check("profile_id", planned.profile_id, row.profile_id.as_str())?;
        self.check("probe_id", planned.probe_id, row.probe_id.as_str())?;
        if let Some(expectation_id) = planned.expectation_id {
            self.check("expectation_id", expectation_id, row.expectation_id.as_str())?;
        }
        Ok(row)
    }
}
