//! Questions in plain words.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::record::driver::Driver;
use crate::record::launcher::{Mechanism, Names};
use crate::record::outcome::Decision;

/// What `ask --help` says of the verbs.
pub(super) const VERBS_HELP: &str = "\
Verbs:
  read FILE          open it and read          list DIR      list a folder
  write FILE         open it for writing; a fixture is written to. In a folder: make a new file, which is removed again
  create PATH        make a file               mkdir PATH    make a folder
  delete PATH        remove a file             rmdir PATH    remove a folder
  rename A B         rename                    link A B      make B a hard link to A
  symlink PATH TEXT  make a symbolic link      chmod PATH    change its permission bits
  stat PATH          ask for its metadata      readlink PATH read a symbolic link's text
  exec FILE [ARG…]   execute a program         fork          make a process
  connect HOST:PORT  connect a TCP socket      udp HOST:PORT send a datagram
  bind HOST:PORT     bind a TCP socket         unix PATH     connect a UNIX socket
  abstract NAME      connect a UNIX socket to an abstract name
  signal             signal a process outside  inspect       read the executable link of a process outside
  env NAME           read a variable (a stand-in for its value is set outside)
  userns             make a user namespace     memfd         execute a program from memory
  io_uring           set up an io_uring        bpf           make a BPF map
  perf               open a performance event  userfaultfd   make one
  raw, packet, netlink, vsock                  make a socket of that kind
  mptcp HOST:PORT, fastopen HOST:PORT          connect by MPTCP, or by sending
  fd                 read a descriptor that was open at the command's start
  key                read a key of the session keyring
  shm                read System V shared memory of the outside
  sem, msg, mq, pty  make a semaphore, a message queue, a POSIX one, a pseudo terminal
  ptrace, mem, environ, maps, root, getfd      attach to a process outside; read its memory, environment, mappings; go
                     through the link to its root; take its descriptor
  priority           lower the priority of a process outside
  tty                change the size of the terminal that controls the command (one that `ask` makes)
  tiocsti            type into that terminal
  mount DIR, chroot DIR, pivot DIR             mount a tmpfs on a folder, or make it the root: in a mount namespace of its own
  chdir DIR, statfs PATH, watch PATH, lock FILE, chown FILE, mmap FILE
                     go there; ask for its file system; watch, lock, give to oneself, map for execution

`deny(hidden)` demands how a denial comes about: refused, hidden, diverted, killed, dropped, or several of them with commas;
`deny(by-name)` and `allow(by-name)` mean the name as it is spelled alone, whatever other names its object has inside.

Paths may begin with `~`, or be relative to this folder. `${workspace}/NAME` and `${outside}/NAME` are fixtures that `ask`
makes: the workspace is the folder that the command is started in, and that its arguments can name; the other one lies beside
it. `127.0.0.1:${port}` is a listener that `ask` keeps. What exists is only read, never changed; what is changed is a fixture.

