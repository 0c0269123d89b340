# SPDX-License-Identifier: GPL-3.0-or-later
"""A usbmuxd in software, with phones that say what a test wants.

It speaks usbmuxd's socket protocol (plist form) and, on a connection to a phone's lockdown port,
lockdownd's framing; the layouts are those of usbmuxd 1.1.1 and of real phones' answers (reference:
device-protocols.md 3.3, 4.1-4.3). Everything that was asked is kept, so a test can also say what
must not have been asked.
"""
import os
import plistlib
import socket
import struct
import threading

HEADER = struct.Struct("<IIII")  # length with the header, version, message, tag
PLIST_VERSION, PLIST_MESSAGE = 1, 8
LOCKDOWN_PORT = 62078
OK, BAD_DEVICE, REFUSED = 0, 2, 3

SILENCE = object()  # as an answer: none, and the connection stays
CLOSE = object()    # as an answer: the connection ends

UDID = "00008110-001C20223E29401E"
NORMAL_VALUES = {  # the set that a real phone tells an unpaired host, shortened
    "BuildVersion": "21F90", "ChipID": 33040, "DeviceClass": "iPhone",
    "DeviceName": "Anna's iPhone", "HardwareModel": "D17AP",
    "PartitionType": "GUID_partition_scheme", "ProductName": "iPhone OS",
    "ProductType": "iPhone14,5", "ProductVersion": "17.5.1", "ProductionSOC": True,
    "ProtocolVersion": "2", "UniqueChipID": 0x1C20223E29401E, "UniqueDeviceID": UDID,
    "WiFiAddress": "00:11:22:33:44:55",
}
HARDWARE_INFO = {"BoardID": 10, "ChipID": 33040, "UniqueChipID": 0x1C20223E29401E}


def phone(device_id=1, udid=UDID, location=0x10002, **more):
    """An entry of the device list."""
    properties = {"ConnectionSpeed": 480000000, "ConnectionType": "USB", "DeviceID": device_id,
                  "LocationID": location, "ProductID": 0x12A8, "SerialNumber": udid}
    properties.update(more)
    return {"MessageType": "Attached", "DeviceID": device_id, "Properties": properties}


def normal_lockdown(values=NORMAL_VALUES, overrides=None):
    """An answerer like lockdownd. overrides: request name → an answer in its place."""
    def answer(request):
        name = request["Request"]
        if overrides and name in overrides:
            return overrides[name]
        if name == "QueryType":
            return {"Request": name, "Type": "com.apple.mobile.lockdown"}
        if name == "GetValue" and "Key" not in request:
            return {"Request": name, "Value": values}
        if name == "GetValue" and request["Key"] in values:
            return {"Key": request["Key"], "Request": name, "Value": values[request["Key"]]}
        error = "MissingValue" if name == "GetValue" else "SessionInactive"
        return {"Error": error, "Request": name}
    return answer


def restored(hardware=HARDWARE_INFO):
    """An answerer like restored of a restore ramdisk."""
    def answer(request):
        name = request["Request"]
        if name == "QueryType":
            return {"HardwareModel": "D17AP", "Request": name, "RestoreProtocolVersion": 15,
                    "Result": "Success", "SerialNumber": "F4HVWWZGJC67", "Type": "com.apple.mobile.restored"}
        if name == "QueryValue" and request["QueryKey"] == "HardwareInfo" and hardware:
            return {"HardwareInfo": hardware, "Request": name}
        return {"Error": "InvalidKey", "Request": name}
    return answer


def receive(connection, count):
    """Exactly count bytes, None at the end of the stream."""
    data = b""
    while len(data) < count:
        try:
            more = connection.recv(count - len(data))
        except OSError:
            return None
        if not more:
            return None
        data += more
    return data


