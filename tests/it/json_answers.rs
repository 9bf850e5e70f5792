//! Every command's `--json` answer satisfies its published schema, and standard output holds nothing else.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use jsonschema::Validator;
use serde_json::Value;

use crate::schemas::published;
use crate::support::{expect_code, finished_run, output, sandproof, stderr, stdout};

/// Commands whose output is a file format of its own, so that there is no `--json`.
const WITHOUT_JSON: [&str; 6] = ["collect", "completions", "identity draft", "identity export", "man", "report"];

/// All published schemas, by name.
pub struct Schemas(BTreeMap<String, Validator>);

impl Schemas {
    pub fn load() -> Self {
        Self(published().map(|(name, schema)| (name, jsonschema::draft202012::new(&schema).unwrap())).collect())
    }

    fn errors(&self, name: &str, value: &Value) -> Vec<String> {
        let validator = self.0.get(name).unwrap_or_else(|| panic!("no schema `{name}` is published"));
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Fails unless the document satisfies that schema.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "runs that make documents are Linux's"))]
    #[track_caller]
    pub fn satisfied(&self, name: &str, value: &Value) {
        let errors = self.errors(name, value);
        assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
    }

    #[track_caller]
    fn check(&self, name: &str, what: &str, answer: &Output) -> Value {
        let value: Value = serde_json::from_slice(&answer.stdout).unwrap_or_else(|error| {
            panic!("{what}: standard output is not one JSON document ({error}):\n{}", stdout(answer))
        });
        let errors = self.errors(name, &value);
        assert!(errors.is_empty(), "{what} against {name}: {errors:#?}\n{value:#}");
        value
    }
}

/// One way to ask a command for JSON.
struct Case {
    /// The command as it is typed, `links build`.
    command: &'static str,
    /// Its arguments.
    arguments: Vec<String>,
    /// The schema of its answer.
    schema: &'static str,
    /// Its exit code.
    exit: i32,
}

fn case(command: &'static str, arguments: &[&str], schema: &'static str, exit: i32) -> Case {
    Case { command, arguments: arguments.iter().map(|text| (*text).to_owned()).collect(), schema, exit }
}

