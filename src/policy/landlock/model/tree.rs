//! A file system that exists only on paper: the declared fixtures under a symbolic `${root}`, and host paths as spelled.
//!
//! Names and objects are kept apart, as in the kernel: a name (dentry) has one parent, an object (inode) may have
//! several names. Landlock ties rules to objects and walks up over names, so both matter.

mod lookup;

use std::collections::HashMap;

use crate::base::placeholder::ROOT as ROOT_TEXT;
use crate::record::action::BindMount;
use crate::record::fixture::{FixtureEntry, FixtureKind, OutsideFixture};

/// As many symbolic links as the kernel follows in one lookup (`MAXSYMLINKS`, include/linux/namei.h).
const MAX_LINKS: usize = 40;

/// The folder of the process's only thread, as a path: what it is called where it lies is not known.
const THREAD_SELF: &str = "/proc/thread-self";

/// A name in the tree.
pub(super) type NameIndex = usize;
/// An object in the tree.
pub(super) type ObjectIndex = usize;

/// The process's root folder.
pub(super) const SLASH: NameIndex = 0;
/// The host folders between `/` and the fixture root, none or many, unknown here.
pub(super) const BETWEEN: NameIndex = 1;
/// The fixture root.
pub(super) const ROOT: NameIndex = 2;

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Dir,
    File,
    Program,
    Fifo,
    Symlink(String),
    /// Outside the fixture root: whatever the host has there.
    Host,
}

#[derive(Debug)]
struct NameEntry {
    parent: NameIndex,
    text: String,
    object: ObjectIndex,
}

#[derive(Debug)]
struct ObjectEntry {
    kind: ObjectKind,
    /// Explicit permission bits that leave the owner less than reading and writing (and passing, for folders).
    tight_mode: Option<String>,
    xattrs: Vec<String>,
}

#[derive(Debug)]
struct TreeMount {
    /// The mount that holds the mount point.
    parent: usize,
    /// The mount point.
    at: NameIndex,
    /// What is shown.
    root: NameIndex,
}

/// A state of a tree to which it only added.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeMark {
    names: usize,
    objects: usize,
}

/// A place: a name seen through a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MountedName {
    pub mount: usize,
    pub name: NameIndex,
}

/// Where a path leads.
#[derive(Debug, Clone)]
pub(super) struct PathEnd {
    /// The folder in which the last part was looked up. For a path that ends at a root, `.` or `..`: the place itself.
    pub parent: MountedName,
    /// What the path names; `None` if the last part does not exist.
    pub place: Option<MountedName>,
    /// Whether the last part is an ordinary name (not a root, `.` or `..`).
    pub ordinary: bool,
    /// The last part.
    pub last: String,
    /// Whether the path ends with a slash or a `.`, so that it can only name a folder.
    pub slash: bool,
}

/// Why a path leads nowhere that the model knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LostPath {
    /// A part does not exist among the declared fixtures.
    Missing(String),
    /// It leaves what is known, towards the host.
    Outside(String),
    /// The lookup itself fails.
    Other(String),
    /// It meets a link that only those may follow or read who may inspect another process.
    Inspects {
        /// Path of the link.
        path: String,
        /// Whether it is the last part of the path.
        last: bool,
    },
}

impl LostPath {
    /// Whether a part of the path is none of the declared fixtures.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }

    pub(super) fn reason(&self) -> String {
        match self {
            Self::Missing(path) => format!("`{path}` does not exist in the declared fixtures"),
            Self::Outside(text) | Self::Other(text) => text.clone(),
            Self::Inspects { path, .. } => {
                format!("where `{path}` leads is only known to who may inspect that process")
            }
        }
    }
}

/// Names and objects below the fixture root, and the mounts over them.
#[derive(Debug)]
pub(super) struct ModelTree {
    names: Vec<NameEntry>,
    objects: Vec<ObjectEntry>,
    children: HashMap<(NameIndex, String), NameIndex>,
    /// `/proc/thread-self`, once it was met: it is found in another folder than the one above it.
    thread: Option<NameIndex>,
    mounts: Vec<TreeMount>,
}

