//! What single rows were resolved from, so that a change in a registry can be told from a change in a row.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::DiffError;
use crate::base::digest::Digest;
use crate::bundle::{Bundle, Verified};
use crate::plan::{self, BundleInputs, ResolvedProbe, ResolvedProfile, Selection};
use crate::record::layout;

/// What one row was resolved from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowProvenance {
    pub(super) profile: Digest,
    pub(super) probe: Digest,
    pub(super) fixtures: Digest,
    pub(super) expected: String,
}

/// The facts of the rows whose expectation is wanted. The plan is resolved once more from the bundle's own inputs.
pub(super) fn facts(
    bundle: &Verified<Bundle>,
    wanted: &BTreeSet<&str>,
) -> Result<HashMap<String, RowProvenance>, DiffError> {
    let fail = |source: Box<dyn std::error::Error + Send + Sync>| DiffError::Inputs {
        bundle: bundle.folder().display().to_string(),
        source,
    };
    // Verified, so it is no longer than its index entry says, and it was read whole before.
    let list = bundle
        .read_artifact(layout::INPUT_SOURCES, |input| {
            let mut bytes = Vec::new();
            input.read_to_end(&mut bytes).map(|_| bytes)
        })
        .map_err(|error| fail(error.into()))?;
    let inputs = BundleInputs::from_list(bundle.folder(), &list).map_err(|error| fail(error.into()))?;
    let selection = Selection::from(&bundle.manifest().selection);
    let plan = plan::resolve(&inputs, inputs.plan_path(), &selection).map_err(|error| fail(error.into()))?;
    let rows = plan.rows().filter(|(_, probe)| wanted.contains(probe.expectation_id.as_str()));
    Ok(rows.map(|(profile, probe)| (probe.expectation_id.to_string(), facts_of(profile, probe))).collect())
}

fn facts_of(profile: &ResolvedProfile, probe: &ResolvedProbe) -> RowProvenance {
    let mut entry = serde_json::to_value(&*probe.entry).unwrap_or_default();
    if let Value::Object(members) = &mut entry {
        // Compared on their own, or read by nobody but people.
        for apart in ["errno", "expected", "fixtures", "mechanism", "name_alone", "why"] {
            members.remove(apart);
        }
    }
    let own = (&profile.id, profile.entry.mode, &profile.entry.key_specific_rules);
    RowProvenance {
        profile: digest_of(&own),
        probe: digest_of(&entry),
        fixtures: digest_of(&*probe.fixtures),
        expected: probe.entry.expectation(),
    }
}

/// Two values of one shape have the same digest exactly if they are equal.
fn digest_of(value: &(impl serde::Serialize + ?Sized)) -> Digest {
    Digest::of(&serde_json::to_vec(value).expect("a document shape serialises into memory"))
}
