# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kinds for firmware, natively: Apple's pretended servers behind the test hooks, and the program itself.

    with FirmwareWorker("fetch", world.hooks, {"firmware": …, "folder": …}) as worker:
        result = worker.result()
"""

import collections
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/net"), str(TREE / "tests")]

from apple import Apple  # noqa: E402
from ipsw.make_ipsw import build  # noqa: E402

PROGRAM = TREE / os.environ.get("IDR_BUILD", "build/asan") / "idevicerescue-worker"
PRODUCT, BOARD, VERSION, BUILD = "iPhone14,5", "d17ap", "18.2", "22C152"
ERASE, UPGRADE = "Customer Erase Install (IPSW)", "Customer Upgrade Install (IPSW)"
MIB = 1 << 20
BASE = "https://updates.cdn-apple.com"
EXIT_OK, EXIT_NOT_OK, EXIT_USAGE = 0, 1, 2


def make_ipsw(path, **wishes):
    build(path, **{"boards": [PRODUCT], "version": VERSION, "build": BUILD, "image_bytes": 24 * MIB,
                   "cryptex_bytes": MIB // 2, **wishes})
    return path


class World:
    """Servers that know one IPSW, and the folder with the hooks that lead to them."""

    def __init__(self, folder):
        self.folder = folder
        self.path = make_ipsw(folder / "a.ipsw")
        self.apple = Apple(folder / "pki", files=[self.path], base=BASE)
        self.file = self.apple.registry.firmwares()[0]

    @classmethod
    @contextlib.contextmanager
    def running(cls):
        """A world in a folder of its own, whose servers run until the block ends."""
        with tempfile.TemporaryDirectory(prefix="w", dir="/tmp") as folder:
            world = cls(pathlib.Path(folder))
            with world.apple:
                world.hooks = world.hooks_to("https", "https")
                yield world

    def hooks_to(self, catalogue="https", firmware="https", ca=True, name="hooks"):
        """A folder of hooks; the schemes say which of the servers' certificates are met."""
        folder = self.folder / f"{name}-{catalogue}-{firmware}-{ca}"
        folder.mkdir(exist_ok=True)
        places = {"api.ipsw.me": ("catalogue", catalogue), "s.mzstatic.com": ("catalogue", catalogue),
                  "api.appledb.dev": ("catalogue", catalogue), "gdmf.apple.com": ("gdmf", catalogue),
                  "updates.cdn-apple.com": ("firmware", firmware), "elsewhere.example": ("firmware", firmware)}
        lines = [f"{host}:443 127.0.0.1:{self.apple.port(*place)}\n" for host, place in places.items()]
        (folder / "idevicerescue.hosts").write_text("# where the servers are\n" + "".join(lines))
        if ca:
            shutil.copy(self.apple.ca, folder / "idevicerescue.ca")
        return folder

    def firmware(self, **changes):
        """What a catalogue tells of the file."""
        hashes = self.file.hashes
        found = {"product": PRODUCT, "version": VERSION, "build": BUILD, "name": self.file.name,
                 "url": BASE + self.file.url_path, "size": self.file.size, "sha1": hashes["sha1"],
                 "sha256": hashes["sha256"], **changes}
        return {key: value for key, value in found.items() if value is not None}

    def calm(self):
        self.apple.calm()

    def sent(self):
        """Bytes of the file that went out since calm()."""
        return self.apple.firmware.sent()


class FirmwareWorker:
    """The program, its lines sorted into events and the result. Every wait has a limit."""

    def __init__(self, kind, hooks, fields, wrap=(), limit_s=60):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(limit_s)
        environment = dict(os.environ)
        environment.pop("CREDENTIALS_DIRECTORY", None)
        if hooks:
            environment["CREDENTIALS_DIRECTORY"] = str(hooks)
        with theirs:
            self.process = subprocess.Popen([*wrap, str(PROGRAM), kind], stdin=theirs, stdout=theirs,
                                            env=environment, start_new_session=True)
        self.events = []
        self._rest = b""
        self.socket.sendall(json.dumps({"v": 1, "type": "request", "kind": kind, **fields}).encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def line(self):
        while b"\n" not in self._rest:
            data = b""
            with contextlib.suppress(ConnectionResetError):
                data = self.socket.recv(1 << 16)
            if not data:
                return None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return json.loads(line.decode("utf-8"))

    def event(self, name):
        """The next event of this name; None if the stream ends or a result comes before it."""
        while (line := self.line()) and line["type"] == "event":
            self.events.append(line)
            if line["event"] == name:
                return line
        return None

    def result(self):
        while (line := self.line()) and line["type"] == "event":
            self.events.append(line)
        assert line is not None, f"no result, exit {self.process.wait(5)}"
        assert line["type"] == "result" and self.line() is None, line
        status = self.process.wait(5)
        kind = "" if line["ok"] else line["error"]["kind"]
        assert status == (EXIT_OK if line["ok"] else EXIT_USAGE if kind == "usage" else EXIT_NOT_OK)
        return line

    def told(self):
        return collections.Counter(event["event"] for event in self.events)

    def kill(self):
        self.process.kill()
        self.process.wait()


def ask(kind, hooks=None, **fields):
    """The result of a worker that is let run to its end."""
    with FirmwareWorker(kind, hooks, fields) as worker:
        return worker.result()


def refused(result, kind, *words):
    """The error is of this kind and its text holds the words."""
    assert result["ok"] is False and result["error"]["kind"] == kind, result
    text = result["error"]["text"]
    assert all(word.lower() in text.lower() for word in words), text
    return result["error"]


def assert_only_the_date_was_asked(service):
    """Without proof of who answers nothing is asked but what time it is, if the certificate's dates are at odds."""
    asked = {(entry["method"], entry["path"]) for entry in service.record.entries()}
    assert asked <= {("HEAD", "/")}, asked
