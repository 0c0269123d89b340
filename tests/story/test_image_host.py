# SPDX-License-Identifier: GPL-3.0-or-later
"""The computer that shows the error, in the booted image: a PC with disks of every kind that `host` meets, Windows' and
Linux' among them with pairing records, looked at by the kernel's own drivers. What was looked at must not differ in one
byte; what was moved is read by tools that are not ours. One machine; the order of the tests is that of a day."""

import json
import shutil
import time

import pytest

from host_disks import TREE, Records, Workshop, digest

UDID = "00008110-001C20223E29401E"  # of the phone that is plugged in
OTHER, BROKEN = "00008101-000A11112222001E", "00008030-000B33334444001E"
OLD = "a" * 40
LOCKDOWN = "ProgramData/Apple/Lockdown"


class Pc:
    """The disks of one computer, as files of the host."""

    def __init__(self, folder):
        shop, records = Workshop(folder), Records()
        self.shop, self.records = shop, records
        self.good = records.good()
        # Windows writes names as it likes
        windows = {"Windows/System32": None, f"{LOCKDOWN}/{UDID}.plist": b"", f"{LOCKDOWN}/{OTHER}.plist": self.good,
                   f"{LOCKDOWN}/{BROKEN}.plist": records.good(RootPrivateKey=None),
                   f"{LOCKDOWN}/{OLD}.plist": b"<?xml version",
                   f"{LOCKDOWN}/SystemConfiguration.plist": records.configuration(),
                   f"{LOCKDOWN}/notes.txt": b"mine", "hiberfil.sys": b"\0" * 8192}
        linux = {"etc/os-release": b"ID=debian\n", f"var/lib/lockdown/{UDID}.plist": self.good,
                 f"var/lib/lockdown/{OTHER}.plist": self.good,
                 "var/lib/lockdown/SystemConfiguration.plist": records.configuration()}
        volumes = [shop.fat("efi.part"), shop.ntfs("windows.part", windows),
                   shop.ext4("linux.part", linux, label="Linux"), shop.bitlocker("bitlocker.part")]
        self.sizes = [volume.stat().st_size for volume in volumes]
        self.internal = shop.disk("internal.img", volumes)
        self.disks = {
            "internal": self.internal,
            "dirty": shop.ntfs("dirty.img", windows, label="Dirty", dirty=True),
            "crashed": shop.ext4("crashed.img", linux, label="Crashed", recover=True),
            "locked": shop.ntfs("locked.img", {f"programdata/APPLE/lockdown/{UDID}.plist": self.good}, label="Locked"),
            "luks": shop.luks("luks.img"), "apfs": shop.apfs("apfs.img"),
            "sleeper": shop.ntfs("sleeper.img", {**windows, "hiberfil.sys": b"hibr".ljust(8192, b"\1")},
                                 label="Sleeper"),
        }
        self.before = {name: digest(path) for name, path in self.disks.items()}

    def changed(self):
        return [name for name, path in self.disks.items() if digest(path) != self.before[name]]

    def part(self, number):
        return self.shop.part(self.internal, number, self.sizes)

    def qemu(self):
        """The sleeper is put in later, as a USB disk."""
        devices = {"internal": "ide-hd", "dirty": "virtio-blk-pci", "crashed": "nvme,serial=crashed",
                   "locked": "virtio-blk-pci", "luks": "virtio-blk-pci", "apfs": "virtio-blk-pci"}
        words = ["-rtc", "base=2009-01-01T00:00:00"]
        for name, path in self.disks.items():
            more = ",readonly=on" if name == "locked" else ""
            words += ["-drive", f"if=none,id={name},format=raw,file={path}{more}"]
            if name in devices:
                words += ["-device", f"{devices[name]},drive={name}"]
        return words


@pytest.fixture(scope="module")
def pc():
    folder = TREE / "build/run" / f"host-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    yield Pc(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def machine(power_on, pc):
    booted = power_on(firmware="direct", phones=["iphone13"], qemu=pc.qemu(), settle=False)
    # the kernel of an emulated machine is still looking for disks when the service answers already
    there = until(lambda: booted.run("blkid -L Linux && blkid -L Dirty && blkid -L Crashed"),
                  lambda done: done.status == 0)
    assert there.status == 0
    yield booted
    booted.shutdown()


def until(question, wanted, seconds=90):
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if wanted(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.5)


def look(machine):
    return machine.result("idevicerescue host --json", 180)["computer"]


