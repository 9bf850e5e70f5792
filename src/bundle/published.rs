//! A bundle's own account of itself against the published schemas.
//!
//! Reading refuses what the typed shapes refuse: an unknown key, another type. What a schema asks beyond that (a pattern, the
//! least length of a list, one of two shapes) is asked here, so that a reader who has nothing but the schemas refuses the same
//! bundles. Input documents are checked when the plan is resolved; derived ones are compared byte for byte.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde::Serialize;

use super::derivation::DerivationError;
use super::recompute::Given;
use crate::record::layout;
use crate::record::schemas::WRITTEN;

/// A published schema, taken apart on first use.
type Published = LazyLock<Validator>;

static STATUS: Published = LazyLock::new(|| published("run_status"));
static MANIFEST: Published = LazyLock::new(|| published("run_manifest"));
static IDENTITY: Published = LazyLock::new(|| published("run_identity"));
static WITNESS: Published = LazyLock::new(|| published("channel_witness"));

fn published(name: &str) -> Validator {
    let (_, _, text) = WRITTEN.iter().find(|(known, ..)| *known == name).expect("the schema is published");
    let schema = serde_json::from_str(text).expect("a published schema is JSON");
    jsonschema::draft202012::new(&schema).expect("a published schema compiles")
}

/// Checks the documents that say what was run.
///
/// # Errors
/// The first that does not satisfy its schema.
pub(super) fn check(given: &Given<'_>) -> Result<(), DerivationError> {
    satisfies(&STATUS, layout::RUN_STATUS, given.status)?;
    satisfies(&MANIFEST, layout::RUN_MANIFEST, Some(given.manifest))?;
    satisfies(&IDENTITY, layout::RUN_IDENTITY, given.identity)?;
    satisfies(&WITNESS, layout::CHANNEL_WITNESS, given.witness)
}

fn satisfies<T: Serialize>(
    schema: &Validator,
    path: &'static str,
    document: Option<&T>,
) -> Result<(), DerivationError> {
    let Some(document) = document else { return Ok(()) };
    let shape = |pointer: &str, reason: String| DerivationError::Shape { path, pointer: pointer.to_owned(), reason };
    let value = serde_json::to_value(document).map_err(|error| shape("", error.to_string()))?;
    match schema.iter_errors(&value).next() {
        None => Ok(()),
        Some(error) => Err(shape(error.instance_path().as_str(), error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_schema_asks_beyond_types_is_asked() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/out/sound").join(layout::RUN_IDENTITY);
        let mut identity: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        satisfies(&IDENTITY, layout::RUN_IDENTITY, Some(&identity)).unwrap();
        identity["runtime"]["umask"] = json!("0000022");
        let error = satisfies(&IDENTITY, layout::RUN_IDENTITY, Some(&identity)).unwrap_err();
        let DerivationError::Shape { pointer, .. } = error else { panic!("{error}") };
        assert_eq!(pointer, "/runtime/umask");
    }

    #[test]
    fn every_schema_compiles() {
        for schema in [&STATUS, &MANIFEST, &IDENTITY, &WITNESS] {
            assert!(!schema.is_valid(&json!({})));
        }
    }
}
