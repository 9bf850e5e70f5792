"""The table of scripts/test-launchers: what each launcher's bundles say, and what is undecided without a reason."""

import fnmatch
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REASONS = os.path.join(ROOT, "scripts", "lib", "launchers-undecided.txt")
SECOND_READER = os.path.join(ROOT, "scripts", "verify_bundle.py")
# What is undecided because no worker answered: the launcher is not here, or does not start.
ABSENT = {"capability_missing", "launcher_not_started"}


def reasons():
    """(launcher, user, question, kind, reason), each but the last a pattern."""
    found = []
    with open(REASONS, encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                pattern, reason = line.split(":: ", 1)
                found.append((pattern.split(), reason.strip()))
    return found


def rows_of(bundle):
    with open(os.path.join(bundle, "runtime_results.json"), encoding="utf-8") as file:
        results = json.load(file)
    for profile in results.values():
        for row in profile.get("probes", []) if isinstance(profile, dict) else []:
            yield row


def start_of(bundle):
    """The version that the launcher told, and why it was not started, if that is so, in its own words."""
    version = words = ""
    with open(os.path.join(bundle, "rows", "scenario.jsonl"), encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            record = row.get("launcher") or {}
            version = version or (record.get("start") or {}).get("version") or ""
            words = words or (record.get("fault") or {}).get("detail") or (row.get("not_run") or {}).get("reason") or ""
    return version, " ".join(words.split())


def main():
    executable, out = sys.argv[1:]
    stated, used, faults, silent = reasons(), set(), [], {}
    table = [("LAUNCHER", "USER", "PLAN", "ASKED", "AS EXPECTED", "NOT", "UNDECIDED", "MS", "REMARK")]
    for user in sorted(os.listdir(out)):
        for launcher in sorted(os.listdir(os.path.join(out, user))):
            folder = os.path.join(out, user, launcher)
            plans = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".ms"))
            if not plans:
                table.append((launcher, user, "", "", "", "", "", "", "is not installed"))
            for plan in plans:
                latest = os.path.join(folder, plan, "LATEST")
                if not os.path.exists(latest):
                    with open(os.path.join(folder, plan + ".said"), encoding="utf-8") as file:
                        faults.append(f"{launcher} as {user}, {plan}: no bundle: {file.read().strip()}")
                    continue
                bundle = os.path.join(folder, plan, open(latest, encoding="utf-8").read().strip())
                valid = subprocess.run([executable, "validate-bundle", "--bundle", bundle], capture_output=True, text=True)
                if valid.returncode != 0:
                    faults.append(f"{launcher} as {user}, {plan}: its bundle is not valid: {valid.stderr.strip()}")
                second = subprocess.run([sys.executable, SECOND_READER, bundle], capture_output=True, text=True)
                if second.returncode != 0:
                    faults.append(f"{launcher} as {user}, {plan}: the second reader refuses it: {second.stdout.strip()}")
                counts, why = {"yes": 0, "no": 0, "open": 0}, {}
                remark, words = start_of(bundle)
                for row in rows_of(bundle):
                    if row["actual"] is not None:
                        counts["yes" if row["match"] else "no"] += 1
                        continue
                    counts["open"] += 1
                    kind = row["runtime_result"]["failure_kind"]
                    why.setdefault(kind, []).append(row["name"])
                asked = sum(counts.values())
                for kind, names in sorted(why.items()):
                    if kind in ABSENT and len(names) == asked:
                        remark = words
                        if launcher == "none":
                            faults.append(f"{launcher} as {user}, {plan}: {remark}")
                        continue
                    for name in names:
                        texts = (launcher, user, f"{plan}:{name}", kind)
                        place = next((n for n, (pattern, _) in enumerate(stated)
                                      if all(map(fnmatch.fnmatchcase, texts, pattern))), None)
                        used.add(place)
                        if place is None:
                            silent.setdefault((f"{plan}:{name}", kind), []).append(f"{launcher} as {user}")
                # The control that must fail: without a sandbox whatever should be refused goes through.
                if launcher == "none" and not counts["open"]:
                    refused = [row["name"] for row in rows_of(bundle) if row["actual"] == "deny"]
                    if refused:
                        faults.append(f"{launcher} as {user}, {plan}: refused without any sandbox: {', '.join(refused)}")
                milliseconds = open(os.path.join(folder, plan + ".ms"), encoding="utf-8").read().strip()
                table.append((launcher, user, plan, str(asked), str(counts["yes"]), str(counts["no"]),
                              str(counts["open"]), milliseconds, remark))
    widths = [max(len(row[n]) for row in table) for n in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    shown = sorted(place for place in used if place is not None)
    if shown:
        print("\nundecided, for a reason:")
        for place in shown:
            pattern, reason = stated[place]
            print(f"  {' '.join(pattern)}: {reason}")
    for (question, kind), where in sorted(silent.items()):
        faults.append(f"{question} is undecided ({kind}), and nothing says why: {', '.join(where)}")
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
