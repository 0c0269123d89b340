# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker `mode` beside the simulated phone: at usbmuxd's socket, and at its USB door through the stand-in for
libusb. The phone's own log is the judge."""

import itertools
import plistlib

import pytest

from simphone import SimPhone
from worker_bed import WorkerRun, failure, work

U = "00008110-001C20223E29401E"
TO_SYSTEM = ["setenv auto-boot true", "saveenv", "reboot"]


@pytest.fixture()
def simphone(tmp_path):
    """simphone(scenario, **settings) → a running phone, at both doors; its gaps off the bus are short."""
    phones = []

    def begin(scenario="iphone13", **settings):
        phone = SimPhone(tmp_path, scenario, **{"libusb": tmp_path / "bus", "gap_ms": 50, "boot_ms": 50,
                                                "name": f"phone{len(phones)}", **settings})
        phones.append(phone)
        return phone.start()

    yield begin
    for phone in phones:
        phone.stop()


def trusted(simphone, **settings):
    phone = simphone(**settings)
    if phone.run("idevicepair", "pair").returncode != 0:
        phone.control("trust")
        assert phone.run("idevicepair", "pair").returncode == 0
    return phone


def on_mux(phone, action, mode="normal", wait_s=20):
    return work("mode", phone.env(), wait_s, action=action, mode=mode, udid=phone.udid)


def at_place(phone, action, mode="recovery", wait_s=20, **fields):
    return work("mode", phone.env(), wait_s, action=action, mode=mode, **{**place_of(phone), **fields})


def ecid(phone):
    return f"0x{int(phone.state()['ecid'], 16):016x}"


def place_of(phone):
    """Where libusb's programs see the phone: the probe finds it. Each phone of the stand-in has a bus to itself."""
    for bus, address in itertools.product(range(1, 5), range(1, 8)):
        place = {"bus": bus, "address": address}
        if work("probe", phone.env(), mode=phone.state()["mode"], ecid=ecid(phone), **place)["ok"]:
            return place
    raise AssertionError("the phone is nowhere on the bus")


def commands(phone):
    """What iBoot was told."""
    return [event["line"] for event in phone.seen("recovery-command")]


def back_in(phone, mode, after):
    phone.wait_event("attach", after=after, mode=mode)


# ---- to recovery

def test_enter_recovery_plainly(simphone):
    phone = simphone()
    after = len(phone.events())
    assert on_mux(phone, "enter-recovery") == {"ok": True}
    back_in(phone, "recovery", after)
    assert phone.seen("lockdown", request="StartSession") == []


@pytest.mark.parametrize("rule", ["session", "release"])
def test_enter_recovery_in_a_session(simphone, rule):
    phone = trusted(simphone, enter_recovery=rule)
    after = len(phone.events())
    digest = phone.state()["files_digest"]
    assert on_mux(phone, "enter-recovery") == {"ok": True}
    back_in(phone, "recovery", after)
    asked = phone.seen("lockdown", request="EnterRecovery")
    assert [event["error"] for event in asked] == ["SessionInactive", ""]
    assert phone.state()["files_digest"] == digest


def test_enter_recovery_wants_trust_first(simphone):
    phone = simphone(enter_recovery="release")
    assert failure(on_mux(phone, "enter-recovery"))[:2] == ("refused", "lockdownd")
    phone = trusted(simphone, enter_recovery="release", unit=2)
    phone.control("forget")
    pairs = len(phone.seen("lockdown", request="Pair"))
    assert failure(on_mux(phone, "enter-recovery")) == ("refused", "lockdownd", -21)
    assert phone.state()["mode"] == "normal"
    assert len(phone.seen("lockdown", request="Pair")) == pairs


def test_enter_recovery_of_a_phone_that_leaves_without_a_word(simphone):
    phone = simphone(faults=["lockdown got EnterRecovery unplug"])
    udid = phone.udid
    assert work("mode", phone.env(), action="enter-recovery", mode="normal", udid=udid) == {"ok": True}


def test_enter_recovery_of_a_silent_phone(simphone):
    phone = simphone(lockdown_reply="none")
    assert failure(on_mux(phone, "enter-recovery", wait_s=35))[0] == "silent"


