//! The derivation of the shipped program: the plan from the bundle's inputs, the evidence from plan and rows.

use std::error::Error;

use super::recompute::{DigestSink, Given, HashedRows, Recompute};
use crate::evidence::{self, ProfileControls};
use crate::plan::{self, BundleInputs, Selection};

/// Resolves the plan again from `inputs/` and runs the same derivation that wrote the artifacts.
#[derive(Debug, Clone, Copy, Default)]
pub struct FromInputs;

/// The inputs are not those of the run that the manifest describes.
#[derive(Debug, thiserror::Error)]
#[error("the manifest's {field} is `{manifest}`, but the bundle's own inputs give `{inputs}`")]
struct NotTheInputs {
    field: &'static str,
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
        let manifest = given.manifest;
        let inputs = BundleInputs::from_list(given.folder, given.sources)?;
        let selection = Selection {
            only_profiles: manifest.selection.only_profiles.clone(),
            only_scenarios: manifest.selection.only_scenarios.clone(),
        };
        let plan = plan::resolve(&inputs, inputs.plan_path(), &selection)?;
        let same = |field, manifest: String, inputs: String| {
            if manifest == inputs { Ok(()) } else { Err(NotTheInputs { field, manifest, inputs }) }
        };
        same("plan_id", manifest.plan_id.to_string(), plan.plan.plan_id.to_string())?;
        same("plan_digest", manifest.plan_digest.to_string(), plan.plan_digest.to_string())?;
        same("deadline_ms", manifest.deadline_ms.to_string(), plan.deadline_ms.to_string())?;
        let preflight = plan.preflight.is_some() && !manifest.dry_run;
        same("apply preflight", manifest.apply_preflight.is_some().to_string(), preflight.to_string())?;
        let controls = ProfileControls::of_plan(&plan);
        evidence::derive(&plan, manifest, &controls, rows, sink)?;
        Ok(())
    }
}
