//! The input documents in the bundle, so that anybody can evaluate the rows again.

use std::io;
use std::path::Path;

use super::error::RunStep;
use crate::base::bundle_path::BundlePath;
use crate::base::error_chain::error_chain;
use crate::base::fsx::FileError;
use crate::base::json_out;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::shared_bytes::SharedBytes;
use crate::bundle::index::path_of;
use crate::bundle::writer::BundleWriter;
use crate::plan::{DocumentSource, InputDocument, ResolvedPlan, Workspace};
use crate::record::layout;
use crate::record::manifest::DeclaredInput;
use crate::record::sources::{INPUT_SOURCES_SCHEMA, InputRole, InputSource, InputSources};

/// Where each document of a plan goes, and the list of them.
pub(super) fn placed(plan: &ResolvedPlan) -> (Vec<(BundlePath, &InputDocument)>, InputSources) {
    let mut policies = 0;
    let mut subject_files = 0;
    let placed: Vec<_> = plan
        .documents
        .iter()
        .map(|document| {
            let name = match document.role {
                InputRole::Policy => {
                    policies += 1;
                    format!("inputs/policies/{policies:03}-{}", file_name(&document.path))
                }
                InputRole::SubjectFile => {
                    subject_files += 1;
                    format!("inputs/subject/{subject_files:03}-{}", file_name(&document.path))
                }
                InputRole::SubjectDigest => {
                    subject_files += 1;
                    format!("inputs/subject/{subject_files:03}-{}.digest.json", file_name(&document.path))
                }
                InputRole::Questions => "inputs/questions.txt".to_owned(),
                role => format!("inputs/{}.json", role.as_str()),
            };
            (BundlePath::new(name).expect("an input's name is made of safe parts"), document)
        })
        .collect();
    let documents = placed
        .iter()
        .map(|(file, document)| InputSource {
            role: document.role,
            path: document.path.clone(),
            file: file.clone(),
            size: document.bytes.length(),
            sha256: document.bytes.digest(),
        })
        .collect();
    (placed, InputSources { schema_version: INPUT_SOURCES_SCHEMA.to_string(), documents })
}

/// What the manifest says of the documents.
pub(super) fn declared(plan: &ResolvedPlan) -> Vec<DeclaredInput> {
    let declare = |document: &InputDocument| DeclaredInput {
        role: document.role,
        path: document.path.clone(),
        sha256: document.bytes.digest(),
    };
    plan.documents.iter().map(declare).collect()
}

/// The bytes of a document; read once more from the workspace in `root` if they were let go.
pub(super) fn content(document: &InputDocument, root: &Path) -> Result<SharedBytes, FileError> {
    if let Some(held) = document.bytes.held() {
        return Ok(held);
    }
    let bytes = Workspace::at(root).read(document.role, &document.path, MAX_INPUT_DOCUMENT_BYTES)?;
    if bytes.digest() == document.bytes.digest() {
        return Ok(bytes);
    }
    let source = io::Error::new(io::ErrorKind::InvalidData, "it has changed since the plan was loaded");
    Err(FileError { action: "read", path: document.path.clone().into(), source })
}

/// A document's own file name, as far as it can stand in a bundle.
fn file_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(safe).take(100).collect()
}

/// Writes the documents and their list.
///
/// # Errors
/// If they cannot be written; or cannot be read again as they were, where an earlier run of the same plan has let them go.
pub(super) fn store(plan: &ResolvedPlan, root: &Path, writer: &mut BundleWriter) -> Result<(), RunStep> {
    let (placed, sources) = placed(plan);
    for (path, document) in placed {
        let bytes = content(document, root).map_err(|error| {
            let (role, path, reason) = (document.role.as_str(), &document.path, error_chain(&error));
            RunStep::Drift { drift: vec![format!("{role} `{path}`: {reason}")] }
        })?;
        writer.put(&path, &bytes).map_err(RunStep::Write)?;
    }
    writer.put(&path_of(layout::INPUT_SOURCES), &json_out::to_pretty(&sources)).map_err(RunStep::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_is_read_again_as_it_was_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("probes.json"), b"{}").unwrap();
        let bytes = SharedBytes::from(b"{}".to_vec()).into();
        let document = InputDocument { role: InputRole::Probes, path: "probes.json".into(), bytes };
        document.bytes.release();
        assert_eq!(&content(&document, root.path()).unwrap()[..], b"{}");
        std::fs::write(root.path().join("probes.json"), b"[]").unwrap();
        let refused = content(&document, root.path()).unwrap_err();
        assert!(error_chain(&refused).contains("has changed since"), "{refused}");
    }

    #[test]
    fn names_are_made_safe() {
        assert_eq!(file_name("registries/x/policies/read only.json"), "read_only.json");
        assert_eq!(file_name("../.."), "..");
        assert_eq!(file_name("/a/é.sb"), "_.sb");
        assert!(BundlePath::new(format!("inputs/policies/001-{}", file_name("../.."))).is_ok());
    }
}
