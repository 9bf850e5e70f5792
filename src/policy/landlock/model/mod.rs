//! The model oracle: what Landlock decides about one operation, worked out from the rule table and the declared
//! fixtures alone, without a kernel.
//!
//! The semantics are those of one layer: a right that the policy handles has to be granted by a rule tied to the
//! object or to a folder on the way up to `/`; everything else is let through. Where the outcome would also depend on
//! something that is not declared, the model gives no decision and says what is missing.
//!
//! Sources: Documentation/userspace-api/landlock.rst; security/landlock/{fs,net,task}.c of the kernel.

mod moving;
mod needs;
mod rules;
#[cfg(test)]
mod tests;
mod tree;

use super::rights::{FsRight, Right, RightSet};
use super::table::LandlockPolicy;
pub use crate::policy::answer::{ModelAnswer, Need};
use crate::record::action::Action;
use crate::record::fixture::FixtureEntry;
pub use rules::NEVER_ABOVE_ROOT;

/// Works out what `policy` decides about `action`, for a process that finds `fixtures` under `${root}`.
///
/// All three still hold their placeholders. The fixtures are the profile's and then the probe's, as they are made.
pub fn evaluate(policy: &LandlockPolicy, action: &Action, fixtures: &[FixtureEntry]) -> ModelAnswer {
    let mut draft = needs::Draft::default();
    match needs::decide(policy, action, fixtures, &mut draft) {
        Ok(ruling) => ModelAnswer {
            decision: Some(ruling.decision),
            rule: ruling.rule,
            needs: draft.needs,
            reason: ruling.reason,
            assumes: draft.assumes,
        },
        Err(needs::Unknown(reason)) => {
            ModelAnswer { decision: None, rule: None, needs: draft.needs, reason, assumes: draft.assumes }
        }
    }
}

fn names(rights: RightSet<FsRight>) -> String {
    rights.iter().map(Right::name).collect::<Vec<_>>().join(", ")
}
