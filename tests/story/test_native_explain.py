# SPDX-License-Identifier: GPL-3.0-or-later
"""`idevicerescue explain`: no service, text and JSON; every row of codes.tsv is found by number and by name; logs from
a file and from standard input."""
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from native_service import ENVIRONMENT, LIMIT, PROGRAM, TREE

CODES = TREE / "src/facts/codes.tsv"
FIELDS = {"layer", "cause", "confidence", "evidence", "scheme"}
OPTIONAL = {"next", "code", "name", "finding", "same", "rule", "times", "lines"}
LOG_LIMIT_S = 60  # for 16 MiB, with the sanitizers and on a busy machine; a release takes about a second
THREADS = json.loads((TREE / "tests/data/explain/threads.json").read_text())


def run(*arguments, text_in=None, folder=None, limit=LIMIT):
    return subprocess.run([PROGRAM, "explain", *arguments], env=ENVIRONMENT, capture_output=True, input=text_in,
                          cwd=folder, text=not isinstance(text_in, bytes), check=False, timeout=limit)


def result(*arguments, **more):
    done = run("--json", *arguments, **more)
    assert not done.stderr and len(done.stdout.splitlines()) == 1
    answer = json.loads(done.stdout)
    assert (answer["v"], answer["type"], answer["exit"], done.returncode) == (1, "result", 0, 0)
    assert answer["known"] == bool(answer["verdicts"]) and ("send" in answer) == (not answer["known"])
    for verdict in answer["verdicts"]:
        assert FIELDS <= set(verdict) <= FIELDS | OPTIONAL, verdict
        assert verdict["confidence"] in ("certain", "likely", "possible")
        assert "{" not in verdict["cause"] + verdict.get("next", "") + verdict["scheme"], verdict
    return answer


def verdicts(*arguments, **more):
    return result(*arguments, **more)["verdicts"]


def rows():
    lines = [line for line in CODES.read_text().splitlines() if not line.startswith("#")]
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"))) for line in lines[1:]]


def number_in(row, own):
    """A number of the row that no row of its own scheme has for itself."""
    low, high = int(row["value"], 0), int(row["last"], 0)
    return next(n for n in range(low, high + 1) if low == high or (row["scheme"], n) not in own)


def matches(verdict, row):
    return (verdict["scheme"], verdict["cause"], verdict["layer"]) == (row["scheme"], row["meaning"], row["layer"])


def test_rows_are_found():
    """Each eighth, by the program itself; test_explain.c looks at every one."""
    table = rows()
    assert len(table) > 300
    own = {(row["scheme"], int(row["value"], 0)) for row in table if row["value"] == row["last"]}
    wanted = {}  # what is asked to the rows that must come
    for row in table:
        wanted.setdefault(str(number_in(row, own)), []).append(row)
        if row["name"] != "-":
            wanted.setdefault(row["name"], []).append(row)
    chosen = list(wanted)[::8]
    with ThreadPoolExecutor(2) as pool:
        for text, answer in zip(chosen, pool.map(verdicts, chosen)):
            for row in wanted[text]:
                found = [verdict for verdict in answer if matches(verdict, row)]
                assert len(found) == 1, (text, row)
                assert found[0].get("name", "-") == row["name"]
                assert "another program" not in found[0]["evidence"]  # each scheme is said in words
                assert found[0]["next"] == row["next"] and row["source"] in found[0]["evidence"]
            assert len(answer) <= 16


