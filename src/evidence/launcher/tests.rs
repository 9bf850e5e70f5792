use super::*;
use crate::record::launcher::{
    ContentSeen, EffectSeen, EffectTime, EmptyCall, FaultRecord, LauncherStart, MountSource, NameKind, ProcessIdentity,
    StartMode, WorkerAnswer,
};
use crate::record::platform::Platform;

fn answer(outcome: OperationOutcome) -> WorkerAnswer {
    WorkerAnswer { outcome, content: None, same_object: None, consequence: None, duration_us: 500 }
}

fn failed(call: &str, errno: i32) -> OperationOutcome {
    OperationOutcome::Failed { call: call.into(), errno, prepares: false }
}

pub(super) fn asked(answer: WorkerAnswer) -> NameTrial {
    NameTrial { kind: NameKind::Spelled, name: "/o/f".into(), answer, effect: None, again: None }
}

fn source(device: &str, path: &str) -> MountSource {
    MountSource {
        device: device.into(),
        path: path.into(),
        mount_point: "/o".into(),
        fs_type: "tmpfs".into(),
        read_only: false,
    }
}

/// A question that was answered in a start that works, with nothing around it that differs.
pub(super) fn record(asks: Vec<NameTrial>) -> LauncherRecord {
    LauncherRecord {
        start: LauncherStart { mode: Some(StartMode::Live), link: Some(Link::Read), ..LauncherStart::new(1) },
        asked: asks,
        before: Some(WorkerAnswer { content: Some(ContentSeen::Nonce), ..answer(OperationOutcome::Done) }),
        after: Some(WorkerAnswer { content: Some(ContentSeen::Nonce), ..answer(OperationOutcome::Done) }),
        around: WorkerSurroundings {
            source_outside: Some(source("254:0", "/o/f")),
            source_inside: Some(source("254:0", "/o/f")),
            net: Some(["1".into(), "1".into()]),
            pid: Some(["pid:[1]".into(), "pid:[1]".into()]),
            same_credentials: true,
            seccomp_mode: Some([0, 0]),
            seccomp_filters: Some([0, 0]),
            ..WorkerSurroundings::default()
        },
        neighbour: Some(true),
        ..LauncherRecord::empty(1)
    }
}

pub(super) fn masked(mut record: LauncherRecord) -> LauncherRecord {
    record.around.source_inside = Some(source("0:41", "/f"));
    record
}

pub(super) fn filtered(mut record: LauncherRecord) -> LauncherRecord {
    record.around.seccomp_mode = Some([0, 2]);
    record.around.seccomp_filters = Some([0, 1]);
    record
}

/// The outcome in a few words: `allow`, `deny hidden via X`, or the word of what is undecided.
fn words(driver: Driver, record: &LauncherRecord) -> String {
    let judgement = judge(driver, record, Names::All);
    let via = judgement.via.map_or(String::new(), |via| format!(" via {via}"));
    match judgement.shown {
        QuestionOutcome::Allow => "allow".into(),
        QuestionOutcome::Deny { mechanism, .. } => format!("deny {}{via}", mechanism.as_str()),
        QuestionOutcome::Undecided { kind, .. } => kind.as_str().into(),
    }
}

fn read(content: ContentSeen) -> LauncherRecord {
    record(vec![asked(WorkerAnswer { content: Some(content), ..answer(OperationOutcome::Done) })])
}

fn effect(when: Option<EffectTime>, twin_intact: Option<bool>) -> LauncherRecord {
    let seen = EffectSeen { when, twin_intact, barrier: None, own: None };
    record(vec![NameTrial { effect: Some(seen), ..asked(answer(OperationOutcome::Done)) }])
}

#[test]
fn an_effect_that_the_launcher_may_have_had_itself_is_noise_where_something_covers_the_object() {
    let seen = |own| {
        let mut row = effect(Some(EffectTime::EndOfLane), Some(true));
        row.asked[0].effect.as_mut().unwrap().own = own;
        row
    };
    for (own, covered, open) in
        [(Some(true), "allow", "allow"), (Some(false), "noise", "allow"), (None, "allow", "allow")]
    {
        assert_eq!(words(Driver::FileUnlink, &masked(seen(own))), covered);
        assert_eq!(words(Driver::FileUnlink, &seen(own)), open);
    }
}

