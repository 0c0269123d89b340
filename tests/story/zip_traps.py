# SPDX-License-Identifier: GPL-3.0-or-later
"""Zip files written byte by byte, so that every field can be a lie.

    write(path, [Part("BuildManifest.plist", data), Part("x", b"", local={"name": b"y"})])
"""

import dataclasses
import struct
import zlib

LOCAL, CENTRAL = struct.Struct("<IHHHHHIIIHH"), struct.Struct("<IHHHHHHIIIHHHHHII")
END, END64, LOCATOR64 = struct.Struct("<IHHHHIIH"), struct.Struct("<IQHHIIQQQQ"), struct.Struct("<IIQI")
FULL = 0xffffffff
TRAILER = 8  # the flag of a data descriptor
REGULAR = 0o100644


@dataclasses.dataclass
class Part:
    """A member. central, local: values told there instead of the true ones (name, flags, method, crc, packed, bytes,
    offset, extra, disk, host). hole: bytes of zeros that follow the data in the file and belong to it."""
    name: str
    data: bytes = b""
    deflate: bool = False
    mode: int = REGULAR
    hole: int = 0
    wide: bool = False  # zip64 fields although nobody needs them
    trailer: bytes = None  # a data descriptor: the flag is set, the local header has zeros
    central: dict = dataclasses.field(default_factory=dict)
    local: dict = dataclasses.field(default_factory=dict)

    def truth(self, offset):
        stored = self.data
        if self.deflate:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            stored = packer.compress(self.data) + packer.flush()
        size = len(self.data) + self.hole
        return stored, {"name": self.name.encode(), "flags": TRAILER if self.trailer is not None else 0,
                        "method": 8 if self.deflate else 0, "crc": crc_with_hole(self.data, self.hole),
                        "packed": len(stored) + self.hole, "bytes": size, "offset": offset, "extra": None,
                        "disk": 0, "host": 3}


def crc_with_hole(data, hole):
    crc, zeros = zlib.crc32(data), bytes(1 << 20)
    if hole > 1 << 24:
        from ipsw.zipwriter import crc32_zeros
        return crc32_zeros(crc, hole)
    for _ in range(hole >> 20):
        crc = zlib.crc32(zeros, crc)
    return zlib.crc32(zeros[:hole & 0xfffff], crc)


def _wide(values, wide):
    """The fields of 32 bits, and the extra field with those that do not fit."""
    narrow = [FULL if value >= FULL or wide else value for value in values]
    large = [value for value, small in zip(values, narrow) if small == FULL]
    return narrow, struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""


def local_header(told, wide):
    (size, packed), extra = _wide((told["bytes"], told["packed"]), wide)
    extra = extra if told["extra"] is None else told["extra"]
    return LOCAL.pack(0x04034b50, 45, told["flags"], told["method"], 0, 33, told["crc"], packed, size,
                      len(told["name"]), len(extra)) + told["name"] + extra


def central_header(told, mode, wide):
    (size, packed, offset), extra = _wide((told["bytes"], told["packed"], told["offset"]), wide)
    extra = extra if told["extra"] is None else told["extra"]
    return CENTRAL.pack(0x02014b50, told["host"] << 8 | 45, 45, told["flags"], told["method"], 0, 33, told["crc"],
                        packed, size, len(told["name"]), len(extra), 0, told["disk"], 0, mode << 16,
                        offset) + told["name"] + extra


def _end(count, start, size, told):
    """The end records; told: count, members."""
    out = b""
    if start >= FULL or told.get("wide"):
        out += END64.pack(0x06064b50, 44, 45, 45, 0, 0, count, count, size, start)
        out += LOCATOR64.pack(0x07064b50, 0, start + size, 1)
        return out + END.pack(0x06054b50, 0, 0, 0xffff, 0xffff, FULL, FULL, 0)
    return END.pack(0x06054b50, 0, 0, count, count, size, start, 0)


def write(path, parts, **told):
    """told: count (of the end record), wide (zip64 end), comment."""
    directory = b""
    with open(path, "wb") as file:
        for part in parts:
            offset = file.tell()
            stored, truth = part.truth(offset)
            zeros = {"crc": 0, "packed": 0, "bytes": 0} if part.trailer is not None else {}
            file.write(local_header({**truth, **zeros, **part.local}, part.wide))
            file.write(stored)
            file.seek(part.hole, 1)
            file.write(part.trailer or b"")
            directory += central_header({**truth, **part.central}, part.mode, part.wide)
        start = file.tell()
        file.write(directory)
        file.write(_end(told.get("count", len(parts)), start, len(directory), told))
    return path


def trailer(data, wide=False, magic=True, crc=None):
    """A data descriptor of stored data."""
    crc = zlib.crc32(data) if crc is None else crc
    return (b"PK\7\x08" if magic else b"") + struct.pack("<IQQ" if wide else "<III", crc, len(data), len(data))
