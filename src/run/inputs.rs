//! The input documents in the bundle, so that anybody can evaluate the rows again.

use super::error::RunStep;
use crate::base::bundle_path::BundlePath;
use crate::base::json_out;
use crate::bundle::index::path_of;
use crate::bundle::writer::BundleWriter;
use crate::plan::{InputDocument, ResolvedPlan};
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
            size: document.bytes.len() as u64,
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

/// A document's own file name, as far as it can stand in a bundle.
fn file_name(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(safe).take(100).collect()
}

/// Writes the documents and their list.
pub(super) fn store(plan: &ResolvedPlan, writer: &mut BundleWriter) -> Result<(), RunStep> {
    let (placed, sources) = placed(plan);
    for (path, document) in placed {
        writer.put(&path, &document.bytes).map_err(RunStep::Write)?;
    }
    writer.put(&path_of(layout::INPUT_SOURCES), &json_out::to_pretty(&sources)).map_err(RunStep::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        assert_eq!(file_name("registries/x/policies/read only.json"), "read_only.json");
        assert_eq!(file_name("../.."), "..");
        assert_eq!(file_name("/a/é.sb"), "_.sb");
        assert!(BundlePath::new(format!("inputs/policies/001-{}", file_name("../.."))).is_ok());
    }
}
