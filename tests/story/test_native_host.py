# SPDX-License-Identifier: GPL-3.0-or-later
"""The computer that shows the error, without a computer: real NTFS, ext4 and other images say what they are, and a
folder beside each stands for what is mounted. The kernel's own part (nodes, drivers) is the image story's matter."""

import os
import shutil
import subprocess
import time

import pytest

from host_disks import Records, Workshop
from native_service import BUILD, ENVIRONMENT, Service
from worker_bed import WorkerRun, failure

WORKER = BUILD / "idevicerescue-worker"
UDID, OTHER = "00008110-001C1D0E3A91002E", "00008101-000A11112222001E"
LOCKDOWN = "ProgramData/Apple/Lockdown"
YEAR_2009 = 1230768000


@pytest.fixture(scope="module")
def records():
    return Records()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Empty volumes of all kinds; what is in them lies beside them."""
    made = Workshop(tmp_path_factory.mktemp("shop"))
    made.ntfs("windows.img", {})
    made.ntfs("dirty.img", {}, label="Dirty", dirty=True)
    made.ext4("linux.img", {}, label="Linux")
    made.ext4("crashed.img", {}, label="Crashed", recover=True)
    made.ext4("old.img", {}, label="Old", kind="ext2")
    made.bitlocker("bitlocker.img")
    made.luks("luks.img")
    made.apfs("apfs.img")
    made.fat("efi.img")
    made.blank("nothing.img", 1)
    return made


class Disks:
    """The images that a test wants, and their content."""

    def __init__(self, folder, shop):
        self.folder, self.shop = folder, shop
        (folder / "rtc").write_text(f"{int(time.time())}\n")
        self.environment = {**ENVIRONMENT, "IDEVICERESCUE_DISKS": str(folder), "IDEVICERESCUE_RTC": str(folder / "rtc")}

    def insert(self, name, files=None):
        subprocess.run(["cp", "--sparse=always", self.shop.folder / f"{name}.img", self.folder], check=True)
        if files is None:
            return
        for path, content in {**files, "x": b""}.items():
            target = self.folder / f"{name}.mounted" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def names(self, name, folder):
        return sorted(path.name for path in (self.folder / f"{name}.mounted" / folder).iterdir())


@pytest.fixture
def disks(tmp_path, shop):
    folder = tmp_path / "disks"
    folder.mkdir()
    return Disks(folder, shop)


@pytest.fixture
def service(tmp_path, disks):
    made = Service(tmp_path, "--worker", WORKER, "--storage", tmp_path, worker=False, environment={
        name: disks.environment[name] for name in ("IDEVICERESCUE_DISKS", "IDEVICERESCUE_RTC")}).start()
    yield made
    status, _ = made.stop()
    assert status == 0, made.log.read_text()


def volumes(service):
    return {one["id"]: one for one in service.json("host")["computer"]["volumes"]}


def windows_files(records):
    return {f"{LOCKDOWN}/{UDID}.plist": records.good(), f"{LOCKDOWN}/{OTHER}.plist": b"",
            f"{LOCKDOWN}/SystemConfiguration.plist": records.configuration(), f"{LOCKDOWN}/notes.txt": b"mine",
            "WINDOWS/system32/kernel": b""}


def test_every_kind_of_volume_is_told_apart(service, disks, records):
    for name in ("windows", "dirty"):
        disks.insert(name, windows_files(records))
    for name in ("linux", "crashed", "old"):
        disks.insert(name, {"etc/os-release": b"", f"var/lib/lockdown/{UDID}.plist": records.good()})
    for name in ("bitlocker", "luks", "apfs", "efi", "nothing"):
        disks.insert(name)
    found = volumes(service)
    told = {name: (one["filesystem"], one["system"], one["condition"], one.get("cause")) for name, one in found.items()}
    assert told == {
        "windows": ("ntfs", "windows", "ok", None), "dirty": ("ntfs", "windows", "dirty", "dirty"),
        "linux": ("ext4", "linux", "ok", None), "crashed": ("ext4", "linux", "dirty", "recover"),
        "old": ("ext2", "linux", "ok", None), "bitlocker": ("bitlocker", "windows", "encrypted", "bitlocker"),
        "luks": ("luks", "linux", "encrypted", "luks"), "apfs": ("apfs", "macos", "unsupported", "macos"),
        "efi": ("vfat", "unknown", "unsupported", "file-system")}
    assert {name for name, one in found.items() if "token" in one} == {"windows", "linux", "old"}
    shown = {record["udid"]: record for record in found["windows"]["records"]}
    assert (shown[UDID]["broken"], shown[OTHER]["broken"], shown[OTHER]["why"]) == (False, True, "it is empty")
    assert shown[UDID]["made_ms"] == 1748736000000 and shown[UDID]["system_buid"] == found["windows"]["system_buid"]


def test_sleeping_windows_and_write_protection(service, disks, records):
    disks.insert("windows", windows_files(records))
    os.chmod(disks.folder / "windows.img", 0o444)
    assert volumes(service)["windows"]["condition"] == "read-only"
    disks.insert("dirty", {"HIBERFIL.SYS": b"hibr".ljust(8192)})
    found = volumes(service)
    assert (found["dirty"]["cause"], found["windows"]["cause"]) == ("hibernated", "sleeper")
    assert "powercfg" in found["dirty"]["remedy"] and "token" not in found["windows"]
    (disks.folder / "dirty.mounted/HIBERFIL.SYS").write_bytes(b"\0" * 8192)
    assert volumes(service)["dirty"]["cause"] == "dirty"


def test_text_exit_status_and_clock(service, disks, records):
    empty = service.json("host")
    assert (empty["exit"], empty["computer"]["volumes"], empty["computer"]["conclusion_id"]) == (0, [], "no-phone")
    disks.insert("linux", {f"var/lib/lockdown/{UDID}.plist": records.good()})
    assert service.run("host").returncode == 0
    (disks.folder / "linux.mounted/var/lib/lockdown" / f"{OTHER}.plist").write_bytes(b"bplist00rubbish")
    said = service.run("host")
    assert said.returncode == 1 and "broken (it is no property list)" in said.stdout, said.stdout
    assert "host reset linux --all-records --consent" in said.stdout
    (disks.folder / f"linux.mounted/var/lib/lockdown/{OTHER}.plist").unlink()
    (disks.folder / "rtc").write_text(f"{YEAR_2009}\n")
    answer = service.json("host")
    assert (answer["exit"], answer["computer"]["clock"]["verdict"]) == (1, "behind")


def test_only_what_was_named_is_moved(service, disks, records):
    files = windows_files(records)
    disks.insert("windows", files)
    token = volumes(service)["windows"]["token"]
    moved = service.json("host", "reset", "windows", "--record", UDID.lower().replace("-", ""), "--consent", token)
    assert moved["exit"] == 0 and moved["moved"]["records"] == [f"{UDID}.plist"]
    name = moved["moved"]["folder"].rpartition("/")[2]
    assert disks.names("windows", "ProgramData/Apple") == ["Lockdown", name]
    assert disks.names("windows", f"ProgramData/Apple/{name}") == [f"{UDID}.plist"]
    assert disks.names("windows", LOCKDOWN) == sorted([f"{OTHER}.plist", "SystemConfiguration.plist", "notes.txt"])
    path = disks.folder / "windows.mounted/ProgramData/Apple" / name / f"{UDID}.plist"
    assert path.read_bytes() == files[f"{LOCKDOWN}/{UDID}.plist"]
    # the token is used up; another look gives another, for the rest
    assert service.json("host", "reset", "windows", "--all-records", "--consent", token)["exit"] == 6
    token = volumes(service)["windows"]["token"]
    rest = service.json("host", "reset", "windows", "--all-records", "--consent", token)
    assert rest["moved"]["records"] == [f"{OTHER}.plist"] and rest["moved"]["folder"] != moved["moved"]["folder"]
    assert disks.names("windows", LOCKDOWN) == ["SystemConfiguration.plist", "notes.txt"]


@pytest.mark.parametrize("words, status", [
    (["windows"], 2), (["windows", "--all-records", "--record", UDID], 2), (["windows", "--record", "b" * 40], 2),
    (["elsewhere", "--all-records"], 6), ([], 2), (["windows", "--all-records", "x"], 2)])
def test_what_is_not_clear_is_not_done(service, disks, records, words, status):
    disks.insert("windows", windows_files(records))
    token = volumes(service)["windows"]["token"]
    assert service.json("host", "reset", *words, "--consent", token)["exit"] == status
    assert disks.names("windows", "ProgramData/Apple") == ["Lockdown"]


def change_record(disks):
    (disks.folder / f"windows.mounted/{LOCKDOWN}/{UDID}.plist").write_bytes(b"another one")


def mark_dirty(disks):
    subprocess.run([disks.shop.filler, disks.folder / "windows.img", "--dirty", "x/"], check=True)


def fall_asleep(disks):
    (disks.folder / "windows.mounted/hiberfil.sys").write_bytes(b"RSTR".ljust(8192))


def protect(disks):
    os.chmod(disks.folder / "windows.img", 0o444)


def swap(disks):
    shutil.copy(disks.shop.folder / "linux.img", disks.folder / "windows.img")


@pytest.mark.parametrize("change, words", [
    (change_record, "not what they were"), (mark_dirty, "marked it to be checked"), (fall_asleep, "sleeps"),
    (protect, "takes no writes"), (swap, "not the volume")])
def test_what_is_not_as_the_person_saw_it_is_refused(service, disks, records, change, words):
    disks.insert("windows", windows_files(records))
    token = volumes(service)["windows"]["token"]
    change(disks)
    refused = service.json("host", "reset", "windows", "--all-records", "--consent", token)
    assert refused["exit"] == 5 and words in refused["error"]["text"], refused
    assert refused["error"]["next"]
    assert disks.names("windows", "ProgramData/Apple") == ["Lockdown"]


def test_hostile_folders_end_in_order(service, disks, records):
    """Links, folders, huge and endless things where records should be."""
    disks.insert("linux", {f"var/lib/lockdown/{number:040d}.plist": b"x" for number in range(1005)})
    disks.insert("windows", {f"{LOCKDOWN}/{UDID}.plist": b"<" * 300000})
    folder = disks.folder / "windows.mounted" / LOCKDOWN
    (folder / f"{'a' * 40}.plist").symlink_to("/etc/passwd")
    (folder / f"{'b' * 40}.plist").mkdir()
    os.mkfifo(folder / f"{'c' * 40}.plist")
    (folder / "not a name\n.plist").write_bytes(b"x")
    os.mkfifo(folder / "SystemConfiguration.plist")
    disks.insert("old", {})
    (disks.folder / "old.mounted/var").symlink_to(disks.folder / "linux.mounted/var")
    found = volumes(service)
    shown = [(one["udid"], one["why"]) for one in found["windows"]["records"]]
    assert shown == [(UDID, "it is far larger than a record")]
    assert len(found["linux"]["records"]) == 1000 and found["linux"]["more"] is True
    assert found["old"]["records"] == [] and "folder" not in found["old"]


def test_a_worker_killed_at_any_point_leaves_each_record_in_one_place(disks, records):
    names = [f"{number:040d}.plist" for number in range(40)]
    for at in (0, 1, 7, 39):
        shutil.rmtree(disks.folder / "linux.mounted", ignore_errors=True)
        disks.insert("linux", {f"var/lib/lockdown/{name}": name.encode() for name in names})
        with WorkerRun("host-look", disks.environment) as run:
            assert run.result()["ok"]
        volume = next(event for event in run.events if event["event"] == "volume")
        wish = [{key: event[key] for key in ("file", "bytes", "modified_ms")}
                for event in run.events if event["event"] == "record"]
        with WorkerRun("host-reset", disks.environment, volume="linux", records=wish,
                       **{key: volume[key] for key in ("filesystem", "uuid", "size_bytes", "folder")}) as run:
            for _ in range(at + 1):
                assert run.event()["event"] == "moved"
            run.process.kill()
            run.process.wait()
        found = [path for path in (disks.folder / "linux.mounted/var/lib").glob("*/*.plist")]
        assert sorted(path.name for path in found) == names
        assert all(path.read_bytes() == path.name.encode() for path in found)
        assert sum(path.parent.name != "lockdown" for path in found) >= at + 1


@pytest.mark.parametrize("change", [
    {"records": []}, {"records": [{"file": "../x.plist", "bytes": 1, "modified_ms": 1}]}, {"records": "all"},
    {"folder": "Lockdown"}, {"size_bytes": "1"}, {"uuid": None}, {"more": True},
    {"records": [{"file": "SystemConfiguration.plist", "bytes": 1, "modified_ms": 1}]}])
def test_a_request_that_is_none_is_refused(disks, change):
    fields = {"volume": "linux", "filesystem": "ext4", "folder": "var/lib/lockdown", "size_bytes": 1,
              "records": [{"file": f"{UDID}.plist", "bytes": 1, "modified_ms": 1}], **change}
    with WorkerRun("host-reset", disks.environment, **fields) as run:
        assert failure(run.result())[0] == "usage"
