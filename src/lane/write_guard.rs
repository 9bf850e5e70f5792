//! What a probe may change: what its run has made, and nothing else. Plans are checked when they load; this is asked
//! once more of the resolved paths, right before a process is started.

use crate::record::action::Action;
use crate::record::driver::{Driver, Effect, TargetKind};

/// The path that the action would change although the run did not make it. `root` is the probe's own folder, `unique` what
/// names of the run's own folders elsewhere have in them (`sandproof-UNIQUE-…`).
pub fn foreign_change<'a>(action: &'a Action, root: &str, unique: &str) -> Option<&'a str> {
    let info = action.driver.info();
    if info.effect != Effect::Changes || info.target != TargetKind::Path {
        return None;
    }
    // The text of a symbolic link is only text.
    let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
    [Some(action.target.as_str()), second].into_iter().flatten().find(|path| !is_own(path, root, unique))
}

/// The file that the action would make under a name of the run's own in a folder that is not.
pub fn new_of_own<'a>(action: &'a Action, unique: &str) -> Option<&'a str> {
    let (folder, name) = action.target.rsplit_once('/')?;
    let mark = format!("sandproof-{unique}-");
    (action.driver == Driver::FileCreate && name.starts_with(&mark) && !folder.contains(&mark))
        .then_some(action.target.as_str())
}

fn is_own(path: &str, root: &str, unique: &str) -> bool {
    let path = path.strip_prefix("/proc/self/root").unwrap_or(path);
    let folded = folded(path);
    let below_root = folded.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mark = format!("sandproof-{unique}-");
    below_root || folded.split('/').any(|part| part.starts_with(&mark))
}

/// The path without `.` and `..`, as text. Links are not followed: those of the run's own fixtures are checked when the plan
/// loads.
fn folded(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(driver: Driver, target: &str, to: Option<&str>) -> bool {
        let action = Action { to: to.map(str::to_owned), ..Action::new(driver, target) };
        foreign_change(&action, "/private/tmp/base/r000001", "abc").is_some()
    }

    #[test]
    fn only_what_the_run_made_is_changed() {
        let own = "/private/tmp/base/r000001/f";
        for target in [own, "/private/tmp/sandproof-abc-3-fix/x", "/var/tmp/sandproof-abc-3-fix/x"] {
            assert!(!foreign(Driver::FileWrite, target, None), "{target}");
        }
        for target in [
            "/etc/hosts",
            "/private/tmp/base/r0000011/f",
            "/private/tmp/base/r000001/../../x",
            "/private/tmp/sandproof-abd-3-fix/x",
            "/private/tmp/sandproof-abc-3-fix/../x",
            "relative",
        ] {
            assert!(foreign(Driver::FileWrite, target, None), "{target}");
            assert!(foreign(Driver::FileUnlink, target, None), "{target}");
            assert!(!foreign(Driver::FileRead, target, None), "{target}: reading changes nothing");
            assert!(foreign(Driver::FileRename, own, Some(target)), "{target}");
            assert!(!foreign(Driver::SymlinkCreate, own, Some(target)), "{target}: a link's text is text");
        }
        assert!(!foreign(Driver::PosixShm, "/name", None), "no path");
    }
}
