# SPDX-License-Identifier: GPL-3.0-or-later
"""`firmware info` and `firmware check` as a person and a program meet them: the program itself, without a service."""

import contextlib
import hashlib
import json
import os
import pty
import subprocess
import zipfile

import pytest

from firmware_bed import BASE, BOARD, BUILD, MIB, PRODUCT, PROGRAM, VERSION, World, make_ipsw
from firmware_real import MANIFESTS, load, needs_data, pack
from restore_judge import manifest_rewritten

RESCUE = PROGRAM.parent / "idevicerescue"
LIMIT_S = 120


@pytest.fixture(scope="module")
def world():
    with World.running() as made:
        yield made


def run(*words, hooks=None, worker=PROGRAM):
    environment = {key: value for key, value in os.environ.items() if key != "CREDENTIALS_DIRECTORY"}
    if hooks:
        environment["CREDENTIALS_DIRECTORY"] = str(hooks)
    return subprocess.run([str(RESCUE), "firmware", *map(str, words), "--worker", str(worker)], env=environment,
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)


def told(*words, **how):
    """The result's line."""
    done = run(*words, "--json", **how)
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["type"] == "result" and line["exit"] == done.returncode, done
    return line


def lines(done):
    return [line.strip() for line in done.stdout.splitlines()]


def all_shown(terminal):
    """What comes until nobody has the terminal's other end any more."""
    data = b""
    with contextlib.suppress(OSError):  # EIO is its end
        while more := os.read(terminal, 1 << 16):
            data += more
    return data.decode()


def test_who_sits_at_a_terminal_sees_how_far_it_is(world):
    """On standard error, and gone at the end; without a terminal nothing of it."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(["timeout", str(LIMIT_S), str(RESCUE), "firmware", "check", str(world.path), "--worker",
                           str(PROGRAM)], stdout=subprocess.PIPE, stderr=theirs) as program:
        os.close(theirs)
        shown = all_shown(ours)
        told = program.stdout.read()
    os.close(ours)
    assert program.returncode == 0 and b"Reading" not in told
    assert "Reading the whole file: " in shown and shown.endswith("\r\x1b[K")
    done = run("check", world.path)
    assert done.returncode == 0 and "Reading" not in done.stdout + done.stderr


def known_to(folder, firmware):
    """A worker whose catalogue knows one firmware; all else is the real one's."""
    path = folder / "worker"
    answer = json.dumps({"v": 1, "type": "result", "ok": True, "firmware": firmware})
    path.write_text(f"#!/bin/sh\n[ $1 = catalogue ] || exec '{PROGRAM}' \"$@\"\nread line\n"
                    f"case $line in *'\"offline\":true'*) echo '{answer}' ;; esac\n")
    path.chmod(0o755)
    return path


def test_info_tells_sizes_and_room(world):
    done = run("info", world.path)
    assert done.returncode == 0
    text = " ".join(lines(done))
    assert f"iOS {VERSION}, build {BUILD}" in text and "of it the system image" in text
    assert "MB the file" in text and "to download" not in text  # it is here
    result = told("info", world.path)
    assert result["room_bytes"] > result["firmware"]["size"] and "proof" not in result
    assert [one["board"] for one in result["boards"]] == [BOARD]


def test_a_deflated_system_needs_more_room(folder):
    stored = make_ipsw(folder / "a.ipsw", image_bytes=32 * MIB)
    packed = make_ipsw(folder / "b.ipsw", image_bytes=32 * MIB, deflate=True)
    a, b = told("info", stored), told("info", packed)
    assert b["room_bytes"] - b["firmware"]["size"] >= a["room_bytes"] - a["firmware"]["size"] + 32 * MIB
    assert "must be unpacked first" in run("info", packed).stdout


def test_info_of_an_address(world):
    world.calm()
    there = told("info", BASE + world.file.url_path, hooks=world.hooks)
    here = told("info", world.path)
    assert there["exit"] == 0 and there["manifest_sha256"] == here["manifest_sha256"]
    for key in ("boards", "products", "room_bytes"):
        assert there[key] == here[key]
    assert BASE in run("info", BASE + world.file.url_path, hooks=world.hooks).stdout
    world.calm()


@pytest.mark.parametrize("address", ["https://evil.example/x_Restore.ipsw", "https://updates.cdn-apple.com/x.zip",
                                     "https://user@updates.cdn-apple.com/x_Restore.ipsw"])
def test_addresses_that_are_not_apples(address):
    result = told("info", address)
    assert (result["exit"], result["error"]["kind"]) == (2, "usage") and "Apple" in result["error"]["text"]


def test_an_address_that_is_not_there(world):
    result = told("info", BASE + "/none_Restore.ipsw", hooks=world.hooks)
    assert (result["exit"], result["error"]["kind"]) == (10, "network")


