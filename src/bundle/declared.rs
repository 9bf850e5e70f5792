//! What a run declared, asked against the documents beside it in its bundle, or against a workspace.
//!
//! [`super::verify()`] asks the same and accepts no difference. Here every difference is told, of a bundle that need not
//! verify.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::finding::Finding;
use super::reader::{self, open_unverified};
use crate::base::error_text::chain;
use crate::base::fsx::{self, FileError};
use crate::base::json::{self, JsonError};
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::identity::{self, Difference, Discrepancy};
use crate::plan::{self, BundleInputs, LoadError, Selection, Source};
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::run_identity::RunParts;
use crate::record::sources::InputRole;

/// A declaration cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum DeclaredError {
    /// There is no bundle.
    #[error("{0}")]
    NoBundle(Finding),
    /// The declaration cannot be read.
    #[error("there is no declaration to read")]
    Read(#[source] FileError),
    /// It is no acceptable JSON.
    #[error("`{}` is not acceptable JSON", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: JsonError,
    },
    /// It is no declaration.
    #[error("`{}` does not have the shape of a declaration", path.display())]
    Shape {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The bundle has no manifest that could be read.
    #[error("the bundle `{}` has no manifest that can be read", folder.display())]
    NoManifest {
        /// Which.
        folder: PathBuf,
    },
    /// The sources cannot be resolved.
    #[error("the plan cannot be resolved from the sources")]
    Sources(#[source] Box<LoadError>),
}

/// A declaration and everything in which it is not what it was compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The declaration.
    pub declaration: Declaration,
    /// Where it differs; empty if nowhere.
    pub discrepancies: Vec<Discrepancy>,
}

/// Reads the declaration that `path` leads to: a bundle, an output root, or a file.
///
/// # Errors
/// If there is none that could be understood.
pub fn read(path: &Path) -> Result<Declaration, DeclaredError> {
    let file = if path.is_dir() {
        reader::resolve(path).map_err(DeclaredError::NoBundle)?.join(layout::RUN_IDENTITY)
    } else {
        path.to_owned()
    };
    let bytes = fsx::read_regular(&file, MAX_INPUT_DOCUMENT_BYTES).map_err(DeclaredError::Read)?;
    let value = json::parse(&bytes).map_err(|source| DeclaredError::Json { path: file.clone(), source })?;
    serde_json::from_value(value).map_err(|source| DeclaredError::Shape { path: file, source })
}

/// Computes the identity of a bundle again from what the bundle holds.
///
/// # Errors
/// If it holds too little to say anything.
pub fn against_bundle(path: &Path) -> Result<Compared, DeclaredError> {
    let declaration = read(path)?;
    let unverified = open_unverified(path).map_err(DeclaredError::NoBundle)?;
    let folder = unverified.bundle_dir.clone();
    let Some(manifest) = &unverified.run_manifest else { return Err(DeclaredError::NoManifest { folder }) };
    let mut found = identity::of_self(&declaration);
    if let Some(parts) = parts(&declaration, &mut found) {
        match BundleInputs::open(&folder) {
            Ok(inputs) => {
                let selection = Selection {
                    only_profiles: manifest.selection.only_profiles.clone(),
                    only_scenarios: manifest.selection.only_scenarios.clone(),
                };
                if compare_documents(&inputs, &parts, &mut found) {
                    match plan::resolve(&inputs, inputs.plan_path(), &selection) {
                        Ok(plan) => found.extend(identity::of_plan(&plan, &declaration)),
                        Err(error) => found.push(malformed("/artifact/documents", chain(&error))),
                    }
                }
            }
            Err(error) => found.push(malformed("/artifact/documents", chain(&error))),
        }
        found.extend(identity::of_manifest(manifest, &declaration));
    }
    // Stamps are no part of the declaration, so they are told apart by the document that carries them.
    for finding in unverified.identity_findings().filter(|finding| finding.path != layout::RUN_IDENTITY) {
        found.push(malformed("/identity", finding.to_string()));
    }
    Ok(Compared { declaration, discrepancies: found })
}

/// Computes the identity again from the plan and its documents in the workspace `root`. Facts that no document says are
/// taken as declared.
///
/// # Errors
/// If the bundle has no declaration, or the plan cannot be resolved although every document is as declared.
pub fn against_sources(path: &Path, root: &Path) -> Result<Compared, DeclaredError> {
    let declaration = read(path)?;
    let mut found = identity::of_self(&declaration);
    if let Some(parts) = parts(&declaration, &mut found) {
        let source = plan::Workspace::at(root);
        let same = compare_documents(&source, &parts, &mut found);
        let selection = Selection {
            only_profiles: parts.policy.selection.only_profiles.clone(),
            only_scenarios: parts.policy.selection.only_scenarios.clone(),
        };
        let plans = parts.artifact.documents.get(&InputRole::Plan);
        if let Some(plan_path) = plans.and_then(|plans| plans.keys().next()) {
            match plan::resolve(&source, plan_path, &selection) {
                Ok(plan) => {
                    for one in identity::of_plan(&plan, &declaration) {
                        if !found.contains(&one) {
                            found.push(one);
                        }
                    }
                }
                Err(error) if same => return Err(DeclaredError::Sources(Box::new(error))),
                // That it cannot be resolved follows from what was said of its documents.
                Err(_) => {}
            }
        }
    }
    Ok(Compared { declaration, discrepancies: found })
}

fn parts(declaration: &Declaration, found: &mut Vec<Discrepancy>) -> Option<RunParts> {
    match identity::reproduce::read(declaration) {
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
fn compare_documents(source: &dyn Source, parts: &RunParts, found: &mut Vec<Discrepancy>) -> bool {
    let before = found.len();
    for (role, documents) in &parts.artifact.documents {
        for (path, declared) in documents {
            let pointer = format!("/artifact/documents/{}/{}", role.as_str(), crate::base::canon::pointer_part(path));
            match source.read(*role, path, MAX_INPUT_DOCUMENT_BYTES) {
                Ok(bytes) if bytes.digest() == *declared => {}
                Ok(bytes) => found.push(Discrepancy::Differs(Difference {
                    pointer,
                    declared: Some(Value::String(declared.to_string())),
                    found: Some(Value::String(bytes.digest().to_string())),
                })),
                Err(error) => found.push(malformed(&pointer, chain(&error))),
            }
        }
    }
    found.len() == before
}
