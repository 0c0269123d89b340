# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile firmware files before the worker's kind `check`: each is refused with a text that says why, and at once."""

import pathlib
import plistlib
import struct
import tempfile
import time
import zlib

import pytest

from firmware_bed import BOARD, BUILD, ERASE, PRODUCT, VERSION, ask, refused
from zip_traps import FULL, Part, trailer, write

MIB, GIB = 1 << 20, 1 << 30
SYSTEM = b"a system" * 1000
MANIFEST = {"ProductVersion": VERSION, "ProductBuildVersion": BUILD, "SupportedProductTypes": [PRODUCT],
            "BuildIdentities": [{"ApChipID": "0x8110", "ApBoardID": "0x0a",
                                 "Info": {"DeviceClass": BOARD, "Variant": ERASE, "RestoreBehavior": "Erase"},
                                 "Manifest": {"OS": {"Info": {"Path": "os.dmg"}}}}]}
LISTS = Part("BuildManifest.plist", plistlib.dumps(MANIFEST), deflate=True)
ONE = [LISTS, Part("os.dmg", SYSTEM)]
AT_ONCE_S = 20  # under sanitizers, on a busy machine


@pytest.fixture
def path():
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        yield pathlib.Path(folder) / "x.ipsw"


def check(path, **fields):
    return ask("check", path=str(path), product=PRODUCT, board=BOARD, **fields)


def other(**central):
    """A second member whose entry in the directory lies."""
    return [*ONE, Part("a", b"aaaa", central=central)]


def lie(**local):
    """A second member whose local header lies."""
    return [*ONE, Part("a", b"aaaa", local=local)]


GOOD = {
    "plain": ONE,
    "folder and empty member": [*ONE, Part("Firmware/", mode=0o040755), Part("Firmware/empty")],
    "zip64 fields that nobody needs": [LISTS, Part("os.dmg", SYSTEM, wide=True)],
    "data descriptor": [LISTS, Part("os.dmg", SYSTEM, trailer=trailer(SYSTEM))],
    "data descriptor without magic": [LISTS, Part("os.dmg", SYSTEM, trailer=trailer(SYSTEM, magic=False))],
    "data descriptor of zip64": [LISTS, Part("os.dmg", SYSTEM, wide=True, trailer=trailer(SYSTEM, wide=True))],
    "another maker's modes": [*ONE, Part("a", b"x", mode=0o120777, central={"host": 0})],
    "another extra field": [*ONE, Part("a", b"x", central={"extra": struct.pack("<HHI", 0x5455, 4, 7)})],
    "names like traps": [*ONE, Part("..a"), Part("a..b/c.."), Part("._BuildManifest.plist")],
}


@pytest.mark.parametrize("parts", GOOD.values(), ids=GOOD)
def test_good_ones(path, parts):
    result = check(write(path, parts), level=2)
    assert result["ok"], result
    assert result["proof"]["crc"] == result["members"] == len(parts)


# name: (members, words of the refusal)
AT_OPENING = {
    "bomb by ratio": ([*ONE, Part("b", bytes(32 * MIB), deflate=True)], ["trap", "hundreds of times"]),
    "bomb by claim": (other(method=8, bytes=33 * GIB), ["trap", "more than any real one"]),
    "many large ones": ([*ONE, *(Part(f"b{i}", b"x" * 900, central={"method": 8, "bytes": 15 * MIB + i})
                                 for i in range(4400))], ["trap", "more than any real ones"]),
    "two sizes of what is stored": (other(bytes=5), ["trap", "two sizes"]),
    "outside of the file": (other(offset=GIB), ["trap", "outside"]),
    "longer than the file": (other(packed=GIB, bytes=GIB), ["trap", "outside"]),
    "offset near the end of numbers": (other(offset=(1 << 64) - 10), ["trap", "outside"]),
    "size near the end of numbers": (other(packed=(1 << 64) - 10, bytes=(1 << 64) - 10), ["trap"]),
    "sharing bytes": (other(offset=len(LISTS.truth(0)[0])), ["trap", "shares bytes"]),
    "quoting another's data": ([*ONE, Part("a", b"", central={"offset": 10, "packed": 100, "bytes": 100})],
                               ["trap", "shares bytes"]),
    "the same name twice": ([*ONE, Part("os.dmg", b"other")], ["trap", "twice"]),
    "link": ([*ONE, Part("a", b"/etc/passwd", mode=0o120777)], ["trap", "link"]),
    "device": ([*ONE, Part("a", mode=0o060666)], ["trap", "link or a device"]),
    "parent folder": ([*ONE, Part("a/../../b")], ["trap", "outside of its folder"]),
    "absolute": ([*ONE, Part("/a")], ["trap", "outside of its folder"]),
    "backslash": ([*ONE, Part("a\\b")], ["trap", "outside of its folder"]),
    "no name": ([*ONE, Part("")], ["trap", "outside of its folder"]),
    "NUL in a name": ([*ONE, Part("a\0b")], ["trap", "outside of its folder"]),
    "control character": ([*ONE, Part("a\x1b[2Jb")], ["trap", "outside of its folder"]),
    "name without end": ([*ONE, Part("a" * 2000)], ["damaged"]),
    "encrypted": (other(flags=1), ["trap", "encrypted"]),
    "encrypted directory": (other(flags=1 << 13), ["trap", "encrypted"]),
    "packed otherwise": (other(method=14), ["trap", "packed in a way"]),
    "other disk": (other(disk=1), ["damaged"]),
    "4 GB and no wide field": (other(packed=FULL, bytes=FULL, extra=b""), ["damaged", "4 GB"]),
    "wide field too short": (other(packed=FULL, bytes=FULL, extra=struct.pack("<HHQ", 1, 8, 4)), ["damaged", "4 GB"]),
    "extra field too long": (other(extra=struct.pack("<HH", 1, 60000)), ["damaged"]),
}


