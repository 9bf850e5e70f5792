//! What a row cannot say if the rest of its bundle is true.
//!
//! Each rule holds for every honest bundle, on any host: whatever a host can do to a run by accident (a clock that is set,
//! a process id that comes again, a file of the host that is replaced) is no contradiction. A bundle with one is refused
//! by verification. SPEC 3 lists the rules, and what is no rule and why.

use crate::record::detail_name::DetailName;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::enforcer::{Enforcer, PolicyMode};
use crate::record::fixture::{FixtureEntry, FixtureKind};
use crate::record::manifest::RunManifest;
use crate::record::outcome::Lane;
use crate::record::report::{OpenedFile, Prologue, TargetIdentity};
use crate::record::row::ProbeRow;

/// A rule of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowRule {
    /// The row's fixture folder is the one of this run for that place of the lane.
    Root,
    /// A process was started exactly if the row says so, and it is one.
    Process,
    /// It has the user that the manifest names.
    Caller,
    /// It is of the kernel that the manifest names.
    Abi,
    /// No policy was put on in the baseline.
    Policy,
    /// A process that restricted itself has given up gaining privileges.
    Privileges,
    /// It had no file open that its operation does not need.
    Descriptors,
    /// What it opened of the run's own is what it aimed at.
    Opened,
    /// It read what the run had put there.
    Content,
    /// What went through went through to its end.
    Calls,
    /// It was performed as often as the manifest says.
    Repetitions,
    /// The kernel said something of a failed operation, and somebody listened.
    Attribution,
}

impl RowRule {
    /// The rule's name, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Root => "row_root",
            Self::Process => "row_process",
            Self::Caller => "row_caller",
            Self::Abi => "row_abi",
            Self::Policy => "row_policy",
            Self::Privileges => "row_privileges",
            Self::Descriptors => "row_descriptors",
            Self::Opened => "row_opened",
            Self::Content => "row_content",
            Self::Calls => "row_calls",
            Self::Repetitions => "row_repetitions",
            Self::Attribution => "row_attribution",
        }
    }
}

/// What rows are held to.
#[derive(Debug)]
pub(super) struct ContradictionFrame<'m> {
    base: &'m str,
    landlock_abi: Option<i32>,
    is_root: bool,
    is_linux: bool,
    /// Whether inodes of the run's own files keep their numbers.
    keeps_inodes: bool,
    /// How often each probe was performed.
    times: usize,
    /// Whether the run listened to the kernel's audit.
    listened: bool,
}

/// File systems on which a file that nobody touches keeps its device and inode number from one look to the next.
const KEEP_INODES: [&str; 6] = ["tmpfs", "ext4", "xfs", "btrfs", "f2fs", "apfs"];
/// File type within `st_mode`, and that of regular files.
const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;

impl<'m> ContradictionFrame<'m> {
    pub(super) fn of(manifest: &'m RunManifest) -> Self {
        let host = &manifest.host;
        Self {
            base: &manifest.fixture_base,
            landlock_abi: host.landlock_abi,
            is_root: host.uid_class == "root",
            is_linux: host.os == "linux",
            times: manifest.repeat.map_or(1, |times| times as usize),
            listened: manifest.attribution.is_some(),
            keeps_inodes: host.fixture_fs.as_deref().is_some_and(|found| KEEP_INODES.contains(&found)),
        }
    }

    /// The first rule that the row breaks, or one of its repetitions, and how. `fixtures`: what the run made for it, as far as
    /// that is known.
    pub(super) fn check(&self, row: &ProbeRow, fixtures: &[FixtureEntry]) -> Result<(), (RowRule, String)> {
        let times = row.repetitions.len() + 1;
        if times != self.times {
            let words = format!("it was performed {times} times; the manifest says {}", self.times);
            return Err((RowRule::Repetitions, words));
        }
        self.check_one(row, fixtures)?;
        row.repeated().try_for_each(|again| self.check_one(&again, fixtures))
    }

