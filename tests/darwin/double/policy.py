"""Seatbelt as this project's own model decides it.

Every check of a confined process is put to `sandproof why` of the build for this host. What the model cannot know is let
through and written down, so that a test can tell such a row from one that the model decided.
"""

import hashlib
import json
import os
import re
import subprocess

from .calls import Refused

EXECUTABLE, STATE, INHERITED = "DARWIN_DOUBLE_HOST", "DARWIN_DOUBLE_STATE", "DARWIN_DOUBLE_POLICY"
ANSWERS = "DARWIN_DOUBLE_ANSWERS"
_GATED = re.compile(r"\(\s*apply-message-filter\s*\(\s*deny\b")

#: The filters of sandbox_check, by number.
FILTERS = {
    1: "path", 2: "global-name", 3: "local-name", 4: "appleevent-destination", 5: "right-name", 6: "preference-domain",
    7: "kext-bundle-id", 8: "info-type", 9: "notification-name", 12: "xpc-service-name", 13: "iokit-connection",
    15: "nvram-variable", 17: "ipc-posix-name",
}  # fmt: skip


def _kept(command):
    """Where the answer to a question is kept, for whoever asks it next. The model answers the same question alike; a profile
    is named by the digest of its text."""
    folder = os.environ.get(ANSWERS)
    words = [os.path.basename(word) if before == "--profile" else word for before, word in zip(["", *command], command)]
    return folder and os.path.join(folder, hashlib.sha256(json.dumps(words).encode()).hexdigest())


class NotApplied(Exception):
    """A profile is refused: error number and text."""

    def __init__(self, number, text):
        super().__init__(text)
        self.number, self.text = number, text


_EVERYTHING = "(version 1)(allow default)"


def _forms(text):
    """A profile without its comments and its layout."""
    return re.sub(r"\s*([()])\s*", r"\1", re.sub(r";[^\n]*", "", text)).strip()


class Policy:
    """The policy of one process; none at first."""

    def __init__(self):
        self.profile, self.parameters, self.known = None, [], {}
        given = os.environ.get(INHERITED)
        if given:
            self.profile, self.parameters = json.loads(given)

    @property
    def confined(self):
        return self.profile is not None

    def inherited(self):
        """What a program that this process becomes needs to know."""
        return {INHERITED: json.dumps([self.profile, self.parameters])} if self.confined else {}

    def apply(self, text, parameters):
        if self.confined:
            # One policy a process: `forbidden-sandbox-reinit`. But what allows everything may be said again.
            with open(self.profile, errors="replace") as file:
                if _forms(text) == _forms(file.read()) == _EVERYTHING:
                    return
            raise NotApplied("EPERM", None)
        if _GATED.search(_forms(text)):
            raise NotApplied("EPERM", None)
        folder = os.path.join(os.environ[STATE], "policies")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, hashlib.sha256(text.encode()).hexdigest()[:16] + ".sb")
        if not os.path.exists(path):
            with open(f"{path}.{os.getpid()}", "w") as file:
                file.write(text)
            os.replace(f"{path}.{os.getpid()}", path)
        self.profile, self.parameters = path, list(parameters)
        answer, code, complaint = self._why("default", "")
        if answer is None:
            self.profile, self.parameters = None, []
            place = re.search(r"\b(\d+):(\d+)\b", complaint)
            line, column = place.groups() if place else ("1", "1")
            said = complaint.strip().splitlines()[0] if complaint.strip() else f"exit code {code}"
            raise NotApplied("EPERM", f"{said} at <input string>, line {line}, column {column}")

    def _why(self, operation, target, facts=(), filter_name=None):
        command = [os.environ[EXECUTABLE], "why", "--json", "--profile", self.profile, "--operation", operation]
        command += ["--target", target]
        for key, value in self.parameters:
            command += ["-D", f"{key}={value}"]
        for fact in facts:
            command += ["--fact", fact]
        if filter_name:
            command += ["--filter", filter_name]
        kept = _kept(command)
        if kept and os.path.exists(kept):
            with open(kept) as file:
                return json.load(file)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", env={}, timeout=60)
        known = done.returncode in (0, 8) and done.stdout
        answer = [json.loads(done.stdout), done.returncode, ""] if known else [None, done.returncode, done.stderr]
        if kept:
            with open(f"{kept}.{os.getpid()}", "w") as file:
                json.dump(answer, file)
            os.replace(f"{kept}.{os.getpid()}", kept)
        return answer

    def decide(self, operation, target, kind=None, filter_name=None, mode=None):
        """Whether the operation is allowed; `None` if the model does not know it."""
        key = (operation, target, kind, filter_name, mode)
        if key not in self.known:
            facts = [f"vnode-type={kind}"] if kind else []
            facts += [f"file-mode={mode:04o}"] if mode is not None else []
            answer, _, _ = self._why(operation, target, facts, filter_name)
            self.known[key] = None if answer is None else answer["decision"]
        decision = self.known[key]
        if decision in ("allow", "deny"):
            return decision == "allow"
        with open(os.path.join(os.environ[STATE], "not-known-to-the-model"), "a") as file:
            file.write(json.dumps([os.path.basename(self.profile), operation, target, decision]) + "\n")
        return None if decision is None else True

    def allows(self, operation, target, kind=None, filter_name=None, mode=None):
        if not self.confined:
            return True
        return self.decide(operation, target, kind, filter_name, mode) is not False

    def require(self, operation, target, kind=None, filter_name=None, mode=None):
        """EPERM, unless it is allowed."""
        if not self.allows(operation, target, kind, filter_name, mode):
            raise Refused("EPERM")

    def check(self, operation, number, argument):
        """sandbox_check: 0 allowed, 1 denied."""
        filter_name = FILTERS.get(number & 0xFFFF)
        if number & 0xFFFF and filter_name is None:
            raise Refused("EINVAL")
        if not self.confined:
            return 0
        named = filter_name if filter_name not in (None, "path") else None
        decision = self.decide(operation, argument, None, named)
        if decision is None:
            raise Refused("EINVAL")
        return int(not decision)
