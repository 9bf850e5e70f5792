"""Processes: fork, spawn, exec and wait. Each is a process of this host; one of ours goes on inside the double."""

import fcntl
import os
import select
import signal
import stat
import struct
import sys
import time

from .. import world
from ..calls import Host, Refused, call, darwin_number, plain
from ..machine import Block, Exec, Quit, i32
from ..policy import NotApplied
from ..tree import may
from .files import OWN_FDS, numbered
from .signals import numbers_of, process_target, to_darwin

PREFIX = "DARWIN_DOUBLE_"
NAME, PARENT, FOLDER = PREFIX + "ARGV0", PREFIX + "PARENT", PREFIX + "PACKAGE"
#: What some programs of the system do, as programs of this host.
PROGRAMS = {"/usr/bin/true": ["/bin/true"], "/usr/bin/false": ["/bin/false"], "/usr/bin/plutil": ["plutil"],
            "/usr/bin/log": ["log"], "/bin/launchctl": ["launchctl"]}  # fmt: skip
STAND_INS = {"plutil", "log", "launchctl"}
#: Programs of the system that become another one, in this process: with its environment and nothing else, and confined.
ENV, SANDBOX_EXEC = "/usr/bin/env", "/usr/bin/sandbox-exec"
#: sysexits(3): what is wrong with the arguments or the profile, and with the system.
EX_USAGE, EX_DATAERR, EX_OSERR = 64, 65, 71
MAGIC = b"\xcf\xfa\xed\xfe"


class Process:
    """What the kernel keeps of a process beside its memory."""

    def __init__(self, argv):
        self.argv = argv
        self.guarded = {_guarded() for _ in range(int(os.environ.get(PREFIX + "GUARDED", "0")))}
        #: Children that were made while a policy was in force, which they share.
        self.confined_children = set()
        self.small_buffers = {}

    def forget(self, fd):
        self.small_buffers.pop(fd, None)

    def is_same_sandbox(self, pid):
        return pid in self.confined_children

    def forked(self):
        self.confined_children = set()


def _guarded():
    """A descriptor that a library of the system opened for itself before `main`, and guards (`guarded_open_np`)."""
    return os.open("/dev/null", os.O_RDWR)


def own_environment():
    return {key: value for key, value in os.environ.items() if key.startswith(PREFIX)}


def _in_double(words, environment):
    """Another program that runs inside the double, in this process."""
    os.execve(sys.executable, [sys.executable, "-E", "-s", "-S", "-B", os.environ[FOLDER], *words], environment)


def _become(walk, path, argv, environment):
    """Replaces this process. Comes back only by an exception."""
    guest = walk.path
    with open(walk.host, "rb") as file:
        magic = file.read(4)
    keep = own_environment()
    for name in ("PARENT", "ARGV0"):
        keep.pop(PREFIX + name, None)
    keep |= Host.policy.inherited() if Host.policy.confined else {}
    if magic == MAGIC:
        keep[NAME] = os.fsdecode(path)
        same = os.path.samefile(walk.host, os.environ[PREFIX + "IMAGE"])
        keep[PREFIX + "IMAGE"] = walk.host
        keep |= environment
        if same:
            raise Exec(argv, keep)
        _in_double(argv[1:], keep)
    if guest == ENV:
        _become_next("env", argv[1:], environment)
    if guest == SANDBOX_EXEC:
        _sandbox_exec(argv, environment)
    known = PROGRAMS.get(guest)
    if known is None:
        raise Refused("ENOEXEC")
    if known[0] in STAND_INS:
        _in_double([f"--{known[0]}", *argv[1:]], keep | environment)
    if Host.policy.confined and not Host.policy.allows("file-read-data", guest):
        # The loader of the new image may not read it: the kernel has replaced the process, and ends it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGABRT])
        os.kill(os.getpid(), signal.SIGABRT)
    os.execve(known[0], argv, {})


def _give_up(program, text, code):
    os.write(2, f"{program}: {text}\n".encode())
    os._exit(code)


