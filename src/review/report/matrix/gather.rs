//! From verified bundles to a matrix.

use std::collections::{HashMap, HashSet};
use std::{fmt, io};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::lane_rows::{LaneRows, with_lane};
use super::super::row::{Agreement, ReportCounts, ReportRow};
use super::row_facts::MatrixRowFacts;
use super::store::{CellWriter, StoredPlace};
use super::table::{MOST_COLUMNS, Matrix};
use super::{cell, words};
use crate::base::digest::Digest;
use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::policy::launcher::LauncherDocument;
use crate::record::enforcer::PolicyMode;
use crate::record::events::EventView;
use crate::record::launcher::Names;
use crate::record::launcher_matrix::{ClaimCounts, MatrixColumn, MatrixCounts, MatrixQuestion};
use crate::record::layout;
use crate::record::outcome::Lane;
use crate::record::sources::{InputRole, InputSources};
use crate::review::ReviewError;
use crate::review::events;

/// The part of the expected matrix that is read.
#[derive(Deserialize)]
struct MatrixProfiles {
    profiles: HashMap<String, MatrixProfileFacts>,
}

#[derive(Deserialize)]
struct MatrixProfileFacts {
    blob: String,
    mode: PolicyMode,
    /// The expectations that are about the spelled name alone.
    #[serde(rename = "probes", deserialize_with = "of_names_alone")]
    names_alone: HashSet<String>,
}

/// Keeps of a list of expectations those that are about one name.
fn of_names_alone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashSet<String>, D::Error> {
    #[derive(Deserialize)]
    struct Expectation {
        expectation_id: String,
        #[serde(default)]
        name_alone: bool,
    }
    struct Visit;
    impl<'de> Visitor<'de> for Visit {
        type Value = HashSet<String>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a list of expectations")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<HashSet<String>, A::Error> {
            let mut found = HashSet::new();
            while let Some(expectation) = list.next_element::<Expectation>()? {
                if expectation.name_alone {
                    found.insert(expectation.expectation_id);
                }
            }
            Ok(found)
        }
    }
    deserializer.deserialize_seq(Visit)
}

/// Joins what the bundles hold.
///
/// # Errors
/// If an artifact of one cannot be used, none of them has an executed row, or there are more than [`MOST_COLUMNS`] columns.
pub fn gather(bundles: &[Verified<Bundle>]) -> Result<Matrix, ReviewError> {
    let mut gathering = MatrixGathering {
        columns: Vec::new(),
        launchers: Vec::new(),
        questions: Vec::new(),
        numbers: HashMap::new(),
        asked: Vec::new(),
        cells: Vec::new(),
        stored: CellWriter::new().map_err(ReviewError::Output)?,
        counts: ReportCounts::default(),
        longest: 0,
        failed: None,
    };
    for (number, bundle) in (1..).zip(bundles) {
        gathering.take_bundle(number, bundle)?;
    }
    let MatrixGathering { mut columns, questions, mut cells, stored, counts, longest, .. } = gathering;
    cells.sort_unstable();
    label(&mut columns);
    let stored = stored.finish().map_err(ReviewError::Output)?;
    Ok(Matrix { columns, questions, cells, stored, counts, longest })
}

struct MatrixGathering {
    columns: Vec<MatrixColumn>,
    /// The launchers' documents, by column.
    launchers: Vec<Option<LauncherDocument>>,
    questions: Vec<StoredPlace>,
    /// The number of each question, by the digest of what makes it the same and how often its column has asked it before.
    numbers: HashMap<(Digest, u32), u32>,
    /// How often each column has asked a question, by the number that it has the first time.
    asked: Vec<HashMap<u32, u32>>,
    cells: Vec<(u32, u16, StoredPlace)>,
    stored: CellWriter,
    counts: ReportCounts,
    longest: usize,
    failed: Option<ReviewError>,
}

