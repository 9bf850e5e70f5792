//! What stands at the head of a report, from the documents of its bundle.

use std::collections::{BTreeSet, HashMap};

use chrono::DateTime;
use serde::Deserialize;

use super::places::PlaceFinder;
use super::render::{ProfileHead, ReportHead};
use super::row::ReportCounts;
use super::rows::for_each_row;
use crate::bundle::{Bundle, Verified};
use crate::promote;
use crate::record::controls::ControlStatus;
use crate::record::layout;
use crate::record::manifest::{HostFacts, RunManifest};
use crate::review::ReviewError;

/// The longest policy whose text is shown, in lines; and how many lines of policies altogether.
const MOST_LINES: usize = 1_000;
const MOST_LINES_OF_ALL: usize = 10_000;

/// The part of the expected matrix that is read.
#[derive(Deserialize)]
struct ReportMatrix {
    profiles: std::collections::BTreeMap<String, ReportMatrixEntry>,
}

#[derive(Deserialize)]
struct ReportMatrixEntry {
    blob: String,
}

/// The part of `controls.json` that is read.
#[derive(Deserialize)]
struct ReportControls {
    profiles: Vec<ReportControlsEntry>,
}

#[derive(Deserialize)]
struct ReportControlsEntry {
    profile_id: String,
    must_deny: ReportControl,
    must_allow: ReportControl,
}

#[derive(Deserialize)]
struct ReportControl {
    status: ControlStatus,
}

/// The policy of each profile, by its id.
pub(super) fn policies(bundle: &Verified<Bundle>) -> Result<HashMap<String, String>, ReviewError> {
    let matrix: ReportMatrix =
        bundle.read_artifact(layout::EXPECTED_MATRIX, |reader| serde_json::from_reader(reader))?;
    Ok(matrix.profiles.into_iter().map(|(id, entry)| (id, entry.blob)).collect())
}

/// Reads the head, and counts the rows.
pub(super) fn of(bundle: &Verified<Bundle>, places: &mut PlaceFinder<'_>) -> Result<ReportHead, ReviewError> {
    let policies = policies(bundle)?;
    let controls = bundle.controls().and_then(|bytes| serde_json::from_slice::<ReportControls>(bytes).ok());
    let controls: HashMap<String, (ControlStatus, ControlStatus)> = controls
        .map(|all| all.profiles.into_iter())
        .into_iter()
        .flatten()
        .map(|one| (one.profile_id, (one.must_deny.status, one.must_allow.status)))
        .collect();
    let notes = places.profile_notes();
    let mut total = ReportCounts::default();
    let mut profiles: Vec<ProfileHead> = Vec::new();
    let mut room = MOST_LINES_OF_ALL;
    for_each_row(bundle, &mut |row| {
        total.add(&row);
        let id = &row.event.profile_id;
        if profiles.last().is_none_or(|last| last.id != *id) {
            let policy = policies.get(id).cloned().unwrap_or_default();
            let text = places.policy_text(&policy);
            let lines = text.as_deref().map_or(0, |text| text.lines().count());
            let shown = lines > 0 && lines <= MOST_LINES.min(room);
            room -= if shown { lines } else { 0 };
            profiles.push(ProfileHead {
                id: id.clone(),
                policy,
                policy_text: text.filter(|_| shown),
                notes: notes.get(id).cloned(),
                controls: controls.get(id).copied(),
                counts: ReportCounts::default(),
                duration_us: 0,
                started_at_unix_s: None,
                residue: BTreeSet::new(),
            });
        }
        if let Some(last) = profiles.last_mut() {
            last.counts.add(&row);
            last.residue.extend(row.residue.iter().cloned());
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
        folder: bundle.folder().display().to_string(),
        identity: manifest.identity.map(|identity| identity.to_string()),
        host: host(&manifest.host),
        made: made(manifest),
        total,
        profiles,
        reasons: report.reasons().iter().map(|reason| (reason.as_str(), reason.explain())).collect(),
    })
}

fn host(host: &HostFacts) -> String {
    let name = match host.os.as_str() {
        "linux" => "Linux",
        "macos" => "macOS",
        other => other,
    };
    let version = host.product_version.as_deref().or(host.kernel_release.as_deref());
    let mut text = [Some(name), version, host.arch.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    if let Some(abi) = host.landlock_abi {
        text.push_str(&format!(", Landlock ABI {abi}"));
    }
    text
}

fn made(manifest: &RunManifest) -> String {
    let when = DateTime::from_timestamp(manifest.started_at_unix_s as i64, 0);
    let when = when.map(|when| when.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
    let whom = if manifest.host.uid_class == "root" { "root" } else { "an ordinary user" };
    format!("sandproof {}, {when}, as {whom}.", manifest.tool.version)
}
