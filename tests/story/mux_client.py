# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of usbmuxd's socket that says exactly what a test wants, in both of its forms."""

import plistlib
import socket
import struct

HEADER = struct.Struct("<IIII")  # length with the header, version, message, tag
BINARY, PLIST = 0, 1             # versions
RESULT, CONNECT, LISTEN, ATTACHED, DETACHED, PAIRED, PLIST_MESSAGE = 1, 2, 3, 4, 5, 6, 8
OK, BAD_COMMAND, BAD_DEVICE, REFUSED, BAD_VERSION = 0, 1, 2, 3, 6
LOCKDOWN_PORT = 62078
LIMIT = 20  # seconds


class MuxClient:
    """One connection. Replies come as (version, message, tag, body bytes)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # ---- frames

    def send(self, message, body=b"", version=BINARY, tag=0, length=None):
        length = HEADER.size + len(body) if length is None else length
        self.socket.sendall(HEADER.pack(length, version, message, tag) + body)

    def read(self, count):
        """Exactly count bytes; fewer at the end of the stream."""
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                break
            data += more
        return data

    def frame(self):
        """The next frame, None at the end of the stream."""
        try:
            head = self.read(HEADER.size)
        except ConnectionResetError:
            return None
        if not head:
            return None
        length, version, message, tag = HEADER.unpack(head)
        body = self.read(length - HEADER.size)
        assert len(body) == length - HEADER.size
        return version, message, tag, body

    # ---- property lists

    def ask(self, kind, tag=1, **fields):
        """A request; its answer as a dict."""
        request = {"ClientVersionString": "test", "MessageType": kind, "ProgName": "test", "kLibUSBMuxVersion": 3,
                   **fields}
        self.send(PLIST_MESSAGE, plistlib.dumps(request), version=PLIST, tag=tag)
        version, message, answered, body = self.frame()
        assert (version, message, answered) == (PLIST, PLIST_MESSAGE, tag)
        return plistlib.loads(body)

    def result(self, kind, **fields):
        answer = self.ask(kind, **fields)
        assert answer["MessageType"] == "Result", answer
        return answer["Number"]

    def event(self):
        version, message, tag, body = self.frame()
        assert (version, message, tag) == (PLIST, PLIST_MESSAGE, 0)
        return plistlib.loads(body)

    def devices(self):
        return self.ask("ListDevices")["DeviceList"]

    def connect(self, device_id, port):
        """Its result; after 0 the connection is the phone's."""
        return self.result("Connect", DeviceID=device_id, PortNumber=socket.htons(port))

    # ---- lockdown, after connect()

    def lockdown(self, **request):
        """A request to lockdown; its answer as bytes, the length in front."""
        body = plistlib.dumps(request)
        self.socket.sendall(struct.pack(">I", len(body)) + body)
        head = self.read(4)
        return head + self.read(struct.unpack(">I", head)[0])

    def at_end(self):
        """True when the other side closes without another word."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True
