# SPDX-License-Identifier: GPL-3.0-or-later
"""The baseband's firmware: a zip of made-up members in the formats that idevicerestore parses, and
the manifest entry that describes them.

idevicerestore replaces in each member it has a `<Element>-Blob` for the last bytes (or, for the
layout mav25, a segment with a header of version 7), and drops members that are no .mbn, .elf, .bin
or .fls. Names of elements and keys, and the lengths of values: real manifests for the layouts mav10
(8.4.1), mav16, ice16, ice17 (15.4) and mav20 (26.2.1). mav25: the element names idevicerestore
knows, with the lengths of mav20. What partial digests and hash tables cover is made up.
"""
import hashlib
import io
import struct
import zipfile

from ipsw.content import random_bytes

MEMBER_SIZE = 16384
SIGNED = {
    "mav10": {"RestoreSBL1": "restoresbl1.mbn", "SBL1": "sbl1.mbn"},
    "ice16": {"RestorePSI": "restorepsi.bin", "PSI": "psi_ram.bin"},
    "mav20": {"Misc": "multi_image.mbn", "RestoreSBL1": "restoresbl1.mbn", "SBL1": "sbl1.mbn"},
    "mav25": {"Misc": "multi_image.mbn", "RestoreSBL1": "restorexbl_sc.elf", "SBL1": "xbl_sc.elf",
              "TME": "signed_firmware_soc_view.elf"},
}
SIGNED["mav16"], SIGNED["ice17"] = SIGNED["mav10"], SIGNED["ice16"]

ICE16_TABLED = ("LTEFW", "SystemSW", "TDSFW")
# element: has it a hash table of its own too?
DOWNLOADED = {
    "mav10": {"ACDB": False, "APPS": True, "BBCFG": False, "DSP3": True, "MBA": True,
              "QDSP6SW": True, "RPM": True, "TZ": True, "WDT": False},
    "mav16": {"ACDB": False, "APPS": True, "BBCFG": False, "MBA": True, "QDSP6SW": True,
              "RPM": True, "TZ": True},
    "ice16": {"BBCFG": False, "EBL": False, **dict.fromkeys(ICE16_TABLED, True)},
    "mav20": {"ACDB": False, "BBCFG": False},
}
DOWNLOADED["ice17"] = DOWNLOADED["ice16"] | dict.fromkeys(
    ("2GFW", "3GFW", "AudioFW", "DebugFW", "RFFW"), True)
DOWNLOADED["mav25"] = DOWNLOADED["mav20"]


def mbn(body):
    """An image with the 40-byte header of version 1."""
    return struct.pack("<10I", 10, 3, 0, 0, len(body), 0, 0, 0, 0, 0) + body


def intel_bin(body):
    """An image as Intel's basebands take: magic from the second byte on, whole size at 16."""
    header = b"\x01\x04\x00\xealiHU" + struct.pack("<4I", 0, 1, 24 + len(body), 24)
    return header + body


def elf(body):
    """A 64-bit ELF file of two segments; the last is the signed table with a header of version 7,
    with room for a signature and its certificates."""
    sizes = (24, 0, 0xe0, 144, 0, 0, 0x68, 0xd20)  # metadata ×3, hashes, maker's 2, owner's 2
    table = struct.pack("<10I", 0, 7, *sizes)
    table += hashlib.sha384(body).digest().ljust(sum(sizes), b"\0")
    first = 64 + 2 * 56
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 164, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    for kind, at, size in ((1, first, len(body)), (0, first + len(body), len(table))):
        header += struct.pack("<IIQQQQQQ", kind, 4, at, at, at, size, size, 4096)
    return header + body + table


def _member(seed, layout, name):
    body = random_bytes(seed, f"baseband/{layout}/{name}", MEMBER_SIZE)
    if name.endswith(".bin"):
        return intel_bin(body)
    is_elf = name.endswith(".elf") or layout == "mav25" and name in SIGNED[layout].values()
    return elf(body) if is_elf else mbn(body)


def _downloaded_name(layout, element):
    return element.lower() + (".bin" if layout.startswith("ice") else ".mbn")


def members(seed, layout):
    """{name: bytes}, and one member that is not to reach the phone."""
    names = [*SIGNED[layout].values(),
             *(_downloaded_name(layout, element) for element in DOWNLOADED[layout])]
    found = {name: _member(seed, layout, name) for name in names}
    found["Options.plist"] = b'<plist version="1.0"><dict/></plist>\n'
    return found


def bbfw(seed, layout):
    """The zip's bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members(seed, layout).items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data,
                             zipfile.ZIP_DEFLATED, 1)
    return out.getvalue()


def _signed_element(seed, layout, element, data):
    is_long = layout in ("mav20", "mav25")
    hashed = hashlib.sha512(data) if is_long else hashlib.sha256(data)
    found = {"PartialDigest": struct.pack("<II", 4096, len(data)) + hashed.digest()}
    if element != "Misc":
        version = random_bytes(seed, f"version/{layout}/{element}", 4)
        found["Version"] = int.from_bytes(version, "little", signed=True)
    if is_long:
        pieces = 3 if element == "Misc" else 17
        size = (len(data) + pieces - 1) // pieces
        table = b"".join(hashlib.sha384(data[at:at + size]).digest()
                         for at in range(0, len(data), size))
        found["HashTableBody"] = table
        found["HashTableHeaderDefault"] = struct.pack(
            "<6I", 0, 6, 0, 0, 0x1068 + len(table), len(table)).ljust(168, b"\0")
    elif layout == "mav16":
        found["HashTableDigest"] = hashlib.sha256(data[:4096]).digest()
    return found


def manifest_entry(seed, layout, path):
    """The entry BasebandFirmware of an identity."""
    files = members(seed, layout)
    hashed = hashlib.sha384 if layout in ("mav20", "mav25") else hashlib.sha256
    entry = {"Info": {"Path": path}}
    for element, name in SIGNED[layout].items():
        for key, value in _signed_element(seed, layout, element, files[name]).items():
            entry[f"{element}-{key}"] = value
    for element, has_table in DOWNLOADED[layout].items():
        data = files[_downloaded_name(layout, element)]
        entry[f"{element}-DownloadDigest"] = hashed(data).digest()
        if has_table:
            entry[f"{element}-HashTableDigest"] = hashed(data[:4096]).digest()
    return entry
