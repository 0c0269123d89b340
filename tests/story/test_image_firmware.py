# SPDX-License-Identifier: GPL-3.0-or-later
"""The same bytes as a USB stick under legacy BIOS, UEFI and Secure Boot with 1 GB of memory: every scenario is named
right, and the unmodified irecovery agrees with us on every field. One boot for all checks of a firmware."""

import re

import pytest

from irecovery import irecovery_fields, our_fields
from scenarios import PHONES, STRANGERS, plugged

# libirecovery 1.3.1 ends its search for an ECID at the first debug-USB phone it meets, so those are judged in
# test_image_rare.py, one at a time
NAMES = [name for name, (_, mode) in PHONES.items() if mode != "debug-usb"]
@pytest.fixture(scope="module", params=["bios", "uefi", "secureboot"])
def machine(request, power_on):
    """A stick in a PC with 1 GB and every scenario plugged in."""
    booted = power_on(settle=False, firmware=request.param, medium="usb", memory=1024,
                      phones=plugged(NAMES + STRANGERS))
    booted.settle(300)
    booted.firmware = request.param
    yield booted
    booted.shutdown()


def phone_of(machine, name):
    """The listed phone of this scenario, by the ECID that its control socket knows; WTF mode tells none."""
    ecid = machine.phone(NAMES.index(name)).control("state")["ecid"]
    if PHONES[name][1] == "wtf":
        found = [phone for phone in machine.phones() if phone["mode"] == "wtf"]
    else:
        found = [phone for phone in machine.phones() if phone.get("ecid") == ecid]
    assert len(found) == 1, f"{name} {ecid}: {found}"
    return found[0]


def test_every_scenario_is_named_right(machine):
    seen = {name: phone_of(machine, name) for name in NAMES}
    assert {name: (phone.get("product"), phone["mode"]) for name, phone in seen.items()} == \
        {name: PHONES[name] for name in NAMES}


def test_strangers_are_no_phones(machine):
    assert len(machine.phones()) == len(NAMES)
    vendors = machine.ok("cat /sys/bus/usb/devices/*/idVendor").split()
    assert vendors.count("05ac") == len(NAMES) + len(STRANGERS)


@pytest.mark.parametrize("name", [name for name in NAMES if PHONES[name][1] in ("recovery", "dfu")])
def test_irecovery_agrees(machine, name):
    ecid = phone_of(machine, name)["ecid"]
    theirs = irecovery_fields(machine.ok(f"irecovery -q -i {ecid}"))
    shown = machine.result(f"idevicerescue show ecid:{ecid} --ask --json")["phone"]
    assert theirs["ecid"] == int(ecid, 16)
    assert our_fields(shown) == theirs


def test_usbmuxd_lists_the_same_phones(machine):
    """idevice_id is the judge of normal mode."""
    theirs = set(machine.ok("idevice_id -l").split())
    assert theirs == {phone["udid"] for phone in machine.phones() if phone["mode"] in ("normal", "restore")}


def test_firmware_is_what_was_asked_for(machine):
    efi = machine.run("test -d /sys/firmware/efi").status == 0
    assert efi == (machine.firmware != "bios")
    if machine.firmware == "secureboot":
        state = machine.ok("od -An -tu1 -j4 /sys/firmware/efi/efivars/SecureBoot-*").split()
        assert state == ["1"]
        assert "[none]" not in machine.ok("cat /sys/kernel/security/lockdown")


def test_nothing_failed(machine):
    assert machine.ok("systemctl --failed --no-legend --plain") == ""
    assert machine.ok("systemctl is-active idevicerescue usbmuxd systemd-udevd").split() == ["active"] * 3


def test_no_port_is_open(machine):
    """Nobody can connect from outside: every listening TCP socket is bound to loopback; UDP has only what clients of
    DHCP, DNS and NTP use."""
    for line in machine.ok("cat /proc/net/tcp /proc/net/tcp6").splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == "0A":  # TCP_LISTEN
            address = words[1].split(":")[0]
            assert address.endswith("7F") or address == "00000000000000000000000001000000", line
    for line in machine.ok("cat /proc/net/udp /proc/net/udp6").splitlines():
        words = line.split()
        if len(words) > 3 and words[1].count(":") == 1:
            address, port = words[1].split(":")
            assert address.endswith("7F") or int(port, 16) in (68, 546) or words[2].split(":")[1] != "0000", line


def test_screens_show_the_phones(machine):
    """tty1 as the kernel holds it, and what went over the serial line."""
    screen = machine.ok("cat /dev/vcs1")
    assert "iPhone" in screen and "TEST" in screen
    serial = machine.serial_text()
    assert "iPhone" in serial and "TEST" in serial


def test_memory_is_left(machine):
    available = int(re.search(r"^MemAvailable:\s+(\d+)", machine.ok("cat /proc/meminfo"), re.M)[1])
    assert available > 400 * 1024, f"{available // 1024} MB of 1024 are left"
