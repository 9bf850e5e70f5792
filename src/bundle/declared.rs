//! What a run declared, asked against the documents beside it in its bundle, or against a workspace.
//!
//! [`super::verify()`] asks the same and accepts no difference. Here every difference is told, of a bundle that need not
//! verify.

mod system;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::finding::Finding;
use super::reader::{self, open_unverified};
use crate::base::canon::CanonError;
use crate::base::error_chain::error_chain;
use crate::base::fsx::{self, FileError};
use crate::base::json::{self, JsonError};
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::identity::{self, Difference, Discrepancy};
use crate::plan::subject::SYSTEM_DECLARATION_SCHEMA;
use crate::plan::{self, BundleInputs, LoadError, Selection, Source};
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA};
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
    /// It describes another system and is not sealed.
    #[error(
        "`{}` describes another system and is not sealed, so there is no identity in it; `identity declare --from` seals it",
        path.display()
    )]
    NotSealed {
        /// Which.
        path: PathBuf,
    },
    /// It is in a format that nothing here computes again.
    #[error("`{}` is a declaration in the format `{format}`, which this program does not know", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// What it says of its format.
        format: String,
    },
    /// It is of another system, and the document that it was sealed from is needed.
    #[error(
        "`{}` is the sealed declaration of another system (`{kind}`): it is computed again from the document that it was \
         sealed from; give that with `--from DOC`, or the folder that it lies in with `--against DIR`",
        path.display()
    )]
    NeedsDocument {
        /// Which.
        path: PathBuf,
        /// What is declared.
        kind: String,
    },
    /// In the folder is no document that gives the identity, and not one alone that it could be compared with.
    #[error(
        "{} in `{}` gives the identity of this declaration (`{kind}`); name the one that it was sealed from with `--from DOC`",
        none_of(found), folder.display()
    )]
    NoSuchDocument {
        /// Where.
        folder: PathBuf,
        /// What is declared.
        kind: String,
        /// Which documents describe a system of that kind.
        found: Vec<String>,
    },
    /// A document of another system was given, and the declaration is a run's.
    #[error(
        "`{}` is the declaration of a run, which has no document that it was sealed from; `--against DIR` compares it with its \
         plan and documents in a workspace",
        path.display()
    )]
    OfRun {
        /// Which.
        path: PathBuf,
    },
    /// The folder with the document of another system cannot be listed.
    #[error(transparent)]
    Folder(FileError),
    /// The document has no canonical form.
    #[error(transparent)]
    Canon(#[from] CanonError),
    /// The document of another system is incomplete or wrong.
    #[error(transparent)]
    Document(Box<LoadError>),
}

/// `none of `a.json`, `b.json``
fn none_of(found: &[String]) -> String {
    let names: Vec<String> = found.iter().take(10).map(|name| format!("`{name}`")).collect();
    let more =
        if found.len() > names.len() { format!(" and {} more", found.len() - names.len()) } else { String::new() };
    if names.is_empty() { "no document".to_owned() } else { format!("none of {}{more}", names.join(", ")) }
}

/// A declaration and everything in which it is not what it was compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The declaration.
    pub declaration: Declaration,
    /// Where it differs; empty if nowhere.
    pub discrepancies: Vec<Discrepancy>,
    /// The document that it was compared with, if it is of another system.
    pub document: Option<PathBuf>,
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
    let describes = value.get("schema_version").and_then(Value::as_str) == Some(SYSTEM_DECLARATION_SCHEMA);
    if describes && value.get("identity").is_none() && value.get("digests").is_none() {
        return Err(DeclaredError::NotSealed { path: file });
    }
    serde_json::from_value(value).map_err(|source| DeclaredError::Shape { path: file, source })
}

/// Computes the identity of a bundle again from what the bundle holds.
///
/// # Errors
/// If it holds too little to say anything.
pub fn against_bundle(path: &Path) -> Result<Compared, DeclaredError> {
    let declaration = read(path)?;
    if let Of::System = of(path, &declaration)? {
        return Err(DeclaredError::NeedsDocument { path: path.to_owned(), kind: declaration.kind });
    }
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
                        Err(error) => found.push(malformed("/artifact/documents", error_chain(&error))),
                    }
                }
            }
            Err(error) => found.push(malformed("/artifact/documents", error_chain(&error))),
        }
        found.extend(identity::of_manifest(manifest, &declaration));
    }
    // Stamps are no part of the declaration, so they are told apart by the document that carries them.
    for finding in unverified.identity_findings().filter(|finding| finding.path != layout::RUN_IDENTITY) {
        found.push(malformed("/identity", finding.to_string()));
    }
    Ok(Compared { declaration, discrepancies: found, document: None })
}

/// Computes the identity again from the plan and its documents in the workspace `root`. Facts that no document says are
/// taken as declared. The sealed declaration of another system is computed again from its document in that folder.
///
/// # Errors
/// If the bundle has no declaration, or the plan cannot be resolved although every document is as declared.
pub fn against_sources(path: &Path, root: &Path) -> Result<Compared, DeclaredError> {
    let declaration = read(path)?;
    if let Of::System = of(path, &declaration)? {
        return system::against_folder(declaration, root);
    }
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
    Ok(Compared { declaration, discrepancies: found, document: None })
}

/// Computes the identity of another system again from the document that it was sealed from.
///
/// # Errors
/// If the declaration is a run's, or the document is incomplete or wrong.
pub fn against_document(path: &Path, document: &Path) -> Result<Compared, DeclaredError> {
    let declaration = read(path)?;
    match of(path, &declaration)? {
        Of::System => system::against_document(declaration, document),
        Of::Run => Err(DeclaredError::OfRun { path: path.to_owned() }),
    }
}

/// What a declaration is of.
enum Of {
    Run,
    System,
}

/// What the declaration that was read from `path` is of. The one in a bundle can only be a run's: if it says otherwise,
/// that is what is wrong with it.
fn of(path: &Path, declaration: &Declaration) -> Result<Of, DeclaredError> {
    match declaration.schema_version.as_str() {
        RUN_IDENTITY_SCHEMA => Ok(Of::Run),
        _ if path.is_dir() => Ok(Of::Run),
        SYSTEM_DECLARATION_SCHEMA => Ok(Of::System),
        other => Err(DeclaredError::Format { path: path.to_owned(), format: other.to_owned() }),
    }
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
