//! Model and kernel, compared on random cases: policies, trees and operations that a seed fixes. A case on which they part is
//! shrunk to the smallest that is found, and can be kept as a file and put to another kernel.

pub mod case;
pub mod dice;
mod document;
pub mod judge;
pub mod shrink;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::threads;
use crate::lane::cancel::Cancel;
use crate::lane::fixture::FixtureBase;
use crate::record::drift::{DRIFT_SCHEMA, DriftReport, KeptCase, KernelOutcome};
use crate::record::outcome::Decision;
use case::{CaseKind, DriftCase};
use dice::Dice;
pub use document::{kept, read};
use judge::{Judge, JudgeError};

/// How many cases that part are shrunk and told.
const MOST_KEPT: usize = 100;

/// What is compared, and where.
#[derive(Debug)]
pub struct DriftRequest<'r> {
    /// What fixes the cases.
    pub seed: u64,
    /// How many cases are compared.
    pub cases: u64,
    /// How many workers there are.
    pub jobs: usize,
    /// This executable.
    pub exe: &'r Path,
    /// Where fixtures are made.
    pub base: &'r FixtureBase,
    /// The kernel's Landlock ABI.
    pub abi: i32,
    /// The kernel's release.
    pub kernel: &'r str,
    /// Ends it.
    pub cancel: &'r Cancel,
}

#[derive(Default)]
struct DriftCounts {
    allowed: u64,
    denied: u64,
    unknown: u64,
    kept: Vec<KeptCase>,
    left_out: u64,
    error: Option<JudgeError>,
}

/// Compares.
///
/// # Errors
/// If the kernel cannot be asked.
pub fn drift(request: &DriftRequest<'_>) -> Result<DriftReport, JudgeError> {
    let mounts = may_mount(request)?;
    let kinds = if mounts { CaseKind::ALL } else { CaseKind::UNPRIVILEGED };
    let counts = Mutex::new(DriftCounts::default());
    let (next, worker) = (AtomicU64::new(0), AtomicU64::new(0));
    threads::together(request.jobs.max(1), || {
        let name = format!("w{}", worker.fetch_add(1, Ordering::Relaxed));
        let worked = work(request, kinds, &name, &next, &counts);
        if let Err(error) = worked {
            // Nobody goes on.
            next.store(request.cases, Ordering::Relaxed);
            lock(&counts).error.get_or_insert(error);
        }
    });
    let mut counts = counts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(error) = counts.error.take() {
        return Err(error);
    }
    counts.kept.sort_by_key(|kept| kept.number);
    Ok(DriftReport {
        schema_version: DRIFT_SCHEMA,
        seed: request.seed,
        cases: counts.allowed + counts.denied + counts.unknown,
        allowed: counts.allowed,
        denied: counts.denied,
        unknown: counts.unknown,
        mounts,
        kernel: request.kernel.to_owned(),
        landlock_abi: request.abi,
        disagreements: counts.kept.len() as u64 + counts.left_out,
        kept: counts.kept,
    })
}

fn lock<'m>(counts: &'m Mutex<DriftCounts>) -> std::sync::MutexGuard<'m, DriftCounts> {
    counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn work(
    request: &DriftRequest<'_>,
    kinds: &[CaseKind],
    name: &str,
    next: &AtomicU64,
    counts: &Mutex<DriftCounts>,
) -> Result<(), JudgeError> {
    let mut judge = Judge::new(request.exe, request.base, name)?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= request.cases || request.cancel.requested().is_some() {
            return Ok(());
        }
        let kind = kinds[(number % kinds.len() as u64) as usize];
        let case = kind.roll(&mut Dice::new(request.seed, number), request.abi);
        let judged = judge.judge(&case)?;
        {
            let mut counts = lock(counts);
            match judged.model.decision {
                Some(Decision::Allow) => counts.allowed += 1,
                Some(Decision::Deny) => counts.denied += 1,
                None => counts.unknown += 1,
            }
            if judged.agree {
                continue;
            }
            if counts.kept.len() >= MOST_KEPT {
                counts.left_out += 1;
                continue;
            }
        }
        let found = smallest(&mut judge, request, number, &case)?;
        lock(counts).kept.push(found);
    }
}

fn smallest(
    judge: &mut Judge<'_>,
    request: &DriftRequest<'_>,
    number: u64,
    case: &DriftCase,
) -> Result<KeptCase, JudgeError> {
    let small = shrink::shrink(case, |smaller| judge.judge(smaller).map(|judged| !judged.agree))?;
    let judged = judge.judge(&small)?;
    Ok(kept(request.seed, number, (request.kernel, request.abi), &small, &judged))
}

/// Whether a process may bind folders over others here.
fn may_mount(request: &DriftRequest<'_>) -> Result<bool, JudgeError> {
    let mut judge = Judge::new(request.exe, request.base, "mounts")?;
    let mut case = CaseKind::Mounts.roll(&mut Dice::new(0, 0), request.abi);
    case.action.driver = crate::record::driver::Driver::FileRead;
    case.action.target = "${root}/a/f".to_owned();
    for mount in &mut case.action.mounts {
        (mount.from, mount.at) = ("${root}/a".to_owned(), "${root}/a".to_owned());
    }
    Ok(judge.judge(&case)?.without == KernelOutcome::Done)
}

/// Puts one kept case to this kernel.
///
/// # Errors
/// If the kernel cannot be asked.
pub fn again(request: &DriftRequest<'_>, known: &KeptCase, case: &DriftCase) -> Result<DriftReport, JudgeError> {
    let mut judge = Judge::new(request.exe, request.base, "again")?;
    let judged = judge.judge(case)?;
    let found = kept(known.seed, known.number, (request.kernel, request.abi), case, &judged);
    let of = |decision| u64::from(judged.model.decision == decision);
    Ok(DriftReport {
        schema_version: DRIFT_SCHEMA,
        seed: known.seed,
        cases: 1,
        allowed: of(Some(Decision::Allow)),
        denied: of(Some(Decision::Deny)),
        unknown: of(None),
        mounts: !case.action.mounts.is_empty(),
        kernel: request.kernel.to_owned(),
        landlock_abi: request.abi,
        disagreements: u64::from(!judged.agree),
        kept: if judged.agree { Vec::new() } else { vec![found] },
    })
}
