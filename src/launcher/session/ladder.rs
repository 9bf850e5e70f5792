//! The ladder of ways to reach the worker inside of a launcher.
//!
//! The gentlest way comes first: requests over standard input as they arise; all of them at once; a file in the workspace;
//! arguments; answers in a file. Then the same with the worker's executable copied into the workspace, and with one that is
//! inherited. A way counts once the worker has answered through it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::nameless::NamelessFile;
use super::unreached::{StartOutcome, TriedStarts, words_of};
use super::{NoWorker, ReachedWorker, Session, Setting, WorkerExecutable};
use crate::launcher::frame;
use crate::launcher::said::{Hello, WorkerMessage, WorkerRequest};
use crate::policy::launcher::DEFAULT_START_TIMEOUT_MS;
use crate::record::launcher::{NamedExecutable, StartMode};

/// How long nothing at all may come before the worker's input is closed, in case the launcher collects it first.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many times as long as a worker by itself one in a launcher may take beyond that: a busy machine is slow with both.
const SLOWER: u32 = 20;
/// How long a launcher may take to bring something after its input was closed.
const AFTER_CLOSE: Duration = Duration::from_millis(1_500);
/// How long a ping may take once the worker has said hello.
const PONG: Duration = Duration::from_secs(1);
/// How long a worker may live, in seconds, whatever happens to the run.
const LIFETIME_S: u64 = 600;

/// The mode's part of the token that the worker reads.
fn token(letter: char, alone: bool) -> String {
    format!("{letter}.{LIFETIME_S}{}", if alone { ".i" } else { "" })
}

/// Starts the worker by itself, without any launcher.
///
/// # Errors
/// In words, if it does not answer.
pub fn start_alone(setting: &Setting<'_>) -> Result<(Session, Hello), String> {
    let alone = Setting {
        document: None,
        exe: setting.exe.clone(),
        places: setting.places.clone(),
        unique: setting.unique.clone(),
        variables: setting.variables.clone(),
        terminal: setting.terminal,
        own_terminal: setting.own_terminal,
    };
    let mut session = Session::spawn(&alone, &WorkerExecutable::Path, &token('l', false), &[], true)
        .map_err(|error| format!("the worker could not be started by itself: {error}"))?;
    session.pump(|it| it.hello.is_some(), PATIENCE);
    match session.hello.clone() {
        Some(hello) => Ok((session, hello)),
        None => Err(session.describe("by itself")),
    }
}

/// How long nothing at all may come from a launcher before its input is closed, where a worker by itself took so long to say hello.
pub fn patience(alone: Duration) -> Duration {
    PATIENCE + alone * SLOWER
}

/// Reaches a worker inside the launcher by the gentlest way that works. `patience`: how long nothing may come before the input is
/// closed, at most as long as a start may take.
///
/// # Errors
/// If there is none.
pub fn start(setting: &Setting<'_>, patience: Duration) -> Result<ReachedWorker, NoWorker> {
    let mut tried = TriedStarts::default();
    for executable in [NamedExecutable::Itself, NamedExecutable::Copy, NamedExecutable::Memfd] {
        let executable = match made(executable, setting) {
            Ok(executable) => executable,
            Err(error) => {
                tried.remark(format!("{}: {error}", executable.as_str()));
                continue;
            }
        };
        match by_input(setting, executable, patience, &mut tried)? {
            Ok(reached) => return Ok(reached),
            Err(Some(executable)) if matches!(executable, WorkerExecutable::Path) => {
                if let Some(reached) = by_report_file(setting, executable, &mut tried) {
                    return Ok(reached);
                }
                if tried.waited_in_vain() {
                    break;
                }
            }
            Err(Some(_)) => {}
            Err(None) => break,
        }
    }
    let launcher = setting.document.and_then(|document| document.argv.first()).map_or("", String::as_str);
    Err(NoWorker::NotStarted(tried.conclude(launcher, start_limit(setting))))
}

/// How long a start may take until a worker says that it lives.
fn start_limit(setting: &Setting<'_>) -> Duration {
    Duration::from_millis(setting.document.map_or(DEFAULT_START_TIMEOUT_MS, |document| document.start_timeout_ms))
}

/// An executable of that kind for a worker.
fn made(kind: NamedExecutable, setting: &Setting<'_>) -> io::Result<WorkerExecutable> {
    Ok(match kind {
        NamedExecutable::Itself => WorkerExecutable::Path,
        NamedExecutable::Copy => {
            let copy = own_path(setting, "worker");
            std::fs::copy(&setting.exe, &copy)?;
            let executable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&copy, executable)?;
            WorkerExecutable::Copy(copy)
        }
        NamedExecutable::Memfd => WorkerExecutable::MemFd(NamelessFile::of(&setting.exe)?),
    })
}

