"""What a model answers (SPEC 2.5): Landlock policies and the claims of launchers. Not Seatbelt's texts."""

import re

from .drivers import TABLE
from .landlock import Table
from .paper_rules import DEVICES, Denied, Rules, exists
from .paper_tree import Astray, Inspects, Open, Tree, holds_descriptor

KNOWN_FOLDERS = {
    "/", "/bin", "/boot", "/dev", "/dev/pts", "/dev/shm", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media",
    "/mnt", "/opt", "/proc", "/proc/sys", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib",
    "/usr/sbin", "/usr/share", "/var", "/var/tmp",
}
FOREIGN = re.compile(r"/proc/([0-9]+)/(.+)\Z", re.S)
AT_READING = {"io", "personality", "stack", "syscall"}
MEMORY = {"auxv", "environ", "maps", "numa_maps", "pagemap", "smaps", "smaps_rollup"}
PLAIN = set(
    "autogroup cgroup cmdline comm coredump_filter cpuset gid_map limits loginuid mountinfo mounts mountstats oom_adj oom_score "
    "oom_score_adj projid_map sched schedstat sessionid setgroups stat statm status uid_map wchan".split())
OPENS_TOO = {"file_truncate_fd", "device_ioctl", "file_lock", "io_uring_read"}
READS = {"file_read_inherited", "file_truncate_inherited"}
MAKES = {"symlink_create": "make_sym", "fifo_create": "make_fifo", "block_device_create": "make_block",
         "socket_node_create": "make_sock", "unix_bind": "make_sock", "dir_create": "make_dir"}
OPENS = {
    **dict.fromkeys(("file_read", "file_read_at", "file_read_reopened", "file_read_at_inherited", "io_uring_read"), ("read_file",)),
    **dict.fromkeys(("file_write", "file_open_write", "file_write_reopened"), ("write_file",)),
    "file_read_write": ("read_file", "write_file"), "file_truncate": ("truncate",),
}
NEVER_SHOWN = ("process_inspect_outside", "ptrace_outside", "pidfd_getfd_outside", "process_vm_readv_outside",
               "process_mem_outside", "process_root_outside")
ONLY_EXISTING = ("file_open_path", "file_stat", "file_access", "file_chmod", "file_utimes", "file_chown", "file_statfs",
                 "inotify_watch", "xattr_list")
PORTS = {
    "tcp_connect": "connect_tcp", "io_uring_connect": "connect_tcp", "tcp_bind": "bind_tcp", "udp_bind": "bind_udp",
    "mptcp_connect": "connect_tcp", "tcp_fast_open": "connect_tcp", "mptcp_bind": "bind_tcp",
    "udp_send": "connect_send_udp", "udp_connect": "connect_send_udp",
}
SCOPES = {"abstract_connect": "abstract_unix_socket", "abstract_send": "abstract_unix_socket", "signal_outside": "signal"}
#: Allowed whatever the rules say.
FREE = {
    "process_fork", "tcp_listen_unbound", "signal_inside", "signal_self", "raw_socket", "packet_socket", "netlink_socket",
    "vsock_socket", "environment_read", "descriptor_read", "sysv_shm", "sysv_sem", "sysv_msg", "key_read", "key_add",
    "tty_ioctl", "tty_inject", "exec_memfd", "process_priority_outside", "user_namespace", "bpf_map", "perf_event",
    "userfaultfd", "io_uring",
}
MAKING = {"dir": "make_dir", "fifo": "make_fifo", "symlink": "make_sym"}


class Answer:
    """What is said of one row: decision or None, rule or None, assumptions."""

    def __init__(self, decision=None, rule=None, assumes=()):
        self.decision, self.rule, self.assumes = decision, rule, set(assumes)


