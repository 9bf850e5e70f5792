//! Where paths lead among declared fixtures and mounts, links and `..` followed as the kernel does. It says nothing about
//! rights, and holds for any policy.

use super::tree::{LostPath, ModelTree, NameIndex, ObjectKind, ROOT};
use crate::record::action::BindMount;
use crate::record::fixture::{FixtureEntry, FixtureKind};

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// To something that the run makes.
    Own(FixtureKind, String),
    /// Nowhere: the operation fails.
    Nothing,
    /// Out of what the run makes, to this place or for this reason.
    Outside(String),
}

/// Fixtures and mounts, laid out.
#[derive(Debug)]
pub struct Landings {
    tree: ModelTree,
}

impl Landings {
    /// Lays them out.
    ///
    /// # Errors
    /// Why they cannot be.
    pub fn of(fixtures: &[FixtureEntry], mounts: &[BindMount]) -> Result<Self, String> {
        ModelTree::build(fixtures, mounts).map(|tree| Self { tree })
    }

    /// What `path` leads to, a final link followed.
    pub fn object(&mut self, path: &str) -> Landing {
        match self.tree.resolve(path, true) {
            Ok(found) => match found.place {
                Some(place) => self.landing(place.name),
                None => Landing::Nothing,
            },
            Err(lost) => Self::lost(lost),
        }
    }

    /// The folder in which `path` names an entry. One of the run's own folders may be named itself.
    pub fn entry(&mut self, path: &str) -> Landing {
        match self.tree.resolve(path, false) {
            Ok(found) => {
                let itself = found.place.filter(|place| place.name == ROOT || self.tree.is_elsewhere(place.name));
                self.landing(itself.map_or(found.parent.name, |place| place.name))
            }
            Err(lost) => Self::lost(lost),
        }
    }

    fn landing(&self, name: NameIndex) -> Landing {
        let kind = match self.tree.kind(name) {
            ObjectKind::Host => return Landing::Outside(self.tree.path(name)),
            ObjectKind::Dir => FixtureKind::Dir,
            ObjectKind::File => FixtureKind::File,
            ObjectKind::Program => FixtureKind::Program,
            ObjectKind::Fifo => FixtureKind::Fifo,
            ObjectKind::Symlink(_) => FixtureKind::Symlink,
        };
        Landing::Own(kind, self.tree.path(name))
    }

    fn lost(lost: LostPath) -> Landing {
        match lost {
            LostPath::Outside(_) | LostPath::Inspects { .. } => Landing::Outside(lost.reason()),
            LostPath::Missing(_) | LostPath::Other(_) => Landing::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: FixtureKind, to: Option<&str>) -> FixtureEntry {
        FixtureEntry { to: to.map(str::to_owned), ..FixtureEntry::new(path, kind) }
    }

    #[test]
    fn links_are_followed_to_their_end() {
        let fixtures = [
            entry("b", FixtureKind::Symlink, Some("/tmp/victim")),
            entry("a", FixtureKind::Symlink, Some("b")),
            entry("d1/d2/l", FixtureKind::Symlink, Some("${root}")),
            entry("f", FixtureKind::File, None),
            entry("h", FixtureKind::Hardlink, Some("a")),
            entry("proc", FixtureKind::Symlink, Some("/proc/self/cwd")),
            entry("round", FixtureKind::Symlink, Some("/proc/self/root${root}/f")),
            entry("/tmp/${name.x}/sub/g", FixtureKind::File, None),
            entry("/tmp/${name.x}/up", FixtureKind::Symlink, Some("../../etc")),
        ];
        let mut paths = Landings::of(&fixtures, &[]).unwrap();
        let own = |path: &str| Landing::Own(FixtureKind::File, path.into());
        assert_eq!(paths.object("${root}/d1/d2/l/d1/d2/l/f"), own("${root}/f"));
        assert_eq!(paths.object("${root}/round"), own("${root}/f"));
        assert_eq!(paths.object("/tmp/${name.x}/sub/g"), own("/tmp/${name.x}/sub/g"));
        assert_eq!(paths.object("${root}/none/x"), Landing::Nothing);
        let outside = |path: &str| Landing::Outside(path.into());
        for path in ["a/keep", "b/keep", "h/keep", "d1/d2/l/a/keep"] {
            assert_eq!(paths.object(&format!("${{root}}/{path}")), outside("/tmp/victim/keep"), "{path}");
            assert_eq!(paths.entry(&format!("${{root}}/{path}")), outside("/tmp/victim"), "{path}");
        }
        assert_eq!(paths.object("/tmp/${name.x}/up/passwd"), outside("/etc/passwd"));
        for path in ["d1/d2/l/../x", "proc/x", "d1/../../x"] {
            assert!(matches!(paths.entry(&format!("${{root}}/{path}")), Landing::Outside(_)), "{path}");
        }
        // The entry is the run's own, wherever it leads.
        assert!(matches!(paths.entry("${root}/a"), Landing::Own(FixtureKind::Dir, _)));
        for path in ["${root}", "${root}/d1/d2/l/.", "/tmp/${name.x}"] {
            assert!(matches!(paths.entry(path), Landing::Own(..)), "{path}");
        }
        assert_eq!(paths.entry("/tmp/${name.y}"), outside("/tmp"));
    }

    #[test]
    fn mounts_show_what_they_are_made_of() {
        let fixtures = [entry("m", FixtureKind::Dir, None), entry("o/f", FixtureKind::File, None)];
        let mount = |from: &str| BindMount { from: from.into(), at: "${root}/m".into() };
        let mut paths = Landings::of(&fixtures, &[mount("/etc")]).unwrap();
        assert_eq!(paths.object("${root}/m/passwd"), Landing::Outside("/etc/passwd".into()));
        let mut paths = Landings::of(&fixtures, &[mount("${root}/o")]).unwrap();
        assert_eq!(paths.object("${root}/m/f"), Landing::Own(FixtureKind::File, "${root}/o/f".into()));
    }
}
