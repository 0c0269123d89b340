# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/catalogue: the catalogue that ships is good, its sources make it again, and nothing bad is written."""
import copy
import importlib.util
import json
import os
import plistlib
import subprocess
import sys
import urllib.error
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
SCRIPT = TREE / "scripts/catalogue"
SHIPPED = TREE / "src/facts/catalogue.json"
DATA = Path(os.environ.get("IDR_DATA", TREE.parent / "shared/data"))
real_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data at {DATA}")
loader = SourceFileLoader("catalogue_script", str(SCRIPT))
script = importlib.util.module_from_spec(importlib.util.spec_from_loader("catalogue_script", loader))
loader.exec_module(script)

URL = "https://updates.cdn-apple.com/x/a_Restore.ipsw"
SHA1, SHA256 = "a" * 40, "b" * 64


def run(*arguments):
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=60)


def test_the_shipped_one_is_good():
    done = run("--check")
    assert done.returncode == 0 and "175 models" in done.stdout and "days ago" in done.stdout, done.stderr


@real_data
def test_the_same_sources_make_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        done = run("--from", DATA, "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == SHIPPED.read_bytes()


BAD = {
    "url": ("https://evil.example/a_Restore.ipsw", "address"), "size": (5, "address"), "sha1": ("94b8", "address"),
    "build": ("23A5260n", "address"), "version": ("26.0 beta 2", "address"), "products": (["iPhone99,9"], "models.tsv"),
    "boards": (["d17ap"], "boards"), "sha1_from": (["me"], "sources"), "sha256": (SHA256, "sources"),
    "signed": (["iPhone14,5"], "signed"), "released": ("yesterday", "date"), "more": (1, "fields"),
}


@pytest.mark.parametrize("field", BAD)
def test_each_bad_field_is_told(field, tmp_path):
    value, word = BAD[field]
    catalogue = json.loads(SHIPPED.read_text())
    number = next(number for number, file in enumerate(catalogue["files"]) if "iPhone10,3" in file["products"])
    catalogue["files"][number][field] = value
    path = tmp_path / "catalogue.json"
    path.write_text(script.text_of(catalogue))
    done = run("--check", "--output", path)
    assert done.returncode == 1 and f"file {number + 1}: " in done.stderr and word in done.stderr, done.stderr


def test_other_bad_files(tmp_path):
    path = tmp_path / "catalogue.json"
    shipped = json.loads(SHIPPED.read_text())
    twice = copy.deepcopy(shipped)
    twice["files"].append(twice["files"][0])
    for text, word in (("", "catalogue"), ("[]", "form 1"), (json.dumps({**shipped, "v": 2}), "form 1"),
                       (json.dumps({**shipped, "made_ms": 0}), "head"), (script.text_of(twice), "second time"),
                       (json.dumps(shipped), "not written by")):
        path.write_text(text)
        done = run("--check", "--output", path)
        assert done.returncode == 1 and word in done.stderr, (text[:80], done.stderr)


def harvest_folder(folder, records, date="2026-09-01"):
    (folder / "ipswme").mkdir(parents=True, exist_ok=True)
    (folder / f"ipswme/latest_per_device_{date}.json").write_text(json.dumps(records))
    return folder


def test_less_or_older_is_not_written(tmp_path):
    path = tmp_path / "catalogue.json"
    path.write_bytes(SHIPPED.read_bytes())
    one = [{"identifier": "iPhone14,5", "version": "26.7", "buildid": "23H1", "download_url": URL,
            "filesize": 60_000_000, "sha1sum": SHA1, "signed": True, "releasedate": None}]
    done = run("--from", harvest_folder(tmp_path / "few", one), "--output", path)
    assert done.returncode == 1 and "only 1 of 175" in done.stderr
    done = run("--from", harvest_folder(tmp_path / "old", one, "2020-01-01"), "--output", path)
    assert done.returncode == 1 and "is newer than" in done.stderr
    assert path.read_bytes() == SHIPPED.read_bytes()
    done = run("--from", tmp_path / "nothing", "--output", path)
    assert done.returncode == 1 and "latest_per_device" in done.stderr


# --- the live sources, their answers played

def ipswme(product, *builds):
    return {"identifier": product, "firmwares": [
        {"identifier": product, "version": "26.6.1", "buildid": build, "url": URL, "filesize": 60_000_000,
         "sha1sum": sha1, "sha256sum": "", "signed": True, "releasedate": "2026-08-17T17:00:00Z"}
        for build, sha1 in builds]}


def apple(product, build, sha1):
    restore = {"ProductVersion": "26.6.1", "BuildVersion": build, "FirmwareURL": URL.replace("https", "http"),
               "FirmwareSHA1": sha1.upper()}
    return plistlib.dumps({"MobileDeviceSoftwareVersionsByVersion": {"17": {"MobileDeviceSoftwareVersions": {
        product: {"Unknown": {"Universal": {"Restore": restore}}}}}}})


def appledb(product, build):
    return {"version": "26.6.1", "build": build, "sources": [
        {"type": "ipsw", "deviceMap": [product], "links": [{"url": URL, "active": True}], "size": 60_000_000,
         "hashes": {"sha1": SHA1, "sha2-256": SHA256}}]}


@pytest.fixture(name="world")
def played_answers(monkeypatch):
    answers = {"https://s.mzstatic.com/version": apple("iPhone14,5", "23G83", SHA1),
               "https://api.ipsw.me/v4/device/iPhone14,5?type=ipsw":
                   ipswme("iPhone14,5", ("23G71", "c" * 40), ("23G83", SHA1), ("23A5260n", SHA1)),
               "https://api.appledb.dev/ios/iOS%3B23G83.json": appledb("iPhone14,5", "23G83")}

    def get(url):
        if url not in answers:
            raise urllib.error.HTTPError(url, 404, "Not Found", {}, None)
        found = answers[url]
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, bytes) else json.dumps(found).encode()
    monkeypatch.setattr(script, "get", get)
    return answers


