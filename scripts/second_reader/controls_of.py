"""The controls that a Landlock policy yields (SPEC 2.4): one operation that it must refuse, one that it must let through."""

FOLDER = ".control"
LISTABLE = ("/", "/usr", "/etc", "/dev", "/proc")
DEVICES = ("/dev/full", "/dev/null", "/dev/ptmx", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero")
ON_FILES = {"execute", "write_file", "read_file", "truncate", "ioctl_dev", "resolve_unix"}
NEVER_ABOVE = (
    "/bin", "/boot", "/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero", "/etc", "/lib",
    "/lib32", "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr",
)
PRIVATE = ("root", "cwd", "exe", "fd", "ns", "map_files", "task")
MOST_HOST_RULES = 10

#: driver, what stands there (`file`, `dir`, `program`, or None for what is to be made), then checks: (on the target
#: itself or on its folder, rights). All checks have to be granted.
FILES = (
    ("file_read", "file", (("target", {"read_file"}),)),
    ("file_write", "file", (("target", {"write_file"}),)),
    ("dir_list", "dir", (("target", {"read_dir"}),)),
    ("file_create", None, (("folder", {"make_reg"}), ("folder", {"write_file"}))),
    ("dir_create", None, (("folder", {"make_dir"}),)),
    ("file_unlink", "file", (("folder", {"remove_file"}),)),
    ("dir_remove", "dir", (("folder", {"remove_dir"}),)),
    ("file_truncate", "file", (("target", {"truncate"}),)),
    ("symlink_create", None, (("folder", {"make_sym"}),)),
    ("fifo_create", None, (("folder", {"make_fifo"}),)),
    ("socket_node_create", None, (("folder", {"make_sock"}),)),
    ("exec", "program", (("target", {"execute", "read_file"}),)),
    # Kernels differ in which of the two rights it needs, so both have to give one answer.
    ("char_device_create", None, (("folder", {"make_char"}), ("folder", {"make_reg"}))),
)
PORTS = (
    ("tcp_bind", "bind_tcp"), ("tcp_connect", "connect_tcp"), ("udp_bind", "bind_udp"), ("udp_send", "connect_send_udp"),
)
SCOPES = (("abstract_connect", "${name.control}", "abstract_unix_socket"), ("signal_outside", "", "signal"))


class Nothing(Exception):
    """Nothing is certain under this policy, and why."""


def derive(table):
    """(must_deny, must_allow): an action each, or None."""
    try:
        asked = _Policy(table)
    except Nothing:
        return None, None
    return asked.must_deny(), asked.must_allow()


class _Policy:
    def __init__(self, table):
        self.table = table
        self.folders = []
        #: Rules by what they cover: a path below `${root}` as parts; `host`: perhaps `${root}`; `/`: everything.
        self.tied = []
        for layer, pointer, rule in table.path_rules():
            allow = set(rule["allow"])
            if rule["path"].startswith("${root}"):
                self.tied.append((layer, self._own(pointer, rule["path"]), allow))
            elif "${" in rule["path"]:
                raise Nothing(f"{pointer} holds a placeholder behind its beginning")
            else:
                spelled = {other["path"].rstrip("/") for _, _, other in table.path_rules()}
                self.tied.append((layer, _host(rule["path"], allow, spelled), allow))
        self.handles_files = any(layer["handled_fs"] for layer in table.layers)
        self.maybe = sum(1 for _, place, _ in self.tied if place == "host")

    def _own(self, pointer, path):
        parts = []
        for part in path.removeprefix("${root}").split("/"):
            if part == ".." and not parts:
                raise Nothing(f"{pointer} leaves ${{root}}")
            if part == "..":
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
                if "/".join(parts) not in self.folders:
                    self.folders.append("/".join(parts))
        if parts[:1] == [FOLDER]:
            raise Nothing(f"{pointer} names the folder of the controls")
        return tuple(parts)

    def _handled(self, layer):
        return set(self.table.layers[layer]["handled_fs"]) | {"refer"} if self.handles_files else set()

    def _granted(self, parts, wanted, host_covers):
        """Whether every layer grants what it handles of `wanted`; and whether any of it is handled."""
        any_handled = False
        for layer in range(len(self.table.layers)):
            missing = wanted & self._handled(layer)
            any_handled |= bool(missing)
            for owner, place, allow in self.tied:
                above = place == "/" or (place == "host" and host_covers) or (
                    isinstance(place, tuple) and parts[:len(place)] == place)
                if owner == layer and above:
                    missing = missing - allow
            if missing:
                return False, any_handled
        return True, any_handled

    def _paths(self, checks, target, folder):
        """`allow` or `deny` with whether a rule grants it; (None, False) where it is not certain."""
        granting = False
        for on, wanted in checks:
            parts = target if on == "target" else folder
            without, handled = self._granted(parts, wanted, False)
            with_host, _ = self._granted(parts, wanted, True)
            if self.maybe and (without != with_host or self.maybe > MOST_HOST_RULES):
                return None, False
            if not without:
                return "deny", False
            granting |= handled
        return "allow", granting

    def _file(self, folder, driver, stands, checks):
        parts = tuple(folder.split("/"))
        target = parts + ("target",)
        # A rule's path is a folder: nothing else may be meant by its name.
        known = "/".join(target) in self.folders
        if (known and stands != "dir") or (driver == "dir_remove" and known and self._has_inner(target)):
            return None, False
        if driver == "char_device_create":
            both = [self._paths((check,), target, parts) for check in checks]
            return both[0] if both[0][0] == both[1][0] else (None, False)
        return self._paths(checks, target, parts)

    def _has_inner(self, parts):
        return any(one.startswith("/".join(parts) + "/") for one in self.folders)

    def _port(self, driver, port, right):
        granted, refused_surely, refused = False, False, False
        for layer in self.table.layers:
            if right not in layer["handled_net"]:
                continue
            rules = [rule["port"] for rule in layer["net_port"] if right in rule["allow"]]
            if port in rules:
                granted = True
                continue
            refused = True
            # A number may be the one that the run picks; 0 never is.
            refused_surely |= all(not rule.isdigit() or int(rule) == 0 for rule in rules)
        if refused:
            return ("deny", False) if refused_surely else (None, False)
        if driver == "udp_send":
            for layer in self.table.layers:
                zero = any("bind_udp" in rule["allow"] and rule["port"].isdigit() and int(rule["port"]) == 0
                           for rule in layer["net_port"])
                if "bind_udp" in layer["handled_net"] and not zero:
                    return None, False
        return "allow", granted

    def _files(self, folder):
        for driver, stands, checks in FILES:
            found = {"driver": driver, "target": f"${{root}}/{folder}/target"}
            if driver == "symlink_create":
                found["to"] = "nowhere"
            yield found, self._file(folder, driver, stands, checks)

    def _elsewhere(self):
        for driver, right in PORTS:
            yield {"driver": driver, "target": "127.0.0.1:${port.control}"}, self._port(driver, "${port.control}", right)
        for driver, target, scope in SCOPES:
            scoped = any(scope in layer["scoped"] for layer in self.table.layers)
            yield {"driver": driver, "target": target}, ("deny" if scoped else "allow", False)

    def must_deny(self):
        for found, (decision, _) in [*self._files(FOLDER), *self._elsewhere()]:
            if decision == "deny":
                return found
        # A link to another folder: every layer has to grant `refer`, whether it handles it or not.
        decision, _ = self._paths((("folder", {"refer", "make_reg"}),), (), (FOLDER,))
        across = {
            "driver": "file_link", "target": f"${{root}}/{FOLDER}/one/target", "to": f"${{root}}/{FOLDER}/two/target",
        }
        return across if decision == "deny" else None

    def must_allow(self):
        folders = []
        for _, _, rule in self.table.path_rules():
            if not rule["path"].startswith("${root}"):
                continue
            rest = rule["path"].removeprefix("${root}").strip("/")
            if rest and any(part in ("", ".", "..") for part in rest.split("/")):
                continue
            folders.append(f"{rest}/{FOLDER}" if rest else FOLDER)
        for folder in [*folders, FOLDER]:
            for found, (decision, granting) in self._files(folder):
                if decision == "allow" and granting:
                    return found
        for found, (decision, _) in [*self._hosts(), *self._own_ports(), *self._files(FOLDER), *self._elsewhere()]:
            if decision == "allow":
                return found
        return None

    def _hosts(self):
        for _, _, rule in self.table.path_rules():
            if "read_dir" in rule["allow"] and rule["path"] in LISTABLE:
                good = all(
                    "read_dir" not in self._handled(layer) or any(
                        owner == layer and "read_dir" in other["allow"] and _covers(place, other["path"], rule["path"])
                        for (owner, place, _), (_, _, other) in zip(self.tied, self.table.path_rules()))
                    for layer in range(len(self.table.layers)))
                yield {"driver": "dir_list", "target": rule["path"]}, ("allow" if good else None, True)

    def _own_ports(self):
        for _, _, rule in self.table.port_rules():
            if rule["port"].startswith("${port."):
                driver, right = next(
                    (pair for pair in (("tcp_bind", "bind_tcp"), ("tcp_connect", "connect_tcp")) if pair[1] in rule["allow"]),
                    ("udp_bind", "bind_udp"))
                yield {"driver": driver, "target": f"127.0.0.1:{rule['port']}"}, self._port(driver, rule["port"], right)


def _covers(place, rule, path):
    """Whether a rule covers a host path."""
    rule = _plain(rule) if isinstance(place, str) else None
    return place == "/" or (rule is not None and (path == rule or path.startswith(rule + "/")))


def _plain(path):
    """A host path without `.`, `..` and empty parts."""
    parts = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join([] if parts == ["proc", "self", "root"] else parts)


def _host(path, allow, spelled):
    """What a rule on a host path covers: `/` everything, `host` perhaps `${root}`, `never` surely not.

    `spelled`: the paths of all rules. A place that no rule names in its plain spelling is taken for granted, not certain.
    """
    plain = _plain(path)
    if plain == "/":
        return "/"
    parts = plain.split("/")[1:]
    process = len(parts) > 2 and parts[0] == "proc" and (parts[1] in ("self", "thread-self") or parts[1].isdigit())
    linked = plain in ("/proc/mounts", "/proc/net") or plain.startswith("/proc/net/")
    if plain not in spelled or linked or (process and parts[2] in PRIVATE):
        raise Nothing(f"where {path} leads is not certain")
    if plain in DEVICES and not allow <= ON_FILES:
        raise Nothing(f"the kernel refuses the rule on {path}")
    return "never" if any(plain == top or plain.startswith(top + "/") for top in NEVER_ABOVE) else "host"
