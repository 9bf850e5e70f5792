"""Clocks. A fault can make them stand still."""

import struct
import time

from ..calls import Host, call
from ..machine import Block

_FROZEN = {}


def _now(name, read):
    if Host.faults.frozen:
        return _FROZEN.setdefault(name, read())
    return read()


def wall_ns():
    return _now("wall", time.time_ns)


def uptime_ns():
    return _now("uptime", time.monotonic_ns)


@call("_clock_gettime")
def _(clock, at):
    ns = wall_ns() if clock & 0xFFFFFFFF == 0 else uptime_ns()
    Host.machine.write(at, struct.pack("<qq", ns // 10**9, ns % 10**9))


@call("_gettimeofday")
def _(at):
    ns = wall_ns()
    Host.machine.write(at, struct.pack("<qq", ns // 10**9, ns % 10**9 // 1000))


@call("_mach_timebase_info", fails="never")
def _(at):
    Host.machine.write(at, struct.pack("<II", 1, 1))
    return 0


def _until(limit):
    raise Block(lambda: time.monotonic() >= limit, lambda: 0, until=limit)


@call("_mach_wait_until", fails="never")
def _(ticks):
    _until(time.monotonic() + max(0, ticks - uptime_ns()) / 1e9)


@call("_nanosleep")
def _(at):
    seconds, ns = struct.unpack("<qq", Host.machine.read(at, 16))
    _until(time.monotonic() + seconds + ns / 1e9)


FORGOTTEN_ON_EXEC = ("_FROZEN",)
