//! The questions, as data. `docs/first-run-on-a-mac.md` is written from those of macOS, and a test keeps it in step.

use crate::record::driver::Driver;

/// On which system a question makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemSystem {
    Macos,
    Linux,
}

impl ItemSystem {
    /// Whether this is that system.
    pub(super) fn is_here(self) -> bool {
        match self {
            Self::Macos => cfg!(target_os = "macos"),
            Self::Linux => cfg!(target_os = "linux"),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Macos => "macOS",
            Self::Linux => "Linux",
        }
    }
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub(super) struct SelftestQuestion {
    pub(super) id: &'static str,
    pub(super) host: ItemSystem,
    pub(super) question: &'static str,
    pub(super) method: Method,
    /// What is observed where nothing surprises: the whole text, or with [`Method::Tool`] a part of it.
    pub(super) expected: &'static str,
}

/// How a question is put.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    /// Probe processes, one after the other.
    Trials(&'static [Trial]),
    /// A program of the system; its exit code and the first line that it prints.
    Tool(&'static [&'static str]),
    /// Functions that have to be found.
    Symbols(&'static [&'static str]),
    /// Something that this program finds out about the host.
    Fact(ProgramFact),
    /// Nothing that a program should do by itself; what a person does.
    ByHand(&'static str),
}

/// What this program finds out by itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum ProgramFact {
    /// Whether Landlock is there.
    Landlock,
    /// In how many Landlock domains this process is.
    Layers,
    /// Whether the clean channel of this system is there.
    CleanChannel,
}

/// One probe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    /// What tells it from the others of its item; empty if it is the only one.
    pub(super) label: &'static str,
    /// The policy; `None` for none. SBPL has the parameters `ROOT` (the folder of the trial, resolved) and `LOWER` (a
    /// file of it in another case); on Linux it is a right that is handled and allowed nowhere.
    pub(super) policy: Option<&'static str>,
    pub(super) driver: Driver,
    /// `${root}` is the folder, `${alias}` the same through `/tmp`.
    pub(super) target: &'static str,
    /// What the policy is asked first: operation and filter number.
    pub(super) ask: Option<(&'static str, i32)>,
}

const fn trial(label: &'static str, policy: &'static str, driver: Driver, target: &'static str) -> Trial {
    Trial { label, policy: Some(policy), driver, target, ask: None }
}

use Driver as D;
use Method::{ByHand, Symbols, Tool, Trials};

const fn mac(id: &'static str, question: &'static str, method: Method, expected: &'static str) -> SelftestQuestion {
    SelftestQuestion { id, host: ItemSystem::Macos, question, method, expected }
}

const fn linux(id: &'static str, question: &'static str, method: Method, expected: &'static str) -> SelftestQuestion {
    SelftestQuestion { id, host: ItemSystem::Linux, question, method, expected }
}