Exit codes: 0 as expected; 1 something is not; 8 something expected stayed undecided.";

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AskQuestion {
    place: usize,
    /// As it was asked.
    pub(super) text: String,
    /// `None`: it is only answered.
    pub(super) expected: Option<Decision>,
    /// How a denial has to come about. Empty: in whatever way.
    pub(super) mechanism: Vec<Mechanism>,
    /// Whether the name as spelled is meant alone.
    pub(super) name_alone: bool,
    driver: Driver,
    target: String,
    to: Option<String>,
    argv: Vec<String>,
    fixtures: Vec<(String, &'static str)>,
    listener: Option<(&'static str, String)>,
}

impl AskQuestion {
    /// Reads a question.
    pub(super) fn read(place: usize, text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let (expected, demands) = expectation(&mut rest)?;
        let verb = word(&mut rest);
        let what = rest;
        let mut question = Self {
            place,
            text: text.trim().to_owned(),
            expected,
            mechanism: Vec::new(),
            name_alone: false,
            driver: Driver::FileRead,
            target: String::new(),
            to: None,
            argv: Vec::new(),
            fixtures: Vec::new(),
            listener: None,
        };
        if expected.is_some() {
            question.demand(demands)?;
        }
        let words: Vec<&str> = what.split_whitespace().collect();
        let two = || match words.as_slice() {
            [a, b] => Ok((*a, *b)),
            _ => Err(format!("`{verb}` takes two paths")),
        };
        match verb {
            "read" => question.read_or_list(what)?,
            "list" => question.on(Driver::DirList, what, Some("dir"))?,
            "stat" => question.on(Driver::FileStat, what, Some("file"))?,
            "readlink" => question.on(Driver::FileReadlink, what, None)?,
            "write" => question.write(what)?,
            "create" => question.changing(Driver::FileCreate, what, None)?,
            "mkdir" => question.changing(Driver::DirCreate, what, None)?,
            "delete" => question.changing(Driver::FileUnlink, what, Some("file"))?,
            "rmdir" => question.changing(Driver::DirRemove, what, Some("dir"))?,
            "chmod" => question.changing(Driver::FileChmod, what, Some("file"))?,
            "rename" | "link" => {
                let (a, b) = two()?;
                let driver = if verb == "rename" { Driver::FileRename } else { Driver::FileLink };
                question.changing(driver, a, Some("file"))?;
                question.to = Some(own(b)?);
            }
            "symlink" => {
                let (path, text) = two()?;
                question.changing(Driver::SymlinkCreate, path, None)?;
                question.to = Some(text.to_owned());
            }
            "exec" => {
                let (program, arguments) = words.split_first().ok_or("`exec` needs a program")?;
                question.on(Driver::Exec, program, Some("program"))?;
                if !arguments.is_empty() {
                    question.argv = words.iter().map(|word| (*word).to_owned()).collect();
                }
            }
            "chdir" => question.on(Driver::Chdir, what, Some("dir"))?,
            "statfs" => question.on(Driver::FileStatfs, what, Some("file"))?,
            "watch" => question.on(Driver::InotifyWatch, what, Some("file"))?,
            "mmap" => question.on(Driver::FileMapExecutable, what, Some("file"))?,
            "lock" => question.changing(Driver::FileLock, what, Some("file"))?,
            "chown" => question.changing(Driver::FileChown, what, Some("file"))?,
            "mount" => question.changing(Driver::MountTmpfs, what, Some("dir"))?,
            "pivot" => question.changing(Driver::PivotRoot, what, Some("dir"))?,
            "chroot" => question.on(Driver::Chroot, what, Some("dir"))?,
            "mptcp" => question.address(Driver::MptcpConnect, what, "tcp")?,
            "fastopen" => question.address(Driver::TcpFastOpen, what, "tcp")?,
            verb if NOTHING.iter().any(|(name, _)| *name == verb) => {
                let driver = NOTHING.iter().find(|(name, _)| *name == verb).map_or(Driver::ProcessFork, |(_, it)| *it);
                question.nothing(driver, what)?;
            }
            "fork" => question.nothing(Driver::ProcessFork, what)?,
            "signal" => question.nothing(Driver::SignalOutside, what)?,
            "inspect" => question.nothing(Driver::ProcessInspectOutside, what)?,
            "userns" => question.nothing(Driver::UserNamespace, what)?,
            "bpf" => question.nothing(Driver::BpfMap, what)?,
            "io_uring" => question.nothing(Driver::IoUring, what)?,
            "memfd" => question.nothing(Driver::ExecMemfd, what)?,
            "raw" => question.nothing(Driver::RawSocket, what)?,
            "env" => {
                let fine = !what.is_empty() && !what.contains(['=', '\0', ' ']);
                question.driver = Driver::EnvironmentRead;
                question.target =
                    if fine { what.to_owned() } else { return Err("`env` needs a variable's name".into()) };
            }
            "connect" => question.address(Driver::TcpConnect, what, "tcp")?,
            "udp" => question.address(Driver::UdpSend, what, "udp")?,
            "bind" => {
                question.driver = Driver::TcpBind;
                let what = if what.contains(':') { what.to_owned() } else { format!("127.0.0.1:{what}") };
                question.target = endpoint(&what)?;
            }
            "unix" => {
                question.on(Driver::UnixConnect, what, None)?;
                if is_own(&question.target) {
                    question.listener = Some(("unix", question.target.clone()));
                }
            }
            "abstract" if !what.is_empty() => {
                question.driver = Driver::AbstractConnect;
                question.target = what.to_owned();
            }
            "" => return Err("there is no verb".into()),
            "abstract" => return Err("`abstract` needs a name".into()),
            other => return Err(format!("`{other}` is not a verb")),
        }
        Ok(question)
    }

    /// What stands in brackets behind `allow` or `deny`.
    fn demand(&mut self, demands: &str) -> Result<(), String> {
        for demand in demands.split(',').map(str::trim).filter(|demand| !demand.is_empty()) {
            let mechanism = Mechanism::ALL.iter().find(|mechanism| mechanism.as_str() == demand);
            match (demand, mechanism) {
                ("by-name", _) => self.name_alone = true,
                (_, Some(_)) if self.expected != Some(Decision::Deny) => {
                    return Err(format!("only a denial is `{demand}`"));
                }
                (_, Some(mechanism)) if !self.mechanism.contains(mechanism) => self.mechanism.push(*mechanism),
                (_, Some(_)) => {}
                _ => {
                    let known: Vec<&str> = Mechanism::ALL.iter().map(|mechanism| mechanism.as_str()).collect();
                    return Err(format!("`{demand}` is none of {}, by-name", known.join(", ")));
                }
            }
        }
        Ok(())
    }

    /// The names of its object that it is about.
    pub(super) fn names(&self) -> Names {
        if self.name_alone { Names::Spelled } else { Names::All }
    }

    fn nothing(&mut self, driver: Driver, what: &str) -> Result<(), String> {
        self.driver = driver;
        let other = matches!(driver, Driver::SignalOutside | Driver::ProcessInspectOutside);
        self.target = if other { "outside" } else { "self" }.to_owned();
        if what.is_empty() { Ok(()) } else { Err(format!("it takes no argument, but got `{what}`")) }
    }

    fn read_or_list(&mut self, what: &str) -> Result<(), String> {
        let path = path(what)?;
        let folder =
            matches!(path.as_str(), "${workspace}" | "${outside}") || (!is_own(&path) && Path::new(&path).is_dir());
        self.on(if folder { Driver::DirList } else { Driver::FileRead }, what, Some("file"))
    }

    /// An operation that changes nothing of what exists.
    fn on(&mut self, driver: Driver, what: &str, fixture: Option<&'static str>) -> Result<(), String> {
        self.driver = driver;
        self.target = path(what)?;
        self.fixtures.extend(fixture.and_then(|kind| Some((within(&self.target)?, kind))));
        Ok(())
    }

    /// An operation that changes its target, which has to be a fixture.
    fn changing(&mut self, driver: Driver, what: &str, fixture: Option<&'static str>) -> Result<(), String> {
        self.driver = driver;
        self.target = own(what)?;
        self.fixtures.extend(fixture.and_then(|kind| Some((within(&self.target)?, kind))));
        Ok(())
    }

    fn write(&mut self, what: &str) -> Result<(), String> {
        let path = path(what)?;
        if matches!(path.as_str(), "${workspace}" | "${outside}") {
            return self.changing(Driver::FileCreate, &format!("{path}/sandproof-new-{}", self.place), None);
        }
        if is_own(&path) {
            return self.changing(Driver::FileWrite, &path, Some("file"));
        }
        if Path::new(&path).is_dir() {
            self.driver = Driver::FileCreate;
            self.target = format!("{}/${{name.new}}", path.trim_end_matches('/'));
            return Ok(());
        }
        self.driver = Driver::FileOpenWrite;
        self.target = path;
        Ok(())
    }

    fn address(&mut self, driver: Driver, what: &str, kind: &'static str) -> Result<(), String> {
        self.driver = driver;
        self.target = endpoint(what)?;
        if self.target.contains("${port.") {
            self.listener = Some((kind, self.target.clone()));
        }
        Ok(())
    }

    /// The id of its probe.
    pub(super) fn id(&self) -> String {
        format!("q{:03}", self.place + 1)
    }

    /// Whether a program of the host is executed.
    pub(super) fn executes(&self) -> bool {
        self.driver == Driver::Exec
    }

    /// The probe that asks it.
    pub(super) fn probe(&self) -> Value {
        let info = self.driver.info();
        let operation = info.operations[0];
        let fixtures: Vec<Value> =
            self.fixtures.iter().map(|(path, kind)| json!({ "path": path, "kind": kind })).collect();
        let mut probe = json!({
            "probe_id": self.id(), "name": self.id(), "operation": operation, "target": self.target,
            "driver": info.name,
            // The careful expectation, where none was said; the exit code of `ask` does not count it.
            "expected": self.expected.unwrap_or(Decision::Deny).as_str(),
            "why": self.text, "supports_lanes": {}, "expected_primary_ops": [operation],
            "expected_predicates": [self.target], "capabilities_required": [], "controls_supported": [],
            "fixtures": fixtures,
        });
        if let Some(to) = &self.to {
            probe["to"] = json!(to);
        }
        if !self.argv.is_empty() {
            probe["argv"] = json!(self.argv);
        }
        if !self.mechanism.is_empty() {
            probe["mechanism"] = json!(self.mechanism);
        }
        if self.name_alone {
            probe["name_alone"] = json!(true);
        }
        if let Some((kind, address)) = &self.listener {
            probe["listener"] = json!({ "kind": kind, "address": address });
        }
        probe
    }
}

/// Verbs that need nothing behind them.
const NOTHING: [(&str, Driver); 23] = [
    ("perf", Driver::PerfEvent),
    ("userfaultfd", Driver::Userfaultfd),
    ("packet", Driver::PacketSocket),
    ("netlink", Driver::NetlinkSocket),
    ("vsock", Driver::VsockSocket),
    ("fd", Driver::DescriptorRead),
    ("key", Driver::KeyRead),
    ("shm", Driver::SysvShm),
    ("sem", Driver::SysvSem),
    ("msg", Driver::SysvMsg),
    ("mq", Driver::PosixMq),
    ("pty", Driver::PseudoTty),
    ("ptrace", Driver::PtraceOutside),
    ("mem", Driver::ProcessVmReadvOutside),
    ("environ", Driver::ProcessEnvironOutside),
    ("maps", Driver::ProcessMapsOutside),
    ("root", Driver::ProcessRootOutside),
    ("getfd", Driver::PidfdGetfdOutside),
    ("priority", Driver::ProcessPriorityOutside),
    ("tty", Driver::TtyIoctl),
    ("tiocsti", Driver::TtyInject),
    ("keyadd", Driver::KeyAdd),
    ("procmem", Driver::ProcessMemOutside),
];

/// Takes the next word.
fn word<'t>(rest: &mut &'t str) -> &'t str {
    let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    *rest = behind.trim_start();
    word
}

