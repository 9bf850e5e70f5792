"""Calls that fail on purpose, as DARWIN_DOUBLE_FAULTS names them: a file with a JSON list of objects.

    {"call": "_fsync", "errno": "ENOSPC"}            every call of it fails
    {"call": "_read", "errno": "EINTR", "nth": 3}    the third of a process
    {"call": "_write", "errno": "EPERM", "role": "__fresh"}   in processes with that subcommand (`harness`: any other)
    {"call": "_read", "short": 1}                    gives at most that many bytes
    {"call": "_sandbox_check", "answer": -1, "errno": "EINVAL"}
    {"clock": "frozen"}
    {"exit_at": "_fsync", "nth": 2, "signal": 9}     the process is ended by a signal in that call
"""

import json
import os
import signal

from .calls import NUMBER_OF
from .machine import Quit

VARIABLE = "DARWIN_DOUBLE_FAULTS"


class Fault:
    def __init__(self, given):
        self.given = given

    def number(self):
        name = self.given.get("errno")
        return None if name is None else NUMBER_OF[name]


class Faults:
    def __init__(self, argv):
        path = os.environ.get(VARIABLE)
        self.list = json.load(open(path)) if path else []
        commands = [word for word in argv[1:] if not word.startswith("-")]
        role = commands[0] if commands else ""
        self.role = role if role.startswith("__") else "harness"
        self.list = [one for one in self.list if one.get("role", self.role) == self.role]
        self.active = bool(self.list)
        self.frozen = any(one.get("clock") == "frozen" for one in self.list)
        self.seen = {}

    def of(self, call):
        """The fault that this call of the function is to have."""
        count = self.seen[call] = self.seen.get(call, 0) + 1
        for one in self.list:
            if one.get("call") != call and one.get("exit_at") != call:
                continue
            if count != one.get("nth", count) or count < one.get("from", 0):
                continue
            if "exit_at" in one:
                raise Quit(signo=one.get("signal", signal.SIGKILL))
            if "errno" in one and "answer" not in one:
                self._note(one)
                return Fault(one)
        return None

    def names(self, calls):
        """Whether one of these is to fail, or to be an end."""
        return any(one.get("call") in calls or one.get("exit_at") in calls for one in self.list)

    def short(self, call, size):
        """How many bytes a call may move."""
        for one in self.list:
            if one.get("call") == call and "short" in one:
                return min(size, one["short"])
        return size

    def answer(self, call):
        """An answer that is given instead of asking."""
        return next((one for one in self.list if one.get("call") == call and "answer" in one), None)

    @staticmethod
    def _note(one):
        """Writes down that the fault happened, so that a test knows that it tried something."""
        note = os.environ.get("DARWIN_DOUBLE_STATE")
        if note:
            with open(os.path.join(note, "faults-that-happened"), "a") as file:
                file.write(one.get("call", "") + "\n")
