//! The rule for operations under a launcher: from one row's evidence to what the launcher's sandbox did.
//!
//! A pure, total function. `Deny` says that the host's object could not be reached under any of the names that were tried,
//! and how that came about; whatever falls short of that is undecided under a word of its own. SPEC.md, section 2.3, has the
//! same rule as a table.

mod cover;
#[cfg(test)]
mod random_tests;
mod success;
#[cfg(test)]
mod tests;

use crate::record::driver::Driver;
use crate::record::driver_witness::FileEffect;
use crate::record::launcher::{
    ContentSeen, LauncherFault, LauncherJudgement, LauncherRecord, Link, Mechanism, NameTrial, Names, OperationOutcome,
    WorkerAnswer, WorkerSurroundings,
};
#[cfg(test)]
use crate::record::outcome::Decision;
use crate::record::outcome::FailureKind;
pub use cover::OperatedObject;
use cover::{Cover, CoverKind};
use success::AskedSuccess;

/// Error numbers of Linux, whatever system judges. What macOS counts otherwise is translated before it is compared.
mod errno {
    use crate::record::platform::Platform;

    /// The number that Linux has for what `number` says on a system; 0 for what it has no word for here.
    pub(super) fn of(system: Platform, number: i32) -> i32 {
        match (system, number) {
            (Platform::Linux, number) => number,
            // bsd/sys/errno.h of xnu. Up to 34 both have the historic numbers, but for this one, which is a deadlock's there.
            (Platform::Macos, EAGAIN) => 0,
            (Platform::Macos, 35) => EAGAIN,
            (Platform::Macos, 47) => EAFNOSUPPORT,
            (Platform::Macos, 68) => EUSERS,
            (Platform::Macos, 78) => ENOSYS,
            (Platform::Macos, 84) => EOVERFLOW,
            (Platform::Macos, number @ ..=34) => number,
            (Platform::Macos, _) => 0,
        }
    }

    pub(super) const EPERM: i32 = 1;
    pub(super) const ENOENT: i32 = 2;
    pub(super) const EINTR: i32 = 4;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const EACCES: i32 = 13;
    pub(super) const EBUSY: i32 = 16;
    pub(super) const EEXIST: i32 = 17;
    pub(super) const EXDEV: i32 = 18;
    pub(super) const ENOTDIR: i32 = 20;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const EMFILE: i32 = 24;
    pub(super) const EFBIG: i32 = 27;
    pub(super) const ENOSPC: i32 = 28;
    pub(super) const EROFS: i32 = 30;
    pub(super) const ENOSYS: i32 = 38;
    pub(super) const EOVERFLOW: i32 = 75;
    pub(super) const EUSERS: i32 = 87;
    pub(super) const EAFNOSUPPORT: i32 = 97;
}

/// The signal of a system call that a filter forbids.
const SIGSYS: i32 = 31;
/// `Seccomp:` of a process with a filter.
const FILTERED: u32 = 2;
/// How long the operation may have taken outside, in microseconds, if no answer inside is to mean that it was dropped.
const PROMPT_US: u64 = 100_000;

/// What a row under a launcher shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What the question came to.
    pub shown: QuestionOutcome,
    /// What made the refusal, as far as it is known: `seccomp`, `seatbelt`, `rlimit NAME`, `interpreter`, `emulated`.
    pub via: Option<String>,
    /// What covers the object, in words.
    pub covered_by: Option<String>,
    /// Whether the operation was on the host's own object; `None` if nobody knows, or nothing was reached.
    pub object: Option<OperatedObject>,
    /// The place in `asked` of the name under which it was allowed.
    pub name: Option<usize>,
    /// How the spelled name by itself was denied, where another name was allowed.
    pub by_name: Option<Mechanism>,
}

/// The outcome of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionOutcome {
    /// The operation reached the host's object, or what counts as it.
    Allow,
    /// It did not.
    Deny {
        /// How the denial came about.
        mechanism: Mechanism,
        /// With this error number.
        errno: Option<i32>,
    },
    /// Nobody can say.
    Undecided {
        /// The kind of failure.
        kind: FailureKind,
        /// The error number that was seen.
        errno: Option<i32>,
        /// What is missing, in words.
        note: &'static str,
    },
}

impl QuestionOutcome {
    /// The decision, if there is one.
    #[cfg(test)]
    pub fn decision(self) -> Option<Decision> {
        match self {
            Self::Allow => Some(Decision::Allow),
            Self::Deny { .. } => Some(Decision::Deny),
            Self::Undecided { .. } => None,
        }
    }
}

