//! What reaches a program besides declared files: closed, or another identity.

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::sealing::Sealing;
use super::{expect_told_apart, sealed_or_skip};

#[test]
fn nothing_undeclared_is_there() {
    let program = r#"
import os
def t(name, f):
    try: f(); print(name, "yes")
    except FileNotFoundError: print(name, "absent")
    except OSError as e: print(name, e.errno)
t("hostname", lambda: open("/etc/hostname"))
t("passwd", lambda: open("/etc/passwd"))
t("beside", lambda: open("undeclared"))
t("document", lambda: open("doc.json"))
t("sys", lambda: os.listdir("/sys"))
t("first", lambda: open("/proc/1/environ").read())
t("chmod", lambda: os.chmod("in/a", 0o777))
t("write", lambda: open("in/a", "w"))
t("device", lambda: os.chmod("/dev/null", 0o600))
t("recorded", lambda: os.chmod("/proc/cpuinfo", 0o600))
t("scratch", lambda: open("/scratch/a", "w").write("x"))
t("null", lambda: open("/dev/null", "w").write("x"))
print("uptime", repr(open("/proc/uptime").read()), sorted(os.listdir("/")))
print(sorted(os.environ), os.getcwd(), os.uname().nodename, os.stat("in/a").st_mtime, oct(os.stat("in/a").st_mode))
print([f for f in ("0","1","2","3","4","5","6","7","8","9") if os.path.lexists("/proc/self/fd/"+f)], os.getsid(0)==os.getpid())
"#;
    let (sealing, _) = sealed_or_skip!("print(1)");
    std::fs::write(sealing.inputs().join("a"), "x").unwrap();
    std::fs::write(sealing.home().join("undeclared"), "x").unwrap();
    let (mut command, out) = sealing.command(&[]);
    command.env("LD_PRELOAD_SECRET", "x").args([sealing.python(), "-IBc", program]);
    let sealed = Sealing::outcome(&out, &command.output().unwrap());
    assert_eq!(sealed.code, Some(0), "{sealed:?}");
    let answer = |name: &str| {
        let found = sealed.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{name}: {}", sealed.text)).to_owned()
    };
    for name in ["hostname", "passwd", "beside", "document", "sys"] {
        assert_eq!(answer(name), "absent", "{name}");
    }
    // EROFS.
    for name in ["chmod", "write", "device", "recorded"] {
        assert_eq!(answer(name), "30", "{name}");
    }
    assert_ne!(answer("first"), "yes");
    assert_eq!((answer("scratch"), answer("null")), ("yes".into(), "yes".into()));
    let uptime = answer("uptime");
    assert!(uptime.starts_with("''") && !uptime.contains("home") && !uptime.contains("tmp"), "{uptime}");
    assert!(sealed.text.contains("'TMPDIR'] /in sealed 0.0 0o100444"), "{}", sealed.text);
    assert!(!sealed.text.contains("SECRET"));
    assert!(sealed.text.contains("['0', '1', '2'") && sealed.text.trim_end().ends_with("True"), "{}", sealed.text);
}

#[test]
fn ordinary_programs_find_what_they_take_for_granted() {
    let program = r#"
import multiprocessing, subprocess, sys, tempfile, threading, os, ctypes
lock = multiprocessing.Lock()
file = tempfile.NamedTemporaryFile()
one = subprocess.run([sys.executable, "-Ic", "print(6*7)"], capture_output=True, text=True).stdout.strip()
t = threading.Thread(target=lambda: None); t.start(); t.join()
count = sum(line.startswith("processor") for line in open("/proc/cpuinfo"))
print(one, count == os.cpu_count() or count == 0, len(os.urandom(4)))
"#;
    let (_, sealed) = sealed_or_skip!(program);
    assert_eq!(sealed.text, "42 True 4\n", "{sealed:?} {:?}", std::fs::read_to_string(sealed.out.join("stderr")));
}

