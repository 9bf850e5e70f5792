"""POSIX threads and Grand Central Dispatch's semaphores. One thread runs at a time, and changes only where one waits."""

import struct
import time

from ..calls import Host, Refused, call, plain
from ..machine import MASK, Block, i64

plain(
    "_pthread_attr_init", "_pthread_attr_destroy", "_pthread_mutexattr_init", "_pthread_mutexattr_settype",
    "_pthread_mutexattr_destroy", "_pthread_mutex_init", "_pthread_mutex_destroy", "_pthread_cond_init",
    "_pthread_cond_destroy", "_pthread_detach", "_pthread_setname_np", "_dispatch_release",
)  # fmt: skip

STACK_SIZES, OWNERS, SLEEPERS, SEMAPHORES = {}, {}, {}, {}


@call("_pthread_attr_setstacksize", fails="number")
def _(attributes, size):
    STACK_SIZES[attributes] = size


@call("_pthread_create", fails="number")
def _(at, attributes, function, argument):
    thread = Host.machine.spawn(function, [argument], STACK_SIZES.get(attributes, 512 << 10))
    thread.blocked = set(Host.machine.current.blocked)
    Host.machine.put64(at, thread.handle)


@call("_pthread_join", fails="number")
def _(handle, at):
    thread = next((one for one in Host.machine.threads if one.handle == handle), None)
    if thread is None:
        raise Refused("ESRCH")

    def done():
        if at:
            Host.machine.put64(at, thread.result)
        return 0

    if thread.done:
        return done()
    raise Block(lambda: thread.done, done)


@call("_pthread_self", fails="never")
def _():
    return Host.machine.current.handle


@call("_pthread_main_np", fails="never")
def _():
    return int(Host.machine.current.number == min(thread.number for thread in Host.machine.threads))


@call("_pthread_get_stackaddr_np", fails="never")
def _():
    thread = Host.machine.current
    return thread.stack + thread.size


@call("_pthread_get_stacksize_np", fails="never")
def _():
    return Host.machine.current.size


@call("_pthread_threadid_np", fails="number")
def _(thread, at):
    Host.machine.put64(at, Host.machine.current.number)


# --- mutexes and conditions -------------------------------------------------------------------------------------------


def take(mutex, thread):
    OWNERS[mutex] = thread
    return 0


@call("_pthread_mutex_lock", fails="number")
def _(mutex):
    thread = Host.machine.current
    owner = OWNERS.get(mutex)
    if owner is None:
        return take(mutex, thread)
    if owner is thread:
        raise Refused("EDEADLK")
    raise Block(lambda: OWNERS.get(mutex) is None, lambda: take(mutex, thread), interruptible=False)


@call("_pthread_mutex_trylock", fails="number")
def _(mutex):
    if OWNERS.get(mutex) is not None:
        raise Refused("EBUSY")
    take(mutex, Host.machine.current)


@call("_pthread_mutex_unlock", fails="number")
def _(mutex):
    if OWNERS.get(mutex) is not Host.machine.current:
        raise Refused("EPERM")
    OWNERS[mutex] = None


def _sleep(condition, mutex, until):
    thread, woken = Host.machine.current, [False]
    OWNERS[mutex] = None
    SLEEPERS.setdefault(condition, []).append(woken)

    def ready():
        late = until is not None and time.monotonic() >= until
        return (woken[0] or late) and OWNERS.get(mutex) is None

    def done():
        take(mutex, thread)
        if woken[0]:
            return 0
        SLEEPERS[condition].remove(woken)
        return 60  # ETIMEDOUT

    raise Block(ready, done, until=until, interruptible=False)


@call("_pthread_cond_wait", fails="number")
def _(condition, mutex):
    _sleep(condition, mutex, None)


@call("_pthread_cond_timedwait", fails="number")
def _(condition, mutex, at):
    seconds, ns = struct.unpack("<qq", Host.machine.read(at, 16))
    _sleep(condition, mutex, time.monotonic() + seconds + ns / 1e9 - time.time())


@call("_pthread_cond_timedwait_relative_np", fails="number")
def _(condition, mutex, at):
    seconds, ns = struct.unpack("<qq", Host.machine.read(at, 16))
    _sleep(condition, mutex, time.monotonic() + seconds + ns / 1e9)


@call("_pthread_cond_signal", fails="number")
def _(condition):
    for woken in SLEEPERS.get(condition, [])[:1]:
        woken[0] = True
        SLEEPERS[condition].remove(woken)


@call("_pthread_cond_broadcast", fails="number")
def _(condition):
    for woken in SLEEPERS.pop(condition, []):
        woken[0] = True
    SLEEPERS[condition] = []


# --- dispatch ---------------------------------------------------------------------------------------------------------


@call("_dispatch_semaphore_create", fails="never")
def _(value):
    handle = Host.machine.malloc(16)
    SEMAPHORES[handle] = i64(value)
    return handle


@call("_dispatch_semaphore_signal", fails="never")
def _(handle):
    SEMAPHORES[handle] += 1
    return 0


@call("_dispatch_time", fails="never")
def _(base, delta):
    return int(time.monotonic() * 1e9) + i64(delta)


@call("_dispatch_semaphore_wait", fails="never")
def _(handle, until):
    limit = None if until == MASK else until / 1e9

    def ready():
        return SEMAPHORES[handle] > 0 or (limit is not None and time.monotonic() >= limit)

    def done():
        if SEMAPHORES[handle] > 0:
            SEMAPHORES[handle] -= 1
            return 0
        return 49  # KERN_OPERATION_TIMED_OUT

    if ready():
        return done()
    raise Block(ready, done, until=limit, interruptible=False)


@call("_sched_yield")
def _():
    raise Block(lambda: True, lambda: 0, interruptible=False)


FORGOTTEN_ON_EXEC = ("STACK_SIZES", "OWNERS", "SLEEPERS", "SEMAPHORES")
