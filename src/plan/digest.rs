//! The plan digest: SHA-256 over the plan's seven material keys in one canonical form.
//!
//! Keys are sorted by code point, separators are `, ` and `: `, text is ASCII with lower-case `\uXXXX`. World, notes,
//! deadline, registries and policies are not in it: the run's identity covers those.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::file::PlanFile;
use crate::base::digest::Digest;

/// The digest of a plan.
pub fn plan_digest(plan: &PlanFile) -> Digest {
    let mut out = String::from("{\"apply_preflight_profile\": ");
    match &plan.apply_preflight_profile {
        Some(path) => write_text(&mut out, path),
        None => out.push_str("null"),
    }
    out.push_str(", \"controls\": ");
    write_object(&mut out, &plan.controls);
    out.push_str(", \"lanes\": ");
    write_object(&mut out, &plan.lanes);
    out.push_str(", \"plan_id\": ");
    write_text(&mut out, plan.plan_id.as_str());
    out.push_str(", \"profiles\": [");
    for (n, profile) in plan.profiles.iter().enumerate() {
        if n > 0 {
            out.push_str(", ");
        }
        write_text(&mut out, profile.as_str());
    }
    out.push_str("], \"registry_id\": ");
    write_text(&mut out, plan.registry_id.as_str());
    out.push_str(", \"schema_versions\": {}}");
    Digest::of(out.as_bytes())
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => write_float(out, float),
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => write_object(out, members),
    }
}

fn write_object(out: &mut String, members: &Map<String, Value>) {
    // Bytes of UTF-8 sort as their code points do.
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by_key(|(key, _)| key.as_str());
    out.push('{');
    for (n, (key, value)) in sorted.into_iter().enumerate() {
        if n > 0 {
            out.push_str(", ");
        }
        write_text(out, key);
        out.push_str(": ");
        write_value(out, value);
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// The shortest digits that read back as the same number: positional from 1e-4 up to 1e16, else with an exponent of
/// two digits at least. That is how the contract's reference writes numbers (Python's `repr`).
fn write_float(out: &mut String, float: f64) {
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    if float == 0.0 || (-4..16).contains(&exponent) {
        let text = float.to_string();
        out.push_str(&text);
        if !text.contains('.') {
            out.push_str(".0");
        }
        return;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.abs());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(value: Value) -> PlanFile {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_reference_recorded_the_same_digest() {
        // Recorded by the reference runtime in a stored bundle of its runtime-adversarial plan.
        let plan = plan(json!({
            "schema_version": "runtime-tools.plan.v0.1",
            "plan_id": "runtime-adversarial.v1",
            "registry_id": "runtime-adversarial",
            "world_id": "anything",
            "notes": "not in the digest",
            "profiles": [
                "adv:flow_divert_partial_tcp", "adv:flow_divert_require_all_tcp", "adv:mach_local_literal",
                "adv:mach_local_regex", "adv:mach_simple_allow", "adv:mach_simple_variants", "adv:net_outbound_allow",
                "adv:net_outbound_deny", "adv:path_alias", "adv:path_edges", "adv:struct_flat", "adv:struct_nested",
                "adv:path_edges_private", "adv:xattr"
            ],
            "lanes": {"scenario": true, "oracle": true, "baseline": true},
            "controls": {"baseline": true},
            "apply_preflight_profile": "book/experiments/runtime-adversarial/sb/apply_preflight_allow.sb"
        }));
        assert_eq!(plan_digest(&plan).to_string(), "8752f90ab447442d1942cae563a49dc1b8a6f7cedaeb2963e1f4c06987acd5a7");
    }

    #[test]
    fn values_have_the_canonical_form() {
        let mut out = String::new();
        write_value(
            &mut out,
            &json!({"b": [1, -2, 1.5, 1e16, 1e15, 1.5e-7, 0.0001, 1e-5, -0.0, 3.0, 1.25e300], "a": {"é😀\u{7f}\n\"": null}, "A": true}),
        );
        assert_eq!(
            out,
            r#"{"A": true, "a": {"\u00e9\ud83d\ude00\u007f\n\"": null}, "b": [1, -2, 1.5, 1e+16, 1000000000000000.0, 1.5e-07, 0.0001, 1e-05, -0.0, 3.0, 1.25e+300]}"#
        );
    }
}
