//! `sandproof policy lint|show|diff`, `why --ask` and `why --log`, from the command line.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{expect_code, json_answer, output, sandproof, stderr, stdout};

/// A folder with these files in it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Runs a command in `folder`, checks its exit code, and the JSON answer against its schema.
#[track_caller]
fn answer(folder: &Path, schema: &str, code: i32, arguments: &[&str]) -> Value {
    json_answer(sandproof().current_dir(folder).args(arguments).arg("--json"), schema, code)
}

/// Runs a command with a text on standard input.
fn with_input(folder: &Path, arguments: &[&str], text: &str) -> std::process::Output {
    let program: PathBuf = assert_cmd::cargo::cargo_bin!("sandproof").into();
    let mut child = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

const A: &str = "(version 1)\n(deny default)\n(allow file-read* (subpath (param \"TOP\")) (subpath \"/tmp/x\"))\n(allow \
                 mach-lookup (global-name \"com.example.a\"))\n";

#[test]
fn a_profile_is_linted_by_itself() {
    let folder = folder(&[("a.sb", A)]);
    let found = answer(folder.path(), "policy_lint", 1, &["policy", "lint", "a.sb", "-D", "TOP=/usr/lib"]);
    assert_eq!((&found["errors"], &found["warnings"]), (&json!(0), &json!(1)));
    assert_eq!(found["findings"][0]["kind"], "alias_spelling");
    assert_eq!(found["findings"][0]["rule"]["line"], 3);
    let found = answer(folder.path(), "policy_lint", 1, &["policy", "lint", "a.sb"]);
    let kinds: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"parameter"), "{kinds:?}");
    let clean = with_input(folder.path(), &["policy", "lint", "-"], "(version 1)\n(deny default)\n");
    expect_code(&clean, 0);
    assert!(stdout(&clean).contains("0 errors, 0 warnings"), "{}", stdout(&clean));
    let refused = with_input(folder.path(), &["policy", "lint", "-"], "(version 1)\n(deny defalt)\n");
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains("<stdin>"), "{}", stderr(&refused));
}

#[test]
fn a_host_that_the_system_refuses_is_an_error_of_lint() {
    let text = "(version 1)\n(deny default)\n(allow network-outbound (remote ip \"192.0.2.1:80\"))\n";
    let folder = folder(&[("a.sb", text)]);
    let found = answer(folder.path(), "policy_lint", 1, &["policy", "lint", "a.sb"]);
    assert_eq!((&found["ok"], &found["findings"][0]["kind"]), (&json!(false), &json!("would_not_apply")));
}

#[test]
fn a_profile_is_shown_with_its_parameters_worked_out() {
    let folder = folder(&[("a.sb", A)]);
    let shown = answer(folder.path(), "policy_show", 0, &["policy", "show", "a.sb", "--param", "TOP=/usr/lib"]);
    assert_eq!(shown["rules"][1]["on"], json!(["(subpath \"/usr/lib\")", "(subpath \"/tmp/x\")"]));
    assert_eq!(shown["parameters"], json!({"TOP": "/usr/lib"}));
    let access = shown["access"].as_array().unwrap();
    let reads = access.iter().find(|one| one["operations"] == json!(["file-read*"])).unwrap();
    assert_eq!((&reads["otherwise"], &reads["allowed_by"]), (&json!("deny"), &json!(["3:1"])));
}

#[test]
fn a_landlock_policy_is_linted_shown_and_compared() {
    let policy = |rights: &str| {
        format!(
            r#"{{"schema_version":"sandproof.landlock_policy.v1","abi":1,"handled":{{"fs":["read_file","read_dir"]}},
            "path_beneath":[{{"path":"/usr","allow":[{rights}]}},{{"path":"/usr/lib","allow":["read_file"]}}]}}"#
        )
    };
    let (narrow, wide) = (policy("\"read_file\""), policy("\"read_file\",\"read_dir\""));
    let folder = folder(&[("a.json", &narrow), ("b.json", &wide)]);
    let found = answer(folder.path(), "policy_lint", 0, &["policy", "lint", "a.json"]);
    let kinds: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"redundant"), "{found:#}");
    let shown = answer(folder.path(), "policy_show", 0, &["policy", "show", "a.json"]);
    assert_eq!(shown["rules"][0]["at"], "/path_beneath/0");
    let differs = answer(folder.path(), "policy_diff", 1, &["policy", "diff", "a.json", "b.json"]);
    assert_eq!(differs["narrowed"], json!([]));
    let targets: Vec<&str> =
        differs["widened"].as_array().unwrap().iter().map(|one| one["target"].as_str().unwrap()).collect();
    assert!(targets.contains(&"/usr") && differs["widened"][0]["operations"] == json!(["read_dir"]), "{differs:#}");
    let same = answer(folder.path(), "policy_diff", 0, &["policy", "diff", "a.json", "a.json"]);
    assert_eq!(same["same"], true);
}

