# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretended signing server and its tickets, asked by http.client and libtatsu, judged by
openssl and by real tickets where they lie beside the tree."""
import ctypes
import ctypes.util
import http.client
import plistlib
import subprocess
import time

import pytest

from net_bed import (  # noqa: F401 (the fixtures)
    DATA, ECID, NET, NONCE, SHORT, ask, digest, fixture_apple, fixture_world, identity, real_data,
    request_for, send, status_of)

import fourcc
import ticket as tickets
from behaviours import Behaviours, Record


def granted(apple, request):
    """The property list of a reply that grants."""
    response, body = send(apple, request)
    head, xml, rest = body.partition(b"<?xml")
    assert (response.status, head) == (200, b"STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING=")
    return plistlib.loads(xml + rest)


def ap_ticket(apple, request):
    return tickets.Ticket(granted(apple, request)["ApImg4Ticket"])


def test_a_ticket_holds_what_was_asked(apple):
    got = ap_ticket(apple, request_for())
    assert got.properties.pop("srvn")
    assert got.properties == {
        "BNCH": NONCE, "BORD": 0x0A, "CEPO": 1, "CHIP": 0x8110, "CPRO": True, "CSEC": True,
        "ECID": ECID, "SDOM": 1, "snon": NONCE[:20]}
    strange, derived = fourcc.tag_of("Strange,Component")
    assert derived and got.components == {
        tag: {"DGST": digest(name), "EKEY": True, "EPRO": True, "ESEC": True} for tag, name in (
            ("ibss", "iBSS"), ("ibec", "iBEC"), ("rkrn", "RestoreKernelCache"), ("rosi", "OS"),
            (strange, "Strange,Component"))}
    assert got.is_signed_by(tickets.public_key())
    assert apple.tss.record.entries()[0]["derived_tags"] == {"Strange,Component": strange}


def test_openssl_verifies_the_signature(apple, tmp_path):
    got = ap_ticket(apple, request_for())
    (tmp_path / "signed").write_bytes(got.signed)
    (tmp_path / "signature").write_bytes(got.signature)
    verify = ["openssl", "dgst", "-sha384", "-verify", NET / "keys/tss_signing_pub.pem",
              "-signature", tmp_path / "signature", tmp_path / "signed"]
    assert subprocess.run(verify, capture_output=True, check=True).stdout == b"Verified OK\n"
    (tmp_path / "signed").write_bytes(got.signed[:-1] + b"\0")
    assert subprocess.run(verify, capture_output=True, check=False).returncode != 0


def real_tickets():
    reply = plistlib.loads((DATA / "tss/tss_response_d22ap_cpid8015_fakeECID.shsh2").read_bytes())
    return [reply["ApImg4Ticket"], (DATA / "img4/PyIMG4_IM4M").read_bytes()]


@real_data
@pytest.mark.parametrize("which", (0, 1))
def test_the_writer_rebuilds_apples_bytes(which):
    """What Apple signed, taken apart and put together again, is the same DER."""
    real = tickets.Ticket(real_tickets()[which])
    entries = real.components | {"MANP": real.properties}
    members = {tag: tickets.named(tag, tickets.properties(values))
               for tag, values in entries.items()}
    manb = tickets.named("MANB", tickets.set_of(members))
    assert tickets.tlv(tickets.SET, manb) == real.signed
    assert len(real.signature) == 512 and len(real.certificates) == 1


@real_data
def test_our_ticket_has_the_shape_of_apples(apple):
    real = tickets.Ticket(real_tickets()[0])
    names = {tag: name for name, tag in fourcc.TAGS.items()}
    parts = {names[tag]: {"Digest": values["DGST"], "Trusted": values["EKEY"], "EPRO": True,
                          "ESEC": True} for tag, values in real.components.items()}
    one = {"ApBoardID": "6", "UniqueBuildID": b"", "Manifest": {}}
    got = ap_ticket(apple, request_for(one, **parts, **{
        "ApECID": real.properties["ECID"], "ApNonce": real.properties["BNCH"],
        "SepNonce": real.properties["snon"], "ApChipID": 0x8015,
        "PearlCertificationRootPub": real.properties["pcrp"]}))
    assert got.order == real.order and got.components == real.components
    ours, theirs = dict(got.properties), dict(real.properties)
    assert len(ours.pop("srvn")) == len(theirs.pop("srvn"))
    assert ours == theirs


@real_data
def test_reference_request_of_a_real_manifest(apple):
    path = DATA / "tss/request_reference_iPhone13,2_23C71_erase.plist"
    request = plistlib.loads(path.read_bytes())
    got = ap_ticket(apple, request)
    wanted = {name: value for name, value in request.items() if isinstance(value, dict)}
    assert len(got.components) == len(wanted) > 40
    assert all(got.components[fourcc.tag_of(name)[0]]["DGST"] == value["Digest"]
               for name, value in wanted.items())
    assert not any(fourcc.tag_of(name)[1] for name in wanted)


def test_a_component_without_a_digest_is_still_in_the_ticket(apple):
    got = ap_ticket(apple, request_for(ftap={"Trusted": True}, rfta={"Digest": b"", "EPRO": False}))
    assert got.components["ftap"] == {"DGST": b"", "EKEY": True}
    assert got.components["rfta"] == {"DGST": b"", "EPRO": False}


def test_a_set_out_of_order_is_no_ticket():
    with pytest.raises(tickets.TicketError, match="out of order"):
        tickets.refuse_disorder(["ibss", "ibec"])
    members = [tickets.named(name, tickets.value_of(1)) for name in ("CHIP", "BORD")]
    with pytest.raises(tickets.TicketError, match="out of order"):
        tickets.read_properties(tickets.Reader(tickets.tlv(tickets.SET, *members)))


def test_tags_are_unique_but_for_the_rap():
    double = {tag for tag in fourcc.TAGS.values() if list(fourcc.TAGS.values()).count(tag) > 1}
    assert double == {"rkos", "sbd1"}  # one chip under two names
    assert all(len(tag) == 4 for tag in fourcc.TAGS.values())


@pytest.mark.parametrize("name", (
    "BBTicket", "SE,Ticket", "SE2,Ticket", "Savage,Ticket", "Yonkers,Ticket", "Rap,Ticket",
    "BMU,Ticket", "Baobab,Ticket", "Timer,Ticket,1", "eUICC,Ticket", "APTicket"))
def test_tickets_of_other_chips(apple, name):
    chip = "Bb" if name == "BBTicket" else name.split(",")[0].rstrip("2")
    reply = granted(apple, {f"@{name}": True, "@BBTicket": True, f"{chip},Nonce": b"n" * 16})
    assert reply["BasebandFirmware"] == {} and set(reply) == {
        "@ServerVersion", "BasebandFirmware", "BBTicket", name}
    said, values, signed, signature = tickets.read_other(reply[name])
    assert (said, values) == (name, {f"{chip},Nonce": b"n" * 16})
    assert tickets.verify(tickets.public_key(), signature, signed)


def test_a_cryptex_ticket_is_an_im4m_of_cryptexes(apple):
    request = request_for(**{"@ApImg4Ticket": False, "@Cryptex1,Ticket": True,
                             "Cryptex1,SystemOS": {"Digest": b"c" * 48}, "UniqueBuildID": b"u" * 20})
    reply = granted(apple, request)
    assert set(reply) == {"@ServerVersion", "Cryptex1,Ticket"}
    assert tickets.Ticket(reply["Cryptex1,Ticket"]).components == {"csos": {"DGST": b"c" * 48}}


@pytest.mark.parametrize("code", ("94", "69", "100", "126", "128", "168", "551"))
def test_refusals(apple, code):
    apple.tss.behave(code)
    response, body = send(apple, request_for())
    assert response.status == 200 and body.startswith(f"STATUS={code}&MESSAGE=".encode())
    recorded = DATA / f"tss/reply_{code}.txt"
    if recorded.exists():
        assert body.decode().strip() == recorded.read_text().strip()
    assert apple.tss.record.entries()[0]["status"] == int(code)


def test_replies_without_a_ticket(apple):
    apple.tss.behave("no_ticket", times=1)
    assert granted(apple, request_for()) == {"@ServerVersion": "2.1.0"}
    apple.tss.behave("garbage_ticket", times=1)
    with pytest.raises(tickets.TicketError):
        ap_ticket(apple, request_for())
    apple.tss.behave("shield_403", times=1)
    response, body = send(apple, request_for())
    assert response.status == 403 and b"<center>Shield</center>" in body
    apple.tss.behave("captive_portal", times=1)
    response, body = send(apple, request_for())
    assert response.status == 200 and b"http-equiv" in body and b"STATUS" not in body
    apple.tss.behave("http_500", times=1)
    assert send(apple, request_for())[0].status == 500
    apple.tss.behave("status", code=7, message="Odd", times=1)
    assert send(apple, request_for())[1] == b"STATUS=7&MESSAGE=Odd"
    assert ap_ticket(apple, request_for()).components


def test_connections_that_fail(apple):
    apple.tss.behave("silence", times=1)
    with pytest.raises(TimeoutError):
        send(apple, request_for(), timeout=SHORT)
    apple.tss.behave("close", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        send(apple, request_for())
    apple.tss.behave("close", reset=True, times=1)
    with pytest.raises(ConnectionResetError):
        send(apple, request_for())
    apple.tss.behave("truncated", times=1)
    with pytest.raises(http.client.IncompleteRead) as error:
        send(apple, request_for())
    assert error.value.partial.startswith(b"STATUS=0&MESSAGE=SUCCESS")
    apple.tss.behave("slow", seconds=SHORT, times=1)
    start = time.monotonic()
    assert ap_ticket(apple, request_for()).components
    assert time.monotonic() - start >= SHORT


def test_tickets_that_are_not_for_this_phone(apple):
    good = ap_ticket(apple, request_for(ApNonce=b"r" * 32))
    for name, property_name in (("wrong_ecid", "ECID"), ("wrong_board", "BORD"),
                                ("wrong_nonce", "BNCH")):
        apple.tss.behave(name, times=1)
        bad = ap_ticket(apple, request_for())
        usual = {"ECID": ECID, "BORD": 0x0A, "BNCH": NONCE}
        assert {key: bad.properties[key] == value for key, value in usual.items()} == {
            key: key != property_name for key in usual}
        assert bad.is_signed_by(tickets.public_key()) and bad.components == good.components
    assert bad.properties["BNCH"] == b"r" * 32  # the nonce of the earlier request: a replay


def test_tickets_that_are_forged(apple):
    apple.tss.behave("wrong_digest", component="iBEC", times=1)
    bad = ap_ticket(apple, request_for())
    assert bad.components["ibss"]["DGST"] == digest("iBSS")
    assert bad.components["ibec"]["DGST"] != digest("iBEC")
    apple.tss.behave("wrong_digest", times=1)
    bad = ap_ticket(apple, request_for())
    assert bad.components["ibss"]["DGST"] != digest("iBSS")
    apple.tss.behave("missing_component", component="OS", times=1)
    assert set(ap_ticket(apple, request_for()).components) & {"rosi", "ibss"} == {"ibss"}
    apple.tss.behave("bad_signature", times=1)
    assert not ap_ticket(apple, request_for()).is_signed_by(tickets.public_key())


def test_only_what_is_signed_is_signed(apple):
    old = identity("d17ap", 0x0A, "Customer Erase Install (IPSW) 19H422")
    stranger = dict(old, UniqueBuildID=b"x" * 20)
    assert status_of(apple, request_for(stranger)) == "STATUS=0"  # no list: everything
    apple.sign_only(["23C71"])
    assert status_of(apple, request_for()) == "STATUS=0"
    assert status_of(apple, request_for(old)) == "STATUS=94"
    assert status_of(apple, request_for(stranger)) == "STATUS=94"
    assert status_of(apple, request_for(ApBoardID=0x0C)) == "STATUS=94"
    assert status_of(apple, request_for(iBSS={"Digest": b"f" * 48})) == "STATUS=94"
    assert status_of(apple, {"@Savage,Ticket": True}) == "STATUS=0"
    apple.sign_only([stranger["UniqueBuildID"].hex()])
    assert status_of(apple, request_for(stranger)) == "STATUS=0"
    assert status_of(apple, request_for()) == "STATUS=94"


def test_a_known_build_is_signed_as_it_is(apple):
    """Also while everything is signed: what its manifest does not say, the server never saw."""
    assert status_of(apple, request_for()) == "STATUS=0"
    for wrong in ({"iBSS": {"Digest": b"x" * 48}}, {"ApChipID": 0x8120}, {"ApBoardID": 2}):
        assert status_of(apple, request_for(**wrong)) == "STATUS=94", wrong


def test_requests_that_are_wrong(apple):
    path = "/TSS/controller?action=2"
    assert ask(apple, "tss", path, "POST", b"<plist><dict>")[1].startswith(b"STATUS=126&")
    assert ask(apple, "tss", path, "POST", plistlib.dumps([1]))[1].startswith(b"STATUS=126&")
    assert ask(apple, "tss", path, "POST", b"")[1].startswith(b"STATUS=126&")
    for key in ("ApECID", "ApChipID", "ApBoardID", "ApNonce"):
        request = request_for()
        del request[key]
        assert status_of(apple, request) == "STATUS=100"
    assert ask(apple, "tss", path)[0].status == 405
    assert ask(apple, "tss", "/TSS/controller", "POST", b"")[0].status == 404


def test_rules_for_some_requests_only(apple):
    apple.tss.behave("128", times=2)
    apple.tss.behave("69", nth=2)
    apple.tss.behave("94", where={"board": "D63AP"})
    other = identity("d63ap", 0x0C, "Customer Erase Install (IPSW) 23C71")
    got = [status_of(apple, request_for(one)) for one in (None, None, None, None, other, None)]
    assert got == [f"STATUS={n}" for n in (128, 69, 128, 0, 94, 0)]
    apple.tss.behave("126", where={"build": "19H422"})
    old = identity("d17ap", 0x0A, "Customer Erase Install (IPSW) 19H422")
    assert status_of(apple, request_for(old)) == "STATUS=126"
    assert status_of(apple, request_for()) == "STATUS=0"


def test_rules_that_cannot_be():
    behaviours = Behaviours({"late": {"seconds": 1}})
    for name, options in (("early", {}), ("late", {"hours": 1}), ("late", {"times": 0})):
        with pytest.raises(ValueError):
            behaviours.add(name, **options)
    assert behaviours.choose({}).name == "ok"
    behaviours.add("late", nth=2, times=2)
    assert [behaviours.choose({}).name for _ in range(4)] == ["ok", "late", "late", "ok"]


def test_the_record(apple):
    send(apple, request_for(), scheme="https")
    entry, = apple.tss.record.wait(1, timeout=5)
    assert entry["scheme"] == "https" and entry["ecid"] == ECID and entry["nonce"] == NONCE
    assert entry["build"] == "23C71" and entry["board"] == "d17ap"
    assert entry["tickets"] == ["ApImg4Ticket"] and "iBSS" in entry["keys"]
    assert abs(entry["time"] - time.time()) < 60
    with pytest.raises(TimeoutError):
        Record().wait(1, timeout=0.01)


def test_libtatsu_gets_its_ticket(apple):
    """The library with which idevicerestore asks: unmodified, by its C interface."""
    tatsu, plist = (ctypes.CDLL(ctypes.util.find_library(n)) for n in ("tatsu", "plist-2.0"))
    tatsu.tss_request_send.restype = ctypes.c_void_p

    def answer_to(request):
        xml, node = plistlib.dumps(request), ctypes.c_void_p()
        plist.plist_from_xml(xml, len(xml), ctypes.byref(node))
        server = f"{apple.tss_server}/TSS/controller?action=2".encode()
        return tatsu.tss_request_send(node, server)

    data, size = ctypes.POINTER(ctypes.c_ubyte)(), ctypes.c_uint()
    answer = ctypes.c_void_p(answer_to(request_for()))
    assert tatsu.tss_response_get_ap_img4_ticket(
        answer, ctypes.byref(data), ctypes.byref(size)) == 0
    got = tickets.Ticket(ctypes.string_at(data, size.value))
    assert got.properties["ECID"] == ECID and got.is_signed_by(tickets.public_key())
    assert apple.tss.record.entries()[0]["user_agent"] == "InetURL/1.0"
    apple.tss.behave("94")
    assert answer_to(request_for()) is None
    assert len(apple.tss.record) == 2  # a refusal is not tried again
