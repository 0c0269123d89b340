# SPDX-License-Identifier: GPL-3.0-or-later
"""The services behind trust before their judges: afcclient, idevicediagnostics, idevicenotificationproxy."""

import hashlib
import json
import os
import time

import pytest

from simphone import SimPhone

LIMIT = 40  # seconds, for anything that is awaited


@pytest.fixture()
def paired(tmp_path):
    """paired(**settings) → an iPhone 13 that trusts this computer."""
    phones = []

    def begin(**settings):
        phone = SimPhone(tmp_path, "iphone13", trust="silent", time_scale_percent=20, **settings)
        phones.append(phone)
        phone.start()
        assert phone.run("idevicepair", "pair").returncode == 0
        return phone

    yield begin
    for phone in phones:
        phone.stop()


def afc(phone, *words):
    """Standard output of afcclient, which says success whatever happens; its errors are on standard error."""
    done = phone.run("afcclient", "--", *words)
    assert done.returncode == 0
    return done.stdout, done.stderr


def await_state(phone, **wanted):
    deadline = time.monotonic() + LIMIT
    while True:
        state = phone.state()
        if all(state[key] == value for key, value in wanted.items()) or time.monotonic() > deadline:
            assert {key: state[key] for key in wanted} == wanted
            return state
        time.sleep(0.05)


# ---- afc

def test_afc_lists_what_is_there(paired):
    phone = paired()
    assert {"DCIM", "Books", "Downloads", "iTunes_Control"} <= set(afc(phone, "ls", "/")[0].split())
    assert "IMG_0001.HEIC" in afc(phone, "ls", "/DCIM/100APPLE")[0]
    info = json.loads(afc(phone, "info", "/DCIM/100APPLE/IMG_0001.HEIC")[0])
    assert info["st_ifmt"] == "S_IFREG" and int(info["st_size"]) > 4000
    device = json.loads(afc(phone, "devinfo")[0])
    assert device["Model"] == "iPhone14,5"
    assert int(device["FSFreeBytes"]) < int(device["FSTotalBytes"]) == 128000000000


def test_afc_carries_every_byte(paired, tmp_path):
    phone = paired()
    content = os.urandom(3_000_000)
    (tmp_path / "put").write_bytes(content)
    assert afc(phone, "put", tmp_path / "put", "/Downloads/some file.bin")[1] == ""
    assert afc(phone, "mv", "/Downloads/some file.bin", "/Downloads/é.bin")[1] == ""
    assert afc(phone, "get", "/Downloads/é.bin", tmp_path / "got")[1] == ""
    assert hashlib.sha256((tmp_path / "got").read_bytes()).digest() == hashlib.sha256(content).digest()
    digest = phone.state()["files_digest"]
    assert afc(phone, "rm", "/Downloads/é.bin")[1] == ""
    assert phone.state()["files_digest"] != digest


def test_afc_copies_a_folder(paired, tmp_path):
    phone = paired()
    afc(phone, "get", "-r", "/DCIM", tmp_path / "photos")
    copied = [path for path in (tmp_path / "photos").rglob("*") if path.is_file()]
    assert len(copied) >= 30


def test_afc_says_what_is_wrong(paired, tmp_path):
    phone = paired(afc_unreadable="PhotoData/Photos.sqlite", disk_bytes=8_000_000)
    assert "not found" in " ".join(afc(phone, "get", "/none", tmp_path / "none")).lower()
    said = " ".join(afc(phone, "get", "/PhotoData/Photos.sqlite", tmp_path / "damaged"))
    assert "error" in said.lower()
    (tmp_path / "big").write_bytes(bytes(9_000_000))
    assert "Failed to write to device file" in " ".join(afc(phone, "put", tmp_path / "big", "/Downloads/big"))


# ---- diagnostics_relay

@pytest.mark.parametrize("kind, word", [("All", "GasGauge"), ("GasGauge", "FullChargeCapacity"), ("WiFi", "WiFi"),
                                        ("NAND", "NAND")])
def test_diagnostics(paired, kind, word):
    done = paired().run("idevicediagnostics", "diagnostics", kind)
    assert (done.returncode, word in done.stdout) == (0, True), done


def test_battery_by_the_registry(paired):
    phone = paired(battery_percent=17, battery_health_percent=79, battery_cycles=1001)
    said = phone.run("idevicediagnostics", "ioregentry", "AppleSmartBattery").stdout
    assert "<integer>1001</integer>" in said and "<integer>17</integer>" in said
    assert "BatteryCurrentCapacity: 17" in phone.run("ideviceinfo", "-q", "com.apple.mobile.battery").stdout
    assert phone.run("idevicediagnostics", "ioregentry", "Nonsense").returncode != 0


def test_restart_comes_back_trusted(paired):
    phone = paired()
    boots = phone.state()["boots"]
    assert phone.run("idevicediagnostics", "restart").returncode == 0
    await_state(phone, boots=boots + 1, attached=True, mode="normal")
    assert phone.run("idevicepair", "validate").returncode == 0


def test_shutdown_stays_off_until_the_charger(paired):
    phone = paired()
    assert phone.run("idevicediagnostics", "shutdown").returncode == 0
    await_state(phone, attached=False)
    assert "No device found" in phone.run("ideviceinfo", "-s").stdout + phone.run("ideviceinfo", "-s").stderr
    phone.control("unplug")
    phone.control("plug")
    await_state(phone, attached=True, mode="normal")


# ---- notification_proxy

def test_notifications(paired):
    phone = paired()
    name = "com.apple.mobile.lockdown.device_name_changed"
    with phone.popen("stdbuf", "-oL", "idevicenotificationproxy", "observe", name) as watcher:
        try:
            phone.wait_event("message", conversation="notification_proxy", way="got",
                             name=f"ObserveNotification/{name}")
            assert phone.run("idevicename", "Ben's phone").returncode == 0
            phone.wait_event("message", conversation="notification_proxy", way="sent",
                             name=f"RelayNotification/{name}")
        finally:
            watcher.terminate()
            said = watcher.communicate(timeout=LIMIT)[0]
    assert name in said
