# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which an IPSW can be wrong. A damage is written KIND or KIND:COMPONENT.

The first group changes files (the zip stays sound, and the manifest tells of the good file), the
second the property lists, the third strikes the finished zip. When components share a file, all of
them suffer.
"""
import os
from dataclasses import dataclass

from ipsw.content import Image

FILE_KINDS = {
    "missing": "the component's file is not there",
    "empty": "the component's file has no bytes",
    "digest": "the component's file is another one than the manifest's digest tells",
    "im4p": "the component's file is no IM4P ('Tag not found')",
    "case": "the component's file is there under a name in other case",
}
LIST_KINDS = {
    "no-manifest": "there is no BuildManifest.plist",
    "manifest-garbage": "BuildManifest.plist is no property list",
    "manifest-cut": "BuildManifest.plist ends in the middle",
    "manifesto": "there is a BuildManifesto.plist, too, and it comes first",
}
ZIP_KINDS = {
    "crc": "bytes of the component's file are flipped inside the zip",
    "truncate": "the last third of the zip is missing",
}
KINDS = FILE_KINDS | LIST_KINDS | ZIP_KINDS
NEEDS_COMPONENT = FILE_KINDS.keys() | {"crc"}
MANIFEST = "BuildManifest.plist"


@dataclass(frozen=True)
class Damage:
    kind: str
    component: str = None


def parse(word):
    """KIND or KIND:COMPONENT."""
    kind, _, component = word.partition(":")
    if kind not in KINDS:
        raise ValueError(f"no damage is named '{kind}' (known: {', '.join(KINDS)})")
    if (kind in NEEDS_COMPONENT) != bool(component):
        needs = "needs the" if kind in NEEDS_COMPONENT else "takes no"
        raise ValueError(f"the damage '{kind}' {needs} name of a component after a colon")
    return Damage(kind, component or None)


def _other(content):
    """Content of the same size that is not the same."""
    if isinstance(content, Image):
        return Image(content.seed, content.name + "/other", content.size, content.texture)
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 0xff for byte in content[middle:middle + 64]) \
        + content[middle + 64:]


def strike_file(damage, files, path):
    """files: {member: bytes or Image}, in the order of the zip."""
    content = files[path]
    if damage.kind == "missing":
        del files[path]
    elif damage.kind == "empty":
        files[path] = b""
    elif damage.kind == "digest":
        files[path] = _other(content)
    elif damage.kind == "im4p":
        if isinstance(content, Image) or content[:1] != b"\x30":
            raise ValueError(f"the file of '{damage.component}' is no IM4P that could be damaged")
        files[path] = b"\x31" + content[1:]
    else:
        folder, _, name = path.rpartition("/")
        del files[path]
        files[f"{folder}/{name.swapcase()}" if folder else name.swapcase()] = content


def strike_lists(damage, lists):
    """lists: {member: bytes}. Returns the lists to write."""
    found = dict(lists)
    if damage.kind == "no-manifest":
        del found[MANIFEST]
    elif damage.kind == "manifest-garbage":
        found[MANIFEST] = b"\x00\x01this was a property list once\n" * 64
    elif damage.kind == "manifest-cut":
        found[MANIFEST] = found[MANIFEST][:len(found[MANIFEST]) // 2]
    else:
        decoy = found[MANIFEST].replace(b"BuildIdentities", b"BuildIdentitiez")
        found = {"BuildManifesto.plist": decoy, **found}
    return found


def strike_zip(damage, path, place):
    """place: (offset, bytes) of the component's data in the zip at `path`."""
    if damage.kind == "truncate":
        os.truncate(path, os.path.getsize(path) * 2 // 3)
        return
    if place is None:
        raise ValueError(f"'{damage.component}' has no file whose bytes could be flipped")
    offset, size = place
    with open(path, "r+b") as file:
        file.seek(offset + size // 2)
        data = file.read(min(16, size - size // 2))
        file.seek(offset + size // 2)
        file.write(bytes(byte ^ 0xff for byte in data))
