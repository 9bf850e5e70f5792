//! Landlock, through the `landlock` crate with every requirement hard.

use std::collections::HashSet;
use std::error::Error;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use landlock::{
    Access, AccessFs, AccessNet, AddRuleError, AddRulesError, BitFlags, CompatError, CompatLevel, Compatible, NetPort,
    PathBeneath, PathBeneathError, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use crate::base::errno::io_error;
use crate::policy::PolicyMode;
use crate::policy::landlock::document;
use crate::policy::landlock::rights::Right;
use crate::policy::landlock::table::{TSYNC, TSYNC_SINCE_ABI};
use crate::policy::landlock::{FsRight, LandlockPolicy, Layer, RightSet};
use crate::record::outcome::FailureKind;
use crate::record::report::ApplyRecord;
use crate::sys::linux::landlock as bare;
use crate::sys::linux::path::open_handle;
use crate::sys::linux::process::{has_seccomp_filter, set_no_new_privs};

/// [`document::MAX_LAYERS`] as the count of domains that a process can be in.
const MAX_LAYERS: u32 = document::MAX_LAYERS as u32;

/// The Landlock ABI of the running kernel; `None` if it has no Landlock, it is switched off, or this process may not ask.
pub fn landlock_abi() -> Option<i32> {
    if asking_kills() {
        return None;
    }
    bare::abi().ok().map(|abi| abi as i32)
}

/// What this host would have to have; `None` if it has it.
pub(super) fn needs() -> Option<&'static str> {
    if asking_kills() {
        return Some("Landlock without a seccomp filter that kills whoever calls it");
    }
    match bare::abi() {
        Ok(_) => None,
        Err(libc::EPERM | libc::EACCES) => Some("Landlock without a seccomp filter that refuses it"),
        Err(_) => Some("Landlock (Linux 5.13 or newer, switched on)"),
    }
}

/// Whether it can be used, and what there is to say of it.
pub(super) fn availability() -> (bool, String) {
    match (landlock_abi(), landlock_errata()) {
        (Some(abi), Some(errata)) if errata.is_empty() => (true, format!("ABI {abi}, no erratum fixed")),
        (Some(abi), Some(errata)) => {
            let errata: Vec<String> = errata.iter().map(u32::to_string).collect();
            (true, format!("ABI {abi}, errata fixed: {}", errata.join(", ")))
        }
        (Some(abi), None) => (true, format!("ABI {abi}, errata not known to this kernel")),
        (None, _) => (false, format!("needs {}", needs().unwrap_or("Landlock"))),
    }
}

/// Whether a seccomp filter kills a process that asks for Landlock: then nobody would say what ended it. Found out once, by
/// a child process, and only where there is a filter.
fn asking_kills() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        if !has_seccomp_filter() {
            return false;
        }
        // Whoever may not have a child can only ask itself.
        bare::asking_kills_a_child().unwrap_or(false)
    })
}

/// The Landlock errata that the running kernel reports as fixed, by number, ascending. `None` if it cannot say, as before
/// Linux 6.15. (The `landlock` crate's `Erratum` knows only those of its own release.)
pub fn landlock_errata() -> Option<Vec<u32>> {
    landlock_abi()?;
    let bits = bare::errata().ok()?;
    Some((0..i64::BITS - 1).filter(|bit| bits >> bit & 1 == 1).map(|bit| bit + 1).collect())
}

/// In how many Landlock domains this process already is, counted by how many more fit in a throw-away child.
///
/// `None` if it cannot be found out: no Landlock, no child process, or another limit struck first.
pub fn already_confined_layers() -> Option<u32> {
    landlock_abi()?;
    MAX_LAYERS.checked_sub(bare::domains_that_fit(document::MAX_LAYERS as u8)?)
}

