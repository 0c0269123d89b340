# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated phone before judges that nobody here wrote, without a machine: the unmodified irecovery, libirecovery
and usbmuxd run on a stand-in for libusb (tests/simphone/standin), whose bus is a folder of phones. None of our programs
takes part. Everything runs beside the plain phone and beside the one with the sanitizers."""

import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from simphone import SimPhone, program

LIMIT = 40  # seconds, for anything that is awaited
MODE_WORDS = {"recovery": "Recovery", "dfu": "DFU"}
KINDS = ["simphone", "simphone-asan"]

# Told where the events of libirecovery go: one line for each, {type, mode's product id}.
WATCHER = """
import ctypes
library = ctypes.CDLL("libirecovery-1.0.so.5")
class Event(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("mode", ctypes.c_int), ("info", ctypes.c_void_p)]
@ctypes.CFUNCTYPE(None, ctypes.POINTER(Event), ctypes.c_void_p)
def tell(event, _):
    print({1: "add", 2: "remove"}[event.contents.type], format(event.contents.mode, "04x"), flush=True)
context = ctypes.c_void_p()
assert library.irecv_device_event_subscribe(ctypes.byref(context), tell, None) == 0
input()
assert library.irecv_device_event_unsubscribe(context) == 0
"""


def until(what, condition, limit=LIMIT):
    """The first true value of condition(); fails with `what` when it does not come."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {limit} seconds: {what}")


class BusPhone(SimPhone):
    """A phone on a bus; its gaps off the bus are short: what is tested here is not patience."""

    def __init__(self, bus, number, scenario, **settings):
        super().__init__(bus.folder, scenario, name=f"phone{number}", usbmuxd=False, libusb=bus.folder / "bus",
                         **{"gap_ms": 100, "boot_ms": 100, **settings})
        self.command[0] = str(bus.program)

    def await_mode(self, mode):
        def reached():
            state = self.state()
            return state if state["mode"] == mode and state["configuration"] > 0 else None

        return until(f"the phone is in mode {mode}", reached)

    def commands(self):
        """What iBoot was told."""
        return [event["line"] for event in self.seen("recovery-command")]


class Bus:
    """A folder that is a bus, the phones on it, and programs that see them."""

    def __init__(self, kind):
        # short: the path of a socket has 107 characters at most
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bus-"))
        (self.folder / "bus").mkdir()
        self.program = program().parent / kind
        self.phones = []
        self.others = []
        self.environment = {**os.environ, "SIMPHONE_BUS": str(self.folder / "bus"), "HOME": str(self.folder),
                            "LD_LIBRARY_PATH": str(self.program.parent / "standin"), "LC_ALL": "C.UTF-8"}

    def plug(self, scenario, **settings):
        phone = BusPhone(self, len(self.phones) + 1, scenario, **settings)
        self.phones.append(phone)
        return phone.start()

    def run(self, *command, text=None):
        # irecovery leaves its history in the current folder
        return subprocess.run([str(word) for word in command], env=self.environment, input=text, capture_output=True,
                              cwd=self.folder, text=True, timeout=LIMIT, check=False)

    def ok(self, *command, text=None):
        done = self.run(*command, text=text)
        assert (done.returncode, done.stderr) == (0, ""), (command, done)
        return done.stdout

    def begin(self, *command, **options):
        """A program that goes on; ended with the bus at the latest."""
        process = subprocess.Popen([str(word) for word in command], env=self.environment, cwd=self.folder, **options)
        self.others.append(process)
        return process

    def query(self, ecid):
        """`irecovery -q` of one phone, {field: value}."""
        return dict(line.split(": ", 1) for line in self.ok("irecovery", "-q", "-i", ecid).splitlines())

    def remove(self):
        for process in self.others:
            if process.poll() is None:
                process.kill()
            process.wait(LIMIT)
        errors = []
        for phone in self.phones:
            try:
                phone.stop()
            except Exception as error:  # the others must end, too
                errors.append(error)
        left = list((self.folder / "bus").iterdir())
        shutil.rmtree(self.folder)
        assert (errors, left) == ([], [])


@pytest.fixture(params=KINDS)
def bus(request):
    bus_of_phones = Bus(request.param)
    yield bus_of_phones
    bus_of_phones.remove()


# ---- irecovery ----


