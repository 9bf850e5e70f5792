//! `identity seal`: what is not declared cannot be read, and what is read is what was digested.

mod compared;
mod connected;
mod influences;
mod refusals;
mod sealing;
mod started;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::skip;
use crate::support::{expect_code, expect_shape, json_answer, output, sandproof, stdout};
use sealing::{Sealed, Sealing};

/// A document and a first sealed run of a program; ends the test loudly where there is no Python, or no namespaces.
macro_rules! sealed_or_skip {
    ($program:expr) => {{
        let Some(sealing) = $crate::seal::sealing::Sealing::new() else { $crate::skip!("there is no Python") };
        let first = sealing.python_says($program);
        if first.is_unavailable() {
            $crate::skip!("namespaces are refused here: {}", first.stderr);
        }
        (sealing, first)
    }};
}
pub(crate) use sealed_or_skip;

/// One identity with two outputs is the fault that sealing is there to exclude.
fn expect_told_apart(what: &str, one: &Sealed, two: &Sealed) {
    assert!(!one.text.is_empty(), "{what}: {}", one.stderr);
    if one.text != two.text {
        assert_ne!(one.identity(), two.identity(), "{what}: [{}] [{}]", one.text, two.text);
    }
}

#[test]
fn what_is_sealed_is_written_down_and_said() {
    let program = "import sys; print(open('in/a').read(), sys.argv[1:]); open('/out/r','w').write('result'); sys.stderr.write('e')";
    let (sealing, _) = sealed_or_skip!("print(1)");
    fs::write(sealing.inputs().join("a"), "hello").unwrap();
    let run = || sealing.seal(&[sealing.python(), "-IBc", program, "x"]);
    let (one, two) = (run(), run());
    assert_eq!((one.code, one.text.as_str()), (Some(0), "hello ['x']\n"), "{one:?}");
    assert_eq!(one.identity(), two.identity());
    expect_shape("system_ending", &one.ending);
    assert_eq!(one.ending["exit"], json!({"code": 0, "signal": null}));
    assert_eq!((&one.ending["drift"], &one.ending["partial"]), (&json!([]), &json!([])));
    assert_eq!(one.ending["outputs"]["stdout"]["bytes"], 12);
    assert_eq!(one.ending["outputs"]["out"]["files"], 1);
    assert_eq!(fs::read_to_string(one.out.join("outputs/r")).unwrap(), "result");
    assert_eq!(fs::read_to_string(one.out.join("stderr")).unwrap(), "e");
    let declared: Value = serde_json::from_slice(&fs::read(one.out.join("identity.json")).unwrap()).unwrap();
    expect_shape("system_identity", &declared);
    assert_eq!(declared["identity"], one.ending["identity"]);
    assert_eq!(declared["artifact"]["sealed"]["command"]["argv"][3], "x");
    assert!(declared["runtime"]["sealed"]["links"]["/lib64"].is_string() || !Path::new("/lib64").is_symlink());
    for name in ["identity.json", "ending.json", "stdout", "stderr"] {
        assert_eq!(fs::metadata(one.out.join(name)).unwrap().permissions().mode() & 0o777, 0o444, "{name}");
    }
    // The document gives all of it but what was found when the command was started, which is said.
    let verified = || {
        let document = sealing.home().join("doc.json");
        let mut command = sandproof();
        output(command.args(["identity", "verify", "--bundle"]).arg(&one.out).arg("--from").arg(document))
    };
    let same = verified();
    expect_code(&same, 0);
    assert!(stdout(&same).contains("`/artifact/sealed` and `/runtime/sealed`: found when"), "{}", stdout(&same));
    fs::write(sealing.home().join("unused"), "u").unwrap();
    // Of what is declared, something was read and something was not.
    sealing.declare(|document| document["artifact"]["other"]["read"] = json!(["in", "unused"]));
    let other = verified();
    expect_code(&other, 1);
    assert!(stdout(&other).contains("/artifact/other/read"), "{}", stdout(&other));
    let third = run();
    let unread = third.ending["declared_never_read"].as_array().unwrap();
    assert!(unread.contains(&json!("/artifact/other/read/1")) && !unread.contains(&json!("/artifact/other/read/0")));
    assert_ne!(third.identity(), one.identity());
    // As a document, for programs.
    let (mut command, _) = sealing.command(&["--json"]);
    let answer = json_answer(command.args([sealing.python(), "-IBc", program]), "system_ending", 0);
    assert_eq!(answer["exit"]["code"], 0);
}

