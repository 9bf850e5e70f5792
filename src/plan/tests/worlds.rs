//! Which document describes the declared world.

use super::*;
use crate::plan::lint::lint_plan_file;
use crate::record::sources::InputRole;

fn world(id: &str, arch: &str) -> Value {
    json!({"schema_version": "sandproof.world.v1", "world_id": id, "description": "d", "match": {"arch": arch},
        "clean_channels": []})
}

#[test]
fn a_workspace_is_believed_before_the_program() {
    let sample = Sample::new();
    let carried = sample.load().unwrap().world.unwrap();
    assert_eq!(carried.value.match_facts["os"], "linux");
    sample.put("registries/worlds/linux-host.json", world("linux-host", "m68k").to_string().as_bytes());
    let own = sample.load().unwrap();
    assert_eq!(own.world.as_ref().unwrap().value.match_facts["arch"], "m68k");
    let document = own.documents.iter().find(|document| document.role == InputRole::World).unwrap();
    assert_eq!(document.bytes.digest(), own.world.as_ref().unwrap().digest);
}

#[test]
fn a_world_of_the_workspace_has_the_name_of_its_file() {
    let mut sample = Sample::new();
    sample.put("registries/worlds/mine.json", world("mine", "m68k").to_string().as_bytes());
    sample.plan["world_id"] = json!("mine");
    assert_eq!(sample.load().unwrap().world.unwrap().value.world_id.as_str(), "mine");
    sample.put("registries/worlds/mine.json", world("yours", "m68k").to_string().as_bytes());
    let text = told(&sample.load().unwrap_err());
    assert!(text.contains("`registries/worlds/mine.json` at `/world_id`"), "{text}");
    assert!(text.contains("it is world `yours`"), "{text}");
    let mut bad = world("mine", "m68k");
    bad["match"]["hostname"] = json!("h");
    sample.put("registries/worlds/mine.json", bad.to_string().as_bytes());
    let text = told(&sample.load().unwrap_err());
    assert!(text.contains("/match/hostname"), "{text}");
}

#[test]
fn an_unknown_world_loads_with_a_warning_that_names_close_ones() {
    let mut sample = Sample::new();
    sample.put("registries/worlds/our-host.json", world("our-host", "m68k").to_string().as_bytes());
    for (id, close) in [("our-hots", "did you mean `our-host`?"), ("linux-hots", "did you mean `linux-host`?")] {
        sample.plan["world_id"] = json!(id);
        sample.probes["world_id"] = json!(id);
        sample.profiles["world_id"] = json!(id);
        assert!(sample.load().unwrap().world.is_none());
        let notes = lint_plan_file(&sample.write(), None).unwrap();
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!((note.kind, note.severity), (DiagnosticKind::WorldUnknown, Severity::Warning));
        assert!(note.remedy.contains(close), "{note}");
    }
    for id in ["../../etc/passwd", "a world", "zzzz"] {
        sample.plan["world_id"] = json!(id);
        assert!(sample.load().unwrap().world.is_none(), "{id}");
    }
}

#[test]
fn a_bundle_answers_only_for_the_worlds_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let list = json!({"schema_version": "sandproof.input_sources.v1", "documents": [
        {"role": "plan", "path": "p", "file": "inputs/plan.json", "size": 0, "sha256": "0".repeat(64)}]});
    let bundle = BundleInputs::from_list(folder.path(), list.to_string().as_bytes()).unwrap();
    assert!(!bundle.has(InputRole::World, "registries/worlds/linux-host.json"));
    assert!(Workspace::at(folder.path()).has(InputRole::World, "registries/worlds/linux-host.json"));
    assert!(!Workspace::at(folder.path()).has(InputRole::Plan, "registries/worlds/linux-host.json"));
}
