"""Descriptors and the entries of folders: bsd/vfs/vfs_syscalls.c of xnu, in the order in which it checks.

A lookup's own errors come first, then the policy, then permissions.
"""

import fcntl
import os
import select
import stat
import struct
import threading
import time

from .. import world
from ..calls import MINUS_ONE, Host, Refused, call, darwin_number, failed, plain, stops
from ..machine import Block, Quit, i32, i64
from ..tree import Tree, may, owner

AT_FDCWD = -2
#: Descriptors of the double's own lie here, out of the program's sight.
OWN_FDS = 700

O_ACCMODE, O_NONBLOCK, O_APPEND, O_NOFOLLOW, O_CREAT, O_TRUNC, O_EXCL = 3, 4, 8, 0x100, 0x200, 0x400, 0x800
O_SHLOCK, O_EXLOCK, O_NOCTTY, O_DIRECTORY, O_SYMLINK, O_CLOEXEC = 0x10, 0x20, 0x20000, 0x100000, 0x200000, 0x1000000
FLAGS = {
    O_NONBLOCK: os.O_NONBLOCK, O_APPEND: os.O_APPEND, O_NOFOLLOW: os.O_NOFOLLOW, O_CREAT: os.O_CREAT, O_TRUNC: os.O_TRUNC,
    O_EXCL: os.O_EXCL, O_DIRECTORY: os.O_DIRECTORY, O_NOCTTY: os.O_NOCTTY,
}  # fmt: skip
F_GETPATH, F_GETPATH_NOFIRMLINK, F_FULLFSYNC, F_BARRIERFSYNC, F_DUPFD_CLOEXEC, F_SETNOSIGPIPE = 50, 102, 51, 85, 67, 73


def vnode_type(walk):
    if walk.found is None:
        return None
    kinds = {
        stat.S_IFREG: "REGULAR-FILE", stat.S_IFDIR: "DIRECTORY", stat.S_IFLNK: "SYMLINK", stat.S_IFIFO: "FIFO",
        stat.S_IFCHR: "CHARACTER-DEVICE", stat.S_IFBLK: "BLOCK-DEVICE", stat.S_IFSOCK: "SOCKET",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(walk.found.st_mode))


def require(operation, walk):
    """Asks the policy about what a path led to."""
    mode = None if walk.found is None else stat.S_IMODE(walk.found.st_mode)
    Host.policy.require(operation, walk.path, vnode_type(walk), mode=mode)


def base_of(fd):
    """The folder that a path is relative to."""
    fd = i32(fd)
    if fd == AT_FDCWD:
        return None
    os.fstat(fd)
    return Host.tree.of_descriptor(fd)


def at(fd, path, **how):
    text = Host.machine.text(path)
    return Host.tree.walk(text, base=None if text.startswith(b"/") else base_of(fd), **how)


def there(walk):
    if walk.found is None:
        raise Refused("ENOENT")
    return walk


def changes_folder(walk):
    """What permissions say to making or removing an entry."""
    if Tree.is_sealed(walk.path):
        raise Refused("EROFS")
    folder = Host.tree.parent(walk)
    if not may(folder.found, folder.path, 0o3):
        raise Refused("EACCES")


def changes_object(walk):
    """What permissions say to changing an object's metadata: its owner may."""
    if Tree.is_sealed(walk.path):
        raise Refused("EROFS")
    if owner(walk.found, walk.path) != world.UID:
        raise Refused("EPERM")


def inheritable(fd, flags):
    if not flags & O_CLOEXEC:
        os.set_inheritable(fd, True)
    return fd


# --- open -------------------------------------------------------------------------------------------------------------


