# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that the pretended servers know: registered IPSWs, read by their BuildManifest.

A file that is no IPSW can be registered too: it is served, and appears in no catalogue.
"""
import functools
import hashlib
import plistlib
import threading
import uuid
import zipfile
from pathlib import Path

MANIFEST = "BuildManifest.plist"
MANIFEST_LIMIT = 16 << 20
CHUNK = 1 << 20


def number_of(value):
    """Manifests write numbers as integers or as "0x8101"."""
    return int(value, 0) if isinstance(value, str) else value


class Identity:
    """One BuildIdentity: for which board and variant, and the digests that may be signed."""

    def __init__(self, values):
        info = values.get("Info", {})
        self.unique_id = bytes(values.get("UniqueBuildID", b""))
        self.chip, self.board = (number_of(values.get(k, 0)) for k in ("ApChipID", "ApBoardID"))
        self.board_name = info.get("DeviceClass", "")
        self.variant = info.get("Variant", "")
        self.product = values.get("Ap,ProductType")
        self.digests = {name: bytes(entry["Digest"])
                        for name, entry in values.get("Manifest", {}).items() if "Digest" in entry}


class File:
    """A registered file. `signed` is what catalogues say of it, not what the TSS does."""

    def __init__(self, path, name=None, signed=True, released="2026-08-17"):
        self.path = Path(path).resolve()
        self.signed, self.released = signed, released
        self.version = self.build = None
        self.products, self.identities = [], []
        if zipfile.is_zipfile(self.path):
            self._read_manifest()
        self.name = name or (self._apple_name() if self.build else self.path.name)
        folder = str(uuid.uuid5(uuid.NAMESPACE_URL, self.name)).upper()
        self.url_path = f"/2026SummerFCS/fullrestores/140-00001/{folder}/{self.name}"

    def _read_manifest(self):
        with zipfile.ZipFile(self.path) as archive:
            if MANIFEST not in archive.namelist():
                return
            with archive.open(MANIFEST) as member:
                manifest = plistlib.loads(member.read(MANIFEST_LIMIT))
        self.version = manifest.get("ProductVersion", "")
        self.build = manifest.get("ProductBuildVersion", "")
        self.products = list(manifest.get("SupportedProductTypes", []))
        self.identities = [Identity(one) for one in manifest.get("BuildIdentities", [])]

    def _apple_name(self):
        return f"{','.join(self.products)}_{self.version}_{self.build}_Restore.ipsw"

    @property
    def size(self):
        return self.path.stat().st_size

    @property
    def etag(self):
        """Changes when the file does, as on a real server."""
        stat = self.path.stat()
        return f'"{hashlib.md5(self.name.encode()).hexdigest()}:{stat.st_mtime_ns // 1000}"'

    @functools.cached_property
    def hashes(self):
        """{md5, sha1, sha256} of the file as it was when first asked for (reads all of it)."""
        found = {name: hashlib.new(name) for name in ("md5", "sha1", "sha256")}
        with open(self.path, "rb") as file:
            while chunk := file.read(CHUNK):
                for one in found.values():
                    one.update(chunk)
        return {name: one.hexdigest() for name, one in found.items()}

    def boards_of(self, product):
        """[(board, chip, board id)] of a product; of the whole file where it does not say which."""
        known = [one for one in self.identities if one.product == product]
        found = {(one.board_name.lower(), one.chip, one.board) for one in known or self.identities}
        return sorted(found)

    def describe(self):
        return {"path": str(self.path), "name": self.name, "url_path": self.url_path,
                "size": self.size, "version": self.version, "build": self.build,
                "products": self.products, "signed": self.signed}


class Registry:
    """All registered files. Shared by the services; every method takes the lock."""

    def __init__(self):
        self._files = []
        self._lock = threading.Lock()

    def add(self, path, **how):
        """Registers a file; the same URL path again replaces what was there."""
        file = File(path, **how)
        with self._lock:
            self._files = [one for one in self._files if one.url_path != file.url_path]
            self._files.append(file)
        return file

    def files(self):
        with self._lock:
            return list(self._files)

    def firmwares(self):
        return [one for one in self.files() if one.build]

    def at(self, url_path):
        return next((one for one in self.files() if one.url_path == url_path), None)

    def identities_of(self, unique_id):
        """[(file, identity)] with this UniqueBuildID."""
        return [(file, identity) for file in self.firmwares() for identity in file.identities
                if identity.unique_id == unique_id]