class FakeMux:
    """Listens from its creation until stop().

    lockdown: request → dict, bytes (sent as they are), SILENCE or CLOSE."""

    def __init__(self, path, phones=(), lockdown=None, connect_result=OK, answers=None):
        self.path = str(path)
        self.lockdown = lockdown or normal_lockdown()
        self.connect_result = connect_result
        self.answers = answers or {}  # message type → answer in place of the usual one
        self.asked, self.asked_phone = [], []
        self.ended = threading.Semaphore(0)  # one for each connection that its client closed
        self._phones = {entry["DeviceID"]: entry for entry in phones}
        self._lock = threading.RLock()
        self._connections, self._listeners = set(), set()
        self._socket = socket.socket(socket.AF_UNIX)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._socket.bind(self.path)
        self._socket.listen(8)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, leave_socket=False):
        """Ends like usbmuxd (the socket's file goes) or, with leave_socket, like a killed one."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join()
        if not leave_socket and os.path.exists(self.path):
            os.unlink(self.path)
        with self._lock:
            for connection in self._connections:
                connection.shutdown(socket.SHUT_RDWR)

    def attach(self, entry):
        with self._lock:
            self._phones[entry["DeviceID"]] = entry
            self._tell(entry)

    def detach(self, device_id):
        with self._lock:
            del self._phones[device_id]
            self._tell({"MessageType": "Detached", "DeviceID": device_id})

    def tell_raw(self, data):
        with self._lock:
            for connection in self._listeners:
                connection.sendall(data)

    def _tell(self, message):
        self.tell_raw(self.packet(message, 0))

    @staticmethod
    def packet(message, tag):
        body = plistlib.dumps(message)
        return HEADER.pack(HEADER.size + len(body), PLIST_VERSION, PLIST_MESSAGE, tag) + body

    def _accept(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            while (header := receive(connection, HEADER.size)) is not None:
                length, _, _, tag = HEADER.unpack(header)
                body = receive(connection, length - HEADER.size)
                if body is None or not self._handle(connection, plistlib.loads(body), tag):
                    break
        except OSError:
            pass  # the client went while we answered
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._listeners.discard(connection)
            connection.close()
            self.ended.release()

    def _result(self, connection, tag, number):
        connection.sendall(self.packet({"MessageType": "Result", "Number": number}, tag))

    def _handle(self, connection, message, tag):
        """False when the connection is to end."""
        kind = message["MessageType"]
        self.asked.append(kind)
        answer = self.answers.get(kind)
        if answer is CLOSE:
            return False
        if answer is SILENCE:
            return True
        if answer is not None:
            connection.sendall(answer)
            return True
        with self._lock:
            if kind == "ListDevices":
                connection.sendall(self.packet({"DeviceList": list(self._phones.values())}, tag))
            elif kind == "Listen":
                self._result(connection, tag, OK)
                self._listeners.add(connection)
                for entry in self._phones.values():
                    connection.sendall(self.packet(entry, 0))
            elif kind == "ReadBUID":
                connection.sendall(self.packet({"BUID": "30142955-444094379208051516"}, tag))
            elif kind != "Connect":
                self._result(connection, tag, OK)
        return kind != "Connect" or self._connect(connection, message, tag)

    def _connect(self, connection, message, tag):
        known = message["DeviceID"] in self._phones
        if not known:
            number = BAD_DEVICE
        elif socket.ntohs(message["PortNumber"]) != LOCKDOWN_PORT:
            number = REFUSED
        else:
            number = self.connect_result
        self._result(connection, tag, number)
        while number == OK and (head := receive(connection, 4)) is not None:
            request = plistlib.loads(receive(connection, struct.unpack(">I", head)[0]))
            self.asked_phone.append(request)
            answer = self.lockdown(request)
            if answer is CLOSE:
                return False
            if answer is SILENCE:
                continue
            body = answer if isinstance(answer, bytes) else plistlib.dumps(answer)
            if isinstance(answer, dict):  # real phones send the length alone
                connection.sendall(struct.pack(">I", len(body)))
            connection.sendall(body)
        return False
