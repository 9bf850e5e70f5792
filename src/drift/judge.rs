//! One case before both judges: what the model says, and what the kernel does without the policy and under it.

use std::path::{Path, PathBuf};

use super::case::DriftCase;
use crate::lane::fixture::{Fixture, FixtureBase, FixtureError};
use crate::policy::answer::ModelAnswer;
use crate::policy::landlock::{LandlockPolicy, evaluate};
use crate::process::{SpawnError, Zygote, ZygoteLost};
use crate::record::action::ActionScope;
use crate::record::drift::KernelOutcome;
use crate::record::driver::Driver;
use crate::record::ending::Ending;
use crate::record::fixture::PROGRAM_EXIT;
use crate::record::outcome::Decision;
use crate::record::report::{CallRole, OperationReport, Prologue};
use crate::zygote::protocol::{Job, PolicyUse, Reply};

/// Under which number the zygote keeps the policy in question.
const KEY: u32 = 1;
/// How long one operation may take, in milliseconds.
const DEADLINE_MS: u64 = 20_000;

/// Why a case could not be put to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The process that probes are forked from could not be started.
    #[error("could not start the process that probes are forked from")]
    Spawn(#[from] SpawnError),
    /// It went away.
    #[error("the process that probes are forked from went away")]
    Lost(#[from] ZygoteLost),
    /// Fixtures could not be made or removed.
    #[error("could not make or remove what a case is about")]
    Fixture(#[from] FixtureError),
}

/// A case with what both said.
#[derive(Debug, Clone)]
pub struct DriftJudgement {
    /// What the model says.
    pub model: ModelAnswer,
    /// What the kernel does without the policy.
    pub without: KernelOutcome,
    /// What it does under it.
    pub under: KernelOutcome,
    /// Whether they agree.
    pub agree: bool,
}

/// Puts cases to both.
#[derive(Debug)]
pub struct Judge<'b> {
    zygote: Zygote,
    exe: PathBuf,
    base: &'b FixtureBase,
    /// What begins the names of its folders, so that several can share a base.
    name: String,
    seq: u64,
}

impl<'b> Judge<'b> {
    /// A judge that works in `base`. Call it from a thread that lives as long as it.
    ///
    /// # Errors
    /// If the zygote cannot be started.
    pub fn new(exe: &Path, base: &'b FixtureBase, name: &str) -> Result<Self, JudgeError> {
        Ok(Self { zygote: Zygote::spawn(exe)?, exe: exe.to_owned(), base, name: name.to_owned(), seq: 0 })
    }

    /// Asks both.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn judge(&mut self, case: &DriftCase) -> Result<DriftJudgement, JudgeError> {
        let model = evaluate(&case.policy, &case.action, &case.fixtures);
        let without = self.perform(case, None)?;
        let under = self.perform(case, Some(&case.policy))?;
        let denials = case.action.driver.info().landlock_denials;
        let agree = match model.decision {
            Some(Decision::Allow) => without == KernelOutcome::Done && under == KernelOutcome::Done,
            Some(Decision::Deny) => {
                without == KernelOutcome::Done
                    && matches!(under, KernelOutcome::Failed { errno } if denials.contains(&errno))
            }
            None if model.reason.contains("fails without a policy too") => without != KernelOutcome::Done,
            None if model.reason.contains("cannot be applied") => {
                under == KernelOutcome::NotApplied || without == KernelOutcome::NotReached
            }
            None => true,
        };
        Ok(DriftJudgement { model, without, under, agree })
    }

    fn perform(&mut self, case: &DriftCase, policy: Option<&LandlockPolicy>) -> Result<KernelOutcome, JudgeError> {
        self.seq += 1;
        let fixture = Fixture::make(self.base, &format!("{}-{}", self.name, self.seq), &case.fixtures)?;
        let root = fixture.path().to_owned();
        let resolve = |text: &str| Ok::<_, std::convert::Infallible>(text.replace("${root}", &root));
        let policy = match policy {
            None => None,
            Some(policy) => {
                self.zygote.load_policy(KEY, policy)?;
                Some(PolicyUse { key: KEY, texts: vec![("${root}".into(), root.clone())] })
            }
        };
        let Ok(action) = case.action.map_texts(resolve);
        let driver = action.driver;
        let scope = ActionScope { own: vec![root.clone()], host_programs: false };
        self.zygote.send(&Job { seq: self.seq, action, scope, policy, check: None, deadline_ms: DEADLINE_MS })?;
        let reply = self.zygote.recv()?;
        if reply.spent {
            self.zygote = Zygote::spawn(&self.exe)?;
        }
        fixture.remove()?;
        Ok(seen(driver, &reply))
    }
}

/// What a reply shows.
fn seen(driver: Driver, reply: &Reply) -> KernelOutcome {
    let Some(text) = reply.text() else { return KernelOutcome::NotReached };
    let mut lines = text.lines();
    let Some(prologue) = lines.next().and_then(|line| serde_json::from_str::<Prologue>(line).ok()) else {
        return KernelOutcome::NotReached;
    };
    if prologue.setup_failure.is_some() {
        return KernelOutcome::NotReached;
    }
    if prologue.apply.is_some_and(|apply| apply.rc != 0) {
        return KernelOutcome::NotApplied;
    }
    let Some(operation) = lines.next().and_then(|line| serde_json::from_str::<OperationReport>(line).ok()) else {
        let ran = driver == Driver::Exec && reply.ending == (Ending::Exited { code: PROGRAM_EXIT });
        return if ran { KernelOutcome::Done } else { KernelOutcome::NotReached };
    };
    match operation.calls.last() {
        Some(call) if call.errno == 0 => KernelOutcome::Done,
        Some(call) if call.role == CallRole::Operation => KernelOutcome::Failed { errno: call.errno },
        _ => KernelOutcome::NotReached,
    }
}
