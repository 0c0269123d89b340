# SPDX-License-Identifier: GPL-3.0-or-later
"""tests/net as a whole: catalogues, TLS, the tunnel's end, telling it what to do, the program. Real
replies are compared with where they lie beside the tree."""
import concurrent.futures
import hashlib
import http.client
import json
import plistlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from net_bed import (  # noqa: F401 (the fixtures)
    DATA, NET, NONCE, ask, fixture_apple, fixture_world, get, real_data, request_for, send,
    status_of, write_ipsw)

from apple import SCHEMES, Apple


# --- catalogues


def load(apple, path, service="catalogue"):
    response, body = ask(apple, service, path)
    assert response.status == 200
    return plistlib.loads(body) if body.startswith(b"<?xml") else json.loads(body)


def test_ipswme(apple):
    device = load(apple, "/v4/device/iPhone14,5?type=ipsw")
    newest, oldest = device["firmwares"]
    assert (newest["buildid"], oldest["buildid"]) == ("23C71", "19H422")
    file = next(one for one in apple.registry.files() if one.build == "23C71")
    content = file.path.read_bytes()
    assert newest["url"] == apple.firmware_url(file) and newest["url"].endswith("_Restore.ipsw")
    assert (newest["filesize"], newest["signed"]) == (len(content), True)
    assert newest["sha1sum"] == hashlib.sha1(content).hexdigest()
    assert newest["sha256sum"] == hashlib.sha256(content).hexdigest()
    assert device["boards"] == [
        {"boardconfig": "d17ap", "platform": "", "cpid": 0x8110, "bdid": 0x0A}]
    assert [one["identifier"] for one in load(apple, "/v4/devices")] == ["iPhone14,2", "iPhone14,5"]
    assert len(load(apple, "/v4/ipsw/26.2.1")) == 2
    assert load(apple, "/v4/ipsw/iPhone14,2/23C71")["identifier"] == "iPhone14,2"
    for path in ("/v4/device/iPhone1,1", "/v4/ipsw/1.0", "/v4/ipsw/iPhone14,2/19H422", "/other"):
        assert ask(apple, "catalogue", path)[0].status == 404


def test_a_firmware_of_the_catalogue_can_be_fetched(apple):
    newest = load(apple, "/v4/device/iPhone14,2")["firmwares"][0]
    path = newest["url"].removeprefix(apple.url("firmware"))
    body = get(apple, path=path, scheme="https")[1]
    assert hashlib.sha256(body).hexdigest() == newest["sha256sum"]


def test_apples_version_list(apple):
    for path in ("/version", "/check/version"):
        versions = load(apple, path)["MobileDeviceSoftwareVersionsByVersion"]
        highest = versions[max(versions, key=int)]["MobileDeviceSoftwareVersions"]
        restore = highest["iPhone14,5"]["Unknown"]["Universal"]["Restore"]
        assert (restore["BuildVersion"], restore["ProductVersion"]) == ("23C71", "26.2.1")
        assert restore["FirmwareURL"].startswith("http://")
        assert restore["FirmwareSHA1"] == restore["FirmwareSHA1"].upper()
        assert highest["iPhone14,5"]["19H422"]["Restore"]["BuildVersion"] == "19H422"


def test_gdmf_and_appledb(apple):
    public = load(apple, "/v2/pmv", "gdmf")["PublicAssetSets"]["iOS"]
    assert [(one["Build"], "iPhone14,2" in one["SupportedDevices"]) for one in public] == [
        ("23C71", True), ("23C6071", True), ("19H422", False), ("19H6422", False)]
    apple.gdmf.behave("newer", build="99A200", times=1)
    assert "99A200" in [one["Build"] for one in load(apple, "/v2/pmv", "gdmf")["AssetSets"]["iOS"]]
    assert load(apple, "/device/iPhone14,5.json")["board"] == "D17AP"
    assert load(apple, "/ios/index.json") == ["iOS;19H422", "iOS;23C71"]
    build = load(apple, "/ios/iOS;23C71.json")
    assert build == load(apple, "/ios/iOS%3B23C71.json")
    source, = build["sources"]
    assert source["links"][0]["active"] and len(source["hashes"]["sha2-256"]) == 64
    assert ask(apple, "gdmf", "/v4/devices")[0].status == 404


