//! Plans of strangers, given to the real executable: what is not theirs stays as it is.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{expect_code, output, sandproof, stderr, stdout};
use crate::workspace::{Workspace, probe, read_policy};

/// A folder that hostile plans aim at, and a workspace with one of them.
struct Trap {
    dir: tempfile::TempDir,
}

impl Trap {
    /// `change` makes a plan's probe hostile; it is given the folder to aim at.
    fn new(change: impl Fn(&mut Value, &str)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("victim")).unwrap();
        std::fs::write(dir.path().join("victim/keep.txt"), "kept\n").unwrap();
        let trap = Self { dir };
        let mut hostile = probe("h:p", "file-write-data", "${root}/a/keep.txt", "deny");
        hostile["driver"] = "file_write".into();
        hostile["fixtures"] = json!([{"path": "open", "kind": "dir"}]);
        change(&mut hostile, trap.victim().to_str().unwrap());
        Workspace::new(trap.dir.path()).add("h", &read_policy(), vec![hostile]);
        trap
    }

    fn victim(&self) -> std::path::PathBuf {
        self.dir.path().join("victim")
    }

    fn call(&self, command: &str, more: &[&str]) -> std::process::Output {
        let plan = self.dir.path().join("plans/h/plan.json");
        let mut call = sandproof();
        call.arg(command).arg("--plan").arg(plan).args(more);
        output(&mut call)
    }

    fn run(&self, more: &[&str]) -> std::process::Output {
        let out = self.dir.path().join("out");
        self.call("run", &[&["--out", out.to_str().unwrap(), "--run-id", "r"], more].concat())
    }

    fn rows(&self, lane: &str) -> Vec<Value> {
        let rows = std::fs::read_to_string(self.dir.path().join(format!("out/r/rows/{lane}.jsonl"))).unwrap();
        rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn is_untouched(&self) {
        let names: Vec<_> = std::fs::read_dir(self.victim()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["keep.txt"]);
        assert_eq!(std::fs::read_to_string(self.victim().join("keep.txt")).unwrap(), "kept\n");
    }
}

fn fixtures(probe: &mut Value, more: Value) {
    probe["fixtures"].as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
}

#[test]
fn a_plan_that_leads_a_change_out_of_its_folder_is_refused_by_lint_and_run() {
    type Change = fn(&mut Value, &str);
    let cases: [(&str, Change); 6] = [
        ("a chain of links", |probe, victim| {
            fixtures(
                probe,
                json!([{"path": "b", "kind": "symlink", "to": victim}, {"path": "a", "kind": "symlink", "to": "b"}]),
            );
        }),
        ("a link to the root, and up from there", |probe, victim| {
            probe["target"] = format!("${{root}}/d1/d2/l/../../..{victim}/keep.txt").into();
            fixtures(probe, json!([{"path": "d1/d2/l", "kind": "symlink", "to": "${root}"}]));
        }),
        ("a hard link to a link", |probe, victim| {
            fixtures(
                probe,
                json!([{"path": "b", "kind": "symlink", "to": victim}, {"path": "a", "kind": "hardlink", "to": "b"}]),
            );
        }),
        ("a mount of the host", |probe, victim| {
            probe["capabilities_required"] = json!(["mount_namespace"]);
            probe["mounts"] = json!([{"from": victim, "at": "${root}/a"}]);
            fixtures(probe, json!([{"path": "a", "kind": "dir"}]));
        }),
        ("a mount of what lies above the root", |probe, _| {
            probe["capabilities_required"] = json!(["mount_namespace"]);
            probe["mounts"] = json!([{"from": "${root}/../..", "at": "${root}/a"}]);
            fixtures(probe, json!([{"path": "a", "kind": "dir"}]));
        }),
        ("a listener behind a link", |probe, victim| {
            *probe = super::workspace::probe("h:p", "network-outbound", "${root}/a/sock", "allow");
            probe["driver"] = "unix_connect".into();
            probe["listener"] = json!({"kind": "unix", "address": "${root}/a/sock"});
            probe["fixtures"] =
                json!([{"path": "open", "kind": "dir"}, {"path": "a", "kind": "symlink", "to": victim}]);
        }),
    ];
    for (what, change) in cases {
        let trap = Trap::new(change);
        let lint = trap.call("plan-lint", &[]);
        expect_code(&lint, 1);
        let said = stdout(&lint) + &stderr(&lint);
        assert!(said.contains("out of the run's own folder"), "{what}: {said}");
        expect_code(&trap.run(&[]), 3);
        trap.is_untouched();
    }
}