@pytest.mark.parametrize("parts, words", AT_OPENING.values(), ids=AT_OPENING)
def test_traps_seen_at_once(path, parts, words):
    write(path, parts)
    began = time.monotonic()
    refused(check(path), "bad-file", *words)
    assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_of_members(path, count):
    refused(check(write(path, ONE, count=count)), "bad-file", "damaged")


@pytest.mark.parametrize("count", [0xffff, 1])
def test_another_number_of_members_in_zip64(path, count):
    refused(check(write(path, ONE, count=count, wide=True)), "bad-file", "damaged")


LOCAL = {
    "name": {"name": b"b"}, "longer name": {"name": b"ab"}, "method": {"method": 8}, "size": {"bytes": 5},
    "packed size": {"packed": 3}, "checksum": {"crc": 1}, "encrypted": {"flags": 1}, "descriptor": {"flags": 8},
    "wide size": {"bytes": FULL, "packed": FULL, "extra": struct.pack("<HHQQ", 1, 16, 5, 4)},
    "no wide size": {"bytes": FULL, "packed": FULL, "extra": b""},
}


@pytest.mark.parametrize("local", LOCAL.values(), ids=LOCAL)
def test_local_headers_that_tell_another_thing(path, local):
    write(path, lie(**local))
    assert check(path)["ok"]  # nobody reads that header yet
    refused(check(path, level=2), "bad-file", "trap", "in another place")


@pytest.mark.parametrize("local", LOCAL.values(), ids=LOCAL)
def test_of_what_is_read_the_local_header_counts_at_once(path, local):
    if "name" in local:
        local = {"name": b"BuildManifest.plisT"}
    parts = [Part(LISTS.name, LISTS.data, local=local), ONE[1]]
    refused(check(write(path, parts)), "bad-file", "in another place")


def test_descriptors_that_tell_another_thing(path):
    bad = trailer(SYSTEM, crc=7)
    refused(check(write(path, [LISTS, Part("os.dmg", SYSTEM, trailer=bad)]), level=2), "bad-file", "in another place")


def test_data_that_unpacks_to_more_or_less_than_it_says(path):
    data = b"x" * 100000
    for size in (99999, 100001):
        part = Part("a", data, deflate=True, central={"bytes": size}, local={"bytes": size})
        refused(check(write(path, [*ONE, part]), level=2), "bad-file", "a in the firmware file is damaged")


def test_data_that_is_not_deflated(path):
    part = Part("a", b"\xff" * 100, central={"method": 8}, local={"method": 8})
    refused(check(write(path, [*ONE, part]), level=2), "bad-file", "damaged")


@pytest.mark.parametrize("size", [FULL - 1, FULL, 1 << 32, (1 << 32) + 1])
def test_sizes_at_the_edge_of_32_bits(path, size):
    """Behind the large member another one, whose place is beyond the edge, too."""
    write(path, [LISTS, Part("os.dmg", hole=size), Part("behind", b"x")])
    result = check(path)
    assert result["ok"], result
    assert [one["os_bytes"] for one in result["variants"]] == [size] and result["members"] == 3


