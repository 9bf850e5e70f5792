//! Verifying a declaration alone: against the documents beside it in its bundle, or against a workspace.
//!
//! [`super::verify()`] asks the same and accepts no difference. Here every difference is told, of a bundle that need not
//! verify.

mod outcome;
mod system;

use std::path::Path;

use serde_json::Value;

pub use outcome::{IdentityComparison, VerifyIdentityError};

use super::reader::{self, open_unverified};
use super::sealed_folder::{self, SealedFolder};
use crate::base::error_chain::error_chain;
use crate::base::fsx;
use crate::base::json;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::identity::{self, Difference, Discrepancy};
use crate::plan::subject::{NamedRoots, SYSTEM_DECLARATION_SCHEMAS};
use crate::plan::{self, BundleInputs, DocumentSource, Selection};
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA};
use crate::record::layout;
use crate::record::run_identity::RunParts;
use crate::record::shard::ShardRecord;
use crate::record::sources::InputRole;

/// Reads the declaration that `path` leads to: a bundle, an output root, or a file.
///
/// # Errors
/// If there is none that could be understood.
pub fn read(path: &Path) -> Result<Declaration, VerifyIdentityError> {
    let file = if let Some(file) = sealed_folder::declaration_in(path) {
        file
    } else if path.is_dir() {
        reader::resolve(path).map_err(VerifyIdentityError::NoBundle)?.join(layout::RUN_IDENTITY)
    } else {
        path.to_owned()
    };
    let bytes = fsx::read_regular(&file, MAX_INPUT_DOCUMENT_BYTES).map_err(VerifyIdentityError::Read)?;
    let value = json::parse(&bytes).map_err(|source| VerifyIdentityError::Json { path: file.clone(), source })?;
    let format = value.get("schema_version").and_then(Value::as_str).unwrap_or_default();
    let describes = SYSTEM_DECLARATION_SCHEMAS.contains(&format);
    if describes && value.get("identity").is_none() && value.get("digests").is_none() {
        return Err(VerifyIdentityError::NotSealed { path: file });
    }
    json::from_value(value).map_err(|source| VerifyIdentityError::Shape { path: file, source })
}

/// Computes the identity of a bundle again from what the bundle holds.
///
/// # Errors
/// If it holds too little to say anything.
pub fn against_bundle(path: &Path) -> Result<IdentityComparison, VerifyIdentityError> {
    let declaration = read(path)?;
    if let DeclarationSubject::System = of(path, &declaration)? {
        if sealed_folder::declaration_in(path).is_some()
            && let Some(folder) = SealedFolder::open(path).map_err(VerifyIdentityError::Read)?
        {
            return system::against_sealed_folder(declaration, path, &folder);
        }
        return Err(VerifyIdentityError::NeedsDocument { path: path.to_owned(), kind: declaration.kind });
    }
    let unverified = open_unverified(path).map_err(VerifyIdentityError::NoBundle)?;
    let folder = unverified.bundle_dir.clone();
    let Some(manifest) = &unverified.run_manifest else { return Err(VerifyIdentityError::NoManifest { folder }) };
    let mut found = identity::verify_against_itself(&declaration);
    if let Some(parts) = parts(&declaration, &mut found) {
        match BundleInputs::open(&folder) {
            Ok(inputs) => {
                if compare_documents(&inputs, &parts, &mut found) {
                    match plan::resolve(&inputs, inputs.plan_path(), &Selection::from(&manifest.selection)) {
                        Ok(plan) => found.extend(identity::verify_against_plan(&plan, &declaration)),
                        Err(error) => found.push(malformed("/artifact/documents", error_chain(&error))),
                    }
                }
            }
            Err(error) => found.push(malformed("/artifact/documents", error_chain(&error))),
        }
        found.extend(identity::verify_against_manifest(manifest, &declaration));
    }
    // Stamps are no part of the declaration, so they are told apart by the document that carries them.
    for finding in unverified.identity_findings().filter(|finding| finding.path != layout::RUN_IDENTITY) {
        found.push(malformed("/identity", finding.to_string()));
    }
    Ok(IdentityComparison { declaration, discrepancies: found, document: None })
}

