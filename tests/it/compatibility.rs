//! `docs/compatibility.md` leaves nothing out.

use std::fs;

use serde_json::json;

use crate::schemas::published;
use crate::support::{expect_code, output, root, sandproof};

#[test]
fn the_page_names_every_schema_every_command_and_every_weakness() {
    let page = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    for (name, _) in published() {
        assert!(page.contains(&format!("`{name}`")), "the schema `{name}` is not on the page");
    }
    for command in sandproof::test_support::cli::visible().get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = command.get_name();
        let row = page.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        assert!(row, "the command `{name}` has no row on the page");
    }
    let numbers: Vec<u32> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=112).collect::<Vec<u32>>(), "the weaknesses are not each there once, in order");
}

#[test]
fn what_the_page_calls_a_function_is_one() {
    let page = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    let api = fs::read_to_string(root().join("src/api.rs")).unwrap();
    let library = page.split("## 4. Library").nth(1).unwrap().split("## 5.").next().unwrap();
    let mut seen = 0;
    for path in library.split('`').filter(|text| text.contains("::") && !text.starts_with("sandproof")) {
        let (module, names) = path.split_once("::").unwrap();
        let body = api.split(&format!("pub mod {module} {{")).nth(1).unwrap_or_else(|| panic!("no module `{module}`"));
        let body = body.split("\n}").next().unwrap();
        for name in names.trim_matches(['{', '}']).split(", ") {
            assert!(body.contains(name), "`{module}` has no `{name}`");
            seen += 1;
        }
    }
    assert!(seen > 8, "only {seen} functions were looked for");
}

/// The rules that the page tells people to add to plans of the reference.
fn shims_of_the_page() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    let block = page.split("```json").nth(1).unwrap().split("```").next().unwrap();
    serde_json::from_str(block).unwrap()
}

#[test]
fn the_rules_that_the_page_adds_are_those_of_the_recording_and_change_the_answer() {
    let recorded: serde_json::Value =
        serde_json::from_slice(&fs::read(root().join("tests/recorded/sonoma.json")).unwrap()).unwrap();
    let shims = shims_of_the_page();
    assert_eq!(json!(shims), recorded["shims"]);

    let dir = tempfile::tempdir().unwrap();
    let put = |file: &str, text: &str| {
        let file = dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    put("p.sb", "(version 1)\n(deny default)\n(allow file-read* (literal \"/private/tmp/foo\"))\n");
    let profile = |id: &str, rules: &[String]| {
        json!({"profile_id": id, "profile_path": "p.sb", "mode": "sbpl", "probe_refs": ["a"], "family": null,
            "semantic_group": null, "key_specific_rules": rules, "notes": null})
    };
    let head = |kind: &str| format!("runtime-tools.{kind}_registry.v0.2");
    let profiles = json!({"schema_version": head("profile"), "registry_id": "r", "world_id": "w",
        "profiles": {"bare": profile("bare", &[]), "shimmed": profile("shimmed", &shims)}});
    let probes = json!({"schema_version": head("probe"), "registry_id": "r", "world_id": "w", "probes": {"a": {
        "probe_id": "a", "name": "a", "operation": "file-read*", "target": "/tmp/foo", "expected": "allow",
        "supports_lanes": {"baseline": true, "scenario": true, "oracle": true}, "expected_primary_ops": ["file-read*"],
        "expected_predicates": [], "capabilities_required": [], "controls_supported": []}}});
    let index = json!({"schema_version": "runtime-tools.registry_index.v0.1",
        "registries": [{"id": "r", "probes": "registry/probes.json", "profiles": "registry/profiles.json"}]});
    put("registry/index.json", &index.to_string());
    put("registry/probes.json", &probes.to_string());
    put("registry/profiles.json", &profiles.to_string());
    for (profile, wanted) in [("bare", "deny"), ("shimmed", "allow")] {
        let answer = output(sandproof().current_dir(dir.path()).args(["why", "--json", "--registry", "r"]).args([
            "--profile",
            profile,
            "--operation",
            "file-read*",
            "--target",
            "/tmp/foo",
        ]));
        expect_code(&answer, 0);
        let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(answer["decision"], wanted, "{profile}: {answer}");
    }
}
