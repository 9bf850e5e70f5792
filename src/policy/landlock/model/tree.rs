//! A file system that exists only on paper: the declared fixtures under a symbolic `${root}`, and host paths as spelled.
//!
//! Names and objects are kept apart, as in the kernel: a name (dentry) has one parent, an object (inode) may have
//! several names. Landlock ties rules to objects and walks up over names, so both matter.

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

    /// Follows a path as the kernel does. `follow` says whether a final symbolic link is followed.
    pub(super) fn resolve(&mut self, text: &str, follow: bool) -> Result<PathEnd, LostPath> {
        Lookup { tree: self, links: 0 }.run(text, follow)
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

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PathPart {
    /// `${root}` as an absolute path; only known from `/`.
    Root,
    Up,
    Plain(String),
}

struct Lookup<'a> {
    tree: &'a mut ModelTree,
    links: usize,
}

impl Lookup<'_> {
    fn run(&mut self, text: &str, follow: bool) -> Result<PathEnd, LostPath> {
        if !(text.starts_with('/') || text.starts_with(ROOT_TEXT)) {
            return Err(LostPath::Outside(format!("`{text}` is relative to a folder that is not known")));
        }
        let start = self.tree.down(MountedName { mount: 0, name: SLASH });
        self.walk(start, text, follow)
    }

    fn walk(&mut self, start: MountedName, text: &str, follow: bool) -> Result<PathEnd, LostPath> {
        let parts = split(text)?;
        // A final `.` asks for a folder, as a final slash does.
        let dot = text == "." || text.trim_end_matches('/').ends_with("/.");
        let slash = dot || text.ends_with('/');
        let mut here = PathEnd { parent: start, place: Some(start), ordinary: false, last: String::new(), slash };
        let count = parts.len();
        for (n, part) in parts.into_iter().enumerate() {
            let place = match here.place {
                Some(place) => place,
                None => return Err(LostPath::Missing(self.tree.path_of(&here))),
            };
            let last = n + 1 == count;
            match self.tree.kind(place.name) {
                ObjectKind::Dir | ObjectKind::Host => {}
                _ => return Err(LostPath::Other(format!("`{}` is not a folder", self.tree.path(place.name)))),
            }
            here = match part {
                PathPart::Root if place.name == SLASH => {
                    let root = self.tree.down(MountedName { mount: 0, name: ROOT });
                    PathEnd { parent: root, place: Some(root), ordinary: false, last: String::new(), slash }
                }
                PathPart::Root => {
                    return Err(LostPath::Outside(format!(
                        "`{}` is not `/`, so `${{root}}` below it is not known",
                        self.tree.path(place.name)
                    )));
                }
                PathPart::Up => {
                    let above = self.tree.up(place);
                    if above.name == BETWEEN {
                        return Err(LostPath::Outside(
                            "the path leaves `${root}` upwards, into folders that are not known".into(),
                        ));
                    }
                    PathEnd { parent: above, place: Some(above), ordinary: false, last: String::new(), slash }
                }
                PathPart::Plain(name) => self.step(place, name, !last || follow || slash, slash && last)?,
            };
        }
        here.slash = slash;
        here.ordinary &= !dot;
        Ok(here)
    }

    fn step(&mut self, folder: MountedName, name: String, follow: bool, slash: bool) -> Result<PathEnd, LostPath> {
        let child = match self.tree.children.get(&(folder.name, name.clone())) {
            Some(child) => Some(*child),
            None if *self.tree.kind(folder.name) == ObjectKind::Host => self.host_child(folder.name, &name, !follow)?,
            None => None,
        };
        let Some(child) = child else {
            return Ok(PathEnd { parent: folder, place: None, ordinary: true, last: name, slash });
        };
        if child == SLASH {
            let top = self.tree.down(MountedName { mount: 0, name: SLASH });
            return Ok(PathEnd { parent: top, place: Some(top), ordinary: false, last: name, slash });
        }
        let place = self.tree.down(MountedName { mount: folder.mount, name: child });
        if let (ObjectKind::Symlink(text), true) = (self.tree.kind(place.name).clone(), follow) {
            self.links += 1;
            if self.links > MAX_LINKS {
                return Err(LostPath::Other("too many symbolic links (ELOOP)".into()));
            }
            let absolute = text.starts_with('/') || text.starts_with(ROOT_TEXT);
            let start = if absolute { self.tree.down(MountedName { mount: 0, name: SLASH }) } else { folder };
            return self.walk(start, &text, true);
        }
        Ok(PathEnd { parent: folder, place: Some(place), ordinary: true, last: name, slash })
    }

    /// A host path, taken as spelled; only what is known to be a link of the kernel's own is followed.
    /// `last`: it is the last part of the path and not followed.
    fn host_child(&mut self, folder: NameIndex, name: &str, last: bool) -> Result<Option<NameIndex>, LostPath> {
        let above = self.tree.path(folder);
        let process = above
            .strip_prefix("/proc/")
            .is_some_and(|rest| matches!(rest, "self" | "thread-self") || rest.bytes().all(|b| b.is_ascii_digit()));
        if process && name == "root" && (above == "/proc/self" || above == "/proc/thread-self") {
            return Ok(Some(SLASH));
        }
        // A number names this process itself only by accident: it is a new one each time.
        if process && !above.ends_with("self") && matches!(name, "root" | "cwd" | "exe") {
            return Err(LostPath::Inspects { path: format!("{above}/{name}"), last });
        }
        if process && matches!(name, "root" | "cwd" | "exe" | "fd" | "ns" | "map_files" | "task") {
            return Err(LostPath::Outside(format!("where `{above}/{name}` leads is only known to the process itself")));
        }
        if above == "/proc" && name == "thread-self" {
            return Ok(Some(match self.tree.thread {
                Some(thread) => thread,
                None => self.tree.thread_self(folder),
            }));
        }
        let kind = match (above.as_str(), name) {
            // Links in any procfs (fs/proc/root.c, fs/proc/proc_net.c).
            ("/proc", "mounts") => ObjectKind::Symlink("self/mounts".into()),
            ("/proc", "net") => ObjectKind::Symlink("self/net".into()),
            _ => ObjectKind::Host,
        };
        let object = self.tree.add_object(kind);
        Ok(Some(self.tree.add_name(folder, name, object)))
    }
}

