//! The derivation that verification repeats: the plan resolved from the bundle's own inputs, and the evidence from its
//! own rows.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::recompute::{DigestSink, Given, HashedRows, Recompute};
use crate::base::bundle_path::BundlePath;
use crate::base::fsx::FileError;
use crate::base::json;
use crate::evidence::{self, oracle_model, plan_controls};
use crate::plan::{self, Selection, Source};
use crate::record::layout;
use crate::record::sources::{INPUT_SOURCES_SCHEMA, InputRole, InputSources};

/// What every bundle of this program is checked with.
#[derive(Debug, Clone, Copy, Default)]
pub struct FromInputs;

/// Why the derivation cannot be repeated.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// `inputs/sources.json` is not there or cannot be understood.
    #[error("`{}` cannot be understood: {reason}", layout::INPUT_SOURCES)]
    Sources {
        /// Why.
        reason: String,
    },
    /// The manifest and the inputs disagree.
    #[error("the manifest says {what} `{manifest}`, the bundle's own inputs give `{inputs}`")]
    Disagree {
        /// What they disagree in.
        what: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What follows from the inputs.
        inputs: String,
    },
    /// A file under `inputs/` that no document is.
    #[error("`{path}` stands under inputs/ and is no input document")]
    Stray {
        /// Which.
        path: BundlePath,
    },
}

impl Recompute for FromInputs {
    fn recompute(
        &self,
        given: &Given<'_>,
        rows: &HashedRows,
        sink: &mut DigestSink,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let inputs = Inputs::read(given.inputs)?;
        let selection = Selection {
            only_profiles: given.manifest.selection.only_profiles.clone(),
            only_scenarios: given.manifest.selection.only_scenarios.clone(),
        };
        let plan = plan::resolve(&inputs, &inputs.plan, &selection)?;
        let agree = |what, manifest: String, inputs: String| {
            if manifest == inputs { Ok(()) } else { Err(DerivationError::Disagree { what, manifest, inputs }) }
        };
        agree("plan id", given.manifest.plan_id.to_string(), plan.plan.plan_id.to_string())?;
        agree("plan digest", given.manifest.plan_digest.to_string(), plan.plan_digest.to_string())?;
        agree("deadline_ms", given.manifest.deadline_ms.to_string(), plan.deadline_ms.to_string())?;
        let preflight = plan.preflight.is_some() && !given.manifest.dry_run;
        agree("an apply preflight", given.manifest.apply_preflight.is_some().to_string(), preflight.to_string())?;
        let controls = plan_controls::of_plan(&plan);
        oracle_model::check(&plan, rows)?;
        evidence::derive(&plan, given.manifest, &controls, rows, sink)?;
        Ok(())
    }
}

/// The input documents, from the very bytes that were digested.
struct Inputs<'a> {
    plan: String,
    documents: BTreeMap<(InputRole, String), &'a Arc<[u8]>>,
}

impl<'a> Inputs<'a> {
    fn read(files: &'a BTreeMap<BundlePath, Arc<[u8]>>) -> Result<Self, DerivationError> {
        let refuse = |reason: String| DerivationError::Sources { reason };
        let list_path = BundlePath::new(layout::INPUT_SOURCES).expect("the layout's names are valid bundle paths");
        let list = files.get(&list_path).ok_or_else(|| refuse("it is absent".to_string()))?;
        let value = json::parse(list).map_err(|error| refuse(error.to_string()))?;
        let sources: InputSources = serde_json::from_value(value).map_err(|error| refuse(error.to_string()))?;
        if sources.schema_version != INPUT_SOURCES_SCHEMA {
            return Err(refuse(format!("its version is not `{INPUT_SOURCES_SCHEMA}`")));
        }
        let mut documents = BTreeMap::new();
        let mut plans = Vec::new();
        let mut named = vec![&list_path];
        let listed: Vec<_> = sources.documents;
        for entry in &listed {
            let Some(bytes) = files.get(&entry.file) else {
                return Err(refuse(format!("it lists `{}`, which is absent", entry.file)));
            };
            if entry.size != bytes.len() as u64 || entry.sha256 != crate::base::digest::Digest::of(bytes) {
                return Err(refuse(format!("it lists `{}` with another size or digest", entry.file)));
            }
            if entry.role == InputRole::Plan {
                plans.push(entry.path.clone());
            }
            if documents.insert((entry.role, entry.path.clone()), bytes).is_some() {
                return Err(refuse(format!("it lists the {} `{}` twice", entry.role.as_str(), entry.path)));
            }
            named.push(&entry.file);
        }
        if let Some(path) = files.keys().find(|path| !named.contains(path)) {
            return Err(DerivationError::Stray { path: path.clone() });
        }
        let [plan] = plans.as_slice() else {
            return Err(refuse(format!("it lists {} plans", plans.len())));
        };
        Ok(Self { plan: plan.clone(), documents })
    }
}

impl Source for Inputs<'_> {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<Vec<u8>, FileError> {
        let refuse = |kind, reason: &str| FileError {
            action: "read",
            path: PathBuf::from(path),
            source: io::Error::new(kind, reason.to_owned()),
        };
        let bytes = self
            .documents
            .get(&(role, path.to_owned()))
            .ok_or_else(|| refuse(io::ErrorKind::NotFound, "the bundle does not list it among its inputs"))?;
        if bytes.len() as u64 > cap_bytes {
            return Err(refuse(io::ErrorKind::FileTooLarge, &format!("it is larger than {cap_bytes} bytes")));
        }
        Ok(bytes.to_vec())
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        self.documents.contains_key(&(role, path.to_owned()))
    }
}
