//! What each driver's operation needs, and the ruling that follows.

use super::links;
use super::procfs::{self, Access, ProcfsCondition};
use super::rules::{self, RuleCheck, Rules, RulesNotTied, RulesetRefusal};
use super::tree::{LostPath, ModelTree, MountedName, NameIndex, ObjectKind, PathEnd, ROOT, SLASH};
use crate::policy::landlock::rights::{FsRight, NetRight, Right, RightSet, Scope};
use crate::policy::landlock::table::{LandlockPolicy, NetPortRule};
use crate::policy::model_answer::Need;
use crate::record::action::{Action, BindMount};
use crate::record::driver::Driver;
use crate::record::fixture::FixtureEntry;
use crate::record::outcome::Decision;

/// What is gathered on the way to an answer, whether one is found or not.
#[derive(Debug, Default)]
pub(super) struct AnswerDraft {
    pub needs: Vec<Need>,
    pub assumes: Vec<String>,
}

/// Why the rules are not asked.
#[derive(Debug)]
pub(super) enum RulesNotAsked {
    /// There is no decision.
    Unknown(String),
    /// Something else in the kernel decides before they are.
    Settled(RightsRuling),
}

pub(super) fn unknown<T>(reason: impl Into<String>) -> Result<T, RulesNotAsked> {
    Err(RulesNotAsked::Unknown(reason.into()))
}

/// A decision with its grounds.
#[derive(Debug)]
pub(super) struct RightsRuling {
    pub decision: Decision,
    pub rule: Option<String>,
    pub reason: String,
}

impl RightsRuling {
    fn allow(rule: Option<&str>, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Allow, rule: rule.map(Into::into), reason: reason.into() }
    }

    fn deny(rule: &str, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Deny, rule: (!rule.is_empty()).then(|| rule.into()), reason: reason.into() }
    }
}

/// The lists of handled rights, below the layer that they belong to.
const HANDLED_FS: &str = "/handled/fs";
const HANDLED_NET: &str = "/handled/net";
const HANDLED_SCOPE: &str = "/handled/scope";

/// What an answer rests on and the operation does not change: the fixtures as a tree, with the policy's rules tied to it.
#[derive(Debug)]
pub(super) struct RuledTree {
    laid: Result<(ModelTree, Rules), RulesNotTied>,
    assumes: Vec<String>,
}

impl RuledTree {
    pub(super) fn lay(
        policy: &LandlockPolicy,
        fixtures: &[FixtureEntry],
        mounts: &[BindMount],
        reaching: &[usize],
    ) -> Self {
        let mut assumes = Vec::new();
        let laid = ModelTree::build(fixtures, mounts).map_err(RulesNotTied::Unknown).and_then(|mut tree| {
            let rules = Rules::tie(policy, &mut tree, reaching, &mut assumes)?;
            Ok((tree, rules))
        });
        Self { laid, assumes }
    }

    /// Decides about an operation. The ground is as before after that.
    pub(super) fn decide(
        &mut self,
        policy: &LandlockPolicy,
        action: &Action,
        draft: &mut AnswerDraft,
    ) -> Result<RightsRuling, RulesNotAsked> {
        draft.assumes.clone_from(&self.assumes);
        let (tree, rules) = match &mut self.laid {
            Ok((tree, rules)) => (tree, &*rules),
            Err(RulesNotTied::Refused(why)) => {
                return unknown(format!("the policy cannot be applied: {}: {}", why.pointer, why.reason));
            }
            Err(RulesNotTied::Unknown(why)) => return unknown(why.as_str()),
        };
        let mark = tree.mark();
        let ruling = ModelCase { policy, action, tree, rules, draft }.decide();
        tree.forget_since(mark);
        match ruling {
            Err(RulesNotAsked::Settled(ruling)) => Ok(ruling),
            other => other,
        }
    }

    /// Why the kernel certainly refuses the policy over these fixtures; `None` if it does not, or that is not known.
    pub(super) fn refusal(&self) -> Option<&RulesetRefusal> {
        match &self.laid {
            Err(RulesNotTied::Refused(why)) => Some(why),
            _ => None,
        }
    }
}

/// One question to the model.
pub(super) struct ModelCase<'a> {
    pub(super) policy: &'a LandlockPolicy,
    pub(super) action: &'a Action,
    pub(super) tree: &'a mut ModelTree,
    pub(super) rules: &'a Rules,
    draft: &'a mut AnswerDraft,
}

/// Whether a final symbolic link is followed.
const FOLLOW: bool = true;
pub(super) const NO_FOLLOW: bool = false;

