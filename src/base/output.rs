//! Where a document goes that a person named a place for.
//!
//! A regular file is replaced as a whole, so that no reader ever sees half a document, and a link to one stays a link: what
//! it leads to is replaced. A terminal, `/dev/null`, a FIFO and a descriptor of this process are written to. Nothing but a
//! regular file is ever replaced, so that no device and no FIFO turns into one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::fsx::{FileError, IoContext, Staged, folder_of, sync_dir};

/// Longest chain of links that is followed, as on Linux.
const MOST_LINKS: usize = 40;
/// How long a FIFO may take to get a reader.
const READER_LIMIT: Duration = Duration::from_secs(2);

/// A place that was named for a document, with every link followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPlace {
    /// As it was named.
    named: PathBuf,
    kind: OutputKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum OutputKind {
    /// A regular file, or nothing yet.
    File(PathBuf),
    /// A FIFO.
    Fifo(PathBuf),
    /// A character device.
    Device(PathBuf),
    /// A descriptor of this process.
    Descriptor(u32),
}

impl OutputPlace {
    /// Looks at what `named` is. A folder, a socket and a block device are no place for a document.
    pub fn of(named: &Path) -> Result<Self, FileError> {
        Ok(Self { named: named.to_owned(), kind: kind_of(named).at("write to", named)? })
    }

    /// Whether it is this process's standard output.
    pub fn is_stdout(&self) -> bool {
        self.kind == OutputKind::Descriptor(1)
    }

    /// The file that is made or replaced; nothing for what is written to as it is.
    pub fn file(&self) -> Option<&Path> {
        match &self.kind {
            OutputKind::File(path) => Some(path),
            _ => None,
        }
    }

    /// Begins to write; what was there stays until the document is finished, where the place is a file.
    pub fn open(self) -> Result<Output, FileError> {
        let into = match &self.kind {
            OutputKind::File(path) => OutputTarget::File(Staged::create(path)?),
            OutputKind::Fifo(path) => OutputTarget::Stream(open_fifo(path).at("write to", &self.named)?),
            OutputKind::Device(path) => {
                let file = OpenOptions::new().write(true).custom_flags(libc::O_NOCTTY | libc::O_CLOEXEC).open(path);
                OutputTarget::Stream(file.at("write to", &self.named)?)
            }
            OutputKind::Descriptor(number) => {
                OutputTarget::Stream(open_descriptor(*number).at("write to", &self.named)?)
            }
        };
        Ok(Output { place: self, into })
    }

    /// Writes `bytes` there: as a whole and durably where it is a file.
    pub fn write(self, bytes: &[u8]) -> Result<(), FileError> {
        let named = self.named.clone();
        let mut output = self.open()?;
        output.write_all(bytes).at("write to", &named)?;
        output.finish()
    }
}

/// A document being written. Dropping it without [`Output::finish`] leaves a file as it was.
#[derive(Debug)]
pub struct Output {
    place: OutputPlace,
    into: OutputTarget,
}

#[derive(Debug)]
enum OutputTarget {
    File(Staged),
    Stream(File),
}

impl Output {
    /// Whether what is written is seen at once, and cannot be taken back.
    pub fn is_stream(&self) -> bool {
        matches!(self.into, OutputTarget::Stream(_))
    }

