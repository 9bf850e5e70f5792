//! The plans and documents for commands that sandbox, as they ship.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use sandproof::test_support::plan::{ResolvedPlan, Selection};
use sandproof::test_support::policy::PolicyValue;
use sandproof::test_support::policy::launcher::LauncherDocument;
use sandproof::test_support::record::driver::{Effect, TargetKind};
use sandproof::test_support::record::outcome::Decision;
use serde_json::Value;

use crate::skip;
use crate::support::{expect_code, output, sandproof, stderr, stdout, validate};

const PLANS: [&str; 5] =
    ["launcher-files", "launcher-network", "launcher-processes", "launcher-surface", "launcher-agent"];
const DOCUMENTS: [&str; 8] =
    ["bubblewrap", "codex", "firejail", "none", "nsjail", "sandbox-exec", "sandbox-runtime", "sandlock"];
/// A box that leaves the workspace writable and shows the rest read-only.
const BOX: &str = "box=bwrap --ro-bind / / --dev /dev --proc /proc --bind ${workspace} ${workspace} --unshare-all \
                   --die-with-parent --new-session --cap-drop ALL --";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn plan_path(name: &str) -> PathBuf {
    root().join("plans").join(name).join("plan.json")
}

fn plans() -> Vec<ResolvedPlan> {
    PLANS
        .iter()
        .map(|name| sandproof::test_support::plan::load(&plan_path(name), None, &Selection::default()).unwrap().0)
        .collect()
}

/// A folder that every user may reach, for bundles and the executable.
fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("launcher-plans-").tempdir_in("/var/tmp").unwrap()
}

fn run(plan: &str, out: &Path, more: &[&str]) -> Output {
    let mut run = sandproof();
    run.args(["run", "--plan"]).arg(plan_path(plan)).arg("--out").arg(out).args(more);
    if nix::unistd::geteuid().is_root() {
        run.arg("--as-root");
    }
    output(&mut run)
}

/// The scenario rows of the newest bundle: probe, expected, actual, and what is undecided about it.
fn rows(out: &Path) -> Vec<(String, String, Option<String>, String)> {
    let bundle = out.join(std::fs::read_to_string(out.join("LATEST")).unwrap().trim());
    let results: Value = serde_json::from_slice(&std::fs::read(bundle.join("runtime_results.json")).unwrap()).unwrap();
    let mut rows = Vec::new();
    for profile in results.as_object().unwrap().values() {
        for row in profile["probes"].as_array().into_iter().flatten() {
            let text = |key: &str| row[key].as_str().map(str::to_owned);
            rows.push((
                text("name").unwrap(),
                text("expected").unwrap(),
                text("actual"),
                format!("{} {}", row["runtime_result"]["failure_kind"], row["notes"]),
            ));
        }
    }
    expect_code(&validate(&bundle), 0);
    rows
}

#[test]
fn documents_of_launchers_are_sound_and_say_where_their_claims_come_from() {
    let folder = root().join("registries/launchers");
    let found: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(found, DOCUMENTS.into_iter().map(String::from).collect());
    for name in DOCUMENTS {
        let bytes = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let document: LauncherDocument = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document.launcher_id, name);
        assert_eq!(document.faults(), [], "{name}");
        assert!(!document.identity.is_empty(), "{name} names no program that it is");
        let program = format!("program:{}", document.argv[0]);
        assert!(name == "none" || document.needs.contains(&program), "{name} does not need what it starts");
        assert_eq!(document.claims.is_empty(), name == "none", "{name}");
        for claim in &document.claims {
            assert!(claim.source.starts_with("https://"), "{name}: {}", claim.source);
        }
    }
}

#[test]
fn every_question_names_a_public_report_and_changes_only_what_is_the_runs_own() {
    let (mut questions, mut reports) = (0, BTreeSet::new());
    for plan in plans() {
        for (profile, probe) in plan.rows() {
            let PolicyValue::Launcher(document) = profile.policy.value.as_ref() else { panic!("{}", profile.id) };
            assert_eq!(document.launcher_id, "none", "a plan's own launcher is the one that must fail");
            let why = probe.entry.why.as_deref().unwrap_or_default();
            let report = why.rsplit_once("(https://").and_then(|(_, rest)| rest.strip_suffix(")."));
            let report = report.unwrap_or_else(|| panic!("{}: {why}", probe.entry.probe_id));
            assert!(report.split('/').count() >= 3 && !report.contains(' '), "{report}");
            reports.insert(report.to_owned());
            questions += 1;
            let action = probe.action.as_ref().unwrap();
            let info = action.driver.info();
            if info.target == TargetKind::Path && info.effect == Effect::Changes {
                let target = &action.target;
                let own = ["${root}/", "/proc/self/root${root}/"].iter().any(|start| target.starts_with(start));
                assert!(own || target.rsplit('/').next().unwrap().starts_with("${name."), "{target}");
            }
        }
    }
    assert!(questions >= 150 && reports.len() >= 100, "{questions} questions, {} reports", reports.len());
}

#[test]
fn every_question_is_decided_under_a_box() {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    let folder = folder();
    for plan in PLANS {
        let out = folder.path().join(plan);
        let ran = run(plan, &out, &["--launcher", BOX]);
        let said = stdout(&ran) + &stderr(&ran);
        assert!(matches!(ran.status.code(), Some(0 | 1)), "{plan}: {said}");
        let rows = rows(&out);
        assert!(rows.len() >= 10, "{plan}: {said}");
        for (name, _, actual, why) in rows {
            assert!(actual.is_some(), "{plan}: {name}: {why}");
        }
    }
}

#[test]
fn without_a_launcher_nothing_is_refused() {
    let folder = folder();
    for plan in PLANS {
        let out = folder.path().join(plan);
        let unasked = run(plan, &out, &[]);
        expect_code(&unasked, 3);
        let ran = run(plan, &out, &["--allow-host-programs"]);
        expect_code(&ran, 1);
        for (name, expected, actual, why) in rows(&out) {
            // The control that must fail: whatever should be denied is not.
            let wanted = (actual.as_deref() == Some("allow")).then_some(Decision::Allow);
            assert_eq!(wanted, Some(Decision::Allow), "{plan}: {name} (expected {expected}): {actual:?} {why}");
        }
    }
}

#[test]
fn a_template_makes_a_plan_for_a_command_of_ones_own() {
    let folder = folder();
    let made = folder.path().join("mine");
    let built = output(sandproof().args(["plan-build", "--template", "launcher-paths", "--out"]).arg(&made));
    expect_code(&built, 0);
    let document = std::fs::read(made.join("policies/launcher.json")).unwrap();
    let document: LauncherDocument = serde_json::from_slice(&document).unwrap();
    assert_eq!((document.launcher_id.as_str(), document.faults()), ("mine", Vec::new()));
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    let mut running = sandproof();
    // A need of a program is looked for where its user's programs are.
    running.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    running.args(["run", "--allow-host-programs", "--plan"]).arg(made.join("plan.json"));
    running.arg("--out").arg(folder.path().join("out"));
    if nix::unistd::geteuid().is_root() {
        running.arg("--as-root");
    }
    let ran = output(&mut running);
    assert_eq!(ran.status.code(), Some(0), "{}", stdout(&ran) + &stderr(&ran));
}