def opened(base, path, flags, mode):
    access = flags & O_ACCMODE
    follow = not flags & (O_NOFOLLOW | O_SYMLINK) and flags & (O_CREAT | O_EXCL) != (O_CREAT | O_EXCL)
    walk = Host.tree.walk(path, follow=follow, make=bool(flags & O_CREAT), base=base)
    if walk.found is None:
        if not flags & O_CREAT:
            raise Refused("ENOENT")
        require("file-write-create", walk)
        changes_folder(walk)
    else:
        if flags & (O_CREAT | O_EXCL) == (O_CREAT | O_EXCL):
            raise Refused("EEXIST")
        if walk.is_link() and flags & O_NOFOLLOW:
            raise Refused("ELOOP")
        if walk.is_folder() and access:
            raise Refused("EISDIR")
        if flags & O_DIRECTORY and not walk.is_folder():
            raise Refused("ENOTDIR")
        reads, writes = access in (0, 2), access in (1, 2) or bool(flags & O_TRUNC)
        # `vn_open_auth`: one hook with both directions; each is an operation of its own.
        if reads:
            require("file-read-data", walk)
        if writes:
            require("file-write-data", walk)
        device = walk.path.startswith("/dev/")
        if not device and reads and not may(walk.found, walk.path, 0o4):
            raise Refused("EACCES")
        if not device and writes:
            if Tree.is_sealed(walk.path):
                raise Refused("EROFS")
            if not may(walk.found, walk.path, 0o2):
                raise Refused("EACCES")
    host = access | sum(there for here, there in FLAGS.items() if flags & here and here != O_NOFOLLOW)
    if stat.S_ISFIFO(walk.found.st_mode if walk.found else 0) and not flags & O_NONBLOCK:
        return _open_fifo(walk, host, flags)
    fd = os.open(walk.host, host | os.O_NOFOLLOW, mode & 0o7777)
    if flags & (O_SHLOCK | O_EXLOCK):
        fcntl.flock(fd, (fcntl.LOCK_EX if flags & O_EXLOCK else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    return inheritable(fd, flags)


def _open_fifo(walk, host, flags):
    """An opening that waits for the other end lets other threads of the program run meanwhile."""
    outcome = []

    def wait():
        try:
            outcome.append(os.open(walk.host, host))
        except OSError as error:
            outcome.append(error)

    threading.Thread(target=wait, daemon=True).start()

    def done():
        if isinstance(outcome[0], OSError):
            raise outcome[0]
        return inheritable(outcome[0], flags)

    raise Block(lambda: bool(outcome), lambda: numbered(done), until=None)


@call("_open")
def _(path, flags):
    return opened(None, Host.machine.text(path), i32(flags), Host.machine.argument(0))


@call("_openat")
def _(folder, path, flags):
    text = Host.machine.text(path)
    base = None if text.startswith(b"/") else base_of(folder)
    return opened(base, text, i32(flags), Host.machine.argument(0))


def _not_guarded(fd):
    """`fd_guard_ast` (bsd/kern/kern_guarded.c): whoever closes or replaces a descriptor that is guarded is ended."""
    if fd in Host.process.guarded:
        raise Quit(signo=9)


@call("_close")
def _(fd):
    fd = i32(fd)
    if fd >= OWN_FDS:
        raise Refused("EBADF")
    _not_guarded(fd)
    os.close(fd)
    Host.process.forget(fd)


# --- reading and writing ----------------------------------------------------------------------------------------------


def waits(fd, events):
    """Whether a call on the descriptor would have to wait."""
    if not os.get_blocking(fd):
        return False
    kind = os.fstat(fd).st_mode
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISBLK(kind):
        return False
    poller = select.poll()
    poller.register(fd, events)
    return not poller.poll(0)


def when_ready(fd, events, act):
    """Does it, once it does not have to wait; other threads run meanwhile."""
    if not waits(fd, events):
        return act()

    def again():
        if waits(fd, events):
            raise Block(lambda: not waits(fd, events), again, fds=[(fd, events)])
        return numbered(act)

    raise Block(lambda: not waits(fd, events), again, fds=[(fd, events)])


def numbered(act):
    """Errors of a call that had waited are given as the table gives them."""
    try:
        result = act()
        return 0 if result is None else result
    except Refused as refused:
        return failed(MINUS_ONE, refused.number)
    except OSError as error:
        return failed(MINUS_ONE, darwin_number(error))


def _read(fd, buffer, size, name):
    fd = i32(fd)
    size = Host.faults.short(name, size)

    def act():
        data = os.read(fd, min(size, 1 << 26))
        Host.machine.write(buffer, data)
        return len(data)

    if fd >= OWN_FDS:
        raise Refused("EBADF")
    return when_ready(fd, select.POLLIN | select.POLLHUP, act)


@call("_read")
def _(fd, buffer, size):
    return _read(fd, buffer, size, "_read")


@call("_write")
def _(fd, buffer, size):
    fd = i32(fd)
    if fd >= OWN_FDS:
        raise Refused("EBADF")
    size = Host.faults.short("_write", size)
    data = Host.machine.read(buffer, size) if size else b""
    kind = os.fstat(fd).st_mode
    if stat.S_ISREG(kind) or not os.get_blocking(fd):
        return os.write(fd, data)
    return _write_all(fd, data)


def _write_all(fd, data):
    """A write that waits writes everything; a part at a time here, so that others can run."""
    sent = 0

    def attempt():
        nonlocal sent
        while sent < len(data):
            if waits(fd, select.POLLOUT):
                raise Block(lambda: not waits(fd, select.POLLOUT), lambda: numbered(attempt), fds=[(fd, select.POLLOUT)])
            os.set_blocking(fd, False)
            try:
                sent += os.write(fd, data[sent : sent + 65536])
            except BlockingIOError:
                raise Block(lambda: True, lambda: numbered(attempt), until=time.monotonic() + 0.002) from None
            finally:
                os.set_blocking(fd, True)
        return sent

    if not data:
        return os.write(fd, b"")
    return attempt()


def vectors(at_, count):
    return [struct.unpack("<QQ", Host.machine.read(at_ + 16 * n, 16)) for n in range(count)]


@call("_readv")
def _(fd, list_, count):
    fd, parts = i32(fd), vectors(list_, i32(count))
    total = Host.faults.short("_readv", sum(size for _, size in parts))

    def act():
        data = os.read(fd, total)
        left = data
        for at_, size in parts:
            Host.machine.write(at_, left[:size])
            left = left[size:]
        return len(data)

    return when_ready(fd, select.POLLIN | select.POLLHUP, act)


@call("_writev")
def _(fd, list_, count):
    data = b"".join(Host.machine.read(at_, size) for at_, size in vectors(list_, i32(count)) if size)
    fd = i32(fd)
    if stat.S_ISREG(os.fstat(fd).st_mode) or not os.get_blocking(fd):
        return os.write(fd, data[: Host.faults.short("_writev", len(data))])
    return _write_all(fd, data)


@call("_pread")
def _(fd, buffer, size, offset):
    data = os.pread(i32(fd), Host.faults.short("_pread", size), i64(offset))
    Host.machine.write(buffer, data)
    return len(data)


@call("_pwrite")
def _(fd, buffer, size, offset):
    return os.pwrite(i32(fd), Host.machine.read(buffer, size) if size else b"", i64(offset))


@call("_lseek")
def _(fd, offset, whence):
    return os.lseek(i32(fd), i64(offset), i32(whence))


@call("_fsync")
def _(fd):
    os.fsync(i32(fd))


plain("_sync")


@call("_ftruncate")
def _(fd, size):
    os.ftruncate(i32(fd), i64(size))


@call("_truncate")
def _(path, size):
    walk = there(Host.tree.walk(Host.machine.text(path)))
    require("file-write-data", walk)
    if walk.is_folder():
        raise Refused("EISDIR")
    if Tree.is_sealed(walk.path):
        raise Refused("EROFS")
    if not may(walk.found, walk.path, 0o2):
        raise Refused("EACCES")
    os.truncate(walk.host, i64(size))


@call("_dup")
def _(fd):
    new = os.dup(i32(fd))
    os.set_inheritable(new, True)
    return new


@call("_dup2")
def _(fd, to):
    if i32(to) >= OWN_FDS:
        raise Refused("EBADF")
    _not_guarded(i32(to))
    return os.dup2(i32(fd), i32(to))


@call("_pipe")
def _(ends):
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    os.set_inheritable(writing, True)
    Host.machine.write(ends, struct.pack("<ii", reading, writing))


@call("_flock")
def _(fd, how):
    fd, how = i32(fd), i32(how)

    def attempt():
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if how & fcntl.LOCK_NB:
                raise
            raise Block(lambda: True, lambda: numbered(attempt), until=time.monotonic() + 0.01) from None
        return 0

    return attempt()


@call("_fcntl")
def _(fd, command):
    fd, command, argument = i32(fd), i32(command), Host.machine.argument(0)
    if fd < 0 or fd >= OWN_FDS:
        raise Refused("EBADF")
    os.fstat(fd)
    if command in (0, F_DUPFD_CLOEXEC):
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC if command else fcntl.F_DUPFD, i32(argument))
    if command == 1:
        return fcntl.fcntl(fd, fcntl.F_GETFD) & 1
    if command == 2:
        fcntl.fcntl(fd, fcntl.F_SETFD, argument & 1)
        return 0
    if command == 3:
        host = fcntl.fcntl(fd, fcntl.F_GETFL)
        return host & 3 | (O_NONBLOCK if host & os.O_NONBLOCK else 0) | (O_APPEND if host & os.O_APPEND else 0)
    if command == 4:
        host = (os.O_NONBLOCK if argument & O_NONBLOCK else 0) | (os.O_APPEND if argument & O_APPEND else 0)
        fcntl.fcntl(fd, fcntl.F_SETFL, host)
        return 0
    if command in (F_FULLFSYNC, F_BARRIERFSYNC):
        os.fsync(fd)
        return 0
    if command in (F_GETPATH, F_GETPATH_NOFIRMLINK):
        path = Host.tree.of_descriptor(fd)
        if command == F_GETPATH_NOFIRMLINK:
            path = Host.tree.on_data_volume(path)
        # PATH_MAX bytes are taken for granted.
        Host.machine.write(argument, os.fsencode(path)[:1023] + b"\0")
        return 0
    if command == F_SETNOSIGPIPE:
        return 0
    raise RuntimeError(f"fcntl command {command} is not in the double")


FIOCLEX, FIONBIO, TIOCGWINSZ, FIONREAD = 0x20006601, 0x8004667E, 0x40087468, 0x4004667F


@call("_ioctl")
def _(fd, request):
    fd, argument = i32(fd), Host.machine.argument(0)
    request &= 0xFFFFFFFF
    os.fstat(fd)
    if request == FIOCLEX:
        os.set_inheritable(fd, False)
        return 0
    if request == FIONBIO:
        os.set_blocking(fd, not Host.machine.u32(argument))
        return 0
    if request == TIOCGWINSZ:
        path = ""
        try:
            path = Host.tree.of_descriptor(fd)
        except Refused:
            raise Refused("ENOTTY") from None
        Host.policy.require("file-ioctl", path)
        if not os.isatty(fd):
            # Of a device: its driver knows no such request. Of a file: there is no driver.
            raise Refused("ENODEV" if path in ("/dev/null", "/dev/zero") else "ENOTTY")
        Host.machine.write(argument, struct.pack("<4H", 24, 80, 0, 0))
        return 0
    raise Refused("ENOTTY")


@call("_isatty", fails="null")
def _(fd):
    if not os.isatty(i32(fd)):
        raise Refused("ENOTTY")
    return 1


# --- entries ----------------------------------------------------------------------------------------------------------


def _made(folder, path, host_make, mode=0):
    walk = at(folder, path, follow=False, make=True)
    if walk.found is not None:
        raise Refused("EEXIST")
    require("file-write-create", walk)
    changes_folder(walk)
    host_make(walk)


@call("_mkdir")
def _(path, mode):
    _made(AT_FDCWD, path, lambda walk: os.mkdir(walk.host, mode & 0o7777))


@call("_mkdirat")
def _(folder, path, mode):
    _made(folder, path, lambda walk: os.mkdir(walk.host, mode & 0o7777))


@call("_mkfifo")
def _(path, mode):
    _made(AT_FDCWD, path, lambda walk: os.mkfifo(walk.host, mode & 0o7777))


@call("_mknod")
def _(path, mode, device):
    raise Refused("EPERM")


@call("_symlink")
def _(text, path):
    _made(AT_FDCWD, path, lambda walk: os.symlink(Host.machine.text(text), os.fsencode(walk.host)))


@call("_symlinkat")
def _(text, folder, path):
    _made(folder, path, lambda walk: os.symlink(Host.machine.text(text), os.fsencode(walk.host)))


def _remove(folder, path, is_folder):
    walk = there(at(folder, path, follow=False))
    if walk.is_folder() != is_folder:
        raise Refused("ENOTDIR" if is_folder else "EPERM")
    require("file-write-unlink", walk)
    changes_folder(walk)
    (os.rmdir if is_folder else os.unlink)(walk.host)


@call("_unlink")
def _(path):
    _remove(AT_FDCWD, path, False)


@call("_rmdir")
def _(path):
    _remove(AT_FDCWD, path, True)


@call("_unlinkat")
def _(folder, path, flags):
    # AT_REMOVEDIR
    _remove(folder, path, bool(flags & 0x80))


def _renamed(from_folder, from_, to_folder, to):
    old = there(at(from_folder, from_, follow=False))
    new = at(to_folder, to, follow=False, make=True)
    require("file-write-unlink", old)
    if new.found is not None:
        require("file-write-unlink", new)
    # `mac_vnode_check_rename`: the second end is an entry that is made.
    Host.policy.require("file-write-create", new.path, vnode_type(old))
    changes_folder(old)
    changes_folder(new)
    os.rename(old.host, new.host)


@call("_rename")
def _(from_, to):
    _renamed(AT_FDCWD, from_, AT_FDCWD, to)


@call("_renameat")
def _(from_folder, from_, to_folder, to):
    _renamed(from_folder, from_, to_folder, to)


def _linked(from_folder, from_, to_folder, to, follow):
    old = there(at(from_folder, from_, follow=follow))
    if old.is_folder():
        raise Refused("EPERM")
    new = at(to_folder, to, follow=False, make=True)
    if new.found is not None:
        raise Refused("EEXIST")
    require("file-link", old)
    Host.policy.require("file-write-create", new.path, vnode_type(old))
    changes_folder(new)
    os.link(old.host, new.host, follow_symlinks=False)


@call("_link")
def _(from_, to):
    _linked(AT_FDCWD, from_, AT_FDCWD, to, True)


@call("_linkat")
def _(from_folder, from_, to_folder, to, flags):
    # AT_SYMLINK_FOLLOW
    _linked(from_folder, from_, to_folder, to, bool(flags & 0x40))


def _cloned(old, to_folder, to):
    new = at(to_folder, to, follow=False, make=True)
    if new.found is not None:
        raise Refused("EEXIST")
    require("file-clone", old)
    Host.policy.require("file-write-create", new.path, vnode_type(old))
    changes_folder(new)
    if not stat.S_ISREG(old.found.st_mode):
        raise Refused("EINVAL")
    with open(old.host, "rb") as source, open(new.host, "xb") as target:
        target.write(source.read())
    os.chmod(new.host, stat.S_IMODE(old.found.st_mode))
    os.utime(new.host, ns=(old.found.st_atime_ns, old.found.st_mtime_ns))


@call("_clonefile")
def _(from_, to, flags):
    # CLONE_NOFOLLOW
    _cloned(there(Host.tree.walk(Host.machine.text(from_), follow=not flags & 1)), AT_FDCWD, to)


@call("_fclonefileat")
def _(fd, to_folder, to, flags):
    _cloned(there(Host.tree.walk(Host.tree.of_descriptor(i32(fd)))), to_folder, to)


@call("_readlink")
def _(path, buffer, size):
    return _link_text(AT_FDCWD, path, buffer, size)


@call("_readlinkat")
def _(folder, path, buffer, size):
    return _link_text(folder, path, buffer, size)


def _link_text(folder, path, buffer, size):
    walk = there(at(folder, path, follow=False))
    require("file-read-metadata", walk)
    if not walk.is_link():
        raise Refused("EINVAL")
    text = os.readlink(os.fsencode(walk.host))[:size]
    Host.machine.write(buffer, text)
    return len(text)


@call("_realpath$DARWIN_EXTSN", fails="null")
def _(path, buffer):
    walk = there(Host.tree.walk(Host.machine.text(path)))
    require("file-read-metadata", walk)
    text = os.fsencode(walk.path) + b"\0"
    if not buffer:
        return Host.machine.new(text)
    Host.machine.write(buffer, text)
    return buffer


@call("_chdir")
def _(path):
    walk = there(Host.tree.walk(Host.machine.text(path)))
    if not walk.is_folder():
        raise Refused("ENOTDIR")
    os.chdir(walk.host)


@call("_fchdir")
def _(fd):
    os.fchdir(i32(fd))


@call("_getcwd", fails="null")
def _(buffer, size):
    text = os.fsencode(Host.tree.folder()) + b"\0"
    if buffer and len(text) > size:
        raise Refused("ERANGE")
    if not buffer:
        return Host.machine.new(text)
    Host.machine.write(buffer, text)
    return buffer


@call("_umask")
def _(mask):
    return os.umask(mask & 0o777)


# --- folders ----------------------------------------------------------------------------------------------------------


class Folder:
    def __init__(self, fd):
        self.fd = fd
        self.entry = Host.machine.malloc(1064)
        self.rewind()

    def rewind(self):
        self.names = [b".", b".."] + sorted(os.fsencode(name) for name in os.listdir(self.fd))
        self.at = 0

    def next(self, buffer):
        if self.at >= len(self.names):
            return False
        name = self.names[self.at]
        self.at += 1
        kind, number = 0, 1
        try:
            found = os.lstat(name, dir_fd=self.fd)
            kinds = {stat.S_IFDIR: 4, stat.S_IFREG: 8, stat.S_IFLNK: 10, stat.S_IFIFO: 1, stat.S_IFSOCK: 12, stat.S_IFCHR: 2}
            kind, number = kinds.get(stat.S_IFMT(found.st_mode), 0), found.st_ino
        except OSError:
            pass
        # struct dirent (sys/dirent.h): inode, seek offset, record's length, name's length, kind, name.
        Host.machine.write(buffer, struct.pack("<QQHHB", number, self.at, 1048, len(name), kind) + name + b"\0")
        return True


FOLDERS = {}


def _opened_folder(fd):
    handle = Host.machine.malloc(64)
    FOLDERS[handle] = Folder(fd)
    return handle


@call("_opendir", fails="null")
def _(path):
    return _opened_folder(opened(None, Host.machine.text(path), O_DIRECTORY | O_CLOEXEC, 0))


@call("_fdopendir", fails="null")
def _(fd):
    if not stat.S_ISDIR(os.fstat(i32(fd)).st_mode):
        raise Refused("ENOTDIR")
    return _opened_folder(i32(fd))


@call("_readdir", fails="null")
def _(handle):
    folder = FOLDERS[handle]
    return folder.entry if folder.next(folder.entry) else 0


@call("_readdir_r", fails="number")
def _(handle, buffer, result):
    Host.machine.put64(result, buffer if FOLDERS[handle].next(buffer) else 0)


@call("_dirfd")
def _(handle):
    return FOLDERS[handle].fd


@call("_rewinddir", fails="never")
def _(handle):
    FOLDERS[handle].rewind()


@call("_closedir")
def _(handle):
    folder = FOLDERS.pop(handle)
    os.close(folder.fd)
    Host.machine.free(handle)


# --- copying ----------------------------------------------------------------------------------------------------------

STATES = {}


@call("_copyfile_state_alloc", fails="null")
def _():
    handle = Host.machine.malloc(64)
    STATES[handle] = 0
    return handle


@call("_copyfile_state_free")
def _(handle):
    STATES.pop(handle, None)
    Host.machine.free(handle)


@call("_copyfile_state_get")
def _(handle, flag, at_):
    # COPYFILE_STATE_COPIED
    if i32(flag) != 8:
        raise Refused("EINVAL")
    Host.machine.put64(at_, STATES[handle])


@call("_fcopyfile")
def _(from_, to, state, flags):
    from_, to, copied = i32(from_), i32(to), 0
    while data := os.read(from_, 1 << 20):
        os.write(to, data)
        copied += len(data)
    # COPYFILE_STAT of COPYFILE_METADATA
    if flags & 2:
        os.fchmod(to, stat.S_IMODE(os.fstat(from_).st_mode))
    if state in STATES:
        STATES[state] = copied


stops("no privilege of this kind is used", "_chroot")


FORGOTTEN_ON_EXEC = ("FOLDERS", "STATES")
