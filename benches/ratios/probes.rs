//! Items about executing probes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Result;
use super::stats::{Better, Item, median};
use super::tool::{self, Tool};
use super::workspace::{self, Shape};

/// Lanes that start a process for each probe. The oracle lane is in every run and starts none: its cost counts, its
/// rows do not.
const EXECUTING_LANES: usize = 2;

/// A whole run per probe and lane against bare forks that may run on any processor, without and with fixtures; and against
/// the least that the kernel lets a process cost, one that shares its parent's memory.
///
/// And two workers against one: as the program is; where it may not put a probe on its zygote's processor; and as it is,
/// against what bare forks that are bound make of a second processor.
pub fn workers(tool: &Tool) -> Result<Vec<Item>> {
    let probes = tool.scale.probes;
    let shape = Shape { probes, profiles: 1, fixtures: false };
    let plain = workspace::make(&tool.on_disk("plain")?, shape)?;
    let with_fixtures = workspace::make(&tool.on_disk("with-fixtures")?, Shape { fixtures: true, ..shape })?;
    let executions = probes * EXECUTING_LANES;
    let micros = |seconds: f64| seconds / executions as f64 * 1e6;
    let (mut bare, mut fixture, mut least) = (Vec::new(), Vec::new(), Vec::new());
    let (mut workers, mut free, mut bound) = (Vec::new(), Vec::new(), Vec::new());
    let out = tool.on_disk("out-workers")?;
    tool.run(&plain, &out, 1)?;
    for _ in 0..tool.scale.rounds {
        let floor = micros(tool::number_from(tool.floor(["fork", &*executions.to_string()])?)?);
        let shared = micros(tool::number_from(tool.floor(["shared", &*executions.to_string()])?)?);
        let as_it_is = one_and_two(|jobs| Ok(tool.run(&plain, &out, jobs)?.seconds))?;
        let where_free = one_and_two(|jobs| tool.run_unbound(&plain, &out, jobs))?;
        let forks = one_and_two(|jobs| bound_forks(tool, jobs, executions))?;
        let fresh = micros(tool.run(&with_fixtures, &out, 1)?.seconds);
        bare.push((micros(as_it_is.0), floor));
        fixture.push((fresh, floor));
        least.push((micros(as_it_is.0), shared));
        let rate = |seconds: f64| executions as f64 / seconds;
        workers.push((rate(as_it_is.1), rate(as_it_is.0)));
        free.push((rate(where_free.1), rate(where_free.0)));
        bound.push((as_it_is.0 / as_it_is.1, forks.0 / forks.1));
    }
    let at_most =
        |name, target, fail_at, rounds| Item { name, unit: "us", better: Better::Lower, target, fail_at, rounds };
    let at_least =
        |name, unit, target, fail_at, rounds| Item { name, unit, better: Better::Higher, target, fail_at, rounds };
    Ok(vec![
        at_most("probe", 0.7, 1.0, bare),
        at_most("probe with fixture", 1.0, 1.5, fixture),
        at_most("probe to shared", 2.0, 3.0, least),
        at_least("two workers", "/s", 1.8, 1.3, workers),
        at_least("two workers free", "/s", 1.8, 1.3, free),
        at_least("two workers bound", "x", 0.85, 0.65, bound),
    ])
}

/// Seconds with one and with two workers, the mean of two measurements each.
///
/// Each takes seconds, within which a machine can get slower or faster. In this order that counts on both sides.
fn one_and_two(mut run: impl FnMut(usize) -> Result<f64>) -> Result<(f64, f64)> {
    let [one, two, again_two, again_one] = [run(1)?, run(2)?, run(2)?, run(1)?];
    Ok(((one + again_one) / 2.0, (two + again_two) / 2.0))
}

/// Seconds for `count` bare forks by `workers` processes at the same time, each bound to a processor of its own.
fn bound_forks(tool: &Tool, workers: usize, count: usize) -> Result<f64> {
    let each = (count / workers).to_string();
    let commands = (0..workers).map(|nth| tool.floor(["bound fork", &*nth.to_string(), &*each]));
    let seconds = tool::numbers_from(commands.collect::<Result<Vec<_>>>()?)?;
    Ok(seconds.into_iter().fold(0.0, f64::max))
}

