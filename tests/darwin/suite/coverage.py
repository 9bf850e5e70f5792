"""How much of the files that only macOS compiles was executed, and why the rest was not."""

from . import lines
from .mac import REPOSITORY, Tools

#: Folders and files whose code runs on macOS alone, or that only a Mac's channel leads to.
FILES = [
    *sorted(str(path.relative_to(REPOSITORY)) for folder in ("src/sys/darwin", "src/probe/macos", "src/channel/launchd")
            for path in (REPOSITORY / folder).rglob("*.rs") if path.name not in ("tests.rs", "double.rs")),
    "src/sys/product.rs", "src/probe/program/mach.rs", "src/zygote/fresh_macos.rs", "src/zygote/spawner.rs", "src/enforce/seatbelt.rs",
]  # fmt: skip
#: Why lines of a file may stay unexecuted.
REASONS = {
    "src/channel/launchd": "a definition that cannot be written or read back, answers of launchctl without words, and a launchctl "
    "that cannot be started or does not end; the tests of the crate put them on any host",
    "src/sys/darwin": "a library that is there and lacks a function, and answers of XPC that only a real service gives",
    "src/probe/macos/guard.rs": "targets that lead out of a run's own folder, which checks of the plan refuse before anything starts",
    "src/probe/macos": "errors of calls that only prepare; the sweeps of faults make some, a part of them each day",
    "src/zygote": "probes that write too much or do not end after SIGKILL; tests of the crate have them on Linux",
    "src/enforce": "profiles that a release without the private functions cannot be given",
}


missing = [name for name in FILES if not (REPOSITORY / name).is_file()]
if missing:
    raise SystemExit(f"files whose coverage is asked for are gone: {missing}")


def wanted(file):
    for name in FILES:
        if file == name or file.endswith("/" + name):
            return name
    return None


def report(archives):
    found = lines.coverage(Tools.image, archives, Tools.coverage, wanted)
    covered = total = 0
    print("\nLINES OF FILES FOR MACOS                      CODE  EXECUTED  NOT EXECUTED")
    for name in FILES:
        marked = found.get(name, {})
        hit = sum(marked.values())
        covered, total = covered + hit, total + len(marked)
        print(f"  {name:42}{len(marked):6}{hit:10}  {spans(sorted(line for line, ran in marked.items() if not ran))}")
    print(f"  {'together':42}{total:6}{covered:10}")
    print("\nWHY SOME WERE NOT")
    for place, reason in REASONS.items():
        print(f"  {place}: {reason}")
    return [covered, total]


def spans(numbers):
    """Line numbers, neighbours joined."""
    parts, at = [], 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] <= numbers[end] + 1:
            end += 1
        parts.append(str(numbers[at]) if at == end else f"{numbers[at]}-{numbers[end]}")
        at = end + 1
    return " ".join(parts)
