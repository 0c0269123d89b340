# SPDX-License-Identifier: GPL-3.0-or-later
"""A person repairs a phone at the console, with keys only: the real console and service, workers
that answer what the test says (tests/unit/fake_worker)."""
import json
import os
import re
import signal

import pytest
from console_bench import Terminal
from native_service import Service, iboot, until

ECID = 0x001C1D0E3A91002E
UDID = "00008110-001C1D0E3A91002E"
SERIAL = "F2LMQDXYZ1"
IDENTITY = {"udid": UDID, "ecid": f"0x{ECID:016x}", "product": "iPhone14,5", "board": "d17ap",
            "name": "Zoë’s iPhone", "version": "17.5.1", "build": "21F90",
            "serial_number": SERIAL}
FIRMWARE = {"product": "iPhone14,5", "version": "17.5.1", "build": "21F90",
            "name": "iPhone14,5_17.5.1_21F90_Restore.ipsw",
            "url": "https://updates.cdn-apple.com/iPhone14,5_17.5.1_21F90_Restore.ipsw",
            "size": 1000000, "sha1": "a" * 40}
MANIFEST = "5" * 64
PROOF = {"level": 3, "structure": True, "hash": True, "members": 20, "crc": 20,
         "digests": {"matched": 12, "skipped": 2}}
VARIANTS = [{"name": f"Customer {name} Install (IPSW)", "erases": erases, "os_bytes": 500000,
             "os_packed": False} for name, erases in (("Upgrade", False), ("Erase", True))]


def result(**fields):
    return {"v": 1, "type": "result", "ok": True, **fields}


def failure(kind, text, **fields):
    return {"v": 1, "type": "result", "ok": False,
            "error": {"kind": kind, "origin": "idevicerestore", "code": 1, "text": text}, **fields}


def event(name, **fields):
    return {"v": 1, "type": "event", "event": name, "time_ms": 1, **fields}


