//! `diff-runs` and `attempts`, over real runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{copy_folder, expect_code, json_answer, output, sandproof, shaped, stderr, stdout};
use crate::workspace::{Workspace, probe, read_policy};

/// A workspace of its own, in which runs can be made and inputs be edited.
struct Bench {
    dir: TempDir,
}

impl Bench {
    /// Two files that are read, one of them allowed.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Workspace::new(dir.path()).many_reads("r", 4);
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the plan, with variables of the environment and other arguments.
    #[track_caller]
    fn run(&self, id: &str, code: i32, environment: &[(&str, &str)], arguments: &[&str]) -> PathBuf {
        let mut command = sandproof();
        command.envs(environment.iter().copied()).args(["run", "--run-id", id]).args(arguments);
        // One place for all runs: by default it is /dev/shm only while that has room, and its file system is declared.
        fs::create_dir_all(self.path("fixtures")).unwrap();
        command.arg("--fixtures").arg(self.path("fixtures"));
        command.arg("--plan").arg(self.path("plans/r/plan.json")).arg("--out").arg(self.path("out"));
        expect_code(&output(&mut command), code);
        self.path("out").join(id)
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from} does not stand in {name}");
        fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    /// `diff-runs --json`
    #[track_caller]
    fn diff(&self, a: &Path, b: &Path, code: i32) -> Value {
        json_answer(sandproof().args(["diff-runs", "--json"]).args([a, b]), "run_diff", code)
    }
}

fn strings<'a>(values: &'a Value, key: &str) -> Vec<&'a str> {
    values.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
}

fn pointers(diff: &Value) -> Vec<&str> {
    let parts = diff["declarations"]["parts"].as_array().unwrap();
    parts.iter().flat_map(|part| strings(&part["items"], "pointer")).collect()
}

#[test]
fn a_bundle_does_not_differ_from_itself_nor_from_another_attempt() {
    let bench = Bench::new();
    let (a, b) = (bench.run("a", 0, &[], &[]), bench.run("b", 0, &[], &["--jobs", "3"]));
    let own = bench.diff(&a, &a, 0);
    assert_eq!((&own["same"], &own["declarations"]["identical"]), (&json!(true), &json!(true)));
    assert_eq!(own["verdicts"]["differing"], 0);
    assert_eq!(own["verdicts"]["lanes"].as_array().unwrap().len(), 4);

    let other = bench.diff(&a, &b, 0);
    let jobs = if pointers(&other).is_empty() { vec![] } else { vec!["/runtime/jobs"] };
    assert_eq!(pointers(&other), jobs, "nothing but the number of workers may differ");
    assert_eq!((&other["same"], &other["changes"]), (&json!(true), &json!([])));
    assert_eq!(other["declarations"]["materially_equal"], true);
}

/// What an opinion has where a verdict says `undecided`.
fn none_if_undecided(actual: &Value) -> Value {
    if actual == "undecided" { Value::Null } else { actual.clone() }
}

