//! Events counted by operation.
//!
//! An operation is covered only if every event of it decided something and that was expected: one good row among blocked
//! or undecided ones is `partial`, not `ok`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Seek as _};
use std::path::Path;

use super::events::{self, ForeignEvent};
use super::packet::require_promotable;
use super::{OpenedPacket, ReviewError, Vocabulary};
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError, IoContext};
use crate::base::ids::WorldId;
use crate::base::json_out;
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::output::OutputPlace;
use crate::bundle::{Bundle, UnverifiedBundle, Verified};
use crate::promote;
use crate::record::events::EventView;
use crate::record::layout;
use crate::record::op_summary::{
    BlockedCounts, Coverage, Integrity, MAPPING_SCHEMA, OpEntry, OpExample, OpMismatch, OpSummary, OpSummaryMeta,
    RUNTIME_LOG_SCHEMA,
};

/// How many events stand as examples.
const EXAMPLES: usize = 5;

/// The summary of a verified bundle. With `promotable_only`, one that may not be promoted is refused.
pub fn from_bundle(
    bundle: &Verified<Bundle>,
    vocabulary: &Vocabulary,
    promotable_only: bool,
) -> Result<OpSummary, ReviewError> {
    if promotable_only {
        require_promotable(bundle.folder(), &promote::evaluate(bundle))?;
    }
    summarise(bundle, vocabulary, SummarySource { job: "runtime_bundle", packet: None })
}

/// The summary of a packet's bundle. With `promotable_only`, one that may not be promoted is refused.
pub fn from_packet(
    packet: &OpenedPacket,
    vocabulary: &Vocabulary,
    promotable_only: bool,
) -> Result<OpSummary, ReviewError> {
    if promotable_only {
        packet.require_promotable()?;
    }
    let given = (packet.path().display().to_string(), packet.digest());
    summarise(packet.bundle(), vocabulary, SummarySource { job: "promotion_packet", packet: Some(given) })
}

/// The summary of events that nothing vouches for; it says so. For debugging, and for bundles of other programs.
pub fn from_unverified(bundle: &UnverifiedBundle, vocabulary: &Vocabulary) -> Result<OpSummary, ReviewError> {
    let path = bundle.bundle_dir.join(layout::RUNTIME_EVENTS);
    let file = fsx::open_regular(&path).at("open", &path)?;
    let size = file.metadata().at("read", &path)?.len();
    // Rows of a verified bundle are short; here one text may be as long as the file.
    if size > MAX_INPUT_DOCUMENT_BYTES {
        let reason = format!("it is larger than {MAX_INPUT_DOCUMENT_BYTES} bytes, and nothing vouches for it");
        return Err(ReviewError::Shape { file: path, what: "list of events", reason });
    }
    let (digest, _) = Digest::of_reader(&file).at("read", &path)?;
    let mut tally = SummaryTally::default();
    (&file).rewind().at("read", &path)?;
    let mut reader = BufReader::new(&file);
    let mut worlds = BTreeSet::new();
    let mut take = |event: ForeignEvent| {
        worlds.extend(event.world_id.clone());
        tally.add(event.judged());
    };
    events::for_each(&mut reader, &mut take).map_err(|error| ReviewError::Shape {
        file: path.clone(),
        what: "list of events",
        reason: error.to_string(),
    })?;
    let world = bundle.run_manifest.as_ref().map(|manifest| manifest.world_id.clone());
    // A manifest of another program may not be readable here; each event names its world too.
    let world = world.or_else(|| match worlds.iter().collect::<Vec<_>>()[..] {
        [only] => WorldId::new(only).ok(),
        _ => None,
    });
    let unknown = || WorldId::new("unknown").expect("the word is an id");
    let name = path.display().to_string();
    let meta = SummaryMeta {
        job: "runtime_bundle",
        integrity: Integrity::Unverified,
        notes: "Made from events that were not verified; not to be relied on.",
        inputs: vec![(name, digest)],
    };
    Ok(tally.finish(world.unwrap_or_else(unknown), vocabulary, meta))
}

/// Writes a summary, as a whole and durably: sorted keys, a newline at the end.
pub fn write(summary: &OpSummary, file: &Path) -> Result<(), FileError> {
    OutputPlace::of(file)?.write(&to_bytes(summary))
}

/// The document as it is written.
pub fn to_bytes(summary: &OpSummary) -> Vec<u8> {
    let mut bytes = json_out::to_pretty(summary);
    bytes.push(b'\n');
    bytes
}

