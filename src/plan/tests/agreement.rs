//! Schema and typed shape say the same of every document.

use super::*;
use crate::plan::schema::DocumentKind;
use crate::policy::landlock::PolicyDocument;
use crate::record::world::WorldFile;

/// The documents that mutations start from: every key of every format is there.
fn complete() -> Vec<(DocumentKind, Value)> {
    let mut sample = Sample::new();
    sample.plan["deadline_ms"] = json!(1000);
    sample.plan["notes"] = json!("n");
    sample.index["registries"][0]["description"] = json!("d");
    let fixtures = json!([
        {"path": "f", "kind": "file", "text": "t", "mode": "0600", "xattrs": {"user.a": "b"}},
        {"path": "s", "kind": "symlink", "to": "f"}
    ]);
    let extra = json!({
        "expectation_id": "e", "mode": "scenario", "syscall": "openat", "attr_payload": "cmn", "anchor_ctx_id": "ctx:0",
        "filter_name": "path", "filter_type": 1, "to": "x", "attribute": "user.a", "fixtures": fixtures,
        "mounts": [{"from": "${root}/a", "at": "${root}/b"}], "listener": {"kind": "tcp", "address": "127.0.0.1:1"},
        "why": "w"
    });
    let entry = sample.probes["probes"]["read_in"].as_object_mut().unwrap();
    entry.extend(extra.as_object().unwrap().clone());
    sample.profiles["profiles"]["one"]["fixtures"] = fixtures;
    sample.policy["description"] = json!("d");
    sample.policy["handled"] = json!({"fs": ["read_file"], "net": ["bind_tcp"], "scope": ["signal"]});
    sample.policy["net_port"] = json!([{"port": "1", "allow": ["bind_tcp"]}]);
    vec![
        (DocumentKind::Plan, sample.plan),
        (DocumentKind::RegistryIndex, sample.index),
        (DocumentKind::ProbeRegistry, sample.probes),
        (DocumentKind::ProfileRegistry, sample.profiles),
        (DocumentKind::LandlockPolicy, sample.policy),
        (
            DocumentKind::World,
            json!({
                "schema_version": "sandproof.world.v1", "world_id": "w", "description": "d",
                "match": {"os": "linux", "arch": "x86_64"}, "derive_id": ["os", "lsms"], "clean_channels": ["systemd_clean"],
            }),
        ),
    ]
}

fn typed_accepts(kind: DocumentKind, value: Value) -> bool {
    match kind {
        DocumentKind::Plan => serde_json::from_value::<file::PlanFile>(value).is_ok(),
        DocumentKind::RegistryIndex => serde_json::from_value::<file::IndexFile>(value).is_ok(),
        DocumentKind::ProbeRegistry => serde_json::from_value::<file::ProbesFile>(value).is_ok(),
        DocumentKind::ProfileRegistry => serde_json::from_value::<file::ProfilesFile>(value).is_ok(),
        DocumentKind::LandlockPolicy => serde_json::from_value::<PolicyDocument>(value).is_ok(),
        DocumentKind::Launcher => serde_json::from_value::<crate::policy::launcher::LauncherDocument>(value).is_ok(),
        DocumentKind::World => serde_json::from_value::<WorldFile>(value).is_ok(),
        // Its shape depends on the builder; `template::tests` has refusals for each.
        DocumentKind::PlanTemplate => unreachable!("a template is not among the documents compared"),
        // It is read as a value; `subject::tests` holds schema and reader together.
        DocumentKind::SystemDeclaration | DocumentKind::SystemDeclarationV2 => {
            unreachable!("it is not among the documents compared")
        }
    }
}

/// Every place of a document, as JSON pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(key, member)| places(member, &format!("{at}/{}", diagnostic::pointer_part(key)), out));
        }
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{at}/{n}"), out)),
        _ => {}
    }
}

