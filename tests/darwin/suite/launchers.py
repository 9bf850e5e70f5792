"""Launchers: commands that sandbox, with the double's `sandbox-exec` as one whose profile the model decides."""

import json

from .mac import HOME, Bundle, check
from .runner import test

PART = "launchers"
OUT = f"{HOME}/out"
#: Everything may be done but what the run keeps outside, and the network.
PROFILE = '''(version 1)
(allow default)
(deny file-read* (subpath "OUTSIDE"))
(deny file-write* (subpath "OUTSIDE"))
(deny network-outbound)
(deny signal (target others))'''
QUESTIONS = {
    "read ${outside}/secret": ("deny", "refused"),
    "stat ${outside}/secret": ("deny", "refused"),
    "create ${outside}/new": ("deny", "refused"),
    "delete ${outside}/old": ("deny", "refused"),
    "connect 127.0.0.1:${port}": ("deny", "refused"),
    "unix ${outside}/socket": ("deny", "refused"),
    "signal": ("deny", "refused"),
    "read ${workspace}/kept": ("allow", None),
    "list ${workspace}": ("allow", None),
    "create ${workspace}/new": ("allow", None),
    "write ${workspace}/kept": ("allow", None),
    "rename ${workspace}/moved ${workspace}/there": ("allow", None),
    "fork": ("allow", None),
    "env SANDPROOF_SECRET": ("allow", None),
}


def ask(mac, command, questions, *more):
    done = mac.run("ask", "--json", "--out", OUT, *more, *questions, "--", *command)
    answers = {one["question"]: one for one in done.expect(0, 1, 8).json()["answers"]}
    bundle = Bundle.newest(mac, OUT)
    bundle.verify()
    mac.nothing_lives()
    mac.nothing_is_left()
    return done, answers, bundle


def came_to(answers):
    return {question: (one["answer"], one["mechanism"]) for question, one in answers.items()}


@test(PART, "sandbox-exec refuses what its profile denies, and nothing else")
def sandbox_exec(mac):
    profile = PROFILE.replace("OUTSIDE", "${outside}")
    done, answers, bundle = ask(mac, ["sandbox-exec", "-p", profile], QUESTIONS)
    seen = came_to(answers)
    wrong = {question: answers[question] for question, wanted in QUESTIONS.items() if seen[question] != wanted}
    check(not wrong, json.dumps(wrong, indent=1)[:6000] + done.err)
    through = {one["cause"] for one in answers.values() if one["answer"] == "deny"}
    check("via seatbelt" in " ".join(through), f"{through}")
    start = bundle.rows("scenario")[0]["launcher"]["start"]
    check((start["mode"], start["executable"]) == ("live", "path"), f"{start}")
    return f"{len(QUESTIONS)} questions"


@test(PART, "no launcher at all refuses nothing")
def none(mac):
    done, answers, _ = ask(mac, ["env"], QUESTIONS)
    denied = {question: one for question, one in answers.items() if one["answer"] != "allow"}
    check(not denied, json.dumps(denied, indent=1)[:6000] + done.err)


@test(PART, "what is not macOS's is not asked, and is never a denial")
def of_linux(mac):
    for question in ("userns", "fd"):
        done = mac.run("ask", "--json", "--out", OUT, question, "--", "env").expect(2, 3, 65)
        check("macOS" in done.out + done.err, f"{question}: {done}")


@test(PART, "a launcher that starts nothing is undecided, with what it said")
def starts_nothing(mac):
    for command, said in (
        (["sandbox-exec", "-p", "(version 1)(allow default"], "sandbox-exec"),
        (["sandbox-exec"], "no profile"),
        (["/usr/bin/true"], "exit code 0"),
        (["/usr/bin/not-there"], "could not be started"),
        (["sandbox-exec", "-p", "(version 1)(deny default)"], "sandbox-exec"),
    ):
        done, answers, _ = ask(mac, command, ["deny read ${outside}/secret"])
        answer = answers["deny read ${outside}/secret"]
        check(done.code == 8 and answer["undecided"] == "launcher_not_started", f"{command}: {answer}")
        notes = json.dumps(answer) + json.dumps(Bundle.newest(mac, OUT).rows("scenario")[0]["launcher"])
        check(said in notes, f"{command}: {notes[:3000]}")


@test(PART, "a questions file asks a launcher, and a launcher beside a profile")
def questions_file(mac):
    command = 'launcher sandbox-exec -p \'(version 1)(allow default)(deny file-read* (subpath "${outside}"))\'\n'
    asked = "deny(refused) read ${outside}/secret\nallow read ${workspace}/kept\nallow create ${workspace}/new\n"
    (mac.home / "mine.sb").write_text('(version 1)(allow default)(deny file-read* (subpath (param "OUTSIDE")))\n')
    # How something is refused only a launcher can be asked.
    of_profile = asked.replace("deny(refused)", "deny")
    for name, text, rows in (("alone", command + asked, 3), ("beside", f"seatbelt mine.sb\n{of_profile}{command}{asked}", 6)):
        (mac.home / f"{name}.questions").write_text(text)
        plan = ("--plan", f"{HOME}/{name}.questions", "--out", OUT)
        mac.run("run", *plan).expect(3)
        mac.run("run", *plan, "--allow-host-programs").expect(0)
        bundle = Bundle.newest(mac, OUT)
        bundle.verify()
        under = [row for row in bundle.rows("scenario") if row.get("launcher")]
        check((len(bundle.rows("scenario")), len(under)) == (rows, 3), f"{name}: {len(under)} of {rows}")
        check(all(row["launcher"].get("system") == "macos" for row in under), f"{under[0]['launcher']}")
        mac.nothing_lives()