/// Whether the Landlock domains around this process refuse to move a file from one folder to another as soon as a further
/// layer handles any file right. Tried below `folder`, in a throw-away child under a layer that grants everything.
///
/// A domain refuses what its layers do not grant of the rights that it handles, and `refer` besides; but one whose layers
/// handle no file right at all is not asked about files (security/landlock/fs.c, `landlock_get_applicable_subject` and
/// `LANDLOCK_ACCESS_FS_INITIALLY_DENIED`). So a sandbox of scopes or ports alone refuses such moves only once somebody
/// else's policy stands inside of it, and neither that policy nor a baseline shows it.
///
/// `None` if it cannot be found out.
#[expect(clippy::disallowed_methods, reason = "a file whose creation is the question")]
pub fn refer_refused_around(folder: &Path) -> Option<bool> {
    if bare::abi().ok()? < 2 {
        // Before ABI 2 nothing can grant it, so any layer refuses it, whoever made it.
        return Some(true);
    }
    let granted = AccessFs::MakeBlock | AccessFs::Refer;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(granted)
        .and_then(Ruleset::create)
        .ok()?;
    let slash = open_handle(c"/").ok()?;
    let ruleset: Option<OwnedFd> = ruleset.add_rule(PathBeneath::new(slash, granted)).ok()?.into();
    let ruleset = ruleset?;
    let scratch = folder.join(".refer-probe");
    let (from, to) = (scratch.join("a"), scratch.join("b"));
    let made = std::fs::create_dir_all(&from).and_then(|()| std::fs::create_dir(&to));
    let answer = made.and_then(|()| std::fs::write(from.join("f"), b"")).ok().and_then(|()| {
        let text = |path: std::path::PathBuf| CString::new(path.into_os_string().into_encoded_bytes()).ok();
        let (from, to) = (text(from.join("f"))?, text(to.join("f"))?);
        bare::may_move_under(ruleset.as_fd(), &from, &to).map(|may| !may)
    });
    let _ = std::fs::remove_dir_all(&scratch);
    answer
}

/// Why a policy is not in force.
#[derive(Debug, Clone)]
struct ApplyRefusal {
    kind: FailureKind,
    errno: i32,
    message: String,
    unsupported: Vec<String>,
}

impl ApplyRefusal {
    fn new(kind: FailureKind, errno: i32, message: String) -> Self {
        Self { kind, errno, message, unsupported: Vec::new() }
    }

    /// A refusal by the crate or by the kernel behind it. `what` says during which step.
    fn of(what: &str, error: &(dyn Error + 'static)) -> Self {
        Self::new(FailureKind::LandlockApplyFailed, errno_of(error), format!("{what}: {}", words(error)))
    }
}

impl ApplyRefusal {
    /// Says which of several layers it is about.
    fn in_layer(self, layer: usize, count: usize) -> Self {
        if count == 1 { self } else { Self { message: format!("layer {layer}: {}", self.message), ..self } }
    }
}

/// The error number in an error's chain of causes; EINVAL if the crate refused before asking the kernel.
fn errno_of(error: &(dyn Error + 'static)) -> i32 {
    let mut current = Some(error);
    while let Some(inner) = current {
        if let Some(errno) = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error) {
            return errno;
        }
        current = inner.source();
    }
    libc::EINVAL
}

/// An error of the crate in words. Its own hold Rust's notation of flags, which says nothing to whoever wrote the policy.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut current = Some(error);
    while let Some(inner) = current {
        if let Some(call) = inner.downcast_ref::<std::io::Error>() {
            return call.to_string();
        }
        current = inner.source();
    }
    if let Some(RulesetError::AddRules(AddRulesError::Fs(AddRuleError::Compat(CompatError::PathBeneath(
        PathBeneathError::DirectoryAccess { incompatible, .. },
    ))))) = error.downcast_ref()
    {
        let rights = FsRight::ALL.iter().filter(|right| incompatible.bits() & right.bit() != 0);
        let rights: Vec<&str> = rights.map(|right| right.name()).collect();
        return format!("it is no folder, and {} can only be granted on one (EINVAL)", rights.join(", "));
    }
    "it holds rights that this build does not know how to grant there (EINVAL)".to_owned()
}

/// A policy made ready to be put in force: what can be worked out beforehand is, by the process that probes are forked
/// from, so that a probe process is left with the system calls.
#[derive(Debug)]
pub struct ReadyRuleset {
    tables: Result<Tables, ApplyRefusal>,
    /// The record of an application that went well.
    record: ApplyRecord,
}

/// The layers as the crate and the kernel take them, for one ABI.
#[derive(Debug)]
struct Tables {
    abi: i32,
    tsync: bool,
    layers: Vec<Table>,
}

/// One ruleset.
#[derive(Debug)]
struct Table {
    handled_fs: BitFlags<AccessFs>,
    handled_net: BitFlags<AccessNet>,
    scoped: BitFlags<Scope>,
    beneath: Vec<(CString, BitFlags<AccessFs>)>,
    ports: Vec<(u16, BitFlags<AccessNet>)>,
}