def answer(policy, planned):
    """What the model says of a row of the plan; None if only the program can say (Seatbelt texts)."""
    if not planned.supports("oracle") or policy.mode == "blob":
        return Answer()
    if planned.action is None or policy.mode == "sbpl":
        return None
    if policy.mode == "launcher":
        return claimed(policy.value, planned.probe["operation"], planned.action["target"])
    return landlock(Table(policy.value), planned.action, planned.fixtures)


def claimed(document, operation, target):
    """A launcher's own words."""
    for number, claim in enumerate(document.get("claims", ())):
        start, any_ = claim["operation"].removesuffix("*"), claim["operation"].endswith("*")
        if not (operation.startswith(start) if any_ else operation == start):
            continue
        folders = [re.sub(r"\$\{(workspace|outside|home)\}", r"${root}/\1", one).rstrip("/") for one in claim.get("except", ())]
        if not any(target == folder or target.startswith(folder + "/") for folder in folders):
            return Answer(claim["is"], f"/claims/{number}", ["the documentation is about this version of the launcher"])
    return Answer()


def landlock(table, action, fixtures, reaching=()):
    """What a Landlock policy decides about an action."""
    asked = _Question(table, action)
    try:
        rule = asked.decide(fixtures, reaching)
        return Answer("allow", rule, asked.assumes)
    except Denied as denied:
        return Answer("deny", denied.rule, asked.assumes)
    except Open:
        return Answer(None, None, asked.assumes)


