"""Stand-ins for programs of macOS: launchctl with the jobs that launchd keeps, plutil, log.

Jobs live as folders in the double's state. How launchd behaves is told by `launchd.json` there:

    {"domains": {"gui/501": 113}}        what `print DOMAIN` exits with; others answer
    {"bootstrap": [5, 0]}                exit codes of `bootstrap`, in turn; 0 starts the job
    {"states": ["xpcproxy"]}             what `state` says at the first looks at a job, in turn
    {"print": [113, 0]}                  exit codes of `print DOMAIN/LABEL` at its first looks, in turn
    {"environment": {"OSLogRateLimit": "64"}}   what launchd itself adds to a job
    {"start": "never" | "signal" | "late"}      no process at all, one that a signal ends at once, one after a second
    {"stays": true}                      a job goes on for long after its program has ended
"""

import json
import os
import plistlib
import subprocess
import sys
import time

from . import client

PREFIX = "DARWIN_DOUBLE_"
UID = 501
#: sysexits(3), as launchd writes a code's name behind it.
NAMES = {64: "EX_USAGE", 70: "EX_SOFTWARE", 78: "EX_CONFIG"}
SIGNALS = {9: "Killed: 9", 15: "Terminated: 15", 6: "Abort trap: 6", 5: "Trace/BPT trap: 5", 11: "Segmentation fault: 11"}
USUAL = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "XPC_FLAGS": "0x0", "SSH_AUTH_SOCK": "/private/tmp/com.apple.launchd.dd/Listeners",
         "HOME": "/Users/double", "USER": "double", "LOGNAME": "double", "SHELL": "/bin/zsh",
         "TMPDIR": "/var/folders/dd/double/T/"}  # fmt: skip


class Launchd:
    def __init__(self):
        self.root = os.environ[PREFIX + "ROOT"]
        self.state = os.path.join(os.environ[PREFIX + "STATE"], "jobs")
        os.makedirs(self.state, exist_ok=True)
        try:
            with open(os.path.join(os.environ[PREFIX + "STATE"], "launchd.json")) as file:
                self.manner = json.load(file)
        except FileNotFoundError:
            self.manner = {}

    def turn(self, what, usual):
        """The next of a list of answers; the usual one once they are used up."""
        answers = self.manner.get(what, [])
        path = os.path.join(self.state, f".{what}")
        with open(path, "a+") as file:
            file.seek(0)
            count = len(file.read())
            file.write("x")
        return answers[count] if count < len(answers) else usual

    def job(self, label):
        return os.path.join(self.state, label)

    def read(self, label, name):
        try:
            with open(os.path.join(self.job(label), name)) as file:
                return file.read()
        except OSError:
            return None

    def write(self, label, name, text):
        path = os.path.join(self.job(label), name)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.replace(path + ".new", path)


def main(program, arguments):
    if program == "plutil":
        return plutil(arguments)
    if program == "log":
        print("Timestamp                       Thread     Type        Activity             PID    TTL")
        return 0
    launchd = Launchd()
    verbs = {"print": show, "managername": manager, "bootstrap": bootstrap, "bootout": bootout, "error": error}
    verb = verbs.get(arguments[0] if arguments else "")
    if verb is None:
        print(f"Unrecognized subcommand: {arguments[:1]}", file=sys.stderr)
        return 64
    return verb(launchd, arguments[1:])


def plutil(arguments):
    path = arguments[-1]
    try:
        with open(os.environ[PREFIX + "ROOT"] + path, "rb") as file:
            plistlib.load(file)
    except Exception as problem:
        print(f"{path}: {problem}", file=sys.stderr)
        return 1
    print(f"{path}: OK")
    return 0


def manager(_launchd, _arguments):
    print("Aqua")
    return 0


def error(_launchd, arguments):
    texts = {"113": "Could not find specified service", "150": "Operation not permitted while System Integrity Protection is engaged"}
    print(f"{arguments[0]}: {texts.get(arguments[0], 'unknown error')}")
    return 0


def show(launchd, arguments):
    target = arguments[0]
    domain = "/".join(target.split("/")[:2]) if not target.startswith("system") else "system"
    code = launchd.manner.get("domains", {}).get(domain, 0)
    if code:
        print("Bad request.\nCould not find domain for", file=sys.stderr)
        return code
    if target == domain:
        print(f"{domain} = {{\n\ttype = user\n\thandle = {UID}\n}}")
        return 0
    label = target[len(domain) + 1 :]
    code = launchd.turn("print", 0)
    definition = launchd.read(label, "definition")
    if definition is None or code:
        print(f'Bad request.\nCould not find service "{label}" in domain for {domain}', file=sys.stderr)
        return code or 113
    one = json.loads(definition)
    pid, ended = launchd.read(label, "pid"), launchd.read(label, "ended")
    if launchd.manner.get("stays"):
        ended = None
    usual = "not running" if ended or not pid else "running"
    state = launchd.turn("states", usual)
    lines = [f"active count = {0 if ended else 1}", f"path = {one['path']}", "type = LaunchAgent", f"state = {state}"]
    blocks = [("arguments", one["argv"]), ("inherited environment", [f"{k} => {v}" for k, v in one["inherited"].items()]),
              ("default environment", ["PATH => /usr/bin:/bin:/usr/sbin:/sbin"]),
              ("environment", [f"{k} => {v}" for k, v in one["environment"].items()])]  # fmt: skip
    text = f"{target} = {{\n" + "".join(f"\t{line}\n" for line in lines) + f"\n\tprogram = {one['argv'][0]}\n"
    for name, members in blocks:
        text += f"\t{name} = {{\n" + "".join(f"\t\t{member}\n" for member in members) + "\t}\n\n"
    text += f"\tdomain = {domain} [100015]\n\tminimum runtime = 10\n\texit timeout = 5\n\truns = {1 if pid else 0}\n"
    if pid and not ended:
        text += f"\tpid = {pid}\n"
    if not ended:
        text += "\tlast exit code = (never exited)\n"
    elif int(ended) < 0:
        text += f"\tlast terminating signal = {SIGNALS.get(-int(ended), f'Unknown: {-int(ended)}')}\n"
    else:
        text += f"\tlast exit code = {ended}" + (f": {NAMES[int(ended)]}" if int(ended) in NAMES else "") + "\n"
    print(text + "\n\tspawn type = daemon (3)\n\tjetsam priority = 40\n\tproperties = runatload | inferred program\n}")
    return 0


