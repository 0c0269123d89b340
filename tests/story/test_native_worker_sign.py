# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kind `sign`: is this firmware signed for this phone? against Apple's pretended signing server."""

import ctypes
import hashlib
import os
import pathlib
import plistlib
import shutil
import time
import zipfile

import pytest

from firmware_bed import (BASE, BOARD, BUILD, ERASE, MIB, PRODUCT, TREE, UPGRADE, VERSION, FirmwareWorker, World, ask,
                          make_ipsw, refused)

from ipsw.zipwriter import ZipWriter

DATA = TREE.parent / "shared/data"
ECID, ECID_NUMBER = "0x0000112233445566", 0x112233445566
LARGE, MEMBERS = 10 << 30, 1200
OF_CHANCE = {"@UUID", "ApNonce", "SepNonce", "ApECID"}


def hooks_to(world, tss="https", firmware="https"):
    """A folder of hooks that lead to the signing server and the firmware's host."""
    folder = world.folder / f"sign-{tss}-{firmware}"
    folder.mkdir(exist_ok=True)
    places = {"gs.apple.com": ("tss", tss), "updates.cdn-apple.com": ("firmware", firmware)}
    (folder / "idevicerescue.hosts").write_text("".join(
        f"{host}:443 127.0.0.1:{world.apple.port(*place)}\n" for host, place in places.items()))
    shutil.copy(world.apple.ca, folder / "idevicerescue.ca")
    return folder


@pytest.fixture(scope="module")
def world():
    with World.running() as made:
        yield made


@pytest.fixture(autouse=True)
def calm(world):
    world.calm()
    world.apple.sign_only(None)


def sign(world, hooks=None, **fields):
    wanted = {"product": PRODUCT, "board": BOARD, "ecid": ECID, "variant": ERASE, "path": str(world.path), **fields}
    return ask("sign", hooks or hooks_to(world), **{key: value for key, value in wanted.items() if value is not None})


def unknown(result, *words, kind=None, code=None):
    """A verdict that blocks nothing, and says why and what to do."""
    assert result["ok"] and result["verdict"] == "unknown", result
    reason = result["reason"]
    assert set(reason) == {"kind", "origin", "code", "text"} and "no longer" not in reason["text"]
    assert all(word.lower() in reason["text"].lower() for word in words), reason
    assert kind is None or reason["kind"] == kind, reason
    assert code is None or reason["code"] == code, reason
    return reason


