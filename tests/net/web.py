# SPDX-License-Identifier: GPL-3.0-or-later
"""The plumbing of all pretended servers: listening sockets, TLS, HTTP/1.1, and ways to do it badly.

    Host ── owns ──▶ one thread that accepts on every Listener (service, scheme, port)
      │              one thread for each connection ── Exchange ──▶ service.answer(exchange)
      └─ stop(): wakes everything that waits, cuts every connection, joins the threads

Nothing here sleeps: what is slow on purpose waits in `Exchange.wait`, which ends as soon as the
peer hangs up or the host stops.
"""
import http.server
import json
import select
import socket
import struct
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit

from behaviours import Behaviours, Record

IDLE_SECONDS = 300  # a keep-alive connection without a request, a peer that does not read
JOIN_SECONDS = 5
BODY_LIMIT = 16 << 20
CHUNK = 1 << 18


class Stopped(Exception):
    """The connection is over, on purpose: nothing more is to be sent."""


class Service:
    """One pretended server: a name, its behaviours, its record, and what it answers."""

    name = "service"
    known = {}
    ca = "public"  # which of the two authorities signs its certificate: public or apple

    def __init__(self):
        self.behaviours = Behaviours(self.known | COMMON)
        self.record = Record()
        self.connections = 0
        self.tls_failures = []

    def behave(self, name, **when):
        """See Behaviours.add: times=, nth=, where={…}, and the behaviour's own options."""
        return self.behaviours.add(name, **when)

    def behave_normally(self):
        self.behaviours.clear()

    def handle(self, exchange):
        raise NotImplementedError

    def answer(self, exchange):
        """Notes the request, lets the rules have it first, then answers it."""
        facts = {"method": exchange.command, "path": exchange.path, **self.facts_of(exchange)}
        rule = self.behaviours.choose(facts)
        note = {"behaviour": rule.name, "scheme": exchange.listener.scheme,
                "host": exchange.headers.get("Host"), "connection": exchange.connection_number}
        exchange.note = self.record.add(facts | note)
        exchange.rule = rule
        if not misbehave(exchange, rule):
            self.handle(exchange)

    def facts_of(self, exchange):
        """What rules can ask about a request, besides its method and path."""
        return {}


# Behaviours that every service has; its own come on top of them.
COMMON = {
    "silence": {"seconds": None},  # takes the request, never answers; `seconds`: then hangs up
    "close": {"reset": False},  # hangs up at once
    "slow": {"seconds": 3.0},  # answers late
    "http": {"status": 500, "retry_after": None, "body": ""},
    "http_500": {},
    "html": {"status": 200},  # what a captive portal says
    "captive_portal": {"location": "http://login.hotel.example/"},
    "empty": {},  # 200 without a body
}
PORTAL = ('<html><head><meta http-equiv="refresh" content="0;url={}"></head></html>\n')


def misbehave(exchange, rule):
    """Carries out a behaviour of COMMON. False: the service itself is to answer."""
    if rule.name == "silence":
        exchange.wait(rule["seconds"])
        exchange.hang_up()
    elif rule.name == "close":
        exchange.hang_up(rule["reset"])
    elif rule.name == "slow":
        exchange.wait(rule["seconds"])
        return False
    elif rule.name == "http":
        after = {} if rule["retry_after"] is None else {"Retry-After": str(rule["retry_after"])}
        exchange.reply(rule["status"], rule["body"], "text/plain", after)
    elif rule.name == "http_500":
        exchange.reply(500, "<html><h1>Internal Server Error</h1></html>\n", "text/html")
    elif rule.name == "html":
        page = "<!DOCTYPE html><html><title>Welcome</title><body>Log in to go on</body></html>\n"
        exchange.reply(rule["status"], page, "text/html")
    elif rule.name == "captive_portal":
        exchange.reply(200, PORTAL.format(rule["location"]), "text/html")
    elif rule.name == "empty":
        exchange.reply(200, b"", "text/plain")
    else:
        return False
    return True


