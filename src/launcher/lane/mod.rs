//! The questions of one profile under its launcher, from their fixtures to their rows.
//!
//! Everything that a question is about is made before the launcher starts, and looked at until after it has ended: what
//! copies in and carries back is a sandbox too.

mod asking;
mod emptily;
mod engine;
pub mod identity;
mod names;
mod outside;
#[cfg_attr(target_os = "macos", path = "outside_objects_macos.rs")]
mod outside_objects;
mod place;
mod question;
mod rows;
mod target;
mod turns;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::said::{WorkerMessage, WorkerRequest};
use super::session::{self, NoWorker, Setting};
use crate::base::threads;
use crate::evidence::launcher as rule;
use crate::lane::task::Task;
use crate::record::launcher::{
    EffectTime, FaultRecord, LauncherFault, LauncherProgram, Link, Names, OperationOutcome, WorkerAnswer,
};
use crate::record::row::ProbeRow;
use crate::sys::native::tty::SessionTerminal;
pub use asking::LauncherLane;
use asking::{OpenQuestion, WorkspaceFiles};
use engine::{Engine, RequestResult};
use outside_objects::Terminal;
use place::LaneSetup;
use question::LauncherQuestion;
use rows::LaneSurroundings;
use turns::Turn;
pub use turns::Turns;

/// How many sets of questions are begun before one has ended.
const MOST_AT_ONCE: usize = 8;
/// How old a first start is let become before its worker is told to end: by then a second one would have been heard.
pub const ONE_WORKER: Duration = Duration::from_millis(150);
/// How old a start has to be before what was not there is believed to be missing.
const LATE: Duration = Duration::from_secs(2);

