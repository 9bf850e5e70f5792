//! `status`, `explain`, and what a run says that starts inside a sandbox.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sandproof::test_support::cli::Exit;
use sandproof::test_support::promote::Reason;
use sandproof::test_support::record::outcome::FailureKind;
use serde_json::{Value, json};

use crate::interruption::wait_for_rows;
use crate::support::{expect_code, json_answer, output, root, sandproof, stderr, stdout};
use crate::workspace::Workspace;

const QUICKSTART: &str = "plans/quickstart/plan.json";

/// `status --json`, which has its published shape.
fn status(out: &Path) -> Value {
    json_answer(sandproof().args(["status", "--json", "--out"]).arg(out), "status", 0)
}

fn people(out: &Path) -> String {
    let output = output(sandproof().args(["status", "--out"]).arg(out));
    expect_code(&output, 0);
    stdout(&output)
}

#[test]
fn status_says_where_the_last_run_stands_while_it_runs_and_after_it_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let nothing = status(&out);
    assert_eq!((&nothing["output"]["last"], &nothing["output"]["locked_by"]), (&Value::Null, &Value::Null));

    expect_code(&output(sandproof().args(["run", "--run-id", "first", "--plan", QUICKSTART, "--out"]).arg(&out)), 0);
    let after = status(&out);
    assert_eq!(after["run_id"], "first");
    assert_eq!(after["output"]["last"]["state"], "complete");
    assert_eq!(after["output"]["locked_by"], Value::Null);
    assert!(people(&out).contains("first: complete"), "{}", people(&out));

    let work = tempfile::tempdir().unwrap();
    let plan = Workspace::new(work.path()).long_run("slow").plan_path("slow");
    let slow = work.path().join("out");
    // Its own, because a killed run leaves a fixture folder of that name behind.
    let id = format!("killed-{}", std::process::id());
    let mut child = sandproof()
        .args(["run", "--run-id", &id, "--plan"])
        .arg(&plan)
        .arg("--out")
        .arg(&slow)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_rows(&slow);
    let during = status(&slow);
    assert_eq!(during["output"]["locked_by"], json!({"pid": child.id(), "run_id": id}));
    assert_eq!(
        (&during["output"]["last"]["state"], &during["output"]["last"]["abandoned"]),
        (&json!("in_progress"), &json!(false))
    );
    assert!(people(&slow).contains(&format!("by process {}, run {id}", child.id())), "{}", people(&slow));
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = status(&slow);
    assert_eq!(killed["output"]["locked_by"], Value::Null);
    assert_eq!(
        (&killed["output"]["last"]["run_id"], &killed["output"]["last"]["abandoned"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(killed["output"]["latest"], Value::Null);
    assert!(people(&slow).contains(&format!("{id}: abandoned")), "{}", people(&slow));
}

#[test]
fn status_knows_this_host_and_what_can_be_done_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let found = status(dir.path());
    let run = crate::support::finished_run(QUICKSTART, 0);
    assert_eq!(found["world_id"], run.report["world_id"], "a run here belongs to the world that status names");
    assert_eq!(found["worlds"][0]["declared"], "linux-host");
    let channels = found["channels"].as_array().unwrap();
    let of = |name: &str| channels.iter().find(|channel| channel["name"] == name).unwrap();
    assert_eq!(of("direct")["available"], true);
    for channel in channels {
        assert!(!channel["detail"].as_str().unwrap().is_empty());
    }
    let clean =
        output(sandproof().args(["run", "--channel", "launchd_clean", "--plan", QUICKSTART, "--out"]).arg(dir.path()));
    assert_eq!(of("launchd_clean")["available"] == true, clean.status.code() != Some(7));
}

#[test]
fn every_reason_is_explained_and_no_other() {
    let listed = output(sandproof().args(["explain", "--json"]));
    expect_code(&listed, 0);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let names: Vec<&str> =
        listed["reasons"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(names, known);
    for reason in Reason::ALL {
        let one = output(sandproof().args(["explain", reason.as_str()]));
        expect_code(&one, 0);
        let said = stdout(&one);
        let (what, todo) = said.split_once("\ndo: ").unwrap_or_else(|| panic!("{said}"));
        assert_eq!(what, format!("{} bars promotion: {}", reason.as_str(), reason.explain()));
        assert_eq!(todo.trim_end(), reason.remedy());
    }
    let kind = output(sandproof().args(["explain", "baseline_undecided"]));
    assert!(stdout(&kind).starts_with("baseline_undecided (stage probe): "), "{}", stdout(&kind));
    let slip = output(sandproof().args(["explain", "world_mismach"]));
    expect_code(&slip, 3);
    assert!(stderr(&slip).contains("did you mean `world_mismatch`?"), "{}", stderr(&slip));
}

#[test]
fn a_slip_in_a_command_is_answered() {
    for words in [&["rnu"][..], &["help", "rnu"]] {
        let slip = output(sandproof().args(words));
        expect_code(&slip, 2);
        assert!(stderr(&slip).contains("did you mean `run`?"), "{}", stderr(&slip));
    }
    let other = output(sandproof().args(["verfy"]));
    assert_eq!(stderr(&other).matches("tip: ").count(), 1, "{}", stderr(&other));
}

/// The lines of `SPEC.md` between `heading` and the next one of any level.
fn section(heading: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("SPEC.md")).unwrap();
    let mut lines = text.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "SPEC.md has no `{heading}`");
    lines.take_while(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// The cells of one column of a section's table, without backticks.
fn column(heading: &str, place: usize) -> Vec<String> {
    let rows = section(heading).into_iter().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    let cell = |line: String| line.split('|').nth(place + 1).unwrap().trim().trim_matches('`').to_owned();
    rows.skip(1).map(cell).collect()
}

#[test]
fn the_contract_names_every_reason_kind_and_exit_code() {
    let mut reasons = column("## 4. Promotion", 0);
    reasons.sort_unstable();
    let known: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(reasons, known);
    let (stages, kinds) = (column("### 2.1 Stages and kinds", 0), column("### 2.1 Stages and kinds", 1));
    for kind in FailureKind::ALL {
        let place = kinds.iter().position(|name| name == kind.as_str());
        let place = place.unwrap_or_else(|| panic!("SPEC.md does not name the kind {}", kind.as_str()));
        assert_eq!(stages[place], kind.stage().as_str(), "{}", kind.as_str());
    }
    assert_eq!(kinds.len(), FailureKind::ALL.len(), "SPEC.md names a kind that does not exist");
    let codes: Vec<String> =
        column("## 5. Exit codes", 0).iter().flat_map(|cell| cell.split(", ")).map(str::to_owned).collect();
    let known: Vec<String> = Exit::ALL.iter().map(|exit| exit.code().to_string()).collect();
    assert_eq!(codes, known);
}

/// The one remark that a confined run makes, and the rest of what it said.
fn remark(output: &Output) -> String {
    let text = stderr(output);
    let said: Vec<&str> = text.lines().filter(|line| line.starts_with("note: this process is confined")).collect();
    assert_eq!(said.len(), 1, "{text}");
    said[0].to_string()
}

#[test]
fn a_run_without_new_privileges_says_so_and_still_gives_its_evidence() {
    let dir = tempfile::tempdir().unwrap();
    let free = output(sandproof().args(["run", "--plan", QUICKSTART, "--out"]).arg(dir.path().join("free")));
    expect_code(&free, 0);
    assert!(!stderr(&free).contains("confined"), "{}", stderr(&free));

    let out = dir.path().join("an out");
    let setpriv = |more: &[&str]| {
        let mut command = Command::new("setpriv");
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(root()).arg("--no-new-privs");
        command.arg(env!("CARGO_BIN_EXE_sandproof")).args(more);
        command
    };
    if Command::new("setpriv").arg("--version").output().is_err() {
        return;
    }
    let confined = output(setpriv(&["run", "--plan", QUICKSTART, "--out"]).arg(&out));
    expect_code(&confined, 0);
    let line = remark(&confined);
    assert!(line.contains("(no_new_privs)"), "{line}");
    assert!(line.contains(&format!("cd {} && ", root().display())), "{line}");
    assert!(line.ends_with(&format!("run --plan {QUICKSTART} --out '{}'", out.display())), "{line}");
    expect_code(&crate::support::validate(&out), 0);
    let told = output(&mut setpriv(&["status", "--json"]));
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["confined"]["no_new_privs"], true);
    let dry = output(setpriv(&["run", "--dry", "--plan", QUICKSTART, "--out"]).arg(dir.path().join("dry")));
    assert!(!stderr(&dry).contains("confined"), "a dry run executes nothing");
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_inside_landlock_says_so() {
    use landlock::{AccessFs, Ruleset, RulesetAttr, RulesetStatus};

    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // Only this thread is confined, and what it starts.
    let confined = std::thread::spawn({
        let out = out.clone();
        move || {
            let made = Ruleset::default().handle_access(AccessFs::MakeBlock).and_then(|rules| rules.create());
            let status = made.and_then(|rules| rules.restrict_self()).unwrap();
            if status.ruleset == RulesetStatus::NotEnforced {
                return None;
            }
            let run = output(sandproof().args(["run", "--json", "--plan", QUICKSTART, "--out"]).arg(&out));
            Some((run, output(sandproof().args(["status", "--json"]))))
        }
    });
    let Some((run, status)) = confined.join().unwrap() else { return };
    // Every domain refuses to rename across folders where it does not grant that, so those rows stay undecided here.
    expect_code(&run, 8);
    let line = remark(&run);
    assert!(line.contains("1 Landlock layer"), "{line}");
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let reasons = report["promotability"]["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("already_sandboxed")), "{reasons:?}");
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["confined"]["landlock_layers"], 1);
    assert_eq!(status["sandbox_check_self"]["sandboxed"], true);
}
