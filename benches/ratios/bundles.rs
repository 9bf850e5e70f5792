//! Items about bundles: validating, hashing, committing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Result;
use super::stats::{Better, Item};
use super::tool::{self, Tool};
use super::workspace::{self, Shape};

/// `validate-bundle` of a bundle of many rows, against parsing the same rows and asking a compiled schema.
pub fn validate(tool: &Tool) -> Result<Vec<Item>> {
    let shape = Shape { probes: tool.scale.probes, profiles: 1, fixtures: false };
    let workspace = workspace::make(&tool.on_disk("validate")?, shape)?;
    let bundle = tool.run(&workspace, &tool.on_disk("out-validate")?, 2)?.bundle;
    let rows = ["baseline", "control", "scenario", "oracle"].map(|lane| bundle.join(format!("rows/{lane}.jsonl")));
    let mut rounds = Vec::new();
    for _ in 0..tool.scale.rounds {
        let floor = tool::timed(tool.floor([Path::new("parse")])?.args(&rows))?;
        let ours = tool::timed(tool.command(["validate-bundle", "--bundle"]).arg(&bundle))?;
        rounds.push((ours * 1e3, floor * 1e3));
    }
    Ok(vec![Item { name: "validate", unit: "ms", better: Better::Lower, target: 1.0, fail_at: 1.5, rounds }])
}

/// The digest code on one big file in the page cache, against OpenSSL's.
pub fn hash(tool: &Tool) -> Result<Vec<Item>> {
    let path = tool.in_memory("hash")?.join("big");
    let mut file = File::create(&path)?;
    let block: Vec<u8> = (0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for _ in 0..tool.scale.big_file_bytes / block.len() {
        file.write_all(&block)?;
    }
    drop(file);
    let ours = tool.floor([Path::new("digest"), &path])?.stdout(Stdio::piped()).output()?;
    let theirs = openssl(&path).stdout(Stdio::piped()).output()?;
    if ours.stdout.len() < 64 || !theirs.stdout.windows(64).any(|window| *window == ours.stdout[..64]) {
        return Err("our digest of a file is not OpenSSL's".into());
    }
    let mut rounds = Vec::new();
    for _ in 0..tool.scale.rounds {
        let floor = tool::timed(&mut openssl(&path))?;
        let measured = tool::timed(&mut tool.floor([Path::new("digest"), &path])?)?;
        rounds.push((measured * 1e3, floor * 1e3));
    }
    fs::remove_file(&path)?;
    Ok(vec![Item { name: "hash", unit: "ms", better: Better::Lower, target: 1.05, fail_at: 1.25, rounds }])
}

fn openssl(path: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256"]).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Committing a small and a large bundle against syncing each file; and the sync calls of a whole run.
pub fn commit(tool: &Tool) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for (name, count, bytes) in [("commit 15", 15, 10 * 1024), ("commit 1000", 1_000, 4 * 1024)] {
        let folder = tool.on_disk(&name.replace(' ', "-"))?;
        let mut rounds = Vec::new();
        // Nothing is removed in between: some file systems slow down for minutes after a mass removal.
        for n in 0..tool.scale.rounds {
            let words = |mode: &str, target: PathBuf| {
                [mode.to_owned(), target.to_string_lossy().into_owned(), count.to_string(), bytes.to_string()]
            };
            let floor = tool::number_from(tool.floor(words("commit", folder.join(format!("floor-{n}"))))?)?;
            let ours = tool::number_from(tool.floor(words("bundle", folder.join(format!("ours-{n}"))))?)?;
            rounds.push((ours * 1e3, floor * 1e3));
        }
        items.push(Item { name, unit: "ms", better: Better::Lower, target: 0.7, fail_at: 1.1, rounds });
    }
    items.push(sync_calls(tool)?);
    Ok(items)
}

/// The sync calls of a whole run, counted, against the number of files in its bundle.
fn sync_calls(tool: &Tool) -> Result<Item> {
    let shape = Shape { probes: 12, profiles: 1, fixtures: true };
    let workspace = workspace::make(&tool.on_disk("sync-calls")?, shape)?;
    let out = tool.on_disk("out-sync-calls")?;
    let log = tool.in_memory("sync-calls")?.join("log");
    let run = tool.run_command(&workspace, &out, 1)?;
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs,sync,msync", "-e", "signal=none", "-o"]).arg(&log);
    traced.arg("--").arg(run.get_program()).args(run.get_args());
    traced.current_dir(&workspace).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    tool::timed(&mut traced)?;
    let calls = fs::read_to_string(&log)?.lines().filter(|line| line.contains("sync") && line.contains('(')).count();
    let files = count_files(&tool::latest(&out)?)?;
    if calls == 0 {
        return Err("a run that syncs nothing cannot be durable (or strace could not follow it)".into());
    }
    // Fewer than n + 3: the limit is n + 2, as a ratio to n.
    let limit = (files as f64 + 2.0) / files as f64;
    let rounds = vec![(calls as f64, files as f64)];
    Ok(Item { name: "sync calls", unit: "calls/files", better: Better::Lower, target: limit, fail_at: limit, rounds })
}

fn count_files(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        count += if path.is_dir() { count_files(&path)? } else { 1 };
    }
    Ok(count)
}
