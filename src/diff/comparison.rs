//! The whole comparison of two sides.

use std::collections::{BTreeSet, HashMap};

use super::changes::{self, ReachingChange};
use super::explain::{self, Grounds};
use super::kinds::{DeploymentComparison, UncomparedParts};
use super::launcher_words;
use super::side::ComparedSide;
use super::verdicts::{self, DifferingRow};
use super::{DiffError, declarations, kinds, outputs, row_provenance, text_lines};
use crate::bundle::{Bundle, Verified};
use crate::record::identity::DeclarationPart;
use crate::record::outcome::Lane;
use crate::record::run_diff::{
    Comparability, Declarations, Flip, FlipOpinions, PartDiff, RUN_DIFF_SCHEMA, RunDiff, SourceKind, Unstated,
    VerdictComparison,
};

/// How many rows that differ a report lists. All are counted.
pub const MAX_LISTED: usize = 10_000;

/// Compares two sides. Declarations of other systems that leave the same items absent are equal only as far as they go,
/// and not the same.
pub fn compare(a: &ComparedSide, b: &ComparedSide) -> Result<RunDiff, DiffError> {
    compare_as(a, b, false)
}

/// Compares two sides, and takes what both state to be absent for equal.
pub fn compare_accepting_absent(a: &ComparedSide, b: &ComparedSide) -> Result<RunDiff, DiffError> {
    compare_as(a, b, true)
}

fn compare_as(a: &ComparedSide, b: &ComparedSide, accept_absent: bool) -> Result<RunDiff, DiffError> {
    if let (Some(kind_a), Some(kind_b)) = (&a.side.kind, &b.side.kind)
        && !kinds::comparable(kind_a, kind_b)
    {
        return Err(DiffError::Kinds { a: kind_a.clone(), b: kind_b.clone() });
    }
    let mut declarations = compare_declarations(a, b);
    text_lines::add(&mut declarations.parts, &a.contents, &b.contents);
    declarations.absent_accepted = accept_absent;
    let complete = !declarations.leave_open();
    let complete = accept_absent || complete;
    let mut changes = match (&a.declaration, &b.declaration) {
        (Some(a), Some(b)) => Some(changes::gather(a, b, &declarations.parts)),
        _ => None,
    };
    if let (Some(a), Some(b)) = (a.bundle(), b.bundle()) {
        for change in changes.iter_mut().flatten().map(|grouped| &mut grouped.change) {
            let words = change.id.strip_prefix("policy:").and_then(|path| launcher_words::between(path, a, b));
            words.into_iter().for_each(|words| change.what = format!("{}: {words}", change.what));
        }
    }
    let verdicts = compare_verdicts(a, b, changes.as_deref())?;
    let outputs = a.sealed.as_ref().zip(b.sealed.as_ref());
    let outputs = outputs.map(|(a, b)| outputs::compare(a, b, changes.as_deref().unwrap_or_default()));
    let outputs_same = outputs.as_ref().is_none_or(|outputs| outputs.differing == 0);
    // Between declarations alone there are no verdicts to differ.
    let verdicts_same = match &verdicts.not_compared {
        None => {
            verdicts.differing == 0 && verdicts.lanes.iter().all(|lane| lane.a_rows.is_some() == lane.b_rows.is_some())
        }
        Some(_) => [a, b].into_iter().any(is_declared),
    };
    Ok(RunDiff {
        schema_version: RUN_DIFF_SCHEMA,
        same: declarations.materially_equal == Some(true) && complete && verdicts_same && outputs_same,
        a: a.side.clone(),
        b: b.side.clone(),
        declarations,
        changes: changes.unwrap_or_default().into_iter().map(|grouped| grouped.change).collect(),
        verdicts,
        outputs,
    })
}

/// Whether a side has no verdicts at all.
fn is_declared(side: &ComparedSide) -> bool {
    matches!(side.side.source, SourceKind::Declaration | SourceKind::Sealed)
}

