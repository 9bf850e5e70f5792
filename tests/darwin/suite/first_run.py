"""The page for whoever has a Mac, pasted here: one archive made by one command, and what it teaches on this host."""

import re
import shlex

from .commands import DOUBLE_ANSWERS, NO_PROGRAM
from .mac import HOME, REPOSITORY, check, host
from .runner import IN_PART, TURN, test

PART = "the first run"
PAGE = REPOSITORY / "docs/first-run-on-a-mac.md"
#: An archive that is learnt from: nothing to learn, facts, something open.
LEARNT = (0, 1, 8)
#: Rows of the plan that `collect` takes by itself in which `sandbox_check` and the operation differ on this host, and why.
LINK = "whether sandbox_check follows a link is not known, and the double does not"
ONE_OF_TWO = "sandbox_check is asked about one operation, and the driver needs another one too, which is denied"
ASKED_OTHERWISE = {
    "checks:read_subpath:read_link_out": LINK,
    "checks:deny_one_file:read_link": LINK,
    "checks:deny_metadata:stat_through_link": LINK,
    "checks:read_write_subpath:rename_out": ONE_OF_TWO,
    "checks:write_only:read_write_inside": ONE_OF_TWO,
}
KNOWN = {"selftest": DOUBLE_ANSWERS, "sandbox_check": ASKED_OTHERWISE}
SMALL_PLAN = "sonoma-mach-name-equivalence"


IN_PART.append("the page for whoever has a Mac, with the whole plan: " + ("the one command", "single steps")[TURN % 2 == 0]
               + " (both: --only 'the first run')")  # fmt: skip


def lines(heading):
    """The commands of this program in the blocks under a heading, as words."""
    under = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", under, re.M | re.S)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines() if re.match(r"(\./)?sandproof ", line)]


def collect_and_learn(mac, *more):
    for words in lines("2. Look where you are"):
        mac.run(*words).expect(0)
    command = lines("3. Everything at once")[0]
    check(command == ["collect"], f"the page's command is {command}")
    mac.run(*command, *more, limit=1200).expect(0)
    archive = mac.home / "sandproof-collected.tar"
    check(archive.exists(), "there is no archive by the name that the page has")
    learned = host("learn", "--json", archive).expect(*LEARNT).json()
    check([run["verified"] for run in learned["runs"]] == [True, True], f"{learned['runs']}")
    check({run["channel"] for run in learned["runs"]} == {"direct", "launchd_clean"}, f"{learned['runs']}")
    # No world but its own takes the double for one of its hosts, and this plan names another.
    check(not any(run["promotable"] for run in learned["runs"]), f"{learned['runs']}")
    news = [fact for fact in learned["facts"] if fact["about"] not in KNOWN.get(fact["source"], ())]
    check(not news, f"{len(news)} fact(s) that nobody knew of: {news[:5]}")
    unasked = [one["about"] for one in learned["open"] if one["source"] == "selftest" and one["about"].startswith("mac-")]
    check(set(unasked) <= NO_PROGRAM, f"{unasked}")
    # Two archives of one host differ in nothing.
    same = host("learn", "--json", archive, "--against", archive).expect(*LEARNT).json()
    check(not [fact for fact in same["facts"] if fact["source"] == "other"], f"{same['facts']}")
    mac.nothing_lives()
    mac.nothing_is_left()
    kinds = sorted(fact["about"] for fact in learned["facts"])
    return f"{learned['questions']} questions answered, {len(learned['facts'])} known facts {kinds}, {len(learned['open'])} open"


@test(PART, "what one command collects teaches only what the double is known to answer", world=None)
def collected(mac):
    """With a small plan: the one that it takes by itself is run by tests of its own."""
    return collect_and_learn(mac, "--plan", f"plans/{SMALL_PLAN}/plan.json")


@test(PART, "the page's one command, with the plan that it takes by itself", world=None, if_named=TURN % 2 == 0)
def as_pasted(mac):
    return collect_and_learn(mac)


@test(PART, "the page's single steps, as they are pasted", world=None, if_named=TURN % 2 == 1)
def single_steps(mac):
    steps = lines("One by one")
    check([words[0] for words in steps] == ["selftest", "plan-build", "run", "run", "validate-bundle"], f"{steps}")
    for words in steps:
        mac.run(*words, limit=1200).expect(*((0, 1, 8) if words[0] in ("selftest", "run") else (0,)))
    check((mac.home / "selftest.json").exists(), f"no report below {HOME}")
    mac.nothing_lives()
    mac.nothing_is_left()
