# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers `trust` and `record` beside the simulated phone at usbmuxd's socket; its own log is the judge of what was
asked of it. Who pairs when usbmuxd does, too: test_native_worker_pairing.py."""

import plistlib
import subprocess

import pytest

from simphone import SimPhone
from worker_bed import WorkerRun, failure, work

PAIR_S = 30


@pytest.fixture()
def simphone(tmp_path):
    """simphone(**settings) → a running iPhone 13."""
    phones = []

    def begin(**settings):
        phone = SimPhone(tmp_path, "iphone13", **{"libusb": True, **settings})
        phones.append(phone)
        return phone.start()

    yield begin
    for phone in phones:
        phone.stop()


def trusted(simphone, **settings):
    """A phone that idevicepair was let pair with."""
    phone = simphone(**settings)
    if phone.run("idevicepair", "pair").returncode != 0:
        phone.control("trust")
        assert phone.run("idevicepair", "pair").returncode == 0
    return phone


def trust(phone, action, wait_s=20):
    return work("trust", phone.env(), wait_s, udid=phone.udid, action=action)


def pairing(phone, limit_s=PAIR_S):
    return WorkerRun("trust", phone.env(), udid=phone.udid, action="pair", limit_s=limit_s)


def record_path(phone):
    return phone.records / f"{phone.udid}.plist"


def pairs_asked(phone):
    return len(phone.seen("lockdown", request="Pair"))


def stranger_check(phone, code, word, reason=None):
    """check says so, and the phone was never asked to pair."""
    before = pairs_asked(phone)
    result = trust(phone, "check")
    assert (result["ok"], result["trust"], result["record"]) == (True, word, True), result
    assert (result["reason"]["origin"], result["reason"]["code"]) == ("lockdownd", code)
    assert result["reason"]["text"]
    assert result["identity"] == {"udid": phone.udid}
    assert pairs_asked(phone) == before
    assert phone.state()["dialog"] in ("none", "trusted")
    return result


# ---- check

def test_check_without_a_record(simphone):
    phone = simphone()
    result = trust(phone, "check")
    assert (result["trust"], result["record"], result["reason"]["origin"]) == ("unknown", False, "usbmuxd")
    assert (result["reach"], result["record_broken"]) == ("lockdown", False) and "detail" not in result
    assert pairs_asked(phone) == 0 and phone.state()["dialog"] == "none"


@pytest.mark.parametrize("rule", ["locked", "escrow"])
def test_check_of_a_locked_stranger(simphone, rule):
    """Known without a record and without a Pair. Before the first unlock a stranger is told no more than after it."""
    phone = simphone(trust=rule)
    result = trust(phone, "check")
    assert (result["trust"], result["record"], result["reach"]) == ("locked", False, "lockdown")
    assert (result["detail"], result["reason"]["code"]) == ("passcode", -17)
    assert pairs_asked(phone) == 0 and phone.state()["dialog"] == "none"
    phone.control("unlock")
    assert trust(phone, "check")["trust"] == "unknown"


def test_check_of_a_trusting_phone(simphone):
    phone = trusted(simphone, arguments=["--set", "name=Anna’s iPhone"], battery_percent=73)
    asked = pairs_asked(phone)
    result = trust(phone, "check")
    said = dict(line.split(": ", 1) for line in phone.run("ideviceinfo").stdout.splitlines() if ": " in line)
    disk = phone.run("ideviceinfo", "-q", "com.apple.disk_usage", "-k", "TotalDiskCapacity").stdout
    charging = phone.run("ideviceinfo", "-q", "com.apple.mobile.battery", "-k", "BatteryIsCharging").stdout
    identity = result.pop("identity")
    assert result == {"ok": True, "trust": "trusted", "record": True, "record_broken": False, "reach": "service"}
    free = phone.run("ideviceinfo", "-q", "com.apple.disk_usage", "-k", "AmountDataAvailable").stdout
    assert identity == {
        "udid": phone.udid, "ecid": f"0x{int(said['UniqueChipID']):016x}", "product": said["ProductType"],
        "board": said["HardwareModel"], "name": "Anna’s iPhone", "version": said["ProductVersion"],
        "build": said["BuildVersion"], "serial_number": said["SerialNumber"], "capacity_bytes": int(disk),
        "battery_percent": 73, "battery_charging": charging == "true\n", "free_bytes": int(free),
        "activation": said["ActivationState"], "passcode_set": said["PasswordProtected"] == "true",
        "setup_done": True, "supervised": False}
    assert pairs_asked(phone) == asked


@pytest.mark.parametrize("knob,code,detail", [
    ("stale_record yes", -21, None), ("buid_mismatch yes", -21, None), ("missing_pair_record yes", -29, None),
    ("tls close", -5, "tls-refused"), ("tls alert", -5, "tls-refused"), ("tls other_ca", -5, "tls-refused"),
    ("tls newer", -5, "tls-protocol"), ("tls garbage", -5, "tls-protocol")])
def test_check_of_a_stale_record(simphone, knob, code, detail):
    phone = trusted(simphone)
    phone.control(f"set {knob}")
    result = stranger_check(phone, code, "stale")
    assert (result["reach"], result.get("detail")) == ("record", detail)
    assert record_path(phone).exists()


def test_check_of_a_certificate_that_is_refused_at_once(simphone):
    phone = trusted(simphone, version="12.5.7")  # a system before TLS 1.3
    phone.control("set tls other_ca")
    assert "alert 42" in stranger_check(phone, -5, "stale")["reason"]["text"]


def test_check_against_the_clock(simphone, tmp_path):
    """A record from the future: this computer's clock is wrong, or was."""
    phone = trusted(simphone)
    record = plistlib.loads(record_path(phone).read_bytes())
    key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    (tmp_path / "key").write_bytes(key)
    made = subprocess.run(["openssl", "req", "-x509", "-key", tmp_path / "key", "-subj", "/CN=x", "-not_before",
                           "20600101000000Z", "-not_after", "20700101000000Z"], capture_output=True, check=True)
    record_path(phone).write_bytes(plistlib.dumps({**record, "RootCertificate": made.stdout, "RootPrivateKey": key}))
    result = stranger_check(phone, -5, "stale")
    assert result["detail"] == "clock" and "clock" in result["reason"]["text"] and not result["record_broken"]


