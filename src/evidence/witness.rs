//! `path_witnesses.json` and `fixtures.json`: what the kernel said of paths, and what the run had made.
//!
//! The reference writes one lane after the other. Here the lanes' records alternate, probe by probe, baseline first:
//! both rows are at hand at that moment, and every record names its lane, by which readers tell them apart.

use super::decide::{Attempt, Verdict};
use super::host_os::HostOs;
use super::row_facts::{self, Paths, RowInPlan};
use crate::record::fixture::ListenerKind;
use crate::record::fixtures_doc::{FIXTURE_MARKER_SCHEMA, FixtureId, FixtureMarker};
use crate::record::outcome::Lane;
use crate::record::row::ProbeRow;
use crate::record::witness::{Canonicalization, FdIdentity, PATH_WITNESS_SCHEMA, PathWitness, WitnessEnding};

/// What a lane decided about a row.
#[derive(Clone, Copy)]
pub(super) enum LaneAnswer {
    Baseline(Attempt),
    Scenario(Verdict),
}

/// The witness of one row; nothing for operations that are not on files.
pub(super) fn path_witness<'a>(
    host_os: HostOs,
    placed: RowInPlan<'a>,
    row: &'a ProbeRow,
    scenario_id: &'a str,
    shown: LaneAnswer,
    paths: &'a Paths<'_>,
) -> Option<PathWitness<'a>> {
    if !row_facts::is_file_operation(placed.operation()) {
        return None;
    }
    let (lane, decision, ending) = match shown {
        LaneAnswer::Baseline(attempt) => {
            (Lane::Baseline, attempt.decision(), WitnessEnding::Baseline { exit_code: row_facts::exit_code(row) })
        }
        LaneAnswer::Scenario(verdict) => (
            Lane::Scenario,
            verdict.actual(),
            WitnessEnding::Scenario {
                errno: verdict.errno(),
                failure_stage: verdict.stage(),
                failure_kind: verdict.kind(),
            },
        ),
    };
    let (normalized_path, normalized_path_source) = paths.witnessed();
    let opened = row.operation.as_ref().and_then(|operation| operation.opened.as_ref());
    Some(PathWitness {
        schema_version: PATH_WITNESS_SCHEMA,
        lane,
        profile_id: placed.profile_id(),
        scenario_id,
        operation: placed.operation(),
        requested_path: paths.requested,
        observed_path: paths.observed,
        observed_path_source: host_os.witness_source(lane, paths.observed_source),
        observed_path_errno: paths.observed_errno,
        observed_path_nofirmlink: paths.nofirmlink,
        observed_path_nofirmlink_source: host_os.nofirmlink_source(lane, paths.nofirmlink_source),
        observed_path_nofirmlink_errno: paths.nofirmlink_errno,
        normalized_path,
        normalized_path_source,
        canonicalization: Canonicalization {
            alias_pair: paths.alias_pair,
            nofirmlink_differs: paths.nofirmlink_differs,
        },
        decision,
        ending,
        command: row_facts::command(row),
        fd_identity: opened.map(|opened| FdIdentity {
            enabled: true,
            enabled_source: "probe",
            st_dev: opened.dev,
            st_ino: opened.ino,
        }),
    })
}

/// The fixtures of one row: its listener, and its target as it was before the operation.
///
/// The contract has the listener of `network-outbound` alone; targets are ours (its weakness W-76).
pub(super) fn fixtures<'a>(
    placed: RowInPlan<'a>,
    row: &'a ProbeRow,
    scenario_id: &'a str,
) -> impl Iterator<Item = FixtureMarker<'a>> {
    let marker = move |fixture_id| FixtureMarker {
        schema_version: FIXTURE_MARKER_SCHEMA,
        fixture_id,
        lane: row.lane,
        profile_id: placed.profile_id(),
        probe_name: placed.name(),
        scenario_id,
        operation: placed.operation(),
        target: placed.target(),
        listener: None,
        state: None,
    };
    let listener = row_facts::listener(row);
    let local = listener.is_some_and(|listener| !matches!(listener.kind, ListenerKind::Tcp | ListenerKind::Udp));
    let heard = (listener.is_some() || placed.operation() == "network-outbound").then(|| FixtureMarker {
        listener,
        ..marker(if local { FixtureId::LocalListener } else { FixtureId::LoopbackListener })
    });
    let target = row.prologue.as_ref().and_then(|prologue| prologue.target.as_ref());
    let target = target.map(|state| FixtureMarker { state: Some(state), ..marker(FixtureId::Target) });
    heard.into_iter().chain(target)
}
