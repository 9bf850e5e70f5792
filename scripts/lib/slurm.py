"""What is done on the cluster of scripts/test-slurm, and what has to come of it. Runs inside the copy of the system."""

import concurrent.futures
import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from slurm_cluster import LOGS, NODES, USER, Cluster, Failure, command, exit_of, until  # noqa: E402  (it lies beside this script)

PLAN = "plans/quickstart"
#: Of shares that are stopped in the middle: enough repetitions that the middle is a while.
LONG = ["--repeat", "50"]
#: A share whose task `$HALT` stops for ever in the middle of its first attempt, or, with `$AFTER`, once it is through.
HALTING = f"""#!/bin/bash
#SBATCH --array=0-3
#SBATCH --open-mode=append
set -u
out=shards/$SLURM_ARRAY_TASK_ID
run=(sandproof run --plan {PLAN} {' '.join(LONG)} --shard auto --out "$out")
if [[ $SLURM_ARRAY_TASK_ID != "$HALT" || ${{SLURM_RESTART_COUNT:-0}} != 0 ]]; then
    exec "${{run[@]}}"
fi
if [[ $AFTER == yes ]]; then
    "${{run[@]}}" || exit 99
else
    # If it was faster than this script, once more.
    while true; do
        rm -rf "$out"
        "${{run[@]}}" &
        # What it is about is declared, and nothing is committed yet.
        until compgen -G "$out/*/run_identity.json" >/dev/null; do :; done
        kill -STOP $! 2>/dev/null && ! compgen -G "$out/*/artifact_index.json" >/dev/null && break
        kill -KILL $! 2>/dev/null
        wait $!
    done
fi
: >halted
sleep infinity
"""


def expect(what, found, wanted):
    """They have to be the same."""
    if found != wanted:
        raise Failure(f"{what}: {found!r}, not {wanted!r}")


def contains(what, text, *words):
    """Each of the words has to be in the text."""
    for word in words:
        if word not in text:
            raise Failure(f"{what} does not say `{word}`: {text.strip()}")


def log_of(folder, job, task=None):
    """What a job wrote."""
    return (folder / f"slurm-{job}{'' if task is None else f'_{task}'}.out").read_text()


def read(path):
    return json.loads(path.read_text())


def newest(out):
    return out / (out / "LATEST").read_text().strip()