def bootstrap(launchd, arguments):
    domain, path = arguments
    code = launchd.turn("bootstrap", 0)
    if code:
        print(f"Bootstrap failed: {code}: refused by the double", file=sys.stderr)
        return code
    if launchd.manner.get("domains", {}).get(domain):
        print("Bootstrap failed: 112: Could not find specified domain", file=sys.stderr)
        return 112
    host = launchd.root + path
    found = os.stat(host)
    if found.st_mode & 0o022:
        return 122
    with open(host, "rb") as file:
        definition = plistlib.load(file)
    if domain == f"user/{UID}" and definition.get("LimitLoadToSessionType") != ["Background"]:
        print("Bootstrap failed: 134: Service cannot load in requested session", file=sys.stderr)
        return 134
    label = definition["Label"]
    if not definition.get("RunAtLoad"):
        raise SystemExit("the double starts jobs when they are loaded")
    if os.path.exists(launchd.job(label)):
        print("Bootstrap failed: 5: Input/output error", file=sys.stderr)
        return 5
    os.makedirs(launchd.job(label))
    added = dict(launchd.manner.get("environment", {}), XPC_SERVICE_NAME=label)
    inherited = {key: USUAL[key] for key in ("SSH_AUTH_SOCK",)}
    facts = {"path": path, "argv": definition["ProgramArguments"], "environment": definition.get("EnvironmentVariables", {}) | added,
             "inherited": inherited}  # fmt: skip
    launchd.write(label, "definition", json.dumps(facts))
    start = launchd.manner.get("start", "now")
    if start == "never":
        return 0
    # Whoever keeps the job outlives this program, as launchd does, and holds nothing of it.
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        keep(launchd, label, definition, facts, start, writing)
        os._exit(0)
    os.close(writing)
    if start != "late":
        os.read(reading, 1)
    return 0


def keep(launchd, label, definition, facts, start, writing):
    if start == "late":
        time.sleep(1)
    environment = USUAL | facts["environment"]
    environment |= {key: value for key, value in os.environ.items() if key.startswith(PREFIX)}
    program = definition["ProgramArguments"]
    environment |= {PREFIX + "ARGV0": program[0], PREFIX + "PARENT": "1", PREFIX + "IMAGE": launchd.root + program[0]}
    environment.pop(PREFIX + "POLICY", None)
    with (
        open(launchd.root + definition["StandardOutPath"], "ab") as out,
        open(launchd.root + definition["StandardErrorPath"], "ab") as err,
    ):
        folder, umask = launchd.root + definition["WorkingDirectory"], definition.get("Umask", 0o22)
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
        process, server = None, environment.get(PREFIX + "SERVER")
        if server:
            process = client.start(server, program[1:], environment, folder, group=True, umask=umask, **streams)
        if process is None:
            process = subprocess.Popen(
                [sys.executable, "-E", "-s", "-S", "-B", environment[PREFIX + "PACKAGE"], *program[1:]],
                env=environment, cwd=folder, umask=umask, process_group=0, **streams,
            )  # fmt: skip
    launchd.write(label, "pid", str(process.pid))
    if start == "signal":
        process.kill()
    if start != "late":
        os.write(writing, b"x")
    os.close(writing)
    code = process.wait()
    # AbandonProcessGroup is false: what is left of the job's group ends with it.
    try:
        os.killpg(process.pid, 9)
    except OSError:
        pass
    if os.path.isdir(launchd.job(label)):
        # Darwin's numbers of signals.
        launchd.write(label, "ended", str({-10: -30, -12: -31, -7: -10}.get(code, code)))


def bootout(launchd, arguments):
    label = arguments[0].split("/")[-1]
    if launchd.read(label, "definition") is None:
        print("Boot-out failed: 3: No such process", file=sys.stderr)
        return 3
    pid = launchd.read(label, "pid")
    gone = os.path.join(launchd.state, f".gone.{label}.{os.getpid()}")
    if pid and launchd.read(label, "ended") is None:
        # SIGTERM, and SIGKILL after the exit timeout.
        for number, patience in ((15, 5.0), (9, 5.0)):
            try:
                os.killpg(int(pid), number)
            except OSError:
                break
            until = time.monotonic() + patience
            while launchd.read(label, "ended") is None and time.monotonic() < until:
                time.sleep(0.02)
            if launchd.read(label, "ended") is not None:
                break
    os.rename(launchd.job(label), gone)
    return 0
