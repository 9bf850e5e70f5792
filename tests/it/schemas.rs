//! The published schemas are made from `schemas/sources/` and `schemas/parts/`, and each can be used on its own.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::skip;
use crate::support::{expect_code, output, root, stdout};

/// Every published schema: its name, and what it is. In the order of the names.
pub fn published() -> impl Iterator<Item = (String, Value)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root().join("schemas")).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".schema.json") else { continue };
        found.insert(name.to_owned(), serde_json::from_slice(&fs::read(&path).unwrap()).unwrap());
    }
    assert!(found.len() > 60, "only {} schemas", found.len());
    found.into_iter()
}

/// Calls `see` with every member of every object in `value`.
fn members<'a>(value: &'a Value, see: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(object) => {
            for (key, member) in object {
                see(key, member);
                members(member, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, see)),
        _ => {}
    }
}

#[test]
fn published_schemas_are_what_their_sources_make() {
    // A parser of its own looks at them, so that the program cannot hide a fault from its own test.
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip!("there is no python3 to run scripts/bundle-schemas");
    }
    let checked = output(Command::new("python3").arg(root().join("scripts/bundle-schemas")).arg("--check"));
    assert_eq!(stdout(&checked), "", "edit schemas/sources/ and schemas/parts/, then run scripts/bundle-schemas");
    expect_code(&checked, 0);
}

#[test]
fn no_reference_leaves_a_published_schema() {
    for (name, schema) in published() {
        assert_eq!(schema["$id"], format!("urn:sandproof:schema:{name}"));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        members(&schema, &mut |key, member| {
            if key == "$ref" {
                let pointer = member.as_str().unwrap().strip_prefix('#').unwrap_or_else(|| panic!("{name}: {member}"));
                assert!(schema.pointer(pointer).is_some(), "{name}: nothing is at {member}");
            }
            // The dialect is a name that every validator knows; nothing is fetched from there. A constant is what a document says:
            // formats of others have addresses for names.
            let address = member.as_str().is_some_and(|text| text.contains("://"));
            assert!(!address || ["$schema", "description", "const"].contains(&key), "{name}: {key} is {member}");
        });
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Building follows every reference, and knows no document but this one.
        jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A list that stands twice is a list that somebody will add to once.
#[test]
fn every_closed_list_of_drivers_and_of_kinds_of_failure_has_one_source() {
    for word in ["apply_only", "oracle_only"] {
        let mut homes = Vec::new();
        for folder in ["sources", "parts"] {
            for entry in fs::read_dir(root().join("schemas").join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                members(&value, &mut |key, member| {
                    if key == "enum" && member.as_array().is_some_and(|list| list.contains(&word.into())) {
                        homes.push(path.clone());
                    }
                });
            }
        }
        assert_eq!(homes.len(), 1, "`{word}` stands in {homes:?}");
    }
}

/// Objects whose members nobody lists: the schema, where it is in that, and why.
const FREE: [(&str, &str, &str); 17] = [
    ("drift_case", "/properties/policy", "a policy has a schema of its own"),
    ("drift_report", "/properties/policy", "as in a case by itself"),
    ("plan", "/properties/controls", "the reference's; it enters the plan digest as it is written"),
    ("plan_description", "/properties/controls", "as in the plan"),
    ("plan_template", "/properties/controls", "as in the plan"),
    ("plan_template", "/properties/plan", "a template's parts are held to the schemas of what they become"),
    ("plan_template", "/properties/probes", "likewise"),
    ("plan_template", "/properties/profiles", "likewise"),
    ("plan_template", "/properties/expected_matrix", "likewise"),
    ("plan_template", "/properties/ops", "likewise"),
    ("plan_template", "/properties/operations", "likewise"),
    ("plan_template", "/properties/policies/additionalProperties", "likewise"),
    ("plan_template", "/properties/fixtures/items", "likewise"),
    ("run_identity", "/properties/controls", "as in the plan"),
    ("system_declaration", "/item", "what another system is made of is its author's to say"),
    ("system_declaration_v2", "/item", "likewise"),
    ("system_identity", "/properties/", "likewise"),
];

/// Calls `see` with every schema within a schema that says what a value is, and its JSON pointer. What stands under a condition
/// says only more of what is said elsewhere.
fn within<'a>(schema: &'a Value, at: &str, see: &mut impl FnMut(&str, &'a Value)) {
    see(at, schema);
    for name in ["properties", "$defs"] {
        for (key, inner) in schema[name].as_object().into_iter().flatten() {
            within(inner, &format!("{at}/{name}/{key}"), see);
        }
    }
    for name in ["items", "additionalProperties"] {
        if schema[name].is_object() {
            within(&schema[name], &format!("{at}/{name}"), see);
        }
    }
    for name in ["oneOf", "anyOf", "prefixItems"] {
        for (n, inner) in schema[name].as_array().into_iter().flatten().enumerate() {
            within(inner, &format!("{at}/{name}/{n}"), see);
        }
    }
}

#[test]
fn every_member_of_every_document_is_described_and_closed() {
    let mut free = std::collections::BTreeSet::new();
    for (name, schema) in published() {
        within(&schema, "", &mut |at, inner| {
            for (key, member) in inner["properties"].as_object().into_iter().flatten() {
                assert!(member["description"].is_string(), "{name}: {at}/properties/{key} is not described");
            }
            let object = inner["type"] == "object"
                || inner["type"].as_array().is_some_and(|types| types.contains(&"object".into()));
            let closed = inner["additionalProperties"] == false
                || inner["additionalProperties"].as_object().is_some_and(|rest| !rest.is_empty())
                || inner["oneOf"].is_array();
            if object && !closed {
                let known = FREE.iter().position(|(of, place, _)| *of == name && at.contains(place));
                free.insert(known.unwrap_or_else(|| panic!("{name}: {at} takes any member")));
            }
        });
    }
    assert_eq!(free.len(), FREE.len(), "an exception that nothing needs: only {free:?} are");
}
