//! The tamper corpus: one way each of changing what a sealed bundle says, and what must be said of it.
//!
//! A case is a name, a mutation of a real bundle, the exit code, and words that name the file. Consistent lies are among
//! them: there the index is rewritten, so that sizes and digests agree again.

mod cases;
mod contradictions;
mod documents;
mod folders;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use sandproof::test_support::base::digest::Digest;
use serde_json::{Value, json};

use crate::support::{FinishedRun, copy_folder, finished_run, output, sandproof, stderr, stdout};

pub const INDEX: &str = "artifact_index.json";
pub const MANIFEST: &str = "run_manifest.json";
pub const STATUS: &str = "run_status.json";
pub const ROWS: &str = "rows/scenario.jsonl";

/// One way of tampering.
pub struct Case {
    pub name: &'static str,
    pub tamper: fn(&Tampered),
    /// What asks about the bundle.
    pub ask: Ask,
    pub code: i32,
    /// Words that must be said.
    pub says: &'static str,
}

/// What asks about a bundle.
#[derive(Clone, Copy)]
pub enum Ask {
    Validate,
    /// `validate-bundle` of the output root.
    ValidateRoot,
    Strict,
    Emit,
    /// `summarize-ops` of the packet.
    Packet,
}

/// A copy of a sound bundle.
pub struct Tampered {
    pub folder: PathBuf,
    /// The output root.
    pub root: PathBuf,
}

impl Tampered {
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    /// Changes a file's text in one place.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let good = self.read(name);
        assert!(good.contains(from), "{name} holds no {from}");
        fs::write(self.at(name), good.replacen(from, to, 1)).unwrap();
    }

    /// The same, with an index that agrees again.
    pub fn lie(&self, name: &str, from: &str, to: &str) {
        self.edit(name, from, to);
        self.agree(name);
    }

    /// Replaces a file, with an index that agrees again.
    pub fn forge(&self, name: &str, bytes: &[u8]) {
        fs::write(self.at(name), bytes).unwrap();
        self.agree(name);
    }

    /// Gives a file the entry that it would honestly have, a new one if it has none.
    pub fn agree(&self, name: &str) {
        let bytes = fs::read(self.at(name)).unwrap();
        self.index(|index| {
            let path = format!("{}/{name}", index["bundle_root"].as_str().unwrap());
            let entries = index["artifacts"].as_array_mut().unwrap();
            if !entries.iter().any(|entry| entry["path"] == path.as_str()) {
                let mut entry = entries[0].clone();
                entry["path"] = path.clone().into();
                entry["schema_version"] = Value::Null;
                entries.push(entry);
            }
            let entry = entries.iter_mut().find(|entry| entry["path"] == path.as_str()).unwrap();
            entry["file_size"] = bytes.len().into();
            entry["sha256"] = Digest::of(&bytes).to_string().into();
        });
    }

    /// Changes the index as a document.
    pub fn index(&self, edit: impl FnOnce(&mut Value)) {
        let mut index: Value = serde_json::from_slice(&fs::read(self.at(INDEX)).unwrap()).unwrap();
        edit(&mut index);
        fs::write(self.at(INDEX), serde_json::to_vec_pretty(&index).unwrap()).unwrap();
    }

    /// Changes the entry of a file.
    pub fn entry(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        self.index(|index| {
            let path = format!("{}/{name}", index["bundle_root"].as_str().unwrap());
            let entries = index["artifacts"].as_array_mut().unwrap();
            edit(entries.iter_mut().find(|entry| entry["path"] == path.as_str()).unwrap());
        });
    }

    /// Takes a file away, and its entry.
    pub fn forget(&self, name: &str) {
        fs::remove_file(self.at(name)).unwrap();
        self.index(|index| {
            let path = format!("{}/{name}", index["bundle_root"].as_str().unwrap());
            index["artifacts"].as_array_mut().unwrap().retain(|entry| entry["path"] != path.as_str());
        });
    }

    /// Replaces a file by something else.
    pub fn replace(&self, name: &str, make: impl FnOnce(&Path)) {
        fs::remove_file(self.at(name)).unwrap();
        make(&self.at(name));
    }

    pub fn append(&self, name: &str, bytes: &[u8]) {
        OpenOptions::new().append(true).open(self.at(name)).unwrap().write_all(bytes).unwrap();
    }

    /// Changes the line of a rows file, with an index that agrees again.
    pub fn row(&self, name: &str, line: usize, edit: impl FnOnce(&str) -> String) {
        let text = self.read(name);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[line] = edit(&lines[line]);
        self.forge(name, (lines.join("\n") + "\n").as_bytes());
    }

    fn ask(&self, ask: Ask) -> Output {
        let packet = self.root.join("packet.json");
        let mut command = sandproof();
        match ask {
            Ask::Validate => command.args(["validate-bundle", "--bundle"]).arg(&self.folder),
            Ask::ValidateRoot => command.args(["validate-bundle", "--bundle"]).arg(&self.root),
            Ask::Strict => command.args(["reindex-bundle", "--strict", "--bundle"]).arg(&self.folder),
            Ask::Emit => command.args(["emit-promotion", "--bundle"]).arg(&self.folder).arg("--out").arg(&packet),
            Ask::Packet => command.args(["summarize-ops", "--allow-nonpromotable", "--packet"]).arg(&packet),
        };
        output(&mut command)
    }
}

