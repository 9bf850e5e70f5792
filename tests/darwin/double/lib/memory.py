"""Memory, and the few functions on texts that are imported."""

import ctypes
import os
import signal

from .. import quick
from ..calls import DARWIN_ERRNO, Host, Refused, call, plain, stops
from ..machine import HEAP, PAGE, Quit, i32, i64, up
from ..macho import S_THREAD_LOCAL_REGULAR, S_THREAD_LOCAL_ZEROFILL


@call("_malloc", fails="null")
def _(size):
    return Host.machine.malloc(size)


@call("_calloc", fails="null")
def _(count, size):
    at = Host.machine.malloc(count * size)
    ctypes.memset(at, 0, count * size)
    return at


@call("_free", fails="never")
def _(at):
    if at:
        Host.machine.free(at)


@call("_realloc", fails="null")
def _(at, size):
    return Host.machine.realloc(at, size)


@call("_posix_memalign", fails="number")
def _(at, align, size):
    Host.machine.put64(at, Host.machine.malloc(size, align))


@call("_bzero", fails="never")
def _(at, size):
    ctypes.memset(at, 0, size)


@call("_strnlen", fails="never")
def _(at, most):
    return min(len(Host.machine.text(at)), most)


@call("_strerror_r", fails="number")
def _(number, buffer, size):
    import errno

    number = i32(number)
    known = 0 < number <= len(DARWIN_ERRNO)
    name = DARWIN_ERRNO[number - 1] if known else ""
    text = os.strerror(getattr(errno, name)) if hasattr(errno, name) else f"Unknown error: {number}"
    Host.machine.write(buffer, text.encode()[: size - 1] + b"\0")
    if not known:
        raise Refused("EINVAL")


MAP_FIXED, MAP_ANON = 0x10, 0x1000
PROT_EXEC = 4


@call("_mmap")
def _(address, size, rights, flags, fd, offset):
    if size == 0:
        raise Refused("EINVAL")
    if flags & MAP_FIXED:
        # std's guard page at the end of the main thread's stack.
        return address
    if flags & MAP_ANON:
        return Host.machine.map(size)
    fd = i32(fd)
    os.fstat(fd)
    if rights & PROT_EXEC:
        Host.policy.require("file-map-executable", Host.tree.of_descriptor(fd))
    at = Host.machine.map(size)
    Host.machine.write(at, os.pread(fd, size, i64(offset)))
    return at


@call("_munmap")
def _(address, size):
    if address % PAGE:
        raise Refused("EINVAL")
    # Pages that are used no more are given back; addresses are not used again.
    from ..machine import MAPS, MAPS_SIZE

    if MAPS <= address < MAPS + MAPS_SIZE:
        Host.machine.give_back(address, up(size))


plain("_mprotect", "_sys_icache_invalidate")


@call("__tlv_bootstrap", fails="never")
def _(descriptor):
    """`struct TLVDescriptor`: a function, a key, and the variable's place in the thread's block."""
    machine, thread = Host.machine, Host.machine.current
    if thread.local is None:
        parts = machine.image.of_kind(S_THREAD_LOCAL_REGULAR, S_THREAD_LOCAL_ZEROFILL)
        start = min(part.address for part in parts)
        end = max(part.address + part.size for part in parts)
        thread.local = machine.malloc(end - start + 64, 64)
        ctypes.memset(thread.local, 0, end - start)
        machine.put64(HEAP + quick.LOCAL, thread.local)
        for part in machine.image.of_kind(S_THREAD_LOCAL_REGULAR):
            machine.write(thread.local + part.address - start, machine.image_bytes(part))
    return thread.local + machine.u64(descriptor + 16)


plain("__tlv_atexit")


@call("_abort", fails="never")
def _():
    raise Quit(signo=signal.SIGABRT)


@call("_getentropy", "_CCRandomGenerateBytes")
def _(at, size):
    Host.machine.write(at, os.urandom(size))


@call("_pow", fails="never")
def _():
    Host.machine.put_double(Host.machine.double(0) ** Host.machine.double(1))


@call("_cbrt", fails="never")
def _():
    import math

    value = Host.machine.double(0)
    Host.machine.put_double(math.copysign(abs(value) ** (1 / 3), value))


@call("___error", fails="never")
def _():
    return Host.machine.current.errno


stops(
    "panics abort, and nothing unwinds",
    "__Unwind_DeleteException", "__Unwind_GetCFA", "__Unwind_GetDataRelBase", "__Unwind_GetIPInfo", "__Unwind_GetRegionStart",
    "__Unwind_GetLanguageSpecificData", "__Unwind_GetTextRelBase", "__Unwind_RaiseException", "__Unwind_Resume",
    "__Unwind_SetGR", "__Unwind_SetIP",
)  # fmt: skip


@call("__Unwind_Backtrace", fails="never")
def _():
    # _URC_END_OF_STACK: a backtrace has no frames.
    return 5


@call("__Unwind_GetIP", fails="never")
def _():
    return 0
