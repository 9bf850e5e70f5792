//! `sandproof why`, from the command line.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{expect_code, json_answer, output, root, sandproof, stderr, stdout};

fn in_folder(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.sb");
    fs::write(&path, text).unwrap();
    (folder, path)
}

/// Asks, checks the exit code and the schema, and gives the answer.
fn why(code: i32, profile: &Path, more: &[&str]) -> Value {
    let mut command = sandproof();
    json_answer(command.args(["why", "--json", "--profile"]).arg(profile).args(more), "why", code)
}

const PROFILE: &str = "(version 1)\n(deny default)\n; what may be read\n(allow file-read*\n  (literal \"/etc/hosts\")\n  \
                       (literal \"/private/etc/hosts\"))\n";

#[test]
fn the_denied_link_is_named_with_its_rule() {
    let (_folder, path) = in_folder(PROFILE);
    let answer = why(0, &path, &["--operation", "file-read*", "--target", "/etc/hosts"]);
    assert_eq!(answer["decision"], "deny");
    let file = path.to_str().unwrap();
    let default = json!({"file": file, "line": 2, "column": 1, "text": "(deny default)"});
    assert_eq!(answer["rule"], default);
    let allow = "(allow file-read* (literal \"/etc/hosts\") (literal \"/private/etc/hosts\"))";
    assert_eq!(
        answer["chain"],
        json!([
            {"operation": "file-read-metadata", "on": "/etc", "decision": "deny", "rule": default},
            {"operation": "file-read-data", "on": "/private/etc/hosts", "decision": "allow",
                "rule": {"file": file, "line": 4, "column": 1, "text": allow}}
        ])
    );
    let answer = why(0, &path, &["--operation", "file-read*", "--target", "/private/etc/hosts"]);
    assert_eq!(
        (&answer["decision"], &answer["rule"]["line"], &answer["assumes"]),
        (&json!("allow"), &json!(4), &json!([]))
    );
}

