//! Reading a lane's rows in the plan's order.

use std::io::{BufRead, Read};

use serde::de::DeserializeOwned;

use super::error::DeriveError;
use super::{RowSource, template};
use crate::base::limits::MAX_ROW_BYTES;
use crate::plan::{ResolvedProbe, ResolvedProfile};
use crate::record::action::Action;
use crate::record::outcome::{Decision, Lane};
use crate::record::row::{ORACLE_ROW_SCHEMA, OracleRow, ProbeRow, ROW_SCHEMA};

/// The rows of one lane, one after the other.
pub(super) struct LaneReader<'s> {
    lane: Lane,
    input: Box<dyn BufRead + 's>,
    line: Vec<u8>,
    number: u64,
}

/// Which row the plan has next.
pub(super) struct Planned<'a> {
    pub seq: u64,
    pub profile_id: &'a str,
    pub probe_id: &'a str,
    /// `None`: any.
    pub expectation_id: Option<&'a str>,
    pub control_expects: Option<Decision>,
    /// With placeholders; `None`: not known on this system.
    pub action: Option<&'a Action>,
}

impl<'a> Planned<'a> {
    pub(super) fn probe(seq: u64, profile: &'a ResolvedProfile, probe: &'a ResolvedProbe) -> Self {
        Self {
            seq,
            profile_id: profile.id.as_str(),
            probe_id: probe.entry.probe_id.as_str(),
            expectation_id: Some(probe.expectation_id.as_str()),
            control_expects: None,
            action: probe.action.as_deref(),
        }
    }

    fn describe(&self) -> String {
        format!("row {} (profile `{}`, probe `{}`)", self.seq, self.profile_id, self.probe_id)
    }
}

impl<'s> LaneReader<'s> {
    /// The rows of a lane that must be there.
    pub(super) fn open<R: RowSource + ?Sized>(rows: &'s R, lane: Lane) -> Result<Self, DeriveError> {
        let input = rows
            .open(lane)
            .map_err(|source| DeriveError::Open { lane, source })?
            .ok_or(DeriveError::MissingLane { lane })?;
        Ok(Self { lane, input, line: Vec::with_capacity(4096), number: 0 })
    }

    /// Refuses rows of a lane in which nothing is planned.
    pub(super) fn expect_none<R: RowSource + ?Sized>(rows: &'s R, lane: Lane) -> Result<(), DeriveError> {
        let input = rows.open(lane).map_err(|source| DeriveError::Open { lane, source })?;
        let Some(mut input) = input else { return Ok(()) };
        let first = input.fill_buf().map_err(|source| DeriveError::Read { lane, line: 1, source })?;
        if first.is_empty() { Ok(()) } else { Err(DeriveError::UnplannedLane { lane }) }
    }

    /// The next probe row, which must be the planned one.
    pub(super) fn probe_row(&mut self, planned: &Planned<'_>) -> Result<ProbeRow, DeriveError> {
        let row: ProbeRow = self.next(planned)?;
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
            && let Some((field, declared, found)) = template::mismatch(declared, &row.action, &row.root)
        {
            return Err(self.unexpected(field, declared, found));
        }
        match (&row.ending, &row.not_run) {
            (Some(_), None) => {}
            (None, Some(not_run)) if not_run.can_be() => {}
            (None, Some(_)) => {
                return Err(self
                    .inconsistent("a probe that was not started stopped at stage `preflight` or `apply`, not later"));
            }
            _ => return Err(self.inconsistent("exactly one of `ending` and `not_run` must be there")),
        }
        Ok(row)
    }

    /// The next oracle row, which must be the planned one.
    pub(super) fn oracle_row(&mut self, planned: &Planned<'_>) -> Result<OracleRow, DeriveError> {
        let row: OracleRow = self.next(planned)?;
        self.check("schema_version", ORACLE_ROW_SCHEMA, &row.schema_version)?;
        self.check_seq(planned.seq, row.seq)?;
        self.check("profile_id", planned.profile_id, row.profile_id.as_str())?;
        self.check("probe_id", planned.probe_id, row.probe_id.as_str())?;
        if let Some(expectation_id) = planned.expectation_id {
            self.check("expectation_id", expectation_id, row.expectation_id.as_str())?;
        }
        Ok(row)
    }

    /// Refuses a row past the last planned one.
    pub(super) fn finish(mut self) -> Result<(), DeriveError> {
        let line = self.number + 1;
        let rest = self.input.fill_buf().map_err(|source| DeriveError::Read { lane: self.lane, line, source })?;
        if rest.is_empty() { Ok(()) } else { Err(DeriveError::ExtraRow { lane: self.lane, line }) }
    }

    fn next<T: DeserializeOwned>(&mut self, planned: &Planned<'_>) -> Result<T, DeriveError> {
        self.number += 1;
        let (lane, line) = (self.lane, self.number);
        self.line.clear();
        if !read_line(&mut self.input, &mut self.line)
            .map_err(|source| DeriveError::Read { lane, line, source })?
            .ok_or(DeriveError::TooLong { lane, line })?
        {
            return Err(if self.line.is_empty() {
                DeriveError::MissingRow { lane, line, expected: planned.describe() }
            } else {
                DeriveError::CutOff { lane, line }
            });
        }
        // Text that is checked once as a whole parses sooner. What is no text is no row either; the slower way says why.
        let row = match std::str::from_utf8(&self.line) {
            Ok(text) => serde_json::from_str(text),
            Err(_) => serde_json::from_slice(&self.line),
        };
        row.map_err(|source| DeriveError::Decode { lane, line, source })
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

/// Appends one line to `line`, without its newline. `Some(false)`: the input ended first; `None`: the line is too long.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> std::io::Result<Option<bool>> {
    let limit = MAX_ROW_BYTES + 1;
    let length = input.take(limit as u64).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(true));
    }
    Ok((length < limit).then_some(false))
}
