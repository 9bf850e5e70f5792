//! The declaration of a run: the same for the same composition, sealed first, and held against everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use sandproof::test_support::base::digest::Digest;
use sandproof::test_support::base::json_out;
use sandproof::test_support::identity::{DeclarationParts, seal};
use sandproof::test_support::record::identity::Declaration;

use crate::skip;
use crate::support::{
    copy_folder, expect_code, files, finished_run, output, root, sandproof, stderr, stdout, validate,
};
use crate::workspace::Workspace;

const PLAN: &str = "plans/quickstart/plan.json";

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn declaration(bundle: &Path) -> Value {
    json_of(&bundle.join("run_identity.json"))
}

/// Runs the quickstart plan, in whatever folder and environment the command has.
fn run_in(command: &mut Command, out: &Path, id: &str, more: &[&str]) -> PathBuf {
    let plan = root().join(PLAN);
    command.arg("run").arg("--plan").arg(plan).arg("--out").arg(out).args(["--run-id", id, "--jobs", "1"]).args(more);
    expect_code(&output(command), 0);
    out.join(id)
}

fn differing(a: &Value, b: &Value) -> Vec<String> {
    ["artifact", "runtime", "policy", "history", "identity"]
        .into_iter()
        .filter(|part| if *part == "identity" { a[part] != b[part] } else { a["digests"][part] != b["digests"][part] })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_same_composition_has_the_same_identity() {
    let dir = tempfile::tempdir().unwrap();
    let one = run_in(&mut sandproof(), &dir.path().join("a"), "first", &[]);
    let mut elsewhere = sandproof();
    elsewhere.current_dir(dir.path()).env("SOME_NOISE", "x").env("PATH", "/nowhere").env("USER", "somebody");
    let two = run_in(&mut elsewhere, &dir.path().join("deeper/b"), "second", &[]);
    let (one, two) = (declaration(&one), declaration(&two));
    assert_eq!(one, two);

    let mut zoned = sandproof();
    zoned.env("TZ", "Pacific/Chatham");
    let three = declaration(&run_in(&mut zoned, &dir.path().join("a"), "third", &[]));
    assert_eq!(differing(&one, &three), ["runtime", "identity"]);
    assert_eq!(three["runtime"]["environment"]["TZ"], Digest::of(b"Pacific/Chatham").to_string());
    let four = declaration(&run_in(&mut sandproof(), &dir.path().join("a"), "fourth", &["--lock-mode", "wait"]));
    assert_eq!(differing(&one, &four), ["policy", "identity"]);
}

#[test]
fn what_is_declared_without_running_is_what_a_run_seals() {
    let dir = tempfile::tempdir().unwrap();
    for (n, more) in [
        &[][..],
        &["--dry"],
        &["--only-profile", "quickstart:signals", "--jobs", "3"],
        &["--lock-mode", "wait", "--lock-timeout-seconds", "2.5"],
    ]
    .into_iter()
    .enumerate()
    {
        let declared = output(sandproof().args(["identity", "declare", "--json", "--plan", PLAN]).args(more));
        expect_code(&declared, 0);
        let declared: Value = serde_json::from_slice(&declared.stdout).unwrap();
        let id = format!("run-{n}");
        let out = dir.path().join("out");
        let ran = output(sandproof().args(["run", "--plan", PLAN, "--run-id", &id, "--out"]).arg(&out).args(more));
        expect_code(&ran, 0);
        assert_eq!(declared, declaration(&out.join(&id)), "{more:?}");
    }
    assert!(!root().join("out").join("identity").exists());
    expect_code(&output(sandproof().args(["identity", "declare", "--plan", "plans/none/plan.json"])), 3);
}

#[test]
fn layout_changes_a_document_and_not_its_meaning() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).many_reads("layout", 3);
    let declare = || -> Value {
        let plan = workspace.plan_path("layout");
        let answer = output(sandproof().args(["identity", "declare", "--json", "--plan"]).arg(plan));
        expect_code(&answer, 0);
        serde_json::from_slice(&answer.stdout).unwrap()
    };
    let before = declare();
    let policy = dir.path().join("registries/layout/policies/policy.json");
    fs::write(&policy, fs::read_to_string(&policy).unwrap() + "\n\n").unwrap();
    let after = declare();
    assert_eq!(differing(&before, &after), ["artifact", "identity"]);
    let of = |declared: &Value, member: &str| declared["artifact"]["profiles"]["layout:only"][member].clone();
    assert_ne!(of(&before, "sha256"), of(&after, "sha256"));
    assert_eq!(of(&before, "value_sha256"), of(&after, "value_sha256"));
}

