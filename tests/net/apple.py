#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apple's servers, pretended: signing, firmware, catalogues, freshness, end of a phone's tunnel.

usage: tests/net/apple.py --folder DIR [--register FILE]… [--signed BUILD]… [--address ADDRESS]
       [--host NAME] [--base URL] [--port SERVICE.SCHEME=NUMBER]… [--until-eof]

Prints one JSON object (URLs, certificates) once everything listens, and serves until SIGTERM or
SIGINT, with --until-eof also until its standard input ends. As a module: `with Apple(folder) as …`.

    Apple ── Registry (files) ◀─── Tss · FirmwareHost · Catalogue (two) · Echo        services
      │                                          ▲
      ├── Pki (two authorities, leaves) ─▶ Host: a listener for each service and scheme
      └── Admin (127.0.0.1) ─ behaviours, records, files at run time

Schemes: http, https, and https with a fault of its own (tls.KINDS): expired, not_yet_valid,
wrong_host, self_signed, no_chain, other_ca, old_tls.
"""
import argparse
import json
import os
import select
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from admin import Admin  # noqa: E402
from catalogue import Catalogue  # noqa: E402
from echo import Echo  # noqa: E402
from firmware_host import FirmwareHost  # noqa: E402
from registry import Registry  # noqa: E402
from ticket import KEYS  # noqa: E402
from tls import KINDS, Pki  # noqa: E402
from tss import Tss  # noqa: E402
from web import Host  # noqa: E402

SCHEMES = ("http", "https", *(kind for kind in KINDS if kind != "good"))
LOOPBACK = "127.0.0.1"


class Apple:
    """All servers together. Owns the folder's certificates, the sockets and the threads.

    folder:  where certificates are written
    address: what to listen on; 0.0.0.0 lets a guest of QEMU come in by 10.0.2.2
    host:    the name or address in the URLs told (default: the address, or 127.0.0.1)
    base:    what the URLs in catalogues begin with (default: the firmware host's https URL)
    files:   paths to register; signed: see Tss; ports: {"tss.http": 8080, …}, 0 or absent: any
    """

    def __init__(self, folder, address=LOOPBACK, host=None, base=None, files=(), signed=None,
                 ports=None):
        self.folder, self.address = Path(folder), address
        self.host = host or (LOOPBACK if address in ("0.0.0.0", "") else address)
        self.registry = Registry()
        self.tss = Tss(self.registry)
        self.firmware = FirmwareHost(self.registry)
        self.catalogue = Catalogue(self.registry, base)
        self.gdmf = Catalogue(self.registry, base, gdmf=True)
        self.gg = Echo()
        self.services = {service.name: service for service in (
            self.tss, self.firmware, self.catalogue, self.gdmf, self.gg)}
        self.ports = dict(ports or {})
        self._base, self._web, self._listeners, self.pki = base, None, {}, None
        self.sign_only(signed)
        for path in files:
            self.register(path)

    # --- life

    def start(self):
        unknown = set(self.ports) - {f"{name}.{scheme}" for name in self.services
                                     for scheme in SCHEMES} - {"admin.http"}
        if unknown:
            raise ValueError(f"no listener called {', '.join(sorted(unknown))}")
        names = [self.host] if not self.host.replace(".", "").isdigit() else []
        self.pki = Pki(self.folder, names)
        self._web = Host()
        try:
            for service in self.services.values():
                for scheme in SCHEMES:
                    self._listen(service, scheme, self.address)
            self._listen(Admin(self), "http", LOOPBACK)
        except OSError:
            self._web.start()
            self.stop()
            raise
        self.firmware.http_origin = self.url("firmware", "http")
        self.set_base(self._base or self.url("firmware"))
        self._web.start()
        return self

    def _listen(self, service, scheme, address):
        kind = "good" if scheme == "https" else scheme
        context = None if scheme == "http" else self.pki.context(service.ca, kind)
        name = f"{service.name}.{scheme}"
        port = self.ports.get(name, 0)
        self._listeners[name] = self._web.listen(service, scheme, address, port, context)

    def stop(self):
        if self._web:
            self._web.stop()
            self._web = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # --- where things are

    def port(self, service, scheme="https"):
        return self._listeners[f"{service}.{scheme}"].port

    def url(self, service, scheme="https", path=""):
        """URL of a service; the schemes of SCHEMES but http are https to the client."""
        web = "http" if scheme == "http" else "https"
        host = LOOPBACK if service == "admin" else self.host
        return f"{web}://{host}:{self.port(service, scheme)}{path}"

    def firmware_url(self, file, scheme="https"):
        return self.url("firmware", scheme, file.url_path)

    @property
    def tss_server(self):
        """What `idevicerestore --server` takes."""
        return self.url("tss", "http")

    @property
    def ca(self):
        """Both test authorities in one file; pki.ca("apple") and pki.ca("public") are single."""
        return self.pki.ca()

    def describe(self):
        urls = {name: {scheme: self.url(name, scheme) for scheme in SCHEMES}
                for name in self.services}
        return {"tss_public_key": str(KEYS / "tss_signing_pub.pem"),
                "ca": str(self.ca), "ca_apple": str(self.pki.ca("apple")),
                "ca_public": str(self.pki.ca("public")), "admin": self.url("admin", "http"),
                "base": self.catalogue.base, "services": urls,
                "signed": None if self.tss.signed is None else sorted(self.tss.signed),
                "files": [file.describe() for file in self.registry.files()]}

    # --- what they know

    def register(self, path, **how):
        """Registers an IPSW or another file: name=, signed=, released= (see registry.File)."""
        return self.registry.add(path, **how)

    def sign_only(self, builds):
        """Only these builds or UniqueBuildIDs (hex) are signed; None: everything."""
        self.tss.signed = None if builds is None else {str(one).lower() for one in builds}

    def calm(self):
        """No service misbehaves any more, and none remembers a request."""
        for service in self.services.values():
            service.behave_normally()
            service.record.clear()

    def set_base(self, url):
        self.catalogue.base = self.gdmf.base = url.rstrip("/")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Apple's servers, pretended.")
    parser.add_argument("--folder", required=True, help="where certificates are written")
    parser.add_argument("--address", default=LOOPBACK, help="what to listen on")
    parser.add_argument("--host", help="name or address in the URLs told")
    parser.add_argument("--base", help="what URLs in catalogues begin with")
    parser.add_argument("--register", action="append", default=[], metavar="FILE")
    parser.add_argument("--signed", action="append", metavar="BUILD", help="default: all")
    parser.add_argument("--port", action="append", default=[], metavar="SERVICE.SCHEME=NUMBER")
    parser.add_argument("--until-eof", action="store_true", help="end with standard input")
    arguments = parser.parse_args()
    pairs = [text.partition("=") for text in arguments.port]
    if not all(number.isdecimal() for _, _, number in pairs):
        parser.error("--port takes SERVICE.SCHEME=NUMBER")
    arguments.ports = {name: int(number) for name, _, number in pairs}
    return arguments


def wait_for_end(until_eof):
    """Returns on SIGTERM or SIGINT, or when standard input ends if that counts."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    watched = [read_end] + ([sys.stdin.fileno()] if until_eof else [])
    while True:
        ready, _, _ = select.select(watched, [], [])
        if read_end in ready or not os.read(sys.stdin.fileno(), 4096):
            return


def main():
    arguments = parse_arguments()
    try:
        apple = Apple(arguments.folder, arguments.address, arguments.host, arguments.base,
                      arguments.register, arguments.signed, arguments.ports)
        with apple:
            print(json.dumps(apple.describe()), flush=True)
            wait_for_end(arguments.until_eof)
    except (OSError, ValueError) as error:
        sys.exit(f"apple.py: {error}")


if __name__ == "__main__":
    main()
