//! Attempts: runs of one declaration. That two of them disagree is evidence of its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::rows::{self, RowKey};
use super::verdicts::{self, LANES};
use super::{DiffError, attempts_sealed};
use crate::base::digest::{Digest, Hasher};
use crate::base::printable::{Lines, path_text};
use crate::base::threads;
use crate::bundle::{self, Bundle, Verified};
use crate::record::attempts::{ATTEMPTS_SCHEMA, AttemptedRun, Attempts, Group, LeftOut, RowInQuestion};
use crate::record::outcome::Lane;
use crate::record::run_diff::RowVerdict;

/// How many rows in question a group lists. All are counted.
const MAX_LISTED: usize = 1000;

/// What is kept of an attempt. There may be very many, so it is no verified bundle and holds no rows.
#[derive(Debug)]
struct AttemptRead {
    /// Where it lies, as it was given.
    path: PathBuf,
    /// Where that leads.
    folder: Option<PathBuf>,
    identity: Option<Digest>,
    plan_id: String,
    started_at_unix_s: f64,
    run_id: String,
    world_id: String,
    index_sha256: Digest,
    /// How many rows it has, in all lanes.
    rows: u64,
    /// Stands for all that its rows say, in their order.
    verdicts: Digest,
}

/// Verifies the bundles at these paths, groups them, and compares the attempts of each declaration.
///
/// Each bundle is verified and read once, as many at a time as there are processors. Where attempts of one declaration do not say the
/// same, one of each kind is verified and read once more, row by row beside the first.
pub fn attempts(paths: &[impl AsRef<Path> + Sync]) -> Result<Attempts, DiffError> {
    let mut groups: BTreeMap<Option<Digest>, Vec<AttemptRead>> = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut seen = BTreeSet::new();
    let is_sealed = |path: &Path| bundle::sealed_run::is_sealed_run(path);
    let (sealed, paths): (Vec<&Path>, Vec<&Path>) = paths.iter().map(AsRef::as_ref).partition(|path| is_sealed(path));
    let mut sealed_read = Vec::new();
    let mut known = BTreeSet::new();
    for (path, read) in sealed.iter().zip(threads::each(sealed.len(), |place| attempts_sealed::read(sealed[place]))) {
        match read {
            Ok(_) if !known.insert(path.canonicalize().ok()) => {}
            Ok(one) => sealed_read.push(one),
            Err(left) => left_out.push(left),
        }
    }
    let read = threads::each(paths.len(), |place| read(paths[place]));
    for (path, read) in paths.iter().zip(read) {
        match read {
            // An output root leads to one of its own bundles.
            Ok(attempt) if !seen.insert(attempt.folder.clone()) => {}
            Ok(attempt) => groups.entry(attempt.identity).or_default().push(attempt),
            Err(DiffError::Refused(refused)) => {
                let path = path.display().to_string();
                left_out.push(LeftOut { path, why: refused.to_string(), unfinished: refused.is_unfinished() });
            }
            Err(other) => return Err(other),
        }
    }
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    let groups = groups.into_iter().map(|(identity, attempts)| group(identity, attempts));
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let sealed = attempts_sealed::groups(sealed_read);
    let agree =
        groups.iter().all(|group| group.disagreements == 0) && sealed.iter().all(|group| group.disagreements == 0);
    Ok(Attempts { schema_version: ATTEMPTS_SCHEMA, agree, groups, sealed, left_out })
}

fn verify(path: &Path) -> Result<Verified<Bundle>, DiffError> {
    bundle::verify(path).map_err(|refused| DiffError::Refused(Box::new(refused)))
}

