//! Links: which profile and which expectation is evidenced by which packet.
//!
//! Two packets may hold the same profile or expectation, and often do: another run of the same plan. What they say of it
//! has to be the same then, the packet itself aside. All that does not fit is said at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::events;
use super::{OpenedPacket, ReviewError, Vocabulary};
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError};
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::output::OutputPlace;
use crate::base::printable::excerpt;
use crate::base::suggest::hint_for;
use crate::base::{json, json_out};
use crate::policy::operations::is_operation;
use crate::record::events::EventView;
use crate::record::layout;
use crate::record::links::{
    LINK_KEYS, LinkedExpectation, LinkedPacket, LinkedProfile, LinksMeta, ObservationCounts, ProfileSource,
    RUNTIME_LINKS_SCHEMA, RuntimeLinks,
};
use crate::record::outcome::Expectation;
use crate::record::sources::{InputRole, InputSource, InputSources};

/// Folders of a bundle that hold policies as they were applied.
const SB_BUILD: &str = "sb_build";
const RUNTIME_PROFILES: &str = "runtime_profiles";

/// The part of an expected matrix that links are made of.
#[derive(Deserialize)]
struct LinkMatrix {
    profiles: BTreeMap<String, LinkMatrixEntry>,
}

#[derive(Deserialize)]
struct LinkMatrixEntry {
    blob: String,
    mode: String,
    family: Option<String>,
    semantic_group: Option<String>,
    probes: Vec<LinkMatrixProbe>,
}

#[derive(Deserialize)]
struct LinkMatrixProbe {
    operation: String,
    target: String,
    expected: Expectation,
    expectation_id: String,
    #[serde(default)]
    driver: Option<String>,
}

/// Another mapping document that the links name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDocument {
    /// One of [`LINK_KEYS`].
    pub key: String,
    /// Path of the document, as it was named.
    pub path: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

impl NamedDocument {
    /// Digests the document at `file`.
    pub fn read(key: &str, file: &Path) -> Result<Self, ReviewError> {
        if !LINK_KEYS.contains(&key) {
            let contradictions =
                vec![format!("`{key}` is not a document that links name; known are {}", LINK_KEYS.join(", "))];
            return Err(ReviewError::Contradiction { contradictions });
        }
        let bytes = fsx::read_input(file, MAX_INPUT_DOCUMENT_BYTES)?;
        Ok(Self { key: key.to_owned(), path: file.display().to_string(), digest: Digest::of(&bytes) })
    }
}

/// Makes the links of these packets.
pub fn build(
    packets: &[OpenedPacket],
    documents: &[NamedDocument],
    vocabulary: &Vocabulary,
) -> Result<RuntimeLinks, ReviewError> {
    let refuse = |contradictions| Err(ReviewError::Contradiction { contradictions });
    let Some(first) = packets.first() else { return refuse(vec!["links need at least one packet".into()]) };
    let world_id = first.packet().world_id.clone();
    let mut made = LinksInProgress::new(vocabulary);
    for packet in packets {
        let path = packet.path().display().to_string();
        if packet.packet().world_id != world_id {
            made.refuse(format!(
                "`{path}` is of world `{}`, `{}` of world `{world_id}`",
                packet.packet().world_id,
                first.path().display(),
            ));
        }
        if made.packets.contains_key(&path) {
            made.refuse(format!("`{path}` is given twice"));
            continue;
        }
        made.add(&path, packet)?;
    }
    if !made.contradictions.is_empty() {
        return refuse(made.contradictions);
    }
    let packet_hashes = packets.iter().map(|packet| (packet.path().display().to_string(), packet.digest()));
    let hashes: BTreeMap<String, Digest> =
        packet_hashes.chain(documents.iter().map(|document| (document.path.clone(), document.digest))).collect();
    let packet_records = std::mem::take(&mut made.packets);
    let expectations = std::mem::take(&mut made.expectations);
    Ok(RuntimeLinks {
        meta: LinksMeta {
            world_id,
            schema_version: RUNTIME_LINKS_SCHEMA.into(),
            status: "ok".into(),
            notes: "Made of packets whose bundles were verified.".into(),
            inputs: hashes.keys().cloned().collect(),
            input_hashes: hashes,
        },
        links: documents.iter().map(|document| (document.key.clone(), document.path.clone())).collect(),
        packets: packet_records,
        profiles: made.into_profiles(),
        expectations,
    })
}

