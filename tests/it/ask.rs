//! Questions in plain words, from the command line to the bundle.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::skip;
use crate::support::{expect_code, output, root, sandproof, stderr, stdout, validate};

fn ask(folder: &Path, arguments: &[&str], command: &[&str]) -> Output {
    let mut asking = sandproof();
    asking.current_dir(folder).arg("ask").args(arguments);
    // Tests that run as root ask as root.
    if nix::unistd::geteuid().is_root() {
        asking.arg("--as-root");
    }
    if !command.is_empty() {
        asking.arg("--").args(command);
    }
    output(&mut asking)
}

fn answers(output: &Output) -> Vec<(String, String)> {
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(output)));
    let word = |answer: &Value, key: &str| answer[key].as_str().unwrap_or("-").to_owned();
    let answers = report["answers"].as_array().unwrap();
    answers
        .iter()
        .map(|answer| {
            let found = if answer["answer"].is_null() { "undecided" } else { "answer" };
            (word(answer, found), word(answer, "mechanism"))
        })
        .collect()
}

fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect()
}

#[test]
fn one_line_asks_a_box_and_leaves_a_bundle_that_verifies() {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let questions = [
        "allow read ${workspace}/f",
        "deny create ${outside}/n",
        "allow create ${workspace}/n",
        "deny connect 127.0.0.1:${port}",
        "allow unix ${outside}/s",
        "deny signal",
        "allow env SANDPROOF_SECRET",
        "exec ${workspace}/p",
        "deny write .",
        "--json",
    ];
    let boxed = [
        "bwrap",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--bind",
        "${workspace}",
        "${workspace}",
        "--unshare-net",
        "--unshare-pid",
        "--",
    ];
    let asked = ask(folder.path(), &questions, &boxed);
    expect_code(&asked, 0);
    let wanted = [
        ("allow", "-"),
        ("deny", "refused"),
        ("allow", "-"),
        ("deny", "hidden"),
        ("allow", "-"),
        ("deny", "hidden"),
        ("allow", "-"),
        ("allow", "-"),
        ("deny", "refused"),
    ];
    assert_eq!(pairs(&answers(&asked)), wanted, "{}", stdout(&asked));
    let report: Value = serde_json::from_slice(&asked.stdout).unwrap();
    expect_code(&validate(Path::new(report["bundle"].as_str().unwrap())), 0);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["out"], "nothing is left beside the bundles");
    // A row that claims another answer is no row of this rule.
    let bundle = Path::new(report["bundle"].as_str().unwrap());
    let results = std::fs::read_to_string(bundle.join("runtime_results.json")).unwrap();
    assert!(
        results.contains("\"covered_by\":\"another network namespace\"")
            || results.contains("another network namespace")
    );
}

#[test]
fn an_expectation_may_demand_how_a_denial_comes_about() {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    // Masked at its own name, and readable at another one.
    let words = "bwrap --ro-bind / / --ro-bind / /mnt --dev /dev --proc /proc --tmpfs ${outside} --unshare-pid --";
    let boxed: Vec<&str> = words.split_whitespace().collect();
    let met =
        ["allow read ${outside}/a", "deny(by-name, hidden) read ${outside}/b", "deny(diverted) create ${outside}/n"];
    let asked = ask(folder.path(), &[&met[..], &["--json"]].concat(), &boxed);
    expect_code(&asked, 0);
    assert_eq!(pairs(&answers(&asked)), [("allow", "-"), ("deny", "hidden"), ("deny", "diverted")]);
    let report: Value = serde_json::from_slice(&asked.stdout).unwrap();
    expect_code(&validate(Path::new(report["bundle"].as_str().unwrap())), 0);
    let unmet = ask(folder.path(), &["deny(refused,hidden) create ${outside}/n", "--json"], &boxed);
    expect_code(&unmet, 1);
    let report: Value = serde_json::from_slice(&unmet.stdout).unwrap();
    let bundle = Path::new(report["bundle"].as_str().unwrap());
    expect_code(&validate(bundle), 0);
    let mismatches = std::fs::read_to_string(bundle.join("mismatch_summary.json")).unwrap();
    assert!(mismatches.contains("unexpected_mechanism"), "{mismatches}");
    assert!(mismatches.contains("expected deny refused or hidden, and it was denied diverted"), "{mismatches}");
    let wrong = ask(folder.path(), &["deny(hiden) read ${outside}/a"], &boxed);
    expect_code(&wrong, 2);
    assert!(stderr(&wrong).contains("`hiden` is none of refused, hidden"), "{}", stderr(&wrong));
}

