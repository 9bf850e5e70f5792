//! How the kernel walks a path: which symbolic links it crosses, and where it arrives.
//!
//! Rules see the place of arrival, spelled as the kernel spells it; each link crossed is looked at by itself
//! (`lookup_handle_symlink` asks `mac_vnode_check_readlink`; bsd/vfs/vfs_lookup.c of xnu).

use std::collections::{BTreeMap, BTreeSet};

use super::host::HostTable;
use crate::base::placeholder::ROOT as ROOT_TEXT;
use crate::record::fixture::{FixtureEntry, FixtureKind};

/// As many symbolic links as one lookup follows (`MAXSYMLINKS`, bsd/sys/param.h of xnu).
const MAX_LINKS: usize = 32;
/// Longer paths do not exist (`PATH_MAX`, bsd/sys/syslimits.h of xnu).
const MAX_PATH_BYTES: usize = 1024;

/// What stands at a declared place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredNode {
    /// What it is, as the filter `vnode-type` names it; a symbolic link holds its text.
    pub kind: NodeKind,
    /// Permission bits; `None` if they are not known.
    pub mode: Option<u32>,
}

/// The kinds of node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A FIFO.
    Fifo,
    /// A device that is read and written byte by byte.
    CharacterDevice,
    /// A symbolic link with this text.
    Symlink(String),
}

impl NodeKind {
    /// As `vnode-type` names it.
    pub(super) fn vnode_type(&self) -> &'static str {
        match self {
            Self::File => "REGULAR-FILE",
            Self::Folder => "DIRECTORY",
            Self::Fifo => "FIFO",
            Self::CharacterDevice => "CHARACTER-DEVICE",
            Self::Symlink(_) => "SYMLINK",
        }
    }
}

/// The places that are declared, beside those of an installed system.
#[derive(Debug, Clone, Default)]
pub struct DeclaredTree {
    nodes: BTreeMap<String, DeclaredNode>,
    /// Whether `${root}` holds exactly what is declared.
    fixtures: bool,
}

/// A walk that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathWalk {
    /// The places of the links that were followed, in order.
    pub crossed: Vec<String>,
    /// Where it arrived.
    pub place: String,
    /// What is declared there.
    pub node: Option<DeclaredNode>,
    /// What is taken for granted.
    pub assumes: BTreeSet<String>,
}

/// What a walk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WalkPurpose {
    /// The last part has to be there, and is followed if it is a link.
    Follow,
    /// The last part has to be there, and is looked at itself.
    Keep,
    /// The last part is about to be made.
    Make,
}

/// How the kernel spells `path` on an installed system, if otherwise: through a symbolic link or a firmlink on the way, the
/// last name included. `None` if it is spelled so already, or leads nowhere that is known.
pub fn resolved_spelling(path: &str) -> Option<String> {
    let walk = DeclaredTree::default().walk(path, WalkPurpose::Follow).ok()?;
    (walk.place != folded(path)).then_some(walk.place)
}

impl DeclaredTree {
    /// The tree of a probe's fixtures under `${root}`, in the order of their making.
    pub fn of_fixtures(fixtures: &[FixtureEntry]) -> Self {
        let mut tree = Self { nodes: BTreeMap::new(), fixtures: true };
        tree.put(ROOT_TEXT.to_owned(), NodeKind::Folder, None);
        for fixture in fixtures {
            // One with an absolute path lies in a folder of the run's own elsewhere.
            let place = match fixture.path.strip_prefix('/') {
                Some(_) => fixture.path.clone(),
                None => format!("{ROOT_TEXT}/{}", fixture.path),
            };
            for (end, _) in place.match_indices('/').skip(1) {
                let folder = place[..end].to_owned();
                tree.nodes.entry(folder).or_insert(DeclaredNode { kind: NodeKind::Folder, mode: None });
            }
            let text = || fixture.to.clone().unwrap_or_default();
            let mode = fixture.mode.as_deref().and_then(|text| u32::from_str_radix(text, 8).ok());
            let (kind, mode) = match fixture.kind {
                FixtureKind::File => (NodeKind::File, mode.or(Some(0o644))),
                FixtureKind::Program => (NodeKind::File, mode.or(Some(0o755))),
                FixtureKind::Dir => (NodeKind::Folder, mode.or(Some(0o755))),
                FixtureKind::Fifo => (NodeKind::Fifo, mode),
                FixtureKind::Symlink => (NodeKind::Symlink(text()), mode),
                FixtureKind::Hardlink => {
                    let original = tree.nodes.get(&format!("{ROOT_TEXT}/{}", text())).cloned();
                    original.map_or((NodeKind::File, mode), |node| (node.kind, node.mode))
                }
            };
            tree.put(place, kind, mode);
        }
        tree
    }

