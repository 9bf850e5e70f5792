//! The derivation that verification repeats: the plan resolved from the bundle's own inputs, and the evidence from its
//! own rows.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::contradiction::{self, DocumentRule};
use super::published;
use super::recompute::{DigestSink, Given, HashedRows, Recompute};
use crate::base::bundle_path::BundlePath;
use crate::base::fsx::FileError;
use crate::base::json;
use crate::base::shared_bytes::SharedBytes;
use crate::evidence::contradiction::Times;
use crate::evidence::{self, OracleLane, ProfileControls, RowPrefetch};
use crate::identity::{self, Discrepancy};
use crate::plan::{self, ResolvedPlan, Selection, Source};
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::manifest::RunManifest;
use crate::record::sources::{INPUT_SOURCES_SCHEMA, InputRole, InputSources};
use crate::world;

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
    /// The manifest's account of the world is not what follows from the bundle.
    #[error("the manifest's check of its world is not what the world's document and the host's facts give")]
    World,
    /// The manifest declares other documents than the plan was resolved from.
    #[error("the manifest {what} the {role} `{path}`, which the bundle's own inputs give otherwise")]
    Declared {
        /// Whether it does.
        what: &'static str,
        /// What the document is for.
        role: &'static str,
        /// The document.
        path: String,
    },
    /// The run's declaration is not what the bundle gives.
    #[error("`{}` is not what the bundle's own documents give", layout::RUN_IDENTITY)]
    Identity {
        /// In what.
        discrepancies: Vec<Discrepancy>,
    },
    /// A document is not of its published shape.
    #[error("`{path}`: at `{pointer}`, {reason}")]
    Shape {
        /// Which.
        path: &'static str,
        /// Where in it.
        pointer: String,
        /// What its schema asks.
        reason: String,
    },
    /// A document contradicts itself.
    #[error("`{path}`: {words}")]
    Contradiction {
        /// Which.
        path: &'static str,
        /// Which rule it breaks.
        rule: DocumentRule,
        /// How.
        words: String,
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
    ) -> Result<Times, Box<dyn Error + Send + Sync>> {
        // The rows are read while the plan is resolved.
        std::thread::scope(|scope| self.recompute_from(given, RowPrefetch::start(scope, rows), sink))
    }
}

impl FromInputs {
    fn recompute_from(
        self,
        given: &Given<'_>,
        rows: RowPrefetch<'_>,
        sink: &mut DigestSink,
    ) -> Result<Times, Box<dyn Error + Send + Sync>> {
        published::check(given)?;
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
        contradiction::check(given.manifest, plan.preflight.as_ref().map(|policy| policy.path.as_str()))?;
        check_world(given.manifest, &plan)?;
        check_declared(given.manifest, &plan)?;
        if let Some(declaration) = given.identity {
            check_identity(given.manifest, &plan, declaration)?;
        }
        let controls = ProfileControls::of_plan(&plan);
        let outcome = evidence::derive_ahead(&plan, given.manifest, &controls, rows, OracleLane::AskedAgain, sink)?;
        // Nobody needs to wait until a large plan is taken apart. Where there can be no further thread, it is done here.
        let _ = std::thread::Builder::new().spawn(move || drop(plan));
        Ok(outcome.times)
    }
}

/// The manifest's world and its check are what the bundle's own world document and host facts give.
fn check_world(manifest: &RunManifest, plan: &ResolvedPlan) -> Result<(), Box<dyn Error + Send + Sync>> {
    let declared = world::declared(plan.plan.world_id.as_ref());
    let document = plan.world.as_ref();
    let id = world::id(&declared, document.map(|world| &world.value), &manifest.host)?;
    if id != manifest.world_id {
        let (manifest, inputs) = (manifest.world_id.to_string(), id.to_string());
        return Err(DerivationError::Disagree { what: "world", manifest, inputs }.into());
    }
    let check = world::check(&declared, document.map(|world| (&world.value, world.digest)), &manifest.host);
    if check != manifest.world {
        return Err(DerivationError::World.into());
    }
    Ok(())
}

/// The declaration is what plan and manifest give.
fn check_identity(
    manifest: &RunManifest,
    plan: &ResolvedPlan,
    declaration: &Declaration,
) -> Result<(), DerivationError> {
    let mut found = identity::of_self(declaration);
    found.extend(identity::of_plan(plan, declaration));
    found.extend(identity::of_manifest(manifest, declaration));
    if found.is_empty() { Ok(()) } else { Err(DerivationError::Identity { discrepancies: found }) }
}

/// The manifest declares the documents that the plan needs, with the digests that the bundle's copies have.
fn check_declared(manifest: &RunManifest, plan: &ResolvedPlan) -> Result<(), DerivationError> {
    let declared = manifest.declared_inputs.iter().map(|input| (input.role, input.path.as_str(), input.sha256));
    let read = plan.documents.iter().map(|document| (document.role, document.path.as_str(), document.bytes.digest()));
    let (declared, read): (BTreeSet<_>, BTreeSet<_>) = (declared.collect(), read.collect());
    match declared.symmetric_difference(&read).next() {
        Some((role, path, _)) => {
            let what = if declared.iter().any(|one| (one.0, one.1) == (*role, *path)) {
                "declares"
            } else {
                "does not declare"
            };
            Err(DerivationError::Declared { what, role: role.as_str(), path: (*path).to_string() })
        }
        None => Ok(()),
    }
}

/// The input documents, from the very bytes that were digested.
struct Inputs<'a> {
    plan: String,
    documents: BTreeMap<(InputRole, String), &'a SharedBytes>,
}

impl<'a> Inputs<'a> {
    fn read(files: &'a BTreeMap<BundlePath, SharedBytes>) -> Result<Self, DerivationError> {
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
            if entry.size != bytes.len() as u64 || entry.sha256 != bytes.digest() {
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
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
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
        Ok((*bytes).clone())
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        self.documents.contains_key(&(role, path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::bundle::tests::fixture;
    use crate::plan::Workspace;
    use crate::record::manifest::DeclaredInput;

    #[test]
    fn the_manifest_declares_exactly_the_documents_that_the_plan_was_resolved_from() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let plan = plan::resolve(&Workspace::at(root), "plans/quickstart/plan.json", &Selection::default()).unwrap();
        let mut manifest = fixture::manifest(fixture::RUN);
        manifest.declared_inputs = plan
            .documents
            .iter()
            .map(|document| DeclaredInput {
                role: document.role,
                path: document.path.clone(),
                sha256: document.bytes.digest(),
            })
            .collect();
        check_declared(&manifest, &plan).unwrap();
        let refused = |edit: &dyn Fn(&mut RunManifest)| {
            let mut manifest = manifest.clone();
            edit(&mut manifest);
            check_declared(&manifest, &plan).unwrap_err().to_string()
        };
        for n in 0..manifest.declared_inputs.len() {
            let path = &manifest.declared_inputs[n].path;
            let left_out = refused(&|m| drop(m.declared_inputs.remove(n)));
            assert!(left_out.contains("does not declare") && left_out.contains(path), "{left_out}");
            let other = refused(&|m| m.declared_inputs[n].sha256 = Digest::of(b"other"));
            assert!(other.contains("the manifest declares") && other.contains(path), "{other}");
        }
        let more = refused(&|m| {
            m.declared_inputs.push(DeclaredInput { path: "more.json".into(), ..m.declared_inputs[0].clone() })
        });
        assert!(more.contains("more.json"), "{more}");
    }
}
