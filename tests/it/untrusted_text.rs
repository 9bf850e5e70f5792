//! Texts and names that somebody else chose: nothing of them steers a terminal, forges a line or ends the program.

use std::ffi::OsStr;
#[cfg(target_os = "linux")]
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
#[cfg(target_os = "linux")]
use std::process::Output;

use sandproof::test_support::base::printable::is_hidden;
use serde_json::{Value, json};

use crate::support::{copy_folder, expect_code, files, output, root, sandproof, stderr, stdout};

/// What may stand in an id or a target: no control character, but everything else that cannot be seen.
const UNSEEN: &str = "s\u{202e}\u{2066}\u{200b}\u{200f}\u{feff}\u{2028}\u{61c}\u{ad}\u{e0041}##[error]t";
/// What may stand in a free text: everything.
const HOSTILE: &str =
    "x\u{1b}[2K\u{1b}]0;t\u{7}\r\n\u{9b}31m\n::error::forged\n9 probes, 9 as forged.\u{202e}\u{2029}\u{7f}";

/// A plan folder in which every text that a document may choose freely is hostile, and some rows are not as expected.
fn hostile_plan(folder: &Path) {
    expect_code(&output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(folder)), 0);
    let edit = |file: &str, change: &dyn Fn(&mut Value)| {
        let path = folder.join(file);
        let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(path, value.to_string()).unwrap();
    };
    edit("plan.json", &|plan| plan["notes"] = json!(HOSTILE));
    edit("registry/index.json", &|index| index["registries"][0]["description"] = json!(HOSTILE));
    edit("registry/profiles.json", &|profiles| {
        for profile in profiles["profiles"].as_object_mut().unwrap().values_mut() {
            profile["notes"] = json!(HOSTILE);
        }
    });
    edit("registry/probes.json", &|probes| {
        for probe in probes["probes"].as_object_mut().unwrap().values_mut() {
            probe["why"] = json!(HOSTILE);
        }
        let inside = &mut probes["probes"]["quickstart:read_only:read_inside"];
        inside["expected"] = json!("deny");
        inside["name"] = json!(format!("inside{UNSEEN}"));
        let missing = &mut probes["probes"]["quickstart:read_only:list_inside"];
        missing["target"] = json!(format!("${{root}}/project/{UNSEEN}"));
        missing["expected_predicates"] = json!([missing["target"]]);
        missing["name"] = json!(format!("list{UNSEEN}"));
    });
}

#[track_caller]
fn check_text(what: &str, text: &str) {
    // The three styles that this program has are all that is left of escape sequences where colour was demanded.
    let mut own = text.to_owned();
    for sequence in ["\u{1b}[1m", "\u{1b}[4m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[36m", "\u{1b}[0m"] {
        own = own.replace(sequence, "");
    }
    let found: Vec<String> =
        own.chars().filter(|c| *c != '\n' && is_hidden(*c)).map(|c| format!("U+{:04X}", u32::from(c))).collect();
    assert!(found.is_empty(), "{what} shows {found:?}:\n{text:?}");
    for line in own.lines().map(str::trim_start) {
        assert!(!line.starts_with("::") && !line.contains("##["), "{what} prints a command: {line:?}");
        assert!(!line.starts_with("9 probes"), "{what} prints a line that a document forged:\n{text}");
    }
}