/// Makes a policy ready whose placeholders are resolved. [`apply`] reports what prevents it.
pub(super) fn ready(policy: &LandlockPolicy) -> Option<ReadyRuleset> {
    let tables = abi_here().and_then(|abi| {
        rules_are_added()?;
        Tables::of(policy, abi)
    });
    Some(ReadyRuleset { tables, record: ApplyRecord::in_force(PolicyMode::Landlock.api()) })
}

/// Confines the calling process, and says how that went.
pub(super) fn apply(policy: &mut ReadyRuleset) -> &ApplyRecord {
    let ReadyRuleset { tables, record } = policy;
    // Asked again, by the very process that is confined.
    let abi = abi_here();
    record.abi = abi.as_ref().ok().copied();
    let outcome = match (tables, abi) {
        (_, Err(refusal)) => Err(refusal),
        (Err(refusal), Ok(_)) => Err(refusal.clone()),
        (Ok(tables), Ok(abi)) if tables.abi != abi => {
            let message =
                format!("Landlock ABI {abi} is not the ABI {} that the rules were made ready for", tables.abi);
            Err(ApplyRefusal::new(FailureKind::LandlockApplyFailed, 0, message))
        }
        (Ok(tables), Ok(_)) => tables.enforce(),
    };
    if let Err(refusal) = outcome {
        record.rc = -1;
        record.errno = refusal.errno;
        record.failure = Some(refusal.kind);
        record.message = Some(refusal.message);
        record.unsupported = refusal.unsupported;
    }
    record
}

fn abi_here() -> Result<i32, ApplyRefusal> {
    bare::abi().map(|abi| abi as i32).map_err(|errno| {
        let message = match errno {
            libc::EOPNOTSUPP => "this kernel has Landlock, but it was switched off at boot".into(),
            _ => "this kernel has no Landlock".into(),
        };
        ApplyRefusal::new(FailureKind::LandlockUnavailable, errno, message)
    })
}

/// Whether the kernel itself answers when a rule is added: a filter may answer in its place that all went well, and then
/// what is enforced is not what the policy says.
fn rules_are_added() -> Result<(), ApplyRefusal> {
    match bare::add_no_rule() {
        // A filter that refuses does so again when it matters.
        Err(_) => Ok(()),
        Ok(_) => {
            let message = "a rule that is none was accepted, so something else than the kernel answers".to_owned();
            Err(ApplyRefusal::new(FailureKind::LandlockApplyFailed, 0, message))
        }
    }
}

/// The rights as the crate's flags. Those that this kernel's ABI or the crate does not have go to `unsupported`.
fn flags_of<R: Right, B: Access<Numeric = u64>>(
    set: RightSet<R>,
    abi: i32,
    unsupported: &mut Vec<String>,
) -> BitFlags<B> {
    let mut flags = BitFlags::<B>::empty();
    for right in set.iter() {
        match BitFlags::<B>::from_bits(right.bit()) {
            Ok(flag) if right.since_abi() <= abi => flags |= flag,
            _ => unsupported.push(right.name().to_owned()),
        }
    }
    flags
}

impl Tables {
    fn of(policy: &LandlockPolicy, abi: i32) -> Result<Self, ApplyRefusal> {
        let mut unsupported = Vec::new();
        let layers = policy.layers.iter().enumerate().map(|(n, layer)| {
            let table = Table::of(layer, abi, &mut unsupported);
            table.map_err(|refusal| refusal.in_layer(n, policy.layers.len()))
        });
        // What is not there at all comes before what is wrong with a rule.
        let layers: Vec<Result<Table, ApplyRefusal>> = layers.collect();
        if policy.tsync && abi < TSYNC_SINCE_ABI {
            unsupported.push(TSYNC.to_owned());
        }
        if policy.abi > abi || !unsupported.is_empty() {
            // A right that several layers handle is missing once.
            let mut seen = HashSet::new();
            unsupported.retain(|name| seen.insert(name.clone()));
            let message = if policy.abi > abi {
                format!("the policy requires Landlock ABI {}, this kernel has {abi}", policy.abi)
            } else {
                format!("this build cannot enforce {} yet, although ABI {abi} has it", unsupported.join(", "))
            };
            let refusal = ApplyRefusal::new(FailureKind::LandlockRightUnsupported, 0, message);
            return Err(ApplyRefusal { unsupported, ..refusal });
        }
        Ok(Self { abi, tsync: policy.tsync, layers: layers.into_iter().collect::<Result<_, _>>()? })
    }

