//! `identity draft`: a document that was begun by watching a command seals the command.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::skip;
use crate::support::{expect_code, expect_shape, output, sandproof, stderr, stdout};

/// A folder of its own, with a program and what it reads.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(files: &[(&str, &str)]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = desk.home().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir_all(desk.temporary()).unwrap();
        desk
    }

    fn home(&self) -> PathBuf {
        self.0.path().join("d")
    }

    fn temporary(&self) -> PathBuf {
        self.0.path().join("t")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = sandproof();
        command.arg("identity").args(words).current_dir(self.home());
        command
            .env("PATH", "/usr/bin:/bin")
            .env("CITY", "Kiel")
            .env("API_KEY", "confidential")
            .env("TMPDIR", self.temporary());
        command
    }

    fn draft(&self, words: &[&str]) -> Output {
        output(self.command(&["draft", "--out", "run.json", "--"]).args(words))
    }

    fn document(&self) -> Value {
        let document = serde_json::from_slice(&fs::read(self.home().join("run.json")).unwrap()).unwrap();
        expect_shape("system_declaration_v2", &document);
        document
    }

    fn seal(&self, words: &[&str]) -> Output {
        let out = self.0.path().join("sealed");
        output(self.command(&["seal", "--from", "run.json", "--out", out.to_str().unwrap(), "--"]).args(words))
    }

    fn sealed_text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join("sealed").join(name)).unwrap()
    }
}

/// Ends the test loudly where a program is missing, or commands cannot be watched.
macro_rules! drafted_or_skip {
    ($desk:expr, $words:expr) => {{
        if !Path::new($words[0]).exists() {
            skip!("there is no {}", $words[0]);
        }
        let drafted = $desk.draft($words);
        if drafted.status.code() == Some(7) {
            skip!("commands cannot be followed here: {}", stderr(&drafted));
        }
        drafted
    }};
}

/// Seals what was drafted: it has to say what it said when it was watched.
fn expect_sealed(desk: &Desk, drafted: &Output, words: &[&str]) {
    expect_code(drafted, 0);
    let sealed = desk.seal(words);
    if sealed.status.code() == Some(7) {
        skip!("namespaces are refused here: {}", stderr(&sealed));
    }
    expect_code(&sealed, 0);
    let (watched, text) = (stderr(drafted), desk.sealed_text("stdout"));
    assert!(
        !text.is_empty() && watched.contains(&text),
        "watched:\n{watched}\nsealed:\n{text}{}",
        desk.sealed_text("stderr")
    );
}

const PYTHON: &str = r#"
import json, os, subprocess, sys, threading, helper
def read(name):
    with open(name) as file: return file.read().strip()
print(helper.VALUE, sorted(os.listdir('notes')), [read('notes/' + name) for name in sorted(os.listdir('notes'))])
print(json.loads('{"a": 1}'), os.environ['CITY'], os.environ['API_KEY'], 'PWD' in os.environ, sys.argv[1:])
thread = threading.Thread(target=lambda: print('thread', read('in/a'))); thread.start(); thread.join()
print(subprocess.run(['cat', 'in/b'], capture_output=True).stdout)
made = os.path.join(os.environ.get('TMPDIR', '/tmp'), 'made')
with open(made, 'w') as file: file.write('made')
print(read(made), len(os.urandom(4)), len(read('/proc/self/status')) > 0)
"#;

