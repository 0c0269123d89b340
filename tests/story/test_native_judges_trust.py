# SPDX-License-Identifier: GPL-3.0-or-later
"""Trust, pairing, sessions and values of the simulated phone before judges that nobody here wrote: the unmodified
idevicepair, ideviceinfo, idevicename, idevicedate, ideviceenterrecovery and usbmuxd. What they say is asserted to the
letter: the texts are the contract of everything that is built upon them."""

import pathlib
import plistlib
import re
import signal
import subprocess
import time

import pytest

from simphone import SimPhone, SimPhoneError

UDID = "00008110-001C20223E29401E"
LIMIT = 40  # seconds, for anything that is awaited
QUIET = 1  # second without a word of usbmuxd
REAL_DUMPS = pathlib.Path(__file__).resolve().parents[3] / "shared/data/ideviceinfo"

PENDING = f"ERROR: Please accept the trust dialog on the screen of device {UDID}, then attempt to pair again.\n"
DENIED = f"ERROR: Device {UDID} said that the user denied the trust dialog.\n"
LOCKED = (f"ERROR: Could not validate with device {UDID} because a passcode is set. "
          "Please enter the passcode on the device and retry.\n")
STRANGER = f"ERROR: Device {UDID} is not paired with this host\n"
PAIRED = f"SUCCESS: Paired with device {UDID}\n"
VALID = f"SUCCESS: Validated pairing with device {UDID}\n"
UNPAIRED = f"SUCCESS: Unpaired with device {UDID}\n"


def unhandled(code):
    return f"ERROR: Device {UDID} returned unhandled error code {code}\n"


def no_lockdown(text):
    return f"ERROR: Could not connect to lockdownd: {text}\n"


@pytest.fixture()
def simphone(tmp_path):
    """simphone(**settings) → a running iPhone 13 with usbmuxd's socket; records as usbmuxd would keep them."""
    phones = []
    (tmp_path / "lib").mkdir()

    def begin(**settings):
        phone = SimPhone(tmp_path, "iphone13", records=tmp_path / "lib/lockdown", **settings)
        phones.append(phone)
        return phone.start()

    yield begin
    for phone in phones:
        phone.stop()


def record_path(phone):
    return phone.records / f"{UDID}.plist"


def said(done):
    """(exit status, everything it printed)"""
    return done.returncode, done.stdout + done.stderr


def pair(phone, command):
    return said(phone.run("idevicepair", command))


def list_paired(phone):
    """`idevicepair list` looks into /var/lib/lockdown itself: it gets a /var/lib of its own."""
    return said(phone.run("unshare", "--map-root-user", "--mount", "sh", "-c",
                          'mount --bind "$0" /var/lib && exec idevicepair list', phone.records.parent))


def trusted(simphone, **settings):
    """A phone that has said yes to this computer."""
    phone = simphone(**settings)
    if pair(phone, "pair") != (0, PAIRED):
        phone.control("trust")
        assert pair(phone, "pair") == (0, PAIRED)
    return phone


# ---- idevicepair in every state of trust

# What stands on the phone → what pair and validate print (both, as there is no record yet).
REFUSALS = {
    "asking": PENDING,
    "never": PENDING,
    "denied": DENIED,
    "locked": LOCKED,
    "escrow": LOCKED,
    "fmip": unhandled(-37),
    "mc": unhandled(-38),
    "mc_challenge": unhandled(-39),
}


@pytest.mark.parametrize("trust", REFUSALS)
def test_refused(simphone, trust):
    phone = simphone(trust=trust)
    assert pair(phone, "pair") == (1, REFUSALS[trust])
    assert pair(phone, "validate") == (1, REFUSALS[trust])
    assert pair(phone, "unpair") == (1, STRANGER)
    assert list_paired(phone) == (0, "")
    assert not record_path(phone).exists()
    assert phone.state()["hosts"] == 0
    # what anybody may read
    assert said(phone.run("ideviceinfo", "-s", "-k", "ProductType")) == (0, "iPhone14,5\n")


def test_setup_assistant_pairs_silently(simphone):
    phone = simphone(trust="silent")
    assert pair(phone, "pair") == (0, PAIRED)
    assert pair(phone, "validate") == (0, VALID)
    assert list_paired(phone) == (0, UDID + "\n")
    phone.control("setup done")
    assert pair(phone, "validate") == (0, VALID)
    assert pair(phone, "unpair") == (0, UNPAIRED)
    assert list_paired(phone) == (0, "")
    assert pair(phone, "pair") == (1, PENDING)


