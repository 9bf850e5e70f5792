"""Signals, under Darwin's numbers (sys/signal.h)."""

import os
import signal
import struct

from ..calls import Host, Refused, call, plain
from ..machine import Block, i32

#: Where Darwin's number differs from this host's.
TO_HOST = {
    7: None, 10: signal.SIGBUS, 12: signal.SIGSYS, 16: signal.SIGURG, 17: signal.SIGSTOP, 18: signal.SIGTSTP,
    19: signal.SIGCONT, 20: signal.SIGCHLD, 23: signal.SIGIO, 29: None, 30: signal.SIGUSR1, 31: signal.SIGUSR2,
}  # fmt: skip
TO_DARWIN = {int(host): darwin for darwin, host in TO_HOST.items() if host is not None}
SIG_DFL, SIG_IGN = 0, 1
SA_SIGINFO = 0x40


def to_host(number):
    if not 0 <= number < 32:
        raise Refused("EINVAL")
    host = TO_HOST.get(number, number)
    if host is None:
        raise Refused("EINVAL")
    return host


def to_darwin(number):
    return TO_DARWIN.get(int(number), int(number))


ACTIONS = {}


def _came(number, _frame):
    Host.machine.signals.append(to_darwin(number))


def act(number, handler, flags):
    """Sets what happens when a signal comes, and gives what happened until now."""
    before = ACTIONS.get(number, (SIG_DFL, 0))
    host = to_host(number)
    if host in (signal.SIGKILL, signal.SIGSTOP):
        raise Refused("EINVAL")
    ACTIONS[number] = (handler, flags)
    if handler in (SIG_DFL, SIG_IGN):
        Host.machine.handlers.pop(number, None)
        signal.signal(host, signal.SIG_DFL if handler == SIG_DFL else signal.SIG_IGN)
    else:
        Host.machine.handlers[number] = (handler, bool(flags & SA_SIGINFO))
        signal.signal(host, _came)
        signal.siginterrupt(host, True)
    return before


@call("_sigaction")
def _(number, new, old):
    # struct sigaction: handler, then mask and flags, both 32 bits.
    number = i32(number)
    before = ACTIONS.get(number, (SIG_DFL, 0))
    if new:
        handler, _, flags = struct.unpack("<QIi", Host.machine.read(new, 16))
        # Faults of the processor are the double's own business.
        if number in (4, 5, 8, 10, 11):
            before, ACTIONS[number] = ACTIONS.get(number, (SIG_DFL, 0)), (handler, flags)
        else:
            before = act(number, handler, flags)
    if old:
        Host.machine.write(old, struct.pack("<QIi", before[0], 0, before[1]))


@call("_signal", fails="minus one")
def _(number, handler):
    return act(i32(number), handler, 0)[0]


plain("_sigaltstack")


def _mask_of(at):
    return Host.machine.u32(at)


@call("_sigemptyset")
def _(at):
    Host.machine.put32(at, 0)


@call("_sigfillset")
def _(at):
    Host.machine.put32(at, 0xFFFFFFFF)


@call("_sigaddset")
def _(at, number):
    Host.machine.put32(at, _mask_of(at) | 1 << (i32(number) - 1))


@call("_sigdelset")
def _(at, number):
    Host.machine.put32(at, _mask_of(at) & ~(1 << (i32(number) - 1)))


@call("_sigismember")
def _(at, number):
    return _mask_of(at) >> (i32(number) - 1) & 1


def numbers_of(mask):
    """This host's numbers of a set."""
    found = set()
    for darwin in range(1, 32):
        if mask >> (darwin - 1) & 1 and TO_HOST.get(darwin, darwin) is not None:
            found.add(TO_HOST.get(darwin, darwin))
    return found


def set_of(hosts):
    return sum(1 << (to_darwin(one) - 1) for one in hosts if to_darwin(one) < 32)


def _blocked(how, new, old):
    before = set_of(signal.pthread_sigmask(signal.SIG_BLOCK, []))
    if new:
        # SIG_BLOCK 1, SIG_UNBLOCK 2, SIG_SETMASK 3 there.
        host = {1: signal.SIG_BLOCK, 2: signal.SIG_UNBLOCK, 3: signal.SIG_SETMASK}[i32(how)]
        signal.pthread_sigmask(host, numbers_of(_mask_of(new)))
    if old:
        Host.machine.put32(old, before)


@call("_sigprocmask")
def _(how, new, old):
    _blocked(how, new, old)


@call("_pthread_sigmask", fails="number")
def _(how, new, old):
    _blocked(how, new, old)


@call("_sigpending")
def _(at):
    Host.machine.put32(at, set_of(signal.sigpending()))


def _send(kill, target, number):
    number = i32(number)
    kill(i32(target), 0 if number == 0 else to_host(number))


def process_target(pid):
    """What the policy's filter calls a process."""
    if pid in (0, os.getpid()):
        return "self"
    return "same-sandbox" if Host.process.is_same_sandbox(pid) else "others"


@call("_kill")
def _(pid, number):
    pid = i32(pid)
    os.kill(pid, 0)
    if pid > 0:
        Host.policy.require("signal", process_target(pid))
    _send(os.kill, pid, number)


@call("_killpg")
def _(group, number):
    _send(os.killpg, group, number)


@call("_raise")
def _(number):
    os.kill(os.getpid(), to_host(i32(number)))


@call("_alarm", fails="never")
def _(seconds):
    return signal.alarm(seconds & 0xFFFFFFFF)


@call("_pause")
def _():
    raise Block(lambda: False, lambda: 0)


@call("_sigsuspend")
def _(mask):
    raise Block(lambda: False, lambda: 0)


@call("_sigwait", fails="number")
def _(mask, at):
    wanted = numbers_of(_mask_of(mask))

    def done():
        got = signal.sigtimedwait(wanted, 0)
        if got is None:
            raise Block(lambda: bool(signal.sigpending() & wanted), done)
        Host.machine.put32(at, to_darwin(got.si_signo))
        return 0

    return done()


FORGOTTEN_ON_EXEC = ("ACTIONS",)