/// Every command at least once, on a finished run. Later cases may need what earlier ones wrote.
fn cases(out: &Path, folder: &Path) -> Vec<Case> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let at = |name: &str| text(&folder.join(name));
    let (bundle, packet, links) = (text(out), at("packet.json"), at("links.json"));
    let plan = "plans/quickstart/plan.json";
    let id = "quickstart";
    let profile = "quickstart:read_only";
    vec![
        case("identity verify", &["--bundle", &bundle], "identity_report", 0),
        case("identity show", &["--bundle", &bundle], "run_identity", 0),
        case("selftest", &["--only", "linux-03", "--only", "mac-01"], "selftest", 0),
        case("run", &["--plan", plan, "--dry", "--out", &at("dry")], "run_report", 0),
        case("run", &["--plan", plan, "--out", &at("again")], "run_report", 0),
        case("run", &["--plan", plan, "--out", &at("shares"), "--shard", "hash:1/2"], "run_report", 0),
        case("merge", &[&at("shares"), "--out", &at("merged")], "merge_report", 8),
        case("merge", &[&at("shares"), &bundle, "--out", &at("merged")], "merge_report", 4),
        case("compare", &[&bundle, &at("again")], "compare", 0),
        case("compare", &[&bundle, &at("nowhere")], "compare", 4),
        case("upload", &[&bundle, "--to", &at("store")], "transfer", 0),
        case("upload", &[&at("nowhere"), "--to", &at("store")], "bundle_report", 4),
        case("download", &[&at("store/none"), "--out", &at("fetched")], "refusal", 4),
        case("validate-bundle", &["--bundle", &bundle], "bundle_report", 0),
        case("validate-bundle", &["--bundle", &at("nowhere")], "bundle_report", 4),
        case("emit-promotion", &["--bundle", &bundle, "--out", &packet], "promotion_report", 0),
        case(
            "emit-promotion",
            &["--bundle", &bundle, "--out", &at("refused.json"), "--require-promotable"],
            "promotion_report",
            5,
        ),
        case("verify", &[&bundle], "verification_report", 0),
        case("verify", &[&packet, "--root", &bundle, "--require-signed"], "verification_report", 5),
        case("verify", &[&at("nowhere.json")], "refusal", 3),
        case("inspect", &[&packet], "inspection", 0),
        case("statement", &[&bundle, "--out", &at("statement.json")], "written_files", 0),
        case("statement", &[&at("statement.json")], "refusal", 3),
        case(
            "attest",
            &[&bundle, "--key", &at("key.pem"), "--format", "dsse", "--out", &at("signed.json")],
            "attest_report",
            0,
        ),
        case("derive", &["--bundle", &bundle, "--check"], "derive_report", 0),
        case("reindex-bundle", &["--bundle", &at("again"), "--strict"], "reindex_report", 0),
        case("reindex-bundle", &["--bundle", &at("again"), "--repair"], "reindex_report", 0),
        case("reindex-bundle", &["--bundle", &at("nowhere"), "--repair"], "reindex_report", 4),
        case(
            "summarize-ops",
            &["--packet", &packet, "--root", &bundle, "--allow-nonpromotable"],
            "op_runtime_summary",
            0,
        ),
        case("summarize-ops", &["--bundle", &bundle, "--allow-nonpromotable"], "op_runtime_summary", 0),
        case("summarize-ops", &["--bundle", &at("nowhere")], "bundle_report", 4),
        case("links build", &["--packet", &packet, "--allow-nonpromotable", "--out", &links], "runtime_links", 0),
        case("links profiles", &["--links", &links], "linked_profiles", 0),
        case("links expectations", &["--links", &links], "linked_expectations", 0),
        case("links resolve", &["--links", &links, "--profile", profile], "link_resolution", 0),
        case("diff-runs", &[&bundle, &packet], "run_diff", 0),
        case("attempts", &["--out", &bundle], "attempts", 0),
        case("attempts", &[&bundle, &at("nowhere")], "attempts", 4),
        case("identity declare", &["--from", "docs/examples/support-agent/run.json"], "system_identity", 0),
        case(
            "identity seal",
            &["--from", "docs/examples/support-agent/run.json", "--out", &at("sealed")],
            "refusal",
            3,
        ),
        case("explain", &[], "reasons", 0),
        case("explain", &["not_clean_channel"], "reasons", 0),
        case("identity declare", &["--plan", plan, "--jobs", "1"], "run_identity", 0),
        case("identity verify", &["--bundle", &bundle], "identity_report", 0),
        case("identity verify", &["--bundle", &bundle, "--against", folder.to_str().unwrap()], "identity_report", 1),
        case("identity show", &["--bundle", &bundle], "run_identity", 0),
        case("status", &["--out", &bundle], "status", 0),
        case("plan-lint", &["--plan", plan], "lint_report", 0),
        case("registry-lint", &["--registry", id], "lint_report", 0),
        case("registry-upgrade", &["--registry", id, "--out-dir", &at("upgraded")], "written_files", 0),
        case("inventory", &[], "inventory", 0),
        case("list-templates", &[], "template_list", 0),
        case("init", &[&at("init")], "written_files", 0),
        case("plan-build", &["--template", "quickstart", "--out", &at("built"), "--overwrite"], "built_from", 0),
        case(
            "why",
            &["--profile", profile, "--registry", id, "--operation", "file-read-data", "--target", "/etc/hosts"],
            "why",
            0,
        ),
        case("policy lint", &["registries/quickstart/policies/one-port.json"], "policy_lint", 1),
        case("policy show", &["registries/quickstart/policies/one-port.json"], "policy_show", 0),
        case(
            "policy diff",
            &["registries/quickstart/policies/one-port.json", "registries/quickstart/policies/one-port.json"],
            "policy_diff",
            0,
        ),
        case("drift", &["--cases", "20"], "drift_report", 0),
        case("conformance", &["--rows", "cat"], "conformance_report", 1),
        case("mutate", &["--plan", "plans/sonoma-mach-name-equivalence"], "mutation_report", 0),
        case("diff-runs", &[&bundle, &bundle], "run_diff", 0),
        case("attempts", &["--out", &bundle], "attempts", 0),
        case("selftest", &["--only", "linux-01"], "selftest", 0),
        case("learn", &[&text(folder)], "learned", 0),
        case(
            "ask",
            &["read /etc/hosts", "--policy", "registries/quickstart/policies/one-port.json", "--out", &at("asked")],
            "ask_report",
            0,
        ),
        case("list-drivers", &[], "driver_list", 0),
        case("list-drivers", &["--operation", "file-write-create", "--system", "macos"], "driver_list", 0),
        case("list-drivers", &["--operation", "file-write-craete"], "refusal", 3),
        case("describe-driver", &["file_getattrlist"], "driver_description", 0),
        case("describe-driver", &["mach_lookup"], "driver_description", 0),
        case("describe-driver", &["exce"], "refusal", 3),
        case("describe-template", &["--template", "linux-path-matrix"], "template_description", 0),
        case("describe-template", &["--template", "quickstart"], "template_description", 0),
        case("list-plans", &[], "plan_list", 0),
        case("list-registries", &[], "registry_list", 0),
        case("list-probes", &["--registry", id], "probe_list", 0),
        case("list-profiles", &["--registry", id], "profile_list", 0),
        case("describe-plan", &["--plan", plan], "plan_description", 0),
        case("describe-probe", &["--registry", id, "--probe", "quickstart:read_only:read_inside"], "probe", 0),
        case("describe-profile", &["--registry", id, "--profile", profile], "profile", 0),
        case("schema", &[], "schema_list", 0),
        case("schema", &["--all", "--out", &at("schemas")], "written_files", 0),
        case("run", &["--plan", "nowhere.json"], "refusal", 3),
        case("run", &["--no-such-flag"], "refusal", 2),
        case("links profiles", &["--links", "nowhere.json"], "refusal", 3),
        case("describe-plan", &["--plan", "Cargo.toml"], "refusal", 3),
        case("version", &[], "version", 0),
    ]
}

