# SPDX-License-Identifier: GPL-3.0-or-later
"""`hints` without a service: for people and for programs, by finding, by place, and all."""
import json
import subprocess
from pathlib import Path

import pytest
from native_service import BUILD

FACTS = Path(__file__).resolve().parents[2] / "src" / "facts"
RUNGS = ("link", "trust", "restart", "computer", "backup", "recovery", "update", "erase", "prove",
         "prevention")


def run(*arguments):
    return subprocess.run([BUILD / "idevicerescue", "hints", *arguments], capture_output=True,
                          text=True, check=False, timeout=30)


def hints(*arguments):
    done = run(*arguments, "--json")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 1, done
    return json.loads(lines[0])["hints"]


def rows(table):
    lines = (FACTS / f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")][1:]


def test_all_in_ladder_order():
    every = hints()
    assert sorted(h["id"] for h in every) == sorted(row[0] for row in rows("hints"))
    places = [RUNGS.index(h["rung"]) for h in every]
    assert places == sorted(places)
    assert all(h["text"] and h["keeps"] and h["loses"] for h in every)


def test_every_finding_has_hints_of_its_own():
    every = hints()
    for finding in (row[0] for row in rows("findings")):
        assert any(finding in h["findings"] for h in every), finding


@pytest.mark.parametrize("finding", ["trust-stale", "forgotten-passcode", "host-works-here"])
def test_a_finding(finding):
    assert hints(finding) == [h for h in hints() if finding in h["findings"]]


def test_what_erases_comes_last_and_says_so():
    ladder = hints("forgotten-passcode")
    erases = [n for n, h in enumerate(ladder) if h["rung"] == "erase"]
    assert erases and erases[0] > 0
    assert all("erased for good" in ladder[n]["loses"] for n in erases)
    assert "backup" in [h["rung"] for h in ladder[: erases[0]]]
    assert not any(h["rung"] == "erase" for h in hints("trust-stale"))


@pytest.mark.parametrize("place", ["windows", "macos", "linux"])
def test_a_place(place):
    found = hints(place)
    assert len(found) >= 3
    assert {h["system"] for h in found} == {place}


def test_for_people():
    done = run("trust-stale")
    assert done.returncode == 0
    assert "What helps against" in done.stdout and "(trust-stale)" in done.stdout
    assert "Reset Location & Privacy" in done.stdout
    assert "before iOS 15: Settings > General > Reset" in done.stdout
    assert "{" not in done.stdout


@pytest.mark.parametrize("word", ["no-such-finding", "", "-", "\x1b[31m", "x" * 100])
def test_a_word_that_is_none(word):
    done = run("--", word)
    assert (done.returncode, done.stdout) == (2, "")
    assert "neither a finding nor a place" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_word_of_any_length():
    done = run("x" * 100000)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr) < 2000