def _become_next(program, words, environment):
    """The program that another one's arguments name."""
    if not words:
        _give_up(program, "there is no program to execute", EX_USAGE)
    name = words[0] if "/" in words[0] else f"/usr/bin/{words[0]}"
    try:
        _become(_program(os.fsencode(name)), os.fsencode(name), words, environment)
    except Refused as refused:
        _give_up(program, f"execvp() of '{words[0]}' failed: error {refused.number}", EX_OSERR)


def _sandbox_exec(argv, environment):
    """sandbox-exec(1): puts a profile in force and becomes the program."""
    words, text, parameters = argv[1:], None, []
    while words and words[0].startswith("-"):
        option, value = words[0][:2], words[0][2:]
        words = words[1:]
        if option == "--":
            break
        if not value:
            if not words:
                _give_up("sandbox-exec", f"option requires an argument -- {option[1:]}", EX_USAGE)
            value, words = words[0], words[1:]
        if option == "-p":
            text = value
        elif option == "-f":
            with open(Host.tree.walk(os.fsencode(value)).host) as file:
                text = file.read()
        elif option == "-D":
            parameters.append(tuple(value.split("=", 1)))
        else:
            _give_up("sandbox-exec", f"illegal option -- {option[1:]}", EX_USAGE)
    if text is None:
        _give_up("sandbox-exec", "no profile specified", EX_USAGE)
    try:
        Host.policy.apply(text, parameters)
    except NotApplied as refusal:
        _give_up("sandbox-exec", refusal.text or "sandbox_apply: Operation not permitted", EX_DATAERR if refusal.text else EX_OSERR)
    _become_next("sandbox-exec", words, environment)


def _program(path):
    """The image that exec(2) takes, with its checks in their order: x bit, policy."""
    walk = Host.tree.walk(path)
    if walk.found is None:
        raise Refused("ENOENT")
    if not stat.S_ISREG(walk.found.st_mode) or not may(walk.found, walk.path, 0o1):
        raise Refused("EACCES")
    Host.policy.require("process-exec*", walk.path, "REGULAR-FILE")
    return walk


def _host_environment(at):
    return {os.fsdecode(k): os.fsdecode(v) for k, _, v in (one.partition(b"=") for one in Host.machine.texts(at)) if k}


@call("_execve")
def _(path, argv, environment):
    text = Host.machine.text(path)
    walk = _program(text)
    _become(walk, text, [os.fsdecode(one) for one in Host.machine.texts(argv)], _host_environment(environment))


@call("_execvp")
def _(path, argv):
    text = Host.machine.text(path)
    walk = _program(text if b"/" in text else b"/usr/bin/" + text)
    _become(walk, text, [os.fsdecode(one) for one in Host.machine.texts(argv)], Host.world.environment())


@call("_fork")
def _():
    Host.policy.require("process-fork", "")
    pid = Host.machine.fork()
    if pid and Host.policy.confined:
        Host.process.confined_children.add(pid)
    return pid


# --- posix_spawn ------------------------------------------------------------------------------------------------------

ATTRIBUTES, ACTIONS = {}, {}
SETPGROUP, SETSIGDEF, SETSIGMASK, CLOEXEC_DEFAULT = 0x2, 0x4, 0x8, 0x4000


@call("_posix_spawnattr_init", fails="number")
def _(at):
    ATTRIBUTES[at] = {"flags": 0}


@call("_posix_spawnattr_destroy", fails="number")
def _(at):
    ATTRIBUTES.pop(at, None)


def _attribute(name, key, form, by_address=False):
    """A member of the attributes, with the function that sets it and the one that gets it."""
    size = struct.calcsize(form)

    @call(f"_posix_spawnattr_set{name}", fails="number")
    def _(at, value):
        data = Host.machine.read(value, size) if by_address else value.to_bytes(8, "little")[:size]
        ATTRIBUTES[at][key] = struct.unpack(form, data)[0]

    @call(f"_posix_spawnattr_get{name}", fails="number")
    def _(at, out):
        Host.machine.write(out, struct.pack(form, ATTRIBUTES[at].get(key, 0)))


