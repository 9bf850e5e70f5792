//! The folders and listeners of one set of questions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::asking::{LauncherLane, OpenQuestion, WorkspaceFiles};
use super::identity;
use super::outside_objects::OutsideObject;
use super::question::{self, LauncherQuestion};
use super::rows;
use super::target::OutsideTarget;
use crate::base::error_chain::error_chain;
use crate::lane::fixture::Fixture;
use crate::lane::task::Task;
use crate::lane::write_guard;
use crate::launcher::listeners::LauncherListener;
use crate::policy::launcher::StartTexts;
use crate::record::action::Action;
use crate::record::driver::{Driver, Effect, TargetKind};
use crate::record::driver_witness::{ContentSource, SuccessWitness};
use crate::record::fixture::{FixtureEntry, FixtureKind, ListenerSpec};
use crate::record::launcher::LauncherRecord;
use crate::record::outcome::FailureKind;
use crate::record::platform::Platform;
use crate::record::row::{NotRun, ProbeRow};

/// The folders that every start has, below its root.
const FOLDERS: [&str; 4] = ["workspace", "outside", "home", "state"];

/// Variables that programs need as they are, so that nothing stands in for them.
const KEPT_VARIABLES: [&str; 7] = ["PATH", "HOME", "USER", "TERM", "LD_PRELOAD", "LD_LIBRARY_PATH", "TMPDIR"];

/// Everything that stands before a launcher is started.
#[derive(Debug)]
pub(super) struct LaneSetup<'r> {
    pub(super) root: String,
    pub(super) places: StartTexts,
    /// The name of the file that says which folders are the run's own.
    pub(super) mark: String,
    pub(super) askings: Vec<OpenQuestion>,
    pub(super) not_run: Vec<(usize, ProbeRow)>,
    pub(super) known: WorkspaceFiles,
    pub(super) _fixture: Fixture<'r>,
}

