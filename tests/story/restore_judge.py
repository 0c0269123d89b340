# SPDX-License-Identifier: GPL-3.0-or-later
"""The unmodified idevicerestore before a simulated phone, natively: what it is given, and what it said.

    with Restore(folder, ipsw, apple, product="iPhone14,5", mode="dfu") as restore:
        done = restore.run(erase=True)
        assert done.finished
"""

import dataclasses
import pathlib
import plistlib
import subprocess
import time
import zipfile

from simphone import SimPhone

__all__ = ["FAILED", "FAST", "FINISHED", "MIB", "PHONE", "PHONES", "Done", "Restore", "manifest_rewritten"]

PHONES = {  # product: the version that its IPSW brings
    "iPhone8,1": ("15.8.4", "19H390"),
    "iPhone10,6": ("16.7.11", "20H360"),
    "iPhone14,5": ("18.2", "22C152"),
    "iPhone18,3": ("26.1", "23B85"),
    "iPad12,1": ("17.7.1", "21H216"),
}
PHONE = "iPhone14,5"
MIB = 1 << 20

# A phone in a hurry. Gaps off the bus stay at a second: see PHONE_GAP_FLOOR_MS in tests/simphone/phone.h.
FAST = {"time_scale_percent": 2}
FINISHED = "Status: Restore Finished"
SMALL_CACHE = 'mount -t tmpfs -o "size=$1" none "$0" && shift && exec "$@"'
FAILED = "Unable to successfully restore device"


@dataclasses.dataclass
class Done:
    """What came of one run. out: stdout; log: what went to the log file (and stderr)."""
    status: int
    out: str
    log: str
    seconds: float

    @property
    def finished(self):
        """The only proof of success, see idevicerestore's exit code 0 after failures."""
        return self.status == 0 and FINISHED in self.out and FAILED not in self.out

    def tail(self, lines=30):
        return "\n".join([f"exit {self.status} after {self.seconds:.1f} s", *self.log.splitlines()[-lines:]])


def manifest_rewritten(path, rewrite):
    """Lets rewrite(manifest) change the IPSW's BuildManifest; every other member stays as it is."""
    other = path.with_suffix(".other")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == "BuildManifest.plist":
                manifest = plistlib.loads(data)
                rewrite(manifest)
                data = plistlib.dumps(manifest)
            new.writestr(member, data)
    other.replace(path)


class Restore(SimPhone):
    """A phone on both native doors, and the engine for it."""

    def __init__(self, folder, ipsw, apple, *, product, mode="normal", truth=None, **settings):
        """truth: the file the phone compares with, if not the one the engine gets."""
        super().__init__(folder, usbmuxd=True, libusb=True, model=product, mode=mode, ipsw=truth or ipsw,
                         **{**FAST, **settings})
        self.ipsw, self.apple = ipsw, apple

    def pair(self, limit=30):
        """The person trusts this host, which then holds a record: only trusted hosts read nonces."""
        self.control("set trust_after_ms 1")
        end = time.monotonic() + limit
        while True:
            done = super().run("idevicepair", "pair")
            if done.returncode == 0:
                return
            assert time.monotonic() < end, f"no trust: {done.stdout}{done.stderr}"
            time.sleep(0.05)

    def engine(self, *, erase=True, variant=None, arguments=(), server=None, ipsw=None, cache_bytes=None):
        """The engine, running. cache_bytes: its cache stands on a file system of that size."""
        command = ["idevicerestore", "-i", self.state()["ecid"], "-y", "-P", "-d",
                   f"--logfile={self.folder / 'engine.log'}", "-C", str(self.folder / "cache"),
                   "-s", server or self.apple.tss_server]
        if erase:
            command.append("-e")
        if variant:
            command += ["--variant", variant]
        if cache_bytes:
            (self.folder / "cache").mkdir()
            command = ["unshare", "--map-root-user", "--mount", "sh", "-c", SMALL_CACHE, str(self.folder / "cache"),
                       str(cache_bytes), *command]
        out = open(self.folder / "engine.out", "wb")
        with out:
            return subprocess.Popen([*command, *arguments, str(ipsw or self.ipsw)], stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=subprocess.STDOUT, cwd=self.folder, env=self.engine_env())

    def engine_env(self):
        return {**self.env(), "TMPDIR": str(self.folder)}

    def run(self, *, limit=60, **how):
        """Runs the engine to its end. AssertionError if it does not come to one in @limit seconds."""
        began = time.monotonic()
        process = self.engine(**how)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"no end after {limit} s\n{self.done(-9, began).tail()}") from None
        return self.done(status, began)

    def done(self, status, began):
        texts = [pathlib.Path(self.folder / name).read_text(encoding="utf-8", errors="replace")
                 if (self.folder / name).exists() else "" for name in ("engine.out", "engine.log")]
        return Done(status, *texts, time.monotonic() - began)
