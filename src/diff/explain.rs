//! Which changes could explain a row that differs: those whose reach it is in, and no others.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::changes::{ReachClass, ReachingChange};
use super::row_provenance::RowProvenance;
use super::verdicts::DifferingRow;
use crate::record::identity::Declaration;
use crate::record::outcome::Lane;
use crate::record::run_diff::{Explanation, ExplanationGrade, FlipKind, RowInput, RowVerdict};

/// What explanations are drawn from.
pub(super) struct Grounds<'a> {
    /// The declarations of the first side and of the second.
    pub(super) declarations: [&'a Declaration; 2],
    /// What they declare differently.
    pub(super) changes: &'a [ReachingChange],
    /// What the rows in question were resolved from, on both sides.
    pub(super) facts: [HashMap<String, RowProvenance>; 2],
}

/// The explanation of a row whose declarations cannot be compared.
pub(super) fn unknown() -> Explanation {
    Explanation { finding: ExplanationGrade::Unknown, candidates: Vec::new() }
}

impl Grounds<'_> {
    /// What was resolved differently for a row.
    pub(super) fn resolved_differently(&self, row: &DifferingRow) -> Vec<RowInput> {
        let mut found = Vec::new();
        if self.policy_differs(row) {
            found.push(RowInput::Policy);
        }
        let [a, b] = &self.facts;
        if let (Some(a), Some(b)) = (a.get(&*row.key.id), b.get(&*row.key.id)) {
            let all = [
                (RowInput::Profile, a.profile != b.profile),
                (RowInput::Probe, a.probe != b.probe),
                (RowInput::Fixtures, a.fixtures != b.fixtures),
                (RowInput::Expected, a.expected != b.expected),
            ];
            found.extend(all.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what));
        }
        found.sort_unstable();
        found
    }

    /// What could explain a row.
    pub(super) fn explain(&self, row: &DifferingRow, resolved: &[RowInput]) -> Explanation {
        let reaching = self.changes.iter().filter(|change| reaches(&change.class, row, resolved));
        let candidates: Vec<String> = reaching.map(|change| change.change.id.clone()).collect();
        // What by the published rule reaches no row at all does not compete.
        let declared = self.changes.iter().filter(|change| change.class != ReachClass::Nothing).count();
        let finding = match (declared, candidates.len()) {
            (0, _) => ExplanationGrade::NothingDeclared,
            (_, 0) => ExplanationGrade::NoneReaches,
            (1, 1) => ExplanationGrade::OnlyDifference,
            _ => ExplanationGrade::Candidates,
        };
        Explanation { finding, candidates }
    }

    /// Whether what the row's policy means differs; what cannot be told from the meaning is told from the document.
    fn policy_differs(&self, row: &DifferingRow) -> bool {
        let policy = |side: usize, verdict: &Option<RowVerdict>| {
            let profile = &verdict.as_ref()?.profile_id;
            self.declarations[side].artifact.get("profiles")?.get(&**profile)
        };
        let (Some(a), Some(b)) = (policy(0, &row.a), policy(1, &row.b)) else { return false };
        let meanings = [a, b].map(|policy| policy.get("value_sha256").and_then(Value::as_str));
        match meanings {
            [Some(a), Some(b)] => a != b,
            _ => a != b,
        }
    }
}

/// Whether a row belongs to one of these profiles.
fn is_of(profiles: &BTreeSet<String>, row: &DifferingRow) -> bool {
    let profile = row.b.as_ref().or(row.a.as_ref()).map(|verdict| &*verdict.profile_id);
    profile.is_some_and(|profile| profiles.contains(profile))
}

/// Whether a change can have reached a row.
fn reaches(class: &ReachClass, row: &DifferingRow, resolved: &[RowInput]) -> bool {
    let one_sided = matches!(row.kind, FlipKind::Appeared | FlipKind::Vanished);
    // Only who writes the expectation changes it.
    if row.kind == FlipKind::ExpectedOtherwise {
        return *class == ReachClass::Registry && resolved.contains(&RowInput::Expected);
    }
    match class {
        ReachClass::All => true,
        ReachClass::Nothing => false,
        ReachClass::Presence => one_sided,
        ReachClass::Registry => {
            // A control is derived from the profile as a whole, which is not compared row by row.
            one_sided
                || row.lane == Lane::Control
                || [RowInput::Profile, RowInput::Probe, RowInput::Fixtures].iter().any(|one| resolved.contains(one))
        }
        ReachClass::Launcher(profiles) => row.lane != Lane::Baseline && is_of(profiles, row),
        ReachClass::Policy(profiles) => {
            let own = is_of(profiles, row);
            row.lane != Lane::Baseline && own && (one_sided || resolved.contains(&RowInput::Policy))
        }
    }
}