/// Links in the making.
struct LinksInProgress<'a> {
    vocabulary: &'a Vocabulary,
    packets: BTreeMap<String, LinkedPacket>,
    profiles: BTreeMap<String, LinkedProfile>,
    expectations: BTreeMap<String, LinkedExpectation>,
    observed: BTreeMap<String, ObservedEvents>,
    contradictions: Vec<String>,
}

/// What events of a profile were seen.
#[derive(Debug, Default)]
struct ObservedEvents {
    counts: ObservationCounts,
    operations: BTreeSet<String>,
    scenarios: BTreeSet<String>,
    expectations: BTreeSet<String>,
}

impl<'a> LinksInProgress<'a> {
    fn new(vocabulary: &'a Vocabulary) -> Self {
        Self {
            vocabulary,
            packets: BTreeMap::new(),
            profiles: BTreeMap::new(),
            expectations: BTreeMap::new(),
            observed: BTreeMap::new(),
            contradictions: Vec::new(),
        }
    }

    fn add(&mut self, path: &str, packet: &OpenedPacket) -> Result<(), ReviewError> {
        let bundle = packet.bundle();
        let record = packet.packet();
        let root = &bundle.index().bundle_root;
        let folder = |name: &str| {
            let prefix = format!("{name}/");
            bundle.entries().any(|(entry, _)| entry.as_str().starts_with(&prefix)).then(|| format!("{root}/{name}"))
        };
        self.packets.insert(
            path.to_owned(),
            LinkedPacket {
                run_id: record.run_id.clone(),
                run_manifest: record.run_manifest.clone(),
                expected_matrix: record.expected_matrix.clone(),
                runtime_events: record.runtime_events.clone(),
                runtime_results: record.runtime_results.clone(),
                baseline_results: record.baseline_results.clone(),
                oracle_results: record.oracle_results.clone(),
                output_root: root.clone(),
                sb_build_dir: folder(SB_BUILD),
                runtime_profiles_dir: folder(RUNTIME_PROFILES),
                index_sha256: record.index_sha256,
            },
        );
        let matrix: LinkMatrix =
            bundle.read_artifact(layout::EXPECTED_MATRIX, |reader| serde_json::from_reader(reader))?;
        let sources: InputSources =
            bundle.read_artifact(layout::INPUT_SOURCES, |reader| serde_json::from_reader(reader))?;
        for (id, entry) in matrix.profiles {
            self.add_profile(path, packet, &id, entry, &sources.documents);
        }
        // Without a scenario lane there are no events, and nothing was observed.
        if bundle.entry(layout::RUNTIME_EVENTS).is_some() {
            bundle.read_artifact(layout::RUNTIME_EVENTS, |reader| {
                events::for_each(reader, &mut |event| self.observe(path, event))
            })?;
        }
        Ok(())
    }

