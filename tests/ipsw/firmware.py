# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of components: what each is made of, and which digest the manifest gives for it.

A payload begins with lines of `key=value` and an empty line, so that a simulated phone can read
what it was given; random bytes follow. The two restore ramdisks differ in the line `behavior=`:
nothing else that a phone gets tells it whether to erase or to update.
"""
import hashlib
import plistlib
import struct

from ipsw import baseband
from ipsw import im4p
from ipsw.content import random_bytes

DEFAULT_SIZE = 4096
SIZES = {
    "rdsk": 1 << 20, "krnl": 512 << 10, "sepi": 128 << 10, "ibot": 128 << 10, "ibec": 96 << 10,
    "ibss": 64 << 10, "illb": 64 << 10, "dtre": 32 << 10, "logo": 16 << 10,
}
FTAB_HEADER = struct.Struct("<8I4s4sII")
FTAB_ENTRY = struct.Struct("<4sIII")
FTAB_TAGS = ("rkos", "sbd1")
HALF = 8192
VERIDIAN_MAP = {"FirmwareMap": {"SimulatedBattery": {"Version": 1, "Offset": 0, "Length": 4096}}}


def text_lines(**values):
    """The readable start of a payload."""
    return ("simulated firmware\n"
            + "".join(f"{key}={value}\n" for key, value in values.items()) + "\n").encode()


def make_im4p(seed, component, path, size, **values):
    """The file of a component whose source is im4p. size: bytes of the payload, at least."""
    start = text_lines(type=component.kind, path=path, **values)
    rest = random_bytes(seed, path, max(size - len(start), 16))
    return im4p.encode(component.kind, "simulated", start + rest)


def make_ftab(seed, path):
    """A table of firmware with two entries."""
    bodies = [random_bytes(seed, f"{path}/{tag}", HALF) for tag in FTAB_TAGS]
    at = FTAB_HEADER.size + len(FTAB_TAGS) * FTAB_ENTRY.size
    data = FTAB_HEADER.pack(1, 0xffffffff, 0, 0, 0, 0, 0, 0, b"rkos", b"ftab", len(FTAB_TAGS), 0)
    for tag, body in zip(FTAB_TAGS, bodies):
        data += FTAB_ENTRY.pack(tag.encode(), at, len(body), 0)
        at += len(body)
    return data + b"".join(bodies)


def ftab_part(data, tag):
    """The bytes of one entry."""
    for number in range(FTAB_HEADER.unpack_from(data)[10]):
        found, at, size, _ = FTAB_ENTRY.unpack_from(data, FTAB_HEADER.size
                                                    + number * FTAB_ENTRY.size)
        if found == tag.encode():
            return data[at:at + size]
    raise ValueError(f"the table of firmware has no entry '{tag}'")


def make_file(seed, component, path, board, size, **values):
    """The bytes of a component's file (its source is neither an image nor none)."""
    match component.source:
        case "im4p":
            return make_im4p(seed, component, path, size, **values)
        case "ftab":
            return make_ftab(seed, path)
        case "baseband":
            return baseband.bbfw(seed, board.baseband.layout)
        case "se" | "vinyl":
            return random_bytes(seed, path, 2 * HALF)
        case "raw" if path.endswith(".plist"):
            return plistlib.dumps(VERIDIAN_MAP)
        case "raw":
            return random_bytes(seed, path, size)
    raise ValueError(f"no file is made for the source '{component.source}'")


def file_size(component, wanted):
    """wanted: {component: bytes}, the caller's wishes."""
    return wanted.get(component.name) or SIZES.get(component.kind, DEFAULT_SIZE)


def _secure_element(component, data):
    """One value for each of the two ways chips are fused; what they cover is made up."""
    if component.kind == "CMAC":
        part = hashlib.sha256(component.name.encode() + data).digest()
        return {"DevelopmentCMAC": part[:16], "ProductionCMAC": part[16:]}
    halves = [hashlib.sha256(half).digest() for half in (data[:HALF], data[HALF:])]
    return dict(zip(("DevelopmentUpdatePayloadHash", "ProductionUpdatePayloadHash"), halves))


def digest_entry(component, board, data):
    """The keys of an entry that depend on the file. data: its bytes; of an image, its digest."""
    match component.source:
        case "im4p":
            signed = im4p.retype(data, component.signed_kind)
            return {"Digest": hashlib.new(board.digest, signed).digest()}
        case "image":
            return {"Digest": data}
        case "ftab":
            part = ftab_part(data, component.kind)
            return {"Digest": hashlib.new(board.digest, part).digest()}
        case "raw":
            return {"Digest": hashlib.sha256(data).digest()}
        case "vinyl":
            half = data[:HALF] if component.kind == "Gold" else data[HALF:]
            return {"Digest": hashlib.sha256(half).digest()}
        case "se":
            return _secure_element(component, data)
    return {}
