# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kinds `catalogue` and `fetch` against Apple's pretended servers, good and bad."""

import hashlib
import json
import os
import random
import shutil
import tempfile
import time

import pytest

from firmware_bed import (BASE, BUILD, MIB, PRODUCT, VERSION, FirmwareWorker, World, ask, make_ipsw, pathlib, refused)

SEED = int(os.environ.get("IDR_SEED", "1"))
SEGMENT = 64 * MIB
STILL = 20  # seconds that nothing here takes
TMPFS = 'mount -t tmpfs -o "$1" none "$0" && shift && exec "$@"'
# fills the file system once the download has begun
TMPFS_FILLED = ('mount -t tmpfs -o "$1" none "$0" && shift && '
                '{ (until [ -n "$(find "$0" -name "*.part" -size +100k)" ]; do :; done; '
                'cat /dev/zero >"$0/fill") <&- >&- 2>&- & exec "$@"; }')


@pytest.fixture(scope="module")
def servers():
    with tempfile.TemporaryDirectory(prefix="f", dir="/tmp") as folder:
        world = World(pathlib.Path(folder)).start()
        yield world
        world.apple.stop()


@pytest.fixture
def world(servers):
    servers.calm()
    yield servers
    servers.calm()


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as path:
        yield pathlib.Path(path)


def catalogue(world, hooks=None, **fields):
    return ask("catalogue", hooks or world.hooks, **{"product": PRODUCT, **fields})


def fetch(world, folder, hooks=None, **changes):
    return ask("fetch", hooks or world.hooks, firmware=world.firmware(**changes), folder=str(folder))


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def assert_fetched(world, folder, result):
    """The file lies there whole, under its name, with a note and nothing else but a .bad."""
    assert result["ok"], result
    firmware = result["firmware"]
    path = folder / world.file.name
    assert firmware["path"] == str(path) and firmware["verified"] is True
    assert (firmware["sha1"], firmware["sha256"]) == (world.file.hashes["sha1"], world.file.hashes["sha256"])
    assert sha256_of(path) == world.file.hashes["sha256"]
    names = {one.name for one in folder.iterdir()}
    assert names - {f"{path.name}.bad"} == {path.name, f"{path.name}.json"}


# --- catalogue

def assert_found(world, result):
    assert result["ok"], result
    expected = {key: world.firmware()[key] for key in ("product", "version", "build", "name", "url", "size", "sha1")}
    found = result["firmware"]
    assert {key: found[key] for key in expected} == expected and found["verified"] is False


def test_catalogue_tells_the_firmware(world):
    result = catalogue(world)
    assert_found(world, result)
    assert result["firmware"]["sha256"] == world.file.hashes["sha256"]
    asked = [entry["source"] for entry in world.apple.catalogue.record.entries()]
    assert sorted(asked) == ["apple", "ipswme"]
    assert all("idevicerescue/" in entry["user_agent"] for entry in world.apple.catalogue.record.entries())


def test_catalogue_tells_a_build(world):
    assert_found(world, catalogue(world, build=BUILD))
    refused(catalogue(world, build="22C151"), "unsupported", "22C151")


def test_catalogue_of_an_unknown_product(world):
    refused(catalogue(world, product="iPhone99,9"), "unsupported", "iPhone99,9", "IPSW file")


@pytest.mark.parametrize("source", ["ipswme", "apple"])
@pytest.mark.parametrize("behaviour", ["http_500", "html", "truncated", "null", "invalid", "rate_limited", "empty",
                                       "close", "hostile_url", "no_hashes"])
def test_one_bad_source_is_not_missed(world, source, behaviour):
    world.apple.catalogue.behave(behaviour, where={"source": source})
    assert_found(world, catalogue(world))


def test_a_silent_source_costs_ten_seconds(world):
    world.apple.catalogue.behave("silence", where={"source": "apple"})
    began = time.monotonic()
    assert_found(world, catalogue(world))
    assert 9 < time.monotonic() - began < STILL