    fn add_profile(
        &mut self,
        path: &str,
        packet: &OpenedPacket,
        id: &str,
        entry: LinkMatrixEntry,
        sources: &[InputSource],
    ) {
        let matrix = &packet.packet().expected_matrix;
        let source = sources.iter().find(|source| source.role == InputRole::Policy && source.path == entry.blob);
        let applied = |folder: &str, ending: &str| {
            let wanted = format!("{}{ending}", id.replace(':', "_"));
            let mut kept = packet.bundle().entries().filter(|(file, _)| file.as_str().starts_with(folder));
            kept.find(|(file, _)| file.as_str().ends_with(&wanted)).map(|(_, entry)| entry.path.clone())
        };
        let stem = Path::new(&entry.blob).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let compiled = packet.bundle().entry(&format!("{SB_BUILD}/{stem}.sb.bin")).map(|entry| entry.path.clone());
        let mut found = LinkedProfile {
            profile_id: id.to_owned(),
            profile_path: entry.blob.clone(),
            profile_mode: entry.mode,
            family: entry.family,
            semantic_group: entry.semantic_group,
            expected_ops: entry.probes.iter().map(|probe| probe.operation.clone()).collect(),
            observed_ops: Vec::new(),
            op_ids: BTreeMap::new(),
            expectation_ids: entry.probes.iter().map(|probe| probe.expectation_id.clone()).collect(),
            scenario_ids: Vec::new(),
            observed_expectation_ids: Vec::new(),
            observation_counts: ObservationCounts::default(),
            source_packets: vec![path.to_owned()],
            expected_matrix_sources: vec![matrix.clone()],
            profile_source: ProfileSource {
                path: entry.blob,
                exists: source.is_some(),
                sha256: source.map(|source| source.sha256),
                size: source.map(|source| source.size),
            },
            compiled_blob: compiled,
            runtime_profile: applied(RUNTIME_PROFILES, ".runtime.sb"),
        };
        tidy(&mut found.expected_ops);
        let numbered = |op: &String| Some((op.clone(), self.vocabulary.number(op)?));
        found.op_ids = found.expected_ops.iter().filter_map(numbered).collect();
        for operation in found.expected_ops.iter().filter(|op| !is_operation(op)) {
            self.refuse(format!("`{operation}`, which `{path}` expects something of, is not an operation"));
        }
        match self.profiles.get_mut(id) {
            None => {
                self.profiles.insert(id.to_owned(), found);
            }
            Some(known) => merge_profile(known, found, path, &mut self.contradictions),
        }
        for probe in entry.probes {
            self.add_expectation(path, matrix, id, probe);
        }
    }

