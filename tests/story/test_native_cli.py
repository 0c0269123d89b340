# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line against a service without hardware: list, show, watch, text and JSON."""
import json
import re
import signal
import subprocess
import time
import unicodedata

import pytest
from native_service import ENVIRONMENT, LIMIT, PROGRAM, Watch, iboot, running, until


@pytest.fixture
def service(tmp_path):
    yield from running(tmp_path)


# --- list, show -------------------------------------------------------------------------------


def test_empty_list_says_what_to_check(service):
    done = service.run("list")
    assert done.returncode == 0
    assert "No iPhone or iPad is plugged in" in done.stdout
    assert "cable" in done.stdout and "port" in done.stdout
    assert service.json("list") == {
        "v": 1,
        "type": "result",
        "exit": 0,
        "phones": [],
        "mux_up": False,
        "test": True,
    }


def test_list_is_a_table(service):
    service.see("1-10", serial=iboot(0x2, bdid="18"))
    service.see("1-2.3", serial=iboot(0x1), pid="0x1227")
    service.until_phones(
        lambda phones: len(phones) == 2 and all(p["presence"] == "present" for p in phones)
    )
    lines = service.run("list").stdout.splitlines()
    assert len(lines) == 3
    head, first, second = lines
    for title, cells in (
        ("Model", ("iPhone 13", "iPhone 14")),
        ("Mode", ("DFU", "Recovery")),
        ("Port", ("1-2.3", "1-10")),
    ):
        column = re.search(rf"\b{title}\b", head).start()
        assert first[column:].startswith(cells[0]) and second[column:].startswith(cells[1])
    assert first.endswith("ecid:0x0000000000000001")


def test_columns_hold_with_wide_and_odd_names(service):
    names = ["Anna", "李小龙的手机", "a\u0301e\u0301", "x" * 60]
    service.mux("mux-up")
    for i, name in enumerate(names):
        udid = f"{i:040x}"
        service.answer(udid, udid=udid, name=name, product="iPhone8,1", board="n71ap")
        service.see(f"1-{i + 1}", pid="0x12a8", serial=udid, address=i + 1)
        service.mux("attached", udid=udid, location=1 << 16 | (i + 1), connection="usb")
    service.until_phones(lambda phones: sorted(p.get("name", "") for p in phones) == sorted(names))
    lines = service.run("list").stdout.splitlines()

    def columns(text):
        return sum(
            0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
            for c in text
        )

    starts = {columns(line[: line.index("iPhone 6s")]) for line in lines[1:]}
    assert len(starts) == 1


def test_show_tells_everything_in_words(service):
    service.see("1-2.3.1", serial=iboot(0x1C20223E29401E), speed=12)
    service.until_phones(lambda phones: phones and phones[0]["presence"] == "present")
    text = service.run("show", "1-2.3.1").stdout
    for part in (
        "iPhone 13",
        "Recovery: ",
        "points to a computer",
        "0x001c20223e29401e",
        "12 Mbit/s",
        "2 hubs",
        "F2LX12345678",
        "iPhone14,5",
        "d17ap",
        "signed files in the Image4 format",
    ):
        assert part in text, part
    phone = service.json("show", "ecid:0x1c20223e29401e")["phone"]
    assert (phone["product"], phone["mode"], phone["speed_mbps"], phone["hub_depth"]) == (
        "iPhone14,5",
        "recovery",
        12,
        2,
    )


