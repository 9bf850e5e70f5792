"""Other kernels: fetches Debian's, boots one under emulation with this project's executable as init.

What is emulated is the processor, not the kernel: what Landlock decides there is that kernel's own decision.
Nothing is installed. Packages are downloaded with a private apt configuration and unpacked into a cache folder.
"""

import gzip
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
CACHE = TARGET / "kernels"

#: The release series in which Landlock reached an ABI (Documentation/userspace-api/landlock.rst, "Kernel interface",
#: and what these packages report when asked).
SERIES_OF_ABI = {2: "6.1", 6: "6.12", 7: "6.18", 8: "7.0", 10: "7.2", 11: "7.3"}

SUITES = [
    ("http://deb.debian.org/debian", "bookworm"),
    ("http://deb.debian.org/debian-security", "bookworm-security"),
    ("http://deb.debian.org/debian", "bookworm-backports"),
    ("http://deb.debian.org/debian", "trixie"),
    ("http://deb.debian.org/debian", "trixie-backports"),
]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
IMAGE = re.compile(r"linux-image-(\d+(?:\.\d+)+)(?:-(\d+))?(?:\+deb\d+)?-cloud-amd64")

#: What the executable prints around the results when it runs as init.
BEGIN = "sandproof: output begins"
END = "sandproof: output ends"
EXIT = re.compile(r"^sandproof: exit code (\d+)$", re.MULTILINE)

BOOT_TIMEOUT_S = 180
#: The kernel's own limits: COMMAND_LINE_SIZE on x86, MAX_INIT_ARGS in init/main.c.
COMMAND_LINE_BYTES = 2048
INIT_ARGUMENTS = 32