#[test]
fn a_fifo_that_nobody_opens_diverts_only_where_it_covers_the_object() {
    let row = record(vec![asked(answer(OperationOutcome::Withheld))]);
    assert_eq!(words(Driver::FileRead, &row), "foreign_target");
    assert_eq!(words(Driver::FileRead, &masked(row.clone())), "deny diverted");
    assert_eq!(judge(Driver::FileRead, &masked(row.clone()), Names::All).object, Some(OperatedObject::Other));
    assert_eq!(words(Driver::FileRead, &masked(LauncherRecord { after: None, ..row.clone() })), "absent_unattributed");
    assert_eq!(words(Driver::FileRead, &masked(LauncherRecord { world_changed: true, ..row })), "absent_unattributed");
    // Under another name it stands in the way as well.
    let other = |outcome| NameTrial { kind: NameKind::Mount, ..asked(answer(outcome)) };
    let hidden = asked(answer(failed("openat", 2)));
    let two = masked(record(vec![hidden, other(OperationOutcome::Withheld)]));
    assert_eq!(words(Driver::FileRead, &two), "deny hidden");
}

#[test]
fn a_file_of_the_launchers_own_in_the_place_of_a_new_one_hides_it_only_where_it_is_covered() {
    let mut row = record(vec![asked(answer(failed("openat", 17)))]);
    (row.before, row.after) = (None, None);
    assert_eq!(words(Driver::FileCreate, &masked(row.clone())), "absent_unattributed");
    row.around.appeared = true;
    assert_eq!(words(Driver::FileCreate, &masked(row.clone())), "deny hidden");
    let QuestionOutcome::Undecided { kind, note, .. } = judge(Driver::FileCreate, &row, Names::All).shown else {
        panic!("nothing covers it")
    };
    assert!(kind == FailureKind::AbsentUnattributed && note.contains("the launcher has made it"), "{note}");
    // Of a copy nothing can be said.
    row.start.link = Some(Link::Copy);
    assert_eq!(words(Driver::FileCreate, &masked(row)), "absent_unattributed");
}

#[test]
fn a_start_that_did_not_work_never_becomes_a_verdict() {
    use LauncherFault as F;
    for (kind, word) in [
        (F::NotStarted, "launcher_not_started"),
        (F::Many, "launcher_many"),
        (F::Restarted, "launcher_restarted"),
        (F::Elsewhere, "launcher_elsewhere"),
        (F::TimeLimit, "launcher_time_limit"),
        (F::AnswerLost, "probe_no_report"),
        (F::ForeignTarget, "foreign_target"),
        (F::CannotAsk, "launcher_cannot_ask"),
    ] {
        // Whatever else the row says.
        for mut row in
            [record(Vec::new()), read(ContentSeen::Nonce), masked(record(vec![asked(answer(failed("openat", 2)))]))]
        {
            row.fault = Some(FaultRecord { kind, detail: String::new() });
            assert_eq!(words(Driver::FileRead, &row), word);
        }
    }
    assert_eq!(words(Driver::FileRead, &record(Vec::new())), "probe_no_report");
    let mut unlinked = read(ContentSeen::Nonce);
    unlinked.start.link = None;
    assert_eq!(words(Driver::FileRead, &unlinked), "launcher_elsewhere");
}

#[test]
fn content_counts_where_the_run_had_put_it() {
    assert_eq!(words(Driver::FileRead, &read(ContentSeen::Nonce)), "allow");
    assert_eq!(words(Driver::FileRead, &read(ContentSeen::Other)), "deny diverted");
    let mut gone = read(ContentSeen::Other);
    gone.after = None;
    assert_eq!(words(Driver::FileRead, &gone), "noise", "the host's own may have changed as well");
    // Equal nothing proves nothing: an empty file over an empty file.
    assert_eq!(words(Driver::FileRead, &read(ContentSeen::Unmarked)), "object_unproved");
    assert_eq!(words(Driver::FileRead, &masked(read(ContentSeen::Unmarked))), "deny diverted");
    let mut same = read(ContentSeen::Unmarked);
    same.asked[0].answer.same_object = Some(true);
    assert_eq!(words(Driver::FileRead, &same), "allow");
}