def test_selectors(service):
    udid = "00008110-001C20223E29401E"
    service.mux("mux-up")
    service.answer(
        udid,
        udid=udid,
        name="Anna's iPhone",
        product="iPhone14,5",
        board="d17ap",
        ecid="0x001c20223e29401e",
    )
    service.see("1-1", pid="0x12a8", serial=udid.replace("-", ""), address=1)
    service.mux("attached", udid=udid, location=1 << 16 | 1, connection="usb")
    service.see("1-2", serial=iboot(0x2), address=2)
    service.see("1-3", serial=iboot(0x3), address=3)
    service.until_phones(
        lambda phones: len(phones) == 3 and phones[0].get("name") == "Anna's iPhone"
    )
    for wanted, port in (
        ("ecid:0x001c20223e29401e", "1-1"),
        ("ecid:1C20223E29401E", "1-1"),
        (f"udid:{udid}", "1-1"),
        (udid, "1-1"),
        ("port:1-2", "1-2"),
        ("1-3", "1-3"),
        ("name:Anna's iPhone", "1-1"),
        ("anna's iphone", "1-1"),
    ):
        assert service.json("show", wanted)["phone"]["port"] == port, wanted
    for wanted, status, kind in (
        ("iPhone 13", 4, "ambiguous"),
        ("name:Bert", 3, "no-phone"),
        ("port:1-9", 3, "no-phone"),
        ("ecid:0x99", 3, "no-phone"),
        ("ecid:zebra", 2, "usage"),
        ("", 2, "usage"),
    ):
        result = service.json("show", wanted)
        assert (result["exit"], result["error"]["kind"]) == (status, kind), wanted
    text = service.run("show", "iPhone 13").stderr
    assert "ecid:0x0000000000000002" in text and "ecid:0x0000000000000003" in text


def test_show_ask_brings_what_the_phone_says(service):
    service.see("1-2", serial=iboot(0x2), address=7)
    service.answer(7, ecid="0x0000000000000002", ap_nonce="ab" * 32)
    service.until_phones(lambda phones: phones)
    assert "ap_nonce" not in service.phones()[0]
    assert service.json("show", "1-2", "--ask")["phone"]["ap_nonce"] == "ab" * 32
    requests = [json.loads(line) for line in (service.folder / "requests").read_text().splitlines()]
    assert requests == [
        {
            "v": 1,
            "type": "request",
            "kind": "probe",
            "mode": "recovery",
            "bus": 1,
            "address": 7,
            "ecid": "0x0000000000000002",
        }
    ]


def test_show_ask_tells_why_not(service):
    service.see("1-2", serial=iboot(0x2), address=7)
    (service.folder / "probe-7").write_text(
        json.dumps(
            {
                "v": 1,
                "type": "result",
                "ok": False,
                "error": {
                    "kind": "busy",
                    "origin": "kernel",
                    "code": 16,
                    "text": "the interface is taken",
                },
            }
        )
        + "\n"
    )
    service.until_phones(lambda phones: phones)
    result = service.json("show", "1-2", "--ask")
    assert result["exit"] == 5
    assert result["error"] == {
        "kind": "busy",
        "origin": "kernel",
        "code": 16,
        "text": "the interface is taken",
    }
    assert service.json("show", "1-2")["problem"]["code"] == 16
    assert "the interface is taken" in service.run("show", "1-2").stdout


def test_show_ask_of_a_phone_that_leaves(service):
    service.see("1-2", serial=iboot(0x2), address=7)
    (service.folder / "probe-7").write_text("hang\n")
    service.until_phones(lambda phones: phones)
    asking = subprocess.Popen(
        [PROGRAM, "--socket", service.socket, "--json", "show", "1-2", "--ask"],
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    until("the worker was asked", (service.folder / "requests").exists)
    service.see("1-2", change="gone")
    out, _ = asking.communicate(timeout=LIMIT)
    assert asking.returncode == 11
    assert json.loads(out)["error"]["kind"] == "unplugged"


def test_phone_in_normal_mode_is_asked_when_the_mux_lists_it(service):
    udid = "00008110-001C20223E29401E"
    service.answer(
        udid,
        udid=udid,
        name="Anna",
        product="iPhone14,5",
        board="d17ap",
        version="17.5.1",
        build="21F90",
    )
    service.see("1-1", pid="0x12a8", serial=udid.replace("-", ""), address=1)
    service.until_phones(lambda phones: phones and phones[0]["presence"] == "present")
    assert not (service.folder / "requests").exists()
    service.mux("mux-up")
    service.mux("attached", udid=udid, location=1 << 16 | 1, connection="usb")
    phone = service.until_phones(lambda phones: phones[0].get("name") == "Anna")[0]
    assert (phone["in_mux"], phone["version"], phone["model"]) == (True, "17.5.1", "iPhone 13")
    assert service.json("list")["mux_up"]
    service.mux("mux-down")
    service.until_phones(lambda phones: not phones[0]["in_mux"])


HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "bell\x07",
    "a\nb",
    "tab\tname",
    "\u202egnp.exe",
    "\x9b2J",
    'quote"back\\slash',
    "\u0000",
    "%s%n",
    "💩" * 40,
]


