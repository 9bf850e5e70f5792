//! A Landlock policy of several rulesets: what is declared of it, what commands say of it, and what a kernel makes of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::skip;
use crate::support::{expect_code, files, output, sandproof, stderr, stdout, validate};
use crate::workspace::{Workspace, probe};

fn policy(members: &Value) -> Value {
    let mut policy = json!({"schema_version": "sandproof.landlock_policy.v1", "abi": 6});
    policy.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    policy
}

fn refer() -> Value {
    json!({"handled": {"fs": ["read_file", "refer"]},
        "path_beneath": [{"path": "${root}", "allow": ["refer"]}, {"path": "${root}/d", "allow": ["read_file"]}]})
}

fn file_probe(id: &str, driver: &str, operation: &str, target: &str, to: Option<&str>, expected: &str) -> Value {
    let mut probe = probe(id, operation, target, expected);
    probe["driver"] = driver.into();
    if let Some(to) = to {
        probe["to"] = to.into();
    }
    probe["fixtures"] = json!([
        {"path": "d/a", "kind": "file", "text": "x"},
        {"path": "d/sub", "kind": "dir"},
        {"path": "other", "kind": "file", "text": "x"},
    ]);
    probe
}

fn moves(expected: &str) -> Vec<Value> {
    vec![
        file_probe("move", "file_rename", "file-write*", "${root}/d/a", Some("${root}/d/sub/a"), expected),
        file_probe("rename", "file_rename", "file-write*", "${root}/d/a", Some("${root}/d/b"), "allow"),
        file_probe("read", "file_read", "file-read-data", "${root}/d/a", None, "allow"),
        file_probe("read_other", "file_read", "file-read-data", "${root}/other", None, "deny"),
    ]
}

fn run(folder: &Path, name: &str, policy: &Value, probes: Vec<Value>, code: i32) -> (PathBuf, Vec<Value>) {
    let plan = Workspace::new(folder).add(name, policy, probes).plan_path(name);
    let out = folder.join(format!("out-{name}"));
    let ran = output(sandproof().args(["run", "--json", "--plan"]).arg(&plan).arg("--out").arg(&out));
    expect_code(&ran, code);
    let latest = fs::read_to_string(out.join("LATEST")).unwrap();
    let bundle = out.join(latest.trim());
    expect_code(&validate(&bundle), 0);
    let events: Vec<Value> =
        serde_json::from_slice(&fs::read(bundle.join("runtime_events.normalized.json")).unwrap()).unwrap();
    (bundle, events)
}

/// By probe: what was observed.
fn observed(events: &[Value]) -> Vec<(String, Value)> {
    events.iter().map(|event| (event["probe_name"].as_str().unwrap().to_owned(), event["actual"].clone())).collect()
}

