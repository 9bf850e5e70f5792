use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;

use serde_json::{Value, json};

use super::super::error::LoadError;
use super::super::schema::DocumentKind;
use super::super::source::Workspace;
use super::number;
use super::v1::STATED;
use super::*;
use crate::base::digest::Digest;
use crate::base::limits::MAX_SUBJECT_FILE_BYTES;
use crate::record::identity::SYSTEM_DECLARATION_SCHEMA;
use crate::record::subject_digest::NamedThing;

/// A complete declaration.
fn complete() -> Value {
    json!({
        "schema_version": SYSTEM_DECLARATION_SCHEMA,
        "kind": AI_RUN,
        "artifact": {
            "model": {"name": "m", "version": "m-2026-01-01", "weights": {"absent": "the provider publishes none"}},
            "system_instructions": {"file": "prompts/system.txt"},
            "parameters": {"temperature": "0.7", "top_p": "1", "seed": {"absent": "not offered"}, "max_output_tokens": 4096},
            "tools": {"read": {"parameters": {"path": "string"}}},
            "retrieval_context": {"absent": "nothing is retrieved"},
            "conversation": [{"role": "user", "text": "hello"}],
            "memory_policy": "nothing is remembered",
        },
        "runtime": {"infrastructure": {"region": "eu"}, "scheduler": "one at a time", "rollout": {"absent": "a single run"}},
        "policy": {"approval_rules": [], "escalation": "none", "veto_thresholds": {"risk": "0.5"}},
        "history": {"cached_context": [], "interventions": [], "earlier_runs": []},
    })
}

fn place(folder: &Path, declaration: &Value) {
    fs::create_dir_all(folder.join("prompts")).unwrap();
    fs::write(folder.join("prompts/system.txt"), "Be careful.").unwrap();
    fs::write(folder.join("d.json"), declaration.to_string()).unwrap();
}

fn read_at(folder: &Path) -> Result<ResolvedSubject, LoadError> {
    read_declaration(&Workspace::at(folder), "d.json")
}

fn read_with(edit: impl FnOnce(&mut Value)) -> Result<ResolvedSubject, LoadError> {
    let dir = tempfile::tempdir().unwrap();
    let mut declaration = complete();
    edit(&mut declaration);
    place(dir.path(), &declaration);
    read_at(dir.path())
}

/// The findings of a refusal: pointer and message.
fn refused(edit: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
    let notes = read_with(edit).unwrap_err().into_notes();
    notes.into_iter().map(|note| (note.pointer, note.message)).collect()
}

#[test]
fn a_complete_declaration_is_read_and_its_files_are_digested() {
    let subject = read_with(|_| ()).unwrap();
    let digest = Digest::of(b"Be careful.");
    assert_eq!(subject.kind, AI_RUN);
    assert_eq!(subject.parts[0]["system_instructions"], json!({"digest": format!("sha256:{digest}")}));
    let [file] = subject.files.as_slice() else { panic!("{:?}", subject.files) };
    assert_eq!(
        (file.pointer.as_str(), file.path.as_str()),
        ("/artifact/system_instructions/file", "prompts/system.txt")
    );
    assert_eq!((file.thing, file.size, file.digest), (NamedThing::File, 11, digest));
}

#[test]
fn a_file_counts_by_its_content_alone() {
    let by_file = read_with(|_| ()).unwrap();
    let digest = format!("sha256:{}", Digest::of(b"Be careful."));
    let by_digest = read_with(|d| d["artifact"]["system_instructions"] = json!({"digest": digest})).unwrap();
    assert_eq!(by_file.parts, by_digest.parts);
    let dir = tempfile::tempdir().unwrap();
    let mut moved = complete();
    moved["artifact"]["system_instructions"] = json!({"file": "system.md"});
    place(dir.path(), &moved);
    fs::rename(dir.path().join("prompts/system.txt"), dir.path().join("system.md")).unwrap();
    assert_eq!(read_at(dir.path()).unwrap().parts, by_file.parts);
}

