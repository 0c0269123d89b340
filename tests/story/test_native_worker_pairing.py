# SPDX-License-Identifier: GPL-3.0-or-later
"""One owner of pairing: the worker `trust` beside the unmodified usbmuxd, whose preflight pairs by itself, on a
stand-in for libusb. The phone's own log tells how often it was paired, and by whom."""

import os
import plistlib

import pytest

from test_native_judges_usb import Bus, Usbmuxd
from worker_bed import WorkerRun, failure, work

PAIR_S = 60
BUSY_LOAD = 2  # for each processor
LAST_NOTICE = "com.apple.mobile.lockdown.request_host_buid"  # that usbmuxd's preflight observes


@pytest.fixture()
def bus():
    made = Bus("simphone-asan")
    made.usbmuxd = Usbmuxd(made)
    yield made
    made.remove()


def environment(bus):
    return {**bus.environment, "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=16"}


def await_preflight(bus, phone, after=0):
    """usbmuxd lists the phone and has asked; it listens before the hand taps, or it would not hear of it."""
    bus.usbmuxd.await_phones([phone.udid])
    if phone.state()["dialog"] == "asking" and not phone.seen("lockdown", error="PasswordProtected"):
        phone.wait_event("notification-proxy", after=after, command="ObserveNotification", name=LAST_NOTICE)


def plug(bus, **settings):
    """A phone that usbmuxd lists: its preflight has asked, and may wait for an answer."""
    phone = bus.plug("iphone13", **settings)
    await_preflight(bus, phone)
    return phone


def replug(bus, phone):
    phone.control("unplug")
    bus.usbmuxd.await_phones([])
    after = len(phone.events())
    phone.control("plug")
    await_preflight(bus, phone, after)


def trust(bus, phone, action):
    return work("trust", environment(bus), udid=phone.udid, action=action)


def pairing(bus, phone, limit_s=PAIR_S):
    return WorkerRun("trust", environment(bus), udid=phone.udid, action="pair", limit_s=limit_s)


def forget(bus, phone):
    return work("record", environment(bus), action="forget", udid=phone.udid)


def record(bus, phone):
    return plistlib.loads((bus.folder / "lib/lockdown" / f"{phone.udid}.plist").read_bytes())


def is_busy():
    """usbmuxd then needs longer for its two keys than it is given, and we pair in its place, or both do."""
    return os.getloadavg()[0] > BUSY_LOAD * os.cpu_count()


def assert_by_usbmuxd(result):
    assert result["by"] == "usbmuxd" or is_busy(), result


def assert_sound(bus, phone, times=1):
    """Paired that often, and with the record that is on the disk."""
    paired = phone.seen("paired")
    assert len(paired) == times or len(paired) > times and is_busy(), paired
    assert record(bus, phone)["HostID"] in [one["host"] for one in paired[times - 1:]]
    assert trust(bus, phone, "verify")["trust"] == "trusted"
    assert "SUCCESS" in bus.ok("idevicepair", "-u", phone.udid, "validate")


def test_preflight_asks_and_takes_the_answer(bus):
    """The dialog that usbmuxd raised: the tap is usbmuxd's, and we only watch."""
    phone = plug(bus)
    assert phone.state()["dialog"] == "asking"
    assert trust(bus, phone, "check")["trust"] == "unknown"
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        result = run.result()
    assert result["trust"] == "trusted"
    assert_by_usbmuxd(result)
    assert_sound(bus, phone)


def test_preflight_waits_through_the_passcode(bus):
    phone = plug(bus, passcode="yes")
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("trust tap-only")
        phone.wait_event("dialog", state="passcode")
        phone.control("type")
        assert_by_usbmuxd(run.result())
    assert_sound(bus, phone)


def test_locked_phone_ends_preflight(bus):
    """It starts no notification proxy for a stranger: usbmuxd gives up at once, and the tap is ours."""
    phone = plug(bus, trust="locked")
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "locked"
        phone.control("unlock")
        assert run.event()["trust"] == "asking"
        phone.control("trust tap-only")
        phone.wait_event("dialog", state="passcode")
        phone.control("type")
        assert run.result()["by"] == "us"
    assert_sound(bus, phone)


@pytest.mark.parametrize("start, by", [("asking", "usbmuxd"), ("locked", "us")])
def test_awaiting_ends_with_a_record(bus, start, by):
    """What the service keeps beside each phone that does not trust yet: it tells, and judges nothing."""
    phone = plug(bus, trust=start, passcode="yes")
    with WorkerRun("trust", environment(bus), action="await", udid=phone.udid, limit_s=60) as run:
        if start == "locked":
            assert run.event()["trust"] == "locked"
            phone.control("unlock")
        assert run.event()["trust"] == "asking"
        phone.control("trust tap-only")
        phone.wait_event("dialog", state="passcode")
        phone.control("type")
        result = run.result(60)
    assert (result["trust"], result["record"], result["by"]) == ("unknown", True, by)
    assert_sound(bus, phone)


