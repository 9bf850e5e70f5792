//! Attempts: runs of one declaration. That two of them disagree is evidence of its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use super::DiffError;
use super::rows::{self, RowKey};
use super::verdicts::{self, LANES};
use crate::base::digest::Digest;
use crate::base::printable::Lines;
use crate::bundle::{self, Bundle, Verified};
use crate::record::attempts::{ATTEMPTS_SCHEMA, AttemptedRun, Attempts, Group, LeftOut, RowInQuestion};
use crate::record::outcome::Lane;
use crate::record::run_diff::RowVerdict;

/// How many rows in question a group lists. All are counted.
const MAX_LISTED: usize = 1000;

/// Verifies the bundles at these paths, groups them, and compares the attempts of each declaration.
pub fn attempts(paths: &[impl AsRef<Path>]) -> Result<Attempts, DiffError> {
    let mut groups: BTreeMap<Option<Digest>, Vec<(String, Verified<Bundle>)>> = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        let given = path.as_ref().display().to_string();
        match bundle::verify(path.as_ref()) {
            // An output root leads to one of its own bundles.
            Ok(bundle) if !seen.insert(bundle.folder().canonicalize().ok()) => {}
            Ok(bundle) => {
                let identity = bundle.identity().map(|declaration| declaration.identity);
                groups.entry(identity).or_default().push((given, bundle));
            }
            Err(refused) => {
                left_out.push(LeftOut { path: given, why: refused.to_string(), unfinished: refused.is_unfinished() });
            }
        }
    }
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    let groups = groups.into_iter().map(|(identity, bundles)| group(identity, bundles));
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let agree = groups.iter().all(|group| group.disagreements == 0);
    Ok(Attempts { schema_version: ATTEMPTS_SCHEMA, agree, groups, left_out })
}

fn group(identity: Option<Digest>, mut bundles: Vec<(String, Verified<Bundle>)>) -> Result<Group, DiffError> {
    bundles.sort_by(|(_, a), (_, b)| {
        let key = |bundle: &Verified<Bundle>| (bundle.manifest().started_at_unix_s, bundle.index().run_id.to_string());
        let (a, b) = (key(a), key(b));
        a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1))
    });
    let plan_id = bundles.first().map(|(_, bundle)| bundle.manifest().plan_id.to_string()).unwrap_or_default();
    let attempts = bundles.iter().map(|(path, bundle)| AttemptedRun {
        run_id: bundle.index().run_id.to_string(),
        path: path.clone(),
        world_id: bundle.index().world_id.to_string(),
    });
    let mut group = Group {
        identity,
        plan_id,
        attempts: attempts.collect(),
        rows: 0,
        disagreements: 0,
        rows_in_question: Vec::new(),
        unlisted: 0,
    };
    let Some(((_, first), others)) = bundles.split_first() else { return Ok(group) };
    // Bundles that declare nothing have nothing in common.
    if identity.is_none() || others.is_empty() {
        return Ok(group);
    }
    let mut in_question = RowsInQuestion::default();
    for (_, other) in others {
        let mut rows = 0;
        for lane in LANES {
            verdicts::join(first, other, lane, |(key, a, b)| {
                rows += u64::from(a.is_some());
                if a.map(|verdict| verdict.actual) != b.map(|verdict| verdict.actual) {
                    in_question.add(lane, key);
                }
            })?;
        }
        group.rows = rows;
    }
    group.disagreements = in_question.all.len() as u64;
    group.unlisted = group.disagreements - in_question.listed.len() as u64;
    group.rows_in_question = answers(&bundles, in_question.listed)?;
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
        self.listed.insert((order, key));
        if self.listed.len() > MAX_LISTED {
            self.listed.pop_last();
        }
    }
}

/// What every attempt says of these rows.
fn answers(
    bundles: &[(String, Verified<Bundle>)],
    wanted: BTreeSet<(usize, RowKey)>,
) -> Result<Vec<RowInQuestion>, DiffError> {
    let mut found: BTreeMap<(usize, RowKey), Vec<Option<RowVerdict>>> =
        wanted.into_iter().map(|place| (place, vec![None; bundles.len()])).collect();
    for (n, (_, bundle)) in bundles.iter().enumerate() {
        for (order, lane) in LANES.into_iter().enumerate() {
            if !found.keys().any(|(lane, _)| *lane == order) {
                continue;
            }
            rows::all(bundle, lane, &mut |row| {
                if let Some(answers) = found.get_mut(&(order, row.key)) {
                    answers[n].get_or_insert(row.verdict);
                }
                true
            })?;
        }
    }
    let row = |((order, key), answers): ((usize, RowKey), Vec<Option<RowVerdict>>)| RowInQuestion {
        lane: LANES[order],
        id: key.id.into(),
        aspect: key.aspect.into(),
        answers,
    };
    Ok(found.into_iter().map(row).collect())
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
    for left in &report.left_out {
        let kind = if left.unfinished { "unfinished" } else { "invalid" };
        out.line(format!("left out, {kind}: {}: {}", &left.path, &left.why));
    }
    out
}
