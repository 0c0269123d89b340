# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding, from the state of a phone, of usbmuxd or of the kernel's log that brings it about. The matrix of
states and findings is printed at the end of the run; it must be complete. One ward holds all phones that do not
disturb each other; its usbmuxd is Debian's.
"""

import contextlib
import csv
import datetime
import pathlib
import plistlib
import socket
import subprocess
import threading

import pytest

from findings_matrix import Matrix
from rescue_bed import until
from ward import Ward

TREE = pathlib.Path(__file__).resolve().parents[2]
TABLE = TREE / "src/facts/findings.tsv"
LIMIT = 90  # seconds: many phones at once, and a dialog that nobody taps

# state: scenario, settings, what the diagnosis must say
PHONES = {
    "trusted and well": ("iphone13-trusted", {}, {"all-well", "host-works-here"}),
    "locked": ("iphone13-locked", {}, {"phone-locked"}),
    "dialog stands": ("iphone13", {"trust": "asking"}, {"trust-asking"}),
    "dialog denied": ("iphone13-denied", {}, {"trust-denied"}),
    "no dialog comes": ("iphone13-no-dialog", {}, {"trust-no-dialog"}),
    "first setup not finished": ("iphone13-setup", {}, {"setup-unfinished"}),
    "not activated": ("iphone13-unactivated", {}, {"not-activated"}),
    "managed, refuses": ("iphone13-supervised", {}, {"supervised"}),
    "lost mode": ("iphone13-lost-mode", {}, {"lost-mode"}),
    "pairing is forbidden": ("iphone13", {"faults": [f"lockdown got Pair {n} error:PairingProhibitedOverThisConnection"
                                                     for n in range(1, 9)]}, {"trust-refused-by-policy"}),
    "TLS: alert": ("iphone13-tls-alert", {}, {"tls-fails", "trust-stale"}),
    "TLS: newer protocol, newer iOS": ("iphone13-tls-newer", {"version": "40.0", "build": "40A1"},
                                       {"tls-fails", "phone-too-new"}),
    "TLS fails on an old iOS": ("iphone6", {"version": "9.3.5", "build": "13G36", "tls": "alert",
                                            "trust_after_ms": 300}, {"tls-fails", "phone-too-old"}),
    "battery low": ("iphone13-battery-low", {}, {"battery-low"}),
    "storage full": ("iphone13-storage-full", {}, {"storage-full"}),
    "may show its photos only": ("iphone13-camera", {}, {"camera-only"}),
    "full speed": ("iphone13-full-speed", {}, {"slow-link"}),
    "slower than it can": ("ipad-pro11-m4", {"trust_after_ms": 300}, {"slower-than-able"}),
    "its port refuses": ("iphone13-port-refused", {}, {"not-in-mux"}),
    "lockdownd is silent": ("iphone13-lockdown-silent", {}, {"not-in-mux"}),
    "recovery": ("iphone13-recovery", {}, {"in-recovery"}),
    "DFU": ("iphone13-dfu", {}, {"in-dfu"}),
    "WTF": ("iphone6-wtf", {}, {"in-wtf"}),
    "port DFU": ("iphone16-port-dfu", {}, {"in-port-dfu"}),
    "debug USB": ("iphone16-debug-usb", {}, {"in-debug-usb"}),
    "restore": ("iphone13-restore", {}, {"in-restore"}),
}
# they come and go: usbmuxd 1.1.1 sometimes crashes when a phone leaves in the middle of its preflight
RESTLESS = {
    "loose plug": ("iphone13-resets", {}, {"resets"}),
    "recovery loop": ("iphone13-recovery-loop", {}, {"recovery-loop"}),
}
IBOOT = "CPID:{cpid} CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:0000000000000ABC IBFL:3D SRNM:[F2LX12345678]"
# what no simulated phone is: sightings alone
SIGHTINGS = {
    "behind three hubs": ("40-1.2.3.4", {"pid": "0x1281", "serial": IBOOT.format(cpid="8110")}, {"behind-hubs"}),
    "a model of tomorrow": ("41-1", {"pid": "0x1281", "serial": IBOOT.format(cpid="9999").replace("ABC", "ABD")},
                            {"model-unknown"}),
    "a USB id of tomorrow": ("42-1", {"pid": "0x7777", "serial": IBOOT.format(cpid="8110").replace("ABC", "ABE")},
                             {"mode-unknown"}),
}
# state: what the kernel writes about a port at which nothing enumerates
TAPES = {
    "over-current": ("usb 50-0:1.0: over-current change on port 1", "usb usb50-port1: over-current condition"),
    "does not enumerate": ("usb 51-1: device descriptor read/64, error -71",
                           "usb 51-1: device descriptor read/64, error -71",
                           "usb 51-1: device not accepting address 7, error -71",
                           "usb usb51-port1: unable to enumerate USB device"),
}
TAPE_FINDINGS = {"over-current": {"port-over-current"}, "does not enumerate": {"port-trouble"}}


@pytest.fixture(scope="module")
def matrix():
    matrix = Matrix()
    yield matrix
    matrix.save()


@pytest.fixture(scope="module")
def ward():
    with Ward() as ward:
        yield ward


@pytest.fixture(scope="module")
def phones(ward):
    """All states at once; usbmuxd loses some of several that are plugged in at the same moment."""
    phones = {}
    for state, (scenario, settings, _) in PHONES.items():
        before = ward.bench.log().count("Connecting to new device")
        phones[state] = ward.plug(scenario, **settings)
        with contextlib.suppress(AssertionError):  # not every mode is usbmuxd's business
            until("usbmuxd sees it", lambda: ward.bench.log().count("Connecting to new device") > before, 1)
    for port, more in ((port, more) for port, more, _ in SIGHTINGS.values()):
        ward.sighting({"change": "appeared", "syspath": f"/sys/devices/sim/{port}", "port": port, "address": 3,
                       "bus": int(port.split("-")[0]), "vid": "0x05ac", "speed_mbps": 480, "configuration": 1,
                       "product": "Apple Mobile Device", "manufacturer": "Apple Inc.", **more})
    return phones


@pytest.mark.parametrize("state", PHONES)
def test_state_of_a_phone(ward, phones, matrix, state):
    matrix.note(state, ward.until_findings(phones[state], PHONES[state][2], LIMIT))


@pytest.mark.parametrize("state", RESTLESS)
def test_restless_phone(matrix, state):
    scenario, settings, wanted = RESTLESS[state]
    with Ward() as ward:
        phone = ward.plug(scenario, **settings)
        matrix.note(state, ward.until_findings(phone, wanted))
        if state == "loose plug":  # it is away half of the time
            port = ward.port_of(phone)
            until(ward.phones, lambda: ward.phones().get(port, {}).get("failed_light") == "usb")


@pytest.mark.parametrize("state", SIGHTINGS)
def test_sighting(ward, phones, matrix, state):
    port, _, wanted = SIGHTINGS[state]
    matrix.note(state, ward.until_findings(port, wanted))


def test_a_healthy_phone_has_no_complaint(ward, phones, matrix):
    ward.until_findings(phones["trusted and well"], {"all-well", "host-works-here"}, LIMIT)
    findings = ward.diagnoses()[ward.port_of(phones["trusted and well"])]
    assert {finding["severity"] for finding in findings} == {"info"}, findings


def test_lights_of_a_healthy_phone_work(ward, phones):
    ward.until_findings(phones["trusted and well"], {"all-well", "host-works-here"}, LIMIT)
    phone = ward.phones()[ward.port_of(phones["trusted and well"])]
    assert [(light["light"], light["state"]) for light in phone["lights"]] == [
        ("usb", "working"), ("mux", "working"), ("link", "working")]
    assert "failed_light" not in phone and all(light["evidence"] for light in phone["lights"])


@pytest.mark.parametrize("state, failed", [
    ("its port refuses", "mux"), ("may show its photos only", "mux"),
    ("TLS: alert", "link"), ("dialog denied", "link"), ("locked", "link")])
def test_first_failed_light_names_the_layer(ward, phones, state, failed):
    port = ward.port_of(phones[state])
    until(ward.phones, lambda: ward.phones().get(port, {}).get("failed_light") == failed, LIMIT)


@pytest.mark.parametrize("word, wanted", [("forgotten-passcode", "forgotten-passcode"), ("disabled", "disabled"),
                                          ("screen-time", "screen-time")])
def test_what_the_person_says(ward, phones, matrix, word, wanted):
    result = ward.result("diagnose", f"ecid:{phones['locked'].state()['ecid']}", "--says", word)
    found = {finding["id"] for finding in result["diagnoses"][0]["findings"]}
    assert wanted in found
    matrix.note(f"the person says: {word}", found)


def test_job(ward, phones, matrix):
    job = ward.result("trust", "reset", f"ecid:{phones['dialog stands'].state()['ecid']}", "--no-wait")["job"]["id"]
    matrix.note("a job works on it", ward.until_findings(phones["dialog stands"], {"job-running"}))
    ward.result("job", "cancel", job)


# ---- phones that must be brought into their state


def paired(ward, scenario="iphone13-trusted", **settings):
    """A phone that trusts this computer, and the file of the record."""
    phone = ward.plug(scenario, listed=True, **settings)
    ward.until_findings(phone, {"all-well"}, LIMIT)
    return phone, ward.bench.records / f"{phone.udid}.plist"


def check(ward, phone):
    return {finding["id"] for finding in ward.result("trust", "check", f"udid:{phone.udid}")["findings"]}


def test_the_phone_forgot(ward, matrix):
    phone, _ = paired(ward)
    phone.control("forget")
    found = check(ward, phone)
    assert "trust-stale" in found
    matrix.note("the phone forgot this computer", found)


def test_record_is_cut_off(ward, matrix):
    phone, record = paired(ward)
    record.write_bytes(record.read_bytes()[:700])
    found = check(ward, phone)
    assert "record-broken" in found
    matrix.note("record half-written", found)


def test_not_unlocked_since_its_start(ward, matrix):
    phone, _ = paired(ward, passcode="yes")
    phone.control("button restart")
    matrix.note("not unlocked since its start", ward.until_findings(phone, {"phone-escrow"}, LIMIT))


def test_two_computers_fight(ward, matrix):
    phone, record = paired(ward)
    for _ in range(2):
        phone.control("forget")
        assert "trust-stale" in check(ward, phone)
        record.unlink()
        until("it is paired anew", lambda: ward.bench.run("idevicepair", "-u", phone.udid, "pair").returncode == 0)
        check(ward, phone)
    found = ward.findings(phone)
    assert "record-fight" in found
    matrix.note("the record is lost again and again", found)


def test_clock_before_the_record(ward, matrix, tmp_path):
    """The record's own certificate begins next year: by it this computer's clock is wrong."""
    phone, record = paired(ward)
    fields = plistlib.loads(record.read_bytes())
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    key.write_bytes(fields["RootPrivateKey"])
    begin = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=365)).strftime("%Y%m%d%H%M%SZ")
    subprocess.run(["openssl", "req", "-x509", "-key", key, "-out", certificate, "-subj", "/", "-not_before", begin,
                    "-not_after", "20991231235959Z"], check=True, capture_output=True)
    record.write_bytes(plistlib.dumps({**fields, "RootCertificate": certificate.read_bytes()}))
    phone.control("set tls alert")
    found = check(ward, phone)
    assert "clock-wrong" in found
    matrix.note("clock before the record's day", found)


def test_record_cannot_be_stored(ward, matrix):
    """Where the record should go, a folder stands in the way."""
    phone = ward.plug("iphone13", trust="locked", passcode="yes", unit=90)
    in_the_way = ward.bench.records / f"{phone.udid}.plist"
    in_the_way.mkdir()
    (in_the_way / "full").touch()  # an empty one would be removed
    phone.control("unlock")
    until("the dialog is shown", lambda: phone.state()["dialog"] == "asking", LIMIT)
    phone.control("trust")
    matrix.note("no place for records", ward.until_findings(phone, {"record-store-bad"}, LIMIT))


# ---- the computer


@pytest.mark.parametrize("state", TAPES)
def test_kernel_log(matrix, state):
    with Ward() as ward:
        for line in TAPES[state]:
            ward.kernel(line)
        matrix.note(f"kernel: {state}", ward.until_findings(None, TAPE_FINDINGS[state] | {"no-phone"}))


def test_nothing_is_plugged_in(matrix):
    with Ward() as ward:
        matrix.note("nothing on the bus", ward.until_findings(None, {"no-phone", "charge-only"}))


def test_without_usbmuxd(matrix):
    with Ward(usbmuxd=False) as ward:
        phone = ward.plug("iphone13")
        assert "trust-unknown" not in ward.until_findings(phone, {"mux-down"})
        matrix.note("usbmuxd is not there", ward.findings(phone))


@contextlib.contextmanager
def mux_that(ward, answer):
    """A socket in usbmuxd's place; answer(connection) does what it does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(ward.bench.socket))
        listener.listen(16)
        held = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                answer(connection)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for connection in held:
            connection.close()


