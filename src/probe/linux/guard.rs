//! What keeps a probe from reaching what the run did not make.
//!
//! The kernel is asked in the probe process itself: after its mounts were made, before the policy is applied,
//! with the very path that the operation is about to take. So links, `..`, mounts and hard links are followed by the same
//! code that will follow them for the operation, and nothing else acts on the probe's folders in between. What counts is
//! where the path ends: the name that the kernel gives for the object, and the mount that it was reached through. A path
//! that wanders and comes back inside is as good as a straight one, so plans may ask about spellings.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, OwnedFd};

use super::descriptor_link::{LinkText, link_of_descriptor};
use crate::probe::program::program_image;
use crate::record::action::{Action, ActionScope};
use crate::record::driver::{ChangeReach, Driver, Effect, TargetKind};
use crate::record::report::SetupFailure;
use crate::sys::linux::path::{self, Stat};

/// What a guard needs as the kernel takes it, made before the fork.
#[derive(Debug, Default)]
pub struct GuardPaths {
    /// The run's own folders.
    folders: Vec<CString>,
    /// The folders in which the target and the second path have their entries; empty where no entry is changed.
    parents: [CString; 2],
}

impl GuardPaths {
    /// What guards `action` within `scope`.
    ///
    /// # Errors
    /// If a text holds a NUL.
    pub fn of(action: &Action, scope: &ActionScope) -> Result<Self, SetupFailure> {
        if !is_guarded(action.driver, scope) {
            return Ok(Self::default());
        }
        let text = |text: &str| CString::new(text).map_err(|_| SetupFailure::at("target", libc::EINVAL));
        let entry = action.driver.reach().contains(&ChangeReach::Entry);
        let parent = |path: Option<&str>| text(path.filter(|_| entry).map(parent_of).unwrap_or_default());
        Ok(Self {
            folders: scope.own.iter().map(|folder| text(folder)).collect::<Result<_, _>>()?,
            parents: [parent(Some(&action.target))?, parent(second(action))?],
        })
    }
}

/// Whether the driver may only reach what is the run's own.
fn is_guarded(driver: Driver, scope: &ActionScope) -> bool {
    let info = driver.info();
    match info.effect {
        Effect::Changes => info.target == TargetKind::Path,
        Effect::OpensForWriting => true,
        Effect::Reads => driver == Driver::Exec && !scope.host_programs,
    }
}

/// The second path that is changed, if there is one. The text of a symbolic link is only text.
fn second(action: &Action) -> Option<&str> {
    action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate)
}

/// The path of the folder that has the entry that `path` names. For one that ends in `.` or `..` it is the path itself.
fn parent_of(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((_, "." | "..")) => path,
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None if trimmed.is_empty() && !path.is_empty() => "/",
        None if matches!(trimmed, "." | "..") => path,
        None => ".",
    }
}

/// Guards one operation.
#[derive(Debug)]
pub struct Guard<'a> {
    own: &'a GuardPaths,
    /// The mount that each of the run's own folders lies on; `None` for a folder that is not there.
    lie_on: Vec<Option<u64>>,
    /// The probe's own mounts of what is the run's own.
    mounts: Vec<u64>,
}

impl<'a> Guard<'a> {
    /// A guard for the operation, if it needs one. Make it in the mount namespace of the operation, before its mounts.
    ///
    /// # Errors
    /// If the kernel does not tell where the folders lie.
    pub fn of(action: &Action, own: &'a GuardPaths, scope: &ActionScope) -> Result<Option<Self>, SetupFailure> {
        if is_guarded(action.driver, scope) { Self::over(own).map(Some) } else { Ok(None) }
    }

    fn over(own: &'a GuardPaths) -> Result<Self, SetupFailure> {
        let lie_on = own.folders.iter().map(|folder| {
            match path::open_owned(folder, libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW, 0) {
                Ok(fd) => closing(fd, path::mount_id).map(Some).map_err(|errno| SetupFailure::at("mount_of", errno)),
                // Nothing was made in it, so nothing in it can be changed.
                Err(libc::ENOENT) => Ok(None),
                Err(errno) => Err(SetupFailure::at("own_folder", errno)),
            }
        });
        Ok(Self { own, lie_on: lie_on.collect::<Result<_, _>>()?, mounts: Vec::new() })
    }