#[test]
fn a_changed_policy_line_is_the_only_difference_that_reaches_the_row() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    bench.edit("registries/r/policies/policy.json", "\"${root}/open\"", "\"${root}/shut\"");
    let b = bench.run("b", 1, &[], &[]);
    let diff = bench.diff(&a, &b, 1);
    assert_eq!(strings(&diff["changes"], "id"), ["policy:registries/r/policies/policy.json"]);
    assert_eq!(
        pointers(&diff),
        [
            "/artifact/documents/policy/registries~1r~1policies~1policy.json",
            "/artifact/profiles/r:only/sha256",
            "/artifact/profiles/r:only/value_sha256",
        ]
    );
    let scenario: Vec<&Value> =
        diff["verdicts"]["flips"].as_array().unwrap().iter().filter(|flip| flip["lane"] == "scenario").collect();
    assert_eq!(scenario.len(), 4);
    for flip in &scenario {
        // What author, kernel and model say, on either side; the rule has its line.
        let [a, b] = ["a", "b"].map(|side| &flip["opinions"][side]);
        assert_eq!((&a["kernel"], &b["kernel"]), (&flip["a"]["actual"], &none_if_undecided(&flip["b"]["actual"])));
        assert_eq!(a["expected"], flip["a"]["expected"]);
        assert!(a["model"]["decision"].is_string() && a["conclusion"] == "as_expected", "{a}");
        assert!([a, b].iter().any(|side| side["model"]["rule_place"]["line"].as_u64().is_some()), "{flip}");
    }
    for flip in scenario {
        assert_eq!((&flip["kind"], &flip["baseline_differs"]), (&json!("flipped"), &json!(false)));
        assert_eq!(flip["explanation"]["finding"], "only_difference");
        assert_eq!(flip["resolved_differently"], json!(["policy"]));
    }
    let lane = &diff["verdicts"]["lanes"][0];
    assert_eq!((&lane["lane"], &lane["same"]), (&json!("scenario"), &json!(0)));
    // A folder that a policy names and a probe does not make cannot be opened: that decides nothing.
    assert_eq!(lane["transitions"], json!({"allow -> undecided": 2, "deny -> allow": 2}));

    // The other way round it is the mirror image.
    let back = bench.diff(&b, &a, 1);
    assert_eq!(
        back["verdicts"]["lanes"][0]["transitions"],
        json!({"undecided -> allow": 2, "allow -> deny": 2}),
        "every transition turned round"
    );
    assert_eq!(back["changes"], diff["changes"]);
    for (one, other) in
        diff["verdicts"]["flips"].as_array().unwrap().iter().zip(back["verdicts"]["flips"].as_array().unwrap())
    {
        assert_eq!((&one["id"], &one["a"], &one["b"]), (&other["id"], &other["b"], &other["a"]));
    }
}

#[test]
fn where_the_oracle_lane_is_off_a_flip_has_no_model_and_still_its_authors_reason() {
    let bench = Bench::new();
    bench.edit("plans/r/plan.json", "\"oracle\": true", "\"oracle\": false");
    let path = bench.path("registries/r/probes.json");
    let mut probes: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (id, probe) in probes["probes"].as_object_mut().unwrap() {
        probe["why"] = format!("because of {id}").into();
    }
    fs::write(&path, probes.to_string()).unwrap();
    let a = bench.run("a", 0, &[], &[]);
    bench.edit("registries/r/policies/policy.json", "\"${root}/open\"", "\"${root}/shut\"");
    let b = bench.run("b", 1, &[], &[]);
    let diff = bench.diff(&a, &b, 1);
    assert_eq!(strings(&diff["verdicts"]["lanes"], "lane"), ["scenario", "baseline", "control"]);
    let flips: Vec<&Value> =
        diff["verdicts"]["flips"].as_array().unwrap().iter().filter(|flip| flip["lane"] == "scenario").collect();
    assert_eq!(flips.len(), 4);
    for flip in flips {
        let id = flip["id"].as_str().unwrap();
        let [a, b] = ["a", "b"].map(|side| &flip["opinions"][side]);
        for (side, verdict) in [(a, &flip["a"]), (b, &flip["b"])] {
            assert_eq!((&side["model"], &side["kernel"]), (&Value::Null, &none_if_undecided(&verdict["actual"])));
            assert_eq!(side["why"], format!("because of {id}"));
        }
        assert_eq!(a["conclusion"], "as_expected");
        let (conclusion, part) = match b["kernel"].as_str() {
            Some(_) => ("model_not_asked", "the model was not asked, because the oracle lane is off"),
            None => ("undecided", "nothing was decided"),
        };
        assert_eq!(b["conclusion"], conclusion);
        assert!(b["sentence"].as_str().unwrap().contains(part), "{b}");
    }
    // Against a run that had the lane, its rows are no differences.
    bench.edit("plans/r/plan.json", "\"oracle\": false", "\"oracle\": true");
    let asked = bench.run("asked", 1, &[], &[]);
    let diff = bench.diff(&b, &asked, 1);
    let oracle = diff["verdicts"]["lanes"].as_array().unwrap().iter().find(|lane| lane["lane"] == "oracle").unwrap();
    assert_eq!((&oracle["a_rows"], &oracle["b_rows"]), (&Value::Null, &json!(4)));
    assert_eq!(diff["verdicts"]["differing"], 0);
}

