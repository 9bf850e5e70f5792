"""Fills in what Cargo.toml says to cargo-binstall, and looks whether the archives are what that leads to.

usage: cargo metadata … | release_binstall.py ARCHIVE...
"""

import json
import pathlib
import re
import sys
import tarfile

# Targets that somebody's cargo-binstall asks for, and whose archive serves them: a static executable needs no C library.
SERVED_BY = {
    "x86_64-unknown-linux-gnu": "x86_64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl": "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu": "aarch64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl": "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin": "aarch64-apple-darwin",
}


def filled(text, values):
    return re.sub(r"\{ *([a-z-]+) *\}", lambda match: values[match[1]], text)


def main():
    package, = json.load(sys.stdin)["packages"]
    archives = {pathlib.Path(path).name: path for path in sys.argv[1:]}
    said, tried = package["metadata"]["binstall"], 0
    for target, served in SERVED_BY.items():
        settings = {**said, **said.get("overrides", {}).get(target, {})}
        values = {"name": package["name"], "version": package["version"], "target": target, "bin": "sandproof",
                  "repo": package["repository"] or "https://example.invalid/sandproof"}
        name = filled(settings["pkg-url"], values).rsplit("/", 1)[1]
        wanted = f"sandproof-{package['version']}-{served}.tar.xz"
        if name != wanted or settings["pkg-fmt"] != "txz":
            sys.exit(f"cargo-binstall would take {name} ({settings['pkg-fmt']}) for {target}, not {wanted}")
        if name in archives:
            tried += 1
            with tarfile.open(archives[name]) as archive:
                archive.getmember(filled(settings["bin-dir"], values))
    if not tried:
        sys.exit("no archive was there to be held against Cargo.toml")
    print(f"cargo-binstall: {tried} of {len(SERVED_BY)} targets would find their executable; not run")


main()
