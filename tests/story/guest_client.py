# SPDX-License-Identifier: GPL-3.0-or-later
"""The same face as guest.Guest for stories, which run in the build root: asks `scripts/guest --serve` on the host."""

import dataclasses
import json
import socket


class GuestError(Exception):
    """The machine, or the way to it, failed."""


@dataclasses.dataclass
class Completed:
    stdout: str
    stderr: str
    status: int


class RemotePhone:
    def __init__(self, guest, index):
        self.guest = guest
        self.index = index

    def control(self, line):
        return self.guest.ask("phone", index=self.index, line=line)["answer"]

    def events(self):
        return self.guest.ask("events", index=self.index)["events"]


class RemoteGuest:
    """One machine. Options by name as in guest_machine.Options. Use as a context manager: closing ends the machine."""

    def __init__(self, path, **options):
        self.options = options
        self.run_dir = ""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.reader = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.shutdown()

    def ask(self, verb, **arguments):
        self.socket.sendall(json.dumps({"do": verb, **arguments}).encode() + b"\n")
        line = self.reader.readline()
        if not line:
            raise GuestError("scripts/guest --serve has ended")
        answer = json.loads(line)
        if not answer.pop("ok"):
            raise GuestError(answer["error"])
        return answer

    def boot(self, settle=True, service=True):
        self.run_dir = self.ask("boot", options=self.options, settle=settle, service=service)["run_dir"]

    def run(self, command, timeout=120):
        return Completed(**self.ask("run", command=command, timeout=timeout))

    def phone(self, index):
        return RemotePhone(self, index)

    def settle(self, seconds=60):
        self.ask("settle", seconds=seconds)

    def serial_text(self):
        return self.ask("serial")["text"]

    def serial_send(self, text):
        self.ask("type", text=text)

    def qmp(self, command, **arguments):
        return self.ask("qmp", command=command, arguments=arguments)["answer"]

    def shutdown(self):
        self.reader.close()
        self.socket.close()