impl ModelCase<'_> {
    fn decide(mut self) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.decide_by_rules()?;
        // What the rules refuse stays refused, whoever else has a say.
        if ruling.decision == Decision::Deny { Ok(ruling) } else { self.beside_rules(ruling) }
    }

    /// What a ruling that the rules let an operation through is worth where another part of the kernel decides as well,
    /// and decides otherwise for a process in a domain.
    fn beside_rules(&mut self, ruling: RightsRuling) -> Result<RightsRuling, RulesNotAsked> {
        let older = self.action.driver == Driver::FileReadOlderThread && self.policy.tsync;
        let access = if older { Some(Access::Opens) } else { Access::of(self.action.driver) };
        let Some(access) = access else { return Ok(ruling) };
        let Some(place) = self.find(&self.action.target, FOLLOW)?.place else { return Ok(ruling) };
        if *self.tree.kind(place.name) != ObjectKind::Host {
            return Ok(ruling);
        }
        match procfs::gate(&self.tree.path(place.name), access) {
            None => Ok(ruling),
            Some(ProcfsCondition::Open { assumes }) => {
                self.assume(assumes);
                Ok(ruling)
            }
            Some(ProcfsCondition::Shut { reason, assumes }) => {
                self.assume(assumes);
                Ok(RightsRuling::deny("", reason))
            }
            Some(ProcfsCondition::Unknown(reason)) => unknown(reason),
        }
    }

    fn assume(&mut self, text: String) {
        if !self.draft.assumes.contains(&text) {
            self.draft.assumes.push(text);
        }
    }

    fn decide_by_rules(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        use FsRight as R;
        match self.action.driver {
            Driver::FileRead => self.open(&[R::ReadFile]),
            Driver::FileWrite | Driver::FileOpenWrite => self.open(&[R::WriteFile]),
            Driver::FileReadWrite => self.open(&[R::ReadFile, R::WriteFile]),
            Driver::FileOpenTruncate => {
                let place = self.regular(FOLLOW)?;
                self.regular_if_it_matters(place, &[R::WriteFile], &[R::WriteFile, R::Truncate])
            }
            Driver::FileReadAt => self.read_at(),
            Driver::DirList => self.list(),
            Driver::Exec => self.exec(),
            Driver::FileTruncate => {
                let place = self.regular(FOLLOW)?;
                self.require(place, &[R::Truncate])
            }
            Driver::FileTruncateFd => {
                let place = self.regular(FOLLOW)?;
                self.prepare(place, R::WriteFile)?;
                self.require(place, &[R::Truncate])
            }
            Driver::DeviceIoctl => {
                let place = self.existing(&self.action.target, FOLLOW)?;
                let path = self.tree.path(place.name);
                // Only of devices does Landlock ask for the right (security/landlock/fs.c, `hook_file_ioctl_common`).
                if *self.tree.kind(place.name) != ObjectKind::Host || !path.starts_with("/dev/") {
                    return unknown("the target is no device");
                }
                if !rules::KNOWN_DEVICES.contains(&path.as_str()) {
                    self.assume(format!("`{path}` is a device"));
                }
                self.prepare(place, R::ReadFile)?;
                self.require(place, &[R::IoctlDev])
            }
            Driver::FileCreate => self.create_file(),
            Driver::DirCreate => self.make(R::MakeDir, true),
            Driver::SymlinkCreate => self.make(R::MakeSym, false),
            Driver::FifoCreate => self.make(R::MakeFifo, false),
            Driver::SocketNodeCreate | Driver::UnixBind => self.make(R::MakeSock, false),
            Driver::CharDeviceCreate => self.whiteout(),
            Driver::BlockDeviceCreate => self.make(R::MakeBlock, false),
            Driver::FileUnlink => self.unlink(),
            Driver::DirRemove => self.rmdir(),
            Driver::FileRename => self.refer(Referring::Rename),
            Driver::FileExchange => self.refer(Referring::Exchange),
            Driver::FileLink => self.refer(Referring::Link),
            Driver::FileReadInherited => {
                self.regular(FOLLOW)?;
                self.never("the descriptor was opened before the policy was applied and keeps what it had")
            }
            Driver::FileTruncateInherited => {
                self.regular(FOLLOW)?;
                self.never("the descriptor was opened before the policy was applied and keeps what it had")
            }
            Driver::FileReadReopened | Driver::FileReadAtInherited | Driver::IoUringRead => self.open(&[R::ReadFile]),
            Driver::FileWriteReopened => self.open(&[R::WriteFile]),
            Driver::FileReadOlderThread if self.policy.tsync => self.open(&[R::ReadFile]),
            Driver::FileReadOlderThread => {
                self.regular(FOLLOW)?;
                self.never("a policy binds the thread that applies it and those that it starts later, not older ones")
            }
            Driver::FileLock => self.lock(),
            Driver::UserNamespace => self.never("Landlock does not restrict namespaces"),
            Driver::UserNamespaceMap => {
                let place = self.existing("/proc/self/uid_map", FOLLOW)?;
                self.require(place, &[R::WriteFile])
            }
            Driver::MountTmpfs | Driver::PivotRoot => self.mount(),
            Driver::Chroot => self.chdir(),
            Driver::BpfMap | Driver::PerfEvent | Driver::Userfaultfd | Driver::IoUring => {
                self.never("Landlock has no right for this part of the kernel")
            }
            Driver::IoUringConnect => self.port(NetRight::ConnectTcp),
            Driver::ExecMemfd => self.never("Landlock asks for no right on what has no path"),
            Driver::ExecWritten => {
                let folder = self.fresh(&self.action.target, false)?;
                self.prepare(folder, R::MakeReg)?;
                self.prepare(folder, R::WriteFile)?;
                self.require(folder, &[R::Execute, R::ReadFile])
            }
            Driver::PtraceOutside
            | Driver::PidfdGetfdOutside
            | Driver::ProcessVmReadvOutside
            | Driver::ProcessMemOutside
            | Driver::ProcessRootOutside => Ok(RightsRuling::deny(
                "",
                "a process in any domain may not inspect one outside it, whatever the policy handles",
            )),
            Driver::ProcessEnvironOutside | Driver::ProcessMapsOutside => unknown(
                "no process in a domain may inspect one outside it, but newer kernels spare those with CAP_PERFMON here",
            ),
            Driver::ProcessPriorityOutside => self.never("Landlock does not restrict priorities"),
            Driver::EnvironmentRead | Driver::DescriptorRead | Driver::TtyIoctl | Driver::TtyInject => {
                self.never("the process had it before the policy was applied and keeps it")
            }
            Driver::SysvShm | Driver::SysvSem | Driver::SysvMsg => self.never("Landlock has no right for System V IPC"),
            Driver::KeyRead | Driver::KeyAdd => self.never("Landlock has no right for keys"),
            Driver::PosixShm => {
                let folder = self.existing("/dev/shm", FOLLOW)?;
                let opened = RightSet::EMPTY.with(R::ReadFile).with(R::WriteFile);
                self.require_all(&[(folder, RightSet::EMPTY.with(R::MakeReg)), (folder, opened)])
            }
            Driver::FileMapExecutable => {
                self.regular(FOLLOW)?;
                self.never("Landlock has no right for mapping, and the file was opened before the policy was applied")
            }
            Driver::PosixMq => self.anywhere(
                &[R::ReadFile, R::WriteFile],
                "a queue is opened as a file of a file system that no rule can name",
            ),
            Driver::PseudoTty => self.anywhere(
                &[R::ReadFile, R::WriteFile, R::IoctlDev],
                "both ends of a terminal are opened and controlled as devices, and where they lie is the host's own",
            ),
            Driver::Chdir => self.chdir(),
            Driver::FileOpenPath
            | Driver::FileStat
            | Driver::FileAccess
            | Driver::FileChmod
            | Driver::FileUtimes
            | Driver::FileChown
            | Driver::FileStatfs
            | Driver::InotifyWatch => {
                self.existing(&self.action.target, FOLLOW)?;
                self.never("Landlock has no right for this operation")
            }
            Driver::FileReadlink => {
                let place = self.existing(&self.action.target, NO_FOLLOW)?;
                match self.tree.kind(place.name) {
                    ObjectKind::Symlink(_) | ObjectKind::Host => self.never("Landlock has no right for this operation"),
                    _ => unknown("the target is no symbolic link"),
                }
            }
            Driver::XattrGet | Driver::XattrSet | Driver::XattrList => self.xattr(),
            Driver::ProcessFork => self.never("Landlock does not restrict the making of processes"),
            Driver::TcpConnect => self.port(NetRight::ConnectTcp),
            Driver::TcpBind => self.port(NetRight::BindTcp),
            Driver::TcpListenUnbound => {
                self.never("the kernel picks the port itself, and Landlock's bind hook is not asked")
            }
            Driver::UdpBind => self.port(NetRight::BindUdp),
            Driver::UdpSend | Driver::UdpConnect => self.udp_send(),
            Driver::UnixConnect | Driver::UnixSend => self.unix_connect(),
            Driver::MptcpConnect => self.not_every_kernel(
                NetRight::ConnectTcp,
                "kernels before 6.14 ask for the right for a socket of multipath TCP as well, later ones do not",
            ),
            Driver::MptcpBind => self.not_every_kernel(
                NetRight::BindTcp,
                "kernels before 6.14 ask for the right for a socket of multipath TCP as well, later ones do not",
            ),
            Driver::TcpFastOpen => self.not_every_kernel(
                NetRight::ConnectTcp,
                "the right is asked for by connect(2), and whether a connection that is made by sending asks for it is \
                 not the same in all kernels",
            ),
            Driver::RawSocket | Driver::PacketSocket | Driver::NetlinkSocket | Driver::VsockSocket => {
                self.never("Landlock does not restrict the making of sockets")
            }
            Driver::AbstractConnect | Driver::AbstractSend => {
                self.scope(Scope::AbstractUnixSocket, "the harness, which owns the socket, is outside the domain")
            }
            Driver::SignalOutside => self.scope(Scope::Signal, "the process is outside the domain"),
            Driver::SignalInside => self.never("the process is inside the domain"),
            Driver::SignalSelf => self.never("a process may always signal itself"),
            Driver::ProcessInspectOutside => Ok(RightsRuling::deny(
                "",
                "a process in any domain may not inspect one outside it, whatever the policy handles",
            )),
            Driver::MountBind => self.mount(),
            Driver::ApplyOnly => unknown("the driver performs no operation, so there is nothing to decide"),
            // Drivers of macOS alone. They are named so that the compiler asks for the rights of a new one.
            Driver::FileLstat
            | Driver::FileFstat
            | Driver::FileGetattrlist
            | Driver::FileSetattrlist
            | Driver::FileFchmod
            | Driver::FileLchown
            | Driver::FileFchown
            | Driver::FileFchownat
            | Driver::FileFutimes
            | Driver::FileLutimes
            | Driver::FileWriteAt
            | Driver::FileReadRootrel
            | Driver::FileWriteRootrel
            | Driver::FileSearch
            | Driver::FileClone
            | Driver::FileIoctl
            | Driver::MachLookup
            | Driver::MachLookupLocal
            | Driver::MachRegister
            | Driver::XpcLookup
            | Driver::IokitOpenService
            | Driver::IokitOpenUserClient
            | Driver::SysctlRead
            | Driver::DarwinNotificationPost
            | Driver::DistributedNotificationPost
            | Driver::ProcessInfo
            | Driver::SignalSameSandbox
            | Driver::TcpAccept
            | Driver::PosixSem
            | Driver::SystemSocket
            | Driver::PreferenceRead
            | Driver::PolicyQuery => unknown("this driver belongs to another system"),
        }
    }

    fn never(&self, why: &str) -> Result<RightsRuling, RulesNotAsked> {
        Ok(RightsRuling::allow(None, why))
    }

    // --- paths -----------------------------------------------------------------------------------------------

    pub(super) fn find(&mut self, text: &str, follow: bool) -> Result<PathEnd, RulesNotAsked> {
        let found = self.tree.resolve(text, follow).map_err(|lost| self.stop(&lost, follow))?;
        self.note_names(found.parent.name);
        if let Some(place) = found.place {
            self.note_names(place.name);
        }
        Ok(found)
    }

    fn fails(&self, lost: &LostPath) -> String {
        match lost {
            LostPath::Missing(_) => format!("{}, so the operation fails without a policy too", lost.reason()),
            other => other.reason(),
        }
    }

    /// What it means that a path leads nowhere that is known.
    fn stop(&mut self, lost: &LostPath, follow: bool) -> RulesNotAsked {
        let LostPath::Inspects { path, last } = lost else { return RulesNotAsked::Unknown(self.fails(lost)) };
        // That path was walked before there was a policy, or is walked by a thread that has none.
        if self.action.driver.holds_before() || self.action.driver == Driver::FileReadOlderThread {
            return RulesNotAsked::Unknown(lost.reason());
        }
        // A final link is inspected only by who follows it or reads its text.
        if *last && !follow && self.action.driver != Driver::FileReadlink {
            return RulesNotAsked::Unknown(lost.reason());
        }
        self.assume(procfs::assumption(path));
        let reason = format!(
            "`{path}` shows another process, and a process in any domain may not inspect one outside it, whatever the \
             policy grants"
        );
        RulesNotAsked::Settled(RightsRuling::deny("", reason))
    }

    /// Host paths and tight permission bits on the way are taken for granted, and said.
    fn note_names(&mut self, mut name: NameIndex) {
        let end = name;
        while name != SLASH {
            if let Some(mode) = self.tree.tight_mode(name) {
                let text = format!("the user may pass the permission bits {mode} of `{}`", self.tree.path(name));
                if !self.draft.assumes.contains(&text) {
                    self.draft.assumes.push(text);
                }
            }
            if *self.tree.kind(name) == ObjectKind::Host {
                if name == end {
                    rules::assume_host(&self.tree.path(name), &mut self.draft.assumes);
                }
                return;
            }
            name = self.tree.parent(name);
        }
    }

    fn existing(&mut self, text: &str, follow: bool) -> Result<MountedName, RulesNotAsked> {
        let found = self.find(text, follow)?;
        let Some(place) = found.place else {
            return unknown(self.fails(&LostPath::Missing(text.into())));
        };
        if found.slash && !matches!(self.tree.kind(place.name), ObjectKind::Dir | ObjectKind::Host) {
            return unknown(format!("`{text}` ends with a slash but is no folder, so the lookup fails (ENOTDIR)"));
        }
        Ok(place)
    }

    fn regular(&mut self, follow: bool) -> Result<MountedName, RulesNotAsked> {
        let target = &self.action.target;
        let place = self.existing(target, follow)?;
        match self.tree.kind(place.name) {
            ObjectKind::File | ObjectKind::Program => Ok(place),
            ObjectKind::Host => {
                let path = self.tree.path(place.name);
                if rules::KNOWN_FOLDERS.contains(&path.as_str()) {
                    return unknown(format!("`{path}` is a folder, so the operation fails without a policy too"));
                }
                if !rules::KNOWN_DEVICES.contains(&path.as_str()) {
                    self.assume(format!("`{path}` is no folder"));
                }
                Ok(place)
            }
            // Opened for both, a FIFO does not wait for its other end.
            ObjectKind::Fifo if self.action.driver == Driver::FileReadWrite => Ok(place),
            ObjectKind::Fifo => unknown(format!("`{target}` is a FIFO, and opening it waits for its other end")),
            _ => unknown(format!("`{target}` is no regular file, so the operation fails without a policy too")),
        }
    }

    /// A name that is to be made: its folder.
    pub(super) fn fresh(&mut self, text: &str, slash_is_fine: bool) -> Result<MountedName, RulesNotAsked> {
        let found = self.find(text, NO_FOLLOW)?;
        let host = *self.tree.kind(found.parent.name) == ObjectKind::Host;
        if !found.ordinary || (found.place.is_some() && !host) {
            return unknown(format!("`{text}` exists already, so the operation fails without a policy too (EEXIST)"));
        }
        if found.slash && !slash_is_fine {
            return unknown(format!("`{text}` ends with a slash, so the operation fails without a policy too"));
        }
        if host {
            return unknown(format!("whether `{text}` exists on the host is not known"));
        }
        Ok(found.parent)
    }

    /// A name that is to be removed or moved: its folder and itself.
    pub(super) fn entry(&mut self, text: &str) -> Result<(MountedName, MountedName, bool), RulesNotAsked> {
        let found = self.find(text, NO_FOLLOW)?;
        let Some(place) = found.place else {
            return unknown(self.fails(&LostPath::Missing(text.into())));
        };
        if place.name == ROOT {
            return unknown("the folder that holds `${root}` is not known");
        }
        if !found.ordinary {
            return unknown(format!(
                "`{text}` does not end with an ordinary name, so the operation fails without a policy too"
            ));
        }
        if self.tree.is_mount_point(place) {
            return unknown(format!("`{text}` is a mount point, so the operation fails without a policy too (EBUSY)"));
        }
        if *self.tree.kind(place.name) == ObjectKind::Host {
            return unknown(format!("what `{text}` is on the host is not known"));
        }
        Ok((found.parent, place, found.slash))
    }

    // --- checks ----------------------------------------------------------------------------------------------

    pub(super) fn note_needs(&mut self, wanted: RightSet<FsRight>, on: NameIndex) {
        let on = self.tree.path(on);
        self.draft.needs.extend(wanted.iter().map(|right| Need { right: right.name(), on: on.clone() }));
    }

    /// Checks rights on objects in order; the first that is missing decides.
    pub(super) fn require_all(
        &mut self,
        checks: &[(MountedName, RightSet<FsRight>)],
    ) -> Result<RightsRuling, RulesNotAsked> {
        let mut granted = Vec::new();
        let mut needed = RightSet::EMPTY;
        for (place, wanted) in checks {
            self.note_needs(*wanted, place.name);
            needed = needed.union(*wanted);
        }
        // A later check cannot undo an earlier refusal, but an undecided one hides what comes after it.
        for (place, wanted) in checks {
            let verdict = self.rules.check(self.tree, *place, *wanted);
            match self.settle(verdict, place.name)? {
                Ok(mut by) => granted.append(&mut by),
                Err(ruling) => return Ok(ruling),
            }
        }
        Ok(self.granted(needed, &granted))
    }

    fn require(&mut self, place: MountedName, wanted: &[FsRight]) -> Result<RightsRuling, RulesNotAsked> {
        let set = wanted.iter().fold(RightSet::EMPTY, |set, right| set.with(*right));
        self.require_all(&[(place, set)])
    }

    /// A verdict's grants, or the denial that it is.
    pub(super) fn settle(
        &self,
        verdict: RuleCheck,
        on: NameIndex,
    ) -> Result<Result<Vec<(FsRight, usize)>, RightsRuling>, RulesNotAsked> {
        let on = self.tree.path(on);
        match verdict {
            RuleCheck::Granted(by) => {
                let rule = |n: &usize| self.policy.path_rule(*n);
                let doubt =
                    by.iter().filter_map(|(_, n)| rule(n)).find_map(|rule| links::may_be_uncovered(&on, &rule.path));
                doubt.map_or(Ok(Ok(by)), unknown)
            }
            RuleCheck::Missing(FsRight::Refer, layer)
                if !self.policy.layers[layer].handled_fs.contains(FsRight::Refer) =>
            {
                let reason = if self.policy.layers[layer].handled_fs.is_empty() {
                    "the object goes to another folder, and a layer that does not grant refer refuses that even if it \
                     handles no file right, as soon as another layer does"
                } else {
                    "the object goes to another folder, and a policy that does not grant refer refuses that even \
                     without handling it"
                };
                Ok(Err(RightsRuling::deny(&self.policy.refusal_pointer(layer), reason)))
            }
            RuleCheck::Missing(right, layer) => {
                let granting = self.policy.layers[layer].path_beneath.iter().filter(|rule| rule.allow.contains(right));
                if let Some(doubt) = links::may_be_covered(&on, granting.map(|rule| rule.path.as_str())) {
                    return unknown(doubt);
                }
                Ok(Err(RightsRuling::deny(
                    &self.at(layer, HANDLED_FS),
                    format!("{} is handled, and no rule grants it on `{on}` or above", right.name()),
                )))
            }
            RuleCheck::Gains(right, layer) => Ok(Err(RightsRuling::deny(
                &self.at(layer, HANDLED_FS),
                format!("the object would gain {} in its new folder, which is refused with EXDEV", right.name()),
            ))),
            RuleCheck::Depends(rules) if rules.is_empty() => {
                unknown("the outcome depends on whether `${root}` lies on the same mount as `/`")
            }
            RuleCheck::Depends(rules) => {
                let rules: Vec<String> = rules.iter().map(|n| self.policy.path_pointer(*n)).collect();
                unknown(format!(
                    "the outcome depends on whether {} covers a folder above `${{root}}`",
                    rules.join(" or ")
                ))
            }
        }
    }

    /// The JSON pointer of a layer's member.
    fn at(&self, layer: usize, member: &str) -> String {
        self.policy.layer_pointer(layer) + member
    }

    pub(super) fn granted(&self, needed: RightSet<FsRight>, by: &[(FsRight, usize)]) -> RightsRuling {
        let Some((_, index)) = by.first() else {
            let at = self.at(0, HANDLED_FS);
            return RightsRuling::allow(Some(&at), format!("{} is not handled by the policy", names(needed)));
        };
        let rule = self.policy.path_pointer(*index);
        let by: Vec<String> =
            by.iter().map(|(right, n)| format!("{} by {}", right.name(), self.policy.path_pointer(*n))).collect();
        RightsRuling::allow(Some(&rule), format!("granted: {}", by.join(", ")))
    }

    /// The rights of an operation that needs one more on a regular file than on anything else: of what a host path is,
    /// nothing more is known than that it is no folder.
    fn regular_if_it_matters(
        &mut self,
        place: MountedName,
        otherwise: &[FsRight],
        regular: &[FsRight],
    ) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.require(place, regular)?;
        if *self.tree.kind(place.name) != ObjectKind::Host || ruling.decision == Decision::Allow {
            return Ok(ruling);
        }
        if self.require(place, otherwise)?.decision == Decision::Deny {
            return Ok(ruling);
        }
        let path = self.tree.path(place.name);
        unknown(format!("only a regular file is truncated, and what `{path}` is on the host is not known"))
    }

    /// A preparing open under the policy, which is not the operation in question.
    fn prepare(&mut self, place: MountedName, right: FsRight) -> Result<(), RulesNotAsked> {
        self.note_needs(RightSet::EMPTY.with(right), place.name);
        let verdict = self.rules.check(self.tree, place, RightSet::EMPTY.with(right));
        match self.settle(verdict, place.name)? {
            Ok(_) => Ok(()),
            Err(ruling) => {
                unknown(format!("the operation is not reached: the open before it is refused ({})", ruling.reason))
            }
        }
    }

    // --- drivers ---------------------------------------------------------------------------------------------

    fn open(&mut self, wanted: &[FsRight]) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.regular(FOLLOW)?;
        self.require(place, wanted)
    }

    fn read_at(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.regular(FOLLOW)?;
        self.require(place, &[FsRight::ReadFile])
    }

    fn list(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let target = &self.action.target;
        let place = self.existing(target, FOLLOW)?;
        match self.tree.kind(place.name) {
            ObjectKind::Host if rules::KNOWN_DEVICES.contains(&self.tree.path(place.name).as_str()) => {
                unknown(format!("`{target}` is no folder, so the operation fails without a policy too"))
            }
            ObjectKind::Dir | ObjectKind::Host => {
                let path = self.tree.path(place.name);
                if *self.tree.kind(place.name) == ObjectKind::Host && !rules::KNOWN_FOLDERS.contains(&path.as_str()) {
                    self.assume(format!("`{path}` is a folder"));
                }
                self.require(place, &[FsRight::ReadDir])
            }
            _ => unknown(format!("`{target}` is no folder, so the operation fails without a policy too")),
        }
    }

    /// A folder can be locked as well, and is opened for that as for listing it.
    fn lock(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.existing(&self.action.target, FOLLOW)?;
        if *self.tree.kind(place.name) == ObjectKind::Dir {
            self.prepare(place, FsRight::ReadDir)?;
        } else {
            let place = self.regular(FOLLOW)?;
            self.prepare(place, FsRight::ReadFile)?;
        }
        self.never("Landlock has no right for locks")
    }

    fn chdir(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let target = &self.action.target;
        let place = self.existing(target, FOLLOW)?;
        match self.tree.kind(place.name) {
            ObjectKind::Dir => {}
            ObjectKind::Host => {
                let path = self.tree.path(place.name);
                if !rules::KNOWN_FOLDERS.contains(&path.as_str()) {
                    self.assume(format!("`{path}` is a folder"));
                }
            }
            _ => return unknown(format!("`{target}` is no folder, so the operation fails without a policy too")),
        }
        self.never("Landlock has no right for this operation")
    }

    /// Rights on something whose place among the rules is not known: allowed if they are granted everywhere.
    fn anywhere(&mut self, wanted: &[FsRight], why: &str) -> Result<RightsRuling, RulesNotAsked> {
        let set = wanted.iter().fold(RightSet::EMPTY, |set, right| set.with(*right));
        if self.rules.handled(set) == RightSet::EMPTY {
            return Ok(self.granted(set, &[]));
        }
        unknown(why)
    }

    fn exec(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let target = &self.action.target;
        let rights = [FsRight::Execute, FsRight::ReadFile];
        let place = self.existing(target, FOLLOW)?;
        match self.tree.kind(place.name) {
            // The kernel opens a program for reading, so both rights are needed.
            ObjectKind::Program => self.require(place, &rights),
            ObjectKind::File | ObjectKind::Host => {
                let ruling = self.require(place, &rights)?;
                if ruling.decision == Decision::Deny {
                    return Ok(ruling);
                }
                if *self.tree.kind(place.name) == ObjectKind::File {
                    return unknown(format!("whether `{target}` is a program, and what interprets it, is not known"));
                }
                // What interprets a program, its loader or the one that a script names, is opened to be executed as well.
                let set = rights.iter().fold(RightSet::EMPTY, |set, right| set.with(*right));
                match self.rules.check(self.tree, MountedName { mount: 0, name: SLASH }, set) {
                    RuleCheck::Granted(_) => {
                        self.draft.assumes.push(format!("`{target}` is a program that the user may execute"));
                        Ok(ruling)
                    }
                    _ => unknown(format!(
                        "`{target}` may be executed, and whether its loader or interpreter may be is only known on the host"
                    )),
                }
            }
            _ => unknown(format!("`{target}` is not a program of the declared fixtures")),
        }
    }

    fn create_file(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let folder = self.fresh(&self.action.target, false)?;
        let make = RightSet::EMPTY.with(FsRight::MakeReg);
        let write = RightSet::EMPTY.with(FsRight::WriteFile);
        // No rule can be tied to a file that did not exist, so its folder stands for it in the second check.
        self.require_all(&[(folder, make), (folder, write)])
    }

    fn make(&mut self, right: FsRight, slash_is_fine: bool) -> Result<RightsRuling, RulesNotAsked> {
        let folder = self.fresh(&self.action.target, slash_is_fine)?;
        self.require(folder, &[right])
    }

    /// The device of number 0:0 is a whiteout. Kernels up to the summer of 2026 ask for `make_char` on it; later ones,
    /// long-term ones among them, for `make_reg` (landlock-lsm/linux#63, "landlock: Require LANDLOCK_ACCESS_FS_MAKE_REG
    /// for whiteout creation"). The ABI does not tell which, so only what both say is certain.
    fn whiteout(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let folder = self.fresh(&self.action.target, false)?;
        let older = self.require(folder, &[FsRight::MakeChar])?;
        let newer = self.require(folder, &[FsRight::MakeReg])?;
        if older.decision != newer.decision {
            return unknown(
                "kernels differ in whether a whiteout needs make_char or make_reg, and the policy treats the two \
                 differently",
            );
        }
        Ok(older)
    }

    fn unlink(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let (folder, place, slash) = self.entry(&self.action.target)?;
        if *self.tree.kind(place.name) == ObjectKind::Dir || slash {
            return unknown("the target is a folder or ends with a slash, so unlinking fails without a policy too");
        }
        self.require(folder, &[FsRight::RemoveFile])
    }

    fn rmdir(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let (folder, place, _) = self.entry(&self.action.target)?;
        if *self.tree.kind(place.name) != ObjectKind::Dir || self.tree.has_children(place.name) {
            return unknown("the target is no empty folder, so removing it fails without a policy too");
        }
        self.require(folder, &[FsRight::RemoveDir])
    }

    fn xattr(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.existing(&self.action.target, FOLLOW)?;
        let name = self.action.name.as_deref().unwrap_or_default();
        match (self.action.driver, self.tree.kind(place.name)) {
            (Driver::XattrGet, kind) if *kind != ObjectKind::Host && !self.tree.has_xattr(place.name, name) => {
                unknown(format!("the fixtures give the target no attribute `{name}`"))
            }
            (Driver::XattrSet, ObjectKind::Fifo) => unknown("a FIFO takes no user attributes"),
            _ => self.never("Landlock has no right for extended attributes"),
        }
    }

    fn mount(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        self.existing(&self.action.target, FOLLOW)?;
        if let Some(to) = self.action.to.clone() {
            self.existing(&to, FOLLOW)?;
        }
        Ok(match self.policy.layers.iter().position(|layer| !layer.handled_fs.is_empty()) {
            None => {
                let reason = "the policy handles no file right, so mounting stays possible";
                RightsRuling::allow(Some(&self.at(0, HANDLED_FS)), reason)
            }
            Some(layer) => RightsRuling::deny(
                &self.at(layer, HANDLED_FS),
                "a policy that handles any file right also refuses every change of mounts",
            ),
        })
    }

    // --- network and scopes ----------------------------------------------------------------------------------

    fn port(&mut self, right: NetRight) -> Result<RightsRuling, RulesNotAsked> {
        let Some((_, port)) = self.action.target.rsplit_once(':') else {
            return unknown(format!("`{}` is not HOST:PORT", self.action.target));
        };
        let port = port.to_owned();
        self.port_rule(right, &port)
    }

    fn port_rule(&mut self, right: NetRight, port: &str) -> Result<RightsRuling, RulesNotAsked> {
        self.draft.needs.push(Need { right: right.name(), on: format!("port {port}") });
        let mut granted: Vec<String> = Vec::new();
        let mut refusing = Vec::new();
        for (n, layer) in self.policy.layers.iter().enumerate().filter(|(_, layer)| layer.handled_net.contains(right)) {
            let rules = layer.net_port.iter().enumerate().filter(|(_, rule)| rule.allow.contains(right));
            let mut by = None;
            let mut unlike = Vec::new();
            for (place, rule) in rules {
                match same_port(&rule.port, port) {
                    Some(true) => {
                        by = Some(self.at(n, &format!("/net_port/{place}")));
                        break;
                    }
                    Some(false) => {}
                    None => unlike.push(format!("`{port}` and `{}` do not stand for the same port", rule.port)),
                }
            }
            match by {
                Some(rule) => granted.push(rule),
                None => refusing.push((n, unlike)),
            }
        }
        // Whoever is refused by one layer for certain need not take anything for granted of another.
        refusing.sort_by_key(|(n, unlike)| (unlike.len(), *n));
        if let Some((layer, mut unlike)) = refusing.into_iter().next() {
            self.draft.assumes.append(&mut unlike);
            let reason = format!("{} is handled, and no rule grants it on port {port}", right.name());
            return Ok(RightsRuling::deny(&self.at(layer, HANDLED_NET), reason));
        }
        Ok(match granted.first() {
            None => {
                let reason = format!("{} is not handled by the policy", right.name());
                RightsRuling::allow(Some(&self.at(0, HANDLED_NET)), reason)
            }
            Some(rule) => {
                RightsRuling::allow(Some(rule), format!("granted: {} by {}", right.name(), granted.join(", ")))
            }
        })
    }

    /// A port right that some kernels ask for and others do not: only what is allowed in either case is certain.
    fn not_every_kernel(&mut self, right: NetRight, why: &str) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.port(right)?;
        if ruling.decision == Decision::Deny { unknown(why) } else { Ok(ruling) }
    }

    fn udp_send(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.port(NetRight::ConnectSendUdp)?;
        // Sending from a socket that was never bound makes the kernel pick a port; under a policy that handles
        // binding this may be refused as well.
        let mut binding = self.policy.layers.iter().filter(|layer| layer.handled_net.contains(NetRight::BindUdp));
        let zero =
            |rule: &NetPortRule| rule.allow.contains(NetRight::BindUdp) && same_port(&rule.port, "0") == Some(true);
        if ruling.decision == Decision::Allow && binding.any(|layer| !layer.net_port.iter().any(zero)) {
            return unknown("the socket is bound implicitly, and bind_udp is handled without a rule on port 0");
        }
        Ok(ruling)
    }

    fn unix_connect(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let found = self.find(&self.action.target, FOLLOW)?;
        // The listener makes the node in a folder that is there, so a missing last part is no obstacle.
        let place = match found.place {
            Some(place) if *self.tree.kind(place.name) == ObjectKind::Host => place,
            Some(_) => return unknown("the target is no socket"),
            None => found.parent,
        };
        let handled = self.policy.layers.iter().any(|layer| layer.handled_fs.contains(FsRight::ResolveUnix));
        let ruling = self.require(place, &[FsRight::ResolveUnix])?;
        if !handled {
            return Ok(ruling);
        }
        Ok(RightsRuling { reason: format!("the socket's owner is outside the domain; {}", ruling.reason), ..ruling })
    }

    fn scope(&mut self, scope: Scope, who: &str) -> Result<RightsRuling, RulesNotAsked> {
        let name = scope.name();
        Ok(match self.policy.layers.iter().position(|layer| layer.scoped.contains(scope)) {
            Some(layer) => RightsRuling::deny(
                &self.at(layer, HANDLED_SCOPE),
                format!("the policy has the scope {name}, and {who}"),
            ),
            None => {
                let reason = format!("the policy does not have the scope {name}");
                RightsRuling::allow(Some(&self.at(0, HANDLED_SCOPE)), reason)
            }
        })
    }
}

/// Whether two port texts stand for the same port; `None` for a number against a port that the run picks.
fn same_port(rule: &str, used: &str) -> Option<bool> {
    match (rule.parse::<u16>(), used.parse::<u16>()) {
        (Ok(a), Ok(b)) => Some(a == b),
        // The run picks ports that are free, never 0, and different ones for different names.
        (Err(_), Err(_)) => Some(rule == used),
        (Ok(0), Err(_)) | (Err(_), Ok(0)) => Some(false),
        _ => None,
    }
}

/// How an object gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referring {
    Rename,
    Exchange,
    Link,
}

fn names(rights: RightSet<FsRight>) -> String {
    rights.iter().map(Right::name).collect::<Vec<_>>().join(", ")
}