@pytest.mark.parametrize("behaviour, kind", [
    ("http_500", "network"), ("html", "network"), ("close", "network"), ("rate_limited", "network"),
    ("truncated", "protocol"), ("null", "protocol"), ("invalid", "protocol"), ("hostile_url", "protocol"),
    ("no_hashes", "protocol")])
def test_two_bad_sources(world, behaviour, kind):
    world.apple.catalogue.behave(behaviour)
    refused(catalogue(world), kind)


def test_sources_that_disagree(world):
    world.apple.catalogue.behave("hostile_hash", where={"source": "apple"})
    refused(catalogue(world), "protocol", "sources disagree", BUILD)


def test_absurd_size_of_one_source(world):
    world.apple.catalogue.behave("hostile_size", where={"source": "ipswme"})
    assert_found(world, catalogue(world))  # its host tells the size
    assert world.sent() <= 1


def test_answer_for_another_model(world):
    world.apple.catalogue.behave("other_device", where={"source": "ipswme"})
    assert_found(world, catalogue(world))


def test_what_others_say_of_signing_does_not_count(world):
    world.apple.catalogue.behave("unsigned")
    assert_found(world, catalogue(world))


def assert_only_the_date_was_asked(service):
    """Without proof of who answers nothing is asked but what time it is, if the certificate's dates are at odds."""
    asked = {(entry["method"], entry["path"]) for entry in service.record.entries()}
    assert asked <= {("HEAD", "/")}, asked


@pytest.mark.parametrize("scheme", ["expired", "not_yet_valid", "wrong_host", "self_signed", "no_chain", "old_tls"])
def test_bad_certificates(world, scheme):
    error = refused(catalogue(world, world.hooks_to(catalogue=scheme)), "network")
    assert_only_the_date_was_asked(world.apple.catalogue)
    if scheme in ("expired", "not_yet_valid"):
        assert "clock" not in error["text"] and "certificate" in error["text"]


def test_without_the_hook_test_authorities_are_nobody(world):
    refused(catalogue(world, world.hooks_to(ca=False)), "network", "api.ipsw.me")
    assert len(world.apple.catalogue.record) == 0


def test_no_way_to_the_servers(world):
    hooks = world.hooks_to(name="closed")
    (hooks / "idevicerescue.hosts").write_text("api.ipsw.me:443 127.0.0.1:1\ns.mzstatic.com:443 127.0.0.1:1\n")
    refused(catalogue(world, hooks), "network", "cannot be reached")
    (hooks / "idevicerescue.hosts").write_text("api.ipsw.me:443 nowhere.invalid:1\ns.mzstatic.com:443 127.0.0.1:1\n")
    refused(catalogue(world, hooks), "network", "cannot be found", "cable or wi-fi")


@pytest.mark.parametrize("fields", [{}, {"product": "iPhone14,5/.."}, {"product": 7}, {"product": PRODUCT, "x": 1},
                                    {"product": PRODUCT, "build": "23A5260n"}])
def test_bad_requests_for_a_catalogue(fields):
    refused(ask("catalogue", **fields), "usage")


def test_a_broken_host_map_is_not_passed_over(world, folder):
    (folder / "idevicerescue.hosts").write_text("api.ipsw.me somewhere\n")
    refused(catalogue(world, folder), "bug", "host map")


# --- fetch

def test_fetch(world, folder):
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    assert result["fetched"] == world.file.size == world.sent()
    assert set(worker.told()) == {"progress"}
    assert worker.events[-1]["done"] == worker.events[-1]["total"] == world.file.size
    assert len(world.apple.firmware.record) == 1


def test_progress_is_told_twice_a_second(world, folder):
    world.apple.firmware.behave("rate", bytes_per_second=12 * MIB)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        began = time.monotonic()
        assert_fetched(world, folder, worker.result())
        seconds = time.monotonic() - began
    assert 2 <= worker.told()["progress"] <= 2 * seconds + 2
    done = [event["done"] for event in worker.events]
    assert done == sorted(done)


@pytest.mark.parametrize("known", ["sha1", "sha256"])
def test_one_known_hash_is_enough(world, folder, known):
    unknown = {"sha1": "sha256", "sha256": "sha1"}[known]
    assert_fetched(world, folder, fetch(world, folder, **{unknown: None}))


