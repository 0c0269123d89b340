# SPDX-License-Identifier: GPL-3.0-or-later
"""The service without hardware: its life, its tapes, its memory, and clients of other make."""
import json
import os
import re
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from native_service import (
    ENVIRONMENT,
    LIMIT,
    PROGRAM,
    TREE,
    Service,
    Watch,
    iboot,
    running,
    sighting,
    until,
)


@pytest.fixture
def service(tmp_path):
    yield from running(tmp_path)


GOLDEN_IDL = TREE / "tests/unit/golden/service.varlink"


# --- the service ------------------------------------------------------------------------------


def test_no_service(tmp_path):
    for arguments in (["list"], ["show", "1-1"], ["watch"]):
        done = subprocess.run(
            [PROGRAM, "--json", *arguments],
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env={**ENVIRONMENT, "IDEVICERESCUE_SOCKET": str(tmp_path / "none")},
        )
        result = json.loads(done.stdout)
        assert (done.returncode, result["exit"], result["error"]["kind"]) == (12, 12, "no-service")


def test_sigterm_ends_within_a_second(service):
    watch = Watch(service, "--json")
    watch.event()
    service.see("1-2", serial=iboot(0x2), address=7, pid="0x1881")
    until("a worker hangs", (service.folder / "requests").exists)
    status, seconds = service.stop()
    assert status == 0
    assert seconds < 1
    assert not service.socket.exists()
    assert watch.end(None)[0] == 12