#[test]
fn people_read_it_line_by_line() {
    let (folder, path) = in_folder(PROFILE);
    let output = output(sandproof().current_dir(folder.path()).args([
        "why",
        "--profile",
        "p.sb",
        "--operation",
        "file-read-data",
        "--target",
        "/etc/hosts",
    ]));
    expect_code(&output, 0);
    drop(path);
    insta::assert_snapshot!(stdout(&output), @r"
    decision   deny
    rule       p.sb:2:1  (deny default)
    why        `file-read-metadata` on `/etc` is denied on the way: the rule at 2:1 is the last that matches
    checks     file-read-metadata on /etc: deny, by p.sb:2:1
               file-read-data on /private/etc/hosts: allow, by p.sb:4:1
    ");
}

#[test]
fn what_cannot_be_known_has_an_exit_code_of_its_own() {
    let (_folder, path) = in_folder("(version 1)\n(deny default)\n(import \"system.sb\")\n");
    let answer = why(8, &path, &["--operation", "sysctl-read", "--target", "kern.ostype"]);
    assert_eq!((&answer["decision"], &answer["rule"]), (&json!("undecidable"), &Value::Null));
    assert!(answer["reason"].as_str().unwrap().contains("system.sb"), "{answer:#}");
}

#[test]
fn links_facts_and_parameters_are_taken_from_the_command_line() {
    let text = "(version 1)(deny default)(allow file-read* (literal (string-append (param \"HOME\") \"/a\")))\n";
    let (_folder, path) = in_folder(text);
    let ask = |code, more: &[&str]| {
        let mut all = vec!["--operation", "file-read-data", "--param", "HOME=/Users/me"];
        all.extend(more);
        why(code, &path, &all)["decision"].clone()
    };
    assert_eq!(ask(0, &["--target", "/Users/me/a"]), "allow");
    assert_eq!(ask(0, &["--target", "/Users/me/link"]), "deny");
    assert_eq!(ask(0, &["--target", "/Users/me/link", "--link", "/Users/me/link=a"]), "deny");
    assert_eq!(ask(0, &["--target", "/Users/me/a", "--syscall", "openat"]), "deny");
    let without = why(8, &path, &["--operation", "file-read-data", "--target", "/Users/me/a"]);
    assert!(without["reason"].as_str().unwrap().contains("param"), "{without:#}");
    assert!(without["remarks"].to_string().contains("-D HOME=VALUE"), "{without:#}");
    let (_folder, path) = in_folder("(version 1)(allow default)(deny file-read* (file-mode #o0004))\n");
    let mode = |fact: &str| {
        let arguments = ["--operation", "file-read-data", "--target", "/private/tmp/a", "--fact", fact];
        why(0, &path, &arguments)["decision"].clone()
    };
    assert_eq!((mode("file-mode=0644"), mode("file-mode=0600")), (json!("deny"), json!("allow")));
    let (_folder, path) = in_folder("(version 1)(allow default)(deny mach-lookup (local-name \"a.b\"))\n");
    let lookup = ["--operation", "mach-lookup", "--target", "a.b"];
    assert_eq!(why(0, &path, &lookup)["decision"], "allow");
    assert_eq!(why(0, &path, &[&lookup[..], &["--filter", "local-name"]].concat())["decision"], "deny");
}

#[test]
fn an_answer_that_depends_on_the_order_of_precedence_explains_it_and_says_what_it_rests_on() {
    let text = "(version 1)\n(deny default)\n(deny file-read-data (subpath \"/private/etc\"))\n\
                (allow file-read* (literal \"/private/etc/hosts\"))\n";
    let (_folder, path) = in_folder(text);
    let answer = why(0, &path, &["--operation", "file-read-data", "--target", "/private/etc/hosts"]);
    assert_eq!((&answer["decision"], &answer["rule"]["line"]), (&json!("deny"), &json!(3)));
    let told = "the named rule at 3:1 (`file-read-data`) comes before the group rule at 4:1 (`file-read*`), although that \
                stands later";
    assert!(answer["reason"].as_str().unwrap().contains(told), "{answer:#}");
    let assumes = answer["assumes"].as_array().unwrap();
    assert!(assumes.len() == 1 && assumes[0].as_str().unwrap().contains("not recorded on 14.4.1"), "{answer:#}");
    let plain = why(0, &path, &["--operation", "file-read-metadata", "--target", "/private/etc/hosts"]);
    assert_eq!((&plain["decision"], &plain["assumes"]), (&json!("allow"), &json!([])));
}

#[test]
fn facts_about_the_process_are_used_and_those_that_nothing_asks_for_are_reported() {
    let text = "(version 1)\n(deny default)\n(allow file-read* (extension \"a\") (home-subpath \"/Library\"))\n";
    let (_folder, path) = in_folder(text);
    let ask = |code, facts: &[&str]| {
        let mut all = vec!["--operation", "file-read-data", "--target", "/private/etc/hosts"];
        facts.iter().for_each(|fact| all.extend(["--fact", fact]));
        why(code, &path, &all)
    };
    assert_eq!(ask(0, &["extension=b", "extension=a"])["decision"], "allow");
    let none = ask(0, &["extension=none", "home=/Users/me", "signal-number=SIGHUP"]);
    assert_eq!((&none["decision"], &none["assumes"]), (&json!("deny"), &json!([])));
    assert!(none["remarks"].to_string().contains("the fact `signal-number` changed nothing"), "{none:#}");
    let bare = ask(0, &["home=/Users/me"]);
    assert!(bare["assumes"].to_string().contains("holds no sandbox extension"), "{bare:#}");
    assert_eq!(ask(8, &[])["decision"], "undecidable");
}

#[test]
fn landlock_policies_answer_by_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.json");
    let text = "{\n  \"schema_version\": \"sandproof.landlock_policy.v1\",\n  \"abi\": 1,\n  \"handled\": {\"fs\": \
                [\"read_file\"]},\n  \"path_beneath\": [\n    {\"path\": \"/etc\", \"allow\": [\"read_file\"]}\n  ]\n}\n";
    fs::write(&path, text).unwrap();
    let allowed = why(0, &path, &["--operation", "file-read-data", "--target", "/etc/hosts"]);
    assert_eq!(allowed["decision"], "allow");
    assert_eq!((&allowed["rule"]["line"], &allowed["rule"]["pointer"]), (&json!(6), &json!("/path_beneath/0")));
    assert_eq!(allowed["rule"]["text"], "{\"path\": \"/etc\", \"allow\": [\"read_file\"]}");
    let denied = why(0, &path, &["--operation", "file-read-data", "--target", "/usr/bin/env"]);
    assert_eq!((&denied["decision"], &denied["rule"]["line"]), (&json!("deny"), &json!(4)));
    let other = why(0, &path, &["--operation", "file-write-data", "--target", "/usr/bin/env"]);
    assert_eq!((&other["decision"], &other["rule"]["pointer"]), (&json!("allow"), &json!("/handled/fs")));
}