@pytest.mark.parametrize("knob,kind,trust_word,code,detail", [
    ("service_fail com.apple.mobile.notification_proxy EscrowLocked", "locked", "locked", -35, "escrow"),
    ("service_fail com.apple.mobile.notification_proxy PasswordProtected", "locked", "locked", -17, "passcode"),
    ("service_fail com.apple.mobile.notification_proxy ServiceLimit", "busy", "trusted", -28, None),
    ("service close", "protocol", "trusted", None, None), ("service tls_fails", "protocol", "trusted", None, None),
    ("service wrong_port", "protocol", "trusted", None, None)])
def test_check_when_no_service_starts(simphone, knob, kind, trust_word, code, detail):
    """A session opens, and no more."""
    phone = trusted(simphone)
    phone.control(f"set {knob}")
    result = trust(phone, "check")
    assert (result["trust"], result["reach"], result.get("detail")) == (trust_word, "session", detail)
    assert result["reason"]["kind"] == kind and code in (None, result["reason"]["code"])


def test_check_of_a_phone_that_was_not_unlocked_since_it_started(simphone):
    """The session opens and the notification proxy starts; the user's files do not."""
    phone = trusted(simphone, passcode="yes", time_scale_percent=5)
    phone.control("button restart")
    phone.wait_event("detach")
    phone.wait_event("attach", after=phone.events().index(phone.seen("detach")[-1]), mode="normal")
    result = trust(phone, "check")
    assert (result["trust"], result["detail"], result["reach"]) == ("locked", "escrow", "service"), result
    assert result["reason"]["code"] == -35
    phone.control("unlock")
    assert trust(phone, "check")["trust"] == "trusted"


def test_check_of_a_phone_in_setup_and_one_that_is_not_activated(simphone):
    phone = trusted(simphone, trust="silent")
    result = trust(phone, "check")
    assert (result["trust"], result["detail"], result["identity"]["setup_done"]) == ("trusted", "setup", False)
    phone = trusted(simphone, name="two", unactivated="yes")
    result = trust(phone, "check")
    assert (result["detail"], result["identity"]["activation"]) == ("not-activated", "Unactivated")


