# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairing records that are kept: the worker `record` on folders with a real record in them, and `trust keep` with the
service. What counts as a lasting place natively is a disk; memory does not."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from native_service import BUILD, TREE, Service, until
from simphone import ENVIRONMENT, SimPhone
from worker_bed import failure, work

IDENTITY = "SystemConfiguration.plist"
OTHER_UDID = "00008110-000000000000001E"
HALF = b"<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>HostID</key><str"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """(name, record, identity): what usbmuxd stores of a phone that idevicepair was let pair with."""
    folder = tmp_path_factory.mktemp("paired")
    with SimPhone(folder, "iphone13", libusb=True) as phone:
        phone.run("idevicepair", "pair")
        phone.control("trust")
        assert phone.run("idevicepair", "pair").returncode == 0
        name = f"{phone.udid}.plist"
        identity = phone.records / IDENTITY
        return name, (phone.records / name).read_bytes(), identity.read_bytes() if identity.exists() else (
            b'<?xml version="1.0"?><plist version="1.0"><dict><key>SystemBUID</key><string>A-B</string></dict></plist>')


class Store:
    """usbmuxd's folder and a place for the copy, with the record in the first."""

    def __init__(self, folder, record):
        self.name, self.record, self.identity = record
        self.udid = self.name.removesuffix(".plist")
        self.folder, self.copy = folder / "lockdown", folder / "data" / "pairings"
        self.folder.mkdir(parents=True)
        self.copy.parent.mkdir()
        self.put(self.name, self.record)
        self.put(IDENTITY, self.identity)

    def put(self, name, content):
        (self.folder / name).write_bytes(content)

    def work(self, action, **fields):
        if "folder" not in fields:
            fields["folder"] = str(self.copy)
        return work("record", {**ENVIRONMENT, "IDEVICERESCUE_LOCKDOWN": str(self.folder),
                               "USBMUXD_SOCKET_ADDRESS": f"UNIX:{self.folder}/none"}, action=action, **fields)

    def empty(self):
        for path in self.folder.iterdir():
            path.unlink()

    def copied(self):
        return {path.name for path in self.copy.iterdir()}


@pytest.fixture()
def store(tmp_path, record):
    return Store(tmp_path, record)


def answer(result, **expected):
    assert result == {"ok": True, **expected}


def test_keep_and_load(store):
    answer(store.work("list"), records=[{"udid": store.udid, "broken": False}], kept=False, copies=0)
    answer(store.work("keep"), copies=1, written=2)
    assert store.copied() == {store.name, IDENTITY, "kept.json"}
    assert (store.copy / store.name).read_bytes() == store.record
    answer(store.work("keep"), copies=1, written=0)  # nothing new: nothing is written
    answer(store.work("list"), records=[{"udid": store.udid, "broken": False}], kept=True, copies=1)
    store.empty()  # the power was off
    answer(store.work("load"), loaded=1)
    assert (store.folder / store.name).read_bytes() == store.record
    assert (store.folder / IDENTITY).read_bytes() == store.identity
    answer(store.work("unkeep"), removed=1)
    assert not store.copy.exists()
    answer(store.work("unkeep"), removed=0)
    answer(store.work("load"), loaded=0)


def test_what_is_new_is_never_replaced_by_what_is_old(store):
    store.work("keep")
    store.empty()
    store.put(f"{OTHER_UDID}.plist", store.record)  # paired before the stick was read
    answer(store.work("load"), loaded=0)
    assert not (store.folder / store.name).exists()
    # and what only the copy has is not lost by it
    answer(store.work("keep"), copies=2, written=1)
    assert {store.name, f"{OTHER_UDID}.plist"} <= store.copied()


def test_half_a_copy_is_none(store):
    store.work("keep")
    (store.copy / "kept.json").unlink()  # the power failed before the end of the first copy
    store.empty()
    answer(store.work("list"), records=[], kept=False, copies=1)
    answer(store.work("load"), loaded=0)
    assert list(store.folder.iterdir()) == []


