//! The stages of a probe process that was started afresh, in their order. What each of them does is the system's.

use crate::base::json_out;
use crate::policy::Enforceable;
use crate::record::callout::{CalloutRecord, CheckRequest};
use crate::record::report::{ApplyRecord, OpenFd, OperationReport, Prologue, SelfCheck, SetupFailure, TargetIdentity};

/// What a system does for a probe process.
pub trait System {
    /// The process id and the effective user id.
    fn ids(&self) -> (i32, u32);
    /// Whether the process is confined.
    fn self_check(&mut self) -> SelfCheck;
    /// Does everything that has to happen before a policy is applied.
    fn prepare(&mut self) -> Result<(), SetupFailure>;
    /// Every open descriptor.
    fn open_fds(&mut self) -> Vec<OpenFd>;
    /// What the target is; `None` if the driver has no path.
    fn target(&mut self) -> Option<TargetIdentity>;
    /// Puts a policy in force.
    fn apply(&mut self, policy: &Enforceable) -> ApplyRecord;
    /// Asks the policy.
    fn ask(&mut self, request: &CheckRequest) -> Vec<CalloutRecord>;
    /// Performs the operation.
    fn operate(&mut self) -> OperationReport;
    /// Ends what was prepared.
    fn finish(&mut self);
    /// Writes one line of the report.
    fn report(&mut self, line: &[u8]);
}

/// Goes through the stages. The first line is written before the operation, the second after it; a process that does not
/// get as far writes less.
pub fn run(system: &mut impl System, policy: Option<&Enforceable>, request: Option<&CheckRequest>) {
    let (pid, uid) = system.ids();
    let mut prologue = Prologue {
        pid,
        uid,
        open_fds: Vec::new(),
        self_check_before: system.self_check(),
        setup_failure: None,
        target: None,
        apply: None,
        self_check_after: None,
        callouts: Vec::new(),
    };
    let prepared = system.prepare();
    prologue.open_fds = system.open_fds();
    if let Err(failure) = prepared {
        prologue.setup_failure = Some(failure);
        write(system, &prologue);
        return;
    }
    prologue.target = system.target();
    let mut reached = true;
    if let Some(policy) = policy {
        let applied = system.apply(policy);
        reached = applied.rc == 0;
        prologue.apply = Some(applied);
        if reached {
            let after = system.self_check();
            // A policy that was accepted and does not confine is no policy.
            reached = after.confined == Some(true);
            prologue.self_check_after = Some(after);
        }
    }
    if let Some(request) = request.filter(|_| reached && policy.is_some()) {
        prologue.callouts = system.ask(request);
    }
    write(system, &prologue);
    if reached {
        let operation = system.operate();
        write(system, &operation);
    }
    system.finish();
}

fn write<T: serde::Serialize>(system: &mut impl System, line: &T) {
    // The shapes of a report serialise; a report that is missing shows as such.
    let mut bytes = Vec::with_capacity(1024);
    if json_out::append_compact(&mut bytes, line).is_ok() {
        bytes.push(b'\n');
        system.report(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::outcome::FailureKind;

    /// A system that notes what it is asked to do.
    #[derive(Default)]
    struct Fake {
        done: Vec<&'static str>,
        unprepared: bool,
        apply_rc: i32,
        confined_after: bool,
        lines: Vec<String>,
    }

    impl System for Fake {
        fn ids(&self) -> (i32, u32) {
            (7, 501)
        }
        fn self_check(&mut self) -> SelfCheck {
            let applied = self.done.contains(&"apply");
            self.done.push("check");
            SelfCheck { confined: Some(applied && self.confined_after), errno: 0, no_new_privs: false }
        }
        fn prepare(&mut self) -> Result<(), SetupFailure> {
            self.done.push("prepare");
            if self.unprepared {
                Err(SetupFailure { step: "open".into(), errno: 2, missing: None, leads_to: None })
            } else {
                Ok(())
            }
        }
        fn open_fds(&mut self) -> Vec<OpenFd> {
            self.done.push("fds");
            Vec::new()
        }
        fn target(&mut self) -> Option<TargetIdentity> {
            self.done.push("target");
            None
        }
        fn apply(&mut self, _: &Enforceable) -> ApplyRecord {
            self.done.push("apply");
            ApplyRecord {
                api: "sandbox_init".into(),
                rc: self.apply_rc,
                errno: 0,
                failure: (self.apply_rc != 0).then_some(FailureKind::SandboxInitFailed),
                class: None,
                message: None,
                abi: None,
                unsupported: Vec::new(),
            }
        }
        fn ask(&mut self, _: &CheckRequest) -> Vec<CalloutRecord> {
            self.done.push("ask");
            Vec::new()
        }
        fn operate(&mut self) -> OperationReport {
            self.done.push("operate");
            OperationReport { calls: Vec::new(), opened: None, details: Vec::new() }
        }
        fn finish(&mut self) {
            self.done.push("finish");
        }
        fn report(&mut self, line: &[u8]) {
            self.done.push("line");
            self.lines.push(String::from_utf8(line.to_vec()).unwrap());
        }
    }

    fn through(mut fake: Fake, confined: bool) -> Fake {
        let policy = Enforceable::Sbpl { text: "(version 1)".into(), parameters: Default::default() };
        let request = CheckRequest {
            operation: "file-read-data".into(),
            filter_type: 1,
            filter_name: None,
            argument: Some("/a".into()),
            canonicalization: None,
        };
        run(&mut fake, confined.then_some(&policy), Some(&request));
        fake
    }

    #[test]
    fn everything_is_ready_before_the_policy_and_nothing_but_the_operation_comes_after() {
        let fake = through(Fake { confined_after: true, ..Fake::default() }, true);
        let order = ["check", "prepare", "fds", "target", "apply", "check", "ask", "line", "operate", "line", "finish"];
        assert_eq!(fake.done, order);
        let prologue: Prologue = serde_json::from_str(&fake.lines[0]).unwrap();
        assert_eq!(prologue.self_check_after.unwrap().confined, Some(true));
        assert!(serde_json::from_str::<OperationReport>(&fake.lines[1]).is_ok());
    }

    #[test]
    fn without_a_policy_nothing_is_asked() {
        let fake = through(Fake::default(), false);
        assert_eq!(fake.done, ["check", "prepare", "fds", "target", "line", "operate", "line", "finish"]);
    }

    #[test]
    fn what_is_not_in_force_is_not_operated_under() {
        for fake in [Fake { apply_rc: -1, confined_after: true, ..Fake::default() }, Fake::default()] {
            let fake = through(fake, true);
            assert!(!fake.done.contains(&"operate") && !fake.done.contains(&"ask"), "{:?}", fake.done);
            assert_eq!(fake.lines.len(), 1);
        }
        let fake = through(Fake { unprepared: true, ..Fake::default() }, true);
        assert!(!fake.done.contains(&"apply"), "{:?}", fake.done);
        assert!(serde_json::from_str::<Prologue>(&fake.lines[0]).unwrap().setup_failure.is_some());
    }
}
