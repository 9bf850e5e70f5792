//! Tests of loading as a whole, on small workspaces in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::record::sources::InputRole;

mod agreement;
mod hostile;
mod lint;
mod refusals;
mod seatbelt;
mod sharing;
mod worlds;

/// A workspace that tests write and break.
pub(super) struct Sample {
    folder: tempfile::TempDir,
    pub(super) plan: Value,
    pub(super) index: Value,
    pub(super) probes: Value,
    pub(super) profiles: Value,
    pub(super) policy: Value,
}

pub(super) fn probe(id: &str, driver: &str, operation: &str, target: &str, expected: &str) -> Value {
    json!({
        "probe_id": id, "name": id, "operation": operation, "target": target, "expected": expected, "driver": driver,
        "supports_lanes": {"baseline": true, "scenario": true, "oracle": true},
        "expected_primary_ops": [operation], "expected_predicates": [target],
        "capabilities_required": [], "controls_supported": ["baseline"]
    })
}

pub(super) fn profile(id: &str, refs: &[&str]) -> Value {
    json!({
        "profile_id": id, "profile_path": "registries/r/policies/p.json", "mode": "landlock", "probe_refs": refs,
        "family": null, "semantic_group": "files", "key_specific_rules": [], "notes": null,
        "fixtures": [{"path": "in/a", "kind": "file", "text": "x"}, {"path": "out/a", "kind": "file"}]
    })
}

impl Sample {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            plan: json!({
                "schema_version": file::PLAN_SCHEMA, "plan_id": "p.v1", "registry_id": "r", "world_id": "linux-host",
                "profiles": ["one", "two"], "lanes": {"baseline": true, "scenario": true, "oracle": true},
                "controls": {"baseline": true}, "apply_preflight_profile": "registries/r/policies/p.json"
            }),
            index: json!({
                "schema_version": file::INDEX_SCHEMA,
                "registries": [{"id": "r", "probes": "registries/r/probes.json", "profiles": "registries/r/profiles.json"}]
            }),
            probes: json!({
                "schema_version": file::PROBES_SCHEMA, "registry_id": "r", "world_id": "linux-host",
                "probes": {
                    "read_in": probe("read_in", "file_read", "file-read-data", "${root}/in/a", "allow"),
                    "read_out": probe("read_out", "file_read", "file-read-data", "${root}/out/a", "deny"),
                    "write_out": probe("write_out", "file_write", "file-write-data", "${root}/out/a", "allow"),
                }
            }),
            profiles: json!({
                "schema_version": file::PROFILES_SCHEMA, "registry_id": "r", "world_id": "linux-host",
                "profiles": {"one": profile("one", &["read_in", "read_out"]), "two": profile("two", &["read_in", "write_out"])}
            }),
            policy: json!({
                "schema_version": "sandproof.landlock_policy.v1", "abi": 1, "handled": {"fs": ["read_file"]},
                "path_beneath": [{"path": "${root}/in", "allow": ["read_file"]}]
            }),
        }
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let full = self.root().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(&full, bytes).unwrap();
        full
    }

    /// Writes everything; the plan's path.
    pub(super) fn write(&self) -> PathBuf {
        let text = |value: &Value| serde_json::to_vec_pretty(value).unwrap();
        self.put("registries/index.json", &text(&self.index));
        self.put("registries/r/probes.json", &text(&self.probes));
        self.put("registries/r/profiles.json", &text(&self.profiles));
        self.put("registries/r/policies/p.json", &text(&self.policy));
        self.put("plans/p/plan.json", &text(&self.plan))
    }

    pub(super) fn load(&self) -> Result<ResolvedPlan, LoadError> {
        self.load_only(&Selection::default())
    }

    pub(super) fn load_only(&self, selection: &Selection) -> Result<ResolvedPlan, LoadError> {
        load(&self.write(), None, selection).map(|(plan, _)| plan)
    }
}

