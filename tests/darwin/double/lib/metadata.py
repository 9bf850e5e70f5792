"""Metadata of files: stat(2) and its kin, permissions, owners, times, extended attributes, attribute lists."""

import os
import stat
import struct

from .. import world
from ..calls import Host, Refused, call
from ..machine import i32
from ..tree import owner
from .files import at, changes_object, require, there

CTIME = 1_700_000_000


def put_stat(found, path, at_):
    """`struct stat` of sys/stat.h, with 64-bit inodes: 144 bytes."""

    def time(ns):
        return ns // 10**9, ns % 10**9

    where = world.DEVICE if not path.startswith("/dev") else 0x5000001
    uid = owner(found, path)
    gid = (world.GID if uid == world.UID else 0) if found.st_gid == os.getgid() else found.st_gid
    data = struct.pack("<iHHQIIii", where, found.st_mode, found.st_nlink, found.st_ino, uid, gid, found.st_rdev & 0x7FFFFFFF, 0)
    for ns in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns, min(found.st_mtime_ns, found.st_ctime_ns)):
        data += struct.pack("<qq", *time(ns))
    data += struct.pack("<qqiIIiqq", found.st_size, found.st_blocks, 4096, 0, 0, 0, 0, 0)
    Host.machine.write(at_, data)


def _stat(folder, path, buffer, follow):
    walk = there(at(folder, path, follow=follow))
    require("file-read-metadata", walk)
    put_stat(walk.found, walk.path, buffer)


@call("_stat")
def _(path, buffer):
    _stat(-2, path, buffer, True)


@call("_lstat")
def _(path, buffer):
    _stat(-2, path, buffer, False)


@call("_fstatat")
def _(folder, path, buffer, flags):
    # AT_SYMLINK_NOFOLLOW
    _stat(folder, path, buffer, not flags & 0x20)