def test_all_sources_are_merged(world):
    made = script.make(*script.harvest())
    assert not script.check(made)
    file, = made["files"]
    assert (file["build"], file["sha256"], file["size"], file["url"]) == ("23G83", SHA256, 60_000_000, URL)
    assert file["sha1_from"] == ["apple", "appledb", "ipsw.me"] and file["sha256_from"] == ["appledb"]
    assert file["signed"] == ["iPhone14,5"] and file["released"] == "2026-08-17"
    assert [source["name"] for source in made["sources"]] == ["apple", "appledb", "ipsw.me"]


@pytest.mark.parametrize("source", ["https://s.mzstatic.com/version", "https://api.appledb.dev/ios/iOS%3B23G83.json"])
@pytest.mark.parametrize("answer", [OSError("cut"), b"<html>", {}, []])
def test_a_source_that_fails_is_said_and_not_missed(world, capsys, source, answer):
    world[source] = answer
    made = script.make(*script.harvest())
    assert not script.check(made) and made["files"][0]["build"] == "23G83"
    if answer != {} or "mzstatic" in source:
        assert source in capsys.readouterr().err


def test_sources_that_disagree_end_it(world):
    world["https://s.mzstatic.com/version"] = apple("iPhone14,5", "23G83", "d" * 40)
    with pytest.raises(script.Wrong, match="disagree on its sha1"):
        script.make(*script.harvest())


def test_apples_list_alone_lacks_sizes(world):
    """What nobody tells the size of is left out."""
    del world["https://api.appledb.dev/ios/iOS%3B23G83.json"]
    world["https://api.ipsw.me/v4/device/iPhone14,5?type=ipsw"] = ipswme("iPhone14,5", ("23G71", "c" * 40))
    assert [file["build"] for file in script.make(*script.harvest())["files"]] == ["23G71"]
    del world["https://api.ipsw.me/v4/device/iPhone14,5?type=ipsw"]
    assert script.make(*script.harvest())["files"] == []


@pytest.mark.parametrize("answer", ["[{}]", "{}", "[1]", "<html>", '[{"identifier": "iPhone14,5", "url": 1}]'])
def test_a_saved_answer_that_is_none_is_named(answer, tmp_path):
    folder = tmp_path / "ipswme"
    folder.mkdir()
    path = folder / "latest_per_device_2026-08-22.json"
    path.write_text(answer)
    done = run("--from", tmp_path, "--output", tmp_path / "made")
    assert done.returncode == 1 and not (tmp_path / "made").exists()
    named = "names no firmware" if answer == "{}" else str(path)  # that one is an answer, but an empty one
    assert named in done.stderr and "Traceback" not in done.stderr, done.stderr
