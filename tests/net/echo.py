# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the phone's tunnel: answers any HTTP request with 200, as a stand-in for gg.apple.com
and whatever else a phone reaches through the host while it is restored.

The body is what the request carried, or a line that names the request; /fcs-keys/ gives 241 bytes
as wkms-public.apple.com does when a phone fetches the key of a wrapped system image (the bytes are
made of the path: no key at all). `connections` of the service counts what arrived.
"""
import hashlib

from web import Service

KEY_BYTES = 241


class Echo(Service):
    name = "gg"

    def facts_of(self, exchange):
        return {"size": len(exchange.body), "sha256": hashlib.sha256(exchange.body).hexdigest()}

    def handle(self, exchange):
        path, _ = exchange.url
        if path.startswith("/fcs-keys/"):
            body = hashlib.shake_256(path.encode()).digest(KEY_BYTES)
        else:
            body = exchange.body or f"{exchange.command} {path}\n".encode()
        exchange.reply(200, body, "application/octet-stream")
