# SPDX-License-Identifier: GPL-3.0-or-later
"""What the console's stories need: a service on a tape, phones to put on it, a terminal to see."""
import json
import os
import re
import select
import signal
import socket
import subprocess
import termios
import time
from pathlib import Path

import ptyprocess
import pyte
from native_service import ENVIRONMENT, PROGRAM

TREE = Path(__file__).resolve().parents[2]
WORKER = str(TREE / "tests" / "story" / "console_worker.py")
GOLDEN = TREE / "tests" / "story" / "golden" / "console"
LIMIT_S = 40
# handle_segv: a crash is for the console's own handler. The terminal's size is asked of the terminal, not taken from
# variables (pytest's parallel runs set them).
CONSOLE_ENVIRONMENT = {
    **{name: value for name, value in ENVIRONMENT.items() if name not in ("LINES", "COLUMNS")},
    "ASAN_OPTIONS": ENVIRONMENT["ASAN_OPTIONS"] + ":handle_segv=0",
    "LSAN_OPTIONS": f"print_suppressions=0:suppressions={TREE / 'tests/story/ncurses.lsan'}",
}


class Phone:
    """One handset on the tape: plug() puts lines on it as the bus would."""

    def __init__(self, bench, port, pid, serial, speed=480):
        self.bench, self.port, self.pid, self.serial, self.speed = bench, port, pid, serial, speed
        bench.addresses += 1
        self.address = bench.addresses

    def line(self, change):
        return {"v": 1, "type": "sighting", "change": change,
                "syspath": f"/sys/devices/test/usb1/{self.port}/{self.address}", "port": self.port,
                "bus": 1, "address": self.address, "vid": "0x05ac", "pid": f"0x{self.pid:04x}",
                "speed_mbps": self.speed, "configuration": 1, "serial": self.serial,
                "product": "Apple", "manufacturer": "Apple Inc."}

    def plug(self):
        self.bench.play(self.line("appeared"))
        return self

    def unplug(self):
        self.bench.play(self.line("gone"))


class Bench:
    """A folder with a tape, a stand-in for the worker, and the service between them."""

    def __init__(self, folder):
        self.folder, self.addresses, self.service = folder, 0, None
        self.socket = str(folder / "socket")
        self.answers = {}
        os.mkfifo(folder / "tape")
        os.mkfifo(folder / "mux")
        self.fifos = {name: os.open(folder / name, os.O_RDWR) for name in ("tape", "mux")}
        self.answer({})

    def answer(self, answers):
        """What probes find out, by UDID."""
        self.answers.update(answers)
        (self.folder / "probe.json").write_text(json.dumps(self.answers), encoding="utf-8")

    def play(self, line):
        os.write(self.fifos["tape"], (json.dumps(line) + "\n").encode())

    def mux(self, event, **fields):
        line = {"v": 1, "type": "event", "event": event, **fields}
        os.write(self.fifos["mux"], (json.dumps(line) + "\n").encode())

    def mux_lists(self, phone, udid):
        self.mux("attached", udid=udid, mux_id=phone.address, location=1 << 16 | phone.address,
                 product_id=phone.pid, connection="usb")

    def start(self):
        log = open(self.folder / "service.log", "ab")
        self.service = subprocess.Popen(
            [PROGRAM, "serve", "--foreground", "--socket", self.socket, "--replay",
             str(self.folder / "tape"), "--worker", WORKER],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**ENVIRONMENT, "IDR_TEST_FOLDER": str(self.folder)})
        log.close()
        wait_until(self.answers_calls, "the service answers at its socket")
        return self

    def answers_calls(self):
        assert self.service.poll() is None, (self.folder / "service.log").read_text()
        with socket.socket(socket.AF_UNIX) as link:
            return link.connect_ex(self.socket) == 0

    def kill(self):
        if self.service:
            self.service.send_signal(signal.SIGKILL)
            self.service.wait(LIMIT_S)
            self.service = None

    def close(self):
        self.kill()
        for fd in self.fifos.values():
            os.close(fd)


