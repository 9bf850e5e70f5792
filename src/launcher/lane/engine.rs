//! Asking: one question after another while the worker lives, new starts where it does not, and everything at once where the
//! launcher leaves no other way.

use std::time::Duration;

use crate::launcher::said::{Hello, WorkerMessage, WorkerReport, WorkerRequest};
use crate::launcher::session::{self, NoWorker, ReachedWorker, Setting};
use crate::policy::launcher::{LauncherDocument, LauncherStartKind};
use crate::record::launcher::{LauncherFault, StartMode};

/// What came of a request.
#[derive(Debug, Clone)]
pub(super) enum RequestResult {
    /// An answer.
    Said(WorkerMessage),
    /// What performed it was ended.
    Died { signal: i32, twice: bool, nop_lives: bool, box_control_lives: Option<bool> },
    /// None, and why.
    Fault(LauncherFault, String),
}

impl RequestResult {
    /// The report, if it is one.
    pub(super) fn report(&self) -> Option<&WorkerReport> {
        match self {
            Self::Said(WorkerMessage::Done(report)) => Some(report),
            _ => None,
        }
    }
}

/// What one try showed.
enum StartResult {
    Said(WorkerMessage),
    /// The worker ended at this age.
    Ended(Duration),
    Silent,
    Another,
    NoStart(LauncherFault, String),
}

/// The starts of one launcher.
#[derive(Debug)]
pub(super) struct Engine<'s> {
    setting: &'s Setting<'s>,
    pub(super) reached: Option<ReachedWorker>,
    /// How many starts there were.
    pub(super) starts: u32,
    /// How many there may be, so that a launcher that loses its worker again and again comes to an end.
    most_starts: u32,
    /// Why nothing more is asked.
    stopped: Option<(LauncherFault, String)>,
    /// Why no answer of this lane counts: what was heard of a second worker.
    many: Option<&'static str>,
    /// How long nothing may come of a start before its input is closed.
    patience: Duration,
    /// How old the first start has to be before it is believed that it has one worker.
    one_worker: Duration,
    /// Whether the first start was heard out.
    heard_out: bool,
    /// The digest of the world in the start that answers now.
    world: u64,
}

impl<'s> Engine<'s> {
    /// Starts the launcher for the first time.
    pub(super) fn start(
        setting: &'s Setting<'s>,
        questions: usize,
        patience: Duration,
        one_worker: Duration,
    ) -> Result<Self, NoWorker> {
        let reached = session::start(setting, patience)?;
        // A question that ends the worker needs another start, and one more for the comparison.
        let most_starts = 4 + u32::try_from(questions / 4).unwrap_or(u32::MAX / 2);
        let world = reached.hello.world;
        Ok(Self {
            setting,
            reached: Some(reached),
            starts: 1,
            most_starts,
            stopped: None,
            many: None,
            patience,
            one_worker,
            heard_out: false,
            world,
        })
    }

    /// How the worker is reached.
    pub(super) fn mode(&self) -> Option<StartMode> {
        self.reached.as_ref().map(|reached| reached.mode)
    }

    /// What it found around itself when it was started first.
    pub(super) fn hello(&self) -> Option<&Hello> {
        self.reached.as_ref().map(|reached| &reached.hello)
    }