/// Every question.
pub(super) const ITEMS: &[SelftestQuestion] = &[
    mac(
        "mac-01",
        "Does `sandbox_check` take the filter number 17 (ipc-posix-name), which was seen on macOS 26 only? The numbers 10, \
         11, 14, 15, 16, 18 and 19 and the flags other than NO_REPORT are never used.",
        Trials(&[
            Trial {
                label: "denied name",
                policy: Some(
                    "(version 1)(allow default)(deny ipc-posix-shm-write-create (ipc-posix-name \"/sandproof-a\"))",
                ),
                driver: D::PolicyQuery,
                target: "/sandproof-a",
                ask: Some(("ipc-posix-shm-write-create", 17)),
            },
            Trial {
                label: "other name",
                policy: Some(
                    "(version 1)(allow default)(deny ipc-posix-shm-write-create (ipc-posix-name \"/sandproof-a\"))",
                ),
                driver: D::PolicyQuery,
                target: "/sandproof-b",
                ask: Some(("ipc-posix-shm-write-create", 17)),
            },
        ]),
        "denied name: asked 1; other name: asked 0",
    ),
    mac(
        "mac-02",
        "Does a second application of the same `(allow default)` succeed?",
        Tool(&[
            "/usr/bin/sandbox-exec",
            "-p",
            "(version 1)(allow default)",
            "/usr/bin/sandbox-exec",
            "-p",
            "(version 1)(allow default)",
            "/usr/bin/true",
        ]),
        "exit 0",
    ),
    mac(
        "mac-03",
        "What does a version 1 profile without a default rule decide?",
        Trials(&[trial("", "(version 1)", D::SysctlRead, "kern.ostype")]),
        "denied, errno 1",
    ),
    mac(
        "mac-04",
        "Does a program that is executed under a version 1 deny-default profile with exec and fork allowed abort before its \
         first line, and is its execution itself let through?",
        Trials(&[trial(
            "",
            "(version 1)(deny default)(allow process-exec*)(allow process-fork)",
            D::Exec,
            "/usr/bin/true",
        )]),
        "allowed, program_signal 6",
    ),
    mac(
        "mac-05",
        "Does a literal match a file whose name has another case, on a volume that does not mind case?",
        Trials(&[trial(
            "",
            "(version 1)(allow default)(deny file-read-data (literal (param \"LOWER\")))",
            D::FileRead,
            "${root}/File",
        )]),
        "allowed",
    ),
    mac(
        "mac-06",
        "Does a path through `/tmp` need a metadata right on that link?",
        Trials(&[
            trial(
                "without",
                "(version 1)(deny default)(allow file-read* (subpath (param \"ROOT\")))",
                D::FileRead,
                "${alias}/File",
            ),
            trial(
                "with",
                "(version 1)(deny default)(allow file-read* (subpath (param \"ROOT\")))(allow file-read-metadata \
                 (literal \"/tmp\"))",
                D::FileRead,
                "${alias}/File",
            ),
        ]),
        "without: denied, errno 1; with: allowed",
    ),
    mac(
        "mac-07",
        "Can an internet socket be made without `system-socket`?",
        Trials(&[trial("", "(version 1)(deny default)(allow network*)", D::UdpBind, "127.0.0.1:0")]),
        "allowed",
    ),
    mac(
        "mac-08",
        "Does a lookup need `mach-bootstrap` beside its own right, and is `com.apple.cfprefsd.agent` reachable without any?",
        Trials(&[
            trial(
                "its own right",
                "(version 1)(deny default)(allow mach-lookup (global-name \"com.apple.cfprefsd.agent\"))",
                D::MachLookup,
                "com.apple.cfprefsd.agent",
            ),
            trial("none", "(version 1)(deny default)", D::MachLookup, "com.apple.cfprefsd.agent"),
        ]),
        "its own right: allowed; none: denied, code 1100",
    ),
    mac(
        "mac-09",
        "Which errors do refusals of file-ioctl, file-map-executable, file-search and pseudo-tty give?",
        Trials(&[
            trial("ioctl", "(version 1)(allow default)(deny file-ioctl)", D::FileIoctl, "/dev/ptmx"),
            trial("map", "(version 1)(allow default)(deny file-map-executable)", D::FileMapExecutable, "/usr/lib/dyld"),
            trial("search", "(version 1)(allow default)(deny file-search)", D::FileSearch, "${root}/File"),
            trial("tty", "(version 1)(allow default)(deny pseudo-tty)", D::PseudoTty, ""),
        ]),
        "ioctl: denied, errno 1; map: denied, errno 1; search: denied, errno 1; tty: denied, errno 1",
    ),
    mac(
        "mac-10",
        "Which errors do refusals of network operations give?",
        Trials(&[
            trial("outbound", "(version 1)(allow default)(deny network-outbound)", D::TcpConnect, "127.0.0.1:9"),
            trial("bind", "(version 1)(allow default)(deny network-bind)", D::TcpBind, "127.0.0.1:0"),
            trial("inbound", "(version 1)(allow default)(deny network-inbound)", D::TcpAccept, "127.0.0.1:0"),
        ]),
        "outbound: denied, errno 1; bind: denied, errno 1; inbound: denied, errno 1",
    ),
    mac(
        "mac-11",
        "Is the name that `ipc-posix-name` compares written with its leading slash?",
        Trials(&[
            trial(
                "with",
                "(version 1)(allow default)(deny ipc-posix-shm* (ipc-posix-name \"/sandproof-s\"))",
                D::PosixShm,
                "/sandproof-s",
            ),
            trial(
                "without",
                "(version 1)(allow default)(deny ipc-posix-shm* (ipc-posix-name \"sandproof-s\"))",
                D::PosixShm,
                "/sandproof-s",
            ),
        ]),
        "with: denied, errno 1; without: allowed",
    ),
    mac(
        "mac-12",
        "What do `send-signal`, `report` on a deny, and `message` do?",
        Trials(&[
            trial(
                "send-signal",
                "(version 1)(allow default)(deny sysctl-read (sysctl-name \"kern.ostype\") (with send-signal SIGKILL))",
                D::SysctlRead,
                "kern.ostype",
            ),
            trial("report", "(version 1)(allow default)(deny sysctl-read (with report))", D::SysctlRead, "kern.ostype"),
            trial(
                "message",
                "(version 1)(allow default)(deny sysctl-read (with message \"sandproof\"))",
                D::SysctlRead,
                "kern.ostype",
            ),
        ]),
        "send-signal: ended by signal 9; report: not applied, profile_text; message: denied, errno 1",
    ),
    mac(
        "mac-13",
        "Do descriptors that were opened before keep working under deny-default?",
        Trials(&[
            trial("read", "(version 1)(deny default)", D::FileReadInherited, "${root}/File"),
            trial("truncate", "(version 1)(deny default)", D::FileTruncateInherited, "${root}/File"),
        ]),
        "read: allowed; truncate: allowed",
    ),
    mac(
        "mac-14",
        "What does the platform allow whatever a deny-default profile says?",
        Trials(&[
            trial("/dev/null", "(version 1)(deny default)", D::FileRead, "/dev/null"),
            trial("metadata of /", "(version 1)(deny default)", D::FileLstat, "/"),
        ]),
        "/dev/null: allowed; metadata of /: allowed",
    ),
    mac(
        "mac-15",
        "What does launchctl's code 150 mean? (The codes for a loaded and for a disabled label show in the diagnostics of a \
         clean run that fails.)",
        Tool(&["/bin/launchctl", "error", "150"]),
        "System Integrity Protection",
    ),
    mac(
        "mac-16",
        "Does launchctl's table of codes hold here? (Code 113 stands for the whole.)",
        Tool(&["/bin/launchctl", "error", "113"]),
        "Could not find specified service",
    ),
    mac("mac-17", "Is there a GUI domain for this user?", Tool(&["/bin/launchctl", "managername"]), "Aqua"),
    mac(
        "mac-18",
        "How does `launchctl print` tell of a death by signal, and of a job that is gone?",
        ByHand(
            "run a plan with `--channel launchd_clean`, kill the `__worker` process with SIGKILL meanwhile, and send \
             `launchctl/launchctl_diagnostics.json` of the run",
        ),
        "a line with the signal",
    ),
    mac(
        "mac-19",
        "Does Background Task Management keep a job definition outside `~/Library/LaunchAgents` from loading?",
        ByHand("run a plan with `--channel launchd_clean`; that it ends with a sealed bundle is the answer"),
        "a sealed bundle",
    ),
    mac(
        "mac-20",
        "Does a Background job in `user/UID` see the same Mach services as one in `gui/UID`?",
        ByHand("run a plan with Mach probes once from a terminal and once over ssh with nobody logged in, and compare"),
        "the same services",
    ),
    mac("mac-21", "Which kernel is this exactly?", Tool(&["/usr/sbin/sysctl", "-n", "kern.version"]), "xnu-10063.101"),
    mac(
        "mac-22",
        "Are all private functions found at run time?",
        Symbols(&[
            "sandbox_init_with_parameters",
            "sandbox_free_error",
            "sandbox_check",
            "SANDBOX_CHECK_NO_REPORT",
            "bootstrap_look_up",
            "bootstrap_register",
            "bootstrap_port",
            "notify_post",
            "xpc_connection_create_mach_service",
            "_dyld_get_shared_cache_uuid",
            "csr_get_active_config",
            "/usr/lib/libsandbox.1.dylib sandbox_apply",
            "/System/Library/Frameworks/IOKit.framework/IOKit IOServiceOpen",
            "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation CFPreferencesCopyValue",
        ]),
        "all found",
    ),
    mac(
        "mac-23",
        "May this user read the unified log?",
        Tool(&["/usr/bin/log", "show", "--last", "1s", "--style", "syslog"]),
        "exit 0",
    ),
    mac(
        "mac-24",
        "Do compiled bytes apply in another process than the one that compiled them?",
        ByHand("run a plan whose profile has mode `blob`; its apply report is the answer"),
        "`sandbox_apply` with rc 0",
    ),
    mac("mac-25", "Is this the architecture that the facts are about?", Tool(&["/usr/bin/uname", "-m"]), "arm64"),
    mac(
        "mac-26",
        "Does a rule that names the operation come before one on its group, in whatever order they stand?",
        Trials(&[
            trial(
                "named allow, then group deny",
                "(version 1)(allow default)(allow file-read-data (literal (string-append (param \"ROOT\") \"/File\")))\
                 (deny file-read* (subpath (param \"ROOT\")))",
                D::FileRead,
                "${root}/File",
            ),
            trial(
                "named deny, then group allow",
                "(version 1)(allow default)(deny file-read-data (subpath (param \"ROOT\")))\
                 (allow file-read* (literal (string-append (param \"ROOT\") \"/File\")))",
                D::FileRead,
                "${root}/File",
            ),
        ]),
        "named allow, then group deny: allowed; named deny, then group allow: denied, errno 1",
    ),
    mac(
        "mac-27",
        "Within one operation, does a rule with a filter come before one without, in whatever order they stand?",
        Trials(&[
            trial(
                "filtered deny, then plain allow",
                "(version 1)(allow default)(deny file-read-data (subpath (param \"ROOT\")))(allow file-read-data)",
                D::FileRead,
                "${root}/File",
            ),
            trial(
                "filtered allow, then plain deny",
                "(version 1)(allow default)(allow file-read-data (subpath (param \"ROOT\")))(deny file-read-data)",
                D::FileRead,
                "${root}/File",
            ),
        ]),
        "filtered deny, then plain allow: denied, errno 1; filtered allow, then plain deny: allowed",
    ),
    mac(
        "mac-28",
        "Is a rule on `default` the last resort, wherever it stands?",
        Trials(&[
            trial(
                "allow, then deny default",
                "(version 1)(allow file-read* (subpath (param \"ROOT\")))(deny default)",
                D::FileRead,
                "${root}/File",
            ),
            trial(
                "deny, then allow default",
                "(version 1)(deny file-read* (subpath (param \"ROOT\")))(allow default)",
                D::FileRead,
                "${root}/File",
            ),
        ]),
        "allow, then deny default: allowed; deny, then allow default: denied, errno 1",
    ),
    mac(
        "mac-29",
        "What does `(deny default)` leave alone that no rule names? The published policies of browsers deny these by name.",
        Trials(&[
            trial("information on itself", "(version 1)(deny default)", D::ProcessInfo, "self"),
            trial("information on another", "(version 1)(deny default)", D::ProcessInfo, "outside"),
            trial("mapping a program", "(version 1)(deny default)", D::FileMapExecutable, "/usr/bin/true"),
            trial("a signal to itself", "(version 1)(deny default)", D::SignalSelf, ""),
        ]),
        "information on itself: allowed; information on another: allowed; mapping a program: allowed; a signal to itself: \
         allowed",
    ),
    mac(
        "mac-30",
        "Is access(2), to learn whether a file exists, an operation of its own, and not a look at metadata?",
        Trials(&[
            trial(
                "without metadata",
                "(version 1)(allow default)(deny file-read-metadata (subpath (param \"ROOT\")))",
                D::FileAccess,
                "${root}/File",
            ),
            trial(
                "without existence",
                "(version 1)(allow default)(deny file-test-existence (subpath (param \"ROOT\")))",
                D::FileAccess,
                "${root}/File",
            ),
        ]),
        "without metadata: allowed; without existence: denied, errno 1",
    ),
    mac(
        "mac-31",
        "Can programs of the system be mapped as executable where no profile applies? Denials of it say nothing otherwise.",
        Trials(&[
            Trial {
                label: "a thin file",
                policy: None,
                driver: D::FileMapExecutable,
                target: "/usr/lib/dyld",
                ask: None,
            },
            Trial {
                label: "a fat file",
                policy: None,
                driver: D::FileMapExecutable,
                target: "/usr/bin/true",
                ask: None,
            },
        ]),
        "a thin file: allowed; a fat file: allowed",
    ),
    linux("linux-01", "Has this kernel Landlock?", Method::Fact(ProgramFact::Landlock), "present"),
    linux("linux-02", "Is this process unconfined?", Method::Fact(ProgramFact::Layers), "0 layers"),
    linux(
        "linux-03",
        "Does a policy apply in a fresh process, and does it refuse what it does not grant?",
        Trials(&[
            Trial { label: "without", policy: None, driver: D::FileRead, target: "${root}/File", ask: None },
            trial("under it", "read_file", D::FileRead, "${root}/File"),
        ]),
        "without: allowed; under it: denied, errno 13",
    ),
    linux(
        "linux-04",
        "Does a policy leave alone what it does not handle?",
        Trials(&[trial("", "make_dir", D::FileRead, "${root}/File")]),
        "allowed",
    ),
    linux(
        "linux-05",
        "Is there a service manager for a clean channel?",
        Method::Fact(ProgramFact::CleanChannel),
        "available",
    ),
];
