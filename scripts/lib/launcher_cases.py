"""Random answers of a worker inside a launcher, drawn from a seed, for the rows of a bundle: every line of SPEC 2.3 is met."""

import copy

FAULTS = ("not_started", "many", "restarted", "elsewhere", "time_limit", "answer_lost", "foreign_target", "cannot_ask")
CALLS = ("openat", "socket", "mount", "connect", "unshare", "mount_bind")
NUMBERS = (1, 2, 4, 11, 12, 13, 16, 17, 18, 20, 22, 24, 27, 28, 30, 35, 38, 47, 68, 75, 78, 84, 87, 97, 111)
DONE = {"outcome": {"is": "done"}, "duration_us": 5, "content": "nonce"}


class _Dice:
    def __init__(self, rng):
        self.rng, self.one_of = rng, rng.choice

    def chance(self, of_100):
        return self.rng.random() * 100 < of_100

    def coin(self):
        return self.chance(50)

    def outcome(self):
        found = {"is": self.one_of(("done", "done", "failed", "failed", "failed", "no_answer", "died"))}
        if found["is"] == "failed":
            found |= {"call": self.one_of(CALLS), "errno": self.one_of(NUMBERS)}
            found |= {"prepares": True} if self.chance(12) else {}
        if found["is"] == "died":
            found |= {"signal": self.one_of((9, 31, 0)), "twice": self.chance(70), "nop_lives": self.chance(70)}
            found |= {"box_control_lives": self.coin()} if self.coin() else {}
        return found

    def answer(self):
        found = {"outcome": self.outcome(), "duration_us": self.one_of((500, 200_000))}
        found |= {"content": self.one_of(("nonce", "other", "unmarked"))} if self.coin() else {}
        for name in ("same_object", "consequence"):
            found |= {name: self.coin()} if self.coin() else {}
        return found

    def asked(self, kind):
        found = {"kind": kind, "name": f"/o/{kind}", "answer": self.answer()}
        if self.coin():
            effect = {"when": self.one_of(("at_once", "end_of_lane"))} if self.coin() else {}
            found["effect"] = effect | {
                name: self.coin() for name in ("twin_intact", "own", "barrier") if self.coin()}
        if self.coin():
            found["again"] = self.outcome()
        return found

    def pair(self, *of):
        return [self.one_of(of), self.one_of(of)]

    def source(self):
        return {"device": self.one_of(("1:1", "1:2")), "path": self.one_of(("/a", "/b")), "mount_point": "/o", "fs_type": "tmpfs"}

    def around(self):
        found = {"same_credentials": self.chance(80)}
        for name in ("source_outside", "source_inside"):
            found |= {name: self.source()} if self.chance(80) else {}
        found |= {name: self.pair("x", "y") for name in ("net", "pid", "ipc", "cgroup") if self.chance(70)}
        found |= {"traced": self.coin()} if self.chance(20) else {}
        found |= {"seccomp_mode": self.pair(0, 2)} if self.coin() else {}
        found |= {"seccomp_filters": self.pair(0, 1)} if self.coin() else {}
        found |= {"seatbelt": self.pair(False, True)} if self.coin() else {}
        found |= {"lower_limit": "NOFILE"} if self.coin() else {}
        found |= {"process": {"outside": 1} | ({"inside": self.one_of((1, 2))} if self.coin() else {})} if self.coin() else {}
        found |= {"appeared": True} if self.coin() else {}
        return found | ({"visible": self.coin()} if self.coin() else {})

    def record(self):
        kinds = ["spelled", *(self.one_of(("mapped", "canonical", "mount", "gateway")) for _ in range(self.one_of((0, 0, 1, 2))))]
        found = {"start": {"number": 1, "executable": "path", "mode": "live"}, "around": self.around()}
        found["start"] |= {"link": self.one_of(("read", "read", "process", "copy"))} if self.chance(95) else {}
        found |= {"fault": {"kind": self.one_of(FAULTS), "detail": "d"}} if self.chance(6) else {}
        found |= {"asked": [self.asked(kind) for kind in kinds]} if self.chance(97) else {}
        found |= {"system": "macos"} if self.chance(20) else {}
        good = self.chance(70)
        for name in ("before", "after"):
            if good or self.coin():
                found[name] = copy.deepcopy(DONE) if good else self.answer()
        if good and self.coin():
            found.pop("before")
        found |= {"neighbour": self.chance(85)} if self.chance(90) else {}
        if self.coin():
            found["empty_call"] = {
                "call": self.one_of(CALLS), "inside": self.one_of((1, 13, 38)), "outside": self.one_of((-1, 0, 1, 9, 38, 78))}
        return found | ({"world_changed": self.coin()} if self.chance(12) else {})


def rows(rng, base):
    """A bundle's scenario rows, with other answers in the place of their own."""
    dice, found = _Dice(rng), []
    for row in copy.deepcopy(base):
        if "launcher" in row:
            row["launcher"] = dice.record()
            for asked in row["launcher"].get("asked", ()):
                outcome = asked["answer"]["outcome"]
                if outcome["is"] == "failed" and dice.coin():
                    outcome |= {"errno": dice.one_of((1, 2, 2, 13, 17)), "call": "openat"}
                    outcome.pop("prepares", None)
                if dice.coin():
                    asked.pop("effect", None)
        found.append(row)
    return found