#[test]
fn a_policy_that_is_only_spelled_otherwise_reaches_no_row() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    bench.edit("registries/r/policies/policy.json", "\"abi\": 1", "\"abi\":   1");
    let b = bench.run("b", 0, &[], &[]);
    let diff = bench.diff(&a, &b, 1);
    assert_eq!(diff["verdicts"]["differing"], 0);
    assert!(!pointers(&diff).iter().any(|pointer| pointer.ends_with("/value_sha256")), "{diff}");
}

#[test]
fn a_probe_that_changed_is_told_from_those_beside_it() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    // One probe now reads the other file; of another one the expectation is turned round.
    let mut probes: Value = serde_json::from_slice(&fs::read(bench.path("registries/r/probes.json")).unwrap()).unwrap();
    probes["probes"]["r:read:000000"]["target"] = "${root}/shut/file".into();
    probes["probes"]["r:read:000000"]["expected_predicates"] = json!(["${root}/shut/file"]);
    probes["probes"]["r:read:000000"]["fixtures"] = json!([
        {"path": "open", "kind": "dir"}, {"path": "shut/file", "kind": "file", "text": "x"}
    ]);
    probes["probes"]["r:read:000001"]["expected"] = "allow".into();
    fs::write(bench.path("registries/r/probes.json"), probes.to_string()).unwrap();
    let b = bench.run("b", 1, &[], &[]);
    let diff = bench.diff(&a, &b, 1);
    assert_eq!(strings(&diff["changes"], "id"), ["registry"]);
    let flips: Vec<(&str, &str, &Value)> = diff["verdicts"]["flips"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|flip| flip["lane"] == "scenario")
        .map(|flip| (flip["id"].as_str().unwrap(), flip["kind"].as_str().unwrap(), &flip["resolved_differently"]))
        .collect();
    assert_eq!(
        flips,
        [
            ("r:read:000000", "flipped", &json!(["probe", "fixtures"])),
            ("r:read:000001", "expected_otherwise", &json!(["expected"])),
        ]
    );
}

#[test]
fn a_variable_and_its_time_zone_are_one_change() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    let b = bench.run("b", 0, &[("TZ", "Antarctica/Troll")], &[]);
    let diff = bench.diff(&a, &b, 1);
    assert_eq!(strings(&diff["changes"], "id"), ["environment:TZ"]);
    assert_eq!(pointers(&diff), ["/runtime/environment/TZ", "/runtime/time_zone"]);
    assert_eq!((&diff["same"], &diff["verdicts"]["differing"]), (&json!(false), &json!(0)));
}

#[test]
fn rows_that_only_one_side_has_are_put_down_to_the_selection() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    let b = bench.run("b", 0, &[], &["--only-scenario", "r:read:000001"]);
    let diff = bench.diff(&a, &b, 1);
    let scenario = &diff["verdicts"]["lanes"][0];
    assert_eq!((&scenario["same"], &scenario["kinds"]), (&json!(1), &json!({"vanished": 3})));
    for flip in diff["verdicts"]["flips"].as_array().unwrap() {
        let candidates = flip["explanation"]["candidates"].as_array().unwrap();
        assert!(candidates.contains(&json!("selection")), "{flip}");
    }
}

