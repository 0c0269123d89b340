# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kind `catalogue` against the pretended servers: sources good, dead and lying, what is kept of them, and
the catalogue of the image alone."""

import json
import os
import pathlib
import threading
import time

import pytest

from firmware_bed import (BUILD, PRODUCT, TREE, VERSION, World, ask, assert_only_the_date_was_asked, make_ipsw,
                          refused)

STILL = 20  # seconds that nothing here takes
DAY_MS = 24 * 3600 * 1000
OLD = {"version": "17.6", "build": "21G80"}
DATA = pathlib.Path(os.environ.get("IDR_DATA", TREE.parent / "shared/data"))
real_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}")


@pytest.fixture(scope="module")
def servers():
    with World.running() as world:
        world.old = world.apple.register(make_ipsw(world.folder / "old.ipsw", **OLD), signed=False)
        yield world


@pytest.fixture
def world(servers):
    servers.calm()
    return servers


@pytest.fixture(name="folder")
def fixture_folder(folder):
    """Where the worker keeps its answers: it makes that folder."""
    return folder / "catalogue"


def catalogue(world, hooks=None, **fields):
    return ask("catalogue", hooks or world.hooks, **{"product": PRODUCT, **fields})


def states(result):
    return {one["name"]: one["state"] for one in result["sources"]}


def asked(world):
    return sorted(entry["source"] for service in (world.apple.catalogue, world.apple.gdmf)
                  for entry in service.record.entries())


def with_image(world, name="image", age_days=1, **changes):
    """Hooks with a catalogue of the image that knows the file; and the catalogue."""
    hooks = world.hooks_to(name=name)
    file = {"products": [PRODUCT], "boards": ["d17ap"], "version": VERSION, "build": BUILD,
            "url": world.firmware()["url"], "size": world.file.size, "sha1": world.file.hashes["sha1"],
            "sha1_from": ["ipsw.me"], "signed": [PRODUCT], "released": "2026-08-17", **changes}
    own = {"v": 1, "made_ms": int(time.time() * 1000) - age_days * DAY_MS, "files": [file]}
    (hooks / "idevicerescue.catalogue").write_text(json.dumps(own))
    return hooks


def assert_found(world, result):
    assert result["ok"], result
    expected = {key: world.firmware()[key] for key in ("product", "version", "build", "name", "url", "size", "sha1")}
    found = result["firmware"]
    assert {key: found[key] for key in expected} == expected and found["verified"] is False


# --- all is well

def test_catalogue_tells_the_firmware(world):
    result = catalogue(world)
    assert_found(world, result)
    found = result["firmware"]
    assert found["sha256"] == world.file.hashes["sha256"]
    assert found["sources"] == "apple ipsw.me appledb" and found["confirmed"] is True and "conflict" not in found
    assert found["said_signed"] == "yes" and found["released_ms"] == 1786986000000  # 2026-08-17T17:00:00Z
    assert states(result) == dict.fromkeys(["apple", "ipsw.me", "appledb", "gdmf"], "answered")
    assert "newest_offered" not in result and "catalogue_age_s" not in result
    assert asked(world) == ["apple", "appledb", "appledb", "gdmf", "ipswme"]
    assert all("idevicerescue/" in entry["user_agent"] for entry in world.apple.catalogue.record.entries())


def test_all_of_a_product(world):
    result = catalogue(world, all=True)
    assert result["ok"] and "firmware" not in result, result
    assert [one["build"] for one in result["firmwares"]] == [BUILD, OLD["build"]]
    assert [one["said_signed"] for one in result["firmwares"]] == ["yes", "no"]
    assert all(one["confirmed"] for one in result["firmwares"])


def test_catalogue_tells_a_build(world):
    assert_found(world, catalogue(world, build=BUILD))
    assert catalogue(world, build=OLD["build"])["firmware"]["version"] == OLD["version"]
    refused(catalogue(world, build="22C151"), "unsupported", "22C151")


def test_catalogue_of_an_unknown_product(world):
    refused(catalogue(world, product="iPhone99,9"), "unsupported", "iPhone99,9", "IPSW file")
    refused(catalogue(world, product="iPhone99,9", all=True), "unsupported", "iPhone99,9", "IPSW file")


def test_apple_offers_what_nobody_has(world):
    world.apple.gdmf.behave("newer", version="18.3", build="22D63")
    result = catalogue(world)
    assert_found(world, result)
    assert result["newest_offered"] == {"version": "18.3", "build": "22D63"}
    paths = [entry["path"] for entry in world.apple.catalogue.record.entries()]
    assert any("22D63" in path for path in paths)  # AppleDB might have had it


# --- sources that fail or lie

@pytest.mark.parametrize("source", ["ipswme", "apple", "appledb"])
@pytest.mark.parametrize("behaviour", ["http_500", "html", "truncated", "null", "invalid", "rate_limited", "empty",
                                       "close", "hostile_url", "no_hashes", "other_device"])
def test_one_bad_source_is_not_missed(world, source, behaviour):
    world.apple.catalogue.behave(behaviour, where={"source": source})
    assert_found(world, catalogue(world))


@pytest.mark.parametrize("behaviour", ["http_500", "html", "truncated", "null", "invalid", "close", "other_device"])
def test_a_bad_list_of_what_is_new(world, behaviour):
    world.apple.gdmf.behave(behaviour)
    result = catalogue(world)
    assert_found(world, result)
    assert states(result)["gdmf"] == ("nothing" if behaviour == "other_device" else "failed")


def test_a_source_that_failed_says_why(world):
    world.apple.catalogue.behave("html", where={"source": "ipswme"})
    result = catalogue(world)
    told, = [one for one in result["sources"] if one["name"] == "ipsw.me"]
    assert told["state"] == "failed" and "log in to this network" in told["text"]
    assert result["firmware"]["sources"] == "apple appledb"


def test_appledb_stands_in(world):
    """Nobody else has a file, but Apple's freshness list knows the build."""
    for source in ("apple", "ipswme"):
        world.apple.catalogue.behave("http_500", where={"source": source})
    result = catalogue(world)
    assert_found(world, result)
    assert result["firmware"]["sources"] == "appledb" and "confirmed" not in result["firmware"]


