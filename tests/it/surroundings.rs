//! What surrounds a run never decides for the policy under test: a sandbox around it, the place of its fixtures, and lanes
//! that are switched off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{expect_code, output, sandproof, stdout, validate};
use crate::systemd::confine::confined_here;
use crate::workspace::{Workspace, probe, read_policy};
use crate::{only_root, skip};

fn report(output: &Output) -> Value {
    let text = stdout(output);
    // A helper that confines itself first says so before.
    let start = text.find('{').unwrap_or_else(|| panic!("no report in {text}"));
    serde_json::from_str(&text[start..]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn policy(handled: Value, path_beneath: Value) -> Value {
    json!({"schema_version": "sandproof.landlock_policy.v1", "abi": 2, "handled": {"fs": handled},
        "path_beneath": path_beneath})
}

fn file_probe(id: &str, driver: &str, path: &str, expected: &str) -> Value {
    let operation = match driver {
        "file_stat" => "file-read-metadata",
        "file_write" => "file-write-data",
        "file_rename" => "file-write*",
        _ => "file-read-data",
    };
    let mut probe = probe(id, operation, &format!("${{root}}/{path}"), expected);
    probe["driver"] = driver.into();
    probe["fixtures"] = json!([
        {"path": "open/file", "kind": "file", "text": "x"},
        {"path": "shut/file", "kind": "file", "text": "x"},
    ]);
    probe
}

/// A plan with one profile, and how to run it.
struct Plan {
    dir: TempDir,
    path: PathBuf,
}

impl Plan {
    fn new(policy: &Value, probes: Vec<Value>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Workspace::new(dir.path()).add("w", policy, probes).plan_path("w");
        Self { dir, path }
    }

    fn words(&self, out: &str, more: &[&str]) -> Vec<String> {
        let out = self.dir.path().join(out);
        let words = [env!("CARGO_BIN_EXE_sandproof"), "run", "--json", "--plan"].map(str::to_owned).into_iter();
        let words = words.chain([self.path.display().to_string(), "--out".to_owned(), out.display().to_string()]);
        words.chain(more.iter().map(|word| (*word).to_owned())).collect()
    }

    fn run(&self, out: &str, more: &[&str]) -> Output {
        let words = self.words(out, more);
        output(sandproof().args(&words[1..]))
    }

    /// Runs inside a sandbox of that kind.
    fn run_inside(&self, kind: &str, out: &str) -> Output {
        let words = confined_here(kind, &self.words(out, &[]));
        output(Command::new(&words[0]).args(&words[1..]).env_clear())
    }

    fn bundle(&self, out: &str) -> PathBuf {
        let out = self.dir.path().join(out);
        let latest = fs::read_to_string(out.join("LATEST")).unwrap();
        out.join(latest.trim())
    }

    /// (actual, failure kind, notes) of the row with that expectation id.
    fn row(&self, out: &str, id: &str) -> (Value, Value, String) {
        let results: Value = read(&self.bundle(out).join("runtime_results.json"));
        let rows = results["w:only"]["probes"].as_array().unwrap();
        let row = rows.iter().find(|row| row["expectation_id"] == id).unwrap();
        let notes = row["notes"].as_str().unwrap_or_default().to_owned();
        (row["actual"].clone(), row["runtime_result"]["failure_kind"].clone(), notes)
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_without_scenario_rows_decides_nothing_and_does_not_end_as_a_success() {
    let plan = Plan::new(&read_policy(), vec![file_probe("w:open", "file_read", "open/file", "allow")]);
    let mut document = read(&plan.path);
    for (n, lanes) in [
        json!({"baseline": true, "scenario": false, "oracle": true}),
        json!({"baseline": false, "scenario": false, "oracle": true}),
    ]
    .into_iter()
    .enumerate()
    {
        document["lanes"] = lanes;
        fs::write(&plan.path, document.to_string()).unwrap();
        let out = format!("out{n}");
        let ended = plan.run(&out, &[]);
        expect_code(&ended, 9);
        assert_eq!((&report(&ended)["status"], &report(&ended)["exit_code"]), (&json!("partial"), &json!(9)));
        assert_eq!(read(&plan.bundle(&out).join("summary.json"))["status"], "partial");
        expect_code(&validate(&plan.bundle(&out)), 0);
        let reported = output(sandproof().args(["report", "--format", "tap", "--bundle"]).arg(plan.bundle(&out)));
        expect_code(&reported, 9);
    }
    let told = output(sandproof().args(["run", "--plan"]).arg(&plan.path).arg("--out").arg(plan.dir.path().join("t")));
    expect_code(&told, 9);
    let text = stdout(&told);
    assert!(text.contains("none decided") && !text.contains("as expected"), "{text}");
    // What a dry run is asked for is done.
    expect_code(&plan.run("dry", &["--dry"]), 0);
}

fn rename(id: &str, expected: &str) -> Value {
    let mut probe = file_probe(id, "file_rename", "open/file", expected);
    probe["to"] = "${root}/shut/moved".into();
    probe
}

#[test]
fn a_move_that_only_a_layer_around_the_run_refuses_is_no_denial_by_the_policy() {
    let granting = policy(
        json!(["refer", "make_reg", "remove_file"]),
        json!([{"path": "${root}", "allow": ["refer", "make_reg", "remove_file"]}]),
    );
    let plan =
        Plan::new(&granting, vec![rename("w:move", "allow"), file_probe("w:read", "file_read", "open/file", "allow")]);
    let outside = plan.run("outside", &[]);
    if outside.status.code() == Some(7) {
        skip!("this kernel has no Landlock");
    }
    expect_code(&outside, 0);
    let inside = plan.run_inside("landlock-scope-alone", "inside");
    expect_code(&inside, 8);
    let (actual, kind, notes) = plan.row("inside", "w:move");
    assert_eq!((actual, kind), (Value::Null, json!("outer_confinement")));
    assert!(notes.contains("does not grant refer") && notes.contains("EXDEV"), "{notes}");
    assert_eq!(plan.row("inside", "w:read").0, "allow", "what that layer does not touch is decided");
    expect_code(&validate(&plan.bundle("inside")), 0);

    // The two runs do not declare the same, and the comparison says in what.
    let declared = |out: &str| read(&plan.bundle(out).join("run_identity.json"))["runtime"]["confinement"].clone();
    assert_eq!(declared("outside")["landlock_refuses_refer"], false);
    assert_eq!(declared("inside")["landlock_refuses_refer"], true);
    let layers = |out: &str| declared(out)["landlock_layers"].as_u64().unwrap();
    assert_eq!(layers("inside"), layers("outside") + 1);
    let compared = output(sandproof().arg("diff-runs").arg(plan.bundle("inside")).arg(plan.bundle("outside")));
    expect_code(&compared, 1);
    let text = stdout(&compared);
    assert!(text.contains("confine") && !text.contains("nondeterminism"), "{text}");
}

#[test]
fn inside_a_layer_that_grants_moves_a_refused_move_is_the_policys() {
    let refusing =
        policy(json!(["make_reg", "remove_file"]), json!([{"path": "${root}", "allow": ["make_reg", "remove_file"]}]));
    let plan = Plan::new(&refusing, vec![rename("w:move", "deny")]);
    only_root!("the helper that grants moves keeps its privileges, which only root may");
    let inside = plan.run_inside("landlock-scope", "inside");
    expect_code(&inside, 0);
    assert_eq!(plan.row("inside", "w:move").0, "deny");
    expect_code(&validate(&plan.bundle("inside")), 0);
}

/// A policy that grants reading in `${root}/open` and in `path`.
fn reaching(path: &Path) -> Value {
    policy(
        json!(["read_file", "write_file"]),
        json!([{"path": "${root}/open", "allow": ["read_file"]}, {"path": path, "allow": ["read_file"]}]),
    )
}

fn reads() -> Vec<Value> {
    vec![
        file_probe("w:open", "file_read", "open/file", "allow"),
        file_probe("w:shut", "file_read", "shut/file", "deny"),
        file_probe("w:write", "file_write", "shut/file", "deny"),
        file_probe("w:stat", "file_stat", "shut/file", "allow"),
    ]
}

#[test]
fn a_rule_on_the_place_of_the_fixtures_decides_nothing_about_them() {
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::create_dir(place.path().join("fixtures")).unwrap();
    std::os::unix::fs::symlink(place.path(), place.path().join("link")).unwrap();
    for (n, named) in ["", "fixtures", "link", "fixtures/../fixtures"].into_iter().enumerate() {
        let plan = Plan::new(&reaching(&place.path().join(named)), reads());
        let forced = place.path().join("fixtures").display().to_string();
        let out = format!("out{n}");
        let ended = plan.run(&out, &["--fixtures", &forced]);
        if ended.status.code() == Some(7) {
            skip!("this kernel has no Landlock, or /var/tmp does not serve");
        }
        expect_code(&ended, 8);
        let (actual, kind, notes) = plan.row(&out, "w:shut");
        assert_eq!((actual, kind), (Value::Null, json!("rule_reaches_run")), "{named}");
        assert!(notes.contains("/path_beneath/1"), "{notes}");
        // What no such rule can have decided stays decided.
        assert_eq!(plan.row(&out, "w:open").0, "allow", "{named}");
        assert_eq!(plan.row(&out, "w:write").0, "deny", "{named}");
        assert_eq!(plan.row(&out, "w:stat").0, "allow", "{named}");
        let declared = read(&plan.bundle(&out).join("run_identity.json"));
        let rules = &declared["runtime"]["confinement"]["rules_over_fixtures"];
        assert_eq!(rules, &json!({"w:only": ["/path_beneath/1"]}), "{named}");
        expect_code(&validate(&plan.bundle(&out)), 0);
    }
    assert_eq!(fs::read_dir(place.path().join("fixtures")).unwrap().count(), 0);
}

#[test]
fn fixtures_are_made_where_no_rule_reaches_them() {
    let mut policy = reaching(Path::new("/dev/shm"));
    policy["path_beneath"].as_array_mut().unwrap().push(json!({"path": "/tmp", "allow": ["read_file"]}));
    let plan = Plan::new(&policy, reads());
    let ended = plan.run("out", &[]);
    if ended.status.code() == Some(7) {
        skip!("this kernel has no Landlock");
    }
    expect_code(&ended, 0);
    let manifest = read(&plan.bundle("out").join("run_manifest.json"));
    let base = manifest["fixture_base"].as_str().unwrap();
    assert!(!base.starts_with("/dev/shm/") && !base.starts_with("/tmp/"), "{base}");
    assert_eq!(manifest["confinement"]["rules_over_fixtures"], json!({}));

    // A rule on `/` covers every place there is, and is meant to.
    let plan = Plan::new(&reaching(Path::new("/")), reads());
    expect_code(&plan.run("out", &[]), 1);
    assert_eq!(plan.row("out", "w:shut").0, "allow");
}

#[test]
fn a_record_that_leaves_a_reaching_rule_out_does_not_verify() {
    let place = tempfile::tempdir_in("/var/tmp").unwrap();
    let plan = Plan::new(&reaching(place.path()), reads());
    let ended = plan.run("out", &["--fixtures", &place.path().display().to_string()]);
    if ended.status.code() == Some(7) {
        skip!("this kernel has no Landlock, or /var/tmp does not serve");
    }
    let bundle = plan.bundle("out");
    let whole = fs::read_to_string(bundle.join("run_manifest.json")).unwrap();
    let start = whole.find(r#""rules_over_fixtures": {"#).unwrap();
    let end = start + whole[start..].find('}').unwrap();
    let changed = format!(r#"{}"rules_over_fixtures": {{{}"#, &whole[..start], &whole[end..]);
    fs::write(bundle.join("run_manifest.json"), &changed).unwrap();
    let index = fs::read_to_string(bundle.join("artifact_index.json")).unwrap();
    let digest = |text: &str| sandproof::test_support::base::digest::Digest::of(text.as_bytes()).to_string();
    assert!(index.contains(&digest(&whole)));
    let (old, new) = (format!("\"file_size\": {},", whole.len()), format!("\"file_size\": {},", changed.len()));
    let index = index.replace(&digest(&whole), &digest(&changed)).replace(&old, &new);
    fs::write(bundle.join("artifact_index.json"), index).unwrap();
    let refused = validate(&bundle);
    expect_code(&refused, 4);
    assert!(stdout(&refused).contains("/runtime/confinement"), "{}", stdout(&refused));
}

#[test]
fn a_probe_is_not_run_in_a_lane_that_it_is_not_made_for() {
    let lanes = |id: &str, driver: &str, path: &str, expected: &str, lanes: Value| {
        let mut probe = file_probe(id, driver, path, expected);
        probe["supports_lanes"] = lanes;
        probe
    };
    let plan = Plan::new(
        &read_policy(),
        vec![
            lanes(
                "w:deny",
                "file_read",
                "shut/file",
                "deny",
                json!({"baseline": false, "scenario": true, "oracle": true}),
            ),
            lanes(
                "w:allow",
                "file_read",
                "open/file",
                "allow",
                json!({"baseline": false, "scenario": true, "oracle": false}),
            ),
            lanes(
                "w:never",
                "file_read",
                "open/file",
                "allow",
                json!({"baseline": true, "scenario": false, "oracle": true}),
            ),
        ],
    );
    let ended = plan.run("out", &[]);
    if ended.status.code() == Some(7) {
        skip!("this kernel has no Landlock");
    }
    expect_code(&ended, 8);
    let (actual, kind, notes) = plan.row("out", "w:deny");
    assert_eq!(
        (actual, kind),
        (Value::Null, json!("baseline_undecided")),
        "nothing shows what happens without the policy"
    );
    assert!(notes.contains("not made for the baseline lane"), "{notes}");
    assert_eq!(plan.row("out", "w:allow").0, "allow");
    assert_eq!(plan.row("out", "w:never").1, "lane_unsupported");
    let rows = |lane: &str| -> Vec<Value> {
        let text = fs::read_to_string(plan.bundle("out").join(format!("rows/{lane}.jsonl"))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(rows("oracle").iter().map(|row| row["decision"].is_null()).collect::<Vec<_>>(), [false, true, false]);
    let started: Vec<bool> = rows("baseline").iter().map(|row| row.get("pid").is_some()).collect();
    assert_eq!(started, [false, false, true]);
    expect_code(&validate(&plan.bundle("out")), 0);
}

#[test]
fn a_refusal_whose_baseline_shows_nothing_tells_both_errors_and_what_to_add() {
    let policy =
        json!({"schema_version": "sandproof.landlock_policy.v1", "abi": 4, "handled": {"net": ["connect_tcp"]}});
    let mut connect = probe("w:connect", "network-outbound", "127.0.0.1:${port.none}", "deny");
    connect["driver"] = "tcp_connect".into();
    let plan = Plan::new(&policy, vec![connect]);
    let ended = plan.run("out", &[]);
    if ended.status.code() == Some(7) || plan.row("out", "w:connect").1 == "landlock_right_unsupported" {
        skip!("this kernel has no Landlock, or an old one");
    }
    expect_code(&ended, 8);
    let (_, kind, notes) = plan.row("out", "w:connect");
    assert_eq!(kind, "baseline_undecided");
    assert!(notes.contains("EACCES") && notes.contains("ECONNREFUSED") && notes.contains("`listener`"), "{notes}");
}

#[test]
fn a_policy_that_was_not_applied_is_not_a_control_that_went_wrong() {
    let refused =
        policy(json!(["read_file", "read_dir"]), json!([{"path": "${root}/open/file", "allow": ["read_dir"]}]));
    let plan = Plan::new(&refused, vec![file_probe("w:read", "file_read", "open/file", "deny")]);
    let ended = plan.run("out", &[]);
    if ended.status.code() == Some(7) {
        skip!("this kernel has no Landlock");
    }
    expect_code(&ended, 8);
    let (_, kind, notes) = plan.row("out", "w:read");
    assert_eq!(kind, "landlock_apply_failed");
    assert!(notes.contains("read_dir can only be granted on") && !notes.contains("BitFlags"), "{notes}");
    // A rule on something that is not there keeps every process from applying the policy, those of the controls too.
    let absent = policy(json!(["read_file"]), json!([{"path": "/nowhere/at/all", "allow": ["read_file"]}]));
    let plan = Plan::new(&absent, vec![file_probe("w:read", "file_read", "open/file", "deny")]);
    let ended = plan.run("out", &[]);
    expect_code(&ended, 8);
    let controls = read(&plan.bundle("out").join("controls.json"));
    assert_eq!(controls["profiles"][0]["status"], "not_applied");
    assert_eq!(controls["profiles"][0]["must_deny"]["status"], "not_applied");
    let reasons = report(&ended)["promotability"]["reasons"].clone();
    assert!(reasons.as_array().unwrap().contains(&"controls_failed".into()), "{reasons}");
    let told = output(sandproof().args(["run", "--plan"]).arg(&plan.path).arg("--out").arg(plan.dir.path().join("t")));
    let text = stdout(&told);
    assert!(text.contains("deny not applied") && !text.contains("WRONG"), "{text}");
}

#[test]
fn what_a_filter_around_the_run_answers_is_never_the_policys_doing() {
    let policy = json!({"schema_version": "sandproof.landlock_policy.v1", "abi": 4,
        "handled": {"net": ["connect_tcp"], "fs": ["read_file"]},
        "path_beneath": [{"path": "${root}/open", "allow": ["read_file"]}]});
    let mut connect = probe("w:connect", "network-outbound", "127.0.0.1:${port.a}", "deny");
    connect["driver"] = "tcp_connect".into();
    connect["listener"] = json!({"kind": "tcp", "address": "127.0.0.1:${port.a}"});
    // The policy's rule needs its folder.
    connect["fixtures"] = json!([{"path": "open", "kind": "dir"}]);
    let plan = Plan::new(&policy, vec![connect, file_probe("w:open", "file_read", "open/file", "allow")]);
    let outside = plan.run("outside", &[]);
    if outside.status.code() == Some(7) || plan.row("outside", "w:connect").1 == "landlock_right_unsupported" {
        skip!("this kernel has no Landlock, or an old one");
    }
    expect_code(&outside, 0);

    // Both the filter and the policy refuse it with EACCES.
    expect_code(&plan.run_inside("seccomp-no-connect", "filtered"), 8);
    let (actual, kind, _) = plan.row("filtered", "w:connect");
    assert_eq!((actual, kind), (Value::Null, json!("baseline_denied")));
    assert_eq!(plan.row("filtered", "w:open").0, "allow");
    let confinement = |out: &str| read(&plan.bundle(out).join("run_identity.json"))["runtime"]["confinement"].clone();
    let filters = |out: &str| confinement(out)["seccomp_filters"].as_u64().unwrap();
    assert_eq!(filters("filtered"), filters("outside") + 1);

    // Rules that only seem to be added make a stricter policy than the one under test.
    expect_code(&plan.run_inside("seccomp-fakes-rules", "faked"), 8);
    for id in ["w:connect", "w:open"] {
        let (actual, kind, notes) = plan.row("faked", id);
        assert_eq!((actual, kind), (Value::Null, json!("landlock_apply_failed")), "{id}");
        assert!(notes.contains("something else than the kernel answers"), "{notes}");
    }
}