#[test]
fn a_document_of_the_second_format_shows_its_files_its_folders_and_its_variables() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let variables = |city: &str| json!({"CITY": city, "LANG": {"none": "it is not set"}});
    let program = "import os; print(open('system.txt').read(3), len(os.listdir('tools')), os.environ.get('CITY'), 'LANG' in os.environ)";
    let run = |city: &str| {
        sealing.declare_second(|document| document["runtime"]["environment"] = variables(city));
        sealing.python_says(program)
    };
    let (one, two) = (run("Kiel"), run("Bonn"));
    assert_eq!((one.code, one.text.as_str()), (Some(0), "You 2 Kiel False\n"), "{one:?}");
    expect_told_apart("a variable of the document", &one, &two);
    // What the document leaves open, its sealed declaration leaves open.
    let declared: Value = serde_json::from_slice(&fs::read(one.out.join("identity.json")).unwrap()).unwrap();
    expect_shape("system_identity", &declared);
    assert_eq!(declared["completeness"], "partial");
    // A folder that the document names counts with everything in it.
    sealing.declare_second(|document| document["runtime"]["environment"] = variables("Kiel"));
    fs::write(sealing.home().join("tools/another.json"), "{}").unwrap();
    let three = sealing.python_says(program);
    assert_eq!(three.text, "You 3 Kiel False\n", "{three:?}");
    expect_told_apart("a file in a folder of the document", &one, &three);
    // A variable of which there is only the digest cannot be handed over.
    sealing.declare_second(|document| {
        document["runtime"]["environment"] = json!({"CITY": {"digest": format!("sha256:{}", "1".repeat(64))}});
    });
    let refused = sealing.python_says(program);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("/runtime/environment/CITY"), "{}", refused.stderr);
}

#[test]
fn a_compiled_file_beside_a_source_counts() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    fs::write(sealing.inputs().join("m.py"), "V='source'\n").unwrap();
    let program = "import sys; sys.path.insert(0,'in'); import m; print(m.V)";
    let one = sealing.python_says(program);
    assert_eq!(one.text, "source\n");
    let stale = "import importlib._bootstrap_external as b,importlib.util as u,os
s=os.stat('m.py'); p=u.cache_from_source('m.py'); os.makedirs(os.path.dirname(p),exist_ok=True)
open(p,'wb').write(b._code_to_timestamp_pyc(compile('V=\"stale\"','m.py','exec'),int(s.st_mtime),s.st_size))";
    let made = Command::new(sealing.python()).args(["-Ic", stale]).current_dir(sealing.inputs()).status().unwrap();
    assert!(made.success());
    let two = sealing.python_says(program);
    expect_told_apart("a cache", &one, &two);
    assert_ne!(one.identity(), two.identity());
}

#[test]
fn folders_that_differ_in_shape_have_other_identities() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let root = sealing.inputs();
    let walk = "import os;print([(p,sorted(d),sorted(f)) for p,d,f in os.walk('in',followlinks=True)],os.access('in/f',os.X_OK))";
    fs::write(root.join("f"), "x").unwrap();
    let mut seen: Vec<Sealed> = vec![sealing.python_says(walk)];
    let changes: [&dyn Fn(); 5] = [
        &|| fs::create_dir(root.join("empty")).unwrap(),
        &|| fs::set_permissions(root.join("f"), fs::Permissions::from_mode(0o755)).unwrap(),
        &|| fs::create_dir_all(root.join("v1/t")).unwrap(),
        &|| symlink("v1", root.join("current")).unwrap(),
        &|| {
            fs::remove_file(root.join("current")).unwrap();
            symlink("empty", root.join("current")).unwrap();
        },
    ];
    for change in changes {
        change();
        let next = sealing.python_says(walk);
        assert!(seen.iter().all(|before| before.identity() != next.identity()), "{}", next.text);
        seen.push(next);
    }
}