def test_a_silent_source_costs_ten_seconds(world):
    world.apple.catalogue.behave("silence", where={"source": "apple"})
    began = time.monotonic()
    assert_found(world, catalogue(world))
    assert 9 < time.monotonic() - began < STILL


@pytest.mark.parametrize("behaviour", ["http_500", "html", "close", "rate_limited", "truncated", "null", "invalid",
                                       "hostile_url", "no_hashes"])
@pytest.mark.parametrize("all_of_it", [False, True])
def test_all_bad_sources(world, behaviour, all_of_it):
    world.apple.catalogue.behave(behaviour)
    refused(catalogue(world, all=all_of_it), "network")


def test_all_bad_sources_and_the_image(world):
    world.apple.catalogue.behave("invalid")
    world.apple.gdmf.behave("invalid")
    result = catalogue(world, with_image(world))
    assert_found(world, result)
    assert result["firmware"]["sources"] == "image" and states(result)["image"] == "built-in"
    assert abs(result["catalogue_age_s"] - 24 * 3600) < 60


def test_sources_that_disagree(world):
    world.apple.catalogue.behave("hostile_hash", where={"source": "apple"})
    refused(catalogue(world), "network", "sources disagree", BUILD)
    found = {one["build"]: one for one in catalogue(world, all=True)["firmwares"]}
    assert found[BUILD]["conflict"] is True and "confirmed" not in found[BUILD]


def test_the_image_disagrees(world):
    hooks = with_image(world, "liar", sha1="1" * 40)
    refused(catalogue(world, hooks), "network", "sources disagree", BUILD)
    assert catalogue(world, hooks, build=OLD["build"])["firmware"]["build"] == OLD["build"]


def test_absurd_size_of_one_source(world):
    world.apple.catalogue.behave("hostile_size", where={"source": "ipswme"})
    assert_found(world, catalogue(world))


def test_the_files_host_tells_the_size(world):
    for source in ("ipswme", "appledb"):
        world.apple.catalogue.behave("hostile_size", where={"source": source})
    assert_found(world, catalogue(world))
    assert world.sent() < 4096


def test_what_others_say_of_signing_does_not_count(world):
    world.apple.catalogue.behave("unsigned")
    result = catalogue(world)
    assert_found(world, result)
    assert result["firmware"]["said_signed"] == "no"


@pytest.mark.parametrize("scheme", ["expired", "not_yet_valid", "wrong_host", "self_signed", "no_chain", "old_tls"])
def test_bad_certificates(world, scheme):
    error = refused(catalogue(world, world.hooks_to(catalogue=scheme)), "network")
    assert_only_the_date_was_asked(world.apple.catalogue)
    assert_only_the_date_was_asked(world.apple.gdmf)
    if scheme in ("expired", "not_yet_valid"):
        assert "clock" not in error["text"] and "certificate" in error["text"]