#[test]
fn an_effect_counts_once_the_host_has_seen_it_on_its_own_object() {
    for when in [EffectTime::AtOnce, EffectTime::EndOfLane, EffectTime::AfterEnd] {
        assert_eq!(words(Driver::FileCreate, &effect(Some(when), Some(true))), "allow");
    }
    assert_eq!(words(Driver::FileUnlink, &effect(Some(EffectTime::AtOnce), Some(false))), "noise");
    assert_eq!(words(Driver::FileCreate, &effect(None, None)), "effect_not_seen");
    assert_eq!(words(Driver::FileCreate, &masked(effect(None, None))), "deny diverted");
    let mut busy = masked(effect(None, None));
    busy.asked[0].effect.as_mut().unwrap().barrier = Some(false);
    assert_eq!(words(Driver::UnixConnect, &busy), "effect_not_seen", "the host's own was not seen either");
}

#[test]
fn a_call_that_says_it_worked_and_brings_nothing_about_was_emulated() {
    let with = |consequence| record(vec![asked(WorkerAnswer { consequence, ..answer(OperationOutcome::Done) })]);
    assert_eq!(words(Driver::ProcessFork, &with(Some(true))), "allow");
    assert_eq!(words(Driver::ProcessFork, &with(Some(false))), "deny diverted via emulated");
    assert_eq!(words(Driver::ProcessFork, &with(None)), "effect_not_seen");
    assert_eq!(
        words(Driver::FileReadOlderThread, &with(Some(true))),
        "probe_inconclusive",
        "nothing is defined for it"
    );
    let mut elsewhere = with(Some(true));
    elsewhere.around.net = Some(["1".into(), "2".into()]);
    assert_eq!(words(Driver::TcpBind, &elsewhere), "deny diverted", "a port of another network");
}

#[test]
fn what_is_missing_is_hidden_only_where_the_mounts_show_another_object() {
    let absent = || record(vec![asked(answer(failed("openat", errno::ENOENT)))]);
    assert_eq!(words(Driver::FileRead, &masked(absent())), "deny hidden");
    assert_eq!(words(Driver::FileRead, &absent()), "absent_unattributed", "the same source");
    let mut unknown = absent();
    unknown.around.source_inside = None;
    assert_eq!(words(Driver::FileRead, &unknown), "absent_unattributed");
    let mut traced = absent();
    traced.around.traced = true;
    assert_eq!(words(Driver::FileRead, &traced), "deny hidden");
    // Whatever the error: it cannot have been one of the host's object.
    for number in [20, 21, 28, 6, 40, 122] {
        let row = masked(record(vec![asked(answer(failed("openat", number)))]));
        assert_eq!(words(Driver::FileCreate, &row), "deny hidden", "{number}");
    }
    for number in [errno::EINTR, errno::EINVAL] {
        let row = masked(record(vec![asked(answer(failed("openat", number)))]));
        assert_eq!(words(Driver::FileCreate, &row), "absent_unattributed", "{number}");
    }
}

#[test]
fn hidden_needs_the_host_before_and_after_a_neighbour_and_an_unchanged_world() {
    let absent = || masked(record(vec![asked(answer(failed("openat", errno::ENOENT)))]));
    type Change = fn(&mut LauncherRecord);
    let changes: [Change; 6] = [
        |row| row.before = Some(answer(failed("openat", 2))),
        |row| row.after = None,
        |row| row.after = Some(answer(failed("openat", 2))),
        |row| row.neighbour = Some(false),
        |row| row.world_changed = true,
        |row| row.start.link = Some(Link::Copy),
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut row = absent();
        change(&mut row);
        assert_eq!(words(Driver::FileRead, &row), "absent_unattributed", "change {n}");
    }
}

