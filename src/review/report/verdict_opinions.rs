//! What author, kernel and model say of rows whose verdicts were read before.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::head;
use super::lane_rows::{Keyed, LaneRowFacts, LaneRows, OracleFacts, with_lane};
use super::places::PlaceFinder;
use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::evidence::opinions;
use crate::record::launcher::Mechanism;
use crate::record::layout;
use crate::record::opinions::{ModelOpinion, Opinions};
use crate::record::outcome::{Expectation, Lane};
use crate::record::run_diff::RowVerdict;
use crate::review::ReviewError;

/// What the lanes have of a row.
#[derive(Debug, Default)]
struct FoundInLanes {
    probe_id: Option<String>,
    model: Option<ModelOpinion>,
}

/// What author, kernel and model say of scenario rows, by expectation. The events, which hold the verdicts, are not read
/// once more: of a million of them, few differ.
pub fn verdict_opinions(
    bundle: &Verified<Bundle>,
    verdicts: &BTreeMap<&str, &RowVerdict>,
) -> Result<BTreeMap<String, Opinions>, ReviewError> {
    if verdicts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut found: BTreeMap<&str, FoundInLanes> = verdicts.keys().map(|id| (*id, FoundInLanes::default())).collect();
    each(bundle, Lane::Oracle, verdicts, &mut |id, row: OracleFacts| {
        found.insert(id, FoundInLanes { probe_id: row.probe_id.clone(), model: Some(row.into()) });
    })?;
    // Where the model was not asked, only the raw rows say which probe it was.
    if found.values().any(|one| one.probe_id.is_none()) {
        each(bundle, Lane::Scenario, verdicts, &mut |id, row: LaneRowFacts| {
            if let Some(one) = found.get_mut(id) {
                one.probe_id = Some(row.probe_id);
            }
        })?;
    }
    let mut places = PlaceFinder::of(bundle)?;
    let policies = head::policies(bundle)?;
    let of = |(id, verdict): (&&str, &&RowVerdict)| {
        let FoundInLanes { probe_id, model } = found.remove(*id).unwrap_or_default();
        let why = probe_id.and_then(|probe| places.expectation(&probe)).and_then(|(_, why)| why);
        let policy = policies.get(&*verdict.profile_id).map_or("", String::as_str);
        let model = model.map(|model| model.placed(|rule| places.rule(policy, rule)));
        let expected = verdict.expected.and_then(Expectation::decision);
        ((*id).to_owned(), opinions::of(expected, why, verdict.actual.decision(), model))
    };
    Ok(verdicts.iter().map(of).collect())
}

/// How denials of the scenario lane came about under a launcher, by expectation. Empty if the bundle does not say.
pub fn mechanisms(
    bundle: &Verified<Bundle>,
    verdicts: &BTreeMap<&str, &RowVerdict>,
) -> Result<BTreeMap<String, Mechanism>, ReviewError> {
    let mut found = BTreeMap::new();
    if verdicts.is_empty() || bundle.entry(layout::VERDICTS).is_none() {
        return Ok(found);
    }
    bundle.read_artifact(layout::VERDICTS, |reader| {
        for line in LaneRows::<MechanismFacts>::new(reader).rest() {
            if let Some(mechanism) = line.mechanism
                && verdicts.get(&*line.expectation_id).is_some_and(|verdict| *verdict.profile_id == *line.profile_id)
            {
                found.insert(line.expectation_id, mechanism);
            }
        }
        Ok::<_, std::io::Error>(())
    })?;
    Ok(found)
}

/// What is read of a line of verdicts.
#[derive(Debug, Deserialize)]
struct MechanismFacts {
    profile_id: String,
    expectation_id: String,
    mechanism: Option<Mechanism>,
}

impl Keyed for MechanismFacts {
    fn key(&self) -> (&str, &str) {
        (&self.profile_id, &self.expectation_id)
    }
}

/// Calls `take` for every row of a lane that belongs to one of the verdicts.
fn each<'v, T: Keyed>(
    bundle: &Verified<Bundle>,
    lane: Lane,
    verdicts: &BTreeMap<&'v str, &RowVerdict>,
    take: &mut dyn FnMut(&'v str, T),
) -> Result<(), ArtifactError> {
    with_lane(bundle, lane, |reader| {
        for row in LaneRows::<T>::new(reader).rest() {
            let (profile_id, expectation_id) = row.key();
            if let Some((id, verdict)) = verdicts.get_key_value(expectation_id)
                && *verdict.profile_id == *profile_id
            {
                take(id, row);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::bundle::tests::fixture::copy_tree;
    use crate::bundle::verify;
    use crate::review::report::for_each_row;

    fn verdict(row: &crate::review::report::ReportRow) -> RowVerdict {
        RowVerdict {
            profile_id: row.event.profile_id.as_str().into(),
            expected: row.event.expected,
            actual: row.event.actual.into(),
            mechanism: None,
            because: None,
        }
    }

    #[test]
    fn they_are_those_of_a_report_and_no_event_is_read_for_them() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/out/mixed");
        let dir = tempfile::tempdir().unwrap();
        let folder = copy_tree(&golden, &dir.path().join("mixed"));
        let bundle = verify(&folder).unwrap();
        let (mut places, policies) = (PlaceFinder::of(&bundle).unwrap(), head::policies(&bundle).unwrap());
        let (mut verdicts, mut told) = (BTreeMap::new(), BTreeMap::new());
        for_each_row(&bundle, &mut |row| {
            verdicts.insert(row.id().to_owned(), verdict(&row));
            let policy = policies[&row.event.profile_id].clone();
            told.insert(row.id().to_owned(), row.placed(&mut places, &policy).opinions);
        })
        .unwrap();
        drop(places);
        assert!(
            told.values().any(|one| one.model.as_ref().is_some_and(|model| model.rule_place.is_some())),
            "{told:?}"
        );
        std::fs::remove_file(folder.join(layout::RUNTIME_EVENTS)).unwrap();
        let all = verdicts.iter().map(|(id, verdict)| (id.as_str(), verdict)).collect();
        assert_eq!(verdict_opinions(&bundle, &all).unwrap(), told);
        // A row of another profile is another row.
        let (id, first) = verdicts.first_key_value().unwrap();
        let other = RowVerdict { profile_id: "another".into(), ..first.clone() };
        let none = verdict_opinions(&bundle, &BTreeMap::from([(id.as_str(), &other)])).unwrap();
        assert_eq!(none[id].model, None);
    }
}