/// Which questions can stand side by side: what one changes, no other names; and no fixture is declared in two ways.
pub(super) fn sets(tasks: &[Task<'_>]) -> Vec<Vec<usize>> {
    let mut sets: Vec<(Vec<usize>, BTreeMap<&str, &FixtureEntry>)> = Vec::new();
    for (n, task) in tasks.iter().enumerate() {
        // Of a task that contradicts itself nobody else shall suffer.
        let mut own: BTreeMap<&str, &FixtureEntry> = BTreeMap::new();
        let torn = task.fixtures.iter().any(|entry| own.insert(&entry.path, entry).is_some_and(|other| other != entry));
        let fits = sets.iter().position(|(set, declared)| {
            !torn
                && own.iter().all(|(path, entry)| declared.get(path).is_none_or(|other| other == entry))
                && set.iter().all(|other| !disturb(task, &tasks[*other]))
        });
        match fits {
            Some(place) => {
                sets[place].0.push(n);
                sets[place].1.extend(own);
            }
            None => sets.push((vec![n], own)),
        }
    }
    sets.into_iter().map(|(set, _)| set).collect()
}

fn paths<'t>(task: &'t Task<'_>) -> impl Iterator<Item = &'t str> {
    let path = task.action.driver.info().target == TargetKind::Path;
    let to = task.action.to.as_deref().filter(|_| task.action.driver != Driver::SymlinkCreate);
    path.then_some(task.action.target.as_str()).into_iter().chain(to)
}

fn disturb(one: &Task<'_>, other: &Task<'_>) -> bool {
    let changes = |task: &Task<'_>| task.action.driver.info().effect == Effect::Changes;
    let above = |a: &str, b: &str| b.strip_prefix(a).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // Two that use one address would hear each other. A port that the kernel picks, and a name that is made up, each question
    // has to itself.
    let own_address =
        |listener: &ListenerSpec| ["${port.", "${name."].iter().any(|part| listener.address.contains(part));
    let same_address = one.listener.is_some_and(|listener| !own_address(listener)) && one.listener == other.listener;
    // A start has one terminal, and one session keyring.
    let singles = [&[Driver::TtyIoctl, Driver::TtyInject][..], &[Driver::KeyRead]];
    let same_single =
        singles.iter().any(|some| some.contains(&one.action.driver) && some.contains(&other.action.driver));
    same_address
        || same_single
        || ((changes(one) || changes(other)) && paths(one).any(|a| paths(other).any(|b| above(a, b) || above(b, a))))
}

impl<'r> LaneSetup<'r> {
    /// Makes it.
    ///
    /// # Errors
    /// If what all questions share cannot be made.
    pub(super) fn make(lane: &LauncherLane<'r>, tasks: &[Task<'_>], set: &[usize]) -> Result<Self, NotRun> {
        let failed = |reason: String, errno: i32| NotRun { kind: FailureKind::FixtureFailed, reason, errno };
        let io = |what: &str| {
            let what = what.to_owned();
            move |error: std::io::Error| failed(format!("{what}: {error}"), error.raw_os_error().unwrap_or(0))
        };
        let folders: Vec<FixtureEntry> =
            FOLDERS.iter().map(|folder| FixtureEntry::new(*folder, FixtureKind::Dir)).collect();
        let mut lists: Vec<&[FixtureEntry]> = vec![&folders];
        lists.extend(set.iter().map(|n| tasks[*n].fixtures));
        let (entries, nonces) = question::merged(&lists).map_err(|reason| failed(reason, 0))?;
        let name = format!("l{:06}", tasks[set[0]].seq);
        let fixture = Fixture::make(lane.base, &name, &entries).map_err(|error| NotRun {
            kind: FailureKind::FixtureFailed,
            errno: error.errno(),
            reason: error_chain(&error),
        })?;
        let root = fixture.path().to_owned();
        let places = StartTexts {
            workspace: format!("{root}/workspace"),
            outside: format!("{root}/outside"),
            home: format!("{root}/home"),
            state: format!("{root}/state"),
            probe: Vec::new(),
        };
        // A launcher may give the worker another user.
        for (path, mode) in [
            (lane.base.path().to_owned(), 0o711),
            (PathBuf::from(&root), 0o755),
            (PathBuf::from(&places.workspace), 0o777),
            (PathBuf::from(&places.outside), 0o777),
        ] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))
                .map_err(io(&format!("could not open `{}` to the launcher", path.display())))?;
        }
        let mark = format!(".sandproof-{}-mark", lane.unique);
        for folder in [&places.workspace, &places.outside, &places.home] {
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            question::plant(&Path::new(folder).join(&mark), &nonce).map_err(io("could not mark a folder"))?;
        }
        for path in nonces.keys() {
            question::mark_time(&format!("{root}/{path}"));
        }
        for file in &lane.document.files {
            let path = PathBuf::from(places.fill(&file.path));
            let text = match (&file.text, &file.json) {
                (Some(text), _) => places.fill(text),
                (None, Some(value)) => serde_json::to_string_pretty(&places.fill_json(value)).unwrap_or_default(),
                (None, None) => String::new(),
            };
            path.parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| question::plant(&path, &text))
                .map_err(io(&format!("could not write the launcher's file `{}`", path.display())))?;
        }
        if let Some(missing) = lane.document.needs.iter().find_map(|need| unmet(need)) {
            return Err(NotRun { kind: FailureKind::CapabilityMissing, reason: missing, errno: 0 });
        }
        let mut place = Self {
            root,
            places,
            mark,
            askings: Vec::new(),
            not_run: Vec::new(),
            known: WorkspaceFiles::default(),
            _fixture: fixture,
        };
        for n in set {
            match place.asking(lane, &tasks[*n], *n, &nonces) {
                Ok(asking) => place.askings.push(asking),
                Err((action, not_run)) => {
                    let mut row = rows::not_run(lane, &tasks[*n], not_run);
                    row.action = action.unwrap_or(row.action);
                    place.not_run.push((*n, row));
                }
            }
        }
        place.known = known(&place);
        Ok(place)
    }

    #[expect(clippy::result_large_err, reason = "once a question, and both become a row at once")]
    fn asking(
        &self,
        lane: &LauncherLane<'_>,
        task: &Task<'_>,
        n: usize,
        nonces: &question::Nonces,
    ) -> Result<OpenQuestion, (Option<Action>, NotRun)> {
        let mut texts = ProbeTexts { place: self, unique: lane.unique, seq: task.seq, ports: BTreeMap::new() };
        let failed = |what: &str, error: &std::io::Error| NotRun {
            kind: FailureKind::FixtureFailed,
            reason: format!("{what}: {error}"),
            errno: error.raw_os_error().unwrap_or(0),
        };
        let listener = match task.listener {
            None => None,
            Some(spec) => {
                let address = texts.to_listen(&spec.address);
                let listener = LauncherListener::open(spec.kind, &address)
                    .map_err(|error| (None, failed(&format!("could not listen on `{address}`"), &error)))?;
                texts.learn(&spec.address, &listener.address);
                Some(listener)
            }
        };
        let action = task
            .action
            .map_texts(|text| texts.resolve(text))
            .map_err(|error| (None, failed("no port can be had", &error)))?;
        let refuse = |kind, reason: String| (Some(action.clone()), NotRun { kind, reason, errno: 0 });
        if !task.supported {
            let reason = "`supports_lanes` says that the probe is not made for the scenario lane".to_owned();
            return Err(refuse(FailureKind::LaneUnsupported, reason));
        }
        if let Some(path) = write_guard::foreign_change(&action, &self.root, lane.unique) {
            let reason = format!("`{path}` would be changed, and the run did not make it");
            return Err(refuse(FailureKind::ForeignTarget, reason));
        }
        let own_target = action.target.starts_with(&format!("{}/", self.root));
        if action.driver == Driver::Exec && !own_target && !lane.host_programs {
            let reason = format!("`{}` is a program of this host, which needs `--allow-host-programs`", action.target);
            return Err(refuse(FailureKind::ForeignTarget, reason));
        }
        for capability in task.capabilities {
            if let Err(reason) = lane.capabilities.check(capability) {
                return Err(refuse(FailureKind::CapabilityMissing, reason));
            }
        }
        let setup = |what: &str, action: Action, error: &std::io::Error| {
            (Some(action), NotRun { kind: FailureKind::SetupFailed, ..failed(what, error) })
        };
        let outsider = (action.driver.info().target == TargetKind::OutsideProcess)
            .then(|| OutsideTarget::start(lane.exe))
            .transpose()
            .map_err(|error| setup("no process to ask about could be started", action.clone(), &error))?;
        let object = OutsideObject::make(&action)
            .map_err(|error| setup("what is asked about could not be made", action.clone(), &error))?;
        let expected = self.expected(&action, nonces, lane.unique);
        let (host, marked) = self.host(&action, nonces);
        let question = LauncherQuestion::new(
            action,
            &self.root,
            expected,
            listener,
            (outsider, object),
            &short(lane.unique),
            lane.deadline_ms,
        );
        let stands_in = question.action.driver == Driver::EnvironmentRead
            && !KEPT_VARIABLES.contains(&question.action.target.as_str());
        Ok(OpenQuestion {
            task: n,
            token: stands_in.then(|| uuid::Uuid::new_v4().as_u128() as u64),
            question,
            record: LauncherRecord::empty(0),
            greetings: Vec::new(),
            touched: Vec::new(),
            host,
            marked,
            started_at_unix_s: crate::base::clock::unix_seconds(),
        })
    }

    /// What the content has to hold: at least 8 bytes that nobody else can know.
    fn expected(&self, action: &Action, nonces: &question::Nonces, unique: &str) -> Option<Vec<u8>> {
        match action.driver.witness() {
            SuccessWitness::Content(ContentSource::Names) => {
                let below = action.target.starts_with(&format!("{}/", self.root));
                let name = format!(".sandproof-{unique}-in-{}", uuid::Uuid::new_v4().simple());
                (below && question::plant(&Path::new(&action.target).join(&name), "").is_ok())
                    .then(|| name.into_bytes())
            }
            SuccessWitness::Content(ContentSource::Link) => {
                let text = std::fs::read_link(&action.target).ok()?.to_string_lossy().into_owned();
                text.contains(&self.root).then(|| text.into_bytes())
            }
            _ => self.nonce_of(&action.target, nonces).map(|nonce| nonce.as_bytes().to_vec()),
        }
    }

    /// The nonce of the file that a path leads to.
    fn nonce_of<'n>(&self, path: &str, nonces: &'n question::Nonces) -> Option<&'n String> {
        let real = std::fs::canonicalize(path).ok()?;
        nonces.get(real.strip_prefix(&self.root).ok()?.to_str()?)
    }

    #[expect(clippy::type_complexity, reason = "two facts of one look")]
    fn host(&self, action: &Action, nonces: &question::Nonces) -> (Option<(u64, u64)>, Option<(i64, (i64, i64))>) {
        use std::os::unix::fs::MetadataExt;
        if action.driver.info().target != TargetKind::Path {
            return (None, None);
        }
        let Ok(found) = std::fs::metadata(&action.target) else { return (None, None) };
        let marked =
            self.nonce_of(&action.target, nonces).map(|_| (found.size() as i64, (found.mtime(), found.mtime_nsec())));
        (Some((found.dev(), found.ino())), marked)
    }
}

