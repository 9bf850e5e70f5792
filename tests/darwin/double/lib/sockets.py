"""Sockets and poll(2), with Darwin's address structures, options and numbers."""

import os
import select
import socket
import stat
import struct
import time

from ..calls import Host, Refused, call, stops
from ..machine import Block, i32
from .files import OWN_FDS, inheritable, require, there, when_ready

AF_UNIX, AF_INET, AF_SYSTEM, AF_INET6 = 1, 2, 32, 30
FAMILIES = {AF_UNIX: socket.AF_UNIX, AF_INET: socket.AF_INET, AF_INET6: socket.AF_INET6}
TO_DARWIN = {int(host): darwin for darwin, host in FAMILIES.items()}
MSG_PEEK, MSG_DONTWAIT, MSG_NOSIGNAL = 0x2, 0x80, 0x80000
#: PIPSIZ of bsd/kern/uipc_usrreq.c: how much a local stream socket holds, if nothing else is said. This host counts its own
#: bookkeeping as well and doubles what it is told, so half of it holds about as much.
UNIX_BUFFER = 8192


def borrowed(fd):
    """The descriptor as an object, of which only the object is closed."""
    return socket.socket(fileno=os.dup(i32(fd)))


def with_socket(fd, act):
    os.fstat(i32(fd))
    with borrowed(fd) as one:
        return act(one)


def _buffered(fd, size=UNIX_BUFFER):
    with borrowed(fd) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size // 2)
    return fd


@call("_socket")
def _(family, kind, protocol):
    family, kind, protocol = i32(family), i32(kind), i32(protocol)
    if family == AF_SYSTEM:
        Host.policy.require("system-socket", "AF_SYSTEM")
        # A descriptor that stands for a control socket; nothing is ever sent on it.
        return inheritable(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).detach(), 0)
    if family not in FAMILIES:
        raise Refused("EAFNOSUPPORT")
    fd = inheritable(socket.socket(FAMILIES[family], kind, protocol).detach(), 0)
    return _buffered(fd) if family == AF_UNIX else fd


@call("_socketpair")
def _(family, kind, protocol, ends):
    if i32(family) != AF_UNIX:
        raise Refused("EOPNOTSUPP")
    pair = [inheritable(one.detach(), 0) for one in socket.socketpair(socket.AF_UNIX, i32(kind))]
    for fd in pair:
        _buffered(fd)
    Host.machine.write(ends, struct.pack("<ii", *pair))


def _address(at, size):
    """`struct sockaddr`: its length and family in a byte each."""
    data = Host.machine.read(at, size)
    family = data[1]
    if family == AF_INET:
        return family, (socket.inet_ntoa(data[4:8]), struct.unpack(">H", data[2:4])[0])
    if family == AF_INET6:
        return family, (socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack(">H", data[2:4])[0])
    if family == AF_UNIX:
        return family, data[2:].split(b"\0")[0]
    raise Refused("EAFNOSUPPORT")


def _put_address(address, family, at, length):
    if not at:
        return
    if family == socket.AF_INET:
        data = struct.pack(">BBH4s8x", 16, AF_INET, address[1], socket.inet_aton(address[0]))
    elif family == socket.AF_INET6:
        data = struct.pack(">BBHI16sI", 28, AF_INET6, address[1], 0, socket.inet_pton(socket.AF_INET6, address[0]), 0)
    else:
        name = address if isinstance(address, bytes) else os.fsencode(address or "")
        data = struct.pack("BB", 16, AF_UNIX) + name.ljust(14, b"\0")
    room = Host.machine.u32(length)
    Host.machine.write(at, data[:room])
    Host.machine.put32(length, len(data))


def _shown(family, address):
    host, port = address
    return f"[{host}]:{port}" if family == AF_INET6 else f"{host}:{port}"


def _through_folder(walk):
    """A local address of this host: names there are short, so the folder is named by a descriptor."""
    folder, name = os.path.split(walk.host)
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    return fd, f"/proc/self/fd/{fd}/{name}"


def _at_address(fd, at, size, operation, local, act):
    """bind(2) and connect(2): a local address leads where `local` finds it, one of the internet is only asked about."""
    family, address = _address(at, size)
    if family != AF_UNIX:
        Host.policy.require(operation, _shown(family, address))
        with_socket(fd, lambda one: act(one, address))
        return
    folder, name = _through_folder(local(address))
    try:
        with_socket(fd, lambda one: act(one, name))
    finally:
        os.close(folder)


