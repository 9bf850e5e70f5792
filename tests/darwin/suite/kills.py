"""A harness that is killed, at every stage of a run: nothing lives on, and the next run cleans up."""

import os
import signal
import time

from .mac import HOME, Bundle, check, host
from .runner import test

OUT = f"{HOME}/out"
RUN = ["run", "--json", "--plan", "plans/sonoma-runtime-checks/plan.json", "--out", OUT, "--only-profile", "checks:deny_one_file"]


def words(mac):
    return [role for _, role in mac.processes()]


STAGES = {
    "has just begun": lambda mac: bool(words(mac)),
    "has an output folder": lambda mac: (mac.root / OUT[1:]).exists(),
    "has its servers of probes": lambda mac: "__spawner" in words(mac),
    "runs a probe": lambda mac: "__fresh" in words(mac),
    "seals": lambda mac: any((mac.root / OUT[1:]).glob("*/rows/scenario.jsonl")),
}


def killed(number, stage, channel):
    after = STAGES[stage]

    def run(mac):
        process = mac.start(*RUN, "--channel", channel, stdin=-3, stdout=-3, stderr=-3, start_new_session=True)
        # A stage is a state of the run, not a time: how many processes it has, or that it has an output.
        until = time.monotonic() + 60
        while not after(mac) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        finished = process.poll() is not None
        os.kill(process.pid, number) if not finished else None
        code = process.wait(timeout=60)
        if number == signal.SIGKILL and not finished:
            check(code == -signal.SIGKILL, f"exit code {code}")
        elif not finished:
            # Before it has said what signals do, they do what they always do.
            check(code in (130, 143, 0, 1, 8) or stage == "has just begun" and code == -number, f"exit code {code}")
        mac.nothing_lives(within=30)
        if number != signal.SIGKILL:
            mac.nothing_is_left()
        out = mac.root / OUT[1:]
        committed = (out / "LATEST").exists()
        if committed:
            host("validate-bundle", "--bundle", Bundle.newest(mac, OUT).folder).expect(0)
        if number == signal.SIGKILL:
            # What a killed run could not remove, the next one does.
            mac.run(*RUN, "--channel", "direct").expect(0, 1, 8)
            # A folder that lost its mark a moment before has to be empty, and goes when it is too old to be somebody's new one.
            bare = [left for left in mac.leftovers() if os.path.isdir(left) and not os.listdir(left)]
            for left in bare:
                os.utime(left, (0, time.time() - 3600))
            if bare:
                mac.run(*RUN, "--channel", "direct").expect(0, 1, 8)
            mac.nothing_is_left()
        return "after its end" if finished else None

    return run


for stage_ in STAGES:
    for number_ in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        # One handler is for both of the signals that ask.
        seldom_ = number_ == signal.SIGINT and stage_ != "runs a probe"
        test("a harness is ended", f"by {number_.name} when it {stage_}", if_named=seldom_)(killed(number_, stage_, "direct"))
test("a harness is ended", "by SIGKILL while its clean worker runs a probe")(killed(signal.SIGKILL, "runs a probe", "launchd_clean"))
test("a harness is ended", "by SIGTERM while its clean worker runs a probe")(killed(signal.SIGTERM, "runs a probe", "launchd_clean"))
