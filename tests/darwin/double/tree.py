"""Paths: the Mac's root lies in a folder of this host, and is walked here, part by part, as namei does.

The walk is done on the Mac's own names, so that an absolute symbolic link leads where it would lead there. The firmlinks
of macOS (the folders of the Data volume that show up at the root) are one folder under two names.
"""

import os
import stat
from dataclasses import dataclass, field

from . import world
from .calls import Host, Refused

#: Where the Data volume is mounted, and what of it shows up at the root (/usr/share/firmlinks).
DATA = "/System/Volumes/Data"
FIRMLINKS = ("Applications", "Library", "Users", "Volumes", "opt", "private", "cores", "usr/local")
#: Belongs to the system: nobody but root changes it. The first are on the sealed volume, which is mounted read-only.
SEALED = ("/System", "/usr", "/bin", "/sbin")
OTHERS = ("/private/etc", "/Library", "/Applications")
MAX_LINKS = 32
PATH_MAX, NAME_MAX = 1024, 255


@dataclass
class Walk:
    """Where a path leads."""

    #: The resolved path, as the kernel knows it by its firmlinks.
    path: str
    #: The same on this host.
    host: str
    #: What is there, of this host's lstat(2); `None` if nothing is.
    found: os.stat_result = None
    #: The symbolic links on the way, by their own resolved paths.
    crossed: list = field(default_factory=list)

    def is_link(self):
        return self.found is not None and stat.S_ISLNK(self.found.st_mode)

    def is_folder(self):
        return self.found is not None and stat.S_ISDIR(self.found.st_mode)


class Tree:
    def __init__(self, root):
        self.root = os.path.realpath(root)

    def host(self, path):
        """Where a resolved path of the Mac lies here."""
        if path == "/dev" or path.startswith("/dev/"):
            return path
        return self.root + path if path != "/" else self.root

    def guest(self, host):
        """What a place of this host is called on the Mac; `None` if it is not of it."""
        if host == self.root:
            return "/"
        if host.startswith(self.root + "/"):
            return host[len(self.root) :]
        if host == "/dev" or host.startswith("/dev/"):
            return host
        return None

    def of_descriptor(self, fd):
        """The path that the kernel knows an open file by."""
        try:
            host = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            raise Refused("EBADF") from None
        if host.endswith(" (deleted)"):
            raise Refused("ENOENT")
        guest = self.guest(host)
        if guest is None:
            raise Refused("EBADF")
        return guest

    def folder(self):
        return self.guest(os.getcwd()) or "/"

    def on_data_volume(self, path):
        """The path of a file without firmlinks."""
        if path.startswith(DATA) or not any(path == f"/{one}" or path.startswith(f"/{one}/") for one in FIRMLINKS):
            return path
        return DATA + path

    def walk(self, path, follow=True, make=False, base=None):
        """Resolves a path. `follow`: a final link too. `make`: the last part need not be there.

        Errors are those of the lookup: ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EACCES.
        """
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not path:
            raise Refused("ENOENT")
        if len(os.fsencode(path)) >= PATH_MAX:
            raise Refused("ENAMETOOLONG")
        at = "/" if path.startswith("/") else (base if base is not None else self.folder())
        parts = [part for part in path.split("/") if part not in ("", ".")]
        wants_folder = path.endswith("/") or path.endswith("/.")
        crossed, links = [], 0
        found = os.lstat(self.host(at))
        while parts:
            part = parts.pop(0)
            if len(os.fsencode(part)) > NAME_MAX:
                raise Refused("ENAMETOOLONG")
            if not stat.S_ISDIR(found.st_mode):
                raise Refused("ENOTDIR")
            if not may(found, at, 0o1):
                raise Refused("EACCES")
            if part == "..":
                at = at.rsplit("/", 1)[0] or "/"
                found = os.lstat(self.host(at))
                continue
            here = self._join(at, part)
            last = not parts
            try:
                found = os.lstat(self.host(here))
            except (FileNotFoundError, NotADirectoryError):
                if last:
                    return self._absent(here, crossed, make, wants_folder)
                raise Refused("ENOENT") from None
            if stat.S_ISLNK(found.st_mode) and (not last or follow or wants_folder):
                links += 1
                if links > MAX_LINKS:
                    raise Refused("ELOOP")
                crossed.append(here)
                _check_link(here)
                text = os.readlink(self.host(here))
                parts = [one for one in text.split("/") if one not in ("", ".")] + parts
                if text.startswith("/"):
                    at = "/"
                found = os.lstat(self.host(at))
                continue
            at = here
        if wants_folder and not stat.S_ISDIR(found.st_mode):
            raise Refused("ENOTDIR")
        return Walk(at, self.host(at), found, crossed)

    def _join(self, at, part):
        here = f"/{part}" if at == "/" else f"{at}/{part}"
        # A firmlinked folder of the Data volume is the one at the root.
        if here.startswith(DATA + "/"):
            inner = here[len(DATA) :]
            if any(inner == f"/{one}" for one in FIRMLINKS):
                return inner
        return here

    def _absent(self, here, crossed, make, wants_folder):
        if wants_folder and not make:
            raise Refused("ENOENT")
        return Walk(here, self.host(here), None, crossed)

    def parent(self, walk):
        path = walk.path.rsplit("/", 1)[0] or "/"
        return Walk(path, self.host(path), os.lstat(self.host(path)))

    @staticmethod
    def is_systems(path):
        return any(path == one or path.startswith(one + "/") for one in SEALED + OTHERS)

    @staticmethod
    def is_sealed(path):
        return any(path == one or path.startswith(one + "/") for one in SEALED) and not path.startswith("/usr/local")


def owner(found, path):
    """Whose a file is: the emulated user's, or root's."""
    if path == "/" or Tree.is_systems(path) or path.startswith("/dev"):
        return 0
    return world.UID if found.st_uid == os.getuid() else found.st_uid


def may(found, path, bits):
    """What the permission bits give the emulated user: `bits` of rwx."""
    mode = found.st_mode
    shift = 6 if owner(found, path) == world.UID else 0
    return (mode >> shift) & bits == bits


def _check_link(path):
    """A link that is followed is looked at: xnu calls the hook for it in the walk (`lookup_handle_symlink`)."""
    Host.policy.require("file-read-metadata", path, kind="SYMLINK")
