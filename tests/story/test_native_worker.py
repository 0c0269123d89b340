# SPDX-License-Identifier: GPL-3.0-or-later
"""The real worker over a socketpair, as the service runs it; behind it a usbmuxd in software."""
import contextlib
import json
import os
import plistlib
import signal
import socket
import struct
import subprocess
import time

import pytest

import fake_mux
from fake_mux import CLOSE, SILENCE, UDID, FakeMux, normal_lockdown, phone, restored

PROGRAM = os.path.join(os.environ.get("IDR_BUILD", "build/asan"), "idevicerescue-worker")
PROBE = {"v": 1, "type": "request", "kind": "probe"}
WATCH = {"v": 1, "type": "request", "kind": "mux-watch"}
LINE_BYTES_MAX = 64 * 1024
PROBE_SILENCE_S = 15  # timings.tsv


class Worker:
    """The program with our end of its socket. Every wait has a limit."""

    def __init__(self, kind, mux_path):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(10)
        environment = dict(os.environ, USBMUXD_SOCKET_ADDRESS=f"UNIX:{mux_path}")
        with theirs:
            self.process = subprocess.Popen([PROGRAM, kind], stdin=theirs, stdout=theirs,
                                            env=environment, start_new_session=True)
        self._rest = b""

    def send(self, request):
        data = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
        self.socket.sendall(data)

    def line(self):
        """The next line as an object, None at the end of the stream."""
        while b"\n" not in self._rest:
            try:
                data = self.socket.recv(LINE_BYTES_MAX)
            except ConnectionResetError:
                data = b""
            if not data:
                assert self._rest == b"", "the stream ended inside a line"
                return None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        assert len(line) < LINE_BYTES_MAX
        line = json.loads(line.decode("utf-8"))  # strict: bad UTF-8 fails here
        assert line["v"] == 1
        return line

    def result(self, limit_s=10):
        """The one line of a worker that has no events; nothing follows it."""
        self.socket.settimeout(limit_s)
        line = self.line()
        assert line is not None, "no result"
        assert line["type"] == "result"
        assert self.line() is None
        return line

    def event(self):
        line = self.line()
        assert line is not None and line["type"] == "event", line
        return {key: value for key, value in line.items() if key not in ("v", "type")}

    def exit_status(self, limit_s=5):
        return self.process.wait(timeout=limit_s)


@contextlib.contextmanager
def worker(kind, mux_path, request=None):
    running = Worker(kind, mux_path)
    try:
        if request is not None:
            running.send(request)
        yield running
    finally:
        running.socket.close()
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "usbmuxd"


def probe(path, mode="normal", limit_s=10, **fields):
    fields = fields or {"udid": UDID}
    with worker("probe", path, dict(PROBE, mode=mode, **fields)) as running:
        result = running.result(limit_s)
        assert running.exit_status() == (0 if result["ok"] else 1)
        return result


def error_of(result):
    assert result["ok"] is False
    error = result["error"]
    assert set(error) == {"kind", "origin", "code", "text"}
    assert error["text"]
    return error["kind"], error["origin"]


def assert_only_asked(mux):
    """What can raise no dialog and leaves no pairing behind."""
    asked_phone = {request["Request"] for request in mux.asked_phone}
    assert asked_phone <= {"QueryType", "GetValue", "QueryValue"}
    assert set(mux.asked) <= {"ListDevices", "Connect", "Listen"}


# --- the request