def test_a_verified_file_costs_nothing(world, folder):
    assert_fetched(world, folder, fetch(world, folder))
    world.calm()
    again = fetch(world, folder)
    assert_fetched(world, folder, again)
    assert again["fetched"] == 0 and len(world.apple.firmware.record) == 0


@pytest.mark.parametrize("change", ["touched", "note lost", "note broken", "copied there"])
def test_a_file_without_a_note_that_fits_is_hashed(world, folder, change):
    path = folder / world.file.name
    note = folder / f"{path.name}.json"
    shutil.copy(world.path, path)
    if change != "copied there":
        assert fetch(world, folder)["fetched"] == 0
    if change == "touched":
        os.utime(path, (1, 1))
    elif change == "note lost":
        note.unlink()
    elif change == "note broken":
        note.write_text('{"v":1')
    result = fetch(world, folder)
    assert_fetched(world, folder, result)
    assert result["fetched"] == 0
    assert json.loads(note.read_text())["mtime_ms"] == path.stat().st_mtime_ns // 1000000


@pytest.mark.parametrize("harm", ["flipped", "short", "long"])
def test_a_damaged_file_is_set_aside(world, folder, harm):
    path = folder / world.file.name
    assert_fetched(world, folder, fetch(world, folder))
    with open(path, "r+b") as file:
        if harm == "flipped":
            file.seek(world.file.size // 2)
            file.write(b"\0" * 64)
        else:
            file.truncate(world.file.size + (-1 if harm == "short" else 1))
    os.utime(path, (1, 1))
    result = fetch(world, folder)
    assert_fetched(world, folder, result)
    assert result["fetched"] == world.file.size
    assert (folder / f"{path.name}.bad").exists()


GETS_THROUGH = {  # behaviour: (options, events told, at least so many requests)
    "cut": ({"after": 9 * MIB, "times": 3}, {"retry"}, 4),
    "cut with a reset": ({"after": 9 * MIB, "times": 2, "reset": True}, {"retry"}, 3),
    "too_many_requests": ({"times": 2, "retry_after": 2}, {"retry"}, 3),
    "unavailable": ({"times": 1}, {"retry"}, 2),
    "http_500": ({"times": 1}, {"retry"}, 2),
    "close": ({"times": 2}, {"retry"}, 3),
    "html": ({"times": 1}, {"retry"}, 2),
    "captive_portal": ({"times": 1}, {"retry"}, 2),
    "encoded": ({"times": 1}, {"retry"}, 2),
    "wrong_length": ({"times": 1}, {"retry"}, 2),
    "range_not_satisfiable": ({"times": 1}, {"retry"}, 2),
    "no_length": ({}, set(), 1),
    "no_etag": ({}, set(), 1),
    "weak_etag": ({}, set(), 1),
    "redirect": ({}, set(), 2),
}


@pytest.mark.parametrize("case", GETS_THROUGH)
def test_fetch_gets_through(world, folder, case):
    options, told, requests = GETS_THROUGH[case]
    world.apple.firmware.behave(case.split()[0], **options)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    assert set(worker.told()) - {"progress"} == told, worker.events
    assert len(world.apple.firmware.record) >= requests


AFTER_A_CUT = {  # what the second request meets, and whether the first bytes are still of use
    "ignore_range": False, "no_ranges": False, "wrong_range": True, "wrong_content_range": True,
    "changed_etag": False, "range_not_satisfiable": False, "weak_etag": False, "no_etag": False,
}


@pytest.mark.parametrize("case", AFTER_A_CUT)
def test_fetch_goes_on_after_a_cut(world, folder, case):
    world.apple.firmware.behave("cut", after=9 * MIB, nth=1)
    world.apple.firmware.behave(case, times=1, nth=2)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    kept = result["fetched"] < world.file.size + 8 * MIB
    assert kept == AFTER_A_CUT[case], result["fetched"] - world.file.size
    ranges = [entry["range"] for entry in world.apple.firmware.record.entries()]
    assert ranges[0] is None and ranges[1].startswith("bytes=") and ranges[1].endswith("-")
    assert world.apple.firmware.record.entries()[1]["if_range"] == world.file.etag


STOPS = {  # behaviour: (options, kind, words, most requests)
    "not_found": ({}, "network", ["does not give this firmware"], 1),
    "forbidden": ({}, "network", ["does not give this firmware"], 1),
    "html": ({}, "network", ["web page", "log in"], 3),
    "captive_portal": ({}, "network", [], 4),
    "wrong_length": ({}, "network", ["another size"], 3),
    "encoded": ({}, "network", ["changed form"], 3),
    "redirect foreign": ({"to": "foreign"}, "network", ["foreign place"], 4),
    "redirect http": ({"to": "http"}, "network", ["foreign place"], 4),
    "redirect loop": ({"to": "loop"}, "protocol", ["circle"], 16),
}


@pytest.mark.parametrize("case", STOPS)
def test_fetch_gives_up(world, folder, case):
    options, kind, words, requests = STOPS[case]
    world.apple.firmware.behave(case.split()[0], **options)
    refused(fetch(world, folder), kind, *words)
    assert 1 <= len(world.apple.firmware.record) <= requests
    assert not (folder / world.file.name).exists()


def test_slow_servers_are_left(world, folder):
    """Two at a time: each takes the thirty seconds after which a connection counts as dead."""
    world.apple.firmware.behave("stall", after=5 * MIB, nth=1)
    world.apple.firmware.behave("slow_loris", times=1, nth=2)
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    fields = [{"firmware": world.firmware(), "folder": str(folder / name)} for name in "ab"]
    with FirmwareWorker("fetch", world.hooks, fields[0]) as one, FirmwareWorker("fetch", world.hooks, fields[1]) as two:
        for worker, name in ((one, "a"), (two, "b")):
            assert_fetched(world, folder / name, worker.result())
            assert worker.told()["retry"] == 1


@pytest.mark.parametrize("scheme", ["expired", "wrong_host", "self_signed"])
def test_fetch_with_bad_certificates(world, folder, scheme):
    refused(fetch(world, folder, world.hooks_to(firmware=scheme)), "network")
    assert_only_the_date_was_asked(world.apple.firmware)


def test_wrong_bytes_once(world, folder):
    world.apple.firmware.behave("corrupt", at=world.file.size // 2, times=1)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    assert result["fetched"] == 2 * world.file.size and worker.told()["retry"] == 1
    assert (folder / f"{world.file.name}.bad").exists()


def test_wrong_bytes_always(world, folder):
    world.apple.firmware.behave("corrupt", at=world.file.size // 2)
    refused(fetch(world, folder), "bad-file", "checksum")
    assert {one.name for one in folder.iterdir()} == {f"{world.file.name}.bad"}


@pytest.mark.parametrize("changes", [{"url": "https://evil.example/x_Restore.ipsw"}, {"url": None}, {"size": None},
                                     {"sha1": None, "sha256": None}, {"sha1": "12"}, {"size": -1}, {"colour": "red"},
                                     {"url": BASE + "/../x_Restore.ipsw"}, {"size": 1 << 62}])
def test_bad_requests_for_a_fetch(world, folder, changes):
    refused(fetch(world, folder, **changes), "usage")
    assert list(folder.iterdir()) == []


def test_folders_that_are_none(world, folder):
    refused(fetch(world, "relative"), "usage", "folder")
    refused(fetch(world, folder / "missing"), "no-space", "cannot be used")


def test_two_fetches_of_one_file(world, folder):
    world.apple.firmware.behave("rate", times=1, bytes_per_second=10 * MIB)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        worker.event("progress")
        refused(fetch(world, folder), "busy", "another download")
        assert_fetched(world, folder, worker.result())


def test_the_service_hangs_up(world, folder):
    world.apple.firmware.behave("rate", bytes_per_second=MIB)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        worker.event("progress")
        worker.socket.close()
        assert worker.process.wait(5) == 1


# --- room

def mounted(folder, options, script=TMPFS):
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(folder), options]


def fetch_mounted(world, folder, options, script=TMPFS):
    fields = {"firmware": world.firmware(), "folder": str(folder)}
    with FirmwareWorker("fetch", world.hooks, fields, wrap=mounted(folder, options, script)) as worker:
        return worker.result()


def test_no_room(world, folder):
    refused(fetch_mounted(world, folder, "size=8M"), "no-space", "29.8 MB more", "8.4 MB are free", str(folder))
    assert len(world.apple.firmware.record) == 0


def test_room_that_goes_away(world, folder):
    world.apple.firmware.behave("rate", bytes_per_second=8 * MIB)
    refused(fetch_mounted(world, folder, "size=64M", TMPFS_FILLED), "no-space", "became full", str(folder))
    assert 0 < world.sent() < world.file.size


def test_read_only(world, folder):
    refused(fetch_mounted(world, folder, "size=64M,ro"), "no-space", "read-only", str(folder))
    assert len(world.apple.firmware.record) == 0


# --- kill -9

@pytest.fixture(scope="module")
def large(servers):
    """A world of its own with a file of some segments."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as path:
        path = pathlib.Path(path)
        world = World.__new__(World)
        world.folder = path
        world.path = make_ipsw(path / "b.ipsw", image_bytes=200 * MIB, sparse=True, version=VERSION)
        world.apple = servers.apple
        world.file = servers.apple.register(world.path, name=f"large_{BUILD}_Restore.ipsw")
        world.hooks = servers.hooks
        yield world


def fields_of(large, folder):
    return {"firmware": large.firmware(), "folder": str(folder)}


def kill_at(large, folder, size):
    """A fetch that is killed once its part has so many bytes (or its file is there)."""
    part = folder / f"{large.file.name}.part"
    with FirmwareWorker("fetch", large.hooks, fields_of(large, folder)) as worker:
        end = time.monotonic() + STILL
        while not (part.exists() and part.stat().st_size >= size) and worker.process.poll() is None:
            assert time.monotonic() < end
        worker.kill()


@pytest.mark.parametrize("number", range(6))
def test_killed_and_resumed(world, large, folder, number):
    chance = random.Random(SEED * 1000 + number)
    reached = 0
    for _ in range(3):
        size = chance.randrange(large.file.size)
        kill_at(large, folder, size)
        reached = max(reached, size)
    world.calm()
    with FirmwareWorker("fetch", large.hooks, fields_of(large, folder)) as worker:
        result = worker.result()
    assert_fetched(large, folder, result)
    if reached > SEGMENT and result["fetched"]:
        assert result["fetched"] <= large.file.size - SEGMENT
        assert worker.told()["resumed"] == 1
        assert [event["done"] for event in worker.events if event["event"] == "resumed"][0] >= SEGMENT


@pytest.mark.parametrize("harm", ["second segment", "first byte", "shorter", "state lost", "state of another file"])
def test_what_lies_there_is_not_believed(world, large, folder, harm):
    part, state = folder / f"{large.file.name}.part", folder / f"{large.file.name}.part.json"
    kill_at(large, folder, 2 * SEGMENT + MIB)
    world.calm()
    with open(part, "r+b") as file:
        if harm == "shorter":
            file.truncate(SEGMENT + MIB)
        elif harm in ("second segment", "first byte"):
            file.seek(0 if harm == "first byte" else SEGMENT + SEGMENT // 2)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte[0] ^ 1]))
    if harm == "state lost":
        state.unlink()
    elif harm == "state of another file":
        state.write_text(json.dumps(json.loads(state.read_text()) | {"sha1": "0" * 40}))
    result = ask("fetch", large.hooks, **fields_of(large, folder))
    assert_fetched(large, folder, result)
    kept = SEGMENT if harm in ("second segment", "shorter") else 0
    assert result["fetched"] == large.file.size - kept


def test_the_file_changed_between_two_runs(world, large, folder):
    kill_at(large, folder, SEGMENT + MIB)
    world.calm()
    world.apple.firmware.behave("changed_etag")
    result = ask("fetch", large.hooks, **fields_of(large, folder))
    assert_fetched(large, folder, result)
    assert result["fetched"] == large.file.size
