//! What a merge says of its parts, and which row of which part stands where.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Deserialize;
use serde_json::Value;

use super::check;
use crate::base::canon::CanonError;
use crate::base::ids::RunId;
use crate::bundle::verified::{Bundle, Verified};
use crate::bundle::verified_artifact::ArtifactError;
use crate::identity::seal::{DeclarationParts, seal};
use crate::plan::{self, DocumentSource, LoadError, ResolvedPlan, Selection, shard};
use crate::record::absence::Absence;
use crate::record::controls::ControlsStatus;
use crate::record::identity::{Declaration, Stated};
use crate::record::layout;
use crate::record::manifest::RunManifest;
use crate::record::merge::{ControlsTaken, MERGE_SCHEMA, MergeDisagreement, MergeDocument, MergePart, PartStanding};
use crate::record::shard::{ShardFoundBy, ShardRecord};

/// Parts could not be put together, though they belong together.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The plan cannot be resolved.
    #[error(transparent)]
    Plan(#[from] LoadError),
    /// A part changed since it was verified.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The declaration cannot be sealed.
    #[error("the declaration has no canonical form: {0}")]
    Canon(CanonError),
    /// Parts say that they have rows that the plan does not give them.
    #[error("part {part} has {found} rows, its share of the plan has {expected}")]
    Rows {
        /// Number of the part.
        part: u32,
        /// How many it has.
        found: u64,
        /// How many it should have.
        expected: u64,
    },
}

/// What parts give: every document of a merge but those that are derived.
#[derive(Debug)]
pub(crate) struct Composition {
    /// `merge.json`
    pub document: MergeDocument,
    /// What all of them declared; of all shares together that nothing is divided.
    pub declaration: Declaration,
    /// What was run.
    pub manifest: RunManifest,
    /// The plan, with the rows that the parts have.
    pub plan: ResolvedPlan,
    /// For each row, in plan order, the part that it is taken from, by place.
    pub(super) part_of_row: Vec<usize>,
    /// For each profile, in plan order, the part that its controls are taken from, by place.
    pub(super) controls_of: Vec<usize>,
    /// The rows that show nothing, because attempts differ.
    pub disagreeing: BTreeSet<u64>,
}

/// Puts parts together, which belong together and stand in the order of a merge. `documents` are the input documents of any of
/// them.
///
/// # Errors
/// See [`ComposeError`].
pub(super) fn compose(
    parts: &[&Verified<Bundle>],
    documents: &dyn DocumentSource,
    plan_path: &str,
    run_id: &RunId,
    bundle_root: &str,
) -> Result<Composition, ComposeError> {
    let first = parts[0];
    let index_of = |part: &Bundle| part.manifest().selection.shard.as_ref().map_or(0, |shard| shard.indices[0]);
    let division = first.manifest().selection.shard.clone().expect("parts are shares");
    let covered: BTreeSet<u32> = parts.iter().map(|part| index_of(part)).collect();
    let gaps: Vec<u32> = (1..=division.count).filter(|index| !covered.contains(index)).collect();
    let shard = (!gaps.is_empty()).then(|| ShardRecord {
        indices: covered.iter().copied().collect(),
        found_by: ShardFoundBy::Merge,
        ..division.clone()
    });

    let selection = Selection { shard: shard.clone(), ..Selection::from(&first.manifest().selection) };
    let plan = plan::resolve(documents, plan_path, &selection)?;
    let numbers = shard::shares(plan.declared_profiles(), division.kind, division.count);
    let numbers: Vec<u32> = numbers.into_iter().filter(|number| covered.contains(number)).collect();

    // Of several attempts at a share the first is taken.
    let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
    for (place, part) in parts.iter().enumerate() {
        taken.entry(index_of(part)).or_insert(place);
    }
    let part_of_row: Vec<usize> = numbers.iter().map(|number| taken[number]).collect();
    let mut listed = Vec::with_capacity(parts.len());
    let mut differing: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for (place, part) in parts.iter().enumerate() {
        let (number, index) = (place as u32 + 1, index_of(part));
        let rows: Vec<u64> =
            (0_u64..).zip(&numbers).filter(|(_, number)| **number == index).map(|(seq, _)| seq).collect();
        let found = part.planned_rows();
        if found != rows.len() as u64 {
            return Err(ComposeError::Rows { part: number, found, expected: rows.len() as u64 });
        }
        let standing = match taken[&index] {
            own if own == place => PartStanding::Taken,
            other => {
                let apart = differing_lines(parts[other], part)?;
                for line in &apart {
                    let seq = rows[*line];
                    let of: BTreeSet<u32> = parts
                        .iter()
                        .enumerate()
                        .filter(|(_, one)| index_of(one) == index)
                        .map(|(place, _)| place as u32 + 1)
                        .collect();
                    differing.entry(seq).or_default().extend(of);
                }
                if apart.is_empty() { PartStanding::Agrees } else { PartStanding::Disagrees }
            }
        };
        listed.push(MergePart {
            part: number,
            run_id: part.manifest().run_id.clone(),
            index,
            identity: part.identity().expect("parts declare what they are").identity,
            index_sha256: part.index_sha256(),
            rows: found,
            standing,
        });
    }
    let disagreements = plan
        .rows()
        .zip(0_u64..)
        .filter_map(|((profile, probe), seq)| {
            let parts = differing.get(&seq)?;
            Some(MergeDisagreement {
                seq,
                profile_id: profile.id.clone(),
                expectation_id: probe.expectation_id.clone(),
                parts: parts.iter().copied().collect(),
            })
        })
        .collect();
    let controls_of = if plan.lanes.scenario { controls(parts, &plan)? } else { Vec::new() };
    let controls = plan
        .profiles
        .iter()
        .zip(&controls_of)
        .map(|(profile, place)| ControlsTaken { profile_id: profile.id.clone(), part: *place as u32 + 1 })
        .collect();
    let declaration = declaration(first, shard.as_ref())?;
    let manifest = manifest(parts, shard, &declaration, run_id, bundle_root);
    Ok(Composition {
        document: MergeDocument {
            schema_version: MERGE_SCHEMA.to_owned(),
            run_id: run_id.clone(),
            kind: division.kind,
            count: division.count,
            gaps,
            parts: listed,
            controls,
            disagreements,
        },
        declaration,
        manifest,
        plan,
        part_of_row,
        controls_of,
        disagreeing: differing.into_keys().collect(),
    })
}