BAD_REQUESTS = {
    "no json": b"hello\n",
    "array": b"[]\n",
    "empty line": b"\n",
    "nul byte": b'{"v":1}\0\n',
    "bad utf-8": b'{"v":1,"type":"\xff"}\n',
    "delete character": b'{"v":1,"type":"\x7f"}\n',
    "other kind": WATCH,
    "no version": {"type": "request", "kind": "probe", "mode": "normal", "udid": UDID},
    "next version": dict(PROBE, v=2, mode="normal", udid=UDID),
    "unknown field": dict(PROBE, mode="normal", udid=UDID, pair=True),
    "null": dict(PROBE, mode=None, udid=UDID),
    "unknown mode": dict(PROBE, mode="kernel", udid=UDID),
    "no udid": dict(PROBE, mode="normal"),
    "path as udid": dict(PROBE, mode="normal", udid="../x"),
    "number as text": dict(PROBE, mode="dfu", bus="1", address=2),
    "number out of range": dict(PROBE, mode="dfu", bus=1, address=128),
    "place for normal": dict(PROBE, mode="normal", bus=1, address=2),
    "two lines": json.dumps(dict(PROBE, mode="normal", udid=UDID)).encode() + b"\n{}\n",
    "too long": b'{"v":1,"x":"' + b"x" * LINE_BYTES_MAX + b'"}\n',
}


@pytest.mark.parametrize("request_line", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bad_request_is_usage(path, request_line):
    with FakeMux(path, [phone()]) as mux, worker("probe", path, request_line) as running:
        assert error_of(running.result()) == ("usage", "worker")
        assert running.exit_status() == 2
        assert mux.asked == []


def test_half_a_request(path):
    with worker("probe", path, b'{"v":1') as running:
        running.socket.shutdown(socket.SHUT_WR)
        assert error_of(running.result()) == ("usage", "worker")
        assert running.exit_status() == 2


def test_unknown_kind_is_usage():
    for arguments in ([], ["format-disk"], ["probe", "x"]):
        ended = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=10, check=False)
        assert ended.returncode == 2
        assert b"probe" in ended.stderr and ended.stdout == b""


def test_by_hand_from_a_pipe(path):
    """A pipe that ends is no service that hung up: `echo … | idevicerescue-worker probe` works."""
    line = json.dumps(dict(PROBE, mode="normal", udid=UDID)).encode() + b"\n"
    with FakeMux(path, [phone()]):
        ended = subprocess.run([PROGRAM, "probe"], input=line, capture_output=True, timeout=10,
                               check=False, env=dict(os.environ,
                                                     USBMUXD_SOCKET_ADDRESS=f"UNIX:{path}"))
    assert json.loads(ended.stdout)["ok"] is True
    assert ended.returncode == 0


# --- normal and restore mode

def test_normal(path):
    with FakeMux(path, [phone()]) as mux:
        assert probe(path) == {"v": 1, "type": "result", "ok": True, "mode": "normal", "identity": {
            "udid": UDID, "ecid": "0x001c20223e29401e", "product": "iPhone14,5", "board": "D17AP",
            "name": "Anna's iPhone", "version": "17.5.1", "build": "21F90"}, "reach": "lockdown"}
        assert_only_asked(mux)


def test_normal_that_is_restore(path):
    """The service cannot tell them apart on the bus; the port can."""
    for asked in ("normal", "restore"):
        with FakeMux(path, [phone()], restored()) as mux:
            result = probe(path, asked)
            assert (result["ok"], result["mode"]) == (True, "restore")
            assert result["identity"] == {"udid": UDID, "ecid": "0x001c20223e29401e", "board": "D17AP",
                                          "serial_number": "F4HVWWZGJC67"}
            assert_only_asked(mux)
    with FakeMux(path, [phone()], restored(hardware=None)):
        assert "ecid" not in probe(path)["identity"]
    with FakeMux(path, [phone()], normal_lockdown()):
        assert probe(path, "restore")["mode"] == "normal"


def named(name):
    return normal_lockdown(dict(fake_mux.NORMAL_VALUES, DeviceName=name))


@pytest.mark.parametrize("name", ["📱 Zoë’s iPhone", "שלום", "a\tb", "  ", "\u00a0"])
def test_name_of_any_script(path, name):
    with FakeMux(path, [phone()], named(name)):
        assert probe(path)["identity"]["name"] == name.replace("\t", "\ufffd")