def test_hostile_names_reach_no_terminal(service):
    service.mux("mux-up")
    for i, name in enumerate(HOSTILE):
        udid = f"{i + 1:040x}"
        service.answer(udid, udid=udid, name=name, product="iPhone8,1")
        service.see(f"1-{i + 1}", pid="0x12a8", serial=udid, address=i + 1)
        service.mux("attached", udid=udid, location=1 << 16 | (i + 1), connection="usb")
    service.see("2-1", serial="CPID:8110 ECID:\x1b[2J\u202e SRNM:[\x07\n]", address=99)
    # sd-json refuses a NUL in a string, so that one worker's answer counts as damaged
    service.until_phones(
        lambda phones: sum("name" in phone for phone in phones) >= len(HOSTILE) - 1
    )
    for arguments in (
        ["list"],
        ["list", "--json"],
        ["show", "1-1"],
        ["show", "2-1"],
        ["show", "name:\x1b[31mred"],
    ):
        done = service.run(*arguments)
        text = done.stdout + done.stderr
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), arguments
        if "--json" not in arguments:
            assert "\u202e" not in text


# --- watch ------------------------------------------------------------------------------------


def test_watch_json(service):
    service.see("1-1", serial=iboot(0x1), address=1)
    service.until_phones(lambda phones: phones and phones[0]["presence"] == "present")
    watch = Watch(service, "--json")
    first = watch.event()
    assert (first["v"], first["type"], first["kind"]) == (1, "event", "snapshot")
    assert [phone["port"] for phone in first["snapshot"]["phones"]] == ["1-1"]
    service.see("1-2", serial=iboot(0x2), address=2)
    service.see("1-1", change="gone")
    service.mux("mux-up")
    events = [watch.event() for _ in range(3)]
    while len({event["kind"] for event in events}) < 3 or {event["kind"] for event in events} < {
        "added",
        "mux-up",
        "removed",
    }:
        events.append(watch.event())
    assert [event["seq"] for event in events] == list(
        range(first["seq"] + 1, first["seq"] + 1 + len(events))
    )
    assert all(abs(event["time_ms"] / 1000 - time.time()) < 60 for event in events)
    added = next(event for event in events if event["kind"] == "added")
    assert added["phone"]["ecid"] == "0x0000000000000002"
    status, rest, _ = watch.end()
    assert status == 0
    assert json.loads(rest.splitlines()[-1]) == {"v": 1, "type": "result", "exit": 0}


def test_watch_text(service):
    watch = Watch(service)
    assert re.fullmatch(r"\d\d:\d\d:\d\d  no iPhone or iPad is plugged in", watch.line())
    service.see("1-2", serial=iboot(0x2))
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  iPhone 13 came: Recovery \(just plugged in\), port 1-2, ecid:0x0{15}2, "
        "USB ok  mux -  link -",
        watch.line(),
    )
    status, _, err = watch.end(signal.SIGTERM)
    assert (status, err) == (0, "")


def test_watch_ends_when_the_service_is_killed(service):
    text, lines = Watch(service), Watch(service, "--json")
    text.line(), lines.event()
    service.process.kill()
    service.process.wait(LIMIT)
    status, rest, err = text.end(None)
    assert status == 12 and "service" in err
    status, rest, err = lines.end(None)
    result = json.loads(rest.splitlines()[-1])
    assert (status, result["exit"], result["error"]["kind"]) == (12, 12, "no-service")