    /// Why no answer of this lane counts, if none does.
    pub(super) fn many(&self) -> Option<&'static str> {
        self.many
    }

    /// Whether each question is put once the one before it was answered.
    pub(super) fn is_one_by_one(&self) -> bool {
        matches!(self.mode(), None | Some(StartMode::Live | StartMode::Mailbox))
    }

    /// Asks everything, in order. `limits`: how long each may take inside, in milliseconds.
    pub(super) fn ask(&mut self, requests: &[(WorkerRequest, u64)]) -> Vec<RequestResult> {
        if self.is_one_by_one() {
            return requests.iter().map(|(request, limit)| self.ask_one(request, *limit)).collect();
        }
        self.ask_at_once(requests)
    }

    /// Asks everything, in order, as far as the worker's answers are plain without waiting for each. For what can be asked
    /// again, since whatever follows an answer that is none is.
    pub(super) fn ask_ahead(&mut self, requests: &[(WorkerRequest, u64)]) -> Vec<RequestResult> {
        if !self.is_one_by_one() || self.is_fresh() {
            return self.ask(requests);
        }
        let mut gots: Vec<RequestResult> = Vec::with_capacity(requests.len());
        loop {
            gots.extend(self.answered_ahead(&requests[gots.len()..]).into_iter().map(RequestResult::Said));
            let Some((request, limit)) = requests.get(gots.len()) else { return gots };
            gots.push(self.ask_one(request, *limit));
        }
    }

    /// The answers of the worker that waits, up to the first one that is not plain.
    fn answered_ahead(&mut self, requests: &[(WorkerRequest, u64)]) -> Vec<WorkerMessage> {
        let world = self.world;
        if self.stopped.is_some() || self.session().is_none_or(|session| session.is_over()) {
            return Vec::new();
        }
        let requests: Vec<(WorkerRequest, Duration)> =
            requests.iter().map(|(request, limit)| (request.clone(), Duration::from_millis(limit + 3_000))).collect();
        let is_plain = |said: &WorkerMessage| match said {
            WorkerMessage::Done(report) => report.world == world && (report.signal.is_none() || report.expired),
            _ => true,
        };
        let answers = self.session().map(|session| session.ask_each(&requests, is_plain)).unwrap_or_default();
        if answers.len() < requests.len() && self.session().is_some_and(|session| session.is_over()) {
            // The start that the question was first put in was lost to it.
            self.most_starts = self.most_starts.saturating_add(1);
        }
        answers
    }

    fn is_fresh(&self) -> bool {
        self.setting.document.is_some_and(is_fresh)
    }

    fn ask_at_once(&mut self, requests: &[(WorkerRequest, u64)]) -> Vec<RequestResult> {
        let Some(reached) = self.reached.take() else {
            return requests.iter().map(|_| lost("there is no worker")).collect();
        };
        let fresh = reached.fresh || self.is_fresh();
        let limit_of = |some: &[(WorkerRequest, u64)]| {
            let total: u64 = some.iter().map(|(_, limit)| *limit).sum();
            Duration::from_millis(total.min(60_000) + 10_000)
        };
        let mut another = false;
        let mut gots: Vec<RequestResult> = Vec::with_capacity(requests.len());
        let all: Vec<WorkerRequest> = requests.iter().map(|(request, _)| request.clone()).collect();
        let answers = if fresh {
            let mut answers = Vec::new();
            for (n, request) in all.iter().enumerate() {
                let (mut said, many) = session::ask_at_once(
                    self.setting,
                    &reached,
                    std::slice::from_ref(request),
                    limit_of(&requests[n..=n]),
                );
                self.starts += 1;
                another |= many;
                answers.push(said.pop().flatten());
            }
            answers
        } else {
            self.starts += 1;
            let (answers, many) = session::ask_at_once(self.setting, &reached, &all, limit_of(requests));
            another = many;
            answers
        };
        for ((request, limit), answer) in requests.iter().zip(answers) {
            let answer = match answer {
                // Alone, in case something before it was the end of everything.
                None if !another && !fresh && self.starts < self.most_starts => {
                    self.starts += 1;
                    let again = std::slice::from_ref(request);
                    let (mut said, many) =
                        session::ask_at_once(self.setting, &reached, again, Duration::from_millis(limit + 10_000));
                    another |= many;
                    said.pop().flatten()
                }
                other => other,
            };
            gots.push(match answer {
                _ if another => RequestResult::Fault(LauncherFault::Many, "several workers answered".into()),
                Some(WorkerMessage::Done(report)) if report.signal.is_some() && !report.expired => {
                    self.died_at_once(&reached, request, *limit, report.signal.unwrap_or(0))
                }
                Some(said) => RequestResult::Said(said),
                None => lost("no answer came back"),
            });
        }
        self.reached = Some(reached);
        if another {
            self.many = Some("the program was started more than once, and was asked everything each time");
        }
        gots
    }

    /// A process ended that performed a request: once more, between two that do nothing.
    fn died_at_once(
        &mut self,
        reached: &ReachedWorker,
        request: &WorkerRequest,
        limit_ms: u64,
        signal: i32,
    ) -> RequestResult {
        let died = |twice, nop_lives| RequestResult::Died { signal, twice, nop_lives, box_control_lives: None };
        if self.starts >= self.most_starts {
            return died(false, true);
        }
        let limit = Duration::from_millis(limit_ms + 10_000);
        let mut ask = |requests: &[WorkerRequest]| {
            self.starts += 1;
            session::ask_at_once(self.setting, reached, requests, limit).0
        };
        let three = [WorkerRequest::Nop, request.clone(), WorkerRequest::Nop];
        let said: Vec<Option<WorkerMessage>> = if reached.fresh || self.setting.document.is_some_and(is_fresh) {
            three.iter().flat_map(|one| ask(std::slice::from_ref(one))).collect()
        } else {
            ask(&three)
        };
        let again = said.iter().any(
            |one| matches!(one, Some(WorkerMessage::Done(report)) if report.signal == Some(signal) && !report.expired),
        );
        let nops = said.iter().filter(|one| matches!(one, Some(WorkerMessage::Pong))).count();
        died(again, nops == 2)
    }

    fn ask_one(&mut self, request: &WorkerRequest, limit_ms: u64) -> RequestResult {
        if let Some((kind, detail)) = &self.stopped {
            return RequestResult::Fault(*kind, detail.clone());
        }
        let limit = Duration::from_millis(limit_ms + 3_000);
        let got = match self.attempt(request, limit) {
            StartResult::Said(WorkerMessage::Done(report)) if report.signal.is_some() && !report.expired => {
                let signal = report.signal.unwrap_or(0);
                let nop = |this: &mut Self| {
                    matches!(this.attempt(&WorkerRequest::Nop, limit), StartResult::Said(WorkerMessage::Pong))
                };
                let before = nop(self);
                let again = match self.attempt(request, limit) {
                    StartResult::Said(WorkerMessage::Done(report)) => report.signal,
                    _ => None,
                };
                let after = nop(self);
                RequestResult::Died {
                    signal,
                    twice: again == Some(signal),
                    nop_lives: before && after,
                    box_control_lives: None,
                }
            }
            StartResult::Said(said) => RequestResult::Said(said),
            StartResult::Ended(_) => self.ended_with(request, limit),
            StartResult::Silent => {
                // What does not answer one question will not answer the next.
                self.drop_session();
                lost("no answer came within the time for it")
            }
            StartResult::Another => self.stop(),
            StartResult::NoStart(kind, detail) => RequestResult::Fault(kind, detail),
        };
        let fresh = self.is_fresh();
        // What a question has changed must not answer the next one.
        if fresh || got.report().is_some_and(|report| report.world != self.world) {
            let answered = matches!(got, RequestResult::Said(_) | RequestResult::Died { .. });
            if answered && self.session().is_some() {
                // A start that is ended on purpose is none of those that were lost.
                self.most_starts = self.most_starts.saturating_add(1);
            }
            self.end_session();
        }
        got
    }

    /// The worker ended during a question: is it the question, or the launcher?
    fn ended_with(&mut self, request: &WorkerRequest, limit: Duration) -> RequestResult {
        match self.attempt(request, limit) {
            StartResult::Said(WorkerMessage::Done(report)) if report.signal.is_some() => RequestResult::Died {
                signal: report.signal.unwrap_or(0),
                twice: false,
                nop_lives: true,
                box_control_lives: None,
            },
            StartResult::Said(said) => RequestResult::Said(said),
            StartResult::Ended(age) => {
                let lives = match self.renew() {
                    Ok(()) => self.session().is_some_and(|session| {
                        let left = (age + age / 5 + Duration::from_millis(100)).saturating_sub(session.age());
                        session.idle(left)
                    }),
                    Err((kind, detail)) => return RequestResult::Fault(kind, detail),
                };
                if !lives {
                    let detail = format!("an idle worker ended as well, at the age of {} ms", age.as_millis());
                    return RequestResult::Fault(LauncherFault::TimeLimit, detail);
                }
                RequestResult::Died { signal: 0, twice: true, nop_lives: true, box_control_lives: Some(true) }
            }
            StartResult::Silent => {
                self.drop_session();
                lost("the worker ended during the question, and a second one did not answer it")
            }
            StartResult::Another => self.stop(),
            StartResult::NoStart(kind, detail) => RequestResult::Fault(kind, detail),
        }
    }

    fn stop(&mut self) -> RequestResult {
        let detail = "a second worker answered; nothing was asked any more".to_owned();
        self.stopped = Some((LauncherFault::Restarted, detail.clone()));
        self.drop_session();
        RequestResult::Fault(LauncherFault::Restarted, detail)
    }

    fn session(&mut self) -> Option<&mut session::Session> {
        self.reached.as_mut()?.session.as_mut()
    }

    fn attempt(&mut self, request: &WorkerRequest, limit: Duration) -> StartResult {
        if self.session().is_none_or(|session| session.is_over())
            && let Err((kind, detail)) = self.renew()
        {
            return StartResult::NoStart(kind, detail);
        }
        let Some(session) = self.session() else {
            return StartResult::NoStart(
                LauncherFault::AnswerLost,
                "the launcher is reached in another way now".into(),
            );
        };
        // Nothing is sent any more once a second worker reads it.
        let said = if session.has_another() { None } else { session.ask(request, limit) };
        if session.has_another() {
            return StartResult::Another;
        }
        match said {
            Some(said) => StartResult::Said(said),
            None if session.is_over() => StartResult::Ended(session.age()),
            None => StartResult::Silent,
        }
    }

    /// Another start in the place of one that is over.
    fn renew(&mut self) -> Result<(), (LauncherFault, String)> {
        self.drop_session();
        if self.starts >= self.most_starts {
            let detail = format!("there were {} starts already", self.starts);
            return Err((LauncherFault::AnswerLost, detail));
        }
        self.starts += 1;
        // One that was asked as it went collects nothing first, however long it takes this time.
        let patience = if self.mode() == Some(StartMode::Live) { Duration::MAX } else { self.patience };
        match session::start(self.setting, patience) {
            Ok(mut reached) => {
                self.world = reached.hello.world;
                // What is known of the first start is what everything is compared with.
                if let Some(first) = self.reached.take() {
                    reached.hello = first.hello.clone();
                    reached.attempts = first.attempts.clone();
                }
                self.reached = Some(reached);
                Ok(())
            }
            Err(NoWorker::NotStarted(why)) => {
                Err((LauncherFault::NotStarted, format!("another start of it: {}", why.detail)))
            }
            Err(NoWorker::Many(attempts)) => {
                Err((LauncherFault::Many, format!("another start: {}", attempts.join("; "))))
            }
        }
    }

    fn drop_session(&mut self) {
        if let Some(reached) = &mut self.reached {
            reached.session = None;
        }
    }

    /// Hears what the first start still says once everything was answered in it: a second worker may begin that late.
    pub(super) fn hear_out(&mut self) {
        let first = self.starts == 1 && !std::mem::replace(&mut self.heard_out, true);
        let one_worker = self.one_worker;
        if first && self.session().is_some_and(|session| !session.is_over() && session.hear_out(one_worker)) {
            let detail = "a second worker said that it lives, once the first one had answered";
            self.many = Some(detail);
            self.stopped = Some((LauncherFault::Many, detail.to_owned()));
        }
    }

    /// Ends the worker that waits, if one does, and waits until its launcher has ended too.
    pub(super) fn end_session(&mut self) {
        self.hear_out();
        if let Some(session) = self.reached.as_mut().and_then(|reached| reached.session.take()) {
            session.end();
        }
    }
}

/// Whether a launcher wants a start for each question.
fn is_fresh(document: &LauncherDocument) -> bool {
    document.start == LauncherStartKind::Fresh
}

fn lost(detail: &str) -> RequestResult {
    RequestResult::Fault(LauncherFault::AnswerLost, detail.to_owned())
}
