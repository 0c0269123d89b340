# SPDX-License-Identifier: GPL-3.0-or-later
"""200 random plug, unplug and mode-change events in one boot: the fleet ends right, no phone is doubled or lost, and
the service's memory does not grow."""

import os
import random
import time

from scenarios import PHONES, plugged

EVENTS = 200
NAMES = ["iphone6s", "iphone7-recovery", "iphone13", "iphone16-dfu", "ipad9-recovery", "ipad-pro11-m4"]
MODES = ["normal", "recovery", "dfu"]


def service_memory_kb(machine):
    return int(machine.ok("awk '/^Rss:/ { print $2 }' /proc/$(systemctl show -P MainPID idevicerescue)/smaps_rollup"))


def test_storm(power_on):
    seed = int(os.environ.get("IDR_SEED", "20261121"))
    dice = random.Random(seed)
    machine = power_on(firmware="direct", phones=plugged(NAMES))
    products = {machine.phone(i).control("state")["ecid"]: PHONES[name][0] for i, name in enumerate(NAMES)}
    before = service_memory_kb(machine)
    pid = machine.ok("systemctl show -P MainPID idevicerescue")
    for number in range(EVENTS):
        phone = machine.phone(dice.randrange(len(NAMES)))
        plugged_in = phone.control("state")["plugged"]
        if not plugged_in:
            phone.control("plug")
        elif dice.random() < 0.4:
            phone.control("unplug")
        else:
            phone.control(f"mode {dice.choice(MODES)}")
        if dice.random() < 0.3:
            time.sleep(dice.random())  # some events fall on top of each other, some do not
        if number % 50 == 49:
            check(machine, products, f"seed {seed}, event {number}")
    after = service_memory_kb(machine)
    assert machine.ok("systemctl show -P MainPID idevicerescue") == pid, "the service was started again"
    assert after <= before + 512, f"seed {seed}: {before} kB before, {after} kB after {EVENTS} events"
    assert machine.ok("systemctl --failed --no-legend --plain") == ""
    machine.shutdown()


def check(machine, products, where):
    """What the phones say of themselves is what the service lists, once each."""
    machine.settle(90)
    deadline = time.monotonic() + 60
    while True:  # a phone whose first question was cut off by its next mode is asked again seconds later
        states = [machine.phone(i).control("state") for i in range(len(NAMES))]
        expected = sorted((state["ecid"], products[state["ecid"]], state["mode"]) for state in states
                          if state["attached"])
        listed = sorted((phone.get("ecid", ""), phone.get("product", ""), phone["mode"]) for phone in machine.phones())
        if listed == expected or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert listed == expected, where