class Scenarios:
    """Each gives what was seen, or raises. Each has a folder of its own, so that they can be done beside each other."""

    def __init__(self, cluster):
        self.cluster = cluster

    # --- helpers --------------------------------------------------------------------------------------------------------

    def merged(self, folder, code=0, more=()):
        """Merges once more in this folder, by hand, for what the answer for programs says."""
        done = self.cluster.as_user(folder, "sandproof", "merge", "--json", "shards", *more, "--out", "by-hand", code=code)
        return json.loads(done)

    def standings(self, answer):
        """How many of the bundles that were given stand how."""
        counts = {}
        for one in answer["inputs"]:
            counts[one["standing"]] = counts.get(one["standing"], 0) + 1
        return counts

    def is_the_plan(self, folder, bundle, more=()):
        """A merge verifies, and comes to what the undivided run on this machine comes to."""
        self.cluster.as_user(folder, "sandproof", "validate-bundle", "--bundle", bundle)
        self.cluster.as_user(folder, "sandproof", "run", "--quiet", "--plan", PLAN, *more, "--out", "alone")
        alone = newest(folder / "alone")
        self.cluster.as_user(folder, "sandproof", "diff-runs", alone, bundle)
        expect("rows of the merge", (bundle / "verdicts.jsonl").read_text(), (alone / "verdicts.jsonl").read_text())

    def shares(self, folder):
        """What the finished shares below `shards` say of themselves: task to index, count and who said so."""
        found = {}
        for manifest in sorted(folder.glob("shards/*/*/run_manifest.json")):
            if (manifest.parent / "artifact_index.json").exists():
                shard = read(manifest)["selection"]["shard"]
                found[int(manifest.parts[-3])] = (shard["indices"], shard["count"], shard["found_by"])
        return found

    def halted(self, folder, job, task):
        """Waits until that task has stopped in the middle, and the others of its array have ended."""
        until(f"task {task} stops", 150, (folder / "halted").exists)

        def others():
            tasks = self.cluster.tasks(job)
            states = {number: fields["JobState"] for number, fields in tasks.items()}
            return tasks if states.pop(task, None) == "RUNNING" and set(states.values()) == {"COMPLETED"} else None

        return until(f"tasks beside {task}", 150, others)

    def halting(self, name, halt, after="no", words=()):
        """Submits an array of which a task stops, and a merge that depends on it; folder, array and merge."""
        folder = self.cluster.folder(name)
        script = folder / "share.sh"
        script.write_text(HALTING)
        script.chmod(0o755)
        job = self.cluster.submit(folder, f"--export=ALL,HALT={halt},AFTER={after}", *words, script)
        merge = self.cluster.submit(folder, f"--dependency=afterany:{job}", "ci/slurm-merge.sh")
        return folder, job, merge

    # --- scenarios ------------------------------------------------------------------------------------------------------

    def examples_as_they_are(self):
        """The scripts of docs/examples/ci, with nothing added."""
        folder = self.cluster.folder("examples")
        said = self.cluster.as_user(folder, "ci/slurm-submit.sh")
        merge = said.split()[-1]
        expect("shares", self.shares(folder), {n: ([n + 1], 4, "slurm_array") for n in range(4)})
        contains("the merge", log_of(folder, merge), "4 of 4 shares by hash")
        self.is_the_plan(folder, newest(folder / "merged"))
        nodes = sorted({fields["BatchHost"] for fields in self.cluster.tasks(self.array_before(merge)).values()})
        return f"4 shares on {' and '.join(nodes)}, merge exits 0, and is the undivided run"

    def array_before(self, merge):
        """The array that a merge depended on: Slurm forgets a dependency once it is fulfilled, so it is the one in the same folder."""
        place = self.cluster.tasks(merge)[None]["WorkDir"]
        text = command("scontrol", "--oneliner", "show", "job")
        for line in text.splitlines():
            if f"WorkDir={place} " in line and "ArrayJobId=" in line:
                return line.split("ArrayJobId=")[1].split()[0]
        raise Failure(f"no array in {place}")

    def array(self, name, spec, tasks):
        """An array with other numbers."""
        folder = self.cluster.folder(name)
        job = self.cluster.submit(folder, f"--array={spec}", "ci/slurm-share.sh")
        merge = self.cluster.submit(folder, f"--dependency=afterany:{job}", "ci/slurm-merge.sh")
        ends = {number: exit_of(fields) for number, fields in self.cluster.wait(job).items()}
        expect("exit codes", ends, dict.fromkeys(tasks, 0))
        expect("shares", self.shares(folder), {task: ([n], len(tasks), "slurm_array") for n, task in enumerate(tasks, 1)})
        contains("a task", log_of(folder, job, tasks[-1]), f"SLURM_ARRAY_TASK_ID={tasks[-1]}")
        expect("the merge", exit_of(self.cluster.wait(merge)[None]), 0)
        self.is_the_plan(folder, newest(folder / "merged"))
        return f"{', '.join(map(str, tasks))}: shares {', '.join(str(n) for n, _ in enumerate(tasks, 1))} of {len(tasks)}, merge exits 0"

    def array_with_gaps(self):
        folder = self.cluster.folder("gaps")
        job = self.cluster.submit(folder, "--array=1,3,7", "ci/slurm-share.sh")
        merge = self.cluster.submit(folder, f"--dependency=afterany:{job}", "ci/slurm-merge.sh")
        ends = {number: exit_of(fields) for number, fields in self.cluster.wait(job).items()}
        expect("exit codes", ends, {1: 2, 3: 2, 7: 2})
        contains("a task", log_of(folder, job, 3), "gaps", "SLURM_ARRAY_TASK_ID=3", "--shard hash:I/N")
        if (folder / "shards").exists():
            raise Failure("something was written")
        expect("the merge", exit_of(self.cluster.wait(merge)[None]), 4)
        return "each task is refused (2) with its numbers, nothing is written, the merge exits 4"

    def killed_and_requeued(self):
        folder, job, merge = self.halting("requeued", 2)
        self.halted(folder, job, 2)
        command("scontrol", "requeue", f"{job}_2")
        fields = self.cluster.wait(job)[2]
        expect("task 2", (fields["JobState"], fields["Restarts"]), ("COMPLETED", "1"))
        expect("the merge", exit_of(self.cluster.wait(merge)[None]), 0)
        expect("bundles", self.standings(self.merged(folder)), {"taken": 4, "unfinished": 1})
        contains("the merge", log_of(folder, merge), "share 3: left out, not finished", "4 of 4 shares")
        self.is_the_plan(folder, newest(folder / "merged"), LONG)
        return "the same share once more; the merge leaves the unfinished one out, exits 0"

    def requeued_after_its_end(self):
        folder, job, merge = self.halting("twice", 1, after="yes")
        self.halted(folder, job, 1)
        command("scontrol", "requeue", f"{job}_1")
        expect("task 1", self.cluster.wait(job)[1]["Restarts"], "1")
        expect("the merge", exit_of(self.cluster.wait(merge)[None]), 0)
        expect("bundles", self.standings(self.merged(folder)), {"taken": 4, "agrees": 1})
        expect("parts", len(read(newest(folder / "merged") / "merge.json")["parts"]), 5)
        return "both bundles are parts, rows are counted once, exits 0"

    def killed_for_good(self):
        folder, job, merge = self.halting("killed", 3)
        self.halted(folder, job, 3)
        command("scancel", f"{job}_3")
        fields = self.cluster.wait(job)[3]
        expect("task 3", fields["JobState"], "CANCELLED")
        expect("the merge", exit_of(self.cluster.wait(merge)[None]), 8)
        contains("the merge", log_of(folder, merge), "share 4: left out, not finished", "missing: 4", "coverage_partial")
        # An array of that number alone is another division of the plan, and is not what is missing.
        wrong = self.cluster.submit(folder, "--array=3", "--wrap", f"exec sandproof run --plan {PLAN} {' '.join(LONG)} --shard auto --out wrong/3")
        expect("the array of one", exit_of(self.cluster.wait(wrong)[3]), 0)
        answer = self.merged(folder, code=4, more=["wrong"])
        expect("bundles", self.standings(answer), {"fits": 3, "unfinished": 1, "foreign": 1})
        contains("why", json.dumps(answer, ensure_ascii=False), "hash:…/1")
        right = self.cluster.submit(folder, "--wrap", f"exec sandproof run --plan {PLAN} {' '.join(LONG)} --shard hash:4/4 --out shards/again")
        expect("the missing share", exit_of(self.cluster.wait(right)[None]), 0)
        answer = self.merged(folder)
        expect("gaps", answer["gaps"], [])
        self.is_the_plan(folder, pathlib.Path(answer["bundle"] if answer["bundle"].startswith("/") else folder / answer["bundle"]), LONG)
        return "missing: 4, merge exits 8; an array of that task alone is refused (4); --shard hash:4/4 fills it (0)"

    def node_is_lost(self):
        """One node, on which a task of an array that is requeued stands, and one of an array that is not."""
        words = ["--partition=frail"]
        again = self.halting("lost", 1, words=[*words, "--requeue"])
        never = self.halting("lost-for-good", 2, words=[*words, "--no-requeue"])
        for (folder, job, _), task in ((again, 1), (never, 2)):
            expect("the node", self.halted(folder, job, task)[task]["BatchHost"], "n3")
        began = time.monotonic()
        self.cluster.power_off("n3")
        folder, job, merge = again
        fields = self.cluster.wait(job)[1]
        noticed = time.monotonic() - began
        expect("the requeued task", (fields["JobState"], fields["Restarts"], fields["BatchHost"]), ("COMPLETED", "1", "n4"))
        expect("its merge", exit_of(self.cluster.wait(merge)[None]), 0)
        expect("its bundles", self.standings(self.merged(folder)), {"taken": 4, "unfinished": 1})
        self.is_the_plan(folder, newest(folder / "merged"), LONG)
        folder, job, merge = never
        expect("the other task", self.cluster.wait(job)[2]["JobState"], "NODE_FAIL")
        expect("its merge", exit_of(self.cluster.wait(merge)[None]), 8)
        contains("its merge", log_of(folder, merge), "missing: 3")
        expect("its gaps", self.merged(folder, code=8)["gaps"], [3])
        self.cluster.power_on("n3")
        until("the node is back", 150, lambda: self.cluster.node_states()["n3"] == "idle")
        return f"requeued on n4 ({noticed:.0f} s), merge exits 0; without requeue NODE_FAIL, missing: 3, merge exits 8"

    def exit_codes(self):
        """What a job ends with, and `sbatch --wait` after it."""
        folder = self.cluster.folder("codes")
        # One expectation the other way round.
        other = folder / "other"
        other.mkdir()
        for name in ("plans", "registries"):
            command("cp", "-r", folder / name, other / name)
        probes = other / "registries/quickstart/probes.json"
        probes.write_text(probes.read_text().replace('"expected": "deny"', '"expected": "allow"', 1))
        command("chown", "-R", f"{USER}:", other)
        quickstart = "sandproof run --plan plans/quickstart --out out/$SLURM_JOB_ID"
        cases = {
            f"{quickstart}": 0,
            f"cd other && {quickstart}": 1,
            "sandproof run --plan plans/quickstart --shard 3 --out out": 2,
            "sandproof run --plan plans/none --out out": 3,
            "sandproof merge nowhere --out out": 4,
            f"{quickstart} --channel systemd_clean": 7,
            "sandproof run --plan plans/linux-files --out out/files": 8,
        }
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            list(pool.map(lambda one: self.cluster.as_user(folder, "sbatch", "--wait", "--wrap", one[0], code=one[1]), cases.items()))
        return f"`sbatch --wait` ends with {', '.join(str(code) for code in cases.values())} as the jobs do"

    def clean_channel(self):
        folder = self.cluster.folder("clean")
        job = self.cluster.submit(folder, "--wrap", "exec sandproof run --plan plans/quickstart --channel systemd_clean --out out")
        expect("exit code", exit_of(self.cluster.wait(job)[None]), 7)
        said = log_of(folder, job)
        contains("the job", said, "systemd_clean", "--channel direct")
        if list(folder.glob("out/*/artifact_index.json")):
            raise Failure("there is a bundle nevertheless")
        return "exits 7: " + " ".join(said.split()).removeprefix("error: ")[:130]


