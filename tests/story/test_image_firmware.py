# SPDX-License-Identifier: GPL-3.0-or-later
"""The same bytes as a USB stick under legacy BIOS, UEFI and Secure Boot with 1 GB of memory. Under Secure Boot every
scenario is named right, and the unmodified irecovery agrees with us on every field; what a phone is does not depend on
the firmware, so the others see one phone of each mode. One boot for all checks of a firmware."""

import re

import pytest

from irecovery import irecovery_fields, our_fields
from scenarios import PHONES, STRANGERS, plugged

# libirecovery 1.3.1 ends its search for an ECID at the first debug-USB phone it meets, so those are judged in
# test_image_rare.py, one at a time
NAMES = [name for name, (_, mode) in PHONES.items() if mode != "debug-usb"]
# usbmuxd on an emulated PC loses some of thirty that are plugged in at once, and for each new one both usbmuxd and we
# make keys
AT_ONCE = 6
EACH_MODE = ["iphone6-wtf", "iphone7", "iphone13-recovery", "iphone13-restore", "iphone16-port-dfu", "ipad9-dfu"]
GROUPS = {"bios": [EACH_MODE], "uefi": [EACH_MODE],
          "secureboot": [NAMES[i:i + AT_ONCE] for i in range(0, len(NAMES), AT_ONCE)]}
ASK_TRIES, EXIT_SILENT = 3, 5


@pytest.fixture(scope="module", params=GROUPS)
def machine(request, power_on):
    """A stick in a PC with 1 GB, and its scenarios lying ready beside it."""
    names = [name for group in GROUPS[request.param] for name in group]
    phones = [f"{spec},plugged=no" for spec in plugged(names)]
    booted = power_on(firmware=request.param, medium="usb", memory=1024, phones=phones + STRANGERS)
    booted.firmware = request.param
    booted.names = names
    yield booted
    booted.shutdown()


def control_all(machine, names, line):
    for name in names:
        machine.phone(machine.names.index(name)).control(line)


def ecid_of(machine, name):
    """What the phone itself says; WTF mode and Port DFU do not pass it on."""
    return machine.phone(machine.names.index(name)).control("state")["ecid"]


def test_every_scenario_is_named_right(machine):
    """Some are plugged in at the same moment, then the next ones."""
    for group in GROUPS[machine.firmware]:
        control_all(machine, group, "plug")
        machine.settle(120)
        check_group(machine, group)
        control_all(machine, group, "unplug")
        machine.settle()


def check_group(machine, group):
    listed = machine.phones()
    # two strangers with Apple's vendor id are plugged in all the time and are no phones
    assert len(listed) == len(group)
    seen = sorted((phone.get("product", ""), phone["mode"]) for phone in listed)
    assert seen == sorted(PHONES[name] for name in group), listed
    by_ecid = {phone["ecid"]: (phone.get("product"), phone["mode"]) for phone in listed if "ecid" in phone}
    for name in group:
        if PHONES[name][1] not in ("wtf", "port-dfu"):
            assert by_ecid[ecid_of(machine, name)] == PHONES[name], name
    # the judges: usbmuxd's list, and (once is enough, it does not depend on the firmware) irecovery on every field
    booted = {phone["udid"] for phone in listed if phone["mode"] in ("normal", "restore")}
    assert set(machine.ok("idevice_id -l").split()) == booted
    if machine.firmware == "secureboot":
        for name in group:
            if PHONES[name][1] in ("recovery", "dfu"):
                check_irecovery_agrees(machine, ecid_of(machine, name))


def check_irecovery_agrees(machine, ecid):
    theirs = irecovery_fields(machine.ok(f"irecovery -q -i {ecid}"))
    # an emulated processor that makes keys for other phones may be too slow for the limit of one question
    for _ in range(ASK_TRIES):
        answer = machine.result(f"idevicerescue show ecid:{ecid} --ask --json")
        if answer["exit"] != EXIT_SILENT:
            break
    assert answer["exit"] == 0, answer
    shown = answer["phone"]
    assert theirs["ecid"] == int(ecid, 16)
    assert our_fields(shown) == theirs


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
    control_all(machine, ["iphone13-recovery"], "plug")
    machine.settle()
    screen = machine.ok("cat /dev/vcs1")
    assert "iPhone" in screen and "TEST" in screen
    serial = machine.serial_text()
    assert "iPhone" in serial and "TEST" in serial


def test_memory_is_left(machine):
    available = int(re.search(r"^MemAvailable:\s+(\d+)", machine.ok("cat /proc/meminfo"), re.M)[1])
    assert available > 400 * 1024, f"{available // 1024} MB of 1024 are left"