impl Judgement {
    fn of(shown: QuestionOutcome) -> Self {
        Self { shown, via: None, covered_by: None, object: None, name: None, by_name: None }
    }

    fn undecided(kind: FailureKind, errno: Option<i32>, note: &'static str) -> Self {
        Self::of(QuestionOutcome::Undecided { kind, errno, note })
    }

    fn deny(mechanism: Mechanism, errno: Option<i32>) -> Self {
        Self::of(QuestionOutcome::Deny { mechanism, errno })
    }

    fn via(mut self, via: impl Into<String>) -> Self {
        self.via = Some(via.into());
        self
    }

    fn covered(mut self, words: String) -> Self {
        self.covered_by = Some(words);
        self.object = self.object.or(Some(OperatedObject::Absent));
        self
    }
}

/// Judges one question, by what came of these names of its object.
pub fn judge(driver: Driver, record: &LauncherRecord, names: Names) -> Judgement {
    if let Some(fault) = &record.fault {
        return faulty(fault.kind);
    }
    let asked: Vec<&NameTrial> = record.asked.iter().filter(|asked| names.count(asked.kind)).collect();
    let Some(&spelled) = asked.first() else {
        return Judgement::undecided(FailureKind::ProbeNoReport, None, "the row has neither an answer nor a fault");
    };
    if record.start.link.is_none() {
        return faulty(LauncherFault::Elsewhere);
    }
    // What reached the object under any of its names was not denied.
    let each: Vec<AskedSuccess> = asked.iter().map(|asked| success::of(driver, record, asked)).collect();
    if let Some(place) = each.iter().position(|one| matches!(one, AskedSuccess::Allow(_))) {
        let AskedSuccess::Allow(object) = each[place] else { unreachable!("its kind was just asked") };
        let alone = (place > 0).then(|| denial(driver, record, spelled, &each[0]));
        let by_name = match alone.map(|alone| alone.shown) {
            Some(QuestionOutcome::Deny { mechanism, .. }) => Some(mechanism),
            _ => None,
        };
        let name = record.asked.iter().position(|one| std::ptr::eq(one, asked[place]));
        return Judgement { object, name, by_name, ..Judgement::of(QuestionOutcome::Allow) };
    }
    let first = denial(driver, record, spelled, &each[0]);
    if !matches!(first.shown, QuestionOutcome::Deny { .. }) {
        return first;
    }
    // Under another name it may have gone through.
    for (asked, one) in asked.into_iter().zip(&each).skip(1) {
        match one {
            AskedSuccess::Unclear(kind, note) => {
                return Judgement::undecided(*kind, asked.answer.outcome.errno(), note);
            }
            AskedSuccess::Failed
                if matches!(
                    asked.answer.outcome,
                    OperationOutcome::Died { .. } | OperationOutcome::NoAnswer | OperationOutcome::Withheld
                ) =>
            {
                let alone = denial(driver, record, asked, one);
                if !matches!(alone.shown, QuestionOutcome::Deny { .. }) {
                    return alone;
                }
            }
            _ => {}
        }
    }
    first
}

/// What is judged of a question, for documents.
pub fn verdict(driver: Driver, record: &LauncherRecord, names: Names) -> LauncherJudgement<'_> {
    let judgement = judge(driver, record, names);
    LauncherJudgement {
        mechanism: match judgement.shown {
            QuestionOutcome::Deny { mechanism, .. } => Some(mechanism),
            _ => None,
        },
        via: judgement.via,
        covered_by: judgement.covered_by,
        object: judgement.object.map(OperatedObject::as_str),
        name: judgement.name.and_then(|place| record.asked.get(place)).map(|asked| asked.name.as_str()),
        by_name: judgement.by_name,
        tried: record.asked.iter().filter(|it| names.count(it.kind)).map(|asked| asked.name.as_str()).collect(),
        start: record.start.mode,
        residue: &record.start.residue,
    }
}

