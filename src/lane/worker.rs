//! One worker: a zygote, the ports and policies it uses, and the rows it builds.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::attribution;
use super::cancel::Cancel;
use super::capability::HostCapabilities;
use super::check;
use super::fixture::{Fixture, FixtureBase, FixtureError};
use super::listener::Listener;
use super::ports::{PortPool, SLOTS};
use super::row_line::append_row;
use super::task::Task;
use super::write_guard;
use crate::audit::AuditListener;
use crate::base::error_chain::error_chain;
use crate::base::placeholder::{self, Piece, Placeholder, ROOT};
use crate::policy::PolicyValue;
use crate::probe::check_entry;
use crate::process::{SpawnError, Zygote};
use crate::record::action::{Action, ActionScope};
use crate::record::ending::Ending;
use crate::record::fixture::{FixtureEntry, ListenerKind, ListenerSpec};
use crate::record::outcome::{FailureKind, Lane};
use crate::record::row::{NotRun, ProbeRow};
use crate::zygote::protocol::{Job, PolicyUse};

/// What all workers of a run share.
#[derive(Debug)]
pub struct RunShared<'r> {
    /// The executable that zygotes are made of.
    pub exe: &'r Path,
    /// Where fixture roots are made.
    pub base: &'r FixtureBase,
    /// How long one probe may run, in milliseconds.
    pub deadline_ms: u64,
    /// What this host and user have.
    pub capabilities: &'r HostCapabilities,
    /// Ports that no two rows under way share.
    pub ports: &'r PortPool,
    /// What makes names of abstract sockets this run's own.
    pub unique: &'r str,
    /// Whether probes may execute programs and scripts that are not this program's own.
    pub host_programs: bool,
    /// Who hears what the kernel says of denials, if anybody does.
    pub audit: Option<&'r AuditListener>,
}

/// Starts a zygote from a thread that lives as long as the worker that gets it.
pub type SpawnZygote<'s> = dyn Fn() -> Result<Zygote, SpawnError> + 's;

/// A worker that cannot go on. What a probe does never causes this.
#[derive(Debug, thiserror::Error)]
pub enum LaneWorkerError {
    /// The process that probes are forked from could not be started.
    #[error("could not start the process that probes are forked from")]
    Spawn(#[from] SpawnError),
    /// A fixture root could not be cleared, so the next lane could not use it.
    #[error("could not clear a fixture root")]
    Clear(#[source] FixtureError),
}

/// One zygote with what it needs.
#[derive(Debug)]
pub struct Worker<'r> {
    zygote: Zygote,
    policies: HashSet<u32>,
    in_flight: VecDeque<InFlight<'r>>,
}

/// A job that the zygote has, or a task that needed none.
#[derive(Debug)]
struct InFlight<'r> {
    place: usize,
    row: ProbeRow,
    fixture: Option<Fixture<'r>>,
    listener: Option<Listener>,
    job: Option<Job>,
    policy: Option<Arc<PolicyValue>>,
    /// How often records of the kernel had been lost by then.
    losses_before: u64,
}

impl<'r> Worker<'r> {
    /// How many jobs a zygote holds at a time: one that runs and one that waits.
    pub const DEPTH: usize = 2;

    /// Starts a worker, which waits for nothing any more once `cancel` asks to stop.
    ///
    /// Call it from the thread that lives as long as the worker: the zygote ends with the thread that started it.
    ///
    /// # Errors
    /// If the zygote cannot be started.
    pub fn start(exe: &Path, cancel: &Cancel) -> Result<Self, LaneWorkerError> {
        let mut zygote = Zygote::spawn(exe)?;
        zygote.stop_on(&cancel.cell());
        Ok(Self { zygote, policies: HashSet::new(), in_flight: VecDeque::new() })
    }