/// A whole run against a loop of bash scripts that each make a file, read it, ask for its metadata and remove it.
pub fn scripts(tool: &Tool) -> Result<Vec<Item>> {
    let probes = tool.scale.probes.min(1_000);
    let shape = Shape { probes, profiles: 1, fixtures: true };
    let workspace = workspace::make(&tool.on_disk("scripts")?, shape)?;
    let out = tool.on_disk("out-scripts")?;
    let folder = tool.in_memory("scripts")?;
    let (probe, target) = (folder.join("probe.sh"), folder.join("target"));
    fs::write(&target, "content\n")?;
    fs::write(
        &probe,
        "file=$(mktemp)\ncat \"$1\" >\"$file\" || exit 1\nstat --format %i \"$file\" >/dev/null || exit 1\nrm \"$file\"\n",
    )?;
    let mut rounds = Vec::new();
    for _ in 0..tool.scale.rounds {
        let mut looped = Command::new("bash");
        let text = "for ((n = 0; n < $1; n++)); do bash \"$2\" \"$3\" || exit 1; done";
        looped.args(["-c", text, "bash", &*tool.scale.scripts.to_string()]).arg(&probe).arg(&target);
        looped.env("TMPDIR", &folder).stdin(Stdio::null()).stderr(Stdio::piped());
        let peer = tool.scale.scripts as f64 / tool::timed(&mut looped)?;
        let ours = (probes * EXECUTING_LANES) as f64 / tool.run(&workspace, &out, 1)?.seconds;
        rounds.push((ours, peer));
    }
    Ok(vec![Item { name: "scripts", unit: "/s", better: Better::Higher, target: 70.0, fail_at: 20.0, rounds }])
}

/// The rate of a run that has many rows behind it, against a fresh run's.
///
/// One long run is held (SIGSTOP) while fresh runs go, and goes on between them, so that both are measured in turns. The
/// rates come from the times in the rows themselves, in the scenario lane.
pub fn late_rate(tool: &Tool) -> Result<Vec<Item>> {
    const WINDOW: Duration = Duration::from_millis(1_000);
    // A million rows with one worker take minutes.
    const JOBS: usize = 2;
    let fresh_probes = tool.scale.probes.min(10_000);
    let fresh = workspace::make(&tool.on_disk("fresh")?, Shape { probes: fresh_probes, profiles: 1, fixtures: false })?;
    let fresh_out = tool.on_disk("out-fresh")?;
    let measured_at = scenario_starts(&tool.run(&fresh, &fresh_out, JOBS)?.bundle)?;
    let guess = rate(&measured_at)?;

    // Half of the rows come from each executing lane; what the windows take comes on top, with a reserve.
    let in_windows = (guess * WINDOW.as_secs_f64() * tool.scale.rounds as f64 * 2.0) as usize;
    let wanted = tool.scale.rows_behind / EXECUTING_LANES + in_windows;
    let probes = wanted.min(10_000);
    let shape = Shape { probes, profiles: wanted.div_ceil(probes), fixtures: false };
    let long = workspace::make(&tool.on_disk("long")?, shape)?;
    let long_out = tool.on_disk("out-long")?;
    let mut command = tool.run_command(&long, &long_out, JOBS)?;
    let mut held = Held { child: Some(command.spawn()?) };
    // The baseline lane comes first; the windows have to lie in the scenario lane.
    let in_baseline = shape.probes * shape.profiles;
    let behind = tool.scale.rows_behind.max(in_baseline + in_baseline / 20);
    wait_for_rows(&mut held, &long_out, behind, row_bytes(&tool::latest(&fresh_out)?)?)?;

    let mut windows = Vec::new();
    let mut fresh_rates = Vec::new();
    for _ in 0..tool.scale.rounds {
        held.signal(Signal::SIGSTOP)?;
        let bundle = tool.run(&fresh, &fresh_out, JOBS)?.bundle;
        fresh_rates.push(rate(&scenario_starts(&bundle)?)?);
        held.signal(Signal::SIGCONT)?;
        let from = now();
        sleep(WINDOW);
        windows.push((from, now()));
    }
    let child = held.child.take().ok_or("the long run is gone")?;
    tool::finished(&command, child)?;
    let starts = scenario_starts(&tool::latest(&long_out)?)?;
    let mut rounds = Vec::new();
    for ((from, to), fresh_rate) in windows.into_iter().zip(fresh_rates) {
        let inside: Vec<f64> = starts.iter().copied().filter(|start| (from..to).contains(start)).collect();
        if inside.len() < 20 {
            return Err("the long run ended, or had not reached its scenario lane, in a window".into());
        }
        rounds.push((rate(&inside)?, fresh_rate));
    }
    Ok(vec![Item { name: "late rate", unit: "/s", better: Better::Higher, target: 0.95, fail_at: 0.7, rounds }])
}

