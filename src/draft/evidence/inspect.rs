//! A log of `inspect_ai`: fields as its package 0.3 has them in `EvalLog`, `EvalSpec`, `EvalPlan` and `GenerateConfig`.

use serde_json::{Map, Value, json};

use super::record::{ForeignRecord, literal, state_model, text};
use crate::draft::document::DeclarationDraft;

/// Settings that have items of their own.
const TAKEN: [&str; 8] =
    ["fallback_models", "max_retries", "max_tokens", "seed", "system_message", "temperature", "timeout", "top_p"];

/// Whether it is one.
pub(super) fn is_one(record: &ForeignRecord) -> bool {
    record.get("/version").is_some_and(Value::is_number)
        && record.text("/status").is_some()
        && record.text("/eval/task").is_some()
        && record.text("/eval/model").is_some()
}

/// What it says.
pub(super) fn draft(record: &ForeignRecord) -> DeclarationDraft {
    let mut draft = DeclarationDraft::of_run("the log does not say it");
    model(record, &mut draft);
    code(record, &mut draft);
    parameters(record, &mut draft);
    if let Some(packages) = record.object("/eval/packages") {
        draft.state("/runtime/libraries", literal(packages));
    }
    if let Some(sandbox) = record.object("/eval/sandbox") {
        draft.state("/runtime/infrastructure", json!({"sandbox": literal(sandbox)}));
    }
    match record.list("/eval/config/approval/approvers") {
        Some(approvers) => draft.state("/policy/approval_rules", literal(approvers.clone())),
        None if record.value().pointer("/eval/config").is_some_and(Value::is_object) => {
            draft.state("/policy/approval_rules", json!({"none": "the log has no approval policy"}));
        }
        None => {}
    }
    draft.unknown(
        "/artifact/conversation",
        "a log holds a conversation for each of its samples; state the one of this run",
    );
    let samples = record.get("/eval/dataset/samples").and_then(Value::as_u64);
    draft.note(
        "samples",
        match samples {
            Some(count) => format!("the log is of {count} samples; the document says what they have in common"),
            None => "the document says what the log's samples have in common".to_owned(),
        },
    );
    draft
}

fn model(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    let Some(model) = record.text("/eval/model") else { return };
    state_model(draft, model);
    if let Some((service, _)) = model.split_once('/') {
        let base = match record.text("/eval/model_base_url") {
            Some(url) => json!({ "text": url }),
            None => json!({"unknown": "the log has no base URL, so the default of that time applies"}),
        };
        draft.state(
            "/runtime/provider",
            json!({"service": service, "base_url": base, "routing": {"unknown": "the log does not say it"}}),
        );
    }
    let mut other = Map::new();
    for (name, pointer) in [("arguments", "/eval/model_args"), ("roles", "/eval/model_roles")] {
        if let Some(members) = record.object(pointer) {
            other.insert(name.to_owned(), literal(members));
        }
    }
    if !other.is_empty() {
        draft.state("/artifact/model/other", other);
    }
}

fn code(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    let mut code = Map::new();
    for (name, pointer) in
        [("task", "/eval/task"), ("task_version", "/eval/task_version"), ("task_file", "/eval/task_file")]
    {
        if let Some(value) = record.get(pointer) {
            code.insert(name.to_owned(), literal(value.clone()));
        }
    }
    let revision = match record.object("/eval/revision") {
        Some(revision) => literal(revision),
        None => json!({"unknown": "the log has no revision: the task was in no git repository"}),
    };
    code.insert("revision".to_owned(), revision);
    draft.state("/artifact/code", code);
    let mut other = Map::new();
    for (name, pointer) in
        [("dataset", "/eval/dataset"), ("task_arguments", "/eval/task_args"), ("settings", "/eval/config")]
    {
        if let Some(members) = record.object(pointer) {
            other.insert(name.to_owned(), literal(members));
        }
    }
    if let Some(steps) = record.list("/plan/steps") {
        other.insert("solvers".to_owned(), literal(steps.clone()));
    }
    if !other.is_empty() {
        draft.state("/artifact/other", other);
    }
}

fn parameters(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    let (plan, base) = ("/plan/config", "/eval/model_generate_config");
    // Both hold settings; where they differ, the log does not say which was sent.
    let places = |name: &str| -> Result<Vec<String>, String> {
        let places = [plan, base].map(|place| format!("{place}/{name}"));
        let stated: Vec<&String> = places.iter().filter(|place| record.get(place).is_some()).collect();
        match stated[..] {
            [one, other] if record.get(one) != record.get(other) => Err(format!("`{one}` and `{other}` differ")),
            _ => Ok(stated.into_iter().take(1).cloned().collect()),
        }
    };
    let absent = "the log does not set it, so a default applied";
    for (item, name, most) in [("temperature", "temperature", 100), ("top_p", "top_p", 1)] {
        let item = format!("/artifact/parameters/{item}");
        match places(name) {
            Ok(found) => {
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                record.state_decimal(draft, &item, &found, most, absent);
            }
            Err(why) => draft.unknown(&item, why),
        }
    }
    let unset = json!({ "unknown": absent });
    for (item, name, least, absent) in [
        ("/artifact/parameters/seed", "seed", i64::MIN, json!({"none": "the log sets none"})),
        ("/artifact/parameters/max_output_tokens", "max_tokens", 1, unset.clone()),
        ("/runtime/scheduler/retries", "max_retries", 0, unset.clone()),
        ("/runtime/scheduler/timeout_seconds", "timeout", 0, unset),
    ] {
        match places(name) {
            Ok(found) => {
                let found: Vec<&str> = found.iter().map(String::as_str).collect();
                record.state_whole(draft, item, &found, least, absent);
            }
            Err(why) => draft.unknown(item, why),
        }
    }
    if let Ok(found) = places("system_message")
        && let Some(words) = found.first().and_then(|place| record.text(place))
    {
        draft.state("/artifact/system_instructions", text(words));
    }
    if let Ok(found) = places("fallback_models")
        && let Some(models) = found.first().and_then(|place| record.list(place))
    {
        draft.state("/runtime/scheduler/fallback", literal(models.clone()));
    }
    let mut other = Map::new();
    for (name, place) in [("plan", plan), ("model", base)] {
        if let Some(mut members) = record.object(place) {
            members.retain(|name, _| !TAKEN.contains(&name.as_str()));
            if !members.is_empty() {
                other.insert(name.to_owned(), literal(members));
            }
        }
    }
    if !other.is_empty() {
        draft.state("/artifact/parameters/other", other);
    }
}
