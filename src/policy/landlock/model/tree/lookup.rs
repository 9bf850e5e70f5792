//! Where a path leads: its parts walked one by one, links followed, mounts crossed.

use super::{
    BETWEEN, LostPath, MAX_LINKS, ModelTree, MountedName, NameEntry, NameIndex, ObjectKind, PathEnd, ROOT, ROOT_TEXT,
    SLASH, THREAD_SELF,
};

impl ModelTree {
    /// Follows a path as the kernel does. `follow` says whether a final symbolic link is followed.
    pub(in super::super) fn resolve(&mut self, text: &str, follow: bool) -> Result<PathEnd, LostPath> {
        Lookup { tree: self, links: 0 }.run(text, follow)
    }

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