def test_tapped_while_we_begin(bus):
    """The worker starts in the moment in which usbmuxd takes the answer."""
    phone = plug(bus)
    phone.control("trust")
    with pairing(bus, phone) as run:
        assert_by_usbmuxd(run.result())
    assert run.events == [] or is_busy()
    assert_sound(bus, phone)


def test_both_pair_at_once(bus):
    """The tap comes while our question is on its way: usbmuxd takes the answer and so do we, within one second, with
    one HostID. What stays on the disk must be what the phone believes."""
    phone = plug(bus)
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("set fault lockdown got GetValue/WiFiAddress delay:900")  # the last question before Pair
        phone.wait_event("fault")
        phone.control("trust")
        assert run.result(40)["trust"] == "trusted"
    assert len(phone.seen("paired")) >= 2
    assert record(bus, phone)["HostID"] in phone.state()["host_ids"]
    assert trust(bus, phone, "verify")["trust"] == "trusted"
    assert "SUCCESS" in bus.ok("idevicepair", "-u", phone.udid, "validate")
    assert "SerialNumber: " in bus.ok("ideviceinfo", "-u", phone.udid)


def test_setup_assistant_pairs_before_anybody_sees_the_phone(bus):
    phone = plug(bus, trust="silent")
    with pairing(bus, phone) as run:
        assert_by_usbmuxd(run.result())
    assert_sound(bus, phone)


def test_record_deleted_while_the_phone_stays(bus):
    """Preflight has ended and does not begin again: it is our turn."""
    phone = plug(bus, trust="silent")
    assert forget(bus, phone) == {"ok": True, "forgotten": 1}
    phone.control("set trust asking")
    assert phone.state()["dialog"] == "none"
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        assert run.result()["by"] == "us"
    assert_sound(bus, phone, times=2)


def test_no_notification_proxy_no_preflight(bus):
    """A phone that starts none: usbmuxd has given up, and nobody tells of the tap."""
    phone = plug(bus, service_fail="com.apple.mobile.insecure_notification_proxy PasswordProtected")
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        assert run.result()["by"] == "us"
    assert_sound(bus, phone)


def test_phone_forgot_this_computer(bus):
    """The record is stale: healed by forgetting it here, too."""
    phone = plug(bus, trust="silent")
    phone.control("setup done")
    phone.control("set trust asking")
    phone.control("forget")
    assert trust(bus, phone, "check")["reason"]["code"] == -21
    assert forget(bus, phone)["forgotten"] == 1
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        assert run.result()["by"] == "us"
    assert_sound(bus, phone, times=2)


def test_stale_record_and_a_new_cable(bus):
    """Preflight finds the record stale and asks by itself; we delete the record and leave the tap to it."""
    phone = plug(bus, trust="silent")
    phone.control("set trust asking")
    phone.control("forget")
    replug(bus, phone)
    assert phone.state()["dialog"] == "asking"
    with pairing(bus, phone) as run:
        assert run.event()["event"] == "forgotten"
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        assert_by_usbmuxd(run.result())
    assert_sound(bus, phone, times=2)


def test_denied_and_tapped_after_a_new_cable(bus):
    phone = plug(bus)
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("deny")
        assert run.event()["trust"] == "denied"
        phone.control("unplug")
        assert failure(run.result())[0] == "unplugged"
    replug(bus, phone)
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        assert_by_usbmuxd(run.result())
    assert_sound(bus, phone)


def test_phone_that_leaves_once_when_it_was_trusted(bus):
    phone = plug(bus, reconnect_after_trust="yes")
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        before = len(phone.events())
        phone.control("trust")
        assert_by_usbmuxd(run.result())
    phone.wait_event("attach", after=before)  # the answer may come before it leaves
    bus.usbmuxd.await_phones([phone.udid])
    assert_sound(bus, phone)


def test_store_is_forgotten_beside_usbmuxd(bus):
    """usbmuxd notices, and gives this computer another name."""
    phone = plug(bus, trust="silent")
    old = bus.ok("idevicepair", "systembuid")
    store = {**environment(bus), "IDEVICERESCUE_LOCKDOWN": str(bus.folder / "lib/lockdown")}
    assert work("record", store, action="forget-store") == {"ok": True, "forgotten": 1}
    assert trust(bus, phone, "check")["record"] is False
    with pairing(bus, phone) as run:
        assert run.result()["by"] == "us"
    assert bus.ok("idevicepair", "systembuid") != old
    assert_sound(bus, phone, times=2)


def test_pairing_while_usbmuxd_ends(bus):
    phone = plug(bus)
    with pairing(bus, phone) as run:
        assert run.event()["trust"] == "asking"
        bus.usbmuxd.process.kill()
        assert failure(run.result())[0] == "no-service"


def test_two_phones_at_once(bus):
    phones = [plug(bus), bus.plug("iphone13", unit=2)]
    bus.usbmuxd.await_phones([phone.udid for phone in phones])
    with pairing(bus, phones[0]) as first, pairing(bus, phones[1]) as second:
        assert first.event()["trust"] == second.event()["trust"] == "asking"
        for phone in phones:
            phone.control("trust")
        for run in (first, second):
            assert_by_usbmuxd(run.result())
    for phone in phones:
        assert_sound(bus, phone)
