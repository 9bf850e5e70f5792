"""Holds an archive of scripts/release to what it should be.

usage: release_archive.py ARCHIVE NAME
"""

import sys
import tarfile

FILES = {"sandproof", "README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"}
SHELLS = {"sandproof.bash", "_sandproof", "sandproof.fish", "sandproof.elv"}


def main():
    packed, name = sys.argv[1:]
    faults, pages, names = [], set(), []
    with tarfile.open(packed) as archive:
        members = archive.getmembers()
    times = {member.mtime for member in members}
    if len(times) != 1:
        faults.append(f"its files have {len(times)} times")
    for member in members:
        names.append(member.name)
        if (member.uid, member.gid, member.uname, member.gname) != (0, 0, "", ""):
            faults.append(f"{member.name} belongs to {member.uid}:{member.gid}")
        if not (member.isfile() or member.isdir()):
            faults.append(f"{member.name} is neither file nor folder")
        executable = member.isdir() or member.name == f"{name}/sandproof"
        if member.mode != (0o755 if executable else 0o644):
            faults.append(f"{member.name} has the mode {member.mode:o}")
        if member.isfile() and member.name.startswith(f"{name}/man/"):
            pages.add(member.name.rsplit("/", 1)[1])
    if names != sorted(names):
        faults.append("its names are not in order")
    expected = {f"{name}/{file}" for file in FILES} | {f"{name}/completions/{file}" for file in SHELLS}
    expected |= {f"{name}/man/{page}" for page in pages}
    found = {member.name for member in members if member.isfile()}
    faults += [f"{missing} is missing" for missing in sorted(expected - found)]
    faults += [f"{more} does not belong there" for more in sorted(found - expected)]
    if "sandproof.1" not in pages or len(pages) < 30 or not all(page.startswith("sandproof") for page in pages):
        faults.append(f"its man pages are {sorted(pages)}")
    if faults:
        sys.exit(f"{packed}: " + "; ".join(faults))


main()
