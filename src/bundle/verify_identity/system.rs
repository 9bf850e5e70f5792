//! The sealed declaration of another system, computed again from the document that it was sealed from.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::sealed_folder::{SEALED_DOCUMENT, SealedFolder};
use super::outcome::{IdentityComparison, VerifyIdentityError};
use crate::base::fsx::{self, FileError};
use crate::base::json;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::identity;
use crate::plan::subject::{NamedRoots, SYSTEM_DECLARATION_SCHEMAS, read_declaration, read_declaration_file_with};
use crate::record::identity::Declaration;

/// Compares with one document.
pub(super) fn against_document(
    declaration: Declaration,
    document: &Path,
    roots: &NamedRoots,
) -> Result<IdentityComparison, VerifyIdentityError> {
    let found = sealed_from(document, roots)?;
    let discrepancies = identity::verify_against_document(&found, &declaration);
    Ok(IdentityComparison { declaration, discrepancies, document: Some(document.to_owned()) })
}

/// Compares with the document that lies beside the declaration, and what is kept of its files.
pub(super) fn against_sealed_folder(
    declaration: Declaration,
    path: &Path,
    folder: &SealedFolder,
) -> Result<IdentityComparison, VerifyIdentityError> {
    let subject =
        read_declaration(folder, SEALED_DOCUMENT).map_err(|error| VerifyIdentityError::Document(Box::new(error)))?;
    let found = identity::external::declare(&subject)?;
    let discrepancies = identity::verify_against_document(&found, &declaration);
    Ok(IdentityComparison { declaration, discrepancies, document: Some(path.join(SEALED_DOCUMENT)) })
}

/// Compares with the document in `folder` that gives this declaration; if there is none, with the only one that describes
/// a system of its kind. `folder` may be the document itself.
pub(super) fn against_folder(
    declaration: Declaration,
    folder: &Path,
    roots: &NamedRoots,
) -> Result<IdentityComparison, VerifyIdentityError> {
    if folder.is_file() {
        return against_document(declaration, folder, roots);
    }
    let documents = documents(folder, &declaration.kind).map_err(VerifyIdentityError::Folder)?;
    if let [only] = documents.as_slice() {
        return against_document(declaration, only, roots);
    }
    for document in &documents {
        // What is incomplete gives no identity, so it is not the one.
        if sealed_from(document, roots).is_ok_and(|found| found == declaration) {
            return Ok(IdentityComparison { declaration, discrepancies: Vec::new(), document: Some(document.clone()) });
        }
    }
    // A declaration that is not what its own parts give is wrong whatever it was sealed from.
    let discrepancies = identity::verify_against_itself(&declaration);
    if !discrepancies.is_empty() {
        return Ok(IdentityComparison { declaration, discrepancies, document: None });
    }
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let found = documents.iter().map(name).collect();
    Err(VerifyIdentityError::NoSuchDocument { folder: folder.to_owned(), kind: declaration.kind, found })
}

fn sealed_from(document: &Path, roots: &NamedRoots) -> Result<Declaration, VerifyIdentityError> {
    let subject = read_declaration_file_with(document, roots.clone())
        .map_err(|error| VerifyIdentityError::Document(Box::new(error)))?;
    Ok(identity::external::declare(&subject)?)
}

/// The files directly in `folder` that describe a system of this kind and are not sealed, by name.
fn documents(folder: &Path, kind: &str) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |source| FileError { action: "list", path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.retain(|path| describes(path, kind));
    Ok(paths)
}

fn describes(path: &Path, kind: &str) -> bool {
    let Ok(bytes) = fsx::read_regular(path, MAX_INPUT_DOCUMENT_BYTES) else { return false };
    let Ok(value) = json::parse(&bytes) else { return false };
    let says = |name: &str, text: &str| value.get(name).and_then(Value::as_str) == Some(text);
    let is_one = SYSTEM_DECLARATION_SCHEMAS.iter().any(|format| says("schema_version", format));
    is_one && says("kind", kind) && value.get("digests").is_none()
}