#[test]
fn access_is_compared_and_not_text() {
    let head = "(version 1)\n(deny default)\n";
    let a = format!("{head}(allow file-read-data (literal \"/private/etc/hosts\"))\n");
    let b = format!("{head}; another spelling\n(define f \"/private/etc/hosts\")\n(allow file-read-data (path f))\n");
    let wider = format!("{head}(allow file-read-data (subpath \"/private/etc\"))\n");
    let folder = folder(&[("a.sb", &a), ("b.sb", &b), ("wider.sb", &wider)]);
    answer(folder.path(), "policy_diff", 0, &["policy", "diff", "a.sb", "b.sb"]);
    let differs = answer(folder.path(), "policy_diff", 1, &["policy", "diff", "a.sb", "wider.sb"]);
    assert_eq!(differs["narrowed"], json!([]));
    assert!(!differs["widened"].as_array().unwrap().is_empty());
    let back = answer(folder.path(), "policy_diff", 1, &["policy", "diff", "wider.sb", "a.sb"]);
    assert_eq!(back["narrowed"].as_array().unwrap().len(), differs["widened"].as_array().unwrap().len());
    let mixed =
        output(sandproof().current_dir(folder.path()).args(["policy", "diff", "a.sb", "-"]).stdin(Stdio::null()));
    expect_code(&mixed, 3);
}

