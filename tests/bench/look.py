#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes, and how much memory, to tell what a firmware file of 11 GB holds: our worker `check`, beside
idevicerestore --ipsw-info. Natively, in the build root; prints one JSON object with lists
{"ours": [[ms, KiB], …], "idevicerestore": [[ms, KiB], …]}.

usage: tests/bench/look.py [--rounds N]

The file is sparse: its directory and lists are those of a small one of tests/ipsw, its system image is a hole.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/story"))
os.environ.setdefault("IDR_BUILD", "build")

from firmware_bed import BOARD, MIB, PRODUCT, PROGRAM, make_ipsw  # noqa: E402
from firmware_real import costs, large  # noqa: E402

BYTES = 11 << 30


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="l", dir="/tmp") as folder:
        small = make_ipsw(pathlib.Path(folder) / "a.ipsw", image_bytes=MIB)
        path = large(pathlib.Path(folder) / "iPhone_11G_Restore.ipsw", small, BYTES)
        request = {"v": 1, "type": "request", "kind": "check", "path": str(path), "product": PRODUCT, "board": BOARD}
        found = {"ours": [], "idevicerestore": []}
        for _ in range(rounds):
            for who, command, words, wanted in (
                    ("ours", [PROGRAM, "check"], json.dumps(request) + "\n", '"ok":true'),
                    ("idevicerestore", ["idevicerestore", "--ipsw-info", path], "", BOARD)):
                seconds, peak, said = costs(command, words)
                if wanted not in said.lower():
                    sys.exit(f"look: {who}: {said}")
                found[who].append([round(seconds * 1000, 1), peak])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