/// A question without an answer is never a denial.
fn faulty(fault: LauncherFault) -> Judgement {
    use FailureKind as CoverKind;
    let (kind, note) = match fault {
        LauncherFault::NotStarted => {
            (CoverKind::LauncherNotStarted, "no worker inside the launcher said that it lives")
        }
        LauncherFault::Many => (CoverKind::LauncherMany, "several workers answered at the same time"),
        LauncherFault::Restarted => (CoverKind::LauncherRestarted, "another worker went on in the place of the first"),
        LauncherFault::Elsewhere => {
            (CoverKind::LauncherElsewhere, "nothing shows that the worker works on this machine's objects")
        }
        LauncherFault::TimeLimit => {
            (CoverKind::LauncherTimeLimit, "the launcher ends whatever it started after some time")
        }
        LauncherFault::AnswerLost => (CoverKind::ProbeNoReport, "the answer was lost"),
        LauncherFault::ForeignTarget => {
            (CoverKind::ForeignTarget, "what the operation would change or wake inside is not the run's own")
        }
        LauncherFault::CannotAsk => {
            (CoverKind::LauncherCannotAsk, "the worker cannot perform the operation in this start")
        }
    };
    Judgement::undecided(kind, None, note)
}

/// What one asking that did not reach the object shows.
fn denial(driver: Driver, record: &LauncherRecord, asked: &NameTrial, success: &AskedSuccess) -> Judgement {
    let around = &record.around;
    let cover = Cover::of(driver, around);
    match success {
        AskedSuccess::Allow(object) => Judgement { object: *object, ..Judgement::of(QuestionOutcome::Allow) },
        AskedSuccess::Unclear(kind, note) => Judgement::undecided(*kind, None, note),
        AskedSuccess::Emulated => Judgement::deny(Mechanism::Diverted, None).via("emulated"),
        AskedSuccess::Diverted => match guarded(record) {
            Some(undecided) => undecided,
            None => {
                let mut judgement = Judgement::deny(Mechanism::Diverted, None);
                judgement.object = Some(OperatedObject::Other);
                judgement.covered_by = cover.words;
                judgement
            }
        },
        AskedSuccess::Failed => match &asked.answer.outcome {
            OperationOutcome::Died { signal, twice, nop_lives, box_control_lives } => {
                died(around, *signal, *twice, *nop_lives, *box_control_lives)
            }
            OperationOutcome::NoAnswer => dropped(driver, record, asked, &cover),
            OperationOutcome::Withheld => withheld(record, cover),
            OperationOutcome::Failed { call, errno, prepares } => {
                failed(driver, record, asked, &cover, call, *errno, *prepares)
            }
            OperationOutcome::Done => {
                Judgement::undecided(FailureKind::ProbeNoReport, None, "the answer contradicts itself")
            }
        },
    }
}

/// What rules out *hidden* and *diverted*: a world that was changed since hello.
fn guarded(record: &LauncherRecord) -> Option<Judgement> {
    record.world_changed.then(|| {
        Judgement::undecided(
            FailureKind::AbsentUnattributed,
            None,
            "mounts or namespaces inside were changed after the worker had said hello",
        )
    })
}

/// The process that performed the operation was ended.
fn died(
    around: &WorkerSurroundings,
    signal: i32,
    twice: bool,
    nop_lives: bool,
    box_control: Option<bool>,
) -> Judgement {
    let crashed = |note| Judgement::undecided(FailureKind::ProbeCrashed, None, note);
    match box_control {
        Some(false) => return faulty(LauncherFault::TimeLimit),
        Some(true) if twice => return Judgement::deny(Mechanism::Killed, None).via("box"),
        Some(true) => return crashed("the whole sandbox ended during the operation, and that was seen once only"),
        None => {}
    }
    let filtered = around.seccomp_mode.is_some_and(|[_, inside]| inside == FILTERED);
    if !twice {
        crashed("a signal ended the process during the operation, and that was seen once only")
    } else if signal == SIGSYS && filtered && nop_lives {
        Judgement::deny(Mechanism::Killed, None).via("seccomp")
    } else if nop_lives {
        Judgement::deny(Mechanism::Killed, None)
    } else {
        crashed("a signal ended the process, and processes that do nothing end as well")
    }
}

/// A FIFO stands under the name, and was not opened. If it covers the host's object, that is not what would have been reached.
fn withheld(record: &LauncherRecord, cover: Cover) -> Judgement {
    if cover.covers != Some(true) {
        return faulty(LauncherFault::ForeignTarget);
    }
    if let Some(undecided) = guarded(record) {
        return undecided;
    }
    if !record.after.as_ref().is_some_and(went_through) {
        let note = "the operation was not seen to go through outside of the launcher, afterwards";
        return Judgement::undecided(FailureKind::AbsentUnattributed, None, note);
    }
    let mut judgement = Judgement::deny(Mechanism::Diverted, None);
    judgement.object = Some(OperatedObject::Other);
    judgement.covered_by = cover.words;
    judgement
}

