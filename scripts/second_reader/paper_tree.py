"""Names, things, mounts and walks on paper: the ground of the Landlock model (SPEC 2.5)."""

import re

from .drivers import HOLDS

SLASH_PATH, ROOT_TEXT = "/", "${root}"
ELSEWHERE = re.compile(r"(/tmp|/var/tmp|/private/tmp|/private/var/tmp)/(\$\{name\.[A-Za-z0-9_-]+\})(?:/(.*))?\Z", re.S)
MOST_LINKS = 40
DIGITS = re.compile(r"[0-9]+\Z")
KINDS = {"file", "program", "fifo", "symlink"}


class Open(Exception):
    """There is no decision; why, in words."""


class Astray(Exception):
    """A walk that leads nowhere: `lost` or `wrong`."""


class Inspects(Exception):
    """A walk that meets a link of another process: its path, and whether as a last part that is not followed."""

    def __init__(self, path, last):
        super().__init__(path)
        self.path, self.last = path, last


class Thing:
    def __init__(self, kind, text=None):
        self.kind, self.text = kind, text
        self.tight = None
        self.attributes = set()


class Name:
    def __init__(self, parent, text, thing, path=None):
        self.parent, self.text, self.thing = parent, text, thing
        self.own_path = path
        self.children = {}

    @property
    def kind(self):
        return self.thing.kind

    def path(self):
        if self.own_path:
            return self.own_path
        above = self.parent.path()
        return ("" if above == "/" else above) + "/" + self.text

    def add(self, text, thing):
        self.children[text] = Name(self, text, thing)
        return self.children[text]

    def lies_in(self, outer):
        """Whether it is `outer` or lies in it, by names alone."""
        name = self
        while name is not outer:
            if name.parent is name:
                return False
            name = name.parent
        return True


class End:
    """Where a walk leads: `place` (mount, name) or None, `folder` (likewise), and whether the end is ordinary."""

    def __init__(self, folder, place, ordinary):
        self.folder, self.place, self.ordinary = folder, place, ordinary
        self.asks_folder = False

    @property
    def name(self):
        return self.place and self.place[1]