@call("_bind")
def _(fd, at, size):
    def local(path):
        walk = Host.tree.walk(path, follow=False, make=True)
        if walk.found is not None:
            raise Refused("EADDRINUSE")
        require("network-bind", walk)
        require("file-write-create", walk)
        return walk

    _at_address(fd, at, size, "network-bind", local, socket.socket.bind)


@call("_connect")
def _(fd, at, size):
    def local(path):
        walk = there(Host.tree.walk(path))
        if not stat.S_ISSOCK(walk.found.st_mode):
            raise Refused("ENOTSOCK")
        require("network-outbound", walk)
        return walk

    _at_address(fd, at, size, "network-outbound", local, socket.socket.connect)


def _require_inbound(one):
    """Of a socket of the internet; one with a path was looked at when it was bound."""
    if one.family != socket.AF_UNIX:
        Host.policy.require("network-inbound", _shown(TO_DARWIN[int(one.family)], one.getsockname()[:2]))


@call("_listen")
def _(fd, backlog):
    def act(one):
        _require_inbound(one)
        one.listen(i32(backlog))

    with_socket(fd, act)


@call("_accept")
def _(fd, at, length):
    fd = i32(fd)
    os.fstat(fd)

    def act():
        with borrowed(fd) as one:
            _require_inbound(one)
            new, peer = one.accept()
            _put_address(peer[:2] if one.family != socket.AF_UNIX else b"", one.family, at, length)
            got = inheritable(new.detach(), 0)
            os.set_blocking(got, True)
            return got

    return when_ready(fd, select.POLLIN, act)


def _tell_address(fd, at, length, of):
    def act(one):
        name = of(one)
        _put_address(name[:2] if one.family != socket.AF_UNIX else b"", one.family, at, length)

    with_socket(fd, act)


@call("_getsockname")
def _(fd, at, length):
    _tell_address(fd, at, length, socket.socket.getsockname)


@call("_getpeername")
def _(fd, at, length):
    _tell_address(fd, at, length, socket.socket.getpeername)


@call("_shutdown")
def _(fd, how):
    with_socket(fd, lambda one: one.shutdown(i32(how)))


# --- data -------------------------------------------------------------------------------------------------------------


def _flags(flags):
    return (socket.MSG_PEEK if flags & MSG_PEEK else 0) | (socket.MSG_DONTWAIT if flags & MSG_DONTWAIT else 0)


def _receive(fd, buffer, size, flags, at=0, length=0):
    fd = i32(fd)
    os.fstat(fd)

    def act():
        with borrowed(fd) as one:
            data, peer = one.recvfrom(size, _flags(flags))
            Host.machine.write(buffer, data)
            if at and peer:
                _put_address(peer[:2], one.family, at, length)
            return len(data)

    return act() if flags & MSG_DONTWAIT else when_ready(fd, select.POLLIN | select.POLLHUP, act)


@call("_recv")
def _(fd, buffer, size, flags):
    return _receive(fd, buffer, Host.faults.short("_recv", size), flags)


@call("_recvfrom")
def _(fd, buffer, size, flags, at, length):
    return _receive(fd, buffer, Host.faults.short("_recvfrom", size), flags, at, length)


def _transmit(fd, buffer, size, flags, to=None):
    fd, data = i32(fd), Host.machine.read(buffer, size) if size else b""
    os.fstat(fd)

    def act():
        with borrowed(fd) as one:
            # A peer that is gone is an error of the call, and never the end of the double.
            given = _flags(flags) | socket.MSG_NOSIGNAL
            return one.send(data, given) if to is None else one.sendto(data, given, to)

    return act() if flags & MSG_DONTWAIT else when_ready(fd, select.POLLOUT, act)


@call("_send")
def _(fd, buffer, size, flags):
    return _transmit(fd, buffer, size, flags)


@call("_sendto")
def _(fd, buffer, size, flags, at, length):
    if not at:
        return _transmit(fd, buffer, size, flags)
    family, address = _address(at, length)
    if family == AF_UNIX:
        raise RuntimeError("datagrams over local sockets are not in the double")
    Host.policy.require("network-outbound", _shown(family, address))
    return _transmit(fd, buffer, size, flags, address)


# --- options ----------------------------------------------------------------------------------------------------------

