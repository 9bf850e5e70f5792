//! Replaying a run: the plan resolved once more from the bundle's own inputs, and the evidence derived once more from its
//! own rows.
//!
//! [`super::verify()`] refuses a bundle that is not what its replay gives; [`super::replay_diff()`] says in what it is not.

use std::collections::BTreeSet;

use super::contradiction::{self, DocumentContradiction};
use super::finding::BundleFinding;
use super::merge;
use super::observed::HashedRows;
use super::plan_cache;
use super::published::{self, ShapeError};
use super::replay_inputs::ReplayInputs;
use super::replay_sink::ReplaySink;
use crate::base::ids::IdError;
use crate::base::shared_bytes::DocumentBytes;
use crate::evidence::contradiction::Times;
use crate::evidence::{self, DeriveError, ProfileControls, RowPrefetch};
use crate::identity::{self, Discrepancy};
use crate::plan::{BundleInputs, BundleInputsError, LoadError, ResolvedPlan};
use crate::record::layout;
use crate::record::manifest::RunManifest;
use crate::world;

/// Why a run cannot be replayed; its bundle is invalid then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The input documents cannot be used.
    #[error(transparent)]
    Inputs(#[from] BundleInputsError),
    /// The plan cannot be resolved.
    #[error(transparent)]
    Plan(#[from] LoadError),
    /// The manifest and the inputs disagree.
    #[error("the manifest says {what} `{manifest}`, the bundle's own inputs yield `{inputs}`")]
    Disagree {
        /// What they disagree in.
        what: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What follows from the inputs.
        inputs: String,
    },
    /// The host's facts give no world id.
    #[error(transparent)]
    WorldId(#[from] IdError),
    /// The manifest's account of the world is not what follows from the bundle.
    #[error("the manifest's check of its world is not what the world's document and the host's facts yield")]
    World,
    /// The manifest declares other documents than the plan was resolved from.
    #[error("the manifest {what} the {role} `{path}`, which differs in the bundle's own inputs")]
    Declared {
        /// Whether it does.
        what: &'static str,
        /// What the document is for.
        role: &'static str,
        /// Path of the document, spelled as it is referred to.
        path: String,
    },
    /// A document is listed that the plan was not resolved from: nothing declares it.
    #[error("`{}` lists the {role} `{path}`, which the plan does not need", layout::INPUT_SOURCES)]
    Unread {
        /// What the document is for.
        role: &'static str,
        /// Path of the document, spelled as it is referred to.
        path: String,
    },
    /// The run's declaration is not what the bundle gives.
    #[error("`{}` is not what the bundle's own documents yield", layout::RUN_IDENTITY)]
    Identity(Vec<Discrepancy>),
    /// A document is not of its published shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A document contradicts itself.
    #[error(transparent)]
    Contradiction(#[from] DocumentContradiction),
    /// It is not what its parts give.
    #[error("the bundle is not what its parts give")]
    Merge(Vec<BundleFinding>),
    /// The evidence cannot be derived from the rows.
    #[error(transparent)]
    Derive(#[from] DeriveError),
}

/// Resolves the plan from the inputs, holds the run's documents to it, and writes every derived artifact to the sink. Says
/// when rows were executed.
///
/// # Errors
/// Why it cannot be done; the sink may hold some artifacts then.
pub(crate) fn replay(
    inputs: &ReplayInputs<'_>,
    rows: &HashedRows,
    sink: &mut ReplaySink,
) -> Result<Times, ReplayError> {
    if let Some(merge) = inputs.merge {
        published::check(inputs.status, inputs.manifest, inputs.identity, inputs.witness)?;
        return merge::replay(inputs, merge, rows, sink).map_err(ReplayError::Merge);
    }
    // The rows are read while the plan is resolved.
    std::thread::scope(|scope| replay_ahead(inputs, RowPrefetch::start(scope, rows), sink))
}

fn replay_ahead(inputs: &ReplayInputs<'_>, rows: RowPrefetch<'_>, sink: &mut ReplaySink) -> Result<Times, ReplayError> {
    let manifest = inputs.manifest;
    published::check(inputs.status, manifest, inputs.identity, inputs.witness)?;
    let documents = BundleInputs::held(inputs.files)?;
    let resolved = plan_cache::resolve(inputs, &documents)?;
    let plan = &*resolved;
    let agree = |what, manifest: String, inputs: String| {
        if manifest == inputs { Ok(()) } else { Err(ReplayError::Disagree { what, manifest, inputs }) }
    };
    agree("plan id", manifest.plan_id.to_string(), plan.plan.plan_id.to_string())?;
    agree("plan digest", manifest.plan_digest.to_string(), plan.plan_digest.to_string())?;
    agree("deadline_ms", manifest.deadline_ms.to_string(), plan.deadline_ms.to_string())?;
    let preflight = plan.preflight.is_some() && !manifest.dry_run;
    agree("an apply preflight", manifest.apply_preflight.is_some().to_string(), preflight.to_string())?;
    contradiction::check(manifest, plan.preflight.as_ref().map(|policy| policy.path.as_str()))?;
    check_world(manifest, plan)?;
    check_declared(manifest, plan)?;
    check_listed(&documents, plan)?;
    if let Some(declaration) = inputs.identity {
        let mut found = identity::verify_against_itself(declaration);
        found.extend(identity::verify_against_plan(plan, declaration));
        found.extend(identity::verify_against_manifest(manifest, declaration));
        if !found.is_empty() {
            return Err(ReplayError::Identity(found));
        }
    }
    // What the plan was resolved from is the most that a bundle has in memory, and nobody asks for it again.
    plan.release_registries();
    inputs.files.values().for_each(DocumentBytes::release);
    drop(documents);
    let outcome = evidence::replay(plan, manifest, &ProfileControls::of_plan(plan), rows, sink)?;
    plan_cache::give_back(resolved);
    Ok(outcome.times)
}

/// The manifest's world and its check are what the bundle's own world document and host facts give.
fn check_world(manifest: &RunManifest, plan: &ResolvedPlan) -> Result<(), ReplayError> {
    let declared = world::declared(plan.plan.world_id.as_ref());
    let document = plan.world.as_ref();
    let id = world::id(&declared, document.map(|world| &world.value), &manifest.host)?;
    if id != manifest.world_id {
        let (manifest, inputs) = (manifest.world_id.to_string(), id.to_string());
        return Err(ReplayError::Disagree { what: "world", manifest, inputs });
    }
    let check = world::check(&declared, document.map(|world| (&world.value, world.digest)), &manifest.host);
    if check == manifest.world { Ok(()) } else { Err(ReplayError::World) }
}

/// The manifest declares the documents that the plan needs, with the digests that the bundle's copies have.
fn check_declared(manifest: &RunManifest, plan: &ResolvedPlan) -> Result<(), ReplayError> {
    let declared = manifest.declared_inputs.iter().map(|input| (input.role, input.path.as_str(), input.sha256));
    let read = plan.documents.iter().map(|document| (document.role, document.path.as_str(), document.bytes.digest()));
    let (declared, read): (BTreeSet<_>, BTreeSet<_>) = (declared.collect(), read.collect());
    match declared.symmetric_difference(&read).next() {
        Some((role, path, _)) => {
            let listed = declared.iter().any(|one| (one.0, one.1) == (*role, *path));
            let what = if listed { "declares" } else { "does not declare" };
            Err(ReplayError::Declared { what, role: role.as_str(), path: (*path).to_string() })
        }
        None => Ok(()),
    }
}

/// The bundle holds no input document beside those that the plan was resolved from.
fn check_listed(documents: &BundleInputs, plan: &ResolvedPlan) -> Result<(), ReplayError> {
    let read: BTreeSet<_> = plan.documents.iter().map(|document| (document.role, document.path.as_str())).collect();
    match documents.documents().filter(|listed| !read.contains(listed)).min() {
        Some((role, path)) => Err(ReplayError::Unread { role: role.as_str(), path: path.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;
    use crate::bundle::tests::fixture;
    use crate::plan::{self, Selection, Workspace};
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

    #[test]
    fn a_bundle_lists_no_document_that_its_plan_does_not_need() {
        let bundle = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/out/sound");
        let mut list: serde_json::Value =
            serde_json::from_slice(&std::fs::read(bundle.join(layout::INPUT_SOURCES)).unwrap()).unwrap();
        let check = |list: &serde_json::Value| {
            let documents = BundleInputs::from_list(&bundle, &serde_json::to_vec(list).unwrap()).unwrap();
            let plan = plan::resolve(&documents, documents.plan_path(), &Selection::default()).unwrap();
            check_listed(&documents, &plan).map_err(|error| error.to_string())
        };
        assert_eq!(check(&list), Ok(()));
        let mut more = list["documents"][0].clone();
        (more["role"], more["path"]) = ("policy".into(), "more.json".into());
        list["documents"].as_array_mut().unwrap().push(more);
        assert!(check(&list).unwrap_err().contains("more.json"));
    }
}
