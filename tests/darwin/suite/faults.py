"""Calls of libSystem that fail: never a wrong verdict, never a crash, nothing left, an exit code that SPEC has."""

import collections
import json

from .mac import HOME, Bundle, Failed, Mac, check, host
from .runner import IN_PART, TURN, test

OUT = f"{HOME}/out"
PLAN = "plans/sonoma-runtime-checks/plan.json"
RUN = ["run", "--json", "--plan", PLAN, "--out", OUT, "--jobs", "1", "--only-scenario", "checks:deny_one_file:read_named"]
#: What SPEC has for a run: done, mismatches, refused input, bundle invalid, locked, not here, undecided, an internal error.
CODES = {0, 1, 3, 4, 6, 7, 8, 70}
#: Calls that a signal can interrupt, and calls that need room (their manual pages' ERRORS).
INTERRUPTIBLE = """_accept _close _connect _fcntl _flock _fsync _ftruncate _nanosleep _open _openat _poll _pread _pwrite _read _readv
_recv _recvfrom _select _send _sendto _sem_open _truncate _waitpid _write _writev""".split()
NEEDING_ROOM = """_clonefile _fclonefileat _fsync _fcntl _link _linkat _mkdir _mkdirat _mkfifo _open _openat _pwrite _rename _renameat
_setxattr _symlink _symlinkat _write _writev _fcopyfile""".split()
#: Without memory, a lock that locks, or what its library does before `main`, a Rust program aborts: the library's own rule.
FATAL = """_calloc _malloc _posix_memalign _realloc _pthread_mutex_lock _pthread_mutex_trylock _pthread_mutex_unlock
_pthread_cond_wait _pthread_cond_timedwait _pthread_cond_signal _pthread_cond_broadcast _sysconf _mmap _signal""".split()
ABORTED = -6
ROLES = ("harness", "__spawner", "__fresh")


def calls_made(mac):
    """The functions of libSystem that a small run calls, by role."""
    done = mac.run(*RUN, extra={"CALLS": mac.state / "calls"})
    done.expect(0, 1, 8)
    found = collections.defaultdict(set)
    for path in (mac.state / "calls").glob("*.json"):
        given = json.loads(path.read_text())
        found[given["role"]] |= set(given["can_fail"])
    return found, verdicts(Bundle.newest(mac, OUT))


def verdicts(bundle):
    return {probe["expectation_id"]: probe["actual"] for probe in bundle.probes()}


def attempt(mac, faults, right, what):
    """One run with these faults."""
    done = mac.run(*RUN, faults=faults, limit=90)
    aborts = done.code == ABORTED and all(fault.get("call") in FATAL for fault in faults)
    check(done.code in CODES or aborts, f"{what}: exit code {done.code}\n{done.out[-1500:]}\n{done.err[-3000:]}")
    out = mac.root / OUT[1:]
    if done.code in (0, 1, 8) and (out / "LATEST").exists():
        bundle = Bundle.newest(mac, OUT)
        host("validate-bundle", "--bundle", bundle.folder).expect(0)
        for name, actual in verdicts(bundle).items():
            check(actual in (None, right.get(name)), f"{what}: {name} is {actual}, and without the fault {right.get(name)}")
    mac.nothing_lives()
    return done.code


def sweep(errno, chosen, share=(0, 1)):
    def run(mac):
        found, right = calls_made(mac)
        cases = [(role, call) for role in ROLES for call in sorted(found.get(role, ())) if chosen is None or call in chosen]
        cases = cases[share[0] :: share[1]]
        codes = collections.Counter()
        wrong = []
        for role, call in cases:
            one = Mac()
            what = f"{call} of {role} fails with {errno}"
            try:
                fault = {"call": call, "errno": errno, "role": role}
                # What is interrupted is tried again, so that happens once.
                codes[attempt(one, [fault | {"nth": 1} if errno == "EINTR" else fault], right, what)] += 1
                # The fixtures of a run whose removal was refused are said to be left; everything else has to go.
                removes = call in ("_unlink", "_unlinkat", "_rmdir", "_opendir", "_fdopendir", "_openat", "_readdir", "_readdir_r",
                                   "_lstat", "_fstat", "_stat", "_open", "_fstatat", "_close", "_fcntl", *FATAL)  # fmt: skip
                if not removes:
                    one.nothing_is_left()
            except Failed as failed:
                wrong.append(f"{what}: {failed}" if what not in str(failed) else str(failed))
                # A sweep takes long; what it found is not lost if it is ended.
                print(f"     {wrong[-1]}", flush=True)
            finally:
                one.remove()
        check(not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong))
        return f"{len(cases)} runs; exit codes {dict(sorted(codes.items()))}"

    return run


