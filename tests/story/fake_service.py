# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for the service on its varlink socket: answers what a test says, and tells events."""
import json
import socket
import threading

INTERFACE = "org.idevicerescue."


class Refusal(Exception):
    """An error reply: its name without the interface, and its fields."""

    def __init__(self, name, **fields):
        super().__init__(name)
        self.name, self.fields = name, fields


class FakeService:
    """methods: name to function(parameters) -> reply; or raises Refusal. Watch is our own: the
    snapshot with `jobs`, then what tell() sends."""

    def __init__(self, path, **methods):
        self.path, self.methods = path, methods
        self.calls = []  # (method, parameters) of all but Watch
        self.jobs = []
        self.watchers = []
        self.lock = threading.Condition()
        self.links = []
        self.listener = None

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.path.unlink(missing_ok=True)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more, and every link is cut."""
        with self.lock:
            for link in [self.listener, *self.links]:
                try:
                    link.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                link.close()
            self.links, self.watchers = [], []
        self.path.unlink(missing_ok=True)

    def accept(self, listener):
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.links.append(link)
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        rest = b""
        try:
            while chunk := link.recv(65536):
                *requests, rest = (rest + chunk).split(b"\0")
                for request in requests:
                    self.answer(link, json.loads(request))
        except OSError:
            pass

    @staticmethod
    def send(link, **reply):
        link.sendall(json.dumps(reply).encode() + b"\0")

    def answer(self, link, request):
        method = request["method"].removeprefix(INTERFACE)
        parameters = request.get("parameters") or {}
        if method == "Watch":
            with self.lock:
                self.watch_event(link, "snapshot", snapshot={"phones": [], "jobs": self.jobs})
                self.watchers.append(link)
                self.lock.notify_all()
            return
        self.calls.append((method, parameters))
        try:
            self.send(link, parameters=self.methods[method](parameters))
        except Refusal as refusal:
            self.send(link, error=INTERFACE + refusal.name, parameters=refusal.fields)

    def watch_event(self, link, kind, **fields):
        event = {"seq": 1, "time_ms": 1, "kind": kind, **fields}
        self.send(link, parameters={"event": event}, continues=True)

    def await_watcher(self, limit=20):
        with self.lock:
            assert self.lock.wait_for(lambda: self.watchers, limit), "nobody watches"

    def tell(self, job):
        """The job changed: to all watchers, and into snapshots."""
        with self.lock:
            self.jobs = [job] + [other for other in self.jobs if other["id"] != job["id"]]
            for link in self.watchers:
                self.watch_event(link, "job", job=job)
