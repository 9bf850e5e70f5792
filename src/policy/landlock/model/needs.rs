//! What each driver's operation needs, and the ruling that follows.

use super::procfs::{self, Access, ProcfsCondition};
use super::rules::{self, Rules, RulesNotTied, RulesetRefusal};
use super::tree::{ModelTree, ObjectKind};
use crate::policy::landlock::rights::{FsRight, NetRight, RightSet, Scope};
use crate::policy::landlock::table::LandlockPolicy;
use crate::policy::model_answer::Need;
use crate::record::action::{Action, BindMount};
use crate::record::driver::Driver;
use crate::record::driver_sets::macos_drivers;
use crate::record::fixture::FixtureEntry;
use crate::record::outcome::Decision;

/// What is gathered on the way to an answer, whether one is found or not.
#[derive(Debug, Default)]
pub(super) struct AnswerDraft {
    pub needs: Vec<Need>,
    pub assumes: Vec<String>,
    /// What is missing for what is refused, in the words that the kernel has for it (security/landlock/audit.c). Empty where
    /// that is not known.
    pub blockers: Vec<String>,
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
    pub(super) fn allow(rule: Option<&str>, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Allow, rule: rule.map(Into::into), reason: reason.into() }
    }

    pub(super) fn deny(rule: &str, reason: impl Into<String>) -> Self {
        Self { decision: Decision::Deny, rule: (!rule.is_empty()).then(|| rule.into()), reason: reason.into() }
    }
}

/// The lists of handled rights, below the layer that they belong to.
pub(super) const HANDLED_FS: &str = "/handled/fs";
pub(super) const HANDLED_NET: &str = "/handled/net";
pub(super) const HANDLED_SCOPE: &str = "/handled/scope";

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

/// What the kernel names where a process in a domain looks at one outside of it.
pub(super) const PTRACE: &str = "ptrace";

/// One question to the model.
pub(super) struct ModelCase<'a> {
    pub(super) policy: &'a LandlockPolicy,
    pub(super) action: &'a Action,
    pub(super) tree: &'a mut ModelTree,
    pub(super) rules: &'a Rules,
    pub(super) draft: &'a mut AnswerDraft,
}

/// Whether a final symbolic link is followed.
pub(super) const FOLLOW: bool = true;
pub(super) const NO_FOLLOW: bool = false;

impl ModelCase<'_> {
    pub(super) fn decide(mut self) -> Result<RightsRuling, RulesNotAsked> {
        let ruling = self.decide_by_rules()?;
        // What the rules refuse stays refused, whoever else has a say.
        if ruling.decision == Decision::Deny { Ok(ruling) } else { self.beside_rules(ruling) }
    }

    /// What a ruling that the rules let an operation through is worth where another part of the kernel decides as well,
    /// and decides otherwise for a process in a domain.
    pub(super) fn beside_rules(&mut self, ruling: RightsRuling) -> Result<RightsRuling, RulesNotAsked> {
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
                self.block(PTRACE.to_owned());
                Ok(RightsRuling::deny("", reason))
            }
            Some(ProcfsCondition::Unknown(reason)) => unknown(reason),
        }
    }

    pub(super) fn assume(&mut self, text: String) {
        if !self.draft.assumes.contains(&text) {
            self.draft.assumes.push(text);
        }
    }

    pub(super) fn decide_by_rules(&mut self) -> Result<RightsRuling, RulesNotAsked> {
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
            | Driver::ProcessRootOutside
            | Driver::ProcessInspectOutside => self.inspects_outside(),
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
            Driver::MountBind => self.mount(),
            Driver::ApplyOnly => unknown("the driver performs no operation, so there is nothing to decide"),
            macos_drivers!() => unknown("this driver belongs to another system"),
        }
    }

    /// Notes what the kernel names if it refuses.
    pub(super) fn block(&mut self, blocker: String) {
        if !self.draft.blockers.contains(&blocker) {
            self.draft.blockers.push(blocker);
        }
    }

    /// A process in a domain looks at one outside of it.
    fn inspects_outside(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        self.block(PTRACE.to_owned());
        let reason = "a process in any domain may not inspect one outside it, whatever the policy handles";
        Ok(RightsRuling::deny("", reason))
    }

    pub(super) fn never(&self, why: &str) -> Result<RightsRuling, RulesNotAsked> {
        Ok(RightsRuling::allow(None, why))
    }

    // --- paths -----------------------------------------------------------------------------------------------
}

/// How an object gets another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referring {
    Rename,
    Exchange,
    Link,
}
