# SPDX-License-Identifier: GPL-3.0-or-later
"""A service without hardware: sightings come from a FIFO, workers are tests/unit/fake_worker."""
import json
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
BUILD = TREE / os.environ.get("IDR_BUILD", "build/asan")  # where the programs are
PROGRAM = BUILD / "idevicerescue"
FAKE_WORKER = TREE / "tests/unit/fake_worker"
LIMIT = 40  # seconds, for anything that is awaited
ENVIRONMENT = {
    **os.environ,
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=1",
}


def until(what, condition, limit=LIMIT):
    """The first true value of condition(); fails with `what` when it does not come."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} seconds: {what}")


def sighting(port, change="appeared", pid="0x1281", serial="", address=5, speed=480, **more):
    return {
        "v": 1,
        "type": "sighting",
        "change": change,
        "syspath": f"/sys/devices/pci0/usb1/{port}",
        "port": port,
        "bus": 1,
        "address": address,
        "vid": "0x05ac",
        "pid": pid,
        "speed_mbps": speed,
        "hub_depth": port.count("."),
        "configuration": 1,
        "serial": serial,
        "product": "Apple Mobile Device",
        "manufacturer": "Apple Inc.",
        **more,
    }


def iboot(ecid, cpid="8110", bdid="0A", mode_field="SRNM:[F2LX12345678]"):
    return f"CPID:{cpid} CPRV:11 CPFM:03 SCEP:01 BDID:{bdid} ECID:{ecid:016X} IBFL:3D {mode_field}"


class Service:
    """A service of our own in a folder, with its FIFO of sightings and its fake workers."""

    def __init__(self, folder, *arguments, tape=True, worker=True, environment=None):
        self.folder = folder
        self.socket = folder / "socket"
        self.log = folder / "log"
        self.command = [PROGRAM, "serve", "--foreground", "--socket", self.socket, *arguments]
        self.tape = None
        if tape:
            os.mkfifo(folder / "tape")
            self.tape = os.open(folder / "tape", os.O_RDWR)
            self.command += ["--replay", folder / "tape"]
        if worker:
            os.mkfifo(folder / "mux")
            self.mux_fd = os.open(folder / "mux", os.O_RDWR)
            self.command += ["--worker", FAKE_WORKER]
        self.environment = {**ENVIRONMENT, "FAKE_DIR": str(folder), **(environment or {})}
        self.process = None

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                self.command,
                stderr=log,
                stdout=log,
                cwd=TREE,
                env=self.environment,
            )
        until(
            "the service listens",
            lambda: "listening at" in self.log.read_text() or self.process.poll() is not None,
        )
        assert self.process.poll() is None, self.log.read_text()
        return self

    def stop(self):
        """Ends it and returns the exit status and the seconds that it took."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(LIMIT)
        return status, time.monotonic() - start

    def see(self, *args, **kwargs):
        self.feed(json.dumps(sighting(*args, **kwargs)))

    def feed(self, line):
        os.write(self.tape, (line + "\n").encode())

    def mux(self, event, **fields):
        os.write(
            self.mux_fd,
            (json.dumps({"v": 1, "type": "event", "event": event, **fields}) + "\n").encode(),
        )

    def answer(self, key, **identity):
        """What a probe of this UDID or USB address is answered."""
        result = {"v": 1, "type": "result", "ok": True, "identity": identity}
        (self.folder / f"probe-{key}").write_text(json.dumps(result) + "\n")

    def run(self, *arguments):
        return subprocess.run(
            [PROGRAM, "--socket", self.socket, *arguments],
            capture_output=True,
            text=True,
            cwd=TREE,
            env=ENVIRONMENT,
            timeout=90,
        )

    def json(self, *arguments):
        done = self.run("--json", *arguments)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines and lines[-1]["type"] == "result" and lines[-1]["exit"] == done.returncode
        assert done.stderr == ""
        assert all(line["v"] == 1 for line in lines)
        return lines[-1]

    def phones(self):
        return self.json("list")["phones"]

    def until_phones(self, condition):
        def check():
            phones = self.phones()
            return phones if condition(phones) else None

        return until("the phones are as expected", check)

    def rss_kib(self):
        return int(
            re.search(
                r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text()
            ).group(1)
        )


class Watch:
    """`watch --json`, its lines read as they come."""

    def __init__(self, made, *arguments):
        self.process = subprocess.Popen(
            [PROGRAM, "--socket", made.socket, "watch", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=TREE,
            env=ENVIRONMENT,
        )
        self.rest = b""

    def line(self, limit=LIMIT):
        end = time.monotonic() + limit
        while b"\n" not in self.rest:
            ready, _, _ = select.select(
                [self.process.stdout], [], [], max(0, end - time.monotonic())
            )
            assert ready, "the watch says nothing"
            got = os.read(self.process.stdout.fileno(), 65536)
            assert got, f"the watch ended: {self.process.stderr.read()}"
            self.rest += got
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def event(self):
        return json.loads(self.line())

    def end(self, number=signal.SIGINT):
        if number:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, (self.rest + out).decode(), err.decode()


def running(folder):
    """For fixtures: a service that must end well and without a word of the sanitizers."""
    made = Service(folder).start()
    yield made
    if made.process.poll() is None:
        status, _ = made.stop()
        assert status == 0, made.log.read_text()
    assert "Sanitizer" not in made.log.read_text()