#[test]
fn exit_codes_say_whether_it_was_as_expected() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    expect_code(&ask(folder.path(), &["allow read /etc/hostname", "deny fork", "read /etc/passwd"], &["env"]), 1);
    expect_code(&ask(folder.path(), &["allow read /etc/passwd", "exec /bin/true"], &["env"]), 0);
    // What is not there outside is not the launcher's doing.
    let absent = ask(folder.path(), &["deny read /nonexistent/secret", "--json"], &["env"]);
    expect_code(&absent, 8);
    for command in [&["/nonexistent/launcher"][..], &["false"], &["cat"], &["sh", "-c", "echo hello; exit 0"]] {
        let dead = ask(folder.path(), &["deny read /etc/passwd", "--json"], command);
        expect_code(&dead, 8);
        assert_eq!(pairs(&answers(&dead)), [("launcher_not_started", "-")], "{command:?}");
    }
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    for (question, words) in [
        ("deny delete /etc/passwd", "what exists is never changed"),
        ("deny fly away", "`fly` is not a verb"),
        ("connect localhost:80", "names are not looked up"),
    ] {
        let refused = ask(folder.path(), &[question], &["env"]);
        expect_code(&refused, 2);
        assert!(stderr(&refused).contains(words), "{}", stderr(&refused));
    }
    let nobody = ask(folder.path(), &["deny read /x"], &[]);
    expect_code(&nobody, 2);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn two_versions_of_a_launcher_are_told_apart_and_named() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let root = folder.path();
    let first = ask(root, &["allow read ${workspace}/f", "--json"], &["env"]);
    expect_code(&first, 0);
    let report: Value = serde_json::from_slice(&first.stdout).unwrap();
    let inputs = Path::new(report["bundle"].as_str().unwrap()).join("inputs");
    let sources: Value = serde_json::from_slice(&std::fs::read(inputs.join("sources.json")).unwrap()).unwrap();
    let plan = root.join("plan");
    for source in sources["documents"].as_array().expect("a list of inputs") {
        let to = plan.join(source["path"].as_str().unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let stored = Path::new(report["bundle"].as_str().unwrap()).join(source["file"].as_str().unwrap());
        std::fs::copy(stored, to).unwrap();
    }
    let box_of = root.join("box");
    let document = serde_json::json!({
        "schema_version": "sandproof.launcher.v1", "launcher_id": "box", "argv": [box_of.to_str().unwrap()],
        "version": { "argv": [box_of.to_str().unwrap(), "--version"] },
    });
    std::fs::write(plan.join("registry/launcher.json"), document.to_string()).unwrap();
    let run = |version: &str, run_id: &str| {
        let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'box {version}' && exit\nexec \"$@\"\n");
        std::fs::write(&box_of, script).unwrap();
        std::fs::set_permissions(&box_of, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut running = sandproof();
        running.current_dir(root).args(["run", "--out", "out", "--allow-host-programs", "--run-id", run_id, "--plan"]);
        running.arg(plan.join("plan.json"));
        if nix::unistd::geteuid().is_root() {
            running.arg("--as-root");
        }
        expect_code(&output(&mut running), 0);
        root.join("out").join(run_id)
    };
    let [a, b] = [run("1.0", "a"), run("1.1", "b")];
    let declared: Value = serde_json::from_slice(&std::fs::read(a.join("run_identity.json")).unwrap()).unwrap();
    assert_eq!(declared["artifact"]["launchers"]["ask"]["version"], "box 1.0", "{declared}");
    let programs = declared["artifact"]["launchers"]["ask"]["programs"].as_object().unwrap();
    assert_eq!(programs.keys().collect::<Vec<_>>(), [box_of.to_str().unwrap()]);
    expect_code(&validate(&b), 0);
    let diff = output(sandproof().arg("diff-runs").args([&a, &b]));
    assert!(stdout(&diff).contains("the launcher of `ask`, from `box 1.0` to `box 1.1`"), "{}", stdout(&diff));
}

