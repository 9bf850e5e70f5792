//! Reading bundles for a comparison: of each only numbers are kept, because there may be very many.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::facts;
use crate::base::digest::Digest;
use crate::base::printable::path_text;
use crate::base::threads;
use crate::bundle::{self, Bundle, Verified};
use crate::record::compare::{ComparedWorld, LeftOutWorld};
use crate::record::layout;
use crate::record::outcome::Decision;
use crate::review::ReviewError;

/// Texts by number.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(known) = self.numbers.get(text) {
            return *known;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

/// A question, the same in every world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct QuestionKey {
    /// None where launchers are asked.
    profile: Option<String>,
    id: String,
    probe: Digest,
}

/// What is known of a question.
#[derive(Debug, Clone)]
pub(super) struct KnownQuestion {
    pub(super) profile: Option<String>,
    pub(super) id: String,
    pub(super) operation: String,
    pub(super) target: String,
}

/// A world, in numbers.
#[derive(Debug)]
pub(super) struct WorldColumn {
    pub(super) world: ComparedWorld,
    /// Place of its bundle among those that were named, and its own in that.
    order: (usize, usize),
    /// Question and answer, in plan order; the same list for all worlds that say the same.
    pub(super) answers: Arc<[(u32, u32)]>,
    /// Fact and value.
    pub(super) facts: Vec<(u32, u32)>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) columns: Vec<WorldColumn>,
    /// Every list of answers, once.
    said: HashSet<Arc<[(u32, u32)]>>,
    questions: HashMap<QuestionKey, u32>,
    pub(super) known: Vec<KnownQuestion>,
    pub(super) answers: Texts,
    pub(super) facts: Texts,
    pub(super) values: Texts,
    pub(super) left_out: Vec<LeftOutWorld>,
    failed: Option<ReviewError>,
}

/// Verifies and reads every bundle.
pub(super) fn gather(paths: &[PathBuf]) -> Result<Gathered, ReviewError> {
    let gathered = Mutex::new(Gathered::default());
    let next = AtomicUsize::new(0);
    let workers = (threads::usual_workers() as usize).min(paths.len()).max(1);
    threads::together(workers, || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(place) else { return };
            let lock = || gathered.lock().unwrap_or_else(PoisonError::into_inner);
            match bundle::verify(path) {
                Ok(bundle) => {
                    let taken = read(&bundle).and_then(|read| lock().take(place, path_text(path), &bundle, read));
                    if let Err(error) = taken {
                        lock().failed = Some(error);
                    }
                }
                Err(refused) => lock().left_out.push(LeftOutWorld {
                    path: path_text(path),
                    why: refused.findings.first().map_or_else(String::new, ToString::to_string),
                    unfinished: refused.is_unfinished(),
                }),
            }
        }
    });
    let mut gathered = gathered.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = gathered.failed.take() {
        return Err(error);
    }
    gathered.columns.sort_by_key(|column| column.order);
    gathered.left_out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(gathered)
}

/// A row of `verdicts.jsonl`, as far as it is compared.
#[derive(Deserialize)]
struct VerdictView {
    profile_id: String,
    expectation_id: String,
    probe_sha256: Digest,
    actual: Option<Decision>,
    failure_kind: Option<String>,
    mechanism: Option<String>,
    scenario: Option<Value>,
}

/// What a bundle says: its rows, by launcher, or all of them together.
struct ReadBundle {
    columns: BTreeMap<Option<String>, Vec<(QuestionKey, String)>>,
}

#[derive(Deserialize)]
struct MatrixView {
    profiles: HashMap<String, MatrixProfileView>,
}

#[derive(Deserialize)]
struct MatrixProfileView {
    probes: Vec<MatrixProbeView>,
}

#[derive(Deserialize)]
struct MatrixProbeView {
    operation: String,
    target: String,
    expectation_id: String,
}

