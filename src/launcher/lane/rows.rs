//! From answers to rows.

use super::asking::{LauncherLane, OpenQuestion, WorkspaceFiles};
use super::engine::{Engine, RequestResult};
use super::outside::{self, HostView};
use crate::lane::task::Task;
use crate::launcher::frame;
use crate::launcher::mounts::MountTable;
use crate::launcher::said::{Hello, PathIdentity, WorkerMessage, WorkerReport};
use crate::launcher::session::Setting;
use crate::record::action::Action;
use crate::record::detail_name::DetailName;
use crate::record::driver::{Driver, TargetKind};
use crate::record::driver_witness::SuccessWitness;
use crate::record::launcher::{
    ContentSeen, EffectSeen, FaultRecord, LauncherFault, Link, NameKind, NameTrial, OperationOutcome, ProcessIdentity,
    ReadFrom, WorkerAnswer, WorkerSurroundings,
};
use crate::record::report::CallRole;
use crate::record::row::{NotRun, ProbeRow};

/// What is known of the inside and the outside of one lane.
pub(super) struct LaneSurroundings {
    hello: Hello,
    outside: Option<HostView>,
    /// What a worker without any launcher found around itself.
    free: Hello,
    host: MountTable,
    inside: MountTable,
    read_from: Option<ReadFrom>,
}

impl LaneSurroundings {
    pub(super) fn look(engine: &Engine<'_>, _setting: &Setting<'_>, free: Hello) -> Self {
        let hello = engine.hello().cloned().unwrap_or_default();
        let session = engine.reached.as_ref().and_then(|reached| reached.session.as_ref());
        let outside = session.and_then(|session| outside::find(session.key()));
        let (inside, read_from) = match &outside {
            Some(outside) => (MountTable::read(&outside.mountinfo), Some(ReadFrom::Outside)),
            None => (MountTable::read(&hello.mountinfo), Some(ReadFrom::Inside)),
        };
        let read_from = read_from.filter(|_| !inside.is_empty());
        let host = MountTable::read(&free.mountinfo);
        Self { hello, outside, free, host, inside, read_from }
    }

    pub(super) fn has_outside(&self) -> bool {
        self.outside.is_some()
    }

    /// Whether the environment inside has a variable of that name.
    pub(super) fn has_variable(&self, name: &str) -> bool {
        self.hello.environment.iter().any(|known| known == name)
    }

    pub(super) fn descriptors(&self) -> &[(i32, PathIdentity)] {
        &self.hello.descriptors
    }

    /// Other paths inside that show the same as the real path `path` outside.
    pub(super) fn names_of(&self, path: &str) -> Vec<String> {
        let real = outside::real_path(path).unwrap_or_else(|| path.to_owned());
        self.host.source(&real).map(|source| self.inside.names_of(&source, path)).unwrap_or_default()
    }

    /// The default gateways inside, and their neighbour that user-space networks forward from.
    pub(super) fn gateways(&self) -> Vec<String> {
        let mut found = Vec::new();
        for line in self.hello.routes.lines().skip(1) {
            let Some(number) = line.split_whitespace().nth(2).and_then(|text| u32::from_str_radix(text, 16).ok())
            else {
                continue;
            };
            if number == 0 {
                continue;
            }
            let [a, b, c, d] = number.to_le_bytes();
            for last in [d, 2] {
                let text = format!("{a}.{b}.{c}.{last}");
                // Of the host's own network nothing new is learned.
                if !found.contains(&text) && self.free.routes != self.hello.routes {
                    found.push(text);
                }
            }
        }
        found
    }

    pub(super) fn is_address(&self, asking: &OpenQuestion) -> bool {
        matches!(asking.question.action.driver.info().target, TargetKind::Endpoint | TargetKind::AbstractName)
    }