# ---- out of recovery

@pytest.mark.parametrize("scenario", ["iphone13-recovery", "iphone7-recovery", "iphone16-recovery"])
def test_exit_recovery(simphone, scenario):
    phone = simphone(scenario)
    digest, after = phone.state()["files_digest"], len(phone.events())
    assert at_place(phone, "exit-recovery", ecid=ecid(phone)) == {"ok": True}
    assert commands(phone) == TO_SYSTEM
    back_in(phone, "normal", after)
    state = phone.state()
    assert (state["files_digest"], state["erases"]) == (digest, 0)


def test_there_and_back_with_everything_kept(simphone):
    phone = trusted(simphone, enter_recovery="release")
    digest, after = phone.state()["files_digest"], len(phone.events())
    assert on_mux(phone, "enter-recovery")["ok"]
    back_in(phone, "recovery", after)
    after = len(phone.events())
    assert at_place(phone, "exit-recovery")["ok"]
    back_in(phone, "normal", after)
    assert phone.state()["files_digest"] == digest
    assert work("trust", phone.env(), udid=phone.udid, action="verify")["trust"] == "trusted"


def test_the_other_phone_is_left_alone(simphone):
    """A phone that asks to be asked over debug USB stands before it, and one of the same kind beside it."""
    debug = simphone("iphone16-debug-usb")
    beside = simphone("iphone13-recovery", unit=2)
    phone = simphone("iphone13-recovery", unit=3)
    assert failure(at_place(phone, "exit-recovery", ecid=ecid(beside)))[0] == "no-phone"
    assert at_place(phone, "exit-recovery", ecid=ecid(phone)) == {"ok": True}
    assert (commands(phone), commands(beside), commands(debug)) == (TO_SYSTEM, [], [])


@pytest.mark.parametrize("word", ["setenv", "saveenv", "reboot"])
def test_exit_recovery_while_the_cable_is_pulled(simphone, word):
    phone = simphone("iphone13-recovery", faults=[f"recovery got {word} unplug"])
    result = at_place(phone, "exit-recovery")
    if word == "reboot":  # who reboots may leave as fast
        assert result == {"ok": True}
    else:
        assert failure(result)[0] in ("unplugged", "protocol")


def test_exit_recovery_of_an_iboot_that_takes_nothing(simphone):
    phone = simphone("iphone13-recovery", faults=["recovery got setenv drop"])
    assert failure(at_place(phone, "exit-recovery", wait_s=28))[0] == "silent"
    assert "reboot" not in commands(phone)


def test_nothing_or_something_else_is_there(simphone):
    phone = simphone("iphone13-recovery")
    assert failure(at_place(phone, "exit-recovery", address=99))[0] == "no-phone"
    place = place_of(phone)
    phone.control("mode normal")
    phone.wait_event(lambda entry: entry["event"] == "attach" and entry["mode"] == "normal")
    gone = work("mode", phone.env(), action="exit-recovery", mode="recovery", **place)
    assert failure(gone)[0] == "no-phone"


# ---- restart

def test_restart_from_normal_mode(simphone):
    phone = trusted(simphone)
    after, boots = len(phone.events()), phone.state()["boots"]
    assert on_mux(phone, "restart") == {"ok": True}
    back_in(phone, "normal", after)
    assert phone.state()["boots"] > boots


def test_restart_while_usbmuxd_ends(simphone):
    """Whether the phone took it, nobody knows; that it did not, nobody saw."""
    phone = trusted(simphone, faults=["diagnostics_relay got Restart stall"])
    with WorkerRun("mode", phone.env(), action="restart", mode="normal", udid=phone.udid) as run:
        phone.wait_event("fault")
        phone.stop()
        assert failure(run.result())[:2] == ("no-service", "usbmuxd")


def test_restart_wants_trust(simphone):
    phone = simphone()
    assert failure(on_mux(phone, "restart"))[:2] == ("refused", "usbmuxd")
    phone = trusted(simphone, unit=2)
    phone.control("set stale_record yes")
    assert failure(on_mux(phone, "restart")) == ("refused", "lockdownd", -21)
    phone.control("set stale_record no")
    phone.control("set service_fail com.apple.mobile.diagnostics_relay ServiceProhibited")
    assert failure(on_mux(phone, "restart")) == ("refused", "lockdownd", -34)