_attribute("flags", "flags", "<H")
_attribute("pgroup", "group", "<i")
_attribute("sigdefault", "default", "<I", by_address=True)
_attribute("sigmask", "mask", "<I", by_address=True)


@call("_posix_spawn_file_actions_init", fails="number")
def _(at):
    ACTIONS[at] = []


@call("_posix_spawn_file_actions_destroy", fails="number")
def _(at):
    ACTIONS.pop(at, None)


@call("_posix_spawn_file_actions_adddup2", fails="number")
def _(at, fd, to):
    ACTIONS[at].append(("dup2", i32(fd), i32(to)))


@call("_posix_spawn_file_actions_addclose", fails="number")
def _(at, fd):
    ACTIONS[at].append(("close", i32(fd)))


@call("_posix_spawn_file_actions_addchdir_np", fails="number")
def _(at, path):
    ACTIONS[at].append(("chdir", Host.machine.text(path)))


@call("_posix_spawnp", fails="number")
def _(out, path, actions, attributes, argv, environment):
    text = Host.machine.text(path)
    Host.policy.require("process-fork", "")
    walk = _program(text if b"/" in text else b"/usr/bin/" + text)
    words = [os.fsdecode(one) for one in Host.machine.texts(argv)]
    variables = _host_environment(environment)
    wanted = ATTRIBUTES.get(attributes, {"flags": 0})
    told, tell = _own_pipe()
    for hook in Host.machine.on_fork:
        hook()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(told)
            _in_child(walk, text, words, variables, wanted, ACTIONS.get(actions, []))
        except Refused as refused:
            os.write(tell, bytes([refused.number]))
        except OSError as error:
            os.write(tell, bytes([darwin_number(error)]))
        os._exit(127)
    os.close(tell)
    failure = os.read(told, 1)
    os.close(told)
    if failure:
        os.waitpid(pid, 0)
        raise Refused(failure[0])
    if Host.policy.confined:
        Host.process.confined_children.add(pid)
    Host.machine.put32(out, pid)


def _own_pipe():
    """A pipe of the double's own, where no file action reaches."""
    ends = os.pipe()
    own = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, OWN_FDS) for end in ends]
    for end in ends:
        os.close(end)
    return own


def _in_child(walk, path, argv, environment, wanted, actions):
    if wanted["flags"] & SETPGROUP:
        os.setpgid(0, wanted.get("group", 0))
    defaults = numbers_of(wanted["default"]) if wanted["flags"] & SETSIGDEF else set()
    for number, handler in [(one, signal.getsignal(one)) for one in signal.valid_signals()]:
        if callable(handler) or number in defaults:
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
    if wanted["flags"] & SETSIGMASK:
        signal.pthread_sigmask(signal.SIG_SETMASK, numbers_of(wanted["mask"]))
    kept = set()
    for action, *rest in actions:
        if action == "dup2":
            # A descriptor that is given to itself stays open over exec there.
            os.dup2(rest[0], rest[1], inheritable=True)
            os.set_inheritable(rest[1], True)
            kept.add(rest[1])
        elif action == "close":
            os.close(rest[0])
        else:
            os.chdir(Host.tree.walk(rest[0]).host)
    if wanted["flags"] & CLOEXEC_DEFAULT:
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept and os.path.exists(f"/proc/self/fd/{name}"):
                os.set_inheritable(int(name), False)
    _become(walk, path, argv, environment)


# --- waiting ----------------------------------------------------------------------------------------------------------


def _status(host):
    """A wait status with Darwin's number of the signal."""
    if os.WIFSIGNALED(host):
        return to_darwin(os.WTERMSIG(host)) | (host & 0x80)
    return host


