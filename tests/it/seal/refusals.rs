//! What is not sealed, and how a sealed command that fails is told apart from it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::sealed_or_skip;
use crate::support::stderr;

#[test]
fn a_command_that_fails_is_told_by_its_end() {
    let (sealing, failed) = sealed_or_skip!("import sys; sys.exit(3)");
    assert_eq!((failed.code, &failed.ending["exit"]), (Some(1), &json!({"code": 3, "signal": null})));
    let killed = sealing.python_says("import os; os.kill(os.getpid(), 9)");
    assert_eq!((killed.code, &killed.ending["exit"]), (Some(1), &json!({"code": null, "signal": 9})));
    // What was not declared ends it as whoever wrote the program meant it to.
    let undeclared = sealing.python_says("open('/etc/hostname')");
    assert_eq!(undeclared.code, Some(1));
    assert!(fs::read_to_string(undeclared.out.join("stderr")).unwrap().contains("FileNotFoundError"));
}

#[test]
fn commands_are_found_among_what_is_declared_alone() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let undeclared = sealing.seal(&["/bin/ls"]);
    assert_eq!(undeclared.code, Some(3));
    assert!(undeclared.stderr.contains("`/bin/ls` is not among what is declared"), "{}", undeclared.stderr);
    assert!(!undeclared.out.join("ending.json").exists());
    let by_name = sealing.seal(&["python3", "-IBc", "import sys; print(sys.executable)"]);
    assert_eq!((by_name.code, by_name.text.as_str()), (Some(0), "/usr/bin/python3\n"), "{by_name:?}");
    let script = sealing.inputs().join("s.py");
    fs::write(&script, format!("#!{} -I\nimport sys; print(sys.argv)\n", sealing.python())).unwrap();
    let unmarked = sealing.seal(&["in/s.py"]);
    assert_eq!(unmarked.code, Some(3));
    assert!(unmarked.stderr.contains("may not be executed"), "{}", unmarked.stderr);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(sealing.seal(&["in/s.py", "a"]).text, "['in/s.py', 'a']\n");
}

#[test]
fn documents_that_cannot_be_sealed_are_refused_by_pointer() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let refused = |change: &dyn Fn(&mut serde_json::Value), code: i32, words: &str| {
        sealing.declare(change);
        let sealed = sealing.python_says("print(1)");
        assert_eq!(sealed.code, Some(code), "{words}: {sealed:?}");
        assert!(sealed.stderr.contains(words), "{words}: {}", sealed.stderr);
        assert!(!sealed.out.join("identity.json").exists());
    };
    refused(&|d| d["artifact"]["other"]["read"] = json!(["../x"]), 3, "/artifact/other/read/0");
    refused(&|d| d["artifact"]["other"]["read"] = json!("in"), 3, "/artifact/other/read");
    refused(&|d| d["artifact"]["other"]["read"] = json!(["none"]), 3, "could not open");
    refused(&|d| d["runtime"]["other"]["read"] = json!(["usr"]), 3, "/runtime/other/read/0");
    refused(&|d| d["runtime"]["other"]["read"] = json!(["/proc/cpuinfo"]), 3, "something of its own");
    refused(&|d| d["runtime"]["other"]["environment"] = json!(["A=b"]), 3, "/runtime/other/environment/0");
    let python = sealing.python().to_owned();
    refused(&|d| d["runtime"]["other"]["read"] = json!([python]), 3, "which the document does not declare");
    let fifo = sealing.inputs().join("p");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused(&|_| {}, 3, "a FIFO");
    fs::remove_file(fifo).unwrap();
    symlink("/etc", sealing.inputs().join("l")).unwrap();
    refused(&|_| {}, 3, "out of the folder");
    fs::remove_file(sealing.inputs().join("l")).unwrap();
    refused(&|d| d["kind"] = json!("x"), 3, "/kind");
}

#[test]
fn results_go_where_nothing_is_and_nothing_is_declared() {
    let (sealing, first) = sealed_or_skip!("print(1)");
    let seal_into = |out: &std::path::Path| {
        let mut command = crate::support::sandproof();
        command.current_dir(sealing.home()).args(["identity", "seal", "--from", "doc.json", "--out"]).arg(out);
        command.args(["--", sealing.python(), "-IBc", "print(1)"]).output().unwrap()
    };
    let before = fs::read(first.out.join("ending.json")).unwrap();
    let again = seal_into(&first.out);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is not empty"), "{}", stderr(&again));
    assert_eq!(fs::read(first.out.join("ending.json")).unwrap(), before);
    let within = seal_into("in/results".as_ref());
    assert_eq!(within.status.code(), Some(2));
    assert!(stderr(&within).contains("which is declared"), "{}", stderr(&within));
    assert!(!sealing.inputs().join("results").exists());
    let empty = sealing.home().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(seal_into(&empty).status.code(), Some(0));
}