#[test]
fn questions_of_a_file_are_a_test_of_a_policy() {
    let questions = r#"{"operation":"file-read-data","target":"/usr/lib/x","expected":"allow","id":"lib"}

{"driver":"file_create","target":"/usr/lib/x","expected":"deny"}
{"operation":"mach-lookup","target":"com.example.a"}
"#;
    let wrong = questions.replace("\"allow\"", "\"deny\"");
    let unknown = "{\"operation\":\"file-read-data\",\"target\":\"relative\",\"expected\":\"deny\"}\n";
    let folder = folder(&[
        ("a.sb", A),
        ("q.jsonl", questions),
        ("wrong.jsonl", &wrong),
        ("unknown.jsonl", unknown),
        ("empty.jsonl", "\n"),
        ("typo.jsonl", "{\"operation\":\"signal\",\"target\":\"self\",\"expcted\":\"deny\"}\n"),
        ("twice.jsonl", "{\"operation\":\"signal\",\"target\":\"self\",\"target\":\"others\"}\n"),
    ]);
    let ask = |code, file: &str| {
        answer(folder.path(), "why_answers", code, &["why", "--profile", "a.sb", "-D", "TOP=/usr/lib", "--ask", file])
    };
    let good = ask(0, "q.jsonl");
    assert_eq!((&good["questions"], &good["as_expected"], &good["unasserted"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!(good["answers"][1]["line"], 3);
    let bad = ask(1, "wrong.jsonl");
    assert_eq!((&bad["otherwise"], &bad["answers"][0]["as_expected"]), (&json!(1), &json!(false)));
    assert_eq!(ask(8, "unknown.jsonl")["undecided"], 1);
    for (file, code, word) in
        [("empty.jsonl", 9, "no question"), ("typo.jsonl", 3, "expcted"), ("twice.jsonl", 3, "target")]
    {
        let output = output(sandproof().current_dir(folder.path()).args(["why", "--profile", "a.sb", "--ask", file]));
        expect_code(&output, code);
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}

#[test]
fn a_question_may_bring_its_policy() {
    let line = |profile: &str, expected: &str| {
        json!({"profile": profile, "operation": "signal", "target": "others", "expected": expected}).to_string()
    };
    let refused = line("(version 1)(deny sgnal)", "refused");
    let denied = line("(version 1)(allow default)(deny signal (target others))", "deny");
    let folder = folder(&[("q.jsonl", &format!("{refused}\n{denied}\n"))]);
    let answers = answer(folder.path(), "why_answers", 0, &["why", "--ask", "q.jsonl"]);
    assert_eq!(answers["as_expected"], 2);
}

#[test]
fn logged_denials_are_explained() {
    let log = "kernel: (Sandbox) Sandbox: cat(12) deny(1) file-write-create /private/tmp/z\nother\nSandbox: x(7) deny(1) \
               file-write-create /private/tmp/z\n";
    let against = "Sandbox: x(7) deny(1) file-read-data /usr/lib/libz.dylib\n";
    let folder = folder(&[("a.sb", A), ("log", log), ("against", against), ("nothing", "x\n")]);
    let explain = |code, file: &str| {
        answer(folder.path(), "why_log", code, &["why", "--profile", "a.sb", "-D", "TOP=/usr/lib", "--log", file])
    };
    let told = explain(0, "log");
    let denial = &told["denials"][0];
    assert_eq!(
        (&told["lines"], &denial["count"], &denial["conclusion"]),
        (&json!(3), &json!(2), &json!("denied_by_policy"))
    );
    assert_eq!(denial["allow_with"], json!(["(allow file-write-create (literal \"/private/tmp/z\"))"]));
    assert_eq!((&denial["opens"], &denial["processes"]), (&json!([]), &json!(["cat", "x"])));
    assert_eq!(explain(1, "against")["denials"][0]["conclusion"], "against_the_model");
    let none = output(sandproof().current_dir(folder.path()).args(["why", "--profile", "a.sb", "--log", "nothing"]));
    expect_code(&none, 9);
    let piped = with_input(folder.path(), &["why", "--profile", "a.sb", "-D", "TOP=/x", "--log"], log);
    expect_code(&piped, 0);
    assert!(stdout(&piped).contains("to let it through"), "{}", stdout(&piped));
}

#[test]
fn a_wide_rule_says_what_else_it_opens() {
    let folder = folder(&[
        ("a.sb", "(version 1)\n(deny default)\n"),
        ("log", "Sandbox: curl(7) deny(1) network-outbound 192.0.2.7:443\n"),
    ]);
    let told = answer(folder.path(), "why_log", 0, &["why", "--profile", "a.sb", "--log", "log"]);
    let denial = &told["denials"][0];
    assert_eq!(denial["allow_with"], json!(["(allow network-outbound (remote ip \"*:443\"))"]));
    assert!(!denial["opens"].as_array().unwrap().is_empty(), "{told:#}");
}

#[test]
fn audit_records_are_explained_by_a_landlock_policy() {
    let policy = r#"{"schema_version":"sandproof.landlock_policy.v1","abi":4,"handled":{"fs":["read_file"],"net":["connect_tcp"]},
        "path_beneath":[{"path":"/usr","allow":["read_file"]}]}"#;
    let log = "audit: type=1423 audit(1.2:3): domain=19 blockers=fs.read_file path=\"/etc/passwd\" dev=\"vda2\" ino=5\n\
               audit: type=1423 audit(1.2:4): domain=19 blockers=net.connect_tcp daddr=127.0.0.1 dest=80\n";
    let other =
        "audit: type=1423 audit(1.2:3): domain=19 blockers=fs.write_file path=\"/etc/passwd\" dev=\"vda2\" ino=5\n";
    let folder = folder(&[("p.json", policy), ("log", log), ("other", other)]);
    let told = answer(folder.path(), "why_log", 0, &["why", "--profile", "p.json", "--log", "log"]);
    assert_eq!(
        told["denials"][0]["allow_with"],
        json!(["path_beneath: {\"allow\":[\"read_file\"],\"path\":\"/etc/passwd\"}"])
    );
    assert_eq!(told["denials"][1]["target"], "port 80");
    let told = answer(folder.path(), "why_log", 1, &["why", "--profile", "p.json", "--log", "other"]);
    assert_eq!(told["denials"][0]["conclusion"], "against_the_model");
}

#[test]
fn a_driver_stands_for_its_operation() {
    let folder = folder(&[("a.sb", A)]);
    let why = answer(
        folder.path(),
        "why",
        0,
        &["why", "--profile", "a.sb", "-D", "TOP=/x", "--driver", "file_create", "--target", "/y"],
    );
    assert_eq!(why["operation"], "file-write-create");
    for arguments in [&["why", "--profile", "a.sb"][..], &["why", "--profile", "a.sb", "--operation", "signal"]] {
        expect_code(&output(sandproof().current_dir(folder.path()).args(arguments)), 2);
    }
}

#[test]
fn imported_files_are_taken_from_a_folder() {
    let folder = folder(&[("a.sb", "(version 1)\n(deny default)\n(import \"base.sb\")\n")]);
    let profiles = folder.path().join("profiles");
    fs::create_dir(&profiles).unwrap();
    fs::write(profiles.join("base.sb"), "(version 1)\n(allow file-read-data (literal \"/private/etc/hosts\"))\n")
        .unwrap();
    let why = |code, more: &[&str]| {
        let mut arguments =
            vec!["why", "--profile", "a.sb", "--operation", "file-read-data", "--target", "/private/etc/hosts"];
        arguments.extend(more);
        answer(folder.path(), "why", code, &arguments)
    };
    assert_eq!(why(8, &[])["decision"], "undecidable");
    let known = why(0, &["--import-dir", "profiles"]);
    assert_eq!(
        (&known["decision"], &known["rule"]["file"], &known["rule"]["line"]),
        (&json!("allow"), &json!("base.sb"), &json!(2))
    );
    assert_eq!(known["rule"]["text"], "(allow file-read-data (literal \"/private/etc/hosts\"))");
    let digest = known["policy"]["imports"]["base.sb"].as_str().unwrap();
    assert_eq!(digest.len(), 64);
    let shown = answer(folder.path(), "policy_show", 0, &["policy", "show", "a.sb", "--import-dir", "profiles"]);
    assert_eq!((&shown["rules"][1]["at"], &shown["gaps"]), (&json!("base.sb:2:1"), &json!([])));
    let no_folder =
        output(sandproof().current_dir(folder.path()).args(["policy", "show", "a.sb", "--import-dir", "none"]));
    expect_code(&no_folder, 3);
    fs::write(profiles.join("base.sb"), "(version 1)\n(allow file-raed*)\n").unwrap();
    let refused =
        output(sandproof().current_dir(folder.path()).args(["policy", "lint", "a.sb", "--import-dir", "profiles"]));
    expect_code(&refused, 3);
    assert!(stderr(&refused).contains("base.sb:2:"), "{}", stderr(&refused));
}

#[test]
fn a_profile_of_a_plan_may_name_the_folder_of_its_imports() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan");
    let built = output(sandproof().args(["plan-build", "--template", "sonoma-runtime-checks", "--out"]).arg(&plan));
    assert!(built.status.success(), "{}", stderr(&built));
    let path = plan.join("registry/profiles.json");
    let mut profiles: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let (_, profile) = profiles["profiles"].as_object_mut().unwrap().iter_mut().next().unwrap();
    profile["import_dir"] = json!("imports");
    let rules = profile["key_specific_rules"].as_array_mut().unwrap();
    rules.push(json!("(import \"extra.sb\")"));
    fs::write(&path, serde_json::to_vec_pretty(&profiles).unwrap()).unwrap();
    fs::create_dir(plan.join("imports")).unwrap();
    fs::write(plan.join("imports/extra.sb"), "(allow sysctl-read)\n").unwrap();
    let policy = fs::read_dir(plan.join("registries")).is_ok();
    assert!(policy, "the plan carries its policies");
    let out = folder.path().join("out");
    let run = output(sandproof().args(["run", "--dry", "--plan"]).arg(plan.join("plan.json")).arg("--out").arg(&out));
    expect_code(&run, 0);
    // The imported file is an input of the run, copied and digested like every other.
    let bundle = out.join(
        fs::read_dir(&out)
            .unwrap()
            .find_map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.contains('-').then_some(name)
            })
            .unwrap(),
    );
    let manifest = fs::read_to_string(bundle.join("run_manifest.json")).unwrap();
    assert!(manifest.contains("imports/extra.sb"), "{manifest}");
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(&bundle)), 0);
}

#[test]
fn a_logged_line_that_names_no_target_is_no_evidence() {
    let policy =
        "(version 1)\n(deny default)\n(allow network-outbound (remote ip \"*:443\"))\n(allow file-read-data)\n";
    let log = "kernel: 5 duplicate reports for Sandbox: x(7) deny(1) mach-lookup com.example.a\nSandbox: x(7) deny(1) \
               file-read-data\nother\n";
    let folder = folder(&[("a.sb", policy), ("log", log)]);
    let told = answer(folder.path(), "why_log", 8, &["why", "--profile", "a.sb", "--log", "log"]);
    assert_eq!((&told["lines"], &told["other_lines"]), (&json!(3), &json!(1)));
    let denials = told["denials"].as_array().unwrap();
    assert_eq!((&denials[0]["count"], &denials[0]["conclusion"]), (&json!(5), &json!("denied_by_policy")));
    assert_eq!(denials[1]["conclusion"], "undecidable");
}
