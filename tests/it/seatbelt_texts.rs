//! What the commands say of Seatbelt texts. They are read on every system, so every system refuses a bad one.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{expect_code, output, sandproof, stderr, stdout};

/// A plan folder of its own with one Seatbelt profile: `text`, and these rules after it.
fn plan(text: &str, rules: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("registry")).unwrap();
    fs::write(at("base.sb"), text).unwrap();
    let world = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5";
    let plan =
        json!({"schema_version": "runtime-tools.plan.v0.1", "plan_id": "p", "registry_id": "r", "profiles": ["one"]});
    fs::write(at("plan.json"), plan.to_string()).unwrap();
    let probe = json!({
        "probe_id": "read", "name": "read", "operation": "file-read*", "target": "/private/tmp/x", "expected": "allow",
        "supports_lanes": {"baseline": true, "scenario": true, "oracle": true}, "expected_primary_ops": ["file-read*"],
        "expected_predicates": ["/private/tmp/x"], "capabilities_required": [], "controls_supported": [],
    });
    let probes = json!({"schema_version": "runtime-tools.probe_registry.v0.2", "registry_id": "r", "world_id": world,
        "probes": {"read": probe}});
    fs::write(at("registry/probes.json"), probes.to_string()).unwrap();
    let profile = json!({
        "profile_id": "one", "profile_path": "base.sb", "mode": "sbpl", "probe_refs": ["read"], "family": null,
        "semantic_group": null, "key_specific_rules": rules, "notes": null, "parameters": {"DIR": "/private/tmp"},
    });
    let profiles = json!({"schema_version": "runtime-tools.profile_registry.v0.2", "registry_id": "r", "world_id": world,
        "profiles": {"one": profile}});
    fs::write(at("registry/profiles.json"), profiles.to_string()).unwrap();
    let path = at("plan.json");
    (folder, path)
}

const GOOD: &str = "(version 1)\n(deny default)\n(allow file-read* (subpath (param \"DIR\")))\n";

#[test]
fn a_bad_text_is_refused_with_line_and_column_before_anything_runs() {
    let (folder, path) = plan("(version 1)\n(deny default)\n  (allow file-raed* (literal \"/x\"))\n", &[]);
    for arguments in [["run", "--plan"], ["plan-lint", "--plan"]] {
        let output = output(sandproof().current_dir(folder.path()).args(arguments).arg(&path));
        let (told, code) = match arguments[0] {
            "plan-lint" => (stdout(&output), 1),
            _ => (stderr(&output), 3),
        };
        expect_code(&output, code);
        assert!(told.contains("`base.sb` at `3:10`: there is no operation `file-raed*`"), "{told}");
        assert!(told.contains("did you mean `file-read*`?"), "{told}");
    }
    assert!(!folder.path().join("out").exists(), "something ran");
}

#[test]
fn a_bad_rule_of_the_registry_is_named_by_its_pointer() {
    let (folder, path) = plan(GOOD, &["(allow signal)", "(allow file-read* (subpath))"]);
    let output = output(sandproof().current_dir(folder.path()).args(["run", "--plan"]).arg(&path));
    expect_code(&output, 3);
    let told = stderr(&output);
    assert!(told.contains("`registry/profiles.json` at `/profiles/one/key_specific_rules/1`"), "{told}");
    assert!(told.contains("at 1:19 of the rule, `subpath` needs a string, and nothing stands here"), "{told}");
}

#[test]
fn a_good_text_lints_without_a_finding() {
    let (_folder, path) = plan(GOOD, &["(allow signal)"]);
    let output = output(sandproof().args(["plan-lint", "--plan"]).arg(&path));
    expect_code(&output, 0);
    assert!(!stdout(&output).contains("policy_doubt"), "{}", stdout(&output));
}

#[test]
fn a_profile_is_described_with_its_rules_and_parameters() {
    let (folder, _) = plan(GOOD, &["(allow signal)"]);
    let index = json!({"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "r", "probes": "registry/probes.json", "profiles": "registry/profiles.json"}
    ]});
    fs::create_dir(folder.path().join("registries")).unwrap();
    fs::write(folder.path().join("registries/index.json"), index.to_string()).unwrap();
    let arguments = ["describe-profile", "--registry", "r", "--profile", "one"];
    let told = stdout(&output(sandproof().current_dir(folder.path()).args(arguments)));
    assert!(told.contains("rules      (allow signal)\nparameters DIR = /private/tmp\n"), "{told}");
}

#[test]
fn a_contradiction_that_rests_on_the_order_of_precedence_is_a_warning() {
    let lint = |text: &str| {
        let (folder, path) = plan(text, &[]);
        let probes = folder.path().join("registry/probes.json");
        // A file that every system has: nothing else about it is taken for granted.
        let text = fs::read_to_string(&probes).unwrap().replace("/private/tmp/x", "/private/etc/hosts");
        fs::write(&probes, text.replace("\"oracle\":true}", "\"oracle\":true},\"driver\":\"file_read\"")).unwrap();
        let output = output(sandproof().current_dir(folder.path()).args(["plan-lint", "--plan"]).arg(&path));
        (output.status.code(), stdout(&output))
    };
    let narrow = "(deny file-read-data (subpath \"/private/etc\"))";
    let (code, told) =
        lint(&format!("(version 1)(deny default){narrow}(allow file-read* (literal \"/private/etc/hosts\"))"));
    assert!(code == Some(0) && told.contains("warning[contradiction]"), "{told}");
    assert!(told.contains("not recorded on 14.4.1"), "{told}");
    let (code, told) =
        lint(&format!("(version 1)(deny default)(allow file-read* (literal \"/private/etc/hosts\")){narrow}"));
    assert!(code == Some(1) && told.contains("error[contradiction]"), "{told}");
}
