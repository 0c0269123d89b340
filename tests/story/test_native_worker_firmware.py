# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kind `fetch` against Apple's pretended servers, good and bad."""

import contextlib
import fcntl
import functools
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time

import pytest

from firmware_bed import (BASE, BUILD, MIB, VERSION, FirmwareWorker, World, ask,
                          assert_only_the_date_was_asked, make_ipsw, pathlib, refused)

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
    with World.running() as world:
        yield world


@pytest.fixture
def world(servers):
    servers.calm()
    return servers


def fetch(world, folder, hooks=None, **changes):
    return ask("fetch", hooks or world.hooks, firmware=world.firmware(**changes), folder=str(folder))


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place_of(world, folder, known="sha256"):
    """Where a fetched file lies: named by its hash."""
    return folder / f"{world.file.hashes[known]}.ipsw"


def assert_fetched(world, folder, result, known="sha256"):
    """The file lies there whole, under its hash, with a note and nothing else but a .bad."""
    assert result["ok"], result
    firmware = result["firmware"]
    path = place_of(world, folder, known)
    assert firmware["path"] == str(path) and firmware["verified"] is True and firmware["name"] == world.file.name
    assert (firmware["sha1"], firmware["sha256"]) == (world.file.hashes["sha1"], world.file.hashes["sha256"])
    assert sha256_of(path) == world.file.hashes["sha256"]
    names = {one.name for one in folder.iterdir()}
    assert names - {f"{path.name}.bad"} == {path.name, f"{path.name}.json"}


# --- fetch

def test_fetch(world, folder):
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    assert result["fetched"] == world.file.size == world.sent()
    assert set(worker.told()) == {"progress"}
    assert worker.events[-1]["done"] == worker.events[-1]["total"] == world.file.size
    assert worker.events[-1]["from"] == result["from"] == "updates.cdn-apple.com"
    assert_asked_once(world)


def assert_asked_once(world):
    """Ranges of 8 MiB at most, that do not overlap and are the whole file; the first one alone, bound to nothing."""
    entries = world.apple.firmware.record.entries()
    ranges = sorted(tuple(map(int, entry["range"].removeprefix("bytes=").split("-"))) for entry in entries)
    ends = [last + 1 for _, last in ranges]
    assert [first for first, _ in ranges] == [0] + ends[:-1] and ends[-1] == world.file.size
    assert all(last - first < 8 * MIB for first, last in ranges)
    assert entries[0]["range"] == f"bytes=0-{8 * MIB - 1}" and entries[0]["if_range"] is None
    assert {entry["if_range"] for entry in entries[1:]} == {world.file.etag}


NOTE = ("product", "version", "build", "name", "url", "size", "sha1", "sha256")


def test_the_note(world, folder):
    assert fetch(world, folder, sha256=None)["ok"]
    path = place_of(world, folder, "sha1")
    note = json.loads(pathlib.Path(f"{path}.json").read_text())
    assert {key: note[key] for key in NOTE} == {key: world.firmware()[key] for key in NOTE}
    assert (note["v"], note["verified"], note["verified_level"]) == (2, True, 1) and "path" not in note
    assert abs(note["verified_ms"] - time.time() * 1000) < 60000
    assert note["mtime_ms"] == path.stat().st_mtime_ns // 1000000


def test_progress_is_told_twice_a_second(world, folder):
    world.apple.firmware.behave("rate", bytes_per_second=3 * MIB)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        began = time.monotonic()
        assert_fetched(world, folder, worker.result())
        seconds = time.monotonic() - began
    assert 2 <= worker.told()["progress"] <= 2 * seconds + 2
    done = [event["done"] for event in worker.events]
    assert done == sorted(done)
    rates = [event["rate"] for event in worker.events if "rate" in event]
    assert rates and all(MIB < rate < 40 * MIB for rate in rates), rates
    assert worker.events[-1]["left_s"] == 0


@pytest.mark.parametrize("known", ["sha1", "sha256"])
def test_one_known_hash_is_enough(world, folder, known):
    unknown = {"sha1": "sha256", "sha256": "sha1"}[known]
    assert_fetched(world, folder, fetch(world, folder, **{unknown: None}), known)