#[test]
fn another_name_that_works_makes_it_allowed_and_says_how_the_spelled_one_was_denied() {
    let mut row = masked(record(vec![asked(answer(failed("openat", errno::ENOENT)))]));
    let nonce =
        WorkerAnswer { content: Some(ContentSeen::Nonce), same_object: Some(true), ..answer(OperationOutcome::Done) };
    row.asked.push(NameTrial { kind: NameKind::Mount, name: "/mnt/o/f".into(), ..asked(nonce) });
    let judgement = judge(Driver::FileRead, &row, Names::All);
    assert_eq!(judgement.shown, QuestionOutcome::Allow);
    assert_eq!((judgement.name, judgement.by_name), (Some(1), Some(Mechanism::Hidden)));
    assert_eq!(judgement.object, Some(OperatedObject::Same));
    // One that may have worked leaves it open.
    row.asked[1].answer.content = Some(ContentSeen::Unmarked);
    row.asked[1].answer.same_object = None;
    row.around.source_inside = None;
    assert_eq!(words(Driver::FileRead, &row), "absent_unattributed");
    row.asked[0].answer.outcome = failed("openat", errno::EACCES);
    assert_eq!(words(Driver::FileRead, &row), "object_unproved");
}

#[test]
fn error_numbers_of_macos_are_compared_by_what_they_say() {
    let with = |driver, number| {
        let row = record(vec![asked(answer(failed("open", number)))]);
        words(driver, &LauncherRecord { system: Platform::Macos, ..row })
    };
    // EPERM, EACCES, EROFS, ENOSYS, EOVERFLOW
    for number in [1, 13, 30, 78, 84] {
        assert_eq!(with(Driver::FileCreate, number), "deny refused", "{number}");
    }
    // ENOTSOCK, EPROCLIM and EAUTH there, and ENOSYS, EOVERFLOW and EUSERS on Linux or close to them.
    for number in [38, 75, 67, 80] {
        assert_eq!(with(Driver::FileCreate, number), "absent_unattributed", "{number}");
    }
    assert_eq!(with(Driver::TcpConnect, 47), "deny refused", "EAFNOSUPPORT");
    assert_eq!(with(Driver::TcpConnect, 97), "absent_unattributed");
    assert_eq!(with(Driver::FileWrite, 35), "resource_limit", "EAGAIN");
    assert_eq!(with(Driver::FileWrite, 11), "absent_unattributed", "EDEADLK");
}

#[test]
fn seatbelt_is_named_where_it_confines_the_inside_alone_and_the_same_went_through_outside() {
    let mut row = record(vec![asked(answer(failed("open", errno::EPERM)))]);
    row.system = Platform::Macos;
    row.around.seatbelt = Some([false, true]);
    let named = "deny refused via seatbelt";
    assert_eq!(words(Driver::FileRead, &row), named);
    let but = |change: &dyn Fn(&mut LauncherRecord)| {
        let mut other = row.clone();
        change(&mut other);
        words(Driver::FileRead, &other)
    };
    assert_eq!(but(&|row| row.around.seatbelt = Some([true, true])), "deny refused");
    assert_eq!(but(&|row| row.around.seatbelt = None), "deny refused");
    assert_eq!(but(&|row| row.around.same_credentials = false), "deny refused");
    assert_eq!(but(&|row| row.asked[0].answer.outcome = failed("open", errno::EACCES)), "deny refused");
    assert_eq!(but(&|row| (row.before, row.after) = (None, None)), "deny refused");
    assert_eq!(but(&|row| row.before = None), named, "it may be asked outside only afterwards");
}

#[test]
fn refusals_and_what_refuses() {
    let with = |driver, number| words(driver, &record(vec![asked(answer(failed("renameat2", number)))]));
    for number in [errno::EACCES, errno::EPERM, errno::EROFS, errno::ENOSYS] {
        assert_eq!(with(Driver::FileCreate, number), "deny refused");
    }
    assert_eq!(with(Driver::FileRename, errno::EXDEV), "deny refused");
    assert_eq!(with(Driver::FileRename, errno::EBUSY), "deny refused");
    assert_eq!(with(Driver::FileRead, errno::EBUSY), "absent_unattributed");
    assert_eq!(with(Driver::FileCreate, errno::EOVERFLOW), "deny refused");
    assert_eq!(with(Driver::FileRead, errno::EOVERFLOW), "absent_unattributed");
    assert_eq!(with(Driver::TcpConnect, errno::EAFNOSUPPORT), "deny refused");
    // A resource is the launcher's doing if its limit is lower.
    assert_eq!(with(Driver::FileWrite, errno::EFBIG), "resource_limit");
    let mut limited = record(vec![asked(answer(failed("write", errno::EFBIG)))]);
    limited.around.lower_limit = Some("FSIZE".into());
    assert_eq!(words(Driver::FileWrite, &limited), "deny refused via rlimit FSIZE");
    // A program that is there, without its interpreter.
    let mut script = masked(record(vec![asked(answer(failed("execve", errno::ENOENT)))]));
    script.around.visible = Some(true);
    assert_eq!(words(Driver::Exec, &script), "deny refused via interpreter");
}

