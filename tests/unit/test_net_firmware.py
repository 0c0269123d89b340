# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretended content network: ranges, conditions, and how a transfer can go wrong."""
import concurrent.futures
import http.client
import time

import pytest

from net_bed import (  # noqa: F401 (the fixtures)
    CONTENT, SHORT, connect, fixture_apple, fixture_world, get)

from behaviours import Rule
from firmware_host import Answer
from web import Exchange


def test_whole_files_and_heads(apple):
    response, body = get(apple, scheme="https")
    assert (response.status, body) == (200, CONTENT)
    assert response.headers["Accept-Ranges"] == "bytes" and response.headers["Last-Modified"]
    head, nothing = get(apple, method="HEAD")
    assert (head.status, nothing, head.headers["Content-Length"]) == (200, b"", "300000")
    assert head.headers["ETag"] == response.headers["ETag"]
    assert get(apple, path="/nothing")[0].status == 404
    assert get(apple, method="POST")[0].status == 405


@pytest.mark.parametrize("text, start, end", (
    ("bytes=0-0", 0, 1), ("bytes=1000-1999", 1000, 2000), ("bytes=299999-", 299999, 300000),
    ("bytes=-22", 299978, 300000), ("bytes=-400000", 0, 300000),
    ("bytes=299000-400000", 299000, 300000)))
def test_ranges(apple, text, start, end):
    response, body = get(apple, {"Range": text})
    assert (response.status, body) == (206, CONTENT[start:end])
    assert response.headers["Content-Range"] == f"bytes {start}-{end - 1}/300000"
    assert response.headers["Content-Length"] == str(end - start)


def test_ranges_that_are_none(apple):
    for text in ("bytes=300000-", "bytes=-0"):
        response, body = get(apple, {"Range": text})
        assert (response.status, body) == (416, b"")
        assert response.headers["Content-Range"] == "bytes */300000"
    for text in ("bytes=5-4", "bytes=0-1,5-6", "lines=1-2", "bytes=-"):
        assert get(apple, {"Range": text})[0].status == 200


def test_conditions(apple):
    response, _ = get(apple, method="HEAD")
    etag, date = response.headers["ETag"], response.headers["Last-Modified"]
    for condition, status in ((etag, 206), (date, 206), ('"other"', 200), (f"W/{etag}", 200)):
        assert get(apple, {"Range": "bytes=0-9", "If-Range": condition})[0].status == status
    assert get(apple, {"If-Match": '"other"'})[0].status == 412
    assert get(apple, {"If-Match": etag})[0].status == 200
    assert get(apple, {"If-None-Match": etag})[0].status == 304
    apple.firmware.behave("weak_etag", times=1)  # a weak one never guards a range
    assert get(apple, {"Range": "bytes=0-9", "If-Range": f"W/{etag}"})[0].status == 200
    apple.firmware.behave("changed_etag")
    assert get(apple, {"Range": "bytes=0-9", "If-Range": etag})[0].status == 200


def test_a_file_that_changes_has_another_etag(apple, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    file = apple.register(path)
    first = get(apple, path=file.url_path)[0].headers["ETag"]
    path.write_bytes(b"three")
    response, body = get(apple, path=file.url_path)
    assert body == b"three" and response.headers["ETag"] != first


def test_keep_alive_and_eight_at_once(apple):
    connection = connect(apple, "firmware")
    for _ in range(3):
        connection.request("GET", apple.plain.url_path, headers={"Range": "bytes=0-9"})
        assert connection.getresponse().read() == CONTENT[:10]
    assert len({entry["connection"] for entry in apple.firmware.record.entries()}) == 1
    connection.close()
    step = 37_500
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda at: get(apple, {"Range": f"bytes={at}-{at + step - 1}"})[1],
                         range(0, 300_000, step))
    assert b"".join(parts) == CONTENT


def test_transfers_that_break_off(apple):
    apple.firmware.behave("cut", after=1000, times=1)
    with pytest.raises(http.client.IncompleteRead) as error:
        get(apple)
    assert error.value.partial == CONTENT[:1000]
    apple.firmware.behave("cut", after=1000, reset=True, times=1)
    with pytest.raises(ConnectionResetError):
        get(apple)
    apple.firmware.behave("stall", after=2000, times=1)
    connection = connect(apple, "firmware", timeout=SHORT)
    connection.request("GET", apple.plain.url_path)
    response = connection.getresponse()
    assert response.read(2000) == CONTENT[:2000]
    with pytest.raises(TimeoutError):
        response.read(1)
    connection.close()
    apple.firmware.behave("wrong_length", by=1000, times=1)
    with pytest.raises(http.client.IncompleteRead) as error:
        get(apple)
    assert error.value.partial == CONTENT
    apple.firmware.behave("wrong_length", by=-1000, times=1)
    assert get(apple)[1] == CONTENT[:-1000]
    assert get(apple)[1] == CONTENT