/// Waits until a sealed command has said something.
fn wait_for(path: &Path, word: &str) {
    let started = Instant::now();
    while !fs::read_to_string(path).is_ok_and(|text| text.contains(word)) {
        assert!(started.elapsed() < Duration::from_secs(60), "it never said `{word}`");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_file_that_is_edited_meanwhile_is_read_as_it_was_sealed() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let file = sealing.inputs().join("a");
    fs::write(&file, "hello").unwrap();
    let program =
        "import time,os; print('ready',flush=True); time.sleep(1.5); print(open('in/a').read(),os.listdir('in'))";
    let (mut command, out) = sealing.command(&[]);
    let running =
        command.args([sealing.python(), "-IBc", program]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&out.join("stdout"), "ready");
    fs::write(&file, "EVIL!").unwrap();
    fs::write(sealing.inputs().join("new"), "n").unwrap();
    let sealed = Sealing::outcome(&out, &running.wait_with_output().unwrap());
    assert_eq!((sealed.code, sealed.text.as_str()), (Some(0), "ready\nhello ['a']\n"), "{sealed:?}");
    assert_eq!(sealed.ending["drift"], json!([]));
}

#[test]
fn a_file_that_is_not_copied_is_held_or_its_change_is_found() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let file = sealing.inputs().join("a");
    fs::write(&file, "hello").unwrap();
    let program = "import time; print('ready',flush=True); time.sleep(1.5); print(open('in/a').read())";
    let quiet = sealing.seal_with(&["--copy-up-to", "0"], &[sealing.python(), "-IBc", program]);
    assert_eq!((quiet.code, quiet.text.as_str()), (Some(0), "ready\nhello\n"), "{quiet:?}");
    let copied = sealing.seal(&[sealing.python(), "-IBc", program]);
    if quiet.ending["partial"] == json!([]) {
        assert_eq!(quiet.identity(), copied.identity(), "how bytes are held is not what they are");
    }
    assert!(quiet.ending["not_held"].as_array().unwrap().len() > copied.ending["not_held"].as_array().unwrap().len());
    let (mut command, out) = sealing.command(&["--copy-up-to", "0"]);
    let running =
        command.args([sealing.python(), "-IBc", program]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(&out.join("stdout"), "ready");
    // Where there is a lease, this is refused at once and breaks it; else it changes the file.
    if let Ok(mut opened) = fs::OpenOptions::new().write(true).custom_flags(libc_nonblock()).open(&file) {
        opened.write_all(b"EVIL!").unwrap();
    }
    let sealed = Sealing::outcome(&out, &running.wait_with_output().unwrap());
    assert_eq!(sealed.code, Some(10), "{sealed:?}");
    let drift = sealed.ending["drift"].as_array().unwrap();
    assert_eq!((drift.len(), &drift[0]["path"]), (1, &json!("/in/in/a")), "{drift:?}");
}

fn libc_nonblock() -> i32 {
    nix::fcntl::OFlag::O_NONBLOCK.bits()
}

#[test]
fn weaker_ways_are_asked_for_and_say_what_they_are() {
    let (sealing, full) = sealed_or_skip!("print(1)");
    fs::write(sealing.inputs().join("a"), "hello").unwrap();
    let program = "import os,socket,time
def t(n,f):
    try: f(); print(n,'yes')
    except OSError as e: print(n,e.errno)
print(open('in/a').read())
t('undeclared',lambda: open('/etc/hostname')); t('write',lambda: open('in/a','w')); t('socket',lambda: socket.socket(1,1))
t('mode',lambda: os.chmod('../../outputs',0o700))
open('../../outputs/r','w').write('x')
if os.fork()==0:
    os.setsid(); time.sleep(0.5); open('../../outputs/late','w').write('x')";
    let words = [sealing.python(), "-IBc", program];
    let weaker = sealing.seal_with(&["--weaker"], &words);
    assert_eq!(weaker.text, "hello\nundeclared 13\nwrite 13\nsocket 1\nmode 1\n", "{weaker:?}");
    assert_eq!(weaker.code, Some(0));
    expect_shape("system_ending", &weaker.ending);
    let layers = weaker.ending["layers"].as_array().unwrap();
    assert!(layers[0] == "seccomp" && !layers.contains(&json!("namespaces")), "{layers:?}");
    assert!(weaker.ending["partial"][0].as_str().unwrap().contains("no root of its own"));
    let observed = sealing.seal_with(&["--observe"], &words);
    assert!(observed.text.contains("undeclared yes") && observed.text.contains("socket yes"), "{observed:?}");
    assert_eq!(observed.ending["layers"], json!([]));
    assert!(observed.ending["partial"][0].as_str().unwrap().contains("not confined"));
    for one in [&weaker, &observed] {
        assert_ne!(one.identity(), full.identity());
        let declared: Value = serde_json::from_slice(&fs::read(one.out.join("identity.json")).unwrap()).unwrap();
        assert_eq!(declared["runtime"]["sealed"]["partial"], one.ending["partial"]);
        sleep(Duration::from_millis(300));
        assert_eq!(one.ending["outputs"]["out"]["files"], 1);
        assert!(!one.out.join("outputs/late").exists(), "what it left behind was ended");
    }
    let both = sealing.seal_with(&["--weaker", "--observe"], &words);
    assert_eq!(both.code, Some(2));
}

#[test]
fn what_stays_behind_is_gone_before_outputs_are_looked_at() {
    let program = "import os,time
if os.fork()==0:
    os.setsid(); time.sleep(0.5); open('/out/late','w').write('x'); time.sleep(600)
open('/out/now','w').write('y'); print('done')";
    let (_, sealed) = sealed_or_skip!(program);
    assert_eq!((sealed.code, sealed.text.as_str()), (Some(0), "done\n"), "{sealed:?}");
    sleep(Duration::from_millis(700));
    let names: Vec<_> = fs::read_dir(sealed.out.join("outputs"))
        .map_or(vec![], |list| list.flatten().map(|one| one.file_name()).collect());
    assert!(!names.iter().any(|name| name == "late"), "{names:?}");
}

#[test]
fn the_declaration_is_durable_before_the_command_is_executed() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    if Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success()) {
        let (command, out) = sealing.command(&[]);
        let trace = sealing.home().join("trace");
        let mut traced = Command::new("strace");
        traced.args(["-f", "-e", "trace=openat,fsync,execveat", "-o"]).arg(&trace).arg(command.get_program());
        traced.args(command.get_args()).args([sealing.python(), "-IBc", "print(2)"]).current_dir(sealing.home());
        let output = traced.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
        let sealed = Sealing::outcome(&out, &output);
        assert_eq!(sealed.text, "2\n", "{sealed:?}");
        let mut lines = String::new();
        fs::File::open(&trace).unwrap().read_to_string(&mut lines).unwrap();
        let at = |from: usize, what: &[&str]| {
            let found = lines.lines().skip(from).position(|line| what.iter().all(|word| line.contains(word)));
            from + found.unwrap_or_else(|| panic!("no {what:?} from line {from} on in\n{lines}"))
        };
        let written = at(0, &["identity.json", "O_EXCL"]);
        let synced = at(written, &["fsync(", "= 0"]);
        let folder = at(synced + 1, &["fsync(", "= 0"]);
        let executed = at(0, &["execveat(3, "]);
        assert!(folder < executed, "the order is {written}, {synced}, {folder}, {executed}");
    } else {
        skip!("there is no strace, or it may not trace");
    }
}
