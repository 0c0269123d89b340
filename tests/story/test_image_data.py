# SPDX-License-Identifier: GPL-3.0-or-later
"""The first start of a stick makes its data partition, the second one finds it: one stick, two boots, firmware of both
kinds. The other disks of the machine are what they were, to the byte. (All other states: test_native_data.py.) Then a
USB disk that a person names holds the firmware: fetched, checked, kept from being pulled, pulled all the same, and
found again. (All refusals: test_native_disks.py.)"""

import base64
import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

import pytest

from rescue_bed import hosts_text
from stick_bed import BOOT_CODE, DATA_START, SECTOR, Stick, StickBed, contents
from test_image_system import make_disk

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(TREE / "tests"), str(TREE / "tests" / "net")]

import apple  # noqa: E402
from ipsw import make_ipsw  # noqa: E402

PRODUCT = "iPhone14,5"
IMAGE = TREE / "build/idevicerescue-amd64.img"
GIB = 1 << 30
NOTE = "/run/idevicerescue-data/data.json"


class Bench:
    """A used stick that is larger than the image; the PC's disk; an empty one."""

    def __init__(self, folder):
        self.folder = folder
        self.stick = Stick(StickBed(folder), "stick")
        shutil.copy(IMAGE, self.stick.path)
        self.stick.truncate(5 * GIB)
        self.stick.write(DATA_START * SECTOR, random.Random(3).randbytes(1 << 20))
        self.pc, self.empty = folder / "pc.disk", folder / "empty.disk"
        make_disk(self.pc, [("Windows", 40, ["mkfs.exfat", "-L", "Windows"]),
                            ("RESCUEDATA", 40, ["mkfs.ext4", "-q", "-L", "RESCUEDATA"])])
        with open(self.empty, "wb") as file:
            file.truncate(4 * GIB)
        self.before = self.others()
        self.usb = folder / "usb.disk"
        make_disk(self.usb, [("one", 96, ["mkfs.exfat", "-L", "BENCH"]),
                             ("two", 160, ["mkfs.ext4", "-q", "-L", "Workshop"]),
                             ("three", 40, ["mkntfs", "-q", "-F", "-L", "Albums"]),
                             ("four", 40, ["mkfs.vfat", "-F", "32", "-n", "OLDSTICK"])])

    def others(self):
        return [list(contents(path)) for path in (self.pc, self.empty)]

    def qemu(self):
        words = []
        for index, path in enumerate((self.pc, self.empty)):
            words += ["-drive", f"if=none,id=other{index},format=raw,file={path}",
                      "-device", f"ide-hd,bus=ide.{index},drive=other{index}"]
        return words + ["-blockdev", f"driver=file,node-name=usb,filename={self.usb}"]


@pytest.fixture(scope="module")
def bench():
    folder = TREE / "build/run" / f"data-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    yield Bench(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def servers(bench):
    path = bench.folder / "iPhone14,5_18.1_22B83_Restore.ipsw"
    make_ipsw.build(path, boards=[PRODUCT], image_bytes=1 << 20, version="18.1", build="22B83")
    (bench.folder / "net").mkdir()
    with apple.Apple(bench.folder / "net", address="0.0.0.0", host="10.0.2.2", base="https://updates.cdn-apple.com",
                     files=[path]) as running:
        yield running


def start(power_on, bench, firmware, **more):
    return power_on(firmware=firmware, medium="usb", image=str(bench.stick.path), keep=True, qemu=bench.qemu(), **more)


def note_of(machine):
    return json.loads(machine.ok(f"timeout 200 bash -c 'until cat {NOTE} 2>/dev/null; do sleep 0.3; done'", 240))


def mounted(machine):
    line = machine.ok("timeout 60 bash -c 'until findmnt -n -o SOURCE,FSTYPE /data; do sleep 0.2; done'").split()
    assert line[1] == "exfat"
    return line[0]


def end(machine, bench):
    machine.ok("systemctl stop idevicerescue.service data.mount && sync")
    machine.shutdown()
    assert bench.others() == bench.before
    image = IMAGE.stat().st_size - 34 * SECTOR  # its end is the backup of its table
    with open(IMAGE, "rb") as file:
        assert file.read(BOOT_CODE) == bench.stick.read(0, BOOT_CODE)
        file.seek(2048 * SECTOR)
        assert file.read(image - 2048 * SECTOR) == bench.stick.read(2048 * SECTOR, image - 2048 * SECTOR)


