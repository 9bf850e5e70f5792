//! `sandproof mutate` and `sandproof drift`, from the command line.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{expect_code, json_answer, output, root, sandproof, stdout};

/// Runs a command, checks its exit code, and the JSON answer against its schema.
#[track_caller]
fn answer(folder: &Path, schema: &str, code: i32, arguments: &[&str]) -> Value {
    json_answer(sandproof().current_dir(folder).args(arguments).arg("--json"), schema, code)
}

/// Every mutant of a report with where it is.
fn mutants(report: &Value) -> Vec<(&str, &Value)> {
    let rules = report["policies"].as_array().unwrap().iter().flat_map(|policy| policy["rules"].as_array().unwrap());
    rules
        .flat_map(|rule| {
            let at = rule["at"].as_str().unwrap();
            rule["mutants"].as_array().unwrap().iter().map(move |mutant| (at, mutant))
        })
        .collect()
}

fn abi() -> i32 {
    sandproof::test_support::enforce::landlock_abi().unwrap_or(0)
}

/// The plans whose every rule is proved; the kernel decides. The gate holds the larger ones to the same, by an optimised build.
#[test]
fn the_plans_for_linux_notice_what_would_weaken_their_policies() {
    if abi() < 6 {
        crate::skip!("the policies need Landlock ABI 6, and this kernel has {}", abi());
    }
    for plan in ["quickstart", "linux-scopes"] {
        let file = format!("plans/{plan}/plan.json");
        // Device nodes are for root alone, so others have fewer probes that decide.
        let least = if nix::unistd::geteuid().is_root() { "0.95" } else { "0.9" };
        let report = answer(root(), "mutation_report", 0, &["mutate", "--plan", &file, "--fail-under", least]);
        assert_eq!(report["plan_id"], plan);
        assert_eq!(report["oracle_disagrees"], json!([]), "{plan}");
        assert!(report["weakened"]["mutants"].as_u64().unwrap() >= 9, "{plan}: {}", report["weakened"]);
        for policy in report["policies"].as_array().unwrap() {
            assert_eq!(policy["by"], "kernel");
        }
    }
    let probes = fs::read(root().join("registries/quickstart/probes.json")).unwrap();
    let probes: Value = serde_json::from_slice(&probes).unwrap();
    assert!(probes["probes"].as_object().unwrap().len() < 25, "quickstart is a first look");
}

/// What nobody can execute here is decided by the model, and says so.
#[test]
fn the_plans_for_sonoma_notice_what_would_weaken_their_policies() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("plans")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("sonoma-") {
            continue;
        }
        let file = format!("plans/{name}/plan.json");
        let report = answer(root(), "mutation_report", 0, &["mutate", "--plan", &file, "--fail-under", "0.95"]);
        assert!(report["policies"].as_array().unwrap().iter().all(|policy| policy["by"] == "model"), "{name}");
        seen += 1;
    }
    assert!(seen >= 11, "{seen} plans");
}

const POLICY: &str = r#"{
  "schema_version": "sandproof.landlock_policy.v1",
  "abi": 1,
  "handled": { "fs": ["read_file", "write_file"] },
  "path_beneath": [
    { "path": "${root}/workspace", "allow": ["read_file"] }
  ]
}
"#;

