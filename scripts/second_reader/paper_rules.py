"""The rules of a Landlock policy tied to a tree, and the checks that they answer (SPEC 2.5)."""

from itertools import product

from .landlock import FS
from .paper_tree import Astray, Inspects, Open

ON_FILES = {"execute", "write_file", "read_file", "truncate", "ioctl_dev", "resolve_unix"}
DEVICES = {"/dev/full", "/dev/null", "/dev/ptmx", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"}
NEVER_ABOVE = (
    "/bin", "/boot", "/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero", "/etc", "/lib",
    "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr",
)
MOST_MAYBES = 10
LINKS = [
    *((link, "/usr") for link in ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin")),
    *((link, "/proc") for link in ("/dev/core", "/dev/fd", "/dev/stderr", "/dev/stdin", "/dev/stdout", "/etc/mtab")),
    *((link, "/sys/devices") for link in ("/sys/block", "/sys/bus", "/sys/class", "/sys/dev")),
    *((link, "/run") for link in ("/var/lock", "/var/run")),
]


def below(path, other):
    return path == other or path.startswith("/" if other == "/" else other + "/")


def may_cover(rule, path):
    return any((below(path, link) and (below(rule, to) or below(to, rule))) or (below(path, to) and below(rule, link))
               for link, to in LINKS)


def may_lie_elsewhere(path, rule):
    return any(below(path, link) and not below(rule, link) and not below(to, rule) for link, to in LINKS)


def exists(path):
    return f"`{path}` exists on the host and is reached without crossing a symbolic link"


class Denied(Exception):
    """The rules refuse; `rule` is the pointer of what refuses, or None."""

    def __init__(self, rule):
        super().__init__(rule)
        self.rule = rule


class Tied:
    """A rule on a thing."""

    def __init__(self, layer, pointer, rule):
        self.layer, self.pointer, self.path, self.allow = layer, pointer, rule["path"], frozenset(rule["allow"])


class Refusal:
    """What a check that is not granted came to: a right that is missing, or that would be gained."""

    def __init__(self, layer, right, gained=False):
        self.layer, self.right, self.gained = layer, right, gained


class Rules:
    def __init__(self, table, tree, note, reaching=()):
        """Raises Open where the kernel refuses the policy, or nobody can say. `reaching`: pointers of rules over the fixtures."""
        self.table, self.tree = table, tree
        files = any(layer["handled_fs"] for layer in table.layers)
        self.handled = [frozenset(layer["handled_fs"]) | ({"refer"} if files else set()) for layer in table.layers]
        self.tied, self.maybes = {}, []
        for layer, pointer, rule in table.path_rules():
            try:
                name = tree.walk(rule["path"], True).name
            except (Astray, Inspects) as lost:
                raise Open(f"{pointer}: {lost}") from lost
            if name is None:
                raise Open(f"{pointer}: there is nothing")
            path = name.path()
            no_folder = name.kind not in ("dir", "host") or (name.kind == "host" and path in DEVICES)
            if no_folder and not set(rule["allow"]) <= ON_FILES:
                raise Open(f"{pointer}: the kernel refuses it")
            tied = Tied(layer, pointer, rule)
            self.tied.setdefault(name.thing, []).append(tied)
            if name.kind == "host" and name is not tree.slash:
                note(exists(path))
                if pointer in reaching or not any(below(path, top) for top in NEVER_ABOVE):
                    self.maybes.append(tied)

    def pointer(self, layer, member):
        return self.table.pointer(layer) + member

    def _on(self, name, covering):
        return [*self.tied.get(name.thing, ()), *(covering if name is self.tree.between else ())]

    def _worlds(self, way, ask):
        """The answer of `ask` under every set of maybes that may cover; that under the empty set if all agree."""
        first = ask(())
        if self.tree.between not in way or not self.maybes:
            return first
        if len(self.maybes) > MOST_MAYBES:
            raise Open("too many rules may cover the fixtures")
        for chosen in product((False, True), repeat=len(self.maybes)):
            other = ask([one for one, taken in zip(self.maybes, chosen) if taken])
            if isinstance(other, Refusal) != isinstance(first, Refusal):
                raise Open("it depends on what covers the fixtures")
        return first

    def look(self, place, wanted):
        """A Refusal, or the rules that grant."""
        way = self.tree.way_up(place)

        def ask(covering):
            granting = []
            for layer, handled in enumerate(self.handled):
                missing = set(wanted) & handled
                for name in way:
                    for tied in self._on(name, covering):
                        if tied.layer == layer and missing & tied.allow:
                            granting.append(tied)
                            missing -= tied.allow
                if missing:
                    return Refusal(layer, min(missing, key=FS.index))
            return granting
        return self._worlds(way, ask)

    def judged(self, answer, name):
        """The rules that grant; raises Denied or Open."""
        path = name.path()
        if not isinstance(answer, Refusal):
            if any(may_lie_elsewhere(path, tied.path) for tied in answer):
                raise Open(f"{path} may lie elsewhere")
            return answer
        layer, own = answer.layer, self.table.layers[answer.layer]
        if answer.gained:
            raise Denied(self.pointer(layer, "/handled/fs"))
        if answer.right == "refer" and "refer" not in own["handled_fs"]:
            raise Denied(self.pointer(layer, "/handled/fs" if own["handled_fs"] else "/handled"))
        if any(answer.right in rule["allow"] and may_cover(rule["path"], path) for rule in own["path_beneath"]):
            raise Open(f"a rule may cover {path}")
        raise Denied(self.pointer(layer, "/handled/fs"))

    def check(self, place, *wanted):
        return self.judged(self.look(place, wanted), place[1])

    def prepare(self, place, *wanted):
        try:
            self.check(place, *wanted)
        except Denied as denied:
            raise Open("what prepares is refused") from denied

    # Moves.

    def move(self, from_, to, need_from, need_to, moved, back):
        """A move or link between two folders (places); `moved` and `back` are names, `back` of an exchange alone."""
        tree = self.tree
        ways = tree.way_up(from_), tree.way_up(to)
        if from_[0]:
            tops = [tree.mounts[from_[0]][2]]
        else:
            tops = []
            for name in reversed(ways[0]):
                if name not in ways[1]:
                    break
                tops.append(name)
        first = None
        for top in tops:
            found = self._worlds([*ways[0], *ways[1]], lambda covering: self._move(
                covering, ways, top, need_from, need_to, moved, back))
            if first is not None and isinstance(found, Refusal) != isinstance(first, Refusal):
                raise Open("it depends on where the mount begins")
            first = found if first is None else first
        name = to[1]
        if isinstance(first, Refusal) and not first.gained and first.right in need_from | {"refer"}:
            name = from_[1] if self._is_refused(from_, first.right) else name
        return self.judged(first, name)

    def _is_refused(self, place, right):
        try:
            return isinstance(self.look(place, (right,)), Refusal)
        except Open:
            return False

    def _move(self, covering, ways, top, need_from, need_to, moved, back):
        handled = self.handled
        layers = range(len(handled))
        if not any(handled):
            return []
        needs = [[(wanted | {"refer"}) & handled[n] for n in layers] for wanted in (need_from, need_to)]

        def grants(name):
            found = [set() for _ in layers]
            for tied in self._on(name, covering):
                found[tied.layer] |= tied.allow
            return found

        def less(rest, name):
            return [have - granted for have, granted in zip(rest, grants(name))]

        def none(rest, of):
            return not any(have & wanted for have, wanted in zip(rest, of))

        def granted():
            found = []
            for way, wanted in zip(ways, needs):
                for layer in layers:
                    for right in sorted(wanted[layer], key=FS.index):
                        found += next(([tied] for name in way for tied in self._on(name, covering)
                                       if tied.layer == layer and right in tied.allow), [])
            return found
        rest = []
        for way in ways:
            left = handled
            for name in way[:way.index(top) + 1]:
                left = less(left, name)
            rest.append(left)
        if not any(rest[0]) and not any(rest[1]):
            return granted()

        def gains():
            for layer in layers:
                more = set()
                for name, here, there in ((moved, 0, 1), (back, 1, 0)):
                    if name is not None:
                        one = (rest[here][layer] & less(handled, name)[layer]) - rest[there][layer]
                        more |= one if name.kind == "dir" else one & ON_FILES
                if more:
                    return Refusal(layer, min(more, key=FS.index), True)
            return None
        fine, compared = [False, False], False
        for name in ways[0][ways[0].index(top):]:
            if not compared and gains() is None:
                compared = True
                fine = [okay or none(left, wanted) for okay, left, wanted in zip(fine, rest, needs)]
                if all(fine):
                    break
            rest = [less(left, name) for left in rest]
            fine = [okay or none(left, wanted if compared else handled) for okay, left, wanted in zip(fine, rest, needs)]
            if all(fine):
                break
        if all(fine):
            return granted()
        missing = [(rest[0][n] & needs[0][n]) | (rest[1][n] & needs[1][n]) for n in layers]
        for plain in (True, False):
            for layer in layers:
                rights = [one for one in missing[layer] if (one != "refer") == plain]
                if rights:
                    return Refusal(layer, min(rights, key=FS.index))
        more = gains()
        if more:
            return more
        for layer in layers:
            left = rest[0][layer] | rest[1][layer]
            if left:
                return Refusal(layer, min(left, key=FS.index), True)
        return Refusal(0, "refer", True)
