# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks of a computer, made by tools that nobody here wrote: NTFS by mkntfs and libntfs-3g, ext4 by mke2fs and debugfs.
What no tool makes (BitLocker, LUKS, APFS) is the signature that its own documents give, as a disk shows it."""

import datetime
import hashlib
import pathlib
import plistlib
import struct
import subprocess
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
MIB = 1 << 20
BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
BUID = "30142955-444094379208051516"


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True, **more).stdout


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Records:
    """Pairing records as iTunes and usbmuxd keep them. One key for all: making one takes long."""

    def __init__(self, made=datetime.datetime(2025, 6, 1)):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                     serialization.NoEncryption())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                       .serial_number(1).not_valid_before(made)
                       .not_valid_after(made + datetime.timedelta(days=3650)).sign(key, hashes.SHA256()))
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)

    def good(self, **changes):
        record = {"DeviceCertificate": self.certificate, "HostCertificate": self.certificate,
                  "RootCertificate": self.certificate, "HostPrivateKey": self.key, "RootPrivateKey": self.key,
                  "HostID": str(uuid.uuid4()).upper(), "SystemBUID": BUID, "EscrowBag": b"\1" * 32,
                  "WiFiMACAddress": "a4:83:e7:00:00:01"}
        record.update(changes)
        return plistlib.dumps({key: value for key, value in record.items() if value is not None})

    @staticmethod
    def configuration():
        return plistlib.dumps({"SystemBUID": BUID})


class Workshop:
    """Makes images in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.filler = folder / "ntfs_fill"
        run("gcc", "-D_GNU_SOURCE", "-o", self.filler, TREE / "tests/story/ntfs_fill.c", "-lntfs-3g")

    def blank(self, name, mib):
        path = self.folder / name
        with open(path, "wb") as file:
            file.truncate(mib * MIB)
        return path

    def _sources(self, files):
        """Contents as files of the host, for tools that copy from there."""
        for number, (path, content) in enumerate(files.items()):
            if content is None:
                yield path + "/", None
                continue
            source = self.folder / f"source-{number}"
            source.write_bytes(content)
            yield path, source

    def ntfs(self, name, files, *, label="Windows", dirty=False, mib=24):
        """files: path → bytes, None for an empty folder."""
        path = self.blank(name, mib)
        run("mkntfs", "-q", "-F", "-L", label, path)
        words = [place if source is None else f"{place}={source}" for place, source in self._sources(files)]
        if words or dirty:
            run(self.filler, path, *(["--dirty"] if dirty else []), *words)
        return path

    def ntfs_names(self, path, folder):
        return sorted(run(self.filler, path, "--list", folder).split("\n")[:-1])

    def ntfs_bytes(self, path, file):
        return subprocess.run([self.filler, path, "--cat", file], check=True, capture_output=True).stdout

    def ext4(self, name, files, *, label="root", recover=False, mib=24, kind="ext4"):
        path = self.blank(name, mib)
        root = self.folder / f"{name}.root"
        for place, content in files.items():
            target = root / place
            (target if content is None else target.parent).mkdir(parents=True, exist_ok=True)
            if content is not None:
                target.write_bytes(content)
        root.mkdir(exist_ok=True)
        run(f"mkfs.{kind}", "-q", "-F", "-L", label, "-d", root, path)
        if recover:  # as after a power failure: a journal that holds something
            run("debugfs", "-w", "-f", "-", path, input="feature needs_recovery\nquit\n")
        return path

    def ext4_names(self, path, folder):
        lines = run("debugfs", "-R", f"ls -p /{folder}", path).splitlines()
        names = [line.split("/")[5] for line in lines if line.count("/") >= 6]
        return sorted(name for name in names if name not in (".", ".."))

    def ext4_bytes(self, path, file):
        return subprocess.run(["debugfs", "-R", f"cat /{file}", path], check=True, capture_output=True).stdout

    @staticmethod
    def check_ext4(path):
        """e2fsck must find nothing to do."""
        run("e2fsck", "-f", "-n", path)

    def bitlocker(self, name):
        path = self.blank(name, 8)
        boot = bytearray(512)
        boot[:11] = b"\xeb\x58\x90-FVE-FS-"
        struct.pack_into("<Q", boot, 176, 0x1000)
        block = b"-FVE-FS-" + struct.pack("<HH", 64, 2)
        self._write(path, {0: boot, 0x1000: block.ljust(512, b"\0")})
        return path

    def luks(self, name):
        path = self.blank(name, 8)
        head = b"LUKS\xba\xbe" + struct.pack(">H", 1)
        self._write(path, {0: head.ljust(168, b"\0") + str(uuid.uuid4()).encode()})
        return path

    def apfs(self, name):
        """The container's superblock, with Fletcher's sum over it as Apple's reference tells."""
        path = self.blank(name, 8)
        block = bytearray(4096)
        struct.pack_into("<QQHHHH4sIQ", block, 8, 1, 1, 1, 0x8000, 0, 0, b"NXSB", 4096, 2048)
        block[72:88] = uuid.uuid4().bytes
        first = second = 0
        for (word,) in struct.iter_unpack("<I", block[8:]):
            first = (first + word) % 0xffffffff
            second = (second + first) % 0xffffffff
        low = 0xffffffff - (first + second) % 0xffffffff
        high = 0xffffffff - (first + low) % 0xffffffff
        struct.pack_into("<II", block, 0, low, high)
        self._write(path, {0: block})
        return path

    def fat(self, name):
        path = self.blank(name, 34)
        run("mkfs.vfat", "-n", "EFI", path)
        return path

    def disk(self, name, volumes):
        """A GPT disk with these images as its partitions. part() takes them out again."""
        path = self.blank(name, 2 + sum(volume.stat().st_size // MIB for volume in volumes))
        lines, start = ["label: gpt"], 1
        for volume in volumes:
            lines.append(f"start={start}MiB, size={volume.stat().st_size // MIB}MiB, type={BASIC_DATA}")
            start += volume.stat().st_size // MIB
        run("sfdisk", "--quiet", path, input="\n".join(lines))
        start = 1
        for volume in volumes:
            self._write(path, {start * MIB: volume.read_bytes()})
            start += volume.stat().st_size // MIB
        return path

    def part(self, disk, number, sizes):
        """Partition `number` (from 0) of a disk() whose partitions have these sizes, as an image of its own."""
        path = self.folder / f"{disk.stem}-{number}.part"
        with open(disk, "rb") as file:
            file.seek((1 + sum(sizes[:number]) // MIB) * MIB)
            path.write_bytes(file.read(sizes[number]))
        return path

    @staticmethod
    def _write(path, parts):
        with open(path, "r+b") as file:
            for offset, content in parts.items():
                file.seek(offset)
                file.write(content)