/// A path in the workspace that nobody else has.
fn own_path(setting: &Setting<'_>, what: &str) -> PathBuf {
    let name = format!(".sandproof-{}-{what}-{}", setting.unique, &uuid::Uuid::new_v4().simple().to_string()[..8]);
    Path::new(&setting.places.workspace).join(name)
}

/// The same as it is called inside.
fn inside(setting: &Setting<'_>, path: &Path) -> String {
    let path = path.display().to_string();
    let renamed = setting.document.and_then(|document| setting.places.inside(document, &path));
    frame::encode(renamed.unwrap_or(path).as_bytes())
}

/// By standard input, and by what follows from how that goes. The inner error gives the executable back if another one
/// should be tried; `None` if that is of no use.
fn by_input(
    setting: &Setting<'_>,
    executable: WorkerExecutable,
    patience: Duration,
    tried: &mut TriedStarts,
) -> Result<Result<ReachedWorker, Option<WorkerExecutable>>, NoWorker> {
    let way = executable.named().as_str();
    let limit = start_limit(setting);
    let mut session = match Session::spawn(setting, &executable, &token('l', false), &[], true) {
        Ok(session) => session,
        Err(error) => {
            let outcome = StartOutcome::NoLauncher(words_of(&error));
            tried.add(format!("{way}: the launcher could not be started: {error}"), outcome);
            return Ok(Err(None));
        }
    };
    let ping = session.send(&WorkerRequest::Ping);
    session.pump(|it| it.hello.is_some(), patience.min(limit));
    if session.hello.is_none() && !session.alive && !session.is_over() {
        // Somebody may collect the whole input first.
        session.close_input();
        let left = limit.saturating_sub(session.age()).max(AFTER_CLOSE);
        session.pump(|it| it.hello.is_some() && it.answers.contains_key(&ping), left);
    } else if session.hello.is_none() {
        session.pump(|it| it.hello.is_some(), limit.saturating_sub(session.age()).min(AFTER_CLOSE));
    }
    let reached = |mode, hello, fresh, session, tried: &mut TriedStarts, executable| ReachedWorker {
        mode,
        executable,
        hello,
        fresh,
        attempts: std::mem::take(&mut tried.attempts),
        session,
    };
    if session.has_another() {
        tried.remark(format!("{way}: {} workers answered", session.instances.len()));
        return Err(NoWorker::Many(std::mem::take(&mut tried.attempts)));
    }
    let Some(hello) = session.hello.clone() else {
        if session.alive {
            let step = session.steps.last().map_or("alive", String::as_str).to_owned();
            let told = session.describe(&format!("{way}: the worker ended after its step `{step}`"));
            tried.add(told, StartOutcome::EndedInside(step));
            drop(session);
            return Ok(match by_arguments(setting, &executable, true, tried) {
                Some(hello) => Ok(reached(StartMode::Argv, hello, true, None, tried, executable)),
                None => Err(Some(executable)),
            });
        }
        // Give it the time to say how it ended.
        session.pump(|_| false, Duration::from_millis(50));
        let outcome = StartOutcome::of(session.status(), session.is_over());
        tried.add(session.describe(way), outcome);
        return Ok(Err(Some(executable)));
    };
    let had_input = session.input.is_some();
    if had_input {
        session.pump(|it| it.answers.contains_key(&ping), PONG);
        let again = (!session.answers.contains_key(&ping)).then(|| session.send(&WorkerRequest::Ping));
        let answered =
            |it: &Session| it.answers.contains_key(&ping) || again.is_some_and(|seq| it.answers.contains_key(&seq));
        if again.is_some() {
            session.pump(answered, PONG / 2);
        }
        if session.has_another() {
            tried.remark(format!("{way}: {} workers answered", session.instances.len()));
            return Err(NoWorker::Many(std::mem::take(&mut tried.attempts)));
        }
        if answered(&session) && !session.is_over() {
            return Ok(Ok(reached(StartMode::Live, hello, false, Some(session), tried, executable)));
        }
        session.close_input();
        session.pump(answered, AFTER_CLOSE);
        if answered(&session) {
            tried.remark("live: requests arrived only after the input had ended");
            drop(session);
            return Ok(Ok(reached(StartMode::Batch, hello, false, None, tried, executable)));
        }
    } else if session.answers.contains_key(&ping) {
        tried.remark("live: nothing came before the input had ended");
        drop(session);
        return Ok(Ok(reached(StartMode::Batch, hello, false, None, tried, executable)));
    }
    tried.remark("live: the worker said hello, and requests do not reach it");
    drop(session);
    if let Some(session) = by_mailbox(setting, &executable) {
        return Ok(Ok(reached(StartMode::Mailbox, hello, false, Some(session), tried, executable)));
    }
    tried.add("mailbox: a file in the workspace does not reach it".into(), StartOutcome::Deaf);
    Ok(match by_arguments(setting, &executable, false, tried) {
        Some(hello) => Ok(reached(StartMode::Argv, hello, false, None, tried, executable)),
        None => Err(None),
    })
}