def wait_until(condition, what, seconds=LIMIT_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Screen(pyte.Screen):
    """pyte's screen with three sequences that xterm's description promises and pyte lacks."""

    def region(self):
        return self.margins or pyte.screens.Margins(0, self.lines - 1)

    def scroll_up(self, count=1):
        self.scroll(count, self.region().top, self.delete_lines)

    def scroll_down(self, count=1):
        self.scroll(count, self.region().top, self.insert_lines)

    def scroll(self, count, top, move):
        x, y = self.cursor.x, self.cursor.y
        self.cursor.y = top
        move(count or 1)
        self.cursor.x, self.cursor.y = x, y

    def repeat(self, count=1):
        self.draw(self.buffer[self.cursor.y][self.cursor.x - 1].data * (count or 1))


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "S": "scroll_up", "T": "scroll_down", "b": "repeat"}
    events = pyte.ByteStream.events | {"scroll_up", "scroll_down", "repeat"}


class Terminal:
    """The console in a pseudo terminal, and what a person sees there."""

    def __init__(self, bench, term="xterm-256color", rows=24, columns=80, env=None):
        self.screen = Screen(columns, rows)
        self.stream = Stream(self.screen)
        self.raw = b""
        environment = {**CONSOLE_ENVIRONMENT, "TERM": term, **(env or {})}
        self.child = ptyprocess.PtyProcess.spawn([PROGRAM, "console", "--socket", bench.socket],
                                                 env=environment, dimensions=(rows, columns))

    def feed(self, seconds):
        """Takes in what arrives within so many seconds; False at the end of the program."""
        if not select.select([self.child.fd], [], [], seconds)[0]:
            return True
        try:
            data = self.child.read(65536)
        except EOFError:
            return False
        self.raw += data
        self.stream.feed(data)
        return True

    def rows(self):
        rows = [row.rstrip() for row in self.screen.display]
        # the version changes with every commit: it is masked, what stands right of it stays there
        head = re.match(r"( idevicerescue )(\S+)( *)(.*)", rows[0])
        if head:
            left = (head[1] + "VERSION").ljust(head.start(4))
            rows[0] = (left + head[4]).rstrip()
        return rows

    def text(self):
        return "\n".join(self.rows()) + "\n"

    def wait(self, condition, what):
        end = time.monotonic() + LIMIT_S
        while not condition():
            left = end - time.monotonic()
            assert left > 0 and self.feed(left), f"{what}; the screen is:\n{self.text()}"

    def sees(self, *texts):
        self.wait(lambda: all(text in self.text() for text in texts), f"waiting for {texts}")

    def sees_no(self, *texts):
        self.wait(lambda: not any(text in self.text() for text in texts), 
                  f"waiting until gone: {texts}")

    def golden(self, name, *texts):
        """Waits for the texts, then for the golden screen (UPDATE_GOLDEN=1 writes it)."""
        path = GOLDEN / f"{name}.txt"
        self.sees(*texts)
        if os.environ.get("UPDATE_GOLDEN"):
            self.drain()
            self.sees_no("Just plugged in")
            self.drain()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text(), encoding="utf-8")
        expected = path.read_text(encoding="utf-8")
        try:
            self.wait(lambda: self.text() == expected, f"not as in {path.name}")
        except AssertionError:
            assert self.text() == expected, path.name
            raise

    def drain(self):
        """Until nothing has come for half a second: only for writing golden files."""
        quiet = time.monotonic()
        while time.monotonic() - quiet < 0.5:
            size = len(self.raw)
            self.feed(0.1)
            if len(self.raw) != size:
                quiet = time.monotonic()

    def press(self, keys):
        self.child.write(keys)

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def ends(self):
        """Waits for the end of the program and returns (exit status, signal)."""
        end = time.monotonic() + LIMIT_S
        while self.feed(0.5):
            assert time.monotonic() < end, "the console does not end"
        self.child.wait()
        return self.child.exitstatus, self.child.signalstatus

    def modes(self):
        return termios.tcgetattr(self.child.fd)

    def close(self):
        """Hangs up and awaits its end: close() alone would sleep for as long as that may take on a busy machine."""
        self.child.fileobj.close()
        try:
            wait_until(lambda: not self.child.isalive(), "the console ends when its terminal hangs up")
        finally:
            self.child.close(force=True)