impl MatrixGathering {
    fn take_bundle(&mut self, number: usize, bundle: &Verified<Bundle>) -> Result<(), ReviewError> {
        let profiles: MatrixProfiles =
            bundle.read_artifact(layout::EXPECTED_MATRIX, |reader| serde_json::from_reader(reader))?;
        let sources: InputSources =
            bundle.read_artifact(layout::INPUT_SOURCES, |reader| serde_json::from_reader(reader))?;
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut last: Option<(String, usize)> = None;
        with_lane(bundle, Lane::Scenario, |raw| {
            let mut raw = LaneRows::<MatrixRowFacts>::new(raw);
            bundle.read_artifact(layout::RUNTIME_EVENTS, |reader| {
                events::for_each(reader, &mut |event: EventView<String>| {
                    if self.failed.is_some() {
                        return;
                    }
                    let Some(raw) = raw.take(&event) else {
                        let reason = format!("it has no row for the event `{}`", event.scenario_id);
                        self.failed = Some(unusable(layout::rows_of(Lane::Scenario), reason));
                        return;
                    };
                    let column = match &last {
                        Some((profile, column)) if *profile == event.profile_id => *column,
                        _ => match self.column(number, bundle, &profiles, &sources, &mut places, &event.profile_id) {
                            Ok(column) => column,
                            Err(error) => return self.failed = Some(error),
                        },
                    };
                    if last.as_ref().is_none_or(|(profile, _)| *profile != event.profile_id) {
                        last = Some((event.profile_id.clone(), column));
                    }
                    let alone = |facts: &MatrixProfileFacts| {
                        event.expectation_id.as_ref().is_some_and(|id| facts.names_alone.contains(id))
                    };
                    let names = match profiles.profiles.get(&event.profile_id).is_some_and(alone) {
                        true => Names::Spelled,
                        false => Names::All,
                    };
                    if let Err(error) = self.take_row(column, event, &raw, names) {
                        self.failed = Some(ReviewError::Output(error));
                    }
                })
            })
        })??;
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The column of a profile.
    fn column(
        &mut self,
        number: usize,
        bundle: &Verified<Bundle>,
        profiles: &MatrixProfiles,
        sources: &InputSources,
        places: &mut HashMap<String, usize>,
        profile_id: &str,
    ) -> Result<usize, ReviewError> {
        let facts = profiles
            .profiles
            .get(profile_id)
            .ok_or_else(|| unusable(layout::EXPECTED_MATRIX, format!("it does not name the profile `{profile_id}`")))?;
        if let Some(column) = places.get(&facts.blob) {
            self.columns[*column].profiles.push(profile_id.to_owned());
            return Ok(*column);
        }
        if self.columns.len() == MOST_COLUMNS {
            return Err(ReviewError::TooManyColumns { most: MOST_COLUMNS });
        }
        let document =
            sources.documents.iter().find(|source| source.role == InputRole::Policy && source.path == facts.blob);
        let launcher = match document.filter(|_| facts.mode == PolicyMode::Launcher) {
            None => None,
            Some(source) => Some(bundle.read_artifact(source.file.as_str(), |reader| {
                serde_json::from_reader::<_, LauncherDocument>(reader)
            })?),
        };
        let manifest = bundle.manifest();
        self.columns.push(MatrixColumn {
            label: launcher.as_ref().map_or_else(|| profile_id.to_owned(), |launcher| launcher.launcher_id.clone()),
            bundle: number,
            run_id: manifest.run_id.to_string(),
            identity: bundle.identity().map(|declaration| declaration.identity),
            index_sha256: bundle.index_sha256(),
            plan_id: manifest.plan_id.to_string(),
            world_id: manifest.world_id.to_string(),
            mode: facts.mode,
            policy: facts.blob.clone(),
            policy_sha256: document.map(|source| source.sha256),
            launcher_id: launcher.as_ref().map(|launcher| launcher.launcher_id.clone()),
            version: None,
            programs: Vec::new(),
            profiles: vec![profile_id.to_owned()],
            starts: Vec::new(),
            residue: Vec::new(),
            counts: MatrixCounts::default(),
            claims: ClaimCounts::default(),
        });
        self.launchers.push(launcher);
        self.asked.push(HashMap::new());
        let column = self.columns.len() - 1;
        places.insert(facts.blob.clone(), column);
        Ok(column)
    }

    fn take_row(
        &mut self,
        column: usize,
        event: EventView<String>,
        raw: &MatrixRowFacts,
        names: Names,
    ) -> io::Result<()> {
        let question = MatrixQuestion {
            probe_id: raw.probe_id.clone(),
            operation: event.operation.clone(),
            target: event.target.clone().unwrap_or_default(),
            driver: raw.driver().info().name.to_owned(),
        };
        let row = ReportRow::new(event);
        self.counts.add(&row);
        let number = self.number(column, &question)?;
        let cell = cell::of(&row, raw, names, self.launchers[column].as_ref(), &question);
        count(&mut self.columns[column], row.agreement, raw, &cell);
        let place = self.stored.put(&cell)?;
        let column = u16::try_from(column).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.cells.push((number, column, place));
        Ok(())
    }

    /// The number of a question in this column; a new one if no column has asked it so often.
    fn number(&mut self, column: usize, question: &MatrixQuestion) -> io::Result<u32> {
        let MatrixQuestion { probe_id, operation, target, driver } = question;
        let digest = Digest::of(&serde_json::to_vec(&[probe_id, operation, target, driver])?);
        let first = self.numbered(digest, 0, question)?;
        let before = self.asked[column].entry(first).or_insert(0);
        let times = std::mem::replace(before, *before + 1);
        if times == 0 { Ok(first) } else { self.numbered(digest, times, question) }
    }

    fn numbered(&mut self, digest: Digest, times: u32, question: &MatrixQuestion) -> io::Result<u32> {
        if let Some(number) = self.numbers.get(&(digest, times)) {
            return Ok(*number);
        }
        let number = u32::try_from(self.questions.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.longest = self.longest.max(words::question(question).chars().count());
        self.questions.push(self.stored.put(question)?);
        self.numbers.insert((digest, times), number);
        Ok(number)
    }
}

fn unusable(name: &str, reason: String) -> ReviewError {
    ReviewError::Artifact(ArtifactError::Unusable { name: name.to_owned(), reason })
}

/// Adds a row to what its column says of all its rows.
fn count(
    column: &mut MatrixColumn,
    agreement: Agreement,
    raw: &MatrixRowFacts,
    cell: &crate::record::launcher_matrix::MatrixCell,
) {
    column.counts.questions += 1;
    *match agreement {
        Agreement::Matched => &mut column.counts.as_expected,
        Agreement::Mismatched => &mut column.counts.mismatched,
        Agreement::Undecided => &mut column.counts.undecided,
        Agreement::Asked => &mut column.counts.asked,
        Agreement::Unasserted => &mut column.counts.unasserted,
    } += 1;
    if let Some(claim) = &cell.claim {
        *match claim.borne_out {
            Some(true) => &mut column.claims.borne_out,
            Some(false) => &mut column.claims.contradicted,
            None => &mut column.claims.open,
        } += 1;
    }
    let Some(record) = &raw.launcher else { return };
    let start = &record.start;
    if let Some(mode) = start.mode.filter(|mode| !column.starts.contains(mode)) {
        column.starts.push(mode);
    }
    if column.version.is_none() {
        column.version.clone_from(&start.version);
    }
    if column.programs.is_empty() {
        column.programs.clone_from(&start.programs);
    }
    for left in &start.residue {
        if !column.residue.contains(left) && column.residue.len() < 20 {
            column.residue.push(left.clone());
        }
    }
}

/// Gives each column a label of its own: its name, with its version where that tells it from others, else with its bundle's
/// number, else with its own.
fn label(columns: &mut [MatrixColumn]) {
    fn times(columns: &[MatrixColumn]) -> HashMap<String, usize> {
        let mut times = HashMap::new();
        for column in columns {
            *times.entry(column.label.clone()).or_default() += 1;
        }
        times
    }
    let several = |times: &HashMap<String, usize>, column: &MatrixColumn| times[&column.label] > 1;
    let first = times(columns);
    for column in columns.iter_mut().filter(|column| several(&first, column)) {
        if let Some(version) = &column.version {
            let short = version.strip_prefix(column.label.as_str()).unwrap_or(version).trim();
            column.label = format!("{} {}", column.label, short.chars().take(20).collect::<String>());
        }
    }
    let second = times(columns);
    for column in columns.iter_mut().filter(|column| several(&second, column)) {
        column.label = format!("{} [{}]", column.label, column.bundle);
    }
    let third = times(columns);
    for (number, column) in (1..).zip(columns.iter_mut().filter(|column| several(&third, column))) {
        column.label = format!("{} #{number}", column.label);
    }
}