    /// Declares what stands at `path`, which may be spelled through links that are known already. An error says why
    /// the path leads nowhere.
    pub fn declare(&mut self, path: &str, kind: NodeKind) -> Result<(), String> {
        let walk = self.walk(path, WalkPurpose::Make)?;
        self.put(walk.place, kind, None);
        Ok(())
    }

    fn put(&mut self, place: String, kind: NodeKind, mode: Option<u32>) {
        self.nodes.insert(place, DeclaredNode { kind, mode });
    }

    /// Walks `path`. The error says why it leads nowhere that is known.
    pub(super) fn walk(&self, path: &str, last: WalkPurpose) -> Result<PathWalk, String> {
        let host = HostTable::get();
        if path.len() > MAX_PATH_BYTES {
            return Err(format!("the path is longer than {MAX_PATH_BYTES} bytes"));
        }
        if path.contains('\0') {
            return Err("the path holds a NUL".into());
        }
        let mut walk = PathWalk { crossed: Vec::new(), place: String::new(), node: None, assumes: BTreeSet::new() };
        let mut pending = Vec::new();
        let mut place = begin(path, &mut pending).ok_or_else(|| format!("`{path}` is a relative path"))?;
        while let Some(part) = pending.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    if place == ROOT_TEXT {
                        return Err(format!("`{path}` climbs out of `{ROOT_TEXT}`"));
                    }
                    if !place.is_empty() && host.firmlinked(&format!("/System/Volumes/Data{place}")).is_some() {
                        walk.assumes.insert(format!("`..` behind `{place}` leads to the folder that its name shows"));
                    }
                    place.truncate(place.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            // A slash at the end makes the last part a folder, so a link there is followed.
            let is_last = pending.iter().all(|rest| matches!(rest.as_str(), "" | "."));
            let keeps = is_last && pending.is_empty() && last != WalkPurpose::Follow;
            place.push('/');
            place.push_str(&part);
            if let Some(name) = host.firmlinked(&place) {
                place = name.to_owned();
            }
            let node = self.nodes.get(&place);
            let text = match node {
                Some(DeclaredNode { kind: NodeKind::Symlink(text), .. }) => Some(text.as_str()),
                Some(_) => None,
                None => host.link(&place),
            };
            match text {
                Some(text) if !keeps => {
                    if walk.crossed.len() == MAX_LINKS {
                        return Err(format!("`{path}` crosses more than {MAX_LINKS} symbolic links"));
                    }
                    walk.crossed.push(place.clone());
                    match begin(text, &mut pending) {
                        Some(start) => place = start,
                        None => {
                            pending.extend(text.split('/').rev().map(str::to_owned));
                            place.truncate(place.rfind('/').unwrap_or(0));
                        }
                    }
                }
                _ => self.arrive(&place, node, text.is_some(), is_last, last, &mut walk.assumes)?,
            }
        }
        if place.is_empty() {
            place.push('/');
        }
        if host.is_outside_firmlinks(&place) {
            walk.assumes.insert(format!("the kernel names `{place}`, which no firmlink leads to, by that very path"));
        }
        let known_link = host.link(&place).map(|text| NodeKind::Symlink(text.to_owned()));
        let device = host.is_device(&place).then_some(NodeKind::CharacterDevice);
        let known = known_link.or(device).map(|kind| DeclaredNode { kind, mode: None });
        walk.node = self.nodes.get(&place).cloned().or(known);
        walk.place = place;
        Ok(walk)
    }

