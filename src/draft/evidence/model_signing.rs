//! What `model_signing` signs: an in-toto statement of the predicate `https://model_signing/signature/v1.0`, whose subject has SHA-256
//! over the digests of all files in the order in which they stand (its `_signing/signing.py`); in a sigstore bundle, or by itself.

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};

use crate::base::digest::{Digest, Hasher};
use crate::base::json;
use crate::draft::document::DeclarationDraft;

const PREDICATE: &str = "https://model_signing/signature/v1.0";

/// The statement in a document, if it has one of this predicate.
///
/// # Errors
/// What is wrong with a bundle of which that cannot be told.
pub(super) fn statement_in(value: &Value) -> Result<Option<Value>, String> {
    let statement = match value.pointer("/dsseEnvelope/payload").and_then(Value::as_str) {
        Some(payload) => {
            let bytes =
                Base64::decode_vec(payload).map_err(|_| "the payload of its envelope is not Base64".to_owned())?;
            json::parse(&bytes)
                .map_err(|error| format!("the payload of its envelope is not acceptable JSON: {error}"))?
        }
        None => value.clone(),
    };
    match statement.get("predicateType").and_then(Value::as_str) {
        Some(PREDICATE) => Ok(Some(statement)),
        Some(other) => Err(format!("it is a statement of the predicate `{other}`, not of `{PREDICATE}`")),
        None => Ok(None),
    }
}

/// What it says.
///
/// # Errors
/// What does not hold in itself.
pub(super) fn draft(statement: &Value) -> Result<DeclarationDraft, String> {
    let mut draft = DeclarationDraft::of_run("the manifest does not say it");
    let subject = &statement["subject"][0];
    let resources = statement["predicate"]["resources"].as_array().filter(|all| !all.is_empty());
    let resources = resources.ok_or("its predicate lists no resources")?;
    let mut whole = Hasher::default();
    let mut files = Map::new();
    let mut weights = Vec::new();
    for one in resources {
        let text = |name: &str| one[name].as_str().ok_or_else(|| format!("a resource of it has no `{name}`"));
        let (name, algorithm, digest) = (text("name")?, text("algorithm")?, text("digest")?);
        whole.update(&bytes_of(digest).ok_or_else(|| format!("the digest of `{name}` is not hexadecimal"))?);
        let stated = match (algorithm, digest.parse::<Digest>()) {
            ("sha256", Ok(digest)) => json!({"digest": format!("sha256:{digest}")}),
            _ => json!({"unknown": format!("the manifest has its digest by {algorithm} alone")}),
        };
        if files.insert(name.to_owned(), stated.clone()).is_some() {
            return Err(format!("it lists `{name}` twice"));
        }
        if stated.get("digest").is_none() {
            continue;
        }
        match name {
            "tokenizer.json" | "tokenizer.model" => draft.state("/artifact/model/tokenizer", stated),
            "chat_template.jinja" => draft.state("/artifact/model/chat_template", stated),
            _ if [".safetensors", ".gguf", ".onnx"].iter().any(|ending| name.ends_with(ending)) => weights.push(stated),
            _ => {}
        }
    }
    let (root, _) = whole.finish();
    if subject["digest"]["sha256"].as_str() != Some(&root.to_string()) {
        return Err("the digest of its subject is not that of the resources that it lists".to_owned());
    }
    if let Some(name) = subject["name"].as_str().filter(|name| !name.trim().is_empty()) {
        draft.state("/artifact/model/name", name);
    }
    match &weights[..] {
        [one] => draft.state("/artifact/model/weights", one.clone()),
        _ => draft.unknown(
            "/artifact/model/weights",
            "the manifest lists files, under other, and does not say which of them are the weights",
        ),
    }
    draft.state("/artifact/model/other", json!({
        "files": files,
        "manifest": {"value": {"sha256": root.to_string(), "serialization": statement["predicate"]["serialization"]}},
    }));
    draft.note("signature", "it was not verified: the document says what the manifest lists, whoever signed it");
    draft.note("files", "they were not looked at; `{\"folder\": …}` or `{\"file\": …}` instead of digests has them read when the document is sealed");
    Ok(draft)
}

fn bytes_of(hexadecimal: &str) -> Option<Vec<u8>> {
    if hexadecimal.is_empty() || !hexadecimal.is_ascii() || !hexadecimal.len().is_multiple_of(2) {
        return None;
    }
    (0..hexadecimal.len()).step_by(2).map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).ok()).collect()
}