def test_trust_is_tapped(simphone):
    phone = simphone()
    with pytest.raises(SimPhoneError, match="no dialog is on the screen"):
        phone.control("trust")
    assert pair(phone, "pair") == (1, PENDING)
    assert phone.state()["dialog"] == "asking"
    assert pair(phone, "pair") == (1, PENDING)  # a second attempt with new certificates
    phone.control("trust")
    assert pair(phone, "pair") == (0, PAIRED)
    state = phone.state()
    record = plistlib.loads(record_path(phone).read_bytes())
    assert state["host_ids"] == [record["HostID"]]  # of the attempt that succeeded
    assert len(record["EscrowBag"]) == 32
    assert record["WiFiMACAddress"] == "02:20:3e:29:40:1e"
    assert pair(phone, "validate") == (0, VALID)
    assert said(phone.run("idevicepair", "hostid")) == (0, record["HostID"] + "\n")


def test_dont_trust_is_tapped(simphone):
    phone = simphone()
    assert pair(phone, "pair") == (1, PENDING)
    phone.control("deny")
    assert pair(phone, "pair") == (1, DENIED)
    phone.control("unplug")
    phone.control("plug")
    assert pair(phone, "pair") == (1, PENDING)  # another cable, another question


def test_unlock_trust_and_passcode(simphone):
    phone = simphone(trust="locked")
    assert pair(phone, "pair") == (1, LOCKED)
    with pytest.raises(SimPhoneError, match="the screen is locked"):
        phone.control("trust")
    phone.control("unlock")
    assert phone.state()["dialog"] == "asking"
    phone.control("trust tap-only")
    assert phone.state()["dialog"] == "passcode"
    assert pair(phone, "pair") == (1, PENDING)
    phone.control("type")
    assert pair(phone, "pair") == (0, PAIRED)
    phone.control("lock")
    assert pair(phone, "validate") == (0, VALID)  # who is trusted is trusted by a locked phone too


def test_user_comes_later(simphone):
    phone = simphone(dialog_delay_ms=200, trust_after_ms=300)
    end = time.monotonic() + LIMIT
    outcomes = []
    while not outcomes or outcomes[-1] == (1, PENDING):
        assert time.monotonic() < end
        outcomes.append(pair(phone, "pair"))
    assert outcomes[0] == (1, PENDING)
    assert outcomes[-1] == (0, PAIRED)


# ---- records that do not fit

def test_forgotten_by_the_phone(simphone):
    phone = trusted(simphone)
    phone.control("forget")
    assert pair(phone, "validate") == (1, STRANGER)
    assert said(phone.run("ideviceinfo")) == (255, no_lockdown("Invalid HostID (-21)"))
    assert record_path(phone).exists()  # nobody heals that by himself
    assert pair(phone, "unpair") == (1, STRANGER)
    record_path(phone).unlink()
    assert pair(phone, "pair") == (1, PENDING)
    phone.control("trust")
    assert pair(phone, "pair") == (0, PAIRED)


def test_forgotten_after_three_sessions(simphone):
    phone = trusted(simphone, forgets_host=3)
    for _ in range(3):
        assert pair(phone, "validate") == (0, VALID)
    assert pair(phone, "validate") == (1, STRANGER)


def test_forgotten_by_the_computer(simphone):
    phone = trusted(simphone)
    old = phone.state()["host_ids"]
    record_path(phone).unlink()
    phone.control("unplug")
    phone.control("plug")
    assert pair(phone, "validate") == (1, PENDING)  # no record: it asks to pair
    phone.control("trust")
    assert pair(phone, "validate") == (0, VALID)
    new = phone.state()["host_ids"]
    # the phone remembers both; libimobiledevice draws the same HostID twice within one second, then they are one
    assert set(old) <= set(new) and plistlib.loads(record_path(phone).read_bytes())["HostID"] in new


KNOBS = {
    # knob: validate, ideviceinfo, pair
    "stale_record": ((1, STRANGER), (255, no_lockdown("Invalid HostID (-21)")), (0, PAIRED)),
    "buid_mismatch": ((1, STRANGER), (255, no_lockdown("Invalid HostID (-21)")), (0, PAIRED)),
    "missing_pair_record": ((1, unhandled(-29)), (255, no_lockdown("Missing pair record (-29)")), (0, PAIRED)),
    "record_save_fail": ((0, VALID), (0, "F4HVWWZGJC67\n"), (1, unhandled(-30))),
}