def shape(value):
    """Keys and kinds of a document, without its values; of a list, what its members share."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


@real_data
def test_shapes_are_those_of_saved_replies(apple):
    saved = json.loads((DATA / "ipswme/assembled_v4_device/iPhone14,5.json").read_text())
    assert shape(load(apple, "/v4/device/iPhone14,5")) == shape(saved)
    saved = json.loads((DATA / "ipswme/v4_ipsw_15.0.2_2021-10.json").read_text())
    assert shape(load(apple, "/v4/ipsw/26.2.1")) == shape(saved)
    saved = json.loads((DATA / "gdmf/pmv_body_2026-08-22.json").read_text())
    ours = load(apple, "/v2/pmv", "gdmf")
    assert set(ours) == set(saved)
    assert shape(ours["PublicAssetSets"]["iOS"]) == shape(saved["PublicAssetSets"]["iOS"])
    saved = plistlib.loads((DATA / "itunes_version/SYNTHETIC_version.plist").read_bytes())
    ours = load(apple, "/version")
    assert set(ours) == set(saved)
    saved, ours = (one["MobileDeviceSoftwareVersionsByVersion"]["17"][
        "MobileDeviceSoftwareVersions"] for one in (saved, ours))
    assert shape(ours["iPhone14,5"]["Unknown"]) == shape(saved["iPhone10,3"]["Unknown"])
    saved = json.loads((DATA / "appledb/ios_iOS;23G83_trimmed.json").read_text())
    ours = load(apple, "/ios/iOS;23C71.json")
    assert set(ours) <= set(saved) and set(ours["sources"][0]) == set(saved["sources"][0])


def test_catalogue_faults(apple):
    def told(name, path="/v4/device/iPhone14,5", **options):
        apple.catalogue.behave(name, times=1, **options)
        return load(apple, path)

    assert told("other_device")["identifier"] == "iPhone99,9"
    assert told("hostile_url")["firmwares"][0]["url"].startswith("https://evil.example/")
    assert told("hostile_size", size=-1)["firmwares"][0]["filesize"] == -1
    assert told("hostile_hash", hash="../x")["firmwares"][0]["sha1sum"] == "../x"
    assert told("no_hashes")["firmwares"][0]["sha256sum"] == ""
    assert not any(one["signed"] for one in told("unsigned")["firmwares"])
    assert told("null") is None
    for name in ("truncated", "invalid", "html", "empty"):
        with pytest.raises(ValueError):
            told(name)
    apple.catalogue.behave("rate_limited", times=1)
    assert ask(apple, "catalogue", "/v4/devices")[0].headers["Retry-After"] == "60"
    apple.catalogue.behave("close", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        load(apple, "/v4/devices")


def test_one_source_may_fail_alone(apple):
    apple.catalogue.behave("http_500", where={"source": "ipswme"})
    assert ask(apple, "catalogue", "/v4/devices")[0].status == 500
    assert load(apple, "/version") and load(apple, "/device/main.json")


def test_catalogues_are_cacheable_and_their_base_can_be_apples(apple):
    response, _ = ask(apple, "catalogue", "/v4/devices")
    etag = {"If-None-Match": response.headers["ETag"]}
    assert ask(apple, "catalogue", "/v4/devices", headers=etag)[0].status == 304
    apple.set_base("https://updates.cdn-apple.com")
    url = load(apple, "/v4/device/iPhone14,5")["firmwares"][0]["url"]
    apple.set_base(apple.url("firmware"))
    assert url.startswith("https://updates.cdn-apple.com/2026SummerFCS/fullrestores/")


# --- TLS


def handshake(apple, scheme, ca=None, name="gs.apple.com", service="tss"):
    context = ssl.create_default_context(cafile=ca or apple.pki.ca("apple"))
    with socket.create_connection(("127.0.0.1", apple.port(service, scheme)), 5) as raw:
        with context.wrap_socket(raw, server_hostname=name) as tls:
            return tls.version()


def test_good_certificates(apple):
    for name in ("gs.apple.com", "127.0.0.1", "10.0.2.2", "localhost"):
        assert handshake(apple, "https", name=name) in ("TLSv1.2", "TLSv1.3")
    public = apple.pki.ca("public")
    assert handshake(apple, "https", public, "api.ipsw.me", "catalogue")
    assert handshake(apple, "https", public, "updates.cdn-apple.com", "firmware")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        handshake(apple, "https", public)  # only Apple's root vouches for gs.apple.com


@pytest.mark.parametrize("scheme, text", (
    ("expired", "expired"), ("not_yet_valid", "not yet valid"), ("wrong_host", "mismatch"),
    ("self_signed", "self-signed"), ("no_chain", "unable to get local issuer"),
    ("other_ca", "unable to get local issuer")))
def test_bad_certificates(apple, scheme, text):
    with pytest.raises(ssl.SSLCertVerificationError, match=text):
        handshake(apple, scheme)
    assert scheme in SCHEMES
    assert len(apple.tss.record) == 0


@pytest.mark.filterwarnings("ignore:.*TLSv1 is deprecated")
def test_old_tls_and_what_failed(apple):
    before = len(apple.tss.tls_failures)
    with pytest.raises(ssl.SSLError):
        handshake(apple, "old_tls")
    context = ssl.create_default_context(cafile=apple.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", apple.port("tss", "old_tls")), 5) as raw:
        with context.wrap_socket(raw, server_hostname="gs.apple.com") as tls:
            assert tls.version() == "TLSv1"
    assert len(apple.tss.tls_failures) > before


# --- all together


def test_the_tunnels_end(apple):
    before = apple.gg.connections
    for scheme in ("http", "https"):
        assert ask(apple, "gg", "/x", "POST", b"hello", scheme=scheme)[1] == b"hello"
    assert len(ask(apple, "gg", "/fcs-keys/abc=")[1]) == 241
    assert apple.gg.connections == before + 3 and len(apple.gg.record) == 3


def admin(apple, method, path, value=None):
    response, body = ask(apple, "admin", path, method, json.dumps(value or {}))
    return response.status, json.loads(body)


def test_admin(apple, tmp_path):
    assert admin(apple, "POST", "/tss/behave", {"behaviour": "94", "times": 1})[0] == 200
    assert status_of(apple, request_for()) == "STATUS=94"
    assert admin(apple, "GET", "/tss/requests")[1][0]["nonce"] == NONCE.hex()
    assert admin(apple, "GET", "/tss/requests?after=1")[1] == []
    assert admin(apple, "GET", "/tss")[1]["rules"][0]["fired"] == 1
    admin(apple, "POST", "/tss/behave", {"behaviour": "69"})
    admin(apple, "DELETE", "/tss/behave")
    assert status_of(apple, request_for()) == "STATUS=0"
    admin(apple, "POST", "/signed", {"builds": ["19H422"]})
    assert status_of(apple, request_for()) == "STATUS=94"
    admin(apple, "DELETE", "/tss/requests")
    assert len(apple.tss.record) == 0
    (tmp_path / "more").write_bytes(b"more")
    file = admin(apple, "POST", "/register", {"path": str(tmp_path / "more")})[1]
    assert get(apple, path=file["url_path"])[1] == b"more"
    for path, value in (("/tss/behave", {"behaviour": "no"}), ("/no/behave", {}), ("/no", {}),
                        ("/register", {"path": str(tmp_path / "none")})):
        status, answer = admin(apple, "POST", path, value)
        assert status == 400 and answer["error"]


def test_stopping_ends_what_waits(tmp_path):
    threads = set(threading.enumerate())
    apple = Apple(tmp_path).start()
    apple.tss.behave("silence")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(send, apple, request_for(), timeout=30)
        apple.tss.record.wait(1, timeout=5)
        start = time.monotonic()
        apple.stop()
        with pytest.raises((OSError, http.client.HTTPException)):
            waiting.result(5)
    assert time.monotonic() - start < 2
    assert set(threading.enumerate()) <= threads


@pytest.mark.parametrize("how", ("eof", "sigterm"))
def test_the_program(tmp_path, how):
    write_ipsw(tmp_path / "x.ipsw", "26.2.1", "23C71", ["iPhone14,5"])
    command = [sys.executable, NET / "apple.py", "--folder", tmp_path, "--until-eof", "--register",
               tmp_path / "x.ipsw", "--signed", "23C71", "--base", "https://updates.cdn-apple.com"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program:
        told = json.loads(program.stdout.readline())
        assert told["signed"] == ["23c71"] and told["files"][0]["build"] == "23C71"
        port = int(told["admin"].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        assert json.load(connection.getresponse()) == told
        if how == "eof":
            program.stdin.close()
        else:
            program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
        connection.close()


def test_the_program_says_what_is_wrong(tmp_path):
    for words in (["--port", "tss.gopher=1"], ["--register", tmp_path / "none"]):
        done = subprocess.run([sys.executable, NET / "apple.py", "--folder", tmp_path, *words],
                              capture_output=True, text=True, check=False, timeout=10)
        assert done.returncode == 1 and done.stderr.startswith("apple.py: ")
        assert "Traceback" not in done.stderr
