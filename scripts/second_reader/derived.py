"""The normative part of the derived documents (SPEC 3.2): what every reader computes from inputs and rows."""

import errno as numbers
import json

from . import controls_of, decide, model, rows
from .finding import NotDerivable
from .json_text import same
from .landlock import Table
from .launcher import Question

NAMES = {"must_deny": "deny", "must_allow": "allow"}
#: Who answers for a policy, by mode.
SOURCES = {"landlock": "landlock_model", "launcher": "launcher_claims", "sbpl": "seatbelt_model", "blob": "seatbelt_model"}


def error_name(number):
    return numbers.errorcode.get(number)


class Evaluation:
    """A run evaluated again: outcomes of every row, controls, numbers."""

    def __init__(self, plan, manifest, files, disagreeing=None):
        self.plan, self.manifest, self.files = plan, manifest, files
        self.lanes = plan.lanes if not manifest["dry_run"] else dict.fromkeys(plan.lanes, False)
        #: Of a merge the places of rows that attempts did not answer alike; of any other bundle None.
        self.disagreeing = disagreeing
        self.contradictions = rows.Contradictions(manifest) if disagreeing is None else rows.NoContradictions()
        #: What no sentence of SPEC lets a reader compute, in words.
        self.not_judged = []
        self.times = Times(manifest["deadline_ms"])
        rows.with_actions(plan)
        self.controls = self._controls() if self.lanes["scenario"] else self._no_rows("control")
        self._read_lanes()

    def _no_rows(self, lane):
        if rows.read(self.files, lane):
            raise NotDerivable(f"rows/{lane}.jsonl has rows, and none is planned")

    def _open(self, lane):
        if not self.lanes[lane]:
            return self._no_rows(lane)
        found = rows.read(self.files, lane)
        if found is None:
            raise NotDerivable(f"rows/{lane}.jsonl is absent")
        return found

    # Controls: rows profile by profile, `must_deny` before `must_allow`.

    def _controls(self):
        found, seq, reports = rows.read(self.files, "control") or [], 0, []
        for profile in self.plan.profiles:
            derived = self._derived_controls(profile, found, seq)
            report = {"profile_id": profile.id}
            for name, wanted in derived.items():
                if wanted is None:
                    report[name] = {"status": "not_derivable"}
                    continue
                if seq == len(found):
                    raise NotDerivable(f"rows/control.jsonl has {seq} rows; the next one is {name} of {profile.id}")
                row = found[seq]
                rows.check_planned("control", seq, row, {
                    "profile_id": profile.id, "probe_id": f"control:{name}", "control_expects": NAMES[name],
                    "action": wanted, "supported": True,
                })
                self.contradictions.check(row, [])
                self.times.take(row)
                seq += 1
                report[name] = self._control(row, wanted, NAMES[name])
            report["status"] = _both(report["must_deny"]["status"], report["must_allow"]["status"])
            reports.append(report)
        if seq != len(found):
            raise NotDerivable(f"rows/control.jsonl has more than {seq} rows")
        return reports

    def _derived_controls(self, profile, found, seq):
        if profile.policy.mode == "landlock":
            return dict(zip(NAMES, controls_of.derive(Table(profile.policy.value))))
        if profile.policy.mode in ("launcher", "blob"):
            return dict.fromkeys(NAMES)
        # Which controls a Seatbelt text yields, only the model of the program says; those in the bundle are judged.
        self.not_judged.append(f"which controls the policy of {profile.id} yields")
        rest = (found[place] for place in range(seq, len(found)))
        mine = {row["probe_id"].removeprefix("control:"): None for row in rest if row["profile_id"] == profile.id}
        return {name: {"driver": None, "target": "${name.any}"} if name in mine else None for name in NAMES}

    def _control(self, row, wanted, expected):
        word, kind, number = decide.settled(row, decide.by_itself(row), self.manifest, lambda *_: False)
        if word == expected:
            status = "ok"
        elif word is None and decide.stage(kind) == "apply":
            status = "not_applied"
        else:
            status = "not_shown" if kind == "outer_confinement" and word is None else "wrong"
        entry = {"status": status, "actual": word, "failure_kind": None if word else kind, "errno": number}
        entry = {name: value for name, value in entry.items() if value is not None}
        return entry | ({"action": wanted} if wanted["driver"] else {})

    # The lanes, side by side.

    def _read_lanes(self):
        found = {lane: self._open(lane) for lane in ("baseline", "scenario", "oracle")}
        self.outcomes, self.baselines, self.oracle = [], [], found["oracle"]
        #: Rows of the oracle lane, and those of them that a model of SPEC answers.
        self.asked, self.answered = [], []
        #: How denials under a launcher came about, by expectation id.
        self.mechanisms = {}
        #: By row: the plan's, `seq`, what its baseline and scenario show by themselves, the oracle's row, the outcome.
        self.places = []
        answers = []
        seq = 0
        for number, profile in enumerate(self.plan.profiles):
            wrong = bool(self.controls) and self.controls[number]["status"] in ("wrong", "not_applied")
            for planned in profile.rows:
                place = {}
                for lane, all_rows in found.items():
                    if all_rows is not None:
                        if seq >= len(all_rows):
                            raise NotDerivable(f"rows/{lane}.jsonl ends after {seq} rows")
                        place[lane] = all_rows[seq]
                        rows.check_planned(lane, seq, place[lane], rows.planned(planned, lane))
                if "oracle" in place:
                    answers.append((profile, planned, place["oracle"]))
                for lane in ("baseline", "scenario"):
                    if lane in place:
                        self.contradictions.check(place[lane], planned.fixtures)
                        self.times.take(place[lane])
                if "baseline" in place and "scenario" in place:
                    self.times.compare(place["baseline"], place["scenario"])
                self._judge(profile, planned, place, wrong)
                seq += 1
        for lane, all_rows in found.items():
            if all_rows is not None and len(all_rows) > seq:
                raise NotDerivable(f"rows/{lane}.jsonl has more than {seq} rows")
        # Of a merge each part was asked.
        for answer in answers if self.disagreeing is None else ():
            self._ask(*answer)

    def _ask(self, profile, planned, row):
        """Holds a row of the oracle lane to what the model answers (SPEC 2.5)."""
        if row["source"] != SOURCES[profile.policy.mode]:
            raise NotDerivable(f"the oracle's source of {planned.expectation_id} is {row['source']}")
        self.asked.append(planned)
        answer = model.answer(profile.policy, planned)
        if answer is None:
            self.not_judged.append(f"what the model answers to {planned.expectation_id}")
            return
        self.answered.append(planned)
        said = row.get("decision"), row.get("rule"), set(row.get("assumes", ()))
        wanted = answer.decision, answer.rule, answer.assumes
        if said != wanted:
            raise NotDerivable(f"the oracle's row of {planned.expectation_id} says {said}, the model {wanted}")

    def _judge(self, profile, planned, place, wrong):
        known = {"planned": planned, "seq": len(self.places)} | {lane: place[lane] for lane in ("oracle",) if lane in place}
        self.places.append(known)
        baseline = place.get("baseline")
        shown = baseline and decide.by_itself(baseline)
        if baseline:
            self.baselines.append((planned, baseline, shown))
            known["baseline"] = shown
        row = place.get("scenario")
        if row is None:
            return
        other = []
        mine = decide.by_itself(row) if "launcher" not in row or "not_run" in row else None
        if mine is None:
            mine, self.mechanisms[planned.expectation_id] = Question(row, planned.probe.get("name_alone", False)).judge()
        if known["seq"] in (self.disagreeing or ()):
            mine = decide.undecided("repetitions_disagree", 0)
        known["scenario"] = mine
        outcome = decide.settled(row, mine, self.manifest, self._reaches(profile, planned, other))
        outcome = decide.verdict(row, outcome, baseline and (baseline, shown), wrong)
        if other:
            self.not_judged.append(f"whether {other[0]} decided {planned.expectation_id}")
            outcome = None
        known["outcome"] = outcome
        self.outcomes.append((planned, row, outcome))

    def _reaches(self, profile, planned, unknown):
        """Whether a rule of the policy reaches the run's own place, so that it may have decided the row (SPEC 2)."""
        table = Table(profile.policy.value) if profile.policy.mode == "landlock" else None

        def ask(row, shown):
            moves = row["action"]["driver"] in ("file_rename", "file_exchange", "file_link")
            if shown[0] == "deny" and not (moves if table else profile.policy.mode in ("sbpl", "blob")):
                return False
            if table and self._port_coincides(table, planned, row):
                return True
            known = (self.manifest.get("confinement") or {}).get("rules_over_fixtures", {}).get(profile.id, [])
            covering = list(known)
            for _, pointer, rule in table.path_rules() if table else ():
                path = rule["path"].rstrip("/")
                if path and (row["root"] == path or row["root"].startswith(path + "/")) and pointer not in covering:
                    covering.append(pointer)
            own = planned.action is None or any("${root}" in text for text in _texts(planned.action))
            if not covering or not own:
                return False
            if table:
                pointers = {pointer for _, pointer, _ in table.path_rules()}
                if not pointers.issuperset(covering):
                    return True
                return model.landlock(table, planned.action, planned.fixtures, covering).decision is None
            if profile.policy.mode != "launcher":
                unknown.extend(covering)
            return False
        return ask

    @staticmethod
    def _port_coincides(table, planned, row):
        right = {
            "tcp_connect": "connect_tcp", "mptcp_connect": "connect_tcp", "tcp_fast_open": "connect_tcp",
            "io_uring_connect": "connect_tcp", "tcp_bind": "bind_tcp", "mptcp_bind": "bind_tcp", "udp_bind": "bind_udp",
            "udp_send": "connect_send_udp", "udp_connect": "connect_send_udp",
        }.get(row["action"]["driver"])
        declared = planned.probe["target"].rpartition(":")[2]
        port = row["action"]["target"].rpartition(":")[2]
        return "${port." in declared and right and any(
            rule["port"] == port and right in rule["allow"] for _, _, rule in table.port_rules())

    # What follows.

    def agreement(self, planned, outcome):
        """`match` of a row, and how it is denied otherwise than demanded, if it is."""
        word, _, number = outcome
        expected = planned.probe["expected"]
        if word is None or expected == "any":
            return None, None
        demanded, how = planned.probe.get("errno"), planned.probe.get("mechanism")
        if word == expected == "deny" and how and self.mechanisms.get(planned.expectation_id) not in how:
            return False, "unexpected_mechanism"
        if word == expected == "deny" and demanded and error_name(number) not in demanded:
            return False, "unexpected_errno"
        return word == expected, None

    def mismatch_type(self, planned, outcome):
        """In what a row parts from its expectation; None if it does not."""
        match, otherwise = self.agreement(planned, outcome)
        word, kind, _ = outcome
        if match or (word and match is None):
            return None
        if decide.witnessed(outcome) is False:
            return "op_not_witnessed"
        blocked = {"preflight": "preflight_blocked", "apply": "apply_gate", "bootstrap": "bootstrap_failed"}
        if decide.stage(kind) in blocked:
            return blocked[decide.stage(kind)]
        if otherwise:
            return otherwise
        if planned.probe["operation"].startswith("file-") and ".." in planned.probe["target"].split("/"):
            return "canonicalization_boundary"
        return f"unexpected_{word}"


