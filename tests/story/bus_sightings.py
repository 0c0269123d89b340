# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel and udev would say of phones on a stand-in's bus (tests/simphone/standin), as lines of a tape of
sightings: the service that replays it meets the same phones that its workers, usbmuxd and the engine meet over libusb.

    with BusSightings(bus_folder, write_line):
        …

One thread; each phone is watched over its own socket (doors/libusb_wire.h says the words), and asked for its serial
string once an enumeration, as the kernel does.
"""

import json
import select
import socket
import struct
import threading
import time

__all__ = ["BusSightings"]

HEAD = struct.Struct("=IIIBBBB")  # length, id, number, word, a, b, spare
PRESENCE = struct.Struct("=BBBBBB18s")
WORD_PRESENCE, WORD_DONE, WORD_OPEN, WORD_CONTROL = 1, 2, 3, 4
RESULT_OK = 0
SETUP_STRING = struct.Struct("<BBHHH")
GET_DESCRIPTOR, STRING, INTERFACE, ENGLISH = 6, 3, 4, 0x0409
STRING_BYTES = 255
INTERFACES_MAX = 7  # as many as a sighting keeps
LIMIT = 10  # seconds for one answer
FOLDER_SECONDS = 0.02  # a new phone is looked for so often


class Link:
    """One connection to a phone, frames in and out."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(LIMIT)
        self.socket.connect(str(path))

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()

    def send(self, word, number=0, a=0, body=b""):
        self.socket.sendall(HEAD.pack(len(body), 1, number, word, a, 0, 0) + body)

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            got = self.socket.recv(size - len(data))
            if not got:
                raise ConnectionError("the phone hung up")
            data += got
        return data

    def frame(self):
        """(word, a, number, body)."""
        length, _, number, word, a, _, _ = HEAD.unpack(self._exactly(HEAD.size))
        return word, a, number, self._exactly(length)


def read_string(path, address, index):
    """The string descriptor of what is on the bus with that address; "" if it left or has none."""
    if index == 0:
        return ""
    try:
        link = Link(path)
    except OSError:
        return ""
    try:
        for word, a, body in ((WORD_OPEN, address, b""),
                              (WORD_CONTROL, 0, SETUP_STRING.pack(0x80, GET_DESCRIPTOR, STRING << 8 | index, ENGLISH,
                                                                  STRING_BYTES))):
            link.send(word, a=a, body=body)
            answer = (WORD_PRESENCE, 0, 0, b"")
            while answer[0] != WORD_DONE:  # what it tells watchers came first
                answer = link.frame()
            if answer[1] != RESULT_OK:
                return ""
        return answer[3][2:].decode("utf-16-le", "replace")
    except (OSError, ConnectionError):
        return ""
    finally:
        link.close()


def read_configuration(configs, value):
    """(mA, interfaces as struct sighting has them) of the active one of the presence's configurations."""
    while len(configs) >= 2:
        length = struct.unpack_from("=H", configs)[0]
        data, configs = configs[2:2 + length], configs[2 + length:]
        if len(data) < 9 or data[5] != value:
            continue
        triples, at = [], 0
        while at + 9 <= len(data) and data[at]:
            if data[at + 1] == INTERFACE and data[at + 3] == 0:  # the first setting of each
                triples.append("/".join(f"{byte:02x}" for byte in data[at + 5:at + 8]))
            at += data[at]
        return data[8] * 2, " ".join(triples[:INTERFACES_MAX])
    return 0, ""


class BusSightings:
    """bus: the folder with the phones' sockets. write: takes a line without its newline; called from the thread."""

    def __init__(self, bus, write):
        self.bus, self.write = bus, write
        self.present = {}  # syspath: its sighting
        self._links, self._syspaths = {}, {}
        self._lock = threading.RLock()
        self._ended = False
        self._failure = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, value, traceback):
        self._ended = True
        self._thread.join(LIMIT)
        for link in self._links.values():
            link.close()
        if self._failure and value is None:
            raise self._failure

    def tell_again(self):
        """A service that starts anew finds the phones that are here."""
        with self._lock:
            for sighting in self.present.values():
                self.write(json.dumps({**sighting, "change": "appeared"}))

    # ---- the thread

    def _run(self):
        try:
            while not self._ended:
                self._look()
                ready, _, _ = select.select(list(self._links.values()), [], [], FOLDER_SECONDS)
                for path, link in list(self._links.items()):
                    if link in ready:
                        self._take(path, link)
        except Exception as failure:  # told where the bed is left
            self._failure = failure

    def _look(self):
        for path in self.bus.glob("bus-*.sock"):
            if path not in self._links:
                try:
                    self._links[path] = Link(path)
                except OSError:  # it is just being made, or left behind
                    time.sleep(FOLDER_SECONDS)

    def _take(self, path, link):
        try:
            word, _, _, body = link.frame()
        except (OSError, ConnectionError):
            link.close()
            del self._links[path]
            self._leave(path)
            return
        if word != WORD_PRESENCE:
            return
        attached, bus, address, high_speed, config, _, descriptor = PRESENCE.unpack(body[:PRESENCE.size])
        present = self.present.get(self._syspaths.get(path))
        if present and (not attached or present["address"] != address):
            self._leave(path)
            present = None
        if not attached:
            return
        max_power, interfaces = read_configuration(body[PRESENCE.size:], config)
        chosen = {"configuration": config, "max_power_ma": max_power, "interfaces": interfaces}
        if present:
            self._tell({**present, "change": "changed", **chosen})
            return
        vid, pid = struct.unpack_from("<HH", descriptor, 8)
        port = f"{bus}-1"
        self._syspaths[path] = syspath = f"/sys/devices/sim/usb{bus}/{port}"
        self._tell({"v": 1, "type": "sighting", "change": "appeared", "syspath": syspath, "port": port, "bus": bus,
                    "address": address, "vid": f"0x{vid:04x}", "pid": f"0x{pid:04x}",
                    "speed_mbps": 480 if high_speed else 12, **chosen,
                    "usb_version": f"0x{descriptor[2] | descriptor[3] << 8:04x}",
                    "serial": read_string(path, address, descriptor[16]),
                    "product": "Apple Mobile Device", "manufacturer": "Apple Inc."})

    def _tell(self, sighting):
        with self._lock:
            self.present[sighting["syspath"]] = sighting
            self.write(json.dumps(sighting))

    def _leave(self, path):
        with self._lock:
            gone = self.present.pop(self._syspaths.pop(path, None), None)
            if gone:
                self.write(json.dumps({"v": 1, "type": "sighting", "change": "gone", "syspath": gone["syspath"],
                                       "port": gone["port"]}))
