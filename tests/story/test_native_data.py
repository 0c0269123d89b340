# SPDX-License-Identifier: GPL-3.0-or-later
"""The data partition of the stick: made once, adopted ever after, never on anything that is not ours, and never so that
a stick does not start any more, wherever the power fails. The machine's own stick, as a disk: test_image_data.py."""

import json
import os
import random
import re
import subprocess

import pytest

from stick_bed import BASIC_DATA, DATA_START, ESP_SECTORS, FROM_STICK, SECTOR, StickBed
from worker_bed import WorkerRun


@pytest.fixture
def bed(tmp_path):
    return StickBed(tmp_path)


def kept(bed, stick, state):
    """One start that must not write a byte."""
    before, changed = stick.digest(), stick.path.stat().st_mtime_ns
    result = bed.start()
    assert result["ok"] is True and result["state"] == state, result
    assert stick.digest() == before and stick.path.stat().st_mtime_ns == changed
    return result


def made(bed, stick, state="made"):
    boot = stick.boot_bytes()
    result = bed.start()
    assert result["ok"] is True and result["state"] == state, result
    assert stick.boot_bytes() == boot
    entry = stick.check()
    assert result["bytes"] == entry["size"] * SECTOR
    return entry


@pytest.mark.parametrize("gib", [2.25, 8, 29.8])
def test_a_fresh_stick_gets_one_in_its_full_size_once(bed, gib):
    stick = bed.stick().create(gib)
    stick.write(DATA_START * SECTOR, random.Random(1).randbytes(4 << 20))  # what a used stick holds there
    entry = made(bed, stick)
    assert entry["start"] + entry["size"] > stick.sectors() - 2048 - 34
    assert kept(bed, stick, "adopted")["bytes"] == entry["size"] * SECTOR


def test_terabytes_are_made_quickly(bed):
    stick = bed.stick().create(2000)
    entry = made(bed, stick)
    assert entry["size"] * SECTOR > 1998 << 30
    assert stick.path.stat().st_blocks * 512 < 64 << 20


def test_what_is_in_it_outlives_a_newer_image(bed):
    """Writing an image over the stick takes the entry away; the volume is found at its place and not formatted."""
    stick = bed.stick().create(8)
    entry = made(bed, stick)
    mark = (entry["start"] + 40000) * SECTOR
    stick.write(mark, b"a backup that somebody needs")
    volume = stick.read(DATA_START * SECTOR, 4 << 20)
    newer = bed.folder / "newer"
    newer.mkdir()
    image = StickBed(newer).stick().create(0)
    stick.write(0, image.path.read_bytes())
    assert len(stick.partitions()) == 2
    assert made(bed, stick, "adopted")["size"] == entry["size"]
    assert stick.read(mark, 28) == b"a backup that somebody needs"
    assert stick.read(DATA_START * SECTOR, 4 << 20) == volume
    kept(bed, stick, "adopted")


def test_an_entry_whose_volume_was_never_made_is_finished(bed):
    stick = bed.stick().create(8)
    stick.append(f"start={DATA_START}, size=8388608, type={BASIC_DATA}, name=RESCUEDATA")
    assert made(bed, stick)["size"] == 8388608
    kept(bed, stick, "adopted")


def test_a_data_partition_of_other_making_is_taken_as_it_is(bed):
    stick = bed.stick().create(8)
    stick.append(f"start=4194304, size=2097152, type={BASIC_DATA}, name=RESCUEDATA")
    stick.format(4194304, 2097152, "mkfs.exfat", "-q", "-L", "RESCUEDATA")
    kept(bed, stick, "adopted")


