//! What the command is, and what its standard input reads.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::sealed_or_skip;
use crate::skip;

#[test]
fn standard_input_reads_what_is_declared_and_else_nothing() {
    let program = "import sys,os,fcntl; print(repr(sys.stdin.read()), fcntl.fcntl(0, 3) & 3, oct(os.fstat(0).st_mode))";
    let (sealing, empty) = sealed_or_skip!(program);
    assert!(empty.text.starts_with("'' "), "{empty:?}");
    let question = sealing.inputs().join("question.txt");
    let declare = |stdin: Value| {
        sealing.declare(|document| document["runtime"]["other"]["stdin"] = stdin);
    };
    declare(json!("in/question.txt"));
    let ask = |text: &str| {
        fs::write(&question, text).unwrap();
        sealing.python_says(program)
    };
    let (one, two) = (ask("Where is it?\n"), ask("What is it?\n"));
    assert_eq!((one.code, one.text.as_str()), (Some(0), "'Where is it?\\n' 0 0o100444\n"), "{one:?}");
    assert!(two.text.starts_with("'What is it?"), "{two:?}");
    assert_ne!(one.identity(), two.identity());
    let declared: Value = serde_json::from_slice(&fs::read(one.out.join("identity.json")).unwrap()).unwrap();
    assert_eq!(declared["runtime"]["sealed"]["launch"]["stdin"], json!({"input": "in/question.txt"}));
    let weaker = sealing.seal_with(&["--weaker"], &[sealing.python(), "-IBc", program]);
    assert!(weaker.text.starts_with("'What is it?"), "{weaker:?}");
    declare(json!({"none": "it is not asked"}));
    assert!(ask("x").text.starts_with("'' "));
    for (stdin, said) in [
        (json!("in/none.txt"), "in/none.txt"),
        (json!("in"), "no plain file"),
        (json!("../x"), "/runtime/other/stdin"),
        (json!("/etc/hostname"), "/runtime/other/stdin"),
        (json!(["in/question.txt"]), "/runtime/other/stdin"),
    ] {
        declare(stdin.clone());
        let refused = ask("x");
        assert_eq!(refused.code, Some(3), "{stdin}: {refused:?}");
        assert!(refused.stderr.contains(said), "{stdin}: {}", refused.stderr);
        assert!(!refused.out.join("identity.json").exists(), "{stdin}");
    }
}

#[test]
fn the_command_is_what_the_document_states() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let words = [sealing.python(), "-IBc", "print(7)"];
    sealing.declare_second(|document| document["artifact"]["command"] = json!(words));
    let stated = sealing.seal(&[]);
    assert_eq!((stated.code, stated.text.as_str()), (Some(0), "7\n"), "{stated:?}");
    let typed = sealing.seal(&words);
    assert_eq!(typed.identity(), stated.identity());
    let other = sealing.seal(&[sealing.python(), "-IBc", "print(8)"]);
    assert_eq!(other.code, Some(3), "{other:?}");
    assert!(other.stderr.contains("/artifact/command") && other.stderr.contains("print(7)"), "{}", other.stderr);
    sealing.declare_second(|document| document["artifact"]["command"] = json!({"unknown": "nobody wrote it down"}));
    let none = sealing.seal(&[]);
    assert_eq!(none.code, Some(3), "{none:?}");
    assert!(none.stderr.contains("states no command"), "{}", none.stderr);
}

#[test]
fn node_finds_what_it_takes_for_granted_and_nothing_else() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let Ok(node) = fs::canonicalize("/usr/bin/node") else { skip!("there is no node") };
    let loaded = Command::new("ldd").arg(&node).output().unwrap();
    let loaded = String::from_utf8(loaded.stdout).unwrap();
    let libraries = loaded.split_whitespace().filter(|word| word.starts_with('/'));
    let mut files: Vec<_> = libraries.map(|path| fs::canonicalize(path).unwrap()).chain([node.clone()]).collect();
    files.sort();
    sealing.declare(|document| document["runtime"]["other"]["read"] = json!(files));
    fs::write(sealing.inputs().join("a"), "hello").unwrap();
    let program = "const fs=require('fs'),{Worker}=require('worker_threads'),run=require('child_process').execFileSync
console.log(fs.readFileSync('in/a','utf8'), require('os').cpus().length>0, run(process.execPath,['-p','6*7'])+'')
try{fs.readFileSync('/etc/hostname');console.log('read')}catch(e){console.log(e.code)}
require('net').connect(80,'127.0.0.1').on('error',e=>console.log(e.code))
setTimeout(()=>new Worker('require(\"worker_threads\").parentPort.postMessage(1)',{eval:true}).on('message',m=>console.log('worker',m)),50)";
    let sealed = sealing.seal(&[node.to_str().unwrap(), "-e", program]);
    assert_eq!(sealed.text, "hello true 42\n\nENOENT\nEPERM\nworker 1\n", "{sealed:?}");
    assert_eq!(sealed.code, Some(0));
}
