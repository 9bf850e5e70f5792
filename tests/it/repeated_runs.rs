//! Two runs of one plan differ in ids, times and pids alone, however many workers there are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{expect_code, files, output, sandproof};

/// Members whose values belong to one run alone: `SPEC.md` lists them.
const OF_ONE_RUN: &[&str] = &[
    // Processes.
    "pid",
    "cmd_pid",
    "apply_marker_pid",
    "writer_pid",
    // Times.
    "started_at_unix_s",
    "cmd_started_at_unix_s",
    "cmd_finished_at_unix_s",
    "cmd_duration_s",
    "duration_us",
    "updated_at_unix",
    // What the kernel numbers as it goes: files, sockets, ports.
    "ino",
    "st_ino",
    "what",
    "port",
    // How many workers there were.
    "jobs",
    // What follows from all this.
    "sha256",
    "file_size",
];

/// What the number of workers is declared in, and so changes.
const OF_THE_WORKERS: &[&str] = &["identity", "runtime"];

/// Replaces the values of those members, and everything that is called after the run.
fn mask(text: &str, run_id: &str, base: &str, out: &str, more: &[&str]) -> String {
    let mut text = text.replace(run_id, "<run>").replace(base, "<base>").replace(out, "<out>");
    for key in OF_ONE_RUN.iter().chain(more) {
        text = mask_member(&text, key);
    }
    mask_ports(&mask_children(&text))
}

fn mask_member(text: &str, key: &str) -> String {
    let wanted = format!("\"{key}\":");
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&wanted) {
        let (before, after) = rest.split_at(at + wanted.len());
        masked.push_str(before);
        let value = after.trim_start_matches(' ');
        let length = match value.strip_prefix('"') {
            Some(text) => text.find('"').unwrap() + 2,
            None => value.find([',', '}', '\n']).unwrap(),
        };
        masked.push('*');
        rest = &value[length..];
    }
    masked + rest
}

/// A process id is also what clone(2) returns; no other call of these plans returns as much as a hundred.
fn mask_children(text: &str) -> String {
    let mut parts = text.split("\"ret\":");
    let mut masked = parts.next().unwrap().to_owned();
    for part in parts {
        let value = part.trim_start_matches(' ');
        let digits = value.bytes().take_while(u8::is_ascii_digit).count();
        masked.push_str("\"ret\":");
        masked.push_str(if digits >= 3 { "*" } else { &value[..digits] });
        masked.push_str(&value[digits..]);
    }
    masked
}

/// Ports are picked by the kernel.
fn mask_ports(text: &str) -> String {
    let mut text = text.to_owned();
    for host in ["127.0.0.1:", "[::1]:", "0.0.0.0:", "[::]:"] {
        let mut parts = text.split(host);
        let mut masked = parts.next().unwrap().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            masked.push_str(host);
            masked.push_str(if rest.len() < part.len() { "*" } else { "" });
            masked.push_str(rest);
        }
        text = masked;
    }
    text
}

fn masked_run(plan: &str, out: &Path, jobs: &str, more: &[&str]) -> BTreeMap<String, String> {
    let run = output(sandproof().args(["run", "--jobs", jobs, "--plan", plan, "--out"]).arg(out));
    expect_code(&run, 0);
    let run_id = fs::read_to_string(out.join("LATEST")).unwrap().trim().to_owned();
    let bundle = out.join(&run_id);
    let manifest: Value = serde_json::from_slice(&fs::read(bundle.join("run_manifest.json")).unwrap()).unwrap();
    // The fixture base and the run's abstract names share their last part.
    let base = manifest["fixture_base"].as_str().unwrap();
    let base = base.rsplit('/').next().unwrap();
    files(&bundle)
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(bundle.join(&file)).unwrap();
            (file.to_string_lossy().into_owned(), mask(&text, &run_id, base, out.to_str().unwrap(), more))
        })
        .collect()
}

