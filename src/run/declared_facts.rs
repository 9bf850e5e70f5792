//! What a run declares beside its plan, gathered on this host before anything of the run exists.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::error::RunError;
use super::executable::Executable;
use super::request::RunRequest;
use crate::base::digest::Digest;
use crate::base::fsx::IoContext;
use crate::base::ids::ProfileId;
use crate::bundle::lock::LockMode;
use crate::channel::manager::Manager;
use crate::channel::witness::{self, NONCE_VARIABLE};
use crate::identity::compose::{self, DeclaredFacts};
use crate::identity::{self, environment, verify};
use crate::lane::capability::HostCapabilities;
use crate::lane::fixture::FixtureBase;
use crate::plan::ResolvedPlan;
use crate::policy::Enforcer;
#[cfg(target_os = "linux")]
use crate::policy::PolicyValue;
use crate::record::absence::Absence;
use crate::record::confinement::ConfinementFacts;
use crate::record::driver::Platform;
use crate::record::identity::{Declaration, Stated};
use crate::record::manifest::{HostFacts, ToolFacts};
use crate::record::run_identity::{
    ChannelElement, EnforcerElement, JobElement, LauncherElement, LimitElement, LockElement, PreExisting, RuntimePart,
    ToolElement, UserElement, WorldElement,
};

/// The environment that a worker's job lists beside its nonce.
pub(super) const WORKER_ENVIRONMENT: [(&str, &str); 1] = [("PATH", "/usr/bin:/bin")];
/// Where the time zone is, unless a variable says otherwise (localtime(5)).
const LOCAL_TIME: &str = "/etc/localtime";

/// Who starts the process that probes are forked from.
#[derive(Clone, Copy)]
pub(super) enum ZygoteStarter<'s> {
    /// This process, which is confined like this.
    Myself(&'s ConfinementFacts),
    /// A service manager. What its worker finds, this process cannot know.
    Manager(&'s dyn Manager),
}

impl<'s> ZygoteStarter<'s> {
    fn manager(self) -> Option<&'s dyn Manager> {
        match self {
            Self::Myself(_) => None,
            Self::Manager(manager) => Some(manager),
        }
    }
}

/// Declares a run from what was gathered so far.
pub(super) fn declare(
    request: &RunRequest,
    host: &HostFacts,
    base: Option<&FixtureBase>,
    tool: &ToolFacts,
    starter: ZygoteStarter<'_>,
) -> Result<Declaration, RunError> {
    identity::declare(&request.declared.plan, gather(request, host, base, tool, starter)).map_err(RunError::Declaration)
}

/// What is to be said of this executable.
pub(super) fn tool_facts(exe: &Executable) -> Result<ToolFacts, RunError> {
    let sha256 = exe.digest().at("read", exe.path()).map_err(RunError::Executable)?;
    Ok(ToolFacts { name: "sandproof".to_string(), version: crate::base::VERSION.to_string(), sha256 })
}