fn read(bundle: &Verified<Bundle>) -> Result<ReadBundle, ReviewError> {
    let mut columns: BTreeMap<Option<String>, Vec<(QuestionKey, String)>> = BTreeMap::new();
    let modes = bundle.identity().and_then(|declaration| declaration.artifact.get("profiles"));
    let is_launcher = |profile: &str| modes.is_some_and(|modes| modes[profile]["mode"] == "launcher");
    bundle.read_artifact(layout::VERDICTS, |reader| {
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok::<_, io::Error>(());
            }
            let row: VerdictView = serde_json::from_slice(&line)?;
            if row.scenario.is_none() {
                continue;
            }
            let answer = answer(&row);
            let own = row.expectation_id.strip_prefix(&row.profile_id).and_then(|rest| rest.strip_prefix("::"));
            let id = own.unwrap_or(&row.expectation_id).to_owned();
            let launcher = is_launcher(&row.profile_id);
            let (column, profile) = match launcher {
                true => (Some(row.profile_id), None),
                false => (None, Some(row.profile_id)),
            };
            let key = QuestionKey { profile, id, probe: row.probe_sha256 };
            columns.entry(column).or_default().push((key, answer));
        }
    })?;
    Ok(ReadBundle { columns })
}

fn answer(row: &VerdictView) -> String {
    match (row.actual, &row.mechanism, &row.failure_kind) {
        (Some(Decision::Deny), Some(mechanism), _) => format!("deny ({mechanism})"),
        (Some(decision), _, _) => decision.as_str().to_owned(),
        (None, _, Some(kind)) => format!("undecided ({kind})"),
        (None, _, None) => "undecided".to_owned(),
    }
}

impl Gathered {
    fn take(
        &mut self,
        place: usize,
        path: String,
        bundle: &Verified<Bundle>,
        read: ReadBundle,
    ) -> Result<(), ReviewError> {
        let ReadBundle { columns } = read;
        // What a question is about is read of the first bundle that has it.
        let unknown = columns.values().flatten().any(|(key, _)| !self.questions.contains_key(key));
        let matrix = match unknown {
            true => bundle.read_artifact(layout::EXPECTED_MATRIX, |reader| serde_json::from_reader(reader))?,
            false => MatrixView { profiles: HashMap::new() },
        };
        for (n, (launcher, rows)) in columns.into_iter().enumerate() {
            let mut answers = Vec::with_capacity(rows.len());
            for (key, answer) in rows {
                let answer = self.answers.number(&answer);
                let question = match self.questions.get(&key) {
                    Some(known) => *known,
                    None => self.learn(key, launcher.as_deref(), &matrix),
                };
                answers.push((question, answer));
            }
            let answers = match self.said.get(answers.as_slice()) {
                Some(known) => Arc::clone(known),
                None => {
                    let new: Arc<[(u32, u32)]> = answers.into();
                    self.said.insert(Arc::clone(&new));
                    new
                }
            };
            let facts = facts::of(bundle, launcher.as_deref())
                .into_iter()
                .map(|(fact, value)| (self.facts.number(&fact), self.values.number(&value)))
                .collect();
            let world = ComparedWorld {
                path: path.clone(),
                run_id: bundle.manifest().run_id.to_string(),
                world_id: bundle.manifest().world_id.to_string(),
                launcher,
                index_sha256: bundle.index_sha256(),
            };
            self.columns.push(WorldColumn { world, order: (place, n), answers, facts });
        }
        Ok(())
    }

    fn learn(&mut self, key: QuestionKey, launcher: Option<&str>, matrix: &MatrixView) -> u32 {
        let profile = key.profile.as_deref().or(launcher).unwrap_or_default();
        let full = format!("{profile}::{}", key.id);
        let probes = matrix.profiles.get(profile).map_or(&[][..], |profile| &profile.probes);
        let probe = probes.iter().find(|probe| probe.expectation_id == key.id || probe.expectation_id == full);
        self.known.push(KnownQuestion {
            profile: key.profile.clone(),
            id: key.id.clone(),
            operation: probe.map_or_else(String::new, |probe| probe.operation.clone()),
            target: probe.map_or_else(String::new, |probe| probe.target.clone()),
        });
        let number = self.known.len() as u32 - 1;
        self.questions.insert(key, number);
        number
    }
}