@pytest.mark.parametrize("start", [FULL - 1, FULL, 1 << 32])
def test_members_that_begin_at_the_edge_of_32_bits(path, start):
    """BuildManifest.plist itself lies there, and is read."""
    parts = [Part("os.dmg", hole=0), LISTS]
    parts[0].hole = start - 30 - len("os.dmg") - (20 if start >= FULL + 56 else 0)
    assert check(write(path, parts))["ok"]


def manifest_of(text):
    return [Part("BuildManifest.plist", text), ONE[1]]


HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
DEEP = HEAD + b'<plist version="1.0">' + b"<array>" * 200000 + b"</array>" * 200000 + b"</plist>"
LISTS_REFUSED = {
    "deep": DEEP,
    "a little too deep": HEAD + b"<plist>" + b"<dict><key>a</key>" * 60 + b"</dict>" * 60 + b"</plist>",
    "many nodes": HEAD + b"<plist><array>" + b"<true/>" * 900000 + b"</array></plist>",
    "entities": HEAD + b'<!DOCTYPE plist [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist><string>&b;</string></plist>',
    "outer entity": HEAD + b'<!DOCTYPE plist [<!ENTITY a SYSTEM "file:///a">]><plist><string>&a;</string></plist>',
    "a minute's work": HEAD + b"<plist><dict><key>a</key><string>" + b"&amp;" * 3000000 + b"</string></dict></plist>",
    "NUL in a key": HEAD + b"<plist><dict><key>a\0b</key><true/></dict></plist>",
    "comment in an attribute": HEAD + b"<plist><dict a='<!--'>" + b"<array>" * 100 + b"--></plist>",
}


@pytest.mark.parametrize("text", LISTS_REFUSED.values(), ids=LISTS_REFUSED)
def test_lists_that_are_traps(path, text):
    write(path, manifest_of(text))
    began = time.monotonic()
    refused(check(path), "bad-file", "BuildManifest.plist", "than any real one")
    assert time.monotonic() - began < AT_ONCE_S


def binary_list(objects, root):
    """A binary property list of raw objects, 2 bytes for each place, 1 for each number."""
    body, places = b"bplist00", []
    for one in objects:
        places.append(len(body))
        body += one
    table = b"".join(struct.pack(">H", place) for place in places)
    return body + table + struct.pack(">6xBBQQQ", 2, 1, len(objects), root, len(body))


BINARY = {
    "doubling": binary_list([b"\xa2" + bytes([i + 1, i + 1]) for i in range(40)] + [b"\x09"], 0),
    "in itself": binary_list([b"\xa1\x00"], 0),
    "long text often": binary_list([b"\xaf\x10\xff" + b"\x01" * 255, b"\xaf\x10\xff" + b"\x02" * 255,
                                    b"\x5f\x11" + struct.pack(">H", 30000) + b"x" * 30000], 0),
    "NUL in a key": binary_list([b"\xd1\x01\x02", b"\x53a\0b", b"\x09"], 0),
    "NUL in a wide key": binary_list([b"\xd1\x01\x02", b"\x62\0a\0\0", b"\x09"], 0),
    "numbers outside": binary_list([b"\xa1\x07"], 0),
}


@pytest.mark.parametrize("content", BINARY.values(), ids=BINARY)
def test_binary_lists_that_are_traps(path, content):
    refused(check(write(path, manifest_of(content))), "bad-file", "BuildManifest.plist", "than any real one")


def test_a_binary_list_is_as_good_as_another(path):
    assert check(write(path, manifest_of(plistlib.dumps(MANIFEST, fmt=plistlib.FMT_BINARY))))["ok"]


def test_lists_of_more_than_16_mib(path):
    data = zlib.compress(b"")  # something that is no list
    parts = [Part("BuildManifest.plist", data + bytes(range(256)) * (17 * 4096)), ONE[1]]
    refused(check(write(path, parts)), "bad-file", "larger than any real one")


def test_a_list_of_as_much_as_is_allowed(path):
    """It costs memory and time, and has an answer."""
    many = {f"key{number}": number for number in range(130000)}
    parts = manifest_of(plistlib.dumps({**MANIFEST, "More": many}))
    began = time.monotonic()
    result = check(write(path, parts))
    assert result["ok"] or result["error"]["kind"] == "bad-file", result
    assert time.monotonic() - began < AT_ONCE_S