def test_broken_records(store):
    store.work("keep")
    store.put(store.name, HALF)
    answer(store.work("list"), records=[{"udid": store.udid, "broken": True}], kept=True, copies=1)
    answer(store.work("keep"), copies=1, written=0)  # never over a good one
    assert (store.copy / store.name).read_bytes() == store.record
    # a copy that broke on the stick is not loaded, and an identity that is none neither
    (store.copy / f"{OTHER_UDID}.plist").write_bytes(HALF)
    (store.copy / IDENTITY).write_bytes(b"\0" * 100)
    store.empty()
    answer(store.work("load"), loaded=1)
    assert [path.name for path in store.folder.iterdir()] == [store.name]


def test_foreign_files_stay(store):
    store.copy.mkdir()
    (store.copy / "notes.txt").write_text("mine")
    (store.copy / "folder.plist").mkdir()
    outside = store.copy.parent / "outside"
    outside.write_bytes(store.record)
    (store.copy / f"{OTHER_UDID}.plist").symlink_to(outside)
    store.put("notes.plist.bak", b"x")
    answer(store.work("keep"), copies=1, written=2)
    assert "notes.plist.bak" not in store.copied()
    store.empty()
    answer(store.work("load"), loaded=1)  # no link is followed
    answer(store.work("unkeep"), removed=1)
    assert store.copied() == {"notes.txt", "folder.plist", f"{OTHER_UDID}.plist"} and outside.exists()


def test_who_forgets_forgets_the_copy(store):
    store.put(f"{OTHER_UDID}.plist", store.record)
    store.work("keep")
    # usbmuxd is not there: the copy is forgotten all the same, so that it does not come back
    assert failure(store.work("forget", udid=store.udid))[0] == "no-service"
    assert store.name not in store.copied() and f"{OTHER_UDID}.plist" in store.copied()
    answer(store.work("forget-store"), forgotten=2)
    assert store.copied() == {"kept.json"}
    assert list(store.folder.iterdir()) == []


def test_bad_requests(store):
    for fields in ({"action": "keep", "folder": "relative"}, {"action": "keep", "udid": store.udid},
                   {"action": "copy"}, {"action": "load", "folder": 7}):
        assert failure(store.work(**fields))[0] == "usage", fields
    assert failure(work("record", ENVIRONMENT, action="unkeep"))[0] == "usage"
    assert failure(store.work("keep", folder=str(store.copy / "no" / "parent")))[0] == "refused"


SMALL = 'mount -t tmpfs -o "$1" none "$0" && shift && exec "$@"'


def on_small_disk(store, options, before=""):
    """The answer of `keep` when the copy lies on a disk of its own, after `before`; and what is on it then."""
    request = json.dumps({"v": 1, "type": "request", "kind": "record", "action": "keep", "folder": str(store.copy)})
    script = f'{before}\necho \'{request}\' | {BUILD}/idevicerescue-worker record; ls "{store.copy}"'
    done = subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", SMALL, str(store.copy.parent), options,
                           "sh", "-c", script], env={**ENVIRONMENT, "IDEVICERESCUE_LOCKDOWN": str(store.folder)},
                          capture_output=True, text=True, cwd=TREE, timeout=30, check=False)
    lines = done.stdout.splitlines()
    return json.loads(lines[0]), lines[1:]


def test_full_disk(store):
    result, left = on_small_disk(store, "size=4k")
    assert result["error"]["kind"] == "no-space" and "full" in result["error"]["text"], result
    assert "kept.json" not in left and not any(name.endswith(".plist") for name in left)


def test_read_only_disk(store):
    result, left = on_small_disk(store, "size=1m", f'mount -o remount,ro "{store.copy.parent}"')
    assert result["error"]["kind"] == "no-space" and "read-only" in result["error"]["text"], result
    assert left == []


# --- the service


