# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole restore in the booted image: the unmodified idevicerestore, usbmuxd and kernel of the image before the
simulated phone, over USB. The IPSW is on a second disk, the signing server is reached over the emulated network."""

import pathlib
import subprocess
import sys
import time

import pytest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path += [str(TREE / "tests"), str(TREE / "tests" / "net")]

import apple  # noqa: E402
from ipsw import make_ipsw  # noqa: E402

IMAGE_MIB = 64
PHONES = {"iphone13": "iPhone14,5", "ipad9-dfu": "iPad12,1"}
NEW = {"iPhone14,5": ("18.1", "22B83"), "iPad12,1": ("18.1", "22B83")}
LIMIT_SECONDS = 240  # for one restore
# an emulated processor that shares its core is too slow to see a phone leave for only 1.5 s: libirecovery then takes
# the phone that comes for one that never left
GAP_MS = 4000


@pytest.fixture(scope="module")
def folder():
    """Inside the tree, because the simulated phones and QEMU see it too."""
    path = TREE / "build" / "run" / f"restore-{time.monotonic_ns()}"
    path.mkdir(parents=True)
    yield path
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    path.rmdir()


@pytest.fixture(scope="module")
def ipsw(folder):
    """One file for both phones."""
    path = folder / "both.ipsw"
    make_ipsw.build(path, boards=sorted(NEW), version="18.1", build="22B83", image_bytes=IMAGE_MIB << 20)
    return path


@pytest.fixture(scope="module")
def disk(folder, ipsw):
    """A disk with a FAT file system that holds the IPSW."""
    path = folder / "disk.img"
    with open(path, "wb") as file:
        file.truncate(ipsw.stat().st_size + (64 << 20))
    subprocess.run(["mformat", "-i", path, "-F", "-v", "IPSW", "::"], check=True)
    subprocess.run(["mcopy", "-i", path, ipsw, "::/both.ipsw"], check=True)
    return path


@pytest.fixture(scope="module")
def servers(folder):
    (folder / "net").mkdir()
    with apple.Apple(folder / "net") as running:
        yield running


@pytest.fixture(scope="module")
def machine(power_on, ipsw, disk):
    booted = power_on(firmware="direct", memory=1536, phones=[f"{name},ipsw={ipsw},gap_ms={GAP_MS}" for name in PHONES],
                      qemu=["-drive", f"if=none,id=ipsw,format=raw,readonly=on,file={disk}",
                            "-device", "usb-storage,bus=usb0.0,port=2,drive=ipsw"])
    booted.ok("udevadm wait --timeout=30 /dev/disk/by-label/IPSW && mkdir -p /tmp/ipsw && "
              "mount -o ro /dev/disk/by-label/IPSW /tmp/ipsw")
    # the unmodified programs are the judges here: our own questions would stand in usbmuxd's log
    booted.ok("systemctl stop idevicerescue.service")
    yield booted
    booted.shutdown()


def await_version(phone, build):
    deadline = time.monotonic() + 60
    while True:
        state = phone.control("state")
        if (state["mode"] == "normal" and state["attached"]) or time.monotonic() > deadline:
            assert (state["mode"], state["build"]) == ("normal", build)
            return state
        time.sleep(0.5)


@pytest.mark.parametrize("name, kind", [("iphone13", "erase"), ("ipad9-dfu", "update")])
def test_restore_ends_with_the_new_system(machine, servers, name, kind):
    phone = machine.phone(list(PHONES).index(name))
    before = phone.control("state")
    variant = f"Customer {'Erase' if kind == 'erase' else 'Upgrade'} Install (IPSW)"
    options = f"-e --variant '{variant}'" if kind == "erase" else f"--variant '{variant}'"
    began = time.monotonic()
    done = machine.run(
        f"cd /tmp && idevicerestore -i {before['ecid']} -y -P -d --logfile=/tmp/{name}.log -C /tmp/cache {options} "
        f"--server http://10.0.2.2:{servers.port('tss', 'http')} /tmp/ipsw/both.ipsw", timeout=600)
    took = time.monotonic() - began
    assert done.status == 0, done.stdout[-3000:] + machine.run(f"tail -n 40 /tmp/{name}.log").stdout
    assert "Status: Restore Finished" in done.stdout
    assert "Unable to successfully restore device" not in done.stdout
    after = await_version(phone, NEW[PHONES[name]][1])
    assert (after["erases"], after["updates"]) == ((1, 0) if kind == "erase" else (0, 1))
    assert (after["files"] == before["files"]) == (kind == "update")
    assert took < LIMIT_SECONDS


def test_usbmuxd_does_not_complain(machine):
    log = machine.ok("journalctl -b --no-pager -u usbmuxd | grep -E '\\]\\[[012]\\]' || true").splitlines()
    assert [line for line in log if "Failed to read '/var/lib/lockdown/" not in line] == []
