//! Whether what an operation needs is granted.

use super::links;
use super::needs::{HANDLED_FS, ModelCase, RightsRuling, RulesNotAsked, unknown};
use super::rules::RuleCheck;
use super::tree::{MountedName, NameIndex, ObjectKind};
use crate::policy::landlock::rights::{FsRight, Right, RightSet};
use crate::policy::model_answer::Need;
use crate::record::outcome::Decision;

impl ModelCase<'_> {
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
                Err(ruling) => {
                    self.block_missing(checks);
                    return Ok(ruling);
                }
            }
        }
        Ok(self.granted(needed, &granted))
    }

    /// Notes every right of the checks that is missing by itself, or may be.
    pub(super) fn block_missing(&mut self, checks: &[(MountedName, RightSet<FsRight>)]) {
        for (place, wanted) in checks {
            for right in wanted.iter() {
                let alone = self.rules.check(self.tree, *place, RightSet::EMPTY.with(right));
                if !matches!(alone, RuleCheck::Granted(_)) {
                    self.block(format!("fs.{}", right.name()));
                }
            }
        }
    }

    pub(super) fn require(&mut self, place: MountedName, wanted: &[FsRight]) -> Result<RightsRuling, RulesNotAsked> {
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
    pub(super) fn at(&self, layer: usize, member: &str) -> String {
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
    pub(super) fn regular_if_it_matters(
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
    pub(super) fn prepare(&mut self, place: MountedName, right: FsRight) -> Result<(), RulesNotAsked> {
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
}

fn names(rights: RightSet<FsRight>) -> String {
    rights.iter().map(Right::name).collect::<Vec<_>>().join(", ")
}
