# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated phone behind usbmuxd's socket: unmodified programs, the real usbmuxd, and recorded bytes judge it.

The mux, presence and what a stranger may do. Trust and sessions: test_native_judges_trust.py.
"""

import concurrent.futures
import plistlib
import re
import socket
import ssl
import subprocess
import time

import pytest

import mux_client
from mux_client import BAD_DEVICE, LOCKDOWN_PORT, OK, REFUSED, MuxClient
from simphone import LIMIT, TREE, SimPhone, SimPhoneError

UDID = "00008110-001C20223E29401E"  # of scenario iphone13
OLD_UDID = "63c3d055c4f83e960e5980fa68be0fbf7d4ba74c"


@pytest.fixture
def phone(tmp_path):
    with SimPhone(tmp_path, "iphone13", time_scale_percent=1) as made:
        yield made


def output(done):
    """Standard output of a judge that must be content."""
    assert done.returncode == 0, done
    assert done.stderr == ""
    return done.stdout


def listed(phone):
    return output(phone.run("idevice_id", "-l")).split()


# ---- judges


def test_idevice_id(phone):
    assert listed(phone) == [UDID]
    assert output(phone.run("idevice_id")) == f"{UDID} (USB)\n"
    assert output(phone.run("idevice_id", "-n")) == ""
    assert output(phone.run("idevice_id", UDID)) == "iPhone 13\n"


@pytest.mark.parametrize("scenario,pattern", [
    ("iphone13", r"[0-9A-F]{8}-[0-9A-F]{16}"), ("iphone7", r"[0-9a-f]{40}"), ("ipad9", r".+"),
    ("iphone13-full-speed", r".+"), ("iphone13-locked", r".+")])
def test_every_model_is_listed(tmp_path, scenario, pattern):
    with SimPhone(tmp_path, scenario) as phone:
        assert listed(phone) == [phone.udid]
        assert re.fullmatch(pattern, phone.udid)
        info = output(phone.run("ideviceinfo", "-s"))
        assert f"UniqueDeviceID: {phone.udid}\n" in info
        assert f"ProductType: {phone.state()['model']}\n" in info


def test_ideviceinfo_simple(phone):
    info = dict(line.split(": ", 1) for line in output(phone.run("ideviceinfo", "-s")).splitlines()
                if ": " in line and not line.startswith(" "))
    assert info["DeviceClass"] == "iPhone"
    assert info["ProductType"] == "iPhone14,5"
    assert info["UniqueChipID"] == str(0x1C20223E29401E)
    assert output(phone.run("ideviceinfo", "-s", "-k", "ProductType")) == "iPhone14,5\n"
    asked = [event["detail"] for event in phone.seen("lockdown", request="GetValue")]
    assert "ProductType" in asked


def test_idevicepair_without_a_record(phone):
    assert output(phone.run("idevicepair", "list", lockdown_folder=True)) == ""
    buid = output(phone.run("idevicepair", "systembuid")).strip()
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", buid)
    assert output(phone.run("idevicepair", "systembuid")).strip() == buid
    kept = plistlib.loads((phone.records / "SystemConfiguration.plist").read_bytes())
    assert kept == {"SystemBUID": buid}


def test_idevicepair_hostid_tells_the_record(phone):
    phone.records.joinpath(f"{UDID}.plist").write_bytes(plistlib.dumps({"HostID": "0F0F-1234"}))
    assert output(phone.run("idevicepair", "hostid")) == "0F0F-1234\n"


def test_two_hosts_have_two_names(tmp_path):
    names = []
    for host in ("one", "two"):
        with SimPhone(tmp_path, name=host) as phone:
            names.append(output(phone.run("idevicepair", "systembuid")))
    assert names[0] != names[1]


def test_ideviceenterrecovery(phone):
    done = phone.run("ideviceenterrecovery", UDID)
    assert "successfully switching to recovery mode" in output(done)
    phone.wait_event("usbmuxd-detached")
    phone.wait_event("attach", mode="recovery")
    assert listed(phone) == []
    assert "No device found" in phone.run("ideviceinfo", "-s").stderr


def test_many_clients_at_once(phone):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(phone.run, *command) for command in
                [["ideviceinfo", "-s"], ["idevice_id", "-l"], ["idevicepair", "systembuid"], ["ideviceinfo", "-s"]] * 4]
        answers = {}
        for job in jobs:
            done = job.result()
            answers.setdefault(tuple(done.args), set()).add(output(done))
    assert all(len(texts) == 1 for texts in answers.values()), answers
    assert f"UniqueDeviceID: {UDID}" in answers[("ideviceinfo", "-s")].pop()


def pair(phone):
    """Trust as a person gives it; the record that the host keeps of it."""
    assert "accept the trust dialog" in phone.run("idevicepair", "pair").stdout
    phone.control("trust")
    assert "SUCCESS" in output(phone.run("idevicepair", "pair"))
    return plistlib.loads((phone.records / f"{phone.udid}.plist").read_bytes())


def test_a_life_of_a_pairing(phone):
    with MuxClient(phone.socket) as listener:
        listener.result("Listen")
        assert listener.event()["MessageType"] == "Attached"
        record = pair(phone)
        assert listener.event() == {"MessageType": "Paired", "DeviceID": 1}
    assert output(phone.run("idevicepair", "list", lockdown_folder=True)) == f"{UDID}\n"
    assert output(phone.run("idevicepair", "hostid")) == record["HostID"] + "\n"
    assert record["SystemBUID"] == output(phone.run("idevicepair", "systembuid")).strip()
    assert "SUCCESS" in output(phone.run("idevicepair", "validate"))
    assert "SerialNumber: " in output(phone.run("ideviceinfo"))
    assert "SUCCESS" in output(phone.run("idevicepair", "unpair"))
    assert output(phone.run("idevicepair", "list", lockdown_folder=True)) == ""
    assert not (phone.records / f"{UDID}.plist").exists()


# ---- what goes wrong


def test_refused_port(tmp_path):
    with SimPhone(tmp_path, mux_refuse_port=LOCKDOWN_PORT) as phone:
        done = phone.run("ideviceinfo", "-s")
        assert done.returncode != 0 and "Mux error (-8)" in done.stderr
        phone.control("set mux_refuse_port 0")
        output(phone.run("ideviceinfo", "-s"))


def test_unplugged_while_connecting(tmp_path):
    with SimPhone(tmp_path, mux_connect_delay_ms=60000) as phone:
        with phone.popen("ideviceinfo", "-s") as judge:
            phone.wait_event("usbmuxd", request="Connect")
            phone.control("unplug")
            _, said = judge.communicate(timeout=4)
        assert judge.returncode != 0 and "Mux error (-8)" in said


def test_no_result_within_the_judges_patience(tmp_path):
    with SimPhone(tmp_path, mux_connect_delay_ms=60000) as phone:
        done = phone.run("ideviceinfo", "-s", timeout=15)
        assert done.returncode != 0 and "Mux error (-8)" in done.stderr


def test_unplugged_during_a_request(tmp_path):
    with SimPhone(tmp_path, faults=["lockdown got GetValue unplug"]) as phone:
        done = phone.run("ideviceinfo", "-s")
        assert "ProductType" not in done.stdout
        phone.wait_event("usbmuxd-detached")
        assert listed(phone) == []
        phone.control("plug")
        output(phone.run("ideviceinfo", "-s"))


def test_the_phone_appears_late(tmp_path):
    with SimPhone(tmp_path, visible_delay_ms=3000) as phone:
        assert listed(phone) == []
        phone.wait_event("usbmuxd-attached")
        assert listed(phone) == [UDID]


@pytest.mark.parametrize("mode,there", [("normal", True), ("restore", True), ("recovery", False), ("dfu", False)])
def test_only_modes_with_a_mux_are_listed(tmp_path, mode, there):
    with SimPhone(tmp_path, mode=mode) as phone:
        assert listed(phone) == ([UDID] if there else [])


def test_a_bad_end_is_told(tmp_path):
    """The harness itself: a phone that ends badly fails the story."""
    made = SimPhone(tmp_path, trust="perhaps")
    with pytest.raises(SimPhoneError, match="does not fit the key"):
        made.start()
    with pytest.raises(SimPhoneError, match="killed|ended with"):
        with SimPhone(tmp_path) as phone:
            phone.process.kill()


# ---- clients of our own


def test_events(phone):
    with MuxClient(phone.socket) as listener:
        assert listener.result("Listen") == OK
        seen = listener.event()
        properties = seen.pop("Properties")
        assert seen == {"MessageType": "Attached", "DeviceID": 1}
        location = properties.pop("LocationID")
        assert properties == {"ConnectionSpeed": 480000000, "ConnectionType": "USB", "DeviceID": 1, "ProductID": 4776,
                              "SerialNumber": UDID}
        phone.control("unplug")
        assert listener.event() == {"MessageType": "Detached", "DeviceID": 1}
        phone.control("plug")
        again = listener.event()
        assert again["DeviceID"] == again["Properties"]["DeviceID"] == 2
        assert again["Properties"]["LocationID"] not in (0, location)
        phone.control("mode recovery")
        assert listener.event() == {"MessageType": "Detached", "DeviceID": 2}
        phone.wait_event("attach", mode="recovery")
        phone.control("mode restore")
        assert listener.event()["DeviceID"] == 3


def test_detach_ends_connections(phone):
    with MuxClient(phone.socket) as one, MuxClient(phone.socket) as two, MuxClient(phone.socket) as idle:
        assert one.connect(1, LOCKDOWN_PORT) == two.connect(1, LOCKDOWN_PORT) == OK
        assert b"com.apple.mobile.lockdown" in two.lockdown(Request="QueryType")
        assert idle.connect(1, 9) == REFUSED
        phone.control("unplug")
        assert one.at_end() and two.at_end()
        assert idle.connect(1, LOCKDOWN_PORT) == BAD_DEVICE
        phone.control("plug")
        assert idle.connect(1, LOCKDOWN_PORT) == BAD_DEVICE
        assert idle.connect(2, LOCKDOWN_PORT) == OK


def test_list_listeners(phone):
    with MuxClient(phone.socket) as listener, MuxClient(phone.socket) as asker:
        assert asker.ask("ListListeners") == {"ListenerList": []}
        listener.result("Listen", BundleID="org.example.test")
        one = asker.ask("ListListeners")["ListenerList"][0]
        assert re.fullmatch(r"\d+-test", one.pop("ID String"))
        assert one == {"Blacklisted": False, "BundleID": "org.example.test", "ConnType": 0, "ProgName": "test",
                       "kLibUSBMuxVersion": 3}


def test_binary_protocol(phone):
    with MuxClient(phone.socket) as listener, MuxClient(phone.socket) as client:
        listener.send(mux_client.LISTEN, tag=5)
        assert listener.frame() == (0, mux_client.RESULT, 5, bytes(4))
        version, message, tag, body = listener.frame()
        assert (version, message, tag, len(body)) == (0, mux_client.ATTACHED, 0, 268)
        assert body[:6] == (1).to_bytes(4, "little") + (0x12A8).to_bytes(2, "little")
        assert body[6:262].rstrip(b"\0").decode() == UDID
        client.send(mux_client.CONNECT, (1).to_bytes(4, "little") + LOCKDOWN_PORT.to_bytes(2, "big") + bytes(2), tag=6)
        assert client.frame() == (0, mux_client.RESULT, 6, bytes(4))
        assert b"com.apple.mobile.lockdown" in client.lockdown(Request="QueryType")
        phone.control("unplug")
        assert listener.frame() == (0, mux_client.DETACHED, 0, (1).to_bytes(4, "little"))


def test_a_client_that_does_not_read_is_not_read(phone):
    """It holds nobody else up, and the phone's memory does not grow with its greed."""
    body = plistlib.dumps({"Request": "GetValue"})
    asked = len(body).to_bytes(4, "big") + body
    with MuxClient(phone.socket) as greedy:
        assert greedy.connect(1, LOCKDOWN_PORT) == OK
        greedy.socket.settimeout(1)
        sent = 0
        with pytest.raises(socket.timeout):
            while sent < 64 << 20:
                sent += greedy.socket.send(asked)
        output(phone.run("ideviceinfo", "-s"))
        assert sent < 8 << 20