def test_without_the_hook_test_authorities_are_nobody(world):
    refused(catalogue(world, world.hooks_to(ca=False)), "network", "api.ipsw.me")
    assert len(world.apple.catalogue.record) == 0


def test_no_way_to_the_servers(world):
    hooks = world.hooks_to(name="closed")
    names = ("api.ipsw.me", "s.mzstatic.com", "gdmf.apple.com")
    (hooks / "idevicerescue.hosts").write_text("".join(f"{name}:443 127.0.0.1:1\n" for name in names))
    refused(catalogue(world, hooks), "network", "cannot be reached")
    (hooks / "idevicerescue.hosts").write_text("".join(f"{name}:443 nowhere.invalid:1\n" for name in names))
    refused(catalogue(world, hooks), "network", "cannot be found", "connect it to the internet")


@pytest.mark.parametrize("fields", [{}, {"product": "iPhone14,5/.."}, {"product": 7}, {"product": PRODUCT, "x": 1},
                                    {"product": PRODUCT, "build": "23A5260n"}, {"product": PRODUCT, "all": 1},
                                    {"product": PRODUCT, "folder": "here"}])
def test_bad_requests_for_a_catalogue(fields):
    refused(ask("catalogue", **fields), "usage")


def test_a_broken_host_map_is_not_passed_over(world, folder):
    folder.mkdir()
    (folder / "idevicerescue.hosts").write_text("api.ipsw.me somewhere\n")
    refused(catalogue(world, folder), "bug", "host map")


# --- what is kept

def test_a_bench_asks_once(world, folder):
    """Thirty phones of one model, all at once: one question a source."""
    results = []
    phones = [threading.Thread(target=lambda: results.append(catalogue(world, folder=str(folder)))) for _ in range(8)]
    for phone in phones:
        phone.start()
    for phone in phones:
        phone.join(60)
    for result in [*results, *(catalogue(world, folder=str(folder)) for _ in range(2))]:
        assert_found(world, result)
    assert len(results) == 8 and asked(world) == ["apple", "appledb", "appledb", "gdmf", "ipswme"]


def make_older(folder, seconds):
    """The answers that are kept were given so long ago."""
    for path in (folder / "answers").iterdir():
        head, body = path.read_bytes().split(b"\n", 1)
        head = json.loads(head)
        head["asked_ms"] -= seconds * 1000
        path.write_bytes(json.dumps(head).encode() + b"\n" + body)


def test_old_answers_are_asked_for_by_their_etag(world, folder):
    assert_found(world, catalogue(world, folder=str(folder)))
    make_older(folder, 3600)
    world.calm()
    result = catalogue(world, folder=str(folder))
    assert_found(world, result)
    entries = world.apple.catalogue.record.entries()
    assert len(entries) == 4 and all(entry["condition"] for entry in entries), entries
    assert all(one["age_s"] < 60 for one in result["sources"] if one["state"] == "answered")


def test_broken_answers_are_asked_for_again(world, folder):
    assert_found(world, catalogue(world, folder=str(folder)))
    for path in (folder / "answers").iterdir():
        path.write_bytes(b"\0\xff no answer")
    world.calm()
    assert_found(world, catalogue(world, folder=str(folder)))
    assert asked(world) == ["apple", "appledb", "appledb", "gdmf", "ipswme"]


@pytest.mark.parametrize("age_s", [0, 3600])
def test_answers_with_a_flipped_byte_are_asked_for_again(world, folder, age_s):
    """Else they would fail for minutes, and then for as long as their ETag holds."""
    assert_found(world, catalogue(world, folder=str(folder)))
    make_older(folder, age_s)
    for path in (folder / "answers").iterdir():
        head, body = path.read_bytes().split(b"\n", 1)
        path.write_bytes(head + b"\n" + body[:5] + b"\x01" + body[6:])
    world.calm()
    result = catalogue(world, folder=str(folder))
    assert_found(world, result)
    assert "failed" not in states(result).values() and states(result)["apple"] == "answered"
    assert not any(entry["condition"] for entry in world.apple.catalogue.record.entries())


def test_a_copy_that_a_wrong_clock_dated(world, folder):
    """It is renewed as an old one is, not left as it is until that day."""
    assert_found(world, catalogue(world, folder=str(folder)))
    copy = json.loads((folder / "catalogue.json").read_text())
    late = copy["made_ms"] + 100 * DAY_MS
    (folder / "catalogue.json").write_text(json.dumps({**copy, "made_ms": late}))
    make_older(folder, 3600)
    assert_found(world, catalogue(world, folder=str(folder)))
    assert json.loads((folder / "catalogue.json").read_text())["made_ms"] < late - 99 * DAY_MS


