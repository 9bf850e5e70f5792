//! Whether what a run declared before it began is still so when its last lane has ended.

use std::path::Path;

use serde_json::Value;

use super::error::{RunError, RunStep};
use super::executable::digest_of;
use crate::base::digest::Digest;
use crate::base::error_chain::error_chain;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::threads;
use crate::bundle::writer::BundleWriter;
use crate::identity::{self, Discrepancy};
use crate::plan::{DocumentSource, ResolvedPlan, questions};
use crate::record::identity::{Declaration, DeclarationPart};
use crate::record::manifest::{DeclaredInput, RunManifest};
use crate::record::sources::InputRole;

/// Digests the executable and every input document again, notes what differs in the run's status together with what is
/// known to differ already, and fails if anything does.
pub(super) fn check(
    source: &dyn DocumentSource,
    manifest: &RunManifest,
    exe: &Path,
    elements: Vec<String>,
    writer: &mut BundleWriter,
) -> Result<(), RunStep> {
    let mut drift = find(source, manifest, exe);
    drift.extend(elements);
    writer.note_drift(drift.clone());
    if drift.is_empty() { Ok(()) } else { Err(RunStep::Drift { drift }) }
}

/// Which elements of a declaration are not what they were, by JSON pointer. `now`: the same run declared once more.
pub(super) fn of_elements(sealed: &Declaration, now: Result<Declaration, RunError>) -> Vec<String> {
    match now {
        Ok(now) => DeclarationPart::ALL
            .into_iter()
            .flat_map(|part| {
                let [declared, found] = [sealed, &now].map(|one| Value::Object(one.part(part).clone()));
                identity::differences(&format!("/{}", part.as_str()), &declared, &found)
            })
            .map(|difference| line(&Discrepancy::Differs(difference)))
            .collect(),
        Err(error) => vec![format!("the run cannot be declared any more: {}", error_chain(&error))],
    }
}

/// Whether a worker of a clean channel finds what its parent declared. Asked before anything is executed.
pub(super) fn check_worker(
    plan: &ResolvedPlan,
    manifest: &RunManifest,
    declaration: &Declaration,
) -> Result<(), RunStep> {
    let mut found = identity::verify_against_itself(declaration);
    found.extend(identity::verify_against_plan(plan, declaration));
    found.extend(identity::verify_against_manifest(manifest, declaration));
    if found.is_empty() { Ok(()) } else { Err(RunStep::Drift { drift: found.iter().map(line).collect() }) }
}

fn line(discrepancy: &Discrepancy) -> String {
    format!("`{}`: {}", discrepancy.pointer(), discrepancy.words())
}

/// What differs, one line each.
fn find(source: &dyn DocumentSource, manifest: &RunManifest, exe: &Path) -> Vec<String> {
    let mut drift = Vec::new();
    let mut compare = |what: String, declared: Digest, found: Result<Digest, String>| match found {
        Ok(found) if found == declared => {}
        Ok(found) => drift.push(format!("{what}: declared {declared}, found {found}")),
        Err(reason) => drift.push(format!("{what}: cannot be read again: {reason}")),
    };
    let digest = |input: &DeclaredInput| {
        source.digest(input.role, &input.path, MAX_INPUT_DOCUMENT_BYTES).map_err(|error| error.source.to_string())
    };
    // What a questions file stands for lies nowhere: it is what it was as long as the file is.
    let has_questions = manifest.declared_inputs.iter().any(|input| input.role == InputRole::Questions);
    let lies_nowhere = |input: &&DeclaredInput| has_questions && questions::stand_for(input.role, &input.path);
    let written: Vec<&DeclaredInput> = manifest.declared_inputs.iter().filter(|input| !lies_nowhere(input)).collect();
    let (executable, inputs) = threads::both(
        || digest_of(exe).map_err(|error| error.to_string()),
        || written.iter().map(|input| digest(input)).collect::<Vec<_>>(),
    );
    compare("the executable".to_string(), manifest.tool.sha256, executable);
    for (input, found) in written.into_iter().zip(inputs) {
        compare(format!("{} `{}`", input.role.as_str(), input.path), input.sha256, found);
    }
    drift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::fixture::{RUN, manifest};
    use crate::plan::Workspace;

    #[test]
    fn what_changed_or_went_away_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let exe = folder.path().join("tool");
        std::fs::write(&exe, b"tool").unwrap();
        std::fs::write(folder.path().join("plan.json"), b"plan").unwrap();
        let source = Workspace::at(folder.path());
        let manifest = manifest(RUN);
        let found = || find(&source, &manifest, &exe);
        assert_eq!(found(), Vec::<String>::new());
        std::fs::write(folder.path().join("plan.json"), b"plan ").unwrap();
        let [only] = found().try_into().unwrap();
        assert!(only.starts_with("plan `plan.json`: declared "), "{only}");
        std::fs::remove_file(folder.path().join("plan.json")).unwrap();
        std::fs::write(&exe, b"other").unwrap();
        let [first, second] = found().try_into().unwrap();
        assert!(first.starts_with("the executable: declared "), "{first}");
        assert!(second.contains("cannot be read again"), "{second}");
    }
}