@call("_waitpid")
def _(pid, out, options):
    pid, got = i32(pid), []

    def look():
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return False
        if out:
            Host.machine.put32(out, _status(status))
        got.append(found)
        return True

    if look():
        return got[0]
    # WNOHANG
    if options & 1:
        return 0
    fds = ()
    if pid > 0:
        plain_fd = os.pidfd_open(pid)
        watched = fcntl.fcntl(plain_fd, fcntl.F_DUPFD_CLOEXEC, OWN_FDS)
        os.close(plain_fd)
        fds = [(watched, select.POLLIN)]

    def done():
        def act():
            if not look():
                raise Block(look_quietly, done, fds=fds, until=None if fds else time.monotonic() + 0.01)
            if fds:
                os.close(fds[0][0])
            return got[0]

        return numbered(act)

    def look_quietly():
        if fds:
            poller = select.poll()
            poller.register(fds[0][0], select.POLLIN)
            return bool(poller.poll(0))
        return True

    raise Block(look_quietly, done, fds=fds)


@call("_exit", "__exit", fails="never")
def _(code):
    raise Quit(i32(code))


# --- who ---------------------------------------------------------------------------------------------------------------


@call("_getpid", fails="never")
def _():
    return os.getpid()


@call("_getppid", fails="never")
def _():
    parent = os.environ.get(PARENT)
    return int(parent) if parent else os.getppid()


@call("_getuid", "_geteuid", fails="never")
def _():
    return world.UID


@call("_getgid", "_getegid", fails="never")
def _():
    return world.GID


@call("_setpgid")
def _(pid, group):
    os.setpgid(i32(pid), i32(group))


@call("_getpgid")
def _(pid):
    return os.getpgid(i32(pid))


@call("_getpgrp", fails="never")
def _():
    return os.getpgrp()


@call("_setsid")
def _():
    os.setsid()
    return os.getpid()


@call("_getsid")
def _(pid):
    return os.getsid(i32(pid))


@call("_setuid", "_setgid")
def _(number):
    if i32(number) not in (world.UID, world.GID):
        raise Refused("EPERM")


@call("_setgroups")
def _(count, at):
    raise Refused("EPERM")


LIST_FDS, BSD_INFO = 1, 3
VNODE, SOCKET, SHM, SEM, PIPE = 1, 2, 3, 4, 6


def _list_descriptors():
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        if fd < OWN_FDS:
            found.append((fd, SOCKET if stat.S_ISSOCK(mode) else PIPE if stat.S_ISFIFO(mode) else VNODE))
    return sorted(found)


@call("_proc_pidinfo", fails="null")
def _(pid, flavor, argument, buffer, size):
    pid, flavor, size = i32(pid), i32(flavor), i32(size)
    if flavor == LIST_FDS and pid == os.getpid():
        found = _list_descriptors()
        if not buffer:
            return 8 * (len(found) + 20)
        data = b"".join(struct.pack("<iI", *one) for one in found)[:size]
        Host.machine.write(buffer, data)
        return len(data)
    if flavor == BSD_INFO:
        if size < 136:
            raise Refused("ENOMEM")
        try:
            os.kill(pid, 0)
        except OSError:
            raise Refused("ESRCH") from None
        Host.policy.require("process-info-pidinfo", process_target(pid))
        # struct proc_bsdinfo (sys/proc_info.h): flags, status, exit status, pid, ppid, uid, gid, …
        data = struct.pack("<IIIIIIIIIII", 0, 2, 0, pid, os.getppid(), world.UID, world.GID, world.UID, world.GID, world.UID, world.GID)
        Host.machine.write(buffer, data.ljust(136, b"\0"))
        return 136
    raise Refused("EINVAL")


plain("_getrusage")


@call("_getrlimit")
def _(which, at):
    Host.machine.write(at, struct.pack("<QQ", 2560 if which & 0xFF == 8 else 2**63 - 1, 2**63 - 1))


@call("_setrlimit")
def _(which, at):
    struct.unpack("<QQ", Host.machine.read(at, 16))


FORGOTTEN_ON_EXEC = ("ATTRIBUTES", "ACTIONS")