def test_the_refreshed_copy(world, folder):
    """What the servers told holds without them."""
    hooks = with_image(world, "refresh", version="17.6", build=OLD["build"], url=world.firmware()["url"])
    assert_found(world, catalogue(world, folder=str(folder)))
    copy = json.loads((folder / "catalogue.json").read_text())
    assert copy["v"] == 1 and [(one["products"], one["build"]) for one in copy["files"]] == [([PRODUCT], BUILD)]
    assert copy["files"][0]["sha1_from"] == ["apple", "ipsw.me", "appledb"]
    world.calm()
    result = catalogue(world, hooks, folder=str(folder), offline=True)
    assert_found(world, result)
    assert result["firmware"]["sources"] == "refreshed" and asked(world) == []
    assert states(result) == {"refreshed": "answered", "image": "built-in"}


def test_a_copy_that_is_worse_than_the_image(world, folder):
    """Broken, older, or with much less in it: the last good one holds, or the image's."""
    hooks = with_image(world)
    assert_found(world, catalogue(world, folder=str(folder)))
    good = (folder / "catalogue.json").read_text()
    own = json.loads(good)
    for bad in ("", good[:200], json.dumps({**own, "made_ms": own["made_ms"] - 9 * DAY_MS}),
                json.dumps({**own, "files": []}), json.dumps({**own, "v": 2}),
                good.replace("updates.cdn-apple.com", "evil.example")):
        (folder / "catalogue.json").write_text(bad)
        result = catalogue(world, hooks, folder=str(folder), offline=True)
        assert_found(world, result)
        assert result["firmware"]["sources"] == "image", bad
        (folder / "catalogue.old.json").write_text(good)
        result = catalogue(world, hooks, folder=str(folder), offline=True)
        assert result["firmware"]["sources"] == "image refreshed"
        (folder / "catalogue.old.json").unlink()


def test_the_copy_is_not_written_from_one_third_party(world, folder):
    for source in ("apple", "appledb"):
        world.apple.catalogue.behave("http_500", where={"source": source})
    assert_found(world, catalogue(world, folder=str(folder)))
    assert not (folder / "catalogue.json").exists()


def test_the_last_good_copy_is_kept(world, folder):
    assert_found(world, catalogue(world, folder=str(folder)))
    first = json.loads((folder / "catalogue.json").read_text())
    first["made_ms"] -= 2 * DAY_MS
    (folder / "catalogue.json").write_text(json.dumps(first))
    make_older(folder, 3600)
    assert_found(world, catalogue(world, folder=str(folder)))
    assert json.loads((folder / "catalogue.json").read_text())["made_ms"] > first["made_ms"] + DAY_MS
    assert json.loads((folder / "catalogue.old.json").read_text())["made_ms"] == first["made_ms"]


def test_a_folder_that_cannot_be_used(world, folder):
    """A cache: nothing depends on it."""
    folder.write_text("no folder")
    assert_found(world, catalogue(world, folder=str(folder)))
    assert_found(world, catalogue(world, folder=str(folder / "below/nothing")))


# --- without a network

def test_offline(world):
    result = catalogue(world, with_image(world), offline=True)
    assert_found(world, result)
    assert result["firmware"]["said_signed"] == "yes" and states(result) == {"image": "built-in"}
    assert asked(world) == []
    refused(catalogue(world, offline=True), "network", "without a network", PRODUCT)


def test_an_old_catalogue_says_its_age(world):
    result = catalogue(world, with_image(world, "old", age_days=400), offline=True)
    assert result["ok"] and abs(result["catalogue_age_s"] - 400 * DAY_MS // 1000) < 60


@real_data
def test_every_model_without_a_network():
    """The catalogue that ships, beside the harvest that it was made from."""
    harvest = json.loads((DATA / "ipswme/latest_per_device_2026-08-22.json").read_text())
    sample = [one for one in harvest if one["identifier"].startswith(("iPhone", "iPad", "iPod"))]
    assert len(sample) == 175
    for one in sample[::1 if os.environ.get("IDR_SLOW") else 12]:
        result = ask("catalogue", product=one["identifier"], offline=True)
        assert result["ok"], result
        found = result["firmware"]
        assert (found["version"], found["build"], found["sha1"], found["size"]) == (
            one["version"], one["buildid"], one["sha1sum"], one["filesize"])
        assert found["url"].startswith("https://") and found["sources"] == "image"