fn read(path: &Path) -> Result<AttemptRead, DiffError> {
    let bundle = verify(path)?;
    let (mut rows, mut verdicts) = (0, Hasher::default());
    for lane in LANES {
        // What cannot stand in a row parts the lanes.
        verdicts.update(b"\0");
        rows::all(&bundle, lane, &mut |row| {
            rows += 1;
            // A digest takes whatever it is given.
            let _ = serde_json::to_writer(&mut verdicts, &row);
            verdicts.update(b"\n");
            true
        })?;
    }
    let (manifest, index) = (bundle.manifest(), bundle.index());
    Ok(AttemptRead {
        path: path.to_owned(),
        folder: bundle.folder().canonicalize().ok(),
        identity: bundle.identity().map(|declaration| declaration.identity),
        plan_id: manifest.plan_id.to_string(),
        started_at_unix_s: manifest.started_at_unix_s,
        run_id: index.run_id.to_string(),
        world_id: index.world_id.to_string(),
        index_sha256: bundle.index_sha256(),
        rows,
        verdicts: verdicts.finish().0,
    })
}

/// The same bundle once more, for its rows.
fn again(attempt: &AttemptRead) -> Result<Verified<Bundle>, DiffError> {
    let bundle = verify(&attempt.path)?;
    if bundle.index_sha256() == attempt.index_sha256 {
        Ok(bundle)
    } else {
        Err(DiffError::Document {
            file: path_text(&attempt.path),
            reason: "it was replaced while it was compared; compare again".into(),
        })
    }
}

fn group(identity: Option<Digest>, mut attempts: Vec<AttemptRead>) -> Result<Group, DiffError> {
    attempts.sort_by(|a, b| a.started_at_unix_s.total_cmp(&b.started_at_unix_s).then_with(|| a.run_id.cmp(&b.run_id)));
    let shown = attempts.iter().map(|attempt| AttemptedRun {
        run_id: attempt.run_id.clone(),
        path: attempt.path.display().to_string(),
        world_id: attempt.world_id.clone(),
    });
    let mut group = Group {
        identity,
        plan_id: attempts.first().map(|first| first.plan_id.clone()).unwrap_or_default(),
        attempts: shown.collect(),
        rows: 0,
        disagreements: 0,
        rows_in_question: Vec::new(),
        unlisted: 0,
    };
    let Some((first, others)) = attempts.split_first() else { return Ok(group) };
    // Bundles that declare nothing have nothing in common.
    if identity.is_none() || others.is_empty() {
        return Ok(group);
    }
    group.rows = first.rows;
    // Attempts that say the same are one kind, for which its first stands; the first kind is that of the first attempt.
    let mut kinds: Vec<&AttemptRead> = Vec::new();
    let mut by_verdicts: BTreeMap<Digest, usize> = BTreeMap::new();
    let kind_of: Vec<usize> = attempts
        .iter()
        .map(|attempt| {
            *by_verdicts.entry(attempt.verdicts).or_insert_with(|| {
                kinds.push(attempt);
                kinds.len() - 1
            })
        })
        .collect();
    if kinds.len() == 1 {
        return Ok(group);
    }
    let first = again(first)?;
    let found = threads::each(kinds.len() - 1, |place| {
        let other = again(kinds[place + 1])?;
        let mut found = RowsInQuestion::default();
        for lane in LANES {
            verdicts::join(&first, &other, lane, |(key, a, b)| {
                if a.map(|verdict| verdict.actual) != b.map(|verdict| verdict.actual) {
                    found.add(lane, key);
                }
            })?;
        }
        Ok::<_, DiffError>(found)
    });
    let mut in_question = RowsInQuestion::default();
    for found in found {
        in_question.append(found?);
    }
    group.disagreements = in_question.all.len() as u64;
    group.unlisted = group.disagreements - in_question.listed.len() as u64;
    group.rows_in_question = answers(&kinds, &kind_of, in_question.listed)?;
    Ok(group)
}

/// Rows that are not the same in all attempts.
#[derive(Debug, Default)]
struct RowsInQuestion {
    /// The first of them.
    listed: BTreeSet<(usize, RowKey)>,
    /// All of them, by a digest: each is counted once, in however many attempts it differs.
    all: HashSet<Digest>,
}

impl RowsInQuestion {
    fn add(&mut self, lane: Lane, key: RowKey) {
        let order = LANES.iter().position(|one| *one == lane).unwrap_or(LANES.len());
        // A NUL cannot stand in an id.
        self.all.insert(Digest::of(format!("{order}\0{}\0{}", key.id, key.aspect).as_bytes()));
        self.list((order, key));
    }