    /// How many tasks were begun and not finished.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Begins a task: makes its fixtures, opens its listener, hands the job to the zygote.
    ///
    /// # Errors
    /// See [`LaneWorkerError`].
    pub fn begin(&mut self, shared: &RunShared<'r>, place: usize, task: Task<'_>) -> Result<(), LaneWorkerError> {
        let mut started = InFlight {
            place,
            row: task.row(shared.base.path().join(root_name(&task)).to_string_lossy().into_owned()),
            fixture: None,
            listener: None,
            job: None,
            policy: None,
            losses_before: shared.audit.map_or(0, AuditListener::losses),
        };
        match self.prepare(shared, &task, &mut started) {
            Ok(()) => self.send(&started),
            Err(not_run) => started.row.not_run = Some(not_run),
        }
        self.in_flight.push_back(started);
        Ok(())
    }

    fn prepare(&mut self, shared: &RunShared<'r>, task: &Task<'_>, started: &mut InFlight<'r>) -> Result<(), NotRun> {
        let failed = |what: &str, error: &io::Error| NotRun {
            kind: FailureKind::FixtureFailed,
            reason: format!("{what}: {error}"),
            errno: error.raw_os_error().unwrap_or(0),
        };
        // First, so that also a row that is not run says what it would have done.
        let mut texts = Placeholders { root: started.row.root.clone(), seq: task.seq, shared };
        started.row.action = texts.action(task.action).map_err(NoPort::not_run)?;
        started.row.check_request =
            task.asks.and_then(|entry| check::request(entry, task.action.driver, &started.row.action.target));
        if !task.supported {
            return Err(NotRun {
                kind: FailureKind::LaneUnsupported,
                reason: format!("`supports_lanes` says that the probe is not made for the {} lane", task.lane.as_str()),
                errno: 0,
            });
        }
        if let Some(gate) = task.policy.and_then(|(_, value)| value.apply_gate()) {
            // Seatbelt would take it for what any failed application is; the text says it beforehand.
            return Err(NotRun {
                kind: FailureKind::PreflightApplyGate,
                reason: format!("the profile cannot be applied: {gate}"),
                errno: 0,
            });
        }
        if let Some(path) = write_guard::foreign_change(&started.row.action, &started.row.root, shared.unique) {
            return Err(NotRun {
                kind: FailureKind::ForeignTarget,
                reason: format!("`{path}` would be changed, and the run did not make it"),
                errno: 0,
            });
        }
        for capability in task.capabilities {
            if let Err(reason) = shared.capabilities.check(capability) {
                return Err(NotRun { kind: FailureKind::CapabilityMissing, reason, errno: 0 });
            }
        }
        let named = texts.fixtures(task.fixtures).map_err(NoPort::not_run)?;
        if needs_root(task) {
            let entries = named.as_deref().unwrap_or(task.fixtures);
            let fixture = Fixture::make(shared.base, &root_name(task), entries).map_err(|error| NotRun {
                kind: FailureKind::FixtureFailed,
                errno: error.errno(),
                reason: error_chain(&error),
            })?;
            started.fixture = Some(fixture);
        }
        let listener = match task.listener {
            None => None,
            Some(spec) => {
                let address = texts.resolve(&spec.address).map_err(NoPort::not_run)?;
                Some(ListenerSpec { kind: spec.kind, address })
            }
        };
        let policy = match task.policy {
            None => None,
            Some((key, value)) => {
                started.policy = Some(Arc::clone(value));
                Some(PolicyUse { key, texts: texts.of_policy(value).map_err(NoPort::not_run)? })
            }
        };
        // What kept them free would stand in the way of what binds them now.
        shared.ports.lend(task.seq);
        if let Some(spec) = listener {
            if spec.kind == ListenerKind::Unix {
                let own = started.fixture.as_ref().map(Fixture::folders).unwrap_or_default();
                check_entry(&spec.address, &own).map_err(|failure| NotRun {
                    kind: FailureKind::ForeignTarget,
                    reason: match failure.leads_to {
                        Some(place) => {
                            format!("the listener's socket would be made in `{place}`, which is not the run's own")
                        }
                        None => format!("where the listener's socket would be made is not known ({})", failure.step),
                    },
                    errno: failure.errno,
                })?;
            }
            let listener = Listener::open(&spec)
                .map_err(|error| failed(&format!("could not listen on `{}`", spec.address), &error))?;
            started.listener = Some(listener);
        }
        started.job = Some(Job {
            seq: started.row.seq,
            action: started.row.action.clone(),
            scope: ActionScope { own: own_folders(started, shared.unique), host_programs: shared.host_programs },
            policy,
            check: started.row.check_request.clone(),
            deadline_ms: shared.deadline_ms,
        });
        Ok(())
    }

