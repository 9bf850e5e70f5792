"""Commands that execute no probe, and `selftest`."""

import json

from .mac import HOME, REPOSITORY, WORLD, check, host
from .runner import test

PART = "commands"
#: Items of `selftest` whose answer here says something about the double, and why.
DOUBLE_ANSWERS = {
    "mac-01": "what the model cannot know is let through",
    "mac-03": "what the model cannot know is let through",
    "mac-04": "a program under the double is not loaded by dyld",
    "mac-11": "the model leaves the form of the name open",
    "mac-12": "the double sends no signals of its own and accepts `report`",
    "mac-14": "the platform's own policy is not in the model",
    "mac-29": "the model leaves open what `(deny default)` does not reach",
}
#: Programs of macOS that are asked and not in the double.
NO_PROGRAM = {"mac-21", "mac-25"}


@test(PART, "version and help are those of this host's build")
def version(mac):
    for arguments in (["--version"], ["help", "run"], ["explain", "world_mismatch"]):
        here, there = host(*arguments), mac.run(*arguments)
        check((there.code, there.out) == (here.code, here.out), f"{arguments}: {there}\n{here}")


@test(PART, "status tells the facts of the double, and no world of a Mac")
def status(mac):
    facts = mac.run("status", "--json").expect(0).json()
    check(facts["host"]["product_build"] == WORLD["match"]["product_build"], f"{facts['host']}")
    matching = [world["declared"] for world in facts["worlds"] if world["matches"]]
    check(matching == [WORLD["world_id"]] == [facts["world_id"]], f"{facts['world_id']}; {facts['worlds']}")


@test(PART, "why gives the same answers as this host's build")
def why(mac):
    policies = REPOSITORY / "registries/sonoma-runtime-checks/policies"
    asked = 0
    for policy, operation, target in (
        ("xpc.sb", "mach-lookup", "com.apple.system.opendirectoryd.libinfo"),
        ("deny-writes.sb", "file-write-data", "/private/tmp/x"),
        ("deny-metadata.sb", "file-read-metadata", "/private/etc/hosts"),
        ("read-all.sb", "file-read-data", "/etc/hosts"),
    ):
        path = f"registries/sonoma-runtime-checks/policies/{policy}"
        check((policies / policy).exists(), f"there is no {policy}")
        arguments = ["why", "--json", "--profile", path, "--operation", operation, "--target", target]
        here, there = host(*arguments), mac.run(*arguments)
        check((there.code, there.out) == (here.code, here.out), f"{arguments}: {there}\n{here}")
        asked += 1
    return f"{asked} questions"


@test(PART, "an error number may be demanded of a denial by Seatbelt, if that can give it")
def demanded_errno(mac):
    (mac.home / "p.sb").write_text('(version 1)(allow default)(deny file-read* (literal "/private/etc/hosts"))')

    def asked(question):
        return mac.run("ask", "--json", "--out", f"{HOME}/out", question, "--policy", "p.sb")

    answer = asked("deny(EPERM) read /private/etc/hosts").expect(0).json()["answers"][0]
    check((answer["answer"], answer["errno"]) == ("deny", "EPERM"), f"{answer}")
    for number in ("EROFS", "EBANANA"):
        refused = asked(f"deny({number}) read /private/etc/hosts").expect(3)
        said = refused.out + refused.err
        check(number in said and "Seatbelt denies `file_read` with EPERM" in said, said)


@test(PART, "selftest puts every question of macOS")
def selftest(mac):
    report = mac.run("selftest", "--json").expect(0, 1, 8).json()
    outcomes = {}
    for item in report["items"]:
        if not item["id"].startswith("mac-"):
            continue
        outcome = item["verdict"]
        outcomes.setdefault(outcome, []).append(item["id"])
        if outcome in ("settled", "skipped"):
            continue
        expected = DOUBLE_ANSWERS.keys() if outcome == "differs" else NO_PROGRAM
        check(item["id"] in expected, f"{item['id']} is {outcome}: {json.dumps(item)[:600]}")
    check(sum(map(len, outcomes.values())) >= 25, f"too few items: {outcomes}")
    mac.nothing_lives()
    mac.nothing_is_left()
    return ", ".join(f"{len(ids)} {outcome}" for outcome, ids in sorted(outcomes.items()))
