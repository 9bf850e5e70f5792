"""Starts programs from a process that has loaded the image and has the emulator's translation of its usual code.

A process of the double costs a second before its first instruction of any interest: Python, the emulator, the image, and
then the translation of code that every run goes through. The server does that once. Whoever wants a program started
(`client`) sends its arguments, environment, folder and standard streams over a socket; a fork of the server becomes that
program, and its exit code goes back. Nothing of what the server ran is left in it but the translation, as for exec(2).

What it runs beforehand is told by arguments, and is recorded from that: what each probe process read from its standard
input is given to the server itself once more.
"""

import ctypes
import fcntl
import filecmp
import json
import os
import select
import signal
import socket

from . import client, coverage, run
from .calls import Host
from .machine import Exec, Quit, say

PREFIX = "DARWIN_DOUBLE_"
RECORD, ROOM = PREFIX + "RECORD", PREFIX + "ROOM"
#: The server's own standard error, while programs that it runs have another.
OWN_ERROR = 990
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def main(path, words):
    """Serves at a socket; `words` are the arguments of a run that shows which code is usual."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(2, OWN_ERROR, inheritable=False)
    run.prepare()
    home = os.getcwd()
    environment = dict(os.environ)
    code = _once(words, environment, home)
    if code not in (0, 1, 8):
        os.write(OWN_ERROR, f"the server's own run ended with {code}\n".encode())
        os._exit(1)
    record = os.environ.pop(RECORD)
    environment.pop(RECORD)
    _once(["__spawner"], environment, home)
    for name in sorted(os.listdir(record)):
        _once([name.partition(".")[0]], environment, "/", os.path.join(record, name))
    coverage.write()
    # The last of those programs left its role there. What is forked from here has none until it has begun, or whoever
    # looks from outside takes a program that has just been asked for for a probe.
    with open("/proc/self/comm", "w") as file:
        file.write("server")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path + ".new")
    listener.listen(64)
    os.rename(path + ".new", path)
    _serve(listener)


def _once(words, environment, folder, stdin="/dev/null"):
    """Runs a program in this process, and undoes what it did to it. How it ended: an exit code, or a signal below 0."""
    for number, name in enumerate((stdin, "/dev/null", "/dev/null")):
        fd = os.open(name, os.O_RDWR)
        os.dup2(fd, number, inheritable=True)
        os.close(fd)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    run.begin([environment[PREFIX + "ARGV0"], *words])
    server = os.getpid()
    try:
        ended = Host.machine.run()
    except (Quit, Exec) as other:
        ended = other
    if os.getpid() != server:
        # A child that was forked on the way: it lives as every process does.
        run.live(ended)
    run.finish()
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o22)
    _close_all_but({OWN_ERROR})
    run.forget()
    if not isinstance(ended, Quit):
        say("the server's own run became another program")
        os._exit(1)
    return -ended.signo if ended.signo else ended.code & 0xFF


def _close_all_but(kept):
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue


def _serve(listener):
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    children, asking = {}, {}
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                connection, _ = listener.accept()
                asking[connection.fileno()] = connection
                poller.register(connection, select.POLLIN)
            elif fd in asking:
                poller.unregister(fd)
                connection = asking.pop(fd)
                pid = _answer(connection)
                if pid:
                    watched = os.pidfd_open(pid)
                    poller.register(watched, select.POLLIN)
                    children[watched] = (pid, connection)
            else:
                poller.unregister(fd)
                os.close(fd)
                pid, connection = children.pop(fd)
                _, status = os.waitpid(pid, 0)
                try:
                    connection.send(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())
                except OSError:
                    pass
                connection.close()


def _answer(connection):
    """Starts what is asked for. Its process id; 0 if nothing was started."""
    data, fds, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    if not data:
        connection.close()
        return 0
    asked = json.loads(data)
    image = asked["environment"][PREFIX + "IMAGE"]
    same = os.path.samefile(image, Host.machine.image.path) or filecmp.cmp(image, Host.machine.image.path, shallow=False)
    if not same:
        connection.send(json.dumps(client.OTHER_IMAGE).encode())
        pid = 0
    else:
        pid = os.fork()
        if pid == 0:
            _become(asked, fds)
        connection.send(json.dumps({"pid": pid}).encode())
    for fd in fds:
        os.close(fd)
    if not pid:
        connection.close()
    return pid


def _become(asked, fds):
    try:
        _libc.prctl(PR_SET_PDEATHSIG, 0)
        if asked["session"]:
            os.setsid()
        if asked["group"]:
            os.setpgid(0, 0)
        if asked["umask"] is not None:
            os.umask(asked["umask"])
        # Away from 0 to 2, which they are to become.
        fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in fds]
        for number, fd in enumerate(fds):
            os.dup2(fd, number, inheritable=True)
        _close_all_but(set())
        os.chdir(asked["cwd"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        _show_environment(f"{PREFIX}ROOT={os.environ[PREFIX + 'ROOT']}\0".encode())
        run.begin([os.environ[PREFIX + "ARGV0"], *asked["argv"]])
    except BaseException as error:
        say(f"cannot start: {error!r}")
        os._exit(125)
    run.live()


def _show_environment(text):
    """Writes over the environment that others see of this process, so that they can tell whose it is."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b") ")[2].split()
    # proc_pid_stat(5): env_start and env_end are fields 50 and 51, and the first here is the third.
    start, end = int(fields[47]), int(fields[48])
    if end - start < len(text):
        raise OSError(f"no room for {len(text)} bytes in an environment of {end - start}")
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)