    /// Hands the job over, and before it the policy if this zygote has not got it. A zygote that is gone shows when
    /// its reply is awaited.
    fn send(&mut self, started: &InFlight<'_>) {
        let Some(job) = &started.job else { return };
        if let (Some(policy_use), Some(value)) = (&job.policy, started.policy.as_deref())
            && self.policies.insert(policy_use.key)
        {
            let _ = self.zygote.load_policy(policy_use.key, value);
        }
        let _ = self.zygote.send(job);
    }

    /// Waits for the oldest task, gives its place, and appends its row to `line` as JSON. A zygote that was lost, is spent, or
    /// could not end a probe, is replaced by one that `spawn` starts from a thread that lives as long as this worker;
    /// unless the run is cancelled.
    ///
    /// # Errors
    /// See [`LaneWorkerError`].
    ///
    /// # Panics
    /// If nothing is in flight.
    pub fn finish(
        &mut self,
        shared: &RunShared<'_>,
        spawn: &SpawnZygote<'_>,
        cancel: &Cancel,
        line: &mut Vec<u8>,
    ) -> Result<usize, LaneWorkerError> {
        let mut started = self.in_flight.pop_front().expect("finish is called with a task in flight");
        let mut reply = None;
        if started.job.is_some() {
            let gone = match self.zygote.recv() {
                Ok(answer) => {
                    let gave_up = answer.spent || matches!(answer.ending, Ending::Lost { .. });
                    reply = Some(answer);
                    gave_up
                }
                Err(lost) => {
                    started.row.ending = Some(Ending::Lost { reason: lost.to_string() });
                    true
                }
            };
            if gone && cancel.requested().is_none() {
                self.replace_zygote(spawn()?, cancel);
            }
        }
        if let (Some(listener), Some(reply)) = (shared.audit, &reply) {
            let policy = started.policy.as_deref();
            started.row.attribution = attribution::heard(listener, started.losses_before, &started.row, policy, reply);
        }
        started.row.listener = started.listener.take().map(Listener::finish);
        shared.ports.take_back(started.row.seq);
        if let Some(made) = write_guard::new_of_own(&started.row.action, shared.unique) {
            // It has the run's own name, and the probe was the one that made it.
            let _ = std::fs::remove_file(made);
        }
        if let Some(fixture) = started.fixture.take() {
            fixture.remove().map_err(LaneWorkerError::Clear)?;
        }
        append_row(line, &mut started.row, reply.as_ref());
        Ok(started.place)
    }

    /// Puts a fresh zygote in the place of one that is gone, and gives it what waits.
    fn replace_zygote(&mut self, mut zygote: Zygote, cancel: &Cancel) {
        zygote.stop_on(&cancel.cell());
        self.zygote = zygote;
        self.policies.clear();
        let waiting = std::mem::take(&mut self.in_flight);
        for started in &waiting {
            self.send(started);
        }
        self.in_flight = waiting;
    }

    /// Gives up everything under way: ends the zygote and clears the fixture roots, as far as that works.
    pub fn abandon(&mut self) {
        self.zygote.kill();
        // Dropping a fixture removes it.
        self.in_flight.clear();
    }
}

/// The folders in which the probe may change something: those of its fixtures, and the one in which it makes a file of the
/// run's own name.
fn own_folders(started: &InFlight<'_>, unique: &str) -> Vec<String> {
    let mut own = started.fixture.as_ref().map(Fixture::folders).unwrap_or_default();
    let folder = write_guard::new_of_own(&started.row.action, unique).and_then(|made| made.rsplit_once('/'));
    own.extend(folder.and_then(|(folder, _)| {
        let folder = Path::new(if folder.is_empty() { "/" } else { folder }).canonicalize().ok()?;
        folder.to_str().map(str::to_owned)
    }));
    own
}