/// A text that is short enough to stand in names.
fn short(unique: &str) -> String {
    unique.chars().take(8).collect()
}

/// What a need lacks, in words.
fn unmet(need: &str) -> Option<String> {
    let root = nix::unistd::geteuid().is_root();
    match need {
        "ordinary_user" => root.then(|| "the launcher is made for an ordinary user, and this is root".to_owned()),
        "root" => (!root).then(|| "the launcher needs root".to_owned()),
        "user_namespaces" if Platform::here() != Some(Platform::Linux) => {
            Some("the launcher needs user namespaces, which are a part of Linux".to_owned())
        }
        "user_namespaces" => {
            let most = std::fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
            (most.trim() == "0").then(|| "user namespaces are switched off on this host".to_owned())
        }
        _ => {
            let name = need.strip_prefix("program:")?;
            identity::find(name).is_none().then(|| format!("the program `{name}` is not on this host"))
        }
    }
}

/// Everything in the workspace now, and what the questions themselves will put there.
fn known(place: &LaneSetup<'_>) -> WorkspaceFiles {
    fn walk(folder: &Path, paths: &mut BTreeSet<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            paths.insert(entry.path());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&entry.path(), paths);
            }
        }
    }
    let mut paths = BTreeSet::new();
    walk(Path::new(&place.places.workspace), &mut paths);
    for asking in &place.askings {
        let action = &asking.question.action;
        paths.extend([Some(action.target.as_str()), action.to.as_deref()].into_iter().flatten().map(PathBuf::from));
    }
    WorkspaceFiles { paths }
}