#[test]
fn no_command_shows_untrusted_text_raw() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("plan");
    hostile_plan(&folder);
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (plan, out) = (at("plan"), at("plan/out"));
    let ran = output(sandproof().args(["run", "--plan", &plan]));
    expect_code(&ran, 1);
    assert!(stdout(&ran).contains("inside"), "{}", stdout(&ran));
    let bundle = out.clone() + "/" + fs::read_to_string(dir.path().join("plan/out/LATEST")).unwrap().trim();
    // A second run that differs, a bundle with a file that nobody listed, and a plan and a declaration that are refused.
    let other = output(sandproof().args(["run", "--plan", "plans/quickstart", "--out", &at("other")]));
    expect_code(&other, 0);
    copy_folder(Path::new(&bundle), &dir.path().join("spoiled"));
    fs::write(dir.path().join("spoiled").join(OsStr::from_bytes(b"\x1b[2K\n9 probes, 9 as forged.")), "").unwrap();
    fs::write(dir.path().join("bad.json"), format!("{{\"schema_version\": {}}}", json!(HOSTILE))).unwrap();
    copy_folder(&folder, &dir.path().join("refused"));
    fs::remove_dir_all(dir.path().join("refused/out")).unwrap();
    let probes = dir.path().join("refused/registry/probes.json");
    let mut spoiled: Value = serde_json::from_slice(&fs::read(&probes).unwrap()).unwrap();
    spoiled["probes"]["quickstart:read_only:read_inside"]["target"] = json!(format!("${{root}}/{HOSTILE}"));
    spoiled["probes"]["quickstart:read_only:write_inside"]["operation"] = json!(HOSTILE);
    fs::write(&probes, spoiled.to_string()).unwrap();
    let other = format!("(version 1)\n(deny default)\n(allow file-read-data (literal \"/a{UNSEEN}\"))\n");
    fs::write(dir.path().join("other.sb"), other).unwrap();
    fs::write(dir.path().join("questions.jsonl"), json!({"operation": HOSTILE, "target": HOSTILE}).to_string())
        .unwrap();
    fs::write(dir.path().join("denials"), format!("Sandbox: {UNSEEN}(7) deny(1) file-read-data /{UNSEEN}\n")).unwrap();
    fs::write(dir.path().join("policy.sb"), format!("(version 1)\n(deny default (with \"{HOSTILE}\n")).unwrap();

    let registry = "quickstart";
    let mut asked: Vec<Vec<String>> = vec![];
    let mut ask = |words: &[&str]| asked.push(words.iter().map(|word| (*word).to_owned()).collect());
    ask(&["run", "--plan", &plan, "--out", &at("again")]);
    ask(&["run", "--plan", &at("refused")]);
    ask(&["run", "--plan", HOSTILE]);
    ask(&["run", "--plan", &plan, "--only-profile", HOSTILE]);
    ask(&["run", "--plan", &plan, "--run-id", HOSTILE]);
    ask(&["run", "--plan", &plan, &format!("--channel={HOSTILE}")]);
    ask(&[HOSTILE]);
    ask(&["plan-lint", "--plan", &plan]);
    ask(&["plan-lint", "--plan", &at("refused")]);
    ask(&["plan-lint", "--plan", &at("bad.json")]);
    ask(&["registry-lint", "--root", &plan]);
    ask(&["list-registries", "--root", &plan]);
    ask(&["list-probes", "--root", &plan, "--registry", registry]);
    ask(&["list-probes", "--root", &plan, "--registry", HOSTILE]);
    ask(&["list-profiles", "--root", &plan, "--registry", registry]);
    ask(&["list-plans", "--root", HOSTILE]);
    ask(&["describe-plan", "--plan", &plan]);
    ask(&["describe-probe", "--root", &plan, "--registry", registry, "--probe", "quickstart:read_only:list_inside"]);
    ask(&["describe-probe", "--root", &plan, "--registry", registry, "--probe", HOSTILE]);
    ask(&["describe-profile", "--root", &plan, "--registry", registry, "--profile", "quickstart:read_only"]);
    ask(&["validate-bundle", "--bundle", &at("spoiled")]);
    ask(&["validate-bundle", "--bundle", HOSTILE]);
    ask(&["reindex-bundle", "--strict", "--bundle", &at("spoiled")]);
    ask(&["derive", "--check", "--bundle", &bundle]);
    ask(&["derive", "--check", "--bundle", &at("spoiled")]);
    ask(&["emit-promotion", "--bundle", &bundle, "--out", &at("packet.json")]);
    ask(&["emit-promotion", "--bundle", &bundle, "--out", &at(HOSTILE)]);
    ask(&["attempts", &bundle, &at("spoiled"), HOSTILE]);
    ask(&["diff-runs", &bundle, &at("other")]);
    ask(&["diff-runs", &bundle, &at("other"), "--markdown"]);
    ask(&["diff-runs", &bundle, HOSTILE]);
    ask(&["diff-runs", &bundle, &at("bad.json")]);
    ask(&["summarize-ops", "--bundle", &bundle, "--allow-nonpromotable"]);
    ask(&[
        "links",
        "build",
        "--packet",
        &at("packet.json"),
        "--root",
        &plan,
        "--allow-nonpromotable",
        "--out",
        &at("links"),
    ]);
    ask(&["links", "profiles", "--links", &at("links")]);
    ask(&["links", "expectations", "--links", &at("links")]);
    ask(&["links", "resolve", "--links", &at("links"), "--expectation", &format!("quickstart:read_only:list{UNSEEN}")]);
    ask(&["links", "resolve", "--links", &at("links"), "--profile", HOSTILE]);
    ask(&["identity", "show", "--bundle", &bundle]);
    ask(&["identity", "verify", "--bundle", &bundle, "--against", &at("refused")]);
    ask(&["identity", "declare", "--plan", &plan]);
    ask(&["identity", "declare", "--from", &at("bad.json")]);
    ask(&["why", "--profile", HOSTILE, "--operation", "file-read-data", "--target", "/x"]);
    ask(&["why", "--profile", &at("policy.sb"), "--operation", "file-read-data", "--target", HOSTILE]);
    ask(&[
        "why",
        "--profile",
        "registries/quickstart/policies/read-only.json",
        "--operation",
        "file-read-data",
        "--target",
        HOSTILE,
    ]);
    ask(&[
        "why",
        "--profile",
        "registries/quickstart/policies/read-only.json",
        "--operation",
        HOSTILE,
        "--target",
        "/x",
    ]);
    ask(&["why", "--profile", &at("policy.sb"), "--ask", HOSTILE]);
    ask(&["why", "--profile", &at("other.sb"), "--ask", &at("questions.jsonl")]);
    ask(&["why", "--profile", &at("other.sb"), "--log", &at("denials")]);
    ask(&["policy", "lint", &at("policy.sb")]);
    ask(&["policy", "lint", &at("other.sb")]);
    ask(&["policy", "show", &at("other.sb")]);
    ask(&["policy", "lint", HOSTILE]);
    ask(&["policy", "show", &at("policy.sb"), "-D", &format!("A={HOSTILE}")]);
    ask(&["policy", "diff", &at("policy.sb"), &at("other.sb")]);
    ask(&["explain", HOSTILE]);
    ask(&["schema", HOSTILE]);
    ask(&["status", "--out", HOSTILE]);
    ask(&["inventory", "--root", &plan]);
    ask(&["inventory", "--root", &plan, "--keyword", HOSTILE]);
    ask(&["plan-build", "--template", HOSTILE, "--out", &at("built")]);
    ask(&["plan-build", "--template", "quickstart", "--out", &at(&HOSTILE.replace(['\u{1b}', '\u{7}'], ""))]);
    ask(&["registry-upgrade", "--root", &plan, "--registry", HOSTILE]);
    ask(&["selftest", "--only", HOSTILE]);
    for format in ["junit", "tap", "sarif", "markdown", "html"] {
        ask(&["report", "--bundle", &bundle, "--format", format]);
        ask(&["report", "--bundle", &at("spoiled"), "--format", format]);
    }
    for arguments in asked {
        let what = format!("{arguments:?}");
        for more in [&[][..], &["--color=always"], &["--json"]] {
            let answer = output(sandproof().args(&arguments).args(more));
            check_text(&what, &stdout(&answer));
            check_text(&what, &stderr(&answer));
            let code = answer.status.code();
            assert!(code.is_some_and(|code| code < 10), "{what}: {code:?} {}", stderr(&answer));
        }
    }
}

