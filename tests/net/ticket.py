# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets: made for a request, signed with a worthless test key, and read back.

An IM4M as Apple's server gives it (tests/unit/test_net_tss.py compares):

    SEQUENCE { IA5 "IM4M", INTEGER 0,
      SET { [private MANB] SEQUENCE { IA5 "MANB", SET {
              [private MANP] SEQUENCE { IA5 "MANP", SET { property … } }
              [private tag]  SEQUENCE { IA5 tag,    SET { property … } }   one a component
      } } },
      OCTET STRING signature,          over the DER of the SET above, its tag and length included
      SEQUENCE { certificate … } }
    property: [private name] SEQUENCE { IA5 name, INTEGER | BOOLEAN | OCTET STRING | IA5 }

Members of a SET stand in the order of their tags. BNCH is ApNonce as sent, snon is SepNonce, srvn
the server's own 20 random bytes; EKEY of a component is its `Trusted`. What differs from Apple's:
the signature is ECDSA-SHA384 (P-384) instead of RSA-4096, and one self-signed certificate stands in
for Apple's chain. Entries with an empty Digest get an empty DGST (not seen in a real ticket).

A ticket of any other kind (baseband, secure element …), whose real form is nobody's business here:

    SEQUENCE { IA5 "TEST", UTF8 name of the ticket, SEQUENCE { SEQUENCE { UTF8 key, value } … },
               OCTET STRING signature over the DER of the inner SEQUENCE }
"""
import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fourcc import tag_of

KEYS = Path(__file__).resolve().parent / "keys"
BOOLEAN, INTEGER, OCTETS, UTF8, IA5, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0C, 0x16, 0x30, 0x31
PRIVATE = 0xFF  # class private, constructed, long tag number

# MANP: property, key of the request. The first group is in every real ticket at hand; the second
# is known from Mac tickets and not compared with an iPhone's.
MANP_KEYS = (
    ("BNCH", "ApNonce"), ("BORD", "ApBoardID"), ("CHIP", "ApChipID"), ("CPRO", "ApProductionMode"),
    ("CSEC", "ApSecurityMode"), ("ECID", "ApECID"), ("SDOM", "ApSecurityDomain"),
    ("pcrp", "PearlCertificationRootPub"), ("snon", "SepNonce"),
    ("love", "Ap,OSLongVersion"), ("prtp", "Ap,ProductType"), ("sdkp", "Ap,SDKPlatform"),
    ("tagt", "Ap,Target"), ("tatp", "Ap,TargetType"), ("uidm", "UID_MODE"),
    ("lobo", "Ap,LocalBoot"), ("nsih", "Ap,NextStageIM4MHash"),
    ("ronh", "Ap,RecoveryOSPolicyNonceHash"), ("vuid", "Ap,VolumeUUID"),
)
COMPONENT_KEYS = (("DGST", "Digest"), ("EKEY", "Trusted"), ("EPRO", "EPRO"), ("ESEC", "ESEC"))


class TicketError(ValueError):
    """Bytes that are not a ticket, or a signature that is not ours."""


# --- DER


def length_of(size):
    if size < 0x80:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def tlv(tag, *contents):
    """One element; `tag` is a number below 256 or the whole identifier as bytes."""
    content = b"".join(contents)
    identifier = tag if isinstance(tag, bytes) else bytes([tag])
    return identifier + length_of(len(content)) + content


def private_identifier(name):
    number = int.from_bytes(name.encode("latin-1"), "big")
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(0x80 | (number & 0x7F))
    return bytes([PRIVATE, *reversed(digits)])


def value_of(value):
    if isinstance(value, bool):
        return tlv(BOOLEAN, b"\xff" if value else b"\0")
    if isinstance(value, int):
        # one bit more than the number has, so that it stays positive
        return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))
    if isinstance(value, (bytes, bytearray)):
        return tlv(OCTETS, value)
    return tlv(IA5, str(value).encode("ascii", "replace"))


def named(name, content):
    return tlv(private_identifier(name), tlv(SEQUENCE, tlv(IA5, name.encode("latin-1")), content))


def set_of(members):
    """SET of named members {tag: DER}, in the order of the tags."""
    return tlv(SET, *(members[name] for name in sorted(members, key=lambda n: n.encode("latin-1"))))


def properties(values):
    return set_of({name: named(name, value_of(value)) for name, value in values.items()})


class Reader:
    """Reads DER from the front; each method refuses what is not there."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def __bool__(self):
        return self.at < len(self.data)

    def byte(self):
        if self.at >= len(self.data):
            raise TicketError("the ticket ends too early")
        self.at += 1
        return self.data[self.at - 1]

    def element(self):
        """(identifier as bytes, content, whole element)."""
        start = self.at
        if self.byte() & 0x1F == 0x1F:
            while self.byte() & 0x80:
                pass
        identifier = self.data[start:self.at]
        size = self.byte()
        if size & 0x80:
            size = int.from_bytes(bytes(self.byte() for _ in range(size & 0x7F)), "big")
        if self.at + size > len(self.data):
            raise TicketError(f"an element of {size} bytes reaches over the end")
        self.at += size
        return identifier, self.data[self.at - size:self.at], self.data[start:self.at]

    def take(self, tag):
        identifier, content, _ = self.element()
        if identifier != bytes([tag]):
            raise TicketError(f"tag {identifier.hex()} where {tag:02x} belongs")
        return content

    def take_named(self):
        """(name, reader behind the name) of a private element; both places must say the same."""
        identifier, content, _ = self.element()
        inner = Reader(Reader(content).take(SEQUENCE))
        name = inner.take(IA5).decode("latin-1")
        if identifier != private_identifier(name):
            raise TicketError(f"the element of {name} has tag {identifier.hex()}")
        return name, inner


