# SPDX-License-Identifier: GPL-3.0-or-later
"""The system around the program: disks are left alone, the data partition is found, services come back, the network
works, and without a test's credentials nothing of the test channel is there."""

import hashlib
import json
import pathlib
import shutil
import subprocess
import time

import pytest

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
MIB = 1 << 20


def make_disk(path, partitions):
    """A GPT disk: (name, mib, command that formats a file of that size) in turn."""
    lines, start = ["label: gpt"], 1
    for name, mib, _ in partitions:
        lines.append(f"start={start}MiB, size={mib}MiB, type={BASIC_DATA}, name={name}")
        start += mib
    with open(path, "wb") as disk:
        disk.truncate((start + 1) * MIB)
    subprocess.run(["sfdisk", "--quiet", path], input="\n".join(lines), text=True, check=True)
    start = 1
    for _, mib, formatter in partitions:
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            file.truncate(mib * MIB)
        subprocess.run([*formatter, part], check=True, capture_output=True)
        with open(path, "r+b") as disk:
            disk.seek(start * MIB)
            disk.write(part.read_bytes())
        part.unlink()
        start += mib


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def disks():
    folder = TREE / "build/run" / f"disks-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    stick, internal = folder / "stick.img", folder / "internal.img"
    make_disk(stick, [("RESCUEDATA", 64, ["mkfs.exfat", "-L", "RESCUEDATA"])])
    # the PC's own: Windows' and Linux' kind, and one that only pretends to be ours by its label
    make_disk(internal, [("Windows", 40, ["mkfs.exfat", "-L", "Windows"]),
                         ("Linux", 40, ["mkfs.ext4", "-q", "-L", "root"]),
                         ("Other", 40, ["mkfs.exfat", "-L", "RESCUEDATA"])])
    yield stick, internal, digest(internal)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def machine(power_on, disks):
    stick, internal, _ = disks
    extra = ["-drive", f"if=none,id=stick,format=raw,file={stick}",
             "-device", "usb-storage,bus=usb0.0,port=2,drive=stick",
             "-drive", f"if=none,id=internal,format=raw,file={internal}", "-device", "ide-hd,drive=internal"]
    booted = power_on(firmware="direct", phones=["iphone13-recovery"], qemu=extra)
    yield booted
    booted.shutdown()


def test_data_partition_is_mounted_and_keeps_what_is_written(machine, disks):
    line = machine.ok("timeout 30 bash -c 'until findmnt -n -o FSTYPE,OPTIONS /data; do sleep 0.5; done'")
    assert line.startswith("exfat") and "nodev" in line and "nosuid" in line
    plan = machine.result("idevicerescue --json plan 'iPhone 13' exit-recovery")["plan"]
    assert (plan["room"]["folder"], plan["room"]["lasting"]) == ("/data/idevicerescue", True)
    machine.ok("test -d /data/idevicerescue/jobs && test -d /data/idevicerescue/firmware")
    machine.ok("echo 'kept on the stick' >/data/story.txt && sync")
    machine.ok("umount /data")
    assert b"kept on the stick" in disks[0].read_bytes()


def test_internal_disks_are_never_mounted_nor_written(machine, disks):
    listed = json.loads(machine.ok("lsblk --json -o NAME,PARTLABEL,MOUNTPOINTS"))
    for disk in listed["blockdevices"]:
        for part in disk.get("children", []):
            if part["partlabel"] in ("Windows", "Linux", "Other"):
                assert not [m for m in part["mountpoints"] if m], part
    assert machine.ok("cat /proc/swaps").count("\n") == 1
    assert digest(disks[1]) == disks[2], "something was written since before the start"


def test_network_by_dhcp_with_names_and_time(machine):
    routable = "networkctl --no-pager --no-legend list | grep -q routable"
    machine.ok(f"timeout 40 bash -c 'until {routable}; do sleep 0.5; done'")
    assert "10.0.2.15" in machine.ok("ip -4 -brief address 2>/dev/null || networkctl status --no-pager")
    assert "10.0.2.3" in machine.ok("cat /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null")
    assert machine.ok("systemctl is-active systemd-timesyncd").strip() == "active"


