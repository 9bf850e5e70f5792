//! Verifying a merge: its parts first, then everything beside them, which has to be what they give.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::compose::{Composition, compose, in_order};
use super::rows::MergedRows;
use super::sort_out;
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::shared_bytes::DocumentBytes;
use crate::bundle::finding::{BundleFinding, Findings, Problem, chain};
use crate::bundle::index;
use crate::bundle::observed::HashedRows;
use crate::bundle::replay_inputs::{MergeInputs, ReplayInputs};
use crate::bundle::replay_sink::ReplaySink;
use crate::bundle::verified::{Bundle, BundleRefused, Verified};
use crate::evidence::contradiction::Times;
use crate::evidence::{self, ProfileControls, RowSource};
use crate::plan::BundleInputs;
use crate::record::layout;
use crate::record::merge::{MergeDocument, part_folder};

/// How a part is verified.
type VerifyPart<'v> = &'v dyn Fn(&Path) -> Result<Verified<Bundle>, BundleRefused>;

/// Verifies the parts that `merge.json` lists, and adds what is wrong with them.
pub(in crate::bundle) fn read_parts(
    folder: &Path,
    document: &MergeDocument,
    files: &BTreeMap<BundlePath, u64>,
    findings: &mut Findings,
    verify: VerifyPart<'_>,
) -> Vec<Verified<Bundle>> {
    let mut parts = Vec::with_capacity(document.parts.len());
    let listed: BTreeSet<String> =
        document.parts.iter().map(|part| format!("{}/{}", part_folder(part.part), layout::ARTIFACT_INDEX)).collect();
    for path in files.keys().filter(|path| path.as_str().starts_with(layout::PARTS_FOLDER)) {
        if !listed.contains(path.as_str()) {
            findings.add(path, Problem::NotMerged("it is no part of the merge".into()));
        }
    }
    for (number, listed) in (1_u32..).zip(&document.parts) {
        let name = part_folder(number);
        if listed.part != number {
            findings.add(layout::MERGE, Problem::NotMerged("its parts are not numbered from 1".into()));
            break;
        }
        // A merge has no merges, so that nobody is led from one into the next.
        if folder.join(&name).join(layout::MERGE).symlink_metadata().is_ok() {
            findings.add(&name, Problem::PartRefused("it is a merge itself".into()));
            continue;
        }
        match verify(&folder.join(&name)) {
            Ok(part) if part.index_sha256() == listed.index_sha256 => parts.push(part),
            Ok(part) => {
                let words = format!("its index has the digest {}", part.index_sha256());
                findings.add(&name, Problem::PartRefused(words));
            }
            Err(refused) => {
                let words = refused.findings.first().map_or_else(String::new, ToString::to_string);
                findings.add(&name, Problem::PartRefused(index::clip_to(&words, 400)));
            }
        }
    }
    parts
}

/// Puts the parts together once more, holds the merge to what they give, and derives its evidence.
pub(in crate::bundle) fn replay(
    inputs: &ReplayInputs<'_>,
    merge: MergeInputs<'_>,
    rows: &HashedRows,
    sink: &mut ReplaySink,
) -> Result<Times, Vec<BundleFinding>> {
    let MergeInputs { document, entries, parts } = merge;
    let parts: Vec<&Verified<Bundle>> = parts.iter().collect();
    let parts = parts.as_slice();
    let mut findings = Findings::default();
    let composition = match put_together(inputs, parts) {
        Ok(composition) => composition,
        Err(words) => {
            findings.add(layout::MERGE, Problem::NotMerged(words));
            return Err(findings.into_sorted());
        }
    };
    let mut same = |name: &str, same: bool| {
        if !same {
            findings.add(name, Problem::NotMerged("the parts give another one".into()));
        }
    };
    same(layout::MERGE, *document == composition.document);
    same(layout::RUN_IDENTITY, inputs.identity == Some(&composition.declaration));
    same(layout::RUN_MANIFEST, *inputs.manifest == composition.manifest);
    // What is taken over as it stands.
    let taken = |path: &str| path.starts_with(layout::INPUTS_FOLDER) || path == layout::APPLY_PREFLIGHT;
    let of_merge = entries.iter().filter(|(path, _)| taken(path.as_str())).map(|(path, entry)| (path, entry.sha256));
    let of_part = parts[0].entries().filter(|(path, _)| taken(path.as_str())).map(|(path, entry)| (path, entry.sha256));
    same(layout::INPUT_SOURCES, of_merge.eq(of_part));
    same(layout::CHANNEL_WITNESS, !entries.contains_key(&index::path_of(layout::CHANNEL_WITNESS)));
    let merged = MergedRows::new(&composition, parts);
    for lane in merged.lanes() {
        let name = layout::rows_of(*lane);
        let listed = entries.get(&index::path_of(name)).map(|entry| (entry.sha256, entry.file_size));
        let given = merged.open(*lane).and_then(|rows| rows.map(Digest::of_reader).transpose());
        same(name, given.is_ok_and(|given| given.is_some() && given == listed));
    }
    let found = findings.into_sorted();
    if !found.is_empty() {
        return Err(found);
    }
    derive(&composition, rows, sink).map_err(|error| {
        let mut findings = Findings::default();
        findings.add(".", Problem::NotDerivable(chain(&error)));
        findings.into_sorted()
    })
}

fn derive(
    composition: &Composition,
    rows: &dyn RowSource,
    sink: &mut ReplaySink,
) -> Result<Times, evidence::DeriveError> {
    let controls = ProfileControls::of_plan(&composition.plan);
    let Composition { plan, manifest, disagreeing, .. } = composition;
    evidence::derive_merged(plan, manifest, &controls, rows, disagreeing, sink).map(|outcome| outcome.times)
}

fn put_together(inputs: &ReplayInputs<'_>, parts: &[&Verified<Bundle>]) -> Result<Composition, String> {
    if parts.is_empty() {
        return Err("it lists no part".into());
    }
    let (_, rejected) = sort_out(parts);
    if let Some(one) = rejected.first() {
        return Err(format!("part {}: {}", one.place + 1, one.fault));
    }
    let ordered = in_order(parts.iter().copied());
    if !ordered.iter().enumerate().all(|(place, (given, _))| place == *given) {
        return Err("its parts do not stand in the order of their shares, starts and digests".into());
    }
    let files: &BTreeMap<BundlePath, DocumentBytes> = inputs.files;
    let documents = BundleInputs::held(files).map_err(|error| chain(&error))?;
    let manifest = inputs.manifest;
    let composed = compose(parts, &documents, documents.plan_path(), &manifest.run_id, &manifest.output_root);
    composed.map_err(|error| chain(&error))
}

/// Copies the rows of a lane to `out`.
pub(super) fn copy_rows(
    merged: &MergedRows<'_>,
    lane: crate::record::outcome::Lane,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if let Some(mut rows) = merged.open(lane)? {
        io::copy(&mut rows, out)?;
    }
    Ok(())
}