#: The sweeps take long. All parts have run after as many days.
PARTS = 8
PART_OF_TODAY = TURN % PARTS
SWEEPS = [("EPERM", None, "each call fails with EPERM"),
          ("EINTR", INTERRUPTIBLE, "each call that a signal can interrupt fails with EINTR"),
          ("ENOSPC", NEEDING_ROOM, "each call that needs room fails with ENOSPC")]  # fmt: skip
IN_PART.append(f"sweeps of {', '.join(name for name, _, _ in SWEEPS)}: part {PART_OF_TODAY + 1} of {PARTS} (all: --only sweep)")
for errno_, chosen_, name_ in SWEEPS:
    test("faults", f"{name_}: part {PART_OF_TODAY + 1} of {PARTS}")(sweep(errno_, chosen_, (PART_OF_TODAY, PARTS)))
    for part_ in range(PARTS):
        test("sweep", f"{name_}, {part_ + 1} of {PARTS}", if_named=True)(sweep(errno_, chosen_, (part_, PARTS)))


def with_fault(faults, expect=None, same=False):
    def run(mac):
        _, right = calls_made(mac)
        one = Mac()
        try:
            code = attempt(one, faults, right, str(faults))
            check(expect is None or code in expect, f"exit code {code}")
            if same:
                found = verdicts(Bundle.newest(one, OUT))
                check(found == right, f"{found}, and without the fault {right}")
            one.nothing_is_left()
        finally:
            one.remove()
        return f"exit code {code}"

    return run


AGAIN = ("_read", "_write", "_poll", "_waitpid", "_flock", "_open")
test("faults", "a call of the harness and of the server of probes is interrupted once, and nobody notices")(
    with_fault([{"call": call, "errno": "EINTR", "nth": 2, "role": role} for call in AGAIN for role in ROLES[:2]], {0}, same=True)
)
# There it may be the operation itself: that an open was interrupted says nothing about a policy.
test("faults", "a call of a probe is interrupted once, and decides nothing wrong")(
    with_fault([{"call": call, "errno": "EINTR", "nth": 2, "role": "__fresh"} for call in AGAIN], {0, 8})
)
test("faults", "reads and writes move a byte at a time")(
    with_fault([{"call": "_read", "short": 97, "role": role} for role in ROLES] + [{"call": "_write", "short": 61}], {0, 1, 8})
)
test("faults", "no mode can be set, and the run's folder is removed all the same")(
    with_fault([{"call": "_fchmod", "errno": "EPERM", "role": "harness"}])
)
test("faults", "the clock stands still")(with_fault([{"clock": "frozen"}], {0, 1, 8, 70}))


def check_fails(given):
    """sandbox_check does not answer: no row has a verdict."""

    def run(mac):
        done = mac.run(*RUN, faults=[{"call": "_sandbox_check", **given, "role": "__fresh"}]).expect(*CODES)
        if (mac.root / OUT[1:] / "LATEST").exists():
            bundle = Bundle.newest(mac, OUT)
            host("validate-bundle", "--bundle", bundle.folder).expect(0)
            for name, actual in verdicts(bundle).items():
                check(actual is None, f"{name} is {actual}")
        mac.nothing_lives()
        mac.nothing_is_left()
        return f"exit code {done.code}"

    return run


test("faults", "sandbox_check fails")(check_fails({"answer": -1, "errno": "EINVAL"}))
test("faults", "sandbox_check says that a confined process is not confined")(check_fails({"answer": 0}))
test("faults", "sandbox_check says that a process is confined from the start")(check_fails({"answer": 1}))


@test("faults", "descriptors that the system guards stay open in every process")
def guarded(mac):
    """To close one is the end of the process, so every probe would be lost that tidies up what it did not open."""
    _, right = calls_made(mac)
    one = Mac()
    try:
        done = one.run(*RUN, extra={"GUARDED": "2"}).expect(0, 1, 8)
        bundle = Bundle.newest(one, OUT)
        host("validate-bundle", "--bundle", bundle.folder).expect(0)
        check(verdicts(bundle) == right, f"{verdicts(bundle)}, and without such descriptors {right}")
        listed = [row["prologue"]["open_fds"] for row in bundle.rows("scenario") if row.get("prologue")]
        check(listed and all(len([fd for fd in fds if fd["fd"] > 2]) >= 2 for fds in listed), f"they are not listed: {listed}")
        one.nothing_is_left()
    finally:
        one.remove()
    return f"exit code {done.code}"