def test_service_comes_back_after_a_crash(machine):
    old = machine.ok("systemctl show -P MainPID idevicerescue").strip()
    machine.ok(f"kill -SEGV {old}")
    machine.ok(f"timeout 60 bash -c 'until [ \"$(systemctl show -P MainPID idevicerescue)\" != {old} ] && "
               "systemctl is-active --quiet idevicerescue; do sleep 0.2; done'")
    machine.settle()
    assert [phone["product"] for phone in machine.phones()] == ["iPhone14,5"]


def until_in_mux(machine, limit=90):
    """Until the one phone is in usbmuxd's list. Where usbmuxd runs and lost it (usbmuxd 1.1.1 on a busy machine), the
    service says so, and the remedy for that is the cable."""
    listed = "idevicerescue list --json | grep -q in_mux.:true"
    waited = f"timeout {limit} bash -c 'until idevice_id -l | grep -q . && {listed}; do sleep 0.5; done'"
    if machine.run(waited, limit + 30).status == 0:
        return
    mux = next(light for light in machine.phones()[0]["lights"] if light["light"] == "mux")
    log = machine.run("journalctl -b --no-pager -n 100").stdout
    assert mux["evidence"] == "usbmuxd does not list it", f"{mux}\n{log}"
    machine.phone(0).control("unplug")
    machine.phone(0).control("plug")
    machine.ok(waited, limit + 30)


def test_usbmuxd_comes_back_and_the_phone_with_it(machine):
    machine.phone(0).control("mode normal")
    machine.settle()
    until_in_mux(machine)
    machine.ok("systemctl kill -s KILL usbmuxd")
    until_in_mux(machine)


def test_usbmuxd_that_hangs_is_started_anew(machine):
    """As it does now and then when a cable is pulled. It is seen and mended without a person."""
    old = machine.ok("systemctl show -P MainPID usbmuxd").strip()
    machine.ok(f"kill -STOP {old}")
    machine.ok(f"timeout 150 bash -c 'until ! [ -d /proc/{old} ]; do sleep 0.5; done'", 180)
    until_in_mux(machine)
    assert "usbmuxd hung and was started anew" in machine.ok("journalctl -b --no-pager -u idevicerescue")
    machine.phone(0).control("mode recovery")
    machine.settle()


def test_watchdog_is_armed_and_the_service_is_no_root(machine):
    shown = machine.ok("systemctl show idevicerescue -p WatchdogUSec -p User -p NoNewPrivileges")
    assert "WatchdogUSec=0" not in shown and "User=idevicerescue" in shown and "NoNewPrivileges=yes" in shown
    users = machine.ok("ps -o user= -C usbmuxd").split()
    assert users == ["usbmux"]


def test_varlink_has_a_second_client(machine):
    text = machine.ok("varlinkctl introspect /run/idevicerescue/socket org.idevicerescue")
    assert text.strip() == (TREE / "tests/unit/golden/service.varlink").read_text().strip()
    reply = json.loads(machine.ok("varlinkctl call -j /run/idevicerescue/socket org.idevicerescue.List '{}'"))
    assert reply["snapshot"]["test"] is True


def test_power_off_is_clean(machine):
    machine.run("systemctl poweroff --no-block")
    with pytest.raises(Exception):
        for _ in range(60):
            machine.run("true", 5)
            time.sleep(1)


def test_without_credentials_the_bare_product_starts(power_on):
    """No test channel, so only the serial line can be looked at: the screen stands, and it does not say TEST."""
    from guest_client import GuestError

    with pytest.raises(GuestError) as silent:
        power_on(firmware="direct", agent=False, phones=["iphone13-recovery"], timeout=75)
    words = str(silent.value)
    assert "iPhone 13" in words and "TEST" not in words
