#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our download, its hashes and its memory beside curl, aria2c, sha1sum and sha256sum.

All against one fast honest server on loopback (firmware_server.c), over TLS, to the same disk; the file is fresh each
time, and synced within the time that is measured. Runs inside the build root: scripts/in-root tests/bench/download.py.
Prints one JSON object: {what: {"ours", "rival", "rival_name", "unit"}}, medians, and the peak memory of our worker.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests/net"), str(TREE / "tests/story")]

from firmware_real import costs  # noqa: E402
from tls import Pki  # noqa: E402

HOST = "updates.cdn-apple.com"
NAME = "Bench_26.6_23G83_Restore.ipsw"
MIB = 1 << 20
GIGABIT = 125_000_000 * 94 // 100  # what TCP gets of it
EACH = 10_000_000
BLOCK = 8 * MIB  # sizes are multiples of it
LIMIT_S = 900  # for one download
SERVER = TREE / "build/bench/firmware_server"
WORKER = TREE / os.environ.get("IDR_BUILD", "build") / "idevicerescue-worker"


def build_server():
    SERVER.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-o", SERVER, TREE / "tests/bench/firmware_server.c", "-lssl",
                    "-lcrypto", "-lpthread"], check=True)


class Server:
    """The server's process; `line` and `each` are bytes a second, 0 is no limit."""

    def __init__(self, file, pki, line=0, each=0):
        arguments = [SERVER, file, pki["certificate"], pki["key"], str(line), str(each)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


class Bench:
    """A file of random bytes, certificates, and the ways to fetch it."""

    def __init__(self, folder, size):
        self.folder, self.size = folder, size
        self.source = folder / "source"
        self.target = folder / "target"
        self.hashes = self._make()
        self.pki = self._certificates()

    def _make(self):
        chance = random.Random(1)
        sha1, sha256 = hashlib.sha1(), hashlib.sha256()
        with open(self.source, "wb") as file:
            for _ in range(self.size // BLOCK):
                data = chance.randbytes(BLOCK)
                file.write(data)
                sha1.update(data)
                sha256.update(data)
        return {"sha1": sha1.hexdigest(), "sha256": sha256.hexdigest()}

    def _certificates(self):
        """In files, as the server and the rivals want them."""
        pki = Pki(self.folder / "pki", names=[HOST])
        pki.context("public", "good")  # writes the key and the chain
        both = pki.folder / "leaf_public_good.pem"
        return {"ca": pki.ca("public"), "certificate": both, "key": both}

    def clear(self):
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        os.sync()

    def timed(self, *commands, **how):
        """Seconds that the commands take, one after the other, with the file on the disk at the end."""
        self.clear()
        began = time.monotonic()
        for command in commands:
            done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=False,
                                  timeout=LIMIT_S, **how)
            if done.returncode != 0:
                sys.exit(f"bench: {command}: exit {done.returncode}: {done.stdout[-500:]}")
        subprocess.run(["sync", "-f", self.target], check=True)
        return time.monotonic() - began

    def curl(self, server, *then):
        file = self.target / "file"
        command = ["curl", "-sSf", "--http1.1", "--cacert", self.pki["ca"], "--connect-to",
                   f"{HOST}:443:127.0.0.1:{server.port}", "-o", file, f"https://{HOST}/{NAME}"]
        return self.timed(command, *([program, file] for program in then))

    def aria(self, server):
        """It knows no way to send a name elsewhere: the address is asked, which the certificate names, too."""
        command = ["aria2c", "-q", "-x8", "-s8", "-k1M", "--file-allocation=none", f"--ca-certificate={self.pki['ca']}",
                   f"--dir={self.target}", f"https://127.0.0.1:{server.port}/{NAME}"]
        return self.timed(command)

    def our_worker(self, server):
        """(command, request, environment)"""
        hooks = self.folder / "hooks"
        hooks.mkdir(exist_ok=True)
        (hooks / "idevicerescue.hosts").write_text(f"{HOST}:443 127.0.0.1:{server.port}\n")
        shutil.copy(self.pki["ca"], hooks / "idevicerescue.ca")
        firmware = {"url": f"https://{HOST}/{NAME}", "size": self.size, **self.hashes}
        request = {"v": 1, "type": "request", "kind": "fetch", "firmware": firmware, "folder": str(self.target)}
        return [WORKER, "fetch"], json.dumps(request) + "\n", {**os.environ, "CREDENTIALS_DIRECTORY": str(hooks)}

    def ours(self, server):
        command, request, environment = self.our_worker(server)
        return self.timed(command, input=request.encode(), env=environment)


def peak_memory_kib(bench, server):
    """Of our worker alone."""
    bench.clear()
    _, peak, said = costs(*bench.our_worker(server), limit_s=LIMIT_S)
    if '"ok":true' not in said:
        sys.exit(f"bench: {said[-500:]}")
    return peak


def compare(rounds, ours, rivals):
    """{name: median seconds}, taken in turns so that the machine's moods meet all alike."""
    taken = {name: [] for name in ("ours", *rivals)}
    for _ in range(rounds):
        taken["ours"].append(ours())
        for name, rival in rivals.items():
            taken[name].append(rival())
    return {name: statistics.median(values) for name, values in taken.items()}


def measure(bench, rounds, slow_size_bench):
    found = {}
    with Server(bench.source, bench.pki) as server:
        found["as fast as it goes"] = compare(rounds, lambda: bench.ours(server), {
            "curl": lambda: bench.curl(server),
            "curl, sha1sum, sha256sum": lambda: bench.curl(server, "sha1sum", "sha256sum"),
            "aria2c -x8": lambda: bench.aria(server)})
        found["peak memory"] = {"KiB": peak_memory_kib(bench, server)}
    with Server(bench.source, bench.pki, line=GIGABIT) as server:
        found["line of 1 Gbit/s"] = compare(rounds, lambda: bench.ours(server), {
            "curl": lambda: bench.curl(server),
            "curl, sha1sum, sha256sum": lambda: bench.curl(server, "sha1sum", "sha256sum"),
            "aria2c -x8": lambda: bench.aria(server)})
    slow = slow_size_bench
    with Server(slow.source, slow.pki, each=EACH) as server:
        found["each connection 10 MB/s"] = compare(1, lambda: slow.ours(server), {
            "curl": lambda: slow.curl(server), "aria2c -x8": lambda: slow.aria(server)})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=2048, help="size of the file")
    parser.add_argument("--folder", help="where to write (a folder on the disk that is meant)")
    options = parser.parse_args()
    build_server()
    with tempfile.TemporaryDirectory(prefix="download", dir=options.folder or TREE / "build/bench") as folder:
        folder = pathlib.Path(folder)
        (folder / "a").mkdir()
        (folder / "b").mkdir()
        size = max(options.mib * MIB // BLOCK, 1) * BLOCK
        bench = Bench(folder / "a", size)
        slow = Bench(folder / "b", min(size, 50 * BLOCK))
        print(json.dumps(measure(bench, options.rounds, slow)))


if __name__ == "__main__":
    main()
