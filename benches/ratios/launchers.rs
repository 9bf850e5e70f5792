//! Items about launchers: what a question costs inside of one, against what it may cost at most, and against what the launcher
//! itself takes to start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::unistd::geteuid;
use serde_json::{Value, json};

use super::Result;
use super::stats::{Better, Item};
use super::tool::{self, Tool};
use super::workspace::write;

/// The sandbox whose questions are counted.
const BOX: &str = "bwrap --dev-bind / / --tmpfs ${outside}/masked --";
/// The launchers of the matrix, the last of them none at all.
const SIX: [(&str, &str); 6] = [
    ("box", "bwrap --ro-bind / / --dev /dev --proc /proc --bind ${workspace} ${workspace} --unshare-all --"),
    ("net", "bwrap --ro-bind / / --dev /dev --bind ${workspace} ${workspace} --unshare-net --"),
    ("mask", "bwrap --dev-bind / / --tmpfs ${outside} --"),
    ("open", "bwrap --dev-bind / / --"),
    ("namespaces", "unshare -rnmp --fork --"),
    ("none", "env"),
];
/// Questions of the matrix.
const QUESTIONS: usize = 100;
/// What a question to a worker that stays may take, in microseconds.
const RESIDENT_US: f64 = 1_500.0;
/// The same where all names of its object have to be asked.
const ALL_NAMES_US: f64 = 2_500.0;
/// What the matrix may take beside the launchers' own starts, in seconds.
const MATRIX_S: f64 = 10.0;

/// What is asked.
#[derive(Debug, Clone, Copy)]
enum Ask {
    /// A file that is let through.
    Read,
    /// A file that a mount covers, so that all its names are tried.
    Hidden,
    /// Something of everything.
    Everything,
}

/// One resident question, one under all its names, a start for each, either against the launcher's bare start, and the whole matrix.
pub fn launchers(tool: &Tool) -> Result<Vec<Item>> {
    let starts = |words: &str| -> Result<f64> {
        let workspace = tool.on_disk("bare")?;
        fs::create_dir_all(workspace.join("masked"))?;
        // Absolute, as in a run: a launcher takes a relative place inside for one below its new root.
        let place = workspace.display().to_string();
        let words = words.replace("${workspace}", &place).replace("${outside}", &place);
        let mut words = words.split(' ');
        let mut bare = Command::new(words.next().unwrap_or_default());
        bare.args(words).arg("true").current_dir(&workspace).stdin(Stdio::null()).stdout(Stdio::null());
        tool::timed(&mut bare)
    };
    // Fewer are answered before the start is as old as it has to become, so that more of them would cost nothing.
    let (few, many) = (500, 900);
    let workspace = |ask: Ask, count: usize, start: &str| make(tool, ask, count, start);
    let reads = [workspace(Ask::Read, few, "resident")?, workspace(Ask::Read, many, "resident")?];
    let hidden = [workspace(Ask::Hidden, few, "resident")?, workspace(Ask::Hidden, many, "resident")?];
    let fresh = [workspace(Ask::Read, 5, "fresh")?, workspace(Ask::Read, 25, "fresh")?];
    let everything = workspace(Ask::Everything, QUESTIONS, "resident")?;
    let each = |two: &[PathBuf; 2], more: usize| -> Result<f64> {
        let seconds = [run(tool, &two[0], &[])?, run(tool, &two[1], &[])?];
        Ok((seconds[1] - seconds[0]) / more as f64 * 1e6)
    };
    let (mut one, mut all_names, mut dearer, mut matrix) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut one_to_start, mut fresh_to_start) = (Vec::new(), Vec::new());
    for _ in 0..tool.scale.rounds {
        let bare = starts(BOX)? * 1e6;
        let read = each(&reads, many - few)?;
        let started = each(&fresh, 20)?;
        one.push((read, RESIDENT_US));
        one_to_start.push((read, bare));
        all_names.push((each(&hidden, many - few)?, ALL_NAMES_US));
        dearer.push((started, read));
        fresh_to_start.push((started, bare));
        let given: Vec<String> =
            SIX.iter().flat_map(|(name, words)| ["--launcher".to_owned(), format!("{name}={words}")]).collect();
        let bare: f64 = SIX.iter().map(|(_, words)| starts(words)).sum::<Result<f64>>()?;
        matrix.push(((run(tool, &everything, &given)? - bare).max(0.0), MATRIX_S));
    }
    let at_most =
        |name, unit, target, fail_at, rounds| Item { name, unit, better: Better::Lower, target, fail_at, rounds };
    Ok(vec![
        at_most("question", "us", 1.0, 2.0, one),
        at_most("question by all names", "us", 1.0, 2.0, all_names),
        at_most("question to start", "us", 0.15, 0.3, one_to_start),
        Item { name: "fresh question", unit: "us", better: Better::Higher, target: 10.0, fail_at: 5.0, rounds: dearer },
        at_most("fresh question to start", "us", 3.0, 6.0, fresh_to_start),
        at_most("matrix", "s", 1.0, 2.0, matrix),
    ])
}

