#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands for idevicerescue-worker in the console's stories (protocol: src/worker/README.md).

Its folder is named by IDR_TEST_FOLDER: `probe.json` maps a UDID to the fields of the result that a
probe gives; what is written into the FIFO `mux` becomes the lines of mux-watch. kernel-watch has
nothing to tell, every phone trusts this computer, and any other request is refused.
"""
import json
import os
import select
import sys
from pathlib import Path

FOLDER = Path(os.environ["IDR_TEST_FOLDER"])


def send(kind, **fields):
    print(json.dumps({"v": 1, "type": kind, **fields}), flush=True)


def probe(request):
    answers = json.loads((FOLDER / "probe.json").read_text(encoding="utf-8"))
    answer = answers.get(request.get("udid"))
    if answer:
        send("result", ok=True, **answer)
    else:
        error = {"kind": "silent", "origin": "lockdownd", "code": 0, "text": "nobody answers"}
        send("result", ok=False, error=error)


def mux_watch():
    fifo = os.open(FOLDER / "mux", os.O_RDWR | os.O_CLOEXEC)
    while True:
        ready, _, _ = select.select([fifo, sys.stdin], [], [])
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
            return
        if fifo in ready:
            os.write(sys.stdout.fileno(), os.read(fifo, 65536))


def main():
    request = json.loads(sys.stdin.readline())
    if request["kind"] == "probe":
        probe(request)
    elif request["kind"] == "mux-watch":
        mux_watch()
    elif request["kind"] == "trust":
        send("result", ok=True, trust="trusted", record=True, reach="service")
    elif request["kind"] == "kernel-watch":
        send("ready", since_boot=True)
        sys.stdin.read()
    else:
        error = {"kind": "unsupported", "origin": "worker", "code": 0, "text": "nobody does that"}
        send("result", ok=False, error=error)


main()