/// Runs a command under strace; `None` if that is not possible here.
fn traced(command: &Command, trace: &Path) -> Option<Output> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "300", "-e", "trace=execve,rename,renameat,renameat2,fsync,fdatasync,openat"]);
    strace.arg("-o").arg(trace).arg(command.get_program()).args(command.get_args()).env_clear().current_dir(root());
    strace.stdin(Stdio::null()).output().ok().filter(|_| fs::metadata(trace).is_ok_and(|file| file.len() > 0))
}

/// The declaration has its name, and both are durable, before the first call that starts `program`.
#[track_caller]
fn expect_sealed_before(trace: &Path, program: &str) {
    let text = fs::read_to_string(trace).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let place = |what: &str, from: usize, matches: &dyn Fn(&str) -> bool| {
        let found = lines.iter().skip(from).position(|line| matches(line));
        found.map(|n| n + from).unwrap_or_else(|| panic!("no {what} in the trace"))
    };
    let staged = place("write of the declaration", 0, &|line| {
        line.contains("openat(") && line.contains(".run_identity.json.") && line.contains("O_CREAT")
    });
    let synced = place("sync of its content", staged, &|line| line.contains("fdatasync(") || line.contains("fsync("));
    let renamed = place("rename", staged, &|line| {
        line.contains("rename") && line.contains("/run_identity.json\"") && line.contains(".tmp\"")
    });
    let folder = place("sync of its folder", renamed, &|line| line.contains("fsync("));
    let started = place("start", 0, &|line| line.contains("execve(") && line.contains(program));
    assert!(synced < renamed && folder < started, "{synced} {renamed} {folder} {started}");
}

#[test]
fn the_declaration_is_durable_before_the_first_process_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = sandproof();
    command.args(["run", "--jobs", "2", "--plan", PLAN, "--out"]).arg(dir.path().join("out"));
    let trace = dir.path().join("trace");
    let Some(ran) = traced(&command, &trace) else { skip!("strace cannot trace here") };
    expect_code(&ran, 0);
    expect_sealed_before(&trace, "__zygote");
}

#[cfg(target_os = "linux")]
#[test]
fn a_clean_channels_declaration_is_durable_before_its_worker_exists() {
    let host = crate::systemd_host!();
    let dir = tempfile::Builder::new().prefix("sandproof-test-").tempdir_in("/var/tmp").unwrap();
    let command = host.clean_run(PLAN, "traced", &dir.path().join("out"));
    let trace = dir.path().join("trace");
    let Some(ran) = traced(&command, &trace) else { skip!("strace cannot trace here") };
    expect_code(&ran, 0);
    expect_sealed_before(&trace, "systemd-run\"");
    let bundle = dir.path().join("out/traced");
    expect_code(&output(sandproof().args(["identity", "verify", "--bundle"]).arg(&bundle)), 0);
    let declared = declaration(&bundle);
    assert_eq!(declared["history"]["inputs"], "staged");
    assert!(declared["runtime"]["rlimits"]["absent"].is_string());
    let commands = declared["artifact"]["commands"].as_object().unwrap();
    assert!(commands.keys().any(|path| path.ends_with("/systemd-run")), "{commands:?}");
    // Declared again, without a worker, it is the same.
    let again =
        host.sandproof().args(["identity", "declare", "--json", "--channel", "systemd_clean", "--plan", PLAN]).output();
    assert_eq!(serde_json::from_slice::<Value>(&again.unwrap().stdout).unwrap()["identity"], declared["identity"]);
}

/// Rewrites a file of a bundle and everything that names its digest: the index.
fn rewrite(bundle: &Path, name: &str, bytes: &[u8]) {
    fs::write(bundle.join(name), bytes).unwrap();
    let at = bundle.join("artifact_index.json");
    let mut index = json_of(&at);
    let path = format!("{}/{name}", index["bundle_root"].as_str().unwrap());
    for entry in index["artifacts"].as_array_mut().unwrap() {
        if entry["path"] == path {
            entry["file_size"] = bytes.len().into();
            entry["sha256"] = Digest::of(bytes).to_string().into();
        }
    }
    fs::write(at, json_out::to_pretty(&index)).unwrap();
}