/// Gathers.
fn gather(
    request: &RunRequest,
    host: &HostFacts,
    base: Option<&FixtureBase>,
    tool: &ToolFacts,
    starter: ZygoteStarter<'_>,
) -> DeclaredFacts {
    let plan = &request.declared.plan;
    let manager = starter.manager();
    let managed = manager.is_some();
    let mut commands = run_commands(plan);
    for program in manager.iter().flat_map(|manager| manager.programs()) {
        add_command(&program, &mut commands);
    }
    DeclaredFacts {
        tool: ToolElement {
            name: tool.name.clone(),
            version: tool.version.clone(),
            sha256: tool.sha256,
            commit: match (option_env!("SANDPROOF_COMMIT").unwrap_or_default(), option_env!("SANDPROOF_MODIFIED")) {
                ("", _) => Stated::absent(Absence::BuiltFromUnknown),
                (commit, Some("1")) => Stated::absent_with(Absence::BuiltFromChanged, commit),
                (commit, _) => Stated::Is(commit.to_owned()),
            },
            target: option_env!("SANDPROOF_TARGET").unwrap_or("unknown").to_owned(),
        },
        commands,
        launchers: launchers(request),
        runtime: runtime(request, host, base, starter),
        dry_run: request.declared.dry,
        host_programs: request.declared.host_programs,
        channel_limit_ms: if managed {
            Stated::Is(millis(request.declared.channel_limit))
        } else {
            Stated::absent(Absence::NoManager)
        },
        lock: match request.declared.lock_mode {
            LockMode::Fail => LockElement { mode: "fail".to_owned(), limit_ms: Stated::absent(Absence::NoWait) },
            LockMode::Wait(limit) => LockElement { mode: "wait".to_owned(), limit_ms: Stated::Is(millis(limit)) },
        },
        pre_existing: pre_existing(plan),
        inputs: if managed { "staged" } else { "workspace" }.to_owned(),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn runtime(
    request: &RunRequest,
    host: &HostFacts,
    base: Option<&FixtureBase>,
    starter: ZygoteStarter<'_>,
) -> RuntimePart {
    let plan = &request.declared.plan;
    let manager = starter.manager();
    let (world_id, declared) = match request.declared.world_on(host) {
        Ok((id, check)) => (Stated::Is(id), check.declared),
        Err(error) => (
            Stated::absent_with(Absence::NoWorldId, error.to_string()),
            crate::world::declared(plan.plan.world_id.as_ref()),
        ),
    };
    // What the worker of a clean channel finds, this process cannot know. It never guesses.
    let class = |is_root: bool| if is_root { "root" } else { "user" }.to_owned();
    RuntimePart {
        world: WorldElement { declared, world_id, document_sha256: verify::world_document(plan) },
        host: compose::host_facts(host),
        enforcer: EnforcerElement {
            name: enforcer(host),
            abilities: match (manager, base) {
                (Some(_), _) => Stated::absent(Absence::MeasuredByWorker),
                (None, None) => Stated::absent(Absence::DryRunNoFixtures),
                (None, Some(base)) => Stated::Is(HostCapabilities::measure(base.path(), host.landlock_abi).facts()),
            },
        },
        channel: ChannelElement {
            kind: request.declared.channel,
            job: match manager {
                Some(manager) => Stated::Is(job(manager)),
                None => Stated::absent(Absence::NoManager),
            },
        },
        environment: match manager {
            None => environment::declared(&request.declared.environment),
            Some(_) => {
                let listed = environment::LISTED.iter();
                listed.map(|name| ((*name).to_owned(), Stated::absent(Absence::NotListedInJob))).collect()
            }
        },
        user: UserElement { uid_class: host.uid_class.clone(), gid_class: class(nix::unistd::getegid().as_raw() == 0) },
        rlimits: match manager {
            Some(_) => Stated::absent(Absence::SetByManager),
            None => Stated::Is(rlimits()),
        },
        umask: match manager {
            Some(_) => Stated::absent(Absence::SetByManager),
            None => Stated::Is(format!("{:04o}", witness::umask())),
        },
        locale: match manager {
            Some(_) => Stated::absent(Absence::SetByManager),
            None => environment::locale(&request.declared.environment),
        },
        time_zone: time_zone(manager.is_none().then_some(&request.declared.environment)),
        fixture_file_system: match base {
            Some(base) => Stated::Is(base.file_system().to_owned()),
            None if request.declared.dry => Stated::absent(Absence::DryRunNoFixtures),
            None => Stated::absent(Absence::ChosenByWorker),
        },
        confinement: match starter {
            ZygoteStarter::Myself(facts) => Stated::Is(compose::confinement(facts, &host.os, request.declared.dry)),
            ZygoteStarter::Manager(_) => Stated::absent(Absence::FoundByWorker),
        },
        jobs: request.declared.jobs,
        repeat: Some(request.declared.repeat).filter(|times| *times > 1),
        shuffle: request.declared.shuffle,
    }
}

/// What puts policies in force on a host.
fn enforcer(host: &HostFacts) -> Stated<String> {
    // A system that is not known is taken for a Linux without Landlock, as in the rest of the bundle.
    let enforcer = Enforcer::of_system(Platform::of_os(&host.os).unwrap_or(Platform::Linux));
    let name = enforcer.info().name.to_owned();
    match enforcer {
        Enforcer::Seatbelt | Enforcer::Launcher => Stated::Is(name),
        Enforcer::Landlock => Stated::or_absent(host.landlock_abi.map(|_| name), Absence::NoLandlock),
    }
}

/// What a manager is told of a worker, but for the nonce.
fn job(manager: &dyn Manager) -> JobElement {
    let listed = WORKER_ENVIRONMENT.iter();
    let mut environment: BTreeMap<_, _> =
        listed.map(|(name, value)| ((*name).to_owned(), Stated::Is(Digest::of(value.as_bytes())))).collect();
    environment.insert(NONCE_VARIABLE.to_owned(), Stated::absent(Absence::DrawnAnew));
    let manager_environment = manager.own_environment().iter().map(|name| (*name).to_owned()).collect();
    JobElement { environment, manager_environment }
}

fn rlimits() -> BTreeMap<String, LimitElement> {
    let text = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let element = |soft, hard| LimitElement { soft: text(soft), hard: text(hard) };
    witness::rlimits().into_iter().map(|entry| (entry.name, element(entry.soft, entry.hard))).collect()
}

/// The time zone that the C library would use: `TZ`, else what `/etc/localtime` leads to.
fn time_zone(own: Option<&Vec<(String, Vec<u8>)>>) -> Stated<String> {
    let variable = own.into_iter().flatten().find(|(name, _)| name == "TZ");
    if let Some((_, value)) = variable {
        return environment::text(value);
    }
    let link = fs::read_link(LOCAL_TIME).ok().and_then(|target| target.to_str().map(str::to_owned));
    let name = link.map(|target| match target.split_once("zoneinfo/") {
        Some((_, zone)) => zone.to_owned(),
        None => target,
    });
    Stated::or_absent(name, Absence::NoZone)
}

/// Which launchers the plan's profiles have.
#[cfg(target_os = "linux")]
fn launchers(request: &RunRequest) -> BTreeMap<ProfileId, LauncherElement> {
    let may_start = match super::consent::check_launchers(request) {
        Ok(()) if request.declared.dry => Err(Absence::DryRunStartsNothing),
        Ok(()) => Ok(()),
        Err(_) => Err(Absence::NoConsent),
    };
    let profiles = request.declared.plan.declared_profiles().iter();
    profiles
        .filter_map(|profile| match &*profile.policy.value {
            PolicyValue::Launcher(document) => {
                Some((profile.id.clone(), crate::launcher::lane::identity::of(document, may_start)))
            }
            _ => None,
        })
        .collect()
}

/// Which launchers the plan's profiles have.
#[cfg(not(target_os = "linux"))]
fn launchers(request: &RunRequest) -> BTreeMap<ProfileId, LauncherElement> {
    unstarted_launchers(&request.declared.plan)
}

/// Which launchers the plan's profiles have, on a system where none is started.
#[cfg(any(test, not(target_os = "linux")))]
fn unstarted_launchers(plan: &ResolvedPlan) -> BTreeMap<ProfileId, LauncherElement> {
    let none = || LauncherElement { programs: BTreeMap::new(), version: Stated::absent(Absence::LaunchersNotHere) };
    let profiles = plan.declared_profiles().iter();
    profiles
        .filter(|profile| profile.policy.value.enforcer() == Enforcer::Launcher)
        .map(|profile| (profile.id.clone(), none()))
        .collect()
}

/// The programs that the plan's probes execute.
fn run_commands(plan: &ResolvedPlan) -> BTreeMap<String, Stated<Digest>> {
    let mut commands = BTreeMap::new();
    for (_, probe) in plan.declared_rows() {
        if probe.entry.operation.starts_with("process-exec") && probe.entry.target.starts_with('/') {
            add_command(Path::new(&*probe.entry.target), &mut commands);
        }
    }
    commands
}

/// Adds a program by the path that it resolves to.
fn add_command(path: &Path, commands: &mut BTreeMap<String, Stated<Digest>>) {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let Some(name) = real.to_str().map(str::to_owned) else { return };
    commands.entry(name).or_insert_with(|| {
        // A plan names the path, and what is no program may never end, or change by being read.
        if !fs::metadata(&real).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0) {
            return Stated::absent(Absence::NoProgram);
        }
        match File::open(&real).and_then(Digest::of_reader) {
            Ok((digest, _)) => Stated::Is(digest),
            Err(error) => Stated::absent_with(Absence::Unreadable, error.kind().to_string()),
        }
    });
}

/// The plan's fixed paths with what stands there now.
pub(super) fn pre_existing(plan: &ResolvedPlan) -> PreExisting {
    compose::pre_existing(compose::fixed_paths(plan).into_iter().map(|path| (path, kind_of(path))))
}

fn kind_of(path: &str) -> &'static str {
    match fs::symlink_metadata(path) {
        Ok(metadata) => match metadata.file_type() {
            kind if kind.is_file() => "file",
            kind if kind.is_dir() => "dir",
            kind if kind.is_symlink() => "symlink",
            kind if kind.is_fifo() => "fifo",
            kind if kind.is_socket() => "socket",
            _ => "device",
        },
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            "missing"
        }
        Err(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::base::bundle_path::BundlePath;
    use crate::base::ids::RunId;
    use crate::channel::ChannelError;
    use crate::channel::job::{JobOwner, ManagedJob};
    use crate::lane::cancel::Cancel;
    use crate::plan::{self, Selection, Workspace};
    use crate::process::tool::ToolOutput;
    use crate::record::channel_witness::ManagerAccount;
    use crate::record::manifest::ChannelKind;
    use crate::run::request::{DeclaredRun, LauncherConsent, RunControl, RunPlaces};

    #[test]
    fn kinds_are_told_without_following_links() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("f"), b"").unwrap();
        std::os::unix::fs::symlink(at("f"), at("l")).unwrap();
        assert_eq!(kind_of(&at("f")), "file");
        assert_eq!(kind_of(&at("l")), "symlink");
        assert_eq!(kind_of(&at("f/x")), "missing");
        assert_eq!(kind_of(&at("none")), "missing");
        assert_eq!(kind_of("/dev/null"), "device");
        assert_eq!(kind_of(dir.path().to_str().unwrap()), "dir");
    }

    #[test]
    fn a_command_is_known_by_its_real_path() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap().join("real");
        fs::write(&real, b"program").unwrap();
        fs::set_permissions(&real, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        let mut commands = BTreeMap::new();
        add_command(&dir.path().join("link"), &mut commands);
        add_command(&dir.path().join("gone"), &mut commands);
        assert_eq!(commands[real.to_str().unwrap()], Stated::Is(Digest::of(b"program")));
        assert_eq!(commands.values().filter(|digest| digest.value().is_none()).count(), 1);
    }

    /// A manager that is never asked to do anything.
    struct Idle;

    impl Manager for Idle {
        fn name_of(&self, _: &RunId) -> String {
            unreachable!("nothing is started")
        }

        fn own_environment(&self) -> &'static [&'static str] {
            &["OWN"]
        }

        fn programs(&self) -> Vec<PathBuf> {
            Vec::new()
        }

        fn start(&self, _: &ManagedJob<'_>) -> Result<ToolOutput, ChannelError> {
            unreachable!("nothing is started")
        }

        fn account(&self, _: &str) -> Result<ManagerAccount, ChannelError> {
            unreachable!("nothing is started")
        }

        fn wait(
            &self,
            _: &ManagerAccount,
            _: Duration,
            _: &dyn Fn() -> bool,
            _: &dyn Fn() -> bool,
        ) -> Result<ManagerAccount, ChannelError> {
            unreachable!("nothing is started")
        }

        fn whose(&self, _: &ManagedJob<'_>) -> Result<JobOwner, ChannelError> {
            unreachable!("nothing is started")
        }

        fn end(&self, _: &ManagedJob<'_>) {
            unreachable!("nothing is started")
        }

        fn diagnostics(&self, _: &RunId, _: &str) -> Vec<(BundlePath, Vec<u8>)> {
            unreachable!("nothing is started")
        }
    }

    fn quickstart() -> ResolvedPlan {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        plan::resolve(&Workspace::at(root), "plans/quickstart/plan.json", &Selection::default()).unwrap()
    }

    fn request(plan: ResolvedPlan, dry: bool) -> RunRequest {
        RunRequest {
            declared: DeclaredRun {
                plan,
                run_id: RunId::new("run-1").unwrap(),
                channel: ChannelKind::Direct,
                channel_limit: Duration::from_secs(7),
                lock_mode: LockMode::Fail,
                dry,
                jobs: 1,
                repeat: 1,
                shuffle: None,
                host_programs: false,
                launchers: LauncherConsent::default(),
                environment: Vec::new(),
            },
            places: RunPlaces {
                root: PathBuf::from("/"),
                out: PathBuf::from("/nonexistent/out"),
                fixture_candidates: Vec::new(),
                exe: Executable::from(PathBuf::from("/nonexistent/sandproof")),
            },
            control: RunControl { cancel: Cancel::default(), worker: None, attribute: false },
        }
    }

    fn gathered(dry: bool, starter: ZygoteStarter<'_>) -> DeclaredFacts {
        let host = HostFacts { os: "linux".into(), uid_class: "user".into(), ..HostFacts::default() };
        let tool = ToolFacts { name: "sandproof".into(), version: "1".into(), sha256: Digest::of(b"tool") };
        gather(&request(quickstart(), dry), &host, None, &tool, starter)
    }

    #[test]
    fn a_manager_has_a_limit_and_a_staged_copy_and_a_direct_run_has_neither() {
        let facts = ConfinementFacts::default();
        let direct = gathered(false, ZygoteStarter::Myself(&facts));
        assert_eq!(direct.channel_limit_ms, Stated::absent(Absence::NoManager));
        assert_eq!(direct.inputs, "workspace");
        let clean = gathered(false, ZygoteStarter::Manager(&Idle));
        assert_eq!((clean.channel_limit_ms, &*clean.inputs), (Stated::Is(7000), "staged"));
    }

    #[test]
    fn without_a_place_for_fixtures_it_says_whether_one_was_looked_for() {
        let facts = ConfinementFacts::default();
        let place = |dry| gathered(dry, ZygoteStarter::Myself(&facts)).runtime.fixture_file_system;
        assert_eq!(place(true), Stated::absent(Absence::DryRunNoFixtures));
        let none = Stated::absent(Absence::ChosenByWorker);
        assert_eq!(place(false), none);
    }

    #[test]
    fn the_group_is_told_as_a_class() {
        let facts = ConfinementFacts::default();
        let wanted = if nix::unistd::getegid().as_raw() == 0 { "root" } else { "user" };
        assert_eq!(gathered(true, ZygoteStarter::Myself(&facts)).runtime.user.gid_class, wanted);
    }

    #[test]
    fn the_time_zone_is_that_of_the_variable_if_it_is_set() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let set = vec![pair("LANG", "C"), pair("TZ", "Europe/Paris"), pair("TZX", "no")];
        assert_eq!(time_zone(Some(&set)), Stated::Is("Europe/Paris".into()));
        let unset = vec![pair("LANG", "C")];
        assert_eq!(time_zone(Some(&unset)), time_zone(None));
    }

    #[test]
    fn the_commands_are_the_programs_outside_of_the_fixtures_that_probes_execute() {
        let dir = tempfile::tempdir().unwrap();
        let program = |name: &str| {
            let path = dir.path().canonicalize().unwrap().join(name);
            fs::write(&path, name).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (run, read) = (program("run"), program("read"));
        let mut plan = quickstart();
        plan.profiles.truncate(1);
        plan.profiles[0].probes.truncate(3);
        let rows = [("process-exec*", &*run), ("file-read-data", &*read), ("process-exec*", "${root}/own")];
        for (probe, (operation, target)) in plan.profiles[0].probes.iter_mut().zip(rows) {
            let entry = Arc::make_mut(&mut probe.entry);
            entry.operation = operation.to_owned();
            entry.target = target.into();
        }
        assert_eq!(run_commands(&plan), BTreeMap::from([(run, Stated::Is(Digest::of(b"run")))]));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_launcher_is_asked_for_its_version_only_with_consent_and_never_in_a_dry_run() {
        let document = serde_json::from_value(serde_json::json!({
            "schema_version": "sandproof.launcher.v1", "launcher_id": "l", "argv": ["/nonexistent/l"],
            "version": {"argv": ["/nonexistent/l", "--version"]},
        }));
        let policy = Arc::new(PolicyValue::Launcher(document.unwrap()));
        let mut plan = quickstart();
        plan.profiles.truncate(2);
        plan.profiles[0].policy.value = policy;
        let id = plan.profiles[0].id.clone();
        let version = |launchers: BTreeMap<ProfileId, LauncherElement>| {
            assert_eq!(launchers.keys().collect::<Vec<_>>(), [&id]);
            launchers[&id].version.clone()
        };
        let said = |dry| version(launchers(&request(plan.clone(), dry)));
        assert_eq!(said(true), Stated::absent(Absence::DryRunStartsNothing));
        assert_eq!(said(false), Stated::absent(Absence::NoConsent));
        assert_eq!(version(unstarted_launchers(&plan)), Stated::absent(Absence::LaunchersNotHere));
    }
}
