"""Every plan of macOS on the channel `direct`, and one through `launchd_clean`."""

import collections
import json

from .mac import HOME, REPOSITORY, Bundle, check
from .runner import test

PLANS = sorted(path.parent.name for path in REPOSITORY.glob("plans/sonoma-*/plan.json"))
HOME_WORLD = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5"
#: Drivers that attempt nothing, or that nobody answers: their rows decide nothing by design.
SILENT = {"policy_query", "apply_only", "darwin_notification_post", "distributed_notification_post", "preference_read"}
#: Why a row that the model decides may decide nothing, as its failure says; for the second, the drivers that look for
#: something that is not on every Mac, nor on this one.
GATED, NOT_THERE, NOT_PREPARED = "preflight_apply_gate_signature", "baseline_undecided", "probe_prepare_failed"
LOOKING = {"mach_lookup", "mach_lookup_local", "xpc_lookup"}
#: (driver, what it came to) of all rows, for the test of the drivers' ends.
SEEN = collections.Counter()
OUT = f"{HOME}/out"


def as_the_model_says(mac, bundle):
    """Each row that the model decides came out as it decides."""
    decided = {row["expectation_id"]: row for row in bundle.rows("oracle") if row["source"] == "seatbelt_model"}
    drivers = {row["expectation_id"]: row["action"]["driver"] for row in bundle.rows("scenario")}
    wrong, agreed, open_ = [], 0, 0
    for probe in bundle.probes():
        name, actual = probe["expectation_id"], probe["actual"]
        driver = drivers.get(name, "")
        SEEN[driver, actual or "undecided"] += 1
        model = decided.get(name, {}).get("decision")
        failure = probe["runtime_result"]["failure_kind"]
        # A driver that opens something first is refused there already, which the model counts as a part of the operation.
        refused_before = failure == NOT_PREPARED and model == "deny"
        excused = failure == GATED or failure == NOT_THERE and driver in LOOKING or refused_before
        if model not in ("allow", "deny") or driver in SILENT or actual is None and excused:
            open_ += 1
        elif actual != model:
            result = probe["runtime_result"]
            wrong.append(f"{name} ({driver}): the model says {model}, the row {actual} {json.dumps(result)[:500]}")
        else:
            agreed += 1
    check(not wrong, f"{len(wrong)} row(s) do not come out as the model says:\n" + "\n".join(wrong))
    return agreed, open_


def direct(plan):
    def run(mac):
        done = mac.run("run", "--json", "--plan", f"plans/{plan}/plan.json", "--out", OUT, "--jobs", "2").expect(0, 1, 8)
        bundle = Bundle.newest(mac, OUT)
        bundle.verify()
        packet = bundle.packet()
        check(not packet["promotability"]["promotable_decision_stage"], "a direct run is promotable")
        agreed, open_ = as_the_model_says(mac, bundle)
        mac.nothing_lives()
        mac.nothing_is_left()
        return f"{agreed} rows as the model says, {open_} undecided by either; exit code {done.code}"

    return run


for plan_ in PLANS:
    test("plans, direct", plan_)(direct(plan_))