#[test]
fn a_call_that_the_kernel_does_not_have_was_refused_by_nobody() {
    let mut row = record(vec![asked(answer(failed("userfaultfd", errno::ENOSYS)))]);
    row.before = None;
    row.after = None;
    row.empty_call = Some(EmptyCall { call: "userfaultfd".into(), inside: errno::ENOSYS, outside: errno::ENOSYS });
    assert_eq!(words(Driver::Userfaultfd, &row), "absent_unattributed");
    row.empty_call = Some(EmptyCall { call: "userfaultfd".into(), inside: errno::ENOSYS, outside: 22 });
    assert_eq!(words(Driver::Userfaultfd, &row), "deny refused");
}

#[test]
fn what_is_refused_outside_as_well_is_not_the_launchers_doing() {
    let mut row = record(vec![asked(answer(failed("ptrace", errno::EPERM)))]);
    assert_eq!(words(Driver::PtraceOutside, &row), "deny refused");
    row.before = Some(answer(failed("ptrace", errno::EPERM)));
    assert_eq!(words(Driver::PtraceOutside, &row), "baseline_denied");
}

#[test]
fn a_connection_to_somebody_elses_service_counts_where_nothing_stands_between() {
    let connection = |consequence, inside: &str| {
        let mut row = record(vec![asked(WorkerAnswer { consequence, ..answer(OperationOutcome::Done) })]);
        row.around.net = Some(["1".into(), inside.into()]);
        words(Driver::TcpConnect, &row)
    };
    assert_eq!(connection(Some(true), "1"), "allow");
    assert_eq!(connection(Some(true), "2"), "effect_not_seen");
    assert_eq!(connection(Some(false), "1"), "deny diverted via emulated");
    assert_eq!(connection(None, "1"), "effect_not_seen");
}

#[test]
fn a_name_alone_is_judged_as_if_nothing_else_had_been_asked() {
    let mut row = masked(record(vec![asked(answer(failed("openat", errno::ENOENT)))]));
    row.asked.push(NameTrial {
        kind: NameKind::Mount,
        name: "/mnt/o/f".into(),
        ..asked(WorkerAnswer { content: Some(ContentSeen::Nonce), ..answer(OperationOutcome::Done) })
    });
    let all = judge(Driver::FileRead, &row, Names::All);
    assert_eq!((all.shown, all.name, all.by_name), (QuestionOutcome::Allow, Some(1), Some(Mechanism::Hidden)));
    let alone = verdict(Driver::FileRead, &row, Names::Spelled);
    assert_eq!((alone.mechanism, alone.name, alone.by_name), (Some(Mechanism::Hidden), None, None));
    assert_eq!(alone.tried, ["/o/f"]);
}