    /// Writes down what is around a question.
    pub(super) fn describe(&self, asking: &mut OpenQuestion, link: Option<Link>) {
        let (hello, free, outside) = (&self.hello, &self.free, self.outside.as_ref());
        let pair = |there: Option<String>, here: Option<String>| Some([there?, here?]);
        let namespace = |name: &str, seen: Option<&Option<String>>| {
            let here = seen.cloned().flatten().or_else(|| hello.namespaces.get(name).cloned());
            pair(free.namespaces.get(name).cloned(), here)
        };
        let cookie = |hello: &Hello| hello.net_cookie.map(|cookie| cookie.to_string());
        let (source_outside, source_inside) = self.sources(asking);
        let traced = outside.and_then(|outside| outside.tracer).or(hello.tracer).is_some_and(|pid| pid != 0);
        let action = &asking.question.action;
        asking.record.start.link = link;
        asking.record.neighbour = Some(match action.driver.info().target {
            TargetKind::Path => hello.sees_root,
            TargetKind::Endpoint | TargetKind::AbstractName => hello.makes_sockets,
            _ => true,
        });
        asking.record.around = WorkerSurroundings {
            read_from: self.read_from,
            source_outside,
            source_inside,
            net: pair(cookie(free), cookie(hello)).or_else(|| namespace("net", None)),
            pid: namespace("pid", outside.map(|outside| &outside.pid_namespace)),
            ipc: namespace("ipc", outside.map(|outside| &outside.ipc_namespace)),
            cgroup: pair(
                Some(free.cgroup.clone()),
                outside.and_then(|outside| outside.cgroup.clone()).or_else(|| Some(hello.cgroup.clone())),
            )
            .filter(|[there, here]| !there.is_empty() && !here.is_empty()),
            traced: traced && free.tracer.is_none_or(|pid| pid == 0),
            seccomp_mode: free
                .seccomp_mode
                .zip(outside.and_then(|outside| outside.seccomp_mode).or(hello.seccomp_mode))
                .map(|(there, here)| [there, here]),
            seatbelt: free.seatbelt.zip(hello.seatbelt).map(|(there, here)| [there, here]),
            seccomp_filters: free
                .seccomp_filters
                .zip(outside.and_then(|outside| outside.seccomp_filters).or(hello.seccomp_filters))
                .map(|(there, here)| [there, here]),
            same_credentials: outside::same_credentials(hello, free),
            lower_limit: None,
            process: None,
            visible: None,
            appeared: false,
        };
    }

    /// What the target is shown as, outside and inside: along the path as it is spelled, or along the one that its links
    /// lead to, whichever differs.
    fn sources(
        &self,
        asking: &OpenQuestion,
    ) -> (Option<crate::record::launcher::MountSource>, Option<crate::record::launcher::MountSource>) {
        let action = &asking.question.action;
        if action.driver.info().target != TargetKind::Path {
            return (None, None);
        }
        let mut paths: Vec<String> = outside::real_path(&action.target).into_iter().collect();
        paths.extend(std::fs::canonicalize(&action.target).ok().and_then(|path| path.to_str().map(str::to_owned)));
        paths.extend(
            action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate).and_then(outside::real_path),
        );
        let both = |path: &String| (self.host.source(path), self.inside.source(path));
        let differing = paths.iter().map(both).find(|(there, here)| match (there, here) {
            (Some(there), Some(here)) => !there.is_same(here),
            _ => false,
        });
        differing.or_else(|| paths.first().map(both)).unwrap_or((None, None))
    }

    /// The limit that an error number speaks of, if it is lower inside.
    fn lower_limit(hello: &Hello, free: &Hello, errno: i32) -> Option<String> {
        let names: &[&str] = match errno {
            libc::EFBIG => &["FSIZE"],
            libc::EMFILE => &["NOFILE"],
            libc::EAGAIN => &["NPROC"],
            libc::ENOMEM => &["AS", "DATA", "MEMLOCK"],
            _ => &[],
        };
        let lower = |name: &&&str| hello.limits.get(**name).zip(free.limits.get(**name)).is_some_and(|(a, b)| a < b);
        names.iter().find(lower).map(|name| (*name).to_owned())
    }
}

