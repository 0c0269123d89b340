# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust and the services behind it in the booted image, over USB: libimobiledevice's own tools, usbmuxd's preflight and
the kernel before simulated phones. None of our programs takes part. The order of the tests is that of a bench's day."""

import hashlib
import re
import time

import pytest

PHONES = ["iphone13", "iphone7", "ipad9"]
ANNA, OLD, TABLET = range(3)
DOMAINS = ["com.apple.disk_usage", "com.apple.disk_usage.factory", "com.apple.mobile.battery",
           "com.apple.mobile.backup", "com.apple.international", "com.apple.fmip",
           "com.apple.mobile.wireless_lockdown", "com.apple.mobile.iTunes", "com.apple.mobile.chaperone",
           "com.apple.xcode.developerdomain", "com.apple.mobile.data_sync"]


@pytest.fixture(scope="module")
def machine(power_on):
    booted = power_on(firmware="direct", phones=PHONES)
    # usbmuxd makes keys for each phone before it shows it; an emulated processor takes its time
    wanted = {udid_of(booted, index) for index in range(len(PHONES))}
    listed = until(lambda: booted.run("idevice_id -l").stdout, lambda text: wanted == set(text.split()), seconds=180)
    assert set(listed.split()) == wanted
    yield booted
    booted.shutdown()


def udid_of(machine, index):
    udid = machine.phone(index).control("state")["udid"]
    return f"{udid[:8]}-{udid[8:]}" if len(udid) == 24 else udid


def until(question, wanted, seconds=60):
    """Asks until the answer is as wanted; the last answer else."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if wanted(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.3)


def attached(machine, index):
    return until(lambda: machine.phone(index).control("state"),
                 lambda state: state["attached"] and state["mode"] == "normal" and state["configuration"] > 0)


def replug(machine, index):
    """Until the dialog stands on the screen and usbmuxd waits for the tap: one that comes earlier it never hears of."""
    phone = machine.phone(index)
    name = "ObserveNotification/com.apple.mobile.lockdown.request_pair"

    def observed():
        return sum(event["event"] == "message" and event["name"] == name for event in phone.events())

    before = observed()
    for line in ("unplug", "plug"):
        phone.control(line)
    assert until(observed, lambda count: count > before, seconds=180) > before
    assert phone.control("state")["dialog"] == "asking"


def refusal(machine, index):
    said = machine.run(f"idevicepair pair -u {udid_of(machine, index)}")
    assert said.status != 0
    return said.stdout + said.stderr


def test_a_stranger_is_told_what_to_do(machine):
    assert "accept the trust dialog on the screen" in refusal(machine, ANNA)
    machine.phone(OLD).control("passcode set")
    machine.phone(OLD).control("lock")
    assert "a passcode is set" in refusal(machine, OLD)
    machine.phone(OLD).control("unlock")


def await_record(machine, index):
    """usbmuxd's preflight has paired and stored its record. A tool that asked meanwhile would pair a second time."""
    path = f"/var/lib/lockdown/{udid_of(machine, index)}.plist"
    stored = until(lambda: machine.run(f"grep -c HostID {path}").stdout.strip(), lambda text: text == "1", seconds=180)
    assert stored == "1"


def test_tapping_trust_is_enough(machine):
    """usbmuxd's preflight hears of the tap and pairs; no tool takes part."""
    for index in (ANNA, OLD, TABLET):
        until(lambda: machine.phone(index).control("state"), lambda state: state["dialog"] == "asking", seconds=180)
        machine.phone(index).control("trust")
        await_record(machine, index)
        udid = udid_of(machine, index)
        said = machine.run(f"idevicepair validate -u {udid}")
        assert f"SUCCESS: Validated pairing with device {udid}" in said.stdout, said
        assert machine.phone(index).control("state")["hosts"] == 1
    listed = machine.ok("idevicepair list").split()
    assert {udid_of(machine, index) for index in (ANNA, OLD, TABLET)} <= set(listed)


def test_every_value_and_domain_is_read(machine):
    udid = udid_of(machine, ANNA)
    plain = len(machine.ok(f"ideviceinfo -s -u {udid}").splitlines())
    full = machine.ok(f"ideviceinfo -u {udid}")
    assert len(full.splitlines()) > plain + 20
    assert f"SerialNumber: {machine.phone(ANNA).control('state')['serial']}" in full
    for domain in DOMAINS:
        assert machine.run(f"ideviceinfo -u {udid} -q {domain}").status == 0, domain
    assert "BatteryCurrentCapacity: 80" in machine.ok(f"ideviceinfo -u {udid} -q com.apple.mobile.battery")