struct SummarySource {
    job: &'static str,
    packet: Option<(String, Digest)>,
}

struct SummaryMeta {
    job: &'static str,
    integrity: Integrity,
    notes: &'static str,
    inputs: Vec<(String, Digest)>,
}

fn summarise(bundle: &Bundle, vocabulary: &Vocabulary, source: SummarySource) -> Result<OpSummary, ReviewError> {
    let tally = bundle.read_artifact(layout::RUNTIME_EVENTS, |reader| {
        let mut tally = SummaryTally::default();
        events::for_each(reader, &mut |event| tally.add(event)).map(|()| tally)
    })?;
    let index = format!("{}/{}", bundle.index().bundle_root, layout::ARTIFACT_INDEX);
    let events = bundle.entry(layout::RUNTIME_EVENTS).map(|entry| (entry.path.clone(), entry.sha256));
    let inputs = source.packet.into_iter().chain([(index, bundle.index_sha256())]).chain(events).collect();
    let meta = SummaryMeta {
        job: source.job,
        integrity: Integrity::Verified,
        notes: "Counted from the normalised events of a verified bundle.",
        inputs,
    };
    Ok(tally.finish(bundle.manifest().world_id.clone(), vocabulary, meta))
}

/// Counts in the making.
#[derive(Debug, Default)]
struct SummaryTally {
    ops: BTreeMap<String, OpTally>,
}

#[derive(Debug, Default)]
struct OpTally {
    all: u64,
    matches: u64,
    mismatches: u64,
    undecided: u64,
    unasserted: u64,
    unobserved: u64,
    blocked: BlockedCounts,
    examples: Vec<OpExample>,
    scenarios: BTreeSet<String>,
    mismatch_details: Vec<OpMismatch>,
}

impl SummaryTally {
    fn add(&mut self, event: EventView<String>) {
        let (is_blocked, is_unasserted) = (event.is_blocked(), event.is_unasserted());
        let op = self.ops.entry(event.operation).or_default();
        op.all += 1;
        if op.examples.len() < EXAMPLES {
            op.examples.push(OpExample {
                scenario_id: event.scenario_id.clone(),
                expectation_id: event.expectation_id.clone(),
                expected: event.expected,
                actual: event.actual,
                matched: event.matched,
            });
        }
        if is_blocked {
            op.blocked.total += 1;
            let stage = event.failure_stage.map_or("unknown", |stage| stage.as_str()).to_owned();
            *op.blocked.by_stage.entry(stage).or_default() += 1;
            *op.blocked.by_kind.entry(event.failure_kind.unwrap_or_else(|| "unknown".into())).or_default() += 1;
        } else if event.actual.is_none() && event.matched.is_none() {
            // Such a row is not witnessed either; the reference counts it with those that were decided and not witnessed.
            op.undecided += 1;
        } else if event.intended_op_witnessed == Some(false) {
            op.unobserved += 1;
        } else {
            match event.matched {
                Some(true) => op.matches += 1,
                Some(false) => {
                    op.mismatches += 1;
                    op.mismatch_details.push(OpMismatch {
                        scenario_id: event.scenario_id.clone(),
                        expectation_id: event.expectation_id,
                        expected: event.expected,
                        actual: event.actual,
                        target: event.target,
                    });
                }
                None if is_unasserted => op.unasserted += 1,
                None => op.undecided += 1,
            }
        }
        op.scenarios.insert(event.scenario_id);
    }

    fn finish(self, world_id: WorldId, vocabulary: &Vocabulary, meta: SummaryMeta) -> OpSummary {
        let ops: BTreeMap<String, OpEntry> = self
            .ops
            .into_iter()
            .map(|(name, op)| {
                let number = vocabulary.number(&name);
                (name.clone(), op.finish(name, number, world_id.clone()))
            })
            .collect();
        let status = ops.values().map(|op| op.coverage_status).min().unwrap_or(Coverage::Brittle);
        OpSummary {
            meta: OpSummaryMeta {
                world_id,
                schema_version: MAPPING_SCHEMA.into(),
                runtime_log_schema: RUNTIME_LOG_SCHEMA.into(),
                status,
                tier: "mapped".into(),
                source_jobs: vec![meta.job.into()],
                notes: meta.notes.into(),
                inputs: meta.inputs.iter().map(|(path, _)| path.clone()).collect(),
                input_hashes: meta.inputs.into_iter().collect(),
                integrity: meta.integrity,
            },
            ops,
        }
    }
}