#[test]
fn a_policy_is_asked_the_same_way() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let policy = folder.path().join("policy.json");
    std::fs::write(
        &policy,
        r#"{"schema_version":"sandproof.landlock_policy.v1","abi":1,"handled":{"fs":["read_file"]},
            "path_beneath":[{"path":"/etc","allow":["read_file"]}]}"#,
    )
    .unwrap();
    let path = policy.to_str().unwrap();
    let mut asking = sandproof();
    asking.current_dir(folder.path());
    let questions = ["allow read /etc/passwd", "deny read ${outside}/secret", "--policy", path, "--json"];
    let asked = output(asking.arg("ask").args(questions));
    if asked.status.code() == Some(7) {
        skip!("this kernel has no Landlock");
    }
    expect_code(&asked, 0);
    assert_eq!(pairs(&answers(&asked)), [("allow", "-"), ("deny", "-")]);
}

#[test]
fn several_questions_are_counted_and_one_is_not() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let questions = ["allow read /etc/passwd", "deny read /etc/passwd", "read /etc/passwd", "deny read /no/such"];
    let asked = ask(folder.path(), &questions, &["env"]);
    expect_code(&asked, 1);
    let told = stdout(&asked);
    assert!(
        told.contains("\n4 questions, 1 as expected, 1 not as expected, 1 only answered, 1 undecided.\n"),
        "{told}"
    );
    assert!(told.contains("\ndo: ask about what exists outside of the launcher"), "{told}");
    let one = stdout(&ask(folder.path(), &questions[..1], &["env"]));
    assert!(!one.contains("questions,"), "{one}");
}

#[test]
fn a_plain_question_is_only_answered_in_its_bundle_too() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let questions = ["read /etc/passwd", "create ${workspace}/new", "allow read /etc/passwd", "--json"];
    let asked = ask(folder.path(), &questions, &["env"]);
    expect_code(&asked, 0);
    let report: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!([&report["as_expected"], &report["unasserted"]], [1, 2], "{report}");
    let bundle = Path::new(report["bundle"].as_str().unwrap());
    expect_code(&validate(bundle), 0);
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(bundle.join(name)).unwrap()).unwrap() };
    assert_eq!(read("mismatch_summary.json")["mismatches"].as_array().unwrap().len(), 0);
    let summary = read("summary.json");
    assert_eq!([&summary["counts"]["matched"], &summary["counts"]["unasserted"]], [1, 2], "{summary}");
    assert_eq!(summary["status"], "partial", "what nothing is expected of is not as expected");
    let events = read("runtime_events.normalized.json");
    assert_eq!((&events[0]["expected"], &events[0]["actual"]), (&"any".into(), &"allow".into()));
    assert!(events[0].get("match").is_none(), "{}", events[0]);
    let packet = folder.path().join("packet.json");
    let mut promoting = sandproof();
    promoting.arg("emit-promotion").arg("--bundle").arg(bundle).arg("--out").arg(&packet);
    expect_code(&output(&mut promoting), 0);
    let packet: Value = serde_json::from_slice(&std::fs::read(packet).unwrap()).unwrap();
    assert_eq!([&packet["rows"]["decided"], &packet["rows"]["unasserted"]], [3, 2], "{packet}");
    // One that stays open is open, whatever was expected.
    let open = ask(folder.path(), &["allow read /etc/passwd", "read /nonexistent/secret", "--json"], &["env"]);
    expect_code(&open, 8);
    let report: Value = serde_json::from_slice(&open.stdout).unwrap();
    assert_eq!([&report["undecided"], &report["unasserted"]], [1, 0], "{report}");
}