#[test]
fn a_control_character_in_a_target_is_an_error_and_one_that_cannot_be_seen_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    hostile_plan(dir.path());
    let lint = output(sandproof().args(["plan-lint", "--json", "--plan"]).arg(dir.path()));
    let notes: Value = serde_json::from_slice(&lint.stdout).unwrap();
    let of_target = |notes: &Value, severity: &str| {
        let is = |note: &&Value| note["kind"] == "target" && note["severity"] == severity;
        notes["notes"].as_array().unwrap().iter().filter(is).count()
    };
    assert_eq!((of_target(&notes, "warning"), of_target(&notes, "error")), (1, 0), "{notes:#}");
    let file = dir.path().join("registry/probes.json");
    let text = fs::read_to_string(&file).unwrap().replace("project/s\u{202e}", "project/\\u001b[2Ks");
    fs::write(&file, text).unwrap();
    let lint = output(sandproof().args(["plan-lint", "--json", "--plan"]).arg(dir.path()));
    expect_code(&lint, 1);
    assert_eq!(of_target(&serde_json::from_slice(&lint.stdout).unwrap(), "error"), 1);
    let ran = output(sandproof().args(["run", "--plan"]).arg(dir.path()));
    expect_code(&ran, 3);
    assert!(stderr(&ran).contains("control character (U+001B)"), "{}", stderr(&ran));
}