    fn check_one(&self, row: &ProbeRow, fixtures: &[FixtureEntry]) -> Result<(), (RowRule, String)> {
        let wrong = |rule, words: String| Err((rule, words));
        let name = if row.lane == Lane::Control { 'c' } else { 'r' };
        let root = format!("{}/{name}{:06}", self.base, row.seq);
        // Questions of one launcher share the folder of one of them.
        let shared = |row: &ProbeRow| {
            let rest = row.root.strip_prefix(self.base).and_then(|rest| rest.strip_prefix("/l"));
            row.lane == Lane::Scenario
                && rest.is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|b| b.is_ascii_digit()))
        };
        if row.launcher.is_some() && (row.lane != Lane::Scenario || row.ending.is_some() || row.not_run.is_some()) {
            return wrong(RowRule::Process, "a question under a launcher is one of the scenario lane alone".to_owned());
        }
        if row.root != root && !shared(row) {
            return wrong(RowRule::Root, format!("its folder is `{}`; that of this run for it is `{root}`", row.root));
        }
        process(row)?;
        self.attribution(row)?;
        let Some(prologue) = &row.prologue else { return Ok(()) };
        if (prologue.uid == 0) != self.is_root {
            let class = if self.is_root { "root" } else { "an ordinary user" };
            return wrong(RowRule::Caller, format!("user id {}; the manifest says {class}", prologue.uid));
        }
        if row.lane == Lane::Baseline && (prologue.apply.is_some() || prologue.self_check_after.is_some()) {
            return wrong(RowRule::Policy, "a policy was put on, and the baseline has none".to_owned());
        }
        self.enforcement(prologue)?;
        self.descriptors(row, prologue)?;
        self.operation(row, prologue, fixtures)
    }

    /// What the kernel said is there only of an operation that failed under a policy, in a run that listened.
    fn attribution(&self, row: &ProbeRow) -> Result<(), (RowRule, String)> {
        let Some(said) = &row.attribution else { return Ok(()) };
        let failed = row.operation.as_ref().is_some_and(|done| done.calls.iter().any(|call| call.ret < 0));
        let words = if !self.listened {
            "the kernel is said to have named a denial, and the run did not listen"
        } else if row.lane == Lane::Baseline || !failed {
            "the kernel is said to have named a denial where no operation failed under a policy"
        } else if !said.is_well_formed() {
            "its attribution does not say what its level demands"
        } else {
            return Ok(());
        };
        Err((RowRule::Attribution, words.to_owned()))
    }

    fn enforcement(&self, prologue: &Prologue) -> Result<(), (RowRule, String)> {
        let Some(apply) = &prologue.apply else { return Ok(()) };
        if let Some(abi) = apply.abi.filter(|abi| Some(*abi) != self.landlock_abi) {
            let of_host = self.landlock_abi.map_or_else(|| "none".to_owned(), |abi| abi.to_string());
            return Err((RowRule::Abi, format!("Landlock ABI {abi}; the manifest says {of_host}")));
        }
        let landlock = PolicyMode::by_api(&apply.api).map(PolicyMode::enforcer) == Some(Enforcer::Landlock);
        let restricted = landlock && apply.rc == 0;
        if restricted && prologue.self_check_after.as_ref().is_some_and(|after| !after.no_new_privs) {
            let words = "the process restricted itself and could still gain privileges";
            return Err((RowRule::Privileges, words.to_owned()));
        }
        Ok(())
    }

    /// The first three descriptors are the null device; no other leads to a file outside of the row's folder, unless the
    /// operation is on an inherited one.
    fn descriptors(&self, row: &ProbeRow, prologue: &Prologue) -> Result<(), (RowRule, String)> {
        let open = &prologue.open_fds;
        if !self.is_linux {
            return Ok(());
        }
        let inherits = row.action.driver.holds_before();
        let own = |what: &str| what.strip_prefix(row.root.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let foreign = open.iter().find(|open| {
            let path = open.what.starts_with('/');
            if open.fd < 3 { open.what != "/dev/null" } else { path && !inherits && !own(&open.what) }
        });
        let twice = open.iter().enumerate().find(|(n, one)| open[..*n].iter().any(|before| before.fd == one.fd));
        if let Some((_, one)) = twice {
            return Err((RowRule::Descriptors, format!("descriptor {} stands there twice", one.fd)));
        }
        match foreign {
            Some(open) => Err((RowRule::Descriptors, format!("descriptor {} was open on `{}`", open.fd, open.what))),
            None => Ok(()),
        }
    }

    fn operation(
        &self,
        row: &ProbeRow,
        prologue: &Prologue,
        fixtures: &[FixtureEntry],
    ) -> Result<(), (RowRule, String)> {
        let Some(operation) = &row.operation else { return Ok(()) };
        let inside = row.action.target.strip_prefix(row.root.as_str()).and_then(|rest| rest.strip_prefix('/'));
        // Through a link, or another folder mounted over it, the operation may end elsewhere.
        let straight = row.action.mounts.is_empty() && inside.is_some_and(|path| is_straight(path, fixtures));
        if let (Some(target), Some(opened)) = (&prologue.target, &operation.opened)
            && self.keeps_inodes
            && straight
            && is_another_file(target, opened, self.is_linux)
        {
            let words = "the file that it opened is not the one that it aimed at, and both are of the run's own making";
            return Err((RowRule::Opened, words.to_owned()));
        }
        let went_through = operation.calls.iter().all(|call| call.ret >= 0);
        let Some(last) = operation.calls.last().filter(|_| went_through) else { return Ok(()) };
        if let Some(end) = ends_in(row.action.driver).filter(|end| last.syscall != *end) {
            return Err((
                RowRule::Calls,
                format!("it went through, and ends in `{}` instead of `{end}`", last.syscall),
            ));
        }
        let holds_text = |fixture: &&FixtureEntry| {
            fixture.kind == FixtureKind::File && fixture.text.as_deref().is_some_and(|text| !text.is_empty())
        };
        let declared = fixtures.iter().find(|fixture| Some(fixture.path.as_str()) == inside).filter(holds_text);
        if declared.is_some() && row.action.mounts.is_empty() && operation.detail(DetailName::BytesRead) == Some(0) {
            return Err((RowRule::Content, "it read nothing of a file that the run had filled".to_owned()));
        }
        Ok(())
    }
}

