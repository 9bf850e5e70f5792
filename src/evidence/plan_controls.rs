//! The controls of every profile of a plan, as the derivation needs them.

use super::controls::ProfileControls;
use crate::plan::ResolvedPlan;
use crate::policy::controls;

/// What each profile's policy yields, in plan order.
pub fn of_plan(plan: &ResolvedPlan) -> Vec<ProfileControls> {
    plan.profiles
        .iter()
        .map(|profile| {
            let controls = controls::derive(&profile.policy.value);
            ProfileControls {
                must_deny: controls.must_deny.map(|control| control.action).map_err(|why| why.to_string()),
                must_allow: controls.must_allow.map(|control| control.action).map_err(|why| why.to_string()),
            }
        })
        .collect()
}
