"""Makes a Debian package of what `[package.metadata.deb]` of Cargo.toml lists, with dpkg's own tool: the metadata is cargo-deb's, which
takes longer to build than everything else that a release does.

usage: cargo metadata … | release_deb.py ARCHITECTURE OUT
  SOURCE_DATE_EPOCH is the time of every file in it.
"""

import glob
import gzip
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

KNOWN = {"maintainer", "copyright", "section", "priority", "depends", "license-file", "extended-description", "assets"}


def copyright_text(package, settings):
    """In the form that Debian reads by machine."""
    file, skipped = settings["license-file"]
    lines = pathlib.Path(file).read_text().splitlines()[int(skipped):]
    text = "\n".join(f" {line}" if line.strip() else " ." for line in lines)
    return (f"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: {package['name']}\n"
            f"Copyright: {settings['copyright']}\nLicense: {package['license']}\n{text}\n")


def description(package, settings):
    extended = [line.strip() for line in settings["extended-description"].splitlines()]
    return "\n".join([package["description"].rstrip("."), *(f" {line or '.'}" for line in extended)])


def place(root, source, target, mode):
    """Puts an asset where it belongs; a manual page is compressed, as Debian wants it."""
    target = root / target / source.name if target.endswith("/") else root / target
    target.parent.mkdir(parents=True, exist_ok=True)
    data = source.read_bytes()
    if "share/man/" in str(target):
        target = target.with_name(target.name + ".gz")
        data = gzip.compress(data, 9, mtime=0)
    target.write_bytes(data)
    target.chmod(int(mode, 8))


def main():
    architecture, out = sys.argv[1:]
    package, = json.load(sys.stdin)["packages"]
    settings = package["metadata"]["deb"]
    if unknown := set(settings) - KNOWN:
        sys.exit(f"this script does not know what {sorted(unknown)} of [package.metadata.deb] mean")
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch, "root")
        root.mkdir()
        for pattern, target, mode in settings["assets"]:
            sources = [pathlib.Path(path) for path in sorted(glob.glob(pattern))]
            if not sources:
                sys.exit(f"the asset {pattern} is not there")
            for source in sources:
                place(root, source, target, mode)
        legal = root / "usr/share/doc" / package["name"] / "copyright"
        legal.parent.mkdir(parents=True, exist_ok=True)
        legal.write_text(copyright_text(package, settings))
        files = sorted(path for path in root.rglob("*") if path.is_file())
        control = {
            "Package": package["name"], "Version": f"{package['version']}-1", "Architecture": architecture,
            "Maintainer": settings["maintainer"], "Section": settings["section"], "Priority": settings["priority"],
            "Depends": settings["depends"], "Installed-Size": sum(-(-path.stat().st_size // 1024) for path in files),
            "Description": description(package, settings),
        }
        sums = "".join(f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n" for path in files)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items() if value != ""))
        (root / "DEBIAN/md5sums").write_text(sums)
        name = f"{package['name']}_{package['version']}-1_{architecture}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "--build", root, pathlib.Path(out, name)],
                       check=True, stdout=subprocess.DEVNULL)


main()
