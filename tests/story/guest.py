# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine with the image and simulated phones, for scripts/guest. Host side, standard library only.

    with Guest(Options(phones=["iphone13-recovery"])) as guest:
        guest.boot()
        print(guest.run("idevicerescue list").stdout)
        guest.phone(0).control("mode dfu")

Who owns what: the Guest owns the run's folder, QEMU and the simphones. All are children with a death signal, so none
outlives this process however it ends; leaving the `with` block ends them in order.
"""

import base64
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from guest_machine import TREE, GuestError, Options, qemu_args

__all__ = ["Completed", "Guest", "GuestError", "Options", "TREE"]

SETTLE_SECONDS = 60
LATE = 3
POLL_SECONDS = 0.5
# modes in which only a question to the phone tells which model it is
ASKED_MODES = {"normal", "restore", "port-dfu", "debug-usb"}
# Apple's USB devices in sysfs: the measure while the image has no program of ours
COUNT_APPLE = "cat /sys/bus/usb/devices/*/idVendor 2>/dev/null | grep -c '^05ac$' || true"


@dataclasses.dataclass
class Completed:
    """What a command in the guest did. status 124: its time was up."""

    stdout: str
    stderr: str
    status: int


_libc = ctypes.CDLL(None)  # looked up here: little may be done between fork and exec


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Lines:
    """A unix socket that speaks lines. Connects as soon as somebody listens, within the deadline."""

    def __init__(self, path, deadline, alive):
        self.buffer = b""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        while True:
            try:
                self.socket.connect(str(path))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise GuestError(f"nobody listens on {path}") from error
                alive()
                time.sleep(0.05)

    def send(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def read(self, deadline):
        """The next line, or None if the deadline passes first. GuestError when the other side is gone."""
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(65536)
            except socket.timeout:
                return None
            except OSError as error:
                raise GuestError(f"the connection broke: {error}") from error
            if not more:
                raise GuestError("the other side closed the connection")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def close(self):
        self.socket.close()


class Phone:
    """One simphone and its control socket."""

    def __init__(self, index, spec, run, deadline):
        self.spec = spec
        scenario, *settings = spec.split(",")
        self.log_path = run / f"phone{index}.jsonl"
        control = run / f"phone{index}.control"
        args = [str(TREE / "scripts/in-root"), str(TREE / "build/simphone"), "--scenario", scenario,
                "--usbredir", str(run / f"phone{index}.usbredir"), "--control", str(control),
                "--log", str(self.log_path)]
        for setting in settings:
            args += ["--set", setting]
        with open(run / f"phone{index}.err", "wb") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=TREE,
                                            preexec_fn=_die_with_parent)
        self.error_path = run / f"phone{index}.err"
        self.lines = Lines(control, deadline, self._alive)

    def _alive(self):
        if self.process.poll() is not None:
            raise GuestError(f"simphone {self.spec}: {self.error_path.read_text().strip() or 'ended'}")

    def control(self, line):
        """One line to the phone; its answer as a dict. GuestError if it refuses."""
        self._alive()
        self.lines.send(line)
        text = self.lines.read(time.monotonic() + 10)
        if text is None:
            raise GuestError(f"simphone {self.spec} does not answer '{line}'")
        answer = json.loads(text)
        if not answer.pop("ok"):
            raise GuestError(f"simphone {self.spec}: {line}: {answer['error']}")
        return answer

    def events(self):
        """The event log so far."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def close(self):
        self.lines.close()
        _end(self.process)


