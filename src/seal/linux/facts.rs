//! What a sealed declaration says besides the bytes that may be read: the state in which the command is launched, and what runs it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::unistd::{Pid, getgroups};
use serde_json::{Map, Value, json};

use super::command::UMASK;
use crate::base::canon;
use crate::base::digest::Digest;
use crate::seal::connection::DeclaredConnection;
use crate::seal::options::SealBounds;
use crate::seal::request::SealRequest;
use crate::sys::Ret;
use crate::sys::linux::process::nice;
use crate::sys::linux::sealing::{io_priority, scheduling_policy, timer_slack};

/// The limits of a process, by the names of setrlimit(2) without `RLIMIT_`.
const LIMITS: [(&str, Resource); 16] = [
    ("as", Resource::RLIMIT_AS),
    ("core", Resource::RLIMIT_CORE),
    ("cpu", Resource::RLIMIT_CPU),
    ("data", Resource::RLIMIT_DATA),
    ("fsize", Resource::RLIMIT_FSIZE),
    ("locks", Resource::RLIMIT_LOCKS),
    ("memlock", Resource::RLIMIT_MEMLOCK),
    ("msgqueue", Resource::RLIMIT_MSGQUEUE),
    ("nice", Resource::RLIMIT_NICE),
    ("nofile", Resource::RLIMIT_NOFILE),
    ("nproc", Resource::RLIMIT_NPROC),
    ("rss", Resource::RLIMIT_RSS),
    ("rtprio", Resource::RLIMIT_RTPRIO),
    ("rttime", Resource::RLIMIT_RTTIME),
    ("sigpending", Resource::RLIMIT_SIGPENDING),
    ("stack", Resource::RLIMIT_STACK),
];

/// A text as a declaration can hold it: as it is, or its bytes in hexadecimal digits.
pub(super) fn stated(text: &OsStr) -> Value {
    match text.to_str() {
        Some(text) if canon::is_normal(text) => json!(text),
        _ => {
            let bytes: String = text.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"bytes": bytes})
        }
    }
}

/// The state in which the command is launched: what is fixed, and what is left as it was found. What `request` declares of
/// it stands as it is declared.
pub(super) fn launch(bounds: SealBounds, request: &SealRequest) -> Value {
    let limits: Map<String, Value> = LIMITS
        .into_iter()
        .filter_map(|(name, resource)| {
            let (soft, hard) = getrlimit(resource).ok()?;
            let shown = |limit| if limit == RLIM_INFINITY { "unlimited".to_owned() } else { format!("{limit}") };
            Some((name.to_owned(), json!([shown(soft), shown(hard)])))
        })
        .collect();
    let processors: Vec<u64> = sched_getaffinity(Pid::from_raw(0)).map_or_else(
        |_| Vec::new(),
        |set| (0..CpuSet::count()).filter(|n| set.is_set(*n).unwrap_or(false)).map(|n| n as u64).collect(),
    );
    // Root leaves its groups behind; nobody else can.
    let groups = if nix::unistd::geteuid().is_root() { 0 } else { getgroups().map_or(0, |groups| groups.len()) };
    let number = |found: Ret| found.map_or(Value::Null, |number| json!(number));
    let of_process =
        |name: &str| fs::read_to_string(format!("/proc/self/{name}")).map_or(Value::Null, |text| json!(text.trim()));
    let (user, group) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let (user, group, host_name) = match bounds {
        SealBounds::Full => (1000, 1000, json!("sealed")),
        SealBounds::Weaker | SealBounds::Observed => {
            (user, group, nix::unistd::gethostname().map_or(Value::Null, |name| stated(&name)))
        }
    };
    json!({
        "user": user,
        "group": group,
        "other_groups": groups,
        "host_name": host_name,
        "stdin": request.stdin.as_ref().map_or(json!("null"), |name| json!({"input": name})),
        "connections": request.connections.iter().map(DeclaredConnection::stated).collect::<Vec<_>>(),
        "umask": format!("{UMASK:04o}"),
        "nice": nice(0).map_or(Value::Null, |nice| json!(nice)),
        "scheduling": number(scheduling_policy()),
        "io_priority": number(io_priority()),
        "timer_slack_ns": number(timer_slack()),
        "oom_score_adjustment": of_process("oom_score_adj"),
        "core_dump_filter": of_process("coredump_filter"),
        "processors": processors,
        "limits": limits,
        "signals": "default",
        "personality": 0,
    })
}

/// The kernel, what it was started with that programs can feel, and the processor.
pub(super) fn machine() -> (Value, Value) {
    let names = nix::sys::utsname::uname();
    let name = |text: Option<&OsStr>| text.map_or(Value::Null, stated);
    let huge_pages = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok();
    let huge_pages = huge_pages.and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned()));
    let layout = fs::read_to_string("/proc/sys/kernel/randomize_va_space").ok().map(|text| text.trim().to_owned());
    let kernel = json!({
        "release": names.as_ref().map_or(Value::Null, |names| name(Some(names.release()))),
        "version": names.as_ref().map_or(Value::Null, |names| name(Some(names.version()))),
        "machine": names.as_ref().map_or(Value::Null, |names| name(Some(names.machine()))),
        "huge_pages": huge_pages,
        "address_layout": layout,
        "mitigations": mitigations(),
    });
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |wanted: &[&str]| {
        let of =
            |line: &str| line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        cpuinfo.lines().filter_map(of).find(|(name, _)| wanted.contains(&&**name)).map(|(_, value)| value)
    };
    let flags = field(&["flags", "Features"]).map(|flags| format!("sha256:{}", Digest::of(flags.as_bytes())));
    let processor = json!({
        "name": field(&["model name", "CPU part"]),
        "flags": flags,
        "microcode": field(&["microcode"]),
    });
    (kernel, processor)
}

/// One digest of what the kernel does about faults of processors.
fn mitigations() -> Value {
    let Ok(entries) = fs::read_dir("/sys/devices/system/cpu/vulnerabilities") else { return Value::Null };
    let mut lines: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            Some(format!("{}\t{}", entry.file_name().to_string_lossy(), text.trim()))
        })
        .collect();
    lines.sort_unstable();
    json!(format!("sha256:{}", Digest::of(lines.join("\n").as_bytes())))
}

/// Whether a variable's name says that its value is not for others to read: of these the digest is declared.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"].iter().any(|word| name.contains(word))
}