def test_usbmuxd_hangs(matrix):
    with Ward(usbmuxd=False) as ward, mux_that(ward, lambda connection: None):
        phone = ward.plug("iphone13")
        matrix.note("usbmuxd hangs", ward.until_findings(phone, {"mux-hung"}, LIMIT))


def test_usbmuxd_talks_nonsense(matrix):
    nonsense = b"HTTP/1.1 400\r\n\r\n" * 8
    with Ward(usbmuxd=False) as ward, mux_that(ward, lambda connection: connection.sendall(nonsense)):
        phone = ward.plug("iphone13")
        matrix.note("usbmuxd talks nonsense", ward.until_findings(phone, {"mux-refuses"}, LIMIT))


def test_phone_that_was_just_plugged_in(matrix):
    with Ward() as ward:
        phone = ward.plug("iphone13-port-refused")
        matrix.note("plugged in a moment ago", ward.until_findings(phone, {"trust-unknown"}))


def test_phone_that_answers_nonsense(matrix):
    with Ward() as ward:
        phone, _ = paired(ward)
        phone.control("set lockdown_reply not_plist")
        ward.result("trust", "check", f"udid:{phone.udid}")
        matrix.note("lockdownd answers nonsense", ward.until_findings(phone, {"no-answer"}))


def test_before_the_dialog(matrix):
    with Ward() as ward:
        phone = ward.plug("iphone13", trust="asking")
        matrix.note("never paired", ward.until_findings(phone, {"trust-none"}))


def test_matrix_is_complete(matrix, request):
    """Every row of the table was produced, and nothing that is not in the table. Only with the whole file."""
    if not matrix.is_whole(request.session):
        pytest.skip("only some of the states were tried")
    with open(TABLE, encoding="utf-8") as table:
        rows = [line for line in table if not line.startswith("#")]
    wanted = {row["id"] for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE)}
    assert wanted - matrix.findings() == set()
    assert matrix.findings() - wanted == set()
