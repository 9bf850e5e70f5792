//! How documents are spelled by the path that others use for them.

use std::path::{Component, Path};

/// The plan of a folder that is named in its stead.
pub const PLAN_FILE: &str = "plan.json";
/// The questions file that is a folder's plan where it has no other, as `init` writes it.
pub const QUESTIONS_FILE: &str = "sandbox.questions";
/// The index of a plan folder that is its own root, as `plan-build` writes it.
pub const OWN_INDEX_PATH: &str = "registry/index.json";
/// The probe registry of a plan folder that has its own, relative to that folder.
pub const OWN_PROBES_PATH: &str = "registry/probes.json";
/// The profile registry of a plan folder that has its own, relative to that folder.
pub const OWN_PROFILES_PATH: &str = "registry/profiles.json";

/// Why a text cannot be a document's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::plan) enum PathRefusal {
    #[error("the path is empty")]
    Empty,
    #[error("the path holds a control character")]
    Control,
    #[error("the path leaves the root")]
    Leaves,
}

/// A document's path in the one spelling by which it is known: absolute as it stands, relative without `.` and `..`.
pub(in crate::plan) fn clean_path(text: &str) -> Result<String, PathRefusal> {
    let path = clean_policy_path(text)?;
    if leads_out(&path) { Err(PathRefusal::Leaves) } else { Ok(path) }
}

/// Whether a path in that spelling is neither absolute nor below the root.
pub(crate) fn leads_out(path: &str) -> bool {
    path == ".." || path.starts_with("../")
}

/// The path that is `path` from the folder `prefix`, in that spelling.
pub(crate) fn spelled_below(prefix: &Path, path: &str) -> String {
    let joined = prefix.join(path).to_string_lossy().into_owned();
    clean_policy_path(&joined).unwrap_or(joined)
}

/// The same for a policy, which may also lie beside the root or above it: an absolute path may name it as well.
pub(in crate::plan) fn clean_policy_path(text: &str) -> Result<String, PathRefusal> {
    if text.is_empty() {
        return Err(PathRefusal::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(PathRefusal::Control);
    }
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    let mut parts: Vec<&str> = Vec::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().expect("a part of a str is a str")),
            Component::ParentDir => match parts.last() {
                None | Some(&"..") => parts.push(".."),
                Some(_) => _ = parts.pop(),
            },
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    if parts.is_empty() { Err(PathRefusal::Empty) } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        assert_eq!(clean_path("a/./b//c").unwrap(), "a/b/c");
        assert_eq!(clean_path("a/../b").unwrap(), "b");
        assert_eq!(clean_path("/System/x.sb").unwrap(), "/System/x.sb");
        assert_eq!(clean_path("../b"), Err(PathRefusal::Leaves));
        assert_eq!(clean_path("a/../../b"), Err(PathRefusal::Leaves));
        assert_eq!(clean_path(".."), Err(PathRefusal::Leaves));
        assert_eq!(clean_policy_path("a/../../b").unwrap(), "../b");
        assert_eq!(clean_policy_path("./../.././c/../b").unwrap(), "../../b");
        assert_eq!(clean_path("..b/c").unwrap(), "..b/c");
        assert_eq!(clean_path("."), Err(PathRefusal::Empty));
        assert_eq!(clean_path("a\0b"), Err(PathRefusal::Control));
    }
}