/// The seconds of a run, whatever its questions are answered with.
fn run(tool: &Tool, workspace: &Path, given: &[String]) -> Result<f64> {
    let out = tool.on_disk("out-launchers")?;
    let mut command = tool.command(["run", "--plan", "plans/bench/plan.json", "--json", "--allow-host-programs"]);
    command.current_dir(workspace).arg("--out").arg(&out).args(given);
    if geteuid().is_root() {
        command.arg("--as-root");
    }
    let started = Instant::now();
    let output = command.output()?;
    let seconds = started.elapsed().as_secs_f64();
    if !matches!(output.status.code(), Some(0 | 1 | 8)) {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} ended with {}: {}", output.status, said.trim()).into());
    }
    fs::remove_dir_all(&out)?;
    Ok(seconds)
}

fn probe(n: usize, ask: Ask) -> (String, Value) {
    let read = |folder: &str| ("file-read-data", "file_read", format!("${{{folder}}}/f"));
    let (operation, driver, target) = match ask {
        Ask::Read => read("workspace"),
        Ask::Hidden => ("file-read-data", "file_read", "${outside}/masked/f".to_owned()),
        Ask::Everything => match n % 10 {
            0..4 => read("workspace"),
            4 | 5 => read("outside"),
            6 => ("file-write-create", "file_create", format!("${{workspace}}/n{n}")),
            7 => ("file-write-create", "file_create", format!("${{outside}}/n{n}")),
            8 => ("network-outbound", "tcp_connect", "127.0.0.1:${port.p}".to_owned()),
            _ => ("process-fork", "process_fork", String::new()),
        },
    };
    let id = format!("bench.ask.{n:04}");
    let mut probe = json!({
        "probe_id": id, "name": format!("ask-{n:04}"), "operation": operation, "driver": driver, "target": target,
        "expected": "allow", "expected_primary_ops": [operation], "expected_predicates": [target],
        "supports_lanes": {"baseline": true, "scenario": true, "oracle": false},
        "controls_supported": ["baseline"], "capabilities_required": [],
    });
    if driver == "tcp_connect" {
        probe["listener"] = json!({"kind": "tcp", "address": target});
    }
    (id, probe)
}

/// A workspace whose plan asks the box.
fn make(tool: &Tool, ask: Ask, count: usize, start: &str) -> Result<PathBuf> {
    let folder = tool.on_disk(&format!("launcher-{ask:?}-{count}-{start}"))?;
    let probes: serde_json::Map<String, Value> = (0..count).map(|n| probe(n, ask)).collect();
    let ids: Vec<&String> = probes.keys().collect();
    let argv: Vec<&str> = BOX.split(' ').collect();
    let file = |path: &str| json!({"path": path, "kind": "file", "text": "content\n"});
    let policy = "registries/bench/policies/launcher.json";
    let launcher =
        json!({"schema_version": "sandproof.launcher.v1", "launcher_id": "box", "argv": argv, "start": start});
    write(&folder, policy, &launcher)?;
    let profile = json!({
        "profile_id": "bench", "profile_path": policy, "mode": "launcher", "probe_refs": ids, "family": "bench",
        "semantic_group": "files", "key_specific_rules": [], "notes": null,
        "fixtures": [file("workspace/f"), file("outside/f"), file("outside/masked/f")],
    });
    super::workspace::write_plan(&folder, &probes, &[("bench".to_owned(), profile)].into_iter().collect(), false)?;
    Ok(folder)
}