/// Two runs that declare the same and find different things: what a link in the policy leads to is not declared.
fn unstable(bench: &Bench) -> [PathBuf; 2] {
    for name in ["one", "two"] {
        fs::create_dir(bench.path(name)).unwrap();
        fs::write(bench.path(name).join("file"), "x").unwrap();
    }
    let (link, file) = (bench.path("link"), bench.path("one/file"));
    let mut policy = read_policy();
    policy["path_beneath"][0]["path"] = link.to_str().unwrap().into();
    let mut one = probe("r:unstable", "file-read-data", file.to_str().unwrap(), "allow");
    one["driver"] = "file_read".into();
    Workspace::new(bench.dir.path()).add("r", &policy, vec![one]);
    symlink("one", &link).unwrap();
    let a = bench.run("a", 0, &[], &["--jobs", "1"]);
    fs::remove_file(&link).unwrap();
    symlink("two", &link).unwrap();
    let b = bench.run("b", 1, &[], &["--jobs", "1"]);
    [a, b]
}

#[test]
fn the_same_declaration_with_another_verdict_is_evidence_and_has_no_cause() {
    let bench = Bench::new();
    let [a, b] = unstable(&bench);
    let diff = bench.diff(&a, &b, 1);
    assert_eq!(diff["declarations"]["identical"], true, "{diff}");
    let flips = diff["verdicts"]["flips"].as_array().unwrap();
    let flip = flips.iter().find(|flip| flip["lane"] == "scenario").unwrap();
    assert_eq!(flip["explanation"], json!({"finding": "nothing_declared", "candidates": []}));
    let people = stdout(&output(sandproof().arg("diff-runs").args([&a, &b])));
    assert!(people.contains("same declaration, different verdict"), "{people}");

    // `attempts` finds it without being told which two to compare, and leaves out what is not finished.
    fs::create_dir(bench.path("out/killed")).unwrap();
    fs::copy(a.join("run_status.json"), bench.path("out/killed/run_status.json")).unwrap();
    let found = output(sandproof().args(["attempts", "--json", "--out"]).arg(bench.path("out")));
    expect_code(&found, 1);
    let report = shaped("attempts", &found.stdout);
    let group = &report["groups"][0];
    assert_eq!(report["groups"].as_array().unwrap().len(), 1);
    assert_eq!(strings(&group["attempts"], "run_id"), ["a", "b"]);
    let rows = group["rows_in_question"].as_array().unwrap();
    let row = rows.iter().find(|row| row["lane"] == "scenario").unwrap();
    assert_eq!(row["id"], "r:unstable");
    assert_eq!(strings(&row["answers"], "actual"), ["allow", "deny"]);
    assert_eq!(group["disagreements"], rows.len());
    assert_eq!(report["left_out"].as_array().unwrap().len(), 1);
    let text = stdout(&output(sandproof().args(["attempts"]).args([&a, &b])));
    assert!(text.contains("they disagree in") && text.contains("evidence of nondeterminism"), "{text}");
}

#[test]
fn attempts_that_agree_are_said_to() {
    let bench = Bench::new();
    let (a, b) = (bench.run("a", 0, &[], &["--jobs", "1"]), bench.run("b", 0, &[], &["--jobs", "1"]));
    let found = output(sandproof().arg("attempts").args([&a, &b, &a]));
    expect_code(&found, 0);
    assert!(stdout(&found).contains("2 attempts, all agree in"), "{}", stdout(&found));
    fs::write(b.join("summary.md"), "forged").unwrap();
    expect_code(&output(sandproof().arg("attempts").args([&a, &b])), 4);
    let nothing = tempfile::tempdir().unwrap();
    expect_code(&output(sandproof().args(["attempts", "--out"]).arg(nothing.path())), 9);
    expect_code(&output(sandproof().arg("attempts")), 2);
}