/// What placeholders of a probe stand for.
struct ProbeTexts<'p, 'r> {
    place: &'p LaneSetup<'r>,
    unique: &'p str,
    seq: u64,
    ports: BTreeMap<String, u16>,
}

impl ProbeTexts<'_, '_> {
    /// An address to listen on: ports are picked by the kernel.
    fn to_listen(&self, text: &str) -> String {
        let mut out = self.folders(text);
        while let Some((start, end)) = port(&out) {
            out.replace_range(start..end, "0");
        }
        out
    }

    /// Notes the port that the kernel has picked.
    fn learn(&mut self, declared: &str, address: &str) {
        if let Some((start, end)) = port(declared)
            && let Some(number) = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
        {
            self.ports.insert(declared[start..end].to_owned(), number);
        }
    }

    fn folders(&self, text: &str) -> String {
        let mut out = self.place.places.fill(text).replace("${root}", &self.place.root);
        while let Some(start) = out.find("${name.") {
            let Some(length) = out[start..].find('}') else { break };
            let name = out[start + 7..start + length].to_owned();
            out.replace_range(start..=start + length, &format!("sandproof-{}-{}-{name}", self.unique, self.seq));
        }
        out
    }

    fn resolve(&mut self, text: &str) -> Result<String, std::io::Error> {
        let mut out = self.folders(text);
        while let Some((start, end)) = port(&out) {
            let name = out[start..end].to_owned();
            let number = match self.ports.get(&name) {
                Some(number) => *number,
                None => {
                    let number = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
                    self.ports.insert(name, number);
                    number
                }
            };
            out.replace_range(start..end, &number.to_string());
        }
        Ok(out)
    }
}