FOREIGN = {
    "a-second-partition": (f"start=4194304, size=2097152, type={BASIC_DATA}, name=Holiday", 4194304,
                           ["mkfs.exfat", "-q", "-L", "Holiday"], "Holiday"),
    "without-a-name": (f"start=4194304, size=2097152, type={BASIC_DATA}", None, [], BASIC_DATA.lower()),
    "our-name-another-label": (f"start={DATA_START}, size=2097152, type={BASIC_DATA}, name=RESCUEDATA", DATA_START,
                               ["mkfs.exfat", "-q", "-L", "Mine"], "exfat"),
    "our-name-another-system": (f"start={DATA_START}, size=2097152, type={BASIC_DATA}, name=RESCUEDATA", DATA_START,
                                ["mkfs.ext4", "-q", "-F", "-L", "RESCUEDATA"], "ext4"),
    "our-name-another-place": (f"start=4194304, size=2097152, type={BASIC_DATA}, name=RESCUEDATA", None, [],
                               "RESCUEDATA"),
    "our-name-another-type": ("start=2097152, size=2097152, type=L, name=RESCUEDATA", None, [], "RESCUEDATA"),
    "no-entry-ext4": (None, DATA_START, ["mkfs.ext4", "-q", "-F"], "ext4"),
    "no-entry-ntfs": (None, DATA_START, ["mkntfs", "-q", "-F", "-f"], "ntfs"),
    "no-entry-other-exfat": (None, DATA_START, ["mkfs.exfat", "-q", "-L", "Photos"], "exfat"),
    "no-entry-fat": (None, DATA_START, ["mkfs.fat", "-F", "32"], "vfat"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_not_ours_is_never_touched(bed, case):
    line, start, words, told = FOREIGN[case]
    stick = bed.stick().create(8)
    if line:
        stick.append(line)
    if start:
        stick.format(start, 2097152, *words)
    assert told in kept(bed, stick, "foreign")["text"]


def test_boot_partitions_that_were_changed_are_no_stick_of_ours(bed):
    stick = bed.stick().create(8)
    run = subprocess.run(["sfdisk", "--quiet", "--part-uuid", stick.path, "2", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"])
    assert run.returncode == 0
    kept(bed, stick, "foreign")


@pytest.mark.parametrize("gib", [0, 1, 1.9])
def test_a_small_stick_says_so(bed, gib):
    kept(bed, bed.stick().create(gib), "no-room")


@pytest.mark.parametrize("words,state", [
    ("quiet", "not-our-stick"),  # network, or another boot loader
    ("quiet idevicerescue.medium=", "not-our-stick"),
    ("idevicerescue.medium=cd0", "no-gpt"),
    ("idevicerescue.medium=hd0,msdos1", "no-gpt"),  # files copied to a FAT stick
    ("idevicerescue.medium=loop", "no-gpt"),  # Ventoy
    ("idevicerescue.medium=hd0,gpt1", "no-gpt"),
    ("idevicerescue.medium=hd0,gpt22", "no-gpt"),
    (FROM_STICK.strip() + " idevicerescue.data=no", "forbidden"),
])
def test_only_what_was_started_from_a_stick_gets_one(bed, words, state):
    stick = bed.stick().create(8)
    bed.menu(words + "\n")
    assert "disk" not in kept(bed, stick, state)


def test_disks_without_our_table_are_not_even_candidates(bed):
    """MBR only, another GPT, an empty disk; and none of them beside our stick is touched."""
    mbr, gpt, empty = (bed.stick(name) for name in ("mbr", "gpt", "empty"))
    for disk in (mbr, gpt, empty):
        disk.create(8, table=False)
    subprocess.run(["sfdisk", "--quiet", mbr.path], input="label: dos\n4096,20480,c\n", text=True, check=True)
    subprocess.run(["sfdisk", "--quiet", gpt.path], input="label: gpt\n4096,20480,U\n", text=True, check=True)
    before = [disk.digest() for disk in (mbr, gpt, empty)]
    assert bed.start()["state"] == "not-our-stick"
    stick = bed.stick().create(8)
    made(bed, stick)
    assert [disk.digest() for disk in (mbr, gpt, empty)] == before


def test_of_two_sticks_none_is_touched(bed):
    first, second = bed.stick("first").create(8), bed.stick("second").create(4)
    before = second.digest()
    kept(bed, first, "several")
    assert second.digest() == before


def test_a_backup_table_of_other_times_is_no_obstacle(bed):
    """A used stick: at its end lies the backup of a table that the image has replaced at its begin."""
    stick, other = bed.stick().create(8), bed.stick("other").create(8, table=False)
    subprocess.run(["sfdisk", "--quiet", other.path], input="label: gpt\n4096,20480,U\n", text=True, check=True)
    end = (stick.sectors() - 33) * SECTOR
    stick.write(end, other.read(end, 33 * SECTOR))
    other.path.unlink()
    made(bed, stick)


# --- the power fails, the stick is pulled out, the stick is worn

WRITE = re.compile(r"pwrite64\(.*, (\d+), (\d+)\) += \d+$")


def windows_of(lines):
    """Between two syncs: the sectors that were written, in no order that anybody promises."""
    windows = [[]]
    for line in lines:
        written = WRITE.match(line)
        if written:
            size, offset = int(written[1]), int(written[2])
            windows[-1] += range(offset // SECTOR, (offset + size) // SECTOR)
        elif line.startswith("fsync("):
            windows.append([])
    assert windows.pop() == []
    return windows


def subsets_of(window, rng):
    """All of them if that is possible; else some, runs and single sectors."""
    if len(window) <= 3:
        for mask in range(1 << len(window)):
            yield [sector for bit, sector in enumerate(window) if mask >> bit & 1]
        return
    for share in (0.01, 0.5, 0.99):
        yield [sector for sector in window if rng.random() < share]
    for _ in range(20 if os.environ.get("IDR_SLOW") else 1):
        begin = rng.randrange(len(window))
        yield window[begin:begin + rng.randrange(len(window))]


def still_starts(stick, boot):
    """What firmware and GRUB need: boot code, boot partitions, one whole copy of a table that has both."""
    assert stick.boot_bytes() == boot
    first, second = stick.partitions()[:2]
    assert (first["start"], first["size"], first["uuid"][-1]) == (2048, 2048, "2")
    assert (second["start"], second["size"], second["uuid"][-1]) == (4096, ESP_SECTORS, "3")


def finishes(bed, stick):
    assert bed.start()["state"] in ("made", "adopted")
    stick.check()
    kept(bed, stick, "adopted")


def test_wherever_the_power_fails_the_stick_starts_and_is_finished_next_time(bed):
    """Of the sectors between two syncs any may have reached the stick."""
    fresh, whole = bed.stick().create(8), bed.stick("whole")
    fresh.copy(whole)
    fresh.path.rename(bed.folder / "fresh")
    result, lines = bed.start_traced()
    assert result["state"] == "made"
    whole.path.rename(bed.folder / "whole")
    fresh.path, whole.path = bed.folder / "fresh", bed.folder / "whole"
    windows, rng, boot = windows_of(lines), random.Random(11), fresh.boot_bytes()
    assert [len(window) for window in windows[1:]] == [1, 2, 3]
    assert len({sector for window in windows for sector in window}) == sum(map(len, windows))
    tried = 0
    for index, window in enumerate(windows):
        before = [sector for earlier in windows[:index] for sector in earlier]
        for some in subsets_of(window, rng):
            stick = fresh.copy(bed.stick())
            for sector in before + some:
                stick.write(sector * SECTOR, whole.read(sector * SECTOR, SECTOR))
            still_starts(stick, boot)
            finishes(bed, stick)
            tried += 1
    assert tried >= 4 + 2 + 4 + 8


def test_killed_at_each_write(bed):
    fresh = bed.stick("fresh").create(8)
    fresh.path = fresh.path.rename(bed.folder / "fresh")
    boot, number = fresh.boot_bytes(), 0
    while True:
        number += 1 if os.environ.get("IDR_SLOW") else 3
        stick = fresh.copy(bed.stick())
        result, lines = bed.start_traced("-e", f"inject=pwrite64:signal=SIGKILL:when={number}")
        if result:
            break
        still_starts(stick, boot)
        finishes(bed, stick)
    assert number > 10 and result["state"] == "made" and len(lines) > 8


@pytest.mark.parametrize("call", ["pwrite64:error=ENOSPC:when=1", "pwrite64:error=EIO:when=4",
                                  "pwrite64:error=ENXIO:when=8", "pwrite64:error=EIO:when=10",
                                  "fsync:error=EIO:when=2"])
def test_a_stick_that_fails_or_is_pulled_out_is_told_of(bed, call):
    stick = bed.stick().create(8)
    boot = stick.boot_bytes()
    result, _ = bed.start_traced("-e", f"inject={call}")
    assert result["ok"] is False and result["state"] == "failed" and result["error"]["kind"] == "refused", result
    assert "cannot be written" in result["text"] and json.loads(bed.note.read_text())["text"] == result["text"]
    still_starts(stick, boot)
    finishes(bed, stick)


def test_a_stick_that_only_pretends_to_write_is_found_out(bed):
    bed.stick().create(8)
    result, lines = bed.start_traced("-e", "inject=pwrite64:retval=1536:when=10")
    assert any("1536, 0) = 1536 (INJECTED)" in line for line in lines), lines
    assert result["state"] == "failed" and "does not keep what is written" in result["text"], result


def test_a_stick_with_its_switch_on_is_left_alone(bed):
    stick = bed.stick().create(8)
    before = stick.digest()
    result, lines = bed.start_traced("-P", str(stick.path), "-e", "inject=openat:error=EROFS:when=3")
    assert "O_RDWR" in [line for line in lines if "openat(" in line][-1], lines
    assert result["ok"] is True and result["state"] == "protected" and stick.digest() == before, result


def test_a_request_is_checked(bed):
    for fields in ({}, {"note": "data.json"}, {"note": 5}, {"note": "/x", "disk": "/dev/sda"}):
        with WorkerRun("data", bed.environment(), **fields) as worker:
            result = worker.result()
        assert result["ok"] is False and result["error"]["kind"] == "usage", result