/// A name that no text can hold. Only Linux has such names.
#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_no_text_gets_the_answer_of_any_other() {
    let dir = tempfile::tempdir().unwrap();
    expect_code(
        &output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(dir.path().join("p"))),
        0,
    );
    // Everything twice: below a folder whose name is text, and below one whose name is not.
    let homes: [PathBuf; 2] = [dir.path().join("text"), dir.path().join(OsStr::from_bytes(b"o\xffut"))];
    for home in &homes {
        copy_folder(&dir.path().join("p"), home);
        expect_code(&output(sandproof().args(["run", "--plan"]).arg(home).args(["--run-id", "r1"])), 0);
        copy_folder(&home.join("out/r1"), &home.join("bad"));
        fs::write(home.join("bad/runtime_results.json"), "{}").unwrap();
        copy_folder(&home.join("bad"), &home.join("worse"));
        copy_folder(Path::new("docs/examples/support-agent"), &home.join("agent"));
        fs::write(home.join("p.sb"), "(version 1)\n(deny default)\n").unwrap();
        fs::write(home.join("questions.jsonl"), "{\"operation\":\"signal\",\"target\":\"self\"}\n").unwrap();
        fs::write(home.join("denials"), "Sandbox: x(7) deny(1) signal self\n").unwrap();
        assert!(files(home).len() > 20);
    }
    let mut tried = 0;
    let mut check = |words: &[&str]| {
        for json in [false, true] {
            let answers: Vec<Output> = homes
                .iter()
                .map(|home| {
                    // `@x` is `x` below the folder.
                    let arguments = words.iter().map(|word| match word.strip_prefix('@') {
                        Some(path) => home.join(path).into_os_string(),
                        None => OsString::from(word),
                    });
                    output(sandproof().current_dir(home).args(arguments).args(json.then_some("--json")))
                })
                .collect();
            let codes: Vec<Option<i32>> = answers.iter().map(|answer| answer.status.code()).collect();
            let said = String::from_utf8_lossy(&answers[1].stderr);
            assert_eq!(codes[0], codes[1], "{words:?}: {said}");
            assert!(
                codes[1].is_some_and(|code| code < 10) && !said.contains("panicked"),
                "{words:?}: {codes:?} {said}"
            );
            tried += 1;
        }
    };
    check(&["validate-bundle", "--bundle", "@out"]);
    check(&["validate-bundle", "--bundle", "@bad"]);
    check(&["validate-bundle", "--bundle", "@none"]);
    check(&["derive", "--check", "--bundle", "@bad"]);
    check(&["derive", "--bundle", "@out", "--out", "@derived"]);
    check(&["reindex-bundle", "--strict", "--bundle", "@out"]);
    check(&["reindex-bundle", "--repair", "--bundle", "@worse"]);
    check(&["emit-promotion", "--bundle", "@out", "--out", "@packet.json"]);
    check(&["emit-promotion", "--bundle", "@bad", "--out", "@other.json"]);
    check(&["summarize-ops", "--allow-nonpromotable", "--bundle", "@out", "--out", "@ops.json"]);
    check(&["summarize-ops", "--allow-nonpromotable", "--packet", "@packet.json"]);
    check(&["links", "build", "--allow-nonpromotable", "--packet", "@packet.json", "--out", "@links.json"]);
    check(&["links", "profiles", "--links", "@links.json"]);
    check(&["links", "expectations", "--links", "@none.json"]);
    check(&["diff-runs", "@out", "@packet.json"]);
    check(&["diff-runs", "@out", "@bad", "--out", "@diff"]);
    check(&["attempts", "--out", "@out"]);
    check(&["attempts", "@out", "@bad"]);
    check(&["policy", "lint", "@p.sb"]);
    check(&["policy", "show", "@p.sb"]);
    check(&["policy", "diff", "@p.sb", "@none.sb"]);
    check(&["why", "--profile", "@p.sb", "--operation", "signal", "--target", "self"]);
    check(&["why", "--profile", "@p.sb", "--ask", "@questions.jsonl"]);
    check(&["why", "--profile", "@p.sb", "--log", "@denials"]);
    check(&["identity", "verify", "--bundle", "@out"]);
    check(&["identity", "verify", "--bundle", "@out", "--against", "@"]);
    check(&["identity", "show", "--bundle", "@out"]);
    check(&["identity", "declare", "--plan", "@plan.json"]);
    check(&["identity", "declare", "--from", "@agent/run.json"]);
    check(&["run", "--plan", "@", "--dry", "--out", "@dry"]);
    check(&["run", "--plan", "@plan.json", "--out", "@again"]);
    check(&["run", "--plan", "@plan.json", "--fixtures", "@none"]);
    check(&["plan-lint", "--plan", "@"]);
    check(&["plan-lint", "--plan", "@none"]);
    check(&["describe-plan", "--plan", "@plan.json"]);
    check(&["list-plans", "--root", "@"]);
    check(&["list-probes", "--root", "@", "--registry", "quickstart"]);
    check(&["registry-lint", "--root", "@"]);
    check(&["registry-upgrade", "--root", "@", "--registry", "quickstart", "--overwrite", "--out-dir", "@up"]);
    check(&["inventory", "--root", "@"]);
    check(&["status", "--out", "@out"]);
    check(&["plan-build", "--template", "quickstart", "--out", "@built", "--overwrite"]);
    check(&["selftest", "--only", "mac-01", "--out", "@selftest.json"]);
    check(&["report", "--bundle", "@out", "--format", "tap", "--out", "@report.tap"]);
    check(&["man", "--out", "@man"]);
    assert!(tried > 70);
}

