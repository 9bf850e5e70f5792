//! Whether a channel was clean: every question about the worker's context, and its answer.
//!
//! A pure function of what was declared, what the worker said, what the manager said of the same process, and what the job
//! definition carried. It fails closed: a question without an answer is not clean, and neither is a channel without
//! questions. SPEC 7.2 has each question as a predicate over these facts.

mod launchd;
mod sides;
mod systemd;
#[cfg(test)]
mod tests;

pub use sides::{DeclaredWorker, WitnessSides};

use self::sides::WitnessChecks;
use crate::record::channel_witness::{self, WitnessCheck, WorkerWitness};
use crate::record::identity::Stated;
use crate::record::manifest::ChannelKind;

/// Every question that the channel has to answer. `direct` has one, and its answer is no.
pub fn checks(sides: WitnessSides<'_>) -> Vec<WitnessCheck> {
    let Some(unit) = channel_witness::unit_name(sides.channel, sides.run_id) else {
        let found = "the run was started by its caller, in whatever context that has".to_string();
        return vec![WitnessCheck { check: "started_by_manager".to_string(), ok: Some(false), found }];
    };
    let mut list = WitnessChecks(Vec::new());
    main_pid(&mut list, &sides);
    list.same("unit", sides.own(|w| w.unit.clone()), Some(unit.clone()));
    list.same("unit_of_manager", sides.told(|m| Some(m.unit.clone())), Some(unit.clone()));
    list.same("unit_of_job", sides.job.map(|job| job.unit.clone()), Some(unit.clone()));
    job(&mut list, &sides);
    list.same(
        "nonce",
        sides.own(|w| w.nonce_sha256.map(|digest| digest.to_string())),
        sides.job.map(|job| job.nonce_sha256.to_string()),
    );
    environment(&mut list, &sides);
    descriptors(&mut list, sides.worker);
    user(&mut list, &sides);
    if sides.channel == ChannelKind::SystemdClean {
        systemd::checks(&mut list, &sides, &unit);
    } else {
        list.same("manager", sides.told(|m| Some(m.manager.clone())), Some("launchd".to_string()));
        list.same("ended", sides.told(|m| m.exit_code.map(|code| code.to_string())), Some("0".to_string()));
        list.same("parent", sides.own(|w| Some(w.ppid.to_string())), Some("1".to_string()));
        // The label is new for every run, so a second start is somebody else's doing.
        list.same("runs", sides.line("runs").map(str::to_owned), Some("1".to_string()));
        list.same("seatbelt", sides.own(|w| w.seatbelt_confined.map(|on| on.to_string())), Some("false".to_string()));
    }
    list.0
}

/// Whether the answers make the channel clean.
pub fn is_clean(checks: &[WitnessCheck]) -> bool {
    !checks.is_empty() && checks.iter().all(|check| check.ok == Some(true))
}

/// The process that the manager started. 1 is the first process of its world, which nobody starts.
fn main_pid(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let told = sides.told(|m| m.main_pid.map(|pid| pid.to_string()));
    match sides.own(|w| Some(w.pid)) {
        Some(pid) if pid <= 1 => list.add("main_pid", Some(false), format!("`{pid}` is no worker's process id")),
        pid => list.same("main_pid", pid.map(|pid| pid.to_string()), told),
    }
}

/// The job was defined as it was declared.
fn job(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let (Some(Stated::Is(declared)), Some(job)) = (sides.declared.map(|declared| &declared.channel.job), sides.job)
    else {
        return list.nothing_wrong("job", None, "");
    };
    let mut wrong = Vec::new();
    if !declared.environment.keys().eq(sorted(&job.environment)) {
        wrong.push("it lists other variables than were declared".to_string());
    }
    if declared.manager_environment != job.manager_environment {
        wrong.push("it leaves other variables to the manager than were declared".to_string());
    }
    list.nothing_wrong("job", Some(wrong), "as declared");
}

fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort_unstable();
    names
}

/// What a dynamic loader or a C library reads, and lets code of others into a process. No job lists such a variable.
fn loads_code(name: &str) -> bool {
    name.starts_with("LD_") || name.starts_with("DYLD_") || name == "GLIBC_TUNABLES"
}

/// Only listed variables, those that the manager is known to add, and those that launchd says to have set itself; those
/// whose values were declared have them.
fn environment(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let (Some(worker), Some(job), Some(declared)) = (sides.worker, sides.job, sides.declared) else {
        return list.nothing_wrong("environment", None, "");
    };
    let told = if sides.channel == ChannelKind::LaunchdClean { launchd::sets(sides.manager) } else { Vec::new() };
    let known = |name: &String| job.environment.contains(name) || job.manager_environment.contains(name);
    let listed = |name: &String| known(name) || told.contains(&name.as_str());
    let names: Vec<&String> = worker.environment.iter().map(|entry| &entry.name).collect();
    let strange: Vec<&str> = names.iter().filter(|name| !listed(name)).map(|name| name.as_str()).collect();
    let missing: Vec<&str> = job.environment.iter().filter(|name| !names.contains(name)).map(String::as_str).collect();
    let loaders: Vec<&str> = names.iter().map(|name| name.as_str()).filter(|name| loads_code(name)).collect();
    let values = declared.channel.job.value().into_iter().flat_map(|job| &job.environment);
    let other: Vec<&str> = values
        .filter_map(|(name, value)| Some((name, value.value()?)))
        .filter(|(name, value)| worker.environment.iter().any(|e| e.name == **name && e.value_sha256 != **value))
        .map(|(name, _)| name.as_str())
        .collect();
    let wrong = [
        ("not listed", strange),
        ("listed and absent", missing),
        ("read by a loader", loaders),
        ("of another value than declared", other),
    ];
    let wrong = wrong.into_iter().filter(|(_, names)| !names.is_empty());
    let wrong = wrong.map(|(what, names)| format!("{what}: [{}]", names.join(", "))).collect();
    let mut good = format!("{} variables, all listed", names.len());
    let by_account: Vec<&str> = names.iter().filter(|name| !known(name)).map(|name| name.as_str()).collect();
    if !by_account.is_empty() {
        good.push_str(&format!(", by launchd's own account [{}]", by_account.join(", ")));
    }
    list.nothing_wrong("environment", Some(wrong), good);
}

/// Nothing open but the three standard descriptors.
fn descriptors(list: &mut WitnessChecks, worker: Option<&WorkerWitness>) {
    let Some(open) = worker.and_then(|worker| worker.open_fds.as_ref()) else {
        return list.add("open_fds", None, "not known".to_string());
    };
    let inherited: Vec<String> =
        open.iter().filter(|fd| fd.fd > 2).map(|fd| format!("{} ({})", fd.fd, fd.what)).collect();
    if inherited.is_empty() {
        list.add("open_fds", Some(true), format!("{} standard descriptors", open.len()));
    } else {
        list.add("open_fds", Some(false), format!("inherited: {}", inherited.join(", ")));
    }
}

/// The worker is the declared kind of user, and is it in every respect.
fn user(list: &mut WitnessChecks, sides: &WitnessSides<'_>) {
    let (Some(worker), Some(declared)) = (sides.worker, sides.declared) else {
        return list.nothing_wrong("user", None, "");
    };
    let [ruid, euid, rgid, egid] = worker.ids;
    let mut wrong = Vec::new();
    if (ruid, rgid) != (euid, egid) {
        wrong.push(format!("real ids {ruid}:{rgid} and effective ids {euid}:{egid} differ"));
    }
    if (euid == 0) != declared.is_root() {
        wrong.push(format!("user id {euid}, and `{}` was declared", declared.user.uid_class));
    }
    list.nothing_wrong("user", Some(wrong), format!("`{}`", declared.user.uid_class));
}
