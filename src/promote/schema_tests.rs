//! What is written has the published shape.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Reason, evaluate, packet};
use crate::bundle::repair::repair;
use crate::bundle::tests::fixture::{RUN, build, verify};
use crate::record::layout;

fn schema(name: &str) -> (jsonschema::Validator, Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schemas/{name}.schema.json"));
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    (jsonschema::draft202012::new(&schema).unwrap(), schema)
}

#[test]
fn index_log_and_packet_have_their_published_shape() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    let read = |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
    let check = |name: &str, mut document: Value| {
        let (validator, schema) = schema(name);
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        for required in schema["required"].as_array().unwrap() {
            let mut without = document.clone();
            without.as_object_mut().unwrap().remove(required.as_str().unwrap());
            assert!(!validator.is_valid(&without), "{name} without {required}");
        }
        document["more"] = json!(1);
        assert!(!validator.is_valid(&document), "{name} with an unknown member");
    };
    check("artifact_index", read(layout::ARTIFACT_INDEX));
    let bundle = verify(&folder).unwrap();
    let made = serde_json::to_value(packet::make(&bundle, &evaluate(&bundle))).unwrap();
    check("promotion_packet", made);
    fs::write(folder.join("summary.md"), "x").unwrap();
    fs::remove_file(folder.join(layout::CONTROLS)).unwrap();
    repair(&folder).unwrap();
    check("artifact_index", read(layout::ARTIFACT_INDEX));
    check("repair_log", read(layout::REPAIR_LOG));
    let (_, packet) = schema("promotion_packet");
    let published: Vec<&str> =
        packet["$defs"]["reason"]["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(published, known);
}