class Exchange(http.server.BaseHTTPRequestHandler):
    """One connection and the request it is at."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "pretended", ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    rule = note = None

    def __init__(self, sock, peer, listener, number):
        self.listener, self.connection_number = listener, number
        super().__init__(sock, peer, listener.host)

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass  # the peer went away before it had read everything

    def answer(self):
        size = self.headers.get("Content-Length", "0")
        size = int(size) if size.isdecimal() else -1
        if not 0 <= size <= BODY_LIMIT:
            self.reply(400, "", "text/plain")
            self.close_connection = True
            return
        self.body = self.rfile.read(size)
        try:
            self.listener.service.answer(self)
        except Stopped:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    @property
    def url(self):
        """(path without %xx, {query key: value})."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        return unquote(parts.path), {key: values[-1] for key, values in query.items()}

    # --- answers

    def begin(self, status, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()

    def reply(self, status, body, kind="text/html", headers=None):
        data = body.encode() if isinstance(body, str) else body
        self.begin(status, {"Content-Type": kind, "Content-Length": len(data)} | (headers or {}))
        if self.command != "HEAD":
            self.wfile.write(data)

    def reply_json(self, value, status=200, headers=None):
        text = json.dumps(value, indent=1, default=plain) + "\n"
        self.reply(status, text, "application/json", headers)

    def reply_cached(self, data, kind, etag):
        """200, or 304 if the client has it already."""
        if self.headers.get("If-None-Match") == etag:
            self.begin(304, {"ETag": etag})
            return
        self.reply(200, data, kind, {"ETag": etag, "Cache-Control": "max-age=660"})

    # --- deliberate slowness and rudeness

    def wait(self, seconds=None):
        """Waits (None: without end). Raises Stopped if the peer hangs up or the host stops."""
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLRDHUP)
        poll.register(self.listener.host.stop_descriptor, select.POLLIN)
        if poll.poll(None if seconds is None else max(seconds, 0) * 1000):
            raise Stopped

    def hang_up(self, reset=False):
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        raise Stopped

    def paced(self, data, rate):
        """Yields the data in pieces of about a twentieth of a second, each when `rate` bytes a second allow it."""
        start, sent, piece = time.monotonic(), 0, max(1, rate // 20)
        while sent < len(data):
            yield data[sent:sent + piece]
            sent += piece
            self.wait(start + sent / rate - time.monotonic())


def plain(value):
    """Bytes in JSON are hex digits; dates and the like of a property list are text."""
    return bytes(value).hex() if isinstance(value, (bytes, bytearray)) else str(value)


class Listener:
    """A listening socket of a service; `context` is its TLS side, None for plain http."""

    def __init__(self, host, service, scheme, address, port, context):
        self.host, self.service, self.scheme, self.context = host, service, scheme, context
        self.socket = socket.create_server((address, port), backlog=64)
        self.port = self.socket.getsockname()[1]


class Host:
    """All listeners, their connections and threads. Use as: start, listen …, stop."""

    def __init__(self):
        self.listeners, self._live, self._threads = [], set(), set()
        self._lock = threading.Lock()
        self._number = 0
        self._stopping = False
        self._wake, self._stop_end = socket.socketpair()
        self._poll = select.epoll()
        self._poll.register(self.stop_descriptor, select.EPOLLIN)
        self._by_descriptor = {}
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def stop_descriptor(self):
        return self._stop_end.fileno()

    def listen(self, service, scheme, address, port=0, context=None):
        listener = Listener(self, service, scheme, address, port, context)
        self.listeners.append(listener)
        self._by_descriptor[listener.socket.fileno()] = listener
        self._poll.register(listener.socket.fileno(), select.EPOLLIN)
        return listener

    def start(self):
        self._accepting.start()

    def stop(self):
        with self._lock:
            self._stopping = True
            live = list(self._live)
        self._wake.send(b"x")
        self._accepting.join(JOIN_SECONDS)
        for listener in self.listeners:
            listener.socket.close()
        for sock in live:
            try:
                # not SSLSocket's own: that one pulls TLS from under the thread that uses it
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass  # it was already over
        for thread in list(self._threads):
            thread.join(JOIN_SECONDS)
        self._poll.close()
        self._wake.close()
        self._stop_end.close()

    def _accept(self):
        while not self._stopping:
            for descriptor, _ in self._poll.poll():
                if descriptor == self.stop_descriptor:
                    return
                listener = self._by_descriptor[descriptor]
                try:
                    sock, peer = listener.socket.accept()
                except OSError:
                    continue  # gone before we came to it
                self._begin(listener, sock, peer)

    def _begin(self, listener, sock, peer):
        with self._lock:
            self._number += 1
            listener.service.connections += 1
            arguments = (listener, sock, peer, self._number)
            thread = threading.Thread(target=self._serve, args=arguments, daemon=True)
            self._threads.add(thread)
        thread.start()

    def _serve(self, listener, sock, peer, number):
        try:
            if listener.context:
                sock = listener.context.wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False)
            with self._lock:
                self._live.add(sock)
                if self._stopping:
                    return
            sock.settimeout(IDLE_SECONDS)
            if listener.context:
                self._shake_hands(listener, sock)
            Exchange(sock, peer, listener, number)
        except OSError:
            pass  # the peer hung up, or did not like our certificate (noted above)
        finally:
            with self._lock:
                self._live.discard(sock)
                self._threads.discard(threading.current_thread())
            sock.close()

    def _shake_hands(self, listener, sock):
        try:
            sock.do_handshake()
        except OSError as error:
            failure = {"scheme": listener.scheme, "error": str(error), "time": time.time()}
            listener.service.tls_failures.append(failure)
            raise