def test_second_service_is_refused_and_a_dead_one_replaced(service, tmp_path):
    second = subprocess.run(
        [
            PROGRAM,
            "serve",
            "--foreground",
            "--json",
            "--socket",
            service.socket,
            "--replay",
            service.folder / "tape",
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env=ENVIRONMENT,
    )
    assert json.loads(second.stdout)["error"]["kind"] == "busy"
    assert service.json("list")["exit"] == 0  # the first one still serves
    service.process.kill()
    service.process.wait(LIMIT)
    assert service.socket.exists()
    assert service.run("list").returncode == 12
    service.log.write_text("")
    service.start()
    assert service.json("list")["exit"] == 0


def test_tape_that_is_recorded_hides_who_it_was_and_replays_the_same(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    udid = "00008110001C20223E29401E"
    first = Service(tmp_path / "first", "--record", tmp_path / "recorded").start()
    first.see("1-1", serial=iboot(0x1C20223E29401E), address=1)
    first.see("1-1", change="gone")
    first.see("1-1", pid="0x12a8", serial=udid, address=2)
    first.see("1-2", serial=iboot(0x7), address=3)
    phones = first.until_phones(
        lambda found: len(found) == 2 and all(p["presence"] == "present" for p in found)
    )
    assert first.stop()[0] == 0
    tape = (tmp_path / "recorded").read_text()
    assert len(tape.splitlines()) == 4
    assert "1C20223E29401E" not in tape.upper() and "F2LX12345678" not in tape
    second = Service(
        tmp_path / "second", "--replay", tmp_path / "recorded", tape=False, worker=False
    ).start()
    again = second.until_phones(
        lambda found: len(found) == 2 and all(p["presence"] == "present" for p in found)
    )
    assert [(p["port"], p["mode"], p.get("model"), p["enumerations"]) for p in again] == [
        (p["port"], p["mode"], p.get("model"), p["enumerations"]) for p in phones
    ]
    assert second.stop()[0] == 0


def test_lines_of_a_tape_that_make_no_sense_are_skipped(service):
    for line in (
        "",
        "nonsense",
        "[]",
        "{}",
        '{"v":1,"type":"sighting"}',
        "x" * 100000,
        '{"v":9,"type":"sighting","change":"appeared"}',
    ):
        service.feed(line)
    service.see("1-2", serial=iboot(0x2))
    assert len(service.until_phones(lambda phones: phones)) == 1


def test_keyboards_and_disks_of_the_vendor_are_no_phones(service):
    service.see("1-1", pid="0x024f", serial="")
    service.see("1-2", serial=iboot(0x2))
    assert [phone["port"] for phone in service.until_phones(lambda phones: phones)] == ["1-2"]


def test_twelve_phones(service):
    for i in range(1, 13):
        service.see(f"1-{i}", serial=iboot(i), address=i)
    phones = service.until_phones(lambda found: len(found) == 12)
    assert [phone["port"] for phone in phones] == [f"1-{i}" for i in range(1, 13)]


def raw_call(path, method, parameters=None, more=False):
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(LIMIT)
    link.connect(str(path))
    call = {"method": method, "parameters": parameters or {}}
    if more:
        call["more"] = True
    link.sendall(json.dumps(call).encode() + b"\0")
    return link


def raw_reply(link):
    data = b""
    while not data.endswith(b"\0"):
        got = link.recv(65536)
        assert got, "the link was closed"
        data += got
    return json.loads(data[:-1])


def test_stalled_watcher_is_dropped_and_memory_stays(service):
    stalled = raw_call(service.socket, "org.idevicerescue.Watch", more=True)
    watch = Watch(service, "--json")
    watch.event()
    before = service.rss_kib()
    pad = "x" * 60
    # each event is about 1 KiB; the socket holds some 200 KiB, we hold 1 MiB more
    for turn in range(400):
        for i in range(1, 9):
            change = "appeared" if turn % 2 == 0 else "gone"
            service.see(
                f"1-{i}", change=change, serial=iboot(i, mode_field=f"SRNM:[{pad}]"), address=i
            )
        if "a watcher is dropped" in service.log.read_text():
            break
        while select.select([watch.process.stdout], [], [], 0.01)[0]:
            os.read(watch.process.stdout.fileno(), 1 << 20)
    assert "a watcher is dropped" in service.log.read_text()
    assert watch.process.poll() is None  # the one that reads stays
    assert service.json("list")["exit"] == 0
    # 1 MiB in its queue as text and as objects (a phone is some 60 of them with its lights), and what
    # AddressSanitizer adds to each of them;
    # sd-varlink alone would take 30 MB
    print(f"RSS {before} KiB, after the drop {service.rss_kib()} KiB")
    assert service.rss_kib() - before < 16 * 1024
    stalled.close()
    watch.process.kill()
    watch.process.communicate()


def test_thousand_events_keep_memory_steady(tmp_path):
    plain = TREE / "build/idevicerescue"
    if not plain.exists():
        pytest.skip("build/idevicerescue (without sanitizers) is not built")
    made = Service(tmp_path)
    made.command[0] = plain
    made.start()

    def events(first, count):
        for i in range(first, first + count):
            place = i % 12 + 1
            made.see(
                f"1-{place}",
                change="gone" if i // 12 % 2 else "appeared",
                serial=iboot(place),
                address=place,
            )
        made.see("2-1", serial=iboot(0xF00 + first), address=1)
        made.until_phones(
            lambda phones: any(p["ecid"] == f"0x{0xF00 + first:016x}" for p in phones)
        )
        made.see("2-1", change="gone")

    events(0, 240)
    before = made.rss_kib()
    events(240, 1008)
    after = made.rss_kib()
    print(f"RSS {before} KiB, after 1000 more events {after} KiB")
    assert after - before < 512
    assert after < 8 * 1024
    assert made.stop()[0] == 0


def cpu_wakeups(pid):
    text = Path(f"/proc/{pid}/status").read_text()
    return sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", text))


def test_idle_service_does_not_wake_up(service):
    service.see("1-2", serial=iboot(0x2))
    service.mux("mux-up")
    service.until_phones(lambda phones: phones and phones[0]["presence"] == "present")
    until("the mux is up", lambda: service.json("list")["mux_up"])

    def asleep():
        """Nothing at all for 3 seconds; a program that polls never gets there."""
        before = cpu_wakeups(service.process.pid)
        time.sleep(3)  # the absence of events is what is tested: there is none to wait for
        return cpu_wakeups(service.process.pid) == before

    until("it sleeps while nothing happens", asleep)


def test_crashing_mux_watch_is_started_again(service):
    service.mux("mux-up")
    until("the mux is up", lambda: service.json("list")["mux_up"])
    os.write(service.mux_fd, b"Segmentation fault\n")
    until("the mux is down", lambda: not service.json("list")["mux_up"])
    until(
        "it was started again",
        lambda: len((service.folder / "mux-starts").read_text().splitlines()) == 2,
    )
    service.mux("mux-up")
    until("the mux is up again", lambda: service.json("list")["mux_up"])


@pytest.mark.parametrize(
    "credential, test", [("idevicerescue.channel", True), ("network.hosts", False)]
)
def test_test_hooks_are_told(tmp_path, credential, test):
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / credential).write_text("x")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}
    made = Service(tmp_path, tape=False, worker=False, environment=environment).start()
    assert made.json("list")["test"] is test
    assert made.stop()[0] == 0