#[test]
fn an_expectation_may_demand_the_error_number() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let policy = folder.path().join("policy.json");
    let text = r#"{"schema_version":"sandproof.landlock_policy.v1","abi":1,"handled":{"fs":["read_file"]},
        "path_beneath":[{"path":"/etc","allow":["read_file"]}]}"#;
    std::fs::write(&policy, text).unwrap();
    let of_policy = |question| {
        let mut asking = sandproof();
        asking.current_dir(folder.path()).args(["ask", question, "--policy"]).arg(&policy).arg("--json");
        output(&mut asking)
    };
    let met = of_policy("deny(EACCES) read ${outside}/secret");
    if met.status.code() == Some(7) {
        skip!("this kernel has no Landlock");
    }
    expect_code(&met, 0);
    let never = of_policy("deny(EROFS) read ${outside}/secret");
    expect_code(&never, 3);
    assert!(stderr(&never).contains("Landlock denies `file_read` with EACCES"), "{}", stderr(&never));
    expect_code(&of_policy("allow(EACCES) read ${outside}/secret"), 2);
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    let boxed = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--"];
    expect_code(&ask(folder.path(), &["deny(refused,EROFS) create ${outside}/n"], &boxed), 0);
    let unmet = ask(folder.path(), &["deny(EACCES,EPERM) create ${outside}/n", "--json"], &boxed);
    expect_code(&unmet, 1);
    let report: Value = serde_json::from_slice(&unmet.stdout).unwrap();
    let bundle = Path::new(report["bundle"].as_str().unwrap());
    expect_code(&validate(bundle), 0);
    let mismatches = std::fs::read_to_string(bundle.join("mismatch_summary.json")).unwrap();
    assert!(mismatches.contains("unexpected_errno"), "{mismatches}");
    assert!(mismatches.contains("expected deny with EACCES or EPERM, and it was denied with EROFS"), "{mismatches}");
    let mut reporting = sandproof();
    let tap = output(reporting.args(["report", "--format", "tap", "--bundle"]).arg(bundle));
    expect_code(&tap, 1);
    assert!(stdout(&tap).contains(r#"kind: "unexpected_errno""#), "{}", stdout(&tap));
}

#[test]
fn a_plan_for_launchers_is_asked_of_a_command_of_ones_own() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let first = ask(folder.path(), &["allow read ${workspace}/f", "allow create ${outside}/n", "--json"], &["env"]);
    expect_code(&first, 0);
    let report: Value = serde_json::from_slice(&first.stdout).unwrap();
    // The plan that was asked, as its bundle keeps it.
    let inputs = Path::new(report["bundle"].as_str().unwrap()).join("inputs");
    let sources: Value = serde_json::from_slice(&std::fs::read(inputs.join("sources.json")).unwrap()).unwrap();
    let plan = folder.path().join("plan");
    for source in sources["documents"].as_array().expect("a list of inputs") {
        let to = plan.join(source["path"].as_str().unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let stored = Path::new(report["bundle"].as_str().unwrap()).join(source["file"].as_str().unwrap());
        std::fs::copy(stored, to).unwrap();
    }
    let mut running = sandproof();
    running.current_dir(folder.path()).args(["run", "--plan"]).arg(plan.join("plan.json"));
    let unasked = output(&mut running);
    expect_code(&unasked, 3);
    assert!(stderr(&unasked).contains("--allow-host-programs"), "{}", stderr(&unasked));
    running.args(["--launcher", "mine=env 'A=b c'"]);
    if nix::unistd::geteuid().is_root() {
        let as_root = output(&mut running);
        expect_code(&as_root, 3);
        assert!(stderr(&as_root).contains("--as-root"), "{}", stderr(&as_root));
        running.arg("--as-root");
    }
    expect_code(&output(&mut running), 0);
}

#[test]
fn a_launcher_that_does_not_start_is_told_once_however_many_questions_it_leaves_open() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let questions = ["deny read /etc/shadow", "allow read /etc/passwd", "deny write /etc/x"];
    let asked = ask(folder.path(), &questions, &["false"]);
    expect_code(&asked, 8);
    let text = stdout(&asked);
    assert_eq!(text.matches("no worker inside the launcher said that it lives").count(), 1, "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("undecided: launcher_not_started")).collect();
    assert_eq!(rows.len(), 3, "{text}");
    assert!(rows.iter().all(|row| row.ends_with('?') && row.len() < 80), "{text}");
    assert!(text.contains("\nlauncher_not_started: no worker inside the launcher said that it lives: "), "{text}");
}

#[test]
fn two_versions_of_a_box_are_compared_by_their_words_and_by_how_they_deny() {
    if std::process::Command::new("bwrap").arg("--version").output().is_err() {
        skip!("bubblewrap is not installed");
    }
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let asked = |out: &str, code, flags: &str| {
        let command: Vec<&str> = flags.split(' ').collect();
        expect_code(&ask(folder.path(), &["deny read ${outside}/secret", "--out", out], &command), code);
    };
    asked("old", 0, "bwrap --dev-bind / / --tmpfs ${outside} --die-with-parent --");
    asked("new", 1, "bwrap --dev-bind / / --die-with-parent --new-session --");
    let diff =
        |more: &[&str]| output(sandproof().current_dir(folder.path()).args(["diff-runs", "old", "new"]).args(more));
    let (people, markdown) = (stdout(&diff(&[])), stdout(&diff(&["--markdown"])));
    for text in [&people, &markdown] {
        let text = text.replace('\\', "");
        assert!(text.contains("deny hidden (probe_syscall_errno ENOENT; expected deny)"), "{text}");
        assert!(text.contains("A has `--tmpfs ${outside}`, B has `--new-session`"), "{text}");
    }
    // What is said of both alike stands there once.
    assert_eq!(people.matches("why      deny read ${outside}/secret").count(), 1, "{people}");
    let programs: Value = serde_json::from_slice(&diff(&["--json"]).stdout).unwrap();
    let flips = programs["verdicts"]["flips"].as_array().unwrap();
    let flip = flips.iter().find(|flip| flip["lane"] == "scenario").unwrap();
    assert_eq!((&flip["a"]["mechanism"], flip["b"].get("mechanism")), (&"hidden".into(), None), "{flip:#}");
}

#[test]
fn a_launcher_that_starts_nothing_is_told_with_what_to_do_and_without_what_each_start_has_of_its_own() {
    let folder = tempfile::Builder::new().prefix("ask-").tempdir_in("/var/tmp").unwrap();
    let said = |command: &[&str]| {
        let asked = ask(folder.path(), &["deny read /etc/passwd"], command);
        expect_code(&asked, 8);
        stdout(&asked)
    };
    let ended = said(&["sh", "-c", "echo welcome; echo \"no $3\" >&2; exit 3", "box"]);
    assert!(ended.contains("`sh` ended with exit code 3 before the program"), "{ended}");
    assert!(
        ended.contains("(tried: path, copy, memfd: the launcher ended with exit code 3, saying `no …`)"),
        "{ended}"
    );
    let printed = said(&["sh", "-c", "echo welcome", "box"]);
    assert!(printed.contains("as `bwrap … --` does") && printed.contains("saying `welcome`"), "{printed}");
    let absent = said(&["/nonexistent/box"]);
    assert!(absent.contains("`/nonexistent/box` cannot be executed here, No such file or directory"), "{absent}");
}

#[test]
fn what_leaves_several_questions_open_is_one_paragraph() {
    if sandproof::test_support::enforce::landlock_abi().is_none() {
        skip!("this kernel has no Landlock");
    }
    let folder = tempfile::tempdir().unwrap();
    // Its rule is on a folder that no fixture makes.
    let policy = root().join("registries/quickstart/policies/read-only.json");
    let asked = ["deny read /etc/passwd", "read /etc/hostname", "--policy", policy.to_str().unwrap()];
    let said = output(sandproof().current_dir(folder.path()).arg("ask").args(asked));
    expect_code(&said, 8);
    let said = stdout(&said);
    assert_eq!(said.matches("names `${root}/project`, which cannot be opened").count(), 1, "{said}");
    assert!(said.contains("2 questions, 2 undecided."), "{said}");
}