#[test]
fn a_python_program_is_sealed_by_its_draft() {
    let desk = Desk::new(&[
        ("infer.py", PYTHON),
        ("helper.py", "VALUE = 'helped'\n"),
        ("notes/1", "one"),
        ("notes/2", "two"),
        ("in/a", "A"),
        ("in/b", "B"),
        ("in/never", "never read"),
    ]);
    let words = ["/usr/bin/python3", "-B", "infer.py", "x"];
    let drafted = drafted_or_skip!(desk, &words);
    let document = desk.document();
    let read = &document["artifact"]["read"];
    let inputs = json!({
        "infer.py": {"file": "infer.py"}, "helper.py": {"file": "helper.py"}, "notes": {"folder": "notes"},
        "in/a": {"file": "in/a"}, "in/b": {"file": "in/b"},
    });
    assert_eq!(read, &inputs);
    assert_eq!(document["artifact"]["command"], json!(words));
    let runtime = &document["runtime"];
    assert_eq!(runtime["environment"], json!({"CITY": "Kiel", "PATH": "/usr/bin:/bin"}));
    assert_eq!(runtime["other"]["environment"], json!(["API_KEY"]));
    assert!(!document.to_string().contains("confidential"));
    let of_runtime: Vec<&str> = runtime["other"]["read"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let temporary = desk.temporary();
    assert!(!of_runtime.iter().any(|path| path.starts_with("/proc")
        || path.starts_with("/dev")
        || path.starts_with(temporary.to_str().unwrap())));
    assert!(of_runtime.iter().any(|path| path.ends_with("/cat")), "what its children execute: {of_runtime:?}");
    assert!(of_runtime.iter().any(|path| path.contains("/ld-")), "what loads programs: {of_runtime:?}");
    assert!(
        runtime["libraries"]["loaded"]
            .as_array()
            .unwrap()
            .iter()
            .any(|path| path.as_str().unwrap().contains("/libc.so"))
    );
    assert!(stdout(&drafted).contains("/t/made"), "what it made is named: {}", stdout(&drafted));
    expect_sealed(&desk, &drafted, &words);
    // What was not seen is unknown, and counted.
    let declared = output(desk.command(&["declare", "--from", "run.json"]).arg("--json"));
    expect_code(&declared, 0);
    let declared: Value = serde_json::from_slice(&declared.stdout).unwrap();
    assert_eq!(declared["completeness"], "partial");
    let unknown = declared.to_string().matches(r#"{"unknown":true}"#).count();
    assert!(stdout(&drafted).contains(&format!("unknown    {unknown} items")), "{unknown}: {}", stdout(&drafted));
    // A note beside the declared ones is another identity.
    let identity = || {
        let declared = output(desk.command(&["declare", "--from", "run.json"]).arg("--json"));
        let declared: Value = serde_json::from_slice(&declared.stdout).unwrap();
        declared["identity"].as_str().unwrap().to_owned()
    };
    let before = identity();
    fs::write(desk.home().join("notes/3"), "three").unwrap();
    assert_ne!(identity(), before);
}

const NODE: &str = r#"
const fs = require('fs');
const x = require('./lib/x');
console.log(x + 2, JSON.parse(fs.readFileSync('data/c.json')), fs.readdirSync('data'), process.argv.slice(2), process.env.CITY);
console.log(require('child_process').execSync('cat data/c.json').toString().trim());
"#;

#[test]
fn a_node_program_is_sealed_by_its_draft() {
    let desk = Desk::new(&[("app.js", NODE), ("lib/x.js", "module.exports = 40;\n"), ("data/c.json", "{\"a\": 1}\n")]);
    let words = ["/usr/bin/node", "app.js", "x"];
    let drafted = drafted_or_skip!(desk, &words);
    let read = desk.document()["artifact"]["read"].clone();
    assert_eq!(
        read,
        json!({"app.js": {"file": "app.js"}, "lib/x.js": {"file": "lib/x.js"}, "data": {"folder": "data"}})
    );
    expect_sealed(&desk, &drafted, &words);
}

#[test]
fn links_scripts_and_paths_from_the_root_lead_to_what_they_lead_to() {
    let desk = Desk::new(&[("a", "A"), ("v1/m", "M"), ("far/b", "B")]);
    let elsewhere = desk.0.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("deep")).unwrap();
    fs::write(elsewhere.join("deep/real"), "R").unwrap();
    symlink(elsewhere.join("deep"), elsewhere.join("link")).unwrap();
    symlink("v1", desk.home().join("current")).unwrap();
    symlink(elsewhere.join("deep/real"), desk.home().join("out-of-it")).unwrap();
    let tool = elsewhere.join("tool");
    fs::write(&tool, "#!/usr/bin/env sh\ncat \"$@\"\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let (here, linked) = (desk.home().canonicalize().unwrap(), elsewhere.canonicalize().unwrap().join("link/real"));
    let from_root = here.join("far/b");
    let words =
        [tool.canonicalize().unwrap(), "a".into(), "current/m".into(), "out-of-it".into(), from_root, linked.clone()];
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let drafted = drafted_or_skip!(desk, &words);
    let document = desk.document();
    assert_eq!(document["artifact"]["read"], json!({"a": {"file": "a"}, "current/m": {"file": "current/m"}}));
    // A link that leads out of the folder is copied by sealing, and cannot be followed by a declaration.
    assert_eq!(document["artifact"]["other"]["read"], json!(["out-of-it"]));
    let runtime = document["runtime"]["other"]["read"].as_array().unwrap();
    for path in [words[0], words[4], linked.to_str().unwrap()] {
        assert!(runtime.contains(&json!(path)), "{path}: {runtime:?}");
    }
    expect_sealed(&desk, &drafted, &words);
    assert_eq!(desk.sealed_text("stdout"), "AMRBR");
}

#[test]
fn connections_and_what_is_written_are_said_and_not_declared() {
    let program = "import socket
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen()
c = socket.create_connection(l.getsockname()); print('port', l.getsockname()[1])
open('log', 'a').write('x')
open('new', 'w').write('y'); print(open('new').read())";
    let desk = Desk::new(&[("net.py", program), ("log", "before"), ("model.gguf", "weights")]);
    let words = ["/usr/bin/python3", "-IB", "net.py"];
    let drafted = drafted_or_skip!(desk, &words);
    expect_code(&drafted, 0);
    let document = desk.document();
    let text = stderr(&drafted);
    let port = text.lines().find_map(|line| line.strip_prefix("port ")).unwrap();
    let connections: BTreeMap<String, Value> =
        serde_json::from_value(document["runtime"]["other"]["connections"].clone()).unwrap();
    assert_eq!(connections.keys().map(String::as_str).collect::<Vec<_>>(), [format!("127.0.0.1:{port}")]);
    assert!(connections.values().all(|one| one["unknown"].is_string()));
    assert!(document["runtime"]["provider"]["unknown"].as_str().unwrap().contains("connections"));
    assert_eq!(document["artifact"]["read"], json!({"net.py": {"file": "net.py"}}));
    for word in ["/d/log", "/d/new", port] {
        assert!(stdout(&drafted).contains(word), "{word}: {}", stdout(&drafted));
    }
}

#[test]
fn a_draft_replaces_nothing_and_says_how_the_command_ended() {
    let desk = Desk::new(&[("a", "A")]);
    let failed = drafted_or_skip!(desk, &["/bin/sh", "-c", "read x < a; exit 3"]);
    expect_code(&failed, 1);
    assert!(stderr(&failed).contains("exited with 3"), "{}", stderr(&failed));
    assert_eq!(desk.document()["artifact"]["read"], json!({"a": {"file": "a"}}));
    let again = desk.draft(&["/bin/true"]);
    expect_code(&again, 2);
    assert!(stderr(&again).contains("replaces nothing"), "{}", stderr(&again));
    fs::remove_file(desk.home().join("run.json")).unwrap();
    let killed = desk.draft(&["/bin/sh", "-c", "kill -9 $$"]);
    expect_code(&killed, 1);
    assert!(stderr(&killed).contains("signal 9"), "{}", stderr(&killed));
    fs::remove_file(desk.home().join("run.json")).unwrap();
    let absent = desk.draft(&["/nonexistent/program"]);
    expect_code(&absent, 3);
    assert!(stderr(&absent).contains("/nonexistent/program"), "{}", stderr(&absent));
    assert!(!desk.home().join("run.json").exists());
    // Without a name the document goes to standard output, and nothing else does.
    let printed = output(&mut desk.command(&["draft", "--", "/bin/sh", "-c", "echo said; cat a"]));
    expect_code(&printed, 0);
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(document["artifact"]["read"], json!({"a": {"file": "a"}}));
    assert!(stderr(&printed).contains("said"), "{}", stderr(&printed));
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    let desk = Desk::new(&[("a", "A")]);
    let program = "(sleep 1; echo late > late) & echo done";
    let drafted = drafted_or_skip!(desk, &["/bin/sh", "-c", program]);
    expect_code(&drafted, 0);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(!desk.home().join("late").exists());
}