def volume(computer, name):
    """By label, or by file system where there is none."""
    found = [v for v in computer["volumes"] if name in (v.get("label"), v["filesystem"])]
    assert len(found) == 1, (name, computer["volumes"])
    return found[0]


def records(one):
    return {record["udid"]: record for record in one["records"]}


def flags(machine):
    return machine.ok("for f in /sys/class/block/*/ro; do echo $f $(cat $f); done")


def test_looking_finds_what_is_there_and_changes_nothing(machine, pc):
    flags_before = flags(machine)
    answer = machine.result("idevicerescue host --json", 180)
    computer = answer["computer"]
    assert answer["exit"] == 1  # broken records
    conditions = {v.get("label", v["filesystem"]): (v["filesystem"], v["system"], v["condition"])
                  for v in computer["volumes"]}
    assert conditions == {
        "EFI": ("vfat", "unknown", "unsupported"), "Windows": ("ntfs", "windows", "ok"),
        "Linux": ("ext4", "linux", "ok"), "bitlocker": ("bitlocker", "windows", "encrypted"),
        "Dirty": ("ntfs", "windows", "dirty"), "Crashed": ("ext4", "linux", "dirty"),
        "Locked": ("ntfs", "windows", "read-only"), "luks": ("luks", "linux", "encrypted"),
        "apfs": ("apfs", "macos", "unsupported")}
    for one in computer["volumes"]:
        assert (one["condition"] == "ok") == ("reason" not in one) == ("remedy" not in one), one
        assert (one["condition"] == "ok") == ("token" in one), one
    windows = volume(computer, "Windows")
    assert windows["folder"] == LOCKDOWN and windows["size_bytes"] == pc.sizes[1]
    assert set(records(windows)) == {UDID, OTHER, BROKEN, OLD}
    assert {udid: record.get("why") for udid, record in records(windows).items()} == {
        UDID: "it is empty", OTHER: None, BROKEN: "it has no readable RootPrivateKey", OLD: "it is no property list"}
    assert "phone" not in records(windows)[OTHER]
    assert volume(computer, "Locked")["folder"].lower() == LOCKDOWN.lower()
    assert set(records(volume(computer, "Linux"))) == {UDID, OTHER}
    assert set(records(volume(computer, "Crashed"))) == {UDID, OTHER}
    assert pc.changed() == []
    assert flags(machine) == flags_before
    assert machine.ok("ls /run/idevicerescue-host").strip() == ""
    assert "ntfs" not in machine.ok("cat /proc/mounts") and "ext4" not in machine.ok("cat /proc/mounts")


def test_clock_of_the_board_is_evidence(machine):
    clock = look(machine)["clock"]
    assert clock["verdict"] == "behind" and "2009-01-01" in clock["text"]


def test_words_for_people(machine):
    said = machine.run("idevicerescue host", 180)
    assert said.status == 1
    for words in ("BitLocker", "it has no readable RootPrivateKey", "--consent ", "Apple Mobile Device Service"):
        assert words in said.stdout, (words, said.stdout)


def test_a_worker_that_was_killed_leaves_no_disk_protected(machine, pc):
    """What it leaves behind: the node's flag, and the mark that says whose it is."""
    name = volume(look(machine), "Windows")["id"]
    machine.ok(f"blockdev --setro /dev/{name} && touch /run/idevicerescue-host/{name}.node")
    assert volume(look(machine), "Windows")["condition"] == "ok"
    assert machine.ok(f"blockdev --getro /dev/{name}").strip() == "0"
    assert machine.ok("ls /run/idevicerescue-host").strip() == ""


def test_without_consent_nothing_is_moved(machine, pc):
    windows = volume(look(machine), "Windows")
    for consent in ("", "--consent abcdefghijkmnpqrstuvwxy"):
        assert machine.run(f"idevicerescue host reset {windows['id']} --all-records {consent}").status == 6
    linux = volume(look(machine), "Linux")
    assert machine.run(f"idevicerescue host reset {windows['id']} --all-records --consent {linux['token']}").status == 6
    assert machine.run(f"idevicerescue host reset {windows['id']} --record {'b' * 40} "
                       f"--consent {volume(look(machine), 'Windows')['token']}").status == 2
    assert pc.changed() == []