class Times:
    """When rows were executed, as they say (SPEC 4, `times_disagree`)."""

    def __init__(self, deadline_ms):
        self.limit = deadline_ms * 1000 + 60_000_000
        self.span = None
        self.overran = self.out_of_order = False

    def take(self, row):
        start = row["started_at_unix_s"]
        end = start + row["duration_us"] / 1e6
        first, last = self.span or (start, end)
        self.span = min(first, start), max(last, end)
        by_itself = (row.get("ending") or {}).get("how") in ("exited", "signaled")
        self.overran |= by_itself and row["duration_us"] > self.limit

    def compare(self, baseline, scenario):
        self.out_of_order |= scenario["started_at_unix_s"] + 1.0 < baseline["started_at_unix_s"]


def _texts(value):
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in _texts(one)]


def _both(deny, allow):
    both = [deny, allow]
    for status in ("wrong", "not_applied"):
        if status in both:
            return status
    return ("not_derivable", "partial", "ok")[both.count("ok")]


def documents(done):
    """Every derived document's normative part, by name: a value that the bundle's document has to contain."""
    plan, manifest = done.plan, done.manifest
    head = {"world_id": manifest["world_id"], "run_id": manifest["run_id"]}
    wanted = {}
    matrix = {"world_id": manifest["world_id"], "profiles": {one.id: _matrix(one) for one in plan.profiles}}
    wanted["expected_matrix.json"] = wanted["expected_matrix.generated.json"] = matrix
    if done.lanes["baseline"]:
        wanted["baseline_results.json"] = head | {"results": [_baseline(*one) for one in done.baselines]}
    if done.lanes["oracle"]:
        by_model = [_oracle(head, row, asked) for row, asked in zip(plan.rows(), done.oracle)]
        wanted["oracle_results.json"] = head | {"results": by_model}
    if done.lanes["scenario"]:
        wanted["controls.json"] = head | {"plan_id": manifest["plan_id"], "profiles": done.controls}
        wanted["runtime_results.json"] = _results(done)
        wanted["runtime_events.normalized.json"] = [_event(done, head, *one) for one in done.outcomes]
    if done.lanes["scenario"] or done.lanes["baseline"]:
        wanted["path_witnesses.json"] = wanted["fixtures.json"] = head | {"plan_id": manifest["plan_id"]}
    wanted["summary.md"] = None
    judged = [one for one in done.outcomes if one[2]]
    if len(judged) == len(done.outcomes):
        parts = [(row, outcome, done.mismatch_type(row, outcome)) for row, _, outcome in done.outcomes]
        apart = [one for one in parts if one[2]]
        wanted["mismatch_summary.json"] = {
            "world_id": manifest["world_id"], "counts": _counted(kind for _, _, kind in apart),
            "mismatches": [_mismatch(manifest, *one) for one in apart],
        }
        wanted["mismatch_packets.jsonl"] = [row.expectation_id for row, _, _ in apart]
        wanted["summary.json"] = _summary(done, apart)
    else:
        wanted |= {"mismatch_summary.json": {}, "mismatch_packets.jsonl": None, "summary.json": {"scenario_count": len(plan.rows())}}
    return wanted


