# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones that mean harm: whatever lockdownd, afc and the notification proxy send, the worker ends by itself with a
documented error or a sound answer, does not crash (sanitizers), stays small, and writes valid text."""

import json
import plistlib
import signal
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

import worker_bed
from simphone import TREE, SimPhone
from worker_bed import WorkerRun, failure, work

NONSENSE = ["oversize", "empty", "truncated", "not_plist", "array", "wrong_types", "deep", "wrong_request"]
RSS_KB_MAX = 64 * 1024  # what the unit may take
PLAIN = TREE / "build/idevicerescue-worker"  # without sanitizers: memory as it is in the image


@pytest.fixture()
def simphone(tmp_path):
    """simphone(**settings) → a running phone that trusts everybody."""
    phones = []

    def begin(scenario="iphone13", **settings):
        number = len(phones)
        phone = SimPhone(tmp_path, scenario, name=f"p{number}", unit=number, **{"trust": "silent", **settings})
        phones.append(phone)
        return phone.start()

    yield begin
    for phone in phones:
        phone.stop()


def paired(simphone, **settings):
    phone = simphone(**settings)
    assert phone.run("idevicepair", "pair").returncode == 0
    return phone


def check_texts(value):
    """No control character, nothing beyond what the protocol promises."""
    if isinstance(value, dict):
        for key, member in value.items():
            check_texts(key)
            check_texts(member)
    elif isinstance(value, list):
        for member in value:
            check_texts(member)
    elif isinstance(value, str):
        assert len(value.encode()) < 512
        assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in value), value


def ask(phone, action, wait_s=20, **fields):
    if action == "probe":
        result = work("probe", phone.env(), wait_s, udid=phone.udid, mode="normal")
    else:
        result = work("trust", phone.env(), wait_s, udid=phone.udid, action=action, **fields)
    check_texts(result)
    assert len(json.dumps(result)) < 65536
    return result


def assert_documented(result, reach):
    """The error is one of a phone that talks nonsense, and tells how far it came."""
    assert result["ok"] is False, result
    assert result["error"]["kind"] in ("protocol", "silent"), result
    assert result["reach"] in reach, result


# ---- replies

@pytest.mark.parametrize("reply", [reply for reply in NONSENSE if reply != "oversize"])
def test_every_reply(simphone, reply):
    phone = paired(simphone)
    phone.control(f"set lockdown_reply {reply}")
    reach = ("port", "lockdown", "record")
    for action in ("probe", "check", "verify", "unpair"):
        assert_documented(ask(phone, action), reach)
    assert (phone.records / f"{phone.udid}.plist").exists()


@pytest.mark.parametrize("to,action,reach", [
    ("StartSession", "check", "record"), ("GetValue", "check", "record"), ("StartService", "verify", "session")])
def test_one_reply_later(simphone, to, action, reach):
    phone = paired(simphone)
    phone.control(f"set lockdown_reply_to {to}")
    for reply in NONSENSE:
        if reply in ("oversize", "wrong_request"):  # the first takes its time under sanitizers; see below
            continue
        phone.control(f"set lockdown_reply {reply}")
        assert_documented(ask(phone, action), (reach,))


def test_replies_that_have_no_end(simphone):
    """Each within the worker's limit; all at once, as they take their time."""
    phones = {reply: simphone(lockdown_reply=reply) for reply in ("oversize", "promise", "endless", "none")}
    with ThreadPoolExecutor() as pool:
        results = dict(zip(phones, pool.map(lambda phone: ask(phone, "probe"), phones.values()), strict=True))
    for reply, result in results.items():
        assert_documented(result, ("port",))
        assert result["error"]["kind"] == "silent" or reply == "oversize"


@pytest.mark.parametrize("reply", ["binary", "split", "long"])
def test_odd_but_sound_replies(simphone, reply):
    phone = paired(simphone)
    phone.control(f"set lockdown_reply {reply}")
    assert ask(phone, "probe")["reach"] == "lockdown"
    assert ask(phone, "check")["reach"] == "service"


@pytest.mark.parametrize("fault", [
    "lockdown sent GetValue garbage", "lockdown sent GetValue cut", "lockdown sent StartSession garbage",
    "lockdown sent byte 900 reset", "lockdown sent StartService garbage",
    "notification_proxy sent ProxyDeath garbage",
    "notification_proxy sent ProxyDeath cut"])
def test_garbage_at_any_place(simphone, fault):
    phone = paired(simphone)
    phone.control(f"set fault {fault}")
    result = ask(phone, "check", 60)
    if not result["ok"]:
        assert result["error"]["kind"] in ("protocol", "silent", "refused"), result


@pytest.mark.parametrize("fault", [f"afc sent message 1 {action}" for action in ("garbage", "cut", "drop")] +
                         ["afc sent byte 20 reset", "afc sent byte 45 reset"])
def test_media_folder_of_garbage(simphone, fault):
    phone = paired(simphone)
    phone.control(f"set fault {fault}")
    kind, origin, _ = failure(ask(phone, "verify", 60))
    assert kind in ("protocol", "silent") and origin == "afc"


# ---- names and values

@pytest.mark.parametrize("scenario", ["evil-name-control", "evil-name-long", "evil-name-not-utf8"])
def test_names(simphone, scenario):
    phone = simphone(scenario)
    assert ask(phone, "pair", limit_s=20)["ok"]
    for action in ("probe", "check"):
        result = ask(phone, action)
        if result["ok"]:
            assert result["identity"]["name"] and result["identity"]["udid"] == phone.udid
        else:  # no property list holds such a name
            assert result["error"]["kind"] == "protocol"