@pytest.mark.parametrize("words, scheme, code, name", [
    (["0xE8000013"], "mobile-device", "0xe8000013", "kAMDInvalidResponseError"),
    (["-402653165"], "mobile-device", "0xe8000013", "kAMDInvalidResponseError"),
    (["0xFFFFFFEB"], "lockdownd", "-21", "InvalidHostID"),
    (["-18"], "lockdownd", "-18", "UserDeniedPairing"),
    (["lockdown_e_user_denied_pairing"], "lockdownd", "-18", "UserDeniedPairing"),
    (["userdeniedpairing"], "lockdownd", "-18", "UserDeniedPairing"),
    (["error", "9"], "itunes", "9", None),
    (["4013"], "itunes", "4013", None),
    (["libirecovery", "-7"], "libirecovery", "-7", "IRECV_E_USB_STATUS"),
    (["tss", "94"], "tss", "94", None),
])
def test_forms_of_a_code(words, scheme, code, name):
    first = verdicts(*words)[0]
    assert (first["scheme"], first["code"], first.get("name")) == (scheme, code, name)


def test_a_number_may_stand_before_an_option():
    for words in (["explain", "-18", "--json"], ["--json", "explain", "-18"], ["explain", "--json", "--", "-18"]):
        done = subprocess.run([PROGRAM, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False,
                              timeout=LIMIT)
        assert json.loads(done.stdout)["verdicts"][0]["name"] == "UserDeniedPairing", words


def test_text_says_what_it_means_and_what_to_do():
    done = run("0xe8000095")
    assert (done.returncode, done.stderr) == (0, "")
    for part in ("0xe8000095 kAMDUserDeniedPairingError", "MobileDevice framework", "tapped Do Not Trust",
                 "What to do", "tap Trust", "certain", "lock and trust"):
        assert part in done.stdout, part
    lines = run("14").stdout.splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("14: ")]
    assert len(heads) == 4 and "full" in lines[heads[0] + 1]
    assert not any("{" in line for line in lines)


def test_every_layer_is_said_in_words():
    one = {row["layer"]: row for row in rows() if row["value"] == row["last"]}
    assert len(one) > 10
    for layer, row in one.items():
        text = run(row["scheme"], row["value"]).stdout
        assert row["meaning"] in text and "somewhere else" not in text, layer


def test_ids_of_our_own():
    assert verdicts("all-well")[0]["scheme"] == "finding"
    assert "diagnosis" in run("all-well").stdout.lower()
    assert verdicts("error-no-space")[0]["layer"] == "disk"
    assert verdicts("engine-no-device")[0]["scheme"] == "engine"
    line = "Unable to discover device mode. Please make sure a device is attached."
    assert verdicts(line)[0]["name"] == "engine-no-device"


def test_unknown_is_no_mistake():
    assert verdicts("99999") == [] and verdicts("") == []
    done = run("no", "such", "thing")
    assert (done.returncode, done.stderr) == (0, "")
    assert "'no such thing'" in done.stdout and "whole line" in done.stdout
    odd = run("\x1b[31mred\x07")
    assert odd.returncode == 0 and "\x1b" not in odd.stdout and "\x07" not in odd.stdout


def test_nothing_to_explain_is_a_mistake():
    done = run()
    assert done.returncode == 2 and "CODE" in done.stderr


# --- logs


def test_a_log_from_a_file_and_from_standard_input(tmp_path):
    log = tmp_path / "x.log"
    text = "usbmuxd[3]: segfault at 18\r\n\x1b[31mERROR: Could not connect to lockdownd, error code -8\x1b[0m\r\n"
    log.write_text(text)
    of_file, of_input = result(str(log)), result("-", text_in=text)
    assert (of_file["from"], of_input["from"]) == ("file", "input")
    for answer in (of_file, of_input):
        assert (answer["lines"], answer["bytes"], answer["cut"]) == (2, len(text), False)
        first = answer["verdicts"][0]
        assert (first["layer"], first["rule"], first["scheme"]) == ("usbmuxd", "mux-crashed", "log")
        assert first["lines"] == [{"number": 1, "text": "usbmuxd[3]: segfault at 18"}] and first["times"] == 1
        assert first["evidence"] == first["lines"][0]["text"] and first["next"]
    said = run(str(log)).stdout
    for part in (f"2 lines of {log}", "mux-crashed", "line 1: usbmuxd[3]: segfault", "Seen in"):
        assert part in said, part
    assert "2 lines from standard input" in run("-", text_in=text).stdout


