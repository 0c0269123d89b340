# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says of ports, from tapes: the worker `kernel-watch` alone, and the service with it. And the worker
`mux`, which restarts usbmuxd."""

import json
import os
import threading
import time

import pytest

from fake_mux import FakeMux, phone
from native_service import BUILD, Service, until
from simphone import ENVIRONMENT
from worker_bed import WorkerRun, failure, work

NORMAL = {"pid": "0x12a8", "serial": "00008110001C20223E29401E", "configuration": 4}
# dmesg of a port whose fuse blows, of a cable that is bad, of a controller that died (test_worker_kernel.c has the
# sources)
OVER_CURRENT = "[  865.255349] usb usb1-port2: over-current condition\n"
BAD_CABLE = """\
[ 1000.100000] usb 1-3: new full-speed USB device number 14 using xhci_hcd
[ 1000.200000] usb 1-3: device descriptor read/64, error -71
[ 1000.300000] usb 1-3: device descriptor read/64, error -71
[ 1000.400000] usb usb1-port3: attempt power cycle
[ 1000.500000] usb 1-3: Device not responding to setup address.
[ 1000.600000] usb 1-3: device not accepting address 16, error -71
[ 1000.700000] usb usb1-port3: unable to enumerate USB device
"""
CONTROLLER = "[ 2000.0] xhci_hcd 0000:00:14.0: xHCI host controller not responding, assume dead\n"
HEALTHY = """\
[ 1000.100000] usb 1-2: new high-speed USB device number 5 using xhci_hcd
[ 1000.298420] usb 1-2: New USB device found, idVendor=05ac, idProduct=12a8, bcdDevice=15.02
[ 1000.298430] usb 1-2: Product: device descriptor read/64, error -71
[ 1000.298440] ipheth 1-2:4.2: Apple iPhone USB Ethernet device attached
"""


# --- the worker alone


def watch(tape):
    return WorkerRun("kernel-watch", {**ENVIRONMENT, "IDEVICERESCUE_KMSG": str(tape)})


def troubles(run, count):
    """The next so many troubles: (port, trouble, count)."""
    found = []
    for _ in range(count):
        event = run.event()
        assert event["event"] == "trouble" and event["line"] and event["age_ms"] >= 0, event
        found.append((event["port"], event["trouble"], event["count"]))
    return found


@pytest.fixture()
def fifo(tmp_path):
    """write(text) → into a FIFO that is the log; its path is write.path."""
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)

    def write(text):
        os.write(fd, text.encode())

    write.path = path
    yield write
    os.close(fd)


def test_a_tape_of_dmesg(tmp_path):
    tape = tmp_path / "dmesg"
    tape.write_text(OVER_CURRENT + BAD_CABLE + CONTROLLER.rstrip("\n"))  # the last line has no end
    with watch(tape) as run:
        assert run.event() == {"event": "ready", "since_boot": True}
        assert troubles(run, 5) == [("1-2", "over-current", 1), ("1-3", "no-descriptor", 2), ("1-3", "no-address", 2),
                                    ("1-3", "no-enumeration", 1), ("", "host", 1)]
        assert run.events[1]["line"] == "usb usb1-port2: over-current condition"
        # the file is over, the watch is not
        assert run.process.poll() is None


def test_lines_as_they_come(fifo):
    with watch(fifo.path) as run:
        assert run.event()["event"] == "ready"
        fifo(HEALTHY + OVER_CURRENT)
        assert troubles(run, 1) == [("1-2", "over-current", 1)]
        fifo("usb 1-4.1: device descri")
        fifo("ptor read/64, error -110\n")
        assert troubles(run, 1) == [("1-4.1", "no-descriptor", 1)]


def test_records_have_an_age(fifo):
    now_us = int(time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6)
    text = "usb 1-2: reset high-speed USB device number 5 using xhci_hcd\n SUBSYSTEM=usb\n DEVICE=c189:4\n"
    with watch(fifo.path) as run:
        assert run.event()["event"] == "ready"
        fifo("".join(f"6,{number},{now_us - ago * 1000000},-;{text}" for number, ago in ((1, 30), (2, 29), (3, 1))))
        assert troubles(run, 2) == [("1-2", "reset", 2), ("1-2", "reset", 1)]
        ages = [event["age_ms"] for event in run.events[1:]]
        assert 29000 <= ages[0] <= 29000 + 20000 and 1000 <= ages[1] <= 1000 + 20000, ages
        # what a program writes into the kernel's log is not the kernel's
        fifo(f"12,4,{now_us},-;{text}6,5,{now_us},-;{text}")
        assert troubles(run, 1) == [("1-2", "reset", 1)]


def test_a_flood_is_told_in_short(tmp_path):
    tape = tmp_path / "flood"
    tape.write_text("usb 1-1-port2: over-current change #7\n" * 20000 + "x" * 20000 +
                    "usb 1-9: reset high-speed USB device\n" + "\0\xff\n" * 10 + OVER_CURRENT)
    with watch(tape) as run:
        assert run.event()["event"] == "ready"
        assert troubles(run, 2) == [("1-1.2", "over-current", 20000), ("1-2", "over-current", 1)]


def test_many_ports(tmp_path):
    tape = tmp_path / "ports"
    tape.write_text("".join(f"usb usb1-port{port}: over-current condition\n" for port in range(1, 101)))
    with watch(tape) as run:
        assert run.event()["event"] == "ready"
        assert troubles(run, 100) == [(f"1-{port}", "over-current", 1) for port in range(1, 101)]


def test_not_allowed_to_read(tmp_path):
    with watch(tmp_path / "nothing") as run:
        assert failure(run.result())[:2] == ("refused", "kernel")
    with WorkerRun("kernel-watch", ENVIRONMENT, port="1-2") as run:
        assert failure(run.result())[0] == "usage"


# --- the service


@pytest.fixture()
def service(tmp_path, fifo):
    """A service whose phones are a tape and whose workers are real; there is no usbmuxd."""
    made = Service(tmp_path, "--worker", BUILD / "idevicerescue-worker", "--storage", tmp_path / "storage",
                   worker=False, environment={"IDEVICERESCUE_KMSG": str(fifo.path),
                                              "USBMUXD_SOCKET_ADDRESS": f"UNIX:{tmp_path / 'no-mux'}"}).start()
    yield made
    status, _ = made.stop()
    assert status == 0, made.log.read_text()
    assert "Sanitizer" not in made.log.read_text()


def finding_ids(service, *who):
    """All phones' findings, or the computer's own."""
    return {finding["id"] for diagnosis in service.json("diagnose", *who)["diagnoses"]
            for finding in diagnosis["findings"]}


def test_ports_without_a_phone(service, fifo):
    """Nothing enumerates: only the kernel knows that something is plugged in."""
    assert "no-phone" in finding_ids(service)
    assert not {"port-over-current", "port-trouble"} & finding_ids(service)
    fifo(BAD_CABLE)
    until("the bad cable is found", lambda: "port-trouble" in finding_ids(service))
    fifo(OVER_CURRENT)
    until("the blown fuse is found", lambda: "port-over-current" in finding_ids(service))


def usb_light(service):
    return next(light for light in service.json("show", "port:1-2")["phone"]["lights"] if light["light"] == "usb")


def test_the_port_of_a_phone(service, fifo):
    service.see("1-2", **NORMAL, max_power_ma=500, usb_version="0x0210", interfaces="06/01/01 ff/fe/02")
    until("the phone is there", lambda: service.phones() and service.phones()[0]["presence"] == "present")
    fifo(HEALTHY)
    fifo("usb usb1-port7: over-current condition\n")  # another port
    until("the other port's trouble came", lambda: "port7" in service.log.read_text())
    assert usb_light(service)["state"] == "working"
    fifo(OVER_CURRENT * 3)
    until("its own port's trouble is seen", lambda: usb_light(service)["state"] == "failed")
    assert "over-current" in usb_light(service)["evidence"]


def test_who_may_not_read_knows_nothing(tmp_path):
    service = Service(tmp_path, "--worker", BUILD / "idevicerescue-worker", worker=False,
                      environment={"IDEVICERESCUE_KMSG": str(tmp_path / "nothing"),
                                   "USBMUXD_SOCKET_ADDRESS": f"UNIX:{tmp_path / 'no-mux'}"}).start()
    until("it says so", lambda: "nothing is known of cables and ports" in service.log.read_text())
    assert "no-phone" in finding_ids(service)
    assert service.stop()[0] == 0


# --- the worker mux


def restart(tmp_path, program, socket=None):
    """What the worker says, with a program of one shell line."""
    path = tmp_path / "restart"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    environment = {**ENVIRONMENT, "IDEVICERESCUE_MUX_RESTART": str(path),
                   "USBMUXD_SOCKET_ADDRESS": f"UNIX:{socket or tmp_path / 'mux'}"}
    return WorkerRun("mux", environment, action="restart")


def test_restart_is_not_ours_here(tmp_path):
    assert failure(work("mux", ENVIRONMENT, action="restart"))[:2] == ("unsupported", "worker")
    assert failure(work("mux", ENVIRONMENT, action="stop"))[0] == "usage"
    assert failure(work("mux", ENVIRONMENT))[0] == "usage"
    with restart(tmp_path, "exit 3") as run:
        assert failure(run.result()) == ("refused", "systemd", 3)


def test_restart_ends_when_the_new_one_answers(tmp_path):
    """The old one's socket is left behind and refuses; the new one comes a while after the program's end."""
    old, new = FakeMux(tmp_path / "mux", [phone()]), []
    begun, gone = tmp_path / "begun", tmp_path / "gone"
    os.mkfifo(gone)
    # the program ends when the old one is gone, as systemctl does
    with restart(tmp_path, f"touch {begun}; read -r _ <{gone}") as run:
        until("the program runs", begun.exists)
        old.stop(leave_socket=True)
        timer = threading.Timer(0.3, lambda: new.append(FakeMux(tmp_path / "mux", [phone()])))
        timer.start()
        gone.write_text("it is\n")
        result = run.result()
        timer.join()
    with new[0]:
        assert result["ok"] is True and result["answered_ms"] >= 200, result


def test_restart_survives_the_socket_coming_late(tmp_path):
    late = []
    timer = threading.Timer(0.3, lambda: late.append(FakeMux(tmp_path / "mux")))
    timer.start()
    with restart(tmp_path, "exit 0") as run:
        result = run.result()
    timer.join()
    with late[0]:
        assert result["ok"] is True and result["answered_ms"] >= 200, result
        asked = json.dumps([str(message) for message in late[0].asked])
        assert "Listen" in asked