    /// Every ruleset is made before the first is put in force, so that what is wrong with one of them restricts nothing.
    fn enforce(&self) -> Result<(), ApplyRefusal> {
        let count = self.layers.len();
        let mut rulesets = Vec::with_capacity(count);
        for (n, table) in self.layers.iter().enumerate() {
            rulesets.push(table.ruleset().map_err(|refusal| refusal.in_layer(n, count))?);
        }
        for (n, ruleset) in rulesets.into_iter().enumerate() {
            let restricted = if self.tsync { restrict_all_threads(ruleset) } else { restrict_this_thread(ruleset) };
            restricted.map_err(|refusal| refusal.in_layer(n, count))?;
        }
        Ok(())
    }
}

impl Table {
    /// Names in `unsupported` what is not there; it then grants less than the policy, and must not be used.
    fn of(layer: &Layer, abi: i32, unsupported: &mut Vec<String>) -> Result<Self, ApplyRefusal> {
        let mut table = Self {
            handled_fs: flags_of(layer.handled_fs, abi, unsupported),
            handled_net: flags_of(layer.handled_net, abi, unsupported),
            scoped: flags_of(layer.scoped, abi, unsupported),
            beneath: Vec::with_capacity(layer.path_beneath.len()),
            ports: Vec::with_capacity(layer.net_port.len()),
        };
        // A rule grants only what is handled, so nothing more can be missing here.
        let mut known = Vec::new();
        for (n, rule) in layer.path_beneath.iter().enumerate() {
            let path = CString::new(rule.path.as_str()).map_err(|_| unopened(n, &rule.path, libc::EINVAL))?;
            table.beneath.push((path, flags_of(rule.allow, abi, &mut known)));
        }
        for (n, rule) in layer.net_port.iter().enumerate() {
            let port = rule.port.parse::<u16>().map_err(|_| {
                let message = format!("port rule {n} names `{}`, which is no port number", rule.port);
                ApplyRefusal::new(FailureKind::LandlockApplyFailed, libc::EINVAL, message)
            })?;
            table.ports.push((port, flags_of(rule.allow, abi, &mut known)));
        }
        Ok(table)
    }

    fn ruleset(&self) -> Result<RulesetCreated, ApplyRefusal> {
        let hard = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let handle = |error: RulesetError| ApplyRefusal::of("the handled rights were refused", &error);
        // The crate takes an empty set for a mistake.
        let hard =
            if self.handled_fs.is_empty() { hard } else { hard.handle_access(self.handled_fs).map_err(handle)? };
        let hard =
            if self.handled_net.is_empty() { hard } else { hard.handle_access(self.handled_net).map_err(handle)? };
        let hard = if self.scoped.is_empty() { hard } else { hard.scope(self.scoped).map_err(handle)? };
        let mut ruleset = hard.create().map_err(|error| ApplyRefusal::of("no ruleset could be made", &error))?;

        for (n, (path, allowed)) in self.beneath.iter().enumerate() {
            let shown = || path.to_string_lossy();
            let opened = open_handle(path).map_err(|errno| unopened(n, &shown(), errno))?;
            ruleset = ruleset.add_rule(PathBeneath::new(opened, *allowed)).map_err(|error| {
                let what = format!("rule {n} beneath `{}` was refused", shown());
                ApplyRefusal::of(&what, &error)
            })?;
        }
        for (n, (port, allowed)) in self.ports.iter().enumerate() {
            ruleset = ruleset
                .add_rule(NetPort::new(*port, *allowed))
                .map_err(|error| ApplyRefusal::of(&format!("rule {n} on port {port} was refused"), &error))?;
        }
        Ok(ruleset)
    }
}

/// What the process could not be confined for.
const UNCONFINED: &str = "the process could not be confined";

fn restrict_this_thread(ruleset: RulesetCreated) -> Result<(), ApplyRefusal> {
    let status = ruleset.restrict_self().map_err(|error| ApplyRefusal::of(UNCONFINED, &error))?;
    if status.ruleset != RulesetStatus::FullyEnforced || !status.no_new_privs {
        let how = match status.ruleset {
            RulesetStatus::FullyEnforced => "in full, but without no_new_privs",
            RulesetStatus::PartiallyEnforced => "in part only",
            RulesetStatus::NotEnforced => "without enforcing it",
        };
        let message = format!("the kernel took the ruleset {how}");
        return Err(ApplyRefusal::new(FailureKind::LandlockApplyFailed, 0, message));
    }
    Ok(())
}

