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
/// What the worker's process finds only where the manager puts it.
const BY_MANAGER: &str = "the service manager sets it; `channel_witness.json` says what the worker found";
/// What a dry run has none of.
const DRY: &str = "a dry run makes no fixtures";

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
                ("", _) => Stated::absent("built from neither a git clone nor an archive that names its commit"),
                (commit, Some("1")) => Stated::absent(format!("built from a changed copy of {commit}")),
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
            Stated::absent("no service manager starts the worker")
        },
        lock: match request.declared.lock_mode {
            LockMode::Fail => {
                LockElement { mode: "fail".to_owned(), limit_ms: Stated::absent("this mode does not wait") }
            }
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
        Err(error) => (Stated::absent(error.to_string()), crate::world::declared(plan.plan.world_id.as_ref())),
    };
    // What the worker of a clean channel finds, this process cannot know. It never guesses.
    let own = |value: Option<String>, missing: &str| match manager {
        Some(_) => Stated::absent(BY_MANAGER),
        None => Stated::or_absent(value, missing),
    };
    let class = |is_root: bool| if is_root { "root" } else { "user" }.to_owned();
    RuntimePart {
        world: WorldElement { declared, world_id, document_sha256: verify::world_document(plan) },
        host: compose::host_facts(host),
        enforcer: EnforcerElement {
            name: enforcer(host),
            abilities: match (manager, base) {
                (Some(_), _) => Stated::absent("the worker measures them"),
                (None, None) => Stated::absent(DRY),
                (None, Some(base)) => Stated::Is(HostCapabilities::measure(base.path(), host.landlock_abi).facts()),
            },
        },
        channel: ChannelElement {
            kind: request.declared.channel,
            job: match manager {
                Some(manager) => Stated::Is(job(manager)),
                None => Stated::absent("no service manager starts the worker"),
            },
        },
        environment: match manager {
            None => environment::declared(&request.declared.environment),
            Some(_) => {
                let listed = environment::LISTED.iter();
                listed.map(|name| ((*name).to_owned(), Stated::absent("the job does not list it"))).collect()
            }
        },
        user: UserElement { uid_class: host.uid_class.clone(), gid_class: class(nix::unistd::getegid().as_raw() == 0) },
        rlimits: match manager {
            Some(_) => Stated::absent(BY_MANAGER),
            None => Stated::Is(rlimits()),
        },
        umask: own(Some(format!("{:04o}", witness::umask())), ""),
        locale: match manager {
            Some(_) => Stated::absent(BY_MANAGER),
            None => environment::locale(&request.declared.environment),
        },
        time_zone: time_zone(manager.is_none().then_some(&request.declared.environment)),
        fixture_file_system: match base {
            Some(base) => Stated::Is(base.file_system().to_owned()),
            None if request.declared.dry => Stated::absent(DRY),
            None => Stated::absent("this process can make fixtures in no candidate folder; the worker chooses one"),
        },
        confinement: match starter {
            ZygoteStarter::Myself(facts) => Stated::Is(compose::confinement(facts, &host.os, request.declared.dry)),
            ZygoteStarter::Manager(_) => {
                Stated::absent("the worker finds it out; its manifest and `channel_witness.json` say it")
            }
        },
        jobs: request.declared.jobs,
    }
}

/// What puts policies in force on a host.
fn enforcer(host: &HostFacts) -> Stated<String> {
    // A system that is not known is taken for a Linux without Landlock, as in the rest of the bundle.
    let enforcer = Enforcer::of_system(Platform::of_os(&host.os).unwrap_or(Platform::Linux));
    let name = enforcer.info().name.to_owned();
    match enforcer {
        Enforcer::Seatbelt | Enforcer::Launcher => Stated::Is(name),
        Enforcer::Landlock => {
            Stated::or_absent(host.landlock_abi.map(|_| name), "this kernel has no Landlock, or it is off")
        }
    }
}

/// What a manager is told of a worker, but for the nonce.
fn job(manager: &dyn Manager) -> JobElement {
    let listed = WORKER_ENVIRONMENT.iter();
    let mut environment: BTreeMap<_, _> =
        listed.map(|(name, value)| ((*name).to_owned(), Stated::Is(Digest::of(value.as_bytes())))).collect();
    environment.insert(NONCE_VARIABLE.to_owned(), Stated::absent("a fresh value for each attempt"));
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
    Stated::or_absent(name, "`TZ` is not set, and `/etc/localtime` is no link that names a zone")
}

/// Which launchers the plan's profiles have.
#[cfg(target_os = "linux")]
fn launchers(request: &RunRequest) -> BTreeMap<ProfileId, LauncherElement> {
    let may_start = match super::consent::check_launchers(request) {
        Ok(()) if request.declared.dry => Err("a dry run starts nothing"),
        Ok(()) => Ok(()),
        Err(_) => Err("it is not started without consent"),
    };
    let profiles = request.declared.plan.profiles.iter();
    profiles
        .filter_map(|profile| match &*profile.policy.value {
            PolicyValue::Launcher(document) => {
                Some((profile.id.clone(), crate::launcher::lane::identity::of(document, may_start)))
            }
            _ => None,
        })
        .collect()
}

/// Which launchers the plan's profiles have. None is started on this system.
#[cfg(not(target_os = "linux"))]
fn launchers(request: &RunRequest) -> BTreeMap<ProfileId, LauncherElement> {
    let none = || LauncherElement {
        programs: BTreeMap::new(),
        version: Stated::absent("no launcher is started on this system"),
    };
    let profiles = request.declared.plan.profiles.iter();
    profiles
        .filter(|profile| profile.policy.value.enforcer() == Enforcer::Launcher)
        .map(|profile| (profile.id.clone(), none()))
        .collect()
}

/// The programs that the plan's probes execute.
fn run_commands(plan: &ResolvedPlan) -> BTreeMap<String, Stated<Digest>> {
    let mut commands = BTreeMap::new();
    for (_, probe) in plan.rows() {
        if probe.entry.operation.starts_with("process-exec") && probe.entry.target.starts_with('/') {
            add_command(Path::new(&probe.entry.target), &mut commands);
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
            return Stated::absent("it is no program: no regular file, or not executable");
        }
        match File::open(&real).and_then(Digest::of_reader) {
            Ok((digest, _)) => Stated::Is(digest),
            Err(error) => Stated::absent(format!("it cannot be read: {}", error.kind())),
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
    use super::*;

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
}
