"""A Mac's root in a folder, and commands that run there under the double."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from double import client  # noqa: E402

REPOSITORY = TESTS.parents[1]
WORLD = json.loads((TESTS / "worlds" / "darwin-double.json").read_text())
HOME = "/Users/double"
#: As the executable of the tests is called there.
EXECUTABLE = f"{HOME}/sandproof"
FOLDERS = """private/tmp private/var/tmp private/var/folders/dd/double/T private/etc usr/bin usr/sbin usr/lib usr/local bin sbin
System/Library System/Volumes/Data Users/double Library Applications dev""".split()
LINKS = {"tmp": "private/tmp", "var": "private/var", "etc": "private/etc"}
PROGRAMS = """bin/launchctl usr/bin/true usr/bin/false usr/bin/plutil usr/bin/log usr/bin/env usr/bin/sandbox-exec
usr/lib/dyld""".split()
#: What a run that goes through the usual code is asked for, beside its plan.
USUAL = ["--only-profile", "checks:mixed", "--only-profile", "checks:queries", "--only-profile", "checks:xpc"]
#: The double could not do what it was asked for: never an answer of the program.
EXIT_DOUBLE = 125
#: The host's own Python, without what a user or a site adds.
PYTHON = ["/usr/bin/python3", "-E", "-s", "-S", "-B"]
LIMIT_S = int(os.environ.get("DARWIN_DOUBLE_LIMIT_S", "300"))


class Failed(Exception):
    """A check did not hold; the text says which and what was seen."""


def check(condition, text):
    if not condition:
        raise Failed(text)


@dataclass
class Done:
    code: int
    out: str
    err: str
    seconds: float

    def expect(self, *codes):
        """Exit codes that are right here; ends with a signal are negative."""
        if self.code not in codes:
            raise Failed(f"exit code {self.code}, not {' or '.join(map(str, codes))}\n{self.out[-3000:]}\n{self.err[-4000:]}")
        return self

    def json(self):
        return json.loads(self.out)


class Tools:
    """What every test needs: the executable, this host's build of the program, the emulator."""

    image: Path
    host: Path
    emulator: Path
    scratch: Path
    coverage: Path
    #: What the model has answered, for all.
    answers: Path
    #: The socket of the server that starts programs; without it each starts by itself.
    server: Path = None