# ---- the real usbmuxd as the measure

RECORD = plistlib.dumps({"HostID": "A", "SystemBUID": "B"})
SENTINEL = 0x5E47


def real_usbmuxd(folder):
    """Debian's usbmuxd without a phone; its socket and its records are in the folder."""
    records = folder / "lockdown"
    records.mkdir()
    script = ('mount --bind "$1" /run && mount -t tmpfs none /var/lib && mkdir /var/lib/lockdown && '
              'mount --bind "$1/lockdown" /var/lib/lockdown && exec usbmuxd --foreground --no-preflight')
    with open(folder / "usbmuxd.err", "wb") as errors:
        return subprocess.Popen(["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(folder)],
                                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)


def plist(**fields):
    return mux_client.PLIST_MESSAGE, plistlib.dumps(fields), {"version": mux_client.PLIST}


def save(identifier, data=RECORD, **more):
    return plist(MessageType="SavePairRecord", PairRecordID=identifier, PairRecordData=data, **more)


CONVERSATIONS = {
    "list devices": [plist(MessageType="ListDevices")],
    "list listeners": [plist(MessageType="ListListeners")],
    "buid": [plist(MessageType="ReadBUID"), plist(MessageType="ReadBUID")],
    "listen": [plist(MessageType="Listen")],
    "listen in binary": [(mux_client.LISTEN, b"", {})],
    "records": [plist(MessageType="ReadPairRecord", PairRecordID="X-1"), save("X-1"),
                plist(MessageType="ReadPairRecord", PairRecordID="X-1"), save("X-1", DeviceID=1),
                plist(MessageType="DeletePairRecord", PairRecordID="X-1"),
                plist(MessageType="DeletePairRecord", PairRecordID="X-1")],
    "binary record": [save("X-2", plistlib.dumps({"A": 1}, fmt=plistlib.FMT_BINARY)),
                      plist(MessageType="ReadPairRecord", PairRecordID="X-2")],
    "no record id": [plist(MessageType=f"{verb}PairRecord", PairRecordData=RECORD)
                     for verb in ("Read", "Save", "Delete")],
    "wrong record id": [plist(MessageType=f"{verb}PairRecord", PairRecordID=name, PairRecordData=RECORD)
                        for verb in ("Read", "Save", "Delete") for name in ("../x", "a_b", "a.b", "a/b", "ä", "a" * 300)
                        if (verb, len(name)) != ("Save", 300)],
    "an empty record id": [plist(MessageType="ReadPairRecord", PairRecordID="")],
    "no record": [save("X-3", b"short"), save("X-3", b"<plist><array/></plist>"), save("X-3", b"x" * 100),
                  save("X-3", "text"), plist(MessageType="ReadPairRecord", PairRecordID="X-3")],
    "connect to nothing": [plist(MessageType="Connect", DeviceID=7, PortNumber=1),
                           plist(MessageType="Connect", DeviceID="7", PortNumber=1),
                           plist(MessageType="Connect", PortNumber=1), plist(MessageType="Connect", DeviceID=7),
                           (mux_client.CONNECT, (7).to_bytes(4, "little") + bytes(4), {})],
    "no request": [plist(MessageType="Dance"), plist(MessageType=1), plist(Dance=1),
                   (mux_client.PLIST_MESSAGE, b"no list", {"version": 1}),
                   (mux_client.PLIST_MESSAGE, b"<plist><array/></plist>", {"version": 1}),
                   (mux_client.PLIST_MESSAGE, b"", {"version": 1})],
    "list that is not XML": [(mux_client.PLIST_MESSAGE, plistlib.dumps({"MessageType": "ListDevices"},
                                                                       fmt=plistlib.FMT_BINARY), {"version": 1})],
    "list in version 0": [(mux_client.PLIST_MESSAGE, plistlib.dumps({"MessageType": "ReadBUID"}), {"version": 0})],
    "unknown version": [(mux_client.PLIST_MESSAGE, plistlib.dumps({"MessageType": "ReadBUID"}), {"version": 2})],
    "unknown message": [(99, b"", {}), (99, b"", {"version": 1}), (0, b"", {})],
    "too short": [(mux_client.LISTEN, b"", {"length": 15})],
    "too long": [(mux_client.LISTEN, b"", {"length": 65537})],
    "request while listening": [plist(MessageType="Listen"), plist(MessageType="ReadBUID")],
}


def normal(body):
    """A body without what differs between two hosts."""
    try:
        value = plistlib.loads(body)
    except plistlib.InvalidFileException:
        return body
    if "BUID" in value:
        value["BUID"] = re.sub("[0-9A-F]", "X", value["BUID"])
    if "PairRecordData" in value:
        value["PairRecordData"] = plistlib.loads(value["PairRecordData"])
    for listener in value.get("ListenerList", []):
        listener["ID String"] = re.sub(r"\d+", "N", listener["ID String"])
    return value


def converse(path, requests):
    """What is answered, with a last question that tells silence from slowness."""
    heard = []
    with MuxClient(path) as client:
        try:
            for tag, (message, body, how) in enumerate(requests, 1):
                client.send(message, body, tag=tag, **how)
                if message == mux_client.LISTEN and not how or b"Listen<" in body:
                    heard.append(seen(client.frame()))  # before the next request, which may end the connection
            client.send(*plist(MessageType="ListDevices")[:2], version=1, tag=SENTINEL)
        except (BrokenPipeError, ConnectionResetError):
            pass
        while (frame := client.frame()) is not None:
            if frame[2] == SENTINEL:
                return heard + ["open"]
            heard.append(seen(frame))
    return heard + ["closed"]


def seen(frame):
    version, message, tag, body = frame
    return version, message, tag, normal(body)


# Requests whose Result differs: Debian's 1.1.1-7 takes the 0 of today's plist_write_to_filename() for a failure, so it
# keeps the record, answers 2 (ENOENT) and sends no Paired. Upstream's later source answers 0; so does the phone's door.
SAVED = {"records": [1, 3], "binary record": [0]}


def forgiven(name, heard):
    for index in SAVED.get(name, []):
        assert heard[index][3]["Number"] in (0, 2)
        heard[index][3]["Number"] = 0
    return heard


def test_answers_as_usbmuxd(tmp_path):
    with SimPhone(tmp_path, arguments=["--unplugged"]) as phone, real_usbmuxd(tmp_path) as daemon:
        try:
            end = time.monotonic() + LIMIT
            while "Initialization complete" not in (tmp_path / "usbmuxd.err").read_text():
                assert daemon.poll() is None and time.monotonic() < end, (tmp_path / "usbmuxd.err").read_text()
                time.sleep(0.01)
            for name, requests in CONVERSATIONS.items():
                theirs = forgiven(name, converse(tmp_path / "usbmuxd", requests))
                assert (name, converse(phone.socket, requests)) == (name, theirs)
        finally:
            daemon.terminate()


# ---- recorded bytes as the measure

RECORDED = TREE / "tests/data/recorded"


def recorded(name, **changed):
    """Recorded bytes, with texts in place of others."""
    data = (RECORDED / f"{name}.bin").read_bytes()
    for old, new in changed.items():
        data = data.replace(old.lstrip("_").replace("_", ".").encode(), str(new).encode())
    return data


@pytest.fixture
def old_phone(tmp_path):
    with SimPhone(tmp_path, "iphone6s", udid=OLD_UDID, version="12.3.1") as made:
        yield made


def raw(phone, request, count):
    with MuxClient(phone.socket) as client:
        client.socket.sendall(request)
        return client.read(count)


def test_recorded_list_devices(old_phone):
    with MuxClient(old_phone.socket) as client:
        location = client.devices()[0]["Properties"]["LocationID"]
    body = recorded("usbmuxlistdevicemessage", _339881984=location)[16:]
    expected = (len(body) + 16).to_bytes(4, "little") + recorded("usbmuxlistdevicemessage")[4:16] + body
    assert raw(old_phone, recorded("readdevices"), len(expected)) == expected


def test_recorded_connect(old_phone):
    body = plistlib.dumps({"MessageType": "Connect", "DeviceID": 1, "PortNumber": socket.htons(LOCKDOWN_PORT)})
    request = mux_client.HEADER.pack(16 + len(body), 1, 8, 1) + body
    expected = recorded("usbmuxconnectmessage")
    assert raw(old_phone, request, len(expected)) == expected
    assert recorded("usbmuxconnectandlockdown") == expected + recorded("lockdowngettimemessage")


def session_begin(phone, client, record):
    """A session as another stack opens it: Python's TLS, and the host's certificate where libimobiledevice shows the
    root's."""
    asked = {key: record[key] for key in ("HostID", "SystemBUID")}
    answer = plistlib.loads(client.lockdown(Request="StartSession", **asked)[4:])
    assert answer["EnableSessionSSL"] is True, answer
    identity = phone.folder / "host.pem"
    identity.write_bytes(record["HostCertificate"] + record["HostPrivateKey"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(identity)
    client.socket = context.wrap_socket(client.socket)


def test_recorded_time_of_a_session(old_phone):
    """The recording is of iOS 12, perhaps without a session; this phone follows iOS 14, which wants one."""
    record = pair(old_phone)
    with MuxClient(old_phone.socket) as client:
        assert client.connect(1, LOCKDOWN_PORT) == OK
        session_begin(old_phone, client, record)
        answer = client.lockdown(Request="GetValue", Key="TimeIntervalSince1970")
    expected = recorded("lockdowngettimemessage")
    told = re.search(rb"<real>(\d+\.\d+)</real>", answer).group(1)
    assert answer[4:] == expected[4:].replace(b"1561317733.062099", told)
    assert int.from_bytes(answer[:4], "big") == len(answer) - 4


@pytest.mark.parametrize("name,question", [
    ("lockdownquerytypemessage", {"Request": "QueryType"}),
    ("lockdowngetvaluemessage", {"Request": "GetValue", "Key": "ProductVersion"})])
def test_recorded_lockdown(old_phone, name, question):
    with MuxClient(old_phone.socket) as client:
        assert client.connect(1, LOCKDOWN_PORT) == OK
        assert client.lockdown(**question) == recorded(name)
