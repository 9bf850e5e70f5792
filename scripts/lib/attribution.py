"""Denials named by the kernel, on a kernel under emulation: no audit of this machine is touched."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kernels

#: The first Landlock ABI that tells the audit of denials.
SINCE_ABI = 7
#: The plans whose denied rows have to be named, every one of them.
PLANS = ["linux-files", "linux-network", "linux-scopes", "linux-surface", "quickstart"]
#: How the lines begin that this wants of the console.
MARK = "attribution: "
#: What the machine performs: each run, and what the audit is like before and after; runs that are killed, by what they may catch and by
#: what they may not; and one by an ordinary user.
COMMANDS = """
state() { echo "@MARK@$1 $(/sandproof __audit_keeper --state)"; }
wait_for() {
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        case "$(/sandproof __audit_keeper --state)" in *'"enabled":'$1*) return;; esac
        $b sleep 1
    done
}
state before
for plan in @PLANS@; do
    /sandproof run --attribute --quiet --json --plan /plans/$plan --out /out/$plan >/tmp/answer
    echo "@MARK@$plan $?"
    state after-$plan
done
for signal in KILL TERM; do
    /sandproof run --attribute --quiet --repeat 1000 --plan /plans/linux-files --out /tmp/killed-$signal >/dev/null 2>&1 &
    wait_for 1
    state during-$signal
    $b kill -$signal $!
    wait $!
    echo "@MARK@ended-$signal $?"
    wait_for 0
    state after-$signal
