//! What the second format accepts, refuses, and seals.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::error::LoadError;
use super::super::schema::DocumentKind;
use super::shape::{ItemType, Member, MemberShape, PARTS};
use super::*;
use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::limits::{MAX_SUBJECT_BYTES, MAX_SUBJECT_FILE_BYTES};
use crate::record::identity::SYSTEM_DECLARATION_SCHEMA_V2;
use crate::record::open_word::OpenWord;
use crate::record::sources::InputRole;

fn none() -> Value {
    json!({"none": "there is none here"})
}

/// A document that says of everything that there is none, but for what cannot be said so.
fn nothing() -> Value {
    fn of(members: &[Member]) -> Value {
        let members = members.iter().filter(|member| !member.optional);
        members
            .map(|member| {
                let value = match member.shape {
                    MemberShape::Item(_) => none(),
                    MemberShape::Group(members) => of(members),
                };
                (member.name.to_owned(), value)
            })
            .collect()
    }
    let mut whole = of(&PARTS);
    whole["schema_version"] = SYSTEM_DECLARATION_SCHEMA_V2.into();
    whole["kind"] = AI_RUN.into();
    whole
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read_text(&self, text: &str, roots: NamedRoots) -> Result<ResolvedSubject, LoadError> {
        self.put("d.json", text);
        read_declaration_file_with(&self.path().join("d.json"), roots)
    }

    fn read(&self, edit: impl FnOnce(&mut Value)) -> Result<ResolvedSubject, LoadError> {
        let mut document = nothing();
        edit(&mut document);
        self.read_text(&document.to_string(), NamedRoots::new())
    }

    /// The sealed item at `pointer` of a document in which it is `value`.
    fn seals(&self, pointer: &str, value: &Value) -> Value {
        let subject = self.read(|document| set(document, pointer, value.clone()));
        at(&subject.unwrap_or_else(|error| panic!("{pointer}: {value}: {error}")), pointer)
    }

    /// The place and the message of the only reason for which it is refused.
    fn refuses(&self, pointer: &str, value: &Value) -> (String, String) {
        let error = self.read(|document| set(document, pointer, value.clone())).expect_err(pointer);
        let notes = error.into_notes();
        assert_eq!(notes.len(), 1, "{pointer}: {value}: {notes:?}");
        (notes[0].pointer.clone(), format!("{}; {}", notes[0].message, notes[0].remedy))
    }
}

fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value;
}

fn at(subject: &ResolvedSubject, pointer: &str) -> Value {
    let (part, rest) = pointer[1..].split_once('/').unwrap();
    let place = PARTS.iter().position(|one| one.name == part).unwrap();
    Value::Object(subject.parts[place].clone()).pointer(&format!("/{rest}")).unwrap().clone()
}

fn by_digest(bytes: &[u8]) -> Value {
    json!({"digest": format!("sha256:{}", Digest::of(bytes))})
}

/// Every item of the table: pointer, type.
fn items() -> Vec<(String, ItemType, bool)> {
    fn gather(at: &str, members: &[Member], found: &mut Vec<(String, ItemType, bool)>) {
        for member in members {
            let at = format!("{at}/{}", member.name);
            match member.shape {
                MemberShape::Item(item) => found.push((at, item, member.optional)),
                MemberShape::Group(members) => gather(&at, members, found),
            }
        }
    }
    let mut found = Vec::new();
    gather("", &PARTS, &mut found);
    found
}

