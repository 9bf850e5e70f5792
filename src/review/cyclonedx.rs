//! A declaration of another system as a CycloneDX 1.6 document (ECMA-424): a bill of materials with the model, its data and what it runs
//! on as components, and the whole declaration, item by item, as properties.
//!
//! What is unknown, and what there is none of, makes no component; a property says which of the two it is. A digest of a folder (SPEC
//! 8.6) is no hash of a file's bytes, so that it is a property and no hash.

use serde_json::{Map, Value, json};

use crate::base::VERSION;
use crate::base::canon::pointer_part;
use crate::record::identity::{Declaration, DeclarationPart};

/// Where the names of properties begin that are nobody else's.
const NAMESPACE: &str = "sandproof";

/// Items that are a component of their own wherever they have content: pointer, type of component, type of data if it is data.
const ITEMS: [(&str, &str, &str); 19] = [
    ("/artifact/code", "data", "source-code"),
    ("/artifact/build/lock", "data", "configuration"),
    ("/artifact/build/image", "container", ""),
    ("/artifact/model/adapters", "file", ""),
    ("/artifact/model/tokenizer", "file", ""),
    ("/artifact/model/chat_template", "file", ""),
    ("/artifact/system_instructions", "data", "configuration"),
    ("/artifact/prompt", "data", "configuration"),
    ("/artifact/parameters/defaults", "data", "configuration"),
    ("/artifact/tools/definitions", "data", "definition"),
    ("/artifact/tools/implementations", "application", ""),
    ("/artifact/retrieval/index", "data", "dataset"),
    ("/artifact/retrieval/retrieved", "data", "dataset"),
    ("/artifact/retrieval/embedding_model", "machine-learning-model", ""),
    ("/artifact/conversation", "data", "other"),
    ("/policy/approval_rules", "data", "configuration"),
    ("/policy/safety_filters", "data", "configuration"),
    ("/history/memory", "data", "dataset"),
    ("/history/cached_context", "data", "dataset"),
];

/// The bill of materials of a declaration. Equal declarations have equal bills: nothing in one says when or where it was made.
pub fn bill_of_materials(declaration: &Declaration) -> Value {
    let parts: Map<String, Value> = DeclarationPart::ALL
        .into_iter()
        .map(|part| (part.as_str().to_owned(), Value::Object(declaration.part(part).clone())))
        .collect();
    let whole = Value::Object(parts);
    let mut components: Vec<Value> = model(&whole).into_iter().collect();
    for (pointer, kind, data) in ITEMS {
        components.extend(whole.pointer(pointer).and_then(|item| content(pointer, pointer, kind, data, item)));
    }
    for (at, kind) in [
        ("/artifact/read", "file"),
        ("/artifact/model/other/files", "file"),
        ("/artifact/sealed/inputs", "file"),
        ("/runtime/sealed/files", "file"),
    ] {
        for (name, item) in whole.pointer(at).and_then(Value::as_object).into_iter().flatten() {
            components.extend(content(&format!("{at}/{}", pointer_part(name)), name, kind, "", item));
        }
    }
    components.extend(libraries(&whole));
    let mut described = vec![
        property("identity", declaration.identity.to_string()),
        property("schema_version", declaration.schema_version.clone()),
    ];
    let completeness = declaration.completeness.and_then(|found| serde_json::to_value(found).ok());
    described.extend(completeness.and_then(|found| Some(property("completeness", found.as_str()?.to_owned()))));
    for part in DeclarationPart::ALL {
        described.push(property(&format!("digests/{}", part.as_str()), declaration.digests.of(part).to_string()));
    }
    leaves("", &whole, &mut described);
    let identity = declaration.identity.to_string();
    let mut bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial_number(&identity),
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "sandproof", "version": VERSION}]},
            "component": {
                "type": "application",
                "bom-ref": "/",
                "name": declaration.kind,
                "version": identity,
                "properties": described,
            },
        },
        "components": components,
    });
    if let Some(formulation) = formulation(&whole) {
        bill["formulation"] = formulation;
    }
    bill
}

/// A UUID of version 8 (RFC 9562), whose bits are those of the identity.
fn serial_number(identity: &str) -> String {
    let variant = ["8", "9", "a", "b"][usize::from(identity.as_bytes()[16] % 4)];
    let [a, b, c, d, e] = [&identity[..8], &identity[8..12], &identity[13..16], &identity[17..20], &identity[20..32]];
    format!("urn:uuid:{a}-{b}-8{c}-{variant}{d}-{e}")
}

fn property(name: &str, value: String) -> Value {
    json!({"name": format!("{NAMESPACE}:{name}"), "value": value})
}

/// The SHA-256 of an item that is sealed by its bytes.
fn hash(item: &Value) -> Option<&str> {
    let found = item.get("digest").or_else(|| item.pointer("/json/digest"))?;
    found.as_str()?.strip_prefix("sha256:")
}

fn folder(item: &Value) -> Option<&str> {
    item.get("folder")?.as_str()
}