#[test]
fn a_filter_is_accused_only_by_what_it_alone_explains() {
    let row = |inside, outside| {
        let mut row = filtered(record(vec![asked(answer(failed("openat", errno::ENOENT)))]));
        row.empty_call = Some(EmptyCall { call: "openat".into(), inside, outside });
        row
    };
    assert_eq!(words(Driver::FileRead, &row(errno::ENOENT, 14)), "deny refused via seccomp");
    assert_eq!(words(Driver::FileRead, &row(14, 14)), "absent_unattributed", "the kernel's own answer");
    assert_eq!(words(Driver::FileRead, &row(errno::ENOENT, errno::ENOENT)), "absent_unattributed", "outside as well");
    let mut unfiltered = row(errno::ENOENT, 14);
    unfiltered.around.seccomp_mode = Some([0, 0]);
    assert_eq!(words(Driver::FileRead, &unfiltered), "absent_unattributed");
    let mut as_many = row(errno::ENOENT, 14);
    as_many.around.seccomp_filters = Some([1, 1]);
    assert_eq!(words(Driver::FileRead, &as_many), "absent_unattributed");
    let mut another = row(errno::ENOENT, 14);
    another.empty_call.as_mut().unwrap().call = "unlinkat".into();
    assert_eq!(words(Driver::FileRead, &another), "absent_unattributed", "another call was answered so");
    // With other capabilities the refusal may be theirs.
    let mut others = row(errno::EPERM, 14);
    others.asked[0].answer.outcome = failed("openat", errno::EPERM);
    others.around.same_credentials = false;
    let judgement = judge(Driver::FileRead, &others, Names::All);
    assert!(
        matches!(judgement.shown, QuestionOutcome::Deny { mechanism: Mechanism::Refused, .. })
            && judgement.via.is_none()
    );
}

#[test]
fn a_process_that_was_ended_was_killed_only_if_nothing_else_explains_it() {
    let died = |signal, twice, nop_lives, box_control_lives| {
        record(vec![asked(answer(OperationOutcome::Died { signal, twice, nop_lives, box_control_lives }))])
    };
    assert_eq!(words(Driver::FileRead, &filtered(died(SIGSYS, true, true, None))), "deny killed via seccomp");
    assert_eq!(words(Driver::FileRead, &died(9, true, true, None)), "deny killed");
    assert_eq!(words(Driver::FileRead, &died(9, false, true, None)), "probe_crashed");
    assert_eq!(words(Driver::FileRead, &died(9, true, false, None)), "probe_crashed");
    assert_eq!(words(Driver::FileRead, &died(0, true, true, Some(true))), "deny killed via box");
    assert_eq!(words(Driver::FileRead, &died(0, true, true, Some(false))), "launcher_time_limit");
    assert_eq!(words(Driver::FileRead, &died(SIGSYS, true, true, None)), "deny killed", "no filter is known");
    assert_eq!(words(Driver::FileRead, &died(0, false, true, Some(true))), "probe_crashed", "it was seen once only");
}

#[test]
fn silence_is_a_denial_only_if_it_is_the_sandbox_that_is_silent() {
    let row = || {
        let seen = EffectSeen { when: None, twin_intact: None, barrier: None, own: None };
        let mut row = record(vec![NameTrial {
            effect: Some(seen),
            again: Some(OperationOutcome::NoAnswer),
            ..asked(answer(OperationOutcome::NoAnswer))
        }]);
        row.around.cgroup = Some(["0::/a".into(), "0::/b".into()]);
        row
    };
    assert_eq!(words(Driver::TcpConnect, &row()), "deny dropped");
    type Change = fn(&mut LauncherRecord);
    let changes: [Change; 5] = [
        // A connection stood, and whoever made it did not hear of it.
        |row| row.asked[0].effect.as_mut().unwrap().when = Some(EffectTime::AtOnce),
        |row| row.asked[0].again = None,
        |row| row.around.cgroup = None,
        |row| row.after.as_mut().unwrap().duration_us = 4_000_000,
        |row| row.before = None,
    ];
    for change in changes {
        let mut row = row();
        change(&mut row);
        assert_eq!(words(Driver::TcpConnect, &row), "probe_timeout");
    }
}

#[test]
fn addresses_and_processes_are_covered_by_their_own_namespaces() {
    let refused = || {
        let mut row = record(vec![asked(answer(failed("connect", 111)))]);
        row.asked[0].again = Some(failed("connect", 111));
        row
    };
    assert_eq!(words(Driver::TcpConnect, &refused()), "absent_unattributed");
    let mut apart = refused();
    apart.around.net = Some(["1".into(), "2".into()]);
    assert_eq!(words(Driver::TcpConnect, &apart), "deny hidden");
    apart.asked[0].again = None;
    assert_eq!(words(Driver::TcpConnect, &apart), "absent_unattributed", "it was asked once only");

    let mut gone = record(vec![asked(answer(failed("pidfd_open", 3)))]);
    gone.around.pid = Some(["pid:[1]".into(), "pid:[2]".into()]);
    gone.around.process = Some(ProcessIdentity { outside: 7, inside: None });
    assert_eq!(words(Driver::SignalOutside, &gone), "deny hidden");
    gone.around.process = Some(ProcessIdentity { outside: 7, inside: Some(8) });
    assert_eq!(words(Driver::SignalOutside, &gone), "deny hidden", "another process of that number");
    gone.around.process = Some(ProcessIdentity { outside: 7, inside: Some(7) });
    assert_eq!(words(Driver::SignalOutside, &gone), "absent_unattributed");
}