    fn list(&mut self, place: (usize, RowKey)) {
        self.listed.insert(place);
        if self.listed.len() > MAX_LISTED {
            self.listed.pop_last();
        }
    }

    fn append(&mut self, other: Self) {
        self.all.extend(other.all);
        other.listed.into_iter().for_each(|place| self.list(place));
    }
}

/// What every attempt says of these rows: what its kind says.
fn answers(
    kinds: &[&AttemptRead],
    kind_of: &[usize],
    wanted: BTreeSet<(usize, RowKey)>,
) -> Result<Vec<RowInQuestion>, DiffError> {
    let wanted: Vec<(usize, RowKey)> = wanted.into_iter().collect();
    let of_kinds = threads::each(kinds.len(), |kind| {
        let bundle = again(kinds[kind])?;
        let mut answers: Vec<Option<RowVerdict>> = vec![None; wanted.len()];
        for (order, lane) in LANES.into_iter().enumerate() {
            if !wanted.iter().any(|(lane, _)| *lane == order) {
                continue;
            }
            rows::all(&bundle, lane, &mut |row| {
                if let Ok(place) = wanted.binary_search(&(order, row.key)) {
                    answers[place].get_or_insert(row.verdict);
                }
                true
            })?;
        }
        Ok::<_, DiffError>(answers)
    });
    let of_kinds = of_kinds.into_iter().collect::<Result<Vec<_>, _>>()?;
    let row = |(place, (order, key)): (usize, (usize, RowKey))| RowInQuestion {
        lane: LANES[order],
        id: key.id.into(),
        aspect: key.aspect.into(),
        answers: kind_of.iter().map(|kind| of_kinds[*kind][place].clone()).collect(),
    };
    Ok(wanted.into_iter().enumerate().map(row).collect())
}

/// The report for people.
pub fn render(report: &Attempts) -> Lines {
    use super::phrases::{counted, verdict};
    let mut out = Lines::default();
    for group in &report.groups {
        let identity = group.identity.map_or_else(|| "no identity".to_owned(), |digest| format!("identity {digest}"));
        let said = match (group.identity, group.attempts.len()) {
            (None, _) => "not compared".to_owned(),
            (_, 1) => "nothing to compare with".to_owned(),
            _ if group.disagreements == 0 => format!("all agree in {}", counted(group.rows, "row")),
            _ => format!("they disagree in {} of {}", group.disagreements, counted(group.rows, "row")),
        };
        let attempts = counted(group.attempts.len() as u64, "attempt");
        out.line(format!("{identity}  plan {}: {attempts}, {said}", &group.plan_id));
        for attempt in &group.attempts {
            out.line(format!("  {}  {}", &attempt.run_id, &attempt.path));
        }
        for row in group.rows_in_question.iter().take(super::phrases::MAX_PRINTED) {
            let aspect = if row.aspect.is_empty() { String::new() } else { format!(" [{}]", row.aspect) };
            out.line(format!("  {} {}{aspect}", row.lane.as_str(), row.id));
            for (attempt, answer) in group.attempts.iter().zip(&row.answers) {
                out.line(format!("    {}: {}", &attempt.run_id, verdict(answer.as_ref())));
            }
        }
        let printed = group.rows_in_question.len().min(super::phrases::MAX_PRINTED) as u64;
        if group.disagreements > printed {
            out.line(format!("  and {}", counted(group.disagreements - printed, "more row")));
        }
        if group.disagreements > 0 {
            out.line("  same declaration, different verdicts: evidence of nondeterminism, or of an influence that is not declared");
        }
    }
    report.sealed.iter().for_each(|group| attempts_sealed::render(&mut out, group));
    for left in &report.left_out {
        let kind = if left.unfinished { "unfinished" } else { "invalid" };
        out.line(format!("left out, {kind}: {}: {}", &left.path, &left.why));
    }
    out
}
