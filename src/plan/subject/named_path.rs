//! How a declaration names a file or folder: by a path relative to its own folder, or to a folder that has a name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Folders that paths of a declaration can begin at, by name: `hub:models/x` lies in the folder that is called `hub`.
pub type NamedRoots = BTreeMap<String, PathBuf>;

/// A path as a declaration names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedPath {
    /// The folder that it begins at; `None` for the declaration's own.
    pub root: Option<String>,
    /// The path from there: plain, and empty for that folder itself.
    pub relative: String,
}

impl NamedPath {
    /// Reads a path.
    ///
    /// # Errors
    /// Why it is none, in words that go on from the path.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let first = text.split('/').next().unwrap_or_default();
        let (root, relative) = match first.split_once(':') {
            Some((name, _)) if !is_root_name(name) => {
                return Err("has a `:` in its first part, and what stands before is no name of a folder; \
                            write `./` before a file that is called so");
            }
            Some((name, _)) => (Some(name.to_owned()), &text[name.len() + 1..]),
            None => (None, text.strip_prefix("./").unwrap_or(text)),
        };
        if root.is_none() || !relative.is_empty() {
            plain(relative)?;
        }
        Ok(Self { root, relative: relative.to_owned() })
    }

    /// How it is referred to: `NAME:path`, or below the declaration's folder.
    pub fn referred(&self, folder: &str) -> String {
        match &self.root {
            Some(root) => format!("{root}:{}", self.relative),
            None if folder.is_empty() => self.relative.clone(),
            None => format!("{folder}/{}", self.relative),
        }
    }
}

impl fmt::Display for NamedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.referred(""))
    }
}

/// Whether a folder can be called that: a letter, then letters, digits, `_`, `.` and `-`; not `sha256`.
pub fn is_root_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 64
        && name != "sha256"
        && bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Whether a path can only lead to something below the folder that it is relative to.
pub(super) fn plain(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("is empty")
    } else if path.len() > 1024 {
        Err("is longer than 1024 bytes")
    } else if path.starts_with('/') {
        Err("is absolute")
    } else if path.chars().any(char::is_control) {
        Err("holds a control character")
    } else if path.split('/').any(|part| part == "..") {
        Err("leaves the folder")
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        Err("has an empty or `.` part")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_at_the_declarations_folder_or_at_one_with_a_name() {
        let read = |text: &str| NamedPath::parse(text).map(|path| (path.root, path.relative));
        assert_eq!(read("a/b"), Ok((None, "a/b".into())));
        assert_eq!(read("./a:b"), Ok((None, "a:b".into())));
        assert_eq!(read("hub:models/x"), Ok((Some("hub".into()), "models/x".into())));
        assert_eq!(read("hub:"), Ok((Some("hub".into()), String::new())));
        assert_eq!(read("a/b:c"), Ok((None, "a/b:c".into())));
        for text in ["", ".", "..", "/etc", "hub:/etc", "hub:../x", "9:x", "sha256:x", "a b:x", "a//b", "x\u{0}"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }
}
