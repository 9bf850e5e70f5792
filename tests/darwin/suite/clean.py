"""The channel `launchd_clean`: the first plan from its start to a promotion, and what launchd may say on the way."""

import json
import os

from .mac import WORLD, Bundle, check
from .plans import HOME_WORLD, OUT, as_the_model_says
from .runner import test

PART = "launchd_clean"
PLAN = "plans/sonoma-runtime-checks/plan.json"
#: A part of the plan that is enough where only the channel is the question.
SMALL = ["--only-scenario", "checks:deny_one_file:read_named"]


def clean_run(mac, *more, **how):
    return mac.run("run", "--json", "--plan", PLAN, "--channel", "launchd_clean", "--out", OUT, *more, **how)


def promotable(bundle):
    verdict = bundle.packet()["promotability"]
    return verdict["promotable_decision_stage"], {one["id"] if isinstance(one, dict) else one for one in verdict["reasons"]}


@test(PART, "the whole of sonoma-runtime-checks, to a promotion in the world of the double", alone=True)
def whole(mac):
    processors, load = os.cpu_count() or 1, os.getloadavg()[0]
    done = clean_run(mac, "--jobs", "2").expect(0, 1, 8)
    # Where others use the processors, the time says nothing.
    check(done.seconds < 120 or load > processors, f"it took {done.seconds:.0f} s, and has two minutes")
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    agreed, open_ = as_the_model_says(mac, bundle)
    yes, reasons = promotable(bundle)
    check(yes, f"not promotable: {reasons}")
    check(bundle.read("run_manifest.json")["world_id"] == WORLD["world_id"], "it is of another world")
    mac.nothing_lives()
    mac.nothing_is_left()
    return f"{agreed} rows as the model says, {open_} undecided by either; {done.seconds:.0f} s; promotable in its own world"


def never(world, change=None):
    """A run under another world's id: sound, and promotable in none."""

    def run(mac):
        if change:
            path = mac.home / f"registries/worlds/{world}.json"
            document = json.loads(path.read_text())
            change(document)
            path.write_text(json.dumps(document))
        clean_run(mac, *SMALL).expect(0, 1, 8)
        bundle = Bundle.newest(mac, OUT)
        bundle.verify()
        yes, reasons = promotable(bundle)
        check(not yes and "world_mismatch" in reasons, f"promotable {yes}, reasons {reasons}")

    return run


def describe_the_double(document):
    document["match"] = dict(WORLD["match"])


test(PART, "never under the id of Sonoma", world=HOME_WORLD)(never(HOME_WORLD))
test(PART, "never under the id of Sonoma, with a document that was changed to describe the double", world=HOME_WORLD)(
    never(HOME_WORLD, describe_the_double)
)
test(PART, "never as whatever Mac this is", world="macos-host")(never("macos-host"))


@test(PART, "what launchd itself puts into a job's environment does not make a worker unclean")
def environment(mac):
    mac.launchd(environment={"OSLogRateLimit": "64"})
    clean_run(mac, *SMALL).expect(0, 1, 8)
    yes, reasons = promotable(Bundle.newest(mac, OUT))
    check("channel_unwitnessed" not in reasons and "not_clean_channel" not in reasons, f"{yes}, {reasons}")


@test(PART, "a variable that somebody set for the session makes a worker unclean")
def foreign_environment(mac):
    mac.launchd(environment={"DYLD_PRINT_LIBRARIES": "1"})
    clean_run(mac, *SMALL).expect(0, 1, 8)
    yes, reasons = promotable(Bundle.newest(mac, OUT))
    check(not yes and reasons & {"channel_unwitnessed", "not_clean_channel"}, f"{yes}, {reasons}")


def refused(manner, *codes):
    """launchd does not take the job, or does not say how it went: no verdict, and nothing is left."""

    def run(mac):
        mac.launchd(**manner)
        clean_run(mac, *SMALL, "--channel-timeout-seconds", "8").expect(*codes)
        latest = mac.root / OUT[1:] / "LATEST"
        check(not latest.exists(), "a run without a worker was committed")
        mac.nothing_lives()
        mac.nothing_is_left()

    return run


# The others are of the same kind, and the crate's own tests put them all.
for code_, seldom_ in ((5, False), (112, False), (113, False), (119, True), (122, True), (124, True), (125, False), (133, True),
                       (134, False), (155, True)):  # fmt: skip
    test("launchd's refusals", f"bootstrap answers {code_}", if_named=seldom_)(refused({"bootstrap": [code_] * 9}, 7, 70))

test(PART, "a label that is on its way out (5, once) is tried again")(
    lambda mac: _works(mac, bootstrap=[5])
)
test(PART, "a job that launchd prepares (`state = xpcproxy`) is waited for")(lambda mac: _works(mac, states=["xpcproxy"] * 3))
test(PART, "a job that starts late is waited for")(lambda mac: _works(mac, start="late"))
test(PART, "without a graphical session the user's domain is taken")(
    lambda mac: _works(mac, domains={"gui/501": 112})
)
test("launchd's refusals", "there is no domain at all")(refused({"domains": {"gui/501": 112, "user/501": 112, "system": 112}}, 7, 70))
test("launchd's refusals", "a job that never starts")(refused({"start": "never"}, 7, 70))
test("launchd's refusals", "a job that launchctl does not find (113) as soon as it was taken")(refused({"print": [113] * 99}, 7, 70))
test("launchd's refusals", "a job that goes on when its work is done")(refused({"stays": True}, 7, 70))
test("launchd's refusals", "a job that a signal ends at once")(refused({"start": "signal"}, 7, 70))


def _works(mac, **manner):
    mac.launchd(**manner)
    clean_run(mac, *SMALL).expect(0, 1, 8)
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    _, reasons = promotable(bundle)
    check(not reasons & {"channel_unwitnessed", "not_clean_channel"}, f"the channel is unclean: {reasons}")
    mac.nothing_lives()
    mac.nothing_is_left()