def test_name_of_bad_utf8(path):
    values = dict(fake_mux.NORMAL_VALUES, DeviceName="a@b")
    body = plistlib.dumps({"Request": "GetValue", "Value": values})
    body = body.replace(b"a@b", b"a\xff\xed\xa0\x80b")
    with FakeMux(path, [phone()], normal_lockdown(overrides={"GetValue": framed(body)})):
        name = probe(path)["identity"]["name"]
        assert name.startswith("a\ufffd") and name.endswith("b")


def test_name_that_is_too_long(path):
    with FakeMux(path, [phone()], named("é" * 100_000)):
        name = probe(path)["identity"]["name"]
        assert set(name) == {"é"} and 64 <= len(name) < 400


def test_empty_and_odd_values_are_left_out(path):
    odd = dict(fake_mux.NORMAL_VALUES, DeviceName="", ProductVersion=17, BuildVersion=["x"],
               UniqueChipID=-1)
    with FakeMux(path, [phone()], normal_lockdown(odd)):
        assert probe(path)["identity"] == {"udid": UDID, "product": "iPhone14,5", "board": "D17AP"}


def test_nothing_but_the_udid(path):
    with FakeMux(path, [phone()], normal_lockdown({})):
        assert probe(path)["identity"] == {"udid": UDID}


def test_another_phone_answers(path):
    other = dict(fake_mux.NORMAL_VALUES, UniqueDeviceID="00008110-0000000000000001")
    with FakeMux(path, [phone()], normal_lockdown(other)):
        assert error_of(probe(path)) == ("no-phone", "lockdownd")


def framed(body):
    return struct.pack(">I", len(body)) + body


def says(request_name, **fields):
    return {request_name: dict(fields, Request=request_name)}


XML = b"<?xml version='1.0' encoding='UTF-8'?><plist version='1.0'>"
LOCKDOWN_FAILURES = {
    "locked": (says("GetValue", Error="PasswordProtected"), "locked"),
    "prohibited": (says("GetValue", Error="GetProhibited"), "refused"),
    "unknown error": (says("GetValue", Error="Sulking"), "protocol"),
    "no value": (says("GetValue"), "protocol"),
    "value of another type": (says("GetValue", Value="x"), "protocol"),
    "other request": ({"GetValue": {"Request": "Pair", "Value": {}}}, "protocol"),
    "hangs up": ({"GetValue": CLOSE}, "protocol"),
    "no type": (says("QueryType"), "protocol"),
    "another type": (says("QueryType", Type="com.example"), "protocol"),
    "type that is a number": (says("QueryType", Type=1), "protocol"),
    "garbage": ({"QueryType": framed(b"\xa5" * 64)}, "protocol"),
    "half a plist": ({"QueryType": framed(XML + b"<dict><key>")}, "protocol"),
    "broken binary plist": ({"QueryType": framed(b"bplist00" + b"\xff" * 32)}, "protocol"),
    "an array": ({"QueryType": framed(XML + b"<array/></plist>")}, "protocol"),
    "no length": ({"QueryType": b"\0\0\0\0"}, "protocol"),
}


@pytest.mark.parametrize("overrides, expected", LOCKDOWN_FAILURES.values(),
                         ids=LOCKDOWN_FAILURES.keys())
def test_lockdown_failures(path, overrides, expected):
    with FakeMux(path, [phone()], normal_lockdown(overrides=overrides)) as mux:
        assert error_of(probe(path)) == (expected, "lockdownd")
        assert_only_asked(mux)


def test_refused_connection(path):
    with FakeMux(path, [phone()], connect_result=fake_mux.REFUSED):
        assert error_of(probe(path)) == ("refused", "usbmuxd")


def test_unplugged_while_connecting(path):
    with FakeMux(path, [phone()], connect_result=fake_mux.BAD_DEVICE):
        assert error_of(probe(path)) == ("unplugged", "usbmuxd")


def test_unplugged_while_asked(path):
    with FakeMux(path, [phone()]) as mux:
        usual = normal_lockdown()

        def leave(request):
            if "Key" not in request and request["Request"] == "GetValue":
                mux.detach(1)
                return CLOSE
            return usual(request)

        mux.lockdown = leave
        assert error_of(probe(path)) == ("unplugged", "lockdownd")


