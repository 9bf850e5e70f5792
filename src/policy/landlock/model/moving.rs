//! Renames, exchanges and hard links.

use super::needs::{ModelCase, NO_FOLLOW, Referring, RightsRuling, RulesNotAsked, unknown};
use super::rules::{Move, RuleCheck};
use super::tree::{MountedName, NameIndex, ObjectKind};
use crate::policy::landlock::rights::{FsRight, Right as _, RightSet};

/// `get_mode_access` in security/landlock/fs.c.
fn make_right(kind: &ObjectKind) -> FsRight {
    match kind {
        ObjectKind::Dir => FsRight::MakeDir,
        ObjectKind::Fifo => FsRight::MakeFifo,
        ObjectKind::Symlink(_) => FsRight::MakeSym,
        ObjectKind::File | ObjectKind::Program | ObjectKind::Host => FsRight::MakeReg,
    }
}

impl ModelCase<'_> {
    pub(super) fn refer(&mut self, how: Referring) -> Result<RightsRuling, RulesNotAsked> {
        let to_text = match &self.action.to {
            Some(to) => to,
            None => return unknown("the action names no second path"),
        };
        if how != Referring::Link {
            self.not_onto_itself(to_text)?;
        }
        let (from, object, from_slash) = self.entry(&self.action.target)?;
        let existing = self.find(to_text, NO_FOLLOW)?;
        let (to, back) = match (how, existing.place) {
            (Referring::Link, _) | (Referring::Rename, None) => {
                let is_folder = *self.tree.kind(object.name) == ObjectKind::Dir;
                (self.fresh(to_text, is_folder && how == Referring::Rename)?, None)
            }
            _ => {
                let (folder, place, slash) = self.entry(to_text)?;
                let judged = if how == Referring::Exchange { place.name } else { object.name };
                if slash && *self.tree.kind(judged) != ObjectKind::Dir {
                    return unknown(
                        "a path ends with a slash but is no folder, so the operation fails without a policy too",
                    );
                }
                (folder, Some(place))
            }
        };
        let kind = self.tree.kind(object.name).clone();
        let is_folder = kind == ObjectKind::Dir;
        if from_slash && !is_folder {
            return unknown("a path ends with a slash but is no folder, so the operation fails without a policy too");
        }
        if from.mount != to.mount {
            return unknown(
                "the two paths are on different mounts, so the operation fails without a policy too (EXDEV)",
            );
        }
        if how == Referring::Link && is_folder {
            return unknown("a folder cannot be linked, so the operation fails without a policy too");
        }
        let into_itself = |outer: NameIndex, inner: NameIndex| outer == inner || self.tree.is_beneath(inner, outer);
        if is_folder && into_itself(object.name, to.name) {
            return unknown("the target lies inside the folder itself, so the operation fails without a policy too");
        }
        if let Some(back) = back {
            let back_is_folder = *self.tree.kind(back.name) == ObjectKind::Dir;
            if back_is_folder && into_itself(back.name, from.name) {
                return unknown("the one path lies inside the other, so the operation fails without a policy too");
            }
            // A rename to another name of the same object is no error and does nothing.
            if how == Referring::Rename
                && self.tree.object(back.name) != self.tree.object(object.name)
                && (back_is_folder != is_folder || (back_is_folder && self.tree.has_children(back.name)))
            {
                return unknown("the existing target cannot be replaced, so the operation fails without a policy too");
            }
        }
        let made = |kind: &ObjectKind| RightSet::EMPTY.with(make_right(kind));
        let removed = |kind: &ObjectKind| {
            RightSet::EMPTY.with(if *kind == ObjectKind::Dir { FsRight::RemoveDir } else { FsRight::RemoveFile })
        };
        let mut from_needs = RightSet::EMPTY;
        let mut to_needs = made(&kind);
        if how != Referring::Link {
            from_needs = from_needs.union(removed(&kind));
        }
        if let Some(back) = back {
            let back_kind = self.tree.kind(back.name).clone();
            to_needs = to_needs.union(removed(&back_kind));
            if how == Referring::Exchange {
                from_needs = from_needs.union(made(&back_kind));
            }
        }
        if from.name == to.name {
            return self.require_all(&[(from, from_needs.union(to_needs))]);
        }
        let refer = RightSet::EMPTY.with(FsRight::Refer);
        self.note_needs(from_needs.union(refer), from.name);
        self.note_needs(to_needs.union(refer), to.name);
        let request = Move {
            from,
            to,
            from_needs,
            to_needs,
            object: object.name,
            back: back.filter(|_| how == Referring::Exchange).map(|back| back.name),
        };
        let verdict = self.rules.check_move(self.tree, &request);
        if matches!(verdict, RuleCheck::Missing(..)) {
            // Of such a move the kernel names every handled right that either folder lacks, because it compares what the object
            // may be used for in both (`is_access_to_paths_allowed` of security/landlock/fs.c, `is_dom_check`).
            let handled = self.policy.layers.iter().fold(RightSet::EMPTY, |all, layer| all.union(layer.handled_fs));
            self.block_missing(&[(from, handled), (to, handled)]);
            // And it is refused for want of this one also where nothing handles it.
            self.block(format!("fs.{}", FsRight::Refer.name()));
        }
        let needed = from_needs.union(to_needs).union(refer);
        Ok(match self.settle_move(verdict, &request)? {
            Ok(by) => self.granted(needed, &by),
            Err(ruling) => ruling,
        })
    }

    /// A mount point cannot be moved, but onto another name of its own object it is: `vfs_rename` in fs/namei.c does nothing
    /// and succeeds before it looks for mounts. Rights are asked of the object below the mount then, which is not kept here.
    fn not_onto_itself(&mut self, to_text: &str) -> Result<(), RulesNotAsked> {
        // Nothing is noted of either: in every other case what follows asks about them in its own order.
        let mut place =
            |text: &str| self.tree.resolve(text, NO_FOLLOW).ok().filter(|end| end.ordinary).and_then(|end| end.place);
        let (Some(from), Some(to)) = (place(&self.action.target), place(to_text)) else { return Ok(()) };
        let one_object = self.tree.object(from.name) == self.tree.object(to.name);
        if one_object && (self.tree.is_mount_point(from) || self.tree.is_mount_point(to)) {
            return unknown(format!(
                "`{}` is a mount point that may be moved onto a name of its own, and what lies below the mount is not known",
                self.action.target
            ));
        }
        Ok(())
    }

    fn settle_move(
        &self,
        verdict: RuleCheck,
        request: &Move,
    ) -> Result<Result<Vec<(FsRight, usize)>, RightsRuling>, RulesNotAsked> {
        // The side on which the right is missing; `refer` is needed on both.
        let side = match &verdict {
            RuleCheck::Missing(right, _) => {
                let refused = |place: MountedName| {
                    matches!(self.rules.check(self.tree, place, RightSet::EMPTY.with(*right)), RuleCheck::Missing(..))
                };
                let from = request.from_needs.with(FsRight::Refer).contains(*right) && refused(request.from);
                if from { request.from.name } else { request.to.name }
            }
            _ => request.to.name,
        };
        self.settle(verdict, side)
    }
}
