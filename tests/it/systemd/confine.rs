//! A helper that confines itself and then becomes another program: this test executable, run again.
#![allow(unsafe_code, reason = "there is no safe wrapper for a seccomp filter; the block says why it is sound")]

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope, path_beneath_rules,
};

use super::host::this_executable;

/// How the helper confines itself. A test only, so that no executable that ships can do it.
const KIND: &str = "SANDPROOF_TEST_CONFINE";
/// What the helper becomes: the words of a command, one a line. `{cwd}` stands for the working folder.
const COMMAND: &str = "SANDPROOF_TEST_COMMAND";
/// What stands before the numbers of [`answering`].
const ANSWERS: &str = "seccomp-answers:";
/// The helper's name as a test.
const HELPER: &str = "systemd::confine::helper";

/// The words of a command that confines itself with `kind` and then becomes `command`, in the systemd of the tests.
pub fn confined(kind: &str, command: &[String]) -> Vec<String> {
    confined_by(&this_executable(), kind, command)
}

/// The same for a command that is started from here. What the helper prints before it becomes the command stands first on
/// standard output.
pub fn confined_here(kind: &str, command: &[String]) -> Vec<String> {
    confined_by(&std::env::current_exe().expect("a test has an executable"), kind, command)
}

/// A system call, of any arguments or only where an argument (by its place) has that value in its lower half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub number: i64,
    pub only: Option<(u32, u32)>,
}

impl Call {
    pub const fn any(number: i64) -> Self {
        Self { number, only: None }
    }

    pub const fn with(number: i64, place: u32, value: u32) -> Self {
        Self { number, only: Some((place, value)) }
    }

    fn read(word: &str) -> Option<Self> {
        let mut numbers = word.split('/').map(|number| number.parse::<i64>().ok());
        let number = numbers.next()??;
        let only = numbers.next().zip(numbers.next()).and_then(|(place, value)| Some((place? as u32, value? as u32)));
        Some(Self { number, only })
    }
}

/// The kind of a filter that answers these system calls with that error number; 0 says that they succeeded.
pub fn answering(errno: i32, calls: &[Call]) -> String {
    let word = |call: &Call| match call.only {
        Some((place, value)) => format!("{}/{place}/{value}", call.number),
        None => call.number.to_string(),
    };
    format!("{ANSWERS}{errno}:{}", calls.iter().map(word).collect::<Vec<_>>().join(":"))
}

/// A filter that answers these calls for the kernel, and leaves it all others.
fn answer(calls: &[Call], action: u32) {
    let mut steps = Vec::new();
    for call in calls {
        // The call's number is the first word of `struct seccomp_data`; its arguments begin at offset 16.
        steps.push(step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0));
        let rest = if call.only.is_some() { 3 } else { 1 };
        steps.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, rest, call.number as u32));
        if let Some((place, value)) = call.only {
            steps.push(step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 16 + 8 * place));
            steps.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, value));
        }
        steps.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, action));
    }
    steps.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    install(steps);
}

/// The same where this test executable lies at `helper`.
pub fn confined_by(helper: &Path, kind: &str, command: &[String]) -> Vec<String> {
    vec![
        "/usr/bin/env".to_string(),
        format!("{KIND}={kind}"),
        format!("{COMMAND}={}", command.join("\n")),
        helper.display().to_string(),
        "--exact".to_string(),
        HELPER.to_string(),
        "--nocapture".to_string(),
        "--test-threads=1".to_string(),
    ]
}