/// Whether somebody listens on an address that nobody else can have at the same time.
pub fn must_be_alone(tasks: &[Task<'_>]) -> bool {
    tasks.iter().any(|task| task.listener.is_some_and(|listener| !listener.address.contains("${")))
}

impl LauncherLane<'_> {
    /// Asks every task's question and gives the rows in their order. Fewer rows than tasks: somebody wished to stop.
    pub fn run(&self, tasks: &[Task<'_>]) -> Vec<ProbeRow> {
        // Keyrings belong to a thread and to whatever it starts: what is made for a question ends with this one. Where there
        // can be no further thread, it ends with the run.
        std::thread::scope(|scope| {
            match threads::builder().and_then(|new| new.spawn_scoped(scope, || self.run_sets(tasks))) {
                Ok(started) => started.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(_) => self.run_sets(tasks),
            }
        })
    }

    fn run_sets(&self, tasks: &[Task<'_>]) -> Vec<ProbeRow> {
        let known = identity::for_rows(&identity::of(self.document, Ok(())));
        let sets = place::sets(tasks);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(set) = sets.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.cancel.requested().is_some() {
                    break;
                }
                done.extend(self.run_set(tasks, set, &known));
            }
            done
        };
        let at_once = if must_be_alone(tasks) { 1 } else { sets.len().min(MOST_AT_ONCE) };
        let mut rows: Vec<Option<ProbeRow>> = tasks.iter().map(|_| None).collect();
        for (n, row) in threads::together(at_once, work).into_iter().flatten() {
            rows[n] = Some(row);
        }
        rows.into_iter().map_while(|row| row).collect()
    }

    /// One set of questions that do not disturb each other, under starts of their own.
    fn run_set(
        &self,
        tasks: &[Task<'_>],
        set: &[usize],
        (programs, version): &(Vec<LauncherProgram>, Option<String>),
    ) -> Vec<(usize, ProbeRow)> {
        let turn = self.turns.take();
        let place = match LaneSetup::make(self, tasks, set) {
            Ok(place) => place,
            Err(not_run) => {
                return set.iter().map(|n| (*n, rows::not_run(self, &tasks[*n], not_run.clone()))).collect();
            }
        };
        let LaneSetup { root, places, mark, mut askings, not_run, known, _fixture: fixture } = place;
        let mut done: Vec<(usize, ProbeRow)> =
            not_run.into_iter().map(|(n, row)| (n, rows::with_root(row, &root))).collect();
        // A terminal controls one session.
        let own_terminal = terminal_of(&askings).and_then(|_| Terminal::make().ok());
        let setting = Setting {
            document: Some(self.document),
            exe: self.exe.canonicalize().unwrap_or_else(|_| self.exe.to_owned()),
            places,
            unique: self.unique.to_owned(),
            variables: askings.iter().filter_map(OpenQuestion::variable).collect(),
            terminal: terminal_of(&askings),
            own_terminal: own_terminal.as_ref().map(Terminal::of_session),
        };
        for asking in &mut askings {
            asking.record.start.programs.clone_from(programs);
            asking.record.start.version.clone_from(version);
        }
        self.ask_all(&setting, &mark, &known, &mut askings, &turn);
        for asking in askings {
            if let Some(made) = crate::lane::write_guard::new_of_own(&asking.question.action, self.unique) {
                // It has the run's own name, in a folder that is not the run's.
                let _ = std::fs::remove_file(made);
            }
            let task = &tasks[asking.task];
            done.push((asking.task, rows::row(task, &root, asking)));
        }
        drop(fixture);
        done
    }

    fn ask_all(
        &self,
        setting: &Setting<'_>,
        mark: &str,
        known: &WorkspaceFiles,
        askings: &mut [OpenQuestion],
        turn: &Turn<'_>,
    ) {
        let fail = |askings: &mut [OpenQuestion], kind: LauncherFault, detail: &str, attempts: &[String]| {
            for asking in askings {
                asking.record.fault = Some(FaultRecord { kind, detail: detail.to_owned() });
                asking.record.start.attempts = attempts.to_vec();
            }
        };
        let (mut outside, outside_hello) = match session::start_alone(setting) {
            Ok(alone) => alone,
            Err(reason) => return fail(askings, LauncherFault::CannotAsk, &reason, &[]),
        };
        let repeatable: Vec<usize> = (0..askings.len()).filter(|n| !askings[*n].question.changes()).collect();
        let before = asked_outside(&mut outside, askings, &repeatable, "before", 0, mark);
        for (n, said) in repeatable.into_iter().zip(before) {
            let asking = &mut askings[n];
            asking.record.before = said;
            if let Some(listener) = &mut asking.question.listener {
                listener.forget();
            }
            if let Some(outsider) = &mut asking.question.outsider {
                outsider.forget();
            }
        }
        let mut engine =
            match Engine::start(setting, askings.len(), session::patience(outside.hello_took()), self.one_worker) {
                Ok(engine) => engine,
                Err(NoWorker::NotStarted(why)) => {
                    return fail(askings, LauncherFault::NotStarted, &why.detail, &why.attempts);
                }
                Err(NoWorker::Many(attempts)) => {
                    return fail(askings, LauncherFault::Many, &attempts.join("; "), &attempts);
                }
            };
        let begun = Instant::now();
        let ground = LaneSurroundings::look(&engine, setting, outside_hello);
        let link = self.link(&mut engine, setting, mark, &ground);
        for asking in askings.iter_mut() {
            ground.describe(asking, link);
        }
        if link.is_none() {
            let detail = "what was planted in the run's folders was not read, and no process here is the worker";
            engine.end_session();
            match engine.many() {
                Some(several) => fail(askings, LauncherFault::Many, several, &[]),
                None => fail(askings, LauncherFault::Elsewhere, detail, &[]),
            }
            return rows::describe_starts(askings, &engine, setting, known);
        }

        self.ask_spelled(&mut engine, mark, askings);
        askings.iter_mut().for_each(|asking| ground.note_limit(asking));
        look(askings, EffectTime::AtOnce);
        self.ask_other_names(&mut engine, setting, mark, &ground, askings);
        look(askings, EffectTime::AtOnce);
        emptily::ask(&mut engine, &mut outside, askings);
        if askings.iter().any(|asking| is_late(asking, &ground)) {
            turn.rest(|| std::thread::sleep(LATE.saturating_sub(begun.elapsed())));
            look(askings, EffectTime::EndOfLane);
            self.ask_again(&mut engine, mark, &ground, askings);
            look(askings, EffectTime::EndOfLane);
        }
        turn.rest(|| engine.hear_out());
        engine.end_session();
        if askings.iter().any(has_unseen) {
            // What is carried back at the end may need a moment.
            std::thread::sleep(Duration::from_millis(50));
            look(askings, EffectTime::AfterEnd);
        }
        barriers(askings);
        let unreached: Vec<usize> = (0..askings.len())
            .filter(|n| !askings[*n].record.asked.is_empty() && !reaches_by(&askings[*n], Names::Spelled))
            .collect();
        let after = asked_outside(&mut outside, askings, &unreached, "after", 1, mark);
        for (n, said) in unreached.into_iter().zip(after) {
            askings[n].record.after = said;
        }
        outside.end();
        rows::describe_starts(askings, &engine, setting, known);
        if let Some(several) = engine.many() {
            // Which of them did what the host saw, and which sandbox answered, nobody can say any more.
            for asking in askings.iter_mut().filter(|asking| asking.record.fault.is_none()) {
                asking.record.fault = Some(FaultRecord { kind: LauncherFault::Many, detail: several.to_owned() });
            }
        }
    }

    /// Whether the worker works on this machine's objects.
    fn link(
        &self,
        engine: &mut Engine<'_>,
        setting: &Setting<'_>,
        mark: &str,
        ground: &LaneSurroundings,
    ) -> Option<Link> {
        for folder in [&setting.places.workspace, &setting.places.outside] {
            let name = format!(".sandproof-{}-link-{}", self.unique, uuid::Uuid::new_v4().simple());
            let path = Path::new(folder).join(&name);
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            if question::plant(&path, &nonce).is_err() {
                continue;
            }
            let late = reads(engine, setting, ground, &path.display().to_string(), &nonce);
            let _ = std::fs::remove_file(&path);
            if late {
                return Some(Link::Read);
            }
        }
        if ground.has_outside() {
            return Some(Link::Process);
        }
        [&setting.places.workspace, &setting.places.outside].into_iter().find_map(|folder| {
            let path = format!("{folder}/{mark}");
            let content = std::fs::read_to_string(&path).ok()?;
            reads(engine, setting, ground, &path, content.trim()).then_some(Link::Copy)
        })
    }

    /// Every question under the name that it spells: what only reads first.
    fn ask_spelled(&self, engine: &mut Engine<'_>, mark: &str, askings: &mut [OpenQuestion]) {
        let (changing, reading): (Vec<usize>, Vec<usize>) =
            (0..askings.len()).partition(|n| askings[*n].question.changes());
        let take = |asking: &mut OpenQuestion, got| {
            let spelled = asking.question.action.target.clone();
            rows::take(asking, crate::record::launcher::NameKind::Spelled, spelled, got);
        };
        for n in &reading {
            askings[*n].record.around.appeared = askings[*n].question.begin();
        }
        if engine.is_one_by_one() {
            let gots = engine.ask_ahead(&spelled_requests(&reading, askings, mark));
            for (n, got) in reading.into_iter().zip(gots) {
                take(&mut askings[n], got);
            }
            for n in changing {
                let asking = &mut askings[n];
                asking.record.around.appeared = asking.question.begin();
                let starts = engine.starts;
                let got = engine.ask(&spelled_requests(&[n], askings, mark)).pop();
                let asking = &mut askings[n];
                got.into_iter().for_each(|got| take(asking, got));
                if engine.starts == starts {
                    look_now(asking);
                }
            }
            return;
        }
        for n in &changing {
            askings[*n].record.around.appeared = askings[*n].question.begin();
        }
        let order = [reading, changing].concat();
        let gots = engine.ask(&spelled_requests(&order, askings, mark));
        for (n, got) in order.into_iter().zip(gots) {
            take(&mut askings[n], got);
        }
    }

    /// What was not reached, under its object's other names.
    fn ask_other_names(
        &self,
        engine: &mut Engine<'_>,
        setting: &Setting<'_>,
        mark: &str,
        ground: &LaneSurroundings,
        askings: &mut [OpenQuestion],
    ) {
        let mut asked = Vec::new();
        let mut requests = Vec::new();
        let handed_down: Vec<(u64, u64)> =
            askings.iter().filter_map(|asking| asking.question.object.as_ref()?.identity()).collect();
        // What changes nothing first, as before.
        let (changing, reading): (Vec<usize>, Vec<usize>) =
            (0..askings.len()).partition(|n| askings[*n].question.changes());
        let mut ahead = 0;
        for n in reading.into_iter().chain(changing) {
            let asking = &askings[n];
            if asking.record.fault.is_some() || asking.record.asked.is_empty() || reaches(asking) {
                continue;
            }
            for (place, name) in names::of(asking, ground, setting, self.document, &handed_down).into_iter().enumerate()
            {
                let question = &asking.question;
                let greeting = format!("{}-{place}", question.greeting);
                let mut order = question.order(name.action, &greeting, nonce(question), mark);
                order.folder_fd = name.folder_fd;
                order.fd = name.fd;
                order.proxy = name.proxy;
                requests.push((WorkerRequest::Do(Box::new(order)), question.limit_ms()));
                asked.push((n, name.kind, name.text, greeting));
                ahead += usize::from(!question.changes());
            }
        }
        if requests.is_empty() {
            return;
        }
        if engine.is_one_by_one() {
            let of_changing = asked.split_off(ahead);
            for ((n, kind, text, greeting), got) in asked.into_iter().zip(engine.ask_ahead(&requests[..ahead])) {
                rows::take_other(&mut askings[n], kind, text, greeting, got);
            }
            for ((n, kind, text, greeting), request) in of_changing.into_iter().zip(&requests[ahead..]) {
                let asking = &mut askings[n];
                // What came late of an earlier try is not this one's.
                let already = is_there(asking);
                let starts = engine.starts;
                let got = engine.ask(std::slice::from_ref(request)).pop();
                got.into_iter().for_each(|got| rows::take_other(asking, kind, text.clone(), greeting.clone(), got));
                if engine.starts == starts && !already {
                    look_now(asking);
                }
            }
            return;
        }
        let gots = engine.ask(&requests);
        for ((n, kind, text, greeting), got) in asked.into_iter().zip(gots) {
            rows::take_other(&mut askings[n], kind, text, greeting, got);
        }
    }

    /// Addresses that were not reached, once more at the end.
    fn ask_again(&self, engine: &mut Engine<'_>, mark: &str, ground: &LaneSurroundings, askings: &mut [OpenQuestion]) {
        let again: Vec<usize> = (0..askings.len())
            .filter(|n| {
                is_late(&askings[*n], ground) && askings[*n].record.asked[0].answer.outcome != OperationOutcome::Done
            })
            .collect();
        let requests = spelled_requests(&again, askings, mark);
        if requests.is_empty() {
            return;
        }
        for (n, got) in again.into_iter().zip(engine.ask(&requests)) {
            rows::take_again(&mut askings[n], got);
        }
    }
}

/// The terminal that a question is about.
fn terminal_of(askings: &[OpenQuestion]) -> Option<SessionTerminal> {
    askings.iter().find_map(|asking| asking.question.object.as_ref()?.terminal())
}

/// The requests for those questions under the names that they spell.
fn spelled_requests(of: &[usize], askings: &[OpenQuestion], mark: &str) -> Vec<(WorkerRequest, u64)> {
    let request = |n: &usize| {
        let question = &askings[*n].question;
        let order = question.order(question.action.clone(), &question.greeting, nonce(question), mark);
        (WorkerRequest::Do(Box::new(order)), question.limit_ms())
    };
    of.iter().map(request).collect()
}

/// What came of those questions without the launcher. `greeting` and `nonce` are what their effects carry.
fn asked_outside(
    outside: &mut session::Session,
    askings: &[OpenQuestion],
    of: &[usize],
    greeting: &str,
    nonce: i32,
    mark: &str,
) -> Vec<Option<WorkerAnswer>> {
    let request = |n: &usize| {
        let question = &askings[*n].question;
        let order = question.order(question.action.clone(), greeting, nonce, mark);
        let limit = Duration::from_millis(order.limit_ms + 3_000);
        (WorkerRequest::Do(Box::new(order)), limit)
    };
    let requests: Vec<(WorkerRequest, Duration)> = of.iter().map(request).collect();
    // What has no answer there has none for those that come after it.
    let said = outside.ask_each(&requests, |_| true).into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    let answer = |(n, said): (&usize, Option<WorkerMessage>)| {
        said.and_then(|said| rows::answer(&askings[*n], &RequestResult::Said(said)).ok())
    };
    of.iter().zip(said).map(answer).collect()
}

fn nonce(question: &LauncherQuestion) -> i32 {
    question.outsider.as_ref().map_or(0, |outsider| outsider.victim.nonce)
}

/// Whether the worker reads `nonce` at a path, under any name that it may have inside.
fn reads(engine: &mut Engine<'_>, setting: &Setting<'_>, ground: &LaneSurroundings, path: &str, nonce: &str) -> bool {
    let mut paths = vec![path.to_owned()];
    paths.extend(setting.document.and_then(|document| setting.places.inside(document, path)));
    paths.extend(ground.names_of(path));
    paths.dedup();
    let requests: Vec<(WorkerRequest, u64)> = paths.into_iter().map(|path| (names::reading(&path), 2_000)).collect();
    engine.ask(&requests).iter().any(|got| {
        let content = got.report().and_then(|report| super::frame::decode(report.content.as_deref()?));
        content.is_some_and(|content| String::from_utf8_lossy(&content).contains(nonce))
    })
}

/// Whether what is known by now says that the operation reached its object.
fn reaches(asking: &OpenQuestion) -> bool {
    reaches_by(asking, Names::All)
}

/// The same by some of its names. An expectation may be about the spelled one alone.
fn reaches_by(asking: &OpenQuestion, names: Names) -> bool {
    matches!(rule::judge(asking.question.action.driver, &asking.record, names).shown, rule::QuestionOutcome::Allow)
}

/// Whether an effect is still awaited.
fn has_unseen(asking: &OpenQuestion) -> bool {
    asking.record.asked.iter().any(|asked| {
        asked.answer.outcome == OperationOutcome::Done
            && asked.effect.as_ref().is_some_and(|effect| effect.when.is_none())
    })
}

/// Whether the question has to be looked at again later.
fn is_late(asking: &OpenQuestion, ground: &LaneSurroundings) -> bool {
    if asking.record.fault.is_some() || asking.record.asked.is_empty() || reaches_by(asking, Names::Spelled) {
        return false;
    }
    let address =
        !matches!(asking.record.asked[0].answer.outcome, OperationOutcome::Done | OperationOutcome::Died { .. })
            && ground.is_address(asking);
    has_unseen(asking) || address
}

/// Whether an effect on files is there now.
fn is_there(asking: &mut OpenQuestion) -> bool {
    asking.question.action.driver.file_effect().is_some() && asking.question.effect_is_there("", 0)
}

/// Looks for the effect on files right after the answer to the newest try, which had not been there right before.
fn look_now(asking: &mut OpenQuestion) {
    let done = |asked: &crate::record::launcher::NameTrial| asked.answer.outcome == OperationOutcome::Done;
    if asking.record.fault.is_some() || !asking.record.asked.last().is_some_and(done) || !is_there(asking) {
        return;
    }
    let seen = asking.record.asked.iter().any(|asked| asked.effect.as_ref().is_some_and(|it| it.when.is_some()));
    if let Some(effect) = asking.record.asked.last_mut().and_then(|asked| asked.effect.as_mut()).filter(|_| !seen) {
        effect.when = Some(EffectTime::AtOnce);
        effect.own = Some(true);
    }
}

/// Looks for effects that were not seen yet.
fn look(askings: &mut [OpenQuestion], when: EffectTime) {
    for asking in askings {
        let OpenQuestion { question, record, greetings, touched, .. } = asking;
        let intact = question.twin.as_ref().map(super::effects::Twin::is_intact);
        for effect in record.asked.iter_mut().filter_map(|asked| asked.effect.as_mut()) {
            effect.twin_intact = intact;
        }
        if question.action.driver.file_effect().is_some() {
            // Which of several tries it was, a file does not say: right after one it was that one.
            let seen = record.asked.iter().any(|asked| asked.effect.as_ref().is_some_and(|it| it.when.is_some()));
            if seen || !question.effect_is_there("", 0) {
                continue;
            }
            let mut tries = 0..record.asked.len();
            let went_through = |n: &usize| record.asked[*n].answer.outcome == OperationOutcome::Done;
            let cause = match when {
                EffectTime::AtOnce => tries.rfind(went_through),
                _ => tries.find(went_through),
            };
            // The effect of a call that failed is a contradiction, and stands in the row.
            let cause = cause.unwrap_or(0);
            let own = touched.get(cause).copied().flatten().is_some_and(|seen| question.is_own_effect(&seen));
            if let Some(effect) = record.asked.get_mut(cause).and_then(|asked| asked.effect.as_mut()) {
                effect.when = Some(when);
                effect.own = Some(own);
            }
            continue;
        }
        for (asked, greeting) in record.asked.iter_mut().zip(greetings.iter()) {
            let Some(effect) = &mut asked.effect else { continue };
            if effect.when.is_none() && question.effect_is_there(greeting, nonce(question)) {
                effect.when = Some(when);
            }
        }
    }
}

/// Where an effect was not seen, the host's own of the same kind.
fn barriers(askings: &mut [OpenQuestion]) {
    for asking in askings.iter_mut().filter(|asking| has_unseen(asking)) {
        let OpenQuestion { question, record, greetings, .. } = asking;
        if let Some(passed) = question.object.as_mut().and_then(outside_objects::OutsideObject::barrier) {
            let effects = record.asked.iter_mut().filter_map(|asked| asked.effect.as_mut());
            effects.filter(|effect| effect.when.is_none()).for_each(|effect| effect.barrier = Some(passed));
            continue;
        }
        let Some(listener) = &mut question.listener else { continue };
        let passed = listener.barrier();
        for (asked, greeting) in record.asked.iter_mut().zip(greetings.iter()) {
            if let Some(effect) = &mut asked.effect
                && effect.when.is_none()
            {
                effect.barrier = Some(passed);
                if listener.has_heard(greeting) {
                    effect.when = Some(EffectTime::AfterEnd);
                }
            }
        }
    }
}
