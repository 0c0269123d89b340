# SPDX-License-Identifier: GPL-3.0-or-later
"""`firmware list`, natively: for a phone, for a product, with Apple's word and without it."""

import pathlib
import subprocess
import tempfile

import pytest

from firmware_bed import Apple, make_ipsw
from rescue_bed import PROGRAM, TREE, WORKER, Rescue
from restore_judge import PHONE, PHONES

VERSION, BUILD = PHONES[PHONE]
OLD = {"version": "17.6", "build": "21G80"}
OLDER = {"version": "16.5", "build": "20F66"}
SOURCES = "apple ipsw.me appledb"


@pytest.fixture(scope="module")
def servers():
    """Three builds, of which two are called signed."""
    with tempfile.TemporaryDirectory(prefix="m", dir="/tmp") as place:
        folder = pathlib.Path(place)
        (folder / "pki").mkdir()
        with Apple(folder / "pki") as apple:
            for wishes, is_signed in (({"version": VERSION, "build": BUILD}, True), (OLD, True), (OLDER, False)):
                path = make_ipsw(folder / f"{wishes['build']}.ipsw", boards=[PHONE], image_bytes=1 << 20,
                                 cryptex_bytes=1 << 18, **wishes)
                apple.register(path, signed=is_signed)
            yield apple


@pytest.fixture
def bed(servers, folder):
    """The product beside one phone."""
    servers.calm()
    servers.sign_only(None)
    with Rescue(folder, servers, product=PHONE, mode="recovery") as rescue:
        rescue.until_phone(mode="recovery", product=PHONE)
        yield rescue


def listed(rescue, who, *more):
    return rescue.ok("firmware", "list", who, "--worker", WORKER, *more)


def verdicts(result):
    return {one["build"]: one.get("signed", {}).get("verdict") for one in result["firmwares"]}


def test_what_apple_signs_for_a_phone(bed):
    bed.apple.sign_only([BUILD])
    result = listed(bed, bed.ecid, "--all")
    assert verdicts(result) == {BUILD: "signed", OLD["build"]: "not-signed", OLDER["build"]: None}
    assert [one["newest"] for one in result["firmwares"]] == [True, False, False]
    assert result["product"] == PHONE and result["phone"] == bed.ecid
    newest = result["firmwares"][0]
    assert newest["sources"] == SOURCES and newest["confirmed"] is True and newest["cached"] is False
    assert newest["signed"]["manifest_sha256"] and "manifest_sha256" not in newest
    ecid = int(bed.phone.state()["ecid"], 16)
    assert {entry["ecid"] for entry in bed.apple.tss.record.entries()} == {ecid}
    # without --all what Apple refuses is not worth a line
    assert verdicts(listed(bed, bed.ecid)) == {BUILD: "signed"}
    shown = bed.run("firmware", "list", bed.ecid, "--worker", WORKER, "--all").stdout
    assert f"iOS {VERSION}, build {BUILD}, the newest" in shown and "yes, Apple signs it" in shown
    assert "Apple's list, ipsw.me, AppleDB; two of them tell the same hash" in shown
    assert "others say no; Apple was not asked" in shown and "no, must be downloaded" in shown
    assert not shown.endswith("\n\n")  # nothing below it, so nothing parts that
    # one of the two that are left out is called signed by others: it is not said that nobody does
    shown = bed.run("firmware", "list", bed.ecid, "--worker", WORKER).stdout
    assert "because Apple refuses them or nobody calls them signed: 2 older" in shown


def test_a_refusal_that_contradicts_the_sources(bed):
    """Two sources call the newest current: then Apple's no may be our own fault."""
    bed.apple.sign_only([])
    assert verdicts(listed(bed, bed.ecid, "--all"))[BUILD] == "unknown"
    shown = bed.run("firmware", "list", bed.ecid, "--worker", WORKER)
    assert shown.returncode == 0 and "not known." in shown.stdout and "no longer" not in shown.stdout


def test_a_signing_server_that_is_down(bed):
    bed.apple.tss.behave("http_500")
    found = verdicts(listed(bed, bed.ecid))
    assert found[BUILD] == found[OLD["build"]] == "unknown"


