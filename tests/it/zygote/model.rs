//! The model against the kernel: two judges of the same random cases, who have to agree.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use sandproof::test_support::base::ids::RunId;
use sandproof::test_support::lane::fixture::{Fixture, FixtureBase, RulePlaces, choose_base};
use sandproof::test_support::policy::landlock::{LandlockPolicy, evaluate};
use sandproof::test_support::process::Zygote;
use sandproof::test_support::record::action::ActionScope;
use sandproof::test_support::record::driver::Driver;
use sandproof::test_support::record::ending::Ending;
use sandproof::test_support::record::outcome::Decision;
use sandproof::test_support::record::report::{CallRole, OperationReport, Prologue};
use sandproof::test_support::zygote::protocol::{Job, PolicyUse};

use super::harness::is_root;
use super::model_cases::{
    Case, OTHER_FILE_DRIVERS, case, case_of, case_of_layers, case_of_layers_with_mounts, case_with_mounts,
    moved_below_a_mount, together,
};

/// What the kernel made of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Done,
    /// The operation failed with this error number.
    Failed(i32),
    /// It was not reached, or its answer is lost (a FIFO waited for, a program that ran).
    NotReached,
    /// The policy was not taken.
    NotApplied,
}

struct Bench {
    zygote: Zygote,
    base: FixtureBase,
    seq: u64,
}

impl Bench {
    fn new(folder: &Path) -> Self {
        let zygote = Zygote::spawn(Path::new(env!("CARGO_BIN_EXE_sandproof"))).unwrap();
        Self {
            zygote,
            base: choose_base(&[PathBuf::from(folder)], &RunId::fresh(), &RulePlaces::default()).unwrap(),
            seq: 0,
        }
    }

    fn run(&mut self, case: &Case, policy: Option<&LandlockPolicy>) -> Seen {
        self.seq += 1;
        let fixture = Fixture::make(&self.base, &format!("case-{}", self.seq), &case.fixtures).unwrap();
        let root = fixture.path().to_owned();
        let resolve = |text: &str| Ok::<_, std::convert::Infallible>(text.replace("${root}", &root));
        let policy = policy.map(|policy| {
            self.zygote.load_policy(1, policy).unwrap();
            PolicyUse { key: 1, texts: vec![("${root}".into(), root.clone())] }
        });
        let action = case.action.map_texts(resolve).unwrap();
        let driver = action.driver;
        let scope = ActionScope { own: vec![root.clone()], host_programs: false };
        self.zygote.send(&Job { seq: self.seq, action, scope, policy, check: None, deadline_ms: 20_000 }).unwrap();
        let reply = self.zygote.recv().unwrap();
        fixture.remove().unwrap();
        let mut lines = reply.text().unwrap().lines();
        let Some(prologue) = lines.next().map(|line| serde_json::from_str::<Prologue>(line).unwrap()) else {
            return Seen::NotReached;
        };
        if prologue.setup_failure.is_some() {
            return Seen::NotReached;
        }
        if prologue.apply.is_some_and(|apply| apply.rc != 0) {
            return Seen::NotApplied;
        }
        let Some(operation) = lines.next().map(|line| serde_json::from_str::<OperationReport>(line).unwrap()) else {
            let ran = driver == Driver::Exec
                && reply.ending == (Ending::Exited { code: sandproof::test_support::record::fixture::PROGRAM_EXIT });
            return if ran { Seen::Done } else { Seen::NotReached };
        };
        match operation.calls.last() {
            Some(call) if call.errno == 0 => Seen::Done,
            Some(call) if call.role == CallRole::Operation => Seen::Failed(call.errno),
            _ => Seen::NotReached,
        }
    }