/// Every visible command without subcommands of its own, as it is typed.
fn leaves(command: &clap::Command, prefix: &str, found: &mut Vec<String>) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let name = format!("{prefix}{}", sub.get_name());
        if sub.has_subcommands() { leaves(sub, &format!("{name} "), found) } else { found.push(name) }
    }
}

#[test]
fn every_answer_satisfies_its_schema_and_stands_alone() {
    let run = finished_run("plans/quickstart/plan.json", 0);
    let schemas = Schemas::load();
    let key = run.dir.path().join("key.pem");
    std::fs::copy(crate::support::root().join("tests/keys/ed25519.pem"), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let cases = cases(&run.out, run.dir.path());
    let mut found = Vec::new();
    leaves(&sandproof::test_support::cli::visible(), "", &mut found);
    for case in &cases {
        let what = format!("{} {}", case.command, case.arguments.join(" "));
        let asked = |json: bool| {
            let mut command = sandproof();
            command.args(case.command.split(' ')).args(&case.arguments);
            if json {
                command.arg("--json");
            }
            output(&mut command)
        };
        let answer = asked(true);
        expect_code(&answer, case.exit);
        schemas.check(case.schema, &what, &answer);
        assert!(!stderr(&answer).contains('{'), "{what} writes JSON to standard error: {}", stderr(&answer));
        if ["registry-upgrade", "reindex-bundle", "init"].contains(&case.command) {
            // Asked again it would not do the same.
            continue;
        }
        let people = asked(false);
        expect_code(&people, case.exit);
        let shown = stdout(&people);
        assert!(serde_json::from_str::<Value>(&shown).is_err(), "{what} shows people JSON");
        assert!(!shown.contains('\u{1b}'), "{what} writes escape sequences where there is no terminal");
    }

    for name in &found {
        let tried = cases.iter().any(|case| case.command == name);
        assert!(tried != WITHOUT_JSON.contains(&name.as_str()), "`{name}` needs a row in `cases`");
    }
}

#[test]
fn colour_is_for_those_who_look() {
    let colours = |command: &mut std::process::Command| {
        let answer = output(command);
        (stdout(&answer) + &stderr(&answer)).contains('\u{1b}')
    };
    for arguments in [&["schema", "nothing"][..], &["run", "--help"], &["no-such-command"]] {
        assert!(!colours(sandproof().args(arguments)), "{arguments:?}: nobody looks");
        assert!(colours(sandproof().args(arguments).args(["--color", "always"])), "{arguments:?}: it was demanded");
        assert!(colours(sandproof().args(arguments).env("CLICOLOR_FORCE", "1")), "{arguments:?}: it was demanded");
        let refused = sandproof().args(arguments).arg("--color=never").env("CLICOLOR_FORCE", "1").output().unwrap();
        assert!(!stderr(&refused).contains('\u{1b}') && !stdout(&refused).contains('\u{1b}'), "{arguments:?}");
        assert!(!colours(sandproof().args(arguments).env("NO_COLOR", "1")), "{arguments:?}");
    }
    assert!(!colours(sandproof().args(["list-plans", "--json", "--color", "always"])), "JSON is never coloured");
}

#[test]
fn a_refusal_is_an_answer_with_json_and_leaves_standard_output_alone_without() {
    let schemas = Schemas::load();
    for arguments in [
        &["run", "--plan", "nowhere.json"][..],
        &["list-probes", "--registry", "nobody"],
        &["schema", "nothing"],
        &["links", "profiles", "--links", "nowhere.json"],
        &["ask", "deny fly /x", "--policy", "nowhere.json"],
        &["no-such-command"],
        &["validate-bundle"],
    ] {
        let refused = output(sandproof().args(arguments));
        let code = refused.status.code().unwrap();
        assert!([2, 3].contains(&code), "{arguments:?}");
        assert_eq!(stdout(&refused), "", "{arguments:?}");
        assert!(!stderr(&refused).is_empty(), "{arguments:?}");

        let answered = output(sandproof().args(arguments).arg("--json"));
        let answer = schemas.check("refusal", &format!("{arguments:?}"), &answered);
        assert_eq!(answer["exit_code"], code, "{arguments:?}: the code is the same");
        assert_eq!(answered.status.code(), Some(code), "{arguments:?}");
        let people = stderr(&answered);
        let first = answer["error"].as_str().unwrap().lines().next().unwrap();
        assert!(people.contains(first), "{arguments:?}: people read the same: {first}\n{people}");
    }
    // Of every command that has an answer in JSON, the arguments that it does not take are one as well.
    let mut found = Vec::new();
    leaves(&sandproof::test_support::cli::visible(), "", &mut found);
    for command in &found {
        for wrong in [&["--no-such-option"][..], &["--color", "sometimes"], &["a", "b", "c", "d", "e", "--nor-this"]] {
            let refused = output(sandproof().args(command.split(' ')).args(wrong).arg("--json"));
            expect_code(&refused, 2);
            schemas.check("refusal", &format!("{command} {wrong:?}"), &refused);
        }
    }
    // What stands behind `--` is the command's own.
    let launched = output(sandproof().args(["ask", "deny fly /x", "--", "env", "--json"]));
    assert_eq!(stdout(&launched), "");
}

#[test]
fn a_refused_document_answers_with_its_findings() {
    let dir = tempfile::tempdir().unwrap();
    let plan = dir.path().join("plan.json");
    std::fs::create_dir(dir.path().join("registry")).unwrap();
    std::fs::write(dir.path().join("registry/index.json"), "{}").unwrap();
    std::fs::write(&plan, r#"{"schema_version": "runtime-tools.plan.v0.1", "plan_id": "p", "profiles": 5}"#).unwrap();
    let refused = output(sandproof().args(["run", "--json", "--plan"]).arg(&plan));
    let answer = Schemas::load().check("refusal", "a plan that is refused", &refused);
    let findings = answer["findings"].as_array().expect("the findings");
    assert!(findings.iter().any(|finding| finding["pointer"] == "/profiles"), "{findings:#?}");
}

#[test]
fn every_schema_can_be_written_down() {
    let dir = tempfile::tempdir().unwrap();
    expect_code(&output(sandproof().args(["schema", "--all", "--out"]).arg(dir.path())), 0);
    for (name, schema) in published() {
        let text = std::fs::read_to_string(dir.path().join(format!("{name}.schema.json"))).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), schema, "{name}");
    }
}