def test_phone_that_the_mux_does_not_know(path):
    for phones in ([], [phone(udid="00008110-0000000000000001")]):
        with FakeMux(path, phones):
            assert error_of(probe(path)) == ("no-phone", "usbmuxd")


def test_phone_on_the_network_is_not_asked(path):
    entry = phone(ConnectionType="Network", NetworkAddress=b"\x02\0" + b"\x7f\0\0\1" * 32)
    with FakeMux(path, [entry]) as mux:
        assert error_of(probe(path)) == ("no-phone", "usbmuxd")
        assert mux.asked_phone == []


def test_no_usbmuxd(path):
    assert error_of(probe(path)) == ("no-service", "usbmuxd")
    with FakeMux(path) as mux:
        mux.stop(leave_socket=True)
        assert error_of(probe(path)) == ("no-service", "usbmuxd")
        mux.stop = lambda: None


def test_usbmuxd_that_sends_garbage(path):
    with FakeMux(path, [phone()], answers={"ListDevices": b"\xa5" * 64, "Listen": b"\xa5" * 64}):
        assert error_of(probe(path, limit_s=PROBE_SILENCE_S))[0] in ("no-service", "silent")


def test_silent_phone(path):
    """lockdown's own limit is 30 s; the service must hear `silent` before it calls us dead."""
    silences = {
        "to QueryType": normal_lockdown(overrides={"QueryType": SILENCE}),
        "to GetValue": normal_lockdown(overrides={"GetValue": SILENCE}),
        "in its answer": normal_lockdown(overrides={"QueryType": b"\xff\xff\xff\xff<?xml"}),
    }
    with contextlib.ExitStack() as stack:
        started = time.monotonic()
        muxes = [stack.enter_context(FakeMux(f"{path}{i}", [phone()], lockdown))
                 for i, lockdown in enumerate(silences.values())]
        request = dict(PROBE, mode="normal", udid=UDID)
        for running in [stack.enter_context(worker("probe", mux.path, request)) for mux in muxes]:
            assert error_of(running.result(PROBE_SILENCE_S)) == ("silent", "worker")
            assert running.exit_status() == 1
        assert PROBE_SILENCE_S / 2 < time.monotonic() - started < PROBE_SILENCE_S
        for mux in muxes:
            assert_only_asked(mux)


# --- the other modes: what can be said without a USB device (the rest is in the image's stories)

def test_nothing_at_that_place(path):
    for mode in ("recovery", "dfu", "wtf", "port-dfu", "debug-usb"):
        assert error_of(probe(path, mode, bus=200, address=127)) == ("no-phone", "libusb")


# --- watching the mux

UP, DOWN = {"event": "mux-up"}, {"event": "mux-down"}


def attached(event="attached", mux_id=1, udid=UDID, location=0x10002, connection="usb"):
    return {"event": event, "udid": udid, "mux_id": mux_id, "location": location,
            "product_id": 0x12A8, "connection": connection}


def test_watch_phones_come_and_go(path):
    with FakeMux(path, [phone()]) as mux, worker("mux-watch", path, WATCH) as running:
        assert running.event() == UP
        assert running.event() == attached()
        mux.attach(phone(2, "00008030001A1B2C3D4E5F6A", 0x30011))
        second = {"mux_id": 2, "udid": "00008030-001A1B2C3D4E5F6A", "location": 0x30011}
        assert running.event() == attached(**second)
        mux.attach(phone(3, "a" * 40, ConnectionType="Network", NetworkAddress=b"\x02\0"))
        assert running.event() == attached(mux_id=3, udid="a" * 40, connection="network")
        mux.detach(1)
        assert running.event() == attached("detached")
        mux.tell_raw(mux.packet({"MessageType": "Paired", "DeviceID": 2}, 0))
        assert running.event() == attached("paired", **second)
        mux.detach(2)
        assert running.event() == attached("detached", **second)
        assert_only_asked(mux)


