//! A bundle's own account of itself against the published schemas.
//!
//! Reading refuses what the typed shapes refuse: an unknown key, another type. What a schema asks beyond that (a pattern, the
//! least length of a list, one of two shapes) is asked here, so that a reader who has nothing but the schemas refuses the same
//! bundles. Input documents are checked when the plan is resolved; derived ones are compared byte for byte.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde::Serialize;

use crate::record::channel_witness::ChannelWitness;
use crate::record::identity::Declaration;
use crate::record::layout;
use crate::record::manifest::{RunManifest, RunStatus};
use crate::record::schemas::WRITTEN;

/// A published schema, compiled on first use.
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

/// A document is not of its published shape.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: at `{pointer}`, {reason}")]
pub(crate) struct ShapeError {
    /// The document's name in the bundle.
    pub path: &'static str,
    /// JSON pointer of the place in it.
    pub pointer: String,
    /// What its schema asks there.
    pub reason: String,
}

/// Checks the documents that say what was run.
///
/// # Errors
/// The first that does not satisfy its schema.
pub(super) fn check(
    status: Option<&RunStatus>,
    manifest: &RunManifest,
    identity: Option<&Declaration>,
    witness: Option<&ChannelWitness>,
) -> Result<(), ShapeError> {
    satisfies(&STATUS, layout::RUN_STATUS, status)?;
    satisfies(&MANIFEST, layout::RUN_MANIFEST, Some(manifest))?;
    satisfies(&IDENTITY, layout::RUN_IDENTITY, identity)?;
    satisfies(&WITNESS, layout::CHANNEL_WITNESS, witness)
}

fn satisfies<T: Serialize>(schema: &Validator, path: &'static str, document: Option<&T>) -> Result<(), ShapeError> {
    let Some(document) = document else { return Ok(()) };
    let shape = |pointer: &str, reason: String| ShapeError { path, pointer: pointer.to_owned(), reason };
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
        assert_eq!(error.pointer, "/runtime/umask");
    }

    #[test]
    fn every_schema_compiles() {
        for schema in [&STATUS, &MANIFEST, &IDENTITY, &WITNESS] {
            assert!(!schema.is_valid(&json!({})));
        }
    }
}