impl ModelTree {
    /// The fixtures, in the order in which they are made, and then the mounts.
    pub(super) fn build(fixtures: &[FixtureEntry], mounts: &[BindMount]) -> Result<Self, String> {
        let mut tree = Self {
            names: Vec::new(),
            objects: Vec::new(),
            children: HashMap::new(),
            thread: None,
            mounts: vec![TreeMount { parent: 0, at: SLASH, root: SLASH }],
        };
        for (parent, text, kind) in
            [(SLASH, "", ObjectKind::Host), (SLASH, "", ObjectKind::Host), (BETWEEN, ROOT_TEXT, ObjectKind::Dir)]
        {
            let object = tree.add_object(kind);
            tree.names.push(NameEntry { parent, text: text.into(), object });
        }
        for fixture in fixtures {
            tree.add_fixture(fixture).map_err(|why| format!("fixture `{}`: {why}", fixture.path))?;
        }
        for mount in mounts {
            let mut place = |text: &str| match tree.resolve(text, true) {
                Ok(PathEnd { place: Some(place), .. }) => match tree.kind(place.name) {
                    ObjectKind::Dir | ObjectKind::Host => Ok(place),
                    _ => Err(format!("mount: `{text}` is not a folder")),
                },
                Ok(_) => Err(format!("mount: {}", LostPath::Missing(text.into()).reason())),
                Err(lost) => Err(format!("mount: {}", lost.reason())),
            };
            let from = place(&mount.from)?;
            let at = place(&mount.at)?;
            tree.mounts.push(TreeMount { parent: at.mount, at: at.name, root: from.name });
        }
        Ok(tree)
    }

    /// How much there is now, for [`Self::forget_since`].
    pub(super) fn mark(&self) -> TreeMark {
        TreeMark { names: self.names.len(), objects: self.objects.len() }
    }

    /// Forgets the host paths that were met since.
    pub(super) fn forget_since(&mut self, mark: TreeMark) {
        for entry in self.names.drain(mark.names..) {
            self.children.remove(&(entry.parent, entry.text));
        }
        self.thread = self.thread.filter(|thread| *thread < mark.names);
        self.objects.truncate(mark.objects);
    }

    fn add_object(&mut self, kind: ObjectKind) -> ObjectIndex {
        self.objects.push(ObjectEntry { kind, tight_mode: None, xattrs: Vec::new() });
        self.objects.len() - 1
    }

    fn add_name(&mut self, parent: NameIndex, text: &str, object: ObjectIndex) -> NameIndex {
        self.names.push(NameEntry { parent, text: text.into(), object });
        let name = self.names.len() - 1;
        self.children.insert((parent, text.into()), name);
        name
    }