/// Whether a task's fixture root has to be there: something is made in it, or somebody may name it. To make and remove a
/// folder costs a tenth of a probe.
fn needs_root(task: &Task<'_>) -> bool {
    let names_root =
        |text: &str| [ROOT, "${workspace}", "${outside}", "${home}"].iter().any(|name| text.contains(name));
    !task.fixtures.is_empty()
        || task.action.texts().any(names_root)
        || task.listener.is_some_and(|spec| names_root(&spec.address))
        || task.policy.is_some_and(|(_, value)| value.may_name_root())
}

/// The name of a task's fixture root. The lanes that are compared use the same one, one after the other.
fn root_name(task: &Task<'_>) -> String {
    match task.lane {
        Lane::Control => format!("c{:06}", task.seq),
        _ => format!("r{:06}", task.seq),
    }
}

/// A placeholder that no port can stand for.
#[derive(Debug)]
struct NoPort {
    placeholder: String,
    source: io::Error,
}

impl NoPort {
    fn not_run(self) -> NotRun {
        NotRun {
            kind: FailureKind::FixtureFailed,
            reason: format!("no port can be had for `{}`: {}", self.placeholder, self.source),
            errno: self.source.raw_os_error().unwrap_or(0),
        }
    }
}

/// What placeholders stand for in one task.
struct Placeholders<'w, 'r> {
    root: String,
    seq: u64,
    shared: &'w RunShared<'r>,
}

impl Placeholders<'_, '_> {
    /// `text` with every placeholder replaced.
    fn resolve(&mut self, text: &str) -> Result<String, NoPort> {
        if !placeholder::has_any(text) {
            return Ok(text.to_owned());
        }
        placeholder::replace(text, |spelled, placeholder| self.value(spelled, placeholder))
    }

    /// What one placeholder stands for.
    fn value(&mut self, spelled: &str, placeholder: Placeholder<'_>) -> Result<String, NoPort> {
        match placeholder {
            Placeholder::Root => Ok(self.root.clone()),
            Placeholder::Folder(name) => Ok(format!("{}/{name}", self.root)),
            Placeholder::Port(port) => {
                let refused = |source| NoPort { placeholder: spelled.to_owned(), source };
                self.shared.ports.port_of(self.seq, port).map(|port| port.to_string()).map_err(refused)
            }
            Placeholder::Name(unique) => Ok(format!("sandproof-{}-{}-{unique}", self.shared.unique, self.seq % SLOTS)),
        }
    }

    fn action(&mut self, action: &Action) -> Result<Action, NoPort> {
        action.map_texts(|text| self.resolve(text))
    }

    /// The fixtures with the names of their folders elsewhere, if they have any.
    fn fixtures(&mut self, entries: &[FixtureEntry]) -> Result<Option<Vec<FixtureEntry>>, NoPort> {
        if !entries.iter().any(|entry| entry.path.starts_with('/')) {
            return Ok(None);
        }
        let named = entries.iter().map(|entry| Ok(FixtureEntry { path: self.resolve(&entry.path)?, ..entry.clone() }));
        named.collect::<Result<Vec<_>, NoPort>>().map(Some)
    }

    /// (placeholder, text) for every placeholder of a policy.
    fn of_policy(&mut self, value: &PolicyValue) -> Result<Vec<(String, String)>, NoPort> {
        let mut texts = vec![(ROOT.to_string(), self.root.clone())];
        for piece in value.texts().into_iter().flat_map(placeholder::pieces) {
            if let Piece::Placeholder(spelled, Some(placeholder)) = piece
                && !texts.iter().any(|(known, _)| known == spelled)
            {
                let text = self.value(spelled, placeholder)?;
                texts.push((spelled.to_owned(), text));
            }
        }
        Ok(texts)
    }
}