def test_each_phone_is_found_by_its_ecid(bus):
    names = ["iphone13-recovery", "iphone6s-recovery", "iphone17-dfu", "ipad-pro11-m4-dfu", "iphone13"]
    for phone in [bus.plug(name) for name in names][:-1]:
        state = phone.state()
        fields = bus.query(state["ecid"])
        nonces = dict(part.split(":") for part in state["nonces"].split(" "))
        assert (int(fields["CPID"], 16), int(fields["BDID"], 16)) == (state["cpid"], state["bdid"])
        assert fields["ECID"] == state["ecid"]
        assert (fields["NONC"], fields["SNON"]) == (nonces["NONC"].lower(), nonces["SNON"].lower())
        assert fields["MODE"] == MODE_WORDS[state["mode"]]
        assert (fields["PRODUCT"], fields["MODEL"], fields["NAME"]) == (state["model"], state["board"], state["name"])
        assert fields["SRNM"] == (state["serial"] if state["mode"] == "recovery" else "N/A")
        mode = bus.ok("irecovery", "-m", "-i", state["ecid"])
        assert mode == f"{MODE_WORDS[state['mode']]} Mode\n"


@pytest.mark.parametrize("bus", ["simphone"], indirect=True)  # irecovery tries for seconds
def test_no_other_phone_is_taken(bus):
    bus.plug("iphone13-recovery")
    missing = bus.run("irecovery", "-q", "-i", "0x1234")
    assert (missing.returncode, missing.stdout, missing.stderr) == (255, "", "ERROR: Unable to find device\n")


def test_debug_usb_answers_with_its_record(bus):
    state = bus.plug("iphone16-debug-usb").state()
    fields = bus.query(state["ecid"])
    assert fields["MODE"] == "DFU via Debug USB (KIS)"
    assert (int(fields["CPID"], 16), fields["PRODUCT"]) == (state["cpid"], state["model"])


def test_commands_arrive(bus):
    phone = bus.plug("iphone13-recovery")
    bus.ok("irecovery", "-c", "setenv colour blue")
    bus.ok("irecovery", "-c", "getenv colour")
    assert phone.commands() == ["setenv colour blue", "getenv colour"]


def test_script_and_shell(bus):
    phone = bus.plug("iphone13-recovery")
    script = bus.folder / "script"
    script.write_text("# a comment\nsetenv colour green\nsaveenv\n", encoding="utf-8")
    bus.ok("irecovery", "-e", script)
    said = bus.ok("irecovery", "-s", text="getenv colour\nreboot\n")
    assert "\ngreen\n" in said
    # the shell sends getenv, and asks again to have it printed
    assert phone.commands() == ["setenv colour green", "saveenv", "getenv colour", "getenv colour", "reboot"]


def test_reset_keeps_address_and_configuration(bus):
    phone = bus.plug("iphone13-recovery")
    before = phone.state()
    resets = len(phone.seen("bus-reset"))
    bus.ok("irecovery", "-r")
    assert len(phone.seen("bus-reset")) == resets + 1
    assert phone.state() == before
    bus.query(before["ecid"])
    assert {event["address"] for event in phone.seen("libusb-open")} == {2}


def test_out_of_the_recovery_loop(bus):
    phone = bus.plug("iphone7-recovery")
    bus.ok("irecovery", "-n")
    phone.await_mode("normal")
    assert phone.commands() == ["setenv auto-boot true", "saveenv", "reboot"]


@pytest.mark.parametrize("name, size", [("iphone17-dfu", 5000), ("ipad-pro11-m4-dfu", 2040), ("iphone13-dfu", 600000),
                                        ("iphone16-recovery", 65536), ("iphone6s-recovery", 100000)])
def test_upload_arrives_bit_by_bit(bus, name, size):
    phone = bus.plug(name, firmware_check="none")  # any bytes boot
    before = phone.state()
    image = os.urandom(size)
    (bus.folder / "image").write_bytes(image)
    bus.ok("irecovery", "-f", bus.folder / "image")
    if before["mode"] == "recovery":
        bus.ok("irecovery", "-c", "go")
    until("the phone has booted it", lambda: phone.state()["boots"] > before["boots"])
    after = phone.await_mode("recovery")
    assert bus.query(after["ecid"])["MODE"] == "Recovery"
    uploads = [(event["bytes"], event["sha256"]) for event in phone.events() if "sha256" in event]
    assert (size, hashlib.sha256(image).hexdigest()) in uploads