/// A row has what its ending calls for: no process without a start, and the one that spoke is the one that was started.
fn process(row: &ProbeRow) -> Result<(), (RowRule, String)> {
    let wrong = |words: &str| Err((RowRule::Process, words.to_owned()));
    let spoke = row.prologue.is_some() || row.operation.is_some();
    // One that was lost was started, as a rule: its end is what nobody saw.
    let started = matches!(
        row.ending,
        Some(Ending::Exited { .. } | Ending::Signaled { .. } | Ending::Expired { .. } | Ending::Lost { .. })
    );
    if !started && (spoke || row.pid.is_some() || row.process.is_some()) {
        return wrong("no process was started, and the row says what one did");
    }
    if let Some(pid) = row.pid.filter(|pid| *pid <= 1) {
        return wrong(&format!("process id {pid} is that of no probe"));
    }
    if let Some(prologue) = &row.prologue
        && row.pid != Some(prologue.pid)
    {
        let started = row.pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string());
        return wrong(&format!("process {} spoke, and {started} was started", prologue.pid));
    }
    if row.started_at_unix_s < 0.0 {
        return wrong("it was started before 1970");
    }
    Ok(())
}

/// Whether a path below the row's folder goes through no link that the run made, and names each folder on its way.
fn is_straight(path: &str, fixtures: &[FixtureEntry]) -> bool {
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    let through = |link: &str| path.strip_prefix(link).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    plain && !fixtures.iter().any(|entry| entry.kind == FixtureKind::Symlink && through(&entry.path))
}

