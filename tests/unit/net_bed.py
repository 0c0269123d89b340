# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of tests/net share: servers that know two small IPSWs, and plain clients for them.

Import it before modules of tests/net: it tells Python where they are.
"""
import hashlib
import http.client
import plistlib
import ssl
import sys
import zipfile
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
NET = TREE / "tests/net"
DATA = TREE.parent / "shared/data"
sys.path.insert(0, str(NET))

from apple import Apple  # noqa: E402

ECID = 0x8A1B2C3D4E5F6071  # the highest bit is set: must stay positive in the ticket
NONCE = bytes(range(32))
SHORT = 0.3  # how long silence is listened to
CONTENT = hashlib.shake_256(b"firmware").digest(300_000)
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real data beside the tree")


def digest(name):
    return hashlib.sha384(name.encode()).digest()


def identity(board, number, variant):
    names = ("iBSS", "iBEC", "RestoreKernelCache", "OS", "Strange,Component")
    manifest = {name: {"Digest": digest(name), "Trusted": True, "Info": {"Path": name}}
                for name in names}
    return {"ApChipID": "0x8110", "ApBoardID": f"{number:#x}", "ApSecurityDomain": "0x01",
            "Ap,ProductType": {"d17ap": "iPhone14,5", "d63ap": "iPhone14,2"}[board],
            "UniqueBuildID": hashlib.sha1(f"{board}{variant}".encode()).digest(),
            "Info": {"DeviceClass": board, "Variant": variant}, "Manifest": manifest}


def write_ipsw(path, version, build, products):
    boards = {"iPhone14,5": ("d17ap", 0x0A), "iPhone14,2": ("d63ap", 0x0C)}
    identities = [identity(*boards[product], f"Customer {kind} Install (IPSW) {build}")
                  for product in products for kind in ("Erase", "Upgrade")]
    manifest = {"ProductVersion": version, "ProductBuildVersion": build,
                "SupportedProductTypes": products, "BuildIdentities": identities}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BuildManifest.plist", plistlib.dumps(manifest))
        archive.writestr("os.dmg", CONTENT)
    return identities


@pytest.fixture(name="world", scope="module")
def fixture_world(tmp_path_factory):
    """Servers that know two IPSWs and a plain file of 300000 bytes."""
    folder = tmp_path_factory.mktemp("net")
    new, old = folder / "new.ipsw", folder / "old.ipsw"
    identities = write_ipsw(new, "26.2.1", "23C71", ["iPhone14,5", "iPhone14,2"])
    write_ipsw(old, "15.8.8", "19H422", ["iPhone14,5"])
    plain = folder / "plain.bin"
    plain.write_bytes(CONTENT)
    with Apple(folder / "pki", files=[new, old]) as apple:
        apple.identities, apple.plain = identities, apple.register(plain)
        yield apple


@pytest.fixture(name="apple")
def fixture_apple(world):
    """The same servers, as if just started."""
    for service in world.services.values():
        service.behave_normally()
        service.record.clear()
    world.sign_only(None)
    yield world


def connect(apple, service, scheme="http", timeout=5):
    port = apple.port(service, scheme)
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    context = ssl.create_default_context(cafile=apple.ca)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=context)


def ask(apple, service, path="/", method="GET", body=None, headers=None, scheme="http", timeout=5):
    """(response, its body)."""
    connection = connect(apple, service, scheme, timeout)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def request_for(one=None, **more):
    """A request as libtatsu writes it for an identity of the manifest."""
    one = one or identity("d17ap", 0x0A, "Customer Erase Install (IPSW) 23C71")
    request = {
        "@HostPlatformInfo": "mac", "@VersionInfo": "libauthinstall-1049.100.23",
        "@UUID": "00000000-0000-0000-0000-000000000000", "@ApImg4Ticket": True, "ApECID": ECID,
        "ApChipID": 0x8110, "ApBoardID": int(one["ApBoardID"], 0), "ApSecurityDomain": 1,
        "ApNonce": NONCE, "SepNonce": NONCE[:20], "ApProductionMode": True, "ApSecurityMode": True,
        "UniqueBuildID": one["UniqueBuildID"]}
    for name, entry in one["Manifest"].items():
        request[name] = {"Digest": entry["Digest"], "Trusted": True, "EPRO": True, "ESEC": True}
    return request | more


def send(apple, request, **how):
    return ask(apple, "tss", "/TSS/controller?action=2", "POST", plistlib.dumps(request),
               {"Content-Type": 'text/xml; charset="utf-8"'}, **how)


def status_of(apple, request):
    return send(apple, request)[1].split(b"&")[0].decode()


def get(apple, headers=None, method="GET", path=None, **how):
    return ask(apple, "firmware", path or apple.plain.url_path, method, None, headers, **how)