def _counted(kinds):
    counts = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def _matrix(profile):
    members = ("mode", "driver", "syscall", "attr_payload", "anchor_ctx_id", "filter_name")
    probes = []
    for row in profile.rows:
        probe = row.probe
        entry = {name: probe[name] for name in members if probe.get(name)}
        entry |= {name: probe[name] for name in ("mechanism", "errno") if probe.get(name)}
        entry |= {"name_alone": True} if probe.get("name_alone") else {}
        entry |= {"filter_type": probe["filter_type"]} if "filter_type" in probe else {}
        entry |= {name: probe[name] for name in ("operation", "target", "expected")}
        probes.append(entry | {"name": row.name(), "expectation_id": row.expectation_id})
    entry = profile.entry
    return {
        "blob": profile.policy.path, "mode": entry["mode"], "family": entry["family"],
        "semantic_group": entry["semantic_group"], "probes": probes,
    }


def _baseline(planned, row, shown):
    word, kind, number = shown
    reached = word is not None or kind in ("probe_errno", "probe_inconclusive", "probe_effect_unseen")
    entry = {
        "name": f"baseline:{planned.profile_id}:{planned.name()}", "profile_id": planned.profile_id,
        "probe_name": planned.name(), "operation": planned.probe["operation"], "target": planned.probe["target"],
        "status": word or "undecided", "reached_primary_op": reached,
    }
    entry |= {"failure_kind": kind} if word is None else {}
    return entry | ({"errno": number} if number is not None else {})


