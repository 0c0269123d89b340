# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kind `check`: what a firmware file is, here and on a server, whole and damaged."""

import fcntl
import hashlib
import json
import os
import plistlib
import random
import signal
import zipfile

import pytest

from firmware_bed import (BASE, BOARD, BUILD, ERASE, MIB, PRODUCT, PROGRAM, UPGRADE, VERSION, FirmwareWorker, World,
                          ask, make_ipsw, refused)
from firmware_real import MANIFESTS, PIECES, boards_of, costs, large, load, needs_data, pack, paths_of
from ipsw.describe import describe
from restore_judge import manifest_rewritten
from zip_traps import Part, write

SEED = int(os.environ.get("IDR_SEED", "1"))
CUTS = 30


@pytest.fixture(scope="module")
def world():
    with World.running() as made:
        yield made


def check(path, product=PRODUCT, board=BOARD, **fields):
    return ask("check", path=str(path), product=product, board=board, **fields)


def hashes(path):
    content = path.read_bytes()
    return {"sha1": hashlib.sha1(content).hexdigest(), "sha256": hashlib.sha256(content).hexdigest()}


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


@pytest.mark.parametrize("known, told", [([], None), (["sha1"], True), (["sha256"], True), (["sha1", "sha256"], True)])
def test_levels_of_a_good_file(world, known, told):
    """One read serves all; the file's hash is compared if it is known."""
    right = hashes(world.path)
    for level in range(1 if known else 2, 4):
        result = check(world.path, level=level, **{name: right[name] for name in known})
        proof = result["proof"]
        assert (proof["level"], proof["structure"], proof.get("hash")) == (level, True, told), result
        assert (proof["members"], proof["crc"]) == (result["members"], result["members"] if level > 1 else 0)
        assert ("digests" in proof) == (level == 3)
        assert result["firmware"]["verified"] == bool(told)
        for name in known:
            assert result["firmware"][name] == right[name]


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_a_wrong_hash(world, name):
    for level in (1, 2, 3):
        wrong = {**hashes(world.path), name: "0" * len(hashes(world.path)[name])}
        refused(check(world.path, level=level, **wrong), "bad-file", "damaged, or another one")


def test_digests_that_are_told(world):
    """Of the board's identities alone, and what nobody knows the meaning of is told by name."""
    digests = check(world.path, level=3)["proof"]["digests"]
    facts = [one for one in describe(world.path).identities if one.board == BOARD]
    files = {(part.path, part.digest) for one in facts for part in one.components.values()}
    assert digests["matched"] + digests["skipped"] <= len(files)
    assert digests["matched"] > 30 and "OS" in digests["skipped_names"]
    assert not {"KernelCache", "RestoreLogo", "iBSS", "RestoreRamDisk"} & set(digests["skipped_names"])


def test_the_name_of_the_list_that_was_read(world, folder):
    with zipfile.ZipFile(world.path) as archive:
        expected = hashlib.sha256(archive.read("BuildManifest.plist")).hexdigest()
    for level in (0, 3):
        assert check(world.path, level=level)["manifest_sha256"] == expected


def test_progress(folder):
    """At once, then twice a second: the service takes a worker that says nothing for dead."""
    path = make_ipsw(folder / "x.ipsw", image_bytes=64 * MIB)
    for level, fields in ((1, {"sha1": hashes(path)["sha1"]}), (2, {})):
        with FirmwareWorker("check", None, {"path": str(path), "level": level, **fields}) as worker:
            assert worker.result()["ok"]
            told = [event for event in worker.events if event["event"] == "progress"]
        assert told and {event["total"] for event in told} == {path.stat().st_size}
        done = [event["done"] for event in told]
        assert done == sorted(done) and done[-1] <= path.stat().st_size


