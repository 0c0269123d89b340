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


def of_the_phone(fields):
    """In Port DFU irecovery names the model right, but prints the other numbers as they stand in the USB string: those
    of the debug port's chip, with the phone's chip and board shifted into BDID (libirecovery 1.3.1). We show the
    phone's, and nothing of the other chip."""
    whole = fields["bdid"]
    own = {key: value for key, value in fields.items() if key not in ("cpfm", "cprv", "ecid", "ibfl", "scep")}
    return {**own, "cpid": whole >> 8 & 0xFFFF, "bdid": whole >> 24 & 0xFF}


@pytest.mark.parametrize("name", NAMES)
def test_named_right_and_irecovery_agrees(machine, name):
    phone = machine.phone(NAMES.index(name))
    phone.control("plug")
    machine.settle()
    listed = machine.phones()
    assert [(one.get("product"), one["mode"]) for one in listed] == [PHONES[name]]
    theirs = irecovery_fields(machine.ok("irecovery -q"))
    if PHONES[name][1] == "port-dfu":
        theirs = of_the_phone(theirs)
    ours = our_fields(machine.result(f"idevicerescue show {listed[0]['key']} --ask --json")["phone"])
    assert ours == theirs
    phone.control("unplug")
    machine.settle()
    assert machine.phones() == []
