# SPDX-License-Identifier: GPL-3.0-or-later
"""Sticks as files, in all states that a person's stick may be in, and the judges of what becomes of them: sfdisk,
blkid, fsck.exfat. The boot partitions hold noise instead of a system: nobody may change a byte of it."""

import hashlib
import json
import os
import pathlib
import random
import subprocess

from host_disks import MIB, TREE, run
from worker_bed import PROGRAM, WorkerRun

SECTOR = 512
DATA_START = 2097152
ESP_SECTORS = 4096
BOOT_SECTORS = 4096 + ESP_SECTORS  # everything in front of the room behind the boot partitions
BOOT_CODE = 446
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
FROM_STICK = "quiet console=tty1 idevicerescue.medium=hd0,gpt2 loglevel=3\n"


def layout():
    """rescue/layout, as scripts/image-medium hands it to sfdisk."""
    lines = (TREE / "rescue/layout").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")).replace("@ESP_SECTORS@", str(ESP_SECTORS))


def contents(path):
    """(offset, bytes) of what is no hole, in blocks that begin at whole multiples of 64 KiB."""
    block, at = 1 << 16, 0
    with open(path, "rb") as file:
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA) // block * block
            except OSError:
                return
            file.seek(at)
            yield at, file.read(block)
            at += block


class Stick:
    """NAME.img in the bed's folder: sparse, so that gigabytes cost nothing."""

    def __init__(self, bed, name):
        self.path = bed.folder / f"{name}.img"

    def create(self, gib, *, table=True):
        """The image is written first, then the stick is larger than it: the backup table lies in the middle."""
        sectors = BOOT_SECTORS + 2048
        with open(self.path, "wb") as file:
            file.truncate(sectors * SECTOR)
        if table:
            run("sfdisk", "--quiet", self.path, input=layout())
        noise = random.Random(4711)
        self.write(0, noise.randbytes(440))  # boot code
        self.write(2048 * SECTOR, noise.randbytes((BOOT_SECTORS - 2048) * SECTOR))
        self.truncate(max(int(gib * 1024) * MIB, sectors * SECTOR))
        return self

    def truncate(self, size):
        with open(self.path, "r+b") as file:
            file.truncate(size)

    def write(self, offset, content):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(content)

    def read(self, offset, size):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def sectors(self):
        return self.path.stat().st_size // SECTOR

    def append(self, line):
        run("sfdisk", "--quiet", "--relocate", "gpt-bak-std", self.path)
        run("sfdisk", "--quiet", "--append", "--wipe", "never", self.path, input=line + "\n")

    def format(self, start, size, *words):
        """A file system by its own tool, laid into the stick at that sector."""
        part = self.path.with_suffix(".part")
        with open(part, "wb") as file:
            file.truncate(size * SECTOR)
        run(*words, part)
        self.paste(start * SECTOR, part)
        part.unlink()

    def paste(self, offset, source):
        """Only what is no hole."""
        for at, content in contents(source):
            self.write(offset + at, content)

    def copy(self, target):
        subprocess.run(["cp", "--sparse=always", self.path, target.path], check=True)
        return target

    def digest(self):
        """Of all that is not zero, and where it lies."""
        found = hashlib.sha256(str(self.path.stat().st_size).encode())
        for at, content in contents(self.path):
            if content.strip(b"\0"):
                found.update(str(at).encode() + content)
        return found.hexdigest()

    def boot_bytes(self):
        """Boot code and boot partitions."""
        partitions = self.read(2048 * SECTOR, (BOOT_SECTORS - 2048) * SECTOR)
        return hashlib.sha256(self.read(0, BOOT_CODE) + partitions).hexdigest()

    def partitions(self):
        return json.loads(run("sfdisk", "--json", self.path))["partitiontable"]["partitions"]

    def volume(self):
        """A copy of the data partition, with its holes."""
        part = self.path.with_suffix(".volume")
        [found] = [entry for entry in self.partitions() if entry.get("name") == "RESCUEDATA"]
        first, size = found["start"] * SECTOR, found["size"] * SECTOR
        with open(part, "wb") as file:
            file.truncate(size)
            for at, content in contents(self.path):
                if first <= at < first + size:
                    file.seek(at - first)
                    file.write(content[:first + size - at])
        return part

    def check(self):
        """What the unmodified programs say of a stick with a data partition."""
        assert "No errors detected" in run("sfdisk", "--verify", self.path)
        first, second, third = self.partitions()
        assert (first["name"], second["name"], third["name"]) == ("RESCUEBIOS", "RESCUEBOOT", "RESCUEDATA")
        assert (first["start"], second["start"]) == (2048, 4096)
        assert third["start"] == DATA_START and third["type"] == BASIC_DATA
        part = self.volume()
        told = run("blkid", "-p", "-o", "export", part)
        assert "LABEL=RESCUEDATA" in told and "TYPE=exfat" in told
        assert "clean" in run("fsck.exfat", "-n", part)
        part.unlink()
        return third


class StickBed:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.note = self.folder / "data.json"
        self.cmdline = self.folder / "cmdline"
        self.menu(FROM_STICK)

    def menu(self, words):
        self.cmdline.write_text(words)

    def stick(self, name="stick"):
        return Stick(self, name)

    def environment(self):
        return {**os.environ, "IDEVICERESCUE_DISKS": str(self.folder), "IDEVICERESCUE_CMDLINE": str(self.cmdline)}

    def start(self):
        """One start of the machine: the result, which must be what the note says."""
        with WorkerRun("data", self.environment(), note=str(self.note)) as worker:
            result = worker.result(60)
        note = json.loads(self.note.read_text())
        assert note.pop("v") == 1
        assert note == {key: value for key, value in result.items() if key not in ("ok", "error")}
        assert note["text"] and "{" not in note["text"]
        return result

    def start_traced(self, *words):
        """One start under strace with these words (what it injects), which may not end well. Returns the result line,
        None without one, and strace's lines about the disk."""
        log = self.folder / "strace.log"
        request = {"v": 1, "type": "request", "kind": "data", "note": str(self.note)}
        environment = {**self.environment(), "ASAN_OPTIONS": "detect_leaks=0"}  # it wants to trace by itself
        done = subprocess.run(["strace", "-qq", "-y", "-o", log, "-e", "trace=openat,pwrite64,fsync", *words, PROGRAM,
                               "data"], input=json.dumps(request) + "\n", text=True, capture_output=True, timeout=60,
                              env=environment, check=False)
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
        result = json.loads(done.stdout) if done.stdout else None
        return result, [line for line in log.read_text(errors="replace").splitlines() if ".img" in line]