def test_for_a_product_apple_is_not_asked(bed):
    result = listed(bed, PHONE)
    assert verdicts(result) == {BUILD: None, OLD["build"]: None}  # both are called signed
    assert "phone" not in result and len(bed.apple.tss.record) == 0
    shown = bed.run("firmware", "list", PHONE, "--worker", WORKER).stdout
    assert "others say yes; Apple was not asked" in shown and "signed: 1 older" in shown


def test_what_is_kept_here(bed):
    bed.ok("firmware", "get", PHONE)
    result = listed(bed, bed.ecid)
    newest = result["firmwares"][0]
    assert newest["cached"] is True and newest["path"].startswith(str(bed.storage))
    assert newest["signed"]["verdict"] == "signed"
    assert (bed.storage / "catalogue/answers").is_dir()
    assert f"at {newest['path']}" in bed.run("firmware", "list", bed.ecid, "--worker", WORKER).stdout


def test_what_it_keeps_is_the_services_too(bed):
    """Whoever asks first, the service's worker may write there by its group."""
    listed(bed, PHONE)
    catalogue = bed.storage / "catalogue"
    for path in (catalogue, catalogue / "answers"):
        assert path.stat().st_mode & 0o777 == 0o770, path
    assert (catalogue / "lock").stat().st_mode & 0o777 == 0o660


def test_sources_that_disagree_are_told(bed):
    bed.apple.catalogue.behave("hostile_hash", where={"source": "apple"})
    result = listed(bed, PHONE)
    assert result["firmwares"][0]["conflict"] is True
    assert "contradict each other" in bed.run("firmware", "list", PHONE, "--worker", WORKER).stdout


def test_hints(bed):
    bed.apple.gdmf.behave("newer", version="27.0", build="24A300")
    bed.apple.catalogue.behave("http_500", where={"source": "ipswme"})
    assert listed(bed, PHONE)["newest_offered"] == {"version": "27.0", "build": "24A300"}
    shown = bed.run("firmware", "list", PHONE, "--worker", WORKER).stdout
    assert "Apple offers iOS 27.0, build 24A300" in shown and "No answer from ipsw.me" in shown
    assert "HTTP status 500" in shown and "log in" not in shown  # its own error page is no login page


def test_phones_that_are_not_there(bed):
    assert bed.json("firmware", "list", "ecid:0x1", "--worker", WORKER)["exit"] == 3
    assert bed.json("firmware", "list", "iPhone99,9", "--worker", WORKER)["exit"] == 3


def run(*words):
    return subprocess.run([str(PROGRAM), "--worker", str(WORKER), "--socket", "/nonexistent/socket", *words],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=TREE, timeout=60, check=False)


def test_without_service_and_network():
    """The catalogue that ships answers for a product; a phone needs the service."""
    done = run("firmware", "list", "iPhone12,1")
    assert done.returncode == 0 and "Firmware for iPhone 11 (iPhone12,1)" in done.stdout, done.stderr
    assert "this program's catalogue" in done.stdout and "Kept here" not in done.stdout
    assert "stick" not in done.stdout  # it runs anywhere
    assert run("firmware", "list", "ecid:0x1").returncode == 12
    assert run("firmware", "list").returncode == 2


@pytest.mark.parametrize("words", [("firmware", "drop"), ("firmware", "cache", "use"), ("firmware", "list")])
def test_a_word_that_is_no_text(words):
    done = subprocess.run([str(PROGRAM), *words, b"/\xff"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 2, done


def test_a_build_that_is_none(bed):
    """A version where a build is wanted is a likely slip."""
    for command in (("plan", bed.ecid, "update"), ("firmware", "get", PHONE)):
        done = bed.run(*command, "--build", "16.5")
        assert done.returncode == 2 and "'16.5' is no build" in done.stderr and "Field" not in done.stderr, done


@pytest.mark.parametrize("word", ["shop", "", "ftp://shop.example/ipsw", "off"])
def test_a_cache_that_the_service_cannot_have(word):
    """Said at once to who starts it, not later to who asks it."""
    done = subprocess.run([str(PROGRAM), "serve", "--foreground", "--replay", "/dev/null", "--cache", word],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "--cache takes" in done.stderr, done