#[test]
fn runs_differ_in_ids_times_and_pids_alone_whatever_the_number_of_workers() {
    let dir = tempfile::tempdir().unwrap();
    for (plan, jobs, more) in [
        ("quickstart", "1", &[][..]),
        ("quickstart", "3", OF_THE_WORKERS),
        ("linux-scopes", "3", OF_THE_WORKERS),
        ("linux-network", "3", OF_THE_WORKERS),
    ] {
        let path = format!("plans/{plan}/plan.json");
        let one = masked_run(&path, &dir.path().join(format!("{plan}-{jobs}-first")), "1", more);
        let other = masked_run(&path, &dir.path().join(format!("{plan}-{jobs}-second")), jobs, more);
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{plan}");
        for (file, first) in &one {
            let differing = first.lines().zip(other[file].lines()).find(|(a, b)| a != b);
            assert_eq!(differing, None, "{plan}, {jobs}: {file}");
            assert_eq!(first, &other[file], "{plan}, {jobs}: {file}");
        }
    }
}

#[test]
fn the_mask_hides_values_and_nothing_else() {
    let text = r#"{"pid": 42, "ret": 7, "syscall":"clone","ret":9999,"errno":0, "address": "127.0.0.1:4321"}"#;
    let masked = mask(text, "no-run", "no-base", "no-out", &[]);
    assert_eq!(masked, r#"{"pid":*, "ret":7, "syscall":"clone","ret":*,"errno":0, "address": "127.0.0.1:*"}"#);
}

/// The rows of a lane.
fn rows_of(bundle: &Path, lane: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(bundle.join(format!("rows/{lane}.jsonl"))).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run_with(out: &Path, more: &[&str]) -> std::path::PathBuf {
    let mut command = sandproof();
    command.args(["run", "--plan", "plans/quickstart", "--run-id", "r", "--out"]).arg(out).args(more);
    expect_code(&output(&mut command), 0);
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(out)), 0);
    out.join("r")
}

#[test]
fn each_probe_is_performed_as_often_as_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = run_with(dir.path(), &["--repeat", "3", "--shuffle", "7"]);
    for lane in ["baseline", "control", "scenario"] {
        let rows = rows_of(&bundle, lane);
        assert!(rows.len() > 7, "{lane}");
        for (place, row) in rows.iter().enumerate() {
            let again = row["repetitions"].as_array().unwrap();
            assert_eq!((row["seq"].as_u64(), again.len()), (Some(place as u64), 2), "{lane}");
            // Each is a process of its own, and was started after the one before.
            let pids: std::collections::HashSet<_> =
                [row].into_iter().chain(again).map(|one| one["pid"].as_u64().unwrap()).collect();
            assert_eq!(pids.len(), 3, "{lane} {place}");
            let started = |one: &serde_json::Value| one["started_at_unix_s"].as_f64().unwrap();
            assert!(started(row) <= started(&again[0]) && started(&again[0]) <= started(&again[1]));
        }
    }
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(bundle.join(name)).unwrap()).unwrap()
    };
    let manifest = read("run_manifest.json");
    assert_eq!((&manifest["repeat"], &manifest["shuffle"]), (&3.into(), &7.into()));
    let declared = read("run_identity.json");
    assert_eq!((&declared["runtime"]["repeat"], &declared["runtime"]["shuffle"]), (&3.into(), &7.into()));
}

#[test]
fn a_seed_names_the_order_in_which_probes_are_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let order = |name: &str, more: &[&str]| {
        let bundle = run_with(&dir.path().join(name), &[&["--jobs", "1"], more].concat());
        let mut rows = rows_of(&bundle, "scenario");
        assert!(rows.iter().enumerate().all(|(place, row)| row["seq"] == place));
        rows.sort_by(|a, b| {
            a["started_at_unix_s"].as_f64().unwrap().total_cmp(&b["started_at_unix_s"].as_f64().unwrap())
        });
        rows.iter().map(|row| row["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let planned = order("planned", &[]);
    assert!(planned.is_sorted());
    let seven = order("seven", &["--shuffle", "7"]);
    assert_ne!(seven, planned);
    assert_eq!(seven, order("again", &["--shuffle", "7"]));
    assert_ne!(seven, order("eight", &["--shuffle", "8"]));
}

#[test]
fn a_launcher_is_neither_repeated_nor_mixed() {
    for option in [["--repeat", "2"], ["--shuffle", "1"]] {
        let mut command = sandproof();
        command.args(["run", "--plan", "plans/launcher-files", "--launcher", "none=env --", "--as-root"]).args(option);
        let refused = output(&mut command);
        expect_code(&refused, 3);
        assert!(crate::support::stderr(&refused).contains(option[0]), "{refused:?}");
    }
}