def test_check_of_an_address_is_a_mistake(world):
    result = told("check", BASE + world.file.url_path, hooks=world.hooks)
    assert result["exit"] == 2 and "firmware info" in result["error"]["text"]


def test_check_says_what_was_proven_and_what_not(world):
    """Without a checksum in the catalogue, all that the file says about itself."""
    done = run("check", world.path)
    text = " ".join(lines(done))
    assert done.returncode == 0, done
    with zipfile.ZipFile(world.path) as archive:
        count = len(archive.namelist())
    assert f"The directory ({count} parts) and the lists are whole." in text
    assert f"All {count} parts were read" in text and "are those that its build manifest vouches for" in text
    for words in ("Not proven", "the catalogue of this program has no checksum", "OS", "BasebandFirmware",
                  "Apple is asked before a phone is touched"):
        assert words in text, words
    proof = told("check", world.path)["proof"]
    assert (proof["level"], proof["crc"], "hash" in proof) == (3, count, False)


def test_check_compares_with_the_catalogue(world, folder):
    content = world.path.read_bytes()
    right = {"product": PRODUCT, "version": VERSION, "build": BUILD, "sha1": hashlib.sha1(content).hexdigest(),
             "sha256": hashlib.sha256(content).hexdigest()}
    worker = known_to(folder, right)
    result = told("check", world.path, worker=worker)
    assert result["exit"] == 0 and result["proof"]["hash"] is True and result["firmware"]["verified"] is True
    assert result["firmware"]["sha256"] == right["sha256"]
    text = " ".join(lines(run("check", world.path, worker=worker)))
    assert "Byte for byte it is the file that the catalogue knows." in text and "no checksum" not in text
    result = told("check", world.path, worker=known_to(folder, {**right, "sha1": "0" * 40}))
    assert (result["exit"], result["error"]["kind"]) == (7, "bad-file") and "another one" in result["error"]["text"]
    other = known_to(folder, {**right, "build": "22C999", "sha1": "0" * 40})
    assert told("check", world.path, worker=other)["exit"] == 0  # of another build nothing is known


def test_nothing_is_proven_that_the_worker_does_not_say(world, folder):
    """A worker that answers the check as if it had only been asked what the file holds."""
    path = folder / "worker"
    path.write_text(f"#!/bin/sh\nread line\necho \"$line\" | sed 's/,\"level\":3//' | '{PROGRAM}' \"$@\"\n")
    path.chmod(0o755)
    for arguments in ([], ["--json"]):
        done = run("check", world.path, *arguments, worker=path)
        assert done.returncode == 70 and "Proven" not in done.stdout and "whole" not in done.stdout, done


@pytest.mark.parametrize("damage, words", [("crc:OS", "damaged"), ("digest:iBoot", "vouches"), ("missing:SEP", "lacks"),
                                           ("truncate", "not whole")])
def test_check_of_damaged_files(folder, damage, words):
    path = make_ipsw(folder / "x.ipsw", image_bytes=MIB, damage=(damage,))
    for arguments in ([], ["--board", BOARD]):
        result = told("check", path, *arguments)
        assert (result["exit"], result["error"]["kind"]) == (7, "bad-file") and words in result["error"]["text"]
        assert "proof" not in result
    done = run("check", path)
    assert done.returncode == 7 and words in done.stderr and not done.stdout


def test_check_for_a_board(world):
    text = " ".join(lines(run("check", world.path, "--board", BOARD)))
    assert "every part that iPhone 13 (board d17ap) needs" in text
    assert told("check", world.path, "--board", "d16ap")["exit"] == 7


def test_a_file_for_boards_that_nobody_knows(folder):
    path = make_ipsw(folder / "x.ipsw", image_bytes=MIB)
    manifest_rewritten(path, lambda manifest: manifest.update(SupportedProductTypes=["iPhone99,9"]))
    done = run("check", path)
    assert done.returncode == 0 and "none that this program knows" in " ".join(lines(done)), done


@needs_data
@pytest.mark.parametrize("source", MANIFESTS, ids=[path.stem for path in MANIFESTS])
def test_info_reads_every_real_list(folder, source):
    manifest = load(source)
    result = told("info", pack(folder / "x.ipsw", source))
    assert result["exit"] == 0 and result["products"] == manifest["SupportedProductTypes"]
    assert (result["firmware"]["version"], result["firmware"]["build"]) == (manifest["ProductVersion"],
                                                                            manifest["ProductBuildVersion"])
    assert {one["product"] for one in result["boards"]} == set(manifest["SupportedProductTypes"])
    if not source.stem.startswith("OTA"):
        assert all(len(one["variants"]) == 2 for one in result["boards"]), result["boards"]
