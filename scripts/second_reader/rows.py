"""The raw rows of a bundle against its plan (SPEC 3.1, step 9) and against the rest of it (SPEC 3, contradictions)."""

import re

from . import json_text, schema
from .decide import ENFORCERS, executions, stage
from .drivers import ENDS_IN, HOLDS, TABLE
from .finding import NotDerivable, Refused
from .plan import action, implied_folders

MOST_BYTES = 1024 * 1024
KEEP_INODES = ("tmpfs", "ext4", "xfs", "btrfs", "f2fs", "apfs")
STARTED = ("exited", "signaled", "expired", "lost")


class Lane:
    """The rows of a lane, each read when it is asked for: what is wrong with a row is found at its place."""

    def __init__(self, path, data, schema_name):
        self.path, self.schema_name = path, schema_name
        self.lines = data.split(b"\n")
        self.unfinished = self.lines[-1] != b""
        if not self.unfinished:
            self.lines.pop()
        self.rows = {}

    def __len__(self):
        return len(self.lines)

    def __getitem__(self, place):
        if place >= len(self.lines):
            raise IndexError(place)
        if place not in self.rows:
            self.rows[place] = self._row(place)
        return self.rows[place]

    def _row(self, place):
        line, where = self.lines[place], f"{self.path}, line {place + 1}"
        if self.unfinished and place + 1 == len(self.lines):
            raise NotDerivable(f"{where}: it does not end with a newline")
        if len(line) > MOST_BYTES:
            raise NotDerivable(f"{where}: it is longer than 1 MiB")
        try:
            row = json_text.parse(line)
        except json_text.NotJson as error:
            raise NotDerivable(f"{where}: {error}") from error
        row = schema.settled(row, self.schema_name)
        fault = schema.first_fault(row, self.schema_name)
        if fault:
            raise NotDerivable(f"{where}: at `{fault[0]}`, {fault[1]}")
        return row


def read(files, lane):
    """The rows of a lane; None if the bundle has no such file."""
    path = f"rows/{lane}.jsonl"
    return Lane(path, files[path], "oracle_row" if lane == "oracle" else "probe_row") if path in files else None


def check_planned(lane, seq, row, wanted):
    """A row is the planned one. `wanted`: members by name, and `action` with its placeholders, or None."""
    where = f"rows/{lane}.jsonl, line {seq + 1}"
    expected = {"seq": seq, **{name: value for name, value in wanted.items() if name not in ("action", "supported")}}
    if lane != "oracle":
        expected["lane"] = lane
    for name, value in expected.items():
        if row.get(name) != value:
            raise NotDerivable(f"{where}: {name} is {row.get(name)!r}, the plan has {value!r}")
    if lane == "oracle":
        return
    if "control_expects" in row and "control_expects" not in wanted:
        raise NotDerivable(f"{where}: it is no control")
    if wanted["action"] is not None:
        _check_action(where, wanted["action"], row)
    kinds = [name for name in ("ending", "not_run", "launcher") if name in row]
    if len(kinds) != 1:
        raise NotDerivable(f"{where}: it has {len(kinds)} of `ending`, `not_run`, `launcher`")
    kind = row.get("not_run", {}).get("kind")
    if kind and stage(kind) not in ("preflight", "apply"):
        raise NotDerivable(f"{where}: a probe that was not run cannot have stopped at {kind}")
    if (kind == "lane_unsupported") == wanted["supported"]:
        raise NotDerivable(f"{where}: a probe runs in exactly the lanes that its `supports_lanes` names")


