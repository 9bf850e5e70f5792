//! Keeps `docs/what-changed.md` true. With `SANDPROOF_UPDATE_DOCS=1` the page is written anew.

use std::fs;
use std::path::Path;

use sandproof::test_support::identity::{DeclarationParts, seal};
use sandproof::test_support::record::identity::Declaration;
use serde_json::{Value, json};

use crate::support::{copy_folder, expect_code, output, root, sandproof, stdout};

const PAGE: &str = "docs/what-changed.md";
const POLICY: &str = "registries/quickstart/policies/read-only.json";

/// Runs the quickstart plan in `folder`.
#[track_caller]
fn run(folder: &Path, id: &str, environment: &[(&str, &str)], code: i32) {
    let mut command = sandproof();
    command.current_dir(folder).envs(environment.iter().copied()).args(["run", "--jobs", "1", "--run-id", id]);
    // One place for all runs: by default it is /dev/shm only while that has room, and its file system is declared.
    fs::create_dir_all(folder.join("fixtures")).unwrap();
    command.args(["--plan", "plans/quickstart/plan.json", "--out", "out", "--fixtures", "fixtures"]);
    expect_code(&output(&mut command), code);
}

/// The declaration of a run with another Landlock ABI, sealed anew.
fn with_abi(declaration: &Declaration, abi: i32) -> Vec<u8> {
    let mut runtime = declaration.runtime.clone();
    runtime["host"]["landlock_abi"] = json!(abi);
    let parts = DeclarationParts {
        artifact: declaration.artifact.clone(),
        runtime,
        policy: declaration.policy.clone(),
        history: declaration.history.clone(),
    };
    serde_json::to_vec(&seal(&declaration.schema_version, &declaration.kind, parts).unwrap()).unwrap()
}

/// The text without the digests that differ from host to host.
fn shortened(text: &str) -> String {
    let line = |line: &str| match line.split_once("identity ") {
        Some((head, digest)) if digest.len() == 64 => format!("{head}identity …"),
        _ => line.trim_end().to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_page_shows_what_diff_runs_says() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    for part in ["plans", "registries"] {
        copy_folder(&root().join(part), &folder.join(part));
    }
    run(folder, "before", &[("TZ", "UTC")], 0);
    let declared: Value =
        serde_json::from_slice(&fs::read(folder.join("out/before/run_identity.json")).unwrap()).unwrap();
    if declared["runtime"]["host"]["landlock_abi"].as_i64().unwrap_or_default() < 6 {
        crate::skip!("the page's verdicts need Landlock ABI 6");
    }
    let declared: Declaration = serde_json::from_value(declared).unwrap();
    for abi in [6, 4] {
        fs::write(folder.join(format!("abi-{abi}.json")), with_abi(&declared, abi)).unwrap();
    }
    run(folder, "variable", &[("TZ", "Europe/Lisbon")], 0);
    let policy = fs::read_to_string(folder.join(POLICY)).unwrap();
    let edited =
        policy.replace(r#""allow": ["read_file", "read_dir"]"#, r#""allow": ["read_file", "read_dir", "write_file"]"#);
    assert_ne!(policy, edited, "the line that the page quotes does not stand in {POLICY}");
    fs::write(folder.join(POLICY), edited).unwrap();
    run(folder, "policy", &[("TZ", "UTC")], 1);

    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let mut made = String::new();
    let mut outputs = 0;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        made.push_str(&format!("{line}\n"));
        let Some(command) = line.strip_prefix("<!-- output of: sandproof ").and_then(|rest| rest.strip_suffix(" -->"))
        else {
            continue;
        };
        let found = output(sandproof().current_dir(folder).args(command.split(' ')));
        expect_code(&found, 1);
        made.push_str(&format!("```text\n{}\n```\n", shortened(&stdout(&found))));
        assert_eq!(lines.next(), Some("```text"), "after `{line}`");
        let _ = lines.by_ref().find(|line| *line == "```");
        outputs += 1;
    }
    assert_eq!(outputs, 3);
    if std::env::var_os("SANDPROOF_UPDATE_DOCS").is_some() {
        fs::write(root().join(PAGE), &made).unwrap();
    }
    assert_eq!(
        page, made,
        "the page is out of date; run this test with SANDPROOF_UPDATE_DOCS=1 and look at what changed"
    );
    assert!(page.contains("the only declared difference that can reach it"));
}
