# SPDX-License-Identifier: GPL-3.0-or-later
"""One simulated phone without a machine around it, for native stories.

    with SimPhone(tmp_path, "iphone13", trust="asking") as phone:
        done = phone.run("idevice_id", "-l")
        phone.control("mode recovery")
        phone.wait_event("attach", mode="recovery")

Who owns what: the SimPhone owns its process and the files in its folder. The process is the one with the sanitizers
(IDR_SIMPHONE=plain: without; IDR_SIMPHONE=PATH: that one). Leaving the `with` block ends it and fails if it did not
end well or a sanitizer spoke.
"""

import json
import os
import pathlib
import subprocess
import time

from guest import GuestError, Lines

__all__ = ["SimPhone", "SimPhoneError", "TREE"]

TREE = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = {"asan": TREE / "build/simphone-asan", "plain": TREE / "build/simphone"}
LIMIT = 40  # seconds, for anything that is awaited
POLL_SECONDS = 0.01
SEE_RECORDS = ('mount -t tmpfs none /var/lib && mkdir /var/lib/lockdown && mount --bind "$1" /var/lib/lockdown && '
               'shift && exec "$@"')
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root",
               "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
               "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:quarantine_size_mb=16",
               "UBSAN_OPTIONS": "print_stacktrace=1"}


class SimPhoneError(Exception):
    """The simulated phone refuses, or is not what it should be."""


def program():
    chosen = os.environ.get("IDR_SIMPHONE") or "asan"
    return PROGRAMS.get(chosen) or pathlib.Path(chosen)