fn executing(probe: &mut Value, target: &str) {
    probe["driver"] = "exec".into();
    probe["operation"] = "process-exec*".into();
    probe["expected_primary_ops"] = json!(["process-exec*"]);
    probe["expected"] = "allow".into();
    probe["target"] = target.into();
}

#[test]
fn a_plan_executes_what_is_not_sandproofs_own_only_with_the_option() {
    let script = |probe: &mut Value, victim: &str| {
        executing(probe, "${root}/s.sh");
        let text = format!("#!/bin/sh\necho owned > {victim}/owned\nexit 42\n");
        fixtures(probe, json!([{"path": "s.sh", "kind": "file", "text": text, "mode": "0755"}]));
    };
    let behind_a_link = |probe: &mut Value, victim: &str| {
        script(probe, victim);
        probe["target"] = "${root}/l".into();
        fixtures(probe, json!([{"path": "l", "kind": "symlink", "to": "s.sh"}]));
    };
    let of_the_host = |probe: &mut Value, _: &str| executing(probe, "/bin/sh");
    for (trap, named) in [
        (Trap::new(script), "s.sh"),
        (Trap::new(behind_a_link), "s.sh"),
        (Trap::new(of_the_host), "the program `/bin/sh` of the host"),
    ] {
        let lint = trap.call("plan-lint", &[]);
        let said = stdout(&lint) + &stderr(&lint);
        assert!(said.contains("host_program") && said.contains("--allow-host-programs"), "{said}");
        let refused = trap.run(&[]);
        expect_code(&refused, 3);
        let said = stderr(&refused);
        assert!(said.contains("`h:p`") && said.contains(named) && said.contains("--allow-host-programs"), "{said}");
        assert!(!trap.dir.path().join("out/r").exists());
        trap.is_untouched();
    }
    // What is agreed to is declared.
    let trap = Trap::new(script);
    let ran = trap.run(&["--allow-host-programs"]);
    assert!(matches!(ran.status.code(), Some(0 | 1)), "{}", stderr(&ran));
    assert!(trap.victim().join("owned").exists());
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(trap.dir.path().join("out/r").join(name)).unwrap()).unwrap()
    };
    assert_eq!(read("run_identity.json")["policy"]["host_programs"], true);
    assert_eq!(read("run_manifest.json")["host_programs"], true);
    let bundle = trap.dir.path().join("out/r");
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(bundle)), 0);
}

#[test]
fn a_row_whose_opening_alone_may_do_something_is_undecided_and_names_the_device() {
    let trap = Trap::new(|probe, _| {
        probe["driver"] = "file_open_write".into();
        probe["target"] = "/dev/console".into();
    });
    if !Path::new("/dev/console").exists() {
        crate::skip!("there is no /dev/console");
    }
    let ran = trap.run(&[]);
    expect_code(&ran, 8);
    let said = stdout(&ran) + &stderr(&ran);
    assert!(said.contains("opening this may have an effect by itself: /dev/console"), "{said}");
    for lane in ["baseline", "scenario"] {
        let failure = &trap.rows(lane)[0]["prologue"]["setup_failure"];
        assert_eq!((&failure["step"], &failure["leads_to"]), (&json!("open_device"), &json!("/dev/console")));
        assert_eq!(trap.rows(lane)[0].get("operation"), None);
    }
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(trap.dir.path().join("out/r"))), 0);
}

/// Runs a workspace with one policy and its probes as `id`, and expects `code` and a bundle that verifies.
#[track_caller]
fn asked(id: &str, policy: &Value, probes: Vec<Value>, more: &[&str], code: i32) {
    let dir = tempfile::tempdir().unwrap();
    Workspace::new(dir.path()).add("q", policy, probes);
    let out = dir.path().join("out");
    let mut call = sandproof();
    call.args(["run", "--run-id", id, "--plan"]).arg(dir.path().join("plans/q/plan.json")).arg("--out").arg(&out);
    expect_code(&output(call.args(more)), code);
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(&out)), 0);
}