def test_a_record_that_others_replace(simphone):
    """While we ask with one record, somebody puts another one into its place: asked once more with that one."""
    phone = trusted(simphone)
    old = record_path(phone).read_bytes()
    phone.control("forget")
    record_path(phone).unlink()
    if phone.run("idevicepair", "pair").returncode != 0:
        phone.control("trust")
        assert phone.run("idevicepair", "pair").returncode == 0
    new = record_path(phone).read_bytes()
    assert old != new
    record_path(phone).write_bytes(old)
    phone.control("set fault lockdown got StartSession delay:700")
    with WorkerRun("trust", phone.env(), udid=phone.udid, action="check") as run:
        phone.wait_event("fault")
        record_path(phone).write_bytes(new)
        assert run.result()["trust"] == "trusted"


def test_check_after_the_phone_forgot(simphone):
    phone = trusted(simphone)
    phone.control("forget")
    stranger_check(phone, -21, "stale")


@pytest.mark.parametrize("error,code,word", [
    ("PasswordProtected", -17, "locked"), ("EscrowLocked", -35, "locked"), ("GetProhibited", -13, "locked"),
    ("UserDeniedPairing", -18, "denied"), ("PairingDialogResponsePending", -19, "asking"),
    ("InvalidPairRecord", -31, "stale"), ("PairingProhibitedOverThisConnection", -36, "refused-by-policy"),
    ("FMiPProtected", -37, "refused-by-policy"), ("MCProtected", -38, "refused-by-policy"),
    ("MCChallengeRequired", -39, "refused-by-policy")])
def test_check_of_a_refusal(simphone, error, code, word):
    phone = trusted(simphone)
    phone.control(f"set fault lockdown got StartSession error:{error}")
    details = {-17: "passcode", -35: "escrow", -36: "over-network", -37: "fmip", -38: "mc", -39: "mc-challenge"}
    result = stranger_check(phone, code, word)
    assert (result["reach"], result.get("detail")) == ("record", details.get(code))
    assert trust(phone, "check")["trust"] == "trusted"  # a fault strikes once


def test_one_hiccup_makes_no_record_stale(simphone):
    phone = trusted(simphone)
    phone.control("set fault lockdown got GetValue reset")  # the one without a key is the first in a session
    assert trust(phone, "check")["trust"] == "trusted"
    assert len(phone.seen("fault")) == 1


def test_check_of_a_damaged_record(simphone):
    phone = trusted(simphone)
    for damaged in (b"not a property list", plistlib.dumps({"SystemBUID": "X"}), plistlib.dumps(["HostID"])):
        record_path(phone).write_bytes(damaged)
        result = trust(phone, "check")
        assert (result["trust"], result["record"], result["record_broken"]) == ("stale", True, True), damaged
        assert result["reach"] == "lockdown" and result["reason"]["kind"] == "bad-file"
    assert len(phone.seen("lockdown", request="StartSession")) == 0


def after_a_probe(phone):
    """(what the event told of it, the result)."""
    with WorkerRun("probe", phone.env(), udid=phone.udid, mode="normal", trust=True) as run:
        result = run.result()
    (event,) = run.events
    assert event.pop("event") == "identity"
    return event, result


def test_one_worker_for_both_questions(simphone):
    """The probe's answer comes as an event, the check's as the result: each as of a worker of its own."""
    phone = simphone()

    def same(word, reach):
        who, result = after_a_probe(phone)
        assert {"ok": True, **who} == work("probe", phone.env(), udid=phone.udid, mode="normal")
        assert result == trust(phone, "check") and (result["trust"], result["reach"]) == (word, reach)

    same("unknown", "lockdown")
    if phone.run("idevicepair", "pair").returncode != 0:
        phone.control("trust")
        assert phone.run("idevicepair", "pair").returncode == 0
    same("trusted", "service")
    for knob, word, reach in (("stale_record", "stale", "record"), ("missing_pair_record", "stale", "record")):
        phone.control(f"set {knob} yes")
        same(word, reach)
        phone.control(f"set {knob} no")
    phone.control("set tls close")
    same("stale", "record")
    phone.control("set tls normal")
    phone.control("set service_fail com.apple.mobile.notification_proxy EscrowLocked")
    same("locked", "session")
    record_path(phone).write_bytes(b"not a property list")
    same("stale", "lockdown")