/// Whether what was opened is known to be another file than the regular one that was looked at. Links and what was not there
/// are no question.
fn is_another_file(target: &TargetIdentity, opened: &OpenedFile, is_linux: bool) -> bool {
    let regular = target.errno == 0 && target.mode.is_some_and(|mode| mode & S_IFMT == S_IFREG);
    // macOS asks the policy about fstat(2) too (`mac_vnode_check_stat`), and it may refuse that on a file that it lets be
    // opened: then nothing is known of the descriptor.
    let untold = !is_linux && opened.ino == 0;
    regular && !untold && (target.dev, target.ino) != (Some(opened.dev), Some(opened.ino))
}

/// The call with which the operation of a driver ends, if it went through and that is always the same one.
fn ends_in(driver: Driver) -> Option<&'static str> {
    match driver {
        Driver::FileRead
        | Driver::FileReadAt
        | Driver::FileReadInherited
        | Driver::FileReadReopened
        | Driver::FileReadAtInherited
        | Driver::FileReadOlderThread
        | Driver::IoUringRead => Some("read"),
        Driver::FileWrite | Driver::FileWriteReopened => Some("write"),
        _ => None,
    }
}

/// When rows were executed, as they say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// The earliest start and the latest end, in seconds since 1970; nothing without rows.
    pub span: Option<(f64, f64)>,
    /// A process that ended by itself had run for longer than it could.
    pub overran: bool,
    /// A scenario row was started before the baseline row that it is compared with.
    pub out_of_order: bool,
}

/// How far clocks that agree may be apart, in seconds: what a host's time service corrects in one step.
pub const TOLERANCE_S: f64 = 1.0;
/// How much longer than its deadline a process may have run before somebody noticed, in microseconds.
const LATE_US: u64 = 60_000_000;

impl Times {
    pub(super) fn take(&mut self, row: &ProbeRow, deadline_ms: u64) {
        let (start, end) = (row.started_at_unix_s, row.started_at_unix_s + row.duration_us as f64 / 1e6);
        let (first, last) = self.span.unwrap_or((start, end));
        self.span = Some((first.min(start), last.max(end)));
        let by_itself = matches!(row.ending, Some(Ending::Exited { .. } | Ending::Signaled { .. }));
        self.overran |= by_itself && row.duration_us > deadline_ms.saturating_mul(1000).saturating_add(LATE_US);
    }

    pub(super) fn compare(&mut self, baseline: &ProbeRow, scenario: &ProbeRow) {
        self.out_of_order |= scenario.started_at_unix_s + TOLERANCE_S < baseline.started_at_unix_s;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{action, allowed};
    use super::*;

    #[test]
    fn a_probe_whose_end_nobody_saw_was_started_all_the_same() {
        let mut row = allowed(Lane::Scenario, 0, "p", "a", &action(Driver::FileRead, "${root}/a"));
        assert!(row.pid.is_some() && row.prologue.is_some());
        row.ending = Some(Ending::Lost { reason: "waiting for the probe failed".into() });
        assert_eq!(process(&row).map_err(|(_, words)| words), Ok(()));
        row.ending = Some(Ending::NotStarted { errno: 11 });
        assert!(process(&row).is_err(), "a process that was not started says nothing");
    }

    #[test]
    fn a_descriptor_that_the_policy_of_macos_lets_nobody_look_at_is_not_another_file() {
        let target =
            TargetIdentity { errno: 0, dev: Some(7), ino: Some(11), mode: Some(S_IFREG | 0o644), uid: Some(501) };
        let opened = |dev, ino| OpenedFile {
            path: Some("/private/tmp/r/a".into()),
            path_errno: 0,
            nofirmlink: None,
            nofirmlink_errno: Some(0),
            dev,
            ino,
            mode: 0,
        };
        assert!(!is_another_file(&target, &opened(7, 11), false));
        assert!(is_another_file(&target, &opened(7, 12), false));
        assert!(!is_another_file(&target, &opened(0, 0), false), "fstat was refused");
        assert!(is_another_file(&target, &opened(0, 0), true), "no policy of Linux refuses fstat");
    }
}