impl ModelTree {
    /// `/proc/thread-self`: it leads to `self/task/TID`, so that Landlock's walk goes up over `/proc/self`.
    fn thread_self(&mut self, proc: NameIndex) -> NameIndex {
        let process = self.child(proc, "self", ObjectKind::Host);
        // Not to be found by these names: the numbers below `task` are known to the process alone.
        let mut below = |parent: NameIndex, text: &str| {
            let object = self.add_object(ObjectKind::Host);
            self.names.push(NameEntry { parent, text: text.into(), object });
            self.names.len() - 1
        };
        let task = below(process, "task");
        let thread = below(task, THREAD_SELF);
        self.thread = Some(thread);
        thread
    }

    fn path_of(&self, found: &PathEnd) -> String {
        let head = self.path(found.parent.name);
        if found.last.is_empty() { head } else { format!("{}/{}", head.trim_end_matches('/'), found.last) }
    }
}

fn split(text: &str) -> Result<Vec<PathPart>, LostPath> {
    let mut parts = Vec::new();
    for (n, piece) in text.split(ROOT_TEXT).enumerate() {
        if n > 0 {
            if !(piece.is_empty() || piece.starts_with('/')) {
                return Err(LostPath::Outside(format!(
                    "`{text}` goes on right behind `${{root}}`, so it names a host path"
                )));
            }
            parts.push(PathPart::Root);
        }
        for part in piece.split('/') {
            match part {
                "" | "." => {}
                ".." => parts.push(PathPart::Up),
                _ => parts.push(PathPart::Plain(part.into())),
            }
        }
    }
    Ok(parts)
}