def test_name_and_clock(machine):
    udid = udid_of(machine, OLD)
    machine.ok(f"idevicename -u {udid} 'Bench phone 7'")
    assert machine.ok(f"idevicename -u {udid}").strip() == "Bench phone 7"
    machine.ok(f"idevicedate -u {udid} -s 1700000000")
    assert "2023" in machine.ok(f"idevicedate -u {udid}")


def test_files_go_and_come_back(machine):
    udid = udid_of(machine, TABLET)
    assert "100APPLE" in machine.ok(f"afcclient -u {udid} -- ls /DCIM")
    hashed = machine.ok("head -c 300000 /dev/urandom >/tmp/put && sha256sum </tmp/put").split()[0]
    machine.ok(f"afcclient -u {udid} -- put /tmp/put /Downloads/put.bin")
    machine.ok(f"rm -f /tmp/get && afcclient -u {udid} -- get /Downloads/put.bin /tmp/get")
    assert machine.ok("sha256sum </tmp/get").split()[0] == hashed != hashlib.sha256(b"").hexdigest()


def test_diagnostics(machine):
    udid = udid_of(machine, ANNA)
    assert "CycleCount" in machine.ok(f"idevicediagnostics -u {udid} diagnostics All")
    assert "DesignCapacity" in machine.ok(f"idevicediagnostics -u {udid} ioregentry AppleSmartBattery")


def test_usbmuxd_does_not_complain(machine):
    """Up to here no cable was pulled. A client that asks for the record of a phone never paired is no complaint."""
    log = machine.ok("journalctl -b --no-pager -u usbmuxd | grep -E '\\]\\[[012]\\]' || true").splitlines()
    # nor is it one that a program hung up before it had read all
    known = re.compile(r"Failed to read '/var/lib/lockdown/|"
                       r"client_write: sending to fd \d+ failed: Broken pipe|"
                       r"connection_teardown: aborting buffer flush to client after error\.$")
    assert [line for line in log if not known.search(line)] == []


def test_trust_outlives_a_restart(machine):
    udid, phone = udid_of(machine, ANNA), machine.phone(ANNA)
    boots = phone.control("state")["boots"]
    machine.ok(f"idevicediagnostics -u {udid} restart")
    until(lambda: phone.control("state"), lambda state: state["boots"] > boots)
    attached(machine, ANNA)
    said = until(lambda: machine.run(f"idevicepair validate -u {udid}"), lambda done: done.status == 0)
    assert said.status == 0, said
    assert phone.control("state")["hosts"] == 1


def test_recovery_by_a_trusted_host_and_back(machine):
    state = machine.phone(OLD).control("state")
    machine.ok(f"ideviceenterrecovery {state['udid']}")
    until(lambda: machine.phone(OLD).control("state"),
          lambda now: now["mode"] == "recovery" and now["configuration"] > 0)
    until(lambda: machine.run(f"irecovery -n -i {state['ecid']}"), lambda done: done.status == 0)
    attached(machine, OLD)
    said = until(lambda: machine.run(f"idevicepair validate -u {state['udid']}"), lambda done: done.status == 0)
    assert said.status == 0, said


def test_a_phone_that_forgot_is_paired_anew(machine):
    """Reset Location & Privacy: the record is worth nothing. Deleting it and tapping Trust again heals."""
    udid, phone = udid_of(machine, TABLET), machine.phone(TABLET)
    phone.control("forget")
    refused = machine.run(f"ideviceinfo -u {udid}")
    assert refused.status != 0
    assert phone.control("state")["hosts"] == 0
    # `idevicepair unpair` keeps the record of a phone that does not know it
    machine.ok(f"rm /var/lib/lockdown/{udid}.plist")
    replug(machine, TABLET)
    phone.control("trust")
    await_record(machine, TABLET)
    assert machine.run(f"idevicepair validate -u {udid}").status == 0


def test_a_phone_that_was_denied_says_so(machine):
    phone = machine.phone(TABLET)
    phone.control("forget")
    machine.ok(f"rm /var/lib/lockdown/{udid_of(machine, TABLET)}.plist")
    replug(machine, TABLET)
    phone.control("deny")
    assert "user denied the trust dialog" in refusal(machine, TABLET)