@pytest.mark.parametrize("rule,expected", [
    ("lockdown got StartSession unplug", ("unplugged", "record")),
    ("lockdown got GetValue error:GetProhibited", None)])
def test_one_worker_that_gets_no_second_answer(simphone, rule, expected):
    """Who it is was told before; without that there is nothing more."""
    phone = trusted(simphone)
    phone.control(f"set fault {rule}")
    with WorkerRun("probe", phone.env(), udid=phone.udid, mode="normal", trust=True) as run:
        result = run.result()
    assert [event["identity"]["udid"] for event in run.events] == ([phone.udid] if expected else [])
    assert not result["ok"] and expected in (None, (result["error"]["kind"], result["reach"])), result


def test_check_without_a_phone_or_usbmuxd(simphone, tmp_path):
    phone = trusted(simphone)
    for action in ("check", "verify"):
        assert failure(work("trust", phone.env(), udid="00008110-0000000000000001", action=action))[0] == "no-phone"
        nowhere = dict(phone.env(), USBMUXD_SOCKET_ADDRESS=f"UNIX:{tmp_path}/nowhere")
        assert failure(work("trust", nowhere, udid=phone.udid, action=action))[:2] == ("no-service", "usbmuxd")


@pytest.mark.parametrize("request_name", ["StartSession", "GetValue", "QueryType"])
def test_check_while_the_cable_is_pulled(simphone, request_name):
    phone = trusted(simphone)
    udid = phone.udid
    phone.control(f"set fault lockdown got {request_name} unplug")
    assert failure(work("trust", phone.env(), udid=udid, action="check"))[0] == "unplugged"


@pytest.mark.parametrize("request_name", ["StartSession", "GetValue",
                                          "StartService/com.apple.mobile.notification_proxy"])
def test_check_while_usbmuxd_ends(simphone, request_name):
    """The phone did not leave: nobody is told that it was unplugged."""
    phone = trusted(simphone)
    udid, before = phone.udid, len(phone.seen("fault"))
    phone.control(f"set fault lockdown got {request_name} stall")
    with WorkerRun("trust", phone.env(), udid=udid, action="check") as run:
        phone.wait_event("fault", after=before)
        phone.stop()
        assert failure(run.result())[:2] == ("no-service", "usbmuxd")


def test_check_of_a_silent_phone(simphone):
    """Silent to a question, and silent to the handshake: two workers at once, as both take their time."""
    mute = trusted(simphone, name="one")
    with SimPhone(mute.folder, "iphone13", name="two", unit=2, trust="silent") as other:
        assert other.run("idevicepair", "pair").returncode == 0
        mute.control("set lockdown_reply none")
        other.control("set tls no_handshake")
        fields = {"action": "check"}
        with WorkerRun("trust", mute.env(), udid=mute.udid, **fields) as first, \
                WorkerRun("trust", other.env(), udid=other.udid, **fields) as second:
            one, two = first.result(60), second.result(60)
    assert failure(one)[0] == failure(two)[0] == "silent"
    assert (one["reach"], one["record"], one.get("detail")) == ("port", True, None)
    assert (two["reach"], two["record"], two.get("detail")) == ("record", True, "no-handshake")


# ---- verify

def test_verify_is_the_proof(simphone):
    phone = trusted(simphone)
    asked, sessions = pairs_asked(phone), len(phone.seen("session"))
    result = trust(phone, "verify")
    listed = phone.run("afcclient", "--", "ls").stdout.split("\n")
    assert (result["trust"], result["fresh"], result["reach"]) == ("trusted", True, "service")
    assert result["media_entries"] == len([name for name in listed if name not in ("", ".", "..")]) > 0
    assert set(result["identity"]) >= {"udid", "name", "serial_number", "capacity_bytes", "version"}
    assert pairs_asked(phone) == asked
    assert len(phone.seen("session")) >= sessions + 1