@pytest.mark.parametrize("knob", KNOBS)
def test_record_knobs(simphone, knob):
    phone = trusted(simphone)
    phone.control(f"set {knob} yes")
    validate, info, again = KNOBS[knob]
    assert pair(phone, "validate") == validate
    assert said(phone.run("ideviceinfo", "-k", "SerialNumber")) == info
    assert pair(phone, "pair") == again


def test_other_system_buid(simphone):
    """The computer was installed anew but kept the record: SystemBUID does not fit any more."""
    phone = trusted(simphone)
    path = phone.records / "SystemConfiguration.plist"
    configuration = plistlib.loads(path.read_bytes())
    configuration["SystemBUID"] = "00000000-0000-4000-8000-000000000000"
    path.write_bytes(plistlib.dumps(configuration))
    assert pair(phone, "validate") == (1, STRANGER)


def test_two_computers(tmp_path):
    """Two folders of records are two computers; the phone keeps both apart over its restart."""
    phone = SimPhone(tmp_path, "iphone13", records=tmp_path / "a", trust="silent", boot_ms=100, libusb=True)
    with phone:
        assert pair(phone, "pair") == (0, PAIRED)
        other = tmp_path / "b"
        (tmp_path / "a").rename(other)
        (tmp_path / "a").mkdir()
        # libimobiledevice draws the same HostID twice within one second
        paired = int(time.time())
        while int(time.time()) == paired:
            time.sleep(0.02)
        assert pair(phone, "pair") == (0, PAIRED)
        state = phone.state()
        assert state["hosts"] == 2
        boots = state["boots"]
        seen = len(phone.events())
        phone.control("button restart")
        phone.wait_event("attach", after=seen, mode="normal")
        assert phone.state()["boots"] > boots
        assert pair(phone, "validate") == (0, VALID)
        (tmp_path / "a").rename(tmp_path / "c")
        other.rename(tmp_path / "a")
        assert pair(phone, "validate") == (0, VALID)


def test_reconnect_after_trust(simphone):
    phone = simphone(trust="silent", reconnect_after_trust="yes")
    assert pair(phone, "pair") == (0, PAIRED)
    phone.wait_event("detach")
    phone.wait_event("attach", after=next(i for i, e in enumerate(phone.events()) if e["event"] == "detach"))
    assert pair(phone, "validate") == (0, VALID)


# ---- TLS

# knob → idevicepair validate, ideviceinfo -k SerialNumber, what the phone's log says of it
TLS = {
    "normal": ((0, VALID), (0, "F4HVWWZGJC67\n"), {"event": "tls", "version": "TLSv1.3"}),
    "max_1.2": ((0, VALID), (0, "F4HVWWZGJC67\n"), {"event": "tls", "version": "TLSv1.2"}),
    "max_1.0": ((0, VALID), (0, "F4HVWWZGJC67\n"), {"event": "tls", "version": "TLSv1"}),
    # nobody verifies the phone's certificate
    "wrong_cert": ((0, VALID), (0, "F4HVWWZGJC67\n"), {"event": "tls", "version": "TLSv1.3"}),
    "close": ((1, unhandled(-5)), (255, no_lockdown("SSL error (-5)")), {"event": "tls-failed"}),
    "alert": ((1, unhandled(-5)), (255, no_lockdown("SSL error (-5)")), {"event": "tls-failed"}),
    # with TLS 1.3 the host believes that it is in before its certificate is judged: success, and then silence
    "other_ca": ((0, VALID), (0, ""), {"event": "tls-failed", "why": "certificate verify failed"}),
}


@pytest.mark.parametrize("knob", TLS)
def test_tls(simphone, knob):
    phone = trusted(simphone)
    phone.control(f"set tls {knob}")
    validate, info, event = TLS[knob]
    assert pair(phone, "validate") == validate
    assert said(phone.run("ideviceinfo", "-k", "SerialNumber")) == info
    assert len([e for e in phone.events() if event.items() <= e.items()]) == 2
    for opened in phone.seen("tls"):
        assert re.fullmatch("[0-9a-f]{64}", opened["client"]) and opened["cipher"]