impl OpTally {
    fn finish(self, op_name: String, op_id: Option<i64>, world_id: WorldId) -> OpEntry {
        let probes = self.matches + self.mismatches + self.unasserted;
        let coverage_status = if probes == 0 {
            Coverage::Brittle
        } else if self.matches == self.all {
            Coverage::Ok
        } else {
            Coverage::Partial
        };
        OpEntry {
            op_name,
            op_id,
            world_id,
            probes,
            matches: self.matches,
            mismatches: self.mismatches,
            probes_including_blocked: self.all,
            blocked: self.blocked,
            unobserved: self.unobserved,
            undecided: self.undecided,
            unasserted: self.unasserted,
            examples: self.examples,
            scenarios: self.scenarios.into_iter().collect(),
            mismatch_details: self.mismatch_details,
            coverage_status,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tally(events: serde_json::Value) -> OpSummary {
        let mut tally = SummaryTally::default();
        let text = events.to_string();
        events::for_each(&mut text.as_bytes(), &mut |event| tally.add(event)).unwrap();
        let meta = SummaryMeta { job: "runtime_bundle", integrity: Integrity::Verified, notes: "", inputs: Vec::new() };
        tally.finish(WorldId::new("w").unwrap(), &Vocabulary::default(), meta)
    }

    fn event(id: &str, operation: &str, more: serde_json::Value) -> serde_json::Value {
        let mut event = json!({"scenario_id": id, "expectation_id": id, "profile_id": "p", "operation": operation,
            "expected": "deny", "target": "/t", "world_id": "w", "unheard_of": [1]});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    }

    #[test]
    fn only_what_decided_is_counted_as_a_probe() {
        let good = json!({"actual": "deny", "match": true});
        let summary = tally(json!([
            event("a", "file-read*", good.clone()),
            event("b", "file-read*", json!({"actual": "allow", "match": false})),
            event(
                "c",
                "file-read*",
                json!({"failure_stage": "apply", "failure_kind": "landlock_rule_target", "match": true})
            ),
            event("d", "file-read*", json!({"intended_op_witnessed": false, "match": true})),
            event("e", "file-read*", json!({"failure_stage": "probe", "failure_kind": "probe_errno"})),
            event(
                "j",
                "file-read*",
                json!({"failure_stage": "probe", "failure_kind": "probe_errno", "intended_op_witnessed": false})
            ),
            event("f", "signal", good.clone()),
            event("k", "sysctl-read", good.clone()),
            event("l", "sysctl-read", json!({"expected": "any", "actual": "allow"})),
            event("m", "sysctl-read", json!({"expected": "any"})),
            event("g", "file-write*", json!({})),
            event("h", "mach-lookup", good.clone()),
            event("i", "mach-lookup", json!({"failure_stage": "bootstrap"})),
        ]));
        let read = &summary.ops["file-read*"];
        assert_eq!((read.probes, read.matches, read.mismatches, read.probes_including_blocked), (2, 1, 1, 6));
        assert_eq!((read.unobserved, read.undecided, read.blocked.total), (1, 2, 1));
        assert_eq!(read.blocked.by_kind["landlock_rule_target"], 1);
        assert_eq!(read.mismatch_details.len(), 1);
        assert_eq!(read.mismatch_details[0].scenario_id, "b");
        assert_eq!(read.scenarios, ["a", "b", "c", "d", "e", "j"]);
        assert_eq!(read.coverage_status, Coverage::Partial);
        assert_eq!(summary.ops["signal"].coverage_status, Coverage::Ok);
        // What nothing is expected of covers nothing.
        let any = &summary.ops["sysctl-read"];
        assert_eq!((any.probes, any.matches, any.unasserted, any.undecided), (2, 1, 1, 1));
        assert_eq!(any.coverage_status, Coverage::Partial);
        assert_eq!(summary.ops["file-write*"].coverage_status, Coverage::Brittle);
        // One good row does not make up for one that was never asked.
        assert_eq!(summary.ops["mach-lookup"].coverage_status, Coverage::Partial);
        assert_eq!(summary.meta.status, Coverage::Brittle);
        assert_eq!(tally(json!([])).meta.status, Coverage::Brittle);
    }

    #[test]
    fn what_is_no_list_of_events_is_refused() {
        for bad in ["{}", "[", "[1]", "[{}]", "[] []", r#"[{"scenario_id":"a","profile_id":"p","operation":7}]"#] {
            assert!(events::for_each(&mut bad.as_bytes(), &mut |_: EventView<String>| {}).is_err(), "{bad}");
        }
    }
}