class Tree:
    def __init__(self, fixtures, mounts):
        """Raises Open if the fixtures or mounts cannot be laid."""
        self.slash = Name(None, "", Thing("host"), "/")
        self.slash.parent = self.slash
        self.between = Name(self.slash, "", Thing("host"), "the folders above ${root}")
        self.root = Name(self.between, ROOT_TEXT, Thing("dir"), ROOT_TEXT)
        self.thread = None
        self.mounts = [(0, self.slash, self.slash)]
        for fixture in fixtures:
            self._fixture(fixture)
        for mount in mounts:
            ends = []
            for path in (mount["from"], mount["at"]):
                place = self.known(path).place
                if place is None or place[1].kind not in ("dir", "host"):
                    raise Open(f"the mount's {path} is no folder")
                ends.append(place)
            self.mounts.append((ends[1][0], ends[1][1], ends[0][1]))

    def known(self, path):
        """A walk that follows links; Open wherever it leads astray."""
        try:
            return self.walk(path, True)
        except (Astray, Inspects) as lost:
            raise Open(str(lost)) from lost

    def _fixture(self, fixture):
        folder, path = self.root, fixture["path"]
        elsewhere = ELSEWHERE.match(path)
        if elsewhere:
            shared, own, rest = elsewhere.groups()
            folder = self.slash
            for part in shared.split("/")[1:]:
                folder = folder.children.get(part) or folder.add(part, Thing("host"))
            folder = folder.children.get(own) or folder.add(own, Thing("dir"))
            if rest is None:
                return
            path = rest
        *above, last = path.split("/")
        if any(part in ("", ".", "..") for part in (*above, last)):
            raise Open(f"the fixture {path} is not made of plain parts")
        for part in above:
            folder = folder.children.get(part) or folder.add(part, Thing("dir"))
            if folder.kind != "dir":
                raise Open(f"{part} is no folder")
        there, kind = folder.children.get(last), fixture["kind"]
        if kind == "dir" and there and there.kind == "dir":
            self._describe(there.thing, fixture)
            return
        if kind == "hardlink":
            name = self.root
            for part in fixture["to"].split("/"):
                name = name and name.children.get(part)
            if name is None:
                raise Open(f"there is nothing at {fixture['to']}")
            thing = name.thing
        else:
            thing = Thing(kind, fixture.get("to"))
        if there:
            raise Open(f"{last} is there already")
        self._describe(folder.add(last, thing).thing, fixture)

    @staticmethod
    def _describe(thing, fixture):
        thing.attributes |= set(fixture.get("xattrs") or {})
        if fixture.get("mode") is not None:
            wanted = 0o600 if thing.kind == "file" else 0o700
            thing.tight = fixture["mode"] if int(fixture["mode"], 8) & wanted != wanted else None

    # Mounts.

    def down(self, place):
        while True:
            over = [n for n, (parent, at, _) in enumerate(self.mounts) if n and (parent, at) == place]
            if not over:
                return place
            place = over[-1], self.mounts[over[-1]][2]

    def up(self, place):
        mount, name = self._out(place)
        return self.down((mount, name.parent))

    def _out(self, place):
        mount, name = place
        while mount and name is self.mounts[mount][2]:
            mount, name = self.mounts[mount][:2]
        return mount, name

    def way_up(self, place):
        way = [place[1]]
        while True:
            mount, name = self._out(place)
            if name is self.slash:
                return way
            place = mount, name.parent
            way.append(name.parent)

    def is_mount_point(self, place):
        mount, name = place
        return any(at is name for _, at, _ in self.mounts[1:]) or (mount != 0 and self.mounts[mount][2] is name)

    # Walking.

    def walk(self, path, follow):
        if not path.startswith(("/", ROOT_TEXT)):
            raise Open(f"{path} is relative to a folder that is not known")
        return self._walk(self.down((0, self.slash)), path, follow, [0])

    def _walk(self, start, text, follow, links):
        parts = _parts(text)
        bare = text.rstrip("/")
        dot = text == "." or bare.endswith("/.")
        asks_folder = dot or text.endswith("/")
        end = End(start, start, False)
        for number, part in enumerate(parts):
            if end.place is None:
                raise Astray(f"{text} is lost")
            name = end.name
            if name.kind not in ("dir", "host"):
                raise Astray(f"{name.path()} is no folder")
            if part is None:
                if name is not self.slash:
                    raise Open("${root} is not known there")
                root = self.down((0, self.root))
                end = End(root, root, False)
            elif part == "..":
                above = self.up(end.place)
                if above[1] is self.between:
                    raise Open(f"{text} leaves ${{root}}")
                end = End(above, above, False)
            else:
                end = self._step(end.place, part, number + 1 < len(parts) or follow or asks_folder, links)
        end.asks_folder = asks_folder
        end.ordinary = end.ordinary and not dot
        return end

    def _step(self, folder, text, follow, links):
        mount, name = folder
        child = name.children.get(text)
        if child is None and name.kind == "host":
            child = self._host(name, text, follow)
        if child is None:
            return End(folder, None, True)
        if child is self.slash:
            top = self.down((0, self.slash))
            return End(top, top, False)
        place = self.down((mount, child))
        if place[1].kind == "symlink" and follow:
            links[0] += 1
            if links[0] > MOST_LINKS:
                raise Astray("too many links")
            inner = place[1].thing.text
            start = self.down((0, self.slash)) if inner.startswith(("/", ROOT_TEXT)) else folder
            return self._walk(start, inner, True, links)
        return End(folder, place, True)

    def _host(self, folder, text, follow):
        """The child of a host name: any text is one, but for what procfs has."""
        above = folder.path()
        own = above in ("/proc/self", "/proc/thread-self")
        other = above.startswith("/proc/") and DIGITS.match(above.removeprefix("/proc/"))
        if own and text == "root":
            return self.slash
        if other and text in ("root", "cwd", "exe"):
            raise Inspects(f"{above}/{text}", not follow)
        if (own or other) and text in ("root", "cwd", "exe", "fd", "ns", "map_files", "task"):
            raise Open(f"where {above}/{text} leads only the process knows")
        if above == "/proc" and text == "thread-self":
            if self.thread is None:
                process = folder.children.get("self") or folder.add("self", Thing("host"))
                task = Name(process, "task", Thing("host"))
                self.thread = Name(task, "thread-self", Thing("host"), "/proc/thread-self")
            return self.thread
        links = {"/proc/mounts": "self/mounts", "/proc/net": "self/net"}
        to = links.get(f"{above}/{text}")
        return folder.add(text, Thing("symlink", to) if to else Thing("host"))


def _parts(text):
    """The parts of a path; None stands for `${root}`."""
    parts = []
    for number, piece in enumerate(text.split(ROOT_TEXT)):
        if number:
            if piece and not piece.startswith("/"):
                raise Open(f"{text} goes on right behind ${{root}}")
            parts.append(None)
        parts += [part for part in piece.split("/") if part not in ("", ".")]
    return parts


def holds_descriptor(driver):
    return HOLDS.match(driver) is not None
