//! The item about evidence: events from raw rows, against reading the same rows and nothing more.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use sandproof::test_support::evidence::{self, ArtifactSink, ProfileControls, RowSource};
use sandproof::test_support::plan::{self, LaneSet, Selection};
use sandproof::test_support::record::layout;
use sandproof::test_support::record::manifest::RunManifest;
use sandproof::test_support::record::outcome::Lane;
use sandproof::test_support::record::row::ProbeRow;

use super::Result;
use super::stats::{Better, Item};
use super::tool::{self, Tool};
use super::workspace::{self, Shape};

const BUFFER: usize = 256 * 1024;

/// Deriving the normalised events of a scenario lane on one thread, against parsing its rows into the same type.
pub fn derive(tool: &Tool) -> Result<Vec<Item>> {
    let probes = tool.scale.rows_to_derive.min(1_000);
    let profiles = tool.scale.rows_to_derive / probes;
    let one = one_row(tool)?;
    let workspace = workspace::make(&tool.on_disk("derive")?, Shape { probes, profiles, fixtures: false })?;
    expect_only_success(&workspace)?;
    let rows = workspace.join("rows.jsonl");
    write_rows(&workspace, &one.row, &rows)?;
    let mut rounds = Vec::new();
    for _ in 0..tool.scale.rounds {
        let floor = tool::number_from(tool.floor([Path::new("typed"), &rows])?)?;
        let ours = tool::number_from(tool.floor([Path::new("events"), &workspace, &one.manifest, &rows])?)?;
        rounds.push((ours * 1e3, floor * 1e3));
    }
    fs::remove_file(&rows)?;
    Ok(vec![Item { name: "derive", unit: "ms", better: Better::Lower, target: 2.2, fail_at: 3.5, rounds }])
}

/// A row that the program itself wrote, and the manifest beside it.
struct One {
    row: ProbeRow,
    manifest: std::path::PathBuf,
}

fn one_row(tool: &Tool) -> Result<One> {
    let shape = Shape { probes: 1, profiles: 1, fixtures: false };
    let workspace = workspace::make(&tool.on_disk("derive-one")?, shape)?;
    let bundle = tool.run(&workspace, &tool.on_disk("out-derive-one")?, 1)?.bundle;
    let rows = fs::read_to_string(bundle.join(layout::rows_of(Lane::Scenario)))?;
    let row = serde_json::from_str(rows.lines().next().ok_or("a run without rows")?)?;
    Ok(One { row, manifest: bundle.join(layout::RUN_MANIFEST) })
}

/// Makes every probe of the workspace one that is let through, as the row is that stands for all of them.
fn expect_only_success(workspace: &Path) -> Result<()> {
    let probes = workspace.join("registries/bench/probes.json");
    let text = fs::read_to_string(&probes)?;
    fs::write(probes, text.replace("\"deny\"", "\"allow\"").replace("/etc/passwd", "/proc/version"))?;
    Ok(())
}

/// The rows that a run of the workspace would write, all from one.
fn write_rows(workspace: &Path, row: &ProbeRow, to: &Path) -> Result<()> {
    let (plan, _) = plan::load(&workspace.join("plans/bench/plan.json"), None, &Selection::default())?;
    let mut row = row.clone();
    let mut out = BufWriter::with_capacity(BUFFER, File::create(to)?);
    for (seq, (profile, probe)) in plan.rows().enumerate() {
        row.seq = seq as u64;
        row.profile_id = profile.id.clone();
        row.probe_id = probe.entry.probe_id.clone();
        row.expectation_id = probe.expectation_id.clone();
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// The floor: seconds for parsing every line into the row's type.
pub fn typed(rows: &Path) -> Result<f64> {
    let started = Instant::now();
    let mut input = BufReader::with_capacity(BUFFER, File::open(rows)?);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let row: ProbeRow = serde_json::from_slice(&line)?;
        black_box(&row);
        line.clear();
    }
    Ok(started.elapsed().as_secs_f64())
}

/// The program's own code: seconds for deriving the events, written to nowhere. Resolving the plan is not counted.
pub fn events(workspace: &Path, manifest: &Path, rows: &Path) -> Result<f64> {
    let (mut plan, _) = plan::load(&workspace.join("plans/bench/plan.json"), None, &Selection::default())?;
    plan.lanes = LaneSet { baseline: false, scenario: true, oracle: false };
    let manifest: RunManifest = serde_json::from_slice(&fs::read(manifest)?)?;
    let none = ProfileControls { must_deny: Err("not measured".into()), must_allow: Err("not measured".into()) };
    let controls = vec![none; plan.profiles.len()];
    let mut sink = Events { bytes: 0 };
    let started = Instant::now();
    let outcome = evidence::derive(&plan, &manifest, &controls, &OneLane(rows), &mut sink)?;
    let seconds = started.elapsed().as_secs_f64();
    if outcome.total.rows.matched != plan.row_count() as u64 || sink.bytes == 0 {
        return Err("the rows do not show what they were made to show".into());
    }
    Ok(seconds)
}

struct OneLane<'a>(&'a Path);

impl RowSource for OneLane<'_> {
    fn open(&self, lane: Lane) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        if lane != Lane::Scenario {
            return Ok(None);
        }
        Ok(Some(Box::new(BufReader::with_capacity(BUFFER, File::open(self.0)?))))
    }
}

/// Takes the events and counts their bytes.
struct Events {
    bytes: u64,
}

struct Counted {
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += black_box(bytes).len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ArtifactSink for Events {
    type Out = Counted;

    fn wants(&self, name: &str) -> bool {
        name == layout::RUNTIME_EVENTS
    }

    fn create(&mut self, _name: &str) -> io::Result<Counted> {
        Ok(Counted { bytes: 0 })
    }

    fn finish(&mut self, name: &str, out: Counted) -> io::Result<()> {
        if name == layout::RUNTIME_EVENTS {
            self.bytes = out.bytes;
        }
        Ok(())
    }
}