def notifications(path):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.bind(str(path))
    link.settimeout(LIMIT)
    return link


def test_systemd_is_told(tmp_path):
    link = notifications(tmp_path / "notify")
    os.mkfifo(tmp_path / "tape")
    tape = os.open(tmp_path / "tape", os.O_RDWR)
    process = subprocess.Popen(
        [PROGRAM, "serve", "--socket", tmp_path / "socket", "--replay", tmp_path / "tape"],
        env={**ENVIRONMENT, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"},
        stderr=subprocess.DEVNULL,
    )
    try:
        told = set()
        os.write(tape, (json.dumps(sighting("1-2", serial=iboot(0x2))) + "\n").encode())
        while (
            not {"READY=1", "WATCHDOG=1", "STATUS=1 phone is here, usbmuxd does not answer"} <= told
        ):
            told |= set(link.recv(4096).decode().splitlines())
        process.terminate()
        while "STOPPING=1" not in told:
            told |= set(link.recv(4096).decode().splitlines())
        assert process.wait(LIMIT) == 0
    finally:
        process.kill()
        process.wait(LIMIT)


# --- independent clients of the interface -----------------------------------------------------


def test_raw_varlink(service):
    service.see("1-2", serial=iboot(0x2))
    service.until_phones(lambda phones: phones)
    reply = raw_reply(raw_call(service.socket, "org.varlink.service.GetInfo"))
    assert "org.idevicerescue" in reply["parameters"]["interfaces"]
    reply = raw_reply(
        raw_call(
            service.socket,
            "org.varlink.service.GetInterfaceDescription",
            {"interface": "org.idevicerescue"},
        )
    )
    assert reply["parameters"]["description"].strip() == GOLDEN_IDL.read_text().strip()
    reply = raw_reply(raw_call(service.socket, "org.idevicerescue.Show", {"phone": "1-2"}))
    assert reply["parameters"]["phone"]["port"] == "1-2"
    reply = raw_reply(raw_call(service.socket, "org.idevicerescue.Show", {"phone": "none"}))
    assert reply == {"error": "org.idevicerescue.NoSuchPhone", "parameters": {"wanted": "none"}}
    for wrong in (
        {"phone": 7},
        {"phone": None},
        {},
        {"phone": "1-2", "ask": "yes"},
        {"phone": "1-2", "erase": True},
    ):
        reply = raw_reply(raw_call(service.socket, "org.idevicerescue.Show", wrong))
        assert reply["error"] == "org.varlink.service.InvalidParameter", wrong


def test_garbage_on_the_socket_harms_nobody(service):
    for garbage in (
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n\0",
        b"{}\0",
        b'{"method":7}\0',
        b"[" * 100000 + b"\0",
        os.urandom(4096) + b"\0",
    ):
        link = socket.socket(socket.AF_UNIX)
        link.connect(str(service.socket))
        link.sendall(garbage)
        link.settimeout(LIMIT)
        try:
            link.recv(4096)
        except ConnectionResetError:
            pass
        link.close()
    assert service.json("list")["exit"] == 0


def test_varlinkctl(service):
    varlinkctl = os.environ.get("VARLINKCTL") or shutil.which("varlinkctl")
    if not varlinkctl:
        pytest.skip("varlinkctl (package systemd) is not here")

    def ctl(*arguments):
        return subprocess.run(
            [varlinkctl, *arguments], capture_output=True, text=True, timeout=LIMIT, check=True
        ).stdout

    service.see("1-2", serial=iboot(0x2))
    service.until_phones(lambda phones: phones)
    ctl("validate-idl", str(GOLDEN_IDL))
    described = ctl("introspect", str(service.socket), "org.idevicerescue")
    assert "method Watch" in described and "error AmbiguousPhone" in described
    listed = json.loads(ctl("call", "-j", str(service.socket), "org.idevicerescue.List", "{}"))
    assert listed["snapshot"]["phones"][0]["ecid"] == "0x0000000000000002"
