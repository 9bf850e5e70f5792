//! The links of the host through which a declared file has further names, as the loader and programs use them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use crate::base::canon;

/// Links by their own path, with what they hold.
pub type HostLinks = BTreeMap<PathBuf, OsString>;

/// As many links the kernel follows on one path.
const MOST_FOLLOWED: usize = 40;
/// Top folders that are links where `/usr` is merged.
const MERGED: [&str; 6] = ["/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"];

/// Where an absolute path leads, and every link on the way.
///
/// # Errors
/// If something on it is not there.
pub fn followed(path: &Path) -> io::Result<(PathBuf, HostLinks)> {
    let mut links = HostLinks::new();
    let mut count = 0;
    let mut at = PathBuf::from("/");
    let mut left: VecDeque<OsString> = parts(path).collect();
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(&part);
        if !fs::symlink_metadata(&at)?.is_symlink() {
            continue;
        }
        let text = fs::read_link(&at)?;
        count += 1;
        if count > MOST_FOLLOWED {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        links.insert(at.clone(), text.clone().into_os_string());
        at.pop();
        if text.is_absolute() {
            at = PathBuf::from("/");
        }
        parts(&text).rev().for_each(|part| left.push_front(part));
    }
    Ok((at, links))
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    let of = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(of).collect::<Vec<_>>().into_iter()
}

/// The links in folders above the declared files `real` that lead to one of these files: the names by which libraries are looked
/// for (`libz.so.1` of `libz.so.1.2.13`) and programs are called.
pub fn names_of(real: &[&Path]) -> HostLinks {
    let identity = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
    let wanted: BTreeSet<(u64, u64)> = real.iter().filter_map(|path| identity(path)).collect();
    let folders: BTreeSet<&Path> =
        real.iter().flat_map(|path| path.ancestors().skip(1)).filter(|folder| folder.parent().is_some()).collect();
    let mut found = HostLinks::new();
    for folder in folders {
        // What cannot be listed has no names that a program could find by listing it either.
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                continue;
            }
            let path = entry.path();
            if identity(&path).is_some_and(|identity| wanted.contains(&identity))
                && let Ok((_, links)) = followed(&path)
            {
                found.extend(links);
            }
        }
    }
    for top in MERGED {
        if let Ok(text) = fs::read_link(top) {
            let leads = Path::new("/").join(&text);
            if real.iter().any(|path| path.starts_with(&leads)) {
                found.insert(PathBuf::from(top), text.into_os_string());
            }
        }
    }
    found.retain(|path, text| is_declarable(path.as_os_str()) && is_declarable(text));
    found
}

/// Whether a declaration can hold the text as it is.
fn is_declarable(text: &OsStr) -> bool {
    text.to_str().is_some_and(canon::is_normal)
}

/// The program that an ELF file names as its interpreter (`PT_INTERP`). Where the file is read next stays as it is. `None`: it is no ELF file of 64 bits in this machine's
/// order of bytes, or names none.
pub fn interpreter(file: &File) -> Option<PathBuf> {
    const PT_INTERP: u32 = 3;
    const ENTRY_BYTES: usize = 56;
    let at = |offset: u64, length: usize| -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    };
    let header = at(0, 64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") || cfg!(target_endian = "big") {
        return None;
    }
    let number = |bytes: &[u8], from: usize| Some(u64::from_le_bytes(bytes.get(from..from + 8)?.try_into().ok()?));
    let table = number(&header, 32)?;
    let (size, count) = (u16::from_le_bytes([header[54], header[55]]), u16::from_le_bytes([header[56], header[57]]));
    if usize::from(size) < ENTRY_BYTES {
        return None;
    }
    let entry = (0..count)
        .filter_map(|n| at(table.checked_add(u64::from(n) * u64::from(size))?, ENTRY_BYTES))
        .find(|entry| entry.starts_with(&PT_INTERP.to_le_bytes()))?;
    let length = usize::try_from(number(&entry, 32)?).ok().filter(|length| (2..4096).contains(length))?;
    let mut text = at(number(&entry, 8)?, length)?;
    text.truncate(text.iter().position(|byte| *byte == 0)?);
    Some(PathBuf::from(OsString::from_vec(text)))
}

/// The program that a script names in its first line.
pub fn script_interpreter(file: &File) -> Option<PathBuf> {
    let mut start = [0; 256];
    let count = file.read_at(&mut start, 0).ok()?;
    let line = start[..count].strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let name = line.split(|byte| byte.is_ascii_whitespace()).find(|word| !word.is_empty())?;
    Some(PathBuf::from(OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_is_followed_with_every_link_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("usr/lib/deep")).unwrap();
        fs::write(root.join("usr/lib/deep/libz.so.1.2"), "z").unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        symlink("deep/libz.so.1.2", root.join("usr/lib/libz.so.1")).unwrap();
        let (real, links) = followed(&root.join("lib/libz.so.1")).unwrap();
        assert_eq!(real, root.join("usr/lib/deep/libz.so.1.2"));
        assert_eq!(links.keys().cloned().collect::<Vec<_>>(), [root.join("lib"), root.join("usr/lib/libz.so.1")]);
        let names = names_of(&[&real]);
        assert!(names.contains_key(&root.join("usr/lib/libz.so.1")), "{names:?}");
        assert!(!names.contains_key(&root.join("lib")), "a link to a folder above is no name of the file by itself");
        symlink("loop", root.join("loop")).unwrap();
        assert!(followed(&root.join("loop")).is_err() && followed(&root.join("none")).is_err());
    }

    #[test]
    fn interpreters_are_found_where_files_name_them() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("s");
        fs::write(&script, "#! /bin/sh -e\nexit\n").unwrap();
        assert_eq!(script_interpreter(&File::open(&script).unwrap()), Some(PathBuf::from("/bin/sh")));
        assert_eq!(interpreter(&File::open(&script).unwrap()), None);
        fs::write(&script, "").unwrap();
        assert_eq!(script_interpreter(&File::open(&script).unwrap()), None);
        let own = File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(interpreter(&own).is_none_or(|path| path.is_absolute()));
    }
}
