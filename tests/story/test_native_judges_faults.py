# SPDX-License-Identifier: GPL-3.0-or-later
"""The map of how the stack fails: for each fault of the simulated phone and of the signing server, what the unmodified
programs say, in golden/faults.txt. UPDATE_GOLDEN=1 writes it (the undisturbed restore first: the others are compared
with it). IDR_SLOW=1 runs the rows, too, in which a program waits for more than 40 seconds."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(TREE / "tests"), str(TREE / "tests/net")]

import apple  # noqa: E402
import fault_golden  # noqa: E402
import faults  # noqa: E402
import simphone  # noqa: E402
from fault_bench import Bench  # noqa: E402
from ipsw import make_ipsw  # noqa: E402

ROWS = faults.all_rows()
POLITE = "restore/polite"
PREFACE = """The first map of how the stack fails

What unmodified programs say when something is wrong with the phone, its cable, or Apple's signing server; written by
tests/story/test_native_judges_faults.py, which also checks it. The phone is tests/simphone.

A section is a fault. `phone`: the scenario and what differs from a polite phone (--set); a line `fault=` is one message or
byte of a conversation at which something happens (tests/simphone/fault.h). `hand`: what is done meanwhile. `$`: a
program; then what it printed (`!`: on standard error), and how it ended. `left`: the phone afterwards.
Of idevicerestore only that is told which an undisturbed restore (section restore/polite) does not say.
"""
GOLDEN = fault_golden.Golden(TREE / "tests/story/golden/faults.txt", PREFACE, [row.name for row in ROWS])
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@pytest.fixture(name="folder")
def make_folder():
    """Short: the path of a socket has 107 characters at most."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="f-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session", name="ipsw")
def make_the_ipsw(tmp_path_factory):
    path = tmp_path_factory.mktemp("ipsw") / "new.ipsw"
    make_ipsw.build(path, boards=["iPhone14,5"], version="18.1", build="22B83", image_bytes=1 << 20)
    return path


@pytest.fixture(scope="session", name="servers")
def run_servers(tmp_path_factory):
    with apple.Apple(tmp_path_factory.mktemp("net")) as running:
        yield running


def polite_lines(row):
    """What an undisturbed restore says; None for that one itself."""
    if row.name == POLITE:
        return None
    section = GOLDEN.section(POLITE)
    assert section, f"the map has no section {POLITE}: run that row with UPDATE_GOLDEN=1 first"
    return [line.strip() for line in section.splitlines()]


def bench_of(row, folder, request):
    if row.door != "both":
        return Bench(folder, row)
    ipsw, servers = request.getfixturevalue("ipsw"), request.getfixturevalue("servers")
    return Bench(folder, row, ipsw, servers, polite_lines(row))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_the_judges_say(row, folder, request):
    if row.slow and not os.environ.get("IDR_SLOW"):
        pytest.skip(f"slow: {row.slow}")
    with bench_of(row, folder, request) as bench:
        text = bench.run()
        state = bench.phone.state()
    counts = {"erase": (1, 0), "update": (0, 1)}.get(row.finished, (0, 0))
    assert (state["erases"], state["updates"]) == counts, text
    if UPDATE:
        GOLDEN.replace(row.name, text)
    assert text == GOLDEN.section(row.name)