def leave_a_job(machine):
    """One that this boot does not end."""
    journal = (TREE / "tests/fuzz/corpus/journal/job-1").read_text(encoding="utf-8").splitlines()[0] + "\n"
    name = json.loads(journal)["id"]
    text = base64.b64encode(journal.encode()).decode()
    folder = f"/data/idevicerescue/jobs/{name}"
    machine.ok(f"mkdir -p {folder} && base64 -d <<<{text} >{folder}/journal.jsonl")


def check_job_that_was_left(machine):
    """The service began before the data partition came, and finds it all the same; it does not go on."""
    (job,) = machine.result("idevicerescue --json job list")["jobs"]
    assert job["state"] == "failed" and "was switched off" in job["error"]["text"], job
    assert "was switched off" in machine.ok(f"idevicerescue report {job['id']}").replace("\n", " ")


def test_the_first_start_makes_it(power_on, bench):
    machine = start(power_on, bench, "uefi")
    note = note_of(machine)
    assert note["state"] == "made" and "QEMU" in note["disk"], note
    assert mounted(machine).startswith(f"/dev/{note['disk'].split(',')[0]}")
    kept = machine.result("idevicerescue --json trust keep")
    assert kept["exit"] == 0 and kept["lasting"] is True, kept
    assert abs(int(machine.ok("findmnt -b -n -o SIZE /data")) - note["bytes"]) < note["bytes"] // 50
    # nobody waits for it, and nothing failed on the way
    assert machine.ok("systemctl --failed --no-legend --plain").strip() == ""
    machine.ok("echo 'kept on the stick' >/data/story.txt")
    leave_a_job(machine)
    end(machine, bench)
    assert bench.stick.check()["size"] * SECTOR == note["bytes"]


def test_the_second_start_finds_it(power_on, bench, servers):
    entry = bench.stick.partitions()[2]
    machine = start(power_on, bench, "bios", credentials={
        "idevicerescue.hosts": hosts_text(servers, "10.0.2.2"),
        "idevicerescue.ca": pathlib.Path(servers.ca).read_text(encoding="ascii")})
    note = note_of(machine)
    assert (note["state"], note["bytes"]) == ("adopted", entry["size"] * SECTOR), note
    mounted(machine)
    assert machine.ok("cat /data/story.txt") == "kept on the stick\n"
    check_job_that_was_left(machine)
    disk = UsbDisk(machine)
    disk.plug()
    check_choices(machine)
    check_exfat(machine)
    check_drivers(machine)
    check_ext4(machine, disk)
    end(machine, bench)
    assert bench.stick.partitions()[2] == entry
    check_volumes(bench)


# --- another disk


class UsbDisk:
    """A disk with two volumes, in and out."""

    def __init__(self, machine):
        self.machine = machine

    def plug(self):
        self.machine.qmp("device_add", driver="usb-storage", id="disk", bus="usb0.0", port="2", drive="usb")
        wait(self.machine, "test -b /dev/disk/by-label/BENCH -a -b /dev/disk/by-label/Workshop")

    def pull(self):
        self.machine.qmp("device_del", id="disk")
        wait(self.machine, "! test -e /dev/disk/by-label/Workshop")


def wait(machine, condition):
    machine.ok(f"timeout 60 bash -c 'until {condition}; do sleep 0.2; done'")


def firmware(machine, words):
    return machine.result(f"idevicerescue --json firmware {words}", 300)


def use(machine, words, status=0):
    answer = firmware(machine, f"cache use {words}")
    assert answer["exit"] == status, answer
    return answer


def mounts(machine):
    """Of ours, as the whole system sees them: [(place, type, options), …]."""
    lines = machine.run("findmnt -rn -o TARGET,FSTYPE,OPTIONS | grep ^/run/idevicerescue-disk/").stdout.splitlines()
    return [line.split() for line in lines]


def check_choices(machine):
    """The PC's own disk is told of and left alone; the stick is no choice."""
    disks = {one.get("label"): one for one in firmware(machine, "disks")["disks"]}
    assert disks["BENCH"]["cause"] == disks["Windows"]["cause"] == disks["Workshop"]["cause"] == "none", disks
    assert [disks[name]["internal"] for name in ("BENCH", "Workshop", "Windows")] == [False, False, True]
    assert "QEMU" in disks["BENCH"]["disk"] and None not in disks  # an empty internal disk is nothing to think of
    assert "--internal" in use(machine, "Windows", 5)["error"]["text"]
    own = machine.ok("findmnt -n -o SOURCE /data").strip()
    assert "rescue stick itself" in use(machine, own, 5)["error"]["text"]
    assert mounts(machine) == []