/// A process that goes on and is killed if this program gives up on it.
struct Held {
    child: Option<Child>,
}

impl Held {
    fn signal(&mut self, signal: Signal) -> Result<()> {
        let child = self.child.as_mut().ok_or("the long run is gone")?;
        if child.try_wait()?.is_some() {
            return Err("the long run ended too early".into());
        }
        kill(Pid::from_raw(child.id() as i32), signal)?;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Waits until a run in progress has written about `rows` rows of `bytes_each`.
fn wait_for_rows(held: &mut Held, out: &Path, rows: usize, bytes_each: f64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(900);
    while (row_files(out)?.iter().map(|(_, bytes)| bytes).sum::<u64>() as f64 / bytes_each) < rows as f64 {
        if Instant::now() > deadline {
            return Err(format!("no {rows} rows within 15 minutes").into());
        }
        held.signal(Signal::SIGCONT)?; // it is not stopped; this notices its end
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The rows files of the executing lanes below `out`, under their final or temporary names, with their sizes.
fn row_files(out: &Path) -> Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for run in fs::read_dir(out)? {
        let Ok(entries) = fs::read_dir(run?.path().join("rows")) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.contains("baseline.jsonl") || name.contains("scenario.jsonl") {
                // A temporary file may have got its final name meanwhile.
                let Ok(facts) = fs::metadata(&path) else { continue };
                found.push((path, facts.len()));
            }
        }
    }
    Ok(found)
}

/// The mean size of a bundle's rows, in bytes.
fn row_bytes(bundle: &Path) -> Result<f64> {
    let (mut bytes, mut rows) = (0, 0);
    for lane in ["baseline", "scenario"] {
        let path = bundle.join(format!("rows/{lane}.jsonl"));
        bytes += fs::metadata(&path)?.len();
        rows += BufReader::new(File::open(&path)?).lines().count();
    }
    Ok(bytes as f64 / rows.max(1) as f64)
}

/// When the probes of the scenario lane were started, in seconds since 1970, in order.
fn scenario_starts(bundle: &Path) -> Result<Vec<f64>> {
    /// The one field that counts here.
    #[derive(serde::Deserialize)]
    struct Row {
        started_at_unix_s: f64,
    }
    let mut starts = Vec::new();
    for line in BufReader::new(File::open(bundle.join("rows/scenario.jsonl"))?).lines() {
        let row: Row = serde_json::from_str(&line?)?;
        starts.push(row.started_at_unix_s);
    }
    starts.sort_by(f64::total_cmp);
    Ok(starts)
}

/// Executions per second, from the median distance in blocks of ten starts: one long pause does not count.
fn rate(starts: &[f64]) -> Result<f64> {
    let blocks: Vec<f64> = starts.iter().step_by(10).copied().collect();
    let gaps: Vec<f64> = blocks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let gap = median(gaps);
    if gap > 0.0 { Ok(10.0 / gap) } else { Err("too few rows to tell a rate".into()) }
}
