# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kind `check`: what a firmware file is, here and on a server, whole and damaged."""

import os
import pathlib
import plistlib
import random
import tempfile
import time
import zipfile

import pytest

from firmware_bed import BASE, BOARD, BUILD, ERASE, MIB, PRODUCT, UPGRADE, VERSION, World, ask, make_ipsw, refused
from restore_judge import manifest_rewritten

SEED = int(os.environ.get("IDR_SEED", "1"))
CUTS = 30
LARGE = 5 << 30  # beyond 32 bits


@pytest.fixture(scope="module")
def world():
    with tempfile.TemporaryDirectory(prefix="f", dir="/tmp") as folder:
        made = World(pathlib.Path(folder)).start()
        yield made
        made.apple.stop()


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as path:
        yield pathlib.Path(path)


def check(path, product=PRODUCT, board=BOARD):
    return ask("check", path=str(path), product=product, board=board)


def check_url(world, **fields):
    return ask("check", world.hooks, url=BASE + world.file.url_path, product=PRODUCT, board=BOARD, **fields)


def small(folder, **wishes):
    return make_ipsw(folder / "x.ipsw", image_bytes=MIB, cryptex_bytes=MIB // 4, **wishes)


def test_a_good_file(world):
    result = check(world.path)
    firmware = result["firmware"]
    assert (firmware["version"], firmware["build"], firmware["size"]) == (VERSION, BUILD, world.file.size)
    assert firmware["name"] == world.path.name and result["products"] == [PRODUCT]
    with zipfile.ZipFile(world.path) as archive:
        assert result["members"] == len(archive.namelist())
    assert result["variants"] == [
        {"name": name, "erases": name == ERASE, "os_bytes": 24 * MIB, "os_packed": False}
        for name in (ERASE, UPGRADE)]


def test_board_in_any_case_and_none_at_all(world):
    assert len(check(world.path, board="D17AP")["variants"]) == 2
    assert ask("check", path=str(world.path))["variants"] == []


def test_variants_of_a_trap(folder):
    path = small(folder, variants=("research-erase", "research-upgrade", "upgrade"), deflate=True)
    assert check(path)["variants"] == [{"name": UPGRADE, "erases": False, "os_bytes": MIB, "os_packed": True}]


def test_the_same_on_a_server_for_less_than_a_megabyte(world):
    world.calm()
    there, here = check_url(world), check(world.path)
    assert there["ok"], there
    assert world.sent() < MIB
    for key in ("products", "variants", "members"):
        assert there[key] == here[key]
    assert there["firmware"]["size"] == here["firmware"]["size"]


@pytest.mark.parametrize("behaviour, kind", [("ignore_range", "network"), ("not_found", "network"), ("html", "network"),
                                             ("wrong_content_range", "protocol"), ("http_500", "network")])
def test_servers_that_do_not_send_parts(world, behaviour, kind):
    world.calm()
    world.apple.firmware.behave(behaviour)
    refused(check_url(world), kind)
    world.calm()


def test_a_file_that_changes_meanwhile(world):
    world.calm()
    world.apple.firmware.behave("changed_etag", nth=3, times=100)
    refused(check_url(world), "network", "has changed")
    world.calm()


def test_a_connection_that_breaks(world):
    world.calm()
    world.apple.firmware.behave("cut", after=1000, nth=3)
    assert check_url(world)["ok"]


@pytest.mark.parametrize("content, words", [
    (b"", ["not a firmware"]), (b"PK", ["not a firmware"]), (b"<html></html>" * 100, ["not a firmware"]),
    (b"PK\3\4" + b"\0" * 1000, ["not whole"]), (bytes(range(255, -1, -1)) * 400, ["not a firmware"])],
    ids=["empty", "two bytes", "web page", "begins well", "noise"])
def test_no_firmware(folder, content, words):
    (folder / "x.ipsw").write_bytes(content)
    refused(check(folder / "x.ipsw"), "bad-file", *words)


def test_no_file(folder):
    refused(check(folder / "missing.ipsw"), "bad-file", "No such file")
    refused(check(folder), "bad-file", "folder")
    refused(check("/dev/zero"), "bad-file", "device")


def test_cut_anywhere(world, folder):
    chance, path = random.Random(SEED), folder / "x.ipsw"
    content = world.path.read_bytes()
    cuts = [chance.randrange(8, len(content)) for _ in range(CUTS)] + [len(content) - 1, len(content) - 22]
    for cut in cuts:
        path.write_bytes(content[:cut])
        refused(check(path), "bad-file", "not whole")


def test_bytes_flipped_anywhere_in_the_directory(world, folder):
    """It may still be right in what it tells, but it never crashes and never tells of another variant."""
    chance, path = random.Random(SEED), folder / "x.ipsw"
    content = bytearray(world.path.read_bytes())
    for _ in range(CUTS):
        harmed = bytearray(content)
        harmed[len(content) - 1 - chance.randrange(8000)] ^= 1 << chance.randrange(8)
        path.write_bytes(harmed)
        result = check(path)
        if result["ok"]:
            assert {one["name"]: one["erases"] for one in result["variants"]} == {ERASE: True, UPGRADE: False}
        else:
            refused(result, "bad-file")


@pytest.mark.parametrize("damage, words", [
    ("no-manifest", ["no BuildManifest.plist"]), ("manifest-garbage", ["BuildManifest.plist", "damaged"]),
    ("manifest-cut", ["BuildManifest.plist", "damaged"]), ("truncate", ["not whole"]), ("missing:OS", ["lacks a part"]),
    ("missing:iBSS", ["lacks a part", "iBSS"]), ("empty:KernelCache", ["lacks a part"]),
    ("case:iBEC", ["lacks a part"])])
def test_damages(folder, damage, words):
    refused(check(small(folder, damage=(damage,))), "bad-file", *words)


@pytest.mark.parametrize("damage", ["manifesto", "crc:KernelCache", "digest:OS"])
def test_damages_that_a_look_at_the_lists_cannot_see(folder, damage):
    assert len(check(small(folder, damage=(damage,)))["variants"]) == 2


def test_another_phone(world):
    refused(check(world.path, product="iPhone14,2"), "bad-file", "another model", PRODUCT)
    refused(check(world.path, board="d63ap"), "bad-file", "nothing for board d63ap")


@pytest.mark.parametrize("behaviour", [None, "Wipe"])
def test_behaviour_in_doubt(folder, behaviour):
    def rewrite(manifest):
        for identity in manifest["BuildIdentities"]:
            identity["Info"].pop("RestoreBehavior")
            if behaviour:
                identity["Info"]["RestoreBehavior"] = behaviour
    path = small(folder)
    manifest_rewritten(path, rewrite)
    refused(check(path), "bad-file", "does not say whether it erases")


def test_two_builds_in_one(folder):
    path = small(folder)
    manifest_rewritten(path, lambda manifest: manifest.update(ProductBuildVersion="22C151"))
    refused(check(path), "bad-file", "contradicts itself", "22C151", BUILD)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "a\\b", ".."])