#[test]
fn the_schema_asks_for_what_the_table_asks_for() {
    let schema: Value = serde_json::from_str(DocumentKind::SystemDeclarationV2.schema_text()).unwrap();
    fn gather(schema: &Value, at: &str, optional: bool, found: &mut Vec<(String, bool)>) {
        let whole =
            schema["anyOf"].as_array().and_then(|shapes| shapes.iter().find(|one| one.get("properties").is_some()));
        let object = whole.unwrap_or(schema);
        let Some(properties) = object["properties"].as_object() else { return found.push((at.to_owned(), optional)) };
        for (name, inner) in properties {
            let required = object["required"].as_array().unwrap().contains(&json!(name));
            gather(inner, &format!("{at}/{name}"), !required, found);
        }
    }
    let mut found = Vec::new();
    gather(&schema, "", false, &mut found);
    found.retain(|(at, _)| !["/schema_version", "/kind", "/immaterial"].contains(&at.as_str()));
    found.sort();
    let mut listed: Vec<(String, bool)> = items().into_iter().map(|(at, _, optional)| (at, optional)).collect();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn everything_that_is_not_stated_is_listed_at_once_and_null_states_nothing() {
    let desk = Desk::new();
    let text = json!({"schema_version": SYSTEM_DECLARATION_SCHEMA_V2, "kind": AI_RUN}).to_string();
    let notes = desk.read_text(&text, NamedRoots::new()).unwrap_err().into_notes();
    let mut missing: Vec<String> = notes.iter().map(|note| note.pointer.clone()).collect();
    let mut wanted: Vec<String> = items().into_iter().filter(|one| !one.2).map(|one| one.0).collect();
    missing.sort();
    wanted.sort();
    assert_eq!(missing, wanted);
    assert_eq!(desk.refuses("/artifact/code", &Value::Null).0, "/artifact/code");
    assert_eq!(desk.refuses("/artifact/modle", &json!("x")).0, "/artifact/modle");
}

#[test]
fn one_fact_has_one_spelling() {
    let desk = Desk::new();
    desk.put("t.txt", "Be careful.");
    let text = by_digest(b"Be careful.");
    for spelling in [
        json!("Be careful."),
        json!({"text": "Be careful."}),
        json!({"file": "t.txt"}),
        json!({"file": "./t.txt"}),
        json!({"value": "Be careful."}),
        text.clone(),
    ] {
        for item in
            ["/artifact/system_instructions", "/artifact/prompt", "/artifact/memory_policy", "/policy/escalation"]
        {
            assert_eq!(desk.seals(item, &spelling), text, "{spelling}");
        }
    }
    for spelling in [json!(7), json!({"value": 7})] {
        assert_eq!(desk.seals("/artifact/parameters/seed", &spelling), json!(7));
    }
    for spelling in [json!([]), json!({"none": "x"}), json!({"none": "for another reason"}), json!({"value": []})] {
        assert_eq!(desk.seals("/history/approvals", &spelling), json!({"none": true}), "{spelling}");
    }
    for spelling in [json!({"none": "x"}), json!({"definitions": [], "implementations": {}})] {
        assert_eq!(
            desk.seals("/artifact/tools", &spelling),
            json!({"definitions": {"none": true}, "implementations": {"none": true}})
        );
    }
    let unknown = [json!({"unknown": "a"}), json!({"unknown": "b"})].map(|value| desk.seals("/artifact/code", &value));
    assert_eq!(unknown, [json!({"unknown": true}), json!({"unknown": true})]);
    assert_eq!(desk.seals("/runtime/scheduler/timeout_seconds", &json!("2.5")), json!("2.5"));
}

#[test]
fn nonsense_is_refused_where_it_stands() {
    let desk = Desk::new();
    let forged = json!({"unknown": true});
    for (pointer, values) in [
        (
            "/artifact/parameters/seed",
            vec![json!("7"), json!(true), json!(7.5), json!(9_007_199_254_740_992_u64), json!([7])],
        ),
        (
            "/artifact/parameters/temperature",
            vec![json!("-40"), json!(0.7), json!(1), json!("0.70"), json!("101"), json!("hot")],
        ),
        ("/artifact/parameters/top_p", vec![json!("1.5"), json!("2"), json!("1.0")]),
        ("/artifact/parameters/max_output_tokens", vec![json!(-5), json!(0), json!("60")]),
        ("/artifact/model/weights", vec![json!("the good ones"), json!({"a": "b"}), json!([]), json!({"text": "x"})]),
        ("/artifact/model/version", vec![json!("latest"), json!("x-latest"), json!("main"), json!(""), json!(1)]),
        ("/runtime/engine/version", vec![json!("stable")]),
        ("/artifact/model/name", vec![json!(" "), json!({"file": "x"}), json!(["x"])]),
        ("/history/earlier_runs", vec![json!("hello"), json!({"a": 1})]),
        ("/history/deployment", vec![json!("deadbeef"), json!([])]),
        ("/policy/approval_rules", vec![json!("a person approves"), json!({"a": 1})]),
        ("/policy/sandbox", vec![json!("a container"), json!({"profile": ""})]),
        ("/runtime/environment", vec![json!("LANG"), json!(["LANG"])]),
        ("/runtime/rollout/share_percent", vec![json!(101), json!("10"), json!("100.5"), json!(2.5)]),
        ("/artifact/command", vec![json!([]), json!("python x.py"), json!([1])]),
        ("/artifact/code", vec![json!({"absent": "x"}), json!(""), json!({"digest": "md5:x"})]),
    ] {
        for value in values {
            let (place, words) = desk.refuses(pointer, &value);
            assert!(place.starts_with(pointer), "{place}");
            assert!(words.contains("write") || words.contains("state") || words.contains("name"), "{words}");
        }
    }
    for (pointer, value, place) in [
        ("/history/earlier_runs", json!(["hello"]), "/history/earlier_runs/0"),
        ("/artifact/code", forged, "/artifact/code/unknown"),
        ("/artifact/code", json!({"none": " "}), "/artifact/code/none"),
        ("/artifact/code", json!({"per_run": "x"}), "/artifact/code/per_run"),
        ("/artifact/model/tokenizer", json!({"in": "/artifact/model/wights"}), "/artifact/model/tokenizer/in"),
        ("/artifact/model/tokenizer", json!({"in": "/artifact/model/tokenizer"}), "/artifact/model/tokenizer/in"),
        ("/artifact/model/tokenizer", json!({"in": "/artifact"}), "/artifact/model/tokenizer/in"),
        ("/artifact/model/tokenizer", json!({"in": "/artifact/code"}), "/artifact/model/tokenizer/in"),
        ("/runtime/environment", json!({"A=B": "x"}), "/runtime/environment/A=B"),
        ("/artifact/code", json!({"cafe\u{301}": 1}), "/artifact/code/cafe\u{301}"),
    ] {
        assert_eq!(desk.refuses(pointer, &value).0, place);
    }
}

#[test]
fn what_is_handed_over_as_it_stands_can_stand_there() {
    let desk = Desk::new();
    let tool = json!({"f": {"properties": {"file": {"type": "string"}}, "name": "f"}});
    let sealed = desk.seals("/artifact/tools/definitions", &tool);
    assert_eq!(sealed["f"]["properties"], json!({"value": {"file": {"type": "string"}}}));
    let nfd = desk.seals("/artifact/conversation", &json!([{"role": "user", "text": "cafe\u{301}"}]));
    assert_eq!(nfd[0]["text"], by_digest("cafe\u{301}".as_bytes()));
    let mut document = nothing();
    document["artifact"]["tools"]["definitions"] = json!("HERE");
    let text = document.to_string().replace("\"HERE\"", r#"{"f": {"minimum": 0.50, "maximum": 18446744073709551615}}"#);
    let subject = desk.read_text(&text, NamedRoots::new()).unwrap();
    let sealed = at(&subject, "/artifact/tools/definitions/f");
    assert_eq!(sealed, json!({"minimum": {"number": "0.50"}, "maximum": {"number": "18446744073709551615"}}));
    // An object that means itself is told from a reference.
    let literal = desk.seals("/artifact/code", &json!({"value": {"file": "x"}}));
    assert_eq!(literal, json!({"value": {"file": "x"}}));
}

#[test]
fn the_members_of_a_json_file_and_its_bytes_count() {
    let desk = Desk::new();
    desk.put("app.json", "{\"t\": 0.70, \"n\": [1, 2], \"file\": {\"file\": \"x\"}}");
    let sealed = desk.seals("/artifact/parameters/other", &json!({"json": "app.json"}));
    assert_eq!(sealed["json"]["members"]["t"], json!({"number": "0.70"}));
    assert_eq!(sealed["json"]["members"]["file"], json!({"value": {"file": "x"}}));
    desk.put("app.json", "{\"t\": 0.70,  \"n\": [1, 2], \"file\": {\"file\": \"x\"}}");
    let spaced = desk.seals("/artifact/parameters/other", &json!({"json": "app.json"}));
    assert_eq!(spaced["json"]["members"], sealed["json"]["members"]);
    assert_ne!(spaced["json"]["digest"], sealed["json"]["digest"]);
    desk.put("app.json", "{\"a\": 1, \"a\": 2}");
    assert!(desk.refuses("/artifact/parameters/other", &json!({"json": "app.json"})).1.contains("occurs twice"));
    desk.put("app.json", "[".repeat(60) + &"]".repeat(60));
    assert!(desk.refuses("/artifact/parameters/other", &json!({"json": "app.json"})).1.contains("too deeply"));
}

#[test]
fn folders_links_and_files_of_any_size_are_named_within_their_folder() {
    let desk = Desk::new();
    desk.put("hub/blobs/x", "weights");
    fs::create_dir_all(desk.path().join("hub/snapshots/1")).unwrap();
    symlink("../../blobs/x", desk.path().join("hub/snapshots/1/w")).unwrap();
    symlink("/etc/passwd", desk.path().join("out")).unwrap();
    nix::unistd::mkfifo(&desk.path().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let item = "/artifact/model/weights";
    assert_eq!(desk.seals(item, &json!({"file": "hub/snapshots/1/w"})), by_digest(b"weights"));
    for path in ["out", "fifo", "none", "hub", "/etc/passwd", "../x", "hub/../hub/blobs/x", "", "hub:blobs/x"] {
        assert_eq!(desk.refuses(item, &json!({"file": path})).0, "/artifact/model/weights/file", "{path}");
    }
    assert_eq!(desk.refuses(item, &json!({"folder": "hub/blobs/x"})).0, "/artifact/model/weights/folder");
    // A folder with a name is another start, and stays one.
    let mut document = nothing();
    set(&mut document, item, json!({"file": "hub:snapshots/1/w"}));
    let roots = NamedRoots::from([("hub".to_owned(), desk.path().join("hub"))]);
    let subject = desk.read_text(&document.to_string(), roots.clone()).unwrap();
    assert_eq!((at(&subject, item), subject.files[0].path.as_str()), (by_digest(b"weights"), "hub:snapshots/1/w"));
    assert!(subject.files[0].host_path.as_ref().unwrap().ends_with("hub/blobs/x"));
    let inner = NamedRoots::from([("hub".to_owned(), desk.path().join("hub/snapshots"))]);
    set(&mut document, item, json!({"file": "hub:1/w"}));
    let leaves = desk.read_text(&document.to_string(), inner).unwrap_err().to_string();
    assert!(leaves.contains("leads out of the folder"), "{leaves}");
    set(&mut document, item, json!({"folder": "hub:"}));
    let whole = at(&desk.read_text(&document.to_string(), roots).unwrap(), item);
    assert_eq!(desk.seals(item, &json!({"folder": "hub"})), whole);
    assert_eq!(desk.seals(item, &json!({"folder": whole["folder"].clone()})), whole);
    desk.put("hub/new", "");
    assert_ne!(desk.seals(item, &json!({"folder": "hub"})), whole);
}

#[test]
fn large_files_count_like_small_ones_and_are_not_kept() {
    let desk = Desk::new();
    let large = fs::File::create(desk.path().join("large")).unwrap();
    large.set_len(MAX_SUBJECT_FILE_BYTES + 1).unwrap();
    let (digest, size) = Digest::of_reader(fs::File::open(desk.path().join("large")).unwrap()).unwrap();
    let subject = desk.read(|document| set(document, "/artifact/model/weights", json!({"file": "large"}))).unwrap();
    assert_eq!(at(&subject, "/artifact/model/weights"), json!({"digest": format!("sha256:{digest}")}));
    assert_eq!((subject.files[0].size, subject.files[0].digest), (size, digest));
    assert!(
        subject.documents.iter().all(|document| document.bytes.length() < 4096 || document.role == InputRole::Subject)
    );
    // Together they are no larger than what is carried, however many they are.
    let names: Vec<String> = (0..6).map(|n| format!("f{n}")).collect();
    for name in &names {
        fs::File::create(desk.path().join(name)).unwrap().set_len(MAX_SUBJECT_FILE_BYTES).unwrap();
    }
    let code: Value = names.iter().map(|name| json!({"file": name})).collect();
    let subject = desk.read(|document| set(document, "/artifact/code", code)).unwrap();
    let carried: u64 = subject.documents.iter().map(|document| document.bytes.length()).sum();
    assert!(carried < MAX_SUBJECT_BYTES + 1024 * 1024, "{carried}");
    assert_eq!(subject.files.len(), 6);
}

#[test]
fn why_items_are_open_is_told_and_not_sealed() {
    let desk = Desk::new();
    let subject = desk.read(|document| {
        set(document, "/runtime/hardware", json!({"unknown": "the provider does not say"}));
        set(document, "/policy/safety_filters", json!({"a": [{"unknown": "not published"}]}));
    });
    let subject = subject.unwrap();
    let unknown: Vec<(&str, &str)> = subject
        .open
        .iter()
        .filter(|one| one.item.word == OpenWord::Unknown)
        .map(|one| (one.item.pointer.as_str(), one.reason.as_str()))
        .collect();
    let said = "the provider does not say";
    let hardware = ["processor", "accelerator", "driver"].map(|name| format!("/runtime/hardware/{name}"));
    let mut wanted: Vec<(&str, &str)> = hardware.iter().map(|at| (at.as_str(), said)).collect();
    wanted.push(("/policy/safety_filters/a/0", "not published"));
    assert_eq!(unknown, wanted);
}

#[test]
fn what_is_immaterial_is_part_of_the_policy() {
    let desk = Desk::new();
    let list = json!([{"pointer": "/runtime/libraries", "reason": "b"}, {"pointer": "/artifact/code", "reason": "a"}]);
    let subject = desk.read(|document| document["immaterial"] = list).unwrap();
    let sealed =
        json!([{"pointer": "/artifact/code", "reason": "a"}, {"pointer": "/runtime/libraries", "reason": "b"}]);
    assert_eq!(subject.parts[2]["immaterial"], sealed);
    for (list, place) in [
        (json!([{"pointer": "/artifact", "reason": "x"}]), "/immaterial/0/pointer"),
        (json!([{"pointer": "", "reason": "x"}]), "/immaterial/0"),
        (json!([{"pointer": "/artifact/nothing", "reason": "x"}]), "/immaterial/0/pointer"),
        (json!([{"pointer": "/policy/immaterial", "reason": "x"}]), "/immaterial/0/pointer"),
        (json!([{"pointer": "/artifact/code"}]), "/immaterial/0"),
        (
            json!([{"pointer": "/artifact/code", "reason": "x"}, {"pointer": "/artifact/code", "reason": "y"}]),
            "/immaterial/1/pointer",
        ),
        (json!("/artifact/code"), "/immaterial"),
    ] {
        let notes = desk.read(|document| document["immaterial"] = list.clone()).unwrap_err().into_notes();
        let places: Vec<&str> = notes.iter().map(|note| note.pointer.as_str()).collect();
        assert_eq!(places, [place], "{list}");
    }
}

proptest! {
    /// Whatever is accepted as a value satisfies the schema, and has a canonical form.
    #[test]
    fn the_schema_accepts_what_the_reader_accepts(which in any::<prop::sample::Index>(), value in values()) {
        let desk = Desk::new();
        let all = items();
        let (pointer, ..) = &all[which.index(all.len())];
        let mut document = nothing();
        set(&mut document, pointer, value);
        if let Ok(subject) = desk.read_text(&document.to_string(), NamedRoots::new()) {
            prop_assert!(DocumentKind::SystemDeclarationV2.accepts(&document), "{}", document.pointer(pointer).unwrap());
            for part in subject.parts {
                prop_assert!(canon::canonical(&Value::Object(part)).is_ok());
            }
        }
    }

    #[test]
    fn no_document_panics(text in "\\PC{0,60}") {
        prop_assert!(Desk::new().read_text(&text, NamedRoots::new()).is_err());
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-3..1000_i64).prop_map(Value::from),
        Just(json!(0.5)),
        "[0-9.-]{0,4}".prop_map(Value::from),
        "[a-f0-9]{64}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
        Just(json!(format!("sha256:{}", Digest::of(b"")))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let name = prop_oneof![
            "file|folder|json|text|in|digest|none|unknown|per_run|value|absent|number|profile",
            "[a-c]{1,2}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