#[test]
fn a_hole_is_named_with_its_line_and_with_the_probe_that_closes_it() {
    if abi() < 1 {
        crate::skip!("this kernel has no Landlock");
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |questions: &str| {
        fs::write(folder.path().join("p.json"), POLICY).unwrap();
        fs::write(folder.path().join("p.questions"), format!("landlock p.json\n{questions}")).unwrap();
    };
    write("allow read ${workspace}/a\ndeny read ${outside}/b\n");
    let asked = ["mutate", "--plan", "p.questions", "--fail-under", "0.9"];
    let report = answer(folder.path(), "mutation_report", 8, &asked);
    let unhandled = |report: &Value| {
        let all = mutants(report);
        let (_, found) = all.iter().find(|(_, one)| one["change"] == "`write_file` no longer handled").unwrap();
        (*found).clone()
    };
    let hole = unhandled(&report);
    assert_eq!((&hole["outcome"], &hole["effect"]), (&json!("not_noticed"), &json!("weakened")));
    assert_eq!(
        (&hole["probe_to_add"]["driver"], &hole["probe_to_add"]["expected"]),
        (&json!("file_write"), &json!("deny"))
    );
    let rule =
        report["policies"][0]["rules"].as_array().unwrap().iter().find(|rule| rule["at"] == "/handled/fs").unwrap();
    assert_eq!(rule["line"], 4);
    // Other readers are told the same.
    let shown = |format: &str, code| {
        let said = output(sandproof().current_dir(folder.path()).args(asked).args(["--format", format]));
        expect_code(&said, code);
        stdout(&said)
    };
    assert!(shown("terminal", 8).contains("below --fail-under 0.9"));
    assert!(shown("markdown", 8).contains("`write_file` no longer handled"));
    assert!(shown("html", 8).contains("no longer handled"));
    let sarif: Value = serde_json::from_str(&shown("sarif", 8)).unwrap();
    let lines: Vec<&Value> = (sarif["runs"][0]["results"].as_array().unwrap().iter())
        .filter(|result| result["ruleId"] == "unproved_restriction")
        .map(|result| &result["locations"][0]["physicalLocation"]["region"]["startLine"])
        .collect();
    assert!(lines.contains(&&json!(4)) && lines.contains(&&json!(6)), "{lines:?}");
    // What was asked for closes it.
    write("allow read ${workspace}/a\ndeny read ${outside}/b\ndeny write ${workspace}/a\ndeny write ${outside}/b\n");
    let report = answer(folder.path(), "mutation_report", 0, &asked);
    assert_eq!(unhandled(&report)["outcome"], "noticed");
    assert_eq!(report["weakened"]["score"], json!(1.0));
    // One profile alone, and a plan of which nothing can be changed.
    let refused = output(sandproof().current_dir(folder.path()).args(asked).args(["--only-profile", "nobody"]));
    expect_code(&refused, 3);
    assert_eq!(output(sandproof().args(["mutate", "--plan", "nowhere.json"])).status.code(), Some(3));
}

#[test]
fn a_launchers_flags_are_left_out_one_by_one() {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        crate::skip!("bubblewrap is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let questions = "deny write ${outside}/a\nallow write ${workspace}/a\ndeny connect 127.0.0.1:${port}\n";
    fs::write(
        folder.path().join("p.questions"),
        format!(
            "launcher bwrap --ro-bind / / --dev /dev --bind ${{workspace}} ${{workspace}} --unshare-net --\n{questions}"
        ),
    )
    .unwrap();
    let asked = ["mutate", "--plan", "p.questions", "--allow-host-programs", "--as-root"];
    let report = answer(folder.path(), "mutation_report", 0, &asked);
    let found = |flag: &str| {
        let all = mutants(&report);
        let (_, mutant) = all.iter().find(|(_, one)| one["change"].as_str().unwrap().contains(flag)).unwrap();
        mutant["outcome"].as_str().unwrap().to_owned()
    };
    assert_eq!(report["policies"][0]["by"], "launcher");
    assert_eq!((found("--bind").as_str(), found("--unshare-net").as_str()), ("noticed", "noticed"));
    assert_eq!(found("--dev"), "not_noticed");
}

#[test]
fn random_cases_are_the_same_for_the_same_seed() {
    if abi() < 1 {
        crate::skip!("this kernel has no Landlock");
    }
    let ask = |seed: &str, jobs: &str| {
        answer(root(), "drift_report", 0, &["drift", "--seed", seed, "--cases", "150", "--jobs", jobs])
    };
    let (one, again, other) = (ask("5", "1"), ask("5", "3"), ask("6", "1"));
    assert_eq!(one, again);
    assert_eq!((&one["cases"], &one["disagreements"]), (&json!(150), &json!(0)));
    assert_ne!((&one["allowed"], &one["denied"]), (&other["allowed"], &other["denied"]));
    assert!(one["allowed"].as_u64().unwrap() > 20 && one["denied"].as_u64().unwrap() > 15, "{one}");
}

#[test]
fn a_case_that_was_kept_is_put_to_this_kernel_and_what_parts_is_kept_again() {
    if abi() < 1 {
        crate::skip!("this kernel has no Landlock");
    }
    let folder = tempfile::tempdir().unwrap();
    let case = |target: &str| {
        let case = json!({
            "schema_version": "sandproof.drift_case.v1", "seed": 3, "number": 9, "kernel": "6.1", "landlock_abi": 2,
            "policy": {"schema_version": "sandproof.landlock_policy.v1", "abi": 1, "handled": {"fs": ["read_file"]},
                "path_beneath": [{"path": "/", "allow": ["read_file"]}]},
            "fixtures": [{"path": "a", "kind": "file"}], "action": {"driver": "file_read", "target": target},
            "model": "allow", "reason": "", "without": {"outcome": "done"}, "under": {"outcome": "failed", "errno": 13},
        });
        fs::write(folder.path().join("case.json"), case.to_string()).unwrap();
    };
    let asked = ["drift", "--case", "case.json", "--keep", "."];
    case("${root}/a");
    assert_eq!(answer(folder.path(), "drift_report", 0, &asked)["kept"], json!([]));
    // The model takes for granted that a path of the host is there.
    case("/sandproof-nobody");
    let parted = answer(folder.path(), "drift_report", 1, &asked);
    assert_eq!(parted["disagreements"], 1);
    let kept: Value = serde_json::from_slice(&fs::read(folder.path().join("drift-3-9.json")).unwrap()).unwrap();
    assert_eq!(kept, parted["kept"][0]);
    assert_eq!(kept["without"], json!({"outcome": "failed", "errno": 2}));
    let said = output(sandproof().current_dir(folder.path()).args(["drift", "--case", "drift-3-9.json"]));
    expect_code(&said, 1);
    assert!(stdout(&said).contains("model and kernel part in 1 case"), "{}", stdout(&said));
    for wrong in ["{", "{}", r#"{"schema_version": "sandproof.plan.v1"}"#] {
        fs::write(folder.path().join("case.json"), wrong).unwrap();
        expect_code(&output(sandproof().current_dir(folder.path()).args(asked)), 3);
    }
}