def test_a_windows_that_sleeps_forbids_all_of_windows(machine, pc):
    windows = volume(look(machine), "Windows")
    machine.qmp("device_add", driver="usb-storage", bus="usb0.0", port="4", drive="sleeper", id="stick")
    appeared = until(lambda: machine.run("blkid -L Sleeper"), lambda done: done.status == 0)
    assert appeared.status == 0
    refused = machine.run(f"idevicerescue --json host reset {windows['id']} --all-records --consent {windows['token']}")
    result = json.loads(refused.stdout.splitlines()[-1])
    assert refused.status == result["exit"] == 5
    assert "Another Windows" in result["error"]["text"]
    assert "Restart" in result["error"]["next"], result
    computer = look(machine)
    assert (volume(computer, "Sleeper")["condition"], volume(computer, "Windows")["condition"]) == ("hibernated",) * 2
    assert volume(computer, "Linux")["condition"] == "ok"
    assert UDID in records(volume(computer, "Sleeper"))
    machine.qmp("device_del", id="stick")
    gone = until(lambda: machine.run("blkid -L Sleeper"), lambda done: done.status != 0)
    assert gone.status != 0
    assert pc.changed() == []


def test_named_records_of_windows_are_moved_and_nothing_else(machine, pc):
    windows = volume(look(machine), "Windows")
    command = (f"idevicerescue --json host reset {windows['id']} --record {UDID} --record {BROKEN} "
               f"--consent {windows['token']}")
    moved = machine.result(command, 180)
    assert moved["exit"] == 0, moved
    assert sorted(moved["moved"]["records"]) == [f"{BROKEN}.plist", f"{UDID}.plist"]
    parent, _, name = moved["moved"]["folder"].rpartition("/")
    assert parent == "ProgramData/Apple" and name.startswith("Lockdown-moved-")
    assert machine.run(command).status == 6  # used up
    image = pc.part(1)
    assert pc.shop.ntfs_names(image, LOCKDOWN) == sorted([f"{OTHER}.plist", f"{OLD}.plist",
                                                          "SystemConfiguration.plist", "notes.txt"])
    assert pc.shop.ntfs_names(image, moved["moved"]["folder"]) == [f"{BROKEN}.plist", f"{UDID}.plist"]
    assert pc.shop.ntfs_bytes(image, f"{LOCKDOWN}/{OTHER}.plist") == pc.good
    assert pc.shop.ntfs_names(image, "ProgramData/Apple") == ["Lockdown", name]
    computer = look(machine)
    assert volume(computer, "Windows")["condition"] == "ok"  # closed properly: not dirty
    assert set(records(volume(computer, "Windows"))) == {OTHER, OLD}
    assert pc.changed() == ["internal"]


def test_all_records_of_linux_are_moved(machine, pc):
    linux = volume(look(machine), "Linux")
    moved = machine.result(f"idevicerescue --json host reset {linux['id']} --all-records "
                           f"--consent {linux['token']}", 180)
    assert moved["exit"] == 0 and len(moved["moved"]["records"]) == 2, moved
    image = pc.part(2)
    assert pc.shop.ext4_names(image, "var/lib/lockdown") == ["SystemConfiguration.plist"]
    assert pc.shop.ext4_names(image, moved["moved"]["folder"]) == [f"{OTHER}.plist", f"{UDID}.plist"]
    assert pc.shop.ext4_bytes(image, f"{moved['moved']['folder']}/{UDID}.plist") == pc.good
    pc.shop.check_ext4(image)
    assert "token" not in volume(look(machine), "Linux")
    assert pc.changed() == ["internal"]


def test_a_phone_that_works_here_says_whose_fault_it_is(machine):
    computer = look(machine)
    assert computer["conclusion_id"] == "no-phone" and "unknown" in computer and "conclusion" not in computer
    listed = until(lambda: machine.run("idevice_id -l").stdout, lambda text: UDID in text, seconds=180)
    assert UDID in listed
    machine.phone(0).control("trust")
    trusted = until(lambda: [phone["trust"] for phone in machine.phones()], lambda found: found == ["trusted"], 180)
    assert trusted == ["trusted"]
    computer = look(machine)
    # Windows keeps none of it any more, the volume that is to be checked a damaged one
    dirty = records(volume(computer, "Dirty"))
    assert dirty[UDID]["phone"] == machine.phones()[0]["label"] and "phone" not in dirty[OTHER]
    assert computer["conclusion_id"] == "works-broken"
    assert "damaged" in computer["conclusion"] and "works on this very computer" in computer["conclusion"]
    assert {advice["system"] for advice in computer["advice"]} == {"windows", "linux", "macos"}
