//! Any row that a probe could leave, and some that none could.

use super::*;

fn any_kind() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::ALL)
}

fn any_errno() -> impl Strategy<Value = i32> {
    prop::sample::select(&[0, 1, 2, 13, 16, 18, 25, 30, 35, 38, 111, -1][..])
}

fn any_check() -> impl Strategy<Value = SelfCheck> {
    prop::option::of(any::<bool>()).prop_map(|confined| SelfCheck { confined, errno: 0, no_new_privs: true })
}

/// Mostly good checks, since one bad one hides everything after it.
fn check_that_is(good: bool) -> impl Strategy<Value = SelfCheck> {
    let fine = SelfCheck { confined: Some(good), errno: 0, no_new_privs: true };
    prop_oneof![4 => Just(fine), 1 => any_check()]
}

fn any_apply() -> impl Strategy<Value = Option<ApplyRecord>> {
    let fine = landlock_applied();
    let names = &["landlock_restrict_self", "sandbox_init", "sandbox_apply", "chroot"][..];
    let other = fine.clone();
    let named = prop::sample::select(names).prop_map(move |api| ApplyRecord { api: api.into(), ..other.clone() });
    let bad = (any::<bool>(), any_errno(), prop::option::of(any_kind()), any::<bool>(), prop::sample::select(names));
    let bad = bad.prop_map(|(failed, errno, failure, unsupported, api)| ApplyRecord {
        api: api.into(),
        rc: -i32::from(failed),
        errno,
        failure,
        class: None,
        message: Some("a cause".into()),
        abi: None,
        unsupported: if unsupported { vec!["truncate".into()] } else { Vec::new() },
    });
    prop_oneof![6 => Just(Some(fine)), 1 => named.prop_map(Some), 1 => bad.prop_map(Some), 1 => Just(None)]
}

fn any_ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        6 => Just(Ending::Exited { code: 0 }),
        2 => prop::sample::select(&[1, PROGRAM_EXIT][..]).prop_map(|code| Ending::Exited { code }),
        1 => Just(Ending::Signaled { signal: 11, core_dumped: false }),
        1 => Just(Ending::Expired { deadline_ms: 5, sent: Vec::new(), signal: Some(9) }),
        1 => any_errno().prop_map(|errno| Ending::NotStarted { errno }),
        1 => Just(Ending::Lost { reason: "gone".into() }),
    ]
}

/// A change of what a well-behaved probe reports.
#[derive(Debug, Clone)]
pub(super) struct Change {
    ending: Ending,
    not_run: Option<Kind>,
    neither: bool,
    prologue: bool,
    setup: Option<i32>,
    before: SelfCheck,
    after: Option<SelfCheck>,
    apply: Option<ApplyRecord>,
    operation: bool,
    /// Whether it prepares, its error number, whether its return value contradicts that.
    calls: Vec<(bool, i32, bool)>,
    report_error: bool,
    received: Option<i64>,
    confirmed: Option<i64>,
    heard: Option<u64>,
    mode: u32,
}

impl Change {
    pub(super) fn make(&self, row: &mut ProbeRow) {
        row.ending = (!self.neither && self.not_run.is_none()).then(|| self.ending.clone());
        row.not_run = self.not_run.map(|kind| NotRun { kind, reason: "a reason".into(), errno: 0 });
        if self.prologue {
            let said = row.prologue.as_mut().unwrap();
            said.setup_failure = self.setup.map(|errno| SetupFailure {
                step: "change".into(),
                errno,
                missing: None,
                leads_to: (errno % 2 == 0).then(|| "/elsewhere".into()),
            });
            said.self_check_before = self.before.clone();
            if row.lane != Lane::Baseline || self.apply.as_ref().is_some_and(|apply| apply.rc != 0) {
                said.self_check_after = self.after.clone();
                said.apply = self.apply.clone();
            }
            if let Some(target) = &mut said.target {
                target.mode = Some(self.mode);
            }
        } else {
            row.prologue = None;
        }
        if self.operation {
            let said = row.operation.as_mut().unwrap();
            let made = |(prepares, errno, contradicts): &(bool, i32, bool)| {
                let role = if *prepares { CallRole::Prepare } else { CallRole::Operation };
                let mut made = call("openat", role, *errno);
                if *contradicts {
                    made.ret = -1 - made.ret;
                }
                made
            };
            said.calls = self.calls.iter().map(made).collect();
            let named = [(DetailName::Received, self.received), (DetailName::Confirmed, self.confirmed)];
            said.details = named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        } else {
            row.operation = None;
        }
        row.report_error = self.report_error.then(|| "not JSON".to_owned());
        row.listener = self.heard.map(|accept_count| ListenerRecord {
            kind: ListenerKind::Tcp,
            address: "127.0.0.1:40123".into(),
            accept_count,
        });
    }
}

prop_compose! {
    pub(super) fn any_change()(
        ending in any_ending(),
        not_run in prop::option::weighted(0.1, any_kind()),
        neither in prop::bool::weighted(0.02),
        prologue in prop::bool::weighted(0.9),
        setup in prop::option::weighted(0.05, any_errno()),
        before in check_that_is(false),
        after in prop::option::weighted(0.9, check_that_is(true)),
        apply in any_apply(),
        rest in any_report(),
        mode in prop::sample::select(&[0o100_644_u32, 0o100_600][..]),
    ) -> Change {
        let (operation, calls, report_error, (received, confirmed), heard) = rest;
        Change {
            ending, not_run, neither, prologue, setup, before, after, apply, operation, calls, report_error, received,
            confirmed, heard, mode,
        }
    }
}

type Report = (bool, Vec<(bool, i32, bool)>, bool, (Option<i64>, Option<i64>), Option<u64>);

fn any_report() -> impl Strategy<Value = Report> {
    // Half of the calls succeed, so that long lists get to their end.
    let errno = prop_oneof![Just(0), any_errno()];
    let call = (prop::bool::weighted(0.3), errno, prop::bool::weighted(0.05));
    (
        prop::bool::weighted(0.85),
        prop::collection::vec(call, 0..4),
        prop::bool::weighted(0.05),
        (prop::option::of(0_i64..2), prop::option::weighted(0.3, 0_i64..2)),
        prop::option::of(0_u64..2),
    )
}

pub(super) fn any_row(lane: impl Strategy<Value = Lane>) -> impl Strategy<Value = ProbeRow> {
    (lane, prop::sample::select(Driver::ALL), any_change()).prop_map(|(lane, driver, change)| {
        let mut row = allowed(lane, 0, "p", "x", &crate::evidence::testing::action(driver, "/a"));
        change.make(&mut row);
        row
    })
}
