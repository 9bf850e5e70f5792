"""Texts of Seatbelt profiles in which every form of SPEC 2.6 occurs, drawn from a seed."""

import json
import os
import tempfile

HOME = "sonoma-14.4.1-23E224-arm64-dyld-2c0602c5"
ATOMS = (
    "#xFF", "#X-0a", "#b-101", "#O017", "#d+5", "-0", "+007", "007", "12a", "a12", "10.15", "-.5", "1.2.3", "#\\(", "#\\a", "#\\space",
    "#t", "#f", "sym", "@x", "a'b", "a#b", "a,b", "9223372036854775807", "-9223372036854775808", "#x7fffffffffffffff", "...", "<=?",
    "a[b", "+", "-", "1+", "''x", "`(a ,b ,@c)", ",@y", ", @y", "' x", "#(1 2)", "x;comment\n", "; c )(\n y", "#!foo bar\n z",
    '"a\\x41\\101\\q\\n\\7\\777\\x4g\\xff\\"\\\\"', '#"re\\"x\\\\"', '"\u00e9\u2028"', '"a\nb"', '"\\r\\t"', '#"\\x"', '"\\1234"', '""',
    '#""',
)


def _datum(rng, depth):
    if depth == 0 or rng.random() < 0.5:
        return rng.choice(ATOMS)
    between = rng.choice((" ", "\t", "\n", "  ", "\f", "\r\n"))
    return "(" + between.join(_datum(rng, depth - 1) for _ in range(rng.randint(0, 4))) + rng.choice(("", " ")) + ")"


def profile(rng):
    """A text with its parameters and the profile's own rules."""
    text = rng.choice(("", "; x\n")) + "(version 1)" + rng.choice((" ", "\n", "")) + "(allow default)"
    text += f"(define x '{_datum(rng, 3)})" + rng.choice(("", "\n"))
    rules = rng.choice(([], [f"(define z '{_datum(rng, 1)})", '(deny file-read* ; c\n(literal "/a"))']))
    return {"text": text, "parameters": rng.choice(({}, {"A": "\u00e9", "B": "${root}"})), "rules": rules}


def workspace(place, profiles):
    def write(path, value):
        os.makedirs(os.path.dirname(os.path.join(place, path)), exist_ok=True)
        with open(os.path.join(place, path), "w", encoding="utf-8", newline="") as file:
            file.write(value if isinstance(value, str) else json.dumps(value))
    entries = {}
    for number, one in enumerate(profiles):
        write(f"policies/{number}.sb", one["text"])
        entries[f"p{number}"] = {
            "profile_id": f"p{number}", "profile_path": f"policies/{number}.sb", "mode": "sbpl", "probe_refs": ["q"], "family": None,
            "semantic_group": None, "key_specific_rules": one["rules"], "parameters": one["parameters"], "notes": None,
        }
    head = {"registry_id": "r", "world_id": HOME}
    probe = {"operation": "file-read-data", "driver": "file_read", "target": "${root}/f", "expected": "any"}
    write("registry/index.json", {"schema_version": "runtime-tools.registry_index.v0.1", "registries": [
        {"id": "r", "probes": "registry/probes.json", "profiles": "registry/profiles.json"}]})
    write("registry/probes.json", {"schema_version": "runtime-tools.probe_registry.v0.2", **head, "probes": {"q": probe}})
    write("registry/profiles.json", {"schema_version": "runtime-tools.profile_registry.v0.2", **head, "profiles": entries})
    write("plan.json", {"schema_version": "runtime-tools.plan.v0.1", "plan_id": "seatbelt", **head, "profiles": list(entries)})


def digests(program, profiles, number_of):
    """(profile, value_sha256) of each that the program takes."""
    while True:
        with tempfile.TemporaryDirectory() as place:
            workspace(place, profiles)
            done = program.run("run", "--dry", "--plan", "plan.json", "--out", "out", "--run-id", "texts", "--json", cwd=place, fine=(0, 3))
            if done.returncode == 0:
                with open(os.path.join(place, "out", "texts", "run_identity.json"), encoding="utf-8") as file:
                    found = json.load(file)["artifact"]["profiles"]
                return [(one, found[f"p{number}"]["value_sha256"]) for number, one in enumerate(profiles)]
            refused = {number_of(one) for one in json.loads(done.stdout)["findings"] if one["severity"] == "error"}
            profiles = [one for number, one in enumerate(profiles) if number not in refused]
