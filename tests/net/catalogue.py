# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretended catalogues, generated from the registered IPSWs.

    /v4/devices, /v4/device/<product>, /v4/ipsw/<version>, /v4/ipsw/<product>/<build>   api.ipsw.me
    /version, /check/version                                  s.mzstatic.com, itunes.apple.com
    /device/<product>.json, /device/main.json, /ios/index.json, /ios/<osStr>;<build>.json  appledb
    /v2/pmv                                     gdmf.apple.com (a service of its own: Apple's root)

Shapes follow saved replies of these servers. `base` is what URLs of firmware begin with. A rule may
name the source it is for: where={"source": "ipswme" | "apple" | "appledb" | "gdmf"}.
"""
import hashlib
import json
import plistlib
import re

from web import Service

KNOWN = {
    "truncated": {"keep": 0.5},  # well-formed HTTP, half a document
    "null": {},  # the JSON value null
    "invalid": {},  # no JSON, no property list
    "other_device": {"product": "iPhone99,9"},  # answers for another product
    "hostile_url": {"url": "https://evil.example/x_Restore.ipsw"},
    "hostile_size": {"size": 1 << 62},
    "hostile_hash": {"hash": "0" * 40},
    "unsigned": {},  # says that nothing is signed any more
    "no_hashes": {},
    "rate_limited": {"retry_after": 60},  # 429
    "newer": {"version": "99.0", "build": "99A100"},  # gdmf offers what no catalogue has
}
APPLE_PATHS = re.compile(r"/version/?|/check/version/?|/WebObjects/MZStore\.woa/.*")
README = "http://updates.cdn-apple.com/documentation/iPhoneiTunesUpdateReadMe.ipd"
DAY = "T17:00:00Z"


def build_order(build):
    """Builds by number, letter, number: 23G83 is newer than 23G71 and than 20H392."""
    parts = re.fullmatch(r"(\d+)([A-Z]+)(\d+)([a-z]*)", build or "")
    return (int(parts[1]), parts[2], int(parts[3]), parts[4]) if parts else (0, "", 0, "")


def twin(build):
    """The build of the updates over the air that goes with an IPSW's: 23G6083 with 23G83."""
    major, letter, minor = re.fullmatch(r"(\d+)([A-Z]+)(\d+)[a-z]*", build).groups()
    return f"{major}{letter}{int(minor) + 6000}"


class Entry:
    """A firmware as a catalogue speaks of it, already spoiled as the rule says."""

    def __init__(self, file, base, rule):
        self.file, self.url, self.size = file, base + file.url_path, file.size
        self.signed = file.signed and rule.name != "unsigned"
        self.hashes = dict.fromkeys(("md5", "sha1", "sha256"), "")
        if rule.name != "no_hashes":
            self.hashes = dict(file.hashes)
        if rule.name == "hostile_url":
            self.url = rule["url"]
        elif rule.name == "hostile_size":
            self.size = rule["size"]
        elif rule.name == "hostile_hash":
            self.hashes = dict.fromkeys(self.hashes, rule["hash"])

    def ipswme(self, product):
        """One element of `firmwares` of api.ipsw.me."""
        return {"identifier": product, "version": self.file.version, "buildid": self.file.build,
                "sha1sum": self.hashes["sha1"], "md5sum": self.hashes["md5"],
                "sha256sum": self.hashes["sha256"], "filesize": self.size, "url": self.url,
                "releasedate": self.file.released + DAY, "uploaddate": self.file.released + DAY,
                "signed": self.signed}

    def apple(self):
        """A `Restore` of Apple's version list: http, SHA-1 in upper case, no size."""
        values = {"BuildVersion": self.file.build, "DocumentationURL": README,
                  "FirmwareSHA1": self.hashes["sha1"].upper(),
                  "FirmwareURL": re.sub("^https:", "http:", self.url),
                  "ProductVersion": self.file.version}
        return {key: value for key, value in values.items() if value}

    def appledb(self):
        """An element of `sources` of AppleDB."""
        hashes = {"md5": self.hashes["md5"], "sha1": self.hashes["sha1"],
                  "sha2-256": self.hashes["sha256"]}
        return {"type": "ipsw", "deviceMap": self.file.products,
                "links": [{"url": self.url, "active": True}],
                "hashes": {key: value for key, value in hashes.items() if value},
                "size": self.size}


class Catalogue(Service):
    """See the top of the file. `gdmf` chooses which half this one is."""

    known = KNOWN

    def __init__(self, registry, base, gdmf=False):
        super().__init__()
        self.registry, self.base = registry, base
        self.name, self.ca = ("gdmf", "apple") if gdmf else ("catalogue", "public")
        self.names = {}  # product: marketing name, for whoever cares
        self.extra_boards = {}  # product: [(board, chip, board id)] instead of the manifest's

    def source_of(self, exchange):
        path = exchange.url[0]
        if self.name == "gdmf":
            return "gdmf" if path == "/v2/pmv" else None
        if path.startswith("/v4/"):
            return "ipswme"
        if APPLE_PATHS.fullmatch(path):
            return "apple"
        return "appledb" if path.startswith(("/device/", "/ios/")) else None

    def facts_of(self, exchange):
        agent = exchange.headers.get("User-Agent")
        condition = exchange.headers.get("If-None-Match")
        return {"source": self.source_of(exchange), "user_agent": agent, "condition": condition}

    def handle(self, exchange):
        source, rule = self.source_of(exchange), exchange.rule
        make = source and getattr(self, f"make_{source}")
        value = make(exchange.url[0], rule) if make else None
        if rule.name == "rate_limited":
            exchange.reply(429, "", headers={"Retry-After": rule["retry_after"]})
        elif value is None:
            exchange.reply(404, '{"error": "Not Found"}\n', "application/json")
        else:
            kind = "text/xml" if source == "apple" else "application/json"
            data = self._bytes(value, source, rule)
            exchange.reply_cached(data, kind, f'"{hashlib.sha256(data).hexdigest()[:32]}"')

    @staticmethod
    def _bytes(value, source, rule):
        if rule.name == "null":
            return b"null"
        if rule.name == "invalid":
            return b"<<<{]\0\xff"
        text = plistlib.dumps(value) if source == "apple" else json.dumps(value, indent=1).encode()
        return text[:int(len(text) * rule["keep"])] if rule.name == "truncated" else text

    # --- what is known

    def files(self):
        """Registered firmwares, the newest first."""
        return sorted(self.registry.firmwares(), key=lambda f: build_order(f.build), reverse=True)

    def products(self):
        return sorted({product for file in self.files() for product in file.products})

    def entries_of(self, product, rule):
        return [Entry(file, self.base, rule) for file in self.files() if product in file.products]

    def boards_of(self, product):
        found = self.extra_boards.get(product) or [
            one for file in self.files() if product in file.products
            for one in file.boards_of(product)]
        return sorted(set(map(tuple, found)))

    # --- api.ipsw.me

    def make_ipswme(self, path, rule):
        parts = path.removeprefix("/v4/").strip("/").split("/")
        if parts == ["devices"]:
            return [self._ipswme_device(product) for product in self.products()]
        if len(parts) == 2 and parts[0] == "device" and parts[1] in self.products():
            return self._ipswme_firmwares(parts[1], rule)
        if len(parts) in (2, 3) and parts[0] == "ipsw":
            return self._ipswme_builds(parts[1:], rule)
        return None

    def _ipswme_device(self, product):
        boards = [{"boardconfig": board, "platform": "", "cpid": chip, "bdid": number}
                  for board, chip, number in self.boards_of(product)]
        first = boards[0] if boards else {"boardconfig": "", "platform": "", "cpid": 0, "bdid": 0}
        return {"name": self.names.get(product, product), "identifier": product,
                "boards": boards} | first

    def _ipswme_firmwares(self, product, rule):
        shown = rule["product"] if rule.name == "other_device" else product
        firmwares = [entry.ipswme(shown) for entry in self.entries_of(product, rule)]
        return self._ipswme_device(product) | {"identifier": shown, "firmwares": firmwares}

    def _ipswme_builds(self, parts, rule):
        found = [entry.ipswme(product) for product in self.products()
                 for entry in self.entries_of(product, rule)]
        if len(parts) == 1:
            return [one for one in found if one["version"] == parts[0]] or None
        exact = [one for one in found if [one["identifier"], one["buildid"]] == parts]
        return exact[0] if exact else None

    # --- Apple's version list

    def make_apple(self, _path, rule):
        devices = {}
        for product in self.products():
            entries = self.entries_of(product, rule)
            shown = rule["product"] if rule.name == "other_device" else product
            newest = {"OfferRestoreAsUpdate": True, "Restore": entries[0].apple()}
            devices[shown] = {"Unknown": {"Universal": newest}}
            for entry in entries:
                devices[shown][entry.file.build] = {"Restore": entry.apple()}
        return {"MobileDeviceCarriersByMccMnc": {}, "MobileDeviceProductVersions": {},
                "iTunesWindowsDoNotUseASU": True,
                "MobileDeviceSoftwareVersionsByVersion": {
                    "1": {"MobileDeviceSoftwareVersions": {}},
                    "17": {"MobileDeviceSoftwareVersions": devices}}}

    # --- gdmf.apple.com

    def make_gdmf(self, _path, rule):
        sets = []
        for file in self.files():
            devices = [rule["product"]] if rule.name == "other_device" else file.products
            known = [(file.version, file.build)]
            if rule.name == "newer":
                known.append((rule["version"], rule["build"]))
            for version, build in known:
                sets += [{"ProductVersion": version, "Build": one, "PostingDate": file.released,
                          "ExpirationDate": "2099-12-31", "SupportedDevices": devices}
                         for one in (build, twin(build))]
        return {"PublicAssetSets": {"iOS": sets, "macOS": []},
                "AssetSets": {"iOS": sets, "macOS": []},
                "PublicBackgroundSecurityImprovements": {"iOS": [], "macOS": []}}

    # --- AppleDB

    def make_appledb(self, path, rule):
        name = path.removesuffix(".json")
        if name == "/device/main":
            return [self._appledb_device(product, rule) for product in self.products()]
        if name.startswith("/device/") and name.removeprefix("/device/") in self.products():
            return self._appledb_device(name.removeprefix("/device/"), rule)
        builds = {f"{self._os(file)};{file.build}": file for file in reversed(self.files())}
        if name == "/ios/index":
            return sorted(builds)
        file = builds.get(name.removeprefix("/ios/"))
        return self._appledb_build(file, rule) if name.startswith("/ios/") and file else None

    @staticmethod
    def _os(file):
        return "iPadOS" if all(product.startswith("iPad") for product in file.products) else "iOS"

    def _appledb_device(self, product, rule):
        boards = [board.removesuffix("ap").upper() + "AP" for board, _, _ in
                  self.boards_of(product)]
        shown = rule["product"] if rule.name == "other_device" else product
        return {"name": self.names.get(product, product), "key": shown, "identifier": shown,
                "type": re.match("[A-Za-z]*", product)[0],
                "board": boards[0] if len(boards) == 1 else boards}

    def _appledb_build(self, file, rule):
        """All files of one build (several groups of products share it) in one document."""
        same = [one for one in self.files()
                if (one.build, self._os(one)) == (file.build, self._os(file))]
        entries = [Entry(one, self.base, rule) for one in same]
        products = sorted({product for one in same for product in one.products})
        if rule.name == "other_device":
            products = [rule["product"]]
        return {"osStr": self._os(file), "version": file.version, "build": file.build,
                "released": file.released, "deviceMap": products,
                "signed": all(entry.signed for entry in entries),
                "sources": [entry.appledb() for entry in entries]}