/// Whether the operation did what it should outside of the launcher.
fn went_through(answer: &WorkerAnswer) -> bool {
    answer.outcome == OperationOutcome::Done && answer.content != Some(ContentSeen::Other)
}

/// Nothing came back.
fn dropped(driver: Driver, record: &LauncherRecord, asked: &NameTrial, cover: &Cover) -> Judgement {
    let prompt = |answer: &Option<crate::record::launcher::WorkerAnswer>| {
        answer.as_ref().is_some_and(|it| it.outcome == OperationOutcome::Done && it.duration_us < PROMPT_US)
    };
    let differs = |pair: &Option<[String; 2]>| pair.as_ref().is_some_and(|[outside, inside]| outside != inside);
    let apart = differs(&record.around.net) || differs(&record.around.cgroup);
    let unseen = asked.effect.as_ref().is_none_or(|effect| effect.when.is_none());
    let twice = asked.again == Some(OperationOutcome::NoAnswer);
    if CoverKind::of(driver) == CoverKind::Address
        && twice
        && unseen
        && apart
        && prompt(&record.before)
        && prompt(&record.after)
    {
        let mut judgement = Judgement::deny(Mechanism::Dropped, None);
        judgement.covered_by = cover.words.clone().or_else(|| Some("another control group".into()));
        return judgement;
    }
    Judgement::undecided(FailureKind::ProbeTimeout, None, "no answer came, and nothing shows that it was kept back")
}

/// A call failed.
fn failed(
    driver: Driver,
    record: &LauncherRecord,
    asked: &NameTrial,
    cover: &Cover,
    call: &str,
    number: i32,
    prepares: bool,
) -> Judgement {
    let (around, seen) = (&record.around, Some(number));
    let told = number;
    let number = errno::of(record.system, number);
    if prepares && !matches!(call, "socket" | "openat" | "open" | "stat" | "unshare" | "mount_bind") {
        return Judgement::undecided(
            FailureKind::ProbePrepareFailed,
            seen,
            "a call that prepares the operation failed",
        );
    }
    if asked.effect.as_ref().is_some_and(|effect| effect.when.is_some()) {
        let note = "the operation failed, and its effect was seen";
        return Judgement::undecided(FailureKind::ProbeNoReport, seen, note);
    }
    if by_filter(record, call, told) {
        return Judgement::deny(Mechanism::Refused, seen).via("seccomp");
    }
    if matches!(number, errno::EFBIG | errno::EMFILE | errno::EAGAIN | errno::ENOMEM) {
        return match &around.lower_limit {
            Some(limit) => Judgement::deny(Mechanism::Refused, seen).via(format!("rlimit {limit}")),
            None => Judgement::undecided(
                FailureKind::ResourceLimit,
                seen,
                "a resource ran out, and no limit inside is lower than outside",
            ),
        };
    }
    if let Some(before) = &record.before
        && matches!(before.outcome, OperationOutcome::Failed { .. })
        && is_refusal(driver, record, call, number)
    {
        let note = "the operation failed outside of the launcher as well";
        return Judgement::undecided(FailureKind::BaselineDenied, seen, note);
    }
    if number == errno::EPERM && by_seatbelt(record) {
        return Judgement::deny(Mechanism::Refused, seen).via("seatbelt");
    }
    if is_refusal(driver, record, call, number) {
        return Judgement::deny(Mechanism::Refused, seen);
    }
    if driver == Driver::Exec && matches!(number, errno::ENOENT | errno::ENOTDIR) && around.visible == Some(true) {
        return Judgement::deny(Mechanism::Refused, seen).via("interpreter");
    }
    let placeholder = number == errno::EEXIST && around.appeared && driver.file_effect().is_some_and(FileEffect::makes);
    if placeholder && cover.covers == Some(true) && guarded(record).is_none() && record.start.link != Some(Link::Copy) {
        // The name leads to something else, and what lies there outside came from the launcher too.
        let by = cover.words.clone().unwrap_or_else(|| "not known what".into());
        return Judgement::deny(Mechanism::Hidden, seen).covered(by);
    }
    if placeholder {
        let note = "something of that name came after the run had made its fixtures and before the question: the launcher \
                    has made it, and nothing covers it";
        return Judgement::undecided(FailureKind::AbsentUnattributed, seen, note);
    }
    if cover.covers == Some(true) && !says_nothing(driver, number) {
        return hidden(driver, record, asked, cover, told);
    }
    let note = match cover.covers {
        Some(true) => "the operation failed with an error that says nothing about the object",
        Some(false) => "the operation failed, and nothing covers its object",
        None => "the operation failed, and what the sandbox shows of its object is not known",
    };
    Judgement::undecided(FailureKind::AbsentUnattributed, seen, note)
}

