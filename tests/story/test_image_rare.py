# SPDX-License-Identifier: GPL-3.0-or-later
"""Modes whose USB strings do not name the phone: debug-USB (KIS) and Port DFU, which a worker must ask, and WTF, which
has no ECID. One phone is plugged in at a time, because libirecovery cannot tell such phones apart."""

import pytest

from irecovery import irecovery_fields, our_fields
from scenarios import PHONES, plugged

NAMES = ["iphone14pro-debug-usb", "iphone16-debug-usb", "iphone16-port-dfu", "iphone6-wtf"]


@pytest.fixture(scope="module")
def machine(power_on):
    booted = power_on(firmware="direct", phones=[f"{spec},plugged=no" for spec in plugged(NAMES)])
    yield booted
    booted.shutdown()


@pytest.mark.parametrize("name", NAMES)
def test_named_right_and_irecovery_agrees(machine, name):
    phone = machine.phone(NAMES.index(name))
    phone.control("plug")
    machine.settle()
    listed = machine.phones()
    assert [(one.get("product"), one["mode"]) for one in listed] == [PHONES[name]]
    theirs = irecovery_fields(machine.ok("irecovery -q"))
    ours = our_fields(machine.result(f"idevicerescue show {listed[0]['key']} --ask --json")["phone"])
    assert ours == theirs
    phone.control("unplug")
    machine.settle()
    assert machine.phones() == []