    /// Whether the model's answer fits what the kernel does, without the policy and under it.
    fn compare(&mut self, case: &Case) -> Result<Option<Decision>, TestCaseError> {
        let answer = evaluate(&case.policy, &case.action, &case.fixtures);
        let before = self.run(case, None);
        let after = self.run(case, Some(&case.policy));
        let denials = case.action.driver.info().landlock_denials;
        let fits = match answer.decision {
            Some(Decision::Allow) => before == Seen::Done && after == Seen::Done,
            Some(Decision::Deny) => {
                before == Seen::Done && matches!(after, Seen::Failed(errno) if denials.contains(&errno))
            }
            None if answer.reason.contains("fails without a policy too") => before != Seen::Done,
            None if answer.reason.contains("cannot be applied") => {
                after == Seen::NotApplied || before == Seen::NotReached
            }
            None => true,
        };
        prop_assert!(fits, "without policy {before:?}, under it {after:?}, but the model says {answer:#?}");
        Ok(answer.decision)
    }
}

/// Compares `cases` cases, the same in every run, and gives how many were allowed and denied.
fn compare(cases: u32, strategy: impl Strategy<Value = Case>, folder: &Path) -> (usize, usize) {
    let mut bench = Bench::new(folder);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let counts = std::cell::Cell::new((0, 0));
    let bench = std::cell::RefCell::new(&mut bench);
    TestRunner::new_with_rng(config, rng)
        .run(&strategy, |case| {
            let (allowed, denied) = counts.get();
            counts.set(match bench.borrow_mut().compare(&case)? {
                Some(Decision::Allow) => (allowed + 1, denied),
                Some(Decision::Deny) => (allowed, denied + 1),
                None => (allowed, denied),
            });
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    counts.get()
}

/// Whether this kernel knows every right that the cases use (Landlock ABI 7).
fn able() -> bool {
    sandproof::test_support::enforce::landlock_abi().is_some_and(|abi| abi >= 7)
}

#[test]
fn model_and_kernel_agree() {
    if !able() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(300, case(), folder.path());
    assert!(allowed > 80 && denied > 40, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_about_other_ways_to_files() {
    if !able() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(300, case_of(OTHER_FILE_DRIVERS), folder.path());
    assert!(allowed > 80 && denied > 12, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_on_another_mount_than_the_root() {
    let shm = Path::new("/dev/shm");
    if !able() || !shm.is_dir() {
        return;
    }
    let folder = tempfile::tempdir_in(shm).unwrap();
    let (allowed, denied) = compare(120, case(), folder.path());
    assert!(allowed > 25 && denied > 15, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_about_bind_mounts() {
    if !able() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(150, case_with_mounts(), folder.path());
    assert!(allowed > 15 && denied > 8, "too few cases were decided: {allowed} allowed, {denied} denied");
}

#[test]
fn model_and_kernel_agree_about_several_layers() {
    if !able() {
        return;
    }
    // Once where the run's own folder is on the mount of `/`, perhaps, and once where it is not.
    for folder in [tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()] {
        let (allowed, denied) = compare(400, case_of_layers(), folder.path());
        assert!(allowed > 30 && denied > 60, "too few cases were decided: {allowed} allowed, {denied} denied");
    }
}

#[test]
fn model_and_kernel_agree_about_layers_among_bind_mounts() {
    if !able() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (allowed, denied) = compare(200, case_of_layers_with_mounts(), folder.path());
    assert!(allowed > 3 && denied > 8, "too few cases were decided: {allowed} allowed, {denied} denied");
}

/// Each layer by itself lets the move through, and both together refuse it; see the model's own test of that.
#[test]
fn a_kernel_compares_what_moves_over_all_layers_at_once() {
    if !able() || !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path());
    let [first, second] = together();
    for (layers, decision) in [
        (vec![first.clone()], Decision::Allow),
        (vec![second.clone()], Decision::Allow),
        (vec![first.clone(), second.clone()], Decision::Deny),
        (vec![second, first], Decision::Deny),
    ] {
        let decided = bench.compare(&moved_below_a_mount(layers)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(decided, Some(decision));
    }
}