/// Takes `allow` or `deny`, and what stands in brackets behind it.
fn expectation<'t>(rest: &mut &'t str) -> Result<(Option<Decision>, &'t str), String> {
    for decision in [Decision::Allow, Decision::Deny] {
        let Some(behind) = rest.strip_prefix(decision.as_str()) else { continue };
        if let Some(demands) = behind.strip_prefix('(') {
            let (demands, behind) = demands.split_once(')').ok_or("the bracket is not closed")?;
            *rest = behind.trim_start();
            return Ok((Some(decision), demands));
        }
        if behind.is_empty() || behind.starts_with(char::is_whitespace) {
            *rest = behind.trim_start();
            return Ok((Some(decision), ""));
        }
    }
    Ok((None, ""))
}

/// Whether a path is one of the folders that `ask` makes, or in one.
fn is_own(path: &str) -> bool {
    ["${workspace}", "${outside}"]
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The path of a fixture below the root.
fn within(path: &str) -> Option<String> {
    let rest = path.strip_prefix("${")?;
    let (folder, rest) = rest.split_once('}')?;
    let name = rest.strip_prefix('/').filter(|name| !name.is_empty())?;
    Some(format!("{folder}/{name}"))
}

/// A path that is not the run's own cannot be changed.
fn own(what: &str) -> Result<String, String> {
    let path = path(what)?;
    if is_own(&path) && within(&path).is_some() {
        return Ok(path);
    }
    Err(format!(
        "`{what}` is not a fixture, and what exists is never changed; ask it of `${{workspace}}/NAME` or \
         `${{outside}}/NAME`, or ask `write` of a folder"
    ))
}

/// A path, absolute or of a fixture.
fn path(what: &str) -> Result<String, String> {
    if what.is_empty() {
        return Err("it needs a path".into());
    }
    if what.starts_with("${") {
        return if is_own(what) && !what.split('/').any(|part| part == "..") {
            Ok(what.trim_end_matches('/').to_owned())
        } else {
            Err(format!("`{what}` begins with no folder of `ask`; they are `${{workspace}}` and `${{outside}}`"))
        };
    }
    let spelled = match what.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let home = home().ok_or("`~` cannot be expanded: HOME is not set")?;
            PathBuf::from(format!("{}{rest}", home.to_string_lossy()))
        }
        _ => PathBuf::from(what),
    };
    let absolute = std::path::absolute(&spelled).map_err(|error| error.to_string())?;
    // Dots mean what the file system means by them; a link at the end stays what it is.
    let cleaned = match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => absolute.canonicalize().unwrap_or(absolute),
    };
    let text = cleaned.to_str().ok_or("the path is not UTF-8")?;
    if text.contains("${") {
        return Err(format!("`{text}` holds a placeholder that is not at its beginning"));
    }
    Ok(text.to_owned())
}