class SimPhone:
    """folder: for its sockets, log and records; a short path, because of the sockets.
    usbmuxd: serves usbmuxd's socket. records: folder of pair records, one for each simulated host.
    libusb: serves the stand-in for libusb; True, or a folder that phones of one bus share.
    settings: keys of scenario files, numbers and texts. arguments: more of the command line.
    """

    def __init__(self, folder, scenario=None, *, name="phone", usbmuxd=True, records=None, libusb=False,
                 arguments=(), faults=(), **settings):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.socket = self._path("mux") if usbmuxd else None
        self.records = pathlib.Path(records) if records else self._path("records")
        self.bus = self._path("bus") if libusb is True else pathlib.Path(libusb) if libusb else None
        self.log_path, self.error_path = self._path("jsonl"), self._path("err")
        self.process = self.lines = None
        self._log_position, self._events = 0, []
        self.command = [str(program())]
        if scenario:
            self.command += ["--scenario", scenario]
        for key, value in settings.items():
            self.command += ["--set", f"{key}={value}"]
        for fault in faults:
            self.command += ["--set", f"fault={fault}"]
        if self.socket:
            self.command += ["--usbmuxd", str(self.socket), "--records", str(self.records)]
        if self.bus:
            self.command += ["--libusb", str(self.bus)]
        self.command += ["--control", str(self._path("ctl")), "--log", str(self.log_path), *arguments]

    def _path(self, ending):
        return self.folder / f"{self.name}.{ending}"

    # ---- life

    def start(self):
        """Starts it; when this returns all its sockets are there."""
        if self.bus:
            self.bus.mkdir(exist_ok=True)
        with open(self.error_path, "wb") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                            cwd=TREE, env=ENVIRONMENT)
        try:
            self.lines = Lines(self._path("ctl"), time.monotonic() + LIMIT, self._alive)
            self.control("state")  # it is in its loop: the doors are open
        except (GuestError, SimPhoneError):
            self.process.kill()
            self.process.wait()
            raise
        return self

    def stop(self):
        """Ends it and judges its end. May be called twice."""
        if self.lines:
            self.lines.close()
            self.lines = None
        if not self.process:
            return
        self.process.terminate()
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = "nothing: it had to be killed"
        self.process = None
        text = self.error_path.read_text(errors="replace")
        if status != 0 or "Sanitizer" in text or "runtime error" in text:
            raise SimPhoneError(f"simphone ended with {status}:\n{text}")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, traceback):
        try:
            self.stop()
        except SimPhoneError as error:
            if value is None:
                raise
            value.add_note(f"and {error}")

    def _alive(self):
        if self.process.poll() is not None:
            raise SimPhoneError(f"simphone ended with {self.process.returncode}:\n"
                                f"{self.error_path.read_text(errors='replace')}")

    # ---- the user's hand

    def control(self, line):
        """One line to its control socket; the answer. SimPhoneError if it refuses."""
        try:
            self.lines.send(line)
            text = self.lines.read(time.monotonic() + LIMIT)
        except (GuestError, OSError) as error:
            self._alive()
            raise SimPhoneError(f"'{line}': {error}") from error
        if text is None:
            raise SimPhoneError(f"no answer to '{line}' within {LIMIT} seconds")
        answer = json.loads(text)
        if not answer.pop("ok"):
            raise SimPhoneError(f"'{line}': {answer['error']}")
        return answer

    def state(self):
        return self.control("state")

    @property
    def udid(self):
        """As usbmuxd spells it."""
        udid = self.state()["udid"]
        return f"{udid[:8]}-{udid[8:]}" if len(udid) == 24 else udid

    # ---- what it saw

    def events(self):
        """The event log so far, a dict for each line."""
        if self.log_path.exists():
            with open(self.log_path, "rb") as log:
                log.seek(self._log_position)
                whole, newline, _ = log.read().rpartition(b"\n")
            self._log_position += len(whole) + len(newline)
            self._events += [json.loads(line) for line in whole.splitlines()]
        return self._events

    def seen(self, event, after=0, **fields):
        """The events of that name with these fields, from number `after` on."""
        return [entry for entry in self.events()[after:]
                if entry["event"] == event and all(entry.get(key) == value for key, value in fields.items())]

    def number_of(self, entry):
        """For wait_event(after=…): what comes after this event of the log."""
        return self.events().index(entry) + 1

    def wait_event(self, wanted, seconds=LIMIT, after=0, **fields):
        """The first event from number `after` on (len(phone.events()) is now) that fits. wanted: its name, with fields;
        or a function that says so."""
        def fits(entry):
            if callable(wanted):
                return wanted(entry)
            return entry["event"] == wanted and all(entry.get(key) == value for key, value in fields.items())

        end = time.monotonic() + seconds
        number = after
        while True:
            events = self.events()
            while number < len(events):
                if fits(events[number]):
                    return events[number]
                number += 1
            self._alive()
            if time.monotonic() > end:
                last = "\n".join(map(str, events[-8:]))
                raise SimPhoneError(f"not within {seconds} seconds: {wanted} {fields}; the last that happened:\n{last}")
            time.sleep(POLL_SECONDS)

    # ---- judges

    def env(self, libusb=True):
        """The environment in which programs meet this phone. libusb: at its USB door too, if it has one."""
        environment = dict(ENVIRONMENT)
        if self.socket:
            environment["USBMUXD_SOCKET_ADDRESS"] = f"UNIX:{self.socket}"
        if self.bus and libusb:
            environment["SIMPHONE_BUS"] = str(self.bus)
            environment["LD_LIBRARY_PATH"] = str(program().parent / "standin")
        return environment

    def run(self, tool, *args, timeout=30, text_in=None, lockdown_folder=False):
        """Runs an unmodified program beside the phone. subprocess.TimeoutExpired if it does not end.

        lockdown_folder: it sees the records in /var/lib/lockdown too. `idevicepair list` looks there, past the mux."""
        command = [tool, *map(str, args)]
        if lockdown_folder:
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", SEE_RECORDS, "sh", str(self.records),
                       *command]
        return subprocess.run(command, input=text_in, stdin=None if text_in else subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", errors="replace", timeout=timeout,
                              cwd=self.folder, env=self.env(), check=False)

    def popen(self, tool, *args):
        """The same, running beside the test. The caller ends it; `with` does."""
        return subprocess.Popen([tool, *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, encoding="utf-8", errors="replace", cwd=self.folder,
                                env=self.env())
