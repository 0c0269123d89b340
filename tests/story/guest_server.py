# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side for tests that run in the build root: `scripts/guest --serve SOCKET`.

One connection is one machine; when it closes, the machine ends. JSON lines, a request and its answer in turn:

    {"do": "boot", "options": {…Options…}, "settle": true, "service": true}   first
    {"do": "run", "command": "…", "timeout": 120}     → {"ok": true, "stdout", "stderr", "status"}
    {"do": "phone", "index": 0, "line": "state"}      → {"ok": true, "answer": {…}}
    {"do": "events", "index": 0}                      → {"ok": true, "events": […]}
    {"do": "settle", "seconds": 60} · {"do": "serial"} · {"do": "type", "text": "…"}
    {"do": "qmp", "command", "arguments"}

A failure is {"ok": false, "error": text}; the machine stays, unless it was the boot that failed.
"""

import json
import os
import pathlib
import socketserver
import threading

from guest import Guest, GuestError, Options

LINE_MAX = 1 << 20


class Session:
    """One connection's machine and what may be asked of it."""

    def __init__(self):
        self.guest = None

    def close(self):
        if self.guest:
            self.guest.shutdown()

    def boot(self, request):
        if self.guest:
            raise GuestError("this connection has its machine already")
        self.guest = Guest(Options(**request.get("options", {})))
        self.guest.boot(settle=request.get("settle", True), service=request.get("service", True))
        return {"run_dir": str(self.guest.run_dir)}

    def run(self, request):
        done = self.guest.run(request["command"], request.get("timeout", 120))
        return {"stdout": done.stdout, "stderr": done.stderr, "status": done.status}

    def phone(self, request):
        return {"answer": self.guest.phone(request["index"]).control(request["line"])}

    def events(self, request):
        return {"events": self.guest.phone(request["index"]).events()}

    def settle(self, request):
        self.guest.settle(request.get("seconds", 60))
        return {}

    def serial(self, request):
        return {"text": self.guest.serial_text()}

    def type(self, request):
        self.guest.serial_send(request["text"].encode())
        return {}

    def qmp(self, request):
        return {"answer": self.guest.qmp(request["command"], **request.get("arguments", {}))}

    def answer(self, line):
        verbs = ("boot", "run", "phone", "events", "settle", "serial", "type", "qmp")
        try:
            request = json.loads(line)
            verb = request.get("do")
            if verb not in verbs:
                raise GuestError(f"requests are: {', '.join(verbs)}")
            if verb != "boot" and not self.guest:
                raise GuestError("boot first")
            return {"ok": True, **getattr(self, verb)(request)}
        except (GuestError, ValueError, KeyError, IndexError, TypeError, OSError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}" if not str(error) else str(error)}


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        session = Session()
        self.server.sessions.add(session)
        try:
            while line := self.rfile.readline(LINE_MAX):
                self.wfile.write(json.dumps(session.answer(line)).encode() + b"\n")
        except OSError:
            pass
        finally:
            session.close()
            self.server.sessions.discard(session)


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path):
        self.sessions = set()
        super().__init__(path, Handler)


def serve(path):
    """Serves until interrupted; ends every machine then."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)
    with Server(path) as server:
        try:
            # children die with the thread that made them, so the server's own threads must outlive their sessions
            threading.current_thread().name = "serve"
            server.serve_forever(poll_interval=0.2)
        finally:
            for session in list(server.sessions):
                session.close()
            os.unlink(path)
    return 0