SOL_SOCKET = 0xFFFF
SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_LINGER = 0x4, 0x8, 0x20, 0x80
SO_SNDBUF, SO_RCVBUF, SO_SNDTIMEO, SO_RCVTIMEO, SO_ERROR, SO_TYPE, SO_NOSIGPIPE = 0x1001, 0x1002, 0x1005, 0x1006, 0x1007, 0x1008, 0x1022
SAME = {SO_REUSEADDR: socket.SO_REUSEADDR, SO_KEEPALIVE: socket.SO_KEEPALIVE, SO_BROADCAST: socket.SO_BROADCAST}


@call("_setsockopt")
def _(fd, level, option, at, size):
    fd, level, option = i32(fd), i32(level), i32(option)
    os.fstat(fd)
    if level == SOL_SOCKET and option in (SO_NOSIGPIPE, SO_RCVTIMEO, SO_SNDTIMEO, SO_LINGER, SO_RCVBUF):
        return 0
    value = i32(Host.machine.u32(at))
    if level == SOL_SOCKET and option == SO_SNDBUF:
        _buffered(fd, value)
        return 0
    if level == SOL_SOCKET and option in SAME:
        with_socket(fd, lambda one: one.setsockopt(socket.SOL_SOCKET, SAME[option], value))
        return 0
    # IPV6_V6ONLY (41, 27) and TCP_NODELAY (6, 1)
    if (level, option) in ((41, 27), (6, 1)):
        host = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) if level == 41 else (socket.IPPROTO_TCP, socket.TCP_NODELAY)
        with_socket(fd, lambda one: one.setsockopt(*host, value))
        return 0
    raise Refused("ENOPROTOOPT")


@call("_getsockopt")
def _(fd, level, option, at, length):
    fd, level, option = i32(fd), i32(level), i32(option)
    if level == SOL_SOCKET and option == SO_ERROR:
        number = with_socket(fd, lambda one: one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        from ..calls import darwin_number

        value = darwin_number(OSError(number, "")) if number else 0
    elif level == SOL_SOCKET and option == SO_TYPE:
        value = with_socket(fd, lambda one: int(one.type))
    elif level == SOL_SOCKET and option == SO_SNDBUF:
        value = with_socket(fd, lambda one: one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
    else:
        raise Refused("ENOPROTOOPT")
    Host.machine.put32(at, value)
    Host.machine.put32(length, 4)


@call("_getpeereid")
def _(fd, uid, gid):
    from .. import world

    os.fstat(i32(fd))
    Host.machine.put32(uid, world.UID)
    Host.machine.put32(gid, world.GID)


# --- poll -------------------------------------------------------------------------------------------------------------


@call("_poll")
def _(at, count, timeout):
    count, timeout = count & 0xFFFFFFFF, i32(timeout)
    asked = [struct.unpack("<ihh", Host.machine.read(at + 8 * n, 8)) for n in range(count)]
    until = None if timeout < 0 else time.monotonic() + timeout / 1000

    def look():
        """xnu registers a filter only for what is asked for (`poll_nocancel`): a descriptor whose events are 0 reports
        nothing, not even that the other end is gone."""
        poller, wanted = select.poll(), False
        for fd, events, _ in asked:
            if fd >= 0 and events:
                poller.register(fd, events)
                wanted = True
        return dict(poller.poll(0)) if wanted else {}

    def answer(found):
        for n, (fd, events, _) in enumerate(asked):
            Host.machine.write(at + 8 * n + 6, struct.pack("<h", found.get(fd, 0) if events else 0))
        return sum(1 for fd, events, _ in asked if events and found.get(fd, 0))

    found = look()
    if found or timeout == 0:
        return answer(found)
    fds = [(fd, events) for fd, events, _ in asked if fd >= 0 and events and fd < OWN_FDS]

    def ready():
        return bool(look()) or (until is not None and time.monotonic() >= until)

    raise Block(ready, lambda: answer(look()), fds=fds, until=until)


@call("_select")
def _(count, reading, writing, failing, timeout):
    if any((reading, writing, failing)):
        raise RuntimeError("select over descriptors is not in the double; std uses poll")
    seconds, us = struct.unpack("<qq", Host.machine.read(timeout, 16))
    until = time.monotonic() + seconds + (us & 0xFFFFFFFF) / 1e6
    raise Block(lambda: time.monotonic() >= until, lambda: 0, until=until)


stops(
    "names of hosts and interfaces are never asked for: addresses are numbers",
    "_getaddrinfo", "_freeaddrinfo", "_gai_strerror", "_getifaddrs", "_freeifaddrs", "_if_freenameindex", "_if_indextoname",
    "_if_nameindex",
)  # fmt: skip