def _check_action(where, declared, row):
    found, root, run = row["action"], row["root"], "not_run" not in row

    def leads(one, other):
        if one is None or other is None:
            return one is other
        return leads_to(one, other, root) or (not run and one == other)
    texts = [(declared.get(name), found.get(name)) for name in ("target", "to", "name")]
    mounts, shown = declared.get("mounts", []), found.get("mounts", [])
    texts += [(one[side], other[side]) for one, other in zip(mounts, shown) for side in ("from", "at")]
    words, given = declared.get("argv", []), found.get("argv", [])
    texts += zip(words, given)
    other = len(mounts) != len(shown) or len(words) != len(given) or declared.get("exit_code") != found.get("exit_code")
    if declared["driver"] not in (None, found["driver"]) or (other and declared["driver"]):
        raise NotDerivable(f"{where}: it is another operation than the plan's")
    for one, other in texts:
        if not leads(one, other):
            raise NotDerivable(f"{where}: {one!r} of the plan does not lead to {other!r}")


def leads_to(declared, found, root):
    """Whether `found` can be what the run made of `declared`: `${root}`, any port, any name that is not empty."""
    pattern = ""
    for piece in re.split(r"(\$\{[^}]*\})", declared):
        if piece == "${root}":
            pattern += re.escape(root)
        elif piece in ("${workspace}", "${outside}", "${home}"):
            pattern += re.escape(f"{root}/{piece[2:-1]}")
        elif piece.startswith("${port."):
            pattern += r"(?P<port%d>\d+)(?!\d)" % len(pattern)
        elif piece.startswith("${name."):
            pattern += ".+"
        elif piece.startswith("${") and piece.endswith("}"):
            return False
        else:
            pattern += re.escape(piece)
    match = re.fullmatch(pattern, found, re.DOTALL)
    return bool(match) and all(int(port) <= 65535 for port in match.groupdict().values())


def planned(row, lane):
    """What a row of a lane has to be, as far as the plan says."""
    wanted = {
        "profile_id": row.profile_id, "probe_id": row.probe["probe_id"], "expectation_id": row.expectation_id,
    }
    return wanted if lane == "oracle" else wanted | {"action": row.action, "supported": row.supports(lane)}


class NoContradictions:
    """Of a merge: its parts were held to the rules, with their own folders."""

    def check(self, row, fixtures):
        pass