#[test]
fn profiles_are_found_in_any_registry() {
    let listed = output(sandproof().current_dir(root()).args(["list-profiles", "--registry", "quickstart", "--json"]));
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["profiles"][0]["profile_id"].as_str().unwrap();
    let answer = why(0, Path::new(id), &["--operation", "file-read-data", "--target", "/usr/bin/env"]);
    assert_eq!(answer["policy"]["registry_id"], "quickstart");
    assert_eq!(answer["policy"]["profile_id"], id);
    let args = ["why", "--registry", "quickstart", "--operation", "signal", "--target", "self", "--profile"];
    let unknown = output(sandproof().current_dir(root()).args(args).arg("nothing-like-it"));
    expect_code(&unknown, 3);
    assert!(stderr(&unknown).contains("no profile `nothing-like-it` in registry `quickstart`"), "{}", stderr(&unknown));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (folder, path) = in_folder(PROFILE);
    let run = |profile: &Path, more: &[&str]| {
        let output = output(sandproof().current_dir(folder.path()).args(["why", "--profile"]).arg(profile).args(more));
        (output.status.code().unwrap(), stderr(&output))
    };
    let ask = ["--operation", "file-read-data", "--target", "/a"];
    let (code, text) = run(&path, &["--operation", "file-raed-data", "--target", "/a"]);
    assert!(code == 2 && text.contains("file-read-data"), "{code} {text}");
    let (code, text) = run(&folder.path().join("none.sb"), &ask);
    assert!(code == 3 && text.contains("none.sb"), "{code} {text}");
    let (code, text) = run(Path::new("nothing"), &ask);
    assert!(code == 3 && text.contains("there is no file `nothing`"), "{code} {text}");
    fs::write(folder.path().join("bad.sb"), "(version 1)\n(allow singal)\n").unwrap();
    let (code, text) = run(&folder.path().join("bad.sb"), &ask);
    assert!(code == 3 && text.contains("2:8"), "{code} {text}");
    fs::write(folder.path().join("bad.json"), "{}").unwrap();
    assert_eq!(run(&folder.path().join("bad.json"), &ask).0, 3);
    fs::write(folder.path().join("p.bin"), [0xff, 0, 1]).unwrap();
    let (code, text) = run(&folder.path().join("p.bin"), &ask);
    assert!(code == 3 && text.contains("compiled"), "{code} {text}");
    assert_eq!(run(&path, &[&ask[..], &["--link", "x"]].concat()).0, 2);
    assert_eq!(run(&path, &[&ask[..], &["--link", "x=y"]].concat()).0, 2);
    assert_eq!(run(&path, &[&ask[..], &["--driver", "none"]].concat()).0, 2);
}