def read_value(reader):
    identifier, content, _ = reader.element()
    kinds = {
        BOOLEAN: lambda: content != b"\0",
        INTEGER: lambda: int.from_bytes(content, "big", signed=True),
        OCTETS: lambda: content,
        IA5: lambda: content.decode("ascii"),
        UTF8: content.decode,
    }
    if identifier[0] not in kinds:
        raise TicketError(f"a value of type {identifier.hex()}")
    return kinds[identifier[0]]()


def read_properties(reader):
    inner, found = Reader(reader.take(SET)), {}
    while inner:
        name, rest = inner.take_named()
        found[name] = read_value(rest)
    refuse_disorder(list(found))
    return found


def refuse_disorder(names):
    if names != sorted(names):
        raise TicketError(f"members of a SET out of order: {' '.join(names)}")


# --- tickets read


class Ticket:
    """An IM4M taken apart: properties (MANP), components {tag: properties}, and what is signed."""

    def __init__(self, data):
        reader = Reader(Reader(data).take(SEQUENCE))
        if reader.take(IA5) != b"IM4M" or reader.take(INTEGER) != b"\0":
            raise TicketError("not an IM4M of version 0")
        identifier, body, self.signed = reader.element()
        if identifier != bytes([SET]):
            raise TicketError("no SET behind the version")
        self.signature = reader.take(OCTETS)
        certificates = Reader(reader.take(SEQUENCE))
        self.certificates = []
        while certificates:
            self.certificates.append(certificates.element()[2])
        name, manb = Reader(body).take_named()
        if name != "MANB":
            raise TicketError(f"{name} where MANB belongs")
        self.order, self.components = [], {}
        inner = Reader(manb.take(SET))
        while inner:
            name, rest = inner.take_named()
            self.order.append(name)
            self.components[name] = read_properties(rest)
        refuse_disorder(self.order)
        if "MANP" not in self.components:
            raise TicketError("no MANP")
        self.properties = self.components.pop("MANP")

    def is_signed_by(self, public_key):
        return verify(public_key, self.signature, self.signed)


def read_other(data):
    """(name, {key: value}, signed bytes, signature) of a ticket that is no IM4M."""
    reader = Reader(Reader(data).take(SEQUENCE))
    if reader.take(IA5) != b"TEST":
        raise TicketError("not a ticket of the pretended server")
    name = reader.take(UTF8).decode()
    _, body, signed = reader.element()
    values, inner = {}, Reader(body)
    while inner:
        pair = Reader(inner.take(SEQUENCE))
        key = pair.take(UTF8).decode()
        values[key] = read_value(pair)
    return name, values, signed, reader.take(OCTETS)


def verify(public_key, signature, signed):
    try:
        public_key.verify(signature, signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        return False
    return True


def public_key():
    return serialization.load_pem_public_key((KEYS / "tss_signing_pub.pem").read_bytes())


# --- tickets made


class TicketMaker:
    """The signing end: its key, and the names for which it had to make up a tag."""

    def __init__(self):
        data = (KEYS / "tss_signing_key.pem").read_bytes()
        self.key = serialization.load_pem_private_key(data, None)
        self.certificate = self_signed(self.key)
        self.derived = {}  # component: tag

    def sign(self, data, spoil=False):
        signature = self.key.sign(data, ec.ECDSA(hashes.SHA384()))
        # the last byte belongs to the number s: still well-formed, no longer true
        return signature[:-1] + bytes([signature[-1] ^ 1]) if spoil else signature

    def make_im4m(self, request, names, spoil_signature=False):
        """An IM4M with MANP from `request` and an entry for each of the components `names`."""
        values = {name: request[key] for name, key in MANP_KEYS if key in request}
        values |= {"CEPO": 1, "srvn": os.urandom(20)}
        members = {"MANP": named("MANP", properties(values))}
        for component in sorted(names):
            entry = request[component]
            values = {name: entry[key] for name, key in COMPONENT_KEYS if key in entry}
            values.setdefault("DGST", b"")
            tag, derived = tag_of(component)
            if derived:
                self.derived[component] = tag
            members.setdefault(tag, named(tag, properties(values)))
        signed = tlv(SET, named("MANB", set_of(members)))
        return tlv(
            SEQUENCE, tlv(IA5, b"IM4M"), tlv(INTEGER, b"\0"), signed,
            tlv(OCTETS, self.sign(signed, spoil_signature)), tlv(SEQUENCE, self.certificate))

    def make_other(self, name, values, spoil_signature=False):
        """A ticket of another kind that says what was asked: {key: plain value}, flat."""
        pairs = (tlv(SEQUENCE, tlv(UTF8, key.encode()), value_of(values[key]))
                 for key in sorted(values))
        signed = tlv(SEQUENCE, *pairs)
        return tlv(SEQUENCE, tlv(IA5, b"TEST"), tlv(UTF8, name.encode()), signed,
                   tlv(OCTETS, self.sign(signed, spoil_signature)))


def self_signed(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idevicerescue test tickets")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, start, start.replace(year=2099))
    return builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.DER)
