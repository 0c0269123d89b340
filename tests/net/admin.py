# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the pretended servers what to do while they run: HTTP with JSON, on 127.0.0.1 only.

    GET    /                       everything Apple.describe() says: URLs, certificates, files
    GET    /SERVICE                its rules, counters, failures of TLS
    GET    /SERVICE/requests       what it was asked; ?after=N leaves out the first N
    DELETE /SERVICE/requests       forgets that
    POST   /SERVICE/behave         {"behaviour": …, "times": …, "nth": …, "where": {…}, option: …}
    DELETE /SERVICE/behave         no rules any more
    POST   /register               {"path": …, "name": …, "signed": …, "released": …}
    POST   /signed                 {"builds": [build or UniqueBuildID, …]}, null for everything
    POST   /base                   {"url": …} what the URLs in catalogues begin with

SERVICE is tss, firmware, catalogue, gdmf or gg. Errors are 400 with {"error": …}.
"""
import json

from web import Service


class Admin(Service):
    name = "admin"

    def __init__(self, apple):
        super().__init__()
        self.apple = apple

    def answer(self, exchange):
        path, query = exchange.url
        words = [exchange.command, *path.strip("/").split("/")]
        try:
            body = json.loads(exchange.body or b"{}")
            exchange.reply_json(self._do(words, query, body))
        except (KeyError, TypeError, ValueError, OSError) as error:
            exchange.reply_json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _do(self, words, query, body):
        if words[0] == "POST" and len(words) == 2:
            return self._set(words[1], body)
        if words == ["GET", ""]:
            return self.apple.describe()
        service = self.apple.services[words[1]]
        if words[0::2] == ["GET"]:
            return {"rules": service.behaviours.describe(), "requests": len(service.record),
                    "connections": service.connections, "tls_failures": service.tls_failures}
        verb = (words[0], *words[2:])
        if verb == ("GET", "requests"):
            return service.record.entries(int(query.get("after", 0)))
        if verb == ("DELETE", "requests"):
            return service.record.clear()
        if verb == ("DELETE", "behave"):
            return service.behave_normally()
        if verb == ("POST", "behave"):
            return service.behave(body.pop("behaviour"), **body).describe()
        raise ValueError(f"no such thing: {' '.join(words)}")

    def _set(self, what, body):
        if what == "register":
            return self.apple.register(body.pop("path"), **body).describe()
        if what == "signed":
            self.apple.sign_only(body["builds"])
        elif what == "base":
            self.apple.set_base(body["url"])
        else:
            raise ValueError(f"no such thing: {what}")
        return None