fn compare_declarations(a: &ComparedSide, b: &ComparedSide) -> Declarations {
    let identical = a.side.identity.zip(b.side.identity).map(|(a, b)| a == b);
    let nothing = |compared| Declarations {
        compared,
        identical,
        materially_equal: None,
        parts: Vec::new(),
        stated_by_neither: Vec::new(),
        stated_by_run_only: Vec::new(),
        unknown_on_both: Vec::new(),
        left_to_run: Vec::new(),
        run_names_deployment: None,
        immaterial: Vec::new(),
        absent_accepted: false,
    };
    if let (Some(a), Some(b)) = (&a.declaration, &b.declaration) {
        let held = if a.kind == b.kind {
            let parts = declarations::compare(a, b);
            let neither = declarations::stated_by_neither(a, b);
            let aside =
                UncomparedParts { neither, unknown: kinds::unknown_on_both(a, b), ..UncomparedParts::default() };
            DeploymentComparison { parts, aside, names_deployment: None }
        } else {
            kinds::compare(a, b)
        };
        let DeploymentComparison { parts, aside, names_deployment } = held;
        let listed = declarations::immaterial_to_both(a, b).into_iter();
        // Two formats do not mean the same even where they say the same.
        let equal = a.schema_version == b.schema_version && parts.iter().all(|part| part.materially_equal);
        let materially_equal = Some(equal);
        return Declarations {
            materially_equal,
            parts,
            stated_by_neither: aside.neither,
            stated_by_run_only: aside.only_run,
            unknown_on_both: aside.unknown,
            left_to_run: aside.left_to_run,
            run_names_deployment: names_deployment,
            immaterial: listed.map(|item| Unstated { pointer: item.pointer, reason: item.reason }).collect(),
            ..nothing(Comparability::Items)
        };
    }
    let Some((digests_a, digests_b)) = a.parts.zip(b.parts) else {
        return nothing(Comparability::Not);
    };
    let part = |part: DeclarationPart| {
        let (a, b) = (digests_a.of(part), digests_b.of(part));
        PartDiff { part, a, b, materially_equal: a == b, items: Vec::new() }
    };
    // Digests that differ may do so in immaterial items alone.
    let materially_equal = (identical == Some(true)).then_some(true);
    let parts = DeclarationPart::ALL.into_iter().map(part).collect();
    Declarations { materially_equal, parts, ..nothing(Comparability::Parts) }
}

fn compare_verdicts(
    a: &ComparedSide,
    b: &ComparedSide,
    changes: Option<&[ReachingChange]>,
) -> Result<VerdictComparison, DiffError> {
    let not_compared = |why: &str| VerdictComparison {
        not_compared: Some(why.to_owned()),
        lanes: Vec::new(),
        differing: 0,
        flips: Vec::new(),
        unlisted: 0,
    };
    let (Some(bundle_a), Some(bundle_b)) = (&a.bundle, &b.bundle) else {
        let declared = [a, b].into_iter().any(is_declared);
        return Ok(not_compared(if declared {
            "a declaration has no verdicts"
        } else {
            "the bundle of a packet was not found"
        }));
    };
    let compared = verdicts::compare(bundle_a, bundle_b, MAX_LISTED)?;
    let grounds = match (&a.declaration, &b.declaration, changes) {
        (Some(declaration_a), Some(declaration_b), Some(changes)) => Some(Grounds {
            declarations: [declaration_a, declaration_b],
            changes,
            facts: facts(bundle_a, bundle_b, changes, &compared.listed)?,
        }),
        _ => None,
    };
    let listed = compared.listed.len() as u64;
    let flips = compared.listed.into_iter().map(|row| flip(row, grounds.as_ref())).collect();
    Ok(VerdictComparison {
        not_compared: None,
        lanes: compared.lanes,
        differing: compared.differing,
        flips,
        unlisted: compared.differing - listed,
    })
}

/// What the rows that differ were resolved from; only where plan or registry differ, and one side at a time, because a
/// resolved plan is large.
fn facts(
    a: &Verified<Bundle>,
    b: &Verified<Bundle>,
    changes: &[ReachingChange],
    rows: &[DifferingRow],
) -> Result<[HashMap<String, row_provenance::RowProvenance>; 2], DiffError> {
    let wanted: BTreeSet<&str> = rows.iter().filter(|row| row.lane != Lane::Control).map(|row| &*row.key.id).collect();
    if wanted.is_empty() || !changes.iter().any(|change| change.class == changes::ReachClass::Registry) {
        return Ok([HashMap::new(), HashMap::new()]);
    }
    Ok([row_provenance::facts(a, &wanted)?, row_provenance::facts(b, &wanted)?])
}

fn flip(row: DifferingRow, grounds: Option<&Grounds<'_>>) -> Flip {
    let resolved_differently = grounds.map(|grounds| grounds.resolved_differently(&row)).unwrap_or_default();
    let explanation = match grounds {
        Some(grounds) => grounds.explain(&row, &resolved_differently),
        None => explain::unknown(),
    };
    Flip {
        lane: row.lane,
        id: row.key.id.into(),
        aspect: row.key.aspect.into(),
        kind: row.kind,
        a: row.a,
        b: row.b,
        baseline_differs: row.baseline_differs,
        resolved_differently,
        explanation,
        opinions: FlipOpinions::default(),
    }
}