def manifest_of(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("BuildManifest.plist")


# --- what is asked


def test_signed_for_this_phone(world):
    world.apple.sign_only([BUILD])  # then the server compares chip, board and every digest
    result = sign(world)
    assert result["ok"] and result["verdict"] == "signed" and "reason" not in result, result
    assert (result["version"], result["build"]) == (VERSION, BUILD)
    assert result["manifest_sha256"] == hashlib.sha256(manifest_of(world.path)).hexdigest()
    assert (result["requests"], result["bytes"]) == (0, 0)  # the file lies here
    [asked] = world.apple.tss.record.entries()
    assert asked["ecid"] == ECID_NUMBER and asked["variant"] == ERASE and asked["board"].lower() == BOARD
    assert asked["tickets"] == ["ApImg4Ticket"] and asked["user_agent"] == "InetURL/1.0"
    assert asked["scheme"] == "https"


def test_each_question_has_its_own_chance(world):
    for _ in range(2):
        assert sign(world)["verdict"] == "signed"
    first, second = (entry["request"] for entry in world.apple.tss.record.entries())
    for key in ("@UUID", "ApNonce", "SepNonce"):
        assert first[key] != second[key]
    assert len(first["ApNonce"]) == 32 and len(first["SepNonce"]) == 20
    assert {key: value for key, value in first.items() if key not in OF_CHANCE} == \
        {key: value for key, value in second.items() if key not in OF_CHANCE}


def test_the_variant_that_was_asked_for(world):
    world.apple.sign_only([identity.unique_id.hex() for identity in world.file.identities
                           if identity.variant == UPGRADE])
    assert sign(world, variant=UPGRADE)["verdict"] == "signed"
    assert sign(world, variant=ERASE)["verdict"] == "not-signed"


def test_two_boards_of_an_old_product(world, tmp_path):
    """They share the board's number; the chip tells them apart, and is too old for the long nonce."""
    path = make_ipsw(tmp_path / "old.ipsw", boards=["iPhone8,1"], version="15.8.3", build="19H386", image_bytes=MIB,
                     cryptex_bytes=0)
    for board, chip in (("n71map", 0x8003), ("n71ap", 0x8000)):
        result = sign(world, path=str(path), product="iPhone8,1", board=board)
        assert result["verdict"] == "signed", result
        request = world.apple.tss.record.entries()[-1]["request"]
        assert len(request["ApNonce"]) == 20 and (request["ApChipID"], request["ApBoardID"]) == (chip, 4)


def as_libtatsu(identity):
    """What the unmodified libtatsu makes of the same identity: {key: value}."""
    names = [pathlib.Path(f"/usr/lib/x86_64-linux-gnu/{name}") for name in ("libplist-2.0.so.4", "libtatsu.so.0")]
    if not all(name.exists() for name in names):
        pytest.skip("libtatsu is not installed here")
    plist, tatsu = (ctypes.CDLL(str(name)) for name in names)
    for function in (plist.plist_new_dict, tatsu.tss_request_new):
        function.restype = ctypes.c_void_p

    def load(value):
        node, xml = ctypes.c_void_p(), plistlib.dumps(value)
        plist.plist_from_xml(xml, len(xml), ctypes.byref(node))
        return node

    parameters = load({"ApECID": ECID_NUMBER, "ApNonce": bytes(32), "ApSepNonce": bytes(20), "ApProductionMode": True,
                       "ApSecurityMode": True, "ApSupportsImg4": True})
    request = ctypes.c_void_p(tatsu.tss_request_new(None))
    assert tatsu.tss_parameters_add_from_manifest(parameters, load(identity), True) == 0
    for add in ("tss_request_add_common_tags", "tss_request_add_ap_tags"):
        assert getattr(tatsu, add)(request, parameters, None) == 0
    assert tatsu.tss_request_add_ap_img4_tags(request, parameters) == 0
    text, size = ctypes.c_char_p(), ctypes.c_uint32()
    plist.plist_to_xml(request, ctypes.byref(text), ctypes.byref(size))
    return plistlib.loads(ctypes.string_at(text, size.value))


def test_as_libtatsu_would_ask(world):
    """The engine's own library is the judge of ours: what it asks of this identity, we ask, with the same values."""
    sign(world)
    ours = world.apple.tss.record.entries()[-1]["request"]
    identity = next(one for one in plistlib.loads(manifest_of(world.path))["BuildIdentities"]
                    if one["Info"]["Variant"] == ERASE)
    theirs = as_libtatsu(identity)
    # it adds parts of cryptexes, which have a ticket of their own, and another version of itself
    theirs = {key: value for key, value in theirs.items() if not key.startswith("Cryptex1,")}
    for key in OF_CHANCE | {"@VersionInfo"}:
        assert key in ours and key in theirs
        theirs[key] = ours[key]
    assert {key: ours.get(key) for key in theirs} == theirs
    assert all(key.startswith("Ap,") or key == "ApSupportsImg4" for key in set(ours) - set(theirs))


# --- real manifests


def packed(path, manifest):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("BuildManifest.plist", manifest)
    return path


def same_but_for_chance(ours, reference):
    assert set(ours) == set(reference)
    for key in reference:
        if key in OF_CHANCE:
            assert type(ours[key]) is type(reference[key])
            assert not isinstance(ours[key], bytes) or len(ours[key]) == len(reference[key])
        else:
            assert ours[key] == reference[key], key


def load(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no real data at {path}")
    return path.read_bytes()


def test_reference_of_a_new_phone(world, tmp_path):
    reference = plistlib.loads(load("tss/request_reference_iPhone13,2_23C71_erase.plist"))
    path = packed(tmp_path / "x.ipsw", load("buildmanifest/iPhone13,2_iPhone13,3_26.2.1_23C71.plist"))
    assert sign(world, path=str(path), product="iPhone13,2", board="d53gap")["verdict"] == "signed"
    same_but_for_chance(world.apple.tss.record.entries()[-1]["request"], reference)


def identity_behind(reference, rules):
    """An identity that the reference can have been made from: parts with the rules of a real manifest of that era."""
    info = {"DeviceClass": "n71map", "Variant": ERASE, "RestoreBehavior": "Erase"}
    identity = {"Info": info, "Manifest": {}}
    for key, value in reference.items():
        if isinstance(value, dict):
            part = {name: one for name, one in value.items()
                    if name not in ("EPRO", "ESEC") and (name != "Digest" or one)}
            identity["Manifest"][key] = part | {"Info": {"RestoreRequestRules": rules, "Path": key}}
        elif key in ("ApChipID", "ApBoardID", "ApSecurityDomain"):
            identity[key] = hex(value)
        elif key == "UniqueBuildID":
            identity[key] = value
    return identity


def test_reference_of_an_old_phone(world, tmp_path):
    """Its manifest is not at hand: one is made from the request itself, and twins of its board number beside it."""
    reference = plistlib.loads(load("tss/request_reference_iPhone8,1_n71map_19H12_erase.plist"))
    donor = plistlib.loads(load("buildmanifest/iPhone9,x_iPhone10,x_15.4_19E241.plist"))
    rules = donor["BuildIdentities"][0]["Manifest"]["KernelCache"]["Info"]["RestoreRequestRules"]
    identity = identity_behind(reference, rules)
    twin = identity | {"ApChipID": "0x8000", "Info": identity["Info"] | {"DeviceClass": "n71ap"}, "UniqueBuildID": b"x"}
    manifest = {"ProductVersion": "15.7.1", "ProductBuildVersion": "19H12", "SupportedProductTypes": ["iPhone8,1"],
                "BuildIdentities": [twin, identity]}
    path = packed(tmp_path / "x.ipsw", plistlib.dumps(manifest))
    assert sign(world, path=str(path), product="iPhone8,1", board="n71map")["verdict"] == "signed"
    same_but_for_chance(world.apple.tss.record.entries()[-1]["request"], reference)


# --- what is answered


@pytest.mark.parametrize("status", ["94", "69"])
def test_not_signed(world, status):
    world.apple.tss.behave(status)
    result = sign(world)
    assert result["ok"] and result["verdict"] == "not-signed", result
    reason = result["reason"]
    assert (reason["kind"], reason["origin"], reason["code"]) == ("not-signed", "tss", int(status))
    assert "no longer" not in reason["text"] and "a build that is signed" in reason["text"]
    assert len(world.apple.tss.record) == 1


@pytest.mark.parametrize("status", ["94", "69"])
def test_sources_disagree(world, status):
    """The control: others call it current, so that the fault may be ours."""
    world.apple.tss.behave(status)
    unknown(sign(world, current=True), "disagree", "go on", kind="not-signed", code=int(status))
    assert sign(world, current=False)["verdict"] == "not-signed"


@pytest.mark.parametrize("status", ["8", "49", "100", "126", "128", "168", "551"])
def test_servers_own_errors(world, status):
    world.apple.tss.behave(status)
    unknown(sign(world), f"status {status}", "go on", kind="protocol", code=int(status))
    assert len(world.apple.tss.record) == 1


def test_success_without_a_ticket(world):
    world.apple.tss.behave("no_ticket")
    unknown(sign(world), "no ticket")


@pytest.mark.parametrize("behaviour", ["shield_403", "html", "empty", "close"])
def test_three_tries(world, behaviour):
    world.apple.tss.behave(behaviour)
    unknown(sign(world), kind="network")
    assert len(world.apple.tss.record) == 3


def test_the_third_try_counts(world):
    world.apple.tss.behave("http_500", times=1)
    world.apple.tss.behave("close", times=1)
    assert sign(world)["verdict"] == "signed"
    assert len(world.apple.tss.record) == 3


@pytest.mark.parametrize("scheme", ["other_ca", "expired", "not_yet_valid", "self_signed", "wrong_host", "no_chain"])
def test_who_is_not_apple_is_not_asked(world, scheme):
    hooks = hooks_to(world, tss=scheme)
    shutil.copy(world.apple.pki.ca("apple"), hooks / "idevicerescue.ca")
    unknown(sign(world, hooks=hooks), "gs.apple.com", kind="network")
    # the ECID was told to nobody; who has wrong dates is asked for the time
    assert all(entry["method"] == "HEAD" for entry in world.apple.tss.record.entries())


def test_nobody_there(world):
    hooks = hooks_to(world)
    (hooks / "idevicerescue.hosts").write_text("gs.apple.com:443 127.0.0.1:9\n")
    unknown(sign(world, hooks=hooks), "gs.apple.com", kind="network")


@pytest.mark.parametrize("name, verdict", [
    ("reply_0_success_real_ticket.txt", "signed"), ("reply_0_success_synthetic.txt", "signed"),
    ("reply_0_no_ticket.txt", "unknown"), ("reply_94.txt", "not-signed"), ("reply_168.txt", "unknown")])
def test_recorded_replies(world, name, verdict):
    """As they were sent; all of them are in the table of tests/unit/test_worker_sign.c."""
    world.apple.tss.behave("http", status=200, body=load(f"tss/{name}").decode())
    assert sign(world)["verdict"] == verdict


# --- firmware on a server


def test_on_a_server(world):
    world.apple.sign_only([BUILD])
    result = sign(world, path=None, url=BASE + world.file.url_path)
    assert result["verdict"] == "signed", result
    assert result["manifest_sha256"] == sign(world)["manifest_sha256"]
    assert result["requests"] == len(world.apple.firmware.record) <= 5
    assert result["bytes"] == world.sent() < MIB


def large_ipsw(path, manifest):
    """Ten gigabytes, nearly all of them a hole, with a directory as long as a real one."""
    with ZipWriter(path) as archive:
        for number in range(MEMBERS):
            archive.add(f"Firmware/all_flash/some_part_of_the_firmware_{number:04d}.im4p", b"x")
        archive.add_blocks("042-00000-000.dmg", [(None, LARGE)], LARGE)
        archive.add("BuildManifest.plist", manifest)
        archive.add_blocks("042-00001-000.dmg", [(None, 64 * MIB)], 64 * MIB)
    return path


def test_ten_gigabytes_cost_five_requests(world, tmp_path):
    file = world.apple.register(large_ipsw(tmp_path / "large.ipsw", manifest_of(world.path)), name="large_Restore.ipsw")
    assert file.size > LARGE
    result = sign(world, path=None, url=BASE + file.url_path)
    assert result["verdict"] == "signed", result
    print(f"{result['requests']} requests, {result['bytes']} bytes of {file.size}")
    assert result["requests"] == len(world.apple.firmware.record) <= 5
    assert result["bytes"] == world.sent() < MIB


@pytest.mark.parametrize("behaviour", ["html", "close", "ignore_range", "wrong_content_range"])
def test_a_server_that_fails(world, behaviour):
    world.apple.firmware.behave(behaviour)
    result = sign(world, path=None, url=BASE + world.file.url_path)
    unknown(result)
    assert "manifest_sha256" not in result and len(world.apple.tss.record) == 0


# --- requests and files that are none


@pytest.mark.parametrize("fields, words", [
    ({"path": None}, ["path", "url"]), ({"url": BASE + "/x_Restore.ipsw"}, ["path", "url"]),
    ({"path": "relative.ipsw"}, ["absolute"]),
    ({"path": None, "url": "https://evil.example/x_Restore.ipsw"}, ["Apple"]), ({"ecid": "0x1"}, ["ECID"]),
    ({"ecid": None}, ["ecid"]), ({"variant": ""}, ["variant"]), ({"variant": "x" * 200}, ["variant"]),
    ({"product": "iPhone13,2"}, ["together"]), ({"product": "../x"}, ["product"]), ({"current": "yes"}, ["current"]),
    ({"board": None}, ["board"]), ({"other": 1}, ["other"])])
def test_usage(world, fields, words):
    refused(sign(world, **fields), "usage", *words)


def test_a_board_that_nobody_knows(world):
    """A phone newer than this program: no reason to stop it."""
    unknown(sign(world, board="z99ap", product="iPhone99,9"), "z99ap", "go on", kind="unsupported")


def test_files_that_are_none(world, tmp_path):
    (tmp_path / "x.ipsw").write_bytes(b"nothing")
    refused(sign(world, path=str(tmp_path / "x.ipsw")), "bad-file")
    refused(sign(world, path=str(tmp_path / "missing.ipsw")), "bad-file", "No such file")
    refused(sign(world, path=str(packed(tmp_path / "y.ipsw", b"<plist/>"))), "bad-file", "damaged")


def test_variants_that_are_none(world, tmp_path):
    path = make_ipsw(tmp_path / "x.ipsw", variants=("research-erase", "erase"), image_bytes=MIB, cryptex_bytes=MIB // 4)
    for variant in ("Research " + ERASE, UPGRADE, ERASE.lower(), "Customer Erase"):
        refused(sign(world, path=str(path), variant=variant), "bad-file")
    refused(sign(world, product="iPhone14,4", board="d16ap"), "bad-file", "d16ap")
    assert len(world.apple.tss.record) == 0
    assert sign(world, path=str(path))["verdict"] == "signed"


def test_a_behaviour_at_odds_with_its_name(world, tmp_path):
    manifest = plistlib.loads(manifest_of(world.path))
    for identity in manifest["BuildIdentities"]:
        identity["Info"]["RestoreBehavior"] = "Erase"
    path = packed(tmp_path / "x.ipsw", plistlib.dumps(manifest))
    refused(sign(world, path=str(path), variant=UPGRADE), "bad-file")


@pytest.mark.skipif(not os.environ.get("IDR_SLOW"), reason="takes a minute: IDR_SLOW=1")
@pytest.mark.parametrize("silent", ["tss", "firmware"])
def test_the_whole_has_a_limit(world, silent):
    """Who is silent is given up after a minute at the most, and that is an answer."""
    world.apple.services[silent].behave("silence")
    began = time.monotonic()
    with FirmwareWorker("sign", hooks_to(world), {"product": PRODUCT, "board": BOARD, "ecid": ECID, "variant": ERASE,
                                                  "url": BASE + world.file.url_path}, limit_s=70) as worker:
        unknown(worker.result(), kind="network")
    assert time.monotonic() - began < 63