/// A sound bundle with its packet, and a second one of the same plan.
struct Sound {
    first: FinishedRun,
    second: FinishedRun,
}

impl Sound {
    fn new() -> Self {
        let plan = "plans/quickstart/plan.json";
        let sound = Self { first: finished_run(plan, 0), second: finished_run(plan, 0) };
        for run in [&sound.first, &sound.second] {
            let packet = run.out.join("packet.json");
            let made = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&run.out).arg("--out").arg(packet));
            assert!(made.status.success(), "{}", stderr(&made));
        }
        sound
    }

    /// A copy to tamper with. The other run's packet lies beside it.
    fn copy(&self, to: &Path) -> Tampered {
        let id = self.first.bundle.file_name().unwrap();
        copy_folder(&self.first.bundle, &to.join(id));
        for name in ["LATEST", "packet.json"] {
            fs::copy(self.first.out.join(name), to.join(name)).unwrap();
        }
        // Pointers are absolute here, since the output root lies outside the workspace: they are led to the copy.
        let packet = fs::read_to_string(to.join("packet.json")).unwrap();
        let packet = packet.replace(self.first.out.to_str().unwrap(), to.to_str().unwrap());
        fs::write(to.join("packet.json"), packet).unwrap();
        fs::copy(self.second.out.join("packet.json"), to.join("other-packet.json")).unwrap();
        Tampered { folder: to.join(id), root: to.to_owned() }
    }
}

#[test]
fn each_way_of_tampering_is_refused_by_name() {
    let sound = Sound::new();
    let all: Vec<&Case> = [folders::CASES, documents::CASES, cases::CASES].into_iter().flatten().collect();
    assert!(all.len() >= 60, "{} cases", all.len());
    let mut names: Vec<&str> = all.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len(), "two cases have one name");

    let dir = tempfile::tempdir().unwrap();
    let untouched = sound.copy(&dir.path().join("untouched"));
    for ask in [Ask::Validate, Ask::ValidateRoot, Ask::Strict, Ask::Emit, Ask::Packet] {
        let asked = untouched.ask(ask);
        assert!(asked.status.success(), "{}{}", stdout(&asked), stderr(&asked));
    }
    let mut wrong = Vec::new();
    for (n, case) in all.iter().enumerate() {
        let bundle = sound.copy(&dir.path().join(n.to_string()));
        (case.tamper)(&bundle);
        let asked = bundle.ask(case.ask);
        let said = stdout(&asked) + &stderr(&asked);
        if asked.status.code() != Some(case.code) || !said.contains(case.says) {
            let short: String = said.chars().take(1500).collect();
            wrong.push(format!(
                "{}: exit {:?}, not {} with `{}`:\n{short}",
                case.name,
                asked.status.code(),
                case.code,
                case.says
            ));
        }
        assert!(!said.contains("panicked"), "{}: {said}", case.name);
        fs::remove_dir_all(&bundle.root).unwrap();
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn a_strict_check_explains_every_difference_in_one_pass() {
    let sound = Sound::new();
    let dir = tempfile::tempdir().unwrap();
    let bundle = sound.copy(dir.path());
    bundle.edit("summary.md", "Status", "State!");
    bundle.append(ROWS, b"{}\n");
    fs::remove_file(bundle.at("fixtures.json")).unwrap();
    fs::write(bundle.at("note.txt"), "x").unwrap();
    fs::write(bundle.at("a b"), "x").unwrap();
    std::os::unix::fs::symlink("nowhere", bundle.at("link")).unwrap();
    bundle.lie(STATUS, "\"state\": \"complete\"", "\"state\": \"failed\"");
    bundle.index(|index| {
        index["missing"] = json!(["elsewhere/x.json"]);
        index["status"] = "partial".into();
    });
    for ask in [Ask::Strict, Ask::Validate] {
        let asked = bundle.ask(ask);
        assert_eq!(asked.status.code(), Some(4));
        let said = stdout(&asked);
        for name in [
            "summary.md: ",
            "rows/scenario.jsonl: ",
            "fixtures.json: ",
            "note.txt: ",
            "a b: ",
            "link: ",
            "run_status.json: ",
            "and 2 more that follow from it, such as ",
        ] {
            assert!(said.lines().any(|line| line.starts_with(name)), "nothing of {name}in\n{said}");
        }
        assert!(stderr(&asked).contains("9 problems") || stderr(&asked).contains("10 problems"), "{}", stderr(&asked));
    }
    // For programs nothing is left out.
    let asked = output(sandproof().args(["validate-bundle", "--json", "--bundle"]).arg(&bundle.folder));
    for name in ["elsewhere/x.json", "artifact_index.json"] {
        assert!(stdout(&asked).contains(&format!("\"{name}\"")), "nothing of {name} in\n{}", stdout(&asked));
    }
}