class Mac:
    """One Mac, of its own."""

    def __init__(self, world=WORLD["world_id"], folder=None):
        self.folder = folder or Path(tempfile.mkdtemp(prefix="mac-", dir=Tools.scratch))
        self.root, self.state = self.folder / "root", self.folder / "state"
        self.home = self.root / HOME[1:]
        if self.state.is_dir():
            # One that was kept.
            (self.root / EXECUTABLE[1:]).unlink(missing_ok=True)
            shutil.copy(Tools.image, self.root / EXECUTABLE[1:])
            return
        self.state.mkdir(parents=True)
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name, text in LINKS.items():
            (self.root / name).symlink_to(text)
        (self.root / "private/tmp").chmod(0o1777)
        (self.root / "private/etc/hosts").write_text("127.0.0.1\tlocalhost\n")
        (self.root / "private/etc/services").write_text("ssh\t22/tcp\n")
        for name in PROGRAMS:
            (self.root / name).write_text("a program of the double's\n")
            (self.root / name).chmod(0o755)
        # A folder of somebody's own may lie on another file system.
        (os.link if folder is None else shutil.copy)(Tools.image, self.root / EXECUTABLE[1:])
        for name in ("plans", "registries"):
            shutil.copytree(REPOSITORY / name, self.home / name)
        shutil.copy(TESTS / "worlds" / "darwin-double.json", self.home / "registries/worlds")
        if world is not None:
            for plan in self.home.glob("plans/*/plan.json"):
                text = json.loads(plan.read_text())
                plan.write_text(json.dumps(text | {"world_id": world}, indent=2))

    def launchd(self, **manner):
        (self.state / "launchd.json").write_text(json.dumps(manner))

    def compiled(self, data, text):
        """What a compiled profile means."""
        folder = self.state / "compiled"
        folder.mkdir(exist_ok=True)
        (folder / f"{hashlib.sha256(data).hexdigest()}.sb").write_text(text)

    def environment(self, faults=(), extra=None):
        prefix = "DARWIN_DOUBLE_"
        found = {
            "ROOT": self.root, "STATE": self.state, "IMAGE": self.root / EXECUTABLE[1:], "HOST": Tools.host,
            "UNICORN": Tools.emulator, "ANSWERS": Tools.answers, "PACKAGE": TESTS / "double", "ARGV0": EXECUTABLE,
        }  # fmt: skip
        if Tools.server:
            found["SERVER"] = Tools.server
        if Tools.coverage:
            found["COVERAGE"] = Tools.coverage
        if faults:
            path = self.state / "faults.json"
            path.write_text(json.dumps(list(faults)))
            found["FAULTS"] = path
        found |= extra or {}
        user = {"HOME": HOME, "USER": "double", "LOGNAME": "double", "PATH": "/usr/bin:/bin", "TMPDIR": "/var/folders/dd/double/T/"}
        return user | {prefix + key: str(value) for key, value in found.items()}

    def start(self, *arguments, faults=(), extra=None, **streams):
        environment = self.environment(faults, extra)
        if Tools.server:
            return client.start(str(Tools.server), arguments, environment, self.home, **streams)
        command = [*PYTHON, str(TESTS / "double"), *arguments]
        return subprocess.Popen(command, env=environment, cwd=self.home, close_fds=True, **streams)

    def run(self, *arguments, faults=(), extra=None, limit=LIMIT_S):
        """Runs a command to its end."""
        began = time.monotonic()
        process = self.start(
            *arguments, faults=faults, extra=extra, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.end_everything()
            process.kill()
            out, err = process.communicate()
            raise Failed(f"no end after {limit} s: {' '.join(arguments)}\n{err.decode(errors='replace')[-3000:]}") from None
        return Done(process.returncode, out.decode(), err.decode(errors="replace"), time.monotonic() - began)

    # --- what is left -------------------------------------------------------------------------------------------------

    def processes(self):
        """Processes that run under this Mac, with the subcommand that each is."""
        mark, found = f"DARWIN_DOUBLE_ROOT={self.root}".encode(), []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    # A process of the double writes there what it is, whatever it was started as.
                    found.append((int(pid), Path(f"/proc/{pid}/comm").read_text().strip()))
            except OSError:
                continue
        return found

    def end_everything(self):
        for pid, _ in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    def nothing_lives(self, within=15.0):
        """Whatever was started ends by itself."""
        until = time.monotonic() + within
        while left := self.processes():
            if time.monotonic() > until:
                self.end_everything()
                raise Failed(f"still alive after {within} s: {left}")
            time.sleep(0.05)

    def leftovers(self):
        """Files that the program made outside of its output: stages and fixtures."""
        found = []
        for folder in ("private/tmp", "private/var/tmp", "private/var/folders/dd/double/T"):
            found += [str(path) for path in (self.root / folder).glob("*sandproof*")]
        return found

    def nothing_is_left(self):
        left = self.leftovers()
        check(not left, f"left behind: {left}")

    def remove(self):
        self.end_everything()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_server():
    """Starts the server on a Mac of its own, with a run that goes through what is usual."""
    mac = Mac()
    path, record = Tools.scratch / "server", mac.state / "record"
    record.mkdir()
    environment = mac.environment(extra={"RECORD": record, "ROOM": "x" * 4096})
    run = ["run", "--json", "--jobs", "1", "--plan", "plans/sonoma-runtime-checks/plan.json", "--out", f"{HOME}/out", *USUAL]
    process = subprocess.Popen([*PYTHON, str(TESTS / "double"), "--serve", str(path), *run], env=environment, cwd=mac.home,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # fmt: skip
    until = time.monotonic() + LIMIT_S
    while not path.exists():
        check(process.poll() is None, f"the double's server ended with {process.returncode}")
        check(time.monotonic() < until, "the double's server is not ready")
        time.sleep(0.02)
    Tools.server = path
    return process


def host(*arguments, cwd=None):
    """A command of this host's build."""
    began = time.monotonic()
    done = subprocess.run([Tools.host, *map(str, arguments)], cwd=cwd or REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, env={"PATH": "/usr/bin:/bin"}, timeout=LIMIT_S)  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


class Bundle:
    """A sealed bundle on this host."""

    def __init__(self, folder):
        self.folder = Path(folder)

    @classmethod
    def newest(cls, mac, out):
        root = mac.root / out.lstrip("/")
        return cls(root / (root / "LATEST").read_text().strip())

    def read(self, name):
        return json.loads((self.folder / name).read_text())

    def rows(self, lane):
        path = self.folder / "rows" / f"{lane}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def probes(self):
        return [probe for profile in self.read("runtime_results.json").values() for probe in profile["probes"]]

    def verify(self):
        """By this host's build, and by the script that shares no code with it."""
        host("validate-bundle", "--bundle", self.folder).expect(0)
        script = REPOSITORY / "scripts/verify_identity.py"
        done = subprocess.run(["python3", script, self.folder], capture_output=True, text=True, timeout=LIMIT_S)
        check(done.returncode == 0, f"verify_identity.py: {done.stdout}{done.stderr}")

    def packet(self):
        out = self.folder.parent / f"{self.folder.name}.packet.json"
        done = host("emit-promotion", "--bundle", self.folder, "--out", out)
        done.expect(0)
        packet = json.loads(out.read_text())
        out.unlink()
        return packet
