//! Aggregated results of `lm_eval`: members as its package 0.4 writes them (`evaluator.py`, `loggers/evaluation_tracker.py`,
//! `loggers/utils.py`).

use serde_json::{Map, Value, json};

use super::record::{ForeignRecord, literal, state_model, text};
use crate::base::digest::Digest;
use crate::draft::document::DeclarationDraft;

/// Whether it is one.
pub(super) fn is_one(record: &ForeignRecord) -> bool {
    let has = |pointer| record.get(pointer).is_some_and(Value::is_object);
    has("/results") && has("/configs") && has("/config") && record.get("/versions").is_some()
}

/// What it says.
pub(super) fn draft(record: &ForeignRecord) -> DeclarationDraft {
    let mut draft = DeclarationDraft::of_run("the results do not say it");
    model(record, &mut draft);
    given_text(record, &mut draft, "/artifact/model/chat_template", "chat_template");
    given_text(record, &mut draft, "/artifact/system_instructions", "system_instruction");
    code(record, &mut draft);
    parameters(record, &mut draft);
    draft.note("tasks", "the results are of whole tasks; the document says what their requests have in common");
    draft
}

fn model(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    if let Some(name) = record.text("/model_name") {
        state_model(draft, name);
    }
    match record.text("/config/model_sha") {
        Some(sha) => draft.state("/artifact/model/version", sha),
        None => {
            let revision = record.text("/config/model_revision").unwrap_or("the default one");
            draft.unknown(
                "/artifact/model/version",
                format!("the results have no commit of the model, only the revision: {revision}"),
            );
        }
    }
    if let Some(precision) = record.text("/config/model_dtype") {
        draft.state("/artifact/model/precision", precision);
    }
    let mut other = Map::new();
    for name in ["model_args", "model_num_parameters", "model_revision", "peft_sha", "delta_sha"] {
        if let Some(value) = record.get(&format!("/config/{name}")) {
            other.insert(name.to_owned(), literal(value.clone()));
        }
    }
    if !other.is_empty() {
        draft.state("/artifact/model/other", other);
    }
}

/// A text that the results have themselves, or by its SHA-256, or say that there was none of.
fn given_text(record: &ForeignRecord, draft: &mut DeclarationDraft, item: &str, name: &str) {
    let digest = record.text(&format!("/{name}_sha")).and_then(|text| text.parse::<Digest>().ok());
    match (record.text(&format!("/{name}")), digest, record.value().get(name)) {
        (Some(words), Some(digest), _) if Digest::of(words.as_bytes()) != digest => {
            draft.unknown(item, format!("`{name}` is not the text that `{name}_sha` is of"));
        }
        (Some(words), ..) => draft.state(item, text(words)),
        (None, Some(digest), _) => draft.state(item, json!({"digest": format!("sha256:{digest}")})),
        (None, None, Some(_)) => draft.state(item, json!({"none": "the results say that there was none"})),
        (None, None, None) => {}
    }
}

fn code(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    let mut code = Map::new();
    for name in ["lm_eval_version", "git_hash", "versions", "task_hashes"] {
        if let Some(value) =
            record.get(&format!("/{name}")).filter(|value| value.as_object().is_none_or(|members| !members.is_empty()))
        {
            code.insert(name.to_owned(), literal(value.clone()));
        }
    }
    if !code.is_empty() {
        draft.state("/artifact/code", code);
    }
    let mut other = Map::new();
    for name in ["configs", "n-shot"] {
        if let Some(value) = record.get(&format!("/{name}")) {
            other.insert(name.to_owned(), literal(value.clone()));
        }
    }
    draft.state("/artifact/other", other);
    let mut libraries = Map::new();
    for (library, name) in [("lm_eval", "lm_eval_version"), ("transformers", "transformers_version")] {
        if let Some(version) = record.text(&format!("/{name}")).filter(|version| *version != "N/A") {
            libraries.insert(library.to_owned(), version.into());
        }
    }
    if !libraries.is_empty() {
        draft.state("/runtime/libraries", libraries);
    }
    if let Some(report) = record.text("/pretty_env_info") {
        draft.state("/runtime/infrastructure", text(report));
    }
    let mut settings = Map::new();
    for name in ["model", "batch_size", "batch_sizes", "device", "use_cache"] {
        if let Some(value) = record.get(&format!("/config/{name}")) {
            settings.insert(name.to_owned(), value.clone());
        }
    }
    draft.state("/runtime/engine/settings", literal(settings));
}

fn parameters(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    let at = "/config/gen_kwargs";
    let absent = "the results do not set it for all tasks";
    record.state_decimal(draft, "/artifact/parameters/temperature", &[&format!("{at}/temperature")], 100, absent);
    record.state_decimal(draft, "/artifact/parameters/top_p", &[&format!("{at}/top_p")], 1, absent);
    let tokens = format!("{at}/max_gen_toks");
    record.state_whole(draft, "/artifact/parameters/max_output_tokens", &[&tokens], 1, json!({ "unknown": absent }));
    let mut other = Map::new();
    for name in ["gen_kwargs", "limit", "random_seed", "numpy_seed", "torch_seed", "fewshot_seed"] {
        if let Some(value) = record.get(&format!("/config/{name}")) {
            other.insert(name.to_owned(), literal(value.clone()));
        }
    }
    if !other.is_empty() {
        draft.unknown("/artifact/parameters/seed", "the harness has several seeds, which stand under other");
        draft.state("/artifact/parameters/other", other);
    }
}