    fn add_expectation(&mut self, path: &str, matrix: &str, profile: &str, probe: LinkMatrixProbe) {
        let found = LinkedExpectation {
            op_id: self.vocabulary.number(&probe.operation),
            expectation_id: probe.expectation_id.clone(),
            profile_id: profile.to_owned(),
            operation: probe.operation,
            expected: probe.expected,
            target: probe.target,
            driver: probe.driver,
            source_packet: path.to_owned(),
            expected_matrix: matrix.to_owned(),
            source_packets: vec![path.to_owned()],
        };
        let Some(known) = self.expectations.get_mut(&probe.expectation_id) else {
            self.expectations.insert(probe.expectation_id, found);
            return;
        };
        let differing: Vec<&str> = [
            ("profile", known.profile_id != found.profile_id),
            ("operation", known.operation != found.operation),
            ("expected", known.expected != found.expected),
            ("target", known.target != found.target),
            ("driver", known.driver != found.driver),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect();
        if !differing.is_empty() {
            self.contradictions.push(format!(
                "the expectation `{}` is another one in `{path}` than in `{}`: {}",
                found.expectation_id,
                known.source_packet,
                differing.join(", "),
            ));
        }
        known.source_packets.push(path.to_owned());
        tidy(&mut known.source_packets);
        if known.source_packets[0] == path {
            known.source_packet = path.to_owned();
            known.expected_matrix = matrix.to_owned();
        }
    }

    fn observe(&mut self, path: &str, event: EventView<String>) {
        if !self.profiles.contains_key(&event.profile_id) {
            self.refuse(format!("`{path}` has an event of `{}`, which its matrix lacks", event.profile_id));
            return;
        }
        let is_blocked = event.is_blocked();
        let seen = self.observed.entry(event.profile_id).or_default();
        seen.counts.total += 1;
        if is_blocked {
            seen.counts.blocked += 1;
            let stage = event.failure_stage.map_or("unknown", |stage| stage.as_str()).to_owned();
            *seen.counts.blocked_by_stage.entry(stage).or_default() += 1;
        }
        seen.scenarios.insert(event.scenario_id);
        seen.expectations.extend(event.expectation_id);
        let unknown = !is_operation(&event.operation);
        if seen.operations.insert(event.operation.clone()) && unknown {
            self.refuse(format!("`{}`, of which `{path}` has an event, is not an operation", event.operation));
        }
    }

    /// Notes a contradiction; past the first hundred nobody reads them.
    fn refuse(&mut self, contradiction: String) {
        if self.contradictions.len() < 100 {
            self.contradictions.push(contradiction);
        }
    }

    /// The profiles with what was observed of them.
    fn into_profiles(self) -> BTreeMap<String, LinkedProfile> {
        let mut profiles = self.profiles;
        for (id, seen) in self.observed {
            let Some(profile) = profiles.get_mut(&id) else { continue };
            profile.observation_counts = seen.counts;
            profile.observed_ops = seen.operations.into_iter().collect();
            profile.scenario_ids = seen.scenarios.into_iter().collect();
            profile.observed_expectation_ids = seen.expectations.into_iter().collect();
        }
        profiles
    }
}

fn merge_profile(known: &mut LinkedProfile, found: LinkedProfile, path: &str, contradictions: &mut Vec<String>) {
    let differing: Vec<&str> = [
        ("path", known.profile_path != found.profile_path),
        ("mode", known.profile_mode != found.profile_mode),
        ("the policy document itself", known.profile_source.sha256 != found.profile_source.sha256),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect();
    if !differing.is_empty() {
        contradictions.push(format!(
            "the profile `{}` is another one in `{path}` than in `{}`: {}",
            known.profile_id,
            known.source_packets.join("`, `"),
            differing.join(", "),
        ));
    }
    fn join<T: Ord>(all: &mut Vec<T>, more: Vec<T>) {
        all.extend(more);
        tidy(all);
    }
    let seen: BTreeSet<String> = known.expectation_ids.iter().cloned().collect();
    join(&mut known.expected_ops, found.expected_ops);
    known.op_ids.extend(found.op_ids);
    // In the order of the plan, which both have as far as they agree.
    let more = found.expectation_ids.into_iter().filter(|id| !seen.contains(id));
    known.expectation_ids.extend(more);
    join(&mut known.source_packets, found.source_packets);
    join(&mut known.expected_matrix_sources, found.expected_matrix_sources);
    known.compiled_blob = known.compiled_blob.take().or(found.compiled_blob);
    known.runtime_profile = known.runtime_profile.take().or(found.runtime_profile);
}

fn tidy<T: Ord>(list: &mut Vec<T>) {
    list.sort();
    list.dedup();
}

/// Writes links, as a whole and durably, with a newline at the end.
pub fn write(links: &RuntimeLinks, file: &Path) -> Result<(), FileError> {
    OutputPlace::of(file)?.write(&to_bytes(links))
}

/// The document as it is written.
pub fn to_bytes(links: &RuntimeLinks) -> Vec<u8> {
    let mut bytes = json_out::to_pretty(links);
    bytes.push(b'\n');
    bytes
}

/// Reads links.
pub fn load(file: &Path) -> Result<RuntimeLinks, ReviewError> {
    let shape = |reason: String| ReviewError::Shape { file: file.to_owned(), what: "list of links", reason };
    let bytes = fsx::read_input(file, MAX_INPUT_DOCUMENT_BYTES)?;
    let value = json::parse(&bytes).map_err(|source| ReviewError::Json { file: file.to_owned(), source })?;
    let format = value.pointer("/meta/schema_version").and_then(|format| format.as_str()).unwrap_or_default();
    if format != RUNTIME_LINKS_SCHEMA {
        return Err(shape(format!("its format is not `{RUNTIME_LINKS_SCHEMA}`")));
    }
    serde_json::from_value(value).map_err(|error| shape(error.to_string().chars().take(400).collect()))
}

impl RuntimeLinks {
    /// The profile of that id.
    pub fn resolve_profile(&self, id: &str) -> Result<&LinkedProfile, ReviewError> {
        resolve("profile", &self.profiles, id, "`sandproof links profiles` lists them")
    }

    /// The expectation of that id.
    pub fn resolve_expectation(&self, id: &str) -> Result<&LinkedExpectation, ReviewError> {
        resolve("expectation", &self.expectations, id, "`sandproof links expectations` lists them")
    }
}

fn resolve<'a, T>(
    kind: &'static str,
    all: &'a BTreeMap<String, T>,
    id: &str,
    otherwise: &str,
) -> Result<&'a T, ReviewError> {
    all.get(id).ok_or_else(|| ReviewError::UnknownId {
        kind,
        id: excerpt(id, 80),
        remedy: hint_for(id, all.keys().map(String::as_str), otherwise),
    })
}