class Contradictions:
    """The rules of rows: the first that a row breaks is its finding."""

    def __init__(self, manifest):
        self.base = manifest["fixture_base"]
        self.host = manifest["host"]
        self.times = manifest.get("repeat", 1)
        self.listened = "attribution" in manifest

    def check(self, row, fixtures):
        times = 1 + len(row.get("repetitions", ()))
        broken = [("row_repetitions", f"it was performed {times} times, not {self.times}")] if times != self.times else []
        broken += [found for one in executions(row) for found in self._broken(one, fixtures)]
        for code, words in broken:
            raise Refused((f"rows/{row['lane']}.jsonl", code, f"line {row['seq'] + 1}: {words}"))

    def _broken(self, row, fixtures):
        if "launcher" in row and row["lane"] != "scenario":
            yield "row_process", "a question under a launcher is one of the scenario lane alone"
        root = f"{self.base}/{'c' if row['lane'] == 'control' else 'r'}{row['seq']:06}"
        shared = row["lane"] == "scenario" and re.fullmatch(re.escape(self.base) + r"/l[0-9]{6}", row["root"])
        if row["root"] != root and not shared:
            yield "row_root", f"its folder is {row['root']}, that of this run for it is {root}"
        yield from self._process(row)
        yield from self._attribution(row)
        prologue = row.get("prologue")
        if prologue is None:
            return
        if (prologue["uid"] == 0) != (self.host["uid_class"] == "root"):
            yield "row_caller", f"user id {prologue['uid']}"
        apply, after = prologue.get("apply"), prologue.get("self_check_after")
        if row["lane"] == "baseline" and (apply or after):
            yield "row_policy", "a policy was put on, and the baseline has none"
        if apply:
            if "abi" in apply and apply["abi"] != self.host["landlock_abi"]:
                yield "row_abi", f"Landlock ABI {apply['abi']}"
            restricted = ENFORCERS.get(apply["api"]) == "landlock" and apply["rc"] == 0
            if restricted and after and not after["no_new_privs"]:
                yield "row_privileges", "the process restricted itself and could still gain privileges"
        if self.host["os"] == "linux":
            yield from self._descriptors(row, prologue["open_fds"])
        if "operation" in row:
            yield from self._operation(row, prologue, fixtures)

    def _attribution(self, row):
        said = row.get("attribution")
        if said is None:
            return
        failed = any(call["ret"] < 0 for call in row.get("operation", {}).get("calls", ()))
        by_kernel = said["level"] == "kernel"
        told = ("unattributed" in said, "blockers" in said) == (not by_kernel, by_kernel)
        if not self.listened or row["lane"] == "baseline" or not failed:
            yield "row_attribution", "the kernel said nothing of it that anybody heard"
        elif not told or (not by_kernel and len(said) != 2):
            yield "row_attribution", "it does not say what its level demands"

    @staticmethod
    def _process(row):
        ending = row.get("ending")
        started = ending is not None and ending["how"] in STARTED
        if not started and any(name in row for name in ("prologue", "operation", "pid", "process")):
            yield "row_process", "no process was started, and the row says what one did"
        if row.get("pid", 2) < 2:
            yield "row_process", f"process id {row['pid']}"
        if "prologue" in row and row["prologue"]["pid"] != row.get("pid"):
            yield "row_process", "another process spoke than was started"
        if row["started_at_unix_s"] < 0:
            yield "row_process", "it was started before 1970"

    @staticmethod
    def _descriptors(row, opened):
        numbers = [one["fd"] for one in opened]
        if len(set(numbers)) != len(numbers):
            yield "row_descriptors", "a descriptor stands there twice"
        holds = HOLDS.match(row["action"]["driver"])
        for one in opened:
            own = one["what"].startswith(row["root"] + "/")
            if one["what"] != "/dev/null" if one["fd"] < 3 else one["what"].startswith("/") and not holds and not own:
                yield "row_descriptors", f"descriptor {one['fd']} was open on {one['what']}"

    def _operation(self, row, prologue, fixtures):
        operation, mounts = row["operation"], row["action"].get("mounts")
        prefix = row["root"] + "/"
        inside = row["action"]["target"].removeprefix(prefix) if row["action"]["target"].startswith(prefix) else None
        target, opened = prologue.get("target"), operation.get("opened")
        if target and opened and self.host["fixture_fs"] in KEEP_INODES and inside and not mounts:
            plain = not any(part in ("", ".", "..") for part in inside.split("/"))
            links = [one["path"] for one in fixtures if one["kind"] == "symlink"]
            straight = plain and not any(inside == link or inside.startswith(link + "/") for link in links)
            regular = target["errno"] == 0 and "mode" in target and target["mode"] & 0o170000 == 0o100000
            untold = self.host["os"] != "linux" and opened["ino"] == 0
            other = (target.get("dev"), target.get("ino")) != (opened["dev"], opened["ino"])
            if straight and regular and not untold and other:
                yield "row_opened", "the file that it opened is not the one that it aimed at"
        calls = operation["calls"]
        if not calls or any(call["ret"] < 0 for call in calls):
            return
        end = ENDS_IN.get(row["action"]["driver"])
        if end and calls[-1]["syscall"] != end:
            yield "row_calls", f"it went through, and ends in {calls[-1]['syscall']} instead of {end}"
        filled = any(one["path"] == inside and one["kind"] == "file" and one.get("text") for one in fixtures)
        read_bytes = next((value for name, value in operation.get("details", []) if name == "bytes_read"), None)
        if filled and not mounts and read_bytes == 0:
            yield "row_content", "it read nothing of a file that the run had filled"


def with_actions(plan):
    """Gives each row of the plan what it does; None where SPEC does not say it (the reference's names of drivers under Seatbelt)."""
    for profile in plan.profiles:
        for row in profile.rows:
            known = row.probe.get("driver") in TABLE
            row.action = action(row.probe) if known else None
            if profile.policy.mode in ("landlock", "launcher"):
                row.fixtures = [*row.fixtures, *implied_folders(row.action, row.fixtures)]
