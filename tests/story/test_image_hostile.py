# SPDX-License-Identifier: GPL-3.0-or-later
"""Serial strings that no honest phone has, twelve phones at once, and a phone that talks to nobody."""

import json

import pytest

HOSTILE = {
    "hostile-control": "recovery",
    "hostile-ecid-not-hex": "dfu",
    "hostile-empty": "dfu",
    "hostile-long": "recovery",
    "hostile-normal": "normal",
    "hostile-open-bracket": "recovery",
    "hostile-product-text": "dfu",
    "hostile-wide": "recovery",
}
HONEST = ["iphone13-recovery", "iphone7-dfu", "ipad9-recovery", "iphone16-recovery"]


@pytest.fixture(scope="module")
def machine(power_on):
    booted = power_on(firmware="direct", settle=False, phones=list(HOSTILE) + HONEST)
    booted.settle(120)
    yield booted
    booted.shutdown()


def test_all_twelve_are_listed_with_their_mode(machine):
    phones = machine.phones()
    assert len(phones) == len(HOSTILE) + len(HONEST) == 12
    expected = [*HOSTILE.values(), "recovery", "dfu", "recovery", "recovery"]
    assert sorted(phone["mode"] for phone in phones) == sorted(expected)


def test_no_foreign_control_character_reaches_a_screen(machine):
    for command in ("idevicerescue list", "idevicerescue list --json"):
        text = machine.ok(command)
        assert not [c for c in text if ord(c) < 0x20 and c != "\n" or 0x7F <= ord(c) < 0xA0]


def test_a_wrong_number_is_absent_not_guessed(machine):
    phones = machine.phones()
    ecids = [phone.get("ecid") for phone in phones]
    assert "0xffffffffffffffff" not in ecids
    assert "0x0000000000000000" not in ecids
    assert len([ecid for ecid in ecids if ecid]) == len({ecid for ecid in ecids if ecid})


def test_each_can_be_shown_by_its_key(machine):
    for phone in machine.phones():
        shown = machine.result(f"idevicerescue show '{phone['key']}' --json")
        assert shown["exit"] == 0 and shown["phone"]["port"] == phone["port"], json.dumps(shown)


def test_the_service_is_unharmed(machine):
    assert machine.ok("systemctl show -P NRestarts idevicerescue").strip() == "0"
    words = "assert|dumped core|killed"
    assert machine.run(f"journalctl -b -u idevicerescue --grep '{words}' --quiet").stdout == ""
