"""Random changes to a bundle, drawn from a seed: to its documents, and to its raw rows."""

import copy
import json
import os

OWN = ("run_manifest.json", "run_status.json", "run_identity.json", "artifact_index.json", "apply_preflight.json",
       "channel_witness.json", "inputs/sources.json")
RESEALED = (("index",), ("index",), ("declaration", "index"), ("sources", "index"), ("sources", "declaration", "index"))
ENDINGS = (
    {"how": "exited", "code": 0}, {"how": "exited", "code": 1}, {"how": "exited", "code": 42},
    {"how": "signaled", "signal": 9, "core_dumped": False}, {"how": "lost"}, {"how": "not_started", "errno": 11},
    {"how": "expired", "deadline_ms": 10000, "sent": [], "signal": 9},
)
KINDS = ("capability_missing", "fixture_failed", "worker_lost", "landlock_unavailable", "probe_errno", "lane_unsupported")


def pointers(value, path=""):
    """JSON pointers of all that a document holds; of a list the first four items."""
    found = [path] if path else []
    if isinstance(value, dict):
        for name, one in value.items():
            found += pointers(one, path + "/" + name.replace("~", "~0").replace("/", "~1"))
    if isinstance(value, list):
        for number, one in enumerate(value[:4]):
            found += pointers(one, f"{path}/{number}")
    return found


def at(value, pointer):
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def other(rng, value):
    """Another value, mostly of the same type."""
    one_of = rng.choice
    if rng.random() < 0.12:
        return one_of([None, True, [], {}, "x", 0, -1, 1.5])
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return one_of([value + 1, 0, value - 1, 10**12, -5])
    if isinstance(value, float):
        return one_of([value + 1, value - 100, value + 100_000, 0.0, -1.0])
    if isinstance(value, str):
        same = "0" * 64 if len(value) == 64 else "deny" if value == "allow" else "allow"
        return one_of([value + "x", "", value.upper(), value[:-1], same])
    if isinstance(value, list):
        return value[:-1] if value and rng.random() < 0.5 else [*value, value[0] if value else "x"]
    if isinstance(value, dict):
        return value | {"extra": 1} if rng.random() < 0.5 else dict(list(value.items())[1:])
    return one_of(["x", 0, [], True])


class Forger:
    def __init__(self, rng, bundle):
        self.rng, self.bundle = rng, bundle
        self.documents = sorted(
            os.path.relpath(os.path.join(folder, name), bundle)
            for folder, _, names in os.walk(bundle) for name in names if name.endswith(".json"))
        self.own = [name for name in self.documents if name in OWN]
        self.rows = {}
        for lane in ("scenario", "baseline", "control", "oracle"):
            path = os.path.join(bundle, "rows", f"{lane}.jsonl")
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    self.rows[lane] = [json.loads(line) for line in file]
        self.rows = {lane: rows for lane, rows in self.rows.items() if rows}

    def forgery(self):
        """Edits and what is sealed anew after them, as a vector of SPEC 10 has them."""
        rng = self.rng
        if self.rows and rng.random() < 0.5:
            return {"edits": [self._row() for _ in range(rng.choice((1, 1, 2)))], "reseal": ["index"]}
        edits = [self._document() for _ in range(rng.choice((1, 1, 1, 2)))]
        return {"edits": edits, "reseal": list(rng.choice(RESEALED))}

    def _document(self):
        name = self.rng.choice(self.own * 3 + self.documents)
        with open(os.path.join(self.bundle, name), encoding="utf-8") as file:
            document = json.load(file)
        edit = {"file": name, "pointer": self.rng.choice(pointers(document))}
        return edit | ({"value": other(self.rng, at(document, edit["pointer"]))} if self.rng.random() < 0.75 else {})

    def _row(self):
        rng = self.rng
        lane = rng.choice([*self.rows, *(["scenario"] if "scenario" in self.rows else [])])
        place = rng.randrange(len(self.rows[lane]))
        row = copy.deepcopy(self.rows[lane][place])
        for _ in range(rng.choice((1, 1, 2, 3))):
            if lane == "oracle" or rng.random() < 0.2:
                pointer = rng.choice(pointers(row))
                inner, _, name = pointer.rpartition("/")
                holder = at(row, inner) if inner else row
                holder[int(name) if isinstance(holder, list) else name.replace("~1", "/")] = other(rng, at(row, pointer))
            else:
                self._shape(row)
        return {"file": f"rows/{lane}.jsonl", "line": place, "pointer": "", "value": row}

    def _call(self):
        one_of = self.rng.choice
        return {"syscall": one_of(("openat", "read", "fork", "execve", "write", "connect")), "role": one_of(("prepare", "operation")),
                "ret": one_of((-1, -1, 0, 4)), "errno": one_of((0, 0, 2, 13, 1, 18, 25, 30))}

    def _shape(self, row):
        """One of the shapes that the decision rule tells apart."""
        rng, one_of = self.rng, self.rng.choice
        prologue, operation = row.get("prologue") or {}, row.get("operation") or {}
        kind = rng.randrange(15)
        if kind == 0:
            row["ending"] = one_of(ENDINGS)
        elif kind in (1, 2):
            row.pop(("prologue", "operation")[kind - 1], None)
        elif kind == 3:
            row["report_error"] = "x"
        elif kind == 4 and operation:
            operation["calls"] = [self._call() for _ in range(rng.randrange(4))]
        elif kind == 5 and operation.get("calls"):
            operation["calls"][-1] |= one_of([{"ret": -1, "errno": one_of((13, 1, 18, 2))}, {"ret": 0, "errno": 0}, {"ret": -1, "errno": 0}])
        elif kind == 6 and "apply" in prologue:
            prologue["apply"] |= one_of([{"rc": -1, "errno": 22}, {"api": one_of(("sandbox_init", "launcher", "other"))},
                                         {"unsupported": ["x"]}, {"failure": one_of(KINDS)}])
        elif kind == 7:
            prologue.pop(one_of(("apply", "self_check_after")), None)
        elif kind in (8, 9):
            check = ("self_check_before", "self_check_after")[kind - 8]
            if check in prologue:
                prologue[check] |= {"confined": one_of((True, False, None)), "errno": one_of((0, 1))}
        elif kind == 10 and prologue:
            prologue["setup_failure"] = {"step": "x", "errno": one_of((0, 13))} | one_of(({}, {"missing": "f"}, {"leads_to": "/x"}))
        elif kind == 11 and operation:
            operation["details"] = [[one_of(("confirmed", "received", "bytes_read", "program_exit_code")), one_of((0, 1, 42))]]
        elif kind == 12:
            for name in ("ending", "prologue", "operation", "pid", "process"):
                row.pop(name, None)
            row["not_run"] = {"kind": one_of(KINDS), "reason": "r", "errno": one_of((0, 2))}
        elif kind == 13 and prologue.get("target"):
            prologue["target"] |= one_of(({"errno": 2}, {"mode": 0o100600}, {"uid": 5}, {"ino": 7}))
        elif kind == 14 and "pid" in row:
            row["pid"] = one_of((1, 2, 99_999))