class Desk:
    """The service, one phone, and what its workers answer."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "storage").mkdir()
        os.mkfifo(folder / "engine")
        self.engine_fd = os.open(folder / "engine", os.O_RDWR)
        self.service = Service(folder, "--storage", folder / "storage")
        self.socket = str(self.service.socket)
        self.answer("catalogue", result(firmwares=[FIRMWARE], sources=[]))
        self.answer("sign", result(verdict="signed", manifest_sha256=MANIFEST))
        self.answer("network", result(hosts=[], cause="none"))
        self.answer("check", result(firmware=FIRMWARE, products=["iPhone14,5"], variants=VARIANTS,
                                    members=20, manifest_sha256=MANIFEST, proof=PROOF))
        self.service.start()
        self.service.mux("mux-up")

    def answer(self, name, *lines):
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n"
                       for line in lines)
        (self.folder / f"{name}.new").write_text(text)
        (self.folder / f"{name}.new").rename(self.folder / name)

    def plug_recovery(self):
        self.service.see("1-2", serial=iboot(ECID, mode_field=f"SRNM:[{SERIAL}]"))

    def plug_normal(self, trust="trusted", **more):
        self.answer(f"probe-{UDID}", result(mode="normal", identity=IDENTITY))
        found = {"trust": trust, "record": trust == "trusted", "identity": IDENTITY, **more}
        self.answer("trust-check", result(**found))
        self.service.see("1-2", pid="0x12a8", serial=UDID.replace("-", ""), address=7)
        self.service.mux("attached", udid=UDID, mux_id=7, location=1 << 16 | 7, product_id=0x12A8,
                         connection="usb")

    def unplug(self):
        self.service.see("1-2", change="gone")

    def fetches(self, *before):
        path = self.folder / "storage/firmware" / FIRMWARE["name"]
        done = {**FIRMWARE, "path": str(path), "verified": True}
        self.answer("fetch", *before, result(firmware=done, fetched=FIRMWARE["size"]))

    def engine(self, *lines):
        for line in lines:  # without spaces: the fake worker looks for "type":"result"
            text = json.dumps(line, separators=(",", ":")) + "\n"
            os.write(self.engine_fd, text.encode())

    def engines_started(self):
        path = self.folder / "requests-restore"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self):
        self.service.process.kill()
        self.service.process.wait()
        pids = self.folder / "engine-pids"
        if pids.exists():
            for pid in pids.read_text().split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
        os.close(self.engine_fd)


@pytest.fixture(name="desk")
def desk_fixture(tmp_path):
    desk = Desk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture(name="console")
def console_fixture():
    """Opens consoles and closes them."""
    opened = []

    def opener(desk, **options):
        opened.append(Terminal(desk, **options))
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


def choose(screen, label):
    """Presses the key that the menu shows before this label."""
    screen.sees(label)
    row = next(row for row in screen.rows() if label in row)
    screen.press(re.match(r"[> ] (.)  ", row)[1].encode())


def open_phone(screen):
    screen.sees("1 phone")
    screen.sees_no("Just plugged in")
    screen.press(b"\r")
    screen.sees("Esc: back", "Enter: do it")


def test_trust_is_looked_at(desk, console):
    screen = console(desk)
    desk.plug_normal("stale", reason={"origin": "lockdownd", "code": -21, "text": "no such host"})
    open_phone(screen)
    choose(screen, "Check whether it trusts this PC")
    screen.sees("The phone was looked at", "Problem:")
    screen.press(b"i")
    screen.sees("Times seen on USB")
    screen.press(b"\x1b")
    screen.sees("Esc: back", "Pair this computer anew")


def test_no_way_to_plan_is_said(desk, console):
    screen = console(desk)
    desk.answer("catalogue", failure("network", "api.ipsw.me cannot be reached"))
    desk.plug_recovery()
    open_phone(screen)
    choose(screen, "Install iOS again, keeping the data")
    screen.sees("api.ipsw.me cannot be reached", "Press Enter for a new card")
    desk.answer("catalogue", result(firmwares=[FIRMWARE]))
    screen.press(b"\r")
    screen.sees("build 21F90", "Enter: start")
    screen.press(b"\x1b")
    screen.sees("All that is known of it")
    assert not list((desk.folder / "storage/jobs").glob("*"))


def start_update(desk, screen):
    desk.fetches()
    desk.plug_recovery()
    open_phone(screen)
    choose(screen, "Install iOS again, keeping the data")
    screen.sees("build 21F90", "Enter: start")
    screen.press(b"\r")
    screen.sees("running")
    until("the engine runs", lambda: len(desk.engines_started()) == 1)


def test_update_fails_then_erase(desk, console):
    """All of it: an update, the console killed meanwhile, its failure, the consent typed wrong and
    right, the erase, the phone back and verified."""
    screen = console(desk)
    start_update(desk, screen)
    desk.engine(event("touched"), event("progress", step="upload-system", permille=430))
    screen.sees("Sending iOS to the phone", "43 %", "####")
    assert "c: stop it" not in screen.text()
    os.kill(screen.child.pid, signal.SIGKILL)

    screen = console(desk)
    screen.sees("Job 43 %")
    screen.press(b"\r")
    choose(screen, "Show what is being done")
    screen.sees("Sending iOS to the phone", "43 %")
    desk.engine(failure("engine", "it broke", again=False, touched=True))
    screen.sees("Your answer is needed", "y: yes")
    screen.press(b"y")
    screen.sees("ERASES the phone for good", SERIAL, "> _")
    screen.press(b"AAAA\r")
    screen.sees("Type them again")
    assert len(desk.engines_started()) == 1
    screen.press(SERIAL[-4:].lower().encode())
    screen.sees(f"> {SERIAL[-4:].lower()}_")
    screen.press(b"\r")
    until("the engine runs again", lambda: len(desk.engines_started()) == 2)
    request = desk.engines_started()[1]
    assert request["erase"] and request["variant"] == VARIANTS[1]["name"]
    screen.sees("Erase the phone and install iOS", "running")

    desk.answer("trust-pair", result(trust="trusted", by="us", identity=IDENTITY))
    desk.answer("trust-verify", result(trust="trusted", media_entries=3, identity={
        **IDENTITY, "capacity_bytes": 128000000000}))
    desk.engine(event("touched"), result(seconds=3, engine_exit=0))
    desk.unplug()
    desk.plug_normal()
    screen.sees("done", "What was proven", SERIAL, "128 GB")
    screen.sees("report.txt")
    screen.press(b"\x1b")
    choose(screen, "Show what was done last")
    screen.sees("What was proven")


def test_erase_needs_the_right_text(desk, console):
    screen = console(desk, rows=12, columns=40)
    desk.fetches()
    desk.plug_recovery()
    open_phone(screen)
    screen.sees("5  Install iOS again, eras")
    screen.press(b"\x1b[F\x1b[A")  # the last item but one
    screen.sees("> 5  Install iOS again, eras")
    screen.press(b"\r")
    screen.sees("> _")
    screen.press(b"\r")
    screen.sees("exactly four")
    for _ in range(3):
        screen.press(b"QQQQ")
        screen.sees("> QQQQ_")
        screen.press(b"\r")
        screen.sees("Type them again")
    # the consent is used up by three wrong ones: the right text comes too late
    screen.press(SERIAL[-4:].encode())
    screen.sees(f"> {SERIAL[-4:]}_")
    screen.press(b"\r")
    screen.sees("Type them again")
    assert not desk.engines_started()
    screen.press(b"\r")
    screen.sees("Enter: start")
    screen.press(SERIAL[-4:].encode() + b"\r")
    until("the engine runs", lambda: len(desk.engines_started()) == 1)
    assert desk.engines_started()[0]["erase"]


def test_phone_leaves_while_typing(desk, console):
    screen = console(desk)
    desk.plug_recovery()
    open_phone(screen)
    choose(screen, "Install iOS again, erasing everything")
    screen.sees("> _")
    screen.press(b"XY")
    screen.sees("> XY_")
    desk.unplug()
    screen.sees("The phone is not plugged in")
    desk.plug_recovery()
    screen.sees("> _")


def test_cancel(desk, console):
    screen = console(desk)
    os.mkfifo(desk.folder / "go")
    desk.fetches(event("progress", done=250000, total=1000000), "wait go")
    desk.plug_recovery()
    open_phone(screen)
    choose(screen, "Install iOS again, keeping the data")
    screen.sees("Enter: start")
    screen.press(b"\r")
    screen.sees("Download the firmware", "25 %", "c: stop it")
    screen.press(b"p")
    screen.sees("(paused)", "25 %", "p: go on")
    screen.press(b"p")
    screen.sees("(running)", "p: pause")
    screen.press(b"c")
    screen.sees("Really stop this job?")
    screen.press(b"n")
    screen.sees_no("Really stop")
    screen.press(b"cy")
    screen.sees("stopped")
    assert not desk.engines_started()


def test_service_killed_while_a_job_runs(desk, console):
    screen = console(desk)
    start_update(desk, screen)
    desk.engine(event("touched"), event("progress", step="upload-system", permille=100))
    screen.sees("10 %")
    desk.service.process.kill()
    desk.service.process.wait()
    screen.sees("The rescue service does not answer", "A job goes on by itself")
    desk.engine(event("progress", step="upload-system", permille=700))
    desk.service.log.write_text("")
    desk.service.start()
    desk.plug_recovery()
    screen.sees("70 %")
    screen.sees_no("rescue service does not answer")