/// What the first part declared, of these shares, or of the plan as a whole.
fn declaration(first: &Bundle, shard: Option<&ShardRecord>) -> Result<Declaration, ComposeError> {
    let Declaration { schema_version, kind, artifact, runtime, mut policy, history, .. } =
        first.identity().expect("parts declare what they are").clone();
    let stated = Stated::or_absent(shard.map(ToString::to_string), Absence::NotDivided);
    policy.insert("shard".to_owned(), serde_json::to_value(&stated).expect("a stated text is a JSON value"));
    seal(&schema_version, &kind, DeclarationParts { artifact, runtime, policy, history }).map_err(ComposeError::Canon)
}

/// What the first part says was run, without what belongs to its own execution.
fn manifest(
    parts: &[&Verified<Bundle>],
    shard: Option<ShardRecord>,
    declaration: &Declaration,
    run_id: &RunId,
    bundle_root: &str,
) -> RunManifest {
    let first = parts[0].manifest();
    let started = parts.iter().map(|part| part.manifest().started_at_unix_s).fold(f64::INFINITY, f64::min);
    let mut manifest = RunManifest {
        run_id: run_id.clone(),
        identity: Some(declaration.identity),
        stage_used: false,
        stage_root: None,
        repo_root_context: ".".to_owned(),
        staged_output_root: None,
        output_root: bundle_root.to_owned(),
        fixture_base: String::new(),
        started_at_unix_s: started,
        ..first.clone()
    };
    manifest.selection.shard = shard;
    manifest
}

/// The lines, from 0, in which two attempts at one share do not come to the same.
fn differing_lines(one: &Bundle, other: &Bundle) -> Result<Vec<usize>, ArtifactError> {
    let digest = |bundle: &Bundle| bundle.entry(layout::VERDICTS).map(|entry| entry.sha256);
    if digest(one) == digest(other) {
        return Ok(Vec::new());
    }
    one.read_artifact(layout::VERDICTS, |one| {
        let found = other.read_artifact(layout::VERDICTS, |other| {
            let mut differing = Vec::new();
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for line in 0.. {
                a.clear();
                b.clear();
                let more = one.read_until(b'\n', &mut a)? + other.read_until(b'\n', &mut b)?;
                if more == 0 {
                    break;
                }
                if a != b {
                    differing.push(line);
                }
            }
            Ok::<_, io::Error>(differing)
        });
        Ok::<_, io::Error>(found)
    })?
}

/// Whose controls stand for each profile: of the parts with rows of it the first whose controls showed least. What one of them
/// did not show, nobody else's makes good.
fn controls(parts: &[&Verified<Bundle>], plan: &ResolvedPlan) -> Result<Vec<usize>, ArtifactError> {
    #[derive(Deserialize)]
    struct ShownControls {
        profiles: Vec<ShownControl>,
    }
    #[derive(Deserialize)]
    struct ShownControl {
        profile_id: String,
        status: ControlsStatus,
    }
    let shows = |status: ControlsStatus| match status {
        ControlsStatus::Wrong => 0,
        ControlsStatus::NotApplied => 1,
        ControlsStatus::NotDerivable => 2,
        ControlsStatus::Partial => 3,
        ControlsStatus::Ok => 4,
    };
    let mut least: BTreeMap<String, (u8, usize)> = BTreeMap::new();
    for (place, part) in parts.iter().enumerate() {
        let controls: ShownControls = part.read_artifact(layout::CONTROLS, |reader| serde_json::from_reader(reader))?;
        for entry in controls.profiles {
            let shown = (shows(entry.status), place);
            let known = least.entry(entry.profile_id).or_insert(shown);
            *known = shown.min(*known);
        }
    }
    let of = |profile: &str| least.get(profile).map_or(0, |(_, place)| *place);
    Ok(plan.profiles.iter().map(|profile| of(profile.id.as_str())).collect())
}

impl Bundle {
    /// How many rows of the plan it has in each lane.
    fn planned_rows(&self) -> u64 {
        let summary: Option<Value> = self.summary().and_then(|bytes| serde_json::from_slice(bytes).ok());
        summary.and_then(|summary| summary["counts"]["planned"].as_u64()).unwrap_or_default()
    }
}

/// Sorts parts as a merge has them; see [`check::order`].
pub(super) fn in_order<'b>(
    parts: impl IntoIterator<Item = &'b Verified<Bundle>>,
) -> Vec<(usize, &'b Verified<Bundle>)> {
    let mut parts: Vec<_> = parts.into_iter().enumerate().collect();
    check::order(&mut parts);
    parts
}
