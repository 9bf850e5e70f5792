//! A document that declares another system, in either format, with everything that it names.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, has_errors};
use super::super::error::LoadError;
use super::super::read::{DocumentReader, refused};
use super::super::schema::DocumentKind;
use super::super::source::{DocumentSource, Workspace};
use super::named_path::NamedRoots;
use super::resolved::{ResolvedSubject, SubjectFormat};
use super::{v1, walk};
use crate::base::fsx;
use crate::base::json;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::record::sources::InputRole;

/// Reads the declaration at `path` of `source` with every file that it names. What is missing or wrong is listed all at
/// once.
///
/// # Errors
/// If it cannot be read, or everything that is missing or wrong.
pub fn read_declaration(source: &dyn DocumentSource, path: &str) -> Result<ResolvedSubject, LoadError> {
    let mut notes = Vec::new();
    let mut reader = DocumentReader::new(source);
    let subject = read(&mut reader, path, &mut notes)?;
    match subject {
        Some(mut subject) if !has_errors(&notes) => {
            subject.documents = reader.documents;
            Ok(subject)
        }
        _ => Err(refused(notes).located(source)),
    }
}

/// The same of the file at `path`, with folders that the declaration's paths can begin at.
///
/// # Errors
/// As [`read_declaration`].
pub fn read_declaration_file_with(path: &Path, roots: NamedRoots) -> Result<ResolvedSubject, LoadError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let source = Workspace::at(fsx::folder_of(path)).with_named_roots(roots);
    read_declaration(&source, &name).map_err(|error| error.of_file(&name, &path.display().to_string()))
}

/// The same through the reader of a plan, so that the documents become inputs of the run.
pub(in crate::plan) fn read(
    reader: &mut DocumentReader<'_>,
    path: &str,
    notes: &mut Vec<Diagnostic>,
) -> Result<Option<ResolvedSubject>, LoadError> {
    let what = DocumentKind::SystemDeclaration.what();
    let bytes = reader.bytes(InputRole::Subject, path, MAX_INPUT_DOCUMENT_BYTES).map_err(|source| LoadError::Read {
        what,
        file: path.to_owned(),
        source,
    })?;
    let value = json::parse(&bytes).map_err(|source| LoadError::Json { what, file: path.to_owned(), source })?;
    let before = notes.len();
    let is_sealed = value.get("digests").is_some() && value.get("identity").is_some();
    if is_sealed {
        Diagnostics { list: notes, file: path, subject: "" }.error(
            DiagnosticKind::UnknownKey,
            "/identity",
            "this declaration is sealed already",
            "give the document that it was sealed from; `identity show --bundle FILE` shows a sealed one",
        );
    }
    let format = SubjectFormat::of(&value);
    let found = match format {
        SubjectFormat::First => v1::walk(reader, path, &value, notes),
        SubjectFormat::Second if is_sealed => return Ok(None),
        SubjectFormat::Second => walk::walk(reader, path, &bytes, &value, notes),
    };
    // What is said already is not said again in the words of the schema.
    let mut noted: BTreeSet<String> = notes[before..].iter().map(|note| note.pointer.clone()).collect();
    if is_sealed {
        noted.insert("/digests".to_owned());
    }
    let anything = has_errors(&notes[before..]);
    let mut formal = Vec::new();
    format.document_kind().check(&value, &mut Diagnostics { list: &mut formal, file: path, subject: "" });
    formal.retain(|note: &Diagnostic| note.kind != DiagnosticKind::MissingKey && !noted.contains(&note.pointer));
    // The second format's own table says more precisely whatever its schema could say of alternatives.
    if format == SubjectFormat::First || !anything {
        notes.append(&mut formal);
    }
    if has_errors(&notes[before..]) {
        return Ok(None);
    }
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Some(ResolvedSubject { path: path.to_owned(), digest: bytes.digest(), kind, format, ..found }))
}