/// By a file in the workspace.
fn by_mailbox(setting: &Setting<'_>, executable: &WorkerExecutable) -> Option<Session> {
    let path = own_path(setting, "mail");
    let file = File::create(&path).ok()?;
    let readable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let _ = std::fs::set_permissions(&path, readable);
    let more = [inside(setting, &path)];
    let session = Session::spawn(setting, executable, &token('m', false), &more, false);
    let Ok(mut session) = session else {
        let _ = std::fs::remove_file(&path);
        return None;
    };
    session.mailbox = Some((path, file));
    session.pump(|it| it.hello.is_some(), PATIENCE);
    session.ask(&WorkerRequest::Ping, PONG)?;
    Some(session)
}

/// By arguments; whether the worker answers that way.
fn by_arguments(
    setting: &Setting<'_>,
    executable: &WorkerExecutable,
    alone: bool,
    tried: &mut TriedStarts,
) -> Option<Hello> {
    let mut session = by_arguments_with(setting, executable, alone, &[WorkerRequest::Ping])?;
    session.pump(|it| it.said_bye, PATIENCE);
    let answered = session.answers.contains_key(&1);
    if !answered {
        tried.remark(session.describe("argv"));
    }
    session.hello.clone().filter(|_| answered)
}

fn by_arguments_with(
    setting: &Setting<'_>,
    executable: &WorkerExecutable,
    alone: bool,
    requests: &[WorkerRequest],
) -> Option<Session> {
    let bodies: Vec<String> =
        requests.iter().map(|request| frame::encode(&serde_json::to_vec(request).unwrap_or_default())).collect();
    Session::spawn(setting, executable, &token('a', alone), &bodies, false).ok()
}

/// With answers in a file of the workspace.
fn by_report_file(
    setting: &Setting<'_>,
    executable: WorkerExecutable,
    tried: &mut TriedStarts,
) -> Option<ReachedWorker> {
    let mut session = with_report_file(setting, &executable)?;
    let ping = session.send(&WorkerRequest::Ping);
    session.close_input();
    session.pump(|it| it.answers.contains_key(&ping), AFTER_CLOSE);
    let hello = session.hello.clone().filter(|_| session.answers.contains_key(&ping));
    finish_report_file(&mut session);
    let hello = hello?;
    tried.remark("output: what the worker prints does not come back");
    Some(ReachedWorker {
        mode: StartMode::ReportFile,
        executable,
        hello,
        fresh: false,
        attempts: std::mem::take(&mut tried.attempts),
        session: None,
    })
}

fn with_report_file(setting: &Setting<'_>, executable: &WorkerExecutable) -> Option<Session> {
    let path = own_path(setting, "report");
    File::create(&path).ok()?;
    let writable: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let _ = std::fs::set_permissions(&path, writable);
    let more = [inside(setting, &path)];
    match Session::spawn(setting, executable, &token('f', false), &more, true) {
        Ok(mut session) => {
            session.report_file = Some((path, 0));
            Some(session)
        }
        Err(_) => {
            let _ = std::fs::remove_file(&path);
            None
        }
    }
}

fn finish_report_file(session: &mut Session) {
    session.read_report_file();
    if let Some((path, _)) = session.report_file.take() {
        let _ = std::fs::remove_file(path);
    }
}

/// Asks everything at once in a start of its own. An answer is missing where none came; the second value says whether
/// another worker answered too.
pub fn ask_at_once(
    setting: &Setting<'_>,
    reached: &ReachedWorker,
    requests: &[WorkerRequest],
    limit: Duration,
) -> (Vec<Option<WorkerMessage>>, bool) {
    let none = || (vec![None; requests.len()], false);
    let session = match reached.mode {
        StartMode::Argv => by_arguments_with(setting, &reached.executable, reached.fresh, requests),
        StartMode::ReportFile => with_report_file(setting, &reached.executable),
        _ => Session::spawn(setting, &reached.executable, &token('l', false), &[], true).ok(),
    };
    let Some(mut session) = session else { return none() };
    if reached.mode != StartMode::Argv {
        for request in requests {
            session.send(request);
        }
        session.close_input();
    }
    session.pump(|it| it.said_bye || it.has_another(), limit);
    finish_report_file(&mut session);
    let answers = (1..=requests.len() as u64).map(|seq| session.answers.remove(&seq)).collect();
    // A launcher that carries something back does it at its end; and whoever is started after the first does the same once more.
    let another = session.end();
    (answers, another)
}