#[test]
fn what_may_be_written_below_shared_folders_and_to_files_of_the_host_can_be_asked() {
    let policy = json!({
        "schema_version": "sandproof.landlock_policy.v1",
        "abi": 3,
        "handled": {"fs": ["write_file", "make_reg", "read_file"]},
        "path_beneath": [
            {"path": "/tmp", "allow": ["write_file", "make_reg"]},
            {"path": "/dev/null", "allow": ["write_file"]},
        ],
    });
    let ask = |name: &str, driver: &str, target: &str, expected: &str| {
        let operation = if driver == "file_create" { "file-write-create" } else { "file-write-data" };
        let mut one = probe(&format!("q:{name}"), operation, target, expected);
        one["driver"] = driver.into();
        one
    };
    let made = |mut one: Value, path: &str, kind: &str| {
        one["fixtures"] = json!([{"path": path, "kind": kind}]);
        one
    };
    let probes = vec![
        ask("tmp", "file_create", "/tmp/${name.fix}/x", "allow"),
        made(ask("below", "file_write", "/tmp/${name.fix}/a/f", "allow"), "/tmp/${name.fix}/a/f", "file"),
        made(ask("var_tmp", "file_create", "/var/tmp/${name.fix}/x", "deny"), "/var/tmp/${name.fix}", "dir"),
        ask("null", "file_open_write", "/dev/null", "allow"),
        ask("null_both", "file_read_write", "/dev/null", "deny"),
        ask("passwd", "file_open_write", "/etc/passwd", "deny"),
    ];
    // Who may not write it without a policy gets no answer about the policy.
    let code = if nix::unistd::geteuid().is_root() { 0 } else { 8 };
    let before = std::fs::metadata("/etc/passwd").unwrap();
    let id = format!("shared-{}", std::process::id());
    asked(&id, &policy, probes, &[], code);
    let after = std::fs::metadata("/etc/passwd").unwrap();
    assert_eq!((before.len(), before.modified().unwrap()), (after.len(), after.modified().unwrap()));
    for folder in ["/tmp", "/var/tmp"] {
        let left = std::fs::read_dir(folder).unwrap().flatten().find(|e| e.file_name().to_string_lossy().contains(&id));
        assert!(left.is_none(), "{left:?}");
    }
}

#[test]
fn folders_of_the_other_system_and_links_to_nowhere_are_told_by_lint() {
    let lint = |change: &dyn Fn(&mut Value)| {
        let trap = Trap::new(|probe, _| change(probe));
        let lint = trap.call("plan-lint", &[]);
        (lint.status.code(), stdout(&lint) + &stderr(&lint))
    };
    let (code, said) = lint(&|probe| {
        probe["target"] = "/private/tmp/${name.fix}/x".into();
        fixtures(probe, json!([{"path": "/private/tmp/${name.fix}/x", "kind": "file"}]));
    });
    assert!(
        code == Some(1) && said.contains("the profile is for Linux, where `/private/tmp` is not a shared folder"),
        "{said}"
    );
    let (_, said) = lint(&|probe| {
        probe["driver"] = "file_create".into();
        probe["operation"] = "file-write-create".into();
        probe["target"] = "${root}/none/new".into();
    });
    assert!(said.contains("no fixture makes the folder that `${root}/none/new` lies in"), "{said}");
}

