//! The root that a sealed command has: what is declared, three places to write, and what a program takes for granted.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{chdir, pivot_root, sethostname};

use super::links::HostLinks;
use super::placing::below_root;
use super::proc_view::{ProcTexts, mount_reduced};
use super::shown::show;
use crate::sys::linux::sealing::set_domain_name;

/// Devices that hold nothing.
const DEVICES: [&str; 5] = ["full", "null", "random", "urandom", "zero"];
/// Where the command may write: name, and what it is for.
const WRITABLE: [&str; 3] = ["dev/shm", "out", "scratch"];
/// Their size is the same everywhere, because a program can ask for it; what they hold is in memory.
const WRITABLE_OPTIONS: &str = "mode=700,size=16g";
/// The host name inside.
const HOST_NAME: &str = "sealed";

/// A step that failed: what was tried, with what, and what the operating system said.
#[derive(Debug)]
pub(super) struct StepFailure {
    pub step: &'static str,
    pub about: String,
    pub source: io::Error,
}

/// Pins a step onto an error.
pub(super) trait StepContext<T> {
    /// Adds the step, and what it was about.
    fn step(self, step: &'static str, about: impl AsRef<Path>) -> Result<T, StepFailure>;
}

impl<T, E: Into<io::Error>> StepContext<T> for Result<T, E> {
    fn step(self, step: &'static str, about: impl AsRef<Path>) -> Result<T, StepFailure> {
        self.map_err(|source| StepFailure {
            step,
            about: about.as_ref().to_string_lossy().into_owned(),
            source: source.into(),
        })
    }
}

/// Begins the root at `at`, a folder of the host that is covered by it in this mount namespace alone, and makes it the working
/// directory. It can hold `bytes` more than what is beside files.
pub(super) fn begin(at: &Path, bytes: u64) -> Result<(), StepFailure> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .step("keep mounts private of", "/")?;
    let size = format!("size={},mode=755", bytes.saturating_mul(2).saturating_add(64 * 1024 * 1024));
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // Large files in huge pages, where the kernel has them: copying is twice as fast, and reading four times.
    let huge = format!("{size},huge=within_size");
    mount(Some("sealed"), at, Some("tmpfs"), flags, Some(&*huge))
        .or_else(|_| mount(Some("sealed"), at, Some("tmpfs"), flags, Some(&*size)))
        .step("mount a root at", at)?;
    chdir(at).step("enter", at)?;
    sethostname(HOST_NAME).step("name the host", HOST_NAME)?;
    set_domain_name(c"(none)").map_err(io::Error::from_raw_os_error).step("name the domain", "(none)")?;
    for folder in ["dev", "in", "proc"].into_iter().chain(WRITABLE) {
        fs::create_dir_all(folder).step("make", folder)?;
    }
    Ok(())
}

/// Makes the links by which declared files have further names. Where a declared folder has brought something, that stays.
pub(super) fn make_links(links: &HostLinks) -> Result<(), StepFailure> {
    for (path, text) in links {
        let at = below_root(path);
        if fs::symlink_metadata(&at).is_ok() {
            continue;
        }
        // What stands above may be a link itself, which leads to where the name is then found.
        if let Some(above) = at.parent() {
            match fs::create_dir_all(above) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.step("make", above)?,
            }
        }
        symlink(text, &at).step("make the link", &at)?;
    }
    Ok(())
}

/// Sets the times of everything to the beginning of time, and takes away the leave to write.
pub(super) fn settle(folder: &Path) -> Result<(), StepFailure> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).step("list", folder)? {
        let entry = entry.step("list", folder)?;
        entries.push((entry.path(), entry.file_type().step("look at", entry.path())?));
    }
    for (path, kind) in entries {
        if kind.is_dir() {
            settle(&path)?;
        } else if !is_bound(&path) {
            set_times(&path)?;
        }
    }
    if !WRITABLE.iter().any(|name| folder == Path::new(".").join(name)) {
        fs::set_permissions(folder, Permissions::from_mode(0o555)).step("protect", folder)?;
    }
    set_times(folder)
}

/// Whether something of the host is shown there, whose times are not ours to set: it is on another device.
fn is_bound(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::symlink_metadata(path).ok().map(|facts| facts.dev());
    device(path) != device(Path::new("."))
}

fn set_times(path: &Path) -> Result<(), StepFailure> {
    let zero = TimeSpec::new(0, 0);
    utimensat(AT_FDCWD, path, &zero, &zero, UtimensatFlags::NoFollowSymlink).step("set the times of", path)
}

/// Mounts devices, `/proc` and the places to write, and leaves the host behind: the working directory becomes the root, and
/// nothing else is left.
pub(super) fn finish(texts: &ProcTexts) -> Result<(), StepFailure> {
    let null = Path::new("./dev/null");
    for name in DEVICES {
        let target = Path::new("./dev").join(name);
        File::create(&target).step("make", &target)?;
    }
    for (name, leads) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        symlink(leads, Path::new("./dev").join(name)).step("make the link", name)?;
    }
    let recorded: [(PathBuf, &str); 2] = [("./.cpuinfo".into(), &texts.cpuinfo), ("./.stat".into(), &texts.stat)];
    for (path, text) in &recorded {
        crate::base::fsx::write_scratch(path, text.as_bytes()).step("write", path)?;
        fs::set_permissions(path, Permissions::from_mode(0o444)).step("protect", path)?;
    }
    settle(Path::new("."))?;
    for name in DEVICES {
        let source = Path::new("/dev").join(name);
        show(&source, &Path::new("./dev").join(name), true).step("show the device", &source)?;
    }
    mount_reduced(Path::new("./proc"), null, &recorded[0].0, &recorded[1].0).step("mount", "/proc")?;
    for (path, _) in &recorded {
        fs::remove_file(path).step("take away", path)?;
    }
    set_times(Path::new("."))?;
    for name in WRITABLE {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("none"), name, Some("tmpfs"), flags, Some(WRITABLE_OPTIONS)).step("mount", name)?;
    }
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(None::<&str>, ".", None::<&str>, flags, None::<&str>).step("protect", "/")?;
    pivot_root(".", ".").step("change to", "/")?;
    umount2(".", MntFlags::MNT_DETACH).step("leave", "/")?;
    chdir("/in").step("enter", "/in")
}

/// A file inside by the name that a command has: with a `/` as a path, from the working directory; else looked up in the declared
/// `PATH`.
pub fn find_command(name: &OsStr, search: Option<&OsStr>) -> io::Result<PathBuf> {
    let executable = |path: &Path| match fs::metadata(path)? {
        facts if !facts.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")),
        facts if facts.permissions().mode() & 0o111 == 0 => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "it may not be executed"))
        }
        _ => Ok(()),
    };
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return executable(&path).map(|()| path);
    }
    let Some(search) = search else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has no `/`, and no variable `PATH` is declared"));
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no folder of the declared `PATH` has it");
    for folder in std::env::split_paths(search).filter(|folder| folder.is_absolute()) {
        let path = folder.join(name);
        match executable(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}