/// Whether an error number says nothing about the object. EINVAL of shared memory says that there is no such number.
fn says_nothing(driver: Driver, number: i32) -> bool {
    number == errno::EINTR || (number == errno::EINVAL && driver != Driver::SysvShm)
}

/// Something covers the object. Whether that is why the operation failed.
fn hidden(driver: Driver, record: &LauncherRecord, asked: &NameTrial, cover: &Cover, number: i32) -> Judgement {
    let seen = Some(number);
    let absent = |note| Judgement::undecided(FailureKind::AbsentUnattributed, seen, note);
    if let Some(undecided) = guarded(record) {
        return undecided;
    }
    if record.start.link == Some(Link::Copy) {
        return absent("the sandbox has a copy of the run's folders, so what is missing in it says nothing");
    }
    if record.before.as_ref().is_some_and(|before| !went_through(before)) {
        return absent("the operation did not go through outside of the launcher, before");
    }
    if !record.after.as_ref().is_some_and(went_through) {
        return absent("the operation was not seen to go through outside of the launcher, afterwards");
    }
    if record.neighbour != Some(true) {
        return absent("what should always be there for this kind of operation is not there either");
    }
    if CoverKind::of(driver) == CoverKind::Address && !matches!(asked.again, Some(OperationOutcome::Failed { .. })) {
        return absent("the address was not asked again at the end of the lane");
    }
    Judgement::deny(Mechanism::Hidden, seen).covered(cover.words.clone().unwrap_or_else(|| "not known what".into()))
}

/// Whether a filter of system calls answered, and not whoever the call is about.
fn by_filter(record: &LauncherRecord, call: &str, number: i32) -> bool {
    let around = &record.around;
    let filtered = around.seccomp_mode.is_some_and(|[_, inside]| inside == FILTERED);
    let more = around.seccomp_filters.is_none_or(|[outside, inside]| inside > outside);
    let empty = record.empty_call.as_ref();
    // An errno that the kernel gives too with these ids and capabilities accuses nobody.
    let answers = empty.is_some_and(|it| it.call == call && it.inside == number && it.outside != number);
    filtered && more && around.same_credentials && answers
}

/// Whether Seatbelt answered, and not whoever the call is about: it confines the inside alone, and the same user did the same
/// outside.
fn by_seatbelt(record: &LauncherRecord) -> bool {
    record.around.seatbelt == Some([false, true]) && record.around.same_credentials && done_outside(record)
}

/// Whether the same went through outside of the launcher, before or afterwards.
fn done_outside(record: &LauncherRecord) -> bool {
    let done =
        |answer: &Option<WorkerAnswer>| answer.as_ref().is_some_and(|answer| answer.outcome == OperationOutcome::Done);
    done(&record.before) || done(&record.after)
}

/// Whether the call is one of this kernel's: it went through outside, or gave another answer than that it is unknown.
fn kernel_has_call(record: &LauncherRecord) -> bool {
    let answered = record
        .empty_call
        .as_ref()
        .is_some_and(|it| it.outside >= 0 && errno::of(record.system, it.outside) != errno::ENOSYS);
    done_outside(record) || answered
}

/// Whether an error number says "no" for this operation.
fn is_refusal(driver: Driver, record: &LauncherRecord, call: &str, number: i32) -> bool {
    let on_files = |is: fn(FileEffect) -> bool| driver.file_effect().is_some_and(is);
    match number {
        errno::EACCES | errno::EPERM | errno::EROFS => true,
        errno::EXDEV => on_files(FileEffect::moves),
        errno::EBUSY => on_files(FileEffect::removes),
        // Whether a kernel has a family of sockets is the same for everybody: with one outside, somebody keeps it from the inside.
        errno::EAFNOSUPPORT => {
            CoverKind::of(driver) == CoverKind::Address || (call == "socket" && done_outside(record))
        }
        errno::ENOSYS => kernel_has_call(record),
        errno::EOVERFLOW => on_files(FileEffect::makes),
        errno::ENOSPC | errno::EUSERS => {
            matches!(driver, Driver::UserNamespace | Driver::UserNamespaceMap) || driver.mounts()
        }
        _ => false,
    }
}