def test_tls_12_judges_the_certificate_at_once(simphone):
    phone = trusted(simphone, version="12.5.7")  # a system before TLS 1.3
    assert pair(phone, "validate") == (0, VALID)
    phone.control("set tls other_ca")
    assert pair(phone, "validate") == (1, unhandled(-5))


@pytest.mark.parametrize("setting", ["tls no_handshake", "lockdown_reply none"])
def test_silence(simphone, setting):
    """Nothing comes. The judge would say -5 after 35 seconds without a handshake, and -7 after 60 without a reply;
    here it is enough that it still waits after 3, and that the phone lives."""
    phone = trusted(simphone)
    phone.control(f"set {setting}")
    with pytest.raises(subprocess.TimeoutExpired):
        phone.run("idevicepair", "validate", timeout=3)
    assert phone.state()["mode"] == "normal"


# ---- replies in every form

REPLIES = {
    "binary": ((0, VALID), (0, "F4HVWWZGJC67\n")),
    "split": ((0, VALID), (0, "F4HVWWZGJC67\n")),
    "long": ((0, VALID), (0, "F4HVWWZGJC67\n")),
    "wrong_request": ((1, f"ERROR: Pairing with device {UDID} failed.\n"),
                      (255, no_lockdown("Pairing failed (-4)"))),
}


@pytest.mark.parametrize("form", REPLIES)
def test_replies(simphone, form):
    phone = trusted(simphone)
    phone.control(f"set lockdown_reply {form}")
    assert pair(phone, "validate") == REPLIES[form][0]
    assert said(phone.run("ideviceinfo", "-k", "SerialNumber")) == REPLIES[form][1]


@pytest.mark.parametrize("error, words", [("PasswordProtected", "Password protected (-17)"),
                                          ("InvalidHostID", "Invalid HostID (-21)"),
                                          ("InvalidConnection", "Unknown Error (-256)")])
def test_error_of_ones_choice(simphone, error, words):
    phone = trusted(simphone)
    phone.control(f"set fault lockdown got StartSession error:{error}")
    assert said(phone.run("ideviceinfo")) == (255, no_lockdown(words))
    assert phone.run("ideviceinfo").returncode == 0  # a fault strikes once


def test_late_answer(simphone):
    """connect_delay of the contract: fault's delay at the first message."""
    phone = trusted(simphone)
    phone.control("set fault lockdown got QueryType delay:1500")
    start = time.monotonic()
    assert pair(phone, "validate") == (0, VALID)
    assert time.monotonic() - start > 1.4


# ---- services

DIAGNOSTICS = "com.apple.mobile.diagnostics_relay"
NO_START = "ERROR: Could not start diagnostics relay service: "
NO_ANSWER = "ERROR: Unable to retrieve diagnostics from device.\n"
# knob → what idevicediagnostics prints
SERVICES = {
    "service ssl_missing": NO_ANSWER,
    "service wrong_port": "ERROR: Could not connect to diagnostics_relay!\n",
    "service close": NO_ANSWER,
    "service tls_fails": NO_ANSWER,
    f"service_fail {DIAGNOSTICS} PasswordProtected": NO_START + "Password protected\n",
    f"service_fail {DIAGNOSTICS} InvalidService": NO_START + "Invalid service\n",
    f"service_fail {DIAGNOSTICS} ServiceProhibited": NO_START + "Service prohibited\n",
}


@pytest.mark.parametrize("knob", SERVICES)
def test_services(simphone, knob):
    phone = trusted(simphone)
    phone.control(f"set {knob}")
    assert said(phone.run("idevicediagnostics", "diagnostics", "GasGauge")) == (1, SERVICES[knob])
    phone.control("set service normal")
    phone.control("set service_fail ")
    assert phone.run("idevicediagnostics", "diagnostics", "GasGauge").returncode == 0


def test_too_many_services_and_notifications(simphone):
    phone = trusted(simphone, service_limit=1)
    name = "com.apple.mobile.lockdown.device_name_changed"
    observer = phone.popen("idevicenotificationproxy", "observe", name)
    try:
        phone.wait_event("notification-proxy", command="ObserveNotification", name=name)
        done = phone.run("idevicediagnostics", "diagnostics", "GasGauge")
        assert said(done) == (1, NO_START + "Service limit reached\n")
        phone.run("idevicename", "Neu")
        phone.wait_event("message", conversation="notification_proxy", way="sent", name=f"RelayNotification/{name}")
    finally:
        observer.send_signal(signal.SIGINT)
        text, _ = observer.communicate(timeout=LIMIT)
    assert f"> {name}\n" in text
    assert phone.run("idevicediagnostics", "diagnostics", "GasGauge").returncode == 0


