//! Drafts from what other tools have recorded of a run. The kind of a record is seen from its shape; what it says is stated, and
//! nothing else.

mod block_yaml;
mod dvc;
mod inspect;
mod kind;
mod lm_eval;
mod model_signing;
mod record;
mod request;

use std::path::Path;

use serde_json::Value;

use super::document::DeclarationDraft;
use super::error::DraftError;
use crate::base::fsx::read_input;
use crate::base::json;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
pub use kind::EvidenceKind;
use record::ForeignRecord;

/// Writes down what the file says.
///
/// # Errors
/// If it cannot be read, or is of no known kind.
pub fn draft_from(path: &Path) -> Result<(DeclarationDraft, EvidenceKind), DraftError> {
    let bytes = read_input(path, MAX_INPUT_DOCUMENT_BYTES)?;
    drafted(&bytes).map_err(|found| DraftError::Evidence { path: path.to_owned(), found })
}

/// The same of bytes. The error says what was found instead.
fn drafted(bytes: &[u8]) -> Result<(DeclarationDraft, EvidenceKind), String> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Err("it is an archive; if it is a log of inspect_ai, `inspect log dump FILE > log.json` makes one that can be read".to_owned());
    }
    let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[\"".contains(byte));
    if !is_json {
        let value = block_yaml::parse(bytes).map_err(|error| {
            format!("it is neither JSON nor a lock that DVC writes: line {}: {}", error.line, error.what)
        })?;
        let record = ForeignRecord::new(&[], value);
        return match dvc::is_one(&record) {
            true => Ok((dvc::draft(&record), EvidenceKind::DvcLock)),
            false => Err("it has no `schema: '2.0'` with `stages`, as a lock of DVC does".to_owned()),
        };
    }
    let value = json::parse(bytes).map_err(|error| format!("it is not acceptable JSON: {error}"))?;
    if let Some(statement) = model_signing::statement_in(&value)? {
        return Ok((model_signing::draft(&statement)?, EvidenceKind::ModelSigning));
    }
    let record = ForeignRecord::new(bytes, value);
    if inspect::is_one(&record) {
        return Ok((inspect::draft(&record), EvidenceKind::InspectLog));
    }
    if lm_eval::is_one(&record) {
        return Ok((lm_eval::draft(&record), EvidenceKind::LmEvalResults));
    }
    if let Some(kind) = request::kind(&record)? {
        return Ok((request::draft(&record, kind), kind));
    }
    let members: Vec<&str> =
        record.value().as_object().into_iter().flatten().map(|(name, _)| name.as_str()).take(8).collect();
    Err(match record.value() {
        Value::Object(_) => format!("an object with the members {} is none of these", members.join(", ")),
        _ => "it is no object".to_owned(),
    })
}
