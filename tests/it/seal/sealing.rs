//! A document, a folder of inputs and an ordinary program, Python, to seal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{root, sandproof, stderr};

/// A document that declares the folder `in` beside it, and Python with what it is made of.
pub struct Sealing {
    folder: tempfile::TempDir,
    python: String,
    runs: std::cell::Cell<u32>,
}

/// What a sealed command came to.
#[derive(Debug)]
pub struct Sealed {
    pub code: Option<i32>,
    pub out: PathBuf,
    pub stderr: String,
    /// The ending; null if there is none.
    pub ending: Value,
    pub text: String,
}

impl Sealed {
    pub fn identity(&self) -> &str {
        self.ending["identity"].as_str().unwrap_or_else(|| panic!("it was not sealed: {}", self.stderr))
    }

    /// Whether the host refuses what sealing takes.
    pub fn is_unavailable(&self) -> bool {
        self.code == Some(7)
    }
}

impl Sealing {
    /// `None`: there is no Python here.
    pub fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let python = fs::canonicalize("/usr/bin/python3").ok()?.to_str()?.to_owned();
        fs::create_dir_all(folder.path().join("d/in")).unwrap();
        let this = Self { folder, python, runs: Default::default() };
        this.declare(|_| {});
        Some(this)
    }

    pub fn python(&self) -> &str {
        &self.python
    }

    /// The folder of inputs.
    pub fn inputs(&self) -> PathBuf {
        self.folder.path().join("d/in")
    }

    /// The folder that the document lies in.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("d")
    }

    /// Writes the document, with a change.
    pub fn declare(&self, change: impl FnOnce(&mut Value)) {
        let none = json!({"absent": "there is none"});
        let mut document = json!({
            "schema_version": "sandproof.system_declaration.v1",
            "kind": "ai_run",
            "artifact": {
                "model": {"name": "m", "version": "1", "weights": none},
                "system_instructions": "s",
                "parameters": {"temperature": "0", "top_p": "1", "seed": 7, "max_output_tokens": 6},
                "tools": none, "retrieval_context": none, "conversation": [], "memory_policy": "none",
                "other": {"read": ["in"]},
            },
            "runtime": {
                "infrastructure": none, "scheduler": none, "rollout": none,
                "other": {"read": self.runtime(), "environment": ["PATH"]},
            },
            "policy": {"approval_rules": none, "escalation": none, "veto_thresholds": none},
            "history": {"cached_context": none, "interventions": [], "earlier_runs": []},
        });
        change(&mut document);
        fs::write(self.home().join("doc.json"), document.to_string()).unwrap();
    }

    /// Writes a document of the second format in its place, the example that ships, with what it names.
    pub fn declare_second(&self, change: impl FnOnce(&mut Value)) {
        let example = root().join("docs/examples/support-agent");
        for name in ["system.txt", "conversation.json"] {
            fs::copy(example.join(name), self.home().join(name)).unwrap();
        }
        fs::create_dir_all(self.home().join("tools")).unwrap();
        for entry in fs::read_dir(example.join("tools")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), self.home().join("tools").join(entry.file_name())).unwrap();
        }
        let mut document: Value = serde_json::from_slice(&fs::read(example.join("run.json")).unwrap()).unwrap();
        document["runtime"]["other"] = json!({"read": self.runtime()});
        change(&mut document);
        fs::write(self.home().join("doc.json"), document.to_string()).unwrap();
    }

    /// What Python is made of: itself, its libraries, its modules.
    fn runtime(&self) -> Vec<String> {
        let loaded = Command::new("ldd").arg(&self.python).output().unwrap();
        let libraries = String::from_utf8(loaded.stdout).unwrap();
        let asked =
            "import os,_ctypes; print(os.path.dirname(os.__file__)); print(getattr(_ctypes,'__file__','') or '')";
        let modules = Command::new(&self.python).args(["-Ic", asked]).output().unwrap();
        let modules = String::from_utf8(modules.stdout).unwrap();
        let extension = modules.lines().nth(1).unwrap_or_default();
        let more = Command::new("ldd").arg(extension).output().unwrap();
        let words = format!("{libraries}\n{modules}\n{}\n/etc/ld.so.cache", String::from_utf8(more.stdout).unwrap());
        let paths = words.split_whitespace().filter(|word| word.starts_with('/'));
        let mut found: Vec<String> = paths
            .chain([&*self.python])
            .filter_map(|path| Some(fs::canonicalize(path).ok()?.to_str()?.to_owned()))
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The command line up to `--`, and the folder for results.
    pub fn command(&self, more: &[&str]) -> (Command, PathBuf) {
        self.runs.set(self.runs.get() + 1);
        let out = self.folder.path().join(format!("out-{}", self.runs.get()));
        let mut command = sandproof();
        command.current_dir(self.home()).env("PATH", "/usr/bin:/bin");
        command.args(["identity", "seal", "--from", "doc.json", "--out"]).arg(&out).args(more);
        command.arg("--");
        (command, out)
    }

    /// Seals a command.
    pub fn seal(&self, words: &[&str]) -> Sealed {
        self.seal_with(&[], words)
    }

    pub fn seal_with(&self, more: &[&str], words: &[&str]) -> Sealed {
        let (mut command, out) = self.command(more);
        let output = command.args(words).output().unwrap();
        Self::outcome(&out, &output)
    }

    /// Seals a Python program.
    pub fn python_says(&self, program: &str) -> Sealed {
        self.seal(&[&self.python, "-IBc", program])
    }

    pub fn outcome(out: &Path, output: &Output) -> Sealed {
        let ending = fs::read(out.join("ending.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let text = fs::read_to_string(out.join("stdout")).unwrap_or_default();
        let ending = ending.unwrap_or_default();
        Sealed { code: output.status.code(), out: out.to_owned(), stderr: stderr(output), ending, text }
    }
}