def test_restart_from_recovery(simphone):
    """iBoot's reboot alone: auto-boot stays as it is, and so the phone comes back where it was."""
    phone = simphone("iphone13-recovery")
    after = len(phone.events())
    assert at_place(phone, "restart") == {"ok": True}
    assert commands(phone) == ["reboot"]
    back_in(phone, "recovery", after)


def test_restart_from_restore_mode(simphone):
    phone = simphone("iphone13-restore")
    after = len(phone.events())
    assert on_mux(phone, "restart", mode="restore") == {"ok": True}
    phone.wait_event("restored", request="Reboot")
    phone.wait_event("detach", after=after)


# ---- what only buttons can do, and requests that are none

MUX, PLACE = {"udid": U}, {"bus": 1, "address": 5}


@pytest.mark.parametrize("action,mode", [
    *(("exit-recovery", mode) for mode in ("normal", "restore", "dfu", "wtf", "port-dfu", "debug-usb")),
    *(("enter-recovery", mode) for mode in ("recovery", "restore", "dfu", "wtf", "port-dfu", "debug-usb")),
    *(("restart", mode) for mode in ("dfu", "wtf", "port-dfu", "debug-usb"))])
def test_buttons_only(tmp_path, action, mode):
    place = MUX if mode in ("normal", "restore") else PLACE
    result = work("mode", SimPhone(tmp_path).env(), action=action, mode=mode, **place)
    assert failure(result)[:2] == ("unsupported", "worker")


@pytest.mark.parametrize("fields", [
    {}, {"action": "restart"}, {"mode": "normal", **MUX}, {"action": "restart", "mode": "normal"},
    {"action": "restart", "mode": "unknown", **MUX}, {"action": "restart", "mode": "", **MUX},
    {"action": "erase", "mode": "normal", **MUX}, {"action": None, "mode": "normal", **MUX},
    {"action": "restart", "mode": 1, **MUX}, {"action": "restart", "mode": "normal", "udid": "a b"},
    {"action": "restart", "mode": "normal", **MUX, "bus": 1}, {"action": "restart", "mode": "normal", **MUX, "x": 1},
    {"action": "restart", "mode": "normal", **MUX, "ecid": "0x001c20223e29401e"},
    {"action": "exit-recovery", "mode": "recovery", **MUX}, {"action": "exit-recovery", "mode": "recovery", "bus": 1},
    {"action": "exit-recovery", "mode": "recovery", "bus": 0, "address": 1},
    {"action": "exit-recovery", "mode": "recovery", "bus": 1, "address": 128},
    {"action": "exit-recovery", "mode": "recovery", "bus": "1", "address": 5},
    {"action": "exit-recovery", "mode": "recovery", **PLACE, "ecid": "1c20223e29401e"},
    {"action": "exit-recovery", "mode": "recovery", **PLACE, "ecid": None},
    {"action": "exit-recovery", "mode": "recovery", **PLACE, "udid": U}])
def test_malformed_requests(tmp_path, fields):
    assert failure(work("mode", SimPhone(tmp_path).env(), **fields))[:2] == ("usage", "worker")


def test_no_usbmuxd(tmp_path):
    phone = SimPhone(tmp_path)
    for action in ("restart", "enter-recovery"):
        assert failure(work("mode", phone.env(), action=action, mode="normal", udid=U))[:2] == ("no-service", "usbmuxd")


def test_the_service_hangs_up(simphone):
    phone = simphone(lockdown_reply="none")
    with WorkerRun("mode", phone.env(), action="restart", mode="normal", udid=phone.udid) as run:
        run.socket.close()
        assert run.process.wait(15) == 1
    record = plistlib.dumps({"HostID": "X"})
    (phone.records / f"{phone.udid}.plist").write_bytes(record)
    with WorkerRun("mode", phone.env(), action="restart", mode="normal", udid=phone.udid) as run:
        phone.wait_event("usbmuxd", request="Connect")
        run.socket.close()
        assert run.process.wait(15) == 1
