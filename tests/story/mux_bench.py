# SPDX-License-Identifier: GPL-3.0-or-later
"""Many simulated phones behind one socket of the unmodified usbmuxd, natively: the phones hang on a bus, a folder, and
usbmuxd runs on the stand-in for libusb.

    with MuxBench(20, "iphone13-trusted") as bench:
        done = bench.run("idevice_id", "-l")     # every program with bench.environment meets all twenty
        bench.phones[3].control("unplug")

usbmuxd's own backlog is five connections, and its preflight opens one for each phone: of phones that are plugged in at
the same moment it loses some (their preflight ends with -8, they are never listed until they are plugged in again).
That is usbmuxd, not the phones; here one comes after the other.

Who owns what: the bench owns the folder, its phones and usbmuxd. Leaving the `with` block ends them and fails if a
phone did not end well.
"""

import pathlib
import shutil
import subprocess
import tempfile
import time

from simphone import ENVIRONMENT, SimPhone, program

LIMIT = 40  # seconds, for anything that is awaited
PREFLIGHT = 3  # seconds that usbmuxd's own pairing takes at most, when it is not lost
POLL_SECONDS = 0.01
# usbmuxd's places are fixed: it gets a /run and a /var/lib of its own to look at
USBMUXD = ('mount --bind "$0/run" /run && mount --bind "$0/lib" /var/lib && '
           'exec usbmuxd -f -v -v -l "$0/usbmuxd.log"')


class MuxBenchError(Exception):
    """Something that was awaited did not come."""


class MuxBench:
    """count: phones of that scenario to begin with, each its own handset. settings: keys of scenario files, for all.

    socket: usbmuxd's. records: its folder of pair records. bus: the folder of the stand-in, for SIMPHONE_BUS."""

    def __init__(self, count=0, scenario="iphone13", **settings):
        self.count, self.scenario, self.settings = count, scenario, settings
        # short: the path of a socket has 107 characters at most
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mux-"))
        self.bus = self.folder / "bus"
        self.socket = self.folder / "run/usbmuxd"
        self.records = self.folder / "lib/lockdown"
        self.phones = []
        self.usbmuxd = None
        for folder in (self.bus, self.socket.parent, self.records.parent):
            folder.mkdir()
        self.environment = {**ENVIRONMENT, "SIMPHONE_BUS": str(self.bus), "HOME": str(self.folder),
                            "LD_LIBRARY_PATH": str(program().parent / "standin"),
                            "USBMUXD_SOCKET_ADDRESS": f"UNIX:{self.socket}"}

    def __enter__(self):
        try:
            self.start_usbmuxd()
            for _ in range(self.count):
                self.plug(self.scenario, **self.settings)
        except BaseException:
            self.__exit__(True, None, None)
            raise
        return self

    def __exit__(self, kind, value, traceback):
        errors = []
        self.stop_usbmuxd()
        for phone in self.phones:
            try:
                phone.stop()
            except Exception as error:  # the others must end, too
                errors.append(error)
        shutil.rmtree(self.folder)
        if errors and kind is None:
            raise MuxBenchError(errors)

    # ---- usbmuxd

    def start_usbmuxd(self):
        self.usbmuxd = subprocess.Popen(["unshare", "--map-root-user", "--mount", "sh", "-c", USBMUXD, self.folder],
                                        env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.until("usbmuxd listens", self.socket.exists)

    def stop_usbmuxd(self):
        if self.usbmuxd:
            self.usbmuxd.terminate()
            try:
                self.usbmuxd.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.usbmuxd.kill()
                self.usbmuxd.wait()
            self.usbmuxd = None
        self.socket.unlink(missing_ok=True)

    def log(self):
        """What usbmuxd wrote so far."""
        return (self.folder / "usbmuxd.log").read_text(encoding="utf-8", errors="replace")

    # ---- phones

    def plug(self, scenario="iphone13", *, listed=True, **settings):
        """One more phone. listed: waits until usbmuxd has finished its preflight and lists it."""
        number = len(self.phones)
        phone = SimPhone(self.folder, scenario, name=f"phone{number}", usbmuxd=False, libusb=self.bus,
                         **{"unit": number, "serial": f"F4HV{number:08d}", **settings})
        self.phones.append(phone)
        phone.start()
        if listed:
            udid = phone.udid
            self.until(f"usbmuxd lists {udid}", lambda: udid in self.udids())
        return phone

    def udids(self):
        """Those that usbmuxd lists."""
        return self.run("idevice_id", "-l").stdout.split()

    def await_records(self):
        """Until usbmuxd has a record of each phone. Where its preflight lost the phone (a busy machine), idevicepair
        pairs in its place."""
        def missing():
            return [phone.udid for phone in self.phones if not (self.records / f"{phone.udid}.plist").exists()]
        end = time.monotonic() + PREFLIGHT
        while missing() and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        for udid in missing():
            self.run("idevicepair", "-u", udid, "pair")
        self.until("a pair record of each phone", lambda: not missing())

    # ---- programs

    def run(self, tool, *args, timeout=30):
        """Runs an unmodified program beside all phones."""
        return subprocess.run([tool, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                              errors="replace", timeout=timeout, env=self.environment, check=False)

    def begin(self, tool, *args):
        """The same, running beside the test. The caller ends it."""
        return subprocess.Popen([tool, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, encoding="utf-8", errors="replace", env=self.environment)

    @staticmethod
    def until(what, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                raise MuxBenchError(f"not within {LIMIT} seconds: {what}")
            time.sleep(POLL_SECONDS)