/// What came back, as an answer to a question.
pub(super) fn answer(asking: &OpenQuestion, got: &RequestResult) -> Result<WorkerAnswer, FaultRecord> {
    let fault = |kind, detail: &str| FaultRecord { kind, detail: detail.to_owned() };
    let report = match got {
        RequestResult::Fault(kind, detail) => return Err(fault(*kind, detail)),
        RequestResult::Died { signal, twice, nop_lives, box_control_lives } => {
            let outcome = OperationOutcome::Died {
                signal: *signal,
                twice: *twice,
                nop_lives: *nop_lives,
                box_control_lives: *box_control_lives,
            };
            return Ok(WorkerAnswer { outcome, content: None, same_object: None, consequence: None, duration_us: 0 });
        }
        RequestResult::Said(WorkerMessage::Done(report)) => report,
        RequestResult::Said(_) => {
            return Err(fault(LauncherFault::AnswerLost, "the answer is one to another question"));
        }
    };
    if let Some(foreign) = &report.foreign {
        let detail = format!("`{foreign}` is not the run's own inside");
        return Err(fault(LauncherFault::ForeignTarget, &detail));
    }
    if report.cannot {
        return Err(fault(LauncherFault::CannotAsk, cannot(&asking.question.action)));
    }
    let outcome = outcome(report)
        .ok_or_else(|| fault(LauncherFault::AnswerLost, "the process ended and said nothing of the operation"))?;
    let driver = asking.question.action.driver;
    let went_through = outcome == OperationOutcome::Done;
    let content = report.content.as_deref().and_then(frame::decode).zip(asking.question.expected.as_ref());
    let content = match (driver.witness(), content) {
        (SuccessWitness::Token, _) => {
            let told = report.operation.as_ref().and_then(|it| it.detail(DetailName::Content));
            Some(match (asking.token.or_else(|| asking.question.held()), told) {
                (None, _) => ContentSeen::Unmarked,
                (Some(token), Some(found)) if found as u64 == token => ContentSeen::Nonce,
                (Some(_), _) => ContentSeen::Other,
            })
        }
        (_, Some((found, wanted))) => {
            let holds = found.windows(wanted.len().max(1)).any(|window| window == wanted.as_slice());
            Some(if holds { ContentSeen::Nonce } else { ContentSeen::Other })
        }
        (SuccessWitness::Content(_), None) => Some(ContentSeen::Unmarked),
        // Length and time of a file that the run has made are as good as content, for what only looks.
        (SuccessWitness::Metadata, None) => {
            let same =
                report.object.zip(asking.marked).is_some_and(|(found, marked)| (found.size, found.mtime) == marked);
            same.then_some(ContentSeen::Nonce)
        }
        _ => None,
    };
    let opened = report.operation.as_ref().and_then(|it| it.opened.as_ref()).map(|opened| (opened.dev, opened.ino));
    let found = opened.or(report.object.map(|found| (found.dev, found.ino)));
    let mut same_object = found.zip(asking.host).map(|(found, host)| found == host);
    if let (Some(process), Some(outsider)) = (report.process, &asking.question.outsider) {
        same_object = Some(process == outsider.victim.inode);
    }
    Ok(WorkerAnswer {
        outcome,
        content: content.filter(|_| went_through),
        same_object: same_object.filter(|_| went_through),
        consequence: report.consequence.filter(|_| went_through),
        duration_us: report.duration_us,
    })
}

/// Why a worker does not perform an operation.
fn cannot(action: &Action) -> &'static str {
    if !action.mounts.is_empty() {
        "mounts of a probe's own are made for its process, and a launcher makes its own for everything that it starts"
    } else if action.driver == Driver::FileReadOlderThread {
        "a launcher starts its program anew, so no thread of it is older than the sandbox"
    } else {
        "the worker has no way of performing it in this start"
    }
}

fn outcome(report: &WorkerReport) -> Option<OperationOutcome> {
    if report.expired {
        return Some(OperationOutcome::NoAnswer);
    }
    if report.withheld {
        return Some(OperationOutcome::Withheld);
    }
    if let Some(operation) = &report.operation {
        let last = operation.calls.last()?;
        return Some(if last.ret >= 0 && last.errno == 0 {
            OperationOutcome::Done
        } else {
            let prepares = last.role == CallRole::Prepare;
            OperationOutcome::Failed { call: last.syscall.to_string(), errno: last.errno, prepares }
        });
    }
    if let Some((step, errno)) = &report.setup {
        let call = if step == "open" { "openat" } else { step };
        return Some(OperationOutcome::Failed { call: call.to_owned(), errno: *errno, prepares: true });
    }
    report.consequence.map(|_| OperationOutcome::Done)
}

/// Takes the answer under the name as spelled.
pub(super) fn take(asking: &mut OpenQuestion, kind: NameKind, name: String, got: RequestResult) {
    let greeting = asking.question.greeting.clone();
    match answer(asking, &got) {
        Ok(answer) => push(asking, kind, name, greeting, answer, &got),
        Err(fault) => asking.record.fault = Some(fault),
    }
}

/// Takes the answer under another name. That it may not be asked there is no fault of the question.
pub(super) fn take_other(
    asking: &mut OpenQuestion,
    kind: NameKind,
    name: String,
    greeting: String,
    got: RequestResult,
) {
    match answer(asking, &got) {
        Ok(answer) => push(asking, kind, name, greeting, answer, &got),
        Err(FaultRecord { kind: LauncherFault::ForeignTarget | LauncherFault::CannotAsk, .. }) => {}
        Err(fault) => asking.record.fault = Some(fault),
    }
}