    /// Looks at a part that is not followed as a link.
    fn arrive(
        &self,
        place: &str,
        node: Option<&DeclaredNode>,
        is_link: bool,
        is_last: bool,
        last: WalkPurpose,
        assumes: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        if let Some(node) = node {
            let folder = matches!(node.kind, NodeKind::Folder);
            if !is_last && !folder {
                return Err(format!("`{place}` is no folder"));
            }
            if is_last && last == WalkPurpose::Make {
                return Err(format!("`{place}` is there already"));
            }
            return Ok(());
        }
        if is_link || HostTable::get().is_plain(place) || (is_last && last == WalkPurpose::Make) {
            return Ok(());
        }
        if self.fixtures && place.starts_with(ROOT_TEXT) {
            return Err(format!("`{place}` is not among the declared fixtures"));
        }
        // Whether what is looked at itself is a link makes no difference.
        if !(is_last && last == WalkPurpose::Keep) {
            assumes.insert(format!("`{place}` is no symbolic link"));
        }
        Ok(())
    }
}

/// Stacks the parts of an absolute path, the first on top, and gives the place where it begins. `None`: it is relative.
fn begin(path: &str, pending: &mut Vec<String>) -> Option<String> {
    let (start, rest) = match path.strip_prefix(ROOT_TEXT) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => (ROOT_TEXT, rest),
        _ => ("", path.strip_prefix('/').map(|_| path)?),
    };
    pending.extend(rest.split('/').rev().map(str::to_owned));
    Some(start.to_owned())
}

