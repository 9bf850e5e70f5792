//! The digest of a probe: of what it does, whatever it is called and whatever is expected of it (SPEC.md, section 3.3).

use serde_json::{Map, Value};

use super::file::ProbeEntry;
use crate::base::canon;
use crate::base::digest::Digest;

/// The members of a probe that say what it does.
const MEMBERS: [&str; 14] = [
    "argv",
    "attr_payload",
    "attribute",
    "driver",
    "exit_code",
    "filter_name",
    "filter_type",
    "fixtures",
    "listener",
    "mounts",
    "operation",
    "syscall",
    "target",
    "to",
];

/// The digest of what a probe does, as its registry has it, placeholders too.
pub fn probe_digest(probe: &ProbeEntry) -> Digest {
    let Ok(Value::Object(mut members)) = serde_json::to_value(probe) else {
        unreachable!("a probe is written as an object");
    };
    members.retain(|name, _| MEMBERS.contains(&name.as_str()));
    canon::digest_data(&Value::Object(without_empty(members)))
        .expect("the registry's schema takes only numbers that have a canonical form")
}

/// The members that say something: null, an empty list and an empty object do not.
fn without_empty(members: Map<String, Value>) -> Map<String, Value> {
    let said = members.into_iter().map(|(name, value)| (name, inner(value)));
    said.filter(|(_, value)| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    })
    .collect()
}

fn inner(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(without_empty(members)),
        Value::Array(items) => Value::Array(items.into_iter().map(inner).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(more: &Value) -> Digest {
        let mut entry = json!({
            "probe_id": "p", "operation": "file-read-data", "target": "${root}/é", "expected": "deny",
            "driver": "file_read", "fixtures": [{"path": "é", "kind": "file", "text": ""}],
        });
        for (name, value) in more.as_object().unwrap() {
            entry[name] = value.clone();
        }
        probe_digest(&serde_json::from_value(entry).unwrap())
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_form() {
        let text = r#"{"driver":"file_read","fixtures":[{"kind":"file","path":"é","text":""}],"operation":"file-read-data","target":"${root}/é"}"#;
        assert_eq!(digest(&json!({})), Digest::of(text.as_bytes()));
    }

    #[test]
    fn what_is_done_is_in_it_and_nothing_else() {
        let plain = digest(&json!({}));
        for same in [
            json!({"probe_id": "other", "name": "n"}),
            json!({"expected": "allow"}),
            json!({"errno": ["EACCES"], "expectation_id": "e", "anchor_ctx_id": "a"}),
            json!({"argv": [], "mounts": [], "to": null}),
            json!({"fixtures": [{"path": "é", "kind": "file", "text": "", "xattrs": {}, "mode": null}]}),
            json!({"supports_lanes": {"oracle": false}}),
        ] {
            assert_eq!(digest(&same), plain, "{same}");
        }
        for other in [
            json!({"target": "${root}/e"}),
            json!({"operation": "file-read-metadata"}),
            json!({"driver": "file_stat"}),
            json!({"fixtures": []}),
            json!({"fixtures": [{"path": "é", "kind": "file"}]}),
            json!({"argv": ["a"]}),
            json!({"exit_code": 0}),
            json!({"filter_type": 9_007_199_254_740_991_i64}),
            json!({"listener": {"kind": "tcp", "address": "127.0.0.1:${port.a}"}}),
            json!({"mounts": [{"from": "a", "at": "b"}]}),
        ] {
            assert_ne!(digest(&other), plain, "{other}");
        }
    }
}