/// Seals an edited declaration, and stamps its identity on everything, so that only what it says is wrong.
fn reseal(bundle: &Path, edit: impl FnOnce(&mut Declaration)) {
    let old = fs::read_to_string(bundle.join("run_identity.json")).unwrap();
    let mut declared: Declaration = serde_json::from_str(&old).unwrap();
    let before = declared.identity.to_string();
    edit(&mut declared);
    let Declaration { schema_version, kind, artifact, runtime, policy, history, .. } = declared;
    let sealed = seal(&schema_version, &kind, DeclarationParts { artifact, runtime, policy, history }).unwrap();
    let after = sealed.identity.to_string();
    rewrite(bundle, "run_identity.json", &json_out::to_pretty(&sealed));
    for name in ["run_manifest.json", "run_status.json", "summary.json"] {
        let text = fs::read_to_string(bundle.join(name)).unwrap();
        rewrite(bundle, name, text.replace(&before, &after).as_bytes());
    }
    let index = bundle.join("artifact_index.json");
    fs::write(&index, fs::read_to_string(&index).unwrap().replace(&before, &after)).unwrap();
}

fn verify_json(bundle: &Path, more: &[&str], code: i32) -> Vec<String> {
    let answer = output(sandproof().args(["identity", "verify", "--json", "--bundle"]).arg(bundle).args(more));
    expect_code(&answer, code);
    let report: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(report["ok"], code == 0);
    report["differences"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap().to_owned()).collect()
}

/// The second implementation's exit code; `None` without Python.
fn second_opinion(bundle: &Path) -> Option<(i32, String)> {
    let mut python = Command::new("python3");
    python.arg(root().join("scripts/verify_identity.py")).arg(bundle).env("PYTHONDONTWRITEBYTECODE", "1");
    let answer = python.output().ok()?;
    Some((answer.status.code()?, stdout(&answer) + &stderr(&answer)))
}

type Edit = fn(&mut Declaration);

/// Lies that are sealed well: what they say, where it is found, and whether a reader without a plan can see it.
const LIES: [(&str, Edit, &str, bool); 9] = [
    ("another executable", |d| d.artifact["tool"]["sha256"] = json!("0".repeat(64)), "/artifact/tool/sha256", true),
    (
        "another policy document",
        |d| {
            let policies = d.artifact["documents"]["policy"].as_object_mut().unwrap();
            let first = policies.keys().next().unwrap().clone();
            policies[&first] = json!("0".repeat(64));
        },
        "/artifact/documents/policy/",
        true,
    ),
    (
        "another meaning of a policy",
        |d| d.artifact["profiles"]["quickstart:signals"]["value_sha256"] = json!("0".repeat(64)),
        "/artifact/profiles/quickstart:signals/value_sha256",
        false,
    ),
    ("another kernel", |d| d.runtime["host"]["kernel_release"] = json!("1.0"), "/runtime/host/kernel_release", true),
    ("another world", |d| d.runtime["world"]["declared"] = json!("elsewhere"), "/runtime/world/declared", true),
    ("another channel", |d| d.runtime["channel"]["kind"] = json!("systemd_clean"), "/runtime/channel/kind", true),
    (
        "another expectation",
        |d| d.policy["expectations"]["quickstart:signals"]["sha256"] = json!("0".repeat(64)),
        "/policy/expectations/quickstart:signals/sha256",
        true,
    ),
    ("another deadline", |d| d.policy["deadline_ms"] = json!(1), "/policy/deadline_ms", true),
    ("an earlier run", |d| d.history["depends_on"] = json!(["0".repeat(64)]), "/history/depends_on/0", false),
];

#[test]
fn a_lie_that_is_sealed_well_is_found_by_both_implementations() {
    let run = finished_run(PLAN, 0);
    expect_code(&validate(&run.bundle), 0);
    assert_eq!(verify_json(&run.bundle, &[], 0), Vec::<String>::new());
    let python = second_opinion(&run.bundle);
    if let Some((code, said)) = &python {
        assert_eq!(*code, 0, "{said}");
    }
    for (n, (what, edit, pointer, plain)) in LIES.into_iter().enumerate() {
        let copy = run.dir.path().join(format!("lie-{n}")).join(run.bundle.file_name().unwrap());
        copy_folder(&run.bundle, &copy);
        reseal(&copy, edit);
        let refused = validate(&copy);
        expect_code(&refused, 4);
        assert!(stdout(&refused).contains(pointer), "{what}: {}", stdout(&refused));
        let found = verify_json(&copy, &[], 1);
        assert!(found.iter().any(|one| one.starts_with(pointer)), "{what}: {found:?}");
        let packet = copy.join("../packet.json");
        let refused = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&copy).arg("--out").arg(&packet));
        expect_code(&refused, 4);
        let packet: serde_json::Value = serde_json::from_slice(&fs::read(&packet).unwrap()).unwrap();
        assert!(packet["unverified"].is_object() && packet.get("identity").is_none(), "{packet}");
        if let Some((code, said)) = second_opinion(&copy).filter(|_| plain) {
            assert_eq!(code, 1, "{what}: {said}");
            assert!(said.contains(pointer.trim_end_matches("/sha256")), "{what}: {said}");
        }
    }
    if python.is_none() {
        skip!("python3 is not there, so the second implementation was not asked");
    }
}