def test_values_of_wrong_types(simphone):
    phone = simphone("evil-values", lockdown_reply="normal")
    assert ask(phone, "pair", limit_s=20)["ok"]
    phone.control("set lockdown_reply wrong_types")
    for action in ("probe", "check", "verify"):
        assert_documented(ask(phone, action), ("lockdown", "record", "session"))


# ---- keys, certificates, records

def test_public_key_that_is_none(simphone):
    """Our Pair makes a certificate for it: there is none, and the phone is not trusted. All at once: it takes time."""
    phones = [simphone(device_key=key) for key in ("garbage", "empty", "wrong_type", "huge")]
    with ThreadPoolExecutor() as pool:
        for result in pool.map(lambda phone: ask(phone, "pair", limit_s=10), phones):
            assert failure(result)[0] in ("silent", "protocol", "refused")
            assert result["trust"] != "trusted"


@pytest.mark.parametrize("bag", ["missing", "wrong_type", "huge"])
def test_escrow_bag_that_is_none(simphone, bag):
    phone = simphone(escrow_bag=bag)
    result = ask(phone, "pair", limit_s=20)
    if bag == "huge":  # a record of that size is more than usbmuxd's protocol carries
        assert failure(result)[:2] == ("no-space", "usbmuxd") and result["detail"] == "record-unwritable"
    else:
        assert result["ok"] and ask(phone, "check")["trust"] == "trusted"


def damaged_records(record):
    """A record, damaged in every way that a disk or a program may damage it."""
    whole = plistlib.dumps(record)
    yield from (whole[:cut] for cut in (1, 7, 100, len(whole) // 2, len(whole) - 30))
    yield b"\x00" * 8192
    yield b"bplist00" + b"\xff" * 200
    yield plistlib.dumps([record])
    for key in ("HostID", "RootCertificate", "RootPrivateKey", "HostCertificate", "DeviceCertificate"):
        yield plistlib.dumps({name: value for name, value in record.items() if name != key})
        yield plistlib.dumps({**record, key: 7})
        yield plistlib.dumps({**record, key: b"" if key != "HostID" else ""})
    for key in ("RootCertificate", "RootPrivateKey", "DeviceCertificate"):
        yield plistlib.dumps({**record, key: record[key][:200]})
        yield plistlib.dumps({**record, key: b"-----BEGIN CERTIFICATE-----\n" + b"A" * 20000})
    yield plistlib.dumps({**record, "RootPrivateKey": record["HostPrivateKey"]})


def test_records_that_do_not_parse(simphone):
    """Said without asking the phone for a session; the phone is not asked to pair."""
    phone = paired(simphone)
    path = phone.records / f"{phone.udid}.plist"
    record = plistlib.loads(path.read_bytes())
    sessions, pairs = len(phone.seen("lockdown", request="StartSession")), len(phone.seen("lockdown", request="Pair"))
    with ThreadPoolExecutor(2) as pool:
        for damaged in damaged_records(record):
            path.write_bytes(damaged)
            result = pool.submit(ask, phone, "check").result()
            assert (result["trust"], result["record"], result["record_broken"]) == ("stale", True, True), damaged[:80]
            assert result["reach"] == "lockdown" and result["reason"]["text"].startswith("This computer's record")
    assert len(phone.seen("lockdown", request="StartSession")) == sessions
    assert len(phone.seen("lockdown", request="Pair")) == pairs
    path.write_bytes(plistlib.dumps(record, fmt=plistlib.FMT_BINARY))  # another form of the same is as good
    assert ask(phone, "check")["trust"] == "trusted"


# ---- memory and crashes, as in the image

@pytest.fixture()
def plain(monkeypatch):
    if not PLAIN.exists():
        pytest.skip("build/idevicerescue-worker is not built")
    monkeypatch.setattr(worker_bed, "PROGRAM", PLAIN)


def peak_kb(run, ended):
    """The most memory that the process held."""
    peak = 0
    while not ended.wait(0.005):
        try:
            lines = (TREE / f"/proc/{run.process.pid}/status").read_text().splitlines()
        except OSError:
            break
        peak = max([peak, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])
    return peak


@pytest.mark.parametrize("reply", ["oversize", "long", "deep"])
def test_memory_is_bounded(simphone, plain, reply):
    """4 GiB are promised: they are not even asked of the kernel."""
    phone = simphone(lockdown_reply=reply)
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool, \
            WorkerRun("probe", phone.env(), udid=phone.udid, mode="normal") as run:
        peak = pool.submit(peak_kb, run, ended)
        began = time.monotonic()
        result = run.result()
        ended.set()
        assert peak.result() < RSS_KB_MAX
    assert time.monotonic() - began < 5
    if reply != "long":
        assert_documented(result, ("port",))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_library_that_breaks_is_reported(simphone, plain, number):
    phone = simphone(lockdown_reply="none")
    with WorkerRun("probe", phone.env(), udid=phone.udid, mode="normal") as run:
        phone.wait_event("lockdown", request="QueryType")
        run.process.send_signal(number)
        result = run.result()
    assert failure(result)[:2] == ("protocol", "worker") and result["reach"] == "port"