def check_kept(machine, folder):
    """Fetched into the folder by the sandboxed worker, read there by another one, dropped by the service."""
    assert firmware(machine, f"get {PRODUCT}")["exit"] == 0
    (file,) = firmware(machine, "cache")["cache"]["files"]
    assert file["path"].startswith(folder + "/") and file["kind"] == "whole", file
    assert firmware(machine, f"check {file['path']}")["exit"] == 0
    return file["path"]


def check_exfat(machine):
    folder = use(machine, "BENCH")["disk"]["folder"]
    ((place, kind, options),) = mounts(machine)
    assert folder == f"{place}/idevicerescue-firmware" and kind == "exfat"
    assert {"rw", "nosuid", "nodev", "noexec", "noatime"} <= set(options.split(","))
    path = check_kept(machine, folder)
    machine.ok("systemctl restart idevicerescue")  # its name space is made anew, with the mount in it
    wait(machine, "idevicerescue list >/dev/null")
    assert firmware(machine, "cache")["cache"]["folder"] == folder
    assert firmware(machine, f"drop {pathlib.Path(path).name}")["exit"] == 0
    machine.ok(f"sleep 3600 <{folder}/use.json >/dev/null 2>&1 & echo $! >/run/sleeper")
    answer = firmware(machine, "cache use off")
    assert answer["exit"] == 5 and "sleep still uses the disk" in answer["error"]["text"], answer
    assert len(mounts(machine)) == 1
    machine.ok("kill $(cat /run/sleeper)")
    use(machine, "off")
    assert mounts(machine) == [] and machine.ok("ls /run/idevicerescue-disk") == ""


def check_drivers(machine):
    """The two others; each choice lets the disk before it go."""
    for label, driver in (("Albums", "ntfs"), ("OLDSTICK", "vfat")):
        folder = use(machine, label)["disk"]["folder"]
        ((place, kind, options),) = mounts(machine)
        assert kind == driver and folder.startswith(place) and {"rw", "nosuid", "noexec"} <= set(options.split(","))
        assert machine.ok(f"stat -c '%U %G %a' {folder}") == "idevicerescue idevicerescue-data 770\n"
        machine.ok(f"echo kept >{folder}/note && cat {folder}/note && rm {folder}/note")


def check_ext4(machine, disk):
    folder = use(machine, "Workshop")["disk"]["folder"]
    assert machine.ok(f"stat -c '%U %G %a' {folder}") == "idevicerescue idevicerescue-data 2770\n"
    path = check_kept(machine, folder)
    # pulled out while nobody uses it: said, and never replaced by memory
    disk.pull()
    wait(machine, "! findmnt -rn -o TARGET | grep -q ^/run/idevicerescue-disk/")
    answer = firmware(machine, "cache")
    assert answer["exit"] == 9 and "Plug it in" in answer["error"]["text"], answer
    disk.plug()
    assert use(machine, "Workshop")["cache"]["files"][0]["path"] == path
    # and while somebody does: what is stale is ended first, once nobody holds it
    machine.ok(f"sleep 3600 <{path} >/dev/null 2>&1 & echo $! >/run/sleeper")
    disk.pull()
    answer = firmware(machine, "cache")
    assert answer["exit"] == 9 and "Plug it in" in answer["error"]["text"], answer
    disk.plug()
    assert "sleep" in firmware(machine, "cache use Workshop")["error"]["text"]
    machine.ok("kill $(cat /run/sleeper)")
    assert use(machine, "Workshop")["cache"]["files"][0]["path"] == path
    use(machine, "off")


def check_volumes(bench):
    """Tools that are not ours find nothing to do."""
    table = json.loads(subprocess.run(["sfdisk", "--json", bench.usb], check=True, capture_output=True).stdout)
    for entry, check in zip(table["partitiontable"]["partitions"], (["fsck.exfat", "-n"], ["e2fsck", "-f", "-n"])):
        part = bench.folder / "usb.part"
        with open(bench.usb, "rb") as file:
            file.seek(entry["start"] * SECTOR)
            part.write_bytes(file.read(entry["size"] * SECTOR))
        done = subprocess.run([*check, part], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