#[test]
fn nobody_answers() {
    let (sealing, _) = sealed_or_skip!("print(1)");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = sealing.inputs().parent().unwrap().join("sock");
    let named = UnixListener::bind(&path).unwrap();
    let name = format!("sandproof-seal-{}", std::process::id());
    let nameless = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let ports = [tcp.local_addr().unwrap().port().to_string(), udp.local_addr().unwrap().port().to_string()];
    std::thread::spawn(move || tcp.incoming().flatten().for_each(|mut one| drop(one.write_all(b"answer"))));
    std::thread::spawn(move || {
        while let Ok((_, from)) = udp.recv_from(&mut [0; 9]) {
            let _ = udp.send_to(b"answer", from);
        }
    });
    for listener in [named, nameless] {
        std::thread::spawn(move || listener.incoming().flatten().for_each(|mut one| drop(one.write_all(b"answer"))));
    }
    let client = r#"
import socket,sys
t,u,p,n=sys.argv[1:]
def go(name, f):
    try: s=f(); s.settimeout(2); print(name, s.recv(9).decode())
    except OSError as e: print(name, "-")
def c(a,*kind):
    s=socket.socket(*kind); s.connect(a)
    if kind[1:2]==(2,): s.send(b"q")
    return s
def first():
    s=socket.socket(); s.sendto(b"x",0x20000000,("127.0.0.1",int(t))); return s
go("tcp", lambda: c(("127.0.0.1",int(t)),2,1)); go("first-data", first); go("mptcp", lambda: c(("127.0.0.1",int(t)),2,1,262))
go("udp", lambda: c(("127.0.0.1",int(u)),2,2)); go("path", lambda: c(p,1,1)); go("abstract", lambda: c("\0"+n,1,1))
"#;
    let arguments = ["-IBc", client, &ports[0], &ports[1], path.to_str().unwrap(), &name];
    let free = Command::new(sealing.python()).args(arguments).output().unwrap();
    let free = String::from_utf8(free.stdout).unwrap();
    assert!(
        ["tcp answer", "udp answer", "path answer", "abstract answer"].iter().all(|one| free.contains(one)),
        "{free}"
    );
    let sealed = sealing.seal(&[&[sealing.python()], &arguments[..]].concat());
    assert_eq!(sealed.text, "tcp -\nfirst-data -\nmptcp -\nudp -\npath -\nabstract -\n", "{sealed:?}");
}

#[test]
fn the_state_that_a_launcher_leaves_is_fixed_or_declared() {
    let program = r#"
import os,resource as r,signal as s
print(oct(os.umask(0)), os.nice(0), r.getrlimit(r.RLIMIT_STACK), s.getsignal(s.SIGUSR1), sorted(os.sched_getaffinity(0)), os.environ.get("TMPDIR"))
"#;
    let (sealing, one) = sealed_or_skip!(program);
    for state in [
        "umask 077",
        "renice -n 5 -p $$ >/dev/null",
        "ulimit -s 1024",
        "trap '' INT USR1",
        "taskset -cp 0 $$ >/dev/null",
    ] {
        let (command, out) = sealing.command(&[]);
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("{state}; exec \"$@\""))
            .arg("sh")
            .arg(command.get_program())
            .args(command.get_args());
        shell.args([sealing.python(), "-IBc", program]).current_dir(sealing.home());
        shell.arg0("sh");
        let two = Sealing::outcome(&out, &shell.output().unwrap());
        assert_eq!(two.code, Some(0), "{state}: {two:?}");
        expect_told_apart(state, &one, &two);
    }
}

#[test]
fn calls_that_lead_out_are_refused() {
    let calls: &[(&str, i64, &str)] = &[
        ("unshare", libc_number::UNSHARE, "1"),
        ("ptrace", libc_number::PTRACE, "1"),
        ("keyctl", libc_number::KEYCTL, "1"),
        ("bpf", libc_number::BPF, "1"),
        ("io_uring_setup", 425, "38"),
        ("clone3", 435, "38"),
    ];
    let list: Vec<String> = calls.iter().map(|(_, number, _)| number.to_string()).collect();
    let program = format!(
        "import ctypes; L=ctypes.CDLL(None,use_errno=True)\nfor n in [{}]: print(L.syscall(n,0,0,0,0,0), ctypes.get_errno())",
        list.join(",")
    );
    let (_, sealed) = sealed_or_skip!(&program);
    let expected: Vec<String> = calls.iter().map(|(_, _, errno)| format!("-1 {errno}")).collect();
    assert_eq!(sealed.text.lines().collect::<Vec<_>>(), expected, "{sealed:?}");
}

/// Numbers of system calls that differ between machines.
mod libc_number {
    const X86: bool = cfg!(target_arch = "x86_64");
    pub const UNSHARE: i64 = if X86 { 272 } else { 97 };
    pub const PTRACE: i64 = if X86 { 101 } else { 117 };
    pub const KEYCTL: i64 = if X86 { 250 } else { 219 };
    pub const BPF: i64 = if X86 { 321 } else { 280 };
}
