# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker kind `restore`, as the service starts it: over a socket pair, with a job's folder.

    with Job(folder, phone, apple, ipsw) as job:
        job.begin(erase=True)
        end = job.end()                       # the last line of the file
        assert end["ok"] and job.names()[-1] == "progress"

Who owns what: the Job owns the worker's process, the socket and the folder `job`. Leaving the `with` block ends the
worker if it still lives; a sanitizer's word, or a folder that was left behind, is a failure.
"""

import fcntl
import json
import os
import pathlib
import socket
import subprocess
import time

__all__ = ["ERASE", "Job", "UPGRADE", "credentials", "until"]

TREE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = TREE / os.environ.get("IDR_BUILD", "build/asan") / "idevicerescue-worker"
ERASE = "Customer Erase Install (IPSW)"
UPGRADE = "Customer Upgrade Install (IPSW)"
LIMIT = 60  # seconds, for one restore
POLL_SECONDS = 0.01


def until(what, condition, limit=LIMIT):
    """The first true value of condition()."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {limit} seconds: {what}"
        time.sleep(POLL_SECONDS)


def credentials(folder, apple, scheme="https", port=None, ca=None):
    """The test hooks: Apple's host goes to the pretended one. scheme: of tests/net, for a bad certificate."""
    path = pathlib.Path(folder) / "credentials"
    path.mkdir(exist_ok=True)
    port = port or apple.port("tss", scheme)
    (path / "idevicerescue.hosts").write_text(f"gs.apple.com:443 127.0.0.1:{port}\n")
    (path / "idevicerescue.ca").write_bytes(pathlib.Path(ca or apple.pki.ca("apple")).read_bytes())
    return path


class Job:
    """One attempt of one job. server: keyword arguments of credentials()."""

    def __init__(self, folder, phone, apple, ipsw, *, attempt=1, server=None, path=None):
        self.folder = pathlib.Path(folder) / "job"
        self.folder.mkdir(exist_ok=True)
        self.phone, self.ipsw, self.attempt = phone, ipsw, attempt
        self.errors = pathlib.Path(folder) / f"worker-{attempt}.err"
        self.environment = {**phone.env(), "CREDENTIALS_DIRECTORY": str(credentials(folder, apple, **(server or {})))}
        if path:
            self.environment["PATH"] = path
        self.socket = self.process = None
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.hang_up()
        if self.process:
            try:
                self.process.wait(20 if value is None else 0.1)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if value is None:
            text = self.errors.read_text(errors="replace")
            assert "Sanitizer" not in text and "runtime error" not in text, text
            assert not [name for name in ("tmp", "cache") if (self.folder / name).exists()]

    # ---- its socket

    def request(self, *, erase=True, **more):
        fields = {"v": 1, "type": "request", "kind": "restore", "folder": str(self.folder), "attempt": self.attempt,
                  "ecid": self.phone.state()["ecid"], "path": str(self.ipsw), "variant": ERASE if erase else UPGRADE,
                  "erase": erase, "os_bytes": 2 << 20, **({"consent": "1234"} if erase else {}), **more}
        return {key: value for key, value in fields.items() if value is not None}

    def start(self, request):
        """The worker, with this line on its socket."""
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(LIMIT)
        with theirs, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen([PROGRAM, "restore"], stdin=theirs, stdout=theirs, stderr=errors,
                                            cwd=self.folder, env=self.environment, start_new_session=True)
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return self

    def begin(self, **how):
        """Started, and told where to read."""
        self.start(self.request(**how))
        line = self.line()
        assert line == {"v": 1, "type": "event", "event": "following", "file": f"engine-{self.attempt}.jsonl"}, line
        return self

    def line(self):
        """The next line of the socket, None at its end."""
        while b"\n" not in self.rest:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def hang_up(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    # ---- its file

    @property
    def file(self):
        return self.folder / f"engine-{self.attempt}.jsonl"

    def lines(self):
        whole, _, _ = self.file.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def events(self, name=None):
        return [line for line in self.lines() if line["type"] == "event" and name in (None, line["event"])]

    def names(self):
        """Of the events in order, repetitions left out."""
        names = [line["event"] for line in self.events()]
        return [name for number, name in enumerate(names) if number == 0 or names[number - 1] != name]

    def wait_event(self, name, limit=LIMIT, **fields):
        return until(f"event {name} {fields}",
                     lambda: [line for line in self.events(name) if fields.items() <= line.items()], limit)[0]

    def end(self, limit=LIMIT):
        """The result: in the file, and the same on the socket if that is still ours."""
        def result():
            lines = self.lines()
            assert lines or self.process.poll() is None, self.tail()
            return lines[-1] if lines and lines[-1]["type"] == "result" else None
        found = until("the result", result, limit)
        if self.socket:
            assert self.line() == found and self.line() is None
        status = self.process.wait(20)
        assert status == (0 if found["ok"] else 1), self.tail()
        assert not self.is_locked()
        assert len([line for line in self.lines() if line["type"] == "result"]) == 1
        return found

    def refusal(self):
        """The error of a request that was not taken: nothing was begun."""
        line = self.line()
        assert line["type"] == "result" and not line["ok"] and self.line() is None, line
        assert not self.file.exists() and not list(self.folder.iterdir())
        return line["error"]["kind"], self.process.wait(20)

    def is_locked(self):
        with open(self.file, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def text(self, name):
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self):
        return "\n".join([self.text(self.file.name), self.errors.read_text(errors="replace"),
                          *self.text(f"engine-{self.attempt}.log").splitlines()[-30:]])

    def engine_pid(self):
        """The engine's process: the worker's only child."""
        def child():
            path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            return pathlib.Path(path).read_text().split() if os.path.exists(path) else None
        return int(until("the engine", child, 30)[0])