def test_traps_for_who_unpacks(folder, name):
    path = small(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"x")
    refused(check(path), "bad-file", "trap")


def test_a_manifest_that_unpacks_to_too_much(folder):
    path = folder / "x.ipsw"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BuildManifest.plist", plistlib.dumps({"x": "y" * (17 * MIB)}))
    refused(check(path), "bad-file", "larger than any real one")


def test_more_members_than_any_firmware(folder):
    path = folder / "x.ipsw"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100_001):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    refused(check(path), "bad-file", "more parts than any real one")


def test_a_large_file_is_looked_at_quickly(folder):
    path = make_ipsw(folder / "large.ipsw", image_bytes=LARGE, sparse=True)
    began = time.monotonic()
    result = check(path)
    assert time.monotonic() - began < 2
    assert result["ok"] and result["firmware"]["size"] > LARGE
    assert {one["os_bytes"] for one in result["variants"]} == {LARGE}


@pytest.mark.parametrize("fields", [
    {}, {"path": "/x", "url": BASE + "/x_Restore.ipsw"}, {"path": "x"}, {"url": "https://evil.example/x_Restore.ipsw"},
    {"path": "/x", "product": PRODUCT}, {"path": "/x", "product": PRODUCT, "board": "d17/ap"},
    {"path": "/x", "product": "x", "board": BOARD}, {"path": 7}])
def test_bad_requests(fields):
    refused(ask("check", **fields), "usage")