class Problem(Exception):
    """Something that this machine or the caller has to put right; the text says what."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def need(program, package):
    if shutil.which(program) is None:
        raise Problem(f"`{program}` is not installed (apt-get install {package})")


# --- fetching ---------------------------------------------------------------------------------------------------------


def apt_options(folder):
    """A package manager state of our own: the machine's is neither read nor written."""
    for part in ("lists/partial", "cache/archives/partial", "state"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text("".join(f"deb [signed-by={KEYRING}] {uri} {suite} main\n" for uri, suite in SUITES))
    status = folder / "state" / "status"
    status.touch()
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::Etc::Preferences": "-",
        "Dir::Etc::PreferencesParts": "-",
        "Dir::State": folder / "state",
        "Dir::State::status": status,
        "Dir::State::Lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Retries": "3",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def run(command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Problem(f"`{' '.join(map(str, command))}` failed:\n{done.stderr.strip()}")
    return done.stdout


def version_key(match):
    return [int(part) for part in match[1].split(".")] + [int(match[2] or 0)]


def choose(wanted, names):
    """The package for `wanted`: an ABI number, `newest`, or a package name."""
    images = sorted((version_key(m), m[0]) for m in map(IMAGE.fullmatch, names) if m)
    if not images:
        raise Problem("the Debian suites offer no cloud kernel for amd64")
    if wanted == "newest":
        return images[-1][1]
    if wanted.isdigit():
        series = SERIES_OF_ABI.get(int(wanted))
        if series is None:
            known = ", ".join(map(str, SERIES_OF_ABI))
            raise Problem(f"no Debian kernel is known for Landlock ABI {wanted} (known: {known}; or name a package)")
        prefix = [int(part) for part in series.split(".")]
        of_series = [name for key, name in images if key[: len(prefix)] == prefix]
        if not of_series:
            raise Problem(f"the Debian suites no longer offer a {series} kernel (Landlock ABI {wanted})")
        return of_series[-1]
    if wanted in {name for _, name in images}:
        return wanted
    raise Problem(f"`{wanted}` is neither an ABI, nor `newest`, nor one of: {', '.join(name for _, name in images)}")


def download(options, package, folder):
    """Downloads a package and unpacks it into `folder`, which is made."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        run(["apt-get", *options, "-qq", "download", package], cwd=scratch, timeout=900)
        (archive,) = Path(scratch).glob("*.deb")
        run(["dpkg", "-x", str(archive), str(folder)])


def busybox():
    """A static shell with the usual tools, for a machine that has nothing else."""
    folder = CACHE / "busybox-static"
    # Debian moved it from /bin to /usr/bin.
    places = [folder / "bin" / "busybox", folder / "usr" / "bin" / "busybox"]
    if not any(place.exists() for place in places):
        options = apt_options(CACHE / "apt")
        if not any((CACHE / "apt" / "lists").glob("*_Packages*")):
            run(["apt-get", *options, "-qq", "update"], timeout=300)
        say("fetching busybox-static")
        download(options, "busybox-static", folder)
    return next(place for place in places if place.exists())


def fetch(wanted):
    """The path of the kernel for `wanted`, downloaded if the cache does not hold it."""
    chosen = CACHE / "chosen.json"
    known = json.loads(chosen.read_text()) if chosen.exists() else {}
    # The choice is kept, so that a cached kernel needs no network and a test means the same kernel for a while.
    if wanted in known and Path(known[wanted]).exists():
        return Path(known[wanted])
    need("apt-get", "apt")
    need("dpkg", "dpkg")
    options = apt_options(CACHE / "apt")
    say("reading the package lists of Debian's kernels")
    run(["apt-get", *options, "-qq", "update"], timeout=300)
    package = choose(wanted, run(["apt-cache", *options, "pkgnames", "linux-image-"]).split())
    kernel = CACHE / package / "vmlinuz"
    if not kernel.exists():
        # From 7.0 on the kernel itself lies in linux-binary-VERSION, on which the image package depends.
        binary = package.replace("linux-image-", "linux-binary-", 1)
        offered = run(["apt-cache", *options, "pkgnames", binary]).split()
        source = binary if binary in offered else package
        say(f"fetching {source}")
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            run(["apt-get", *options, "-qq", "download", source], cwd=scratch, timeout=900)
            (archive,) = Path(scratch).glob("*.deb")
            unpacked = Path(scratch) / "unpacked"
            run(["dpkg", "-x", str(archive), str(unpacked)])
            found = [path for path in unpacked.rglob("vmlinuz*") if path.is_file()]
            if len(found) != 1:
                raise Problem(f"the package {source} holds {len(found)} kernels, not one")
            kernel.parent.mkdir(exist_ok=True)
            os.replace(found[0], kernel)
    known[wanted] = str(kernel)
    chosen.write_text(json.dumps(known, indent=2) + "\n")
    return kernel


# --- the initial RAM file system --------------------------------------------------------------------------------------


def static_executable():
    """The executable that scripts/build-static makes, or the one that SANDPROOF_STATIC names."""
    given = os.environ.get("SANDPROOF_STATIC")
    if given:
        return Path(given)
    build = [str(ROOT / "scripts" / "build-static")]
    done = subprocess.run(build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Problem("scripts/build-static failed; see above")
    return Path(done.stdout.strip())


def cpio_record(number, name, mode, content):
    """One member of a "newc" archive (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    encoded = name.encode() + b"\0"
    fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)


def libraries(executable):
    """What the executable loads when it starts; nothing of a static one."""
    done = subprocess.run(["ldd", str(executable)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return [Path(word) for line in done.stdout.splitlines() for word in line.split() if word.startswith("/")]


def initramfs(executable, extra=(), init=None):
    """Packs the executable as /init with the input folders beside it; or as /sandproof, beside an /init of that text and a
    shell."""
    members = {"sandproof" if init else "init": (stat.S_IFREG | 0o755, executable.read_bytes())}
    # Folders that every host has, and policies and probes name.
    for name in ("bin", "etc", "home", "opt", "run", "usr", "usr/bin", "usr/lib", "var"):
        members[name] = (stat.S_IFDIR | 0o755, b"")
    members["etc/passwd"] = (stat.S_IFREG | 0o644, b"root:x:0:0:root:/:/init\n")
    for library in libraries(executable):
        for folder in reversed(library.parents):
            if folder != folder.parent:
                members[str(folder)[1:]] = (stat.S_IFDIR | 0o755, b"")
        members[str(library)[1:]] = (stat.S_IFREG | 0o755, library.read_bytes())
    if init:
        members["init"] = (stat.S_IFREG | 0o755, init.encode())
        members["busybox"] = (stat.S_IFREG | 0o755, busybox().read_bytes())
    for top in [ROOT / "plans", ROOT / "registries", *extra]:
        for path in [top, *sorted(top.rglob("*"))] if top.exists() else []:
            name = str(path.relative_to(top.parent))
            if path.is_dir():
                members[name] = (stat.S_IFDIR | 0o755, b"")
            elif path.is_file():
                members[name] = (stat.S_IFREG | 0o644, path.read_bytes())
    records = [cpio_record(n, name, mode, data) for n, (name, (mode, data)) in enumerate(members.items(), 1)]
    records.append(cpio_record(0, "TRAILER!!!", 0, b""))
    return gzip.compress(b"".join(records), compresslevel=1, mtime=0)


# --- booting ----------------------------------------------------------------------------------------------------------


class Boot:
    """What a boot left behind."""

    def __init__(self, console, seconds, log):
        self.console = console
        self.seconds = seconds
        self.log = log
        found = EXIT.findall(console)
        if not found:
            tail = "\n".join(console.splitlines()[-25:])
            raise Problem(f"the kernel did not get to the end of init; its console is in {log} and ends:\n{tail}")
        self.exit_code = int(found[-1])

    @property
    def output(self):
        """What the command printed on its standard output."""
        _, found, rest = self.console.partition(BEGIN + "\n")
        text, closed, _ = rest.partition(END + "\n")
        if not found or not closed:
            raise Problem(f"the output's markers are missing on the console ({self.log})")
        return text

    @property
    def remarks(self):
        """What the kernel and the command's standard error said before that."""
        return self.console.partition(BEGIN + "\n")[0]

    def json(self):
        try:
            return json.loads(self.output)
        except ValueError as error:
            raise Problem(f"the command did not print one JSON document ({error}); see {self.log}") from error


def quoted(word):
    if '"' in word or "\n" in word:
        raise Problem(f"an argument cannot go over a kernel command line: {word!r}")
    return f'"{word}"' if re.search(r"\s", word) or not word else word


def boot(kernel, arguments, extra=(), executable=None, timeout_s=BOOT_TIMEOUT_S):
    """Boots `kernel` with `arguments` for the executable, and returns when it powered off."""
    need("qemu-system-x86_64", "qemu-system-x86")
    if len(arguments) > INIT_ARGUMENTS - 2:
        raise Problem(f"{len(arguments)} arguments: a kernel hands at most {INIT_ARGUMENTS - 2} to init")
    # Without `lsm=landlock` some Debian configurations leave Landlock out. Words after `--` are init's arguments.
    line = "console=ttyS0 panic=-1 quiet loglevel=3 lsm=landlock -- " + " ".join(map(quoted, arguments))
    if len(line) >= COMMAND_LINE_BYTES:
        raise Problem(f"the arguments are too long for a kernel command line ({len(line)} bytes)")
    logs = CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{kernel.parent.name}-{time.strftime('%H%M%S')}-{os.getpid()}.console"
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        image = Path(scratch) / "initramfs"
        image.write_bytes(initramfs(executable or static_executable(), extra))
        started = time.monotonic()
        emulate(kernel, image, line, log, timeout_s)
    console = log.read_text(errors="replace").replace("\r\n", "\n")
    return Boot(console, time.monotonic() - started, log)


def emulate(kernel, image, line, log, timeout_s, sent=None):
    """Runs a machine to its end. What it writes to its second serial line goes to the file `sent`."""
    command = [
        "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "768", "-display", "none", "-monitor", "none",
        "-no-reboot", "-nic", "none", "-serial", f"file:{log}", *(["-serial", f"file:{sent}"] if sent else []),
        "-kernel", str(kernel), "-initrd", str(image), "-append", line,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        status = process.wait(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:]) if log.exists() else ""
        raise Problem(f"no end after {timeout_s} s; the console is in {log} and ends:\n{tail}") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if status != 0:
        raise Problem(f"qemu-system-x86_64 ended with status {status}")


#: What stands at the end of the console if everything was sent.
SENT = "worlds: everything was sent"
#: The first process of a machine of which something is wanted: what the executable mounts as such (src/cli/as_init.rs), the commands, and
#: what they left in /out as an archive to the second serial line. Their own words go to the console.
SENDER = f"""#!/busybox sh
b=/busybox
export PATH=/usr/bin
for one in 'proc /proc' 'sysfs /sys' 'devtmpfs /dev' 'devpts /dev/pts' 'tmpfs /dev/shm' 'tmpfs /tmp' 'securityfs /sys/kernel/security'; do
    set -- $one
    $b mkdir -p $2
    $b mount -t $1 -o nosuid $1 $2
done
$b chmod 1777 /tmp /dev/shm
$b ip link set lo up
$b mkdir -p /out
{{
@COMMANDS@
}} >/dev/ttyS0 2>&1
$b stty -F /dev/ttyS1 raw -echo
$b tar -C /out -c . | $b gzip -1 >/dev/ttyS1
$b sleep 1
echo "{SENT}" >/dev/ttyS0
$b poweroff -f
"""


#: Runs plans, one after the other.
RUN_PLANS = """for plan in @PLANS@; do
    /sandproof run --quiet --plan /plans/$plan --out /out/$plan >/dev/null
    echo "worlds: $plan ended with $?"
done"""


def bundles(kernel, plans, folder, executable=None, timeout_s=1800):
    """Runs plans on a kernel, one after the other, and unpacks the bundles into `folder`, which is made."""
    sent(kernel, RUN_PLANS.replace("@PLANS@", " ".join(plans)), folder, executable, timeout_s)


def sent(kernel, commands, folder, executable=None, timeout_s=1800):
    """Has a machine perform commands of a shell, unpacks what they left in /out into `folder`, which is made, and gives the
    console."""
    need("qemu-system-x86_64", "qemu-system-x86")
    logs = CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{kernel.parent.name}-{time.strftime('%H%M%S')}-{os.getpid()}.console"
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        image, archive = Path(scratch) / "initramfs", Path(scratch) / "sent"
        image.write_bytes(initramfs(executable or static_executable(), init=SENDER.replace("@COMMANDS@", commands)))
        emulate(kernel, image, "console=ttyS0 panic=-1 quiet loglevel=3 lsm=landlock", log, timeout_s, archive)
        console = log.read_text(errors="replace").replace("\r\n", "\n")
        if SENT not in console:
            raise Problem(f"the machine did not get to its end; its console is in {log}")
        folder.mkdir(parents=True)
        run(["tar", "-C", str(folder), "-xzf", str(archive)])
    return console


def landlock_abi(report):
    """The Landlock ABI of the kernel that a run was made on, as the world's id states it."""
    found = re.search(r"-landlock-(\d+)-[0-9a-f]{8}$", report["world_id"])
    if not found:
        raise Problem(f"the world `{report['world_id']}` does not say which Landlock ABI it has")
    return int(found[1])