def test_a_verified_file_costs_nothing(world, folder):
    assert_fetched(world, folder, fetch(world, folder))
    world.calm()
    again = fetch(world, folder)
    assert_fetched(world, folder, again)
    assert again["fetched"] == 0 and len(world.apple.firmware.record) == 0


def test_a_verified_file_is_hashed_if_asked_for(world, folder):
    assert_fetched(world, folder, fetch(world, folder))
    note = pathlib.Path(f"{place_of(world, folder)}.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"verified_ms": 1, "used_ms": 7, "verified_level": 3}))
    assert fetch(world, folder)["ok"] and json.loads(note.read_text())["verified_ms"] == 1
    result = ask("fetch", world.hooks, firmware=world.firmware(), folder=str(folder), rehash=True)
    assert_fetched(world, folder, result)
    told = json.loads(note.read_text())
    assert result["fetched"] == 0 and told["verified_ms"] > 1
    assert (told["used_ms"], told["verified_level"]) == (7, 3)  # others' fields stay


OLD_NOTE = ("sha1", "sha256", "size", "mtime_ms", "verified_ms")


@pytest.mark.parametrize("note", ["old note", "no note", "foreign note"])
def test_a_file_with_the_old_name_is_taken_over(world, folder, note):
    old, path = folder / world.file.name, place_of(world, folder)
    shutil.copy(world.path, old)
    facts = {**world.firmware(), "mtime_ms": old.stat().st_mtime_ns // 1000000, "verified_ms": 5, "v": 1}
    if note == "old note":
        (folder / f"{old.name}.json").write_text(json.dumps({key: facts[key] for key in (*OLD_NOTE, "v")}))
    elif note == "foreign note":
        (folder / f"{old.name}.json").write_text(json.dumps(world.firmware(verified=True)))
    result = fetch(world, folder)
    assert_fetched(world, folder, result)
    told = json.loads((folder / f"{path.name}.json").read_text())
    assert result["fetched"] == 0 and told["build"] == BUILD and (told["verified_ms"] == 5) == (note == "old note")


def test_names_by_either_hash_are_one_file(world, folder):
    assert_fetched(world, folder, fetch(world, folder, sha256=None), "sha1")
    assert_fetched(world, folder, fetch(world, folder))  # renamed
    again = fetch(world, folder, sha256=None)  # found by its note
    assert_fetched(world, folder, again)
    assert again["fetched"] == 0 and len(world.apple.firmware.record) > 0
    world.calm()
    with open(place_of(world, folder), "rb") as used:  # in use: it keeps its name
        os.rename(place_of(world, folder), folder / world.file.name)
        fcntl.flock(used, fcntl.LOCK_SH)
        result = fetch(world, folder)
    assert result["firmware"]["path"] == str(folder / world.file.name) and result["fetched"] == 0


def test_a_file_that_is_being_removed(world, folder):
    assert_fetched(world, folder, fetch(world, folder))
    with open(place_of(world, folder), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(fetch(world, folder), "busy", "removed")


@pytest.mark.parametrize("change", ["touched", "note lost", "note broken", "copied there"])
def test_a_file_without_a_note_that_fits_is_hashed(world, folder, change):
    path = place_of(world, folder)
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
    path = place_of(world, folder)
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
    "cut": ({"after": 3 * MIB, "times": 3}, {"retry"}, 7),
    "cut with a reset": ({"after": 5 * MIB, "times": 2, "reset": True}, {"retry"}, 6),
    "cut of every connection": ({"after": 3 * MIB}, {"retry"}, 10),
    "too_many_requests": ({"times": 2, "retry_after": 2}, {"retry"}, 6),
    "unavailable": ({"times": 1}, {"retry"}, 5),
    "http_500": ({"times": 1}, {"retry"}, 5),
    "close": ({"times": 2}, {"retry"}, 6),
    "html": ({"times": 1}, {"retry"}, 5),
    "captive_portal": ({"times": 1}, {"retry"}, 5),
    "encoded": ({"times": 1}, {"retry"}, 5),
    "wrong_length": ({"times": 1}, {"retry"}, 5),
    "range_not_satisfiable": ({"times": 1}, {"retry"}, 5),
    "wrong_range": ({"times": 1}, {"retry"}, 5),
    "wrong_content_range": ({"times": 1}, {"retry"}, 5),
    "no_ranges": ({}, set(), 1),
    "ignore_range": ({}, set(), 1),
    "no_length": ({}, set(), 4),
    "no_etag": ({}, set(), 4),
    "weak_etag": ({}, set(), 4),
    "redirect": ({}, set(), 5),
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


AFTER_A_START = {  # what a later request meets, and whether the first bytes are still of use
    "ignore_range": False, "no_ranges": False, "wrong_range": True, "wrong_content_range": True,
    "changed_etag": False, "range_not_satisfiable": False, "weak_etag": False, "no_etag": False, "html": True,
    "unavailable": True, "encoded": True, "close": True, "forbidden": True, "not_found": True,
}


@pytest.mark.parametrize("case", AFTER_A_START)
def test_a_connection_meets_another_server(world, folder, case):
    """The first answer is right; that of one other connection is not."""
    world.apple.firmware.behave(case, times=1, nth=3)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    kept = result["fetched"] == world.file.size
    assert kept or not AFTER_A_START[case], result["fetched"] - world.file.size
    if case in ("ignore_range", "no_ranges", "changed_etag", "range_not_satisfiable"):
        assert worker.told()["retry"] >= 1
    entries = world.apple.firmware.record.entries()
    assert entries[1]["if_range"] == entries[2]["if_range"] == world.file.etag


def test_a_file_that_changes_ever_again(world, folder):
    """Each range is of another version: that ends, with a text that says so."""
    for number in range(40):
        world.apple.firmware.behave("changed_etag", nth=number + 1, times=1, etag=f'"version:{number}"')
    refused(fetch(world, folder), "network", "another file")
    assert len(world.apple.firmware.record) < 40


def test_throttling_halves_the_connections(world, folder):
    """After 429s there are never more than half as many at once."""
    world.apple.firmware.behave("too_many_requests", times=1, nth=2, retry_after=1)
    world.apple.firmware.behave("too_many_requests", times=1, nth=3, retry_after=1)
    result = ask("fetch", world.hooks, firmware=world.firmware(), folder=str(folder), connections=2)
    assert_fetched(world, folder, result)
    connections = [entry["connection"] for entry in world.apple.firmware.record.entries()]
    assert len(set(connections[-2:])) == 1, connections


STOPS = {  # behaviour: (options, kind, words, most requests)
    "not_found": ({}, "network", ["does not give this firmware"], 1),
    "forbidden": ({}, "network", ["does not give this firmware"], 1),
    "html": ({}, "network", ["web page", "log in"], 3),
    "captive_portal": ({}, "network", [], 4),
    "wrong_length": ({}, "network", ["another part"], 3),
    "encoded": ({}, "network", ["changed form"], 3),
    "redirect foreign": ({"to": "foreign"}, "network", ["foreign place"], 4),
    "redirect http": ({"to": "http"}, "network", ["foreign place"], 4),
    "redirect loop": ({"to": "loop"}, "protocol", ["circle"], 16),
    "wrong_range": ({}, "network", ["another part"], 3),
}


@pytest.mark.parametrize("case", STOPS)
def test_fetch_gives_up(world, folder, case):
    options, kind, words, requests = STOPS[case]
    world.apple.firmware.behave(case.split()[0], **options)
    refused(fetch(world, folder), kind, *words)
    assert 1 <= len(world.apple.firmware.record) <= requests
    assert not place_of(world, folder).exists()


def test_slow_servers_are_left(world, folder):
    """Two at a time: each takes the thirty seconds after which a connection counts as dead; the others go on."""
    world.apple.firmware.behave("stall", after=5 * MIB, nth=2)
    world.apple.firmware.behave("slow_loris", times=1, nth=4)
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    fields = [{"firmware": world.firmware(), "folder": str(folder / name)} for name in "ab"]
    with FirmwareWorker("fetch", world.hooks, fields[0]) as one, FirmwareWorker("fetch", world.hooks, fields[1]) as two:
        results = [one.result(), two.result()]
    for name, result in zip("ab", results):
        assert_fetched(world, folder / name, result)
    assert one.told()["retry"] + two.told()["retry"] >= 1
    assert sum(result["fetched"] for result in results) == 2 * world.file.size  # only the slow ones were reopened


def mirror_of(world, folder, name, damage=None):
    """A shop's own server with the file under that name: (its process, its base URL)."""
    folder.mkdir()
    if name:
        shutil.copy(world.path, folder / name)
        if damage:
            with open(folder / name, "r+b") as file:
                file.seek(damage)
                file.write(b"damaged")
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A plain static server, without ranges."""

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


MIRRORS = {  # what it has: (name, damage, is it used, the reason that is told)
    "by hash": ("HASH", None, True, None),
    "by name": ("NAME", None, True, "does not give"),
    "nothing": (None, None, False, "does not give"),
    "wrong bytes": ("HASH", 1000, False, "checksum"),
}


@pytest.mark.parametrize("case", MIRRORS)
def test_a_shops_own_server(world, folder, case):
    name, damage, used, reason = MIRRORS[case]
    names = {"HASH": f"{world.file.hashes['sha256']}.ipsw", "NAME": world.file.name}
    server, url = mirror_of(world, folder / "shop", names.get(name), damage)
    (folder / "ours").mkdir()
    fields = {"firmware": world.firmware(), "folder": str(folder / "ours"), "mirror": f"{url}/"}
    try:
        with FirmwareWorker("fetch", world.hooks, fields) as worker:
            result = worker.result()
    finally:
        server.shutdown()
        server.server_close()
    assert_fetched(world, folder / "ours", result)
    assert result["from"] == ("127.0.0.1" if used else "updates.cdn-apple.com")
    assert (len(world.apple.firmware.record) == 0) == used
    reasons = [event["reason"] for event in worker.events if event["event"] == "retry"]
    assert bool(reasons) == bool(reason) and all(reason in text for text in reasons[-1:]), reasons


def test_a_shops_server_that_breaks_off(world, folder):
    """What it sent stays; Apple's server sends the rest."""
    port = world.apple.port("firmware", "http")
    world.apple.firmware.behave("http_500", where={"range": f"bytes={8 * MIB}-{16 * MIB - 1}"}, times=1)
    mirror = f"http://127.0.0.1:{port}{world.file.url_path}".rsplit("/", 1)[0]
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder), "mirror": mirror,
                                               "connections": 1}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    assert result["fetched"] == world.file.size and result["from"] == "updates.cdn-apple.com"
    assert worker.told()["retry"] == 2  # not there under its hash; out of order


def test_a_shops_server_that_is_off(world, folder):
    result = ask("fetch", world.hooks, firmware=world.firmware(), folder=str(folder), mirror="http://127.0.0.1:1/x")
    assert_fetched(world, folder, result)


@pytest.mark.parametrize("scheme", ["expired", "wrong_host", "self_signed"])
def test_fetch_with_bad_certificates(world, folder, scheme):
    refused(fetch(world, folder, world.hooks_to(firmware=scheme)), "network")
    assert_only_the_date_was_asked(world.apple.firmware)


def test_wrong_bytes_once(world, folder):
    world.apple.firmware.behave("corrupt", at=9 * MIB, times=1, where={"range": f"bytes={8 * MIB}-{16 * MIB - 1}"})
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        result = worker.result()
    assert_fetched(world, folder, result)
    assert result["fetched"] == 2 * world.file.size and worker.told()["retry"] == 1
    assert (folder / f"{place_of(world, folder).name}.bad").exists()


def test_wrong_bytes_always(world, folder):
    world.apple.firmware.behave("corrupt", at=world.file.size // 2)
    refused(fetch(world, folder), "bad-file", "checksum")
    assert {one.name for one in folder.iterdir()} == {f"{place_of(world, folder).name}.bad"}


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
    world.apple.firmware.behave("rate", times=1, bytes_per_second=4 * MIB)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        worker.event("progress")
        refused(fetch(world, folder), "busy", "another download")
        assert_fetched(world, folder, worker.result())


@pytest.mark.parametrize("how", ["hang up", "SIGTERM"])
def test_left_by_the_service(world, folder, how):
    """It ends soon, and every byte that came is kept."""
    world.apple.firmware.behave("rate", bytes_per_second=MIB)
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder)}) as worker:
        while worker.event("progress")["done"] == 0:
            pass
        if how == "hang up":
            worker.socket.close()
        else:
            worker.process.terminate()
        assert worker.process.wait(5) == (1 if how == "hang up" else -signal.SIGTERM)  # all of it would take 8 s
    part = place_of(world, folder).with_suffix(".ipsw.part")
    kept = json.loads(part.with_suffix(".part.json").read_text())["committed"]
    assert 0 < kept == part.stat().st_size
    world.apple.firmware.behave_normally()
    result = fetch(world, folder)
    assert_fetched(world, folder, result)
    assert result["fetched"] == world.file.size - kept


