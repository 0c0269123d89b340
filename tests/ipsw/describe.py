# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an IPSW, read back from the file with nothing of the builder's knowledge."""
import hashlib
import plistlib
import zipfile
from dataclasses import dataclass

from ipsw import im4p

HEAD = 64  # bytes of a member that are read to learn the type of an IM4P


@dataclass(frozen=True)
class ComponentFact:
    """path: its member. digest: the manifest's (None if it gives none). file_type: the type of the
    IM4P in the zip (None: no IM4P). signed_type: the type a phone gets it under."""
    path: str
    digest: bytes
    file_type: str
    signed_type: str


@dataclass(frozen=True)
class IdentityFact:
    board: str
    variant: str
    behavior: str  # Erase, Update, or None as research identities have it
    chip: int
    board_id: int
    components: dict  # name: ComponentFact, those with a file


@dataclass(frozen=True)
class IpswFact:
    version: str
    build: str
    products: list
    identities: list  # IdentityFact, in the order of the manifest
    os_path: str
    os_size: int
    os_is_stored: bool
    os_sha256: str  # None unless asked for

    @property
    def boards(self):
        return sorted({one.board for one in self.identities})

    @property
    def variants(self):
        return list(dict.fromkeys(one.variant for one in self.identities))

    def identity(self, board, variant):
        return next(one for one in self.identities
                    if one.board == board and one.variant == variant)


def _file_type(archive, path, seen):
    if path not in seen:
        seen[path] = None
        if path in archive.NameToInfo:
            with archive.open(path) as member:
                seen[path] = _head_type(member.read(HEAD))
    return seen[path]


def _head_type(head):
    """The start is enough: SEQUENCE, "IM4P", then the four characters."""
    at = head.find(b"\x16\x04IM4P\x16\x04", 0, 16)
    if head[:1] != bytes([im4p.SEQUENCE]) or at < 0:
        return None
    return head[at + 8:at + 12].decode("ascii", "replace")


def _components(archive, entries, seen):
    found = {}
    for name, entry in entries.items():
        path = entry["Info"].get("Path")
        if path is None:
            continue
        kind = _file_type(archive, path, seen)
        found[name] = ComponentFact(path, entry.get("Digest"), kind,
                                    entry["Info"].get("Img4PayloadType", kind))
    return found


def _identity(archive, identity, seen):
    info = identity["Info"]
    return IdentityFact(info["DeviceClass"], info["Variant"], info.get("RestoreBehavior"),
                        int(identity["ApChipID"], 16), int(identity["ApBoardID"], 16),
                        _components(archive, identity["Manifest"], seen))


def _sha256(archive, path):
    sha = hashlib.sha256()
    with archive.open(path) as member:
        while data := member.read(1 << 20):
            sha.update(data)
    return sha.hexdigest()


def describe(path, hash_os=True):
    """IpswFact of a sound file. hash_os: read the whole OS image (a few seconds for each GiB)."""
    with zipfile.ZipFile(path) as archive:
        manifest = plistlib.loads(archive.read("BuildManifest.plist"))
        seen = {}
        identities = [_identity(archive, one, seen) for one in manifest["BuildIdentities"]]
        os_path = identities[0].components["OS"].path
        member = archive.getinfo(os_path)
        return IpswFact(manifest["ProductVersion"], manifest["ProductBuildVersion"],
                        manifest["SupportedProductTypes"], identities, os_path, member.file_size,
                        member.compress_type == zipfile.ZIP_STORED,
                        _sha256(archive, os_path) if hash_os else None)
