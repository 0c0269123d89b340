# SPDX-License-Identifier: GPL-3.0-or-later
"""A ward: our service and its workers, the unmodified usbmuxd, and as many simulated phones as wanted, natively. Only
the kernel is played: sightings come from the stand-in's bus (bus_sightings) or from a test, its messages from a tape.

    with Ward() as ward:
        phone = ward.plug("iphone13-stale")
        ward.until_findings(phone, {"trust-stale"})
        ward.kernel("usb 1-2: device descriptor read/64, error -71")

usbmuxd=False: a service beside a mux that the test plays, at ward.bench.socket. bench: a MuxBench that is there already
and stays. tell=False: the service hears of the phones when ward.tell() says so.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from bus_sightings import BusSightings
from mux_bench import MuxBench
from rescue_bed import LIMIT, PROGRAM, WORKER, until

__all__ = ["Ward"]

LOST = 12  # seconds after which a phone that usbmuxd does not list is taken for lost


class Ward:
    def __init__(self, *, usbmuxd=True, bench=None, tell=True, **environment):
        self.bench, self.more, self.tell_at_once = bench or MuxBench(), environment, tell
        self.bench_is_ours, self.folder = not bench, None
        if not usbmuxd:
            self.bench.start_usbmuxd = lambda: None
        self.service = self.bus = self.storage = self.socket = self.log = None
        self.environment, self._tape, self._kmsg = {}, None, None

    # ---- life

    def __enter__(self):
        if self.bench_is_ours:
            self.bench.__enter__()
        folder = self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ward-"))
        self.storage, self.socket, self.log = folder / "storage", folder / "socket", folder / "service.log"
        self.storage.mkdir()
        fifos = folder / "sightings", folder / "kmsg"
        for fifo in fifos:
            os.mkfifo(fifo)
        self._tape, self._kmsg = (os.open(fifo, os.O_RDWR) for fifo in fifos)
        self.environment = {**self.bench.environment, "IDEVICERESCUE_LOCKDOWN": str(self.bench.records),
                            "IDEVICERESCUE_KMSG": str(fifos[1]), **self.more}
        try:
            with open(self.log, "wb") as log:
                self.service = subprocess.Popen(
                    [PROGRAM, "serve", "--foreground", "--socket", self.socket, "--replay", fifos[0],
                     "--worker", WORKER, "--storage", self.storage], stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, env=self.environment)
            until(self.log_text, lambda: "listening at" in self.log_text() or self.service.poll() is not None)
            assert self.service.poll() is None, self.log_text()
            if self.tell_at_once:
                self.tell()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, value, traceback):
        status, text = 0, ""
        if self.service:
            self.service.terminate()
            try:
                status = self.service.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.service.kill()
                status = self.service.wait()
            text = self.log_text()
        if self.bus:
            self.bus.__exit__(kind, value, traceback)
        for fd in (self._tape, self._kmsg):
            os.close(fd)
        if self.bench_is_ours:
            self.bench.__exit__(kind, value, traceback)
        shutil.rmtree(self.folder)
        if value is not None:
            value.add_note(f"the service's log ends:\n{chr(10).join(text.splitlines()[-40:])}")
        else:
            assert status == 0 and "Sanitizer" not in text and "runtime error" not in text, text

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    # ---- what happens

    def tell(self):
        """The service hears of the phones on the bus, now and from now on."""
        self.bus = BusSightings(self.bench.bus, self.sighting)
        self.bus.__enter__()

    def plug(self, scenario="iphone13", *, listed=False, **settings):
        return self.bench.plug(scenario, listed=listed, **settings)

    def sighting(self, line):
        """A line of the tape of sightings: text, or an object."""
        text = line if isinstance(line, str) else json.dumps({"v": 1, "type": "sighting", **line})
        os.write(self._tape, (text + "\n").encode())

    def kernel(self, text, level=3):
        """The kernel writes this, now."""
        os.write(self._kmsg, f"{level},1,{time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000},-;{text}\n".encode())

    # ---- asking

    def result(self, *words, limit=LIMIT):
        done = subprocess.run([PROGRAM, "--socket", self.socket, "--json", *words], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, env=self.environment, timeout=limit, check=False)
        assert "Sanitizer" not in done.stderr, done.stderr
        result = json.loads(done.stdout.splitlines()[-1])
        assert result["type"] == "result" and result["exit"] == done.returncode
        return result

    def ok(self, *words):
        """As result(); findings are no failure."""
        result = self.result(*words)
        assert result["exit"] in (0, 1), result
        return result

    def phones(self):
        """{port: the object of the phone}; a phone of this bench is at port_of(phone)."""
        return {phone["port"]: phone for phone in self.result("list")["phones"]}

    def port_of(self, phone):
        """Every simulated phone has a bus of its own."""
        return f"{self.bench.phones.index(phone) + 1}-1"

    def diagnoses(self, *words):
        """{port: findings}, as `diagnose --json` has them; "" is the computer."""
        return {diagnosis.get("phone", {}).get("port", ""): diagnosis["findings"]
                for diagnosis in self.ok("diagnose", *words)["diagnoses"]}

    def findings(self, phone=None):
        """Ids of the findings of a phone, of a port, or of the computer itself."""
        port = phone if isinstance(phone, str) else self.port_of(phone) if phone else ""
        return {finding["id"] for finding in self.diagnoses().get(port, [])}

    def until_findings(self, phone, wanted, limit=LIMIT):
        """The ids of its findings, once all that are wanted are among them. usbmuxd 1.1.1 loses a phone at times when
        the machine is busy: then it is plugged in again, once, as a person would."""
        seen = set()
        patience = time.monotonic() + LOST

        def look():
            nonlocal patience
            seen.clear()
            seen.update(self.findings(phone))
            if "not-in-mux" in seen - wanted and time.monotonic() > patience and phone in self.bench.phones:
                patience = time.monotonic() + 2 * limit
                phone.control("unplug")
                phone.control("plug")
            return wanted <= seen
        until(lambda: f"the findings {wanted}; there are {seen}\n{self.log_text()[-3000:]}", look, limit)
        return seen