/// Computes the identity again from the plan and its documents in the workspace `root`. Facts that no document says are
/// taken as declared. The sealed declaration of another system is computed again from its document in that folder.
///
/// # Errors
/// If the bundle has no declaration, or the plan cannot be resolved although every document is as declared.
pub fn against_sources(
    path: &Path,
    root: &Path,
    roots: &NamedRoots,
) -> Result<IdentityComparison, VerifyIdentityError> {
    let declaration = read(path)?;
    if let DeclarationSubject::System = of(path, &declaration)? {
        return system::against_folder(declaration, root, roots);
    }
    let mut found = identity::verify_against_itself(&declaration);
    if let Some(parts) = parts(&declaration, &mut found) {
        let source = plan::Workspace::at(root);
        let same = compare_documents(&source, &parts, &mut found);
        let selection = Selection {
            only_profiles: parts.policy.selection.only_profiles.clone(),
            only_scenarios: parts.policy.selection.only_scenarios.clone(),
            shard: parts.policy.shard.value().and_then(|text| ShardRecord::declared(text)),
        };
        let plans = parts.artifact.documents.get(&InputRole::Plan);
        if let Some(plan_path) = plans.and_then(|plans| plans.keys().next()) {
            match plan::resolve(&source, plan_path, &selection) {
                Ok(plan) => {
                    for one in identity::verify_against_plan(&plan, &declaration) {
                        if !found.contains(&one) {
                            found.push(one);
                        }
                    }
                }
                Err(error) if same => return Err(VerifyIdentityError::Sources(Box::new(error))),
                // That it cannot be resolved follows from what was said of its documents.
                Err(_) => {}
            }
        }
    }
    Ok(IdentityComparison { declaration, discrepancies: found, document: None })
}

/// Computes the identity of another system again from the document that it was sealed from.
///
/// # Errors
/// If the declaration is a run's, or the document is incomplete or wrong.
pub fn against_document(
    path: &Path,
    document: &Path,
    roots: &NamedRoots,
) -> Result<IdentityComparison, VerifyIdentityError> {
    let declaration = read(path)?;
    match of(path, &declaration)? {
        DeclarationSubject::System => system::against_document(declaration, document, roots),
        DeclarationSubject::Run => Err(VerifyIdentityError::OfRun { path: path.to_owned() }),
    }
}

/// What a declaration is of.
enum DeclarationSubject {
    Run,
    System,
}

/// What the declaration that was read from `path` is of. The one in a bundle can only be a run's: if it says otherwise,
/// that is what is wrong with it.
fn of(path: &Path, declaration: &Declaration) -> Result<DeclarationSubject, VerifyIdentityError> {
    match declaration.schema_version.as_str() {
        RUN_IDENTITY_SCHEMA => Ok(DeclarationSubject::Run),
        _ if path.is_dir() && sealed_folder::declaration_in(path).is_none() => Ok(DeclarationSubject::Run),
        format if SYSTEM_DECLARATION_SCHEMAS.contains(&format) => Ok(DeclarationSubject::System),
        other => Err(VerifyIdentityError::Format { path: path.to_owned(), format: other.to_owned() }),
    }
}

fn parts(declaration: &Declaration, found: &mut Vec<Discrepancy>) -> Option<RunParts> {
    match identity::verify::parts_of(declaration) {
        Ok(parts) => Some(parts),
        Err(wrong) => {
            found.extend(wrong);
            None
        }
    }
}

fn malformed(pointer: &str, problem: String) -> Discrepancy {
    Discrepancy::Malformed { pointer: pointer.to_owned(), problem }
}

/// Digests every declared document of a source; whether all are as declared.
fn compare_documents(source: &dyn DocumentSource, parts: &RunParts, found: &mut Vec<Discrepancy>) -> bool {
    let before = found.len();
    for (role, documents) in &parts.artifact.documents {
        for (path, declared) in documents {
            let pointer = format!("/artifact/documents/{}/{}", role.as_str(), crate::base::canon::pointer_part(path));
            match source.read(*role, path, MAX_INPUT_DOCUMENT_BYTES) {
                Ok(bytes) if bytes.digest() == *declared => {}
                Ok(bytes) => found.push(Discrepancy::Differs(Difference {
                    pointer,
                    found_at: None,
                    declared: Some(Value::String(declared.to_string())),
                    found: Some(Value::String(bytes.digest().to_string())),
                })),
                Err(error) => found.push(malformed(&pointer, error_chain(&error))),
            }
        }
    }
    found.len() == before
}
