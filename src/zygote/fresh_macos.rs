//! A probe process of macOS: what each stage does here.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::protocol::Job;
use super::stages::{self, System};
use crate::base::errno::io_error;
use crate::enforce;
use crate::policy::Enforceable;
use crate::probe::{self, OperationSteps, Prepared, REPORT};
use crate::record::action::{Action, ActionScope};
use crate::record::callout::{CalloutRecord, CheckRequest};
use crate::record::report::{ApplyRecord, OpenFd, OperationReport, SelfCheck, SetupFailure, TargetIdentity};
use crate::sys::darwin::calls;
use crate::sys::darwin::native::process::{effective_ids, ids};
use crate::sys::darwin::seatbelt::Checker;
use crate::sys::darwin::{ask, open_fds};

/// How long after its deadline a process ends itself whose server is gone, in seconds.
const SPARE_S: u64 = 2;

/// Does the job and ends the process. The report pipe is descriptor 1, and becomes a private one.
pub fn run(job: &Job<Enforceable>) -> io::Result<std::convert::Infallible> {
    REPORT.store(calls::put_output_aside().map_err(io_error)?, Relaxed);
    // Nothing else is closed. The spawner passes on only its three standard descriptors, everything else of it is
    // close-on-exec; and to close one that the system guards would end the process (`fd_guard_ast`,
    // bsd/kern/kern_guarded.c of xnu), as would be to replace it. What is open all the same is listed in the report.
    let seconds = (job.deadline_ms / 1000 + SPARE_S).min(u64::from(u32::MAX));
    calls::settle(u32::try_from(seconds).unwrap_or(u32::MAX));
    let mut probe = FreshProbe {
        action: &job.action,
        scope: &job.scope,
        checker: Checker::resolve().ok(),
        policy: job.policy.as_ref().map(enforce::ready),
        prepared: None,
    };
    stages::run(&mut probe, job.policy.as_ref(), job.check.as_ref());
    calls::exit_now(0)
}

struct FreshProbe<'w> {
    action: &'w Action,
    scope: &'w ActionScope,
    checker: Option<Checker>,
    policy: Option<enforce::ReadyPolicy>,
    prepared: Option<Prepared>,
}

impl System for FreshProbe<'_> {
    fn ids(&self) -> (i32, u32) {
        (ids().0, effective_ids().0)
    }

    fn self_check(&mut self) -> SelfCheck {
        let (confined, errno) = self.checker.map_or((None, libc::ENOSYS), |checker| checker.confined());
        SelfCheck { confined, errno, no_new_privs: false }
    }

    fn prepare(&mut self) -> Result<(), SetupFailure> {
        self.prepared = Some(probe::prepare(self.action, self.scope)?);
        Ok(())
    }

    fn open_fds(&mut self) -> Vec<OpenFd> {
        open_fds().unwrap_or_default()
    }

    fn target(&mut self) -> Option<TargetIdentity> {
        self.prepared.as_ref()?.target_path(self.action).map(calls::identity)
    }

    fn apply(&mut self, policy: &Enforceable) -> ApplyRecord {
        let ready = self.policy.get_or_insert_with(|| enforce::ready(policy));
        enforce::apply(ready).clone()
    }

    fn ask(&mut self, request: &CheckRequest) -> Vec<CalloutRecord> {
        vec![ask(self.checker.as_ref(), request)]
    }

    fn operate(&mut self) -> OperationReport {
        let mut steps = OperationSteps::new();
        if let Some(prepared) = &mut self.prepared {
            probe::operate(self.action, prepared, &mut steps);
        }
        steps.finish()
    }

    fn finish(&mut self) {
        if let Some(prepared) = &mut self.prepared {
            prepared.finish();
        }
    }

    fn report(&mut self, line: &[u8]) {
        let mut rest = line;
        while !rest.is_empty() {
            match calls::write(REPORT.load(Relaxed), rest) {
                Ok(count) => rest = &rest[count as usize..],
                Err(libc::EINTR) => {}
                // A report that cannot be written leaves no trace but its absence, which the harness sees.
                Err(_) => return,
            }
        }
    }
}