@pytest.mark.parametrize("knob,expected", [
    ("stale_record yes", ("refused", "lockdownd", -21)), ("tls other_ca", ("refused", "lockdownd", -5)),
    ("fault lockdown got StartSession error:PasswordProtected", ("locked", "lockdownd", -17)),
    ("service_fail com.apple.afc EscrowLocked", ("locked", "lockdownd", -35)),
    ("service_fail com.apple.afc ServiceProhibited", ("refused", "lockdownd", -34)),
    ("fault lockdown got GetValue/TotalDiskCapacity error:MissingValue", None),
    ("service close", ("protocol", "afc", None)), ("service tls_fails", ("protocol", "afc", None))])
def test_verify_takes_nothing_less(simphone, knob, expected):
    phone = trusted(simphone)
    phone.control(f"set {knob}")
    result = trust(phone, "verify", 40)
    if expected is None:
        return
    kind, origin, code = failure(result)
    assert (kind, origin) == expected[:2] and expected[2] in (None, code)


def test_verify_without_a_record(simphone):
    phone = simphone()
    assert failure(trust(phone, "verify"))[:2] == ("refused", "usbmuxd")
    assert pairs_asked(phone) == 0


# ---- unpair

def test_unpair_on_both_sides(simphone):
    phone = trusted(simphone)
    assert phone.state()["hosts"] == 1
    result = trust(phone, "unpair")
    assert (result["ok"], result["trust"], result["record"]) == (True, "unknown", False)
    assert phone.state()["hosts"] == 0 and not record_path(phone).exists()
    assert trust(phone, "check")["trust"] == "unknown"


@pytest.mark.parametrize("knob,expected", [
    ("stale_record yes", ("refused", "lockdownd", -21)),
    ("fault lockdown got StartSession error:PasswordProtected", ("locked", "lockdownd", -17)),
    ("fault lockdown got Unpair error:InvalidResponse", ("protocol", "lockdownd", -10)),
    ("fault lockdown got Unpair unplug", ("unplugged", None, None))])
def test_unpair_that_fails_keeps_the_record(simphone, knob, expected):
    phone = trusted(simphone)
    phone.control(f"set {knob}")
    kind, origin, code = failure(trust(phone, "unpair"))
    assert kind == expected[0] and expected[1] in (None, origin) and expected[2] in (None, code)
    assert record_path(phone).exists()


def test_unpair_that_is_done_and_not_proven(simphone):
    """The phone has forgotten, the library has deleted the record: no record is claimed."""
    phone = trusted(simphone)
    phone.control("set fault lockdown got StartSession 2 error:PasswordProtected")
    result = trust(phone, "unpair")
    assert failure(result) == ("locked", "lockdownd", -17)
    assert not record_path(phone).exists() and result["record"] is False


def test_unpair_without_a_record(simphone):
    phone = simphone()
    assert failure(trust(phone, "unpair"))[:2] == ("refused", "usbmuxd")


# ---- pair (nobody else pairs here)

def test_pair_when_trust_is_tapped(simphone):
    phone = simphone()
    with pairing(phone) as run:
        event = run.event()
        assert (event["event"], event["trust"]) == ("trust", "asking") and event["text"]
        phone.control("trust")
        result = run.result()
    assert (result["trust"], result["by"]) == ("trusted", "us")
    assert result["identity"]["serial_number"] and result["identity"]["capacity_bytes"]
    assert len(phone.seen("paired")) == 1
    assert plistlib.loads(record_path(phone).read_bytes())["HostID"] in phone.state()["host_ids"]
    assert trust(phone, "verify")["trust"] == "trusted"


def test_pair_through_lock_dialog_and_passcode(simphone):
    phone = simphone(trust="locked")
    with pairing(phone, 60) as run:
        assert run.event()["trust"] == "locked"
        phone.control("unlock")
        assert run.event()["trust"] == "asking"
        phone.control("trust tap-only")
        phone.wait_event("dialog", state="passcode")
        phone.control("type")
        assert run.result()["by"] == "us"
    assert len(run.events) == 2  # told once each
    assert len(phone.seen("paired")) == 1


