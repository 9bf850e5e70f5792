//! The body of a request to a chat service. Shapes: the reference of OpenAI's `POST /v1/chat/completions`, and that of Anthropic's
//! `POST /v1/messages`.

use serde_json::{Map, Value, json};

use super::kind::EvidenceKind;
use super::record::{ForeignRecord, literal, state_model, text};
use crate::draft::document::DeclarationDraft;

/// Members that only a chat-completions request has.
const ONLY_CHAT: [&str; 13] = [
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
];
/// Members that only a messages request has.
const ONLY_MESSAGES: [&str; 5] = ["anthropic_version", "stop_sequences", "system", "thinking", "top_k"];
/// Members that have items of their own.
const TAKEN: [&str; 11] = [
    "functions",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "seed",
    "system",
    "temperature",
    "tools",
    "top_p",
    "anthropic_version",
];

/// Which of the two it is. `None`: none.
///
/// # Errors
/// What it has of both.
pub(super) fn kind(record: &ForeignRecord) -> Result<Option<EvidenceKind>, String> {
    let is_message = |message: &Value| message.get("role").is_some_and(Value::is_string);
    let is_one = record.text("/model").is_some()
        && record.value().get("messages").and_then(Value::as_array).is_some_and(|all| all.iter().all(is_message));
    if !is_one {
        return Ok(None);
    }
    let has = |names: &[&'static str]| {
        names.iter().find(|name| record.value().get(**name).is_some()).map(|name| (*name).to_owned())
    };
    let messages = record.list("/messages").into_iter().flatten();
    let role = messages
        .filter_map(|one| one["role"].as_str())
        .find(|role| ["system", "developer", "tool", "function"].contains(role));
    let tools: Vec<&Value> = record.list("/tools").into_iter().flatten().collect();
    let function = tools.iter().any(|tool| tool.get("function").is_some()).then(|| "tools with `function`".to_owned());
    let schema =
        tools.iter().any(|tool| tool.get("input_schema").is_some()).then(|| "tools with `input_schema`".to_owned());
    let chat = has(&ONLY_CHAT).or_else(|| role.map(|role| format!("the role {role}"))).or(function);
    let messages = has(&ONLY_MESSAGES).or(schema);
    match (chat, messages) {
        (Some(chat), Some(messages)) => Err(format!(
            "as a request it has {chat}, which is of chat-completions, and {messages}, which is of messages"
        )),
        (Some(_), None) => Ok(Some(EvidenceKind::ChatCompletions)),
        (None, Some(_)) => Ok(Some(EvidenceKind::Messages)),
        (None, None) => Ok(Some(EvidenceKind::EitherRequest)),
    }
}

/// What it says.
pub(super) fn draft(record: &ForeignRecord, _kind: EvidenceKind) -> DeclarationDraft {
    let mut draft = DeclarationDraft::of_run("the request does not say it");
    if let Some(model) = record.text("/model") {
        state_model(&mut draft, model);
    }
    let messages = record.list("/messages").cloned().unwrap_or_default();
    let is_instruction =
        |message: &&Value| ["system", "developer"].contains(&message["role"].as_str().unwrap_or_default());
    let (instructions, conversation) = match record.value().get("system") {
        Some(system) => (vec![system.clone()], messages),
        None => {
            let first = messages.iter().take_while(is_instruction).count();
            (messages[..first].to_vec(), messages[first..].to_vec())
        }
    };
    draft.state("/artifact/system_instructions", instructed(&instructions));
    draft.state(
        "/artifact/conversation",
        match conversation.is_empty() {
            true => json!({"none": "the request has no messages beyond its instructions"}),
            false => literal(conversation),
        },
    );
    parameters(record, &mut draft);
    let tools = record.list("/tools").or_else(|| record.list("/functions"));
    match tools {
        Some(tools) => draft.state("/artifact/tools/definitions", literal(tools.clone())),
        None => draft.state("/artifact/tools", json!({"none": "the request offers no tools"})),
    }
    draft
}

/// Instructions: a single text by its bytes, or else what stands there.
fn instructed(found: &[Value]) -> Value {
    let words = |value: &Value| match value {
        Value::String(words) => Some(words.clone()),
        Value::Object(message) if message.contains_key("role") => message.get("content")?.as_str().map(str::to_owned),
        _ => None,
    };
    match found {
        [] => json!({"none": "the request has no instructions"}),
        [one] => match words(one) {
            Some(words) if words.is_empty() => json!({"none": "the instructions are an empty text"}),
            Some(words) => text(&words),
            None => literal(one.clone()),
        },
        several => literal(several.to_vec()),
    }
}

fn parameters(record: &ForeignRecord, draft: &mut DeclarationDraft) {
    let absent = "the request does not set it, so the service's default applies";
    record.state_decimal(draft, "/artifact/parameters/temperature", &["/temperature"], 100, absent);
    record.state_decimal(draft, "/artifact/parameters/top_p", &["/top_p"], 1, absent);
    record.state_whole(
        draft,
        "/artifact/parameters/seed",
        &["/seed"],
        i64::MIN,
        json!({"none": "the request sends none"}),
    );
    let tokens = ["/max_completion_tokens", "/max_tokens"];
    record.state_whole(draft, "/artifact/parameters/max_output_tokens", &tokens, 1, json!({ "unknown": absent }));
    let other: Map<String, Value> = record
        .value()
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !TAKEN.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !other.is_empty() {
        draft.state("/artifact/parameters/other", literal(other));
    }
    if let Some(version) = record.text("/anthropic_version") {
        draft.state(
            "/runtime/provider",
            json!({"api_version": version, "service": {"unknown": "the request does not say where it went"}}),
        );
    }
}