@pytest.mark.parametrize("fields", [{"connections": 0}, {"connections": 9}, {"mirror": "ftp://shop/x"},
                                    {"mirror": "http://shop/x?y"}, {"mirror": "http://user@shop"}, {"rehash": 1}])
def test_bad_settings_of_a_fetch(world, folder, fields):
    refused(ask("fetch", world.hooks, firmware=world.firmware(), folder=str(folder), **fields), "usage")


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
    world.apple.firmware.behave("rate", bytes_per_second=2 * MIB)
    refused(fetch_mounted(world, folder, "size=64M", TMPFS_FILLED), "no-space", "became full", str(folder))
    assert 0 < world.sent() < world.file.size


def test_read_only(world, folder):
    refused(fetch_mounted(world, folder, "size=64M,ro"), "no-space", "read-only", str(folder))
    assert len(world.apple.firmware.record) == 0


def test_a_folder_that_vanishes(world, folder):
    world.apple.firmware.behave("rate", bytes_per_second=2 * MIB)
    (folder / "x").mkdir()
    with FirmwareWorker("fetch", world.hooks, {"firmware": world.firmware(), "folder": str(folder / "x")}) as worker:
        worker.event("progress")
        shutil.rmtree(folder / "x")
        refused(worker.result(), "no-space", "is gone", str(folder / "x"))