def test_a_file_that_is_being_removed(world):
    with open(world.path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(check(world.path), "busy", "written or removed")
    assert check(world.path)["ok"]


def test_nobody_may_remove_it_meanwhile(folder):
    path = make_ipsw(folder / "x.ipsw", image_bytes=256 * MIB)
    with FirmwareWorker("check", None, {"path": str(path), "level": 2}) as worker, open(path, "rb") as file:
        assert worker.event("progress")
        worker.process.send_signal(signal.SIGSTOP)
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        worker.process.send_signal(signal.SIGCONT)
        assert worker.result()["ok"]


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


@pytest.mark.parametrize("heeds, kind", [(True, "network"), (False, "protocol")])
def test_a_file_that_changes_meanwhile(world, heeds, kind):
    """Also on a server that sends parts of the new one though it was asked for parts of the old one."""
    world.calm()
    world.apple.firmware.behave("changed_etag", nth=3, times=100, heeds=heeds)
    refused(check_url(world), kind, "has changed")
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


@pytest.mark.parametrize("damage, level, words", [
    ("manifesto", None, None), ("crc:KernelCache", 2, ["kernelcache", "damaged"]), ("crc:OS", 2, [".dmg", "damaged"]),
    ("digest:KernelCache", 3, ["kernelcache", "vouches"]), ("digest:RestoreSEP", 3, ["sep-firmware", "vouches"]),
    ("im4p:iBSS", 3, ["iBSS", "vouches"]), ("digest:OS", None, None)])
def test_damages_that_a_look_at_the_lists_cannot_see(folder, damage, level, words):
    """Each is found at its level and not before; another system image only by the file's hash."""
    path = small(folder, damage=(damage,))
    assert len(check(path)["variants"]) == 2
    for tried in range(2, 4):
        result = check(path, level=tried)
        if level and tried >= level:
            refused(result, "bad-file", *words)
        else:
            assert result["ok"], result
    good = make_ipsw(folder / "good.ipsw", image_bytes=MIB, cryptex_bytes=MIB // 4)
    refused(check(path, level=1, sha1=hashes(good)["sha1"]), "bad-file", "SHA-1")


def test_a_digest_that_contradicts_apples_own_hash(folder):
    """The file is the one that Apple publishes: then it is our reading of the digest that is wrong, and told."""
    path = small(folder, damage=("digest:KernelCache",))
    proof = check(path, level=3, vouched=True, **hashes(path))["proof"]
    assert (proof["level"], proof["hash"]) == (2, True)
    assert proof["digests"]["unlike"] >= 1 and "KernelCache" in proof["digests"]["unlike_names"]
    assert proof["digests"]["matched"] > 30
    # a hash that nobody vouches for, and no hash at all, excuse nothing
    refused(check(path, level=3, **hashes(path)), "bad-file", "kernelcache", "vouches")
    refused(check(path, level=3, vouched=True), "bad-file", "kernelcache", "vouches")
    wrong = {**hashes(path), "sha1": "0" * 40}
    refused(check(path, level=3, vouched=True, **wrong), "bad-file", "damaged, or another one")


def test_a_part_that_apple_itself_left_out(folder):
    """The lists name it, and the file that Apple publishes lacks it: told, and no proof of level 3."""
    path = small(folder, damage=("missing:AppleLogo",))
    refused(check(path, level=3, **hashes(path)), "bad-file", "lacks a part", "logo")
    refused(check(path, level=3, vouched=True), "bad-file", "lacks a part", "logo")
    proof = check(path, level=3, vouched=True, **hashes(path))["proof"]
    assert proof["level"] == 2 and "AppleLogo" in proof["digests"]["unlike_names"]


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


def test_more_members_than_any_firmware(folder):
    path = folder / "x.ipsw"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100_001):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    refused(check(path), "bad-file", "more parts than any real one")


@pytest.mark.parametrize("fields", [
    {"path": "/x", "level": 4}, {"path": "/x", "level": "1"}, {"path": "/x", "level": 1}, {"path": "/x", "level": -1},
    {"url": BASE + "/x_Restore.ipsw", "level": 2}, {"path": "/x", "level": 1, "sha1": "0" * 64},
    {"path": "/x", "level": 1, "sha256": "x" * 64}, {"path": "/x", "level": 1, "sha1": ""},
    {}, {"path": "/x", "url": BASE + "/x_Restore.ipsw"}, {"path": "x"}, {"url": "https://evil.example/x_Restore.ipsw"},
    {"path": "/x", "product": PRODUCT}, {"path": "/x", "product": PRODUCT, "board": "d17/ap"},
    {"path": "/x", "product": "x", "board": BOARD}, {"path": 7}])
def test_bad_requests(fields):
    refused(ask("check", **fields), "usage")


# --- real lists, real pieces

def ways(manifest, board):
    """{variant: erases} that may be told of a board: what says in one word what it does, and no research."""
    found = {}
    for identity in manifest["BuildIdentities"]:
        info = identity["Info"]
        name, behaviour = info["Variant"], info.get("RestoreBehavior")
        if info["DeviceClass"].lower() != board or name.startswith("Research") or behaviour not in ("Erase", "Update"):
            continue
        if not ("Update" in name and behaviour == "Erase"):  # an update over the air that says it erases
            found[name] = behaviour == "Erase"
    return found


@needs_data
@pytest.mark.parametrize("source", MANIFESTS, ids=[path.stem for path in MANIFESTS])
def test_every_real_list(folder, source):
    manifest = load(source)
    path = pack(folder / "x.ipsw", source)
    result = ask("check", path=str(path))
    assert result["ok"], result
    assert result["firmware"]["version"] == manifest["ProductVersion"]
    assert result["firmware"]["build"] == manifest["ProductBuildVersion"]
    assert result["products"] == manifest["SupportedProductTypes"]
    assert result["manifest_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    for board in boards_of(manifest):
        expected = ways(manifest, board)
        told = check(path, manifest["SupportedProductTypes"][0], board)
        if expected:
            assert {one["name"]: one["erases"] for one in told["variants"]} == expected
        else:
            refused(told, "bad-file", "does not say whether it erases", board)


@needs_data
@pytest.mark.parametrize("source", [path for path in MANIFESTS if "6.1.3" in path.stem], ids=lambda path: path.stem)
def test_lists_of_the_img3_era_vouch_for_nothing_that_we_know(folder, source):
    result = ask("check", path=str(pack(folder / "x.ipsw", source)), level=3)
    assert result["proof"]["level"] == 2 and result["proof"]["digests"]["matched"] == 0
    assert result["proof"]["digests"]["skipped"] == len(paths_of(load(source)))


@needs_data
def test_real_pieces_of_11_2_are_what_the_real_list_vouches_for(folder):
    """With the logo, of which both forms of the rule are told: as it is, and under another type."""
    source = next(path for path in MANIFESTS if "_11.2_" in path.stem)
    real = {str(path.relative_to(PIECES)): path.read_bytes() for path in PIECES.rglob("*") if path.is_file()}
    manifest, named = load(source), {}
    for identity in manifest["BuildIdentities"]:
        entries = identity["Manifest"]
        identity["Manifest"] = {name: entry for name, entry in entries.items()
                                if name == "OS" or entry.get("Info", {}).get("Path") in real}
        named |= identity["Manifest"]
    assert {"AppleLogo", "RestoreLogo", "BatteryLow1", "Savage,B2-Prod-Patch", "Savage,B0-Prod-PatchVT"} <= named.keys()
    system = named["OS"]["Info"]["Path"]

    def packed(**changed):
        with zipfile.ZipFile(folder / "x.ipsw", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("BuildManifest.plist", plistlib.dumps(manifest))
            for name, content in ({system: b"x"} | real | changed).items():
                archive.writestr(name, content)
        return folder / "x.ipsw"

    result = check(packed(), "iPhone10,6", "d221ap", level=3)
    assert result["ok"], result
    assert result["proof"]["digests"] == {"matched": len({(one["Info"]["Path"], one["Digest"]) for name, one in
                                                          named.items() if name != "OS"}),
                                          "skipped": 1, "skipped_names": ["OS"]}
    for name, content in real.items():
        other = content[:-1] + bytes([content[-1] ^ 1]) if content else b"x"
        refused(check(packed(**{name: other}), "iPhone10,6", "d221ap", level=3), "bad-file", "vouches")


# --- lists that no real file at hand has

def rewritten(folder, rewrite, **wishes):
    path = small(folder, **wishes)
    manifest_rewritten(path, rewrite)
    return path


def test_no_restore_plist_and_no_products(folder):
    path, other = small(folder), folder / "y.ipsw"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for member in old.infolist():
            if member.filename != "Restore.plist":
                new.writestr(member, old.read(member))
    assert check(other)["ok"]
    manifest_rewritten(other, lambda manifest: manifest.pop("SupportedProductTypes"))
    assert ask("check", path=str(other))["products"] == []
    refused(check(other), "bad-file", "another model")
    manifest_rewritten(path, lambda manifest: manifest.pop("SupportedProductTypes"))
    assert check(path)["products"] == [PRODUCT]  # Restore.plist knows


@pytest.mark.parametrize("key", ["DeviceClass", "Variant", "RestoreBehavior"])
def test_one_identity_without_a_key_is_none(folder, key):
    path = rewritten(folder, lambda manifest: manifest["BuildIdentities"][0]["Info"].pop(key))
    assert [one["name"] for one in check(path)["variants"]] == [UPGRADE]


@pytest.mark.parametrize("key", ["ProductVersion", "ProductBuildVersion", "BuildIdentities"])
def test_a_list_without_what_it_is_for(folder, key):
    refused(check(rewritten(folder, lambda manifest: manifest.pop(key))), "bad-file", "no firmware for restores")


def test_identities_of_odd_types(folder):
    def rewrite(manifest):
        manifest["BuildIdentities"] += ["x", 7, {}, {"Info": 1, "Manifest": []}, {"Info": {"DeviceClass": [BOARD]}},
                                        {"Info": {"DeviceClass": "d99ap", "Variant": "x"},
                                         "Manifest": {"OS": "x", "a": {}}}]
        manifest["SupportedProductTypes"] += [7, {}]
    result = check(rewritten(folder, rewrite), level=3)
    assert result["ok"] and result["products"] == [PRODUCT] and len(result["variants"]) == 2
    assert ask("check", path=str(folder / "x.ipsw"), level=3)["ok"]


def test_two_boards_of_one_product_and_a_newer_system(folder):
    """n71ap and n71map share product and number; 26.1 has cryptexes and encrypted images."""
    path = small(folder, boards=["n71ap", "n71map"], version="15.8.3", build="19H386")
    for board in ("n71ap", "n71map"):
        result = check(path, "iPhone8,1", board, level=3)
        assert len(result["variants"]) == 2 and result["proof"]["level"] == 3, result
    assert ask("check", path=str(path), level=3)["proof"]["digests"]["matched"] > 30
    path = small(folder, boards=["iPhone18,3"], version="26.1", build="23B85")
    names = check(path, "iPhone18,3", "v57ap", level=3)["proof"]["digests"]["skipped_names"]
    assert {"OS", "Cryptex1,AppOS", "Cryptex1,SystemOS", "BasebandFirmware"} <= set(names)


# --- costs

REAL_BYTES = 11 << 30  # of the largest
MEMORY_KB, TIME_S = 20 * 1000, 0.05  # what the issue allows; the time with slack for a busy machine
SLACK = 10
PLAIN = PROGRAM.parent.parent / PROGRAM.name  # without sanitizers

def measured(path):
    """(seconds, KiB, result) of one look by the program that ships; the best of three in time, the worst in memory."""
    request = json.dumps({"v": 1, "type": "request", "kind": "check", "path": str(path), "product": PRODUCT,
                          "board": BOARD})
    runs = [costs([PLAIN, "check"], request + "\n") for _ in range(3)]
    return min(run[0] for run in runs), max(run[1] for run in runs), json.loads(runs[0][2].splitlines()[-1])


@pytest.fixture(scope="module")
def real_size(world):
    return large(world.folder / "iPhone_11G_Restore.ipsw", world.path, REAL_BYTES)


@pytest.mark.skipif(not PLAIN.is_file(), reason=f"{PLAIN} is not built; sanitizers take memory and time")
def test_a_file_of_real_size_is_looked_at_in_no_time_and_little_memory(real_size):
    seconds, peak, result = measured(real_size)
    print(f"11 GB: {seconds * 1000:.0f} ms, {peak} KiB")
    assert result["ok"] and result["firmware"]["size"] > REAL_BYTES
    assert {one["os_bytes"] for one in result["variants"]} == {REAL_BYTES}
    assert peak < MEMORY_KB, f"{peak} KiB"
    assert seconds < TIME_S * SLACK, f"{seconds:.3f} s"


def test_a_file_of_real_size_on_a_server_costs_five_requests_and_a_megabyte(world, real_size):
    world.calm()
    file = world.apple.registry.add(real_size)
    result = ask("check", world.hooks, url=BASE + file.url_path, product=PRODUCT, board=BOARD)
    assert result["ok"], result
    assert {one["os_bytes"] for one in result["variants"]} == {REAL_BYTES}
    assert len(world.apple.firmware.record.entries()) <= 5
    assert world.sent() < MIB
    world.calm()


def test_a_directory_that_is_larger_than_the_end(world, folder):
    """One request more: 3000 members, as the largest real files have, with long names."""
    path = write(folder / "many_Restore.ipsw", [
        *(Part(f"Firmware/{'a' * 100}/{number}") for number in range(3000)),
        *(Part(name, zipfile.ZipFile(world.path).read(name), deflate=True)
          for name in zipfile.ZipFile(world.path).namelist())])
    world.calm()
    url = BASE + world.apple.registry.add(path).url_path
    result = ask("check", world.hooks, url=url, product=PRODUCT, board=BOARD)
    assert result["ok"] and result["members"] > 3000, result
    assert len(world.apple.firmware.record.entries()) <= 5
    world.calm()
