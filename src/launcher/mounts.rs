//! A mount table as `/proc/PID/mountinfo` has it (proc_pid_mountinfo(5)): what a path is shown as, and under which other names.

use crate::record::launcher::MountSource;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    id: u64,
    parent: u64,
    device: String,
    /// The path within the file system that is shown.
    root: String,
    at: String,
    read_only: bool,
    fs_type: String,
}

/// The mounts of one namespace, as a process sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountTable {
    mounts: Vec<Mount>,
}

impl MountTable {
    /// Reads a table. Lines that are none are left out.
    pub fn read(text: &str) -> Self {
        Self { mounts: text.lines().filter_map(read_line).collect() }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// What `path`, which is absolute and without links, is shown as. The way is walked from `/` down, since a mount may lie
    /// under another one that was made later.
    pub fn source(&self, path: &str) -> Option<MountSource> {
        let path = path.trim_end_matches('/');
        let root = |mount: &&Mount| {
            mount.at == "/" && !self.mounts.iter().any(|other| other.id == mount.parent && other.id != mount.id)
        };
        let mut current = self.mounts.iter().rev().find(root)?;
        // Each step goes to a child; a table that somebody made up may go round in circles.
        for _ in 0..self.mounts.len() {
            let next = self
                .mounts
                .iter()
                .filter(|mount| mount.parent == current.id && mount.id != current.id)
                .filter(|mount| covers(&mount.at, path) && covers(&current.at, &mount.at))
                .min_by_key(|mount| mount.at.len());
            match next {
                Some(next) => current = next,
                None => break,
            }
        }
        let rest = &path[current.at.trim_end_matches('/').len()..];
        Some(MountSource {
            device: current.device.clone(),
            path: joined(&current.root, rest),
            mount_point: current.at.clone(),
            fs_type: current.fs_type.clone(),
            read_only: current.read_only,
        })
    }

    /// Every path of this table other than `but` that shows what `source` is.
    pub fn names_of(&self, source: &MountSource, but: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for mount in &self.mounts {
            if mount.device != source.device || !covers(&mount.root, &source.path) {
                continue;
            }
            let rest = &source.path[mount.root.trim_end_matches('/').len()..];
            let name = joined(&mount.at, rest);
            let shown = self.source(&name).is_some_and(|found| found.is_same(source));
            if name != but && shown && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// Whether `above` is `path` or a folder above it.
fn covers(above: &str, path: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn joined(above: &str, rest: &str) -> String {
    let joined = format!("{}{rest}", above.trim_end_matches('/'));
    if joined.is_empty() { "/".to_owned() } else { joined }
}

fn read_line(line: &str) -> Option<Mount> {
    let (fields, behind) = line.split_once(" - ")?;
    let mut fields = fields.split(' ');
    let (id, parent) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let device = fields.next()?.to_owned();
    let (root, at) = (unescaped(fields.next()?), unescaped(fields.next()?));
    let read_only = fields.next()?.split(',').any(|option| option == "ro");
    let fs_type = behind.split(' ').next()?.to_owned();
    Some(Mount { id, parent, device, root, at, read_only, fs_type })
}

/// Blanks, tabs, line breaks and backslashes stand as three octal digits.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\');
        let number = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match number {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "\
20 1 254:0 / / rw,relatime - ext4 /dev/vda rw
21 20 0:20 / /proc rw - proc proc rw
22 20 254:0 /home/a\\040b /mnt/x rw - ext4 /dev/vda rw
";

    fn shown(table: &MountTable, path: &str) -> (String, String) {
        let source = table.source(path).unwrap();
        (source.device, source.path)
    }

    #[test]
    fn a_path_is_what_its_longest_mount_shows() {
        let host = MountTable::read(HOST);
        assert_eq!(shown(&host, "/home/a b/c"), ("254:0".into(), "/home/a b/c".into()));
        assert_eq!(shown(&host, "/mnt/x/c"), ("254:0".into(), "/home/a b/c".into()));
        assert_eq!(shown(&host, "/mnt/xy"), ("254:0".into(), "/mnt/xy".into()));
        assert_eq!(shown(&host, "/"), ("254:0".into(), "/".into()));
        assert_eq!(host.names_of(&host.source("/home/a b/c").unwrap(), "/home/a b/c"), ["/mnt/x/c"]);
    }

    #[test]
    fn a_mount_under_a_later_one_is_not_what_is_seen() {
        let inside = MountTable::read(
            "30 1 254:0 / / ro - ext4 /dev/vda rw\n\
             31 30 0:40 / /home/secret rw - tmpfs tmpfs rw\n\
             32 30 0:41 / /home rw - tmpfs tmpfs rw\n",
        );
        // The later mount on /home hides what was mounted below it.
        assert_eq!(shown(&inside, "/home/secret/key"), ("0:41".into(), "/secret/key".into()));
        let stacked = MountTable::read(
            "30 1 254:0 / / ro - ext4 /dev/vda rw\n\
             31 30 0:40 / /w rw - tmpfs tmpfs rw\n\
             32 31 254:0 /w /w rw - ext4 /dev/vda rw\n",
        );
        assert_eq!(shown(&stacked, "/w/f"), ("254:0".into(), "/w/f".into()), "mounted over the mask");
    }

    #[test]
    fn a_second_mount_is_another_name_and_a_covered_one_is_none() {
        let host = MountTable::read(HOST);
        let source = host.source("/o/secret").unwrap();
        let inside = MountTable::read(
            "30 1 254:0 / / ro - ext4 /dev/vda rw\n\
             31 30 254:0 / /mnt ro - ext4 /dev/vda rw\n\
             32 30 0:40 / /o rw - tmpfs tmpfs rw\n\
             33 30 254:0 / /gone ro - ext4 /dev/vda rw\n\
             34 33 0:42 / /gone/o rw - tmpfs tmpfs rw\n",
        );
        assert_eq!(inside.names_of(&source, "/o/secret"), ["/mnt/o/secret"]);
        assert!(!inside.source("/o/secret").unwrap().is_same(&source));
    }

    #[test]
    fn tables_that_go_round_in_circles_end() {
        let table = MountTable::read("1 2 0:1 / / rw - t t rw\n2 1 0:1 / / rw - t t rw\nnonsense\n");
        assert!(table.source("/x").is_none() || table.source("/x").is_some());
        assert!(MountTable::read("").source("/x").is_none());
    }
}
