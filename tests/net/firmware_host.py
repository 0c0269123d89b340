# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretended content network: serves registered files as updates.cdn-apple.com does, and badly
on demand.

What it does right: GET and HEAD, keep-alive, Accept-Ranges, ETag, Last-Modified, one range (206;
416 with the size if it lies behind the end; several ranges or a malformed one get the whole file,
as RFC 9110 allows), If-Range with an ETag or a date, If-None-Match (304), If-Match (412).
"""
import email.utils
import os
import re

from web import CHUNK, Service

KNOWN = {
    "cut": {"after": 0, "reset": False},  # hangs up after so many bytes of the answer's body
    "stall": {"after": 0, "seconds": None},  # then sends nothing more (and hangs up later)
    "rate": {"bytes_per_second": 1 << 20},
    "slow_loris": {"seconds": 0.5, "bytes": 1},  # a few bytes at a time, headers too
    "ignore_range": {},  # 200 and the whole file
    "no_ranges": {},  # the same, and says so: Accept-Ranges: none
    "wrong_range": {"shift": 1},  # 206 with the right length, from another place
    "wrong_content_range": {"shift": 1},  # the right bytes, and a Content-Range that is not theirs
    "range_not_satisfiable": {},  # 416
    "too_many_requests": {"retry_after": 1},  # 429
    "unavailable": {"retry_after": 1},  # 503
    "not_found": {}, "forbidden": {},
    # as if another file had taken its place; heeds: If-Range, too
    "changed_etag": {"etag": '"changed:1"', "heeds": True},
    "weak_etag": {}, "no_etag": {},
    "redirect": {"to": "same", "location": None, "status": 302},  # same, http, foreign, loop
    "wrong_length": {"by": 1000},  # Content-Length off by this; the body is the right one
    "corrupt": {"at": 0},  # this byte of the file is sent with its bits inverted
    "encoded": {"encoding": "gzip"},  # claims a content encoding
    "no_length": {},  # neither Content-Length nor chunks: ends with the connection
}
STATUSES = {"too_many_requests": 429, "unavailable": 503, "not_found": 404, "forbidden": 403}
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
MOVED = "/moved"  # what a redirect to `same` puts in front; taken off again when it comes back


class Answer:
    """What is about to be sent: a part of a file, its headers, and the ways to spoil it."""

    def __init__(self, status, start, length, headers):
        self.status, self.start, self.length, self.headers = status, start, length, headers


class FirmwareHost(Service):
    """See the top of the file."""

    name = "firmware"
    known = KNOWN

    def __init__(self, registry):
        super().__init__()
        self.registry = registry
        self.foreign = "https://elsewhere.example"  # where a foreign redirect goes
        self.http_origin = "http://localhost"  # this host without TLS; set once its port is known

    def file_of(self, exchange):
        return self.registry.at(exchange.url[0].removeprefix(MOVED))

    def sent(self):
        """Bytes of files that were given to clients since the record was cleared. Of a connection that was cut up to
        CHUNK more than went out; never less than what clients have got."""
        return sum(entry.get("sent", 0) for entry in self.record.entries())

    def facts_of(self, exchange):
        file = self.file_of(exchange)
        facts = {key: exchange.headers.get(name) for key, name in (
            ("range", "Range"), ("if_range", "If-Range"), ("user_agent", "User-Agent"))}
        return facts | {"build": file and file.build, "name": file and file.name}

    def handle(self, exchange):
        rule, file = exchange.rule, self.file_of(exchange)
        if rule.name in STATUSES:
            after = {"Retry-After": rule["retry_after"]} if "retry_after" in rule.options else {}
            exchange.reply(STATUSES[rule.name], "", "text/html", after)
        elif file is None:
            exchange.reply(404, "<html>Not Found</html>\n")
        elif exchange.command not in ("GET", "HEAD"):
            exchange.reply(405, "", headers={"Allow": "GET, HEAD"})
        elif rule.name == "redirect" and not self._is_back(exchange, rule):
            where = {"Location": self._location(file, rule)}
            exchange.reply(rule["status"], "", headers=where)
        else:
            self._serve(exchange, file, rule)

    @staticmethod
    def _is_back(exchange, rule):
        """A redirected client came to the place it was sent to."""
        return rule["to"] == "same" and exchange.url[0].startswith(MOVED)

    def _location(self, file, rule):
        places = {"same": f"{MOVED}{file.url_path}", "loop": file.url_path,
                  "http": f"{self.http_origin}{file.url_path}",
                  "foreign": f"{self.foreign}{file.url_path}"}
        return rule["location"] or places[rule["to"]]

    # --- a file

    def _serve(self, exchange, file, rule):
        size, etag = file.size, rule.options.get("etag", file.etag)
        etag = f"W/{etag}" if rule.name == "weak_etag" else etag
        date = email.utils.formatdate(file.path.stat().st_mtime, usegmt=True)
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes",
                   "Last-Modified": date, "ETag": etag, "Server": "Apple"}
        if rule.name == "no_etag":
            del headers["ETag"]
        if rule.name == "no_ranges":
            headers["Accept-Ranges"] = "none"
        if self._is_guarded(exchange, etag, headers):
            return
        answer = self._part(exchange, rule, size, headers)
        if answer is None:
            exchange.reply(416, "", headers={"Content-Range": f"bytes */{size}"})
            return
        headers["Content-Length"] = answer.length
        self._spoil(answer, rule, size)
        if rule.name == "slow_loris":
            self._dribble_headers(exchange, answer, rule)
        else:
            exchange.begin(answer.status, headers)
        if exchange.command != "HEAD":
            self._send(exchange, file, answer, rule)

    @staticmethod
    def _is_guarded(exchange, etag, headers):
        """Answers a request whose If-Match or If-None-Match forbids to send the file."""
        match, unless = exchange.headers.get("If-Match"), exchange.headers.get("If-None-Match")
        if match not in (None, "*", etag):
            exchange.reply(412, "", headers={"ETag": etag})
        elif unless is not None and unless in ("*", etag):
            exchange.begin(304, {key: headers[key] for key in ("ETag",) if key in headers})
        else:
            return False
        return True

    @staticmethod
    def _part(exchange, rule, size, headers):
        """Which bytes to send; None: the range lies behind the end."""
        whole = Answer(200, 0, size, headers)
        if rule.name == "range_not_satisfiable":
            return None
        if rule.name in ("ignore_range", "no_ranges"):
            return whole
        wanted = RANGE.fullmatch(exchange.headers.get("Range", "").replace(" ", ""))
        condition = exchange.headers.get("If-Range") if rule.options.get("heeds", True) else None
        current = (headers.get("ETag"), headers["Last-Modified"])
        if not wanted or wanted[0] == "bytes=-" or exchange.command == "HEAD":
            return whole
        if condition is not None and (condition.startswith("W/") or condition not in current):
            return whole
        if not wanted[1]:  # the last so many bytes
            start, end = max(0, size - int(wanted[2])), size - 1
        else:
            start, end = int(wanted[1]), min(int(wanted[2] or size), size - 1)
            if wanted[2] and int(wanted[2]) < start:
                return whole
        if start >= size:
            return None
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Answer(206, start, end - start + 1, headers)

    @staticmethod
    def _spoil(answer, rule, size):
        headers = answer.headers
        if rule.name == "wrong_length":
            headers["Content-Length"] = max(0, answer.length + rule["by"])
        elif rule.name == "no_length":
            del headers["Content-Length"]
            headers["Connection"] = "close"
        elif rule.name == "encoded":
            headers["Content-Encoding"] = rule["encoding"]
        elif rule.name in ("wrong_range", "wrong_content_range") and answer.status == 206:
            # to the other side where there is no room
            start = answer.start + rule["shift"]
            if not 0 <= start <= size - answer.length:
                start = max(0, answer.start - rule["shift"])
            headers["Content-Range"] = f"bytes {start}-{start + answer.length - 1}/{size}"
            if rule.name == "wrong_range":
                answer.start = start

    @staticmethod
    def _dribble_headers(exchange, answer, rule):
        lines = [f"HTTP/1.1 {answer.status} OK"]
        lines += [f"{key}: {value}" for key, value in answer.headers.items()]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode()
        for at in range(0, len(data), rule["bytes"]):
            exchange.wfile.write(data[at:at + rule["bytes"]])
            exchange.wait(rule["seconds"])

    def _send(self, exchange, file, answer, rule):
        """Sends the part, ending early or slowly as the rule says."""
        stop = min(answer.length, rule["after"]) if "after" in rule.options else answer.length
        sent = 0
        with open(file.path, "rb") as source:
            while sent < stop:
                at = answer.start + sent
                data = os.pread(source.fileno(), min(self._piece(rule), stop - sent), at)
                if not data:
                    break  # the file became shorter
                if rule.name == "corrupt" and at <= rule["at"] < at + len(data):
                    hit = rule["at"] - at
                    data = data[:hit] + bytes([data[hit] ^ 0xFF]) + data[hit + 1:]
                for piece in self._pieces(exchange, data, rule):
                    # noted first: what a client has got is never missing in the record
                    sent += len(piece)
                    exchange.note["sent"] = sent
                    exchange.wfile.write(piece)
                if rule.name == "slow_loris":
                    exchange.wait(rule["seconds"])
        if rule.name == "stall":
            exchange.wait(rule["seconds"])
        if rule.name in ("cut", "stall", "no_length", "wrong_length") or sent < answer.length:
            exchange.hang_up(rule.options.get("reset", False))

    @staticmethod
    def _pieces(exchange, data, rule):
        """The data in what is written at once."""
        return exchange.paced(data, rule["bytes_per_second"]) if rule.name == "rate" else [data]

    @staticmethod
    def _piece(rule):
        return rule["bytes"] if rule.name == "slow_loris" else CHUNK
