# SPDX-License-Identifier: GPL-3.0-or-later
"""IM4P: SEQUENCE { IA5String "IM4P", IA5String type, IA5String description, OCTET STRING payload }.

A phone is signed for, and gets, some components under another type than the file carries (the same
device tree is `dtre` when it is installed and `rdtr` when the restore system boots with it). The
manifest's digest is over the IM4P with that other type: Info/Img4PayloadType names it.
"""
SEQUENCE, OCTETS, IA5 = 0x30, 0x04, 0x16


class DamagedIm4p(ValueError):
    """The bytes are no IM4P."""


def der(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def encode(kind, description, payload):
    """One IM4P. kind: four characters, as `ibss`."""
    if len(kind) != 4:
        raise ValueError(f"an IM4P type has four characters, not '{kind}'")
    return der(SEQUENCE, der(IA5, b"IM4P") + der(IA5, kind.encode())
               + der(IA5, description.encode()) + der(OCTETS, payload))


def _element(data, at):
    """(tag, start, end) of the element at `at`."""
    if at + 2 > len(data):
        raise DamagedIm4p("it ends inside an element")
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7f
        if not 1 <= count <= 4:
            raise DamagedIm4p("the length of an element has a form that IM4P does not use")
        size, start = int.from_bytes(data[start:start + count], "big"), start + count
    if start + size > len(data):
        raise DamagedIm4p("it ends inside an element")
    return tag, start, start + size


def _strings(data):
    """The places of the type and of the description, and where the payload's element begins."""
    tag, at, _ = _element(data, 0)
    if tag != SEQUENCE:
        raise DamagedIm4p("it does not begin with a sequence")
    places = []
    for name in ("magic", "type", "description"):
        tag, start, end = _element(data, at)
        if tag != IA5:
            raise DamagedIm4p(f"its {name} is not a string")
        places.append((start, end))
        at = end
    if data[places[0][0]:places[0][1]] != b"IM4P" or places[1][1] - places[1][0] != 4:
        raise DamagedIm4p("it lacks the word IM4P and a type of four characters")
    return places[1], places[2], at


def decode(data):
    """(type, description, payload)."""
    kind, description, at = _strings(data)
    tag, start, end = _element(data, at)
    if tag != OCTETS:
        raise DamagedIm4p("its payload is not an octet string")
    return data[slice(*kind)].decode(), data[slice(*description)].decode(), data[start:end]


def retype(data, kind):
    """The same IM4P with another type."""
    (start, end), _, _ = _strings(data)
    return data[:start] + kind.encode() + data[end:]