/// An address: numeric, or with a port that `ask` picks.
fn endpoint(what: &str) -> Result<String, String> {
    let (host, port) = what.rsplit_once(':').ok_or("it needs HOST:PORT")?;
    let known = host.parse::<std::net::Ipv4Addr>().is_ok()
        || host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    if !known {
        return Err(format!("`{host}` is not a numeric address; names are not looked up"));
    }
    match port {
        "${port}" => Ok(format!("{host}:${{port.own}}")),
        port if port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(what.to_owned()),
        port => Err(format!("`{port}` is not a port; write a number, or `${{port}}` for one that `ask` picks")),
    }
}

#[expect(clippy::disallowed_methods, reason = "what `~` stands for is read here and passed down")]
fn home() -> Option<std::ffi::OsString> {
    std::env::var_os("HOME")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> AskQuestion {
        AskQuestion::read(0, text).unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    #[test]
    fn verbs_become_operations_on_what_may_be_touched() {
        for (text, driver, target) in [
            ("deny read ${outside}/secret", Driver::FileRead, "${outside}/secret"),
            ("allow write ${workspace}/f", Driver::FileWrite, "${workspace}/f"),
            ("allow write ${workspace}", Driver::FileCreate, "${workspace}/sandproof-new-0"),
            ("write /etc/passwd", Driver::FileOpenWrite, "/etc/passwd"),
            ("write /", Driver::FileCreate, "/${name.new}"),
            ("read /", Driver::DirList, "/"),
            ("deny connect 127.0.0.1:8080", Driver::TcpConnect, "127.0.0.1:8080"),
            ("deny connect [::1]:${port}", Driver::TcpConnect, "[::1]:${port.own}"),
            ("bind 8080", Driver::TcpBind, "127.0.0.1:8080"),
            ("signal", Driver::SignalOutside, "outside"),
            ("exec /etc/program a b", Driver::Exec, "/etc/program"),
        ] {
            let question = read(text);
            assert_eq!((question.driver, question.target.as_str()), (driver, target), "{text}");
        }
        assert_eq!(read("read /x").expected, None);
        assert_eq!(read("deny read /x").expected, Some(Decision::Deny));
        assert_eq!(read("deny rename ${workspace}/a ${workspace}/b").to.as_deref(), Some("${workspace}/b"));
        assert!(read("deny connect 127.0.0.1:${port}").listener.is_some());
        assert_eq!(read("read ${workspace}/a").fixtures, [("workspace/a".to_owned(), "file")]);
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for text in [
            "",
            "deny",
            "deny fly /x",
            "read",
            "create /etc/x",
            "delete /etc/passwd",
            "rename ${workspace}/a /etc/b",
            "connect localhost:1",
            "connect 127.0.0.1:0",
            "connect 127.0.0.1",
            "read ${home}/x",
            "read ${workspace}/../x",
            "fork x",
            "rename ${workspace}/a",
        ] {
            assert!(AskQuestion::read(0, text).is_err(), "{text}");
        }
    }
}