#[test]
fn error_numbers_mean_a_refusal_only_of_what_they_are_about() {
    let with = |driver, number| words(driver, &record(vec![asked(answer(failed("openat", number)))]));
    assert_eq!(with(Driver::FileRead, errno::EXDEV), "absent_unattributed");
    assert_eq!(with(Driver::FileRead, errno::EAFNOSUPPORT), "absent_unattributed");
    // A family of sockets that the host has and the inside has not was taken from it, whatever the socket was meant for.
    let socket = |driver, [before, after]: [OperationOutcome; 2]| {
        let mut row = record(vec![asked(answer(failed("socket", errno::EAFNOSUPPORT)))]);
        (row.before, row.after) = (Some(answer(before)), Some(answer(after)));
        words(driver, &row)
    };
    let (done, none) = (|| OperationOutcome::Done, || failed("socket", errno::EAFNOSUPPORT));
    for driver in [Driver::VsockSocket, Driver::PacketSocket, Driver::UnixConnect] {
        assert_eq!(socket(driver, [done(), done()]), "deny refused", "{driver:?}");
        assert_eq!(socket(driver, [none(), none()]), "absent_unattributed", "{driver:?}: the host has none either");
    }
    // A module that was loaded only for the question is one of the host's all the same, and was denied before.
    assert_eq!(socket(Driver::VsockSocket, [none(), done()]), "baseline_denied");
    // What lies over the path of a socket says nothing of a socket that could not be made.
    let covered = masked(record(vec![asked(answer(failed("socket", errno::EAFNOSUPPORT)))]));
    assert_eq!(words(Driver::UnixConnect, &covered), "deny refused");
    // A program that cannot be seen is not one without its interpreter.
    for visible in [None, Some(false)] {
        let mut script = record(vec![asked(answer(failed("execve", errno::ENOENT)))]);
        script.around.visible = visible;
        assert_eq!(words(Driver::Exec, &script), "absent_unattributed", "{visible:?}");
    }
    let prepares = |call: &str| {
        let outcome = OperationOutcome::Failed { call: call.into(), errno: errno::EACCES, prepares: true };
        words(Driver::TcpConnect, &record(vec![asked(answer(outcome))]))
    };
    assert_eq!(prepares("setsockopt"), "probe_prepare_failed");
    assert_eq!(prepares("socket"), "deny refused", "without a socket there is no operation");
    let mut seen = effect(Some(EffectTime::EndOfLane), Some(true));
    seen.asked[0].answer.outcome = failed("openat", errno::EACCES);
    assert_eq!(words(Driver::FileCreate, &seen), "probe_no_report", "it was refused, and it happened");
}

#[test]
fn what_is_not_known_of_the_host_or_of_namespaces_proves_nothing() {
    let mut read = read(ContentSeen::Other);
    for content in [None, Some(ContentSeen::Unmarked)] {
        read.after.as_mut().unwrap().content = content;
        assert_eq!(words(Driver::FileRead, &read), "noise", "{content:?}: the host's own was not looked at");
    }
    let mut bound = record(vec![asked(WorkerAnswer { consequence: Some(true), ..answer(OperationOutcome::Done) })]);
    assert_eq!(words(Driver::TcpBind, &bound), "allow");
    bound.around.net = None;
    assert_eq!(words(Driver::TcpBind, &bound), "object_unproved", "it may be a port of another network");
}

#[test]
fn another_path_of_the_same_file_system_is_another_object() {
    let mut row = record(vec![asked(answer(failed("openat", errno::ENOENT)))]);
    row.around.source_inside = Some(source("254:0", "/elsewhere/f"));
    assert_eq!(words(Driver::FileRead, &row), "deny hidden");
}
