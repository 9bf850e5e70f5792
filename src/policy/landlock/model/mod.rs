//! The model oracle: what Landlock decides about one operation, worked out from the rule table and the declared
//! fixtures alone, without a kernel.
//!
//! The semantics of a layer: a right that it handles has to be granted by one of its rules, tied to the object or to a
//! folder on the way up to `/`; everything else is let through. What every layer lets through is let through, but for moves
//! between folders: those every layer has to grant as soon as one handles any file right, and they are looked at over all
//! layers at once (`rules`). Where the outcome would also depend on
//! something that is not declared, the model gives no decision and says what is missing.
//!
//! Sources: Documentation/userspace-api/landlock.rst; security/landlock/{fs,net,task}.c of the kernel.

mod demands;
mod files;
mod landing;
mod links;
mod moving;
mod needs;
mod objects;
mod places;
mod ports;
mod procfs;
mod rules;
#[cfg(test)]
mod tests;
mod tree;

use super::rights::NetRight;
use super::table::LandlockPolicy;
pub use crate::policy::model_answer::ModelAnswer;
use crate::record::action::{Action, BindMount};
use crate::record::driver::Driver;
use crate::record::fixture::FixtureEntry;
use crate::record::outcome::Decision;
pub use landing::{Landing, Landings};
pub use places::{RulePlace, rule_places};
pub use rules::{NEVER_ABOVE_ROOT, RulesetRefusal};

/// Answers for one policy, question after question. What successive questions share is worked out once: most of an answer
/// is to lay out the fixtures and to tie the rules to them.
#[derive(Debug)]
pub struct LandlockAnswerer<'p> {
    policy: &'p LandlockPolicy,
    /// For these fixtures, and no mounts.
    ground: Option<(&'p [FixtureEntry], needs::RuledTree)>,
}

impl<'p> LandlockAnswerer<'p> {
    /// Answers for `policy`.
    pub fn new(policy: &'p LandlockPolicy) -> Self {
        Self { policy, ground: None }
    }

    /// The policy that is asked.
    pub fn policy(&self) -> &'p LandlockPolicy {
        self.policy
    }

    /// Works out what the policy decides about `action`, for a process that finds `fixtures` under `${root}`.
    ///
    /// All three still hold their placeholders. The fixtures are the profile's and then the probe's, as they are made.
    pub fn evaluate(&mut self, action: &Action, fixtures: &'p [FixtureEntry]) -> ModelAnswer {
        let mut draft = needs::AnswerDraft::default();
        let ruling = if action.mounts.is_empty() {
            // The same list, not only an equal one: to compare them would cost as much as it saves.
            let ground = match &mut self.ground {
                Some((known, ground)) if std::ptr::eq(*known, fixtures) => ground,
                other => &mut other.insert((fixtures, needs::RuledTree::lay(self.policy, fixtures, &[], &[]))).1,
            };
            ground.decide(self.policy, action, &mut draft)
        } else {
            needs::RuledTree::lay(self.policy, fixtures, &action.mounts, &[]).decide(self.policy, action, &mut draft)
        };
        let (decision, rule, reason) = match ruling {
            Ok(ruling) => (Some(ruling.decision), ruling.rule, ruling.reason),
            Err(needs::RulesNotAsked::Unknown(reason)) => (None, None, reason),
            Err(needs::RulesNotAsked::Settled(ruling)) => (Some(ruling.decision), ruling.rule, ruling.reason),
        };
        ModelAnswer { decision, rule, needs: draft.needs, reason, assumes: draft.assumes }
    }
}

/// One answer; see [`LandlockAnswerer::evaluate`].
pub fn evaluate(policy: &LandlockPolicy, action: &Action, fixtures: &[FixtureEntry]) -> ModelAnswer {
    LandlockAnswerer::new(policy).evaluate(action, fixtures)
}

/// What `action` lacks under `policy`, in the words that the kernel has for it (`fs.read_file`, `net.connect_tcp`,
/// `scope.signal`, `ptrace`, `fs.change_topology`), if it is certainly refused; nothing if it certainly goes through. A kernel
/// that refuses it names some of these. `None`: it is not known, or takes something for granted.
pub fn blockers(policy: &LandlockPolicy, action: &Action, fixtures: &[FixtureEntry]) -> Option<Vec<String>> {
    let mut draft = needs::AnswerDraft::default();
    let ruling =
        needs::RuledTree::lay(policy, fixtures, &action.mounts, &[]).decide(policy, action, &mut draft).ok()?;
    let needs::AnswerDraft { assumes, blockers, .. } = draft;
    if !assumes.is_empty() {
        return None;
    }
    match ruling.decision {
        Decision::Allow => Some(Vec::new()),
        Decision::Deny => Some(blockers).filter(|blockers| !blockers.is_empty()),
    }
}

/// Whether the answer is known, and the same whether or not the rules `reaching`, by their number over all layers, cover the
/// fixture root.
pub fn holds_wherever(policy: &LandlockPolicy, action: &Action, fixtures: &[FixtureEntry], reaching: &[usize]) -> bool {
    let mut draft = needs::AnswerDraft::default();
    needs::RuledTree::lay(policy, fixtures, &action.mounts, reaching).decide(policy, action, &mut draft).is_ok()
}

/// Why the kernel certainly refuses `policy` over `fixtures`, whatever the host; `None` if it does not, or that is not
/// known.
pub fn refusal(policy: &LandlockPolicy, fixtures: &[FixtureEntry], mounts: &[BindMount]) -> Option<RulesetRefusal> {
    needs::RuledTree::lay(policy, fixtures, mounts, &[]).refusal().cloned()
}

/// The right on a port that a driver's operation needs, if it needs one.
pub fn port_right(driver: Driver) -> Option<NetRight> {
    match driver {
        Driver::TcpConnect | Driver::MptcpConnect | Driver::TcpFastOpen | Driver::IoUringConnect => {
            Some(NetRight::ConnectTcp)
        }
        Driver::TcpBind | Driver::MptcpBind => Some(NetRight::BindTcp),
        Driver::UdpBind => Some(NetRight::BindUdp),
        Driver::UdpSend | Driver::UdpConnect => Some(NetRight::ConnectSendUdp),
        _ => None,
    }
}