#[test]
fn a_variable_that_is_no_text_is_refused_as_a_run_id() {
    let dir = tempfile::tempdir().unwrap();
    let ran = output(
        sandproof()
            .env("SANDBOX_LORE_RUN_ID", OsStr::from_bytes(b"r\xff"))
            .args(["run", "--plan", "plans/quickstart", "--out"])
            .arg(dir.path().join("out")),
    );
    expect_code(&ran, 2);
    assert!(stderr(&ran).contains("SANDBOX_LORE_RUN_ID"), "{}", stderr(&ran));
    assert!(!dir.path().join("out").exists());
}

#[test]
fn no_document_has_a_member_that_fails_for_a_path_that_is_no_text() {
    let shape = regex::Regex::new(r"#\[derive\([^)]*\bSerialize\b[^)]*\)\](?s:[^{;]*?)\{((?s:.*?))\n\}").unwrap();
    let member = regex::Regex::new(
        r"(?m)^((?:\s*#\[.*\]\n)*)\s*(?:pub(?:\([^)]*\))? )?\w+: .*\b(?:Path|PathBuf|OsStr|OsString)\b",
    )
    .unwrap();
    let mut seen = 0;
    for file in files(&root().join("src")).iter().filter(|file| file.extension() == Some(OsStr::new("rs"))) {
        let text = fs::read_to_string(root().join("src").join(file)).unwrap();
        for found in shape.captures_iter(&text) {
            for one in member.captures_iter(&found[1]) {
                seen += 1;
                assert!(one[1].contains("serialize_with"), "{}: {}", file.display(), &one[0]);
            }
        }
    }
    assert!(seen > 0, "the pattern finds nothing any more");
}