def test_a_code_in_a_log_is_told_with_its_twins():
    first = verdicts("-", text_in="AMDeviceConnect returned 0xe8000013\n")[0]
    assert (first["code"], first["name"], first["layer"]) == ("0xe8000013", "kAMDInvalidResponseError", "pairing")
    assert "lockdownd -10 InvalidResponse" in first["same"]
    assert any(twin.endswith("kAMDInvalidResponseError") for twin in verdicts("-10")[0]["same"])
    assert "The same as" in run("0xe8000013").stdout
    first = verdicts("ERROR: Could not connect to lockdownd: Invalid HostID (-21)")[0]
    assert (first["code"], first["name"], first["rule"]) == ("-21", "InvalidHostID", "trust-stale")
    assert len(verdicts("An unknown error occurred (0xE8000013).")) == 2  # all its meanings, also in a line


def test_where_no_rule_fits_nothing_is_guessed(tmp_path):
    for text in ("", "\n\n", "Hello, 4013 steps today.\n", "\x00\xff\xfe" * 5000):
        data = text.encode("latin-1")
        answer = result("-", text_in=data)
        assert answer["verdicts"] == [] and "usbmuxd" in answer["send"], text
    said = run("-", text_in="Hello\n").stdout
    assert "Not known" in said and "serial numbers" in said
    for healthy in json.loads((TREE / "tests/data/explain/healthy.json").read_text()):
        assert verdicts("-", text_in="\n".join(healthy["lines"])) == [], healthy["id"]


def test_logs_of_others():
    bad = [case["id"] for case in THREADS[::8]
           if verdicts("-", text_in="\n".join(case["lines"]))[0]["layer"] not in case["accept"]]
    assert not bad


def test_a_code_or_a_file_of_its_name(tmp_path):
    (tmp_path / "4013").write_text("over-current condition\n")
    (tmp_path / "usbmuxd.log").write_text("over-current condition\n")
    assert result("4013", folder=tmp_path)["from"] == "code"
    assert "write ./4013" in run("4013", folder=tmp_path).stdout
    assert result("./4013", folder=tmp_path)["verdicts"][0]["rule"] == "usb-over-current"
    assert result("usbmuxd.log", folder=tmp_path)["from"] == "file"
    assert result("no.log", folder=tmp_path)["from"] == "code"  # nothing is there: a word that is not known
    assert verdicts("usb 1-1: device descriptor read/64, error -71")[0]["rule"] == "usb-no-descriptor"


@pytest.mark.parametrize("path", ["./none", "/nonexistent/x.log", "/"])
def test_a_file_that_cannot_be_read_is_a_bad_file(path):
    done = run("--json", path)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["exit"]) == (7, 7)
    assert path in answer["error"]["text"]


def test_long_logs_have_limits(tmp_path):
    big = tmp_path / "big.log"
    part = b"[ 8390.336140] usb 3-6: Product: iPhone\n" * 1000
    with open(big, "wb") as out:
        out.write(b"over-current condition at the begin\n")
        while out.tell() < 17 << 20:
            out.write(part)
        out.write(b"usb 1-1-port1: over-current condition at the end\n")
    begin = time.monotonic()
    answer = result(str(big), limit=LOG_LIMIT_S)
    took = time.monotonic() - begin
    assert took < LOG_LIMIT_S and answer["cut"] and answer["bytes"] == 16 << 20
    seen = [verdict for verdict in answer["verdicts"] if verdict["rule"] == "usb-over-current"]
    assert [verdict["times"] for verdict in seen] == [1] and "at the end" in seen[0]["evidence"]
    os.unlink(big)
    endless = b"x" * (17 << 20)
    assert result("-", text_in=endless, limit=LOG_LIMIT_S)["cut"]