/// The error with its causes, in one text.
pub(super) fn told(error: &LoadError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

fn select(profiles: &[&str], scenarios: &[&str]) -> Selection {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Selection { only_profiles: texts(profiles), only_scenarios: texts(scenarios), shard: None }
}

fn ids(plan: &ResolvedPlan) -> Vec<&str> {
    plan.rows().map(|(_, probe)| probe.expectation_id.as_str()).collect()
}

#[test]
fn a_plan_resolves_with_its_documents_in_reading_order() {
    let sample = Sample::new();
    let (plan, root) = load(&sample.write(), None, &Selection::default()).unwrap();
    assert_eq!(root, sample.root().canonicalize().unwrap());
    let paths: Vec<(InputRole, &str)> = plan.documents.iter().map(|d| (d.role, d.path.as_str())).collect();
    assert_eq!(
        paths,
        [
            (InputRole::Plan, "plans/p/plan.json"),
            (InputRole::Index, "registries/index.json"),
            (InputRole::Probes, "registries/r/probes.json"),
            (InputRole::Profiles, "registries/r/profiles.json"),
            (InputRole::World, "registries/worlds/linux-host.json"),
            (InputRole::Policy, "registries/r/policies/p.json"),
        ]
    );
    assert_eq!(plan.row_count(), 4);
    assert!(plan.preflight.is_some());
    let (_, first) = plan.rows().next().unwrap();
    assert_eq!(first.action.as_ref().unwrap().target, "${root}/in/a");
    assert_eq!(first.fixtures.len(), 2);
    // Two profiles with the same fixtures and no others share one list.
    assert!(std::sync::Arc::ptr_eq(&plan.profiles[0].probes[0].fixtures, &plan.profiles[1].probes[1].fixtures));
}

#[test]
fn shared_probes_have_an_id_per_profile_that_no_selection_changes() {
    let sample = Sample::new();
    assert_eq!(ids(&sample.load().unwrap()), ["one::read_in", "read_out", "two::read_in", "write_out"]);
    let only = |profiles: &[&str], scenarios: &[&str]| {
        let plan = sample.load_only(&select(profiles, scenarios)).unwrap();
        ids(&plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(only(&["two"], &[]), ["two::read_in", "write_out"]);
    assert_eq!(only(&[], &["one::read_in", "write_out"]), ["one::read_in", "write_out"]);
    assert_eq!(only(&[], &["read_in"]), ["one::read_in", "two::read_in"]);
}

#[test]
fn a_selection_says_what_it_does_not_find() {
    let sample = Sample::new();
    let text = told(&sample.load_only(&select(&["ones"], &[])).unwrap_err());
    assert!(text.contains("there is no profile `ones` in plan `p.v1`; did you mean `one`?"), "{text}");
    let text = told(&sample.load_only(&select(&[], &["read_ot"])).unwrap_err());
    assert!(text.contains("there is no scenario `read_ot`") && text.contains("`read_out`"), "{text}");
    let nothing = sample.load_only(&select(&["one"], &["write_out"])).unwrap_err();
    assert!(matches!(nothing, LoadError::NothingSelected { .. }), "{nothing}");
}

#[test]
fn a_selection_does_not_change_how_the_preflight_is_read() {
    let mut sample = Sample::new();
    sample.put("policy", &serde_json::to_vec(&sample.policy).unwrap());
    sample.plan["apply_preflight_profile"] = json!("policy");
    sample.profiles["profiles"]["one"]["profile_path"] = json!("policy");
    for selection in [select(&[], &[]), select(&["two"], &[])] {
        let plan = sample.load_only(&selection).unwrap();
        assert_eq!(plan.preflight.unwrap().value.mode(), crate::policy::PolicyMode::Landlock);
    }
}

#[test]
fn a_plan_folder_can_be_its_own_root() {
    let sample = Sample::new();
    let text = |value: &Value| serde_json::to_vec(value).unwrap();
    let mut profiles = sample.profiles.clone();
    profiles["profiles"]["one"]["profile_path"] = json!("p.json");
    profiles["profiles"]["two"]["profile_path"] = json!("./p.json");
    let mut plan = sample.plan.clone();
    plan.as_object_mut().unwrap().remove("apply_preflight_profile");
    sample.put("own/registry/probes.json", &text(&sample.probes));
    sample.put("own/registry/profiles.json", &text(&profiles));
    sample.put("own/p.json", &text(&sample.policy));
    let file = sample.put("own/plan.json", &text(&plan));
    let (plan, root) = load(&file, None, &Selection::default()).unwrap();
    assert_eq!(root, sample.root().join("own").canonicalize().unwrap());
    assert_eq!(plan.documents.last().unwrap().path, "p.json");
    let lost = sample.put("elsewhere/plan.json", &text(&sample.plan));
    assert!(matches!(load(&lost, None, &Selection::default()), Err(LoadError::NoRoot { .. })));
}

#[test]
fn a_plan_with_a_registry_beside_it_needs_no_entry_in_the_index() {
    // The reference keeps plan and registry together, and policies relative to the top of the checkout.
    let sample = Sample::new();
    let text = |value: &Value| serde_json::to_vec(value).unwrap();
    sample.load().unwrap();
    for (index, folder) in
        [("registries/index.json", "suites/own"), ("top/book/api/runtime/plans/registry/index.json", "top/suites/own")]
    {
        let top = if folder.starts_with("top") { "top/" } else { "" };
        let other = json!({"schema_version": file::INDEX_SCHEMA, "registries": []});
        sample.put(index, &text(&other));
        sample.put(&format!("{folder}/registry/probes.json"), &text(&sample.probes));
        sample.put(&format!("{folder}/registry/profiles.json"), &text(&sample.profiles));
        sample.put(&format!("{top}registries/r/policies/p.json"), &text(&sample.policy));
        let file = sample.put(&format!("{folder}/plan.json"), &text(&sample.plan));
        if !top.is_empty() {
            fs::remove_file(sample.root().join("registries/index.json")).unwrap();
        }
        let (plan, root) = load(&file, None, &Selection::default()).unwrap();
        assert_eq!(root, sample.root().join(top).canonicalize().unwrap());
        assert!(plan.documents.iter().any(|document| document.path == "suites/own/registry/probes.json"));
        assert!(plan.documents.iter().any(|document| document.path == "registries/r/policies/p.json"));
    }
}

#[test]
fn the_documents_of_a_bundle_resolve_to_the_same_plan() {
    use crate::base::bundle_path::BundlePath;
    use crate::record::sources::{INPUT_SOURCES_SCHEMA, InputSource, InputSources};
    let sample = Sample::new();
    let plan = sample.load().unwrap();
    let bundle = tempfile::tempdir().unwrap();
    fs::create_dir(bundle.path().join("inputs")).unwrap();
    let documents = plan
        .documents
        .iter()
        .enumerate()
        .map(|(n, document)| {
            let file = BundlePath::new(format!("inputs/{n}")).unwrap();
            fs::write(file.under(bundle.path()), &*document.bytes.held().unwrap()).unwrap();
            InputSource {
                role: document.role,
                path: document.path.clone(),
                file,
                size: document.bytes.length(),
                sha256: document.bytes.digest(),
            }
        })
        .collect();
    let list = InputSources { schema_version: INPUT_SOURCES_SCHEMA.into(), documents };
    fs::write(bundle.path().join("inputs/sources.json"), serde_json::to_vec(&list).unwrap()).unwrap();
    drop(sample);

    let inputs = BundleInputs::open(bundle.path()).unwrap();
    let again = resolve(&inputs, inputs.plan_path(), &Selection::default()).unwrap();
    assert_eq!(again.plan, plan.plan);
    assert_eq!(again.plan_digest, plan.plan_digest);
    assert_eq!(ids(&again), ids(&plan));
    let digests = |plan: &ResolvedPlan| plan.documents.iter().map(|d| d.bytes.digest()).collect::<Vec<_>>();
    assert_eq!(digests(&again), digests(&plan));

    fs::write(bundle.path().join("inputs/2"), b"{}").unwrap();
    let changed = resolve(&inputs, inputs.plan_path(), &Selection::default()).unwrap_err();
    assert!(told(&changed).contains("differs from its listed size or digest"), "{}", told(&changed));
    fs::remove_file(bundle.path().join("inputs/3")).unwrap();
    std::os::unix::fs::symlink("4", bundle.path().join("inputs/3")).unwrap();
    let linked = inputs.read(InputRole::Profiles, "registries/r/profiles.json", 1 << 20).unwrap_err();
    assert!(linked.source.to_string().contains("symbolic link"), "{}", linked.source);
}

#[test]
fn documents_of_the_reference_load() {
    let mut sample = Sample::new();
    sample.plan = json!({
        "schema_version": file::PLAN_SCHEMA, "plan_id": "m.v1", "registry_id": "r",
        "profiles": ["sys", "literal"], "notes": "n", "controls": {"baseline": true}
    });
    sample.probes["world_id"] = json!(file::HOME_WORLD);
    sample.profiles["world_id"] = json!(file::HOME_WORLD);
    sample.probes["probes"] = json!({"meta": {
        "probe_id": "meta", "name": "readmeta_lstat_/tmp/foo", "operation": "file-read-metadata", "target": "/tmp/foo",
        "expected": "allow", "supports_lanes": {"baseline": true, "scenario": true, "oracle": false},
        "expected_primary_ops": ["file-read-metadata"], "expected_predicates": ["/tmp/foo"],
        "capabilities_required": ["anything"], "controls_supported": ["baseline", "allow_default", "deny_default"],
        "driver": "metadata_runner", "syscall": "getattrlist", "attr_payload": "cmn", "anchor_ctx_id": null,
        "filter_name": null, "filter_type": 1, "mode": "scenario", "expectation_id": null
    }});
    let seatbelt = |id: &str, path: &str, mode: &str| {
        json!({"profile_id": id, "profile_path": path, "mode": mode, "probe_refs": ["meta"], "family": "f",
            "semantic_group": null, "key_specific_rules": ["(allow default)"], "notes": null})
    };
    sample.profiles["profiles"] = json!({
        "literal": seatbelt("literal", "sb/literal.sb", "sbpl"),
        "sys": seatbelt("sys", "sb/sys.sb.bin", "blob"),
    });
    sample.put("sb/literal.sb", b"(version 1)\n(deny default)\n");
    sample.put("sb/sys.sb.bin", &[0, 1, 2, 255]);
    let plan = sample.load().unwrap();
    assert_eq!(ids(&plan), ["sys::meta", "literal::meta"]);
    for (_, probe) in plan.rows() {
        let action = probe.action.as_ref().unwrap();
        assert_eq!(action.driver.info().name, "file_getattrlist");
        assert_eq!(action.payload.as_deref(), Some("cmn"));
    }

    sample.profiles["profiles"]["sys"]["profile_path"] = json!("/System/Library/Sandbox/Profiles/none.sb");
    let text = told(&sample.load().unwrap_err());
    assert!(text.contains("`/System/Library/Sandbox/Profiles/none.sb` does not exist"), "{text}");
    assert_eq!(ids(&sample.load_only(&select(&["literal"], &[])).unwrap()), ["literal::meta"]);
}