def test_pair_denied_and_then_tapped(simphone):
    phone = simphone()
    with pairing(phone, 60) as run:
        assert run.event()["trust"] == "asking"
        phone.control("deny")
        assert run.event()["trust"] == "denied"
        phone.control("set trust never")  # another dialog on the screen
        phone.control("set trust asking")
        assert run.event()["trust"] == "asking"
        phone.control("trust")
        assert run.result()["by"] == "us"


@pytest.mark.parametrize("word,code", [("fmip", -37), ("mc", -38), ("mc_challenge", -39)])
def test_pair_refused_by_policy_ends_at_once(simphone, word, code):
    phone = simphone(trust=word)
    with pairing(phone) as run:
        result = run.result()
    assert failure(result) == ("refused", "lockdownd", code)
    assert (result["trust"], result["detail"]) == ("refused-by-policy", word.replace("_", "-"))
    assert [event["trust"] for event in run.events] == ["refused-by-policy"]
    assert not record_path(phone).exists()


@pytest.mark.parametrize("knob", ["forget", "set stale_record yes", "set tls other_ca"])
def test_pair_heals_a_stale_record(simphone, knob):
    phone = trusted(simphone)
    old = plistlib.loads(record_path(phone).read_bytes())["HostID"]
    phone.control(knob)
    with pairing(phone, 60) as run:
        assert run.event()["event"] == "forgotten"
        if knob == "forget":
            assert run.event()["trust"] == "asking"
            phone.control("trust")
        else:  # the phone pairs again, and believes again
            phone.control("set stale_record no")
            phone.control("set tls normal")
        assert run.result(30)["by"] == "us"
    assert [event["text"] != "" for event in run.events if event["event"] == "forgotten"] == [True]
    assert plistlib.loads(record_path(phone).read_bytes())["HostID"] != old
    assert trust(phone, "check")["trust"] == "trusted"


def test_pair_with_a_phone_that_trusts_already(simphone):
    phone = trusted(simphone)
    asked = pairs_asked(phone)
    with pairing(phone) as run:
        assert run.result()["by"] == "usbmuxd"
    assert run.events == [] and pairs_asked(phone) == asked


def test_pair_in_setup_assistant(simphone):
    phone = simphone(trust="silent")
    with pairing(phone) as run:
        assert run.result()["by"] == "us"
    assert run.events == []


def test_pair_with_a_phone_that_leaves_once(simphone):
    phone = simphone(trust="silent", reconnect_after_trust="yes")
    with pairing(phone) as run:
        assert run.result()["by"] == "us"


@pytest.mark.parametrize("when", ["asking", "locked"])
def test_pair_while_the_cable_is_pulled(simphone, when):
    phone = simphone(trust=when)
    with pairing(phone) as run:
        assert run.event()["trust"] == when
        phone.control("unplug")
        assert failure(run.result())[0] == "unplugged"
    assert phone.state()["hosts"] == 0


@pytest.mark.parametrize("when,word", [("asking", "asking"), ("denied", "denied"), ("locked", "locked")])
def test_pair_has_a_limit(simphone, when, word):
    phone = simphone(trust=when)
    with pairing(phone, 10) as run:
        result = run.result()
    assert failure(result)[:2] == ("silent", "worker")
    assert word in result["error"]["text"] and result["trust"] == word
    assert result.get("detail") == {"asking": "silent-dialog", "locked": "passcode"}.get(word)
    assert [event["trust"] for event in run.events] == [word]
    assert not record_path(phone).exists()


def test_pair_with_a_silent_phone_has_a_limit(simphone):
    phone = simphone(lockdown_reply="none")
    with pairing(phone, 10) as run:
        result = run.result()
    assert failure(result)[:2] == ("silent", "worker")
    assert result["trust"] == "unknown" and "detail" not in result


def test_pair_when_a_record_cannot_be_kept(simphone):
    phone = simphone(trust="silent", mux_save_result=28)
    with pairing(phone) as run:
        result = run.result()
        assert failure(result)[:2] == ("no-space", "usbmuxd") and result["detail"] == "record-unwritable"
    phone.control("set record_save_fail yes")
    with pairing(phone) as run:
        assert failure(run.result()) == ("refused", "lockdownd", -30)