@pytest.fixture()
def serve(tmp_path, store):
    """serve(storage) → a service with real workers on the store."""
    services = []

    def begin(storage):
        made = Service(tmp_path, "--worker", BUILD / "idevicerescue-worker", "--storage", storage, worker=False,
                       environment={"IDEVICERESCUE_LOCKDOWN": str(store.folder), "IDEVICERESCUE_KMSG": "/dev/null",
                                    "USBMUXD_SOCKET_ADDRESS": f"UNIX:{tmp_path / 'no-mux'}"})
        services.append(made)
        return made.start()

    yield begin
    for service in services:
        assert service.stop()[0] == 0
        assert "Sanitizer" not in service.log.read_text()


@pytest.fixture()
def disk():
    """A folder that is on no memory: build/ is on the disk."""
    folder = Path(tempfile.mkdtemp(prefix="keep-", dir=TREE / "build"))
    yield folder
    shutil.rmtree(folder)


def state(service, *words):
    result = service.json("trust", "keep", *words)
    return {key: result[key] for key in ("kept", "records", "lasting")}


def test_on_and_off(serve, store, disk):
    service = serve(disk)
    assert state(service) == {"kept": False, "records": 1, "lasting": True}
    assert "gone at power-off" in service.run("trust", "keep").stdout
    assert state(service, "on") == {"kept": True, "records": 1, "lasting": True}
    copy = disk / "pairings"
    assert (copy / store.name).read_bytes() == store.record and (copy / "kept.json").exists()
    said = service.run("trust", "keep").stdout
    assert "are kept on the data partition: 1" in said and "Whoever has this stick" in said
    assert state(service, "off") == {"kept": False, "records": 1, "lasting": True}
    assert not copy.exists()
    assert service.run("trust", "keep", "perhaps").returncode == 2


def test_nothing_is_kept_in_memory(serve):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        service = serve(memory)
        assert state(service) == {"kept": False, "records": 1, "lasting": False}
        assert "no data partition" in service.run("trust", "keep").stdout
        refused = service.json("trust", "keep", "on")
        assert refused["error"]["kind"] == "unsupported" and "no data partition" in refused["error"]["text"]
        assert refused["exit"] != 0
        assert list(Path(memory).glob("pairings*")) == []


def test_a_new_record_is_kept_too(tmp_path, record, disk):
    """The copy follows when usbmuxd tells of a pairing."""
    store = Store(tmp_path, record)
    service = Service(tmp_path, "--worker", tmp_path / "worker", "--storage", disk, worker=False,
                      environment={"IDEVICERESCUE_LOCKDOWN": str(store.folder), "FAKE_DIR": str(tmp_path)})
    # mux-watch is played, record is real
    (tmp_path / "worker").write_text(f'#!/bin/sh\n[ "$1" != record ] || exec {BUILD}/idevicerescue-worker "$1"\n'
                                     f'exec {TREE}/tests/unit/fake_worker "$1"\n')
    (tmp_path / "worker").chmod(0o755)
    os.mkfifo(tmp_path / "mux")
    service.mux_fd = os.open(tmp_path / "mux", os.O_RDWR)
    service.start()
    service.mux("mux-up")
    service.mux("paired", udid=store.udid, location=0x10005)
    assert state(service, "on")["records"] == 1
    store.put(f"{OTHER_UDID}.plist", store.record)
    service.mux("paired", udid=OTHER_UDID, location=0x10006)
    until("the new record is kept", (disk / "pairings" / f"{OTHER_UDID}.plist").exists)
    assert state(service)["records"] == 2
    assert state(service, "off")["kept"] is False
    store.put("00008110-000000000000002E.plist", store.record)
    service.mux("paired", udid="00008110-000000000000002E", location=0x10007)
    assert state(service) == {"kept": False, "records": 3, "lasting": True}
    assert not (disk / "pairings").exists()
    assert service.stop()[0] == 0
    os.close(service.mux_fd)
