# SPDX-License-Identifier: GPL-3.0-or-later
"""The map of how the stack fails: for each fault of the simulated phone and of the signing server, what the unmodified
programs say, in golden/faults.txt. UPDATE_GOLDEN=1 writes it (the undisturbed restore first: the others are compared
with it). IDR_SLOW=1 runs the rows, too, in which a program waits for more than 40 seconds."""

import dataclasses
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
OR = "or, another time:\n"  # between the outcomes of a row that wavers
PREFACE = """The first map of how the stack fails

What unmodified programs say when something is wrong with the phone, its cable, or Apple's signing server; written by
tests/story/test_native_judges_faults.py, which also checks it. The phone is tests/simphone.

A section is a fault. `phone`: the scenario and what differs from a polite phone (--set); a `fault=` is one message or
byte of a conversation at which something happens (tests/simphone/fault.h). `hand`: what is done meanwhile. `$`: a
program; then what it printed (`!`: on standard error), and how it ended. `left`: the phone afterwards.
Of idevicerestore only that is told which an undisturbed restore (section restore/polite) does not say.
"""
GOLDEN = fault_golden.Golden(TREE / "tests/story/golden/faults.txt", PREFACE, [row.name for row in ROWS])
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
WITH_THREADS, TRIES_OF_THREADS = ("both", "usbmuxd"), 3


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


# keys of scenarios that no row turns: what a phone is, and how a test is told to run
NO_FAULTS = {
    "model": "which phone it is", "body": "a stranger with Apple's vendor id: test_native_judges_usb.py",
    "mode": "where it begins; the scenarios say it", "seed": "of random bytes: the test of same seeds",
    "ecid": "which phone it is", "serial": "which phone it is",
    "udid": "which phone it is", "imei": "which phone it is", "pwned": "what an exploit left",
    "version": "which system it has", "build": "which system it has", "gap_ms": "pace of all rows",
    "boot_ms": "pace of all rows", "ipsw": "the truth about the file", "ticket_key": "whom it believes",
    "ramdisk": "where it begins: restore mode",
    "usb_max_power_ma": "no judge tells it", "disk_free_bytes": "a value like any other",
    "activation": "a value like any other", "supervised": "a value like any other",
    "name_bytes": "the map would be full of it", **dict.fromkeys(
        ("blink_every_ms", "blink_times", "recovery_loop", "recovery_again_ms"), "no end: test_states.c"),
    **dict.fromkeys(
        ("afc_busy", "backup", "backup_error", "backup_type_after_ms", "backup_passcode_ms", "backup_skips_space",
         "find_my"), "backups: test_native_judges_backup.py"),
}


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


def run_row(row, folder, request):
    """What the judges said. Whatever they say, the phone has counted only the restore that the row names."""
    folder = folder / f"{len(list(folder.iterdir()))}"
    folder.mkdir()
    with bench_of(row, folder, request) as bench:
        text = bench.run()
        state = bench.phone.state()
    counts = {"erase": (1, 0), "update": (0, 1)}.get(row.finished, (0, 0))
    assert (state["erases"], state["updates"]) == counts, text
    return text


def known_outcomes(row):
    section = GOLDEN.section(row.name)
    return [part for part in (section or "").split(OR) if part] if row.wavers else [section]


def is_known(row, text):
    known = known_outcomes(row)
    if row.wavers:  # what it said must have been seen, if not all of it in one run
        return set(text.splitlines()) <= set("".join(known).splitlines())
    return text in known


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_the_judges_say(row, folder, request):
    """The threads of usbmuxd and idevicerestore race with each other on a busy machine: what one of them says once may
    differ, what it says three times is another behaviour."""
    if row.slow and not os.environ.get("IDR_SLOW"):
        pytest.skip(f"slow: {row.slow}")
    text = run_row(row, folder, request)
    if UPDATE and not is_known(row, text):
        GOLDEN.replace(row.name, OR.join([*known_outcomes(row), text]) if row.wavers else text)
    for _ in range(TRIES_OF_THREADS - 1 if row.door in WITH_THREADS else 0):
        if is_known(row, text):
            break
        text = run_row(row, folder, request)
    assert is_known(row, text), f"the map says:\n{OR.join(filter(None, known_outcomes(row)))}\nnow it was:\n{text}"


def row_named(name):
    return next(row for row in ROWS if row.name == name)


def events_of(name, folder, request, seed):
    """The phone's event log after a row, without times and without what the host made up."""
    row = row_named(name)
    row = dataclasses.replace(row, settings=(*row.settings, f"seed={seed}"))
    folder = folder / f"{len(list(folder.iterdir()))}"
    folder.mkdir()
    with bench_of(row, folder, request) as bench:
        bench.run()
        events = bench.phone.events()
    lines = []
    for event in events:
        if event["event"] == "control":
            continue  # how often the test asked
        event = {key: value for key, value in event.items() if key != "ms"}
        lines.append(UUID.sub("<uuid>", json.dumps(event, ensure_ascii=False)))
    return lines


UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@pytest.mark.parametrize("name", ["recovery/data-garbage", "recovery/answer-garbage", "lockdown/garbage",
                                  "dfu/block-garbage", "dfu/status-garbage"])
def test_the_same_seed_gives_the_same_run(name, folder, request):
    assert events_of(name, folder, request, 5) == events_of(name, folder, request, 5)


def test_another_seed_gives_other_garbage(folder, request):
    """Else the test above would prove nothing."""
    name = "recovery/data-garbage"
    runs = [map(json.loads, events_of(name, folder, request, seed)) for seed in (5, 6)]
    uploads = [{event["sha256"] for event in events if "sha256" in event} for events in runs]
    assert uploads[0] and uploads[0].isdisjoint(uploads[1])


def test_every_knob_and_every_action_is_in_the_map():
    said = subprocess.run([simphone.program(), "--help"], capture_output=True, text=True, check=True).stdout
    keys = set(re.findall(r"^  ([a-z0-9_]+) +\S", said, re.MULTILINE))
    assert len(keys) > 100
    turned = set().union(*(row.keys for row in ROWS))
    assert turned <= keys
    assert keys - turned == set(NO_FAULTS), "a knob is neither in the map nor excused, or excused without need"
    source = (TREE / "tests/simphone/fault.c").read_text(encoding="utf-8")
    actions = set(re.findall(r'\[FAULT_\w+\] = "(\w+)"', source))
    assert len(actions) >= 10
    assert set().union(*(row.actions for row in ROWS)) == actions
    conversations = {text.split()[0] for row in ROWS for text in row.fault_texts}
    assert conversations >= {"lockdown", "restored", "asr", "fdr", "data", "mux", "normal", "recovery", "dfu"}


def test_the_map_has_no_stranger():
    """Every row has its section and no section is without a row."""
    assert GOLDEN.names() == [row.name for row in ROWS]
    assert len({row.name for row in ROWS}) == len(ROWS)