def main():
    began = time.monotonic()
    cluster = Cluster()
    cluster.install()
    cluster.configure()
    cluster.start()
    version = command("slurmctld", "-V").strip()
    print(f"{version}, {len(NODES)} nodes, up within {time.monotonic() - began:.0f} s", flush=True)
    all_of = Scenarios(cluster)
    work = {
        "the examples as they are": all_of.examples_as_they_are,
        "--array=10-13": lambda: all_of.array("from-ten", "10-13", [10, 11, 12, 13]),
        "--array=1-10:4": lambda: all_of.array("steps", "1-10:4", [1, 5, 9]),
        "--array=0-4%2": lambda: all_of.array("two-at-once", "0-4%2", [0, 1, 2, 3, 4]),
        "--array=7": lambda: all_of.array("alone", "7", [7]),
        "--array=1,3,7": all_of.array_with_gaps,
        "a task is requeued half way": all_of.killed_and_requeued,
        "a task is requeued at its end": all_of.requeued_after_its_end,
        "a task is killed for good": all_of.killed_for_good,
        "a node goes away": all_of.node_is_lost,
        "exit codes": all_of.exit_codes,
        "systemd_clean in a job": all_of.clean_channel,
    }

    def one(name):
        start = time.monotonic()
        try:
            return name, True, work[name](), time.monotonic() - start
        except Failure as failure:
            return name, False, str(failure), time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
        rows = list(pool.map(one, work))
    used = set(re.findall(r"BatchHost=(\S+)", command("scontrol", "--oneliner", "show", "job")))
    rows.append(("all nodes", used == set(NODES), f"tasks ran on {', '.join(sorted(used))}", 0))
    width = max(map(len, work))
    print(f"{'':6} {'WHAT':{width}} {'S':>4}  SEEN")
    for name, good, seen, seconds in rows:
        print(f"{'ok' if good else 'FAILED':6} {name:{width}} {seconds:4.0f}  {seen}")
    failed = [name for name, good, _, _ in rows if not good]
    if failed:
        print("\nwhat the control daemon wrote:\n" + (LOGS / "control.log").read_text()[-4000:], file=sys.stderr)
    print(f"{len(rows) - len(failed)} of {len(rows)} as they have to be, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        print(f"test-slurm: {failure}", file=sys.stderr)
        for log in sorted(LOGS.glob("*")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        sys.exit(1)