def _oracle(head, planned, row):
    entry = {
        "expectation_id": planned.expectation_id, "profile_id": planned.profile_id, "probe_name": planned.name(),
        "operation": planned.probe["operation"], "argument": planned.probe["target"], "api": row["source"],
        "reason": row["reason"], "assumes": row.get("assumes", []), "stage": "model",
    }
    return head | entry | ({"decision": row["decision"]} if "decision" in row else {})


def _row(done, planned, row, outcome):
    """What results and events say of a row alike."""
    entry = {"expectation_id": planned.expectation_id, "operation": planned.probe["operation"]}
    entry["expected"] = planned.probe["expected"]
    if outcome:
        entry |= {"actual": outcome[0], "match": done.agreement(planned, outcome)[0]}
    return entry


def _results(done):
    entries = {one.id: [] for one in done.plan.profiles}
    for planned, row, outcome in done.outcomes:
        entry = _row(done, planned, row, outcome) | {"name": planned.name(), "path": planned.probe["target"]}
        if outcome:
            entry["runtime_result"] = {
                "status": decide.status(row, outcome), "errno": outcome[2], "failure_kind": outcome[1],
                "failure_stage": decide.stage(outcome[1]), "intended_op_witnessed": decide.witnessed(outcome),
            }
        entries[planned.profile_id].append(entry)
    found = {}
    for profile in done.plan.profiles:
        mine = [(planned, outcome) for planned, _, outcome in done.outcomes if planned.profile_id == profile.id]
        found[profile.id] = {
            "run_id": done.manifest["run_id"], "profile_path": profile.policy.path, "probes": entries[profile.id],
        }
        if all(outcome for _, outcome in mine):
            blocked = sum(decide.stage(o[1]) in ("preflight", "apply", "bootstrap") for _, o in mine)
            matched = sum(done.agreement(p, o)[0] is True for p, o in mine)
            status = "blocked" if blocked == len(mine) else "ok" if matched == len(mine) else "partial"
            found[profile.id]["status"] = status
    return found