def test_watch_same_number_twice(path):
    """A phone that the mux forgot to take away must not stay for ever."""
    with FakeMux(path, [phone()]) as mux, worker("mux-watch", path, WATCH) as running:
        assert [running.event(), running.event()] == [UP, attached()]
        mux.attach(phone(1, "b" * 40))
        assert running.event() == attached("detached")
        assert running.event() == attached(udid="b" * 40)


def test_watch_bytes_in_any_portion(path):
    with FakeMux(path) as mux, worker("mux-watch", path, WATCH) as running:
        assert running.event() == UP
        data = mux.packet(phone(), 0) + mux.packet({"MessageType": "Detached", "DeviceID": 1}, 0)
        for i in range(len(data)):
            mux.tell_raw(data[i:i + 1])
        assert running.event() == attached()
        assert running.event() == attached("detached")
        mux.tell_raw(data * 50)
        for _ in range(50):
            assert [running.event(), running.event()] == [attached(), attached("detached")]


def test_watch_mux_gone_and_back(path):
    with worker("mux-watch", path, WATCH) as running:
        assert running.event() == DOWN
        for leave_socket in (False, True, False):
            mux = FakeMux(path, [phone()])
            assert [running.event(), running.event()] == [UP, attached()]
            mux.stop(leave_socket)
            assert [running.event(), running.event()] == [attached("detached"), DOWN]


def test_watch_does_not_poll(path):
    """Away for good: the process is not woken, not even once a second as libusbmuxd would be."""
    with worker("mux-watch", path, WATCH) as running:
        assert running.event() == DOWN
        assert any(asleep(running.process.pid) for _ in range(6))
        (path.parent / "other").touch()  # another file does not make it give up
        with FakeMux(path):
            assert running.event() == UP


@contextlib.contextmanager
def busy_usbmuxd(path):
    """Its socket is there, its queue is full, and nobody is let in yet. Yields the listening socket."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(path))
        listening.listen(0)
        listening.settimeout(10)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(path))
        with pytest.raises(BlockingIOError):
            kept_out = stack.enter_context(socket.socket(socket.AF_UNIX))
            kept_out.setblocking(False)
            kept_out.connect(str(path))
        yield listening


def test_watch_waits_for_a_place_in_the_queue(path):
    """As long as for an answer; what was told meanwhile is nothing, since nothing is known."""
    with busy_usbmuxd(path) as listening, worker("mux-watch", path, WATCH) as running:
        time.sleep(3)  # less than the limit of an answer, and longer than one who merely tries again would
        listening.accept()[0].close()
        with listening.accept()[0] as client:
            answer_listen(client)
            assert running.event() == UP


def test_watch_of_a_queue_that_stays_full(path):
    """usbmuxd is there and hangs: that is not the same as being gone."""
    with busy_usbmuxd(path), worker("mux-watch", path, WATCH) as running:
        assert error_of(running.result()) == ("silent", "usbmuxd")


def test_watch_sees_that_usbmuxd_hangs(path):
    """It keeps its connections and takes nobody in any more."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(5)
        listening.settimeout(20)
        with worker("mux-watch", path, WATCH) as running:
            with listening.accept()[0] as first:
                answer_listen(first)
                assert running.event() == UP
                with listening.accept()[0] as probe:  # and so again, after a while
                    answer_listen(probe)
                    assert probe.recv(1) == b""
                assert error_of(running.result(30)) == ("silent", "usbmuxd")


def answer_listen(client):
    client.settimeout(10)
    header = struct.unpack("<4I", client.recv(16, socket.MSG_WAITALL))
    client.recv(header[0] - 16, socket.MSG_WAITALL)
    reply = plistlib.dumps({"MessageType": "Result", "Number": 0})
    client.sendall(struct.pack("<4I", 16 + len(reply), 1, 8, header[3]) + reply)


