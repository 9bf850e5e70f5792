//! Workspaces that tests make for themselves.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// A folder with plans and registries.
pub struct Workspace {
    root: PathBuf,
    registries: Vec<String>,
}

impl Workspace {
    /// An empty workspace in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { root: dir.to_owned(), registries: Vec::new() }
    }

    /// Where the plan of that name is.
    pub fn plan_path(&self, name: &str) -> PathBuf {
        self.root.join("plans").join(name).join("plan.json")
    }

    /// Adds a registry and a plan of the same name: one profile under `policy`, with these probes.
    pub fn add(self, name: &str, policy: &Value, probes: Vec<Value>) -> Self {
        self.add_profiles(name, policy, probes, &[format!("{name}:only")])
    }

    /// The same with several profiles, each with all of the probes.
    fn add_profiles(mut self, name: &str, policy: &Value, probes: Vec<Value>, profiles: &[String]) -> Self {
        let folder = self.root.join("registries").join(name);
        fs::create_dir_all(folder.join("policies")).unwrap();
        write(&folder.join("policies/policy.json"), policy);
        let ids: Vec<Value> = probes.iter().map(|probe| probe["probe_id"].clone()).collect();
        let by_id: Map<String, Value> =
            probes.into_iter().map(|probe| (probe["probe_id"].as_str().unwrap().to_string(), probe)).collect();
        let head = |schema: &str| json!({"schema_version": schema, "registry_id": name, "world_id": "linux-host"});
        let mut file = head("runtime-tools.probe_registry.v0.2");
        file["probes"] = by_id.into();
        write(&folder.join("probes.json"), &file);
        let mut file = head("runtime-tools.profile_registry.v0.2");
        let profile = |id: &String| {
            let profile = json!({
                "profile_id": id,
                "profile_path": format!("registries/{name}/policies/policy.json"),
                "mode": "landlock",
                "probe_refs": ids,
                "family": null,
                "semantic_group": null,
                "key_specific_rules": [],
                "notes": null,
            });
            (id.clone(), profile)
        };
        file["profiles"] = profiles.iter().map(profile).collect::<Map<_, _>>().into();
        write(&folder.join("profiles.json"), &file);
        self.registries.push(name.to_string());
        let entries: Vec<Value> = self
            .registries
            .iter()
            .map(|id| {
                json!({
                    "id": id,
                    "probes": format!("registries/{id}/probes.json"),
                    "profiles": format!("registries/{id}/profiles.json"),
                })
            })
            .collect();
        write(
            &self.root.join("registries/index.json"),
            &json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": entries}),
        );
        fs::create_dir_all(self.root.join("plans").join(name)).unwrap();
        write(
            &self.plan_path(name),
            &json!({
                "schema_version": "runtime-tools.plan.v0.1",
                "plan_id": format!("{name}.v1"),
                "registry_id": name,
                "world_id": "linux-host",
                "profiles": profiles,
                "lanes": {"baseline": true, "scenario": true, "oracle": true},
                "controls": {"baseline": true},
            }),
        );
        self
    }

    /// A plan of `count` reads, half of them allowed.
    pub fn many_reads(self, name: &str, count: usize) -> Self {
        self.add(name, &read_policy(), Self::reads(name, count))
    }

    /// A plan that takes many seconds to run and none to load: 20,000 rows of 200 reads.
    pub fn long_run(self, name: &str) -> Self {
        let profiles: Vec<String> = (0..100).map(|n| format!("{name}:{n:03}")).collect();
        self.add_profiles(name, &read_policy(), Self::reads(name, 200), &profiles)
    }

    fn reads(name: &str, count: usize) -> Vec<Value> {
        (0..count)
            .map(|n| {
                let (folder, expected) = if n % 2 == 0 { ("open", "allow") } else { ("shut", "deny") };
                let path = format!("{folder}/file");
                let mut probe =
                    probe(&format!("{name}:read:{n:06}"), "file-read-data", &format!("${{root}}/{path}"), expected);
                probe["driver"] = "file_read".into();
                probe["fixtures"] = json!([
                    {"path": "open", "kind": "dir"},
                    {"path": path, "kind": "file", "text": "x"},
                ]);
                probe
            })
            .collect()
    }
}

/// A policy that lets reads through beneath `${root}/open` only.
pub fn read_policy() -> Value {
    json!({
        "schema_version": "sandproof.landlock_policy.v1",
        "abi": 1,
        "handled": {"fs": ["read_file"]},
        "path_beneath": [{"path": "${root}/open", "allow": ["read_file"]}],
    })
}

/// A probe with every key that a registry demands.
pub fn probe(id: &str, operation: &str, target: &str, expected: &str) -> Value {
    json!({
        "probe_id": id,
        "name": id.rsplit(':').next().unwrap(),
        "operation": operation,
        "target": target,
        "expected": expected,
        "supports_lanes": {"baseline": true, "scenario": true, "oracle": true},
        "expected_primary_ops": [operation],
        "expected_predicates": [target],
        "capabilities_required": [],
        "controls_supported": ["baseline"],
    })
}

fn write(path: &Path, value: &Value) {
    fs::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}
