//! The controls of every profile of a plan, as the derivation needs them.

use super::controls::ProfileControls;
use crate::plan::ResolvedPlan;
use crate::policy::PolicyValue;
use crate::policy::landlock::controls::derive_controls;

/// What each profile's policy yields, in plan order.
pub fn of_plan(plan: &ResolvedPlan) -> Vec<ProfileControls> {
    plan.profiles
        .iter()
        .map(|profile| match profile.policy.value.as_ref() {
            PolicyValue::Landlock(policy) => {
                let controls = derive_controls(policy);
                ProfileControls {
                    must_deny: controls.must_deny.map(|control| control.action).map_err(|why| why.to_string()),
                    must_allow: controls.must_allow.map(|control| control.action).map_err(|why| why.to_string()),
                }
            }
            PolicyValue::Sbpl(_) | PolicyValue::Blob(_) => {
                let why = "there is no model for this kind of policy yet".to_string();
                ProfileControls { must_deny: Err(why.clone()), must_allow: Err(why) }
            }
        })
        .collect()
}