#[test]
fn careless_changes_are_found_too() {
    let run = finished_run(PLAN, 0);
    type Change = fn(&Path);
    let changes: [(&str, Change, i32, &str); 5] = [
        (
            "a part without its digest",
            |b| {
                let text = fs::read_to_string(b.join("run_identity.json")).unwrap();
                rewrite(b, "run_identity.json", text.replace("\"jobs\": ", "\"jobs\": 1").as_bytes());
            },
            1,
            "/digests/runtime",
        ),
        (
            "a stamp of another run",
            |b| {
                let mut status = json_of(&b.join("run_status.json"));
                status["identity"] = json!("0".repeat(64));
                rewrite(b, "run_status.json", &json_out::to_pretty(&status));
            },
            1,
            "/identity",
        ),
        (
            "an input document",
            |b| fs::write(b.join("inputs/probes.json"), "{}").unwrap(),
            1,
            "/artifact/documents/probes/registries~1quickstart~1probes.json",
        ),
        ("an unknown element", |b| reseal(b, |d| drop(d.runtime.insert("mood".into(), json!("good")))), 1, "/runtime"),
        ("a missing element", |b| reseal(b, |d| drop(d.runtime.remove("umask"))), 1, "/runtime"),
    ];
    for (n, (what, change, code, pointer)) in changes.into_iter().enumerate() {
        let copy = run.dir.path().join(format!("change-{n}")).join(run.bundle.file_name().unwrap());
        copy_folder(&run.bundle, &copy);
        change(&copy);
        expect_code(&validate(&copy), 4);
        let found = verify_json(&copy, &[], code);
        assert!(found.iter().any(|one| one == pointer), "{what}: {found:?}");
    }
    let empty = run.dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for command in ["verify", "show"] {
        expect_code(&output(sandproof().args(["identity", command, "--bundle"]).arg(&empty)), 4);
    }
}

#[test]
fn a_run_that_declares_nothing_is_not_promotable() {
    let run = finished_run(PLAN, 0);
    let identity = declaration(&run.bundle)["identity"].as_str().unwrap().to_owned();
    for name in ["run_manifest.json", "run_status.json", "summary.json"] {
        let text = fs::read_to_string(run.bundle.join(name)).unwrap();
        let without = text.replace(&format!("  \"identity\": \"{identity}\",\n"), "");
        assert_ne!(text, without, "{name} is not stamped");
        rewrite(&run.bundle, name, without.as_bytes());
    }
    fs::remove_file(run.bundle.join("run_identity.json")).unwrap();
    let at = run.bundle.join("artifact_index.json");
    let mut index = json_of(&at);
    index.as_object_mut().unwrap().remove("identity");
    let entries = index["artifacts"].as_array_mut().unwrap();
    entries.retain(|entry| !entry["path"].as_str().unwrap().ends_with("run_identity.json"));
    for entry in entries {
        entry.as_object_mut().unwrap().remove("identity");
    }
    fs::write(&at, json_out::to_pretty(&index)).unwrap();
    expect_code(&validate(&run.bundle), 0);
    let packet = run.dir.path().join("packet.json");
    let emit = |more: &[&str]| {
        output(sandproof().args(["emit-promotion", "--bundle"]).arg(&run.bundle).arg("--out").arg(&packet).args(more))
    };
    expect_code(&emit(&["--require-promotable"]), 5);
    expect_code(&emit(&[]), 0);
    let packet = json_of(&packet);
    let reasons = packet["promotability"]["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("identity_missing")), "{reasons:?}");
    assert!(packet.get("identity").is_none());
}

#[test]
fn the_identity_is_stamped_on_everything() {
    let run = finished_run(PLAN, 0);
    let declared = declaration(&run.bundle);
    let identity = &declared["identity"];
    for name in ["run_manifest.json", "run_status.json", "summary.json", "artifact_index.json"] {
        assert_eq!(json_of(&run.bundle.join(name))["identity"], *identity, "{name}");
    }
    let index = json_of(&run.bundle.join("artifact_index.json"));
    let entries = index["artifacts"].as_array().unwrap();
    assert_eq!(entries.len() + 1, files(&run.bundle).len());
    assert!(entries.iter().all(|entry| entry["identity"] == *identity));
    let packet = run.dir.path().join("packet.json");
    let emitted = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&run.bundle).arg("--out").arg(&packet));
    expect_code(&emitted, 0);
    assert_eq!(json_of(&packet)["identity"], *identity);
    assert_eq!(json_of(&packet)["identity_parts"], declared["digests"]);
}