def _event(done, head, planned, row, outcome):
    entry = head | _row(done, planned, row, outcome) | {
        "profile_id": planned.profile_id, "probe_name": planned.name(), "scenario_id": planned.expectation_id,
        "target": planned.probe["target"],
    }
    if outcome:
        entry |= {"runtime_status": decide.status(row, outcome), "intended_op_witnessed": decide.witnessed(outcome)}
    return {name: value for name, value in entry.items() if value is not None}


def _mismatch(manifest, planned, outcome, kind):
    return {
        "world_id": manifest["world_id"], "profile_id": planned.profile_id, "expectation_id": planned.expectation_id,
        "operation": planned.probe["operation"], "path": planned.probe["target"], "expected": planned.probe["expected"],
        "actual": outcome[0], "mismatch_type": kind,
    }


def by_design(row, kind):
    """Whether a row without a decision could not have come to one (SPEC 2)."""
    driver = row["action"]["driver"]
    return (kind == "oracle_only" and driver == "policy_query") or (
        kind == "probe_inconclusive" and driver in decide.PROVES_NOTHING)


def _listed(found):
    return {
        "count": len(found), "kinds": _counted(kind for _, kind in found), "left_out": max(0, len(found) - 1000),
        "rows": [
            {"profile_id": row.profile_id, "expectation_id": row.expectation_id, "failure_kind": kind}
            for row, kind in found[:1000]
        ],
    }


def named(profiles):
    return {"count": len(profiles), "profiles": profiles[:200], "left_out": max(0, len(profiles) - 200)}