# --- kill -9

@pytest.fixture(scope="module")
def large(servers):
    """A world of its own with a file of some segments."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as path:
        path = pathlib.Path(path)
        world = World.__new__(World)
        world.folder = path
        world.path = make_ipsw(path / "b.ipsw", image_bytes=150 * MIB, sparse=True, version=VERSION)
        world.apple = servers.apple
        world.file = servers.apple.register(world.path, name=f"large_{BUILD}_Restore.ipsw")
        world.hooks = servers.hooks
        yield world


def test_a_connection_that_holds_up_all(world, large, folder):
    """The window is full but for its bytes: it is opened anew long before it would count as dead."""
    world.apple.firmware.behave("stall", after=MIB, nth=2)
    began = time.monotonic()
    with FirmwareWorker("fetch", large.hooks, fields_of(large, folder)) as worker:
        result = worker.result()
    assert_fetched(large, folder, result)
    assert time.monotonic() - began < 25 and result["fetched"] == large.file.size
    assert "held up all others" in [event["reason"] for event in worker.events if event["event"] == "retry"][0]


def test_more_than_the_window_over_one_connection(world, large, folder):
    world.apple.firmware.behave("no_ranges")
    result = ask("fetch", large.hooks, **fields_of(large, folder))
    assert_fetched(large, folder, result)
    assert len(world.apple.firmware.record) == 1


def fields_of(large, folder):
    return {"firmware": large.firmware(), "folder": str(folder)}


def part_of(large, folder):
    return folder / f"{place_of(large, folder).name}.part"


def state_of(large, folder):
    return folder / f"{place_of(large, folder).name}.part.json"


def committed(large, folder):
    state = state_of(large, folder)
    return json.loads(state.read_text())["committed"] if state.exists() else 0


def kill_committed(large, folder, size):
    """A fetch that is killed once so much is committed, before it is whole."""
    large.apple.firmware.behave("rate", bytes_per_second=8 * MIB)
    with FirmwareWorker("fetch", large.hooks, fields_of(large, folder)) as worker:
        end = time.monotonic() + STILL
        while committed(large, folder) < size and worker.process.poll() is None:
            assert time.monotonic() < end
            worker.event("progress")
        worker.kill()
    large.apple.firmware.behave_normally()


def kill_at(large, folder, size):
    """A fetch that is killed once its part has so many bytes (or its file is there)."""
    part = part_of(large, folder)
    with FirmwareWorker("fetch", large.hooks, fields_of(large, folder)) as worker:
        end = time.monotonic() + STILL
        while worker.process.poll() is None:
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_size >= size:
                    break
            assert time.monotonic() < end
        worker.kill()


@pytest.mark.parametrize("number", range(50 if os.environ.get("IDR_SLOW") else 6))
def test_killed_and_resumed(world, large, folder, number):
    """Whenever it is killed: the hash is right at the end, and 128 MiB at most came twice."""
    chance = random.Random(SEED * 1000 + number)
    kill_at(large, folder, chance.randrange(large.file.size))
    came = large.sent()
    kept = 0 if place_of(large, folder).exists() else committed(large, folder)
    with FirmwareWorker("fetch", large.hooks, fields_of(large, folder)) as worker:
        result = worker.result()
    assert_fetched(large, folder, result)
    if result["fetched"]:
        assert result["fetched"] == large.file.size - kept
    assert came + result["fetched"] <= large.file.size + 128 * MIB
    if kept and result["fetched"]:
        assert [event["done"] for event in worker.events if event["event"] == "resumed"] == [kept]


def test_an_old_part_is_taken_over(world, large, folder):
    kill_committed(large, folder, SEGMENT)
    kept = committed(large, folder)
    state = json.loads(state_of(large, folder).read_text())
    del state["from"]  # as versions before this one wrote it
    (folder / f"{large.file.name}.part.json").write_text(json.dumps(state))
    state_of(large, folder).unlink()
    part_of(large, folder).rename(folder / f"{large.file.name}.part")
    result = ask("fetch", large.hooks, **fields_of(large, folder))
    assert_fetched(large, folder, result)
    assert kept > 0 and result["fetched"] == large.file.size - kept


@pytest.mark.parametrize("harm", ["second segment", "first byte", "shorter", "state lost", "state of another file"])
def test_what_lies_there_is_not_believed(world, large, folder, harm):
    part, state = part_of(large, folder), state_of(large, folder)
    kill_committed(large, folder, SEGMENT)
    world.calm()
    reached = committed(large, folder)
    assert SEGMENT <= reached < large.file.size
    with open(part, "r+b") as file:
        if harm == "shorter":
            file.truncate(SEGMENT + min(MIB, reached - SEGMENT))
        elif harm in ("second segment", "first byte"):
            file.seek(0 if harm == "first byte" else SEGMENT)
            byte = file.read(1) or b"\0"
            file.seek(0 if harm == "first byte" else SEGMENT)
            file.write(bytes([byte[0] ^ 1]))
    if harm == "state lost":
        state.unlink()
    elif harm == "state of another file":
        state.write_text(json.dumps(json.loads(state.read_text()) | {"sha1": "0" * 40}))
    result = ask("fetch", large.hooks, **fields_of(large, folder))
    assert_fetched(large, folder, result)
    kept = SEGMENT if harm in ("second segment", "shorter") else 0
    assert result["fetched"] == large.file.size - kept, reached


def test_the_file_changed_between_two_runs(world, large, folder):
    kill_committed(large, folder, SEGMENT)
    assert committed(large, folder) > 0
    world.calm()
    world.apple.firmware.behave("changed_etag")
    result = ask("fetch", large.hooks, **fields_of(large, folder))
    assert_fetched(large, folder, result)
    assert result["fetched"] == large.file.size