/// Where a port's placeholder stands.
fn port(text: &str) -> Option<(usize, usize)> {
    let start = text.find("${port.")?;
    Some((start, start + text[start..].find('}')? + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::action::Action;
    use crate::record::fixture::ListenerKind;
    use crate::record::outcome::Lane;

    /// What a question is made of.
    struct Made {
        action: Action,
        fixtures: Vec<FixtureEntry>,
        listener: Option<ListenerSpec>,
    }

    fn made(driver: Driver, target: &str) -> Made {
        Made { action: Action::new(driver, target), fixtures: Vec::new(), listener: None }
    }

    fn listening(kind: ListenerKind, address: &str) -> Made {
        let listener = Some(ListenerSpec { kind, address: address.into() });
        Made { listener, ..made(Driver::TcpConnect, address) }
    }

    fn with(entries: &[(&str, FixtureKind)], made: Made) -> Made {
        let entry = |(path, kind): &(&str, FixtureKind)| FixtureEntry::new(*path, *kind);
        Made { fixtures: entries.iter().map(entry).collect(), ..made }
    }

    fn in_sets(questions: &[Made]) -> Vec<Vec<usize>> {
        let profile = "p".parse().unwrap();
        let tasks: Vec<Task<'_>> = questions
            .iter()
            .zip(0..)
            .map(|(made, seq)| Task {
                seq,
                lane: Lane::Scenario,
                profile_id: &profile,
                probe_id: "q".parse().unwrap(),
                expectation_id: "e".parse().unwrap(),
                control_expects: None,
                action: &made.action,
                fixtures: &made.fixtures,
                listener: made.listener.as_ref(),
                supported: true,
                capabilities: &[],
                asks: None,
                policy: None,
            })
            .collect();
        sets(&tasks)
    }

    #[test]
    fn what_does_not_disturb_each_other_is_asked_in_one_start() {
        let own = |name: &str| listening(ListenerKind::Tcp, name);
        assert_eq!(
            in_sets(&[own("127.0.0.1:${port.p}"), own("127.0.0.1:${port.p}")]),
            [[0, 1]],
            "the kernel picks two"
        );
        assert_eq!(in_sets(&[own("127.0.0.1:80"), own("127.0.0.1:80")]), [[0], [1]]);
        let socket = |path: &str| listening(ListenerKind::Unix, path);
        assert_eq!(in_sets(&[socket("${outside}/s"), socket("${outside}/s")]), [[0], [1]]);
        assert_eq!(in_sets(&[socket("${name.s}"), socket("${name.s}")]), [[0, 1]], "each has a name of its own");
        let read = || made(Driver::FileRead, "${outside}/f");
        let unlink = || made(Driver::FileUnlink, "${outside}/f");
        assert_eq!(
            in_sets(&[read(), unlink(), read(), made(Driver::FileRead, "${outside}/g")]),
            [vec![0, 2, 3], vec![1]]
        );
    }

    #[test]
    fn fixtures_that_contradict_each_other_are_made_in_starts_of_their_own() {
        let file = || with(&[("outside/x", FixtureKind::File)], made(Driver::FileRead, "${outside}/x"));
        let folder = || with(&[("outside/x", FixtureKind::Dir)], made(Driver::DirList, "${outside}/x"));
        assert_eq!(in_sets(&[file(), folder(), file(), folder()]), [[0, 2], [1, 3]]);
        let torn = with(&[("a", FixtureKind::File), ("a", FixtureKind::Dir)], made(Driver::FileRead, "${outside}/y"));
        assert_eq!(in_sets(&[file(), torn, file()]), [vec![0, 2], vec![1]]);
    }
}
