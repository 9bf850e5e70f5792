//! What operations on files need.

use super::needs::{FOLLOW, HANDLED_FS, ModelCase, RightsRuling, RulesNotAsked, unknown};
use super::rules::{self, RuleCheck};
use super::tree::{MountedName, ObjectKind, SLASH};
use crate::policy::landlock::rights::{FsRight, RightSet};
use crate::record::driver::Driver;
use crate::record::outcome::Decision;

impl ModelCase<'_> {
    pub(super) fn open(&mut self, wanted: &[FsRight]) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.regular(FOLLOW)?;
        self.require(place, wanted)
    }

    pub(super) fn read_at(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.regular(FOLLOW)?;
        self.require(place, &[FsRight::ReadFile])
    }

    pub(super) fn list(&mut self) -> Result<RightsRuling, RulesNotAsked> {
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
    pub(super) fn lock(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let place = self.existing(&self.action.target, FOLLOW)?;
        if *self.tree.kind(place.name) == ObjectKind::Dir {
            self.prepare(place, FsRight::ReadDir)?;
        } else {
            let place = self.regular(FOLLOW)?;
            self.prepare(place, FsRight::ReadFile)?;
        }
        self.never("Landlock has no right for locks")
    }

    pub(super) fn chdir(&mut self) -> Result<RightsRuling, RulesNotAsked> {
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
    pub(super) fn anywhere(&mut self, wanted: &[FsRight], why: &str) -> Result<RightsRuling, RulesNotAsked> {
        let set = wanted.iter().fold(RightSet::EMPTY, |set, right| set.with(*right));
        if self.rules.handled(set) == RightSet::EMPTY {
            return Ok(self.granted(set, &[]));
        }
        unknown(why)
    }

    pub(super) fn exec(&mut self) -> Result<RightsRuling, RulesNotAsked> {
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

    pub(super) fn create_file(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let folder = self.fresh(&self.action.target, false)?;
        let make = RightSet::EMPTY.with(FsRight::MakeReg);
        let write = RightSet::EMPTY.with(FsRight::WriteFile);
        // No rule can be tied to a file that did not exist, so its folder stands for it in the second check.
        self.require_all(&[(folder, make), (folder, write)])
    }

    pub(super) fn make(&mut self, right: FsRight, slash_is_fine: bool) -> Result<RightsRuling, RulesNotAsked> {
        let folder = self.fresh(&self.action.target, slash_is_fine)?;
        self.require(folder, &[right])
    }

    /// The device of number 0:0 is a whiteout. Kernels up to the summer of 2026 ask for `make_char` on it; later ones,
    /// long-term ones among them, for `make_reg` (landlock-lsm/linux#63, "landlock: Require LANDLOCK_ACCESS_FS_MAKE_REG
    /// for whiteout creation"). The ABI does not tell which, so only what both say is certain.
    pub(super) fn whiteout(&mut self) -> Result<RightsRuling, RulesNotAsked> {
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

    pub(super) fn unlink(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let (folder, place, slash) = self.entry(&self.action.target)?;
        if *self.tree.kind(place.name) == ObjectKind::Dir || slash {
            return unknown("the target is a folder or ends with a slash, so unlinking fails without a policy too");
        }
        self.require(folder, &[FsRight::RemoveFile])
    }

    pub(super) fn rmdir(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        let (folder, place, _) = self.entry(&self.action.target)?;
        if *self.tree.kind(place.name) != ObjectKind::Dir || self.tree.has_children(place.name) {
            return unknown("the target is no empty folder, so removing it fails without a policy too");
        }
        self.require(folder, &[FsRight::RemoveDir])
    }

    pub(super) fn xattr(&mut self) -> Result<RightsRuling, RulesNotAsked> {
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

    pub(super) fn mount(&mut self) -> Result<RightsRuling, RulesNotAsked> {
        self.existing(&self.action.target, FOLLOW)?;
        if let Some(to) = self.action.to.clone() {
            self.existing(&to, FOLLOW)?;
        }
        Ok(match self.policy.layers.iter().position(|layer| !layer.handled_fs.is_empty()) {
            None => {
                let reason = "the policy handles no file right, so mounting stays possible";
                RightsRuling::allow(Some(&self.at(0, HANDLED_FS)), reason)
            }
            Some(layer) => {
                self.block("fs.change_topology".to_owned());
                let reason = "a policy that handles any file right also refuses every change of mounts";
                RightsRuling::deny(&self.at(layer, HANDLED_FS), reason)
            }
        })
    }

    // --- network and scopes ----------------------------------------------------------------------------------
}
