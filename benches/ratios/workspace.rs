//! A workspace with a plan of many probes under one small Landlock policy.

use std::fs;
use std::path::{Path, PathBuf};

use sandproof::test_support::plan::file::{INDEX_SCHEMA, PLAN_SCHEMA, PROBES_SCHEMA, PROFILES_SCHEMA};
use serde_json::{Map, Value, json};

use super::Result;

/// The shape of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Probes in the registry; every profile refers to all of them.
    pub probes: usize,
    /// Profiles, all under the same policy.
    pub profiles: usize,
    /// Whether the probes read fixtures, made freshly for each, or files that every Linux host has.
    pub fixtures: bool,
}

/// Makes the workspace in `folder`, which is empty.
pub fn make(folder: &Path, shape: Shape) -> Result<PathBuf> {
    let (open, shut) = if shape.fixtures {
        ("${root}/open/file", "${root}/shut/file")
    } else {
        // Of the folders below only /etc is no rule's.
        ("/proc/version", "/etc/passwd")
    };
    let granted = if shape.fixtures { "${root}/open" } else { "/usr" };
    let rule = |path: &str| json!({"path": path, "allow": ["read_file", "read_dir"]});
    // None of them holds the fixture roots, which lie under /dev/shm.
    let rules = ["/proc", "/sys", "/run", "/var", granted].map(rule);
    let policy = json!({
        "schema_version": "sandproof.landlock_policy.v1",
        "description": "Five rules; everything that ABI 1 can handle.",
        "abi": 1,
        "handled": {"fs": [
            "execute", "write_file", "read_file", "read_dir", "remove_dir", "remove_file", "make_char", "make_dir",
            "make_reg", "make_sock", "make_fifo", "make_block", "make_sym",
        ]},
        "path_beneath": rules,
    });
    let probes: Map<String, Value> = (0..shape.probes)
        .map(|n| {
            let id = format!("bench.read.{n:06}");
            let allowed = n % 2 == 0;
            let probe = json!({
                "probe_id": id,
                "name": format!("read-{n:06}"),
                "operation": "file-read-data",
                "driver": "file_read",
                "target": if allowed { open } else { shut },
                "expected": if allowed { "allow" } else { "deny" },
                "expected_primary_ops": ["file-read-data"],
                "expected_predicates": [if allowed { open } else { shut }],
                "supports_lanes": {"baseline": true, "scenario": true, "oracle": true},
                "controls_supported": ["baseline"],
                "capabilities_required": [],
            });
            (id, probe)
        })
        .collect();
    let ids: Vec<&String> = probes.keys().collect();
    let names: Vec<String> = (0..shape.profiles).map(|n| format!("bench:five_rules_{n:03}")).collect();
    let file = |path: &str| json!({"path": path, "kind": "file", "text": "content\n"});
    let fixtures = if shape.fixtures { vec![file("open/file"), file("shut/file")] } else { Vec::new() };
    let profiles: Map<String, Value> = names
        .iter()
        .map(|id| {
            let mut profile = json!({
                "profile_id": id,
                "profile_path": "registries/bench/policies/five_rules.json",
                "mode": "landlock",
                "probe_refs": ids,
                "family": "bench",
                "semantic_group": "files",
                "key_specific_rules": [],
                "notes": "Five rules, all the rights of ABI 1.",
            });
            if !fixtures.is_empty() {
                profile["fixtures"] = json!(fixtures);
            }
            (id.clone(), profile)
        })
        .collect();
    write(folder, "registries/bench/policies/five_rules.json", &policy)?;
    write_plan(folder, &probes, &profiles, true)?;
    Ok(folder.to_owned())
}

/// Writes a plan of all these profiles, with its registry.
pub fn write_plan(
    folder: &Path,
    probes: &Map<String, Value>,
    profiles: &Map<String, Value>,
    oracle: bool,
) -> Result<()> {
    let registry = |schema: &str, key: &str, entries: &Map<String, Value>| json!({"schema_version": schema, "registry_id": "bench", "world_id": "linux-host", key: entries});
    write(folder, "registries/bench/probes.json", &registry(PROBES_SCHEMA, "probes", probes))?;
    write(folder, "registries/bench/profiles.json", &registry(PROFILES_SCHEMA, "profiles", profiles))?;
    let paths = ["probes", "profiles"].map(|name| format!("registries/bench/{name}.json"));
    let entry = json!({"id": "bench", "probes": paths[0], "profiles": paths[1]});
    write(folder, "registries/index.json", &json!({"schema_version": INDEX_SCHEMA, "registries": [entry]}))?;
    let plan = json!({
        "schema_version": PLAN_SCHEMA,
        "plan_id": "bench",
        "registry_id": "bench",
        "world_id": "linux-host",
        "profiles": profiles.keys().collect::<Vec<_>>(),
        "lanes": {"baseline": true, "scenario": true, "oracle": oracle},
    });
    write(folder, "plans/bench/plan.json", &plan)
}

/// Writes a document of the workspace.
pub fn write(folder: &Path, path: &str, document: &Value) -> Result<()> {
    let path = folder.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, serde_json::to_vec(document)?)?;
    Ok(())
}
