//! `dvc.lock`: schema 2.0, as DVC's user guide has it. Its digests are MD5 and stay what they are: values, and no digests of a
//! declaration.

use serde_json::{Map, Value};

use super::record::{ForeignRecord, literal};
use crate::draft::document::DeclarationDraft;

/// Whether it is one.
pub(super) fn is_one(record: &ForeignRecord) -> bool {
    record.text("/schema") == Some("2.0") && record.get("/stages").is_some_and(Value::is_object)
}

/// What it says.
pub(super) fn draft(record: &ForeignRecord) -> DeclarationDraft {
    let mut draft = DeclarationDraft::of_run("the lock does not say it");
    let mut stages = record.object("/stages").unwrap_or_default();
    // What came out is no part of what went in.
    for stage in stages.values_mut().filter_map(Value::as_object_mut) {
        stage.remove("outs");
    }
    let mut parameters = Map::new();
    for (name, stage) in &stages {
        if let Some(found) = stage.get("params").filter(|found| found.is_object()) {
            parameters.insert(name.clone(), literal(found.clone()));
        }
    }
    if !parameters.is_empty() {
        draft.state("/artifact/parameters/other", parameters);
    }
    let count = stages.len();
    let files: usize = stages.values().filter_map(|stage| stage.get("deps")?.as_array().map(Vec::len)).sum();
    for stage in stages.values_mut().filter_map(Value::as_object_mut) {
        stage.remove("params");
    }
    draft.state("/artifact/other/stages", literal(stages));
    draft.note("stages", format!("it locks {count} stages with {files} dependencies; what a stage makes is left out"));
    draft.note("digests", "those of DVC are MD5; name the files by {\"file\": …} to have them digested");
    draft
}