done
/sandproof run --attribute --quiet --repeat 1000 --plan /plans/linux-files --out /tmp/first >/dev/null 2>&1 &
wait_for 1
/sandproof run --attribute --quiet --plan /plans/quickstart --out /tmp/second >/dev/null
echo "@MARK@second $?"
$b kill -TERM $!
wait $!
wait_for 0
state after-second
$b ln -s /busybox /tmp/sh
echo "nobody:x:65534:65534::/:/tmp/sh" >>/etc/passwd
$b su -s /tmp/sh nobody -c '/sandproof run --attribute --quiet --plan /plans/quickstart --out /tmp/ordinary >/dev/null'
echo "@MARK@ordinary $?"
state at-the-end
"""
#: What the kernel calls a missing right.
BLOCKER = re.compile(r"fs\.[a-z_]+|net\.[a-z_]+|scope\.[a-z_]+|ptrace")
#: What it may name that no policy handles.
UNHANDLED = {"ptrace", "fs.refer", "fs.change_topology"}


def lines_of(console):
    """The marked lines: name to text."""
    found = re.findall(rf"{re.escape(MARK)}(\S+) (.*)", console)
    return {name: text.strip() for name, text in found}


def states(lines):
    """What is wrong with the states of the audit, and with how the runs ended."""
    wrong, before = [], lines.get("before")
    if before is None or json.loads(before)["enabled"] != 0:
        return [f"the audit was not off at the beginning: {before}"]
    restored = [f"after-{name}" for name in (*PLANS, "KILL", "TERM", "second")] + ["at-the-end"]
    wrong += [f"{name}: {lines.get(name)}, and it was {before}" for name in restored if lines.get(name) != before]
    for signal in ("KILL", "TERM"):
        if '"enabled":1' not in lines.get(f"during-{signal}", ""):
            wrong.append(f"the run that was killed by {signal} had not put the audit on")
    ends = {**dict.fromkeys(PLANS, ("0", "8")), "ended-KILL": ("137",), "ended-TERM": ("143",), "second": ("7",), "ordinary": ("7",)}
    wrong += [f"{name} ended with {lines.get(name)}, not {', '.join(ok)}" for name, ok in ends.items() if lines.get(name) not in ok]
    return wrong


def named(verdicts, rows, handled):
    """What is wrong with the rows of a run. `handled`: by profile, the rights that its policy handles, as the kernel calls them."""
    wrong = []
    for verdict, row in zip(verdicts, rows):
        said, name = row.get("attribution"), verdict["expectation_id"]
        if verdict["actual"] == "allow" and said is not None:
            wrong.append(f"{name}: it went through, and has an attribution")
        if verdict["actual"] != "deny":
            continue
        if said is None or said["level"] != "kernel":
            wrong.append(f"{name}: denied, and not named by the kernel: {said}")
            continue
        every = [blocker for one in (said, *said.get("further", ())) for blocker in one["blockers"]]
        odd = [one for one in every if not BLOCKER.fullmatch(one) or one not in handled[row["profile_id"]] | UNHANDLED]
        if odd:
            wrong.append(f"{name}: its policy does not handle {odd}")
    return wrong


def handled_rights(bundle):
    """By profile of a bundle, the rights that its policy handles, as the kernel calls them."""
    sources = json.loads((bundle / "inputs/sources.json").read_text())["documents"]
    where = {one["path"]: bundle / one["file"] for one in sources}
    found = {}
    for name, profile in json.loads((bundle / "inputs/profiles.json").read_text())["profiles"].items():
        if profile["profile_path"] in where:
            document = json.loads(where[profile["profile_path"]].read_text())
            handled = [layer["handled"] for layer in document.get("layers", [document])]
            found[name] = {f"{kind}.{right}" for one in handled for kind, rights in one.items() for right in rights}
    return found


def of_bundle(bundle, executable):
    """What is wrong with a bundle, and how many rows the kernel named."""
    read = lambda name: [json.loads(line) for line in (bundle / name).read_text().splitlines()]  # noqa: E731
    verdicts, rows = read("verdicts.jsonl"), read("rows/scenario.jsonl")
    wrong = named(verdicts, rows, handled_rights(bundle))
    said = json.loads((bundle / "summary.json").read_text())["attribution"]
    if said["oracle_disagrees"]["count"] or not said["kernel"]:
        wrong.append(f"the summary says {said}")
    for command in ([executable, "validate-bundle", bundle], [sys.executable, kernels.ROOT / "scripts/verify_bundle.py", bundle]):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            wrong.append(f"`{Path(command[-2]).name}` refuses it: {done.stdout[-500:]}{done.stderr[-500:]}")
    return wrong, said


def test_states():
    """The check has to be able to fail."""
    off, on = '{"enabled":0,"backlog_limit":64,"backlog_wait_time":15000}', '{"enabled":1,"backlog_limit":8192,"backlog_wait_time":0}'
    lines = {name: off for name in ("before", "after-KILL", "after-TERM", "after-second", "at-the-end", *(f"after-{plan}" for plan in PLANS))}
    lines |= {"during-KILL": on, "during-TERM": on, "ended-KILL": "137", "ended-TERM": "143", "second": "7", "ordinary": "7"}
    lines |= dict.fromkeys(PLANS, "0")
    assert states(lines) == [], states(lines)
    for name in lines:
        assert states({**lines, name: "1" if lines[name].isdigit() else off if lines[name] == on else on}), name
        assert states({key: text for key, text in lines.items() if key != name}), name
    said = {"level": "kernel", "blockers": ["fs.read_file"]}
    deny, handled = {"expectation_id": "e", "actual": "deny"}, {"p": {"fs.read_file"}}
    row = {"profile_id": "p", "attribution": said}
    assert named([deny], [row], handled) == []
    assert named([deny], [{"profile_id": "p"}], handled)
    assert named([{**deny, "actual": "allow"}], [row], handled)
    assert named([deny], [{**row, "attribution": {"level": "errno", "unattributed": "lost"}}], handled)
    assert named([deny], [{**row, "attribution": {**said, "blockers": ["fs.write_file"]}}], handled)
    assert named([deny], [{**row, "attribution": {**said, "further": [{"blockers": ["read_file"]}]}}], handled)


def tried(image, executable):
    """Whether it is all right on that kernel; prints what is not."""
    test_states()
    commands = COMMANDS.replace("@PLANS@", " ".join(PLANS)).replace("@MARK@", MARK)
    with tempfile.TemporaryDirectory(dir=kernels.TARGET) as scratch:
        out = Path(scratch) / "out"
        console = kernels.sent(image, commands, out, executable)
        wrong, numbers = states(lines_of(console)), []
        for plan in PLANS:
            latest = out / plan / "LATEST"
            if not latest.exists():
                wrong.append(f"{plan}: there is no bundle")
                continue
            found, said = of_bundle(out / plan / latest.read_text().strip(), executable)
            wrong += [f"{plan}: {line}" for line in found]
            numbers.append(f"{plan} {said['kernel']} of {said['kernel'] + said['errno']}")
    print(f"{'FAILED' if wrong else 'ok':6} {image.parent.name} attribution: named by the kernel {', '.join(numbers)}; put back after each end", flush=True)
    for line in wrong:
        print(f"       {line}")
    if wrong:
        print("\n".join("       | " + line for line in console.splitlines()[-60:]))
    return not wrong