class _Question:
    def __init__(self, table, action):
        self.table, self.action = table, action
        self.driver, self.target = action["driver"], action["target"]
        self.assumes = set()

    def note(self, text):
        self.assumes.add(text)

    def decide(self, fixtures, reaching):
        """The rule of an allow, or None; raises Denied and Open."""
        self.tree = Tree(fixtures, self.action.get("mounts", ()))
        self.rules = Rules(self.table, self.tree, self.note, reaching)
        rule = self._by_rules()
        self._beside()
        return rule

    def _by_rules(self):
        driver = self.driver
        if not TABLE[driver].linux:
            raise Open(f"{driver} belongs to macOS")
        if driver in OPENS or (driver == "file_read_older_thread" and self.table.tsync):
            return self._allow(self.rules.check(self.regular(), *OPENS.get(driver, ("read_file",))))
        if driver in MAKES:
            return self._allow(self.rules.check(self.fresh(self.target, driver == "dir_create"), MAKES[driver]))
        if driver in PORTS:
            return self._ports()
        if driver in SCOPES:
            return self._scope(SCOPES[driver])
        if driver in NEVER_SHOWN:
            raise Denied(None)
        if driver in ONLY_EXISTING:
            self.existing(self.target)
            return None
        return None if driver in FREE else getattr(self, f"_{driver}")()

    def _allow(self, *granting):
        """The rule of an allow by these checks."""
        found = [tied for one in granting for tied in one]
        return found[0].pointer if found else self.rules.pointer(0, "/handled/fs")

    # Paths.

    def find(self, path, follow):
        try:
            end = self.tree.walk(path, follow)
        except Inspects as met:
            untold = met.last and self.driver != "file_readlink"
            if holds_descriptor(self.driver) or self.driver == "file_read_older_thread" or untold:
                raise Open(str(met)) from met
            self._other_process(met.path.split("/")[2])
            raise Denied(None) from met
        except Astray as lost:
            raise Open(str(lost)) from lost
        for name in (end.folder[1], end.name):
            if name is not None:
                self._note_name(name)
        return end

    def _other_process(self, number):
        self.note(f"`/proc` shows process {number}, which was started before the policy was applied")

    def _note_name(self, end):
        name = end
        while name is not self.tree.slash:
            if name.thing.tight:
                self.note(f"the user may pass the permission bits {name.thing.tight} of `{name.path()}`")
            if name.kind == "host":
                if name is end:
                    self.note(exists(name.path()))
                return
            name = name.parent

    def existing(self, path, follow=True):
        end = self.find(path, follow)
        if end.place is None or (end.asks_folder and end.name.kind not in ("dir", "host")):
            raise Open(f"{path} leads to nothing")
        return end.place

    def regular(self):
        place = self.existing(self.target)
        kind, path = place[1].kind, place[1].path()
        if kind == "host":
            if path in KNOWN_FOLDERS:
                raise Open(f"{path} is a folder")
            if path not in DEVICES:
                self.note(f"`{path}` is no folder")
        elif kind not in ("file", "program") and not (kind == "fifo" and self.driver == "file_read_write"):
            raise Open(f"{path} is no regular file")
        return place

    def folder(self):
        place = self.existing(self.target)
        if place[1].kind not in ("dir", "host"):
            raise Open(f"{self.target} is no folder")
        path = place[1].path()
        if place[1].kind == "host" and path not in KNOWN_FOLDERS:
            self.note(f"`{path}` is a folder")
        return place

    def fresh(self, path, slash=False):
        end = self.find(path, False)
        if not end.ordinary or end.place is not None or end.folder[1].kind == "host" or (end.asks_folder and not slash):
            raise Open(f"{path} cannot be made")
        return end.folder

    def entry(self, path):
        """(folder, end, whether the path asks for a folder)"""
        end = self.find(path, False)
        if end.place is None or end.name is self.tree.root or not end.ordinary or end.name.kind == "host" or (
                self.tree.is_mount_point(end.place)):
            raise Open(f"{path} is no entry of a folder that is known")
        return end.folder, end.place, end.asks_folder

    # Drivers.

    def _file_open_truncate(self):
        place = self.regular()
        try:
            return self._allow(self.rules.check(place, "write_file", "truncate"))
        except Denied as refused:
            if place[1].kind == "host":
                self.rules.check(place, "write_file")
                raise Open("only a regular file is truncated") from refused
            raise

    def _file_truncate_fd(self):
        place = self.regular()
        self.rules.prepare(place, "write_file")
        return self._allow(self.rules.check(place, "truncate"))

    def _only_regular(self):
        self.regular()

    _file_read_inherited = _file_truncate_inherited = _file_map_executable = _file_read_older_thread = _only_regular

    def _dir_list(self):
        place = self.existing(self.target)
        if place[1].kind == "host" and place[1].path() in DEVICES:
            raise Open(f"{self.target} is no folder")
        return self._allow(self.rules.check(self.folder(), "read_dir"))

    def _exec(self):
        place = self.existing(self.target)
        kind = place[1].kind
        if kind not in ("program", "file", "host"):
            raise Open(f"{self.target} is no program")
        rule = self._allow(self.rules.check(place, "execute", "read_file"))
        if kind == "program":
            return rule
        if kind == "file":
            raise Open(f"whether {self.target} is a program is not known")
        try:
            self.rules.check((0, self.tree.slash), "execute", "read_file")
        except Denied as refused:
            raise Open("its loader may be refused") from refused
        self.note(f"`{self.target}` is a program that the user may execute")
        return rule

    def _exec_written(self):
        folder = self.fresh(self.target)
        self.rules.prepare(folder, "make_reg")
        self.rules.prepare(folder, "write_file")
        return self._allow(self.rules.check(folder, "execute", "read_file"))

    def _device_ioctl(self):
        place = self.existing(self.target)
        path = place[1].path()
        if place[1].kind != "host" or not path.startswith("/dev/"):
            raise Open(f"{path} is no device")
        if path not in DEVICES:
            self.note(f"`{path}` is a device")
        self.rules.prepare(place, "read_file")
        return self._allow(self.rules.check(place, "ioctl_dev"))

    def _file_create(self):
        folder = self.fresh(self.target)
        return self._allow(self.rules.check(folder, "make_reg"), self.rules.check(folder, "write_file"))

    def _char_device_create(self):
        folder = self.fresh(self.target)
        both = []
        for right in ("make_char", "make_reg"):
            try:
                both.append(self._allow(self.rules.check(folder, right)))
            except Denied as refused:
                both.append(refused)
        refused = [one for one in both if isinstance(one, Denied)]
        if len(refused) == 1:
            raise Open("kernels differ in what a whiteout needs")
        if refused:
            raise refused[0]
        return both[0]

    def _file_unlink(self):
        folder, end, asks_folder = self.entry(self.target)
        if end[1].kind == "dir" or asks_folder:
            raise Open(f"{self.target} is a folder")
        return self._allow(self.rules.check(folder, "remove_file"))

    def _dir_remove(self):
        folder, end, _ = self.entry(self.target)
        if end[1].kind != "dir" or end[1].children:
            raise Open(f"{self.target} is no empty folder")
        return self._allow(self.rules.check(folder, "remove_dir"))

    def _file_lock(self):
        place = self.existing(self.target)
        if place[1].kind == "dir":
            self.rules.prepare(place, "read_dir")
        else:
            self.rules.prepare(self.regular(), "read_file")

    def _chdir(self):
        self.folder()

    _chroot = _chdir

    def _xattr_get(self):
        name = self.existing(self.target)[1]
        if name.kind != "host" and self.action.get("name", "") not in name.thing.attributes:
            raise Open("it has no such attribute")

    def _xattr_set(self):
        if self.existing(self.target)[1].kind == "fifo":
            raise Open("a FIFO takes no attributes")

    def _file_readlink(self):
        if self.existing(self.target, False)[1].kind not in ("symlink", "host"):
            raise Open(f"{self.target} is no link")

    def _mount_bind(self):
        self.existing(self.target)
        if "to" in self.action:
            self.existing(self.action["to"])
        for number, layer in enumerate(self.table.layers):
            if layer["handled_fs"]:
                raise Denied(self.rules.pointer(number, "/handled/fs"))
        return self.rules.pointer(0, "/handled/fs")

    _mount_tmpfs = _pivot_root = _mount_bind

    def _unix_connect(self):
        end = self.find(self.target, True)
        if end.place is not None and end.name.kind != "host":
            raise Open(f"{self.target} is no socket")
        return self._allow(self.rules.check(end.place or end.folder, "resolve_unix"))

    _unix_send = _unix_connect

    def _user_namespace_map(self):
        return self._allow(self.rules.check(self.existing("/proc/self/uid_map"), "write_file"))

    def _posix_shm(self):
        folder = self.existing("/dev/shm")
        return self._allow(self.rules.check(folder, "make_reg"), self.rules.check(folder, "read_file", "write_file"))

    def _posix_mq(self):
        wanted = {"read_file", "write_file"} | ({"ioctl_dev"} if self.driver == "pseudo_tty" else set())
        if any(wanted & handled for handled in self.rules.handled):
            raise Open("where it lies is not known")
        return self.rules.pointer(0, "/handled/fs")

    _pseudo_tty = _posix_mq

    def _undecided(self):
        raise Open("nobody can say")

    _process_environ_outside = _process_maps_outside = _apply_only = _undecided

    # Ports and scopes.

    def _ports(self):
        driver, right = self.driver, PORTS[self.driver]
        try:
            rule = self._port(right)
        except Denied as refused:
            if driver in ("mptcp_connect", "tcp_fast_open", "mptcp_bind"):
                raise Open("kernels differ") from refused
            raise
        if driver in ("udp_send", "udp_connect"):
            for layer in self.table.layers:
                if "bind_udp" in layer["handled_net"] and not any(
                        "bind_udp" in one["allow"] and _same_port(one["port"], "0") for one in layer["net_port"]):
                    raise Open("the socket is bound implicitly")
        return rule

    def _port(self, right):
        if ":" not in self.target:
            raise Open(f"{self.target} has no port")
        port = self.target.rpartition(":")[2]
        granting, refusing = [], []
        for number, layer in enumerate(self.table.layers):
            if right not in layer["handled_net"]:
                continue
            unlike = []
            for place, rule in enumerate(layer["net_port"]):
                if right in rule["allow"]:
                    same = _same_port(rule["port"], port)
                    if same:
                        granting.append(self.rules.pointer(number, f"/net_port/{place}"))
                        break
                    unlike += [rule["port"]] if same is None else []
            else:
                refusing.append((len(unlike), number, unlike))
        if refusing:
            _, number, unlike = min(refusing)
            for other in unlike:
                self.note(f"`{port}` and `{other}` do not stand for the same port")
            raise Denied(self.rules.pointer(number, "/handled/net"))
        return granting[0] if granting else self.rules.pointer(0, "/handled/net")

    def _scope(self, scope):
        for number, layer in enumerate(self.table.layers):
            if scope in layer["scoped"]:
                raise Denied(self.rules.pointer(number, "/handled/scope"))
        return self.rules.pointer(0, "/handled/scope")

    # Moves and links.

    def _file_rename(self):
        if "to" not in self.action:
            raise Open("there is no second path")
        driver, path = self.driver, self.action["to"]
        from_, (_, moved), from_asks = self.entry(self.target)
        is_folder = moved.kind == "dir"
        there = self.find(path, False).place is not None
        back = None
        if driver == "file_link" or (driver == "file_rename" and not there):
            to = self.fresh(path, is_folder and driver == "file_rename")
        else:
            to, (_, back), asks = self.entry(path)
            coming = moved if driver == "file_rename" else back
            if asks and coming.kind != "dir":
                raise Open("it asks for a folder and is none")
        if (from_asks and not is_folder) or from_[0] != to[0] or (driver == "file_link" and is_folder) or (
                is_folder and to[1].lies_in(moved)):
            raise Open("it fails without a policy too")
        if back is not None:
            both = back.kind == "dir"
            if both and from_[1].lies_in(back):
                raise Open("it fails without a policy too")
            if driver == "file_rename" and back.thing is not moved.thing and (both != is_folder or (both and back.children)):
                raise Open("it cannot be replaced")
        need_from, need_to = set(), {MAKING.get(moved.kind, "make_reg")}
        if driver != "file_link":
            need_from.add(_removal(moved))
        if back is not None:
            need_to.add(_removal(back))
            if driver == "file_exchange":
                need_from.add(MAKING.get(back.kind, "make_reg"))
        if from_[1] is to[1]:
            return self._allow(self.rules.check(from_, *need_from, *need_to))
        return self._allow(self.rules.move(from_, to, need_from, need_to, moved, back if driver == "file_exchange" else None))

    _file_exchange = _file_link = _file_rename

    # Beside the rules.

    def _beside(self):
        driver = TABLE[self.driver]
        older = self.driver == "file_read_older_thread"
        if self.driver in READS:
            reading = True
        elif self.driver in OPENS_TOO or (driver.target == "path" and driver.linux == "openat" and (
                self.table.tsync if older else self.driver != "file_open_path")):
            reading = False
        else:
            return
        name = self.find(self.target, True).name
        foreign = FOREIGN.match(name.path()) if name is not None and name.kind == "host" else None
        if not foreign:
            return
        number, file = foreign.groups()
        if file in AT_READING or (file == "mem" and not reading):
            self._other_process(number)
            raise Denied(None)
        if file not in PLAIN and not (reading and (file == "mem" or file in MEMORY)):
            raise Open(f"whether {name.path()} may be read is not known")
        self._other_process(number)


def _removal(name):
    return "remove_dir" if name.kind == "dir" else "remove_file"


def _number(text):
    return int(text) if re.fullmatch(r"\+?[0-9]+", text) and int(text) <= 65535 else None


def _same_port(rule, used):
    """True, False, or None where it may be."""
    one, other = _number(rule), _number(used)
    if one is not None and other is not None:
        return one == other
    if one is None and other is None:
        return rule == used
    return False if 0 in (one, other) else None