    fn add_fixture(&mut self, fixture: &FixtureEntry) -> Result<(), String> {
        let (top, path) = match OutsideFixture::read(&fixture.path) {
            Some(place) if place.rest.is_empty() => {
                self.elsewhere(place);
                return Ok(());
            }
            Some(place) => (self.elsewhere(place), place.rest),
            None => (ROOT, fixture.path.as_str()),
        };
        let mut parts: Vec<&str> = path.split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err("the path is not made of plain parts".into());
        }
        let last = parts.pop().ok_or("the path is empty")?;
        let mut folder = top;
        for part in parts {
            folder = match self.children.get(&(folder, part.to_owned())) {
                Some(child) => *child,
                None => {
                    let object = self.add_object(ObjectKind::Dir);
                    self.add_name(folder, part, object)
                }
            };
            if *self.kind(folder) != ObjectKind::Dir {
                return Err(format!("`{part}` is not a folder"));
            }
        }
        let object = match fixture.kind {
            FixtureKind::Hardlink => {
                let to = fixture.to.as_deref().ok_or("a hard link needs `to`")?;
                let existing = self.plain(to).ok_or_else(|| format!("`{to}` does not stand before it"))?;
                self.names[existing].object
            }
            FixtureKind::Dir => match self.children.get(&(folder, last.to_owned())) {
                Some(existing) if *self.kind(*existing) == ObjectKind::Dir => {
                    let object = self.names[*existing].object;
                    self.describe(object, fixture);
                    return Ok(());
                }
                _ => self.add_object(ObjectKind::Dir),
            },
            FixtureKind::File => self.add_object(ObjectKind::File),
            FixtureKind::Program => self.add_object(ObjectKind::Program),
            FixtureKind::Fifo => self.add_object(ObjectKind::Fifo),
            FixtureKind::Symlink => {
                self.add_object(ObjectKind::Symlink(fixture.to.clone().ok_or("a symbolic link needs `to`")?))
            }
        };
        if self.children.contains_key(&(folder, last.to_owned())) {
            return Err("something else stands there already".into());
        }
        self.add_name(folder, last, object);
        self.describe(object, fixture);
        Ok(())
    }

    /// The folder of the run's own in a shared one.
    fn elsewhere(&mut self, place: OutsideFixture<'_>) -> NameIndex {
        let mut folder = SLASH;
        for part in place.parent.split('/').filter(|part| !part.is_empty()) {
            folder = self.child(folder, part, ObjectKind::Host);
        }
        self.child(folder, place.folder, ObjectKind::Dir)
    }

    fn child(&mut self, folder: NameIndex, text: &str, kind: ObjectKind) -> NameIndex {
        match self.children.get(&(folder, text.to_owned())) {
            Some(child) => *child,
            None => {
                let object = self.add_object(kind);
                self.add_name(folder, text, object)
            }
        }
    }

    /// Whether the name is that of a folder of the run's own in a shared one.
    pub(super) fn is_elsewhere(&self, name: NameIndex) -> bool {
        *self.kind(name) == ObjectKind::Dir && name != ROOT && *self.kind(self.parent(name)) == ObjectKind::Host
    }

    fn describe(&mut self, object: ObjectIndex, fixture: &FixtureEntry) {
        let entry = &mut self.objects[object];
        entry.xattrs.extend(fixture.xattrs.keys().cloned());
        if let Some(mode) = &fixture.mode {
            let bits = u32::from_str_radix(mode, 8).unwrap_or(0);
            let wanted = if entry.kind == ObjectKind::File { 0o600 } else { 0o700 };
            entry.tight_mode = (bits & wanted != wanted).then(|| mode.clone());
        }
    }

    fn plain(&self, path: &str) -> Option<NameIndex> {
        path.split('/').try_fold(ROOT, |folder, part| self.children.get(&(folder, part.to_owned())).copied())
    }

    /// What a name's object is.
    pub(super) fn kind(&self, name: NameIndex) -> &ObjectKind {
        &self.objects[self.names[name].object].kind
    }

    /// A name's object.
    pub(super) fn object(&self, name: NameIndex) -> ObjectIndex {
        self.names[name].object
    }

    /// Whether the declared fixtures give the object this extended attribute.
    pub(super) fn has_xattr(&self, name: NameIndex, attribute: &str) -> bool {
        self.objects[self.object(name)].xattrs.iter().any(|known| known == attribute)
    }

    /// Whether the folder has entries.
    pub(super) fn has_children(&self, name: NameIndex) -> bool {
        self.children.keys().any(|(parent, _)| *parent == name)
    }

    /// Whether something is mounted on the name, or shown through a mount from it.
    pub(super) fn is_mount_point(&self, place: MountedName) -> bool {
        self.mounts[1..].iter().any(|mount| mount.at == place.name) || self.is_mount_root(place)
    }

    /// Whether the place is the top of a bind mount.
    pub(super) fn is_mount_root(&self, place: MountedName) -> bool {
        place.mount != 0 && self.mounts[place.mount].root == place.name
    }

    /// The top of the mount through which the place is seen; `None` for the host's own, which is not known.
    pub(super) fn mount_root(&self, place: MountedName) -> Option<NameIndex> {
        (place.mount != 0).then(|| self.mounts[place.mount].root)
    }

    /// The name's parent.
    pub(super) fn parent(&self, name: NameIndex) -> NameIndex {
        self.names[name].parent
    }

    /// Whether `inner` lies beneath `outer`, by names.
    pub(super) fn is_beneath(&self, mut inner: NameIndex, outer: NameIndex) -> bool {
        while inner != SLASH {
            inner = self.parent(inner);
            if inner == outer {
                return true;
            }
        }
        false
    }

    /// The name and everything above it, in the order in which Landlock's walk meets them: over a mount's top the walk
    /// goes on above the mount point, without looking at the hidden mount point itself (security/landlock/fs.c,
    /// `is_access_to_paths_allowed`).
    pub(super) fn upwards(&self, place: MountedName) -> Vec<NameIndex> {
        let mut met = vec![place.name];
        let MountedName { mut mount, mut name } = place;
        loop {
            while mount != 0 && name == self.mounts[mount].root {
                (mount, name) = (self.mounts[mount].parent, self.mounts[mount].at);
            }
            if name == SLASH {
                return met;
            }
            name = self.parent(name);
            met.push(name);
        }
    }

    /// The name as a path, without regard to mounts.
    pub(super) fn path(&self, name: NameIndex) -> String {
        match name {
            SLASH => "/".into(),
            BETWEEN => "the folders above ${root}".into(),
            ROOT => ROOT_TEXT.into(),
            _ if self.names[name].text == THREAD_SELF => THREAD_SELF.into(),
            _ => {
                let above = self.parent(name);
                let head = if above == SLASH { String::new() } else { self.path(above) };
                format!("{head}/{}", self.names[name].text)
            }
        }
    }

    /// The bits of an object whose permissions are tighter than usual.
    pub(super) fn tight_mode(&self, name: NameIndex) -> Option<&str> {
        self.objects[self.object(name)].tight_mode.as_deref()
    }

    fn down(&self, mut place: MountedName) -> MountedName {
        // The newest mount on a place is the one that is seen; mounts may be stacked.
        while let Some(top) = (1..self.mounts.len())
            .rev()
            .find(|n| self.mounts[*n].parent == place.mount && self.mounts[*n].at == place.name)
        {
            place = MountedName { mount: top, name: self.mounts[top].root };
        }
        place
    }

    fn up(&self, mut place: MountedName) -> MountedName {
        while place.mount != 0 && self.mounts[place.mount].root == place.name {
            let mount = &self.mounts[place.mount];
            place = MountedName { mount: mount.parent, name: mount.at };
        }
        self.down(MountedName { mount: place.mount, name: self.parent(place.name) })
    }
}
