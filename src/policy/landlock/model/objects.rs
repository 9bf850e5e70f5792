//! What the paths of an operation lead to.

use super::needs::{ModelCase, NO_FOLLOW, PTRACE, RightsRuling, RulesNotAsked, unknown};
use super::procfs;
use super::rules;
use super::tree::{LostPath, MountedName, NameIndex, ObjectKind, PathEnd, ROOT, SLASH};
use crate::record::driver::Driver;

impl ModelCase<'_> {
    pub(super) fn find(&mut self, text: &str, follow: bool) -> Result<PathEnd, RulesNotAsked> {
        let found = self.tree.resolve(text, follow).map_err(|lost| self.stop(&lost, follow))?;
        self.note_names(found.parent.name);
        if let Some(place) = found.place {
            self.note_names(place.name);
        }
        Ok(found)
    }

    pub(super) fn fails(&self, lost: &LostPath) -> String {
        match lost {
            LostPath::Missing(_) => format!("{}, so the operation fails without a policy too", lost.reason()),
            other => other.reason(),
        }
    }

    /// What it means that a path leads nowhere that is known.
    pub(super) fn stop(&mut self, lost: &LostPath, follow: bool) -> RulesNotAsked {
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
        self.block(PTRACE.to_owned());
        let reason = format!(
            "`{path}` shows another process, and a process in any domain may not inspect one outside it, whatever the \
             policy grants"
        );
        RulesNotAsked::Settled(RightsRuling::deny("", reason))
    }

    /// Host paths and tight permission bits on the way are taken for granted, and said.
    pub(super) fn note_names(&mut self, mut name: NameIndex) {
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

    pub(super) fn existing(&mut self, text: &str, follow: bool) -> Result<MountedName, RulesNotAsked> {
        let found = self.find(text, follow)?;
        let Some(place) = found.place else {
            return unknown(self.fails(&LostPath::Missing(text.into())));
        };
        if found.slash && !matches!(self.tree.kind(place.name), ObjectKind::Dir | ObjectKind::Host) {
            return unknown(format!("`{text}` ends with a slash but is no folder, so the lookup fails (ENOTDIR)"));
        }
        Ok(place)
    }

    pub(super) fn regular(&mut self, follow: bool) -> Result<MountedName, RulesNotAsked> {
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
}
