# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker program over a socketpair, as the service runs it, beside a simulated phone.

    with WorkerRun("trust", phone.env(), udid=phone.udid, action="check") as run:
        result = run.result()
"""

import contextlib
import json
import os
import socket
import subprocess

from simphone import TREE

PROGRAM = TREE / os.environ.get("IDR_BUILD", "build/asan") / "idevicerescue-worker"
LIMIT = 20  # seconds, for anything that is awaited


class WorkerRun:
    """One request and what comes back. Every wait has a limit; leaving the block ends the process."""

    def __init__(self, kind, environment, request=None, **fields):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(LIMIT)
        self._rest = b""
        self.events = []
        with theirs:
            self.process = subprocess.Popen([str(PROGRAM), kind], stdin=theirs, stdout=theirs, env=environment,
                                            stderr=subprocess.PIPE, start_new_session=True)
        head = {"v": 1, "type": "request", "kind": kind}
        self.socket.sendall((json.dumps({**head, **fields} if request is None else request) + "\n").encode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)  # closing the socket is its end
        if self.process.poll() is None:
            self.process.kill()
        _, errors = self.process.communicate()
        assert b"Sanitizer" not in errors and b"runtime error" not in errors, errors.decode(errors="replace")

    def _line(self, limit_s):
        self.socket.settimeout(limit_s)
        while b"\n" not in self._rest:
            data = self.socket.recv(65536)
            if not data:
                assert self._rest == b"", "the stream ended inside a line"
                return None
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        line = json.loads(line.decode("utf-8"))
        assert line.pop("v") == 1
        return line

    def event(self, limit_s=LIMIT):
        """The next event."""
        line = self._line(limit_s)
        assert line is not None and line.pop("type") == "event", line
        self.events.append(line)
        return line

    def result(self, limit_s=LIMIT):
        """What the result line carries, {"ok": …, …}; the events before it are in `events`."""
        while True:
            line = self._line(limit_s)
            assert line is not None, "no result"
            if line.pop("type") == "result":
                break
            self.events.append(line)
        assert self._line(limit_s) is None, "something follows the result"
        usage = not line["ok"] and line["error"]["kind"] == "usage"
        assert self.process.wait(LIMIT) == (0 if line["ok"] else 2 if usage else 1)
        return line


def work(kind, environment, wait_s=LIMIT, **fields):
    """One worker from its request to its end; what the result carries."""
    with WorkerRun(kind, environment, **fields) as run:
        return run.result(wait_s)


def failure(result):
    """(kind, origin, code) of a result that must be an error."""
    assert result["ok"] is False, result
    error = result["error"]
    assert set(error) == {"kind", "origin", "code", "text"} and error["text"]
    return error["kind"], error["origin"], error["code"]