/// A component for an item that has content. `None`: it is unknown, there is none, or it is said in words, which properties hold.
fn content(at: &str, name: &str, kind: &str, data: &str, item: &Value) -> Option<Value> {
    let mut component = json!({"type": kind, "bom-ref": at, "name": name.trim_start_matches('/')});
    match (hash(item), folder(item)) {
        (Some(hash), _) => component["hashes"] = json!([{"alg": "SHA-256", "content": hash}]),
        (None, Some(folder)) => component["properties"] = json!([property("folder", folder.to_owned())]),
        (None, None) => return None,
    }
    if !data.is_empty() {
        component["data"] = json!([{"type": data, "name": name.trim_start_matches('/')}]);
    }
    Some(component)
}

/// The model, if anything is known of it.
fn model(whole: &Value) -> Option<Value> {
    let text = |name: &str| whole.pointer(&format!("/artifact/model/{name}")).and_then(Value::as_str);
    let weights =
        whole.pointer("/artifact/model/weights").filter(|item| hash(item).is_some() || folder(item).is_some());
    let name = text("name");
    if name.is_none() && weights.is_none() {
        return None;
    }
    let at = "/artifact/model";
    let mut component = json!({"type": "machine-learning-model", "bom-ref": at, "name": name.unwrap_or("model")});
    if let Some(version) = text("version") {
        component["version"] = version.into();
    }
    if let Some(hash) = weights.and_then(hash) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": hash}]);
    }
    if let Some(folder) = weights.and_then(folder) {
        component["properties"] = json!([property("folder", folder.to_owned())]);
    }
    let mut parameters = Vec::new();
    leaves("/artifact/parameters", whole.pointer("/artifact/parameters").unwrap_or(&Value::Null), &mut parameters);
    let datasets: Vec<Value> = ["/artifact/retrieval/index", "/history/memory"]
        .into_iter()
        .filter(|at| whole.pointer(at).is_some_and(|item| hash(item).is_some() || folder(item).is_some()))
        .map(|at| json!({ "ref": at }))
        .collect();
    let mut card = json!({ "properties": parameters });
    if !datasets.is_empty() {
        card["modelParameters"] = json!({ "datasets": datasets });
    }
    component["modelCard"] = card;
    Some(component)
}

/// Libraries that are stated by version, or by path.
fn libraries(whole: &Value) -> Vec<Value> {
    let at = "/runtime/libraries";
    let Some(stated) = whole.pointer(at).and_then(Value::as_object) else { return Vec::new() };
    let library = |at: String, name: &str| json!({"type": "library", "bom-ref": at, "name": name});
    let mut found = Vec::new();
    for (name, value) in stated {
        let at = format!("{at}/{}", pointer_part(name));
        match value {
            Value::String(version) => {
                let mut component = library(at, name);
                component["version"] = version.as_str().into();
                found.push(component);
            }
            Value::Array(paths) => {
                let texts = paths.iter().enumerate().filter_map(|(n, path)| Some((n, path.as_str()?)));
                found.extend(texts.map(|(n, path)| library(format!("{at}/{n}"), path)));
            }
            Value::Object(_) => found.extend(content(&at, name, "library", "", value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    found
}

/// The command line as the one step of a workflow.
fn formulation(whole: &Value) -> Option<Value> {
    let sealed = whole.pointer("/artifact/sealed/command/argv");
    let words = sealed.or_else(|| whole.pointer("/artifact/command"))?.as_array()?;
    let words: Option<Vec<String>> = words.iter().map(|word| Some(quoted(word.as_str()?))).collect();
    Some(json!([{
        "bom-ref": "/artifact/command",
        "workflows": [{
            "bom-ref": "/artifact/command/workflow",
            "uid": "command",
            "taskTypes": ["other"],
            "steps": [{"name": "command", "commands": [{"executed": words?.join(" ")}]}],
        }],
    }]))
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Every item below a pointer as a property, by its pointer.
fn leaves(at: &str, value: &Value, into: &mut Vec<Value>) {
    let single = |members: &Map<String, Value>| match members.iter().next() {
        Some((word, Value::Bool(true)))
            if members.len() == 1 && ["none", "unknown", "per_run"].contains(&word.as_str()) =>
        {
            Some(word.clone())
        }
        Some((word, Value::String(text))) if members.len() == 1 && word == "digest" => Some(text.clone()),
        Some((word, Value::String(text)))
            if members.len() == 1 && ["folder", "in", "number"].contains(&word.as_str()) =>
        {
            Some(format!("{word} {text}"))
        }
        _ => None,
    };
    match value {
        Value::Object(members) => match single(members) {
            Some(text) => into.push(property(at, text)),
            None => {
                for (name, member) in members {
                    leaves(&format!("{at}/{}", pointer_part(name)), member, into);
                }
            }
        },
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                leaves(&format!("{at}/{n}"), item, into);
            }
        }
        Value::String(text) => into.push(property(at, text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => into.push(property(at, value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_a_uuid_of_the_identity_and_of_no_other() {
        let one = serial_number(&"0123456789abcdef".repeat(4));
        assert_eq!(one, "urn:uuid:01234567-89ab-8def-8123-456789abcdef");
        assert_ne!(one, serial_number(&"1123456789abcdef".repeat(4)));
    }

    #[test]
    fn a_command_line_can_be_typed_again() {
        for (word, text) in
            [("a-b_c.py", "a-b_c.py"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\\''s'"), ("$x", "'$x'")]
        {
            assert_eq!(quoted(word), text);
        }
    }
}