/// A path's text without doubled slashes, `.`, `..` and a slash at its end; what it names is not looked at.
pub(super) fn folded(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    if path.starts_with(ROOT_TEXT) { parts.join("/") } else { format!("/{}", parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn walk(path: &str, last: WalkPurpose) -> (Vec<String>, String) {
        let walk = DeclaredTree::default().walk(path, last).unwrap();
        (walk.crossed, walk.place)
    }

    #[test]
    fn aliases_lead_to_the_resolved_path() {
        for (path, crossed, place) in [
            ("/tmp/x", &["/tmp"][..], "/private/tmp/x"),
            ("/private/tmp/x", &[], "/private/tmp/x"),
            ("/private/tmp/dir/../x", &[], "/private/tmp/x"),
            ("//private//tmp/./x", &[], "/private/tmp/x"),
            ("/etc/hosts", &["/etc"], "/private/etc/hosts"),
            ("/var/tmp/y", &["/var"], "/private/var/tmp/y"),
            ("/tmp/../var/tmp/y", &["/tmp"], "/private/var/tmp/y"),
            ("/System/Volumes/Data/private/var/tmp/p", &[], "/private/var/tmp/p"),
            ("/System/Volumes/Data/Users/a/b", &[], "/Users/a/b"),
            ("/System/Volumes/Data/System/Library/Caches/c", &[], "/System/Library/Caches/c"),
            ("/System/Volumes/Data/.trash", &[], "/System/Volumes/Data/.trash"),
            ("/System/Volumes/Database/private", &[], "/System/Volumes/Database/private"),
            ("/", &[], "/"),
            ("/..", &[], "/"),
        ] {
            assert_eq!(
                walk(path, WalkPurpose::Follow),
                (crossed.iter().map(|link| (*link).to_owned()).collect(), place.into())
            );
        }
        assert_eq!(walk("/tmp", WalkPurpose::Keep), (vec![], "/tmp".into()));
        assert_eq!(walk("/tmp/", WalkPurpose::Keep), (vec!["/tmp".into()], "/private/tmp".into()));
        assert_eq!(walk("/tmp", WalkPurpose::Follow), (vec!["/tmp".into()], "/private/tmp".into()));
    }

    #[test]
    fn declared_links_are_crossed_hop_by_hop() {
        let mut tree = DeclaredTree::default();
        tree.declare("/tmp/dir/link", NodeKind::Symlink("/var/tmp".into())).unwrap();
        tree.declare("/tmp/dir/again", NodeKind::Symlink("link/../tmp/./".into())).unwrap();
        let found = tree.walk("/private/tmp/dir/again/z", WalkPurpose::Follow).unwrap();
        assert_eq!(found.crossed, ["/private/tmp/dir/again", "/private/tmp/dir/link", "/var"]);
        assert_eq!(found.place, "/private/var/tmp/z");
        tree.declare("/tmp/loop", NodeKind::Symlink("loop".into())).unwrap();
        assert!(tree.walk("/tmp/loop", WalkPurpose::Follow).unwrap_err().contains("more than 32"));
        assert_eq!(tree.walk("/tmp/loop", WalkPurpose::Keep).unwrap().place, "/private/tmp/loop");
        assert!(tree.walk("tmp", WalkPurpose::Keep).unwrap_err().contains("relative"));
    }

    #[test]
    fn what_is_declared_needs_no_assumption() {
        let link = FixtureEntry { to: Some("${root}/a".into()), ..FixtureEntry::new("b", FixtureKind::Symlink) };
        let tree = DeclaredTree::of_fixtures(&[FixtureEntry::new("a/file", FixtureKind::File), link]);
        let found = tree.walk("${root}/b/file", WalkPurpose::Follow).unwrap();
        assert_eq!((found.crossed, found.place.as_str()), (vec!["${root}/b".to_owned()], "${root}/a/file"));
        assert!(found.assumes.is_empty());
        assert!(tree.walk("${root}/a/none", WalkPurpose::Follow).unwrap_err().contains("not among"));
        assert!(tree.walk("${root}/../x", WalkPurpose::Follow).unwrap_err().contains("climbs"));
        assert!(tree.walk("${root}/a/file/x", WalkPurpose::Follow).unwrap_err().contains("no folder"));
        assert!(tree.walk("${root}/a/file", WalkPurpose::Make).unwrap_err().contains("already"));
        assert!(tree.walk("${root}/a/new", WalkPurpose::Make).unwrap().assumes.is_empty());
        let host = DeclaredTree::default().walk("/private/tmp/x/y", WalkPurpose::Follow).unwrap();
        assert_eq!(host.assumes.len(), 2);
        assert!(DeclaredTree::default().walk("/private/etc/hosts", WalkPurpose::Follow).unwrap().assumes.is_empty());
    }

    proptest! {
        #[test]
        fn no_path_panics_and_folding_is_idempotent(path in "[/.a-z$\\{\\}é]{0,40}") {
            prop_assert_eq!(folded(&folded(&path)), folded(&path));
            let _ = DeclaredTree::default().walk(&path, WalkPurpose::Follow);
        }

        /// A resolved path resolves to itself and crosses nothing.
        #[test]
        fn resolving_is_idempotent(
            top in proptest::sample::select(vec!["/tmp", "/var", "/etc", "/private/tmp", "/System/Volumes/Data/private", "/Users"]),
            rest in "(/[a-z.]{1,4}){0,6}",
        ) {
            let tree = DeclaredTree::default();
            if let Ok(once) = tree.walk(&format!("{top}{rest}"), WalkPurpose::Follow) {
                let twice = tree.walk(&once.place, WalkPurpose::Follow).unwrap();
                prop_assert_eq!(&twice.place, &once.place);
                prop_assert!(twice.crossed.is_empty());
            }
        }
    }
}