def test_before_the_first_unlock(simphone):
    """A phone with a passcode that restarted: the record opens a session, not the user's files."""
    phone = trusted(simphone, passcode="yes", boot_ms=100)
    seen = len(phone.events())
    phone.control("button restart")
    phone.wait_event("attach", after=seen, mode="normal")
    assert phone.state()["locked"] and not phone.state()["unlocked_once"]
    assert pair(phone, "validate") == (0, VALID)
    failed = "ERROR: Failed to start service com.apple.afc: Escrow lockded (-35)\n"  # sic
    assert said(phone.run("afcclient", "ls", "/")) == (1, failed)
    phone.control("unlock")
    assert phone.run("afcclient", "ls", "/").returncode == 0


# ---- systems of another time

@pytest.mark.parametrize("version, asks", [("9.3.5", True), ("6.1.3", False)])
def test_old_systems(tmp_path, version, asks):
    """TLS 1.0; and before iOS 7 an unlocked phone asked nobody, and hosts validate before a session."""
    phone = SimPhone(tmp_path, "iphone6s", version=version)
    with phone:
        udid = phone.udid
        assert (pair(phone, "pair")[0] == 1) == asks
        if asks:
            phone.control("trust")
        assert pair(phone, "pair") == (0, f"SUCCESS: Paired with device {udid}\n")
        assert pair(phone, "validate") == (0, f"SUCCESS: Validated pairing with device {udid}\n")
        assert said(phone.run("ideviceinfo", "-k", "ProductVersion")) == (0, version + "\n")
        assert {e["version"] for e in phone.seen("tls")} == {"TLSv1"}
        assert bool(phone.seen("lockdown", request="ValidatePair")) != asks
        assert pair(phone, "unpair") == (0, f"SUCCESS: Unpaired with device {udid}\n")


# ---- values

def keys_of(text):
    """Keys of ideviceinfo's list: those at the line's beginning."""
    return {match[1] for match in re.finditer(r"^([A-Za-z0-9]+)(?:\[\d+\])?:", text, re.MULTILINE)}


@pytest.mark.skipif(not REAL_DUMPS.is_dir(), reason="the dumps of real phones are not part of the tree")
@pytest.mark.parametrize("dump, simple", [("full_iPhone9,1_13.3.1_17D50_redacted.txt", False),
                                          ("simple_iPhone9,2_13.5.1_17F80_redacted.txt", True)])
def test_same_keys_as_a_real_phone(tmp_path, dump, simple):
    real = keys_of((REAL_DUMPS / dump).read_text(encoding="utf-8"))
    phone = SimPhone(tmp_path, "iphone7", trust="silent", version="13.5.1", build="17F80")
    with phone:
        phone.run("idevicepair", "pair")
        if simple:  # usbmuxd had told who asks
            assert phone.run("idevicepair", "unpair").returncode == 0
            real.discard("UntrustedHostBUID")
        ours = keys_of(phone.run("ideviceinfo", *(["-s"] if simple else [])).stdout)
    assert ours == real | (set() if simple else {"ActivationStateAcknowledged"})  # which another real phone has