    /// Ends the document. A file has its name after this, durably.
    pub fn finish(self) -> Result<(), FileError> {
        match self.into {
            OutputTarget::Stream(_) => Ok(()),
            OutputTarget::File(mut staged) => {
                staged.sync()?;
                staged.rename()?;
                self.place.file().map_or(Ok(()), |file| sync_dir(folder_of(file)))
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.into {
            OutputTarget::File(staged) => staged.write(bytes),
            // A reader that has seen enough is no failure, as at standard output.
            OutputTarget::Stream(file) => match file.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
                written => written,
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.into {
            OutputTarget::File(staged) => Write::flush(staged),
            OutputTarget::Stream(file) => file.flush(),
        }
    }
}

fn refused(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why.to_string())
}

fn kind_of(named: &Path) -> io::Result<OutputKind> {
    if named.as_os_str().as_bytes().ends_with(b"/") {
        return Err(refused("it names a folder"));
    }
    let mut at = named.to_owned();
    for _ in 0..MOST_LINKS {
        if let Some(number) = descriptor(&at) {
            return Ok(OutputKind::Descriptor(number));
        }
        let kind = match fs::symlink_metadata(&at) {
            Ok(found) => found.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(OutputKind::File(at)),
            Err(error) => return Err(error),
        };
        if kind.is_symlink() {
            at = at.parent().unwrap_or(Path::new("")).join(fs::read_link(&at)?);
        } else if kind.is_file() {
            return Ok(OutputKind::File(at));
        } else if kind.is_fifo() {
            return Ok(OutputKind::Fifo(at));
        } else if kind.is_char_device() {
            return Ok(OutputKind::Device(at));
        } else {
            let what = match kind {
                kind if kind.is_dir() => "a folder",
                kind if kind.is_socket() => "a socket",
                kind if kind.is_block_device() => "a block device",
                _ => "not something that a document can be written to",
            };
            return Err(refused(format!("it is {what}")));
        }
    }
    Err(refused("its symbolic links form a loop"))
}

/// The descriptor of this process that a path names by the system's own convention. Such paths are links that lead to no
/// name, or to the name of a file that somebody else is writing.
fn descriptor(path: &Path) -> Option<u32> {
    let text = path.to_str()?;
    match text {
        "/dev/stdin" => return Some(0),
        "/dev/stdout" => return Some(1),
        "/dev/stderr" => return Some(2),
        _ => {}
    }
    let own = format!("/proc/{}/fd/", std::process::id());
    let number = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", &own].into_iter();
    number.filter_map(|folder| text.strip_prefix(folder)).find_map(|number| number.parse().ok())
}

fn open_descriptor(number: u32) -> io::Result<File> {
    // The two that everybody has go on where they stand, be they files, pipes or sockets.
    match number {
        1 => return Ok(nix::unistd::dup(io::stdout())?.into()),
        2 => return Ok(nix::unistd::dup(io::stderr())?.into()),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(format!("/dev/fd/{number}"))?;
    let kind = file.metadata()?.file_type();
    // A file could be one that this program has open itself, and its descriptor says nothing of where to go on.
    if !kind.is_fifo() && !kind.is_char_device() {
        return Err(refused("that descriptor is neither a pipe nor a terminal; name the file itself"));
    }
    blocking(file)
}

/// Opens a FIFO once somebody reads it. Waiting for ever would look like a program that hangs.
fn open_fifo(path: &Path) -> io::Result<File> {
    let since = Instant::now();
    loop {
        let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path);
        match opened {
            Ok(file) if file.metadata()?.file_type().is_fifo() => return blocking(file),
            Ok(_) => return Err(refused("it is no longer a FIFO")),
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                if since.elapsed() > READER_LIMIT {
                    return Err(refused("it is a FIFO without a reader"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error),
        }
    }
}

fn blocking(file: File) -> io::Result<File> {
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags.difference(OFlag::O_NONBLOCK)))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;

    use super::*;

    fn write(path: &Path) -> Result<(), String> {
        let chain = |error: FileError| crate::base::error_chain::error_chain(&error);
        OutputPlace::of(path).map_err(chain)?.write(b"text").map_err(chain)
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_link_to_one_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/file"), "old").unwrap();
        symlink("d/file", at("one")).unwrap();
        symlink("one", at("two")).unwrap();
        symlink("d/new", at("dangling")).unwrap();
        for (named, written) in [("two", "d/file"), ("dangling", "d/new"), ("fresh", "fresh")] {
            write(&at(named)).unwrap();
            assert_eq!(fs::read_to_string(at(written)).unwrap(), "text", "{named}");
        }
        assert!(["one", "two", "dangling"].iter().all(|link| at(link).symlink_metadata().unwrap().is_symlink()));
        assert_eq!(fs::read_dir(at("d")).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn what_is_no_place_for_a_document_is_refused_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("socket", at("to_socket")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        for (name, why) in [
            ("socket", "a socket"),
            ("to_socket", "a socket"),
            ("loop", "form a loop"),
            ("", "folder"),
            ("x/", "folder"),
            ("fifo", "without a reader"),
            ("none/x", "No such file"),
        ] {
            let error = write(&at(name)).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert!(at("socket").metadata().unwrap().file_type().is_socket());
        assert!(at("fifo").metadata().unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "nothing else was made");
    }

    #[test]
    fn a_fifo_and_a_device_are_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || {
                let mut text = String::new();
                File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
                text
            }
        });
        write(&fifo).unwrap();
        assert_eq!(reader.join().unwrap(), "text");
        assert!(fifo.metadata().unwrap().file_type().is_fifo());
        // Through a link, so that whatever went wrong would at worst replace the link.
        let null = dir.path().join("null");
        symlink("/dev/null", &null).unwrap();
        write(&null).unwrap();
        assert!(null.symlink_metadata().unwrap().is_symlink() && null.metadata().unwrap().file_type().is_char_device());
    }

    #[test]
    fn a_descriptor_is_known_by_every_name_that_it_has() {
        for (path, number) in [
            ("/dev/stdout", 1),
            ("/dev/fd/1", 1),
            ("/proc/self/fd/1", 1),
            (&format!("/proc/{}/fd/1", std::process::id()), 1),
            ("/dev/stderr", 2),
            ("/dev/fd/63", 63),
        ] {
            assert_eq!(OutputPlace::of(Path::new(path)).unwrap().kind, OutputKind::Descriptor(number), "{path}");
        }
        // A descriptor of a file may be one that this process reads from.
        let file = tempfile::tempfile().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        assert!(write(Path::new(&format!("/dev/fd/{number}"))).unwrap_err().contains("name the file itself"));
    }
}