def test_watch_goes_on_trying_one_that_refuses(path):
    """A socket that its usbmuxd left behind, and takes up again without making it anew."""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        with worker("mux-watch", path, WATCH) as running:
            assert running.event() == DOWN
            time.sleep(6)  # all the tries that come ever more slowly
            bound.listen(5)
            bound.settimeout(10)
            bound.accept()[0].close()


def asleep(pid):
    """Nothing at all for 2.5 seconds; a program that polls never gets there."""
    before = switches(pid)
    time.sleep(2.5)  # the absence of events is what is tested: there is none to wait for
    return switches(pid) == before


def switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return [line for line in status if "ctxt_switches" in line]


def test_watch_directory_missing(path):
    with worker("mux-watch", path / "missing" / "usbmuxd", WATCH) as running:
        assert error_of(running.result()) == ("no-service", "kernel")
        assert running.exit_status() == 1


def watch_fails(path, mux, after=None):
    with mux, worker("mux-watch", path, WATCH) as running:
        if after is not None:
            assert running.event() == UP
            mux.tell_raw(after)
        result = running.result()
        assert running.exit_status() == 1
        return error_of(result)


def test_watch_broken_mux(path):
    header = fake_mux.HEADER
    refusal = FakeMux.packet({"MessageType": "Result", "Number": 6}, 1)
    for answer in (refusal, FakeMux.packet(phone(), 0)):
        mux = FakeMux(path, answers={"Listen": answer})
        assert watch_fails(path, mux) == ("protocol", "usbmuxd")
    assert watch_fails(path, FakeMux(path, answers={"Listen": SILENCE})) == ("silent", "usbmuxd")
    for data in (b"\xa5" * 64, header.pack(0, 1, 8, 0), header.pack(0xFFFFFFFF, 1, 8, 0),
                 header.pack(20, 1, 8, 0) + b"abcd", header.pack(16, 0, 4, 0)):
        assert watch_fails(path, FakeMux(path), data) == ("protocol", "usbmuxd")


def test_watch_mux_that_keeps_ending(path):
    """It is asked again, but not in a tight loop."""
    mux = FakeMux(path, answers={"Listen": CLOSE})
    with mux, worker("mux-watch", path, WATCH) as running:
        assert running.event() == DOWN
        began = time.monotonic()
        while time.monotonic() < began + 1 or len(mux.asked) < 2:
            assert time.monotonic() < began + 10
            time.sleep(0.01)
        assert len(mux.asked) < 20 * (time.monotonic() - began)
        mux.answers = {}
        assert running.event() == UP


# --- the end

def test_service_hangs_up(path):
    """Before the request, while a library call blocks, while watching: gone long before its own limits."""
    silent = normal_lockdown(overrides={"QueryType": SILENCE})
    with FakeMux(path, [phone()], silent) as mux:
        with worker("probe", path) as running:
            running.socket.close()
            assert running.exit_status() == 1
        with worker("probe", path, dict(PROBE, mode="normal", udid=UDID)) as running:
            deadline = time.monotonic() + 10
            while not mux.asked_phone:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            while mux.ended.acquire(blocking=False):
                pass
            running.socket.close()
            assert running.exit_status() == 1
            assert mux.ended.acquire(timeout=5)
        with worker("mux-watch", path, WATCH) as running:
            assert [running.event(), running.event()] == [UP, attached()]
            running.socket.close()
            assert running.exit_status() == 1
            assert mux.ended.acquire(timeout=5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_leaves_nothing(path, how):
    with FakeMux(path, [phone()]) as mux, worker("mux-watch", path, WATCH) as running:
        assert [running.event(), running.event()] == [UP, attached()]
        running.process.send_signal(how)
        assert running.exit_status() == -how
        assert running.line() is None
        assert mux.ended.acquire(timeout=5)
        assert sessions(running.process.pid) == []
    assert list(path.parent.iterdir()) == []


def sessions(leader):
    """Processes that are left in the session that the worker led."""
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            if int(stat.read().rsplit(")", 1)[1].split()[3]) == leader:
                left.append(pid)
    return left