#[test]
fn a_layer_without_file_rights_refuses_what_moves_and_everything_says_so_alike() {
    if sandproof::test_support::enforce::landlock_abi().is_none_or(|abi| abi < 6) {
        skip!("this kernel knows no scopes");
    }
    let folder = tempfile::tempdir().unwrap();
    let scope = json!({"handled": {"scope": ["signal"]}});
    for (name, members, moved) in [
        ("alone", refer(), "allow"),
        ("scoped", json!({"layers": [refer(), scope]}), "deny"),
        ("outer", json!({"layers": [json!({"handled": {"net": ["bind_tcp"]}}), refer()]}), "deny"),
        ("execute", json!({"layers": [refer(), json!({"handled": {"fs": ["execute"]}})]}), "deny"),
        ("twice", json!({"layers": [refer(), refer()]}), "allow"),
    ] {
        // Lint, oracle and kernel each have their say: an expectation against the model would be an error, a row against the
        // expectation exit code 1.
        let (bundle, events) = run(folder.path(), name, &policy(&members), moves(moved), 0);
        let expected = [("move", moved), ("rename", "allow"), ("read", "allow"), ("read_other", "deny")];
        assert_eq!(observed(&events), expected.map(|(probe, seen)| (probe.to_owned(), json!(seen))), "{name}");
        let oracle = fs::read_to_string(bundle.join("oracle_results.json")).unwrap();
        let oracle: Value = serde_json::from_str(&oracle).unwrap();
        let text = oracle.to_string();
        let pointer = match name {
            "scoped" => "/layers/1/handled",
            "outer" => "/layers/0/handled",
            "execute" => "/layers/1/handled/fs",
            "twice" => "/layers/0/path_beneath/0",
            _ => "/path_beneath/0",
        };
        assert!(text.contains(&format!("\"{pointer}\"")), "{name}: {text}");
        let controls: Value = serde_json::from_slice(&fs::read(bundle.join("controls.json")).unwrap()).unwrap();
        assert!(controls.to_string().contains(r#""status":"ok""#), "{name}: {controls}");
    }
}

#[test]
fn the_meaning_of_a_policy_of_one_ruleset_keeps_its_digest_and_layers_and_threads_change_it() {
    let folder = tempfile::tempdir().unwrap();
    let digest = |name: &str, members: &Value| {
        let plan = Workspace::new(folder.path()).add(name, &policy(members), moves("allow")).plan_path(name);
        let out = folder.path().join(format!("out-{name}"));
        let made = output(sandproof().args(["run", "--dry", "--json", "--plan"]).arg(&plan).arg("--out").arg(&out));
        expect_code(&made, 0);
        let identity = files(&out).into_iter().find(|file| file.ends_with("run_identity.json")).unwrap();
        let text = fs::read_to_string(out.join(identity)).unwrap();
        let (_, rest) = text.split_once("\"value_sha256\": \"").unwrap_or_else(|| panic!("{text}"));
        rest[..64].to_owned()
    };
    // SHA-256 of `{"abi":6,"handled_fs":["read_file","refer"],"handled_net":[],"net_port":[],"path_beneath":[…],"scoped":[]}`,
    // as it was before policies had layers.
    let one = digest("one", &refer());
    assert_eq!(one, "6f037dc70dff677074fea50e94356dd50abe00ce0703a7ad591bef62f743a74a");
    let two = digest("two", &json!({"layers": [refer(), refer()]}));
    let mut threads = refer();
    (threads["tsync"], threads["abi"]) = (json!(true), json!(8));
    let threads = digest("threads", &threads);
    assert!(one != two && one != threads && two != threads);
}

#[test]
fn a_document_that_is_neither_one_ruleset_nor_several_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let show = |members: &Value| {
        let path = folder.path().join("p.json");
        fs::write(&path, policy(members).to_string()).unwrap();
        let shown = output(sandproof().args(["policy", "show"]).arg(&path));
        (shown.status.code(), stderr(&shown))
    };
    let layer = json!({"handled": {"fs": ["read_file"]}});
    let mut both = layer.clone();
    both["layers"] = json!([layer, layer]);
    for bad in [json!({"layers": [layer]}), json!({"layers": vec![layer.clone(); 17]}), json!({}), both] {
        let (code, text) = show(&bad);
        assert_eq!(code, Some(3), "{bad}: {text}");
    }
    let (code, text) = show(&json!({"layers": [layer, {"handled": {}}]}));
    assert!(code == Some(3) && text.contains("`/layers/1/handled`"), "{text}");
    let mut threads = layer.clone();
    threads["tsync"] = json!(true);
    let (code, text) = show(&threads);
    assert!(code == Some(3) && text.contains("`tsync` needs ABI 8, the policy requires 6"), "{text}");
}

#[test]
fn commands_on_policies_answer_for_all_layers_together() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, members: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, policy(members).to_string()).unwrap();
        path
    };
    let read = |path: &str| json!({"handled": {"fs": ["read_file"]}, "path_beneath": [{"path": path, "allow": ["read_file"]}]});
    let moving = json!({"handled": {"fs": ["refer"]}, "path_beneath": [{"path": "/srv", "allow": ["refer"]}]});
    let one = write("one.json", &read("/etc"));
    let two = write("two.json", &json!({"layers": [read("/etc"), read("/etc/ssl"), moving]}));

    let shown = stdout(&output(sandproof().args(["policy", "show"]).arg(&two)));
    for line in ["/layers/0/path_beneath/0", "/layers/1/path_beneath/0", "deny (/layers/1/handled/fs)"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let linted = stdout(&output(sandproof().args(["policy", "lint"]).arg(&two)));
    assert!(linted.contains("this layer grants `refer` nowhere"), "{linted}");
    let one_layer = stdout(&output(sandproof().args(["policy", "lint"]).arg(&one)));
    assert!(!one_layer.contains("this layer"), "{one_layer}");

    let compared = output(sandproof().args(["policy", "diff", "--json"]).arg(&one).arg(&two));
    expect_code(&compared, 1);
    let compared: Value = serde_json::from_str(&stdout(&compared)).unwrap();
    assert_eq!(compared["widened"], json!([]));
    let narrowed = compared["narrowed"].to_string();
    assert!(
        narrowed.contains(r#""target":"/etc""#) && narrowed.contains(r#""b_rule":"/layers/1/handled/fs""#),
        "{narrowed}"
    );

    let why = |target: &str| {
        let asked = output(sandproof().args(["why", "--json", "--profile"]).arg(&two).args([
            "--operation",
            "file-read-data",
            "--target",
            target,
        ]));
        serde_json::from_str::<Value>(&stdout(&asked)).unwrap_or_else(|_| panic!("{}", stderr(&asked)))
    };
    let denied = why("/etc/passwd");
    assert_eq!((&denied["decision"], &denied["rule"]["pointer"]), (&json!("deny"), &json!("/layers/1/handled/fs")));
    assert_eq!(why("/etc/ssl/openssl.cnf")["decision"], "allow");
}