#[test]
fn the_schema_demands_exactly_what_is_listed() {
    fn required(schema: &Value, at: &str, found: &mut Vec<String>) {
        let properties = schema["properties"].as_object();
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let inner = &properties.unwrap()[name];
            let at = format!("{at}/{name}");
            if inner.get("properties").is_some() { required(inner, &at, found) } else { found.push(at) }
        }
    }
    let schema: Value = serde_json::from_str(DocumentKind::SystemDeclaration.schema_text()).unwrap();
    let mut found = Vec::new();
    required(&schema, "", &mut found);
    let mut listed: Vec<String> = STATED.iter().map(|one| (*one).to_owned()).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
    let pattern = schema["$defs"]["decimal"]["anyOf"][0]["pattern"].as_str().unwrap();
    let text = json!({"type": "string", "pattern": pattern});
    let validator = jsonschema::draft202012::new(&text).unwrap();
    for text in
        ["0", "1", "0.7", "-0.25", "10.5", "-0", "00", "01", "1.0", ".5", "1.", "1e3", "+1", "", "0.70", "-", "0.0"]
    {
        assert_eq!(validator.is_valid(&json!(text)), number::is_decimal(text), "{text}");
    }
}

#[test]
fn everything_that_is_missing_is_listed_at_once() {
    let found = refused(|d| *d = json!({"schema_version": SYSTEM_DECLARATION_SCHEMA}));
    let mut pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    pointers.sort_unstable();
    let mut listed: Vec<&str> = STATED.into_iter().filter(|one| *one != "/schema_version").collect();
    listed.sort_unstable();
    assert_eq!(pointers, listed);
    let found = refused(|d| {
        d["artifact"].as_object_mut().unwrap().remove("tools");
        d["policy"]["escalation"] = Value::Null;
        d["history"].as_object_mut().unwrap().remove("earlier_runs");
    });
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/artifact/tools", "/history/earlier_runs", "/policy/escalation"]);
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let one = |edit: fn(&mut Value)| {
        let found = refused(edit);
        assert_eq!(found.len(), 1, "{found:?}");
        found.into_iter().next().unwrap()
    };
    let (at, message) = one(|d| d["artifact"]["parameters"]["temperature"] = json!(0.7));
    assert!(at == "/artifact/parameters/temperature" && message.contains("decimal number as a text"), "{message}");
    let (at, message) = one(|d| d["policy"]["veto_thresholds"]["risk"] = json!(0.5));
    assert!(at == "/policy/veto_thresholds/risk" && message.contains("not an integer"), "{message}");
    let (at, message) = one(|d| d["artifact"]["tools"] = json!({"value": [{"default": 1.5}]}));
    assert!(at == "/artifact/tools/value/0/default" && message.contains("not an integer"), "{message}");
    assert_eq!(one(|d| d["artifact"]["memory_policy"] = json!({"absent": " "})).0, "/artifact/memory_policy/absent");
    assert_eq!(one(|d| d["artifact"]["tools"] = json!({"digest": "md5:x"})).0, "/artifact/tools/digest");
    let (at, message) = one(|d| d["artifact"]["tools"] = json!({"properties": {"file": {"type": "string"}}}));
    assert!(at == "/artifact/tools/properties/file" && message.contains("path of a file"), "{message}");
    let (at, message) = one(|d| d["runtime"]["schedular"] = json!("x"));
    assert!(at == "/runtime/schedular" && message.contains("unknown"), "{message}");
    assert_eq!(one(|d| d["kind"] = json!("person")).0, "/kind");
    assert_eq!(one(|d| d["schema_version"] = json!("v9")).0, "/schema_version");
    assert_eq!(one(|d| d["history"]["interventions"] = json!("e\u{301}")).0, "/history/interventions");
}