/// The same for every thread of the process, which the crate cannot ask for. The kernel gives them no_new_privs, too
/// (Documentation/userspace-api/landlock.rst, "Thread synchronization").
fn restrict_all_threads(ruleset: RulesetCreated) -> Result<(), ApplyRefusal> {
    let refused = |errno: i32| {
        let message = format!("{UNCONFINED}: {}", io_error(errno));
        ApplyRefusal::new(FailureKind::LandlockApplyFailed, errno, message)
    };
    let ruleset: Option<OwnedFd> = ruleset.into();
    let ruleset = ruleset.ok_or_else(|| refused(libc::EINVAL))?;
    set_no_new_privs().and_then(|_| bare::restrict_all_threads(ruleset.as_fd())).map(|_| ()).map_err(refused)
}

fn unopened(rule: usize, path: &str, errno: i32) -> ApplyRefusal {
    let message = format!("rule {rule} names `{path}`, which cannot be opened");
    ApplyRefusal::new(FailureKind::LandlockRuleTarget, errno, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::landlock::rights::NetRight;

    // These stop before the calling thread is confined, so they may run in the test process.

    #[test]
    fn a_right_that_is_not_there_is_never_dropped() {
        let layer = Layer {
            handled_fs: RightSet::of(&[FsRight::ReadFile, FsRight::ResolveUnix]),
            handled_net: RightSet::of(&[NetRight::BindUdp]),
            ..Layer::default()
        };
        let policy = LandlockPolicy::single(1, layer.clone());
        let refusal = Tables::of(&policy, 7).unwrap_err();
        assert_eq!(refusal.kind, FailureKind::LandlockRightUnsupported);
        assert_eq!(refusal.unsupported, ["resolve_unix", "bind_udp"]);
        let refusal = Tables::of(&policy, 10).unwrap_err();
        assert_eq!(refusal.unsupported, ["bind_udp"], "the crate does not know it");
        let twice = LandlockPolicy { layers: vec![layer.clone(), layer], ..policy };
        assert_eq!(Tables::of(&twice, 7).unwrap_err().unsupported, ["resolve_unix", "bind_udp"]);
        let refusal = Tables::of(&LandlockPolicy::single(8, Layer::default()), 7).unwrap_err();
        assert_eq!(refusal.kind, FailureKind::LandlockRightUnsupported);
        assert!(refusal.message.contains("requires Landlock ABI 8, this kernel has 7"), "{}", refusal.message);
    }

    #[test]
    fn threads_are_never_left_out_silently() {
        let policy = LandlockPolicy { tsync: true, ..LandlockPolicy::single(1, Layer::default()) };
        let refusal = Tables::of(&policy, 7).unwrap_err();
        assert_eq!((refusal.kind, refusal.unsupported), (FailureKind::LandlockRightUnsupported, vec!["tsync".into()]));
        assert!(Tables::of(&policy, 8).unwrap().tsync);
    }

    #[test]
    fn a_refused_rule_is_told_in_the_names_of_the_policy() {
        if landlock_abi().is_none() {
            return;
        }
        let layer = Layer {
            handled_fs: RightSet::of(&[FsRight::ReadFile, FsRight::ReadDir, FsRight::MakeReg]),
            path_beneath: vec![crate::policy::landlock::table::PathBeneathRule {
                path: "/dev/null".into(),
                allow: RightSet::of(&[FsRight::ReadFile, FsRight::ReadDir, FsRight::MakeReg]),
            }],
            ..Layer::default()
        };
        let policy = LandlockPolicy { abi: 1, tsync: false, layers: vec![layer.clone(), layer] };
        // It stops at the rule, before the calling thread is confined.
        let refusal = Tables::of(&policy, landlock_abi().unwrap()).unwrap().enforce().unwrap_err();
        assert!(refusal.message.starts_with("layer 0: "), "{}", refusal.message);
        assert_eq!((refusal.kind, refusal.errno), (FailureKind::LandlockApplyFailed, libc::EINVAL));
        assert!(refusal.message.contains("read_dir, make_reg can only be granted on"), "{}", refusal.message);
        assert!(!refusal.message.contains("BitFlags"), "{}", refusal.message);
    }

    #[test]
    fn the_first_layer_count_of_an_ordinary_process_is_known_where_there_is_landlock() {
        match landlock_abi() {
            Some(_) => assert!(already_confined_layers().is_some_and(|layers| layers <= MAX_LAYERS)),
            None => assert_eq!(already_confined_layers(), None),
        }
    }
}
