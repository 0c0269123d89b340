# SPDX-License-Identifier: GPL-3.0-or-later
"""Real lists of real firmware, packed into small files of our own; and files of real size without the bytes.

The real data lies beside the tree and is not part of it: has_data tells whether it is there.
"""

import pathlib
import plistlib
import subprocess
import sys
import zipfile

import pytest

from zip_traps import Part, write

TREE = pathlib.Path(__file__).resolve().parents[2]
DATA = TREE.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data (../shared/data) is not beside this tree")
MANIFESTS = sorted((DATA / "buildmanifest").glob("*.plist"))
RESTORES = {path.name.removesuffix("_Restore.plist"): path for path in (DATA / "restoreplist").glob("*.plist")}
PIECES = DATA / "components"

# A small process starts what is measured: a child's peak counts what its parent was before exec.
MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[2:], input=sys.argv[1].encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
seconds = time.monotonic() - began
print(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.stdout.decode("utf-8", "replace"))
"""


def costs(command, request="", environment=None, limit_s=60):
    """(seconds, KiB at most, what it said) of a program that is run to its end."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, request, *map(str, command)], check=True,
                          capture_output=True, text=True, env=environment, timeout=limit_s)
    seconds, peak, said = done.stdout.split(" ", 2)
    return float(seconds), int(peak), said.strip()


def load(path):
    return plistlib.loads(path.read_bytes())


def paths_of(manifest):
    """The members that a manifest names."""
    return sorted({entry["Info"]["Path"] for identity in manifest["BuildIdentities"]
                   for entry in identity["Manifest"].values() if entry.get("Info", {}).get("Path")})


def pack(target, source):
    """A zip with the real list at source, the real Restore.plist if there is one, and a byte for each member."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, "BuildManifest.plist")
        if source.stem in RESTORES:
            archive.write(RESTORES[source.stem], "Restore.plist")
        for name in paths_of(load(source)):
            archive.writestr(name, b"x")
    return target


def large(target, small, size):
    """The IPSW at small, its system image a hole of this size: as long as a real one, with a real directory."""
    with zipfile.ZipFile(small) as archive:
        manifest = plistlib.loads(archive.read("BuildManifest.plist"))
        system = manifest["BuildIdentities"][0]["Manifest"]["OS"]["Info"]["Path"]
        names = [name for name in archive.namelist() if name != system]
        first = [name for name in names if name.endswith(".plist") and "/" not in name]
        rest = [name for name in names if name not in first]
        # the lists stand at both ends, as in the worst of real files
        parts = [Part(first[0], archive.read(first[0]), deflate=True), Part(system, hole=size)]
        parts += [Part(name, archive.read(name), deflate=True) for name in rest + first[1:]]
    return write(target, parts)


def boards_of(manifest):
    return sorted({identity["Info"]["DeviceClass"].lower() for identity in manifest["BuildIdentities"]})