#[test]
fn advice_never_changes_what_is_handed_over() {
    let remedy = |edit: &dyn Fn(&mut Value)| {
        let notes = read_with(edit).unwrap_err().into_notes();
        assert_eq!(notes.len(), 1, "{notes:?}");
        format!("{} | {}", notes[0].message, notes[0].remedy)
    };
    let own_file = "in a file of its own";
    let said = remedy(&|d| d["artifact"]["tools"] = json!({"f": {"type": "number", "minimum": 0.5}}));
    assert!(said.contains(own_file), "{said}");
    let said = remedy(&|d| d["artifact"]["tools"] = json!({"f": {"value": {"maximum": u64::MAX}}}));
    assert!(said.contains(own_file), "{said}");
    for item in [json!([{"text": "cafe\u{301}"}]), json!({"cafe\u{301}": 1}), json!({"value": {"cafe\u{301}": 1}})] {
        let said = remedy(&|d| d["artifact"]["conversation"] = item.clone());
        assert!(said.contains(own_file) && !said.contains("normalise"), "{said}");
    }
    // What was taken for a reference and is none.
    for item in [json!({"file": {"type": "string"}}), json!({"file": "report.txt"}), json!({"file": "/etc/passwd"})] {
        let said = remedy(&|d| d["artifact"]["tools"] = json!({"properties": item}));
        assert!(said.contains("{\"value\": …}") && said.contains(own_file), "{said}");
    }
    let said = remedy(&|d| d["artifact"]["tools"] = json!({"properties": {"absent": {"type": "string"}}}));
    assert!(said.contains("{\"value\": …}") && said.contains(own_file), "{said}");
    // The advice works: the same tool, whole, as a value.
    let tool = json!({"value": {"name": "f", "properties": {"file": {"type": "string"}}}});
    assert!(read_with(|d| d["artifact"]["tools"] = json!({"f": tool})).is_ok());
}

#[test]
fn within_value_nothing_is_a_reference() {
    let literal = json!({"value": {"properties": {"file": "x", "absent": 1}}});
    let subject = read_with(|d| d["artifact"]["tools"] = literal.clone()).unwrap();
    assert_eq!(subject.parts[0]["tools"], literal);
    // An object of several members is what it is.
    let subject = read_with(|d| d["artifact"]["tools"] = json!({"file": "x", "line": 1})).unwrap();
    assert_eq!(subject.parts[0]["tools"], json!({"file": "x", "line": 1}));
}

#[test]
fn hostile_paths_and_files_are_refused() {
    for path in ["/etc/passwd", "../x", "prompts/../../x", "a//b", "./a", "", "a\u{0}b", "none"] {
        let found = refused(|d| d["artifact"]["tools"] = json!({"file": path}));
        assert_eq!(found.len(), 1, "{path:?}: {found:?}");
        assert_eq!(found[0].0, "/artifact/tools/file");
    }
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let refused = |path: &str| {
        let mut declaration = complete();
        declaration["artifact"]["tools"] = json!({"file": path});
        place(dir.path(), &declaration);
        read_at(dir.path()).unwrap_err().to_string()
    };
    symlink(outside.path().join("secret"), dir.path().join("link")).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let large = fs::File::create(dir.path().join("large")).unwrap();
    large.set_len(MAX_SUBJECT_FILE_BYTES + 1).unwrap();
    assert!(refused("link").contains("symbolic link"));
    assert!(refused("folder/secret").contains("symbolic link"));
    assert!(refused("fifo").contains("not a regular file"));
    assert!(refused("prompts").contains("not a regular file"));
    assert!(refused("large").contains("larger than"));
}

proptest! {
    /// No key order and no file name matters, any byte of a file does.
    #[test]
    fn any_changed_byte_of_a_file_changes_its_part(at in 0..11_usize, flip in 1..=255_u8) {
        let dir = tempfile::tempdir().unwrap();
        place(dir.path(), &complete());
        let before = read_at(dir.path()).unwrap();
        let mut bytes = b"Be careful.".to_vec();
        bytes[at] ^= flip;
        fs::write(dir.path().join("prompts/system.txt"), &bytes).unwrap();
        let after = read_at(dir.path()).unwrap();
        prop_assert_ne!(&before.parts[0], &after.parts[0]);
        prop_assert_eq!(&before.parts[1..], &after.parts[1..]);
    }

    #[test]
    fn no_document_panics(text in "\\PC{0,60}") {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("d.json"), text).unwrap();
        prop_assert!(read_at(dir.path()).is_err());
    }
}