/// Not a test by itself: does nothing unless it was started by [`confined`].
#[test]
fn helper() {
    let (Ok(kind), Ok(command)) = (std::env::var(KIND), std::env::var(COMMAND)) else { return };
    match kind.as_str() {
        "landlock-writes" => landlock_writes(),
        "landlock-scope" => landlock_scope(),
        "landlock-scope-alone" => landlock_scope_alone(),
        "seccomp" => seccomp(&[(libc::SYS_swapon, REFUSED)]),
        "seccomp-no-kill" => seccomp(&[(libc::SYS_kill, REFUSED)]),
        "seccomp-no-bind" => seccomp(&[(libc::SYS_bind, libc::SECCOMP_RET_ERRNO | libc::EACCES as u32)]),
        "seccomp-kills-landlock" => seccomp(&[(libc::SYS_landlock_create_ruleset, libc::SECCOMP_RET_KILL_PROCESS)]),
        "seccomp-no-connect" => seccomp(&[(libc::SYS_connect, libc::SECCOMP_RET_ERRNO | libc::EACCES as u32)]),
        // It answers that the rule was added.
        "seccomp-fakes-rules" => seccomp(&[(libc::SYS_landlock_add_rule, libc::SECCOMP_RET_ERRNO)]),
        "seccomp-no-threads" => no_threads(),
        answers if answers.starts_with(ANSWERS) => {
            let mut words = answers[ANSWERS.len()..].split(':');
            let errno: u32 = words.next().unwrap().parse().unwrap();
            let calls: Vec<_> = words.map(|word| Call::read(word).unwrap()).collect();
            answer(&calls, libc::SECCOMP_RET_ERRNO | errno);
        }
        other => panic!("no such kind: {other}"),
    }
    let cwd = std::env::current_dir().unwrap().display().to_string();
    let words: Vec<String> = command.lines().map(|word| word.replace("{cwd}", &cwd)).collect();
    let error = Command::new(&words[0]).args(&words[1..]).env_remove(KIND).env_remove(COMMAND).exec();
    panic!("{}: {error}", words[0]);
}

/// Writing is left to a few folders, and so are signals and abstract sockets to this process and its children: about what
/// sandboxes of coding agents do.
fn landlock_writes() {
    let writes = AccessFs::from_write(ABI::V5);
    let places = ["/var/tmp", "/run", "/dev"].map(Path::new);
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(writes)
        .unwrap()
        .scope(Scope::AbstractUnixSocket | Scope::Signal)
        .unwrap()
        .create()
        .unwrap()
        .add_rules(path_beneath_rules(places, writes))
        .unwrap()
        .no_new_privs(false)
        .restrict_self()
        .unwrap();
}

/// As little as Landlock can forbid. What no ruleset mentions is allowed, but for moving files between folders, which has
/// to be granted.
fn landlock_scope() {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::Refer)
        .unwrap()
        .scope(Scope::AbstractUnixSocket)
        .unwrap()
        .create()
        .unwrap()
        .add_rules(path_beneath_rules(["/"], AccessFs::Refer))
        .unwrap()
        .no_new_privs(false)
        .restrict_self()
        .unwrap();
}

/// A layer that handles no file right, so that it refuses nothing of files until another layer does.
fn landlock_scope_alone() {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::AbstractUnixSocket)
        .unwrap()
        .create()
        .unwrap()
        .restrict_self()
        .unwrap();
}

/// The call fails with EPERM.
const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

const fn step(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// A filter that does this with these calls, and nothing with all others.
fn seccomp(calls: &[(i64, u32)]) {
    // The call's number is the first word of `struct seccomp_data`.
    let mut steps = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for (call, action) in calls {
        steps.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, *call as u32));
        steps.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, *action));
    }
    steps.push(step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW));
    install(steps);
}

/// A filter under which there are processes and no threads.
fn no_threads() {
    let again = libc::SECCOMP_RET_ERRNO | libc::EAGAIN as u32;
    let missing = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    install(vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_clone3 as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, missing),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, libc::SYS_clone as u32),
        // The flags are the first argument: the low half of the word at offset 16.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 16),
        step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, 1, libc::CLONE_THREAD as u32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, again),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]);
}

/// Puts a filter in force. Root needs no `no_new_privs` for it; others set it first.
fn install(mut steps: Vec<libc::sock_filter>) {
    if !nix::unistd::geteuid().is_root() {
        nix::sys::prctl::set_no_new_privs().unwrap();
    }
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program and its steps live until the call has returned; the kernel copies both.
    let rc = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}