#[test]
fn a_bundle_is_compared_with_the_sources_that_lie_somewhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(&dir.path().join("work")).many_reads("src", 2);
    let out = dir.path().join("out");
    let ran = output(
        sandproof().args(["run", "--run-id", "r", "--plan"]).arg(workspace.plan_path("src")).arg("--out").arg(&out),
    );
    expect_code(&ran, 0);
    let moved = dir.path().join("moved");
    fs::rename(dir.path().join("work"), &moved).unwrap();
    let bundle = out.join("r");
    let against = ["--against", moved.to_str().unwrap()];
    assert_eq!(verify_json(&bundle, &against, 0), Vec::<String>::new());
    let plan = moved.join("plans/src/plan.json");
    let text = fs::read_to_string(&plan).unwrap();
    fs::write(&plan, text.replace("\"oracle\": true", "\"oracle\": false")).unwrap();
    assert_ne!(fs::read_to_string(&plan).unwrap(), text);
    let found = verify_json(&bundle, &against, 1);
    for pointer in
        ["/artifact/documents/plan/plans~1src~1plan.json", "/artifact/plan/plan_digest", "/policy/lanes/oracle"]
    {
        assert!(found.iter().any(|one| one == pointer), "{pointer}: {found:?}");
    }
    // Nothing of the bundle's own changed.
    assert_eq!(verify_json(&bundle, &[], 0), Vec::<String>::new());
    fs::remove_dir_all(&moved).unwrap();
    assert!(!verify_json(&bundle, &against, 1).is_empty());
}

#[test]
fn lint_refuses_what_cannot_be_declared() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::new(dir.path()).many_reads("h", 2);
    let at = workspace.plan_path("h");
    let good = json_of(&at);
    let lint = |edit: &dyn Fn(&mut Value)| {
        let mut plan = good.clone();
        edit(&mut plan);
        fs::write(&at, json_out::to_pretty(&plan)).unwrap();
        output(sandproof().args(["plan-lint", "--plan"]).arg(&at))
    };
    let known = {
        let described = output(sandproof().args(["describe-plan", "--json", "--plan"]).arg(&at));
        let text = stdout(&described);
        let ids = json_of(&dir.path().join("registries/h/probes.json"));
        let first = ids["probes"].as_object().unwrap().keys().next().unwrap().clone();
        assert!(text.contains("h.v1"));
        first
    };
    let waiver = |id: &str| json!({"expectation_id": id, "reason": "known", "approved_by": "the owner"});
    let clean = lint(&|plan| {
        plan["history"] = json!({"depends_on": ["0".repeat(64)], "waivers": [waiver(&known)]});
    });
    expect_code(&clean, 0);
    type Bad<'b> = (&'b str, Box<dyn Fn(&mut Value) + 'b>);
    let bad: Vec<Bad<'_>> = vec![
        ("/history/depends_on/0", Box::new(|plan| plan["history"] = json!({"depends_on": ["yesterday"]}))),
        (
            "/history/depends_on/1",
            Box::new(|plan| plan["history"] = json!({"depends_on": ["0".repeat(64), "0".repeat(64)]})),
        ),
        (
            "/history/waivers/0/expectation_id",
            Box::new(|plan| plan["history"] = json!({"waivers": [waiver("nobody")]})),
        ),
        (
            "/history/waivers/0",
            Box::new(|plan| plan["history"] = json!({"waivers": [{"expectation_id": known, "reason": "why not"}]})),
        ),
        (
            "/history/waivers/0/expires",
            Box::new(|plan| {
                let mut one = waiver(&known);
                one["expires"] = json!("2026-02-30");
                plan["history"] = json!({"waivers": [one]});
            }),
        ),
        ("/history/moods", Box::new(|plan| plan["history"] = json!({"moods": []}))),
        ("/controls/ratio", Box::new(|plan| plan["controls"] = json!({"ratio": 0.5}))),
        ("/controls/name", Box::new(|plan| plan["controls"] = json!({"name": "e\u{301}"}))),
    ];
    for (pointer, edit) in bad {
        let refused = lint(&edit);
        expect_code(&refused, 1);
        assert!(stdout(&refused).contains(pointer), "{pointer}: {}", stdout(&refused));
        let declared = output(sandproof().args(["identity", "declare", "--plan"]).arg(&at));
        expect_code(&declared, 3);
        assert!(stderr(&declared).contains(pointer), "{pointer}: {}", stderr(&declared));
    }
}
