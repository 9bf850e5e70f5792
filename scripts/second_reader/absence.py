"""Why an element of a declaration has no value: the table of codes (SPEC 8.2), and what a declaration leaves unconfirmed (8.3)."""

import os
import re

SPEC = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "SPEC.md")
#: Where names and texts are the plan's, and `absent` is one among them.
FOREIGN = ("/artifact/documents", "/policy/controls", "/policy/expectations", "/history/fixtures", "/history/waivers")
UNCONFIRMED = (
    "/artifact/commands", "/artifact/tool/commit", "/artifact/tool/target", "/history/inputs", "/policy/channel_limit_ms",
    "/policy/lock", "/runtime/channel/job", "/runtime/enforcer", "/runtime/environment", "/runtime/locale", "/runtime/rlimits",
    "/runtime/time_zone", "/runtime/umask", "/runtime/user/gid_class",
)


def _table():
    with open(SPEC, encoding="utf-8") as file:
        rows = file.read().split("| code | words | where |\n|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    cells = (re.match(r"\| `(\w+)` \| (.*?) \| .* \|\Z", row).groups() for row in rows)
    return {code: words for code, words in cells}


#: By code, the words that a declaration of the first format has in its place.
WORDS = _table()


class Form:
    """The form that a declaration gives its reasons in: codes, or words in the first format."""

    def __init__(self, manifest):
        self.codes = "bundle_format" in manifest

    def absent(self, code):
        return {"absent": code if self.codes else WORDS[code]}

    def fits(self, pointer, why):
        if self.codes:
            return why in WORDS
        begun = (WORDS["built_from_changed"] + " of ", WORDS["unreadable"] + ": ")
        return why in WORDS.values() or why.startswith(begun) or pointer == "/runtime/world/world_id"

    def misfits(self, value, pointer=""):
        """(pointer, why) of every reason in another form."""
        if isinstance(value, list):
            for number, one in enumerate(value):
                yield from self.misfits(one, f"{pointer}/{number}")
        if not isinstance(value, dict) or pointer in FOREIGN:
            return
        why = value.get("absent")
        if isinstance(why, str) and value.keys() <= {"absent", "detail"}:
            if not self.fits(pointer, why) or ("detail" in value and not self.codes):
                yield pointer, why
            return
        for name, one in value.items():
            yield from self.misfits(one, f"{pointer}/{name}")

    def unconfirmed(self, declaration):
        """The list that the declaration has to have; None if it has none."""
        if not self.codes:
            return None
        found = list(UNCONFIRMED)
        for profile in declaration["artifact"].get("launchers", {}):
            name = profile.replace("~", "~0").replace("/", "~1")
            found += [f"/artifact/launchers/{name}/{member}" for member in ("programs", "version")]
        if declaration["runtime"]["channel"]["kind"] != "direct":
            found.append("/runtime/confinement")
        return sorted(found)
