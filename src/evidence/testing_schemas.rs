//! Every artifact of a test is checked against its published schema.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use super::testing::Memory;
use crate::record::layout;

macro_rules! schema {
    ($name:literal) => {
        LazyLock::new(|| {
            let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/", $name, ".schema.json"));
            let schema: Value = crate::base::json::parse(text.as_bytes()).unwrap();
            assert_eq!(schema["$id"], concat!("urn:sandproof:schema:", $name));
            jsonschema::validator_for(&schema).unwrap()
        })
    };
}

static ARTIFACTS: [(&str, LazyLock<Validator>); 13] = [
    (layout::EXPECTED_MATRIX, schema!("expected_matrix")),
    (layout::EXPECTED_MATRIX_GENERATED, schema!("expected_matrix")),
    (layout::RUNTIME_RESULTS, schema!("runtime_results")),
    (layout::RUNTIME_EVENTS, schema!("runtime_events")),
    (layout::BASELINE_RESULTS, schema!("baseline_results")),
    (layout::ORACLE_RESULTS, schema!("oracle_results")),
    (layout::MISMATCH_SUMMARY, schema!("mismatch_summary")),
    (layout::MISMATCH_PACKETS, schema!("mismatch_packet")),
    (layout::VERDICTS, schema!("verdict")),
    (layout::PATH_WITNESSES, schema!("path_witnesses")),
    (layout::FIXTURES, schema!("fixtures")),
    (layout::CONTROLS, schema!("controls")),
    (layout::SUMMARY, schema!("summary")),
];
pub(super) static PROBE_ROW: LazyLock<Validator> = schema!("probe_row");
pub(super) static ORACLE_ROW: LazyLock<Validator> = schema!("oracle_row");
pub(super) static RUN_MANIFEST: LazyLock<Validator> = schema!("run_manifest");
pub(super) static RUN_STATUS: LazyLock<Validator> = schema!("run_status");
pub(super) static APPLY_PREFLIGHT: LazyLock<Validator> = schema!("apply_preflight");

/// Panics with the first violation.
pub(super) fn accept(validator: &Validator, what: &str, value: &Value) {
    if let Err(error) = validator.validate(value) {
        panic!("{what}: {error} at {} (schema {})", error.instance_path(), error.schema_path());
    }
}

/// Checks every artifact of a derivation.
pub(super) fn check(memory: &Memory) {
    for (name, bytes) in &memory.0 {
        if name == layout::SUMMARY_TEXT {
            continue;
        }
        let (_, validator) = ARTIFACTS.iter().find(|(known, _)| known == name).expect("every artifact has a schema");
        assert!(bytes.is_ascii(), "{name}");
        if [layout::MISMATCH_PACKETS, layout::VERDICTS].contains(&name.as_str()) {
            for line in memory.text(name).lines().filter(|line| !line.is_empty()) {
                let value = crate::base::json::parse(line.as_bytes()).unwrap();
                sorted(name, &value, line);
                accept(validator, name, &value);
            }
            continue;
        }
        assert!(!bytes.ends_with(b"\n"), "{name} ends in a newline");
        let value = memory.json(name);
        if name == layout::RUNTIME_EVENTS {
            for event in value.as_array().unwrap() {
                assert!(event.as_object().unwrap().values().all(|member| !member.is_null()), "a null in {event}");
            }
        }
        accept(validator, name, &value);
    }
    if let Some(events) = memory.0.get(layout::RUNTIME_EVENTS) {
        let text = std::str::from_utf8(events).unwrap();
        sorted(layout::RUNTIME_EVENTS, &memory.json(layout::RUNTIME_EVENTS), text);
    }
}

/// Panics unless the keys of every object stand in alphabetical order in `text`.
///
/// A parsed object is sorted by key, so writing it again in the same form must give the same text.
fn sorted(name: &str, value: &Value, text: &str) {
    let mut again = Vec::new();
    if name == layout::VERDICTS {
        again = crate::base::canon::canonical(value).unwrap();
    } else if name == layout::MISMATCH_PACKETS {
        crate::base::json_out::append_line(&mut again, value).unwrap();
    } else {
        again = crate::base::json_out::to_pretty(value);
    }
    assert_eq!(std::str::from_utf8(&again).unwrap(), text, "{name} has keys out of order");
}
