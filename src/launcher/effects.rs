//! What the host sees of an operation on its own objects.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::launcher::said::PathIdentity;
use crate::record::action::Action;
use crate::record::driver::ChangeReach;
use crate::record::driver_witness::{FileEffect, MadeFile};
use crate::sys::native::path;

/// What a path was at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    dev: u64,
    ino: u64,
    mode: u32,
    size: u64,
    mtime: (i64, i64),
    links: u64,
    born: Option<(i64, i64)>,
}

impl Snapshot {
    /// Looks, without following a final link.
    pub fn take(path: &str) -> Option<Self> {
        let found = std::fs::symlink_metadata(path).ok()?;
        Some(Self {
            dev: found.dev(),
            ino: found.ino(),
            mode: found.mode(),
            size: found.size(),
            mtime: (found.mtime(), found.mtime_nsec()),
            links: found.nlink(),
            born: PathIdentity::born_of(&found),
        })
    }

    /// Looks at what the operation is on: through a final link if it follows one.
    fn of_target(action: &Action) -> Option<Self> {
        if action.driver.reach() != [ChangeReach::Object] {
            return Self::take(&action.target);
        }
        let behind = std::fs::canonicalize(&action.target).ok()?;
        Self::take(behind.to_str()?)
    }

    fn is_dir(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Device and inode.
    pub fn identity(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    /// Whether it is what the inside shows: the same object, or, with `by_time`, one with its time, kind and bits.
    ///
    /// A file system gives the number of a removed file to the next one that is made. Where both sides know when theirs was made,
    /// that has to be the same time.
    fn is(&self, seen: &PathIdentity, by_time: bool) -> bool {
        let same_birth = self.born.zip(seen.born).is_none_or(|(here, there)| here == there);
        (self.identity() == (seen.dev, seen.ino) && same_birth)
            || (by_time && (self.mtime, self.mode) == (seen.mtime, seen.mode))
    }

    fn is_same_object(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

/// What the objects of an operation were before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateBefore {
    target: Option<Snapshot>,
    to: Option<Snapshot>,
    xattr: Option<Vec<u8>>,
}

impl StateBefore {
    /// Whether the target was there.
    pub fn has_target(&self) -> bool {
        self.target.is_some()
    }

    /// Looks at the objects of an operation.
    pub fn of(action: &Action) -> Self {
        Self {
            target: Snapshot::of_target(action),
            to: action.to.as_deref().and_then(Snapshot::take),
            xattr: xattr(action),
        }
    }
}

fn xattr(action: &Action) -> Option<Vec<u8>> {
    let (path, name) =
        (std::ffi::CString::new(action.target.as_str()).ok()?, std::ffi::CString::new(action.name.as_deref()?).ok()?);
    let mut value = vec![0; 4096];
    let count = path::getxattr(&path, &name, &mut value).ok()? as usize;
    value.truncate(count);
    Some(value)
}

/// Whether the effect of `action` on files is there now; never for one that has none that would show.
pub fn happened(action: &Action, before: &StateBefore) -> bool {
    let target = Snapshot::of_target(action);
    let to = action.to.as_deref().and_then(Snapshot::take);
    let made = |is_kind: &dyn Fn(&std::fs::FileType) -> bool| {
        before.target.is_none()
            && std::fs::symlink_metadata(&action.target).is_ok_and(|found| is_kind(&found.file_type()))
    };
    let changed = |differs: &dyn Fn(&Snapshot, &Snapshot) -> bool| match (&before.target, &target) {
        (Some(was), Some(is)) => differs(was, is),
        _ => false,
    };
    let Some(effect) = action.driver.file_effect() else { return false };
    match effect {
        FileEffect::Made(MadeFile::Regular) => made(&|it| it.is_file()),
        FileEffect::Made(MadeFile::Symlink) => {
            made(&|it| it.is_symlink())
                && std::fs::read_link(&action.target).ok().as_deref() == action.to.as_deref().map(Path::new)
        }
        FileEffect::Made(MadeFile::Dir) => made(&|it| it.is_dir()),
        FileEffect::Made(MadeFile::Fifo) => made(&|it| it.is_fifo()),
        FileEffect::Made(MadeFile::Socket) => made(&|it| it.is_socket()),
        FileEffect::Made(MadeFile::CharDevice) => made(&|it| it.is_char_device()),
        FileEffect::Made(MadeFile::BlockDevice) => made(&|it| it.is_block_device()),
        // What copies carry back may be another inode, so only what was written counts.
        FileEffect::Grown => changed(&|was, is| is.size == was.size + 1),
        FileEffect::Emptied => changed(&|was, is| was.size > 0 && is.size == 0),
        FileEffect::Mode => changed(&|was, is| was.mode != is.mode),
        FileEffect::Times => changed(&|was, is| was.mtime != is.mtime && is.mtime.1 == 0),
        FileEffect::Xattr => {
            let now = xattr(action);
            now.is_some() && now != before.xattr
        }
        FileEffect::Removed => before.target.is_some() && target.is_none(),
        FileEffect::Renamed => match (&before.target, &to) {
            (Some(was), Some(is)) => target.is_none() && (was.is_same_object(is) || was.size == is.size),
            _ => false,
        },
        FileEffect::Exchanged => match (&before.target, &before.to, &target, &to) {
            (Some(a), Some(b), Some(now_a), Some(now_b)) => a.is_same_object(now_b) && b.is_same_object(now_a),
            _ => false,
        },
        FileEffect::Linked => match (&before.target, &before.to, &to) {
            (Some(was), None, Some(is)) => was.is_same_object(is) && is.links > was.links,
            _ => false,
        },
    }
}

/// Whether what the host sees of an effect is on what the operation was on inside. A time that the operation itself gave a file
/// is as good as the file; what an operation leaves as it was tells nothing.
pub fn is_of(action: &Action, before: &StateBefore, seen: &PathIdentity) -> bool {
    let Some(effect) = action.driver.file_effect() else { return false };
    let now = || Snapshot::of_target(action);
    match effect {
        FileEffect::Made(_) | FileEffect::Grown | FileEffect::Emptied => now().is_some_and(|now| now.is(seen, true)),
        FileEffect::Mode | FileEffect::Times | FileEffect::Xattr => now().is_some_and(|now| now.is(seen, false)),
        FileEffect::Removed => before.target.is_some_and(|was| was.is(seen, false)),
        FileEffect::Renamed | FileEffect::Exchanged | FileEffect::Linked => {
            let second = action.to.as_deref().and_then(Snapshot::take);
            second.is_some_and(|second| second.is(seen, false))
        }
    }
}

/// An object of the same kind beside the target that nobody asks about.
#[derive(Debug)]
pub struct Twin {
    path: String,
    was: Snapshot,
}

impl Twin {
    /// Makes one for a target of the run's own that is there. `None`: it cannot have one.
    pub fn beside(target: &str, unique: &str) -> Option<Self> {
        let found = std::fs::symlink_metadata(target).ok()?;
        let path = format!("{target}.sandproof-twin-{unique}");
        if found.is_dir() {
            std::fs::create_dir(&path).ok()?;
        } else if found.is_file() {
            std::fs::copy(target, &path).ok()?;
        } else {
            return None;
        }
        let was = Snapshot::take(&path)?;
        Some(Self { path, was })
    }

    /// Whether it is as it was made.
    pub fn is_intact(&self) -> bool {
        Snapshot::take(&self.path).is_some_and(|is| {
            let same = (is.mode, is.size, is.mtime) == (self.was.mode, self.was.size, self.was.mtime);
            // A folder's length and time are its file system's business.
            same || (self.was.is_dir() && is.mode == self.was.mode)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::driver::Driver;

    #[test]
    fn another_file_with_the_number_of_a_removed_one_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f").to_str().unwrap().to_owned();
        std::fs::write(&path, b"").unwrap();
        let now = Snapshot { born: Some((5, 0)), ..Snapshot::take(&path).unwrap() };
        let seen =
            PathIdentity { dev: now.dev, ino: now.ino, mode: now.mode, born: now.born, ..PathIdentity::default() };
        assert!(now.is(&seen, false));
        let earlier = PathIdentity { born: Some((4, 0)), ..seen };
        assert!(!now.is(&earlier, false) && !now.is(&earlier, true));
        // Whoever does not know it is taken at its number.
        assert!(now.is(&PathIdentity { born: None, ..seen }, false));
    }

    #[test]
    fn an_effect_is_seen_once_it_is_there_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("f"), b"content").unwrap();
        std::fs::write(at("g"), b"content").unwrap();
        std::fs::write(at("h"), b"content").unwrap();
        let two = |driver, target: &str, to: &str| Action { to: Some(at(to)), ..Action::new(driver, at(target)) };
        let one = |driver, target: &str| Action::new(driver, at(target));
        type Cause = Box<dyn Fn()>;
        let append = |name: &str| -> Cause {
            let path = at(name);
            Box::new(move || std::fs::write(&path, b"contentx").unwrap())
        };
        let cases: Vec<(Action, Cause)> = vec![
            (one(Driver::FileWrite, "f"), append("f")),
            (one(Driver::FileCreate, "n"), {
                let p = at("n");
                Box::new(move || std::fs::write(&p, b"").unwrap())
            }),
            (one(Driver::DirCreate, "d"), {
                let p = at("d");
                Box::new(move || std::fs::create_dir(&p).unwrap())
            }),
            (one(Driver::DirRemove, "d"), {
                let p = at("d");
                Box::new(move || std::fs::remove_dir(&p).unwrap())
            }),
            (two(Driver::FileLink, "g", "l"), {
                let (a, b) = (at("g"), at("l"));
                Box::new(move || std::fs::hard_link(&a, &b).unwrap())
            }),
            (two(Driver::FileRename, "g", "m"), {
                let (a, b) = (at("g"), at("m"));
                Box::new(move || std::fs::rename(&a, &b).unwrap())
            }),
            (one(Driver::FileTruncate, "f"), {
                let p = at("f");
                Box::new(move || std::fs::write(&p, b"").unwrap())
            }),
            (one(Driver::FileUnlink, "h"), {
                let p = at("h");
                Box::new(move || std::fs::remove_file(&p).unwrap())
            }),
        ];
        for (action, cause) in cases {
            let before = StateBefore::of(&action);
            assert!(!happened(&action, &before), "{:?}", action.driver);
            cause();
            assert!(happened(&action, &before), "{:?}", action.driver);
        }
    }

    #[test]
    fn what_goes_through_a_link_shows_on_what_is_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("behind"), b"content").unwrap();
        std::os::unix::fs::symlink("behind", at("link")).unwrap();
        let action = Action::new(Driver::FileWrite, at("link"));
        let before = StateBefore::of(&action);
        assert!(!happened(&action, &before));
        std::fs::write(at("link"), b"contentx").unwrap();
        assert!(happened(&action, &before));
        // A file that is opened again through a descriptor from before is the one behind it too.
        let action = Action::new(Driver::FileWriteReopened, at("link"));
        let before = StateBefore::of(&action);
        std::fs::write(at("behind"), b"contentxy").unwrap();
        assert!(happened(&action, &before));
        // The link itself is what a removal is about.
        let action = Action::new(Driver::FileUnlink, at("link"));
        let before = StateBefore::of(&action);
        std::fs::remove_file(at("link")).unwrap();
        assert!(happened(&action, &before));
    }

    #[test]
    fn what_looks_like_the_effect_and_is_none_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for name in ["there", "linked", "other"] {
            std::fs::write(at(name), b"content").unwrap();
        }
        let made = Action::new(Driver::FileCreate, at("there"));
        let before = StateBefore::of(&made);
        assert!(!happened(&made, &before), "it was there before");
        let link = Action { to: Some(at("new")), ..Action::new(Driver::FileLink, at("linked")) };
        let before = StateBefore::of(&link);
        std::fs::hard_link(at("other"), at("new")).unwrap();
        assert!(!happened(&link, &before), "it is a link to something else");
        let set = Action { name: Some("user.a".into()), ..Action::new(Driver::XattrSet, at("there")) };
        let path = std::ffi::CString::new(at("there")).unwrap();
        // Not every file system has them.
        if path::setxattr(&path, c"user.a", b"1").is_ok() {
            let before = StateBefore::of(&set);
            assert!(!happened(&set, &before), "it had that value before");
            path::setxattr(&path, c"user.a", b"2").unwrap();
            assert!(happened(&set, &before));
        }
    }

    #[test]
    fn a_twin_that_goes_too_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("f").to_str().unwrap().to_owned();
        std::fs::write(&target, b"x").unwrap();
        let twin = Twin::beside(&target, "1").unwrap();
        std::fs::remove_file(&target).unwrap();
        assert!(twin.is_intact());
        std::fs::write(&twin.path, b"xy").unwrap();
        assert!(!twin.is_intact(), "it is longer");
        std::fs::remove_file(&twin.path).unwrap();
        assert!(!twin.is_intact());
    }
}