    /// Before a mount: whether its source and its place are the run's own, so that it may lie on the way to a change.
    ///
    /// # Errors
    /// If they are not. An execution is told later, if it should lead through this mount.
    pub fn before_mount(&mut self, driver: Driver, from: &CStr, at: &CStr) -> Result<bool, SetupFailure> {
        let checked = self.object("mount_source", from).and_then(|()| self.object("mount_place", at));
        match checked {
            Ok(()) => Ok(true),
            Err(failure) if failure.leads_to.is_some() && driver.info().effect != Effect::Changes => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// After a mount of the run's own.
    ///
    /// # Errors
    /// If the kernel does not tell which it is.
    pub fn after_mount(&mut self, at: &CStr) -> Result<(), SetupFailure> {
        let fd = path::open_handle(at).map_err(|errno| SetupFailure::at("mount_bind", errno))?;
        let mount = closing(fd, path::mount_id).map_err(|errno| SetupFailure::at("mount_of", errno))?;
        self.mounts.push(mount);
        Ok(())
    }

    /// Right before the operation: whether it may be attempted.
    ///
    /// # Errors
    /// If it may not, with where its path really leads.
    pub fn check(&self, action: &Action, target: &CStr, to: &CStr) -> Result<(), SetupFailure> {
        match action.driver.info().effect {
            Effect::OpensForWriting => self.opening(target),
            Effect::Reads => self.execution(target),
            Effect::Changes => {
                self.change(action.driver, target, &self.own.parents[0])?;
                if second(action).is_some() { self.change(action.driver, to, &self.own.parents[1]) } else { Ok(()) }
            }
        }
    }

    fn change(&self, driver: Driver, path: &CStr, parent: &CStr) -> Result<(), SetupFailure> {
        for reach in driver.reach() {
            match reach {
                ChangeReach::Object => self.object("change", path)?,
                ChangeReach::Entry => self.entry(path, parent)?,
            }
        }
        Ok(())
    }

    /// What `path` leads to, a final link followed, has to be the run's own, if it leads anywhere.
    fn object(&self, step: &str, path: &CStr) -> Result<(), SetupFailure> {
        let Some(fd) = reached(path, 0)? else { return Ok(()) };
        closing(fd, |fd| self.within(step, fd))
    }

    /// The folder of an entry has to be the run's own. One of the run's own folders may itself be removed or moved.
    fn entry(&self, path: &CStr, parent: &CStr) -> Result<(), SetupFailure> {
        let Some(fd) = reached(parent, 0)? else { return Ok(()) };
        let checked = closing(fd, |fd| self.within("change", fd));
        if checked.as_ref().is_err_and(|failure| failure.leads_to.is_some())
            && let Some(fd) = reached(path, libc::O_NOFOLLOW)?
            && closing(fd, |fd| self.is_a_folder_itself(fd))
        {
            return Ok(());
        }
        checked
    }

    /// Whether what is open lies in one of the run's own folders, or on a mount of what does.
    fn within(&self, step: &str, fd: i32) -> Result<(), SetupFailure> {
        let mount = path::mount_id(fd).map_err(|errno| SetupFailure::at("mount_of", errno))?;
        let link = link_of_descriptor(fd).map_err(|errno| SetupFailure::at("where_it_leads", errno))?;
        let below = |folder: &CString| {
            let rest = link.as_bytes().strip_prefix(folder.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        // The name alone would not do: a mount shows something foreign under a name of the run's own.
        let own = self.own.folders.iter().zip(&self.lie_on).any(|(folder, on)| *on == Some(mount) && below(folder));
        if own || self.mounts.contains(&mount) { Ok(()) } else { Err(foreign(step, &link)) }
    }

    fn is_a_folder_itself(&self, fd: i32) -> bool {
        let (Ok(mount), Ok(link)) = (path::mount_id(fd), link_of_descriptor(fd)) else { return false };
        let mut folders = self.own.folders.iter().zip(&self.lie_on);
        folders.any(|(folder, on)| *on == Some(mount) && folder.as_bytes() == link.as_bytes())
    }

    /// A file may be anybody's: it is opened and nothing more. The other end of a FIFO would notice, and a device may start
    /// something.
    fn opening(&self, target: &CStr) -> Result<(), SetupFailure> {
        let Some(fd) = reached(target, 0)? else { return Ok(()) };
        closing(fd, |fd| {
            let found = path::fstat(fd).map_err(|errno| SetupFailure::at("stat", errno))?;
            match found.mode & libc::S_IFMT {
                libc::S_IFIFO => self.within("open_device", fd),
                libc::S_IFCHR if may_be_written_open(found.device) => Ok(()),
                libc::S_IFCHR | libc::S_IFBLK => Err(leads("open_device", fd)),
                _ => Ok(()),
            }
        })
    }

    /// Only this program's own small one may be executed.
    fn execution(&self, target: &CStr) -> Result<(), SetupFailure> {
        let Some(fd) = reached(target, 0)? else { return Ok(()) };
        closing(fd, |fd| {
            self.within("execute", fd)?;
            if path::fstat(fd).is_ok_and(|found| found.mode & libc::S_IFMT != libc::S_IFREG) {
                return Ok(());
            }
            match path::open_owned(target, libc::O_RDONLY | libc::O_NONBLOCK, 0) {
                Ok(readable) => {
                    let mut found = [0; 256];
                    let length = closing(readable, |fd| path::read(fd, &mut found)).unwrap_or(0) as usize;
                    if found[..length] == program_image() { Ok(()) } else { Err(leads("execute", fd)) }
                }
                // It lies in the run's own folder. Files with an `x` mode are never made there without the option, so this
                // is a program that its mode hides, or no program.
                Err(libc::EACCES) => Ok(()),
                Err(errno) => Err(SetupFailure::at("read_program", errno)),
            }
        })
    }
}

/// A bare handle (`O_PATH`) of what a path leads to. `None`: it leads nowhere, and the operation fails at the same place.
fn reached(path: &CStr, flags: i32) -> Result<Option<OwnedFd>, SetupFailure> {
    match path::open_owned(path, libc::O_PATH | flags, 0) {
        Ok(fd) => Ok(Some(fd)),
        Err(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::EACCES | libc::ENAMETOOLONG) => Ok(None),
        Err(errno) => Err(SetupFailure::at("resolve", errno)),
    }
}

/// Does something with a descriptor, and closes it.
fn closing<T>(fd: OwnedFd, f: impl FnOnce(i32) -> T) -> T {
    f(fd.as_raw_fd())
}

fn foreign(step: &str, link: &LinkText) -> SetupFailure {
    SetupFailure { leads_to: Some(link.to_text()), ..SetupFailure::at(step, 0) }
}

fn leads(step: &str, fd: i32) -> SetupFailure {
    link_of_descriptor(fd).map_or_else(|errno| SetupFailure::at("where_it_leads", errno), |link| foreign(step, &link))
}

/// Character devices that nothing happens to when they are opened for writing and closed again, by their numbers
/// (Documentation/admin-guide/devices.txt).
fn may_be_written_open((major, minor): (u32, u32)) -> bool {
    match major {
        // mem, kmem, null, port, zero, full, random, urandom, kmsg
        1 => matches!(minor, 1..=5 | 7..=9 | 11),
        // The controlling terminal, and the maker of pseudo terminals, which makes one that goes away again.
        5 => matches!(minor, 0 | 2),
        // tun, fuse, kvm, loop-control: nothing is made before it is asked for by a call of its own.
        10 => matches!(minor, 200 | 229 | 232 | 237),
        // Pseudo terminals.
        136..=143 => true,
        // Render nodes of graphics cards.
        226 => minor >= 128,
        _ => false,
    }
}

/// Character devices that do something as soon as they are opened, also for reading: watchdogs start to count, tapes are
/// rewound.
fn acts_when_opened(found: &Stat, link: &[u8]) -> bool {
    let watchdog_or_tape = match found.device {
        (10, 130) | (9, _) => true,
        (major, minor) => {
            let mut place = [0; 512];
            let text = CString::new(format!("/sys/dev/char/{major}:{minor}")).unwrap_or_default();
            let length = path::readlink(&text, &mut place).unwrap_or(0) as usize;
            let has = |part: &[u8]| place[..length].windows(part.len()).any(|window| window == part);
            has(b"/watchdog/") || has(b"/scsi_tape/")
        }
    };
    watchdog_or_tape || link.starts_with(b"/dev/watchdog")
}

/// Before a driver opens its target for reading: whether that alone would set something in motion.
///
/// # Errors
/// If it would.
pub fn check_reading(driver: Driver, target: &CStr) -> Result<(), SetupFailure> {
    if !driver.opens_for_reading()
        || !path::stat(target, 0).is_ok_and(|found| found.mode & libc::S_IFMT == libc::S_IFCHR)
    {
        return Ok(());
    }
    let Some(fd) = reached(target, 0)? else { return Ok(()) };
    closing(fd, |fd| {
        let found = path::fstat(fd).map_err(|errno| SetupFailure::at("stat", errno))?;
        let link = link_of_descriptor(fd).map_err(|errno| SetupFailure::at("where_it_leads", errno))?;
        if acts_when_opened(&found, link.as_bytes()) { Err(foreign("open_device", &link)) } else { Ok(()) }
    })
}

/// Whether an entry at `path` would be made in one of `folders`, as the kernel finds now; otherwise where it would be.
///
/// # Errors
/// If it would not.
pub fn check_entry(path: &str, folders: &[String]) -> Result<(), SetupFailure> {
    let text = |text: &str| CString::new(text).map_err(|_| SetupFailure::at("target", libc::EINVAL));
    let own = GuardPaths {
        folders: folders.iter().map(|folder| text(folder)).collect::<Result<_, _>>()?,
        parents: [text(parent_of(path))?, CString::default()],
    };
    let guard = Guard::over(&own)?;
    guard.entry(&text(path)?, &own.parents[0])
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    /// Where `driver` would be stopped in a scope of the folder `own`, if it would.
    fn stopped(driver: Driver, own: &Path, target: &str, to: Option<&str>) -> Option<String> {
        let scope = ActionScope { own: vec![own.to_str().unwrap().to_owned()], host_programs: false };
        let action = Action { to: to.map(str::to_owned), ..Action::new(driver, target) };
        let known = GuardPaths::of(&action, &scope).unwrap();
        let guard = Guard::of(&action, &known, &scope).unwrap()?;
        let text = |text: &str| CString::new(text).unwrap();
        let checked = guard.check(&action, &text(target), &text(to.unwrap_or_default()));
        checked.err().map(|failure| failure.leads_to.unwrap_or_else(|| format!("{} {}", failure.step, failure.errno)))
    }

    #[test]
    fn parents_of_entries() {
        for (path, parent) in [
            ("/a/b", "/a"),
            ("/a/b/", "/a"),
            ("/a", "/"),
            ("/", "/"),
            ("/a/b/..", "/a/b/.."),
            ("/a/.", "/a/."),
            ("/a/./", "/a/./"),
            ("b", "."),
            ("..", ".."),
        ] {
            assert_eq!(parent_of(path), parent, "{path}");
        }
    }

    #[test]
    fn what_counts_is_where_a_path_ends_and_not_how_it_is_spelled() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let (own, victim) = (base.join("own"), base.join("victim"));
        std::fs::create_dir_all(own.join("d/deep")).unwrap();
        std::fs::create_dir(&victim).unwrap();
        for file in [own.join("f"), victim.join("keep")] {
            std::fs::write(file, "x").unwrap();
        }
        std::fs::create_dir(base.join("own-not")).unwrap();
        symlink(&victim, own.join("b")).unwrap();
        symlink("b", own.join("a")).unwrap();
        symlink("../../a", own.join("d/deep/c")).unwrap();
        symlink(&own, own.join("d/l")).unwrap();
        symlink(own.join("f"), own.join("absolute")).unwrap();
        symlink(victim.join("keep"), own.join("file")).unwrap();
        symlink(victim.join("none"), own.join("dangling")).unwrap();
        symlink("loop", own.join("loop")).unwrap();
        std::fs::hard_link(own.join("file"), own.join("hard")).unwrap();
        let text = |rest: &str| format!("{}/{rest}", own.display());
        let inside = ["f", "absolute", "d/l/f", "d/../f", "d/l/d/l/d/l/f", "none", "d/none", "f/x", "loop", "dangling"];
        for rest in inside {
            for driver in [Driver::FileWrite, Driver::FileTruncate, Driver::FileChmod, Driver::XattrSet] {
                assert_eq!(stopped(driver, &own, &text(rest), None), None, "{driver:?} {rest}");
            }
            let through_proc = format!("/proc/self/root{}", text(rest));
            assert_eq!(stopped(Driver::FileWrite, &own, &through_proc, None), None, "{rest}");
        }
        // An entry that is a link is the run's own, wherever it leads.
        for rest in ["f", "a", "file", "dangling", "d/l/b", "new", "d/l/new", "none/new"] {
            for driver in [Driver::FileUnlink, Driver::DirCreate, Driver::UnixBind, Driver::FifoCreate] {
                assert_eq!(stopped(driver, &own, &text(rest), None), None, "{driver:?} {rest}");
            }
        }
        let keep = victim.join("keep").display().to_string();
        for rest in [
            "a/keep",
            "b/keep",
            "d/deep/c/keep",
            "file",
            "hard",
            "d/l/../victim/keep",
            "d/l/a/keep",
            "a/../victim/keep",
        ] {
            for driver in [Driver::FileWrite, Driver::FileTruncate, Driver::FileChmod, Driver::FileUtimes] {
                assert_eq!(stopped(driver, &own, &text(rest), None).as_ref(), Some(&keep), "{driver:?} {rest}");
            }
        }
        let victim = victim.display().to_string();
        for rest in ["a/keep", "a/new", "d/deep/c/new", "d/l/a/new/", "b/new", "d/l/../victim/new", "a/.", "d/deep/c/."]
        {
            for driver in [
                Driver::FileUnlink,
                Driver::FileCreate,
                Driver::DirCreate,
                Driver::DirRemove,
                Driver::UnixBind,
                Driver::SymlinkCreate,
                Driver::SocketNodeCreate,
            ] {
                assert_eq!(
                    stopped(driver, &own, &text(rest), Some("/text")),
                    Some(victim.clone()),
                    "{driver:?} {rest}"
                );
            }
            for driver in [Driver::FileRename, Driver::FileExchange, Driver::FileLink] {
                assert_eq!(stopped(driver, &own, &text("f"), Some(&text(rest))), Some(victim.clone()), "{driver:?}");
                assert_eq!(stopped(driver, &own, &text(rest), Some(&text("g"))), Some(victim.clone()), "{driver:?}");
            }
        }
        let neighbour = base.join("own-not").display().to_string();
        assert_eq!(stopped(Driver::DirCreate, &own, &format!("{neighbour}/x"), None), Some(neighbour));
        // The folder itself is the run's own as well; the one that holds it is not.
        assert_eq!(stopped(Driver::DirRemove, &own, own.to_str().unwrap(), None), None);
        assert_eq!(stopped(Driver::DirRemove, &own, &text("d/l"), None), None);
        assert_eq!(
            stopped(Driver::DirRemove, &own, base.to_str().unwrap(), None),
            base.parent().map(|p| p.display().to_string())
        );
    }

    #[test]
    fn only_files_and_harmless_devices_of_others_are_opened_for_writing() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let own = base.join("own");
        std::fs::create_dir(&own).unwrap();
        let fifo = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        fifo(&own.join("fifo"));
        fifo(&base.join("fifo"));
        let own_fifo = own.join("fifo").display().to_string();
        for target in ["/etc/passwd", "/dev/null", "/dev/ptmx", "/dev/tty", "/etc", "/nowhere", own_fifo.as_str()] {
            for driver in [Driver::FileReadWrite, Driver::FileOpenWrite] {
                assert_eq!(stopped(driver, &own, target, None), None, "{target}");
            }
        }
        let foreign = base.join("fifo").display().to_string();
        assert_eq!(stopped(Driver::FileOpenWrite, &own, &foreign, None), Some(foreign));
        assert!(!may_be_written_open((10, 130)) && !may_be_written_open((9, 0)) && !may_be_written_open((4, 64)));
    }

    #[test]
    fn only_the_own_program_is_executed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().canonicalize().unwrap();
        let image = program_image();
        std::fs::write(own.join("program"), image).unwrap();
        std::fs::write(own.join("script"), "#!/bin/sh\n").unwrap();
        let mut longer = image.to_vec();
        longer.push(0);
        std::fs::write(own.join("longer"), longer).unwrap();
        symlink("/bin/sh", own.join("link")).unwrap();
        symlink("program", own.join("fine")).unwrap();
        for name in ["program", "script", "longer"] {
            std::fs::set_permissions(own.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let at = |name: &str| stopped(Driver::Exec, &own, own.join(name).to_str().unwrap(), None);
        assert_eq!((at("program"), at("fine"), at("none"), at("")), (None, None, None, None));
        assert!(at("script").unwrap().ends_with("/script"));
        assert!(at("longer").unwrap().ends_with("/longer"));
        assert!(at("link").unwrap().starts_with('/') && stopped(Driver::Exec, &own, "/bin/true", None).is_some());
        let scope = ActionScope { own: Vec::new(), host_programs: true };
        let action = Action::new(Driver::Exec, "/bin/true");
        assert!(Guard::of(&action, &GuardPaths::of(&action, &scope).unwrap(), &scope).unwrap().is_none());
    }
}