@call("_fstat")
def _(fd, buffer):
    fd = i32(fd)
    found = os.fstat(fd)
    path = ""
    if not (stat.S_ISSOCK(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
        try:
            path = Host.tree.of_descriptor(fd)
        except Refused:
            path = ""
        if path and Host.policy.confined:
            require("file-read-metadata", Host.tree.walk(path, follow=False))
    put_stat(found, path, buffer)


@call("_access")
def _(path, mode):
    walk = there(Host.tree.walk(Host.machine.text(path)))
    mode = i32(mode)
    if mode == 0:
        require("file-test-existence", walk)
    for bit, operation in ((4, "file-read-data"), (2, "file-write-data"), (1, "process-exec*")):
        if mode & bit:
            require(operation, walk)
    from ..tree import Tree, may

    if mode & 2 and Tree.is_sealed(walk.path):
        raise Refused("EROFS")
    if mode and not may(walk.found, walk.path, mode & 7) and not walk.path.startswith("/dev/"):
        raise Refused("EACCES")


# --- changes ----------------------------------------------------------------------------------------------------------


def _of(fd):
    """A descriptor's file, as a path leads to it."""
    fd = i32(fd)
    os.fstat(fd)
    return there(Host.tree.walk(Host.tree.of_descriptor(fd), follow=False))


def _change(walk, operation, act):
    require(operation, walk)
    changes_object(walk)
    act(walk)


def _mode(mode):
    return lambda walk: os.chmod(walk.host, mode & 0o7777)


@call("_chmod")
def _(path, mode):
    _change(there(Host.tree.walk(Host.machine.text(path))), "file-write-mode", _mode(mode))


@call("_fchmod")
def _(fd, mode):
    _change(_of(fd), "file-write-mode", _mode(mode))


@call("_fchmodat")
def _(folder, path, mode, flags):
    _change(there(at(folder, path, follow=not flags & 0x20)), "file-write-mode", _mode(mode))


def _owned(uid, gid):
    def act(walk):
        if i32(uid) not in (-1, world.UID) or i32(gid) not in (-1, world.GID):
            raise Refused("EPERM")

    return act


@call("_chown")
def _(path, uid, gid):
    _change(there(Host.tree.walk(Host.machine.text(path))), "file-write-owner", _owned(uid, gid))


@call("_lchown")
def _(path, uid, gid):
    _change(there(Host.tree.walk(Host.machine.text(path), follow=False)), "file-write-owner", _owned(uid, gid))


@call("_fchown")
def _(fd, uid, gid):
    _change(_of(fd), "file-write-owner", _owned(uid, gid))


@call("_fchownat")
def _(folder, path, uid, gid, flags):
    _change(there(at(folder, path, follow=not flags & 0x20)), "file-write-owner", _owned(uid, gid))


def _times(buffer):
    """Two `struct timeval`: access and modification; a null pointer means now."""
    if not buffer:
        return lambda walk: os.utime(walk.host, follow_symlinks=False)
    a_s, a_us, _, m_s, m_us, _ = struct.unpack("<qiiqii", Host.machine.read(buffer, 32))
    ns = (a_s * 10**9 + a_us * 1000, m_s * 10**9 + m_us * 1000)
    return lambda walk: os.utime(walk.host, ns=ns, follow_symlinks=False)


@call("_utimes")
def _(path, times):
    _change(there(Host.tree.walk(Host.machine.text(path))), "file-write-times", _times(times))


@call("_lutimes")
def _(path, times):
    _change(there(Host.tree.walk(Host.machine.text(path), follow=False)), "file-write-times", _times(times))


@call("_futimes")
def _(fd, times):
    _change(_of(fd), "file-write-times", _times(times))


@call("_utimensat")
def _(folder, path, times, flags):
    walk = there(at(folder, path, follow=not flags & 0x20))
    if not times:
        return _change(walk, "file-write-times", _times(0))
    a_s, a_ns, m_s, m_ns = struct.unpack("<qqqq", Host.machine.read(times, 32))
    ns = (a_s * 10**9 + a_ns, m_s * 10**9 + m_ns)
    return _change(walk, "file-write-times", lambda walk: os.utime(walk.host, ns=ns, follow_symlinks=False))


# --- extended attributes ----------------------------------------------------------------------------------------------

#: This host lets users have attributes of one name space; not of links.
PREFIX = b"user.darwin."


def _attributes(walk):
    if walk.is_link():
        return []
    return sorted(name for name in (os.fsencode(one) for one in os.listxattr(walk.host)) if name.startswith(PREFIX))


def _xattr_walk(path, options):
    # XATTR_NOFOLLOW
    return there(Host.tree.walk(Host.machine.text(path), follow=not i32(options) & 1))


def _get(walk, name, buffer, size):
    require("file-read-xattr", walk)
    name = PREFIX + Host.machine.text(name)
    if name not in _attributes(walk):
        raise Refused("ENOATTR")
    value = os.getxattr(walk.host, name)
    if buffer:
        if len(value) > size:
            raise Refused("ERANGE")
        Host.machine.write(buffer, value)
    return len(value)


def _set(walk, name, value, size, options):
    require("file-write-xattr", walk)
    changes_object(walk)
    # XATTR_CREATE and XATTR_REPLACE
    flags = (os.XATTR_CREATE if options & 2 else 0) | (os.XATTR_REPLACE if options & 4 else 0)
    os.setxattr(walk.host, PREFIX + Host.machine.text(name), Host.machine.read(value, size) if size else b"", flags)


def _list(walk, buffer, size):
    require("file-read-xattr", walk)
    data = b"".join(name[len(PREFIX) :] + b"\0" for name in _attributes(walk))
    if buffer:
        if len(data) > size:
            raise Refused("ERANGE")
        Host.machine.write(buffer, data)
    return len(data)


def _unset(walk, name):
    require("file-write-xattr", walk)
    changes_object(walk)
    os.removexattr(walk.host, PREFIX + Host.machine.text(name))


@call("_getxattr")
def _(path, name, buffer, size, position, options):
    return _get(_xattr_walk(path, options), name, buffer, size)


@call("_fgetxattr")
def _(fd, name, buffer, size, position, options):
    return _get(_of(fd), name, buffer, size)


@call("_setxattr")
def _(path, name, value, size, position, options):
    _set(_xattr_walk(path, options), name, value, size, options)


@call("_fsetxattr")
def _(fd, name, value, size, position, options):
    _set(_of(fd), name, value, size, options)


@call("_listxattr")
def _(path, buffer, size, options):
    return _list(_xattr_walk(path, options), buffer, size)


@call("_flistxattr")
def _(fd, buffer, size, options):
    return _list(_of(fd), buffer, size)


@call("_removexattr")
def _(path, name, options):
    _unset(_xattr_walk(path, options), name)


@call("_fremovexattr")
def _(fd, name, options):
    _unset(_of(fd), name)


# --- attribute lists --------------------------------------------------------------------------------------------------

NAME, OBJECT_TYPE, MODIFICATION_TIME, FLAGS = 0x1, 0x8, 0x400, 0x4_0000
FILE_TOTAL_SIZE = 0x2


@call("_getattrlist")
def _(path, list_, buffer, size, options):
    # struct attrlist (sys/attr.h): count of bit maps, then common, volume, folder, file and fork attributes.
    count, _, common, volume, folder, file, fork = struct.unpack("<HHIIIII", Host.machine.read(list_, 24))
    if count != 5:
        raise Refused("EINVAL")
    walk = there(Host.tree.walk(Host.machine.text(path), follow=not options & 1))
    require("file-read-metadata", walk)
    if volume or folder or fork or common & ~(NAME | OBJECT_TYPE | MODIFICATION_TIME | FLAGS) or file & ~FILE_TOTAL_SIZE:
        raise RuntimeError(f"attributes {common:#x}, {volume:#x}, {folder:#x}, {file:#x}, {fork:#x} are not in the double")
    fixed, variable = b"", b""
    if common & NAME:
        name = os.fsencode(walk.path.rsplit("/", 1)[1] or "/") + b"\0"
        reference = len(fixed)
        fixed += bytes(8)
        variable = name + bytes(-len(name) % 4)
    if common & OBJECT_TYPE:
        kinds = {stat.S_IFREG: 1, stat.S_IFDIR: 2, stat.S_IFLNK: 5, stat.S_IFIFO: 7, stat.S_IFSOCK: 6}
        fixed += struct.pack("<I", kinds.get(stat.S_IFMT(walk.found.st_mode), 0))
    if common & MODIFICATION_TIME:
        fixed += struct.pack("<qq", walk.found.st_mtime_ns // 10**9, walk.found.st_mtime_ns % 10**9)
    if common & FLAGS:
        fixed += struct.pack("<I", 0)
    if file & FILE_TOTAL_SIZE:
        if walk.is_folder():
            raise Refused("EINVAL")
        fixed += struct.pack("<q", walk.found.st_size)
    if common & NAME:
        # `attrreference_t`: from itself to the text, and the text's length with its NUL.
        fixed = struct.pack("<iI", len(fixed) - reference, len(name)) + fixed[8:]
    data = struct.pack("<I", 4 + len(fixed) + len(variable)) + fixed + variable
    Host.machine.write(buffer, data[:size])


@call("_setattrlist")
def _(path, list_, buffer, size, options):
    count, _, common, volume, folder, file, fork = struct.unpack("<HHIIIII", Host.machine.read(list_, 24))
    if count != 5 or volume or folder or file or fork:
        raise Refused("EINVAL")
    walk = there(Host.tree.walk(Host.machine.text(path), follow=not options & 1))
    if common == MODIFICATION_TIME:
        if size < 16:
            raise Refused("EINVAL")
        seconds, nanoseconds = struct.unpack("<qq", Host.machine.read(buffer, 16))
        ns = seconds * 10**9 + nanoseconds
        _change(walk, "file-write-times", lambda walk: os.utime(walk.host, ns=(ns, ns), follow_symlinks=False))
    elif common == FLAGS:
        _change(walk, "file-write-flags", lambda walk: None)
    else:
        # Names and types cannot be set.
        raise Refused("EINVAL")


def _set_by_descriptor(fd, list_, buffer, size):
    count, _, common, *rest = struct.unpack("<HHIIIII", Host.machine.read(list_, 24))
    if count != 5 or any(rest):
        raise Refused("EINVAL")
    # std sets creation (0x200), modification and access (0x1000) time so.
    values = [
        struct.unpack("<qq", Host.machine.read(buffer + 16 * n, 16))
        for n in range(sum(1 for bit in (0x200, 0x400, 0x1000) if common & bit))
    ]
    found, times = os.fstat(fd), dict(zip([bit for bit in (0x200, 0x400, 0x1000) if common & bit], values))

    def ns(bit, now):
        return times[bit][0] * 10**9 + times[bit][1] if bit in times else now

    os.utime(fd, ns=(ns(0x1000, found.st_atime_ns), ns(0x400, found.st_mtime_ns)))


@call("_fsetattrlist")
def _(fd, list_, buffer, size, options):
    walk = _of(fd)
    _change(walk, "file-write-times", lambda walk: _set_by_descriptor(i32(fd), list_, buffer, size))


@call("_searchfs")
def _(path, block, matches, script, options, state):
    walk = there(Host.tree.walk(Host.machine.text(path)))
    require("file-search", walk)
    Host.machine.put64(matches, 0)
    # The catalogue is not ours to search: a volume that has changed answers so (searchfs(2)), and the policy let it through.
    raise Refused("EBUSY")


# --- file systems -----------------------------------------------------------------------------------------------------


@call("_fstatfs")
def _(fd, buffer):
    _put_statfs(os.fstatvfs(i32(fd)), buffer)


def _put_statfs(found, buffer):
    """`struct statfs` of sys/mount.h with 64-bit inodes: 2168 bytes."""
    data = struct.pack("<IiQQQQQ", found.f_frsize, found.f_bsize, found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree)
    data += struct.pack("<iiIIII", world.DEVICE, 26, 0, 26, 0, 0)
    data += b"apfs".ljust(16, b"\0") + b"/System/Volumes/Data".ljust(1024, b"\0") + b"/dev/disk3s5".ljust(1024, b"\0")
    Host.machine.write(buffer, data.ljust(2168, b"\0"))


@call("_fstatvfs")
def _(fd, buffer):
    # struct statvfs (sys/statvfs.h): two longs, three 32-bit block counts, three of files, then longs.
    found = os.fstatvfs(i32(fd))
    cut = lambda value: min(value, 0xFFFFFFFF)  # noqa: E731
    data = struct.pack("<QQ6IQQQ", found.f_bsize, found.f_frsize, cut(found.f_blocks), cut(found.f_bfree), cut(found.f_bavail),
                       cut(found.f_files), cut(found.f_ffree), cut(found.f_favail), 0, 0, 255)  # fmt: skip
    Host.machine.write(buffer, data)
