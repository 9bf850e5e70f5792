"""What the system says of itself, environment, users, and the loader."""

import os
import struct

from .. import world
from ..calls import Host, Refused, call, stops
from ..machine import i32

# --- kernel -----------------------------------------------------------------------------------------------------------


@call("_sysctlbyname")
def _(name, buffer, length, new, new_length):
    text = Host.machine.text(name)
    value = world.SYSCTL.get(text)
    if value is None:
        raise Refused("ENOENT")
    if new:
        raise Refused("EPERM")
    Host.policy.require("sysctl-read", text.decode())
    if buffer:
        room = Host.machine.u64(length)
        Host.machine.write(buffer, value[:room])
        Host.machine.put64(length, min(room, len(value)))
        if room < len(value):
            raise Refused("ENOMEM")
    else:
        Host.machine.put64(length, len(value))


@call("_uname")
def _(at):
    # struct utsname: five texts of 256 bytes.
    for n, text in enumerate((b"Darwin", world.HOST_NAME, world.KERNEL_RELEASE, world.KERNEL_VERSION, b"arm64")):
        Host.machine.write(at + 256 * n, text + b"\0")


@call("_gethostname")
def _(at, size):
    Host.machine.write(at, (world.HOST_NAME + b"\0")[:size])


@call("_sysconf")
def _(name):
    # _SC_PAGESIZE, _SC_NPROCESSORS_CONF and _ONLN, _SC_GETPW_R_SIZE_MAX, _SC_GETGR_R_SIZE_MAX, _SC_HOST_NAME_MAX,
    # _SC_ARG_MAX, _SC_OPEN_MAX, _SC_IOV_MAX (unistd.h)
    known = {29: 16384, 57: 2, 58: 2, 71: 4096, 70: 4096, 72: 255, 1: 1048576, 5: 2560, 56: 1024}
    if i32(name) not in known:
        raise Refused("EINVAL")
    return known[i32(name)]


@call("_confstr", fails="null")
def _(name, buffer, size):
    # _CS_DARWIN_USER_TEMP_DIR
    if i32(name) != 65537:
        raise Refused("EINVAL")
    text = world.TEMPORARY + b"\0"
    if buffer and size:
        Host.machine.write(buffer, text[:size])
    return len(text)


# --- environment ------------------------------------------------------------------------------------------------------


class Surroundings:
    """Arguments and environment, as the loader lays them out."""

    def __init__(self, machine, argv, environment):
        self.machine, self.variables = machine, dict(environment)
        self.arguments = [machine.new(os.fsencode(word) + b"\0") for word in argv]
        self.argv = machine.new(struct.pack(f"<{len(argv) + 1}Q", *self.arguments, 0))
        self.argc = machine.new(struct.pack("<iI", len(argv), 0))
        self.argv_at = machine.new(struct.pack("<Q", self.argv))
        self.path = os.fsencode(argv[0])
        self.environ_at = machine.new(bytes(8))
        self.values = {}
        self._lay_out()

    def environment(self):
        return {os.fsdecode(key): os.fsdecode(value) for key, value in self.variables.items()}

    def _lay_out(self):
        texts = []
        for key, value in self.variables.items():
            at = self.machine.new(key + b"=" + value + b"\0")
            self.values[key] = at + len(key) + 1
            texts.append(at)
        self.environ = self.machine.new(struct.pack(f"<{len(texts) + 1}Q", *texts, 0))
        self.machine.put64(self.environ_at, self.environ)

    def set(self, key, value):
        self.variables[key] = value
        self._lay_out()

    def unset(self, key):
        self.variables.pop(key, None)
        self.values.pop(key, None)
        self._lay_out()


@call("__NSGetArgc", fails="never")
def _():
    return Host.world.argc


@call("__NSGetArgv", fails="never")
def _():
    return Host.world.argv_at


@call("__NSGetEnviron", fails="never")
def _():
    return Host.world.environ_at


@call("__NSGetExecutablePath", fails="never")
def _(buffer, size):
    text = Host.world.path + b"\0"
    if Host.machine.u32(size) < len(text):
        Host.machine.put32(size, len(text))
        return -1
    Host.machine.write(buffer, text)
    return 0


@call("_getenv", fails="never")
def _(name):
    return Host.world.values.get(Host.machine.text(name), 0)