def _end(process):
    """SIGTERM, then SIGKILL; waits until it is gone."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _remove_orphans(runs):
    """Folders of runs whose process was killed before it could tidy up: guest-PID-…"""
    for folder in runs.glob("guest-[0-9]*-*"):
        if not pathlib.Path("/proc", folder.name.split("-")[1]).exists():
            shutil.rmtree(folder, ignore_errors=True)


class Guest:
    def __init__(self, options):
        self.options = options
        self.phones = []
        self.agent = self.monitor = self.qemu = None
        self.commands = 0
        # inside the tree, because the simphones run in the build root and see nothing else
        runs = TREE / "build/run"
        runs.mkdir(parents=True, exist_ok=True)
        _remove_orphans(runs)
        self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix=f"guest-{os.getpid()}-", dir=runs))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.shutdown()

    # ---- life

    def start(self):
        """Powers the machine on and plugs the phones in; does not wait for anything inside."""
        deadline = time.monotonic() + 30
        args = qemu_args(self.options, self.run_dir)
        for spec in self.options.phones:
            if not (TREE / "build/simphone").exists():
                raise GuestError(f"build/simphone is needed for {spec}: run 'make simphone' first")
        with open(self.run_dir / "qemu.err", "wb") as log:
            terminal = None if self.options.console else subprocess.DEVNULL
            self.qemu = subprocess.Popen(args, cwd=TREE, stdin=terminal, stdout=terminal, stderr=log,
                                         preexec_fn=_die_with_parent)
        self.agent = Lines(self.run_dir / "agent.sock", deadline, self._alive)
        self.monitor = Lines(self.run_dir / "qmp.sock", deadline, self._alive)
        self._monitor_begin(deadline)
        for index, spec in enumerate(self.options.phones):
            self.phones.append(Phone(index, spec, self.run_dir, deadline))

    def boot(self, settle=True, service=True):
        """Powers on and waits for the agent, for the service (unless service is false) and for the phones to settle."""
        deadline = time.monotonic() + self.options.timeout
        self.start()
        while True:
            line = self.agent.read(deadline)
            if line is None:
                raise GuestError(f"no answer from inside within {self.options.timeout} s:\n{self._last_words()}")
            if line == "HELLO 1":
                break
        if service and self.run("systemctl is-active --quiet idevicerescue.service", 30).status != 0:
            raise GuestError("idevicerescue.service is not active:\n" +
                             self.run("systemctl status --no-pager idevicerescue.service", 30).stdout)
        if settle:
            self.settle()

    def shutdown(self):
        """Ends everything and keeps the logs if somebody wants them. May be called twice."""
        for phone in self.phones:
            phone.close()
        self.phones = []
        for lines in (self.agent, self.monitor):
            if lines:
                lines.close()
        self.agent = self.monitor = None
        if self.qemu:
            _end(self.qemu)
            self.qemu = None
        if self.options.log and self.run_dir.exists():
            folder = pathlib.Path(self.options.log)
            folder.mkdir(parents=True, exist_ok=True)
            for path in self.run_dir.iterdir():
                if path.is_file():
                    shutil.copy2(path, folder / path.name)
        shutil.rmtree(self.run_dir, ignore_errors=True)

    def wait(self):
        """Until the machine powers off by itself."""
        self.qemu.wait()

    def _alive(self):
        if self.qemu.poll() is not None:
            text = (self.run_dir / "qemu.err").read_text(errors="replace").strip()
            raise GuestError(f"QEMU ended: {text or 'without a word'}")

    def _last_words(self):
        return "\n".join(self.serial_text().splitlines()[-15:])

    # ---- inside

    def run(self, command, timeout=120):
        """Runs a line of bash in the guest."""
        self.commands += 1
        number = str(self.commands)
        encoded = base64.b64encode(command.encode()).decode()
        deadline = time.monotonic() + timeout + 20
        self.agent.send(f"RUN {number} {timeout} {encoded}")
        while True:
            line = self.agent.read(deadline)
            if line is None:
                raise GuestError(f"the guest does not answer after '{command}':\n{self._last_words()}")
            words = line.split(" ")
            if words[:2] == ["DONE", number] and len(words) == 5:
                return Completed(_decode(words[3]), _decode(words[4]), int(words[2]))

    def phone(self, index):
        return self.phones[index]

    def settle(self, seconds=SETTLE_SECONDS):
        """Waits until the guest lists every phone on its bus and knows which model each is. A phone that never tells
        (hostile, silent), or a foreign peer that plugs nothing in, uses up the time and is no failure then; a simphone
        that is not listed is, but only after LATE times as long: two emulated processors may share one core."""
        began = time.monotonic()
        while True:
            states = [phone.control("state") for phone in self.phones]
            expected = sum(state["attached"] and state["body"] == "phone" for state in states)
            booting = any(state["booting"] for state in states)
            listed, present, named = self._count_listed()
            late = time.monotonic() > began + seconds
            foreign = len(self.options.usbredir)
            if not booting and listed == present == named == expected + foreign:
                return
            if late and not booting and expected <= present == listed <= expected + foreign:
                return
            if time.monotonic() > began + LATE * seconds:
                raise GuestError(f"after {LATE * seconds} s the guest lists {listed} phones, "
                                 f"{present} of them settled, and {expected} are plugged in")
            time.sleep(POLL_SECONDS)

    def _count_listed(self):
        """How many phones the guest lists, on how many it has settled, and of how many it knows the model."""
        done = self.run("idevicerescue list --json", 30)
        if done.status == 127:
            strangers = sum(phone.control("state")["body"] != "phone" for phone in self.phones)
            seen = int(self.run(COUNT_APPLE, 30).stdout or 0) - strangers
            return seen, seen, seen
        phones = []
        for line in done.stdout.splitlines():
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if message.get("type") == "result":
                    phones = message.get("phones") or []
        present = [phone for phone in phones if phone.get("presence") == "present"]
        named = [phone for phone in present if "product" in phone or phone["mode"] not in ASKED_MODES]
        return len(phones), len(present), len(named)

    # ---- from outside

    def serial_text(self):
        """All that came over the first serial line."""
        path = self.run_dir / "serial.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def serial_send(self, data):
        """Types bytes on the first serial line."""
        # connected only for this moment: QEMU stops the machine when a connected reader does not read
        line = Lines(self.run_dir / "serial.sock", time.monotonic() + 10, self._alive)
        line.socket.sendall(data)
        line.close()

    def _monitor_begin(self, deadline):
        self.monitor.read(deadline)
        self.monitor.send(json.dumps({"execute": "qmp_capabilities"}))
        self.monitor.read(deadline)

    def qmp(self, command, **arguments):
        """One command to QEMU's monitor; its return value."""
        self.monitor.send(json.dumps({"execute": command, "arguments": arguments}))
        deadline = time.monotonic() + 30
        while True:
            line = self.monitor.read(deadline)
            if line is None:
                raise GuestError(f"QEMU does not answer {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise GuestError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def screenshot(self, path):
        """A picture of the graphics screen (PNG), for eyes and for reports."""
        self.qmp("screendump", filename=os.path.abspath(path), format="png")


def _decode(field):
    return "" if field == "-" else base64.b64decode(field).decode(errors="replace")