#[test]
fn packets_are_held_to_their_bundle_and_declarations_to_their_digests() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    let packet = bench.path("packet.json");
    let emit = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&a).arg("--out").arg(&packet));
    expect_code(&emit, 0);
    let diff = bench.diff(&packet, &a, 0);
    assert_eq!((&diff["a"]["source"], &diff["a"]["not_verified"]), (&json!("packet"), &json!([])));
    assert_eq!(diff["verdicts"]["not_compared"], Value::Null);

    // Away from its bundle a packet still compares by its identity, and says what nobody verified.
    let away = tempfile::tempdir().unwrap();
    fs::copy(&packet, away.path().join("packet.json")).unwrap();
    let mut alone: Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
    alone["run_manifest"] = "nowhere/a/run_manifest.json".into();
    fs::write(away.path().join("packet.json"), alone.to_string()).unwrap();
    let diff = bench.diff(&away.path().join("packet.json"), &a, 1);
    assert_eq!(diff["declarations"]["compared"], "parts");
    assert_eq!((&diff["declarations"]["identical"], &diff["same"]), (&json!(true), &json!(false)));
    assert_eq!(diff["a"]["not_verified"].as_array().unwrap().len(), 1);
    assert!(diff["verdicts"]["not_compared"].is_string());

    // A packet that says something else than its bundle is refused.
    let mut forged: Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
    forged["promotability"]["reasons"] = json!([]);
    fs::write(&packet, forged.to_string()).unwrap();
    let refused = output(sandproof().arg("diff-runs").args([&packet, &a]));
    expect_code(&refused, 4);
    assert!(stderr(&refused).contains("`/promotability/reasons"), "{}", stderr(&refused));

    let declaration = a.join("run_identity.json");
    let diff = bench.diff(&declaration, &a, 0);
    assert_eq!(diff["verdicts"]["not_compared"], "a declaration has no verdicts");
    let mut edited: Value = serde_json::from_slice(&fs::read(&declaration).unwrap()).unwrap();
    edited["runtime"]["host"]["landlock_abi"] = json!(1);
    let edited_at = bench.path("edited.json");
    fs::write(&edited_at, edited.to_string()).unwrap();
    let refused = output(sandproof().arg("diff-runs").args([&edited_at, &a]));
    expect_code(&refused, 4);
    assert!(stderr(&refused).contains("`/digests/runtime`"), "{}", stderr(&refused));
}

#[test]
fn what_cannot_be_compared_is_refused_by_class() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    let forged = bench.path("forged");
    copy_folder(&a, &forged);
    fs::write(forged.join("runtime_events.normalized.json"), "[]").unwrap();
    expect_code(&output(sandproof().arg("diff-runs").args([&a, &forged])), 4);
    expect_code(&output(sandproof().arg("diff-runs").args([&forged, &a])), 4);
    let missing = output(sandproof().arg("diff-runs").arg(&a).arg(bench.path("none")));
    expect_code(&missing, 2);
    fs::write(bench.path("other.json"), "{}").unwrap();
    expect_code(&output(sandproof().arg("diff-runs").arg(&a).arg(bench.path("other.json"))), 4);
    expect_code(&output(sandproof().arg("diff-runs").arg(&a)), 2);
    expect_code(&output(sandproof().args(["diff-runs", "--json", "--markdown"]).args([&a, &a])), 2);
}

#[test]
fn the_answer_is_the_same_bytes_every_time_and_goes_where_it_should() {
    let bench = Bench::new();
    let a = bench.run("a", 0, &[], &[]);
    bench.edit("registries/r/policies/policy.json", "\"${root}/open\"", "\"${root}/shut\"");
    let b = bench.run("b", 1, &[], &[]);
    for format in [&["--json"][..], &["--markdown"], &[]] {
        let one = output(sandproof().arg("diff-runs").args(format).args([&a, &b]));
        let two = output(sandproof().arg("diff-runs").args(format).args([&a, &b]));
        assert!(!one.stdout.is_empty() && one.stdout == two.stdout && one.stderr.is_empty());
        let file = bench.path("answer");
        let written: Output = output(sandproof().arg("diff-runs").args(format).args([&a, &b]).arg("--out").arg(&file));
        expect_code(&written, 1);
        assert!(written.stdout.is_empty());
        assert_eq!(fs::read(&file).unwrap(), one.stdout);
    }
}