/// Takes the answer to the same question at the end of the lane.
pub(super) fn take_again(asking: &mut OpenQuestion, got: RequestResult) {
    let Ok(answer) = answer(asking, &got) else { return };
    asking.record.asked[0].again = Some(answer.outcome.clone());
    if answer.outcome == OperationOutcome::Done {
        let (name, greeting) = (asking.record.asked[0].name.clone(), asking.question.greeting.clone());
        push(asking, NameKind::Spelled, name, greeting, answer, &got);
    }
}

fn push(
    asking: &mut OpenQuestion,
    kind: NameKind,
    name: String,
    greeting: String,
    answer: WorkerAnswer,
    got: &RequestResult,
) {
    if let (Some(outsider), Some(report)) = (&asking.question.outsider, got.report()) {
        asking.record.around.process = Some(ProcessIdentity { outside: outsider.victim.inode, inside: report.process });
    }
    let effect =
        asking.question.has_effect().then_some(EffectSeen { when: None, twin_intact: None, barrier: None, own: None });
    asking.record.asked.push(NameTrial { kind, name, answer, effect, again: None });
    asking.greetings.push(greeting);
    asking.touched.push(got.report().and_then(|report| report.touched));
}

/// Writes down how the questions' worker was started, and what its launcher has left behind.
pub(super) fn describe_starts(
    askings: &mut [OpenQuestion],
    engine: &Engine<'_>,
    setting: &Setting<'_>,
    known: &WorkspaceFiles,
) {
    let residue = known.residue(&setting.places.workspace);
    let Some(reached) = &engine.reached else { return };
    for asking in askings {
        let start = &mut asking.record.start;
        start.number = engine.starts;
        start.mode = Some(reached.mode);
        start.executable = reached.executable.named();
        start.in_process = reached.hello.in_process;
        start.attempts = reached.attempts.clone();
        start.residue = residue.clone();
    }
}

impl LaneSurroundings {
    /// Names the limit that is lower inside, where an answer speaks of one.
    pub(super) fn note_limit(&self, asking: &mut OpenQuestion) {
        let errno = asking.record.asked.first().and_then(|asked| asked.answer.outcome.errno());
        asking.record.around.lower_limit = errno.and_then(|errno| Self::lower_limit(&self.hello, &self.free, errno));
    }
}

/// A row of a question that was put.
pub(super) fn row(task: &Task<'_>, root: &str, asking: OpenQuestion) -> ProbeRow {
    let duration_us = asking.record.asked.first().map_or(0, |asked| asked.answer.duration_us);
    ProbeRow {
        action: asking.question.action.clone(),
        launcher: Some(Box::new(asking.record)),
        started_at_unix_s: asking.started_at_unix_s,
        duration_us,
        ..task.row(root.to_owned())
    }
}

/// A row of a question that was not put.
pub(super) fn not_run(lane: &LauncherLane<'_>, task: &Task<'_>, not_run: NotRun) -> ProbeRow {
    let root = lane.base.path().join(format!("l{:06}", task.seq)).to_string_lossy().into_owned();
    ProbeRow { not_run: Some(not_run), ..task.row(root) }
}

