//! The derivation that verification repeats: the plan resolved from the bundle's own inputs, and the evidence from its
//! own rows.

use std::error::Error;

use super::recompute::{DigestSink, Given, HashedRows, Recompute};
use crate::evidence::{self, plan_controls};
use crate::plan::{self, BundleInputs, Selection};

/// What every bundle of this program is checked with.
#[derive(Debug, Clone, Copy, Default)]
pub struct FromInputs;

/// The manifest says something else than the bundle's own inputs.
#[derive(Debug, thiserror::Error)]
#[error("the manifest says {what} `{manifest}`, the bundle's own inputs give `{inputs}`")]
pub struct Disagree {
    what: &'static str,
    manifest: String,
    inputs: String,
}

impl Recompute for FromInputs {
    fn recompute(
        &self,
        given: &Given<'_>,
        rows: &HashedRows,
        sink: &mut DigestSink,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let inputs = BundleInputs::from_list(given.folder, given.sources)?;
        let selection = Selection {
            only_profiles: given.manifest.selection.only_profiles.clone(),
            only_scenarios: given.manifest.selection.only_scenarios.clone(),
        };
        let plan = plan::resolve(&inputs, inputs.plan_path(), &selection)?;
        let agree = |what, manifest: String, inputs: String| {
            if manifest == inputs { Ok(()) } else { Err(Disagree { what, manifest, inputs }) }
        };
        agree("plan id", given.manifest.plan_id.to_string(), plan.plan.plan_id.to_string())?;
        agree("plan digest", given.manifest.plan_digest.to_string(), plan.plan_digest.to_string())?;
        agree("deadline_ms", given.manifest.deadline_ms.to_string(), plan.deadline_ms.to_string())?;
        let controls = plan_controls::of_plan(&plan);
        evidence::derive(&plan, given.manifest, &controls, rows, sink)?;
        Ok(())
    }
}
