"""Runs what is to run under the double, and ends with one table. See `scripts/test-darwin`."""

import argparse
import collections
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from suite import clean, commands, coverage, drivers, faults, first_run, kills, launchers, plans, runner, spawner  # noqa: E402, F401
from suite.mac import Mac, Tools, start_server  # noqa: E402

CANNOT_SHOW = [
    ("Seatbelt", "what a profile really allows and denies: every decision here is the model's own"),
    ("launchd", "real sessions, limits, throttling, what it says in words that nobody has recorded"),
    ("dyld", "that Apple's loader takes the file: signature, minimum system, shared cache"),
    ("xnu", "any behaviour of the kernel beyond what is written down in tests/darwin/double"),
    ("frameworks", "XPC, IOKit and CoreFoundation answer here as their public headers and sources say"),
]


def main():
    parser = argparse.ArgumentParser(prog="scripts/test-darwin")
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--host", type=Path, required=True)
    parser.add_argument("--emulator", type=Path, required=True)
    parser.add_argument("--archive", type=Path, action="append", default=[])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--mac", type=Path)
    parser.add_argument("command", nargs="*")
    given = parser.parse_args()
    began = time.monotonic()
    Tools.host, Tools.emulator = given.host.resolve(), given.emulator.resolve()
    Tools.scratch = Path(tempfile.mkdtemp(prefix="darwin-double-", dir=os.environ.get("TMPDIR", "/tmp"))).resolve()
    Tools.image = Tools.scratch / "sandproof"
    shutil.copy(given.image, Tools.image)
    Tools.answers = Tools.scratch / "answers"
    Tools.answers.mkdir()
    Tools.coverage = Tools.scratch / "coverage" if given.archive else None
    if Tools.coverage:
        Tools.coverage.mkdir()
    chosen = [
        one for one in runner.TESTS
        if (any(word in f"{one.part}: {one.name}" for word in given.only) if given.only else not one.if_named)
    ]  # fmt: skip
    if given.command:
        return as_a_user(given)
    # The first start says whether the executable can be run at all: what it imports has to be in the double.
    first = Mac()
    started = first.run("--version")
    first.remove()
    if started.code != 0:
        print(f"the executable does not start under the double (exit code {started.code}):\n{started.err}", file=sys.stderr)
        return 1
    server = start_server()
    try:
        failed = runner.run(chosen, given.jobs)
        if not given.only:
            failed += drivers.ends(failed)
        wanted = not given.only or "coverage" in given.only
        uncovered = coverage.report(given.archive) if given.archive and wanted else []
        table(given, chosen, failed, time.monotonic() - began, uncovered)
    finally:
        server.kill()
        server.wait()
        if not os.environ.get("DARWIN_DOUBLE_KEEP"):
            shutil.rmtree(Tools.scratch, ignore_errors=True)
    return 1 if failed else 0


def as_a_user(given):
    """Runs one command, with this terminal's streams."""
    Tools.coverage = None
    mac = Mac(folder=given.mac and given.mac.resolve())
    try:
        return mac.start(*given.command).wait()
    finally:
        mac.end_everything()
        shutil.rmtree(Tools.scratch, ignore_errors=True)


def table(given, chosen, failed, seconds, uncovered):
    parts = collections.Counter(one.part for one in chosen)
    bad = collections.Counter(one.part for one in failed)
    print("\nWHAT WAS EXECUTED UNDER THE DOUBLE            TESTS  FAILED")
    for part in sorted(parts | bad):
        print(f"  {part:44}{parts[part]:5}{bad[part]:8}")
    if uncovered:
        print(f"  lines of files for macOS: {uncovered[0]} of {uncovered[1]} executed")
    print("\nWHAT THE DOUBLE CANNOT SHOW")
    for what, why in CANNOT_SHOW:
        print(f"  {what:12}{why}")
    left = [one for one in runner.TESTS if one.if_named and one not in chosen]
    if left:
        print(f"\nNOT EXECUTED: {len(left)} tests that run only if they are named (--only), of the parts " + ", ".join(sorted({one.part for one in left})))
    if not given.only:
        print("\nEXECUTED IN PART, WHICH CHANGES FROM DAY TO DAY\n  " + "\n  ".join(runner.IN_PART))
    print(f"\n{len(chosen)} tests, {len(failed)} failed, {seconds:.0f} s.")
    print("No Mac was involved: the arm64 executable was emulated on this host, and nothing that came out is evidence about macOS.")


if __name__ == "__main__":
    sys.exit(main())