#[test]
fn programs_of_the_host_are_decided_by_whether_they_were_reached() {
    let program = std::fs::canonicalize("/bin/sh").unwrap();
    let program = program.to_str().unwrap();
    let image = std::fs::read(program).unwrap();
    let dynamic = image.windows(4).any(|window| window == b"/ld-");
    if !dynamic {
        crate::skip!("`{program}` needs no loader");
    }
    let policy = |paths: &[&str]| {
        let rule = |path: &&str| json!({"path": path, "allow": ["execute", "read_file"]});
        json!({
            "schema_version": "sandproof.landlock_policy.v1",
            "abi": 1,
            "handled": {"fs": ["execute", "read_file"]},
            "path_beneath": paths.iter().map(rule).collect::<Vec<_>>(),
        })
    };
    let ask = |name: &str, expected: &str, exit: Value| {
        let mut one = probe(&format!("q:{name}"), "process-exec*", program, expected);
        one["driver"] = "exec".into();
        one["argv"] = json!(["sh", "-c", "exit 7"]);
        if !exit.is_null() {
            one["exit_code"] = exit;
        }
        one
    };
    let id = |n: u32| format!("host-programs-{n}-{}", std::process::id());
    let with = &["--allow-host-programs"][..];
    // The program may be executed, its loader may not: execve(2) itself is refused.
    let probes = vec![ask("reached", "deny", Value::Null), ask("exits", "deny", json!(7))];
    asked(&id(1), &policy(&[program]), probes, with, 0);
    let probes = vec![ask("reached", "allow", Value::Null), ask("exits", "allow", json!(7))];
    asked(&id(2), &policy(&["/"]), probes, with, 0);
    // It was reached, and did something else than was asked for.
    asked(&id(3), &policy(&["/"]), vec![ask("exits", "allow", json!(0))], with, 8);
    // Without the option nothing of it runs.
    let dir = tempfile::tempdir().unwrap();
    Workspace::new(dir.path()).add("q", &policy(&["/"]), vec![ask("reached", "allow", Value::Null)]);
    let plan = dir.path().join("plans/q/plan.json");
    expect_code(&output(sandproof().args(["run", "--plan"]).arg(plan)), 3);
}

#[test]
fn a_declaration_reads_no_file_that_is_no_program() {
    // Opening the first would wait for ever for somebody to write to it.
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let trap = Trap::new(|probe, _| executing(probe, fifo.to_str().unwrap()));
    let plan = trap.dir.path().join("plans/h/plan.json");
    let mut call = std::process::Command::new("timeout");
    call.args(["20", env!("CARGO_BIN_EXE_sandproof"), "identity", "declare", "--json", "--plan"]).arg(plan);
    let declared = output(&mut call);
    expect_code(&declared, 0);
    assert!(stdout(&declared).contains("\"absent\": \"no_program\""), "{}", stdout(&declared));
}

#[test]
fn an_index_that_is_no_regular_file_is_refused_by_everything_that_looks_for_one() {
    use std::os::unix::fs::symlink;
    type Put = fn(&Path);
    let kinds: [(&str, Put); 5] = [
        ("a FIFO", |at| nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRWXU).unwrap()),
        ("an endless device", |at| symlink("/dev/zero", at).unwrap()),
        ("an empty device", |at| symlink("/dev/null", at).unwrap()),
        ("a folder", |at| fs::create_dir(at).unwrap()),
        ("a link to nothing", |at| symlink("nowhere", at).unwrap()),
    ];
    let dir = tempfile::tempdir().unwrap();
    let built = dir.path().join("built");
    expect_code(&output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(&built)), 0);
    let index = built.join("registry/index.json");
    for (kind, put) in kinds {
        if index.is_dir() {
            fs::remove_dir(&index).unwrap();
        } else {
            fs::remove_file(&index).unwrap();
        }
        put(&index);
        // Without its index the folder would be read as one that has none, and the registry beside the plan be taken.
        for (code, words) in [
            (1, &["plan-lint", "--plan", "plan.json"][..]),
            (3, &["run", "--plan", "plan.json", "--out", "out"]),
            (1, &["registry-lint"]),
            (3, &["list-registries"]),
            (3, &["list-probes", "--registry", "quickstart"]),
        ] {
            let mut call = std::process::Command::new("timeout");
            call.args(["20", env!("CARGO_BIN_EXE_sandproof")]).args(words).current_dir(&built);
            let asked = output(&mut call);
            let said = stdout(&asked) + &stderr(&asked);
            assert_eq!(asked.status.code(), Some(code), "{kind}, {words:?}: {said}");
            assert!(said.contains("registry/index.json"), "{kind}, {words:?}: {said}");
        }
        assert!(!built.join("out").exists());
        // What lists plans, and the state of the host, answers without waiting.
        for words in [&["list-plans"][..], &["status"], &["describe-plan", "--plan", "plan.json"]] {
            let mut call = std::process::Command::new("timeout");
            call.args(["20", env!("CARGO_BIN_EXE_sandproof")]).args(words).current_dir(&built);
            assert_ne!(output(&mut call).status.code(), Some(124), "{kind}, {words:?}");
        }
    }
}