def test_slow_transfers(apple):
    apple.firmware.behave("rate", bytes_per_second=1_000_000, times=1)
    start = time.monotonic()
    assert get(apple)[1] == CONTENT
    assert 0.25 <= time.monotonic() - start < 3
    apple.firmware.behave("slow_loris", seconds=0.01, bytes=50, times=1)
    start = time.monotonic()
    assert get(apple, {"Range": "bytes=0-499"})[1] == CONTENT[:500]
    assert time.monotonic() - start >= 0.1


class Reader:
    """An exchange whose client looks into the record as soon as it has got something."""

    def __init__(self):
        self.note, self.wfile = {}, self
        self.got, self.missing = b"", 0

    def write(self, data):
        self.got += data
        self.missing = max(self.missing, len(self.got) - self.note.get("sent", 0))

    paced = Exchange.paced

    def wait(self, seconds=None):
        pass


@pytest.mark.parametrize("name", ("ok", "rate"))
def test_the_record_has_all_that_a_client_has(apple, name):
    """Else who compares the two loses a race now and then."""
    host, reader = apple.firmware, Reader()
    file = next(one for one in apple.registry.files() if not one.build)
    rule = Rule(name, {"bytes_per_second": 200_000})
    host._send(reader, file, Answer(206, 1000, 250_000, {}), rule)
    assert reader.got == CONTENT[1000:251_000] and reader.note["sent"] == 250_000
    assert reader.missing == 0
    apple.firmware.record.clear()
    assert get(apple, {"Range": "bytes=0-999"})[1] == CONTENT[:1000]
    assert host.sent() == 1000


def test_ranges_answered_badly(apple):
    wanted = {"Range": "bytes=1000-1999"}
    for name in ("ignore_range", "no_ranges"):
        apple.firmware.behave(name, times=1)
        response, body = get(apple, wanted)
        assert (response.status, body) == (200, CONTENT)
    assert response.headers["Accept-Ranges"] == "none"
    apple.firmware.behave("wrong_range", shift=10, times=1)
    response, body = get(apple, wanted)
    assert body == CONTENT[1010:2010]
    assert response.headers["Content-Range"] == "bytes 1010-2009/300000"
    apple.firmware.behave("wrong_content_range", shift=10, times=1)
    response, body = get(apple, wanted)
    assert body == CONTENT[1000:2000]
    assert response.headers["Content-Range"] == "bytes 1010-2009/300000"
    apple.firmware.behave("range_not_satisfiable", times=1)
    assert get(apple, wanted)[0].status == 416


@pytest.mark.parametrize("name, status", (
    ("too_many_requests", 429), ("unavailable", 503), ("not_found", 404), ("forbidden", 403)))
def test_files_refused(apple, name, status):
    apple.firmware.behave(name, times=1)
    response, _ = get(apple)
    assert response.status == status
    assert response.headers["Retry-After"] == ("1" if status in (429, 503) else None)
    assert get(apple)[0].status == 200


def test_files_spoiled(apple):
    apple.firmware.behave("corrupt", at=1005, times=2)
    spoiled = CONTENT[:1005] + bytes([CONTENT[1005] ^ 0xFF]) + CONTENT[1006:]
    assert get(apple)[1] == spoiled
    assert get(apple, {"Range": "bytes=1000-1009"})[1] == spoiled[1000:1010]
    apple.firmware.behave("html", times=1)
    response, body = get(apple)
    assert response.headers["Content-Type"] == "text/html" and b"Log in" in body
    apple.firmware.behave("encoded", times=1)
    assert get(apple)[0].headers["Content-Encoding"] == "gzip"
    apple.firmware.behave("no_length", times=1)
    response, body = get(apple)
    assert response.headers["Content-Length"] is None and body == CONTENT
    for name, etag in (("weak_etag", "W/"), ("no_etag", None)):
        apple.firmware.behave(name, times=1)
        got = get(apple)[0].headers["ETag"]
        assert got is None if etag is None else got.startswith(etag)


def test_redirects(apple):
    places = {}
    for to in ("same", "http", "foreign", "loop"):
        apple.firmware.behave("redirect", to=to, times=1)
        response, _ = get(apple, scheme="https")
        assert response.status == 302
        places[to] = response.headers["Location"]
    path = apple.plain.url_path
    assert places == {"same": f"/moved{path}", "loop": path,
                      "http": apple.url("firmware", "http", path),
                      "foreign": f"https://elsewhere.example{path}"}
    apple.firmware.behave("redirect", to="same")
    assert get(apple, path=places["same"])[1] == CONTENT
    apple.firmware.behave("redirect", location="ftp://x/", status=307)
    response, _ = get(apple)
    assert (response.status, response.headers["Location"]) == (307, "ftp://x/")