def test_events_of_phones_that_come_and_go(bus):
    first = bus.plug("iphone13-dfu")
    bus.plug("iphone13")  # no business of libirecovery
    watcher = bus.begin(sys.executable, "-c", WATCHER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "add 1227\n"
    first.control("mode recovery")
    assert [watcher.stdout.readline() for _ in range(2)] == ["remove 1227\n", "add 1281\n"]
    second = bus.plug("iphone6s-recovery", unit=2)
    assert watcher.stdout.readline() == "add 1281\n"
    second.control("unplug")
    assert watcher.stdout.readline() == "remove 1281\n"
    rest, _ = watcher.communicate("\n", timeout=LIMIT)
    assert (watcher.returncode, rest) == (0, "")


# ---- usbmuxd ----


class Usbmuxd:
    """The unmodified daemon. Its places are fixed, so it gets a /run and a /var/lib of its own to look at."""

    PLACES = 'mount --bind "$0/run" /run && mount --bind "$0/lib" /var/lib && exec "$@"'
    # a client that asks for the pair record of a phone that was never paired: no fault of the phone
    NO_RECORD = re.compile(r"ERROR: Failed to read '/var/lib/lockdown/[0-9A-Fa-f-]+\.plist': No such file or directory")

    def __init__(self, bus):
        self.bus = bus
        self.log = bus.folder / "usbmuxd.log"
        for name in ("run", "lib"):
            (bus.folder / name).mkdir()
        bus.environment["USBMUXD_SOCKET_ADDRESS"] = f"UNIX:{bus.folder}/run/usbmuxd"
        self.process = bus.begin("unshare", "--map-root-user", "--mount", "sh", "-c", self.PLACES, bus.folder,
                                 "usbmuxd", "-f", "-v", "-v", "-l", self.log)
        until("usbmuxd listens", lambda: (bus.folder / "run/usbmuxd").exists() or self.process.poll() is not None)
        assert self.process.poll() is None

    def await_phones(self, udids):
        wanted = set(udids)
        until(f"usbmuxd lists {wanted}", lambda: set(self.bus.run("idevice_id", "-l").stdout.split()) == wanted)

    def stop(self):
        """Ends it; its log is whole then."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0
        return self.log.read_text(encoding="utf-8")

    def complaints(self):
        """Lines of level fatal, error and warning (0 to 2), but those about records that are not there."""
        lines = re.findall(r"^\[[0-9:.]+\]\[[012]\] (.*)$", self.log.read_text(encoding="utf-8"), re.MULTILINE)
        return [line for line in lines if not self.NO_RECORD.fullmatch(line)]


@pytest.fixture()
def usbmuxd(bus):
    return Usbmuxd(bus)


def test_usbmuxd_lists_phones_without_complaint(bus, usbmuxd):
    names = ["iphone13", "iphone7", "ipad9"]
    phones = [bus.plug(name) for name in names]  # they come while it runs
    udids = [phone.udid for phone in phones]
    usbmuxd.await_phones(udids)
    for phone, udid in zip(phones, udids):
        said = dict(line.split(": ", 1) for line in bus.ok("ideviceinfo", "-s", "-u", udid).splitlines()
                    if ": " in line and not line.startswith(" "))
        assert said["UniqueDeviceID"] == udid
        state = phone.state()
        assert (said["ProductType"], said["HardwareModel"].lower()) == (state["model"], state["board"])
        assert state["configuration"] == 4
    phones[1].control("unplug")
    usbmuxd.await_phones([udids[0], udids[2]])
    phones[1].control("plug")
    usbmuxd.await_phones(udids)
    log = usbmuxd.stop()
    assert usbmuxd.complaints() == []
    assert "Using libusb 1.0.30" in log
    assert log.count("All 3 RX loops started successfully") == 4


def test_phones_that_were_there_first(bus):
    phones = [bus.plug("iphone13"), bus.plug("iphone13-full-speed", unit=2), bus.plug("iphone13-recovery", unit=3)]
    usbmuxd = Usbmuxd(bus)
    usbmuxd.await_phones([phone.udid for phone in phones[:2]])
    log = usbmuxd.stop()
    assert usbmuxd.complaints() == []
    assert sorted(re.findall(r"USB Speed is (\d+) MBit/s", log)) == ["12", "480"]


def test_to_recovery_and_back_beside_usbmuxd(bus, usbmuxd):
    phone = bus.plug("iphone7")
    udid = phone.udid
    usbmuxd.await_phones([udid])
    bus.ok("ideviceenterrecovery", udid)
    state = phone.await_mode("recovery")
    usbmuxd.await_phones([])
    assert bus.query(state["ecid"])["PRODUCT"] == "iPhone9,1"
    bus.ok("irecovery", "-n", "-i", state["ecid"])
    usbmuxd.await_phones([udid])
    usbmuxd.stop()
    assert usbmuxd.complaints() == []
