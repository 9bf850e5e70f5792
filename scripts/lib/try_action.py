"""Executes the steps of action.yml on this machine as far as they go without GitHub, and holds what they leave.

usage: try_action.py ACTION EXECUTABLE SCRATCH
"""

import json
import os
import pathlib
import subprocess
import sys

import yaml


def step_of(action, name):
    steps = [step for step in action["runs"]["steps"] if step["name"] == name]
    if len(steps) != 1:
        sys.exit(f"action.yml has {len(steps)} steps named {name}")
    return steps[0]


def execute(script, environment, folder):
    """GitHub's own invocation of `shell: bash`."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def main():
    action_file, executable, scratch = map(pathlib.Path, sys.argv[1:])
    action = yaml.safe_load(action_file.read_text())
    root = action_file.resolve().parent
    defaults = {name: value.get("default", "") for name, value in action["inputs"].items()}
    failures = []

    def expect(what, condition, result):
        if not condition:
            failures.append(f"{what}:\n{result.stdout}{result.stderr}")

    def run(case, plan, **inputs):
        folder = scratch / case
        folder.mkdir(parents=True)
        given = {**defaults, "plan": str(plan), **inputs}
        outputs, summary = folder / "outputs", folder / "summary"
        outputs.touch()
        environment = {
            "PATH": f"{executable.resolve().parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
        }
        step = step_of(action, "Run")
        for name, expression in step["env"].items():
            key = expression.removeprefix("${{ inputs.").removesuffix(" }}")
            if key not in given:
                sys.exit(f"action.yml takes {name} from {expression}, which is no input")
            environment[name] = given[key]
        result = execute(step["run"], environment, folder)
        said = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return folder, result, said, summary

    folder, result, said, summary = run("sound", root / "plans/quickstart", arguments="--only-profile 'quickstart:workdir'")
    expect("a sound run", result.returncode == 0 and said.get("exit-code") == "0", result)
    expect("its bundle", (folder / said.get("bundle", "-") / "artifact_index.json").is_file(), result)
    expect("its summary", summary.is_file() and "quickstart" in summary.read_text(), result)
    sarif = folder / defaults["sarif"]
    expect("its SARIF", sarif.is_file() and json.loads(sarif.read_text())["version"] == "2.1.0", result)

    # Quotes are split as a shell does, and nothing in them is executed.
    trap = scratch / "trap"
    _, result, said, _ = run("hostile", root / "plans/quickstart", arguments=f"--only-profile '$(touch {trap})'")
    expect("a hostile argument", result.returncode == 3 and said.get("exit-code") == "3", result)
    expect("nothing executed from an argument", not trap.exists(), result)

    _, result, said, summary = run("refused", scratch / "missing.json")
    expect("a plan that is missing", result.returncode not in (0, 8) and said.get("exit-code") == str(result.returncode), result)
    expect("no bundle, no summary", "bundle" not in said and not summary.exists(), result)

    archive = step_of(action, "Get the executable")
    environment = {"PATH": "/usr/bin:/bin", "RUNNER_TEMP": str(scratch), "GITHUB_PATH": str(scratch / "path")}
    result = execute(archive["run"], {**environment, "ARCHIVE": "https://example.invalid/a", "SHA256": "abc"}, scratch)
    expect("a digest that is none", result.returncode == 3, result)

    if failures:
        sys.exit("action.yml:\n" + "\n".join(failures))
    print("action.yml: its steps ran here as a runner would start them; no runner was involved")


if __name__ == "__main__":
    main()