@call("_setenv")
def _(name, value, overwrite):
    key = Host.machine.text(name)
    if i32(overwrite) or key not in Host.world.variables:
        Host.world.set(key, Host.machine.text(value))


@call("_unsetenv")
def _(name):
    Host.world.unset(Host.machine.text(name))


# --- users ------------------------------------------------------------------------------------------------------------


def _put_user(at, buffer, size, result):
    # struct passwd (pwd.h): name, password, uid, gid, change, class, gecos, directory, shell, expire
    texts, places, blob = [b"double", b"*", b"", b"Darwin Double", world.HOME, b"/bin/zsh"], [], b""
    for text in texts:
        places.append(buffer + len(blob))
        blob += text + b"\0"
    if len(blob) > size:
        raise Refused("ERANGE")
    Host.machine.write(buffer, blob)
    name, password, klass, gecos, home, shell = places
    Host.machine.write(at, struct.pack("<QQIIqQQQQq", name, password, world.UID, world.GID, 0, klass, gecos, home, shell, 0))
    Host.machine.put64(result, at)


@call("_getpwuid_r", fails="number")
def _(uid, at, buffer, size, result):
    Host.machine.put64(result, 0)
    if i32(uid) == world.UID:
        _put_user(at, buffer, size, result)


@call("_getpwnam_r", fails="number")
def _(name, at, buffer, size, result):
    Host.machine.put64(result, 0)
    if Host.machine.text(name) == b"double":
        _put_user(at, buffer, size, result)


# --- the loader -------------------------------------------------------------------------------------------------------

LIBSYSTEM = 0x1111
LIBRARIES = {}
#: What can be found at run time and is not imported, by library.
SYMBOLS = {}


def library(path):
    """A library of the shared cache: it has no file, and loads by its path."""
    handle = LIBRARIES.setdefault(path, 0x2000 + 0x10 * len(LIBRARIES))
    return SYMBOLS.setdefault(handle, set())


@call("_dlopen", fails="never")
def _(path, mode):
    if not path:
        return LIBSYSTEM
    return LIBRARIES.get(Host.machine.text(path).decode(), 0)


@call("_dlsym", fails="never")
def _(handle, name):
    symbol = "_" + Host.machine.text(name).decode()
    hidden = os.environ.get("DARWIN_DOUBLE_WITHOUT", "").split(",")
    if symbol[1:] in hidden:
        return 0
    machine = Host.machine
    outside = set().union(*SYMBOLS.values())
    if handle in SYMBOLS:
        return machine.address(symbol) if symbol in SYMBOLS[handle] else 0
    if symbol in outside or symbol not in machine.table and symbol not in machine.data:
        return 0
    return machine.address(symbol)


@call("_dlclose")
def _(handle):
    return 0


@call("_dlerror", fails="never")
def _():
    return Host.machine.new(b"the double has no such library or symbol\0")


@call("__dyld_image_count", fails="never")
def _():
    return 0


@call("__dyld_get_shared_cache_uuid", fails="never")
def _(at):
    Host.machine.write(at, world.SHARED_CACHE_UUID)
    return 1


@call("_csr_get_active_config")
def _(at):
    Host.machine.put32(at, 0)


@call("__availability_version_check", fails="never")
def _(count, versions):
    # dyld_build_version_t: platform, version as xxxx.yy.zz. The first that is of macOS counts.
    have = sum(int(part) << shift for part, shift in zip(world.VERSION.decode().split("."), (16, 8, 0)))
    return int(all(Host.machine.u32(versions + 8 * n + 4) <= have for n in range(count & 0xFFFFFFFF)))


stops(
    "std looks at images only for backtraces",
    "__dyld_get_image_header", "__dyld_get_image_name", "__dyld_get_image_vmaddr_slide", "dyld_stub_binder",
)  # fmt: skip
stops(
    "nix has functions for terminals; nothing of this program sets one",
    "_cfgetispeed", "_cfgetospeed", "_cfmakeraw", "_tcdrain", "_tcflow", "_tcflush", "_tcgetpgrp", "_tcgetsid", "_tcsendbreak",
    "_tcsetpgrp", "_ttyname_r",
)  # fmt: skip
stops("nothing of this program asks for groups by name", "_getgrgid_r", "_getgrnam_r")
stops("only Mach errors of std have texts, and nothing prints one", "_mach_error_string")


@call("_tcgetattr", "_tcsetattr")
def _(fd):
    os.fstat(i32(fd))
    raise Refused("ENOTTY")
