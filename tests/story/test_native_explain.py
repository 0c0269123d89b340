# SPDX-License-Identifier: GPL-3.0-or-later
"""`idevicerescue explain`: no service, text and JSON; every row of codes.tsv is found by number and by name."""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from native_service import ENVIRONMENT, LIMIT, PROGRAM, TREE

CODES = TREE / "src/facts/codes.tsv"
FIELDS = {"layer", "cause", "confidence", "evidence", "scheme"}
OPTIONAL = {"next", "code", "name", "finding"}


def run(*arguments):
    return subprocess.run([PROGRAM, "explain", *arguments], env=ENVIRONMENT, capture_output=True, text=True,
                          check=False, timeout=LIMIT)


def verdicts(*arguments):
    done = run("--json", *arguments)
    assert done.stderr == "" and done.stdout.count("\n") == 1
    result = json.loads(done.stdout)
    assert (result["v"], result["type"], result["exit"], done.returncode) == (1, "result", 0, 0)
    for verdict in result["verdicts"]:
        assert FIELDS <= set(verdict) <= FIELDS | OPTIONAL, verdict
        assert verdict["confidence"] in ("certain", "likely", "possible")
        assert "{" not in "".join(verdict.values()), verdict
    return result["verdicts"]


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


def test_every_row_is_found():
    table = rows()
    assert len(table) > 300
    own = {(row["scheme"], int(row["value"], 0)) for row in table if row["value"] == row["last"]}
    wanted = {}  # what is asked to the rows that must come
    for row in table:
        wanted.setdefault(str(number_in(row, own)), []).append(row)
        if row["name"] != "-":
            wanted.setdefault(row["name"], []).append(row)
    with ThreadPoolExecutor(2) as pool:
        for text, answer in zip(wanted, pool.map(verdicts, wanted)):
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