def _summary(done, apart):
    plan, manifest = done.plan, done.manifest
    agreements = [(row, outcome, done.agreement(row, outcome)[0]) for row, _, outcome in done.outcomes]
    left = [(planned, row, outcome[1]) for planned, row, outcome in done.outcomes if outcome[0] is None]
    unasserted = sum(1 for _, outcome, match in agreements if outcome[0] and match is None)
    counts = {
        "planned": len(plan.rows()), "matched": sum(1 for one in agreements if one[2] is True),
        "mismatched": sum(1 for one in agreements if one[2] is False), "undecided": len(left),
    }
    counts |= {"unasserted": unasserted} if unasserted else {}
    refused = {row.profile_id for row, _, outcome in done.outcomes if outcome[0] == "deny"}
    underivable = [one["profile_id"] for one in done.controls or [] if one["must_deny"]["status"] == "not_derivable"]
    status = "ok" if done.lanes["scenario"] and not apart and not unasserted else "partial"
    lanes = done.lanes if manifest["dry_run"] else plan.document.get("lanes", {})
    listened = "attribution" in manifest and done.lanes["scenario"]
    return {
        "world_id": manifest["world_id"], "run_id": manifest["run_id"], "identity": manifest.get("identity"),
        "plan_id": manifest["plan_id"], "plan_digest": manifest["plan_digest"], "channel": manifest["channel"],
        "status": "dry" if manifest["dry_run"] else status, "lanes": lanes, "profile_count": len(plan.profiles),
        "scenario_count": len(plan.rows()), "expected_profiles": [one.id for one in plan.profiles],
        "mismatch_counts": _counted(kind for _, _, kind in apart), "dry_run": manifest["dry_run"],
        "decision_rule": decide.RULE, "counts": counts, "undecided_kinds": _counted(kind for _, _, kind in left),
        "undecided_rows": _listed([(planned, kind) for planned, row, kind in left if not by_design(row, kind)]),
        "by_design_rows": _listed([(planned, kind) for planned, row, kind in left if by_design(row, kind)]),
        "profiles_without_refusal": named([one for one in underivable if one not in refused]),
        # Nothing that is there equals what is not.
        "attribution": _attribution(done) if listened else ...,
    }


def _attribution(done):
    """What the kernel said, in numbers; where the model says otherwise, only the program can say."""
    said = [row["attribution"] for _, row, _ in done.outcomes if "attribution" in row]
    by_kernel = [one for one in said if one["level"] == "kernel"]
    return {
        "kernel": len(by_kernel), "errno": len(said) - len(by_kernel),
        "unattributed": _counted(one["unattributed"] for one in said if "unattributed" in one),
        "records": sum(1 + len(one.get("further", ())) for one in by_kernel),
    }


#: Members of these are compared with all that they hold, so that nothing more may stand in them.
WHOLE = {"counts", "mismatch_counts", "undecided_kinds", "undecided_rows", "by_design_rows", "profiles_without_refusal", "lanes", "unattributed"}


def contains(found, wanted, at=""):
    """Where `found` does not have what `wanted` has; None if it has all. Lists have to be of one length."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return at
        if at.rpartition("/")[2] in WHOLE and found.keys() != wanted.keys():
            return at
        return next((where for name, value in wanted.items()
                     if (where := contains(found.get(name, ...), value, f"{at}/{name}")) is not None), None)
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return at
        return next((where for n, value in enumerate(wanted)
                     if (where := contains(found[n], value, f"{at}/{n}")) is not None), None)
    return None if same(found, wanted) else at


def differing(done, files):
    """(name, where) of every derived document whose normative part is another one."""
    for name, wanted in documents(done).items():
        if name not in files:
            continue
        data = files[name]
        if wanted is None:
            continue
        try:
            if name.endswith(".jsonl"):
                found = [json.loads(line)["expectation_id"] for line in data.splitlines()]
            else:
                found = json.loads(data)
            where = contains(found, wanted)
            if name == "oracle_results.json":
                where = contains(found | {"results": [one for one in found["results"] if one["stage"] == "model"]}, wanted)
            keyed = {"runtime_results.json": found, "expected_matrix.json": found.get("profiles") if isinstance(found, dict) else None}
            if where is None and name in keyed and list(keyed[name]) != [one.id for one in done.plan.profiles]:
                where = ""
        except (ValueError, KeyError, TypeError, AttributeError):
            where = ""
        if where is not None:
            yield name, where