def known_domains():
    text = subprocess.run(["ideviceinfo", "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
    return re.findall(r"^  (com\.\S+)$", text, re.MULTILINE)


def test_every_domain(simphone):
    """Each that ideviceinfo knows: exit 0, a property list; the ones with values have those."""
    expected = {
        "com.apple.disk_usage": {"TotalDiskCapacity": 128000000000, "TotalDataCapacity": 117000000000},
        "com.apple.mobile.battery": {"BatteryCurrentCapacity": 80, "BatteryIsCharging": True, "HasBattery": True},
        "com.apple.purplebuddy": {"SetupDone": True},
        "com.apple.mobile.chaperone": {"DeviceIsChaperoned": False},
        "com.apple.international": {"Language": "en"},
        "com.apple.mobile.backup": {"WillEncrypt": False},
        "com.apple.mobile.wireless_lockdown": {"EnableWifiConnections": False},
        "com.apple.fmip": {"IsAssociated": False},
        "com.apple.mobile.iTunes": {"SyncDataClasses": ["Contacts", "Calendars", "Bookmarks", "Photos"]},
    }
    phone = trusted(simphone)
    domains = known_domains()
    assert len(domains) > 25 and set(expected) <= set(domains)
    for domain in domains:
        done = phone.run("ideviceinfo", "-x", "-q", domain)
        assert (done.returncode, done.stderr) == (0, ""), domain
        values = plistlib.loads(done.stdout.encode())
        assert expected.get(domain, {}).items() <= values.items(), domain


def test_domains_are_not_for_strangers(simphone):
    phone = simphone()
    assert said(phone.run("ideviceinfo", "-s", "-q", "com.apple.disk_usage")) == (0, "")
    assert said(phone.run("ideviceinfo", "-s", "-k", "SerialNumber")) == (0, "")
    assert phone.seen("lockdown", request="GetValue", error="GetProhibited")


def test_keys_by_name(simphone):
    phone = trusted(simphone, version="18.1", build="22B83", battery_percent=23)
    for key, value in {"ProductVersion": "18.1", "BuildVersion": "22B83", "HardwareModel": "D17AP", "ChipID": "33040",
                       "UniqueChipID": str(0x1C20223E29401E), "SerialNumber": "F4HVWWZGJC67", "HasSiDP": "false",
                       "InternationalMobileEquipmentIdentity": "350000000000006", "ActivationState": "Activated",
                       "BasebandStatus": "BBInfoAvailable", "Image4Supported": "true"}.items():
        assert said(phone.run("ideviceinfo", "-k", key)) == (0, value + "\n")
    assert said(phone.run("ideviceinfo", "-k", "NoSuchKey")) == (0, "")
    battery = ("-q", "com.apple.mobile.battery", "-k", "BatteryCurrentCapacity")
    assert said(phone.run("ideviceinfo", *battery)) == (0, "23\n")


def test_nonce_of_normal_mode_is_recoverys(tmp_path):
    phone = SimPhone(tmp_path, "iphone13", trust="silent", libusb=True, gap_ms=100)
    with phone:
        phone.run("idevicepair", "pair")
        xml = phone.run("ideviceinfo", "-x", "-k", "ApNonce").stdout.encode()
        nonce = plistlib.loads(xml).hex().upper()
        assert len(nonce) == 64
        assert phone.run("ideviceenterrecovery", UDID).returncode == 0
        phone.wait_event("attach", mode="recovery")
        assert f"NONC:{nonce} " in phone.state()["nonces"] + " "


def test_name(simphone):
    phone = trusted(simphone, arguments=("--set", "name=Ännas \\u7279"))
    assert said(phone.run("idevicename")) == (0, "Ännas 特\n")
    assert said(phone.run("idevicename", "Der Lange")) == (0, "device name set to 'Der Lange'\n")
    assert said(phone.run("idevicename")) == (0, "Der Lange\n")
    assert phone.seen("notice", name="com.apple.mobile.lockdown.device_name_changed")
    assert said(phone.run("ideviceinfo", "-s", "-k", "DeviceName")) == (0, "Der Lange\n")


def test_name_of_a_stranger(simphone):
    phone = simphone(trust="denied")
    assert said(phone.run("idevicename")) == (255, "ERROR: Could not connect to lockdownd, error code -18\n")


def test_date(simphone):
    phone = trusted(simphone, clock_s=1700000000)
    assert said(phone.run("idevicedate", "-s", "1000000000")) == (0, "Sun Sep  9 01:46:40 UTC 2001\n")
    status, text = said(phone.run("idevicedate"))
    assert status == 0 and re.fullmatch(r"Sun Sep  9 01:4[67]:\d\d UTC 2001\n", text)


def test_enter_recovery_needs_a_session(simphone):
    phone = trusted(simphone, enter_recovery="session", gap_ms=100)
    done = phone.run("ideviceenterrecovery", UDID)
    assert said(done) == (0, f"Telling device with udid {UDID} to enter recovery mode.\n"
                             "Device is successfully switching to recovery mode.\n")
    assert [e["error"] for e in phone.seen("lockdown", request="EnterRecovery")] == ["SessionInactive", ""]
    phone.wait_event("attach", mode="recovery")
    assert phone.state()["hosts"] == 1  # the record survives the mode


def test_enter_recovery_refused_to_a_stranger(simphone):
    phone = simphone(trust="denied", enter_recovery="session")
    done = phone.run("ideviceenterrecovery", UDID)
    assert said(done) == (1, f"Telling device with udid {UDID} to enter recovery mode.\n"
                             "ERROR: Could not connect to lockdownd: User denied pairing (-18)\n")


# ---- usbmuxd itself

@pytest.fixture()
def usbmuxd(tmp_path):
    """usbmuxd(**settings) → a phone on a made-up USB and the unmodified usbmuxd beside it, with its own /run and
    /var/lib."""
    running = []

    def begin(**settings):
        phone = SimPhone(tmp_path, "iphone13", usbmuxd=False, libusb=True, **settings)
        phone.start()
        phone.records = tmp_path / "lib/lockdown"
        phone.records.mkdir(parents=True)
        (tmp_path / "run").mkdir()
        # its standard error, because it keeps the end of a log file to itself for a while
        script = ('mount --bind "$0/run" /run && mount --bind "$0/lib" /var/lib && '
                  'exec usbmuxd -f -v -v 2>"$0/usbmuxd.log"')
        process = phone.popen("unshare", "--map-root-user", "--mount", "sh", "-c", script, tmp_path)
        running.append((process, phone))
        phone.socket = tmp_path / "run/usbmuxd"
        return phone

    yield begin
    for process, phone in running:
        process.terminate()
        process.communicate(timeout=LIMIT)
        phone.stop()


def usbmuxd_logged(phone, text):
    end = time.monotonic() + LIMIT
    path = phone.folder / "usbmuxd.log"
    while time.monotonic() < end:
        if path.exists() and text in path.read_text(encoding="utf-8", errors="replace"):
            return
        time.sleep(0.02)
    raise AssertionError(f"usbmuxd did not say '{text}':\n{path.read_text(encoding='utf-8', errors='replace')[-3000:]}")


def replug(phone):
    """When usbmuxd has nothing under way: a cable pulled out in the middle of a transfer may hang it, and nothing else
    tells that it has done its last one."""
    path, size, since = phone.folder / "usbmuxd.log", -1, time.monotonic()
    end = since + LIMIT
    while time.monotonic() < since + QUIET and time.monotonic() < end:
        if path.stat().st_size != size:
            size, since = path.stat().st_size, time.monotonic()
        time.sleep(0.02)
    phone.control("unplug")
    phone.control("plug")


def test_preflight_pairs_when_trust_is_tapped(usbmuxd):
    phone = usbmuxd()
    usbmuxd_logged(phone, "Waiting for user to trust this computer on device")
    assert phone.state()["dialog"] == "asking"
    assert said(phone.run("idevice_id", "-l")) == (0, UDID + "\n")
    # it listens before the hand taps
    phone.wait_event("notification-proxy", command="ObserveNotification",
                     name="com.apple.mobile.lockdown.request_host_buid")
    phone.control("trust")
    usbmuxd_logged(phone, "user trusted this computer on device")
    phone.wait_event("paired")
    usbmuxd_logged(phone, "Finished waiting for notification")
    assert len(phone.state()["host_ids"]) == 1
    assert pair(phone, "validate") == (0, VALID)
    # the next time it comes in by its record alone
    seen = len(phone.events())
    replug(phone)
    usbmuxd_logged(phone, "StartSession success for device")
    assert not [e for e in phone.events()[seen:] if e["event"] == "lockdown" and e["request"] == "Pair"]


def test_preflight_in_setup_assistant(usbmuxd):
    phone = usbmuxd(trust="silent")
    usbmuxd_logged(phone, "Pair success for device")
    assert pair(phone, "validate") == (0, VALID)


def test_preflight_of_a_locked_phone(usbmuxd):
    phone = usbmuxd(trust="locked")
    usbmuxd_logged(phone, "Could not start insecure_notification_proxy")
    assert said(phone.run("idevice_id", "-l")) == (0, UDID + "\n")
    assert pair(phone, "pair") == (1, LOCKED)


def test_preflight_drops_a_record_that_tls_refuses(usbmuxd):
    phone = usbmuxd(trust="silent")
    usbmuxd_logged(phone, "Pair success for device")
    assert record_path(phone).exists()
    phone.control("set trust asking")
    phone.control("set tls alert")
    replug(phone)
    usbmuxd_logged(phone, "is invalid. Removing.")
    usbmuxd_logged(phone, "Waiting for user to trust this computer on device")
    assert not record_path(phone).exists()