/// Where the typed shape is wider than the schema on purpose: free text that the schema fixes to known words. Both
/// pass through the schema, so the wider one never decides.
fn is_word(pointer: &str) -> bool {
    pointer == "/schema_version"
        || pointer.contains("/controls_supported/")
        || pointer.starts_with("/lanes")
        || pointer.starts_with("/derive_id/")
}

#[test]
fn schema_and_typed_shape_agree_on_every_mutation() {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!("text"),
        json!([]),
        json!({}),
        json!([1]),
        json!({"k": 1}),
    ];
    let mut compared = 0;
    for (kind, document) in complete() {
        assert!(kind.accepts(&document), "{}", kind.name());
        assert!(typed_accepts(kind, document.clone()), "{}", kind.name());
        let mut agree = |what: String, value: Value| {
            compared += 1;
            let schema = kind.accepts(&value);
            assert_eq!(schema, typed_accepts(kind, value), "{}: {what}: the schema says {schema}", kind.name());
        };
        let mut all = Vec::new();
        places(&document, "", &mut all);
        for pointer in &all {
            for other in &others {
                // An ABI below 1 is refused again when the policy is compiled; and serde takes a list for a structure
                // whose every member may be absent. The schema is asked first.
                let narrower =
                    (pointer == "/abi" && *other == json!(-1)) || (pointer == "/handled" && *other == json!([]));
                if is_word(pointer) || narrower {
                    continue;
                }
                let mut changed = document.clone();
                *changed.pointer_mut(pointer).unwrap() = other.clone();
                agree(format!("{pointer} = {other}"), changed);
            }
            if let Some(members) = document.pointer(pointer).and_then(Value::as_object) {
                for key in members.keys() {
                    let mut changed = document.clone();
                    changed.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key);
                    agree(format!("{pointer} without {key}"), changed);
                }
                // Maps with free keys take further ones of the right type only; `1` fits `controls` alone.
                if pointer != "/lanes" {
                    let mut changed = document.clone();
                    changed.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert("zebra".into(), json!(1));
                    agree(format!("{pointer} with zebra"), changed);
                }
            }
            if let Some(items) = document.pointer(pointer).and_then(Value::as_array)
                && let Some(first) = items.first()
            {
                let mut changed = document.clone();
                changed.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(first.clone());
                agree(format!("{pointer} with its first item twice"), changed);
            }
        }
    }
    assert!(compared > 1500, "only {compared} mutations were compared");
}

#[test]
fn what_the_typed_shape_writes_satisfies_the_schema() {
    for (kind, document) in complete() {
        let again = match kind {
            DocumentKind::Plan => serde_json::to_value(serde_json::from_value::<file::PlanFile>(document).unwrap()),
            DocumentKind::RegistryIndex => {
                serde_json::to_value(serde_json::from_value::<file::IndexFile>(document).unwrap())
            }
            DocumentKind::ProbeRegistry => {
                serde_json::to_value(serde_json::from_value::<file::ProbesFile>(document).unwrap())
            }
            DocumentKind::ProfileRegistry => {
                serde_json::to_value(serde_json::from_value::<file::ProfilesFile>(document).unwrap())
            }
            DocumentKind::LandlockPolicy => {
                serde_json::to_value(serde_json::from_value::<PolicyDocument>(document).unwrap())
            }
            DocumentKind::Launcher => serde_json::to_value(
                serde_json::from_value::<crate::policy::launcher::LauncherDocument>(document).unwrap(),
            ),
            DocumentKind::World => serde_json::to_value(serde_json::from_value::<WorldFile>(document).unwrap()),
            DocumentKind::PlanTemplate => unreachable!("a template is not among the documents compared"),
            DocumentKind::SystemDeclaration | DocumentKind::SystemDeclarationV2 => {
                unreachable!("it is not among the documents compared")
            }
        };
        assert!(kind.accepts(&again.unwrap()), "{}", kind.name());
    }
}