def test_pair_while_the_phone_starts(simphone):
    phone = simphone(trust="silent", mux_refuse_port=62078)
    with pairing(phone) as run:
        phone.wait_event("usbmuxd", request="Connect")
        phone.control("set mux_refuse_port 0")
        assert run.result()["by"] == "us"


# ---- record

def test_record_is_forgotten(simphone):
    phone = trusted(simphone)
    assert work("record", phone.env(), action="forget", udid=phone.udid) == {"ok": True, "forgotten": 1}
    assert not record_path(phone).exists()
    assert work("record", phone.env(), action="forget", udid=phone.udid) == {"ok": True, "forgotten": 0}
    assert trust(phone, "check")["record"] is False
    assert phone.state()["hosts"] == 1  # it is this computer that forgets


def test_record_without_usbmuxd(simphone, tmp_path):
    phone = simphone()
    nowhere = dict(phone.env(), USBMUXD_SOCKET_ADDRESS=f"UNIX:{tmp_path}/nowhere")
    assert failure(work("record", nowhere, action="forget", udid=phone.udid))[0] == "no-service"


def test_store_is_forgotten(simphone, tmp_path):
    phone = trusted(simphone)
    store = phone.records
    stay = ["notes.txt", "a.b.plist", ".plist", "record.plist.bak"]
    for name in [*stay, "0" * 40 + ".plist"]:
        (store / name).write_bytes(b"x")
    (store / "folder.plist").mkdir()
    (store / "link.plist").symlink_to(store / "notes.txt")
    environment = dict(phone.env(), IDEVICERESCUE_LOCKDOWN=str(store))
    assert work("record", environment, action="forget-store") == {"ok": True, "forgotten": 2}
    assert sorted(path.name for path in store.iterdir()) == sorted([*stay, "folder.plist", "link.plist"])
    assert work("record", environment, action="forget-store")["forgotten"] == 0
    missing = dict(environment, IDEVICERESCUE_LOCKDOWN=str(tmp_path / "missing"))
    assert work("record", missing, action="forget-store")["forgotten"] == 0
    no_folder = dict(environment, IDEVICERESCUE_LOCKDOWN=str(store / "notes.txt"))
    assert failure(work("record", no_folder, action="forget-store"))[:2] == ("refused", "kernel")


# ---- requests that are none

U = "00008110-001C20223E29401E"


@pytest.mark.parametrize("kind,fields", [
    ("trust", {}), ("trust", {"udid": U}), ("trust", {"action": "check"}), ("trust", {"udid": U, "action": "heal"}),
    ("trust", {"udid": U, "action": None}), ("trust", {"udid": 1, "action": "check"}),
    ("trust", {"udid": "", "action": "check"}), ("trust", {"udid": "../x", "action": "check"}),
    ("trust", {"udid": "a" * 44, "action": "check"}), ("trust", {"udid": U, "action": "pair"}),
    ("trust", {"udid": U, "action": "check", "limit_s": 10}), ("trust", {"udid": U, "action": "check", "limit_s": 0}),
    ("trust", {"udid": U, "action": "pair", "limit_s": 9}), ("trust", {"udid": U, "action": "pair", "limit_s": 3601}),
    ("trust", {"udid": U, "action": "pair", "limit_s": "60"}), ("trust", {"udid": U, "action": "pair", "limit_s": -60}),
    ("trust", {"udid": U, "action": "pair", "limit_s": 60.5}),
    ("trust", {"udid": U, "action": "pair", "limit_s": None}),
    ("trust", {"udid": U, "action": "check", "more": 1}),
    ("record", {}), ("record", {"action": "forget"}), ("record", {"action": "forget", "udid": None}),
    ("record", {"action": "forget", "udid": "a/b"}), ("record", {"action": "forget-store", "udid": U}),
    ("record", {"action": "erase"}), ("record", {"action": "forget-store", "folder": "kept"})])
def test_malformed_requests(tmp_path, kind, fields):
    environment = dict(SimPhone(tmp_path).env(), IDEVICERESCUE_LOCKDOWN=str(tmp_path))
    (tmp_path / "SystemConfiguration.plist").touch()
    assert failure(work(kind, environment, **fields))[:2] == ("usage", "worker")
    assert (tmp_path / "SystemConfiguration.plist").exists()