/// The same row with the folder that it shares with others.
pub(super) fn with_root(row: ProbeRow, root: &str) -> ProbeRow {
    ProbeRow { root: root.to_owned(), ..row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launcher::lane::question::LauncherQuestion;
    use crate::record::launcher::LauncherRecord;
    use crate::record::report::{Call, OperationReport};

    fn asking(action: Action, expected: Option<&[u8]>) -> OpenQuestion {
        let expected = expected.map(<[u8]>::to_vec);
        OpenQuestion {
            task: 0,
            question: LauncherQuestion::new(action, "/nonexistent", expected, None, (None, None), "u", 1_000),
            record: LauncherRecord::empty(0),
            greetings: Vec::new(),
            touched: Vec::new(),
            host: None,
            marked: None,
            token: None,
            started_at_unix_s: 0.0,
        }
    }

    fn call(ret: i64, errno: i32) -> OperationReport {
        let call = Call { syscall: "openat".into(), role: CallRole::Operation, ret, errno, code: None };
        OperationReport { calls: vec![call], opened: None, details: Vec::new() }
    }

    fn done() -> WorkerReport {
        WorkerReport { operation: Some(call(3, 0)), ..WorkerReport::default() }
    }

    fn got(report: WorkerReport) -> RequestResult {
        RequestResult::Said(WorkerMessage::Done(Box::new(report)))
    }

    fn seen(asking: &OpenQuestion, report: WorkerReport) -> Option<ContentSeen> {
        answer(asking, &got(report)).unwrap().content
    }

    #[test]
    fn only_what_the_run_has_put_there_is_its_content() {
        let read = asking(Action::new(Driver::FileRead, "/nonexistent/f"), Some(b"nonce"));
        let with = |bytes: &[u8]| WorkerReport { content: Some(frame::encode(bytes)), ..done() };
        assert_eq!(seen(&read, with(b"a nonce in it")), Some(ContentSeen::Nonce));
        assert_eq!(seen(&read, with(b"something else")), Some(ContentSeen::Other));
        assert_eq!(seen(&read, done()), Some(ContentSeen::Unmarked));
        // What only looks shows length and time instead.
        let mut stat = asking(Action::new(Driver::FileStat, "/nonexistent/f"), None);
        stat.marked = Some((5, (1, 2)));
        let object = |size, mtime| WorkerReport {
            object: Some(PathIdentity { size, mtime, ..PathIdentity::default() }),
            ..done()
        };
        assert_eq!(seen(&stat, object(5, (1, 2))), Some(ContentSeen::Nonce));
        for other in [object(6, (1, 2)), object(5, (1, 3)), done()] {
            assert_eq!(seen(&stat, other), None);
        }
        let mut variable = asking(Action::new(Driver::EnvironmentRead, "X"), None);
        variable.token = Some(7);
        let told = |value| {
            let operation = OperationReport { details: vec![(DetailName::Content, value)], ..call(0, 0) };
            WorkerReport { operation: Some(operation), ..WorkerReport::default() }
        };
        assert_eq!(seen(&variable, told(7)), Some(ContentSeen::Nonce));
        assert_eq!(seen(&variable, told(8)), Some(ContentSeen::Other));
    }

    #[test]
    fn what_was_not_done_or_could_not_be_done_is_no_answer() {
        let unlink = asking(Action::new(Driver::FileUnlink, "/nonexistent/f"), None);
        let fault = |report| answer(&unlink, &got(report)).unwrap_err().kind;
        let foreign = WorkerReport { foreign: Some("/etc".into()), ..done() };
        assert_eq!(fault(foreign), LauncherFault::ForeignTarget);
        assert_eq!(fault(WorkerReport { cannot: true, ..done() }), LauncherFault::CannotAsk);
        assert_eq!(fault(WorkerReport::default()), LauncherFault::AnswerLost);
        assert_eq!(
            answer(&unlink, &RequestResult::Said(WorkerMessage::Pong)).unwrap_err().kind,
            LauncherFault::AnswerLost
        );
        // A return value that its error number contradicts is no success.
        let torn = WorkerReport { operation: Some(call(0, 5)), ..WorkerReport::default() };
        let outcome = answer(&unlink, &got(torn)).unwrap().outcome;
        assert!(matches!(outcome, OperationOutcome::Failed { errno: 5, .. }), "{outcome:?}");
    }

    #[test]
    fn what_went_through_at_the_end_of_the_lane_is_an_answer_of_its_own() {
        let mut connect = asking(Action::new(Driver::TcpConnect, "127.0.0.1:1"), None);
        let refused = WorkerReport { operation: Some(call(-1, libc::ECONNREFUSED)), ..WorkerReport::default() };
        take(&mut connect, NameKind::Spelled, "127.0.0.1:1".into(), got(refused.clone()));
        take_again(&mut connect, got(refused));
        assert_eq!(connect.record.asked.len(), 1, "the same answer is noted beside the first");
        assert!(matches!(connect.record.asked[0].again, Some(OperationOutcome::Failed { .. })));
        take_again(&mut connect, got(done()));
        assert_eq!(connect.record.asked[1].answer.outcome, OperationOutcome::Done);
    }

    #[test]
    fn a_limit_is_named_only_if_it_is_lower_inside() {
        let limited = |value| Hello { limits: [("FSIZE".to_owned(), value)].into(), ..Hello::default() };
        let lower = |inside, outside| LaneSurroundings::lower_limit(&limited(inside), &limited(outside), libc::EFBIG);
        assert_eq!(lower(1, 2).as_deref(), Some("FSIZE"));
        assert_eq!(lower(2, 2), None);
        assert_eq!(lower(3, 2), None);
        assert_eq!(LaneSurroundings::lower_limit(&limited(1), &limited(2), libc::EMFILE), None, "another limit");
    }
}
